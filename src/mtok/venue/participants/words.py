"""States, sides and months as people read them. One sentence a state; nothing here knows of anybody else's request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mtok.market.margin import Side
from mtok.market.months import month_text

_MONTHS: Final = (
    "January February March April May June July August September October November December".split()
)

REQUEST_STATES: Final[Mapping[str, str]] = {
    "draft": "Not sent yet.",
    "submitted": "With the desk, which looks at it before it takes part in runs.",
    "live": "Takes part in every run it is firm in.",
    "paused": "Takes part in no run until it is resumed.",
    "rejected": "The desk did not take it.",
    "cancelled": "Withdrawn. What stands in terms stays there until they end.",
    "expired": "Its time is over.",
    "filled": "All of it stands in contracts.",
    "suspended": "Taken out of the market by two people of the venue.",
}
TERMS_STATES: Final[Mapping[str, str]] = {
    "terms": "To be approved or declined by your side.",
    "declined": "Your side declined them.",
    "lapsed": "Lapsed. The lots are free again.",
    "booked": "Both sides approved them: a contract.",
}
CONTRACT_STATES: Final[Mapping[str, str]] = {
    "booked": "Both sides owe their initial margin now; without it the contract is void.",
    "voided": "Void: the initial margin of a side did not come in time.",
    "active": "Margin is taken every day.",
    "disrupted": "A day has no mark of its own; the waterfall gives one meanwhile.",
    "final_pending": "Its last mark is locked; the last payment is due.",
    "settled": "Paid; the collateral goes back.",
    "closed": "Over: everything is paid and returned.",
    "default_notice": "A call was missed. It can be cured until the notice ends.",
    "closed_out": "Closed out after a default.",
    "terminated": "Ended before its time.",
}


def side_said(side: str) -> str:
    """Return what a side does.

    >>> side_said("buy")
    'You pay a fixed price'
    """
    return "You pay a fixed price" if side == Side.BUY else "You receive a fixed price"


def month_said(month: int) -> str:
    """Return a month as prose.

    >>> month_said(2026 * 12 + 7)
    'August 2026'
    """
    year, number = month_text(month).split("-")
    return f"{_MONTHS[int(number) - 1]} {year}"


def month_of_text(text: str) -> str:
    """Return a month YYYY-MM as prose."""
    year, number = text.split("-")
    return f"{_MONTHS[int(number) - 1]} {year}"
