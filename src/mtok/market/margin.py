"""What margin is owed tonight and what is paid at the end, in cents, from the long side's point of view.

The daily settlement price gives a target; what has not moved yet is due and moves from collateral to collateral once it
is worth a transfer. Every amount is rounded once, on the whole change since the trade price, so the path a contract
took never shows in what it pays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from fractions import Fraction
from typing import Final

import msgspec

from mtok.quantities import half_even
from mtok.settlement.machines import Refused
from mtok.settlement.specification import Specification
from mtok.settlement.values import AMOUNT_MAX, Window, cash

_UNITS_PER_CENT: Final = 10**4


class Side(StrEnum):
    """Who pays the fixed price (buy, long) and who receives it (sell, short)."""

    BUY = "buy"
    SELL = "sell"

    @property
    def other(self) -> Side:
        """The opposite side."""
        return Side.SELL if self == Side.BUY else Side.BUY


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """What a contract is exposed to. price : the trade price, 10⁻⁶ USD per million tokens · quantity : million tokens

    initial_margin, maintenance_margin, transfer_min : cents, of each side
    """

    price: int
    quantity: int
    window: Window
    initial_margin: int
    maintenance_margin: int
    transfer_min: int

    def target(self, settlement_price: int) -> int:
        """Return what the long side should have received in all at a price, in cents; negative where it should pay."""
        return cash(settlement_price - self.price, self.quantity)


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """The money of one contract, in cents. moved : to the long side so far · long, short : collateral of each side"""

    moved: int = 0
    long: int = 0
    short: int = 0

    def posted(self, side: Side, amount: int) -> Account:
        """Return the account with more collateral. Raises Refused for an amount that is not positive."""
        if amount <= 0:
            raise Refused("amount_invalid", f"{amount} cents", "Post a positive amount.")
        held = {"long": self.long + amount} if side == Side.BUY else {"short": self.short + amount}
        return msgspec.structs.replace(self, **held).checked()

    def transferred(self, amount: int) -> Account:
        """Return the account after an amount has moved from the short side to the long one."""
        after = Account(moved=self.moved + amount, long=self.long + amount, short=self.short - amount)
        return after.checked()

    def checked(self) -> Account:
        """Return the account. Raises Refused (`amount_overflow`) for one that 64 bits do not hold."""
        most = max(map(abs, (self.moved, self.long, self.short)))
        if most > AMOUNT_MAX:
            raise Refused(
                "amount_overflow", f"{most} cents are more than 64 bits hold", "Divide the contract."
            )
        return self


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """What a side has to post to be back at its initial margin, in cents."""

    side: Side
    amount: int


class MarginDay(msgspec.Struct, frozen=True, kw_only=True):
    """One day of a contract: prices in 10⁻⁶ USD per million tokens, amounts in cents to the long side.

    due : target less what had moved · moved : what moved on the day · account : after it, before calls are paid
    """

    day: int
    mark: int
    settlement_price: int
    target: int
    due: int
    moved: int
    account: Account
    calls: tuple[Call, ...]


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    """How a contract ends, in cents. price : at which · value : of the whole contract to the long side

    open : value less what had moved · paid : of it, out of the payer's collateral · claim : what the debtor still owes,
    the side whose collateral was not enough, be it by what had moved before
    to_long, to_short : what each side gets of the collateral there is, all of it
    """

    price: int
    value: int
    open: int
    payer: Side | None
    paid: int
    debtor: Side | None
    claim: int
    to_long: int
    to_short: int


def moves_of(history: Mapping[int, int], day: int, rules: Specification) -> tuple[int, ...]:
    """Return the sizes of the moves over `move_days` that end in the last `history_days` up to a day, sorted.

    history : values by day, 10⁻⁶ USD per million tokens; a move counts where both of its days have one
    """
    ends = range(day - rules.history_days + 1, day + 1)
    return tuple(
        sorted(
            abs(history[end] - history[end - rules.move_days])
            for end in ends
            if end in history and end - rules.move_days in history
        )
    )


def initial_margin(price: int, quantity: int, moves: Sequence[int], rules: Specification) -> int:
    """Return the initial margin of each side in cents. moves : of `moves_of`

    The floor, or `initial_moves` times the element ⌈quantile · n⌉ of the moves; a fixed share where they are few.
    """
    notional = Fraction(price * quantity)
    if len(moves) < rules.moves_min:
        return _cents(rules.unknown_share * notional)
    place = -(-rules.quantile.numerator * len(moves) // rules.quantile.denominator)
    worst = rules.initial_moves * moves[place - 1] * quantity
    return _cents(max(rules.initial_share * notional, worst))


def maintenance_margin(initial: int, rules: Specification) -> int:
    """Return the maintenance margin in cents."""
    share = rules.maintenance_share
    return half_even(initial * share.numerator, share.denominator)


def margin_day(
    account: Account,
    exposure: Exposure,
    day: int,
    marks: Mapping[int, int],
    *,
    claimed: Mapping[int, int] | None = None,
    final: bool = False,
) -> MarginDay:
    """Return a day of a contract: what is due, what moves, who is called.

    marks : values by day · claimed : of those that are disputed, the number that whoever disputes holds to be right;
    then only what both numbers agree on moves · final : the last amount, which moves whatever its size
    Raises Refused (`mark_missing`) where the day, or one before it in the window, has no value.
    """
    price = exposure.window.settlement_price(day, marks)
    target = exposure.target(price)
    due = movable = target - account.moved
    if claimed:
        own = exposure.window.settlement_price(day, {**marks, **claimed})
        movable = undisputed(due, exposure.target(own) - account.moved)
    moved = movable if final or abs(movable) >= exposure.transfer_min else 0
    after = account.transferred(moved)
    return MarginDay(
        day=day,
        mark=marks[day],
        settlement_price=price,
        target=target,
        due=due,
        moved=moved,
        account=after,
        calls=() if final else _calls(after, exposure, movable - moved),
    )


def _calls(account: Account, exposure: Exposure, unmoved: int) -> tuple[Call, ...]:
    """Return whose equity is below maintenance margin, and what restores the initial margin."""
    equity = {Side.BUY: account.long + unmoved, Side.SELL: account.short - unmoved}
    return tuple(
        Call(side=side, amount=exposure.initial_margin - held)
        for side, held in equity.items()
        if held < exposure.maintenance_margin
    )


def undisputed(due: int, own_due: int) -> int:
    """Return what moves although a mark is disputed: the part that both numbers agree on.

    >>> undisputed(500, 300), undisputed(-500, -900), undisputed(500, -100)
    (300, -500, 0)
    """
    if (due > 0) != (own_due > 0):
        return 0
    return min(due, own_due, key=abs)


def close(account: Account, exposure: Exposure, settlement_price: int) -> Closing:
    """Return how a contract ends at a price: at maturity, in default or by agreement. Every cent goes to one side."""
    value = exposure.target(settlement_price)
    left = value - account.moved
    long, short = account.long + left, account.short - left
    claim = max(0, -long, -short)
    debtor = Side.BUY if long < 0 else Side.SELL if short < 0 else None
    payer = None if left == 0 else Side.SELL if left > 0 else Side.BUY
    return Closing(
        price=settlement_price,
        value=value,
        open=left,
        payer=payer,
        paid=max(0, abs(left) - claim) if payer == debtor else abs(left),
        debtor=debtor,
        claim=claim,
        to_long=max(0, min(long, long + short)),
        to_short=max(0, min(short, long + short)),
    )


def _cents(units: Fraction) -> int:
    cents = units / _UNITS_PER_CENT
    return half_even(cents.numerator, cents.denominator)
