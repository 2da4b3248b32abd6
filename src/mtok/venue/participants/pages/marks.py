"""The marks of a contract as its parties see them, those in the log alone, and the form that disputes one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from mtok.calendar import day_of, format_instant
from mtok.market.contracts import Contract
from mtok.settlement.machines import Refused
from mtok.settlement.people import PARTICIPANTS, Role
from mtok.settlement.values import price_text
from mtok.venue import marking, place
from mtok.venue.accounts.asking import in_role, second_factor, see_other
from mtok.venue.attached import Attached
from mtok.venue.database.marks import Kept, last_kept
from mtok.venue.operators.marks_shown import address_of
from mtok.venue.participants import actions, given
from mtok.venue.participants.forms import PriceForm, told_wrong
from mtok.venue.participants.given import FieldsInvalid


class Dispute(PriceForm, Attached):
    """The value that a party holds to be right, why, and what shows it."""

    field_order = ("price", "reason", "evidence")


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


@in_role(Role.PARTICIPANT_APPROVER)
@second_factor
@require_http_methods(["GET", "HEAD", "POST"])
def dispute(request: HttpRequest, identity: str, date: str) -> HttpResponse:
    """Ask which value is right and why, and dispute the mark of a day. Raises Refused (`not_found`) without one."""
    contract = actions.contract_of(request.principal, identity)
    found = next((one for one in _marks(contract) if one.mark.date == date), None)
    if found is None:
        raise Refused("not_found", f"no mark of {date} is in the log", "See the marks of the contract.")
    form = Dispute(request.POST, request.FILES) if request.method == "POST" else Dispute()
    if request.method == "POST" and form.is_valid():
        try:
            _disputed(request, found, form)
        except (FieldsInvalid, Refused) as error:
            told_wrong(form, error)
        else:
            messages.success(request, "The mark is disputed. Two people of the venue decide about it.")
            return see_other(reverse("venue_contract_marks", args=[identity]))
    content = {"title": f"Dispute the mark of {date}", "form": form, "row": _row(found), "identity": identity}
    return render(request, "venue/participants/dispute.html", content, status=422 if form.errors else 200)


def _disputed(request: HttpRequest, found: Kept, form: Dispute) -> None:
    own_value = given.agreed_price({"price": form.cleaned_data["price"]})
    marking.dispute(request.principal, found.id, own_value, form.cleaned_data["reason"], (form.digest(),))


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
