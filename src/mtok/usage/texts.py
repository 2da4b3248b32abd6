"""CSV and JSONL logs, written as Parquet of text columns on the way in: then there is one way to read a log.

A line is a row, so that a quote nobody closed cannot swallow others. One that is no row is counted and kept as a
sample. What a column holds is not looked at here.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from mtok.observations.faults import printable
from mtok.usage.logs import NEEDED, TEXT, Log, NotTaken, unreadable
from mtok.usage.places import Place

if TYPE_CHECKING:
    import pyarrow as pa

LINE_UNREADABLE: Final = "line_unreadable"
LINE_BYTES_MAX: Final = 2**20
SAMPLES_MAX: Final = 5
_BLOCK: Final = 2**22
_BATCH: Final = 2**16


def read_text(place: Place, path: str, folder: Path) -> Log:
    """Return a CSV or JSONL file as a log of text columns, written into `folder`.

    Raises NotTaken: `usage_unreadable`, `usage_schema`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows, torn, digest = 0, _Torn(), hashlib.sha256()
    target = folder / f"{sum(1 for _ in folder.iterdir())}.parquet"
    try:
        with place.open(path) as opened, pq.ParquetWriter(target, _schema(), compression="zstd") as writer:
            raw = _Digested(opened)
            packed = path.lower().endswith(".gz")
            stream = _Ended(gzip.GzipFile(fileobj=raw) if packed else raw, digest)
            is_csv = path.lower().removesuffix(".gz").endswith(".csv")
            for batch in (_csv if is_csv else _jsonl)(stream, torn):
                writer.write_batch(batch)
                rows += batch.num_rows
            if is_csv and rows + torn.lines + 1 != stream.lines + bool(stream.cut):
                raise ValueError(
                    f"{stream.lines} lines are not as many rows: a cell goes on over the end of its line"
                )
    except (pa.ArrowException, OSError, EOFError, ValueError) as error:
        raise unreadable(error) from None
    return Log(
        path=str(target),
        origin=path,
        bytes=raw.bytes,
        sha256=raw.digest.hexdigest(),
        rows=rows,
        kinds=dict.fromkeys(NEEDED, TEXT),
        types=(TEXT,) * len(NEEDED),
        likeness=(digest.hexdigest(),),
        torn=((LINE_UNREADABLE, torn.lines, tuple(torn.samples)),) if torn.lines else (),
    )


class _Torn:
    """The lines that are no rows: how many, and the first few."""

    def __init__(self) -> None:
        self.lines = 0
        self.samples: list[str] = []

    def add(self, text: str) -> None:
        self.lines += 1
        if len(self.samples) < SAMPLES_MAX:
            self.samples.append(printable(text))


class _Digested(io.RawIOBase):
    """A stream as it is read: bytes, how many they have been · digest, their sha256."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.bytes = 0
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        block: bytes = self._stream.read(size)
        self.bytes += len(block)
        self.digest.update(block)
        return block


class _Ended(io.RawIOBase):
    """A stream whose last line is cut off unless it ends, since a number that was cut off is a number all the same.

    lines : how many have been given out, blank ones left out · cut : what follows the last newline, at the end
    digest : takes all that is read, but for the mark some begin a UTF-8 text with
    """

    def __init__(self, stream: Any, digest: Any) -> None:
        self._stream = stream
        self._digest = digest
        self._whole = self._rest = b""
        self._begun = False
        self.lines = 0
        self.cut = ""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Give out whole lines only. Raises ValueError for a line that has no end."""
        if not self._whole:
            self._take_lines()
        given = min(len(buffer), len(self._whole))
        buffer[:given] = self._whole[:given]
        self._whole = self._whole[given:]
        return given

    def _take_lines(self) -> None:
        """Read on to the end of a line; at the end of the stream there is none."""
        while b"\n" not in self._rest:
            if len(self._rest) > LINE_BYTES_MAX:
                raise ValueError(f"a line of over {LINE_BYTES_MAX} bytes: no log")
            block = self._stream.read(_BLOCK)
            if not block:
                self.cut = self._rest.decode("utf-8", "replace").strip()
                return
            block = block if self._begun else block.removeprefix(codecs.BOM_UTF8)
            self._begun = True
            self._digest.update(block)
            self._rest += block
        end = self._rest.rindex(b"\n") + 1
        self._whole, self._rest = self._rest[:end], self._rest[end:]
        self.lines += sum(line not in {b"", b"\r"} for line in self._whole.split(b"\n"))


def _schema() -> pa.Schema:
    import pyarrow as pa

    return pa.schema([(name, pa.string()) for name in NEEDED])


def _csv(stream: _Ended, torn: _Torn) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    def skip(row: Any) -> str:
        torn.add(row.text)
        return "skip"

    buffered = io.BufferedReader(stream, _BLOCK)
    header = buffered.peek(_BATCH)[:_BATCH].split(b"\n", 1)[0].decode("utf-8").rstrip("\r")
    _check_columns(next(csv.reader([header]), []))
    reader = arrow_csv.open_csv(
        buffered,
        read_options=arrow_csv.ReadOptions(block_size=_BLOCK),
        parse_options=arrow_csv.ParseOptions(invalid_row_handler=skip),
        convert_options=arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(NEEDED, pa.string()),
            include_columns=list(NEEDED),
            null_values=[""],
            strings_can_be_null=True,
        ),
    )
    yield from reader
    if stream.cut:
        torn.add(stream.cut)


def _check_columns(names: list[str]) -> None:
    if missing := [name for name in NEEDED if names.count(name) != 1]:
        raise NotTaken(
            "usage_schema",
            f"no column {', '.join(missing)}, or more than one, among {printable(', '.join(names))}",
            f"A log has {', '.join(NEEDED)} (docs/usage.md).",
        )


def _jsonl(stream: _Ended, torn: _Torn) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    rows: list[list[str | None]] = []
    for line in _lines(io.BufferedReader(stream, _BLOCK)):
        row = _object(line)
        if row is None:
            torn.add(line.decode("utf-8", "replace").rstrip())
            continue
        rows.append([_text(row.get(name)) for name in NEEDED])
        if len(rows) == _BATCH:
            yield pa.record_batch(list(map(list, zip(*rows, strict=True))), schema=_schema())
            rows.clear()
    if rows:
        yield pa.record_batch(list(map(list, zip(*rows, strict=True))), schema=_schema())
    if stream.cut:
        torn.add(stream.cut)


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines that are not blank."""
    yield from filter(bytes.strip, stream)


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        row = _DECODER.decode(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object. Raises ValueError for a key said twice, and for text that cannot be written."""
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a key twice")
    for value in fields.values():
        if isinstance(value, str):
            value.encode("utf-8")
    return fields


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_once, parse_int=str, parse_float=str, parse_constant=str
)
"""Numbers stay the text that stands there."""


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)
