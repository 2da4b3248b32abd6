"""The private log of the venue: complete, in order, finished after an interruption, and against an altered database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import people
import venues
from mtok.errors import EnvironmentFailed
from mtok.market.margin import Side
from mtok.settlement.people import Role
from test_venue_trading import published, submitted


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give the folder of a venue with two requests and a log of its own."""
    with venues.sqlite(tmp_path / "venue.sqlite3"), venues.clock():
        from mtok.venue.otc import private_log
        from mtok.venue.upkeep.keys import make_keys

        published(monkeypatch)
        make_keys(tmp_path / "venue")
        private_log.make_key(tmp_path / "venue", "venue.example/events")
        user = people.person("User", Role.PARTICIPANT_USER, organisation=people.organisation("Alder"))
        for name in ("a", "b"):
            submitted(user, name, Side.BUY)
        yield tmp_path / "venue"


def entries(folder: Path) -> list[dict[str, str]]:
    """Return the entries of the log, as anybody with the key checks them."""
    from mtok.publication.keys import Keyring
    from mtok.publication.log import Log

    log = Log(folder / "events" / "log")
    size = log.check(Keyring(folder / "keys").public())
    return [json.loads(raw) for raw in log.entries(size)]


def test_every_event_is_logged_once_and_in_order(folder: Path) -> None:
    from mtok.venue.database.models import Event
    from mtok.venue.otc import private_log

    assert private_log.append(folder, venues.NOON) == 5
    assert private_log.append(folder, venues.NOON) == 0
    logged = entries(folder)
    assert [int(one["number"]) for one in logged] == list(
        Event.objects.order_by("pk").values_list("pk", flat=True)
    )
    assert [(one["kind"], one["command"]) for one in logged[1:]] == [
        ("request", "request.draft"),
        ("request", "request.submit"),
    ] * 2
    assert private_log.check(folder) == []


def test_nothing_of_what_was_asked_or_by_whom_can_be_read(folder: Path) -> None:
    from mtok.venue.accounts.models import Organisation, Person
    from mtok.venue.otc import private_log

    private_log.append(folder, venues.NOON)
    written = b"".join(path.read_bytes() for path in (folder / "events").rglob("*") if path.is_file())
    secret = ["openai", "12.3456", "12345600", "Alder", "User"]
    secret += [
        *Person.objects.values_list("pk", flat=True),
        *Organisation.objects.values_list("pk", flat=True),
    ]
    assert [text for text in secret if text.encode() in written] == []


@pytest.mark.parametrize("step", ["_remember", "complete"])
def test_an_append_that_was_interrupted_is_completed(
    folder: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mtok.publication.sealing import Sealing
    from mtok.venue.otc import private_log

    class Killed(Exception):
        pass

    calls = iter(range(9))

    def killed(*_: object) -> None:
        if next(calls) == (1 if step == "_remember" else 0):
            raise Killed

    where = private_log if step == "_remember" else Sealing
    with monkeypatch.context() as patch:
        patch.setattr(where, step, killed)
        with pytest.raises(Killed):
            private_log.append(folder, venues.NOON)
    assert private_log.append(folder, venues.NOON) == 0
    assert len(entries(folder)) == 5
    assert private_log.check(folder) == []


def test_a_database_that_was_altered_is_found_out(folder: Path) -> None:
    """Whoever owns the database can drop the trigger; what was logged stays."""
    from django.db import connection

    from mtok.venue.otc import private_log

    private_log.append(folder, venues.NOON)
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER event_no_update")
        cursor.execute("UPDATE event SET record = replace(record, '12345600', '1') WHERE id = 2")
    assert private_log.check(folder) == ["entry 1 of the private log is not what event 2 says"]


def test_a_database_older_than_its_log_is_refused(folder: Path, tmp_path: Path) -> None:
    from mtok.venue.otc import private_log

    private_log.append(folder, venues.NOON)
    with venues.sqlite(tmp_path / "older.sqlite3"), pytest.raises(EnvironmentFailed) as refused:
        private_log.append(folder, venues.NOON)
    assert refused.value.code == "database_behind"


def test_without_its_key_nothing_is_logged_silently(folder: Path) -> None:
    from mtok.venue.otc import private_log

    private_log.append(folder, venues.NOON)
    for path in (folder / "keys").iterdir():
        path.unlink()
    assert private_log.is_kept(folder)
    with pytest.raises(EnvironmentFailed):
        private_log.append(folder, venues.NOON)
