"""Maturities: calendar months as `2026-07`, counted so that they can be compared and added to."""

from __future__ import annotations

import re
from typing import Final

from mtok.calendar import format_date, parse_date
from mtok.settlement.values import Style, Window

_MONTH: Final = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")


def month_number(text: str) -> int:
    """Return the months since year 0. Raises ValueError for anything but `YYYY-MM`.

    >>> month_number("2026-07") - month_number("2025-12")
    7
    """
    match = _MONTH.fullmatch(text)
    if not match or text < "1970":
        raise ValueError(f"not a month YYYY-MM: {text!r}")
    return int(match[1]) * 12 + int(match[2]) - 1


def month_text(number: int) -> str:
    """Return `YYYY-MM`."""
    return f"{number // 12:04d}-{number % 12 + 1:02d}"


def month_of(day: int) -> int:
    """Return the month a day falls in."""
    return month_number(format_date(day)[:7])


def first_day(month: int) -> int:
    """Return the first day of a month."""
    return parse_date(f"{month_text(month)}-01")


def window_of(month: int, style: Style) -> Window:
    """Return the averaging window of a maturity: every UTC day of its month."""
    return Window(first=first_day(month), last=first_day(month + 1) - 1, style=style)
