"""Revisions and notices: every value that was changed or came late, why, and what the operator has had to say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from mtok.calendar import DAY, parse_date, parse_instant
from mtok.errors import AnswerIsNo, BadCall, EnvironmentFailed, MtokError
from mtok.methodology import load
from mtok.notes import NoteRefused, PublicKey
from mtok.publication.entries import Entry
from mtok.publication.policy import load_policy
from mtok.publication.published import Published
from mtok.venue.answers import public
from mtok.venue.documents import documents_of
from mtok.venue.opened import Opened
from mtok.venue.pages.methodology import parameters_of
from mtok.venue.pages.paging import page_of
from mtok.venue.place import opened
from mtok.venue.revised import Revision, revisions_of
from mtok.wording.figures import ABSENT, day_text, signed_percent
from mtok.wording.words import METHODOLOGY, company_of

PAGE_ROWS: Final = 50
NOTICES_MAX: Final = 100
"""Notices that are shown; all of them stand in the log."""

_KINDS: Final = {
    "late": "came late",
    "final": "final after preliminary",
    "restatement": "restated",
    "informational": "informational",
}
_NOTICES: Final = {
    "disruption": "Disruption",
    "incident": "Incident",
    "correction": "Correction",
    "key_rotation": "New key",
    "cessation": "Cessation",
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """A revision as people read it. before, after : with an absent one in words · why : the reason in words"""

    revision: Revision
    company: str
    kind: str
    before: str
    after: str
    change: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A notice. index : of its entry · lines : of its text · keys : ids of the old and the new key of a rotation"""

    index: int
    kind: str
    company: str
    dates: tuple[str, ...]
    time: str
    lines: tuple[str, ...]
    keys: tuple[str, ...]


@public
def revisions(request: HttpRequest) -> HttpResponse:
    """Return the page, of one series where it is asked for."""
    now = opened()
    series = _series(request.GET.get("series", ""))
    policy, damaged = _policy(now)
    published = now.published if now.damage is None else None
    every = revisions_of(published) if published else []
    began = published.entries[0]["time"] if published and published.entries else ""
    found = [one for one in every if not series or one.series == series]
    page, pages = page_of(request.GET.get("page", ""), len(found), PAGE_ROWS)
    shown = found[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]
    notices = list(_notices(published, series))[::-1] if published else []
    context = {
        "title": "Revisions and notices",
        "description": "Every value that was changed or came late, with its reason, and every notice of the operator.",
        "series": series,
        "companies": [(one.series, one.company) for one in load(METHODOLOGY).series],
        "rows": [_row(one, policy.get("reasons", {}), began) for one in shown],
        "total": len(found),
        "page": page,
        "pages": pages,
        "page_rows": PAGE_ROWS,
        "notices": notices[:NOTICES_MAX],
        "notices_total": len(notices),
        "numbers": list(parameters_of(policy)),
        "reasons": policy.get("reasons", {}),
        "damaged": now.damage or damaged,
        "readable": published is not None,
        "policy_name": policy.get("policy", ""),
    }
    return render(request, "revisions.html", context)


def _series(asked: str) -> str:
    """Return the series to show, empty for all. Raises BadCall for an unknown one."""
    known = [one.series for one in load(METHODOLOGY).series]
    if asked and asked not in known:
        raise BadCall("series_unknown", f"series {asked[:40]!r} is unknown", f"Known: {', '.join(known)}.")
    return asked


def _policy(now: Opened) -> tuple[dict[str, Any], MtokError | None]:
    """Return the published policy, or none of it and why."""
    try:
        return documents_of(now).policy, None
    except EnvironmentFailed as error:
        return {}, error
    except AnswerIsNo:
        return {}, None


def _row(one: Revision, reasons: Mapping[str, str], began: str) -> Row:
    """Return a revision in words. began : instant of the first entry of the log"""
    before = ABSENT if one.first else one.before or "withheld"
    why = "as scheduled: the next print of that date"
    if one.reason is not None:
        why = reasons.get(one.reason, "a reason this page has no words for")
    if one.kind == "late" and _final_due(one.date) < parse_instant(began):
        why = f"{why}; this log began only on {day_text(began[:10])}"
    ratio = one.ratio
    return Row(
        revision=one,
        company=company_of(one.series),
        kind=_KINDS.get(one.kind, one.kind),
        before=before,
        after=one.after or "withheld",
        change="" if ratio is None else "unchanged" if ratio == 1 else signed_percent(ratio, 2),
        why=why,
    )


def _final_due(date: str) -> int:
    """Return the instant at which the final print of a date is due."""
    return (parse_date(date) + 1) * DAY + load_policy().final


def _notices(published: Published, series: str) -> Iterator[Shown]:
    for index, entry in enumerate(published.entries):
        if entry["type"] == "notice" and series in ("", entry.get("series", series)):
            yield _shown(index, entry)


def _shown(index: int, entry: Entry) -> Shown:
    dates = tuple(dict.fromkeys(entry[name] for name in ("first_date", "last_date") if entry.get(name)))
    return Shown(
        index=index,
        kind=_NOTICES.get(str(entry["kind"]), str(entry["kind"])),
        company=company_of(entry["series"]) if entry.get("series") else "",
        dates=dates,
        time=entry["time"],
        lines=tuple(entry["text"].splitlines()),
        keys=tuple(_key_id(entry[name]) for name in ("old_key", "new_key") if entry.get(name)),
    )


def _key_id(text: str) -> str:
    try:
        return PublicKey.parse(text).id.hex()
    except NoteRefused:
        return "a key that cannot be read"
