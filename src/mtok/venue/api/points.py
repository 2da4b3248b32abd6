"""The points of a series: a range of them in any format, and one with everything under it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from django.http import HttpRequest, HttpResponse
from ninja import Router

from mtok.calendar import format_instant
from mtok.canonical import sha256_hex
from mtok.errors import BadCall, EnvironmentFailed
from mtok.proofs import leaf_hash
from mtok.publication.parcels import make_parcel
from mtok.publication.vintages import Vintage as Print
from mtok.records import point
from mtok.venue.answers import dated, kept
from mtok.venue.api.asked import (
    AsOf,
    Cursor,
    Date,
    End,
    Format,
    Limit,
    MethodologyId,
    Place,
    SeriesId,
    Start,
    Vintage,
    Vintages,
    cursor,
    days,
    known_methodology,
    no_point,
    place_of,
)
from mtok.venue.api.chosen import vintage_of, vintages_of
from mtok.venue.api.log import base64_text
from mtok.venue.api.schemas import Constituents, Points, PointWithRecord, RecordProof, VintagesOfDate
from mtok.venue.api.written import TABLES, answer, canonical, download, table
from mtok.venue.asked import PAGE_POINTS, known_series
from mtok.venue.logged import logged, proof_path
from mtok.venue.opened import Opened
from mtok.venue.place import opened

router = Router(tags=["points"])

_LISTS: Final = ("constituents", "left_out", "conflicts", "discarded", "absent")
_ZIP: Final = "application/zip"
_BINARY: Final = {"schema": {"type": "string", "contentMediaType": "application/octet-stream"}}
_AS_TABLE: Final = {
    200: {
        "content": {
            kind: {"schema": {"type": "string"}} if kind.startswith("text") else _BINARY
            for kind in TABLES.values()
        },
        "headers": {"Link": {"$ref": "#/components/headers/Link"}},
    }
}


# ---- a range


@router.get(
    "/series/{series}/points",
    response=Points,
    operation_id="list_points",
    summary="Points of a series",
    openapi_extra={"responses": _AS_TABLE},
)
def list_points(
    request: HttpRequest,
    series: SeriesId,
    start: Start | None = None,
    end: End | None = None,
    as_of: AsOf | None = None,
    vintage: Vintages | None = None,
    methodology: MethodologyId | None = None,
    format: Format = "json",
    limit: Limit | None = None,
    cursor: Cursor | None = None,
) -> HttpResponse:
    """Return the points of a range, by default of all dates the vintage in force now.

    JSON comes in pages, whose addresses stand in `next` and in the header Link. A page's cursor names the log as it was
    on the first page: what is published meanwhile does not disturb the pages. A withheld date's point has no value.
    """
    now = opened()
    known_series(now, series)
    if methodology is not None:
        known_methodology(now, methodology)
    wanted = days(start, end)
    query = {"start": start, "end": end, "as_of": as_of, "vintage": vintage, "methodology": methodology}
    given = (series, *query.values())
    if format != "json" and (limit is not None or cursor is not None):
        raise BadCall(
            "parameter_invalid",
            f"limit and cursor make no pages of format={format}",
            "Leave them out: tables have the whole range.",
        )
    begin = (
        place_of(given, cursor, now.published.size) if cursor is not None else Place(now.published.size, 0)
    )
    found = vintages_of(
        now, series, wanted, as_of=as_of, vintage=vintage, methodology=methodology, size=begin.size
    )
    if not found:
        raise no_point(now, series, f"from {wanted}{_as_asked(as_of, vintage)}")
    if format != "json":
        records = [now.published.outline(one) for one in found]
        return table(format, f"{series}-{found[0].date}-{found[-1].date}", records)
    return _page(series, query, found, begin, limit or PAGE_POINTS)


def _as_asked(as_of: int | None, vintage: int | str | None) -> str:
    of_vintage = "" if vintage in (None, "all") else f", vintage {vintage}"
    return of_vintage + ("" if as_of is None else f", as of {format_instant(as_of)}")


def _page(
    series: str, query: dict[str, Any], found: Sequence[Print], begin: Place, limit: int
) -> HttpResponse:
    """Return a page of points with the addresses of its neighbours."""
    now = opened()
    page = found[begin.first : begin.first + limit]
    if not page:
        raise BadCall(
            "cursor_invalid", "the cursor is behind the last point", "Begin again without a cursor."
        )

    def address(first: int) -> str:
        asked = {name: value for name, value in query.items() if value is not None}
        if query["as_of"] is not None:
            asked["as_of"] = format_instant(query["as_of"])
        asked["limit"] = limit
        asked["cursor"] = cursor((series, *query.values()), Place(begin.size, first))
        return f"/v1/series/{series}/points?{urlencode(asked)}"

    links = {"first": address(0)}
    if begin.first:
        links["prev"] = address(max(begin.first - limit, 0))
    if begin.first + limit < len(found):
        links["next"] = address(begin.first + limit)
    records = [now.published.outline(one) for one in page]
    response = answer(
        {
            "series": series,
            "unit": records[-1].unit,
            "log_size": begin.size,
            "count": len(found),
            "points": [point(record) for record in records],
            "next": links.get("next"),
        }
    )
    response["Link"] = ", ".join(f'<{where}>; rel="{name}"' for name, where in links.items())
    return response


# ---- one date


@router.get(
    "/series/{series}/points/{date}",
    response=PointWithRecord,
    operation_id="get_point",
    summary="One point with its record",
)
def get_point(
    request: HttpRequest,
    series: SeriesId,
    date: Date,
    as_of: AsOf | None = None,
    vintage: Vintage | None = None,
) -> HttpResponse:
    """Return a point and the whole record it was taken from, as it was published."""
    now = opened()
    found = vintage_of(now, series, date, as_of=as_of, vintage=vintage)
    record = now.published.record(found)
    content = {"point": point(record), "index": found.index, "record": msgspec.Raw(record.canonical)}
    return _lasting(answer(content), found, vintage)


@router.get(
    "/series/{series}/points/{date}/constituents",
    response=Constituents,
    operation_id="get_constituents",
    summary="What a value was calculated from",
)
def get_constituents(
    request: HttpRequest,
    series: SeriesId,
    date: Date,
    as_of: AsOf | None = None,
    vintage: Vintage | None = None,
) -> HttpResponse:
    """Return the priced models of a date with tokens, weight, price and how it was found; and what was left out."""
    now = opened()
    found = vintage_of(now, series, date, as_of=as_of, vintage=vintage)
    record = now.published.record(found)
    content = {
        "series": series,
        "date": date,
        "vintage": found.vintage,
        "value": record.value,
        "unit": record.unit,
        "record_sha256": found.record_sha256,
        **{name: canonical(getattr(record, name)) for name in _LISTS},
    }
    return _lasting(answer(content), found, vintage)


@router.get(
    "/series/{series}/points/{date}/vintages",
    response=VintagesOfDate,
    operation_id="list_vintages",
    summary="Everything ever said of a date",
)
def list_vintages(
    request: HttpRequest, series: SeriesId, date: Date, as_of: AsOf | None = None
) -> HttpResponse:
    """Return every print of a date, oldest first: preliminary, final, corrections with their reason."""
    now = opened()
    known_series(now, series)
    found = vintages_of(now, series, days(date, date), as_of=as_of, vintage="all")
    if not found:
        raise no_point(now, series, f"of {date}{_as_asked(as_of, None)}")
    points = [point(now.published.outline(one)) for one in found]
    return answer({"series": series, "date": date, "vintages": points})


@router.get(
    "/series/{series}/points/{date}/proof",
    response=RecordProof,
    operation_id="get_proof",
    summary="That a record is in the log",
)
def get_proof(
    request: HttpRequest,
    series: SeriesId,
    date: Date,
    as_of: AsOf | None = None,
    vintage: Vintage | None = None,
) -> HttpResponse:
    """Return the record's log entry and the proof, under a signed checkpoint, that it is in the log."""
    now = opened()
    found = vintage_of(now, series, date, as_of=as_of, vintage=vintage)
    content = {
        "series": series,
        "date": date,
        "vintage": found.vintage,
        "record_sha256": found.record_sha256,
        "index": found.index,
        "entry": now.published.entries[found.index],
        "leaf_hash": base64_text(leaf_hash(now.published.raw_entries[found.index])),
        "proof": _proof(now, found),
    }
    return _lasting(answer(content), found, vintage)


def _proof(now: Opened, vintage: Print) -> str:
    """Return a proof file. Raises EnvironmentFailed where it is not there, or proves nothing."""
    path = proof_path(vintage.path)
    raw = logged(now, path)
    if raw is None:
        raise EnvironmentFailed(
            "publication_damaged", f"{path} is missing", "/v1/log/proof makes one from the log."
        )
    return raw.decode()


@router.get(
    "/series/{series}/points/{date}/evidence",
    operation_id="get_evidence",
    summary="Everything under a value, in a zip",
    openapi_extra={"responses": {200: {"content": {_ZIP: _BINARY}}}},
)
def get_evidence(
    request: HttpRequest,
    series: SeriesId,
    date: Date,
    as_of: AsOf | None = None,
    vintage: Vintage | None = None,
) -> HttpResponse:
    """Return the parcel of a value: record, proof, facts, rules and a verifier that needs nothing but Python."""
    now = opened()
    found = vintage_of(now, series, date, as_of=as_of, vintage=vintage)
    response = HttpResponse(_parcel(now, found), content_type=_ZIP)
    download(response, f"{series}-{found.date}.{found.vintage}.zip")
    response["ETag"] = f'"{sha256_hex(response.content)}"'
    return dated(response, found.known_at)


@lru_cache(8)
def _parcel(now: Opened, vintage: Print) -> bytes:
    """Return the parcel of a vintage. Raises EnvironmentFailed where a file for it is not the published one."""
    record = now.published.record(vintage)
    named = [
        record.observations.path,
        record.prices.path,
        f"policies/{record.policy_sha256}.toml",
        *(f"captures/{seen.date}/{seen.sha256}.json" for seen in record.inputs.seen),
        *(path for path in now.sums if path.startswith(("rulebooks/", f"methodology/{record.methodology}/"))),
    ]
    for path in named:
        now.read(path)
    _proof(now, vintage)
    return make_parcel(now.published, vintage)


def _lasting(response: HttpResponse, found: Print, asked: int | None) -> HttpResponse:
    """Say since when an answer is as it is; one whose vintage was asked for will never change."""
    dated(response, found.known_at)
    return response if asked is None else kept(response, sha256_hex(response.content))
