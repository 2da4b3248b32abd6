"""Organisations as the core knows them."""

from __future__ import annotations

from collections.abc import Iterable

from mtok.market.parties import Party
from mtok.venue.accounts.models import Organisation


def party_of(organisation: Organisation) -> Party:
    """Return an organisation as a party; one that is not admitted may not trade."""
    contact = organisation.contacts.filter(withdrawn_at=None).order_by("-made_at").first()
    return Party(
        id=organisation.pk,
        group=organisation.group_id or organisation.pk,
        legal_name=organisation.legal_name,
        lei=organisation.lei,
        contact="" if contact is None else contact.pk,
        credit_class=organisation.credit_class,
        accepts=frozenset(organisation.accepts),
        allowed=frozenset(organisation.allowed),
        blocked=frozenset(organisation.blocked),
        known_until=organisation.known_until if organisation.state == "admitted" else 0,
        is_suspended=organisation.is_suspended,
    )


def parties(names: Iterable[str]) -> dict[str, Party]:
    """Return parties by id."""
    return {one.pk: party_of(one) for one in Organisation.objects.filter(pk__in=set(names))}
