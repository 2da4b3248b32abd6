"""CSV and JSONL logs, written as Parquet of text columns on the way in: then there is one way to read a log.

A line that is no row is counted and kept as a sample. What a column holds is not looked at here.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from mtok.observations.faults import printable
from mtok.usage.logs import NEEDED, TEXT, Log, NotTaken
from mtok.usage.places import Place

if TYPE_CHECKING:
    import pyarrow as pa

LINE_UNREADABLE: Final = "line_unreadable"
LINE_BYTES_MAX: Final = 2**20
SAMPLES_MAX: Final = 5
_BLOCK: Final = 2**22
_BATCH: Final = 2**16
_DECODER: Final = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)
"""Numbers stay the text that stands there."""


def read_text(place: Place, path: str, folder: Path) -> Log:
    """Return a CSV or JSONL file as a log of text columns, written into `folder`.

    Raises NotTaken: `usage_unreadable`, `usage_schema`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows, torn = 0, _Torn()
    try:
        sha256 = _sha256(place, path)
        target = folder / f"{sha256}.parquet"
        with place.open(path) as raw, pq.ParquetWriter(target, _schema(), compression="zstd") as writer:
            packed = path.lower().endswith(".gz")
            stream = _Ended(gzip.GzipFile(fileobj=raw) if packed else raw)
            is_csv = path.lower().removesuffix(".gz").endswith(".csv")
            for batch in (_csv if is_csv else _jsonl)(stream, torn):
                writer.write_batch(batch)
                rows += batch.num_rows
    except (pa.ArrowException, OSError, EOFError, ValueError) as error:
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise NotTaken(
            "usage_unreadable", what, "Write the file anew, or take it out of the folder."
        ) from None
    return Log(
        path=str(target),
        origin=path,
        bytes=place.size(path),
        sha256=sha256,
        rows=rows,
        kinds=dict.fromkeys(NEEDED, TEXT),
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


class _Ended(io.RawIOBase):
    """A stream whose last line is cut off unless it ends, since a number that was cut off is a number all the same."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._held = b""
        self.cut = ""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Give out whole lines only; what follows the last newline is in `cut` at the end."""
        while b"\n" not in self._held:
            block = self._stream.read(_BLOCK)
            if not block:
                self.cut = self._held.decode("utf-8", "replace")
                return 0
            self._held += block
        whole = self._held.rindex(b"\n") + 1
        given = min(len(buffer), whole)
        buffer[:given] = self._held[:given]
        self._held = self._held[given:]
        return given


def _schema() -> pa.Schema:
    import pyarrow as pa

    return pa.schema([(name, pa.string()) for name in NEEDED])


def _sha256(place: Place, path: str) -> str:
    with place.open(path) as raw:
        digest = hashlib.sha256()
        while block := raw.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


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
    """Yield the lines that are not blank. Raises ValueError for one that has no end."""
    while line := stream.readline(LINE_BYTES_MAX):
        if len(line) == LINE_BYTES_MAX:
            raise ValueError(f"a line of over {LINE_BYTES_MAX} bytes: no JSONL")
        if line.strip():
            yield line


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        row = _DECODER.decode(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)
