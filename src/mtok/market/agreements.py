"""What both parties of one contract agree on beyond its terms: a value of a day (F4), or a price to end at."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from mtok.calendar import format_date
from mtok.canonical import canonical_bytes, sha256_hex
from mtok.market.commands import Command
from mtok.settlement.guards import refuse_without_step_up
from mtok.settlement.machines import Refused
from mtok.settlement.marks import Mark
from mtok.settlement.people import Actor
from mtok.settlement.values import price_text

if TYPE_CHECKING:
    from mtok.market.book import Book
    from mtok.market.contracts import Contract


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """What the parties of one contract agree: a value of a day (F4), or the price to end at. 10⁻⁶ USD per million

    day : None for a price to end at
    """

    contract: str
    terms_sha256: str
    value: int
    day: int | None = None

    @property
    def sha256(self) -> str:
        """The digest both sides approve."""
        day = None if self.day is None else format_date(self.day)
        return sha256_hex(
            canonical_bytes(
                {
                    "type": "agreement",
                    "contract": self.contract,
                    "terms_sha256": self.terms_sha256,
                    "value": price_text(self.value),
                    "date": day,
                }
            )
        )


class Agreed(msgspec.Struct, frozen=True, kw_only=True):
    """An agreement, and the digests that the two persons have read. marks : that there are, of a day to agree on"""

    agreement: Agreement
    first_sha256: str
    second_sha256: str
    marks: tuple[Mark, ...] = ()


def agreed_by_both(book: Book, contract: Contract, command: Command, persons: Iterable[Actor]) -> Agreement:
    """Return what one person of each side has approved, both the very same.

    Raises Refused: `not_asked`, `step_up`, `digest_stale`, `value_invalid`.
    """
    agreed, both = command.given(Agreed), tuple(persons)
    if {one.party for one in both} != {contract.buyer, contract.seller}:
        raise Refused("not_asked", "it takes a person of each side", "Ask the other side.")
    for one in both:
        refuse_without_step_up(one, command.at, book.rules)
    said = agreed.agreement
    of_this = (said.contract, said.terms_sha256) == (contract.id, contract.terms.sha256)
    if not of_this or {agreed.first_sha256, agreed.second_sha256} != {said.sha256}:
        raise Refused("digest_stale", "the two have not approved this agreement", "Read it again.")
    if not 0 < said.value <= book.rules.price_max:
        raise Refused("value_invalid", f"{price_text(said.value)} is no price", "Agree on one above 0.")
    return said
