"""A venue that is killed loses nothing that it has told as done, does nothing twice, and goes on to the same end.

`scripts/venue_kills.py` kills as often as asked, on SQLite and on PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import people
import venue_kills
from databases import postgresql_cluster
from mtok.market.margin import Side
from mtok.market.proposals import Nonces
from mtok.settlement.machines import Refused
from venue_story import MINUTE, RUN, Story, fresh

KILLS = 20
SEED = 20260621


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[venue_kills.World]:
    with venue_kills.sqlite_world(tmp_path_factory.mktemp("killed")) as world:
        yield world


def test_kills_on_sqlite(world: venue_kills.World) -> None:
    tally = venue_kills.kill_at_random(world, KILLS, SEED)
    assert tally.broken == []
    assert tally.kills.total() >= KILLS
    assert tally.acknowledged > 0


@pytest.mark.machine
def test_kills_on_postgresql() -> None:
    with postgresql_cluster() as cluster, venue_kills.postgresql_world(cluster) as world:
        tally = venue_kills.kill_at_random(world, KILLS, SEED)
    assert tally.broken == []


# ---- the answer that never came


class ConnectionLost(Exception):
    """What a client sees when its connection is gone."""


def lost_after_commit(patch: pytest.MonkeyPatch, command: Callable[[], Any]) -> None:
    """Give a command whose transaction is committed, and whose answer is lost."""
    from django.db.backends.base.base import BaseDatabaseWrapper

    committed = BaseDatabaseWrapper._commit

    def commit(connection: Any) -> None:
        committed(connection)
        raise ConnectionLost

    with patch.context() as during:
        during.setattr(BaseDatabaseWrapper, "_commit", commit)
        with pytest.raises(ConnectionLost):
            command()


def test_who_hears_no_answer_gives_it_again_and_it_is_done_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command on the way to a contract, its answer lost after the commit, and given again: exactly one effect."""
    with fresh(tmp_path / "venue.sqlite3") as clock:
        from mtok.venue.database.models import Event, Message
        from mtok.venue.otc import trading

        story = Story(clock)

        def give(who: Any, *given: Any) -> None:
            def command() -> Any:
                return trading.give(people.shown(who, clock()), *given)

            lost_after_commit(monkeypatch, command)
            events, mails = Event.objects.count(), Message.objects.count()
            with pytest.raises(Refused):
                command()
            assert (Event.objects.count(), Message.objects.count()) == (events, mails)

        for who, name, side in ((story.buyer, "b", Side.BUY), (story.seller, "s", Side.SELL)):
            give(who, "request", "draft", name, story.request(name, side))
            give(who, "request", "submit", name)
            give(story.desk, "request", "accept", name)
        story.go(RUN + MINUTE)
        pair = story.candidate()
        give(story.desk, "proposal", "send", pair, Nonces(buyer="01" * 32, seller="02" * 32))
        [terms] = trading.own(story.buyer)["proposal"]
        for who in (story.buyer, story.seller):
            give(who, "proposal", "approve", pair, terms["terms_sha256"])
        [contract] = trading.own(story.seller)["contract"]
        assert contract["state"] == "booked"
        told = [one.event.split(":")[0] for one in Message.objects.all()]
        assert (told.count("terms"), told.count("booked")) == (2, 2)


def test_a_venue_that_marks_before_it_sends_is_found_out(
    world: venue_kills.World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test can fail: noting a mail as sent before the server has taken it loses mails."""
    from mtok.venue.mail import work

    claim = work.claim

    def hasty(now: int) -> Any:
        message = claim(now)
        if message is not None:
            work._sent(message, now)
        return message

    monkeypatch.setattr(work, "claim", hasty)
    tallies = (venue_kills.kill_at_random(world, KILLS, SEED + number) for number in range(10))
    assert any("counts as sent" in one for tally in tallies for one in tally.broken)
