"""One day of mtok, to be read first: collect → observe → determine → publish.

Responses are archived as they came, observations are made from them, the rules of the version in force turn these
into determination records. What is due of them is published: frozen, put into the transparency log, signed. One
process at a time writes to a store.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from mtok.archive import Store
from mtok.calendar import Clock
from mtok.collection import Collected, Connect, collect
from mtok.determination.run import Run, run_range
from mtok.engine import Engine
from mtok.errors import AnswerIsNo, BadInput
from mtok.observations import Observations
from mtok.progress import Progress, silent
from mtok.publication.keys import has_key
from mtok.publication.press import Outside, nowhere
from mtok.publication.publish import Publication, publish


class SystemClock:
    """The clock of the machine."""

    def now(self) -> int:
        """Return the present instant, microseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1000


@dataclass(frozen=True, kw_only=True)
class DayRun:
    """What `run_day` did.

    determined : None while no capture holds any volumes · published : None also where the store has no signing key
    """

    collected: Collected
    determined: Run | None
    published: Publication | None


def run_day(
    store: Store,
    connect: Connect,
    clock: Clock,
    *,
    outside: Outside = nowhere,
    endpoints: bool = True,
    progress: Progress = silent,
) -> DayRun:
    """Collect what is due now, bring every determination up to date, and publish the dates that are due.

    The same again takes up what is due then. What upstream failed to answer stands in the outcomes of `collected`;
    the rest is done all the same. Raises BadInput where a day cannot be determined, once what is due is published: one
    such day keeps no later one from being printed.

    outside : where the head of the log is remembered outside the store, by origin
    """
    with store.writing():
        observations = Observations(store)
        observations.refresh(progress)
        collected = collect(store, observations, connect, clock, endpoints=endpoints, progress=progress)
        failure = determined = published = None
        try:
            determined = run_range(store, observations, progress=progress)
        except AnswerIsNo:
            return DayRun(collected=collected, determined=None, published=None)
        except BadInput as error:
            failure = error
        if has_key(store):
            published = publish(store, observations, clock.now(), outside, progress=progress)
        if failure is not None:
            raise failure
        return DayRun(collected=collected, determined=determined, published=published)


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


def publish_due(
    store: Store, clock: Clock, outside: Outside, *, last_day: int | None = None, progress: Progress = silent
) -> Publication:
    """Publish every date that is due now, up to `last_day` (`mtok.publication`)."""
    with store.writing():
        observations = Observations(store)
        observations.refresh(progress)
        return publish(store, observations, clock.now(), outside, last_day=last_day, progress=progress)


def determine_days(
    store: Store,
    *,
    methodology: str = "1.0",
    first_day: int | None = None,
    last_day: int | None = None,
    as_of: int | None = None,
    volume_source: str | None = None,
    engine: Engine | None = None,
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
            engine=engine,
            progress=progress,
        )
