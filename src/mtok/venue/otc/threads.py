"""Incidents and complaints: threads that only grow. An operator writes an incident, a participant a complaint, and
whoever is concerned answers.

A participant sees its own complaints and no incident; operators and auditors see all of both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mtok.errors import AnswerIsNo, BadInput
from mtok.settlement.people import OPERATORS, Role
from mtok.venue import place
from mtok.venue.accounts.principals import Principal, refreshed
from mtok.venue.database.models import Notice
from mtok.venue.database.transactions import transaction_of

INCIDENT: Final = "incident"
COMPLAINT: Final = "complaint"
TEXT_MAX: Final = 4000
THREAD_MAX: Final = 200
"""Answers of one thread."""

_READERS: Final = (*OPERATORS, Role.AUDITOR)


@dataclass(frozen=True, kw_only=True)
class Thread:
    """What was written first, and every answer to it in order."""

    first: Notice
    answers: tuple[Notice, ...]


def report(principal: Principal, text: str) -> Notice:
    """Write an incident. Raises AnswerIsNo (`not_yours`), BadInput (`text_invalid`)."""

    def work() -> Notice:
        who = refreshed(principal)
        if not who.is_operator:
            raise AnswerIsNo("not_yours", "an incident is written by an operator", "Write a complaint.")
        return _written(who, INCIDENT, text)

    return transaction_of(work)


def complain(principal: Principal, text: str, kind: str = "", identity: str = "") -> Notice:
    """Write a complaint for a participant. kind, identity : the object it is about, where there is one

    Raises AnswerIsNo (`not_yours`), BadInput (`text_invalid`).
    """

    def work() -> Notice:
        who = refreshed(principal)
        if who.party is None:
            raise AnswerIsNo("not_yours", "a complaint is a participant's", "Write an incident.")
        return _written(who, COMPLAINT, text, object_kind=kind, object=identity)

    return transaction_of(work)


def answer(principal: Principal, identity: str, text: str) -> Notice:
    """Add to a thread. Raises AnswerIsNo: `not_found`, `thread_full`; BadInput (`text_invalid`)."""

    def work() -> Notice:
        who = refreshed(principal)
        found = thread(who, identity)
        if not who.is_operator and who.party is None:
            raise AnswerIsNo("not_yours", "an auditor reads and does not write", "Ask an operator to.")
        if len(found.answers) >= THREAD_MAX:
            raise AnswerIsNo("thread_full", f"{THREAD_MAX} answers are all a thread takes", "Begin another.")
        return _written(who, found.first.kind, text, answers=found.first)

    return transaction_of(work)


def thread(principal: Principal, identity: str) -> Thread:
    """Return a thread. Raises AnswerIsNo (`not_found`), of somebody else's as of one that does not exist."""
    first = Notice.objects.filter(pk=identity, kind__in=(INCIDENT, COMPLAINT), answers=None).first()
    may_read = first is not None and (
        not principal.roles.isdisjoint(_READERS)
        or (first.kind == COMPLAINT and principal.party is not None and first.party == principal.party)
    )
    if first is None or not may_read:
        raise AnswerIsNo("not_found", f"there is no thread {identity[:40]}", "See the list of yours.")
    return Thread(first=first, answers=tuple(Notice.objects.filter(answers=first).order_by("at", "pk")))


def threads(principal: Principal, *, before: int | None = None, size: int = 50) -> list[Notice]:
    """Return what threads began with, the latest first; those before an instant alone."""
    found = Notice.objects.filter(kind__in=(INCIDENT, COMPLAINT), answers=None)
    if principal.roles.isdisjoint(_READERS):
        found = found.filter(kind=COMPLAINT, party=principal.party or "")
    if before is not None:
        found = found.filter(at__lt=before)
    return list(found.order_by("-at", "-pk")[:size])


def _written(who: Principal, kind: str, text: str, **fields: object) -> Notice:
    said = text.strip().replace("\r\n", "\n")
    if not 0 < len(said) <= TEXT_MAX or "\x00" in said:
        raise BadInput("text_invalid", f"a text of {len(said)} characters", f"1 to {TEXT_MAX}.")
    return Notice.objects.create(
        kind=kind, at=place.now(), login_id=who.login, party=who.party, text=said, **fields
    )
