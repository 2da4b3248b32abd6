"""Terms: what two parties approve, to the byte. An approval is of their digest and lapses with any change."""

from __future__ import annotations

from functools import cached_property

import msgspec

from mtok.calendar import format_date, format_instant
from mtok.canonical import canonical_bytes, sha256_hex
from mtok.market.margin import Exposure
from mtok.market.months import month_text, window_of
from mtok.settlement.values import Style, amount_text, price_text


class Terms(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """The terms of a contract. price : 10⁻⁶ USD per million tokens · initial_margin : cents, of each side

    buyer, seller : commitments to their names (`mtok.market.parties`) · end : first instant of no approval any more
    revision : 0, and one more with each amendment · specification_sha256 : everything that is not said here
    """

    proposal: str
    revision: int
    end: int
    reference: str
    methodology: str
    style: Style
    maturity: int
    lots: int
    price: int
    initial_margin: int
    maintenance_margin: int
    buyer: str
    seller: str
    buyer_class: str
    seller_class: str
    multiplier: int
    transfer_min: int
    payment_days: int
    unit: str
    currency: str
    specification: str
    specification_sha256: str

    @property
    def exposure(self) -> Exposure:
        """What is to be margined and settled."""
        return Exposure(
            price=self.price,
            quantity=self.lots * self.multiplier,
            window=window_of(self.maturity, self.style),
            initial_margin=self.initial_margin,
            maintenance_margin=self.maintenance_margin,
            transfer_min=self.transfer_min,
        )

    @cached_property
    def canonical(self) -> bytes:
        """The terms as canonical JSON: what both sides are shown, and what they approve."""
        window = window_of(self.maturity, self.style)
        return canonical_bytes(
            {
                "type": "terms",
                "proposal": self.proposal,
                "revision": self.revision,
                "approve_before": format_instant(self.end),
                "reference": self.reference,
                "methodology": self.methodology,
                "unit": self.unit,
                "settlement": self.style,
                "maturity": month_text(self.maturity),
                "first_date": format_date(window.first),
                "last_date": format_date(window.last),
                "price": price_text(self.price),
                "lots": self.lots,
                "multiplier": self.multiplier,
                "quantity_mtok": self.lots * self.multiplier,
                "currency": self.currency,
                "initial_margin": amount_text(self.initial_margin),
                "maintenance_margin": amount_text(self.maintenance_margin),
                "transfer_min": amount_text(self.transfer_min),
                "payment_days": self.payment_days,
                "buyer": self.buyer,
                "seller": self.seller,
                "buyer_class": self.buyer_class,
                "seller_class": self.seller_class,
                "specification": self.specification,
                "specification_sha256": self.specification_sha256,
            }
        )

    @cached_property
    def sha256(self) -> str:
        """The digest that approvals name."""
        return sha256_hex(self.canonical)


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """A person has approved a digest for a party."""

    party: str
    person: str
    sha256: str
    at: int
