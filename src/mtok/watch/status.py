"""How the last days went, day by day, and what is late now: what `mtok status` shows and the sinks are told.

Read only, and derived from the observations and records that are there: whoever calls has brought them up to date.
`now` is injected; what was captured after it does not count.
"""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Final

import msgspec

from mtok.archive import RANKINGS_DAILY, Store, StoreParameters
from mtok.calendar import DAY, DAY_SECONDS, SECOND, day_of, format_date, format_instant
from mtok.determination.folder import Determinations
from mtok.engine import EmbeddedEngine, Engine
from mtok.methodology import load
from mtok.observations.tables import TABLES, Observations
from mtok.watch.alarms import Alarm, alarms_of
from mtok.watch.codes import LATE, code_of
from mtok.watch.freshness import Freshness, freshness_of
from mtok.watch.publishing import Publishing, publishing_of

STATUS_DAYS: Final = 30
FREE_BYTES_MIN: Final = 2**30


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Print(_Record, frozen=True, kw_only=True):
    """What was determined for a series on a day: the quality and the reasons of R-10."""

    quality: str
    reasons: tuple[str, ...]


class DayStatus(_Record, frozen=True, kw_only=True):
    """A UTC day.

    before_first : the store had captured nothing yet; such a day is never late
    price_captures : readable captures of prices by a primary collector · longest_gap : the longest time without
    one, seconds, from 00:00 to 24:00 and today to now
    rankings_first, rankings_last : instants of the first and the latest capture that holds the day
    rankings_reason : why no capture holds it though one names it
    attempts_failed : attempts that yielded no response, by code · alarms : how many, by code
    printed : series → what was determined, None where nothing was
    """

    date: str
    before_first: bool
    price_captures: int
    longest_gap: int
    rankings_first: str | None
    rankings_last: str | None
    rankings_reason: str | None
    attempts_failed: dict[str, int]
    alarms: dict[str, int]
    printed: dict[str, Print | None]


class Status(_Record, frozen=True, kw_only=True):
    """A store at an instant; instants and dates are text, UTC.

    newest_prices, newest_rankings_day : None where there is none
    prices_due, rankings_due : when the next ones are late, None where nothing was ever collected live; next_day :
    the day whose rankings are waited for
    publication : None for a store that does not publish
    free_bytes : on the file system of the store · attempts_failed : of the last 24 h, by code
    late : what is late now · open : alarms that belong to today or yesterday or were first shown since, `late`
    among them · days : newest first
    """

    store: str
    at: str
    methodology: str
    newest_prices: str | None
    newest_prices_age: int | None
    prices_due: str | None
    newest_rankings_day: str | None
    next_day: str | None
    rankings_due: str | None
    publication: Publishing | None
    free_bytes: int
    attempts_failed: dict[str, int]
    late: tuple[Alarm, ...]
    open: tuple[Alarm, ...]
    days: tuple[DayStatus, ...]


def status_of(store: Store, now: int, days: int = STATUS_DAYS, methodology: str = "1.0") -> Status:
    """Return the status of a store at `now` (an instant) with its last `days` UTC days, today included.

    Raises EnvironmentFailed when observations or records cannot be read.
    """
    return watched(store, now, days, methodology)[0]


def watched(
    store: Store, now: int, days: int = STATUS_DAYS, methodology: str = "1.0"
) -> tuple[Status, tuple[Alarm, ...]]:
    """Return the status as `status_of` does, and every alarm of its days, not the open ones alone."""
    observations, engine = Observations(store), EmbeddedEngine()
    today = day_of(now)
    first_day = today - days + 1
    freshness = freshness_of(observations, engine, now)
    alarms = alarms_of(
        observations, engine, first_day, today, now, methodology=methodology, freshness=freshness
    )
    free_bytes = shutil.disk_usage(store.path).free
    alarms += _disk_alarms(free_bytes, now)
    publication, late_prints = publishing_of(observations, now)
    alarms += late_prints
    captures = _captures(observations, engine, first_day, now)
    yesterday = format_date(today - 1)
    status = Status(
        store=str(store.path),
        at=format_instant(now),
        methodology=methodology,
        newest_prices=_instant(freshness.newest_prices),
        newest_prices_age=None
        if freshness.newest_prices is None
        else (now - freshness.newest_prices) // SECOND,
        prices_due=_instant(freshness.prices_due),
        newest_rankings_day=None if freshness.newest_day is None else format_date(freshness.newest_day),
        next_day=None if freshness.next_day is None else format_date(freshness.next_day),
        rankings_due=_instant(freshness.rankings_due),
        publication=publication,
        free_bytes=free_bytes,
        attempts_failed=_failed(capture for capture in captures if capture["captured"] > now - DAY),
        late=tuple(alarm for alarm in alarms if code_of(alarm.code).severity == LATE),
        open=tuple(alarm for alarm in alarms if max(alarm.day, alarm.since[:10]) >= yesterday),
        days=_days(store, captures, alarms, engine, freshness, range(today, first_day - 1, -1), methodology),
    )
    return status, tuple(alarms)


def longest_gap(seconds: Iterable[int], end: int) -> int:
    """Return the longest stretch of [0, end] seconds without a capture.

    >>> longest_gap([3_600, 10_800], 14_400)
    7200
    """
    marks = [0, *sorted(seconds), end]
    return max(later - earlier for earlier, later in pairwise(marks))


def _days(
    store: Store,
    captures: Sequence[dict[str, Any]],
    alarms: Sequence[Alarm],
    engine: Engine,
    freshness: Freshness,
    days: Sequence[int],
    methodology: str,
) -> tuple[DayStatus, ...]:
    parameters = store.parameters
    by_day: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for capture in captures:
        by_day[day_of(capture["captured"])].append(capture)
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for alarm in alarms:
        counts[alarm.day][alarm.code] += alarm.alarms
    rankings = _rankings(engine)
    printed = _printed(store, methodology, min(days), max(days))
    found = []
    for day in days:
        date = format_date(day)
        prices = _price_seconds(by_day[day], day, parameters)
        end = min(freshness.now - day * DAY, DAY) // SECOND
        first, last, reason = rankings.get(day, (None, None, None))
        found.append(
            DayStatus(
                date=date,
                before_first=freshness.first is None or day < day_of(freshness.first),
                price_captures=len(prices),
                longest_gap=longest_gap(prices, min(end, DAY_SECONDS)),
                rankings_first=_instant(first),
                rankings_last=_instant(last),
                rankings_reason=reason if first is None else None,
                attempts_failed=_failed(by_day[day]),
                alarms=dict(sorted(counts[date].items())),
                printed={series: records.get(date) for series, records in printed.items()},
            )
        )
    return tuple(found)


def _captures(observations: Observations, engine: Engine, first_day: int, now: int) -> list[dict[str, Any]]:
    files = observations.files("captures", first_day, day_of(now))
    engine.query(
        "status_captures",
        f"SELECT captured, collector, kind, readable, failure FROM {engine.scan(TABLES['captures'], files)} "
        f"WHERE captured <= {now:d}",
    )
    return engine.records("status_captures")


def _price_seconds(captures: Iterable[dict[str, Any]], day: int, parameters: StoreParameters) -> list[int]:
    """Return the seconds of a day at which a primary collector captured readable prices."""
    return [
        (capture["captured"] - day * DAY) // SECOND
        for capture in captures
        if capture["kind"] == "models"
        and capture["readable"]
        and (entry := parameters.in_force(capture["collector"], day))
        and entry.rank == 1
    ]


def _rankings(engine: Engine) -> dict[int, tuple[int | None, int | None, str | None]]:
    """Return by day: first and latest capture that holds it, and the reason of the latest that rejects it."""
    return {
        day: (first, last, reason)
        for day, first, last, reason in engine.rows(
            "SELECT named.day, MIN(captured) FILTER (reason IS NULL), MAX(captured) FILTER (reason IS NULL), "
            "MAX_BY(reason, (instant, sha256)) FILTER (reason IS NOT NULL) "
            "FROM watched_volume_days AS named JOIN watched_captures AS captures USING (capture) "
            f"WHERE COALESCE(volume_source, '{RANKINGS_DAILY}') = '{RANKINGS_DAILY}' GROUP BY named.day"
        )
    }


def _printed(store: Store, methodology: str, first_day: int, last_day: int) -> dict[str, dict[str, Print]]:
    records = Determinations(store, methodology)
    return {
        entry.series: {
            record.date: Print(quality=record.quality, reasons=record.reasons)
            for record in records.read(entry.series, first_day, last_day)
        }
        for entry in load(methodology).series
    }


def _failed(captures: Iterable[dict[str, Any]]) -> dict[str, int]:
    return dict(sorted(Counter(capture["failure"] for capture in captures if capture["failure"]).items()))


def _disk_alarms(free_bytes: int, now: int) -> list[Alarm]:
    if free_bytes >= FREE_BYTES_MIN:
        return []
    at = format_instant(now)
    found = f"{free_bytes // 2**20} MiB free"
    return [Alarm(day=at[:10], code="disk_low", subject="store", found=found, since=at, count=1)]


def _instant(instant: int | None) -> str | None:
    return None if instant is None else format_instant(instant)
