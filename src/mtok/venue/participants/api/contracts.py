"""Operations on contracts."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router

from mtok.venue.participants import actions, told
from mtok.venue.participants.api.asking import body, done, object_of, reader, shown
from mtok.venue.participants.api.described import sent, with_code
from mtok.venue.participants.api.schemas import Contact, Contract, DayValue, Dispute, Half, Mark, Termination

router = Router(tags=["Contracts"])


@router.get("/contracts", response=list[Contract], summary="Your contracts")
def contracts(request: HttpRequest) -> HttpResponse:
    """Return every contract of your organisation, by id, with its margin days and calls."""
    return shown(told.contracts(reader(request)))


@router.get("/contracts/{identity}", response=Contract, summary="A contract")
def one_contract(request: HttpRequest, identity: str) -> HttpResponse:
    """Return a contract with its margin days and calls."""
    return shown(told.contract(reader(request), object_of(identity)))


@router.get("/contracts/{identity}/contact", response=Contact, summary="Whom to reach at the other side")
def contact(request: HttpRequest, identity: str) -> HttpResponse:
    """Return the other side's contact for settlement. That it was opened is written down for the other side to see."""
    return shown({"contact": told.counterparty_contact(reader(request), object_of(identity))})


@router.get("/contracts/{identity}/statement", response=dict[str, Any], summary="The settlement statement")
def statement(request: HttpRequest, identity: str) -> HttpResponse:
    """Return every mark a matured contract rests on, and every cent (docs/market.md)."""
    return shown(told.settlement_statement(reader(request), object_of(identity)))


@router.get("/contracts/{identity}/confirmation", response=dict[str, Any], summary="The confirmation")
def confirmation(request: HttpRequest, identity: str) -> HttpResponse:
    """Return what was agreed, by whom and when; it opens the commitments to both names (docs/market.md)."""
    return shown(told.confirmation(reader(request), object_of(identity)))


@router.get(
    "/contracts/{identity}/fpml", response=dict[str, Any], summary="The contract as FpML and CDM name it"
)
def fpml(request: HttpRequest, identity: str) -> HttpResponse:
    """Return the contract under the names of FpML and the ISDA CDM; no claim that their schemas would accept it."""
    return shown(told.as_fpml(reader(request), object_of(identity)))


@router.get("/contracts/{identity}/marks", response=list[Mark], summary="The marks of a contract")
def marks(request: HttpRequest, identity: str) -> HttpResponse:
    """Return the marks in the log that a contract looks at, from its booking on, the last version of each day."""
    return shown(told.marks(reader(request), object_of(identity)))


@router.post(
    "/contracts/{identity}/dispute",
    response=list[Mark],
    summary="Dispute a mark",
    openapi_extra=sent(Dispute),
)
def dispute(request: HttpRequest, identity: str) -> HttpResponse:
    """Dispute a mark that a contract depends on, with your own number and what shows it; the undisputed part moves."""
    one, given = object_of(identity), body(request)

    def work(principal: Any) -> Any:
        actions.dispute(principal, one, given)
        return told.marks(principal, one)

    return done(request, work)


@router.post(
    "/contracts/{identity}/agree",
    response=Half,
    summary="Agree on a day",
    openapi_extra=with_code(sent(DayValue)),
)
def agree(request: HttpRequest, identity: str) -> HttpResponse:
    """Say what a day of the window without a mark is worth (F4); it counts once the other side has said the same."""
    return _said(request, identity, actions.agree)


@router.post(
    "/contracts/{identity}/terminate",
    response=Half,
    summary="End by agreement",
    openapi_extra=with_code(sent(Termination)),
)
def terminate(request: HttpRequest, identity: str) -> HttpResponse:
    """Say at which price to end a contract; it ends once the other side has said the same."""
    return _said(request, identity, actions.terminate)


def _said(request: HttpRequest, identity: str, act: Any) -> HttpResponse:
    one, given = object_of(identity), body(request)

    def work(principal: Any) -> Any:
        return {"is_agreed": act(principal, one, given), "contract": told.contract(principal, one)}

    return done(request, work)
