"""Observations as Parquet: six tables a UTC day of capture, made from archived bytes and from nothing else.

`observations/<day>/<table>.parquet` may be deleted at any time; the next `refresh` makes the same bytes again.
`observations/manifest.json` says which captures and which files a day's tables consist of, so that a damaged,
missing or outdated file is noticed and made anew. Column `capture` is the capture's line in the register.
"""

from __future__ import annotations

import io
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from mtok.archive import KIND_ENDPOINTS, KIND_MODELS, KIND_RANKINGS, Capture, Store
from mtok.archive.files import write_file
from mtok.calendar import day_of, format_date, parse_date, parse_instant, second_of_day
from mtok.canonical import canonical_bytes, sha256_hex
from mtok.observations.faults import Faults
from mtok.observations.models import decode_models
from mtok.observations.rankings import decode_rankings
from mtok.progress import Progress

FORMAT: Final = "mtok-observations-2"
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
        "volume_source": "VARCHAR",
        "readable": "BOOLEAN",
        "sha256": "VARCHAR",
        "origin": "VARCHAR",
        "subject": "VARCHAR",
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
    if capture.failure:
        readable = False
        faults.add(capture.failure, "", capture.subject or "", capture.found or "")
    elif capture.kind == KIND_MODELS:
        models = decode_models(raw)
        readable, faults = models.readable, models.faults
        rows["catalogue"] = [(number, *row) for row in models.catalogue]
        rows["prices"] = [(number, *row) for row in models.prices]
    elif capture.kind == KIND_RANKINGS:
        rankings = decode_rankings(raw, capture.instant)
        instant, readable, faults = rankings.instant, rankings.readable, rankings.faults
        rows["volumes"] = [(number, day, *slug, tokens) for day, slug, tokens in rankings.rows]
        rows["volume_days"] = [(number, day, reason) for day, reason in sorted(rankings.days.items())]
    elif capture.kind != KIND_ENDPOINTS:
        readable = False
        faults.add("kind_unknown", "", capture.obtained, "neither rankings-daily nor models")
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
            capture.volume_source,
            readable,
            capture.sha256,
            capture.origin,
            capture.subject,
            capture.http_status,
            capture.failure,
            capture.instant - parse_instant(capture.server_date) if capture.server_date else None,
            parse_instant(capture.not_before) if capture.not_before else None,
        )
    ]
    return rows


def parquet_bytes(name: str, rows: Iterable[tuple[Any, ...]]) -> bytes:
    """Return one table as Parquet: the same rows in the same order are the same bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"INTEGER": pa.int32(), "BIGINT": pa.int64(), "VARCHAR": pa.string(), "BOOLEAN": pa.bool_()}
    columns = TABLES[name]
    values = list(zip(*rows, strict=True)) or [()] * len(columns)
    arrays = [
        pa.array(column, type=types[kind]) for column, kind in zip(values, columns.values(), strict=True)
    ]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, names=list(columns)), sink, compression="zstd")
    return sink.getvalue()


class _DayTables(msgspec.Struct, frozen=True):
    """What the tables of a day consist of: a digest of its captures, and each file's sha256 by its name."""

    captures: str
    files: dict[str, str]


class _Manifest(msgspec.Struct, frozen=True):
    """The file `manifest.json`."""

    format: str
    days: dict[str, _DayTables]


class Observations:
    """The folder `observations/` of a store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.folder = store.path / "observations"

    def refresh(self, progress: Progress) -> list[Capture]:
        """Bring every day's tables up to the register and return the captures; the caller holds the lock.

        A capture of kind `table` is evidence behind other captures and has no rows.
        Raises EnvironmentFailed when an object that has to be read is damaged.
        """
        captures = self.store.register.read()
        by_day: dict[str, list[tuple[int, Capture]]] = defaultdict(list)
        for number, capture in enumerate(captures):
            if capture.kind != "table":
                by_day[format_date(day_of(capture.instant))].append((number, capture))
        manifest = self._manifest()
        outdated = [
            day for day, members in sorted(by_day.items()) if not self._sound(manifest.get(day), members)
        ]
        for done, day in enumerate(outdated):
            progress("observing", done, len(outdated))
            manifest[day] = self._build(day, by_day[day])
        gone = manifest.keys() - by_day.keys()
        for day in gone:
            shutil.rmtree(self.folder / day, ignore_errors=True)
            del manifest[day]
        if outdated or gone or not (self.folder / "manifest.json").exists():
            self.folder.mkdir(exist_ok=True)
            content = canonical_bytes(msgspec.to_builtins(_Manifest(format=FORMAT, days=manifest)))
            write_file(self.folder / "manifest.json", content + b"\n")
        progress("observing", len(outdated), len(outdated))
        return captures

    def files(self, table: str, first_day: int | None = None, last_day: int | None = None) -> list[str]:
        """Return the paths of one table for captures of [first_day, last_day]; `refresh` has been called."""
        days = [
            day
            for day in sorted(self._manifest())
            if (first_day is None or first_day <= parse_date(day))
            and (last_day is None or parse_date(day) <= last_day)
        ]
        return [str(self.folder / day / f"{table}.parquet") for day in days]

    def rows(self, table: str, *columns: str) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of one table over all days, in order; `refresh` has been called."""
        import pyarrow.parquet as pq

        for path in self.files(table):
            yield from zip(*pq.read_table(path, columns=list(columns)).to_pydict().values(), strict=True)

    def _manifest(self) -> dict[str, _DayTables]:
        """Return the tables by day; a manifest that is missing, damaged or of another format counts as empty."""
        try:
            raw = (self.folder / "manifest.json").read_bytes()
            manifest = msgspec.json.decode(raw, type=_Manifest)
            for day in manifest.days:
                parse_date(day)
        except (OSError, ValueError, msgspec.MsgspecError):
            return {}
        return manifest.days if manifest.format == FORMAT else {}

    def _sound(self, entry: _DayTables | None, members: list[tuple[int, Capture]]) -> bool:
        names = {f"{name}.parquet" for name in TABLES}
        if entry is None or entry.captures != _digest(members) or entry.files.keys() != names:
            return False
        folder = self.folder / format_date(day_of(members[0][1].instant))
        try:
            return all(sha256_hex((folder / name).read_bytes()) == sha for name, sha in entry.files.items())
        except OSError:
            return False

    def _build(self, day: str, members: list[tuple[int, Capture]]) -> _DayTables:
        rows: Rows = {name: [] for name in TABLES}
        for number, capture in members:
            observed = observe_capture(number, capture, self.store.objects.get(capture.sha256))
            for name, found in observed.items():
                rows[name] += found
        folder = self.folder / day
        folder.mkdir(parents=True, exist_ok=True)
        files: dict[str, str] = {}
        for name, found in rows.items():
            raw = parquet_bytes(name, found)
            path: Path = folder / f"{name}.parquet"
            write_file(path, raw, sync=False)
            files[path.name] = sha256_hex(raw)
        return _DayTables(captures=_digest(members), files=files)


def _digest(members: list[tuple[int, Capture]]) -> str:
    return sha256_hex(canonical_bytes([[number, *capture.key] for number, capture in members]))
