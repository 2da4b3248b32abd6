"""Made-up request logs and the benchmark on them: the same bytes for the same seed, and a wrong cube never passes."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mtok.calendar import DAY, format_date, parse_date
from mtok.canonical import sha256_hex
from mtok.methodology import load
from mtok.observations.models import decode_models
from mtok.observations.slugs import split_slug

SCRIPTS = Path(__file__).parents[1] / "scripts"
ROWS, DAYS = 20_000, 30
FIRST, LAST = parse_date("2026-06-01"), parse_date("2026-06-30")


def make(folder: Path, *more: str) -> Path:
    """Make the logs of ROWS requests."""
    script = [sys.executable, str(SCRIPTS / "usage_logs.py"), str(folder), str(ROWS), "--days", str(DAYS)]
    subprocess.run([*script, *more], check=True, capture_output=True)
    return folder


def sums(folder: Path) -> dict[str, str]:
    """Return the sha256 of every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): sha256_hex(path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("logs"))


@pytest.fixture(scope="module")
def tables(logs: Path) -> dict[int, pa.Table]:
    """The requests of each day, by day."""
    return {
        parse_date(path.parent.name.removeprefix("day=")): pq.read_table(path, partitioning=None)
        for path in sorted((logs / "usage").rglob("*.parquet"))
    }


@pytest.fixture(scope="module")
def rows(tables: dict[int, pa.Table]) -> list[dict[str, Any]]:
    return [row for table in tables.values() for row in table.to_pylist()]


# ---- the logs


@pytest.mark.parametrize("workers", ["1", "3"])
def test_the_same_seed_and_size_are_the_same_bytes(logs: Path, tmp_path: Path, workers: str) -> None:
    assert sums(make(tmp_path / "again", "--workers", workers)) == sums(logs)


def test_another_seed_is_another_market(logs: Path, tmp_path: Path) -> None:
    one, other = sums(logs), sums(make(tmp_path / "other", "--seed", "2"))
    assert one.keys() == other.keys()
    assert not set(one.values()) & set(other.values())


def test_columns_are_those_of_usage_logs(tables: dict[int, pa.Table]) -> None:
    assert tables[LAST].schema.equals(
        pa.schema(
            {
                "ts": pa.timestamp("us", "UTC"),
                "day": pa.int32(),
                "model_permaslug": pa.string(),
                "provider": pa.string(),
                "prompt_tokens": pa.int64(),
                "completion_tokens": pa.int64(),
            }
        )
    )


def test_every_request_is_there_in_order_of_time_on_its_day(tables: dict[int, pa.Table]) -> None:
    assert sum(table.num_rows for table in tables.values()) == ROWS
    for day, table in tables.items():
        instants = table["ts"].cast(pa.int64()).to_pylist()
        assert instants == sorted(instants)
        assert {instant // DAY for instant in instants} == set(table["day"].to_pylist()) == {day}


def test_a_day_has_no_requests_and_another_no_prices(logs: Path, tables: dict[int, pa.Table]) -> None:
    assert set(range(FIRST, LAST + 1)) - set(tables) == {FIRST + 13}
    posted = {path.name[:10] for path in (logs / "models").iterdir()}
    assert {format_date(day) for day in range(FIRST, LAST + 3)} - posted == {format_date(FIRST + 17)}


def test_the_day_after_is_a_partition_of_its_own(logs: Path) -> None:
    (path,) = (logs / "next").rglob("*.parquet")
    assert path.parent.name == "day=2026-07-01"
    table = pq.read_table(path, partitioning=None)
    assert set(table["day"].to_pylist()) == {LAST + 1}
    assert table.num_rows == ROWS // DAYS


def test_models_are_named_by_the_grammar_and_belong_to_each_series(rows: list[dict[str, Any]]) -> None:
    slugs = {row["model_permaslug"] for row in rows}
    split = [split_slug(slug) for slug in slugs]
    assert len(slugs) > 300
    for series in load("1.0").series:
        assert any(
            one and one.author == series.author and one.name.startswith(series.name_prefix) for one in split
        )
    assert sum(1 for one in split if one and one.variant == "free") > 10
    assert all(split)


def test_requests_follow_zipfs_law(rows: list[dict[str, Any]]) -> None:
    """The first of 400 models has 1 of 1 + 1/2 + … + 1/400 = 6.57, more while others pause or have not begun."""
    first = sum(row["model_permaslug"] == "anthropic/model-001" for row in rows)
    fiftieth = sum(row["model_permaslug"] == "z-ai/model-049" for row in rows)
    assert 0.05 < first / ROWS < 0.15
    assert 10 < first / fiftieth < 60


def test_a_model_pauses(rows: list[dict[str, Any]]) -> None:
    """Of the models that have a request nearly every day, some are without for a week."""
    days: dict[str, set[int]] = {}
    for row in rows:
        days.setdefault(row["model_permaslug"], set()).add(row["day"])
    frequent = [seen for seen in days.values() if max(seen) - min(seen) > 25 and len(seen) > 15]
    assert any(
        max(b - a for a, b in zip(sorted(seen), sorted(seen)[1:], strict=False)) > 7 for seen in frequent
    )


def test_some_requests_are_there_twice(tables: dict[int, pa.Table]) -> None:
    for table in tables.values():
        listed = [tuple(row.values()) for row in table.to_pylist()]
        assert len(set(listed)) < len(listed)


def test_completion_tokens_do_not_follow_prompt_tokens(rows: list[dict[str, Any]]) -> None:
    prompt: dict[str, int] = {}
    completion: dict[str, int] = {}
    for row in rows:
        slug = row["model_permaslug"]
        prompt[slug] = prompt.get(slug, 0) + row["prompt_tokens"]
        completion[slug] = completion.get(slug, 0) + row["completion_tokens"]
    ratios = [completion[slug] / prompt[slug] for slug in prompt if slug.startswith("openai/")]
    assert max(ratios) > 3 * min(ratios)
    assert all(row["prompt_tokens"] > 0 and row["completion_tokens"] >= 0 for row in rows)


def test_prices_change_and_some_are_free_dynamic_or_missing(logs: Path, rows: list[dict[str, Any]]) -> None:
    seen: dict[str, set[int]] = {}
    reasons: dict[str, set[str]] = {}
    for path in (logs / "models").iterdir():
        models = decode_models(path.read_bytes())
        ids = {row.ordinal: row.id for row in models.catalogue}
        for price in models.prices:
            if price.dimension == "completion" and price.price is not None:
                seen.setdefault(ids[price.ordinal], set()).add(price.price)
            elif price.reason:
                reasons.setdefault(price.reason, set()).add(ids[price.ordinal])
    assert sum(len(prices) > 1 for prices in seen.values()) > 50
    assert {slug for slug, prices in seen.items() if prices == {0}} == {
        slug for slug in seen if slug.endswith(":free")
    }
    assert reasons.keys() == {"price_dynamic"}
    assert reasons["price_dynamic"] & {f"qwen/model-{rank}" for rank in ("045", "145", "245", "345")}
    asked_for = {row["model_permaslug"] for row in rows}
    assert "deepseek/model-064" in asked_for - set(seen)


# ---- the benchmark


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    yield importlib.import_module("bench_scale")
    for name in ("bench_scale", "bench"):
        sys.modules.pop(name, None)


BARE = ["scan", "duckdb", "polars", "pandas"]


def bench(harness: Any, logs: Path, scratch: Path, **more: Any) -> Any:
    return harness.Bench(logs=logs, scratch=scratch, rows=ROWS, threads=2, **more)


def test_all_contestants_find_the_same_cube(harness: Any, logs: Path, tmp_path: Path) -> None:
    table = harness.race(here := bench(harness, logs, tmp_path), BARE, 2)
    found = list(harness.lines(here, table))
    assert [one["contestant"] for one in found] == [
        "scan (baseline)",
        "DuckDB, bare GROUP BY",
        "Polars, streaming",
        "pandas, naive",
    ]
    assert len({one["digest"] for one in found[1:]}) == 1
    assert all(one["cpu_s"] > 0 and one["peak_mb"] > 20 and one["rounds"] == 2 for one in found)
    text = list(harness.shown(found))
    assert len(text) == 2 + len(found)
    assert found[1]["digest"][:8] in text[3]


def test_mtok_finds_it_too_and_one_more_day_is_added(harness: Any, logs: Path, tmp_path: Path) -> None:
    table = harness.race(here := bench(harness, logs, tmp_path), ["scan", "duckdb", "mtok"], 1)
    by_name = {one["contestant"]: one for one in harness.lines(here, table)}
    assert by_name["mtok import usage"]["digest"] == by_name["DuckDB, bare GROUP BY"]["digest"]
    assert by_name["mtok determine"]["note"] != f"records {sha256_hex(b'')[:8]}"
    assert by_name["mtok, one more day"]["note"].endswith("% of both on all")


@pytest.mark.parametrize(
    ("right", "wrong", "names"),
    [
        ("            prompt.sum(),", "            prompt.sum() + 1,", ["duckdb", "polars"]),
        ('"completion_tokens", "sum"', '"completion_tokens", "max"', ["duckdb", "pandas"]),
        ("  GROUP BY day, model_permaslug", "  WHERE provider <> 'provider-07' GROUP BY ALL", ["duckdb"]),
        (
            "sum(prompt_tokens + completion_tokens) AS tokens",
            "sum(prompt_tokens) AS tokens",
            ["scan", "duckdb"],
        ),
        ("(prompt + completion).max()", "completion.max()", ["polars", "duckdb"]),
    ],
)
def test_a_wrong_sum_fails_the_run(
    harness: Any, logs: Path, tmp_path: Path, right: str, wrong: str, names: list[str]
) -> None:
    source = (SCRIPTS / "scale_contestants.py").read_text("utf-8")
    assert right in source
    seeded = tmp_path / "seeded.py"
    seeded.write_text(source.replace(right, wrong), "utf-8")
    with pytest.raises(harness.Wrong, match="found"):
        harness.race(bench(harness, logs, tmp_path, contestants=seeded), names, 1)


def test_what_a_limit_stops_is_a_row_that_says_so(
    harness: Any, logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeping = [sys.executable, "-c", "import time; time.sleep(60)"]

    def slow(here: Any) -> Iterator[Any]:
        yield harness.Run("Polars, streaming", harness.measured(sleeping, here.scratch, seconds=0.3))

    monkeypatch.setitem(harness.ALL, "polars", slow)
    here = bench(harness, logs, tmp_path)
    text = list(harness.shown(list(harness.lines(here, harness.race(here, ["scan", "polars", "duckdb"], 2)))))
    assert [line.split(",")[0].split("  ")[0] for line in text[2:]] == ["scan (baseline)", "Polars", "DuckDB"]
    assert text[3].endswith("not done in 0.3 s")


def test_refused_memory_is_told_from_a_failure(harness: Any, tmp_path: Path) -> None:
    script = [sys.executable, str(SCRIPTS / "scale_contestants.py"), "digest", "nowhere", "out"]
    with pytest.raises(harness.Wrong, match="FileNotFoundError"):
        harness.measured(script, tmp_path)
    greedy = "try:\n  bytearray(2**32)\nexcept MemoryError:\n  raise SystemExit(75)"
    with pytest.raises(harness.NotDone, match="out of memory under 1 GB"):
        harness.measured([sys.executable, "-c", greedy], tmp_path, memory=2**30)


COST = """
import sys
sys.path.insert(0, {scripts!r})
import bench_scale
from pathlib import Path
bench_scale._adopt()
burn = "import time\\nwhile time.process_time() < 0.5: pass"
leave = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {{burn!r}}])"
print(bench_scale.measured([sys.executable, "-c", leave], Path({scratch!r})).cpu)
"""


def test_processes_left_behind_count(tmp_path: Path) -> None:
    """As Spark's, which its driver does not wait for."""
    program = COST.format(scripts=str(SCRIPTS), scratch=str(tmp_path))
    found = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert float(found.stdout) > 0.5


@pytest.mark.parametrize("size", ["7M", "10m", "", "1000000"])
def test_other_sizes_are_refused(size: str) -> None:
    found = subprocess.run(
        [sys.executable, str(SCRIPTS / "bench_scale.py"), size], capture_output=True, text=True, check=False
    )
    assert found.returncode == 2
    assert "say one of 1M, 10M, 100M, 1B" in found.stderr


# ---- the plot


def test_slope_and_straight_line_are_those_of_the_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """Costs of 2 s and 3 s a million rows: the line is found; a cost in proportion has slope 1."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    plot = importlib.import_module("plot_scale")
    start, each = plot.straight([(10**exponent, 2 + 3e-6 * 10**exponent) for exponent in (7, 8, 9)])
    assert (start, each) == (pytest.approx(2), pytest.approx(3e-6))
    assert plot.slope([(10**7, 0.5), (10**8, 5.0), (10**9, 50.0)]) == pytest.approx(1)


def test_the_plot_shows_what_was_measured(tmp_path: Path) -> None:
    results, picture = tmp_path / "results.jsonl", tmp_path / "plot.svg"
    rows = [
        {"rows": 10**7, "contestant": "mtok import usage", "cpu_s": 99.0},
        {"rows": 10**7, "contestant": "mtok import usage", "cpu_s": 2.5},
        {"rows": 10**8, "contestant": "mtok import usage", "cpu_s": 7.25},
        {"rows": 10**8, "contestant": "pandas, naive", "cpu_s": None},
    ]
    results.write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = [sys.executable, str(SCRIPTS / "plot_scale.py"), str(results), str(picture)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "mtok import usage: 2.5 s at 10,000,000, 7.2 s at 100,000,000." in picture.read_text("utf-8")
    assert "pandas" not in picture.read_text("utf-8").split("</desc>")[1].split("</style>")[1]
    assert "mtok import usage" in said
