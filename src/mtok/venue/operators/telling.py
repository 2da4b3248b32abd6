"""What a command does, told before it is given: the difference between what is there and what the core would leave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mtok.market.margin import Side
from mtok.settlement.specification import specification
from mtok.venue.operators.describing import closing_words, instant, state, usd
from mtok.wording.figures import counted


def what_happens(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return in sentences what changes of an object as its viewer sees it.

    >>> what_happens({"state": "live"}, {"state": "suspended", "reason": "abuse"})
    ['It is live now and will be suspended.', 'The reason that is kept: abuse']
    """
    said = [*_steps(before, after)]
    if "account" in before:
        said += _money(before, after)
    if after.get("reason") and after["reason"] != before.get("reason"):
        said.append(f"The reason that is kept: {after['reason']}")
    return said


def _steps(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    if before["state"] != after.get("state", before["state"]):
        yield f"It is {state(before['state'])} now and will be {state(after['state'])}."
    elif "state" not in after:
        yield f"It is {state(before['state'])} now; afterwards you see it no more."


def _money(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    held, then = before["account"], after["account"]
    for side, now, later in ((Side.BUY, held.long, then.long), (Side.SELL, held.short, then.short)):
        if later > now:
            yield (
                f"{usd(later - now)} USD of the {side}er are taken as collateral: {usd(now)} USD before, "
                f"{usd(later)} USD after."
            )
    paid = set(before["calls"]) - set(after["calls"])
    if before["closing"] is None and after["closing"] is not None:
        yield closing_words(after["closing"])
    else:
        for call in sorted(paid, key=lambda one: one.side):
            left = next((one.amount for one in after["calls"] if one.side == call.side), 0)
            rest = f" but for {usd(left)} USD" if left else ""
            yield f"The call of the {call.side}er for {usd(call.amount)} USD is paid{rest}."
    if after["noticed_at"] and not before["noticed_at"]:
        yield from (
            f"The {call.side}er has not paid {usd(call.amount)} USD, which were due at {instant(call.due)}."
            for call in before["calls"]
        )
        left = counted(specification().cure_days, "business day")
        yield f"It can be cured for {left}; after that the contract is closed out."
    if after["state"] in ("settled", "closed"):
        yield from _end(after)


def _end(after: Mapping[str, Any]) -> Iterator[str]:
    closing = after["closing"]
    if after["state"] == "settled":
        yield "You confirm that the last payment has been made."
        yield closing_words(closing)
    else:
        yield (
            f"You confirm that the collateral has been returned: {usd(closing.to_long)} USD to the buyer and "
            f"{usd(closing.to_short)} USD to the seller."
        )
