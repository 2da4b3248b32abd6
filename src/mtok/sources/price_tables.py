"""Tables of posted prices, rendered as the `/models` responses they were made from: one capture an instant.

Price texts stand in the rendering exactly as in the table; an empty cell is an absent field.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from mtok.archive import KIND_MODELS, PRIMARY, Response
from mtok.progress import Progress, silent
from mtok.sources.files import CAPTURED_AT_UNKNOWN, printable
from mtok.sources.tables import (
    TABLE_ORIGIN,
    Table,
    TableReport,
    compact_json,
    groups,
    placed,
    read_instant,
)

PRICING: Final = {
    "prompt": "prompt",
    "completion": "completion",
    "cache_read": "input_cache_read",
    "cache_write": "input_cache_write",
    "reasoning": "internal_reasoning",
    "request": "request",
    "image": "image",
    "web_search": "web_search",
}
"""Column of the table → key of `pricing`."""

OTHER_PRICING: Final = "pricing_other_json"
OTHER_PRICING_UNREADABLE: Final = "pricing_other_unreadable"

_MODEL_COLUMNS: Final = ("model_id", "canonical_slug", "created", *PRICING, OTHER_PRICING)
_SOURCE: Final = ("source_repo", "source_path", "source_commit")
_OTHER_CHARACTERS_MAX: Final = 65_536
_OTHER_DEPTH_MAX: Final = 8
_OBTAINED_MAX: Final = 500
_WHOLE: Final = re.compile(r"-?(0|[1-9][0-9]{0,17})")


def price_responses(
    table: Table,
    *,
    collector: str = PRIMARY,
    report: TableReport | None = None,
    progress: Progress = silent,
) -> Iterator[Response]:
    """Yield the table itself, then one capture for each (observed_at, source_repo, source_path, source_commit).

    Captures come in the order of their instants, rows by id and then in the order of the table. Rows without a
    readable `observed_at` are in no capture; the report has them as `captured_at_unknown`.
    """
    report = report or TableReport()
    yield table.response(collector)
    rows, undated = placed(table.rows, "observed_at", read_instant)
    for row in undated:
        report.rows += 1
        found = f"row {row['row']}: observed_at {row['observed_at']!r}, {row['model_id']!r}"
        report.add(CAPTURED_AT_UNKNOWN, found)
    keys = ["place", *(name for name in _SOURCE if name in rows.column_names)]
    for members, done in groups(rows, keys, ["model_id"]):
        report.rows += len(members)
        report.captures += 1
        yield Response(
            raw=f'{{"data":[{",".join(_models(members, report))}]}}'.encode("ascii"),
            captured_at=members[0]["place"],
            kind=KIND_MODELS,
            obtained=_obtained(table, members[0]),
            collector=collector,
            origin=TABLE_ORIGIN,
            origin_sha256=table.sha256,
        )
        progress("rendering prices", done, rows.num_rows)


def _obtained(table: Table, row: dict[str, Any]) -> str:
    named = [row[name] for name in (*_SOURCE, "source_kind") if row.get(name)]
    return printable(f"table {table.shown}" + "".join(f", {text}" for text in named))[:_OBTAINED_MAX]


def _models(rows: list[dict[str, Any]], report: TableReport) -> Iterator[str]:
    for row in rows:
        text, readable = _model(tuple(map(row.get, _MODEL_COLUMNS)))
        if not readable:
            report.add(
                OTHER_PRICING_UNREADABLE, f"row {row['row']}: {row['model_id']!r}, {row[OTHER_PRICING]!r}"
            )
        yield text


@lru_cache(maxsize=65_536)
def _model(cells: tuple[str | None, ...]) -> tuple[str, bool]:
    """Return the JSON of one model, and whether its pricing could be read. cells : as in `_MODEL_COLUMNS`.

    Most models of a capture are those of the one before, cell by cell.
    """
    row = dict(zip(_MODEL_COLUMNS, cells, strict=True))
    created = row["created"]
    pricing, readable = _pricing(row)
    model = {
        "id": row["model_id"],
        "canonical_slug": row["canonical_slug"],
        "created": int(created) if created and _WHOLE.fullmatch(created) else created,
        "pricing": pricing,
    }
    return compact_json({name: value for name, value in model.items() if value is not None}), readable


def _pricing(row: dict[str, str | None]) -> tuple[dict[str, Any], bool]:
    """Return the `pricing` of a row and whether it could be read.

    Further pricing that cannot be read may hold overrides, and then no price of the row is known: its text
    stands alone, and the decoder finds no completion price.
    """
    pricing = {key: row[name] for name, key in PRICING.items() if row[name] is not None}
    text = row[OTHER_PRICING]
    if text is None:
        return pricing, True
    other = _other_pricing(text)
    if other is None or other.keys() & pricing.keys():
        return {OTHER_PRICING: text[:_OTHER_CHARACTERS_MAX]}, False
    return {**pricing, **other}, True


def _other_pricing(text: str) -> dict[str, Any] | None:
    """Return the further pricing keys of a row; None unless it is one sound, flat enough object of exact values."""
    try:
        if len(text) > _OTHER_CHARACTERS_MAX:
            return None
        fields = json.loads(
            text, object_pairs_hook=_distinct_keys, parse_float=_inexact, parse_constant=_inexact
        )
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or _deeper(fields, _OTHER_DEPTH_MAX):
        return None
    return {name: value for name, value in fields.items() if value is not None}


def _distinct_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a key twice")
    return fields


def _inexact(text: str) -> Any:
    raise ValueError(f"{text} is neither text nor an integer")


def _deeper(value: Any, levels: int) -> bool:
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels == 0 or any(_deeper(member, levels - 1) for member in members)
