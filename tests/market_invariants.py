"""What holds of every run, whoever computed it (M1 … M9), and what a run reached.

The matches are taken one after the other and looked at by conditions alone; nothing is matched again.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import combinations

from market_books import Matched, market, matched, only, shuffled
from market_oracle import (
    Found,
    Market,
    Row,
    absences,
    kind_of,
    left_of,
    matches,
    obstacles,
    price_of,
    priority,
    seniority,
)


def faults(seed: int) -> list[str]:
    """Return what is wrong with the run of a generated market: where it differs from the oracle, what it breaks."""
    plain = market(seed)
    given, wanted = matched(plain), matches(plain)
    differs = [] if given[2] == wanted else [f"matched {given[2]}, by the oracle {wanted}"]
    return [f"market {seed}: {one}" for one in (*differs, *broken(plain, given, seed))]


def broken(plain: Market, given: Matched, seed: int) -> list[str]:
    """Return which invariants a run breaks, none where all is well."""
    return [
        *_broken_by_matches(plain, given[2]),
        *_broken_by_book(plain, given),
        *_broken_by_order(plain, given, seed),
    ]


def _broken_by_matches(plain: Market, found: list[Found]) -> Iterator[str]:
    by_id = {one["id"]: one for one in plain["requests"]}
    firm = [one for one in plain["requests"] if not any(absences(one, plain))]
    left = {one["id"]: left_of(one) for one in firm}
    places = {one["id"]: priority(one) for one in firm}
    peers = defaultdict(list)
    for one in firm:
        peers[kind_of(one), one["side"]].append(one)

    def fit(one: Row, other: Row) -> bool:
        pair = (one, other) if one["side"] == "buy" else (other, one)
        return not any(obstacles(*pair, left, plain))

    for buy, sell, lots, price, maturity in found:
        buyer, seller = by_id[buy], by_id[sell]
        if not {buy, sell} <= left.keys():
            yield f"M2: {buy} or {sell} takes no part"
            return
        yield from (f"M2: {buy} and {sell}: {why}" for why in obstacles(buyer, seller, left, plain))
        if (price, maturity) != (
            price_of(buyer, seller, plain),
            min(buyer, seller, key=seniority)["maturity"],
        ):
            yield f"M2: {buy} and {sell}: price {price}, maturity {maturity}"
        if not max(1, buyer["min_lots"], seller["min_lots"]) <= lots <= min(left[buy], left[sell]):
            yield f"M9: {buy} and {sell}: {lots} lots"
        for taken, other in ((buyer, seller), (seller, buyer)):
            for one in peers[kind_of(taken), taken["side"]]:
                if left[one["id"]] and places[one["id"]] < places[taken["id"]] and fit(one, other):
                    yield f"M4: {one['id']} is passed over for {taken['id']}"
        left[buy] -= lots
        left[sell] -= lots
    if min(left.values(), default=0) < 0:
        yield "M1: less than nothing is left"
    leftover = {key: [one for one in ones if left[one["id"]]] for key, ones in peers.items()}
    for (kind, side), ones in leftover.items():
        others = leftover.get((kind, "sell"), []) if side == "buy" else []
        yield from (
            f"M7: {one['id']} and {other['id']}" for one in ones for other in others if fit(one, other)
        )
    yield from _passed_over(by_id, peers, left, found, plain)


def _passed_over(
    by_id: dict[str, Row],
    peers: dict[tuple[tuple[str, str, str], str], list[Row]],
    left: dict[str, int],
    found: list[Found],
    plain: Market,
) -> Iterator[str]:
    """Yield who in the end has something left although somebody later was matched with one who fits (M4).

    Only those without a minimum are looked at, on both sides: their sizes fit whatever is left.
    """
    for buy, sell, *_ in found:
        for taken, other in ((by_id[buy], by_id[sell]), (by_id[sell], by_id[buy])):
            if other["min_lots"] > 1:
                continue
            for one in peers[kind_of(taken), taken["side"]]:
                if left[one["id"]] and one["min_lots"] == 1 and priority(one) < priority(taken):
                    pair = (one, other) if one["side"] == "buy" else (other, one)
                    if not any(why[:2] != "C5" for why in obstacles(*pair, left, plain)):
                        yield f"M4: {one['id']} has {left[one['id']]} left, {taken['id']} was matched"


def _broken_by_book(plain: Market, given: Matched) -> Iterator[str]:
    after, _, found = given
    held: Counter[str] = Counter()
    for buy, sell, lots, *_ in found:
        held[buy] += lots
        held[sell] += lots
    for one in plain["requests"]:
        now = after.requests[one["id"]]
        if (
            now.left < 0
            or now.reserved != held[one["id"]]
            or (now.lots, now.filled) != (one["lots"], one["filled"])
        ):
            yield f"M1: {now}"
    if [(one.buy, one.sell, one.lots, one.price, one.maturity) for one in after.proposals.values()] != found:
        yield "M1: the candidates are not the matches"


def _broken_by_order(plain: Market, given: Matched, seed: int) -> Iterator[str]:
    _, done, found = given
    _, again, _ = matched(shuffled(plain, seed))
    if (done.inputs, done.outputs) != (again.inputs, again.outputs):
        yield "M5: the order of the inputs changes bytes"
    kinds = sorted({kind_of(one) for one in plain["requests"]})
    apart = [one for kind in kinds for one in matched(only(plain, kind))[2]] if len(kinds) > 1 else found
    if apart != found:
        yield "M6: other references, methodologies or styles change matches"


def reached(plain: Market, found: list[Found]) -> Counter[str]:
    """Return what a run reached: conditions that kept two apart, and what its matches went through."""
    counts = Counter(why for one in plain["requests"] for why in absences(one, plain))
    firm = [one for one in plain["requests"] if not any(absences(one, plain))]
    left = {one["id"]: left_of(one) for one in firm}
    for one, other in combinations(firm, 2):
        counts["C2 side"] += one["side"] == other["side"]
        if one["side"] != other["side"]:
            pair = (one, other) if one["side"] == "buy" else (other, one)
            counts.update(obstacles(*pair, left, plain))
    by_id = {one["id"]: one for one in firm}
    times: Counter[str] = Counter()
    before: Row | None = None
    for buy, sell, lots, price, maturity in found:
        buyer, seller = by_id[buy], by_id[sell]
        times.update((buy, sell))
        counts.update(_reached_by(buyer, seller, price, maturity, plain))
        ties = [
            other for other in firm if _tie(other, buyer) and not any(obstacles(other, seller, left, plain))
        ]
        ties += [
            other for other in firm if _tie(other, seller) and not any(obstacles(buyer, other, left, plain))
        ]
        counts["a draw decides"] += len(ties) > 2
        for one in (buyer, seller):
            left[one["id"]] -= lots
            counts["a tail remains"] += 0 < left[one["id"]] < one["min_lots"]
        one = buyer if _buyers_lead(kind_of(buyer), firm) else seller
        if before is not None and kind_of(before) == kind_of(one):
            counts["back to an earlier leader"] += priority(one) < priority(before)
        before = one
        counts["buyers lead" if one is buyer else "sellers lead"] += 1
    counts["filled by several"] += sum(number > 1 for number in times.values())
    counts["partly filled"] += sum(left[one] > 0 for one in times)
    counts["several references or styles"] += len({kind_of(by_id[one]) for one in times}) > 1
    counts["matches"] += len(found)
    return counts


def _reached_by(buyer: Row, seller: Row, price: int, maturity: int, plain: Market) -> Iterator[str]:
    limits = [one["limit"] for one in (buyer, seller) if one["limit"] is not None]
    if len(limits) == 2:
        yield "price of equal limits" if limits[0] == limits[1] else "price between"
        if sum(limits) % 2:
            yield "price rounded down"
    else:
        yield (
            "price of the mark"
            if not limits
            else f"limit of the {'seller' if buyer['limit'] is None else 'buyer'}"
        )
    if buyer["maturity"] != seller["maturity"]:
        yield f"maturity of the {'buyer' if maturity == buyer['maturity'] else 'seller'}"


def _tie(one: Row, other: Row) -> bool:
    return all(one[name] == other[name] for name in ("side", "limit", "accepted_at"))


def _buyers_lead(kind: tuple[str, str, str], firm: list[Row]) -> bool:
    first = [
        min((one for one in firm if kind_of(one) == kind and one["side"] == side), key=priority)
        for side in ("buy", "sell")
    ]
    return seniority(first[0]) < seniority(first[1])
