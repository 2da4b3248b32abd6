"""Organisations: how one applies, what it says of itself, and the party of the market that it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from mtok.calendar import DAY
from mtok.market.parties import Party, is_lei, plain_name
from mtok.settlement.machines import Refused
from mtok.settlement.people import Role
from mtok.venue import place
from mtok.venue.accounts.contacts import own_organisation, read_contact, seal
from mtok.venue.accounts.events import happened
from mtok.venue.accounts.holdings import holding_of, holding_of_login, united
from mtok.venue.accounts.kinds import written
from mtok.venue.accounts.models import Login, Organisation, SealedContact
from mtok.venue.accounts.principals import Principal
from mtok.venue.database.transactions import transaction_of

NAME_CHARS: Final = range(2, 201)
LIST_MAX: Final = 200
"""Names that an organisation may allow or block."""


def apply(principal: Principal, legal_name: str, lei: str, contact: str) -> Organisation:
    """Apply to become a participant.

    Whether anybody else has this LEI is not said: it would tell who is a participant. Raises Refused: `text_invalid`,
    `lei_invalid`, `contact_invalid`, `applied_already`
    """
    name, sealed_text = written({"legal_name": legal_name}, "legal_name", NAME_CHARS), read_contact(contact)
    if not is_lei(lei):
        raise Refused(
            "lei_invalid", "the LEI is none: 20 signs whose check digits fit", "Copy it from its certificate."
        )

    def work() -> Organisation:
        _refuse_linked(principal)
        organisation: Organisation = Organisation.objects.create(
            legal_name=name, lei=lei, applied_by_id=principal.login, made_at=place.now()
        )
        seal(organisation, sealed_text).save(force_insert=True)
        happened("applied", organisation.id, principal, legal_name=name, lei=lei)
        return organisation

    return transaction_of(work)


def _refuse_linked(principal: Principal) -> None:
    """Raise Refused where a person has a role or an application already, with whatever login."""
    login = Login.objects.get(id=principal.login)
    held = united(holding_of(login.person_id), holding_of_login(login))
    if held.roles or held.organisations:
        raise Refused(
            "applied_already",
            "you hold a role of the venue, act for an organisation, or have applied for one",
            "Another person may apply.",
        )


def application_of(principal: Principal) -> Organisation | None:
    """Return the organisation that a login applied for last."""
    found: Organisation | None = (
        Organisation.objects.filter(applied_by=principal.login).order_by("-made_at", "-id").first()
    )
    return found


def edit_lists(principal: Principal, *, allowed: Sequence[str], blocked: Sequence[str]) -> Organisation:
    """Set which legal names the principal's organisation deals with; none allowed means all. Raises Refused.

    That they changed is written to the audit log, whom they name is not.
    """
    lists = {"allowed": _names(allowed), "blocked": _names(blocked)}

    def work() -> Organisation:
        organisation = own_organisation(principal)
        if Role.PARTICIPANT_USER not in principal.roles:
            raise Refused(
                "not_yours", "the lists are not yours to edit", f"That is for {Role.PARTICIPANT_USER}."
            )
        organisation.allowed, organisation.blocked = lists["allowed"], lists["blocked"]
        organisation.save(update_fields=["allowed", "blocked"])
        happened("lists.edited", organisation.id, principal)
        return organisation

    return transaction_of(work)


def _names(given: Sequence[str]) -> list[str]:
    """Return names without blank ones and repetitions. Raises Refused: `text_invalid`, `list_too_long`"""
    names = [written({"name": one}, "name", NAME_CHARS) for one in given if one.strip()]
    if len(names) > LIST_MAX:
        raise Refused("list_too_long", f"a list of {len(names)} names", f"Name {LIST_MAX} at most.")
    return sorted({plain_name(name): name for name in names}.values())


def party_of(organisation: Organisation) -> Party:
    """Return the party of the market that an organisation is."""
    return _party(organisation, _contacts([organisation]))


def parties(ids: Iterable[str]) -> dict[str, Party]:
    """Return the parties of organisations by id; one that does not exist is left out."""
    found = list(Organisation.objects.filter(id__in=set(ids)).order_by("id"))
    contacts = _contacts(found)
    return {organisation.id: _party(organisation, contacts) for organisation in found}


def _contacts(organisations: Iterable[Organisation]) -> dict[str, str]:
    found = SealedContact.objects.filter(organisation__in=organisations, withdrawn_at=None)
    return dict(found.values_list("organisation_id", "id"))


def _party(organisation: Organisation, contacts: dict[str, str]) -> Party:
    """Return the party; one that is not admitted is known until no day, so that it cannot trade."""
    return Party(
        id=organisation.id,
        group=organisation.group_id or organisation.id,
        legal_name=organisation.legal_name,
        lei=organisation.lei,
        contact=contacts.get(organisation.id, ""),
        credit_class=organisation.credit_class,
        accepts=frozenset(organisation.accepts),
        allowed=frozenset(organisation.allowed),
        blocked=frozenset(organisation.blocked),
        known_until=organisation.known_until if organisation.state == "admitted" else 0,
        is_suspended=organisation.is_suspended,
    )


def is_known(organisation: Organisation) -> bool:
    """Return whether an organisation may trade today."""
    return party_of(organisation).may_trade(place.now() // DAY)
