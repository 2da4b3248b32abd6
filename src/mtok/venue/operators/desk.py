"""The desk's first page, the book and the runs: what waits, who wants what under pseudonyms, when the next run is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from mtok.calendar import DAY, SECOND
from mtok.canonical import sha256_hex
from mtok.market import conduct
from mtok.market.book import PROPOSAL, REQUEST
from mtok.market.cycle import is_in_slot, last_run, next_run, slot_end
from mtok.market.proposals import ENDED
from mtok.settlement.people import Role
from mtok.settlement.specification import specification
from mtok.venue import place
from mtok.venue.accounts.asking import in_role
from mtok.venue.database import books
from mtok.venue.database.runs import how_many, last_runs
from mtok.venue.operators.describing import instant
from mtok.venue.operators.said import waiting
from mtok.venue.otc import trading
from mtok.venue.pages.paging import page_of
from mtok.wording.figures import duration

PAGE_ROWS: Final = 50
_RUNS_SHORT: Final = 5
_CONDUCT_DAYS: Final = 365
"""How far back the desk looks for habits."""


@dataclass(frozen=True, kw_only=True)
class RunRow:
    """A run as it is shown. inputs, outputs : digests, empty of the instant the venue began with"""

    at: int
    inputs: str
    outputs: str
    matches: int


@in_role(Role.DESK)
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """Return what waits for the desk."""
    who = request.principal
    submitted = trading.listed(who, Role.DESK, REQUEST, states=("submitted",), size=PAGE_ROWS + 1)
    pairs = trading.all_open(who, Role.DESK)[PROPOSAL]
    content = {
        "title": "Desk",
        "clock": clock_words(place.now()),
        "submitted": submitted[:PAGE_ROWS],
        "has_more": len(submitted) > PAGE_ROWS,
        "candidates": [one for one in pairs if one["state"] == "candidate"],
        "waiting": waiting(who, (REQUEST, PROPOSAL)),
        "runs": run_rows(0, _RUNS_SHORT),
    }
    return render(request, "venue/operators/desk.html", content)


@in_role(Role.DESK)
@require_safe
def book(request: HttpRequest) -> HttpResponse:
    """Return the live book: by reference and side, the best limit first, then who was accepted first."""
    live = [
        one
        for one in trading.all_open(request.principal, Role.DESK)[REQUEST]
        if one["state"] in ("live", "paused")
    ]
    live.sort(key=_place)
    page, pages = page_of(request.GET.get("page", ""), len(live), PAGE_ROWS)
    shown = live[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]
    groups = [
        {"reference": reference, "side": side, "requests": list(rows)}
        for (reference, side), rows in groupby(shown, lambda one: (one["reference"], str(one["side"])))
    ]
    content = {"title": "Book", "groups": groups, "page": page, "pages": pages}
    return render(request, "venue/operators/book.html", content)


def _place(one: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what a book is sorted by: no limit is the best one of its side."""
    limit = one["limit"]
    better = 0 if limit is None else -limit if one["side"] == "buy" else limit
    return one["reference"], str(one["side"]), limit is not None, better, one["accepted_at"], one["id"]


@in_role(Role.DESK)
@require_safe
def runs(request: HttpRequest) -> HttpResponse:
    """Return the runs, the last one first, with the digests of what they looked at and of what they found."""
    return render(request, "venue/operators/runs_desk.html", _runs(request))


@in_role(Role.AUDITOR)
@require_safe
def audited_runs(request: HttpRequest) -> HttpResponse:
    """Return the same to an auditor."""
    return render(request, "venue/operators/runs_audit.html", _runs(request))


def _runs(request: HttpRequest) -> dict[str, Any]:
    page, pages = page_of(request.GET.get("page", ""), how_many(), PAGE_ROWS)
    return {
        "title": "Runs",
        "clock": clock_words(place.now()),
        "runs": run_rows((page - 1) * PAGE_ROWS, page * PAGE_ROWS),
        "page": page,
        "pages": pages,
    }


@in_role(Role.DESK)
@require_safe
def habits(request: HttpRequest) -> HttpResponse:
    """Return what a desk looks at twice."""
    now, rules = place.now(), specification()
    since = now - _CONDUCT_DAYS * DAY
    read = books.read(
        Q(pk__in=()),
        Q(run__gte=since, state__in=ENDED - {"dropped"}),
        Q(booked_at__gte=since),
        trading.surroundings(),
        now,
    )
    content = {
        "title": "Conduct",
        "decliners": conduct.decliners(read.book),
        "round_trips": conduct.round_trips(read.book),
        "outcomes": rules.outcomes_reviewed,
        "declined_max": int(rules.declined_share_max * rules.outcomes_reviewed),
        "days": _CONDUCT_DAYS,
    }
    return render(request, "venue/operators/conduct.html", content)


def run_rows(first: int, end: int) -> list[RunRow]:
    """Return runs, the last one first."""
    return [
        RunRow(
            at=run.at,
            inputs=sha256_hex(run.inputs.encode()) if run.inputs else "",
            outputs=sha256_hex(run.outputs.encode()) if run.outputs else "",
            matches=len(json.loads(run.outputs)) if run.outputs else 0,
        )
        for run in last_runs(first, end)
    ]


def clock_words(now: int) -> str:
    """Return where the day of the market stands, in words."""
    rules = specification()
    run = next_run(now, rules)
    said = f"The next run is in {duration((run - now) // SECOND)}, at {instant(run)}."
    if not is_in_slot(now, rules):
        return said
    last = last_run(now, rules)
    left = duration((slot_end(last, rules) - now) // SECOND)
    slot = f"The slot of the run of {instant(last)} is open for another {left}"
    return f"{slot}: terms are sent within it or not at all. {said}"
