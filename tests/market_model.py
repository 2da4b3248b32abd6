"""The market once more, in plain dicts, from the words of its tables: what becomes of every command.

Nothing of mtok is imported; what a run matches and every amount of money is what the two oracles say. A command that is
refused raises `No` with its code and has changed nothing. Instants are microseconds, money cents.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import settlement_oracle as settlement
from contract_model import contract_effect
from market_oracle import absences, left_of, matches, refusals
from market_rows import TABLES, Known, No, no

HOUR, DAY = 3600 * 10**6, 86400 * 10**6
OPEN = ("submitted", "live", "paused")
OPERATORS = ("desk", "treasury", "mark_preparer", "mark_approver")
TWO = ("suspend", "notice", "cure", "close_out", "end", "agree", "terminate")


class Market(SimpleNamespace):
    """given : parties, marks and moves by name; first_day, business, deadline, next_run · rows : stepped over"""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given, objects={kind: {} for kind in TABLES}, rows=set())
        self.requests, self.proposals, self.contracts = self.objects.values()

    def give(self, kind: str, command: str, name: str, who: Any, now: int, other: Any, said: Any) -> None:
        """Who, what there is of theirs, its state, the second person: then what the command itself is refused for."""
        self.advance(now)
        one = self.objects[kind].get(name) or Known(state="new")
        mine = not who.role.startswith("participant") or who.party in self.owners(one)
        state = one.state if mine else "new"  # what is not theirs is as if missing
        roles, _ = TABLES[kind].get((state, command), ((), ""))
        no(not_yours=not any(who.role in listed for listed, _ in TABLES[kind].values()))
        no(has_position=who.role in OPERATORS and who.party, not_found=state == "new" and not roles)
        no(not_allowed=not roles, not_yours=who.role not in roles, not_found=state != one.state)
        no(not_allowed=command == "book", second_missing=command in TWO and other is None)
        if command in TWO:
            fit = OPERATORS if who.role in OPERATORS else roles
            no(not_yours=other.role not in fit, same_person=who.person == other.person)
            no(has_position=other.role in OPERATORS and other.party)
        if command in ("approve", "agree", "terminate"):
            no(not_asked=other and {who.party, other.party} != self.owners(one))
            no(step_up=any(not 0 <= now - (p.stepped_up_at or 0) <= 300 * 10**6 for p in (who, other) if p))
        self.do(kind, command, name, now, who=who, **said)

    def owners(self, one: Any) -> set[str]:
        """Who may know of it: of a proposal nobody before it has terms."""
        return {one.party} if one.party else {side.party for side in one.sides} if one.deal else set()

    def advance(self, now: int) -> None:
        """What happens because it is time, terms first: they free what a request then ends with."""
        due = ("proposal", "lapse"), ("request", "fill"), ("request", "expire"), ("contract", "void")
        for name, kind, command in [(name, *one) for one in due for name in self.objects[one[0]]]:
            if (self.objects[kind][name].state, command) in TABLES[kind]:
                with suppress(No):
                    self.do(kind, command, name, now)

    def run(self, at: int, names: Iterable[str]) -> dict[str, int]:
        """Reserve what a run matches, under these names. Return how much of which requests took part."""
        self.advance(at)
        market = {"at": at, "day": at // DAY, "parties": self.parties, "marks": self.marks}
        market["requests"] = [*self.requests.values()]
        firm = {one.id: left_of(one) for one in self.requests.values() if not any(absences(one, market))}
        for name, match in zip(names, matches(market), strict=False):
            self.do("proposal", "match", name, at, match=match)
        for name in firm:
            self.requests[name].ran = at
        return firm

    def check(self, one: Any, now: int) -> None:
        closing, free = (self.first_day(one.maturity) - 5) * DAY, one.lots - one.filled
        no(size_below_minimum=free < 1, size_above_maximum=one.lots > 10**6)
        no(minimum_invalid=not 1 <= one.min_lots <= free)
        no(maturity_off_grid=now >= closing + 5 * DAY, maturity_closed=now >= closing)
        no(expiry_invalid=(one.expires - 15 * HOUR) % DAY or not now < one.expires <= closing + 15 * HOUR)

    def unfit(self, now: int, *requests: Any) -> None:
        who = [self.parties[one.party] for one in requests]
        no(related=len({one["group"] for one in who}) < len(who))
        no(not_eligible=any(one["is_suspended"] or now // DAY >= one["known_until"] for one in who))
        no(not_eligible="suspended" in [one.state for one in requests])
        no(not_eligible=any(any(refusals(one, other)) for one in who for other in who if one is not other))

    def hold(self, one: Any, lots: int) -> None:
        for side in one.sides:
            side.reserved += lots
            side.lots += 0 if side.state in OPEN else lots

    def terms(self, one: Any, price: int, lots: int) -> None:
        buy, first, last = one.sides[0], self.first_day(one.maturity), self.first_day(one.maturity + 1) - 1
        initial = settlement.initial(price, 100 * lots, self.moves[buy.reference])
        margins = initial, round(Fraction(3 * initial, 4)), 50_000
        deal = settlement.Deal(price, 100 * lots, first, last, buy.style == "last", *margins)
        one |= {"price": price, "lots": lots, "deal": deal, "revision": one.revision + 1, "approvals": {}}

    def do(self, kind: str, command: str, name: str, now: int, **said: Any) -> None:
        """Change what a command changes, and step over its row."""
        one, c = self.objects[kind].get(name) or Known(state="new"), Known(said)
        no(reason_missing="reason" in said and not c.reason.strip())
        match command:
            case "draft":
                no(not_found=c.who.party not in self.parties)
                one.update(c.fields, id=name, party=c.who.party, person=c.who.person, asked=c.fields["lots"])
                one |= {"reserved": 0, "filled": 0, "amended": 0, "root": None, "confirmed_for": None}
            case "submit":
                self.check(one, now)
            case "accept":
                self.unfit(now, one)
                one.accepted_at = now
            case "amend" if kind == "request":
                run, new = self.next_run(now), Known(one | c.fields)
                new |= {"amended": one.amended + 1 if one.amended_before == run else 1, "amended_before": run}
                no(slot_running=now < run - 23 * HOUR, reserved=one.reserved)
                no(amended_too_often=new.amended > 2, size_filled=new.lots <= one.filled)
                self.check(new, now)
                same = all(one[key] == new[key] for key in ("limit", "maturity", "tolerance", "tail"))
                if not same or new.lots > one.lots or new.min_lots > one.min_lots:
                    new |= {"accepted_at": now, "root": None}
                one |= new | {"asked": new.lots}
            case "confirm":
                one.confirmed_for = self.next_run(now)
            case "cancel" | "suspend":
                one.lots -= left_of(one)
            case "expire":
                no(not_due=now < one.expires, reserved=one.reserved or not left_of(one))
            case "fill":
                no(not_due=one.reserved or left_of(one))
            case "draw":
                no(drawn_already=one.root)
                one.root = c.root
            case "match":
                one |= zip(("buy", "sell", "lots", "price", "maturity"), c.match, strict=True)
                sides = [self.requests[side] for side in (one.buy, one.sell)]
                one |= {"run": now, "revision": -1, "sides": sides}
                self.hold(one, one.lots)
            case "send":
                self.unfit(now, *one.sides)
                self.terms(one, one.price, one.lots)
            case "drop" | "decline" | "lapse":
                hours = 1 if one.state == "candidate" else 24
                no(not_due=command == "lapse" and now < one.run + hours * HOUR)
                self.hold(one, -one.lots)
                one.declined_by = c.who and c.who.party
            case "approve":
                no(digest_stale=c.read != (name, one.revision), approved_already=c.who.party in one.approvals)
                no(same_person=c.who.person in one.approvals.values())
                self.unfit(now, *one.sides)
                one.approvals = one.approvals | {c.who.party: c.who.person}
            case "amend":
                buy, sell = one.sides
                no(not_asked={who.party for who in c.asked} != {buy.party, sell.party})
                no(not_yours=any(who.role != "participant_approver" for who in c.asked))
                no(same_person=c.asked[0].person == c.asked[1].person)
                no(limit_broken=not (sell.limit or 1) <= c.price <= (buy.limit or 10**9))
                no(size_broken=not max(buy.min_lots, sell.min_lots) <= c.lots <= one.lots)
                self.hold(one, c.lots - one.lots)
                self.terms(one, c.price, c.lots)
            case "book" if kind == "proposal":
                for side in one.sides:
                    side |= {"reserved": side.reserved - one.lots, "filled": side.filled + one.lots}
                of = {"sides": one.sides, "of": (side.reference, side.methodology), "deal": one.deal}
                self.do("contract", command, name, now, **of)
            case "book":
                one |= said | {"booked_at": now, "calls": {}, "due": {}, "agreed": {}, "days": []}
            case _ if kind == "contract":
                contract_effect(self, command, one, c, now)
        one.reason = c.reason or one.reason
        self.rows.add((kind, one.state, command))
        one.state = TABLES[kind][one.state, command][1]
        self.objects[kind][name] = one
        if one.state == "both_approved":
            self.do(kind, "book", name, now)
