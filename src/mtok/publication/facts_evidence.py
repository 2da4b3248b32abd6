"""From evidence to published facts, and from published facts to the records again.

Facts become the tables of observations that `Evidence` reads of a store, so the rules, the assembly and the links
to earlier records are the very same code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from mtok.archive import KIND_ENDPOINTS, KIND_MODELS, KIND_RANKINGS, Collector, StoreParameters
from mtok.calendar import day_of, format_date
from mtok.determination.assembly import Request
from mtok.determination.determine import determine
from mtok.determination.inputs import Evidence, VisibleCapture
from mtok.engine import EmbeddedEngine, Engine
from mtok.methodology import Methodology, load
from mtok.observations.tables import TABLES, parquet_bytes
from mtok.progress import silent
from mtok.publication.facts import Fact, Facts, in_order, order, runs
from mtok.records import Determination


def facts_of(request: Request, evidence: Evidence, engine: Engine, day: int) -> Facts:
    """Return the facts of a fixing date.

    request : as for `determine`; its range of days does not matter · engine : the one `evidence` is loaded into, with
    the version and at least the prices `determine` reads for `day`
    """
    prices = evidence.price_captures_of(day - request.days_before, day + request.days_after)
    naming = [number for (number,) in engine.rows(f"SELECT capture FROM volume_days WHERE day = {day:d}")]
    volumes = [evidence.volume_captures[number] for number in sorted(naming)]
    rows = [*_captures(KIND_RANKINGS, volumes), *_captures(KIND_MODELS, prices)]
    _number(engine, volumes)
    rows += _shown(engine, "volume_day", KIND_RANKINGS, ("reason",), "volume_days", day)
    rows += _shown(
        engine, "volume", KIND_RANKINGS, ("slug", "author", "name", "variant", "tokens"), "volumes", day
    )
    _number(engine, prices)
    engine.query("published_models", _MODELS)
    engine.query("published_prices", _PRICES)
    model = ("id", "place", "slug", "author", "name", "variant", "created", "text_only")
    rows += _shown(engine, "model", KIND_MODELS, model, "published_models")
    tile = ("min_prompt_tokens", "start_second", "end_second", "price", "base_price", "reason")
    rows += _shown(engine, "price", KIND_MODELS, ("id", "place", *tile), "published_prices")
    rows += _endpoints(request.methodology, evidence, day)
    return Facts(
        day=day,
        as_of=request.as_of,
        methodology=request.methodology.methodology,
        volume_source=request.volume_source,
        complete=request.complete,
        rows=in_order(rows),
    )


_MODELS: Final = """
SELECT
  capture, ordinal, id, slug, author, name, variant, created, text_only,
  ROW_NUMBER() OVER (PARTITION BY capture, id ORDER BY ordinal) AS place
FROM catalogue
SEMI JOIN published_captures USING (capture)
SEMI JOIN series
  ON series.author = catalogue.author
  AND SUBSTRING(catalogue.name, 1, LENGTH(series.name_prefix)) = series.name_prefix
"""

_PRICES: Final = """
SELECT
  capture, published_models.id, published_models.place,
  min_prompt_tokens, start_second, end_second, price, base_price, reason
FROM prices
JOIN published_models USING (capture, ordinal)
"""


def _number(engine: Engine, captures: Iterable[VisibleCapture]) -> None:
    """Load the numbers captures have in the file."""
    numbers = [(visible.number, place) for place, visible in enumerate(captures, 1)]
    engine.table("published_captures", {"capture": "INTEGER", "number": "INTEGER"}, numbers)


def _shown(
    engine: Engine, fact: str, kind: str, columns: tuple[str, ...], table: str, day: int | None = None
) -> Iterator[Fact]:
    """Yield the rows of a table, once for each run of captures that show them."""
    dated = f"WHERE day = {day:d}" if day is not None else ""
    for *values, numbers in engine.rows(
        f"SELECT {', '.join(columns)}, LIST(DISTINCT number ORDER BY number) "
        f"FROM {table} JOIN published_captures USING (capture) {dated} GROUP BY {', '.join(columns)}"
    ):
        row = Fact(fact, kind, date=day)._replace(**dict(zip(columns, values, strict=True)))
        for first, last in runs(numbers):
            yield row._replace(first_capture=first, last_capture=last)


def _captures(kind: str, captures: Iterable[VisibleCapture]) -> Iterator[Fact]:
    for number, visible in enumerate(captures, 1):
        ranked = kind != KIND_RANKINGS
        yield Fact(
            "capture",
            kind,
            instant=visible.instant,
            captured=visible.captured,
            collector=visible.collector,
            rank=visible.rank if ranked else None,
            archive=visible.archive if ranked else None,
            subject=visible.subject or None,
            origin=visible.origin,
            sha256=visible.sha256,
            first_capture=number,
            last_capture=number,
        )


def _endpoints(methodology: Methodology, evidence: Evidence, day: int) -> Iterator[Fact]:
    """Yield the endpoints captures used for a day and their rows, of models of a series."""
    observed = zip(evidence.endpoints_captures_of(day), evidence.endpoints_of(day), strict=True)
    prefixes = tuple(f"{entry.author}/{entry.name_prefix}" for entry in methodology.series)
    used = sorted(
        (pair for pair in observed if pair[1].slug.startswith(prefixes)),
        key=lambda pair: order(*_captures(KIND_ENDPOINTS, pair[:1])),
    )
    yield from _captures(KIND_ENDPOINTS, [visible for visible, _ in used])
    for number, (_, observation) in enumerate(used, 1):
        for place, row in enumerate(observation.rows, 1):
            yield Fact(
                "endpoint",
                KIND_ENDPOINTS,
                id=observation.id,
                place=place,
                provider=row.provider,
                tag=row.tag,
                status=row.status,
                standard_tier=row.standard_tier,
                price_seconds=row.price_seconds,
                first_capture=number,
                last_capture=number,
            )


def redetermine(
    facts: Facts, before: Mapping[str, Sequence[Determination]], *, threads: int | None = None
) -> list[Determination]:
    """Return the records of every series that the rules of the facts' version make of them.

    before : by series, the records these link to, oldest first, as for `determine` · threads : of the engine
    Raises BadInput for facts that contradict themselves, BadCall for a version this program does not have.
    """
    methodology = load(facts.methodology)
    engine = EmbeddedEngine(threads)
    with TemporaryDirectory(prefix="mtok-facts-") as folder:
        evidence = Evidence(
            _Published(facts, Path(folder)), engine, volume_source=facts.volume_source, as_of=facts.as_of
        )
        request = Request(
            methodology=methodology,
            volume_source=facts.volume_source,
            first_day=facts.day,
            last_day=facts.day,
            as_of=facts.as_of,
            complete=facts.complete,
        )
        return list(determine(request, evidence, engine, silent, before))


class _Published:
    """The observations `Evidence` reads, from facts instead of from a store."""

    def __init__(self, facts: Facts, folder: Path) -> None:
        self._tables = facts.tables
        self._folder = folder
        ranks = {
            (row.collector or "", day_of(row.instant or 0)): (row.rank, bool(row.archive))
            for row in facts.rows
            if row.rank is not None
        }
        self.parameters = StoreParameters(
            collectors=tuple(
                Collector(
                    collector=name, rank=rank, first=format_date(day), last=format_date(day), archive=archive
                )
                for (name, day), (rank, archive) in sorted(ranks.items())
                if rank is not None
            )
        )

    def files(self, table: str, *_days: int | None, **_named: int | None) -> list[str]:
        """Return the one file of a table, whatever the days: what is not asked for is not joined."""
        path = self._folder / f"{table}.parquet"
        if not path.exists():
            path.write_bytes(parquet_bytes(table, self._tables[table]))
        return [str(path)]

    def rows(self, table: str, *columns: str, **_days: int | None) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a table, whatever the days: what is not asked for is not used."""
        places = [list(TABLES[table]).index(column) for column in columns]
        return (tuple(row[place] for place in places) for row in self._tables[table])
