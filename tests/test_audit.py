"""What a stranger finds of a real publication: three implementations look at the same folder.

The publisher wrote it; `mtok.client`, the stand-alone verifier, and the rules run again look at it. None of them shares
the code that made it but the last, which is what that level is for.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from typer.testing import CliRunner

from mtok.archive import Capture, Store
from mtok.calendar import parse_date
from mtok.canonical import sha256_hex
from mtok.cli.app import app
from mtok.client import verify
from mtok.client.source import Folder
from mtok.errors import BadInput
from mtok.notes import Checkpoint, PrivateKey, PublicKey, open_note, sign_note
from mtok.progress import silent
from mtok.publication import recomputation
from mtok.publication.facts import Facts
from mtok.publication.facts_file import read_facts
from mtok.publication.parcels import make_parcel
from mtok.publication.published import FOLDER, Published
from mtok.publication.recomputation import Recomputed, fetch, recompute, redecode, remade
from presses import Begin, at, posted, ranked
from released import FIRST_KEY, ORIGIN, SECOND_KEY

STANDALONE = Path(__file__).parents[1] / "src" / "mtok" / "publication" / "parcel" / "verify.py"


@pytest.fixture
def publication(published_sample: Path) -> Path:
    return published_sample / FOLDER


@pytest.fixture
def copied(publication: Path, tmp_path: Path) -> Path:
    return shutil.copytree(publication, tmp_path / FOLDER)


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("MTOK_STORE", raising=False)


def standalone(path: Path, key: PublicKey) -> tuple[int, list[dict[str, str]]]:
    """Return the exit status of the stand-alone verifier and what it says failed."""
    command = [sys.executable, "-I", "-S", str(STANDALONE), str(path), "--key", str(key), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, [line for line in json.loads(done.stdout)["checks"] if not line["ok"]]


# ---- the whole


@pytest.mark.parametrize("key", [FIRST_KEY, SECOND_KEY], ids=["the first key", "the key that replaced it"])
def test_a_publication_is_whole_by_either_key(publication: Path, key: PrivateKey) -> None:
    report = verify(Folder(publication), [key.public])
    assert report.findings == ()
    assert report.reached == "arithmetic"
    assert report.counts["records"] == report.counts["records calculated"] == 6 * 39


def test_the_stand_alone_verifier_says_the_same(publication: Path) -> None:
    assert standalone(publication, FIRST_KEY.public) == (0, [])


@pytest.mark.long
def test_every_record_follows_from_its_observations(publication: Path, tmp_path: Path) -> None:
    """Of a copy that has what is fetched to be recomputed and nothing else, as the verifier of an address has."""
    checkpoint = verify(Folder(publication), [FIRST_KEY.public]).checkpoint
    assert checkpoint is not None
    fetch(Folder(publication).read, tmp_path, checkpoint, silent)
    found = recompute(tmp_path, silent)
    assert (found.records, found.differences) == (6 * 39, ())


@pytest.mark.long
def test_the_observations_follow_from_the_raw_responses(published_sample: Path) -> None:
    found = redecode(published_sample / FOLDER, Store.open(published_sample), silent)
    assert (found.records, found.differences) == (6 * 39, ())


def test_what_is_archived_later_changes_no_verdict_on_what_was_published(
    begin: Begin, quick_disk: None
) -> None:
    """Prices and totals as old as what was seen, that came after the publication; then what was seen goes."""
    desk = begin()
    records = len(list(desk.published.vintages.all()))
    seen = posted(at("2026-01-07 13:00:00"))
    desk.take(
        posted(at("2026-01-07 09:00:00")),
        ranked(at("2026-01-08 06:00:00"), [parse_date("2026-01-07")], {"qwen/q": 7}),
        replace(seen, collector="another"),
    )
    assert redecode(desk.folder, desk.store, silent) == Recomputed(records=records, differences=())
    register = desk.store.register
    captures = [one for one in register.read() if one.instant != seen.instant]
    register.path.unlink()
    register.append(
        [Capture(**{name: getattr(one, name) for name in Capture.__struct_fields__}) for one in captures]
    )
    assert {one.where for one in redecode(desk.folder, desk.store, silent).differences} == {
        "observations/2026-01-06.parquet",
        "observations/2026-01-07.parquet",
    }


def test_what_is_fetched_to_be_recomputed_is_what_was_verified(publication: Path, tmp_path: Path) -> None:
    """A server that shows another log when it is asked a second time."""
    head = Checkpoint(origin=ORIGIN, size=Published(publication).size, root=bytes(32))
    with pytest.raises(BadInput, match="another one than was verified"):
        fetch(Folder(publication).read, tmp_path, head, silent)


# ---- tampered with


@pytest.mark.parametrize(
    "kinds",
    [
        ("records/*/*", "log/tile/entries/**/*", "SHA256SUMS"),
        pytest.param(
            (
                *(
                    "log/checkpoint",
                    "log/heads/*",
                    "log/tile/0/**/*",
                    "proofs/**/*",
                    "prices/*",
                    "captures/*/*",
                ),
                *("raw/*/*", "observations/*", "methodology/**/*", "rulebooks/*", "policies/*", "series/*"),
                *("feeds/*", "vintages.*", "vkey", "datapackage.json"),
            ),
            marks=pytest.mark.soak,
        ),
    ],
    ids=["some", "every other"],
)
def test_both_verifiers_agree_on_what_was_tampered_with(copied: Path, kinds: tuple[str, ...]) -> None:
    """One flipped bit in files of a kind: each verifier says no, and both say yes again without it."""
    random = Random(20260622)
    for kind in kinds:
        paths = sorted(path for path in copied.glob(kind) if path.is_file())
        path = random.choice(paths)
        good = path.read_bytes()
        place = random.randrange(len(good))
        path.write_bytes(good[:place] + bytes([good[place] ^ 1 << random.randrange(8)]) + good[place + 1 :])
        report = verify(Folder(copied), [FIRST_KEY.public])
        assert not report.ok, f"{kind}: {path} at byte {place}"
        status, failed = standalone(copied, FIRST_KEY.public)
        assert (status, bool(failed)) == (1, True), f"{kind}: {path} at byte {place}"
        path.write_bytes(good)
    assert verify(Folder(copied), [FIRST_KEY.public]).ok


def test_a_record_edited_with_every_digest_but_the_log_is_found(copied: Path) -> None:
    """Sums rewritten and signed by the owner of the key: only the log knows."""
    path = copied / "records" / "qwen" / "2026-06-20.0.json"
    before, after = path.read_bytes(), path.read_bytes().replace(b'"value":"1.8', b'"value":"1.9')
    assert before != after
    path.write_bytes(after)
    sums = copied / "SHA256SUMS"
    text = open_note(sums.read_bytes(), [SECOND_KEY.public]).text
    sums.write_bytes(sign_note(text.replace(sha256_hex(before), sha256_hex(after)), SECOND_KEY))
    found = verify(Folder(copied), [FIRST_KEY.public]).findings
    assert "records/qwen/2026-06-20.0.json" in {finding.where.split(",")[0] for finding in found}
    assert standalone(copied, FIRST_KEY.public)[0] == 1


def test_a_series_that_says_something_else_than_the_records_is_found(copied: Path) -> None:
    """The owner of the key changes a file for readers and signs the sums: the records give another one."""
    assert remade(copied, Folder(copied).read, SECOND_KEY.public) == []
    path = copied / "series" / "qwen.csv"
    before = path.read_bytes()
    path.write_bytes(before.replace(b"2.207294", b"9.999999"))
    sums = copied / "SHA256SUMS"
    text = open_note(sums.read_bytes(), [SECOND_KEY.public]).text
    text = text.replace(sha256_hex(before), sha256_hex(path.read_bytes()))
    sums.write_bytes(sign_note(text, SECOND_KEY))
    assert verify(Folder(copied), [FIRST_KEY.public]).ok, "what is signed agrees with itself"
    assert [one.where for one in remade(copied, Folder(copied).read, SECOND_KEY.public)] == [
        "series/qwen.csv"
    ]


def test_rules_that_give_another_record_name_the_first_field(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Observations with one token more: the level of rules says which number follows, and knows another file."""
    published = Published(copied)
    together = [
        published.record(vintage) for vintage in published.vintages.all() if vintage.date == "2026-06-26"
    ]

    def one_more(raw: bytes) -> Facts:
        facts = read_facts(raw)
        rows = (
            row._replace(tokens=row.tokens + 1) if row.author == "qwen" and row.tokens else row
            for row in facts.rows
        )
        return replace(facts, rows=tuple(rows))

    with monkeypatch.context() as context:
        context.setattr(recomputation, "read_facts", one_more)
        differences = {one.where: one.found for one in recomputation._compare(published, together)}
    assert len(differences) == 6, "all series say how many tokens the market had"
    assert "constituents[0]" in differences["records/qwen/2026-06-26.0.json"]
    (copied / together[0].observations.path).write_bytes(b"another")
    [found] = recomputation._compare(published, together)
    assert (found.where, found.found) == (
        together[0].observations.path,
        "it is not the file the record names",
    )


# ---- parcels


@pytest.mark.parametrize(
    ("date", "vintage", "key"),
    [
        ("2026-05-20", 0, FIRST_KEY),
        ("2026-06-25", 0, FIRST_KEY),
        ("2026-06-25", 1, FIRST_KEY),
        ("2026-06-26", 0, SECOND_KEY),
    ],
    ids=["the first day", "withheld, prelim", "final", "after the key was replaced"],
)
def test_a_parcel_proves_its_value(
    publication: Path, tmp_path: Path, date: str, vintage: int, key: PrivateKey
) -> None:
    published = Published(publication)
    found = published.vintages.of(("qwen", "1.0", date))[vintage]
    parcel = make_parcel(published, found)
    assert parcel == make_parcel(Published(publication), found), "the same bytes each time"
    path = tmp_path / "parcel.zip"
    path.write_bytes(parcel)
    assert standalone(path, key.public) == (0, [])
    with zipfile.ZipFile(path) as opened:
        names, page = opened.namelist(), opened.read("README.html").decode()
    assert names == sorted(names)
    assert "{{" not in page
    assert date in page


def test_a_parcel_of_one_value_does_not_prove_another(publication: Path, tmp_path: Path) -> None:
    published = Published(publication)
    one, other = (published.vintages.of(("qwen", "1.0", date))[0] for date in ("2026-06-19", "2026-06-20"))
    path = tmp_path / "parcel.zip"
    path.write_bytes(make_parcel(published, one))
    folder = tmp_path / "parcel"
    with zipfile.ZipFile(path) as opened:
        opened.extractall(folder)
    (folder / "entry.json").write_bytes(published.raw_entries[other.index])
    assert standalone(folder, FIRST_KEY.public)[0] == 1


# ---- the command line


def run(*arguments: str | Path) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


def test_verify_says_what_it_reached_and_remembers_what_it_saw(publication: Path, copied: Path) -> None:
    status, page, _ = run("verify", publication, "--key", str(FIRST_KEY.public))
    assert status == 0
    assert "verified" in page
    assert "arithmetic: every number of the records" in page
    checkpoint = copied / "log" / "checkpoint"
    older = next(iter((copied / "proofs" / "qwen").glob("2026-05-20*"))).read_bytes().split(b"\n\n", 1)[1]
    checkpoint.write_bytes(older)
    status, page, _ = run("verify", copied, "--key", str(FIRST_KEY.public), "--json")
    assert status == 1
    assert "checkpoint_older" in {finding["code"] for finding in json.loads(page)["findings"]}


def test_an_older_checkpoint_named_beside_the_one_remembered_hides_no_fork(
    publication: Path, copied: Path, tmp_path: Path
) -> None:
    """What was verified here is compared first, whatever --seen says."""
    assert run("verify", publication, "--key", str(FIRST_KEY.public))[0] == 0
    older = (publication / "proofs" / "qwen" / "2026-05-20.0.tlog-proof").read_bytes().split(b"\n\n", 1)[1]
    (copied / "log" / "checkpoint").write_bytes(older)
    seen = tmp_path / "seen"
    seen.write_bytes(older)
    status, page, _ = run("verify", copied, "--key", str(FIRST_KEY.public), "--seen", seen, "--json")
    assert (status, "checkpoint_older" in page) == (1, True)


def test_a_store_without_captures_is_dated_by_the_machine_alone(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store").path
    assert run("keys", "new", "--origin", ORIGIN, "--store", store)[0] == 0
    status, _, error = run("notice", "incident", "x", "--at", "2099-01-01T00:00:00Z", "--store", store)
    assert status == 2
    assert "it has no captures yet" in error


def test_verify_needs_a_key_that_does_not_come_from_the_publisher(publication: Path) -> None:
    status, _, error = run("verify", publication)
    assert status == 2
    assert "the one beside the files proves nothing" in error
    status, _, error = run("verify", publication, "--key", "nonsense")
    assert status == 2
    assert "is no public key" in error


def test_a_store_is_verified_with_its_own_key(published_sample: Path) -> None:
    assert run("verify", "--store", published_sample)[0] == 0


def test_evidence_is_written_and_what_is_not_published_has_none(
    published_sample: Path, tmp_path: Path
) -> None:
    out = tmp_path / "qwen.zip"
    status, page, _ = run("evidence", "qwen", "2026-06-20", "--out", out, "--store", published_sample)
    assert status == 0
    assert str(out) in page
    assert standalone(out, FIRST_KEY.public)[0] == 0
    status, _, error = run(
        "evidence", "qwen", "2026-06-20", "--vintage", "7", "--out", out, "--store", published_sample
    )
    assert status == 1
    assert "has 1 vintage" in error


def test_what_was_said_then_is_one_query(published_sample: Path) -> None:
    """The day of 25 June had no value at six in the morning of the 26th and has one since two in the afternoon."""

    def shown(as_of: str) -> list[tuple[str, str | None]]:
        asked = ("show", "qwen", "--from", "2026-06-25", "--to", "2026-06-25", "--as-of", as_of)
        _, page, _ = run(*asked, "--format", "json", "--store", published_sample)
        return [(point["stage"], point["value"]) for point in json.loads(page)["points"]]

    assert shown("2026-06-26T13:00:00Z") == [("prelim", None)]
    assert shown("2026-06-26T14:05:00Z") == [("final", "2.768716")]
    assert shown("2027-01-01T00:00:00Z") == [("final", "2.768716")]
    _, page, _ = run("show", "qwen", "--from", "2026-06-24", "--store", published_sample)
    assert "\nfinal 2026-06-24 to 2026-06-26\n" in page
    _, page, _ = run("show", "qwen", "--as-of", "2026-06-26T13:00:00Z", "--store", published_sample)
    assert " final 2026-06-22 to 2026-06-24 · prelim 2026-06-25 " in " ".join(page.split())
