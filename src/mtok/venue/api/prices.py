"""Posted prices: of one model over time, and of all models on one date."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, Final

import msgspec
from django.http import HttpRequest, HttpResponse
from ninja import Router

from mtok.bill.names import SUGGESTIONS_MAX
from mtok.errors import AnswerIsNo
from mtok.methodology import load
from mtok.publication.vintages import Vintage
from mtok.venue.api.asked import AsOf, Date, Days, End, Model, Start, days
from mtok.venue.api.chosen import vintages_of
from mtok.venue.api.schemas import DayPrices, ModelPrices
from mtok.venue.api.written import answer
from mtok.venue.opened import Opened
from mtok.venue.place import opened

router = Router(tags=["prices"])

Row = dict[str, str]
_DECODER: Final = msgspec.json.Decoder(dict[str, Any])


@router.get("/prices", response=ModelPrices, operation_id="list_prices", summary="Posted prices of one model")
def list_prices(
    request: HttpRequest,
    model: Model,
    start: Start | None = None,
    end: End | None = None,
    as_of: AsOf | None = None,
) -> HttpResponse:
    """Return what a model asked for a million output tokens, by date, with how each price was found."""
    now = opened()
    wanted = days(start, end)
    methodology = load(now.methodology())
    author, _, name = model.partition("/")
    series = [
        entry.series
        for entry in methodology.series
        if entry.author == author and name.startswith(entry.name_prefix)
    ]
    found = [vintage for one in series for vintage in vintages_of(now, one, wanted, as_of=as_of)]
    rows = [
        {"date": vintage.date, **row}
        for vintage in found
        for row in _rows(now, vintage)
        if row["constituent"] == model
    ]
    if not rows:
        raise AnswerIsNo(
            "model_unknown",
            f"no price of {model[:80]!r} is published from {wanted}",
            f"{_meant(now, model)}/v1/prices/{{date}} lists every model of a date.",
        )
    return answer({"model": model, "unit": methodology.unit, "prices": rows})


@router.get(
    "/prices/{date}", response=DayPrices, operation_id="get_prices", summary="Posted prices of a date"
)
def get_prices(request: HttpRequest, date: Date, as_of: AsOf | None = None) -> HttpResponse:
    """Return what every model of the six companies asked on a date, those without volume included."""
    now = opened()
    names = now.series()
    found = [vintage for name in names for vintage in vintages_of(now, name, Days(date, date), as_of=as_of)]
    if not found:
        raise AnswerIsNo(
            "no_prices", f"no prices of {date} are published", "/v1/series says first and last date."
        )
    rows = sorted(
        (row for vintage in found for row in _rows(now, vintage)),
        key=lambda row: (row["series"], row["constituent"]),
    )
    return answer({"date": date, "unit": load(now.methodology()).unit, "prices": rows})


def _meant(now: Opened, model: str) -> str:
    """Return whether a model has a price of the last date, else which models of that date are named like it."""
    last = Days(now.published.vintages.dates()[-1], None)
    found = [vintage for name in now.series() for vintage in vintages_of(now, name, last)]
    names = dict.fromkeys(row["constituent"] for vintage in found for row in _rows(now, vintage))
    if model in names:
        return "It has prices of other dates. "
    close = get_close_matches(model, names, SUGGESTIONS_MAX)
    return f"Did you mean {' or '.join(close)}? " if close else ""


def _rows(now: Opened, vintage: Vintage) -> Iterable[Row]:
    """Return the posted prices that were published with a vintage, of its series."""
    path = now.published.outline(vintage).prices.path
    return (row for row in _table(now, path) if row["series"] == vintage.series)


@lru_cache(64)
def _table(now: Opened, path: str) -> list[Row]:
    rows: list[Row] = _DECODER.decode(now.read(path))["prices"]
    return rows
