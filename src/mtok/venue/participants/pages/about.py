"""Pages that stand beside requests and contracts: the specification, what may be referred to, notifications."""

from __future__ import annotations

import tomllib
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from mtok.calendar import format_instant
from mtok.settlement.people import PARTICIPANTS
from mtok.venue.accounts.asking import in_role, signed_in
from mtok.venue.accounts.principals import Principal
from mtok.venue.database.models import Notice
from mtok.venue.participants import told

NOTICES_MAX: Final = 100
_NOTIFICATION: Final = "notification"
_ADDRESSES: Final = {
    "request": "venue_request",
    "proposal": "venue_one_terms",
    "contract": "venue_contract",
}


@signed_in
@require_safe
def specification(request: HttpRequest) -> HttpResponse:
    """Return the contract specification as a page, with what contracts may refer to now."""
    found = told.contract_specification()
    content = {
        "title": "Contract specification",
        "found": found,
        "parts": _parts(found["text"]),
        "references": told.offered(),
    }
    return render(request, "venue/participants/specification.html", content)


@in_role(*PARTICIPANTS)
@require_safe
def notifications(request: HttpRequest) -> HttpResponse:
    """Return what an organisation was told, the newest first."""
    content = {"title": "Notifications", "notices": _notices(request.principal), "most": NOTICES_MAX}
    return render(request, "venue/participants/notifications.html", content)


def _parts(text: str) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return the numbers of a specification by part."""
    return [
        (part, [{"name": name, **entry, "value": _number(entry["value"])} for name, entry in entries.items()])
        for part, entries in tomllib.loads(text).items()
        if isinstance(entries, dict)
    ]


def _number(value: int | list[int]) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value[0]}/{value[1]}"


def _notices(principal: Principal) -> list[dict[str, str]]:
    """Return the notifications of a principal's organisation and of its login, the newest first."""
    both = Notice.objects.filter(kind=_NOTIFICATION, party=principal.party)
    both |= Notice.objects.filter(kind=_NOTIFICATION, login_id=principal.login, party=None)
    return [
        {
            "at": format_instant(one.at),
            "text": one.text,
            "url_name": _ADDRESSES.get(one.object_kind, "") if one.object else "",
            "object": one.object,
        }
        for one in both.order_by("-at", "-id")[:NOTICES_MAX]
    ]
