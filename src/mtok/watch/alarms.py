"""Alarms: the faults of captures, and what only shows when captures are compared. They change no value.

Every alarm is derived from observations and records: the same store at the same `now` has the same alarms. The
comparisons are SQL, one file each in `sql/`, on integers alone; what is late is a question of the instant.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import Final

import msgspec

from mtok.calendar import DAY, day_of, format_date, format_instant
from mtok.determination.folder import Determinations
from mtok.engine import Engine
from mtok.methodology import load
from mtok.observations.tables import TABLES, Observations
from mtok.watch.freshness import PRINTS_DUE, Freshness, freshness_of, newest_due

ALARMS_MAX: Final = 1_000
"""Alarms of a day and code; the rest is one more, without a subject, that counts them."""

PRICE_LOOK_BACK_DAYS: Final = 7
VOLUME_LOOK_BACK_DAYS: Final = 35

_COMPARISONS: Final = ("faults", "prices", "slugs", "volume_low", "restated", "clock")
_COLUMNS: Final = "day, captured, code, subject, found"


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """Something to look at.

    day : the UTC date it belongs to: of the capture that shows it; of `volume_low`, `short_capture` and `jump` the
    date that is concerned; of what is late the present one
    code, subject : what, of which model, date or endpoint; found : what was met, for people
    since : the instant of the first capture showing it, or when it became late · count : how many captures show it
    """

    day: str
    code: str
    subject: str
    found: str
    since: str
    count: int

    @property
    def alarms(self) -> int:
        """How many alarms this stands for: one, or those past the limit of a day and code."""
        return 1 if self.subject else self.count


def alarms_of(
    observations: Observations,
    engine: Engine,
    first_day: int,
    last_day: int,
    now: int,
    *,
    methodology: str = "1.0",
    freshness: Freshness | None = None,
) -> list[Alarm]:
    """Return the alarms that belong to [first_day, last_day], seen at `now` (an instant), by day, code and subject.

    freshness : of the same store at the same `now`, where the caller has it already
    Makes tables `watched_…` in the engine. `refresh` has been called.
    """
    _load(observations, engine, first_day, last_day, now, methodology)
    for name in ("shrunk", "holdings"):
        engine.query(name, _sql(name))
    shown = " UNION ALL ".join(f"SELECT {_COLUMNS} FROM ({_sql(name)})" for name in _COMPARISONS)
    engine.query(
        "raised",
        f"SELECT {_COLUMNS} FROM ({shown} UNION ALL SELECT {_COLUMNS} FROM shrunk) "
        f"WHERE day BETWEEN {first_day:d} AND {last_day:d}",
    )
    alarms = [
        Alarm(
            day=format_date(day),
            code=code,
            subject=subject,
            found=found,
            since=format_instant(captured),
            count=count,
        )
        for day, code, subject, found, captured, count, _ in engine.rows(
            _sql("collapsed").format(limit=ALARMS_MAX)
        )
    ]
    records = Determinations(observations.store, methodology)
    alarms += _jumps(records, engine, first_day, last_day)
    if first_day <= day_of(now) <= last_day:
        alarms += late_alarms(freshness or freshness_of(observations, engine, now), records, methodology)
    return sorted(alarms, key=lambda alarm: (alarm.day, alarm.code, not alarm.subject, alarm.subject))


def late_alarms(freshness: Freshness, records: Determinations, methodology: str) -> Iterator[Alarm]:
    """Yield what is late now: prices, the rankings of the newest completed day, its prints."""
    now = freshness.now

    def late(code: str, subject: str, found: str, since: int) -> Alarm:
        return Alarm(
            day=format_date(day_of(now)),
            code=code,
            subject=subject,
            found=found,
            since=format_instant(since),
            count=1,
        )

    if freshness.prices_late and freshness.prices_due is not None:
        newest = freshness.newest_prices
        found = "no readable capture" if newest is None else f"the newest is of {format_instant(newest)}"
        yield late("stale_prices", "models", found, freshness.prices_due)
    if freshness.rankings_late and freshness.next_day is not None and freshness.rankings_due is not None:
        held = freshness.newest_day
        newest_held = "no day held" if held is None else f"the newest day held is {format_date(held)}"
        found = f"{format_date(freshness.next_day)} is not held; {newest_held}"
        yield late("stale_rankings", "rankings-daily", found, freshness.rankings_due)
    due = newest_due(now, PRINTS_DUE)
    if freshness.first_live is not None and freshness.newest_day is not None and freshness.newest_day >= due:
        missing = [
            entry.series for entry in load(methodology).series if not records.read(entry.series, due, due)
        ]
        if missing and freshness.first is not None and due >= day_of(freshness.first):
            found = f"{format_date(due)} is held and not determined for {', '.join(missing)}"
            yield late("stale_prints", "determinations", found, (due + 1) * DAY + PRINTS_DUE)


def _jumps(records: Determinations, engine: Engine, first_day: int, last_day: int) -> Iterator[Alarm]:
    """Yield the records that carry the note `jump`, since the first capture that holds their day."""
    held = engine.rows("SELECT DISTINCT volume_source, day, first_captured FROM holdings")
    since = {(source, format_date(day)): format_instant(captured) for source, day, captured in held}
    for series in records.series():
        for record in records.read(series, first_day, last_day):
            if "jump" in record.notes and record.move and record.inputs.rankings:
                yield Alarm(
                    day=record.date,
                    code="jump",
                    subject=series,
                    found=f"{record.value} after {record.move.from_value} of {record.move.from_date}",
                    since=since.get((record.volume_source, record.date), record.inputs.rankings.as_of),
                    count=1,
                )


def _load(
    observations: Observations, engine: Engine, first_day: int, last_day: int, now: int, methodology: str
) -> None:
    """Make the tables the comparisons read, as far back as they look.

    A catalogue with the same bytes as the two before it and the one after it shows nothing that these do not, so it is
    `repeated` and its rows are left out: of a live store that is most of them. Two before it, because where the first
    of a row of equal ones has shrunk, the slugs that went are told of the second.
    """
    price_days = (first_day - PRICE_LOOK_BACK_DAYS, min(last_day, day_of(now)))
    volume_days = (first_day - VOLUME_LOOK_BACK_DAYS, day_of(now))

    def scan(table: str, days: tuple[int, int]) -> str:
        return engine.scan(TABLES[table], observations.files(table, *days))

    engine.query(
        "watched_captures",
        f"SELECT *, captured // {DAY} AS captured_day, "
        "CASE WHEN collector = 'primary' THEN '' ELSE collector || ' ' END AS of_collector, "
        "kind = 'models' AND LAG(sha256, 2) OVER before IS NOT DISTINCT FROM sha256 "
        "AND LAG(sha256) OVER before IS NOT DISTINCT FROM sha256 "
        "AND LEAD(sha256) OVER before IS NOT DISTINCT FROM sha256 AS repeated "
        f"FROM {scan('captures', volume_days)} WHERE captured <= {now:d} "
        f"AND NOT (kind = 'models' AND captured // {DAY} NOT BETWEEN {price_days[0]:d} AND {price_days[1]:d}) "
        "WINDOW before AS (PARTITION BY kind, collector ORDER BY captured, capture)",
    )
    seen = "capture IN (SELECT capture FROM watched_captures)"
    wanted = "capture IN (SELECT capture FROM watched_captures WHERE NOT repeated)"
    for table, days, more in (
        ("catalogue", price_days, ""),
        ("prices", price_days, "AND dimension = 'completion' AND min_prompt_tokens = 0"),
        ("volumes", volume_days, ""),
        ("volume_days", volume_days, ""),
        ("faults", (first_day, day_of(now)), ""),
    ):
        kept = wanted if table in ("catalogue", "prices") else seen
        engine.query(f"watched_{table}", f"SELECT * FROM {scan(table, days)} WHERE {kept} {more}")
    engine.table(
        "watched_series",
        {"author": "VARCHAR", "name_prefix": "VARCHAR"},
        [(entry.author, entry.name_prefix) for entry in load(methodology).series],
    )


def _sql(name: str) -> str:
    return (files("mtok.watch") / "sql" / f"{name}.sql").read_text("utf-8")
