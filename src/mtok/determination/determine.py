"""One version × the days of a store → determination records (R-0).

The rules run as SQL in spans of days; what comes out is divided, rounded and judged here, then linked to the
determinations before it. The same captures, version and `as_of` give the same bytes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from mtok.archive import RANKINGS_DAILY
from mtok.calendar import format_date, format_instant
from mtok.determination.chain import Chain
from mtok.determination.inputs import Evidence, VisibleCapture
from mtok.determination.quality import (
    SHARE_PLACES,
    VALUE_PLACES,
    WITHHELD,
    Market,
    SeriesDay,
    Totals,
    diagnose,
    judge,
)
from mtok.engine import Engine
from mtok.methodology import Methodology
from mtok.quantities import PRICE_SECONDS_PER_USD_PER_MTOK, rounded
from mtok.records import (
    Absent,
    Conflict,
    Constituent,
    Determination,
    Discarded,
    InputCapture,
    Inputs,
    LeftOut,
    RankingsCapture,
    RejectedRankings,
)

SPAN_DAYS: Final = 62
"""Days the rules run over at once: bounds memory, changes no result."""

RUNGS: Final = {1: "direct", 2: "fallback", 3: "carried", 4: "launch"}
_PRICED: Final = {"direct", "fallback", "imputed"}

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked for. first_day, last_day : fixing dates, both included · as_of : instant, None for all seen."""

    methodology: Methodology
    volume_source: str
    first_day: int
    last_day: int
    as_of: int | None
    complete: bool


def determine(
    request: Request, evidence: Evidence, engine: Engine, progress: Progress
) -> Iterator[Determination]:
    """Yield the records of every series for each day in order, each linked to those before it.

    Raises BadInput (`overflow`) when totals or prices are so absurd that a sum leaves DECIMAL(38, 0).
    """
    methodology = request.methodology
    chains = {series.series: Chain(methodology.parameters) for series in methodology.series}
    evidence.load_version(methodology)
    total = request.last_day - request.first_day + 1
    for first in range(request.first_day, request.last_day + 1, SPAN_DAYS):
        last = min(first + SPAN_DAYS - 1, request.last_day)
        span = _Span(request, evidence, engine, first, last)
        for day in range(first, last + 1):
            progress("determining", day - request.first_day, total)
            for series in methodology.series:
                yield chains[series.series].link(span.determination(series.series, day))
    progress("determining", total, total)


class _Span:
    """The results of the rules over a span of days, by day and series."""

    def __init__(self, request: Request, evidence: Evidence, engine: Engine, first: int, last: int) -> None:
        self._request = request
        self._evidence = evidence
        window = request.methodology.parameters
        self._before = window.number("window", "input_days_before")
        self._after = window.number("window", "input_days_after")
        evidence.load_prices(first - self._before, last + self._after)
        engine.table("fixing", {"day": "INTEGER"}, [(day,) for day in range(first, last + 1)])
        for rule in request.methodology.rules:
            engine.query(rule.name, rule.text)
        self._markets = {row["day"]: row for row in engine.records("market")}
        self._totals = {(row.pop("day"), row.pop("series")): row for row in engine.records("total")}
        self._classified = _by_day_and_series(engine.records("classified"))
        self._absent = _by_day_and_series(engine.records("absent"))
        self._needed = _by_day_and_series(engine.records("needed"))
        self._evidence_rows = _evidence(engine)
        self._rejected: dict[int, list[tuple[int, str]]] = defaultdict(list)
        for capture, day, reason in engine.rows(
            f"SELECT capture, day, reason FROM volume_days WHERE reason IS NOT NULL AND day BETWEEN {first} AND {last}"
        ):
            self._rejected[day].append((capture, reason))
        self._inputs: tuple[int, dict[int, InputCapture]] = (first - 1, {})

    def determination(self, series: str, day: int) -> Determination:
        """Return the record of one series and day, not yet linked to earlier ones."""
        request, methodology = self._request, self._request.methodology
        rows = sorted(
            self._classified[day, series], key=lambda row: (-row["tokens"], row["slug"], row["variant"])
        )
        priced = [row for row in rows if row["class"] in _PRICED]
        absent = sorted(
            self._absent[day, series], key=lambda row: (-row["price_seconds"], row["slug"], row["variant"])
        )
        found = SeriesDay(
            totals=Totals(
                **{name: int(value) for name, value in self._totals.get((day, series), {}).items()}
            ),
            tokens=[row["tokens"] for row in priced],
            absent_prices=[int(row["price_seconds"]) for row in absent],
            market=self._market(day),
            complete=request.complete,
            other_source=request.volume_source != RANKINGS_DAILY,
            parameters=methodology.parameters,
        )
        quality, reasons = judge(found)
        withheld = quality == WITHHELD
        captures = self._input_captures(day)
        used = [self._evidence.price_captures[number] for number in captures]
        volume = self._volume_capture(day)
        origins = {visible.capture.origin for visible in [*used, *([volume] if volume else [])]} - {None}
        prefix = "" if request.volume_source == RANKINGS_DAILY else f"{request.volume_source}:"
        return Determination(
            series=prefix + series,
            date=format_date(day),
            methodology=methodology.methodology,
            unit=methodology.unit,
            volume_source=request.volume_source,
            as_of=format_instant(request.as_of) if request.as_of is not None else None,
            origin="+".join(sorted(filter(None, origins))) or None,
            backcast=any(visible.archive and visible.rank == 1 and visible.day == day for visible in used),
            value=None if withheld else _usd_per_mtok(Fraction(found.totals.n, found.totals.w)),
            quality=quality,
            reasons=reasons,
            notes=(),
            n=None if withheld else found.totals.n,
            w=found.totals.w,
            diagnostics=diagnose(found, weight_basis=methodology.weight_basis, bounds=not withheld),
            constituents=tuple(self._constituent(row, found.totals.w, captures) for row in priced),
            left_out=tuple(self._left_out(row, captures) for row in rows if row["class"] not in _PRICED),
            conflicts=tuple(
                _conflict(row) for row in rows if row["class"] == "direct" and row["conflict_grade"]
            ),
            discarded=tuple(self._discarded(rows, captures)),
            absent=tuple(self._absent_constituent(row, captures) for row in absent),
            without_volume=self._without_volume(day, series, rows),
            inputs=self._named_inputs(day, captures),
            rules_sha256=methodology.rules_sha256,
            parameters_sha256=methodology.parameters_sha256,
        )

    def _market(self, day: int) -> Market | None:
        row = self._markets.get(day)
        if row is None:
            return None
        return Market(
            named_rows=row["named_rows"],
            smallest_named=row["smallest_named"] or 0,
            tail=row["tail"],
            all_tokens=int(row["all_tokens"]),
        )

    def _volume_capture(self, day: int) -> VisibleCapture | None:
        row = self._markets.get(day)
        return self._evidence.volume_captures[row["capture"]] if row else None

    def _input_captures(self, day: int) -> dict[int, InputCapture]:
        """Return the captures R-0 lets the day read, by number; the six series of a day share them."""
        if self._inputs[0] != day:
            within = [
                visible
                for visible in self._evidence.price_captures.values()
                if day - self._before <= visible.day <= day + self._after
            ]
            self._inputs = (
                day,
                {visible.number: _input(place, visible) for place, visible in enumerate(within, 1)},
            )
        return self._inputs[1]

    def _named_inputs(self, day: int, captures: dict[int, InputCapture]) -> Inputs:
        volume = self._volume_capture(day)
        rejected = [
            (self._evidence.volume_captures[number], reason)
            for number, reason in sorted(self._rejected[day])
            if volume is None or number > volume.number
        ]
        return Inputs(
            captures=tuple(captures.values()),
            rankings=RankingsCapture(as_of=format_instant(volume.instant), sha256=volume.capture.sha256)
            if volume
            else None,
            rejected_rankings=tuple(
                RejectedRankings(
                    as_of=format_instant(visible.instant), sha256=visible.capture.sha256, reason=reason
                )
                for visible, reason in rejected
            ),
        )

    def _captures(self, row: dict[str, Any], captures: dict[int, InputCapture]) -> tuple[str, ...]:
        found = self._evidence_rows[row["day"], row["slug"], row["variant"]]
        return tuple(captures[number].id for number, reason in found if reason is None)

    def _constituent(
        self, row: dict[str, Any], weight: int, captures: dict[int, InputCapture]
    ) -> Constituent:
        tokens, price = row["tokens"], int(row["price_seconds"])
        return Constituent(
            constituent=_name(row),
            tokens=tokens,
            weight_share=rounded(Fraction(tokens, weight), SHARE_PLACES),
            price_seconds=price,
            price_usd_per_mtok=_usd_per_mtok(Fraction(price)),
            contribution_usd_per_mtok=_usd_per_mtok(Fraction(tokens * price, weight)),
            rung=RUNGS[row["rung"]],
            age_days=row["age_days"],
            captures=self._captures(row, captures),
        )

    def _left_out(self, row: dict[str, Any], captures: dict[int, InputCapture]) -> LeftOut:
        return LeftOut(
            constituent=_name(row),
            tokens=row["tokens"],
            reason=row["class"],
            captures=self._captures(row, captures) if row["class"] == "unpaid" else (),
        )

    def _discarded(
        self, rows: list[dict[str, Any]], captures: dict[int, InputCapture]
    ) -> Iterator[Discarded]:
        for row in sorted(rows, key=_name):
            for number, reason in self._evidence_rows[row["day"], row["slug"], row["variant"]]:
                if reason is not None:
                    yield Discarded(constituent=_name(row), capture=captures[number].id, reason=reason)

    def _absent_constituent(self, row: dict[str, Any], captures: dict[int, InputCapture]) -> Absent:
        return Absent(
            constituent=_name(row),
            price_seconds=int(row["price_seconds"]),
            price_usd_per_mtok=_usd_per_mtok(Fraction(row["price_seconds"])),
            rung=RUNGS[row["rung"]],
            age_days=row["age_days"],
            captures=self._captures(row, captures),
        )

    def _without_volume(self, day: int, series: str, rows: list[dict[str, Any]]) -> tuple[str, ...]:
        traded = {_name(row) for row in rows}
        return tuple(sorted({_name(row) for row in self._needed[day, series]} - traded))


def _by_day_and_series(rows: list[dict[str, Any]]) -> defaultdict[tuple[int, str], list[dict[str, Any]]]:
    grouped: defaultdict[tuple[int, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        grouped[row["day"], row["series"]].append(row)
    return grouped


def _evidence(engine: Engine) -> defaultdict[tuple[int, str, str], list[tuple[int, str | None]]]:
    grouped: defaultdict[tuple[int, str, str], list[tuple[int, str | None]]] = defaultdict(list)
    for day, slug, variant, capture, reason in engine.rows(
        "SELECT day, slug, variant, capture, reason FROM evidence ORDER BY day, slug, variant, capture"
    ):
        grouped[day, slug, variant].append((capture, reason))
    return grouped


def _input(place: int, visible: VisibleCapture) -> InputCapture:
    return InputCapture(
        id=f"c{place}",
        captured_at=format_instant(visible.instant),
        collector=visible.capture.collector,
        rank=visible.rank,
        sha256=visible.capture.sha256,
    )


def _conflict(row: dict[str, Any]) -> Conflict:
    return Conflict(
        constituent=_name(row),
        grade=row["conflict_grade"],
        price_seconds=int(row["price_seconds"]),
        other_collector=row["conflict_collector"],
        other_price_seconds=int(row["conflict_price_seconds"]),
    )


def _name(row: dict[str, Any]) -> str:
    return str(row["slug"]) if row["variant"] == "standard" else f"{row['slug']}:{row['variant']}"


def _usd_per_mtok(price_seconds: Fraction) -> str:
    return rounded(price_seconds / PRICE_SECONDS_PER_USD_PER_MTOK, VALUE_PLACES)
