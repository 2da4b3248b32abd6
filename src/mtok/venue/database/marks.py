"""Marks as they are kept: a row a version, of each day the last one; and what stands behind a day of a contract.

Nobody but `mtok.venue.otc.marking`, `mtok.venue.otc.printing` and `mtok.venue.otc.settling` writes here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from mtok.market.commands import Command
from mtok.market.contracts import Contract
from mtok.settlement.marks import IN_MARGIN, IN_SETTLEMENT, Mark, usable
from mtok.venue.database.books import Change
from mtok.venue.database.models import MarkRow, MarkUse
from mtok.venue.database.records import KINDS, MARK

MARGIN: Final = "margin"
SETTLEMENT: Final = "settlement"
_CLOSED_BY: Final = {
    "close_out": (MARGIN, IN_MARGIN),
    "mature": (SETTLEMENT, IN_SETTLEMENT),
    "end": (SETTLEMENT, IN_SETTLEMENT),
}
"""Command that ends a contract by marks → what it uses them for, and in which states; by agreement it uses none."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A mark as it is kept. id : of its version · version : how often that has changed"""

    id: str
    version: int
    mark: Mark


def kept(identity: str, *, locked: bool = False) -> Kept | None:
    """Return a version of a mark, None where there is none. locked : nobody else changes it in this transaction"""
    rows = MarkRow.objects.select_for_update() if locked else MarkRow.objects
    row = rows.filter(pk=identity).first()
    return None if row is None else _kept(row)


def last_kept(reference: str, methodology: str, first: int, last: int) -> list[Kept]:
    """Return the last version of the marks of each day of [first, last] that has any, by day."""
    rows = MarkRow.objects.filter(
        reference=reference, methodology=methodology, day__gte=first, day__lte=last
    ).order_by("day", "mark_version")
    return [_kept(row) for row in {row.day: row for row in rows}.values()]


def marks_of(reference: str, methodology: str, first: int, last: int) -> list[Mark]:
    """Return the marks of `last_kept`: what margin and settlement are given."""
    return [one.mark for one in last_kept(reference, methodology, first, last)]


def of_state(*states: str) -> list[Kept]:
    """Return the marks in these states that no later version has taken the place of, by day and reference."""
    rows = MarkRow.objects.filter(state__in=states).order_by("day", "reference", "mark_version")
    return [_kept(row) for row in rows if not is_followed(row.pk)]


def is_followed(identity: str) -> bool:
    """Return whether a later version of a mark has taken its place."""
    row = MarkRow.objects.get(pk=identity)
    return MarkRow.objects.filter(
        reference=row.reference,
        methodology=row.methodology,
        day=row.day,
        mark_version__gt=row.mark_version,
    ).exists()


def note_uses(changes: Sequence[Change], cause: Command) -> None:
    """Note, of each contract that has taken a margin day or has ended, the marks it rests on."""
    for change in changes:
        if not isinstance(change.after, Contract):
            continue
        contract, before = change.after, change.before
        window = contract.terms.exposure.window
        for one in contract.days[0 if before is None else len(before.days) :]:
            _note(contract, [*range(window.first, one.day), one.day], MARGIN, cause.at)
        if contract.closing and before and not before.closing and cause.command in _CLOSED_BY:
            use, states = _CLOSED_BY[cause.command]
            _note(contract, _usable_days(contract, states), use, cause.at)


def _usable_days(contract: Contract, states: frozenset[str]) -> Iterable[int]:
    """Return the days, from the last margin day or the window on, that have a mark in these states."""
    terms, window = contract.terms, contract.terms.exposure.window
    first = min([window.first, *(one.day for one in contract.days[-1:])])
    return usable(marks_of(terms.reference, terms.methodology, first, window.last), states)


def _note(contract: Contract, days: Iterable[int], use: str, at: int) -> None:
    """Note the marks of days as used; days that both sides have agreed on have none, and nothing is noted twice."""
    wanted = set(days).difference(day for day, _ in contract.agreed)
    if not wanted:
        return
    terms = contract.terms
    found = last_kept(terms.reference, terms.methodology, min(wanted), max(wanted))
    known = set(MarkUse.objects.filter(contract=contract.id, use=use).values_list("mark_id", flat=True))
    MarkUse.objects.bulk_create(
        MarkUse(contract_id=contract.id, mark_id=one.id, use=use, at=at)
        for one in found
        if one.mark.day in wanted and one.id not in known
    )


def _kept(row: MarkRow) -> Kept:
    return Kept(id=row.pk, version=row.version, mark=KINDS[MARK].read(row.record))
