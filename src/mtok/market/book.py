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
from mtok.settlement.guards import refuse_positions
from mtok.settlement.machines import NEW, Machine, Refused
from mtok.settlement.marks import Mark
from mtok.settlement.people import OPERATORS, PARTICIPANTS, SYSTEM, Actor
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

    def copied(self) -> Book:
        """Return a book of the same objects, in which others may take their places."""
        copies = {f"{kind}s": dict(getattr(self, f"{kind}s")) for kind in MACHINES}
        return msgspec.structs.replace(self, **copies)

    def put(self, *changed: Object) -> None:
        """Put objects in the place of those that had their ids; in a copy that nobody else has yet."""
        for one in changed:
            getattr(self, f"{type(one).__name__.lower()}s")[one.id] = one


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
    after = advance(book, command.at)
    _give(after, command)
    return after


def _give(book: Book, command: Command) -> None:
    """Give a command to a copy. Raises Refused; then the copy is worth nothing."""
    found = _known(book, command)
    state = NEW if found is None else found.state
    row = MACHINES[command.kind].step(state, command.command, command.actor, _told(found, command.actor))
    subject, *others = _EFFECTS[command.kind][command.command](book, found, command)
    book.put(msgspec.structs.replace(subject, state=row.next()), *others)
    if (command.kind, row.next()) == (PROPOSAL, "both_approved"):
        _give(book, msgspec.structs.replace(command, command="book", actor=SYSTEM, details=None))


def _known(book: Book, command: Command) -> Object | None:
    """Return the object of a command, None where it makes one.

    What is not theirs is to participants as if missing; who has no business with the kind hears nothing of any.
    """
    machine, found = MACHINES[command.kind], book.find(command.kind, command.id)
    if command.actor.role not in machine.roles:
        raise Refused("not_yours", f"{command.actor.role} has no business with a {command.kind}", "Leave it.")
    if command.actor.role in OPERATORS:
        refuse_positions(command.actor)
    is_hidden = command.actor.role in PARTICIPANTS and found and command.actor.party not in book.owners(found)
    if found and not is_hidden:
        return found
    if machine.has(NEW, command.command):
        machine.step(NEW, command.command, command.actor)
        if found is None:
            return None
    raise Refused("not_found", f"there is no {command.kind} {command.id}", "See the list of yours.")


def _told(found: Object | None, actor: Actor) -> str | None:
    """Return the state that an actor may be told, None for the state itself."""
    if isinstance(found, Proposal) and actor.role in PARTICIPANTS:
        return proposals.shown_state(found, actor.party)
    return None


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


def last_marks(book: Book, taking_part: Iterable[Interest]) -> dict[str, int]:
    """Return the last published mark of each reference of a run that has one."""
    named = {one.reference: book.references[one.reference].mark for one in taking_part}
    return {name: mark for name, mark in named.items() if mark is not None}


def run(book: Book, at: int, identities: Iterator[str]) -> tuple[Book, Run]:
    """Return the book after a run, its matches reserved as candidates. identities : new ids, made by the caller"""
    after = advance(book, at)
    taking_part = interests(after, at)
    marks = last_marks(after, taking_part)
    matches = match(taking_part, marks)
    after.put(*(requests.took_part(after.requests[one.id], at) for one in taking_part))
    for found in matches:
        _give(after, _by_itself(PROPOSAL, "match", next(identities), at, found))
    inputs, outputs = inputs_bytes(taking_part, marks), matches_bytes(matches)
    return after, Run(at=at, inputs=inputs, outputs=outputs, matches=tuple(matches))


def margin_run(book: Book, marks: Iterable[Mark], day: int, at: int) -> tuple[Book, dict[str, Refused]]:
    """Return the book after the margin of a day of every contract that has any, and why some have none.

    One that is refused, for want of a mark or because its day is taken already, costs no other one. So the same again
    takes what is left.
    """
    after = advance(book, at)
    by_reference: dict[tuple[str, str], list[Mark]] = defaultdict(list)
    for mark in marks:
        by_reference[mark.reference, mark.methodology].append(mark)
    values = {key: contracts.margin_values(own) for key, own in by_reference.items()}
    refused: dict[str, Refused] = {}
    for contract in after.contracts.values():
        if contract.state in contracts.RUNNING:
            key = contract.terms.reference, contract.terms.methodology
            try:
                after.put(contracts.with_margin(contract, *values.get(key, ({}, {})), day, book.rules))
            except Refused as error:
                refused[contract.id] = error
    return after, refused


def advance(book: Book, now: int) -> Book:
    """Return the book after what happens because it is time: terms lapse, requests end, contracts become void."""
    after = book.copied()
    for due in (_lapsing, _ending, _void):
        for command in list(due(after, now)):
            _give(after, command)
    return after


def _lapsing(book: Book, now: int) -> Iterator[Command]:
    for one in book.proposals.values():
        has_ended = one.state in proposals.ENDED
        if not has_ended and now >= proposals.lapses_at(one, book.rules):
            yield _by_itself(PROPOSAL, "lapse", one.id, now)


def _ending(book: Book, now: int) -> Iterator[Command]:
    """Yield what ends the requests that are due, once proposals that lapse have freed their lots."""
    for one in book.requests.values():
        if one.state in ("live", "paused") and not one.reserved:
            if not one.left:
                yield _by_itself(REQUEST, "fill", one.id, now)
            elif now >= one.expires:
                yield _by_itself(REQUEST, "expire", one.id, now)


def _void(book: Book, now: int) -> Iterator[Command]:
    for one in book.contracts.values():
        if one.state == "booked" and now >= deadline(one.booked_at, book.rules.posting_days):
            yield _by_itself(CONTRACT, "void", one.id, now)


def _by_itself(kind: str, command: str, identity: str, at: int, details: object = None) -> Command:
    """Return a command that nobody gives."""
    return Command(kind=kind, command=command, id=identity, actor=SYSTEM, at=at, details=details)


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
