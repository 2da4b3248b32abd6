"""What the rules read: the visible captures of a store and their observations, as the rules' input tables (R-0).

Captures are numbered in order of time, equal times by sha256: the same instant for volumes (R-2), the same second
for prices (R-3). So no order of rows or of import can matter.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from mtok.archive import KIND_MODELS, Capture, StoreParameters
from mtok.calendar import DAY, SECOND
from mtok.determination.first_party import EndpointsObservation
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

    registered: int
    instant: int
    capture: Capture
    rank: int
    archive: bool
    number: int = -1

    @property
    def sha256(self) -> str:
        """The digest of its bytes."""
        return self.capture.sha256

    @property
    def day(self) -> int:
        """The UTC day it was captured on."""
        return self.instant // DAY

    @property
    def second(self) -> int:
        """The second of that day."""
        return self.instant % DAY // SECOND


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
        seen = [
            _ranked(registered, instant, captures[registered], parameters)
            for instant, registered in _seen(engine, observations, as_of)
        ]
        prices = [visible for visible in seen if visible.capture.kind == KIND_MODELS and visible.rank]
        volumes = [visible for visible in seen if visible.capture.volume_source == volume_source]
        self.volume_captures = dict(enumerate(_numbered(volumes, unit=1)))
        self._price_captures: defaultdict[int, list[VisibleCapture]] = defaultdict(list)
        for visible in _numbered(prices, unit=SECOND):
            self._price_captures[visible.day].append(visible)
        self._endpoints: dict[int, list[EndpointsObservation]] = {}
        self._load_volumes()

    def _load_volumes(self) -> None:
        engine = self._engine
        engine.table("volume_captures", _NUMBERING, _numbering(self.volume_captures.values()))
        days = [visible.capture.instant // DAY for visible in self.volume_captures.values()]
        for table in ("volume_days", "volumes"):
            files = self._observations.files(table, min(days), max(days)) if days else []
            self._load(table, files, "volume_captures")

    def held_days(self) -> list[int]:
        """Return every day some visible capture of the volume source names, held or rejected, in order."""
        return [day for (day,) in self._engine.rows("SELECT DISTINCT day FROM volume_days ORDER BY day")]

    def price_captures_of(self, first_day: int, last_day: int) -> list[VisibleCapture]:
        """Return the ranked price captures of [first_day, last_day] in order of time."""
        return [visible for day in range(first_day, last_day + 1) for visible in self._price_captures[day]]

    def endpoints_of(self, day: int) -> list[EndpointsObservation]:
        """Return the endpoints captures of a day: of each slug the latest readable one by the primary collector."""
        return self._endpoints.get(day, [])

    def load_prices(self, first_day: int, last_day: int) -> None:
        """Load the catalogue and prices of the captures of [first_day, last_day]."""
        within = self.price_captures_of(first_day, last_day)
        self._engine.table("price_captures", _NUMBERING, _numbering(within))
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


def _ranked(registered: int, instant: int, capture: Capture, parameters: StoreParameters) -> VisibleCapture:
    entry = parameters.in_force(capture.collector, instant // DAY)
    return VisibleCapture(
        registered=registered,
        instant=instant,
        capture=capture,
        rank=entry.rank if entry else 0,
        archive=bool(entry and entry.archive),
    )


def _numbered(captures: Iterable[VisibleCapture], *, unit: int) -> list[VisibleCapture]:
    """Return captures in order of time, numbered; in the same `unit` (µs) the greater sha256 is the later one."""
    ordered = sorted(
        captures, key=lambda visible: (visible.instant // unit, visible.sha256, visible.capture.collector)
    )
    return [replace(visible, number=number) for number, visible in enumerate(ordered)]


def _numbering(captures: Iterable[VisibleCapture]) -> list[tuple[int, int, str, int, int, int]]:
    return [
        (
            visible.registered,
            visible.number,
            visible.capture.collector,
            visible.rank,
            visible.day,
            visible.second,
        )
        for visible in captures
    ]
