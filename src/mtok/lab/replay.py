"""One window replayed: what both styles settle to, what an error, a rounding and a dropped day would change.

Everything is exact: prices are integers of 10⁻⁶ USD per million output tokens, amounts integers of cents to the buyer,
each rounded where `mtok.settlement.values` rounds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from itertools import pairwise
from typing import Final

import msgspec

from mtok.lab.carrying import MarkedDay, marked_days
from mtok.lab.history import History
from mtok.lab.margins import Margin, margin_of
from mtok.lab.terms import Terms
from mtok.quantities import half_even
from mtok.settlement.specification import Specification
from mtok.settlement.values import Style, Window, cash

SHOCK: Final = Fraction(11, 10)
"""A value that is wrong by +10 %."""


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What a style settles to. final_value : 10⁻⁶ USD per million · cash : cents to the buyer, of the whole contract"""

    style: Style
    final_value: int
    cash: int


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """By how much a final value and its cash change."""

    final_value: int
    cash: int


class Shock(msgspec.Struct, frozen=True, kw_only=True):
    """The value of a day wrong by +10 %, also wherever it is carried. value : the wrong one, rounded as a mark is"""

    day: int
    value: int
    average: Change
    last: Change

    def of(self, style: Style) -> Change:
        """Return the change of a style."""
        return self.average if style == Style.AVERAGE else self.last


class Rounding(msgspec.Struct, frozen=True, kw_only=True):
    """What rounding does to the average. unrounded : the mean itself, USD per million · amounts in cents to the buyer

    once : cash, rounded once on the whole change · of_unrounded : the same of the unrounded mean
    daily : the changes of the daily settlement price, each rounded by itself and added up
    """

    unrounded: Fraction
    once: int
    of_unrounded: int
    daily: int


class Dropped(msgspec.Struct, frozen=True, kw_only=True):
    """The mean of the days that have a value of their own. days : how many do"""

    days: int
    final_value: int
    cash: int


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """A replay. days : from the trade on · average, last, rounding : None where a day of the window has no mark

    shocks : by day, of those that count · dropped : None where no day lacks a value
    """

    history: History
    terms: Terms
    rules: Specification
    days: tuple[MarkedDay, ...]
    average: Settled | None
    last: Settled | None
    shocks: tuple[Shock, ...]
    rounding: Rounding | None
    dropped: Dropped | None
    margin: Margin

    @property
    def marks(self) -> dict[int, int]:
        """The marks by day, own and carried."""
        return _marks(self.days, self.history.values)

    @property
    def missing(self) -> tuple[MarkedDay, ...]:
        """The days without a value of their own."""
        return tuple(day for day in self.days if day.value is None)

    @property
    def refused(self) -> tuple[MarkedDay, ...]:
        """The days that F3 does not carry."""
        return tuple(day for day in self.days if day.source_day is None)

    @property
    def not_final(self) -> tuple[int, ...]:
        """The days whose values are used but are no final print."""
        used = sorted({day.source_day for day in self.days if day.source_day is not None})
        return tuple(day for day in used if not self.history.is_final(day))

    def largest_shock(self, style: Style) -> Shock | None:
        """Return the day on which an error moves the cash of a style most, the first of several."""
        return max(self.shocks, key=lambda shock: (abs(shock.of(style).cash), -shock.day), default=None)


def replay(history: History, terms: Terms, rules: Specification) -> Replay:
    """Return what a contract would have come to. Raises AnswerIsNo where the first day has no value to carry."""
    days = marked_days(history, terms.window, terms.traded, rules)
    marks = _marks(days, history.values)
    whole = all(day in marks for day in terms.window.days)
    margin = margin_of(history, terms, marks, rules)
    return Replay(
        history=history,
        terms=terms,
        rules=rules,
        days=days,
        average=_settled(terms, Style.AVERAGE, marks) if whole else None,
        last=_settled(terms, Style.LAST, marks) if whole else None,
        shocks=_shocks(history, terms, days) if whole else (),
        rounding=_rounding(terms, marks, margin) if whole and margin.final else None,
        dropped=_dropped(terms, days),
        margin=margin,
    )


def _marks(days: tuple[MarkedDay, ...], values: Mapping[int, int]) -> dict[int, int]:
    return {one.day: values[one.source_day] for one in days if one.source_day is not None}


def _settled(terms: Terms, style: Style, marks: Mapping[int, int]) -> Settled:
    value = Window(first=terms.first, last=terms.last, style=style).final_value(marks)
    return Settled(style=style, final_value=value, cash=cash(value - terms.price, terms.quantity))


def _shocks(history: History, terms: Terms, days: tuple[MarkedDay, ...]) -> tuple[Shock, ...]:
    marks = _marks(days, history.values)
    average, last = (_settled(terms, style, marks) for style in (Style.AVERAGE, Style.LAST))
    used = {day.source_day for day in days if day.day >= terms.first and day.source_day is not None}
    found = []
    for day in sorted(used):
        wrong = half_even(history.values[day] * SHOCK.numerator, SHOCK.denominator)
        shocked = _marks(days, {**history.values, day: wrong})
        found.append(
            Shock(
                day=day,
                value=wrong,
                average=_change(average, _settled(terms, Style.AVERAGE, shocked)),
                last=_change(last, _settled(terms, Style.LAST, shocked)),
            )
        )
    return tuple(found)


def _change(before: Settled, after: Settled) -> Change:
    return Change(final_value=after.final_value - before.final_value, cash=after.cash - before.cash)


def _rounding(terms: Terms, marks: Mapping[int, int], margin: Margin) -> Rounding:
    window = terms.window
    mean = Fraction(sum(marks[day] for day in window.days), len(window.days))
    exact = (mean - terms.price) * terms.quantity / 10**4
    prices = [terms.price, *(day.margin.settlement_price for day in margin.days)]
    return Rounding(
        unrounded=mean / 10**6,
        once=cash(window.final_value(marks) - terms.price, terms.quantity),
        of_unrounded=half_even(exact.numerator, exact.denominator),
        daily=sum(cash(after - before, terms.quantity) for before, after in pairwise(prices)),
    )


def _dropped(terms: Terms, days: tuple[MarkedDay, ...]) -> Dropped | None:
    own = [day.value for day in days if day.day >= terms.first and day.value is not None]
    if len(own) == len(terms.window.days):
        return None
    value = half_even(sum(own), len(own))
    return Dropped(days=len(own), final_value=value, cash=cash(value - terms.price, terms.quantity))
