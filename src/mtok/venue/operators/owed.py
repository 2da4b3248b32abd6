"""What is owed between parties, one payment a netting set: margin that moved on a day, last payments not yet made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from mtok.calendar import day_of, format_date, parse_date
from mtok.errors import BadCall
from mtok.market.contracts import Contract
from mtok.market.netting import Payment, due_of, net
from mtok.settlement.people import Role
from mtok.venue import place
from mtok.venue.accounts.asking import in_role
from mtok.venue.database import books
from mtok.venue.otc import trading

_LAST_PAYMENT: Final = "final_pending"


@dataclass(frozen=True, kw_only=True)
class Owed:
    """What is owed of a day, and at the end of contracts. unsettled : contracts without margin of the day"""

    day: int
    margin: tuple[Payment, ...]
    last: tuple[Payment, ...]
    unsettled: tuple[str, ...]


@in_role(Role.TREASURY)
@require_safe
def obligations(request: HttpRequest) -> HttpResponse:
    """Return what is owed of a day as a table."""
    asked = request.GET.get("date", "")
    day = day_of(place.now()) - 1 if not asked else _day(asked)
    held = books.of_all(trading.surroundings(), place.now())
    content = {
        "title": "Obligations",
        "owed": owed(list(held.book.contracts.values()), day),
        "date": format_date(day),
        "before": format_date(day - 1),
        "after": format_date(day + 1),
    }
    return render(request, "venue/operators/obligations.html", content)


def owed(contracts: list[Contract], day: int) -> Owed:
    """Return what is owed of a day under contracts, and what is owed last."""
    moved = {
        one.id: days[day].moved for one in contracts if day in (days := {own.day: own for own in one.days})
    }
    margin = [due_of(one, moved[one.id]) for one in contracts if one.id in moved]
    last = [
        due_of(one, one.closing.open)
        for one in contracts
        if one.state == _LAST_PAYMENT and one.closing is not None
    ]
    running = [one for one in contracts if one.state in ("active", "disrupted", "default_notice")]
    return Owed(
        day=day,
        margin=tuple(net(one for one in margin if one is not None)),
        last=tuple(net(one for one in last if one is not None)),
        unsettled=tuple(sorted(one.id for one in running if one.id not in moved)),
    )


def _day(asked: str) -> int:
    try:
        return parse_date(asked)
    except ValueError as error:
        raise BadCall("date_invalid", f"{asked[:20]!r} is no date", "Dates are YYYY-MM-DD.") from error
