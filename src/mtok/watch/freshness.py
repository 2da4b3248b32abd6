"""How fresh a store is: its first and newest captures, and what is late at an instant.

Only a store that has asked the live API once can be late; an archive of imported files never is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from mtok.archive import RANKINGS_DAILY
from mtok.calendar import DAY, SECOND, day_of
from mtok.engine import Engine
from mtok.observations.tables import TABLES, Observations

HOUR: Final = 3_600 * SECOND
PRICES_AGE_MAX: Final = 3 * HOUR
RANKINGS_DUE: Final = 6 * HOUR
PRINTS_DUE: Final = 7 * HOUR
HELD_WITHIN_DAYS: Final = 35
"""How far back the newest day held is looked for."""


@dataclass(frozen=True, kw_only=True)
class Freshness:
    """What a store holds at `now`; instants and days, None where there is nothing.

    first : its first capture · first_live : its first request to the live API, answered or not
    newest_prices : its newest readable capture of prices by a primary collector · newest_day : its newest day of
    rankings-daily, captured in the last 35 days
    """

    now: int
    first: int | None
    first_live: int | None
    newest_prices: int | None
    newest_day: int | None

    @property
    def prices_due(self) -> int | None:
        """The instant after which prices are late; None for a store that never collected."""
        if self.first_live is None:
            return None
        return max(self.first_live, self.newest_prices or 0) + PRICES_AGE_MAX

    @property
    def next_day(self) -> int | None:
        """The next day whose rankings are waited for."""
        if self.first is None or self.first_live is None:
            return None
        newest = self.newest_day if self.newest_day is not None else day_of(self.first) - 1
        return max(newest + 1, newest_due(self.now, RANKINGS_DUE), day_of(self.first))

    @property
    def rankings_due(self) -> int | None:
        """The instant after which the rankings of `next_day` are late."""
        return None if self.next_day is None else (self.next_day + 1) * DAY + RANKINGS_DUE

    @property
    def prices_late(self) -> bool:
        """Whether prices are late."""
        return self.prices_due is not None and self.now > self.prices_due

    @property
    def rankings_late(self) -> bool:
        """Whether the newest completed day should be held and is not."""
        return self.rankings_due is not None and self.now >= self.rankings_due


def newest_due(now: int, after_midnight: int) -> int:
    """Return the newest completed day for which `after_midnight` of the day after has come."""
    return day_of(now - after_midnight) - 1


def freshness_of(observations: Observations, engine: Engine, now: int) -> Freshness:
    """Return what a store holds at `now`; what was captured later does not count. `refresh` has been called."""
    days = [day for day in observations.days() if day <= day_of(now)]
    parameters = observations.store.parameters

    def earliest(captures: str, which: str = "TRUE") -> int | None:
        [(found,)] = engine.rows(
            f"SELECT MIN(captured) FROM {captures} WHERE captured <= {now:d} AND ({which})"
        )
        return None if found is None else int(found)

    def newest_own_prices(captures: str) -> int | None:
        newest = engine.rows(
            f"SELECT collector, captured // {DAY}, MAX(captured) FROM {captures} "
            f"WHERE kind = 'models' AND readable AND captured <= {now:d} GROUP BY ALL"
        )
        own = [
            captured
            for collector, day, captured in newest
            if (entry := parameters.in_force(collector, day)) and entry.rank == 1
        ]
        return max(own, default=None)

    first_file = day_of(now) - HELD_WITHIN_DAYS
    recent, held = (
        engine.scan(TABLES[table], observations.files(table, first_file, day_of(now)))
        for table in ("captures", "volume_days")
    )
    [(newest_day,)] = engine.rows(
        f"SELECT MAX(held.day) FROM {held} AS held JOIN {recent} AS captures USING (capture) "
        f"WHERE held.reason IS NULL AND captures.captured <= {now:d} "
        f"AND COALESCE(captures.volume_source, '{RANKINGS_DAILY}') = '{RANKINGS_DAILY}'"
    )
    return Freshness(
        now=now,
        first=_first(observations, engine, days, earliest),
        first_live=_first(
            observations,
            engine,
            days,
            lambda captures: earliest(captures, "http_status IS NOT NULL OR failure IS NOT NULL"),
        ),
        newest_prices=_first(observations, engine, days[::-1], newest_own_prices),
        newest_day=newest_day,
    )


def _first(
    observations: Observations, engine: Engine, days: Sequence[int], ask: Callable[[str], int | None]
) -> int | None:
    """Return the first answer to a question about the captures of `days`, asked in their order.

    Twice as many days are asked at once from time to time: what one of the first answers costs no more than
    that day, however many there are, and what none answers twice the whole.
    """
    asked, span = 0, 1
    while asked < len(days):
        among = days[asked : asked + span]
        answer = ask(engine.scan(TABLES["captures"], observations.files("captures", min(among), max(among))))
        if answer is not None:
            return answer
        asked, span = asked + span, span * 2
    return None
