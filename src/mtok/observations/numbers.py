"""The number grammar: how price and token texts become integers, and why some do not (R-5.1, R-2).

`Decimal`, `int` and `float` accept far more than a price may be (`NaN`, `1_000`, full-width digits, blanks);
only what matches the grammar below in full is a number here.
"""

from __future__ import annotations

import re
from decimal import Context, Decimal
from functools import lru_cache
from typing import Final

from mtok.quantities import ATTO_PER_USD

TOKEN_PRICE_MAX: Final = ATTO_PER_USD // 1000
"""10⁻³ USD per token, in 10⁻¹⁸ USD: the upper bound of a token price (R-5.1, P)."""

UNIT_PRICE_MAX: Final = 9 * ATTO_PER_USD
"""9 USD, in 10⁻¹⁸ USD: the upper bound of what is posted per image, request or search."""

TOKENS_MAX: Final = 2**63 - 1

PRICE_ABSENT: Final = "price_absent"
PRICE_DYNAMIC: Final = "price_dynamic"
PRICE_GRAMMAR: Final = "price_grammar"
PRICE_RANGE: Final = "price_range"

_PRICE: Final = re.compile(r"-?(0|[1-9][0-9]{0,11})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?")
_TOKENS: Final = re.compile(r"[0-9]{1,19}")
_EXACT: Final = Context(prec=200)


@lru_cache(maxsize=65_536)
def _price(text: str, most: int) -> tuple[int | None, str | None]:
    if not _PRICE.fullmatch(text):
        return None, PRICE_GRAMMAR
    usd = Decimal(text)
    if usd < 0:
        return None, PRICE_DYNAMIC
    units = _EXACT.scaleb(usd, 18)
    whole = int(_EXACT.to_integral_value(units))
    if units > most or (units > 0 and whole == 0):
        return None, PRICE_RANGE
    return whole, None


def price_units(value: object, most: int = TOKEN_PRICE_MAX) -> tuple[int | None, str | None]:
    """Return (price, None) or (None, reason code) for the JSON value of a price (R-5.1).

    The price is an integer of 10⁻¹⁸ USD, half-even beyond that; above `most` it is out of range.

    >>> price_units("0.0000025"), price_units("-1"), price_units("NaN"), price_units("1e-19")
    ((2500000000000, None), (None, 'price_dynamic'), (None, 'price_grammar'), (None, 'price_range'))
    """
    if isinstance(value, str):
        return _price(value, most)
    return None, PRICE_ABSENT if value is None else PRICE_GRAMMAR


def token_total(value: object) -> int | None:
    """Return the tokens of a JSON string or integer, None when it is no total R-2 admits.

    >>> token_total("12"), token_total(12), token_total("-1"), token_total(True), token_total("9" * 19)
    (12, 12, None, None, None)
    """
    if type(value) is int:
        total = value
    elif isinstance(value, str) and _TOKENS.fullmatch(value):
        total = int(value)
    else:
        return None
    return total if 0 <= total <= TOKENS_MAX else None
