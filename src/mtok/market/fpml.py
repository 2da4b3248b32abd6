"""A contract and its settlement under the names of FpML and the ISDA CDM, for systems that know these.

A commodity swap with a fixed and a floating leg (FpML's product names) in a trade state within a workflow step (CDM's
event names), as JSON. These are the field names, not a claim that a schema of either would accept the document: what
they have no word for is said in words of ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from mtok.calendar import day_of, format_date, format_instant
from mtok.canonical import canonical_bytes
from mtok.market.confirmation import Openings, names
from mtok.market.contracts import Contract
from mtok.market.statement import statement
from mtok.market.terms import Terms
from mtok.settlement.marks import Mark
from mtok.settlement.values import PRICE_PLACES, Style, amount_text, price_text

_UNIT: Final = "MTOK"
"""A million output tokens."""
_PAID: Final = ("settled", "closed")


def execution(contract: Contract, openings: Openings) -> dict[str, Any]:
    """Return a booked contract as a workflow step: the event that makes the trade, and both approvals."""
    event = {"eventDate": format_date(day_of(contract.booked_at)), "intent": "ContractFormation"}
    return {
        "workflowStep": {
            "action": "New",
            "eventIdentifier": [{"assignedIdentifier": f"{contract.id}/execution"}],
            "timestamp": [
                {"dateTime": format_instant(contract.booked_at), "qualification": "eventCreationDateTime"}
            ],
            "approval": [
                {"party": _side(contract, one.party), "approved": True, "timestamp": format_instant(one.at)}
                for one in contract.approvals
            ],
            "businessEvent": event
            | {"after": [{"trade": trade(contract, openings), "state": {"positionState": "Formed"}}]},
        }
    }


def settlement(contract: Contract, openings: Openings, marks: Sequence[Mark]) -> dict[str, Any]:
    """Return the settlement of a contract that has matured as the next workflow step. Raises Refused (`not_final`).

    Every mark is an observation, the final value the reset they make, every amount that changes sides a transfer.
    """
    said = statement(contract, marks)
    state = {
        "trade": trade(contract, openings),
        "state": {"closedState": {"state": "Matured", "activityDate": said["last_date"]}},
        "resetHistory": [_reset(said)],
        "transferHistory": [*_variation(contract), *_final(contract, said["payment_date"])],
    }
    return {
        "workflowStep": {
            "action": "New",
            "eventIdentifier": [{"assignedIdentifier": f"{contract.id}/settlement"}],
            "previousWorkflowStep": f"{contract.id}/execution",
            "businessEvent": {"after": [state]},
        },
        "settlementStatement": said,
    }


def execution_bytes(contract: Contract, openings: Openings) -> bytes:
    """Return the execution as canonical JSON."""
    return canonical_bytes(execution(contract, openings))


def settlement_bytes(contract: Contract, openings: Openings, marks: Sequence[Mark]) -> bytes:
    """Return the settlement as canonical JSON."""
    return canonical_bytes(settlement(contract, openings, marks))


def trade(contract: Contract, openings: Openings) -> dict[str, Any]:
    """Return a contract as a commodity swap: the buyer pays the fixed price, the seller the mean or the last mark."""
    terms, who = contract.terms, names(contract.terms, openings)
    return {
        "tradeHeader": {
            "partyTradeIdentifier": [{"partyReference": side, "tradeId": contract.id} for side in who],
            "tradeDate": format_date(day_of(contract.booked_at)),
        },
        "party": [
            {"id": side, "partyId": one["lei"], "partyName": one["legal_name"]} for side, one in who.items()
        ],
        "commoditySwap": _swap(terms),
        "documentation": {"contractualTermsSupplement": terms.specification, "termsSha256": terms.sha256},
    }


def _swap(terms: Terms) -> dict[str, Any]:
    window = terms.exposure.window
    first, last = format_date(window.first), format_date(window.last)
    shared = {
        "calculationPeriods": [{"adjustedStartDate": first, "adjustedEndDate": last}],
        "notionalQuantity": {
            "quantityUnit": _UNIT,
            "quantityFrequency": "PerCalculationPeriod",
            "quantity": terms.exposure.quantity,
        },
        "totalNotionalQuantity": terms.exposure.quantity,
        "paymentDates": {
            "payRelativeTo": "the day on which the last mark of the window is locked",
            "paymentDaysOffset": {
                "periodMultiplier": terms.payment_days,
                "period": "D",
                "dayType": "Business",
            },
            "businessCenters": ["USNY"],
        },
    }
    price = {"price": price_text(terms.price), "priceCurrency": terms.currency, "priceUnit": _UNIT}
    return {
        "effectiveDate": first,
        "terminationDate": last,
        "settlementCurrency": terms.currency,
        "fixedLeg": {
            "payerPartyReference": "buyer",
            "receiverPartyReference": "seller",
            "fixedPrice": price,
            **shared,
        },
        "floatingLeg": {
            "payerPartyReference": "seller",
            "receiverPartyReference": "buyer",
            "commodity": {
                "instrumentId": terms.reference,
                "description": f"mtok, methodology {terms.methodology}",
                "unit": _UNIT,
                "currency": terms.currency,
                "specifiedPrice": "Settlement",
            },
            "calculation": _calculation(terms),
            **shared,
        },
    }


def _calculation(terms: Terms) -> dict[str, Any]:
    """Return which days are priced, and how they make one price."""
    window = terms.exposure.window
    is_mean = window.style == Style.AVERAGE
    days = window.days if is_mean else [window.last]
    return {
        "pricingDates": {
            "dayType": "Calendar",
            "dayDistribution": "All" if is_mean else "Last",
            "unadjustedDate": [format_date(day) for day in days],
        },
        "averagingMethod": "Unweighted" if is_mean else None,
        "rounding": {"roundingDirection": "Nearest", "precision": PRICE_PLACES},
    }


def _reset(said: dict[str, Any]) -> dict[str, Any]:
    """Return the final value as what the observed marks of a statement make."""
    return {
        "resetDate": said["last_date"],
        "resetValue": _price(said["final_settlement_value"], said["currency"]),
        "observations": [
            {
                "observationIdentifier": {
                    "observable": said["reference"],
                    "observationDate": row["date"],
                    "informationSource": row.get("proof"),
                },
                "observedValue": _price(row["value"], said["currency"]),
            }
            for row in said["marks"]
        ],
    }


def _price(value: str, currency: str) -> dict[str, Any]:
    return {"value": value, "unit": {"currency": currency}, "perUnitOf": {"capacityUnit": _UNIT}}


def _variation(contract: Contract) -> list[dict[str, Any]]:
    """Return what has moved day by day."""
    moved = [day for day in contract.days if day.moved]
    return [_transfer(contract, day.moved, format_date(day.day), "Settled") for day in moved]


def _final(contract: Contract, date: str) -> list[dict[str, Any]]:
    """Return the last payment, settled when it is confirmed and no claim is left of it; with it all of the value."""
    closing = contract.closing
    assert closing is not None
    if not closing.open:
        return []
    is_paid = contract.state in _PAID and not closing.claim
    return [_transfer(contract, closing.open, date, "Settled" if is_paid else "Pending")]


def _transfer(contract: Contract, to_buyer: int, date: str, status: str) -> dict[str, Any]:
    payer, receiver = ("seller", "buyer") if to_buyer > 0 else ("buyer", "seller")
    return {
        "transfer": {
            "quantity": {"value": amount_text(abs(to_buyer)), "unit": {"currency": contract.terms.currency}},
            "payerReceiver": {"payerPartyReference": payer, "receiverPartyReference": receiver},
            "settlementDate": date,
        },
        "transferStatus": status,
    }


def _side(contract: Contract, party: str) -> str:
    return "buyer" if party == contract.buyer else "seller"
