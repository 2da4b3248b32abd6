"""The audit log as an auditor may read it: every event, of its record the fields that the reveal table gives auditors.

What opens a commitment to a name, whom to reach, and who is firm in a run is in no field that an auditor sees; nor is
it in what a command said. That a request was confirmed is told once the run it was confirmed for is over; of a run the
digests are told, not which requests it looked at.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from django.db.models import Q, QuerySet

from mtok.calendar import DAY, format_instant, parse_date
from mtok.canonical import sha256_hex
from mtok.errors import BadCall
from mtok.market import reveal
from mtok.market.book import CONTRACT, PROPOSAL, REQUEST, Book
from mtok.market.cycle import last_run
from mtok.settlement.people import Actor, Role
from mtok.settlement.specification import specification
from mtok.venue.database.models import Event
from mtok.venue.database.records import KINDS, MARK
from mtok.venue.database.runs import RUN

KIND_NAMES: Final = (REQUEST, PROPOSAL, CONTRACT, MARK, RUN)
_TEXT_MAX: Final = 64

_CONFIRMED: Final = "request.confirm"
_UNTOLD: Final = frozenset({"proposal.send"})
"""Commands whose details open what is to stay closed."""
_OF_REQUESTS: Final = frozenset({"request.draft", "request.amend"})
"""Commands whose details are fields of a request."""


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which events are asked for; what is empty asks for nothing. first, last : days as dates"""

    kind: str = ""
    object: str = ""
    person: str = ""
    first: str = ""
    last: str = ""

    def pairs(self) -> dict[str, str]:
        """Return what is asked for, as an address says it."""
        return {name: value for name, value in _fields(self).items() if value}


@dataclass(frozen=True, kw_only=True)
class Logged:
    """An event as an auditor reads it. changes : field, before, after, as texts · details : what the command said"""

    id: int
    at: int
    kind: str
    object: str
    version: int
    command: str
    subject: str
    person: str
    second: str
    role: str
    party: str
    state: str
    details: str
    changes: tuple[tuple[str, str, str], ...]

    def fields(self) -> dict[str, Any]:
        """Return the fields of a line of an export."""
        changes = {name: {"before": before, "after": after} for name, before, after in self.changes}
        return _fields(self) | {"at": format_instant(self.at), "changes": changes}


def _fields(one: Any) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__dataclass_fields__}


def filter_of(asked: Mapping[str, str]) -> Filter:
    """Return the filter that an address asks for. Raises BadCall (`filter_invalid`)."""
    found = Filter(**{name: asked.get(name, "").strip() for name in Filter.__dataclass_fields__})
    if found.kind and found.kind not in KIND_NAMES:
        raise BadCall("filter_invalid", f"no kind {found.kind[:20]!r}", f"One of {', '.join(KIND_NAMES)}.")
    for name in ("object", "person"):
        if len(getattr(found, name)) > _TEXT_MAX or "\x00" in getattr(found, name):
            raise BadCall("filter_invalid", f"{name} is no id", "Copy it from a line of the log.")
    for date in (found.first, found.last):
        if date:
            _day(date)
    return found


def events(chosen: Filter, now: int) -> QuerySet[Event]:
    """Return the events of a filter that may be told by now, the last one first."""
    rows = Event.objects.exclude(command=_CONFIRMED, at__gte=last_run(now, specification()))
    if chosen.kind:
        rows = rows.filter(kind=chosen.kind)
    if chosen.object:
        rows = rows.filter(Q(object=chosen.object) | Q(subject=chosen.object))
    if chosen.person:
        rows = rows.filter(Q(person=chosen.person) | Q(second=chosen.person))
    if chosen.first:
        rows = rows.filter(at__gte=_day(chosen.first) * DAY)
    if chosen.last:
        rows = rows.filter(at__lt=(_day(chosen.last) + 1) * DAY)
    return rows.order_by("-pk")


def logged(event: Event) -> Logged:
    """Return an event as an auditor reads it."""
    return Logged(
        id=event.pk,
        at=event.at,
        kind=event.kind,
        object=event.object,
        version=event.version,
        command=event.command,
        subject=event.subject,
        person=event.person,
        second=event.second or "",
        role=event.role,
        party=event.party or "",
        state=event.state,
        details=details_shown(event),
        changes=changes_of(event),
    )


def changes_of(event: Event) -> tuple[tuple[str, str, str], ...]:
    """Return the fields that an event changed, of those that an auditor sees: name, before, after; as texts."""
    previous = Event.objects.filter(kind=event.kind, object=event.object, version=event.version - 1).first()
    before = {} if previous is None else _seen(previous)
    after = _seen(event)
    names = [*after, *(name for name in before if name not in after)]
    changed = [name for name in names if before.get(name, "") != after.get(name, "")]
    return tuple((name, before.get(name, ""), after.get(name, "")) for name in changed)


def _seen(event: Event) -> dict[str, str]:
    """Return what an auditor sees of an object as an event left it, each field as JSON; nothing where it is nothing."""
    if event.kind == RUN:
        return {"sha256": sha256_hex(event.record.encode())} if event.record else {}
    found = KINDS[event.kind].read(event.record)
    if event.kind == MARK:
        shown = msgspec.to_builtins(found)
    else:
        alone = Book(rules=specification(), parties={}, references={})
        shown = reveal.view(alone, found, Actor(person="", role=Role.AUDITOR), event.at)
    return {name: _text(value) for name, value in shown.items()}


def _text(value: Any) -> str:
    """Return a value as it is written: texts as they are, nothing as nothing, all else as JSON."""
    if value is None or value == ():
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def details_shown(event: Event) -> str:
    """Return what a command said, as JSON, as far as an auditor may read it; empty where it said nothing more."""
    if event.command in _UNTOLD:
        return ""
    said = json.loads(event.details)
    if event.command in _OF_REQUESTS and isinstance(said, dict):
        may = reveal.revealed(REQUEST, reveal.Relation.AUDITOR, "any")
        said = {name: value for name, value in said.items() if name in {*may, "lots"}}
    return "" if said is None else json.dumps(said, ensure_ascii=False)


def _day(date: str) -> int:
    try:
        return parse_date(date)
    except ValueError as error:
        raise BadCall("filter_invalid", f"{date[:20]!r} is no date", "Dates are YYYY-MM-DD.") from error
