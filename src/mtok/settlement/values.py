"""From the marks of a window to the value that is paid: integers in, one half-even rounding each.

A price is an integer of 10⁻⁶ USD per million tokens, an amount an integer of cents. A mark is never rounded again;
the mean of a window is, to 6 decimals; cash is, to cents, once, on the whole amount from the trade price on. Amounts
rounded day by day would drift from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

from mtok.calendar import format_date
from mtok.quantities import decimal_text, half_even
from mtok.settlement.machines import Refused

PRICE_PLACES: Final = 6
_UNITS_PER_CENT: Final = 10**4
AMOUNT_MAX: Final = 2**63 - 1
"""Cents: what a ledger holds in 64 bits."""


class Style(StrEnum):
    """What a contract settles to: the mean of the marks of its window, or the last of them."""

    AVERAGE = "average"
    LAST = "last"


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """The days a contract looks at, first and last included, and what it makes of their marks."""

    first: int
    last: int
    style: Style = Style.AVERAGE

    @property
    def days(self) -> range:
        """Every day of it."""
        return range(self.first, self.last + 1)

    def settlement_price(self, day: int, marks: Mapping[int, int]) -> int:
        """Return the daily settlement price of a day: its mark, in the window the mean if every later mark were that.

        marks : by day. On the last day this is the final value, so that nothing jumps. Raises Refused (`mark_missing`)
        where the mark of the day or of an earlier day of the window is not there.
        """
        self._refuse_missing([*range(self.first, day), day], marks)
        if self.style == Style.LAST or day < self.first:
            return marks[day]
        ahead = self.last - day
        total = sum(marks[one] for one in range(self.first, day + 1)) + ahead * marks[day]
        return half_even(total, len(self.days))

    def final_value(self, marks: Mapping[int, int]) -> int:
        """Return the final settlement value. Raises Refused (`mark_missing`) unless every day of the window has one."""
        self._refuse_missing(self.days, marks)
        if self.style == Style.LAST:
            return marks[self.last]
        return half_even(sum(marks[day] for day in self.days), len(self.days))

    def _refuse_missing(self, days: range | list[int], marks: Mapping[int, int]) -> None:
        missing = [format_date(day) for day in days if day not in marks]
        if missing:
            raise Refused(
                "mark_missing",
                f"no usable mark of {', '.join(missing[:5])}{' and others' if len(missing) > 5 else ''}",
                "Approve one, or let the waterfall give one; no day of a window is dropped.",
            )


def cash(change: int, quantity: int) -> int:
    """Return an amount in cents: a price change in 10⁻⁶ USD per million tokens, times million tokens, half-even.

    Raises Refused (`amount_overflow`) beyond 64 bits.

    >>> [cash(change, 1) for change in (5_000, 15_000, 2_675_000, -5_000)]
    [0, 2, 268, 0]
    """
    cents = half_even(change * quantity, _UNITS_PER_CENT)
    if abs(cents) > AMOUNT_MAX:
        raise Refused("amount_overflow", f"{cents} cents are more than 64 bits hold", "Divide the contract.")
    return cents


def price_text(units: int) -> str:
    """Return a price with its 6 decimals.

    >>> price_text(12_640_247)
    '12.640247'
    """
    return decimal_text(units, PRICE_PLACES)


def price_units(text: str) -> int:
    """Return a published value as an integer of 10⁻⁶ USD per million tokens. Raises ValueError for any other text.

    >>> price_units("12.640247")
    12640247
    """
    whole, _, fraction = text.partition(".")
    if not (whole.isascii() and whole.isdigit() and fraction.isdigit() and len(fraction) == PRICE_PLACES):
        raise ValueError(f"not a value with {PRICE_PLACES} decimals: {text!r}")
    return int(whole + fraction)


def amount_text(cents: int) -> str:
    """Return an amount in USD with its cents.

    >>> amount_text(-49_000)
    '-490.00'
    """
    return decimal_text(cents, 2)
