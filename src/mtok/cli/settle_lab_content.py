"""A replay for machines: everything the page says, every figure as exact decimal text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mtok.calendar import format_date, format_instant
from mtok.lab import Change, MarkedDay, PathDay, Replay, Settled, Shock
from mtok.settlement.values import Style, amount_text, price_text


def lab_content(found: Replay, chosen: str, *, asked_price: bool, plot: Path | None) -> dict[str, Any]:
    """Return a replay as JSON takes it. chosen : how the window was: `asked`, `month`, `days`"""
    history, terms, rules = found.history, found.terms, found.rules
    before = history.last_before(terms.traded)
    return {
        "reference": history.reference,
        "methodology": history.methodology,
        "unit": rules.unit,
        "specification": {"name": rules.specification, "sha256": rules.sha256},
        "sample": history.sample,
        "first_date": format_date(history.first),
        "last_date": format_date(history.last),
        "window": {
            "first_date": format_date(terms.first),
            "last_date": format_date(terms.last),
            "days": len(terms.window.days),
            "chosen": chosen,
        },
        "trade": {
            "date": format_date(terms.traded),
            "price": price_text(terms.price),
            "price_date": None if asked_price or before is None else format_date(before),
            "lots": terms.lots,
            "multiplier": terms.multiplier,
            "quantity_mtok": terms.quantity,
            "notional": amount_text(found.margin.notional),
        },
        "not_final": [format_date(day) for day in found.not_final],
        "average": _settled(found.average),
        "last": _settled(found.last),
        "shocks": [_shock(shock) for shock in found.shocks],
        "largest_shock": {
            style: None if (shock := found.largest_shock(style)) is None else format_date(shock.day)
            for style in (Style.AVERAGE, Style.LAST)
        },
        "rounding": _rounding(found),
        "missing": [_missing(day) for day in found.missing],
        "carry_days_max": rules.carry_days_max,
        "carry_share_max": str(rules.carry_share_max),
        "dropped": None
        if found.dropped is None
        else {
            "days": found.dropped.days,
            "final_value": price_text(found.dropped.final_value),
            "cash": amount_text(found.dropped.cash),
        },
        "margin": _margin(found),
        "plot": None if plot is None else str(plot),
    }


def _settled(settled: Settled | None) -> dict[str, str] | None:
    if settled is None:
        return None
    return {"final_value": price_text(settled.final_value), "cash": amount_text(settled.cash)}


def _change(change: Change) -> dict[str, str]:
    return {"final_value": price_text(change.final_value), "cash": amount_text(change.cash)}


def _shock(shock: Shock) -> dict[str, Any]:
    return {
        "date": format_date(shock.day),
        "value": price_text(shock.value),
        "average": _change(shock.average),
        "last": _change(shock.last),
    }


def _rounding(found: Replay) -> dict[str, str] | None:
    rounding = found.rounding
    if rounding is None:
        return None
    return {
        "unrounded_mean": str(rounding.unrounded),
        "cash": amount_text(rounding.once),
        "cash_of_unrounded_mean": amount_text(rounding.of_unrounded),
        "cash_day_by_day": amount_text(rounding.daily),
        "drift": amount_text(rounding.daily - rounding.once),
    }


def _missing(day: MarkedDay) -> dict[str, Any]:
    return {
        "date": format_date(day.day),
        "reasons": list(day.reasons),
        "level": day.level,
        "source_date": None if day.source_day is None else format_date(day.source_day),
        "refusal": day.refusal,
        "agreed_until": None if day.agreed_until is None else format_instant(day.agreed_until),
        "decided": day.decided,
    }


def _margin(found: Replay) -> dict[str, Any]:
    margin = found.margin
    final, worst = margin.final, margin.worst
    return {
        "initial": amount_text(margin.initial),
        "reason": margin.reason,
        "specified": amount_text(margin.specified),
        "specified_reason": margin.specified_reason,
        "moves": len(margin.moves),
        "maintenance": amount_text(margin.maintenance),
        "transfer_min": amount_text(margin.transfer_min),
        "days": [_path_day(found, day) for day in margin.days],
        "calls": {
            called.side: {
                "calls": called.calls,
                "sum": amount_text(called.sum),
                "largest": amount_text(called.largest),
                "largest_date": None if called.day is None else format_date(called.day),
            }
            for called in margin.called
        },
        "final": None
        if final is None
        else {"moved": amount_text(final.margin.moved), "total": amount_text(final.margin.account.moved)},
        "given_back": None if margin.given_back is None else amount_text(margin.given_back),
        "worst_claim_date": None if worst is None else format_date(worst.margin.day),
    }


def _path_day(found: Replay, day: PathDay) -> dict[str, Any]:
    one, closing = day.margin, day.closing
    return {
        "date": format_date(one.day),
        "mark": price_text(one.mark),
        "carried": one.day not in found.history.values,
        "settlement_price": price_text(one.settlement_price),
        "target": amount_text(one.target),
        "due": amount_text(one.due),
        "moved": amount_text(one.moved),
        "moved_so_far": amount_text(one.account.moved),
        "collateral_buy": amount_text(one.account.long),
        "collateral_sell": amount_text(one.account.short),
        "calls": [{"side": call.side, "amount": amount_text(call.amount)} for call in one.calls],
        "closing": None
        if closing is None
        else {
            "open": amount_text(closing.open),
            "payer": closing.payer,
            "paid": amount_text(closing.paid),
            "claim": amount_text(closing.claim),
            "to_buy": amount_text(closing.to_long),
            "to_sell": amount_text(closing.to_short),
        },
        "final": day.final,
    }
