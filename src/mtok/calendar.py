"""UTC days and instants as integers, so that no time zone and no clock can touch them.

A `day` is the number of days since 1970-01-01. An `instant` is the number of microseconds since
1970-01-01T00:00:00Z. Both are plain `int`; text is ISO 8601, always UTC.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Final, Protocol

DAY_SECONDS: Final = 86_400
SECOND: Final = 1_000_000
DAY: Final = DAY_SECONDS * SECOND
_EPOCH_ORDINAL: Final = dt.date(1970, 1, 1).toordinal()
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,6})[0-9]*)?(?:Z|\+00:00)"
)


class Clock(Protocol):
    """The one way to ask for the time; only `cli` and `day` make a real one."""

    def now(self) -> int:
        """Return the present instant, microseconds since 1970-01-01 UTC."""
        ...


def parse_date(text: str) -> int:
    """Return the day of an ISO date. Raises ValueError for anything else, `2026-02-30` included.

    >>> parse_date("1970-01-02")
    1
    """
    if not _DATE.fullmatch(text):
        raise ValueError(f"not a date YYYY-MM-DD: {text!r}")
    return dt.date.fromisoformat(text).toordinal() - _EPOCH_ORDINAL


def format_date(day: int) -> str:
    """Return `YYYY-MM-DD`.

    >>> format_date(20624)
    '2026-06-20'
    """
    return dt.date.fromordinal(day + _EPOCH_ORDINAL).isoformat()


def parse_instant(text: str) -> int:
    """Return the instant of `YYYY-MM-DDTHH:MM:SS[.ffffff]Z` (or `+00:00`). Raises ValueError.

    >>> parse_instant("1970-01-01T00:00:01.5Z")
    1500000
    """
    match = _INSTANT.fullmatch(text)
    if not match:
        raise ValueError(f"not a UTC instant YYYY-MM-DDTHH:MM:SSZ: {text!r}")
    date, hour, minute, second, fraction = match.groups()
    if int(hour) > 23 or int(minute) > 59 or int(second) > 59:
        raise ValueError(f"not a time of day: {text!r}")
    seconds = int(hour) * 3600 + int(minute) * 60 + int(second)
    return parse_date(date) * DAY + seconds * SECOND + int((fraction or "0").ljust(6, "0"))


def format_instant(instant: int) -> str:
    """Return `YYYY-MM-DDTHH:MM:SSZ`, with a fraction only where there is one.

    >>> format_instant(1_500_000)
    '1970-01-01T00:00:01.5Z'
    """
    day, rest = divmod(instant, DAY)
    second, fraction = divmod(rest, SECOND)
    minute, second = divmod(second, 60)
    hour, minute = divmod(minute, 60)
    tail = f".{fraction:06d}".rstrip("0") if fraction else ""
    return f"{format_date(day)}T{hour:02d}:{minute:02d}:{second:02d}{tail}Z"


def day_of(instant: int) -> int:
    """Return the UTC day an instant falls on."""
    return instant // DAY


def second_of_day(instant: int) -> int:
    """Return the second of the UTC day, 0 … 86399; a fraction of a second is cut off."""
    return instant % DAY // SECOND
