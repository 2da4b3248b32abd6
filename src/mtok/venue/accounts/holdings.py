"""What a person holds over all their logins, and which holdings nobody may have: who may not be who.

Everything here compares persons. Two logins of one person are one person, a login that is disabled counts like any
other, and so does an organisation that a login has only applied for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mtok.settlement.machines import Refused
from mtok.settlement.people import OPERATORS, PARTICIPANTS, Role
from mtok.venue.accounts.models import Grant, Login, Organisation

ADMINS_MIN: Final = 2
"""Persons; with fewer nobody could ever be made an admin again."""

_OF_THE_VENUE: Final = frozenset((*OPERATORS, Role.ADMIN, Role.AUDITOR))


@dataclass(frozen=True, kw_only=True)
class Holding:
    """What a person holds. organisations : ids of those they act for or have applied for"""

    roles: frozenset[Role] = frozenset()
    organisations: frozenset[str] = frozenset()

    def with_role(self, role: Role, organisation: str | None) -> Holding:
        """Return it with one role more."""
        added = frozenset() if organisation is None else frozenset({organisation})
        return Holding(roles=self.roles | {role}, organisations=self.organisations | added)

    def refuse(self) -> None:
        """Raise Refused where nobody may hold all of this.

        Refused: `operator_and_participant`, `admin_alone`, `auditor_alone`, `two_organisations`
        """
        of_the_venue = self.roles & _OF_THE_VENUE
        if of_the_venue and (self.organisations or self.roles & frozenset(PARTICIPANTS)):
            raise Refused(
                "operator_and_participant",
                f"one person would be {', '.join(sorted(of_the_venue))} and linked to a participant",
                "Let another person be one of the two; a second login of the same person is no other person.",
            )
        for alone, code in ((Role.ADMIN, "admin_alone"), (Role.AUDITOR, "auditor_alone")):
            if alone in self.roles and len(self.roles) > 1:
                raise Refused(
                    code,
                    f"one person would be {', '.join(sorted(self.roles))}",
                    f"Who is {alone} holds no other role: withdraw the others first, or let another person do it.",
                )
        if len(self.organisations) > 1:
            raise Refused(
                "two_organisations",
                "one person would act for two organisations",
                "Let another person act for the other one.",
            )


def holding_of(person: str | None) -> Holding:
    """Return what a person holds over all their logins; nothing for nobody."""
    if person is None:
        return Holding()
    return _holding(list(Login.objects.filter(person=person)))


def holding_of_login(login: Login) -> Holding:
    """Return what a login holds alone."""
    return _holding([login])


def _holding(logins: list[Login]) -> Holding:
    grants = Grant.objects.filter(login__in=logins)
    applied = Organisation.objects.filter(applied_by__in=logins).exclude(state="refused")
    return Holding(
        roles=frozenset(Role(grant.role) for grant in grants),
        organisations=frozenset(grant.organisation_id for grant in grants if grant.organisation_id)
        | frozenset(applied.values_list("id", flat=True)),
    )


def united(one: Holding, other: Holding) -> Holding:
    """Return what one person holds who has both."""
    return Holding(roles=one.roles | other.roles, organisations=one.organisations | other.organisations)


def refuse_too_few_admins(without: Login) -> None:
    """Raise Refused (`admins_two`) where, without the role of this login, fewer than two persons were admins."""
    rest = Grant.objects.filter(role=Role.ADMIN, login__is_active=True).exclude(login=without)
    if rest.values("login__person").distinct().count() < ADMINS_MIN:
        raise Refused(
            "admins_two",
            f"fewer than {ADMINS_MIN} persons would be admins, and every change takes two",
            "Make another person admin first.",
        )
