"""Status: what was due and came, what the log and the files are worth, what changed lately. It shows in any damage."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from mtok.calendar import parse_instant
from mtok.venue.answers import passing
from mtok.venue.health import DAYS, FILES_CHECKED_MAX, Day, Health, Print, health
from mtok.venue.keeping import Archive
from mtok.venue.place import now, opened
from mtok.wording.figures import ABSENT, counted, day_text, duration, percent
from mtok.wording.words import SYMBOLS, company_of

_CHECKS: Final = {
    "checkpoint": "Head of the log",
    "log": "Entries of the log",
    "sums": "Digests of the files",
}
_CHANGED: Final = "restatement"
_BESIDE: Final = {
    "late": "came late",
    "final": "final and not as preliminary",
    "informational": "for information only",
}
"""Kinds of revisions: that which changes a value, and in words those which do not."""

_KINDS: Final = {
    "captures": "lists of captures",
    "feeds": "feeds",
    "log": "log: entries, hashes, heads",
    "methodology": "rules and parameters",
    "observations": "facts the rules read",
    "policies": "policies",
    "prices": "posted prices",
    "proofs": "proofs",
    "raw": "lists of all captures",
    "records": "records",
    "rulebooks": "rulebooks",
    "series": "series",
    "views": "files for people and programs",
}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A series on a date. symbol, quality : by shape and word, empty without a print · stage : where not the row's"""

    symbol: str = ""
    quality: str = ""
    stage: str = ""
    address: str = ""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A date of the grid. came : how long after its hour, in words · in_time : the word for it"""

    date: str
    stage: str
    came: str
    in_time: str
    cells: tuple[Cell, ...]


def status(request: HttpRequest) -> HttpResponse:
    """Return the status page."""
    found = health(opened(), now())
    limit = found.punctuality.limit_seconds
    context = {
        "title": "Status",
        "description": "Whether the last print came in time, what is missing, and whether log and files hold.",
        "health": found,
        "verdict": verdict(found),
        "companies": [company_of(series) for series in found.series],
        "rows": [_row(day, found, limit) for day in found.days],
        "days": DAYS,
        "punctual": _punctual(found),
        "limit": duration(limit),
        "checks": [{"name": _CHECKS[check.what], "check": check} for check in found.files.checks],
        "held": [{"name": _KINDS.get(held.kind, held.kind), "held": held} for held in found.files.held],
        "files_max": FILES_CHECKED_MAX,
        "missing": [
            {
                "date": one.date,
                "series": [company_of(series) for series in one.series],
                "failure": one.failure,
            }
            for one in found.missing
        ],
        "revised": _revised(found),
        "archive_rows": [
            {
                "day": day,
                "gap": duration(day.longest_gap_seconds),
                "failed": ", ".join(f"{code} {count}" for code, count in day.attempts_failed.items())
                or ABSENT,
            }
            for day in (found.archive.days if found.archive else ())
        ],
    }
    return passing(render(request, "status.html", context))


def verdict(found: Health) -> str:
    """Return in one sentence how things stand."""
    if found.damage is not None:
        return f"The log of this publication cannot be read: {found.damage}."
    if not found.sound:
        worst = next((check.found for check in found.files.checks if not check.holds), None)
        return f"Something here is not what was published: {worst or found.files.ended or _damaged(found)}."
    if found.published_at is None:
        return "Nothing is published here yet."
    if found.late:
        return f"Late: {counted(len(found.late), 'date')} without a final print, the last {day_text(found.late[-1])}."
    return f"Nothing is late, and everything that was checked holds.{_alarms(found.archive)}"


def _alarms(archive: Archive | None) -> str:
    """Return how many alarms of the collection are open, empty where none is."""
    count = len(archive.late) + len(archive.open) + archive.more if archive else 0
    return f" {counted(count, 'alarm')} {'is' if count == 1 else 'are'} open." if count else ""


def _damaged(found: Health) -> str:
    return f"{counted(found.files.damages, 'file')} damaged or missing"


def _revised(found: Health) -> str:
    """Return how many values were changed lately, and how many vintages stand in the log for another reason."""
    kinds = Counter(one.kind for one in found.revisions if one.kind != _CHANGED or one.before != one.after)
    others = [f"{kinds[kind]:,} {words}" for kind, words in _BESIDE.items() if kinds[kind]]
    return ", ".join([f"{counted(kinds[_CHANGED], 'value')} changed", *others])


def _row(day: Day, found: Health, limit: int) -> Row:
    prints = [one for one in day.prints.values() if one is not None]
    stages = [one.stage for one in prints]
    usual = max(sorted(set(stages)), key=stages.count, default="")
    came, in_time = _came(prints, day, found, limit)
    return Row(
        date=day.date,
        stage=usual,
        came=came,
        in_time=in_time,
        cells=tuple(_cell(series, day.date, one, usual) for series, one in day.prints.items()),
    )


def _came(prints: list[Print], day: Day, found: Health, limit: int) -> tuple[str, str]:
    """Return how long after its hour the last print of a date came, and the word for it."""
    if not prints:
        return "", "late" if day.date in found.late else "not due"
    delay = max(one.delay_seconds for one in prints)
    after = "under a minute" if 0 <= delay < 60 else duration(max(delay, 0))
    if delay <= limit:
        return after, "in time"
    began = parse_instant(found.began or day.final_due)
    return after, "before the log" if parse_instant(day.final_due) < began else "late"


def _cell(series: str, date: str, one: Print | None, usual: str) -> Cell:
    if one is None:
        return Cell()
    return Cell(
        symbol=SYMBOLS.get(one.quality, "?"),
        quality=one.quality,
        stage="" if one.stage == usual else one.stage,
        address=f"/series/{series}/{date}",
    )


def _punctual(found: Health) -> str:
    """Return the record of punctuality in a sentence."""
    record = found.punctuality
    if not record.due:
        return "No final print has come due since this log began."
    share = percent(Fraction(record.on_time, record.due))
    said = f"{record.on_time:,} of {record.due:,} final prints came in time ({share})"
    if record.worst_seconds is None or record.worst_date is None:
        return f"{said}."
    return (
        f"{said}; the longest delay was {duration(record.worst_seconds)}, of {day_text(record.worst_date)}."
    )
