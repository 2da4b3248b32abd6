"""Exact quantities: integers in, one half-even rounding, decimal text out.

Prices are integers of 10⁻¹⁸ USD per token, a day's price the integer Σ price × seconds (R-5.3). Everything
published is a quotient, or the square root of one, rounded here and nowhere else.
"""

from __future__ import annotations

from fractions import Fraction
from math import isqrt
from typing import Final

ATTO_PER_USD: Final = 10**18
PRICE_SECONDS_PER_USD_PER_MTOK: Final = 86_400 * 10**12
"""A day's price of 1 USD per million tokens, as Σ price × seconds (R-8.1)."""


def half_even(numerator: int, denominator: int) -> int:
    """Return the integer nearest to the quotient, the even one of two; the denominator is positive.

    >>> half_even(5, 2), half_even(7, 2), half_even(-5, 2)
    (2, 4, -2)
    """
    whole, rest = divmod(numerator, denominator)
    return whole + (2 * rest > denominator or (2 * rest == denominator and whole % 2 == 1))


def decimal_text(units: int, places: int) -> str:
    """Return `units` × 10^-places in plain notation; zero has no sign.

    >>> decimal_text(-1500, 3)
    '-1.500'
    """
    if places <= 0:
        return str(units * 10**-places)
    sign = "-" if units < 0 else ""
    whole, fraction = divmod(abs(units), 10**places)
    return f"{sign}{whole}.{fraction:0{places}d}"


def rounded(quotient: Fraction, places: int) -> str:
    """Return `quotient` with `places` decimals, half-even.

    >>> rounded(Fraction(1, 8), 2)
    '0.12'
    """
    return decimal_text(half_even(quotient.numerator * 10**places, quotient.denominator), places)


def root_units(square: Fraction) -> int:
    """Return √square as an integer, half-even, decided on exact integers (R-11).

    >>> root_units(Fraction(25, 4)), root_units(Fraction(2))
    (2, 1)
    """
    floor = isqrt(square.numerator // square.denominator)
    excess = 4 * square - (2 * floor + 1) ** 2
    return floor + 1 if excess > 0 or (excess == 0 and floor % 2) else floor


def rounded_root(square: Fraction, places: int) -> str:
    """Return √square with `places` decimals, half-even."""
    return decimal_text(root_units(square * 10 ** (2 * places)), places)


def significant_root(square: Fraction, digits: int) -> str:
    """Return √square, positive, half-even to `digits` significant digits, in plain notation (R-8.3).

    >>> significant_root(Fraction(10001), 4)
    '100.0'
    """
    places = digits
    while (length := len(str(isqrt(int(square * Fraction(10) ** (2 * places)))))) != digits:
        places += digits - length
    units = root_units(square * Fraction(10) ** (2 * places))
    if units == 10**digits:
        units, places = units // 10, places - 1
    return decimal_text(units, places)
