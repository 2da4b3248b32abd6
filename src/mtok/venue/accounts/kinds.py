"""The kinds of changes that take two persons, as a table: what has to hold, and what is different afterwards.

`check` is asked twice, when a change is proposed and again in the transaction that makes it; `make` is called by
`mtok.venue.accounts.changes` alone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from mtok.calendar import DAY
from mtok.market.parties import is_lei
from mtok.settlement.machines import Refused
from mtok.settlement.people import OPERATORS, PARTICIPANTS, Role
from mtok.venue import place
from mtok.venue.accounts.holdings import (
    holding_of,
    holding_of_login,
    refuse_too_few_admins,
    united,
)
from mtok.venue.accounts.models import ApiKey, Change, Grant, Login, Organisation, OwnerGroup, Person

GRANTABLE: Final = (*PARTICIPANTS, *OPERATORS, Role.ADMIN, Role.AUDITOR)
"""Roles of persons; those of the machine are nobody's."""

KNOWN_DAYS_MAX: Final = 731
"""How long an identity stays checked: two years."""

ACCEPTS_MAX: Final = 16
REASON_CHARS: Final = range(3, 501)
NAME_CHARS: Final = range(1, 121)
_CLASS: Final = re.compile(r"[A-Z][A-Z0-9+-]{0,7}")


class Kind(NamedTuple):
    """A kind of change. subject : whom it is about · check : raises Refused · make : makes it so"""

    subject: str
    check: Callable[[Change], None]
    make: Callable[[Change], None]


def written(details: Mapping[str, Any], name: str, length: range) -> str:
    """Return a text of the details. Raises Refused (`text_invalid`) for control characters or another length."""
    text = details.get(name)
    sound = isinstance(text, str) and len(text.strip()) in length
    if not sound or any(unicodedata.category(char).startswith("C") for char in str(text)):
        raise Refused(
            "text_invalid",
            f"{name} is no text of {length.start} to {length.stop - 1} characters without control characters",
            "Write it in one line.",
        )
    return str(text).strip()


def _role(change: Change) -> Role:
    given = change.content.get("role")
    if given not in GRANTABLE:
        raise Refused(
            "role_unknown", f"{given!r} is no role of a person", f"The roles are {', '.join(GRANTABLE)}."
        )
    return Role(given)


def is_named(login: Login) -> bool:
    """Return whether two admins have said whose a login is; what it says of itself may be a second name of somebody."""
    return bool(
        Change.objects.filter(
            kind="name", login=login, content__person=login.person_id, decision__is_approved=True
        ).exists()
    )


def _check_grant(change: Change) -> None:
    role, login = _role(change), change.login
    if not is_named(login):
        raise Refused(
            "person_missing",
            "whose login this is has been said by itself alone",
            "Name its person first, a change of its own: the person it gave, or one who is known already.",
        )
    if not login.is_active:
        raise Refused("login_disabled", "the login is disabled", "Enable it first.")
    if (change.organisation_id is not None) != (role in PARTICIPANTS):
        raise Refused(
            "organisation_wrong",
            f"{role} {'needs' if role in PARTICIPANTS else 'has no'} organisation",
            "Roles of participants are held for an organisation, all others for none.",
        )
    if change.organisation_id and change.organisation.state != "admitted":
        raise Refused("not_admitted", "the organisation is not admitted", "Admit it first.")
    if Grant.objects.filter(login=login, role=role).exists():
        raise Refused("granted_already", f"the login is {role} already", "There is nothing to grant.")
    holding_of(login.person_id).with_role(role, change.organisation_id).refuse()


def _grant(change: Change) -> None:
    Grant.objects.create(
        login=change.login, role=_role(change), organisation=change.organisation, change=change
    )


def _check_withdraw(change: Change) -> None:
    role = _role(change)
    if not Grant.objects.filter(login=change.login, role=role).exists():
        raise Refused("not_granted", f"the login is not {role}", "There is nothing to withdraw.")
    if role == Role.ADMIN:
        refuse_too_few_admins(change.login)


def _withdraw(change: Change) -> None:
    Grant.objects.filter(login=change.login, role=_role(change)).delete()


def _check_name(change: Change) -> None:
    person = change.content.get("person")
    if change.content.get("name") is not None:
        written(change.content, "name", NAME_CHARS)
    elif not Person.objects.filter(id=person).exists():
        raise Refused(
            "person_unknown", "there is no such person", "Choose one of the list, or name a new one."
        )
    if Grant.objects.filter(login=change.login).exists():
        raise Refused(
            "login_has_roles",
            "the login holds roles, which would become another person's",
            "Withdraw its roles first.",
        )
    if change.login.person_id == person and is_named(change.login):
        raise Refused("named_already", "the login is that person's already", "There is nothing to name.")
    united(holding_of(person), holding_of_login(change.login)).refuse()


def _name(change: Change) -> None:
    person, name = change.content["person"], change.content.get("name")
    if name is not None:
        Person.objects.create(id=person, name=name, made_at=place.now())
    change.login.person_id = person
    change.login.save(update_fields=["person"])


def _check_disable(change: Change) -> None:
    written(change.content, "reason", REASON_CHARS)
    if not change.login.is_active:
        raise Refused("login_disabled", "the login is disabled already", "There is nothing to disable.")
    if Grant.objects.filter(login=change.login, role=Role.ADMIN).exists():
        refuse_too_few_admins(change.login)


def _disable(change: Change) -> None:
    """Disable a login: saving it ends its sessions, and no key of it comes back with it."""
    change.login.is_active = False
    change.login.save(update_fields=["is_active"])
    ApiKey.objects.filter(login=change.login, ended_at=None).update(ended_at=place.now())


def _check_enable(change: Change) -> None:
    written(change.content, "reason", REASON_CHARS)
    if change.login.is_active:
        raise Refused("login_enabled", "the login is not disabled", "There is nothing to enable.")


def _enable(change: Change) -> None:
    change.login.is_active = True
    change.login.save(update_fields=["is_active"])


def _refuse_state(change: Change, *states: str, is_suspended: bool | None = None) -> None:
    found = change.organisation
    if found.state not in states or is_suspended not in (None, found.is_suspended):
        shown = "suspended" if found.is_suspended else found.state
        raise Refused(
            "organisation_state",
            f"an organisation that is {shown} cannot be given the change {change.kind}",
            "See what it is now and propose something else.",
        )


def _check_admit(change: Change) -> None:
    """Check an admission; of what is admitted it renews class, group and the day until which it is known."""
    _refuse_state(change, "applied", "admitted")
    given, organisation = change.content, change.organisation
    classes = [given.get("credit_class"), *given.get("accepts", [])]
    if not all(isinstance(one, str) and _CLASS.fullmatch(one) for one in classes):
        raise Refused(
            "class_invalid",
            f"{classes!r} are not all credit classes",
            "Write A, BB+ or the like, at most 8 signs.",
        )
    if len(classes) > ACCEPTS_MAX + 1:
        raise Refused("class_invalid", f"more than {ACCEPTS_MAX} classes are accepted", "Name fewer.")
    _check_known_until(given.get("known_until"))
    if given.get("group_name") is not None:
        written(given, "group_name", range(1, 201))
    elif not OwnerGroup.objects.filter(id=given.get("group")).exists():
        raise Refused("group_unknown", "there is no such group", "Choose one of the list, or name a new one.")
    same = Organisation.objects.filter(lei=organisation.lei, state="admitted").exclude(id=organisation.id)
    if not is_lei(organisation.lei) or same.exists():
        raise Refused(
            "lei_taken", f"{organisation.lei} is no LEI, or that of a participant", "Refuse the application."
        )
    applicant = organisation.applied_by
    united(holding_of(applicant.person_id), holding_of_login(applicant)).refuse()


def _check_known_until(day: object) -> None:
    today = place.now() // DAY
    if not isinstance(day, int) or not today < day <= today + KNOWN_DAYS_MAX:
        raise Refused(
            "known_until_invalid",
            f"the day until which the identity is known is not in the next {KNOWN_DAYS_MAX} days",
            "Name the day from which it must be checked again.",
        )


def _admit(change: Change) -> None:
    given, organisation = change.content, change.organisation
    if given.get("group_name") is not None:
        OwnerGroup.objects.create(id=given["group"], name=given["group_name"])
    organisation.group_id = given["group"]
    organisation.credit_class = given["credit_class"]
    organisation.accepts = sorted(set(given["accepts"]))
    organisation.known_until = given["known_until"]
    organisation.state = "admitted"
    organisation.save(update_fields=["group", "credit_class", "accepts", "known_until", "state"])


def _check_refuse(change: Change) -> None:
    written(change.content, "reason", REASON_CHARS)
    _refuse_state(change, "applied")


def _refuse(change: Change) -> None:
    change.organisation.state = "refused"
    change.organisation.save(update_fields=["state"])


def _check_suspend(change: Change) -> None:
    written(change.content, "reason", REASON_CHARS)
    _refuse_state(change, "admitted", is_suspended=False)


def _check_resume(change: Change) -> None:
    written(change.content, "reason", REASON_CHARS)
    _refuse_state(change, "admitted", is_suspended=True)


def _suspend(change: Change) -> None:
    change.organisation.is_suspended = change.kind == "suspend"
    change.organisation.save(update_fields=["is_suspended"])


KINDS: Final[Mapping[str, Kind]] = {
    "grant": Kind("login", _check_grant, _grant),
    "withdraw": Kind("login", _check_withdraw, _withdraw),
    "name": Kind("login", _check_name, _name),
    "disable": Kind("login", _check_disable, _disable),
    "enable": Kind("login", _check_enable, _enable),
    "admit": Kind("organisation", _check_admit, _admit),
    "refuse": Kind("organisation", _check_refuse, _refuse),
    "suspend": Kind("organisation", _check_suspend, _suspend),
    "resume": Kind("organisation", _check_resume, _suspend),
}
