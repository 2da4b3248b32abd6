"""Random paths of contracts against the oracle, to the cent; S1 … S12 one by one; where amounts end."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest

import settlement_oracle as oracle
from mtok.calendar import DAY
from mtok.market.book import Book
from mtok.market.contracts import Marked, Posted
from mtok.market.margin import Account, close, initial_margin, maintenance_margin, margin_day, moves_of
from mtok.market.netting import Due, net
from mtok.settlement.values import AMOUNT_MAX, Style, Window, cash
from settlement_paths import (
    INVARIANTS,
    QUANTITY_MAX,
    contract_terms,
    evidence,
    features_of,
    marks_on,
    path,
    played,
)
from settling import (
    RULES,
    book_with,
    command,
    given,
    micro,
    new_contract,
    noon,
    refused,
    running,
    terms,
)

PATHS = 1_500
BLOCKS = [range(first, first + PATHS // 5) for first in range(0, PATHS, PATHS // 5)]


@pytest.mark.parametrize("seeds", BLOCKS, ids=lambda seeds: f"{seeds.start}-{seeds.stop - 1}")
def test_random_paths_agree_with_the_oracle_to_the_cent(seeds: range) -> None:
    """Every thirtieth is taken through a contract with marks and commands as well."""
    came = evidence(seeds, every=PATHS, contracts_every=30)
    assert not came.found, came.found[:5]


@pytest.mark.parametrize("name", INVARIANTS)
def test_invariant(name: str) -> None:
    broken = [seed for seed in range(60) if not INVARIANTS[name](path(seed))]
    assert not broken


def test_all_twelve_invariants_are_there() -> None:
    assert [name.split("_")[0] for name in INVARIANTS] == [f"s{number}" for number in range(1, 13)]


def test_the_paths_reach_what_wrong_rules_trip_over() -> None:
    came = Counter(name for seed in range(150) for name in features_of(path(seed)))
    wanted = {
        *(
            "before the window",
            "carried",
            "disputed",
            "corrected",
            "unmoved",
            "exactly the smallest transfer",
        ),
        *("called", "claim", "claim on who receives", "last value", "largest size", "highest price"),
    }
    assert came.keys() == wanted
    assert min(came.values()) >= 5, came
    assert {len(path(seed).window.days) for seed in range(300)} == set(range(5, 32))


# ---- S8 and S9 through commands


def test_a_day_taken_twice_is_refused_and_changes_nothing() -> None:
    for seed in range(20):
        one = path(seed)
        book = running(contract_terms(one), (one.events[0].day - 1) * DAY)
        for event in one.events[:5]:
            taken = command(
                "margin", (event.day + 1) * DAY, Marked(marks=tuple(marks_on(event)), day=event.day)
            )
            book = given(book, taken)
            with refused("margin_done"):
                given(book, taken)


def test_the_margin_of_many_contracts_is_the_same_in_any_order() -> None:
    paths = [path(seed) for seed in range(8)]
    contracts = [
        running(contract_terms(one, f"c{one.seed}"), (one.events[0].day - 1) * DAY).contracts[f"c{one.seed}"]
        for one in paths
    ]
    commands = [
        command(
            "margin",
            (event.day + 1) * DAY,
            Marked(marks=tuple(marks_on(event)), day=event.day),
            id=f"c{one.seed}",
        )
        for one in paths
        for event in one.events[-3:]
    ]

    def taken(order: list[int], contracts_first: bool) -> Book:
        book = book_with(*(contracts if contracts_first else contracts[::-1]))
        for place in order:
            for one in commands[place * 3 : place * 3 + 3]:
                book = given(book, one)
        return book

    forward, backward = taken(list(range(8)), True), taken(list(range(8))[::-1], False)
    assert forward.contracts == backward.contracts


# ---- initial margin


@pytest.mark.parametrize("count", [0, 1, 59, 60, 99, 100, 101, 199, 200, 201, 249, 250])
def test_the_initial_margin_is_that_of_the_oracle(count: int) -> None:
    """Moves that are all different, so that another element is another amount."""
    moves = tuple(sorted(3_000_000 + 1_000 * place for place in range(count)))
    for price in (1, micro("10"), RULES.price_max):
        for quantity in (1, 100, QUANTITY_MAX):
            got = initial_margin(price, quantity, moves, RULES)
            assert got == oracle.initial(price, quantity, moves)
            assert maintenance_margin(got, RULES) == round(Fraction(3, 4) * got)


@pytest.mark.parametrize(
    ("count", "element"),
    [(60, 60), (99, 99), (100, 99), (101, 100), (200, 198), (201, 199), (250, 248)],
)
def test_the_element_of_the_sorted_moves_is_written_out(count: int, element: int) -> None:
    """⌈0.99 n⌉ by hand. The price is so small that the floor of 10 % does not count: 1.25 × 8 × element cents."""
    moves = [80_000 * place for place in range(1, count + 1)]
    assert initial_margin(1, 1, moves, RULES) == 10 * element


def test_the_floor_and_the_share_of_what_is_not_known() -> None:
    """By hand: 10.00 USD a million, 100 million: 1,000 USD; 10 % and 30 % of it."""
    assert initial_margin(micro("10"), 100, [0] * 60, RULES) == 10_000
    assert initial_margin(micro("10"), 100, [0] * 59, RULES) == 30_000


def test_moves_end_in_the_last_250_days_and_need_both_days() -> None:
    for seed in range(40):
        one = path(seed)
        day = one.window.last
        history = {day - back: (back * 7919 + seed) % 1000 + 1 for back in range(280) if (back + seed) % 7}
        assert list(moves_of(history, day, RULES)) == sorted(oracle.moves(history, day))
    history = {day: 1 + day for day in range(400)}
    assert len(moves_of(history, 399, RULES)) == 250
    assert moves_of({0: 5, 10: 9, 11: 30, 260: 1}, 259, RULES) == (4,)
    assert moves_of({0: 5, 10: 9, 11: 30, 260: 1}, 260, RULES) == ()


# ---- the edges


def test_amounts_end_at_64_bits() -> None:
    """10⁴ units of price are a cent."""
    assert AMOUNT_MAX == 9_223_372_036_854_775_807
    assert cash(10_000 * AMOUNT_MAX, 1) == AMOUNT_MAX
    assert cash(-10_000 * AMOUNT_MAX, 1) == -AMOUNT_MAX
    assert cash(10_000 * AMOUNT_MAX + 4_999, 1) == AMOUNT_MAX
    for change in (10_000 * (AMOUNT_MAX + 1), 10_000 * AMOUNT_MAX + 5_000):
        for sign in (1, -1):
            with refused("amount_overflow"):
                cash(sign * change, 1)


def test_the_largest_contract_of_the_specification_is_far_inside() -> None:
    """By hand: 1,000 USD a million, 10⁸ million: 10¹¹ USD, 10¹³ cents."""
    exposure = terms(price=1, lots=RULES.lots_max, multiplier=RULES.multiplier).exposure
    assert exposure.quantity == QUANTITY_MAX == 10**8
    assert exposure.target(RULES.price_max) == 10**13 - 10**4
    assert initial_margin(RULES.price_max, QUANTITY_MAX, [RULES.price_max] * 250, RULES) == 12_500_000_000_000


def test_a_payment_beyond_64_bits_is_refused() -> None:
    contract = new_contract(terms(), 0)
    most = Due(contract=contract, payer="buyer-1", payee="seller-1", amount=AMOUNT_MAX)
    one = Due(contract=contract, payer="buyer-1", payee="seller-1", amount=1)
    assert [payment.amount for payment in net([most])] == [AMOUNT_MAX]
    with refused("amount_overflow"):
        net([most, one])
    back = Due(contract=contract, payer="seller-1", payee="buyer-1", amount=1)
    assert [payment.amount for payment in net([one, most, back])] == [AMOUNT_MAX]


@pytest.mark.parametrize("amounts", [(0, 0), (-1, 5), (5, -1)])
def test_what_is_posted_is_positive(amounts: tuple[int, int]) -> None:
    book = running(terms(), noon("2026-02-25"))
    with refused("amount_invalid"):
        given(book, command("post", noon("2026-02-26"), Posted(buyer=amounts[0], seller=amounts[1])))


# ---- what a window asks for


@pytest.mark.parametrize("style", Style)
def test_no_day_of_a_window_is_dropped(style: Style) -> None:
    window = Window(first=100, last=104, style=style)
    marks = dict.fromkeys(range(100, 105), 7)
    assert window.final_value(marks) == 7
    for day in window.days:
        less = {one: value for one, value in marks.items() if one != day}
        with refused("mark_missing"):
            window.final_value(less)
        for later in range(day, 105):
            with refused("mark_missing"):
                window.settlement_price(later, less)
        for sooner in range(100, day):
            assert window.settlement_price(sooner, less) == 7
    assert window.settlement_price(98, {98: 5}) == 5, "before the window the mark of the day is enough"


def test_the_smallest_transfer_moves_and_a_cent_less_does_not() -> None:
    """By hand: a dollar of price is 100 cents; 499.5 cents are rounded to 500, and 499.4999 are not."""
    exposure = terms(price=micro("10"), lots=1, multiplier=1, transfer_min=500).exposure
    day, account = exposure.window.first - 1, Account(long=10**6, short=10**6)
    prices = ("15", "14.99", "5", "5.01", "14.995", "14.994999")
    moved = [margin_day(account, exposure, day, {day: micro(price)}).moved for price in prices]
    assert moved == [500, 0, -500, 0, 500, 0]


def test_a_contract_ends_as_its_days_say() -> None:
    for seed in range(30):
        one = path(seed)
        result = played(one)
        assert result.closing == close(result.account, one.exposure, one.window.final_value(one.final))
        assert result.closing.value - result.closing.open == result.account.moved
