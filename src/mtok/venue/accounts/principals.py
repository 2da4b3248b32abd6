"""Who is asking: a login with its person, its roles and, of participants, its organisation.

Everything behind the pages and the API is given a principal, never a request; of the core's roles it takes the one that
a table allows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from mtok.settlement.machines import Machine, Refused
from mtok.settlement.people import OPERATORS, PARTICIPANTS, Actor, Role
from mtok.venue.accounts.models import Login

SCOPES: Final = ("read", "requests", "approvals")
"""What a key of the API may be made for."""

_SCOPE_OF: Final = {Role.PARTICIPANT_USER: "requests", Role.PARTICIPANT_APPROVER: "approvals"}
"""The scope without which a key gives no command in a role; operators give theirs on pages alone."""


@dataclass(frozen=True, kw_only=True)
class Principal:
    """A login as it acts now. person : its id · party : id of its organisation · scopes : of an API key, None of a page

    stepped_up_at : instant at which it last showed its second factor
    """

    login: int
    person: str
    roles: frozenset[Role]
    party: str | None = None
    stepped_up_at: int | None = None
    scopes: frozenset[str] | None = None

    @property
    def is_operator(self) -> bool:
        """Whether it holds a business role of the venue."""
        return not self.roles.isdisjoint(OPERATORS)

    @property
    def is_of_venue(self) -> bool:
        """Whether it holds any role but those of participants."""
        return bool(self.roles - set(PARTICIPANTS))

    @property
    def is_participant(self) -> bool:
        """Whether it acts for an organisation."""
        return not self.roles.isdisjoint(PARTICIPANTS)

    def actor(self, machine: Machine, command: str, state: str | None = None) -> Actor:
        """Return who gives a command: in the role that the table lists for it, else in any role of theirs.

        For a participant it is the same role whatever state the object is in, and whether there is one: of what is not
        theirs nothing shows in the refusal. The core refuses a role that may not; what is decided here is that a key
        gives no command beyond its scopes. Raises Refused (`scope_missing`).
        """
        rows = [row for row in machine.rows if row.command == command]
        now = [row for row in rows if state in (None, row.state)]
        may = [role for row in (*now, *rows) for role in row.who if role in self.roles]
        role = next(iter([*may, *sorted(self.roles & machine.roles)]), None) or self.any_role()
        if self.scopes is not None and _SCOPE_OF.get(role) not in self.scopes:
            raise Refused(
                "scope_missing",
                f"the key was not made for {command} as {role}",
                f"Make one with the scope {_SCOPE_OF[role]}." if role in _SCOPE_OF else "Do it on the page.",
            )
        return self.as_role(role)

    def any_role(self) -> Role:
        """Return one of its roles, always the same one; the least powerful where it has none."""
        return min(self.roles, default=Role.PARTICIPANT_USER)

    def as_role(self, role: Role) -> Actor:
        """Return the actor of this principal in a role."""
        party = self.party if role in PARTICIPANTS else None
        return Actor(person=self.person, role=role, party=party, stepped_up_at=self.stepped_up_at)


def rights_of(login: Login) -> tuple[frozenset[Role], str | None]:
    """Return the roles that a login has now and the organisation it acts for; none while it is disabled."""
    if not login.is_active or login.person_id is None:
        return frozenset(), None
    grants = list(login.grants.all())
    parties = {grant.organisation_id for grant in grants if grant.organisation_id}
    assert len(parties) <= 1, f"login {login.pk} acts for {len(parties)} organisations"
    return frozenset(Role(grant.role) for grant in grants), next(iter(parties), None)


def refreshed(principal: Principal) -> Principal:
    """Return a principal with the rights it has now: none of a login that is disabled, none that were withdrawn."""
    roles, party = rights_of(Login.objects.get(pk=principal.login))
    return replace(principal, roles=principal.roles & roles, party=party)
