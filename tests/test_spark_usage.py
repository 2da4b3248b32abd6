"""Usage logs summed on Spark: the cubes of DuckDB to the byte, of the logs of the benchmark and of bad ones."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from logged import NOW, Request, captures, imported, requests, write_csv, write_parquet
from mtok.archive import Store
from mtok.engine import Engine
from mtok.usage import UsageReport
from sparks import spark_session
from test_usage_faults import DATED, GOOD, UNDATED

pytestmark = pytest.mark.machine

GENERATOR = Path(__file__).parents[1] / "scripts" / "usage_logs.py"
MASTER = "local-cluster[2,1,1024]"


@pytest.fixture(scope="module")
def spark() -> Iterator[Engine]:
    from mtok.engine.spark import SparkEngine

    with spark_session(MASTER) as session, SparkEngine(session.newSession()) as engine:
        yield engine


def both(spark: Engine, address: Path, tmp_path: Path, now: str = NOW) -> UsageReport:
    """Import on either engine, compare everything that was found and kept, and return the report."""
    found = []
    for name, engine in (("duckdb", None), ("spark", spark)):
        store = Store.create(tmp_path / name)
        report = imported(store, address, engine=engine, now=now, rejected_max=Fraction(1, 2))
        found.append((report, [store.objects.get(one.sha256) for one in store.register.read()]))
    assert found[0] == found[1]
    return found[0][0]


def test_the_logs_of_the_benchmark(spark: Engine, tmp_path: Path) -> None:
    logs = [str(tmp_path / "logs"), "200000", "--days", "20", "--workers", "1"]
    subprocess.run([sys.executable, str(GENERATOR), *logs], check=True, capture_output=True)
    report = both(spark, tmp_path / "logs", tmp_path, now="2026-11-01T00:00:00Z")
    assert report.sound
    assert sum(day.rows for day in report.days) > 190_000


def test_shuffled_files_of_instants_alone(spark: Engine, tmp_path: Path) -> None:
    """No column `day`: the day of each instant is found by each engine in its own way."""
    random = Random(1)
    edges = ["2026-06-20T00:00:00Z", "2026-06-20T23:59:59.999999Z", "2026-06-21T00:00:00Z"]
    rows = [Request(random.choice(edges), "qwen/qwen3-max", random.randrange(10**6), 5) for _ in range(500)]
    for part in range(3):
        write_parquet(tmp_path / "logs" / f"{part}.parquet", rows[part::3], day=False, row_group_size=50)
    assert [day.date for day in both(spark, tmp_path / "logs", tmp_path).days] == ["2026-06-20", "2026-06-21"]


@pytest.mark.parametrize("form", ["csv", "parquet of texts", "typed"])
def test_bad_rows_have_the_same_reasons(spark: Engine, tmp_path: Path, form: str) -> None:
    bad = [row for rows in (*DATED.values(), *UNDATED.values()) for row in rows]
    rows = [*GOOD, *GOOD, *bad]
    if form == "typed":
        rows = [
            *GOOD,
            Request("2026-06-20T12:00:00Z", "a/b", -1, 10**15 + 1),
            Request("1960-01-01T00:00:00Z", "a/b", 1, 1),
            Request("2026-06-26T00:00:00Z", "a/b", 1, 1),
            Request(None, "a/b", 1, None),
        ]
        write_parquet(tmp_path / "a.parquet", rows, day=False)
    elif form == "csv":
        write_csv(tmp_path / "a.csv", rows)
    else:
        names = ("ts", "model_permaslug", "prompt_tokens", "completion_tokens")
        columns = [
            [None if cell is None else str(cell) for cell in column] for column in zip(*rows, strict=True)
        ]
        pq.write_table(pa.table(dict(zip(names, columns, strict=True))), tmp_path / "a.parquet")
    report = both(spark, tmp_path / ("a.csv" if form == "csv" else "a.parquet"), tmp_path)
    reasons = {reason: one.rows for reason, one in report.rejected.items()}
    if form != "typed":
        assert reasons == {reason: len(found) for reason, found in (DATED | UNDATED).items()}
    assert reasons["ts_range"] == 2


def test_late_files_and_damaged_ones(spark: Engine, tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store")
    write_parquet(tmp_path / "logs" / "day=2026-06-20" / "a.parquet", GOOD)
    imported(store, tmp_path / "logs", engine=spark)
    write_parquet(tmp_path / "logs" / "day=2026-06-20" / "b.parquet", requests("2026-06-20", ("a/b", 1, 2)))
    damaged = write_parquet(
        tmp_path / "logs" / "day=2026-06-21" / "c.parquet", requests("2026-06-21", ("a/b", 1, 2))
    )
    raw = bytearray(damaged.read_bytes())
    raw[4 : len(raw) // 3] = bytes(len(raw) // 3 - 4)
    damaged.write_bytes(raw)
    report = imported(store, tmp_path / "logs", engine=spark, now="2026-06-26T00:00:00Z")
    assert [(day.date, day.outcome, day.version, day.code) for day in report.days] == [
        ("2026-06-20", "changed", 2, None),
        ("2026-06-21", "refused", 0, "usage_unreadable"),
    ]
    assert len(captures(store, "2026-06-20")) == 2
