"""Netting by a second computation, and the edges of small functions that long paths pass over."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any

import msgspec
import pytest

from mtok.market.contracts import Contract
from mtok.market.margin import Account, Side, margin_day, undisputed
from mtok.market.matching import Interest, Match, inputs_bytes, matches_bytes, price_of
from mtok.market.netting import Due, Payment, due_of, net
from mtok.settlement.machines import Refused
from mtok.settlement.values import Style, price_units
from settling import new_contract, terms


def between(buyer: str, seller: str, name: str, **changed: Any) -> Contract:
    """Return a contract of two parties."""
    return msgspec.structs.replace(new_contract(terms(**changed), 0, buyer, seller), id=name)


def test_what_is_owed_says_who_pays_whom() -> None:
    one = between("b", "s", "c")
    assert due_of(one, 0) is None
    assert due_of(one, 1) == Due(contract=one, payer="s", payee="b", amount=1)
    assert due_of(one, -7) == Due(contract=one, payer="b", payee="s", amount=7)


def test_contracts_alike_are_one_payment_and_others_their_own() -> None:
    both = [between("a", "b", "c1"), between("b", "a", "c2"), between("a", "b", "c3", style=Style.LAST)]
    dues = [due_of(both[0], 500), due_of(both[1], 200), due_of(both[2], -50)]
    assert net(one for one in dues if one) == [
        Payment(payer="b", payee="a", currency="USD", amount=300, contracts=("c1", "c2")),
        Payment(payer="a", payee="b", currency="USD", amount=50, contracts=("c3",)),
    ]
    assert net([]) == []
    opposite = [due_of(both[0], 200), due_of(both[1], 200)]
    assert net(one for one in opposite if one) == [], "what comes to nothing is no payment"
    for cent, payer in ((1, "b"), (-1, "a")):
        due = due_of(both[0], cent)
        assert due is not None
        assert [(one.payer, one.amount) for one in net([due])] == [(payer, 1)]


def test_netting_is_the_sum_by_set_whatever_the_order() -> None:
    """Against a plain sum by (unordered parties, reference, month, settlement, methodology)."""
    chance = random.Random(7)
    dues: list[Due] = []
    sums: dict[tuple[str, ...], int] = defaultdict(int)
    for number in range(300):
        buyer, seller = chance.sample("abc", 2)
        changed = {
            "reference": chance.choice(["openai", "qwen"]),
            "maturity": chance.choice([24310, 24311]),
            "style": chance.choice(list(Style)),
            "methodology": chance.choice(["1.0", "1.1"]),
        }
        one = between(buyer, seller, f"c{number}", **changed)
        amount = chance.randint(-1000, 1000)
        if due := due_of(one, amount):
            dues.append(due)
            first, second = sorted((buyer, seller))
            sums[(first, second, *map(str, changed.values()))] += -amount if buyer == first else amount
    paid = net(dues)
    assert sorted(one.amount for one in paid) == sorted(abs(total) for total in sums.values() if total)
    for (first, second, *_), total in sums.items():
        assert total == 0 or any(
            one.amount == abs(total)
            and (one.payer, one.payee) == ((first, second) if total > 0 else (second, first))
            for one in paid
        )
    assert {name for one in paid for name in one.contracts} <= {one.contract.id for one in dues}
    chance.shuffle(dues)
    assert net(dues) == paid


def test_a_net_amount_beyond_64_bits_is_refused() -> None:
    ones = [Due(contract=between("a", "b", f"c{n}"), payer="a", payee="b", amount=2**62) for n in range(2)]
    with pytest.raises(Refused) as refused:
        net(ones)
    assert refused.value.code == "amount_overflow"
    assert net([ones[0], msgspec.structs.replace(ones[1], amount=2**62 - 1)])[0].amount == 2**63 - 1


@pytest.mark.parametrize(
    ("due", "own", "moves"),
    [
        (500, 300, 300),
        (300, 500, 300),
        (-500, -900, -500),
        (500, -1, 0),
        (-1, 500, 0),
        (0, 5, 0),
        (5, 0, 0),
        (0, 0, 0),
        (-5, 0, 0),
        (0, -5, 0),
    ],
)
def test_undisputed_is_what_both_numbers_agree_on(due: int, own: int, moves: int) -> None:
    assert undisputed(due, own) == moves


def test_nothing_is_no_collateral_and_the_last_amount_calls_nobody() -> None:
    for side in Side:
        for amount in (0, -1):
            with pytest.raises(Refused, match="cents"):
                Account(long=5, short=5).posted(side, amount)
    exposure = terms().exposure
    day = exposure.window.first - 1
    marks = {day: exposure.price + 10_000}
    assert margin_day(Account(), exposure, day, marks, final=True).calls == ()
    assert margin_day(Account(), exposure, day, marks).calls


@pytest.mark.parametrize(
    ("buy", "sell", "mark", "price"),
    [
        (12, 10, 99, 11),
        (11, 10, 99, 10),
        (10, 10, 99, 10),
        (9, 10, 99, None),
        (9, None, 99, 9),
        (None, 10, 99, 10),
        (None, None, 99, 99),
        (None, None, None, None),
    ],
)
def test_the_price_of_two_limits(
    buy: int | None, sell: int | None, mark: int | None, price: int | None
) -> None:
    """C6 and 6.0: the midpoint, rounded down to the tick; one limit; the mark; none where limits cross."""

    def interest(side: Side, limit: int | None) -> Interest:
        return Interest(
            id=side,
            party=side,
            group=side,
            reference="openai",
            methodology="1.0",
            style=Style.AVERAGE,
            side=side,
            lots=1,
            min_lots=1,
            tail=False,
            limit=limit,
            maturity=1,
            tolerance=0,
            accepted_at=0,
            root="00",
        )

    assert price_of(interest(Side.BUY, buy), interest(Side.SELL, sell), mark) == price


def test_a_published_value_is_read_to_the_digit_or_refused() -> None:
    assert [price_units(text) for text in ("12.640247", "0.000001", "1000.000000")] == [12_640_247, 1, 10**9]
    for text in (
        "12.64",
        "12",
        ".640247",
        "12.6402470",
        "-1.000000",
        "1２.640247",
        "12.64024x",
        "1,000.000000",
        "",
    ):
        with pytest.raises(ValueError, match="not a value with 6 decimals"):
            price_units(text)


def test_what_is_logged_of_a_run_is_these_bytes() -> None:
    """Typed by hand: the inputs before a run, by id, and its matches after it."""
    sell = Interest(
        id="r2",
        party="p2",
        group="g2",
        reference="openai",
        methodology="1.0",
        style=Style.AVERAGE,
        side=Side.SELL,
        lots=7,
        min_lots=2,
        tail=True,
        limit=12_500_000,
        maturity=24_320,
        tolerance=1,
        accepted_at=1_782_900_000_000_000,
        root="ab" * 32,
        refuses=("p9", "p3"),
    )
    buy = msgspec.structs.replace(
        sell, id="r1", party="p1", side=Side.BUY, limit=None, tail=False, refuses=()
    )
    root = "ab" * 32
    first = (
        '{"accepted_at":"1782900000000000","group":"g2","id":"r1","lots":"7","maturity":"2026-09","methodology":"1.0",'
        f'"min_lots":"2","party":"p1","reference":"openai","refuses":[],"root":"{root}","side":"buy",'
        '"style":"average","tail":false,"tolerance":"1"}'
    )
    second = (
        '{"accepted_at":"1782900000000000","group":"g2","id":"r2","limit":"12.500000","lots":"7",'
        '"maturity":"2026-09","methodology":"1.0","min_lots":"2","party":"p2","reference":"openai",'
        f'"refuses":["p3","p9"],"root":"{root}","side":"sell","style":"average","tail":true,"tolerance":"1"}}'
    )
    expected = f'{{"interests":[{first},{second}],"marks":{{"openai":"12.000000"}}}}'
    assert inputs_bytes([sell, buy], {"openai": 12_000_000}).decode() == expected
    matched = Match(buy="r1", sell="r2", lots=7, price=12_500_000, maturity=24_320)
    assert matches_bytes([matched]).decode() == (
        '[{"buy":"r1","lots":"7","maturity":"2026-09","price":"12.500000","sell":"r2"}]'
    )
