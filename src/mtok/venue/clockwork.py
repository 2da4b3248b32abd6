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
from mtok.venue import place, trading
from mtok.venue.accounts.models import new_id
from mtok.venue.database import giving
from mtok.venue.database.models import RequestRow, Run
from mtok.venue.database.records import KINDS
from mtok.venue.mail import due
from mtok.venue.opened import Opened


def begin(now: int) -> None:
    """Let the venue begin with the first run after now; one that has begun goes on."""
    if not Run.objects.exists():
        Run.objects.get_or_create(pk=last_run(now, specification()), defaults={"inputs": "", "outputs": ""})


def make_runs(now: int) -> list[int]:
    """Make every run that was due and has not been made, in order, each as of its own instant; return which."""
    due = last_run(now, specification())
    if Run.objects.filter(pk=due).exists():
        return []
    begin(now)
    done = Run.objects.order_by("-pk").values_list("pk", flat=True).first()
    assert done is not None
    missed = list(range(done + DAY, due + 1, DAY))
    for at in missed:
        draw_roots(at)
        giving.give_run(trading.surroundings(), at, (new_id() for _ in itertools.count()))
    return missed


def draw_roots(now: int) -> int:
    """Give every live request its draw: the root of the first checkpoint published after its acceptance, once there is one."""
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
