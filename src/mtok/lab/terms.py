"""What is replayed: a window, a trade and its size, checked against the history and the contract specification."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import msgspec

from mtok.calendar import format_date
from mtok.errors import AnswerIsNo, BadCall
from mtok.lab.history import History, span_text
from mtok.market.months import first_day, month_of
from mtok.settlement.specification import Specification
from mtok.settlement.values import Window, price_text

WINDOW_DAYS_MAX: Final = 366
BEFORE_DAYS_MAX: Final = 366
"""Days from the trade to the window."""

MULTIPLIER_MAX: Final = 1_000_000
"""Million tokens a lot: with the most lots at the highest price an amount still fits 64 bits."""

LOTS: Final = 25
LATEST_DAYS: Final = 30


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """A window and a trade. traded : the first day that is marked · price : 10⁻⁶ USD per million output tokens

    multiplier : million tokens a lot · initial_share : of the notional amount, in place of the specification's margin
    """

    first: int
    last: int
    traded: int
    price: int
    lots: int
    multiplier: int
    initial_share: Fraction | None = None

    @classmethod
    def of(
        cls,
        history: History,
        first: int,
        last: int,
        rules: Specification,
        *,
        traded: int | None = None,
        price: int | None = None,
        lots: int | None = None,
        multiplier: int | None = None,
        initial_share: Fraction | None = None,
    ) -> Terms:
        """Return the terms, with what was not given. price : without one the last value before the trade.

        Raises BadCall for what is out of range, AnswerIsNo where the history cannot say.
        """
        lots = LOTS if lots is None else lots
        multiplier = rules.multiplier if multiplier is None else multiplier
        _refuse_outside("lots", lots, rules.lots_min, rules.lots_max, "lots")
        _refuse_outside("multiplier", multiplier, 1, MULTIPLIER_MAX, "million tokens a lot")
        if initial_share is not None and not 0 < initial_share <= 1:
            raise BadCall(
                "initial_share_invalid",
                f"an initial margin of {initial_share} of the notional amount",
                "Give more than 0 and at most all of it, such as 1/10 or 10%.",
            )
        traded = first if traded is None else traded
        _refuse_window(history, first, last, traded)
        return cls(
            first=first,
            last=last,
            traded=traded,
            price=_price(history, traded, price, rules),
            lots=lots,
            multiplier=multiplier,
            initial_share=initial_share,
        )

    @property
    def window(self) -> Window:
        """The window of a contract on the average."""
        return Window(first=self.first, last=self.last)

    @property
    def quantity(self) -> int:
        """Million tokens."""
        return self.lots * self.multiplier


def latest_window(history: History) -> tuple[int, int, bool]:
    """Return first and last day of the last whole calendar month that is published, and True; else of the last days."""
    month = month_of(history.last + 1) - 1
    first, last = first_day(month), first_day(month + 1) - 1
    if first >= history.first:
        return first, last, True
    return max(history.last - LATEST_DAYS + 1, history.first), history.last, False


def _refuse_outside(what: str, asked: int, least: int, most: int, unit: str) -> None:
    if not least <= asked <= most:
        raise BadCall(
            "size_out_of_range", f"--{what} {asked}", f"Give {least:,} to {most:,} {unit}, a whole number."
        )


def _refuse_window(history: History, first: int, last: int, traded: int) -> None:
    asked = f"{format_date(first)} to {format_date(last)}"
    if first > last:
        raise BadCall("dates_out_of_order", f"a window from {asked}", "Give the earlier date first.")
    if last - first >= WINDOW_DAYS_MAX:
        raise BadCall(
            "window_too_long",
            f"a window of {last - first + 1} days, {asked}",
            f"Give {WINDOW_DAYS_MAX} days at most.",
        )
    if not first - BEFORE_DAYS_MAX <= traded <= first:
        raise BadCall(
            "trade_date_invalid",
            f"a trade of {format_date(traded)} with a window from {format_date(first)}",
            f"Give the first day of the window, or one at most {BEFORE_DAYS_MAX} days before it.",
        )
    if traded < history.first or last > history.last:
        days = asked if traded == first else f"{asked}, marked from {format_date(traded)}"
        raise AnswerIsNo(
            "window_unpublished",
            f"{days}: {history.reference} is published from {span_text(history)}",
            "Give a window within these days; a day that is not over settles nothing.",
        )
    if not any(day in history.values for day in range(first, last + 1)):
        raise AnswerIsNo(
            "window_empty",
            f"{history.reference} has no value on any day of {asked}",
            f"Give other days; {_days_with_values(history)}.",
        )


def _price(history: History, traded: int, price: int | None, rules: Specification) -> int:
    if price is not None:
        if not 0 < price <= rules.price_max:
            raise BadCall(
                "price_out_of_range",
                f"--price {price_text(price)}",
                f"Give more than 0 and at most {price_text(rules.price_max)} USD per million output tokens.",
            )
        return price
    before = history.last_before(traded)
    if before is None:
        raise AnswerIsNo(
            "price_missing",
            f"{history.reference} has no value before {format_date(traded)} to trade at",
            "Give --price, USD per million output tokens, or a later window.",
        )
    return history.values[before]


def _days_with_values(history: History) -> str:
    return f"it has values from {format_date(min(history.values))} to {format_date(max(history.values))}"
