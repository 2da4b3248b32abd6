"""One series as a table for people and as JSON, CSV and Parquet for machines; the same points in each."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from mtok.calendar import parse_date, parse_instant
from mtok.cli.figures import ABSENT, TIED, day_text, meaningful_places, number, on_the_point
from mtok.cli.layout import WIDTH_MIN, Heading, Page, columns, hairline, wrapped
from mtok.cli.words import change, company, quality
from mtok.records import Determination, point

if TYPE_CHECKING:
    import pyarrow as pa

_TEXTS: Final = {"series", "unit", "methodology", "quality", "origin", "weight_basis"}
_LISTS: Final = {"reasons", "notes"}
_COUNTS: Final = {
    *(
        "average_7d_days",
        "average_30d_days",
        "token_weight",
        "constituents",
        "market_tail_tokens",
        "market_tokens",
    ),
    *("named_rows", "smallest_named_tokens", "absent_constituents", "observed_tokens", "direct_tokens"),
    *("fallback_tokens", "imputed_tokens", "missing_tokens", "unpaid_tokens", "ineligible_tokens"),
}


COLUMNS_EXPLAINED: Final = (
    "day: change since the print before. 7-day, 30-day: averages of the printed values. index: posted prices alone, "
    "100 on the first printed day. Machine formats have all digits and all diagnostics."
)


def points_page(records: Sequence[Determination], width: int) -> Page:
    """Return the records as a table: value, change, averages, price index, quality and reasons."""
    last = records[-1]
    first_date, last_date = day_text(records[0].date), day_text(last.date)
    rows = [
        [record.date, *cells, quality(record)] for record, cells in zip(records, _cells(records), strict=True)
    ]
    head, *lines = columns(
        [["date", "value", "day", "7-day", "30-day", "index", "quality"], *rows], "<>>>>><"
    )
    return [
        Heading(f"{company(last)} ({last.series})"),
        *wrapped(
            f"USD per 1M output tokens · methodology {last.methodology} · {first_date} to {last_date}", width
        ),
        "",
        Heading(head),
        hairline(width),
        *chain.from_iterable(_with_reasons(*row, width) for row in zip(lines, records, strict=True)),
        hairline(width),
        *wrapped(COLUMNS_EXPLAINED, width),
    ]


def _cells(records: Sequence[Determination]) -> list[list[str]]:
    columns_of_prices = [on_the_point(record.value or ABSENT for record in records)]
    for name in ("average_7d", "average_30d", "price_index"):
        columns_of_prices.append(on_the_point(_meaningful(getattr(record, name)) for record in records))
    value, average_7d, average_30d, index = columns_of_prices
    return [
        list(row) for row in zip(value, map(change, records), average_7d, average_30d, index, strict=True)
    ]


def _meaningful(value: str | None) -> str:
    return ABSENT if value is None else number(value, meaningful_places(value))


def _with_reasons(line: str, record: Determination, width: int) -> Page:
    """Return a row with its reasons behind it, or at the right of the lines below where they do not fit."""
    reasons = " ".join(record.reasons)
    if len(line) + 1 + len(reasons) <= width:
        return [f"{line} {reasons}".rstrip()]
    return [line, *(part.rjust(width) for part in wrapped(reasons, width // 2))]


def points_bytes(form: str, series: str, records: Sequence[Determination]) -> bytes:
    """Return the records in a format: table, json, csv or parquet."""
    match form:
        case "json":
            return points_json(series, records).encode()
        case "csv":
            return points_csv(records).encode()
        case "parquet":
            return points_parquet(records)
    return (
        "".join(f"{line.rstrip()}\n" for line in points_page(records, WIDTH_MIN)).replace(TIED, " ").encode()
    )


def points_json(series: str, records: Sequence[Determination]) -> str:
    """Return the records as points, with what they have in common beside them."""
    content = {
        "series": series,
        "unit": records[-1].unit,
        "methodology": records[-1].methodology,
        "points": [point(record) for record in records],
    }
    return json.dumps(content, indent=2) + "\n"


def points_csv(records: Sequence[Determination]) -> str:
    """Return the records as CSV: a header, then a line a point; lists are joined by spaces, absent is empty."""
    points = [point(record) for record in records]
    target = io.StringIO()
    writer = csv.DictWriter(target, list(points[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in points)
    return target.getvalue()


def _cell(value: Any) -> Any:
    return " ".join(value) if isinstance(value, (tuple, list)) else value


def points_parquet(records: Sequence[Determination]) -> bytes:
    """Return the records as Parquet: dates, instants and decimals in their own types, counts as 64-bit integers."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    points = [point(record) for record in records]
    fields = [(name, _type(name)) for name in points[0]]
    arrays = [pa.array([_typed(name, row[name]) for row in points], kind) for name, kind in fields]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, schema=pa.schema(fields)), sink, compression="zstd")
    return sink.getvalue()


def _type(name: str) -> pa.DataType:
    import pyarrow as pa

    if name == "date":
        return pa.date32()
    if name == "as_of":
        return pa.timestamp("us", tz="UTC")
    if name in _LISTS:
        return pa.list_(pa.string())
    if name in _TEXTS:
        return pa.string()
    return pa.int64() if name in _COUNTS else pa.decimal128(38, 6)


def _typed(name: str, value: Any) -> Any:
    if value is None or name in _TEXTS or name in _COUNTS:
        return value
    if name in _LISTS:
        return list(value)
    if name == "as_of":
        return parse_instant(value)
    return parse_date(value) if name == "date" else Decimal(value)
