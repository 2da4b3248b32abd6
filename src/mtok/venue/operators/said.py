"""Commands that take two persons: what one has said, word for word, and the page on which another one confirms it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from mtok.market.book import CONTRACT, REQUEST
from mtok.settlement.machines import Refused
from mtok.settlement.people import Role
from mtok.venue.accounts.asking import in_role, stepped_up
from mtok.venue.accounts.models import Person
from mtok.venue.accounts.principals import Principal
from mtok.venue.database.models import Intention
from mtok.venue.operators.acting import answering, done
from mtok.venue.operators.describing import command
from mtok.venue.operators.resting import details_again
from mtok.venue.operators.telling import what_happens
from mtok.venue.otc import halves, trading

_SHOWN_MAX: Final = 50
_ROLES: Final = {REQUEST: Role.DESK, CONTRACT: Role.TREASURY}
_PAGES: Final = {REQUEST: "desk_request", CONTRACT: "treasury_contract"}


@dataclass(frozen=True, kw_only=True)
class Said:
    """Half of a command. by : the name of who said it · reason : the words that were said, empty where none were

    is_own : whether who looks has said it, and so cannot confirm it
    """

    id: str
    kind: str
    object: str
    command: str
    by: str
    role: str
    reason: str
    made_at: int
    ends_at: int
    is_own: bool
    address: str


def waiting(principal: Principal, kinds: Iterable[str], identity: str | None = None) -> list[Said]:
    """Return what waits for a second person, of some kinds or of one object, the oldest first."""
    found = halves.still_open().filter(kind__in=set(kinds) & _ROLES.keys(), party=None)
    if identity is not None:
        found = found.filter(object=identity)
    return [_said(principal, one) for one in found[:_SHOWN_MAX] if trading.is_current(one)]


@in_role(Role.DESK, Role.TREASURY)
@stepped_up
@require_http_methods(["GET", "HEAD", "POST"])
@answering
def confirm(request: HttpRequest, identity: str) -> HttpResponse:
    """Return what somebody has said; given its digest, give the command together with them."""
    who = request.principal
    found = Intention.objects.filter(pk=identity, party=None).first()
    role = None if found is None else _ROLES.get(found.kind)
    if found is None or role is None or role not in who.roles:
        raise Refused("not_found", f"nothing waits to be confirmed under {identity[:40]}", "See the list.")
    page = reverse(_PAGES[found.kind], kwargs={"identity": found.object})
    if "withdraw" in request.POST:
        trading.withdraw(who, identity)
        return done(request, "Taken back.", page)
    details = details_again(who, found)
    if request.method == "POST":
        trading.confirm(who, identity, request.POST.get("digest", ""), details)
        return done(request, f"Done, by two persons: {command(found.command)}.", page)
    before = trading.seen(who, found.kind, found.object, role)
    content = {
        "title": f"Confirm: {command(found.command)}",
        "said": _said(who, found),
        "digest": found.digest,
        "is_current": trading.is_current(found) and halves.waits(found),
        "sentences": _rehearsed(who, role, found, details, before),
        "page": page,
    }
    return render(request, "venue/operators/confirm.html", content)


def _rehearsed(
    who: Principal, role: Role, found: Intention, details: Any, before: dict[str, Any]
) -> list[str]:
    """Return in words what would happen; why not, where it would be refused."""
    try:
        after = trading.rehearsed(who, role, found.kind, found.command, found.object, details)
    except Refused as refused:
        return [f"It would be refused now: {refused.found}. {refused.remedy}"]
    return what_happens(before, after)


def _said(principal: Principal, found: Intention) -> Said:
    who = Person.objects.filter(pk=found.person).first()
    return Said(
        id=found.pk,
        kind=found.kind,
        object=found.object,
        command=command(found.command),
        by="somebody unknown" if who is None else who.name,
        role=found.role.replace("_", " "),
        reason=reason_of(found),
        made_at=found.made_at,
        ends_at=found.ends_at,
        is_own=found.person == principal.person,
        address=reverse("operators_confirm", kwargs={"identity": found.pk}),
    )


def reason_of(found: Intention) -> str:
    """Return the reason that was written, empty where none was."""
    said = msgspec.json.decode(found.details)
    if isinstance(said, str):
        return said
    return str(said.get("reason", "")) if isinstance(said, dict) else ""
