"""The trial balance: what must hold of all transactions of contracts, each invariant by its name in docs/ledger.md.

Nothing here asks how a transaction was made: flows and balances are added up anew from the transfers, and held against
what the contracts themselves say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from mtok.calendar import format_date
from mtok.market.contracts import Contract
from mtok.market.ledger import (
    BANK,
    RETURNED,
    SETTLED,
    Kind,
    Transaction,
    balances,
    collateral,
    held,
    posted,
    swapped,
    to_return,
    variation,
)
from mtok.market.margin import Side


class Violation(NamedTuple):
    """An invariant that does not hold, and where."""

    invariant: str
    words: str


def check(transactions: Sequence[Transaction], contracts: Iterable[Contract]) -> list[Violation]:
    """Return which invariants of the ledger do not hold. transactions : all there are of the contracts, in any order

    G1 every transfer is an amount between two accounts · G2 the accounts of bank and contracts add up to nothing
    G4 no business key, no id and no margin day twice · G5 collateral is what the contract says, posted and returned too
    G6 nothing stays on a clearing account · G7 a reversal is the exact negative, of one transaction, once
    G8 what has moved is what the contract says, in the end the whole amount less what is claimed
    G11 a person and the contract's own terms stand behind every transaction
    """
    by_name = {one.id: one for one in contracts}
    found = [*_g1(transactions), *_g2(transactions, by_name), *_g4(transactions), *_g6(transactions)]
    found += [*_g7(transactions), *_g11(transactions, by_name)]
    balance, net = balances(transactions), _net(transactions)
    for one in by_name.values():
        found += [*_g5(one, balance, net), *_g8(one, net)]
    return found


def _g1(transactions: Sequence[Transaction]) -> Iterator[Violation]:
    for one in transactions:
        if not one.transfers:
            yield Violation("G1", f"{one.business_key} moves nothing")
        for transfer in one.transfers:
            if transfer.amount <= 0 or transfer.debit == transfer.credit:
                yield Violation(
                    "G1", f"{one.business_key}: {transfer.amount} from {transfer.debit} to {transfer.credit}"
                )


def _g2(transactions: Sequence[Transaction], contracts: dict[str, Contract]) -> Iterator[Violation]:
    """Yield accounts of nobody: without them the others add up to nothing, since every transfer does."""
    known = {BANK, *(account for name in contracts for account in _accounts(name))}
    for account, amount in balances(transactions).items():
        if account not in known:
            yield Violation("G2", f"{account} is no account of bank or contracts, and has {amount} cents")


def _g4(transactions: Sequence[Transaction]) -> Iterator[Violation]:
    reversed_ids = {one.reverses for one in transactions}
    days = [
        f"{one.contract} {format_date(one.effective_day)}"
        for one in transactions
        if one.kind == Kind.VARIATION and one.id not in reversed_ids
    ]
    keys = [one.business_key for one in transactions]
    for what, values in (
        ("business key", keys),
        ("id", [one.id for one in transactions]),
        ("margin day", days),
    ):
        for value, count in Counter(values).items():
            if count > 1:
                yield Violation("G4", f"{what} {value} is there {count} times")


def _g5(contract: Contract, balance: dict[str, int], net: Counter[tuple[str, str]]) -> Iterator[Violation]:
    has_ended = contract.state in RETURNED
    for side, amount in held(contract).items():
        account = collateral(contract.id, side)
        came = net[Kind.INITIAL_MARGIN, account] + net[Kind.COLLATERAL, account]
        pairs = {
            "holds": (balance.get(account, 0), amount),
            "was posted": (came, posted(contract.account, side)),
            "was returned": (-net[Kind.RETURNED, account], to_return(contract)[side] if has_ended else 0),
        }
        for what, (found, wanted) in pairs.items():
            if found != wanted:
                yield Violation("G5", f"{account} {what} {found} cents, by the contract {wanted}")


def _g6(transactions: Sequence[Transaction]) -> Iterator[Violation]:
    for one in transactions:
        for account, amount in balances([one]).items():
            if amount and account.startswith("variation:"):
                yield Violation("G6", f"{one.business_key} leaves {amount} cents on {account}")


def _g7(transactions: Sequence[Transaction]) -> Iterator[Violation]:
    by_id = {one.id: one for one in transactions}
    taken_back = Counter(one.reverses for one in transactions if one.reverses is not None)
    for one in transactions:
        if (one.kind == Kind.REVERSAL) != (one.reverses is not None):
            yield Violation(
                "G7", f"{one.business_key} of kind {one.kind} reverses {one.reverses or 'nothing'}"
            )
        elif one.reverses is not None:
            of = by_id.get(one.reverses)
            if of is None or of.kind == Kind.REVERSAL or one.transfers != swapped(of.transfers):
                yield Violation(
                    "G7", f"{one.business_key} is not the negative of a transaction {one.reverses}"
                )
    for identity, count in taken_back.items():
        if count > 1:
            yield Violation("G7", f"{identity} is reversed {count} times")


def _g8(contract: Contract, net: Counter[tuple[str, str]]) -> Iterator[Violation]:
    account, closing = collateral(contract.id, Side.BUY), contract.closing
    moved = net[Kind.VARIATION, account]
    last = sum(net[kind, account] for kind in set(SETTLED.values()))
    if moved != contract.account.moved:
        yield Violation(
            "G8", f"{contract.id}: {moved} cents of variation, by the contract {contract.account.moved}"
        )
    wanted = 0
    if contract.state in SETTLED:
        assert closing is not None
        unpaid = closing.claim if closing.debtor == Side.SELL else -closing.claim
        wanted = contract.terms.exposure.target(closing.price) - contract.account.moved - unpaid
    if last != wanted:
        yield Violation("G8", f"{contract.id}: {last} cents at the end, by price and claim {wanted}")


def _g11(transactions: Sequence[Transaction], contracts: dict[str, Contract]) -> Iterator[Violation]:
    for one in transactions:
        contract = contracts.get(one.contract)
        if not one.person or contract is None or one.terms_sha256 != contract.terms.sha256:
            yield Violation(
                "G11", f"{one.business_key} rests on no person or not on the terms of {one.contract}"
            )


def _accounts(contract: str) -> tuple[str, ...]:
    return *(collateral(contract, side) for side in Side), variation(contract)


def _net(transactions: Sequence[Transaction]) -> Counter[tuple[str, str]]:
    """Return what was credited less debited by kind and account; a reversal counts as what it takes back."""
    kinds: dict[str | None, Kind] = {one.id: one.kind for one in transactions}
    found: Counter[tuple[str, str]] = Counter()
    for one in transactions:
        kind = kinds.get(one.reverses, one.kind)
        for account, amount in balances([one]).items():
            found[kind, account] += amount
    return found
