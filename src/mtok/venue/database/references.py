"""References as the book needs them: what a publication says of each, and its last mark that may be used."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import msgspec

from mtok.calendar import day_of
from mtok.errors import MtokError
from mtok.market.references import Reference, reference_of
from mtok.publication.marks import MODEL
from mtok.settlement.marks import IN_MARGIN
from mtok.settlement.specification import specification
from mtok.venue import place
from mtok.venue.database.models import MarkRow
from mtok.venue.database.records import KINDS, MARK
from mtok.venue.opened import Opened

_REMEMBERED: Final = 256


def references(names: Iterable[str], at: int) -> dict[str, Reference]:
    """Return those of the names that are published, as they stand at an instant."""
    found = {}
    for name in names:
        reference = _published(place.opened(), name, day_of(at))
        if reference is not None:
            last = last_mark(name, reference.methodology)
            found[name] = msgspec.structs.replace(reference, mark=last)
    return found


def series() -> list[str]:
    """Return the series that contracts may refer to, none where nothing is published."""
    try:
        return place.opened().series()
    except MtokError:
        return []


def last_mark(reference: str, methodology: str) -> int | None:
    """Return the last mark of a reference that may be used, None without one."""
    rows = MarkRow.objects.filter(
        reference=reference, methodology=methodology, state__in=IN_MARGIN, log_index__isnull=False
    )
    last = rows.order_by("-day", "-mark_version").first()
    return None if last is None else KINDS[MARK].read(last.record).value


@lru_cache(_REMEMBERED)
def _published(opened: Opened, name: str, day: int) -> Reference | None:
    """Return what a publication says of a reference, None of what it does not have."""
    try:
        methodology = opened.methodology()
        if not name.startswith(MODEL) and name not in opened.series():
            return None
        return reference_of(opened.published, name, methodology, day, None, specification())
    except MtokError:
        return None
