"""The line of a series as coordinates: a point a day, broken where no value was printed, on a scale of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from mtok.calendar import format_date, parse_date
from mtok.publication.vintages import Vintage
from mtok.wording.figures import TIED, counted, day_text

DAYS: Final = 90

Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Trend:
    """The printed values of the `DAYS` days up to a day. values : by day, exact"""

    last_day: int
    values: Mapping[int, Decimal]

    @property
    def first_day(self) -> int:
        """The first day of the line, printed or not."""
        return self.last_day - DAYS + 1

    def runs(self, width: float, height: float) -> list[list[Point]]:
        """Return the coordinates of each run of printed days; the highest value is at y = 0."""
        if not self.values:
            return []
        low, high = min(self.values.values()), max(self.values.values())
        found: list[list[Point]] = []
        for day in range(self.first_day, self.last_day + 1):
            if day not in self.values:
                continue
            share = float((high - self.values[day]) / (high - low)) if high > low else 0.5
            if day - 1 not in self.values:
                found.append([])
            found[-1].append(((day - self.first_day) * width / (DAYS - 1), share * height))
        return found

    @property
    def text(self) -> str:
        """The line in words: over which days, how many printed, lowest and highest."""
        days = f"{day_text(format_date(self.first_day))} to {day_text(format_date(self.last_day))}"
        if not self.values:
            return f"{days}: no print"
        ends = {"lowest": min(self.values.values()), "highest": max(self.values.values())}
        said = [f"{name} {value}" for name, value in ends.items()]
        return f"{days}: {counted(len(self.values), 'print')} of {DAYS}{TIED}days, {', '.join(said)}"


def trend_of(vintages: list[Vintage], last_day: int) -> Trend:
    """Return the line of the vintages in force of one series, up to a day."""
    values = {parse_date(one.date): Decimal(one.value) for one in vintages if one.value is not None}
    within = {day: value for day, value in values.items() if last_day - DAYS < day <= last_day}
    return Trend(last_day=last_day, values=within)


def path_of(runs: list[list[Point]]) -> str:
    """Return the runs as the `d` of an SVG path; a run of one day is a dot (a line of no length with round ends)."""
    parts = []
    for run in runs:
        points = [f"{x:.1f},{y:.1f}" for x, y in run]
        parts.append(f"M{points[0]}" + "".join(f"L{point}" for point in points[1:] or points))
    return "".join(parts)
