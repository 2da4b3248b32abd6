"""Which captures a record was given: those it uses by id, all of the window by a digest a day (R-0)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from markets import Taken, at, determine, make_store, models, rankings
from mtok.archive import RANKINGS_DAILY, Store
from mtok.calendar import SECOND, parse_date
from mtok.determination.inputs import Evidence
from mtok.engine import EmbeddedEngine
from mtok.observations import Observations
from mtok.records import Determination

DATE = "2026-06-15"
WINDOW = ["2026-06-01", "2026-06-13", "2026-06-15", "2026-06-16"]
"""Days of capture below: D-14, two days of it, D and D+1."""


def listed(date: str, time: str, price: str = "0.000002", collector: str = "primary", rank: int = 1) -> Taken:
    row = {"id": "openai/a", "canonical_slug": "openai/a", "created": 1, "pricing": {"completion": price}}
    modalities = {"architecture": {"output_modalities": ["text"]}}
    return models(at(date, time), [row | modalities], collector=collector, rank=rank)


def market() -> list[Taken]:
    return [
        listed("2026-05-31", "23:00:00"),
        listed("2026-06-01", "00:00:00"),
        listed("2026-06-13", "12:00:00", "0.000003", "archive", 2),
        listed("2026-06-13", "11:00:00"),
        listed(DATE, "06:00:00"),
        listed(DATE, "18:00:00"),
        listed("2026-06-16", "12:00:00"),
        listed("2026-06-17", "00:00:00"),
        rankings(
            at("2026-06-16", "02:00:00"),
            [{"date": DATE, "model_permaslug": "openai/a", "total_tokens": "100"}],
        ),
    ]


def record(taken: list[Taken], path: Path, as_of: int | None = None) -> Determination:
    return determine(make_store(path, taken), as_of=as_of)["openai", DATE]


def own_list(taken: list[Taken], date: str) -> str:
    """The list of a day as a stranger would make it from the responses."""
    of_the_day = [
        {
            "captured_at": f"{date}T{one.instant // SECOND // 3600 % 24:02d}:00:00Z",
            "collector": one.collector,
            "rank": str(one.rank),
            "sha256": hashlib.sha256(one.raw).hexdigest(),
        }
        for one in sorted(taken, key=lambda one: one.instant)
        if one.kind == "models"
        and at(date, "00:00:00") <= one.instant < at(date, "00:00:00") + 86_400 * SECOND
    ]
    return json.dumps(of_the_day, sort_keys=True, separators=(",", ":"))


def evidence(store: Store, as_of: int | None = None) -> Evidence:
    return Evidence(Observations(store), EmbeddedEngine(1), volume_source=RANKINGS_DAILY, as_of=as_of)


def test_each_day_of_the_window_is_seen_by_the_digest_of_its_list(tmp_path: Path) -> None:
    found = record(market(), tmp_path / "store")
    assert [day.date for day in found.inputs.seen] == WINDOW
    assert [day.captures for day in found.inputs.seen] == [1, 2, 2, 1]
    for day in found.inputs.seen:
        assert day.sha256 == hashlib.sha256(own_list(market(), day.date).encode()).hexdigest()


def test_the_lists_are_given_out_as_they_were_digested(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", market())
    determine(store)
    given = evidence(store)
    for date in [*WINDOW, "2026-05-31", "2026-06-17"]:
        assert given.capture_list(parse_date(date)) == own_list(market(), date).encode()
    assert given.capture_list(parse_date("2026-06-02")) == b"[]"


def test_a_capture_the_record_refers_to_has_its_place_among_all_that_were_seen(tmp_path: Path) -> None:
    """Of six captures in the window the price of D rests on the fourth and fifth."""
    found = record(market(), tmp_path / "store")
    times = {capture.id: capture.captured_at for capture in found.inputs.captures}
    assert times == {"c4": "2026-06-15T06:00:00Z", "c5": "2026-06-15T18:00:00Z"}
    assert found.constituents[0].captures == ("c4", "c5")


@pytest.mark.parametrize(
    "unused",
    [
        listed("2026-06-01", "05:00:00"),
        listed("2026-06-14", "05:00:00"),
        listed("2026-06-16", "23:00:00"),
        listed(DATE, "05:00:00", "0.000002", "archive", 2),
    ],
    ids=["first day", "day without any", "last day", "another collector"],
)
def test_a_capture_that_is_seen_but_not_used_changes_the_digest_of_the_record(
    unused: Taken, tmp_path: Path
) -> None:
    """Only `seen` tells of it, and the places of those after it."""
    before, after = record(market(), tmp_path / "a"), record([*market(), unused], tmp_path / "b")
    assert before.sha256 != after.sha256
    assert before.inputs.seen != after.inputs.seen
    assert (before.value, before.n, before.w) == (after.value, after.n, after.w)
    digests = [[one.sha256 for one in found.inputs.captures] for found in (before, after)]
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    "outside",
    [listed("2026-05-31", "12:00:00"), listed("2026-06-17", "12:00:00")],
    ids=["before the window", "after the window"],
)
def test_a_capture_outside_the_window_changes_nothing(outside: Taken, tmp_path: Path) -> None:
    assert record(market(), tmp_path / "a") == record([*market(), outside], tmp_path / "b")


def test_a_capture_after_as_of_changes_nothing(tmp_path: Path) -> None:
    as_of = at("2026-06-16", "14:00:00")
    late = listed("2026-06-16", "15:00:00")
    before = record(market(), tmp_path / "a", as_of)
    after = record([*market(), late], tmp_path / "b", as_of)
    assert before.canonical == after.canonical
    assert evidence(Store.open(tmp_path / "b"), as_of).capture_list(parse_date("2026-06-16")) == (
        own_list(market(), "2026-06-16").encode()
    )
    assert record([*market(), late], tmp_path / "c").inputs.seen != before.inputs.seen


def test_the_list_of_a_day_is_the_same_for_every_series_and_fixing_date(tmp_path: Path) -> None:
    both = [
        {"date": date, "model_permaslug": "openai/a", "total_tokens": "100"} for date in (DATE, "2026-06-14")
    ]
    taken = [*market(), rankings(at("2026-06-17", "02:00:00"), both)]
    found = determine(make_store(tmp_path / "store", taken))
    assert len(found) == 12
    digests = {(day.date, day.sha256) for one in found.values() for day in one.inputs.seen}
    assert sorted(date for date, _ in digests) == ["2026-05-31", *WINDOW]


def test_the_same_response_twice_in_a_second_is_listed_in_order_of_time(tmp_path: Path) -> None:
    """Whichever was imported first: the second orders captures, then the sha256, then the instant."""
    first = listed("2026-06-14", "05:00:00")
    second = Taken(kind=first.kind, instant=first.instant + 1, raw=first.raw)
    found = [
        record([*market(), *two], tmp_path / str(n))
        for n, two in enumerate(((first, second), (second, first)))
    ]
    assert found[0].canonical == found[1].canonical
    assert [day.captures for day in found[0].inputs.seen if day.date == "2026-06-14"] == [2]
