"""Corrections: what takes the place of a print, what stands beside it, and what changes nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from markets import Taken
from mtok.archive import Collector, StoreParameters
from mtok.calendar import DAY, parse_date
from mtok.errors import AnswerIsNo, BadCall
from mtok.publication.publish import Publication
from presses import HOUR, SERIES, Begin, Desk, at, posted, ranked, usual_days

pytestmark = pytest.mark.usefixtures("quick_disk")

D = "2026-01-09"
DAY_9 = parse_date(D)
PRICES = {"openai/a": "0.00001", "openai/b": "0.000011", "qwen/q": "0.000001"}
"""10 and 11 USD a million: with a share s of b the value of openai is 10 + s."""
TOKENS = {"openai/a": 1_000_000, "qwen/q": 1000}


def share(millionths: int) -> dict[str, int]:
    """Return totals that make 10.000000 + millionths."""
    return TOKENS | {"openai/a": 1_000_000 - millionths, "openai/b": millionths}


def ten(*restated: Taken) -> list[Taken]:
    """Return a market in which openai of 9 January is 10.000000, and what comes later."""
    return [
        posted(DAY_9 * DAY + 1, PRICES),
        ranked(at("2026-01-09 05:00:00"), [DAY_9 - 1]),
        posted(at("2026-01-10 05:00:00"), PRICES),
        ranked(at("2026-01-10 05:00:00"), [DAY_9], TOKENS),
        *restated,
    ]


def restated_at(instant: str, totals: dict[str, int]) -> Taken:
    """Return totals of 9 January that were captured again."""
    return ranked(at(instant), [DAY_9], totals)


@pytest.mark.parametrize(
    ("millionths", "now", "stage"),
    [
        (10_000, "2026-01-10 19:59:59", "final"),
        (9_999, "2026-01-10 19:59:59", None),
        (10_000, "2026-01-10 20:00:00", "informational"),
        (1, "2026-01-10 20:00:00", "informational"),
        (10_000, "2026-03-10 20:00:00", "informational"),
        (0, "2026-01-10 20:00:00", None),
    ],
)
def test_a_correction_by_its_size_and_hour(
    begin: Begin, millionths: int, now: str, stage: str | None
) -> None:
    """10.000000 becomes 10.010000, which is exactly 0.10 %, or 10.009999."""
    totals = share(millionths) if millionths else TOKENS
    desk = begin(ten(restated_at("2026-01-10 15:00:00", totals)))
    desk.publish("2026-01-10 14:00:00")
    assert [one.value for one in desk.records(D)] == ["10.000000"]
    size = desk.published.size
    if stage is None:
        with pytest.raises(AnswerIsNo) as refused:
            desk.restate(now, D)
        assert refused.value.code == "nothing_to_restate"
        assert desk.published.size == size
        return
    [record] = desk.restate(now, D).records
    assert (record.stage, record.vintage, record.supersedes, record.reason) == (stage, 1, 0, "parser_bug")
    assert record.value == f"10.{millionths:06}"
    in_force = desk.published.vintages.in_force(("openai", "1.0", D))
    assert in_force
    assert in_force.vintage == (1 if stage == "final" else 0)
    assert desk.findings() == []


def test_what_is_informational_is_linked_to_by_nobody_and_changes_no_later_record(begin: Begin) -> None:
    """The dates after it are to the byte what they are without it, but for when they were known."""
    market = ten(restated_at("2026-01-10 20:30:00", share(500_000)))
    others = usual_days("2026-01-11", "2026-01-13")
    with_it, without = begin([*market, *others]), begin([*market, *others])
    without = without.copy(with_it.path.parent / "without", [*market, *others])
    for desk in (with_it, without):
        desk.publish("2026-01-10 14:00:00")
    with_it.restate("2026-01-10 21:00:00", D, reason="source_restated")
    for desk in (with_it, without):
        for now in ("2026-01-11 14:00:00", "2026-01-12 06:00:00", "2026-01-13 14:00:00"):
            desk.publish(now)
    informational = with_it.records(D)[-1]
    assert informational.stage == "informational"
    for date in ("2026-01-10", "2026-01-11", "2026-01-12"):
        for series in SERIES:
            mine, theirs = with_it.records(date, series), without.records(date, series)
            assert [one.determination_sha256 for one in mine] == [one.determination_sha256 for one in theirs]
            assert informational.determination_sha256 not in {
                earlier.sha256 for one in mine for earlier in one.earlier
            }
    [table] = with_it.entries("asof")[-1:]
    assert int(table["vintages"]) == len(with_it.published.vintages.all_in_force())


def test_a_correction_of_the_same_day_is_what_later_days_link_to(begin: Begin) -> None:
    desk = begin(
        [*ten(restated_at("2026-01-10 15:00:00", share(500_000))), *usual_days("2026-01-11", "2026-01-11")]
    )
    desk.publish("2026-01-10 14:00:00")
    corrected = desk.restate("2026-01-10 16:00:00", D).records[0]
    assert corrected.stage == "final"
    desk.publish("2026-01-11 14:00:00")
    [record] = desk.records("2026-01-10")
    assert {one.date: one.sha256 for one in record.earlier}[D] == corrected.determination_sha256
    assert record.move
    assert (record.move.from_sha256, record.move.from_value) == (corrected.determination_sha256, "10.500000")
    assert desk.findings() == []


def test_series_restated_one_after_the_other_have_editions_of_their_own(begin: Begin) -> None:
    """Both make vintage 1; one name for both editions would stop the publisher for good."""
    dearer = {"openai/a": 1, "openai/b": 999_999, "qwen/q": 1000}
    later = [
        restated_at("2026-01-10 15:00:00", dearer),
        posted(DAY_9 * DAY + HOUR, PRICES | {"qwen/q": "0.000002"}),
    ]
    desk = begin(ten(*later[:1]))
    desk.publish("2026-01-10 14:00:00")
    desk.restate("2026-01-10 21:00:00", D, "openai")
    desk.take(later[1])
    desk.restate("2026-01-10 22:00:00", D, "qwen")
    paths = [entry["path"] for entry in desk.entries("prices", date=D)]
    assert paths == [f"prices/{D}.json", f"prices/{D}.1.json", f"prices/{D}.2.json"]
    assert [one.vintage for name in ("openai", "qwen") for one in desk.records(D, name)] == [0, 1, 0, 1]
    assert desk.findings() == []


def test_the_same_finding_is_published_once(begin: Begin) -> None:
    desk = begin(ten(restated_at("2026-01-10 20:30:00", share(500_000))))
    desk.publish("2026-01-10 14:00:00")
    desk.restate("2026-01-10 21:00:00", D)
    with pytest.raises(AnswerIsNo) as refused:
        desk.restate("2026-01-10 22:00:00", D)
    assert refused.value.code == "nothing_to_restate"
    assert len(desk.records(D)) == 2


def test_a_date_without_its_final_print_is_not_restated(begin: Begin) -> None:
    """A corrected prelim would be final at seven in the morning, and the final print of 14:00 never come."""
    desk = begin(ten(restated_at("2026-01-10 06:30:00", share(500_000))))
    desk.publish("2026-01-10 06:00:00")
    for now in ("2026-01-10 07:00:00", "2026-01-10 21:00:00"):
        with pytest.raises(AnswerIsNo) as refused:
            desk.restate(now, D)
        assert refused.value.code == "not_final"
    desk.publish("2026-01-10 21:00:00")
    assert desk.vintages(D) == [("prelim", None), ("final", "source_late")]
    assert [one.value for one in desk.records(D)] == ["10.000000", "10.500000"]


def test_a_withheld_date_whose_totals_came_is_printed_and_not_restated(begin: Begin) -> None:
    desk = begin([*ten()[:3], restated_at("2026-01-11 09:00:00", TOKENS)])
    desk.publish("2026-01-10 14:00:00")
    with pytest.raises(AnswerIsNo) as refused:
        desk.restate("2026-01-11 09:30:00", D)
    assert refused.value.code == "not_final"
    desk.publish("2026-01-11 09:30:00")
    assert desk.vintages(D) == [("final", None), ("final", "source_late")]


def test_a_correction_of_a_backfilled_date_settles_nothing(tmp_path: Path) -> None:
    """The first own capture is of 10 January; before 20:00 a correction of the 9th is informational all the same."""
    desk = Desk(tmp_path)
    ranks = (Collector(collector="primary", rank=1), Collector(collector="other", rank=2))
    desk.store.write_parameters(StoreParameters(collectors=ranks))
    desk.take(replace(posted(DAY_9 * DAY + HOUR, PRICES), collector="other"), *ten()[2:])
    desk.publish("2026-01-10 14:00:00")
    desk.take(restated_at("2026-01-10 15:00:00", share(500_000)))
    desk.restate("2026-01-10 16:00:00", D)
    assert desk.vintages(D) == [("backfill", None), ("informational", "parser_bug")]
    assert [one.value for one in desk.records(D)] == ["10.000000", "10.500000"]
    assert desk.findings() == []


def refusal(desk: Desk, *asked: str, **more: str) -> str:
    """Return the code with which a restatement is refused."""
    with pytest.raises((BadCall, AnswerIsNo)) as refused:
        desk.restate(*asked, **more)
    return refused.value.code


def test_what_cannot_be_restated(begin: Begin) -> None:
    desk = begin(ten())
    done: Publication = desk.publish("2026-01-10 14:00:00")
    size = done.size
    assert refusal(desk, "2026-01-10 15:00:00", D, reason="because") == "reason_unknown"
    assert refusal(desk, "2026-01-10 15:00:00", "2026-01-10") == "not_published"
    assert refusal(desk, "2026-01-10 15:00:00", "2025-01-10") == "not_published"
    assert desk.published.size == size
