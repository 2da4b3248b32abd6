"""The settlement lab: the worked example to the cent, any window again in plain fractions, limits, errors, page.

Figures typed here under "the worked example" are those of the settlement design's own table and variants, worked out by
hand before there was any code. Everything else is computed again by this module, which calls no arithmetic of mtok.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from mtok.calendar import format_date, parse_date
from mtok.cli import settle_lab
from mtok.cli.app import app
from mtok.cli.settle_lab_content import lab_content
from mtok.cli.settle_lab_page import lab_page
from mtok.cli.settle_lab_svg import lab_svg
from mtok.cli.terminal import showable
from mtok.errors import MtokError
from mtok.lab import (
    History,
    InitialReason,
    Replay,
    Terms,
    latest_window,
    published_history,
    replay,
    sample_history,
)
from mtok.market.margin import Side
from mtok.proofs import leaf_hash
from mtok.publication.published import Published
from mtok.settlement.specification import specification
from mtok.settlement.values import Style
from mtok.wording.figures import MINUS, TIED
from publications import KEY, Publisher, canonical, digest

ROOT = Path(__file__).parents[1]
RULES = specification()
SVG = "{http://www.w3.org/2000/svg}"

EXAMPLE = {
    "2026-02-27": "12.4000",
    "2026-02-28": "12.2500",
    "2026-03-01": "12.4000",
    "2026-03-02": "12.1000",
    "2026-03-03": "12.1150",
    "2026-03-05": "12.9000",
}
"""The marks of the worked example; 4 March has none."""


def units(text: str) -> int:
    return int(Fraction(text) * 10**6)


def usd(cents: int) -> str:
    return f"{Decimal(cents).scaleb(-2):,.2f}"


def history_of(values: Mapping[str, str], last: str | None = None, **more: Any) -> History:
    """Return a history in which every value is final. last : published until then, without it until the last value"""
    days = {parse_date(date): units(value) for date, value in values.items()}
    return History(
        reference=more.pop("reference", "openai"),
        methodology="1.0",
        first=min(days),
        last=parse_date(last) if last else max(days),
        values=days,
        stages=more.pop("stages", dict.fromkeys(days, "final")),
        **more,
    )


def lab(
    history: History,
    first: str,
    last: str,
    *,
    traded: str | None = None,
    price: str | None = None,
    **more: Any,
) -> Replay:
    terms = Terms.of(
        history,
        parse_date(first),
        parse_date(last),
        RULES,
        traded=None if traded is None else parse_date(traded),
        price=None if price is None else units(price),
        **more,
    )
    return replay(history, terms, RULES)


def example(values: Mapping[str, str] = EXAMPLE, traded: str = "2026-02-27") -> Replay:
    return lab(
        history_of(values, "2026-03-05"),
        "2026-03-01",
        "2026-03-05",
        traded=traded,
        price="12.3456",
        lots=25,
        multiplier=1000,
        initial_share=Fraction(3, 100),
    )


# ---- the worked example

TABLE = """
2026-02-27 12.400000 12.400000  1,360.00  1,360.00  1,360.00  1,360.00 10,619.20  7,899.20
2026-02-28 12.250000 12.250000 -2,390.00 -3,750.00 -3,750.00 -2,390.00  6,869.20 11,649.20 buy 2,390.00
2026-03-01 12.400000 12.400000  1,360.00  3,750.00  3,750.00  1,360.00 13,009.20  7,899.20
2026-03-02 12.100000 12.160000 -4,640.00 -6,000.00 -6,000.00 -4,640.00  7,009.20 13,899.20
2026-03-03 12.115000 12.169000 -4,415.00    225.00      0.00 -4,640.00  7,009.20 13,899.20
2026-03-04 12.115000 12.169000 -4,415.00    225.00      0.00 -4,640.00  7,009.20 13,899.20
2026-03-05 12.900000 12.326000   -490.00  4,150.00  4,150.00   -490.00 11,159.20  9,749.20
"""
"""date, mark, daily settlement price, target, due, moved, moved so far, collateral of both sides, call."""


def table_of(found: Replay) -> list[list[str]]:
    rows = []
    for day in found.margin.days:
        one = day.margin
        amounts = (one.target, one.due, one.moved, one.account.moved, one.account.long, one.account.short)
        prices = (one.mark, one.settlement_price)
        rows.append(
            [
                format_date(one.day),
                *(f"{Decimal(price).scaleb(-6):.6f}" for price in prices),
                *map(usd, amounts),
                *(text for call in one.calls for text in (str(call.side), usd(call.amount))),
            ]
        )
    return rows


def test_the_worked_example_to_the_cent() -> None:
    found = example()
    assert table_of(found) == [line.split() for line in TABLE.strip().splitlines()]
    margin = found.margin
    assert (margin.notional, margin.initial, margin.maintenance) == (30_864_000, 925_920, 694_440)
    assert (margin.reason, margin.transfer_min) == (InitialReason.ASKED, 50_000)
    assert found.average is not None
    assert (found.average.final_value, found.average.cash) == (12_326_000, -49_000)
    buyer, seller = margin.called
    assert (buyer.calls, buyer.sum, buyer.largest, buyer.day) == (
        1,
        239_000,
        239_000,
        parse_date("2026-02-28"),
    )
    assert (seller.side, seller.calls, seller.sum, seller.day) == (Side.SELL, 0, 0, None)
    held = [day.margin.account.long + day.margin.account.short for day in margin.days]
    assert held == [1_851_840] * 2 + [1_851_840 + 239_000] * 5


def test_the_day_carried_and_the_day_dropped() -> None:
    """12.3260 with the day carried, 12.3788 (12.37875) with it dropped."""
    found = example()
    [missing] = found.missing
    assert (missing.day, missing.source_day, missing.level) == (
        parse_date("2026-03-04"),
        parse_date("2026-03-03"),
        "F3",
    )
    assert found.dropped is not None
    assert (found.dropped.days, found.dropped.final_value) == (4, 12_378_750)
    assert found.dropped.cash == 82_875


def test_variant_1_a_correction_in_the_window() -> None:
    """2 March corrected from 12.1000 to 12.5000: 12.4060, +1,510.00, and 2,000.00 more than before."""
    before, after = example(), example({**EXAMPLE, "2026-03-02": "12.5000"})
    assert before.average is not None
    assert after.average is not None
    assert (after.average.final_value, after.average.cash) == (12_406_000, 151_000)
    assert after.average.cash - before.average.cash == 200_000


@pytest.mark.parametrize(
    ("mark", "price", "value", "left", "to_seller", "to_buyer", "claim"),
    [
        ("11.8000", 11_980_000, -914_000, -450_000, 450_000, 11_920, 0),
        ("10.5000", 11_200_000, -2_864_000, -2_400_000, 461_920, 0, 1_938_080),
    ],
)
def test_variant_2_a_close_out(
    mark: str, price: int, value: int, left: int, to_seller: int, to_buyer: int, claim: int
) -> None:
    """No earlier call was made: the trade is of 1 March, and the buyer has 4,619.20 when the call is not paid."""
    values = {"2026-03-01": "12.4000", "2026-03-02": "12.1000", "2026-03-03": mark, "2026-03-05": mark}
    found = example(values, traded="2026-03-01")
    second, third = found.margin.days[1:3]
    assert second.margin.account.long == 461_920
    assert second.margin.calls[0].side == Side.BUY
    closing = third.closing
    assert closing is not None
    assert (closing.price, closing.value, closing.open) == (price, value, left)
    assert (closing.payer, closing.claim) == (Side.BUY, claim)
    assert closing.to_long == to_buyer
    assert closing.to_short - second.margin.account.short == to_seller
    assert (found.margin.worst is third) == bool(claim)


def test_variant_3_marking_to_the_raw_mark_would_be_unwound() -> None:
    assert example().margin.given_back == -1_435_000


def test_variant_4_the_last_value_on_the_same_path() -> None:
    found = example()
    assert found.last is not None
    assert (found.last.final_value, found.last.cash) == (12_900_000, 1_386_000)


def test_an_error_counts_wherever_the_value_is_carried() -> None:
    """+10 % of 3 March, 1.2115, stands twice in the mean of five: 0.4846. On 5 March 1.29, and 0.258 of the mean."""
    found = example()
    shocks = {format_date(shock.day): shock for shock in found.shocks}
    assert sorted(shocks) == ["2026-03-01", "2026-03-02", "2026-03-03", "2026-03-05"]
    assert shocks["2026-03-03"].average.final_value == 484_600
    assert shocks["2026-03-03"].last.final_value == 0
    assert (shocks["2026-03-05"].average.final_value, shocks["2026-03-05"].last.final_value) == (
        258_000,
        1_290_000,
    )
    assert found.largest_shock(Style.AVERAGE) is shocks["2026-03-03"]
    assert found.largest_shock(Style.LAST) is shocks["2026-03-05"]


# ---- a second time, in plain fractions


def half_even(number: Fraction, places: int) -> Fraction:
    exact = Context(prec=400, rounding=ROUND_HALF_EVEN)
    quotient = exact.divide(Decimal(number.numerator), Decimal(number.denominator))
    return Fraction(exact.quantize(quotient, Decimal(1).scaleb(-places)))


def oracle(values: Mapping[int, Fraction], days: range, price: Fraction, mtok: int) -> dict[str, Any]:
    """Return what a window without a missing day comes to, in USD, from the trade on its first day on."""

    def money(value: Fraction) -> Fraction:
        return half_even((value - price) * mtok, 2)

    count = len(days)
    mean = sum((values[day] for day in days), Fraction(0)) / count
    rounded = half_even(mean, 6)
    daily, soar = [], Fraction(0)
    for place, day in enumerate(days, 1):
        soar += values[day]
        daily.append(half_even((soar + (count - place) * values[day]) / count, 6))
    moved, path = Fraction(0), []
    for day, one in zip(days, daily, strict=True):
        due = money(one) - moved
        moves = due if day == days[-1] or abs(due) >= 500 else Fraction(0)
        moved += moves
        path.append((one, money(one), due, moves, moved))
    shocks = {}
    for day in days:
        wrong = {**values, day: half_even(values[day] * Fraction(11, 10), 6)}
        after = half_even(sum((wrong[one] for one in days), Fraction(0)) / count, 6)
        shocks[day] = (after - rounded, money(after) - money(rounded), money(wrong[days[-1]]))
    raw = Fraction(0)
    for day in days:
        due = money(values[day]) - raw
        raw += due if abs(due) >= 500 else 0
    return {
        "average": (rounded, money(rounded)),
        "last": (values[days[-1]], money(values[days[-1]])),
        "unrounded": (mean, half_even((mean - price) * mtok, 2)),
        "daily": sum(half_even((after - before) * mtok, 2) for before, after in pairwise([price, *daily])),
        "path": path,
        "shocks": shocks,
        "given_back": money(rounded) - raw,
    }


@given(
    prices=st.lists(st.integers(1, 40_000_000), min_size=1, max_size=31),
    price=st.integers(1, 40_000_000),
    lots=st.integers(1, 2_000),
    multiplier=st.sampled_from([1, 3, 25, 100, 1000]),
)
def test_any_window_is_what_plain_fractions_say(
    prices: list[int], price: int, lots: int, multiplier: int
) -> None:
    first = parse_date("2026-03-01")
    values = {first + place: one for place, one in enumerate(prices)}
    history = History(
        reference="openai", methodology="1.0", first=first, last=max(values), values=values, stages={}
    )
    terms = Terms.of(history, first, max(values), RULES, price=price, lots=lots, multiplier=multiplier)
    found = replay(history, terms, RULES)
    exact = {day: Fraction(one, 10**6) for day, one in values.items()}
    expected = oracle(exact, terms.window.days, Fraction(price, 10**6), lots * multiplier)
    for name, settled in (("average", found.average), ("last", found.last)):
        assert settled is not None
        assert (Fraction(settled.final_value, 10**6), Fraction(settled.cash, 100)) == expected[name]
    rounding = found.rounding
    assert rounding is not None
    assert (rounding.unrounded, Fraction(rounding.of_unrounded, 100)) == expected["unrounded"]
    assert Fraction(rounding.daily, 100) == expected["daily"]
    assert Fraction(rounding.once, 100) == expected["average"][1]
    path = [
        (
            Fraction(one.settlement_price, 10**6),
            *(Fraction(cents, 100) for cents in (one.target, one.due, one.moved, one.account.moved)),
        )
        for one in (day.margin for day in found.margin.days)
    ]
    assert path == expected["path"]
    for shock in found.shocks:
        value, money, last = expected["shocks"][shock.day]
        assert (Fraction(shock.average.final_value, 10**6), Fraction(shock.average.cash, 100)) == (
            value,
            money,
        )
        assert Fraction(shock.last.cash, 100) == last - expected["last"][1]
    assert [shock.day for shock in found.shocks] == list(terms.window.days)
    assert Fraction(found.margin.given_back or 0, 100) == expected["given_back"]


def test_a_drift_of_amounts_rounded_day_by_day() -> None:
    """One Mtok: three times half a cent round to 0 each, to even; on the whole they are 1.5 cents, rounded to 2."""
    values = {
        "2026-02-28": "1.000000",
        "2026-03-01": "1.005000",
        "2026-03-02": "1.012500",
        "2026-03-03": "1.027500",
    }
    found = lab(history_of(values), "2026-03-01", "2026-03-03", lots=1, multiplier=1)
    assert [day.margin.settlement_price for day in found.margin.days] == [1_005_000, 1_010_000, 1_015_000]
    assert found.rounding is not None
    assert (found.rounding.once, found.rounding.daily, found.rounding.unrounded) == (2, 0, Fraction("1.015"))
    page = page_of(found)
    assert [line.split()[-2:] for line in page if line.startswith("day by day, each")] == [
        ["0.00", f"{MINUS}2"]
    ]


# ---- what is carried, to the edge


def gaps(count: int, missing: set[int], before: int = 1) -> dict[str, str]:
    """Return values of a window of `count` days from 1 March, its days counted from 1, and of days before it."""
    first = parse_date("2026-03-01")
    return {
        format_date(first + place - 1): f"{10 + place % 7}.000000"
        for place in range(1 - before, count + 1)
        if place not in missing
    }


@pytest.mark.parametrize(
    ("count", "missing", "refused"),
    [
        (20, {4, 5, 6}, []),
        (20, {4, 5, 6, 7}, [7]),
        (20, {4, 5, 6, 7, 8}, [7, 8]),
        (5, {2}, []),
        (5, {2, 4}, [4]),
        (10, {2, 9}, []),
        (10, {2, 5, 9}, [9]),
        (30, {2, 4, 6, 8, 10, 12}, []),
        (30, {2, 4, 6, 8, 10, 12, 14}, [14]),
        (4, {4}, [4]),
        (20, {1, 2, 3}, []),
        (20, {1, 2, 3, 4}, [4]),
    ],
)
def test_the_limits_of_carrying(count: int, missing: set[int], refused: list[int]) -> None:
    last = format_date(parse_date("2026-03-01") + count - 1)
    found = lab(history_of(gaps(count, missing), last), "2026-03-01", last)
    first = parse_date("2026-03-01")
    assert [one.day - first + 1 for one in found.missing] == sorted(missing)
    assert [one.day - first + 1 for one in found.refused] == refused
    assert (found.average is None) == bool(refused)
    assert (found.last is None, found.rounding is None, found.margin.final is None) == (bool(refused),) * 3
    assert found.dropped is not None
    own = [units(value) for date, value in gaps(count, missing).items() if date >= "2026-03-01"]
    assert Fraction(found.dropped.final_value, 10**6) == half_even(Fraction(sum(own), len(own) * 10**6), 6)
    assert len(found.margin.days) == (refused[0] - 1 if refused else count)


def test_a_refused_day_says_why_and_what_comes_next() -> None:
    found = lab(history_of(gaps(20, {4, 5, 6, 7})), "2026-03-01", "2026-03-20")
    [day] = found.refused
    assert day.refusal == "the last value is of 2026-03-03, more than 3 days before"
    page = " ".join("\n".join(page_of(found)).split())
    assert "No final value by F3. What would have come next, of 7 Mar 2026: F4" in page
    assert "may agree on a value until 14 Mar 2026 00:00:00 UTC; then F5, two operators name" in page
    assert "result no final value by F3" in page
    share = lab(history_of(gaps(5, {2, 4})), "2026-03-01", "2026-03-05")
    assert share.refused[0].refusal == "2 carried days of 5 are more than 1/5"


def test_days_before_the_window_do_not_use_up_its_share() -> None:
    values = {date: value for date, value in gaps(5, {2}, before=6).items() if date != "2026-02-25"}
    found = lab(history_of(values), "2026-03-01", "2026-03-05", traded="2026-02-24")
    assert [format_date(one.day) for one in found.missing] == ["2026-02-25", "2026-03-02"]
    assert not found.refused


# ---- initial margin


def wandering(days: int, step: str) -> History:
    """Return a history that goes up a step and down again every ten days, until the day before 1 March."""
    last = parse_date("2026-02-28")
    high = Fraction(10) + Fraction(step)
    values = {format_date(last - place): str(high if place // 10 % 2 else 10) for place in range(days)} | {
        f"2026-03-0{day}": "10" for day in range(1, 6)
    }
    return history_of(values)


@pytest.mark.parametrize(
    ("days", "step", "reason", "cents"),
    [
        (69, "0.5", InitialReason.UNKNOWN, 750_000),  # 59 moves: 30 % of 25,000.00
        (70, "0.5", InitialReason.FLOOR, 250_000),  # 60 moves of 0.5, 5/4 of them 0.625 under a tenth of 10
        (70, "1", InitialReason.MOVES, 312_500),  # 1.25 times 1.00 on 2,500 Mtok
        (70, "0.8", InitialReason.FLOOR, 250_000),  # 1.25 times 0.80 is the floor
    ],
)
def test_the_initial_margin_says_what_decided_it(
    days: int, step: str, reason: InitialReason, cents: int
) -> None:
    found = lab(wandering(days, step), "2026-03-01", "2026-03-05")
    margin = found.margin
    assert (margin.reason, margin.initial, len(margin.moves)) == (reason, cents, days - 10)
    assert (margin.specified, margin.specified_reason) == (cents, reason)
    asked = lab(wandering(days, step), "2026-03-01", "2026-03-05", initial_share=Fraction(1, 3)).margin
    assert (asked.initial, asked.specified, asked.specified_reason) == (833_333, cents, reason)


# ---- the history


def log_of(folder: Path, entries: list[dict[str, str]]) -> Published:
    """Write a log of these entries and return it."""
    publisher = Publisher(folder=folder)
    publisher.entries = [canonical({"v": "1", **entry}) for entry in entries]
    publisher.tree.extend(map(leaf_hash, publisher.entries))
    publisher._log([KEY])
    return Published(folder)


def printed(
    date: str, value: str | None, stage: str = "final", vintage: int = 0, **more: Any
) -> dict[str, Any]:
    common = {
        "series": "openai",
        "methodology": "1.0",
        "date": date,
        "vintage": str(vintage),
        "stage": stage,
        "quality": "good" if value else "withheld",
        "record_sha256": "0" * 64,
        "time": "2026-04-01T00:00:00Z",
    }
    content = {"type": "point", "value": value} if value else {"type": "nodata", "reasons": ["truncation"]}
    return {**common, **content, **more}


ENTRIES = [
    printed("2026-03-01", "10.000000", "backfill"),
    printed("2026-03-02", "10.500000"),
    printed("2026-03-02", "11.000000", vintage=1),
    printed("2026-03-02", "99.000000", "informational", 2),
    printed("2026-03-03", None),
    printed("2026-03-05", "12.000000", "prelim"),
    printed("2026-03-06", "7.000000", series="qwen"),
]


def test_a_published_history_is_what_is_in_force(tmp_path: Path) -> None:
    found = published_history(log_of(tmp_path, ENTRIES), "openai")
    day = parse_date("2026-03-01")
    assert found.values == {day: 10_000_000, day + 1: 11_000_000, day + 4: 12_000_000}
    assert found.stages == {day: "backfill", day + 1: "final", day + 4: "prelim"}
    assert (found.first, found.last, found.sample) == (day, day + 4, False)
    assert found.why_missing(day + 2) == ("truncation",)
    assert found.why_missing(day + 3) == ("not_published",)
    assert [found.is_final(day + place) for place in (0, 1, 4)] == [False, True, False]
    replayed = lab(found, "2026-03-02", "2026-03-05")
    assert [format_date(one) for one in replayed.not_final] == ["2026-03-05"]
    assert "1 of 2 not final (prelim)" in "\n".join(page_of(replayed)).replace(TIED, " ")


def test_a_model_is_read_from_the_tables_of_prices(tmp_path: Path) -> None:
    entries = []
    for date, price, stage in (
        ("2026-03-01", "3.000000", "backfill"),
        ("2026-03-02", None, "final"),
        ("2026-03-03", "4.000000", "final"),
    ):
        row = {"constituent": "openai/a", "price_seconds": "1", "price_usd_per_mtok": price, "rung": "direct"}
        table = {
            "as_of": "x",
            "date": date,
            "methodology": "1.0",
            "prices": [row] if price else [],
            "stage": stage,
        }
        path = f"prices/{date}.json"
        (tmp_path / "prices").mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(canonical(table))
        sha256 = digest(canonical(table))
        time = "2026-04-01T00:00:00Z"
        entries += [
            printed(date, "1.000000", stage),
            {"type": "prices", "date": date, "stage": stage, "time": time, "path": path, "sha256": sha256},
        ]
    found = published_history(log_of(tmp_path, entries), "model:openai/a")
    day = parse_date("2026-03-01")
    assert found.values == {day: 3_000_000, day + 2: 4_000_000}
    assert found.stages == {day: "backfill", day + 2: "final"}
    assert (found.first, found.last, found.why_missing(day + 1)) == (day, day + 2, ("not_listed",))
    with pytest.raises(MtokError) as unknown:
        published_history(log_of(tmp_path, entries), "model:openai/b")
    assert unknown.value.code == "model_unknown"


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("2026-04-30", "2026-06-29", ("2026-05-01", "2026-05-31", True)),
        ("2026-04-30", "2026-06-30", ("2026-06-01", "2026-06-30", True)),
        ("2026-05-01", "2026-06-29", ("2026-05-01", "2026-05-31", True)),
        ("2026-05-02", "2026-06-29", ("2026-05-31", "2026-06-29", False)),
        ("2026-06-20", "2026-06-29", ("2026-06-20", "2026-06-29", False)),
        ("2026-01-01", "2026-01-31", ("2026-01-01", "2026-01-31", True)),
    ],
)
def test_without_a_window_it_is_the_last_whole_month_else_the_last_days(
    first: str, last: str, expected: tuple[str, str, bool]
) -> None:
    begin, end, whole = latest_window(history_of({first: "1.000000"}, last))
    assert (format_date(begin), format_date(end), whole) == expected


# ---- the command


def run(*arguments: str | Path, **environment: str) -> Result:
    command = ["settle-lab", *map(str, arguments)]
    return CliRunner(env={"MTOK_STORE": None, **environment}).invoke(app, command)


def process(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    known = {name: value for name, value in os.environ.items() if name != "MTOK_STORE"}
    return subprocess.run(
        [sys.executable, "-m", "mtok", "settle-lab", *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**known, **environment},
        check=False,
    )


def page_of(found: Replay, **more: Any) -> list[str]:
    return lab_page(found, "asked", 80, asked_price=False, plot=None, **more)


def test_the_sample_is_replayed_without_a_store_and_says_so() -> None:
    result = run("openai")
    assert (result.exit_code, result.stderr) == (0, "")
    text = " ".join(result.stdout.split())
    assert "30 days, the last that are published: no whole calendar month is" in text
    assert "those of the bundled sample, 20 May 2026 to 26 Jun 2026" in text
    assert "This is a replay and no mark" in text
    assert result.stdout == run("openai", "--sample", MTOK_STORE="/nowhere").stdout
    content = json.loads(run("openai", "--json").stdout)
    assert (content["sample"], content["window"]["chosen"], len(content["not_final"])) == (True, "days", 30)
    assert content["trade"]["price_date"] == "2026-05-27"


def test_a_store_and_a_copy_of_its_publication_are_replayed(tmp_path: Path) -> None:
    folder = tmp_path / "store" / "publication"
    entries = [printed(f"2026-03-{day:02}", f"{9 + day % 5}.500000") for day in range(1, 32)]
    log_of(folder, entries)
    result = run("openai", "--json", "--price", "10", "--store", tmp_path / "store")
    assert result.exit_code == 0
    content = json.loads(result.stdout)
    assert (content["sample"], content["not_final"], content["window"]) == (
        False,
        [],
        {"first_date": "2026-03-01", "last_date": "2026-03-31", "days": 31, "chosen": "month"},
    )
    assert run("openai", "--json", "--price", "10", "--store", folder).stdout == result.stdout
    named = run("openai", "--json", "--price", "10.000000", "--month", "2026-03", MTOK_STORE=str(folder))
    assert json.loads(named.stdout)["window"]["chosen"] == "asked"
    said = run("openai", "--price", "10", "--store", folder).stdout
    assert "the last whole calendar month that is published" in " ".join(said.split())
    assert "all of them final prints" in said


def test_a_window_without_a_final_value_ends_with_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    history = history_of(gaps(20, {4, 5, 6, 7}))
    monkeypatch.setattr(settle_lab, "_history", lambda *_: history)
    result = run("openai", "--from", "2026-03-01", "--to", "2026-03-20", "--json")
    assert result.exit_code == 1
    content = json.loads(result.stdout)
    assert (content["average"], content["last"], content["rounding"]) == (None, None, None)
    refused = content["missing"][-1]
    assert refused["refusal"] == "the last value is of 2026-03-03, more than 3 days before"
    assert refused["agreed_until"] == "2026-03-14T00:00:00Z"
    assert content["margin"]["final"] is None
    assert run("openai", "--from", "2026-03-01", "--to", "2026-03-20").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "status", "code", "found"),
    [
        ("opnai", 2, "series_unknown", "series 'opnai' is unknown\nDid you mean openai? Known: anthropic, "),
        ("model:openai/gpt-4o-mni", 2, "model_unknown", "Did you mean model:openai/gpt-4o-mini"),
        ("model:", 2, "model_unknown", "has no posted price on any day"),
        ("openai --month 2026-5", 2, "month_invalid", "--month: '2026-5' is not a month"),
        ("openai --month 2026-13", 2, "month_invalid", "Write months as YYYY-MM"),
        ("openai --month 2026-05-01", 2, "month_invalid", "is not a month"),
        ("openai --month 2026-04", 1, "window_unpublished", "published from 2026-05-20 to 2026-06-26"),
        ("openai --month 2026-07", 1, "window_unpublished", "2026-07-01 to 2026-07-31: openai is published"),
        ("openai --from 2026-06-26 --to 2026-06-27", 1, "window_unpublished", "settles nothing"),
        ("openai --from 2026-05-19 --to 2026-05-27", 1, "window_unpublished", "2026-05-20"),
        (
            "openai --from 2026-06-01 --to 2026-06-07 --traded 2026-05-19",
            1,
            "window_unpublished",
            "marked from 2026-05-19",
        ),
        ("openai --from 2026-06-08 --to 2026-06-07", 2, "dates_out_of_order", "Give the earlier date"),
        ("openai --from 2026-06-08", 2, "dates_incomplete", "--to is missing"),
        ("openai --to 2026-06-08", 2, "dates_incomplete", "--from is missing"),
        ("openai --from 2026-6-8 --to 2026-06-09", 2, "date_invalid", "--from: '2026-6-8' is not a date"),
        ("openai --month 2026-06 --to 2026-06-09", 2, "options_conflict", "--month beside"),
        ("openai --from 2024-06-01 --to 2026-06-09", 2, "window_too_long", "739 days"),
        ("openai --traded 2026-06-27", 2, "trade_date_invalid", "a trade of 2026-06-27"),
        ("openai --traded 2024-06-27", 2, "trade_date_invalid", "at most 366 days before"),
        ("openai --traded 27", 2, "date_invalid", "--traded: '27' is not a date"),
        ("openai --price 12,5", 2, "price_invalid", "--price: '12,5' is not a price"),
        ("openai --price -1", 2, "price_invalid", "in plain digits"),
        ("openai --price 1e1", 2, "price_invalid", "is not a price"),
        ("openai --price 1.0000005", 2, "price_off_tick", "The tick is 0.000001: give 1.000000, or"),
        ("openai --price 0", 2, "price_out_of_range", "--price 0.000000"),
        ("openai --price 1000.000001", 2, "price_out_of_range", "at most 1000.000000"),
        ("openai --lots 0", 2, "size_out_of_range", "--lots 0\nGive 1 to 1,000,000 lots"),
        ("openai --lots 1000001", 2, "size_out_of_range", "--lots 1000001"),
        ("openai --multiplier 0", 2, "size_out_of_range", "--multiplier 0"),
        ("openai --multiplier 1000001", 2, "size_out_of_range", "million tokens a lot"),
        ("openai --initial-share 10", 2, "initial_share_invalid", "'10' is not a share"),
        ("openai --initial-share 1/0", 2, "initial_share_invalid", "such as 1/10 or 10%"),
        ("openai --initial-share 101%", 2, "initial_share_invalid", "101/100 of the notional"),
        ("openai --initial-share 0/5", 2, "initial_share_invalid", "more than 0"),
        ("openai --from 2026-05-20 --to 2026-05-27", 1, "price_missing", "no value before 2026-05-20"),
        (
            "model:openai/gpt-4-0314 --from 2026-06-20 --to 2026-06-26",
            1,
            "window_empty",
            "no value on any day of 2026-06-20 to 2026-06-26",
        ),
        (
            "model:anthropic/claude-4.8-opus-20260528 --price 25 --from 2026-05-25 --to 2026-06-10",
            1,
            "nothing_to_carry",
            "no value on 2026-05-25, the first day, and none before to carry\nBegin on a day with a value, 2026-05-28",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_replayed_is_refused_by_name(
    arguments: str, status: int, code: str, found: str
) -> None:
    result = run(*arguments.split())
    assert (result.exit_code, result.stdout) == (status, "")
    assert found in result.stderr
    machine = run(*arguments.split(), "--json")
    assert json.loads(machine.stdout)["error"]["code"] == code


def test_a_store_with_nothing_in_it_is_refused_by_name(tmp_path: Path) -> None:
    for store, code in ((tmp_path / "none", "store_missing"), (tmp_path, "nothing_published")):
        result = run("openai", "--json", "--store", store)
        assert json.loads(result.stdout)["error"]["code"] == code


@pytest.mark.parametrize(
    ("text", "share"), [("3%", "3/100"), ("2.5 %", "1/40"), ("1/8", "1/8"), ("100%", "1"), ("7/7", "1")]
)
def test_shares_are_exact(text: str, share: str) -> None:
    assert settle_lab._asked_share(text) == Fraction(share)


def test_prices_are_exact() -> None:
    prices = ("12.3456", "0.000001", "12.34560000", "7")
    assert [settle_lab._asked_price(text) for text in prices] == [12_345_600, 1, 12_345_600, 7_000_000]


# ---- what is shown


def shown() -> dict[str, Replay]:
    large = history_of(gaps(60, {4, 20, 21, 40, 41, 42, 43}, before=9))
    single = history_of({"2026-03-01": "5.000000"})
    return {
        "example": example(),
        "refused": lab(large, "2026-03-05", "2026-04-29", traded="2026-03-01", price="9"),
        "huge": lab(
            history_of(gaps(31, {3})), "2026-03-01", "2026-03-31", price="999", lots=10**6, multiplier=10**6
        ),
        "single": lab(single, "2026-03-01", "2026-03-01", price="5"),
        "first refused": lab(history_of(gaps(20, {1, 2, 3}, before=1)), "2026-03-05", "2026-03-20"),
        "nothing marked": lab(
            history_of({"2026-02-20": "4.000000", "2026-03-05": "4.500000"}), "2026-03-01", "2026-03-05"
        ),
        "year": lab(history_of(gaps(366, set())), "2026-03-01", "2027-03-01"),
        "sample": lab(sample_history("moonshot"), "2026-05-28", "2026-06-26"),
        "model": lab(
            sample_history("model:anthropic/claude-4.8-opus-fast-20260528"),
            "2026-06-01",
            "2026-06-26",
        ),
    }


SHOWN = shown()


@pytest.mark.parametrize("name", SHOWN)
def test_no_line_is_longer_than_the_page(name: str) -> None:
    lines = page_of(SHOWN[name])
    assert max(map(len, lines)) == 80
    assert max(map(len, lab_page(SHOWN[name], "days", 100, asked_price=True, plot=None))) <= 100
    plain = showable("\n".join(lines), "ascii")
    assert [len(line) for line in plain.splitlines()] == [len(line) for line in lines]
    assert "?" not in plain


def plot_rows(lines: list[str]) -> list[str]:
    return [line.partition("│")[2] for line in lines if re.match(r"[ 0-9.]+ │", line)]


def test_the_plot_tells_its_parts_without_colour() -> None:
    lines = page_of(SHOWN["example"])
    rows = plot_rows(lines)
    assert len(rows) == 13
    assert [row.count("●") for row in rows] == [1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 2]
    assert [row.count("○") for row in rows] == [0] * 12 + [1]
    assert "·" in rows[8]
    assert [place for place, row in enumerate(rows) if "┆" not in row] == [10]  # the line of 28 February
    assert "● mark   ━ daily settlement price   · trade price   ○ carried (F3)" in lines
    refused = "".join(plot_rows(page_of(SHOWN["refused"])))
    assert (refused.count("×"), refused.count("○")) == (1, 6)
    ascii_rows = showable("\n".join(lines), "ascii")
    assert "* mark   = daily settlement price   . trade price   o carried (F3)" in ascii_rows


def test_a_terminal_without_these_characters_gets_ascii() -> None:
    result = process("openai", PYTHONIOENCODING="ascii")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.isascii()
    assert max(map(len, result.stdout.splitlines())) == 80
    assert "* mark   = daily settlement price   . trade price" in result.stdout


def figures_of(content: Any) -> set[str]:
    """Return every decimal of a JSON answer."""
    if isinstance(content, dict):
        return set().union(*map(figures_of, content.values()))
    if isinstance(content, list):
        return set().union(*map(figures_of, content)) if content else set()
    return {content} if isinstance(content, str) and re.fullmatch(r"-?[0-9]+\.[0-9]{2,6}", content) else set()


@pytest.mark.parametrize("name", SHOWN)
def test_the_page_has_the_figures_of_the_json(name: str) -> None:
    found = SHOWN[name]
    content = json.loads(json.dumps(lab_content(found, "asked", asked_price=False, plot=None)))
    name = found.history.reference.removeprefix("model:")
    text = "\n".join(page_of(found)).replace(name, "").replace(",", "").replace(MINUS, "-").replace("+", "")
    written = set(re.findall(r"-?[0-9]+\.[0-9]+", text))
    margin = content["margin"]
    days = [
        {key: value for key, value in day.items() if key not in ("closing", "final")}
        for day in margin["days"]
    ]
    expected = figures_of(
        [content["average"], content["last"], days, margin["initial"], margin["maintenance"]]
    )
    expected |= figures_of([content["dropped"], content["trade"], margin["final"], margin["given_back"]])
    rounding = content["rounding"] or {}
    expected |= figures_of([rounding.get("cash"), rounding.get("cash_day_by_day")])
    for style, date in content["largest_shock"].items():
        expected |= figures_of([shock[style] for shock in content["shocks"] if shock["date"] == date])
    assert expected <= written, sorted(expected - written)
    for number in written - expected:
        known = figures_of(content) | {"1.0"}
        value = Decimal(number)
        listed = any(abs(value) == abs(Decimal(one)) for one in known)
        assert listed or differs(content, value) or mean(found, value), number


def differs(content: Any, value: Decimal) -> bool:
    """Return whether a number is a difference that the page shows between two of the JSON."""
    pairs = ((content["last"], content["average"]), (content["dropped"], content["average"]))
    return any(
        value == Decimal(one[name]) - Decimal(other[name])
        for one, other in pairs
        if one and other
        for name in ("final_value", "cash")
    )


def mean(found: Replay, value: Decimal) -> bool:
    return found.rounding is not None and Fraction(value) == half_even(found.rounding.unrounded, 12)


# ---- the plot as a file


@pytest.mark.parametrize("name", SHOWN)
def test_the_plot_is_one_file_that_needs_nothing_else(name: str) -> None:
    text = lab_svg(SHOWN[name])
    root = ET.fromstring(text)
    assert root.tag == f"{SVG}svg"
    labelled = root.attrib["aria-labelledby"].split()
    assert [root.findtext(f"{SVG}{one}") != "" for one in labelled] == [True, True]
    assert [element.attrib["id"] for element in root[:2]] == labelled
    assert root.attrib["role"] == "img"
    assert "prefers-color-scheme: dark" in text
    assert not re.search(r"href|url\(|<script|@import", text)
    assert re.findall(r"https?://\S+", text) == ['http://www.w3.org/2000/svg"']
    width = int(root.attrib["viewBox"].split()[2])
    for element in root.findall(f"{SVG}text"):
        room = width - int(element.attrib["x"])
        wide = Fraction(95, 10) if element.attrib["class"] == "head" else Fraction(74, 10)
        assert len(element.text or "") * wide < (room if element.attrib["text-anchor"] == "start" else width)


def test_the_plot_leaves_gaps_and_marks_what_is_carried() -> None:
    root = ET.fromstring(lab_svg(SHOWN["refused"]))
    drawn = {path.attrib["class"]: path.attrib["d"] for path in root.findall(f"{SVG}svg/{SVG}path")}
    found = SHOWN["refused"]
    assert drawn["mark"].count("M") == len(found.days) - 1
    assert drawn["hole"].count("M") == 6
    assert drawn["gap"].count("M") == 3
    assert drawn["daily"].count("M") == 1
    assert len(drawn["daily"].partition("l")[2].split()) // 2 == len(found.margin.days) - 1
    texts = [element.text or "" for element in root.findall(f"{SVG}text")]
    assert any("no dot: no mark, 1 of 60 days" in text for text in texts)
    assert "hole" not in lab_svg(SHOWN["sample"]).partition("</style>")[2]


def test_the_plot_is_written_without_the_packages_of_the_pages(tmp_path: Path) -> None:
    """Nothing heavy is imported, and nothing that `mtok[serve]` brings."""
    log_of(tmp_path / "p", [printed(f"2026-03-{day:02}", f"{day}.000000") for day in range(1, 32)])
    heavy = ("duckdb", "pyarrow", "numpy", "django", "ninja", "granian", "pydantic", "httpx2")
    program = (
        f"import sys, atexit\n"
        f"atexit.register(lambda: sys.stderr.write(' '.join(n for n in {heavy!r} if n in sys.modules)))\n"
        "from mtok.cli import main\nmain()\n"
    )
    for store in ([], ["--store", str(tmp_path / "p"), "--price", "3"]):
        out = tmp_path / "plot.svg"
        command = [sys.executable, "-c", program, "settle-lab", "openai", "--plot", str(out), *store]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (result.returncode, result.stderr) == (0, "")
        assert f"plot written to {out}" in result.stdout
        assert ET.fromstring(out.read_text("utf-8")).tag == f"{SVG}svg"
        out.unlink()


def test_where_the_plot_cannot_be_written_says_so(tmp_path: Path) -> None:
    result = run("openai", "--plot", tmp_path / "none" / "plot.svg", "--json")
    assert (result.exit_code, json.loads(result.stdout)["error"]["code"]) == (3, "environment")
