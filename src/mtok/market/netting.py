"""Netting: what two parties owe each other under contracts alike is one payment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import msgspec

from mtok.market.contracts import Contract
from mtok.settlement.machines import Refused
from mtok.settlement.values import AMOUNT_MAX


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """What one party owes another under one contract on one day, in cents, more than nothing."""

    contract: Contract
    payer: str
    payee: str
    amount: int


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """What one party pays another for a netting set; `contracts` says of which contracts it is the sum."""

    payer: str
    payee: str
    currency: str
    amount: int
    contracts: tuple[str, ...]


def due_of(contract: Contract, amount: int) -> Due | None:
    """Return an amount to the long side as what one party owes the other; None of nothing."""
    if not amount:
        return None
    payer, payee = (contract.seller, contract.buyer) if amount > 0 else (contract.buyer, contract.seller)
    return Due(contract=contract, payer=payer, payee=payee, amount=abs(amount))


def net(dues: Iterable[Due]) -> list[Payment]:
    """Return one payment a netting set, none where it comes to nothing, whatever the order of what is owed.

    A set is: the same two parties, reference, window, settlement, methodology and currency.
    """
    sums: dict[tuple[str, ...], int] = defaultdict(int)
    contracts: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for due in dues:
        first, second = sorted((due.payer, due.payee))
        key = first, second, *_set_of(due.contract)
        sums[key] += due.amount if due.payer == first else -due.amount
        contracts[key].add(due.contract.id)
    return [_payment(key, sums[key], contracts[key]) for key in sorted(sums) if sums[key]]


def _set_of(contract: Contract) -> tuple[str, ...]:
    terms = contract.terms
    return terms.reference, str(terms.maturity), terms.style, terms.methodology, terms.currency


def _payment(key: tuple[str, ...], total: int, contracts: set[str]) -> Payment:
    if abs(total) > AMOUNT_MAX:
        raise Refused("amount_overflow", f"{total} cents are more than 64 bits hold", "Pay in parts.")
    payer, payee = key[:2] if total > 0 else (key[1], key[0])
    return Payment(
        payer=payer,
        payee=payee,
        currency=key[-1],
        amount=abs(total),
        contracts=tuple(sorted(contracts)),
    )
