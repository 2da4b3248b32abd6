"""Archived payloads: files somebody kept, read as they are and recognised by what stands in them.

A payload is archived whatever its state: what is wrong with it is the decoder's to say. Refused is only what
cannot be placed: a file that cannot be read, that nobody dated, or that is plainly something else.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import stat
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mtok.archive import KIND_MODELS, KIND_RANKINGS, KIND_UNKNOWN, PRIMARY, RANKINGS_DAILY, Response
from mtok.calendar import parse_instant
from mtok.errors import BadCall

FILE_BYTES_MAX: Final = 256 * 2**20
UNPACKED_BYTES_MAX: Final = 20 * 2**20
"""The most a gzip is unpacked to: what a decoder reads (ingest rules 5.2)."""

TABLE_ENDINGS: Final = (".parquet", ".csv")
ENDINGS: Final = (".json", ".json.gz", *TABLE_ENDINGS)

CAPTURED_AT_UNKNOWN: Final = "captured_at_unknown"
FILE_ENDING: Final = "file_ending"
FILE_SIZE: Final = "file_size"
FILE_UNREADABLE: Final = "file_unreadable"
KIND_NOT_RECOGNISED: Final = "kind_unknown"

_GZIP_MAGIC: Final = b"\x1f\x8b"
_CHUNK: Final = 2**16
_NAME_INSTANT: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2}):?([0-9]{2}):?([0-9]{2})Z")
_SIGN: Final = re.compile(rb'"(model_permaslug|start_date|canonical_slug|pricing)"')
_NO_JSON: Final = object()


@dataclass(frozen=True, kw_only=True)
class FoundFile:
    """A file to import.

    shown : the path as the user wrote it, joined with the rest below a folder; printable
    named : whether the user named it; otherwise it was met in a folder
    """

    path: Path
    shown: str
    named: bool

    @property
    def is_table(self) -> bool:
        """Whether `read_table` reads it rather than `read_response`."""
        return self.path.name.lower().endswith(TABLE_ENDINGS)


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A file that is not archived, and why. left_out : nobody asked for this very file, it lay in a folder."""

    path: str
    code: str
    found: str
    remedy: str
    left_out: bool = False


def printable(text: str) -> str:
    """Return `text` with whatever cannot be shown or encoded written out: a name may hold any byte.

    >>> printable("a\\nb")
    'a\\\\nb'
    """
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def find_files(paths: Iterable[Path]) -> list[FoundFile]:
    """Return the files to import: each path named, and of a folder every file below it with a known ending.

    A folder's entries come in order of their names, and no folder is walked twice, whatever links lead to it.
    A folder that cannot be listed is returned as if it were a file; reading it says so.
    Raises BadCall `path_missing` for a path that does not exist.
    """
    found: list[FoundFile] = []
    walked: set[tuple[int, int]] = set()
    for path in paths:
        try:
            folder = stat.S_ISDIR(path.stat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            raise BadCall(
                "path_missing", f"{printable(str(path))} does not exist", "Name files or folders that exist."
            ) from None
        except OSError:
            folder = False
        members = _walk(path, walked) if folder else [path]
        found += [FoundFile(path=one, shown=printable(str(one)), named=one == path) for one in members]
    return found


def _walk(folder: Path, walked: set[tuple[int, int]]) -> Iterator[Path]:
    pending = [folder]
    while pending:
        path = pending.pop()
        known_ending = path.name.lower().endswith(ENDINGS)
        try:
            status = path.stat()
            if not stat.S_ISDIR(status.st_mode):
                if known_ending:
                    yield path
                continue
            known_ending = True
            place = (status.st_dev, status.st_ino)
            if place not in walked:
                walked.add(place)
                pending += sorted(path.iterdir(), key=bytes, reverse=True)
        except OSError:
            if known_ending:
                yield path


def read_bytes(file: FoundFile) -> bytes | Refused:
    """Return the bytes of a file. Refused: `file_unreadable`, and `file_size` over 256 MB."""
    try:
        status = file.path.stat()
        if not stat.S_ISREG(status.st_mode):
            what = "a folder that cannot be listed" if stat.S_ISDIR(status.st_mode) else "no regular file"
            return _refused(file, FILE_UNREADABLE, what, "Name regular files, or folders that may be listed.")
        size = status.st_size
        if size > FILE_BYTES_MAX:
            return _refused(
                file, FILE_SIZE, f"{size} bytes, over {FILE_BYTES_MAX}", "Split it into smaller files."
            )
        with file.path.open("rb") as opened:
            raw = opened.read(size + 1)
    except OSError as error:
        found = error.strerror or type(error).__name__
        return _refused(file, FILE_UNREADABLE, found, "Make the file readable, or leave it out.")
    if len(raw) != size:
        return _refused(
            file, FILE_UNREADABLE, "its size changed while it was read", "Import it when it is whole."
        )
    return raw


def read_response(
    file: FoundFile, *, collector: str = PRIMARY, captured_at: int | None = None
) -> Response | Refused:
    """Return an archived payload, unpacked, with its kind and its capture time.

    captured_at : instant for a file that neither its name nor its `meta.as_of` dates
    A gzip that is damaged or unpacks beyond 20 MB stays packed, so that nothing of it is lost. A broken payload
    whose bytes do not say what it was is of kind `unknown`. Refused: what `read_bytes` refuses, `file_ending`,
    `kind_unknown` (sound JSON that is neither payload) and `captured_at_unknown`.
    """
    raw = read_bytes(file)
    if isinstance(raw, Refused):
        return raw
    if not file.path.name.lower().endswith((".json", ".json.gz")):
        return _refused(file, FILE_ENDING, f"its name ends otherwise than {', '.join(ENDINGS)}", "Rename it.")
    kept, seen = unpacked(raw)
    content = _content(seen)
    kind = _kind(content, seen)
    if kind is None:
        return _refused(
            file,
            KIND_NOT_RECOGNISED,
            "JSON without rows of rankings-daily (`model_permaslug`) or models (`id` and `pricing`)",
            "Import responses of /datasets/rankings-daily or /models as they were received.",
            left_out=not file.named,
        )
    instants = (_instant_of_name(file.path.name), _instant_of_meta(content), captured_at)
    instant = next((known for known in instants if known is not None), None)
    if instant is None:
        return _refused(
            file,
            CAPTURED_AT_UNKNOWN,
            "neither its name nor its meta.as_of says when it was captured",
            "Name it YYYY-MM-DDTHHMMSSZ.json, or give --captured-at.",
        )
    return Response(
        raw=kept,
        captured_at=instant,
        kind=kind,
        obtained=f"file {file.shown}",
        collector=collector,
        volume_source=RANKINGS_DAILY if kind == KIND_RANKINGS else None,
    )


def _refused(file: FoundFile, code: str, found: str, remedy: str, *, left_out: bool = False) -> Refused:
    return Refused(path=file.shown, code=code, found=found, remedy=remedy, left_out=left_out)


def unpacked(raw: bytes, bytes_max: int = UNPACKED_BYTES_MAX) -> tuple[bytes, bytes]:
    """Return the bytes to keep and the bytes to recognise them by, which of a damaged gzip are its sound part.

    A gzip that is damaged or unpacks to more than `bytes_max` is kept packed; of the latter one chunk too many is
    unpacked and no more.
    """
    if not raw.startswith(_GZIP_MAGIC):
        return raw, raw
    seen = bytearray()
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(raw)) as packed:
            while len(seen) <= bytes_max and (chunk := packed.read1(_CHUNK)):
                seen += chunk
    except (OSError, EOFError, zlib.error):
        return raw, bytes(seen)
    return (bytes(seen) if len(seen) <= bytes_max else raw), bytes(seen)


def _content(seen: bytes) -> Any:
    """Return the JSON of `seen`, read leniently and for recognition only, or `_NO_JSON`."""
    if len(seen) > UNPACKED_BYTES_MAX:
        return _NO_JSON
    try:
        return json.loads(seen, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError):
        return _NO_JSON


def _kind(content: Any, seen: bytes) -> str | None:
    """Return the kind by the first row that shows one, else by the bytes; None for sound JSON of another sort.

    A response without rows is told by the bytes too: only rankings declare a `start_date` beside them.
    """
    rows = content.get("data") if isinstance(content, dict) else content
    if isinstance(rows, list) and rows:
        kinds = (_kind_of_row(row) for row in rows if isinstance(row, dict))
        return next((kind for kind in kinds if kind), None)
    emptied = isinstance(content, dict) and rows == []
    if content is not _NO_JSON and not emptied:
        return None
    sign = _SIGN.search(seen)
    if sign is None:
        return KIND_UNKNOWN
    return KIND_RANKINGS if sign[1] in (b"model_permaslug", b"start_date") else KIND_MODELS


def _kind_of_row(row: dict[str, Any]) -> str | None:
    if "model_permaslug" in row:
        return KIND_RANKINGS
    return KIND_MODELS if "id" in row and "pricing" in row else None


def _instant_of_name(name: str) -> int | None:
    match = _NAME_INSTANT.match(name)
    return _instant("{}T{}:{}:{}Z".format(*match.groups())) if match else None


def _instant_of_meta(content: Any) -> int | None:
    meta = content.get("meta") if isinstance(content, dict) else None
    return _instant(meta.get("as_of")) if isinstance(meta, dict) else None


def _instant(text: Any) -> int | None:
    try:
        return parse_instant(text)
    except (TypeError, ValueError):
        return None
