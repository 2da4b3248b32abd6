"""Operations on terms."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router

from mtok.venue.participants import actions, told
from mtok.venue.participants.api.asking import JSON, body, done, object_of, reader, shown
from mtok.venue.participants.api.described import sent, with_code
from mtok.venue.participants.api.schemas import Approval, OtherTerms, Terms

router = Router(tags=["Terms"])


@router.get("/terms", response=list[Terms], summary="Your terms")
def all_terms(request: HttpRequest) -> HttpResponse:
    """Return all terms that your organisation was ever sent, by id."""
    return shown(told.all_terms(reader(request)))


@router.get("/terms/{identity}", response=Terms, summary="Terms")
def one_terms(request: HttpRequest, identity: str) -> HttpResponse:
    """Return terms. Whether the other side has approved them is not said before both have."""
    return shown(told.terms(reader(request), object_of(identity)))


@router.get("/terms/{identity}/canonical", response=dict[str, Any], summary="The bytes that are approved")
def canonical(request: HttpRequest, identity: str) -> HttpResponse:
    """Return the canonical JSON of terms; its sha256 is the digest."""
    return HttpResponse(told.canonical_terms(reader(request), object_of(identity)), content_type=JSON)


@router.post(
    "/terms/{identity}/approve", response=Terms, summary="Approve", openapi_extra=with_code(sent(Approval))
)
def approve(request: HttpRequest, identity: str) -> HttpResponse:
    """Approve terms for your side, by their digest and with a one-time code. With the other side's it is a contract."""
    one, given = object_of(identity), body(request)

    def work(principal: Any) -> Any:
        actions.approve(principal, one, given)
        return told.terms(principal, one)

    return done(request, work)


@router.post("/terms/{identity}/decline", response=Terms, summary="Decline")
def decline(request: HttpRequest, identity: str) -> HttpResponse:
    """Decline terms. The other side is told that they have lapsed."""
    one = object_of(identity)

    def work(principal: Any) -> Any:
        actions.decline(principal, one)
        return told.terms(principal, one)

    return done(request, work)


@router.post(
    "/terms/{identity}/ask", response=Terms, summary="Ask for other terms", openapi_extra=sent(OtherTerms)
)
def ask(request: HttpRequest, identity: str) -> HttpResponse:
    """Ask for another price or size. Where the other side asks for the same the desk amends the terms for both."""
    one, given = object_of(identity), body(request)

    def work(principal: Any) -> Any:
        actions.ask(principal, one, given)
        return told.terms(principal, one)

    return done(request, work)
