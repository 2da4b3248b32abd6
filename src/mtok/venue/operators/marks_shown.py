"""What the pages of marks show: days with the state of their marks, one day with every step, source and version.

Texts and figures, ready for templates; nothing is decided here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from fractions import Fraction
from typing import Any, Final

from mtok.calendar import day_of, format_date, format_instant
from mtok.publication.marks import MODEL, Source, sources_of
from mtok.settlement.marks import REVIEWED, Level, Mark
from mtok.settlement.values import PRICE_PLACES, price_text
from mtok.venue import place
from mtok.venue.accounts.models import Person
from mtok.venue.database.marks import marks_of
from mtok.venue.database.models import Event, MarkRow
from mtok.venue.database.records import KINDS, MARK
from mtok.venue.otc import judging
from mtok.venue.otc.marking import Case, days_to_prepare, look
from mtok.wording.figures import signed, signed_percent

LISTED_DAYS: Final = 35
"""How many days the list goes back."""
DECIDED_DAYS: Final = 10
"""Of how many days before the published values are offered where two operators decide (F5)."""

STATES: Final = {
    "": "to be prepared",
    "proposed": "waits for approval",
    "held": "held: waits for its preparer",
    "rejected": "rejected: to be prepared again",
    "approved": "approved: printed with the next tick of the clock",
    "published": "published",
    "disputed": "disputed: two operators decide",
    "upheld": "upheld",
    "corrected": "corrected",
    "locked": "locked",
}
LEVELS: Final = {
    Level.FINAL: "the final value of the day",
    Level.LATE: "a final value that came late",
    Level.SECOND_CHANNEL: "a second price channel",
    Level.CARRIED: "the last reviewed mark, carried forward",
    Level.AGREED: "what the parties of a contract agree on",
    Level.DECIDED: "a published value that two operators name",
}
WHY_HELD: Final = {
    "quality": "The value is an estimate.",
    "jump": "It is more than 20 % away from the value before.",
    "not_recomputed": "No fresh process has made the value again from the archive.",
    "recomputation_differs": "A fresh process has made the value again from the archive, and it came out differently.",
    "by_hand": "The preparer held it.",
}


def listed(now: int) -> list[dict[str, Any]]:
    """Return the days of the list, newest first: what is to be prepared, and the marks there are."""
    found = {(day, *subject): _row(day, *subject, "") for day, subject in days_to_prepare(now)}
    rows = MarkRow.objects.filter(day__gte=day_of(now) - LISTED_DAYS).order_by("mark_version")
    for row in rows:
        mark: Mark = KINDS[MARK].read(row.record)
        found[mark.day, mark.reference, mark.methodology] = _row(
            mark.day, mark.reference, mark.methodology, mark.state, mark
        )
    return [found[key] for key in sorted(found, key=lambda key: (-key[0], *key[1:]))]


def _row(day: int, reference: str, methodology: str, state: str, mark: Mark | None = None) -> dict[str, Any]:
    return {
        "date": format_date(day),
        "reference": reference,
        "methodology": methodology,
        "state": STATES[state],
        "is_waiting": state in ("", "proposed", "held", "rejected", "disputed"),
        "level": "" if mark is None else mark.level,
        "value": "" if mark is None else price_text(mark.value),
        "version": "–" if mark is None else mark.version,
        "log_index": None if mark is None else mark.log_index,
    }


def shown(case: Case, now: int) -> dict[str, Any]:
    """Return what the page of a day shows."""
    last = case.last
    mark = None if last is None else last.mark
    return {
        "date": format_date(case.day),
        "reference": case.reference,
        "methodology": case.methodology,
        "steps": [_step(one) for one in case.waterfall.steps],
        "resolution": _resolution(case),
        "decides": case.waterfall.steps[-1].level == Level.DECIDED,
        "sources": [_source(one, mark) for one in case.sources],
        "is_open": case.is_open,
        "id": None if last is None else last.id,
        "state": "" if mark is None else mark.state,
        "state_said": STATES["" if mark is None else mark.state],
        "mark": None if mark is None else _mark(mark),
        "otherwise": _otherwise(mark, now) if mark is not None and mark.state == "proposed" else None,
        "history": history(case),
        "said": [] if last is None else [_said(one) for one in judging.intentions(last)],
        "later": [] if mark is None else [_source(one, mark) for one in judging.later_sources(mark, now)],
    }


def _step(step: Any) -> dict[str, Any]:
    return {"level": step.level, "what": LEVELS[step.level], "answer": step.answer, "why": step.why}


def _resolution(case: Case) -> dict[str, Any] | None:
    found = case.waterfall.resolution
    if found is None:
        return None
    return {"level": found.level, "what": LEVELS[found.level], **_source(found.source, None)}


def _otherwise(mark: Mark, now: int) -> dict[str, Any]:
    """Return what the day would stand at if the value of a mark were ruled out."""
    ruled_out = frozenset({mark.source.index})
    found = look(mark.reference, mark.methodology, mark.day, now, ruled_out).waterfall
    source = None if found.resolution is None else _source(found.resolution.source, mark)
    return {"source": source, **_step(found.steps[-1])}


def _source(source: Source, mark: Mark | None) -> dict[str, Any]:
    """Return a published value with its page, and how far it is from a mark."""
    return {
        "index": source.index,
        "date": source.date,
        "stage": source.stage,
        "vintage": source.vintage,
        "quality": source.quality,
        "notes": ", ".join((*source.reasons, *source.notes)),
        "value": None if source.value is None else price_text(source.value),
        "known_at": source.known_at,
        "sha256": source.sha256,
        "address": address_of(source),
        "is_chosen": mark is not None and source.index == mark.source.index,
        "away": "" if mark is None or source.value is None else away(source.value, mark.value),
    }


def address_of(source: Source) -> str:
    """Return where everybody can look at a published value: the page of a point, the table of a model's price."""
    if not source.reference.startswith(MODEL):
        return f"/series/{source.reference}/{source.date}/{source.vintage}"
    return f"/{place.opened().published.entries[source.index]['path']}"


def away(value: int, other: int) -> str:
    """Return how far a value is from another one, in USD per million tokens and as a percentage."""
    if value == other:
        return "the same"
    change = signed(Fraction(value - other, 10**PRICE_PLACES), PRICE_PLACES)
    return f"{change} ({signed_percent(Fraction(value, other), 2)})"


def _mark(mark: Mark) -> dict[str, Any]:
    before = [
        one
        for one in marks_of(mark.reference, mark.methodology, mark.day - LISTED_DAYS, mark.day - 1)
        if one.state in REVIEWED
    ]
    last = before[-1] if before else None
    return {
        "version": mark.version,
        "value": price_text(mark.value),
        "level": mark.level,
        "what": LEVELS[mark.level],
        "source": _source(mark.source, None),
        "digest": mark.digest,
        "held": [WHY_HELD[one] for one in mark.held],
        "log_index": mark.log_index,
        "dispute_until": None if mark.dispute_until is None else format_instant(mark.dispute_until),
        "dispute": None if mark.dispute is None else _dispute(mark),
        "before_date": None if last is None else last.date,
        "before": None if last is None else price_text(last.value),
        "change": None if last is None else away(mark.value, last.value),
    }


def _dispute(mark: Mark) -> dict[str, Any]:
    assert mark.dispute is not None
    return {
        "own_value": price_text(mark.dispute.own_value),
        "away": away(mark.dispute.own_value, mark.value),
        "reason": mark.dispute.reason.text,
        "evidence": mark.dispute.reason.evidence,
        "resolve_until": format_instant(mark.dispute.resolve_until),
    }


def history(case: Case) -> list[dict[str, Any]]:
    """Return what was done to the marks of a day, the first thing first, with the names of those who did it."""
    rows = MarkRow.objects.filter(
        reference=case.reference, methodology=case.methodology, day=case.day
    ).values_list("pk", "mark_version")
    versions = dict(rows)
    events = list(Event.objects.filter(kind=MARK, object__in=versions).order_by("at", "pk"))
    names = _names(one for event in events for one in (event.person, event.second))
    return [
        {
            "at": format_instant(event.at),
            "version": versions[event.object],
            "command": event.command.removeprefix(f"{MARK}."),
            "who": _who(event, names),
            "reason": json.loads(event.details).get("reason") or "",
        }
        for event in events
    ]


def _who(event: Event, names: dict[str, str]) -> str:
    """Return who gave a command: persons of the venue by name, a participant as that."""
    if event.party is not None:
        return "a party"
    people = [one for one in (event.person, event.second) if one]
    return " and ".join(names.get(one, "the venue itself") for one in people)


def _names(persons: Iterable[str | None]) -> dict[str, str]:
    found = Person.objects.filter(pk__in={one for one in persons if one})
    return dict(found.values_list("pk", "name"))


def _said(intention: Any) -> dict[str, Any]:
    content = judging.said_of(intention)
    return {
        "id": intention.pk,
        "command": intention.command,
        "who": _names([intention.person]).get(intention.person, ""),
        "at": format_instant(intention.made_at),
        "reason": content["reason"],
        "source_index": content["source_index"],
        "digest": intention.digest,
    }


def decidable(case: Case) -> list[dict[str, Any]]:
    """Return the final values of the days before that two operators may name (F5), the newest first."""
    found: list[Source] = []
    for day in range(case.day, case.day - DECIDED_DAYS, -1):
        sources = sources_of(place.opened().published, case.reference, format_date(day))
        found += [
            one
            for one in reversed(sources)
            if one.stage == "final" and one.value is not None and one.methodology == case.methodology
        ]
    return [_source(one, None) for one in found]
