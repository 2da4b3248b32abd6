"""Lines, bands, bars and dots as SVG paths. A day without a value is a gap: nothing is drawn across it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Final

from mtok.venue.charts.axes import DAY, HEIGHT, Days, Scale

Values = Mapping[int, Fraction]
"""Of days; a day that has none is not in it."""

_BESIDE: Final = 1
"""Units left free on each side of a bar."""


def runs(days: Iterable[int]) -> list[list[int]]:
    """Return days in order, those that follow each other together.

    >>> runs([4, 1, 2])
    [[1, 2], [4]]
    """
    found: list[list[int]] = []
    for day in sorted(days):
        if found and found[-1][-1] == day - 1:
            found[-1].append(day)
        else:
            found.append([day])
    return found


def missing(days: Days, values: Iterable[int]) -> list[list[int]]:
    """Return the runs of days that have no value."""
    return runs(set(range(days.first, days.last + 1)) - set(values))


def line(values: Values, days: Days, scale: Scale) -> str:
    """Return a line through the values, broken where a day has none; a day alone is a point of no length."""
    return "".join(_through([(days.x(day), scale.y(values[day])) for day in run]) for run in runs(values))


def band(lows: Values, highs: Values, days: Days, scale: Scale) -> str:
    """Return the area between two lines of the same days; a day alone is as wide as a day."""
    parts = []
    for run in runs(lows.keys() & highs.keys()):
        upper = [(days.x(day), scale.y(highs[day])) for day in run]
        lower = [(days.x(day), scale.y(lows[day])) for day in run]
        if len(run) == 1:
            upper, lower = _widened(upper[0]), _widened(lower[0])
        parts.append(f"{_through([*upper, *lower[::-1]])}z")
    return "".join(parts)


def area(values: Values, days: Days, scale: Scale) -> str:
    """Return the area between a line and zero."""
    parts = []
    zero = scale.y(Fraction(0))
    for run in runs(values):
        points = [(days.x(day), scale.y(values[day])) for day in run]
        upper = points if len(run) > 1 else _widened(points[0])
        parts.append(f"{_through(upper)}V{zero}H{upper[0][0]}z")
    return "".join(parts)


def bars(spans: Iterable[tuple[int, Fraction, Fraction]], days: Days, scale: Scale) -> str:
    """Return a bar a span: its day, from which value to which. A bar of no height is not drawn."""
    parts = []
    for day, begin, end in spans:
        top, height = scale.y(max(begin, end)), scale.y(min(begin, end)) - scale.y(max(begin, end))
        if height:
            left, width = days.x(day) - DAY // 2 + _BESIDE, DAY - 2 * _BESIDE
            parts.append(f"M{left} {top}h{width}v{height}h-{width}z")
    return "".join(parts)


def columns(groups: Iterable[list[int]], days: Days, top: int = 0, bottom: int = HEIGHT) -> str:
    """Return a rectangle a run of days, from the edge of its first to the edge of its last."""
    return "".join(
        f"M{days.x(run[0]) - DAY // 2} {top}h{DAY * len(run)}v{bottom - top}h-{DAY * len(run)}z"
        for run in groups
    )


def dots(values: Values, days: Days, scale: Scale) -> str:
    """Return a point of no length a value: round line ends make it a dot."""
    return "".join(f"M{days.x(day)} {scale.y(values[day])}h0" for day in sorted(values))


def spread(wanted: list[Fraction], apart: Fraction) -> list[Fraction]:
    """Return places as near to those wanted as they can be when each is `apart` from the next, in the same order.

    >>> spread([Fraction(10), Fraction(50), Fraction(11)], Fraction(4))
    [Fraction(17, 2), Fraction(50, 1), Fraction(25, 2)]
    """
    groups: list[list[int]] = []
    centres: list[Fraction] = []
    for place in sorted(range(len(wanted)), key=lambda place: wanted[place]):
        groups.append([place])
        centres.append(wanted[place])
        while len(groups) > 1 and centres[-1] - centres[-2] < apart * (len(groups[-1]) + len(groups[-2])) / 2:
            groups[-2:] = [groups[-2] + groups[-1]]
            centres[-2:] = [sum((wanted[place] for place in groups[-1]), Fraction(0)) / len(groups[-1])]
    found = list(wanted)
    for group, centre in zip(groups, centres, strict=True):
        for order, place in enumerate(group):
            found[place] = centre + apart * (order - Fraction(len(group) - 1, 2))
    return found


def _through(points: list[tuple[int, int]]) -> str:
    (x, y), *others = points
    if not others:
        return f"M{x} {y}h0"
    steps = []
    for after_x, after_y in others:
        steps.append(f"{after_x - x} {after_y - y}")
        x, y = after_x, after_y
    return f"M{points[0][0]} {points[0][1]}l{' '.join(steps)}"


def _widened(point: tuple[int, int]) -> list[tuple[int, int]]:
    x, y = point
    return [(x - DAY // 2, y), (x + DAY // 2, y)]
