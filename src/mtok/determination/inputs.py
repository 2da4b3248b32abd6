"""What the rules read: the visible captures of a store and their observations, as the rules' input tables (R-0).

Captures are numbered in order of time, equal times by sha256 (R-2, R-3), so that no order of rows or of import
can matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mtok.archive import KIND_MODELS, KIND_RANKINGS, Capture, StoreParameters
from mtok.calendar import DAY
from mtok.engine import Engine
from mtok.methodology import Methodology
from mtok.observations.tables import TABLES, Observations

_NUMBERING: Final = {
    "registered": "INTEGER",
    "capture": "INTEGER",
    "collector": "VARCHAR",
    "rank": "INTEGER",
    "day": "INTEGER",
    "second": "INTEGER",
}
_OFFSETS_MAX: Final = 31


@dataclass(frozen=True, kw_only=True)
class VisibleCapture:
    """A capture a determination may see. number : its place in time · registered : its line in the register."""

    number: int
    registered: int
    instant: int
    capture: Capture
    rank: int
    archive: bool

    @property
    def day(self) -> int:
        """The UTC day it was captured on."""
        return self.instant // DAY

    @property
    def second(self) -> int:
        """The second of that day."""
        return self.instant % DAY // 1_000_000


class Evidence:
    """The captures of a store seen at `as_of` (an instant; None: all of them), ready for the rules.

    volume_source : the one source whose volumes are read; sources are never mixed
    """

    def __init__(
        self,
        observations: Observations,
        captures: list[Capture],
        engine: Engine,
        *,
        volume_source: str,
        as_of: int | None,
    ) -> None:
        self._observations = observations
        self._engine = engine
        parameters = observations.store.parameters
        seen = _seen(engine, observations, as_of)
        ordered = sorted(
            seen, key=lambda found: (found[0], captures[found[1]].sha256, captures[found[1]].collector)
        )
        self.price_captures: dict[int, VisibleCapture] = {}
        self.volume_captures: dict[int, VisibleCapture] = {}
        for number, (instant, registered) in enumerate(ordered):
            visible = _ranked(number, registered, instant, captures[registered], parameters)
            if visible.capture.kind == KIND_MODELS and visible.rank:
                self.price_captures[number] = visible
            elif visible.capture.kind == KIND_RANKINGS and visible.capture.volume_source == volume_source:
                self.volume_captures[number] = visible
        self._load_volumes()

    def _load_volumes(self) -> None:
        engine = self._engine
        engine.table("volume_captures", _NUMBERING, _numbering(self.volume_captures))
        days = [visible.capture.instant // DAY for visible in self.volume_captures.values()]
        for table in ("volume_days", "volumes"):
            files = self._observations.files(table, min(days), max(days)) if days else []
            self._load(table, files, "volume_captures")

    def held_days(self) -> list[int]:
        """Return every day some visible capture of the volume source names, held or rejected, in order."""
        return [day for (day,) in self._engine.rows("SELECT DISTINCT day FROM volume_days ORDER BY day")]

    def load_prices(self, first_day: int, last_day: int) -> None:
        """Load the catalogue and prices of the captures of [first_day, last_day]."""
        engine = self._engine
        within = {
            number: visible
            for number, visible in self.price_captures.items()
            if first_day <= visible.day <= last_day
        }
        engine.table("price_captures", _NUMBERING, _numbering(within))
        for table in ("catalogue", "prices"):
            self._load(table, self._observations.files(table, first_day, last_day), "price_captures")

    def _load(self, table: str, files: list[str], captures: str) -> None:
        """Make an input table of the observations whose captures are in the table `captures`."""
        columns = ", ".join(f"observed.{name}" for name in TABLES[table] if name != "capture")
        self._engine.query(
            table,
            f"SELECT {captures}.capture, {columns} FROM {self._engine.scan(TABLES[table], files)} AS observed "
            f"JOIN {captures} ON {captures}.registered = observed.capture",
        )

    def load_version(self, methodology: Methodology) -> None:
        """Load the parameters and series of a version as the tables the rules name."""
        engine, parameters = self._engine, methodology.parameters
        numbers = parameters.columns()
        engine.table("parameters", dict.fromkeys(numbers, "BIGINT"), [list(numbers.values())])
        rows = [(series.series, series.author, series.name_prefix) for series in methodology.series]
        engine.table("series", dict.fromkeys(("series", "author", "name_prefix"), "VARCHAR"), rows)
        parts = parameters.texts("eligibility", "ineligible_name_parts")
        engine.table("ineligible_name_parts", {"part": "VARCHAR"}, [(part,) for part in parts])
        engine.table("offsets", {"days": "INTEGER"}, [(days,) for days in range(_OFFSETS_MAX)])


def _seen(engine: Engine, observations: Observations, as_of: int | None) -> list[tuple[int, int]]:
    """Return (instant, line in the register) of the readable captures seen at `as_of` (R-0)."""
    observed = engine.scan(TABLES["captures"], observations.files("captures"))
    limit = f"AND instant <= {as_of:d}" if as_of is not None else ""
    return [
        (instant, line)
        for instant, line in engine.rows(f"SELECT instant, capture FROM {observed} WHERE readable {limit}")
    ]


def _ranked(
    number: int, registered: int, instant: int, capture: Capture, parameters: StoreParameters
) -> VisibleCapture:
    entry = parameters.in_force(capture.collector, instant // DAY)
    return VisibleCapture(
        number=number,
        registered=registered,
        instant=instant,
        capture=capture,
        rank=entry.rank if entry else 0,
        archive=bool(entry and entry.archive),
    )


def _numbering(captures: dict[int, VisibleCapture]) -> list[tuple[int, int, str, int, int, int]]:
    return [
        (visible.registered, number, visible.capture.collector, visible.rank, visible.day, visible.second)
        for number, visible in captures.items()
    ]
