"""The oracles themselves: they agree with the decoders on every fixture, and object to every seeded bug.

A check that cannot fail is none. Each bug below is one that a decoder could really have.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from mtok.archive import KIND_ENDPOINTS, KIND_MODELS, KIND_RANKINGS
from mtok.calendar import parse_instant
from mtok.observations import endpoints, models, numbers, rankings, schedule
from mtok.observations.faults import Faults
from mtok.observations.slugs import Slug
from oracles import objections

FOLDER = Path(__file__).parent / "faults"
CAPTURED_AT = parse_instant("2026-06-18T08:30:00Z")
KINDS = {"models": KIND_MODELS, "rankings": KIND_RANKINGS, "endpoints": KIND_ENDPOINTS}
FIXTURES = sorted(path for name in KINDS for path in (FOLDER / name).iterdir())


def wrong(name: str) -> list[str]:
    """Return the objections to the reading of a fixture as what it is."""
    return objections(KINDS[name.split("/", maxsplit=1)[0]], (FOLDER / name).read_bytes(), CAPTURED_AT)


@pytest.mark.parametrize("kind", KINDS.values())
def test_nothing_is_wrong_with_the_reading_of_any_fixture_as_any_kind(kind: str) -> None:
    for path in FIXTURES:
        assert not objections(kind, path.read_bytes(), CAPTURED_AT), path.name


# ---- seeded bugs

price_units = numbers.price_units
READ_ROW: Callable[..., None] = models._read_row


def lenient_price(value: object, most: int = numbers.TOKEN_PRICE_MAX) -> tuple[int | None, str | None]:
    """`if price < 0` lets NaN through, and `float` reads far more than a price may be."""
    try:
        price = float(str(value))
    except ValueError:
        return None, "price_grammar"
    return (None, "price_dynamic") if price < 0 else (int(price * 1e18) if price < 1 else 7, None)


def silent_zero(value: object, most: int = numbers.TOKEN_PRICE_MAX) -> tuple[int | None, str | None]:
    """What cannot be read counts as zero."""
    price, _ = price_units(value, most)
    return price or 0, None


def rounded_away(value: object, most: int = numbers.TOKEN_PRICE_MAX) -> tuple[int | None, str | None]:
    """A positive price below the smallest unit becomes zero."""
    price, reason = price_units(value, most)
    tiny = isinstance(value, str) and reason == "price_range" and Decimal(value) < 1
    return (0, None) if tiny else (price, reason)


def truncated(value: object, most: int = numbers.TOKEN_PRICE_MAX) -> tuple[int | None, str | None]:
    """Half a unit is cut off and not rounded."""
    price, reason = price_units(value, most)
    exact = price is not None and isinstance(value, str)
    return (int(Decimal(value) * 10**18), reason) if exact else (price, reason)  # type: ignore[arg-type]


def swallowed(ordinal: int, row: Any, found: models.Models) -> None:
    """After a row that is no object the rest is not read."""
    if not any(fault.code == "schema_type" for fault in found.faults):
        READ_ROW(ordinal, row, found)


def without_code(self: Faults, code: str, place: str, subject: object, found: object) -> None:
    """Nothing is said of what was rejected."""


@pytest.mark.parametrize(
    ("fixture", "holder", "name", "bug"),
    [
        ("models/price_nan.json", schedule, "price_units", lenient_price),
        ("models/price_full_width.json", schedule, "price_units", lenient_price),
        ("models/price_blanks.json", schedule, "price_units", lenient_price),
        ("models/price_json_number.json", schedule, "price_units", lenient_price),
        ("endpoints/price_nan.json", schedule, "price_units", lenient_price),
        ("models/price_dynamic.json", schedule, "price_units", silent_zero),
        ("endpoints/price_json_number.json", schedule, "price_units", silent_zero),
        ("models/price_rounds_to_zero.json", schedule, "price_units", rounded_away),
        ("endpoints/price_rounds_to_zero.json", schedule, "price_units", rounded_away),
        ("models/price_rounds_up.json", schedule, "price_units", truncated),
        ("models/row_not_an_object.json", models, "_read_row", swallowed),
        ("models/slug_no_slash.json", Faults, "add", without_code),
        ("rankings/date_not_over.json", Faults, "add", without_code),
        ("endpoints/row_not_an_object.json", Faults, "add", without_code),
        ("rankings/total_negative.json", rankings, "token_total", lambda value: abs(int(value))),
        ("rankings/total_null.json", rankings, "token_total", lambda value: int(value or 0)),
        ("rankings/total_arabic_digits.json", rankings, "token_total", int),
        ("rankings/total_over_2_63.json", rankings, "token_total", int),
        ("rankings/meta_as_of_in_the_future.json", rankings, "AS_OF_AHEAD_MAX", 10**18),
        (
            "rankings/slug_non_ascii.json",
            rankings,
            "split_slug",
            lambda text: Slug(text, "", text, ""),
        ),
        ("endpoints/discount_lone_surrogate.json", endpoints, "printable", str),
        ("models/prompt_tier_to_midnight.json", schedule, "_minutes", lambda _: ((1080, 1440), (0, 0))),
    ],
)
def test_a_seeded_bug_is_objected_to(
    monkeypatch: pytest.MonkeyPatch, fixture: str, holder: Any, name: str, bug: Callable[..., Any]
) -> None:
    assert not wrong(fixture)
    monkeypatch.setattr(holder, name, bug, raising=name != "min")
    assert wrong(fixture)


def test_reading_that_changes_from_time_to_time_is_objected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    today = cycle([20_621, 20_622])
    monkeypatch.setattr(rankings, "day_of", lambda _: next(today))
    assert wrong("rankings/total_zero.json") == ["decoded twice, read differently"]
