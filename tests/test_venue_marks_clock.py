"""What the clock does with marks: nothing twice, everything in the end, whatever broke off in between; a month."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import pytest

from marked import METHODOLOGY, SERIES, MarkedVenue, agreed, marked_venue, month_window
from mtok.calendar import DAY, format_date, parse_date
from mtok.market import contracts
from mtok.market.contracts import Contract
from mtok.settlement.marks import print_of
from mtok.settlement.specification import specification
from mtok.settlement.values import price_text
from test_venue_marks import restated

DATES = ("2026-02-26", "2026-02-27", "2026-02-28")


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[MarkedVenue]:
    prices = dict(zip(DATES, ("12.3", "12.4", "12.5"), strict=True))
    with marked_venue(tmp_path / "venue", prices, "2026-02-26 12:00:00") as venue:
        yield venue


@pytest.mark.parametrize("kept_before", [0, 1, 2])
@pytest.mark.parametrize("command", ["publish", "lock"])
def test_killed_between_log_and_database_it_is_said_once(
    venue: MarkedVenue, monkeypatch: pytest.MonkeyPatch, command: str, kept_before: int
) -> None:
    from mtok.venue.database.models import Event
    from mtok.venue.otc import printing

    for date in DATES:
        venue.print(date)
        venue.approved(date)
    if command == "lock":
        venue.tick_marks()
        venue.go("2026-03-06 12:00:00")
    real, calls = printing._kept_as_printed, 0

    def breaking(*given: Any) -> bool:
        nonlocal calls
        calls += 1
        if calls > kept_before:
            raise Killed
        return real(*given)

    monkeypatch.setattr(printing, "_kept_as_printed", breaking)
    with pytest.raises(Killed):
        venue.tick_marks()
    monkeypatch.setattr(printing, "_kept_as_printed", real)
    size = venue.desk.published.size
    venue.clock.pass_seconds(DAY // 10**6 if command == "publish" else 60)
    venue.tick_marks()
    venue.tick_marks()
    states = ["published"] if command == "publish" else ["published", "locked"]
    for date in DATES:
        assert [one.state for one in venue.logged(date)] == states
        assert venue.mark(date).mark.state == states[-1]
    assert venue.desk.published.size == size
    times = Event.objects.filter(kind="mark", command=f"mark.{command}").count()
    assert times == len(DATES)
    assert venue.desk.findings() == []


def test_days_to_dispute_count_from_the_entry_not_from_when_the_database_learns_of_it(
    venue: MarkedVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mtok.settlement.business_days import deadline
    from mtok.venue.otc import printing

    venue.print(DATES[0])
    venue.approved(DATES[0])
    printed_at = venue.clock()
    with monkeypatch.context() as patch:
        patch.setattr(printing, "_kept_as_printed", lambda *_: False)
        venue.tick_marks()
    venue.clock.pass_seconds(5 * 86_400)
    venue.tick_marks()
    assert venue.mark(DATES[0]).mark.dispute_until == deadline(printed_at, 2)


def test_a_mark_that_the_publisher_refuses_costs_no_other_one(
    venue: MarkedVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mtok.venue.otc import clockwork, printing

    for date in DATES:
        venue.print(date)
        venue.approved(date)

    def wrong(mark: Any, pseudonym: Any) -> Any:
        found = print_of(mark, pseudonym)
        return msgspec.structs.replace(found, value=1) if mark.date == DATES[1] else found

    monkeypatch.setattr(printing, "print_of", wrong)
    steps = {one.name: one for one in clockwork.tick(venue.clock(), lambda _: venue.desk.head)}
    assert steps["marks"].count == 2
    [said] = steps["marks"].refused
    assert said.startswith("mark_value_differs")
    assert [venue.mark(date).mark.state for date in DATES] == ["published", "approved", "published"]


def test_while_another_process_holds_the_store_the_rest_is_done(venue: MarkedVenue) -> None:
    from mtok.venue.otc import clockwork

    venue.book(agreed(month_window("2026-03-01", "2026-03-31")))
    venue.print(DATES[0])
    venue.approved(DATES[0])
    venue.tick()
    venue.print(DATES[1])
    venue.approved(DATES[1])
    venue.go("2026-02-28 19:00:00")
    with venue.desk.store.writing():
        steps = {one.name: one for one in clockwork.tick(venue.clock(), lambda _: venue.desk.head)}
    assert [said.split(":")[0] for said in steps["marks"].refused] == ["store_in_use"]
    assert steps["margin"].count == 1
    assert venue.tick()["margin"] == 1


def test_a_contract_owes_no_margin_of_days_before_it_was_active(venue: MarkedVenue) -> None:
    """The venue was away for three days; who became active on the last of them owes but what comes due after that."""
    from mtok.market.contracts import Posted
    from mtok.venue.otc import trading

    window = month_window("2026-03-01", "2026-03-31")
    venue.book(agreed(window))
    venue.book(agreed(window, proposal="c2"), active=False)
    for date in DATES:
        venue.print(date)
        venue.approved(date)
    venue.go("2026-03-01 16:00:00")
    posting = Posted(buyer=925_920, seller=925_920)
    trading.give(venue.who("treasury"), "contract", "activate", "c2", posting)
    venue.go("2026-03-01 19:00:00")
    assert venue.tick()["margin"] == 4
    assert [day.day for day in venue.contract().days] == [parse_date(date) for date in DATES]
    assert [day.day for day in venue.contract("c2").days] == [parse_date(DATES[-1])]


# ---- a month

MONTH = [format_date(parse_date("2026-03-30") + number) for number in range(32)]
"""Two days before a window of 30, and the window: April 2026."""
CARRIED, CORRECTED, UPHELD = "2026-04-04", "2026-04-09", "2026-04-15"


def month_prices() -> dict[str, str | None]:
    """Return a price a day that moves up and down by a few percent; of one day nothing comes."""
    prices = [price_text(12_000_000 + (number * 7 % 11 - 5) * 100_000) for number in range(len(MONTH))]
    return dict(zip(MONTH, prices, strict=True)) | {CARRIED: None}


@pytest.mark.long
def test_a_month_of_marks_margin_and_maturity(tmp_path: Path) -> None:
    """Each day's margin is what the core takes of the same marks; the end is the mean of what is locked in the log."""
    with marked_venue(tmp_path / "venue", month_prices(), "2026-03-30 12:00:00") as venue:
        venue.book(agreed(month_window("2026-04-01", "2026-04-30"), transfer_min=10))
        for date in MONTH:
            a_day(venue, date)
        assert venue.contract().days[-1].day == parse_date(MONTH[-1])
        venue.go("2026-05-08 00:00:00")
        assert venue.tick()["matured"] == 1
        the_end_is_the_mean(venue)
        assert venue.desk.findings() == []


def a_day(venue: MarkedVenue, date: str) -> None:
    """Print, prepare, approve, publish and margin a day; on three of them something happens."""
    from mtok.venue.database.marks import marks_of
    from mtok.venue.otc import judging, marking

    venue.print(date)
    made = venue.approved(date)
    assert made.mark.level == ("F3" if date == CARRIED else "F0")
    venue.tick()
    if date == CORRECTED:
        index = restated(venue, date, "12.9")
        marking.dispute(venue.who("buyer"), made.id, 12_900_000, "It was dearer.", ("ab" * 32,))
        said = judging.intend(venue.who("desk"), made.id, "correct", "A file was read wrongly.", index)
        judging.confirm(venue.who("treasury"), said.pk, said.digest)
        venue.tick()
    if date == UPHELD:
        marking.dispute(venue.who("seller"), made.id, 11_000_000, "It was cheaper.", ("ab" * 32,))
    before = venue.contract()
    day = parse_date(date)
    venue.clock.instant = max(venue.clock(), (day + 1) * DAY + 19 * 3600 * 10**6)
    assert venue.tick()["margin"] == 1
    values = contracts.margin_values(marks_of(SERIES, METHODOLOGY, parse_date("2026-04-01"), day))
    if day < parse_date("2026-04-01"):
        values = contracts.margin_values(marks_of(SERIES, METHODOLOGY, day, day))
    expected = contracts.with_margin(before, *values, day, specification())
    after = venue.contract()
    assert (after.days, after.account, after.calls) == (expected.days, expected.account, expected.calls)
    if (after.days[-1].moved, date) == (0, UPHELD):
        assert venue.mark(date).mark.state == "disputed"


def the_end_is_the_mean(venue: MarkedVenue) -> None:
    contract: Contract = venue.contract()
    assert contract.closing is not None
    in_log = {date: venue.logged(date)[-1] for date in MONTH[2:]}
    assert {one.state for one in in_log.values()} == {"locked"}
    assert (in_log[CORRECTED].version, in_log[CARRIED].fallback_level) == (1, "F3")
    assert [one.state for one in venue.logged(UPHELD)] == ["published", "upheld", "locked"]
    mean = Fraction(sum(one.value for one in in_log.values()), len(in_log))
    assert len(in_log) == 30
    assert contract.closing.price == round(mean)  # Fraction rounds half to even
    moved = sum(day.moved for day in contract.days)
    assert moved + contract.closing.open == contract.closing.value
    value = Fraction((round(mean) - 12_345_600) * 25_000, 10_000)
    assert contract.closing.value == round(value)
