"""The verifier that travels with every parcel: alone, on good ones, on damaged ones, and on well-signed lies.

It is run as a stranger runs it, from a copy in an empty folder without site-packages; for the many damaged parcels
the same file is loaded.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import pytest

from generated import DAYS, FIRST_DAY, market
from markets import determine, make_store
from mtok.archive import Store
from mtok.canonical import canonical_bytes
from parcels import (
    SAMPLE,
    SOURCE,
    Edition,
    Files,
    Publication,
    Signer,
    checkpoint,
    digest,
    note,
    path_hashes,
    proof,
    resigned,
    sample_publication,
    sealed,
    sums,
    tiles,
    tree_hash,
    write,
)

VERIFIER = SOURCE / "publication" / "parcel" / "verify.py"
KEY, OTHER = Signer(1), Signer(2)
Record = dict[str, Any]
Edit = Callable[[Record], object]


def _loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("standalone_verify", VERIFIER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


verify = _loaded()


def failures(path: Path, key: Signer = KEY) -> list[str]:
    """Return the checks that failed, a line each: check, place, what was found."""
    report, _ = verify.check_path(str(path), verify.parse_key(key.vkey))
    assert report.lines
    return [f"{line.check} | {line.place} | {line.found}" for line in report.lines if not line.ok]


@pytest.fixture(scope="module")
def sample(
    collected_sample: Callable[[Path], Store], tmp_path_factory: pytest.TempPathFactory
) -> Publication:
    return sample_publication(collected_sample(tmp_path_factory.mktemp("sample") / "store"))


@pytest.fixture(scope="module")
def small(sample: Publication) -> Publication:
    """Three editions of three dates, of the same store."""
    publication = Publication(sample.store)
    first = Edition("2026-06-20T03:00:00Z", "backfill", "2026-06-17", "2026-06-18", "2026-06-20T02:00:00Z")
    for edition in (first, *SAMPLE[1:3]):
        publication.publish(edition)
    return publication


@pytest.fixture(scope="module")
def parcel(sample: Publication) -> Files:
    """A day with everything: Qwen after nine others, with a move, an entry or exit, and a row left out."""
    return sample.parcel("qwen", "2026-06-19", 2)


def the_record(files: Files) -> Record:
    found: Record = json.loads(files["record.json"])
    return found


# ---- alone


def run(path: Path, *options: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a copy of the file in an empty folder, without site-packages and environment."""
    copied = shutil.copy(VERIFIER, folder / "verify.py")
    return subprocess.run(
        [sys.executable, "-I", "-S", "-W", "error", copied, str(path), *options],
        env={},
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def test_it_imports_nothing_but_the_standard_library_and_no_network() -> None:
    tree = ast.parse(VERIFIER.read_text("utf-8"), feature_version=(3, 9))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name for node in imports if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in imports if isinstance(node, ast.ImportFrom)}
    tops = {name.split(".")[0] for name in names}
    assert tops <= sys.stdlib_module_names
    assert not tops & {"socket", "ssl", "urllib", "http", "subprocess", "ctypes", "tomllib"}


@pytest.mark.parametrize(
    ("series", "date", "vintage"),
    [
        ("openai", "2026-06-10", 0),
        ("qwen", "2026-06-19", 0),
        ("anthropic", "2026-06-19", 1),
        ("deepseek", "2026-06-19", 2),
        ("openai", "2026-06-19", 3),
        ("google-gemini", "2026-06-20", 0),
        ("moonshot", "2026-06-26", 0),
    ],
)
def test_a_parcel_is_good_as_a_folder_and_as_a_zip(
    sample: Publication, tmp_path: Path, series: str, date: str, vintage: int
) -> None:
    files = sample.parcel(series, date, vintage)
    folder = write(files, tmp_path / "parcel")
    assert not failures(folder)
    with zipfile.ZipFile(tmp_path / "parcel.zip", "w") as packed:
        for path, raw in sorted(files.items()):
            packed.writestr(path, raw)
    done = run(tmp_path / "parcel.zip", "--key", KEY.vkey, "--json", folder=tmp_path)
    page = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert page["ok"]
    assert page["key_given"]
    assert {line["check"].split(" (")[0] for line in page["checks"]} >= {
        "in the log",
        "value",
        "move",
        "quality",
    }


def test_without_a_key_it_says_what_that_does_not_show(parcel: Files, tmp_path: Path) -> None:
    folder = write(parcel, tmp_path / "parcel")
    shutil.copy(VERIFIER, folder / "verify.py")
    command = [sys.executable, "-I", "-S", "-B", str(folder / "verify.py")]
    done = subprocess.run(command, env={}, cwd=tmp_path, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0
    assert "ATTENTION: no key was given" in done.stdout
    given = run(folder, "--key", KEY.vkey, folder=tmp_path)
    assert given.returncode == 0
    assert "ATTENTION" not in given.stdout
    assert the_record(parcel)["value"] in given.stdout
    assert len(given.stdout.splitlines()) < 40


def test_a_console_with_few_characters(parcel: Files, tmp_path: Path) -> None:
    folder, copied = write(parcel, tmp_path / "parcel"), shutil.copy(VERIFIER, tmp_path / "verify.py")
    command = [sys.executable, copied, str(folder)]
    done = subprocess.run(command, env={"PYTHONIOENCODING": "ascii"}, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii()


def test_another_key_fails_and_a_bad_call_is_told_from_a_failure(parcel: Files, tmp_path: Path) -> None:
    folder = write(parcel, tmp_path / "parcel")
    wrong = run(folder, "--key", OTHER.vkey, folder=tmp_path)
    assert wrong.returncode == 1
    assert "FAIL  in the log (RFC 6962, Ed25519): proof.tlog-proof" in wrong.stdout
    assert "the vkey beside it is another than the one given" in wrong.stdout
    same_hint = KEY.vkey[:-6] + "AAAAA="
    for options in (["--key", "nonsense"], ["--key", same_hint], ["--unknown"]):
        done = run(folder, *options, folder=tmp_path)
        assert done.returncode == 2, options
        assert "Traceback" not in done.stderr
    assert run(tmp_path / "nowhere", folder=tmp_path).returncode == 2


def test_a_publication_is_good(sample: Publication, tmp_path: Path) -> None:
    folder = write(sample.files, tmp_path / "publication")
    done = run(folder, "--key", KEY.vkey, "--json", folder=tmp_path)
    page = json.loads(done.stdout)
    assert [line for line in page["checks"] if not line["ok"]] == []
    assert done.returncode == 0
    assert sum(line["check"] == "value (R-8.1)" for line in page["checks"]) == 90


# ---- one flipped bit


def _flipped(raw: bytes, random: Random) -> bytes:
    at = random.randrange(len(raw))
    return raw[:at] + bytes([raw[at] ^ 1 << random.randrange(8)]) + raw[at + 1 :]


def test_any_flipped_bit_of_a_parcel_is_found_at_its_place(parcel: Files, tmp_path: Path) -> None:
    """But for rulebook.md, which nothing that is signed names."""
    folder, random = write(parcel, tmp_path / "parcel"), Random(1)
    paths = sorted(parcel.keys() - {"rulebook.md"})
    for trial in range(260):
        path = paths[trial % len(paths)]
        (folder / path).write_bytes(_flipped(parcel[path], random))
        found = failures(folder)
        place = path.rsplit("/", 1)[0] if "/rules/" in path else path
        assert any(place in line for line in found), (trial, path, found)
        (folder / path).write_bytes(parcel[path])
    assert not failures(folder)


def test_any_flipped_bit_of_a_publication_is_found(small: Publication, tmp_path: Path) -> None:
    folder, random = write(small.files, tmp_path / "publication"), Random(2)
    paths = sorted(small.files)
    for path in [*random.sample(paths, 30), "SHA256SUMS", "log/checkpoint", "vkey"]:
        (folder / path).write_bytes(_flipped(small.files[path], random))
        assert failures(folder), path
        (folder / path).write_bytes(small.files[path])
    assert not failures(folder)


# ---- well-signed lies


def _more(text: str) -> str:
    """Return a decimal with its last digit changed."""
    return text[:-1] + str((int(text[-1]) + 1) % 10)


def _set(*path: str | int, to: Callable[[Any], Any] = _more) -> Edit:
    def edit(record: Record) -> None:
        place: Any = record
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = to(place[path[-1]])

    return edit


def _cause(record: Record) -> None:
    row = next(row for row in record["move"]["constituents"] if "cause" in row)
    row["cause"] = "missing"


def _dropped(record: Record) -> None:
    """Leave a constituent out and make N, W and the value follow, as a careful liar would."""
    row = record["constituents"].pop(0)
    w, n = (
        int(record["w"]) - int(row["tokens"]),
        int(record["n"]) - int(row["tokens"]) * int(row["price_seconds"]),
    )
    record |= {"w": str(w), "n": str(n), "value": verify.rounded(Fraction(n, w * verify.SECONDS), 6)}


LIES: dict[str, tuple[Edit, str]] = {
    "value": (_set("value"), "value (R-8.1) | record.json | value is"),
    "n": (_set("n"), "value (R-8.1) | record.json | n is"),
    "w": (_set("w"), "value (R-8.1) | record.json | w is"),
    "no value": (lambda record: record.pop("value"), "value (R-8.1)"),
    "constituent dropped": (_dropped, "posted prices | record.json | row of qwen/"),
    "constituent twice": (
        lambda record: record["constituents"].append(record["constituents"][0]),
        "rows (R-6",
    ),
    "share": (
        _set("constituents", 0, "weight_share"),
        "rows (R-6 to R-8) | record.json | weight_share of qwen/",
    ),
    "contribution": (
        _set("constituents", 1, "contribution_usd_per_mtok"),
        "rows (R-6 to R-8) | record.json | contrib",
    ),
    "price": (
        _set("constituents", 0, "price_usd_per_mtok"),
        "rows (R-6 to R-8) | record.json | price of qwen/",
    ),
    "rung": (_set("constituents", 0, "rung", to=lambda _: "fallback"), "captures (R-0, R-6)"),
    "age": (_set("constituents", 0, "age_days", to=lambda _: "3"), "captures (R-0, R-6)"),
    "average": (_set("average_7d"), "averages (R-8.2) | record.json | average_7d is"),
    "days of an average": (_set("average_30d_days"), "averages (R-8.2) | record.json | average_30d_days is"),
    "index": (_set("price_index"), "index and notes (R-8.3, R-10) | record.json | price_index is"),
    "exact index": (
        _set("price_index_exact", to=lambda text: text[:3] + ".1"),
        "index and notes (R-8.3, R-10)",
    ),
    "note": (
        _set("notes", to=lambda _: ["weak_link"]),
        "index and notes (R-8.3, R-10) | record.json | notes is",
    ),
    "quality": (_set("quality", to=lambda _: "good"), "quality (R-10) | record.json | quality is"),
    "reasons": (_set("reasons", to=lambda _: []), "quality (R-10) | record.json | reasons is"),
    "change": (_set("move", "change"), "move (R-11) | record.json | move.change is"),
    "price effect": (_set("move", "price"), "move (R-11) | record.json | move.price is"),
    "mix effect": (_set("move", "mix"), "move (R-11) | record.json | move.mix is"),
    "factor": (_set("move", "factors", "mix"), "move (R-11) | record.json | move.factors is"),
    "effect of one": (_set("move", "constituents", 0, "mix"), "move (R-11) | record.json | move of qwen/"),
    "cause": (_cause, "move (R-11) | record.json | move of qwen/"),
    "one moved out": (
        _set("move", "constituents", to=lambda rows: rows[1:]),
        "move (R-11) | record.json | move.constit",
    ),
    "from another day": (
        _set("move", "from_date", to=lambda _: "2026-06-17"),
        "move (R-11) | record.json | move.from_date",
    ),
    "from another digest": (_set("move", "from_sha256", to=lambda _: digest(b"")), "move (R-11)"),
    "no move": (lambda record: record.pop("move"), "move (R-11)"),
    "earlier digest": (_set("earlier", 0, "sha256", to=lambda _: digest(b"")), "earlier records (R-0)"),
    "earlier out": (_set("earlier", to=lambda rows: rows[:-1]), "move (R-11)"),
    "seen earlier": (_set("as_of", to=lambda _: "2026-06-20T01:00:00Z"), "captures (R-0, R-6)"),
    "known before seen": (
        _set("known_at", to=lambda _: "2026-06-19T00:00:00Z"),
        "record | record.json | known_at",
    ),
    "count of captures": (_set("inputs", "seen", 0, "captures"), "captures (R-0, R-6)"),
    "a capture's place": (
        _set("inputs", "captures", 0, "captured_at", to=lambda _: "2026-06-19T00:00:01Z"),
        "captures (R-0",
    ),
    "a capture more": (
        lambda record: record["inputs"]["captures"].append(record["inputs"]["captures"][-1] | {"id": "c99"}),
        "captures (R-0, R-6) | record.json | c99 is beyond",
    ),
    "a day of captures out": (_set("inputs", "seen", to=lambda days: days[1:]), "captures (R-0, R-6)"),
    "rankings of the day": (
        _set("inputs", "rankings", "as_of", to=lambda _: "2026-06-19T23:00:00Z"),
        "captures (R-0",
    ),
    "observations": (_set("observations", "sha256", to=lambda _: digest(b"")), "digest of the observations"),
    "prices": (_set("prices", "sha256", to=lambda _: digest(b"")), "posted prices"),
    "policy": (_set("policy_sha256", to=lambda _: digest(b"")), "digest of the policy"),
    "rules": (_set("rules_sha256", to=lambda _: digest(b"")), "digests of rules and parameters"),
    "parameters": (_set("parameters_sha256", to=lambda _: digest(b"")), "digests of rules and parameters"),
    "vintage": (_set("vintage", to=lambda _: "7"), "record | record.json | supersedes is"),
    "stage": (_set("stage", to=lambda _: "prelim"), "posted prices | record.json | stage of the table"),
    "stage unknown": (
        _set("stage", to=lambda _: "settled"),
        "record | record.json | record.stage is settled",
    ),
    "volume source": (
        _set("volume_source", to=lambda _: "acme"),
        "quality (R-10) | record.json | volume_source",
    ),
}


@pytest.mark.parametrize("name", LIES)
def test_a_lie_that_is_properly_signed_is_found_at_its_place(
    parcel: Files, tmp_path: Path, name: str
) -> None:
    edit, expected = LIES[name]
    record = the_record(parcel)
    edit(record)
    found = failures(write(resigned(parcel, record, KEY), tmp_path))
    assert any(line.startswith(expected) for line in found), found


def test_a_parcel_that_is_signed_again_without_a_lie_is_good(parcel: Files, tmp_path: Path) -> None:
    assert not failures(write(resigned(parcel, the_record(parcel), KEY), tmp_path))


def test_every_diagnostic_is_checked_or_said_to_be_taken(sample: Publication, tmp_path: Path) -> None:
    parcel = sample.parcel("openai", "2026-06-19", 1)
    said = the_record(parcel)["diagnostics"]
    assert {name.rstrip("?") for name in verify.DIAGNOSTICS} - {"first_party_gap"} == said.keys()
    write(parcel, tmp_path)
    for name in said.keys() - {*verify.TAKEN, "weight_basis"}:
        record = the_record(parcel)
        record["diagnostics"][name] = _more(said[name])
        found = failures(write(resigned(parcel, record, KEY), tmp_path))
        assert any(
            line.startswith(f"diagnostics (R-9) | record.json | diagnostics.{name} is") for line in found
        ), name
        record["diagnostics"].pop(name)
        assert failures(write(resigned(parcel, record, KEY), tmp_path)), name


def test_a_field_no_document_has_is_said_and_does_not_fail(parcel: Files, tmp_path: Path) -> None:
    record = the_record(parcel) | {"novelty": "yes"}
    report, _ = verify.check_path(
        str(write(resigned(parcel, record, KEY), tmp_path)), verify.parse_key(KEY.vkey)
    )
    assert all(line.ok for line in report.lines)
    assert any("does not know: novelty" in remark for remark in report.remarks)


@pytest.mark.parametrize(
    "field", ["value", "time", "series", "quality", "record_sha256", "rules_sha256", "supersedes", "type"]
)
def test_an_entry_that_says_something_else_than_the_record(parcel: Files, tmp_path: Path, field: str) -> None:
    entry = json.loads(parcel["entry.json"])
    entry[field] = (
        "prices" if field == "type" else digest(b"") if "sha256" in field else _more(entry[field] + "0")
    )
    if field == "time":
        entry[field] = "2026-06-20T18:31:00Z"
    raw = canonical_bytes(entry)
    files = parcel | {"entry.json": raw, "proof.tlog-proof": proof(0, [raw, b"x"], KEY)}
    assert any("entry.json" in line for line in failures(write(files, tmp_path)))


def test_proofs_that_prove_something_else(sample: Publication, parcel: Files, tmp_path: Path) -> None:
    mine = proof(1, [b"a", parcel["entry.json"], b"c"], KEY)
    hashes, _, head = mine.partition(b"\n\n")
    older = checkpoint([b"a", parcel["entry.json"]], KEY)
    forged = head.replace(b"\n3\n", b"\n4\n")
    other_note = note(b"another text\n", KEY).partition(b"\n\n")[2]
    cases = {
        "of another entry": sample.files["proofs/qwen/2026-06-19.1.tlog-proof"],
        "of another series": sample.files["proofs/openai/2026-06-19.2.tlog-proof"],
        "old checkpoint": hashes + b"\n\n" + older,
        "another size": hashes + b"\n\n" + forged,
        "signature of another note": hashes + b"\n\n" + head.partition(b"\n\n")[0] + b"\n\n" + other_note,
        "another key": proof(1, [b"a", parcel["entry.json"], b"c"], OTHER),
        "another name": proof(1, [b"a", parcel["entry.json"], b"c"], Signer(1, "elsewhere.org")),
        "another origin": hashes
        + b"\n\n"
        + note(head.partition(b"\n\n")[0].replace(b"mtok", b"mtuk") + b"\n", KEY),
        "another index": mine.replace(b"index 1", b"index 0"),
        "index with a zero": mine.replace(b"index 1", b"index 01"),
        "a hash less": mine.replace(mine.splitlines(keepends=True)[2], b""),
        "a hash more": mine.replace(b"index 1\n", b"index 1\n" + mine.splitlines(keepends=True)[2]),
        "another version": mine.replace(b"@v1", b"@v2"),
        "no signature": hashes + b"\n\n" + head.partition(b"\n\n")[0] + b"\n\n",
        "carriage returns": mine.replace(b"\n", b"\r\n"),
        "signed twice": mine + mine.splitlines(keepends=True)[-1],
    }
    write(parcel | {"proof.tlog-proof": mine}, tmp_path)
    assert not failures(tmp_path)
    for name, raw in cases.items():
        (tmp_path / "proof.tlog-proof").write_bytes(raw)
        found = failures(tmp_path)
        assert any(line.startswith("in the log (RFC 6962, Ed25519) | proof.tlog-proof") for line in found), (
            name
        )
    unknown = mine.replace(b"\xe2\x80\x94", "— witness.example AAAAAAAA\n—".encode())
    (tmp_path / "proof.tlog-proof").write_bytes(unknown)
    assert not failures(tmp_path), "signatures of unknown keys are ignored"


def test_a_list_with_a_capture_after_as_of(parcel: Files, tmp_path: Path) -> None:
    for change, expected in (
        ({"captured_at": "2026-06-20T18:00:01Z"}, "a capture after as_of"),
        ({"captured_at": "2026-06-21T01:00:00Z"}, "a capture of another day"),
        ({"captured_at": "2026-06-20T00:00:00Z"}, "not in order of time"),
    ):
        record = the_record(parcel)
        seen = record["inputs"]["seen"][-1]
        rows = json.loads(parcel[f"captures/{seen['date']}/{seen['sha256']}.json"])
        raw = canonical_bytes([*rows, rows[-1] | change])
        seen |= {"sha256": digest(raw), "captures": str(len(rows) + 1)}
        files = parcel | {f"captures/{seen['date']}/{digest(raw)}.json": raw}
        found = failures(write(resigned(files, record, KEY), tmp_path))
        assert any(line.startswith("captures (R-0, R-6)") and expected in line for line in found), (
            expected,
            found,
        )


def test_a_missing_file_is_named(parcel: Files, tmp_path: Path) -> None:
    write(parcel, tmp_path)
    for path in sorted(parcel.keys() - {"rulebook.md"}):
        (tmp_path / path).unlink()
        found = failures(tmp_path)
        assert any((path.rsplit("/", 1)[0] if "/rules/" in path else path) in line for line in found), path
        write({path: parcel[path]}, tmp_path)


def test_another_vintage_among_the_earlier_ones(sample: Publication, tmp_path: Path) -> None:
    files = sample.parcel("qwen", "2026-06-20", 0)
    files["earlier/2026-06-19.json"] = sample.files["records/qwen/2026-06-19.1.json"]
    assert any(
        "earlier record of 2026-06-19: determination_sha256" in line
        for line in failures(write(files, tmp_path))
    )


# ---- hostile content


HOSTILE = {
    "nothing": b"",
    "no JSON": b"{",
    "no UTF-8": b'{"a":"\xff"}',
    "surrogate": b'{"a":"\\ud800"}',
    "a list": b"[]",
    "a text": b'"a"',
    "a number": b"7",
    "null": b"null",
    "deep": b"[" * 200_000 + b"]" * 200_000,
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "bomb": b"PK\x05\x06" + bytes(18),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes_in_the_place_of_every_file(
    parcel: Files, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(parcel, tmp_path)
    for path in (
        "record.json",
        "entry.json",
        "proof.tlog-proof",
        "prices.json",
        "vkey",
        "earlier/2026-06-10.json",
    ):
        (tmp_path / path).write_bytes(HOSTILE[name])
        assert verify.main([str(tmp_path), "--key", KEY.vkey]) == 1
        assert f"FAIL  {'' if path != 'vkey' else 'public key'}" in capsys.readouterr().out, path
        write({path: parcel[path]}, tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"w":"', b'"w":"1","w":"'),
        (b'"series":', b'"series":NaN,"zeries":'),
        (b'"vintage":"2"', b'"vintage":2'),
        (b'"vintage":"2"', b'"vintage":"' + b"9" * 10_000 + b'"'),
        (b'"vintage":"2"', b'"vintage":' + b"9" * 100_000),
        (b'"vintage":"2"', b'"vintage":"-2"'),
        (b'"vintage":"2"', '"vintage":"２"'.encode()),
        (b'"vintage":"2"', b'"vintage":true'),
        (b'"vintage":"2"', b'"vintage":null'),
        (b'"vintage":"2"', b'"vintage":["2"]'),
        (b'"date":"2026-06-19"', b'"date":"2026-06-31"'),
        (b'"known_at":"2026-06-20T18', b'"known_at":"2026-06-20T28'),
        (b'"unit":"USD', b'"unit":"\x1b[31mUSD'),
        (b'"price_seconds":"', b'"price_seconds":"-'),
        (b'"price_seconds":"', b'"price_seconds":"0","tokens":"0","x":"'),
        (b'"tokens":"', b'"tokens":"0'),
        (b'"rung":"direct"', b'"rung":"gift"'),
        (b'"price_index_exact":"', b'"price_index_exact":"1e'),
        (b'{"absent"', b'{ "absent"'),
        (b'"path":"prices/', b'"path":"../prices/'),
    ],
)
def test_hostile_fields_of_a_record(
    parcel: Files, tmp_path: Path, old: bytes, new: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = parcel["record.json"].replace(old, new, 1)
    assert raw != parcel["record.json"]
    write(parcel | {"record.json": raw}, tmp_path)
    assert verify.main([str(tmp_path), "--key", KEY.vkey]) == 1
    page = capsys.readouterr().out
    assert "FAIL" in page
    assert page.replace("\n", "").isprintable()
    assert max(map(len, page.splitlines())) < 600


def test_hostile_zips(parcel: Files, tmp_path: Path) -> None:
    def packed(**more: bytes) -> Path:
        path = tmp_path / "parcel.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, raw in (parcel | more).items():
                archive.writestr(name, raw)
        return path

    assert not failures(packed())
    for name in ("../outside", "/absolute", "a/../b", "a//b", "back\\slash", "colon:", ".", "c" * 400):
        assert any("a path in the zip" in line for line in failures(packed(**{name: b"x"}))), name
    assert any("unpacked" in line for line in failures(packed(bomb=bytes(300 * 2**20))))
    path = packed()
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("record.json", b"{}")
    assert any("twice in the zip" in line for line in failures(path))
    raw = packed().read_bytes()
    random = Random(3)
    for _ in range(20):
        path.write_bytes(raw[: random.randrange(len(raw))])
        assert failures(path)
    for _ in range(20):
        path.write_bytes(_flipped(raw, random))
        failures(path)


def test_what_is_no_regular_file_is_not_read(parcel: Files, tmp_path: Path) -> None:
    write(parcel, tmp_path)
    for make in (os.mkfifo, lambda path: path.symlink_to("/etc/passwd"), lambda path: path.mkdir()):
        path = tmp_path / "record.json"
        path.unlink()
        make(path)
        assert any("record.json is no regular file" in line for line in failures(tmp_path))
        path.rmdir() if path.is_dir() else path.unlink()
        write({"record.json": parcel["record.json"]}, tmp_path)
    assert not failures(tmp_path)
    assert any("no zip" in line for line in failures(tmp_path / "record.json"))


# ---- a publication


def _entry(publication: Publication, kind: str, **fields: str) -> int:
    wanted = {"type": kind, **fields}
    return next(i for i, entry in enumerate(publication.logged) if wanted.items() <= entry.items())


def _log_with(publication: Publication, index: int, **changed: str) -> list[bytes]:
    entries = list(publication.entries)
    entries[index] = canonical_bytes(publication.logged[index] | changed)
    return entries


def test_a_publication_that_is_sealed_again_without_a_change_is_the_same(small: Publication) -> None:
    assert sealed(small.files, small.entries, KEY) == small.files


def test_logs_that_are_properly_signed_and_wrong(small: Publication, tmp_path: Path) -> None:
    entries = small.entries
    point, asof = _entry(small, "point", date="2026-06-19"), _entry(small, "asof")
    twice = [*entries[: point + 1], *entries[point:]]
    swapped = [*entries[:point], entries[point + 1], entries[point], *entries[point + 2 :]]
    cases: dict[str, tuple[list[bytes], str]] = {
        "doubled vintage": (twice, "vintages and as-of tables | log/ | entry"),
        "vintage": (_log_with(small, point, vintage="5"), "vintages and as-of tables"),
        "order of series": (swapped, "order of entries | log/ | entry"),
        "no method": (entries[1:], "order of entries | log/ | type of the first entry"),
        "value": (
            _log_with(small, point, value="1.000000"),
            "entry and record agree | records/openai/2026-06-19.1",
        ),
        "as-of digest": (_log_with(small, asof, sha256=digest(b"")), "vintages and as-of tables"),
        "as-of count": (_log_with(small, asof, vintages="3"), "vintages and as-of tables"),
        "time of one": (_log_with(small, point, time="2026-06-20T14:00:21Z"), "order of entries"),
        "rows of prices": (_log_with(small, _entry(small, "prices"), constituents="1"), "files of entries"),
        "raw": (_log_with(small, _entry(small, "raw"), captures="2"), "files of entries"),
        "rulebook": (_log_with(small, 0, rulebook_sha256=digest(b"")), "files of entries"),
        "other rules": (_log_with(small, 0, rules_sha256=digest(b"")), "files of entries"),
        "a field of another kind": (_log_with(small, point, date="yesterday"), "entries and keys"),
        "no JSON": ([*entries[:3], b"{", *entries[4:]], "entries and keys | log/ | entry 3"),
        "a key twice": (
            [*entries[:3], b'{"v":"1","v":"1"}', *entries[4:]],
            "entries and keys | log/ | entry 3",
        ),
        "without its end": (entries[:-1], "entries and keys"),
    }
    for name, (log, expected) in cases.items():
        try:
            files = sealed(small.files, log, KEY)
        except (ValueError, KeyError):
            files = small.files | {"log/checkpoint": checkpoint(log, KEY)} | tiles(log)
        if name == "without its end":
            files = small.files | {"log/checkpoint": checkpoint(log, KEY)} | tiles(log)
        found = failures(write(files, tmp_path / name))
        assert any(line.startswith(expected) for line in found), (name, found[:5])


def test_time_that_does_not_rise(small: Publication, tmp_path: Path) -> None:
    first = _entry(small, "asof")
    log = [canonical_bytes(entry | {"time": "2026-06-20T06:00:20Z"}) for entry in small.logged[: first + 1]]
    found = failures(write(sealed(small.files, log + small.entries[first + 1 :], KEY), tmp_path))
    assert any(line.startswith("order of entries") and "does not rise" in line for line in found)


def test_files_of_a_publication_that_were_changed_with_its_sums(small: Publication, tmp_path: Path) -> None:
    """By somebody who has the key: what the log holds fast shows it nevertheless."""
    size = len(small.entries)
    record = "records/qwen/2026-06-19.1.json"
    lied = the_record({"record.json": small.files[record]}) | {"value": "1.000000"}
    ends = [index + 1 for index, entry in enumerate(small.logged) if entry["type"] == "asof"]
    old = small.entries[: ends[0]]
    cases: dict[str, tuple[Files, str]] = {
        "record": ({record: canonical_bytes(lied)}, f"record | {record} | determination_sha256"),
        "record unlogged": ({"records/qwen/2026-06-19.9.json": b"{}"}, "nothing unlogged"),
        "proof unlogged": ({"proofs/qwen/2026-06-19.9.tlog-proof": b"{}"}, "nothing unlogged"),
        "old checkpoint": ({"log/checkpoint": checkpoint(old, KEY)}, "heads | log/heads/"),
        "head": ({f"log/heads/{size}": f"{size} ".encode() + b"A" * 43 + b"=\n"}, "heads | log/heads/"),
        "head more": ({"log/heads/7": b"7 x\n"}, "heads | log/heads/"),
        "tile": ({f"log/tile/0/000.p/{size}": bytes(32 * size)}, "checkpoint and tiles"),
        "tile of nothing": ({"log/tile/0/001.p/3": bytes(96)}, "checkpoint and tiles"),
        "tile unlike any": ({"log/tile/0/x": b""}, "checkpoint and tiles"),
        "bundle": ({f"log/tile/entries/000.p/{size}": bytes(9)}, "entries and keys"),
        "proof of another": (
            {"proofs/qwen/2026-06-19.1.tlog-proof": small.files["proofs/qwen/2026-06-19.0.tlog-proof"]},
            "proofs | proofs/qwen/2026-06-19.1.tlog-proof",
        ),
        "newer checkpoint in a proof": (
            {
                "proofs/qwen/2026-06-18.0.tlog-proof": proof(
                    _entry(small, "point", date="2026-06-18", series="qwen"), small.entries, KEY
                )
            },
            "proofs | proofs/qwen/2026-06-18.0.tlog-proof",
        ),
        "observations": (
            {"observations/2026-06-19.parquet": b"x"},
            "digest of the observations | records/openai/2026-06-19.1",
        ),
        "rules": ({"methodology/1.0/rules/99_more.sql": b"x"}, "digests of rules and parameters"),
    }
    for name, (changed, expected) in cases.items():
        files = small.files | changed
        files["SHA256SUMS"] = sums(files, KEY)
        found = failures(write(files, tmp_path / name))
        assert any(line.startswith(expected) for line in found), (name, found[:5])


def test_sums(small: Publication, tmp_path: Path) -> None:
    listed = small.files["SHA256SUMS"].partition(b"\n\n")[0].splitlines(keepends=True)
    cases = {
        "other key": sums(small.files, OTHER),
        "line less": note(b"".join(listed[1:]), KEY),
        "line more": note(b"".join(listed) + f"\n{digest(b'')}  zzz\n".encode(), KEY),
        "not sorted": note(b"".join(listed[::-1]) + b"\n", KEY),
        "twice": note(listed[0] + b"".join(listed) + b"\n", KEY),
        "outside": note(f"{digest(b'')}  ../x\n".encode(), KEY),
        "unsigned": small.files["SHA256SUMS"].partition(b"\n\n")[0],
    }
    folder = write(small.files, tmp_path)
    for name, raw in cases.items():
        (folder / "SHA256SUMS").write_bytes(raw)
        assert [line.split(" | ")[0] for line in failures(folder)] == ["sums"], name
    write(small.files, folder)
    (folder / "series").mkdir()
    (folder / "series" / "extra.csv").write_bytes(b"x")
    [line] = failures(folder)
    assert "not listed: series/extra.csv" in line


def test_a_key_that_was_replaced(sample: Publication, tmp_path: Path) -> None:
    publication = Publication(sample.store)
    for edition in SAMPLE[1:3]:
        if edition is SAMPLE[2]:
            publication.rotate("2026-06-20T10:00:00Z", OTHER)
        publication.publish(edition)
    folder = write(publication.files, tmp_path / "good")
    for key in (KEY, OTHER):
        assert not failures(folder, key), "whoever holds either key follows the log"
    assert any("other keys than the one given" in line for line in failures(folder, Signer(3)))
    rotation = _entry(publication, "notice")
    for name, changed in {
        "old signature": {"old_signature": publication.logged[rotation]["new_signature"]},
        "new signature": {"new_signature": publication.logged[rotation]["old_signature"]},
        "no signature": {"new_signature": ""},
        "new key": {"new_key": Signer(3).vkey},
    }.items():
        files = sealed(publication.files, _log_with(publication, rotation, **changed), OTHER)
        assert any(
            line.startswith("entries and keys") for line in failures(write(files, tmp_path / name), OTHER)
        ), name
    old_again = publication.files | {"log/checkpoint": checkpoint(publication.entries, KEY)}
    assert any("checkpoint" in line for line in failures(write(old_again, tmp_path / "old"), KEY))


# ---- the arithmetic against the program's, on markets of every kind


def test_the_arithmetic_agrees_with_the_program_on_generated_markets(tmp_path: Path) -> None:
    raw = (SOURCE / "methodology" / "v1" / "parameters" / "1.0.toml").read_bytes()
    parameters, reached = verify.parameters_of(raw), set()
    for seed in range(8):
        store = make_store(tmp_path / str(seed), market(seed))
        found = determine(store, first_day=FIRST_DAY, last_day=FIRST_DAY + DAYS - 1)
        by_series: dict[str, dict[str, Record]] = {}
        for (series, date), record in sorted(found.items()):
            said = json.loads(record.canonical) | {"determination_sha256": record.sha256}
            force = by_series.setdefault(series, {})
            earlier = {one["date"]: force[one["date"]] for one in said.get("earlier", [])}
            before = verify.printed_before(earlier)
            verify.check_rows(said)
            verify.check_value(said)
            verify.check_averages(said, earlier, parameters)
            verify.check_index(said, before, parameters)
            verify.check_diagnostics(said, parameters)
            verify.check_quality(said, parameters)
            verify.check_move(said, before, parameters)
            verify.check_rungs(said, {one["id"]: one for one in said["inputs"]["captures"]})
            verify.check_complete(said, force)
            force[date] = said
            reached |= {said["quality"], *said["reasons"], *said["notes"], *said.get("move", {})}
            reached |= {row["rung"] for row in said["constituents"]} | {"conflicts"} & said.keys()
    qualities, notes = {"good", "degraded", "estimated", "withheld"}, {"jump", "weak_link", "no_link"}
    assert (
        qualities | notes | {"direct", "fallback", "carried", "launch", "replacement", "conflicts"} <= reached
    )


def test_parameters_are_read_as_toml_has_them() -> None:
    raw = (SOURCE / "methodology" / "v1" / "parameters" / "1.0.toml").read_bytes()
    expected = {}
    for section, entries in tomllib.loads(raw.decode()).items():
        for name, entry in entries.items() if isinstance(entries, dict) else ():
            value = entry["value"]
            if isinstance(value, int) or all(isinstance(part, int) for part in value):
                expected[f"{section}.{name}"] = value if isinstance(value, int) else Fraction(*value)
    assert verify.parameters_of(raw) == expected


# ---- Ed25519 and the tree, with others' numbers

RFC_8032 = [  # section 7.1: public key, message, signature; re-typed
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe"
        "24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302a"
        "eeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed2"
        "8dc027beceea1ec40a",
    ),
    (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        hashlib.sha512(b"abc").hexdigest(),
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac1"
        "7ad9bef1177331a704",
    ),
]
PRIME, ORDER = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493


@pytest.mark.parametrize(("key", "message", "signature"), RFC_8032)
def test_signatures_of_rfc_8032(key: str, message: str, signature: str) -> None:
    public, text, signed = (bytes.fromhex(part) for part in (key, message, signature))
    assert verify.verifies(public, text, signed)
    assert not verify.verifies(public, text + b"x", signed)
    random = Random(4)
    for _ in range(12):
        assert not verify.verifies(public, text, _flipped(signed, random))
        assert not verify.verifies(_flipped(public, random), text, signed)


def test_signatures_that_a_lax_verifier_would_take() -> None:
    public, text, signed = (bytes.fromhex(part) for part in RFC_8032[1])
    scalar = int.from_bytes(signed[32:], "little")
    assert not verify.verifies(public, text, signed[:32] + (scalar + ORDER).to_bytes(32, "little"))
    assert not verify.verifies(public, text, signed[:63])
    assert not verify.verifies(public[:31], text, signed)
    neutral = (1).to_bytes(32, "little")
    of_order_8 = bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")
    assert verify.point_of(of_order_8) is not None
    for key in (neutral, of_order_8):
        assert not verify.verifies(key, text, neutral + bytes(32))
    assert not verify.verifies(public, text, neutral + signed[32:])


def test_points_have_one_encoding() -> None:
    for y in range(19):
        assert verify.point_of((PRIME + y).to_bytes(32, "little")) is None
    assert verify.point_of((1).to_bytes(32, "little")) == (0, 1, 1, 0)
    assert verify.point_of((1 | 1 << 255).to_bytes(32, "little")) is None
    assert verify.point_of((2).to_bytes(32, "little")) is None


RFC_6962 = [  # the eight leaves and roots that implementations of Certificate Transparency share; re-typed
    ("", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
    ("00", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
    ("10", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
    ("2021", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
    ("3031", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
    ("40414243", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"),
    ("5051525354555657", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
    ("606162636465666768696a6b6c6d6e6f", "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
]


def test_roots_of_rfc_6962() -> None:
    leaves = [bytes.fromhex(leaf) for leaf, _ in RFC_6962]
    for size, (_, root) in enumerate(RFC_6962, 1):
        assert verify.tree_root([verify.leaf_hash(leaf) for leaf in leaves[:size]]).hex() == root
        assert tree_hash(leaves[:size]).hex() == root
    assert verify.tree_root([]) == hashlib.sha256().digest()


def test_inclusion_proofs_hold_for_their_entry_alone() -> None:
    for size in range(1, 34):
        entries = [bytes([number]) for number in range(size)]
        for index in range(size):
            path, root, leaf = (
                path_hashes(index, entries),
                tree_hash(entries),
                verify.leaf_hash(entries[index]),
            )
            assert verify.root_by_proof(leaf, index, size, path) == root
            wrong = [(other, size, path) for other in range(size + 1) if other != index]
            wrong += [(index, size, path[:-1]), (index, size, [*path, root])]
            for case in wrong:
                try:
                    assert verify.root_by_proof(leaf, *case) != root or case[2] == path == []
                except verify.Refused:
                    continue


def test_a_log_of_more_than_one_tile(tmp_path: Path) -> None:
    assert verify.tile_path("0", 1234067, 256) == "log/tile/0/x001/x234/067"
    assert verify.tile_path("entries", 999, 17) == "log/tile/entries/999.p/17"
    entries = [f"entry {number}".encode() for number in range(600)]
    files = tiles(entries) | {"log/checkpoint": checkpoint(entries, KEY)}
    assert {
        "log/tile/0/001",
        "log/tile/0/002.p/88",
        "log/tile/1/000.p/2",
        "log/tile/entries/002.p/88",
    } <= files.keys()
    log = verify.Log(entries, [], [600], [(0, verify.parse_key(KEY.vkey))])
    folder = write(files | tiles(entries[:300]), tmp_path)
    assert "600 entries" in verify.check_tiles(verify.Place(str(folder)), log)
    for path in sorted(files.keys() - {"log/checkpoint"}):
        (folder / path).write_bytes(_flipped(files[path], Random(5)))
        with pytest.raises(verify.Refused, match=path):
            verify.check_tiles(verify.Place(str(folder)), log)
        (folder / path).unlink()
        with pytest.raises(verify.Refused, match="is missing"):
            verify.check_tiles(verify.Place(str(folder)), log)
        write({path: files[path]}, folder)


# ---- the page in the parcel


def test_the_page_is_self_contained_and_has_places_for_what_it_says() -> None:
    page = VERIFIER.with_name("README.html").read_text("utf-8")
    names = {"series", "date", "value", "origin", "vkey", "size", "quality", "published"}
    assert set(re.findall(r"{{(.*?)}}", page)) == names
    assert not re.search(r"<script|<link|<img|src=|href=|url\(|@import|https?:", page)
    assert all(word in page for word in ("prefers-color-scheme: dark", "@media print", "width=device-width"))
