"""The core's objects as rows and back: the record whole, and the columns that are read out of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from mtok.canonical import sha256_hex
from mtok.market.book import CONTRACT, PROPOSAL, REQUEST
from mtok.market.contracts import Contract, Marked
from mtok.market.proposals import Proposal
from mtok.market.requests import Request
from mtok.settlement import marks
from mtok.settlement.marks import Mark
from mtok.venue.database.models import ContractRow, MarkRow, ProposalRow, RequestRow

MARK: Final = marks.MACHINE.name


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of object. of : its type · table : its model · columns : its columns beside id, state, version, record"""

    of: type[Any]
    table: type[Any]
    columns: Callable[[Any], dict[str, Any]]

    def read(self, record: str) -> Any:
        """Return the object of a record."""
        return msgspec.json.decode(record, type=self.of)


def _of_request(one: Request) -> dict[str, Any]:
    return {
        "party": one.party,
        "reference": one.reference,
        "lots": one.lots,
        "reserved": one.reserved,
        "filled": one.filled,
        "expires": one.expires,
    }


def _of_proposal(one: Proposal) -> dict[str, Any]:
    return {"buy_id": one.buy, "sell_id": one.sell, "run": one.run}


def _of_contract(one: Contract) -> dict[str, Any]:
    return {
        "buyer": one.buyer,
        "seller": one.seller,
        "reference": one.terms.reference,
        "methodology": one.terms.methodology,
        "booked_at": one.booked_at,
    }


def _of_mark(one: Mark) -> dict[str, Any]:
    return {
        "reference": one.reference,
        "methodology": one.methodology,
        "day": one.day,
        "mark_version": one.version,
        "preparer": one.preparer,
        "approver": one.approver,
        "log_index": one.log_index,
    }


KINDS: Final[Mapping[str, Kind]] = {
    REQUEST: Kind(of=Request, table=RequestRow, columns=_of_request),
    PROPOSAL: Kind(of=Proposal, table=ProposalRow, columns=_of_proposal),
    CONTRACT: Kind(of=Contract, table=ContractRow, columns=_of_contract),
    MARK: Kind(of=Mark, table=MarkRow, columns=_of_mark),
}
"""In the order in which new ones are written: what is referred to first."""


def kind_of(one: object) -> str:
    """Return the kind of an object."""
    return type(one).__name__.lower()


def record_of(one: object) -> str:
    """Return the record of an object: every field, in order."""
    return msgspec.json.encode(one).decode()


def details_of(details: object) -> str:
    """Return what a command said, as it is kept; which marks it rests on is in `mark_use`, here their digest."""
    return msgspec.json.encode(_plain(details)).decode()


def _plain(details: object) -> object:
    if isinstance(details, Mark):
        return {"reference": details.reference, "date": details.date, "version": details.version}
    if isinstance(details, Marked):
        return {"day": details.day, "reason": details.reason, "marks_sha256": _digest(details.marks)}
    if isinstance(details, msgspec.Struct):
        return {name: _plain(value) for name, value in msgspec.structs.asdict(details).items()}
    if isinstance(details, tuple):
        return [_plain(one) for one in details]
    return details


def _digest(rested_on: Iterable[Mark]) -> str:
    """Return the digest of which marks these are, each in its state."""
    lines = sorted(
        f"{one.reference} {one.methodology} {one.date} {one.version} {one.state}" for one in rested_on
    )
    return sha256_hex("\n".join(lines).encode())
