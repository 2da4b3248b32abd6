"""The golden bundles: what a version says of their fixing dates, for ever, to the byte.

When a test here fails, the program no longer gives what was published under that version. Do not edit a bundle and
do not make it again. Undo the change; where the change is wanted, it is a new version of the methodology (R-12):
copy its folder and its parameters forward, change the copy, add it to the registry with the date from which it is in
force, and make a bundle for it beside this one.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import reference
from golden_bundle import (
    GOLDEN,
    Case,
    bundle_sha256,
    case_names,
    read_case,
    reference_captures,
    reference_determination,
    store_of,
)
from markets import SERIES, expected_summary, lists_what_it_names, rests_on_its_captures, summary
from mtok.calendar import format_date
from mtok.determination.assembly import Request
from mtok.determination.inputs import Evidence
from mtok.engine import EmbeddedEngine
from mtok.methodology import load
from mtok.observations import Observations
from mtok.progress import silent
from mtok.publication.facts_evidence import facts_of, redetermine
from mtok.records import Determination

FOLDER = GOLDEN / "1.0"
SHA256 = "c1a32e7d01985835b5b67811b3046e3434ac401d9208c1b36124f7edaf18d3d8"
"""Of the text that `sha256sum *.xz` prints in the folder."""

MARKETS = ("rungs", "source")
"""The markets whose responses are in the bundle too."""

CHANGED = "methodology 1.0 was published; a changed rule is a new version (this module says what to do)"


@cache
def golden(name: str) -> Case:
    return read_case(FOLDER, name)


@cache
def again(name: str) -> tuple[Determination, ...]:
    case = golden(name)
    return tuple(redetermine(case.facts, case.before))


def test_the_bundle_is_the_one_that_was_frozen() -> None:
    assert bundle_sha256(FOLDER) == SHA256, CHANGED


@pytest.mark.parametrize("name", case_names(FOLDER))
def test_the_rules_give_the_frozen_records(name: str) -> None:
    found = [record.canonical for record in again(name)]
    for mine, wanted in zip(found, golden(name).records, strict=True):
        assert json.loads(mine) == json.loads(wanted), CHANGED
        assert mine == wanted, CHANGED


@pytest.mark.parametrize("market", MARKETS)
def test_the_frozen_responses_give_the_frozen_facts(market: str, tmp_path: Path) -> None:
    """What is read of a response is part of a version as well (R-2, R-3, R-5.1, R-5.2)."""
    store = store_of(FOLDER, market, tmp_path / "store")
    with store.writing():
        observations = Observations(store)
        observations.refresh(silent)
    version = load("1.0")
    for case in (golden(name) for name in case_names(FOLDER) if golden(name).market == market):
        wanted, engine = case.facts, EmbeddedEngine()
        request = Request(
            methodology=version,
            volume_source=wanted.volume_source,
            first_day=wanted.day,
            last_day=wanted.day,
            as_of=wanted.as_of,
            complete=wanted.complete,
        )
        evidence = Evidence(observations, engine, volume_source=wanted.volume_source, as_of=wanted.as_of)
        evidence.load_version(version)
        evidence.load_prices(wanted.day - request.days_before, wanted.day + request.days_after)
        found = facts_of(request, evidence, engine, wanted.day)
        assert set(found.rows) == set(wanted.rows), CHANGED
        assert found == wanted, CHANGED


# ---- who computed the expected records


@pytest.mark.parametrize("name", case_names(FOLDER))
def test_the_reference_agrees_with_the_frozen_records(name: str) -> None:
    """Every field of the reference, which shares no code with the program, from the facts of the bundle alone."""
    case = golden(name)
    captures, day = reference_captures(case.facts), dt.date.fromisoformat(format_date(case.facts.day))
    other_source = case.facts.volume_source != "rankings-daily"
    for series, record in zip(SERIES, case.printed, strict=True):
        found = reference.determine(
            captures, series, day, complete=case.facts.complete, other_source=other_source
        )
        linked = _linked(case.before[series], day, found)
        assert summary(record) == expected_summary(linked), series
        assert lists_what_it_names(record, found)
        assert rests_on_its_captures(record)


def _linked(before: list[Determination], day: dt.date, found: dict[str, Any]) -> dict[str, Any]:
    """Return what the reference says with its links, the index going on from the last printed record before."""
    days = {dt.date.fromisoformat(one.date): reference_determination(one) for one in before}
    linked = reference.chain({**days, day: found})[day]
    indexes = [Decimal(one.price_index_exact) for one in before if one.price_index_exact]
    if linked["exact"] is None or not indexes:
        return linked
    index, last = indexes[-1], max(date for date, one in days.items() if one["exact"] is not None)
    if (day - last).days <= reference.LINK_BACK:
        square, _ = reference.link(days[last], linked)
        index = reference.root_to_digits(Fraction(index) ** 2 * square, 50)
    return linked | {
        "price_index": reference.decimal_text(Fraction(index), 6),
        "price_index_exact": index,
    }


def test_the_gap_to_the_companys_own_price_by_hand() -> None:
    """Beyond R-9, so not in the reference: |22 - 20| on half of the tokens at 20, none for the rest: 2 ÷ 20."""
    record = next(one for one in golden("rungs-2026-01-10").printed if one.series == "anthropic")
    assert record.diagnostics.first_party_gap == "0.100000"
    assert [one.constituent for one in record.inputs.endpoints] == ["anthropic/claude-a"]
    others = [one for one in golden("rungs-2026-01-10").printed if one.series != "anthropic"]
    assert {one.diagnostics.first_party_gap for one in others} == {None}


# ---- what it covers

WANTED = {
    *(f"quality {quality}" for quality in ("good", "degraded", "estimated", "withheld")),
    *(
        f"reason {reason} withheld"
        for reason in ("no_volumes", "no_priced_volume", "coverage_below_minimum", "truncation")
    ),
    *(
        f"reason {reason}"
        for reason in (
            *("truncation", "coverage", "imputed_or_fallback", "conflict", "few_constituents"),
            *("short_capture", "other_source"),
        )
    ),
    *(f"note {note}" for note in ("jump", "weak_link", "no_link")),
    *(f"rung {rung}" for rung in ("direct", "fallback", "carried", "launch")),
    *(f"absent by {rung}" for rung in ("direct", "fallback", "carried")),
    *(f"left out {reason}" for reason in ("ineligible", "unpaid", "missing")),
    *(f"conflict {grade}" for grade in ("major", "minor")),
    *(
        f"discarded {reason}"
        for reason in (
            *("zero_glitch", "price_dynamic", "price_grammar", "price_range", "price_absent"),
            "price_window",
        )
    ),
    *(f"rejected {reason}" for reason in ("volume_duplicate", "volume_range")),
    *(
        f"{effect} {cause}"
        for effect in ("entry", "exit")
        for cause in ("no_row", "unlisted", "missing", "unpaid", "ineligible")
    ),
    *("move replacement", "move in four effects", "no move although printed", "gap to own prices"),
    *("backcast", "origin sample", "complete source", "truncation range", "average_7d", "average_30d"),
    *("without volume", "several captures a second", "tier by prompt length", "more than one price a day"),
}
IMPOSSIBLE = {
    "absent by launch": "R-9: absent are priced by rungs 1 to 3",
    "origin table": "a table of prices is no publication",
}
"""What the code knows and no published fixing date can show, and why."""


def shown(case: Case) -> Iterator[str]:
    """Yield what a case shows."""
    if case.facts.complete:
        yield "complete source"
    prices = [row for row in case.facts.rows if row.fact == "price"]
    if any(row.min_prompt_tokens for row in prices):
        yield "tier by prompt length"
    if any(row.start_second for row in prices if not row.min_prompt_tokens):
        yield "more than one price a day"
    seconds = [(row.instant or 0) // 10**6 for row in case.facts.rows if row.kind == "models" and row.instant]
    if len(set(seconds)) < len(seconds):
        yield "several captures a second"
    for record in case.printed:
        yield from _of_record(record)


def _of_record(record: Determination) -> Iterator[str]:
    yield f"quality {record.quality}"
    withheld = " withheld" if record.quality == "withheld" else ""
    yield from (f"reason {reason}{withheld}" for reason in record.reasons)
    yield from (f"note {note}" for note in record.notes)
    yield from (f"rung {row.rung}" for row in record.constituents)
    yield from (f"absent by {row.rung}" for row in record.absent)
    yield from (f"left out {row.reason}" for row in record.left_out)
    yield from (f"discarded {row.reason}" for row in record.discarded)
    yield from (f"conflict {row.grade}" for row in record.conflicts)
    yield from (f"rejected {row.reason}" for row in record.inputs.rejected_rankings)
    if record.move:
        yield from (f"entry {cause}" for cause in record.move.entry_by_cause)
        yield from (f"exit {cause}" for cause in record.move.exit_by_cause)
        yield "move " + ("replacement" if record.move.replacement else "in four effects")
    elif record.value is not None:
        yield "no move although printed"
    facts = {
        "gap to own prices": record.diagnostics.first_party_gap,
        "backcast": record.backcast,
        "truncation range": record.diagnostics.truncation_low != record.value,
        "average_7d": record.average_7d,
        "average_30d": record.average_30d,
        "without volume": record.without_volume,
        f"origin {record.origin}": record.origin,
    }
    yield from (name for name, holds in facts.items() if holds)


def test_the_bundle_shows_all_that_the_code_knows() -> None:
    found = {what for name in case_names(FOLDER) for what in shown(golden(name))}
    assert found == WANTED
    assert not found & IMPOSSIBLE.keys()


def test_the_readme_lists_the_bundle() -> None:
    text = (FOLDER / "README.md").read_text("utf-8")
    assert [name for name in case_names(FOLDER) if f"`{name}`" not in text] == []
    assert [what for what in WANTED if f"{what}" not in text] == []
