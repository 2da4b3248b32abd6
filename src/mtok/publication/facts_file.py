"""Published observations as a file: one Parquet table a fixing date, read strictly (docs/formats.md).

The same facts are the same bytes under one version of pyarrow; between versions compare `Facts`, not bytes.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

from mtok.archive import KIND_ENDPOINTS, KIND_MODELS, KIND_RANKINGS
from mtok.calendar import DAY_SECONDS, day_of, format_date, format_instant, parse_date, parse_instant
from mtok.observations.faults import printable
from mtok.observations.numbers import TOKEN_PRICE_MAX, TOKENS_MAX
from mtok.observations.rankings import TAIL
from mtok.observations.slugs import split_slug
from mtok.publication.facts import Fact, Facts, in_order, unreadable

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT: Final = "mtok-facts-1"
BYTES_MAX: Final = 2**26
CONTENT_BYTES_MAX: Final = 2**28
ROWS_MAX: Final = 500_000

TEXT: Final = "text"
TRUTH: Final = "boolean"
WHOLE: Final = "int32"
LONG: Final = "int64"
DECIMAL: Final = "decimal"
DATE: Final = "date"
INSTANT: Final = "instant"
COLUMNS: Final = {
    "fact": TEXT,
    "kind": TEXT,
    "date": DATE,
    "id": TEXT,
    "place": WHOLE,
    "slug": TEXT,
    "author": TEXT,
    "name": TEXT,
    "variant": TEXT,
    "tokens": LONG,
    "created": LONG,
    "text_only": TRUTH,
    "min_prompt_tokens": LONG,
    "start_second": WHOLE,
    "end_second": WHOLE,
    "price": LONG,
    "base_price": LONG,
    "provider": TEXT,
    "tag": TEXT,
    "status": WHOLE,
    "standard_tier": TRUTH,
    "price_seconds": DECIMAL,
    "reason": TEXT,
    "instant": INSTANT,
    "captured": INSTANT,
    "collector": TEXT,
    "rank": WHOLE,
    "archive": TRUTH,
    "subject": TEXT,
    "origin": TEXT,
    "sha256": TEXT,
    "first_capture": WHOLE,
    "last_capture": WHOLE,
}
"""The columns and what they hold: those of `Fact`."""

_ALL: Final = frozenset({"fact", "kind", "first_capture", "last_capture"})
_SHAPES: Final = {
    ("capture", KIND_RANKINGS): ("instant captured collector sha256", "subject origin"),
    ("capture", KIND_MODELS): ("instant captured collector rank archive sha256", "subject origin"),
    ("capture", KIND_ENDPOINTS): ("instant captured collector rank archive subject sha256", "origin"),
    ("volume_day", KIND_RANKINGS): ("date", "reason"),
    ("volume", KIND_RANKINGS): ("date slug author name variant tokens", ""),
    ("model", KIND_MODELS): ("id place slug author name variant created", "text_only"),
    ("price", KIND_MODELS): (
        "id place min_prompt_tokens start_second end_second",
        "price base_price reason",
    ),
    ("endpoint", KIND_ENDPOINTS): ("place provider standard_tier", "id tag status price_seconds"),
}
"""By fact and kind: the columns it must have, those it may have."""

_INSTANT_MAX: Final = parse_instant("9999-12-31T23:59:59.999999Z")
_BOUNDS: Final = {
    "place": (1, 2**31 - 1),
    "tokens": (0, TOKENS_MAX),
    "created": (-(2**53), 2**53),
    "min_prompt_tokens": (0, 2**63 - 1),
    "start_second": (0, DAY_SECONDS - 1),
    "end_second": (1, DAY_SECONDS),
    "price": (0, TOKEN_PRICE_MAX),
    "base_price": (0, TOKEN_PRICE_MAX),
    "price_seconds": (0, TOKEN_PRICE_MAX * DAY_SECONDS),
    "instant": (0, _INSTANT_MAX),
    "captured": (0, _INSTANT_MAX),
    "rank": (1, 2**31 - 1),
    "first_capture": (1, 2**31 - 1),
    "last_capture": (1, 2**31 - 1),
}


def facts_bytes(facts: Facts) -> bytes:
    """Return the file of the facts."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = list(zip(*facts.rows, strict=True)) or [()] * len(COLUMNS)
    schema = _schema()
    arrays = [pa.array(column, type=kind) for column, kind in zip(columns, schema.types, strict=True)]
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, schema, compression="zstd", store_schema=False) as writer:
        writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
        writer.add_key_value_metadata(_noted(facts))
    return sink.getvalue()


def read_facts(raw: bytes) -> Facts:
    """Return the facts of a file. Raises BadInput `facts_unreadable` for anything that is none, and says where."""
    import pyarrow as pa

    if len(raw) > BYTES_MAX:
        unreadable("the file", f"{len(raw)} bytes, more than {BYTES_MAX}")
    try:
        noted, columns = _read(raw)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        unreadable("the file", f"no Parquet: {printable(str(error))}")
    facts = _facts(noted, in_order(map(Fact._make, zip(*columns, strict=True))))
    for row in facts.rows:
        _check(row, facts)
    _ = facts.tables
    return facts


def _noted(facts: Facts) -> dict[str, str]:
    """Return what the file says of itself; `as_of` only where there is one."""
    as_of = {} if facts.as_of is None else {"as_of": format_instant(facts.as_of)}
    return as_of | {
        "format": FORMAT,
        "date": format_date(facts.day),
        "methodology": facts.methodology,
        "volume_source": facts.volume_source,
        "complete": "true" if facts.complete else "false",
    }


def _facts(noted: dict[str, str], rows: tuple[Fact, ...]) -> Facts:
    if noted.get("format") != FORMAT:
        unreadable("metadata", f"format {noted.get('format')!a}, this program reads {FORMAT!r}")
    if missing := {"date", "methodology", "volume_source", "complete"} - noted.keys():
        unreadable("metadata", f"{', '.join(sorted(missing))} missing")
    try:
        day = parse_date(noted["date"])
        as_of = parse_instant(noted["as_of"]) if "as_of" in noted else None
    except ValueError as error:
        unreadable("metadata", printable(str(error)))
    facts = Facts(
        day=day,
        as_of=as_of,
        methodology=noted["methodology"],
        volume_source=noted["volume_source"],
        complete=noted["complete"] == "true",
        rows=rows,
    )
    if _noted(facts) != noted:
        unreadable("metadata", f"{printable(str(noted))}, wanted {printable(str(_noted(facts)))}")
    return facts


def _schema() -> pa.Schema:
    import pyarrow as pa

    types = {
        TEXT: pa.string(),
        TRUTH: pa.bool_(),
        WHOLE: pa.int32(),
        LONG: pa.int64(),
        DECIMAL: pa.decimal128(38, 0),
        DATE: pa.date32(),
        INSTANT: pa.timestamp("us", tz="UTC"),
    }
    return pa.schema([(name, types[kind]) for name, kind in COLUMNS.items()])


def _read(raw: bytes) -> tuple[dict[str, str], list[list[Any]]]:
    """Return what the file says of itself, and its columns; texts stay dictionaries until they are shared objects."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = [name for name, kind in COLUMNS.items() if kind == TEXT]
    found = pq.ParquetFile(pa.BufferReader(raw)).schema_arrow.remove_metadata()
    if found != _schema():
        types = dict(zip(found.names, found.types, strict=True))
        for wanted in _schema():
            if types.get(wanted.name) != wanted.type:
                unreadable(f"column {wanted.name}", "missing or of another type")
        unreadable("columns", f"{printable(str(found.names))}, wanted those of docs/formats.md in order")
    file = pq.ParquetFile(pa.BufferReader(raw), read_dictionary=texts)
    about = file.metadata
    content = sum(about.row_group(number).total_byte_size for number in range(about.num_row_groups))
    if about.num_rows > ROWS_MAX:
        unreadable("the file", f"{about.num_rows} rows, more than {ROWS_MAX}")
    if content > CONTENT_BYTES_MAX:
        unreadable("the file", f"{content} bytes unpacked, more than {CONTENT_BYTES_MAX}")
    noted = {key.decode(): value.decode() for key, value in (about.metadata or {}).items()}
    table = file.read(use_threads=False)
    table.validate(full=True)
    return noted, [_values(table.column(name), kind) for name, kind in COLUMNS.items()]


def _values(column: pa.ChunkedArray, kind: str) -> list[Any]:
    """Return the values of a column as integers, texts and truths."""
    import pyarrow as pa

    if kind == TEXT:
        values: list[Any] = []
        for chunk in column.chunks:
            words = [*chunk.dictionary.to_pylist(), None]
            values += [words[-1 if place is None else place] for place in chunk.indices.to_pylist()]
        return values
    if kind == DECIMAL:
        return [None if value is None else int(value) for value in column.to_pylist()]
    whole = {DATE: pa.int32(), INSTANT: pa.int64()}.get(kind)
    return list((column.cast(whole) if whole else column).to_pylist())


def _check(row: Fact, facts: Facts) -> None:
    """Refuse a row that no capture can have shown, whatever the others say."""
    shape = _SHAPES.get((row.fact, row.kind))
    if shape is None:
        unreadable("a row", f"fact {row.fact!a} of kind {row.kind!a}")
    must, may = (set(names.split()) for names in shape)
    here = {name for name, value in zip(COLUMNS, row, strict=True) if value is not None} - _ALL
    place = f"{row.fact} {printable(row.id or row.slug or row.sha256 or row.kind)}"
    if not must <= here <= must | may:
        wrong = sorted(must - here) or sorted(here - must - may)
        unreadable(place, f"{', '.join(wrong)} {'missing' if must - here else 'of another fact'}")
    for name, (least, most) in _BOUNDS.items():
        value = getattr(row, name)
        if not (value is None and name not in _ALL) and not least <= (value or 0) <= most:
            unreadable(place, f"{name} {value} is outside {least} to {most}")
    if row.first_capture > row.last_capture:
        unreadable(place, f"captures {row.first_capture} to {row.last_capture}")
    if objection := _objection(row, facts):
        unreadable(place, objection)


def _objection(row: Fact, facts: Facts) -> str | None:
    if row.fact == "capture":
        return _objection_to_capture(row, facts)
    if row.date not in {None, facts.day}:
        return f"date {format_date(row.date) if row.date in range(2**20) else row.date}"
    if row.fact == "price":
        if (row.price is None) == (row.reason is None) or (row.price is not None and row.base_price is None):
            return "either a price with its base or the reason why there is none"
        if (row.start_second or 0) >= (row.end_second or 0):
            return f"seconds {row.start_second} to {row.end_second}"
    if row.fact in {"volume", "model"}:
        variant = row.variant or ""
        if row.fact == "model":
            described = split_slug(row.id or "")
            variant = described.variant if described else ""
        slug = split_slug(row.slug or "")
        named = (row.slug, row.author, row.name, row.variant)
        if named != TAIL and (slug is None or named != (slug.slug, slug.author, slug.name, variant)):
            return f"slug, author, name, variant {printable(str(named))}"
    return None


def _objection_to_capture(row: Fact, facts: Facts) -> str | None:
    instant = row.instant or 0
    if facts.as_of is not None and instant > facts.as_of:
        return f"at {format_instant(instant)}, after as_of"
    if row.kind == KIND_ENDPOINTS and (row.rank != 1 or day_of(instant) != facts.day):
        return f"rank {row.rank} at {format_instant(instant)}, wanted the primary's of the date"
    if row.sha256 is None or len(row.sha256) != 64 or not set(row.sha256) <= set("0123456789abcdef"):
        return f"sha256 {row.sha256!a}"
    return None
