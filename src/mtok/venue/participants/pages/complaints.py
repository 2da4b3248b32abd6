"""Complaints of a participant: written, answered by the venue, and never taken back."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from mtok.calendar import format_instant
from mtok.errors import BadInput
from mtok.settlement.people import PARTICIPANTS
from mtok.venue.accounts.asking import in_role, second_factor, see_other
from mtok.venue.database.models import Notice
from mtok.venue.otc import threads

_SHOWN: Final = 50
_FIRST_CHARS: Final = 160


class ComplaintForm(forms.Form):
    """What is written into a thread."""

    text = forms.CharField(
        label="What is wrong",
        max_length=threads.TEXT_MAX,
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text="Everybody who works for the venue, and its auditors, may read it. It cannot be taken back.",
    )


@in_role(*PARTICIPANTS)
@second_factor
@require_http_methods(["GET", "HEAD", "POST"])
def complaints(request: HttpRequest) -> HttpResponse:
    """Return the complaints of an organisation, the latest first; write one."""
    form = ComplaintForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = threads.complain(request.principal, form.cleaned_data["text"])
        except BadInput as error:
            form.add_error("text", f"{error.found}. {error.remedy}")
        else:
            messages.success(request, "Written. The answer comes here.")
            return see_other(reverse("venue_complaint", args=[made.pk]))
    rows = [_row(one) for one in threads.threads(request.principal, size=_SHOWN)]
    content = {"title": "Complaints", "rows": rows, "most": _SHOWN, "form": form}
    return render(request, "venue/participants/complaints.html", content, status=_status(form))


@in_role(*PARTICIPANTS)
@second_factor
@require_http_methods(["GET", "HEAD", "POST"])
def complaint(request: HttpRequest, identity: str) -> HttpResponse:
    """Return a complaint with its answers; add to it. Raises AnswerIsNo (`not_found`)."""
    found = threads.thread(request.principal, identity)
    form = ComplaintForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            threads.answer(request.principal, identity, form.cleaned_data["text"])
        except BadInput as error:
            form.add_error("text", f"{error.found}. {error.remedy}")
        else:
            messages.success(request, "Added.")
            return see_other(request.path)
    said = [_said(one) for one in (found.first, *found.answers)]
    content = {"title": "Complaint", "said": said, "form": form}
    return render(request, "venue/participants/complaint.html", content, status=_status(form))


def _status(form: forms.Form) -> int:
    return 422 if form.errors else 200


def _row(one: Notice) -> dict[str, Any]:
    text = one.text if len(one.text) <= _FIRST_CHARS else f"{one.text[:_FIRST_CHARS]}…"
    return {"id": one.pk, "at": format_instant(one.at), "text": text}


def _said(one: Notice) -> dict[str, Any]:
    """Return one text of a thread; who answered for the venue is not named."""
    return {"by": "You" if one.party else "The venue", "at": format_instant(one.at), "text": one.text}
