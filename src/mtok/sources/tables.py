"""Archived tables: Parquet or CSV in one of two column layouts, opened column-wise and exactly (docs/tables.md).

Every column is carried as text, as it stands in the table: a price that went through a float is not the price
that was posted. What is rendered from a table names the table's sha256, and the table itself is kept.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from mtok.archive import KIND_TABLE, PRIMARY, Response
from mtok.calendar import DAY, SECOND, parse_date, parse_instant
from mtok.canonical import sha256_hex
from mtok.sources.files import (
    CAPTURED_AT_UNKNOWN,
    KIND_NOT_RECOGNISED,
    FoundFile,
    Refused,
    printable,
    read_bytes,
)

if TYPE_CHECKING:
    import pyarrow as pa

PRICES: Final = "prices"
VOLUMES: Final = "volumes"
TABLE_ORIGIN: Final = "table"
TABLE_ROWS_MAX: Final = 10_000_000

TABLE_EMPTY: Final = "table_empty"
TABLE_SCHEMA: Final = "table_schema"
TABLE_SIZE: Final = "table_size"
TABLE_UNREADABLE: Final = "table_unreadable"

_TEXT, _INSTANT, _AS_OF, _DATE, _WHOLE, _TRUTH = (
    "text",
    "instant",
    "instant or date",
    "date",
    "integer",
    "boolean",
)
COLUMNS: Final[dict[str, dict[str, str]]] = {
    PRICES: {
        "observed_at": _INSTANT,
        "model_id": _TEXT,
        "canonical_slug": _TEXT,
        "created": _WHOLE,
        "prompt": _TEXT,
        "completion": _TEXT,
        "cache_read": _TEXT,
        "cache_write": _TEXT,
        "reasoning": _TEXT,
        "request": _TEXT,
        "image": _TEXT,
        "web_search": _TEXT,
        "pricing_other_json": _TEXT,
        "source_repo": _TEXT,
        "source_path": _TEXT,
        "source_commit": _TEXT,
        "source_kind": _TEXT,
    },
    VOLUMES: {
        "date": _DATE,
        "model_permaslug": _TEXT,
        "model_id": _TEXT,
        "variant": _TEXT,
        "total_tokens": _WHOLE,
        "series": _TEXT,
        "as_of": _AS_OF,
        "is_partial_day": _TRUTH,
    },
}
"""The columns of each layout and what they hold, besides text; other columns stay in the table's own bytes."""


_LAST_DAY: Final = parse_date("9999-12-31")
_BATCH: Final = 8_192
_LISTED_PER_REASON: Final = 100
_LISTED_CHARACTERS: Final = 400


@dataclass(frozen=True, kw_only=True)
class Table:
    """An opened table.

    rows : the layout's columns as text, and the number of each row as `row` · latest : the last instant in it
    """

    shown: str
    raw: bytes
    sha256: str
    layout: str
    rows: pa.Table
    latest: int

    def response(self, collector: str = PRIMARY) -> Response:
        """Return the table itself as evidence behind what is rendered from it."""
        return Response(
            raw=self.raw,
            captured_at=self.latest,
            kind=KIND_TABLE,
            obtained=f"file {self.shown}",
            collector=collector,
        )


@dataclass(kw_only=True)
class TableReport:
    """What became of a table's rows; it fills while the rendered captures are taken.

    rows, captures : taken so far · repeated : rows that say again what another one says
    unresolved : reason → rows that are no observation · listed : reason → what stood there, the first 100 of each
    """

    rows: int = 0
    captures: int = 0
    repeated: int = 0
    unresolved: Counter[str] = field(default_factory=Counter)
    listed: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, found: str) -> None:
        """Count one row that is no observation, and list it."""
        self.unresolved[reason] += 1
        listed = self.listed.setdefault(reason, [])
        if len(listed) < _LISTED_PER_REASON:
            listed.append(printable(found[:_LISTED_CHARACTERS]))


class _NotTaken(Exception):
    def __init__(self, code: str, found: str, remedy: str) -> None:
        super().__init__(found)
        self.code, self.found, self.remedy = code, found, remedy


def read_table(file: FoundFile, *, captured_at: int | None = None) -> Table | Refused:
    """Open a table and recognise its layout by its columns.

    captured_at : instant for rows of volumes that carry no `as_of`
    Refused: what `read_bytes` refuses, `table_unreadable`, `table_size` over 10,000,000 rows, `table_empty`,
    `table_schema` (a price in a float, a column twice), `kind_unknown`, `captured_at_unknown` (no row is dated).
    """
    raw = read_bytes(file)
    if isinstance(raw, Refused):
        return raw
    try:
        layout, rows = _open(raw, csv=file.path.name.lower().endswith(".csv"))
        latest = _latest(rows, layout, captured_at)
    except _NotTaken as error:
        return Refused(
            path=file.shown,
            code=error.code,
            found=printable(error.found),
            remedy=error.remedy,
            left_out=error.code == KIND_NOT_RECOGNISED and not file.named,
        )
    return Table(shown=file.shown, raw=raw, sha256=sha256_hex(raw), layout=layout, rows=rows, latest=latest)


def _open(raw: bytes, *, csv: bool) -> tuple[str, pa.Table]:
    """Return the layout and its columns as text, with the number of each row, from 1, as column `row`."""
    import pyarrow as pa

    try:
        columns, read = _csv(raw) if csv else _parquet(raw)
        layout = _layout(columns)
        rows = read([name for name in COLUMNS[layout] if name in columns])
        _check_count(rows.num_rows)
        rows.validate(full=True)
        texts = {name: _text(name, rows[name], COLUMNS[layout][name]) for name in rows.column_names}
    except (pa.ArrowException, OSError, ValueError) as error:
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise _NotTaken(TABLE_UNREADABLE, what, "Write the table anew.") from None
    return layout, pa.table({**texts, "row": pa.array(range(1, rows.num_rows + 1), pa.int64())})


def _check_count(rows: int) -> None:
    if not rows:
        raise _NotTaken(TABLE_EMPTY, "no rows", "Give a table that has some.")
    if rows > TABLE_ROWS_MAX:
        raise _NotTaken(TABLE_SIZE, f"{rows} rows, over {TABLE_ROWS_MAX}", "Split it into smaller tables.")


_Read = Callable[[list[str]], "pa.Table"]


def _parquet(raw: bytes) -> tuple[list[str], _Read]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pq.ParquetFile(pa.BufferReader(raw))
    _check_count(file.metadata.num_rows)
    return file.schema_arrow.names, lambda names: file.read(columns=names)


def _csv(raw: bytes) -> tuple[list[str], _Read]:
    import pyarrow as pa
    from pyarrow import csv

    parse = csv.ParseOptions(newlines_in_values=True)
    columns = csv.open_csv(io.BytesIO(raw), parse_options=parse).schema.names

    def read(names: list[str]) -> pa.Table:
        convert = csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.large_string()),
            include_columns=names,
            null_values=[""],
            strings_can_be_null=True,
        )
        return csv.read_csv(io.BytesIO(raw), parse_options=parse, convert_options=convert)

    return columns, read


def _layout(columns: list[str]) -> str:
    """Return the layout these columns make."""
    names = set(columns)
    prices = {"observed_at", "model_id", "completion"} <= names
    volumes = {"date", "total_tokens"} <= names and bool({"model_permaslug", "model_id"} & names)
    if prices == volumes:
        raise _NotTaken(
            KIND_NOT_RECOGNISED,
            f"{'both layouts' if prices else 'neither layout'} in the columns {', '.join(columns)[:400]}",
            "Prices want observed_at, model_id and completion; volumes date, total_tokens and model_permaslug or "
            "model_id (docs/tables.md).",
        )
    layout = PRICES if prices else VOLUMES
    for name, count in Counter(columns).items():
        if count > 1 and name in COLUMNS[layout]:
            raise _NotTaken(TABLE_SCHEMA, f"column {name} {count} times", "Write the table with one of each.")
    return layout


def _text(name: str, column: pa.ChunkedArray, wanted: str) -> pa.Array:
    """Return a column as text. Raises `table_schema` for a type that is not the layout's."""
    import pyarrow as pa

    kind = column.type
    held = kind.value_type if pa.types.is_dictionary(kind) else kind
    texts = pa.types.is_string(held) or pa.types.is_large_string(held) or pa.types.is_string_view(held)
    zoned = pa.types.is_timestamp(kind) and kind.tz is not None
    sound = {
        _TEXT: False,
        _INSTANT: zoned,
        _AS_OF: zoned or pa.types.is_date32(kind),
        _DATE: pa.types.is_date32(kind),
        _WHOLE: pa.types.is_integer(kind),
        _TRUTH: pa.types.is_boolean(kind),
    }
    if not (texts or sound[wanted] or pa.types.is_null(kind)):
        expected = "text" if wanted == _TEXT else f"text or {wanted}"
        found = f"column {name} holds {kind}, wanted {expected}"
        raise _NotTaken(TABLE_SCHEMA, found, f"Write {name} as text; see docs/tables.md.")
    if zoned:
        column = column.cast(pa.timestamp(kind.unit, "UTC"))
    return column.cast(pa.large_string()).combine_chunks()


def _latest(rows: pa.Table, layout: str, captured_at: int | None) -> int:
    """Return the last instant of the rows; of volumes without `as_of`, `captured_at` or the end of their date."""
    if layout == PRICES:
        known = [read_instant(text) for text in _distinct(rows, "observed_at")]
    else:
        known = [read_as_of(text) for text in _distinct(rows, "as_of")]
        if "as_of" not in rows.column_names or rows["as_of"].null_count:
            days = [] if captured_at is not None else [read_date(text) for text in _distinct(rows, "date")]
            known += [captured_at, *(day_end(day) for day in days if day is not None)]
    instants = [instant for instant in known if instant is not None]
    if not instants:
        raise _NotTaken(
            CAPTURED_AT_UNKNOWN, "no row says when it was observed", "Write instants as YYYY-MM-DDTHH:MM:SSZ."
        )
    return max(instants)


def _distinct(rows: pa.Table, name: str) -> list[str]:
    if name not in rows.column_names:
        return []
    return [text for text in rows[name].unique().to_pylist() if text is not None]


@lru_cache(maxsize=65_536)
def read_instant(text: str) -> int | None:
    """Return the instant of an instant's text, None for other text."""
    try:
        return parse_instant(text)
    except ValueError:
        return None


@lru_cache(maxsize=65_536)
def read_date(text: str) -> int | None:
    """Return the day of an ISO date, None for other text and for the last date there is, which has no end."""
    try:
        day = parse_date(text)
    except ValueError:
        return None
    return day if day < _LAST_DAY else None


def read_as_of(text: str) -> int | None:
    """Return the instant of an instant or a date, which counts from its last second; None for other text.

    >>> read_as_of("1970-01-01T00:00:01Z"), read_as_of("1970-01-01"), read_as_of("soon")
    (1000000, 86399000000, None)
    """
    day = read_date(text)
    return read_instant(text) if day is None else day_end(day) - SECOND


def day_end(day: int) -> int:
    """Return the instant at which a UTC day is over."""
    return (day + 1) * DAY


def placed(
    rows: pa.Table, column: str, read: Callable[[str], int | None]
) -> tuple[pa.Table, Iterator[dict[str, Any]]]:
    """Return the rows whose `column` can be read, with what was read as column `place`, and the other rows."""
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = rows[column].combine_chunks().dictionary_encode()
    values = [None if text is None else read(text) for text in texts.dictionary.to_pylist()]
    rows = rows.append_column("place", pa.array(values, pa.int64()).take(texts.indices))
    readable = pc.is_valid(rows["place"])
    others = rows.filter(pc.invert(readable)).to_batches(max_chunksize=_BATCH)
    return rows.filter(readable), (row for batch in others for row in batch.to_pylist())


def compact_json(content: Any) -> str:
    """Return the JSON of a rendering: keys sorted, ASCII, integers as integers since the decoders want them so."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


def groups(rows: pa.Table, keys: list[str], within: list[str]) -> Iterator[tuple[list[dict[str, Any]], int]]:
    """Yield the rows of each distinct combination of `keys`, and how many rows have been yielded with them.

    rows : as from `placed` · keys, within : columns to sort by, those that part the groups and those that order a
    group before the order of the table does. Empty keys are alike.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    for name in keys:
        if pa.types.is_large_string(rows[name].type):
            rows = rows.set_column(rows.column_names.index(name), name, rows[name].fill_null(""))
    ordered = rows.take(pc.sort_indices(rows, sort_keys=[(name, "ascending") for name in (*keys, *within)]))
    changes: set[int] = set()
    for name in keys:
        column = ordered[name].combine_chunks()
        changes.update(pc.indices_nonzero(pc.not_equal(column[1:], column[:-1])).to_pylist())
    edges = [0, *sorted(change + 1 for change in changes), ordered.num_rows]
    for start, end in pairwise(edges):
        if end > start:
            yield ordered.slice(start, end - start).to_pylist(), end
