"""How the publication stands now."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from ninja import Router

from mtok.venue.answers import passing
from mtok.venue.api.schemas import Status
from mtok.venue.api.written import answer
from mtok.venue.health import health
from mtok.venue.place import now, opened

router = Router(tags=["status"])


@router.get("/status", response=Status, operation_id="get_status", summary="How the publication stands")
def get_status(request: HttpRequest) -> HttpResponse:
    """Return what was due and came, what is late or missing, and what the log and the files are worth.

    It is answered even where nothing is published, or the log cannot be read.
    """
    return passing(answer(health(opened(), now())))
