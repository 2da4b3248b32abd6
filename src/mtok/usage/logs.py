"""Usage logs where they lie: which files there are, what each holds by its own account, and which cannot be taken.

A log is a folder of Parquet, CSV or JSONL with a row a request. Of a Parquet file the footer alone is read here; its
statistics prove of most files that every row is sound, so that the rows need not be looked at one by one.
"""

from __future__ import annotations

import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from mtok.calendar import DAY, parse_date
from mtok.canonical import sha256_hex
from mtok.usage.places import Place

if TYPE_CHECKING:
    import pyarrow.parquet as pq

TOKENS_MAX: Final = 10**15
"""The most tokens one request can have: a prompt of a million models' context windows."""

FIRST_DAY: Final = parse_date("2020-01-01")
"""The first day a request can be of; before it nobody sold tokens."""

TEXT: Final = "text"
ZONED: Final = "instant"
NANOSECONDS: Final = "instant in nanoseconds"
WHOLE: Final = "integer"

NEEDED: Final = ("ts", "model_permaslug", "prompt_tokens", "completion_tokens")
USAGE_UNREADABLE: Final = "usage_unreadable"
WRITE_ANEW: Final = "Write the file anew, or take it out of the folder."

_UNITS: Final = {"milliseconds": (1000, 1), "microseconds": (1, 1), "nanoseconds": (1, 1000)}
"""Microseconds of a unit, as a ratio."""
_INSTANT_MAX: Final = 2**63 - DAY
"""From about here on an instant in microseconds takes more than 64 bits."""

_MAGIC: Final = b"PAR1"
_TAIL: Final = 8
_PARTITION: Final = re.compile(r"(?:^|/)(?:day|date|dt)=([0-9]{4}-[0-9]{2}-[0-9]{2})(?:/|$)")


class NotTaken(Exception):
    """A file that cannot be taken, with the code of why."""

    def __init__(self, code: str, found: str, remedy: str) -> None:
        super().__init__(found)
        self.code, self.found, self.remedy = code, found, remedy


def unreadable(error: Exception) -> NotTaken:
    """Return what a failure to read a file is: its first line says what was met."""
    what = str(error).splitlines()[0] if str(error) else type(error).__name__
    return NotTaken(USAGE_UNREADABLE, what, WRITE_ANEW)


@dataclass(frozen=True, kw_only=True)
class Log:
    """A file of usage logs.

    path : what an engine reads · origin : the file it was made from, where people find it, `path` but for text
    bytes : its size · sha256 : of its footer, which gives size and statistics of every column chunk; of text the whole
    modified : what says that it was written again, empty for text · rows : how many
    kinds : of the needed columns, and of `day` where it has that: text, instant, nanoseconds or integer
    types : the same as Parquet has them · span : its first and last instant, None where its statistics do not say
    days : the first and the last UTC day of its rows, None where its statistics do not say or one is out of range
    sound : statistics prove that no row is rejected · dated : and that the column `day` is the day of `ts`
    likeness : what a copy of it written anew would have in common with it, empty where its statistics say too little
    torn : rows that could not be read from a text, by reason, with samples
    """

    path: str
    origin: str
    bytes: int
    sha256: str
    rows: int
    kinds: dict[str, str]
    modified: str = ""
    types: tuple[str, ...] = ()
    span: tuple[int, int] | None = None
    days: tuple[int, int] | None = None
    sound: bool = False
    dated: bool = False
    likeness: tuple[Any, ...] = ()
    torn: tuple[tuple[str, int, tuple[str, ...]], ...] = ()

    @property
    def identity(self) -> str:
        """What a file is known by: another one has other content, or was written again."""
        return identity_of(self.sha256, self.modified)


def identity_of(sha256: str, modified: str) -> str:
    """Return what a file is known by."""
    return f"{sha256} {modified}"


def read_log(place: Place, path: str, last_day: int) -> Log:
    """Return what a Parquet file says of itself.

    last_day : the newest day a request can be of, the day of the import
    Raises NotTaken: `usage_unreadable` for no Parquet or a truncated one, `usage_schema` for other columns,
    `ts_without_zone`, `ts_range`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        size, footer = _footer(place, path)
        modified = place.modified(path)
        with place.open(path) as raw:
            file = pq.ParquetFile(raw)
            kinds = _kinds(file.schema_arrow)
            types = tuple(str(file.schema_arrow.field(name).type) for name in kinds)
            metadata = file.metadata
    except (pa.ArrowException, OSError, ValueError) as error:
        raise unreadable(error) from None
    statistics = _Statistics(metadata, kinds)
    span = statistics.span()
    if span is not None and not -_INSTANT_MAX < span[0] <= span[1] < _INSTANT_MAX:
        raise NotTaken(
            "ts_range", "column ts holds instants no engine can read: of another unit?", WRITE_ANEW
        )
    days = None if span is None else (span[0] // DAY, span[1] // DAY)
    within = days is not None and days[0] >= FIRST_DAY and days[1] <= last_day
    return Log(
        path=path,
        origin=path,
        bytes=size,
        sha256=sha256_hex(footer),
        modified=modified,
        rows=metadata.num_rows,
        kinds=kinds,
        types=types,
        span=span,
        days=days if within else None,
        sound=within and statistics.sound(),
        dated=within and statistics.dated(),
        likeness=statistics.likeness(),
    )


def footer_sha256(place: Place, path: str) -> str:
    """Return the digest of a Parquet file's footer. Raises OSError, and ValueError for no Parquet."""
    return sha256_hex(_footer(place, path)[1])


def partition_of(path: str) -> int | None:
    """Return the day of the partition a file lies in, None where its path names none.

    >>> partition_of("logs/day=2026-06-20/part-0.parquet"), partition_of("logs/2026-06-20.parquet")
    (20624, None)
    """
    found = _PARTITION.search(path)
    with suppress(ValueError):
        return parse_date(found[1]) if found else None
    return None


def _footer(place: Place, path: str) -> tuple[int, bytes]:
    """Return the size of a Parquet file and its footer as it is."""
    size = place.size(path)
    with place.open(path) as raw:
        raw.seek(max(0, size - _TAIL))
        tail = raw.read(_TAIL)
        length = int.from_bytes(tail[:4], "little")
        if size < _TAIL + len(_MAGIC) or not tail.endswith(_MAGIC) or length + _TAIL > size:
            raise ValueError(f"{size} bytes that do not end as Parquet does: truncated, or no Parquet")
        raw.seek(size - _TAIL - length)
        return size, raw.read(length)


def _kinds(schema: Any) -> dict[str, str]:
    """Return what the columns hold. To an engine `Day` is `day`, so a name must stand alone whatever its letters."""
    names = schema.names
    letters = Counter(name.lower() for name in names)
    if twice := [name for name in (*NEEDED, "day") if letters[name] > 1]:
        raise NotTaken("usage_schema", f"column {', '.join(twice)} more than once", "Write it once.")
    missing = [name for name in NEEDED if name not in names]
    if missing:
        raise NotTaken(
            "usage_schema",
            f"no column {', '.join(missing)} among {', '.join(names)[:200]}",
            f"A log has {', '.join(NEEDED)} (docs/usage.md).",
        )
    return {name: _kind(name, schema) for name in (*NEEDED, "day") if name in names}


def _kind(name: str, schema: Any) -> str:
    """Return what a column holds. Raises `usage_schema` for what it must not."""
    import pyarrow as pa

    kind = schema.field(name).type
    held = kind.value_type if pa.types.is_dictionary(kind) else kind
    texts = pa.types.is_string(held) or pa.types.is_large_string(held) or pa.types.is_string_view(held)
    if texts and name != "day":
        return TEXT
    if name == "ts" and pa.types.is_timestamp(kind):
        if kind.tz is not None:
            return NANOSECONDS if kind.unit == "ns" else ZONED
        raise NotTaken(
            "ts_without_zone",
            f"column ts holds {kind}, which says no time zone",
            "Write instants: a timestamp adjusted to UTC, or text YYYY-MM-DDTHH:MM:SSZ.",
        )
    if name.endswith("_tokens") and pa.types.is_integer(kind):
        return WHOLE
    if name == "day":
        return WHOLE if pa.types.is_int32(kind) else "another type"
    wanted = {"ts": "a timestamp in UTC or text", "model_permaslug": "text"}.get(name, "integers or text")
    raise NotTaken("usage_schema", f"column {name} holds {kind}, wanted {wanted}", "See docs/usage.md.")


class _LogicalType(msgspec.Struct, rename="camel"):
    time_unit: str = ""


class _Statistics:
    """The statistics of a Parquet file, row group by row group."""

    def __init__(self, metadata: pq.FileMetaData, kinds: dict[str, str]) -> None:
        self._kinds = kinds
        places = {metadata.schema.column(place).path: place for place in range(metadata.num_columns)}
        self._groups = [
            {name: metadata.row_group(group).column(places[name]) for name in kinds if name in places}
            for group in range(metadata.num_row_groups)
            if metadata.row_group(group).num_rows
        ]
        self._rows = metadata.num_rows
        self._unit = None if kinds["ts"] == TEXT else _unit(metadata.schema.column(places["ts"]))

    def _spans(self, name: str) -> list[tuple[Any, Any]] | None:
        """Return least and greatest of a column without nulls in each row group, None where one does not say."""
        spans = []
        for group in self._groups:
            found = group[name].statistics if name in group else None
            if found is None or not found.has_min_max or not found.has_null_count or found.null_count:
                return None
            spans.append((found.min_raw, found.max_raw) if name == "ts" else (found.min, found.max))
        return spans

    def _instants(self) -> list[tuple[int, int]] | None:
        unit, spans = self._unit, self._spans("ts")
        if unit is None or spans is None:
            return None
        numerator, denominator = unit
        return [(first * numerator // denominator, last * numerator // denominator) for first, last in spans]

    def span(self) -> tuple[int, int] | None:
        """Return the first and the last instant of the rows."""
        spans = self._instants()
        return _hull(spans) if spans else None

    def sound(self) -> bool:
        """Return whether every row has a model and two token counts in their range."""
        names = all(
            (found := group["model_permaslug"].statistics) is not None
            and found.has_null_count
            and not found.null_count
            for group in self._groups
        )
        counts = [self._spans(name) if self._kinds[name] == WHOLE else None for name in NEEDED[2:]]
        return names and all(
            spans is not None and all(least >= 0 and most <= TOKENS_MAX for least, most in spans)
            for spans in counts
        )

    def dated(self) -> bool:
        """Return whether each row group is of one day, and its column `day` says which."""
        days, instants = self._spans("day") if self._kinds.get("day") == WHOLE else None, self._instants()
        return (
            days is not None
            and instants is not None
            and all(
                least == most == first // DAY == last // DAY
                for (least, most), (first, last) in zip(days, instants, strict=True)
            )
        )

    def likeness(self) -> tuple[Any, ...]:
        """Return rows, first and last instant, and the spans of the names and of the token counts."""
        whole = all(self._kinds[name] == WHOLE for name in NEEDED[2:])
        instants, others = self._instants(), [self._spans(name) for name in NEEDED[1:]]
        if not instants or not whole or not all(others):
            return ()
        return self._rows, *map(_hull, (instants, *filter(None, others)))


def _hull(spans: list[tuple[Any, Any]]) -> tuple[Any, Any]:
    return min(least for least, _ in spans), max(most for _, most in spans)


def _unit(column: Any) -> tuple[int, int] | None:
    """Return the microseconds of a column's unit, None for what has no unit."""
    with suppress(msgspec.MsgspecError):
        return _UNITS.get(msgspec.json.decode(column.logical_type.to_json(), type=_LogicalType).time_unit)
    return None
