"""What participants do: what was written is read, becomes the details of a command, and is given.

Pages and API call these functions and no others, so that the one cannot take what the other refuses. Whether it is
theirs to do is said by the core's tables.
"""

from __future__ import annotations

from typing import Any

from mtok.calendar import format_date
from mtok.market.agreements import Agreed, Agreement
from mtok.market.book import CONTRACT, PROPOSAL, REQUEST
from mtok.market.confirmation import Openings
from mtok.market.contracts import Contract
from mtok.market.cycle import run_of
from mtok.market.months import first_day
from mtok.market.requests import Amendment, Request
from mtok.settlement.guards import refuse_without_step_up
from mtok.settlement.machines import Refused
from mtok.settlement.people import PARTICIPANTS, Role
from mtok.settlement.specification import Specification, specification
from mtok.venue import place
from mtok.venue.accounts.models import new_id
from mtok.venue.accounts.principals import Principal
from mtok.venue.database import marks
from mtok.venue.database.models import Intention
from mtok.venue.database.records import details_of
from mtok.venue.otc import amending, marking, trading
from mtok.venue.otc.amending import Wanted
from mtok.venue.participants import given as reading
from mtok.venue.participants.given import Given


def own_role(principal: Principal) -> Role:
    """Return the role in which a participant looks at things."""
    return next((role for role in PARTICIPANTS if role in principal.roles), Role.PARTICIPANT_USER)


# ---- requests


def request_of(given: Given, identity: str, now: int) -> Request:
    """Return the request that was written. Raises FieldsInvalid, Refused (`reference_not_offered`)."""
    rules = specification()
    wanted = reading.wanted(given, rules)
    found = trading.surroundings().references([wanted.reference], now).get(wanted.reference)
    return Request(
        id=identity,
        party="",
        person="",
        reference=wanted.reference,
        methodology="" if found is None else found.methodology,
        side=wanted.side,
        style=wanted.style,
        lots=wanted.lots,
        maturity=wanted.month,
        limit=wanted.limit,
        min_lots=wanted.min_lots,
        tail=wanted.tail,
        tolerance=wanted.tolerance,
        expires=last_expiry(wanted.month, rules) if wanted.expires is None else wanted.expires,
        firm_until=wanted.firm_until,
    )


def last_expiry(month: int, rules: Specification) -> int:
    """Return the last instant that a request for a month may expire at."""
    return run_of(first_day(month) - rules.close_days, rules) if month else 0


def submit(principal: Principal, given: Given) -> str:
    """Make a request and send it to the desk, in one step; return its id.

    Raises FieldsInvalid, and Refused as `mtok.market.requests.submit`.
    """
    identity = new_id()

    def work() -> str:
        trading.give(principal, REQUEST, "draft", identity, request_of(given, identity, place.now()))
        trading.give(principal, REQUEST, "submit", identity)
        return identity

    return trading.in_time(work)


def amend(principal: Principal, identity: str, given: Given) -> None:
    """Change a request; what is not written is as in a new one. Raises FieldsInvalid, Refused as the core's `amend`."""
    fields: dict[str, Any] = reading.amended(given, specification())
    month = fields.pop("month")
    if fields["expires"] is None:
        fields["expires"] = last_expiry(month, specification())
    trading.give(principal, REQUEST, "amend", identity, Amendment(maturity=month, **fields))


def confirm(principal: Principal, identity: str) -> None:
    """Make a request firm in the next run."""
    trading.give(principal, REQUEST, "confirm", identity)


def pause(principal: Principal, identity: str) -> None:
    """Take a request out of the runs until it is resumed."""
    trading.give(principal, REQUEST, "pause", identity)


def resume(principal: Principal, identity: str) -> None:
    """Let a request take part in runs again."""
    trading.give(principal, REQUEST, "resume", identity)


def cancel(principal: Principal, identity: str) -> None:
    """Withdraw what is left of a request."""
    trading.give(principal, REQUEST, "cancel", identity)


# ---- terms


def approve(principal: Principal, identity: str, given: Given) -> None:
    """Approve terms for one's side, by the digest that was read.

    Raises FieldsInvalid, Refused as `mtok.market.proposals.approve`.
    """
    trading.give(principal, PROPOSAL, "approve", identity, reading.approved_digest(given))


def decline(principal: Principal, identity: str) -> None:
    """Decline terms; the other side is told that they have lapsed."""
    trading.give(principal, PROPOSAL, "decline", identity)


def ask(principal: Principal, identity: str, given: Given) -> None:
    """Ask, for one's side, for other terms; the desk gives them where the other side asks for the same.

    Raises FieldsInvalid, Refused as `mtok.venue.otc.amending.ask`.
    """
    digest, price, lots = reading.asked_terms(given)
    amending.ask(principal, identity, Wanted(price=price, lots=lots, terms_sha256=digest))


# ---- what both sides of a contract agree on


def agree(principal: Principal, identity: str, given: Given) -> bool:
    """Say what a day without a mark is worth (F4); return whether the other side had said the same.

    Raises FieldsInvalid, Refused as `mtok.market.contracts.agree`.
    """
    day, value = reading.agreed_day(given)
    return _said(principal, identity, "agree", value, day)


def terminate(principal: Principal, identity: str, given: Given) -> bool:
    """Say at which price to end a contract; return whether the other side had said the same, and it has ended.

    Raises FieldsInvalid, Refused as `mtok.market.contracts.terminate`.
    """
    return _said(principal, identity, "terminate", reading.agreed_price(given), None)


def _said(principal: Principal, identity: str, command: str, value: int, day: int | None) -> bool:
    """Say one side's half of an agreement, or the second half where the first is there."""

    def work() -> bool:
        contract = contract_of(principal, identity)
        details = _agreed(contract, value, day)
        first = _first(principal, identity, command, details)
        if first is None:
            refuse_without_step_up(principal.as_role(own_role(principal)), place.now(), specification())
            trading.intend(principal, CONTRACT, command, identity, details)
            return False
        trading.confirm(principal, first.pk, first.digest, details)
        return True

    return trading.in_time(work)


def dispute(principal: Principal, identity: str, given: Given) -> None:
    """Dispute a mark that a contract depends on. Raises FieldsInvalid, Refused as `mtok.venue.otc.marking.dispute`."""
    said = reading.disputed(given)

    def work() -> None:
        terms = contract_of(principal, identity).terms
        found = marks.last_kept(terms.reference, terms.methodology, said.day, said.day)
        if not found or found[0].mark.log_index is None:
            raise Refused(
                "not_found", f"there is no mark of {format_date(said.day)}", "See the contract's marks."
            )
        marking.dispute(principal, found[0].id, said.own_value, said.reason, said.evidence)

    trading.in_time(work)


def contract_of(principal: Principal, identity: str) -> Contract:
    """Return a contract as the core knows it. Raises Refused (`not_found`) for what a principal may not see."""
    return booked_contract(principal, identity)[0]


def booked_contract(principal: Principal, identity: str) -> tuple[Contract, Openings]:
    """Return a contract with what opens its names, for one of its parties. Raises Refused (`not_found`)."""
    trading.seen(principal, CONTRACT, identity, own_role(principal))
    book = trading.around(CONTRACT, identity).book
    openings = book.proposals[identity].openings
    assert openings is not None
    return book.contracts[identity], openings


def _agreed(contract: Contract, value: int, day: int | None) -> Agreed:
    said = Agreement(contract=contract.id, terms_sha256=contract.terms.sha256, value=value, day=day)
    own = (
        ()
        if day is None
        else tuple(marks.marks_of(contract.terms.reference, contract.terms.methodology, day, day))
    )
    return Agreed(agreement=said, first_sha256=said.sha256, second_sha256=said.sha256, marks=own)


def _first(principal: Principal, identity: str, command: str, details: Agreed) -> Intention | None:
    """Return what the other side has said, where it is the same."""
    said = details_of(details)
    for one in trading.said_by_sides(identity):
        if one.command == command and one.details == said and one.party != principal.party:
            return one
    return None
