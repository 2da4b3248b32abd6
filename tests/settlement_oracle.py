"""Settlement and margin worked out a second time, from the written rules: fractions alone, nothing of mtok.

Prices are whole millionths of a dollar per million tokens, amounts are whole cents to the long side. Every quotient is
a fraction until it is rounded, once, half-even, which is what `round` does with a Fraction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from math import ceil
from typing import Any, NamedTuple


class Deal(NamedTuple):
    """A contract. trade : the trade price · quantity : million tokens · first, last : days of the window

    initial, maintenance, least : initial and maintenance margin and the smallest transfer, cents
    """

    trade: int
    quantity: int
    first: int
    last: int
    of_last: bool
    initial: int
    maintenance: int
    least: int


class Money(NamedTuple):
    """Cents: moved to the long side so far, and the collateral of each side."""

    moved: int
    long: int
    short: int


class Row(NamedTuple):
    """A day: the columns of the worked example. calls : what each side has to post"""

    dsp: int
    target: int
    due: int
    moved: int
    money: Money
    calls: dict[str, int]


class End(NamedTuple):
    """How a contract ends, cents. to_long, to_short : out of the collateral · debts : what each side still owes"""

    value: int
    open: int
    to_long: int
    to_short: int
    debts: dict[str, int]


def cents(dollars: Fraction) -> int:
    """Round an amount in dollars to cents, half-even."""
    return round(100 * dollars)


def dollars(units: int, quantity: int = 1) -> Fraction:
    """What so many million tokens cost at a price."""
    return Fraction(units * quantity, 1_000_000)


def usable(marks: Iterable[Any], states: Iterable[str], what: str = "value") -> dict[int, int]:
    """Of marks of one reference, by day, what the last version says, in one of these states and logged."""
    last = {one.day: one for one in sorted(marks, key=lambda one: one.version)}
    return {day: getattr(one, what) for day, one in last.items() if one.state in states and one.logged}


def fsv(deal: Deal, marks: Mapping[int, int]) -> int:
    """The final settlement value: the mean of all marks of the window, or the last one."""
    window = [marks[day] for day in range(deal.first, deal.last + 1)]
    return window[-1] if deal.of_last else round(Fraction(sum(window), len(window)))


def dsp(deal: Deal, day: int, marks: Mapping[int, int]) -> int:
    """The daily settlement price: in the window the mean if every later mark were that of the day, else the mark."""
    if day < deal.first or deal.of_last:
        return marks[day]
    filled = [marks[min(one, day)] for one in range(deal.first, deal.last + 1)]
    return round(Fraction(sum(filled), len(filled)))


def target(deal: Deal, at: int) -> int:
    """What the long side should have received in all at a price."""
    return cents(dollars(at, deal.quantity) - dollars(deal.trade, deal.quantity))


def undisputed(one: int, other: int) -> int:
    """What two amounts have in common: the smaller one of the same sign, nothing of opposite signs."""
    if one > 0 and other > 0:
        return min(one, other)
    if one < 0 and other < 0:
        return max(one, other)
    return 0


def margin(
    deal: Deal,
    money: Money,
    day: int,
    marks: Mapping[int, int],
    claims: Mapping[int, int] | None = None,
) -> Row:
    """A day: target less what has moved is due; it moves from the smallest transfer on; who is short is called.

    claims : by day, what whoever disputes a mark holds to be right
    """
    at = dsp(deal, day, marks)
    due = sure = target(deal, at) - money.moved
    if claims:
        sure = undisputed(due, target(deal, dsp(deal, day, dict(marks) | dict(claims))) - money.moved)
    moved = sure if abs(sure) >= deal.least else 0
    after = Money(money.moved + moved, money.long + moved, money.short - moved)
    equity = {"buy": after.long + (sure - moved), "sell": after.short - (sure - moved)}
    calls = {side: deal.initial - held for side, held in equity.items() if held < deal.maintenance}
    return Row(at, target(deal, at), due, moved, after, calls)


def end(deal: Deal, money: Money, at: int) -> End:
    """The end at a price: what is open is set off against the collateral; what a side lacks is a debt to the other."""
    value = target(deal, at)
    left = value - money.moved
    long, short = money.long + left, money.short - left
    debts = {side: -held for side, held in (("buy", long), ("sell", short)) if held < 0}
    if long < 0:
        return End(value, left, 0, short + long, debts)
    if short < 0:
        return End(value, left, long + short, 0, debts)
    return End(value, left, long, short, debts)


def initial(trade: int, quantity: int, moves: Sequence[int]) -> int:
    """The initial margin: 10 % of the notional or 1.25 × element ⌈0.99 n⌉ of the moves; 30 % with fewer than 60."""
    notional = dollars(trade, quantity)
    if len(moves) < 60:
        return cents(notional * Fraction(3, 10))
    element = sorted(moves)[ceil(Fraction(99, 100) * len(moves)) - 1]
    return cents(max(notional / 10, Fraction(5, 4) * dollars(element, quantity)))


def moves(history: Mapping[int, int], day: int) -> list[int]:
    """The sizes of the ten-day moves that end in the last 250 days, where both days have a value."""
    return [
        abs(history[day - back] - history[day - back - 10])
        for back in range(250)
        if day - back in history and day - back - 10 in history
    ]


def netted(dues: Iterable[tuple[str, str, str, int]]) -> dict[tuple[str, str, str], int]:
    """Of (set, payer, payee, cents): what is left to pay by (set, payer, payee)."""
    owed: Counter[tuple[str, str, str]] = Counter()
    for name, payer, payee, amount in dues:
        owed[name, payer, payee] += amount
    left = {key: amount - owed[key[0], key[2], key[1]] for key, amount in dict(owed).items()}
    return {key: amount for key, amount in left.items() if amount > 0}
