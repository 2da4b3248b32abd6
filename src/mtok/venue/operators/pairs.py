"""Proposals as the desk sees them: candidates to send or to drop within the slot, terms, what both sides asked for."""

from __future__ import annotations

import secrets
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from mtok.errors import AnswerIsNo
from mtok.market.book import PROPOSAL
from mtok.market.cycle import slot_end, terms_end
from mtok.market.parties import NONCE_BYTES
from mtok.market.proposals import ENDED, WITH_TERMS, Nonces
from mtok.settlement.people import Role
from mtok.settlement.specification import specification
from mtok.venue import place
from mtok.venue.accounts.asking import in_role
from mtok.venue.database.models import ProposalRow
from mtok.venue.operators.acting import SHOWN, answering, digest_of, done, given, refuse_stale
from mtok.venue.operators.describing import facts
from mtok.venue.operators.desk import PAGE_ROWS, clock_words
from mtok.venue.otc import amending, trading
from mtok.venue.otc.amending import Wanted
from mtok.venue.pages.paging import page_of

_DROPPED: Final = "Dropped: its lots are free again, and neither side hears of it."
_SENT: Final = "Sent: both sides can read the terms and approve them."
_AMENDED: Final = "Amended: both sides read other terms now; approvals of the old ones are gone."


@in_role(Role.DESK)
@require_safe
def proposals(request: HttpRequest) -> HttpResponse:
    """Return candidates, terms, and what has ended, each as it is for the desk."""
    who = request.principal
    going_on = trading.all_open(who, Role.DESK)[PROPOSAL]
    ended = ProposalRow.objects.filter(state__in=ENDED).order_by("-run", "pk")
    page, pages = page_of(request.GET.get("page", ""), ended.count(), PAGE_ROWS)
    ids = ended.values_list("pk", flat=True)[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]
    content = {
        "title": "Proposals",
        "clock": clock_words(place.now()),
        "candidates": [one for one in going_on if one["state"] == "candidate"],
        "terms": [one for one in going_on if one["state"] in WITH_TERMS],
        "ended": trading.some(who, Role.DESK, PROPOSAL, list(ids)),
        "page": page,
        "pages": pages,
    }
    return render(request, "venue/operators/proposals.html", content)


@in_role(Role.DESK)
@require_safe
def proposal_page(request: HttpRequest, identity: str) -> HttpResponse:
    """Return one proposal, and what can be done with it now."""
    shown = trading.seen(request.principal, PROPOSAL, identity, Role.DESK)
    return render(request, "venue/operators/proposal.html", _content(shown))


def _content(shown: dict[str, Any]) -> dict[str, Any]:
    rules = specification()
    has_terms = shown["state"] in WITH_TERMS
    return {
        "title": f"Proposal {shown['id']}",
        "identity": shown["id"],
        "shown": shown,
        "facts": facts(shown, without=("id", "buy", "sell")),
        "digest": digest_of(shown),
        "shown_field": SHOWN,
        "is_candidate": shown["state"] == "candidate",
        "has_terms": has_terms,
        "slot_end": slot_end(shown["run"], rules),
        "terms_end": terms_end(shown["run"], rules),
        "asked": [{"asked": one, "digest": digest_of(one.wanted)} for one in amending.asked(shown["id"])],
    }


@in_role(Role.DESK)
@require_POST
@answering
def proposal_command(request: HttpRequest, identity: str, command: str) -> HttpResponse:
    """Send or drop a candidate, or give the amendment that both sides asked for."""
    page = reverse("desk_proposal", kwargs={"identity": identity})
    if command == "send":
        nonces = Nonces(buyer=secrets.token_hex(NONCE_BYTES), seller=secrets.token_hex(NONCE_BYTES))
        given(request, Role.DESK, PROPOSAL, identity, command, nonces)
        return done(request, _SENT, page)
    if command == "drop":
        given(request, Role.DESK, PROPOSAL, identity, command)
        return done(request, _DROPPED, page)
    if command != "amend":
        raise AnswerIsNo("not_found", f"the desk has no command {command}", "See the proposal.")
    wanted = _wanted(request, identity)

    def work() -> None:
        refuse_stale(request, trading.seen(request.principal, PROPOSAL, identity, Role.DESK))
        amending.amend(request.principal, identity, wanted)

    trading.in_time(work)
    return done(request, _AMENDED, page)


def _wanted(request: HttpRequest, identity: str) -> Wanted:
    """Return which of the amendments asked for a form names, by its digest. Raises AnswerIsNo (`not_asked`)."""
    named = request.POST.get("wanted", "")
    found = [one.wanted for one in amending.asked(identity) if digest_of(one.wanted) == named]
    if not found:
        raise AnswerIsNo("not_asked", "nobody asks for this any more", "Look at the proposal again.")
    return found[0]
