"""`mtok venue check` of the market: whatever is altered in the database is found, and told by a code of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from marked import MarkedVenue, agreed, marked_venue, month_window

PRICES = {"2026-02-26": "12.3", "2026-02-27": "12.4"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MarkedVenue]:
    """A venue with locked marks, a contract with its initial margin and a day's variation margin, and a log."""
    with marked_venue(tmp_path_factory.mktemp("venue"), PRICES, "2026-02-26 12:00:00") as venue:
        from mtok.venue.environment import venue_environment
        from mtok.venue.otc import private_log

        folder = venue_environment().place()
        private_log.make_key(folder, "venue.example/events")
        for name in ("events", "head"):
            assert not (folder / name).exists()
        venue.book(agreed(month_window("2026-03-01", "2026-03-31")))
        for date in PRICES:
            venue.print(date)
            venue.approved(date)
            venue.tick_marks()
        venue.go("2026-03-04 22:00:00")
        venue.tick_marks()
        private_log.append(folder, venue.clock())
        yield venue
        for path in sorted((folder / "events").rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
        (folder / "events").rmdir()
        (folder / "head").unlink()


@pytest.fixture
def venue(made: MarkedVenue) -> Iterator[MarkedVenue]:
    """The venue in a transaction that is taken back, with whatever was altered in it."""
    from django.db import transaction

    with transaction.atomic():
        yield made
        transaction.set_rollback(True)


def found() -> dict[str, list[str]]:
    """Return what is found by its code, but for the accounts of these tests, which nobody has decided."""
    from mtok.venue.upkeep.checked import findings

    told: dict[str, list[str]] = {}
    for one in findings():
        if one.part != "accounts":
            told.setdefault(one.code, []).append(one.found)
    return told


def altered(*statements: str) -> None:
    """Do what a hand at the database's prompt could do that drops the triggers first."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in cursor.fetchall():
            cursor.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            cursor.execute(statement)


def test_a_venue_that_nobody_has_touched_is_sound(venue: MarkedVenue) -> None:
    assert {date: venue.mark(date).mark.state for date in PRICES} == dict.fromkeys(PRICES, "locked")
    assert found() == {}


@pytest.mark.parametrize(
    ("statements", "code", "words"),
    [
        (
            ["DELETE FROM event WHERE kind = 'mark'", "DELETE FROM mark"],
            "mark_differs",
            "nobody has approved here",
        ),
        (
            [
                "UPDATE event SET record = replace(record, '12300000', '12300001') WHERE kind = 'mark'",
                "UPDATE mark SET record = replace(record, '12300000', '12300001')",
            ],
            "mark_differs",
            "of the public log says",
        ),
        (["UPDATE mark SET record = replace(record, '\"F0\"', '\"F3\"')"], "mark_differs", "locked here"),
        (["UPDATE event SET details = '\"x\"' WHERE kind = 'contract'"], "log_differs", "of the private log"),
        (["DELETE FROM logged"], "log_differs", "no event in the database"),
        (["UPDATE contract SET state = 'settled'"], "object_differs", "is not what its last event says"),
        (["UPDATE ledger_transfer SET amount = amount + 1"], "ledger_unbalanced", "G5: "),
        (
            ["DELETE FROM event WHERE kind = 'mark' AND version = 1"],
            "event_missing",
            "no event makes version 1",
        ),
    ],
)
def test_what_was_altered_is_found(venue: MarkedVenue, statements: list[str], code: str, words: str) -> None:
    altered(*statements)
    told = found()
    assert any(words in one for one in told.get(code, [])), told


def test_a_log_that_is_damaged_is_told_and_the_rest_is_checked(venue: MarkedVenue) -> None:
    from mtok.venue.environment import venue_environment

    altered("UPDATE ledger_transfer SET amount = amount + 1")
    checkpoint = venue_environment().place() / "events" / "log" / "checkpoint"
    raw = checkpoint.read_bytes()
    checkpoint.write_bytes(b"not signed\n")
    assert {"checkpoint_refused", "ledger_unbalanced"} <= found().keys()
    checkpoint.write_bytes(raw)
