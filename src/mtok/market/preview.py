"""What terms would cost to hold, before anybody approves them: margin, and the prices at which it runs out."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import msgspec

from mtok.market.margin import Exposure, Side
from mtok.settlement.specification import Specification
from mtok.settlement.values import cash


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What a side has to expect before the window. Amounts in cents, prices in 10⁻⁶ USD per million tokens.

    call_price : the nearest at which it is called · empty_price : the nearest at which nothing of its margin is left;
    None where no possible price does that · worst_move : the largest move over `move_days` seen, with its loss
    """

    side: Side
    notional: int
    initial_margin: int
    maintenance_margin: int
    transfer_min: int
    call_price: int | None
    empty_price: int | None
    worst_move: int | None
    worst_loss: int | None


def preview(exposure: Exposure, side: Side, moves: Sequence[int], rules: Specification) -> Preview:
    """Return the margin preview of one side of terms. moves : of `mtok.market.margin.moves_of`"""
    worst = moves[-1] if moves else None
    return Preview(
        side=side,
        notional=cash(exposure.price, exposure.quantity),
        initial_margin=exposure.initial_margin,
        maintenance_margin=exposure.maintenance_margin,
        transfer_min=exposure.transfer_min,
        call_price=_nearest(exposure, side, exposure.maintenance_margin - 1, rules.price_max),
        empty_price=_nearest(exposure, side, 0, rules.price_max),
        worst_move=worst,
        worst_loss=None if worst is None else cash(worst, exposure.quantity),
    )


def _nearest(exposure: Exposure, side: Side, equity: int, price_max: int) -> int | None:
    """Return the price nearest to the trade price at which a side's equity is at most so much, None where none is.

    Equity rises with the price for the long side and falls for the short one, so a bisection finds it exactly; where
    there is no more at the trade price already, it is that one.
    """
    prices = range(price_max + 1)

    def held(price: int) -> int:
        gain = exposure.target(price)
        return exposure.initial_margin + (gain if side == Side.BUY else -gain)

    if side == Side.BUY:
        above = bisect_right(prices, equity, key=held)
        return min(above - 1, exposure.price) if above else None
    first = bisect_left(prices, -equity, key=lambda price: -held(price))
    return max(first, exposure.price) if first <= price_max else None
