"""Ledgers kept along with contracts, command by command, and what they say in few words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from market_driving import Drive
from market_world import Pick
from mtok.calendar import format_date
from mtok.market.book import Book
from mtok.market.commands import Command
from mtok.market.contracts import Contract
from mtok.market.ledger import Transaction, transactions_of
from mtok.market.trial_balance import check
from mtok.settlement.marks import Mark
from mtok.settlement.people import SYSTEM, Actor
from mtok.settlement.values import amount_text
from settling import given


class Kept:
    """A book of contracts and the ledger of what was moved by the commands given to it."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.transactions: list[Transaction] = []

    @property
    def contracts(self) -> list[Contract]:
        """The contracts as they are now."""
        return list(self.book.contracts.values())

    def give(self, *commands: Command, marks: Sequence[Mark] = ()) -> None:
        """Give commands and add what each moved; every invariant holds after each. marks : where a command has none"""
        for one in commands:
            after = given(self.book, one)
            rested = getattr(one.details, "marks", None) or marks
            self.transactions += moved(self.book, after, one.at, one.actor, rested)
            self.book = after
            assert check(self.transactions, self.contracts) == []


def moved(before: Book, after: Book, at: int, actor: Actor, marks: Sequence[Mark]) -> list[Transaction]:
    """Return what has moved between two books, contract by contract."""
    return [
        transaction
        for name, contract in after.contracts.items()
        if contract is not before.contracts.get(name)
        for transaction in transactions_of(
            before.contracts.get(name), contract, at=at, actor=actor, marks=marks
        )
    ]


class LedgerDrive(Drive):
    """A market driven as in `market_driving`, with its ledger: after every command it is added to and checked."""

    def __init__(self, pick: Pick) -> None:
        self.transactions: list[Transaction] = []
        super().__init__(pick)
        self.seen = self.book

    def compare(self) -> None:
        """As the market is compared with its model; and the ledger is held against the contracts."""
        super().compare()
        self.transactions += moved(self.seen, self.book, self.now, SYSTEM, self.marks_given())
        self.seen = self.book
        found = check(self.transactions, self.book.contracts.values())
        assert found == [], found

    def marks_given(self) -> Sequence[Mark]:
        """The marks of the last command."""
        marks: Sequence[Mark] = getattr(self.details_given, "marks", ())
        return marks

    details_given: Any = None

    def give(self, *args: Any, **said: Any) -> bool:
        """Give a command, and keep what it says."""
        self.details_given = args[4] if len(args) > 4 else None
        return super().give(*args, **said)


def said(transaction: Transaction) -> str:
    """Return a transaction in one line: date, kind, and every amount with its way; … is the clearing account."""
    names = {"external:bank": "bank", f"variation:{transaction.contract}": "…"}
    ways = []
    for one in transaction.transfers:
        debit, credit = (names.get(name, name.rpartition(":")[2]) for name in (one.debit, one.credit))
        ways.append(f"{debit}>{credit} {amount_text(one.amount)}")
    return f"{format_date(transaction.effective_day)} {transaction.kind} {', '.join(ways)}"


def changed(transactions: Sequence[Transaction], place: int, **changes: Any) -> list[Transaction]:
    """Return transactions of which one is another."""
    found = list(transactions)
    found[place] = msgspec.structs.replace(found[place], **changes)
    return found


def in_cents(balance: Mapping[str, int]) -> dict[str, str]:
    """Return balances as amounts, those of nothing left out."""
    return {account: amount_text(amount) for account, amount in balance.items() if amount}
