"""The bundled sample: the facts of 38 fixing dates, rendered as responses of OpenRouter's shape.

The facts stand beside this module: token totals, posted prices, and with each the sha256 of the response it
was read from. README.md says whose they are; `scripts/make_sample.py` makes the files from recordings. What is
rendered is archived like a response as received, but says `origin` = `sample` and names the original.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final, TypeVar

import msgspec

from mtok.archive import KIND_MODELS, KIND_RANKINGS, RANKINGS_DAILY, Response
from mtok.calendar import SECOND, parse_instant
from mtok.canonical import sha256_hex
from mtok.errors import EnvironmentFailed

FACTS: Final[Traversable] = files(__name__)
SUMS: Final = "SHA256SUMS"
"""One line a file, as `sha256sum` writes it: a file that is not as it was bundled is not read."""

_ORIGIN: Final = "sample"
_OBTAINED: Final = "bundled sample"


class Pull(msgspec.Struct, frozen=True, kw_only=True):
    """A line of `pulls.jsonl`, by time: `meta` of a rankings-daily response and the sha256 of the whole."""

    as_of: str
    start_date: str
    end_date: str
    version: str
    sha256: str


class VolumeDay(msgspec.Struct, frozen=True, kw_only=True):
    """A line of `volumes.jsonl`, by date: the rows of one day, in the order of the response.

    as_of, sha256 : the latest pull that holds the day; earlier ones hold the same rows
    tokens : permaslug (`other`: the market tail) → total_tokens, both verbatim
    """

    date: str
    as_of: str
    sha256: str
    tokens: dict[str, str]


class ModelsCapture(msgspec.Struct, frozen=True, kw_only=True):
    """A line of `captures.jsonl`, by time: one response of `/api/v1/models` and its sha256."""

    captured_at: str
    sha256: str


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """Consecutive captures, `captured_at` of the first and the last; the sha256 is the first one's."""

    first: str
    last: str
    sha256: str


class PostedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A line of `prices.jsonl`, by id and time: a state of a catalogue row and the captures that posted it.

    created : seconds since 1970-01-01 UTC
    pricing : the whole object, verbatim, USD per token (`image`, `request`, `web_search`: per piece)
    """

    id: str
    canonical_slug: str
    created: int
    output_modalities: tuple[str, ...]
    pricing: dict[str, Any]
    posted: tuple[Run, ...]


_Fact = TypeVar("_Fact", bound=msgspec.Struct)


def sample_responses(folder: Traversable = FACTS) -> Iterator[Response]:
    """Yield every rankings-daily and models response of the sample in order of time, rendered from the facts.

    The bytes are compact JSON and the same on every call. Raises EnvironmentFailed for a damaged sample file.
    """
    yield from merge(_rankings(folder), _models(folder), key=lambda response: response.captured_at)


def citation() -> str:
    """Return the line that stands beside every figure made from the sample."""
    as_of = max(pull.as_of for pull in _read(FACTS, "pulls.jsonl", Pull))
    return (
        f"Source: OpenRouter (openrouter.ai/rankings), as of {as_of}. "
        "Licensed under CC BY 4.0. Index computed from it by mtok."
    )


def _rankings(folder: Traversable) -> Iterator[Response]:
    days = _read(folder, "volumes.jsonl", VolumeDay)
    for pull in _read(folder, "pulls.jsonl", Pull):
        rows = [
            {"date": day.date, "model_permaslug": permaslug, "total_tokens": total}
            for day in days
            if pull.start_date <= day.date <= pull.end_date
            for permaslug, total in day.tokens.items()
        ]
        meta = {
            "as_of": pull.as_of,
            "end_date": pull.end_date,
            "start_date": pull.start_date,
            "version": pull.version,
        }
        instant = parse_instant(pull.as_of)
        yield Response(
            raw=msgspec.json.encode({"data": rows, "meta": meta}),
            captured_at=instant - instant % SECOND,
            kind=KIND_RANKINGS,
            obtained=_OBTAINED,
            volume_source=RANKINGS_DAILY,
            origin=_ORIGIN,
            origin_sha256=pull.sha256,
        )


def _models(folder: Traversable) -> Iterator[Response]:
    rows = _read(folder, "prices.jsonl", PostedRow)
    for capture in _read(folder, "captures.jsonl", ModelsCapture):
        posted = [
            {
                "id": row.id,
                "canonical_slug": row.canonical_slug,
                "created": row.created,
                "architecture": {"output_modalities": row.output_modalities},
                "pricing": row.pricing,
            }
            for row in rows
            if any(run.first <= capture.captured_at <= run.last for run in row.posted)
        ]
        yield Response(
            raw=msgspec.json.encode({"data": posted}),
            captured_at=parse_instant(capture.captured_at),
            kind=KIND_MODELS,
            obtained=_OBTAINED,
            origin=_ORIGIN,
            origin_sha256=capture.sha256,
        )


def _read(folder: Traversable, name: str, fact: type[_Fact]) -> list[_Fact]:
    """Return the facts of one file. Raises EnvironmentFailed when it is not the file that was bundled."""
    path = folder / name
    try:
        raw, sums = path.read_bytes(), (folder / SUMS).read_bytes()
    except OSError as error:
        raise _damaged(str(path), f"cannot be read ({error})") from None
    if sums_line(name, raw) not in sums.splitlines(keepends=True):
        raise _damaged(str(path), f"is damaged: {SUMS} has no line for sha256 {sha256_hex(raw)}")
    return msgspec.json.Decoder(fact).decode_lines(raw)


def sums_line(name: str, raw: bytes) -> bytes:
    """Return the line of `SHA256SUMS` for a file."""
    return f"{sha256_hex(raw)}  {name}\n".encode()


def _damaged(path: str, what: str) -> EnvironmentFailed:
    return EnvironmentFailed(
        "sample_damaged",
        f"the bundled sample file {path} {what}",
        "Install mtok again; in a checkout, run scripts/make_sample.py.",
    )
