"""The move explained (R-11): what of a change is price, mix, entry and exit, exactly and by constituent.

A function of two determination records and nothing else, so anybody who holds both can repeat it; the arithmetic is
of two baskets, whosever they are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from msgspec.structs import replace

from mtok.quantities import PRICE_SECONDS_PER_USD_PER_MTOK, rounded, rounded_root
from mtok.records import Determination, Effect, Factors, Move

EFFECT_PLACES = 12
FACTOR_PLACES = 12

Effects = dict[str, Fraction]


@dataclass(frozen=True, kw_only=True)
class Basket:
    """The priced constituents of one record: tokens, and prices as price_seconds. Averages are in price_seconds."""

    tokens: dict[str, int]
    prices: dict[str, int]

    @classmethod
    def of(cls, record: Determination) -> Basket:
        """Return the basket of a printed record."""
        return cls(
            tokens={row.constituent: row.tokens for row in record.constituents},
            prices={row.constituent: row.price_seconds for row in record.constituents},
        )

    def weight(self, names: Iterable[str]) -> int:
        """Return the tokens of `names`."""
        return sum(self.tokens[name] for name in names)

    def cost(self, names: Iterable[str], prices: Mapping[str, int]) -> int:
        """Return Σ tokens × price over `names`, at any day's prices."""
        return sum(self.tokens[name] * prices[name] for name in names)

    def average(self, names: Collection[str]) -> Fraction:
        """Return the average price of `names`, weighted by tokens: U over all of them, U_C over the continuing."""
        return Fraction(self.cost(names, self.prices), self.weight(names))


@dataclass(frozen=True, kw_only=True)
class Start:
    """What a move starts from. sha256 : of the record the basket is of, empty where it is of none"""

    date: str
    value: str
    sha256: str = ""


def fisher_square(before: Basket, after: Basket, continuing: Collection[str]) -> Fraction:
    """Return P_L · P_P over the continuing constituents, the square of the Fisher factor (R-11)."""
    laspeyres = Fraction(before.cost(continuing, after.prices), before.cost(continuing, before.prices))
    paasche = Fraction(after.cost(continuing, after.prices), after.cost(continuing, before.prices))
    return laspeyres * paasche


def explain_move(before: Determination, after: Determination) -> Move:
    """Return the move from one printed record to another of the same series and version (R-11)."""
    old, new = Basket.of(before), Basket.of(after)
    causes = {name: _cause(name, before) for name in new.tokens.keys() - old.tokens.keys()}
    causes |= {name: _cause(name, after) for name in old.tokens.keys() - new.tokens.keys()}
    start = Start(date=before.date, value=before.value or "", sha256=before.sha256)
    return basket_move(start, old, new, causes)


def basket_move(start: Start, old: Basket, new: Basket, causes: Mapping[str, str]) -> Move:
    """Return the move from one basket to another (R-11). causes : why what only one has is not in the other"""
    change = new.average(new.tokens) - old.average(old.tokens)
    continuing = sorted(old.tokens.keys() & new.tokens.keys())
    move = Move(
        from_date=start.date,
        from_value=start.value,
        from_sha256=start.sha256,
        change=_text(change),
    )
    if not continuing:
        replaced = _contributions(new, 1) | _contributions(old, -1)
        listed = [
            Effect(constituent=name, replacement=_text(effect), cause=causes[name])
            for name, effect in sorted(replaced.items())
        ]
        return replace(move, replacement=_text(change), constituents=tuple(listed))
    price, mix = _continuing_effects(old, new, continuing)
    entry = _crossing_effects(new, continuing, 1)
    exit_ = _crossing_effects(old, continuing, -1)
    assert sum((*price.values(), *mix.values(), *entry.values(), *exit_.values()), Fraction(0)) == change
    return replace(
        move,
        price=_total(price),
        mix=_total(mix),
        entry=_total(entry),
        exit=_total(exit_),
        factors=_factors(old, new, continuing),
        entry_by_cause=_by_cause(entry, causes),
        exit_by_cause=_by_cause(exit_, causes),
        constituents=(
            *(
                Effect(constituent=name, price=_text(price[name]), mix=_text(mix[name]))
                for name in continuing
            ),
            *(
                Effect(constituent=name, entry=_text(entry[name]), cause=causes[name])
                for name in sorted(entry)
            ),
            *(
                Effect(constituent=name, exit=_text(exit_[name]), cause=causes[name])
                for name in sorted(exit_)
            ),
        ),
    )


def _contributions(basket: Basket, sign: int) -> Effects:
    whole = basket.weight(basket.tokens)
    return {
        name: Fraction(sign * basket.tokens[name] * price, whole) for name, price in basket.prices.items()
    }


def _continuing_effects(old: Basket, new: Basket, continuing: list[str]) -> tuple[Effects, Effects]:
    old_weight, new_weight = old.weight(continuing), new.weight(continuing)
    middle = (old.average(continuing) + new.average(continuing)) / 2
    price, mix = {}, {}
    for name in continuing:
        s0, s1 = Fraction(old.tokens[name], old_weight), Fraction(new.tokens[name], new_weight)
        p0, p1 = old.prices[name], new.prices[name]
        price[name] = (s0 + s1) / 2 * (p1 - p0)
        mix[name] = (Fraction(p0 + p1, 2) - middle) * (s1 - s0)
    return price, mix


def _crossing_effects(basket: Basket, continuing: list[str], sign: int) -> Effects:
    """Return the effects of those only in `basket`: entering (sign 1) or exiting (sign -1)."""
    whole, average = basket.weight(basket.tokens), basket.average(continuing)
    return {
        name: Fraction(sign * basket.tokens[name], whole) * (basket.prices[name] - average)
        for name in basket.tokens.keys() - set(continuing)
    }


def _factors(old: Basket, new: Basket, continuing: list[str]) -> Factors:
    square = fisher_square(old, new, continuing)
    entry = new.average(new.tokens) / new.average(continuing)
    exit_ = old.average(continuing) / old.average(old.tokens)
    mix_square = (new.average(continuing) / old.average(continuing)) ** 2 / square
    assert (new.average(new.tokens) / old.average(old.tokens)) ** 2 == square * mix_square * (
        entry * exit_
    ) ** 2
    return Factors(
        price=rounded_root(square, FACTOR_PLACES),
        mix=rounded_root(mix_square, FACTOR_PLACES),
        entry=rounded(entry, FACTOR_PLACES),
        exit=rounded(exit_, FACTOR_PLACES),
    )


def _cause(name: str, other: Determination) -> str:
    """Return why a constituent is not among the priced ones of the other day."""
    for row in other.left_out:
        if row.constituent == name:
            return row.reason
    return "no_row" if name in other.without_volume else "unlisted"


def _by_cause(effects: Effects, causes: Mapping[str, str]) -> dict[str, str]:
    sums: defaultdict[str, Fraction] = defaultdict(Fraction)
    for name, effect in effects.items():
        sums[causes[name]] += effect
    return {cause: _text(sums[cause]) for cause in sorted(sums)}


def _total(effects: Effects) -> str:
    return _text(sum(effects.values(), Fraction(0)))


def _text(effect: Fraction) -> str:
    """Return an effect, given in price_seconds, in USD per million."""
    return rounded(effect / PRICE_SECONDS_PER_USD_PER_MTOK, EFFECT_PLACES)
