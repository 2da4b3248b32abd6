"""Archived payloads: found in order, dated, recognised from their bytes, and never lost to one bad file."""

from __future__ import annotations

import gzip
import json
import os
import tempfile
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mtok.archive import KIND_MODELS, KIND_RANKINGS, KIND_UNKNOWN, RANKINGS_DAILY, Response
from mtok.calendar import format_instant, parse_instant
from mtok.errors import BadCall
from mtok.observations import decode_models, decode_rankings
from mtok.observations.payload import PAYLOAD_BYTES_MAX
from mtok.sources import FoundFile, Refused, files, find_files, read_response

RANKINGS: dict[str, Any] = {
    "data": [{"date": "2026-06-17", "model_permaslug": "qwen/qwen3-max", "total_tokens": "12"}],
    "meta": {"as_of": "2026-06-18T08:20:44.552Z", "start_date": "2026-06-17", "end_date": "2026-06-17"},
}
MODELS: dict[str, Any] = {"data": [{"id": "qwen/qwen3-max", "pricing": {"completion": "0.000006"}}]}
DATED = "2026-06-18T082044Z.json"
SOME_INSTANT = parse_instant("2026-07-01T00:00:00Z")


def write(path: Path, content: object) -> Path:
    """Write JSON, or bytes as they are, and make the folders above."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def read(path: Path, *, captured_at: int | None = None) -> Response | Refused:
    """Read one file the user named."""
    [found] = find_files([path])
    return read_response(found, captured_at=captured_at)


def taken(path: Path, *, captured_at: int | None = None) -> Response:
    """Read one file that must not be refused."""
    response = read(path, captured_at=captured_at)
    assert isinstance(response, Response), response
    return response


def refused(path: Path, *, captured_at: int | None = None) -> Refused:
    """Read one file that must be refused."""
    refusal = read(path, captured_at=captured_at)
    assert isinstance(refusal, Refused), refusal
    assert refusal.found
    assert refusal.remedy
    return refusal


def shown(paths: list[Path], below: Path) -> list[str]:
    """Return what is found, relative to `below`."""
    return [str(found.path.relative_to(below)) for found in find_files(paths)]


def test_a_folder_gives_its_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    names = [
        "b/2.json.gz",
        "b/10.json",
        "a.parquet",
        "c.csv",
        "B.json",
        "a/deep/er/x.json",
        "readme.md",
        "x.json.bak",
    ]
    for name in names:
        write(tmp_path / "in" / name, b"")
    found = ["B.json", "a/deep/er/x.json", "a.parquet", "b/10.json", "b/2.json.gz", "c.csv"]
    assert shown([tmp_path / "in"], tmp_path / "in") == found


def test_paths_keep_the_order_they_were_given_in(tmp_path: Path) -> None:
    first, second = write(tmp_path / "z.json", b""), write(tmp_path / "a" / "y.json", b"")
    assert shown([first, second.parent, second], tmp_path) == ["z.json", "a/y.json", "a/y.json"]
    assert [found.named for found in find_files([first, second.parent, second])] == [True, False, True]


def test_tables_and_payloads_are_told_apart_by_their_ending(tmp_path: Path) -> None:
    for name in ("a.json", "b.json.gz", "c.parquet", "d.csv", "e.CSV"):
        write(tmp_path / name, b"")
    assert [found.is_table for found in find_files([tmp_path])] == [False, False, True, True, True]


def test_a_path_that_does_not_exist_is_a_bad_call(tmp_path: Path) -> None:
    with pytest.raises(BadCall, match=r"gone\.json does not exist") as caught:
        find_files([tmp_path / "gone.json"])
    assert caught.value.code == "path_missing"
    with pytest.raises(BadCall, match="does not exist"):
        find_files([write(tmp_path / "file.json", b"") / "below"])


def test_links_that_lead_back_end_and_no_folder_is_walked_twice(tmp_path: Path) -> None:
    write(tmp_path / "in" / "a" / "x.json", b"")
    (tmp_path / "in" / "a" / "up").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "b").symlink_to(tmp_path / "in" / "a")
    (tmp_path / "in" / "self.json").symlink_to(tmp_path / "in" / "self.json")
    (tmp_path / "in" / "self.txt").symlink_to(tmp_path / "in" / "self.txt")
    assert shown([tmp_path / "in"], tmp_path / "in") == ["a/x.json", "self.json"]
    assert refused(tmp_path / "in" / "self.json").code == "file_unreadable"


def test_a_link_to_a_file_and_to_a_folder_outside_is_followed(tmp_path: Path) -> None:
    write(tmp_path / "out" / DATED, RANKINGS)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "folder").symlink_to(tmp_path / "out")
    (tmp_path / "in" / "file.json").symlink_to(tmp_path / "out" / DATED)
    assert shown([tmp_path / "in"], tmp_path / "in") == ["file.json", f"folder/{DATED}"]


def test_links_that_lead_nowhere_and_pipes_are_refused_and_never_waited_for(tmp_path: Path) -> None:
    (tmp_path / "link.json").symlink_to(tmp_path / "gone")
    os.mkfifo(tmp_path / "pipe.json")
    for found in find_files([tmp_path]):
        refusal = read_response(found)
        assert isinstance(refusal, Refused)
        assert refusal.code == "file_unreadable"
    assert len(find_files([tmp_path])) == 2


def test_a_file_of_another_size_than_it_says_is_not_taken_in_part(tmp_path: Path) -> None:
    endless = Path("/proc/version")
    if not endless.exists():
        pytest.skip("no file here says that it is empty and is not")
    (tmp_path / DATED).symlink_to(endless)
    refusal = refused(tmp_path / DATED)
    assert (refusal.code, refusal.found) == ("file_unreadable", "its size changed while it was read")


@contextmanager
def powerless() -> Iterator[None]:
    """Read as somebody who may not read everything, even where the tests run as root."""
    user = os.geteuid()
    os.seteuid(65534 if user == 0 else user)
    try:
        yield
    finally:
        os.seteuid(user)


def test_what_may_not_be_read_is_refused_and_costs_nothing_else() -> None:
    with tempfile.TemporaryDirectory() as name:
        open_to_all = Path(name)
        open_to_all.chmod(0o755)
        write(open_to_all / "2026-06-18T000000Z.json", RANKINGS).chmod(0o000)
        write(open_to_all / "2026-06-19T000000Z.json", RANKINGS).chmod(0o644)
        write(open_to_all / "closed" / "x.json", RANKINGS).parent.chmod(0o000)
        with powerless():
            closed, readable, folder = (read_response(found) for found in find_files([open_to_all]))
        (open_to_all / "closed").chmod(0o755)
    assert isinstance(closed, Refused)
    assert (closed.code, closed.found) == ("file_unreadable", "Permission denied")
    assert isinstance(readable, Response)
    assert isinstance(folder, Refused)
    assert (folder.code, folder.found) == ("file_unreadable", "a folder that cannot be listed")


def test_another_ending_is_refused_when_named_and_passed_over_in_a_folder(tmp_path: Path) -> None:
    path = write(tmp_path / "2026-06-18T082044Z.txt", RANKINGS)
    assert refused(path).code == "file_ending"
    assert find_files([tmp_path]) == []


def test_a_file_over_256_mb_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / DATED
    with path.open("wb") as file:
        file.truncate(files.FILE_BYTES_MAX + 1)
    assert refused(path).code == "file_size"


def test_obtained_is_the_path_as_written_with_the_rest_below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "archive" / "june" / DATED, RANKINGS)
    monkeypatch.chdir(tmp_path)
    [found] = find_files([Path("archive")])
    response = read_response(found, collector="attic")
    assert isinstance(response, Response)
    assert response.obtained == f"file archive/june/{DATED}"
    assert response.collector == "attic"


def test_a_name_that_cannot_be_encoded_is_written_out(tmp_path: Path) -> None:
    name = os.fsdecode(b"2026-06-18T082044Z\xff\n.json")
    response = taken(write(tmp_path / name, RANKINGS))
    assert response.obtained.endswith("2026-06-18T082044Z\\udcff\\n.json")
    assert response.obtained.isprintable()


@pytest.mark.parametrize(
    ("name", "instant"),
    [
        ("2026-06-19T082044Z.json", "2026-06-19T08:20:44Z"),
        ("2026-06-19T08:20:44Z.json", "2026-06-19T08:20:44Z"),
        ("2026-06-19T082044Z-rankings.json", "2026-06-19T08:20:44Z"),
        ("rankings-2026-06-19T082044Z.json", "2026-06-18T08:20:44.552Z"),
        ("2026-06-19.json", "2026-06-18T08:20:44.552Z"),
        ("2026-02-30T082044Z.json", "2026-06-18T08:20:44.552Z"),
        ("2026-06-19T250000Z.json", "2026-06-18T08:20:44.552Z"),
        ("٢026-06-19T082044Z.json", "2026-06-18T08:20:44.552Z"),
    ],
)
def test_the_name_dates_a_file_before_its_content_does(tmp_path: Path, name: str, instant: str) -> None:
    assert (
        format_instant(taken(write(tmp_path / name, RANKINGS), captured_at=SOME_INSTANT).captured_at)
        == instant
    )


def test_captured_at_dates_what_nothing_else_dates(tmp_path: Path) -> None:
    path = write(tmp_path / "models.json", MODELS)
    assert taken(path, captured_at=SOME_INSTANT).captured_at == SOME_INSTANT
    assert taken(path, captured_at=0).captured_at == 0
    refusal = refused(path)
    assert refusal.code == "captured_at_unknown"
    assert "--captured-at" in refusal.remedy


@pytest.mark.parametrize("as_of", [None, 20, "2026-06-18", "yesterday", "2026-06-18T08:20:44+02:00"])
def test_a_meta_that_is_no_instant_dates_nothing(tmp_path: Path, as_of: object) -> None:
    path = write(tmp_path / "x.json", {**RANKINGS, "meta": {"as_of": as_of}})
    assert refused(path).code == "captured_at_unknown"


def test_the_bytes_are_kept_as_they_are(tmp_path: Path) -> None:
    raw = json.dumps(RANKINGS, indent=3).encode() + b"\n\n"
    response = taken(write(tmp_path / DATED, raw))
    assert response.raw == raw
    assert (response.kind, response.volume_source) == (KIND_RANKINGS, RANKINGS_DAILY)
    assert (response.origin, response.origin_sha256) == (None, None)
    assert taken(write(tmp_path / f"{DATED}.gz", gzip.compress(raw))).raw == raw
    assert taken(write(tmp_path / "2026-06-18T000000Z.json", gzip.compress(raw))).raw == raw
    assert taken(write(tmp_path / "2026-06-18T000001Z.json.gz", raw)).raw == raw
    two = gzip.compress(raw[:40]) + gzip.compress(raw[40:])
    assert taken(write(tmp_path / "2026-06-18T000002Z.json.gz", two)).raw == raw


def test_models_are_recognised_and_have_no_volume_source(tmp_path: Path) -> None:
    response = taken(write(tmp_path / DATED, MODELS))
    assert (response.kind, response.volume_source) == (KIND_MODELS, None)


_RANKINGS_BYTES = json.dumps(RANKINGS).encode()
_MODELS_BYTES = json.dumps(MODELS).encode()

BROKEN = {
    "truncated_rankings": (_RANKINGS_BYTES[:70], KIND_RANKINGS, "payload_json"),
    "truncated_models": (_MODELS_BYTES[:50], KIND_MODELS, "payload_json"),
    "nan_models": (_MODELS_BYTES.replace(b'"0.000006"', b"NaN"), KIND_MODELS, "payload_not_finite"),
    "duplicate_key_models": (
        _MODELS_BYTES.replace(b'"id"', b'"id": "x/y", "id"'),
        KIND_MODELS,
        "payload_duplicate_key",
    ),
    "utf8_rankings": (_RANKINGS_BYTES.replace(b"max", b"m\xffx"), KIND_RANKINGS, "payload_utf8"),
    "utf16_rankings": (json.dumps(RANKINGS).encode("utf-16"), KIND_RANKINGS, "payload_utf8"),
    "list_models": (json.dumps(MODELS["data"]).encode(), KIND_MODELS, "payload_shape"),
    "deep_models": (b'{"data":' + b"[" * 100_000 + b'"canonical_slug"', KIND_MODELS, "payload_depth"),
    "huge_integer_rankings": (_RANKINGS_BYTES.replace(b'"12"', b"9" * 5000), KIND_RANKINGS, None),
    "emptied_rankings": (json.dumps({**RANKINGS, "data": []}).encode(), KIND_RANKINGS, "payload_empty"),
    "truncated_gzip_rankings": (gzip.compress(_RANKINGS_BYTES * 9)[:-9], KIND_RANKINGS, "payload_gzip"),
    "damaged_gzip_models": (gzip.compress(_MODELS_BYTES)[:-8] + b"\0" * 8, KIND_MODELS, "payload_gzip"),
}


@pytest.mark.parametrize("defect", BROKEN)
def test_a_broken_payload_is_archived_whole_as_what_it_was(tmp_path: Path, defect: str) -> None:
    raw, kind, code = BROKEN[defect]
    response = taken(write(tmp_path / DATED, raw))
    assert (response.raw, response.kind) == (raw, kind)
    faults = decode_models(raw).faults if kind == KIND_MODELS else decode_rankings(raw, SOME_INSTANT).faults
    assert code is None or code in {fault.code for fault in faults}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" \n",
        b"<html>504</html>",
        b"\x1f\x8b",
        b"\x1f\x8b\x08nonsense",
        b'{"data": []}',
        b"{",
        b"\x00\xff",
    ],
)
def test_what_broken_bytes_do_not_say_is_of_unknown_kind(tmp_path: Path, raw: bytes) -> None:
    response = taken(write(tmp_path / DATED, raw))
    assert (response.raw, response.kind, response.volume_source) == (raw, KIND_UNKNOWN, None)


def test_a_gzip_bomb_stays_packed(tmp_path: Path) -> None:
    assert files.UNPACKED_BYTES_MAX == PAYLOAD_BYTES_MAX
    fits = gzip.compress(b'{"model_permaslug"'.ljust(PAYLOAD_BYTES_MAX))
    bomb = gzip.compress(b'{"model_permaslug"'.ljust(PAYLOAD_BYTES_MAX + 1))
    assert len(taken(write(tmp_path / DATED, fits)).raw) == PAYLOAD_BYTES_MAX
    response = taken(write(tmp_path / DATED, bomb))
    assert (response.raw, response.kind) == (bomb, KIND_RANKINGS)
    [fault] = decode_rankings(response.raw, response.captured_at).faults
    assert fault.code == "payload_gzip"


def test_a_gzip_bomb_is_not_unpacked_to_its_end(tmp_path: Path) -> None:
    bomb = gzip.compress(bytes(4 * files.UNPACKED_BYTES_MAX), compresslevel=1)
    tracemalloc.start()
    try:
        assert taken(write(tmp_path / DATED, bomb)).raw == bomb
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * files.UNPACKED_BYTES_MAX


def test_a_plain_payload_over_the_cap_is_archived_for_its_decoder_to_reject(tmp_path: Path) -> None:
    raw = _RANKINGS_BYTES.ljust(PAYLOAD_BYTES_MAX + 1)
    response = taken(write(tmp_path / DATED, raw))
    assert (len(response.raw), response.kind) == (len(raw), KIND_RANKINGS)
    [fault] = decode_rankings(response.raw, response.captured_at).faults
    assert fault.code == "payload_size"


@pytest.mark.parametrize(
    "content",
    [
        {"error": {"code": 429, "message": "pricing"}},
        {"data": [{"id": "a/b"}]},
        {"data": {"id": "a/b", "pricing": {}}},
        {"endpoints": [{"id": "a/b", "pricing": {}}]},
        {"data": ["model_permaslug"]},
        [],
        None,
        7,
    ],
)
def test_sound_json_of_another_sort_is_left_out_of_a_folder_and_refused_when_named(
    tmp_path: Path, content: object
) -> None:
    path = write(tmp_path / DATED, content)
    refusal = refused(path)
    assert (refusal.code, refusal.left_out) == ("kind_unknown", False)
    [met] = find_files([tmp_path])
    left_out = read_response(met)
    assert isinstance(left_out, Refused)
    assert (left_out.path, left_out.code, left_out.left_out) == (str(path), "kind_unknown", True)


def test_a_bad_row_does_not_hide_what_the_good_ones_say(tmp_path: Path) -> None:
    rows = [None, 7, {"id": "a/b"}, *MODELS["data"]]
    assert taken(write(tmp_path / DATED, {"data": rows})).kind == KIND_MODELS


def test_a_file_that_vanishes_is_refused(tmp_path: Path) -> None:
    gone = FoundFile(path=tmp_path / DATED, shown="gone", named=True)
    refusal = read_response(gone)
    assert isinstance(refusal, Refused)
    assert refusal.code == "file_unreadable"


def test_every_recorded_payload_is_taken_for_what_it_is(recordings: Path) -> None:
    for folder, kind in (
        ("models", KIND_MODELS),
        ("models-drift", KIND_MODELS),
        ("rankings-daily", KIND_RANKINGS),
    ):
        found = find_files([recordings / folder])
        assert found
        for file in found:
            response = read_response(file)
            assert isinstance(response, Response), response
            assert response.kind == kind
            assert response.raw == gzip.decompress(file.path.read_bytes())
    [undated] = find_files([recordings / "rankings-drift"])
    refusal = read_response(undated)
    assert isinstance(refusal, Refused)
    assert refusal.code == "captured_at_unknown"
    for file in find_files([recordings / "endpoints" / "frontend-2026-07-17"]):
        refusal = read_response(file, captured_at=SOME_INSTANT)
        assert isinstance(refusal, Refused), file
        assert (refusal.code, refusal.left_out) == ("kind_unknown", True)
