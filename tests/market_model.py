"""The market once more, in plain dicts, from the words of its tables: what becomes of every command.

Nothing of mtok is imported. Who acts, and what a command says, is looked at by attribute; marks are plain rows. A
command that is refused raises `No` with its code and has changed nothing, because every guard stands before the first
change. Numbers are those of the contract specification: instants in microseconds, cents, 10⁻⁶ USD per million tokens.
"""

# ruff: noqa: ARG002 - every effect is given the same two things
from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

HOUR, DAY = 3600 * 10**6, 86400 * 10**6
_EPOCH = dt.date(1970, 1, 1).toordinal()
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


class No(Exception):
    """A command that is refused. Its argument is the code."""


def no(**codes: Any) -> None:
    """Refuse by the first code that holds."""
    for code, holds in codes.items():
        if holds:
            raise No(code)


def first_day(month: int) -> int:
    return dt.date(month // 12, month % 12 + 1, 1).toordinal() - _EPOCH


def left(request: dict[str, Any]) -> int:
    return int(request["lots"] - request["reserved"] - request["filled"])


def next_run(now: int) -> int:
    return (now - 15 * HOUR) // DAY * DAY + DAY + 15 * HOUR


def stale(who: Any, now: int) -> bool:
    """Whether the second factor was not shown in the last 300 seconds."""
    return who.stepped_up_at is None or not 0 <= now - who.stepped_up_at <= 300 * 10**6


class Market:
    """parties: group, contact, credit, accepts, blocked, known_until, suspended · holidays: days

    references: methodology, printed, mark, moves (sorted) · rows: of the tables, that were stepped over
    """

    def __init__(self, parties: dict[str, Any], references: dict[str, Any], holidays: Iterable[int]) -> None:
        self.parties, self.references, self.holidays = parties, references, frozenset(holidays)
        self.objects: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in TABLES}
        self.requests, self.proposals, self.contracts = self.objects.values()
        self.rows: set[tuple[str, str, str]] = set()

    def give(
        self, kind: str, command: str, name: str, who: Any, now: int, second: Any = None, **said: Any
    ) -> None:
        self.advance(now)
        one = self.objects[kind].get(name)
        foreign = one and who.role in (_ROLES["U"], _ROLES["A"]) and who.party not in self.owners(kind, one)
        if (
            foreign or one is None
        ):  # alike: who may make none is told so, of one that is not theirs there is none
            makes = ("new", command) in TABLES[kind]
            if makes:
                self.may(kind, "new", command, who)
            no(not_found=foreign or not makes)
        else:
            self.may(kind, one["state"], command, who)
        effect = getattr(self, f"{kind}_{command}", None)
        if effect:
            effect(one, SimpleNamespace(name=name, command=command, who=who, now=now, second=second, **said))
        self.step(kind, name, command)
        if kind == "proposal" and self.proposals[name]["state"] == "both_approved":
            self.book(name, now)

    def may(self, kind: str, state: str, command: str, who: Any) -> None:
        row = TABLES[kind].get((state, command))
        no(not_allowed=row is None, not_yours=row and who.role not in row[0])

    def step(self, kind: str, name: str, command: str) -> None:
        one = self.objects[kind][name]
        self.rows.add((kind, one["state"], command))
        one["state"] = TABLES[kind][one["state"], command][1]

    def owners(self, kind: str, one: dict[str, Any]) -> set[str]:
        if kind == "proposal":
            return (
                {self.requests[one[side]]["party"] for side in ("buy", "sell")}
                if one["revision"] is not None
                else set()
            )
        return {one["party"]} if kind == "request" else {one["buyer"], one["seller"]}

    def advance(self, now: int) -> None:
        """What happens because it is time, terms first."""
        for name, one in self.proposals.items():
            hours = {"candidate": 1, "terms_sent": 24, "amended": 24, "one_approved": 24}.get(one["state"])
            if hours and now >= one["run"] + hours * HOUR:
                self.free(one, one["lots"])
                self.step("proposal", name, "lapse")
        for name, one in self.requests.items():
            if (
                one["state"] in ("live", "paused")
                and not one["reserved"]
                and (not left(one) or now >= one["expires"])
            ):
                self.step("request", name, "expire" if left(one) else "fill")
        for name, one in self.contracts.items():
            if one["state"] == "booked" and now >= self.deadline(one["booked_at"], 2):
                self.step("contract", name, "void")

    def business(self, day: int, count: int) -> int:
        while count:
            day += 1
            count -= dt.date.fromordinal(day + _EPOCH).weekday() < 5 and day not in self.holidays
        return day

    def deadline(self, instant: int, days: int) -> int:
        return (self.business(instant // DAY, days) + 1) * DAY

    # ---- requests

    def request_draft(self, _: None, c: Any) -> None:
        no(not_found=c.who.party not in self.parties)
        start = {
            "state": "new",
            "reserved": 0,
            "filled": 0,
            "confirmed_for": None,
            "accepted_at": None,
            "root": None,
        }
        rest = {"ran": None, "amended": 0, "amended_before": 0, "reason": None, "asked": c.fields["lots"]}
        self.requests[c.name] = c.fields | start | rest | {"party": c.who.party, "person": c.who.person}

    def check(self, one: dict[str, Any], now: int) -> None:
        reference = self.references.get(one["reference"])
        known = reference and reference["printed"] >= 54 and reference["methodology"] == one["methodology"]
        free, first, today = (
            one["lots"] - one["filled"],
            first_day(one["maturity"]),
            dt.date.fromordinal(now // DAY + _EPOCH),
        )
        ahead, last = one["maturity"] - today.year * 12 - today.month + 1, (first - 5) * DAY + 15 * HOUR
        no(
            reference_not_offered=not known,
            size_below_minimum=free < 1,
            size_above_maximum=one["lots"] > 10**6,
        )
        no(minimum_invalid=not 1 <= one["min_lots"] <= free, maturity_off_grid=not 1 <= ahead <= 12)
        no(maturity_closed=now >= (first - 5) * DAY, tolerance_invalid=not 0 <= one["tolerance"] <= 12)
        no(limit_out_of_range=one["limit"] is not None and not 0 < one["limit"] <= 10**9)
        no(expiry_invalid=(one["expires"] - 15 * HOUR) % DAY or not now < one["expires"] <= last)

    def request_submit(self, one: dict[str, Any], c: Any) -> None:
        self.check(one, c.now)
        own = [
            r
            for r in self.requests.values()
            if r["party"] == one["party"] and r["state"] in ("submitted", "live", "paused")
        ]
        beside = [r for r in own if (r["reference"], r["side"]) == (one["reference"], one["side"])]
        no(
            contact_missing=not self.parties[one["party"]]["contact"],
            quota_live=len(own) >= 20,
            quota_side=len(beside) >= 3,
        )

    def trades(self, party: str, now: int) -> bool:
        return not self.parties[party]["suspended"] and now // DAY < self.parties[party]["known_until"]

    def request_accept(self, one: dict[str, Any], c: Any) -> None:
        no(has_position=c.who.party, not_eligible=not self.trades(one["party"], c.now))
        one["accepted_at"] = c.now

    def request_reject(self, one: dict[str, Any], c: Any) -> None:
        no(reason_missing=not c.reason.strip())
        one["reason"] = c.reason

    def request_amend(self, one: dict[str, Any], c: Any) -> None:
        run = next_run(c.now)
        count = one["amended"] + 1 if one["amended_before"] == run else 1
        no(slot_running=c.now < run - 23 * HOUR, reserved=one["reserved"], amended_too_often=count > 2)
        no(size_filled=c.fields["lots"] <= one["filled"])
        self.check(one | c.fields, c.now)
        same = all(one[name] == c.fields[name] for name in ("limit", "maturity", "tolerance", "tail"))
        if not same or c.fields["lots"] > one["lots"] or c.fields["min_lots"] > one["min_lots"]:
            one |= {"accepted_at": c.now, "root": None}
        one |= c.fields | {"asked": c.fields["lots"], "amended": count, "amended_before": run}

    def request_confirm(self, one: dict[str, Any], c: Any) -> None:
        one["confirmed_for"] = next_run(c.now)

    def request_cancel(self, one: dict[str, Any], c: Any) -> None:
        one["lots"] -= left(one)

    def request_expire(self, one: dict[str, Any], c: Any) -> None:
        no(not_due=c.now < one["expires"], reserved=True)  # or it would have expired by itself

    def request_fill(self, one: dict[str, Any], c: Any) -> None:
        no(not_due=left(one) or one["reserved"])

    def request_suspend(self, one: dict[str, Any], c: Any) -> None:
        self.operators("request", one, c)
        no(reason_missing=not c.reason.strip())
        one |= {"lots": one["lots"] - left(one), "reason": c.reason}

    def request_draw(self, one: dict[str, Any], c: Any) -> None:
        no(drawn_already=one["root"])
        one["root"] = c.root

    # ---- runs and proposals

    def refuses(self, one: dict[str, Any], other: dict[str, Any]) -> bool:
        mine, theirs = self.parties[one["party"]], self.parties[other["party"]]
        return other["party"] in mine["blocked"] or theirs["credit"] not in mine["accepts"]

    def pair(self, buy: dict[str, Any], sell: dict[str, Any]) -> tuple[int, int] | None:
        """Lots and price of two requests that fit each other, C1 … C8."""
        alike = (
            all(buy[name] == sell[name] for name in ("reference", "methodology", "style"))
            and buy["side"] != sell["side"]
        )
        near = abs(buy["maturity"] - sell["maturity"]) <= min(buy["tolerance"], sell["tolerance"])
        strangers = self.parties[buy["party"]]["group"] != self.parties[sell["party"]]["group"]
        lots = min(left(buy), left(sell))
        rests = all(
            one["tail"] or left(one) == lots or left(one) - lots >= one["min_lots"] for one in (buy, sell)
        )
        limits = [one["limit"] for one in (buy, sell) if one["limit"] is not None]
        crossed = len(limits) == 2 and limits[0] < limits[1]
        price = sum(limits) // len(limits) if limits else self.references[buy["reference"]]["mark"]
        fit = (
            alike
            and near
            and strangers
            and rests
            and lots >= max(buy["min_lots"], sell["min_lots"])
            and not crossed
        )
        return (
            (lots, price)
            if fit and price and not self.refuses(buy, sell) and not self.refuses(sell, buy)
            else None
        )

    def run(self, at: int, matches: Sequence[tuple[str, Any]]) -> dict[str, int]:
        """Reserve the matches of a run, which have to fit and leave nothing that does. Return who took part."""
        self.advance(at)
        firm = {
            name: one
            for name, one in self.requests.items()
            if one["state"] == "live" and one["root"] and left(one)
        }
        sure = {n: r for n, r in firm.items() if r["confirmed_for"] == at or (r["firm_until"] or 0) >= at}
        firm = {n: r for n, r in sure.items() if at < r["expires"] and self.trades(r["party"], at)}
        lots = {name: left(one) for name, one in firm.items()}
        for one in firm.values():
            one["ran"] = at
        for name, match in matches:
            sides = firm[match.buy], firm[match.sell]
            assert self.pair(*sides) == (match.lots, match.price), (self.pair(*sides), match)
            first = min(one["accepted_at"] for one in sides)
            assert match.maturity in [one["maturity"] for one in sides if one["accepted_at"] == first]
            said = {key: getattr(match, key) for key in ("buy", "sell", "lots", "price", "maturity")}
            rest: dict[str, Any] = {
                "run": at,
                "state": "new",
                "revision": None,
                "approvals": [],
                "declined_by": None,
            }
            self.proposals[name] = said | rest
            self.step("proposal", name, "match")
            for one in sides:
                one["reserved"] += match.lots
        buys, sells = (
            [one for one in firm.values() if one["side"] == side and left(one)] for side in ("buy", "sell")
        )
        assert not any(self.pair(buy, sell) for buy in buys for sell in sells), "a pair that fits is left"
        return lots

    def free(self, one: dict[str, Any], lots: int) -> None:
        for request in (self.requests[one["buy"]], self.requests[one["sell"]]):
            request["reserved"] -= lots
            request["lots"] -= 0 if request["state"] in ("live", "paused") else lots

    def unfit(self, one: dict[str, Any], now: int) -> None:
        buy, sell = self.requests[one["buy"]], self.requests[one["sell"]]
        no(related=self.parties[buy["party"]]["group"] == self.parties[sell["party"]]["group"])
        no(not_eligible=not (self.trades(buy["party"], now) and self.trades(sell["party"], now)))
        no(
            not_eligible="suspended" in (buy["state"], sell["state"])
            or self.refuses(buy, sell)
            or self.refuses(sell, buy)
        )

    def margins(self, one: dict[str, Any], price: int, lots: int) -> dict[str, Any]:
        moves, notional = (
            self.references[self.requests[one["buy"]]["reference"]]["moves"],
            Fraction(price * lots, 100),
        )
        worst = Fraction(5, 4) * moves[-(-99 * len(moves) // 100) - 1] * lots / 100 if len(moves) >= 60 else 0
        initial = round(max(notional / 10, worst) if worst else notional * 3 / 10)
        return {
            "price": price,
            "lots": lots,
            "initial": initial,
            "maintenance": round(Fraction(initial * 3, 4)),
        }

    def proposal_send(self, one: dict[str, Any], c: Any) -> None:
        no(has_position=c.who.party)
        self.unfit(one, c.now)
        one |= self.margins(one, one["price"], one["lots"]) | {"revision": 0}

    def proposal_drop(self, one: dict[str, Any], c: Any) -> None:
        self.free(one, one["lots"])

    def proposal_approve(self, one: dict[str, Any], c: Any) -> None:
        """c.read : name and revision of the terms that were read"""
        no(step_up=stale(c.who, c.now), digest_stale=c.read != (c.name, one["revision"]))
        no(approved_already=c.who.party in [party for party, *_ in one["approvals"]])
        no(same_person=c.who.person in [person for _, person, *_ in one["approvals"]])
        self.unfit(one, c.now)
        one["approvals"].append((c.who.party, c.who.person, one["revision"], c.now))

    def proposal_decline(self, one: dict[str, Any], c: Any) -> None:
        self.free(one, one["lots"])
        one["declined_by"] = c.who.party

    def proposal_amend(self, one: dict[str, Any], c: Any) -> None:
        buy, sell = self.requests[one["buy"]], self.requests[one["sell"]]
        no(
            has_position=c.who.party,
            not_asked={who.party for who in c.asked} != {buy["party"], sell["party"]},
        )
        for who in c.asked:
            self.may("proposal", one["state"], "decline", who)
        no(same_person=c.asked[0].person == c.asked[1].person)
        no(
            limit_broken=c.price > (buy["limit"] or 10**9)
            or c.price < (sell["limit"] or 1)
            or not 0 < c.price <= 10**9
        )
        no(size_broken=not max(buy["min_lots"], sell["min_lots"]) <= c.lots <= one["lots"])
        self.free(one, one["lots"] - c.lots)
        one |= self.margins(one, c.price, c.lots) | {"approvals": [], "revision": one["revision"] + 1}

    def proposal_lapse(self, one: dict[str, Any], c: Any) -> None:
        no(not_due=True)  # or it would have lapsed by itself

    def book(self, name: str, now: int) -> None:
        one = self.proposals[name]
        buy, sell = self.requests[one["buy"]], self.requests[one["sell"]]
        for request in (buy, sell):
            request |= {
                "reserved": request["reserved"] - one["lots"],
                "filled": request["filled"] + one["lots"],
            }
        terms = {key: one[key] for key in ("price", "lots", "initial", "maintenance", "maturity", "revision")}
        of = {"buyer": buy["party"], "seller": sell["party"]} | {
            key: buy[key] for key in ("reference", "methodology", "style")
        }
        money: dict[str, Any] = {
            "moved": 0,
            "long": 0,
            "short": 0,
            "calls": {},
            "agreed": {},
            "days": [],
            "closing": None,
        }
        rest = {"state": "new", "booked_at": now, "noticed_at": None, "reason": None}
        self.contracts[name] = terms | of | money | rest
        self.step("proposal", name, "book")
        self.step("contract", name, "book")

    # ---- contracts

    def two(self, kind: str, one: dict[str, Any], c: Any) -> None:
        no(second_missing=c.second is None)
        self.may(kind, one["state"], c.command, c.second)
        no(same_person=c.who.person == c.second.person)

    def operators(self, kind: str, one: dict[str, Any], c: Any) -> None:
        self.two(kind, one, c)
        no(has_position=c.who.party or c.second.party)

    def contract_book(self, one: None, c: Any) -> None:
        no(not_allowed=True)

    def contract_activate(self, one: dict[str, Any], c: Any) -> None:
        no(margin_missing=min(c.buyer, c.seller) < one["initial"])
        one |= {"long": c.buyer, "short": c.seller}

    def contract_void(self, one: dict[str, Any], c: Any) -> None:
        no(not_due=True)  # or it would be void by itself

    def contract_disrupt(self, one: dict[str, Any], c: Any) -> None:
        no(not_disrupted=c.level in ("F0", "F1"))

    def contract_recover(self, one: dict[str, Any], c: Any) -> None:
        no(still_disrupted=c.level not in ("F0", "F1"))

    def values(self, one: dict[str, Any], marks: Iterable[Any], *states: str) -> dict[int, int]:
        own = [m for m in marks if (m.reference, m.methodology) == (one["reference"], one["methodology"])]
        last = {m.day: m for m in sorted(own, key=lambda m: m.version)}
        agreed: dict[int, int] = one["agreed"]
        return {day: m.value for day, m in last.items() if m.state in states and m.logged} | agreed

    def window(self, one: dict[str, Any]) -> tuple[int, int]:
        return first_day(one["maturity"]), first_day(one["maturity"] + 1) - 1

    def price(self, one: dict[str, Any], day: int, values: dict[int, int]) -> int:
        first, last = self.window(one)
        no(mark_missing={*range(first, day), day} - values.keys())
        if one["style"] == "last" or day < first:
            return values[day]
        total = sum(values[past] for past in range(first, day)) + (last - day + 1) * values[day]
        return round(Fraction(total, last - first + 1))

    def owed(self, one: dict[str, Any], price: int) -> int:
        return round(Fraction((price - one["price"]) * one["lots"], 100)) - int(one["moved"])

    def contract_margin(self, one: dict[str, Any], c: Any) -> None:
        no(margin_done=one["days"] and c.day <= one["days"][-1], window_over=c.day > self.window(one)[1])
        values = self.values(one, c.marks, "published", "upheld", "corrected", "locked", "disputed")
        due = self.owed(one, self.price(one, c.day, values))
        sure = self.values(one, c.marks, "published", "upheld", "corrected", "locked")
        ours = [m for m in c.marks if (m.reference, m.methodology) == (one["reference"], one["methodology"])]
        claims = {
            m.day: m.own
            for m in sorted(ours, key=lambda m: m.version)
            if m.day in values and m.day not in sure
        }
        theirs = self.owed(one, self.price(one, c.day, values | claims))
        due = min(due, theirs, key=abs) if due * theirs > 0 else 0
        moved = due if abs(due) >= 50000 else 0
        one |= {"moved": one["moved"] + moved, "long": one["long"] + moved, "short": one["short"] - moved}
        one["days"].append(c.day)
        pay = self.business(c.day + 1, 1) * DAY + 17 * HOUR
        for side, equity in (("buy", one["long"] + due - moved), ("sell", one["short"] - due + moved)):
            if equity < one["maintenance"]:  # a call that was missed stays missed
                one["calls"][side] = one["initial"] - equity, min(pay, one["calls"].get(side, (0, pay))[1])

    def contract_post(self, one: dict[str, Any], c: Any) -> None:
        no(amount_invalid=min(c.buyer, c.seller) < 0 or not c.buyer + c.seller)
        one |= {"long": one["long"] + c.buyer, "short": one["short"] + c.seller}
        paid = {"buy": c.buyer, "sell": c.seller}
        one["calls"] = {
            side: (amount - paid[side], due)
            for side, (amount, due) in one["calls"].items()
            if amount > paid[side]
        }

    def agreed(self, one: dict[str, Any], c: Any) -> None:
        self.two("contract", one, c)
        no(not_asked={c.who.party, c.second.party} != {one["buyer"], one["seller"]})
        no(
            step_up=stale(c.who, c.now) or stale(c.second, c.now),
            digest_stale=not c.same,
            value_invalid=not 0 < c.value <= 10**9,
        )

    def contract_agree(self, one: dict[str, Any], c: Any) -> None:
        self.agreed(one, c)
        first, last = self.window(one)
        no(day_outside=c.day is None or not first <= c.day <= last)
        no(too_late=c.now >= self.deadline((c.day + 1) * DAY, 5))
        one["agreed"] = one["agreed"] | {c.day: c.value}

    def contract_terminate(self, one: dict[str, Any], c: Any) -> None:
        self.agreed(one, c)
        no(day_outside=c.day is not None)
        self.close(one, c.value)

    def contract_mature(self, one: dict[str, Any], c: Any) -> None:
        self.close(one, self.price(one, self.window(one)[1], self.values(one, c.marks, "locked")))

    def contract_notice(self, one: dict[str, Any], c: Any) -> None:
        self.operators("contract", one, c)
        no(not_overdue=all(c.now < due for _, due in one["calls"].values()))
        one["noticed_at"] = c.now

    def contract_cure(self, one: dict[str, Any], c: Any) -> None:
        self.operators("contract", one, c)
        no(not_paid=one["calls"], too_late=c.now >= self.deadline(one["noticed_at"], 1))
        one["noticed_at"] = None

    def contract_close_out(self, one: dict[str, Any], c: Any) -> None:
        self.operators("contract", one, c)
        no(not_due=c.now < self.deadline(one["noticed_at"], 1))
        values, last = (
            self.values(one, c.marks, "published", "upheld", "corrected", "locked"),
            self.window(one)[1],
        )
        after = [day for day in values if one["noticed_at"] // DAY <= day <= last] or [last]
        self.close(one, self.price(one, min(after), values))

    def contract_end(self, one: dict[str, Any], c: Any) -> None:
        self.operators("contract", one, c)
        no(reason_missing=not c.reason.strip())
        values = self.values(one, c.marks, "locked")
        days = [day for day in values if day <= self.window(one)[1]]
        no(mark_missing=not days)
        self.close(one, self.price(one, max(days), values))
        one["reason"] = c.reason

    def close(self, one: dict[str, Any], price: int) -> None:
        """Pay what is open from collateral; what is missing is a claim on whoever lacks it."""
        due, there = self.owed(one, price), one["long"] + one["short"]
        long, short = one["long"] + due, one["short"] - due
        payer = "sell" if due > 0 else "buy" if due else None
        debtor = "buy" if long < 0 else "sell" if short < 0 else None
        claim = -min(long, short, 0)
        got = (0 if long < 0 else there) if claim else long
        one["calls"] = {}
        one["closing"] = {
            "price": price,
            "value": due + one["moved"],
            "open": due,
            "payer": payer,
            "debtor": debtor,
        }
        one["closing"] |= {"paid": max(0, abs(due) - claim) if payer == debtor else abs(due), "claim": claim}
        one["closing"] |= {"to_long": got, "to_short": there - got}
