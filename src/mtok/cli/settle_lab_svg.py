"""The plot of a replay as one SVG file: nothing beside it, light and dark, readable without seeing it."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Final
from xml.sax.saxutils import escape

from mtok.calendar import format_date
from mtok.cli.settle_lab_tables import usd
from mtok.lab import Replay
from mtok.publication.marks import MODEL
from mtok.quantities import half_even
from mtok.settlement.values import price_text
from mtok.venue.charts.axes import HEIGHT, Days, Scale, scale_of
from mtok.venue.charts.paths import columns, dots, line, runs, spread
from mtok.wording.figures import day_text
from mtok.wording.words import company_of

_WIDTH: Final = 900
_FULL: Final = 488
_LEFT: Final = 70
_TOP: Final = 74
_ROOM: Final = 610
_DEEP: Final = 300
_APART: Final = Fraction(80, 1000)
_CROWDED: Final = 60

_STYLE: Final = """
svg { font: 13px system-ui, "DejaVu Sans", sans-serif; }
.ground { fill: #ffffff; } text { fill: #1a1a1a; } .quiet { fill: #5a5a5a; } .head { font-size: 17px; }
.tick { stroke: #dddddd; } .gap { fill: #ececec; } .begin { stroke: #5a5a5a; stroke-dasharray: 2 3; }
.daily, .trade, .mark, .hole { fill: none; vector-effect: non-scaling-stroke; }
.daily { stroke: #0a5bb5; stroke-width: 2; } .trade { stroke: #6b6b6b; stroke-width: 1.5; stroke-dasharray: 6 5; }
.mark { stroke: #b4470b; stroke-width: 8; stroke-linecap: round; }
.hole { stroke: #ffffff; stroke-width: 4; stroke-linecap: round; }
.crowded .mark { stroke-width: 5; } .crowded .hole { stroke-width: 2; }
text.of-daily { fill: #0a5bb5; } text.of-mark { fill: #b4470b; } text.of-trade { fill: #5a5a5a; }
@media (prefers-color-scheme: dark) {
.ground { fill: #14171a; } text { fill: #e8e8e8; } .quiet { fill: #a8a8a8; }
.tick { stroke: #33383d; } .gap { fill: #24292e; } .begin { stroke: #a8a8a8; }
.daily { stroke: #6db3f2; } .trade { stroke: #a8a8a8; } .mark { stroke: #f2955c; } .hole { stroke: #14171a; }
text.of-daily { fill: #6db3f2; } text.of-mark { fill: #f2955c; } text.of-trade { fill: #a8a8a8; }
}
"""


def lab_svg(found: Replay) -> str:
    """Return the plot as the text of an SVG file."""
    days = Days(found.terms.traded, found.terms.last)
    marks = {day: Fraction(price, 10**6) for day, price in found.marks.items()}
    daily = {day.margin.day: Fraction(day.margin.settlement_price, 10**6) for day in found.margin.days}
    trade = Fraction(found.terms.price, 10**6)
    scale = scale_of([*marks.values(), *daily.values(), trade])
    crowded = " crowded" * (days.last - days.first > _CROWDED)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_FULL}" role="img" '
            'aria-labelledby="title desc">',
            f'<title id="title">{escape(_title(found))}</title>',
            f'<desc id="desc">{escape(_described(found))}</desc>',
            f"<style>{_STYLE}</style>",
            '<rect class="ground" width="100%" height="100%"/>',
            _text(_LEFT, 28, _title(found), "head"),
            _text(_LEFT, 50, _under(found), "quiet"),
            *_axes(days, scale),
            f'<svg x="{_LEFT}" y="{_TOP}" width="{_ROOM}" height="{_DEEP}" viewBox="0 0 {days.width} {HEIGHT}" '
            f'preserveAspectRatio="none" overflow="visible" class="lines{crowded}">',
            *_lines(found, days, scale, daily),
            "</svg>",
            *_begin(found, days),
            *_labels(marks, daily, trade, scale),
            *(
                _text(_LEFT, _TOP + _DEEP + 52 + 22 * place, text, "quiet")
                for place, text in enumerate([*_legend(found), _standing(found)])
            ),
            "</svg>",
            "",
        ]
    )


def _lines(found: Replay, days: Days, scale: Scale, daily: dict[int, Fraction]) -> Iterable[str]:
    marks = {day: Fraction(price, 10**6) for day, price in found.marks.items()}
    carried = {one.day: marks[one.day] for one in found.missing if one.source_day is not None}
    trade = scale.y(Fraction(found.terms.price, 10**6))
    gaps = columns(runs(one.day for one in found.missing), days)
    paths = [
        ("gap", gaps),
        ("trade", f"M0 {trade}h{days.width}"),
        ("daily", line(daily, days, scale)),
        ("mark", dots(marks, days, scale)),
        ("hole", dots(carried, days, scale)),
    ]
    return [f'<path class="{kind}" d="{path}"/>' for kind, path in paths if path]


def _axes(days: Days, scale: Scale) -> Iterable[str]:
    for tick in scale.ticks():
        y = _TOP + _along(Fraction(tick.at.rstrip("%")), _DEEP)
        yield f'<path class="tick" d="M{_LEFT} {y}h{_ROOM}"/>'
        yield _text(_LEFT - 8, y + 4, tick.label, "quiet", "end")
    for tick in days.ticks():
        x = _LEFT + _along(Fraction(tick.at.rstrip("%")), _ROOM)
        yield _text(x, _TOP + _DEEP + 22, tick.label, "quiet", tick.anchor)


def _begin(found: Replay, days: Days) -> Iterable[str]:
    if found.terms.traded == found.terms.first:
        return
    x = _LEFT + _along(Fraction(100 * (days.x(found.terms.first) - 5), days.width), _ROOM)
    yield f'<path class="begin" d="M{x} {_TOP}v{_DEEP}"/>'
    yield _text(x + 5, _TOP - 5, "window begins", "quiet")


def _labels(
    marks: dict[int, Fraction], daily: dict[int, Fraction], trade: Fraction, scale: Scale
) -> Iterable[str]:
    ends = [("trade", "trade price", trade)]
    if daily:
        ends.append(("daily", "daily settlement", daily[max(daily)]))
    if marks:
        ends.append(("mark", "mark", marks[max(marks)]))
    wanted = [Fraction(scale.y(value), HEIGHT) for _, _, value in ends]
    for (kind, name, value), at in zip(ends, spread(wanted, _APART), strict=True):
        y = _TOP + _along(at * 100, _DEEP) + 4
        yield _text(_LEFT + _ROOM + 12, y, f"{name} {price_text(int(value * 10**6))}", f"of-{kind}")


def _along(percent: Fraction, room: int) -> int:
    found = percent * room / 100
    return half_even(found.numerator, found.denominator)


def _text(x: int, y: int, text: str, kind: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'


def _title(found: Replay) -> str:
    reference = found.history.reference
    name = reference if reference.startswith(MODEL) else company_of(reference)
    return f"{name}: marks and daily settlement price"


def _span(found: Replay) -> str:
    return f"{day_text(format_date(found.terms.first))} to {day_text(format_date(found.terms.last))}"


def _under(found: Replay) -> str:
    return f"{_span(found)} · USD per 1M output tokens · methodology {found.history.methodology} · a replay and no mark"


def _legend(found: Replay) -> list[str]:
    parts = []
    if found.missing:
        parts.append("Grey: no value of its own")
    if any(one.source_day is not None for one in found.missing):
        parts.append("ring: carried (F3)")
    if found.refused:
        parts.append(f"no dot: no mark, {len(found.refused)} of {len(found.days)} days")
    lines = ["Dots: marks · line: daily settlement price · dashed: trade price", " · ".join(parts)]
    return [text for text in lines if text]


def _standing(found: Replay) -> str:
    if found.average is None or found.last is None:
        return "No final value by F3: a day of the window has no mark."
    return (
        f"Average {price_text(found.average.final_value)}, {usd(found.average.cash)} USD to the buyer · last "
        f"value {price_text(found.last.final_value)}, {usd(found.last.cash)} USD"
    )


def _described(found: Replay) -> str:
    marks = found.marks
    if not marks:
        return f"No day has a mark. {_standing(found)}"
    low, high = min(marks, key=lambda day: (marks[day], day)), max(marks, key=lambda day: (marks[day], -day))
    own = len(found.days) - len(found.missing)
    lowest, highest = (f"{price_text(marks[day])} on {day_text(format_date(day))}" for day in (low, high))
    return (
        f"Window {_span(found)}. {own} of {len(found.days)} days have a value of their own. Lowest mark {lowest}, "
        f"highest {highest}. Trade price {price_text(found.terms.price)}. {_standing(found)}"
    )
