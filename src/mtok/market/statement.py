"""The settlement statement: every mark a contract rests on, and every cent, as both parties can recompute it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mtok.calendar import DAY, day_of, format_date
from mtok.canonical import canonical_bytes
from mtok.market.contracts import Contract
from mtok.settlement.business_days import business_day_after
from mtok.settlement.machines import Refused
from mtok.settlement.marks import Level, Mark, last_versions, print_of
from mtok.settlement.values import amount_text, price_text


def statement(contract: Contract, marks: Sequence[Mark]) -> dict[str, Any]:
    """Return the settlement statement of a contract that has come to its end by maturity, ready for canonical JSON.

    Raises Refused (`not_final`) before.
    """
    closing, exposure = contract.closing, contract.terms.exposure
    if closing is None or contract.state not in ("final_pending", "settled", "closed"):
        raise Refused(
            "not_final", f"the contract is {contract.state}", "A statement is made when it has matured."
        )
    reference = contract.terms.reference, contract.terms.methodology
    own = [mark for mark in marks if (mark.reference, mark.methodology) == reference]
    by_day = {mark.day: mark for mark in last_versions(own)}
    agreed = dict(contract.agreed)
    days = exposure.window.days
    locked = max(
        ((mark.locked_at or 0) for day, mark in by_day.items() if day in days and day not in agreed),
        default=days.stop * DAY,
    )
    return {
        "type": "settlement_statement",
        "contract": contract.id,
        "terms_sha256": contract.terms.sha256,
        "reference": contract.terms.reference,
        "methodology": contract.terms.methodology,
        "settlement": contract.terms.style,
        "unit": contract.terms.unit,
        "first_date": format_date(exposure.window.first),
        "last_date": format_date(exposure.window.last),
        "marks": [_mark_row(by_day.get(day), day, agreed.get(day)) for day in days],
        "final_settlement_value": price_text(closing.price),
        "trade_price": price_text(exposure.price),
        "quantity_mtok": exposure.quantity,
        "amount_to_buyer": amount_text(closing.value),
        "moved_before": amount_text(closing.value - closing.open),
        "final_payment_to_buyer": amount_text(closing.open),
        "paid_from_collateral": amount_text(closing.paid),
        "claim": amount_text(closing.claim),
        "claim_on": closing.debtor,
        "returned_to_buyer": amount_text(closing.to_long),
        "returned_to_seller": amount_text(closing.to_short),
        "currency": contract.terms.currency,
        "payment_date": format_date(business_day_after(day_of(locked), contract.terms.payment_days)),
    }


def statement_bytes(contract: Contract, marks: Sequence[Mark]) -> bytes:
    """Return the statement as canonical JSON."""
    return canonical_bytes(statement(contract, marks))


def _mark_row(mark: Mark | None, day: int, agreed: int | None) -> dict[str, Any]:
    if agreed is not None:
        return {"date": format_date(day), "value": price_text(agreed), "level": Level.AGREED}
    assert mark is not None
    return {
        "date": mark.date,
        "value": price_text(mark.value),
        "level": mark.level,
        "version": mark.version,
        "state": mark.state,
        "log_index": mark.log_index,
        "proof": print_of(mark, lambda _: "").proof,
        "source_date": mark.source.date,
        "source_index": mark.source.index,
        "source_sha256": mark.source.sha256,
        "quality": mark.source.quality,
        "reasons": mark.source.reasons,
        "notes": mark.source.notes,
    }
