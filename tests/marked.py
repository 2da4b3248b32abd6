"""A venue beside a store that publishes a made-up market day by day, with the people who review its marks.

One model has all the volume, so that a day's value is the price that a test gives it; a day without a price in a test's
table has no volumes either, and no value. Publishing is the real thing: log, proofs and signatures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

import people
import venues
from markets import Taken
from mtok.calendar import DAY, SECOND, format_date, parse_date
from mtok.market.contracts import Contract, Posted
from mtok.market.terms import Terms
from mtok.publication.marks import MarkPrint, marks_of
from mtok.settlement.people import SYSTEM, Role
from mtok.settlement.values import Style, Window
from presses import HOUR, Desk, posted, ranked
from presses import at as instant
from settling import new_contract, terms

SERIES, METHODOLOGY = "openai", "1.0"
PARTICIPANT = (Role.PARTICIPANT_USER, Role.PARTICIPANT_APPROVER)


def market(prices: Mapping[str, str | None]) -> list[Taken]:
    """Return what is captured: of each date its price, USD per million tokens, four times; of None no volumes."""
    taken: list[Taken] = []
    last = next(one for one in prices.values() if one)
    for date, price in prices.items():
        day, last = parse_date(date), price or last
        posts = {"openai/a": format(Decimal(last).scaleb(-6), "f")}
        taken += [posted(day * DAY + hour * HOUR + 60 * SECOND, posts) for hour in (0, 6, 12, 18)]
        if price is not None:
            taken.append(ranked((day + 1) * DAY + 5 * HOUR, [day], {"openai/a": 3_000_000}))
    return taken


@dataclass
class MarkedVenue:
    """A venue, its desk of publication, its clock and its people."""

    desk: Desk
    clock: venues.Clock
    people: dict[str, Any]

    def go(self, when: str) -> int:
        """Let it be `2026-03-01 15:00:00`; what was captured until then is archived."""
        self.clock.instant = max(self.clock.instant, self.desk.at(when))
        return self.clock.instant

    def who(self, name: str) -> Any:
        """Return somebody with a second factor just shown."""
        return people.shown(self.people[name], self.clock())

    def print(self, date: str) -> None:
        """Publish the final print of a date, at its hour."""
        after = format_date(parse_date(date) + 1)
        self.go(f"{after} 14:00:00")
        self.desk.publish(f"{after} 14:00:00")

    def prepared(self, date: str, by: str = "preparer") -> Any:
        """Return the mark of a date, just proposed."""
        from mtok.venue.otc import marking

        return marking.prepare(self.who(by), SERIES, METHODOLOGY, parse_date(date))

    def approved(self, date: str) -> Any:
        """Return the mark of a date, proposed by one person and approved by another."""
        from mtok.venue.otc import marking

        made = self.prepared(date)
        return marking.approve(self.who("approver"), made.id, made.mark.digest)

    def tick(self) -> dict[str, Any]:
        """Let the venue do what is due; nothing may be refused."""
        from mtok.venue.otc import clockwork

        steps = clockwork.tick(self.clock(), lambda _: self.desk.head)
        assert [one.refused for one in steps if one.refused] == []
        return {one.name: one.count for one in steps}

    def tick_marks(self) -> None:
        """Let the venue do what is due, whatever margin waits for."""
        from mtok.venue.otc import clockwork

        steps = clockwork.tick(self.clock(), lambda _: self.desk.head)
        assert [one.refused for one in steps if one.refused and one.name != "margin"] == []

    def mark(self, date: str) -> Any:
        """Return the last version of the mark of a date, as it is kept."""
        from mtok.venue.database.marks import last_kept

        [found] = last_kept(SERIES, METHODOLOGY, parse_date(date), parse_date(date))
        return found

    def logged(self, date: str) -> list[MarkPrint]:
        """Return what the log says of the marks of a date, in order."""
        return [one for one in marks_of(self.desk.published.entries) if one.date == date]

    def contract(self, name: str = "c1") -> Contract:
        """Return a contract as it is kept."""
        from mtok.venue.database.models import ContractRow
        from mtok.venue.database.records import KINDS

        found: Contract = KINDS["contract"].read(ContractRow.objects.get(pk=name).record)
        return found

    def book(self, agreed: Terms, *, active: bool = True) -> None:
        """Book a contract between the two participants, on these terms, now; active with its initial margin."""
        from mtok.market.commands import Command
        from mtok.venue.database.books import keep_one
        from mtok.venue.otc import trading

        buyer, seller = (self.people[name].party for name in ("buyer", "seller"))
        made = new_contract(agreed, self.clock(), buyer, seller)
        made = msgspec.structs.replace(made, terms=Terms(**plain_terms(agreed)))
        cause = Command(kind="contract", command="book", id=made.id, actor=SYSTEM, at=self.clock())
        keep_one(made, None, cause)
        if active:
            posting = Posted(buyer=agreed.initial_margin, seller=agreed.initial_margin)
            trading.give(self.who("treasury"), "contract", "activate", made.id, posting)


def plain_terms(agreed: Terms) -> dict[str, Any]:
    """Return the fields of terms as the core has them."""
    return {name: getattr(agreed, name) for name in Terms.__struct_fields__}


def agreed(window: Window, **changes: Any) -> Terms:
    """Return terms on the series with the numbers of the worked example, and a window of a month."""
    usual = {"proposal": "c1", "reference": SERIES, "methodology": METHODOLOGY, "window": window}
    return terms(**usual | changes)


@contextmanager
def marked_venue(
    path: Path,
    prices: Mapping[str, str | None],
    begin: str,
    database: AbstractContextManager[Any] | None = None,
) -> Iterator[MarkedVenue]:
    """Give a venue that begins at an instant beside a store that has published nothing yet.

    database : what gives it a fresh one; SQLite where nothing is said
    """
    venues.configured()
    from mtok.publication.published import Published
    from mtok.venue import place
    from mtok.venue.opened import Opening
    from mtok.venue.otc import clockwork, marking

    path.mkdir(exist_ok=True)
    with (
        pytest.MonkeyPatch.context() as patch,
        database or venues.sqlite(path / "venue.sqlite3"),
        venues.clock(instant(begin)) as clock,
    ):
        patch.setattr("os.fsync", lambda _: None)
        desk = Desk(path, market(prices))
        opening = Opening(desk.store.path)
        patch.setattr(place, "opening", lambda: opening)
        patch.setattr(clockwork, "first_root", lambda *_: "ab" * 32)
        patch.setattr(marking, "recomputed", lambda _, index: published_digest(Published(desk.folder), index))
        clockwork.begin(clock())
        alder = people.organisation("Alder")
        birch = people.organisation("Birch", people.LEIS[1])
        yield MarkedVenue(
            desk=desk,
            clock=clock,
            people={
                "preparer": people.person("Anna", Role.MARK_PREPARER),
                "approver": people.person("Bert", Role.MARK_APPROVER),
                "desk": people.person("Cleo", Role.DESK),
                "treasury": people.person("Dora", Role.TREASURY),
                "admin": people.person("Ines", Role.ADMIN),
                "auditor": people.person("Jana", Role.AUDITOR),
                "buyer": people.person("Emil", *PARTICIPANT, organisation=alder),
                "seller": people.person("Fred", *PARTICIPANT, organisation=birch),
            },
        )


def published_digest(published: Any, index: int) -> str:
    """Return the digest an entry names: what a fresh process comes to where nothing is wrong (test_recomputing)."""
    entry = published.entries[index]
    digest: str = entry.get("record_sha256") or entry["sha256"]
    return digest


def second_login(who: Any, *roles: Role) -> Any:
    """Return the same person under another login with roles."""
    from mtok.venue.accounts.models import Person

    other = people.person(f"Other login {len(roles)}", *roles, email=f"other-{who.login}@example.com")
    from mtok.venue.accounts.models import Login

    Login.objects.filter(pk=other.login).update(person=Person.objects.get(pk=who.person))
    return replace(other, person=who.person)


def month_window(first: str, last: str) -> Window:
    """Return a window of days."""
    return Window(first=parse_date(first), last=parse_date(last), style=Style.AVERAGE)
