"""The Beancount file: what stands in it, and what `bean-check` says of it, of right ledgers and of wrong ones."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

import msgspec
import pytest

from ledgers import Kept, LedgerDrive, changed
from market_driving import RULES as DRIVEN
from mtok.calendar import format_date, parse_date
from mtok.market.beancount import account_name, beancount_text
from mtok.market.contracts import Contract, Marked, Posted
from mtok.market.ledger import Transaction, collateral, reversal_of, variation
from mtok.market.margin import Side
from settling import book_with, cents, command, mark_of, micro, new_contract, noon, terms, treasury

CHECK = Path(sys.executable).with_name("bean-check")
IM = 925_920

Checked = Callable[[str], str]


@pytest.fixture
def checked(tmp_path: Path) -> Checked:
    """What bean-check says of a text: nothing where it finds no error."""

    def run(text: str) -> str:
        path = tmp_path / "ledger.beancount"
        path.write_text(text, "utf-8")
        done = subprocess.run([CHECK, "--no-cache", path], capture_output=True, text=True, check=False)
        assert (done.returncode == 0) == (not done.stderr + done.stdout), done
        return done.stderr + done.stdout

    return run


def _margined(name: str = "proposal-1", *, settles: bool = True) -> Kept:
    """A contract of the worked example that moves on two days, is called, and ends."""
    kept = Kept(book_with(new_contract(terms(proposal=name), noon("2026-02-24"))))
    kept.give(command("activate", noon("2026-02-25"), Posted(buyer=IM, seller=IM), id=name))
    marks = []
    for date, price in (("2026-02-27", "12.4"), ("2026-02-28", "12.25")):
        marks.append(mark_of(date, micro(price)))
        at = noon(format_date(parse_date(date) + 1), "19:00:00")
        kept.give(command("margin", at, Marked(marks=tuple(marks), day=parse_date(date)), id=name))
    kept.give(command("post", noon("2026-03-01"), Posted(buyer=cents("2,390.00")), id=name))
    if settles:
        locked = [mark_of(f"2026-03-0{day}", micro("12.3"), "locked") for day in range(1, 6)]
        kept.give(command("mature", noon("2026-03-20"), Marked(marks=tuple(locked)), id=name))
        for step in ("settle", "close"):
            kept.give(command(step, noon("2026-03-23"), id=name), marks=locked)
    return kept


GOLDEN = """\
option "title" "Ledger of contracts"
option "operating_currency" "USD"

2026-02-24 open Assets:Bank
2026-02-24 open Liabilities:Collateral:Cproposal--1:Buy
2026-02-24 open Liabilities:Collateral:Cproposal--1:Sell
2026-02-24 open Liabilities:Variation:Cproposal--1

2026-02-25 * "initial_margin"
  id: "{ids[0]}"
  kind: "initial_margin"
  business_key: "proposal-1/initial_margin/buy"
  terms_sha256: "{terms}"
  Assets:Bank  9259.20 USD
  Liabilities:Collateral:Cproposal--1:Buy  -9259.20 USD

2026-02-25 * "initial_margin"
  id: "{ids[1]}"
  kind: "initial_margin"
  business_key: "proposal-1/initial_margin/sell"
  terms_sha256: "{terms}"
  Assets:Bank  9259.20 USD
  Liabilities:Collateral:Cproposal--1:Sell  -9259.20 USD

2026-02-27 * "variation"
  id: "{ids[2]}"
  kind: "variation"
  business_key: "proposal-1/2026-02-27/variation/0"
  terms_sha256: "{terms}"
  Liabilities:Collateral:Cproposal--1:Sell  1360.00 USD
  Liabilities:Variation:Cproposal--1  -1360.00 USD
  Liabilities:Variation:Cproposal--1  1360.00 USD
  Liabilities:Collateral:Cproposal--1:Buy  -1360.00 USD

2026-03-01 * "reversal"
  id: "{ids[3]}"
  kind: "reversal"
  business_key: "proposal-1/initial_margin/sell/reversal"
  terms_sha256: "{terms}"
  reverses: "{ids[1]}"
  Liabilities:Collateral:Cproposal--1:Sell  9259.20 USD
  Assets:Bank  -9259.20 USD

2026-03-02 balance Liabilities:Collateral:Cproposal--1:Buy  -9259.20 ~ 0.00 USD
2026-03-02 balance Liabilities:Collateral:Cproposal--1:Sell  -9259.20 ~ 0.00 USD
2026-03-02 balance Liabilities:Variation:Cproposal--1  0.00 ~ 0.00 USD
2026-03-02 balance Assets:Bank  18518.40 ~ 0.00 USD
"""


def test_the_file_to_the_byte() -> None:
    """Written by hand from the worked example; the balances are those of a contract that nothing has moved in."""
    made = _margined(settles=False).transactions[:3]
    made.append(reversal_of(made[1], at=noon("2026-03-01"), actor=treasury()))
    contract = new_contract(terms(), noon("2026-02-24"))
    account = msgspec.structs.replace(contract.account, long=IM, short=IM)
    contract = msgspec.structs.replace(contract, state="active", account=account)
    wanted = GOLDEN.format(ids=[one.id for one in made], terms=terms().sha256)
    assert beancount_text(made, [contract]) == wanted


def test_bean_check_finds_no_error_in_a_contract_from_beginning_to_end(checked: Checked) -> None:
    for settles in (False, True):
        kept = _margined(settles=settles)
        text = beancount_text(kept.transactions, kept.contracts)
        assert checked(text) == ""
        assert text.count("\n2026-03-24 balance " if settles else "\n2026-03-02 balance ") == 4


def test_an_account_begins_with_what_is_of_a_day_before_booking(checked: Checked) -> None:
    """The margin of the day before is taken in the evening, once the initial margin has come."""
    kept = Kept(book_with(new_contract(terms(), noon("2026-02-24"))))
    kept.give(command("activate", noon("2026-02-24"), Posted(buyer=IM, seller=IM)))
    mark = mark_of("2026-02-23", micro("12.4"))
    kept.give(command("margin", noon("2026-02-24", "19:00:00"), Marked(marks=(mark,), day=mark.day)))
    text = beancount_text(kept.transactions, kept.contracts)
    assert text.count("2026-02-23 open ") == 4
    assert checked(text) == ""


def test_nobody_is_named_in_it() -> None:
    kept = _margined()
    assert {one.person for one in kept.transactions} == {"dora", "system"}
    assert "dora" not in beancount_text(kept.transactions, kept.contracts)


def test_the_order_of_contracts_makes_no_difference() -> None:
    one, other = _margined(), _margined("proposal-2")
    made = [*one.transactions, *other.transactions]
    contracts = [*one.contracts, *other.contracts]
    assert beancount_text(made, contracts) == beancount_text(made, contracts[::-1])


def test_bean_check_finds_no_error_in_driven_markets(checked: Checked) -> None:
    """Twelve markets, several contracts each, wherever they were left."""
    rules = [rule for weight, rule in DRIVEN for _ in range(weight)]
    lines = 0
    for number in range(12):
        drive = LedgerDrive(random.Random(f"beancount {number}").choice)
        for _ in range(3):
            drive.pair()
            while drive.pick(range(16)):
                drive.pick(rules)(drive)
        text = beancount_text(drive.transactions, drive.book.contracts.values())
        lines += text.count(" * ")
        assert checked(text) == ""
    assert lines > 80


def _seeded(made: list[Transaction]) -> dict[str, Sequence[Transaction]]:
    out, back = made[2].transfers
    short = msgspec.structs.replace(back, amount=back.amount - 1)
    more = tuple(msgspec.structs.replace(one, amount=one.amount + 1) for one in (out, back))
    return {
        "a cent lost on the way": changed(made, 2, transfers=(out, short)),
        "a cent too much": changed(made, 2, transfers=more),
        "left on the clearing account": changed(made, 2, transfers=(out,)),
        "a transaction twice": [*made, made[2]],
        "one left out": made[:-1],
    }


def test_bean_check_finds_every_seeded_defect(checked: Checked) -> None:
    for settles in (False, True):
        kept = _margined(settles=settles)
        for name, made in _seeded(kept.transactions).items():
            assert "Balance failed" in checked(beancount_text(made, kept.contracts)), name


def test_bean_check_finds_a_text_that_is_not_balanced(checked: Checked) -> None:
    kept = _margined()
    text = beancount_text(kept.transactions, kept.contracts)
    assert "does not balance" in checked(text.replace("Buy  -1360.00 USD", "Buy  -1360.01 USD", 1))


def test_no_two_contracts_share_an_account() -> None:
    """Every id of up to four of the characters that could be taken for one another."""
    ids = ["".join(letters) for length in range(1, 5) for letters in product("-_uU1", repeat=length)]
    names = [account_name(account) for one in ids for account in (collateral(one, Side.BUY), variation(one))]
    assert len(set(names)) == 2 * len(ids)


def test_every_name_is_one_that_beancount_takes(checked: Checked) -> None:
    ids = ["-a_b", "_", "--", "Zz9", "0", "u-", "a" * 43]
    contracts: list[Contract] = [new_contract(terms(proposal=one), noon("2026-02-24")) for one in ids]
    assert checked(beancount_text([], contracts)) == ""


def test_an_id_that_no_contract_has_is_our_mistake() -> None:
    with pytest.raises(AssertionError, match="no id of a contract"):
        account_name('collateral:a"b:buy')
