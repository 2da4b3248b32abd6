"""How far the value could lie off, had the absent constituents been traded (R-9): a worst case, exactly."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction


def extremes(n: int, w: int, prices: Iterable[int], *, most: int, tail: int) -> tuple[Fraction, Fraction]:
    """Return the lowest and highest mean of R-8 if each absent constituent had 0 … `most` tokens.

    n, w : Σ tokens × price_seconds and Σ tokens of the priced, w > 0 · prices : price_seconds of the absent
    tail : tokens they can have in all. Both means are in price_seconds.

    >>> extremes(10, 10, [3], most=5, tail=5)
    (Fraction(1, 1), Fraction(5, 3))
    """
    ascending = sorted(prices)
    low = _pulled(n, w, ascending, most, tail, sign=-1)
    return low, _pulled(n, w, ascending[::-1], most, tail, sign=1)


def _pulled(n: int, w: int, prices: list[int], most: int, tail: int, *, sign: int) -> Fraction:
    """Take prices in order while each lies strictly outside (below, sign -1; above, sign 1) the mean before it."""
    for position, price in enumerate(prices):
        if sign * (price * w - n) <= 0:
            break
        tokens = min(most, max(0, tail - position * most))
        n, w = n + price * tokens, w + tokens
    return Fraction(n, w)
