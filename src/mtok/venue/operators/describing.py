"""Objects of the market in the words of operators' pages: every field that the reveal table gives, and no other.

A field without words here is our own mistake; so whoever adds one to the table says how it is read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mtok.calendar import format_date, format_instant
from mtok.market.contracts import OpenCall
from mtok.market.margin import Account, Closing
from mtok.market.months import month_text
from mtok.market.terms import Approval
from mtok.settlement.values import price_text
from mtok.wording.figures import MINUS, counted, day_text, instant_text


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A line of an object. is_code : a digest or an id"""

    label: str
    text: str
    is_code: bool = False


def usd(cents: int) -> str:
    """Return an amount in USD, exactly, with thousands separators and a true minus.

    >>> usd(925_920), usd(-49_000)
    ('9,259.20', '−490.00')
    """
    whole, rest = divmod(abs(cents), 100)
    return f"{MINUS if cents < 0 else ''}{whole:,}.{rest:02d}"


def price(units: int) -> str:
    """Return a price with its six decimals and its unit."""
    return f"{price_text(units)} USD per Mtok"


def instant(at: int) -> str:
    """Return an instant as prose."""
    return instant_text(format_instant(at))


def day(number: int) -> str:
    """Return a day as prose."""
    return day_text(format_date(number))


def side(name: str) -> str:
    """Return what a side does, in words."""
    return {"buy": "buyer, pays the fixed price", "sell": "seller, receives the fixed price"}[name]


def state(name: str) -> str:
    """Return a state in words."""
    return _STATES.get(name, name.replace("_", " "))


def command(name: str) -> str:
    """Return in words what a command does."""
    return _COMMANDS.get(name, name.replace("_", " "))


def facts(shown: Mapping[str, Any], *, without: Iterable[str] = ()) -> list[Fact]:
    """Return the lines of an object as a viewer sees it; none of what is not there."""
    left_out = set(without)
    return [
        Fact(label=label, text=read(shown[name]), is_code=name in _CODES)
        for name, (label, read) in _FIELDS.items()
        if name in shown and name not in left_out and shown[name] not in (None, (), "")
    ]


def terms_facts(canonical: str) -> list[Fact]:
    """Return the lines of canonical terms, as they are written."""
    return [
        Fact(label=name.replace("_", " "), text=str(value), is_code=len(str(value)) == _DIGEST_CHARS)
        for name, value in json.loads(canonical).items()
    ]


def _lots(count: int) -> str:
    return counted(count, "lot")


def _account(one: Account) -> str:
    return f"collateral: buyer {usd(one.long)}, seller {usd(one.short)}; moved to the buyer so far {usd(one.moved)} USD"


def _calls(calls: Iterable[OpenCall]) -> str:
    return "; ".join(f"{one.side}er {usd(one.amount)} USD, due {instant(one.due)}" for one in calls)


def closing_words(one: Closing) -> str:
    """Return how a contract ends, in a sentence or three."""
    said = f"At {price(one.price)} the contract is worth {usd(one.value)} USD to the buyer."
    if one.payer is None:
        said += " Nothing was left to be paid."
    else:
        said += f" The {one.payer}er owes the last {usd(abs(one.open))} USD of it;"
        said += f" {usd(one.paid)} USD come out of collateral."
    if one.debtor is not None:
        said += (
            f" The collateral is not enough: the {one.debtor}er still owes {usd(one.claim)} USD, as a claim."
        )
    return f"{said} Of the collateral {usd(one.to_long)} USD go to the buyer and {usd(one.to_short)} USD to the seller."


def _agreed(values: Iterable[tuple[int, int]]) -> str:
    return "; ".join(f"{day(one)}: {price(value)}" for one, value in values)


def _approvals(approvals: Iterable[Approval]) -> str:
    return "; ".join(f"{one.party}, person {one.person}, {instant(one.at)}" for one in approvals)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def terms_line(canonical: str) -> str:
    """Return the terms of a contract in a line."""
    terms = json.loads(canonical)
    quantity = f"{int(terms['lots']):,} lots ({int(terms['quantity_mtok']):,} Mtok)"
    return f"{terms['reference']}, {terms['maturity']}: {quantity} at {terms['price']} USD per Mtok."


_DIGEST_CHARS: Final = 64

_STATES: Final = {
    "one_approved": "approved by one side",
    "default_notice": "under notice of default",
    "final_pending": "waiting for its last payment",
}
_COMMANDS: Final = {
    "notice": "give notice of default",
    "cure": "go on after a default that is cured",
    "close_out": "close out",
    "end": "end at the last locked mark",
}
_CODES: Final = frozenset({"id", "party", "buy", "sell", "buyer", "seller", "terms_sha256"})

_FIELDS: Final[Mapping[str, tuple[str, Callable[[Any], str]]]] = {
    "state": ("State", state),
    "id": ("Id", str),
    "party": ("Party", str),
    "buyer": ("Buyer", str),
    "seller": ("Seller", str),
    "buy": ("Buyer’s request", str),
    "sell": ("Seller’s request", str),
    "reference": ("Reference", str),
    "methodology": ("Methodology", str),
    "side": ("Side", side),
    "style": (
        "Settles on",
        lambda style: {"average": "the average of the month", "last": "its last day"}[style],
    ),
    "asked": ("Size asked for", _lots),
    "lots": ("Size", _lots),
    "price": ("Price", price),
    "filled": ("Filled", _lots),
    "reserved": ("Reserved by proposals", _lots),
    "min_lots": ("Minimum", _lots),
    "tail": ("A smaller rest may remain", _yes),
    "limit": ("Limit", price),
    "maturity": ("Month", month_text),
    "tolerance": ("Tolerance", lambda months: counted(months, "month")),
    "run": ("Run", instant),
    "accepted_at": ("Accepted", instant),
    "expires": ("Expires", instant),
    "reason": ("Reason", str),
    "terms_sha256": ("Digest of the terms", str),
    "account": ("Account", _account),
    "calls": ("Calls not paid", _calls),
    "noticed_at": ("Notice of default", instant),
    "agreed": ("Agreed values", _agreed),
    "closing": ("End", closing_words),
    "approvals": ("Approvals", _approvals),
}
"""Every field of the reveal table for operators that is one line; terms and margin days are tables of their own."""
