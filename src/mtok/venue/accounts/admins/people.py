"""People and organisations for admins: who has which login and which role, and the forms that propose to change it."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import messages
from django.db.models import Prefetch
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from mtok.settlement.people import Role
from mtok.venue.accounts.admins.described import history
from mtok.venue.accounts.admins.forms import BUTTONS, FORMS, ChangeForm
from mtok.venue.accounts.asking import in_role, see_other
from mtok.venue.accounts.changes import propose
from mtok.venue.accounts.filled import STATUS_REFUSED, tried
from mtok.venue.accounts.kinds import KINDS, is_named
from mtok.venue.accounts.models import Change, Grant, Login, Organisation
from mtok.venue.accounts.parties import is_known
from mtok.venue.pages.paging import page_of

PAGE_ROWS: Final = 50

Forms = dict[str, ChangeForm]


@in_role(Role.ADMIN)
@require_safe
def people(request: HttpRequest) -> HttpResponse:
    """Return the logins, each with its person and its roles."""
    logins = Login.objects.select_related("person").order_by("person__name", "email")
    page, pages = page_of(request.GET.get("page", ""), logins.count(), PAGE_ROWS)
    shown = logins.prefetch_related(Prefetch("grants", Grant.objects.order_by("role")))
    rows = [
        {"login": login, "is_named": is_named(login), "roles": _roles(login)}
        for login in shown[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]
    ]
    content = {"title": "People", "rows": rows, "page": page, "pages": pages}
    return render(request, "venue/admins/people.html", content)


@in_role(Role.ADMIN)
@require_safe
def login(request: HttpRequest, number: int) -> HttpResponse:
    """Return a login: its person, its roles with their history, and what can be proposed."""
    return _login_page(request, _login(number), {})


@in_role(Role.ADMIN)
@require_POST
def login_change(request: HttpRequest, number: int, kind: str) -> HttpResponse:
    """Propose a change of a login."""
    found = _login(number)
    form = _form(kind, "login", found, request.POST)
    change = tried(
        form,
        lambda: propose(
            request.principal, kind, login=found, organisation=form.organisation(), details=form.details()
        ),
    )
    return _login_page(request, found, {kind: form}) if change is None else _proposed(request, change)


@in_role(Role.ADMIN)
@require_safe
def organisations(request: HttpRequest) -> HttpResponse:
    """Return the organisations, applications first."""
    found = sorted(
        Organisation.objects.all(), key=lambda one: (one.state != "applied", one.legal_name, one.id)
    )
    page, pages = page_of(request.GET.get("page", ""), len(found), PAGE_ROWS)
    rows = [
        {"organisation": one, "is_known": is_known(one)}
        for one in found[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]
    ]
    content = {"title": "Organisations", "rows": rows, "page": page, "pages": pages}
    return render(request, "venue/admins/organisations.html", content)


@in_role(Role.ADMIN)
@require_safe
def organisation(request: HttpRequest, identity: str) -> HttpResponse:
    """Return an organisation: what it is admitted as, with its history, and what can be proposed."""
    return _organisation_page(request, _organisation(identity), {})


@in_role(Role.ADMIN)
@require_POST
def organisation_change(request: HttpRequest, identity: str, kind: str) -> HttpResponse:
    """Propose a change of an organisation."""
    found = _organisation(identity)
    form = _form(kind, "organisation", found, request.POST)
    change = tried(form, lambda: propose(request.principal, kind, organisation=found, details=form.details()))
    return _organisation_page(request, found, {kind: form}) if change is None else _proposed(request, change)


def _login_page(request: HttpRequest, found: Login, sent: Forms) -> HttpResponse:
    kinds = ["grant", "withdraw"] if _roles(found) else ["grant", "name"]
    kinds.append("disable" if found.is_active else "enable")
    content = {
        "title": found.email,
        "login": found,
        "is_named": is_named(found),
        "roles": _roles(found),
        "others": Login.objects.filter(person=found.person).exclude(id=found.id).order_by("email"),
        "history": history(Change.objects.filter(login=found).select_related("organisation", "proposed_by")),
        "forms": _forms(kinds, found, sent),
    }
    return render(request, "venue/admins/login.html", content, status=STATUS_REFUSED if sent else 200)


def _organisation_page(request: HttpRequest, found: Organisation, sent: Forms) -> HttpResponse:
    kinds = {"applied": ["admit", "refuse"], "admitted": ["admit"], "refused": []}[found.state]
    if found.state == "admitted":
        kinds = [*kinds, "resume" if found.is_suspended else "suspend"]
    changes = Change.objects.filter(organisation=found).select_related("login", "proposed_by")
    content = {
        "title": found.legal_name,
        "organisation": found,
        "is_known": is_known(found),
        "acting": Grant.objects.filter(organisation=found).select_related("login").order_by("login__email"),
        "history": history(changes),
        "forms": _forms(kinds, found, sent),
    }
    return render(request, "venue/admins/organisation.html", content, status=STATUS_REFUSED if sent else 200)


def _forms(kinds: list[str], subject: Any, sent: Forms) -> list[dict[str, Any]]:
    """Return the forms of a page; one that was sent stands as it was, also where the state does not offer it."""
    return [
        {"kind": kind, "form": sent.get(kind) or FORMS[kind](subject, prefix=kind), "button": BUTTONS[kind]}
        for kind in dict.fromkeys([*kinds, *sent])
    ]


def _form(kind: str, subject: str, about: Any, sent: Any) -> ChangeForm:
    if kind not in KINDS or KINDS[kind].subject != subject:
        raise Http404
    return FORMS[kind](about, sent, prefix=kind)


def _proposed(request: HttpRequest, change: Change) -> HttpResponse:
    messages.success(request, "Proposed. It takes effect when another admin approves it.")
    return see_other(reverse("admin_change", kwargs={"identity": change.id}))


def _roles(found: Login) -> list[Grant]:
    return list(found.grants.all())


def _login(number: int) -> Login:
    found: Login | None = Login.objects.select_related("person").filter(id=number).first()
    if found is None:
        raise Http404
    return found


def _organisation(identity: str) -> Organisation:
    found: Organisation | None = Organisation.objects.select_related("group").filter(id=identity).first()
    if found is None:
        raise Http404
    return found
