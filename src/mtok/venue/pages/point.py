"""The page of one value: the receipt, with every part of it, its evidence, and how to check it without trust."""

from __future__ import annotations

from bisect import bisect_left

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from mtok.calendar import format_instant
from mtok.errors import AnswerIsNo, EnvironmentFailed
from mtok.methodology import in_force
from mtok.publication.citations import citation, rankings_as_of, source_line
from mtok.publication.policy import load_policy
from mtok.publication.published import Published
from mtok.publication.vintages import Vintage
from mtok.records import PublishedRecord
from mtok.venue.answers import public
from mtok.venue.asked import day_of_text, instant_asked, known_series
from mtok.venue.opened import Opened
from mtok.venue.pages.page import site_address, standing
from mtok.venue.pages.receipt import BAR_WIDTH, receipt
from mtok.venue.place import opened
from mtok.wording.figures import counted, day_text
from mtok.wording.sentences import sentence
from mtok.wording.words import company, no_print


@public
def point(request: HttpRequest, series: str, date: str, vintage: int | None = None) -> HttpResponse:
    """Return the page of the vintage in force, of the one in force at `as_of`, or of the vintage in the address."""
    now = opened()
    known_series(now, series)
    day = day_of_text(date, "the date")
    dates = sorted({one.date for one in now.published.vintages.all_in_force() if one.series == series})
    if date not in dates:
        raise _unpublished(now, series, date, dates)
    vintages = now.published.vintages.of((series, in_force(day), date))
    chosen = _chosen(now.published, vintages, vintage, instant_asked(request, "as_of"))
    record = now.published.record(chosen)
    place = dates.index(date)
    base = site_address(request)
    content = {
        "title": f"{company(record)}, {day_text(date)}",
        "description": sentence(record),
        "preview": series,
        "preview_text": f"{company(record)}: the last print and the 90 days before it",
        "address": f"{base}/series/{series}/{date}" + ("" if vintage is None else f"/{vintage}"),
        "record": record,
        "vintage": chosen,
        "vintages": vintages,
        "in_force": now.published.vintages.in_force(chosen.key),
        "no_print": no_print(record) if record.value is None else None,
        "previous": dates[place - 1] if place else None,
        "following": dates[place + 1] if place + 1 < len(dates) else None,
        "why_published": load_policy().reasons.get(record.reason or "", ""),
        "proof": f"proofs/{series}/{date}.{chosen.vintage}.tlog-proof",
        "vkey": str(standing(now).key or ""),
        "evidence": f"/v1/series/{series}/points/{date}/evidence?vintage={chosen.vintage}",
        "citation": citation(record, origin=_origin(now), size=now.published.size),
        "source": source_line(rankings_as_of([record])),
        "bar_width": BAR_WIDTH,
        **receipt(record, _move_starts_from(now.published, record)),
    }
    return render(request, "point.html", content)


def _chosen(published: Published, vintages: list[Vintage], number: int | None, as_of: int | None) -> Vintage:
    """Return the vintage asked for. Raises AnswerIsNo where there was none."""
    first = vintages[0]
    what = f"{first.series} of {first.date}"
    if number is not None:
        if number >= len(vintages):
            raise AnswerIsNo(
                "vintage_unknown",
                f"{what} has {counted(len(vintages), 'vintage')}, and none is number {number}",
                f"They are numbered from 0; /series/{first.series}/{first.date} shows the one in force.",
            )
        return vintages[number]
    found = published.vintages.in_force(first.key, as_of)
    if found is None:
        raise AnswerIsNo(
            "not_published_then",
            f"{what} was not published yet at {format_instant(as_of or 0)}",
            f"It was first published at {format_instant(first.known_at)}.",
        )
    return found


def _unpublished(now: Opened, series: str, date: str, dates: list[str]) -> AnswerIsNo:
    """Return that a date has no record: why, where that is known, and the nearest dates that have one."""
    failures = [
        entry["failure"]
        for entry in now.published.entries
        if "failure" in entry and (entry["series"], entry["date"]) == (series, date)
    ]
    why = f": it could not be determined ({failures[-1]})" if failures else ""
    place = bisect_left(dates, date)
    nearest = " and ".join(dates[max(place - 1, 0) : place + 1])
    return AnswerIsNo(
        "date_unpublished",
        f"nothing is published of {series} for {date}{why}",
        f"The nearest with a record: {nearest}." if nearest else "No date of it is published yet.",
    )


def _move_starts_from(published: Published, record: PublishedRecord) -> PublishedRecord | None:
    """Return the record a move starts from, None where it cannot be read."""
    if record.move is None:
        return None
    vintages = published.vintages.of((record.series, record.methodology, record.move.from_date))
    try:
        found = map(published.record, vintages)
        return next((one for one in found if one.determination_sha256 == record.move.from_sha256), None)
    except EnvironmentFailed:
        return None


def _origin(now: Opened) -> str:
    key = standing(now).key
    return key.name if key else "unnamed"
