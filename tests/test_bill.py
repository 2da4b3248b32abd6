"""My bill: what a usage export comes to at posted prices, every figure computed a second time with plain fractions."""

from __future__ import annotations

import csv
import io
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from mtok.bill import Bill, bill_of
from mtok.bill.assessment import SUGGESTED_MAX
from mtok.bill.export import BYTES_MAX, COLUMNS, ROWS_MAX, Export, read_export
from mtok.bill.figures import AMOUNT_MAX, FigureRefused, amount, token_count
from mtok.bill.hedging import CHANGES_MIN, fit, fit_together
from mtok.bill.names import Names
from mtok.calendar import format_date
from mtok.cli.app import app
from mtok.errors import BadInput
from mtok.publication.published import Published
from mtok.records import PublishedRecord
from mtok.wording.bills import remedy

ROOT = Path(__file__).parents[1]
SERIES = ("openai", "google-gemini", "anthropic", "deepseek", "qwen", "moonshot")
DOCUMENT = (ROOT / "docs" / "bill.md").read_text("utf-8")
HEADER = "date,model,output_tokens,paid_usd"


@pytest.fixture(scope="session")
def publication(published_sample: Path) -> Published:
    """What the sample publishes."""
    return Published(published_sample / "publication")


def posted(publication: Published) -> dict[str, dict[str, Fraction]]:
    """Return the posted prices of each date by constituent, USD per million, from the published files alone."""
    found: dict[str, dict[str, Fraction]] = {}
    for path in sorted((publication.folder / "prices").glob("*.json")):
        content = json.loads(path.read_bytes())
        found[content["date"]] = {
            row["constituent"]: Fraction(row["price_seconds"]) / (86_400 * 10**12)
            for row in content["prices"]
        }
    return found


def values(publication: Published, series: str) -> dict[str, str]:
    """Return the values of a series by date, from its published CSV alone."""
    text = (publication.folder / "series" / f"{series}.csv").read_text("utf-8")
    return {row["date"]: row["value"] for row in csv.DictReader(io.StringIO(text)) if row["value"]}


def text_of(number: Fraction, places: int) -> str:
    """Return a fraction with so many decimals, half-even, by `decimal` and nothing of mtok."""
    exact = Context(prec=400, rounding=ROUND_HALF_EVEN)
    quotient = exact.divide(Decimal(number.numerator), Decimal(number.denominator))
    rounded = exact.quantize(quotient, Decimal(1).scaleb(-places))
    return f"{rounded if rounded else abs(rounded):f}"


def root_of(square: Fraction, places: int) -> str:
    """Return the root of a fraction with so many decimals, half-even."""
    exact = Context(prec=200, rounding=ROUND_HALF_EVEN)
    quotient = exact.divide(Decimal(square.numerator), Decimal(square.denominator))
    return f"{exact.quantize(exact.sqrt(quotient), Decimal(1).scaleb(-places)):f}"


def export(rows: Sequence[str], header: str = HEADER) -> bytes:
    return ("\n".join([header, *rows]) + "\n").encode()


# ---- one example, every figure of it

USED = {
    "2026-06-15": {"openai/gpt-5.5-20260423": 1_000_000, "openai/gpt-4o-mini": 3_000_000},
    "2026-06-16": {"openai/gpt-5.5-20260423": 1_200_000, "openai/gpt-4o-mini": 2_500_000},
    "2026-06-17": {
        "openai/gpt-5.5-20260423": 700_000,
        "openai/gpt-4o-mini": 2_600_000,
        "moonshotai/kimi-k2.6-20260420": 900_000,
    },
    "2026-06-18": {"openai/gpt-4o-mini": 2_800_000, "moonshotai/kimi-k2.6-20260420": 1_500_000},
    "2026-06-20": {"openai/gpt-4o-mini": 2_000_000, "moonshotai/kimi-k2.6-20260420": 1_600_000},
}
"""Tokens of a made-up user; no row of 19 June, so that no daily change leads to or from it."""

PAID = {"2026-06-15": {"openai/gpt-5.5-20260423": "27.00"}, "2026-06-17": {"openai/gpt-4o-mini": "1.4"}}
ELSEWHERE = ["2026-06-15,mistralai/mistral-large,500000,3.00", "2026-06-16,gpt-4o-minni,10,"]


@pytest.fixture(scope="session")
def example(publication: Published) -> Bill:
    """The bill of the example."""
    rows = [
        f"{date},{model},{tokens},{PAID.get(date, {}).get(model, '')}"
        for date, models in USED.items()
        for model, tokens in models.items()
    ]
    return bill_of(export([*rows, *ELSEWHERE]), publication)


def own_prices(publication: Published) -> dict[str, Fraction]:
    prices = posted(publication)
    return {
        date: sum((count * prices[date][model] for model, count in models.items()), Fraction(0))
        / sum(models.values())
        for date, models in USED.items()
    }


def effects(
    old: dict[str, int], new: dict[str, int], p0: dict[str, Fraction], p1: dict[str, Fraction]
) -> dict[str, Fraction]:
    """Return the four effects of R-11, as the rulebook writes them."""
    both = old.keys() & new.keys()
    w0, w1 = sum(old[name] for name in both), sum(new[name] for name in both)
    s0, s1 = ({name: Fraction(one[name], weight) for name in both} for one, weight in ((old, w0), (new, w1)))
    u0, u1 = (sum((s[name] * p[name] for name in both), Fraction(0)) for s, p in ((s0, p0), (s1, p1)))
    return {
        "price": sum(((s0[name] + s1[name]) / 2 * (p1[name] - p0[name]) for name in both), Fraction(0)),
        "mix": sum(
            (((p0[name] + p1[name]) / 2 - (u0 + u1) / 2) * (s1[name] - s0[name]) for name in both),
            Fraction(0),
        ),
        "entry": sum(
            (Fraction(new[name], sum(new.values())) * (p1[name] - u1) for name in new.keys() - both),
            Fraction(0),
        ),
        "exit": -sum(
            (Fraction(old[name], sum(old.values())) * (p0[name] - u0) for name in old.keys() - both),
            Fraction(0),
        ),
    }


def test_the_price_of_each_day_is_tokens_times_posted_prices(example: Bill, publication: Published) -> None:
    expected = {date: text_of(price, 6) for date, price in own_prices(publication).items()}
    assert {day.date: day.price for day in example.days} == expected


def test_the_move_is_split_as_the_rulebook_splits_it(example: Bill, publication: Published) -> None:
    prices, own, dates = posted(publication), own_prices(publication), list(USED)
    steps = [*zip(dates, dates[1:], example.steps, strict=False), (dates[0], dates[-1], example.move)]
    assert len(steps) == 5
    for before, after, step in steps:
        assert step is not None
        assert (step.move.from_date, step.date) == (before, after)
        found = effects(USED[before], USED[after], prices[before], prices[after])
        assert sum(found.values()) == own[after] - own[before]
        assert {name: getattr(step.move, name) for name in found} == {
            name: text_of(effect, 12) for name, effect in found.items()
        }
        assert step.move.change == text_of(own[after] - own[before], 12)


def test_what_came_and_went_has_its_cause(example: Bill) -> None:
    assert example.move is not None
    causes = {effect.constituent: effect.cause for effect in example.move.move.constituents if effect.cause}
    assert causes == {"moonshotai/kimi-k2.6-20260420": "not_used", "openai/gpt-5.5-20260423": "not_used"}


def test_a_price_that_was_not_there_is_not_read_as_a_change_of_use(publication: Published) -> None:
    model = "anthropic/claude-4.8-opus-20260528"
    assert model not in posted(publication)["2026-05-26"]
    rows = [f"{date},{name},100," for date in ("2026-05-26", "2026-05-30") for name in (model, "gpt-4o-mini")]
    found = bill_of(export(rows), publication)
    assert [(row.reason, row.tokens) for row in found.uncovered] == [("not_listed", 100)]
    assert found.move is not None
    assert [effect.cause for effect in found.move.move.constituents if effect.entry] == ["not_listed"]


def test_the_fits_are_those_of_daily_changes(example: Bill, publication: Published) -> None:
    own = {date: Fraction(text_of(price, 6)) for date, price in own_prices(publication).items()}
    pairs = [("2026-06-15", "2026-06-16"), ("2026-06-16", "2026-06-17"), ("2026-06-17", "2026-06-18")]
    y = [own[after] - own[before] for before, after in pairs]
    assert [found.series for found in example.fits] == list(SERIES)
    for found in example.fits:
        index = values(publication, found.series)
        x = [Fraction(index[after]) - Fraction(index[before]) for before, after in pairs]
        mx, my = statistics.mean(x), statistics.mean(y)
        cov = sum(((a - mx) * (b - my) for a, b in zip(x, y, strict=True)), Fraction(0)) / 2
        vx, vy = statistics.variance(x), statistics.variance(y)
        ratio = cov / vx
        left = [b - ratio * a for a, b in zip(x, y, strict=True)]
        assert found.changes == 3
        assert found.own_risk == root_of(vy, 6)
        assert found.tracking_error == root_of(
            statistics.variance([b - a for a, b in zip(x, y, strict=True)]), 6
        )
        assert found.hedge_ratio == text_of(ratio, 6)
        assert found.correlation == ("-" if cov < 0 else "") + root_of(cov * cov / vx / vy, 6)
        assert found.unexplained == text_of(1 - cov * cov / vx / vy, 6)
        assert found.residual_risk == root_of(statistics.variance(left), 6)
        assert "few_changes" in found.warnings


def test_tokens_without_a_posted_price_are_listed_and_counted_in_nothing(example: Bill) -> None:
    priced = sum(sum(models.values()) for models in USED.values())
    assert (example.tokens, example.covered_tokens) == (priced + 500_010, priced)
    found = {row.written: (row.reason, row.tokens, row.days) for row in example.uncovered}
    assert found == {"mistralai/mistral-large": ("unknown", 500_000, 1), "gpt-4o-minni": ("unknown", 10, 1)}
    [near] = [row.suggestions for row in example.uncovered if row.written == "gpt-4o-minni"]
    assert near[0] == "openai/gpt-4o-mini"


def test_only_the_most_used_unknown_names_are_held_against_all_others(
    publication: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def nearest(_: Names, name: str) -> tuple[str, ...]:
        asked.append(name)
        return (name.upper(),)

    monkeypatch.setattr(Names, "nearest", nearest)
    count = SUGGESTED_MAX + 20
    rows = [f"2026-06-{day},acme/{tokens},{tokens}," for day in (20, 21) for tokens in range(1, count + 1)]
    found = bill_of(export(rows), publication).uncovered
    most = [f"acme/{tokens}" for tokens in range(count, count - SUGGESTED_MAX, -1)]
    assert asked == most
    assert [row.suggestions for row in found] == [*((name.upper(),) for name in most), *([()] * 20)]


def test_what_was_paid_stands_beside_what_is_posted_for_the_same_tokens(
    example: Bill, publication: Published
) -> None:
    prices = posted(publication)
    assert example.paid is not None
    count = 1_000_000 + 2_600_000
    at_posted = (
        1_000_000 * prices["2026-06-15"]["openai/gpt-5.5-20260423"]
        + 2_600_000 * prices["2026-06-17"]["openai/gpt-4o-mini"]
    )
    assert (example.paid.tokens, example.paid.posted) == (count, text_of(at_posted / count, 6))
    assert example.paid.paid == text_of(Fraction("28.4") * 10**6 / count, 6)
    paid = {day.date: day.paid for day in example.days if day.paid}
    assert paid == {"2026-06-15": "20.000000", "2026-06-17": text_of(Fraction("1.4") / Fraction("2.6"), 6)}


def test_the_price_of_all_is_that_of_all_tokens(example: Bill, publication: Published) -> None:
    prices = posted(publication)
    cost = sum(
        count * prices[date][model] for date, models in USED.items() for model, count in models.items()
    )
    assert example.price == text_of(Fraction(cost) / example.covered_tokens, 6)
    assert example.covered[0].constituent == "openai/gpt-4o-mini"


# ---- an index's own tokens are a perfect hedge


@pytest.mark.parametrize("series", SERIES)
def test_the_tokens_of_an_index_give_the_index(series: str, publication: Published) -> None:
    records = [record for record in publication.read(series, "1.0") if record.value is not None]
    found = bill_of(export([row for record in records for row in own_rows(record)], HEADER), publication)
    assert {day.date: day.price for day in found.days} == values(publication, series)
    [own] = [one for one in found.fits if one.series == series]
    assert (own.tracking_error, own.correlation, own.hedge_ratio) == ("0.000000", "1.000000", "1.000000")
    assert (own.unexplained, own.residual_risk, own.warnings) == ("0.000000", "0.000000", ())
    assert found.uncovered == ()
    moves = {record.date: record.move for record in records if record.move}
    assert len(moves) == len(found.steps) > CHANGES_MIN
    for step in found.steps:
        published = moves[step.date]
        fields = ("from_date", "from_value", "change", *("price", "mix", "entry", "exit"), "factors")
        assert [getattr(step.move, name) for name in fields] == [getattr(published, name) for name in fields]
        assert len(step.move.constituents) == len(published.constituents)


def own_rows(record: PublishedRecord) -> Iterator[str]:
    return (f"{record.date},{row.constituent},{row.tokens}," for row in record.constituents)


# ---- fits, by other formulas

PRICES = st.lists(
    st.tuples(st.integers(1, 10**8), st.integers(1, 10**8), st.integers(1, 10**8)), min_size=3, max_size=40
)


def path_of(units: Sequence[int]) -> dict[str, str]:
    return {format_date(20_000 + day): text_of(Fraction(one, 10**6), 6) for day, one in enumerate(units)}


@given(PRICES)
def test_a_fit_is_the_regression_of_changes(rows: list[tuple[int, int, int]]) -> None:
    own, index, _ = zip(*rows, strict=True)
    y, x = ([Fraction(b - a, 10**6) for a, b in pairwise(one)] for one in (own, index))
    found = fit("openai", path_of(own), path_of(index))
    n, mx, my, none = len(x), statistics.mean(x), statistics.mean(y), Fraction(0)
    sxx, syy = sum(((a - mx) ** 2 for a in x), none), sum(((b - my) ** 2 for b in y), none)
    sxy = sum(((a - mx) * (b - my) for a, b in zip(x, y, strict=True)), none)
    assert found.changes == n
    assert found.own_risk == root_of(syy / (n - 1), 6)
    if not sxx or not syy:
        assert found.hedge_ratio is None
        assert found.warnings[-1] in ("series_stands_still", "own_stands_still")
        return
    residual = sum(((b - my - sxy / sxx * (a - mx)) ** 2 for a, b in zip(x, y, strict=True)), none)
    assert found.hedge_ratio == text_of(sxy / sxx, 6)
    assert found.residual_risk == root_of(residual / (n - 1), 6)
    assert found.unexplained == text_of(residual / syy, 6)
    assert ("few_changes" in found.warnings) == (n < 20)
    assert ("weak" in found.warnings) == (2 * residual > syy)
    assert Fraction(found.residual_risk) <= Fraction(found.tracking_error or 0)


@given(PRICES)
def test_no_other_mix_leaves_less(rows: list[tuple[int, int, int]]) -> None:
    own, one, other = (path_of(path) for path in zip(*rows, strict=True))
    found = fit_together(["openai", "qwen"], own, {"openai": one, "qwen": other})
    if found is None:
        return
    alone = [fit(name, own, path) for name, path in (("openai", one), ("qwen", other))]
    least = [Fraction(single.unexplained) for single in alone if single.unexplained is not None]
    assert all(Fraction(found.unexplained) <= single for single in least)


def test_a_mix_of_the_parts_is_found() -> None:
    """own = 2 × one − other / 2, so nothing is left, over 30 changes."""
    one = [(7 * day * day) % 101 for day in range(31)]
    other = [(5 * day) % 17 * 10 for day in range(31)]
    own = [1000 + 4 * a - b for a, b in zip(one, other, strict=True)]
    paths = {"openai": path_of([2 * a for a in one]), "qwen": path_of([2 * b for b in other])}
    found = fit_together(["openai", "qwen"], path_of(own), paths)
    assert found is not None
    assert found.hedge_ratios == {"openai": "2.000000", "qwen": "-0.500000"}
    assert (found.unexplained, found.residual_risk, found.warnings) == ("0.000000", "0.000000", ())


def test_series_that_follow_from_each_other_have_no_mix() -> None:
    one = path_of([day * day % 13 + 1 for day in range(30)])
    assert fit_together(["a", "b"], path_of([day % 7 + 1 for day in range(30)]), {"a": one, "b": one}) is None


def test_one_day_has_no_change_and_says_so() -> None:
    found = fit("openai", path_of([5]), path_of([6]))
    assert (found.changes, found.tracking_error, found.warnings) == (0, None, ("few_changes",))


# ---- names

KNOWN = Names(
    [
        *("openai/gpt-5-mini-2025-08-07", "openai/gpt-4o", "openai/gpt-4o-2024-08-06", "openai/gpt-4.5"),
        *("openai/gpt-5.4-20260305", "anthropic/claude-4.5-sonnet-20250929", "qwen/qwen-plus-2025-01-25"),
        *("qwen/qwen-plus-2025-07-28", "qwen/qwen-plus-2025-07-28:thinking", "google/gemini-3-flash"),
        *("acme/model-1", "other/model-1"),
    ]
)


@pytest.mark.parametrize(
    ("written", "constituent"),
    [
        ("openai/gpt-4o", "openai/gpt-4o"),
        ("GPT-4o", "openai/gpt-4o"),
        ("gpt-4o-2024-08-06", "openai/gpt-4o-2024-08-06"),
        ("gpt-5-mini", "openai/gpt-5-mini-2025-08-07"),
        ("OpenAI/GPT 5.4", "openai/gpt-5.4-20260305"),
        ("gpt-4.5", "openai/gpt-4.5"),
        ("claude-sonnet-4-5-20250929", "anthropic/claude-4.5-sonnet-20250929"),
        ("anthropic/claude-sonnet-4.5", "anthropic/claude-4.5-sonnet-20250929"),
        ("gemini-3-flash:standard", "google/gemini-3-flash"),
        ("qwen-plus:thinking", "qwen/qwen-plus-2025-07-28:thinking"),
        ("acme/model-1", "acme/model-1"),
    ],
)
def test_a_name_that_can_mean_only_one_model_is_that_model(written: str, constituent: str) -> None:
    assert KNOWN.find(written).constituent == constituent


@pytest.mark.parametrize(
    ("written", "reason", "suggested"),
    [
        ("qwen-plus", "ambiguous", ("qwen/qwen-plus-2025-01-25", "qwen/qwen-plus-2025-07-28")),
        ("model-1", "ambiguous", ("acme/model-1", "other/model-1")),
        ("gpt-5.5", "unknown", None),
        ("gpt-5-mini-2026-01-01", "unknown", ("openai/gpt-5-mini-2025-08-07",)),
        ("anthropic/gpt-4o", "unknown", None),
        ("gemini-3-flash:free", "unknown", None),
        ("openai/4o", "unknown", None),
        ("", "unknown", None),
        ("/", "unknown", None),
        ("x" * 500, "unknown", ()),
    ],
)
def test_nothing_is_guessed(written: str, reason: str, suggested: tuple[str, ...] | None) -> None:
    found = KNOWN.find(written)
    assert (found.constituent, found.reason) == (None, reason)
    assert suggested is None or set(suggested) <= set(found.several or KNOWN.nearest(written))


# ---- figures


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("1234567", 1_234_567),
        ("1,234,567", 1_234_567),
        ("1.234.567", 1_234_567),
        ("1 234 567", 1_234_567),
        ("1\u00a0234", 1_234),
        ("1\u202f234\u202f567", 1_234_567),
        ("1'234'567", 1_234_567),
        ("123456.0", 123_456),
        (str(2**63 - 1), 2**63 - 1),
    ],
)
def test_a_count_of_tokens(text: str, count: int) -> None:
    assert token_count(text) == count


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("1,234", "number_ambiguous"),
        ("1.234", "number_ambiguous"),
        ("1,234.567", "number_invalid"),
        ("1,23,456", "number_invalid"),
        ("0,123,456", "number_invalid"),
        ("1 234,567", "number_invalid"),
        ("12.5", "number_invalid"),
        ("-5", "number_negative"),
        ("−5", "number_negative"),
        ("(5)", "number_negative"),
        ("nan", "number_not_finite"),
        ("Infinity", "number_not_finite"),
        ("-inf", "number_not_finite"),
        ("1e6", "number_exponent"),
        ("1e400", "number_exponent"),
        ("1.23E+06", "number_exponent"),
        ("1" + "0" * 400, "number_range"),
        (str(2**63), "number_range"),
        ("１２３", "number_invalid"),
        ("0x10", "number_invalid"),
        ("1_000", "number_invalid"),
        ("twelve", "number_invalid"),
    ],
)
def test_what_is_not_one_count_is_refused(text: str, code: str) -> None:
    with pytest.raises(FigureRefused) as refused:
        token_count(text)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("text", "point", "usd"),
    [
        ("1.5", True, "1.5"),
        ("1.234", True, "1.234"),
        ("0.125", False, "0.125"),
        ("1,5", True, "1.5"),
        ("1,2345", False, "1.2345"),
        ("1,234.50", False, "1234.5"),
        ("1.234,50", True, "1234.5"),
        ("1 234,50", False, "1234.5"),
        ("$12.40", False, "12.4"),
        ("1,234,567", True, "1234567"),
        ("0", True, "0"),
        (str(AMOUNT_MAX), True, str(AMOUNT_MAX)),
    ],
)
def test_an_amount(text: str, point: bool, usd: str) -> None:
    assert amount(text, point_is_decimal=point) == Fraction(usd)


@pytest.mark.parametrize(
    ("text", "point", "code"),
    [
        ("1.234", False, "number_ambiguous"),
        ("1,234", True, "number_ambiguous"),
        ("1,234", False, "number_ambiguous"),
        ("-1.50", True, "number_negative"),
        ("$-1.50", True, "number_invalid"),
        ("NaN", True, "number_not_finite"),
        ("1e400", True, "number_exponent"),
        ("9" * 40 + ".5", True, "number_range"),
        (str(AMOUNT_MAX + 1), True, "number_range"),
        ("12 EUR", True, "number_invalid"),
    ],
)
def test_what_is_not_one_amount_is_refused(text: str, point: bool, code: str) -> None:
    with pytest.raises(FigureRefused) as refused:
        amount(text, point_is_decimal=point)
    assert refused.value.code == code


# ---- exports

GOOD = "2026-06-20,openai/gpt-4o-mini,1000000,0.57"


def taken(found: Export) -> list[tuple[str, str, int, Fraction | None]]:
    return [(row.date, row.model, row.tokens, row.paid) for row in found.rows]


PLAIN = [("2026-06-20", "openai/gpt-4o-mini", 1_000_000, Fraction("0.57"))]


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(export([GOOD]), id="plain"),
        pytest.param(b"\xef\xbb\xbf" + export([GOOD]), id="utf8_mark"),
        pytest.param(export([GOOD]).decode().encode("utf-16"), id="utf16"),
        pytest.param(b"\xfe\xff" + export([GOOD]).decode().encode("utf-16-be"), id="utf16_be"),
        pytest.param(export([GOOD]).replace(b",", b";"), id="semicolons"),
        pytest.param(export([GOOD]).replace(b",", b"\t"), id="tabs"),
        pytest.param(export([GOOD]).replace(b"\n", b"\r\n"), id="crlf"),
        pytest.param(export([GOOD]).replace(b"\n", b"\r"), id="cr"),
        pytest.param(export([GOOD]).strip(), id="no_last_newline"),
        pytest.param(b"\n\n" + export(["", GOOD, "  "]), id="blank_lines"),
        pytest.param(export(['"2026-06-20","openai/gpt-4o-mini","1,000,000","0.57"']), id="quoted"),
        pytest.param(export(["2026-06-20T23:59:59Z,openai/gpt-4o-mini,1000000,0.57"]), id="instant"),
        pytest.param(
            export(["openai/gpt-4o-mini;1.000.000;0,57;2026-06-20"], "Model;Output tokens;Paid USD;Date"),
            id="another_order_and_notation",
        ),
        pytest.param(
            export(
                ["2026-06-20,openai/gpt,openai/gpt-4o-mini,0.57,7,1000000"],
                "date,model,model_permaslug,usage,requests,completion_tokens",
            ),
            id="activity_of_openrouter",
        ),
    ],
)
def test_an_export_in_any_dress(raw: bytes) -> None:
    found = read_export(raw)
    assert (taken(found), found.refused) == (PLAIN, ())


@pytest.mark.parametrize(
    ("row", "code", "shown"),
    [
        ("20/06/2026,gpt-4o,1,", "date_invalid", "20/06/2026"),
        ("2026-02-30,gpt-4o,1,", "date_invalid", "2026-02-30"),
        ("2026-06-20 12:00:00,gpt-4o,1,", "date_invalid", "2026-06-20 12:00:00"),
        ("46193,gpt-4o,1,", "date_invalid", "46193"),
        ("=TODAY(),gpt-4o,1,", "formula", "'=TODAY()"),
        ("2026-06-20,=cmd|' /C calc'!A0,1,", "formula", "'=cmd|' /C calc'!A0"),
        ("2026-06-20,@SUM(A1),1,", "formula", "'@SUM(A1)"),
        ('2026-06-20,gpt-4o,"=HYPERLINK(""http://x"")",', "formula", "output_tokens '=HYPERLINK"),
        ("2026-06-20,gpt-4o,-5,", "number_negative", "output_tokens '-5"),
        ("2026-06-20,gpt-4o,inf,", "number_not_finite", "output_tokens inf"),
        (f"2026-06-20,gpt-4o,1{'0' * 400},", "number_range", "…"),
        ("2026-06-20,gpt-4o,1e400,", "number_exponent", "1e400"),
        ("2026-06-20,gpt-4o,1,234,567", "row_cells", "5 cells, not 4"),
        ("2026-06-20,gpt-4o", "cell_empty", "no output_tokens"),
        ("2026-06-20,,5,", "cell_empty", "no model"),
        ('2026-06-20,"gpt-4o,5,', "row_unreadable", '2026-06-20,"gpt-4o,5,'),
        (f"2026-06-20,{'x' * 201},5,", "model_invalid", "…"),
        (f"2026-06-20,{'x' * 20_000},5,", "row_long", "20,014 characters"),
        ("2026-06-20,gpt-4o,5,nan", "number_not_finite", "paid_usd nan"),
        ("2026-06-20,gpt-4o,\x1b[31m5,", "number_invalid", "·[31m5"),
    ],
)
def test_a_bad_row_is_listed_and_costs_no_other(row: str, code: str, shown: str) -> None:
    found = read_export(export([GOOD, row, GOOD.replace("06-20", "06-21")]))
    assert [line[0] for line in taken(found)] == ["2026-06-20", "2026-06-21"]
    [refused] = found.refused
    assert (refused.line, refused.code) == (3, code)
    assert shown in refused.found
    assert refused.found.isprintable()
    assert refused.code != remedy(refused)
    assert f"`{code}`" in DOCUMENT


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "export_empty"),
        (b"\xef\xbb\xbf \r\n\n", "export_empty"),
        (b"PK\x03\x04\x14\x00", "export_is_spreadsheet"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "export_is_spreadsheet"),
        (b"\x1f\x8b\x08\x00", "export_compressed"),
        (b"%PDF-1.7", "export_binary"),
        (b"date,model\0", "export_binary"),
        (b"d\0a\0t\0e\0", "export_binary"),
        (b"\x89PNG\r\n\x1a\n", "export_encoding"),
        (b"\xff\xfe\x00\xd8\x00", "export_encoding"),
        ("datum;modell;tokens".encode("latin-1"), "header_missing"),
        (GOOD.encode(), "header_missing"),
        (b'"date,model', "header_missing"),
        (b"date,model\n", "column_missing"),
        (b"date,model,output_tokens,date\n", "column_twice"),
        (b"x" * (BYTES_MAX + 1), "upload_too_large"),
        (b"date,model,output_tokens\n" + b"1\n" * (ROWS_MAX + 1), "export_too_long"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_is_no_export_says_what_it_is(raw: bytes, code: str) -> None:
    with pytest.raises(BadInput) as refused:
        read_export(raw)
    assert refused.value.code == code
    assert refused.value.remedy
    assert f"`{code}`" in DOCUMENT


def test_the_document_names_every_column_and_limit() -> None:
    for column, names in COLUMNS.items():
        row = next(line for line in DOCUMENT.splitlines() if line.startswith(f"| `{column}`"))
        assert all(f"`{name}`" in row for name in names)
    assert f"{BYTES_MAX // 2**20} MB" in DOCUMENT
    assert f"{ROWS_MAX:,} rows" in DOCUMENT
    assert f"fewer than {CHANGES_MIN} daily changes" in DOCUMENT


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: f"{HEADER}\n{text}".encode()))
def test_whatever_comes_is_read_or_refused(raw: bytes) -> None:
    with suppress(BadInput):
        for row in read_export(raw).refused:
            assert row.found.isprintable()
            assert not row.found.startswith(("=", "+", "-", "@"))


def test_rows_of_one_model_and_day_are_added_up(publication: Published) -> None:
    found = bill_of(export([GOOD, GOOD, GOOD.replace("1000000", "500000")]), publication)
    assert (found.rows, found.summed, found.tokens) == (3, 2, 2_500_000)


@pytest.mark.parametrize("date", ["2026-05-19", "2026-06-27", "2030-01-01", "0001-01-01"])
def test_a_date_that_nothing_is_published_of_is_refused(date: str, publication: Published) -> None:
    found = bill_of(export([GOOD, GOOD.replace("2026-06-20", date)]), publication)
    assert [(row.line, row.code, row.found) for row in found.refused] == [(3, "date_unpublished", date)]
    assert (found.tokens, found.price) == (1_000_000, "0.600000")


def test_an_export_without_a_priced_row_says_so(publication: Published) -> None:
    found = bill_of(export(["2026-06-20,nobody/nothing,5,", "2026-06-21,gpt-4o-mini,0,"]), publication)
    assert (found.price, found.move, found.joint, found.closest) == (None, None, None, None)
    assert (found.tokens, found.covered_tokens) == (5, 0)


def test_a_free_variant_is_not_counted_as_zero(publication: Published) -> None:
    [free] = {
        row.constituent
        for record in publication.read("openai", "1.0")
        for row in record.left_out
        if row.reason == "unpaid" and "120b" in row.constituent
    }
    found = bill_of(export([GOOD, f"2026-06-20,{free},9000000,"]), publication)
    assert found.price == "0.600000"
    assert [(row.reason, row.tokens) for row in found.uncovered] == [("unpaid", 9_000_000)]


# ---- the command


def run(*arguments: str | Path, stdin: bytes = b"") -> Result:
    return CliRunner(env={"MTOK_STORE": None}).invoke(app, ["bill", *map(str, arguments)], input=stdin)


def test_the_page_is_80_columns_and_says_all_of_it(published_sample: Path, tmp_path: Path) -> None:
    target = tmp_path / "usage.csv"
    rows = [GOOD, "2026-06-19,gpt-5-mini,2000000,", "2026-06-20,=1+1,5,", "2026-06-20,acme/x,7,"]
    target.write_bytes(export(rows))
    result = run(target, "--store", published_sample)
    assert (result.exit_code, result.stderr) == (0, "")
    assert max(map(len, result.stdout.splitlines())) <= 80
    for part in (
        "'=1+1; write the value",
        "acme/x",
        "1 of 4 rows was refused.",
        "3 rows read",
        "does not cover",
        "quantity",
    ):
        assert part in " ".join(result.stdout.split())
    assert "Too few daily changes (1; 20 are needed) to measure a hedge." in result.stdout


def test_the_machine_output_is_the_bill(published_sample: Path) -> None:
    result = run("-", "--store", published_sample / "publication", "--json", stdin=export([GOOD]))
    content = json.loads(result.stdout, parse_float=pytest.fail)
    assert (result.exit_code, content["price"], content["tokens"]) == (0, "0.600000", 1_000_000)
    assert content["days"] == [
        {
            "date": "2026-06-20",
            "tokens": 1_000_000,
            "covered": 1_000_000,
            "price": "0.600000",
            "paid": "0.570000",
        }
    ]
    assert [one["series"] for one in content["fits"]] == list(SERIES)


def test_the_bundled_sample_is_a_bill(published_sample: Path) -> None:
    content = json.loads(run("sample", "--store", published_sample, "--json").stdout)
    raw = files("mtok.bill").joinpath("sample.csv").read_bytes()
    assert (content["rows"], content["rows_refused"]) == (len(raw.splitlines()) - 1, [])
    assert [row["written"] for row in content["uncovered"]] == ["mistralai/mistral-large"]
    assert {one["changes"] for one in content["fits"]} == {30}


@pytest.mark.parametrize(
    ("arguments", "code", "status"),
    [
        (["{missing}", "--store", "{store}"], "environment", 3),
        (["{zip}", "--store", "{store}"], "export_is_spreadsheet", 2),
        (["{zip}"], "store_unnamed", 2),
        (["sample", "--store", "{missing}"], "store_missing", 2),
        (["sample", "--store", "{empty}"], "nothing_published", 1),
    ],
)
def test_a_bill_that_cannot_be_made_says_why(
    arguments: list[str], code: str, status: int, published_sample: Path, tmp_path: Path
) -> None:
    (tmp_path / "x.csv").write_bytes(b"PK\x03\x04")
    (tmp_path / "empty").mkdir()
    places = {
        "missing": str(tmp_path / "none"),
        "zip": str(tmp_path / "x.csv"),
        "store": str(published_sample),
        "empty": str(tmp_path / "empty"),
    }
    result = run(*(argument.format(**places) for argument in arguments), "--json")
    assert result.exit_code == status
    assert json.loads(result.stdout)["error"]["code"] == code


def test_the_command_line_starts_without_what_a_bill_takes() -> None:
    """Nothing of the engine, of Parquet or of the pages is imported for a bill."""
    code = "import sys, mtok.bill, mtok.cli.bill_page; print([n for n in sys.argv[1:] if n in sys.modules])"
    command = [sys.executable, "-c", code, "duckdb", "pyarrow", "django", "socket"]
    assert subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip() in ("[]",)
