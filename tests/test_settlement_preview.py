"""What terms cost to hold, by brute force, and what may be referred to, by the published files read a second time."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import settlement_oracle as oracle
from mtok.calendar import format_date, parse_date
from mtok.market.margin import Account, Exposure, Side, margin_day
from mtok.market.preview import preview
from mtok.market.references import Reference, history, reference_of, refusal
from mtok.publication.published import Published
from settling import RULES, cents, micro, terms

# ---- preview


def _exposure(**changes: Any) -> Exposure:
    return terms(**changes).exposure


def _equity(exposure: Exposure, side: Side, price: int) -> int:
    """What a side has left at a price, the second computation."""
    gain = oracle.cents(oracle.dollars(price - exposure.price, exposure.quantity))
    return exposure.initial_margin + (gain if side == Side.BUY else -gain)


def _nearest(exposure: Exposure, side: Side, below: int, around: range) -> int | None:
    """The price nearest to the trade price at which less than so much is left, of those around, tried one by one."""
    tried = [price for price in around if _equity(exposure, side, price) < below]
    return min(tried, key=lambda price: abs(price - exposure.price), default=None)


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("seed", range(40))
def test_the_prices_of_a_preview_are_those_of_trying_every_one(seed: int, side: Side) -> None:
    """Small prices, so that all of them can be tried; the largest possible one is 3,000 units here."""
    chance = random.Random(seed)
    rules = _rules(3_000)
    initial = chance.choice([0, 1, 7, 100, 5_000])
    exposure = _exposure(
        price=chance.randint(1, 3_000),
        lots=chance.choice([1, 17, 10_000, 99_999]),
        multiplier=chance.choice([1, 100]),
        initial_margin=initial,
        maintenance_margin=initial * 3 // 4,
    )
    seen, everything = preview(exposure, side, [], rules), range(3_001)
    assert seen.call_price == _nearest(exposure, side, exposure.maintenance_margin, everything)
    assert seen.empty_price == _nearest(exposure, side, 1, everything)
    assert (seen.worst_move, seen.worst_loss) == (None, None)


def _rules(price_max: int) -> Any:
    from dataclasses import replace

    return replace(RULES, price_max=price_max)


def test_the_preview_of_the_worked_example() -> None:
    """By hand. Called when 2,314.81 is lost, from 2,314.805 on: more than 0.0925922 a million of 25,000,
    which is 0.092593. Empty when 9,259.20 is lost: 0.370368 a million.
    """
    exposure = _exposure()
    long = preview(exposure, Side.BUY, [1, 5, 200_000], RULES)
    short = preview(exposure, Side.SELL, [200_000], RULES)
    assert (long.call_price, short.call_price) == (micro("12.253007"), micro("12.438193"))
    assert (long.empty_price, short.empty_price) == (micro("11.975232"), micro("12.715968"))
    assert long.notional == short.notional == cents("308,640.00")
    assert (long.worst_move, long.worst_loss) == (200_000, cents("5,000.00"))
    assert (long.initial_margin, long.maintenance_margin) == (cents("9,259.20"), cents("6,944.40"))
    assert long.transfer_min == cents("500.00")


@pytest.mark.parametrize("side", Side)
def test_at_the_price_of_a_preview_margin_calls_and_a_tick_nearer_it_does_not(side: Side) -> None:
    exposure = _exposure()
    seen = preview(exposure, side, [], RULES)
    assert seen.call_price is not None
    nearer = 1 if side == Side.BUY else -1
    day = exposure.window.first - 1
    for price, called in ((seen.call_price, [side]), (seen.call_price + nearer, [])):
        account = Account(long=exposure.initial_margin, short=exposure.initial_margin)
        taken = margin_day(account, exposure, day, {day: price})
        assert [call.side for call in taken.calls] == called


def test_what_no_price_can_bring_about_has_none() -> None:
    """At a trade price of 1 a long side can lose next to nothing, at the highest one a short side."""
    low = _exposure(price=1, initial_margin=925_920)
    high = _exposure(price=RULES.price_max)
    assert preview(low, Side.BUY, [], RULES).call_price is None
    assert preview(low, Side.BUY, [], RULES).empty_price is None
    assert preview(high, Side.SELL, [], RULES).call_price is None
    assert preview(low, Side.SELL, [], RULES).call_price is not None


def test_the_preview_of_the_largest_contract() -> None:
    exposure = _exposure(
        price=RULES.price_max // 2,
        lots=RULES.lots_max,
        multiplier=RULES.multiplier,
        initial_margin=10**12,
        maintenance_margin=3 * 10**12 // 4,
    )
    for side in Side:
        seen = preview(exposure, side, [RULES.price_max], RULES)
        for price, below in ((seen.call_price, exposure.maintenance_margin), (seen.empty_price, 1)):
            assert price is not None
            assert price == _nearest(exposure, side, below, range(price - 50, price + 50))
        assert seen.worst_loss == 10**13


# ---- what is offered


@pytest.mark.parametrize(
    ("printed", "offered"), [(0, False), (53, False), (54, True), (55, True), (60, True)]
)
def test_a_reference_is_offered_from_nine_days_of_ten_on(printed: int, offered: bool) -> None:
    """90 % of 60 days are 54."""
    reference = Reference(reference="qwen", methodology="1.0", printed=printed, mark=None)
    assert reference.is_offered(RULES) == offered
    said = refusal(reference, "qwen", RULES)
    assert said is None if offered else f"on {printed} of the last 60 days, under 9/10" in (said or "")
    assert refusal(None, "nobody", RULES) == "nobody is not published"


# ---- history, against the published files


@pytest.fixture(scope="module")
def folder(published_sample: Path) -> Path:
    """The publication of the sample."""
    return published_sample / "publication"


def _entries(folder: Path) -> Iterator[dict[str, str]]:
    """Yield the entries of the log, from its bundles: two bytes of length, then JSON, as tlog-tiles has it."""
    size = int((folder / "log" / "checkpoint").read_text("utf-8").split("\n")[1])
    bundles = sorted((folder / "log" / "tile" / "entries").rglob("*"))
    raws = {path: path.read_bytes() for path in bundles if path.is_file()}
    whole = sorted((path for path in raws if ".p" not in path.as_posix()), key=lambda path: path.name)
    partial = [
        path for path in raws if path.parent.name == f"{size // 256:03d}.p" and path.name == str(size % 256)
    ]
    for path in [*whole, *partial]:
        raw = raws[path]
        while raw:
            length = int.from_bytes(raw[:2], "big")
            yield json.loads(raw[2 : 2 + length])
            raw = raw[2 + length :]


def _values(folder: Path, series: str) -> dict[str, str]:
    """The value of the last point of each date of a series, in the order of the log, where that has one."""
    found: dict[str, str | None] = {}
    for entry in _entries(folder):
        if entry.get("series") == series and entry.get("stage", "informational") != "informational":
            found[entry["date"]] = entry.get("value")
    return {date: value for date, value in found.items() if value is not None}


def _prices(folder: Path, model: str) -> dict[str, str]:
    """The posted price of a model in the last table of each date, where it lists the model."""
    found: dict[str, str] = {}
    for entry in _entries(folder):
        if entry["type"] == "prices" and entry["stage"] != "informational":
            table = json.loads((folder / entry["path"]).read_bytes())
            for row in table["prices"]:
                if row["constituent"] == model:
                    found[entry["date"]] = row["price_usd_per_mtok"]
    return found


def _dated(values: dict[int, int]) -> dict[str, str]:
    return {format_date(day): f"{value // 10**6}.{value % 10**6:06d}" for day, value in values.items()}


def test_the_log_is_read_whole_by_the_test(folder: Path) -> None:
    assert len(list(_entries(folder))) == Published.size_of(folder)


@pytest.mark.parametrize("series", ["openai", "qwen", "moonshot"])
def test_the_history_of_a_series_is_what_its_points_say(folder: Path, series: str) -> None:
    wanted = _values(folder, series)
    assert len(wanted) > 30
    assert _dated(history(Published(folder), series, "1.0")) == wanted
    assert history(Published(folder), series, "2.0") == {}


@pytest.mark.parametrize("model", ["anthropic/claude-3-haiku", "openai/gpt-4-0314"])
def test_the_history_of_a_model_is_what_the_tables_say(folder: Path, model: str) -> None:
    """The second one is not listed every day."""
    wanted = _prices(folder, model)
    assert wanted
    assert _dated(history(Published(folder), f"model:{model}", "1.0")) == wanted
    assert history(Published(folder), f"model:{model}", "2.0") == {}


@pytest.mark.parametrize(
    "name", ["openai", "qwen", "model:anthropic/claude-3-haiku", "model:openai/gpt-4-0314"]
)
def test_a_reference_as_it_stands_on_a_day(folder: Path, name: str) -> None:
    model = name.removeprefix("model:")
    values = _prices(folder, model) if name != model else _values(folder, name)
    units = {parse_date(date): int(value.replace(".", "")) for date, value in values.items()}
    for date in ("2026-06-26", "2026-06-20", "2026-08-18", "2026-05-01"):
        day = parse_date(date)
        got = reference_of(Published(folder), name, "1.0", day, None, RULES)
        assert got.printed == sum(day - 60 < one <= day for one in units)
        assert list(got.moves) == sorted(oracle.moves(units, day))
        assert not got.is_offered(RULES), "the sample has thirty-eight days"


def test_a_model_nobody_lists_has_no_history(folder: Path) -> None:
    assert history(Published(folder), "model:openai/never-there", "1.0") == {}
    assert history(Published(folder), "nobody", "1.0") == {}
