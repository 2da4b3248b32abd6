"""What may be asked of `rankings-daily`: the parameters of a request, checked as the API checks them (contracts 1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from mtok.calendar import format_date, parse_date

FLOOR: Final = parse_date("2025-01-01")
SPAN_DAYS_MAX: Final = 366
DEFAULT_DAYS: Final = 30

_CATEGORIES: Final = (
    "programming roleplay marketing marketing/seo technology science translation legal finance health trivia "
    "academia"
)
CHOICES: Final[dict[str, frozenset[str]]] = {
    "period": frozenset({"day", "week", "month"}),
    "modality": frozenset({"text", "image_output", "image", "audio", "tool_calling"}),
    "context_bucket": frozenset({"1K", "10K", "100K", "1M", "10M"}),
    "category": frozenset(_CATEGORIES.split()),
    "language_type": frozenset({"natural", "programming"}),
}
_ESTIMATES: Final = ("category", "language_type")


class NotAnswered(Exception):
    """The request is refused with status 400; the argument is the message."""


class Window(NamedTuple):
    """The days of an answer, both inclusive."""

    start: int
    end: int


def asked_window(query: Mapping[str, str], today: int, *, refuse_today: bool) -> Window:
    """Return the days that are asked for. Raises NotAnswered.

    today : day of the server's clock; a window that reaches it ends the day before, or is refused
    A start before 2025-01-01 becomes 2025-01-01 before the length of the window is looked at.
    """
    _check_choices(query)
    end = _date(query, "end_date")
    start = _date(query, "start_date")
    if start is not None and end is not None and start > end:
        raise NotAnswered("start_date is after end_date")
    if end is not None and end < FLOOR:
        raise NotAnswered(f"end_date is before {format_date(FLOOR)}")
    if end is not None and end >= today and refuse_today:
        raise NotAnswered("end_date is not a completed UTC day")
    end = today - 1 if end is None else min(end, today - 1)
    start = max(end - DEFAULT_DAYS + 1 if start is None else start, FLOOR)
    if start > end:
        raise NotAnswered("start_date is after the last completed UTC day")
    if end - start + 1 > SPAN_DAYS_MAX:
        raise NotAnswered(f"the window is longer than {SPAN_DAYS_MAX} days")
    return Window(start, end)


def _check_choices(query: Mapping[str, str]) -> None:
    for name, choices in CHOICES.items():
        if name in query and query[name] not in choices:
            raise NotAnswered(f"{name} is not one of {', '.join(sorted(choices))}")
    estimates = [name for name in _ESTIMATES if name in query]
    exact = [name for name in ("modality", "context_bucket") if name in query]
    if len(estimates) > 1 or (estimates and exact):
        raise NotAnswered(f"{' and '.join(estimates + exact)} exclude each other")
    if estimates and query.get("period") == "day":
        raise NotAnswered(f"period=day is not possible with {estimates[0]}")
    slices = [f"{name}={query[name]}" for name in CHOICES if name in query and query[name] != "day"]
    if slices:
        raise NotAnswered(f"this replay's recording holds no slice {', '.join(slices)}")


def _date(query: Mapping[str, str], name: str) -> int | None:
    if name not in query:
        return None
    try:
        return parse_date(query[name])
    except ValueError:
        raise NotAnswered(f"{name} is not a date YYYY-MM-DD") from None
