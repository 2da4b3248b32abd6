"""The board: every company's print of one day, how it moved and why, in 80 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import chain
from typing import Any, Final

from mtok.archive import RANKINGS_DAILY
from mtok.calendar import format_date, parse_date
from mtok.cli.layout import Heading, Page, columns, hairline, wrapped
from mtok.methodology import COMPLETION_TOKENS
from mtok.records import Determination, point
from mtok.wording.figures import (
    ABSENT,
    day_text,
    meaningful_places,
    number,
    on_the_point,
    sparkline,
)
from mtok.wording.sentences import effects_line, sentence
from mtok.wording.statements import EFFECTS_EXPLAINED, LICENCE, TOP_50, WHAT_IT_IS, WHAT_IT_IS_BY_OUTPUT
from mtok.wording.words import SYMBOLS, change, company, company_of, reason, standing, weights

SPARKLINE_DAYS: Final = 30
_INDENT: Final = 13


History = Mapping[str, Sequence[Determination]]
"""Series id → its records up to the day of the board, in order of date."""


def board_content(history: History, day: int) -> dict[str, Any]:
    """Return the board for machines: the points of the day, with what they have in common beside them."""
    shown = [record for records in history.values() if (record := _of_day(records, day))]
    return {
        "date": format_date(day),
        "unit": shown[0].unit,
        "methodology": shown[0].methodology,
        "volume_source": shown[0].volume_source,
        "points": [point(record, basis=any(one.basis for one in shown)) for record in shown],
    }


def board_page(history: History, day: int, width: int) -> Page:
    """Return the board of a day that at least one series has a record of; the others are shown as having none."""
    today = {series: _of_day(records, day) for series, records in history.items()}
    shown = [record for record in today.values() if record]
    return [
        *_header(shown, day, width),
        "",
        *_table(history, today, day, width),
        "",
        *chain.from_iterable(wrapped(sentence(record), width) for record in shown),
        "",
        *wrapped(_what_it_is(shown[0]), width),
        "",
        *citation(shown),
    ]


def citation(records: Sequence[Determination]) -> Page:
    """Return whose volumes the records rest on, as their licence asks for."""
    found = {
        (record.volume_source, record.inputs.rankings.as_of) for record in records if record.inputs.rankings
    }
    lines = []
    for source, as_of in sorted(found):
        named = "OpenRouter (openrouter.ai/rankings)" if source == RANKINGS_DAILY else source
        lines.append(f"Source: {named}, as of {as_of}.")
    return [*lines, LICENCE] if any(source == RANKINGS_DAILY for source, _ in found) else lines


def _of_day(records: Sequence[Determination], day: int) -> Determination | None:
    return records[-1] if records and records[-1].date == format_date(day) else None


def _counted_by(record: Determination) -> str:
    return "used on OpenRouter" if record.volume_source == RANKINGS_DAILY else f"of {record.volume_source}"


def _what_it_is(record: Determination) -> str:
    if record.volume_source == RANKINGS_DAILY:
        return f"{WHAT_IT_IS} {TOP_50}"
    return WHAT_IT_IS_BY_OUTPUT if record.diagnostics.weight_basis == COMPLETION_TOKENS else WHAT_IT_IS


def _header(shown: Sequence[Determination], day: int, width: int) -> Page:
    return [
        Heading("mtok  the open reference price for AI tokens"),
        f"USD per 1M output tokens, weighted by {weights(shown[0].diagnostics.weight_basis)} {_counted_by(shown[0])}",
        *wrapped(f"Print of {day_text(format_date(day))} · {standing(shown)}", width),
    ]


def _table(history: History, today: Mapping[str, Determination | None], day: int, width: int) -> Page:
    names = [company(record) if record else company_of(series) for series, record in today.items()]
    symbols = [SYMBOLS.get(record.quality, "?") if record else " " for record in today.values()]
    labelled = [f"{symbol} {name}" for symbol, name in zip(symbols, names, strict=True)]
    figures = _figures(list(today.values()))
    rows = [["  Company", "Price", "Day", "7-day", "30-day"]]
    rows += [[name, *cells] for name, cells in zip(labelled, figures, strict=True)]
    lines = columns(rows, "<>>>>", gap=1)
    used = max(map(len, lines)) + 2
    room = width - used
    days = SPARKLINE_DAYS if room >= SPARKLINE_DAYS else room // 7 * 7
    head, *behind = (line.ljust(used) for line in lines)
    page: Page = [Heading(f"{head}{days} days to {_short(day)}, own scale"[:width]), hairline(width)]
    for (series, record), line in zip(today.items(), behind, strict=True):
        page += [f"{line}{_trend(history[series], day, days)}".rstrip(), *_beneath(record, width)]
    return [*page, hairline(width), *wrapped(EFFECTS_EXPLAINED, width)]


def _figures(records: Sequence[Determination | None]) -> list[list[str]]:
    """Return price, change and averages of each record; the prices of a column stand on the decimal point."""
    prices, averages_7d, averages_30d = (
        on_the_point(_price(record, getattr(record, name, None)) for record in records)
        for name in ("value", "average_7d", "average_30d")
    )
    changes = [change(record) if record else ABSENT for record in records]
    return [
        [price, f" {moved}", f" {average_7d}", f" {average_30d}"]
        for price, moved, average_7d, average_30d in zip(
            prices, changes, averages_7d, averages_30d, strict=True
        )
    ]


def _price(record: Determination | None, value: str | None) -> str:
    if record is None or record.value is None or value is None:
        return ABSENT
    return number(value, meaningful_places(record.value))


def _trend(records: Sequence[Determination], day: int, days: int) -> str:
    values = {parse_date(record.date): record.value for record in records}
    printed = (values.get(date) for date in range(day - days + 1, day + 1))
    return sparkline([None if value is None else Decimal(value) for value in printed])


def _beneath(record: Determination | None, width: int) -> Page:
    """Return the quality in words with what moved the value, then the reasons."""
    if record is None:
        return ["  no record of this day"]
    moved = wrapped(effects_line(record), width, _INDENT)
    reasons = [wrapped(_told(record, code), width, _INDENT) for code in record.reasons]
    return [
        f"  {record.quality:{_INDENT - 2}}{moved[0][_INDENT:]}",
        *moved[1:],
        *chain.from_iterable(reasons),
    ]


def _told(record: Determination, code: str) -> str:
    words = reason(record, code)
    return words if record.value is None else f"{code}: {words}"


def _short(day: int) -> str:
    return day_text(format_date(day)).rsplit(maxsplit=1)[0]
