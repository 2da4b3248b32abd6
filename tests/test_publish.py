"""What is published when: every row of the table of stages, every boundary second, and what an outage leaves behind.

The market is made up and small; each test goes through time as a publisher does.
"""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from pathlib import Path

import pytest

from markets import Taken
from mtok.archive import KIND_RANKINGS
from mtok.calendar import DAY, format_date, parse_date
from mtok.collection import Collected
from mtok.day import run_day
from mtok.errors import AnswerIsNo, BadInput
from mtok.publication.policy import Due, Stage, load_policy
from mtok.replay import ReplayClock
from presses import HOUR, SERIES, Begin, Desk, at, posted, ranked, usual_day, usual_days

pytestmark = pytest.mark.usefixtures("quick_disk")


def no_totals(market: list[Taken], first: str, last: str) -> list[Taken]:
    """Return a market without the totals captured from one instant to another."""
    return [one for one in market if one.kind != KIND_RANKINGS or not at(first) <= one.instant < at(last)]


# ---- the table of stages, as the policy alone tells it

DAY_10 = parse_date("2026-01-10")


@pytest.mark.parametrize(
    ("now", "stage", "as_of", "reason"),
    [
        ("2026-01-10 12:00:00", None, None, None),
        ("2026-01-11 05:59:59", None, None, None),
        ("2026-01-11 06:00:00", "prelim", "2026-01-11 06:00:00", None),
        ("2026-01-11 13:59:59", "prelim", "2026-01-11 06:00:00", None),
        ("2026-01-11 14:00:00", "final", "2026-01-11 14:00:00", None),
        ("2026-01-11 19:59:59", "final", "2026-01-11 14:00:00", None),
        ("2026-01-11 20:00:00", "final", "2026-01-11 14:00:00", "source_late"),
        ("2026-01-13 23:59:59", "final", "2026-01-11 14:00:00", "source_late"),
        ("2026-01-14 00:00:00", "backfill", "2026-01-11 14:00:00", None),
        ("2026-02-14 00:00:00.75", "backfill", "2026-01-11 14:00:00", None),
    ],
)
def test_the_policy_at_every_boundary(
    now: str, stage: str | None, as_of: str | None, reason: str | None
) -> None:
    """publication.md 2.2, for 10 January, a second before and at each hour it names."""
    due = load_policy().scheduled(DAY_10, at(now))
    assert due == (stage and as_of and Due(stage=Stage(stage), as_of=at(as_of), reason=reason))


@pytest.mark.parametrize(
    ("now", "before", "after", "stage"),
    [
        ("2026-01-11 19:59:59", "10.000000", "10.010000", "final"),
        ("2026-01-11 19:59:59", "10.000000", "9.990000", "final"),
        ("2026-01-11 19:59:59", "10.000000", "10.009999", None),
        ("2026-01-11 19:59:59", "10.000000", "9.990001", None),
        ("2026-01-11 19:59:59", None, "10.000000", "final"),
        ("2026-01-11 19:59:59", "10.000000", None, "final"),
        ("2026-01-11 19:59:59", None, None, None),
        ("2026-01-11 20:00:00", "10.000000", "10.010000", "informational"),
        ("2026-01-11 20:00:00", "10.000000", "10.000001", "informational"),
    ],
)
def test_a_correction_by_size_and_hour(
    now: str, before: str | None, after: str | None, stage: str | None
) -> None:
    """Exactly 0.10 % before 20:00 is one, a millionth of a dollar less is none."""
    assert load_policy().restated(DAY_10, at(now), before, after) == (stage and Stage(stage))


# ---- the same, as it is published


def test_a_day_from_its_end_to_its_final_print(begin: Begin) -> None:
    desk = begin(usual_days("2026-01-09", "2026-01-09"))
    for now in ("2026-01-09 00:00:00", "2026-01-09 05:59:59"):
        assert desk.publish(now).records == ()
    prelim = desk.publish("2026-01-09 06:00:00")
    assert [(one.date, one.series) for one in prelim.records] == [("2026-01-08", name) for name in SERIES]
    assert {(one.stage, one.as_of, one.vintage) for one in prelim.records} == {
        ("prelim", "2026-01-09T06:00:00Z", 0)
    }
    assert prelim.next_due == "2026-01-09T14:00:00Z"
    size = desk.published.size
    assert desk.publish("2026-01-09 13:59:59").records == ()
    assert desk.published.size == size
    final = desk.publish("2026-01-09 14:00:00")
    assert {(one.date, one.stage, one.as_of, one.vintage, one.supersedes) for one in final.records} == {
        ("2026-01-08", "final", "2026-01-09T14:00:00Z", 1, 0)
    }
    assert [one.value for one in final.records] == [one.value for one in prelim.records]
    assert desk.vintages("2026-01-08") == [("prelim", None), ("final", None)]
    assert desk.publish("2026-01-09 23:59:59").records == ()


@pytest.mark.parametrize(
    ("now", "vintage"),
    [
        ("2026-01-09 13:59:59", ("prelim", None)),
        ("2026-01-09 19:59:59", ("final", None)),
        ("2026-01-09 20:00:00", ("final", "source_late")),
        ("2026-01-11 23:59:59", ("final", "source_late")),
        ("2026-01-12 00:00:00", ("backfill", None)),
    ],
)
def test_the_first_print_of_a_day_by_when_it_comes(
    begin: Begin, now: str, vintage: tuple[str, str | None]
) -> None:
    """After D+3 has ended a day is history."""
    desk = begin(usual_days("2026-01-09", "2026-01-09"))
    desk.publish(now, last_day=parse_date("2026-01-08"))
    assert desk.vintages("2026-01-08") == [vintage]


def test_days_before_the_first_own_capture_are_backfill(tmp_path: Path) -> None:
    desk = Desk(
        tmp_path,
        [
            ranked(at("2026-01-07 04:00:00"), range(DAY_10 - 8, DAY_10 - 3)),
            *usual_days("2026-01-07", "2026-01-08"),
        ],
    )
    desk.publish("2026-01-08 14:00:00")
    stages = {one.date: one.stage for one in desk.published.vintages.all()}
    assert stages == {
        **{f"2026-01-0{day}": "backfill" for day in range(2, 7)},
        "2026-01-07": "final",
    }


def test_a_day_before_the_first_own_capture_that_waits_for_the_days_after_it_is_backfill(
    tmp_path: Path,
) -> None:
    """Its totals came after the hour of the final print of the day after it, which could not see them (R-0)."""
    totals = ranked(at("2026-01-05 15:00:00"), [DAY_10 - 7])
    desk = Desk(tmp_path, [*usual_day(parse_date("2026-01-05")), totals])
    desk.publish("2026-01-06 01:00:00")
    assert desk.vintages("2026-01-04") == [("backfill", None)]
    assert desk.vintages("2026-01-03") == [("backfill", None), ("backfill", "source_late")]
    assert [one.reasons == ("no_volumes",) for one in desk.records("2026-01-03")] == [True, False]


def test_the_first_own_capture_is_the_earliest_whatever_was_archived_first(tmp_path: Path) -> None:
    """Own captures that were made elsewhere and are imported later count as what they are."""
    desk = Desk(tmp_path)
    desk.take(*usual_day(parse_date("2026-01-09")))
    desk.take(*usual_days("2026-01-07", "2026-01-08"))
    desk.publish("2026-01-09 14:00:00")
    assert desk.vintages("2026-01-07") == [("final", "source_late")]


def test_volumes_of_another_source_begin_no_series(tmp_path: Path) -> None:
    from dataclasses import replace as other

    desk = Desk(tmp_path)
    table = other(ranked(at("2025-11-01 00:00:00"), [DAY_10 - 80]).response(), volume_source="elsewhere")
    with desk.store.writing():
        list(desk.store.archive([table]))
    with pytest.raises(AnswerIsNo, match="no capture"):
        desk.publish("2026-01-05 14:00:00")
    desk.take(*usual_days("2026-01-07", "2026-01-08"))
    desk.publish("2026-01-08 14:00:00")
    assert desk.published.vintages.dates() == ["2026-01-06", "2026-01-07"]
    assert desk.findings() == []


# ---- rankings that come late

D, D_1 = "2026-01-08", "2026-01-09"
"""The day whose totals are late, and the day after."""


def late(until: str) -> list[Taken]:
    """Return a market in which the totals of 8 January and later come first at an instant."""
    held_back = no_totals(usual_days("2026-01-09", "2026-01-14"), "2026-01-09 00:00:00", until)
    day = at(until) // DAY
    return [*held_back, ranked(at(until), range(DAY_10 - 2, day))]


@pytest.mark.parametrize(
    ("came", "run_at", "stage"),
    [
        ("2026-01-09 15:00:00", "2026-01-09 15:05:00", "final"),
        ("2026-01-09 21:00:00", "2026-01-09 21:05:00", "final"),
        ("2026-01-10 09:00:00", "2026-01-10 09:05:00", "final"),
        ("2026-01-11 23:00:00", "2026-01-11 23:59:59", "final"),
        ("2026-01-12 00:00:01", "2026-01-12 00:00:02", "backfill"),
        ("2026-01-13 09:00:00", "2026-01-13 09:05:00", "backfill"),
    ],
)
def test_a_withheld_day_is_printed_once_when_its_totals_come(
    begin: Begin, came: str, run_at: str, stage: str
) -> None:
    """At 15:00, at 21:00, on D+2, on D+3, after it and on D+5: the stage is that of the hour."""
    desk = begin(late(came))
    for now in ("2026-01-09 06:00:00", "2026-01-09 14:00:00"):
        desk.publish(now)
    assert desk.vintages(D) == [("prelim", None), ("final", None)]
    assert [one["type"] for one in desk.published.entries if "record_sha256" in one and one["date"] == D] == [
        "nodata"
    ] * 12
    while parse_date(D_1) * DAY < at(run_at) - DAY and at(came) > at("2026-01-10 14:00:00"):
        desk.publish("2026-01-10 14:00:00")
        break
    first = desk.publish(run_at)
    assert {one.series for one in first.records if one.date == D} == set(SERIES)
    assert desk.vintages(D) == [("prelim", None), ("final", None), (stage, "source_late")]
    record = desk.records(D)[-1]
    assert record.value is not None
    assert (record.as_of, record.supersedes) == (f"{came.replace(' ', 'T')}Z", 1)
    assert record.prices.path == f"prices/{D}.2.json"
    again = desk.publish(at(run_at) + 1_000_000)
    assert [one for one in again.records if one.date == D] == []
    assert desk.findings() == []


def test_totals_that_come_between_14_and_the_first_run_after_it(begin: Begin) -> None:
    """One print, as of the answer: a final print without a value would say less than is known."""
    desk = begin(late("2026-01-09 15:00:00"))
    desk.publish("2026-01-09 06:00:00")
    desk.publish("2026-01-09 15:30:00")
    assert desk.vintages(D) == [("prelim", None), ("final", "source_late")]
    assert desk.records(D)[-1].as_of == "2026-01-09T15:00:00Z"
    assert desk.records(D)[-1].value is not None


def test_a_prelim_without_totals_is_followed_by_an_ordinary_final(begin: Begin) -> None:
    desk = begin(late("2026-01-09 13:00:00"))
    desk.publish("2026-01-09 06:00:00")
    desk.publish("2026-01-09 13:30:00")
    assert desk.vintages(D) == [("prelim", None)]
    desk.publish("2026-01-09 14:00:00")
    assert desk.vintages(D) == [("prelim", None), ("final", None)]
    assert [one.quality for one in desk.records(D)] == ["withheld", "degraded"]


# ---- outages


def ordered_as_of(desk: Desk, series: str = "openai") -> list[tuple[str, str, str | None, str]]:
    """Return date, stage, reason and as_of of what is in force, by date."""
    published = desk.published
    found = published.in_force(series, "1.0")
    return [(one.date, one.stage, one.reason, published.record(one).as_of or "") for one in found]


@pytest.mark.parametrize(
    ("days", "stages"),
    [
        (1, ["final"]),
        (3, ["final source_late", "final source_late", "final"]),
        (5, ["backfill", "backfill", "final source_late", "final source_late", "final"]),
    ],
)
def test_what_an_outage_left_behind_is_published_in_order(begin: Begin, days: int, stages: list[str]) -> None:
    """Nothing ran, nothing was captured; one capture afterwards has the totals of all days."""
    last = parse_date("2026-01-08") + days
    now = last * DAY + 14 * HOUR
    desk = begin([posted(now - HOUR), ranked(now - HOUR, range(last - 10, last))])
    done = desk.publish(now)
    dates = [format_date(last - days + number) for number in range(days)]
    assert [one.date for one in done.records] == [date for date in dates for _ in SERIES]
    assert [f"{one.stage} {one.reason or ''}".strip() for one in done.records[::6]] == stages
    as_of = [one for _, _, _, one in ordered_as_of(desk)]
    assert as_of == sorted(as_of)
    assert len(desk.entries("asof")) == 2
    assert desk.findings() == []
    assert desk.publish(now + DAY // 24).records == ()


def test_forty_days_are_published_in_one_call_of_two_publications(begin: Begin) -> None:
    """The feed shows thirty days: the totals of the first ten are gone, and the days are there, withheld."""
    last = parse_date("2026-01-08") + 40
    now = last * DAY + 14 * HOUR
    desk = begin([posted(now - HOUR), ranked(now - HOUR, range(last - 30, last))])
    done = desk.publish(now)
    assert len(done.records) == 6 * 40
    found = ordered_as_of(desk)
    assert [date for date, _, _, _ in found] == [
        format_date(day) for day in range(parse_date("2026-01-04"), last)
    ]
    assert [as_of for _, _, _, as_of in found] == sorted(as_of for _, _, _, as_of in found)
    assert [stage for _, stage, _, _ in found[4:]] == ["backfill"] * 37 + ["final"] * 3
    publications = [
        {entry["date"] for entry in group if "date" in entry}
        for _, group in groupby(desk.published.entries, lambda entry: entry["time"])
    ]
    assert [len(dates) for dates in publications] == [4, 31, 9]
    reasons = [one.reasons for one in done.records[::6]]
    assert reasons.count(("no_volumes",)) == 10
    assert set(reasons[:10]) == {("no_volumes",)}
    assert desk.findings() == []


def test_no_later_date_than_the_one_asked_for(begin: Begin) -> None:
    desk = begin(usual_days("2026-01-09", "2026-01-12"))
    desk.publish("2026-01-12 14:00:00", last_day=parse_date("2026-01-09"))
    assert desk.published.vintages.dates()[-1] == "2026-01-09"
    assert desk.publish("2026-01-12 14:00:00", last_day=parse_date("2026-01-09")).records == ()
    desk.publish("2026-01-12 14:00:00")
    assert desk.published.vintages.dates()[-1] == "2026-01-11"


# ---- days that cannot be determined

ABSURD = {"openai/a": 2**63 - 1}


def absurd(day: int, *, until: str) -> list[Taken]:
    """Return captures of a day whose totals times prices leave DECIMAL(38, 0)."""
    dear = {"openai/a": "0.001"}
    end = (day + 1) * DAY
    return [posted(day * DAY + HOUR, dear), ranked(end + HOUR, [day], ABSURD), *usual_days(until, until)]


def test_a_day_that_cannot_be_determined_says_so_once_a_stage_and_later_ones_go_on(begin: Begin) -> None:
    desk = begin([*absurd(DAY_10 - 1, until="2026-01-11"), *usual_days("2026-01-12", "2026-01-12")])
    failed = [("2026-01-09", "overflow")]
    assert desk.publish("2026-01-10 06:00:00").failed == tuple(failed)
    assert desk.publish("2026-01-10 06:30:00").failed == ()
    assert desk.publish("2026-01-10 14:00:00").failed == tuple(failed)
    for now in ("2026-01-10 20:00:00", "2026-01-11 06:00:00", "2026-01-11 14:00:00"):
        assert desk.publish(now).failed == ()
    assert desk.publish("2026-01-13 14:00:00").failed == tuple(failed)
    assert desk.publish("2026-01-13 15:00:00").failed == ()
    entries = desk.entries("nodata", date="2026-01-09")
    assert [(one["series"], one["stage"], one["failure"]) for one in entries] == [
        (name, stage, "overflow") for stage in ("prelim", "final", "backfill") for name in SERIES
    ]
    assert not any({"record_sha256", "vintage", "value"} & entry.keys() for entry in entries)
    assert desk.vintages("2026-01-10") == [("prelim", None), ("final", None)]
    assert desk.findings() == []


def test_an_absurd_day_among_those_of_an_outage(begin: Begin) -> None:
    """Determined together the dates fail, one by one all but that one are published.

    Of the first four days the totals came after those of all others: they are withheld first, then printed.
    """
    market = [*absurd(DAY_10 + 2, until="2026-01-14"), *usual_days("2026-01-15", "2026-01-20")]
    held = [ranked(at("2026-01-20 05:00:00"), range(DAY_10 - 2, DAY_10 + 2))]
    desk = begin([*market, *held])
    done = desk.publish("2026-01-20 14:00:00")
    assert done.failed == (("2026-01-12", "overflow"),)
    dates = [one.date for one in done.records[::6]]
    in_order = [format_date(day) for day in range(DAY_10 - 2, DAY_10 + 10) if day != DAY_10 + 2]
    assert dates == in_order + in_order[:4]
    assert desk.findings() == []


def test_a_run_publishes_all_the_same_when_a_day_cannot_be_determined(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The determinations of the store cannot be brought up to date, and say so; what is due is published first."""
    desk = begin([*absurd(DAY_10 - 1, until="2026-01-11"), *usual_days("2026-01-12", "2026-01-12")])
    now = desk.at("2026-01-11 14:00:00")
    nothing = Collected(outcomes=(), left=(), lines=range(0), faults=Counter())
    monkeypatch.setattr("mtok.day.collect", lambda *_, **__: nothing)
    with pytest.raises(BadInput) as failed:
        run_day(desk.store, lambda _: None, ReplayClock(now, 0), outside=lambda _: desk.head)  # type: ignore[arg-type,return-value]
    assert failed.value.code == "overflow"
    assert desk.vintages("2026-01-10") == [("final", None)]
