"""From what the rules answer to the record of one series and day: divided, rounded once, judged (R-8.1, R-9, R-10)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import msgspec

from mtok.archive import RANKINGS_DAILY
from mtok.calendar import format_date, format_instant
from mtok.canonical import sha256_hex
from mtok.determination.basis import basis_of
from mtok.determination.first_party import first_party_gap, own_prices
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
from mtok.determination.results import Results, Row
from mtok.methodology import Methodology
from mtok.quantities import PRICE_SECONDS_PER_USD_PER_MTOK, rounded
from mtok.records import (
    Absent,
    Conflict,
    Constituent,
    Determination,
    Discarded,
    EndpointsCapture,
    InputCapture,
    Inputs,
    LeftOut,
    RankingsCapture,
    RejectedRankings,
    SeenDay,
)

RUNGS: Final = {1: "direct", 2: "fallback", 3: "carried", 4: "launch"}
_PRICED: Final = {"direct", "fallback", "imputed"}


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked for.

    first_day, last_day : fixing dates, both included · as_of : instant, None for all that was seen
    complete : the volume source names every model
    """

    methodology: Methodology
    volume_source: str
    first_day: int
    last_day: int
    as_of: int | None
    complete: bool

    @property
    def days_before(self) -> int:
        """How many days before D the captures it may read begin (R-0)."""
        return self.methodology.parameters.number("window", "input_days_before")

    @property
    def days_after(self) -> int:
        """How many days after D they end (R-0)."""
        return self.methodology.parameters.number("window", "input_days_after")


class Day:
    """One fixing day: the captures it may read and the market, which its six series share."""

    def __init__(self, request: Request, evidence: Evidence, results: Results, day: int) -> None:
        self._request = request
        self._results = results
        self._day = day
        first_day, last_day = day - request.days_before, day + request.days_after
        seen = evidence.price_captures_of(first_day, last_day)
        self._captures = {visible.number: _input(place, visible) for place, visible in enumerate(seen, 1)}
        self._backcast = any(visible.archive and visible.rank == 1 and visible.day == day for visible in seen)
        market = results.markets.get(day)
        volumes = evidence.volume_captures[market["capture"]] if market else None
        self._market = _market(market) if market else None
        self._inputs = Inputs(
            captures=(),
            seen=tuple(_seen_days(evidence, first_day, last_day)),
            rankings=_rankings(volumes) if volumes else None,
            rejected_rankings=tuple(
                _rejected(evidence.volume_captures[number], reason)
                for number, reason in results.rejected[day]
                if volumes is None or number > volumes.number
            ),
        )
        self._endpoints = evidence.endpoints_of(day)
        self._described = results.described_ids(day) if self._endpoints else set()
        origins = {visible.origin or "" for visible in (*seen, *filter(None, [volumes]))}
        self._origin = "+".join(sorted(origins - {""})) or None

    def record(self, series: str) -> Determination:
        """Return the record of one series, not yet linked to earlier ones."""
        request, methodology = self._request, self._request.methodology
        rows = sorted(
            self._results.classified[self._day, series], key=lambda row: (-row["tokens"], _name(row))
        )
        absent = sorted(
            self._results.absent[self._day, series], key=lambda row: (-row["price_seconds"], _name(row))
        )
        priced = [row for row in rows if row["class"] in _PRICED]
        found = self._series_day(series, priced, absent)
        quality, reasons = judge(found)
        printed = quality != WITHHELD
        n, w = found.totals.n, found.totals.w
        constituents = tuple(self._constituent(row, w) for row in priced)
        left_out = tuple(self._left_out(row) for row in rows if row["class"] not in _PRICED)
        discarded = tuple(one for row in sorted(rows, key=_name) for one in self._discarded(row))
        without_row = tuple(self._absent(row) for row in absent)
        resting: list[Constituent | LeftOut | Absent] = [*constituents, *left_out, *without_row]
        named = {name for row in resting for name in row.captures} | {row.capture for row in discarded}
        own = self._own_prices(series, constituents)
        source = request.volume_source
        return Determination(
            series=series if source == RANKINGS_DAILY else f"{source}:{series}",
            date=format_date(self._day),
            methodology=methodology.methodology,
            unit=methodology.unit,
            volume_source=source,
            as_of=format_instant(request.as_of) if request.as_of is not None else None,
            origin=self._origin,
            backcast=self._backcast,
            value=_usd_per_mtok(Fraction(n, w)) if printed else None,
            quality=quality,
            reasons=reasons,
            notes=(),
            n=n if printed else None,
            w=w,
            diagnostics=diagnose(
                found,
                weight_basis=methodology.weight_basis,
                bounds=printed,
                first_party_gap=first_party_gap(constituents, own),
            ),
            basis=basis_of(
                self._results.priced_usage.get((self._day, series), ()),
                weight_basis=methodology.weight_basis,
                printed=printed,
            ),
            constituents=constituents,
            left_out=left_out,
            conflicts=tuple(
                _conflict(row) for row in rows if row["class"] == "direct" and row["conflict_grade"]
            ),
            discarded=discarded,
            absent=without_row,
            without_volume=tuple(
                sorted(
                    {_name(row) for row in self._results.needed[self._day, series]} - set(map(_name, rows))
                )
            ),
            inputs=self._inputs_of(named, own),
            rules_sha256=methodology.rules_sha256,
            parameters_sha256=methodology.parameters_sha256,
        )

    def _series_day(self, series: str, priced: list[Row], absent: list[Row]) -> SeriesDay:
        totals = self._results.totals.get((self._day, series), {})
        return SeriesDay(
            totals=Totals(**{name: int(value) for name, value in totals.items()}),
            tokens=[row["tokens"] for row in priced],
            absent_prices=[int(row["price_seconds"]) for row in absent],
            market=self._market,
            complete=self._request.complete,
            other_source=self._request.volume_source != RANKINGS_DAILY,
            parameters=self._request.methodology.parameters,
        )

    def _own_prices(self, series: str, constituents: tuple[Constituent, ...]) -> dict[str, int]:
        [entry] = [entry for entry in self._request.methodology.series if entry.series == series]
        own = own_prices(self._endpoints, self._described, entry.own_providers)
        return {row.constituent: own[row.constituent] for row in constituents if row.constituent in own}

    def _inputs_of(self, named: set[str], own: dict[str, int]) -> Inputs:
        """Return the inputs of one series: of the captures those it names, of the endpoints those it rests on."""
        used = [observed for observed in self._endpoints if observed.slug in own]
        endpoints = [
            EndpointsCapture(
                constituent=observed.slug, captured_at=observed.captured_at, sha256=observed.sha256
            )
            for observed in sorted(used, key=lambda observed: observed.slug)
        ]
        captures = [capture for capture in self._captures.values() if capture.id in named]
        return msgspec.structs.replace(self._inputs, captures=tuple(captures), endpoints=tuple(endpoints))

    def _evidence(self, row: Row) -> list[tuple[int, str | None]]:
        return self._results.evidence[self._day, row["slug"], row["variant"]]

    def _rests_on(self, row: Row) -> tuple[str, ...]:
        return tuple(self._captures[number].id for number, reason in self._evidence(row) if reason is None)

    def _constituent(self, row: Row, weight: int) -> Constituent:
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
            captures=self._rests_on(row),
        )

    def _left_out(self, row: Row) -> LeftOut:
        return LeftOut(
            constituent=_name(row),
            tokens=row["tokens"],
            reason=row["class"],
            captures=self._rests_on(row) if row["class"] == "unpaid" else (),
        )

    def _discarded(self, row: Row) -> list[Discarded]:
        return [
            Discarded(constituent=_name(row), capture=self._captures[number].id, reason=reason)
            for number, reason in self._evidence(row)
            if reason is not None
        ]

    def _absent(self, row: Row) -> Absent:
        return Absent(
            constituent=_name(row),
            price_seconds=int(row["price_seconds"]),
            price_usd_per_mtok=_usd_per_mtok(Fraction(row["price_seconds"])),
            rung=RUNGS[row["rung"]],
            age_days=row["age_days"],
            captures=self._rests_on(row),
        )


def _market(row: Row) -> Market:
    return Market(
        named_rows=row["named_rows"],
        smallest_named=row["smallest_named"] or 0,
        tail=row["tail"],
        all_tokens=int(row["all_tokens"]),
    )


def _input(place: int, visible: VisibleCapture) -> InputCapture:
    return InputCapture(
        id=f"c{place}",
        captured_at=format_instant(visible.instant),
        collector=visible.collector,
        rank=visible.rank,
        sha256=visible.sha256,
    )


def _seen_days(evidence: Evidence, first_day: int, last_day: int) -> Iterator[SeenDay]:
    """Yield the days of [first_day, last_day] on which a price capture was seen, each with the digest of its list."""
    for day in range(first_day, last_day + 1):
        if seen := evidence.price_captures_of(day, day):
            yield SeenDay(
                date=format_date(day), captures=len(seen), sha256=sha256_hex(evidence.capture_list(day))
            )


def _rankings(visible: VisibleCapture) -> RankingsCapture:
    return RankingsCapture(as_of=format_instant(visible.instant), sha256=visible.sha256)


def _rejected(visible: VisibleCapture, reason: str) -> RejectedRankings:
    return RejectedRankings(as_of=format_instant(visible.instant), sha256=visible.sha256, reason=reason)


def _conflict(row: Row) -> Conflict:
    return Conflict(
        constituent=_name(row),
        grade=row["conflict_grade"],
        price_seconds=int(row["price_seconds"]),
        other_collector=row["conflict_collector"],
        other_price_seconds=int(row["conflict_price_seconds"]),
    )


def _name(row: Row) -> str:
    return str(row["slug"]) if row["variant"] == "standard" else f"{row['slug']}:{row['variant']}"


def _usd_per_mtok(price_seconds: Fraction) -> str:
    return rounded(price_seconds / PRICE_SECONDS_PER_USD_PER_MTOK, VALUE_PLACES)
