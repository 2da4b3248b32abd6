"""One request as the desk sees it, and what the desk may do with it: accept, reject, pause, resume, say to suspend."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from mtok.errors import AnswerIsNo
from mtok.market.book import MACHINES, REQUEST
from mtok.settlement.people import Role
from mtok.venue.accounts.asking import in_role
from mtok.venue.operators.acting import (
    SHOWN,
    ReasonForm,
    answering,
    digest_of,
    done,
    given,
    just_stepped_up,
    refuse_stale,
)
from mtok.venue.operators.describing import facts
from mtok.venue.operators.said import waiting
from mtok.venue.otc import trading

_WITH_REASON: Final = frozenset({"reject", "suspend"})
_DONE: Final = {
    "accept": "Accepted: it is live, and its priority counts from now.",
    "reject": "Rejected, with your reason.",
    "pause": "Paused: it takes part in no run until it is resumed.",
    "resume": "Resumed: it is live again.",
}


@in_role(Role.DESK)
@require_safe
def request_page(request: HttpRequest, identity: str) -> HttpResponse:
    """Return a request as the desk sees it."""
    return render(request, "venue/operators/request.html", _content(request, identity))


def _content(
    request: HttpRequest, identity: str, form: ReasonForm | None = None, wrong: str = ""
) -> dict[str, Any]:
    shown = trading.seen(request.principal, REQUEST, identity, Role.DESK)
    rows = [row for row in MACHINES[REQUEST].rows if row.state == shown["state"] and Role.DESK in row.who]
    forms = {name: ReasonForm(auto_id=f"{name}_%s") for name in _WITH_REASON}
    if form is not None:
        forms[wrong] = form
    return {
        "title": f"Request {identity}",
        "identity": identity,
        "facts": facts(shown, without=("id",)),
        "digest": digest_of(shown),
        "shown_field": SHOWN,
        "commands": {row.command for row in rows},
        "reject_form": forms["reject"],
        "suspend_form": forms["suspend"],
        "waiting": waiting(request.principal, (REQUEST,), identity),
    }


@in_role(Role.DESK)
@require_POST
@answering
def request_command(request: HttpRequest, identity: str, command: str) -> HttpResponse:
    """Give a command of the desk's to a request."""
    if command not in _DONE:
        raise AnswerIsNo("not_found", f"the desk has no command {command}", "See the request.")
    page = reverse("desk_request", kwargs={"identity": identity})
    details = None
    if command in _WITH_REASON:
        form = ReasonForm(request.POST, auto_id=f"{command}_%s")
        if not form.is_valid():
            content = _content(request, identity, form, command)
            return render(request, "venue/operators/request.html", content, status=422)
        details = form.cleaned_data["reason"]
    given(request, Role.DESK, REQUEST, identity, command, details)
    gone = not trading.some(request.principal, Role.DESK, REQUEST, [identity])
    return done(request, _DONE[command], reverse("desk") if gone else page)


@in_role(Role.DESK)
@require_POST
@just_stepped_up
@answering
def suspend(request: HttpRequest, identity: str) -> HttpResponse:
    """Say that a request is to be suspended; another operator confirms it."""
    form = ReasonForm(request.POST, auto_id="suspend_%s")
    if not form.is_valid():
        content = _content(request, identity, form, "suspend")
        return render(request, "venue/operators/request.html", content, status=422)

    def work() -> None:
        refuse_stale(request, trading.seen(request.principal, REQUEST, identity, Role.DESK))
        trading.intend(request.principal, REQUEST, "suspend", identity, form.cleaned_data["reason"])

    trading.in_time(work)
    page = reverse("desk_request", kwargs={"identity": identity})
    return done(request, "Said. Nothing happens until another operator of the desk confirms it.", page)
