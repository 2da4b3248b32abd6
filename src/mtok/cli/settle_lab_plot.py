"""The plot of a replay in characters: marks, daily settlement price and trade price, each with a sign of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mtok.calendar import format_date
from mtok.cli.layout import Page
from mtok.lab import Replay
from mtok.quantities import half_even
from mtok.settlement.values import price_text
from mtok.wording.figures import day_text

ROWS: Final = 13
MARK: Final = "●"
CARRIED: Final = "○"
DAILY: Final = "━"
TRADE: Final = "·"
NONE: Final = "×"
BEGIN: Final = "┆"
_CELL_MAX: Final = 8


class _Canvas:
    """Rows of characters: days from left to right, prices from low to high."""

    def __init__(self, days: range, low: int, high: int, room: int) -> None:
        self._days, self._low, self._high = days, low, high
        self.width = min(room, len(days) * _CELL_MAX)
        self.rows = [[" "] * self.width for _ in range(ROWS)]

    def row(self, price: int) -> int:
        """Return the row of a price, 0 at the top."""
        if self._high == self._low:
            return ROWS // 2
        return half_even((self._high - price) * (ROWS - 1), self._high - self._low)

    def span(self, day: int) -> range:
        """Return the columns of a day, one at least."""
        place, count = day - self._days.start, len(self._days)
        begin, end = place * self.width // count, (place + 1) * self.width // count
        return range(begin, max(end, begin + 1))

    def put(self, day: int, row: int, sign: str, *, across: bool = False) -> None:
        """Write a sign in the middle of a day, or across it."""
        columns = self.span(day)
        for column in columns if across else [columns[(len(columns) - 1) // 2]]:
            self.rows[row][column] = sign


def plot_lines(found: Replay, width: int) -> Page:
    """Return the plot and its legend, no line longer than `width`."""
    marks = found.marks
    daily = {day.margin.day: day.margin.settlement_price for day in found.margin.days}
    values = [*marks.values(), *daily.values(), found.terms.price]
    low, high = min(values), max(values)
    labels = [price_text(price) for price in (high, found.terms.price, low)]
    margin = max(map(len, labels))
    days = range(found.terms.traded, found.terms.last + 1)
    canvas = _Canvas(days, low, high, width - margin - 2)
    _draw(canvas, found, daily)
    at = {0: labels[0], ROWS - 1: labels[2]} | {canvas.row(found.terms.price): labels[1]}
    if high == low:
        at = {canvas.row(low): labels[1]}
    drawn = [f"{at.get(row, ''):>{margin}} │{''.join(signs)}" for row, signs in enumerate(canvas.rows)]
    return [*drawn, *_axis(canvas, found, margin), *_legend(found, width)]


def _draw(canvas: _Canvas, found: Replay, daily: dict[int, int]) -> None:
    days = range(found.terms.traded, found.terms.last + 1)
    for day in days:
        canvas.put(day, canvas.row(found.terms.price), TRADE, across=True)
    if found.terms.traded < found.terms.first:
        begin = canvas.span(found.terms.first)[0]
        for row in canvas.rows:
            row[begin - 1] = BEGIN
    for day, price in daily.items():
        canvas.put(day, canvas.row(price), DAILY, across=True)
    for one in found.days:
        if one.source_day is None:
            canvas.put(one.day, ROWS - 1, NONE)
        else:
            sign = MARK if one.value is not None else CARRIED
            canvas.put(one.day, canvas.row(found.history.values[one.source_day]), sign)


def _axis(canvas: _Canvas, found: Replay, margin: int) -> Iterator[str]:
    left, right = (day_text(format_date(day)) for day in (found.terms.traded, found.terms.last))
    room = max(canvas.width - len(left), len(right) + 2)
    yield f"{'':{margin}} {'─' * (canvas.width + 1)}"
    yield f"{'':{margin}}  {left}{right:>{room}}"


def _legend(found: Replay, width: int) -> Page:
    signs = [(MARK, "mark"), (DAILY, "daily settlement price"), (TRADE, "trade price")]
    signs += [(CARRIED, "carried (F3)")] * any(
        day.value is None and day.source_day is not None for day in found.days
    )
    signs += [(NONE, "no mark")] * bool(found.refused)
    signs += [(BEGIN, "window begins")] * (found.terms.traded < found.terms.first)
    lines = [""]
    for sign, meaning in signs:
        one = f"{sign} {meaning}"
        if len(lines[-1]) + len(one) + 3 > width:
            lines.append("")
        lines[-1] += f"{'   ' if lines[-1] else ''}{one}"
    return lines
