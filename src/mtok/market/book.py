"""All of a market in memory, and the one place where commands are given.

A book never changes: a command gives another book, or raises `Refused` and there is none. Whoever keeps objects
elsewhere loads those that a command concerns into a book, gives it, and saves what is new.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from mtok.calendar import day_of
from mtok.market import contracts, proposals, requests
from mtok.market.commands import Command
from mtok.market.contracts import Contract
from mtok.market.matching import Interest, Match, inputs_bytes, match, matches_bytes
from mtok.market.parties import Party
from mtok.market.proposals import Proposal, Sides
from mtok.market.references import Reference
from mtok.market.requests import Request
from mtok.settlement.business_days import deadline
from mtok.settlement.machines import NEW, Machine, Refused
from mtok.settlement.marks import Mark
from mtok.settlement.people import PARTICIPANTS, SYSTEM
from mtok.settlement.specification import Specification

Object = Request | Proposal | Contract

REQUEST: Final = requests.MACHINE.name
PROPOSAL: Final = proposals.MACHINE.name
CONTRACT: Final = contracts.MACHINE.name

MACHINES: Final[Mapping[str, Machine]] = {
    one.name: one for one in (requests.MACHINE, proposals.MACHINE, contracts.MACHINE)
}
_EFFECTS: Final[Mapping[str, Mapping[str, Callable[[Any, Any, Command], Any]]]] = {
    REQUEST: requests.EFFECTS,
    PROPOSAL: proposals.EFFECTS,
    CONTRACT: contracts.EFFECTS,
}


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """Parties, references, and every object of the market, each by its id."""

    rules: Specification
    parties: dict[str, Party]
    references: dict[str, Reference]
    requests: dict[str, Request] = {}
    proposals: dict[str, Proposal] = {}
    contracts: dict[str, Contract] = {}

    def find(self, kind: str, identity: str) -> Object | None:
        """Return an object, None where there is none."""
        objects: Mapping[str, Object] = getattr(self, f"{kind}s")
        return objects.get(identity)

    def sides(self, proposal: Proposal) -> Sides:
        """Return both requests of a proposal and their parties."""
        buy, sell = self.requests[proposal.buy], self.requests[proposal.sell]
        return Sides(buy=buy, sell=sell, buyer=self.parties[buy.party], seller=self.parties[sell.party])

    def owners(self, found: Object) -> frozenset[str]:
        """Return the parties that may know of an object: of a proposal nobody before it has terms."""
        match found:
            case Request():
                return frozenset({found.party})
            case Proposal():
                sides = self.sides(found)
                return frozenset({sides.buyer.id, sides.seller.id} if found.terms else ())
            case Contract():
                return frozenset({found.buyer, found.seller})

    def replaced(self, *changed: Object) -> Book:
        """Return the book with objects in the place of those that had their ids."""
        kinds = {kind: dict(getattr(self, f"{kind}s")) for kind in MACHINES}
        for one in changed:
            kinds[type(one).__name__.lower()][one.id] = one
        return msgspec.structs.replace(self, **{f"{kind}s": objects for kind, objects in kinds.items()})


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What a run did: the bytes that are logged before it and after it, and its matches."""

    at: int
    inputs: bytes
    outputs: bytes
    matches: tuple[Match, ...]


def apply(book: Book, command: Command) -> Book:
    """Return the book after a command, and after all that was due before it.

    Whatever the table of the object does not list is refused, and so is what its guard does not allow. With the second
    approval the contract is booked in the same step. Raises Refused: `not_found` for what is missing or not theirs, and
    what the effects say.
    """
    return _given(advance(book, command.at), command)


def _given(book: Book, command: Command) -> Book:
    found = _known(book, command)
    state = NEW if found is None else found.state
    row = MACHINES[command.kind].step(state, command.command, command.actor)
    subject, *others = _EFFECTS[command.kind][command.command](book, found, command)
    after = book.replaced(msgspec.structs.replace(subject, state=row.next()), *others)
    if (command.kind, row.next()) == (PROPOSAL, "both_approved"):
        return _given(after, msgspec.structs.replace(command, command="book", actor=SYSTEM, details=None))
    return after


def _known(book: Book, command: Command) -> Object | None:
    """Return the object of a command, None where it makes one. What is not theirs is to participants as if missing."""
    found = book.find(command.kind, command.id)
    if found is None and MACHINES[command.kind].has(NEW, command.command):
        return None
    is_hidden = command.actor.role in PARTICIPANTS and found and command.actor.party not in book.owners(found)
    if found is None or is_hidden:
        raise Refused("not_found", f"there is no {command.kind} {command.id}", "See the list of yours.")
    return found


def interests(book: Book, at: int) -> list[Interest]:
    """Return the firm requests of a run as it sees them (C8, C9, C10)."""
    firm = [
        one
        for one in book.requests.values()
        if one.is_firm(at) and book.parties[one.party].may_trade(day_of(at))
    ]
    parties = {one.party: book.parties[one.party] for one in firm}
    refuses = {
        name: tuple(sorted(other.id for other in parties.values() if party.refuses(other)))
        for name, party in parties.items()
    }
    return [_interest(one, parties[one.party].group, refuses[one.party]) for one in firm]


def run(book: Book, at: int, identities: Iterator[str]) -> tuple[Book, Run]:
    """Return the book after a run, its matches reserved as candidates. identities : new ids, made by the caller"""
    book = advance(book, at)
    taking_part = interests(book, at)
    marks = {name: one.mark for name, one in book.references.items() if one.mark is not None}
    matches = match(taking_part, marks)
    book = book.replaced(*(requests.took_part(book.requests[one.id], at) for one in taking_part))
    for found in matches:
        candidate = Command(
            kind=PROPOSAL, command="match", id=next(identities), actor=SYSTEM, at=at, details=found
        )
        book = _given(book, candidate)
    done = Run(
        at=at,
        inputs=inputs_bytes(taking_part, marks),
        outputs=matches_bytes(matches),
        matches=tuple(matches),
    )
    return book, done


def margin_run(book: Book, marks: Iterable[Mark], day: int, at: int) -> tuple[Book, dict[str, Refused]]:
    """Return the book after the margin of a day of every contract that has any, and why some have none.

    One that is refused, for want of a mark or because its day is taken already, costs no other one. So the same again
    takes what is left.
    """
    book = advance(book, at)
    by_reference: dict[tuple[str, str], list[Mark]] = defaultdict(list)
    for mark in marks:
        by_reference[mark.reference, mark.methodology].append(mark)
    values = {key: contracts.margin_values(own) for key, own in by_reference.items()}
    taken: list[Contract] = []
    refused: dict[str, Refused] = {}
    for contract in book.contracts.values():
        if contract.state in contracts.RUNNING:
            key = contract.terms.reference, contract.terms.methodology
            try:
                taken.append(contracts.with_margin(contract, *values.get(key, ({}, {})), day, book.rules))
            except Refused as error:
                refused[contract.id] = error
    return book.replaced(*taken), refused


def advance(book: Book, now: int) -> Book:
    """Return the book after what happens because it is time: terms lapse, requests end, contracts become void."""
    for command in _due(book, now):
        book = _given(book, command)
    return book


def _due(book: Book, now: int) -> Iterator[Command]:
    """Yield what is due, proposals first: what they free may expire in the same second."""

    def due(kind: str, command: str, identity: str) -> Command:
        return Command(kind=kind, command=command, id=identity, actor=SYSTEM, at=now)

    freed: dict[str, int] = {}
    for one in book.proposals.values():
        if one.state not in (*proposals.ENDED, "both_approved") and now >= proposals.lapses_at(
            one, book.rules
        ):
            freed |= {name: freed.get(name, 0) + one.lots for name in (one.buy, one.sell)}
            yield due(PROPOSAL, "lapse", one.id)
    for request in book.requests.values():
        held = request.reserved - freed.get(request.id, 0)
        if request.state in ("live", "paused") and not held:
            if not request.left + freed.get(request.id, 0):
                yield due(REQUEST, "fill", request.id)
            elif now >= request.expires:
                yield due(REQUEST, "expire", request.id)
    for contract in book.contracts.values():
        if contract.state == "booked" and now >= deadline(contract.booked_at, book.rules.posting_days):
            yield due(CONTRACT, "void", contract.id)


def _interest(request: Request, group: str, refuses: tuple[str, ...]) -> Interest:
    assert request.accepted_at is not None
    assert request.root is not None
    return Interest(
        id=request.id,
        party=request.party,
        group=group,
        reference=request.reference,
        methodology=request.methodology,
        style=request.style,
        side=request.side,
        lots=request.left,
        min_lots=request.min_lots,
        tail=request.tail,
        limit=request.limit,
        maturity=request.maturity,
        tolerance=request.tolerance,
        accepted_at=request.accepted_at,
        root=request.root,
        refuses=refuses,
    )
