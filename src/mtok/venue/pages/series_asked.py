"""What the series page is asked for in its address: which days, as known when, and whether with the worst case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from django.http import HttpRequest

from mtok.calendar import DAY, day_of, format_date, format_instant, parse_date, parse_instant
from mtok.errors import BadCall
from mtok.venue.asked import day_asked

RANGES: Final = {"30d": 30, "90d": 90, "1y": 365, "all": None}
"""How many days back from the last one each range reaches; all of them."""

RANGE_NAMES: Final = {"30d": "30 days", "90d": "90 days", "1y": "1 year", "all": "all"}
_USUAL: Final = "90d"
_SHOWN_MAX: Final = 60


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A question, valid by itself. range : empty where days are named · as_of : as it was typed"""

    range: str
    first: int | None = None
    last: int | None = None
    as_of: str = ""
    known_at: int | None = None
    worst: bool = False

    def query(self, **changes: str) -> str:
        """Return the question as an address, with some of its parts changed; an empty part is left out."""
        parts = {
            "range": self.range,
            "from": "" if self.first is None else format_date(self.first),
            "to": "" if self.last is None else format_date(self.last),
            "as_of": self.as_of,
            "worst": "1" if self.worst else "",
        }
        return "?" + urlencode({name: value for name, value in (parts | changes).items() if value})

    @property
    def today(self) -> str:
        """The same days as known now."""
        return self.query(as_of="")

    @property
    def whole(self) -> str:
        """All days."""
        return self.query(**{"range": "all", "from": "", "to": ""})

    def span(self, known: list[int]) -> tuple[int, int]:
        """Return the days asked for, of those from the first to the last that is known; maybe none of them."""
        last = known[-1] if self.last is None else min(self.last, known[-1])
        length = RANGES[self.range] if self.range else None
        first = known[0] if length is None else last - length + 1
        return max(self.first if self.first is not None else first, known[0]), last


def asked_of(request: HttpRequest, now: int) -> Asked:
    """Return the question of an address. Raises BadCall for one that makes no sense. now : an instant"""
    first, last = _day(request, "from", now), _day(request, "to", now)
    if first is not None and last is not None and first > last:
        raise BadCall(
            "dates_out_of_order",
            f"from {format_date(first)} is after to {format_date(last)}",
            "Give the earlier date to from.",
        )
    chosen = request.GET.get("range", "")
    if chosen and chosen not in RANGES:
        raise BadCall("range_unknown", f"range {_short(chosen)} is unknown", f"Known: {', '.join(RANGES)}.")
    named = first is not None or last is not None
    typed = request.GET.get("as_of", "").strip()
    return Asked(
        range="" if named else chosen or _USUAL,
        first=first,
        last=last,
        as_of=typed,
        known_at=_known_at(typed, now) if typed else None,
        worst=request.GET.get("worst", "") == "1",
    )


def _day(request: HttpRequest, name: str, now: int) -> int | None:
    day = day_asked(request, name)
    if day is not None and day > day_of(now):
        raise BadCall(
            "date_in_future",
            f"{name}: {format_date(day)} is after today, {format_date(day_of(now))} in UTC",
            "Give a date up to today, or leave it out.",
        )
    return day


def _known_at(text: str, now: int) -> int:
    """Return the instant meant: of a date its last one."""
    try:
        found = parse_date(text) * DAY + DAY - 1
    except ValueError:
        try:
            found = parse_instant(text)
        except ValueError:
            raise BadCall(
                "as_of_invalid",
                f"as of: {_short(text)} is neither a date nor an instant in UTC",
                "Write 2026-06-21, which is the end of that day, or 2026-06-21T14:00:00Z.",
            ) from None
    if found > now:
        raise BadCall(
            "as_of_in_future",
            f"as of: {text} is not over, it is {format_instant(now)}",
            "Leave it out for what is in force now.",
        )
    return found


def _short(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}…")
