"""What participants do, below pages and API: what was written is read exactly, refused by field, given once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import participating
import people
import venues
from mtok.calendar import parse_instant
from mtok.settlement.machines import Refused
from participating import ASKED, FIRM, MINUTE, RUN


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[venues.Clock]:
    with participating.trading_venue(tmp_path, monkeypatch) as clock:
        yield clock


@pytest.fixture
def who(clock: venues.Clock) -> Any:
    return participating.everybody()


def test_a_request_is_what_was_written(who: Any) -> None:
    from mtok.venue.participants import actions, told

    identity = actions.submit(
        who.buyer, ASKED | {"min_lots": "5", "tolerance": "1", "tail": "on", "firm_until": "2026-07-01"}
    )
    found = told.request(who.buyer, identity)
    expected = {
        "reference": "openai",
        "methodology": "1.0",
        "side": "buy",
        "settlement": "average",
        "state": "submitted",
        "lots": 25,
        "quantity_mtok": 2500,
        "month": "2026-08",
        "limit": "12.345600",
        "min_lots": 5,
        "tail": True,
        "tolerance": 1,
        "expires": "2026-07-27T15:00:00Z",
        "firm_until": "2026-07-01T15:00:00Z",
        "next_run": "2026-06-22T15:00:00Z",
        "last_run": None,
    }
    assert {name: found[name] for name in expected} == expected
    assert told.requests(who.buyer) == [found]
    assert told.requests(who.seller) == []


@pytest.mark.parametrize(
    ("field", "written", "found"),
    [
        ("side", "", "nothing is given"),
        ("side", "long", "'long' is unknown"),
        ("settlement", "median", "'median' is unknown"),
        ("lots", "2.5", "'2.5' is no whole number"),
        ("lots", "-1", "'-1' is no whole number"),
        ("lots", "１", "'１' is no whole number"),
        ("lots", 2.0, "float is no text"),
        ("lots", True, "bool is no text"),
        ("lots", "1" * 10, "'1111111111' is no whole number"),
        ("month", "2026-13", "'2026-13' is no month"),
        ("month", "August", "'August' is no month"),
        ("limit", "12,5", "'12,5' is no price"),
        ("limit", "1e3", "'1e3' is no price"),
        ("limit", "12.3456001", "'12.3456001' is no price"),
        ("limit", "NaN", "'NaN' is no price"),
        ("limit", 12.5, "float is no text"),
        ("limit", "1" * 99, "99 characters"),
        ("tail", "perhaps", "'perhaps' is neither true nor false"),
        ("tolerance", "one", "'one' is no whole number"),
        ("expires", "tomorrow", "'tomorrow' is neither a date nor an instant"),
        ("expires", "2026-02-30", "'2026-02-30' is neither a date nor an instant"),
        ("firm_until", "2026-07-01T15:00", "'2026-07-01T15:00' is neither a date nor an instant"),
        ("reference", "open\x00ai", "a character U+0000 that cannot be printed"),
        ("reference", "open\u202eai", "a character U+202E that cannot be printed"),
        ("reference", ["openai"], "list is no text"),
    ],
)
def test_a_field_that_cannot_be_taken_is_refused_by_its_name(
    who: Any, field: str, written: object, found: str
) -> None:
    from mtok.venue.database.models import RequestRow
    from mtok.venue.participants import actions
    from mtok.venue.participants.given import FieldsInvalid

    with pytest.raises(FieldsInvalid) as refused:
        actions.submit(who.buyer, ASKED | {field: written})
    [wrong] = refused.value.fields
    assert (wrong.field, wrong.found) == (field, found)
    assert wrong.remedy
    assert not RequestRow.objects.exists()


def test_all_wrong_fields_are_said_at_once(who: Any) -> None:
    from mtok.venue.participants import actions
    from mtok.venue.participants.given import FieldsInvalid

    with pytest.raises(FieldsInvalid) as refused:
        actions.submit(who.buyer, {"lots": "x", "limmit": "1"})
    assert [one.field for one in refused.value.fields] == ["'limmit'", "reference", "side", "lots", "month"]


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ({"reference": "qwen"}, "reference_not_offered"),
        ({"reference": "nobody"}, "reference_not_offered"),
        ({"lots": "0"}, "size_below_minimum"),
        ({"lots": "1000001"}, "size_above_maximum"),
        ({"min_lots": "26"}, "minimum_invalid"),
        ({"month": "2027-07"}, "maturity_off_grid"),
        ({"month": "9999-12"}, "maturity_off_grid"),
        ({"tolerance": "13"}, "tolerance_invalid"),
        ({"limit": "0"}, "limit_out_of_range"),
        ({"limit": "1000.000001"}, "limit_out_of_range"),
        ({"expires": "2026-06-25T14:00:00Z"}, "expiry_invalid"),
    ],
)
def test_what_the_core_refuses_names_a_field_and_keeps_nothing(
    who: Any, written: dict[str, str], code: str
) -> None:
    from mtok.venue.database.models import Event, RequestRow
    from mtok.venue.participants import actions
    from mtok.venue.participants.given import FIELD_OF

    with pytest.raises(Refused) as refused:
        actions.submit(who.buyer, ASKED | written)
    assert refused.value.code == code
    assert FIELD_OF[code] in ASKED.keys() | written.keys()
    assert not RequestRow.objects.exists()
    assert not Event.objects.filter(kind="request").exists()


def test_an_amendment_is_all_fields_as_they_are_to_be(clock: venues.Clock, who: Any) -> None:
    from mtok.venue.participants import actions, told
    from mtok.venue.participants.given import FieldsInvalid

    identity = actions.submit(who.buyer, ASKED | FIRM)
    participating.accepted(who, identity)
    clock.set("2026-06-22T16:00:00Z")
    actions.amend(who.buyer, identity, {"lots": "20", "month": "2026-08"})
    found = told.request(who.buyer, identity)
    assert (found["lots"], found["limit"], found["firm_until"]) == (20, None, None)
    with pytest.raises(FieldsInvalid):
        actions.amend(who.buyer, identity, {"lots": "20", "month": "2026-08", "side": "sell"})


def test_the_states_of_a_request(clock: venues.Clock, who: Any) -> None:
    from mtok.venue.participants import actions, told

    identity = actions.submit(who.buyer, ASKED)
    participating.accepted(who, identity)
    assert not told.request(who.buyer, identity)["is_firm_for_next_run"]
    actions.confirm(who.buyer, identity)
    assert told.request(who.buyer, identity)["is_firm_for_next_run"]
    actions.pause(who.buyer, identity)
    assert told.request(who.buyer, identity)["state"] == "paused"
    actions.resume(who.buyer, identity)
    actions.cancel(who.buyer, identity)
    assert told.request(who.buyer, identity)["state"] == "cancelled"


def test_two_requests_become_a_contract(clock: venues.Clock, who: Any) -> None:
    from mtok.venue.participants import actions, told

    buy = actions.submit(who.buyer, ASKED | FIRM)
    sell = actions.submit(who.seller, ASKED | FIRM | {"side": "sell", "limit": "12.000000"})
    identity = participating.matched(clock, who, buy, sell)
    assert told.request(who.buyer, buy)["last_run"] is None
    found = told.terms(who.buyer, identity)
    assert (found["state"], found["side"], found["counterparty"]) == ("terms", "buy", None)
    assert told.terms(who.seller, identity)["side"] == "sell"
    assert found["terms"]["price"] == "12.172800"  # (12.345600 + 12.000000) / 2
    with pytest.raises(Refused) as refused:
        actions.approve(people.shown(who.buyer, clock()), identity, {"digest": "0" * 64})
    assert refused.value.code == "digest_stale"
    with pytest.raises(Refused) as refused:
        actions.approve(who.buyer, identity, {"digest": found["digest"]})
    assert refused.value.code == "step_up"
    actions.approve(people.shown(who.buyer, clock()), identity, {"digest": found["digest"]})
    assert told.terms(who.seller, identity) == told.terms(who.seller, identity) | {
        "is_approved_by_you": False
    }
    assert told.contracts(who.seller) == []
    actions.approve(people.shown(who.seller, clock()), identity, {"digest": found["digest"]})
    contract = told.contract(who.seller, identity)
    assert (contract["state"], contract["side"]) == ("booked", "sell")
    assert contract["counterparty"]["legal_name"] == "Alder"
    assert "contact" not in contract["counterparty"]
    with pytest.raises(Refused):
        told.contract(who.other, identity)


def test_who_declines_is_not_told_to_the_other(clock: venues.Clock, who: Any) -> None:
    from mtok.venue.participants import actions, told

    buy = actions.submit(who.buyer, ASKED | FIRM)
    sell = actions.submit(who.seller, ASKED | FIRM | {"side": "sell"})
    identity = participating.matched(clock, who, buy, sell)
    actions.decline(who.buyer, identity)
    assert told.terms(who.buyer, identity)["state"] == "declined"
    lapsed = told.terms(who.seller, identity)
    assert (lapsed["state"], lapsed["terms"], lapsed["digest"]) == ("lapsed", None, None)


def test_both_sides_end_a_contract_each_with_its_own_second_factor(clock: venues.Clock, who: Any) -> None:
    """The first half is said with a second factor just shown; the other side has a day to say the same."""
    from mtok.venue.participants import actions, told

    identity = participating.booked(clock, who)
    with pytest.raises(Refused) as refused:
        actions.terminate(who.buyer, identity, {"price": "12.5"})
    assert refused.value.code == "step_up"
    assert actions.terminate(people.shown(who.buyer, clock()), identity, {"price": "12.5"}) is False
    assert actions.terminate(people.shown(who.seller, clock()), identity, {"price": "12.6"}) is False
    clock.pass_seconds(3 * 3600)
    with pytest.raises(Refused) as refused:
        actions.terminate(who.seller, identity, {"price": "12.500000"})
    assert refused.value.code == "step_up"
    assert actions.terminate(people.shown(who.seller, clock()), identity, {"price": "12.500000"}) is True
    found = told.contract(who.buyer, identity)
    assert found["state"] == "terminated"
    assert found["closing"]["value_to_buyer"] == "386.00"  # (12.5 − 12.3456) · 2,500


def test_what_the_treasury_has_half_said_is_not_the_sides_to_know(clock: venues.Clock, who: Any) -> None:
    from mtok.venue.otc import trading
    from mtok.venue.participants import actions, told

    identity = participating.booked(clock, who)
    trading.intend(who.treasury, "contract", "notice", identity)
    assert told.contract(who.buyer, identity)["said"] == []
    assert actions.terminate(people.shown(who.buyer, clock()), identity, {"price": "12.5"}) is False
    [said] = told.contract(who.seller, identity)["said"]
    assert (said["command"], said["price"], said["is_yours"]) == ("terminate", "12.500000", False)


def test_one_side_alone_ends_nothing(clock: venues.Clock, who: Any) -> None:
    from mtok.venue.participants import actions, told

    identity = participating.booked(clock, who)
    for _ in range(2):
        assert actions.terminate(people.shown(who.buyer, clock()), identity, {"price": "12.5"}) is False
    assert told.contract(who.buyer, identity)["state"] == "active"
    with pytest.raises(Refused) as refused:
        actions.terminate(people.shown(who.other, clock()), identity, {"price": "12.5"})
    assert refused.value.code == "not_found"


def test_a_day_of_the_window_without_a_mark_is_agreed_on(clock: venues.Clock, who: Any) -> None:
    from mtok.venue.participants import actions, told

    identity = participating.booked(clock, who)
    clock.set("2026-08-04T12:00:00Z")
    assert (
        actions.agree(people.shown(who.buyer, clock()), identity, {"date": "2026-08-03", "price": "12.4"})
        is False
    )
    assert (
        actions.agree(people.shown(who.seller, clock()), identity, {"date": "2026-08-03", "price": "12.4"})
        is True
    )
    assert told.contract(who.buyer, identity)["agreed"] == [{"date": "2026-08-03", "price": "12.400000"}]


def test_both_sides_ask_for_other_terms_and_the_desk_gives_them(clock: venues.Clock, who: Any) -> None:
    from mtok.venue.otc import amending
    from mtok.venue.participants import actions, told

    free = ASKED | FIRM | {"limit": "12.6"}
    buy = actions.submit(who.buyer, free)
    sell = actions.submit(who.seller, free | {"side": "sell", "limit": "12.1"})
    identity = participating.matched(clock, who, buy, sell)
    digest = told.terms(who.buyer, identity)["digest"]
    wanted = {"digest": digest, "price": "12.4", "lots": "20"}
    with pytest.raises(Refused) as refused:
        actions.ask(who.buyer, identity, wanted | {"digest": "0" * 64})
    assert refused.value.code == "digest_stale"
    actions.ask(who.buyer, identity, wanted)
    assert told.terms(who.buyer, identity)["asked"] == {"price": "12.400000", "lots": 20}
    assert told.terms(who.seller, identity)["asked"] is None
    actions.ask(who.seller, identity, wanted)
    [asked] = amending.asked(identity)
    amending.amend(who.desk, identity, asked.wanted)
    found = told.terms(who.seller, identity)
    assert (found["terms"]["price"], found["terms"]["lots"], found["asked"]) == ("12.400000", "20", None)


def test_a_mark_is_disputed_by_a_party_to_a_contract_on_it(clock: venues.Clock, who: Any) -> None:
    from mtok.venue.participants import actions, told
    from mtok.venue.participants.given import FieldsInvalid

    identity = participating.booked(clock, who)
    clock.set("2026-06-23T18:00:00Z")
    participating.marked(clock, 0, 12_500_000)
    [mark] = told.marks(who.buyer, identity)
    assert (mark["date"], mark["price"], mark["can_be_disputed"]) == ("2026-06-22", "12.500000", True)
    said = {
        "date": "2026-06-22",
        "price": "12.4",
        "reason": "Two models\nare missing.",
        "evidence": ["e" * 64],
    }
    with pytest.raises(FieldsInvalid):
        actions.dispute(who.buyer, identity, said | {"evidence": ["e" * 63]})
    with pytest.raises(Refused) as refused:
        actions.dispute(who.buyer, identity, said | {"date": "2026-06-21"})
    assert refused.value.code == "not_found"
    with pytest.raises(Refused) as refused:
        actions.dispute(who.buyer, identity, said | {"price": "12.5"})
    assert refused.value.code == "value_invalid"
    with pytest.raises(Refused) as refused:
        actions.dispute(who.other, identity, said)
    assert refused.value.code == "not_found"
    actions.dispute(who.buyer, identity, said)
    [mine], [theirs] = told.marks(who.buyer, identity), told.marks(who.seller, identity)
    assert (mine["state"], mine["your_price"]) == ("disputed", "12.400000")
    assert (theirs["state"], theirs["your_price"], theirs["can_be_disputed"]) == ("disputed", None, False)


def test_references_say_why_they_are_not_offered(who: Any) -> None:
    from mtok.venue.participants import told

    openai, qwen = told.offered()
    assert (openai["is_offered"], openai["why_not"], openai["last_mark"]) == (True, None, "12.345600")
    assert (qwen["is_offered"], qwen["why_not"]) == (
        False,
        "qwen has printed on 51 of the last 60 days, under 9/10",
    )


def test_the_last_run_is_told_after_the_slot_alone(clock: venues.Clock, who: Any) -> None:
    from mtok.venue.otc import clockwork
    from mtok.venue.participants import actions, told

    identity = actions.submit(who.buyer, ASKED | FIRM)
    participating.accepted(who, identity)
    clock.instant = RUN + MINUTE
    clockwork.make_runs(clock())
    assert told.request(who.buyer, identity)["last_run"] is None
    clock.instant = parse_instant("2026-06-22T16:00:00Z")
    assert told.request(who.buyer, identity)["last_run"] == {
        "run": "2026-06-22T15:00:00Z",
        "outcome": "no match",
    }
