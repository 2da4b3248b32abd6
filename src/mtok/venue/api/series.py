"""The series, where each stands, and why one moved between two dates."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from mtok.calendar import format_instant
from mtok.determination.move import explain_move
from mtok.errors import AnswerIsNo, BadCall
from mtok.methodology import load
from mtok.publication.vintages import Vintage
from mtok.records import point
from mtok.venue.api.asked import AsOf, Date, Days, SeriesId
from mtok.venue.api.chosen import vintage_of, vintages_of
from mtok.venue.api.schemas import MoveBetween, SeriesList, SeriesSummary
from mtok.venue.api.written import answer, canonical
from mtok.venue.asked import known_series
from mtok.venue.opened import Opened
from mtok.venue.place import opened

router = Router(tags=["series"])


@router.get("/series", response=SeriesList, operation_id="list_series", summary="Every series")
def list_series(request: HttpRequest) -> HttpResponse:
    """Return the series in the order of R-1, each with the vintage in force of its last date."""
    now = opened()
    names = now.series()
    return answer(
        {
            "log_size": now.published.size,
            "published_at": format_instant(now.published.known_at or 0),
            "series": [_summary(now, name) for name in names],
        }
    )


@router.get("/series/{series}", response=SeriesSummary, operation_id="get_series", summary="One series")
def get_series(request: HttpRequest, series: SeriesId) -> HttpResponse:
    """Return a series: its first and last date, and the vintage in force of the last."""
    now = opened()
    return answer(_summary(now, known_series(now, series)))


def _summary(now: Opened, series: str) -> dict[str, Any]:
    methodology = load(now.methodology())
    [company] = [entry.company for entry in methodology.series if entry.series == series]
    found = vintages_of(now, series, Days(None, None))
    return {
        "series": series,
        "company": company,
        "unit": methodology.unit,
        "methodology": methodology.methodology,
        "first_date": found[0].date if found else None,
        "last_date": found[-1].date if found else None,
        "point": point(now.published.outline(found[-1])) if found else None,
    }


@router.get(
    "/series/{series}/move",
    response=MoveBetween,
    operation_id="explain_move",
    by_alias=True,
    summary="Why it moved between two dates",
)
def get_move(
    request: HttpRequest,
    series: SeriesId,
    from_: Annotated[Date, Query(alias="from")],
    to: Date,
    as_of: AsOf | None = None,
) -> HttpResponse:
    """Return the move between any two printed dates by price, mix, entry and exit: directly by R-11, no sum over days.

    The effects are exact and add up to the change. A date that was withheld has no value to move from or to.
    """
    if to <= from_:
        raise BadCall(
            "dates_out_of_order", f"{to} is not after {from_}", "Give two dates, `from` the earlier."
        )
    now = opened()
    before, after = (_end(now, vintage_of(now, series, date, as_of=as_of)) for date in (from_, to))
    if before.methodology != after.methodology:
        raise AnswerIsNo(
            "methodologies_differ",
            f"{from_} was determined by methodology {before.methodology}, {to} by {after.methodology}",
            "A move is explained within one version of the rules (R-11).",
        )
    records = [now.published.record(end) for end in (before, after)]
    return answer(
        {
            "series": series,
            "unit": records[1].unit,
            "methodology": after.methodology,
            "from": _named(before),
            "to": _named(after),
            "move": canonical(explain_move(records[0].determination, records[1].determination)),
        }
    )


def _end(now: Opened, vintage: Vintage) -> Vintage:
    """Return a vintage that has a value. Raises AnswerIsNo for one that was withheld."""
    if vintage.value is None:
        raise AnswerIsNo(
            "value_withheld",
            f"{vintage.date} of {vintage.series} was withheld: {' '.join(vintage.reasons)}",
            f"/v1/series/{vintage.series}/points/{vintage.date} says more; choose a printed date.",
        )
    return vintage


def _named(vintage: Vintage) -> dict[str, Any]:
    return {
        "date": vintage.date,
        "vintage": vintage.vintage,
        "value": vintage.value,
        "record_sha256": vintage.record_sha256,
    }
