"""What a desk looks at twice: participants who ask for information rather than for contracts, and round trips."""

from __future__ import annotations

from collections import defaultdict

from mtok.market.book import Book
from mtok.market.proposals import Proposal


def decliners(book: Book) -> list[str]:
    """Return the parties that declined more of their last terms than the specification allows, sorted."""
    ended: dict[str, list[Proposal]] = defaultdict(list)
    for one in sorted(book.proposals.values(), key=lambda one: (one.run, one.id)):
        if one.terms is not None and one.state in ("declined", "lapsed", "booked"):
            for party in book.owners(one):
                ended[party].append(one)
    rules = book.rules
    return sorted(
        party
        for party, outcomes in ended.items()
        if len(outcomes) >= rules.outcomes_reviewed
        and sum(one.declined_by == party for one in outcomes[-rules.outcomes_reviewed :])
        > rules.declined_share_max * rules.outcomes_reviewed
    )


def round_trips(book: Book) -> list[tuple[str, str, str]]:
    """Return (party, party, reference) of those that have booked both ways with each other, sorted."""
    ways = {(one.buyer, one.seller, one.terms.reference) for one in book.contracts.values()}
    return sorted(
        (buyer, seller, reference)
        for buyer, seller, reference in ways
        if buyer < seller and (seller, buyer, reference) in ways
    )
