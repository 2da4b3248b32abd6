"""Terms that are amended because both sides asked: each asks by itself, the desk gives what both have asked for alike.

Neither side is told whether the other has asked, as neither is told whether the other has approved. What was asked is
of the very terms it was asked about; once these have changed it is of no use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec
from django.db.models import QuerySet

from mtok.market.book import PROPOSAL
from mtok.market.proposals import MACHINE, Proposal, TermsAmendment
from mtok.settlement.machines import Refused
from mtok.venue.accounts.principals import Principal, refreshed
from mtok.venue.database.giving import Given
from mtok.venue.database.models import Intention
from mtok.venue.database.records import details_of
from mtok.venue.otc import halves, trading

_AMEND: Final = "amend"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a side asks for. price : 10⁻⁶ USD per million tokens · terms_sha256 : of the terms it would replace"""

    price: int
    lots: int
    terms_sha256: str


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What has been asked for, and by which sides. is_by_both : whether the desk can give it"""

    wanted: Wanted
    parties: tuple[str, ...]
    is_by_both: bool


def ask(principal: Principal, identity: str, wanted: Wanted) -> Intention:
    """Ask, for one's side, that terms be amended; what the side asked for before counts no more.

    Raises Refused: `not_found`, `digest_stale`, `not_allowed`, `not_yours`.
    """

    def work() -> Intention:
        who = refreshed(principal)
        actor = who.actor(MACHINE, "decline")
        trading.refuse_unseen(actor, PROPOSAL, identity)
        found = _proposal(identity)
        MACHINE.step(found.state, "decline", actor, None if found.terms is None else "terms")
        if found.terms is None or found.terms.sha256 != wanted.terms_sha256:
            raise Refused("digest_stale", "these are not the terms as they are now", "Read the terms again.")
        _open(identity).filter(party=actor.party).update(state=halves.WITHDRAWN)
        return halves.say(
            who,
            actor,
            kind=PROPOSAL,
            identity=identity,
            version=found.terms.revision,
            command=_AMEND,
            details=details_of(wanted),
            ends_at=found.terms.end,
        )

    return trading.in_time(work)


def own(principal: Principal, identity: str) -> Wanted | None:
    """Return what one's own side has asked for, None where nothing is asked of the terms as they are."""
    terms = _proposal(identity).terms
    row = _open(identity).filter(party=principal.party).first()
    wanted = None if row is None else _wanted(row)
    return wanted if wanted and terms and wanted.terms_sha256 == terms.sha256 else None


def asked(identity: str) -> list[Asked]:
    """Return what has been asked for of a proposal's terms as they are, for the desk."""
    terms = _proposal(identity).terms
    parties: dict[Wanted, list[str]] = {}
    for row in _open(identity):
        wanted = _wanted(row)
        if terms is not None and wanted.terms_sha256 == terms.sha256:
            parties.setdefault(wanted, []).append(str(row.party))
    return [
        Asked(wanted=wanted, parties=tuple(by), is_by_both=len(set(by)) == len(("buyer", "seller")))
        for wanted, by in parties.items()
    ]


def amend(principal: Principal, identity: str, wanted: Wanted) -> Given:
    """Give, as the desk, the amendment that both sides have asked for. Raises Refused as the core does."""

    def work() -> Given:
        rows = [row for row in _open(identity) if _wanted(row) == wanted]
        first, second = (rows * 2)[:2] if rows else (None, None)
        if first is None or second is None:
            raise Refused("not_asked", "nobody has asked for this", "Both sides have to ask for it.")
        details = TermsAmendment(
            price=wanted.price, lots=wanted.lots, asked_by=(halves.speaker(first), halves.speaker(second))
        )
        terms = _proposal(identity).terms
        if terms is None or terms.sha256 != wanted.terms_sha256:
            raise Refused("digest_stale", "the terms have changed since it was asked for", "Ask again.")
        given = trading.give(principal, PROPOSAL, _AMEND, identity, details)
        _open(identity).update(state=halves.GIVEN)
        return given

    return trading.in_time(work)


def _proposal(identity: str) -> Proposal:
    found = trading.around(PROPOSAL, identity).book.find(PROPOSAL, identity)
    if not isinstance(found, Proposal):
        raise Refused("not_found", f"there is no {PROPOSAL} {identity}", "See the list of yours.")
    return found


def _open(identity: str) -> QuerySet[Intention]:
    return halves.still_open().filter(kind=PROPOSAL, object=identity, command=_AMEND)


def _wanted(row: Intention) -> Wanted:
    return msgspec.json.decode(row.details, type=Wanted)
