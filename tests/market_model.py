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
from market_oracle import absences, left_of, matches, refusals

HOUR, DAY = 3600 * 10**6, 86400 * 10**6
OPEN, OPERATORS = ("submitted", "live", "paused"), ("desk", "treasury")
TWO = ("suspend", "notice", "cure", "close_out", "end", "agree", "terminate")
SURE, LOCKED = ("published", "upheld", "corrected", "locked"), ("locked",)
USES = {"margin": (*SURE, "disputed"), "agree": (*SURE, "approved"), "mature": LOCKED, "end": LOCKED}
_ROLES = {"U": "participant_user", "A": "participant_approver", "D": "desk", "T": "treasury", "S": "system"}
_TABLES = {  # states · command · who · next state, . the same
    "request": "new draft U draft;draft submit U submitted;submitted accept D live;submitted reject D rejected;"
    "live amend U .;live confirm U .;live pause UD paused;paused resume UD live;live,paused cancel U cancelled;"
    "live,paused expire S expired;live,paused fill S filled;submitted,live,paused suspend D suspended;live draw S .",
    "proposal": "new match S candidate;candidate send D terms_sent;candidate drop D dropped;"
    "terms_sent,amended approve A one_approved;one_approved approve A both_approved;"
    "terms_sent,amended,one_approved decline A declined;terms_sent,amended,one_approved amend D amended;"
    "candidate,terms_sent,amended,one_approved lapse S lapsed;both_approved book S booked",
    "contract": "new book S booked;booked activate T active;booked void S voided;active disrupt S disrupted;"
    "disrupted recover S active;active,disrupted,default_notice margin S .;active,disrupted,default_notice post T .;"
    "active,disrupted agree A .;active,disrupted mature S final_pending;final_pending settle T settled;"
    "settled close T closed;active,disrupted notice T default_notice;default_notice cure T active;"
    "default_notice close_out T closed_out;active,disrupted terminate A terminated;disrupted end T terminated",
}
TABLES = {
    kind: {
        (state, command): (tuple(_ROLES[one] for one in who), state if to == "." else to)
        for states, command, who, to in (row.split() for row in text.split(";"))
        for state in states.split(",")
    }
    for kind, text in _TABLES.items()
}


# What is known of an object, by attribute too: what was never said is None.
Known: Any = type("Known", (dict,), {"__getattr__": dict.get, "__setattr__": dict.__setitem__})


class No(Exception):
    """A command that is refused. Its argument is the code."""


def no(**codes: Any) -> None:
    """Refuse by the first code that holds."""
    for code in (code for code, holds in codes.items() if holds):
        raise No(code)


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
            no(not_yours=other.role not in roles, same_person=who.person == other.person)
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

    def close(self, one: Any, day: int, values: dict[int, int]) -> None:
        """End at the settlement price of a day."""
        no(mark_missing={*range(one.deal.first, day), day} - values.keys())
        price = settlement.dsp(one.deal, day, values)
        one |= {"calls": {}, "due": {}, "closing": (price, settlement.end(one.deal, one.money, price))}

    def do(self, kind: str, command: str, name: str, now: int, **said: Any) -> None:  # noqa: PLR0912
        """Change what a command changes, and step over its row."""
        one, c = self.objects[kind].get(name) or Known(state="new"), Known(said)
        no(reason_missing="reason" in said and not c.reason.strip())
        deal, marks = one.deal, [m for m in said.get("marks", ()) if (m.reference, m.methodology) == one.of]
        values = settlement.usable(marks, USES.get(command, SURE))
        known = values | (one.agreed or {})
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
                one |= {
                    "run": now,
                    "revision": -1,
                    "sides": [self.requests[one.buy], self.requests[one.sell]],
                }
                self.hold(one, one.lots)
            case "send":
                self.unfit(now, *one.sides)
                self.terms(one, one.price, one.lots)
            case "drop" | "decline" | "lapse":
                no(
                    not_due=command == "lapse"
                    and now < one.run + (1 if one.state == "candidate" else 24) * HOUR
                )
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
                of = {"sides": one.sides, "of": (side.reference, side.methodology), "deal": deal}
                self.do("contract", command, name, now, **of)
            case "book":
                one |= said | {"booked_at": now, "calls": {}, "due": {}, "agreed": {}, "days": []}
            case "void":
                no(not_due=now < self.deadline(one.booked_at, 2))
            case "activate":
                no(margin_missing=min(c.buyer, c.seller) < deal.initial)
                one.money = settlement.Money(0, c.buyer, c.seller)
            case "disrupt":
                no(mark_missing=not values, not_disrupted=c.level in ("F0", "F1"))
            case "recover":
                no(mark_missing=not values, still_disrupted=c.level not in ("F0", "F1"))
            case "margin":
                no(margin_done=c.day <= max(one.days, default=0), window_over=c.day > deal.last)
                no(mark_missing={*range(deal.first, c.day), c.day} - known.keys())
                claims = settlement.usable(marks, ("disputed",), "own") | one.agreed
                row = settlement.margin(deal, one.money, c.day, known, claims)
                due = dict.fromkeys(row.calls, self.business(c.day + 1, 1) * DAY + 17 * HOUR)
                one |= {"money": row.money, "calls": one.calls | row.calls, "days": [*one.days, c.day]}
                one.due = due | one.due  # what was missed stays missed
            case "post":
                no(amount_invalid=min(c.buyer, c.seller) < 0 or not c.buyer + c.seller)
                paid, (moved, long, short) = {"buy": c.buyer, "sell": c.seller}, one.money
                one.money = settlement.Money(moved, long + c.buyer, short + c.seller)
                one.calls = {side: due - paid[side] for side, due in one.calls.items() if due > paid[side]}
                one.due = {side: one.due[side] for side in one.calls}
            case "agree":
                no(digest_stale=not c.same, value_invalid=not 0 < c.value <= 10**9)
                no(day_outside=c.day not in range(deal.first, min(deal.last + 1, now // DAY)))
                no(mark_exists=c.day in values, too_late=now >= self.deadline((c.day + 1) * DAY, 5))
                one.agreed = one.agreed | {c.day: c.value}
            case "terminate":
                no(digest_stale=not c.same, value_invalid=not 0 < c.value <= 10**9, day_outside=c.day)
                self.close(one, 0, {0: c.value})
            case "mature":
                self.close(one, deal.last, known)
            case "notice":
                no(not_overdue=all(now < due for due in one.due.values()))
                one.noticed_at = now
            case "cure":
                no(not_paid=one.calls, too_late=now >= self.deadline(one.noticed_at, 1))
                one.noticed_at = None
            case "close_out":
                no(not_due=now < self.deadline(one.noticed_at, 1))
                after = [day for day in known if one.noticed_at // DAY <= day <= deal.last]
                self.close(one, min(after, default=deal.last), known)
            case "end":
                gap = min({*range(deal.first, deal.last + 1)} - known.keys(), default=deal.last + 1)
                no(mark_missing=min(known, default=gap) >= gap)
                self.close(one, max(day for day in known if day < gap), known)
        one.reason = c.reason or one.reason
        self.rows.add((kind, one.state, command))
        one.state = TABLES[kind][one.state, command][1]
        self.objects[kind][name] = one
        if one.state == "both_approved":
            self.do(kind, "book", name, now)
