"""The whole rulebook on Spark, byte for byte the records of DuckDB; what Spark refuses, in this program's words."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import CopyStore
from generated import market
from markets import Taken, make_store
from mtok.archive import KIND_MODELS, KIND_RANKINGS, Store
from mtok.calendar import parse_instant
from mtok.day import determine_days
from mtok.engine import EmbeddedEngine, Engine, open_engine
from mtok.errors import BadInput, EnvironmentFailed
from sparks import STARTS_QUICKLY, spark_session
from test_engine import OVERFLOWS, answers_of, records_of, wide

pytestmark = pytest.mark.machine

REACHING_SEEDS = (9, 12, 17, 27)
"""Together they reach every branch of the rules (tests/test_generated_markets.py)."""


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    with spark_session("local[2]") as session:
        yield session


@pytest.fixture
def spark(session: Any) -> Iterator[Engine]:
    from mtok.engine.spark import SparkEngine

    with SparkEngine(session.newSession()) as engine:
        yield engine


def assert_same_records(copied: Callable[[Path], Store], spark: Engine, folder: Path) -> None:
    """Determine two copies of a store, one on each engine, and compare every byte of their records."""
    embedded, transpiled = copied(folder / "embedded"), copied(folder / "transpiled")
    determined = determine_days(embedded)
    assert determine_days(transpiled, engine=spark).records == determined.records > 0
    assert records_of(transpiled) == records_of(embedded) != {}


def test_both_engines_answer_the_same(spark: Engine, tmp_path: Path) -> None:
    with EmbeddedEngine() as embedded:
        wanted = answers_of(embedded, tmp_path / "embedded")
    found = answers_of(spark, tmp_path / "spark")
    assert found == wanted
    assert repr(found) == repr(wanted)  # 2 and Decimal(2) are equal, and not the same


@pytest.mark.parametrize("text", OVERFLOWS)
def test_an_overflow_is_an_error(text: str, spark: Engine) -> None:
    wide(spark)
    for ask in (spark.rows, lambda text: spark.query("x", text)):
        with pytest.raises(BadInput) as refused:
            ask(text)
        assert refused.value.code == "overflow"


@pytest.mark.parametrize(
    ("setting", "value"),
    [("spark.sql.ansi.enabled", "false"), ("spark.sql.session.timeZone", "Asia/Kolkata")],
)
def test_a_session_of_other_settings_is_refused(setting: str, value: str, session: Any) -> None:
    from mtok.engine.spark import SparkEngine

    other = session.newSession()
    other.conf.set(setting, value)
    with pytest.raises(EnvironmentFailed) as refused:
        SparkEngine(other)
    assert refused.value.code == "spark_settings"
    assert setting in refused.value.found
    assert value in refused.value.found


def test_without_ansi_mode_a_sum_would_leave_out_what_overflows(session: Any) -> None:
    """Why it is refused: the same question, and an answer that is a number less."""
    other = session.newSession()
    other.conf.set("spark.sql.ansi.enabled", "false")
    term = "CAST(10000000000000000000 AS DECIMAL(38, 0))"
    text = f"SELECT SUM(x) AS s FROM (SELECT {term} * {term} AS x UNION ALL SELECT CAST(1 AS DECIMAL(38, 0)))"
    assert [int(row.s) for row in other.sql(text).collect()] == [1]


@pytest.mark.parametrize("damage", ["missing", "truncated", "no Parquet"])
def test_a_file_that_cannot_be_read(damage: str, spark: Engine, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"n": list(range(1000))}), path)
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-100] if damage == "truncated" else b"n\n1\n")
    with pytest.raises(EnvironmentFailed) as refused:
        spark.rows(f"SELECT n FROM {spark.scan({'n': 'BIGINT'}, [str(path)])}")
    assert refused.value.code == "observations_unreadable"


def test_what_is_no_master(session: Any) -> None:
    """A session is open already, and another master is not had beside it."""
    with pytest.raises(EnvironmentFailed) as refused:
        open_engine("spark", master="local[1]")
    assert refused.value.code == "spark_settings"


def test_the_bundled_sample(collected_sample: CopyStore, spark: Engine, tmp_path: Path) -> None:
    assert_same_records(collected_sample, spark, tmp_path)


def test_recorded_days(recordings: Path, spark: Engine, tmp_path: Path) -> None:
    """All volumes and the prices of twelve days: one that changed inside a day, and a day without any."""
    taken = []
    for kind in (KIND_MODELS, KIND_RANKINGS):
        for path in sorted((recordings / kind).glob("*.json.gz")):
            name = path.name
            instant = parse_instant(f"{name[:13]}:{name[13:15]}:{name[15:17]}Z")
            if kind == KIND_RANKINGS or name[:10] <= "2026-06-01":
                taken.append(Taken(kind=kind, instant=instant, raw=gzip.decompress(path.read_bytes())))
    assert_same_records(lambda path: make_store(path, taken), spark, tmp_path)


@pytest.mark.parametrize("seed", REACHING_SEEDS)
def test_markets_that_reach_every_branch(seed: int, spark: Engine, tmp_path: Path) -> None:
    assert_same_records(lambda path: make_store(path, market(seed)), spark, tmp_path)


@given(st.integers(min_value=max(REACHING_SEEDS) + 1, max_value=2**32))
@settings(deadline=None, max_examples=1, suppress_health_check=list(HealthCheck))
def test_generated_markets(session: Any, tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    from mtok.engine.spark import SparkEngine

    with SparkEngine(session.newSession()) as spark:
        folder = tmp_path_factory.mktemp("market")
        assert_same_records(lambda path: make_store(path, market(seed)), spark, folder)


def test_the_command_keeps_standard_output_for_its_answer(
    collected_sample: CopyStore, tmp_path: Path
) -> None:
    store = collected_sample(tmp_path / "store")
    determine_days(store)
    here = tmp_path / "here"
    here.mkdir()
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mtok",
            "determine",
            "--engine",
            "spark",
            "--threads",
            "1",
            "--json",
            "--store",
            store.path,
        ],
        cwd=here,
        env=os.environ | STARTS_QUICKLY | {"TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("{")
    assert done.stdout.endswith("}\n")
    assert "WARN" not in done.stderr.replace("WARNING: Using incubator modules", "")
    assert not list(here.iterdir())
    assert not [path for path in temporary.iterdir() if path.name.startswith("mtok-engine-")]


def test_without_java_it_says_what_to_install(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("bash", "dirname", "env", "ps", "cat", "tput", "uname"):
        for folder in ("/bin", "/usr/bin"):
            if (path := Path(folder) / name).exists() and not (programs / name).exists():
                (programs / name).symlink_to(path)
    asked = "from mtok.engine import open_engine; open_engine('spark')"
    environment = {name: value for name, value in os.environ.items() if name != "JAVA_HOME"}
    environment |= {"PATH": str(programs), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", asked], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "Install Java 17" in done.stderr
