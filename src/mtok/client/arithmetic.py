"""The arithmetic of one record, repeated from the rulebook on exact integers and fractions (R-7 … R-10).

Everything here follows from the record itself and the published parameters of its methodology: value, shares,
diagnostics, bounds, status and reasons. It is written from the rulebook and shares no code with what makes records.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import isqrt
from typing import Any, Final

from mtok.client.content import Malformed, is_value
from mtok.records import PublishedRecord

USD_PER_MTOK: Final = 86_400 * 10**12
"""A price_seconds of 1 USD per million tokens (R-8.1)."""

RANKINGS: Final = "rankings-daily"
TOKENS_MAX: Final = 2**63 - 1
ROWS_MAX: Final = 20_000
"""Constituents, absent and left-out rows of a record, at most."""

_IMPUTED: Final = {"carried", "launch"}
_RUNGS: Final = {"direct", "fallback", *_IMPUTED}
_LEFT_OUT: Final = {"ineligible", "unpaid", "missing"}
_GRADES: Final = {"major", "minor"}
_EXACT: Final = re.compile(r"[0-9]{1,60}(?:\.[0-9]{1,90})?", re.ASCII)

Expected = dict[str, Any]


def text(quotient: Fraction, places: int = 6) -> str:
    """Return a quotient with `places` decimals, half-even.

    >>> text(Fraction(-1, 8), 2), text(Fraction(3, 8), 2)
    ('-0.12', '0.38')
    """
    return divided(quotient.numerator, quotient.denominator, places)


def divided(numerator: int, denominator: int, places: int = 6) -> str:
    """Return numerator ÷ denominator > 0 with `places` decimals, half-even: rounded up, and back from an odd tie.

    >>> divided(1, 8, 2), divided(-1, 10, 1)
    ('0.12', '-0.1')
    """
    units, rest = divmod(2 * numerator * 10**places + denominator, 2 * denominator)
    if not rest and units % 2:
        units -= 1
    whole = str(abs(units)).rjust(places + 1, "0")
    return f"{'-' if units < 0 else ''}{whole[:-places]}.{whole[-places:]}"


def root(square: Fraction) -> int:
    """Return √square to the nearest integer, the even one of two."""
    fourfold = isqrt(4 * square.numerator // square.denominator)  # ⌊2√square⌋
    below, beyond_half = divmod(fourfold, 2)
    tie = beyond_half and Fraction(fourfold * fourfold, 4) == square
    return below + (beyond_half if not tie else below % 2)


def share(part: int, whole: int) -> str | None:
    """Return part ÷ whole with six decimals, None where the whole is zero (R-9)."""
    return divided(part, whole) if whole else None


class Parameters:
    """The published parameters of a methodology. Raises Malformed for a file that cannot be calculated with."""

    def __init__(self, raw: bytes) -> None:
        try:
            content = tomllib.loads(raw.decode())
            self.methodology = str(content["methodology"])
            self.unit = str(content["unit"])
            self.weight_basis = str(content["weight_basis"])
            self.series = {
                str(entry["series"]): (str(entry["author"]), str(entry["name_prefix"]))
                for entry in content["series"]
            }
            self.numbers = {name: _number(content, name) for name in _NUMBERS}
            self.ratios = {name: _ratio(content, name) for name in _RATIOS}
        except Malformed:
            raise
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise Malformed(
                f"parameters that cannot be read: {type(error).__name__} {str(error)[:80]}"
            ) from None
        self.order = {series: place for place, series in enumerate(self.series)}


_NUMBERS: Final = (
    "window.input_days_before",
    "window.input_days_after",
    "capture.named_rows_min",
    "resolution.carry_days",
    "averages.index_digits",
    "averages.previous_days",
    "quality.constituents_min",
)
_RATIOS: Final = (
    "price.price_max",
    "conflict.major",
    "conflict.minor",
    "averages.printed_share_min",
    "averages.weak_link_share",
    "quality.coverage_withheld",
    "quality.truncation_withheld",
    "quality.truncation",
    "quality.unseen_ratio",
    "quality.coverage",
    "quality.imputed_or_fallback",
    "quality.conflict",
    "quality.estimated",
    "quality.jump",
)
_PARAMETER_MAX: Final = 10**6


def _entry(content: Mapping[str, Any], name: str) -> Any:
    section, _, entry = name.partition(".")
    return content[section][entry]["value"]


def _number(content: Mapping[str, Any], name: str) -> int:
    value = _entry(content, name)
    if type(value) is not int or not 0 < value <= _PARAMETER_MAX:
        raise Malformed(f"parameter {name} is no number above zero")
    return value


def _ratio(content: Mapping[str, Any], name: str) -> Fraction:
    numerator, denominator = _entry(content, name)
    if {type(numerator), type(denominator)} != {int} or not 0 < denominator <= _PARAMETER_MAX:
        raise Malformed(f"parameter {name} is no ratio")
    if not 0 < numerator <= _PARAMETER_MAX:
        raise Malformed(f"parameter {name} is not above zero")
    return Fraction(numerator, denominator)


def check_domain(record: PublishedRecord, parameters: Parameters) -> None:
    """Raise Malformed, with the place, unless every number lies where arithmetic makes sense."""
    dearest = parameters.ratios["price.price_max"] * 86_400 * 10**18
    rows = len(record.constituents) + len(record.absent) + len(record.left_out)
    if rows > ROWS_MAX:
        raise Malformed(f"{rows} rows, above {ROWS_MAX}")
    for at, row in enumerate(record.constituents):
        _check_price(f"constituents[{at}]", row.price_seconds, row.rung, dearest)
        _check_tokens(f"constituents[{at}]", row.tokens)
    for at, absent in enumerate(record.absent):
        _check_price(f"absent[{at}]", absent.price_seconds, absent.rung, dearest)
    for at, left in enumerate(record.left_out):
        _check_tokens(f"left_out[{at}]", left.tokens)
        if left.reason not in _LEFT_OUT:
            raise Malformed(f"left_out[{at}].reason: {left.reason[:40]!a} is none of R-9")
    _check_others(record)


def _check_price(place: str, price: int, rung: str, dearest: Fraction) -> None:
    if not 0 < price <= dearest:
        raise Malformed(f"{place}.price_seconds: {str(price)[:40]} is no price")
    if rung not in _RUNGS:
        raise Malformed(f"{place}.rung: {rung[:40]!a} is no rung")


def _check_tokens(place: str, tokens: int) -> None:
    if not 0 < tokens <= TOKENS_MAX:
        raise Malformed(f"{place}.tokens: {str(tokens)[:40]} is no number of tokens")


def _check_others(record: PublishedRecord) -> None:
    for at, conflict in enumerate(record.conflicts):
        if conflict.other_price_seconds <= 0 or conflict.grade not in _GRADES:
            raise Malformed(f"conflicts[{at}]: no conflict of two positive prices")
    found = record.diagnostics
    if any(
        (count or 0) < 0
        for count in (found.market_tail_tokens, found.smallest_named_tokens, found.named_rows)
    ):
        raise Malformed("diagnostics: a negative count of the market")
    if record.value is not None and not (record.constituents and is_value(record.value)):
        raise Malformed("value: no value of six decimals, or one without constituents")
    exact = record.price_index_exact
    if exact is not None and not (_EXACT.fullmatch(exact) and Fraction(exact) > 0):
        raise Malformed("price_index_exact: no decimal above zero")


@dataclass(frozen=True, kw_only=True)
class _Sums:
    """The token sums of R-9 and N, from the rows of a record."""

    n: int
    w: int
    direct: int
    fallback: int
    imputed: int
    missing: int
    unpaid: int
    ineligible: int
    conflict: int

    @property
    def observed(self) -> int:
        return self.w + self.missing + self.unpaid + self.ineligible


def _sums(record: PublishedRecord) -> _Sums:
    rungs = dict.fromkeys(_RUNGS, 0)
    for row in record.constituents:
        rungs[row.rung] += row.tokens
    left = dict.fromkeys(_LEFT_OUT, 0)
    for out in record.left_out:
        left[out.reason] += out.tokens
    tokens = {row.constituent: row.tokens for row in record.constituents if row.rung == "direct"}
    major = {conflict.constituent for conflict in record.conflicts if conflict.grade == "major"}
    return _Sums(
        n=sum(row.tokens * row.price_seconds for row in record.constituents),
        w=sum(rungs.values()),
        direct=rungs["direct"],
        fallback=rungs["fallback"],
        imputed=rungs["carried"] + rungs["launch"],
        missing=left["missing"],
        unpaid=left["unpaid"],
        ineligible=left["ineligible"],
        conflict=sum(tokens.get(name, 0) for name in major),
    )


class Day:
    """What follows from one record and its parameters, to be compared with what the record says.

    A record that `check_domain` refuses must not be handed in.
    """

    def __init__(self, record: PublishedRecord, parameters: Parameters) -> None:
        self._record = record
        self._parameters = parameters
        self._sums = _sums(record)
        found = record.diagnostics
        self._market = found.market_tokens is not None
        named = found.named_rows or 0
        short = self._market and named < parameters.numbers["capture.named_rows_min"]
        foreign = record.volume_source != RANKINGS
        # Only a source of one's own can be complete, and then says nothing of short captures.
        self._short = short and not (foreign and "short_capture" not in record.reasons)
        self._foreign = foreign
        self._most = found.smallest_named_tokens or 0
        self._tail = found.market_tail_tokens or 0

    def value(self) -> Expected:
        """Return W, N and the value (R-8.1); a withheld record has no N and no value."""
        sums = self._sums
        expected: Expected = {"w": str(sums.w), "unit": self._parameters.unit}
        if self.quality["quality"] != "withheld":
            expected |= {"n": str(sums.n), "value": divided(sums.n, sums.w * USD_PER_MTOK)}
        return expected

    def constituents(self) -> Expected:
        """Return what follows of each constituent and absent one, in the order they must stand."""
        w = self._sums.w
        priced = sorted(self._record.constituents, key=lambda row: (-row.tokens, row.constituent))
        absent = sorted(self._record.absent, key=lambda row: (-row.price_seconds, row.constituent))
        left = sorted(self._record.left_out, key=lambda row: (-row.tokens, row.constituent))
        return {
            "constituents": [
                {
                    "constituent": row.constituent,
                    "weight_share": share(row.tokens, w),
                    "price_usd_per_mtok": divided(row.price_seconds, USD_PER_MTOK),
                    "contribution_usd_per_mtok": divided(row.tokens * row.price_seconds, w * USD_PER_MTOK),
                    "age_days": self._age(row.rung, row.age_days),
                }
                for row in priced
            ],
            "absent": [
                {
                    "constituent": row.constituent,
                    "price_usd_per_mtok": divided(row.price_seconds, USD_PER_MTOK),
                    "age_days": self._age(row.rung, row.age_days),
                }
                for row in absent
            ],
            "left_out": [{"constituent": row.constituent} for row in left],
            "conflicts": [self._conflict(one) for one in self._conflicts()],
            "without_volume": sorted(set(self._record.without_volume)),
        }

    def _age(self, rung: str, age: int) -> str:
        oldest = self._parameters.numbers["resolution.carry_days"]
        return str({"direct": 0, "fallback": 0, "launch": -1}.get(rung, min(max(age, 1), oldest)))

    def _conflicts(self) -> list[tuple[str, int, Any]]:
        """Return (constituent, its price, its conflict) in the order of the constituents (R-7)."""
        by_name = {conflict.constituent: conflict for conflict in self._record.conflicts}
        ordered = sorted(self._record.constituents, key=lambda row: (-row.tokens, row.constituent))
        return [
            (row.constituent, row.price_seconds, by_name[row.constituent])
            for row in ordered
            if row.constituent in by_name and row.rung == "direct"
        ]

    def _conflict(self, one: tuple[str, int, Any]) -> Expected:
        name, price, conflict = one
        apart = Fraction(abs(conflict.other_price_seconds - price), price)
        grades = [
            grade for grade in ("major", "minor") if apart > self._parameters.ratios[f"conflict.{grade}"]
        ]
        return {
            "constituent": name,
            "price_seconds": str(price),
            "grade": grades[0] if grades else "none",
        }

    def names(self) -> Iterator[str]:
        """Yield what is wrong with names: twice, in two places, or of another company (R-1)."""
        record = self._record
        rows = [row.constituent for row in record.constituents]
        rows += [row.constituent for row in record.left_out]
        absent = [row.constituent for row in record.absent]
        if len(set(rows)) < len(rows) or len(set(absent)) < len(absent):
            yield "a constituent stands twice"
        if set(rows) & {*absent, *record.without_volume}:
            yield "a constituent with volume is listed without"
        author, prefix = self._parameters.series.get(record.series, ("", ""))
        for name in (*rows, *absent, *record.without_volume):
            company, _, model = name.partition("/")
            if company != author or not model.startswith(prefix):
                yield f"{name[:120]!a} is none of {record.series}"

    def diagnostics(self) -> Expected:
        """Return the fields of R-9 that follow from the record; what cannot be known from it is taken over."""
        sums, given = self._sums, self._record.diagnostics
        tokens = [row.tokens for row in self._record.constituents]
        squares = sum(count * count for count in tokens)
        expected: Expected = {
            "token_weight": str(sums.w),
            "constituents": str(len(tokens)),
            "weight_basis": self._parameters.weight_basis,
            "observed_tokens": str(sums.observed),
            "direct_tokens": str(sums.direct),
            "fallback_tokens": str(sums.fallback),
            "imputed_tokens": str(sums.imputed),
            "missing_tokens": str(sums.missing),
            "unpaid_tokens": str(sums.unpaid),
            "ineligible_tokens": str(sums.ineligible),
            "price_coverage": share(sums.w, sums.w + sums.missing),
            "missing_price_share": share(sums.missing, sums.w + sums.missing),
            "imputed_token_share": share(sums.imputed, sums.w),
            "fallback_share": share(sums.fallback, sums.w),
            "conflict_share": share(sums.conflict, sums.w),
            "unpaid_share": share(sums.unpaid, sums.observed),
            "ineligible_share": share(sums.ineligible, sums.observed),
            "top_constituent_share": share(max(tokens, default=0), sums.w),
            "hhi": share(squares, sums.w**2),
            "effective_constituents": share(sums.w**2, squares),
            "truncation_exposure": share(self._most, sums.w),
            "unseen_ratio": share(self._unseen, sums.w),
            "first_party_gap": given.first_party_gap,
        }
        if self._market:
            expected |= self._of_the_market()
        if sums.w and self.quality["quality"] != "withheld":
            low, high = self.bounds()
            expected |= {"truncation_low": low, "truncation_high": high}
        return {name: value for name, value in expected.items() if value is not None}

    def _of_the_market(self) -> Expected:
        given = self._record.diagnostics
        tail, whole = given.market_tail_tokens, given.market_tokens or 0
        return {
            "market_tokens": str(whole),
            "market_tail_tokens": None if tail is None else str(tail),
            "market_tail_share": None if tail is None else share(tail, whole),
            "named_rows": str(given.named_rows or 0),
            "smallest_named_tokens": "0" if self._short else str(self._most),
            "absent_constituents": str(len(self._record.absent)),
        }

    @property
    def _unseen(self) -> int:
        return min(len(self._record.absent) * self._most, self._tail)

    def bounds(self) -> tuple[str, str]:
        """Return `truncation_low` and `truncation_high` (R-9)."""
        ascending = sorted(row.price_seconds for row in self._record.absent)
        low, high = self._pull(ascending, -1), self._pull(ascending[::-1], 1)
        return text(low / USD_PER_MTOK), text(high / USD_PER_MTOK)

    def _pull(self, prices: list[int], outward: int) -> Fraction:
        cost, weight, left = self._sums.n, self._sums.w, self._tail
        for price in prices:
            if outward * (price * weight - cost) <= 0:
                break
            taken = min(self._most, left)
            left -= taken
            cost, weight = cost + taken * price, weight + taken
        return Fraction(cost, weight)

    @cached_property
    def quality(self) -> Expected:
        """Status and reasons (R-10), compared on exact integers."""
        sums, limits = self._sums, self._parameters.ratios
        if not self._market:
            return {"quality": "withheld", "reasons": ["no_volumes"]}
        if not sums.w:
            return {"quality": "withheld", "reasons": ["no_priced_volume"]}
        coverage = Fraction(sums.w, sums.w + sums.missing)
        exposure = Fraction(self._most, sums.w)
        withheld = {
            "coverage_below_minimum": coverage < limits["quality.coverage_withheld"],
            "truncation": exposure > limits["quality.truncation_withheld"],
        }
        if any(withheld.values()):
            return {
                "quality": "withheld",
                "reasons": sorted(reason for reason in withheld if withheld[reason]),
            }
        collected = {
            "truncation": exposure > limits["quality.truncation"]
            or Fraction(self._unseen, sums.w) > limits["quality.unseen_ratio"],
            "coverage": coverage < limits["quality.coverage"],
            "imputed_or_fallback": Fraction(sums.imputed + sums.fallback, sums.w)
            > limits["quality.imputed_or_fallback"],
            "conflict": Fraction(sums.conflict, sums.w) > limits["quality.conflict"],
            "few_constituents": len(self._record.constituents)
            < self._parameters.numbers["quality.constituents_min"],
            "short_capture": self._short,
            "other_source": self._foreign,
        }
        reasons = sorted(reason for reason in collected if collected[reason])
        imputed = Fraction(sums.imputed, sums.w) > limits["quality.estimated"]
        return {"quality": "estimated" if imputed else "degraded" if reasons else "good", "reasons": reasons}
