"""The rules as SQL against the reference on generated markets, and proof that these reach every branch."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generated import DAYS, FIRST_DAY, market
from markets import (
    Taken,
    determine,
    expected,
    expected_summary,
    lists_what_it_names,
    make_store,
    rests_on_its_captures,
    summary,
)
from mtok.calendar import format_date
from mtok.records import Determination

LAST_DAY = FIRST_DAY + DAYS - 1
SEEDS_FOR_REACH = (0, 1, 2, 3, 4, 5, 6, 7, 9, 12, 17, 27)
"""Four of them reach every branch: 9, 12, 17 and 27. The others are for those that only one of the four reaches."""


def _determined(taken: list[Taken]) -> dict[tuple[str, str], Determination]:
    with tempfile.TemporaryDirectory() as folder:
        return determine(make_store(Path(folder) / "store", taken), first_day=FIRST_DAY, last_day=LAST_DAY)


def _wanted(taken: list[Taken]) -> dict[tuple[str, str], dict[str, Any]]:
    captures = [item.capture() for item in taken]
    return expected(captures, format_date(FIRST_DAY), format_date(LAST_DAY))


def _assert_agrees(seed: int) -> dict[tuple[str, str], Determination]:
    taken = market(seed)
    records, wanted = _determined(taken), _wanted(taken)
    assert records.keys() == wanted.keys()
    for key in sorted(wanted):
        assert summary(records[key]) == expected_summary(wanted[key]), (seed, key)
        assert rests_on_its_captures(records[key]), (seed, key)
        assert lists_what_it_names(records[key], wanted[key]), (seed, key)
    return records


@given(st.integers(min_value=max(SEEDS_FOR_REACH) + 1, max_value=2**32))
@settings(deadline=None, max_examples=settings().max_examples // 2)
def test_generated_markets_agree_with_the_reference(seed: int) -> None:
    _assert_agrees(seed)


@pytest.fixture(scope="module")
def reached() -> set[str]:
    return {branch for seed in SEEDS_FOR_REACH for branch in _branches(_assert_agrees(seed))}


def _branches(records: dict[tuple[str, str], Determination]) -> Iterator[str]:
    for record in records.values():
        yield f"quality {record.quality}"
        yield from (f"reason {reason} {record.quality}" for reason in record.reasons)
        yield from (f"note {note}" for note in record.notes)
        yield from (f"rung {row.rung}" for row in record.constituents)
        yield from (f"left out {row.reason}" for row in record.left_out)
        yield from (f"discarded {row.reason}" for row in record.discarded)
        yield from (f"conflict {row.grade}" for row in record.conflicts)
        yield from (f"rejected {row.reason}" for row in record.inputs.rejected_rankings)
        if record.move:
            yield from (f"entry {cause}" for cause in record.move.entry_by_cause)
            yield from (f"exit {cause}" for cause in record.move.exit_by_cause)
            yield "move " + ("replacement" if record.move.replacement else "in four effects")
        if record.diagnostics.truncation_low != record.value:
            yield "truncation range"


@pytest.mark.parametrize(
    "branch",
    [
        *(f"quality {quality}" for quality in ("good", "degraded", "estimated", "withheld")),
        *(
            f"reason {reason} withheld"
            for reason in ("no_volumes", "no_priced_volume", "coverage_below_minimum", "truncation")
        ),
        *(
            f"reason {reason} degraded"
            for reason in (
                "truncation",
                "coverage",
                "imputed_or_fallback",
                "conflict",
                "few_constituents",
                "short_capture",
            )
        ),
        "reason imputed_or_fallback estimated",
        *(f"note {note}" for note in ("jump", "weak_link", "no_link")),
        *(f"rung {rung}" for rung in ("direct", "fallback", "carried", "launch")),
        *(f"left out {reason}" for reason in ("ineligible", "unpaid", "missing")),
        *(
            f"discarded {reason}"
            for reason in (
                "zero_glitch",
                "price_dynamic",
                "price_grammar",
                "price_range",
                "price_absent",
                "price_window",
            )
        ),
        *(f"conflict {grade}" for grade in ("major", "minor")),
        *(f"rejected {reason}" for reason in ("volume_duplicate", "volume_range")),
        *(
            f"{effect} {cause}"
            for effect in ("entry", "exit")
            for cause in ("no_row", "unlisted", "missing", "unpaid", "ineligible")
        ),
        "move replacement",
        "move in four effects",
        "truncation range",
    ],
)
def test_generated_markets_reach(reached: set[str], branch: str) -> None:
    assert branch in reached
