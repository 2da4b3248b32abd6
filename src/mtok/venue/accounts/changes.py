"""Changes that take two persons: an admin proposes one, an admin who is another person decides.

Nothing else changes a role, whose a login is, whether it is enabled, or what an organisation is admitted as. What was
decided is kept for ever (`Change`, `Decision`); the tables that say what is so now follow from it, and
`mtok.venue.accounts.derived` works them out again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mtok.calendar import DAY
from mtok.settlement.guards import refuse_same_person, refuse_without_step_up
from mtok.settlement.machines import Refused
from mtok.settlement.people import Role
from mtok.settlement.specification import specification
from mtok.venue import place
from mtok.venue.accounts.events import happened
from mtok.venue.accounts.kinds import KINDS, Kind
from mtok.venue.accounts.models import Change, Decision, Grant, Login, Organisation, new_id
from mtok.venue.accounts.principals import Principal
from mtok.venue.database.transactions import transaction_of

CHANGE_DAYS: Final = 7
"""Days after which a change that nobody has decided has lapsed."""

DETAILS: Final = (
    "role",
    "reason",
    "person",
    "name",
    "group",
    "group_name",
    "credit_class",
    "accepts",
    "known_until",
)
"""What the content of a change may say beside `before`."""


def propose(
    principal: Principal,
    kind: str,
    *,
    login: Login | None = None,
    organisation: Organisation | None = None,
    details: Mapping[str, Any],
) -> Change:
    """Propose a change and return it. details : of `DETAILS`, those that its kind needs

    Of a new person or group its name alone is given; its id is made here. Raises Refused: `not_yours`, `kind_unknown`,
    and whatever would refuse the change itself.
    """

    def work() -> Change:
        refuse_unless_admin(principal)
        change = Change(
            kind=kind,
            login=login,
            organisation=organisation,
            content={name: details[name] for name in DETAILS if name in details},
            proposed_by_id=principal.login,
            proposer=principal.person,
            proposed_at=place.now(),
        )
        _make_ids(change)
        _kind_of(change).check(change)
        change.content["before"] = subject(change)
        change.save(force_insert=True)
        happened("change.proposed", change.id, principal, **_told(change))
        return change

    return transaction_of(work)


def decide(principal: Principal, change_id: str, *, is_approved: bool) -> Change:
    """Approve a change, which makes it, or refuse it; return it.

    Raises Refused: `not_yours`, `step_up`, `change_unknown`, `decided`, `same_person`, `own_person`; to approve also
    `proposer_gone`, `lapsed`, `stale`, and whatever refuses the change itself.
    """

    def work() -> Change:
        refuse_unless_admin(principal)
        refuse_without_step_up(principal.as_role(Role.ADMIN), place.now(), specification())
        change = _undecided(change_id)
        refuse_same_person(principal.as_role(Role.ADMIN), change.proposer)
        _refuse_own_person(principal, change)
        if is_approved:
            _refuse_lapsed(change)
            KINDS[change.kind].check(change)
        record(change, is_approved=is_approved, by=principal)
        return change

    return transaction_of(work)


def record(change: Change, *, is_approved: bool, by: Principal | None) -> None:
    """Write a decision and make the change. by : nobody, when the venue is founded

    It belongs to the transaction that has checked everything; `decide` and the founding of a venue call it.
    """
    Decision.objects.create(
        change=change,
        number=Decision.objects.count() + 1,
        is_approved=is_approved,
        decided_by_id=by.login if by else None,
        decider=by.person if by else "",
        decided_at=place.now(),
    )
    if is_approved:
        KINDS[change.kind].make(change)
    happened("change.approved" if is_approved else "change.refused", change.id, by, **_told(change))


def lapse_of(change: Change) -> str:
    """Return why a change that is not decided cannot be approved any more, as a code; empty while it can."""
    if not Grant.objects.filter(login=change.proposed_by_id, role=Role.ADMIN, login__is_active=True).exists():
        return "proposer_gone"
    if place.now() >= change.proposed_at + CHANGE_DAYS * DAY:
        return "lapsed"
    return "stale" if subject(change) != change.content["before"] else ""


def undecided() -> list[Change]:
    """Return the changes that nobody has decided, oldest first."""
    return list(Change.objects.filter(decision=None).order_by("proposed_at", "id"))


def subject(change: Change) -> dict[str, Any]:
    """Return what a change is about as it is now: whatever else is decided about it meanwhile shows here."""
    if KINDS[change.kind].subject == "organisation":
        organisation = Organisation.objects.get(id=change.organisation_id)
        names = "legal_name lei group_id credit_class accepts known_until is_suspended state".split()
        return {name: getattr(organisation, name) for name in names}
    login = Login.objects.get(id=change.login_id)
    persons = {login.person_id, change.content.get("person")} - {None}
    grants = Grant.objects.filter(login__person__in=persons)
    return {
        "person": login.person_id,
        "is_active": login.is_active,
        "grants": sorted([grant.login_id, grant.role, grant.organisation_id or ""] for grant in grants),
    }


def refuse_unless_admin(principal: Principal) -> None:
    """Raise Refused (`not_yours`) unless a login is an admin's at this instant, and acts on a page."""
    is_admin = Grant.objects.filter(
        login=principal.login, role=Role.ADMIN, login__is_active=True, login__person=principal.person
    ).exists()
    if not is_admin or principal.scopes is not None:
        raise Refused(
            "not_yours", "accounts are not yours to change", f"That is for {Role.ADMIN}, on the pages alone."
        )


def _kind_of(change: Change) -> Kind:
    kind = KINDS.get(change.kind)
    is_about = None if kind is None else getattr(change, f"{kind.subject}_id")
    if kind is None or is_about is None:
        raise Refused(
            "kind_unknown",
            f"there is no change {change.kind!r} of this",
            f"The kinds are {', '.join(KINDS)}.",
        )
    return kind


def _make_ids(change: Change) -> None:
    """Give an id to what the change would make, so that both persons and the history speak of the same one."""
    for new, made in (("name", "person"), ("group_name", "group")):
        if change.content.get(new) is not None:
            change.content[made] = new_id()


def _undecided(change_id: str) -> Change:
    change = Change.objects.select_related("login", "organisation").filter(id=change_id).first()
    if change is None:
        raise Refused("change_unknown", "there is no such change", "The list shows those that are open.")
    if Decision.objects.filter(change=change).exists():
        raise Refused("decided", "the change is decided", "Propose another one.")
    found: Change = change
    return found


def _refuse_own_person(principal: Principal, change: Change) -> None:
    """Raise Refused where an admin decides about their own person, with whatever login."""
    about = {change.content.get("person"), change.login.person_id if change.login else None}
    if principal.person in about:
        raise Refused("own_person", "the change is about yourself", "Let another admin decide.")


def _refuse_lapsed(change: Change) -> None:
    code = lapse_of(change)
    if code:
        raise Refused(code, LAPSES[code], "Refuse it, and propose it again if it is still wanted.")


LAPSES: Final = {
    "proposer_gone": "who proposed the change is not an admin any more",
    "lapsed": f"nobody has decided the change for {CHANGE_DAYS} days",
    "stale": "what the change is about has changed since it was proposed",
}
"""Why a change cannot be approved any more."""


def _told(change: Change) -> dict[str, Any]:
    told = {"kind": change.kind, "login": change.login_id, "organisation": change.organisation_id}
    return {**told, "role": change.content.get("role")}
