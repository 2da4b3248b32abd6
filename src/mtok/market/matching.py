"""Finding compatible interest: one deterministic batch, from pseudonymised interests alone (C1 … C10).

Within a reference and settlement style buyers and sellers stand in order of priority: the better limit first, none
being the best; then who was accepted first; then a draw that neither side nor the operator could choose. The side whose
first in that order was accepted earlier leads. Again and again the first compatible pair, by the leader's priority and
then by the other's, is matched. So nobody is passed over for a later one but for the sizes of C5, and nothing that is
compatible is left.

The inputs have canonical bytes, which are logged before the run, and so have the matches: the same inputs, in whatever
order, give the same bytes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from heapq import merge
from itertools import chain
from typing import Final

import msgspec

from mtok.canonical import canonical_bytes
from mtok.market.margin import Side
from mtok.market.months import month_text
from mtok.settlement.values import Style, price_text

_BEST: Final = -(2**62)
"""The price key of an interest without a limit."""


class Interest(msgspec.Struct, frozen=True, kw_only=True):
    """A firm request as the run sees it; C9 and C10 hold. No name stands here: parties and groups are pseudonyms.

    lots : what is left · limit : 10⁻⁶ USD per million tokens · accepted_at : instant · root : hexadecimal
    refuses : the parties of this run that it does not deal with, by name or by credit class (C8)
    """

    id: str
    party: str
    group: str
    reference: str
    methodology: str
    style: Style
    side: Side
    lots: int
    min_lots: int
    tail: bool
    limit: int | None
    maturity: int
    tolerance: int
    accepted_at: int
    root: str
    refuses: tuple[str, ...] = ()


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """A buyer and a seller who fit, for how many lots, at which price and maturity."""

    buy: str
    sell: str
    lots: int
    price: int
    maturity: int


def match(interests: Iterable[Interest], marks: Mapping[str, int]) -> list[Match]:
    """Return the matches of a run, in order.

    marks : the last published mark by reference, the price where neither side has a limit

    >>> match([], {})
    []
    """
    groups: dict[tuple[str, str, Style], list[Interest]] = defaultdict(list)
    for interest in interests:
        groups[interest.reference, interest.methodology, interest.style].append(interest)
    return [found for key in sorted(groups) for found in _Round(groups[key], marks.get(key[0])).matches()]


def priority(interest: Interest) -> tuple[int, int, bytes, str]:
    """Return what interests of one side are sorted by."""
    worse_first = -1 if interest.side == Side.BUY else 1
    price = _BEST if interest.limit is None else worse_first * interest.limit
    return price, *_seniority(interest)


def lots_of(buyer: Interest, seller: Interest, left: Mapping[str, int]) -> int:
    """Return how many lots the two can do now, 0 where the sizes do not fit (C5)."""
    lots = min(left[buyer.id], left[seller.id])
    if lots < max(buyer.min_lots, seller.min_lots):
        return 0
    rests = ((one, left[one.id] - lots) for one in (buyer, seller))
    fits = all(rest == 0 or rest >= one.min_lots or one.tail for one, rest in rests)
    return lots if fits else 0


def price_of(buyer: Interest, seller: Interest, mark: int | None) -> int | None:
    """Return the price of two interests (C6), None where they have none: limits that cross, or no limit and no mark."""
    limits = [one.limit for one in (buyer, seller) if one.limit is not None]
    if len(limits) == 2:
        return sum(limits) // 2 if limits[0] >= limits[1] else None
    return limits[0] if limits else mark


def fits(buyer: Interest, seller: Interest) -> bool:
    """Return whether two interests may be each other's, whatever their sizes and prices (C2, C4, C7, C8)."""
    apart = abs(buyer.maturity - seller.maturity)
    return (
        apart <= min(buyer.tolerance, seller.tolerance)
        and buyer.group != seller.group
        and seller.party not in buyer.refuses
        and buyer.party not in seller.refuses
    )


def inputs_bytes(interests: Iterable[Interest], marks: Mapping[str, int]) -> bytes:
    """Return the canonical bytes of a run's inputs, whatever their order: what is logged before it."""
    listed = sorted(interests, key=lambda one: one.id)
    rows = [
        msgspec.structs.asdict(one)
        | {"maturity": month_text(one.maturity), "refuses": sorted(one.refuses)}
        | ({} if one.limit is None else {"limit": price_text(one.limit)})
        for one in listed
    ]
    return canonical_bytes(
        {"interests": rows, "marks": {name: price_text(value) for name, value in marks.items()}}
    )


def matches_bytes(matches: Iterable[Match]) -> bytes:
    """Return the canonical bytes of a run's matches: what is logged after it."""
    return canonical_bytes(
        [
            msgspec.structs.asdict(one)
            | {"price": price_text(one.price), "maturity": month_text(one.maturity)}
            for one in matches
        ]
    )


def _seniority(interest: Interest) -> tuple[int, bytes, str]:
    drawn = sha256(bytes.fromhex(interest.root) + interest.id.encode()).digest()
    return interest.accepted_at, drawn, interest.id


class _Round:
    """The matching of one reference and style. Nobody is left to be matched with a leader before the one it is at."""

    def __init__(self, interests: Sequence[Interest], mark: int | None) -> None:
        self._mark = mark
        self._left = {one.id: one.lots for one in interests}
        sides = {side: sorted((one for one in interests if one.side == side), key=priority) for side in Side}
        heads = [ordered[0] for ordered in sides.values() if ordered]
        leading = min(heads, key=_seniority).side
        self._leaders = sides[leading]
        self._others: dict[int, list[tuple[int, Interest]]] = defaultdict(list)
        for place, one in enumerate(sides[leading.other]):
            self._others[one.maturity].append((place, one))

    def matches(self) -> Iterator[Match]:
        """Yield the first pair that fits, again and again."""
        row = 0
        while row < len(self._leaders):
            leader = self._leaders[row]
            other = next(self._fitting(leader), None) if self._left[leader.id] else None
            if other is None:
                row += 1
                continue
            yield self._matched(leader, other)
            if self._left[other.id]:
                row = self._first_fitting(other, row)

    def _fitting(self, leader: Interest) -> Iterator[Interest]:
        """Yield the others that a leader can be matched with now, in order of priority."""
        near = range(leader.maturity - leader.tolerance, leader.maturity + leader.tolerance + 1)
        buckets = [self._others[maturity] for maturity in near if maturity in self._others]
        for _, other in merge(*buckets) if len(buckets) > 1 else chain(*buckets):
            if _cross(leader, other):
                return
            if self._fit(leader, other):
                yield other

    def _fit(self, leader: Interest, other: Interest) -> bool:
        buyer, seller = _in_order(leader, other)
        return (
            fits(buyer, seller)
            and lots_of(buyer, seller, self._left) > 0
            and price_of(buyer, seller, self._mark) is not None
        )

    def _first_fitting(self, other: Interest, end: int) -> int:
        """Return the first leader before `end` that fits what is left of another, `end` where none does."""
        for row, leader in enumerate(self._leaders[:end]):
            if self._left[leader.id] and self._fit(leader, other):
                return row
        return end

    def _matched(self, leader: Interest, other: Interest) -> Match:
        """Take the lots of a pair from what is left; the maturity is that of the one accepted earlier (C4)."""
        buyer, seller = _in_order(leader, other)
        lots = lots_of(buyer, seller, self._left)
        price = price_of(buyer, seller, self._mark)
        assert price is not None
        for one in (leader, other):
            self._left[one.id] -= lots
        if not self._left[other.id]:
            self._others[other.maturity] = [
                one for one in self._others[other.maturity] if one[1] is not other
            ]
        earlier = min(leader, other, key=_seniority)
        return Match(buy=buyer.id, sell=seller.id, lots=lots, price=price, maturity=earlier.maturity)


def _in_order(one: Interest, other: Interest) -> tuple[Interest, Interest]:
    """Return two interests as buyer and seller."""
    return (one, other) if one.side == Side.BUY else (other, one)


def _cross(leader: Interest, other: Interest) -> bool:
    """Return whether both have limits, and these leave no price: then nobody after the other has one either."""
    buyer, seller = _in_order(leader, other)
    return buyer.limit is not None and seller.limit is not None and buyer.limit < seller.limit
