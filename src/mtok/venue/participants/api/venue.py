"""The API as a whole, and what stands for everybody who trades: specification, references, the day of the market."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router

from mtok.venue.participants import told
from mtok.venue.participants.api import contracts, requests, terms
from mtok.venue.participants.api.asking import Key, reader, shown
from mtok.venue.participants.api.described import VenueAPI
from mtok.venue.participants.api.schemas import Clock, Reference, Specification

_DESCRIPTION = """\
What participants of the venue do on its pages, for programs: requests, terms, contracts. Paper contracts only.

Prices and amounts are decimal text, months YYYY-MM, instants UTC. Every request carries a key (`Authorization: Bearer
mtok_…`), every POST an `Idempotency-Key`; approvals carry a one-time code too. What is not yours is as if it were
missing. Nothing may be kept on the way (`Cache-Control: no-store`). Errors are problem documents (RFC 9457) with a
stable `code` and what to do.
"""

router = Router(tags=["Venue"])


@router.get("/specification", response=Specification, summary="The contract specification")
def specification(request: HttpRequest) -> HttpResponse:
    """Return the contract specification in force; terms name its digest."""
    reader(request)
    return shown(told.contract_specification())


@router.get("/references", response=list[Reference], summary="What contracts may refer to")
def references(request: HttpRequest) -> HttpResponse:
    """Return every series, and why no contract may refer to it where none may."""
    reader(request)
    return shown(told.offered())


@router.get("/clock", response=Clock, summary="The day of the market")
def clock(request: HttpRequest) -> HttpResponse:
    """Return when the next run is and when its slot ends."""
    reader(request)
    return shown(told.clock_json())


api = VenueAPI(
    title="mtok venue",
    version="1",
    description=_DESCRIPTION,
    docs_url=None,
    openapi_url=None,
    urls_namespace="venue_api",
    auth=Key(),
)
for part in (router, requests.router, terms.router, contracts.router):
    api.add_router("", part)


@api.get("/openapi.json", include_in_schema=False, auth=None)
def openapi(request: HttpRequest) -> HttpResponse:
    """Return the description of this API, which is also in the source as docs/venue-openapi.json."""
    return shown(_described())


@cache
def _described() -> dict[str, Any]:
    return dict(api.get_openapi_schema())
