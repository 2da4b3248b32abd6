"""The market of the demonstration: six days of commands, each given at its own instant by whoever may.

Nothing is written past `giving.give` and the functions that people's pages call. One thing is not as it is: the sample
is shorter than the two months that a reference has to print before contracts on it are offered, so here they are.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from mtok.archive import Store
from mtok.calendar import day_of, format_date, parse_date, parse_instant
from mtok.day import publish_due
from mtok.market.agreements import Agreed, Agreement
from mtok.market.book import CONTRACT, MACHINES, PROPOSAL, REQUEST
from mtok.market.commands import Command
from mtok.market.contracts import Marked, Posted
from mtok.market.margin import Side
from mtok.market.months import month_number
from mtok.market.proposals import Nonces, TermsAmendment
from mtok.market.references import Reference, history
from mtok.market.requests import Request
from mtok.publication.press import nowhere
from mtok.replay import Recording, ReplayClock, collect_recorded
from mtok.settlement.machines import NEW
from mtok.settlement.people import Role
from mtok.settlement.specification import specification
from mtok.venue import place
from mtok.venue.accounts.parties import parties
from mtok.venue.accounts.principals import Principal
from mtok.venue.database import giving
from mtok.venue.database.books import Surroundings
from mtok.venue.database.marks import last_kept, marks_of
from mtok.venue.database.models import ProposalRow
from mtok.venue.database.records import KINDS
from mtok.venue.database.references import references
from mtok.venue.demonstration.made import STANDS_AT
from mtok.venue.otc import clockwork, marking, printing, settling, trading

FIRST: Final = "2026-06-22T09:00:00Z"
_EXPIRES: Final = "2026-07-20T15:00:00Z"
_CENT: Final = 10_000
"""A cent in 10⁻⁶ USD."""


def offered(names: Iterable[str], at: int) -> dict[str, Reference]:
    """Return references as they are published, and as if each had printed for two months."""
    days = specification().printed_days
    return {name: msgspec.structs.replace(one, printed=days) for name, one in references(names, at).items()}


def surroundings() -> Surroundings:
    """Return what the book of the demonstration knows."""
    return Surroundings(rules=specification(), parties=parties, references=offered, follow=trading.follow)


@dataclass(kw_only=True)
class Market:
    """A market that people bring about. people : principals by first name · recording : of what is collected, by day"""

    store: Store
    people: dict[str, Principal]
    recording: Recording

    def who(self, name: str) -> Principal:
        """Return somebody with the second factor just shown."""
        return replace(self.people[name], stepped_up_at=place.now())

    def give(
        self, name: str, kind: str, command: str, identity: str, details: Any = None, second: str = ""
    ) -> None:
        """Give a command as somebody, now. second : who else gives it"""
        row = KINDS[kind].table.objects.filter(pk=identity).first()
        state = NEW if row is None else row.state
        machine = MACHINES[kind]
        other = self.who(second).actor(machine, command, state) if second else None
        asked = Command(
            kind=kind,
            command=command,
            id=identity,
            actor=self.who(name).actor(machine, command, state),
            at=place.now(),
            second=other,
            details=details,
        )
        giving.give(asked, surroundings())

    def begin(self) -> None:
        """Collect and publish all that was before today, and let the venue begin."""
        collect_recorded(self.store, self.recording, days=(None, day_of(place.now()) - 1))
        publish_due(self.store, ReplayClock(place.now(), 0), nowhere)
        clockwork.begin(place.now())

    def publish(self) -> None:
        """Collect today, and publish what is due now."""
        today = day_of(place.now())
        collect_recorded(self.store, self.recording, days=(today, today))
        publish_due(self.store, ReplayClock(place.now(), 0), nowhere)

    def run(self) -> None:
        """Make the run of now."""
        at = place.now()
        clockwork.draw_roots(at)
        giving.look_at_run(surroundings(), at)
        clockwork.log_events(at)
        names = (f"{format_date(day_of(at))}-{number}" for number in itertools.count(1))
        giving.give_run(surroundings(), at, names)
        clockwork.log_events(at)

    def let_pass(self) -> None:
        """Let happen what is due now."""
        giving.let_time_pass(surroundings(), place.now())
        printing.publish_due(place.now(), nowhere)
        settling.take_margin(place.now())
        clockwork.log_events(place.now())

    # ---- requests and pairs

    def ask(self, name: str, identity: str, side: Side, reference: str, month: str, **fields: Any) -> None:
        """Draft a request at the last published price, or at a limit."""
        published, methodology = place.opened().published, place.opened().methodology()
        values = history(published, reference, methodology)
        request = Request(
            id=identity,
            party="",
            person="",
            reference=reference,
            methodology=methodology,
            side=side,
            maturity=month_number(month),
            **{
                "lots": 25,
                "limit": values[max(values)] // _CENT * _CENT,
                "expires": parse_instant(_EXPIRES),
                "firm_until": parse_instant(_EXPIRES),
            }
            | fields,
        )
        self.give(name, REQUEST, "draft", identity, request)

    def ask_live(
        self, name: str, identity: str, side: Side, reference: str, month: str, **fields: Any
    ) -> None:
        """Draft and submit a request, which the desk accepts."""
        self.ask(name, identity, side, reference, month, **fields)
        self.give(name, REQUEST, "submit", identity)
        self.give("dana", REQUEST, "accept", identity)

    def ask_both(self, identity: str, reference: str, month: str, **fields: Any) -> None:
        """Let both participants ask for the same, on two sides."""
        self.ask_live("bea", f"{identity}-buy", Side.BUY, reference, month, **fields)
        self.ask_live("sol", f"{identity}-sell", Side.SELL, reference, month, **fields)

    def pair(self, identity: str) -> Any:
        """Return the proposal of a pair of requests."""
        return KINDS[PROPOSAL].read(ProposalRow.objects.get(buy_id=f"{identity}-buy").record)

    def send(self, identity: str) -> str:
        """Send the terms of a pair; return its id."""
        found = self.pair(identity).id
        self.give("dana", PROPOSAL, "send", found, Nonces(buyer="01" * 32, seller="02" * 32))
        return str(found)

    def approve(self, identity: str, *names: str) -> None:
        """Let sides approve the terms of a pair."""
        for name in names:
            one = self.pair(identity)
            self.give(name, PROPOSAL, "approve", one.id, one.terms.sha256)

    def book(self, identity: str) -> str:
        """Make a contract of a pair; return its id."""
        found = self.send(identity)
        self.approve(identity, "bea", "sol")
        return found

    def contract(self, identity: str) -> Any:
        """Return a contract."""
        return KINDS[CONTRACT].read(KINDS[CONTRACT].table.objects.get(pk=identity).record)

    def activate(self, identity: str) -> None:
        """Let both sides' initial margin arrive."""
        amount = self.contract(identity).terms.initial_margin
        self.give("toni", CONTRACT, "activate", identity, Posted(buyer=amount, seller=amount))

    # ---- marks

    def propose_mark(self, reference: str, date: str) -> Any:
        """Let the preparer propose the mark of a day; return it as it is kept."""
        methodology = place.opened().methodology()
        return marking.prepare(self.who("pia"), reference, methodology, parse_date(date))

    def approve_mark(self, reference: str, date: str) -> None:
        """Propose the mark of a day and let the approver approve it."""
        made = self.propose_mark(reference, date)
        marking.approve(self.who("abel"), made.id, made.mark.digest)


def seed(market: Market) -> None:
    """Let six days happen, up to `STANDS_AT`."""
    for instant, happen in _DAYS:
        with place.at(parse_instant(instant)):
            happen(market)


def _begin(market: Market) -> None:
    market.begin()
    market.ask_both("void", "anthropic", "2026-08")
    market.ask_both("disrupted", "openai", "2026-08")
    market.ask_both("terminated", "anthropic", "2026-09")
    market.ask_both("default", "openai", "2026-10", limit=2 * 10**7)
    market.ask_both("closed", "openai", "2026-11", limit=2 * 10**7)


def _first_contracts(market: Market) -> None:
    market.book("void")
    for name in ("disrupted", "terminated", "default", "closed"):
        market.activate(market.book(name))


def _terminate(market: Market) -> None:
    one = market.contract(market.pair("terminated").id)
    agreement = Agreement(contract=one.id, terms_sha256=one.terms.sha256, value=one.terms.price)
    agreed = Agreed(agreement=agreement, first_sha256=agreement.sha256, second_sha256=agreement.sha256)
    market.give("bea", CONTRACT, "terminate", one.id, agreed, second="sol")


def _notice(name: str) -> Any:
    def happen(market: Market) -> None:
        market.give("toni", CONTRACT, "notice", market.pair(name).id, second="dana")

    return happen


def _close_out(market: Market) -> None:
    """Close out the contract whose default nobody has cured, at the first mark since its notice."""
    one = market.contract(market.pair("closed").id)
    found = marks_of(
        one.terms.reference, one.terms.methodology, parse_date("2026-06-22"), parse_date("2026-06-25")
    )
    details = Marked(marks=tuple(found), day=found[-1].day)
    market.give("toni", CONTRACT, "close_out", one.id, details, second="dana")


def _mark(date: str) -> Any:
    def happen(market: Market) -> None:
        market.approve_mark("openai", date)
        market.let_pass()

    return happen


def _carried(market: Market) -> None:
    """Reject the value of a day, so that the value of the day before is carried."""
    made = market.propose_mark("openai", "2026-06-25")
    marking.reject(
        market.who("abel"), made.id, "The first-party price list says otherwise; it is looked into."
    )
    market.approve_mark("openai", "2026-06-25")
    market.let_pass()


def _lapsing(market: Market) -> None:
    market.ask_both("lapsed", "anthropic", "2026-08")
    market.ask_both("booked", "anthropic", "2026-09")
    market.ask_both("active", "anthropic", "2026-10")
    market.ask_live(
        "bea", "expired", Side.BUY, "deepseek", "2026-12", expires=parse_instant("2026-06-26T15:00:00Z")
    )


def _second_contracts(market: Market) -> None:
    market.send("lapsed")
    market.book("booked")
    market.activate(market.book("active"))


_SHOWN: Final = {
    "candidate": ("moonshot", "2026-08"),
    "dropped": ("moonshot", "2026-09"),
    "sent": ("moonshot", "2026-10"),
    "one-approved": ("google-gemini", "2026-08"),
    "declined": ("google-gemini", "2026-09"),
    "amended": ("google-gemini", "2026-10"),
    "filled": ("deepseek", "2026-10"),
}
"""Pairs of the last run by what becomes of their terms."""


def _last_requests(market: Market) -> None:
    for name in ("rejected", "submitted"):
        market.ask("bea", name, Side.BUY, "deepseek", "2026-08")
        market.give("bea", REQUEST, "submit", name)
    market.give("dana", REQUEST, "reject", "rejected", "The size is beyond what the credit line allows.")
    market.ask("bea", "draft", Side.BUY, "deepseek", "2026-08")
    for name in ("live", "paused", "cancelled"):
        market.ask_live("sol", name, Side.SELL, "deepseek", "2026-08", limit=10**8)
    market.give("sol", REQUEST, "pause", "paused")
    market.give("sol", REQUEST, "cancel", "cancelled")
    market.ask_live("sol", "suspended", Side.SELL, "deepseek", "2026-09", limit=10**8)
    market.give(
        "dana", REQUEST, "suspend", "suspended", "Asked for again and again, never for a trade.", "toni"
    )
    for name, (reference, month) in _SHOWN.items():
        market.ask_both(name, reference, month)


def _last_marks(market: Market) -> None:
    day = parse_date("2026-06-24")
    [kept] = last_kept("openai", place.opened().methodology(), day, day)
    marking.dispute(
        market.who("sol"), kept.id, kept.mark.value + _CENT, "Our own average differs.", ("ab" * 32,)
    )
    market.propose_mark("openai", "2026-06-26")
    held = market.propose_mark("google-gemini", "2026-06-26")
    marking.hold(market.who("pia"), held.id, "A price that is being asked about.")


def _last_terms(market: Market) -> None:
    for name in ("sent", "one-approved", "declined", "amended"):
        market.send(name)
    market.book("filled")
    market.give("dana", PROPOSAL, "drop", market.pair("dropped").id)
    market.approve("one-approved", "bea")
    market.give("sol", PROPOSAL, "decline", market.pair("declined").id)
    one = market.pair("amended")
    bea, sol = (market.who(name).as_role(Role.PARTICIPANT_APPROVER) for name in ("bea", "sol"))
    change = TermsAmendment(price=one.terms.price, lots=20, asked_by=(bea, sol))
    market.give("dana", PROPOSAL, "amend", one.id, change)
    market.let_pass()
    market.approve_mark("anthropic", "2026-06-26")  # the clock would print it next


_DAYS: Final = (
    ("2026-06-22T09:30:00Z", _begin),
    ("2026-06-22T14:10:00Z", Market.publish),
    ("2026-06-22T15:00:00Z", Market.run),
    ("2026-06-22T15:10:00Z", _first_contracts),
    ("2026-06-23T14:10:00Z", Market.publish),
    ("2026-06-23T15:00:00Z", Market.run),
    ("2026-06-23T16:00:00Z", _mark("2026-06-22")),
    ("2026-06-23T19:05:00Z", Market.let_pass),
    ("2026-06-24T12:00:00Z", _terminate),
    ("2026-06-24T14:10:00Z", Market.publish),
    ("2026-06-24T15:00:00Z", Market.run),
    ("2026-06-24T16:00:00Z", _mark("2026-06-23")),
    ("2026-06-24T18:00:00Z", _notice("closed")),
    ("2026-06-24T19:05:00Z", Market.let_pass),
    ("2026-06-25T14:10:00Z", Market.publish),
    ("2026-06-25T15:00:00Z", Market.run),
    ("2026-06-25T16:00:00Z", _mark("2026-06-24")),
    ("2026-06-25T18:00:00Z", _notice("default")),
    ("2026-06-25T19:05:00Z", Market.let_pass),
    ("2026-06-26T10:00:00Z", _lapsing),
    ("2026-06-26T14:10:00Z", Market.publish),
    ("2026-06-26T15:00:00Z", Market.run),
    ("2026-06-26T15:10:00Z", _second_contracts),
    ("2026-06-26T16:05:00Z", _carried),
    ("2026-06-26T19:05:00Z", Market.let_pass),
    ("2026-06-26T19:30:00Z", _close_out),
    ("2026-06-27T10:00:00Z", _last_requests),
    ("2026-06-27T14:10:00Z", Market.publish),
    ("2026-06-27T14:30:00Z", _last_marks),
    ("2026-06-27T15:00:00Z", Market.run),
    (STANDS_AT, _last_terms),
)
"""What happens when."""
