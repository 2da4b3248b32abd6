"""Who else reduces request logs to a daily cube: each a process of its own, started by `bench_scale.py`.

usage: scale_contestants.py CONTESTANT LOGS OUT [--threads N]

LOGS is a folder of Parquet files as `usage_logs.py` makes them. `scan` writes to OUT, as JSON, what the baseline finds;
`duckdb`, `polars` and `pandas` write a cube, Parquet with the columns of `CUBE`. `digest` reads the cube at LOGS, or
the cubes of the store at LOGS, and writes what it comes to; it is not measured.

Only mtok looks at what is in the rows: a negative count or a timestamp without zone passes through the others. A sum
of 64-bit integers wraps silently in Polars and pandas; `unsafe` is how one would notice.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

CUBE: Final = ("day", "model_permaslug", "rows", "prompt_tokens", "completion_tokens", "tokens_max")
OUT_OF_MEMORY: Final = 75
"""The exit status of a contestant that was refused memory."""
SOURCE: Final = "bench"

SCAN: Final = """
SELECT min(day) AS first, max(day) AS last, sum(prompt_tokens + completion_tokens) AS tokens,
  count(DISTINCT model_permaslug) AS models
FROM read_parquet($files, hive_partitioning = false)
"""
GROUP: Final = """
COPY (
  SELECT day, model_permaslug, count(*) AS rows, CAST(sum(prompt_tokens) AS BIGINT) AS prompt_tokens,
    CAST(sum(completion_tokens) AS BIGINT) AS completion_tokens, max(prompt_tokens + completion_tokens) AS tokens_max
  FROM read_parquet([{files}], hive_partitioning = false)
  GROUP BY day, model_permaslug
) TO '{out}' (FORMAT parquet)
"""


def files_of(logs: Path) -> list[str]:
    """Return the files of the logs by name, hence by day."""
    return [str(path) for path in sorted(logs.rglob("*.parquet"))]


def scan(logs: Path, out: Path, threads: int) -> None:
    """Read the four columns once and write four figures: what reading the data costs, without grouping it."""
    import duckdb

    connection = duckdb.connect(config={"threads": threads})
    found = connection.execute(SCAN, {"files": files_of(logs)}).fetchone()
    assert found
    out.write_text(json.dumps(dict(zip(("first", "last", "tokens", "models"), map(int, found), strict=True))))


def by_duckdb(logs: Path, out: Path, threads: int) -> None:
    """Reduce with one statement and nothing around it."""
    import duckdb

    connection = duckdb.connect(config={"threads": threads})
    listed = ", ".join("'" + path.replace("'", "''") + "'" for path in files_of(logs))
    connection.execute(GROUP.format(files=listed, out=str(out).replace("'", "''")))


def by_polars(logs: Path, out: Path, threads: int) -> None:
    """Reduce with the streaming engine."""
    import os

    os.environ["POLARS_MAX_THREADS"] = str(threads)  # read when it is imported
    import polars as pl

    prompt, completion = pl.col("prompt_tokens"), pl.col("completion_tokens")
    cube = (
        pl.scan_parquet(files_of(logs), hive_partitioning=False)
        .group_by("day", "model_permaslug")
        .agg(
            pl.len().cast(pl.Int64).alias("rows"),
            prompt.sum(),
            completion.sum(),
            (prompt + completion).max().alias("tokens_max"),
        )
        .collect(engine="streaming")
    )
    unsafe(cube["rows"].max(), cube["tokens_max"].max())
    cube.write_parquet(out)


def by_pandas(logs: Path, out: Path, threads: int) -> None:  # noqa: ARG001  (pandas groups in one thread)
    """Read everything into memory and group it."""
    import pandas as pd

    rows = pd.concat([pd.read_parquet(path, partitioning=None) for path in files_of(logs)], ignore_index=True)
    rows["tokens"] = rows["prompt_tokens"] + rows["completion_tokens"]
    grouped = rows.groupby(["day", "model_permaslug"])
    cube = grouped.agg(
        rows=("tokens", "size"),
        prompt_tokens=("prompt_tokens", "sum"),
        completion_tokens=("completion_tokens", "sum"),
        tokens_max=("tokens", "max"),
    ).reset_index()
    unsafe(cube["rows"].max(), cube["tokens_max"].max())
    cube.to_parquet(out)


def unsafe(rows_max: Any, tokens_max: Any) -> None:
    """Exit when some sum of that many rows of at most that many tokens could have wrapped."""
    if int(rows_max) * int(tokens_max) >= 2**63:
        sys.exit(f"{rows_max} rows of up to {tokens_max} tokens: a sum may have wrapped")


def digest(cube: Path, out: Path, threads: int) -> None:  # noqa: ARG001
    """Write what a cube comes to: the sha256 of its lines in order, and the figures of `scan`."""
    cells = list(cells_of_store(cube) if cube.is_dir() else cells_of_parquet(cube))
    lines = sorted(",".join(map(str, cell)) for cell in cells)
    found = {
        "digest": hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest(),
        "rows": sum(cell[2] for cell in cells),
        "first": min(cell[0] for cell in cells),
        "last": max(cell[0] for cell in cells),
        "tokens": sum(cell[3] + cell[4] for cell in cells),
        "models": len({cell[1] for cell in cells}),
    }
    out.write_text(json.dumps(found))


def cells_of_parquet(path: Path) -> Iterable[tuple[Any, ...]]:
    """Return the cells of a cube that a contestant wrote."""
    import pyarrow.parquet as pq

    table = pq.read_table(path, columns=list(CUBE))
    return zip(*(table[name].to_pylist() for name in CUBE), strict=True)


def cells_of_store(store: Path) -> Iterator[tuple[Any, ...]]:
    """Yield the cells of the latest cube of each day of SOURCE in a store."""
    from mtok.archive import KIND_USAGE, Store
    from mtok.calendar import parse_date
    from mtok.observations.usage import read_cube

    opened = Store.open(store)
    latest: dict[str | None, str] = {}
    for capture in sorted(opened.register.read(), key=lambda one: one.instant):
        if capture.kind == KIND_USAGE and capture.volume_source == SOURCE:
            latest[capture.subject] = capture.sha256
    for sha256 in latest.values():
        cube = read_cube(opened.objects.get(sha256))
        for model, *figures in cube.models:
            yield parse_date(cube.date), model, *map(int, figures)


CONTESTANTS: Final = {
    "scan": scan,
    "duckdb": by_duckdb,
    "polars": by_polars,
    "pandas": by_pandas,
    "digest": digest,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("contestant", choices=CONTESTANTS)
    parser.add_argument("logs", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    try:
        CONTESTANTS[options.contestant](options.logs, options.out, options.threads)
    except MemoryError as error:
        print(f"out of memory: {error}", file=sys.stderr)
        sys.exit(OUT_OF_MEMORY)


if __name__ == "__main__":
    main()
