"""How a series goes with a user's own price: tracking error, correlation, hedge ratio, residual risk.

All of it is of daily changes, in USD per million tokens, from one UTC day to the next, of the figures as printed with
six decimals: integers of 10⁻⁶ USD, so that sums are exact and each result is rounded once, half-even. Variances have
n − 1. The minimum-variance hedge is that of Johnson (1960) and Ederington (1979); docs/bill.md has the formulas.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from mtok.calendar import parse_date
from mtok.quantities import rounded, rounded_root

PLACES: Final = 6
CHANGES_MIN: Final = 20
"""Under this many daily changes a ratio says little; a judgement."""

EXPLAINED_MIN: Final = Fraction(1, 2)
"""A hedge that leaves more than half of the variance is weak; a judgement."""

FEW_CHANGES: Final = "few_changes"
WEAK: Final = "weak"
OWN_STANDS_STILL: Final = "own_stands_still"
SERIES_STANDS_STILL: Final = "series_stands_still"
MANY_SERIES: Final = "many_series"


@dataclass(frozen=True, kw_only=True)
class Fit:
    """One series against the own price. Absent where there is nothing to divide by.

    changes : how many daily changes both have
    own_risk, tracking_error, residual_risk : standard deviations of daily changes, USD per million: of the own price,
        of own minus series, and of own minus hedge_ratio × series
    unexplained : 1 − R², the share of the variance that the hedge leaves
    """

    series: str
    changes: int
    own_risk: str | None = None
    tracking_error: str | None = None
    correlation: str | None = None
    hedge_ratio: str | None = None
    unexplained: str | None = None
    residual_risk: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Joint:
    """Several series together: the ratio of each at which the variance that is left is smallest."""

    changes: int
    hedge_ratios: dict[str, str]
    unexplained: str
    residual_risk: str
    warnings: tuple[str, ...]


def fit(series: str, own: Mapping[str, str], values: Mapping[str, str]) -> Fit:
    """Return how a series goes with the own price. own, values : date → USD per million, six decimals"""
    y, x = _changes([own, values])
    n = len(y)
    few = (FEW_CHANGES,) if n < CHANGES_MIN else ()
    if n < 2:
        return Fit(series=series, changes=n, warnings=few)
    sxx, syy, sxy = _product(x, x), _product(y, y), _product(x, y)
    apart = [one - other for one, other in zip(y, x, strict=True)]
    found = Fit(
        series=series,
        changes=n,
        own_risk=_deviation(Fraction(syy), n),
        tracking_error=_deviation(Fraction(_product(apart, apart)), n),
        warnings=(
            *few,
            *([SERIES_STANDS_STILL] if not sxx else []),
            *([OWN_STANDS_STILL] if not syy else []),
        ),
    )
    if not sxx or not syy:
        return found
    explained = Fraction(sxy * sxy, sxx * syy)
    correlation = rounded_root(explained, PLACES)
    return Fit(
        series=series,
        changes=n,
        own_risk=found.own_risk,
        tracking_error=found.tracking_error,
        correlation=f"-{correlation}" if sxy < 0 and Fraction(correlation) else correlation,
        hedge_ratio=rounded(Fraction(sxy, sxx), PLACES),
        unexplained=rounded(1 - explained, PLACES),
        residual_risk=_deviation(syy * (1 - explained), n),
        warnings=(*few, *([WEAK] if explained < EXPLAINED_MIN else [])),
    )


def fit_together(
    series: Sequence[str], own: Mapping[str, str], values: Mapping[str, Mapping[str, str]]
) -> Joint | None:
    """Return the best mix of several series, None where there is none to be had.

    There is none of fewer than two series, of fewer daily changes than it takes, or where one of them stands still or
    follows from the others.
    """
    y, *xs = _changes([own, *(values[name] for name in series)])
    n, syy = len(y), _product(y, y)
    if len(series) < 2 or n < len(series) + 2 or not syy:
        return None
    beside = [_product(x, y) for x in xs]
    ratios = _solved([[Fraction(_product(one, other)) for other in xs] for one in xs], beside)
    if ratios is None:
        return None
    left = syy - sum((ratio * product for ratio, product in zip(ratios, beside, strict=True)), Fraction(0))
    few, many, weak = n < CHANGES_MIN, n < 10 * len(series), 1 - left / syy < EXPLAINED_MIN
    codes = ((few, FEW_CHANGES), (many, MANY_SERIES), (weak, WEAK))
    return Joint(
        changes=n,
        hedge_ratios={name: rounded(ratio, PLACES) for name, ratio in zip(series, ratios, strict=True)},
        unexplained=rounded(left / syy, PLACES),
        residual_risk=_deviation(left, n),
        warnings=tuple(code for holds, code in codes if holds),
    )


def _changes(paths: Sequence[Mapping[str, str]]) -> list[list[int]]:
    """Return the changes of each path, in 10⁻⁶ USD, over the pairs of UTC days on which all of them have a figure."""
    held = {parse_date(date): date for date in paths[0] if all(date in path for path in paths)}
    pairs = [(held[day - 1], held[day]) for day in sorted(held) if day - 1 in held]
    return [[_units(path[after]) - _units(path[before]) for before, after in pairs] for path in paths]


def _units(value: str) -> int:
    return int(Fraction(value) * 10**PLACES)


def _product(one: Sequence[int], other: Sequence[int]) -> int:
    """Return n times the sum of products of the deviations from the mean."""
    products = sum(a * b for a, b in zip(one, other, strict=True))
    return len(one) * products - sum(one) * sum(other)


def _deviation(product: Fraction, n: int) -> str:
    """Return the standard deviation, USD per million. product : n times the sum of squares, in 10⁻¹² USD²"""
    return rounded_root(product / (n * (n - 1) * 10 ** (2 * PLACES)), PLACES)


def _solved(matrix: list[list[Fraction]], right: Sequence[int]) -> list[Fraction] | None:
    """Return the solution of symmetric normal equations by elimination, None where they have not exactly one."""
    rows = [[*row, Fraction(value)] for row, value in zip(matrix, right, strict=True)]
    for place in range(len(rows)):
        pivot = rows[place][place]
        if not pivot:
            return None
        rows[place] = [value / pivot for value in rows[place]]
        for other in range(len(rows)):
            if other != place and (factor := rows[other][place]):
                rows[other] = [a - factor * b for a, b in zip(rows[other], rows[place], strict=True)]
    return [row[-1] for row in rows]
