"""What a request would come to, before anybody sees it: its amount, what it may cost to hold, what happens next."""

from __future__ import annotations

from typing import Any

from mtok.calendar import format_instant
from mtok.market.cycle import next_run, slot_end, terms_end
from mtok.market.margin import Exposure, initial_margin, maintenance_margin
from mtok.market.months import window_of
from mtok.market.preview import Preview, preview
from mtok.market.references import Reference
from mtok.market.requests import Request
from mtok.market.terms import Terms
from mtok.settlement.specification import Specification, specification
from mtok.settlement.values import amount_text, cash, price_text
from mtok.venue import place
from mtok.venue.otc import trading
from mtok.venue.participants.words import month_said, side_said

Json = dict[str, Any]


def forecast(request: Request) -> Json:
    """Return what a request would come to at its limit, else at the last mark; without either there is no amount.

    The request has passed `mtok.market.requests.check_fields`. Prices are USD per million output tokens.
    """
    rules, now = specification(), place.now()
    reference = trading.surroundings().references([request.reference], now)[request.reference]
    price = reference.mark if request.limit is None else request.limit
    quantity = request.lots * rules.multiplier
    run = next_run(now, rules)
    return {
        "meaning": meaning(request, quantity),
        "lots": request.lots,
        "quantity_mtok": quantity,
        "price": None if price is None else price_text(price),
        "is_limit": request.limit is not None,
        "last_mark": None if reference.mark is None else price_text(reference.mark),
        "notional_at_mark": None if reference.mark is None else amount_text(cash(reference.mark, quantity)),
        "margin": None if price is None else _margin(request, reference, price, quantity, rules),
        "run": format_instant(run),
        "slot_end": format_instant(slot_end(run, rules)),
        "terms_end": format_instant(terms_end(run, rules)),
        "is_firm": request.firm_until is not None and request.firm_until >= run,
        "firm_until": None if request.firm_until is None else format_instant(request.firm_until),
        "expires": format_instant(request.expires),
    }


def meaning(request: Request, quantity: int) -> str:
    """Return what a request asks for, in words."""
    limit = ""
    if request.limit is not None:
        most = "at most" if request.side == "buy" else "at least"
        limit = f", {most} {price_text(request.limit)} USD per million output tokens"
    return (
        f"{side_said(request.side)} for {quantity:,} million output tokens of {request.reference}"
        f"{limit}, against {_floating(request)}."
    )


def terms_preview(terms: Terms, side: Any) -> Json:
    """Return what terms would cost one side to hold."""
    reference = trading.surroundings().references([terms.reference], place.now()).get(terms.reference)
    return _told(preview(terms.exposure, side, () if reference is None else reference.moves, specification()))


def _floating(request: Request) -> str:
    month = month_said(request.maturity)
    return (
        f"the last mark of {month}" if request.style == "last" else f"the mean of all daily marks of {month}"
    )


def _margin(request: Request, reference: Reference, price: int, quantity: int, rules: Specification) -> Json:
    initial = initial_margin(price, quantity, reference.moves, rules)
    exposure = Exposure(
        price=price,
        quantity=quantity,
        window=window_of(request.maturity, request.style),
        initial_margin=initial,
        maintenance_margin=maintenance_margin(initial, rules),
        transfer_min=rules.transfer_min,
    )
    return _told(preview(exposure, request.side, reference.moves, rules))


def _told(found: Preview) -> Json:
    return {
        "notional": amount_text(found.notional),
        "initial_margin": amount_text(found.initial_margin),
        "maintenance_margin": amount_text(found.maintenance_margin),
        "transfer_min": amount_text(found.transfer_min),
        "call_price": None if found.call_price is None else price_text(found.call_price),
        "empty_price": None if found.empty_price is None else price_text(found.empty_price),
        "worst_move": None if found.worst_move is None else price_text(found.worst_move),
        "worst_loss": None if found.worst_loss is None else amount_text(found.worst_loss),
    }
