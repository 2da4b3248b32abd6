"""What the venue does because it is time, each once, and again from where it was interrupted: draws, runs, what lapses.

Whoever gives a command makes the runs that were due before it; the worker (`mtok venue work`) does everything else.
"""

from __future__ import annotations

import itertools
from functools import lru_cache

from mtok.calendar import DAY, parse_instant
from mtok.market.book import REQUEST
from mtok.market.commands import Command
from mtok.market.cycle import last_run
from mtok.proofs import Tree, leaf_hash
from mtok.settlement.people import SYSTEM
from mtok.settlement.specification import specification
from mtok.venue import place, private_log, trading
from mtok.venue.accounts.models import new_id
from mtok.venue.database import giving, runs
from mtok.venue.database.models import RequestRow
from mtok.venue.database.records import KINDS
from mtok.venue.database.transactions import transaction_of
from mtok.venue.environment import venue_environment
from mtok.venue.opened import Opened


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
    """
    if is_run(now):
        return []
    begin(now)
    done = runs.last_made()
    assert done is not None
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
        if request.root is not None or request.accepted_at is None:
            continue
        root = first_root(place.opened(), request.accepted_at, now)
        if root is not None:
            command = Command(kind=REQUEST, command="draw", id=row.pk, actor=SYSTEM, at=now, details=root)
            giving.give(command, trading.surroundings())
            count += 1
    return count


def let_time_pass(now: int) -> giving.Given:
    """Make the runs that are due, then do what is due by now."""
    make_runs(now)
    return giving.let_time_pass(trading.surroundings(), now)


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
