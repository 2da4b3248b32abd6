"""How far the company's own posted prices lie from the prices used: a diagnostic beyond R-9, without a status.

The price list shows one endpoint's price of a model, for open weights mostly another company's. The company's own
endpoints, where it has any, say what it asks itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from mtok.observations.endpoints import EndpointRow
from mtok.quantities import rounded
from mtok.records import Constituent

GAP_PLACES: Final = 6
HEALTHY: Final = frozenset({0, None})
"""Statuses of an endpoint that can be routed to; upstream gives the others no meaning."""


@dataclass(frozen=True, kw_only=True)
class EndpointsObservation:
    """The endpoints capture of one day and model: the latest readable one by the primary collector that was seen.

    slug : the canonical slug asked for · captured_at : instant, as text · id : the model it says it is about
    """

    slug: str
    captured_at: str
    sha256: str
    id: str | None
    rows: list[EndpointRow]


def own_price(rows: Iterable[EndpointRow], providers: Collection[str]) -> int | None:
    """Return the price_seconds of the company's own standard-tier endpoint, None when it has none with a price.

    providers : the company's own. Of several endpoints the healthy ones come first, then the lowest price.
    """
    own = [
        (row.status not in HEALTHY, row.price_seconds)
        for row in rows
        if row.provider in providers and row.standard_tier and row.price_seconds
    ]
    return min(own)[1] if own else None


def own_prices(
    observed: Iterable[EndpointsObservation],
    described: Collection[tuple[str, str]],
    providers: Collection[str],
) -> dict[str, int]:
    """Return price_seconds of the company's own endpoint by constituent.

    observed : at most one a slug · described : (id, canonical slug) of the catalogue rows of the day, standard variant
    A retired slug may be answered with another model's endpoints: what is about an `id` that no row of the day gives
    this slug does not count.
    """
    found = {one.slug: own_price(one.rows, providers) for one in observed if (one.id, one.slug) in described}
    return {slug: price for slug, price in found.items() if price is not None}


def first_party_gap(constituents: Iterable[Constituent], own: Mapping[str, int]) -> str | None:
    """Return Σ tokens × |own price − price| ÷ Σ tokens × price over the constituents with an own price.

    own : price_seconds by constituent. Six decimals, half-even; None when no constituent has an own price.
    """
    priced = [
        (row.tokens, row.price_seconds, own[row.constituent])
        for row in constituents
        if row.constituent in own
    ]
    whole = sum(tokens * price for tokens, price, _ in priced)
    if not whole:
        return None
    apart = sum(tokens * abs(asked - price) for tokens, price, asked in priced)
    return rounded(Fraction(apart, whole), GAP_PLACES)
