"""One day of mtok, to be read first: collect → observe → determine → publish.

Evidence is archived as it came, observations are made from it, the rules of the version in force turn them into
determination records. Publishing has its place here when it exists.
"""

from __future__ import annotations

from mtok.archive import Store
from mtok.determination.run import Run, run_range
from mtok.observations import Observations
from mtok.progress import Progress, silent


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
