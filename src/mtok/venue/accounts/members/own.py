"""A participant's own organisation: applying for it, its data, its lists, its contact and who has opened that."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from mtok.settlement.people import PARTICIPANTS, Role
from mtok.venue.accounts import contacts, parties
from mtok.venue.accounts.asking import in_role, see_other, signed_in, stepped_up
from mtok.venue.accounts.filled import STATUS_REFUSED, tried
from mtok.venue.accounts.members.forms import Application, Contact, Lists


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def application(request: HttpRequest) -> HttpResponse:
    """Return the application of a login, or the form for one; take it."""
    principal = request.principal
    applied = parties.application_of(principal)
    is_open = not principal.roles and (applied is None or applied.state == "refused")
    form = Application(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        made = tried(form, lambda: parties.apply(principal, **form.cleaned_data))
        if made is not None:
            messages.success(request, "Applied. Two people of the venue look at it.")
            return see_other(reverse("application"))
    content = {"title": "Apply for your company", "applied": applied, "form": form, "is_open": is_open}
    status = STATUS_REFUSED if form.is_bound else 200
    return render(request, "venue/members/application.html", content, status=status)


@in_role(*PARTICIPANTS)
@require_safe
def organisation(request: HttpRequest) -> HttpResponse:
    """Return what the venue has of one's organisation."""
    return _page(request)


@in_role(Role.PARTICIPANT_USER)
@require_POST
def lists(request: HttpRequest) -> HttpResponse:
    """Set with whom one's organisation deals."""
    form = Lists(request.POST)

    def work() -> object:
        allowed, blocked = (form.cleaned_data[name].splitlines() for name in ("allowed", "blocked"))
        return parties.edit_lists(request.principal, allowed=allowed, blocked=blocked)

    if tried(form, work) is None:
        return _page(request, lists=form)
    messages.success(request, "The lists are as you sent them.")
    return see_other(reverse("organisation"))


@in_role(*PARTICIPANTS)
@stepped_up
@require_http_methods(["GET", "HEAD", "POST"])
def contact(request: HttpRequest) -> HttpResponse:
    """Return the contact, to be replaced or withdrawn; do it."""
    principal = request.principal
    if request.POST.get("withdraw"):
        contacts.withdraw(principal)
        messages.success(request, "Withdrawn: nobody can open it any more.")
        return see_other(reverse("organisation"))
    form = Contact(request.POST if request.method == "POST" else None)
    if request.method == "POST" and tried(
        form, lambda: contacts.replace(principal, form.cleaned_data["contact"])
    ):
        messages.success(request, "Replaced: the one before can be opened by nobody any more.")
        return see_other(reverse("organisation"))
    own = contacts.own_contact(principal)
    content = {"title": "Contact for settlement", "form": form, "contact": own.shown() if own else ""}
    status = STATUS_REFUSED if form.is_bound else 200
    return render(request, "venue/members/contact.html", content, status=status)


def _page(request: HttpRequest, **sent: forms.Form) -> HttpResponse:
    found = contacts.own_organisation(request.principal)
    content: dict[str, Any] = {
        "title": found.legal_name,
        "organisation": found,
        "is_known": parties.is_known(found),
        "has_contact": contacts.current(found.id) is not None,
        "openings": contacts.openings(found.id),
        "may_edit": Role.PARTICIPANT_USER in request.principal.roles,
        "lists": sent.get("lists")
        or Lists(initial={"allowed": "\n".join(found.allowed), "blocked": "\n".join(found.blocked)}),
    }
    status = STATUS_REFUSED if sent else 200
    return render(request, "venue/members/organisation.html", content, status=status)
