"""Who learns what: from viewer, object and state to fields, as a table. What is not in it is not shown.

Until terms are sent a participant sees nothing that depends on anybody else's request: the state a request is shown in,
its size and the outcome of a run are the same whether somebody was found or not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

from mtok.market.book import CONTRACT, PROPOSAL, REQUEST, Book, Object, advance
from mtok.market.contracts import Contract
from mtok.market.cycle import slot_end
from mtok.market.margin import Side
from mtok.market.proposals import WITH_TERMS, Proposal, shown_state
from mtok.market.requests import Request
from mtok.settlement.people import PARTICIPANTS, Actor, Role


class Relation(StrEnum):
    """What a viewer is to an object."""

    OWNER = "owner"
    PARTY = "party"
    DESK = "desk"
    TREASURY = "treasury"
    AUDITOR = "auditor"
    STRANGER = "stranger"


class Reveal(NamedTuple):
    """A row of the table. states : in which it holds, `any` for all of them"""

    kind: str
    relation: Relation
    states: tuple[str, ...]
    fields: tuple[str, ...]


_ASKED: Final = tuple(
    "id reference methodology side style asked min_lots tail limit maturity tolerance expires state filled".split()
)
_TERMS: Final = (
    "id",
    "own_side",
    "shown_state",
    "terms",
    "terms_sha256",
    "counterparty_class",
    "own_approval",
)
_MONEY: Final = ("id", "state", "terms", "account", "days", "calls", "closing", "agreed", "noticed_at")

TABLE: Final = (
    Reveal(
        REQUEST,
        Relation.OWNER,
        ("any",),
        (*_ASKED, "firm_until", "confirmed_for", "reason", "last_run", "in_terms"),
    ),
    Reveal(
        REQUEST,
        Relation.DESK,
        ("submitted", "live", "paused", "suspended"),
        (*_ASKED, "party", "reserved", "accepted_at"),
    ),
    Reveal(REQUEST, Relation.AUDITOR, ("any",), (*_ASKED, "party", "reserved", "accepted_at", "reason")),
    Reveal(
        PROPOSAL,
        Relation.DESK,
        ("any",),
        ("id", "state", "buy", "sell", "run", "lots", "price", "maturity", "terms_sha256"),
    ),
    Reveal(PROPOSAL, Relation.PARTY, ("terms_sent", "amended", "one_approved"), _TERMS),
    Reveal(PROPOSAL, Relation.PARTY, ("declined", "lapsed"), ("id", "own_side", "shown_state")),
    Reveal(PROPOSAL, Relation.PARTY, ("booked",), (*_TERMS, "counterparty")),
    Reveal(
        PROPOSAL,
        Relation.AUDITOR,
        ("any",),
        ("id", "state", "buy", "sell", "run", "lots", "price", "maturity", "terms"),
    ),
    Reveal(CONTRACT, Relation.PARTY, ("any",), (*_MONEY, "own_side", "counterparty")),
    Reveal(CONTRACT, Relation.TREASURY, ("any",), (*_MONEY, "buyer", "seller")),
    Reveal(CONTRACT, Relation.DESK, ("any",), ("id", "state")),
    Reveal(CONTRACT, Relation.AUDITOR, ("any",), (*_MONEY, "buyer", "seller", "approvals")),
)

_OPERATORS: Final = {
    Role.DESK: Relation.DESK,
    Role.TREASURY: Relation.TREASURY,
    Role.AUDITOR: Relation.AUDITOR,
}


def relation(book: Book, found: Object, viewer: Actor) -> Relation:
    """Return what a viewer is to an object."""
    if viewer.role in PARTICIPANTS:
        if viewer.party not in book.owners(found):
            return Relation.STRANGER
        return Relation.OWNER if isinstance(found, Request) else Relation.PARTY
    return _OPERATORS.get(viewer.role, Relation.STRANGER)


def revealed(kind: str, relation: Relation, state: str) -> tuple[str, ...]:
    """Return the fields of an object in a state that a viewer sees; none of what the table does not list."""
    rows = (row for row in TABLE if (row.kind, row.relation) == (kind, relation))
    return next((row.fields for row in rows if state in row.states or row.states == ("any",)), ())


def view(book: Book, found: Object, viewer: Actor, now: int) -> dict[str, Any]:
    """Return what a viewer sees of an object, empty where they see nothing: then it is as if it were missing."""
    kind = type(found).__name__.lower()
    names = revealed(kind, relation(book, found, viewer), found.state)
    return {name: _shown(book, found, viewer, now, name) for name in names}


def views(book: Book, viewer: Actor, now: int) -> dict[str, list[dict[str, Any]]]:
    """Return all that a viewer sees at an instant, by kind, each list by id; what was due by then has happened."""
    book = advance(book, now)
    objects: dict[str, Mapping[str, Object]] = {
        REQUEST: book.requests,
        PROPOSAL: book.proposals,
        CONTRACT: book.contracts,
    }
    return {
        kind: [seen for name in sorted(found) if (seen := view(book, found[name], viewer, now))]
        for kind, found in objects.items()
    }


def _shown(book: Book, found: Any, viewer: Actor, now: int, name: str) -> Any:
    """Return a field as a viewer sees it: one of the object's own, or one that depends on who looks."""
    shown = _SHOWN.get(name)
    return getattr(found, name) if shown is None else shown(book, found, viewer, now)


def _last_run(book: Book, found: Request, _: Actor, now: int) -> dict[str, Any] | None:
    """Return the last run a request took part in, once its slot is over, and whether it led to terms; never why not."""
    run = found.ran
    if run is None or now < slot_end(run, book.rules):
        return None
    pairs = (one for one in book.proposals.values() if one.run == run and one.terms is not None)
    return {
        "run": run,
        "outcome": "terms" if any(found.id in (one.buy, one.sell) for one in pairs) else "no match",
    }


def _in_terms(book: Book, found: Request, _: Actor, __: int) -> int:
    """Return how many lots of a request stand in terms."""
    pairs = (one for one in book.proposals.values() if one.state in WITH_TERMS)
    return sum(one.lots for one in pairs if found.id in (one.buy, one.sell))


def _shown_state(_: Book, found: Proposal, viewer: Actor, __: int) -> str:
    return shown_state(found, viewer.party)


def _terms(_: Book, found: Proposal | Contract, __: Actor, ___: int) -> str | None:
    return None if found.terms is None else found.terms.canonical.decode()


def _terms_sha256(_: Book, found: Proposal, __: Actor, ___: int) -> str | None:
    return None if found.terms is None else found.terms.sha256


def _own_approval(_: Book, found: Proposal, viewer: Actor, __: int) -> bool:
    return any(one.party == viewer.party for one in found.approvals)


def _counterparty_class(book: Book, found: Proposal, viewer: Actor, _: int) -> str:
    assert found.terms is not None
    own = _own_side(book, found, viewer)
    return found.terms.seller_class if own == Side.BUY else found.terms.buyer_class


def _counterparty(book: Book, found: Proposal | Contract, viewer: Actor, _: int) -> dict[str, str]:
    """Return who the other side is, with what opens its commitment; once a contract is booked, and not before."""
    own = _own_side(book, found, viewer)
    proposal = found if isinstance(found, Proposal) else book.proposals[found.terms.proposal]
    assert proposal.openings is not None
    assert proposal.state == "booked"
    opening = proposal.openings[own == Side.BUY]
    sides = book.sides(proposal)
    other = sides.seller if own == Side.BUY else sides.buyer
    return {
        "legal_name": opening.legal_name,
        "lei": opening.lei,
        "nonce": opening.nonce,
        "contact": other.contact,
    }


def _own_side(book: Book, found: Proposal | Contract, viewer: Actor) -> Side:
    buyer = found.buyer if isinstance(found, Contract) else book.sides(found).buyer.id
    return Side.BUY if viewer.party == buyer else Side.SELL


_SHOWN: Final[Mapping[str, Callable[[Book, Any, Actor, int], Any]]] = {
    "last_run": _last_run,
    "in_terms": _in_terms,
    "own_side": lambda book, found, viewer, _: _own_side(book, found, viewer),
    "shown_state": _shown_state,
    "terms": _terms,
    "terms_sha256": _terms_sha256,
    "own_approval": _own_approval,
    "counterparty_class": _counterparty_class,
    "counterparty": _counterparty,
}
