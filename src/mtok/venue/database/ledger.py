"""The ledger in the database: what a change of a contract has moved, written in the transaction of the change."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mtok.market.book import CONTRACT
from mtok.market.commands import Command
from mtok.market.contracts import Contract, Marked
from mtok.market.ledger import Kind, MarkVersion, Transaction, Transfer, transactions_of
from mtok.settlement.marks import Mark
from mtok.venue.database.books import Change
from mtok.venue.database.models import ContractRow, LedgerTransaction, LedgerTransfer, MarkUse
from mtok.venue.database.records import KINDS, MARK


def post(changes: Sequence[Change], cause: Command) -> None:
    """Write what contracts' changes have moved. A business key that is there already stops the whole transaction."""
    for change in changes:
        if change.kind == CONTRACT:
            marks = _marks(change.after.id, cause)
            for one in transactions_of(
                change.before, change.after, at=cause.at, actor=cause.actor, marks=marks
            ):
                write(one)


def write(one: Transaction) -> None:
    """Write a transaction and its transfers."""
    row = LedgerTransaction.objects.create(
        id=one.id,
        kind=one.kind,
        business_key=one.business_key,
        contract_id=one.contract,
        effective_day=one.effective_day,
        posted_at=one.posted_at,
        person=one.person,
        reverses_id=one.reverses,
        terms_sha256=one.terms_sha256,
        marks=msgspec.json.encode(one.marks).decode(),
    )
    LedgerTransfer.objects.bulk_create(
        LedgerTransfer(transaction=row, debit=leg.debit, credit=leg.credit, amount=leg.amount)
        for leg in one.transfers
    )


def transactions(contract: str | None = None) -> list[Transaction]:
    """Return every transaction, of one contract alone where it is named, in the order in which they were made."""
    rows = LedgerTransaction.objects.prefetch_related("transfers").order_by("posted_at", "business_key")
    found = rows if contract is None else rows.filter(contract_id=contract)
    return [_read(row) for row in found]


def contracts() -> list[Contract]:
    """Return every contract, by id."""
    return [KINDS[CONTRACT].read(row.record) for row in ContractRow.objects.order_by("pk")]


def _read(row: LedgerTransaction) -> Transaction:
    legs = sorted(row.transfers.all(), key=lambda leg: leg.pk)
    return Transaction(
        id=row.id,
        contract=row.contract_id,
        kind=Kind(row.kind),
        business_key=row.business_key,
        effective_day=row.effective_day,
        posted_at=row.posted_at,
        person=row.person,
        terms_sha256=row.terms_sha256,
        transfers=tuple(Transfer(debit=leg.debit, credit=leg.credit, amount=leg.amount) for leg in legs),
        reverses=row.reverses_id,
        marks=msgspec.json.decode(row.marks, type=tuple[MarkVersion, ...]),
    )


def _marks(contract: str, cause: Command) -> Sequence[Mark]:
    """Return the marks that a change rests on: those of its command, else those that the contract has rested on."""
    if isinstance(cause.details, Marked):
        return cause.details.marks
    uses = MarkUse.objects.filter(contract_id=contract, use="settlement").select_related("mark")
    return [KINDS[MARK].read(use.mark.record) for use in uses]
