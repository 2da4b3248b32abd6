"""Runs as they are kept: events of their instant, what is looked at, as often as that changes, then what is found.

What is looked at is kept, and logged, before anything is matched; a run is made when what it found is kept.
"""

from __future__ import annotations

from typing import Final

import msgspec

from mtok.settlement.people import SYSTEM
from mtok.venue.database.models import Event

RUN: Final = "run"
INPUTS: Final = "run.inputs"
OUTPUTS: Final = "run.outputs"


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run that was made. at : its instant · inputs, outputs : canonical bytes as text, empty of the venue's first"""

    at: int
    inputs: str
    outputs: str


def last_made() -> int | None:
    """Return the instant of the last run that was made, None before the venue has begun."""
    found = (
        Event.objects.filter(kind=RUN, command=OUTPUTS).order_by("-at").values_list("at", flat=True).first()
    )
    return None if found is None else int(found)


def is_made(at: int) -> bool:
    """Return whether the run of an instant was made."""
    return Event.objects.filter(kind=RUN, command=OUTPUTS, object=str(at)).exists()


def inputs_of(at: int) -> str | None:
    """Return what the run of an instant looks at, as it was kept last; None before that."""
    events = Event.objects.filter(kind=RUN, command=INPUTS, object=str(at))
    return events.order_by("-version").values_list("record", flat=True).first()


def keep(at: int, command: str, record: str) -> None:
    """Keep what a run looks at, or what it found."""
    version = Event.objects.filter(kind=RUN, object=str(at)).count()
    Event.objects.create(
        at=at,
        kind=RUN,
        object=str(at),
        version=version,
        command=command,
        subject=str(at),
        person=SYSTEM.person,
        role=SYSTEM.role,
        details="null",
        state="begun" if command == INPUTS else "made",
        record=record,
    )


def looked_at() -> list[int]:
    """Return the instants of the runs that were made, in order, but the one at which the venue began."""
    made = Event.objects.filter(kind=RUN, command=OUTPUTS).exclude(record="")
    return list(made.order_by("at").values_list("at", flat=True))


def how_many() -> int:
    """Return how many runs were made."""
    return Event.objects.filter(kind=RUN, command=OUTPUTS).count()


def last_runs(first: int, end: int) -> list[Run]:
    """Return runs that were made, the newest first, of these places."""
    made = Event.objects.filter(kind=RUN, command=OUTPUTS).order_by("-at")[first:end]
    return [Run(at=one.at, inputs=inputs_of(one.at) or "", outputs=one.record) for one in made]
