"""The market against the cheapest honest baseline: matching against sorting the requests, margin against multiplying.

usage: bench_market.py [--rounds N]

Candidate and baseline take turns in one process; medians of CPU milliseconds and of the ratios, pair by pair. The
baseline of matching and runs sorts the requests by priority, that of margin multiplies two lists.
"""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
import time
from collections.abc import Callable

from mtok.calendar import DAY, format_date, parse_date, parse_instant
from mtok.market.book import Book, margin_run, run
from mtok.market.contracts import Contract
from mtok.market.margin import Account, Side
from mtok.market.matching import Interest, match, priority
from mtok.market.months import month_number
from mtok.market.parties import Party
from mtok.market.references import Reference
from mtok.market.requests import Request
from mtok.market.terms import Terms
from mtok.publication.marks import Source
from mtok.settlement.marks import Level, Mark
from mtok.settlement.specification import specification
from mtok.settlement.values import Style

REFERENCES = ("anthropic", "deepseek", "google-gemini", "moonshot", "openai", "qwen")
MARKS = {name: 10_000_000 + place * 1_000_000 for place, name in enumerate(REFERENCES)}
FIRST = parse_date("2027-03-01")
DAYS = 20
RUN = parse_instant("2026-12-10T15:00:00Z")
CONTRACTS = 10_000


def interests(count: int, seed: int, references: tuple[str, ...]) -> list[Interest]:
    """Return firm requests as a lively market has them: a third without a limit, the others near the mark."""
    chance = random.Random(seed)
    return [
        Interest(
            id=f"r{number:06}",
            party=f"p{number % 997}",
            group=f"g{number % 499}",
            reference=(reference := chance.choice(references)),
            methodology="1.0",
            style=Style.AVERAGE,
            side=chance.choice(list(Side)),
            lots=chance.randint(1, 50),
            min_lots=1,
            tail=True,
            limit=None if chance.random() < 1 / 3 else MARKS[reference] + chance.randint(-500_000, 500_000),
            maturity=month_number("2027-01") + chance.randint(0, 11),
            tolerance=chance.choice((0, 0, 0, 1)),
            accepted_at=chance.randint(0, 10**9),
            root="ab" * 32,
        )
        for number in range(count)
    ]


def book_of_requests(count: int) -> Book:
    """Return a book of live requests, all of them firm, of 997 participants."""
    rules = specification()
    listed = interests(count, count, REFERENCES)
    parties = {
        one.party: Party(
            id=one.party,
            group=one.group,
            legal_name=f"Company {one.party}",
            lei="529900T8BM49AURSDO55",
            contact="sealed",
            credit_class="A",
            accepts=frozenset("A"),
            blocked=frozenset({"Company p1"}),
            known_until=FIRST,
        )
        for one in listed
    }
    references = {
        name: Reference(reference=name, methodology="1.0", printed=60, mark=mark)
        for name, mark in MARKS.items()
    }
    requests = {one.id: _request(one) for one in listed}
    return Book(rules=rules, parties=parties, references=references, requests=requests)


def _request(one: Interest) -> Request:
    return Request(
        id=one.id,
        party=one.party,
        person="a",
        reference=one.reference,
        methodology=one.methodology,
        side=one.side,
        lots=one.lots,
        maturity=one.maturity,
        expires=RUN + DAY,
        tail=one.tail,
        limit=one.limit,
        tolerance=one.tolerance,
        firm_until=RUN,
        state="live",
        accepted_at=one.accepted_at,
        root=one.root,
    )


def book_of_contracts() -> tuple[Book, list[Mark]]:
    """Return running contracts, and the marks of the first days of their window."""
    rules = specification()
    contracts = {f"c{number:05}": _contract(number) for number in range(CONTRACTS)}
    marks = [_mark(name, FIRST + day) for name in REFERENCES for day in range(DAYS)]
    return Book(rules=rules, parties={}, references={}, contracts=contracts), marks


def _contract(number: int) -> Contract:
    rules = specification()
    terms = Terms(
        proposal=f"c{number:05}",
        revision=0,
        end=0,
        reference=REFERENCES[number % len(REFERENCES)],
        methodology="1.0",
        style=Style.AVERAGE,
        maturity=month_number("2027-03"),
        lots=1 + number % 50,
        price=10_000_000 + number,
        initial_margin=5_000_000,
        maintenance_margin=3_750_000,
        buyer="",
        seller="",
        buyer_class="a",
        seller_class="a",
        multiplier=rules.multiplier,
        transfer_min=rules.transfer_min,
        payment_days=rules.payment_days,
        unit=rules.unit,
        currency=rules.currency,
        specification=rules.specification,
        specification_sha256=rules.sha256,
    )
    account = Account(long=5_000_000, short=5_000_000)
    return Contract(
        id=terms.proposal,
        terms=terms,
        approvals=(),
        buyer="b",
        seller="s",
        booked_at=0,
        state="active",
        account=account,
    )


def _mark(reference: str, day: int) -> Mark:
    source = Source(
        index=day,
        reference=reference,
        methodology="1.0",
        date=format_date(day),
        stage="final",
        vintage=0,
        quality="good",
        sha256="0" * 64,
        known_at=f"{format_date(day + 1)}T14:00:00Z",
        value=MARKS[reference] + day % 7 * 10_000,
    )
    return Mark(
        reference=reference,
        methodology="1.0",
        date=source.date,
        version=0,
        state="published",
        level=Level.FINAL,
        value=source.value or 0,
        source=source,
        preparer="a",
        approver="b",
        log_index=day,
    )


def cost(work: Callable[[], object]) -> float:
    """Return the CPU milliseconds of a piece of work."""
    began = time.process_time()
    work()
    return (time.process_time() - began) * 1000


def compare(title: str, candidate: Callable[[], object], baseline: Callable[[], object], rounds: int) -> None:
    """Print medians of both, and of their ratios."""
    pairs = [(cost(candidate), cost(baseline)) for _ in range(rounds)]
    ours, theirs = (statistics.median(pair[place] for pair in pairs) for place in (0, 1))
    ratio = statistics.median(one / other for one, other in pairs)
    print(f"{title:72} {ours:9.1f} ms {theirs:9.2f} ms  ratio {ratio:8.1f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    for count in (1_000, 10_000):
        for references in (REFERENCES, REFERENCES[:1]):
            book = interests(count, count, references)
            found = match(book, MARKS)
            compare(
                f"matching {count:,} live requests of {len(references)} reference(s): {len(found):,} matches",
                lambda book=book: match(book, MARKS),  # type: ignore[misc]
                lambda book=book: sorted(book, key=priority),  # type: ignore[misc]
                rounds,
            )
        whole, listed = book_of_requests(count), interests(count, count, REFERENCES)
        compare(
            f"the whole run of {count:,} live requests: who may, matching, reserving",
            lambda whole=whole: run(whole, RUN, map(str, itertools.count())),  # type: ignore[misc]
            lambda listed=listed: sorted(listed, key=priority),  # type: ignore[misc]
            rounds,
        )
    market, marks = book_of_contracts()
    prices = [one.terms.price for one in market.contracts.values()]
    quantities = [one.terms.lots * one.terms.multiplier for one in market.contracts.values()]
    day, at = FIRST + DAYS - 1, (FIRST + DAYS) * DAY
    taken, refused = margin_run(market, marks, day, at)
    assert not refused
    assert all(one.days for one in taken.contracts.values())
    compare(
        f"margin of {CONTRACTS:,} contracts on day {DAYS} of their window",
        lambda: margin_run(market, marks, day, at),
        lambda: [price * quantity for price, quantity in zip(prices, quantities, strict=True)],
        rounds,
    )


if __name__ == "__main__":
    main()
