"""Pages of requests: the list, one of them, a new one in two steps, an amendment."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from mtok.market.requests import check_fields
from mtok.settlement.machines import Refused
from mtok.settlement.people import PARTICIPANTS, Role
from mtok.settlement.specification import specification
from mtok.venue import place
from mtok.venue.accounts.asking import in_role, second_factor, see_other
from mtok.venue.accounts.principals import Principal
from mtok.venue.database.answering import Answer, answered
from mtok.venue.otc import trading
from mtok.venue.participants import actions, told
from mtok.venue.participants.forecast import forecast
from mtok.venue.participants.forms import AmendmentForm, RequestForm, initial_of, once, told_wrong
from mtok.venue.participants.given import FieldsInvalid
from mtok.venue.participants.words import REQUEST_STATES, month_of_text

_COMMANDS: Final = {
    "confirm": actions.confirm,
    "pause": actions.pause,
    "resume": actions.resume,
    "cancel": actions.cancel,
}
OVER: Final = frozenset({"rejected", "cancelled", "expired", "filled", "suspended"})


@in_role(*PARTICIPANTS)
@require_safe
def requests(request: HttpRequest) -> HttpResponse:
    """Return the requests of an organisation, those that are not over first."""
    found = [_shown(one) for one in told.requests(request.principal)]
    content = {
        "title": "Your requests",
        "open": [one for one in found if one["state"] not in OVER],
        "over": [one for one in found if one["state"] in OVER],
        "clock": told.clock_json(),
        "may_submit": Role.PARTICIPANT_USER in request.principal.roles,
    }
    return render(request, "venue/participants/requests.html", content)


@in_role(*PARTICIPANTS)
@require_safe
def one_request(request: HttpRequest, identity: str) -> HttpResponse:
    """Return a request, with what can be done to it."""
    found = _shown(told.request(request.principal, identity))
    may = Role.PARTICIPANT_USER in request.principal.roles
    content = {
        "title": f"Request: {found['reference']}, {found['month_said']}",
        "one": found,
        "commands": _possible(found) if may else [],
        "may_amend": may and found["state"] == "live",
        "clock": told.clock_json(),
    }
    return render(request, "venue/participants/request.html", content)


@in_role(Role.PARTICIPANT_USER)
@second_factor
@require_http_methods(["GET", "HEAD", "POST"])
def new_request(request: HttpRequest) -> HttpResponse:
    """Return the form, of what was written a preview, and of what was confirmed the request it became."""
    if request.method != "POST":
        return _form(request, RequestForm(initial={"settlement": "average"}))
    form = RequestForm(request.POST)
    if "edit" in request.POST:
        return _form(request, RequestForm(initial=form.written()))
    try:
        asked = actions.request_of(form.written(), "", place.now())
        surroundings = trading.surroundings()
        references = surroundings.references([asked.reference], place.now())
        check_fields(asked, place.now(), references, specification())
        if "submit" in request.POST:
            return _submitted(request, form.written())
    except (FieldsInvalid, Refused) as error:
        told_wrong(form, error)
        return _form(request, form, status=422)
    content = {
        "title": "Is this what you want?",
        "found": forecast(asked),
        "written": {name: value for name, value in form.written().items() if value not in ("", False)},
        "once": once(),
        "rules": specification(),
    }
    return render(request, "venue/participants/preview.html", content)


def _submitted(request: HttpRequest, written: dict[str, object]) -> HttpResponse:
    """Send a request to the desk, once for each time that its preview was shown."""
    principal: Principal = request.principal

    def work() -> Answer:
        return Answer(status=201, body=actions.submit(principal, written))

    asked = json.dumps(written, sort_keys=True).encode()
    made = answered(f"form:{principal.login}", request.POST.get("once"), asked, work, trading.in_time)
    return see_other(reverse("venue_request", args=[made.body]))


def _form(request: HttpRequest, form: RequestForm, status: int = 200) -> HttpResponse:
    offered = told.offered()
    content = {
        "title": "A new request",
        "form": form,
        "not_offered": [one for one in offered if not one["is_offered"]],
        "offered": [one for one in offered if one["is_offered"]],
        "clock": told.clock_json(),
    }
    return render(request, "venue/participants/new.html", content, status=status)


@in_role(Role.PARTICIPANT_USER)
@second_factor
@require_http_methods(["GET", "HEAD", "POST"])
def amend(request: HttpRequest, identity: str) -> HttpResponse:
    """Return the form with the request as it is, and of what was written the request as it has become."""
    found = _shown(told.request(request.principal, identity))
    form = AmendmentForm(request.POST if request.method == "POST" else None, initial=initial_of(found))
    if request.method == "POST":
        try:
            actions.amend(request.principal, identity, form.written())
            return see_other(reverse("venue_request", args=[identity]))
        except (FieldsInvalid, Refused) as error:
            told_wrong(form, error)
    content = {"title": "Amend a request", "form": form, "one": found, "rules": specification()}
    return render(request, "venue/participants/amend.html", content, status=422 if form.errors else 200)


@in_role(Role.PARTICIPANT_USER)
@second_factor
@require_POST
def command(request: HttpRequest, identity: str, name: str) -> HttpResponse:
    """Give a command to a request and return to it."""
    _COMMANDS[name](request.principal, identity)
    return see_other(f"{reverse('venue_request', args=[identity])}?{urlencode({'done': name})}")


def _shown(one: dict[str, Any]) -> dict[str, Any]:
    """Return a request with what people read of it."""
    return {
        **one,
        "month_said": month_of_text(one["month"]),
        "state_said": REQUEST_STATES[one["state"]],
        "needs_confirmation": one["state"] == "live"
        and not one["is_firm_for_next_run"]
        and one["next_run"] < one["expires"],
    }


def _possible(found: dict[str, Any]) -> list[dict[str, str]]:
    """Return the commands that the owner of a request may give it now, with what they do."""
    state = found["state"]
    possible = []
    if state == "live":
        possible.append({"name": "pause", "does": "Pause", "kind": "quiet"})
    if state == "paused":
        possible.append({"name": "resume", "does": "Resume", "kind": "main"})
    if state in ("live", "paused"):
        possible.append({"name": "cancel", "does": "Cancel what is left", "kind": "danger"})
    return possible
