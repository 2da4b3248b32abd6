"""The page of one series: its value over time, why it moved, what it rests on, every point, and the data."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from mtok.calendar import format_date, format_instant
from mtok.records import PublishedRecord
from mtok.venue.answers import public
from mtok.venue.asked import PAGE_POINTS, known_series
from mtok.venue.charts.axes import Days, scale_of
from mtok.venue.charts.panels import Line, Small, described, moves_plot, plot, small
from mtok.venue.history import History, Stretch, change_over
from mtok.venue.pages.dataset import dataset
from mtok.venue.pages.page import site_address
from mtok.venue.pages.series_asked import RANGE_NAMES, Asked, asked_of
from mtok.venue.place import now, opened
from mtok.wording.figures import (
    ABSENT,
    MINUS,
    TIED,
    counted,
    day_text,
    instant_text,
    meaningful_places,
    number,
    percent,
    signed_percent,
    trimmed,
)
from mtok.wording.sentences import amounts, sentence
from mtok.wording.words import EFFECTS, SYMBOLS, change, company_of, quality, reason, short_names

_LOOKED_BACK: Final = 60
"""Days before the last one among which the print at the head of the page, and those it is held against, are."""

_MEASURES: Final = {
    "price_coverage": ("coverage", "%", "tokens that need a price and have one"),
    "truncation_exposure": ("truncation exposure", "%", "the most one unseen model could weigh"),
    "unseen_ratio": ("unseen ratio", "×", "at most, all unseen models together compared with what is seen"),
    "imputed_token_share": ("imputed", "%", "weight at prices of another day"),
    "fallback_share": ("fallback", "%", "weight at prices of another collector"),
    "conflict_share": ("conflict", "%", "weight at prices that collectors dispute"),
}
"""Of a diagnostic: what it is called, its unit, and what it measures."""


@public
def series(request: HttpRequest, series: str) -> HttpResponse:
    """Return the page of a series."""
    is_now = opened()
    name = known_series(is_now, series)
    asked = asked_of(request, now())
    history = History(
        published=is_now.published, series=name, methodology=is_now.methodology(), known_at=asked.known_at
    )
    company = company_of(name)
    content: dict[str, Any] = {
        "title": company,
        "description": f"{company}: USD per 1M output tokens at posted prices, every day, and why it moved.",
        "preview": name,
        "preview_text": f"{company}: the value over time",
        "series": name,
        "asked": asked,
        "ranges": _ranges(asked),
        "known": _known(history),
        "worst_link": asked.query(worst="" if asked.worst else "1"),
        "base": site_address(request),
        "dataset": dataset(is_now, site_address(request), name),
    }
    if history.vintages:
        content |= _headed(history)
        first, last = asked.span(sorted(history.vintages))
        stretch = history.within(first, last)
        content["empty"] = _empty(history, first, last)
        if stretch.records:
            content |= _shown(stretch, Days(first, last), asked)
    return render(request, "series.html", content)


def _ranges(asked: Asked) -> list[dict[str, Any]]:
    """Return the ranges to choose from, each with its address."""
    return [
        {
            "name": name,
            "query": asked.query(**{"range": code, "from": "", "to": ""}),
            "current": asked.range == code,
        }
        for code, name in RANGE_NAMES.items()
    ]


def _known(history: History) -> dict[str, Any]:
    """Return as of when the page speaks, and on how many days that is not what is said today."""
    if history.known_at is None:
        return {}
    other, later = history.differing
    vintages = history.published.vintages.all()
    return {
        "at": instant_text(format_instant(history.known_at)),
        "days": counted(other + later, "day"),
        "other": other,
        "later": later,
        "first": instant_text(format_instant(min(one.known_at for one in vintages))),
    }


def _headed(history: History) -> dict[str, Any]:
    """Return the last print that can be read, how it changed, and what it is worth."""
    newest = max(history.vintages)
    records = history.within(newest - _LOOKED_BACK, newest).records
    if not records:
        records = {newest: history.published.outline(history.vintages[newest])}
    last = max(records)
    record = records[last]
    return {
        "last": record,
        "sentence": sentence(history.published.record(history.vintages[last])),  # an outline has no models
        "changes": {
            "Day": change(record),
            "7 days": _changed(records, last, 7),
            "30 days": _changed(records, last, 30),
        },
        "averages": {
            "7-day average": record.average_7d,
            "30-day average": record.average_30d,
            "Pure-price index": record.price_index,
        },
        "reasons": [reason(record, code) for code in record.reasons],
        "revised_last": history.revised(last),
    }


def _changed(records: Mapping[int, PublishedRecord], day: int, days: int) -> str:
    ratio = change_over(records, day, days)
    return ABSENT if ratio is None else signed_percent(ratio)


def _empty(history: History, first: int, last: int) -> str:
    """Return why there is nothing in a range, nothing where there is something."""
    if any(first <= day <= last for day in history.vintages):
        return ""
    ends = [day_text(format_date(day)) for day in (min(history.vintages), max(history.vintages))]
    return (
        f"Nothing is published of these days. The first day of this series is {ends[0]}, the last {ends[1]}."
    )


def _shown(stretch: Stretch, days: Days, asked: Asked) -> dict[str, Any]:
    """Return the charts, the table and the addresses of a range."""
    records = stretch.records
    printed = {day: record.value for day, record in records.items() if record.value is not None}
    places = meaningful_places(printed[max(printed)]) if printed else 2
    worst = (stretch.values("truncation_low"), stretch.values("truncation_high")) if asked.worst else None
    lines = [
        Line(kind=kind, name=name, values=stretch.values(field), figure=stretch.last(field))
        for kind, name, field in (
            ("line", "value", "value"),
            ("line-2", "7-day", "average_7d"),
            ("line-3", "30-day", "average_30d"),
        )
    ]
    index = stretch.values("price_index")
    return {
        "days": days,
        "span": f"{day_text(format_date(days.first))} to {day_text(format_date(days.last))}",
        "start": format_date(days.first),
        "end": format_date(days.last),
        "described": described(days, records),
        "value_plot": plot(
            days,
            lines,
            worst=worst,
            revised=stretch.revised,
            qualities={day: record.quality for day, record in records.items()},
        ),
        "qualities": _qualities(stretch),
        "unreadable": len(stretch.unreadable),
        "index_plot": plot(
            days,
            [Line(kind="line", name="index", values=index, figure=stretch.last("price_index"))],
            steps=2,
            least_step=Fraction(1, 2),
        ),
        "moves_plot": moves_plot(days, stretch.moves, places) if stretch.moves else None,
        "shares": _shares(stretch, days),
        "diagnostics": [_measure(stretch, days, field) for field in _MEASURES],
        "rows": [_row(stretch, day) for day in range(days.last, days.first - 1, -1)],
        "moves": [_move_row(record) for _, record in sorted(records.items(), reverse=True) if record.move],
        "effects": EFFECTS,
        "readout": _readout(records[max(records)]),
        "formats": _formats(stretch.history, days),
        "chart_data": _data(stretch, days, asked),
        "known_instant": "" if asked.known_at is None else format_instant(asked.known_at),
        "missing": days.last - days.first + 1 - len(printed),
    }


def _qualities(stretch: Stretch) -> list[str]:
    found = {record.quality for record in stretch.records.values()}
    return [quality for quality in SYMBOLS if quality in found]


def _shares(stretch: Stretch, days: Days) -> list[Small]:
    """Return the share of the greatest constituents and of the rest, all on one scale."""
    by_constituent, rest = stretch.shares
    names = short_names(by_constituent)
    measured = {names[one]: values for one, values in by_constituent.items()} | (
        {"the rest": rest} if rest else {}
    )
    scale = scale_of(
        [value for values in measured.values() for value in values.values()], steps=2, from_zero=True
    )
    return [
        small(days, name, values, scale, "%", _told(name, values, "%")) for name, values in measured.items()
    ]


def _measure(stretch: Stretch, days: Days, field: str) -> dict[str, Any]:
    """Return a diagnostic over time, on a scale of its own, and what it measures."""
    name, unit, what = _MEASURES[field]
    values = stretch.values(field)
    scale = scale_of(values.values(), steps=2, from_zero=True)
    return {"plot": small(days, name, values, scale, unit, _told(name, values, unit)), "what": what}


def _told(name: str, values: Mapping[int, Fraction], unit: str) -> tuple[str, str]:
    """Return the last of some values, and all of them in a few words."""
    if not values:
        return ABSENT, f"{name}: none"
    low, high, last = (
        _figure(value, unit) for value in (min(values.values()), max(values.values()), values[max(values)])
    )
    when = day_text(format_date(max(values)))
    return last, f"{name}: {last} on {when}, between {low} and {high} on {counted(len(values), 'day')}"


def _figure(value: Fraction, unit: str) -> str:
    return percent(value) if unit == "%" else f"{number(value, 2)}{unit}"


def _readout(record: PublishedRecord) -> str:
    """Return a day as the cursor of the chart reads it out."""
    parts = [
        f"{record.value} USD" if record.value else "no value",
        change(record) if record.move and record.value else "",
    ]
    for name, digits in (
        ("7-day", record.average_7d),
        ("30-day", record.average_30d),
        ("index", record.price_index),
    ):
        parts.append(f"{name}{TIED}{digits}" if digits else "")
    parts += [quality(record), record.stage]
    return f"{day_text(record.date)}: {', '.join(filter(None, parts))}"


def _formats(history: History, days: Days) -> list[dict[str, str]]:
    """Return the addresses of a range as files; without JSON where it would be but the first page of it."""
    asked = {"start": format_date(days.first), "end": format_date(days.last)}
    if history.known_at is not None:
        asked["as_of"] = format_instant(history.known_at)
    return [
        {
            "name": name,
            "address": f"/v1/series/{history.series}/points?{urlencode(asked | {'format': name.lower()})}",
        }
        for name in ("CSV", "JSON", "Parquet")
        if name != "JSON" or days.last - days.first < PAGE_POINTS
    ]


def _row(stretch: Stretch, day: int) -> dict[str, Any]:
    """Return a day of the table; of one without a record the date alone."""
    record = stretch.records.get(day)
    why = "cannot be read" if day in stretch.vintages else "not published"
    row: dict[str, Any] = {"date": format_date(day), "record": record, "why": why}
    if record is not None:
        row |= {
            "change": change(record),
            "coverage": percent(record.diagnostics.price_coverage)
            if record.diagnostics.price_coverage
            else ABSENT,
            "revised": day in stretch.revised,
        }
    return row


def _move_row(record: PublishedRecord) -> dict[str, Any]:
    """Return what moved the value of a day, in the digits of its record."""
    move = record.move
    assert move is not None
    found = amounts(move)
    return {
        "date": record.date,
        "from": move.from_date,
        "change": _amount(move.change),
        "effects": [(name, _amount(found[name]) if name in found else ABSENT) for name in EFFECTS],
        "replacement": _amount(found["replacement"]) if "replacement" in found else ABSENT,
    }


def _amount(digits: str) -> str:
    """Return an effect with its sign and the digits it was published with, without zeros at their end."""
    text = trimmed(digits).replace("-", MINUS)
    return text if text.startswith(MINUS) or not Decimal(digits) else f"+{text}"


def _data(stretch: Stretch, days: Days, asked: Asked) -> dict[str, Any]:
    """Return what the chart in the browser draws: a list a measure, an entry a day, digits as texts."""
    found = [stretch.records.get(day) for day in range(days.first, days.last + 1)]
    revised = set(stretch.revised)

    def column(field: str) -> list[str | None]:
        return [getattr(record, field) if record else None for record in found]

    data: dict[str, Any] = {
        "first": format_date(days.first),
        "told": [
            _readout(record) if record else f"{day_text(format_date(day))}: not published"
            for day, record in enumerate(found, days.first)
        ],
        "revised": [day - days.first for day in sorted(revised)],
    }
    data |= {field: column(field) for field in ("value", "average_7d", "average_30d", "quality")}
    if asked.worst:
        for field in ("truncation_low", "truncation_high"):
            data[field] = [getattr(record.diagnostics, field) if record else None for record in found]
    return data
