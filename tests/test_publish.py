"""What is published when: every row of the table of stages, every boundary second, and what an outage leaves behind.

The market is made up and small; each test goes through time as a publisher does.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from markets import Taken
from mtok.archive import KIND_RANKINGS
from mtok.calendar import DAY, parse_date
from mtok.errors import AnswerIsNo
from mtok.publication.policy import Due, Stage, load_policy
from presses import SERIES, Desk, at, posted, ranked, usual_day, usual_days

Begin = Callable[..., Desk]


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A desk whose first own capture is of 5 January and that has published up to 7 January, on the 8th at 14:00."""
    desk = Desk(tmp_path_factory.mktemp("begun"), usual_days("2026-01-05", "2026-01-08"))
    desk.publish("2026-01-08 14:00:00")
    return desk


@pytest.fixture
def begin(begun: Desk, tmp_path: Path) -> Begin:
    """What returns a copy of that desk, for which a market is to come."""
    return lambda market=(): begun.copy(tmp_path / "desk", market)


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda _: None)


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
        ("2026-01-14 00:00:00", "backfill", "2026-01-14 00:00:00", None),
        ("2026-02-14 00:00:00.75", "backfill", "2026-02-14 00:00:00", None),
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
    assert (record.as_of, record.supersedes) == (f"{run_at.replace(' ', 'T')}Z", 1)
    assert record.prices.path == f"prices/{D}.2.json"
    again = desk.publish(at(run_at) + 1_000_000)
    assert [one for one in again.records if one.date == D] == []
    assert desk.findings() == []


def test_totals_that_come_between_14_and_the_first_run_after_it(begin: Begin) -> None:
    """One print, at the time of the run: a final print without a value would say less than is known."""
    desk = begin(late("2026-01-09 15:00:00"))
    desk.publish("2026-01-09 06:00:00")
    desk.publish("2026-01-09 15:30:00")
    assert desk.vintages(D) == [("prelim", None), ("final", "source_late")]
    assert desk.records(D)[-1].as_of == "2026-01-09T15:30:00Z"
    assert desk.records(D)[-1].value is not None


def test_a_prelim_without_totals_is_followed_by_an_ordinary_final(begin: Begin) -> None:
    desk = begin(late("2026-01-09 13:00:00"))
    desk.publish("2026-01-09 06:00:00")
    desk.publish("2026-01-09 13:30:00")
    assert desk.vintages(D) == [("prelim", None)]
    desk.publish("2026-01-09 14:00:00")
    assert desk.vintages(D) == [("prelim", None), ("final", None)]
    assert [one.quality for one in desk.records(D)] == ["withheld", "degraded"]


# ---- corrections

TEN = {"openai/a": "0.00001", "openai/b": "0.000011"}
"""10 and 11 USD a million: with a share s of b the value is 10 + s."""


@pytest.fixture(scope="module")
def printed(begun: Desk, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A desk that has printed openai of 8 January at 10.000000, final; qwen has no price."""
    market = [
        posted(at("2026-01-08 20:00:00"), TEN),
        posted(at("2026-01-09 05:00:00"), TEN),
        ranked(at("2026-01-09 05:00:00"), [DAY_10 - 2], {"openai/a": 1_000_000}),
    ]
    desk = begun.copy(tmp_path_factory.mktemp("printed") / "desk")
    with_prices = [posted(at("2026-01-08 14:00:01"), TEN)]
    desk.take(*with_prices)
    desk = desk.copy(tmp_path_factory.mktemp("printed-2") / "desk", market)
    desk.publish("2026-01-09 14:00:00")
    return desk
