"""How contracts end where the collateral is not what it should be."""

from __future__ import annotations

import pytest

from mtok.market.margin import Account, Side, close
from settling import micro, terms

EXPOSURE = terms(price=micro("10"), lots=1, multiplier=10).exposure
"""Ten million tokens: a dollar of price is a thousand cents."""


@pytest.mark.parametrize(
    ("account", "price", "payer", "paid", "debtor", "claim", "to_long", "to_short"),
    [
        (Account(long=500, short=1500), "10.4", Side.SELL, 400, None, 0, 900, 1100),
        (Account(long=500, short=1500), "9.2", Side.BUY, 500, Side.BUY, 300, 0, 2000),
        (Account(moved=-1000, long=-600, short=2600), "9.4", Side.SELL, 400, Side.BUY, 200, 0, 2000),
        (Account(moved=-1000, long=-600, short=2600), "9", None, 0, Side.BUY, 600, 0, 2000),
        (Account(moved=-1000, long=-600, short=2600), "8.7", Side.BUY, 0, Side.BUY, 900, 0, 2000),
        (Account(moved=1000, long=2600, short=-600), "10.7", Side.BUY, 300, Side.SELL, 300, 2000, 0),
    ],
)
def test_who_owes_a_claim_is_who_lacks_collateral(
    account: Account,
    price: str,
    payer: Side | None,
    paid: int,
    debtor: Side | None,
    claim: int,
    to_long: int,
    to_short: int,
) -> None:
    """By hand. A side below nothing owes the rest also where the last amount goes to it."""
    closing = close(account, EXPOSURE, micro(price))
    assert (closing.payer, closing.paid) == (payer, paid)
    assert (closing.debtor, closing.claim) == (debtor, claim)
    assert (closing.to_long, closing.to_short) == (to_long, to_short)
