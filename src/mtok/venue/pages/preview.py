"""The picture that stands for a series where a link to it is shown: 1200 × 630, the same bytes from the same prints."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from io import BytesIO
from typing import Final

from django.http import HttpRequest, HttpResponse
from PIL import Image, ImageDraw, ImageFont

from mtok.calendar import parse_date
from mtok.methodology import in_force
from mtok.publication.vintages import Vintage
from mtok.venue.answers import public
from mtok.venue.asked import known_series
from mtok.venue.opened import Opened
from mtok.venue.pages.trend import Trend, trend_of
from mtok.venue.place import opened
from mtok.wording.figures import MINUS, TIED, day_text, meaningful_places, number, signed_percent
from mtok.wording.words import company_of

BOARD: Final = "board"
"""The preview of all series together."""

SIZE: Final = (1200, 630)
_SCALE: Final = 2
_PAPER, _INK, _MUTED, _HAIRLINE, _ACCENT = "#fdfdfc", "#15181c", "#565d66", "#d5d8d9", "#154f93"
_MARGIN: Final = 64
_HEIGHT_OF_MINUS: Final = 0.31
"""Above the baseline, of the size: the font has no minus, so it is drawn."""

_UNIT: Final = "USD per million output tokens"


@public
def preview(request: HttpRequest, series: str) -> HttpResponse:
    """Return the picture of a series, or of `board`. Raises BadCall for an unknown series."""
    now = opened()
    if series != BOARD:
        known_series(now, series)
    return HttpResponse(picture(now, series), content_type="image/png")


@lru_cache(maxsize=16)
def picture(now: Opened, series: str) -> bytes:
    """Return the picture of a series, or of all of them, as PNG."""
    sheet = Sheet()
    if series == BOARD:
        _board(sheet, now.published.vintages.dates()[-1], board_prints(now))
    else:
        _series(sheet, last_print(now, series))
    return sheet.png()


@dataclass(frozen=True, kw_only=True)
class Print:
    """A print of a series: what the log says of it. vintage : None where there is none"""

    company: str
    vintage: Vintage | None
    change: str
    trend: Trend

    @property
    def value(self) -> str:
        """The value with the decimals that carry meaning."""
        value = self.vintage and self.vintage.value
        return number(value, meaningful_places(value)) if value else "no print"


def last_print(now: Opened, series: str) -> Print:
    """Return what the log says of the last print of a series."""
    day = parse_date(now.published.vintages.dates()[-1])
    vintages = now.published.in_force(series, in_force(day))
    trend = trend_of(vintages, day)
    return Print(
        company=company_of(series),
        vintage=vintages[-1] if vintages else None,
        change=_change(trend),
        trend=trend,
    )


def board_prints(now: Opened) -> list[Print]:
    """Return what the log says of each series on the last date, of which a series may have no print."""
    last = now.published.vintages.dates()[-1]
    found = (last_print(now, series) for series in now.series())
    return [one if one.vintage and one.vintage.date == last else replace(one, vintage=None) for one in found]


def _change(trend: Trend) -> str:
    """Return the change since the day before, empty where one of the two days has no print."""
    value, before = (trend.values.get(trend.last_day - back) for back in (0, 1))
    return signed_percent(Fraction(value) / Fraction(before)) if value and before else ""


class Sheet:
    """A picture to draw on, in its own pixels; drawn larger and made smaller, so that lines are smooth."""

    def __init__(self) -> None:
        width, height = SIZE
        self._image = Image.new("RGB", (width * _SCALE, height * _SCALE), _PAPER)
        self._draw = ImageDraw.Draw(self._image)

    def text(
        self, at: tuple[float, float], text: str, size: int, colour: str = _INK, anchor: str = "ls"
    ) -> None:
        """Write a line. anchor : which end of its baseline is at `at`; a negative figure ends there"""
        font = ImageFont.load_default(size * _SCALE)
        x, y = at[0] * _SCALE, at[1] * _SCALE
        shown = text.replace(TIED, " ").removeprefix(MINUS)
        self._draw.text((x, y), shown, fill=colour, font=font, anchor=anchor)
        if text.startswith(MINUS):
            right, width = x - font.getlength(shown), font.getlength("+")
            middle = y - size * _SCALE * _HEIGHT_OF_MINUS
            ends = [(right - width * 0.9, middle), (right - width * 0.2, middle)]
            self._draw.line(ends, colour, size * _SCALE // 13)

    def rule(self, left: float, right: float, height: float, colour: str = _HAIRLINE) -> None:
        """Draw a hairline."""
        self._draw.line([(left * _SCALE, height * _SCALE), (right * _SCALE, height * _SCALE)], colour, _SCALE)

    def trend(self, trend: Trend, left: float, top: float, width: float, height: float, stroke: int) -> None:
        """Draw the line of a series with its gaps, and a dot where it ends."""
        runs = trend.runs(width, height)
        for run in runs:
            points = [((left + x) * _SCALE, (top + y) * _SCALE) for x, y in run]
            self._draw.line(
                points if len(points) > 1 else points * 2, _ACCENT, stroke * _SCALE, joint="curve"
            )
        if runs:
            x, y = runs[-1][-1]
            radius = stroke * 1.6
            box = [left + x - radius, top + y - radius, left + x + radius, top + y + radius]
            self._draw.ellipse([side * _SCALE for side in box], _ACCENT)

    def png(self) -> bytes:
        """Return the picture as a file."""
        sink = BytesIO()
        self._image.resize(SIZE, Image.Resampling.LANCZOS).quantize(64).save(sink, "PNG", optimize=True)
        return sink.getvalue()


def _series(sheet: Sheet, shown: Print) -> None:
    width, _ = SIZE
    vintage = shown.vintage
    said = [day_text(vintage.date), vintage.stage, vintage.quality] if vintage else []
    _heading(sheet, shown.company, said)
    sheet.text((_MARGIN, 262), shown.value, 104)
    sheet.text((_MARGIN, 308), _UNIT, 26, _MUTED)
    if shown.change:
        sheet.text((width - _MARGIN, 262), shown.change, 52, anchor="rs")
        sheet.text((width - _MARGIN, 308), "since the day before", 26, _MUTED, "rs")
    sheet.trend(shown.trend, _MARGIN, 350, width - 2 * _MARGIN - 8, 170, 3)
    sheet.rule(_MARGIN, width - _MARGIN, 540)
    _foot(sheet, "90 days, own scale")


def _board(sheet: Sheet, date: str, prints: list[Print]) -> None:
    width, _ = SIZE
    stages = sorted({shown.vintage.stage for shown in prints if shown.vintage})
    said = [day_text(date), " and ".join(stages), "USD per million"]
    _heading(sheet, "The price of AI tokens", said)
    for place, shown in enumerate(prints):
        line = 196 + place * 62
        sheet.text((_MARGIN, line), shown.company, 36)
        sheet.text((560, line), shown.value, 40, anchor="rs")
        sheet.text((740, line), shown.change, 30, _MUTED, "rs")
        sheet.trend(shown.trend, 790, line - 30, width - _MARGIN - 798, 30, 2)
        sheet.rule(_MARGIN, width - _MARGIN, line + 20)
    _foot(sheet, "change since the day before; 90 days, own scale")


def _heading(sheet: Sheet, title: str, said: list[str]) -> None:
    width, _ = SIZE
    sheet.text((_MARGIN, 100), title, 52)
    sheet.text((width - _MARGIN, 100), " · ".join(filter(None, said)), 28, _MUTED, "rs")
    sheet.rule(_MARGIN, width - _MARGIN, 126, _INK)


def _foot(sheet: Sheet, said: str) -> None:
    width, _ = SIZE
    sheet.text((_MARGIN, 590), "mtok", 30)
    sheet.text((_MARGIN + 84, 590), "the open reference price for AI tokens", 24, _MUTED)
    sheet.text((width - _MARGIN, 590), said, 22, _MUTED, "rs")
