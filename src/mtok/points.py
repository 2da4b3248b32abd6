"""Points as JSON, CSV and Parquet: the command line and the published files write the same bytes from here.

A file has one kind of record, determinations or published ones, which is its columns; a file of no records has
them all the same. `basis`, where a function takes it: with the column `completion_basis_gap`, which what is published
never has. Nothing of the machine goes in, and no time of writing: same records, same bytes (of Parquet: under one
version of pyarrow, whose name is in it).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import msgspec

from mtok.calendar import parse_date, parse_instant
from mtok.records import Determination, point, point_fields

if TYPE_CHECKING:
    import pyarrow as pa

Point = dict[str, Any]

TEXTS: Final = {
    *("series", "unit", "methodology", "quality", "origin", "weight_basis"),
    *("stage", "reason", "record_sha256"),
}
LISTS: Final = {"reasons", "notes"}
INSTANTS: Final = {"as_of", "published_at"}
COUNTS: Final = {
    *("average_7d_days", "average_30d_days", "token_weight", "constituents", "market_tail_tokens"),
    *("market_tokens", "named_rows", "smallest_named_tokens", "absent_constituents", "observed_tokens"),
    *("direct_tokens", "fallback_tokens", "imputed_tokens", "missing_tokens", "unpaid_tokens"),
    *("ineligible_tokens", "vintage"),
}
"""What a column holds; `date` is a date, all others are decimals."""

DECIMAL_PLACES: Final = 6
ROW_GROUP_ROWS: Final = 8192
"""Rows of a row group of Parquet: what is held in memory at once."""


def points_json(
    series: str, records: Sequence[Determination], kind: type[Determination], *, basis: bool = False
) -> bytes:
    """Return the records as points, with what they have in common beside them."""
    points = list(points_of(records, kind, basis=basis))
    content = {
        "series": series,
        "unit": records[-1].unit,
        "methodology": records[-1].methodology,
        "points": points,
    }
    # the same bytes as `indent=2` of json, which leaves its C encoder for that
    return msgspec.json.format(json.dumps(content).encode(), indent=2) + b"\n"


def points_csv(records: Iterable[Determination], kind: type[Determination], *, basis: bool = False) -> bytes:
    """Return the records as CSV: a header, then a line a point; lists are joined by spaces, absent is empty."""
    table = CsvPoints(kind, basis=basis)
    table.add(points_of(records, kind, basis=basis))
    return table.content()


def points_parquet(
    records: Iterable[Determination], kind: type[Determination], *, basis: bool = False
) -> bytes:
    """Return the records as Parquet: dates, instants and decimals in their own types, counts as 64-bit integers."""
    table = ParquetPoints(kind, basis=basis)
    for batch in batches(points_of(records, kind, basis=basis)):
        table.add(batch)
    return table.content()


def points_of(
    records: Iterable[Determination], kind: type[Determination], *, basis: bool = False
) -> Iterator[Point]:
    """Yield the point of each record, all of one kind: a file that mixes two would have two kinds of rows."""
    for record in records:
        assert type(record) is kind, f"{type(record).__name__} in a file of {kind.__name__}: {record.date}"
        yield point(record, basis=basis)


def batches(points: Iterator[Point]) -> Iterator[list[Point]]:
    """Yield the points in lists of `ROW_GROUP_ROWS`."""
    while batch := list(islice(points, ROW_GROUP_ROWS)):
        yield batch


class CsvPoints:
    """A CSV file that is being written."""

    def __init__(self, kind: type[Determination], *, basis: bool = False) -> None:
        self._target = io.StringIO()
        self._writer = csv.DictWriter(self._target, point_fields(kind, basis=basis), lineterminator="\n")
        self._writer.writeheader()

    def add(self, points: Iterable[Point]) -> None:
        """Add lines."""
        for row in points:
            self._writer.writerow({name: _cell(value) for name, value in row.items()})

    def content(self) -> bytes:
        """Return the file."""
        return self._target.getvalue().encode()


class ParquetPoints:
    """A Parquet file that is being written."""

    def __init__(self, kind: type[Determination], *, basis: bool = False) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._schema = pa.schema([(name, _type(name)) for name in point_fields(kind, basis=basis)])
        self._sink = io.BytesIO()
        self._writer = pq.ParquetWriter(self._sink, self._schema, compression="zstd")

    def add(self, points: Sequence[Point]) -> None:
        """Add a row group."""
        import pyarrow as pa

        arrays = [
            pa.array([_typed(field.name, row[field.name]) for row in points], field.type)
            for field in self._schema
        ]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))

    def content(self) -> bytes:
        """Return the file; nothing can be added after that."""
        self._writer.close()
        return self._sink.getvalue()


def _cell(value: Any) -> Any:
    return " ".join(value) if isinstance(value, (tuple, list)) else value


def _type(name: str) -> pa.DataType:
    import pyarrow as pa

    if name == "date":
        return pa.date32()
    if name in INSTANTS:
        return pa.timestamp("us", tz="UTC")
    if name in LISTS:
        return pa.list_(pa.string())
    if name in TEXTS:
        return pa.string()
    return pa.int64() if name in COUNTS else pa.decimal128(38, DECIMAL_PLACES)


def _typed(name: str, value: Any) -> Any:
    if value is None or name in TEXTS or name in COUNTS:
        return value
    if name in LISTS:
        return list(value)
    if name in INSTANTS:
        return parse_instant(value)
    return parse_date(value) if name == "date" else Decimal(value)
