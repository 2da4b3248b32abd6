"""Spark killed (SIGKILL) in the middle of an import of usage logs: a worker, its driver, and the program itself.

The run finishes or fails, the store is never half written, and the next run ends with the cubes nobody interrupted.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mtok.archive import Store
from mtok.calendar import DAY, parse_date
from sparks import STARTS_QUICKLY, missing

pytestmark = pytest.mark.machine

MASTER = "local-cluster[2,1,1024]"
DAYS = ("2026-06-01", "2026-06-02", "2026-06-03")
ROWS_A_FILE = 200_000
WITHIN_SECONDS = 240


def command(logs: Path, store: Path, *options: str) -> list[str]:
    """Return the call that imports the logs."""
    return [
        *(sys.executable, "-m", "mtok", "import", "usage", str(logs), "--source", "acme"),
        *("--store", str(store), "--json", *options),
    ]


def cubes(answer: str) -> dict[str, str]:
    """Return the digest of each day's cube in force, as the command tells it."""
    return {day["date"]: day["sha256"] for day in json.loads(answer)["days"]}


def assert_whole(path: Path) -> None:
    """Open a store and read every object its register names: their digests are looked at in passing."""
    store = Store.open(path)
    for capture in store.register.read():
        assert store.objects.get(capture.sha256)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two files a day, without a column `day`, so that every instant is looked at."""
    folder, random = tmp_path_factory.mktemp("logs"), Random(7)
    for date in DAYS:
        start = parse_date(date) * DAY
        for part in range(2):
            drawn = [random.randrange(10**6) for _ in range(ROWS_A_FILE)]
            columns = {
                "ts": pa.array([start + number for number in drawn], pa.timestamp("us", "UTC")),
                "model_permaslug": [f"acme/model-{number % 300}" for number in drawn],
                "prompt_tokens": drawn,
                "completion_tokens": [number // 7 for number in drawn],
            }
            pq.write_table(pa.table(columns), folder / f"{date}-{part}.parquet")
    return folder


@pytest.fixture(scope="module")
def wanted(logs: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The cubes of DuckDB, which nobody interrupts."""
    done = subprocess.run(
        command(logs, tmp_path_factory.mktemp("wanted") / "store"), capture_output=True, text=True, check=True
    )
    found = cubes(done.stdout)
    assert sorted(found) == list(DAYS)
    return found


def descendants(pid: int) -> Iterator[tuple[int, str]]:
    """Yield each process that a process has started, itself or through others, with its command line."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
        parents.setdefault(parent, []).append(int(entry.name))
    waiting = [pid]
    while waiting:
        for child in parents.get(waiting.pop(), []):
            waiting.append(child)
            try:
                yield child, (Path("/proc") / str(child) / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue


def executors(pid: int) -> list[int]:
    return [child for child, line in descendants(pid) if "CoarseGrainedExecutorBackend" in line]


def drivers(pid: int) -> list[int]:
    return [child for child, line in descendants(pid) if "org.apache.spark.deploy.SparkSubmit" in line]


def killed_run(logs: Path, store: Path, victims: Callable[[int], list[int]], seconds: float) -> Any:
    """Begin an import on a cluster, kill the first of the victims `seconds` after both workers are there."""
    assert not missing(), f"{missing()} is not here: make test-all installs it"
    running = subprocess.Popen(
        command(logs, store, "--engine", "spark", "--master", MASTER),
        env=os.environ | STARTS_QUICKLY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + WITHIN_SECONDS
    while len(executors(running.pid)) < 2:
        assert running.poll() is None, running.communicate()[1]
        assert time.monotonic() < until, "no workers"
        time.sleep(0.05)
    started = [child for child, _ in descendants(running.pid)]
    time.sleep(seconds)
    chosen = victims(running.pid)
    assert chosen, "it was over before it could be killed"
    os.kill(chosen[0], signal.SIGKILL)
    out, err = running.communicate(timeout=WITHIN_SECONDS)
    while alive := [
        child for child in started if Path(f"/proc/{child}/cmdline").exists() and is_running(child)
    ]:
        assert time.monotonic() < until + 60, f"left behind: {alive}"
        time.sleep(0.1)
    return running.returncode, out, err


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("seconds", [0, 4])
def test_a_worker_killed(seconds: float, logs: Path, wanted: dict[str, str], tmp_path: Path) -> None:
    """Its tasks run again elsewhere: the run finishes, with the same cubes."""
    status, out, err = killed_run(logs, tmp_path / "store", executors, seconds)
    assert_whole(tmp_path / "store")
    assert (status, cubes(out)) == (0, wanted), err


@pytest.mark.parametrize(
    ("victims", "status"), [(drivers, 3), (lambda pid: [pid], -signal.SIGKILL)], ids=["driver", "program"]
)
def test_the_driver_killed(
    victims: Callable[[int], list[int]], status: int, logs: Path, wanted: dict[str, str], tmp_path: Path
) -> None:
    """The run fails and nothing of it remains running; the next one completes."""
    store = tmp_path / "store"
    found, out, err = killed_run(logs, store, victims, 1)
    assert found == status, err
    if status == 3:
        assert json.loads(out)["error"]["code"] == "cluster_failed"
        assert MASTER in err
    if store.exists():
        assert_whole(store)
    done = subprocess.run(command(logs, store), capture_output=True, text=True, check=True)
    assert cubes(done.stdout) == wanted
    assert_whole(store)
