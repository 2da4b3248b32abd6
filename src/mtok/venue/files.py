"""The published files at their own addresses, each held against its digest or the log before it is given out.

Only what the sums name, the log and its proofs have an address: nothing else under the store can be asked for.
SHA256SUMS and log/checkpoint are given out as they are: whoever has the key checks their signatures.
"""

from __future__ import annotations

import mimetypes
import re
from typing import Final

from django.http import HttpRequest, HttpResponse

from mtok.archive.published_files import SUMS
from mtok.archive.published_log import CHECKPOINT
from mtok.calendar import parse_instant
from mtok.canonical import sha256_hex
from mtok.errors import AnswerIsNo
from mtok.venue.answers import dated, kept, passing
from mtok.venue.logged import entry_of, logged
from mtok.venue.opened import Opened
from mtok.venue.place import opened

_UNCHANGING: Final = re.compile(
    r"(records|prices|observations|captures|raw|methodology|rulebooks|policies|proofs)/|log/(tile|heads)/"
)
_TEXTS: Final = frozenset("md toml sql tlog-proof".split())
_TYPES: Final = {
    "parquet": "application/vnd.apache.parquet",
    "atom": "application/atom+xml",
    "csv": "text/csv; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
}


def published_file(request: HttpRequest, path: str) -> HttpResponse:
    """Return a published file. Raises AnswerIsNo for an address that has none, EnvironmentFailed for a damaged one."""
    now = opened()
    response = HttpResponse(_read(now, path), content_type=_type(path))
    digest = sha256_hex(response.content)
    if _UNCHANGING.match(path):
        return kept(_since(now, path, response), digest)
    response["ETag"] = f'"{digest}"'
    return passing(response if now.damage else dated(response, now.published.known_at or 0))


def _since(now: Opened, path: str, response: HttpResponse) -> HttpResponse:
    """Say since when a file is published, of a record, of prices and of their proofs: the log knows."""
    index = None if now.damage else entry_of(now, path)
    return response if index is None else dated(response, parse_instant(now.published.entries[index]["time"]))


def _read(now: Opened, path: str) -> bytes:
    if path in now.sums:
        return now.read(path)
    raw = now.raw(path) if path in (SUMS, CHECKPOINT) else logged(now, path)
    if raw is None:
        raise AnswerIsNo(
            "file_unknown",
            f"nothing is published at {path[:200]}",
            "SHA256SUMS lists every file; /data explains them.",
        )
    return raw


def _type(path: str) -> str:
    ending = path.rpartition(".")[2]
    if ending in _TEXTS or path.startswith("log/") or path in (SUMS, "vkey"):
        return (
            "application/octet-stream"
            if "/tile/" in path or "/entries/" in path
            else "text/plain; charset=utf-8"
        )
    return _TYPES.get(ending) or mimetypes.guess_type(path)[0] or "application/octet-stream"
