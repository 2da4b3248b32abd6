"""The ledger as a Beancount file, so that a program nobody here has written may add it up.

The transactions are those of the ledger; the balances asserted at the end are not added up from them but are what the
contracts say. So `bean-check` answers whether the two agree. Who is behind a transaction is not in the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from mtok.calendar import day_of, format_date
from mtok.market.contracts import Contract
from mtok.market.ledger import BANK, Transaction, collateral, held, variation
from mtok.settlement.values import amount_text

_BANK: Final = "Assets:Bank"
_PARENTS: Final = {"collateral": "Liabilities:Collateral", "variation": "Liabilities:Variation"}
_ID: Final = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPED: Final = str.maketrans({"-": "--", "_": "-u"})
"""Names have no underscore there. Read from the left it goes back one way only, so no two ids become one."""


def beancount_text(transactions: Sequence[Transaction], contracts: Iterable[Contract]) -> str:
    """Return a Beancount file: accounts, transactions in their order, and in the end what the contracts hold.

    contracts : those that the transactions are of; an account is opened for each, and its balance asserted exactly
    """
    ordered = sorted(contracts, key=lambda one: one.id)
    currencies = {one.id: one.terms.currency for one in ordered}
    lines = ['option "title" "Ledger of contracts"']
    lines += [f'option "operating_currency" "{one}"' for one in sorted(set(currencies.values()))]
    lines += ["", *_opened(transactions, ordered)]
    for one in transactions:
        lines += ["", *_entry(one, currencies[one.contract])]
    lines += ["", *_balances(transactions, ordered)]
    return "\n".join(lines) + "\n"


def account_name(account: str) -> str:
    """Return the name that an account of the ledger has in the file.

    >>> account_name("collateral:a_b-1:buy")
    'Liabilities:Collateral:Ca-ub--1:Buy'
    """
    if account == BANK:
        return _BANK
    kind, contract, *side = account.split(":")
    assert _ID.fullmatch(contract), f"{contract!r} is no id of a contract"
    return ":".join([_PARENTS[kind], f"C{contract.translate(_ESCAPED)}", *(one.title() for one in side)])


def _opened(transactions: Sequence[Transaction], contracts: Sequence[Contract]) -> Iterator[str]:
    """Yield when each account begins: with its contract, or with what is of a day before that was booked."""
    since = {one.id: day_of(one.booked_at) for one in contracts}
    for one in transactions:
        since[one.contract] = min(since[one.contract], one.effective_day)
    if since:
        yield f"{format_date(min(since.values()))} open {_BANK}"
    for contract in contracts:
        date = format_date(since[contract.id])
        yield from (f"{date} open {account_name(account)}" for account in _asserted(contract))


def _entry(transaction: Transaction, currency: str) -> Iterator[str]:
    yield f'{format_date(transaction.effective_day)} * "{transaction.kind}"'
    says = {
        "id": transaction.id,
        "kind": transaction.kind,
        "business_key": transaction.business_key,
        "terms_sha256": transaction.terms_sha256,
        "reverses": transaction.reverses,
    }
    yield from (f'  {key}: "{value}"' for key, value in says.items() if value is not None)
    for one in transaction.transfers:
        yield f"  {account_name(one.debit)}  {amount_text(one.amount)} {currency}"
        yield f"  {account_name(one.credit)}  {amount_text(-one.amount)} {currency}"


def _balances(transactions: Sequence[Transaction], contracts: Sequence[Contract]) -> Iterator[str]:
    """Yield what the contracts say that each account has: a day later, since a balance there is that of the morning.

    Without a tolerance of its own an assertion would let a cent pass.
    """
    days = [*(one.effective_day for one in transactions), *(day_of(one.booked_at) for one in contracts)]
    morning = format_date(max(days) + 1) if days else ""
    totals: dict[str, int] = dict.fromkeys((one.terms.currency for one in contracts), 0)
    for one in contracts:
        totals[one.terms.currency] += sum(held(one).values())
        for account, amount in _asserted(one).items():
            yield f"{morning} balance {account_name(account)}  {amount_text(-amount)} ~ 0.00 {one.terms.currency}"
    for currency, total in sorted(totals.items()):
        yield f"{morning} balance {_BANK}  {amount_text(total)} ~ 0.00 {currency}"


def _asserted(contract: Contract) -> dict[str, int]:
    """Return what each account of a contract should have, in cents that it is owed."""
    sides = {collateral(contract.id, side): amount for side, amount in held(contract).items()}
    return {**sides, variation(contract.id): 0}
