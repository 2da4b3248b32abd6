"""The pages of incidents and complaints, for those who run the venue and who audit it."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from mtok.errors import BadCall
from mtok.settlement.people import OPERATORS, Role
from mtok.venue.accounts.asking import in_role
from mtok.venue.accounts.models import Login
from mtok.venue.database.models import Notice
from mtok.venue.operators.acting import answering, done
from mtok.venue.otc import threads

_PAGE_ROWS: Final = 50
_DIGITS_MAX: Final = 18
_FIRST_CHARS: Final = 160


class TextForm(forms.Form):
    """What is written into a thread."""

    text = forms.CharField(
        label="Text",
        max_length=threads.TEXT_MAX,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text="It cannot be changed or taken back; what was wrong is put right in an answer.",
    )


@in_role(*OPERATORS, Role.AUDITOR)
@require_http_methods(["GET", "HEAD", "POST"])
@answering
def notices(request: HttpRequest) -> HttpResponse:
    """Return the threads, the latest first; write an incident."""
    may_write = request.principal.is_operator
    form = TextForm(request.POST or None) if may_write else None
    if request.method == "POST" and (form is None or form.is_valid()):
        text = "" if form is None else form.cleaned_data["text"]
        made = threads.report(request.principal, text)
        return done(request, "Written.", reverse("operators_notice", kwargs={"identity": made.pk}))
    found = threads.threads(request.principal, before=_before(request), size=_PAGE_ROWS + 1)
    content = {
        "title": "Incidents and complaints",
        "threads": [_row(one) for one in found[:_PAGE_ROWS]],
        "next_at": found[_PAGE_ROWS - 1].at if len(found) > _PAGE_ROWS else "",
        "form": form,
    }
    return render(request, "venue/operators/notices.html", content, status=_status(request))


@in_role(*OPERATORS, Role.AUDITOR)
@require_http_methods(["GET", "HEAD", "POST"])
@answering
def notice(request: HttpRequest, identity: str) -> HttpResponse:
    """Return a thread; answer it."""
    may_write = request.principal.is_operator
    form = TextForm(request.POST or None) if may_write else None
    if request.method == "POST" and (form is None or form.is_valid()):
        text = "" if form is None else form.cleaned_data["text"]
        threads.answer(request.principal, identity, text)
        return done(request, "Answered.", request.path)
    found = threads.thread(request.principal, identity)
    content = {
        "title": f"{found.first.kind.capitalize()} {identity}",
        "first": found.first,
        "said": [_said(one) for one in (found.first, *found.answers)],
        "form": form,
    }
    return render(request, "venue/operators/notice.html", content, status=_status(request))


def _status(request: HttpRequest) -> int:
    return 422 if request.method == "POST" else 200


def _row(one: Notice) -> dict[str, Any]:
    text = one.text if len(one.text) <= _FIRST_CHARS else f"{one.text[:_FIRST_CHARS]}…"
    return {"id": one.pk, "kind": one.kind, "at": one.at, "party": one.party or "", "text": text}


def _said(one: Notice) -> dict[str, Any]:
    """Return one text of a thread: of a participant under its pseudonym, of an operator by name."""
    if one.party:
        by = f"participant {one.party}"
    else:
        login = Login.objects.filter(pk=one.login_id).select_related("person").first()
        by = "the venue" if login is None or login.person is None else login.person.name
    return {"by": by, "at": one.at, "text": one.text}


def _before(request: HttpRequest) -> int | None:
    asked = request.GET.get("before", "")
    if not asked:
        return None
    if not (asked.isascii() and asked.isdecimal() and len(asked) <= _DIGITS_MAX):
        raise BadCall("filter_invalid", f"{asked[:20]!r} is no instant", "Follow the links of the page.")
    return int(asked)
