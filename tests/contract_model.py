"""What becomes of a contract, in plain words and the amounts of the oracle; a part of `market_model`."""

from __future__ import annotations

from typing import Any

import settlement_oracle as settlement
from market_rows import no

HOUR, DAY = 3600 * 10**6, 86400 * 10**6
SURE, LOCKED = ("published", "upheld", "corrected", "locked"), ("locked",)
USES = {"margin": (*SURE, "disputed"), "agree": (*SURE, "approved"), "mature": LOCKED, "end": LOCKED}


def contract_effect(market: Any, command: str, one: Any, c: Any, now: int) -> None:
    """Change what a command changes of a contract."""
    deal, marks = one.deal, [m for m in c.marks or () if (m.reference, m.methodology) == one.of]
    values = settlement.usable(marks, USES.get(command, SURE))
    known = values | one.agreed
    match command:
        case "void":
            no(not_due=now < market.deadline(one.booked_at, 2))
        case "activate":
            no(margin_missing=min(c.buyer, c.seller) < deal.initial)
            one.money = settlement.Money(0, c.buyer, c.seller)
        case "disrupt":
            no(mark_missing=not values, not_disrupted=c.level in ("F0", "F1"))
        case "recover":
            no(mark_missing=not values, still_disrupted=c.level not in ("F0", "F1"))
        case "margin":
            no(margin_done=c.day <= max(one.days, default=0), window_over=c.day > deal.last)
            no(mark_missing={*range(deal.first, c.day), c.day} - known.keys())
            claims = settlement.usable(marks, ("disputed",), "own") | one.agreed
            row = settlement.margin(deal, one.money, c.day, known, claims)
            due = dict.fromkeys(row.calls, market.business(c.day + 1, 1) * DAY + 17 * HOUR)
            one |= {"money": row.money, "calls": one.calls | row.calls, "days": [*one.days, c.day]}
            one.due = due | one.due  # what was missed stays missed
        case "post":
            no(amount_invalid=min(c.buyer, c.seller) < 0 or not c.buyer + c.seller)
            paid, (moved, long, short) = {"buy": c.buyer, "sell": c.seller}, one.money
            one.money = settlement.Money(moved, long + c.buyer, short + c.seller)
            one.calls = {side: due - paid[side] for side, due in one.calls.items() if due > paid[side]}
            one.due = {side: one.due[side] for side in one.calls}
        case "agree":
            no(digest_stale=not c.same, value_invalid=not 0 < c.value <= 10**9)
            no(day_outside=c.day not in range(deal.first, min(deal.last + 1, now // DAY)))
            no(mark_exists=c.day in values, too_late=now >= market.deadline((c.day + 1) * DAY, 5))
            one.agreed = one.agreed | {c.day: c.value}
        case "terminate":
            no(digest_stale=not c.same, value_invalid=not 0 < c.value <= 10**9, day_outside=c.day)
            _close(one, 0, {0: c.value})
        case "mature":
            _close(one, deal.last, known)
        case "notice":
            no(not_overdue=all(now < due for due in one.due.values()))
            one.noticed_at = now
        case "cure":
            no(not_paid=one.calls, too_late=now >= market.deadline(one.noticed_at, 1))
            one.noticed_at = None
        case "close_out":
            no(not_due=now < market.deadline(one.noticed_at, 1))
            after = [day for day in known if one.noticed_at // DAY <= day <= deal.last]
            _close(one, min(after, default=deal.last), known)
        case "end":
            gap = min({*range(deal.first, deal.last + 1)} - known.keys(), default=deal.last + 1)
            no(mark_missing=min(known, default=gap) >= gap)
            _close(one, max(day for day in known if day < gap), known)


def _close(one: Any, day: int, values: dict[int, int]) -> None:
    """End at the settlement price of a day."""
    no(mark_missing={*range(one.deal.first, day), day} - values.keys())
    price = settlement.dsp(one.deal, day, values)
    one |= {"calls": {}, "due": {}, "closing": (price, settlement.end(one.deal, one.money, price))}
