"""Backup and restoration of a venue: database and private log of one moment, whole or not at all, and checked."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

import people
import venues
from databases import Cluster
from mtok.errors import MtokError
from mtok.market.margin import Side
from mtok.settlement.people import Role
from test_venue_trading import published, submitted
from venue_commands import ADMINS, checked, made, mtok, refused


class Backed:
    """A venue with requests and a log, and folders for what is made of it."""

    def __init__(self, folder: Path, clock: venues.Clock) -> None:
        from mtok.venue.upkeep.keys import make_keys

        self.folder, self.clock, self.count = folder, clock, 0
        self.place = folder / "venue"
        make_keys(self.place)
        self.user = people.person("User", Role.PARTICIPANT_USER, organisation=people.organisation("Alder"))

    @property
    def premises(self) -> Any:
        from django.db import connections

        from mtok.venue.upkeep.copies import Premises

        return Premises(folder=self.place, database=dict(connections.databases["default"]))

    def trade(self) -> None:
        """Let something happen, and be logged."""
        from mtok.venue.otc import private_log

        self.count += 1
        submitted(self.user, f"r{self.count}", Side.BUY, lots=self.count)
        private_log.append(self.place, self.clock())

    def back_up(self) -> Any:
        from mtok.venue.upkeep.copies import back_up

        return back_up(self.premises, self.folder / "backup")

    def elsewhere(self, name: str) -> Any:
        """Return premises without anything, but with the keys, as whoever moves a venue puts them there."""
        from dataclasses import replace

        folder = self.folder / name
        shutil.copytree(self.place / "keys", folder / "keys")
        for key in ("master_key", "secret_key"):
            shutil.copy(self.place / key, folder / key)
        return replace(
            self.premises,
            folder=folder,
            database=self.premises.database | {"NAME": str(folder / "venue.sqlite3")},
        )


@contextmanager
def begun(tmp_path: Path) -> Iterator[Backed]:
    """Give a venue, in whatever database is used, with two requests."""
    from mtok.venue.otc import clockwork, private_log

    with venues.clock() as clock, pytest.MonkeyPatch.context() as patch:
        published(patch)
        backed = Backed(tmp_path, clock)
        private_log.make_key(backed.place, "venue.example/events")
        patch.setattr(clockwork, "log_events", lambda now: private_log.append(backed.place, now))
        backed.trade()
        backed.trade()
        yield backed


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[Backed]:
    with venues.sqlite(tmp_path / "venue.sqlite3"), begun(tmp_path) as backed:
        yield backed


def rows() -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows of all tables of the database that is used."""
    from django.db import connection

    found = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f"SELECT * FROM {table}")
            found[table] = sorted(cursor.fetchall(), key=repr)
    return found


def restored(copy: Any, premises: Any) -> None:
    from mtok.venue.upkeep.copies import refuse_occupied, restore

    refuse_occupied(copy, premises)
    restore(copy, premises)


def code_of(work: Callable[[], Any]) -> str:
    with pytest.raises(MtokError) as refused:
        work()
    return refused.value.code


def test_a_restored_venue_is_the_one_that_was_backed_up_and_goes_on(venue: Backed) -> None:
    from mtok.venue.otc import private_log
    from mtok.venue.upkeep.copies import copy_of

    before = rows()
    venue.back_up()
    venue.trade()
    copy = copy_of(venue.folder / "backup")
    assert copy is not None
    assert not [path for path in copy.contents.sha256 if "key" in path.lower()]
    there = venue.elsewhere("there")
    restored(copy, there)
    with venues.restored(Path(there.database["NAME"])):
        assert rows() == before
        assert private_log.check(there.folder) == []
        venue.place = there.folder
        venue.trade()
        assert private_log.check(there.folder) == []
    restored_again = code_of(lambda: restored(copy, there))
    assert restored_again == "destination_not_empty"


def test_an_interrupted_restoration_is_completed_by_the_same_call(
    venue: Backed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever file the power fails at: what is there is no database without its whole log."""
    from mtok.archive.files import write_file as real
    from mtok.venue.upkeep import copies

    venue.back_up()
    copy = copies.copy_of(venue.folder / "backup")
    assert copy is not None
    there = venue.elsewhere("there")
    for allowed in range(100):
        writes = iter(range(allowed))

        def failing(path: Path, raw: bytes, writes: Iterator[int] = writes) -> None:
            if next(writes, None) is None:
                raise KeyboardInterrupt
            real(path, raw)

        monkeypatch.setattr(copies, "write_file", failing)
        try:
            restored(copy, there)
        except KeyboardInterrupt:
            assert not Path(there.database["NAME"]).exists()
            continue
        break
    assert 5 < allowed < 99
    assert Path(there.database["NAME"]).read_bytes() == copy.database.read_bytes()


def test_an_interrupted_backup_leaves_the_one_before_and_is_made_again(
    venue: Backed, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mtok.venue.upkeep import copies

    first = venue.back_up()
    venue.trade()
    with monkeypatch.context() as patch:

        def interrupted(*_: Any) -> None:
            raise KeyboardInterrupt

        for name in ("_dump_sqlite", "_described", "_refuse_another"):
            patch.setattr(copies, name, interrupted)
            with pytest.raises(KeyboardInterrupt):
                venue.back_up()
            patch.undo()
            assert copies.copy_of(venue.folder / "backup") == first
    second = venue.back_up()
    assert copies.copy_of(venue.folder / "backup") == second != first
    assert sorted(path.name for path in (venue.folder / "backup" / "venue").iterdir()) == [
        second.folder.name,
        "current",
    ]


def test_nothing_is_logged_between_the_copy_of_the_log_and_that_of_the_database(
    venue: Backed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something happens after the log was copied: it waits to be logged until the database's snapshot has begun."""
    from django.db import connections

    from mtok.venue.otc import private_log
    from mtok.venue.upkeep import copies

    real = copies._copy_log
    threads: list[threading.Thread] = []

    def log_meanwhile() -> None:
        try:
            venue.trade()
        finally:
            connections.close_all()

    def copied(place: Path, folder: Path) -> None:
        real(place, folder)
        threads.append(threading.Thread(target=log_meanwhile))
        threads[0].start()
        threads[0].join(1.0)

    monkeypatch.setattr(copies, "_copy_log", copied)
    copy = venue.back_up()
    threads[0].join()
    there = venue.elsewhere("there")
    restored(copy, there)
    with venues.restored(Path(there.database["NAME"])):
        assert private_log.check(there.folder) == []
        assert private_log.append(there.folder, venue.clock()) in (0, 1, 2)
        assert private_log.check(there.folder) == []


def test_a_copy_with_a_file_that_is_damaged_or_gone_restores_nothing(venue: Backed) -> None:
    from mtok.venue.upkeep.copies import copy_of

    copy = venue.back_up()
    for path in copy.contents.sha256:
        file = copy.folder / path
        raw = file.read_bytes()
        file.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
        assert code_of(lambda: copy_of(venue.folder / "backup")) == "backup_incomplete"
        file.unlink()
        assert code_of(lambda: copy_of(venue.folder / "backup")) == "backup_incomplete"
        file.write_bytes(raw)
    assert copy_of(venue.folder / "backup") == copy


def test_the_copy_of_another_venue_or_another_past_is_kept(venue: Backed, tmp_path: Path) -> None:
    from mtok.venue.upkeep.copies import copy_of

    early = venue.back_up()
    there = venue.elsewhere("there")
    restored(early, there)
    venue.trade()
    late = venue.back_up()
    with venues.restored(Path(there.database["NAME"])):
        venue.place, here = there.folder, venue.place
        assert code_of(venue.back_up) == "backup_of_another"
    venue.place = here
    (venue.place / "master_key").write_text("ab" * 32 + "\n")
    assert code_of(venue.back_up) == "backup_of_another"
    assert copy_of(venue.folder / "backup") == late


def test_a_venue_is_restored_where_there_is_none(venue: Backed) -> None:
    copy = venue.back_up()
    venue.trade()
    assert code_of(lambda: restored(copy, venue.premises)) == "destination_not_empty"
    there = venue.elsewhere("there")
    there.database["ENGINE"] = "django.db.backends.postgresql"
    assert code_of(lambda: restored(copy, there)) == "database_differs"


def test_the_commands_copy_a_venue_and_check_it(tmp_path: Path) -> None:
    from mtok.archive import Store

    store, backup, other = tmp_path / "store", tmp_path / "backup", tmp_path / "other"
    Store.create(store)
    made(store, *ADMINS)
    done = mtok("backup", str(backup), "--store", str(store))
    assert done.returncode == 0, done.stderr
    assert "database (SQLite) and private log" in done.stdout
    assert "master_key" in done.stdout
    done = mtok("restore", str(backup), "--store", str(other), "--json")
    assert json.loads(done.stdout)["venue"]["database"] == "sqlite3"
    assert mtok("venue", "check", "--store", str(other)).returncode == 3
    for name in ("master_key", "secret_key"):
        shutil.copy(store / "venue" / name, other / "venue" / name)
    shutil.copytree(store / "venue" / "keys", other / "venue" / "keys")
    assert checked(other) == (0, [])
    assert refused("restore", str(backup), "--store", str(store), status=2) == "destination_not_empty"


@pytest.mark.machine
def test_on_postgresql_a_restored_venue_is_the_one_that_was_backed_up(
    postgresql: Cluster, tmp_path: Path
) -> None:
    """The same, by pg_dump and pg_restore: rows, triggers and the log; what fails half-way leaves nothing."""
    venues.configured()
    from dataclasses import replace

    import dj_database_url
    from django.db import ProgrammingError, connection

    from mtok.venue.otc import private_log
    from mtok.venue.upkeep.copies import copy_of

    with venues.postgresql(postgresql), begun(tmp_path) as venue:
        before = rows()
        venue.back_up()
        venue.trade()
        copy = copy_of(tmp_path / "backup")
        assert copy is not None
        assert copy.contents.kind == "postgresql"
        address = postgresql.create("restored")
        there = replace(venue.elsewhere("there"), database=dict(dj_database_url.parse(address)))
        with psycopg.connect(address, autocommit=True) as asked:
            asked.execute("CREATE TYPE transition AS ENUM ()")  # in the way of the last but some tables
            assert code_of(lambda: restored(copy, there)) == "database_not_copied"
            asked.execute("DROP TYPE transition")
        restored(copy, there)
        assert code_of(lambda: restored(copy, there)) == "destination_not_empty"
        with venues.at(address):
            assert rows() == before
            assert private_log.check(there.folder) == []
            venue.place = there.folder
            venue.trade()
            assert private_log.check(there.folder) == []
            with pytest.raises(ProgrammingError, match="insert-only"), connection.cursor() as cursor:
                cursor.execute("DELETE FROM event")


@pytest.mark.machine
def test_on_postgresql_what_is_committed_during_the_dump_is_not_in_it(
    postgresql: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venues.configured()
    from dataclasses import replace

    import dj_database_url

    from mtok.venue.otc import private_log
    from mtok.venue.upkeep import copies

    with venues.postgresql(postgresql), begun(tmp_path) as venue:
        real, before = copies._run, rows()

        def run(command: list[str], settings: dict[str, Any]) -> None:
            if command[0] == "pg_dump":
                venue.trade()
            real(command, settings)

        monkeypatch.setattr(copies, "_run", run)
        copy = venue.back_up()
        address = postgresql.create("snapshot")
        there = replace(venue.elsewhere("there"), database=dict(dj_database_url.parse(address)))
        restored(copy, there)
        with venues.at(address):
            assert rows() == before
            assert private_log.check(there.folder) == []


@pytest.mark.machine
def test_without_the_programs_of_postgresql_nothing_is_copied(
    postgresql: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with venues.postgresql(postgresql), begun(tmp_path) as venue:
        monkeypatch.setenv("PATH", str(tmp_path))
        assert code_of(venue.back_up) == "program_missing"
