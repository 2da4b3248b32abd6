"""The people of the demonstration: admitted and given their roles by two admins, as in any venue."""

from __future__ import annotations

import base64
import secrets
from dataclasses import replace
from typing import Any, Final

from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import TOTP

from mtok.calendar import DAY
from mtok.settlement.people import Role
from mtok.venue import place
from mtok.venue.accounts import founding, parties
from mtok.venue.accounts.changes import decide, propose
from mtok.venue.accounts.models import Login
from mtok.venue.accounts.principals import Principal
from mtok.venue.demonstration.logins import Known

_ADMINS: Final = ("Ada Admin", "Bo Admin")
_OPERATORS: Final = {
    "Dana Desk": (Role.DESK,),
    "Pia Preparer": (Role.MARK_PREPARER,),
    "Abel Approver": (Role.MARK_APPROVER,),
    "Toni Treasury": (Role.TREASURY,),
    "Auri Auditor": (Role.AUDITOR,),
}
_PARTICIPANTS: Final = {
    "Bea Buyer": ("Alder Compute", "529900T8BM49AURSDO55"),
    "Sol Seller": ("Birch Capital", "213800WSGIIZCXF1P572"),
}
_BOTH: Final = (Role.PARTICIPANT_USER, Role.PARTICIPANT_APPROVER)
_KNOWN_DAYS: Final = 300


def make_people() -> tuple[dict[str, Principal], list[Known]]:
    """Make admins, operators and participants; return each by its first name in small letters, and all logins."""
    founding.found([(name, _address(name)) for name in _ADMINS])
    admins = [_principal(Login.objects.get(email=_address(name)), Role.ADMIN) for name in _ADMINS]
    made = {_first(name): one for name, one in zip(_ADMINS, admins, strict=True)}
    logins = [_known(name, Login.objects.get(email=_address(name)), [Role.ADMIN]) for name in _ADMINS]
    for name, roles in _OPERATORS.items():
        login = _signed_up(name)
        _decided(admins, "name", login=login, details={"name": name})
        for role in roles:
            _decided(admins, "grant", login=login, details={"role": role})
        made[_first(name)] = _principal(login, *roles)
        logins.append(_known(name, login, list(roles)))
    for name, (company, lei) in _PARTICIPANTS.items():
        login = _signed_up(name)
        _admitted(admins, name, login, company, lei)
        made[_first(name)] = _principal(login, *_BOTH)
        logins.append(_known(name, login, [f"{role} of {company}" for role in _BOTH]))
    return made, logins


def _admitted(admins: list[Principal], name: str, login: Login, company: str, lei: str) -> None:
    _decided(admins, "name", login=login, details={"name": name})
    organisation = parties.apply(_principal(login), company, lei, f"{name}, {_address(name)}")
    admission = {
        "group_name": f"Owners of {company}",
        "credit_class": "A",
        "accepts": ["A", "B"],
        "known_until": place.now() // DAY + _KNOWN_DAYS,
    }
    _decided(admins, "admit", organisation=organisation, details=admission)
    for role in _BOTH:
        _decided(admins, "grant", login=login, organisation=organisation, details={"role": role})


def _decided(admins: list[Principal], kind: str, **what: Any) -> None:
    """Let one admin propose a change and another one approve it; what it is about is then what they have made it."""
    ada, bo = (replace(admin, stepped_up_at=place.now()) for admin in admins)
    decide(bo, propose(ada, kind, **what).id, is_approved=True)
    for one in ("login", "organisation"):
        if one in what:
            what[one].refresh_from_db()


def _signed_up(name: str) -> Login:
    login = Login.objects.create_user(_address(name), made_at=place.now())
    EmailAddress.objects.create(user=login, email=login.email, verified=True, primary=True)
    return login


def _known(name: str, login: Login, roles: list[str]) -> Known:
    """Give a login a password and an app that shows codes."""
    password, secret = secrets.token_urlsafe(12), base64.b32encode(secrets.token_bytes(20)).decode()
    login.refresh_from_db()
    login.set_password(password)
    login.save(update_fields=["password"])
    TOTP.activate(login, secret)
    return Known(
        name=name, address=login.email, password=password, secret=secret, roles=list(map(str, roles))
    )


def _principal(login: Login, *roles: Role) -> Principal:
    login.refresh_from_db()
    party = next((one.organisation_id for one in login.grants.all() if one.organisation_id), None)
    return Principal(login=login.pk, person=login.person_id, roles=frozenset(roles), party=party)


def _first(name: str) -> str:
    return name.partition(" ")[0].casefold()


def _address(name: str) -> str:
    return f"{_first(name)}@example.com"
