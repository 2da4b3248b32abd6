"""The clock of a replay: it stands still or runs, and it is set from outside, so that a day takes no day."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from mtok.calendar import format_instant, parse_instant
from mtok.errors import BadCall

RATE_MAX: Final = 86_400
_EARLIEST: Final = parse_instant("1970-01-02T00:00:00Z")
_LATEST: Final = parse_instant("2999-12-31T23:59:59Z")


class ReplayClock:
    """A `mtok.calendar.Clock` that starts at `instant`; safe to share between threads.

    instant : microseconds since 1970-01-01 UTC, from 1970-01-02 to the end of 2999
    rate : replayed seconds a real second; 0 stands still, 1 runs in real time, at most 86,400 (a day a second)
    monotonic : real nanoseconds since whenever
    Raises BadCall `replay_clock` for an instant or a rate outside these.
    """

    def __init__(
        self, instant: int, rate: int = 0, *, monotonic: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._monotonic = monotonic
        self._instant = self._rate = self._set_at = 0
        self._lock = threading.Lock()
        self.set(instant, rate)

    def now(self) -> int:
        """Return the replayed instant, microseconds since 1970-01-01 UTC."""
        with self._lock:
            return self._now()

    @property
    def rate(self) -> int:
        """Replayed seconds a real second."""
        with self._lock:
            return self._rate

    def set(self, instant: int | None = None, rate: int | None = None) -> None:
        """Go on from `instant` at `rate`; what is None stays. Raises BadCall `replay_clock`, then nothing changes."""
        if instant is not None and not _EARLIEST <= instant <= _LATEST:
            raise BadCall(
                "replay_clock",
                f"instant {instant} µs is not between {format_instant(_EARLIEST)} and {format_instant(_LATEST)}",
                "Set the clock to an instant of the recording.",
            )
        if rate is not None and (type(rate) is not int or not 0 <= rate <= RATE_MAX):
            raise BadCall(
                "replay_clock",
                f"rate {rate!r} is not a whole number from 0 to {RATE_MAX}",
                "Give 0 to stand still, 1 to run in real time.",
            )
        with self._lock:
            self._instant = self._now() if instant is None else instant
            self._rate = self._rate if rate is None else rate
            self._set_at = self._monotonic()

    def _now(self) -> int:
        return self._instant + self._rate * (self._monotonic() - self._set_at) // 1000
