"""One day of mtok, to be read first: collect → observe → determine → publish.

Responses are archived as they came, observations are made from them, the rules of the version in force turn these
into determination records. Publishing has its place here when it exists. One process at a time writes to a store.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mtok.archive import Store
from mtok.calendar import Clock
from mtok.collection import Collected, Connect, collect
from mtok.determination.run import Run, run_range
from mtok.errors import AnswerIsNo, EnvironmentFailed
from mtok.observations import Observations
from mtok.progress import Progress, silent
from mtok.watch.delivery import Delivery, deliver
from mtok.watch.sinks import Sinks
from mtok.watch.status import Status, status_of, watched

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


TOLD_DAYS: Final = 9
"""The days a run looks at for what is odd: today and those whose volumes are asked for again, and one more."""


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


def standing(store: Store, now: int, days: int) -> Status:
    """Return the status of a store at `now` with its observations up to date, where this process may write them."""
    try:
        with store.writing():
            Observations(store).refresh(silent)
    except PermissionError:
        pass
    except EnvironmentFailed as error:
        if error.code != "store_in_use":  # whoever uses it brings them up to date
            raise
    return status_of(store, now, days)


def tell(store: Store, clock: Clock, sinks: Sinks, log: FilteringBoundLogger) -> list[Delivery]:
    """Tell every sink what it has not been told of what is odd or late, with the observations up to date.

    While another process writes to the store they are taken as they are: what is late is told all the same. Nobody
    waits for the store while a sink is being told. Raises EnvironmentFailed, and logs it, when they cannot be read.
    """
    try:
        try:
            with store.writing():
                Observations(store).refresh(silent)
                now = clock.now()
                status, alarms = watched(store, now, TOLD_DAYS)
        except EnvironmentFailed as error:
            if error.code != "store_in_use":
                raise
            now = clock.now()
            status, alarms = watched(store, now, TOLD_DAYS)
    except EnvironmentFailed as error:
        log.warning("not_told", code=error.code, found=error.found)
        raise
    return deliver(store, status, alarms, sinks, now, log)


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
