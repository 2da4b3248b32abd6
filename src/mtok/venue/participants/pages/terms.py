"""Pages of terms: what is to be approved, to the byte and in words, and the two answers to it."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from mtok.settlement.machines import Refused
from mtok.settlement.people import PARTICIPANTS, Role
from mtok.venue.accounts.asking import in_role, second_factor, see_other, stepped_up
from mtok.venue.api.written import download
from mtok.venue.participants import actions, told
from mtok.venue.participants.forms import OtherTermsForm, told_wrong
from mtok.venue.participants.given import FieldsInvalid
from mtok.venue.participants.words import TERMS_STATES, month_of_text, side_said

_WAITING: Final = "terms"


@in_role(*PARTICIPANTS)
@require_safe
def all_terms(request: HttpRequest) -> HttpResponse:
    """Return the terms of an organisation, those to be answered first."""
    found = [_shown(one) for one in told.all_terms(request.principal)]
    content = {
        "title": "Terms",
        "waiting": [one for one in found if one["state"] == _WAITING],
        "ended": [one for one in found if one["state"] != _WAITING],
        "clock": told.clock_json(),
    }
    return render(request, "venue/participants/all_terms.html", content)


@in_role(*PARTICIPANTS)
@require_safe
def one_terms(request: HttpRequest, identity: str) -> HttpResponse:
    """Return terms with what they mean and would cost to hold."""
    return _page(request, identity, asks=False)


@in_role(Role.PARTICIPANT_APPROVER)
@stepped_up
@require_http_methods(["GET", "HEAD", "POST"])
def approve(request: HttpRequest, identity: str) -> HttpResponse:
    """Ask once more, then approve the digest that was shown."""
    if request.method != "POST":
        return _page(request, identity, asks=True)
    actions.approve(request.principal, identity, {"digest": request.POST.get("digest", "")})
    booked = told.terms(request.principal, identity)["state"] == "booked"
    return see_other(reverse("venue_contract" if booked else "venue_one_terms", args=[identity]))


@in_role(Role.PARTICIPANT_APPROVER)
@second_factor
@require_POST
def decline(request: HttpRequest, identity: str) -> HttpResponse:
    """Decline terms and return to the list."""
    actions.decline(request.principal, identity)
    return see_other(reverse("venue_terms"))


@in_role(Role.PARTICIPANT_APPROVER)
@second_factor
@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: HttpRequest, identity: str) -> HttpResponse:
    """Return the form for other terms, and of what was written the terms it was asked of."""
    found = _shown(told.terms(request.principal, identity))
    given = {"digest": found["digest"], **({} if found["terms"] is None else _usual(found["terms"]))}
    form = OtherTermsForm(request.POST if request.method == "POST" else None, initial=given)
    if request.method == "POST":
        try:
            actions.ask(request.principal, identity, form.written())
            return see_other(reverse("venue_one_terms", args=[identity]))
        except (FieldsInvalid, Refused) as error:
            told_wrong(form, error)
    content = {"title": "Ask for other terms", "form": form, "one": found}
    return render(request, "venue/participants/ask.html", content, status=422 if form.errors else 200)


def _usual(terms: dict[str, Any]) -> dict[str, str]:
    return {"price": terms["price"], "lots": terms["lots"]}


@in_role(*PARTICIPANTS)
@require_safe
def canonical(request: HttpRequest, identity: str) -> HttpResponse:
    """Return the bytes that are approved, as a file."""
    raw = told.canonical_terms(request.principal, identity)
    return download(HttpResponse(raw, content_type="application/json"), f"terms-{identity}.json")


def _page(request: HttpRequest, identity: str, *, asks: bool) -> HttpResponse:
    found = _shown(told.terms(request.principal, identity))
    may = Role.PARTICIPANT_APPROVER in request.principal.roles and found["state"] == _WAITING
    content = {
        "title": "Approve these terms?" if asks else "Terms",
        "one": found,
        "asks": asks and may and not found["is_approved_by_you"],
        "may_approve": may and not found["is_approved_by_you"],
        "may_decline": may,
        "margin": told.terms_margin(request.principal, identity),
    }
    return render(request, "venue/participants/terms.html", content)


def _shown(one: dict[str, Any]) -> dict[str, Any]:
    """Return terms with what people read of them."""
    shown = {**one, "state_said": TERMS_STATES[one["state"]], "side_said": side_said(one["side"])}
    if one["terms"] is not None:
        shown["month_said"] = month_of_text(one["terms"]["maturity"])
        shown["rows"] = [(name.replace("_", " "), value) for name, value in one["terms"].items()]
    return shown
