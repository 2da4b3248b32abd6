"""The chart of a bill: the user's own price beside one series, from the first to the last day of the export."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from mtok.calendar import parse_date
from mtok.venue.charts.axes import HEIGHT, Days, Tick, percent_of, scale_of
from mtok.venue.charts.paths import line

_TOP: Final = Fraction(6, 100)
_SHARE: Final = Fraction(80, 100)
"""Where the drawing begins and how much of the height it takes; dates stand below it."""


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Two lines over days, stretched to their box, and ticks in percent of the whole."""

    width: int
    height: int
    own: str
    series: str
    x: tuple[Tick, ...]
    y: tuple[Tick, ...]


def chart(own: Mapping[str, str], values: Mapping[str, str]) -> Chart:
    """Return the chart of the days of `own`. own, values : date → USD per million"""
    mine = {parse_date(date): Fraction(value) for date, value in own.items()}
    days = Days(min(mine), max(mine))
    index = {
        day: Fraction(value)
        for date, value in values.items()
        if days.first <= (day := parse_date(date)) <= days.last
    }
    scale = scale_of([*mine.values(), *index.values()])
    return Chart(
        width=days.width,
        height=HEIGHT,
        own=line(mine, days, scale),
        series=line(index, days, scale),
        x=tuple(days.ticks()),
        y=tuple(Tick(at=_placed(tick), label=tick.label) for tick in scale.ticks()),
    )


def _placed(tick: Tick) -> str:
    return percent_of(_TOP + Fraction(tick.at.removesuffix("%")) / 100 * _SHARE)
