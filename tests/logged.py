"""Usage logs for tests: rows as people think of them, written as Parquet, CSV or JSONL, and summed again by hand."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from mtok.archive import KIND_USAGE, Capture, Store
from mtok.calendar import DAY, day_of, format_date, format_instant, parse_instant
from mtok.engine import Engine, open_engine
from mtok.observations.usage import Cube, read_cube
from mtok.usage import UsageReport, import_usage

NOW = "2026-06-25T09:00:00Z"
SOURCE = "acme"


class Request(NamedTuple):
    """A row of a log: when, which model, and its tokens."""

    ts: str | None
    model: str | None
    prompt: Any
    completion: Any


def requests(date: str, *rows: tuple[str, int, int]) -> list[Request]:
    """Return requests of a day, one a second from noon on."""
    noon = parse_instant(f"{date}T12:00:00Z")
    return [Request(format_instant(noon + place * 1_000_000), *row) for place, row in enumerate(rows)]


def table(rows: Sequence[Request], *, unit: str = "us", day: bool = True) -> pa.Table:
    """Return rows as a typed table."""
    instants = [None if row.ts is None else parse_instant(row.ts) for row in rows]
    numerator, denominator = {"ms": (1, 1000), "us": (1, 1), "ns": (1000, 1)}[unit]
    scaled = [None if at is None else at * numerator // denominator for at in instants]
    columns = {
        "ts": pa.array(scaled, pa.timestamp(unit, "UTC")),
        "model_permaslug": pa.array([row.model for row in rows], pa.string()),
        "prompt_tokens": pa.array([row.prompt for row in rows], pa.int64()),
        "completion_tokens": pa.array([row.completion for row in rows], pa.int64()),
    }
    if day:
        columns["day"] = pa.array([None if at is None else day_of(at) for at in instants], pa.int32())
    return pa.table(columns)


def write_parquet(path: Path, rows: Sequence[Request] | pa.Table, **options: Any) -> Path:
    """Write rows as Parquet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = {name: options.pop(name) for name in ("unit", "day") if name in options}
    pq.write_table(rows if isinstance(rows, pa.Table) else table(rows, **shape), path, **options)
    return path


def write_csv(path: Path, rows: Iterable[Request], *, end: str = "\n") -> Path:
    """Write rows as CSV, packed where the name says so."""
    lines = ["ts,model_permaslug,prompt_tokens,completion_tokens"]
    lines += [",".join("" if cell is None else str(cell) for cell in row) for row in rows]
    return _write(path, "\n".join(lines) + end)


def write_jsonl(path: Path, rows: Iterable[Request]) -> Path:
    """Write rows as JSONL, packed where the name says so."""
    names = ("ts", "model_permaslug", "prompt_tokens", "completion_tokens")
    return _write(path, "".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows))


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = text.encode()
    path.write_bytes(gzip.compress(raw, mtime=0) if path.suffix == ".gz" else raw)
    return path


def imported(
    store: Store, address: Path | str, *, now: str = NOW, engine: Engine | None = None, **options: Any
) -> UsageReport:
    """Import usage logs as of an instant."""
    return import_usage(
        store,
        str(address),
        source=options.pop("source", SOURCE),
        engine=engine or open_engine("duckdb", threads=1),
        captured_at=parse_instant(now),
        progress=lambda *_: None,
        **options,
    )


def captures(store: Store, date: str, source: str = SOURCE) -> list[Capture]:
    """Return what is registered of a day of a source, in order."""
    return [
        one
        for one in store.register.read()
        if one.kind == KIND_USAGE and one.subject == date and one.volume_source == source
    ]


def cube(store: Store, date: str, source: str = SOURCE) -> Cube:
    """Return the last cube of a day."""
    last = [one for one in captures(store, date, source) if one.failure is None][-1]
    return read_cube(store.objects.get(last.sha256))


def summed(rows: Iterable[Request]) -> dict[str, dict[str, tuple[int, int, int, int]]]:
    """Return by day and constituent (rows, prompt tokens, completion tokens, most of one): the same again, by hand."""
    days: defaultdict[str, defaultdict[str, list[tuple[int, int]]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        assert row.ts is not None
        assert row.model is not None
        date = format_date(parse_instant(row.ts) // DAY)
        name = row.model[: -len(":standard")] if row.model.endswith(":standard") else row.model
        days[date][name].append((int(row.prompt), int(row.completion)))
    return {
        date: {
            name: (
                len(found),
                sum(p for p, _ in found),
                sum(c for _, c in found),
                max(p + c for p, c in found),
            )
            for name, found in models.items()
        }
        for date, models in days.items()
    }


def cells(found: Cube) -> dict[str, tuple[int, int, int, int]]:
    """Return a cube as `summed` has it."""
    return {row[0]: (int(row[1]), int(row[2]), int(row[3]), int(row[4])) for row in found.models}
