"""The charts of the series page: which lines, bars and words each has, ready for its template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from mtok.calendar import format_date
from mtok.records import Move, PublishedRecord
from mtok.venue.charts.axes import DAY, HEIGHT, Days, Scale, Tick, percent_of, scale_of
from mtok.venue.charts.paths import Values, area, band, bars, columns, dots, line, missing, runs, spread
from mtok.venue.charts.stacks import KINDS, stack
from mtok.wording.figures import day_text, signed
from mtok.wording.words import SYMBOLS

_LABELS_APART: Final = Fraction(65, 1000)
_ROOMY_DAYS: Final = 120
_STRIP: Final = {"good": (700, HEIGHT), "degraded": (0, HEIGHT), "estimated": (100, 900)}
"""From where to where a quality reaches in its strip: low, full, and full but hollow."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of a plot. name : as it stands beside its end · values : exact · figure : of the last of them"""

    kind: str
    name: str
    values: Values
    figure: str = ""


@dataclass(frozen=True, kw_only=True)
class Label:
    """Words at the end of a line, not on top of each other. at : percent of the height"""

    kind: str
    name: str
    figure: str
    at: str


@dataclass(frozen=True, kw_only=True)
class Plot:
    """Lines over days. paths : by kind · marks : places of days, in percent, that need a word · strip : by quality"""

    width: int
    paths: tuple[tuple[str, str], ...]
    labels: tuple[Label, ...]
    gaps: str
    x: tuple[Tick, ...]
    y: tuple[Tick, ...]
    worst: str = ""
    marks: tuple[str, ...] = ()
    strip: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Key:
    """An effect, its bars, and what its amounts add up to."""

    name: str
    path: str
    total: str


@dataclass(frozen=True, kw_only=True)
class MovesPlot:
    """The effects of each day stacked from zero. zero : where that is, in percent"""

    width: int
    keys: tuple[Key, ...]
    dots: str
    zero: str
    gaps: str
    x: tuple[Tick, ...]
    y: tuple[Tick, ...]

    @property
    def crowded(self) -> bool:
        """Whether there are so many days that dots have to be small."""
        return self.width > DAY * _ROOMY_DAYS

    @property
    def replaced(self) -> bool:
        """Whether there is a day on which all models were others."""
        return any(key.name == "replacement" for key in self.keys)


@dataclass(frozen=True, kw_only=True)
class Small:
    """One measure over days, from zero. top : the greatest value of its scale · told : all of it in words"""

    name: str
    figure: str
    width: int
    line: str
    area: str
    gaps: str
    top: str
    told: str


def plot(
    days: Days,
    lines: Sequence[Line],
    *,
    worst: tuple[Values, Values] | None = None,
    revised: Sequence[int] = (),
    qualities: Mapping[int, str] | None = None,
    steps: int = 4,
    least_step: Fraction = Fraction(0),
) -> Plot:
    """Return lines over days; the first is the one whose missing days are shown.

    worst : lowest and highest of a day · steps, least_step : of the scale
    """
    ranges = worst or ({}, {})
    scale = scale_of(
        [value for values in (*(one.values for one in lines), *ranges) for value in values.values()],
        steps=steps,
        least_step=least_step,
    )
    return Plot(
        width=days.width,
        paths=tuple((one.kind, line(one.values, days, scale)) for one in lines),
        labels=_labels(lines, scale),
        gaps=columns(missing(days, lines[0].values), days),
        x=tuple(days.ticks()),
        y=tuple(scale.ticks()),
        worst=band(*ranges, days, scale),
        marks=tuple(days.percent(day) for day in sorted(revised)),
        strip=_strip(qualities or {}, days),
    )


def moves_plot(days: Days, moves: Mapping[int, Move], places: int) -> MovesPlot:
    """Return the moves of days. places : decimals of what the effects add up to"""
    spans: dict[str, list[tuple[int, Fraction, Fraction]]] = {}
    for day, move in moves.items():
        for name, begin, end in stack(move):
            spans.setdefault(name, []).append((day, begin, end))
    changes = {day: Fraction(move.change) for day, move in moves.items()}
    reached = [end for found in spans.values() for _, _, end in found]
    scale = scale_of([*reached, *changes.values()], from_zero=True)
    return MovesPlot(
        width=days.width,
        keys=tuple(
            Key(name=name, path=bars(spans[name], days, scale), total=_total(spans[name], places))
            for name in KINDS
            if name in spans
        ),
        dots=dots(changes, days, scale),
        zero=scale.percent(Fraction(0)),
        gaps=columns(missing(days, moves), days),
        x=tuple(days.ticks()),
        y=tuple(scale.ticks()),
    )


def small(days: Days, name: str, values: Values, scale: Scale, unit: str, figures: tuple[str, str]) -> Small:
    """Return one measure. figures : its last value, and its range in words"""
    last, told = figures
    return Small(
        name=name,
        figure=last,
        width=days.width,
        line=line(values, days, scale),
        area=area(values, days, scale),
        gaps=columns(missing(days, values), days),
        top=scale.ticks(unit)[-1].label,
        told=told,
    )


def described(days: Days, records: Mapping[int, PublishedRecord]) -> str:
    """Return in a sentence or two what a chart of values shows."""
    printed = {day: record.value for day, record in records.items() if record.value is not None}
    span = f"{_date(days.first)} to {_date(days.last)}"
    count = f"{len(printed)} of {days.last - days.first + 1} days have a value"
    if not printed:
        return f"{span}: {count}."
    low = min(printed, key=lambda day: Fraction(printed[day]))
    high = max(printed, key=lambda day: Fraction(printed[day]))
    return (
        f"{span}: {count}. Lowest {printed[low]} on {_date(low)}, highest {printed[high]} on {_date(high)}, "
        f"last {printed[max(printed)]} on {_date(max(printed))}. The table below has every figure."
    )


def _labels(lines: Sequence[Line], scale: Scale) -> tuple[Label, ...]:
    ended = [one for one in lines if one.values]
    wanted = [Fraction(scale.y(one.values[max(one.values)]), HEIGHT) for one in ended]
    places = spread(wanted, _LABELS_APART)
    return tuple(
        Label(kind=one.kind, name=one.name, figure=one.figure, at=percent_of(at))
        for one, at in zip(ended, places, strict=True)
    )


def _strip(qualities: Mapping[int, str], days: Days) -> tuple[tuple[str, str], ...]:
    found = []
    for quality in SYMBOLS:
        of_it = [day for day, one in qualities.items() if one == quality]
        if of_it:
            reach = _STRIP.get(quality)
            path = columns(runs(of_it), days, *reach) if reach else _crosses(of_it, days)
            found.append((quality, path))
    return tuple(found)


def _crosses(found: Sequence[int], days: Days) -> str:
    half, top, height = DAY // 3, 200, 600
    return "".join(
        f"M{days.x(day) - half} {top}l{2 * half} {height}m0-{height}l-{2 * half} {height}" for day in found
    )


def _total(spans: Sequence[tuple[int, Fraction, Fraction]], places: int) -> str:
    return signed(sum((end - begin for _, begin, end in spans), Fraction(0)), places)


def _date(day: int) -> str:
    return day_text(format_date(day))
