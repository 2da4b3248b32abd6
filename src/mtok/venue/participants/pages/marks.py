"""The marks of a contract as its parties see them: those in the log alone."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from mtok.calendar import day_of, format_instant
from mtok.market.contracts import Contract
from mtok.settlement.people import PARTICIPANTS, Role
from mtok.settlement.values import price_text
from mtok.venue import place
from mtok.venue.accounts.asking import in_role
from mtok.venue.database.marks import Kept, last_kept
from mtok.venue.operators.marks_shown import address_of
from mtok.venue.participants import actions


@in_role(*PARTICIPANTS)
@require_safe
def contract_marks(request: HttpRequest, identity: str) -> HttpResponse:
    """Return the marks of a contract's days, the newest first."""
    contract = actions.contract_of(request.principal, identity)
    content = {
        "title": f"Marks of {contract.terms.reference}",
        "identity": identity,
        "rows": [_row(one) for one in reversed(_marks(contract))],
        "may_dispute": Role.PARTICIPANT_APPROVER in request.principal.roles,
    }
    return render(request, "venue/participants/marks.html", content)


def _marks(contract: Contract) -> list[Kept]:
    """Return the last version of the marks that a contract's days have in the log, by day."""
    terms = contract.terms
    first, last = day_of(contract.booked_at), terms.exposure.window.last
    found = last_kept(terms.reference, terms.methodology, first, last)
    return [one for one in found if one.mark.log_index is not None]


def _row(found: Kept) -> dict[str, Any]:
    mark = found.mark
    assert mark.dispute_until is not None
    return {
        "date": mark.date,
        "value": price_text(mark.value),
        "level": mark.level,
        "state": mark.state,
        "log_index": mark.log_index,
        "until": format_instant(mark.dispute_until),
        "is_open": mark.state == "published" and place.now() < mark.dispute_until,
        "source_date": mark.source.date,
        "vintage": mark.source.vintage,
        "address": address_of(mark.source),
    }
