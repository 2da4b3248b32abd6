"""The confirmation of a contract: what was agreed, by whom and when, for both parties to keep and to recompute.

It embeds the terms that both have approved, so that their digest follows from it, and opens the commitments to the two
names. No person is in it: an approval is of a party.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from mtok.calendar import format_date, format_instant
from mtok.canonical import canonical_bytes
from mtok.market.contracts import Contract
from mtok.market.parties import Opening, commitment
from mtok.market.terms import Terms
from mtok.settlement.marks import Level
from mtok.settlement.values import PRICE_PLACES, Style, Window

PRODUCT: Final = "cash-settled OTC contract"
_WATERFALL: Final = "docs/settlement.md#the-waterfall"

Openings = tuple[Opening, Opening]
"""What opens the commitments of terms: the buyer's and the seller's."""


def confirmation(contract: Contract, openings: Openings, *, is_paper: bool) -> dict[str, Any]:
    """Return the confirmation of a booked contract, ready for canonical JSON.

    openings : of the proposal · is_paper : whether the venue only writes down what would be paid
    """
    terms, window = contract.terms, contract.terms.exposure.window
    return {
        "type": "confirmation",
        "trade_id": contract.id,
        "product": PRODUCT,
        "paper": is_paper,
        "booked_at": format_instant(contract.booked_at),
        **names(terms, openings),
        "terms": msgspec.json.decode(terms.canonical),
        "terms_sha256": terms.sha256,
        "approvals": _approvals(contract),
        "first_date": format_date(window.first),
        "last_date": format_date(window.last),
        "final_settlement_value": _averaging(window),
        "payment": _payment(terms),
        "specification": terms.specification,
        "specification_sha256": terms.specification_sha256,
        "disruption": {"levels": list(Level), "rules": _WATERFALL, "limits": "specification"},
    }


def confirmation_bytes(contract: Contract, openings: Openings, *, is_paper: bool) -> bytes:
    """Return the confirmation as canonical JSON."""
    return canonical_bytes(confirmation(contract, openings, is_paper=is_paper))


def names(terms: Terms, openings: Openings) -> dict[str, dict[str, str]]:
    """Return who buyer and seller are, with what opens their commitments; openings of others are our own mistake."""
    found = {}
    for side, committed, opening in zip(
        ("buyer", "seller"), (terms.buyer, terms.seller), openings, strict=True
    ):
        assert commitment(opening) == committed, (
            f"what opens the {side} of {terms.proposal} is of somebody else"
        )
        found[side] = {
            "legal_name": opening.legal_name,
            "lei": opening.lei,
            "nonce": opening.nonce,
            "commitment": committed,
        }
    return found


def _approvals(contract: Contract) -> list[dict[str, str]]:
    by_party = {one.party: one for one in contract.approvals}
    sides = {"buyer": by_party[contract.buyer], "seller": by_party[contract.seller]}
    return [
        {"side": side, "terms_sha256": one.sha256, "approved_at": format_instant(one.at)}
        for side, one in sides.items()
    ]


def _averaging(window: Window) -> str:
    first, last = format_date(window.first), format_date(window.last)
    if window.style == Style.LAST:
        return f"The mark of {last}."
    return (
        f"The arithmetic mean of the marks of all {len(window.days)} UTC days from {first} to {last}, both included, "
        f"to {PRICE_PLACES} decimals, half-even. No day is left out."
    )


def _payment(terms: Terms) -> str:
    return (
        f"Final settlement value less price, times {terms.exposure.quantity} million tokens, in {terms.currency}, "
        "to the cent, half-even, once. The seller pays what is more than nothing, the buyer what is less. Variation "
        f"margin that has moved is part of it; the rest is paid {terms.payment_days} business days of the Federal "
        "Reserve banks (New York) after the day on which the last mark of the window is locked."
    )
