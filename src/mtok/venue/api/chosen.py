"""Which of the published vintages an answer is about."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from mtok.calendar import format_instant
from mtok.errors import AnswerIsNo
from mtok.publication.policy import Stage
from mtok.publication.vintages import Vintage
from mtok.venue.api.asked import Days, no_point
from mtok.venue.asked import known_series
from mtok.venue.opened import Opened


def vintages_of(
    opened: Opened,
    series: str,
    days: Days,
    *,
    as_of: int | None = None,
    vintage: int | str | None = None,
    methodology: str | None = None,
    size: int | None = None,
) -> list[Vintage]:
    """Return the vintages of a series, by date: the one in force of each, or those `vintage` names.

    as_of : publications after this instant are not looked at · vintage : a number, or `all`
    size : entries of the log that are looked at, left out all of them
    """
    known = (
        one
        for one in opened.published.vintages.all()
        if one.series == series
        and one.date in days
        and methodology in (None, one.methodology)
        and (as_of is None or one.known_at <= as_of)
        and (size is None or one.index < size)
    )
    found = [one for _, group in groupby(known, key=lambda one: one.key) for one in _wanted(group, vintage)]
    return sorted(found, key=lambda one: (one.date, one.vintage, one.methodology))


def _wanted(group: Iterator[Vintage], vintage: int | str | None) -> list[Vintage]:
    """Return those wanted of the vintages of one date."""
    if vintage is None:
        return [one for one in group if one.stage != Stage.INFORMATIONAL][-1:]
    return [one for one in group if vintage in ("all", one.vintage)]


def vintage_of(
    opened: Opened, series: str, date: str, *, as_of: int | None = None, vintage: int | None = None
) -> Vintage:
    """Return the vintage of a date that is asked for, or the one in force.

    Raises AnswerIsNo where there is none, with the reason where the log has one.
    """
    known_series(opened, series)
    found = vintages_of(opened, series, Days(date, date), as_of=as_of, vintage=vintage)
    if found:
        return found[-1]
    for entry in opened.published.entries:
        if "failure" in entry and (entry["series"], entry["date"]) == (series, date):
            raise AnswerIsNo(
                "no_point",
                f"{date} of {series} could not be determined: {entry['failure']}",
                "The log says so; a later publication can still give it a value.",
            )
    there = vintages_of(opened, series, Days(date, date), as_of=as_of, vintage="all")
    if there and vintage is not None:
        known = ", ".join(str(one.vintage) for one in there)
        raise AnswerIsNo(
            "no_point", f"{series} has no vintage {vintage} of {date}", f"Vintages of {date}: {known}."
        )
    which = f"of {date}" if vintage is None else f"{vintage} of {date}"
    raise no_point(opened, series, which if as_of is None else f"{which} as of {format_instant(as_of)}")
