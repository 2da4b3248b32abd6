"""The board: the print of a day of every series, how it moved and why, and what to know when reading it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from http import HTTPStatus
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from mtok.calendar import DAY, day_of, format_date, format_instant, parse_date, parse_instant
from mtok.errors import AnswerIsNo, EnvironmentFailed, MtokError
from mtok.methodology import in_force, load
from mtok.publication.citations import rankings_as_of, source_line
from mtok.publication.policy import Stage, load_policy
from mtok.publication.vintages import Vintage
from mtok.records import PublishedRecord
from mtok.venue.answers import passing
from mtok.venue.asked import day_asked
from mtok.venue.opened import Opened
from mtok.venue.pages.dataset import dataset
from mtok.venue.pages.page import site_address
from mtok.venue.pages.trend import Trend, path_of, trend_of
from mtok.venue.place import now as instant_now
from mtok.venue.place import opened
from mtok.venue.refusals import told
from mtok.watch.publishing import PUBLICATION_LATE
from mtok.wording.figures import day_text, meaningful_places, signed_percent
from mtok.wording.statements import EFFECTS_EXPLAINED, TOP_50, WHAT_IT_IS
from mtok.wording.words import company_of

SPARK_WIDTH: Final = 150
SPARK_HEIGHT: Final = 30
_TABLE: Final = re.compile(r"(vintages|series/[a-z0-9-]+)\.csv")


_UNSEEN: Final = "What lies below is unseen; Quality says how much that could matter."


@dataclass(frozen=True, kw_only=True)
class Change:
    """The value against the one `days` before. text : in percent, empty without a print then · since : that date"""

    days: int
    text: str
    since: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """A series on the board. record : None without one · damage : why its record cannot be read

    places : with which its figures are shown · behind : how many fewer that are than the most on this board
    """

    series: str
    company: str
    record: PublishedRecord | None
    damage: str
    changes: tuple[Change, ...]
    trend: Trend
    line: str
    places: int
    behind: int = 0


def board(request: HttpRequest) -> HttpResponse:
    """Return the board of the last day, or of the day `date` names. Raises AnswerIsNo for a day without prints."""
    now = opened()
    if now.damage is not None:
        return _unreadable(request, now)
    dates = now.published.vintages.dates()
    if not dates:
        return _empty(request)
    asked = day_asked(request, "date")
    date = dates[-1] if asked is None else _published_date(dates, asked)
    rows = _rows(now, parse_date(date))
    shown = [row.record for row in rows if row.record]
    place, base = dates.index(date), site_address(request)
    content: dict[str, Any] = {
        "title": "Board" if asked is None else f"Board of {day_text(date)}",
        "address": f"{base}/" + ("" if asked is None else f"?date={date}"),
        "date": date,
        "rows": rows,
        "records": shown,
        "last": max(shown, key=lambda record: parse_instant(record.known_at), default=None),
        "previous": dates[place - 1] if place else None,
        "following": dates[place + 1] if place + 1 < len(dates) else None,
        "is_last": date == dates[-1],
        "next_due": format_instant(load_policy().next_due(instant_now())),
        "late": _late(now, instant_now()),
        "spark": {
            "width": SPARK_WIDTH,
            "height": SPARK_HEIGHT,
            "box": f"-2 -2 {SPARK_WIDTH + 4} {SPARK_HEIGHT + 4}",
        },
        "dataset": dataset(now, base),
        "source": source_line(rankings_as_of(shown)),
        "what": (WHAT_IT_IS, f"{TOP_50} {_UNSEEN}", EFFECTS_EXPLAINED),
    }
    return passing(render(request, "board.html", content))


def _published_date(dates: list[str], day: int) -> str:
    date = format_date(day)
    if date not in dates:
        raise AnswerIsNo(
            "date_unpublished",
            f"nothing is published of {date}",
            f"There are boards of {dates[0]} to {dates[-1]}; write the date as /?date={dates[-1]}.",
        )
    return date


def _rows(now: Opened, day: int) -> list[Row]:
    methodology = in_force(day)
    rows = [_row(now, entry.series, methodology, day) for entry in load(methodology).series]
    most = max(row.places for row in rows)
    return [replace(row, behind=most - row.places) for row in rows]


def _row(now: Opened, series: str, methodology: str, day: int) -> Row:
    vintages = now.published.in_force(series, methodology, None, day)
    trend = trend_of(vintages, day)
    record, damage = None, ""
    if vintages and vintages[-1].date == format_date(day):
        try:
            record = now.published.record(vintages[-1])
        except MtokError as error:
            damage = told(error.found)
    return Row(
        series=series,
        company=company_of(series),
        record=record,
        damage=damage,
        changes=tuple(_change(vintages, day, days) for days in (7, 30)),
        trend=trend,
        line=path_of(trend.runs(SPARK_WIDTH, SPARK_HEIGHT)),
        places=meaningful_places(record.value if record and record.value else "0"),
    )


def _change(vintages: list[Vintage], day: int, days: int) -> Change:
    values = {one.date: one.value for one in vintages}
    since = format_date(day - days)
    value, before = values.get(format_date(day)), values.get(since)
    text = signed_percent(Fraction(value) / Fraction(before)) if value and before else ""
    return Change(days=days, text=text, since=since)


def _late(now: Opened, instant: int) -> str:
    """Return since when a final print is missing, empty where none is late."""
    final = load_policy().final
    due = day_of(instant - final - PUBLICATION_LATE) - 1
    printed = [one.date for one in now.published.vintages.all_in_force() if one.stage != Stage.PRELIM]
    if printed and parse_date(max(printed)) >= due:
        return ""
    first_missing = parse_date(max(printed)) + 1 if printed else due
    return format_instant((first_missing + 1) * DAY + final)


def _empty(request: HttpRequest) -> HttpResponse:
    """Return the board of a publication that has printed nothing."""
    due = format_instant(load_policy().next_due(instant_now()))
    return passing(render(request, "board_empty.html", {"title": "Board", "next_due": due}))


def _unreadable(request: HttpRequest, now: Opened) -> HttpResponse:
    """Return that the log cannot be read, with the files that are still those that were published."""
    whole = [path for path in sorted(now.sums) if _TABLE.fullmatch(path) and _is_whole(now, path)]
    content = {"title": "Board", "whole": whole, "found": now.damage and told(now.damage.found)}
    response = render(request, "board_unreadable.html", content, status=HTTPStatus.SERVICE_UNAVAILABLE)
    response["Cache-Control"] = "no-store"
    response["Retry-After"] = "60"
    return response


def _is_whole(now: Opened, path: str) -> bool:
    try:
        now.read(path)
    except EnvironmentFailed:
        return False
    return True
