"""Every command about a mark in every state by every role: what the table does not list is refused and writes nothing.

One mark is led through its states; in each everybody tries everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import people
from marked import METHODOLOGY, PARTICIPANT, SERIES, MarkedVenue, agreed, marked_venue, month_window
from mtok.calendar import parse_date
from mtok.settlement.machines import NEW, Refused
from mtok.settlement.marks import MACHINE
from mtok.settlement.people import Role
from test_venue_marks import restated

FIRST = "2026-02-26"
EVIDENCE = ("cd" * 32,)
FORBIDDEN = {"not_allowed", "not_yours", "not_found"}
BY_NOBODY = {"publish", "lapse", "lock"}
"""Commands that no principal can give: no function takes one."""


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[MarkedVenue]:
    prices = {FIRST: "12.3", "2026-02-27": "12.4", "2026-02-28": "12.5"}
    with marked_venue(tmp_path / "venue", prices, f"{FIRST} 12:00:00") as venue:
        venue.book(agreed(month_window("2026-03-01", "2026-03-31")))
        yield venue


def everybody(venue: MarkedVenue) -> dict[Role, Any]:
    """Return somebody new in each role, who has made nothing of any mark."""
    from mtok.venue.accounts.models import Organisation

    alder = Organisation.objects.get(legal_name="Alder")
    return {
        role: people.person(f"New {role}", role, organisation=alder if role in PARTICIPANT else None)
        for role in Role
    }


def commands(identity: str, digest: str, date: str) -> dict[str, Callable[[Any], Any]]:
    """Return every command that a principal can give, with what it says."""
    from mtok.venue.otc import judging, marking

    return {
        "propose": lambda who: marking.prepare(who, SERIES, METHODOLOGY, parse_date(date)),
        "hold": lambda who: marking.hold(who, identity, "Wait."),
        "release": lambda who: marking.release(who, identity, "It is right.", EVIDENCE),
        "approve": lambda who: marking.approve(who, identity, digest),
        "reject": lambda who: marking.reject(who, identity, "No."),
        "dispute": lambda who: marking.dispute(who, identity, 1_000_000, "Wrong.", EVIDENCE),
        "uphold": lambda who: judging.intend(who, identity, "uphold", "It is right."),
        "correct": lambda who: judging.intend(who, identity, "correct", "It was wrong.", 0),
    }


def stored() -> Any:
    """Return everything that is kept of marks."""
    from mtok.venue.database.models import Event, Intention, MarkRow

    return (
        list(MarkRow.objects.order_by("pk").values()),
        Event.objects.filter(kind="mark").count(),
        Intention.objects.count(),
    )


def try_everything(venue: MarkedVenue, found: Any, roles: dict[Role, Any]) -> int:
    """Give every command that is not listed, by every role; return how many there were."""
    before, count = stored(), 0
    for command, give in commands(found.id, found.mark.digest, found.mark.date).items():
        state = found.mark.state if command != "propose" else NEW
        for role, who in roles.items():
            if any((row.state, row.command) == (state, command) and role in row.who for row in MACHINE.rows):
                continue
            with pytest.raises(Refused) as refused:
                give(people.shown(who, venue.clock()))
            assert refused.value.code in FORBIDDEN, f"{role} {command} {state}: {refused.value}"
            count += 1
    assert stored() == before
    return count


def test_what_no_table_lists_is_refused_in_every_state(venue: MarkedVenue) -> None:
    from mtok.venue.otc import judging, marking

    roles, tried = everybody(venue), dict[str, int]()

    def look(found: Any) -> Any:
        tried[found.mark.state] = try_everything(venue, found, roles)
        return found

    venue.print(FIRST)
    made = look(venue.prepared(FIRST))
    look(marking.hold(venue.who("preparer"), made.id, "Wait."))
    look(marking.release(venue.who("preparer"), made.id, "It is right.", EVIDENCE))
    look(marking.reject(venue.who("approver"), made.id, "No."))
    venue.print("2026-02-27")
    look(venue.approved("2026-02-27"))
    venue.tick_marks()
    look(venue.mark("2026-02-27"))
    disputed = look(
        marking.dispute(venue.who("buyer"), venue.mark("2026-02-27").id, 12_000_000, "Wrong.", EVIDENCE)
    )
    said = judging.intend(venue.who("desk"), disputed.id, "uphold", "It is right.")
    look(judging.confirm(venue.who("treasury"), said.pk, said.digest))
    venue.print("2026-02-28")
    first = venue.approved("2026-02-28")
    venue.tick_marks()
    index = restated(venue, "2026-02-28", "12.9")
    said = judging.intend(venue.who("desk"), first.id, "correct", "It was wrong.", index)
    look(judging.confirm(venue.who("treasury"), said.pk, said.digest))
    venue.tick_marks()
    venue.go("2026-03-06 12:00:00")
    venue.tick_marks()
    look(venue.mark("2026-02-28"))
    assert tried.keys() == set(MACHINE.states) - {NEW}
    assert sum(tried.values()) > 600
    assert set(commands("", "", FIRST)) == set(MACHINE.commands) - BY_NOBODY


def test_the_check_finds_a_command_that_writes(venue: MarkedVenue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seeded: a table that lets everybody reject."""
    from mtok.venue.otc import marking

    venue.print(FIRST)
    made = venue.prepared(FIRST)
    real = MACHINE.step

    def lax(state: str, command: str, actor: Any, shown: str | None = None) -> Any:
        if command == "reject":
            return next(row for row in MACHINE.rows if row.command == "reject")
        return real(state, command, actor, shown)

    monkeypatch.setattr(MACHINE, "step", lax)
    monkeypatch.setattr(marking, "acting", lambda who, *_: who.as_role(who.any_role()))
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        try_everything(venue, made, everybody(venue))
