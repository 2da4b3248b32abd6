"""A store's standing now, and the sinks told of it: with the observations up to date wherever that can be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mtok.archive import Store
from mtok.calendar import Clock
from mtok.errors import EnvironmentFailed
from mtok.observations import Observations
from mtok.progress import silent
from mtok.watch.delivery import Delivery, deliver
from mtok.watch.sinks import Sinks
from mtok.watch.status import Status, status_of, watched

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

TOLD_DAYS: Final = 9
"""The days a run looks at for what is odd: today and those whose volumes are asked for again, and one more."""


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
