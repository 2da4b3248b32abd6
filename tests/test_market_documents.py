"""Confirmation and settlement as documents: the worked example typed by hand, every number derived again, no person."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from typing import Any

import msgspec
import pytest

from mtok.calendar import format_date, parse_date
from mtok.market.agreements import Agreed, Agreement
from mtok.market.confirmation import confirmation, confirmation_bytes
from mtok.market.contracts import Contract, Marked, Posted
from mtok.market.fpml import execution, execution_bytes, settlement, settlement_bytes, trade
from mtok.market.parties import Opening, commitment
from mtok.market.statement import statement
from mtok.market.terms import Terms
from mtok.settlement.marks import Mark
from mtok.settlement.values import Style
from settling import (
    RULES,
    book_with,
    command,
    given,
    mark_of,
    micro,
    new_contract,
    noon,
    refused,
    terms,
    the_contract,
    window_of_days,
)

OPENINGS = (
    Opening(nonce="01" * 32, legal_name="Bräu & Söhne KG", lei="529900T8BM49AURSDO55"),
    Opening(nonce="02" * 32, legal_name="Seller Ltd", lei="5493001KJTIIGC8Y1R12"),
)
COMMITTED = {"buyer": commitment(OPENINGS[0]), "seller": commitment(OPENINGS[1])}
BOOKED = noon("2026-02-24", "14:30:00")
ROWS = {
    "2026-02-27": "12.4",
    "2026-02-28": "12.25",
    "2026-03-01": "12.4",
    "2026-03-02": "12.1",
    "2026-03-03": "12.115",
    "2026-03-04": "12.115",
    "2026-03-05": "12.9",
}
"""The worked example (market.md 7.6)."""


def _canonical(content: Any) -> bytes:
    """Canonical JSON as the standard library writes it."""
    return json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def _of_march(**changes: Any) -> Contract:
    """A contract on all of March, with the numbers of the example."""
    fields = msgspec.structs.asdict(terms(**COMMITTED)) | changes
    fields.pop("window")
    return new_contract(Terms(**fields), BOOKED)


def _matured(to: str = "2026-03-05", **changes: Any) -> tuple[Contract, list[Mark]]:
    """The contract of the example that has taken margin up to a date, its window over."""
    book = book_with(new_contract(terms(**COMMITTED | changes), BOOKED))
    book = given(book, command("activate", noon("2026-02-25"), Posted(buyer=925_920, seller=925_920)))
    marks = [mark_of(date, micro(value), "locked") for date, value in ROWS.items()]
    for date in ROWS:
        if date <= to:
            details = Marked(marks=tuple(marks), day=parse_date(date))
            book = given(
                book, command("margin", noon(format_date(parse_date(date) + 1), "19:00:00"), details)
            )
    return the_contract(given(book, command("mature", noon("2026-03-20"), Marked(marks=tuple(marks))))), marks


# ---- confirmation

TERMS = {
    "type": "terms",
    "proposal": "proposal-1",
    "revision": "0",
    "approve_before": "2026-03-01T00:00:00Z",
    "reference": "openai",
    "methodology": "1.0",
    "unit": "USD_PER_MTOK_OUTPUT",
    "settlement": "average",
    "maturity": "2026-03",
    "first_date": "2026-03-01",
    "last_date": "2026-03-31",
    "price": "12.345600",
    "lots": "25",
    "multiplier": "1000",
    "quantity_mtok": "25000",
    "currency": "USD",
    "initial_margin": "9259.20",
    "maintenance_margin": "6944.40",
    "transfer_min": "500.00",
    "payment_days": "2",
    "buyer": COMMITTED["buyer"],
    "seller": COMMITTED["seller"],
    "buyer_class": "a",
    "seller_class": "a",
    "specification": "1",
    "specification_sha256": RULES.sha256,
}


def test_the_confirmation_field_by_field() -> None:
    """Typed by hand. Its digest is that of the terms within, as anybody's JSON writes them."""
    digest = sha256(_canonical(TERMS)).hexdigest()
    said = json.loads(confirmation_bytes(_of_march(), OPENINGS, is_paper=True))
    assert said == {
        "type": "confirmation",
        "trade_id": "proposal-1",
        "product": "cash-settled OTC contract",
        "paper": True,
        "booked_at": "2026-02-24T14:30:00Z",
        "buyer": {
            "legal_name": "Bräu & Söhne KG",
            "lei": "529900T8BM49AURSDO55",
            "nonce": "01" * 32,
            "commitment": COMMITTED["buyer"],
        },
        "seller": {
            "legal_name": "Seller Ltd",
            "lei": "5493001KJTIIGC8Y1R12",
            "nonce": "02" * 32,
            "commitment": COMMITTED["seller"],
        },
        "terms": TERMS,
        "terms_sha256": digest,
        "approvals": [
            {"side": "buyer", "terms_sha256": digest, "approved_at": "2026-02-24T14:30:00Z"},
            {"side": "seller", "terms_sha256": digest, "approved_at": "2026-02-24T14:30:00Z"},
        ],
        "first_date": "2026-03-01",
        "last_date": "2026-03-31",
        "final_settlement_value": "The arithmetic mean of the marks of all 31 UTC days from 2026-03-01 to 2026-03-31, "
        "both included, to 6 decimals, half-even. No day is left out.",
        "payment": "Final settlement value less price, times 25000 million tokens, in USD, to the cent, half-even, "
        "once. The seller pays what is more than nothing, the buyer what is less. Variation margin that has moved is "
        "part of it; the rest is paid 2 business days of the Federal Reserve banks (New York) after the day on which "
        "the last mark of the window is locked.",
        "specification": "1",
        "specification_sha256": RULES.sha256,
        "disruption": {
            "levels": ["F0", "F1", "F2", "F3", "F4", "F5"],
            "rules": "docs/settlement.md#the-waterfall",
            "limits": "specification",
        },
    }


def test_a_stranger_opens_both_commitments() -> None:
    said = confirmation(_of_march(), OPENINGS, is_paper=False)
    for side in ("buyer", "seller"):
        one = said[side]
        raw = bytes.fromhex(one["nonce"]) + one["legal_name"].encode() + one["lei"].encode()
        assert sha256(raw).hexdigest() == one["commitment"] == said["terms"][side]


def test_the_two_kinds_of_settlement_are_said_in_words() -> None:
    said = confirmation(_of_march(style=Style.LAST), OPENINGS, is_paper=False)
    assert said["final_settlement_value"] == "The mark of 2026-03-31."
    assert said["paper"] is False
    assert said["terms"]["settlement"] == "last"


def test_approvals_are_of_sides_whatever_their_order() -> None:
    contract = _of_march()
    later = msgspec.structs.replace(contract.approvals[0], at=BOOKED + 1)
    turned = msgspec.structs.replace(contract, approvals=(contract.approvals[1], later))
    said = confirmation(turned, OPENINGS, is_paper=True)["approvals"]
    assert [(one["side"], one["approved_at"][-10:]) for one in said] == [
        ("buyer", "00.000001Z"),
        ("seller", "T14:30:00Z"),
    ]


@pytest.mark.parametrize("openings", [OPENINGS[::-1], (OPENINGS[0], OPENINGS[0])])
def test_openings_of_somebody_else_are_our_mistake(openings: tuple[Opening, Opening]) -> None:
    with pytest.raises(AssertionError, match="is of somebody else"):
        confirmation(_of_march(), openings, is_paper=True)


def test_no_document_names_a_person() -> None:
    contract, marks = _matured()
    documents = (
        confirmation_bytes(contract, OPENINGS, is_paper=True),
        execution_bytes(contract, OPENINGS),
        settlement_bytes(contract, OPENINGS, marks),
    )
    persons = {one.person for one in contract.approvals} | {marks[0].preparer, str(marks[0].approver)}
    assert len(persons) == 4
    for raw in documents:
        assert not [one for one in persons if one.encode() in raw]


def test_the_same_contract_is_the_same_bytes() -> None:
    (one, marks), (other, again) = _matured(), _matured()
    assert settlement_bytes(one, OPENINGS, marks) == settlement_bytes(other, OPENINGS, again[::-1])
    assert execution_bytes(one, OPENINGS) == execution_bytes(other, OPENINGS)
    assert confirmation_bytes(one, OPENINGS, is_paper=True) == confirmation_bytes(
        other, OPENINGS, is_paper=True
    )


# ---- field names of FpML and CDM


def test_the_trade_field_by_field() -> None:
    """Typed by hand."""
    contract, _ = _matured()
    period = {
        "calculationPeriods": [{"adjustedStartDate": "2026-03-01", "adjustedEndDate": "2026-03-05"}],
        "notionalQuantity": {
            "quantityUnit": "MTOK",
            "quantityFrequency": "PerCalculationPeriod",
            "quantity": "25000",
        },
        "totalNotionalQuantity": "25000",
        "paymentDates": {
            "payRelativeTo": "the day on which the last mark of the window is locked",
            "paymentDaysOffset": {"periodMultiplier": "2", "period": "D", "dayType": "Business"},
            "businessCenters": ["USNY"],
        },
    }
    said = json.loads(execution_bytes(contract, OPENINGS))["workflowStep"]
    [state] = said.pop("businessEvent")["after"]
    assert said == {
        "action": "New",
        "eventIdentifier": [{"assignedIdentifier": "proposal-1/execution"}],
        "timestamp": [{"dateTime": "2026-02-24T14:30:00Z", "qualification": "eventCreationDateTime"}],
        "approval": [
            {"party": "buyer", "approved": True, "timestamp": "2026-02-24T14:30:00Z"},
            {"party": "seller", "approved": True, "timestamp": "2026-02-24T14:30:00Z"},
        ],
    }
    assert state["state"] == {"positionState": "Formed"}
    assert state["trade"] == {
        "tradeHeader": {
            "partyTradeIdentifier": [
                {"partyReference": "buyer", "tradeId": "proposal-1"},
                {"partyReference": "seller", "tradeId": "proposal-1"},
            ],
            "tradeDate": "2026-02-24",
        },
        "party": [
            {"id": "buyer", "partyId": "529900T8BM49AURSDO55", "partyName": "Bräu & Söhne KG"},
            {"id": "seller", "partyId": "5493001KJTIIGC8Y1R12", "partyName": "Seller Ltd"},
        ],
        "commoditySwap": {
            "effectiveDate": "2026-03-01",
            "terminationDate": "2026-03-05",
            "settlementCurrency": "USD",
            "fixedLeg": {
                "payerPartyReference": "buyer",
                "receiverPartyReference": "seller",
                "fixedPrice": {"price": "12.345600", "priceCurrency": "USD", "priceUnit": "MTOK"},
                **period,
            },
            "floatingLeg": {
                "payerPartyReference": "seller",
                "receiverPartyReference": "buyer",
                "commodity": {
                    "instrumentId": "openai",
                    "description": "mtok, methodology 1.0",
                    "unit": "MTOK",
                    "currency": "USD",
                    "specifiedPrice": "Settlement",
                },
                "calculation": {
                    "pricingDates": {
                        "dayType": "Calendar",
                        "dayDistribution": "All",
                        "unadjustedDate": [
                            "2026-03-01",
                            "2026-03-02",
                            "2026-03-03",
                            "2026-03-04",
                            "2026-03-05",
                        ],
                    },
                    "averagingMethod": "Unweighted",
                    "rounding": {"roundingDirection": "Nearest", "precision": "6"},
                },
                **period,
            },
        },
        "documentation": {
            "contractualTermsSupplement": "1",
            "termsSha256": sha256(contract.terms.canonical).hexdigest(),
        },
    }


def test_a_last_value_has_one_pricing_date_and_no_averaging() -> None:
    contract = new_contract(terms(**COMMITTED, window=window_of_days("2026-03-01", 5, Style.LAST)), BOOKED)
    calculation = trade(contract, OPENINGS)["commoditySwap"]["floatingLeg"]["calculation"]
    assert calculation["pricingDates"]["unadjustedDate"] == ["2026-03-05"]
    assert (calculation["pricingDates"]["dayDistribution"], calculation["averagingMethod"]) == ("Last", None)
    assert b"averagingMethod" not in execution_bytes(contract, OPENINGS)


MOVED = [
    ("2026-02-27", "seller", "1360.00"),
    ("2026-02-28", "buyer", "3750.00"),
    ("2026-03-01", "seller", "3750.00"),
    ("2026-03-02", "buyer", "6000.00"),
    ("2026-03-05", "seller", "4150.00"),
]
"""The column `moved` of the worked example: date, who pays, amount."""


def _transfers(said: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    [state] = said["workflowStep"]["businessEvent"]["after"]
    return [
        (
            one["transfer"]["settlementDate"],
            one["transfer"]["payerReceiver"]["payerPartyReference"],
            one["transfer"]["quantity"]["value"],
            one["transferStatus"],
        )
        for one in state["transferHistory"]
    ]


def _sum_to_buyer(transfers: Sequence[tuple[str, str, str, str]]) -> Decimal:
    return sum((Decimal(value) * (1 if who == "seller" else -1) for _, who, value, _ in transfers), Decimal())


def test_the_settlement_of_the_example() -> None:
    """FSV 12.3260; −490.00 in all, all of it moved before: no last payment."""
    contract, marks = _matured()
    said = settlement(contract, OPENINGS, marks)
    assert _transfers(said) == [(*row, "Settled") for row in MOVED]
    assert _sum_to_buyer(_transfers(said)) == Decimal("-490.00")
    step = said["workflowStep"]
    assert (step["previousWorkflowStep"], step["action"]) == ("proposal-1/execution", "New")
    [state] = step["businessEvent"]["after"]
    assert state["state"] == {"closedState": {"state": "Matured", "activityDate": "2026-03-05"}}
    [reset] = state["resetHistory"]
    assert reset["resetDate"] == "2026-03-05"
    assert reset["resetValue"] == {
        "value": "12.326000",
        "unit": {"currency": "USD"},
        "perUnitOf": {"capacityUnit": "MTOK"},
    }
    assert [
        (one["observationIdentifier"]["observationDate"], one["observedValue"]["value"])
        for one in reset["observations"]
    ] == [(date, f"{Decimal(value):.6f}") for date, value in ROWS.items() if date >= "2026-03-01"]
    assert {one["observationIdentifier"]["observable"] for one in reset["observations"]} == {"openai"}
    assert said["settlementStatement"] == statement(contract, marks)


def test_the_last_payment_is_pending_until_it_is_confirmed() -> None:
    """Without the margin of 5 March 4,150.00 are left, paid two business days after the last mark is locked, on the
    9th, a Monday."""
    contract, marks = _matured("2026-03-04")
    for state, status in (("final_pending", "Pending"), ("settled", "Settled"), ("closed", "Settled")):
        one = msgspec.structs.replace(contract, state=state)
        assert _transfers(settlement(one, OPENINGS, marks)) == [
            *((*row, "Settled") for row in MOVED[:-1]),
            ("2026-03-11", "seller", "4150.00", status),
        ]


def test_what_is_claimed_is_never_settled() -> None:
    """A tenth of the initial margin, and no margin taken: of 490.00 that B owes 92.59 is there."""
    contract, marks = _matured("2026-02-26")
    account = msgspec.structs.replace(contract.account, long=9_259)
    assert contract.closing is not None
    closing = msgspec.structs.replace(contract.closing, paid=9_259, claim=39_741)
    short = msgspec.structs.replace(contract, state="settled", account=account, closing=closing)
    assert [row[1:] for row in _transfers(settlement(short, OPENINGS, marks))] == [
        ("buyer", "490.00", "Pending")
    ]


def test_every_number_of_a_settlement_follows_from_the_marks_in_it() -> None:
    """Recomputed from the document alone, with fractions."""
    for to in ("2026-02-26", "2026-03-02", "2026-03-05"):
        contract, marks = _matured(to, price=micro("12.1"))
        said = json.loads(settlement_bytes(contract, OPENINGS, marks))
        [state] = said["workflowStep"]["businessEvent"]["after"]
        [reset], swap = state["resetHistory"], state["trade"]["commoditySwap"]
        values = [Fraction(one["observedValue"]["value"]) for one in reset["observations"]]
        assert len(values) == len(swap["floatingLeg"]["calculation"]["pricingDates"]["unadjustedDate"])
        mean = round(sum(values, Fraction()) / len(values), 6)
        assert Fraction(reset["resetValue"]["value"]) == mean
        change = mean - Fraction(swap["fixedLeg"]["fixedPrice"]["price"])
        whole = round(change * int(swap["fixedLeg"]["notionalQuantity"]["quantity"]), 2)
        assert Fraction(_sum_to_buyer(_transfers(said))) == whole
        assert Fraction(said["settlementStatement"]["amount_to_buyer"]) == whole


def test_an_agreed_day_is_observed_without_a_proof() -> None:
    book = book_with(new_contract(terms(**COMMITTED), BOOKED))
    book = given(book, command("activate", noon("2026-02-25"), Posted(buyer=925_920, seller=925_920)))
    for date in list(ROWS)[2:]:
        agreed = Agreement(
            contract="proposal-1",
            terms_sha256=terms(**COMMITTED).sha256,
            value=micro("12"),
            day=parse_date(date),
        )
        both = Agreed(agreement=agreed, first_sha256=agreed.sha256, second_sha256=agreed.sha256)
        book = given(book, command("agree", noon("2026-03-06"), both))
    contract = the_contract(given(book, command("mature", noon("2026-03-20"), Marked(marks=()))))
    raw = settlement_bytes(contract, OPENINGS, [])
    assert b"informationSource" not in raw
    assert raw.count(b'"value":"12.000000"') == 11, (
        "five observations, the reset, and five rows of the statement"
    )


def test_there_is_no_settlement_before_maturity() -> None:
    with refused("not_final"):
        settlement(_of_march(), OPENINGS, [])
    assert execution(_of_march(), OPENINGS)
