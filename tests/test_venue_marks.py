"""Marks in the venue: from the preparer's desk through four eyes to the log, and what time does to them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import people
import test_settlement_example as example
from marked import METHODOLOGY, SERIES, MarkedVenue, agreed, marked_venue, month_window, second_login
from mtok.calendar import parse_date
from mtok.market.contracts import Posted
from mtok.settlement.people import Role
from settling import cents, micro, refused

DAYS = {
    "2026-02-26": "12.3",
    **{line.date: None if line.date == example.CARRIED else line.mark for line in example.TABLE},
}
"""The prices of the worked example; of its disrupted day there is nothing. The day before is ours."""
FIRST = "2026-02-26"


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[MarkedVenue]:
    with marked_venue(tmp_path / "venue", DAYS, "2026-02-26 12:00:00") as venue:
        yield venue


def test_a_mark_goes_from_the_preparer_to_the_log(venue: MarkedVenue) -> None:
    from mtok.venue.database.models import Event
    from mtok.venue.otc import marking, printing

    venue.book(agreed(month_window("2026-03-01", "2026-03-31")))
    with refused("not_due"):
        venue.prepared(FIRST)
    venue.print(FIRST)
    assert marking.days_to_prepare(venue.clock()) == [(parse_date(FIRST), (SERIES, METHODOLOGY))]
    made = venue.prepared(FIRST)
    assert (made.mark.state, made.mark.level, made.mark.value) == ("proposed", "F0", 12_300_000)
    assert marking.days_to_prepare(venue.clock()) == []
    with refused("version_exists"):
        venue.prepared(FIRST)
    with refused("digest_stale"):
        marking.approve(venue.who("approver"), made.id, "0" * 64)
    with refused("step_up"):
        marking.approve(venue.people["approver"], made.id, made.mark.digest)
    marking.approve(venue.who("approver"), made.id, made.mark.digest)
    assert venue.tick()["marks"] == 1
    found = venue.mark(FIRST)
    assert (found.id, found.mark.state) == (made.id, "published")
    [said] = venue.logged(FIRST)
    anna, bert = (venue.people[name].person for name in ("preparer", "approver"))
    assert (said.preparer, said.approver) == (printing.pseudonym(anna), printing.pseudonym(bert))
    assert anna not in str(venue.desk.published.raw_entries)
    assert venue.desk.findings() == []
    assert venue.tick()["marks"] == 0
    commands = Event.objects.filter(kind="mark", object=made.id).order_by("version")
    assert list(commands.values_list("command", flat=True)) == [
        "mark.propose",
        "mark.approve",
        "mark.publish",
    ]


@pytest.mark.parametrize(("answer", "code"), [(None, "not_recomputed"), ("0" * 64, "recomputation_differs")])
def test_a_value_that_no_fresh_process_confirms_is_held(
    venue: MarkedVenue, monkeypatch: pytest.MonkeyPatch, answer: str | None, code: str
) -> None:
    from mtok.venue.otc import marking

    venue.print(FIRST)
    monkeypatch.setattr(marking, "recomputed", lambda *_: answer)
    made = venue.prepared(FIRST)
    assert (made.mark.state, made.mark.held) == ("held", (code,))
    with refused("not_allowed"):
        marking.approve(venue.who("approver"), made.id, made.mark.digest)
    with refused("evidence_missing"):
        marking.release(venue.who("preparer"), made.id, "It is right.", ())
    marking.release(venue.who("preparer"), made.id, "It is right.", ("ab" * 32,))
    assert venue.mark(FIRST).mark.state == "proposed"
    with refused("digest_stale"):
        marking.approve(venue.who("approver"), made.id, made.mark.digest)
    marking.hold(venue.who("preparer"), made.id, "One more look.")
    assert venue.mark(FIRST).mark.held == (code, "by_hand")


def test_four_eyes_are_of_persons_whatever_their_logins(venue: MarkedVenue) -> None:
    from mtok.venue.accounts.models import Grant
    from mtok.venue.otc import marking

    venue.print(FIRST)
    made = venue.prepared(FIRST)
    anna = venue.people["preparer"]
    both = second_login(anna, Role.MARK_APPROVER)
    for who in (people.shown(both, venue.clock()), venue.who("preparer")):
        with refused("same_person" if who.login == both.login else "not_yours"):
            marking.approve(who, made.id, made.mark.digest)
        with refused("same_person" if who.login == both.login else "not_yours"):
            marking.reject(who, made.id, "No.")
    bert = venue.people["approver"]
    trader = second_login(bert, Role.PARTICIPANT_USER)
    Grant.objects.filter(login=trader.login).update(organisation=venue.people["buyer"].party)
    with refused("has_position"):
        marking.approve(venue.who("approver"), made.id, made.mark.digest)
    Grant.objects.filter(login=bert.login).delete()
    with refused("not_yours"):
        marking.approve(venue.who("approver"), made.id, made.mark.digest)
    assert venue.mark(FIRST) == made


def test_a_rejected_value_is_ruled_out_and_what_follows_is_carried_or_decided(venue: MarkedVenue) -> None:
    from mtok.venue.otc import marking

    venue.print(FIRST)
    venue.approved(FIRST)
    venue.tick()
    second = "2026-02-27"
    venue.print(second)
    made = venue.prepared(second)
    marking.reject(venue.who("approver"), made.id, "The page of the provider said otherwise.")
    again = venue.prepared(second)
    assert (again.mark.version, again.mark.level, again.mark.value) == (1, "F3", 12_300_000)
    marking.approve(venue.who("approver"), again.id, again.mark.digest)
    assert venue.tick()["marks"] == 1
    assert [(one.version, one.fallback_level) for one in venue.logged(second)] == [(1, "F3")]
    assert venue.desk.findings() == []


def test_the_worked_example_to_the_cent(venue: MarkedVenue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every row of market.md 7.6, which computed them with decimals: in the database, by the clock, from the log."""
    from mtok.venue.database.models import MarkUse
    from mtok.venue.otc import trading

    window = month_window("2026-03-01", "2026-03-05")
    monkeypatch.setattr("mtok.market.terms.window_of", lambda *_: window)
    venue.go("2026-02-27 20:00:00")
    venue.book(agreed(window))
    for line in example.TABLE:
        venue.print(line.date)
        made = venue.approved(line.date)
        assert made.mark.level == ("F3" if line.date == example.CARRIED else "F0")
        assert venue.tick() | {"runs": 0} == dict.fromkeys(
            ("draws", "runs", "time", "lapsed", "margin", "matured", "log", "mails", "sessions"), 0
        ) | {"marks": venue_marks(venue, line.date)}
        venue.clock.pass_seconds(5 * 3600)
        assert venue.tick()["margin"] == 1
        assert venue.tick()["margin"] == 0
        contract = venue.contract()
        day = contract.days[-1]
        assert (day.day, day.mark, day.settlement_price) == (
            parse_date(line.date),
            micro(line.mark),
            micro(line.dsp),
        )
        assert (day.target, day.due, day.moved) == tuple(map(cents, (line.target, line.due, line.moved)))
        assert (day.account.moved, day.account.long, day.account.short) == tuple(
            map(cents, (line.so_far, line.long, line.short))
        )
        assert contract.state == ("disrupted" if line.date == example.CARRIED else "active")
        if line.call:
            [call] = contract.calls
            assert call.amount == cents(line.call)
            trading.give(venue.who("treasury"), "contract", "post", "c1", Posted(buyer=call.amount))
    venue.go("2026-03-12 12:00:00")
    assert venue.tick()["matured"] == 1
    contract = venue.contract()
    assert (contract.state, len(contract.days)) == ("final_pending", len(example.TABLE))
    assert contract.closing is not None
    assert (contract.closing.price, contract.closing.value) == (micro("12.3260"), cents("−490.00"))
    assert (contract.closing.to_long, contract.closing.to_short) == (cents("11,159.20"), cents("9,749.20"))
    uses = {use: MarkUse.objects.filter(use=use).count() for use in ("margin", "settlement")}
    assert uses == {"margin": len(example.TABLE), "settlement": 5}
    assert venue.desk.findings() == []


def venue_marks(venue: MarkedVenue, date: str) -> Any:
    """Return how many marks the tick after the publication of a date changes: its own, and those that lock then."""
    from mtok.venue.database.models import Event

    return Event.objects.filter(
        kind="mark", command__in=("mark.publish", "mark.lock"), at=venue.clock()
    ).count()


def restated(venue: MarkedVenue, date: str, price: str) -> int:
    """Publish a later final vintage of a date, at 16:00 of the day after; return its place in the log."""
    from decimal import Decimal

    from mtok.calendar import DAY, format_date
    from mtok.publication.marks import sources_of
    from presses import HOUR, posted, ranked

    day = parse_date(date)
    after = format_date(day + 1)
    now = venue.go(f"{after} 16:00:00")
    usual = format(Decimal(price).scaleb(-6), "f")
    venue.desk.take(
        *(posted(day * DAY + hour * HOUR + 90 * 1_000_000, {"openai/a": usual}) for hour in range(24))
    )
    venue.desk.take(ranked(now - HOUR, [day], {"openai/a": 3_000_000}))
    venue.desk.restate(f"{after} 16:00:00", date, SERIES)
    return sources_of(venue.desk.published, SERIES, date)[-1].index


def published_and_disputed(venue: MarkedVenue) -> Any:
    """Return the disputed mark of the first day, on which the two participants have a contract."""
    from mtok.venue.otc import marking

    venue.book(agreed(month_window("2026-03-01", "2026-03-31")))
    venue.print(FIRST)
    made = venue.approved(FIRST)
    with refused("not_found"):
        marking.dispute(venue.who("buyer"), made.id, 12_000_000, "Wrong.", ("cd" * 32,))
    venue.tick()
    carol = people.person("Carol", Role.PARTICIPANT_APPROVER, organisation=people.organisation("Cedar"))
    for who, code in ((carol, "not_party"), (venue.who("admin"), "not_yours")):
        with refused(code):
            marking.dispute(who, made.id, 12_000_000, "Wrong.", ("cd" * 32,))
    return marking.dispute(venue.who("buyer"), made.id, 12_000_000, "Wrong.", ("cd" * 32,))


def test_two_who_did_not_make_it_uphold_a_disputed_mark(venue: MarkedVenue) -> None:
    from mtok.venue.otc import judging

    made = published_and_disputed(venue)
    for who in ("preparer", "approver"):
        with refused("involved"):
            judging.intend(venue.who(who), made.id, "uphold", "It is right.")
    with refused("step_up"):
        judging.intend(venue.people["desk"], made.id, "uphold", "It is right.")
    said = judging.intend(venue.who("desk"), made.id, "uphold", "It is right.")
    [listed] = judging.intentions(venue.mark(FIRST))
    assert listed.pk == said.pk
    again = second_login(venue.people["desk"], Role.TREASURY)
    with refused("same_person"):
        judging.confirm(people.shown(again, venue.clock()), said.pk, said.digest)
    with refused("intention_stale"):
        judging.confirm(venue.who("treasury"), said.pk, "0" * 64)
    with refused("not_found"):
        judging.confirm(venue.who("auditor"), said.pk, said.digest)
    venue.clock.pass_seconds(3600)  # how fresh the first one's factor was counts as of when they said it
    judging.confirm(venue.who("treasury"), said.pk, said.digest)
    assert venue.mark(FIRST).mark.state == "upheld"
    with refused("intention_stale"):
        judging.confirm(venue.who("treasury"), said.pk, said.digest)
    venue.tick()
    assert [one.state for one in venue.logged(FIRST)] == ["published", "upheld"]
    venue.go("2026-03-05 00:00:00")
    venue.tick_marks()
    assert [one.state for one in venue.logged(FIRST)] == ["published", "upheld", "locked"]
    assert venue.desk.findings() == []


def test_nobody_resolves_it_and_the_published_value_stands(venue: MarkedVenue) -> None:
    made = published_and_disputed(venue)
    until = made.mark.dispute.resolve_until
    venue.clock.instant = until - 1
    venue.tick_marks()
    assert venue.mark(FIRST).mark.state == "disputed"
    venue.clock.instant = until
    venue.tick_marks()
    assert venue.mark(FIRST).mark.state == "locked"
    assert [one.state for one in venue.logged(FIRST)] == ["published", "upheld", "locked"]


def test_a_correction_is_a_version_of_its_own_at_a_later_vintage(venue: MarkedVenue) -> None:
    from mtok.venue.database.models import MarkUse
    from mtok.venue.otc import judging

    venue.book(agreed(month_window("2026-03-01", "2026-03-31")))
    venue.print(FIRST)
    first = venue.approved(FIRST)
    venue.tick()
    index = restated(venue, FIRST, "12.7")
    [later] = judging.later_sources(first.mark, venue.clock())
    assert later.index == index
    with refused("source_wrong"):
        judging.intend(venue.who("desk"), first.id, "correct", "A file was read wrongly.")
    with refused("source_wrong"):
        judging.intend(
            venue.who("desk"), first.id, "correct", "A file was read wrongly.", first.mark.source.index
        )
    said = judging.intend(venue.who("desk"), first.id, "correct", "A file was read wrongly.", index)
    judging.confirm(venue.who("treasury"), said.pk, said.digest)
    found = venue.mark(FIRST)
    assert found.id != first.id
    assert (found.mark.version, found.mark.state, found.mark.log_index) == (1, "corrected", None)
    with refused("not_allowed"):
        judging.intend(venue.who("desk"), first.id, "correct", "Again.", index)
    venue.tick()
    assert venue.mark(FIRST).mark.log_index is not None
    venue.go("2026-02-27 19:00:00")
    assert venue.tick()["margin"] == 1
    assert [(one.version, one.state) for one in venue.logged(FIRST)] == [(0, "published"), (1, "corrected")]
    assert venue.contract().days[-1].mark == later.value != first.mark.value
    [use] = MarkUse.objects.all()
    assert use.mark_id == found.id
    assert venue.desk.findings() == []
