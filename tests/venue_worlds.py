"""Pairs of worlds over HTTP: A's program does the same in both, everybody else wants something else.

What A is told at each of its steps is the transcript: status, headers but the date, body, and the mails that have come
since. The ids of A's own requests, which are chance, are the same in both. The comparison ends with A's first terms in
either world. The desk answers A the same in both.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest

import participating
import people
from mtok.calendar import DAY, format_instant, parse_instant
from mtok.market.proposals import Nonces
from mtok.settlement.machines import Refused
from mtok.settlement.people import Role

BEGIN = parse_instant("2026-06-22T09:00:00Z")
RUNS = [parse_instant(f"2026-06-{day}T15:00:00Z") for day in (22, 23)]
END = RUNS[-1] + DAY // 12
OWN = ("own-request-1", "own-request-2")
MINUTE = 60 * 10**6
OTHERS = 3

Tamper = Callable[[pytest.MonkeyPatch], None]


class Step(NamedTuple):
    """Something A does. content : of a POST"""

    at: int
    method: str
    path: str
    content: dict[str, str] | None = None


@dataclass
class World:
    """A world while it is played. told : what A was told, an entry a step · mails : that had come by the last"""

    told: list[Any] = field(default_factory=list)
    has_terms_at: int | None = None
    mails: int = 0


@dataclass
class Pair:
    """What a pair came to. leaks : in words · steps : compared · is_apart : whether A was matched in one world alone"""

    leaks: list[str]
    steps: int
    is_apart: bool


def play_pair(seed: int, tamper: Tamper | None = None) -> Pair:
    """Play the two worlds of a seed and compare what A was told."""
    steps = steps_of_a(Random(f"{seed}: A"))
    one, other = (play(steps, Random(f"{seed}: {name}"), tamper) for name in ("one", "other"))
    ends = [world.has_terms_at for world in (one, other)]
    until = min((end for end in ends if end is not None), default=END)
    compared = [
        (step, mine, theirs)
        for step, mine, theirs in zip(steps, one.told, other.told, strict=False)
        if step.at < until
    ]
    leaks = [
        f"worlds {seed}, {format_instant(step.at)}, {step.method} {step.path}: {mine} in one, {theirs} in the other"
        for step, mine, theirs in compared
        if mine != theirs
    ]
    return Pair(leaks=leaks, steps=len(compared), is_apart=ends.count(None) == 1)


def steps_of_a(chance: Random) -> list[Step]:
    """Return what A does: two requests early on, things with them, things that cannot be, and looking all the time."""
    found: list[Step] = []
    for number in range(2):
        at = BEGIN + (number + 1) * 7 * MINUTE
        found.append(Step(at, "POST", "/requests", asked(chance)))
    actions = ["confirm", "pause", "resume", "cancel", "amend"]
    for _ in range(14):
        at = BEGIN + chance.randrange(20 * MINUTE, END - BEGIN, MINUTE)
        which = chance.choice((OWN[0], *OWN, "of-somebody-else"))
        content = None
        action = chance.choice((*actions, "confirm", "confirm"))
        if action == "amend":
            content = {
                name: value for name, value in asked(chance).items() if name not in ("reference", "side")
            }
        found.append(Step(at, "POST", f"/requests/{which}/{action}", content))
    found += [Step(run - 30 * MINUTE, "POST", f"/requests/{one}/confirm") for run in RUNS for one in OWN]
    looks = [f"/{name}" for name in ("requests", "terms", "contracts", "references", "clock")]
    looks += [f"/requests/{OWN[0]}", f"/terms/{OWN[1]}"]
    for place in range(16):
        at = BEGIN + 10 * MINUTE + place * (END - BEGIN) // 16
        found.append(Step(at, "GET", looks[place % len(looks)]))
    found += [
        Step(run + minutes * MINUTE, "GET", "/requests") for run in RUNS for minutes in (1, 20, 61, 100)
    ]
    return sorted(found, key=lambda step: step.at)


def asked(chance: Random) -> dict[str, str]:
    """Return the fields of a request near the mark, so that many fit each other."""
    fields = {
        "reference": "openai",
        "side": chance.choice(("buy", "sell")),
        "lots": str(chance.choice((5, 10, 20))),
        "month": chance.choice(("2026-08", "2026-08", "2026-09")),
        "expires": "2026-07-20",
    }
    limit = chance.choice((None, "12.3456", "12.4", "12.2"))
    fields |= {} if limit is None else {"limit": limit}
    return fields | ({"firm_until": "2026-07-20"} if chance.random() < 0.5 else {})


def play(steps: list[Step], chance: Random, tamper: Tamper | None) -> World:
    """Play a world."""
    world = World()
    with (
        tempfile.TemporaryDirectory() as folder,
        pytest.MonkeyPatch.context() as patch,
        participating.trading_venue(Path(folder), patch) as clock,
    ):
        from mtok.venue.accounts.models import new_id
        from mtok.venue.otc import clockwork
        from mtok.venue.participants import actions

        clock.instant = BEGIN
        if tamper is not None:
            tamper(patch)
        mine = Program(people.person("A", *participating.BOTH, organisation=people.organisation("Own")))
        own, of_chance = iter(OWN), new_id

        def say(step: Step) -> None:
            patch.setattr(actions, "new_id", lambda: next(own))
            said_to(mine, step, world, clock())
            patch.setattr(actions, "new_id", of_chance)

        for at, do in Everybody(chance).timeline(steps, say):
            clock.instant = at
            clockwork.let_time_pass(at)
            do()
    return world


class Program:
    """A's program."""

    def __init__(self, principal: Any) -> None:
        from django.test import Client

        from mtok.venue.accounts import api_keys

        _, self.key = api_keys.make(principal, "program", ("read", "requests", "approvals"), 30)
        self.principal = principal
        self._client = Client(headers={"host": "localhost"})
        self._numbers = count()

    def ask(self, method: str, path: str, content: dict[str, str] | None) -> Any:
        """Ask and return the response."""
        headers = {"Authorization": f"Bearer {self.key}"}
        if method == "GET":
            return self._client.get(f"/venue/api{path}", headers=headers)
        return self._client.post(
            f"/venue/api{path}",
            b"" if content is None else json.dumps(content),
            content_type="application/json",
            headers={**headers, "Idempotency-Key": f"key-{next(self._numbers)}"},
        )


def said_to(program: Program, step: Step, world: World, now: int) -> None:
    """Do a step of A and write down what it is told, and which mails have come."""
    response = program.ask(step.method, step.path, step.content)
    _note_terms(program, world, now)
    headers = {name: value for name, value in response.items() if name != "Date"}
    mails = [[one.subject, one.text, one.html, one.made_at, one.not_before] for one in _mails(program, world)]
    world.told.append([response.status_code, headers, response.content.decode(), mails])


def _note_terms(program: Program, world: World, now: int) -> None:
    from mtok.venue.otc import trading

    if world.has_terms_at is None and trading.own(program.principal)["proposal"]:
        world.has_terms_at = now


def _mails(program: Program, world: World) -> list[Any]:
    from mtok.venue.database.models import Message

    found = list(Message.objects.filter(login=program.principal.login).order_by("made_at", "event"))
    new = found[world.mails :]
    world.mails = len(found)
    return new


class Everybody:
    """Everybody but A: others with requests of their own, a desk, a second desk."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._desk = people.person("Desk", Role.DESK)
        self._others = [
            people.person(
                f"Other {number}", *participating.BOTH, organisation=people.organisation(f"Other {number}")
            )
            for number in range(OTHERS)
        ]

    def timeline(
        self, steps: list[Step], say: Callable[[Step], None]
    ) -> Iterator[tuple[int, Callable[[], None]]]:
        """Yield instants and what is done at them, in order."""
        doings: list[tuple[int, int, Callable[[], None]]] = [
            (step.at, 1, partial(say, step)) for step in steps
        ]
        for who in self._others:
            for _ in range(self._chance.randrange(0, 4)):
                at = BEGIN + self._chance.randrange(MINUTE, END - BEGIN - DAY // 24, MINUTE)
                doings.append((at, 0, partial(self._submit, who)))
        doings += [(at, 2, self._screen) for at in range(BEGIN, END, 30 * MINUTE)]
        doings += [(run + 10 * MINUTE, 0, self._send_or_drop) for run in RUNS]
        doings += [(run + 50 * MINUTE, 0, self._answer) for run in RUNS]
        yield from ((at, do) for at, _, do in sorted(doings, key=lambda one: one[:2]))

    def _submit(self, who: Any) -> None:
        from mtok.venue.participants import actions

        wanted = asked(self._chance) | {"firm_until": "2026-07-20"}
        try:
            actions.submit(who, wanted)
        except Refused:
            return

    def _screen(self) -> None:
        from mtok.venue.database.models import RequestRow
        from mtok.venue.otc import trading

        for row in RequestRow.objects.filter(state="submitted").order_by("pk"):
            trading.give(self._desk, "request", "accept", row.pk)

    def _send_or_drop(self) -> None:
        from mtok.venue.database.models import ProposalRow
        from mtok.venue.otc import trading

        for row in ProposalRow.objects.filter(state="candidate").order_by("pk"):
            if self._chance.random() < 0.5:
                trading.give(self._desk, "proposal", "drop", row.pk)
            elif self._chance.random() < 0.7:
                trading.give(
                    self._desk, "proposal", "send", row.pk, Nonces(buyer="01" * 32, seller="02" * 32)
                )

    def _answer(self) -> None:
        from mtok.venue import place
        from mtok.venue.otc import trading

        for who in self._others:
            for terms in trading.own(who)["proposal"]:
                if terms["shown_state"] == "terms" and self._chance.random() < 0.5:
                    trading.give(people.shown(who, place.now()), "proposal", "decline", terms["id"])
