"""Observations as Parquet: a few tables a UTC day of capture, made from archived bytes and from nothing else.

`observations/<day>/<table>.parquet` may be deleted at any time: whoever reads it next makes the same bytes again.
`observations/manifest.json` says how much of the register is observed and which captures and files a day's tables
consist of, so that only new captures are read, and a damaged, missing or outdated file is noticed and made anew.
Column `capture` is the capture's line in the register.
"""

from __future__ import annotations

import io
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from mtok.archive import (
    KIND_ENDPOINTS,
    KIND_MODELS,
    KIND_RANKINGS,
    KIND_TABLE,
    KIND_USAGE,
    START,
    Capture,
    Position,
    Store,
    StoreParameters,
)
from mtok.archive.files import write_file
from mtok.calendar import day_of, format_date, parse_date, parse_instant, second_of_day
from mtok.canonical import canonical_bytes, sha256_hex
from mtok.errors import EnvironmentFailed
from mtok.observations.endpoints import decode_endpoints
from mtok.observations.faults import Faults
from mtok.observations.models import decode_models
from mtok.observations.rankings import decode_rankings
from mtok.observations.usage import decode_cube
from mtok.progress import Progress

FORMAT: Final = "mtok-observations-5"
"""Changes with the decoders: observations of another format are made anew."""

TABLES: Final = {
    "captures": {
        "capture": "INTEGER",
        "instant": "BIGINT",
        "captured": "BIGINT",
        "day": "INTEGER",
        "second": "INTEGER",
        "collector": "VARCHAR",
        "kind": "VARCHAR",
        "subject": "VARCHAR",
        "volume_source": "VARCHAR",
        "readable": "BOOLEAN",
        "sha256": "VARCHAR",
        "origin": "VARCHAR",
        "http_status": "INTEGER",
        "failure": "VARCHAR",
        "skew": "BIGINT",
        "not_before": "BIGINT",
    },
    "volumes": {
        "capture": "INTEGER",
        "day": "INTEGER",
        "slug": "VARCHAR",
        "author": "VARCHAR",
        "name": "VARCHAR",
        "variant": "VARCHAR",
        "tokens": "BIGINT",
    },
    "volume_days": {"capture": "INTEGER", "day": "INTEGER", "reason": "VARCHAR"},
    "usage": {
        "capture": "INTEGER",
        "day": "INTEGER",
        "slug": "VARCHAR",
        "author": "VARCHAR",
        "name": "VARCHAR",
        "variant": "VARCHAR",
        "prompt_tokens": "BIGINT",
        "completion_tokens": "BIGINT",
    },
    "catalogue": {
        "capture": "INTEGER",
        "ordinal": "INTEGER",
        "id": "VARCHAR",
        "slug": "VARCHAR",
        "author": "VARCHAR",
        "name": "VARCHAR",
        "variant": "VARCHAR",
        "created": "BIGINT",
        "text_only": "BOOLEAN",
    },
    "prices": {
        "capture": "INTEGER",
        "ordinal": "INTEGER",
        "dimension": "VARCHAR",
        "min_prompt_tokens": "BIGINT",
        "start_second": "INTEGER",
        "end_second": "INTEGER",
        "price": "BIGINT",
        "base_price": "BIGINT",
        "reason": "VARCHAR",
    },
    "endpoints": {
        "capture": "INTEGER",
        "slug": "VARCHAR",
        "id": "VARCHAR",
        "ordinal": "INTEGER",
        "provider": "VARCHAR",
        "tag": "VARCHAR",
        "status": "INTEGER",
        "standard_tier": "BOOLEAN",
        "price": "BIGINT",
        "price_seconds": "DECIMAL(38, 0)",
        "discount": "VARCHAR",
        "reason": "VARCHAR",
    },
    "faults": {
        "capture": "INTEGER",
        "code": "VARCHAR",
        "place": "VARCHAR",
        "subject": "VARCHAR",
        "found": "VARCHAR",
    },
}
"""The tables and their columns with their SQL types."""


Rows = dict[str, list[tuple[Any, ...]]]


def observe_capture(number: int, capture: Capture, raw: bytes) -> Rows:
    """Return the rows of every table for one capture, whose line in the register is `number`."""
    rows: Rows = {name: [] for name in TABLES}
    instant, readable, faults = capture.instant, True, Faults()
    if capture.failure is not None:
        readable = False
        faults.add(capture.failure, "", capture.subject or "", capture.found or "")
    elif capture.kind == KIND_MODELS:
        models = decode_models(raw)
        readable, faults = models.readable, models.faults
        rows["catalogue"] = [(number, *row) for row in models.catalogue]
        rows["prices"] = [(number, *row) for row in models.prices]
    elif capture.kind == KIND_RANKINGS:
        rankings = decode_rankings(raw, capture.instant, capture.subject)
        instant, readable, faults = rankings.instant, rankings.readable, rankings.faults
        rows["volumes"] = [(number, day, *slug, tokens) for day, slug, tokens in rankings.rows]
        rows["volume_days"] = [(number, day, reason) for day, reason in sorted(rankings.days.items())]
    elif capture.kind == KIND_ENDPOINTS:
        endpoints = decode_endpoints(raw)
        readable, faults = endpoints.readable, endpoints.faults
        rows["endpoints"] = [(number, capture.subject, endpoints.id, *row) for row in endpoints.rows]
    elif capture.kind == KIND_USAGE:
        usage = decode_cube(raw)
        readable, faults = usage.readable, usage.faults
        rows["usage"] = [(number, usage.day, *row) for row in usage.rows]
        rows["volume_days"] = [(number, usage.day, None)] if readable else []
    else:
        readable = False
        faults.add(
            "kind_unknown",
            "",
            capture.obtained,
            "neither rankings-daily, models, endpoints nor a cube of usage",
        )
    rows["faults"] = [(number, *fault) for fault in faults]
    rows["captures"] = [
        (
            number,
            instant,
            capture.instant,
            day_of(instant),
            second_of_day(instant),
            capture.collector,
            capture.kind,
            capture.subject,
            capture.volume_source,
            readable,
            capture.sha256,
            capture.origin,
            capture.http_status,
            capture.failure,
            capture.instant - parse_instant(capture.server_date) if capture.server_date else None,
            parse_instant(capture.not_before) if capture.not_before else None,
        )
    ]
    return rows


def parquet_bytes(name: str, rows: Iterable[tuple[Any, ...]], before: bytes | None = None) -> bytes:
    """Return one table as Parquet, its rows after those of the file `before`.

    The same rows in the same order are the same bytes, however they came together.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {
        "INTEGER": pa.int32(),
        "BIGINT": pa.int64(),
        "DECIMAL(38, 0)": pa.decimal128(38, 0),
        "VARCHAR": pa.string(),
        "BOOLEAN": pa.bool_(),
    }
    columns = TABLES[name]
    values = list(zip(*rows, strict=True)) or [()] * len(columns)
    arrays = [
        pa.array(column, type=types[kind]) for column, kind in zip(values, columns.values(), strict=True)
    ]
    table = pa.Table.from_arrays(arrays, names=list(columns))
    if before is not None:
        table = pa.concat_tables([pq.ParquetFile(io.BytesIO(before)).read(), table]).combine_chunks()
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


_Sums = dict[str, str]
"""The sha256 of each file of a day, by its name."""


class _Manifest(msgspec.Struct, frozen=True):
    """How much of the register the tables hold, whose volumes, and the tables by day."""

    format: str = FORMAT
    register: Position = START
    volume_sources: list[str] = []
    days: dict[str, _Sums] = {}


_LOOKS: Final = 20
"""How often a reader without the lock looks at files that another process is just writing."""

_Members = list[tuple[int, Capture]]
"""Captures of one day, each with its line in the register."""


class Observations:
    """The folder `observations/` of a store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.folder = store.path / "observations"
        self._may_write = False
        self._manifest = self._read_manifest()

    @property
    def parameters(self) -> StoreParameters:
        """The parameters of the store."""
        return self.store.parameters

    @property
    def register(self) -> Position:
        """How much of the register the tables hold."""
        return self._manifest.register

    @property
    def volume_sources(self) -> list[str]:
        """Whose volumes there are, in order of name."""
        return self._manifest.volume_sources

    def refresh(self, progress: Progress) -> range:
        """Observe the captures that are new in the register and return their lines; the caller holds the lock.

        A capture of kind `table` is evidence behind other captures and has no rows.
        Raises EnvironmentFailed when an object that has to be read is damaged.
        """
        self._may_write = True
        seen = self._manifest.register
        captures, end = self.store.register.read_on(seen)
        if not captures and (self.folder / "manifest.json").exists():
            return range(end.lines, end.lines)
        by_day = _by_day(enumerate(captures, start=seen.lines))
        days = dict(self._manifest.days)
        for day in [] if days else self._days_on_disk():
            shutil.rmtree(self.folder / day)
        for done, (day, members) in enumerate(sorted(by_day.items())):
            progress("observing", done, len(by_day))
            before = days.get(day)
            if before is None or self._sound(day, before, before):
                days[day] = self._extend(day, before, members)
            else:
                days[day] = self._extend(day, None, self._members(day, end))
        progress("observing", len(by_day), len(by_day))
        sources = {capture.volume_source for capture in captures if capture.volume_source}
        self._write(
            register=end, volume_sources=sorted(sources.union(self._manifest.volume_sources)), days=days
        )
        return range(seen.lines, end.lines)

    def days(self) -> list[int]:
        """Return the UTC days of capture that have tables, in order."""
        return [parse_date(day) for day in sorted(self._manifest.days)]

    def files(self, table: str, first_day: int | None = None, last_day: int | None = None) -> list[str]:
        """Return the paths of one table for captures of [first_day, last_day].

        A file that is missing or not as it was written is made anew first, after `refresh`. A reader that has not
        called it, for want of the lock, looks again and then raises EnvironmentFailed `store_in_use`.
        """
        name = f"{table}.parquet"
        for _ in range(_LOOKS):
            days = self._days_within(first_day, last_day)
            unsound = [day for day in days if not self._sound(day, self._manifest.days[day], [name])]
            if self._may_write:
                for day in unsound:
                    rebuilt = self._extend(day, None, self._members(day, self._manifest.register))
                    self._write(days={**self._manifest.days, day: rebuilt})
                unsound = []
            if not unsound:
                return [str(self.folder / day / name) for day in days]
            self._manifest = self._read_manifest()
        raise EnvironmentFailed(
            "store_in_use",
            f"the observations of {unsound[0]} in {self.store.path} are being written by another process",
            "Run the command again when that one has ended; `mtok doctor` looks whether they are damaged.",
        )

    def _days_within(self, first_day: int | None, last_day: int | None) -> list[str]:
        return [
            day
            for day in sorted(self._manifest.days)
            if (first_day is None or first_day <= parse_date(day))
            and (last_day is None or parse_date(day) <= last_day)
        ]

    def rows(
        self, table: str, *columns: str, first_day: int | None = None, last_day: int | None = None
    ) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of one table for captures of [first_day, last_day], in order; `refresh` has been called."""
        import pyarrow.parquet as pq

        for path in self.files(table, first_day, last_day):
            with pq.ParquetFile(path) as file:
                read = file.read(columns=list(columns), use_threads=False).select(list(columns))
            yield from zip(*read.to_pydict().values(), strict=True)

    def _read_manifest(self) -> _Manifest:
        manifest = _read_manifest(self.folder / "manifest.json")
        return manifest if self.store.register.holds(manifest.register) else _Manifest()

    def _write(self, **changed: Any) -> None:
        self._manifest = msgspec.structs.replace(self._manifest, **changed)
        self.folder.mkdir(exist_ok=True)
        content = canonical_bytes(msgspec.to_builtins(self._manifest))
        write_file(self.folder / "manifest.json", content + b"\n" + sha256_hex(content).encode() + b"\n")

    def _days_on_disk(self) -> list[str]:
        return sorted(folder.name for folder in self.folder.glob("*") if folder.is_dir())

    def _members(self, day: str, before: Position) -> _Members:
        """Return the captures of a day that are registered before a position."""
        return _by_day(enumerate(self.store.register.read()[: before.lines]))[day]

    def _sound(self, day: str, sums: _Sums, names: Iterable[str]) -> bool:
        try:
            return all(sha256_hex((self.folder / day / name).read_bytes()) == sums[name] for name in names)
        except (OSError, KeyError):
            return False

    def _extend(self, day: str, before: _Sums | None, members: _Members) -> _Sums:
        """Write the tables of a day: the rows of `members` after those of the files `before`, where there are any."""
        rows: Rows = {name: [] for name in TABLES}
        for number, capture in members:
            observed = observe_capture(number, capture, self.store.objects.get(capture.sha256))
            for name, found in observed.items():
                rows[name] += found
        folder = self.folder / day
        folder.mkdir(parents=True, exist_ok=True)
        sums: _Sums = {}
        for name, found in rows.items():
            path: Path = folder / f"{name}.parquet"
            raw = parquet_bytes(name, found, path.read_bytes() if before else None)
            write_file(path, raw, sync=False)
            sums[path.name] = sha256_hex(raw)
        return sums


def _read_manifest(path: Path) -> _Manifest:
    """Return the manifest; one that is missing, damaged or of another format counts as empty.

    Its first line is the manifest, the second one the sha256 of the first.
    """
    try:
        content, sha256 = path.read_bytes().splitlines()
        manifest = msgspec.json.decode(content, type=_Manifest, strict=False)
        for day in manifest.days:
            parse_date(day)
    except (OSError, ValueError, msgspec.MsgspecError):
        return _Manifest()
    sound = sha256_hex(content).encode() == sha256 and manifest.format == FORMAT
    return manifest if sound else _Manifest()


def _by_day(captures: Iterable[tuple[int, Capture]]) -> defaultdict[str, _Members]:
    by_day: defaultdict[str, _Members] = defaultdict(list)
    for number, capture in captures:
        if capture.kind != KIND_TABLE:
            by_day[format_date(day_of(capture.instant))].append((number, capture))
    return by_day
