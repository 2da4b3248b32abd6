"""Pages of contracts: where each stands, every margin day, its documents, and what both sides may agree on."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from mtok.calendar import parse_date
from mtok.canonical import canonical_bytes
from mtok.settlement.machines import Refused
from mtok.settlement.people import PARTICIPANTS, Role
from mtok.venue.accounts.asking import in_role, second_factor, see_other, stepped_up
from mtok.venue.accounts.principals import Principal
from mtok.venue.api.written import download
from mtok.venue.charts.axes import Days
from mtok.venue.charts.panels import Line, Plot, plot
from mtok.venue.participants import actions, told
from mtok.venue.participants.forms import DayForm, DisputeForm, PriceForm, told_wrong
from mtok.venue.participants.given import FieldsInvalid
from mtok.venue.participants.words import CONTRACT_STATES, month_of_text, side_said
from mtok.wording.figures import counted, day_text, trimmed

OVER: Final = frozenset({"voided", "closed", "closed_out", "terminated"})
_RUNNING: Final = frozenset({"active", "disrupted"})
_WITH_STATEMENT: Final = frozenset({"final_pending", "settled", "closed"})
_DOCUMENTS: Final[dict[str, Callable[[Principal, str], dict[str, Any]]]] = {
    "confirmation": told.confirmation,
    "statement": told.settlement_statement,
    "fpml": told.as_fpml,
}


@in_role(*PARTICIPANTS)
@require_safe
def contracts(request: HttpRequest) -> HttpResponse:
    """Return the contracts of an organisation, those that are not over first."""
    found = [_shown(one) for one in told.contracts(request.principal)]
    content = {
        "title": "Contracts",
        "open": [one for one in found if one["state"] not in OVER],
        "over": [one for one in found if one["state"] in OVER],
    }
    return render(request, "venue/participants/contracts.html", content)


@in_role(*PARTICIPANTS)
@require_safe
def one_contract(request: HttpRequest, identity: str) -> HttpResponse:
    """Return a contract."""
    return _page(request, identity)


@in_role(*PARTICIPANTS)
@require_POST
def contact(request: HttpRequest, identity: str) -> HttpResponse:
    """Return a contract with whom to reach at the other side; that it was opened is written down."""
    return _page(request, identity, contact=told.counterparty_contact(request.principal, identity))


@in_role(*PARTICIPANTS)
@require_safe
def document(request: HttpRequest, identity: str, name: str) -> HttpResponse:
    """Return a document of a contract as a page to print."""
    found = _DOCUMENTS[name](request.principal, identity)
    content = {"title": f"Contract {identity}: {name}", "found": found, "identity": identity, "name": name}
    return render(request, f"venue/participants/{name}.html", content)


@in_role(*PARTICIPANTS)
@require_safe
def document_file(request: HttpRequest, identity: str, name: str) -> HttpResponse:
    """Return a document of a contract as canonical JSON."""
    raw = canonical_bytes(_DOCUMENTS[name](request.principal, identity))
    return download(HttpResponse(raw, content_type="application/json"), f"{name}-{identity}.json")


@in_role(Role.PARTICIPANT_APPROVER)
@stepped_up
@require_http_methods(["GET", "HEAD", "POST"])
def agree(request: HttpRequest, identity: str) -> HttpResponse:
    """Ask for the value of a day without a mark, and say it for one's side."""
    return _said(request, identity, DayForm, actions.agree, "Agree on a day without a mark")


@in_role(Role.PARTICIPANT_APPROVER)
@stepped_up
@require_http_methods(["GET", "HEAD", "POST"])
def terminate(request: HttpRequest, identity: str) -> HttpResponse:
    """Ask for a price to end a contract at, and say it for one's side."""
    return _said(request, identity, PriceForm, actions.terminate, "End a contract before its time")


@in_role(Role.PARTICIPANT_APPROVER)
@second_factor
@require_http_methods(["GET", "HEAD", "POST"])
def dispute(request: HttpRequest, identity: str) -> HttpResponse:
    """Return the form for a dispute, and of what was written the contract whose mark it is of."""
    found = _shown(told.contract(request.principal, identity))
    form = (
        DisputeForm(request.POST, request.FILES)
        if request.method == "POST"
        else DisputeForm(initial=request.GET.dict())
    )
    if request.method == "POST":
        try:
            actions.dispute(request.principal, identity, form.written())
        except (FieldsInvalid, Refused) as error:
            told_wrong(form, error)
        else:
            messages.success(request, _DISPUTED)
            return see_other(reverse("venue_contract", args=[identity]))
    open_marks = [one for one in told.marks(request.principal, identity) if one["can_be_disputed"]]
    content = {"title": "Dispute a mark", "form": form, "one": found, "marks": open_marks}
    status = 422 if form.errors else 200
    return render(request, "venue/participants/dispute.html", content, status=status)


_DISPUTED: Final = (
    "Disputed. What both numbers agree on is still moved; two people who did not make the mark decide."
)


def _said(
    request: HttpRequest,
    identity: str,
    kind: type[PriceForm],
    act: Callable[[Principal, str, dict[str, object]], bool],
    title: str,
) -> HttpResponse:
    found = _shown(told.contract(request.principal, identity))
    form = kind(request.POST) if request.method == "POST" else kind(initial=request.GET.dict())
    if request.method == "POST":
        try:
            agreed = act(request.principal, identity, form.written())
        except (FieldsInvalid, Refused) as error:
            told_wrong(form, error)
        else:
            messages.success(request, _AGREED if agreed else _HALF)
            return see_other(reverse("venue_contract", args=[identity]))
    content = {"title": title, "form": form, "one": found, "ends": kind is PriceForm}
    status = 422 if form.errors else 200
    return render(request, "venue/participants/agree.html", content, status=status)


_AGREED: Final = "The other side had said the same: it is done."
_HALF: Final = "Said for your side. It counts once somebody of the other side says the same, within a day."


def _page(request: HttpRequest, identity: str, contact: str | None = None) -> HttpResponse:
    found = _shown(told.contract(request.principal, identity))
    is_approver = Role.PARTICIPANT_APPROVER in request.principal.roles
    content = {
        "title": f"Contract: {found['terms']['reference']}, {found['month_said']}",
        "one": found,
        "contact": contact,
        "plot": _plot(found),
        "plot_said": _plot_said(found),
        "may_agree": is_approver and found["state"] in _RUNNING,
        "may_dispute": is_approver and found["state"] in _RUNNING,
        "disputes": [
            one
            for one in told.marks(request.principal, identity)
            if one["state"] == "disputed" or one["your_price"]
        ],
        "has_statement": found["state"] in _WITH_STATEMENT,
    }
    return render(request, "venue/participants/contract.html", content)


def _shown(one: dict[str, Any]) -> dict[str, Any]:
    """Return a contract with what people read of it; amounts of the account from one's own side."""
    account, is_buyer = one["account"], one["side"] == "buy"
    return {
        **one,
        "state_said": CONTRACT_STATES[one["state"]],
        "side_said": side_said(one["side"]),
        "month_said": month_of_text(one["terms"]["maturity"]),
        "own_collateral": account["buyer_collateral" if is_buyer else "seller_collateral"],
        "moved_to_you": _to_own(account["moved_to_buyer"], is_buyer),
        "rows": [_day(day, is_buyer) for day in reversed(one["days"])],
        "closing_to_you": _closing(one["closing"], is_buyer),
    }


def _day(day: dict[str, Any], is_buyer: bool) -> dict[str, Any]:
    own = "buyer_collateral" if is_buyer else "seller_collateral"
    called = [call for call in day["calls"] if (call["side"] == "buy") == is_buyer]
    return {
        "date": day["date"],
        "mark": day["mark"],
        "settlement_price": day["settlement_price"],
        **{name: _to_own(day[name], is_buyer) for name in ("target", "due", "moved")},
        "collateral": day[own],
        "call": called[0]["amount"] if called else "",
    }


def _closing(end: dict[str, Any] | None, is_buyer: bool) -> dict[str, Any] | None:
    if end is None:
        return None
    return {
        "price": end["price"],
        "value": _to_own(end["value_to_buyer"], is_buyer),
        "returned": end["to_buyer" if is_buyer else "to_seller"],
        "claim": end["claim"] if end["debtor"] else "",
        "you_owe": end["debtor"] == ("buy" if is_buyer else "sell"),
    }


def _to_own(amount: str, is_buyer: bool) -> str:
    """Return an amount to the buyer as one to one's own side."""
    if is_buyer or not amount.strip("0."):
        return amount
    return amount[1:] if amount.startswith("-") else f"-{amount}"


def _plot(found: dict[str, Any]) -> Plot | None:
    """Return marks and settlement prices over the margin days; days without one are gaps."""
    days = {parse_date(day["date"]): day for day in found["days"]}
    if len(days) < 2:
        return None
    lines = [
        Line(
            kind=kind,
            name=name,
            values={day: Fraction(one[field]) for day, one in days.items()},
            figure=trimmed(days[max(days)][field]),
        )
        for kind, name, field in (
            ("line", "mark", "mark"),
            ("line-2", "price", "settlement_price"),
        )
    ]
    return plot(Days(min(days), max(days)), lines)


def _plot_said(found: dict[str, Any]) -> str:
    dates = [day["date"] for day in found["days"]]
    if not dates:
        return ""
    return (
        f"Mark and settlement price of {counted(len(dates), 'day')}, {day_text(dates[0])} to {day_text(dates[-1])}. "
        "The table below has every figure."
    )
