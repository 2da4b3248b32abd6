"""The two axes of a chart: days and exact values, where each stands, and the ticks that people can read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Final

from mtok.calendar import format_date, parse_date
from mtok.quantities import half_even, rounded
from mtok.wording.figures import TIED, day_text, number

DAY: Final = 10
"""Units of a drawing from one day to the next."""

HEIGHT: Final = 1000
"""Units of a drawing from bottom to top."""

TICKS_MAX: Final = 6
_MONDAY: Final = parse_date("1970-01-05")
_DAYS_APART: Final = (1, 2, 7, 14)
_MONTHS_APART: Final = (1, 2, 3, 6, 12, 24, 60, 120)
_STEPS: Final = (Fraction(1), Fraction(2), Fraction(5, 2), Fraction(5), Fraction(10))
_AT_THE_EDGE: Final = 6


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A place on an axis and what stands there. at : percent of the axis, as SVG takes it"""

    at: str
    label: str
    anchor: str = "middle"


@dataclass(frozen=True)
class Days:
    """The days from first to last, one beside the other."""

    first: int
    last: int

    @property
    def width(self) -> int:
        """The width of a drawing."""
        return DAY * (self.last - self.first + 1)

    def x(self, day: int) -> int:
        """Return the middle of a day."""
        return DAY * (day - self.first) + DAY // 2

    def percent(self, day: int) -> str:
        """Return the middle of a day as SVG places texts."""
        return percent_of(Fraction(self.x(day), self.width))

    def ticks(self) -> list[Tick]:
        """Return at most `TICKS_MAX` ticks: days, Mondays, or first days of months."""
        days = next(found for found in self._candidates() if len(found) <= TICKS_MAX)
        monthly = len(days) > 1 and all(format_date(day).endswith("-01") for day in days)
        return [self._tick(day, monthly=monthly) for day in days]

    def _candidates(self) -> Iterator[list[int]]:
        every = range(self.first, self.last + 1)
        for apart in _DAYS_APART:
            begin = self.first if apart < 7 else _MONDAY
            yield [day for day in every if (day - begin) % apart == 0]
        months = [day for day in every if format_date(day).endswith("-01")]
        for apart in _MONTHS_APART:
            yield [day for day in months if _month(day) % apart == 0]
        yield []

    def _tick(self, day: int, *, monthly: bool) -> Tick:
        _, month, year = day_text(format_date(day)).split(TIED)
        label = day_text(format_date(day)).rpartition(TIED)[0]
        if monthly:
            label = f"{month}{TIED}{year}" if month == "Jan" else month
        share = Fraction(self.x(day), self.width) * 100
        anchor = "start" if share < _AT_THE_EDGE else "end" if share > 100 - _AT_THE_EDGE else "middle"
        return Tick(at=self.percent(day), label=label, anchor=anchor)


@dataclass(frozen=True)
class Scale:
    """Values from low to high, with a tick every step."""

    low: Fraction
    high: Fraction
    step: Fraction

    def y(self, value: Fraction) -> int:
        """Return where a value stands, 0 at the top."""
        over, under = self._units
        below = self.high.numerator * value.denominator - value.numerator * self.high.denominator
        return half_even(below * over, self.high.denominator * value.denominator * under)

    @cached_property
    def _units(self) -> tuple[int, int]:
        """Units of the drawing to 1 of the value, as numerator and denominator: thousands of values are placed."""
        return (HEIGHT / (self.high - self.low)).as_integer_ratio()

    def percent(self, value: Fraction) -> str:
        """Return where a value stands as SVG places texts."""
        return percent_of(Fraction(self.y(value), HEIGHT))

    def ticks(self, unit: str = "") -> list[Tick]:
        """Return a tick a step. unit : stands behind each; `%` shows shares as percentages"""
        count = int((self.high - self.low) / self.step)
        found = [self.low + self.step * place for place in range(count + 1)]
        factor = 100 if unit == "%" else 1
        places = _places(self.step * factor)
        behind = f"{TIED}%" if unit == "%" else unit
        return [
            Tick(at=self.percent(value), label=f"{number(value * factor, places)}{behind}") for value in found
        ]


def scale_of(
    values: Iterable[Fraction],
    *,
    steps: int = 4,
    from_zero: bool = False,
    least_step: Fraction = Fraction(0),
) -> Scale:
    """Return a scale with round ends that holds all values, in about so many steps.

    least_step : no step is smaller, so that what hardly moves looks like it

    >>> scale = scale_of([Fraction(9, 10), Fraction(21, 10)])
    >>> scale.low, scale.high, scale.step
    (Fraction(1, 2), Fraction(5, 2), Fraction(1, 2))
    """
    found = [*values, *[Fraction(0)] * from_zero]
    low, high = min(found, default=Fraction(0)), max(found, default=Fraction(1))
    if low == high:
        margin = abs(low) / 20 or Fraction(1)
        low, high = (low, high + margin) if from_zero else (low - margin, high + margin)
    step = max(_round_step((high - low) / steps), least_step)
    return Scale(low // step * step, -(-high // step) * step, step)


def percent_of(share: Fraction) -> str:
    """Return a share of the drawing as SVG places texts.

    >>> percent_of(Fraction(1, 3))
    '33.33%'
    """
    return f"{rounded(share * 100, 2)}%"


def _round_step(least: Fraction) -> Fraction:
    """Return the smallest of 1, 2, 2.5, 5 times a power of ten that is not under `least`."""
    power = Fraction(1)
    while power > least:
        power /= 10
    while power * 10 <= least:
        power *= 10
    return next(step * power for step in _STEPS if step * power >= least)


def _places(step: Fraction) -> int:
    places = 0
    while (step * 10**places).denominator != 1:
        places += 1
    return places


def _month(day: int) -> int:
    date = dt.date.fromisoformat(format_date(day))
    return date.year * 12 + date.month - 1
