"""A market in two shapes, the book and the plain model: its parties, references and persons, and what compares both."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from hashlib import sha256
from itertools import count
from typing import Any, NamedTuple

import msgspec

import market_model
from market_model import DAY, HOUR
from market_rows import No
from mtok.calendar import format_date, parse_date, parse_instant
from mtok.market import book as market
from mtok.market.book import Book
from mtok.market.commands import Command
from mtok.market.contracts import Contract
from mtok.market.margin import Closing
from mtok.market.parties import Party
from mtok.market.proposals import Proposal
from mtok.market.references import Reference
from mtok.market.terms import Terms
from mtok.publication.marks import Source
from mtok.settlement.machines import Refused
from mtok.settlement.marks import Level, Mark
from mtok.settlement.people import SYSTEM, Actor, Role
from mtok.settlement.specification import specification
from mtok.settlement.values import Style
from settling import claim

Pick = Callable[[Sequence[Any]], Any]
"""Returns one of some options."""

SECOND = 10**6
STARTS = tuple(
    parse_instant(text)
    for text in (
        "2026-06-15T09:00:00Z",
        "2026-11-19T14:59:59Z",
        "2026-12-23T16:00:00Z",
        "2026-07-02T15:00:00Z",
    )
)
LAST = parse_instant("2027-09-01T00:00:00Z")
"""No clock goes beyond it: the holidays below end."""
HOLIDAYS = tuple(
    parse_date(date)
    for date in (
        "2026-01-01 2026-01-19 2026-02-16 2026-05-25 2026-06-19 2026-09-07 2026-10-12 2026-11-11 2026-11-26 2026-12-25 "
        "2027-01-01 2027-01-18 2027-02-15 2027-05-31 2027-07-05 2027-09-06 2027-10-11 2027-11-11 2027-11-25"
    ).split()
)
"""As the Federal Reserve banks have published them; they do not move what falls on a Saturday, as 4 July 2026."""

PRICE = 12_000_000
MOVES = tuple(range(1_000, 121_000, 1_000))
REFERENCES = {
    "series": ("1", 60, PRICE, MOVES),
    "model:a/b": ("1", 54, PRICE + 500_000, (400_000,) * 59),
    "unmarked": ("2", 60, None, (2_000_000,) * 60),
    "model:c/d": ("1", 60, None, ()),
    "silent": ("1", 53, PRICE, MOVES),
}
"""Methodology, days printed of the last 60, last mark, moves: with few moves, without a mark, and one not offered."""

_EPOCH = dt.date(1970, 1, 1)


def first_day(month: int) -> int:
    """Return the first day of a month, counted as year · 12 + month - 1."""
    return (dt.date(month // 12, month % 12 + 1, 1) - _EPOCH).days


def business(day: int, count: int) -> int:
    """Return the day that is so many business days after a day."""
    while count:
        day += 1
        count -= (_EPOCH + dt.timedelta(day)).weekday() < 5 and day not in HOLIDAYS
    return day


def deadline(instant: int, count: int) -> int:
    """Return the end of the day that is so many business days after an instant."""
    return (business(instant // DAY, count) + 1) * DAY


def next_run(now: int) -> int:
    """Return the first 15:00 after an instant."""
    return (now - 15 * HOUR) // DAY * DAY + DAY + 15 * HOUR


RULES = dataclasses.replace(specification(), live_max=10**6, live_per_side_max=10**6)
"""Without quotas, which `test_market_fields` is about."""

GROUPS = {"p1": "g1", "p2": "g1", "p3": "g3", "p4": "g4"}
"""p1 and p2 are sister companies."""
PERSONS = {name: (f"u{name}", f"a{name}", f"b{name}", "twice") for name in GROUPS}
"""A user and two approvers; `twice` has a login with every participant."""


def _participants() -> Iterator[Actor]:
    for party, (user, *approvers) in PERSONS.items():
        yield Actor(person=user, role=Role.PARTICIPANT_USER, party=party)
        yield from (Actor(person=one, role=Role.PARTICIPANT_APPROVER, party=party) for one in approvers)


DESK = Actor(person="desk", role=Role.DESK)
DESKS = (DESK, Actor(person="night desk", role=Role.DESK))
TREASURY = (Actor(person="till", role=Role.TREASURY), Actor(person="night till", role=Role.TREASURY))
STRANGE = (
    Actor(person="desk", role=Role.TREASURY),
    Actor(person="till", role=Role.DESK),
    Actor(person="trader", role=Role.DESK, party="p4"),
    Actor(person="trader", role=Role.TREASURY, party="p4"),
    Actor(person="nobody", role=Role.PARTICIPANT_APPROVER),
    Actor(person="gone", role=Role.PARTICIPANT_USER, party="p9"),
    *(
        Actor(person=role.value, role=role)
        for role in (Role.MARK_PREPARER, Role.MARK_APPROVER, Role.ADMIN, Role.AUDITOR, Role.PUBLISHER)
    ),
)
"""Second roles of operators, operators with a position, logins without a participant, roles without business."""
ACTORS = (*_participants(), *DESKS, *TREASURY, *STRANGE, SYSTEM)


class Row(NamedTuple):
    """A mark as the model takes it."""

    reference: str
    methodology: str
    day: int
    version: int
    state: str
    value: int
    own: int | None
    logged: bool
    level: str


@cache
def mark(row: Row) -> Mark:
    """Return the mark of a row."""
    source = Source(
        index=row.day,
        reference=row.reference,
        methodology=row.methodology,
        date=format_date(row.day),
        stage="final",
        vintage=0,
        quality="good",
        sha256="",
        known_at="",
        value=row.value,
    )
    return Mark(
        reference=row.reference,
        methodology=row.methodology,
        date=source.date,
        version=row.version,
        state=row.state,
        level=Level(row.level),
        value=row.value,
        source=source,
        preparer="preparer",
        log_index=row.day if row.logged else None,
        dispute=None if row.own is None else claim(party="p1", own_value=row.own, resolve_until=0),
    )


def begun() -> tuple[Book, market_model.Market]:
    """Return a book of parties and references alone, and the same as a model."""
    parties = {
        name: Party(
            id=name,
            group=group,
            legal_name=f"Company {name}",
            lei="529900T8BM49AURSDO55",
            contact="settlement desk",
            credit_class="B" if name == "p2" else "A",
            accepts=frozenset("A" if name == "p4" else "AB"),
            known_until=LAST // DAY,
        )
        for name, group in GROUPS.items()
    }
    references = {
        name: Reference(reference=name, methodology=methodology, printed=printed, mark=last, moves=moves)
        for name, (methodology, printed, last, moves) in REFERENCES.items()
    }
    book = Book(rules=RULES, parties=parties, references=references)
    plain = {name: msgspec.structs.asdict(party) for name, party in parties.items()}
    of = references.values()
    told = {
        "marks": {one.reference: one.mark for one in of},
        "moves": {one.reference: one.moves for one in of},
    }
    days = {"first_day": first_day, "business": business, "next_run": next_run, "deadline": deadline}
    return book, market_model.Market(parties=plain, **told, **days)


class Both:
    """A market in two shapes at an instant. pick : what draws"""

    def __init__(self, pick: Pick) -> None:
        self.pick = pick
        self.book, self.model = begun()
        self.now: int = pick(STARTS)
        self.steps = 0
        self.outcomes: Counter[str] = Counter()
        self.digests: dict[str, list[str]] = {}
        self.posted: dict[str, int] = {}
        self.names = count()
        self._views: dict[tuple[str, str], tuple[Any, dict[str, Any]]] = {}

    # ---- what is done to both

    def give(
        self,
        kind: str,
        command: str,
        name: str,
        actor: Actor,
        details: Any = None,
        *,
        second: Actor | None = None,
        **said: Any,
    ) -> bool:
        """Give a command to both, compare, and return whether it was done."""
        self.steps += 1
        objects = self.book.requests, self.book.proposals, self.book.contracts
        kept = [dict(one) for one in objects]
        asked = Command(
            kind=kind, command=command, id=name, actor=actor, at=self.now, second=second, details=details
        )
        after, code, expected = None, "done", "done"
        try:
            after = market.apply(self.book, asked)
        except Refused as refused:
            code = refused.code
        try:
            self.model.give(kind, command, name, actor, self.now, second, said)
        except No as refused:
            expected = refused.args[0]
        assert code == expected, f"{command} of {kind} {name}: {code}, the model says {expected}"
        assert list(objects) == kept, "what a command was given to has changed"
        self.outcomes[f"{kind} {command} {code}"] += 1
        if after is None:
            self.book = market.advance(self.book, self.now)
        else:
            self._remember(kind, command, name, after, said)
            self.book = after
        self.compare()
        return after is not None

    def _remember(self, kind: str, command: str, name: str, after: Book, said: dict[str, Any]) -> None:
        """Keep the digests of terms and the money posted, which the invariants are about."""
        terms = after.proposals[name].terms if kind == "proposal" else None
        if terms is not None and command in ("send", "amend"):
            digest = sha256(terms.canonical).hexdigest()
            assert not any(digest in others for others in self.digests.values()), "two terms of one digest"
            self.digests.setdefault(name, []).append(digest)
        if kind == "contract" and command in ("activate", "post"):
            self.posted[name] = self.posted.get(name, 0) + said["buyer"] + said["seller"]

    def run(self) -> None:
        """Go to the next run, or do the one that is now, and compare what took part and what was reserved."""
        at = self.now if (self.now - 15 * HOUR) % DAY == 0 else next_run(self.now)
        if not self.go(at):
            return
        self.steps += 1
        names = [f"m{next(self.names)}" for _ in range(40)]
        self.book, done = market.run(self.book, at, iter(names))
        lots = self.model.run(at, names)
        listed = json.loads(done.inputs)["interests"]
        assert {one["id"]: int(one["lots"]) for one in listed} == lots, (
            f"who took part: {listed}, the model says {lots}"
        )
        self.outcomes["run"] += 1
        self.compare()

    def go(self, instant: int) -> bool:
        """Let time pass up to an instant; what is due happens in both. Return whether the clock goes that far."""
        if not self.now <= instant < LAST:
            return False
        if instant == self.now:  # the next command or run looks first at what is due
            return True
        self.now = instant
        self.book = market.advance(self.book, instant)
        self.model.advance(instant)
        self.compare()
        return True

    def change(self, name: str, **changes: Any) -> None:
        """Change a party in both."""
        party = msgspec.structs.replace(self.book.parties[name], **changes)
        self.book = msgspec.structs.replace(self.book, parties=self.book.parties | {name: party})
        self.model.parties[name] = msgspec.structs.asdict(party)

    # ---- what is compared

    def compare(self) -> None:
        """Raise AssertionError where the two differ, or an invariant does not hold."""
        for kind, told in self.model.objects.items():
            objects: dict[str, Any] = getattr(self.book, f"{kind}s")
            assert objects.keys() == told.keys(), f"{kind}s: {sorted(objects.keys() ^ told.keys())}"
            for name, one in objects.items():
                known = self._views.get((kind, name))
                if known is None or known[0] is not one:
                    if kind == "contract" and known is None:
                        self._check_booking(one)
                    known = one, said_of(_VIEWS[kind](one, self.book))
                    self._views[kind, name] = known
                expected = said_of(told[name] | {"sides": None})
                assert known[1] == expected, f"{kind} {name}: {_differences(known[1], expected)}"
        self._check_quantities()

    def _check_quantities(self) -> None:
        """M1: left, reserved by proposals and filled by contracts is the size. S2, S12: no cent comes or goes."""
        reserved: Counter[str] = Counter()
        filled: Counter[str] = Counter()
        for one in self.book.proposals.values():
            if one.state in ("candidate", "terms_sent", "amended", "one_approved"):
                reserved.update({one.buy: one.lots, one.sell: one.lots})
            elif one.state == "booked":
                filled.update({one.buy: one.lots, one.sell: one.lots})
        for name, request in self.book.requests.items():
            assert (request.reserved, request.filled) == (reserved[name], filled[name]), f"M1: {request}"
            assert 0 <= request.left <= request.lots <= request.asked, f"M1: {request}"
        for name, contract in self.book.contracts.items():
            money, ended = contract.account, contract.closing
            assert money.long + money.short == self.posted.get(name, 0), f"S2: {contract}"
            if ended is not None:
                assert ended.to_long + ended.to_short == self.posted[name], f"S12: {contract}"
                assert min(ended.to_long, ended.to_short, ended.paid, ended.claim) >= 0, f"S12: {contract}"

    def _check_booking(self, contract: Contract) -> None:
        """M3, M13: two persons of two owners have approved the terms that stand in the contract, in time."""
        first, second = contract.approvals
        parties = self.book.parties
        assert first.person != second.person, "M3: one person"
        assert {first.party, second.party} == {contract.buyer, contract.seller}, "M3: not of both sides"
        assert parties[contract.buyer].group != parties[contract.seller].group, "M3: one owner"
        digest = sha256(contract.terms.canonical).hexdigest()
        assert digest == self.digests[contract.id][-1], "M13: not the last terms"
        assert {first.sha256, second.sha256, contract.terms.sha256} == {digest}, "M13: other terms"
        run = self.book.proposals[contract.id].run
        assert all(run <= one.at < run + 24 * HOUR for one in (first, second)), "M3: not in time"
        assert contract.booked_at == second.at == self.now

    def check_liveness(self) -> None:
        """M11: 25 hours later nothing is reserved any more."""
        later = market.advance(self.book, self.now + 25 * HOUR)
        assert not any(one.reserved for one in later.requests.values()), "M11: a reservation stays"


def said_of(one: dict[str, Any]) -> dict[str, Any]:
    """Return what is known of an object, without what is 0, empty or None."""
    return {key: value for key, value in one.items() if value}


def _proposal_view(proposal: Proposal, _: Book) -> dict[str, Any]:
    names = "buy sell run lots price maturity state declined_by".split()
    view = {name: getattr(proposal, name) for name in names}
    terms = proposal.terms
    if terms is None:
        return view | {"revision": -1}
    assert (terms.price, terms.lots, terms.maturity) == (proposal.price, proposal.lots, proposal.maturity)
    approvals = {one.party: one.person for one in proposal.approvals}
    return view | {"revision": terms.revision, "approvals": approvals, "deal": _deal(terms)}


def _deal(terms: Terms) -> tuple[Any, ...]:
    of, window = terms.exposure, terms.exposure.window
    margins = of.initial_margin, of.maintenance_margin, of.transfer_min
    return of.price, of.quantity, window.first, window.last, window.style == Style.LAST, *margins


def _contract_view(contract: Contract, book: Book) -> dict[str, Any]:
    proposal, money = book.proposals[contract.id], msgspec.structs.astuple(contract.account)
    for name, party in ((proposal.buy, contract.buyer), (proposal.sell, contract.seller)):
        assert book.requests[name].party == party, f"{contract} of others than its requests"
    return {name: getattr(contract, name) for name in "booked_at state noticed_at reason".split()} | {
        "of": (contract.terms.reference, contract.terms.methodology),
        "deal": _deal(contract.terms),
        "money": any(money) and money,
        "calls": {one.side: one.amount for one in contract.calls},
        "due": {one.side: one.due for one in contract.calls},
        "agreed": dict(contract.agreed),
        "days": [one.day for one in contract.days],
        "closing": contract.closing and _closing(contract.closing),
    }


def _closing(end: Closing) -> tuple[Any, ...]:
    debts = {end.debtor: end.claim} if end.claim else {}
    return end.price, (end.value, end.open, end.to_long, end.to_short, debts)


_VIEWS: dict[str, Callable[[Any, Book], dict[str, Any]]] = {
    "request": lambda request, _: msgspec.structs.asdict(request),
    "proposal": _proposal_view,
    "contract": _contract_view,
}


def _differences(found: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    return {key: (found.get(key), told.get(key)) for key in found | told if found.get(key) != told.get(key)}
