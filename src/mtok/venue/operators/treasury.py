"""Contracts as the treasury sees them, and its commands: each is looked at, as the core would carry it out, before it
is given.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from mtok.errors import AnswerIsNo
from mtok.market.book import CONTRACT, MACHINES
from mtok.market.contracts import OpenCall, Posted
from mtok.settlement.machines import Refused
from mtok.settlement.people import Role
from mtok.venue import place
from mtok.venue.accounts.asking import in_role, stepped_up
from mtok.venue.operators.acting import (
    SHOWN,
    ReasonForm,
    answering,
    digest_of,
    done,
    given,
    refuse_stale,
)
from mtok.venue.operators.describing import facts, terms_facts, terms_line
from mtok.venue.operators.desk import PAGE_ROWS
from mtok.venue.operators.money import PostedForm
from mtok.venue.operators.resting import details_of_command
from mtok.venue.operators.said import waiting
from mtok.venue.operators.telling import what_happens
from mtok.venue.otc import trading
from mtok.venue.pages.paging import page_of

_POSTING: Final = frozenset({"activate", "post"})
_OF_TWO: Final = frozenset({"notice", "cure", "close_out", "end"})
_DOES: Final[Mapping[str, str]] = {
    "activate": "Initial margin has arrived",
    "post": "Collateral has arrived",
    "settle": "The last payment has been made",
    "close": "The collateral has been returned",
    "notice": "Give notice of default",
    "cure": "The default is cured",
    "close_out": "Close out",
    "end": "End it at its last locked mark, nobody’s fault",
}


@dataclass(frozen=True, kw_only=True)
class CallRow:
    """A call that is not paid."""

    contract: str
    call: OpenCall
    is_overdue: bool


@in_role(Role.TREASURY)
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """Return the contracts that are not over, the calls that are open, and what waits for a second person."""
    contracts = trading.all_open(request.principal, Role.TREASURY)[CONTRACT]
    page, pages = page_of(request.GET.get("page", ""), len(contracts), PAGE_ROWS)
    content = {
        "title": "Treasury",
        "calls": sorted(_calls(contracts, place.now()), key=lambda row: row.call.due),
        "contracts": [_row(one) for one in contracts[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]],
        "waiting": waiting(request.principal, (CONTRACT,)),
        "page": page,
        "pages": pages,
    }
    return render(request, "venue/operators/treasury.html", content)


def _calls(contracts: list[dict[str, Any]], now: int) -> Iterator[CallRow]:
    for one in contracts:
        for call in one["calls"]:
            yield CallRow(contract=one["id"], call=call, is_overdue=now >= call.due)


def _row(shown: Mapping[str, Any]) -> dict[str, Any]:
    return {"shown": shown, "terms": json.loads(shown["terms"])}


@in_role(Role.TREASURY)
@require_safe
def contract_page(request: HttpRequest, identity: str) -> HttpResponse:
    """Return a contract: what it is, every day of its margin, calls, end, and what can be done now."""
    shown = trading.seen(request.principal, CONTRACT, identity, Role.TREASURY)
    content = contract_content(shown) | {
        "commands": [
            {"name": name, "does": _DOES[name], "is_of_two": name in _OF_TWO} for name in _possible(shown)
        ],
        "waiting": waiting(request.principal, (CONTRACT,), identity),
    }
    return render(request, "venue/operators/contract.html", content)


def contract_content(shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a page of a contract shows, whoever of the venue looks at it."""
    now = place.now()
    return {
        "title": f"Contract {shown['id']}",
        "identity": shown["id"],
        "summary": terms_line(shown["terms"]),
        "facts": facts(shown, without=("id", "calls")),
        "terms": terms_facts(shown["terms"]),
        "days": shown["days"],
        "calls": [
            CallRow(contract=shown["id"], call=one, is_overdue=now >= one.due) for one in shown["calls"]
        ],
    }


def _possible(shown: Mapping[str, Any]) -> list[str]:
    rows = MACHINES[CONTRACT].rows
    return [row.command for row in rows if row.state == shown["state"] and Role.TREASURY in row.who]


@in_role(Role.TREASURY)
@require_http_methods(["GET", "HEAD", "POST"])
@answering
def contract_command(request: HttpRequest, identity: str, command: str) -> HttpResponse:
    """Return what a command would do, as the core would do it; sent from that page it is given, or half said."""
    if command not in _DOES:
        raise AnswerIsNo("not_found", f"the treasury has no command {command}", "See the contract.")
    return (_of_two if command in _OF_TWO else _of_one)(request, identity, command)


def _of_one(request: HttpRequest, identity: str, command: str) -> HttpResponse:
    """Return the page of a command that one person gives; the amounts are typed first, then all of it is confirmed."""
    shown = trading.seen(request.principal, CONTRACT, identity, Role.TREASURY)
    may_post = command in _POSTING and command in _possible(shown)
    form = PostedForm(request.POST or None) if may_post else None
    if form is not None and not (request.method == "POST" and form.is_valid()):
        status = 422 if request.method == "POST" else 200
        return _page(request, shown, command, form=form, status=status)
    details = Posted() if form is None else form.posted()
    if request.method == "POST" and "sure" in request.POST:
        given(request, Role.TREASURY, CONTRACT, identity, command, details)
        return done(request, f"Done: {_DOES[command][0].lower()}{_DOES[command][1:]}.", _address(identity))
    return _page(request, shown, command, details=details, typed={} if form is None else form.typed())


@stepped_up
def _of_two(request: HttpRequest, identity: str, command: str) -> HttpResponse:
    """Return the page of a command that takes two; sent from it, half of it is said."""
    shown = trading.seen(request.principal, CONTRACT, identity, Role.TREASURY)
    form = ReasonForm(request.POST or None) if command == "end" else None
    if request.method == "POST" and (form is None or form.is_valid()):
        reason = "" if form is None else form.cleaned_data["reason"]

        def work() -> None:
            now_shown = trading.seen(request.principal, CONTRACT, identity, Role.TREASURY)
            refuse_stale(request, now_shown)
            details = details_of_command(command, now_shown, reason)
            trading.rehearsed(request.principal, Role.TREASURY, CONTRACT, command, identity, details)
            trading.intend(request.principal, CONTRACT, command, identity, details)

        trading.in_time(work)
        said = "Said. Nothing happens until another operator of the treasury confirms it."
        return done(request, said, _address(identity))
    details = details_of_command(command, shown, "as written below")
    status = 422 if request.method == "POST" else 200
    return _page(request, shown, command, details=details, reason=form, status=status)


def _page(
    request: HttpRequest,
    shown: Mapping[str, Any],
    command: str,
    *,
    details: Any = None,
    form: forms.Form | None = None,
    reason: forms.Form | None = None,
    typed: Mapping[str, str] | None = None,
    status: int = 200,
) -> HttpResponse:
    """Return a page of a command: the amounts to type, or what it would do and a button, or why not."""
    identity, refused = shown["id"], None
    sentences: list[str] = []
    if form is None:
        try:
            after = trading.rehearsed(request.principal, Role.TREASURY, CONTRACT, command, identity, details)
            sentences = what_happens(shown, after)
        except Refused as error:
            refused = error
    content = {
        "title": _DOES[command],
        "identity": identity,
        "command": command,
        "is_of_two": command in _OF_TWO,
        "form": form,
        "reason": reason,
        "typed": typed or {},
        "sentences": sentences,
        "refused": refused,
        "summary": terms_line(shown["terms"]),
        "facts": facts(shown, without=("id", "approvals", "agreed")),
        "initial_margin": json.loads(shown["terms"])["initial_margin"],
        "digest": digest_of(shown),
        "shown_field": SHOWN,
        "page": _address(identity),
    }
    return render(request, "venue/operators/command.html", content, status=status)


def _address(identity: str) -> str:
    return reverse("treasury_contract", kwargs={"identity": identity})
