"""One day of mtok, to be read first: collect → observe → determine → publish.

Responses are archived as they came, observations are made from them, the rules of the version in force turn these
into determination records. Publishing has its place here when it exists. One process at a time writes to a store.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtok.archive import Response, Store
from mtok.calendar import Clock, day_of
from mtok.collection import Collected, Connect, collect, sound, together
from mtok.determination.run import Run, run_range
from mtok.errors import AnswerIsNo
from mtok.observations import Observations
from mtok.progress import Progress, silent
from mtok.replay import Recording, ReplayClock, ReplayServer
from mtok.sources import OpenRouter
from mtok.watch.delivery import Delivery, deliver
from mtok.watch.sinks import Sinks
from mtok.watch.status import status_of

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


class SystemClock:
    """The clock of the machine."""

    def now(self) -> int:
        """Return the present instant, microseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1000


@dataclass(frozen=True, kw_only=True)
class DayRun:
    """What `run_day` did. determined : None while no capture holds any volumes."""

    collected: Collected
    determined: Run | None


def run_day(
    store: Store, connect: Connect, clock: Clock, *, endpoints: bool = True, progress: Progress = silent
) -> DayRun:
    """Collect what is due now, then bring every determination up to date.

    The same again takes up what is due then. What upstream failed to answer stands in the outcomes of `collected`;
    the determinations are made all the same.
    """
    with store.writing():
        observations = Observations(store)
        observations.refresh(progress)
        collected = collect(store, observations, connect, clock, endpoints=endpoints, progress=progress)
        try:
            determined = run_range(store, observations, progress=progress)
        except AnswerIsNo:
            determined = None
        return DayRun(collected=collected, determined=determined)


def collect_due(
    store: Store,
    connect: Connect,
    clock: Clock,
    *,
    days: tuple[int, int] | None = None,
    progress: Progress = silent,
) -> Collected:
    """Collect what is due now, or the rankings of the first to the last of `days`."""
    with store.writing():
        observations = Observations(store)
        observations.refresh(progress)
        return collect(store, observations, connect, clock, days=days, progress=progress)


def collect_recorded(
    store: Store,
    recording: Recording,
    *,
    days: tuple[int | None, int | None] = (None, None),
    progress: Progress = silent,
) -> Collected:
    """Collect from a recorded market, served on the loopback, at each instant at which something in it changes.

    days : the first and the last UTC day of these instants, None where open
    """
    first, last = days
    instants = [
        instant
        for instant in recording.instants()
        if (first is None or day_of(instant) >= first) and (last is None or day_of(instant) <= last)
    ]
    parts = []
    clock = ReplayClock(recording.instants()[0])
    with store.writing(), ReplayServer(recording, clock) as server:

        def connect(keep: Callable[[Response], None]) -> OpenRouter:
            return OpenRouter(
                clock, keep=keep, log=_unsaid, key="replay", url=server.url, origin=recording.origin, sound=sound
            )

        observations = Observations(store)
        observations.refresh(progress)
        for done, instant in enumerate(instants):
            progress("collecting", done, len(instants))
            clock.set(instant)
            parts.append(collect(store, observations, connect, clock, endpoints=recording.has_endpoints, progress=silent))
        progress("collecting", len(instants), len(instants))
    return together(parts)


def tell(store: Store, clock: Clock, sinks: Sinks, log: FilteringBoundLogger) -> list[Delivery]:
    """Bring the observations up to date and tell every sink what it has not been told of what is odd or late."""
    with store.writing():
        Observations(store).refresh(silent)
        now = clock.now()
        status = status_of(store, now)
        return deliver(store, status, status.open, sinks, now, log)


def determine_days(
    store: Store,
    *,
    methodology: str = "1.0",
    first_day: int | None = None,
    last_day: int | None = None,
    as_of: int | None = None,
    volume_source: str | None = None,
    threads: int | None = None,
    progress: Progress = silent,
) -> Run:
    """Observe what is new, then determine the days of a range, or bring those of all days up to date (`run_range`)."""
    with store.writing():
        observations = Observations(store)
        observations.refresh(progress)
        return run_range(
            store,
            observations,
            methodology=methodology,
            first_day=first_day,
            last_day=last_day,
            as_of=as_of,
            volume_source=volume_source,
            threads=threads,
            progress=progress,
        )
