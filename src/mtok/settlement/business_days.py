"""Business days of New York: those of the Federal Reserve banks. For deadlines and payments alone; prices have none.

A deadline of n business days ends with the UTC day: it is the first instant at which it is too late.
"""

from __future__ import annotations

import datetime as dt
from functools import cache
from typing import Final

from mtok.calendar import DAY, day_of

_EPOCH: Final = dt.date(1970, 1, 1)
_SATURDAY: Final = 5


def is_business_day(day: int) -> bool:
    """Return whether the Federal Reserve banks are open on a day."""
    date = _EPOCH + dt.timedelta(days=day)
    return date.weekday() < _SATURDAY and day not in _holidays(date.year)


def business_day_after(day: int, count: int) -> int:
    """Return the day that is `count` business days after a day, which need not be one itself.

    >>> from mtok.calendar import format_date, parse_date
    >>> format_date(business_day_after(parse_date("2026-07-03"), 1))
    '2026-07-06'
    """
    while count:
        day += 1
        count -= is_business_day(day)
    return day


def deadline(instant: int, count: int) -> int:
    """Return the end of the day that is `count` business days after an instant: from then on it is too late."""
    return (business_day_after(day_of(instant), count) + 1) * DAY


@cache
def _holidays(year: int) -> frozenset[int]:
    import holidays

    return frozenset((date - _EPOCH).days for date in holidays.financial_holidays("XFED", years=year))
