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
from mtok.sources.files import CAPTURED_AT_UNKNOWN, printable
from mtok.sources.tables import (
    TABLE_ORIGIN,
    Progress,
    Table,
    TableReport,
    groups,
    placed,
    read_instant,
    silent,
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
_SOURCE: Final = ("source_repo", "source_path", "source_commit")
OTHER_PRICING_UNREADABLE: Final = "pricing_other_unreadable"

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
    report.rows += len(undated)
    for row in undated:
        report.add(
            CAPTURED_AT_UNKNOWN, f"row {row['row']}: observed_at {row['observed_at']!r}, {row['model_id']!r}"
        )
    keys = ["place", *(name for name in _SOURCE if name in rows.column_names)]
    for members, done in groups(rows, keys, ["model_id"]):
        report.rows += len(members)
        report.captures += 1
        yield Response(
            raw=payload_bytes({"data": [_model(row, report) for row in members]}),
            captured_at=members[0]["place"],
            kind=KIND_MODELS,
            obtained=_obtained(table, members[0]),
            collector=collector,
            origin=TABLE_ORIGIN,
            origin_sha256=table.sha256,
        )
        progress("rendering prices", done, rows.num_rows)


def payload_bytes(payload: dict[str, Any]) -> bytes:
    """Return a rendered payload: compact JSON, keys sorted, integers as integers since the decoders want them so."""
    return json.dumps(payload, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def _obtained(table: Table, row: dict[str, Any]) -> str:
    named = [row[name] for name in (*_SOURCE, "source_kind") if row.get(name)]
    return printable(f"table {table.shown}" + "".join(f", {text}" for text in named))[:_OBTAINED_MAX]


def _model(row: dict[str, Any], report: TableReport) -> dict[str, Any]:
    created = row.get("created")
    model = {
        "id": row["model_id"],
        "canonical_slug": row.get("canonical_slug"),
        "created": int(created) if created and _WHOLE.fullmatch(created) else created,
        "pricing": _pricing(row, report),
    }
    return {name: value for name, value in model.items() if value is not None}


def _pricing(row: dict[str, Any], report: TableReport) -> dict[str, Any]:
    """Return the `pricing` of a row.

    Further pricing that cannot be read may hold overrides, and then no price of the row is known: its text
    stands alone, and the decoder finds no completion price.
    """
    pricing = {key: row[column] for column, key in PRICING.items() if row.get(column) is not None}
    text = row.get(OTHER_PRICING)
    if text is None:
        return pricing
    other = _other_pricing(text)
    if other is None or other.keys() & pricing.keys():
        report.add(
            OTHER_PRICING_UNREADABLE, f"row {row['row']}: {text[:_OBTAINED_MAX]!r}, {row['model_id']!r}"
        )
        return {OTHER_PRICING: text[:_OTHER_CHARACTERS_MAX]}
    return pricing | other


@lru_cache(maxsize=4_096)
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
