"""Contracts where something goes wrong: calls left unpaid, gaps in the window, disputes of days that are agreed."""

from __future__ import annotations

import pytest

from mtok.calendar import format_date, parse_date
from mtok.market.agreements import Agreed, Agreement
from mtok.market.book import Book
from mtok.market.contracts import Marked, Posted
from mtok.market.margin import Side
from mtok.settlement.marks import Level, Mark
from mtok.settlement.values import AMOUNT_MAX
from settling import (
    book_with,
    cents,
    claim,
    command,
    dates,
    given,
    mark_of,
    micro,
    new_contract,
    noon,
    refused,
    running,
    terms,
    the_contract,
)

BEGIN = noon("2026-02-18")
WINDOW = dates("2026-03-01", 5)


def _margin(book: Book, marks: list[Mark], date: str, time: str = "19:00:00") -> Book:
    at = noon(format_date(parse_date(date) + 1), time)
    return given(book, command("margin", at, Marked(marks=tuple(marks), day=parse_date(date))))


def _agreement(date: str, value: str) -> Agreed:
    said = Agreement(
        contract="proposal-1", terms_sha256=terms().sha256, value=micro(value), day=parse_date(date)
    )
    return Agreed(agreement=said, first_sha256=said.sha256, second_sha256=said.sha256)


# ---- calls


def test_a_call_that_is_not_paid_stays_due_when_another_follows() -> None:
    """Called on Friday for Monday 17:00; on Monday evening more is called, and nothing of it was paid in time."""
    book = running(terms(), BEGIN)
    book = _margin(book, [mark_of("2026-02-19", micro("12.2"))], "2026-02-19")
    [call] = the_contract(book).calls
    assert (call.side, call.amount, call.due) == (Side.BUY, cents("3,640.00"), noon("2026-02-23", "17:00:00"))
    book = _margin(book, [mark_of("2026-02-22", micro("12.1"))], "2026-02-22")
    [call] = the_contract(book).calls
    assert (call.amount, call.due) == (cents("6,140.00"), noon("2026-02-23", "17:00:00"))
    noticed = given(book, command("notice", noon("2026-02-24", "09:00:00")))
    assert the_contract(noticed).state == "default_notice"


def test_a_call_after_one_that_was_paid_has_its_own_day() -> None:
    book = _margin(running(terms(), BEGIN), [mark_of("2026-02-19", micro("12.2"))], "2026-02-19")
    book = given(book, command("post", noon("2026-02-23", "16:00:00"), Posted(buyer=cents("3,640.00"))))
    assert the_contract(book).calls == ()
    book = _margin(book, [mark_of("2026-02-22", micro("12.0"))], "2026-02-22")
    [call] = the_contract(book).calls
    assert call.due == noon("2026-02-24", "17:00:00")


@pytest.mark.parametrize(("time", "overdue"), [("16:59:59", False), ("17:00:00", True)])
def test_notice_is_given_from_the_second_a_call_is_overdue(time: str, overdue: bool) -> None:
    book = _margin(running(terms(), BEGIN), [mark_of("2026-02-19", micro("12.2"))], "2026-02-19")
    notice = command("notice", noon("2026-02-23", time))
    if overdue:
        assert the_contract(given(book, notice)).noticed_at == notice.at
    else:
        with refused("not_overdue"):
            given(book, notice)


def test_calls_of_both_sides_and_partial_payments_are_kept_apart() -> None:
    book = _margin(running(terms(), BEGIN), [mark_of("2026-02-19", micro("12.2"))], "2026-02-19")
    book = given(book, command("post", noon("2026-02-20"), Posted(buyer=cents("3,000.00"), seller=1)))
    [call] = the_contract(book).calls
    assert (call.side, call.amount) == (Side.BUY, cents("640.00"))
    with refused("not_paid"):
        given(
            given(book, command("notice", noon("2026-02-23", "17:00:00"))),
            command("cure", noon("2026-02-23", "18:00:00")),
        )


@pytest.mark.parametrize(
    ("at", "code"), [(("2026-02-24", "23:59:59"), None), (("2026-02-25", "00:00:00"), "too_late")]
)
def test_a_default_is_cured_within_a_business_day(at: tuple[str, str], code: str | None) -> None:
    book = _margin(running(terms(), BEGIN), [mark_of("2026-02-19", micro("12.2"))], "2026-02-19")
    book = given(
        book,
        command("notice", noon("2026-02-23", "17:00:00")),
        command("post", noon("2026-02-24"), Posted(buyer=cents("3,640.00"))),
    )
    if code:
        with refused(code):
            given(book, command("cure", noon(*at)))
    else:
        after = the_contract(given(book, command("cure", noon(*at))))
        assert (after.state, after.noticed_at) == ("active", None)


# ---- the end by two operators


def test_a_contract_with_a_gap_ends_at_the_last_locked_mark_before_it() -> None:
    """By hand: 3 March has no value; of 1 and 2 March (12.0, 12.5) the price is (12.0 + 4 × 12.5) / 5 = 12.4."""
    marks = [
        mark_of(date, micro(price), "locked")
        for date, price in zip(WINDOW, ("12.0", "12.5", "", "13.0", "13.5"), strict=True)
        if price
    ]
    carried = mark_of("2026-03-03", micro("12.5"), level=Level.CARRIED)
    book = given(running(terms(), BEGIN), command("disrupt", noon("2026-03-04"), carried))
    ended = given(
        book, command("end", noon("2026-03-20"), Marked(marks=tuple(marks), reason="Withheld for good."))
    )
    contract = the_contract(ended)
    assert contract.closing is not None
    assert (contract.state, contract.closing.price) == ("terminated", micro("12.4"))
    with refused("mark_missing"):
        given(book, command("end", noon("2026-03-20"), Marked(marks=(carried,), reason="Nothing is locked.")))
    with refused("mark_missing"):
        given(book, command("mature", noon("2026-03-20"), Marked(marks=tuple(marks))))


# ---- days that are agreed


def test_a_dispute_of_a_day_that_both_have_agreed_on_holds_nothing_back() -> None:
    """By hand: agreed 12.5 on the first day: (12.5 − 12.3456) × 25,000 = 3,860.00 moves, whatever somebody claims."""
    raised = claim(party="third-1", own_value=micro("12"), resolve_until=noon("2026-03-20"))
    contested = mark_of("2026-03-01", micro("12.6"), "disputed", dispute=raised)
    book = given(
        running(terms(), BEGIN), command("agree", noon("2026-03-02"), _agreement("2026-03-01", "12.5"))
    )
    assert the_contract(_margin(book, [contested], "2026-03-01")).account.moved == cents("3,860.00")


def test_what_is_undisputed_moves_and_the_rest_waits() -> None:
    """By hand: at 12.6 6,360.00, at the other number 12.5 3,860.00; at one below the trade price nothing."""
    for own, moved in (("12.5", "3,860.00"), ("12.7", "6,360.00"), ("12.3", "0.00")):
        raised = claim(party="seller-1", own_value=micro(own), resolve_until=noon("2026-03-20"))
        contested = mark_of("2026-03-01", micro("12.6"), "disputed", dispute=raised)
        contract = the_contract(_margin(running(terms(), BEGIN), [contested], "2026-03-01"))
        assert (contract.account.moved, contract.days[0].due) == (cents(moved), cents("6,360.00"))


def test_the_claim_of_a_dispute_that_is_over_counts_no_more() -> None:
    raised = claim(party="seller-1", own_value=micro("12.5"), resolve_until=noon("2026-03-20"))
    for state in ("upheld", "corrected", "locked"):
        mark = mark_of("2026-03-01", micro("12.6"), state, dispute=raised)
        contract = the_contract(_margin(running(terms(), BEGIN), [mark], "2026-03-01"))
        assert contract.account.moved == cents("6,360.00"), state


@pytest.mark.parametrize(
    ("at", "code"), [(("2026-03-09", "23:59:59"), None), (("2026-03-10", "00:00:00"), "too_late")]
)
def test_a_day_may_be_agreed_for_five_business_days(at: tuple[str, str], code: str | None) -> None:
    """Sunday 1 March was due as Monday the 2nd began: five business days later is Monday the 9th."""
    book = running(terms(), BEGIN)
    agree = command("agree", noon(*at), _agreement("2026-03-01", "12.5"))
    if code:
        with refused(code):
            given(book, agree)
    else:
        assert the_contract(given(book, agree)).agreed == ((parse_date("2026-03-01"), micro("12.5")),)


# ---- 64 bits


def test_collateral_beyond_64_bits_is_refused() -> None:
    book = running(terms(), noon("2026-02-25"))
    held = the_contract(book).account.long
    most = given(book, command("post", noon("2026-02-26"), Posted(buyer=AMOUNT_MAX - held)))
    assert the_contract(most).account.long == AMOUNT_MAX
    with refused("amount_overflow"):
        given(book, command("post", noon("2026-02-26"), Posted(buyer=AMOUNT_MAX - held + 1)))
    with refused("amount_overflow"):
        given(
            book_with(new_contract(terms(), noon("2026-02-25"))),
            command("activate", noon("2026-02-25"), Posted(buyer=AMOUNT_MAX + 1, seller=AMOUNT_MAX)),
        )
