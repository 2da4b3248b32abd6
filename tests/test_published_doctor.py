"""The doctor on what is published: a bit anywhere is found in its file, and an interruption is told and harmless."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

import mtok
from mtok.archive import Store
from mtok.archive.published_files import PublishedFiles
from mtok.calendar import parse_instant
from mtok.canonical import sha256_hex
from mtok.cli.keeping import diagnosis_page
from mtok.doctor import Diagnosis, examine, examine_publication
from mtok.progress import silent
from mtok.publication.log import Log
from mtok.publication.operators import rotate_key
from mtok.publication.press import nowhere
from publishing import FIRST, SECOND, THIRD, publish_at, publishing_store
from test_archive import contents
from test_backup import flip
from test_published_backup import one_of_each, published

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that has published twice and replaced its key between."""
    store = publishing_store(tmp_path_factory.mktemp("published") / "store")
    publish_at(store, FIRST)
    rotate_key(store, parse_instant("2026-06-21T14:01:30Z"), nowhere, bytes([2]) * 32, silent)
    publish_at(store, SECOND)
    return store.path


@pytest.fixture
def store(twice: Path, tmp_path: Path) -> Store:
    """A copy of it."""
    return Store.open(Path(shutil.copytree(twice, tmp_path / "store")))


def found_in(diagnosis: Diagnosis) -> dict[str, list[str]]:
    """Return the files each code was found in, below `publication/` where they are there."""
    found: dict[str, list[str]] = {}
    for finding in diagnosis.findings:
        assert finding.found
        assert finding.remedy
        found.setdefault(finding.code, []).append(finding.where.removeprefix("publication/"))
    return found


def test_a_sound_publication_is_sound_and_left_as_it_is(store: Store) -> None:
    before = contents(store.path)
    diagnosis = examine(store, silent)
    assert diagnosis.sound
    assert not diagnosis.findings
    assert diagnosis.published == len(published(store.path)) > 60
    assert contents(store.path) == before
    assert f"{diagnosis.published} published files" in " ".join(
        " ".join(diagnosis_page(diagnosis, store.path)).split()
    )


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_flipped_bit_is_found_in_its_file_and_in_no_other(part: int, store: Store) -> None:
    """At the beginning, in the middle, at the end."""
    for name in one_of_each(store.path):
        path = store.path / "publication" / name
        sound = path.read_bytes()
        flip(path, (len(sound) - 1) * part // 2)
        assert published_findings(store) == {"publication_damaged": [name]}
        path.write_bytes(sound)


def published_findings(store: Store) -> dict[str, list[str]]:
    """Return what the examination of the publication alone finds: the rest takes its time."""
    found: dict[str, list[str]] = {}
    for finding in examine_publication(PublishedFiles(store.path / "publication")):
        found.setdefault(finding.code, []).append(finding.where.removeprefix("publication/"))
    return found


def test_a_missing_file_is_found_whichever_it_is(store: Store) -> None:
    for name in sorted(published(store.path)):
        path = store.path / "publication" / name
        sound = path.read_bytes()
        path.unlink()
        assert published_findings(store) == {"publication_missing": [name]}
        path.write_bytes(sound)


def test_the_whole_examination_tells_what_is_wrong_with_the_publication(store: Store) -> None:
    [record, other, *_] = sorted(name for name in published(store.path) if name.startswith("records/"))
    flip(store.path / "publication" / record)
    (store.path / "publication" / other).unlink()
    (store.path / "publication" / "notes.txt").write_text("mine")
    diagnosis = examine(store, silent)
    assert not diagnosis.sound
    assert found_in(diagnosis) == {
        "publication_damaged": [record],
        "publication_missing": [other],
        "publication_unlisted": ["notes.txt"],
    }


def test_a_record_that_was_changed_together_with_the_sums_is_found(store: Store) -> None:
    """Who has no key cannot sign the sums again; the log names the record in any case."""
    folder = store.path / "publication"
    record = next(folder.glob("records/*/*.json"))
    before = sha256_hex(record.read_bytes())
    record.write_bytes(record.read_bytes().replace(b"2026", b"2027"))
    sums = folder / "SHA256SUMS"
    sums.write_bytes(sums.read_bytes().replace(before.encode(), sha256_hex(record.read_bytes()).encode()))
    assert published_findings(store) == {
        "publication_damaged": ["SHA256SUMS", record.relative_to(folder).as_posix()]
    }


def test_an_older_checkpoint_or_log_is_found(store: Store, tmp_path: Path) -> None:
    older = shutil.copytree(store.path / "publication", tmp_path / "older")
    publish_at(store, THIRD)
    now = store.path / "publication"
    shutil.copy(older / "log" / "checkpoint", now / "log" / "checkpoint")
    assert published_findings(store) == {"publication_damaged": ["log/checkpoint"]}
    shutil.copy(older / "SHA256SUMS", now / "SHA256SUMS")
    found = published_findings(store)
    assert "log/checkpoint" in found["publication_damaged"]
    assert found["publication_unlisted"], "what the older sums do not name"


@pytest.mark.parametrize("step", ["append", "claim", "sign"])
def test_an_interrupted_publication_is_told_and_harmless(
    step: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Log, step, interrupted)
        with pytest.raises(KeyboardInterrupt):
            publish_at(store, THIRD)
    [pending] = [name for name in published(store.path) if name.startswith("pending/")]
    diagnosis = examine(store, silent)
    assert found_in(diagnosis) == {"publication_pending": [pending]}
    assert diagnosis.sound
    damaged = next(name for name in published(store.path) if name.startswith("prices/"))
    flip(store.path / "publication" / damaged)
    assert published_findings(store)["publication_damaged"] == [damaged]


def test_a_damaged_pending_publication_is_found(store: Store) -> None:
    pending = store.path / "publication" / "pending" / "19.json"
    pending.write_bytes(b"{}\nno digest")
    assert published_findings(store)["publication_damaged"] == ["pending/19.json"]


def test_keys_that_others_can_read_or_nobody_are_found(store: Store) -> None:
    one, other = sorted((store.path / "keys").glob("*.key"))
    one.chmod(0o440)
    other.chmod(0o600)
    other.write_text("nothing\n")
    diagnosis = examine(store, silent)
    assert not diagnosis.sound
    assert found_in(diagnosis) == {
        "key_exposed": [f"keys/{one.name}"],
        "key_unreadable": [f"keys/{other.name}"],
    }


def test_the_document_lists_every_code() -> None:
    """The codes that the doctor's source names, and those of keys."""
    source = (Path(mtok.__file__).parent / "doctor.py").read_text("utf-8")
    kinds = "object|register|observations|determinations|publication"
    codes = set(re.findall(rf'"((?:{kinds})_[a-z_]+)"', source)) | {"key_exposed", "key_unreadable"}
    codes |= {"object_missing", "object_damaged", "register_damaged"}
    table = (ROOT / "docs" / "store.md").read_text("utf-8").split("## Doctor")[1]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    listed = {code for row in rows for code in re.findall(r"`([a-z_]+)`", row)}
    assert listed == codes
