"""The changes that wait for a second admin, and the page on which that one decides, the second factor just shown."""

from __future__ import annotations

from typing import Final

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from mtok.settlement.machines import Refused
from mtok.settlement.people import Role
from mtok.venue.accounts.admins.described import Described, described
from mtok.venue.accounts.asking import in_role, see_other, stepped_up
from mtok.venue.accounts.changes import decide, undecided
from mtok.venue.accounts.filled import STATUS_REFUSED
from mtok.venue.accounts.models import Change

DECIDED_ROWS: Final = 50

_ANSWERS: Final = {"approve": True, "refuse": False}


@in_role(Role.ADMIN)
@require_safe
def changes(request: HttpRequest) -> HttpResponse:
    """Return the changes that wait, oldest first, and the last that were decided."""
    decided = Change.objects.exclude(decision=None).order_by("-decision__number")[:DECIDED_ROWS]
    content = {
        "title": "Changes",
        "waiting": [described(one) for one in undecided()],
        "decided": [described(one) for one in decided],
    }
    return render(request, "venue/admins/changes.html", content)


@in_role(Role.ADMIN)
@stepped_up
@require_http_methods(["GET", "HEAD", "POST"])
def change(request: HttpRequest, identity: str) -> HttpResponse:
    """Return a change; approve or refuse it."""
    found = Change.objects.select_related("login", "organisation", "proposed_by").filter(id=identity).first()
    if found is None:
        raise Http404
    is_approved = _ANSWERS.get(request.POST.get("answer", ""))
    if is_approved is None:
        return _page(request, described(found), None)
    try:
        decide(request.principal, identity, is_approved=is_approved)
    except Refused as refused:
        return _page(request, described(found), refused)
    messages.success(
        request, "Approved: it is so from now on." if is_approved else "Refused: nothing changes."
    )
    return see_other(reverse("admin_changes"))


def _page(request: HttpRequest, shown: Described, refused: Refused | None) -> HttpResponse:
    content = {"title": "A change", "change": shown, "refused": refused}
    return render(
        request, "venue/admins/change.html", content, status=200 if refused is None else STATUS_REFUSED
    )
