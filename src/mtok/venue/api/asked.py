"""What a request asks for: each parameter read once and strictly; what cannot be one is refused by its name.

A misspelt or repeated parameter is refused too: an answer to another question than the one meant would be worse.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Final, NamedTuple

from django.http import HttpRequest, HttpResponse
from ninja.errors import ValidationError
from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from mtok.calendar import DAY, format_instant, parse_date, parse_instant
from mtok.canonical import sha256_hex
from mtok.errors import AnswerIsNo, BadCall
from mtok.methodology import load
from mtok.venue.opened import Opened
from mtok.venue.place import now

PAGE_POINTS_MAX: Final = 1000
LEAVES_MAX: Final = 2**53 - 1
"""The greatest index or size that is asked for: what every reader of JSON has exactly."""

_SHOWN: Final = 80
"""Characters of what was asked that a refusal repeats."""

_VINTAGES_MAX: Final = 9999
_WHOLE: Final = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)
_MODEL: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}/[a-z0-9][a-z0-9._:-]{0,199}", re.ASCII)

Run = Callable[..., HttpResponse]


# ---- the forms a parameter can have


def _refused(what: str, remedy: str) -> PydanticCustomError:
    return PydanticCustomError("form", "{what}", {"what": what, "remedy": remedy})


def _quoted(text: object) -> str:
    return repr(str(text)[:_SHOWN])


def _date(text: str) -> str:
    try:
        parse_date(text)
    except ValueError:
        raise _refused(f"{_quoted(text)} is no date", "Dates are YYYY-MM-DD, UTC days.") from None
    return text


def _as_of(text: str) -> int:
    """Return the instant of a date's end, or an instant as it is; none that is still to come."""
    try:
        asked = (parse_date(text) + 1) * DAY - 1 if len(text) == 10 else parse_instant(text)
    except (ValueError, OverflowError):
        raise _refused(
            f"{_quoted(text)} is no instant",
            "Give YYYY-MM-DDTHH:MM:SSZ, UTC, or a date, which means its end.",
        ) from None
    if asked > now():
        raise _refused(
            f"{_quoted(text)} is not over: it is {format_instant(now())}",
            "Leave as_of out for what is in force now.",
        )
    return asked


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not _WHOLE.fullmatch(text) or not least <= int(text) <= most:
            raise _refused(
                f"{_quoted(text)} is no whole number from {least} to {most}",
                f"Write a whole number from {least} to {most}, digits alone.",
            )
        return int(text)

    return read


def _vintages(text: str) -> int | str:
    return text if text == "all" else _whole(0, _VINTAGES_MAX)(text)


def _model(text: str) -> str:
    if not _MODEL.fullmatch(text):
        raise _refused(
            f"{_quoted(text)} is no model",
            "Models are named author/name, as constituents are: anthropic/claude-4.5-haiku-20251001.",
        )
    return text


def _one_of(*names: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in names:
            raise _refused(f"{_quoted(text)} is unknown", f"It is one of {', '.join(names)}.")
        return text

    return read


def _described(kind: str, description: str, *examples: object, **more: object) -> WithJsonSchema:
    return WithJsonSchema({"type": kind, "description": description, "examples": [*examples], **more})


_DATE: Final = {"format": "date"}

SeriesId = Annotated[str, _described("string", "The id of a series: /v1/series lists them.", "openai")]
Date = Annotated[str, BeforeValidator(_date), _described("string", "A UTC day.", "2026-06-20", **_DATE)]
Start = Annotated[
    str, BeforeValidator(_date), _described("string", "The first day wanted.", "2026-06-01", **_DATE)
]
End = Annotated[
    str, BeforeValidator(_date), _described("string", "The last day wanted, included.", "2026-06-26", **_DATE)
]
AsOf = Annotated[
    int,
    BeforeValidator(_as_of),
    _described(
        "string",
        "What was in force then, by when it was published: an instant `YYYY-MM-DDTHH:MM:SSZ`, or a date, which means "
        "its end (UTC). Not in the future. Left out: now.",
        "2026-06-26",
        "2026-06-26T06:30:00Z",
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:.]{8,15}Z)?$",
    ),
]
Vintage = Annotated[
    int,
    BeforeValidator(_whole(0, _VINTAGES_MAX)),
    _described(
        "integer",
        "Which print of the date: 0 is the first. Left out: the one in force. What is asked for by its vintage never "
        "changes.",
        0,
        minimum=0,
        maximum=_VINTAGES_MAX,
    ),
]
Vintages = Annotated[
    int | str,
    BeforeValidator(_vintages),
    _described(
        "string",
        "`all` for every print of each date, a number for that one (0 is the first). Left out: the one in force.",
        "all",
        "0",
        pattern=r"^(all|0|[1-9][0-9]{0,3})$",
    ),
]
MethodologyId = Annotated[str, _described("string", "A version of the rules.", "1.0")]
Format = Annotated[
    str,
    BeforeValidator(_one_of("json", "csv", "parquet", "arrow")),
    _described(
        "string",
        "json comes in pages; csv, parquet and arrow (an IPC stream) have the whole range.",
        "csv",
        enum=["json", "csv", "parquet", "arrow"],
    ),
]
Limit = Annotated[
    int,
    BeforeValidator(_whole(1, PAGE_POINTS_MAX)),
    _described("integer", "Points a page.", 100, minimum=1, maximum=PAGE_POINTS_MAX),
]
Cursor = Annotated[
    str, _described("string", "Where a page begins: take it from `next`, with all other parameters the same.")
]
Model = Annotated[
    str,
    BeforeValidator(_model),
    _described(
        "string",
        "A model as constituents are named, `author/name`, with `:variant` where it is not the standard one.",
        "anthropic/claude-4.5-haiku-20251001",
        pattern=r"^[a-z0-9][a-z0-9._-]{0,99}/[a-z0-9][a-z0-9._:-]{0,199}$",
    ),
]
Leaf = Annotated[
    int,
    BeforeValidator(_whole(0, LEAVES_MAX)),
    _described("integer", "The number of an entry in the log, from 0.", 5, minimum=0, maximum=LEAVES_MAX),
]
Size = Annotated[
    int,
    BeforeValidator(_whole(1, LEAVES_MAX)),
    _described("integer", "How many entries the log has, or had.", 100, minimum=1, maximum=LEAVES_MAX),
]


# ---- a request as a whole


def exactly(run: Run) -> Run:
    """Return the operation refusing parameters it does not have, and those that are given twice."""
    models = run.__self__.models  # type: ignore[attr-defined]  # a bound method of ninja's Operation
    known = sorted(
        name
        for model in models
        if model.__ninja_param_source__ == "query"
        for name in model.__ninja_flatten_map__
    )

    @wraps(run)
    def answer(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        for name, values in request.GET.lists():
            if name not in known:
                has = f"It has {', '.join(known)}." if known else "It has none."
                raise BadCall("parameter_unknown", f"there is no parameter {_quoted(name)} here", has)
            if len(values) > 1:
                raise BadCall("parameter_invalid", f"{name} is given {len(values)} times", "Give it once.")
        return run(request, *args, **kwargs)

    return answer


def invalid(error: ValidationError) -> BadCall:
    """Return a parameter that was not taken as an error of mtok."""
    first = error.errors[0]
    name = first["loc"][1] if len(first["loc"]) > 1 else "?"
    if first["type"] == "missing":
        return BadCall("parameter_missing", f"{name} is missing", f"Give {name}; /v1/openapi.json says how.")
    context = first.get("ctx", {})
    return BadCall(
        "parameter_invalid", f"{name}: {first['msg']}", context.get("remedy", "See /v1/openapi.json.")
    )


class Days(NamedTuple):
    """A range of dates, both ends included and both open where they are None."""

    start: str | None
    end: str | None

    def __contains__(self, date: object) -> bool:
        return isinstance(date, str) and (self.start or "") <= date <= (self.end or "9999-12-31")

    def __str__(self) -> str:
        return f"{self.start or 'the first'} to {self.end or 'the last'}"


def days(start: str | None, end: str | None) -> Days:
    """Return a range. Raises BadCall where it ends before it begins."""
    if start is not None and end is not None and end < start:
        raise BadCall("dates_out_of_order", f"{end} is before {start}", "Put the earlier date first.")
    return Days(start, end)


def known_methodology(opened: Opened, methodology: str) -> str:
    """Return the id of a version that was announced in the log. Raises BadCall for any other."""
    opened.methodology()
    if not any(
        entry["type"] == "method" and entry["methodology"] == methodology
        for entry in opened.published.entries
    ):
        raise BadCall(
            "methodology_unknown",
            f"methodology {_quoted(methodology)} is unknown",
            "/v1/methodologies lists them.",
        )
    load(methodology)
    return methodology


def no_point(opened: Opened, series: str, asked: str) -> AnswerIsNo:
    """Return that there is no point of what was asked for, and of what dates there are."""
    dates = sorted({vintage.date for vintage in opened.published.vintages.all() if vintage.series == series})
    there = f"Published: {dates[0]} to {dates[-1]}." if dates else "Nothing of it is published yet."
    return AnswerIsNo("no_point", f"{series} has no point {asked}", there)


# ---- pages


class Place(NamedTuple):
    """Where a page begins. size : entries of the log that are looked at, so that pages fit together · first : point"""

    size: int
    first: int


def cursor(query: tuple[object, ...], place: Place) -> str:
    """Return a place of the answer to a query as text for an address."""
    text = f"{place.size}.{place.first}.{_digest(query)}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def place_of(query: tuple[object, ...], text: str, size: int) -> Place:
    """Return the place of a cursor. Raises BadCall for one of another query or of a log of more than `size`."""
    try:
        parts = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii").split(".")
        found = Place(*(_whole(0, LEAVES_MAX)(part) for part in parts[:2]))
    except (binascii.Error, ValueError, TypeError, PydanticCustomError):
        found, parts = Place(0, 0), []
    if len(parts) != 3 or parts[2] != _digest(query) or not 0 < found.size <= size:
        raise BadCall(
            "cursor_invalid",
            f"the cursor {_quoted(text)} is none of this query",
            "Follow `next` as it is, or begin again without a cursor.",
        )
    return found


def _digest(query: tuple[object, ...]) -> str:
    return sha256_hex(repr(query).encode())[:16]
