"""The statement of a contract whose marks were not plain: another methodology's, agreed ones, disputed ones."""

from __future__ import annotations

import msgspec
import pytest

from mtok.calendar import DAY, format_date, parse_date
from mtok.market.agreements import Agreed, Agreement
from mtok.market.contracts import Contract, Marked
from mtok.market.margin import Side
from mtok.market.statement import statement, statement_bytes
from mtok.settlement import review
from mtok.settlement.marks import Mark
from mtok.settlement.people import SYSTEM
from settling import (
    RULES,
    command,
    dates,
    desk,
    disputed,
    given,
    locked,
    mark_of,
    micro,
    noon,
    running,
    terms,
    the_contract,
    treasury,
)

DATES = dates("2026-03-01", 5)
LATE = noon("2026-03-20")


def _agreed(date: str, value: str, at: int) -> tuple[str, int, Agreed]:
    said = Agreement(
        contract="proposal-1", terms_sha256=terms().sha256, value=micro(value), day=parse_date(date)
    )
    return "agree", at, Agreed(agreement=said, first_sha256=said.sha256, second_sha256=said.sha256)


def _ended(marks: list[Mark], *agreed: tuple[str, str]) -> Contract:
    book = running(terms(), noon("2026-02-25"))
    for date, value in agreed:
        book = given(book, command(*_agreed(date, value, noon("2026-03-06"))))
    return the_contract(given(book, command("mature", LATE, Marked(marks=tuple(marks)))))


def test_marks_of_another_methodology_are_not_in_it() -> None:
    marks = [mark_of(date, micro("12"), "locked") for date in DATES]
    others = [
        msgspec.structs.replace(
            mark,
            methodology="2.0",
            version=1,
            value=micro("13"),
            dispute_until=parse_date("2027-01-01") * DAY,
        )
        for mark in marks
    ]
    contract = _ended([*marks, *others])
    assert statement_bytes(contract, [*marks, *others]) == statement_bytes(contract, marks)
    assert {row["value"] for row in statement(contract, [*others, *marks])["marks"]} == {"12.000000"}


def test_marks_of_another_reference_are_not_in_it() -> None:
    marks = [mark_of(date, micro("12"), "locked") for date in DATES]
    others = [msgspec.structs.replace(mark, reference="qwen", version=1) for mark in marks]
    contract = _ended([*marks, *others])
    assert statement_bytes(contract, [*marks, *others]) == statement_bytes(contract, marks)


def test_an_agreed_day_is_listed_as_such() -> None:
    """By hand: (4 × 12 + 13) / 5 = 12.2; (12.2 − 12.3456) × 25,000 = −3,640.00."""
    marks = [mark_of(date, micro("12"), "locked") for date in DATES if date != "2026-03-04"]
    said = statement(_ended(marks, ("2026-03-04", "13")), marks)
    assert said["marks"][3] == {"date": "2026-03-04", "value": "13.000000", "level": "F4"}
    assert (said["final_settlement_value"], said["amount_to_buyer"]) == ("12.200000", "-3640.00")


def test_every_day_may_be_agreed() -> None:
    """Nothing is locked then: payment follows the end of the window, 5 March, a Thursday: locked as Friday begins."""
    said = statement(_ended([], *((date, "12") for date in DATES)), [])
    assert [row["level"] for row in said["marks"]] == ["F4"] * 5
    assert said["payment_date"] == "2026-03-10"


@pytest.mark.parametrize(
    ("locked_on", "payment"),
    [("2026-03-11", "2026-03-13"), ("2026-03-13", "2026-03-17"), ("2026-03-14", "2026-03-17")],
)
def test_payment_is_two_business_days_after_the_last_lock(locked_on: str, payment: str) -> None:
    """A mark disputed on its last day is locked when the dispute is over, a payment before that would be none."""
    now = noon("2026-03-10", "23:59:59")
    plain = [mark_of(date, micro("12")) for date in DATES]
    marks = [msgspec.structs.replace(mark, dispute_until=parse_date("2026-03-11") * DAY) for mark in plain]
    contested = disputed(marks[4], micro("13"), now)
    upheld = review.uphold(
        contested, actor=desk(now), second=treasury(now), now=now, reason="It recomputes.", rules=RULES
    )
    last = review.lock(upheld, actor=SYSTEM, now=parse_date(locked_on) * DAY)
    done = [*(locked(mark) for mark in marks[:4]), last]
    assert statement(_ended(done), done)["payment_date"] == payment


def test_a_claim_says_on_whom_it_is() -> None:
    """By hand: at 11 the whole is −33,640.00; of it 9,259.20 is there, 24,380.80 is missing."""
    marks = [mark_of(date, micro("11"), "locked") for date in DATES]
    contract = _ended(marks)
    said = statement(contract, marks)
    assert (said["claim"], said["claim_on"]) == ("24380.80", Side.BUY)
    assert (
        statement(_ended(plain := [mark_of(date, micro("12.4"), "locked") for date in DATES]), plain)[
            "claim_on"
        ]
        is None
    )
    assert format_date(contract.terms.exposure.window.last) == said["last_date"]
