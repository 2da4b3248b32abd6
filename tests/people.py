"""People of a venue for tests: persons with logins, roles and organisations, written straight into the tables.

Who may grant what to whom is tested elsewhere; here somebody simply has it.
"""

from __future__ import annotations

from typing import Any

from mtok.calendar import parse_date
from mtok.settlement.people import Role
from venues import NOON

LEIS = ("529900T8BM49AURSDO55", "213800WSGIIZCXF1P572", "5493001KJTIIGC8Y1R12", "724500VKKSH9QOLTFR81")
"""Four identifiers whose check digits fit."""
KNOWN_UNTIL = parse_date("2028-01-01")


def person(name: str, *roles: Role, organisation: Any = None, email: str | None = None) -> Any:
    """Make a person with one login and roles; return the principal as it acts with a second factor just shown."""
    from mtok.venue.accounts.models import Change, Grant, Login, Person
    from mtok.venue.accounts.principals import Principal

    who = Person.objects.create(name=name, made_at=NOON)
    address = email or f"{name.casefold().replace(' ', '.')}@example.com"
    login = Login.objects.create_user(address, None, person=who, made_at=NOON)
    for role in roles:
        change = Change.objects.create(
            kind="grant", login=login, organisation=organisation, content={"role": role}, proposed_at=NOON
        )
        Grant.objects.create(login=login, role=role, organisation=organisation, change=change)
    return Principal(
        login=login.pk,
        person=who.pk,
        roles=frozenset(roles),
        party=None if organisation is None else organisation.pk,
        stepped_up_at=NOON,
    )


def organisation(name: str, lei: str = LEIS[0], **fields: Any) -> Any:
    """Make an admitted organisation with a contact; fields : as the model has them"""
    from mtok.venue.accounts.models import Organisation, OwnerGroup, SealedContact

    group = fields.pop("group", None) or OwnerGroup.objects.create(name=f"Owners of {name}")
    made = Organisation.objects.create(
        **{
            "legal_name": name,
            "lei": lei,
            "group": group,
            "credit_class": "A",
            "accepts": ["A", "B"],
            "known_until": KNOWN_UNTIL,
            "state": "admitted",
            "made_at": NOON,
        }
        | fields
    )
    SealedContact.objects.create(organisation=made, nonce=b"", sealed=b"", made_at=NOON)
    return made


def shown(principal: Any, now: int) -> Any:
    """Return a principal whose second factor was shown now."""
    from dataclasses import replace

    return replace(principal, stepped_up_at=now)
