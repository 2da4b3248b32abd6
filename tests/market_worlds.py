"""Pairs of worlds that differ in what everybody but A wants; A and the operators who answer A do the same in both.

A world is played second by second: a run at 15:00 of three days, the desk that sends or drops candidates in the slot or
lets them lapse, others who approve and decline. What A is told at each of its steps is the transcript: the refusal of a
command, to the letter, and then all that A sees. A world ends for A with its first terms.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any, Final, NamedTuple

from mtok.calendar import DAY, SECOND, format_instant
from mtok.market.book import MACHINES, Book, advance, apply, run
from mtok.market.commands import Command
from mtok.market.cycle import HOUR, is_in_slot, run_of
from mtok.market.margin import Side
from mtok.market.months import month_of
from mtok.market.parties import Party
from mtok.market.proposals import Nonces, Proposal
from mtok.market.references import Reference
from mtok.market.requests import Amendment, Request
from mtok.market.reveal import views
from mtok.settlement.machines import Refused
from mtok.settlement.people import Actor, Role
from mtok.settlement.specification import specification

RULES = specification()
FIRST_DAY = 20_600
RUNS = [run_of(FIRST_DAY + one, RULES) for one in range(3)]
BEGIN, END = RUNS[0] - 10 * HOUR, RUNS[-1] + 3 * HOUR
MONTH = month_of(FIRST_DAY) + 2
PRICE = 10_000_000
MINUTE = 60 * SECOND
ROOT = "5a" * 32

USER = Actor(person="a1", role=Role.PARTICIPANT_USER, party="A")
APPROVER = Actor(person="a2", role=Role.PARTICIPANT_APPROVER, party="A")
DESK, SECOND_DESK = (Actor(person=one, role=Role.DESK) for one in ("d1", "d2"))
SYSTEM = Actor(person="system", role=Role.SYSTEM)


class Step(NamedTuple):
    """What happens at an instant: a command, else a run, or A looks. rank : of what comes first in one second"""

    at: int
    rank: int
    number: int
    is_mine: bool
    command: Command | None = None


class Variant(NamedTuple):
    """How a market could be that tells: a run whenever somebody is taken in; terms at once."""

    runs_at_once: bool = False
    sends_at_once: bool = False


AS_IT_IS: Final = Variant()


@dataclass
class World:
    """A world while it is played. told : what A was told, one entry a step of A · terms_at : of A's first terms"""

    book: Book
    chance: Random
    variant: Variant
    steps: list[Step] = field(default_factory=list)
    told: list[Any] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    terms_at: int | None = None
    numbers: Iterator[int] = field(default_factory=count)
    names: Iterator[str] = field(default_factory=lambda: (f"c{one}" for one in count()))

    def push(self, at: int, *, mine: bool = False, command: Command | None = None) -> None:
        """Put a step among those to come."""
        rank = 0 if command is None and not mine else 1
        heappush(self.steps, Step(at, rank, next(self.numbers), mine, command))

    def give(self, at: int, kind: str, name: str, command: str, actor: Actor, details: Any = None) -> None:
        """Put a command of anybody but A among the steps to come."""
        two = SECOND_DESK if command == "suspend" else None
        self.push(
            at,
            command=Command(
                kind=kind, command=name, id=command, actor=actor, at=at, second=two, details=details
            ),
        )


@dataclass
class Pair:
    """What a pair of worlds came to. leaks : how A could tell them apart, none where it could not"""

    leaks: list[str]
    counts: Counter[str]


def play_pair(seed: int, variant: Variant = AS_IT_IS) -> Pair:
    """Play the two worlds of a seed and compare what A was told, up to its first terms in either."""
    mine = _steps_of_a(Random(f"{seed}: A"))
    one, other = (_play(mine, Random(f"{seed}: {name}"), variant) for name in ("one", "other"))
    leaks = [
        f"worlds {seed}, {format_instant(step.at)}, {step.command}: {ours} in one, {theirs} in the other"
        for step, ours, theirs in zip(
            (step for step in mine if step.is_mine), one.told, other.told, strict=False
        )
        if ours != theirs
    ]
    for world in (one, other):
        if world.terms_at is not None and not is_in_slot(world.terms_at, RULES):
            leaks.append(f"worlds {seed}: terms at {format_instant(world.terms_at)}, outside every slot")
    counts = one.counts + other.counts
    found = [bool(world.counts["candidates of A"]) for world in (one, other)]
    counts["candidates of A in one world alone"] = found[0] != found[1]
    counts["candidates of A in both worlds"] = all(found)
    counts["steps compared"] = min(len(one.told), len(other.told))
    return Pair(leaks, counts)


def _play(mine: list[Step], chance: Random, variant: Variant) -> World:
    parties = {one.id: one for one in (_party("A", "a"), *_others(chance))}
    reference = Reference(reference="openai", methodology="v1", printed=60, mark=PRICE)
    second = Reference(reference="google", methodology="v1", printed=60, mark=None)
    book = Book(rules=RULES, parties=parties, references={"openai": reference, "google": second})
    world = World(book, chance, variant)
    for at in RUNS:
        world.push(at)
    for step in mine:
        world.push(step.at, mine=step.is_mine, command=step.command)
    _push_others(
        world, next(one.command.details for one in mine if one.command and one.command.command == "draft")
    )
    while world.steps and world.terms_at is None:
        step = heappop(world.steps)
        if step.is_mine:
            world.told.append(_told(world, step))
        elif step.command is None:
            _run(world, step.at)
        else:
            _do(world, step.command)
    return world


def _told(world: World, step: Step) -> Any:
    """Return what A is told: the answer to its command and all it sees then, or all it sees when it looks.

    What was due may have happened because somebody gave a command, or may not have: it has to look the same. So A
    looks at the book as it was left, and as it is with all that is due.
    """
    if step.command is not None:
        return _do(world, step.command), views(world.book, USER, step.at)
    return views(world.book, APPROVER, step.at), views(advance(world.book, step.at), USER, step.at)


def _do(world: World, command: Command) -> str:
    """Give a command and return its refusal in full, empty for none."""
    before = world.book
    try:
        world.book = apply(before, command)
    except Refused as refused:
        if command.actor.party == "A":
            world.counts[f"refused {refused.code}"] += 1
        _count(world, before, command, "refused")
        return f"{refused.code}: {refused}"
    _count(world, before, command, "")
    if command.command == "send":
        _sent(world, world.book.proposals[command.id], command.at)
    if command.command == "draw" and world.variant.runs_at_once:
        _run(world, command.at)
    return ""


def _count(world: World, before: Book, command: Command, refused: str) -> None:
    """Count what A does to a request of which a candidate holds something, and what others book."""
    one = before.requests.get(command.id)
    if one is not None and one.party == command.actor.party == "A" and one.reserved:
        world.counts[f"while reserved: {command.command} {refused}".strip()] += 1
    if command.command == "approve" and (booked := world.book.contracts.keys() - before.contracts.keys()):
        world.counts["contracts of others"] += len(booked)


def _run(world: World, at: int) -> None:
    """Run, and let the desk decide what becomes of each candidate."""
    before = world.book
    world.book, done = run(before, at, world.names)
    for name, request in world.book.requests.items():
        if request.party == "A" and (before.requests[name].state, request.state) == ("live", "expired"):
            told = any(name in (pair.buy, pair.sell) for pair in world.book.proposals.values())
            world.counts["expires after a candidate" if told else "expires"] += 1
    world.counts["matches"] += len(done.matches)
    for one in world.book.proposals.values():
        if one.run != at or one.state != "candidate":
            continue
        world.counts["candidates of A"] += _is_of_a(world, one)
        later = 0 if world.variant.sends_at_once else world.chance.randrange(HOUR // SECOND) * SECOND
        choice = world.chance.choice(("send", "send", "drop", "lapse"))
        if choice == "send" or world.variant.sends_at_once:
            nonces = Nonces(buyer="11" * 32, seller=f"{world.chance.getrandbits(256):064x}")
            world.give(at + later, "proposal", "send", one.id, DESK, nonces)
        elif choice == "drop":
            world.give(at + later, "proposal", "drop", one.id, DESK)


def _sent(world: World, proposal: Proposal, at: int) -> None:
    """End the world where A has terms; let others answer theirs."""
    if _is_of_a(world, proposal):
        world.terms_at = at
        world.counts["terms of A"] += 1
        return
    assert proposal.terms is not None
    sides = world.book.sides(proposal)
    for party in (sides.buyer.id, sides.seller.id):
        then = at + world.chance.randrange(20 * HOUR // SECOND) * SECOND
        actor = Actor(person=f"{party} 2", role=Role.PARTICIPANT_APPROVER, party=party, stepped_up_at=then)
        choice = world.chance.choice(("approve", "approve", "approve", "decline"))
        world.give(then, "proposal", choice, proposal.id, actor, proposal.terms.sha256)


def _is_of_a(world: World, proposal: Proposal) -> bool:
    return "A" in {world.book.requests[one].party for one in (proposal.buy, proposal.sell)}


# ---- what A does, and what operators do with it


def _steps_of_a(chance: Random) -> list[Step]:
    """Return all A does and all that is done with it, in order: the same in both worlds."""
    given: list[tuple[int, Command | None]] = [(at, None) for at in _glances(chance)]
    usual = {"side": chance.choice((*Side,)), "reference": chance.choice(("openai",) * 4 + ("google",))}
    for number in range(chance.choice((1, 1, 2, 2, 3, 4))):
        given += _life(chance, _wanted(chance, f"a{number}", **usual))
    given += [_probe(chance) for _ in range(chance.randint(3, 8))]
    ordered = sorted(given, key=lambda one: one[0])
    return [Step(at, 1, 0, one is None or one.actor.party == "A", one) for at, one in ordered]


def _glances(chance: Random) -> Iterator[int]:
    for at in RUNS:
        yield from (at, at + SECOND, at + HOUR - 1, at + HOUR)
        yield from (at + chance.randrange(HOUR) for _ in range(3))
    yield from (chance.randrange(BEGIN, END) for _ in range(4))


def _wanted(chance: Random, identity: str, **usual: Any) -> Request:
    """Return a request as it is drafted: now and then one that nobody would take."""
    lots = chance.randint(1, 6)
    wanted: dict[str, Any] = {
        "side": Side.BUY,
        "reference": "openai",
        "lots": lots,
        "min_lots": chance.choice((1, 1, 1, lots, lots + 1 if chance.random() < 0.1 else 1)),
        "limit": chance.choice((None, PRICE - 1, PRICE, PRICE + 1)),
        "tail": chance.random() < 0.5,
        "maturity": MONTH + chance.choice((0, 0, 0, 1)),
        "tolerance": chance.choice((0, 1)),
        "expires": chance.choice((*RUNS[1:], RUNS[2] + DAY, RUNS[2] + DAY)),
        "firm_until": chance.choice((None, RUNS[2])),
    } | usual
    if chance.random() < 0.1:
        wanted["expires"] = chance.choice(RUNS) + HOUR // 2
    return Request(id=identity, party="", person="", methodology="v1", **wanted)


def _life(chance: Random, wanted: Request) -> Iterator[tuple[int, Command]]:
    """Yield what becomes of a request of A: the desk takes it in, A changes its mind, often within a slot."""

    def given(at: int, name: str, actor: Actor = USER, details: Any = None) -> tuple[int, Command]:
        two = SECOND_DESK if name == "suspend" else None
        command = Command(
            kind="request", command=name, id=wanted.id, actor=actor, at=at, second=two, details=details
        )
        return at, command

    begin = BEGIN + chance.randrange(6 * HOUR)
    yield given(begin, "draft", details=wanted)
    yield given(begin + 1, "submit")
    if chance.random() < 0.05:
        yield given(begin + HOUR, "reject", DESK, "no")
    yield given(begin + HOUR, "accept", DESK)
    yield given(begin + HOUR + MINUTE, "draw", SYSTEM, ROOT)
    for at in RUNS:
        if chance.random() < 0.8:
            yield given(at - chance.randrange(1, 3 * HOUR), "confirm")
    for _ in range(chance.randint(2, 7)):
        in_slot = chance.random() < 0.6
        at = chance.choice(RUNS) + chance.randrange(HOUR) if in_slot else chance.randrange(begin, END)
        name = chance.choice(
            ("amend", "amend", "amend", "pause", "pause", "resume", "cancel", "confirm", "submit")
        )
        yield given(at, name, details=_amendment(chance, wanted) if name == "amend" else None)
        if name == "amend":
            yield given(at + MINUTE, "draw", SYSTEM, ROOT)
        if name == "pause" and chance.random() < 0.8:
            yield given(at + chance.randrange(1, 3 * HOUR), "resume", chance.choice((USER, DESK)))
    if chance.random() < 0.05:
        yield given(chance.randrange(begin, END), "suspend", DESK, "looked into")


def _amendment(chance: Random, wanted: Request) -> Amendment:
    lots = max(1, wanted.lots + chance.choice((-1, 0, 0, 1)))
    return Amendment(
        lots=lots,
        min_lots=min(lots, wanted.min_lots),
        limit=chance.choice((wanted.limit, wanted.limit, None)),
        maturity=wanted.maturity,
        tolerance=wanted.tolerance,
        tail=wanted.tail,
        expires=chance.choice((wanted.expires, RUNS[2], RUNS[2] + DAY)),
        firm_until=chance.choice((None, RUNS[2])),
    )


def _probe(chance: Random) -> tuple[int, Command]:
    """Return a command that A has no business to give: to something it does not know, or of somebody else's role."""
    at = chance.choice((chance.choice(RUNS) + chance.randrange(HOUR), chance.randrange(BEGIN, END)))
    kind = chance.choice(("request", "proposal", "proposal", "contract"))
    names = {"request": ("o0", "o1", "o2", "o3", "o9", "a0")}.get(kind, ("c0", "c0", "c1", "c2", "c9"))
    name = chance.choice([one for one in MACHINES[kind].commands if one != "draft"])
    if kind == "proposal" and chance.random() < 0.5:
        name = "approve"
    actor = APPROVER if chance.random() < 0.6 else USER
    shown = Actor(person=actor.person, role=actor.role, party="A", stepped_up_at=at)
    amended = _amendment(chance, _wanted(chance, ""))
    details = amended if (kind, name) == ("request", "amend") else "00" * 32
    identity = chance.choice(names)
    return at, Command(kind=kind, command=name, id=identity, actor=shown, at=at, details=details)


# ---- what others do


def _party(identity: str, group: str, **changes: Any) -> Party:
    usual = {"legal_name": f"{identity} Ltd", "credit_class": "1", "accepts": frozenset("12")}
    return Party(
        **usual | changes,
        id=identity,
        group=group,
        lei=lei(identity),
        contact=f"x@{identity}",
        known_until=FIRST_DAY + 99,
    )


def lei(identity: str) -> str:
    """Return an LEI with the right check digits (ISO 7064, MOD 97-10)."""
    first = identity.upper().rjust(18, "0")
    rest = int("".join(str(int(one, 36)) for one in first + "00")) % 97
    return f"{first}{98 - rest:02d}"


def _others(chance: Random) -> list[Party]:
    """Return everybody but A, one of them now and then a sister company of A."""
    parties = [
        _party(
            f"P{one}",
            f"p{one}",
            credit_class=chance.choice("112"),
            blocked=frozenset({"a ltd"} if chance.random() < 0.1 else ()),
        )
        for one in range(chance.randint(2, 4))
    ]
    return [*parties, _party("P9", "a")] if chance.random() < 0.3 else parties


def _push_others(world: World, wanted: Request) -> None:
    """Let others want what suits A, and what does not; or nobody anything."""
    chance = world.chance
    names = [name for name in world.book.parties if name != "A"]
    for number in range(chance.choice((0, 1, 2, 3, 4))):
        party, identity = chance.choice(names), f"o{number}"
        user = Actor(person=f"{party} 1", role=Role.PARTICIPANT_USER, party=party)
        side = wanted.side.other if chance.random() < 0.7 else wanted.side
        usual = {"side": side, "reference": wanted.reference, "maturity": wanted.maturity, "tail": True}
        if chance.random() < 0.7:
            usual |= {"limit": None, "min_lots": 1}
        other = _wanted(chance, identity, **usual)
        begin = BEGIN + chance.randrange(chance.choice((7, 30)) * HOUR)
        world.give(begin, "request", "draft", identity, user, other)
        world.give(begin + 1, "request", "submit", identity, user)
        world.give(begin + HOUR, "request", "accept", identity, DESK)
        world.give(begin + HOUR + MINUTE, "request", "draw", identity, SYSTEM, ROOT)
        for at in RUNS:
            if chance.random() < 0.9:
                world.give(at - chance.randrange(1, 3 * HOUR), "request", "confirm", identity, user)
        if chance.random() < 0.4:
            name = chance.choice(("amend", "pause", "resume", "cancel"))
            details = _amendment(chance, other) if name == "amend" else None
            world.give(chance.randrange(begin, END), "request", name, identity, user, details)
