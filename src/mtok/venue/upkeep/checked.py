"""Whether a venue's database is what its history makes of it: every part that can be worked out again is, and compared.

A part yields sentences, one for each thing that is wrong. None corrects anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from mtok.errors import MtokError
from mtok.market import trial_balance
from mtok.publication.marks import marks_of
from mtok.settlement.marks import print_of
from mtok.venue import place
from mtok.venue.accounts import derived
from mtok.venue.database import ledger
from mtok.venue.database.models import Event, MarkRow
from mtok.venue.database.records import KINDS, MARK
from mtok.venue.environment import venue_environment
from mtok.venue.otc import printing, private_log

_CHUNK: Final = 1_000
_LOCKED: Final = "locked"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that is wrong. part : of the database · code : of that kind, or of why a part cannot be checked"""

    part: str
    code: str
    found: str


def findings() -> Iterator[Finding]:
    """Yield everything that is wrong; nothing where the database is what its history makes of it."""
    for name, part in PARTS.items():
        try:
            yield from (Finding(part=name, code=part.code, found=found) for found in part.check())
        except MtokError as error:
            yield Finding(part=name, code=error.code, found=error.found)


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


def _private_log() -> Iterator[str]:
    """Yield where the database is not what the private log of the venue says of it."""
    yield from private_log.check(venue_environment().place())


def _ledger() -> Iterator[str]:
    """Yield which invariants do not hold of the whole ledger, each with its name."""
    for one in trial_balance.check(ledger.transactions(), ledger.contracts()):
        yield f"{one.invariant}: {one.words}"


def _marks() -> Iterator[str]:
    """Yield which marks stand otherwise in the public log than in the database, or in one of the two alone."""
    said = marks_of(place.opened().published.entries)
    rows = [KINDS[MARK].read(row.record) for row in MarkRow.objects.order_by("id")]
    printed = {event.object: event for event in Event.objects.filter(command="mark.publish").order_by("pk")}
    for event in printed.values():
        mark = KINDS[MARK].read(event.record)
        if said.get(print_of(mark, printing.pseudonym)) != mark.log_index:
            yield f"mark {event.object} is not what entry {mark.log_index} of the public log says"
    for mark in rows:
        if mark.state == _LOCKED and print_of(mark, printing.pseudonym) not in said:
            yield f"mark {mark.reference} {mark.date} version {mark.version} is locked here, and not in the log"
    known = {(mark.reference, mark.methodology, mark.date, mark.version) for mark in rows if mark.approver}
    for one, index in said.items():
        if (*one.key, one.version) not in known:
            yield f"entry {index} of the public log is of a mark that nobody has approved here"


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of the database. code : of what is found in it"""

    code: str
    check: Callable[[], Iterator[str]]


PARTS: Final = {
    "accounts": Part(code="accounts_differ", check=derived.findings),
    "objects": Part(code="object_differs", check=_objects),
    "history": Part(code="event_missing", check=_gaps),
    "private log": Part(code="log_differs", check=_private_log),
    "ledger": Part(code="ledger_unbalanced", check=_ledger),
    "marks": Part(code="mark_differs", check=_marks),
}
"""What is checked, by its name."""
