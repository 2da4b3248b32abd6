"""Changes in words: what is to be different, by whom and since when it is proposed, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mtok.calendar import format_date
from mtok.venue.accounts.changes import LAPSES, lapse_of
from mtok.venue.accounts.models import Change, Decision, Login, OwnerGroup, Person
from mtok.wording.figures import day_text


@dataclass(frozen=True, kw_only=True)
class Described:
    """A change on a page. outcome : `open`, `lapsed`, `approved`, `refused` · lapse : why it cannot be approved"""

    id: str
    what: str
    facts: list[tuple[str, str]]
    proposed_by: str
    proposed_at: int
    outcome: str
    lapse: str = ""
    decided_by: str = ""
    decided_at: int = 0


def described(change: Change) -> Described:
    """Return a change in words."""
    decision = Decision.objects.filter(change=change).first()
    lapse = lapse_of(change) if decision is None else ""
    outcome = "lapsed" if lapse else "open"
    if decision is not None:
        outcome = "approved" if decision.is_approved else "refused"
    return Described(
        id=change.id,
        what=_what(change),
        facts=_facts(change.content),
        proposed_by=_who(change.proposer, change.proposed_by),
        proposed_at=change.proposed_at,
        outcome=outcome,
        lapse=LAPSES.get(lapse, ""),
        decided_by=_who(decision.decider, decision.decided_by) if decision else "",
        decided_at=decision.decided_at if decision else 0,
    )


def history(changes: Iterable[Change]) -> list[Described]:
    """Return changes in words, the last proposed first."""
    return [
        described(one) for one in sorted(changes, key=lambda one: (one.proposed_at, one.id), reverse=True)
    ]


def _what(change: Change) -> str:
    about = change.organisation.legal_name if change.login is None else change.login.email
    role = str(change.content.get("role", "")).replace("_", " ")
    if change.kind == "grant":
        held_for = f" for {change.organisation.legal_name}" if change.organisation else ""
        return f"grant {role} to {about}{held_for}"
    if change.kind == "withdraw":
        return f"withdraw {role} from {about}"
    if change.kind == "name":
        return f"{about} is a login of {_person(change.content)}"
    return f"{change.kind} {about}"


def _person(content: dict[str, Any]) -> str:
    if content.get("name") is not None:
        return f"{content['name']}, a person not known before"
    found = Person.objects.filter(id=content["person"]).first()
    return str(found.name) if found else str(content["person"])


def _facts(content: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what else a change says, as it is labelled."""
    facts = []
    if "reason" in content:
        facts.append(("Reason", content["reason"]))
    if "credit_class" in content:
        facts += [
            ("Credit class", content["credit_class"]),
            ("Accepts", ", ".join(content["accepts"])),
            ("Identity checked until", day_text(format_date(content["known_until"]))),
            ("Beneficial owners", _group(content)),
        ]
    return facts


def _group(content: dict[str, Any]) -> str:
    if content.get("group_name") is not None:
        return f"{content['group_name']}, not known before"
    found = OwnerGroup.objects.filter(id=content["group"]).first()
    return str(found.name) if found else str(content["group"])


def _who(person: str, login: Login | None) -> str:
    """Return who did something, by name and address; the founding of a venue was done by nobody."""
    if login is None:
        return "nobody: this founded the venue"
    found = Person.objects.filter(id=person).first()
    return f"{found.name if found else person} ({login.email})"
