"""What reducing request logs costs, by mtok and by others, against reading the same files once, side by side.

usage: bench_scale.py SIZE [--threads N] [--rounds N] [--keep FOLDER] [--json FILE] [--only NAME …]

SIZE is 1M, 10M, 100M or 1B requests of two years, made first (`usage_logs.py`) or taken from FOLDER/SIZE when they are
there already; without `--keep` they are deleted in the end. The files are read once before anything is measured, so
that all contestants find them in the page cache. Each contestant is a cold process of its own; every round runs all
of them, beginning with another one; medians of the rounds are printed, the ratio being the median of each round's.

The baseline reads the four columns that a daily cube is made of and answers min(day), max(day), the sum of both token
columns and count(DISTINCT model_permaslug). The cubes of all contestants must be equal, and come to what the baseline
found; else the run fails. What does not apply, does not fit in memory or takes too long is a row that says so.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from bench import FIELDS, Cost, copied, mtok

SIZES: Final = {"1M": 10**6, "10M": 10**7, "100M": 10**8, "1B": 10**9}
SOURCE: Final = "bench"
HERE: Final = Path(__file__).parent
CONTESTANTS: Final = HERE / "scale_contestants.py"
SCAN: Final = "scan (baseline)"

SECONDS_MAX: Final = 3_600
"""How long a contestant may take."""
SPARK_ROWS_MAX: Final = 10**8
NAIVE_MEMORY: Final = 16 * 2**30
"""What naive pandas may have, as address space: enough for what it is asked for up to 10M."""

_CAPTURED_AT: Final = "2026-07-02T00:00:00Z"
_NEXT_CAPTURED_AT: Final = "2026-07-03T00:00:00Z"
_OUT_OF_MEMORY: Final = 75
_SUBREAPER: Final = 36


class Wrong(Exception):
    """A contestant failed, or found something else than the others."""


class NotDone(Exception):
    """A contestant was not run, or was stopped by a limit; says why."""


@dataclass(frozen=True)
class Run:
    """One contestant in one round. cost : None where it was not run · cube : what its cube comes to"""

    name: str
    cost: Cost | None
    cube: dict[str, Any] | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Where everything is. logs : folder as `usage_logs.py` makes it · prices : a store that holds the prices alone"""

    logs: Path
    scratch: Path
    rows: int
    threads: int
    contestants: Path = CONTESTANTS

    @property
    def usage(self) -> Path:
        """The folder of the requests."""
        return self.logs / "usage"

    @property
    def prices(self) -> Path:
        """The store that holds the posted prices alone."""
        return self.scratch / "prices"

    def contestant(self, name: str, source: Path, out: Path) -> list[str]:
        """Return the command of a contestant."""
        script, threads = str(self.contestants), str(self.threads)
        return [sys.executable, script, name, str(source), str(out), "--threads", threads]

    def fresh(self, name: str) -> Path:
        """Return a path in the scratch folder where nothing is."""
        path = self.scratch / name
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        return path

    def cube(self, source: Path) -> dict[str, Any]:
        """Return what a cube, or the cubes of a store, come to; a process of its own, unmeasured."""
        out = self.fresh("cube.json")
        measured(self.contestant("digest", source, out), self.scratch)
        found: dict[str, Any] = json.loads(out.read_text())
        return found


def measured(
    command: list[str], scratch: Path, *, seconds: float = SECONDS_MAX, memory: int | None = None
) -> Cost:
    """Run a command to its end, without its output; the cost is that of all its processes, the peak of the largest one.

    memory : bytes of address space a process may have
    Raises NotDone when it takes too long or is refused memory, Wrong when it fails otherwise.
    """
    errors = scratch / "stderr"
    started = os.times().elapsed
    child = os.fork()
    if not child:
        os.setpgid(0, 0)
        if memory:
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        os.execv(command[0], command)
    with suppress(PermissionError):  # it has set it itself by now
        os.setpgid(child, child)
    late = threading.Event()

    def stop() -> None:
        late.set()
        os.killpg(child, signal.SIGKILL)

    timer = threading.Timer(seconds, stop)
    timer.start()
    try:
        status, wall, cost = _reaped(child, started)
    except (
        BaseException
    ):  # its group is not that of the terminal, whose interruption reaches this process alone
        stop()
        raise
    finally:
        timer.cancel()
    if late.is_set():
        raise NotDone(f"not done in {seconds:,} s")
    code = os.waitstatus_to_exitcode(status)
    if code == _OUT_OF_MEMORY:
        raise NotDone(f"out of memory under {(memory or 0) / 2**30:.0f} GB after {wall:.0f} s")
    if code:
        raise Wrong(f"failed ({code}): {' '.join(command)}\n{errors.read_text(errors='replace')[-4_000:]}")
    return cost


def _reaped(child: int, started: float) -> tuple[int, float, Cost]:
    """Wait for all processes of a group, those that others left behind included (`_adopt`)."""
    status, wall, cpu, peak = 0, 0.0, 0.0, 0.0
    while True:
        try:
            ended, how, usage = os.wait4(-child, 0)
        except ChildProcessError:
            return status, wall, Cost(cpu, wall, peak)
        if ended == child:
            status, wall = how, os.times().elapsed - started
        cpu += usage.ru_utime + usage.ru_stime
        peak = max(peak, usage.ru_maxrss / 1024)


def _adopt() -> None:
    """Become the parent of processes whose own one ends before them, so that what they cost is known too."""
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)


# ---- the contestants: each yields what it did in one round


def scan(bench: Bench) -> Iterator[Run]:
    """Yield the baseline."""
    out = bench.fresh("scan")
    cost = measured(bench.contestant("scan", bench.usage, out), bench.scratch)
    yield Run(SCAN, cost, json.loads(out.read_text()))


def bare(
    contestant: str, name: str, memory: int | None = None, note: str = ""
) -> Callable[[Bench], Iterator[Run]]:
    """Return a contestant that writes a cube and does nothing else."""

    def once(bench: Bench) -> Iterator[Run]:
        out = bench.fresh(contestant)
        cost = measured(bench.contestant(contestant, bench.usage, out), bench.scratch, memory=memory)
        yield Run(name, cost, bench.cube(out), note)

    return once


def reduced(bench: Bench) -> Iterator[Run]:
    """Yield the import into a store that holds the prices, the determination, and both after one more day."""
    logs, store = bench.fresh("logs"), bench.fresh("store")
    shutil.copytree(bench.usage, logs, copy_function=os.link)
    _with_prices(bench, store)
    threads = ("--threads", str(bench.threads))
    imported = measured(_import(logs, store, _CAPTURED_AT, *threads), bench.scratch)
    yield Run("mtok import usage", imported, bench.cube(store))
    determine = mtok("determine", "--volume-source", SOURCE, "--store", str(store))
    determined = measured(determine, bench.scratch)
    yield Run("mtok determine", determined, note=f"records {_records(store)[:8]}")
    shutil.copytree(bench.logs / "next", logs, copy_function=os.link, dirs_exist_ok=True)
    more = measured(_import(logs, store, _NEXT_CAPTURED_AT, *threads), bench.scratch)
    anew = measured(determine, bench.scratch)
    _check_next(bench, logs, store)
    share = (more.cpu + anew.cpu) / (imported.cpu + determined.cpu)
    yield Run(
        "mtok, one more day",
        Cost(more.cpu + anew.cpu, more.wall + anew.wall, max(more.peak, anew.peak)),
        note=f"import {more.cpu:.2f} + determine {anew.cpu:.2f} CPU s: {share:.1%} of both on all",
    )


def on_spark(bench: Bench) -> Iterator[Run]:
    """Yield the same import with the reduction on Spark in local mode."""
    name = f"mtok, Spark local[{bench.threads}]"
    if bench.rows > SPARK_ROWS_MAX:
        yield Run(name, None, note="not run above 100M")
        return
    if not find_spec("pyspark") or not shutil.which("java"):
        yield Run(name, None, note="not run: needs pyspark and Java")
        return
    store = bench.fresh("store")
    _with_prices(bench, store)
    spark = ("--engine", "spark", "--master", f"local[{bench.threads}]")
    cost = measured(_import(bench.usage, store, _CAPTURED_AT, *spark), bench.scratch)
    yield Run(name, cost, bench.cube(store))


ALL: Final[dict[str, Callable[[Bench], Iterator[Run]]]] = {
    "scan": scan,
    "duckdb": bare("duckdb", "DuckDB, bare GROUP BY"),
    "mtok": reduced,
    "spark": on_spark,
    "polars": bare("polars", "Polars, streaming"),
    "pandas": bare("pandas", "pandas, naive", NAIVE_MEMORY),
}
NAMES: Final = {"spark": "mtok, Spark", "polars": "Polars, streaming", "pandas": "pandas, naive"}


def _import(logs: Path, store: Path, captured_at: str, *engine: str) -> list[str]:
    where = ("--store", str(store), "--source", SOURCE, "--captured-at", captured_at)
    return mtok("import", "usage", str(logs), *where, *engine)


def _with_prices(bench: Bench, store: Path) -> None:
    """Make a copy of the store that holds the prices and their observations; that store is made when it is missing."""
    if not bench.prices.exists():
        say("importing the posted prices …")
        measured(mtok("import", str(bench.logs / "models"), "--store", str(bench.prices)), bench.scratch)
    copied(bench.prices, store)


def _records(store: Path) -> str:
    """Return a digest of the records of a store."""
    found = sha256()
    for path in sorted((store / "determinations").rglob("*.jsonl")):
        found.update(path.relative_to(store).as_posix().encode() + b"\n" + path.read_bytes())
    return found.hexdigest()


def _check_next(bench: Bench, logs: Path, store: Path) -> None:
    """Raise Wrong when the cubes after one more day are not those of all the files."""
    out = bench.fresh("duckdb")
    measured(bench.contestant("duckdb", logs, out), bench.scratch)
    if (ours := bench.cube(store)) != (theirs := bench.cube(out)):
        raise Wrong(f"one more day: mtok found {ours}, DuckDB {theirs}")


# ---- the run


@dataclass
class Row:
    """All rounds of one contestant."""

    runs: list[Run] = field(default_factory=list)

    def median(self, name: str) -> float | None:
        """Return the median of a figure, None where it was not run to its end."""
        costs = [run.cost for run in self.runs]
        return statistics.median(getattr(cost, name) for cost in costs if cost) if all(costs) else None


def race(bench: Bench, names: Sequence[str], rounds: int) -> dict[str, Row]:
    """Run the contestants in turn; a contestant that a limit stopped is not run again.

    Raises Wrong when two cubes differ, or one is not what the baseline found.
    """
    table: dict[str, Row] = {}
    given_up: set[str] = set()
    for number in range(rounds):
        turn = number % len(names)
        for name in [*names[turn:], *names[:turn]]:
            if name in given_up:
                continue
            try:
                for run in ALL[name](bench):
                    say(f"round {number + 1}: {run.name}: {_told(run)}")
                    table.setdefault(run.name, Row()).runs.append(run)
                    if run.cost is None:
                        given_up.add(name)
            except NotDone as reason:
                given_up.add(name)
                table[NAMES.get(name, name)] = Row([Run(NAMES.get(name, name), None, note=str(reason))])
        check(bench.rows, table)
    return table


def check(rows: int, table: dict[str, Row]) -> None:
    """Raise Wrong when cubes differ from each other or from what the baseline found, or records of two rounds do."""
    runs = [run for row in table.values() for run in row.runs]
    cubes = [(run.name, run.cube) for run in runs if run.cube and "digest" in run.cube]
    for name, cube in cubes:
        if cube != cubes[0][1]:
            raise Wrong(f"{name} found {cube}, {cubes[0][0]} {cubes[0][1]}")
        if cube["rows"] != rows:
            raise Wrong(f"{name} found {cube['rows']} rows of {rows}")
    for run in runs:
        if run.cube and cubes and cubes[0][1] and any(cubes[0][1][key] != run.cube[key] for key in run.cube):
            raise Wrong(f"{run.name} found {run.cube}, {cubes[0][0]} {cubes[0][1]}")
    records = {run.note for run in runs if run.name == "mtok determine"}
    if len(records) > 1:
        raise Wrong(f"the same cubes gave different records: {sorted(records)}")


def lines(bench: Bench, table: dict[str, Row]) -> Iterator[dict[str, Any]]:
    """Yield the rows of the table as they go into a file of results."""
    base = table[SCAN].runs if SCAN in table else []
    for name, row in table.items():
        pairs = [
            one.cost.cpu / other.cost.cpu
            for one, other in zip(row.runs, base, strict=False)
            if one.cost and other.cost
        ]
        cube = row.runs[0].cube or {}
        yield {
            "rows": bench.rows,
            "contestant": name,
            "threads": bench.threads,
            "rounds": len(row.runs),
            **{
                f"{figure}_{unit}": row.median(figure)
                for figure, unit in zip(FIELDS, ("s", "s", "mb"), strict=True)
            },
            "cpu_ratio": statistics.median(pairs) if pairs else None,
            "digest": cube.get("digest", ""),
            "note": row.runs[-1].note,
        }


def shown(found: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of the table."""
    first = found[0]
    yield (
        f"{first['rows']:,} requests, {first['threads']} threads, medians of {first['rounds']} round(s), "
        "CPU ratio to the baseline, digest of the cube"
    )
    yield f"{'contestant':<22} {'rows':>13} {'wall s':>8} {'CPU s':>8} {'peak MB':>8} {'ratio':>6}  digest"
    for one in found:
        figures = [
            "–" if one[key] is None else f"{one[key]:{shape}}"
            for key, shape in (("wall_s", ".2f"), ("cpu_s", ".2f"), ("peak_mb", ".0f"), ("cpu_ratio", ".2f"))
        ]
        wall, cpu, peak, ratio = figures
        yield (
            f"{one['contestant']:<22} {one['rows']:>13,} {wall:>8} {cpu:>8} {peak:>8} {ratio:>6}  "
            f"{one['digest'][:8]:<8}  {one['note']}".rstrip()
        )


def _told(run: Run) -> str:
    if run.cost is None:
        return run.note
    return f"{run.cost.wall:.2f} s, {run.cost.cpu:.2f} CPU s, {run.cost.peak:.0f} MB {run.note}"


def say(text: str) -> None:
    """Tell how far the run is."""
    print(text, file=sys.stderr, flush=True)


def logs_of(folder: Path, rows: int, days: int) -> Path:
    """Return the folder of the logs, made when they are not there as a whole, and read once."""
    made = folder / "made.json"
    if made.exists() and json.loads(made.read_text())["rows"] != rows:
        raise Wrong(f"{folder} holds other logs: {made.read_text().strip()}")
    if not made.exists():
        say(f"making {rows:,} requests …")
        script = str(HERE / "usage_logs.py")
        subprocess.run(
            [sys.executable, script, str(folder), str(rows), "--days", str(days)],
            check=True,
            stdout=sys.stderr,
        )
    for path in folder.rglob("*.parquet"):
        with path.open("rb") as file:
            while file.read(2**24):
                pass
    return folder


def size_of(text: str) -> str:
    """Return a size. Raises ArgumentTypeError for any text that is none."""
    if text not in SIZES:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no size that is measured: say one of {', '.join(SIZES)}"
        )
    return text


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("size", type=size_of)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, help="without it 3 up to 10M, 1 above")
    parser.add_argument("--keep", type=Path, help="keep the logs here, and use those that are here")
    parser.add_argument("--json", type=Path, help="append the rows of the table to this file, one line each")
    parser.add_argument("--only", nargs="+", choices=ALL, default=list(ALL))
    options = parser.parse_args()
    rows = SIZES[options.size]
    rounds = options.rounds or (3 if rows <= 10**7 else 1)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # compiling is no part of what is measured
    _adopt()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    place = options.keep
    if place:
        place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place, prefix="scratch-") as scratch:
        folder = (place or Path(scratch)) / options.size
        try:
            bench = Bench(
                logs=logs_of(folder, rows, 730), scratch=Path(scratch), rows=rows, threads=options.threads
            )
            found = list(lines(bench, race(bench, options.only, rounds)))
        except Wrong as wrong:
            sys.exit(f"bench_scale: {wrong}")
    if options.json:
        with options.json.open("a") as file:
            file.writelines(json.dumps(one) + "\n" for one in found)
    print("\n".join(shown(found)))


if __name__ == "__main__":
    main()
