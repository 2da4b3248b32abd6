"""Proposals: two requests that fit, from the run to the contract or to nothing. The table, and one effect a command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from mtok.calendar import day_of, format_instant
from mtok.market.commands import Command
from mtok.market.contracts import booked
from mtok.market.cycle import slot_end, terms_end
from mtok.market.margin import initial_margin, maintenance_margin
from mtok.market.matching import Match
from mtok.market.parties import Opening, Party, commitment
from mtok.market.requests import Request, filled, released, reserved
from mtok.market.terms import Approval, Terms
from mtok.settlement.guards import refuse_same_person, refuse_without_step_up
from mtok.settlement.machines import NEW, Machine, Refused
from mtok.settlement.people import Actor, Role
from mtok.settlement.specification import Specification

if TYPE_CHECKING:
    from mtok.market.book import Book, Object

_DESK: Final = (Role.DESK,)
_SYSTEM: Final = (Role.SYSTEM,)
_APPROVER: Final = (Role.PARTICIPANT_APPROVER,)

MACHINE: Final = Machine(
    "proposal",
    [
        (NEW, "match", "candidate", _SYSTEM, "C1 … C10; reserves its lots on both sides"),
        (
            "candidate",
            "send",
            "terms_sent",
            _DESK,
            "within the slot of its run; both parties may still trade",
        ),
        ("candidate", "drop", "dropped", _DESK, "frees the lots"),
        (
            "terms_sent amended",
            "approve",
            "one_approved",
            _APPROVER,
            "a side's person with the second factor just shown; the very digest; before the end of the terms",
        ),
        (
            "one_approved",
            "approve",
            "both_approved",
            _APPROVER,
            "as before, by another person for the other side, of another group",
        ),
        ("terms_sent amended one_approved", "decline", "declined", _APPROVER, "frees the lots"),
        (
            "terms_sent amended one_approved",
            "amend",
            "amended",
            _DESK,
            "both sides asked for it; within the limits of both; clears approvals",
        ),
        ("candidate", "lapse", "lapsed", _SYSTEM, "the slot is over; frees the lots"),
        ("terms_sent amended one_approved", "lapse", "lapsed", _SYSTEM, "the terms are over; frees the lots"),
        (
            "both_approved",
            "book",
            "booked",
            _SYSTEM,
            "in one step with the second approval; makes the contract",
        ),
    ],
)

WITH_TERMS: Final = frozenset({"terms_sent", "amended", "one_approved"})
"""States in which both sides look at terms."""

ENDED: Final = frozenset({"dropped", "declined", "lapsed", "booked"})
"""States that hold nothing reserved."""


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """Two requests that fit. run : the instant of the run · lots, price, maturity : as matched

    openings : of the names in the terms, buyer and seller; nobody sees them before booking · declined_by : the party
    """

    id: str
    buy: str
    sell: str
    run: int
    lots: int
    price: int
    maturity: int
    state: str = NEW
    terms: Terms | None = None
    openings: tuple[Opening, Opening] | None = None
    approvals: tuple[Approval, ...] = ()
    declined_by: str | None = None


class Nonces(msgspec.Struct, frozen=True, kw_only=True):
    """Chance for the two commitments, 64 hexadecimal digits each, made by the caller."""

    buyer: str
    seller: str


class TermsAmendment(msgspec.Struct, frozen=True, kw_only=True):
    """What both sides asked to be changed. asked_by : who asked, a person of each side with the party"""

    price: int
    lots: int
    asked_by: tuple[Actor, Actor]


class Sides(msgspec.Struct, frozen=True, kw_only=True):
    """The two requests of a proposal and their parties."""

    buy: Request
    sell: Request
    buyer: Party
    seller: Party


def match(book: Book, _: None, command: Command) -> list[Object]:
    """Make a candidate of a match and reserve its lots."""
    found = command.given(Match)
    candidate = Proposal(
        id=command.id,
        buy=found.buy,
        sell=found.sell,
        run=command.at,
        lots=found.lots,
        price=found.price,
        maturity=found.maturity,
    )
    return [candidate, *(reserved(book.requests[one], found.lots) for one in (found.buy, found.sell))]


def send(book: Book, proposal: Proposal, command: Command) -> list[Object]:
    """Fix the terms; both sides are told in one transaction. Raises Refused: `slot_over`, `related`, `not_eligible`."""
    rules, sides, nonces = book.rules, book.sides(proposal), command.given(Nonces)
    if command.at >= slot_end(proposal.run, rules):
        raise Refused(
            "slot_over", f"the slot ended at {format_instant(slot_end(proposal.run, rules))}", "Drop it."
        )
    _refuse_ineligible(sides, command.at)
    openings = _opening(nonces.buyer, sides.buyer), _opening(nonces.seller, sides.seller)
    terms = Terms(
        proposal=proposal.id,
        revision=0,
        end=terms_end(proposal.run, rules),
        reference=sides.buy.reference,
        methodology=sides.buy.methodology,
        style=sides.buy.style,
        maturity=proposal.maturity,
        lots=proposal.lots,
        price=proposal.price,
        **_margins(book, sides, proposal.price, proposal.lots),
        buyer=commitment(openings[0]),
        seller=commitment(openings[1]),
        buyer_class=sides.buyer.credit_class,
        seller_class=sides.seller.credit_class,
        multiplier=rules.multiplier,
        transfer_min=rules.transfer_min,
        payment_days=rules.payment_days,
        unit=rules.unit,
        currency=rules.currency,
        specification=rules.specification,
        specification_sha256=rules.sha256,
    )
    return [_changed(proposal, terms=terms, openings=openings)]


def approve(book: Book, proposal: Proposal, command: Command) -> list[Object]:
    """Approve the terms for a side. The details are the sha256 of the terms that were read.

    Raises Refused: `expired`, `step_up`, `digest_stale`, `approved_already`, `same_person`, `related`, `not_eligible`.
    """
    terms, actor = _current(proposal, command), command.actor
    refuse_without_step_up(actor, command.at, book.rules)
    if command.given(str) != terms.sha256:
        raise Refused("digest_stale", "these are not the terms as they are now", "Read the terms again.")
    assert actor.party is not None
    if any(one.party == actor.party for one in proposal.approvals):
        raise Refused("approved_already", "your side has approved these terms", "Wait for the answer.")
    refuse_same_person(actor, *(one.person for one in proposal.approvals))
    _refuse_ineligible(book.sides(proposal), command.at)
    approval = Approval(party=actor.party, person=actor.person, sha256=terms.sha256, at=command.at)
    return [_changed(proposal, approvals=(*proposal.approvals, approval))]


def book_contract(book: Book, proposal: Proposal, command: Command) -> list[Object]:
    """Make the contract of terms that both sides have approved, and fill their requests."""
    sides = book.sides(proposal)
    assert proposal.terms is not None
    contract = booked(proposal.terms, proposal.approvals, sides.buyer.id, sides.seller.id, command)
    return [proposal, contract, *(filled(one, proposal.lots) for one in (sides.buy, sides.sell))]


def decline(book: Book, proposal: Proposal, command: Command) -> list[Object]:
    """Decline the terms; the other side is told that they have lapsed, not who declined. Raises Refused (`expired`)."""
    _current(proposal, command)
    return _freed(book, _changed(proposal, declined_by=command.actor.party))


def amend(book: Book, proposal: Proposal, command: Command) -> list[Object]:
    """Change price or lots of terms because both sides asked for it; approvals of the old ones are gone.

    Raises Refused: `expired`, `not_asked`, `same_person`, `limit_broken`, `size_broken`.
    """
    terms, sides, wanted = _current(proposal, command), book.sides(proposal), command.given(TermsAmendment)
    if {one.party for one in wanted.asked_by} != {sides.buyer.id, sides.seller.id}:
        raise Refused("not_asked", "both sides have to ask for it", "Ask the other side.")
    for one in wanted.asked_by:
        MACHINE.step(proposal.state, "decline", one)
    refuse_same_person(wanted.asked_by[0], wanted.asked_by[1].person)
    _refuse_broken(wanted, proposal, sides, book.rules)
    changed = msgspec.structs.replace(
        terms,
        revision=terms.revision + 1,
        price=wanted.price,
        lots=wanted.lots,
        **_margins(book, sides, wanted.price, wanted.lots),
    )
    less = proposal.lots - wanted.lots
    freed = [released(one, less) for one in (sides.buy, sides.sell)] if less else []
    amended = _changed(proposal, terms=changed, price=wanted.price, lots=wanted.lots, approvals=())
    return [amended, *freed]


def drop(book: Book, proposal: Proposal, _: Command) -> list[Object]:
    """Give up a candidate; neither side ever hears of it."""
    return _freed(book, proposal)


def lapse(book: Book, proposal: Proposal, command: Command) -> list[Object]:
    """End a proposal whose time is over. Raises Refused (`not_due`)."""
    if command.at < lapses_at(proposal, book.rules):
        raise Refused(
            "not_due", f"not before {format_instant(lapses_at(proposal, book.rules))}", "Wait until then."
        )
    return _freed(book, proposal)


EFFECTS: Final[Mapping[str, Callable[[Book, Any, Command], list[Object]]]] = {
    "match": match,
    "send": send,
    "drop": drop,
    "approve": approve,
    "decline": decline,
    "amend": amend,
    "lapse": lapse,
    "book": book_contract,
}


def shown_state(proposal: Proposal, party: str | None) -> str:
    """Return the state of a proposal as a party is told it: nothing of what the other side did before the contract."""
    if proposal.state in WITH_TERMS:
        return "terms"
    if proposal.state == "declined" and proposal.declined_by != party:
        return "lapsed"
    return proposal.state


def lapses_at(proposal: Proposal, rules: Specification) -> int:
    """Return the first instant at which a proposal that has not ended lapses."""
    end = slot_end if proposal.state == "candidate" else terms_end
    return end(proposal.run, rules)


def _freed(book: Book, proposal: Proposal) -> list[Object]:
    sides = book.sides(proposal)
    return [proposal, *(released(one, proposal.lots) for one in (sides.buy, sides.sell))]


def _opening(nonce: str, party: Party) -> Opening:
    return Opening(nonce=nonce, legal_name=party.legal_name, lei=party.lei)


def _margins(book: Book, sides: Sides, price: int, lots: int) -> dict[str, int]:
    moves = book.references[sides.buy.reference].moves
    initial = initial_margin(price, lots * book.rules.multiplier, moves, book.rules)
    return {"initial_margin": initial, "maintenance_margin": maintenance_margin(initial, book.rules)}


def _current(proposal: Proposal, command: Command) -> Terms:
    """Return the terms of a proposal. Raises Refused (`expired`) from the second on at which they end."""
    assert proposal.terms is not None
    if command.at >= proposal.terms.end:
        raise Refused(
            "expired",
            f"the terms could be approved before {format_instant(proposal.terms.end)}",
            "Wait for another run.",
        )
    return proposal.terms


def _refuse_ineligible(sides: Sides, now: int) -> None:
    """Raise Refused where a contract between the two could not stand (C7, C8, C10)."""
    if sides.buyer.group == sides.seller.group:
        raise Refused(
            "related", "both sides have the same beneficial owners", "No contract can be made of it."
        )
    fit = (
        sides.buyer.may_trade(day_of(now))
        and sides.seller.may_trade(day_of(now))
        and "suspended" not in (sides.buy.state, sides.sell.state)
        and not sides.buyer.refuses(sides.seller)
        and not sides.seller.refuses(sides.buyer)
    )
    if not fit:
        raise Refused("not_eligible", "these terms cannot become a contract any more", "They will lapse.")


def _refuse_broken(wanted: TermsAmendment, proposal: Proposal, sides: Sides, rules: Specification) -> None:
    buy, sell = sides.buy, sides.sell
    within = (buy.limit is None or wanted.price <= buy.limit) and (
        sell.limit is None or wanted.price >= sell.limit
    )
    if not within or not 0 < wanted.price <= rules.price_max:
        raise Refused("limit_broken", "the price is outside a side's limit", "Choose one inside both.")
    if not max(buy.min_lots, sell.min_lots) <= wanted.lots <= proposal.lots:
        raise Refused(
            "size_broken", f"{wanted.lots} lots of {proposal.lots}", "No more, and no less than both minima."
        )


def _changed(proposal: Proposal, **changes: Any) -> Proposal:
    return msgspec.structs.replace(proposal, **changes)
