"""About and contact: what this is and is not, the hardest objection answered with figures, complaints, privacy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from mtok.errors import MtokError
from mtok.records import PublishedRecord
from mtok.venue.answers import public
from mtok.venue.environment import environment
from mtok.venue.opened import Opened
from mtok.venue.place import opened
from mtok.wording.figures import ABSENT, number, percent
from mtok.wording.sentences import amounts
from mtok.wording.statements import TOP_50, WHAT_IT_IS
from mtok.wording.words import company

DAYS: Final = 30
"""Dates over which movement is added up."""


@dataclass(frozen=True, kw_only=True)
class Concentration:
    """How far a series is one price, and how far another thing. Figures as texts, of its last printed date.

    priced : models with a price · top : share of the heaviest one · effective : one over the sum of squared weights
    unseen : how much one model under the cut could weigh · by_price : share of posted prices in all movement of the
    last dates, up and down added, `moves` of them
    """

    company: str
    date: str
    priced: int
    top: str
    effective: str
    unseen: str
    by_price: str
    moves: int


@public
def about(request: HttpRequest) -> HttpResponse:
    """Return the page."""
    rows = list(_concentrations(opened()))
    context = {
        "title": "About and contact",
        "description": "What this is and is not, limits, independence, governance, contact, complaints, privacy.",
        "what_it_is": WHAT_IT_IS,
        "top_50": TOP_50,
        "rows": rows,
        "days": DAYS,
        "contact_address": contact_address(environment().contact),
        "narrowest": min(rows, key=lambda row: Fraction(row.effective), default=None),
    }
    return render(request, "about.html", context)


def contact_address(contact: str) -> str:
    """Return where a contact leads to, empty where it is a text alone.

    >>> contact_address("prices@example.org"), contact_address("https://example.org/c"), contact_address("room 4")
    ('mailto:prices@example.org', 'https://example.org/c', '')
    """
    if contact.startswith("https://"):
        return contact
    return f"mailto:{contact}" if "@" in contact.strip("@") and not set(contact) & set(" ?&:/") else ""


def _concentrations(now: Opened) -> Iterator[Concentration]:
    """Yield the figures of each series that can be read."""
    if now.damage is not None or not now.published.size:
        return
    methodology = now.methodology()
    for series in now.series():
        records = list(_last(now, series, methodology))
        printed = [record for record in records if record.value is not None]
        if printed:
            yield _concentration(printed)


def _last(now: Opened, series: str, methodology: str) -> Iterator[PublishedRecord]:
    """Yield what is in force of the last dates, without lists, passing over what is damaged."""
    for vintage in now.published.in_force(series, methodology)[-DAYS:]:
        try:
            yield now.published.outline(vintage)
        except MtokError:
            continue


def _concentration(printed: Sequence[PublishedRecord]) -> Concentration:
    last = printed[-1]
    found = last.diagnostics
    moves = [record.move for record in printed if record.move is not None]
    gross = {"price": Fraction(0), "else": Fraction(0)}
    for move in moves:
        for name, amount in amounts(move).items():
            gross["price" if name == "price" else "else"] += abs(Fraction(amount))
    moved = sum(gross.values())
    return Concentration(
        company=company(last),
        date=last.date,
        priced=found.constituents,
        top=percent(found.top_constituent_share or "0"),
        effective=number(found.effective_constituents or "0", 1),
        unseen=percent(found.truncation_exposure) if found.truncation_exposure is not None else ABSENT,
        by_price=percent(gross["price"] / moved) if moved else ABSENT,
        moves=len(moves),
    )
