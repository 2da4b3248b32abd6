"""What follows from the decisions: who holds which role, whose a login is, what an organisation is admitted as.

Whose a login is follows from them once they have named it; before that it says so itself, and holds no role.
The history is gone through from its beginning, by this module's own rules and not by those that made it, and what comes
out is compared with the tables: an edited row, a missing decision, or a decision of one person shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from mtok.settlement.people import Role
from mtok.venue.accounts.models import AccountEvent, Change, Decision, Grant, Login, Organisation

_ADMITTED_AS: Final = ("state", "is_suspended", "group_id", "credit_class", "accepts", "known_until")
_UNKNOWN: Final[tuple[Any, ...]] = ("applied", False, None, "", [], 0)


@dataclass
class History:
    """What the decisions gone through so far make. grants : (login, role) to organisation"""

    grants: dict[tuple[int, str], str | None] = field(default_factory=dict)
    persons: dict[int, str] = field(default_factory=dict)
    disabled: set[int] = field(default_factory=set)
    organisations: dict[str, dict[str, Any]] = field(default_factory=dict)
    is_founded: bool = False

    def is_admin(self, login: int | None, person: str) -> bool:
        """Return whether a login was an admin's, and that person's."""
        return (
            login is not None
            and (login, Role.ADMIN) in self.grants
            and login not in self.disabled
            and self.persons.get(login) == person
        )

    def take(self, change: Change) -> None:
        """Go on by an approved change."""
        content, login = change.content, change.login_id
        if change.kind == "grant":
            self.grants[login, content["role"]] = change.organisation_id
        elif change.kind == "withdraw":
            self.grants.pop((login, content["role"]), None)
        elif change.kind == "name":
            self.persons[login] = content["person"]
        elif change.kind == "disable":
            self.disabled.add(login)
        elif change.kind == "enable":
            self.disabled.discard(login)
        else:
            self._take_of_organisation(change)

    def _take_of_organisation(self, change: Change) -> None:
        content = change.content
        now = self.organisations.setdefault(
            change.organisation_id, dict(zip(_ADMITTED_AS, _UNKNOWN, strict=True))
        )
        if change.kind == "admit":
            accepts = sorted(set(content["accepts"]))
            now |= {"state": "admitted", "group_id": content["group"], "accepts": accepts}
            now |= {name: content[name] for name in ("credit_class", "known_until")}
        elif change.kind == "refuse":
            now["state"] = "refused"
        else:
            now["is_suspended"] = change.kind == "suspend"


def findings() -> Iterator[str]:
    """Yield what is wrong, one sentence each; nothing where everything follows from the decisions."""
    history = History()
    for expected, decision in enumerate(Decision.objects.select_related("change").order_by("number"), 1):
        if decision.number != expected:
            yield f"decision {expected} is missing"
            return
        yield from _wrong_persons(history, decision)
        if decision.is_approved:
            history.take(decision.change)
            history.is_founded |= decision.change.proposer != ""
    yield from _differences(history)


def _wrong_persons(history: History, decision: Decision) -> Iterator[str]:
    """Yield why those who made a decision could not; nobody made those that founded the venue, before all others."""
    change = decision.change
    told = f"decision {decision.number}, change {change.id} ({change.kind})"
    if change.proposer == decision.decider == "":
        is_admin = change.kind == "name" or change.content.get("role") == Role.ADMIN
        if history.is_founded or change.kind not in ("name", "grant") or not is_admin:
            yield f"{told} was made by nobody, and does not found the venue"
        return
    if change.proposer == decision.decider:
        yield f"{told} was proposed and decided by one person"
    if decision.is_approved and not history.is_admin(change.proposed_by_id, change.proposer):
        yield f"{told} was proposed by somebody who was no admin"
    if not history.is_admin(decision.decided_by_id, decision.decider):
        yield f"{told} was decided by somebody who was no admin"


def _differences(history: History) -> Iterator[str]:
    grants = {(grant.login_id, grant.role): grant.organisation_id for grant in Grant.objects.all()}
    for key in sorted(grants.keys() | history.grants.keys()):
        if key not in history.grants or grants.get(key, "") != history.grants[key]:
            yield f"login {key[0]}, role {key[1]}: the table of roles does not follow from the decisions"
    for login in Login.objects.order_by("id"):
        if login.person_id != history.persons.get(login.id, login.person_id):
            yield f"login {login.id}: its person does not follow from the decisions"
        if login.is_active == (login.id in history.disabled):
            yield f"login {login.id}: whether it is disabled does not follow from the decisions"
    for organisation in Organisation.objects.order_by("id"):
        now = history.organisations.get(organisation.id, dict(zip(_ADMITTED_AS, _UNKNOWN, strict=True)))
        for name in _ADMITTED_AS:
            if getattr(organisation, name) != now[name]:
                yield f"organisation {organisation.id}: {name} does not follow from the decisions"
        if not _applied_as(organisation):
            yield f"organisation {organisation.id}: its name and LEI are not those it applied with"


def _applied_as(organisation: Organisation) -> bool:
    applied = AccountEvent.objects.filter(what="applied", about=organisation.id).first()
    return applied is not None and applied.content == {
        "legal_name": organisation.legal_name,
        "lei": organisation.lei,
    }
