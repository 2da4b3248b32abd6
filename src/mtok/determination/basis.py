"""How far the values by total and by completion tokens lie apart: a diagnostic beyond R-9, without a status.

A source that tells prompt and completion tokens apart can be weighed by either. What differs is what the rules never
see, since they have one `tokens` a constituent; so the constituents they would price are looked up again, with both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from mtok.engine import Engine
from mtok.methodology import COMPLETION_TOKENS, TOTAL_TOKENS
from mtok.quantities import PRICE_SECONDS_PER_USD_PER_MTOK, rounded
from mtok.records import Basis

TOKENS: Final = {
    TOTAL_TOKENS: "usage.prompt_tokens + usage.completion_tokens",
    COMPLETION_TOKENS: "usage.completion_tokens",
}
"""The tokens of a constituent by weight basis, as SQL of 64-bit integers: a sum beyond them is an error."""

GAP_PLACES: Final = 6
VALUE_PLACES: Final = 6

PRICED_USAGE: Final = """
-- The constituents with a positive price by the rungs of R-6, eligible and not `free`, with both counts of tokens.
--
-- reads   volume_capture · usage · series · eligibility · resolution
-- returns day, series, prompt_tokens, completion_tokens, price_seconds
SELECT
  volume_capture.day,
  series.series,
  usage.prompt_tokens,
  usage.completion_tokens,
  resolution.price_seconds
FROM volume_capture
JOIN usage ON usage.capture = volume_capture.capture AND usage.day = volume_capture.day
JOIN series
  ON series.author = usage.author
  AND SUBSTRING(usage.name, 1, LENGTH(series.name_prefix)) = series.name_prefix
JOIN eligibility
  ON eligibility.day = volume_capture.day AND eligibility.slug = usage.slug AND eligibility.variant = usage.variant
JOIN resolution
  ON resolution.day = volume_capture.day AND resolution.slug = usage.slug AND resolution.variant = usage.variant
WHERE eligibility.eligible
  AND usage.variant <> 'free'
  AND resolution.price_seconds > 0
"""
"""Not added up here: a diagnostic must not stop a determination, and a sum of it could leave DECIMAL(38, 0)."""


@dataclass(frozen=True, kw_only=True)
class Priced:
    """A constituent of either basis: its tokens and its price of the day, price_seconds."""

    prompt_tokens: int
    completion_tokens: int
    price_seconds: int


PricedBySeries = Mapping[tuple[int, str], list[Priced]]
"""(day, series) → the constituents."""


def priced_usage(engine: Engine) -> PricedBySeries:
    """Return the constituents of PRICED_USAGE over the days the rules have just run over."""
    engine.query("priced_usage", PRICED_USAGE)
    found: defaultdict[tuple[int, str], list[Priced]] = defaultdict(list)
    for row in engine.records("priced_usage"):
        found[row["day"], row["series"]].append(
            Priced(
                prompt_tokens=int(row["prompt_tokens"]),
                completion_tokens=int(row["completion_tokens"]),
                price_seconds=int(row["price_seconds"]),
            )
        )
    return found


def basis_of(constituents: Iterable[Priced], *, weight_basis: str, printed: bool) -> Basis | None:
    """Return what a record weighed by `weight_basis` says of the other basis, None where either has no tokens.

    printed : whether the record has a value, beside which alone the other one is shown
    The gap is (U_completion − U_total) ÷ U_total, 6 decimals, half-even; the other value USD per million, the same.
    """
    listed = list(constituents)
    total = _mean((row.prompt_tokens + row.completion_tokens, row.price_seconds) for row in listed)
    completion = _mean((row.completion_tokens, row.price_seconds) for row in listed)
    if total is None or completion is None:
        return None
    other, value = (COMPLETION_TOKENS, completion) if weight_basis == TOTAL_TOKENS else (TOTAL_TOKENS, total)
    return Basis(
        other_basis=other,
        other_value=rounded(value / PRICE_SECONDS_PER_USD_PER_MTOK, VALUE_PLACES) if printed else None,
        completion_basis_gap=rounded((completion - total) / total, GAP_PLACES),
    )


def _mean(weighed: Iterable[tuple[int, int]]) -> Fraction | None:
    """Return Σ tokens × price ÷ Σ tokens of (tokens, price_seconds), None without a token."""
    listed = list(weighed)
    tokens = sum(count for count, _ in listed)
    return Fraction(sum(count * price for count, price in listed), tokens) if tokens else None
