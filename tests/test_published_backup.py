"""Backups of what is published: copied to the byte, never replaced by anything worse, and published on from there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtok.archive import Store, published_copies
from mtok.archive.backup import back_up, restore
from mtok.archive.files import write_file
from mtok.archive.published_files import PublishedFiles, never_changes
from mtok.archive.published_log import newest_size
from mtok.errors import AnswerIsNo, EnvironmentFailed
from mtok.progress import silent
from mtok.publication.log import Log
from publishing import FIRST, SECOND, THIRD, publish_at, publishing_store
from test_archive import contents
from test_backup import flip, refused
from test_cli import process, run


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that has published two dates in two publications, to be copied."""
    store = publishing_store(tmp_path_factory.mktemp("published") / "store")
    publish_at(store, FIRST)
    publish_at(store, SECOND)
    return store.path


@pytest.fixture
def store(once: Path, tmp_path: Path) -> Store:
    """A copy of it."""
    return Store.open(Path(shutil.copytree(once, tmp_path / "store")))


def published(path: Path) -> dict[str, bytes]:
    """Return the published files of a store or a backup."""
    return contents(path / "publication")


def one_of_each(path: Path) -> Iterator[str]:
    """Yield a published file of each folder, and all that are in none or in `log`."""
    seen = set()
    for name in sorted(published(path)):
        kind = name if name.startswith("log/") else name.split("/")[0]
        if kind not in seen:
            seen.add(kind)
            yield name


LATER = ("2026-06-21T15:00:00Z", THIRD[1])
KINDS = 25
"""More than this many files are tried, one of each sort."""


# ---- what is copied


def test_a_backup_has_the_publication_and_no_key(store: Store, tmp_path: Path) -> None:
    copied = back_up(store, tmp_path / "backup", silent)
    files = published(store.path)
    assert published(tmp_path / "backup") == files
    assert {"log/checkpoint", "SHA256SUMS", "series/openai.csv"} <= files.keys()
    assert (copied.published_copied, copied.published_there, copied.published_mended) == (len(files), 0, 0)
    assert copied.keys
    assert list((store.path / "keys").glob("*.key"))
    assert not any("key" in name.split("/")[-1].split(".") for name in contents(tmp_path / "backup"))
    secret = next((store.path / "keys").glob("*.key")).read_bytes().strip()
    assert not any(secret in raw for raw in contents(tmp_path / "backup").values())


def test_a_backup_is_brought_up_to_date_by_the_next_publication(store: Store, tmp_path: Path) -> None:
    back_up(store, tmp_path / "backup", silent)
    folder = tmp_path / "backup" / "publication"
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    again = back_up(store, tmp_path / "backup", silent)
    assert (again.published_copied, again.published_there, again.bytes) == (0, len(before), 0)
    publish_at(store, THIRD)
    copied = back_up(store, tmp_path / "backup", silent)
    assert published(tmp_path / "backup") == published(store.path)
    unchanging = [path for path in before if never_changes(path.relative_to(folder).as_posix())]
    assert len(unchanging) > 30
    assert all(path.stat().st_mtime_ns == before[path] for path in unchanging)
    assert copied.published_mended == 0
    assert copied.published_there >= len(unchanging)


def test_sums_are_written_next_to_last_and_the_checkpoint_last(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []

    def noted(path: Path, raw: bytes, *, sync: bool = True) -> None:
        written.append(path.relative_to(tmp_path / "backup" / "publication").as_posix())
        write_file(path, raw, sync=sync)

    monkeypatch.setattr(published_copies, "write_file", noted)
    back_up(store, tmp_path / "backup", silent)
    assert written[-2:] == ["SHA256SUMS", "log/checkpoint"]
    turns = [never_changes(name) for name in written]
    assert turns == sorted(turns, reverse=True), "what never changes comes first"


def test_a_file_no_publication_has_is_named_and_not_copied(store: Store, tmp_path: Path) -> None:
    (store.path / "publication" / "records" / "notes.txt").write_text("mine")
    assert back_up(store, tmp_path / "backup", silent).unknown == ("publication/records/notes.txt",)
    assert "records/notes.txt" not in published(tmp_path / "backup")


@pytest.mark.parametrize("point", [0, 1, 40, -3, -2, -1])
def test_an_interrupted_copy_is_completed_by_the_same_call(
    point: int, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first file, among them, before the last view, the sums, the checkpoint."""
    count = len(published(store.path))
    left = point % count if point >= 0 else count + point

    def cut(path: Path, raw: bytes, *, sync: bool = True) -> None:
        nonlocal left
        if not left:
            raise KeyboardInterrupt
        left -= 1
        write_file(path, raw, sync=sync)

    with monkeypatch.context() as patched:
        patched.setattr(published_copies, "write_file", cut)
        with pytest.raises(KeyboardInterrupt):
            back_up(store, tmp_path / "backup", silent)
    assert "log/checkpoint" not in published(tmp_path / "backup")
    if point:
        refused("backup_incomplete", restore, tmp_path / "backup", tmp_path / "restored", status=AnswerIsNo)
    back_up(store, tmp_path / "backup", silent)
    assert published(tmp_path / "backup") == published(store.path)


# ---- while another process publishes


def test_a_store_in_use_costs_the_publication_alone(store: Store, tmp_path: Path) -> None:
    with Store(store.path).writing():
        error = refused("store_in_use", back_up, store, tmp_path / "backup", status=EnvironmentFailed)
        assert "its publication was not copied; everything else is" in error.found
        result = run("backup", tmp_path / "backup", store=store.path)
        assert result.exit_code == 3
    found = contents(tmp_path / "backup")
    assert {name.split("/")[0] for name in found} == {"objects", "captures", "store.json"}
    assert back_up(store, tmp_path / "backup", silent).objects_copied == 0
    assert published(tmp_path / "backup") == published(store.path)


def test_a_store_that_publishes_nothing_is_backed_up_while_it_is_in_use(tmp_path: Path) -> None:
    store = publishing_store(tmp_path / "store")
    with Store(store.path).writing():
        assert back_up(store, tmp_path / "backup", silent).published_copied == 0


# ---- damage


def test_damaged_files_of_the_backup_are_mended(store: Store, tmp_path: Path) -> None:
    """Files of the log one at a time, as they vouch for one another; all others at once."""
    back_up(store, tmp_path / "backup", silent)
    names = list(one_of_each(store.path))
    assert len(names) > KINDS
    of_log = [name for name in names if name.startswith("log/")]
    for damaged in [sorted({*names} - {*of_log}), *([name] for name in of_log)]:
        for number, name in enumerate(damaged, start=1):
            path = tmp_path / "backup" / "publication" / name
            flip(path, (path.stat().st_size - 1) * number // (len(damaged) + 1))
        copied = back_up(store, tmp_path / "backup", silent)
        assert published(tmp_path / "backup") == published(store.path)
        assert copied.published_mended == sum(map(never_changes, damaged))
        assert copied.published_copied == len(damaged) - copied.published_mended


def test_damaged_files_of_the_store_are_named_and_replace_nothing(store: Store, tmp_path: Path) -> None:
    back_up(store, tmp_path / "backup", silent)
    before = contents(tmp_path / "backup")
    names = list(one_of_each(store.path))
    for number, name in enumerate(names):
        path = store.path / "publication" / name
        sound = path.read_bytes()
        flip(path, (len(sound) - 1) * number // len(names))
        error = refused("publication_damaged", back_up, store, tmp_path / "backup", status=EnvironmentFailed)
        assert str(path) in error.found, name
        assert contents(tmp_path / "backup") == before, name
        path.unlink()
        error = refused("publication_damaged", back_up, store, tmp_path / "backup", status=EnvironmentFailed)
        assert f"{path} is missing" in error.found
        assert contents(tmp_path / "backup") == before, name
        path.write_bytes(sound)
    assert back_up(store, tmp_path / "backup", silent).bytes == 0


def test_everything_else_is_copied_beside_a_damaged_file(store: Store, tmp_path: Path) -> None:
    damaged = next(name for name in published(store.path) if name.startswith("records/"))
    flip(store.path / "publication" / damaged)
    refused("publication_damaged", back_up, store, tmp_path / "backup", status=EnvironmentFailed)
    expected = published(store.path)
    del expected[damaged]
    assert published(tmp_path / "backup") == expected


def test_a_log_that_cannot_be_read_leaves_the_checkpoint_of_the_backup(store: Store, tmp_path: Path) -> None:
    """Entries and hashes damaged at once: nothing says which of them was signed."""
    back_up(store, tmp_path / "backup", silent)
    before = contents(tmp_path / "backup")
    for path in (store.path / "publication" / "log" / "tile").rglob("*"):
        if path.is_file():
            flip(path)
    error = refused("publication_damaged", back_up, store, tmp_path / "backup", status=EnvironmentFailed)
    assert "neither the entries nor the hashes" in error.found
    assert contents(tmp_path / "backup") == before


# ---- another log


def test_a_backup_with_a_longer_log_is_refused(store: Store, tmp_path: Path) -> None:
    back_up(store, tmp_path / "older", silent)
    publish_at(store, THIRD)
    back_up(store, tmp_path / "newer", silent)
    restore(tmp_path / "older", tmp_path / "restored", silent)
    before = contents(tmp_path / "newer")
    again = Store.open(tmp_path / "restored")
    error = refused("backup_of_another", back_up, again, tmp_path / "newer", status=AnswerIsNo)
    sizes = [newest_size(path / "publication") for path in (store.path, again.path)]
    assert f"has {sizes[0]} entries, the log to be copied {sizes[1]}" in error.found
    assert contents(tmp_path / "newer") == before


def test_a_backup_with_another_log_is_refused(store: Store, tmp_path: Path) -> None:
    """The same captures and key, published at another minute: the heads have the same sizes and other roots."""
    back_up(store, tmp_path / "backup", silent)
    before = contents(tmp_path / "backup")
    shutil.rmtree(store.path / "publication")
    publish_at(store, ("2026-06-21T14:01:30Z", FIRST[1]))
    publish_at(store, SECOND)
    error = refused("backup_of_another", back_up, store, tmp_path / "backup", status=AnswerIsNo)
    assert "are others" in error.found
    assert contents(tmp_path / "backup") == before
    refused("backup_of_another", restore, tmp_path / "backup", _without_keys(store), status=AnswerIsNo)


def _without_keys(store: Store) -> Path:
    """Leave nothing in a store that a restoration would not put there."""
    for name in ("keys", "observations"):
        shutil.rmtree(store.path / name)
    return store.path


# ---- and back


def test_a_restored_store_publishes_on_as_if_nothing_had_happened(store: Store, tmp_path: Path) -> None:
    back_up(store, tmp_path / "backup", silent)
    restore(tmp_path / "backup", tmp_path / "restored", silent)
    assert published(tmp_path / "restored") == published(store.path)
    assert not (tmp_path / "restored" / "keys").exists()
    shutil.copytree(store.path / "keys", tmp_path / "restored" / "keys")
    publish_at(store, THIRD)
    publish_at(Store.open(tmp_path / "restored"), THIRD)
    assert published(tmp_path / "restored") == published(store.path)


def test_a_backup_whose_publication_is_not_whole_restores_nothing(store: Store, tmp_path: Path) -> None:
    back_up(store, tmp_path / "backup", silent)
    names = list(one_of_each(store.path))
    for number, name in enumerate(names):
        path = tmp_path / "backup" / "publication" / name
        sound = path.read_bytes()
        flip(path, (len(sound) - 1) * number // len(names))
        error = refused(
            "backup_incomplete", restore, tmp_path / "backup", tmp_path / "restored", status=AnswerIsNo
        )
        assert str(path) in error.found, name
        path.unlink()
        error = refused(
            "backup_incomplete", restore, tmp_path / "backup", tmp_path / "restored", status=AnswerIsNo
        )
        assert f"{path} is missing" in error.found
        assert not (tmp_path / "restored").exists()
        path.write_bytes(sound)
    assert restore(tmp_path / "backup", tmp_path / "restored", silent).published_copied > KINDS


@pytest.mark.parametrize("step", ["append", "claim", "sign"])
def test_an_interrupted_publication_is_completed_after_a_restoration(
    step: str, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    back_up(store, tmp_path / "backup", silent)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Log, step, interrupted)
        with pytest.raises(KeyboardInterrupt):
            publish_at(store, THIRD)
    pending = [name for name in published(store.path) if name.startswith("pending/")]
    assert len(pending) == 1
    assert not PublishedFiles(store.path / "publication").unlisted
    back_up(store, tmp_path / "backup", silent)
    assert published(tmp_path / "backup") == published(store.path)
    restore(tmp_path / "backup", tmp_path / "restored", silent)
    shutil.copytree(store.path / "keys", tmp_path / "restored" / "keys")
    assert publish_at(Store.open(tmp_path / "restored"), LATER).resumed
    assert publish_at(store, LATER).resumed
    assert published(tmp_path / "restored") == published(store.path)
    back_up(store, tmp_path / "backup", silent)
    assert published(tmp_path / "backup") == published(store.path), (
        "what is completed is not pending any more"
    )
    flip(tmp_path / "backup" / "publication" / "SHA256SUMS")


# ---- the commands


def test_the_commands_say_what_becomes_of_the_keys_and_of_an_older_copy(tmp_path: Path) -> None:
    """As somebody would do it: publish, back up, publish, lose the disk, restore the older backup, publish."""
    store, head = publishing_store(tmp_path / "store"), str(tmp_path / "head")

    def options(at: tuple[str, str]) -> tuple[str, ...]:
        return "--at", at[0], "--date", at[1]

    def mtok(*arguments: str | Path, of: Path = store.path) -> tuple[int, str, str]:
        ended = process(*arguments, "--store", of, MTOK_HEAD=head)
        return ended.returncode, ended.stdout.decode(), ended.stderr.decode()

    assert mtok("publish", *options(FIRST))[0] == 0
    status, page, _ = mtok("backup", tmp_path / "backup")
    assert status == 0
    assert "is not copied, as who has it can sign. Keep a copy of it" in " ".join(page.split())
    assert mtok("publish", *options(SECOND))[0] == 0
    restored = tmp_path / "restored"
    status, page, _ = mtok("restore", tmp_path / "backup", of=restored)
    assert status == 0
    assert "before `mtok publish`, put them back into" in " ".join(page.split())
    [key] = (store.path / "keys").glob("*.key")
    status, _, said = mtok("publish", *options(SECOND), of=restored)
    assert status == 2
    assert f"the log is signed with key {key.stem} of index.example/log, which is not in" in said
    assert f"Put {key.stem}.key back there" in said
    shutil.copytree(store.path / "keys", restored / "keys")
    before = published(restored)
    status, out, said = mtok("publish", *options(SECOND), "--json", of=restored)
    assert (status, json.loads(out)["error"]["code"]) == (1, "log_behind")
    assert "this is an older copy" in said
    assert published(restored) == before, "nothing was signed"
