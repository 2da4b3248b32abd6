"""Diagnostics and quality status of one day of one series (R-9, R-10), from exact sums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from mtok.determination.truncation import extremes
from mtok.methodology import Parameters
from mtok.quantities import PRICE_SECONDS_PER_USD_PER_MTOK, rounded
from mtok.records import Diagnostics

GOOD, DEGRADED, ESTIMATED, WITHHELD = "good", "degraded", "estimated", "withheld"
SHARE_PLACES = 6
VALUE_PLACES = 6


@dataclass(frozen=True, kw_only=True)
class Market:
    """The whole market of a day as its capture shows it (R-2). tail : tokens of `other`, None without that row."""

    named_rows: int
    smallest_named: int
    tail: int | None
    all_tokens: int


@dataclass(frozen=True, kw_only=True)
class Totals:
    """N, W and the tokens of each class of one series and day (R-8, R-9)."""

    n: int = 0
    w: int = 0
    direct: int = 0
    fallback: int = 0
    imputed: int = 0
    missing: int = 0
    unpaid: int = 0
    ineligible: int = 0
    conflict: int = 0

    @property
    def observed(self) -> int:
        """All tokens of the series' rows."""
        return self.w + self.missing + self.unpaid + self.ineligible


@dataclass(frozen=True, kw_only=True)
class SeriesDay:
    """What diagnostics and quality are functions of.

    tokens : of the priced constituents · absent_prices : price_seconds of the absent ones
    market : None when no capture holds the day · complete : the volume source names every model
    """

    totals: Totals
    tokens: Sequence[int]
    absent_prices: Sequence[int]
    market: Market | None
    complete: bool
    other_source: bool
    parameters: Parameters

    @property
    def short_capture(self) -> bool:
        """The capture names too few models to say what the smallest one weighs (R-9, P)."""
        least = self.parameters.number("capture", "named_rows_min")
        return self.market is not None and not self.complete and self.market.named_rows < least

    @property
    def unseen_most(self) -> int:
        """T of R-9: the most tokens one unseen model can have had."""
        if self.market is None or self.complete or self.short_capture:
            return 0
        return self.market.smallest_named

    @property
    def tail(self) -> int:
        """Tokens of `other`, 0 without that row."""
        return (self.market and self.market.tail) or 0

    @property
    def exposure(self) -> Fraction:
        """`truncation_exposure`; W > 0."""
        return Fraction(self.unseen_most, self.totals.w)

    @property
    def unseen_ratio(self) -> Fraction:
        """`unseen_ratio`; W > 0."""
        return Fraction(min(len(self.absent_prices) * self.unseen_most, self.tail), self.totals.w)

    @property
    def coverage(self) -> Fraction:
        """`price_coverage`; W > 0."""
        return Fraction(self.totals.w, self.totals.w + self.totals.missing)


def judge(day: SeriesDay) -> tuple[str, tuple[str, ...]]:
    """Return the quality status and its sorted reasons (R-10). All comparisons are exact."""
    reasons = _withheld(day)
    if reasons:
        return WITHHELD, tuple(sorted(reasons))
    reasons = _reasons(day)
    imputed = Fraction(day.totals.imputed, day.totals.w)
    if imputed > day.parameters.ratio("quality", "estimated"):
        return ESTIMATED, tuple(sorted(reasons))
    return (DEGRADED if reasons else GOOD), tuple(sorted(reasons))


def _withheld(day: SeriesDay) -> list[str]:
    if day.market is None:
        return ["no_volumes"]
    if not day.totals.w:
        return ["no_priced_volume"]
    limit = day.parameters.ratio
    found = {
        "coverage_below_minimum": day.coverage < limit("quality", "coverage_withheld"),
        "truncation": day.exposure > limit("quality", "truncation_withheld"),
    }
    return [reason for reason, holds in found.items() if holds]


def _reasons(day: SeriesDay) -> list[str]:
    totals, limit = day.totals, day.parameters.ratio
    found = {
        "truncation": day.exposure > limit("quality", "truncation")
        or day.unseen_ratio > limit("quality", "unseen_ratio"),
        "coverage": day.coverage < limit("quality", "coverage"),
        "imputed_or_fallback": Fraction(totals.imputed + totals.fallback, totals.w)
        > limit("quality", "imputed_or_fallback"),
        "conflict": Fraction(totals.conflict, totals.w) > limit("quality", "conflict"),
        "few_constituents": len(day.tokens) < day.parameters.number("quality", "constituents_min"),
        "short_capture": day.short_capture,
        "other_source": day.other_source,
    }
    return [reason for reason, holds in found.items() if holds]


def diagnose(day: SeriesDay, *, weight_basis: str, bounds: bool, first_party_gap: str | None) -> Diagnostics:
    """Return the fields of R-9 and the one beyond it; `bounds` is false for a withheld day."""
    totals, market = day.totals, day.market
    priced, asked = totals.w, totals.w + totals.missing
    squares = sum(tokens * tokens for tokens in day.tokens)
    low, high = (None, None)
    if bounds and totals.w:
        extreme = extremes(totals.n, totals.w, day.absent_prices, most=day.unseen_most, tail=day.tail)
        low, high = (rounded(mean / PRICE_SECONDS_PER_USD_PER_MTOK, VALUE_PLACES) for mean in extreme)
    return Diagnostics(
        token_weight=totals.w,
        constituents=len(day.tokens),
        weight_basis=weight_basis,
        observed_tokens=totals.observed,
        direct_tokens=totals.direct,
        fallback_tokens=totals.fallback,
        imputed_tokens=totals.imputed,
        missing_tokens=totals.missing,
        unpaid_tokens=totals.unpaid,
        ineligible_tokens=totals.ineligible,
        price_coverage=_share(priced, asked),
        missing_price_share=_share(totals.missing, asked),
        imputed_token_share=_share(totals.imputed, priced),
        fallback_share=_share(totals.fallback, priced),
        conflict_share=_share(totals.conflict, priced),
        unpaid_share=_share(totals.unpaid, totals.observed),
        ineligible_share=_share(totals.ineligible, totals.observed),
        top_constituent_share=_share(max(day.tokens, default=0), priced),
        hhi=_share(squares, priced**2),
        effective_constituents=_share(priced**2, squares),
        market_tail_share=_share(market.tail, market.all_tokens)
        if market and market.tail is not None
        else None,
        market_tail_tokens=market.tail if market else None,
        market_tokens=market.all_tokens if market else None,
        named_rows=market.named_rows if market else None,
        smallest_named_tokens=day.unseen_most if market else None,
        absent_constituents=len(day.absent_prices) if market else None,
        truncation_exposure=_share(day.unseen_most, priced),
        unseen_ratio=rounded(day.unseen_ratio, SHARE_PLACES) if priced else None,
        truncation_low=low,
        truncation_high=high,
        first_party_gap=first_party_gap,
    )


def _share(part: int, whole: int) -> str | None:
    return rounded(Fraction(part, whole), SHARE_PLACES) if whole else None
