"""The first pages: what the venue is and what one can do there, and what there is to one's own account."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from mtok.venue.accounts.asking import has_second_factor, principal_of, signed_in
from mtok.venue.accounts.models import Organisation
from mtok.venue.accounts.principals import Principal
from mtok.venue.accounts.shown import shown_links


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Return what the venue is, to a stranger; what they can do here, to who is signed in."""
    principal = principal_of(request)
    content = {"title": "The venue" if principal else "A venue for the price of AI tokens"}
    if principal is None:
        return render(request, "venue/home.html", content)
    return render(
        request,
        "venue/home.html",
        content
        | {
            "standing_said": standing_said(principal),
            "has_second_factor": has_second_factor(principal.login),
            "may_apply": not principal.roles,
            "doings": [link for link in shown_links(request) if link["does"]],
        },
    )


def standing_said(principal: Principal) -> str:
    """Return in a sentence as what somebody is here."""
    if not principal.roles:
        return "Your login has no role yet. Roles are given by two people of the venue."
    roles = ", ".join(sorted(role.replace("_", " ") for role in principal.roles))
    if principal.party is None:
        return f"You act for the venue as {roles}."
    name = Organisation.objects.get(id=principal.party).legal_name
    return f"You act for {name} as {roles}."


@signed_in
@require_safe
def account(request: HttpRequest) -> HttpResponse:
    """Return what there is to one's own account."""
    content = {
        "title": "Your account",
        "standing_said": standing_said(request.principal),
        "has_second_factor": has_second_factor(request.principal.login),
        "name": request.user.person.name,
    }
    return render(request, "account/index.html", content)
