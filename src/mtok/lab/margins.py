"""What margin both sides would have paid day by day, by the rules of `mtok.market.margin` and nothing else.

Calls are taken as paid the same evening. Collateral is shown before that, as it stood when the call was made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import StrEnum

import msgspec

from mtok.lab.history import History
from mtok.lab.terms import Terms
from mtok.market.margin import (
    Account,
    Call,
    Closing,
    Exposure,
    MarginDay,
    Side,
    close,
    initial_margin,
    maintenance_margin,
    margin_day,
    moves_of,
)
from mtok.settlement.specification import Specification
from mtok.settlement.values import Style, Window, cash


class InitialReason(StrEnum):
    """What decides the initial margin: the floor, the moves, the share for few moves, or the share asked for."""

    FLOOR = "floor"
    MOVES = "moves"
    UNKNOWN = "too_little_history"
    ASKED = "asked"


class PathDay(msgspec.Struct, frozen=True, kw_only=True):
    """A day of the contract. final : the last, on which everything moves

    closing : had a side not paid its call of the evening before, and the contract been closed at this day's price; None
    on the first day
    """

    margin: MarginDay
    final: bool
    closing: Closing | None


class Called(msgspec.Struct, frozen=True, kw_only=True):
    """The calls of one side. Amounts in cents; day : of the largest, None without one"""

    side: Side
    calls: int
    sum: int
    largest: int
    day: int | None


class Margin(msgspec.Struct, frozen=True, kw_only=True):
    """The margin of a contract, in cents of each side. notional : of the whole contract, in cents

    initial, reason : what each side posts, and what decided it · specified, specified_reason : by the specification
    moves : sizes of the moves looked at · days : as far as there are marks · called : of buyer and seller
    given_back : what the last day would take back, had the window been marked to the day's own mark; None without a
    final value
    """

    notional: int
    initial: int
    reason: InitialReason
    specified: int
    specified_reason: InitialReason
    moves: tuple[int, ...]
    maintenance: int
    transfer_min: int
    days: tuple[PathDay, ...]
    called: tuple[Called, Called]
    given_back: int | None

    @property
    def final(self) -> PathDay | None:
        """The last day of the contract, None where the marks end before it."""
        return self.days[-1] if self.days and self.days[-1].final else None

    @property
    def worst(self) -> PathDay | None:
        """The day with the largest claim beyond collateral, had a call not been paid; None where there is none."""
        claims = [day for day in self.days if day.closing is not None and day.closing.claim]
        return max(claims, key=_claim, default=None)


def margin_of(history: History, terms: Terms, marks: Mapping[int, int], rules: Specification) -> Margin:
    """Return the margin path of a contract. marks : by day, from the trade on; the path ends before the first gap."""
    moves = moves_of(history.values, terms.traded - 1, rules)
    specified, specified_reason = _specified(terms, moves, rules)
    initial = specified if terms.initial_share is None else _share_of_notional(terms, rules)
    exposure = Exposure(
        price=terms.price,
        quantity=terms.quantity,
        window=terms.window,
        initial_margin=initial,
        maintenance_margin=maintenance_margin(initial, rules),
        transfer_min=rules.transfer_min,
    )
    days = _path(exposure, _days_marked(terms, marks), marks)
    complete = bool(days) and days[-1].final
    return Margin(
        notional=cash(terms.price, terms.quantity),
        initial=initial,
        reason=specified_reason if terms.initial_share is None else InitialReason.ASKED,
        specified=specified,
        specified_reason=specified_reason,
        moves=moves,
        maintenance=exposure.maintenance_margin,
        transfer_min=exposure.transfer_min,
        days=days,
        called=(_called(Side.BUY, days), _called(Side.SELL, days)),
        given_back=_given_back(exposure, terms, marks, days) if complete else None,
    )


def _specified(terms: Terms, moves: tuple[int, ...], rules: Specification) -> tuple[int, InitialReason]:
    """Return the initial margin of the specification, and which part decided: the margin without moves tells."""
    amount = initial_margin(terms.price, terms.quantity, moves, rules)
    if len(moves) < rules.moves_min:
        return amount, InitialReason.UNKNOWN
    still = initial_margin(terms.price, terms.quantity, (0,) * len(moves), rules)
    return amount, InitialReason.FLOOR if amount == still else InitialReason.MOVES


def _share_of_notional(terms: Terms, rules: Specification) -> int:
    assert terms.initial_share is not None
    asked = replace(rules, unknown_share=terms.initial_share, moves_min=1)
    return initial_margin(terms.price, terms.quantity, (), asked)


def _days_marked(terms: Terms, marks: Mapping[int, int]) -> list[int]:
    days: list[int] = []
    for day in range(terms.traded, terms.last + 1):
        if day not in marks:
            break
        days.append(day)
    return days


def _path(exposure: Exposure, days: Iterable[int], marks: Mapping[int, int]) -> tuple[PathDay, ...]:
    account = Account(long=exposure.initial_margin, short=exposure.initial_margin)
    unpaid: Account | None = None
    found: list[PathDay] = []
    for day in days:
        final = day == exposure.window.last
        one = margin_day(account, exposure, day, marks, final=final)
        closing = None if unpaid is None else close(unpaid, exposure, one.settlement_price)
        found.append(PathDay(margin=one, final=final, closing=closing))
        account = unpaid = one.account
        for call in one.calls:
            account = account.posted(call.side, call.amount)
    return tuple(found)


def _called(side: Side, days: Iterable[PathDay]) -> Called:
    calls = [(call.amount, day.margin.day) for day in days for call in day.margin.calls if call.side == side]
    largest, day = max(calls, key=lambda call: (call[0], -call[1]), default=(0, None))
    return Called(
        side=side, calls=len(calls), sum=sum(amount for amount, _ in calls), largest=largest, day=day
    )


def _given_back(exposure: Exposure, terms: Terms, marks: Mapping[int, int], days: tuple[PathDay, ...]) -> int:
    """Return what would still be due on the last day, had each day been marked to its own mark in the window too."""
    window = Window(first=terms.first, last=terms.last, style=Style.LAST)
    raw = msgspec.structs.replace(exposure, window=window)
    account = Account()
    for day in days:
        account = margin_day(account, raw, day.margin.day, marks).account
    return days[-1].margin.target - account.moved


def _claim(day: PathDay) -> tuple[int, int]:
    assert day.closing is not None
    return day.closing.claim, -day.margin.day


def call_of(day: MarginDay, side: Side) -> Call | None:
    """Return the call of a side on a day, None where it is not called."""
    return next((call for call in day.calls if call.side == side), None)
