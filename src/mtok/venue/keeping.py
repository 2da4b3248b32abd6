"""How the store under a publication stands: what was captured when, and what is odd, as `mtok status` tells it.

Read only, and for strangers: where the store is, and how much room it has, is not said. What cannot be read is told
as such.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Final

import duckdb
import msgspec

from mtok.archive import Store
from mtok.archive.published_files import PUBLICATION
from mtok.calendar import SECOND
from mtok.errors import MtokError
from mtok.watch import LATE, NOTE, Alarm, Status, code_of, status_of

_DAYS: Final = 7
_KEPT_FOR: Final = 60 * SECOND
ALARMS_MAX: Final = 20
"""Alarms that are told; the rest are counted."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """An alarm. meaning : of its code · subject : which model, date or endpoint · found : what was met"""

    code: str
    severity: str
    meaning: str
    subject: str
    day: str
    found: str
    since: str
    count: int


class CaptureDay(msgspec.Struct, frozen=True, kw_only=True):
    """A UTC day of capturing, as `mtok.watch.DayStatus` has it."""

    date: str
    price_captures: int
    longest_gap_seconds: int
    rankings_first: str | None
    attempts_failed: dict[str, int]


class Archive(msgspec.Struct, frozen=True, kw_only=True):
    """A store at an instant. damage : why it cannot be read, None where it can; the rest is empty then

    late, open : alarms, notes only counted in `notes`; `more` were not listed · days : newest first
    """

    damage: str | None = None
    newest_prices: str | None = None
    prices_due: str | None = None
    newest_rankings_day: str | None = None
    next_day: str | None = None
    rankings_due: str | None = None
    late: tuple[Told, ...] = ()
    open: tuple[Told, ...] = ()
    more: int = 0
    notes: int = 0
    days: tuple[CaptureDay, ...] = ()


def archive_of(folder: Path, now: int) -> Archive | None:
    """Return how the store stands whose `publication/` a folder is, None where that folder stands alone."""
    store = folder.parent
    if folder.name != PUBLICATION or not (store / "objects").is_dir():
        return None
    with _ASKING:  # who asks while it is found out waits for it
        return _archive(store, now - now % _KEPT_FOR)


_ASKING: Final = Lock()


@lru_cache(maxsize=1)
def _archive(store: Path, at: int) -> Archive:
    try:
        return _told(status_of(Store.open(store), at, _DAYS))
    except (MtokError, OSError, ValueError, duckdb.Error) as error:
        found = error.found if isinstance(error, MtokError) else type(error).__name__
        return Archive(damage=found.replace(f"{store}/", "").replace(str(store), "the store"))


def _told(status: Status) -> Archive:
    notes = [alarm for alarm in status.open if code_of(alarm.code).severity == NOTE]
    open_now = [alarm for alarm in status.open if code_of(alarm.code).severity not in (LATE, NOTE)]
    open_now.sort(key=lambda alarm: alarm.day, reverse=True)
    return Archive(
        newest_prices=status.newest_prices,
        prices_due=status.prices_due,
        newest_rankings_day=status.newest_rankings_day,
        next_day=status.next_day,
        rankings_due=status.rankings_due,
        late=tuple(map(_alarm, status.late)),
        open=tuple(map(_alarm, open_now[:ALARMS_MAX])),
        more=max(len(open_now) - ALARMS_MAX, 0),
        notes=sum(alarm.alarms for alarm in notes),
        days=tuple(
            CaptureDay(
                date=day.date,
                price_captures=day.price_captures,
                longest_gap_seconds=day.longest_gap,
                rankings_first=day.rankings_first,
                attempts_failed=day.attempts_failed,
            )
            for day in status.days
            if not day.before_first
        ),
    )


def _alarm(alarm: Alarm) -> Told:
    code = code_of(alarm.code)
    return Told(
        code=alarm.code,
        severity=code.severity,
        meaning=code.meaning,
        subject=alarm.subject,
        day=alarm.day,
        found=alarm.found,
        since=alarm.since,
        count=alarm.count,
    )
