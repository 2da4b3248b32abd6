"""Backups: whatever happens on the way, the same call gives the copy that nobody disturbed, and it is a whole store.

Interruptions are real, as in test_archive: a child kills itself with SIGKILL between two of the calls it makes.
"""

from __future__ import annotations

import errno
import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from generated import market
from markets import make_store
from mtok.archive import Capture, Position, Register, Store, StoreParameters, backup
from mtok.archive.backup import EVIDENCE, LEFT_OUT, Copied, back_up, restore
from mtok.archive.files import sync_folder, write_file
from mtok.canonical import sha256_hex
from mtok.day import determine_days
from mtok.errors import AnswerIsNo, BadCall, BadInput, EnvironmentFailed, MtokError
from mtok.progress import Progress, silent
from test_archive import LONG, archive, child, contents, killed_before, responses
from test_cli import run


def stored(path: Path, count: int = 3, length: int = 300) -> Store:
    """Return a store of a few captures, each with an object of its own."""
    archive(path, responses(count, length))
    return Store.open(path)


def refused(
    code: str, call: Callable[..., Copied], *arguments: object, status: type[MtokError] = BadCall
) -> MtokError:
    """Return the error of a call that has to be refused."""
    with pytest.raises(status) as caught:
        call(*arguments, silent)
    assert (caught.value.code, bool(caught.value.remedy)) == (code, True)
    return caught.value


def flip(path: Path, byte: int = -1) -> None:
    """Flip the lowest bit of a byte of a file."""
    raw = bytearray(path.read_bytes())
    raw[byte] ^= 1
    path.write_bytes(raw)


@pytest.fixture(scope="module")
def determined(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store at work, to be read only."""
    store = make_store(tmp_path_factory.mktemp("determined") / "store", market(1))
    determine_days(store)
    return store


# ---- what is copied


def test_a_backup_has_the_evidence_and_nothing_else(tmp_path: Path) -> None:
    store = stored(tmp_path / "store")
    expected = contents(store.path)
    for derived in (
        "observations/2026-06-18/prices.parquet",
        "determinations/x.jsonl",
        "alarms/delivered.jsonl",
    ):
        path = store.path / derived
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"derived")
    copied = back_up(store, tmp_path / "backup", silent)
    assert contents(tmp_path / "backup") == expected
    assert copied == Copied(
        captures=3,
        objects_copied=3,
        objects_there=0,
        objects_mended=0,
        bytes=sum(map(len, expected.values())),
        unknown=(),
    )


def test_everything_mtok_puts_into_a_store_is_evidence_or_left_out(determined: Store) -> None:
    """A new folder fails here until it has its place in one of the two."""
    assert {path.name for path in determined.path.iterdir()} <= EVIDENCE | LEFT_OUT
    assert not EVIDENCE & LEFT_OUT


def test_what_is_not_known_is_named_and_not_copied(tmp_path: Path) -> None:
    store = stored(tmp_path / "store")
    (store.path / "notes.txt").write_text("mine")
    assert back_up(store, tmp_path / "backup", silent).unknown == ("notes.txt",)
    assert not (tmp_path / "backup" / "notes.txt").exists()


def test_a_backup_is_brought_up_to_date_by_what_is_new(tmp_path: Path) -> None:
    store = stored(tmp_path / "store", 2)
    back_up(store, tmp_path / "backup", silent)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "backup" / "objects").rglob("*.zst")}
    stored(store.path, 5)
    store.write_parameters(StoreParameters(complete_volume_sources=("pages",)))
    copied = back_up(store, tmp_path / "backup", silent)
    assert (copied.captures, copied.objects_copied, copied.objects_there) == (5, 3, 2)
    assert contents(tmp_path / "backup") == contents(store.path)
    assert {path: path.stat().st_mtime_ns for path in before} == before, "what was there is not written again"
    again = back_up(store, tmp_path / "backup", silent)
    assert (again.objects_copied, again.objects_there, again.bytes) == (0, 5, 0)


def test_an_object_that_several_captures_share_is_copied_once(tmp_path: Path) -> None:
    first, second = responses(2)
    archive(tmp_path / "store", [first, replace(first, captured_at=second.captured_at)])
    copied = back_up(Store.open(tmp_path / "store"), tmp_path / "backup", silent)
    assert (copied.captures, copied.objects_copied) == (2, 1)


def test_an_empty_store_has_a_backup(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store")
    assert back_up(store, tmp_path / "backup", silent).captures == 0
    restore(tmp_path / "backup", tmp_path / "restored", silent)
    assert contents(tmp_path / "restored") == contents(store.path)


def test_a_torn_last_line_stays_behind(tmp_path: Path) -> None:
    store = stored(tmp_path / "store")
    expected = contents(store.path)
    with store.register.path.open("ab") as file:
        file.write(b'{"bytes":"3')
    back_up(store, tmp_path / "backup", silent)
    assert contents(tmp_path / "backup") == expected


def test_a_collector_may_write_meanwhile(tmp_path: Path) -> None:
    """The backup is the store of the moment the register was read; the next one has the rest."""
    store = stored(tmp_path / "store", 3)
    expected = contents(store.path)
    steps: list[int] = []

    def collected(what: str, done: int, total: int) -> None:
        steps.append(total)
        archive(store.path, responses(3 + len(steps)))

    assert back_up(store, tmp_path / "backup", collected).captures == 3
    assert contents(tmp_path / "backup") == expected
    assert set(steps) == {3}
    back_up(store, tmp_path / "backup", silent)
    assert contents(tmp_path / "backup") == contents(store.path)


def test_a_line_that_comes_while_the_register_is_read_is_left_for_the_next_backup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = stored(tmp_path / "store")
    expected = contents(store.path)
    read_on = Register.read_on

    def collected_after(register: Register, after: Position) -> tuple[list[Capture], Position]:
        found = read_on(register, after)
        monkeypatch.setattr(Register, "read_on", read_on)
        archive(store.path, responses(4))
        return found

    monkeypatch.setattr(Register, "read_on", collected_after)
    assert back_up(store, tmp_path / "backup", silent).captures == 3
    assert contents(tmp_path / "backup") == expected


# ---- damage


def test_a_damaged_object_of_the_backup_is_mended(tmp_path: Path) -> None:
    store = stored(tmp_path / "store")
    back_up(store, tmp_path / "backup", silent)
    one, other, _ = sorted((tmp_path / "backup" / "objects").rglob("*.zst"))
    flip(one)
    other.unlink()
    copied = back_up(store, tmp_path / "backup", silent)
    assert (copied.objects_mended, copied.objects_copied, copied.objects_there) == (1, 1, 1)
    assert contents(tmp_path / "backup") == contents(store.path)


@pytest.mark.parametrize("line", [0, 1])
def test_a_damaged_register_of_the_backup_is_written_again(line: int, tmp_path: Path) -> None:
    """Its last line vouches for those before it, so it is a backup of this store all the same."""
    store = stored(tmp_path / "store")
    back_up(store, tmp_path / "backup", silent)
    file = tmp_path / "backup" / "captures" / "register.jsonl"
    flip(file, sum(len(one) for one in file.read_bytes().splitlines(keepends=True)[:line]) + 40)
    stored(store.path, 4)
    back_up(store, tmp_path / "backup", silent)
    assert contents(tmp_path / "backup") == contents(store.path)


@pytest.mark.parametrize("damage", [flip, Path.unlink], ids=["damaged", "missing"])
def test_damaged_objects_of_the_store_are_named_after_everything_else_is_copied(
    damage: Callable[[Path], None], tmp_path: Path
) -> None:
    store = stored(tmp_path / "store", 4)
    expected = contents(store.path)
    lost = [store.objects.path(sha256_hex(one.raw)) for one in responses(4)[:2]]
    for path in lost:
        damage(path)
    code = "object_missing" if damage is Path.unlink else "object_damaged"
    error = refused(code, back_up, store, tmp_path / "backup", status=EnvironmentFailed)
    assert "2 of their objects could not be copied" in error.found
    assert all(path.stem in error.found for path in lost)
    names = {path.relative_to(store.path).as_posix() for path in lost}
    assert contents(tmp_path / "backup") == {name: raw for name, raw in expected.items() if name not in names}
    for path in lost:
        path.write_bytes(expected[path.relative_to(store.path).as_posix()])
    assert back_up(store, tmp_path / "backup", silent).objects_copied == 2
    assert contents(tmp_path / "backup") == expected


def test_an_object_on_a_bad_sector_costs_itself_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = stored(tmp_path / "store")
    bad = store.objects.path(sha256_hex(responses(1)[0].raw))
    read_bytes = Path.read_bytes

    def read(path: Path) -> bytes:
        if path == bad:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", read)
    error = refused("object_damaged", back_up, store, tmp_path / "backup", status=EnvironmentFailed)
    assert f"{bad} is damaged: its content is unreadable (Input/output error)" in error.found
    assert len(list((tmp_path / "backup" / "objects").rglob("*.zst"))) == 2


def test_a_damaged_register_of_the_store_is_not_copied(tmp_path: Path) -> None:
    store = stored(tmp_path / "store")
    back_up(store, tmp_path / "backup", silent)
    expected = contents(tmp_path / "backup")
    flip(store.register.path, 40)
    error = refused("register_damaged", back_up, store, tmp_path / "backup", status=EnvironmentFailed)
    assert str(store.register.path) in error.found
    assert contents(tmp_path / "backup") == expected


# ---- what is refused


def test_a_folder_that_is_something_else_is_refused(tmp_path: Path) -> None:
    store = stored(tmp_path / "store")
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    assert "'thesis.txt'" in refused("destination_not_empty", back_up, store, other).found
    assert "is a file" in refused("destination_not_empty", back_up, store, other / "thesis.txt").found
    back_up(store, tmp_path / "backup", silent)
    assert "'thesis.txt'" in refused("destination_not_empty", restore, tmp_path / "backup", other).found
    assert contents(other) == {"thesis.txt": b"mine"}


def test_a_store_at_work_is_no_destination(determined: Store, tmp_path: Path) -> None:
    store = stored(tmp_path / "store")
    before = contents(determined.path)
    assert "'determinations'" in refused("destination_not_empty", back_up, store, determined.path).found
    refused("destination_not_empty", restore, store.path, determined.path)
    assert contents(determined.path) == before


def test_a_mount_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    store = stored(tmp_path / "store")
    refused("path_missing", back_up, store, tmp_path / "disk" / "backup")
    assert not (tmp_path / "disk").exists()


@pytest.mark.parametrize("inside", [".", "backup", "..", "../link/backup"])
def test_a_backup_inside_the_store_or_around_it_is_refused(inside: str, tmp_path: Path) -> None:
    store = stored(tmp_path / "apart" / "store")
    (tmp_path / "apart" / "link").symlink_to(store.path)
    before = contents(store.path)
    refused("backup_inside_store", back_up, store, store.path / inside)
    refused("backup_inside_store", restore, store.path, store.path / inside)
    assert contents(store.path) == before


def test_the_backup_of_another_store_is_refused(tmp_path: Path) -> None:
    back_up(stored(tmp_path / "other"), tmp_path / "backup", silent)
    expected = contents(tmp_path / "backup")
    archive(tmp_path / "store", responses(5)[2:])
    store = Store.open(tmp_path / "store")
    error = refused("backup_of_another", back_up, store, tmp_path / "backup", status=AnswerIsNo)
    assert "line 1 differs" in error.found
    assert contents(tmp_path / "backup") == expected


def test_a_backup_that_is_ahead_of_the_store_is_refused(tmp_path: Path) -> None:
    """The store was restored from an older backup: the newer one may hold captures that exist nowhere else."""
    store = stored(tmp_path / "store")
    back_up(store, tmp_path / "older", silent)
    stored(store.path, 5)
    back_up(store, tmp_path / "newer", silent)
    restore(tmp_path / "older", tmp_path / "restored", silent)
    restored, expected = Store.open(tmp_path / "restored"), contents(tmp_path / "newer")
    error = refused("backup_of_another", back_up, restored, tmp_path / "newer", status=AnswerIsNo)
    assert "has 5 lines, the register to be copied 3, and line 4 is not in it" in error.found
    archive(restored.path, responses(9)[6:])
    error = refused("backup_of_another", back_up, restored, tmp_path / "newer", status=AnswerIsNo)
    assert "has 5 lines, the register to be copied 6, and line 4 differs" in error.found
    assert contents(tmp_path / "newer") == expected


def test_two_backups_into_one_folder_at_once_are_refused(tmp_path: Path) -> None:
    store = stored(tmp_path / "store")
    back_up(store, tmp_path / "backup", silent)
    with Store.open(tmp_path / "backup").writing():
        refused("store_in_use", back_up, store, tmp_path / "backup", status=EnvironmentFailed)


# ---- and back


def test_what_is_determined_from_a_restored_store_is_the_same_to_the_byte(
    determined: Store, tmp_path: Path
) -> None:
    back_up(determined, tmp_path / "backup", silent)
    restore(tmp_path / "backup", tmp_path / "new" / "restored", silent)
    again = Store.open(tmp_path / "new" / "restored")
    assert determine_days(again).records
    assert contents(again.path) == contents(determined.path)


def test_a_restored_store_is_left_alone(tmp_path: Path) -> None:
    """The same call once more changes nothing; a store that has been at work since is refused."""
    store = stored(tmp_path / "store")
    back_up(store, tmp_path / "backup", silent)
    restore(tmp_path / "backup", tmp_path / "restored", silent)
    assert restore(tmp_path / "backup", tmp_path / "restored", silent).bytes == 0
    again = Store.open(tmp_path / "restored")
    again.write_parameters(StoreParameters(complete_volume_sources=("pages",)))
    error = refused("destination_not_empty", restore, tmp_path / "backup", again.path)
    assert "is a store already" in error.found
    again.write_parameters(store.parameters)
    archive(again.path, responses(4))
    refused("backup_of_another", restore, tmp_path / "backup", again.path, status=AnswerIsNo)
    (again.path / "observations").mkdir()
    refused("destination_not_empty", restore, tmp_path / "backup", again.path)


@pytest.mark.parametrize("damage", [flip, Path.unlink], ids=["damaged", "missing"])
def test_a_backup_that_is_not_whole_restores_nothing(damage: Callable[[Path], None], tmp_path: Path) -> None:
    store = stored(tmp_path / "store", 14)
    back_up(store, tmp_path / "backup", silent)
    lost = sorted((tmp_path / "backup" / "objects").rglob("*.zst"))[:12]
    for path in lost:
        damage(path)
    error = refused(
        "backup_incomplete", restore, tmp_path / "backup", tmp_path / "restored", status=AnswerIsNo
    )
    assert error.found.startswith(f"12 of 14 objects of {tmp_path / 'backup'} are missing or damaged")
    assert sum(path.stem in error.found for path in lost) == 10
    assert error.found.endswith("and 2 more")
    assert not (tmp_path / "restored").exists()
    back_up(store, tmp_path / "backup", silent)
    assert restore(tmp_path / "backup", tmp_path / "restored", silent).objects_copied == 14


@pytest.mark.parametrize(
    ("name", "code", "status"),
    [
        ("captures/register.jsonl", "register_damaged", EnvironmentFailed),
        ("store.json", "store_format", BadInput),
    ],
)
def test_a_backup_with_another_damaged_file_restores_nothing(
    name: str, code: str, status: type[MtokError], tmp_path: Path
) -> None:
    back_up(stored(tmp_path / "store"), tmp_path / "backup", silent)
    flip(tmp_path / "backup" / name, 40 if "register" in name else -4)
    refused(code, restore, tmp_path / "backup", tmp_path / "restored", status=status)
    assert not (tmp_path / "restored").exists()


def test_a_folder_that_is_no_backup_is_named(tmp_path: Path) -> None:
    missing = refused("backup_missing", restore, tmp_path / "nowhere", tmp_path / "restored")
    assert missing.found == f"{tmp_path / 'nowhere'} does not exist"
    assert "has no store.json" in refused("backup_missing", restore, tmp_path, tmp_path.parent / "x").found


# ---- interruptions


def restored(store: Store, destination: Path, progress: Progress) -> Copied:
    """Restore from a store, which is laid out as a backup."""
    return restore(store.path, destination, progress)


COPIES: dict[str, Callable[[Store, Path, Progress], Copied]] = {"backup": back_up, "restore": restored}


def interrupted(source: str, folder: str, which: str) -> None:
    """In a child: copy into one folder after the other, killed before the calls that stdin lists."""
    for line in sys.stdin:
        point = int(line)
        process = os.fork()
        if not process:
            store = Store.open(Path(source))
            killed_before(point)
            COPIES[which](store, Path(folder) / str(point), silent)
            os._exit(0)
        _, status = os.waitpid(process, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        print("killed" if killed else status, flush=True)


@pytest.mark.parametrize("which", COPIES)
def test_a_copy_killed_before_any_of_its_calls_is_completed_by_the_same_call(
    which: str, tmp_path: Path
) -> None:
    """Every 97th call; every one in the long run."""
    store = stored(tmp_path / "store", 2)
    expected = contents(store.path)
    program = "import sys, test_backup; test_backup.interrupted(*sys.argv[1:])"
    stages = set()
    with child(program, str(store.path), str(tmp_path), which) as killer:
        assert killer.stdin
        assert killer.stdout
        for point in itertools.count(step=1 if LONG else 97):
            killer.stdin.write(f"{point}\n")
            killer.stdin.flush()
            ended = killer.stdout.readline().strip()
            path = tmp_path / str(point)
            if ended != "killed":
                assert ended == "0"
                assert contents(path) == expected
                break
            found = contents(path)
            stages.add(frozenset(found))
            assert_registered_objects_are_there(found)
            COPIES[which](store, path, silent)
            assert contents(path) == expected
        killer.communicate("")
    assert len(stages) >= 5, "kills were to come between the four files that appear one by one"


def assert_registered_objects_are_there(found: dict[str, bytes]) -> None:
    """Fail if a copy names an object it lacks, or has parameters and no register."""
    lines = found.get("captures/register.jsonl", b"").splitlines()
    named = [json.loads(line)["sha256"] for line in lines]
    assert all(f"objects/{sha256[:2]}/{sha256}.zst" in found for sha256 in named)
    assert len(named) == 2 or "store.json" not in found


def test_every_name_of_an_object_is_durable_before_the_register_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was there already may come from a copy that was cut off before it synced: it is synced again."""
    store = stored(tmp_path / "store")
    target = tmp_path / "backup"
    back_up(store, target, silent)
    (target / "captures" / "register.jsonl").unlink()
    (target / "store.json").unlink()
    events: list[Path] = []

    def synced(folder: Path) -> None:
        events.append(folder)
        sync_folder(folder)

    def written(path: Path, raw: bytes) -> None:
        events.append(path)
        write_file(path, raw)

    monkeypatch.setattr(backup, "sync_folder", synced)
    monkeypatch.setattr(backup, "write_file", written)
    back_up(store, target, silent)
    before = set(events[: events.index(target / "captures" / "register.jsonl")])
    assert before >= {*(target / "objects").glob("??"), target / "objects", target, tmp_path}
    assert [path.name for path in events if path.suffix] == ["register.jsonl", "store.json"]


@pytest.mark.root
def test_a_backup_that_fills_the_disk_is_completed_on_a_larger_one(small_disk: Path, tmp_path: Path) -> None:
    store = stored(tmp_path / "store", 100, length=4_000)
    with pytest.raises(OSError) as caught:
        back_up(store, small_disk / "backup", silent)
    assert caught.value.errno == errno.ENOSPC
    found = contents(small_disk / "backup")
    assert found
    assert "store.json" not in found
    assert not any(name.endswith(".tmp") for name in found)
    subprocess.run(["mount", "-o", "remount,size=4m", small_disk], check=True)
    assert back_up(store, small_disk / "backup", silent).objects_there == len(found)
    assert contents(small_disk / "backup") == contents(store.path)


# ---- the commands


def test_the_commands_say_what_they_did(tmp_path: Path) -> None:
    store = stored(tmp_path / "store")
    (store.path / "notes.txt").write_text("mine")
    page = run("backup", tmp_path / "backup", store=store.path).stdout
    assert "3 copied, 0 already there, 0 mended" in page
    assert "not copied   notes.txt: mtok did not put it there" in page
    assert f"restore {tmp_path / 'backup'} --store PATH" in page
    content = json.loads(run("backup", tmp_path / "backup", "--json", store=store.path).stdout)
    assert content == {
        "captures": 3,
        "objects_copied": 0,
        "objects_there": 3,
        "objects_mended": 0,
        "published_copied": 0,
        "published_there": 0,
        "published_mended": 0,
        "bytes": 0,
        "unknown": ["notes.txt"],
        "keys": False,
    }
    page = run("restore", tmp_path / "backup", store=tmp_path / "restored").stdout
    assert "3 copied" in page
    assert f"determine --store {tmp_path / 'restored'}" in page
    assert run("doctor", store=tmp_path / "restored").exit_code == 0
    flip(next((tmp_path / "restored" / "objects").rglob("*.zst")))
    found = run("doctor", "--json", store=tmp_path / "restored")
    assert found.exit_code == 1
    assert [finding["code"] for finding in json.loads(found.stdout)["findings"]] == ["object_damaged"]
