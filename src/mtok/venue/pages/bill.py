"""My bill: a usage export, given as a file or as text, at posted prices. Read in memory, answered, forgotten.

No CSRF token is asked for: a form changes nothing, there is no cookie, and the answer follows from what was sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from threading import BoundedSemaphore
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt

from mtok.bill import Bill, Fit, Step, bill_of
from mtok.bill.export import BYTES_MAX, ROWS_MAX
from mtok.bill.sample import sample_export
from mtok.calendar import parse_date
from mtok.errors import BadCall, BadInput, EnvironmentFailed
from mtok.publication.published import Published
from mtok.venue.answers import public
from mtok.venue.pages.bill_chart import chart
from mtok.venue.place import opened
from mtok.wording import bills
from mtok.wording.figures import day_text, number, percent, signed, signed_percent
from mtok.wording.sentences import amounts, effect_said
from mtok.wording.words import EFFECTS, company_of

LISTED_MAX: Final = 100
"""Refused rows, and models without a price; `mtok bill --json` has all of them."""

DRAINED_BYTES_MAX: Final = 64 * 2**20
"""Of what is too large; who sends more is cut off."""

AT_ONCE_MAX: Final = 2
"""Bills that a server process works out at once; every other page waits for them."""

_CHUNK: Final = 2**16
_DAYS_MAX: Final = 400
_PLACES: Final = 4
_WORKING: Final = BoundedSemaphore(AT_ONCE_MAX)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A day of the table.

    since : the last priced day before it · gap : whether that is not the day before
    effects : of the move from there, none where no model is priced on both days
    """

    date: str
    tokens: int
    price: str | None
    paid: str | None
    change: str
    since: str
    gap: bool
    effects: tuple[str, ...]


@csrf_exempt
@public
def bill(request: HttpRequest) -> HttpResponse:
    """Return the form, or of what was sent the bill.

    Raises BadInput for what is no export or too large, EnvironmentFailed while others are worked out.
    """
    if request.method != "POST":
        return render(request, "bill.html", _page())
    asked = opened()
    found = _worked_out(_export(request), asked.published)
    response = render(request, "bill.html", _page() | _told(found, _series(request, found)))
    response["Cache-Control"] = "no-store"
    return response


def _worked_out(raw: bytes, published: Published) -> Bill:
    if not _WORKING.acquire(blocking=False):
        raise EnvironmentFailed(
            "bill_busy",
            "other bills are being worked out here",
            "Send it again in a minute, or run `mtok bill` on your machine.",
        )
    try:
        return bill_of(raw, published)
    finally:
        _WORKING.release()


def _export(request: HttpRequest) -> bytes:
    """Return what was sent. Raises BadInput where that is nothing, or more than is read."""
    too_large = BadInput(
        "upload_too_large",
        f"what was sent is larger than an export may be, {BYTES_MAX // 2**20} MB",
        "Sum it by day and model first, or run `mtok bill` on your machine in parts.",
    )
    if _length(request) > settings.UPLOAD_BYTES_MAX:
        _drain(request)
        raise too_large  # the handler of uploads would pass over such a file without a word
    try:
        given = request.POST
    except RequestDataTooBig:
        raise too_large from None
    if given.get("sample"):
        return sample_export()
    uploaded = request.FILES.get("export")
    raw: bytes = uploaded.read() if uploaded else given.get("text", "").encode()
    return raw


def _length(request: HttpRequest) -> int:
    """Return how many bytes are announced. Raises BadCall where that is no number."""
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        raise BadCall(
            "request_invalid", "Content-Length is no number", "Send it as a browser does."
        ) from None


def _drain(request: HttpRequest) -> None:
    """Read what is not wanted and let it go: a browser that is still sending would not see the answer."""
    for _ in range(DRAINED_BYTES_MAX // _CHUNK):
        if not request.read(_CHUNK):
            return


def _series(request: HttpRequest, found: Bill) -> str | None:
    """Return the series to show beside the own price: the one asked for, else the closest, if any."""
    asked: str = request.POST.get("series", "")
    if asked and asked not in found.span.series:
        raise BadCall(
            "series_unknown", "there is no such series", f"Name one of {', '.join(found.span.series)}."
        )
    return asked or (found.closest.series if found.closest else None)


def _page() -> dict[str, Any]:
    return {
        "title": "My bill",
        "description": bills.WHAT_IT_IS,
        "columns": bills.columns_said(),
        "series": [(entry, company_of(entry)) for entry in opened().series()],
        "limits": bills.LIMITS,
        "megabytes": BYTES_MAX // 2**20,
        "rows_max": ROWS_MAX,
    }


def _told(found: Bill, series: str | None) -> dict[str, Any]:
    """Return what the page says of a bill."""
    own = {day.date: day.price for day in found.priced if day.price is not None}
    return {
        "bill": found,
        "refused_said": bills.refused_said(found),
        "days_said": bills.days_said(found) if found.days else "",
        "rows_said": bills.rows_said(found),
        "coverage_said": bills.coverage_said(found),
        "paid_said": bills.paid_said(found),
        "beside": company_of(series) if series else "",
        "chart": chart(own, found.values[series]) if own and series else None,
        "fits": [_fit(fit) for fit in found.fits] if found.changes > 1 else [],
        "fit_explained": bills.FIT_EXPLAINED,
        "said": bills.hedges_said(found),
        "warned": bills.warned(found),
        "move": _move(found.move) if found.move else None,
        "days": _days(found)[-_DAYS_MAX:],
        "covered": [
            (row.constituent, row.tokens, percent(Fraction(row.tokens, found.tokens)), row.price)
            for row in found.covered
        ],
        "uncovered": [
            (row.written, row.tokens, _share(row.tokens, found.tokens), bills.why_uncovered(row))
            for row in found.uncovered[:LISTED_MAX]
        ],
        "uncovered_more": max(len(found.uncovered) - LISTED_MAX, 0),
        "refused": [(row.line, row.code, row.found, bills.remedy(row)) for row in found.refused[:LISTED_MAX]],
        "refused_more": max(len(found.refused) - LISTED_MAX, 0),
    }


def _share(tokens: int, of: int) -> str:
    return percent(Fraction(tokens, of)) if of else ""


def _fit(fit: Fit) -> dict[str, str | int]:
    return {
        "company": company_of(fit.series),
        "changes": fit.changes,
        "tracking": number(fit.tracking_error, _PLACES) if fit.tracking_error else "",
        "correlation": signed(fit.correlation, 2) if fit.correlation else "",
        "ratio": number(fit.hedge_ratio, _PLACES) if fit.hedge_ratio else "",
        "left": percent(fit.unexplained) if fit.unexplained else "",
        "residual": number(fit.residual_risk, _PLACES) if fit.residual_risk else "",
    }


def _move(step: Step) -> dict[str, Any]:
    move = step.move
    effects = amounts(move)
    return {
        "from_date": move.from_date,
        "from_value": move.from_value,
        "date": step.date,
        "value": step.value,
        "change": signed(move.change, 6),
        "percent": signed_percent(Fraction(step.value) / Fraction(move.from_value)),
        "effects": [(name, signed(amount, 6), effect_said(move, name)) for name, amount in effects.items()],
    }


def _days(found: Bill) -> list[Row]:
    moves = {step.date: step.move for step in found.steps}
    rows = []
    for day in found.days:
        move = moves.get(day.date)
        effects = amounts(move) if move else {}
        rows.append(
            Row(
                date=day.date,
                tokens=day.tokens,
                price=day.price,
                paid=day.paid,
                change=signed(move.change, _PLACES) if move else "",
                since=day_text(move.from_date) if move else "",
                gap=move is not None and parse_date(day.date) - parse_date(move.from_date) > 1,
                effects=() if "replacement" in effects else tuple(_effect(effects, name) for name in EFFECTS),
            )
        )
    return rows


def _effect(effects: Mapping[str, str], name: str) -> str:
    return signed(effects[name], _PLACES) if name in effects else ""
