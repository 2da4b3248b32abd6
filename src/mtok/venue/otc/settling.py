"""What the clock does to contracts, from marks that were reviewed: margin of each day, disruption, maturity.

Margin of a day is taken from 19:00 UTC of the next one on, of every missed day in order; a day whose marks are not
there is taken once they are, unless a later day has been. The same again does nothing.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from mtok.calendar import DAY, day_of, format_date
from mtok.market.book import CONTRACT
from mtok.market.commands import Command
from mtok.market.contracts import RUNNING, Contract, Marked
from mtok.market.cycle import HOUR
from mtok.settlement.marks import IN_MARGIN, IN_SETTLEMENT, Level, Mark, usable
from mtok.settlement.people import SYSTEM
from mtok.venue.database import giving
from mtok.venue.database.marks import marks_of
from mtok.venue.database.models import ContractRow, Event
from mtok.venue.database.records import KINDS
from mtok.venue.database.transactions import transaction_of
from mtok.venue.otc import trading

MARGIN_HOUR: Final = 19
"""UTC hour of the next day from which a day's margin is taken: an hour after its mark should be published."""
_OWN: Final = (Level.FINAL, Level.LATE)
_MATURING: Final = ("active", "disrupted")


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What a call has taken: how many margin days of contracts; why others have none, in words."""

    count: int
    refused: tuple[str, ...]


def margin_at(day: int) -> int:
    """Return the instant from which the margin of a day is taken."""
    return (day + 1) * DAY + MARGIN_HOUR * HOUR


def take_margin(now: int) -> Taken:
    """Take the margin of every day that is due of every contract, the earliest first."""
    due = _due(now)
    count, refused = 0, list[str]()
    for day in sorted(due):
        taken, without = _take_day(day, due[day], now)
        count += taken
        refused += without
    return Taken(count=count, refused=tuple(refused))


def mature(now: int) -> int:
    """Fix what is paid of every contract all of whose window's marks are locked; return of how many."""
    return sum(_mature(contract, now) for contract in _running() if contract.state in _MATURING)


def _running() -> list[Contract]:
    rows = ContractRow.objects.filter(state__in=RUNNING).order_by("pk")
    return [KINDS[CONTRACT].read(row.record) for row in rows]


def _due(now: int) -> dict[int, list[Contract]]:
    """Return the days whose margin is due, each with the contracts it is due of."""
    last = (now - MARGIN_HOUR * HOUR) // DAY - 1
    found: dict[int, list[Contract]] = defaultdict(list)
    for contract in _running():
        first = contract.days[-1].day + 1 if contract.days else _first_day(contract)
        for day in range(first, min(last, contract.terms.exposure.window.last) + 1):
            found[day].append(contract)
    return found


def _first_day(contract: Contract) -> int:
    """Return the first day from its booking on whose margin was not yet due when a contract became active."""
    began = (
        Event.objects.filter(kind=CONTRACT, object=contract.id, state="active").order_by("version").first()
    )
    since = contract.booked_at if began is None else began.at
    return max(day_of(contract.booked_at), -(-(since - MARGIN_HOUR * HOUR) // DAY) - 1)


def _take_day(day: int, contracts: list[Contract], now: int) -> tuple[int, list[str]]:
    """Take a day's margin, and note whose mark of the day is not its own; return of how many, and why of others not."""

    def work() -> tuple[int, list[str]]:
        marks = _marks_for(contracts, day)
        names = [one.id for one in contracts]
        given, refused = giving.give_margin(trading.surroundings(), marks, day, now, names)
        for name, contract in given.book.contracts.items():
            if name not in refused and contract.days and contract.days[-1].day == day:
                _note_level(contract, marks, day, now)
        said = [f"{name} {format_date(day)}: {error.found}" for name, error in refused.items()]
        return len(names) - len(refused), said

    return transaction_of(work)


def _marks_for(contracts: list[Contract], day: int) -> list[Mark]:
    """Return the marks that contracts need on a day: of each reference, from its earliest window's first day on."""
    first: dict[tuple[str, str], int] = {}
    for contract in contracts:
        key = contract.terms.reference, contract.terms.methodology
        first[key] = min(first.get(key, day), contract.terms.exposure.window.first)
    return [mark for key, since in first.items() for mark in marks_of(*key, since, day)]


def _note_level(contract: Contract, marks: list[Mark], day: int, now: int) -> None:
    """Disrupt a contract whose mark of the day is carried or decided, let it recover when it is the day's own again."""
    own = (contract.terms.reference, contract.terms.methodology)
    mark = next((one for one in marks if (one.reference, one.methodology, one.day) == (*own, day)), None)
    if mark is None or mark.state not in IN_MARGIN or mark.log_index is None:
        return
    command = {"active": "disrupt", "disrupted": "recover"}.get(contract.state)
    if command is not None and (command == "recover") == (mark.level in _OWN):
        _give(contract.id, command, mark, now)


def _mature(contract: Contract, now: int) -> bool:
    terms, window = contract.terms, contract.terms.exposure.window
    agreed = {day for day, _ in contract.agreed}

    def work() -> bool:
        marks = marks_of(terms.reference, terms.methodology, window.first, window.last)
        if not set(window.days) <= usable(marks, IN_SETTLEMENT).keys() | agreed:
            return False
        _give(contract.id, "mature", Marked(marks=tuple(marks)), now)
        return True

    return transaction_of(work)


def _give(identity: str, command: str, details: Mark | Marked, now: int) -> None:
    """Give a command that nobody gives."""
    asked = Command(kind=CONTRACT, command=command, id=identity, actor=SYSTEM, at=now, details=details)
    giving.give(asked, trading.surroundings())
