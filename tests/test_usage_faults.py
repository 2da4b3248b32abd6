"""Usage logs that are not as they should be: every bad row has its reason, every bad file its code, no sum is wrong."""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from logged import (
    Request,
    captures,
    cells,
    cube,
    imported,
    requests,
    summed,
    table,
    write_csv,
    write_jsonl,
    write_parquet,
)
from mtok.archive import KIND_USAGE, Response, Store
from mtok.calendar import parse_instant
from mtok.errors import BadCall, EnvironmentFailed
from mtok.observations import Observations
from mtok.observations.usage import decode_cube
from mtok.usage import finding, importing, summing

QWEN, GPT = "qwen/qwen3-max", "openai/gpt-5"
GOOD = requests("2026-06-20", *[(QWEN, 10, 5)] * 60)
NOON = "2026-06-20T12:00:00Z"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "store")


# ---- rows

DATED = {
    "model_missing": [Request(NOON, "", 1, 1)],
    "slug_grammar": [
        Request(NOON, "no slug", 1, 1),
        Request(NOON, "a/b:c:d", 1, 1),
        Request(NOON, "other", 1, 1),
    ],
    "tokens_missing": [Request(NOON, QWEN, "", 1), Request(NOON, QWEN, 1, "")],
    "tokens_negative": [Request(NOON, QWEN, -1, 1), Request(NOON, QWEN, 1, "-9999999999999999999999")],
    "tokens_not_integer": [
        *(
            Request(NOON, QWEN, text, 1)
            for text in ("1.0", "1e3", "0x10", "1_000", " 1", "NaN", "+1", "true")
        ),
        Request(NOON, QWEN, 1, "١٢"),
    ],
    "tokens_absurd": [
        Request(NOON, QWEN, 10**15 + 1, 1),
        Request(NOON, QWEN, 1, 10**16),
        Request(NOON, QWEN, "9" * 40, 1),
    ],
}
"""Bad rows of a known day, by reason, as text."""

UNDATED = {
    "ts_missing": [Request("", QWEN, 1, 1)],
    "ts_without_zone": [
        Request("2026-06-20T12:00:00", QWEN, 1, 1),
        Request("2026-06-20 12:00:00.5", QWEN, 1, 1),
    ],
    "ts_unreadable": [
        Request(text, QWEN, 1, 1)
        for text in (
            "1781956800",
            "2026-06-20",
            "2026-06-20T12:00:00+02:00",
            "2026-02-30T12:00:00Z",
            "2026-06-20T24:00:00Z",
            "2026-06-20T12:60:00Z",
            "20.06.2026 12:00",
        )
    ],
    "ts_range": [Request("1970-01-01T00:00:00Z", QWEN, 1, 1), Request("2999-01-01T00:00:00Z", QWEN, 1, 1)],
}
"""Bad rows whose day nobody can know."""


@pytest.mark.parametrize("write", [write_csv, write_jsonl])
@pytest.mark.parametrize("reason", [*DATED, *UNDATED])
def test_a_bad_row_in_a_text_has_its_reason_and_the_good_ones_count(
    store: Store, tmp_path: Path, reason: str, write: Callable[..., Path]
) -> None:
    bad = (DATED | UNDATED)[reason]
    write(tmp_path / f"a.{write.__name__.removeprefix('write_')}", [*GOOD[:30], *bad, *GOOD[30:]])
    report = imported(store, tmp_path, rejected_max=Fraction(1, 2))
    assert {reason: rejected.rows for reason, rejected in report.rejected.items()} == {reason: len(bad)}
    assert report.rejected[reason].samples
    assert cells(cube(store, "2026-06-20")) == summed(GOOD)["2026-06-20"]
    kept = cube(store, "2026-06-20").rejected
    assert kept == ({reason: str(len(bad))} if reason in DATED else {})


def test_a_bad_row_in_typed_columns_has_its_reason_too(store: Store, tmp_path: Path) -> None:
    rows = [
        *GOOD,
        Request(NOON, QWEN, -1, 1),
        Request(NOON, QWEN, 1, 10**15 + 1),
        Request(NOON, QWEN, None, 1),
        Request(NOON, None, 1, 1),
        Request("1999-12-31T00:00:00Z", QWEN, 1, 1),
        Request("2026-06-26T00:00:00Z", QWEN, 1, 1),
    ]
    typed = table([*rows, rows[0]._replace(ts=None)])
    write_parquet(tmp_path / "a.parquet", typed)
    report = imported(store, tmp_path / "a.parquet", rejected_max=Fraction(1, 2))
    assert {reason: one.rows for reason, one in report.rejected.items()} == {
        "model_missing": 1,
        "tokens_absurd": 1,
        "tokens_missing": 1,
        "tokens_negative": 1,
        "ts_missing": 1,
        "ts_range": 2,
    }
    assert cells(cube(store, "2026-06-20")) == summed(GOOD)["2026-06-20"]


@pytest.mark.parametrize("statistics", [True, False])
def test_infinitely_far_instants_are_out_of_range(store: Store, tmp_path: Path, statistics: bool) -> None:
    typed = table(GOOD)
    far = [2**63 - 1, -(2**63), -5, *typed["ts"].cast(pa.int64()).to_pylist()[3:]]
    typed = typed.set_column(0, "ts", pa.array(far, pa.timestamp("us", "UTC")))
    write_parquet(tmp_path / "a.parquet", typed, write_statistics=statistics)
    report = imported(store, tmp_path / "a.parquet", rejected_max=Fraction(1, 2))
    if statistics:
        assert [(refused.code, report.days) for refused in report.refused] == [("ts_range", [])]
    else:
        assert {reason: one.rows for reason, one in report.rejected.items()} == {"ts_range": 3}
        assert cells(cube(store, "2026-06-20"))[QWEN][0] == 57


def test_rows_nobody_can_date_count_against_every_day_of_their_file(store: Store, tmp_path: Path) -> None:
    other = requests("2026-06-21", *[(GPT, 1, 1)] * 60)
    write_csv(tmp_path / "logs" / "a.csv", [*GOOD, *other, *UNDATED["ts_without_zone"]])
    write_csv(tmp_path / "logs" / "b.csv", requests("2026-06-22", (GPT, 1, 1)))
    report = imported(store, tmp_path / "logs")
    assert [(day.date, day.outcome, day.code) for day in report.days] == [
        ("2026-06-20", "refused", "rows_rejected"),
        ("2026-06-21", "refused", "rows_rejected"),
        ("2026-06-22", "new", None),
    ]
    assert "2 of 122 rows of" in str(report.days[0].found)


def test_a_log_of_rows_nobody_can_date_is_refused(store: Store, tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", UNDATED["ts_unreadable"])
    report = imported(store, tmp_path / "a.csv")
    assert [refused.code for refused in report.refused] == ["rows_rejected"]
    assert not report.sound
    assert not report.days


def test_samples_are_few_and_the_same_every_time(store: Store, tmp_path: Path) -> None:
    bad = [Request(NOON, QWEN, -number, 1) for number in range(1, 500)]
    write_parquet(tmp_path / "a.parquet", [*GOOD, *bad])
    report = imported(store, tmp_path / "a.parquet", rejected_max=Fraction(1))
    again = imported(Store.create(tmp_path / "again"), tmp_path / "a.parquet", rejected_max=Fraction(1))
    assert report.rejected["tokens_negative"].rows == 499
    assert len(report.rejected["tokens_negative"].samples) == 5
    assert again.rejected == report.rejected


def test_a_model_no_catalogue_knows_counts(store: Store, tmp_path: Path) -> None:
    """It has no price then, and the rules say so (R-6): what was asked of it was asked."""
    write_parquet(tmp_path / "a.parquet", requests("2026-06-20", ("nobody/nothing", 1, 2)))
    imported(store, tmp_path / "a.parquet")
    assert cells(cube(store, "2026-06-20")) == {"nobody/nothing": (1, 1, 2, 3)}


# ---- files


def truncated(path: Path) -> None:
    raw = write_parquet(path, GOOD).read_bytes()
    path.write_bytes(raw[: len(raw) // 2])


def cut_in_the_middle_of_a_number(path: Path) -> None:
    write_csv(path.with_suffix(".csv"), [*GOOD[:-1], Request(NOON, QWEN, 12345, 67890)], end="")


def no_bytes(path: Path) -> None:
    path.write_bytes(b"")


def page_damaged(path: Path) -> None:
    raw = bytearray(write_parquet(path, GOOD).read_bytes())
    raw[4 : len(raw) // 3] = bytes(len(raw) // 3 - 4)
    path.write_bytes(raw)


def float_tokens(path: Path) -> None:
    typed = table(GOOD)
    write_parquet(path, typed.set_column(2, "prompt_tokens", typed["prompt_tokens"].cast(pa.float64())))


def no_zone(path: Path) -> None:
    typed = table(GOOD)
    write_parquet(path, typed.set_column(0, "ts", typed["ts"].cast(pa.timestamp("us"))))


def int96(path: Path) -> None:
    typed = table(GOOD)
    pq.write_table(typed, path, use_deprecated_int96_timestamps=True)


def epoch_seconds(path: Path) -> None:
    typed = table(GOOD)
    write_parquet(path, typed.set_column(0, "ts", pa.array([1_781_956_800] * 60, pa.int64())))


def another_schema(path: Path) -> None:
    pq.write_table(pa.table({"when": ["x"], "tokens": [1]}), path)


def another_header(path: Path) -> None:
    path.with_suffix(".csv").write_text("when,tokens\nx,1\n")


def gzip_cut_off(path: Path) -> None:
    packed = write_csv(path.with_suffix(".csv.gz"), GOOD).read_bytes()
    path.with_suffix(".csv.gz").write_bytes(packed[:-20])


def not_utf8(path: Path) -> None:
    path.with_suffix(".csv").write_bytes(
        b"ts,model_permaslug,prompt_tokens,completion_tokens\n\xff\xfe,a/b,1,1\n"
    )


FILES: dict[Callable[[Path], None], str] = {
    truncated: "usage_unreadable",
    no_bytes: "usage_unreadable",
    page_damaged: "usage_unreadable",
    gzip_cut_off: "usage_unreadable",
    not_utf8: "usage_unreadable",
    float_tokens: "usage_schema",
    epoch_seconds: "usage_schema",
    another_schema: "usage_schema",
    another_header: "usage_schema",
    no_zone: "ts_without_zone",
    int96: "ts_without_zone",
}


@pytest.mark.parametrize("make", FILES, ids=lambda make: make.__name__)
def test_a_bad_file_in_a_partition_refuses_its_day_alone(
    store: Store, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    write_parquet(tmp_path / "logs" / "day=2026-06-20" / "a.parquet", GOOD)
    write_parquet(tmp_path / "logs" / "day=2026-06-21" / "b.parquet", requests("2026-06-21", (GPT, 1, 1)))
    make(tmp_path / "logs" / "day=2026-06-20" / "bad.parquet")
    report = imported(store, tmp_path / "logs")
    assert [refused.code for refused in report.refused] == [FILES[make]]
    assert report.refused[0].remedy
    assert [(day.date, day.outcome, day.code) for day in report.days] == [
        ("2026-06-20", "refused", FILES[make]),
        ("2026-06-21", "new", None),
    ]
    assert [one.failure for one in captures(store, "2026-06-20")] == [FILES[make]]


@pytest.mark.parametrize(
    "make", [make for make in FILES if make is not page_damaged], ids=lambda make: make.__name__
)
def test_a_bad_file_of_no_known_day_lets_no_day_be_summed(
    store: Store, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    write_parquet(tmp_path / "logs" / "a.parquet", GOOD)
    make(tmp_path / "logs" / "bad.parquet")
    (tmp_path / "logs" / "day=2026-06-21").mkdir()
    truncated(tmp_path / "logs" / "day=2026-06-21" / "b.parquet")
    report = imported(store, tmp_path / "logs")
    assert [refused.code for refused in report.refused] == [FILES[make], "usage_unreadable"]
    assert not report.days
    assert not store.register.read()


def test_a_last_line_that_does_not_end_does_not_count(store: Store, tmp_path: Path) -> None:
    """It may have been cut off in the middle of a number, which is a number too."""
    cut_in_the_middle_of_a_number(tmp_path / "a.csv")
    report = imported(store, tmp_path / "a.csv", rejected_max=Fraction(1, 2))
    assert {reason: one.rows for reason, one in report.rejected.items()} == {"line_unreadable": 1}
    assert cells(cube(store, "2026-06-20")) == {QWEN: (59, 590, 295, 15)}


def test_a_day_that_is_not_over_is_not_refused(store: Store, tmp_path: Path) -> None:
    """Its files may be being written just now."""
    (tmp_path / "logs" / "day=2026-06-25").mkdir(parents=True)
    truncated(tmp_path / "logs" / "day=2026-06-25" / "a.parquet")
    report = imported(store, tmp_path / "logs")
    assert [refused.code for refused in report.refused] == ["usage_unreadable"]
    assert not report.days
    assert not store.register.read()


def test_lines_that_are_no_rows_are_counted(store: Store, tmp_path: Path) -> None:
    text = write_jsonl(tmp_path / "logs" / "a.jsonl", GOOD).read_text()
    (tmp_path / "logs" / "a.jsonl").write_text(text + '\n[1]\n{"ts":\nnull\n' + "[" * 5000 + "\n")
    write_csv(tmp_path / "logs" / "b.csv", requests("2026-06-21", (GPT, 1, 1)))
    with (tmp_path / "logs" / "b.csv").open("a") as file:
        file.write("a,b\n1,2,3,4,5\n")
    report = imported(store, tmp_path / "logs", rejected_max=Fraction(9, 10))
    assert {reason: one.rows for reason, one in report.rejected.items()} == {"line_unreadable": 6}
    assert cells(cube(store, "2026-06-21")) == {GPT: (1, 1, 1, 2)}


def test_empty_logs_and_other_files_are_no_days(store: Store, tmp_path: Path) -> None:
    write_parquet(tmp_path / "logs" / "a.parquet", [])
    write_csv(tmp_path / "logs" / "b.csv", [])
    (tmp_path / "logs" / "_SUCCESS").touch()
    (tmp_path / "logs" / ".part.parquet.crc").touch()
    (tmp_path / "logs" / "readme.md").touch()
    report = imported(store, tmp_path / "logs")
    assert (report.files, len(report.empty), report.days, report.sound) == (2, 2, [], True)


@pytest.mark.parametrize("quotes", [1, 2])
def test_a_quote_nobody_closed_swallows_no_rows(store: Store, tmp_path: Path, quotes: int) -> None:
    lines = write_csv(tmp_path / "a.csv", GOOD * 50).read_text().splitlines()
    for place in (500, 2500)[:quotes]:
        lines[place] = lines[place].replace("qwen/", '"qwen/')
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    report = imported(store, tmp_path / "a.csv")
    assert [refused.code for refused in report.refused] == ["usage_unreadable"]
    assert not report.days


def test_a_mark_at_the_beginning_of_a_text_is_no_part_of_it(store: Store, tmp_path: Path) -> None:
    for path in (
        write_csv(tmp_path / "logs" / "a.csv", GOOD),
        write_jsonl(tmp_path / "logs" / "b.jsonl", GOOD),
    ):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert imported(store, tmp_path / "logs").sound
    assert cells(cube(store, "2026-06-20")) == {QWEN: (120, 1200, 600, 15)}


def test_objects_that_say_two_things_or_nothing_readable_are_no_rows(store: Store, tmp_path: Path) -> None:
    text = write_jsonl(tmp_path / "a.jsonl", GOOD).read_text()
    twice = text.splitlines()[0].replace('"prompt_tokens"', '"prompt_tokens": 7, "prompt_tokens"')
    surrogate = text.splitlines()[0].replace("qwen/qwen3-max", "qwen/\\ud800")
    (tmp_path / "a.jsonl").write_text(text + twice + "\n" + surrogate + "\n")
    report = imported(store, tmp_path / "a.jsonl", rejected_max=Fraction(1, 2))
    assert {reason: one.rows for reason, one in report.rejected.items()} == {"line_unreadable": 2}


def test_a_text_without_lines_is_not_held_in_memory(store: Store, tmp_path: Path) -> None:
    with (tmp_path / "a.csv").open("wb") as file:
        for _ in range(20):
            file.write(b"x" * 2**20)
    report = imported(store, tmp_path / "a.csv")
    assert "a line of over" in report.refused[0].found


def test_a_model_of_no_name_has_one_reason_whatever_the_statistics(tmp_path: Path) -> None:
    found = []
    for statistics in (True, False):
        rows = [*GOOD * 40, GOOD[0]._replace(model="")]
        write_parquet(tmp_path / f"{statistics}.parquet", rows, write_statistics=statistics)
        store = Store.create(tmp_path / f"store{statistics}")
        found.append(imported(store, tmp_path / f"{statistics}.parquet").days)
        assert cube(store, "2026-06-20").rejected == {"model_missing": "1"}
    assert found[0] == found[1]


def test_columns_whose_names_differ_in_capitals_are_refused(store: Store, tmp_path: Path) -> None:
    typed = table(GOOD)
    write_parquet(tmp_path / "a.parquet", typed.add_column(0, "Prompt_Tokens", pa.array([999] * 60)))
    assert [refused.code for refused in imported(store, tmp_path / "a.parquet").refused] == ["usage_schema"]


def test_a_name_that_is_not_utf_8(store: Store, tmp_path: Path) -> None:
    write_parquet(tmp_path / "logs" / "a.parquet", GOOD)
    os.rename(bytes(tmp_path / "logs" / "a.parquet"), bytes(tmp_path / "logs") + b"/\xff.parquet")  # noqa: PTH104 - bytes
    report = imported(store, tmp_path / "logs")
    assert [(refused.code, refused.path.isascii()) for refused in report.refused] == [
        ("usage_unreadable", True)
    ]


def test_a_file_nobody_can_date_stops_the_day_of_its_partition(store: Store, tmp_path: Path) -> None:
    write_csv(tmp_path / "logs" / "day=2026-06-20" / "a.csv", GOOD)
    write_csv(tmp_path / "logs" / "day=2026-06-20" / "b.csv", UNDATED["ts_without_zone"])
    write_csv(tmp_path / "logs" / "day=2026-06-21" / "c.csv", requests("2026-06-21", (GPT, 1, 1)))
    report = imported(store, tmp_path / "logs")
    assert [(day.date, day.outcome, day.code) for day in report.days] == [
        ("2026-06-20", "refused", "rows_rejected"),
        ("2026-06-21", "new", None),
    ]
    assert "ts_without_zone 2" in report.refused[0].found


def test_a_folder_that_cannot_be_listed_is_not_passed_over(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_parquet(tmp_path / "logs" / "a.parquet", GOOD)
    write_parquet(tmp_path / "logs" / "closed" / "b.parquet", GOOD)
    scandir = os.scandir

    def closed(path: str) -> Any:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", closed)
    with pytest.raises(EnvironmentFailed, match="cannot be listed"):
        imported(store, tmp_path / "logs")


@pytest.mark.parametrize("instant", ["1970-01-02T00:00:00Z", "9000-01-01T00:00:00Z"])
def test_a_far_instant_makes_no_days(store: Store, tmp_path: Path, instant: str) -> None:
    write_parquet(tmp_path / "logs" / "a.parquet", [*GOOD * 20, Request(instant, QWEN, 1, 1)])
    report = imported(store, tmp_path / "logs")
    assert [(day.date, day.outcome) for day in report.days] == [("2026-06-20", "new")]
    assert report.rejected["ts_range"].rows == 1
    assert imported(store, tmp_path / "logs", now="2026-06-26T00:00:00Z").read == 0


def test_an_address_without_logs_is_told(store: Store, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "logs.txt").touch()
    with pytest.raises(BadCall, match="no file at"):
        imported(store, tmp_path / "logs")


def test_a_log_that_vanishes_while_it_is_read_refuses_its_day(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_parquet(tmp_path / "logs" / "a.parquet", GOOD)
    write_parquet(tmp_path / "logs" / "b.parquet", requests("2026-06-21", (GPT, 1, 1)))
    find = finding.find_logs

    def find_and_lose(*arguments: Any) -> Any:
        found = find(*arguments)
        (tmp_path / "logs" / "a.parquet").unlink()
        return found

    monkeypatch.setattr(importing, "find_logs", find_and_lose)
    report = imported(store, tmp_path / "logs")
    assert [(day.date, day.outcome, day.code) for day in report.days] == [
        ("2026-06-20", "refused", "usage_unreadable"),
        ("2026-06-21", "new", None),
    ]


def test_a_log_that_is_written_while_it_is_read_refuses_its_days(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_parquet(tmp_path / "logs" / "a.parquet", GOOD)
    sums = summing.Summing.sums

    def sum_and_write(*arguments: Any) -> Any:
        found = sums(*arguments)
        write_parquet(path, GOOD[:-1])
        return found

    monkeypatch.setattr(summing.Summing, "sums", sum_and_write)
    report = imported(store, tmp_path / "logs")
    assert [(day.outcome, day.code) for day in report.days] == [("refused", "usage_changed")]


# ---- addresses


def test_logs_of_another_file_system_are_read_through_fsspec(store: Store, tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    for name, rows in {"a.parquet": GOOD[:40], "b.csv": GOOD[40:]}.items():
        write = write_parquet if name.endswith("parquet") else write_csv
        memory.pipe(f"/router/logs/{name}", write(tmp_path / name, rows).read_bytes())
    report = imported(store, "memory://router/logs")
    assert report.sound
    assert cells(cube(store, "2026-06-20")) == summed(GOOD)["2026-06-20"]
    assert imported(store, "memory://router/logs", now="2026-06-26T00:00:00Z").read == 0


def test_an_address_where_nothing_is_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(BadCall, match="does not exist"):
        imported(store, tmp_path / "nowhere")
    with pytest.raises(BadCall, match="does not exist"):
        imported(store, "memory://nowhere/at/all")
    with pytest.raises(EnvironmentFailed, match="cannot be read"):
        imported(store, "nosuchprotocol://bucket/logs")


# ---- cubes


@pytest.mark.parametrize(
    "change",
    [
        "mtok-cube-1 → mtok-cube-9",
        '"600" → "-600"',
        '"600" → "6e2"',
        '"600" → "9223372036854775807"',
        "qwen/qwen3-max → qwen",
        "2026-06-20 → 2026-06-31",
        '"rows" → "lines"',
        "[[ → [",
    ],
)
def test_a_cube_that_is_none_is_a_fault_and_holds_no_day(store: Store, tmp_path: Path, change: str) -> None:
    write_parquet(tmp_path / "a.parquet", GOOD)
    imported(store, tmp_path / "a.parquet")
    raw = store.objects.get(captures(store, "2026-06-20")[0].sha256)
    assert decode_cube(raw).readable
    before, after = (part.encode() for part in change.split(" → "))
    changed = raw.replace(before, after)
    assert changed != raw
    found = decode_cube(changed)
    assert [fault.code for fault in found.faults] == ["cube_damaged"]
    with store.writing():
        bad = Response(
            raw=changed,
            captured_at=parse_instant("2026-06-26T00:00:00Z"),
            kind=KIND_USAGE,
            obtained="a test",
            volume_source="acme",
            subject="2026-06-20",
        )
        list(store.archive([bad]))
    observations = Observations(store)
    observations.refresh(lambda *_: None)
    assert len(list(observations.rows("volume_days", "day"))) == 1
