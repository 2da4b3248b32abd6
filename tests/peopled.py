"""Persons, logins and organisations of a venue in a test's own process, made by the changes that make them anywhere.

Django has to be set up before its models can be imported, so tests take the modules of accounts from here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mtok.calendar import DAY
from mtok.settlement.people import PARTICIPANTS, Role
from venues import NOON, Clock, clock, configured, sqlite

configured()

from django.db import transaction  # noqa: E402 - Django takes its settings first

from mtok.venue.accounts import (  # noqa: E402 - Django takes its settings first
    api_keys,
    changes,
    contacts,
    derived,
    founding,
    holdings,
    kinds,
    models,
    parties,
    principals,
)
from mtok.venue.accounts.principals import Principal  # noqa: E402 - Django takes its settings first

__all__ = [
    "Clock",
    "Principal",
    "api_keys",
    "changes",
    "contacts",
    "derived",
    "founding",
    "holdings",
    "kinds",
    "models",
    "parties",
    "principals",
]

FOUNDERS = [("Eve Example", "eve@example.org"), ("Fay Example", "fay@example.org")]
LEI = "529900T8BM49AURSDO55"
"""ISO 17442's own example."""


@contextmanager
def founded(path: Path, instant: int = NOON) -> Iterator[Clock]:
    """A venue with its two founding admins and a clock."""
    with sqlite(path / "venue.sqlite3"), clock(instant) as set_clock:
        founding.found(FOUNDERS)
        yield set_clock


@contextmanager
def undone() -> Iterator[None]:
    """Take back what is done within."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def login_of(address: str) -> models.Login:
    """Return a login as it is now."""
    login: models.Login = models.Login.objects.get(email=address)
    return login


def acting(address: str, **fields: Any) -> Principal:
    """Return a login as it acts on a page now, with its second factor just shown unless said otherwise."""
    from mtok.venue import place

    login = login_of(address)
    roles, party = principals.rights_of(login)
    shown: dict[str, Any] = {
        "person": login.person_id or "",
        "stepped_up_at": place.now(),
        "party": party,
        "roles": roles,
    }
    return Principal(login=login.id, **shown | fields)


def agreed(kind: str, **what: Any) -> models.Change:
    """Have a change made by the founding admins."""
    change = changes.propose(acting("eve@example.org"), kind, **what)
    return changes.decide(acting("fay@example.org"), change.id, is_approved=True)


def signed_up(address: str) -> models.Login:
    """Make a login as signing up does: of a person of its own, which nobody has confirmed."""
    person = models.Person.objects.create(name=f"Whoever has {address}", made_at=NOON)
    return models.Login.objects.create_user(address, person=person, made_at=NOON)


def named(address: str, name: str) -> models.Login:
    """Make a login of a person, of the one with this name where there is one."""
    login = signed_up(address)
    person = models.Person.objects.filter(name=name).first()
    agreed("name", login=login, details={"person": person.id} if person else {"name": name})
    return login_of(address)


def granted(login: models.Login, role: Role, organisation: models.Organisation | None = None) -> None:
    """Grant a role."""
    agreed("grant", login=login, organisation=organisation, details={"role": role})


ADMITTED = {
    "group_name": "Example holding",
    "credit_class": "A",
    "accepts": ["A", "B"],
    "known_until": NOON // DAY + 300,
}
"""What an organisation is admitted as."""


def admitted(
    applicant: str, contact: str, *, lei: str = LEI, name: str = "Example Ltd", **fields: Any
) -> models.Organisation:
    """Make a login that applies for an organisation, which is admitted; its login is its user and its approver."""
    named(applicant, applicant)
    made = parties.apply(acting(applicant), name, lei, contact)
    agreed("admit", organisation=made, details=ADMITTED | fields)
    made.refresh_from_db()
    for role in PARTICIPANTS:
        granted(login_of(applicant), role, made)
    return made
