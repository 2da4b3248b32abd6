"""Whether a venue's database is what its history makes of it: every part that can be worked out again is, and compared.

A part yields sentences, one for each thing that is wrong. None corrects anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from mtok.market import trial_balance
from mtok.market.book import CONTRACT
from mtok.venue import private_log
from mtok.venue.accounts import derived
from mtok.venue.database.ledger import transactions
from mtok.venue.database.models import ContractRow, Event
from mtok.venue.database.records import KINDS
from mtok.venue.environment import venue_environment

_CHUNK: Final = 1_000


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that is wrong. part : of the database"""

    part: str
    found: str


def findings() -> Iterator[Finding]:
    """Yield everything that is wrong; nothing where the database is what its history makes of it."""
    for part, check in PARTS.items():
        for found in check():
            yield Finding(part=part, found=found)


def _objects() -> Iterator[str]:
    """Yield which objects of the market are not what their last event says, or have events that are missing."""
    for kind, of_kind in KINDS.items():
        last = _last_events(kind)
        for row in of_kind.table.objects.order_by("id").iterator(_CHUNK):
            event = last.pop(row.id, None)
            if event is None:
                yield f"{kind} {row.id} has no event"
            elif (row.version, row.state, row.record) != (event.version, event.state, event.record):
                yield f"{kind} {row.id} is not what its last event says"
        yield from (f"{kind} {name} has events and no row" for name in sorted(last))


def _last_events(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for event in Event.objects.filter(kind=kind).order_by("object", "version").iterator(_CHUNK):
        found[event.object] = event
    return found


def _gaps() -> Iterator[str]:
    """Yield which objects lack an event between the first and the last."""
    before: tuple[str, str, int] | None = None
    for event in Event.objects.order_by("kind", "object", "version").iterator(_CHUNK):
        is_next = before is not None and before[:2] == (event.kind, event.object)
        if is_next and before is not None and event.version != before[2] + 1:
            yield f"{event.kind} {event.object}: no event makes version {before[2] + 1}"
        before = (event.kind, event.object, event.version)


def _ledger() -> Iterator[str]:
    """Yield which invariants of the ledger do not hold."""
    contracts = [KINDS[CONTRACT].read(row.record) for row in ContractRow.objects.order_by("id")]
    for violation in trial_balance.check(transactions(), contracts):
        yield f"{violation.invariant}: {violation.words}"


def _private_log() -> Iterator[str]:
    """Yield where the private log and the database differ. Raises EnvironmentFailed where the log is damaged."""
    yield from private_log.check(venue_environment().place())


PARTS: Final[dict[str, Callable[[], Iterator[str]]]] = {
    "accounts": derived.findings,
    "objects": _objects,
    "history": _gaps,
    "ledger": _ledger,
    "private log": _private_log,
}
"""What is checked, by its name."""
