"""What a participant sees, as text: amounts and prices as decimals, months, instants in UTC; no numbers but counts.

Everything here is made of the fields that the core's reveal table shows to the one who asks, of the rules, and of the
clock. Lists are by id and say nothing of how many there are of anything else.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from mtok.calendar import day_of, format_date, format_instant
from mtok.market import confirmation as documents
from mtok.market.book import CONTRACT, PROPOSAL, REQUEST
from mtok.market.cycle import next_run, slot_end
from mtok.market.fpml import execution
from mtok.market.margin import Account, Closing, MarginDay
from mtok.market.months import month_text
from mtok.market.references import refusal
from mtok.market.statement import statement
from mtok.settlement.machines import Refused
from mtok.settlement.marks import Mark
from mtok.settlement.specification import specification, specification_text
from mtok.settlement.values import amount_text, price_text
from mtok.venue import place
from mtok.venue.accounts.contacts import open_counterparty
from mtok.venue.accounts.principals import Principal
from mtok.venue.database import marks as kept_marks
from mtok.venue.database import references as published
from mtok.venue.database.models import Intention
from mtok.venue.environment import venue_environment
from mtok.venue.otc import amending, trading
from mtok.venue.participants import actions, forecast

Json = dict[str, Any]


def requests(principal: Principal) -> list[Json]:
    """Return every request of a participant."""
    return [request_json(one) for one in _own(principal, REQUEST)]


def request(principal: Principal, identity: str) -> Json:
    """Return a request. Raises Refused (`not_found`)."""
    return request_json(_seen(principal, REQUEST, identity))


def all_terms(principal: Principal) -> list[Json]:
    """Return all terms that a participant was ever sent."""
    return [terms_json(one, principal) for one in _own(principal, PROPOSAL)]


def terms(principal: Principal, identity: str) -> Json:
    """Return terms. Raises Refused (`not_found`)."""
    return terms_json(_seen(principal, PROPOSAL, identity), principal)


def canonical_terms(principal: Principal, identity: str) -> bytes:
    """Return the bytes that are approved. Raises Refused (`not_found`), of what has none to show too."""
    return _canonical(_seen(principal, PROPOSAL, identity), identity)


def terms_margin(principal: Principal, identity: str) -> Json | None:
    """Return what terms would cost one's side to hold, None of those that have ended. Raises Refused (`not_found`)."""
    shown = _seen(principal, PROPOSAL, identity)
    if not shown.get("terms"):
        return None
    found = trading.around(PROPOSAL, identity).book.proposals[identity].terms
    return None if found is None else forecast.terms_preview(found, shown["own_side"])


def contracts(principal: Principal) -> list[Json]:
    """Return every contract of a participant."""
    return [contract_json(one, principal) for one in _own(principal, CONTRACT)]


def contract(principal: Principal, identity: str) -> Json:
    """Return a contract. Raises Refused (`not_found`)."""
    return contract_json(_seen(principal, CONTRACT, identity), principal)


def settlement_statement(principal: Principal, identity: str) -> Json:
    """Return the settlement statement of a contract. Raises Refused: `not_found`, `not_final`."""
    found = actions.contract_of(principal, identity)
    window = found.terms.exposure.window
    own = kept_marks.marks_of(found.terms.reference, found.terms.methodology, window.first, window.last)
    return statement(found, own)


def marks(principal: Principal, identity: str) -> list[Json]:
    """Return the marks in the log that a contract looks at, from its booking on. Raises Refused (`not_found`)."""
    found = actions.contract_of(principal, identity)
    first, last = day_of(found.booked_at), found.terms.exposure.window.last
    kept = kept_marks.last_kept(found.terms.reference, found.terms.methodology, first, last)
    return [mark_json(one.mark, principal) for one in kept if one.mark.log_index is not None]


def confirmation(principal: Principal, identity: str) -> Json:
    """Return the confirmation of a contract. Raises Refused (`not_found`)."""
    found, openings = actions.booked_contract(principal, identity)
    return documents.confirmation(found, openings, is_paper=venue_environment().paper)


def as_fpml(principal: Principal, identity: str) -> Json:
    """Return a contract under the names of FpML and the ISDA CDM. Raises Refused (`not_found`)."""
    return execution(*actions.booked_contract(principal, identity))


def counterparty_contact(principal: Principal, identity: str) -> str:
    """Return whom to reach at the other side of a contract; that it was opened is written down.

    Raises Refused: `not_found`, `contact_unknown`.
    """
    _seen(principal, CONTRACT, identity)
    return open_counterparty(principal, identity).shown()


def offered() -> list[Json]:
    """Return every published series with whether contracts may refer to it, and why not."""
    names, rules = published.series(), specification()
    found = trading.surroundings().references(names, place.now())
    return [
        {
            "reference": name,
            "methodology": found[name].methodology if name in found else None,
            "is_offered": refusal(found.get(name), name, rules) is None,
            "why_not": refusal(found.get(name), name, rules),
            "last_mark": _optional(found[name].mark if name in found else None, price_text),
            "days_printed": found[name].printed if name in found else 0,
        }
        for name in names
    ]


def contract_specification() -> Json:
    """Return the contract specification in force: its digest and its file, word for word."""
    rules = specification()
    return {
        "specification": rules.specification,
        "sha256": rules.sha256,
        "text": specification_text().decode("utf-8"),
    }


# ---- one object


def request_json(one: Json) -> Json:
    """Return a request as text."""
    rules, now = specification(), place.now()
    run = next_run(now, rules)
    firm = one["confirmed_for"] == run or (one["firm_until"] is not None and one["firm_until"] >= run)
    return {
        "id": one["id"],
        "state": one["state"],
        "reference": one["reference"],
        "methodology": one["methodology"],
        "side": one["side"],
        "settlement": one["style"],
        "lots": one["asked"],
        "quantity_mtok": one["asked"] * rules.multiplier,
        "month": month_text(one["maturity"]),
        "limit": _optional(one["limit"], price_text),
        "min_lots": one["min_lots"],
        "tail": one["tail"],
        "tolerance": one["tolerance"],
        "expires": format_instant(one["expires"]),
        "firm_until": _optional(one["firm_until"], format_instant),
        "confirmed_for": _optional(one["confirmed_for"], format_instant),
        "next_run": format_instant(run),
        "is_firm_for_next_run": one["state"] == "live" and firm and run < one["expires"],
        "filled_lots": one["filled"],
        "lots_in_terms": one["in_terms"],
        "last_run": _optional(
            one["last_run"], lambda last: {"run": format_instant(last["run"]), "outcome": last["outcome"]}
        ),
        "reason": one["reason"],
    }


def terms_json(one: Json, principal: Principal) -> Json:
    """Return terms as text; of those that have ended without a contract nothing but that."""
    written = one.get("terms")
    return {
        "id": one["id"],
        "state": one["shown_state"],
        "side": one["own_side"],
        "digest": one.get("terms_sha256"),
        "terms": _optional(written, json.loads),
        "counterparty_class": one.get("counterparty_class"),
        "is_approved_by_you": bool(one.get("own_approval")),
        "asked": _asked(one, principal),
        "counterparty": _counterparty(one),
    }


def contract_json(one: Json, principal: Principal) -> Json:
    """Return a contract as text. Amounts are USD; where no side is named, to the buyer."""
    return {
        "id": one["id"],
        "state": one["state"],
        "side": one["own_side"],
        "terms": json.loads(one["terms"]),
        "counterparty": _counterparty(one),
        "account": account_json(one["account"]),
        "days": [day_json(day) for day in one["days"]],
        "calls": [
            {"side": call.side, "amount": amount_text(call.amount), "due": format_instant(call.due)}
            for call in one["calls"]
        ],
        "agreed": [{"date": format_date(day), "price": price_text(value)} for day, value in one["agreed"]],
        "said": _said(one["id"], principal),
        "default_noticed_at": _optional(one["noticed_at"], format_instant),
        "closing": _optional(one["closing"], closing_json),
    }


def _said(identity: str, principal: Principal) -> list[Json]:
    """Return what one side has said of a contract and the other one has not yet."""
    return [_half(one, principal) for one in trading.said_by_sides(identity)]


def _half(one: Intention, principal: Principal) -> Json:
    agreement = json.loads(one.details)["agreement"]
    return {
        "command": one.command,
        "date": _optional(agreement["day"], format_date),
        "price": price_text(agreement["value"]),
        "is_yours": one.party == principal.party,
        "until": format_instant(one.ends_at),
    }


def account_json(account: Account) -> Json:
    """Return the money of a contract."""
    return {
        "moved_to_buyer": amount_text(account.moved),
        "buyer_collateral": amount_text(account.long),
        "seller_collateral": amount_text(account.short),
    }


def day_json(day: MarginDay) -> Json:
    """Return a margin day."""
    return {
        "date": format_date(day.day),
        "mark": price_text(day.mark),
        "settlement_price": price_text(day.settlement_price),
        "target": amount_text(day.target),
        "due": amount_text(day.due),
        "moved": amount_text(day.moved),
        **account_json(day.account),
        "calls": [{"side": call.side, "amount": amount_text(call.amount)} for call in day.calls],
    }


def mark_json(mark: Mark, principal: Principal) -> Json:
    """Return a mark; of a dispute what one's own side said alone."""
    until, own = mark.dispute_until, mark.dispute
    is_own = own is not None and own.party == principal.party
    return {
        "date": mark.date,
        "price": price_text(mark.value),
        "level": mark.level,
        "version": mark.version,
        "state": mark.state,
        "log_index": mark.log_index,
        "source_date": mark.source.date,
        "quality": mark.source.quality,
        "dispute_until": _optional(until, format_instant),
        "can_be_disputed": mark.state == "published" and until is not None and place.now() < until,
        "your_price": price_text(own.own_value) if is_own and own is not None else None,
    }


def closing_json(end: Closing) -> Json:
    """Return how a contract has ended."""
    return {
        "price": price_text(end.price),
        "value_to_buyer": amount_text(end.value),
        "open_to_buyer": amount_text(end.open),
        "payer": end.payer,
        "paid_from_collateral": amount_text(end.paid),
        "debtor": end.debtor,
        "claim": amount_text(end.claim),
        "to_buyer": amount_text(end.to_long),
        "to_seller": amount_text(end.to_short),
    }


def clock_json() -> Json:
    """Return the day of the market as it stands: the next run, and when its slot ends."""
    rules = specification()
    run = next_run(place.now(), rules)
    return {
        "now": format_instant(place.now()),
        "next_run": format_instant(run),
        "slot_end": format_instant(slot_end(run, rules)),
    }


def _asked(one: Json, principal: Principal) -> Json | None:
    """Return which other terms one's own side asks for."""
    wanted = amending.own(principal, one["id"]) if one["shown_state"] == "terms" else None
    return None if wanted is None else {"price": price_text(wanted.price), "lots": wanted.lots}


def _counterparty(one: Json) -> Json | None:
    """Return who the other side is, and what opens its commitment; whom to reach is asked for separately."""
    other = one.get("counterparty")
    return None if other is None else {name: other[name] for name in ("legal_name", "lei", "nonce")}


def _canonical(one: Json, identity: str) -> bytes:
    written: str | None = one.get("terms")
    if written is None:
        raise Refused("not_found", f"there are no terms {identity}", "See the list of yours.")
    return written.encode()


def _own(principal: Principal, kind: str) -> list[Json]:
    return trading.own(principal)[kind]


def _seen(principal: Principal, kind: str, identity: str) -> Json:
    return trading.seen(principal, kind, identity, actions.own_role(principal))


def _optional(value: Any, write: Callable[[Any], Any]) -> Any:
    return None if value is None else write(value)
