"""Copies of a venue in a backup: its database as of one instant and its private log, and back from there.

The log says nothing that the database did not say first, and the database remembers what is in the log. So the log is
held still until it is copied and a snapshot of the database has begun: then neither is older than the other. The marks
of the snapshot are in the public log already, whose copy is made after this one; a mark that is printed in between is
in the log alone, and `mtok venue check` names it. A copy is complete before it takes the place of the one before.
Keys are never copied.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from mtok.archive.files import make_folder, sync_folder, write_file
from mtok.canonical import sha256_hex
from mtok.errors import AnswerIsNo, BadCall, EnvironmentFailed
from mtok.venue.database.addresses import database
from mtok.venue.environment import venue_environment
from mtok.venue.upkeep.keys import key_check

VENUE: Final = "venue"
"""The folder of a backup that holds the copies of a venue."""
_CURRENT: Final = "current"
_CONTENTS: Final = "venue.json"
_EVENTS: Final = "events"
_HEADS: Final = f"{_EVENTS}/log/heads/"
_DATABASES: Final = {"sqlite3": "database.sqlite3", "postgresql": "database.dump"}
"""File of a copied database by the kind of it."""
_STDERR_MAX: Final = 500

Dump = Callable[[Path], None]
"""What writes a database, as it was when a snapshot of it began, to a file."""


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What a copy consists of. of : what the venue's master key is recognised by · kind : of the database, `sqlite3`,
    `postgresql` · sha256 : of each file, by its path
    """

    of: str
    kind: str
    sha256: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Premises:
    """Where a venue is. folder : of its keys and its log · database : Django's settings of it"""

    folder: Path
    database: dict[str, Any]

    @property
    def kind(self) -> str:
        """Which kind of database it has."""
        return str(self.database["ENGINE"]).rpartition(".")[2]


def premises() -> Premises:
    """Return where the environment says that the venue is."""
    venue = venue_environment()
    return Premises(folder=venue.place(), database=database(venue.database_url, venue.place()))


@dataclass(frozen=True, kw_only=True)
class Copy:
    """A copy that is whole. folder : where it is · bytes : of its files"""

    folder: Path
    contents: Contents
    bytes: int

    @property
    def database(self) -> Path:
        """The file of its database."""
        return self.folder / _DATABASES[self.contents.kind]


def back_up(venue: Premises, destination: Path) -> Copy:
    """Copy a venue into a backup, in the place of the copy that is there; again, it makes another one.

    Needs Django. Raises EnvironmentFailed: `program_missing`, `database_not_copied`, `backup_damaged`; AnswerIsNo
    (`backup_of_another`) for the copy of another venue, or of another past.
    """
    from mtok.venue.otc.private_log import alone

    copies = destination / VENUE
    before = _number(copies)
    folder = copies / str(before + 1)
    copies.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.rmtree(folder, ignore_errors=True)  # of a call that was interrupted
    folder.mkdir(mode=0o700)
    with _snapshot(venue, alone(venue.folder), lambda: _copy_log(venue.folder, folder)) as dump:
        dump(folder / _DATABASES[venue.kind])
    copy = _described(folder, venue)
    _refuse_another(copies / str(before), copy)
    write_file(copies / _CURRENT, f"{before + 1}\n".encode())
    for other in copies.iterdir():
        if other.is_dir() and other != folder:
            shutil.rmtree(other)
    return copy


def copy_of(backup: Path) -> Copy | None:
    """Return the copy of a venue that a backup has, None where it has none.

    Raises AnswerIsNo (`backup_incomplete`) where a file of it is missing or another one.
    """
    copies = backup / VENUE
    number = _number(copies)
    if not number:
        return None
    folder = copies / str(number)
    try:
        contents = msgspec.json.decode((folder / _CONTENTS).read_bytes(), type=Contents)
        found = {path: (folder / path).read_bytes() for path in contents.sha256}
    except (OSError, msgspec.MsgspecError) as error:
        raise _incomplete(folder, str(error)) from None
    for path, raw in found.items():
        if sha256_hex(raw) != contents.sha256[path]:
            raise _incomplete(folder, f"{path} has another sha256 than {_CONTENTS} says")
    return Copy(folder=folder, contents=contents, bytes=sum(map(len, found.values())))


def refuse_occupied(copy: Copy, venue: Premises) -> None:
    """Raise BadCall where a venue cannot be restored to: another kind of database, one that holds something.

    What an interrupted restoration has left is taken for what it is.
    """
    if venue.kind != copy.contents.kind:
        raise BadCall(
            "database_differs",
            f"the backup is of a database of {copy.contents.kind}, and DATABASE_URL names one of {venue.kind}",
            "Name a database of the same kind.",
        )
    events = venue.folder / _EVENTS
    for path in _files(events):
        twin = copy.folder / _EVENTS / path.relative_to(events)
        if not twin.is_file() or twin.read_bytes() != path.read_bytes():
            raise _occupied(f"{path} is of another log")
    if venue.kind == "postgresql":
        if tables := _tables(venue.database):
            raise _occupied(f"the database {venue.database['NAME']} has {tables} tables")
    elif (file := Path(venue.database["NAME"])).exists() and file.read_bytes() != copy.database.read_bytes():
        raise _occupied(f"{file} is there")


def restore(copy: Copy, venue: Premises) -> None:
    """Make log and database of a copy, the database last and in one step. Refuses as `refuse_occupied`.

    Raises EnvironmentFailed: `program_missing`, `database_not_copied`.
    """
    refuse_occupied(copy, venue)
    venue.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _copy_tree(copy.folder / _EVENTS, venue.folder / _EVENTS)
    if copy.contents.kind == "postgresql":
        restoring = "pg_restore --single-transaction --exit-on-error --no-owner --no-privileges".split()
        _run([*restoring, f"--dbname={venue.database['NAME']}", str(copy.database)], venue.database)
        return
    file = Path(venue.database["NAME"])
    for beside in ("-wal", "-shm"):
        file.with_name(file.name + beside).unlink(missing_ok=True)
    write_file(file, copy.database.read_bytes())


# ---- a database as of one instant


@contextmanager
def _snapshot(
    venue: Premises, still: AbstractContextManager[None], copy_log: Callable[[], None]
) -> Iterator[Dump]:
    """Copy the log and begin a snapshot of the database while nothing is logged; yield what writes the snapshot.

    still : within which nothing is logged
    """
    if venue.kind == "sqlite3":
        with closing(sqlite3.connect(venue.database["NAME"], isolation_level=None)) as source:
            with still:
                copy_log()
                source.execute("BEGIN")
                source.execute("SELECT count(*) FROM sqlite_master").fetchone()
            yield lambda path: _dump_sqlite(source, path)
        return
    import psycopg

    with psycopg.connect(**_connection(venue.database)) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        with still:
            copy_log()
            [name] = connection.execute("SELECT pg_export_snapshot()").fetchone() or ("",)
        dumping = f"pg_dump --format=custom --no-owner --no-privileges --snapshot={name}".split()
        yield lambda path: _run([*dumping, f"--file={path}"], venue.database)


def _dump_sqlite(source: sqlite3.Connection, path: Path) -> None:
    with closing(sqlite3.connect(path)) as target:
        source.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")  # one file, with nothing beside it


def _tables(settings: dict[str, Any]) -> int:
    import psycopg

    with psycopg.connect(**_connection(settings)) as connection:
        asked = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        [count] = connection.execute(asked).fetchone() or (0,)
    return int(count)


def _connection(settings: dict[str, Any]) -> dict[str, Any]:
    """Return what a connection is made with, as libpq names it."""
    named = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD", "dbname": "NAME"}
    found = {name: settings.get(setting) for name, setting in named.items()} | settings.get("OPTIONS", {})
    return {name: value for name, value in found.items() if value}


def _run(command: list[str], settings: dict[str, Any]) -> None:
    """Run a program of PostgreSQL; it is told by its environment where to, which other users cannot read."""
    from psycopg.pq import Conninfo

    variables = {one.keyword.decode(): one.envvar.decode() for one in Conninfo.get_defaults() if one.envvar}
    said = {variables[name]: str(value) for name, value in _connection(settings).items() if name in variables}
    try:
        done = subprocess.run(command, env=os.environ | said, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise EnvironmentFailed(
            "program_missing",
            f"there is no program {command[0]}",
            "Install the client programs of PostgreSQL, of the server's version or a later one.",
        ) from None
    if done.returncode:
        raise EnvironmentFailed(
            "database_not_copied",
            f"{command[0]}: {done.stderr.strip()[-_STDERR_MAX:]}",
            "The copy before is untouched. Mend what it names and run the same command again.",
        )


# ---- files


def _copy_log(place: Path, folder: Path) -> None:
    _copy_tree(place / _EVENTS, folder / _EVENTS)


def _copy_tree(source: Path, target: Path) -> None:
    """Copy every file under a folder, the log's signed head last, so that it never claims more than there is."""
    for path in sorted(_files(source), key=lambda path: path.name == "checkpoint"):
        copied = target / path.relative_to(source)
        make_folder(copied.parent)
        write_file(copied, path.read_bytes())


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []


def _described(folder: Path, venue: Premises) -> Copy:
    """Write down what a copy consists of, and let all of it be on the disk."""
    files = {str(path.relative_to(folder)): path for path in _files(folder)}
    raw = {name: path.read_bytes() for name, path in files.items()}
    sha256 = {name: sha256_hex(found) for name, found in raw.items()}
    contents = Contents(of=key_check(venue.folder), kind=venue.kind, sha256=sha256)
    handle = os.open(folder / _DATABASES[venue.kind], os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    write_file(folder / _CONTENTS, msgspec.json.format(msgspec.json.encode(contents)))
    sync_folder(folder.parent)
    return Copy(folder=folder, contents=contents, bytes=sum(map(len, raw.values())))


def _refuse_another(before: Path, copy: Copy) -> None:
    """Raise AnswerIsNo unless the copy that is there is of the same venue, at an earlier time. before : its folder"""
    if not (before / _CONTENTS).exists():
        return
    earlier = msgspec.json.decode((before / _CONTENTS).read_bytes(), type=Contents)
    heads = {path: sha256 for path, sha256 in earlier.sha256.items() if path.startswith(_HEADS)}
    if earlier.of != copy.contents.of or not heads.items() <= copy.contents.sha256.items():
        shutil.rmtree(copy.folder)
        raise AnswerIsNo(
            "backup_of_another",
            f"{before} is the copy of another venue, or of this one with events that it does not have now",
            "Keep it, and name a new folder.",
        )


def _number(copies: Path) -> int:
    """Return which copy of a venue holds, 0 where there is none. Raises EnvironmentFailed where nobody can tell."""
    try:
        return int((copies / _CURRENT).read_text("ascii"))
    except FileNotFoundError:
        return 0
    except ValueError:
        raise EnvironmentFailed(
            "backup_damaged",
            f"{copies / _CURRENT}, which names the copy that holds, is damaged",
            "Write into it the number of the folder beside it that has a venue.json.",
        ) from None


def _incomplete(folder: Path, why: str) -> AnswerIsNo:
    return AnswerIsNo(
        "backup_incomplete",
        f"the copy of the venue in {folder} is not whole: {why}",
        "Nothing was restored. Take another backup, or make another one with `mtok backup`.",
    )


def _occupied(found: str) -> BadCall:
    return BadCall(
        "destination_not_empty",
        f"{found}, and a venue is restored where there is none",
        "Name a new database with DATABASE_URL, and a folder without a log with --store or MTOK_VENUE_FOLDER.",
    )
