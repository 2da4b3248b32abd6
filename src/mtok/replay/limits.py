"""Rate limits of `/datasets/*`: 30 requests a minute and 500 a day, counted by the clock of the replay."""

from __future__ import annotations

from typing import Final

from mtok.calendar import DAY, SECOND
from mtok.replay.modes.mode import Answer, error

MINUTE_REQUESTS_MAX: Final = 30
DAY_REQUESTS_MAX: Final = 500
DAY_MESSAGE: Final = "Rate limit exceeded: datasets-per-account-rpd-v1."
MINUTE_MESSAGE: Final = "Rate limit exceeded"

_MINUTE: Final = 60 * SECOND


class RateLimits:
    """Counts requests of whole minutes and UTC days. The caller holds a lock."""

    def __init__(self) -> None:
        self._minute = self._day = (-1, 0)

    def count(self, now: int) -> Answer | None:
        """Count a request at an instant; return the 429 it gets when it is one too many, which is not counted."""
        minute, day = _counted(self._minute, now // _MINUTE), _counted(self._day, now // DAY)
        if day[1] > DAY_REQUESTS_MAX:
            return refusal(DAY_MESSAGE, DAY_REQUESTS_MAX, (day[0] + 1) * DAY)
        if minute[1] > MINUTE_REQUESTS_MAX:
            return refusal(MINUTE_MESSAGE, MINUTE_REQUESTS_MAX, (minute[0] + 1) * _MINUTE)
        self._minute, self._day = minute, day
        return None


def refusal(message: str, limit: int, reset: int) -> Answer:
    """Return a 429 with `X-RateLimit-*`, the reset in milliseconds since 1970-01-01. reset : instant"""
    return error(
        429,
        message,
        ("X-RateLimit-Limit", str(limit)),
        ("X-RateLimit-Remaining", "0"),
        ("X-RateLimit-Reset", str(reset // 1000)),
    )


def _counted(counter: tuple[int, int], period: int) -> tuple[int, int]:
    return period, counter[1] + 1 if counter[0] == period else 1
