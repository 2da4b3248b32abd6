"""Operations on requests."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router

from mtok.venue.participants import actions, told
from mtok.venue.participants.api.asking import body, done, object_of, reader, shown
from mtok.venue.participants.api.described import sent
from mtok.venue.participants.api.schemas import Amendment, NewRequest, Request

router = Router(tags=["Requests"])


@router.get("/requests", response=list[Request], summary="Your requests")
def requests(request: HttpRequest) -> HttpResponse:
    """Return every request of your organisation, by id."""
    return shown(told.requests(reader(request)))


@router.get("/requests/{identity}", response=Request, summary="A request")
def one_request(request: HttpRequest, identity: str) -> HttpResponse:
    """Return a request."""
    return shown(told.request(reader(request), object_of(identity)))


@router.post("/requests", response={201: Request}, summary="Make a request", openapi_extra=sent(NewRequest))
def new_request(request: HttpRequest) -> HttpResponse:
    """Make a request and send it to the desk. Nobody else learns of it before terms."""
    given = body(request)

    def work(principal: Any) -> Any:
        return told.request(principal, actions.submit(principal, given))

    return done(request, work, status=201)


@router.post("/requests/{identity}/amend", response=Request, summary="Amend", openapi_extra=sent(Amendment))
def amend(request: HttpRequest, identity: str) -> HttpResponse:
    """Change a request: a smaller size keeps its priority, anything else loses it."""
    given = body(request)
    return _done(request, identity, lambda principal, one: actions.amend(principal, one, given))


@router.post("/requests/{identity}/confirm", response=Request, summary="Confirm for the next run")
def confirm(request: HttpRequest, identity: str) -> HttpResponse:
    """Make a request firm in the next run."""
    return _done(request, identity, actions.confirm)


@router.post("/requests/{identity}/pause", response=Request, summary="Pause")
def pause(request: HttpRequest, identity: str) -> HttpResponse:
    """Take a request out of the runs until it is resumed."""
    return _done(request, identity, actions.pause)


@router.post("/requests/{identity}/resume", response=Request, summary="Resume")
def resume(request: HttpRequest, identity: str) -> HttpResponse:
    """Let a request take part in runs again."""
    return _done(request, identity, actions.resume)


@router.post("/requests/{identity}/cancel", response=Request, summary="Cancel")
def cancel(request: HttpRequest, identity: str) -> HttpResponse:
    """Withdraw what is left of a request; what stands in terms stays until they end."""
    return _done(request, identity, actions.cancel)


def _done(request: HttpRequest, identity: str, act: Any) -> HttpResponse:
    one = object_of(identity)

    def work(principal: Any) -> Any:
        act(principal, one)
        return told.request(principal, one)

    return done(request, work)
