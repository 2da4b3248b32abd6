"""Whether a venue's database is what its history makes of it: every part that can be worked out again is, and compared.

A part yields sentences, one for each thing that is wrong. None corrects anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from mtok.venue.accounts import derived
from mtok.venue.database.models import (
    ContractRow,
    Event,
    LedgerTransaction,
    LedgerTransfer,
    MarkRow,
    ProposalRow,
    RequestRow,
)

_TABLES: Final = {"request": RequestRow, "proposal": ProposalRow, "contract": ContractRow, "mark": MarkRow}
_CLEARING: Final = "vm:"
"""What the accounts begin with that money goes through and stays in none of."""

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
    for kind, table in _TABLES.items():
        last = _last_events(kind)
        for row in table.objects.order_by("id").iterator(_CHUNK):
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
    """Yield where the ledger does not add up: a clearing account that is not empty, a reversal that is not exact."""
    balances: dict[str, int] = {}
    for transfer in LedgerTransfer.objects.order_by("id").iterator(_CHUNK):
        balances[transfer.debit] = balances.get(transfer.debit, 0) + transfer.amount
        balances[transfer.credit] = balances.get(transfer.credit, 0) - transfer.amount
    for account, balance in sorted(balances.items()):
        if account.startswith(_CLEARING) and balance:
            yield f"account {account} holds {balance} cents and has to be empty"
    for reversal in LedgerTransaction.objects.exclude(reverses=None).order_by("id"):
        legs = sorted((one.credit, one.debit, one.amount) for one in reversal.transfers.all())
        reversed_legs = sorted(
            (one.debit, one.credit, one.amount) for one in reversal.reverses.transfers.all()
        )
        if legs != reversed_legs:
            yield f"transaction {reversal.id} is not the exact reversal of {reversal.reverses_id}"


PARTS: Final[dict[str, Callable[[], Iterator[str]]]] = {
    "accounts": derived.findings,
    "objects": _objects,
    "history": _gaps,
    "ledger": _ledger,
}
"""What is checked, by its name."""
