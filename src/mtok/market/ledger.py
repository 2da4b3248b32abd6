"""The ledger of contracts: what has moved between two states of a contract, as transfers that are only ever added.

A transfer takes an amount from one account and gives it to another, so nothing can come or go. What is not paid, a call
or a claim, moves nothing and is no transfer. A wrong transaction is reversed whole and made anew, never edited. Where
the venue moves no money the same ledger says what would have moved (docs/ledger.md).
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from hashlib import sha256
from typing import Final, NamedTuple

import msgspec

from mtok.calendar import day_of, format_date
from mtok.market.contracts import Contract
from mtok.market.margin import Account, Side
from mtok.settlement.machines import Refused
from mtok.settlement.marks import Mark, last_versions
from mtok.settlement.people import Actor

BANK: Final = "external:bank"
"""The world outside: where collateral comes from and goes to."""

_ID_BYTES: Final = 16


class Kind(StrEnum):
    """What a transaction is of."""

    INITIAL_MARGIN = "initial_margin"
    COLLATERAL = "collateral"
    VARIATION = "variation"
    FINAL = "final"
    CLOSE_OUT = "close_out"
    TERMINATION = "termination"
    RETURNED = "collateral_returned"
    REVERSAL = "reversal"


SETTLED: Final = {
    "settled": Kind.FINAL,
    "closed": Kind.FINAL,
    "closed_out": Kind.CLOSE_OUT,
    "terminated": Kind.TERMINATION,
}
"""States in which the last amount has moved, and as what."""

RETURNED: Final = frozenset({"closed", "closed_out", "terminated"})
"""States in which all collateral has gone back."""


class MarkVersion(NamedTuple):
    """A version of a mark, as a transaction names it."""

    reference: str
    methodology: str
    date: str
    version: int


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """An amount in cents, more than nothing, from the account that is debited to the one that is credited."""

    debit: str
    credit: str
    amount: int


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """Transfers that happen together. id : follows from the business key, which no two transactions share

    effective_day : what it is of · posted_at : when it was made · person : whose command it rests on
    reverses : id of the transaction it takes back · marks : what its amount rests on, as far as that is marks
    """

    id: str
    contract: str
    kind: Kind
    business_key: str
    effective_day: int
    posted_at: int
    person: str
    terms_sha256: str
    transfers: tuple[Transfer, ...]
    reverses: str | None = None
    marks: tuple[MarkVersion, ...] = ()


def collateral(contract: str, side: Side) -> str:
    """Return the account of what a side of a contract has posted, and what has moved to it."""
    return f"collateral:{contract}:{side}"


def variation(contract: str) -> str:
    """Return the clearing account of a contract: through it money changes sides, and nothing ever stays on it."""
    return f"variation:{contract}"


def posted(account: Account, side: Side) -> int:
    """Return what a side has posted since the beginning, in cents: its collateral without what has moved."""
    return account.long - account.moved if side == Side.BUY else account.short + account.moved


def held(contract: Contract) -> dict[Side, int]:
    """Return the collateral of both sides that a contract in its state has, in cents."""
    if contract.state in RETURNED:
        return {Side.BUY: 0, Side.SELL: 0}
    if contract.state in SETTLED:
        return to_return(contract)
    return {Side.BUY: contract.account.long, Side.SELL: contract.account.short}


def to_return(contract: Contract) -> dict[Side, int]:
    """Return what both sides get of the collateral of a contract that has ended, in cents."""
    assert contract.closing is not None
    return {Side.BUY: contract.closing.to_long, Side.SELL: contract.closing.to_short}


# ---- what has moved


def transactions_of(
    before: Contract | None, after: Contract, *, at: int, actor: Actor, marks: Sequence[Mark] = ()
) -> list[Transaction]:
    """Return what has moved between two states of a contract, in order; the same for the same two.

    before : None where the contract has just been booked · actor : who gave the command
    marks : those that the amounts rest on, of `settle` the locked ones; other contracts' among them are left out
    """
    assert before is None or before.id == after.id, "two states of one contract"
    step = _Step(after, at, actor.person, tuple(_own(after, marks)))
    ran = before is not None and before.state != "booked"
    days = after.days[len(before.days) if before else 0 :]
    found = list(_posted(step, before.account if before else Account(), ran))
    found += [step.varied(day.day, day.moved) for day in days if day.moved]
    state = before.state if before else None
    if after.state in SETTLED and state not in SETTLED:
        found += step.ended()
    if after.state in RETURNED and state not in RETURNED:
        found += step.returned()
    return found


class _Step(NamedTuple):
    """A contract after a command, and what its transactions have in common. marks : its own, the last of each day"""

    contract: Contract
    at: int
    person: str
    marks: tuple[Mark, ...]

    def varied(self, day: int, moved: int) -> Transaction:
        """Return the variation margin of a day, by the version of its mark; that of an agreed day is 0."""
        window = self.contract.terms.exposure.window
        rested = [mark for mark in self.marks if mark.day == day or window.first <= mark.day < day]
        version = next((mark.version for mark in rested if mark.day == day), 0)
        key = f"{format_date(day)}/{Kind.VARIATION}/{version}"
        transfers = _moved(self.contract.id, moved)
        return self.transaction(Kind.VARIATION, key, transfers, day=day, marks=rested)

    def ended(self) -> list[Transaction]:
        """Return the last amount between the sides: what is paid, and what a side had got that was never there."""
        closing, account = self.contract.closing, self.contract.account
        assert closing is not None
        paid = closing.paid if closing.payer == Side.SELL else -closing.paid
        uncovered = closing.to_long - account.long - paid
        transfers = (*_moved(self.contract.id, paid), *_moved(self.contract.id, uncovered))
        kind, days = SETTLED[self.contract.state], self.contract.terms.exposure.window.days
        rested = [mark for mark in self.marks if kind != Kind.FINAL or mark.day in days]
        return [self.transaction(kind, kind, transfers, marks=rested)] if transfers else []

    def returned(self) -> list[Transaction]:
        """Return what goes back to each side, all that is left."""
        kind, name = Kind.RETURNED, self.contract.id
        return [
            self.transaction(kind, f"{kind}/{side}", (_transfer(collateral(name, side), BANK, amount),))
            for side, amount in to_return(self.contract).items()
            if amount
        ]

    def transaction(
        self,
        kind: Kind,
        key: str,
        transfers: tuple[Transfer, ...],
        *,
        day: int | None = None,
        marks: Iterable[Mark] = (),
    ) -> Transaction:
        """Return a transaction of the contract. key : what it is of, within the contract"""
        business_key = f"{self.contract.id}/{key}"
        return Transaction(
            id=_id(business_key),
            contract=self.contract.id,
            kind=kind,
            business_key=business_key,
            effective_day=day_of(self.at) if day is None else day,
            posted_at=self.at,
            person=self.person,
            terms_sha256=self.contract.terms.sha256,
            transfers=transfers,
            marks=tuple(
                MarkVersion(mark.reference, mark.methodology, mark.date, mark.version) for mark in marks
            ),
        )


def _posted(step: _Step, before: Account, ran: bool) -> Iterator[Transaction]:
    """Yield what each side has posted. Later postings are told apart by all that had come by then, which only grows."""
    kind = Kind.COLLATERAL if ran else Kind.INITIAL_MARGIN
    for side in Side:
        total = posted(step.contract.account, side)
        amount = total - posted(before, side)
        if amount:
            key = f"{kind}/{side}/{total}" if ran else f"{kind}/{side}"
            yield step.transaction(kind, key, (_transfer(BANK, collateral(step.contract.id, side), amount),))


def _moved(contract: str, to_long: int) -> tuple[Transfer, ...]:
    """Return the way of an amount from one side to the other, through the clearing account; none of nothing."""
    if not to_long:
        return ()
    payer, clearing = Side.SELL if to_long > 0 else Side.BUY, variation(contract)
    return (
        _transfer(collateral(contract, payer), clearing, abs(to_long)),
        _transfer(clearing, collateral(contract, payer.other), abs(to_long)),
    )


def _transfer(debit: str, credit: str, amount: int) -> Transfer:
    assert amount > 0, f"{amount} cents from {debit} to {credit}"
    return Transfer(debit=debit, credit=credit, amount=amount)


def _own(contract: Contract, marks: Sequence[Mark]) -> list[Mark]:
    """Return the last version of each day of the contract's reference, but for days that both sides have agreed on."""
    of, agreed = (contract.terms.reference, contract.terms.methodology), dict(contract.agreed)
    own = [mark for mark in marks if (mark.reference, mark.methodology) == of and mark.day not in agreed]
    return last_versions(own)


def _id(business_key: str) -> str:
    digest = sha256(business_key.encode()).digest()
    return urlsafe_b64encode(digest[:_ID_BYTES]).decode().rstrip("=")


# ---- what is made of transactions


def reversal_of(transaction: Transaction, *, at: int, actor: Actor) -> Transaction:
    """Return what takes a transaction back: debit and credit swapped, once. A corrected one is made anew, beside it.

    Raises Refused (`not_reversible`) for a reversal.
    """
    if transaction.kind == Kind.REVERSAL:
        raise Refused(
            "not_reversible", f"{transaction.id} is a reversal itself", "Make the transaction anew."
        )
    business_key = f"{transaction.business_key}/{Kind.REVERSAL}"
    return msgspec.structs.replace(
        transaction,
        id=_id(business_key),
        kind=Kind.REVERSAL,
        business_key=business_key,
        effective_day=day_of(at),
        posted_at=at,
        person=actor.person,
        reverses=transaction.id,
        transfers=swapped(transaction.transfers),
    )


def swapped(transfers: Iterable[Transfer]) -> tuple[Transfer, ...]:
    """Return the exact negative of transfers."""
    return tuple(Transfer(debit=one.credit, credit=one.debit, amount=one.amount) for one in transfers)


def balances(transactions: Iterable[Transaction]) -> dict[str, int]:
    """Return what was credited to each account less what was debited, in cents, by account in order of name."""
    found: Counter[str] = Counter()
    for one in transactions:
        for transfer in one.transfers:
            found[transfer.credit] += transfer.amount
            found[transfer.debit] -= transfer.amount
    return dict(sorted(found.items()))
