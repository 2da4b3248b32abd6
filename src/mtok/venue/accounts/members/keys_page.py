"""The page of one's keys of the API: which are in use, one made and shown once, one ended."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from mtok.settlement.people import PARTICIPANTS
from mtok.venue.accounts import api_keys
from mtok.venue.accounts.asking import in_role, see_other, stepped_up
from mtok.venue.accounts.filled import STATUS_REFUSED, tried
from mtok.venue.accounts.members.forms import NewKey


@in_role(*PARTICIPANTS)
@stepped_up
@require_http_methods(["GET", "HEAD", "POST"])
def keys(request: HttpRequest) -> HttpResponse:
    """Return one's keys; make one, or end one. The answer to making one is the only place where it ever stands."""
    ended = request.POST.get("end")
    if ended:
        api_keys.end(request.principal, ended)
        messages.success(request, "Ended: it is of no use from now on.")
        return see_other(reverse("api_keys"))
    form = NewKey(request.POST if request.method == "POST" else None)
    made = None
    if request.method == "POST":
        made = tried(form, lambda: api_keys.make(request.principal, **form.cleaned_data))
    content = {
        "title": "Keys of the API",
        "text": made[1] if made else "",
        "keys": api_keys.live(request.principal),
        "keys_max": api_keys.KEYS_MAX,
        "form": NewKey() if made else form,
    }
    status = STATUS_REFUSED if form.is_bound and made is None else 200
    return render(request, "venue/members/keys.html", content, status=status)
