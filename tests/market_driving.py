"""One market driven twice: every command is given to the book and to the plain model, and both are compared after it.

What is done next is picked by whoever drives, hypothesis or a seeded generator: `Drive` asks for one of some options
and never for chance of its own. Most of what it asks for is right, so that contracts come about; beside every right
thing stand the wrong ones: other persons and roles, sister companies, a person with two logins, stale digests, amounts
off by a cent, instants a second before, at and after every deadline.
"""

# ruff: noqa: ARG002 - whatever says the details of a command is given the same two things
from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import msgspec

from market_model import DAY, HOUR
from market_oracle import left_of
from market_rows import TABLES
from market_world import (
    ACTORS,
    DESK,
    DESKS,
    GROUPS,
    PERSONS,
    PRICE,
    REFERENCES,
    SECOND,
    STRANGE,
    TREASURY,
    Both,
    Row,
    deadline,
    first_day,
    mark,
    next_run,
)
from mtok.calendar import format_date
from mtok.market.agreements import Agreed, Agreement
from mtok.market.contracts import Marked, Posted
from mtok.market.margin import Side
from mtok.market.proposals import Nonces, TermsAmendment
from mtok.market.requests import Amendment, Request
from mtok.settlement.people import SYSTEM, Actor, Role
from mtok.settlement.values import Style

T = TypeVar("T")

LIKELY = {
    "send": 8,
    "approve": 9,
    "activate": 8,
    "margin": 5,
    "notice": 3,
    "close_out": 3,
    "settle": 3,
    "close": 3,
    "agree": 5,
    "end": 3,
    "post": 3,
}
"""How much more often than others a command is given that its state allows."""
BY_TIME = ("lapse", "expire", "fill", "void", "match", "book")


class Drive(Both):
    """A market in two shapes, and what to do next with it."""

    # ---- what to do next

    def mostly(self, right: T, *wrong: T) -> T:
        """Return what is right nine times in ten."""
        return self.pick((*(right,) * 9 * len(wrong), *wrong)) if wrong else right

    def person(self, party: str, role: Role = Role.PARTICIPANT_USER) -> Actor:
        """Return a person of a participant whose second factor has just been shown."""
        user, *approvers = PERSONS.get(party, ("u", "a", "b", "twice"))
        person = user if role == Role.PARTICIPANT_USER else self.pick((*approvers[:-1] * 4, approvers[-1]))
        return Actor(person=person, role=role, party=party, stepped_up_at=self.now)

    def shown(self, actor: Actor) -> Actor:
        """Return an actor who has mostly just shown a second factor."""
        since = self.mostly(0, 300 * SECOND, 300 * SECOND + 1, -1, None)
        return msgspec.structs.replace(actor, stepped_up_at=None if since is None else self.now - since)

    def somebody(self, kind: str, command: str, one: Any) -> Actor:
        """Return who may give a command, or anybody."""
        roles = next((roles for (_, listed), (roles, _) in TABLES[kind].items() if listed == command), ())
        role = Role(self.pick(roles))
        if self.pick(range(9)) == 0:
            return self.shown(self.pick(ACTORS))
        if role in (Role.PARTICIPANT_USER, Role.PARTICIPANT_APPROVER):
            sides = self.sides(kind, one)
            done = set(one.approvals or ()) if command == "approve" and one else set()
            return self.shown(
                self.person(self.pick([name for name in sides if name not in done] or sides), role)
            )
        return {Role.DESK: DESK, Role.TREASURY: TREASURY[0]}.get(role, SYSTEM)

    def sides(self, kind: str, one: Any) -> list[str]:
        """Return the parties of what the model knows as an object."""
        if one is None:
            return ["p1", "p3"]
        if kind == "request":
            return [one["party"]]
        return [side["party"] for side in one["sides"]]

    def another(self, actor: Actor, kind: str, one: Any) -> Actor | None:
        """Return the second person of a command."""
        if actor.role in (Role.DESK, Role.TREASURY):
            other = {Role.DESK: DESKS[1], Role.TREASURY: TREASURY[1]}[actor.role]
            found: Actor | None = self.mostly(other, actor, None, *STRANGE[:4])
            return found
        others = [name for name in self.sides(kind, one) if name != actor.party] or ["p1"]
        right = self.shown(self.person(others[0], Role.PARTICIPANT_APPROVER))
        same = msgspec.structs.replace(right, person=actor.person)
        return self.mostly(right, same, None, self.shown(self.pick(ACTORS)))

    # ---- rules

    def new_request(self, like: dict[str, Any] | None = None, **fixed: Any) -> str:
        """Draft, submit, accept, draw and confirm a request, every step by whom it is for."""
        name, fields = f"r{next(self.names)}", self.fields() | fixed
        party = self.pick(("p1", "p2", "p3", "p4"))
        if like is not None:
            others = [one for one in ("p1", "p3", "p4") if GROUPS[one] != GROUPS[like["party"]]]
            party, side = self.pick(others), {"buy": "sell", "sell": "buy"}[like["side"]]
            alike = "reference methodology style maturity limit lots expires".split()
            fields |= {key: like[key] for key in alike} | {"side": side, "min_lots": 1}
        user = self.person(party)
        if self.draft(name, user, fields):
            for command, actor in (("submit", user), ("accept", DESK), ("draw", SYSTEM), ("confirm", user)):
                details, said = self.details("request", command, None)
                self.give("request", command, name, actor, details, **said)
        return name

    def draft(self, name: str, actor: Actor, fields: dict[str, Any]) -> bool:
        """Draft a request of some fields."""
        whose: dict[str, Any] = {"party": actor.party or "", "person": actor.person}
        wanted = Request(
            id=name, **whose, **fields | {"side": Side(fields["side"]), "style": Style(fields["style"])}
        )
        return self.give("request", "draft", name, actor, wanted, fields=fields)

    def fields(self) -> dict[str, Any]:
        """Return the fields of a request, all of them right."""
        month = self.month()
        reference = self.pick(("series", "series", "series", "model:a/b", "unmarked"))
        lots = self.pick((1, 2, 4, 5, 10, 10, 20, 50))
        expires = next_run(self.now) + self.pick((2, 0, 1, 1, 3, 30)) * DAY
        expires = min(expires, (first_day(month) - 5) * DAY + 15 * HOUR)
        return {
            "reference": reference,
            "methodology": REFERENCES[reference][0],
            "side": self.pick(("buy", "sell")),
            "style": self.pick(("average", "last")),
            "lots": lots,
            "min_lots": self.pick((1, 1, lots, (lots + 1) // 2)),
            "limit": self.pick((None, PRICE, PRICE - 100_000, PRICE + 100_000)),
            "maturity": month,
            "tolerance": self.pick((0, 0, 1)),
            "tail": self.pick((False, True)),
            "expires": expires,
            "firm_until": self.pick((None, None, expires)),
        }

    def month(self) -> int:
        """Return the nearest month that is still open, or the one after."""
        date = format_date(self.now // DAY)
        month = int(date[:4]) * 12 + int(date[5:7])
        while next_run(self.now) > (first_day(month) - 5) * DAY:
            month += 1
        return month + self.pick((0, 0, 0, 1))  # type: ignore[no-any-return]  # pick returns what it is given

    def odd_request(self) -> None:
        """Draft and submit a request that may have one wrong field."""
        fields = self.fields()
        closing = (first_day(fields["maturity"]) - 5) * DAY
        wrong = self.pick(
            (
                {"lots": 0, "min_lots": 0},
                {"lots": 10**6},
                {"lots": 10**6 + 1},
                {"min_lots": fields["lots"] + 1},
                {"min_lots": 0},
                {"limit": 10**9},
                {"expires": closing + 15 * HOUR},
                {"expires": closing + 15 * HOUR + DAY},
                {"expires": fields["expires"] + 1},
                {"expires": next_run(self.now) - DAY},
            )
        )
        name, user = f"r{next(self.names)}", self.person(self.mostly("p3", "p1", "p9"))
        if self.pick(range(6)) == 0:  # the very second it closes
            self.go(self.pick((closing - SECOND, closing, closing + 5 * DAY)))
        self.draft(name, user, fields | wrong)
        self.give("request", "submit", name, user)

    def pair(self) -> None:
        """Make two requests that fit, and mostly run."""
        usual: dict[str, Any] = {"firm_until": None, "reference": "series", "methodology": "1"}
        name = self.new_request(**self.pick(({}, usual, usual, usual)))
        one = self.model.requests.get(name)
        if one is not None and one["state"] == "live":
            self.new_request(one)
        if self.pick(range(6)):
            self.run()
            self.pick((self.deal, self.deal, self.haggle, self.forward))()

    def answer(self) -> None:
        """Ask for what fits a request that is live."""
        live = [one for one in self.model.requests.values() if one["state"] == "live" and left_of(one)]
        if live:
            self.new_request(self.pick(live))

    def deal(self) -> None:
        """Send the terms of a candidate and have both sides approve them; mostly post initial margin too."""
        found = [name for name, one in self.model.proposals.items() if one["state"] == "candidate"]
        if not found:
            return
        name = self.pick(found)
        nonces, _ = self.details("proposal", "send", None)
        if not self.give("proposal", "send", name, DESK, nonces):
            return
        for party in self.sides("proposal", self.model.proposals[name]):
            approver = self.person(party, Role.PARTICIPANT_APPROVER)
            self.give("proposal", "approve", name, approver, self.digests[name][-1], read=(name, 0))
        if name in self.model.contracts and self.pick(range(4)):
            initial = self.model.contracts[name].deal.initial
            self.give(
                "contract",
                "activate",
                name,
                TREASURY[0],
                Posted(buyer=initial, seller=initial),
                buyer=initial,
                seller=initial,
            )

    def haggle(self) -> None:
        """Send the terms of a candidate, and then approve, amend or decline them in some order."""
        found = [
            name
            for name, one in self.model.proposals.items()
            if one["state"] in ("candidate", "terms_sent", "amended", "one_approved")
        ]
        if found:
            name = self.pick(found)
            if self.model.proposals[name]["state"] == "candidate":
                self.order("proposal", "send", name)
            for command in self.pick(
                (
                    ("amend", "amend", "approve", "approve"),
                    ("approve", "amend", "approve", "decline"),
                    ("amend", "approve", "approve"),
                    ("approve", "approve"),
                    ("amend", "decline"),
                    ("approve",),
                    ("amend",),
                )
            ):
                self.order("proposal", command, name)

    def course(self) -> None:
        """Take a margin that one side may not pay, and go on as treasury does then."""
        found = [
            name for name, one in self.model.contracts.items() if one["state"] in ("active", "disrupted")
        ]
        if found:
            name = self.pick(found)
            for command in self.pick(
                (
                    ("margin", "margin", "notice", "close_out"),
                    ("margin", "margin", "notice", "post", "cure"),
                    ("disrupt", "margin", "post", "margin", "end"),
                    ("margin", "post", "margin", "mature", "settle", "close"),
                    ("margin", "notice", "margin", "post", "close_out"),
                    ("margin", "disrupt", "agree", "margin", "terminate"),
                    ("margin", "margin", "terminate"),
                    ("margin", "disrupt", "post", "recover", "notice", "cure"),
                    ("disrupt", "margin", "notice", "margin", "post", "post"),
                    ("margin", "disrupt", "end"),
                )
            ):
                self.order("contract", command, name)

    def amending(self) -> None:
        """Amend a live request outside the slot, twice and once more, around its boundaries."""
        live = [name for name, one in self.model.requests.items() if one["state"] == "live"]
        if live:
            name = self.pick(live)
            for _ in range(self.pick((1, 2, 3, 4))):
                self.order("request", "amend", name)

    def forward(self) -> None:
        """Give a command that the state of an object allows, mostly rightly and sometimes at its boundary."""
        kinds = [
            kind
            for kind in ("request", "proposal", "proposal", "contract", "contract", "contract", "contract")
            if self.model.objects[kind]
        ]
        if not kinds:
            return self.pair()
        kind = self.pick(kinds)
        objects = self.model.objects[kind]
        running = [
            name for name, one in objects.items() if any(state == one["state"] for state, _ in TABLES[kind])
        ]
        name = self.pick(running or list(objects))
        one = objects[name]
        possible = [command for state, command in TABLES[kind] if state == one["state"]]
        weighted = [
            command
            for command in possible
            for _ in range(1 if command in BY_TIME else 2 * LIKELY.get(command, 1))
        ]
        return self.order(kind, self.pick(weighted or list(LIKELY)), name)

    def order(self, kind: str, command: str, name: str) -> None:
        """Give a command about an object, at an instant that its rules are about or now."""
        one = self.model.objects[kind].get(name)
        if any(command == listed for _, listed in TABLES[kind]):
            self.go(self.moment(kind, command, one))
            actor = self.somebody(kind, command, one)
            if (command, kind, actor.role) == ("match", "proposal", Role.SYSTEM) and one is None:
                return
            details, said = self.details(kind, command, one, name=name, actor=actor)
            second = (
                self.another(actor, kind, one)
                if command in ("suspend", "notice", "cure", "close_out", "end", "agree", "terminate")
                else None
            )
            self.give(kind, command, name, actor, details, second=second, **said)

    def stray(self) -> None:
        """Give any command about any object, or none, as whoever might."""
        kind = self.pick(tuple(TABLES))
        command = self.pick(sorted({command for _, command in TABLES[kind]}))
        names = [name for objects in self.model.objects.values() for name in objects]
        self.order(
            kind, command, self.pick([*list(self.model.objects[kind]), *names, f"x{next(self.names)}"])
        )

    def moment(self, kind: str, command: str, one: Any) -> int:
        """Return when a command is given: mostly now, or around an instant from which on its answer is another."""
        edges: list[int] = []
        if one is not None and kind == "request":
            edges = [one["expires"]] if command in ("expire", "confirm", "fill") else []
            edges += (
                [next_run(self.now) - 23 * HOUR, next_run(self.now)]
                if command in ("amend", "confirm")
                else []
            )
        elif one is not None and kind == "proposal":
            edges = [one["run"] + HOUR, one["run"] + 24 * HOUR]
        elif one is not None:
            edges = list(one["due"].values()) if command == "notice" else []
            if one.noticed_at and command in ("cure", "close_out"):
                edges.append(deadline(one.noticed_at, 1))
            if command in ("activate", "void"):
                edges.append(deadline(one["booked_at"], 2))
            if command == "agree":
                over = (one.deal.first + 1) * DAY
                edges += [over, over + 2 * DAY, deadline(over, 5)]
        often = command in ("notice", "close_out", "amend", "agree") and kind != "proposal"
        around = [edge + shift for edge in edges for shift in (-SECOND, 0, SECOND)]
        ahead = (
            [instant for instant in around if instant >= self.now]
            if often or self.pick(range(4)) == 0
            else []
        )
        return self.pick(ahead or (self.now, self.now, self.now + SECOND))  # type: ignore[no-any-return]  # the same

    def wait(self) -> None:
        """Let seconds, hours or days pass, or go to an instant at which something is due."""
        due = [next_run(self.now)]
        due += [one["expires"] for one in self.model.requests.values() if one["state"] in ("live", "paused")]
        due += [one["run"] + hours * HOUR for one in self.model.proposals.values() for hours in (1, 24)]
        due += [deadline(one["booked_at"], 2) for one in self.model.contracts.values()]
        ahead = [instant + shift for instant in due for shift in (-SECOND, 0, SECOND) if instant > self.now]
        self.steps += 1
        self.go(self.pick((self.now + SECOND, self.now + HOUR, self.now + DAY, *ahead, *ahead)))

    def party(self) -> None:
        """Change a participant: suspended, identity to be checked, other owners, names it does not deal with."""
        name = self.pick(("p1", "p2", "p3", "p4"))
        today = self.now // DAY
        changes = self.pick(
            (
                {"is_suspended": True},
                {"known_until": today},
                {"known_until": today + 1},
                {"group": "g3"},
                {"blocked": frozenset({"COMPANY  p1"}) if name != "p1" else frozenset({"company P3"})},
                {"accepts": frozenset("B")},
            )
        )
        before = {key: getattr(self.book.parties[name], key) for key in changes}
        self.change(name, **changes)
        self.pick((self.deal, self.forward, self.run, self.pair))()
        if self.pick(range(4)):
            self.change(name, **before)

    # ---- what commands say

    def details(
        self, kind: str, command: str, one: Any, *, name: str = "", actor: Actor = SYSTEM
    ) -> tuple[Any, dict[str, Any]]:
        """Return the details of a command, and the same in plain words."""
        if command in ("reject", "suspend"):
            reason: str = self.mostly("said why", " ")
            return reason, {"reason": reason}
        if command == "draw":
            root = self.pick(("00" * 32, "ab" * 32))
            return root, {"root": root}
        if (kind, command) == ("request", "draft"):
            fields = self.fields()
            whose: dict[str, Any] = {"party": actor.party or "", "person": actor.person}
            sides = {"side": Side(fields["side"]), "style": Style(fields["style"])}
            return Request(id=name, **whose, **fields | sides), {"fields": fields}
        if command == "send":
            return Nonces(buyer="01" * 32, seller="02" * 32), {}
        maker: Callable[..., tuple[Any, dict[str, Any]]] | None = getattr(self, f"_{kind}_{command}", None)
        return (None, {}) if maker is None else maker(one, name)

    def _request_amend(self, one: Any, name: str) -> tuple[Any, dict[str, Any]]:
        same = one or self.fields()
        fields = {key: same[key] for key in Amendment.__struct_fields__}
        lots = fields["lots"]
        closing = (first_day(fields["maturity"]) - 5) * DAY + 15 * HOUR
        fields |= self.pick(
            (
                {},
                {"lots": lots + 1},
                {"lots": lots - 1, "min_lots": 1},
                {"lots": (one or {"filled": 0})["filled"]},
                {"lots": lots + 5, "limit": PRICE},
                {"min_lots": fields["min_lots"] + 1},
                {"limit": self.pick((None, PRICE, PRICE + 1))},
                {"maturity": fields["maturity"] + 1},
                {"tolerance": fields["tolerance"] + 1},
                {"tail": not fields["tail"]},
                {
                    "expires": self.pick((closing, closing + DAY, fields["expires"] + DAY)),
                    "firm_until": closing,
                },
            )
        )
        return Amendment(**fields), {"fields": fields}

    def _proposal_approve(self, one: Any, name: str) -> tuple[Any, dict[str, Any]]:
        known = self.digests.get(name, [])
        listed = [(digest, (name, place)) for place, digest in enumerate(known)]
        others = [
            (found[-1], (other, len(found) - 1)) for other, found in self.digests.items() if other != name
        ]
        if len(listed) > 1 and self.pick(range(3)) == 0:
            digest, read = self.pick(listed[:-1])
            return digest, {"read": read}
        unread: list[tuple[str, Any]] = [("0" * 64, None)]
        digest, read = self.mostly(*reversed(listed), *unread, *others)
        return digest, {"read": read}

    def _proposal_amend(self, one: Any, name: str) -> tuple[Any, dict[str, Any]]:
        sides = self.sides("proposal", one)
        asked = [self.person(party, Role.PARTICIPANT_APPROVER) for party in sides]
        wrong: list[list[Actor]] = [
            [asked[0], asked[0]],
            [asked[0], self.person("p2", Role.PARTICIPANT_APPROVER)],
            [asked[0], self.person(sides[-1])],
            [msgspec.structs.replace(who, person="twice") for who in asked],
        ]
        first, second = self.mostly(asked, *wrong)
        found = one or {"price": PRICE, "lots": 1}
        price = found["price"] + self.pick((0, 0, 0, 0, 1, -1, 100_000, -100_000, -found["price"], 10**9))
        lots = found["lots"] + self.pick((0, 0, 0, -1, -1, 1, -found["lots"], 1 - found["lots"]))
        wanted = TermsAmendment(price=price, lots=lots, asked_by=(first, second))
        return wanted, {"price": price, "lots": lots, "asked": (first, second)}

    def _contract_activate(self, one: Any, name: str) -> tuple[Any, dict[str, Any]]:
        initial = one.deal.initial if one else 0
        buyer, seller = (initial + self.mostly(0, -1, 1) for _ in range(2))
        return Posted(buyer=buyer, seller=seller), {"buyer": buyer, "seller": seller}

    def _contract_post(self, one: Any, name: str) -> tuple[Any, dict[str, Any]]:
        calls = one["calls"] if one else {}
        buyer, seller = (
            calls[side] + self.pick((0, 0, 0, -1, 1, -calls[side]))
            if side in calls
            else self.pick((0, 0, 1, -1))
            for side in ("buy", "sell")
        )
        return Posted(buyer=buyer, seller=seller), {"buyer": buyer, "seller": seller}

    def whose(self, one: Any) -> tuple[str, str]:
        """Return reference and methodology of a contract."""
        return one["of"] if one else ("series", "1")

    def _contract_disrupt(self, one: Any, name: str) -> tuple[Any, dict[str, Any]]:
        return self.one_mark(one, self.pick(("F3", "F3", "F5", "F0", "F1")))

    def _contract_recover(self, one: Any, name: str) -> tuple[Any, dict[str, Any]]:
        return self.one_mark(one, self.pick(("F0", "F1", "F3")))

    def one_mark(self, one: Any, level: str) -> tuple[Any, dict[str, Any]]:
        """Return the mark of a day, mostly one that may be used."""
        right = Row(*self.whose(one), self.now // DAY, 1, "published", PRICE, None, True, level)
        wrong = {"reference": "other"}, {"methodology": "0"}, {"state": "disputed"}, {"logged": False}
        row = self.mostly(right, *(right._replace(**change) for change in wrong))
        return mark(row), {"marks": [row], "level": level}

    def _contract_margin(self, one: Any, name: str) -> tuple[Any, dict[str, Any]]:
        first, last = (one.deal.first, one.deal.last) if one else (20_700, 20_730)
        next_day = one["days"][-1] + 1 if one and one["days"] else (one["booked_at"] // DAY if one else first)
        day = self.pick(
            (next_day, next_day, next_day, next_day - 1, first - 1, first, first + 5, last, last + 1)
        )
        rows = self.rows(one, min(day, last), ("published", "locked"), self.pick(("calm", "rise", "fall")))
        edge = self.edge(one, day) if one and one.money and self.pick(range(2)) else None
        if edge is not None:
            rows = [row._replace(value=edge) if row.day == day and row.own is None else row for row in rows]
        return Marked(marks=tuple(map(mark, rows)), day=day), {"marks": rows, "day": day}

    def edge(self, one: Any, day: int) -> int | None:
        """Return a mark at which an amount is just what makes the difference, None where no mark is."""
        if not one.deal.of_last and day >= one.deal.first:
            return None
        deal, money = one.deal, one.money
        spare = self.pick((deal.maintenance - money.long, money.short - deal.maintenance))
        wanted = self.pick((50_000, -50_000, spare)) + self.pick((0, -1, 1))
        value = deal.trade + -(-(money.moved + wanted) * 10_000 // deal.quantity)
        return value if 0 < value <= 10**9 else None

    def rows(self, one: Any, day: int, states: tuple[str, ...], path: str) -> list[Row]:
        """Return the marks up to a day that a contract looks at, mostly as they should be."""
        price = one.deal.trade if one else PRICE
        first = one.deal.first if one else day
        move = {"calm": 0, "rise": price // 5, "fall": -price // 5}[path]
        whose = self.whose(one)
        rows = [
            Row(
                *whose,
                one,
                1,
                states[one % len(states)],
                price + move + one * 7919 % 1000,
                None,
                True,
                "F0",
            )
            for one in sorted({*range(first, day + 1), day})
        ]
        if self.pick(range(4)):
            return rows
        place = self.pick((0, len(rows) // 2, len(rows) - 1))
        row = rows[place]
        claim = row.value + self.pick((-1_000_000, 1_000_000, 10, -3 * move))
        other: tuple[Row, ...] = self.pick(
            (
                (),
                (row._replace(state="approved"),),
                (row._replace(logged=False),),
                (row._replace(state="disputed", own=max(1, claim)),),
                (row._replace(state="disputed", own=max(1, claim)),),
                (row, row._replace(version=2, state="corrected", value=row.value + 300_000)),
                (row, row._replace(version=2, state="corrected", value=row.value + 300_000, logged=False)),
                (row, row._replace(reference="other", version=3)),
                (row, row._replace(methodology="0", version=3)),
            )
        )
        return [*rows[:place], *other, *rows[place + 1 :]]

    def _contract_agree(self, one: Any, name: str) -> tuple[Any, dict[str, Any]]:
        first, last = (one.deal.first, one.deal.last) if one else (0, 0)
        yesterday = self.now // DAY - 1
        day = self.pick((first, yesterday, yesterday, yesterday + 1, last, first - 1, last + 1, None))
        right = Row(*self.whose(one), day or first, 1, "approved", PRICE, None, True, "F0")
        there: tuple[dict[str, Any], ...] = (
            {},
            {"state": "locked"},
            {"state": "proposed"},
            {"logged": False},
            {"day": right.day - 1},
            {"reference": "o"},
        )
        rows = self.pick(([], [], [right._replace(**self.pick(there))]))
        details, said = self.agreement(name, day)
        return msgspec.structs.replace(details, marks=tuple(map(mark, rows))), said | {"marks": rows}

    def _contract_terminate(self, one: Any, name: str) -> tuple[Any, dict[str, Any]]:
        return self.agreement(name, self.mostly(None, 20_000))

    def agreement(self, name: str, day: int | None) -> tuple[Any, dict[str, Any]]:
        """Return an agreement on a value of a day, or on a price to end at, mostly read by both."""
        contract = self.book.contracts.get(name)
        terms = contract.terms.sha256 if contract else ""
        value = PRICE + self.pick((0, 500_000, -1_500_000))
        right = Agreement(contract=name, terms_sha256=terms, value=self.mostly(value, 0, 10**9 + 1), day=day)
        stale = msgspec.structs.replace(right, value=right.value + 1).sha256
        said = self.mostly(
            right,
            msgspec.structs.replace(right, terms_sha256="0"),
            msgspec.structs.replace(right, contract="c"),
        )
        first, second = (self.mostly(said.sha256, stale) for _ in range(2))
        same = said == right and {first, second} == {said.sha256}
        details = Agreed(agreement=said, first_sha256=first, second_sha256=second)
        return details, {"value": said.value, "day": day, "same": same}

    def _contract_mature(self, one: Any, name: str) -> tuple[Any, dict[str, Any]]:
        last = one.deal.last if one else 20_000
        rows = self.rows(
            one, last, self.mostly(("locked",), ("locked", "published")), self.pick(("calm", "rise", "fall"))
        )
        return Marked(marks=tuple(map(mark, rows))), {"marks": rows}

    def _contract_close_out(self, one: Any, name: str) -> tuple[Any, dict[str, Any]]:
        noticed = one.noticed_at // DAY if one and one.noticed_at else 20_000
        last = one.deal.last if one else 20_000
        until = self.pick((noticed, noticed + 1, noticed + 2, last))
        rows = self.rows(one, min(until, last), ("published", "locked"), self.pick(("calm", "rise", "fall")))
        before = [row._replace(day=noticed - 1) for row in rows[:1]] if self.pick(range(2)) else []
        rows += [row for row in before if row.day not in {other.day for other in rows}]
        return Marked(marks=tuple(map(mark, rows))), {"marks": rows}

    def _contract_end(self, one: Any, name: str) -> tuple[Any, dict[str, Any]]:
        first, last = (one.deal.first, one.deal.last) if one else (20_000, 20_000)
        day = self.pick((first - 1, first, first + 3, last, last + 1))
        rows = self.rows(
            one,
            day,
            self.mostly(("locked",), ("locked", "published"), ("upheld",)),
            self.pick(("calm", "rise", "fall")),
        )
        reason = self.mostly("no value can be had", "")
        return Marked(marks=tuple(map(mark, rows)), reason=reason), {"marks": rows, "reason": reason}


RULES: tuple[tuple[int, Callable[[Drive], Any]], ...] = (
    (5, Drive.pair),
    (2, Drive.answer),
    (1, Drive.run),
    (5, Drive.deal),
    (3, Drive.haggle),
    (2, Drive.amending),
    (8, Drive.course),
    (22, Drive.forward),
    (5, Drive.stray),
    (2, Drive.wait),
    (2, Drive.party),
    (2, Drive.odd_request),
)
"""What is done, and how often beside the others."""


def booked(**fields: Any) -> tuple[Drive, str]:
    """Return a market with one contract between p1, the buyer, and p3 that has just been booked, and its name."""
    drive = Drive(lambda options: options[0])
    wanted: dict[str, Any] = {"side": "buy", "lots": 10, "limit": PRICE} | fields
    request = drive.new_request(**wanted)
    drive.new_request(drive.model.requests[request])
    drive.run()
    drive.deal()
    (name,) = drive.model.contracts
    return drive, name


class Tally(NamedTuple):
    """What many sequences came to. rows : (kind, state, command) that were stepped over · diverged : what differed"""

    sequences: int
    steps: int
    rows: frozenset[tuple[str, str, str]]
    outcomes: Counter[str]
    diverged: list[str]


def sequences(
    wanted: int,
    seed: int,
    *,
    steps: int = 24,
    patience: int = 20,
    progress: Callable[[int], None] | None = None,
) -> Tally:
    """Drive as many sequences as asked, of at least so many steps each; the same seed drives the same ones.

    patience : after how many divergences it is given up
    """
    rules = [rule for weight, rule in RULES for _ in range(weight)]
    number, done, rows = 0, 0, set[tuple[str, str, str]]()
    outcomes, diverged = Counter[str](), list[str]()
    while number < wanted and len(diverged) < patience:
        drive = Drive(random.Random(f"{seed} {number}").choice)
        try:
            drive.pair()
            while drive.steps < steps or drive.pick(range(8)):
                drive.pick(rules)(drive)
            drive.check_liveness()
        except Exception as error:  # whatever it is: neither the market nor the model may fail
            found = f"{type(error).__name__}: {error}"
            diverged.append(f"sequence {number} of seed {seed}, step {drive.steps}: {found}")
        done += drive.steps
        rows |= drive.model.rows
        outcomes.update(drive.outcomes)
        number += 1
        if progress is not None:
            progress(number)
    return Tally(number, done, frozenset(rows), outcomes, diverged)
