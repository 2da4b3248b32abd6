"""What the venue does because it is time, each once, and again from where it was interrupted: draws, runs, what lapses.

Whoever gives a command makes the runs that were due before it; the worker (`mtok venue work`) does everything else.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from mtok.calendar import DAY, format_instant, parse_instant
from mtok.errors import EnvironmentFailed, MtokError
from mtok.market.book import REQUEST
from mtok.market.commands import Command
from mtok.market.cycle import last_run
from mtok.proofs import Tree, leaf_hash
from mtok.publication.press import Outside, nowhere
from mtok.settlement.people import SYSTEM
from mtok.settlement.specification import specification
from mtok.venue import place
from mtok.venue.accounts.models import new_id
from mtok.venue.accounts.sessions import clear_ended
from mtok.venue.database import giving, runs
from mtok.venue.database.models import RequestRow
from mtok.venue.database.records import KINDS
from mtok.venue.database.transactions import transaction_of
from mtok.venue.environment import venue_environment
from mtok.venue.mail import due
from mtok.venue.mail.sending import Server
from mtok.venue.mail.work import deliver_due
from mtok.venue.opened import Opened
from mtok.venue.otc import printing, private_log, settling, trading

Part = Literal["all", "market", "marks"]

_MAILS_AT_ONCE: Final = 50
"""Mails of one tick, so that a slow server keeps nothing else waiting for long."""


def begin(now: int) -> None:
    """Let the venue begin with the first run after now; one that has begun goes on."""

    def work() -> None:
        if runs.last_made() is None:
            runs.keep(last_run(now, specification()), runs.OUTPUTS, "")

    transaction_of(work)


def is_run(now: int) -> bool:
    """Return whether every run that was due by now was made, and none later: whether a command may be given at now."""
    return runs.last_made() == last_run(now, specification())


def make_runs(now: int) -> list[int]:
    """Make every run that was due and has not been made, in order, each as of its own instant; return which.

    What a run looks at is in the private log before anything is matched, and what it found afterwards.
    Raises EnvironmentFailed (`clock_behind`) before a run that was made: what comes after it cannot be given a time.
    """
    if is_run(now):
        return []
    begin(now)
    done = runs.last_made()
    assert done is not None
    if now < done:
        raise EnvironmentFailed(
            "clock_behind",
            f"it is {format_instant(now)} here, and the run of {format_instant(done)} was made",
            "Nothing has changed. Whoever runs this venue sets the clock of the machine.",
        )
    missed = list(range(done + DAY, last_run(now, specification()) + 1, DAY))
    for at in missed:
        draw_roots(at)
        while not runs.is_made(at):
            giving.look_at_run(trading.surroundings(), at)
            log_events(now)
            giving.give_run(trading.surroundings(), at, (new_id() for _ in itertools.count()))
        log_events(now)
    return missed


def log_events(now: int) -> int:
    """Put what happened into the private log; return how many events."""
    folder = venue_environment().place()
    return private_log.append(folder, now) if private_log.is_kept(folder) else 0


def draw_roots(now: int) -> int:
    """Give live requests their draw, the root of the first checkpoint after acceptance; return how many got one."""
    count = 0
    for row in RequestRow.objects.filter(state="live").order_by("pk"):
        request = KINDS[REQUEST].read(row.record)
        if request.root is not None or request.accepted_at is None or now >= request.expires:
            continue
        root = first_root(place.opened(), request.accepted_at, now)
        if root is not None:
            command = Command(kind=REQUEST, command="draw", id=row.pk, actor=SYSTEM, at=now, details=root)
            giving.give(command, trading.surroundings())
            count += 1
    return count


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a tick has done of one kind. count : how often · refused : what could not be, in words"""

    name: str
    count: int = 0
    refused: tuple[str, ...] = ()


def tick(now: int, outside: Outside = nowhere, part: Part = "all") -> list[Step]:
    """Do everything that is due at an instant, in order, and return what was done.

    part : `marks`, what needs the key of the public log, for whoever publishes; `market`, the rest; or `all`

    What fails for a while, as where another process holds the store, keeps nothing after it from being done; the next
    tick takes it up. outside : where the head of the log is remembered outside the store, by origin
    """
    doings: list[tuple[str, Callable[[], Step]]] = [
        ("draws", lambda: Step(name="draws", count=draw_roots(now))),
        ("runs", lambda: Step(name="runs", count=len(make_runs(now)))),
        ("time", lambda: Step(name="time", count=len(let_time_pass(now).changes))),
        ("lapsed", lambda: Step(name="lapsed", count=printing.let_lapse(now))),
        ("marks", lambda: _of_marks(printing.publish_due(now, outside))),
        ("margin", lambda: _of_margin(settling.take_margin(now))),
        ("matured", lambda: Step(name="matured", count=settling.mature(now))),
        ("log", lambda: Step(name="log", count=log_events(now))),
        ("mails", lambda: Step(name="mails", count=_deliver())),
        ("sessions", lambda: Step(name="sessions", count=clear_ended(now))),
    ]
    return [
        _tried(name, do) for name, do in doings if part in ("all", "marks" if name == "marks" else "market")
    ]


def _tried(name: str, do: Callable[[], Step]) -> Step:
    try:
        return do()
    except MtokError as error:
        return Step(name=name, refused=(f"{error.code}: {error.found}",))


def _deliver() -> int:
    """Deliver mails that are due; without a mail server they wait."""
    server = Server.of(venue_environment())
    return 0 if server is None else deliver_due(server.send, place.now, _MAILS_AT_ONCE)


def _of_marks(done: printing.Printed) -> Step:
    return Step(name="marks", count=done.count, refused=done.refused)


def _of_margin(done: settling.Taken) -> Step:
    return Step(name="margin", count=done.count, refused=done.refused)


def let_time_pass(now: int) -> giving.Given:
    """Make the runs that are due, then do what is due by now, then tell what has to be told by now."""
    make_runs(now)
    given = giving.let_time_pass(trading.surroundings(), now)
    due.tell_due(now, specification())
    return given


@lru_cache(1024)
def first_root(opened: Opened, after: int, now: int) -> str | None:
    """Return the root, hexadecimal, of the first checkpoint published after an instant and not after now."""
    if opened.damage is not None:
        return None
    entries = opened.published.entries
    times = [parse_instant(entry["time"]) for entry in entries]
    later = next((time for time in times if after < time <= now), None)
    if later is None:
        return None
    size = max(count for count, time in enumerate(times, 1) if time == later)
    return Tree(map(leaf_hash, opened.published.raw_entries[:size])).root().hex()
