"""What an address asks for: a series, a day, an instant, each taken or refused with what to write instead."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final

from django.http import HttpRequest

from mtok.calendar import parse_date, parse_instant
from mtok.errors import BadCall
from mtok.venue.opened import Opened

PAGE_POINTS: Final = 400
"""Points that the API gives at once where no limit is asked for."""

_SHOWN_MAX: Final = 60


def known_series(now: Opened, asked: str) -> str:
    """Return the id of a series. Raises BadCall for an unknown one."""
    known = now.series()
    if asked not in known:
        close = get_close_matches(asked.lower(), known, n=1)
        meant = f"Did you mean {close[0]}? " if close else ""
        raise BadCall(
            "series_unknown",
            f"series {asked[:_SHOWN_MAX]!r} is unknown",
            f"{meant}Known: {', '.join(known)}.",
        )
    return asked


def day_of_text(text: str, name: str) -> int:
    """Return the day of a date. name : of what it is given as. Raises BadCall."""
    try:
        return parse_date(text)
    except ValueError:
        raise BadCall(
            "date_invalid",
            f"{name}: {text[:_SHOWN_MAX]!r} is not a date",
            "Write dates as YYYY-MM-DD, such as 2026-06-20.",
        ) from None


def day_asked(request: HttpRequest, name: str) -> int | None:
    """Return the day a parameter names, None where it is absent or empty. Raises BadCall."""
    text = request.GET.get(name, "")
    return day_of_text(text, name) if text else None


def instant_asked(request: HttpRequest, name: str) -> int | None:
    """Return the instant a parameter names, None where it is absent or empty. Raises BadCall."""
    text = request.GET.get(name, "")
    try:
        return parse_instant(text) if text else None
    except ValueError:
        raise BadCall(
            "instant_invalid",
            f"{name}: {text[:_SHOWN_MAX]!r} is not an instant in UTC",
            "Write instants as YYYY-MM-DDTHH:MM:SSZ, such as 2026-06-21T14:00:00Z.",
        ) from None
