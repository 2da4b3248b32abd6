"""Two participants, a desk and a treasury on a venue of a test's own: the path from a request to a contract.

The reference `openai` prints and has a last mark; `qwen` has printed too seldom; nothing is published beside them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import people
import settling
import venues
from mtok.calendar import format_date, parse_date, parse_instant
from mtok.market.commands import Command
from mtok.market.contracts import Marked, Posted
from mtok.market.proposals import Nonces
from mtok.market.references import Reference
from mtok.settlement.people import SYSTEM, Role

RUN = parse_instant("2026-06-22T15:00:00Z")
MINUTE = 60_000_000
PRICE = 12_345_600
ASKED = {"reference": "openai", "side": "buy", "lots": "25", "month": "2026-08", "limit": "12.3456"}
"""A request as a form gives it; the buyer's. It is firm until its end in `FIRM`."""
FIRM = {"firm_until": "2026-07-20", "expires": "2026-07-20"}
BOTH = (Role.PARTICIPANT_USER, Role.PARTICIPANT_APPROVER)

REFERENCES = {
    "openai": Reference(
        reference="openai",
        methodology="1.0",
        printed=60,
        mark=PRICE,
        moves=tuple(range(10_000, 900_000, 10_000)),
    ),
    "qwen": Reference(reference="qwen", methodology="1.0", printed=51, mark=369_365),
}


@contextmanager
def trading_venue(path: Path, patch: pytest.MonkeyPatch) -> Iterator[venues.Clock]:
    """Give a venue with references and a clock; its market has begun."""
    with venues.sqlite(path / "venue.sqlite3"), venues.clock() as clock:
        from mtok.venue.database import references
        from mtok.venue.otc import clockwork, trading

        def found(names: Any, _: int) -> dict[str, Reference]:
            return {name: REFERENCES[name] for name in names if name in REFERENCES}

        patch.setattr(trading, "references", found)
        patch.setattr(references, "series", lambda: sorted(REFERENCES))
        patch.setattr(clockwork, "first_root", lambda *_: "ab" * 32)
        clockwork.begin(clock())
        yield clock


def reachable(name: str, lei: str = people.LEIS[0]) -> Any:
    """Make an organisation whose contact is sealed as a participant's own is."""
    from mtok.venue.accounts.contacts import read_contact, seal
    from mtok.venue.accounts.models import SealedContact

    made = people.organisation(name, lei)
    SealedContact.objects.filter(organisation=made).delete()
    seal(made, read_contact(f"Settlement of {name}, +44 20 7946 0000")).save(force_insert=True)
    return made


def everybody() -> SimpleNamespace:
    """Make a buyer, a seller, somebody else, and operators."""
    alder, birch = reachable("Alder"), reachable("Birch", people.LEIS[1])
    return SimpleNamespace(
        buyer=people.person("Buyer", *BOTH, organisation=alder),
        seller=people.person("Seller", *BOTH, organisation=birch),
        other=people.person("Other", *BOTH, organisation=reachable("Cedar", people.LEIS[2])),
        desk=people.person("Desk", Role.DESK),
        treasury=people.person("Till", Role.TREASURY),
    )


def accepted(who: Any, *requests: str) -> None:
    """Let the desk accept requests."""
    from mtok.venue.otc import trading

    for one in requests:
        trading.give(who.desk, "request", "accept", one)


def matched(clock: venues.Clock, who: Any, buy: str, sell: str) -> str:
    """Accept two requests, let the run come, send the terms; return the id of the proposal."""
    from mtok.venue.database.models import ProposalRow
    from mtok.venue.otc import clockwork, trading

    accepted(who, buy, sell)
    clock.instant = RUN + MINUTE
    clockwork.make_runs(clock())
    [proposal] = ProposalRow.objects.all()
    trading.give(who.desk, "proposal", "send", proposal.pk, Nonces(buyer="11" * 32, seller="22" * 32))
    return str(proposal.pk)


def booked(clock: venues.Clock, who: Any) -> str:
    """Bring two requests to a contract that is active; return its id."""
    from mtok.venue.otc import trading
    from mtok.venue.participants import actions, told

    buy = actions.submit(who.buyer, ASKED | FIRM)
    sell = actions.submit(who.seller, ASKED | FIRM | {"side": "sell"})
    identity = matched(clock, who, buy, sell)
    digest = told.terms(who.buyer, identity)["digest"]
    for one in (who.buyer, who.seller):
        actions.approve(people.shown(one, clock()), identity, {"digest": digest})
    margin = told.terms(who.buyer, identity)["terms"]["initial_margin"].replace(".", "")
    posted = Posted(buyer=int(margin), seller=int(margin))
    trading.give(who.treasury, "contract", "activate", identity, posted)
    return identity


def marked(clock: venues.Clock, place: int, value: int) -> Any:
    """Keep the mark of a day, so many after 22 June, that has just been published; return it."""
    from mtok.settlement import review
    from mtok.venue.database.books import by_time, keep_one

    now, date = clock(), format_date(parse_date("2026-06-22") + place)
    proposed = settling.proposed(settling.found(settling.source(date, value)), now)
    approved = settling.approved(proposed, now)
    published = review.publish(
        approved, actor=settling.PUBLISHER, now=now, log_index=place + 7, rules=settling.RULES
    )
    version = None
    for one in (proposed, approved, published):
        version = keep_one(one, version, by_time(now), f"m{date}")
    return published


def matured(clock: venues.Clock, identity: str, value: int) -> None:
    """Keep a locked mark of every day of August, all of one value, and let the contract mature."""
    from mtok.settlement import review
    from mtok.venue.database import giving
    from mtok.venue.database.books import by_time, keep_one
    from mtok.venue.otc import trading

    first = parse_date("2026-08-01") - parse_date("2026-06-22")
    locked = []
    for place in range(first, first + 31):
        clock.set(f"{format_date(parse_date('2026-06-23') + place)}T18:00:00Z")
        mark = marked(clock, place, value)
        assert mark.dispute_until is not None
        final = review.lock(mark, actor=SYSTEM, now=mark.dispute_until)
        keep_one(final, 2, by_time(clock()), f"m{mark.date}")
        locked.append(final)
    clock.set("2026-09-08T12:00:00Z")
    command = Command(
        kind="contract",
        command="mature",
        id=identity,
        actor=SYSTEM,
        at=clock(),
        details=Marked(marks=tuple(locked)),
    )
    giving.give(command, trading.surroundings())
