"""Matching against its oracle and its invariants, on generated markets that reach every condition."""

from __future__ import annotations

import pytest

from market_books import market, matched
from market_invariants import broken, faults, reached

BOOKS = 2_000
PART = 500

OFTEN = {
    "C1 reference": 100,
    "C1 methodology": 100,
    "C2 side": 1_000,
    "C3 style": 100,
    "C4 maturity": 200,
    "C5 minimum": 200,
    "C5 rest of the buyer": 100,
    "C5 rest of the seller": 100,
    "C6 limits cross": 100,
    "C6 no price": 20,
    "C7 group": 200,
    **{
        f"C8 {what} by the {who}": 20
        for what in ("blocked", "not allowed", "class refused")
        for who in ("buyer", "seller")
    },
    **{f"C9 {what}": 20 for what in ("not live", "not drawn", "not confirmed", "expired", "nothing left")},
    "C10 suspended": 50,
    "C10 identity": 50,
    "matches": 800,
    "partly filled": 200,
    "filled by several": 100,
    "a tail remains": 20,
    "a draw decides": 100,
    "back to an earlier leader": 5,
    "buyers lead": 200,
    "sellers lead": 200,
    "several references or styles": 2,
    "maturity of the buyer": 5,
    "maturity of the seller": 5,
    "limit of the buyer": 50,
    "limit of the seller": 50,
    "price between": 20,
    "price of equal limits": 3,
    "price rounded down": 10,
    "price of the mark": 100,
}
"""How often at least the first thousand generated markets have met what matching has to get right."""


@pytest.mark.parametrize("first", range(0, BOOKS, PART))
def test_runs_agree_with_the_oracle_and_hold_every_invariant(first: int) -> None:
    assert not [fault for seed in range(first, first + PART) for fault in faults(seed)]


def test_the_generated_markets_reach_everything() -> None:
    counts = sum(
        (reached(plain, matched(plain)[2]) for plain in map(market, range(1_000))),
        start=reached(market(0), []),
    )
    assert not {name: counts[name] for name, least in OFTEN.items() if counts[name] < least}
    assert not counts.keys() - OFTEN.keys()


@pytest.mark.parametrize(("seed", "size"), [(0, 200), (1, 200), (2, 200), (3, 200), (4, 200), (5, 1_000)])
def test_invariants_hold_in_large_markets(seed: int, size: int) -> None:
    """As many requests as the brute force could not compare in a lifetime; what holds of every run holds of theirs."""
    plain = market(seed, size)
    given = matched(plain)
    assert len(given[2]) > size // 20
    assert not broken(plain, given, seed)


def test_nothing_and_one_side_alone_match_nothing() -> None:
    plain = market(0)
    for requests in ([], [one for one in plain["requests"] if one["side"] == "buy"]):
        given = matched(plain | {"requests": requests})
        assert given[2] == []
        assert given[1].outputs == b"[]"
