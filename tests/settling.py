"""Marks, terms, contracts and books for tests of settlement: made by the commands of the code under test."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec
import pytest

from mtok.calendar import DAY, SECOND, format_date, parse_date, parse_instant
from mtok.market.book import Book, apply
from mtok.market.commands import Command
from mtok.market.contracts import Contract, Posted, booked
from mtok.market.margin import Exposure
from mtok.market.months import month_of
from mtok.market.terms import Approval, Terms
from mtok.publication.marks import Source
from mtok.settlement import review
from mtok.settlement.machines import Refused
from mtok.settlement.marks import Dispute, Level, Mark, Reason, Resolution
from mtok.settlement.people import SYSTEM, Actor, Role
from mtok.settlement.specification import specification
from mtok.settlement.values import Style, Window

RULES: Final = specification()
SERIES: Final = "openai"
METHODOLOGY: Final = "1.0"
BUYER, SELLER = "buyer-1", "seller-1"
HASH: Final = "a" * 64
EVIDENCE: Final = ("e" * 64,)


def actor(person: str, role: Role, now: int = 0, *, party: str | None = None) -> Actor:
    """Return an actor who has just shown the second factor."""
    return Actor(person=person, role=role, party=party, stepped_up_at=now)


def preparer(now: int = 0, person: str = "anna") -> Actor:
    """Who prepares marks."""
    return actor(person, Role.MARK_PREPARER, now)


def approver(now: int = 0, person: str = "bert") -> Actor:
    """Who approves marks."""
    return actor(person, Role.MARK_APPROVER, now)


def desk(now: int = 0, person: str = "cleo") -> Actor:
    """An operator who has made no mark."""
    return actor(person, Role.DESK, now)


def treasury(now: int = 0, person: str = "dora") -> Actor:
    """Another one."""
    return actor(person, Role.TREASURY, now)


def trader(party: str, now: int = 0, person: str = "emil") -> Actor:
    """Who approves for a participant."""
    return actor(person, Role.PARTICIPANT_APPROVER, now, party=party)


PUBLISHER: Final = Actor(person="publisher", role=Role.PUBLISHER)


def micro(text: str) -> int:
    """Return a price in 10⁻⁶ USD of a decimal text of any length, exactly."""
    units = Decimal(text).scaleb(6)
    assert units == units.to_integral_value(), text
    return int(units)


def cents(text: str) -> int:
    """Return cents of an amount as the design writes it: `1,360.00`, `−490.00`."""
    return int(Decimal(text.replace(",", "").replace("−", "-")).scaleb(2))


def noon(date: str, time: str = "15:00:00") -> int:
    """Return an instant."""
    return parse_instant(f"{date}T{time}Z")


def source(date: str, value: int | None, **changes: Any) -> Source:
    """Return the final value of a day, good and in time; its place in the log follows from the day."""
    index = changes.pop("index", parse_date(date) * 10)
    usual = Source(
        index=index,
        reference=SERIES,
        methodology=METHODOLOGY,
        date=date,
        stage="final",
        vintage=0,
        quality="good" if value is not None else "withheld",
        sha256=f"{index:064x}",
        known_at=f"{format_date(parse_date(date) + 1)}T14:00:00Z",
        value=value,
    )
    return msgspec.structs.replace(usual, **changes)


def found(one: Source, level: Level = Level.FINAL, date: str | None = None) -> Resolution:
    """Return what the waterfall would say of a source."""
    return Resolution(day=parse_date(date or one.date), level=level, source=one)


def proposed(resolution: Resolution, now: int, **changes: Any) -> Mark:
    """Return a mark just proposed, recomputed to the byte."""
    given: dict[str, Any] = {
        "before": None,
        "recomputed": resolution.source.sha256,
        "actor": preparer(now),
        "now": now,
        "rules": RULES,
    }
    return review.propose(resolution, **given | changes)


def approved(mark: Mark, now: int) -> Mark:
    """Return a mark approved by another person."""
    return review.approve(
        mark,
        actor=approver(now),
        now=now,
        digest=mark.digest,
        in_force=mark.source.index,
        rules=RULES,
    )


def published(resolution: Resolution, now: int, log_index: int | None = None) -> Mark:
    """Return a mark that has gone from the waterfall into the log."""
    mark = approved(proposed(resolution, now), now)
    index = resolution.day * 10 + 5 if log_index is None else log_index
    return review.publish(mark, actor=PUBLISHER, now=now, log_index=index, rules=RULES)


def disputed(mark: Mark, own_value: int, now: int, party: str = BUYER) -> Mark:
    """Return a mark a party disputes."""
    return review.dispute(
        mark,
        actor=trader(party, now),
        now=now,
        parties=[BUYER, SELLER],
        own_value=own_value,
        reason="Recomputed from the archive.",
        evidence=EVIDENCE,
        rules=RULES,
    )


def claim(party: str, own_value: int, resolve_until: int) -> Dispute:
    """Return a dispute, made by nobody: for arithmetic that looks at its number alone."""
    reason = Reason(person=f"{party}-person", at=0, text="Recomputed from the archive.", evidence=EVIDENCE)
    return Dispute(party=party, own_value=own_value, reason=reason, resolve_until=resolve_until)


def corrected(mark: Mark, later: Source, now: int) -> Mark:
    """Return the version after a mark, by two who made nothing of it; not in the log yet."""
    return review.correct(
        mark,
        found(later),
        actor=desk(now),
        second=treasury(now),
        now=now,
        reason="A file was read wrongly.",
        rules=RULES,
    )


def logged(mark: Mark, now: int, log_index: int) -> Mark:
    """Return a mark with its entry in the log."""
    return review.publish(mark, actor=PUBLISHER, now=now, log_index=log_index, rules=RULES)


def locked(mark: Mark) -> Mark:
    """Return a mark locked at the first instant."""
    assert mark.dispute_until is not None
    return review.lock(mark, actor=SYSTEM, now=mark.dispute_until)


def mark_of(date: str, value: int, state: str = "published", **changes: Any) -> Mark:
    """Return a mark in a state, made by nobody: for arithmetic that looks at its value and state alone."""
    day = parse_date(date)
    usual = Mark(
        reference=SERIES,
        methodology=METHODOLOGY,
        date=date,
        version=0,
        state=state,
        level=Level.FINAL,
        value=value,
        source=source(date, value),
        preparer="anna",
        approver="bert",
        log_index=day * 10 + 5,
        dispute_until=(day + 4) * DAY,
        locked_at=(day + 4) * DAY if state == "locked" else None,
    )
    return msgspec.structs.replace(usual, **changes)


# ---- contracts


class Windowed(Terms, frozen=True, kw_only=True, dict=True):
    """Terms whose window is not a calendar month, as that of the worked example."""

    window: Window

    @property
    def exposure(self) -> Exposure:
        """As of any terms, with that window."""
        return Exposure(
            price=self.price,
            quantity=self.lots * self.multiplier,
            window=self.window,
            initial_margin=self.initial_margin,
            maintenance_margin=self.maintenance_margin,
            transfer_min=self.transfer_min,
        )


def terms(**changes: Any) -> Windowed:
    """Return terms: those of the worked example where nothing else is said."""
    window = changes.get("window", Window(first=parse_date("2026-03-01"), last=parse_date("2026-03-05")))
    usual: dict[str, Any] = {
        "proposal": "proposal-1",
        "revision": 0,
        "end": window.first * DAY,
        "reference": SERIES,
        "methodology": METHODOLOGY,
        "style": window.style,
        "maturity": month_of(window.first),
        "lots": 25,
        "price": micro("12.3456"),
        "initial_margin": 925_920,
        "maintenance_margin": 694_440,
        "buyer": "b" * 64,
        "seller": "c" * 64,
        "buyer_class": "a",
        "seller_class": "a",
        "multiplier": 1000,
        "transfer_min": 50_000,
        "payment_days": 2,
        "unit": RULES.unit,
        "currency": RULES.currency,
        "specification": RULES.specification,
        "specification_sha256": RULES.sha256,
        "window": window,
    }
    return Windowed(**usual | changes)


def new_contract(agreed: Terms, at: int, buyer: str = BUYER, seller: str = SELLER) -> Contract:
    """Return the contract of terms, booked."""
    approvals = tuple(
        Approval(party=party, person=f"{party}-person", sha256=agreed.sha256, at=at)
        for party in (buyer, seller)
    )
    command = Command(kind="contract", command="book", id=agreed.proposal, actor=SYSTEM, at=at)
    return booked(agreed, approvals, buyer, seller, command)


def book_with(*contracts: Contract) -> Book:
    """Return a book of nothing but contracts."""
    return Book(rules=RULES, parties={}, references={}, contracts={one.id: one for one in contracts})


def command(name: str, at: int, details: Any = None, **changes: Any) -> Command:
    """Return a command to the contract, from whoever usually gives it, with a second person where it takes one."""
    who = treasury(at) if name in {"activate", "post", "settle", "close"} else SYSTEM
    if name in {"notice", "cure", "close_out", "end"}:
        who, changes = treasury(at), {"second": treasury(at, "gina")} | changes
    if name in {"agree", "terminate"}:
        who, changes = trader(BUYER, at, "emil"), {"second": trader(SELLER, at, "fred")} | changes
    usual: dict[str, Any] = {"kind": "contract", "command": name, "id": "proposal-1", "actor": who, "at": at}
    return Command(**usual | {"details": details} | changes)


def given(book: Book, *commands: Command) -> Book:
    """Return the book after commands."""
    for one in commands:
        book = apply(book, one)
    return book


def running(agreed: Terms, at: int, posted: int | None = None) -> Book:
    """Return a book with one active contract. posted : cents of each side, left out its initial margin"""
    amount = agreed.initial_margin if posted is None else posted
    book = book_with(new_contract(agreed, at))
    return given(book, command("activate", at, Posted(buyer=amount, seller=amount), id=agreed.proposal))


def the_contract(book: Book) -> Contract:
    """Return the one contract of a book."""
    [contract] = book.contracts.values()
    return contract


# ---- refusals


def refused(code: str) -> Any:
    """Return what expects a refusal with a code."""
    return pytest.raises(Refused, check=lambda error: error.code == code)


def values_of(marks: Iterable[Mark]) -> dict[int, int]:
    """Return the values of marks by day."""
    return {mark.day: mark.value for mark in marks}


def window_of_days(first: str, count: int, style: Style = Style.AVERAGE) -> Window:
    """Return a window of some days."""
    start = parse_date(first)
    return Window(first=start, last=start + count - 1, style=style)


def dates(first: str, count: int) -> Sequence[str]:
    """Return consecutive dates."""
    return [format_date(parse_date(first) + one) for one in range(count)]


def seconds(count: int) -> int:
    """Return an interval."""
    return count * SECOND
