"""Which of the published vintages a question means: the one in force, as known at an instant, or one by its number."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Callable, Iterable

from mtok.calendar import DAY, format_date, parse_date, parse_instant
from mtok.client.links import INFORMATIONAL
from mtok.client.points import Point, cell, instant, typed
from mtok.client.refusals import CallRefused

Day = dt.date | str
"""A UTC day: a date, or `YYYY-MM-DD`."""

Moment = dt.datetime | dt.date | str
"""An instant: with its time zone, or `YYYY-MM-DDTHH:MM:SSZ`. A day means its end, 24:00 UTC."""

Row = dict[str, str]


def date_of(asked: Day, name: str) -> str:
    """Return a day as published files write it. Raises CallRefused `date_invalid`."""
    try:
        if isinstance(asked, dt.datetime):
            raise ValueError
        return format_date(parse_date(asked.isoformat() if isinstance(asked, dt.date) else asked))
    except (TypeError, ValueError):
        raise CallRefused(
            "date_invalid",
            f"{name}: {asked!r} is not a date",
            "Give a datetime.date, or text such as 2026-06-20.",
        ) from None


def span_of(start: Day | None, end: Day | None) -> tuple[str, str]:
    """Return the first and the last day. Raises CallRefused `date_invalid`, `dates_out_of_order`."""
    first = "0001-01-01" if start is None else date_of(start, "start")
    last = "9999-12-31" if end is None else date_of(end, "end")
    if first > last:
        raise CallRefused(
            "dates_out_of_order",
            f"start {first} is after end {last}",
            "Name the earlier date first; both days are included.",
        )
    return first, last


def instant_of(asked: Moment) -> int:
    """Return the last microsecond that counts as `asked`. Raises CallRefused `instant_invalid`.

    >>> instant_of("1970-01-01") == instant_of(dt.date(1970, 1, 1)) == DAY - 1
    True
    """
    try:
        if isinstance(asked, dt.datetime):
            if asked.tzinfo is None:
                raise ValueError
            return instant(asked)
        text = asked.isoformat() if isinstance(asked, dt.date) else asked
        return (parse_date(text) + 1) * DAY - 1 if len(text) == 10 else parse_instant(text)
    except (TypeError, ValueError):
        raise CallRefused(
            "instant_invalid",
            f"as_of: {asked!r} is not an instant",
            "Give a date (its end, UTC), a datetime with a time zone, or text such as 2026-07-03T12:00:00Z.",
        ) from None


def rows_of(raw: bytes) -> list[Row]:
    """Return the rows of a published CSV file, every cell as text."""
    return list(csv.DictReader(io.StringIO(raw.decode(), newline="")))


def as_known(rows: Iterable[Row], as_of: int) -> list[Row]:
    """Return of each series and date the vintage that was in force at an instant: the last not informational."""
    return _last(
        rows, lambda row: row["stage"] != INFORMATIONAL and parse_instant(row["published_at"]) <= as_of
    )


def numbered(rows: Iterable[Row], vintage: int) -> list[Row]:
    """Return of each series and date the vintage with a number, where there is one."""
    return _last(rows, lambda row: row["vintage"] == str(vintage))


def _last(rows: Iterable[Row], holds: Callable[[Row], bool]) -> list[Row]:
    found: dict[tuple[str, str], Row] = {}
    for row in rows:
        key = (row["series"], row["date"])
        if holds(row) and (key not in found or int(row["vintage"]) >= int(found[key]["vintage"])):
            found[key] = row
    return [found[key] for key in sorted(found)]


def point_of(row: Row) -> Point:
    """Return the point of a row."""
    point: Point = typed({name: cell(name, text) for name, text in row.items()}, Point)
    return point
