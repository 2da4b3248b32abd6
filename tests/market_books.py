"""Generated markets at the second of a run, plain and as a `Book`: small numbers, so that all meets all."""

from __future__ import annotations

from itertools import count
from random import Random
from typing import Any

from market_oracle import Found, Market, Row, kind_of
from mtok.calendar import DAY, day_of
from mtok.market.book import Book, Run, run
from mtok.market.cycle import HOUR, run_of
from mtok.market.margin import Side
from mtok.market.months import month_number
from mtok.market.parties import Party
from mtok.market.references import Reference
from mtok.market.requests import Request
from mtok.settlement.specification import specification
from mtok.settlement.values import Style

RULES = specification()
FIRST_RUN = run_of(20_600, RULES)
MONTH = month_number("2026-09")
PRICE = 10_000_000
ROOTS = ("00" * 32, "5a" * 32)

Matched = tuple[Book, Run, list[Found]]


def market(seed: int, size: int | None = None) -> Market:
    """Return a market of up to 8 requests, or of a size. In every third sizes alone are in the way, C5."""
    chance = Random(seed)
    number = chance.choice((2, 4, 6, 7, 8, 8, 8, 8)) if size is None else size
    sizes, trouble = seed % 3 == 0, seed % 3 == 1
    parties = _parties(chance, 6 if size is None else max(6, size // 8), trouble)
    day = day_of(FIRST_RUN)
    made: Market = {"at": FIRST_RUN, "day": day, "marks": {"openai": PRICE}, "parties": parties}
    if chance.random() < 0.5:
        made["marks"]["google"] = 7 * PRICE
    aside = 0 if sizes else chance.choice((0.02, 0.2))
    spread = 3 if size is None else 30
    ids = chance.sample(range(10 * number), number)
    made["requests"] = [_request(chance, f"r{one}", [*parties], trouble, aside, spread) for one in ids]
    if sizes:
        made["requests"] = [one | _size(chance) for one in made["requests"]]
    return made


def _size(chance: Random) -> Row:
    lots = chance.randint(2, 12)
    return {
        "lots": lots,
        "filled": 0,
        "min_lots": min(lots, chance.choice((1, 2, 3, 4))),
        "tail": chance.random() < 0.1,
        "limit": None,
        "maturity": MONTH,
    }


def _parties(chance: Random, number: int, trouble: bool) -> dict[str, Row]:
    names = {f"p{one}": f"Company {one} Ltd" for one in range(number)}

    def some(share: float, spelled: bool = False) -> list[str]:
        chosen = [name for name in names.values() if chance.random() < share]
        return [
            name.upper().replace(" ", "  ") if spelled and chance.random() < 0.5 else name for name in chosen
        ]

    def rarely(share: float) -> bool:
        return trouble and chance.random() < share

    return {
        one: {
            "id": one,
            "group": "g0" if chance.random() < 0.15 else f"g{one}",
            "legal_name": name,
            "credit_class": chance.choice("AAB"),
            "accepts": ["A"] if rarely(0.25) else ["A", "B"],
            "blocked": some(0.3, spelled=True) if rarely(0.3) else [],
            "allowed": some(0.7, spelled=True) if rarely(0.2) else [],
            "known_until": day_of(FIRST_RUN) + (0 if rarely(0.1) else chance.choice((1, 9))),
            "is_suspended": rarely(0.1),
        }
        for one, name in names.items()
    }


def _request(
    chance: Random, identity: str, parties: list[str], trouble: bool, aside: float, spread: int
) -> Row:
    """Return a request. aside : share that is not of the usual reference, methodology, style"""

    def mostly(share: float, usual: Any, *others: Any) -> Any:
        return chance.choice(others) if chance.random() < share else usual

    away, side = 0.08 if trouble else 0, chance.choice(("buy", "sell"))
    limit = PRICE + chance.randint(-spread, spread) * chance.choice((1, 1, 1, 100_001))
    lots, filled = chance.randint(1, 7), chance.choice((0, 0, 0, 2))
    return {
        "id": identity,
        "party": chance.choice(parties),
        "reference": mostly(aside, "openai", "google"),
        "methodology": mostly(aside, "v1", "v2"),
        "style": mostly(aside, "average", "last"),
        "side": side,
        "lots": filled + mostly(away / 3, lots, 0),
        "reserved": 0,
        "filled": filled,
        "min_lots": chance.choice((1, 1, 2, lots, chance.randint(1, lots))),
        "tail": chance.random() < 0.3,
        "limit": mostly(0.5, None, limit + 2 * (side == "buy")),
        "maturity": MONTH + mostly(0.2, 0, 1, 2),
        "tolerance": chance.choice((0, 0, 1, 1, 2)),
        "accepted_at": FIRST_RUN - HOUR * chance.randint(1, 3),
        "root": mostly(away / 2, chance.choice(ROOTS), None),
        "state": mostly(away, "live", "paused", "submitted", "suspended"),
        "confirmed_for": mostly(0.15, FIRST_RUN, None, FIRST_RUN - DAY, FIRST_RUN + DAY),
        "firm_until": mostly(0.7, FIRST_RUN, None, FIRST_RUN + DAY, FIRST_RUN - 1),
        "expires": FIRST_RUN + mostly(away, DAY, 0, -DAY),
    }


def book_of(plain: Market) -> Book:
    """Return a market as a book, its objects in the order they stand in."""
    parties = (
        Party(
            **{**one, "accepts": frozenset(one["accepts"])}
            | {name: frozenset(one[name]) for name in ("blocked", "allowed")},
            lei="",
            contact="",
        )
        for one in plain["parties"].values()
    )
    requests = (
        Request(
            **{**one, "side": Side(one["side"]), "style": Style(one["style"])}, person="", asked=one["lots"]
        )
        for one in plain["requests"]
    )
    references = (
        Reference(reference=name, methodology="v1", printed=60, mark=plain["marks"].get(name))
        for name in ("openai", "google")
    )
    return Book(
        rules=RULES,
        parties={one.id: one for one in parties},
        references={one.reference: one for one in references},
        requests={one.id: one for one in requests},
    )


def matched(plain: Market) -> Matched:
    """Return the book after the run, the run, and its matches as plain as the oracle's."""
    after, done = run(book_of(plain), plain["at"], (f"c{one}" for one in count()))
    return after, done, [(one.buy, one.sell, one.lots, one.price, one.maturity) for one in done.matches]


def shuffled(plain: Market, seed: int) -> Market:
    """Return the same market with everything in another order."""
    chance = Random(seed)

    def mixed(listed: list[Any]) -> list[Any]:
        return chance.sample(listed, len(listed))

    return {
        **plain,
        "requests": mixed(plain["requests"]),
        "parties": dict(mixed([*plain["parties"].items()])),
        "marks": dict(mixed([*plain["marks"].items()])),
    }


def only(plain: Market, kind: tuple[str, str, str]) -> Market:
    """Return a market without the requests of other references, methodologies and styles."""
    return {**plain, "requests": [one for one in plain["requests"] if kind_of(one) == kind]}
