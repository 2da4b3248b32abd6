"""The path from requests to a contract and its first call, given as people give it, for tests of what follows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

import people
import venues
from mtok.calendar import parse_date, parse_instant
from mtok.market.contracts import Posted
from mtok.market.margin import Side
from mtok.market.months import month_number
from mtok.market.proposals import Nonces
from mtok.market.references import Reference
from mtok.market.requests import Request
from mtok.settlement.people import Role
from settling import mark_of

RUN = parse_instant("2026-06-22T15:00:00Z")
SLOT_END = parse_instant("2026-06-22T16:00:00Z")
TERMS_END = parse_instant("2026-06-23T15:00:00Z")
MINUTE = 60 * 10**6
PRICE = 12_345_600
EXPIRES = parse_instant("2026-07-20T15:00:00Z")
INITIAL_MARGIN = 925_920
"""30 % of 25 lots of 100 million tokens at 12.3456 USD, by hand: 2,500 x 12.3456 x 0.3 = 9,259.20."""
BOTH_ROLES = (Role.PARTICIPANT_USER, Role.PARTICIPANT_APPROVER)


@contextmanager
def fresh(path: Path, instant: int = venues.NOON) -> Iterator[venues.Clock]:
    """Give a venue that has begun, with a database of its own, one offered reference and a draw for every request."""
    with venues.sqlite(path), venues.clock(instant) as clock, offering():
        from mtok.venue.otc import clockwork

        clockwork.begin(clock())
        yield clock


@contextmanager
def offering() -> Iterator[None]:
    """Let `openai` be offered at a price, and checkpoints be published after every acceptance."""
    from mtok.venue.otc import clockwork, trading

    def references(names: Any, _: int) -> dict[str, Reference]:
        known = Reference(reference="openai", methodology="1.0", printed=60, mark=PRICE)
        return {name: known for name in names if name == "openai"}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trading, "references", references)
        patch.setattr(clockwork, "first_root", lambda *_: "ab" * 32)
        yield


class Story:
    """Two participants and the operators they meet; each of its steps is one thing that somebody does."""

    def __init__(self, clock: Any, *, names: tuple[str, str] = ("Alder", "Birch")) -> None:
        self.clock = clock
        self.organisations = tuple(
            people.organisation(name, lei) for name, lei in zip(names, people.LEIS, strict=False)
        )
        alder, birch = self.organisations
        self.buyer = people.person("Buyer", *BOTH_ROLES, organisation=alder)
        self.seller = people.person("Seller", *BOTH_ROLES, organisation=birch)
        self.desk = people.person("Desk", Role.DESK)
        self.treasury = people.person("Treasury", Role.TREASURY)
        self.night = people.person("Night", Role.TREASURY)

    def ask(self, who: Any, name: str, side: Side, *, lots: int = 25, firm: bool = True) -> None:
        """Submit a request and have it accepted."""
        from mtok.venue.otc import trading

        request = self.request(name, side, lots=lots, firm=firm)
        trading.give(who, "request", "draft", name, request)
        trading.give(who, "request", "submit", name)
        trading.give(self.desk, "request", "accept", name)

    def request(self, name: str, side: Side, *, lots: int = 25, firm: bool = True) -> Request:
        """Return a request as somebody drafts it."""
        return Request(
            id=name,
            party="",
            person="",
            reference="openai",
            methodology="1.0",
            side=side,
            lots=lots,
            maturity=month_number("2026-08"),
            expires=EXPIRES,
            firm_until=EXPIRES if firm else None,
            limit=PRICE,
        )

    def ask_both(self) -> None:
        """Submit a request of each side, `b` and `s`."""
        self.ask(self.buyer, "b", Side.BUY)
        self.ask(self.seller, "s", Side.SELL)

    def go(self, instant: int) -> None:
        """Let time pass until an instant, as the worker sees it then."""
        from mtok.venue.otc import clockwork

        assert instant >= self.clock.instant
        self.clock.instant = instant
        clockwork.let_time_pass(instant)

    def candidate(self) -> str:
        """Return the id of the one pair that the desk sees."""
        from mtok.venue.otc import trading

        [pair] = trading.all_open(self.desk, Role.DESK)["proposal"]
        return str(pair["id"])

    def send(self) -> str:
        """Make the run, and send the terms of its one pair a minute later; return its id."""
        from mtok.venue.otc import trading

        self.go(RUN + MINUTE)
        pair = self.candidate()
        trading.give(self.desk, "proposal", "send", pair, Nonces(buyer="01" * 32, seller="02" * 32))
        return pair

    def approve(self, who: Any, pair: str) -> None:
        """Approve the terms for a side."""
        from mtok.venue.otc import trading

        [terms] = [one for one in trading.own(who)["proposal"] if one["id"] == pair]
        trading.give(people.shown(who, self.clock()), "proposal", "approve", pair, terms["terms_sha256"])

    def book(self) -> str:
        """Go from nothing to a contract; return its id."""
        self.ask_both()
        pair = self.send()
        self.approve(self.buyer, pair)
        self.approve(self.seller, pair)
        return pair

    def activate(self, contract: str) -> None:
        """Let both sides' initial margin arrive."""
        from mtok.venue.otc import trading

        posted = Posted(buyer=INITIAL_MARGIN, seller=INITIAL_MARGIN)
        trading.give(self.treasury, "contract", "activate", contract, posted)

    def margin(self, date: str, price: int) -> Any:
        """Take the margin of a day at a price, in the evening of the day after it; the same again takes nothing."""
        from mtok.venue.database import giving
        from mtok.venue.database.models import ContractRow
        from mtok.venue.otc import trading

        self.clock.instant = max(
            self.clock.instant, (parse_date(date) + 1) * 24 * 60 * MINUTE + 19 * 60 * MINUTE
        )
        mark = mark_of(date, price, reference="openai", methodology="1.0")
        keep_published(mark)
        contracts = list(ContractRow.objects.values_list("pk", flat=True))
        given, _ = giving.give_margin(
            trading.surroundings(), [mark], parse_date(date), self.clock(), contracts
        )
        return given


def keep_published(mark: Any) -> None:
    """Keep a mark as if two persons had approved it and it stood in the log; again, nothing."""
    from django.db import transaction

    from mtok.venue.database.books import by_time, keep_one
    from mtok.venue.database.models import MarkRow

    identity = f"{mark.reference}-{mark.date}"
    if MarkRow.objects.filter(pk=identity).exists():
        return
    version = None
    with transaction.atomic(durable=True):
        for state in ("proposed", "approved", "published"):
            version = keep_one(msgspec.structs.replace(mark, state=state), version, by_time(0), identity)
