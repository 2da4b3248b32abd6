"""The ledger: the worked example to the cent, driven markets and random paths, and every defect it has to find."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import msgspec
import pytest

import settlement_oracle as oracle
from ledgers import Kept, LedgerDrive, changed, in_cents, moved, said
from market_driving import RULES as DRIVEN
from mtok.calendar import format_date, parse_date
from mtok.market.agreements import Agreed, Agreement
from mtok.market.book import advance
from mtok.market.contracts import Contract, Marked, Posted
from mtok.market.ledger import (
    BANK,
    Kind,
    MarkVersion,
    Transaction,
    Transfer,
    balances,
    reversal_of,
    transactions_of,
)
from mtok.market.margin import Side
from mtok.market.trial_balance import check
from mtok.settlement.marks import Level, Mark
from mtok.settlement.people import SYSTEM
from settlement_paths import Path as OfContract
from settlement_paths import booked_path, contract_terms, path
from settling import (
    METHODOLOGY,
    SERIES,
    book_with,
    cents,
    command,
    mark_of,
    micro,
    new_contract,
    noon,
    refused,
    terms,
    treasury,
)

IM = 925_920
ROWS = {
    "2026-02-27": "12.4",
    "2026-02-28": "12.25",
    "2026-03-01": "12.4",
    "2026-03-02": "12.1",
    "2026-03-03": "12.115",
    "2026-03-04": "12.115",
    "2026-03-05": "12.9",
}
"""Dates and marks of the worked example (market.md 7.6); that of 4 March is carried."""


def _marks(to: str, state: str = "published", **other: str) -> list[Mark]:
    values = ROWS | other
    return [mark_of(date, micro(values[date]), state) for date in ROWS if date <= to]


def _evening(date: str) -> int:
    return noon(format_date(parse_date(date) + 1), "19:00:00")


def _begun() -> Kept:
    """The contract of the example, its initial margin just posted."""
    kept = Kept(book_with(new_contract(terms(), noon("2026-02-24"))))
    kept.give(command("activate", noon("2026-02-25"), Posted(buyer=IM, seller=IM)))
    return kept


def _margins(kept: Kept, *dates: str) -> None:
    for date in dates:
        details = Marked(marks=tuple(_marks(date)), day=parse_date(date))
        kept.give(command("margin", _evening(date), details))


def _example(to: str = "2026-03-05") -> Kept:
    """The example up to a date: B pays its call of 28 February the same evening."""
    kept = _begun()
    for date in ROWS:
        if date > to:
            break
        _margins(kept, date)
        if date == "2026-02-28":
            kept.give(command("post", _evening(date), Posted(buyer=cents("2,390.00"))))
    return kept


def _settled(kept: Kept, marks: list[Mark]) -> None:
    kept.give(command("mature", noon("2026-03-20"), Marked(marks=tuple(marks))))
    kept.give(command("settle", noon("2026-03-23")), marks=marks)
    kept.give(command("close", noon("2026-03-24")))


def _lines(kept: Kept) -> list[str]:
    return [said(one) for one in kept.transactions]


# ---- the worked example

MARGINED = [
    "2026-02-25 initial_margin bank>buy 9259.20",
    "2026-02-25 initial_margin bank>sell 9259.20",
    "2026-02-27 variation sell>… 1360.00, …>buy 1360.00",
    "2026-02-28 variation buy>… 3750.00, …>sell 3750.00",
    "2026-03-01 collateral bank>buy 2390.00",
    "2026-03-01 variation sell>… 3750.00, …>buy 3750.00",
    "2026-03-02 variation buy>… 6000.00, …>sell 6000.00",
]
"""Typed from the columns `moved` and `call` of the table; its call is paid on the evening after."""


def test_the_worked_example_to_the_cent() -> None:
    """By hand: the last row moves 4,150.00; B gets 11,159.20 back and S 9,749.20, as the table ends."""
    kept = _example()
    _settled(kept, _marks("2026-03-05", "locked"))
    assert _lines(kept) == [
        *MARGINED,
        "2026-03-05 variation sell>… 4150.00, …>buy 4150.00",
        "2026-03-24 collateral_returned buy>bank 11159.20",
        "2026-03-24 collateral_returned sell>bank 9749.20",
    ]
    assert in_cents(balances(kept.transactions)) == {}


def test_the_balances_of_every_evening_are_the_columns_of_the_table() -> None:
    columns = {
        "2026-02-27": ("10619.20", "7899.20", "-18518.40"),
        "2026-03-01": ("13009.20", "7899.20", "-20908.40"),
        "2026-03-04": ("7009.20", "13899.20", "-20908.40"),
        "2026-03-05": ("11159.20", "9749.20", "-20908.40"),
    }
    for date, (long, short, bank) in columns.items():
        assert in_cents(balances(_example(date).transactions)) == {
            "collateral:proposal-1:buy": long,
            "collateral:proposal-1:sell": short,
            "external:bank": bank,
        }


def test_the_last_amount_may_be_left_to_the_end() -> None:
    """Without the margin of 5 March its 4,150.00 are the final payment, on the day payment is confirmed."""
    kept = _example("2026-03-04")
    locked = _marks("2026-03-05", "locked")
    kept.give(command("mature", noon("2026-03-20"), Marked(marks=tuple(locked))))
    assert _lines(kept) == MARGINED, "what is fixed is not paid yet"
    kept.give(command("settle", noon("2026-03-23")), marks=locked)
    assert _lines(kept)[len(MARGINED) :] == ["2026-03-23 final sell>… 4150.00, …>buy 4150.00"]
    assert [mark.date for mark in kept.transactions[-1].marks] == list(ROWS)[2:], "the window, no day before"


def test_variant_1_a_correction_in_the_window() -> None:
    """By hand: FSV 12.4060, +1,510.00 in all; of it −490.00 had moved, S pays 2,000.00."""
    kept = _example()
    _settled(kept, _marks("2026-03-05", "locked", **{"2026-03-02": "12.5"}))
    assert _lines(kept)[-3:] == [
        "2026-03-23 final sell>… 2000.00, …>buy 2000.00",
        "2026-03-24 collateral_returned buy>bank 13159.20",
        "2026-03-24 collateral_returned sell>bank 7749.20",
    ]


def _closed_out(last: str) -> Kept:
    """Variant 2: no call is paid, notice on 3 March, closed out at a mark of that day."""
    kept = _begun()
    _margins(kept, "2026-02-27", "2026-02-28", "2026-03-01")
    kept.give(command("notice", noon("2026-03-03", "12:00:00")))
    _margins(kept, "2026-03-02")
    marks = [*_marks("2026-03-02"), mark_of("2026-03-03", micro(last))]
    kept.give(command("close_out", noon("2026-03-05", "00:00:00"), Marked(marks=tuple(marks))))
    return kept


@pytest.mark.parametrize(
    ("last", "lines"),
    [
        (
            "11.8",
            [
                "2026-03-05 close_out buy>… 4500.00, …>sell 4500.00",
                "2026-03-05 collateral_returned buy>bank 119.20",
                "2026-03-05 collateral_returned sell>bank 18399.20",
            ],
        ),
        (
            "10.5",
            [
                "2026-03-05 close_out buy>… 4619.20, …>sell 4619.20",
                "2026-03-05 collateral_returned sell>bank 18518.40",
            ],
        ),
    ],
)
def test_variant_2_a_close_out_with_and_without_a_claim(last: str, lines: list[str]) -> None:
    """By hand in the design: 119.20 is left of B's collateral; or all of it goes, and 19,380.80 move nothing."""
    kept = _closed_out(last)
    assert _lines(kept)[-len(lines) :] == lines
    assert in_cents(balances(kept.transactions)) == {}


def test_what_a_side_had_got_that_was_never_there_is_taken_back() -> None:
    """By hand: at 11 on 27 February 33,640.00 move, 24,380.80 more than B has; at 12 (−8,640.00) it is 25,000.00 less:
    S pays that, and B's collateral is 619.20. At 11.3 (−26,140.00) S pays 7,500.00, and B still lacks 16,880.80, which
    S had got from nowhere: they go back, S is left with what there is, and has a claim."""
    for price, lines in {
        "12": [
            "termination sell>… 25000.00, …>buy 25000.00",
            "collateral_returned buy>bank 619.20",
            "collateral_returned sell>bank 17899.20",
        ],
        "11.3": [
            "termination sell>… 7500.00, …>buy 7500.00, sell>… 16880.80, …>buy 16880.80",
            "collateral_returned sell>bank 18518.40",
        ],
    }.items():
        kept = _begun()
        low = mark_of("2026-02-27", micro("11"))
        kept.give(command("margin", _evening("2026-02-27"), Marked(marks=(low,), day=low.day)))
        assert balances(kept.transactions)["collateral:proposal-1:buy"] == -cents("24,380.80")
        agreed = Agreement(contract="proposal-1", terms_sha256=terms().sha256, value=micro(price))
        both = Agreed(agreement=agreed, first_sha256=agreed.sha256, second_sha256=agreed.sha256)
        kept.give(command("terminate", noon("2026-03-02"), both))
        assert _lines(kept)[3:] == [f"2026-03-02 {line}" for line in lines]


def test_a_contract_that_never_began_moves_nothing() -> None:
    booked = new_contract(terms(), noon("2026-02-24"))
    void = advance(book_with(booked), noon("2026-03-24"))
    assert void.contracts["proposal-1"].state == "voided"
    assert transactions_of(None, booked, at=0, actor=SYSTEM) == []
    assert moved(book_with(booked), void, 0, SYSTEM, ()) == []
    assert check([], void.contracts.values()) == []


# ---- what a transaction says


def test_a_transaction_names_what_it_rests_on() -> None:
    kept = _example()
    first, *_, last = [one for one in kept.transactions if one.kind == Kind.VARIATION]
    assert (first.contract, first.terms_sha256, first.person) == ("proposal-1", terms().sha256, "system")
    assert first.posted_at == noon("2026-02-28", "19:00:00")
    assert first.marks == (MarkVersion(SERIES, METHODOLOGY, "2026-02-27", 0),), (
        "before the window its day alone"
    )
    assert [mark.date for mark in last.marks] == list(ROWS)[2:], "in the window every day so far"
    keys = [one.business_key for one in kept.transactions]
    assert keys == [
        "proposal-1/initial_margin/buy",
        "proposal-1/initial_margin/sell",
        "proposal-1/2026-02-27/variation/0",
        "proposal-1/2026-02-28/variation/0",
        "proposal-1/collateral/buy/1164920",
        "proposal-1/2026-03-01/variation/0",
        "proposal-1/2026-03-02/variation/0",
        "proposal-1/2026-03-05/variation/0",
    ]
    assert len({one.id for one in kept.transactions}) == len(keys)
    assert {len(one.id) for one in kept.transactions} == {22}


def test_the_version_in_a_key_is_that_of_the_mark() -> None:
    """Marks of another reference, and days that both sides have agreed on, are not what it rests on."""
    kept = _begun()
    said_of_day = Agreement(
        contract="proposal-1", terms_sha256=terms().sha256, value=micro("12.5"), day=parse_date("2026-03-01")
    )
    digest = said_of_day.sha256
    agreed = Agreed(agreement=said_of_day, first_sha256=digest, second_sha256=digest)
    kept.give(command("agree", noon("2026-03-02"), agreed))
    marks = [
        mark_of("2026-03-01", micro("12.4"), version=4),
        mark_of("2026-03-02", micro("12.6")),
        mark_of("2026-03-02", micro("12.7"), "corrected", version=2, level=Level.FINAL),
        msgspec.structs.replace(mark_of("2026-03-02", micro("9"), version=7), reference="qwen"),
        mark_of("2026-03-03", micro("12.9"), version=1),
    ]
    for date in ("2026-03-01", "2026-03-02", "2026-03-03"):
        details = Marked(marks=tuple(marks), day=parse_date(date))
        kept.give(command("margin", _evening("2026-03-03"), details))
    agreed_day, other, next_day = kept.transactions[-3:]
    assert (agreed_day.business_key, agreed_day.marks) == ("proposal-1/2026-03-01/variation/0", ())
    assert other.business_key == "proposal-1/2026-03-02/variation/2"
    assert other.marks == (MarkVersion(SERIES, METHODOLOGY, "2026-03-02", 2),)
    assert next_day.business_key == "proposal-1/2026-03-03/variation/1"
    assert [mark.version for mark in next_day.marks] == [2, 1]


def test_the_same_two_states_are_the_same_transactions() -> None:
    """Made again at another instant they have the same ids and keys, so that none is added twice."""
    kept = _begun()
    book = kept.book
    kept.give(command("post", noon("2026-02-26"), Posted(buyer=1, seller=2)))
    first, again = (
        moved(book, kept.book, at, treasury(), ()) for at in (noon("2026-02-26"), noon("2026-02-27"))
    )
    assert first != again
    assert [(one.id, one.business_key) for one in first] == [(one.id, one.business_key) for one in again]
    _settled(kept, _marks("2026-03-05", "locked"))
    for contract in (book.contracts["proposal-1"], *kept.contracts):
        assert transactions_of(contract, contract, at=0, actor=treasury()) == []


def test_the_same_amount_posted_twice_is_two_transactions() -> None:
    kept = _begun()
    for _ in range(2):
        kept.give(command("post", noon("2026-02-26"), Posted(seller=100)))
    assert [one.business_key for one in kept.transactions[2:]] == [
        "proposal-1/collateral/sell/926020",
        "proposal-1/collateral/sell/926120",
    ]


# ---- driven markets and random paths


def test_the_ledger_of_driven_markets_is_balanced_after_every_command() -> None:
    """The sequences come to every kind of transaction there is."""
    rules = [rule for weight, rule in DRIVEN for _ in range(weight)]
    kinds: Counter[str] = Counter()
    for number in range(150):
        drive = LedgerDrive(random.Random(f"ledger {number}").choice)
        drive.pair()
        while drive.steps < 24 or drive.pick(range(8)):
            drive.pick(rules)(drive)
        kinds.update(one.kind for one in drive.transactions)
    assert kinds.keys() == set(Kind) - {Kind.REVERSAL}, kinds


def _ledger_of(one: OfContract) -> tuple[list[Transaction], Contract]:
    """Return the ledger of a path from booking to the return of collateral, several commands of a day in one."""
    kept = Kept(book_with(new_contract(contract_terms(one), 0)))
    for after in booked_path(one):
        kept.transactions += moved(kept.book, after, 0, SYSTEM, ())
        kept.book = after
        assert check(kept.transactions, kept.contracts) == [], one.seed
    kept.give(command("settle", noon("2027-01-01")), command("close", noon("2027-01-01")))
    return kept.transactions, kept.contracts[0]


@pytest.mark.parametrize("first", range(0, 120, 30))
def test_random_paths_against_plain_fractions(first: int) -> None:
    """Every amount of variation is that of the oracle. A side gains price times quantity, and never more than the other
    has posted: what the bank gives it back less what it got."""
    for seed in range(first, first + 30):
        one = path(seed)
        transactions, contract = _ledger_of(one)
        assert _variation(transactions) == _variation_of_the_oracle(one, contract), seed
        came, went = Counter[str](), Counter[str]()
        for each in transactions:
            for transfer in each.transfers:
                came[transfer.credit[-4:]] += transfer.amount if transfer.debit == BANK else 0
                went[transfer.debit[-4:]] += transfer.amount if transfer.credit == BANK else 0
        whole = round(Fraction((oracle.fsv(one.deal, one.final) - one.deal.trade) * one.deal.quantity, 10**4))
        gain = min(max(whole, -came[":buy"]), came["sell"])
        assert (went[":buy"] - came[":buy"], went["sell"] - came["sell"]) == (gain, -gain), seed


def _variation(transactions: Sequence[Transaction]) -> dict[str, int]:
    """What moved to the long side, by date."""
    return {
        format_date(one.effective_day): sign * one.transfers[0].amount
        for one in transactions
        if one.kind == Kind.VARIATION
        for sign in (1 if one.transfers[0].debit.endswith(":sell") else -1,)
    }


def _variation_of_the_oracle(one: OfContract, contract: Contract) -> dict[str, int]:
    """What moves does not depend on who has posted what."""
    money, found = oracle.Money(0, 0, 0), dict[str, int]()
    for event in one.events:
        if event.takes_margin:
            row = oracle.margin(one.deal, money, event.day, event.marks, event.claims)
            money = row.money
            found |= {format_date(event.day): row.moved} if row.moved else {}
    assert money.moved == contract.account.moved
    return found


# ---- reversals


def test_a_correction_is_a_reversal_and_a_new_transaction() -> None:
    """The margin of 5 March made wrongly: taken back, and made anew under the next version of its mark."""
    kept = _example()
    right = kept.transactions[-1]
    wrong = changed(kept.transactions, -1, transfers=tuple(_scaled(one, 100) for one in right.transfers))
    back = reversal_of(wrong[-1], at=noon("2026-03-07"), actor=treasury())
    anew = msgspec.structs.replace(right, id="f" * 32, business_key="proposal-1/2026-03-05/variation/1")
    assert {one.invariant for one in check(wrong, kept.contracts)} == {"G5", "G8"}
    assert {one.invariant for one in check([*wrong, back], kept.contracts)} == {"G5", "G8"}
    assert check([*wrong, back, anew], kept.contracts) == []
    assert back.business_key == "proposal-1/2026-03-05/variation/0/reversal"
    assert said(back) == "2026-03-07 reversal …>sell 4151.00, buy>… 4151.00"
    assert (back.kind, back.reverses, back.person) == (Kind.REVERSAL, right.id, "dora")
    assert in_cents(balances([wrong[-1], back])) == {}


def test_a_reversal_is_not_reversed() -> None:
    back = reversal_of(_begun().transactions[0], at=0, actor=treasury())
    with refused("not_reversible"):
        reversal_of(back, at=0, actor=treasury())


# ---- defects


def _scaled(one: Transfer, more: int) -> Transfer:
    return msgspec.structs.replace(one, amount=one.amount + more)


def _round(account: str) -> tuple[Transfer, Transfer]:
    """From the clearing account to another one and back."""
    clearing = "variation:proposal-1"
    there = Transfer(debit=clearing, credit=account, amount=7)
    return there, msgspec.structs.replace(there, debit=account, credit=clearing)


def _taken_back(one: Transaction) -> Transaction:
    """What `reversal_of` refuses to make."""
    transfers = tuple(
        msgspec.structs.replace(each, debit=each.credit, credit=each.debit) for each in one.transfers
    )
    return msgspec.structs.replace(
        one, id="4" * 32, business_key=f"{one.business_key}/reversal", reverses=one.id, transfers=transfers
    )


def _defects(made: list[Transaction]) -> dict[str, tuple[list[Transaction], set[str]]]:
    """Ledgers with one defect each, and the invariants that break. The last but one of `made` is variation."""
    last, returned = made[-3], made[-1]
    place = len(made) - 3
    out, back = last.transfers
    swap = msgspec.structs.replace(out, debit=out.credit, credit=out.debit)
    lost = msgspec.structs.replace(back, amount=back.amount - 1)
    elsewhere = msgspec.structs.replace(back, credit="collateral:proposal-2:buy")
    undone = reversal_of(last, at=0, actor=treasury())
    again = msgspec.structs.replace(last, id="0" * 32, business_key="proposal-1/2026-03-05/variation/1")
    other_side = msgspec.structs.replace(returned.transfers[0], debit="collateral:proposal-1:buy")
    renamed = "proposal-1/late/reversal"
    return {
        "a leg swapped": (changed(made, place, transfers=(swap, back)), {"G5", "G6"}),
        "both legs swapped": (changed(made, place, transfers=undone.transfers), {"G5", "G8"}),
        "a transaction twice": ([*made, last], {"G4", "G5", "G8"}),
        "a day twice under another version": ([*made, again], {"G4", "G5", "G8"}),
        "a transaction left out": ([*made[:place], *made[place + 1 :]], {"G5", "G8"}),
        "initial margin left out": (made[1:], {"G5"}),
        "a cent lost": (changed(made, place, transfers=(out, lost)), {"G5", "G6", "G8"}),
        "a cent too much": (
            changed(made, place, transfers=(_scaled(out, 1), _scaled(back, 1))),
            {"G5", "G8"},
        ),
        "variation left on the clearing account": (
            changed(made, place, transfers=(out,)),
            {"G5", "G6", "G8"},
        ),
        "to an account of nobody": (changed(made, place, transfers=(out, elsewhere)), {"G2", "G5", "G8"}),
        "over an account of nobody": (changed(made, place, transfers=(out, *_round("gone:x"), back)), {"G2"}),
        "to the account it came from": (
            changed(made, place, transfers=(out, back, msgspec.structs.replace(out, credit=out.debit))),
            {"G1"},
        ),
        "a key twice": ([*made, msgspec.structs.replace(made[0], id="3" * 32)], {"G4", "G5"}),
        "an id twice": ([*made, msgspec.structs.replace(made[0], business_key="other")], {"G4", "G5"}),
        "a reversal taken back": ([*made, undone, _taken_back(undone)], {"G7", "G8"}),
        "returned to the other side": (changed(made, -1, transfers=(other_side,)), {"G5"}),
        "nothing moved": (changed(made, place, transfers=()), {"G1", "G5", "G8"}),
        "an amount of nothing": (
            changed(made, 0, transfers=(_scaled(made[0].transfers[0], -IM),)),
            {"G1", "G5"},
        ),
        "a final amount for variation": (changed(made, place, kind=Kind.FINAL), {"G8"}),
        "collateral called variation": (changed(made, 0, kind=Kind.VARIATION), {"G5", "G8"}),
        "no person": (changed(made, place, person=""), {"G11"}),
        "other terms": (changed(made, place, terms_sha256="0" * 64), {"G11"}),
        "another contract": (changed(made, place, contract="proposal-2"), {"G11"}),
        "taken back and not made anew": ([*made, undone], {"G5", "G8"}),
        "taken back twice": (
            [*made, undone, msgspec.structs.replace(undone, id="1" * 32, business_key=renamed)],
            {"G5", "G7", "G8"},
        ),
        "taken back by half": (
            [*made, msgspec.structs.replace(undone, transfers=undone.transfers[:1])],
            {"G5", "G6", "G7"},
        ),
        "taken back of nothing": ([*made, msgspec.structs.replace(undone, reverses="2" * 32)], {"G5", "G7"}),
        "a reversal by another name": (changed([*made, undone], -1, kind=Kind.VARIATION), {"G5", "G7", "G8"}),
    }


def test_every_defect_is_found() -> None:
    kept = _example()
    _settled(kept, _marks("2026-03-05", "locked"))
    assert check(kept.transactions, kept.contracts) == []
    for name, (transactions, broken) in _defects(kept.transactions).items():
        assert {one.invariant for one in check(transactions, kept.contracts)} == broken, name


def test_a_violation_says_where_and_how_much() -> None:
    kept = _example()
    [found, *_] = check(kept.transactions[:-1], kept.contracts)
    assert found.words == "collateral:proposal-1:buy holds 700920 cents, by the contract 1115920"


def test_a_claim_that_is_called_paid_is_found() -> None:
    """A last amount that S never got, out of the 19,380.80 it may claim."""
    kept = _closed_out("10.5")
    assert check(kept.transactions, kept.contracts) == []
    [contract] = kept.contracts
    assert contract.closing is not None
    paid = msgspec.structs.replace(contract.closing, claim=contract.closing.claim - 1)
    found = check(kept.transactions, [msgspec.structs.replace(contract, closing=paid)])
    assert [one.invariant for one in found] == ["G8"]


def test_both_sides_are_held_against_the_contract() -> None:
    kept = _example("2026-02-28")
    [contract] = kept.contracts
    for side in Side:
        account = contract.account.posted(side, 1)
        [holds, was_posted] = check(kept.transactions, [msgspec.structs.replace(contract, account=account)])
        assert (holds.invariant, was_posted.invariant) == ("G5", "G5")
        assert holds.words.startswith(f"collateral:proposal-1:{side} holds ")


def test_the_document_lists_every_kind_and_every_invariant() -> None:
    page = (Path(__file__).parents[1] / "docs" / "ledger.md").read_text("utf-8")
    events = page.split("## What moves when")[1].split("## What must hold")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", events, re.MULTILINE)) == set(Kind)
    checked = set(re.findall(r"^\| (G\d+) \|.*\| `check`[^|]*\|$", page, re.MULTILINE))
    kept = _example()
    _settled(kept, _marks("2026-03-05", "locked"))
    assert checked == {name for _, broken in _defects(kept.transactions).values() for name in broken}
