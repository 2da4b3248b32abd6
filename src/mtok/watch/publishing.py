"""How the publication of a store stands: the last one, the size of the log, and which final prints are late.

A date's final print is due at the hour of the policy. Only a store that has a key or has published can be late, and
only from its first published date on, or from the first day whose volumes it holds while nothing is published.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from mtok.calendar import DAY, day_of, format_date, format_instant, parse_date, parse_instant
from mtok.errors import EnvironmentFailed
from mtok.observations import Observations
from mtok.publication.entries import Entry
from mtok.publication.keys import has_key
from mtok.publication.policy import Stage, load_policy
from mtok.publication.published import FOLDER, Published
from mtok.watch.alarms import ALARMS_MAX, Alarm
from mtok.watch.freshness import HOUR

PUBLICATION_LATE: Final = 2 * HOUR
"""How long after it is due a final print may come."""

_OPEN: Final = frozenset({Stage.PRELIM, Stage.INFORMATIONAL})
"""Stages that are no final print."""


class Publishing(msgspec.Struct, frozen=True, kw_only=True):
    """The publication of a store at an instant.

    published_at : instant of the last one, None before the first · entries : size of the log
    next_due : instant from which another print is due · damage : why it cannot be read, None where it can
    """

    published_at: str | None
    entries: int
    next_due: str
    damage: str | None = None


def publishing_of(observations: Observations, now: int) -> tuple[Publishing | None, list[Alarm]]:
    """Return how the publication stands at `now`, None for a store that does not publish, and what is late of it."""
    store = observations.store
    folder, policy = store.path / FOLDER, load_policy()
    if not has_key(store) and not (folder / "log").exists():
        return None, []
    due_after = policy.final + PUBLICATION_LATE
    newest = day_of(now - due_after) - 1
    entries: list[Entry] = []
    damage = None
    try:
        entries = [one for one in Published(folder).entries if parse_instant(one["time"]) <= now]
    except EnvironmentFailed as error:
        damage = error.found
    publishing = Publishing(
        published_at=entries[-1]["time"] if entries else None,
        entries=len(entries),
        next_due=format_instant(policy.next_due(now)),
        damage=damage,
    )
    if damage is not None:
        late, found = [newest], f"the publication cannot be read: {damage}"
    else:
        first = _first_day(entries, observations, now)
        late = [] if first is None else list(_late_days(entries, first, newest))
        found = "no final print is published"
    alarms = [
        Alarm(
            day=format_date(day),
            code="publication_late",
            subject=format_date(day),
            found=f"{found}; it was due at {format_instant((day + 1) * DAY + policy.final)}",
            since=format_instant((day + 1) * DAY + due_after),
            count=1,
        )
        for day in late[-ALARMS_MAX:]
    ]
    return publishing, alarms


def _first_day(entries: list[Entry], observations: Observations, now: int) -> int | None:
    """Return the first day that is published, or would be; None where there is none."""
    dates = [entry["date"] for entry in entries if entry["type"] in ("point", "nodata")]
    if dates:
        return parse_date(min(dates))
    rows = observations.rows("volume_days", "day", "reason")
    return min((day for day, reason in rows if reason is None and day < day_of(now)), default=None)


def _late_days(entries: list[Entry], first: int, newest: int) -> Iterator[int]:
    """Yield the days up to `newest` that have no final print, nor an entry that says why there is none."""
    dated = [entry for entry in entries if entry["type"] in ("point", "nodata")]
    final = {entry["date"] for entry in dated if entry["stage"] not in _OPEN}
    yield from (day for day in range(first, newest + 1) if format_date(day) not in final)
