"""What a treasury's command says beside its name: the marks it rests on, read again for whoever confirms it.

A command that was said before a mark changed is not the same afterwards: its details differ, and it is said anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from mtok.calendar import parse_date
from mtok.market.book import CONTRACT
from mtok.market.contracts import Marked
from mtok.settlement.marks import Mark
from mtok.settlement.people import Role
from mtok.venue.accounts.principals import Principal
from mtok.venue.database.models import Intention, MarkRow
from mtok.venue.database.records import KINDS, MARK
from mtok.venue.otc import trading

_DAYS_BEFORE: Final = 400
"""How far before a window marks are looked at: a contract begins at most twelve months before it."""
RESTING: Final = frozenset({"close_out", "end"})
"""Commands that rest on marks."""


def marks_of(contract: Mapping[str, Any]) -> tuple[Mark, ...]:
    """Return the marks of a contract's reference, up to the end of its window, as they are now."""
    terms = msgspec.json.decode(contract["terms"])
    first, last = parse_date(terms["first_date"]), parse_date(terms["last_date"])
    rows = MarkRow.objects.filter(
        reference=terms["reference"],
        methodology=terms["methodology"],
        day__gte=first - _DAYS_BEFORE,
        day__lte=last,
    )
    return tuple(KINDS[MARK].read(row.record) for row in rows.order_by("day", "mark_version"))


def details_of_command(command: str, contract: Mapping[str, Any], reason: str) -> Any:
    """Return what a command of two of the treasury says."""
    return Marked(marks=marks_of(contract), reason=reason) if command in RESTING else None


def details_again(principal: Principal, found: Intention) -> Any:
    """Return what was said, as whoever confirms it says it: the reason as written, the marks as they are now."""
    said = msgspec.json.decode(found.details)
    if found.kind != CONTRACT:
        return said
    contract = trading.seen(principal, found.kind, found.object, Role.TREASURY)
    return details_of_command(found.command, contract, said["reason"] if isinstance(said, dict) else "")
