"""What every engine does, held against DuckDB; the same of Spark is in tests/test_spark.py."""

from __future__ import annotations

import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import CopyStore
from mtok.archive import Store
from mtok.canonical import sha256_hex
from mtok.day import determine_days
from mtok.engine import EmbeddedEngine, Engine, open_engine
from mtok.engine.interface import memory_bytes
from mtok.errors import BadCall, BadInput, EnvironmentFailed

Opened = Callable[[], Engine]

OVERFLOWS = [
    "SELECT CAST(a AS DECIMAL(38, 0)) * CAST(a AS DECIMAL(38, 0)) * CAST(a AS DECIMAL(38, 0)) AS x FROM wide",
    "SELECT SUM(CAST(a AS DECIMAL(38, 0)) * CAST(b AS DECIMAL(38, 0))) AS x FROM wide",
    "SELECT CAST(SUM(CAST(a AS DECIMAL(38, 0))) AS DECIMAL(19, 0)) AS x FROM wide",
    "SELECT a + CAST(1 AS BIGINT) AS x FROM wide",
    "SELECT CAST(CAST(a AS DECIMAL(38, 0)) * CAST(10 AS DECIMAL(38, 0)) AS BIGINT) AS x FROM wide",
]
"""Products, sums and casts that no type of theirs holds; 2**63 - 1 squared is 38 digits long."""

TYPES = {"i": "INTEGER", "b": "BIGINT", "d": "DECIMAL(38, 0)", "t": "VARCHAR", "f": "BOOLEAN"}
ROWS = [
    (1, 2**63 - 1, Decimal(10**38 - 1), "é\u0000 '", True),
    (-(2**31), -(2**63), Decimal(-(10**38) + 1), "", False),
    (None, None, None, None, None),
]


def wide(engine: Engine) -> None:
    """Make the table the overflows read."""
    engine.table("wide", {"a": "BIGINT", "b": "BIGINT"}, [(2**63 - 1, 2**63 - 1)] * 2)


def answers_of(engine: Engine, folder: Path) -> list[object]:
    """Return what an engine answers to every kind of question, so that two can be compared."""
    engine.table("given", TYPES, ROWS)
    engine.table("empty", TYPES, [])
    engine.query(
        "doubled", "SELECT i, CAST(i AS DECIMAL(38, 0)) * CAST(2 AS DECIMAL(38, 0)) AS twice FROM given"
    )
    engine.query("doubled", "SELECT twice FROM doubled WHERE i > 0")
    inside = folder / "day=9" / "a b é#%20 {x}"
    inside.mkdir(parents=True)
    instants = [0, 86_399_999_999, 86_400_000_000, 1_777_573_800_000_000]
    columns = {
        "ts": pa.array(instants, pa.timestamp("us", "UTC")),
        "day": pa.array([0, 0, 1, 20573], pa.int32()),
    }
    pq.write_table(pa.table(columns), inside / "part.parquet")
    held = engine.scan({"ts": "TIMESTAMPTZ", "day": "INTEGER"}, [str(inside / "part.parquet")])
    nothing = engine.scan(TYPES, [])
    return [
        sorted(engine.rows("SELECT i, b, d, t, f FROM given"), key=repr),
        engine.rows("SELECT i, b, d, t, f FROM empty"),
        engine.records("doubled"),
        engine.rows("SELECT i FROM given ORDER BY i"),
        engine.rows("SELECT i FROM given ORDER BY i DESC"),
        engine.rows("SELECT LENGTH(t), SUBSTRING(t, 1, 1), POSITION('é' IN t) FROM given WHERE i = 1"),
        engine.rows(f"SELECT day, {engine.utc_day('ts')} AS computed FROM {held} ORDER BY day, computed"),
        engine.rows(f"SELECT COUNT(b) AS n, SUM(d) AS s FROM {nothing}"),
        engine.rows("SELECT COUNT(1) AS n, MAX(t) AS latest, SUM(d) AS total FROM given"),
    ]


def test_duckdb_answers_as_it_should(tmp_path: Path) -> None:
    with EmbeddedEngine() as engine:
        given, empty, doubled, ascending, descending, text, days, nothing, summed = answers_of(
            engine, tmp_path
        )
    assert given == sorted(ROWS, key=repr)
    assert (empty, doubled) == ([], [{"twice": Decimal(2)}])
    assert (ascending, descending) == ([(-(2**31),), (1,), (None,)], [(1,), (-(2**31),), (None,)])
    assert text == [(4, "é", 1)]
    assert days == [(0, 0), (0, 0), (1, 1), (20573, 20573)]
    assert (nothing, summed) == ([(0, None)], [(3, "é\u0000 '", Decimal(0))])


@pytest.mark.parametrize("text", OVERFLOWS)
def test_an_overflow_is_an_error(text: str) -> None:
    with EmbeddedEngine() as engine:
        wide(engine)
        with pytest.raises(BadInput) as refused:
            engine.query("x", text)
        assert refused.value.code == "overflow"
        with pytest.raises(BadInput):
            engine.rows(text)


def records_of(store: Store) -> dict[str, str]:
    """Return the digest of every file of records."""
    folder = store.path / "determinations"
    return {
        str(path.relative_to(folder)): sha256_hex(path.read_bytes())
        for path in sorted(folder.rglob("*.jsonl"))
    }


@pytest.fixture(scope="module")
def sample_records(collected_sample: CopyStore, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    store = collected_sample(tmp_path_factory.mktemp("sample") / "store")
    determine_days(store)
    return records_of(store)


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_threads_and_a_memory_limit_change_no_byte(
    threads: int, collected_sample: CopyStore, sample_records: dict[str, str], tmp_path: Path
) -> None:
    store = collected_sample(tmp_path / "store")
    with open_engine("duckdb", threads=threads, memory="512MB") as engine:
        determine_days(store, engine=engine)
    assert records_of(store) == sample_records


def test_what_does_not_fit_is_spilled_and_the_folder_goes_with_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight million texts that are all different take more than 64 MB to group; what they add up to is known."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    many = "SELECT CAST(n AS VARCHAR) || 'x' AS t, n FROM range(8000000) AS r(n)"
    with EmbeddedEngine(2, "160MB") as engine:
        engine.query(
            "grouped", f"SELECT t, SUM(CAST(n AS DECIMAL(38, 0))) AS n FROM ({many}) AS m GROUP BY t"
        )
        assert [path.name[:12] for path in tmp_path.iterdir()] == ["mtok-engine-"]
        assert any(path.is_file() for path in tmp_path.rglob("*"))
        [(count, total)] = engine.rows("SELECT COUNT(1) AS n, SUM(n) AS s FROM grouped")
    assert (count, total) == (8_000_000, Decimal(8_000_000 * 7_999_999 // 2))
    assert not list(tmp_path.iterdir())


def test_more_than_the_limit_says_which_and_what_to_do() -> None:
    with EmbeddedEngine(1, "64MB") as engine, pytest.raises(EnvironmentFailed) as refused:
        engine.rows("SELECT list(n) AS every FROM range(100000000) AS r(n)")
    assert refused.value.code == "memory_exhausted"
    assert "64MB" in refused.value.found
    assert "--memory" in refused.value.remedy


@pytest.mark.parametrize(
    ("text", "size"),
    [("64MB", 64 * 10**6), ("512mb", 512 * 10**6), (" 4 GB ", 4 * 10**9), ("2GiB", 2**31), ("1TiB", 2**40)],
)
def test_sizes_of_memory(text: str, size: int) -> None:
    assert memory_bytes(text) == size


@pytest.mark.parametrize(
    "text", ["", "lots", "512", "512M", "-1GB", "1.5GB", "63MB", "1KB", "100%", "٣GB", "99999999GB"]
)
def test_what_is_no_size_of_memory(text: str) -> None:
    with pytest.raises(BadCall) as refused:
        EmbeddedEngine(memory=text or " ")
    assert refused.value.code == "memory_unreadable"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"name": "polars"}, "engine_unknown"),
        ({"name": "duckdb", "master": "local[2]"}, "engine_options"),
        ({"name": "spark", "master": "local[2]", "threads": 2}, "engine_options"),
    ],
)
def test_options_that_do_not_go_together(options: dict[str, str], code: str) -> None:
    with pytest.raises(BadCall) as refused:
        open_engine(**options)  # type: ignore[arg-type]
    assert refused.value.code == code


@pytest.mark.parametrize("package", ["pyspark", "sqlglot"])
def test_without_the_extra_it_says_what_to_install(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    for name in [name for name in sys.modules if name.startswith((f"{package}.", "mtok.engine.spark"))]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(BadCall) as refused:
        open_engine("spark")
    assert refused.value.code == "extra_missing"
    assert "mtok[spark]" in refused.value.remedy
