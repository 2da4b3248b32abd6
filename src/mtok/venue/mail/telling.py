"""What is told to whom about a change, as a table. What is not in it is told to nobody.

Until their first terms a participant is told nothing that depends on anybody else's request. What could tell by its
hour waits for an hour that is the same whatever happened: terms for the end of their slot, «lapsed» for the end of the
terms. To operators a mail says that something waits and where, and nothing of what it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any, Final, NamedTuple

import msgspec

from mtok.calendar import format_instant
from mtok.market.book import CONTRACT, PROPOSAL, REQUEST, Book
from mtok.market.commands import Command
from mtok.market.contracts import Contract, OpenCall
from mtok.market.cycle import slot_end
from mtok.market.margin import Side
from mtok.market.months import month_text
from mtok.market.proposals import WITH_TERMS, Proposal
from mtok.market.requests import Request
from mtok.settlement.machines import NEW
from mtok.settlement.people import OPERATORS, Role
from mtok.settlement.values import amount_text
from mtok.venue.database.books import Change
from mtok.venue.database.records import MARK


class Reader(StrEnum):
    """Who is told, beside roles of the venue: a participant by what they are to the object."""

    OWNER = "owner"
    BOTH = "both sides"
    DECLINER = "who declined"
    OTHER = "the other side"
    CALLED = "who is called"


class Hour(StrEnum):
    """When it is told."""

    NOW = "at once"
    EXPIRY = "at its expiry"
    SLOT_END = "at the end of the slot"
    TERMS_END = "at the end of the terms"


class Row(NamedTuple):
    """A row of the table: of a kind of object, from one of some states to another one.

    by_operator : only where an operator did it
    """

    kind: str
    before: tuple[str, ...]
    after: str
    name: str
    readers: tuple[Reader | Role, ...]
    hour: Hour = Hour.NOW
    by_operator: bool = False

    def fits(self, change: Change, cause: Command) -> bool:
        """Return whether a change is one of this row's."""
        before = NEW if change.before is None else change.before.state
        by_whom = not self.by_operator or cause.actor.role in OPERATORS
        is_step = before in self.before and change.after.state == self.after
        return change.kind == self.kind and is_step and by_whom


_TERMS: Final = tuple(sorted(WITH_TERMS))
_MONEY: Final = (Reader.BOTH, Role.TREASURY)

TABLE: Final = (
    Row(REQUEST, ("draft",), "submitted", "request_waits", (Role.DESK,)),
    Row(REQUEST, ("submitted",), "live", "request_accepted", (Reader.OWNER,)),
    Row(REQUEST, ("submitted",), "rejected", "request_rejected", (Reader.OWNER,)),
    Row(REQUEST, ("live",), "paused", "request_paused", (Reader.OWNER,), by_operator=True),
    Row(REQUEST, ("paused",), "live", "request_resumed", (Reader.OWNER,), by_operator=True),
    Row(REQUEST, ("submitted", "live", "paused"), "suspended", "request_suspended", (Reader.OWNER,)),
    Row(REQUEST, ("live", "paused"), "expired", "request_expired", (Reader.OWNER,), Hour.EXPIRY),
    Row(PROPOSAL, (NEW,), "candidate", "candidates_wait", (Role.DESK,)),
    Row(PROPOSAL, ("candidate",), "terms_sent", "terms", (Reader.BOTH,), Hour.SLOT_END),
    Row(PROPOSAL, _TERMS, "amended", "terms_amended", (Reader.BOTH,), Hour.SLOT_END),
    Row(PROPOSAL, _TERMS, "declined", "terms_declined", (Reader.DECLINER,)),
    Row(PROPOSAL, _TERMS, "declined", "terms_lapsed", (Reader.OTHER,), Hour.TERMS_END),
    Row(PROPOSAL, _TERMS, "lapsed", "terms_lapsed", (Reader.BOTH,), Hour.TERMS_END),
    Row(CONTRACT, (NEW,), "booked", "booked", (Reader.BOTH,)),
    Row(CONTRACT, (NEW,), "booked", "initial_margin_waits", (Role.TREASURY,)),
    Row(CONTRACT, ("booked",), "active", "contract_active", (Reader.BOTH,)),
    Row(CONTRACT, ("booked",), "voided", "contract_void", _MONEY),
    Row(CONTRACT, ("active",), "disrupted", "contract_disrupted", (Reader.BOTH,)),
    Row(CONTRACT, ("disrupted",), "active", "contract_recovered", (Reader.BOTH,)),
    Row(CONTRACT, ("active", "disrupted"), "final_pending", "statement_ready", _MONEY),
    Row(CONTRACT, ("final_pending",), "settled", "contract_settled", (Reader.BOTH,)),
    Row(CONTRACT, ("settled",), "closed", "contract_closed", (Reader.BOTH,)),
    Row(CONTRACT, ("active", "disrupted"), "default_notice", "default_notice", _MONEY),
    Row(CONTRACT, ("default_notice",), "active", "default_cured", (Reader.BOTH,)),
    Row(CONTRACT, ("default_notice",), "closed_out", "contract_closed_out", _MONEY),
    Row(CONTRACT, ("active", "disrupted"), "terminated", "contract_terminated", _MONEY),
    Row(MARK, (NEW, "held"), "proposed", "mark_waits", (Role.MARK_APPROVER,)),
    Row(MARK, (NEW, "proposed"), "held", "mark_held", (Role.MARK_PREPARER,)),
    Row(MARK, ("proposed",), "rejected", "mark_rejected", (Role.MARK_PREPARER,)),
    Row(
        MARK,
        ("published",),
        "disputed",
        "mark_disputed",
        (Reader.BOTH, Role.DESK, Role.MARK_PREPARER, Role.MARK_APPROVER, Role.TREASURY),
    ),
    Row(MARK, ("disputed",), "upheld", "mark_upheld", (Reader.BOTH,)),
    Row(MARK, ("published", "disputed"), "corrected", "mark_corrected", (Reader.BOTH, Role.TREASURY)),
)
CALLED: Final = "margin_call"
"""Told of a call that is new or has another amount, to who is called; the table's rows are of states alone."""
CALLS_MADE: Final = "calls_made"


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """Something to be told to the people of one party, or to those in one role of the venue.

    event : what is told, the same for both sides · name : of its words · not_before : instant
    kind, object : what it is about, empty for a list of what waits · words : what its text says beyond the fixed ones
    """

    event: str
    name: str
    not_before: int
    party: str | None = None
    role: Role | None = None
    kind: str = ""
    object: str = ""
    words: dict[str, str] = {}


def told(book: Book, changes: Sequence[Change], cause: Command) -> list[Told]:
    """Return what is told of changes of the market's objects, in one transaction."""
    found = [
        one
        for change in changes
        for row in TABLE
        if row.fits(change, cause)
        for one in _of_row(row, book, change, cause)
    ]
    called = [one for change in changes for one in _calls(change, cause.at)]
    if called:
        found += [*called, _changed(called[0], name=CALLS_MADE, role=Role.TREASURY, party=None, words={})]
    return list({(one.event, one.party, one.role): one for one in found}.values())


def told_of_mark(change: Change, identity: str, parties: Iterable[str], cause: Command) -> list[Told]:
    """Return what is told of a mark. identity : of its row · parties : of the contracts that rest on it"""
    if change.before is not None and change.after.state in ("proposed", "held"):
        is_same = change.before.version == change.after.version
        change = replace(change, before=change.before if is_same else None)
    words = {"reference": change.after.reference, "date": change.after.date}
    every = sorted(set(parties))
    found = []
    for row in TABLE:
        if row.fits(change, cause):
            event = f"{row.name}:{identity}:{change.version}"
            about = Told(event=event, name=row.name, not_before=cause.at, kind=MARK, object=identity)
            for reader in row.readers:
                if isinstance(reader, Role):
                    found.append(_changed(about, role=reader))
                else:
                    found += [_changed(about, party=one, words=words) for one in every]
    return found


def reconfirmation(request: Request, run: int, at: int) -> Told:
    """Return the question whether a request stands for the next run. run : that run · at : since when it is asked"""
    return _of_run("reconfirm", request, run, at)


def no_match(request: Request, run: int, at: int) -> Told:
    """Return that a run found nothing for a request, whatever the reason. at : the end of its slot"""
    return _of_run("no_match", request, run, at)


def overdue(contract: Contract, call: OpenCall) -> list[Told]:
    """Return that a call was not paid in time."""
    late = Told(
        event=f"call_overdue:{contract.id}:{call.side}:{call.due}",
        name="call_overdue",
        not_before=call.due,
        party=_party_of(contract, call.side),
        kind=CONTRACT,
        object=contract.id,
        words=_of_contract(contract) | _of_call(call),
    )
    return [late, _changed(late, name="overdue_waits", party=None, role=Role.TREASURY, words={})]


# ---- readers, hours and words


def _of_row(row: Row, book: Book, change: Change, cause: Command) -> Iterator[Told]:
    found = change.after
    about = Told(
        event=f"{row.name}:{found.id}:{change.version}",
        name=row.name,
        not_before=_hour(row.hour, found, cause.at, book),
        kind=row.kind,
        object=found.id,
    )
    if row.name == "candidates_wait":  # one mail a run, however many they are
        about = _changed(about, event=f"{row.name}:{found.run}", kind="", object="")
    for reader in row.readers:
        if isinstance(reader, Role):
            yield _changed(about, role=reader)
        else:
            for party in _parties(reader, book, found):
                yield _changed(about, party=party, words=_words(book, found, party))


def _of_run(name: str, request: Request, run: int, at: int) -> Told:
    return Told(
        event=f"{name}:{request.id}:{run}",
        name=name,
        not_before=at,
        party=request.party,
        kind=REQUEST,
        object=request.id,
        words=_of_request(request) | {"run": format_instant(run)},
    )


def _calls(change: Change, at: int) -> Iterator[Told]:
    """Yield the calls that a day's margin has made or changed."""
    contract, earlier = change.after, change.before
    if not isinstance(contract, Contract) or earlier is None or len(contract.days) == len(earlier.days):
        return
    for call in contract.calls:
        if call not in earlier.calls:
            yield Told(
                event=f"{CALLED}:{contract.id}:{change.version}",
                name=CALLED,
                not_before=at,
                party=_party_of(contract, call.side),
                kind=CONTRACT,
                object=contract.id,
                words=_of_contract(contract) | _of_call(call),
            )


def _parties(reader: Reader, book: Book, found: Any) -> list[str]:
    match found:
        case Request():
            return [found.party]
        case Contract():
            return [found.buyer, found.seller]
        case Proposal():
            sides = book.sides(found)
            both = [sides.buyer.id, sides.seller.id]
            if reader is Reader.DECLINER:
                return [one for one in both if one == found.declined_by]
            if reader is Reader.OTHER:
                return [one for one in both if one != found.declined_by]
            return both
    raise AssertionError(f"nobody is told of a {type(found).__name__}")


def _hour(hour: Hour, found: Any, now: int, book: Book) -> int:
    """Return when it is told; what time has brought, as of the hour it was due."""
    match hour:
        case Hour.NOW:
            return now
        case Hour.EXPIRY:
            return int(found.expires)
        case Hour.SLOT_END:
            return max(now, slot_end(found.run, book.rules))
        case Hour.TERMS_END:
            return int(found.terms.end)


def _words(book: Book, found: Any, party: str) -> dict[str, str]:
    match found:
        case Request():
            return _of_request(found)
        case Proposal():
            return _of_proposal(book, found)
        case Contract():
            named = {"counterparty": _counterparty(book, found, party)} if found.state == "booked" else {}
            return _of_contract(found) | named
    raise AssertionError(f"nobody is told of a {type(found).__name__}")


def _of_request(request: Request) -> dict[str, str]:
    return {"reference": request.reference, "month": month_text(request.maturity)}


def _of_proposal(book: Book, proposal: Proposal) -> dict[str, str]:
    assert proposal.terms is not None
    return {
        "reference": proposal.terms.reference,
        "month": month_text(proposal.terms.maturity),
        "until": format_instant(proposal.terms.end),
    }


def _of_contract(contract: Contract) -> dict[str, str]:
    return {"reference": contract.terms.reference, "month": month_text(contract.terms.maturity)}


def _of_call(call: OpenCall) -> dict[str, str]:
    return {"amount": amount_text(call.amount), "due": format_instant(call.due)}


def _counterparty(book: Book, contract: Contract, party: str) -> str:
    """Return the legal name of the other side as the terms were opened with it."""
    openings = book.proposals[contract.id].openings
    assert openings is not None
    return openings[party == contract.buyer].legal_name


def _party_of(contract: Contract, side: Side) -> str:
    return contract.buyer if side == Side.BUY else contract.seller


def _changed(one: Told, **changes: Any) -> Told:
    return msgspec.structs.replace(one, **changes)
