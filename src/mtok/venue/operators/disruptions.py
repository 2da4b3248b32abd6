"""Days of windows that have no mark yet, and what the waterfall says of each; contracts that are disrupted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from mtok.calendar import day_of, format_date, parse_date
from mtok.errors import MtokError
from mtok.market.book import CONTRACT
from mtok.market.contracts import RUNNING
from mtok.publication.marks import Source, sources_of
from mtok.settlement.marks import IN_MARGIN, Mark, last_versions, usable
from mtok.settlement.people import Role
from mtok.settlement.specification import specification
from mtok.settlement.values import Style, Window
from mtok.settlement.waterfall import Step, resolve
from mtok.venue import place
from mtok.venue.accounts.asking import in_role
from mtok.venue.operators.resting import marks_of
from mtok.venue.otc import trading

_DAYS_MAX: Final = 31
"""Days of one window that are shown."""


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A day of a window without a mark that may be used: the state of its mark, what the waterfall says."""

    day: int
    mark: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, kw_only=True)
class Gaps:
    """The gaps of one reference and window, and the contracts that look at it."""

    reference: str
    methodology: str
    month: str
    contracts: tuple[str, ...]
    days: tuple[Gap, ...]


@in_role(Role.TREASURY)
@require_safe
def disruptions(request: HttpRequest) -> HttpResponse:
    """Return contracts that are disrupted, and every day without a mark of a window that has begun."""
    return render(request, "venue/operators/disruptions_treasury.html", _content(request, Role.TREASURY))


@in_role(Role.AUDITOR)
@require_safe
def audited_disruptions(request: HttpRequest) -> HttpResponse:
    """Return the same to an auditor."""
    return render(request, "venue/operators/disruptions_audit.html", _content(request, Role.AUDITOR))


def _content(request: HttpRequest, role: Role) -> dict[str, Any]:
    contracts = trading.all_open(request.principal, role)[CONTRACT]
    return {
        "title": "Disruptions",
        "disrupted": [one for one in contracts if one["state"] == "disrupted"],
        "windows": list(_windows(contracts, place.now())),
        "is_treasury": role == Role.TREASURY,
    }


def _windows(contracts: list[dict[str, Any]], now: int) -> Iterator[Gaps]:
    alike: dict[tuple[str, str, str, str], list[dict[str, Any]]] = {}
    for one in contracts:
        if one["state"] in RUNNING:
            terms = json.loads(one["terms"])
            key = terms["reference"], terms["methodology"], terms["maturity"], terms["settlement"]
            alike.setdefault(key, []).append(one)
    for (reference, methodology, month, _), found in sorted(alike.items()):
        days = tuple(_gaps(found[0], now))
        if days:
            yield Gaps(
                reference=reference,
                methodology=methodology,
                month=month,
                contracts=tuple(one["id"] for one in found),
                days=days,
            )


def _gaps(contract: Mapping[str, Any], now: int) -> Iterator[Gap]:
    terms = json.loads(contract["terms"])
    window = Window(
        first=parse_date(terms["first_date"]),
        last=parse_date(terms["last_date"]),
        style=Style(terms["settlement"]),
    )
    marks = marks_of(contract)
    values = usable(marks, IN_MARGIN)
    latest = {mark.day: mark for mark in last_versions(marks)}
    past = [day for day in window.days if day < day_of(now) and day not in values]
    for day in past[:_DAYS_MAX]:
        mark = latest.get(day)
        yield Gap(
            day=day,
            mark="none" if mark is None else mark.state,
            steps=_steps(terms, day, marks, window, now),
        )


def _steps(
    terms: Mapping[str, Any], day: int, marks: tuple[Mark, ...], window: Window, now: int
) -> tuple[Step, ...]:
    rejected = {mark.source.index for mark in marks if mark.day == day and mark.state == "rejected"}
    return resolve(
        day,
        now=now,
        sources=_sources(terms["reference"], terms["methodology"], format_date(day)),
        earlier=[mark for mark in last_versions(marks) if mark.day < day],
        window=window,
        final=False,
        rules=specification(),
        rejected=rejected,
    ).steps


def _sources(reference: str, methodology: str, date: str) -> list[Source]:
    """Return what is published of a reference of a day, nothing where there is no publication to read."""
    try:
        found = sources_of(place.opened().published, reference, date)
    except MtokError:
        return []
    return [one for one in found if one.methodology == methodology]
