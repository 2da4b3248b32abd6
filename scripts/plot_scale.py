"""The plot of what `bench_scale.py` measured: CPU seconds against requests, both logarithmic, as one SVG file.

usage: plot_scale.py RESULTS SVG

RESULTS are lines as `bench_scale.py --json` appends them; of two of the same contestant and size the later counts.
Printed for each contestant, from 10M requests on: the slope on the plot (1 is a cost in proportion), and the straight
line `seconds = start + each × requests` that is nearest in relative terms, with the largest deviation from it.
A line through the start tells more than a slope: what a process costs before its first row bends the curve down.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple
from xml.sax.saxutils import escape

Point = tuple[int, float]
"""Requests, and CPU seconds."""


class Line(NamedTuple):
    """How a contestant is drawn. label : as in the plot · kind : its class in the style sheet"""

    label: str
    kind: str


LINES: Final = {
    "scan (baseline)": Line("scan of the columns", "scan"),
    "mtok import usage": Line("mtok import usage", "ours"),
    "mtok, Spark local[2]": Line("mtok on Spark, local", "spark"),
    "DuckDB, bare GROUP BY": Line("DuckDB, bare", "bare"),
    "Polars, streaming": Line("Polars, streaming", "polars"),
    "pandas, naive": Line("pandas, naive", "pandas"),
}
FROM_ROWS: Final = 10**7

_WIDTH: Final = 900
_HEIGHT: Final = 560
_LEFT: Final = 62
_TOP: Final = 78
_ROOM: Final = 620
_DEEP: Final = 420
_APART: Final = 17
_NAMES: Final = {6: "1M", 7: "10M", 8: "100M", 9: "1B"}

_STYLE: Final = """
svg { font: 13px system-ui, "DejaVu Sans", sans-serif; }
text { paint-order: stroke; stroke: #ffffff; stroke-width: 4px; stroke-linejoin: round; }
.ground { fill: #ffffff; } text { fill: #1a1a1a; } .quiet { fill: #5a5a5a; } .head { font-size: 17px; }
.tick { stroke: #dddddd; } .fine { stroke: #f0f0f0; } .guide { stroke: #9a9a9a; stroke-dasharray: 1 4; fill: none; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; } .dot { stroke: none; }
.line.ours { stroke-width: 3.5; } .line.bare { stroke-dasharray: 2 4; } .line.scan { stroke-dasharray: 7 4; }
.line.scan { stroke: #5a5a5a; } .scan.dot, text.scan { fill: #5a5a5a; }
.line.ours { stroke: #0a5bb5; } .ours.dot, text.ours { fill: #0a5bb5; } text.ours { font-weight: 600; }
.line.bare { stroke: #2f7fb8; } .bare.dot, text.bare { fill: #2a74a8; }
.line.polars { stroke: #b4470b; } .polars.dot, text.polars { fill: #b4470b; }
.line.spark { stroke: #7a3fa0; } .spark.dot, text.spark { fill: #7a3fa0; }
.line.pandas { stroke: #2c7a3f; } .pandas.dot, text.pandas { fill: #2c7a3f; }
@media (prefers-color-scheme: dark) {
.ground { fill: #14171a; } text { fill: #e8e8e8; stroke: #14171a; } .quiet { fill: #a8a8a8; }
.tick { stroke: #33383d; } .fine { stroke: #22262a; } .guide { stroke: #7a7a7a; }
.line.scan { stroke: #a8a8a8; } .scan.dot, text.scan { fill: #a8a8a8; }
.line.ours { stroke: #6db3f2; } .ours.dot, text.ours { fill: #6db3f2; }
.line.bare { stroke: #8cc4e8; } .bare.dot, text.bare { fill: #8cc4e8; }
.line.polars { stroke: #f2955c; } .polars.dot, text.polars { fill: #f2955c; }
.line.spark { stroke: #c79be6; } .spark.dot, text.spark { fill: #c79be6; }
.line.pandas { stroke: #7fcf94; } .pandas.dot, text.pandas { fill: #7fcf94; }
}
"""


class Axes(NamedTuple):
    """Decades shown: rows from 10^left to 10^right, seconds from 10^low to 10^high."""

    left: int
    right: int
    low: int
    high: int

    def x(self, rows: float) -> float:
        """Return where a number of requests is."""
        return _LEFT + (math.log10(rows) - self.left) / (self.right - self.left) * _ROOM

    def y(self, seconds: float) -> float:
        """Return where CPU seconds are."""
        return _TOP + (self.high - math.log10(seconds)) / (self.high - self.low) * _DEEP


def read(path: Path) -> dict[str, list[Point]]:
    """Return the points of each contestant that is drawn, by requests."""
    found: dict[str, dict[int, float]] = {name: {} for name in LINES}
    for line in path.read_text().splitlines():
        row = json.loads(line)
        if row["contestant"] in found and row["cpu_s"] is not None:
            found[row["contestant"]][row["rows"]] = row["cpu_s"]
    return {name: sorted(points.items()) for name, points in found.items() if points}


def svg(found: dict[str, list[Point]]) -> str:
    """Return the plot as the text of an SVG file."""
    points = [point for series in found.values() for point in series]
    axes = Axes(
        left=6,
        right=9,
        low=math.floor(math.log10(min(seconds for _, seconds in points))),
        high=math.ceil(math.log10(max(seconds for _, seconds in points))),
    )
    title = "What it costs to reduce request logs to a daily cube"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
            'aria-labelledby="title desc">',
            f'<title id="title">{title}</title>',
            f'<desc id="desc">{escape(_described(found))}</desc>',
            f"<style>{_STYLE}</style>",
            '<rect class="ground" width="100%" height="100%"/>',
            _text(_LEFT, 28, title, "head"),
            _text(
                _LEFT,
                50,
                "CPU seconds of a whole cold process on two threads, by requests; both axes logarithmic",
                "quiet",
            ),
            *_grid(axes),
            *(line for name, series in found.items() for line in _line(name, series, axes)),
            *_labels(found, axes),
            "</svg>",
            "",
        ]
    )


def _grid(axes: Axes) -> Iterator[str]:
    for decade in range(axes.low, axes.high):
        for digit in range(2, 10):
            yield f'<path class="fine" d="M{_LEFT} {axes.y(digit * 10.0**decade):.1f}h{_ROOM}"/>'
    for decade in range(axes.low, axes.high + 1):
        y = axes.y(10.0**decade)
        yield f'<path class="tick" d="M{_LEFT} {y:.1f}h{_ROOM}"/>'
        yield _text(_LEFT - 8, y + 4, f"{10.0**decade:,g} s", "quiet", "end")
    for decade in range(axes.left, axes.right + 1):
        x = axes.x(10.0**decade)
        yield f'<path class="tick" d="M{x:.1f} {_TOP}v{_DEEP}"/>'
        yield _text(x, _TOP + _DEEP + 22, _NAMES[decade], "quiet", "middle")
    yield _text(
        _LEFT + _ROOM / 2, _TOP + _DEEP + 46, "requests in the logs, two years of them", "quiet", "middle"
    )
    yield from _guide(axes)


def _guide(axes: Axes) -> Iterator[str]:
    """Yield what a cost in proportion looks like: a line of slope 1 out of the lower left corner."""
    span = min(axes.right - axes.left, axes.high - axes.low)
    x, y = axes.x(10.0 ** (axes.left + span)), axes.y(10.0 ** (axes.low + span))
    yield f'<path class="guide" d="M{_LEFT} {_TOP + _DEEP}L{x:.1f} {y:.1f}"/>'
    yield _text(x - 12, y + 22, "a cost in proportion to requests", "quiet", "end")


def _line(name: str, series: Sequence[Point], axes: Axes) -> Iterator[str]:
    kind = LINES[name].kind
    places = [(axes.x(rows), axes.y(seconds)) for rows, seconds in series]
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    yield f'<path class="line {kind}" d="M{path}"/>'
    for x, y in places:
        yield f'<circle class="{kind} dot" cx="{x:.1f}" cy="{y:.1f}" r="{5 if kind == "ours" else 3.5}"/>'


def _labels(found: dict[str, list[Point]], axes: Axes) -> Iterator[str]:
    """Yield a label at each line's end: at the edge to the right, apart from each other; of shorter ones above it."""
    most = max(series[-1][0] for series in found.values())
    ends = sorted((axes.y(series[-1][1]), name) for name, series in found.items() if series[-1][0] == most)
    for y, (_, name) in zip(_spread([y for y, _ in ends]), ends, strict=True):
        yield _text(axes.x(most) + 12, y + 4, _label(name, found), LINES[name].kind)
    for name, series in found.items():
        rows, seconds = series[-1]
        if rows < most:
            y = axes.y(seconds)
            crossed = any(
                0 < y - axes.y(cost) < 40 for other in found.values() for at, cost in other if at == rows
            )
            yield _text(
                axes.x(rows) + 8, y + (22 if crossed else -12), _label(name, found), LINES[name].kind, "end"
            )


def _label(name: str, found: dict[str, list[Point]]) -> str:
    return f"{LINES[name].label}: {_seconds(found[name][-1][1])}"


def _spread(wanted: Sequence[float]) -> list[float]:
    """Return places near the wanted ones, which ascend, at least _APART from each other."""
    places: list[list[float]] = []
    for y in wanted:
        places.append([y])
        while len(places) > 1 and _begin(places[-1]) < _begin(places[-2]) + _APART * len(places[-2]):
            last = places.pop()
            places[-1] += last
    return [_begin(group) + _APART * place for group in places for place in range(len(group))]


def _begin(group: Sequence[float]) -> float:
    """Return where the first of a group is that stands as a block around the mean of what its members want."""
    return sum(group) / len(group) - _APART * (len(group) - 1) / 2


def _seconds(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds >= 100 else f"{seconds:.1f} s"


def _text(x: float, y: float, text: str, kind: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _described(found: dict[str, list[Point]]) -> str:
    parts = [
        f"{LINES[name].label}: " + ", ".join(f"{_seconds(seconds)} at {rows:,}" for rows, seconds in series)
        for name, series in found.items()
    ]
    return "; ".join(parts) + "."


def slopes(found: dict[str, list[Point]]) -> Iterator[str]:
    """Yield a line a contestant that has two sizes from FROM_ROWS on."""
    yield f"{'contestant':<22} {'slope':>6}  {'start s':>8}  {'s per 1M':>9}  deviation"
    for name, series in found.items():
        large = [point for point in series if point[0] >= FROM_ROWS]
        if len(large) > 1:
            start, each = straight(large)
            off = max(abs((start + each * rows) / seconds - 1) for rows, seconds in large)
            yield f"{name:<22} {slope(large):>6.2f}  {start:>8.2f}  {each * 10**6:>9.4f}  {off:.1%}"


def slope(points: Iterable[Point]) -> float:
    """Return the slope of the least-squares line through points on a log-log plot."""
    xs, ys = zip(*((math.log10(rows), math.log10(seconds)) for rows, seconds in points), strict=True)
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / sum((a - x) ** 2 for a in xs)


def straight(points: Sequence[Point]) -> tuple[float, float]:
    """Return start and each of `start + each × rows`, by least squares of relative deviations."""
    # Normal equations of the deviations start/s + each·rows/s − 1.
    ones = [1 / seconds for _, seconds in points]
    rows = [count / seconds for count, seconds in points]
    a, b, c = (
        sum(o * o for o in ones),
        sum(o * r for o, r in zip(ones, rows, strict=True)),
        sum(r * r for r in rows),
    )
    determinant = a * c - b * b
    return (sum(ones) * c - sum(rows) * b) / determinant, (sum(rows) * a - sum(ones) * b) / determinant


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path)
    parser.add_argument("svg", type=Path)
    options = parser.parse_args()
    found = read(options.results)
    options.svg.write_text(svg(found), "utf-8")
    print("\n".join(slopes(found)))


if __name__ == "__main__":
    main()
