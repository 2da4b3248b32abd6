"""A request from its draft to a contract, given as people give it: by principals, to what is kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import people
import venues
from mtok.calendar import parse_instant
from mtok.market.margin import Side
from mtok.market.months import month_number
from mtok.market.proposals import Nonces
from mtok.market.references import Reference
from mtok.market.requests import Request
from mtok.settlement.machines import Refused
from mtok.settlement.people import Role

RUN = parse_instant("2026-06-23T15:00:00Z")
PRICE = 12_345_600


def published(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let one series have printed every day, and checkpoints follow at once."""
    from mtok.venue import place
    from mtok.venue.otc import clockwork, trading

    def references(names: Any, _: int) -> dict[str, Reference]:
        return {
            name: Reference(reference=name, methodology="1.0", printed=60, mark=PRICE)
            for name in names
            if name == "openai"
        }

    monkeypatch.setattr(trading, "references", references)
    monkeypatch.setattr(clockwork, "first_root", lambda *_: "ab" * 32)
    clockwork.begin(place.now())


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[venues.Clock]:
    with venues.sqlite(tmp_path / "venue.sqlite3"), venues.clock() as clock:
        published(monkeypatch)
        yield clock


def submitted(principal: Any, name: str, side: Side, lots: int = 25, **fields: Any) -> None:
    """Draft and submit a request."""
    from mtok.venue.otc import trading

    drafted(principal, name, side, lots, **fields)
    trading.give(principal, "request", "submit", name)


def drafted(principal: Any, name: str, side: Side, lots: int = 25, **fields: Any) -> None:
    """Draft a request."""
    from mtok.venue.otc import trading

    request = Request(
        id=name,
        party="",
        person="",
        reference="openai",
        methodology="1.0",
        side=side,
        lots=lots,
        maturity=month_number("2026-08"),
        **{
            "expires": parse_instant("2026-07-20T15:00:00Z"),
            "firm_until": parse_instant("2026-07-20T15:00:00Z"),
            "limit": PRICE,
        }
        | fields,
    )
    trading.give(principal, "request", "draft", name, request)


def test_two_requests_become_a_contract(clock: venues.Clock) -> None:
    from mtok.venue.database.models import Event
    from mtok.venue.otc import clockwork, trading

    both = (Role.PARTICIPANT_USER, Role.PARTICIPANT_APPROVER)
    buyer = people.person("Buyer", *both, organisation=people.organisation("Alder"))
    seller = people.person("Seller", *both, organisation=people.organisation("Birch", people.LEIS[1]))
    desk = people.person("Desk", Role.DESK)
    submitted(buyer, "b", Side.BUY)
    submitted(seller, "s", Side.SELL)
    for name in ("b", "s"):
        trading.give(desk, "request", "accept", name)
    clock.instant = RUN + 60_000_000
    assert clockwork.make_runs(clock())[-1] == RUN
    [pair] = trading.all_open(desk, Role.DESK)["proposal"]
    assert pair["state"] == "candidate"
    assert trading.own(buyer)["proposal"] == []
    trading.give(desk, "proposal", "send", pair["id"], Nonces(buyer="01" * 32, seller="02" * 32))
    [terms] = trading.own(buyer)["proposal"]
    for who in (buyer, seller):
        trading.give(people.shown(who, clock()), "proposal", "approve", pair["id"], terms["terms_sha256"])
    [contract] = trading.own(seller)["contract"]
    assert contract["counterparty"]["legal_name"] == "Alder"
    assert contract["state"] == "booked"
    causes = list(Event.objects.order_by("pk").values_list("kind", "command"))
    assert causes[-4:] == [
        ("request", "proposal.approve"),
        ("request", "proposal.approve"),
        ("proposal", "proposal.approve"),
        ("contract", "proposal.approve"),
    ]


def test_what_is_not_theirs_is_as_if_missing(clock: venues.Clock) -> None:
    from mtok.venue.otc import trading

    user = people.person("User", Role.PARTICIPANT_USER, organisation=people.organisation("Alder"))
    other = people.person("Other", Role.PARTICIPANT_USER, organisation=people.organisation("Birch"))
    submitted(user, "b", Side.BUY)
    for name in ("b", "missing"):
        with pytest.raises(Refused) as refused:
            trading.seen(other, "request", name, Role.PARTICIPANT_USER)
        assert (refused.value.code, refused.value.found) == ("not_found", f"there is no request {name}")
        with pytest.raises(Refused) as refused:
            trading.give(other, "request", "cancel", name)
        assert (refused.value.code, refused.value.found) == ("not_found", f"there is no request {name}")


def test_a_role_that_was_withdrawn_is_no_role(clock: venues.Clock) -> None:
    from mtok.venue.accounts.models import Grant
    from mtok.venue.otc import trading

    user = people.person("User", Role.PARTICIPANT_USER, organisation=people.organisation("Alder"))
    submitted(user, "b", Side.BUY)
    desk = people.person("Desk", Role.DESK)
    Grant.objects.filter(login=desk.login).delete()
    with pytest.raises(Refused) as refused:
        trading.give(desk, "request", "accept", "b")
    assert refused.value.code in ("not_yours", "not_found")


def test_two_persons_suspend(clock: venues.Clock) -> None:
    from mtok.venue.otc import trading

    user = people.person("User", Role.PARTICIPANT_USER, organisation=people.organisation("Alder"))
    submitted(user, "b", Side.BUY)
    desk, second = people.person("Desk", Role.DESK), people.person("Night", Role.DESK)
    said = trading.intend(desk, "request", "suspend", "b", "abuse")
    with pytest.raises(Refused) as refused:
        trading.confirm(desk, said.pk, said.digest, "abuse")
    assert refused.value.code == "same_person"
    with pytest.raises(Refused) as refused:
        trading.confirm(second, said.pk, said.digest, "another reason")
    assert refused.value.code == "intention_stale"
    trading.confirm(second, said.pk, said.digest, "abuse")
    assert trading.own(user)["request"][0]["state"] == "suspended"
    with pytest.raises(Refused):
        trading.confirm(second, said.pk, said.digest, "abuse")


def test_runs_that_were_missed_are_made_in_order(clock: venues.Clock) -> None:
    from mtok.venue.database import runs
    from mtok.venue.otc import clockwork

    clock.instant = RUN + 3 * 24 * 3600 * 10**6
    assert len(clockwork.make_runs(clock())) == 5
    assert clockwork.make_runs(clock()) == []
    assert len(runs.last_runs(0, 9)) == 6


def test_a_request_that_expires_at_a_run_before_it_has_a_draw_stops_no_run(clock: venues.Clock) -> None:
    from mtok.venue.otc import clockwork, trading

    user = people.person("User", Role.PARTICIPANT_USER, organisation=people.organisation("Alder"))
    desk = people.person("Desk", Role.DESK)
    submitted(user, "b", Side.BUY, expires=RUN)
    trading.give(desk, "request", "accept", "b")
    clock.instant = RUN + 60_000_000
    assert clockwork.make_runs(clock())[-1] == RUN
    assert trading.own(user)["request"][0]["state"] == "expired"


def test_no_amount_is_kept_as_a_decimal_or_a_float() -> None:
    """SQLite keeps both as REAL and loses digits: amounts are whole cents, prices whole millionths."""
    venues.configured()
    from django.apps import apps
    from django.db.models import DecimalField, FloatField

    fields = [
        field
        for label in ("accounts", "market")
        for model in apps.get_app_config(label).get_models()
        for field in model._meta.get_fields()
    ]
    assert len(fields) > 150
    assert [field for field in fields if isinstance(field, DecimalField | FloatField)] == []
