"""What the rules read: the visible captures of a store and their observations, as the rules' input tables (R-0).

Captures are numbered in order of time, equal times by sha256: the same instant for volumes (R-2), the same second
for prices (R-3). So no order of rows or of import can matter.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from mtok.archive import KIND_ENDPOINTS, KIND_MODELS, KIND_USAGE, RANKINGS_DAILY, StoreParameters
from mtok.calendar import DAY, SECOND, format_instant
from mtok.canonical import canonical_bytes
from mtok.determination.basis import TOKENS
from mtok.determination.first_party import EndpointsObservation
from mtok.engine import Engine
from mtok.errors import BadCall
from mtok.methodology import COMPLETION_TOKENS, Methodology
from mtok.observations.endpoints import EndpointRow
from mtok.observations.tables import TABLES

_NUMBERING: Final = {
    "registered": "INTEGER",
    "capture": "INTEGER",
    "collector": "VARCHAR",
    "rank": "INTEGER",
    "day": "INTEGER",
    "second": "INTEGER",
}
_OFFSETS_MAX: Final = 31
_NEEDED: Final = {
    "catalogue": "observed.author IN (SELECT author FROM series)",
    "prices": "observed.dimension = 'completion'",
}
"""What the rules of every version read of these tables, most of which is of other companies and dimensions."""

_VOLUMES_OF_USAGE: Final = """
SELECT usage.capture, usage.day, usage.slug, usage.author, usage.name, usage.variant, {tokens} AS tokens
FROM usage
"""


class Observed(Protocol):
    """What is read of observations: those of a store, or those published of a fixing date."""

    @property
    def parameters(self) -> StoreParameters:
        """Who ranks how."""
        ...

    def files(self, table: str, first_day: int | None = None, last_day: int | None = None) -> list[str]:
        """Return the paths of one table for captures of [first_day, last_day]."""
        ...

    def rows(
        self, table: str, *columns: str, first_day: int | None = None, last_day: int | None = None
    ) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of one table for captures of [first_day, last_day]."""
        ...


@dataclass(frozen=True, kw_only=True)
class VisibleCapture:
    """A capture a determination may see.

    number : its place in time · registered : its line in the register · instant, captured : instants, of a
    rankings response `meta.as_of` and when it was captured
    """

    registered: int
    instant: int
    captured: int
    collector: str
    kind: str
    subject: str
    volume_source: str | None
    sha256: str
    origin: str | None
    rank: int
    archive: bool
    number: int = -1

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
    first_day : captures made before this UTC day are not looked at; None: all are
    is_usage : the source is one of usage cubes, which name every model and tell completion tokens apart
    """

    def __init__(
        self,
        observations: Observed,
        engine: Engine,
        *,
        volume_source: str,
        as_of: int | None,
        first_day: int | None = None,
    ) -> None:
        self._observations = observations
        self._engine = engine
        seen = _seen(engine, observations, first_day, as_of)
        prices = [visible for visible in seen if visible.kind == KIND_MODELS and visible.rank]
        volumes = [visible for visible in seen if visible.volume_source == volume_source]
        self.volume_captures = dict(enumerate(_numbered(volumes, unit=1)))
        self._volume_source = volume_source
        self._usage_sources = {visible.volume_source for visible in seen if visible.kind == KIND_USAGE}
        self.is_usage = volume_source in self._usage_sources
        self._price_captures: defaultdict[int, list[VisibleCapture]] = defaultdict(list)
        for visible in _numbered(prices, unit=SECOND):
            self._price_captures[visible.day].append(visible)
        self._capture_lists: dict[int, bytes] = {}
        endpoints = [visible for visible in seen if visible.kind == KIND_ENDPOINTS and visible.rank == 1]
        self._endpoints_captures = {
            (visible.day, visible.subject): visible for visible in _numbered(endpoints, unit=1)
        }
        self._endpoints: defaultdict[int, list[EndpointsObservation]] = defaultdict(list)
        self._load_volumes()

    def _load_volumes(self) -> None:
        engine = self._engine
        engine.table("volume_captures", _NUMBERING, _numbering(self.volume_captures.values()))
        days = [visible.captured // DAY for visible in self.volume_captures.values()]
        for table in ("volume_days", "usage" if self.is_usage else "volumes"):
            files = self._observations.files(table, min(days), max(days)) if days else []
            self._load(table, files, "volume_captures")

    def held_days(self) -> list[int]:
        """Return every day some visible capture of the volume source names, held or rejected, in order."""
        return [day for (day,) in self._engine.rows("SELECT DISTINCT day FROM volume_days ORDER BY day")]

    def price_captures_of(self, first_day: int, last_day: int) -> list[VisibleCapture]:
        """Return the ranked price captures of [first_day, last_day] in order of time."""
        return [visible for day in range(first_day, last_day + 1) for visible in self._price_captures[day]]

    def capture_list(self, day: int) -> bytes:
        """Return the canonical JSON of the ranked price captures of a day, in order of time: `[]` when none was seen.

        Records name it by its sha256 (R-0). It says nothing of who asks: the same for every series and fixing day.
        """
        if day not in self._capture_lists:
            self._capture_lists[day] = canonical_bytes(
                [
                    {
                        "captured_at": format_instant(visible.instant),
                        "collector": visible.collector,
                        "rank": visible.rank,
                        "sha256": visible.sha256,
                    }
                    for visible in self.price_captures_of(day, day)
                ]
            )
        return self._capture_lists[day]

    def endpoints_of(self, day: int) -> list[EndpointsObservation]:
        """Return the endpoints captures of a day: of each slug the latest readable one by the primary collector."""
        return self._endpoints[day]

    def endpoints_captures_of(self, day: int) -> list[VisibleCapture]:
        """Return the captures behind `endpoints_of`, in the same order."""
        return [visible for (on, _), visible in sorted(self._endpoints_captures.items()) if on == day]

    def load_prices(self, first_day: int, last_day: int) -> None:
        """Load the catalogue and prices of the captures of [first_day, last_day]."""
        within = self.price_captures_of(first_day, last_day)
        self._engine.table("price_captures", _NUMBERING, _numbering(within))
        for table, needed in _NEEDED.items():
            files = self._observations.files(table, first_day, last_day)
            self._load(table, files, "price_captures", needed)
        self._load_endpoints(first_day, last_day)

    def _load_endpoints(self, first_day: int, last_day: int) -> None:
        """Keep the endpoints the captures of [first_day, last_day] show, of each model and day the latest."""
        names = EndpointRow._fields
        rows: defaultdict[int, list[EndpointRow]] = defaultdict(list)
        ids: dict[int, str | None] = {}
        found = self._observations.rows(
            "endpoints", "capture", "id", *names, first_day=first_day, last_day=last_day
        )
        for line, model_id, *row in found:
            ids[line] = model_id
            read = EndpointRow(*row)
            whole = None if read.price_seconds is None else int(read.price_seconds)
            rows[line].append(read._replace(price_seconds=whole))
        self._endpoints.clear()
        for (day, slug), visible in sorted(self._endpoints_captures.items()):
            if first_day <= day <= last_day:
                line = visible.registered
                observation = EndpointsObservation(
                    slug=slug,
                    captured_at=format_instant(visible.instant),
                    sha256=visible.sha256,
                    id=ids.get(line),
                    rows=rows[line],
                )
                self._endpoints[day].append(observation)

    def _load(self, table: str, files: list[str], captures: str, needed: str = "TRUE") -> None:
        """Make an input table of the observations that are needed and whose captures are in the table `captures`."""
        columns = ", ".join(f"observed.{name}" for name in TABLES[table] if name != "capture")
        self._engine.query(
            table,
            f"SELECT {captures}.capture, {columns} FROM {self._engine.scan(TABLES[table], files)} AS observed "
            f"JOIN {captures} ON {captures}.registered = observed.capture WHERE {needed}",
        )

    def load_version(self, methodology: Methodology) -> None:
        """Load the parameters and series of a version as the tables the rules name, of usage its volumes too.

        Raises BadCall (`completion_tokens_unknown`) for a version that weighs by what the source does not tell.
        """
        self._load_weights(methodology)
        engine, parameters = self._engine, methodology.parameters
        numbers = parameters.columns()
        engine.table("parameters", dict.fromkeys(numbers, "BIGINT"), [list(numbers.values())])
        rows = [(series.series, series.author, series.name_prefix) for series in methodology.series]
        engine.table("series", dict.fromkeys(("series", "author", "name_prefix"), "VARCHAR"), rows)
        parts = parameters.texts("eligibility", "ineligible_name_parts")
        engine.table("ineligible_name_parts", {"part": "VARCHAR"}, [(part,) for part in parts])
        engine.table("offsets", {"days": "INTEGER"}, [(days,) for days in range(_OFFSETS_MAX)])

    def _load_weights(self, methodology: Methodology) -> None:
        """Make the table `volumes` out of usage cubes: the tokens that the version weighs by (R-2)."""
        basis, source = methodology.weight_basis, self._volume_source
        if self.is_usage:
            self._engine.query("volumes", _VOLUMES_OF_USAGE.format(tokens=TOKENS[basis]))
        elif basis == COMPLETION_TOKENS and (source == RANKINGS_DAILY or self.volume_captures):
            known = ", ".join(sorted(filter(None, self._usage_sources))) or "none of this store"
            raise BadCall(
                "completion_tokens_unknown",
                f"methodology {methodology.methodology} weighs by completion tokens; {source} tells totals alone",
                f"Sources that tell completion tokens: {known}. Name one with --volume-source; `mtok import usage` "
                "makes one from usage logs.",
            )


def _seen(
    engine: Engine, observations: Observed, first_day: int | None, as_of: int | None
) -> list[VisibleCapture]:
    """Return the readable captures seen at `as_of` (R-0), each with the rank in force on its day (R-6)."""
    names = "capture, instant, captured, collector, kind, subject, volume_source, sha256, origin"
    observed = engine.scan(TABLES["captures"], observations.files("captures", first_day))
    limit = f"AND instant <= {as_of:d}" if as_of is not None else ""
    parameters = observations.parameters
    return [
        _ranked(row, parameters)
        for row in engine.rows(f"SELECT {names} FROM {observed} WHERE readable {limit}")
    ]


def _ranked(row: tuple[Any, ...], parameters: StoreParameters) -> VisibleCapture:
    registered, instant, captured, collector, kind, subject, volume_source, sha256, origin = row
    entry = parameters.in_force(collector, instant // DAY)
    return VisibleCapture(
        registered=registered,
        instant=instant,
        captured=captured,
        collector=collector,
        kind=kind,
        subject=subject or "",
        volume_source=volume_source,
        sha256=sha256,
        origin=origin,
        rank=entry.rank if entry else 0,
        archive=bool(entry and entry.archive),
    )


def _numbered(captures: Iterable[VisibleCapture], *, unit: int) -> list[VisibleCapture]:
    """Return captures in order of time, numbered; in the same `unit` (µs) the greater sha256 is the later one."""

    def place(visible: VisibleCapture) -> tuple[int, str, str, int, int]:
        instant = visible.instant
        return instant // unit, visible.sha256, visible.collector, instant, visible.captured

    ordered = sorted(captures, key=place)
    return [replace(visible, number=number) for number, visible in enumerate(ordered)]


def _numbering(captures: Iterable[VisibleCapture]) -> list[tuple[int, int, str, int, int, int]]:
    return [
        (
            visible.registered,
            visible.number,
            visible.collector,
            visible.rank,
            visible.day,
            visible.second,
        )
        for visible in captures
    ]
