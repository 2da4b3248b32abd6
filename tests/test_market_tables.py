"""The tables themselves, and every state, command and role that is not in them: refused, and nothing changes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from market_driving import Drive, booked
from market_rows import TABLES
from market_world import DESK, DESKS, PRICE, TREASURY, Row, mark
from mtok.market import agreements, contracts, proposals, requests
from mtok.market.book import MACHINES, Book, apply
from mtok.market.commands import Command
from mtok.settlement import marks, review
from mtok.settlement.machines import NEW, Machine, Refused
from mtok.settlement.people import OPERATORS, Actor, Role

TERMINAL = {
    "request": {"rejected", "cancelled", "expired", "filled", "suspended"},
    "proposal": {"dropped", "declined", "lapsed", "booked"},
    "contract": {"voided", "closed", "closed_out", "terminated"},
    "mark": {"rejected", "locked"},
}
"""States that nothing leads out of, as the design has them."""

FORBIDDEN = {"not_allowed", "not_yours", "not_found"}
MARK_COMMANDS = {
    name: found
    for name, found in vars(review).items()
    if inspect.isfunction(found) and not name.startswith("_") and found.__module__ == review.__name__
}
ALL = [*MACHINES.values(), marks.MACHINE]


def case(machine: Machine) -> str:
    return machine.name


# ---- the tables are well formed


@pytest.mark.parametrize("machine", ALL, ids=case)
def test_every_state_is_reached_and_left(machine: Machine) -> None:
    """From `new` on to every state; out of each but those where an object ends."""
    reached, before = {NEW}, set[str]()
    while reached != before:
        before = set(reached)
        reached |= {state for row in machine.rows if row.state in before for state in row.to}
    assert reached == set(machine.states)
    left = {row.state for row in machine.rows if set(row.to) - {row.state}}
    assert set(machine.states) - left == TERMINAL[machine.name]


@pytest.mark.parametrize("machine", ALL, ids=case)
def test_roles_without_business_are_in_no_row(machine: Machine) -> None:
    """An admin and an auditor can do nothing to any object, and nobody is named twice."""
    assert not any({Role.ADMIN, Role.AUDITOR} & set(row.who) for row in machine.rows)
    assert all(row.who and len(set(row.who)) == len(row.who) for row in machine.rows)


@pytest.mark.parametrize("machine", MACHINES.values(), ids=case)
def test_no_operator_approves_for_a_participant(machine: Machine) -> None:
    """What binds a participant is theirs alone."""
    binding = {"draft", "submit", "confirm", "cancel", "approve", "decline", "agree", "terminate"}
    for row in machine.rows:
        if row.command in binding or (machine.name, row.command) == ("request", "amend"):
            assert not set(row.who) & {*OPERATORS, Role.SYSTEM, Role.PUBLISHER}, row


@pytest.mark.parametrize(
    "module", [requests, proposals, contracts], ids=lambda module: str(module.MACHINE.name)
)
def test_every_command_has_an_effect(module: Any) -> None:
    """And every effect is a command's."""
    assert set(module.EFFECTS) == set(module.MACHINE.commands)


@pytest.mark.parametrize("machine", MACHINES.values(), ids=case)
def test_the_model_was_written_from_the_same_design(machine: Machine) -> None:
    """State, command, who and next state, as the plain model has them."""
    rows = {(row.state, row.command): (set(row.who), row.to[0]) for row in machine.rows}
    told = {key: (set(who), to) for key, (who, to) in TABLES[machine.name].items()}
    assert {key: (set(map(str, who)), to) for key, (who, to) in rows.items()} == told


def test_every_command_of_a_mark_is_a_function() -> None:
    assert set(MARK_COMMANDS) == set(marks.MACHINE.commands)


# ---- what is not in a table


def standing() -> tuple[Drive, str, str]:
    """Return a market with a request, a proposal with terms and a contract, and the names of request and others."""
    drive, name = booked()
    return drive, drive.model.proposals[name]["buy"], name


DRIVE, REQUEST, DEAL = standing()


def with_objects(book: Book, *changed: Any) -> Book:
    after = book.copied()
    after.put(*changed)
    return after


def in_state(kind: str, state: str) -> tuple[Book, str]:
    """Return a book in which an object is in a state, and its name; in `new` it is not there."""
    book, name = DRIVE.book, REQUEST if kind == "request" else DEAL
    if state == NEW:
        return book, "absent"
    changes: dict[str, Any] = {"state": state}
    if kind == "request":
        # nothing is due: something is left, and the time is not over
        changes |= {"lots": 50, "asked": 50, "expires": DRIVE.now + 10**12}
    found = book.find(kind, name)
    assert found is not None
    book = with_objects(book, msgspec.structs.replace(found, **changes))
    if kind == "proposal" and state not in proposals.ENDED:
        held = [book.requests[one] for one in (book.proposals[name].buy, book.proposals[name].sell)]
        book = with_objects(
            book, *(msgspec.structs.replace(one, reserved=10, filled=0, lots=10) for one in held)
        )
    return book, name


def actors(role: Role) -> Iterator[Actor]:
    """Yield persons of a role: of both sides and of a stranger, or the operator alone."""
    parties = ("p1", "p3", "p4", None) if role.startswith("participant") else (None,)
    for party in parties:
        yield Actor(person=f"{role} {party}", role=role, party=party, stepped_up_at=DRIVE.now)


def unlisted(machine: Machine) -> Iterator[tuple[str, str, Role]]:
    """Yield every state, command and role that a table does not have, commands of other machines among them."""
    listed = {(row.state, row.command, role) for row in machine.rows for role in row.who}
    everything = {command for one in ALL for command in one.commands}
    for state in machine.states:
        for command in sorted(everything):
            for role in Role:
                if (state, command, role) not in listed:
                    yield state, command, role


@pytest.mark.parametrize("machine", MACHINES.values(), ids=case)
def test_what_is_not_listed_is_refused_and_changes_nothing(machine: Machine) -> None:
    """Every state, command and role that is not in the table, by persons of both sides and by a stranger."""
    tried = 0
    for state, command, role in unlisted(machine):
        book, name = in_state(machine.name, state)
        kept = (
            msgspec.structs.replace(book),
            [dict(book.requests), dict(book.proposals), dict(book.contracts)],
        )
        for actor in actors(role):
            given = Command(
                kind=machine.name, command=command, id=name, actor=actor, at=DRIVE.now, second=actor
            )
            with pytest.raises(Refused) as refused:
                apply(book, given)
            assert refused.value.code in FORBIDDEN, (state, command, role)
            tried += 1
        assert (book, [book.requests, book.proposals, book.contracts]) == kept
    assert tried > 1000


@pytest.mark.parametrize("machine", MACHINES.values(), ids=case)
def test_what_is_listed_is_not_refused_for_its_role(machine: Machine) -> None:
    """The test above could pass because everything is refused: a listed role gets past the table."""
    for row in machine.rows:
        book, name = in_state(machine.name, row.state)
        for role in row.who:
            actor = Actor(
                person="somebody", role=role, party="p1" if role.startswith("participant") else None
            )
            given = Command(kind=machine.name, command=row.command, id=name, actor=actor, at=DRIVE.now)
            try:
                apply(book, given)
                code = "done"
            except Refused as refused:
                code = refused.code
            except AssertionError:
                code = "past the table, at details that are not there"
            own = (machine.name, row.command) == ("contract", "book")  # made with the second approval alone
            assert own or code not in FORBIDDEN, (row, code)


def mark_in(state: str) -> marks.Mark:
    return mark(Row("series", "1", 20_600, 1, state, PRICE, None, True, "F0"))


def given_to(function: Callable[..., Any], found: marks.Mark, actor: Actor) -> Any:
    """Call a command of review with an actor, and with nothing in place of everything else."""
    wanted = inspect.signature(function).parameters
    rest = {name: None for name, one in wanted.items() if one.kind is one.KEYWORD_ONLY}
    first = [found, None][: sum(one.kind is one.POSITIONAL_OR_KEYWORD for one in wanted.values())]
    return function(*first, **rest | {"actor": actor, "now": DRIVE.now})


def test_no_mark_changes_by_what_is_not_listed() -> None:
    """Every state, command and role that the table of marks does not have."""
    tried = 0
    for state, command, role in unlisted(marks.MACHINE):
        if command not in MARK_COMMANDS or (command == "propose") != (state == NEW):
            continue  # `propose` makes a mark and is given none; the others are given one
        found = mark_in(state)
        for actor in actors(role):
            with pytest.raises(Refused) as refused:
                given_to(MARK_COMMANDS[command], found, actor)
            assert refused.value.code in FORBIDDEN, (state, command, role)
            tried += 1
        assert found == msgspec.structs.replace(mark_in(state))
    assert tried > 500


# ---- two persons

TWO = [
    ("request", "suspend", "live", DESK),
    ("contract", "notice", "active", TREASURY[0]),
    ("contract", "cure", "default_notice", TREASURY[0]),
    ("contract", "close_out", "default_notice", TREASURY[0]),
    ("contract", "end", "disrupted", TREASURY[0]),
    *(("contract", command, "active", None) for command in ("agree", "terminate")),
]


@pytest.mark.parametrize(("kind", "command", "state", "operator"), TWO, ids=lambda one: str(one)[:12])
def test_two_persons_are_not_two_logins(kind: str, command: str, state: str, operator: Actor | None) -> None:
    """One person alone, the same one again, under another login, of another side, or in another role."""
    book, name = in_state(kind, state)
    if kind == "contract":
        book = with_objects(book, msgspec.structs.replace(book.contracts[name], noticed_at=DRIVE.now))
    first = operator or Actor(person="a", role=Role.PARTICIPANT_APPROVER, party="p1", stepped_up_at=DRIVE.now)
    said = {"agree": agreements.Agreed, "terminate": agreements.Agreed}.get(command)
    details = None
    if said is not None:
        agreement = agreements.Agreement(contract=name, terms_sha256="", value=1)
        details = said(agreement=agreement, first_sha256="", second_sha256="")
    again = msgspec.structs.replace(first, stepped_up_at=None)
    other_side = msgspec.structs.replace(first, party="p3" if first.party else None)
    seconds: list[tuple[Actor | None, str]] = [
        (None, "second_missing"),
        (first, "same_person"),
        (again, "same_person"),
        (other_side, "same_person"),
    ]
    seconds += [
        (Actor(person=first.person, role=role, party=first.party), code)
        for role in Role
        if role != first.role
        for code in ["same_person" if operator and role in OPERATORS else "not_yours"]
    ]
    for second, code in seconds:
        given = Command(
            kind=kind, command=command, id=name, actor=first, at=DRIVE.now, second=second, details=details
        )
        with pytest.raises(Refused) as refused:
            apply(book, given)
        assert refused.value.code == code, second


@pytest.mark.parametrize("command", ["uphold", "correct"])
def test_two_judges_of_a_mark_are_two_persons(command: str) -> None:
    """Under another operator's role as well."""
    found = mark_in("disputed")
    for first in OPERATORS:
        for second in OPERATORS:
            actor, other = (Actor(person="one", role=role) for role in (first, second))
            rest = [None] if command == "correct" else []
            named: dict[str, Any] = {"actor": actor, "second": other, "now": DRIVE.now, "reason": "why"}
            with pytest.raises(Refused) as refused:
                MARK_COMMANDS[command](found, *rest, **named, rules=DRIVE.book.rules)
            assert refused.value.code == "same_person"


def test_whoever_prepared_a_mark_approves_it_under_no_login() -> None:
    found = mark_in("proposed")
    again = Actor(person=found.preparer, role=Role.MARK_APPROVER, stepped_up_at=DRIVE.now)
    for command in ("approve", "reject"):
        with pytest.raises(Refused) as refused:
            given_to(MARK_COMMANDS[command], found, again)
        assert refused.value.code == "same_person"


def test_the_second_approval_is_of_another_person() -> None:
    """A person with a login at both sides approves once."""
    drive = Drive(lambda options: options[0])
    drive.new_request(drive.model.requests[drive.new_request(side="buy", lots=4, limit=PRICE)])
    drive.run()
    (name,) = drive.model.proposals
    nonces, _ = drive.details("proposal", "send", None)
    assert drive.give("proposal", "send", name, DESKS[1], nonces)
    digest = drive.digests[name][0]
    for party, done in (("p1", True), ("p3", False)):
        actor = Actor(person="twice", role=Role.PARTICIPANT_APPROVER, party=party, stepped_up_at=drive.now)
        assert drive.give("proposal", "approve", name, actor, digest, read=(name, 0)) is done
    assert drive.outcomes["proposal approve same_person"] == 1
