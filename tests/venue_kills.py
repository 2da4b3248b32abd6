"""A venue killed (SIGKILL) at drawn moments on the way from two requests to a call and every mail, and gone on with.

A child is forked that gives one command after the other, tells when each has returned, and delivers the mails to a mail
server in this process. It is killed after a drawn time, or at a drawn one of the named points it passes: before a
statement, before and after a commit, before a word to the mail server, around a claim. Whoever goes on looks what there
is and gives what is missing, as people do. After each kill nothing that was told as done may be missing, and every
object is what its last event says; in the end everything equals what nobody interrupted, and every mail was taken.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from mailbox import Mailbox, mailbox
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

import people
import venues
from databases import Cluster
from mtok.calendar import parse_instant
from mtok.market.margin import Side
from mtok.market.proposals import Nonces
from venue_holds import Content, content, missing, only, read, wrong
from venue_story import MINUTE, RUN, SLOT_END, Story, offering

SQLITE: Final = "SQLite"
POSTGRESQL: Final = "PostgreSQL"
AFTER_A_TIME: Final = "after a time"
POINTS: Final = (
    "before a statement",
    "before a commit",
    "after a commit",
    "before a word to the mail server",
    "after a claim",
    "after a mail was taken",
)
_MARGINS: Final = (("2026-06-23", 12_000_000), ("2026-06-24", 10_000_000))
_END: Final = parse_instant("2026-06-25T20:00:00Z")
_KILLS_OF_A_VENUE_MAX: Final = 16
_STRIDE: Final = 5
"""A kill comes within one in so many parts of the whole work, counted from where somebody goes on."""
_SECONDS_MAX: Final = 120


class Fuse:
    """Counts the named points that are passed, and ends the process at one of them. at : its number, 0 for never"""

    def __init__(self, at: int, report: Callable[[str], None]) -> None:
        self.at = at
        self.passed = Counter[str]()
        self._report = report

    def passes(self, point: str) -> None:
        """Count a point, and burn through at the one that was drawn."""
        self.passed[point] += 1
        if self.passed.total() == self.at:
            self._report(f"killed {point}")
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, owner: Any, name: str, *, before: str = "", after: str = "") -> None:
        """Put points before and after a function, for the rest of this process."""
        function = getattr(owner, name)

        def passing(*given: Any, **named: Any) -> Any:
            if before:
                self.passes(before)
            done = function(*given, **named)
            if after:
                self.passes(after)
            return done

        setattr(owner, name, passing)

    def lay(self) -> None:
        """Put every point where it belongs."""
        import smtplib

        from django.db.backends.base.base import BaseDatabaseWrapper
        from django.db.backends.utils import CursorWrapper

        from mtok.venue.mail import work
        from mtok.venue.mail.sending import Server

        self.around(CursorWrapper, "_execute", before="before a statement")
        self.around(BaseDatabaseWrapper, "_commit", before="before a commit", after="after a commit")
        self.around(smtplib.SMTP, "send", before="before a word to the mail server")
        self.around(work, "claim", after="after a claim")
        self.around(Server, "send", after="after a mail was taken")


@dataclass(kw_only=True)
class World:
    """Venues of one kind of database. known : the content of one that nobody interrupted · seconds : that took

    fresh : makes a database, returns Django's settings of it
    """

    kind: str
    story: Story
    fresh: Callable[[], dict[str, Any]]
    known: Content = field(default_factory=dict)
    points: int = 0
    seconds: float = 0.0


@dataclass
class Tally:
    """What came of the kills. kills : by where they landed · broken : what was wrong, in words"""

    kills: Counter[str] = field(default_factory=Counter)
    venues: int = 0
    acknowledged: int = 0
    sent_twice: int = 0
    missed: int = 0
    broken: list[str] = field(default_factory=list)


# ---- the work


def carry_on(story: Story, told: Callable[[str], None], box: Mailbox) -> None:
    """Give what is missing on the way to the last margin, and deliver every mail. told : called when each is done"""
    from mtok.venue.database.models import Event
    from mtok.venue.otc import trading

    last = Event.objects.order_by("-at").values_list("at", flat=True).first() or venues.NOON
    story.clock = venues.Clock(max(venues.NOON, last))
    with pytest.MonkeyPatch.context() as patch:
        from mtok.venue import place

        patch.setattr(place, "_clock", story.clock)
        for who, name, side in ((story.buyer, "b", Side.BUY), (story.seller, "s", Side.SELL)):
            _ask(story, who, name, side, told)
        story.go(max(story.clock(), RUN + MINUTE))
        pair = only("proposal")
        if pair.state == "candidate":
            trading.give(story.desk, "proposal", "send", pair.pk, Nonces(buyer="01" * 32, seller="02" * 32))
            told(f"proposal.send {pair.pk}")
        _approve(story, pair.pk, told)
        story.go(max(story.clock(), SLOT_END))
        if only("contract").state == "booked":
            story.activate(pair.pk)
            told(f"contract.activate {pair.pk}")
        for date, price in _MARGINS:
            if story.margin(date, price).changes:
                told("contract.margin ")
        story.go(max(story.clock(), _END))
        _deliver_all(story, box)


def _ask(story: Story, who: Any, name: str, side: Side, told: Callable[[str], None]) -> None:
    from mtok.venue.database.models import RequestRow
    from mtok.venue.otc import trading

    while True:
        row = RequestRow.objects.filter(pk=name).first()
        if row is None:
            trading.give(who, "request", "draft", name, story.request(name, side))
            told(f"request.draft {name}")
        elif row.state == "draft":
            trading.give(who, "request", "submit", name)
            told(f"request.submit {name}")
        elif row.state == "submitted":
            trading.give(story.desk, "request", "accept", name)
            told(f"request.accept {name}")
        else:
            return


def _approve(story: Story, pair: str, told: Callable[[str], None]) -> None:
    from mtok.venue.otc import trading

    for who in (story.buyer, story.seller):
        one = only("proposal")
        have = {approval.party for approval in read("proposal", one).approvals}
        if one.state != "booked" and who.party not in have:
            digest = read("proposal", one).terms.sha256
            trading.give(people.shown(who, story.clock()), "proposal", "approve", pair, digest)
            told(f"proposal.approve {pair}")


def _deliver_all(story: Story, box: Mailbox) -> None:
    """Deliver until nothing waits; a mail that was claimed by who was killed waits for the hour its claim has set."""
    from mtok.venue.database.models import Message
    from mtok.venue.mail.work import deliver_due

    while True:
        deliver_due(box.server().send, story.clock, 1000)
        waiting = Message.objects.filter(sent_at=None).order_by("next_at").first()
        if waiting is None:
            return
        story.clock.instant = max(story.clock.instant, waiting.next_at)


# ---- children


def run_child(
    world: World, database: dict[str, Any], box: Mailbox, at: int, seconds: float | None
) -> list[str]:
    """Go on in a child until it is done or killed; return what it told. at : number of a point · seconds : or a time"""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _be_child(world, database, box, at, writing)
    os.close(writing)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    with os.fdopen(reading) as pipe:
        told = pipe.read().splitlines()
    os.waitpid(child, 0)
    return told


def _be_child(world: World, database: dict[str, Any], box: Mailbox, at: int, writing: int) -> None:
    def told(said: str) -> None:
        os.write(writing, f"{said}\n".encode())

    try:
        signal.alarm(_SECONDS_MAX)
        with venues._using(database), offering():
            fuse = Fuse(at, told)
            fuse.lay()
            carry_on(world.story, told, box)
        told(f"passed {fuse.passed.total()}")
        told("finished")
    except BaseException as error:  # a child never returns into the tests
        told(f"failed {type(error).__name__}: {error}".replace("\n", " "))
    finally:
        os._exit(0)


def kill_at_random(
    world: World,
    kills: int,
    seed: int,
    progress: Callable[[int], None] = lambda _: None,
    *,
    seconds_max: float = float("inf"),
) -> Tally:
    """Kill as often as asked, several times a venue, and compare what each comes to. seconds_max : end then"""
    tally, draw, until = Tally(), Random(seed), time.monotonic() + seconds_max
    while tally.kills.total() < kills and time.monotonic() < until:
        _one_venue(world, tally, draw)
        progress(tally.kills.total())
    return tally


def _one_venue(world: World, tally: Tally, draw: Random) -> None:
    database, told, killed = world.fresh(), list[str](), 0
    with mailbox() as box:
        for _ in range(draw.randint(1, _KILLS_OF_A_VENUE_MAX)):
            share = draw.random()
            if draw.random() < 0.3:
                said = run_child(world, database, box, 0, share * world.seconds / _STRIDE)
                where = AFTER_A_TIME
            else:
                said = run_child(world, database, box, 1 + int(share * world.points / _STRIDE), None)
                where = next((one.removeprefix("killed ") for one in said if one.startswith("killed ")), "")
            _note(world, tally, database, box, said, told)
            if "finished" in said:
                tally.missed += 1
                break
            tally.kills[where or AFTER_A_TIME] += 1
            killed += 1
        said = run_child(world, database, box, 0, None)
        _note(world, tally, database, box, said, told)
        tally.broken += [f"it did not finish: {said[-1:]}"] if "finished" not in said else []
        tally.venues += 1
        _compare(world, tally, database, box, killed)


def _note(
    world: World, tally: Tally, database: dict[str, Any], box: Mailbox, said: list[str], told: list[str]
) -> None:
    done = [one for one in said if "." in one.split(" ")[0]]
    told += done
    tally.acknowledged += len(done)
    tally.broken += [one for one in said if one.startswith("failed")]
    with _looking(world, database):
        tally.broken += [*wrong(box), *missing(told)]


def _compare(world: World, tally: Tally, database: dict[str, Any], box: Mailbox, killed: int) -> None:
    from mtok.venue.database.models import Message

    with _looking(world, database):
        found = content()
        tally.broken += [f"{name} differ" for name, one in found.items() if one != world.known[name]]
        wanted = {f"<{one}@mtok.example>" for one in Message.objects.values_list("pk", flat=True)}
    taken = Counter(box.ids)
    if taken.keys() != wanted:
        tally.broken.append(
            f"{len(wanted - taken.keys())} mails never came, {len(taken.keys() - wanted)} are nobody's"
        )
    twice = taken.total() - len(taken)
    tally.sent_twice += twice
    if twice > killed:
        tally.broken.append(f"{twice} mails came again after {killed} kills")


@contextmanager
def _looking(world: World, database: dict[str, Any]) -> Iterator[None]:
    """Look at a database from here, once nobody else is connected to it."""
    from django.db import connection

    with venues._using(database):
        if world.kind == POSTGRESQL:
            until = time.monotonic() + _SECONDS_MAX
            query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            with connection.cursor() as cursor:
                while True:
                    cursor.execute(query)
                    if cursor.fetchone()[0] == 1:
                        break
                    assert time.monotonic() < until, "a session of a killed process goes on"
                    time.sleep(0.01)
        yield


# ---- worlds


@contextmanager
def sqlite_world(folder: Path) -> Iterator[World]:
    """Give a world whose venues are files of SQLite."""
    from django.db import connections

    venues.configured()
    template = folder / "template.sqlite3"
    with venues.sqlite(template), venues.clock() as clock, offering():
        story = _begun(clock)
        connections["default"].cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    count = iter(range(10**9))

    def fresh() -> dict[str, Any]:
        path = folder / f"{next(count)}.sqlite3"
        shutil.copy(template, path)
        return dict(connections.databases["default"]) | {"NAME": str(path)}

    yield _known(World(kind=SQLITE, story=story, fresh=fresh))


@contextmanager
def postgresql_world(cluster: Cluster) -> Iterator[World]:
    """Give a world whose venues are databases of a cluster."""
    from django.db import connections

    from mtok.venue.database.addresses import database

    folder = venues.configured()
    with venues.postgresql(cluster) as address, venues.clock() as clock, offering():
        story = _begun(clock)
        template = connections["default"].settings_dict["NAME"]
        assert address.endswith(template)
    count = iter(range(10**9))

    def fresh() -> dict[str, Any]:
        address = cluster.create(f"killed_{next(count)}", template)
        return venues._settings(database(address, folder))

    yield _known(World(kind=POSTGRESQL, story=story, fresh=fresh))


def _begun(clock: Any) -> Story:
    from mtok.venue.otc import clockwork

    clockwork.begin(clock())
    return Story(clock)


def _known(world: World) -> World:
    """Do all of it once here, so that no child has anything to import; then in a child, and remember its content."""
    with mailbox() as box, venues._using(world.fresh()), offering():
        carry_on(world.story, lambda _: None, box)
    with mailbox() as box:
        database, began = world.fresh(), time.monotonic()
        said = run_child(world, database, box, 0, None)
        assert "finished" in said, said
        world.seconds = time.monotonic() - began
        world.points = int(next(one for one in said if one.startswith("passed")).split()[1])
        with _looking(world, database):
            world.known = content()
            assert list(wrong(box)) == []
            assert len(world.known["mails"]) == len(box.raw)
    return world
