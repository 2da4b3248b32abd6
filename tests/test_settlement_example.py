"""The worked example of the design, every column of every row and all four variants, to the cent.

The numbers were typed from the written example (market.md 7.6), where they were computed with decimals; no code of
this repository has made them.
"""

from __future__ import annotations

import json
from typing import NamedTuple

import msgspec
import pytest

import settlement_oracle as oracle
from mtok.calendar import DAY, format_date, parse_date
from mtok.canonical import canonical_bytes
from mtok.market.book import Book
from mtok.market.contracts import Contract, Marked, Posted
from mtok.market.margin import Account, Side, close, margin_day
from mtok.market.statement import statement, statement_bytes
from mtok.quantities import half_even
from mtok.settlement import review
from mtok.settlement.marks import Level, Mark
from mtok.settlement.people import SYSTEM
from mtok.settlement.values import Style, Window, amount_text, cash
from mtok.settlement.waterfall import resolve
from settling import (
    PUBLISHER,
    RULES,
    cents,
    command,
    corrected,
    desk,
    disputed,
    given,
    locked,
    logged,
    mark_of,
    micro,
    noon,
    published,
    refused,
    running,
    source,
    terms,
    the_contract,
    treasury,
    values_of,
)


class Line(NamedTuple):
    """A row of the table as it is written. call : of B, paid the same evening"""

    date: str
    mark: str
    dsp: str
    target: str
    due: str
    moved: str
    so_far: str
    long: str
    short: str
    call: str = ""


TABLE = [
    Line(
        "2026-02-27",
        "12.4000",
        "12.4000",
        "1,360.00",
        "1,360.00",
        "1,360.00",
        "1,360.00",
        "10,619.20",
        "7,899.20",
    ),
    Line(
        "2026-02-28",
        *("12.2500", "12.2500", "−2,390.00", "−3,750.00", "−3,750.00", "−2,390.00", "6,869.20", "11,649.20"),
        call="2,390.00",
    ),
    Line(
        "2026-03-01",
        "12.4000",
        "12.4000",
        "1,360.00",
        "3,750.00",
        "3,750.00",
        "1,360.00",
        "13,009.20",
        "7,899.20",
    ),
    Line(
        "2026-03-02",
        *("12.1000", "12.1600", "−4,640.00", "−6,000.00", "−6,000.00", "−4,640.00", "7,009.20", "13,899.20"),
    ),
    Line(
        "2026-03-03",
        "12.1150",
        "12.1690",
        "−4,415.00",
        "225.00",
        "0.00",
        "−4,640.00",
        "7,009.20",
        "13,899.20",
    ),
    Line(
        "2026-03-04",
        "12.1150",
        "12.1690",
        "−4,415.00",
        "225.00",
        "0.00",
        "−4,640.00",
        "7,009.20",
        "13,899.20",
    ),
    Line(
        "2026-03-05",
        "12.9000",
        "12.3260",
        "−490.00",
        "4,150.00",
        "4,150.00",
        "−490.00",
        "11,159.20",
        "9,749.20",
    ),
]
"""Long B, short S, K = 12.3456, 25 lots of 1,000 million tokens, N = 5. The year is ours."""

CARRIED = "2026-03-04"
"""F3: nothing was published of it."""

EXPOSURE = terms().exposure
MARKS = {parse_date(line.date): micro(line.mark) for line in TABLE}
IM, MM = cents("9,259.20"), cents("6,944.40")
DEAL = oracle.Deal(
    trade=12_345_600,
    quantity=25_000,
    first=parse_date("2026-03-01"),
    last=parse_date("2026-03-05"),
    of_last=False,
    initial=IM,
    maintenance=MM,
    least=cents("500.00"),
)


def test_the_terms_of_the_example_are_those_written() -> None:
    assert cash(EXPOSURE.price, EXPOSURE.quantity) == cents("308,640.00")
    assert half_even(3 * cents("308,640.00"), 100) == EXPOSURE.initial_margin == IM
    assert half_even(3 * IM, 4) == EXPOSURE.maintenance_margin == MM
    assert EXPOSURE.transfer_min == DEAL.least
    assert len(EXPOSURE.window.days) == 5


def test_every_column_of_every_row() -> None:
    account = Account(long=IM, short=IM)
    for line in TABLE:
        day = margin_day(account, EXPOSURE, parse_date(line.date), MARKS)
        assert (day.mark, day.settlement_price) == (micro(line.mark), micro(line.dsp)), line.date
        assert (day.target, day.due, day.moved) == (cents(line.target), cents(line.due), cents(line.moved)), (
            line.date
        )
        after = Account(moved=cents(line.so_far), long=cents(line.long), short=cents(line.short))
        assert day.account == after, line.date
        calls = [(Side.BUY, cents(line.call))] if line.call else []
        assert [(call.side, call.amount) for call in day.calls] == calls, line.date
        account = day.account.posted(Side.BUY, cents(line.call)) if line.call else day.account
        paid = cents("2,390.00") if line.date >= "2026-02-28" else 0
        assert account.long + account.short == cents("18,518.40") + paid, line.date
    assert account.moved == cents("−490.00")


def test_the_oracle_has_the_same_table() -> None:
    """The second computation is held to the written numbers as well, or it would prove nothing."""
    money = oracle.Money(0, IM, IM)
    for line in TABLE:
        row = oracle.margin(DEAL, money, parse_date(line.date), MARKS)
        assert row.dsp == micro(line.dsp), line.date
        assert (row.target, row.due, row.moved) == (cents(line.target), cents(line.due), cents(line.moved))
        assert row.money == (cents(line.so_far), cents(line.long), cents(line.short))
        assert row.calls == ({"buy": cents(line.call)} if line.call else {})
        money = row.money._replace(long=row.money.long + sum(row.calls.values()))
    assert oracle.fsv(DEAL, MARKS) == 12_326_000


def test_the_final_value_and_what_both_sides_make_of_it() -> None:
    window = EXPOSURE.window
    value = window.final_value(MARKS)
    assert value == micro("12.3260") == window.settlement_price(window.last, MARKS)
    assert EXPOSURE.target(value) == cents("−490.00")
    assert cash(EXPOSURE.price - value, EXPOSURE.quantity) == cents("490.00"), "the short side's view"
    dropped = [micro(line.mark) for line in TABLE[2:] if line.date != CARRIED]
    assert half_even(sum(dropped), 4) == micro("12.37875"), "the design rounds it to 12.3788"


# ---- variants


def test_variant_1_a_correction_in_the_window() -> None:
    marks = MARKS | {parse_date("2026-03-02"): micro("12.5000")}
    value = EXPOSURE.window.final_value(marks)
    assert value == micro("12.4060")
    assert EXPOSURE.target(value) == cents("1,510.00")
    closing = close(Account(moved=cents("−490.00"), long=IM, short=IM), EXPOSURE, value)
    assert (closing.open, closing.payer, closing.paid, closing.claim) == (200_000, Side.SELL, 200_000, 0)
    money = oracle.Money(cents("−490.00"), IM, IM)
    assert oracle.end(DEAL, money, value) == (151_000, 200_000, IM + 200_000, IM - 200_000, {})


@pytest.mark.parametrize(
    ("mark", "dsp", "value", "left", "paid", "claim", "to_long", "to_short"),
    [
        ("11.8000", "11.9800", "−9,140.00", "4,500.00", "4,500.00", "0.00", "119.20", "18,399.20"),
        ("10.5000", "11.2000", "−28,640.00", "24,000.00", "4,619.20", "19,380.80", "0.00", "18,518.40"),
    ],
)
def test_variant_2_a_close_out(
    mark: str, dsp: str, value: str, left: str, paid: str, claim: str, to_long: str, to_short: str
) -> None:
    """to_short of the first: S's own 13,899.20 and 4,500.00; of the second: all there is, 18,518.40."""
    book = running(terms(), noon("2026-02-25"))
    for line in TABLE[:3]:
        book = _margin(book, line.date, _published_before(line.date))
    book = given(book, command("notice", noon("2026-03-03", "12:00:00")))
    book = _margin(book, "2026-03-02", _published_before("2026-03-02"))
    before = the_contract(book)
    assert before.account == Account(
        moved=cents("−4,640.00"), long=cents("4,619.20"), short=cents("13,899.20")
    )
    marks = [*_published_before("2026-03-02"), mark_of("2026-03-03", micro(mark))]
    early = command("close_out", 1 + noon("2026-03-04", "23:59:59"), Marked(marks=tuple(marks)))
    with refused("not_due"):
        given(book, early)
    after = the_contract(given(book, msgspec.structs.replace(early, at=noon("2026-03-05", "00:00:00"))))
    closing = after.closing
    assert closing is not None
    assert after.state == "closed_out"
    assert (closing.price, closing.value, closing.open) == (micro(dsp), cents(value), -cents(left))
    assert (closing.payer, closing.paid, closing.claim) == (Side.BUY, cents(paid), cents(claim))
    assert (closing.to_long, closing.to_short) == (cents(to_long), cents(to_short))
    money = oracle.Money(*msgspec.structs.astuple(before.account))
    debts = {"buy": cents(claim)} if cents(claim) else {}
    assert oracle.end(DEAL, money, micro(dsp)) == (
        cents(value),
        -cents(left),
        cents(to_long),
        cents(to_short),
        debts,
    )


class MarkedToTheMark(Window, frozen=True, kw_only=True):
    """The wrong rule: in the window too the daily settlement price is the mark of the day."""

    def settlement_price(self, day: int, marks: dict[int, int]) -> int:  # type: ignore[override]
        """Return the mark."""
        return marks[day]


def test_variant_3_the_wrong_rule_would_unwind_on_the_last_day() -> None:
    window = EXPOSURE.window
    wrong = msgspec.structs.replace(EXPOSURE, window=MarkedToTheMark(first=window.first, last=window.last))
    account = Account(long=IM, short=IM)
    for line in TABLE:
        account = margin_day(account, wrong, parse_date(line.date), MARKS).account
    assert close(account, wrong, window.final_value(MARKS)).open == cents("−14,350.00")
    account = Account(long=IM, short=IM)
    for line in TABLE:
        account = margin_day(account, EXPOSURE, parse_date(line.date), MARKS).account
    assert close(account, EXPOSURE, window.final_value(MARKS)).open == 0


def test_variant_4_the_last_value_pays_another_amount() -> None:
    agreed = terms(window=Window(first=DEAL.first, last=DEAL.last, style=Style.LAST))
    value = agreed.exposure.window.final_value(MARKS)
    assert value == micro("12.9000")
    assert agreed.exposure.target(value) == cents("13,860.00")
    assert agreed.sha256 != terms().sha256
    assert json.loads(agreed.canonical)["settlement"] == "last"
    assert json.loads(terms().canonical)["settlement"] == "average"
    last = DEAL._replace(of_last=True)
    assert oracle.target(last, oracle.fsv(last, MARKS)) == cents("13,860.00")


# ---- the same through marks, persons, a contract and its statement


def _morning(date: str) -> int:
    """The instant at which the mark of a date is published: the next day."""
    return noon(format_date(parse_date(date) + 1))


def _evening(date: str) -> int:
    """The instant at which margin of a date is taken."""
    return noon(format_date(parse_date(date) + 1), "19:00:00")


def _margin(book: Book, date: str, marks: list[Mark]) -> Book:
    details = Marked(marks=tuple(marks), day=parse_date(date))
    return given(book, command("margin", _evening(date), details))


def _published_before(date: str) -> list[Mark]:
    """The marks of the table up to a date, published one a day, that of the disrupted day by the waterfall."""
    marks: list[Mark] = []
    for line in TABLE:
        now = _morning(line.date)
        sources = [] if line.date == CARRIED else [source(line.date, micro(line.mark))]
        asked = resolve(
            parse_date(line.date),
            now=now,
            sources=sources,
            earlier=marks,
            window=EXPOSURE.window,
            final=False,
            rules=RULES,
        )
        assert asked.resolution is not None
        assert asked.resolution.level == (Level.CARRIED if line.date == CARRIED else Level.FINAL)
        marks.append(published(asked.resolution, now))
        if line.date == date:
            return marks
    raise AssertionError(date)


def _run(to: str = "2026-03-05") -> tuple[Book, list[Mark]]:
    """Take the margin of every row up to a date, B's call paid the same evening."""
    book = running(terms(), noon("2026-02-25"))
    marks: list[Mark] = []
    for line in TABLE:
        if line.date > to:
            break
        marks = _published_before(line.date)
        book = _margin(book, line.date, marks)
        if marks[-1].level == Level.CARRIED:
            book = given(book, command("disrupt", _evening(line.date), marks[-1]))
        elif the_contract(book).state == "disrupted":
            book = given(book, command("recover", _evening(line.date), marks[-1]))
        if line.call:
            book = given(book, command("post", _evening(line.date), Posted(buyer=cents(line.call))))
    return book, marks


def _mature(book: Book, marks: list[Mark]) -> Contract:
    details = Marked(marks=tuple(marks))
    return the_contract(given(book, command("mature", noon("2026-03-20"), details)))


def test_a_contract_takes_every_row_and_ends_at_the_final_value() -> None:
    book, marks = _run()
    contract = the_contract(book)
    assert (contract.state, contract.calls) == ("active", ())
    for line, day in zip(TABLE, contract.days, strict=True):
        assert (day.day, day.mark) == (parse_date(line.date), micro(line.mark))
        assert (day.settlement_price, day.target) == (micro(line.dsp), cents(line.target))
        assert (day.due, day.moved) == (cents(line.due), cents(line.moved))
        assert day.account == Account(
            moved=cents(line.so_far), long=cents(line.long), short=cents(line.short)
        )
        assert [one.amount for one in day.calls] == ([cents(line.call)] if line.call else [])
    with refused("mark_missing"):
        _mature(book, marks)
    ended = _mature(book, [locked(mark) for mark in marks])
    assert ended.state == "final_pending"
    assert ended.closing is not None
    assert (ended.closing.price, ended.closing.value, ended.closing.open) == (micro("12.3260"), -49_000, 0)
    assert (ended.closing.to_long, ended.closing.to_short) == (cents("11,159.20"), cents("9,749.20"))


def test_the_last_row_may_be_left_to_the_final_payment() -> None:
    book, _ = _run("2026-03-04")
    marks = [locked(mark) for mark in _published_before("2026-03-05")]
    closing = _mature(book, marks).closing
    assert closing is not None
    assert (closing.open, closing.payer, closing.paid) == (cents("4,150.00"), Side.SELL, cents("4,150.00"))
    assert (closing.to_long, closing.to_short) == (cents("11,159.20"), cents("9,749.20"))


def test_the_disrupted_day_was_asked_of_the_waterfall() -> None:
    """Margin does not wait for a late value; what is paid waits for two business days and then carries it too."""
    earlier = _published_before("2026-03-03")
    day, window = parse_date(CARRIED), EXPOSURE.window
    for final, now in ((False, _morning(CARRIED)), (True, noon("2026-03-10", "00:00:00"))):
        asked = resolve(day, now=now, sources=[], earlier=earlier, window=window, final=final, rules=RULES)
        assert asked.resolution is not None
        assert (asked.resolution.level, asked.resolution.source) == (Level.CARRIED, earlier[-1].source)
    waits = noon("2026-03-10", "00:00:00") - 1
    asked = resolve(day, now=waits, sources=[], earlier=earlier, window=window, final=True, rules=RULES)
    assert (asked.resolution, asked.steps[-1].until) == (None, waits + 1)


def test_a_dispute_that_is_upheld_changes_no_cent() -> None:
    book, marks = _run()
    place = [mark.date for mark in marks].index("2026-03-05")
    now = noon("2026-03-09")
    contested = disputed(marks[place], micro("12.8000"), now)
    upheld = review.uphold(
        contested, actor=desk(now), second=treasury(now), now=now, reason="It recomputes.", rules=RULES
    )
    marks[place] = locked(upheld)
    closing = _mature(book, [locked(mark) if mark.state != "locked" else mark for mark in marks]).closing
    assert closing is not None
    assert (closing.value, closing.open) == (-49_000, 0)


def _corrected_marks(marks: list[Mark]) -> list[Mark]:
    """Variant 1: the mark of 2 March is disputed on the last day for it and corrected within three business days."""
    place = [mark.date for mark in marks].index("2026-03-02")
    contested = disputed(marks[place], micro("12.5000"), noon("2026-03-05", "23:59:59"))
    later = source("2026-03-02", micro("12.5000"), index=contested.source.index + 1, vintage=1)
    new = corrected(contested, later, noon("2026-03-10"))
    return [*marks, logged(new, noon("2026-03-10"), contested.day * 10 + 6)]


def test_variant_1_through_a_contract() -> None:
    """Until it is decided what both numbers agree on moves: 4,150.00 of −490.00 and +1,510.00 less −4,640.00."""
    book, _ = _run("2026-03-04")
    marks = _published_before("2026-03-05")
    place = [mark.date for mark in marks].index("2026-03-02")
    contested = disputed(marks[place], micro("12.5000"), noon("2026-03-05", "23:59:59"))
    book = _margin(book, "2026-03-05", [contested if mark.date == contested.date else mark for mark in marks])
    assert the_contract(book).account.moved == cents("−490.00")
    settled = [
        locked(mark) if (mark.date, mark.version) != ("2026-03-02", 0) else mark
        for mark in _corrected_marks(marks)
    ]
    ended = _mature(book, settled)
    assert ended.closing is not None
    assert (ended.closing.price, ended.closing.value) == (micro("12.4060"), cents("1,510.00"))
    assert (ended.closing.payer, ended.closing.paid) == (Side.SELL, cents("2,000.00"))
    said = statement(ended, settled)
    assert said["final_payment_to_buyer"] == "2000.00"
    assert [(row["value"], row["version"]) for row in said["marks"]][:2] == [
        ("12.400000", 0),
        ("12.500000", 1),
    ]


def test_the_statement_lists_every_mark_and_every_total() -> None:
    book, marks = _run()
    marks = [locked(mark) for mark in marks]
    contract = _mature(book, marks)
    said = json.loads(statement_bytes(contract, marks))
    assert canonical_bytes(statement(contract, marks)) == statement_bytes(contract, marks)
    assert [row["date"] for row in said["marks"]] == [line.date for line in TABLE[2:]]
    for row, line, mark in zip(said["marks"], TABLE[2:], marks[2:], strict=True):
        value_date = "2026-03-03" if line.date == CARRIED else line.date
        assert row["value"] == f"{line.mark}00"
        assert row["level"] == ("F3" if line.date == CARRIED else "F0")
        assert (row["version"], row["state"], row["quality"]) == ("0", "locked", "good")
        assert row["source_date"] == value_date
        assert row["source_index"] == str(parse_date(value_date) * 10)
        assert row["source_sha256"] == mark.source.sha256 == f"{parse_date(value_date) * 10:064x}"
        assert row["log_index"] == str(parse_date(line.date) * 10 + 5)
        assert row["proof"] == f"proofs/marks/openai/{line.date}.0.locked.tlog-proof"
    totals = {
        "type": "settlement_statement",
        "contract": "proposal-1",
        "terms_sha256": terms().sha256,
        "reference": "openai",
        "methodology": "1.0",
        "settlement": "average",
        "unit": "USD_PER_MTOK_OUTPUT",
        "first_date": "2026-03-01",
        "last_date": "2026-03-05",
        "final_settlement_value": "12.326000",
        "trade_price": "12.345600",
        "quantity_mtok": "25000",
        "amount_to_buyer": "-490.00",
        "moved_before": "-490.00",
        "final_payment_to_buyer": "0.00",
        "paid_from_collateral": "0.00",
        "claim": "0.00",
        "returned_to_buyer": "11159.20",
        "returned_to_seller": "9749.20",
        "currency": "USD",
        "payment_date": "2026-03-13",
    }
    assert {name: value for name, value in said.items() if name != "marks"} == totals
    """The mark of 5 March was published on 6 March, a Friday; it locks as the 11th begins, and is paid on the 13th."""
    with refused("not_final"):
        statement(the_contract(book), marks)


# ---- rounding


@pytest.mark.parametrize(
    ("exact", "text"),
    [("0.005", "0.00"), ("0.015", "0.02"), ("2.675", "2.68"), ("-0.005", "0.00"), ("-0.015", "-0.02")],
)
def test_ties_go_to_the_even_cent_and_zero_has_no_sign(exact: str, text: str) -> None:
    assert amount_text(cash(micro(exact), 1)) == text
    assert amount_text(cash(micro(exact) // 5, 5)) == text
    assert oracle.cents(oracle.dollars(micro(exact))) == cash(micro(exact), 1)


@pytest.mark.parametrize(("total", "days", "value"), [(5, 2, 2), (7, 2, 4), (35, 10, 4), (25, 10, 2)])
def test_the_mean_is_rounded_once_half_even(total: int, days: int, value: int) -> None:
    window = Window(first=0, last=days - 1)
    marks = {day: total // days + (day < total % days) for day in window.days}
    assert window.final_value(marks) == window.settlement_price(days - 1, marks) == value


def test_days_rounded_one_by_one_would_drift() -> None:
    """1.5 cents up and half a cent down: one cent in all, and two where each day is rounded for itself."""
    exposure = terms(lots=1, multiplier=1, price=1_000_000, transfer_min=0).exposure
    prices = {exposure.window.first - 2: 1_015_000, exposure.window.first - 1: 1_010_000}
    account, daily, last = Account(long=100, short=100), 0, exposure.price
    for day, price in prices.items():
        account = margin_day(account, exposure, day, prices).account
        daily, last = daily + cash(price - last, 1), price
    assert account.moved == 1
    assert daily == 2, "the rule that is not ours"


def test_nobody_but_the_system_ages_a_mark_of_the_example() -> None:
    [first, *_] = _published_before("2026-02-27")
    assert first.dispute_until == parse_date("2026-03-04") * DAY
    for who in (desk(), treasury(), PUBLISHER):
        with refused("not_yours"):
            review.lock(first, actor=who, now=first.dispute_until)
    assert values_of([review.lock(first, actor=SYSTEM, now=first.dispute_until)]) == {
        first.day: micro("12.4000")
    }
