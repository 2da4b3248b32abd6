"""The price schedule of a capture: which price holds in which second of the UTC day (R-5.2).

A row's `pricing` gives a base price for each dimension; `overrides` give others, by UTC window or by prompt
length. The base tier, the rules' concern, is the base price under the last window that covers a minute. Prompt
tiers are kept beside it as observations.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, NamedTuple

from mtok.calendar import DAY_SECONDS
from mtok.observations.faults import Faults
from mtok.observations.numbers import TOKEN_PRICE_MAX, UNIT_PRICE_MAX, price_units

PRICE_WINDOW: Final = "price_window"
"""Reason code: an override that cannot be read, so the row's schedule is unknown."""

DIMENSIONS: Final = frozenset(
    "prompt completion request image web_search internal_reasoning input_cache_read input_cache_write "
    "input_cache_write_1h audio discount".split()
)
_PER_UNIT: Final = frozenset({"request", "image", "web_search"})
_CONDITIONS: Final = frozenset({"utc_start", "utc_end", "min_prompt_tokens"})
_MINUTES: Final = 1440

OVERRIDES_MAX: Final = 100
"""The most overrides of a row: each is laid over the day for each priced dimension."""


class Tile(NamedTuple):
    """One price over [start_second, end_second) of the UTC day, for prompts above `min_prompt_tokens`."""

    min_prompt_tokens: int
    start_second: int
    end_second: int
    price: int | None
    reason: str | None


WHOLE_DAY: Final = (0, _MINUTES)


@dataclass(frozen=True)
class Override:
    """A usable override: its minutes of the day, the prompt length it starts above, and its prices as posted."""

    windows: tuple[tuple[int, int], ...]
    min_prompt_tokens: int
    prices: dict[str, Any]


def posted_price(dimension: str, value: object) -> tuple[int | None, str | None]:
    """Return (price, None) or (None, reason) within the bound of the dimension: per token, or per unit of it."""
    return price_units(value, UNIT_PRICE_MAX if dimension in _PER_UNIT else TOKEN_PRICE_MAX)


class UnreadableSchedule(ValueError):
    """An override that R-5.2 says makes the row invalid."""


def read_overrides(pricing: dict[str, Any], faults: Faults) -> list[Override]:
    """Return the overrides of a row in order. Raises UnreadableSchedule (R-5.2).

    An override without a condition, or with one not named in R-5.2, is not used and reported as `schema_unknown`;
    one by prompt length that cannot be read is not used and reported as `schema_type`.
    """
    entries = pricing.get("overrides")
    if entries is None:
        return []
    if not isinstance(entries, list):
        raise UnreadableSchedule(f"overrides is a {type(entries).__name__}, wanted a list")
    if len(entries) > OVERRIDES_MAX:
        raise UnreadableSchedule(f"{len(entries)} overrides, over {OVERRIDES_MAX}")
    usable = []
    priced = DIMENSIONS | {
        name for name, value in pricing.items() if value is not None and name != "overrides"
    }
    for entry in entries:
        if not isinstance(entry, dict):
            raise UnreadableSchedule(f"an override is a {type(entry).__name__}, wanted an object")
        fields = {name: value for name, value in entry.items() if value is not None}
        prices = {name: value for name, value in fields.items() if name in priced}
        unknown = fields.keys() - prices.keys() - _CONDITIONS
        for name in sorted(unknown):
            faults.schema("schema_unknown", f"pricing.overrides[].{name}", type(fields[name]).__name__)
        if not unknown and (override := _read_override(fields, prices, faults)):
            usable.append(override)
    return usable


def _read_override(fields: dict[str, Any], prices: dict[str, Any], faults: Faults) -> Override | None:
    timed = "utc_start" in fields or "utc_end" in fields
    if "min_prompt_tokens" in fields:
        tier = fields["min_prompt_tokens"]
        if type(tier) is not int or not 0 < tier < 2**63:
            faults.schema("schema_type", "pricing.overrides[].min_prompt_tokens", type(tier).__name__)
            return None
        try:
            return Override(_minutes(fields) if timed else (WHOLE_DAY,), tier, prices)
        except UnreadableSchedule:
            faults.schema("schema_type", "pricing.overrides[]", "a prompt tier with an unreadable window")
            return None
    if timed:
        return Override(_minutes(fields), 0, prices)
    faults.schema("schema_unknown", "pricing.overrides[]", "no condition")
    return None


def _minutes(fields: dict[str, Any]) -> tuple[tuple[int, int], ...]:
    """Return the minutes [start, end) of a UTC window; one that wraps midnight has two parts, none of them empty."""
    if "utc_start" not in fields or "utc_end" not in fields:
        raise UnreadableSchedule("a UTC window with only one end")
    start, end = _minute(fields["utc_start"], 2359), _minute(fields["utc_end"], 2400)
    if start == end:
        return (WHOLE_DAY,)
    if end == 0:
        return ((start, _MINUTES),)
    return ((start, end),) if start < end else ((start, _MINUTES), (0, end))


def _minute(value: Any, latest: int) -> int:
    if type(value) is not int or not 0 <= value <= latest or value % 100 > 59:
        raise UnreadableSchedule(f"{value!r} is no time HHMM")
    return value // 100 * 60 + value % 100


def tiles(dimension: str, base: int, overrides: list[Override]) -> list[Tile]:
    """Return the tiles of one dimension: the base tier over the whole day, then each prompt tier as posted.

    base : the valid base price, 10⁻¹⁸ USD per token
    A base tier with an invalid price in any window is one tile without a price and with its reason.
    """
    return [*_base_tier(dimension, base, overrides), *_prompt_tiers(dimension, overrides)]


def _base_tier(dimension: str, base: int, overrides: list[Override]) -> list[Tile]:
    minutes = [base] * _MINUTES
    for override in overrides:
        if override.min_prompt_tokens:
            continue
        price, reason = base, None
        if dimension in override.prices:
            found, reason = posted_price(dimension, override.prices[dimension])
            price = base if found is None else found
        if reason:
            return [Tile(0, 0, DAY_SECONDS, None, reason)]
        for start, end in override.windows:
            minutes[start:end] = [price] * (end - start)
    edges = [
        0,
        *(minute for minute in range(1, _MINUTES) if minutes[minute] != minutes[minute - 1]),
        _MINUTES,
    ]
    return [Tile(0, a * 60, b * 60, minutes[a], None) for a, b in pairwise(edges)]


def _prompt_tiers(dimension: str, overrides: list[Override]) -> list[Tile]:
    return [
        Tile(
            override.min_prompt_tokens,
            start * 60,
            end * 60,
            *posted_price(dimension, override.prices[dimension]),
        )
        for override in overrides
        if override.min_prompt_tokens and dimension in override.prices
        for start, end in override.windows
    ]
