"""Matching written again from its definition, by brute force: after every match it looks from the first pair on.

Nothing of `mtok` is imported. A market is plain: `at` and `day` of the run, `marks` by reference, `parties` by id and
`requests` as dictionaries. Conditions are named as in the documents, C1 … C10.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from typing import Any

Market = dict[str, Any]
Row = dict[str, Any]
Found = tuple[str, str, int, int, int]


def matches(market: Market) -> list[Found]:
    """Return the matches of a run, in order: the two requests, buyer first, lots, price, maturity."""
    firm = [one for one in market["requests"] if not any(absences(one, market))]
    return [
        found
        for kind in sorted({kind_of(one) for one in firm})
        for found in _round([one for one in firm if kind_of(one) == kind], market)
    ]


def _round(firm: list[Row], market: Market) -> Iterator[Found]:
    left = {one["id"]: left_of(one) for one in firm}
    ordered = sorted(firm, key=priority)
    buyers, sellers = ([one for one in ordered if one["side"] == side] for side in ("buy", "sell"))
    pairs = [(buyer, seller) for buyer in buyers for seller in sellers]
    if pairs and seniority(sellers[0]) < seniority(buyers[0]):
        pairs = [(buyer, seller) for seller in sellers for buyer in buyers]
    while fitting := [pair for pair in pairs if not any(obstacles(*pair, left, market))]:
        buyer, seller = fitting[0]
        lots = min(left[buyer["id"]], left[seller["id"]])
        left[buyer["id"]] -= lots
        left[seller["id"]] -= lots
        maturity = min(buyer, seller, key=seniority)["maturity"]
        yield buyer["id"], seller["id"], lots, price_of(buyer, seller, market), maturity


def kind_of(one: Row) -> tuple[str, str, str]:
    return one["reference"], one["methodology"], one["style"]


def left_of(one: Row) -> int:
    return int(one["lots"] - one["reserved"] - one["filled"])


def seniority(one: Row) -> tuple[int, bytes, str]:
    return one["accepted_at"], sha256(bytes.fromhex(one["root"]) + one["id"].encode()).digest(), one["id"]


def priority(one: Row) -> tuple[bool, int, tuple[int, bytes, str]]:
    """Return what a side is sorted by: without a limit, then a buyer's high limits, a seller's low ones."""
    limit = one["limit"] or 0
    return one["limit"] is not None, -limit if one["side"] == "buy" else limit, seniority(one)


def price_of(buyer: Row, seller: Row, market: Market) -> Any:
    limits = [one["limit"] for one in (buyer, seller) if one["limit"] is not None]
    return sum(limits) // len(limits) if limits else market["marks"].get(buyer["reference"])


def absences(one: Row, market: Market) -> Iterator[str]:
    """Yield why a request takes no part in the run."""
    at, party = market["at"], market["parties"][one["party"]]
    checks = {
        "C9 not live": one["state"] != "live",
        "C9 not drawn": one["root"] is None,
        "C9 not confirmed": one["confirmed_for"] != at
        and (one["firm_until"] is None or one["firm_until"] < at),
        "C9 expired": at >= one["expires"],
        "C9 nothing left": left_of(one) == 0,
        "C10 suspended": party["is_suspended"],
        "C10 identity": market["day"] >= party["known_until"],
    }
    yield from (why for why, holds in checks.items() if holds)


def obstacles(buyer: Row, seller: Row, left: dict[str, int], market: Market) -> Iterator[str]:
    """Yield why two firm requests cannot be matched now."""
    for name, condition in (("reference", "C1"), ("methodology", "C1"), ("style", "C3")):
        if buyer[name] != seller[name]:
            yield f"{condition} {name}"
    if (buyer["side"], seller["side"]) != ("buy", "sell"):
        yield "C2 side"
    apart = abs(buyer["maturity"] - seller["maturity"])
    if apart > buyer["tolerance"] or apart > seller["tolerance"]:
        yield "C4 maturity"
    lots = min(left[buyer["id"]], left[seller["id"]])
    if lots == 0 or lots < buyer["min_lots"] or lots < seller["min_lots"]:
        yield "C5 minimum"
    for one in (buyer, seller):
        if 0 < left[one["id"]] - lots < one["min_lots"] and not one["tail"]:
            yield f"C5 rest of the {one['side']}er"
    if None not in (buyer["limit"], seller["limit"]) and buyer["limit"] < seller["limit"]:
        yield "C6 limits cross"
    if price_of(buyer, seller, market) is None:
        yield "C6 no price"
    ours, theirs = market["parties"][buyer["party"]], market["parties"][seller["party"]]
    if ours["group"] == theirs["group"]:
        yield "C7 group"
    yield from (f"C8 {why} by the buyer" for why in refusals(ours, theirs))
    yield from (f"C8 {why} by the seller" for why in refusals(theirs, ours))


def refusals(party: Row, other: Row) -> Iterator[str]:
    name = plain_name(other["legal_name"])
    if name in map(plain_name, party["blocked"]):
        yield "blocked"
    if party["allowed"] and name not in map(plain_name, party["allowed"]):
        yield "not allowed"
    if other["credit_class"] not in party["accepts"]:
        yield "class refused"


@cache
def plain_name(legal_name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", legal_name).casefold().split())
