"""How a form of an operator's page becomes a command: of what was shown and nothing else, once, and with a way back.

A form carries the digest of what its page showed. Where that is no longer what is there, nothing is given. A refusal is
a page that says why, what to do, and where the object is; one that asks for the second factor leads there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Final

import msgspec
from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from mtok.canonical import sha256_hex
from mtok.errors import MtokError
from mtok.settlement.machines import Refused
from mtok.settlement.people import Role
from mtok.venue.accounts.asking import has_just_stepped_up, see_other, to_step_up
from mtok.venue.database.giving import Given
from mtok.venue.otc import trading
from mtok.venue.refusals import status_of, told

View = Callable[..., HttpResponse]

SHOWN: Final = "shown"
"""The field of a form that carries the digest of what its page showed."""
_CONFLICT: Final = 409
REASON_MAX: Final = 1000


class ReasonForm(forms.Form):
    """A written reason."""

    reason = forms.CharField(
        label="Reason",
        max_length=REASON_MAX,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="It is kept for good and read by auditors. Name no person.",
    )


def digest_of(shown: Any) -> str:
    """Return the digest of what a page shows of an object."""
    return sha256_hex(msgspec.json.encode(shown, order="deterministic"))


def given(
    request: HttpRequest, role: Role, kind: str, identity: str, command: str, details: Any = None
) -> Given:
    """Give a command of a form, of the object as its page showed it. Raises Refused: `page_stale`, as the core does."""

    def work() -> Given:
        refuse_stale(request, trading.seen(request.principal, kind, identity, role))
        return trading.give(request.principal, kind, command, identity, details)

    return trading.in_time(work)


def refuse_stale(request: HttpRequest, shown: Mapping[str, Any]) -> None:
    """Raise Refused where what a form was made of is no longer what is there."""
    if request.POST.get(SHOWN) != digest_of(shown):
        state = f": it is {shown['state']} now" if "state" in shown else ""
        raise Refused(
            "page_stale",
            f"it has changed since the page was made{state}",
            "Nothing was done. Look at it again; where it still has to be done, do it there.",
        )


def answering(view: View) -> View:
    """Return a view whose refusals of a form are pages with a way back, and lead to the second factor where asked."""

    @wraps(view)
    def answer(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except MtokError as error:
            if request.method != "POST" or error.code == "not_found":
                raise
            if error.code == "step_up":
                return to_second_factor(request)
            return _refused(request, error)

    return answer


def just_stepped_up(view: View) -> View:
    """Return a view for forms of who has just shown a second factor; others are sent to show it and come back."""

    @wraps(view)
    def answer(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if not has_just_stepped_up(request.principal):
            return to_second_factor(request)
        return view(request, *args, **kwargs)

    return answer


def to_second_factor(request: HttpRequest) -> HttpResponse:
    """Return the way to show the second factor, and back to the page a form stood on."""
    messages.info(request, "Show your second factor, then send the form again. Nothing has been done yet.")
    return to_step_up(request, _back(request))


def done(request: HttpRequest, text: str, address: str) -> HttpResponse:
    """Return the way to the page that shows what was done."""
    messages.success(request, text)
    return see_other(address)


def _refused(request: HttpRequest, error: MtokError) -> HttpResponse:
    status = _CONFLICT if isinstance(error, Refused) else int(status_of(error))
    content = {
        "title": "Not done",
        "found": told(error.found),
        "remedy": told(error.remedy),
        "code": error.code,
        "back": _back(request),
    }
    return render(request, "venue/operators/refused.html", content, status=status)


def _back(request: HttpRequest) -> str:
    """Return the page that a form stood on: what a form's address answers to GET, or the object that it names."""
    match = request.resolver_match
    kept = {name: value for name, value in match.kwargs.items() if name == "identity"}
    where = _PAGES.get(match.url_name)
    return reverse(where, kwargs=kept) if where else request.path


_PAGES: Final[Mapping[str, str]] = {
    "desk_request_command": "desk_request",
    "desk_request_suspend": "desk_request",
    "desk_proposal_command": "desk_proposal",
}
"""The names of addresses that take a form and show nothing, and of the page it stands on."""
