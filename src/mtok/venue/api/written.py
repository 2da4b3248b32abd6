"""How answers are written: JSON with the digits that were published, and tables as the published files have them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from django.http import HttpResponse

from mtok.canonical import plain
from mtok.points import points_csv, points_parquet
from mtok.records import PublishedRecord

JSON: Final = "application/json"
TABLES: Final = {
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
}
"""The media type of each format that is a table."""


def answer(content: Any) -> HttpResponse:
    """Return content as JSON. content : text, integers, lists, objects and `msgspec.Raw`; never a float"""
    return HttpResponse(msgspec.json.encode(content) + b"\n", content_type=JSON)


def canonical(content: Any) -> Any:
    """Return a part of a record as its canonical JSON has it: integers as text, empty fields left out."""
    return plain(msgspec.to_builtins(content))


def table(form: str, name: str, records: Sequence[PublishedRecord]) -> HttpResponse:
    """Return the points of records as a table, a download called `name`: the cells are those of the published files.

    A cell of CSV cannot be a formula: it is empty, a date, an instant, a number, or a text that begins with a letter or
    digit; only numbers begin with a sign.
    """
    content = (
        points_csv(records, PublishedRecord) if form == "csv" else points_parquet(records, PublishedRecord)
    )
    response = HttpResponse(_stream(content) if form == "arrow" else content, content_type=TABLES[form])
    return download(response, f"{name}.{'arrows' if form == 'arrow' else form}")


def download(response: HttpResponse, name: str) -> HttpResponse:
    """Name the file that an answer is saved as. name : letters, digits, `.` and `-`"""
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _stream(parquet: bytes) -> bytes:
    """Return the table of a Parquet file as an Arrow IPC stream."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    found = pq.read_table(io.BytesIO(parquet))
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, found.schema) as stream:
        stream.write_table(found)
    return sink.getvalue()
