"""The disruption waterfall, level by level, each with its limits to the second and to the day."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from mtok.calendar import DAY, format_date, parse_date
from mtok.publication.marks import CARRY_DAYS_MAX, Source
from mtok.settlement.marks import MACHINE, REVIEWED, Level, Mark
from mtok.settlement.values import Window
from mtok.settlement.waterfall import Answer, Waterfall, resolve
from settling import RULES, dates, found, mark_of, micro, noon, proposed, source, window_of_days

DATE = "2026-07-01"
DAY_ASKED = parse_date(DATE)
"""A Wednesday; its value is due as Thursday begins."""
WAITED = parse_date("2026-07-07") * DAY
"""Two business days after Thursday: Friday the 3rd, which is one in 2026, and Monday the 6th."""
AGREED = parse_date("2026-07-10") * DAY
"""Five: Friday, Monday, Tuesday, Wednesday, and Thursday the 9th."""
WINDOW = window_of_days("2026-07-01", 31)
VALUE = micro("12")


def _asked(
    now: int, sources: Sequence[Source] = (), earlier: Sequence[Mark] = (), **changes: Any
) -> Waterfall:
    given: dict[str, Any] = {"day": DAY_ASKED, "window": WINDOW, "final": True, "rules": RULES}
    return resolve(now=now, sources=sources, earlier=earlier, **given | changes)


def _steps(asked: Waterfall) -> list[tuple[Level, Answer]]:
    return [(step.level, step.answer) for step in asked.steps]


F0_NOT, F1_NOT, F2_NOT, F3_NOT, F4_NOT = (
    (level, Answer.UNAVAILABLE)
    for level in (Level.FINAL, Level.LATE, Level.SECOND_CHANNEL, Level.CARRIED, Level.AGREED)
)
NOON = noon("2026-07-02")
BEFORE = mark_of("2026-06-30", VALUE)


# ---- F0


@pytest.mark.parametrize("reference", ["openai", "model:openai/a"])
@pytest.mark.parametrize("now", [NOON, WAITED, AGREED + 900 * DAY])
def test_f0_is_the_final_value_whenever_it_is_asked(reference: str, now: int) -> None:
    own = source(DATE, VALUE, reference=reference)
    early = source(DATE, VALUE - 1, reference=reference, stage="prelim", index=own.index - 1)
    asked = _asked(now, [own, early], [BEFORE])
    assert _steps(asked) == [(Level.FINAL, Answer.YIELDS)]
    assert asked.resolution == found(own)


def test_f0_is_the_last_final_vintage_of_the_log() -> None:
    one, two = (
        source(DATE, VALUE),
        source(DATE, VALUE + 1, index=DAY_ASKED * 10 + 4, reason="parser_bug", vintage=1),
    )
    for order in ([one, two], [two, one]):
        assert _asked(NOON, order).resolution == found(two)


def test_f0_is_none_where_the_last_final_print_is_withheld() -> None:
    """A value that was withdrawn does not come back."""
    one = source(DATE, VALUE)
    gone = source(DATE, None, index=one.index + 1, reasons=("no_priced_volume",), vintage=1)
    asked = _asked(WAITED, [gone, one], [BEFORE])
    assert _steps(asked) == [F0_NOT, F1_NOT, F2_NOT, (Level.CARRIED, Answer.YIELDS)]
    assert "withheld: no_priced_volume" in asked.steps[0].why
    assert asked.resolution == found(BEFORE.source, Level.CARRIED, DATE)


@pytest.mark.parametrize("stage", ["prelim", "informational", "backfill"])
def test_what_is_not_final_yields_nothing(stage: str) -> None:
    asked = _asked(NOON, [source(DATE, VALUE, stage=stage)], [BEFORE])
    assert asked.resolution is None
    assert stage in asked.steps[0].why


# ---- F1


@pytest.mark.parametrize("known_at", ["2026-07-02T16:00:00Z", "2026-07-03T23:59:59Z", "2026-07-04T13:59:59Z"])
def test_f1_is_a_value_that_was_published_late(known_at: str) -> None:
    late = source(DATE, VALUE, reason="source_late", known_at=known_at)
    asked = _asked(noon("2026-07-04"), [late], [BEFORE])
    assert _steps(asked) == [F0_NOT, (Level.LATE, Answer.YIELDS)]
    assert asked.resolution == found(late, Level.LATE)


def test_another_reason_is_no_delay() -> None:
    for reason in (None, "parser_bug", "source_corrected"):
        asked = _asked(NOON, [source(DATE, VALUE, reason=reason)])
        assert asked.resolution is not None
        assert asked.resolution.level == Level.FINAL


def test_f1_is_waited_for_to_the_second_and_only_for_what_is_paid() -> None:
    for now in (NOON, WAITED - 1):
        asked = _asked(now, [], [BEFORE])
        assert _steps(asked) == [F0_NOT, (Level.LATE, Answer.WAITS)]
        assert (asked.resolution, asked.steps[-1].until) == (None, WAITED)
        tonight = _asked(now, [], [BEFORE], final=False)
        assert _steps(tonight) == [F0_NOT, F1_NOT, F2_NOT, (Level.CARRIED, Answer.YIELDS)]
    assert _steps(_asked(WAITED, [], [BEFORE]))[1:] == [F1_NOT, F2_NOT, (Level.CARRIED, Answer.YIELDS)]


@pytest.mark.parametrize(
    ("date", "waited"),
    [
        ("2026-06-30", "2026-07-04"),  # due Wednesday; Thursday, Friday
        ("2026-07-02", "2026-07-08"),  # due Friday the 3rd; Monday, Tuesday
        ("2026-07-04", "2026-07-08"),  # due Sunday
        ("2027-07-01", "2027-07-08"),  # due Friday the 2nd; Monday the 5th is closed; Tuesday, Wednesday
        ("2027-07-03", "2027-07-08"),
    ],
)
def test_f1_waits_over_weekends_and_independence_day(date: str, waited: str) -> None:
    until = parse_date(waited) * DAY
    day = parse_date(date)
    window = Window(first=day - 10, last=day + 10)
    step = _asked(until - 1, day=day, window=window).steps[-1]
    assert (step.level, step.answer, step.until) == (Level.LATE, Answer.WAITS, until)
    assert F1_NOT in _steps(_asked(until, day=day, window=window))


# ---- F2


def test_f2_says_that_there_is_none_whatever_is_asked() -> None:
    for now in (NOON, WAITED, AGREED):
        for earlier in ([], [BEFORE]):
            asked = _asked(now, [], earlier, final=False)
            assert F2_NOT in _steps(asked)
            [step] = [one for one in asked.steps if one.level == Level.SECOND_CHANNEL]
            assert "no second price channel" in step.why
            assert asked.resolution is None or asked.resolution.level != Level.SECOND_CHANNEL


# ---- F3


def _carried(date: str, of: Mark, state: str = "published", **changes: Any) -> Mark:
    return mark_of(date, of.value, state, level=Level.CARRIED, source=of.source, **changes)


def test_f3_is_three_days_in_a_row_and_not_four() -> None:
    marks, levels = [BEFORE], []
    for date in dates(DATE, 4):
        asked = _asked(noon(date) + DAY, [], marks, day=parse_date(date), final=False)
        levels.append(asked.resolution and asked.resolution.level)
        if asked.resolution:
            assert asked.resolution.source == BEFORE.source, "always the published value itself"
            marks.append(msgspec.structs.replace(_carried(date, BEFORE)))
    assert levels == [Level.CARRIED] * 3 + [None]
    assert "more than 3 days before" in asked.steps[-2].why
    assert RULES.carry_days_max == CARRY_DAYS_MAX, "as the log has it"


def test_f3_begins_anew_after_a_value_of_its_own() -> None:
    own = mark_of("2026-07-03", VALUE + 5)
    marks = [BEFORE, _carried("2026-07-01", BEFORE), _carried("2026-07-02", BEFORE), own]
    asked = _asked(noon("2026-07-05"), [], marks, day=parse_date("2026-07-04"), final=False)
    assert asked.resolution == found(own.source, Level.CARRIED, "2026-07-04")


@pytest.mark.parametrize(("days", "allowed"), [(5, 1), (28, 5), (29, 5), (30, 6), (31, 6)])
@pytest.mark.parametrize("final", [True, False])
def test_f3_is_a_fifth_of_the_window_and_no_day_more(days: int, allowed: int, final: bool) -> None:
    """By hand: 20 % of 5, 28, 29, 30 and 31 days are 1, 5.6, 5.8, 6 and 6.2. Every other day is carried."""
    window = window_of_days(DATE, days)
    marks, count = [BEFORE], 0
    for place, date in enumerate(dates(DATE, days)):
        day = parse_date(date)
        if place % 2:
            marks.append(mark_of(date, VALUE + place))
            continue
        asked = _asked((day + 20) * DAY, [], marks, day=day, window=window, final=final)
        if count < allowed:
            assert asked.resolution is not None, date
            assert asked.resolution.level == Level.CARRIED
            marks.append(_carried(date, marks[-1]))
            count += 1
        else:
            assert asked.resolution is None, date
            assert f"{allowed + 1} carried days of {days} are more than 1/5" in asked.steps[-3].why
            marks.append(mark_of(date, VALUE + place))
    assert count == allowed


def test_f3_before_the_window_counts_for_no_window() -> None:
    window = window_of_days("2026-07-03", 5)
    marks = [BEFORE, *(_carried(date, BEFORE) for date in ("2026-07-01", "2026-07-02"))]
    asked = _asked(noon("2026-07-04"), [], marks, day=parse_date("2026-07-03"), window=window, final=False)
    assert asked.resolution is not None
    before = _asked(
        noon("2026-07-03"), [], marks[:2], day=parse_date("2026-07-02"), window=window, final=False
    )
    assert before.resolution is not None


@pytest.mark.parametrize("state", [state for state in MACHINE.states if state != "new"])
def test_f3_carries_what_was_reviewed_and_is_not_disputed(state: str) -> None:
    good = state in ("approved", "published", "upheld", "corrected", "locked")
    assert (state in REVIEWED) == good
    asked = _asked(
        NOON, [], [mark_of("2026-06-30", VALUE + 1, state), mark_of("2026-06-29", VALUE)], final=False
    )
    assert asked.resolution is not None
    assert asked.resolution.source.value == (VALUE + 1 if good else VALUE)
    alone = _asked(NOON, [], [mark_of("2026-06-30", VALUE, state)], final=False)
    assert (alone.resolution is not None) == good
    assert good or "no reviewed mark before it" in alone.steps[3].why


@pytest.mark.parametrize("state", ["proposed", "held", "approved", "published", "disputed", "locked"])
def test_a_carried_day_counts_whatever_its_review_has_come_to(state: str) -> None:
    """Were it counted only once it is undisputed, two of five days could come to be carried."""
    window = window_of_days(DATE, 5)
    own = mark_of("2026-07-02", VALUE + 1)
    marks = [BEFORE, _carried("2026-07-01", BEFORE, state), own]
    asked = _asked(noon("2026-07-04"), [], marks, day=parse_date("2026-07-03"), window=window, final=False)
    assert asked.resolution is None
    rejected = [BEFORE, _carried("2026-07-01", BEFORE, "rejected"), own]
    again = _asked(noon("2026-07-04"), [], rejected, day=parse_date("2026-07-03"), window=window, final=False)
    assert again.resolution is not None


def test_f3_looks_at_no_mark_of_the_day_itself_or_later() -> None:
    marks = [mark_of(date, VALUE + 3) for date in (DATE, "2026-07-02")]
    assert _asked(NOON, [], marks, final=False).resolution is None


@pytest.mark.parametrize("age", [1, 2, 3, 4])
def test_what_f3_yields_can_be_proposed(age: int) -> None:
    old = mark_of(format_date(DAY_ASKED - age), VALUE)
    asked = _asked(WAITED, [], [old])
    if age <= 3:
        assert asked.resolution is not None
        mark = proposed(asked.resolution, WAITED, recomputed=None)
        assert (mark.state, mark.date, mark.value, mark.source_day) == ("proposed", DATE, VALUE, old.day)
    else:
        assert asked.resolution is None


# ---- F4, F5


def test_f4_is_open_to_the_second_and_then_f5() -> None:
    assert _steps(_asked(WAITED - 1, [], [])) == [F0_NOT, (Level.LATE, Answer.WAITS)]
    for now in (WAITED, AGREED - 1):
        asked = _asked(now)
        assert _steps(asked) == [F0_NOT, F1_NOT, F2_NOT, F3_NOT, (Level.AGREED, Answer.OPEN)]
        assert (asked.steps[-1].until, asked.resolution) == (AGREED, None)
    for now in (AGREED, AGREED + 400 * DAY):
        asked = _asked(now)
        assert _steps(asked) == [F0_NOT, F1_NOT, F2_NOT, F3_NOT, F4_NOT, (Level.DECIDED, Answer.OPEN)]
        assert (asked.steps[-1].until, asked.resolution) == (None, None)


def test_a_value_that_comes_at_last_ends_every_step() -> None:
    late = source(DATE, VALUE, reason="source_late")
    for now in (NOON, WAITED, AGREED):
        assert _asked(now, [late], [BEFORE]).resolution == found(late, Level.LATE)
