"""Ratios measured side by side in one run: decoding against bare `json.loads`, determination against plain pandas,
a run on a store with a year of history against the same on a young and on an empty one, publishing and verifying
against plain sha256 (`bench_publication.py`), and serving against nginx (`bench_serving.py`).

usage: bench.py [RECORDINGS] [--rounds N] [--only PART] [--earlier N] [--scratch FOLDER]

Every measured command is a process of its own, run in turn with its baseline; medians are printed. Without the
recorded responses the bundled sample is used, and the output says so.
"""

from __future__ import annotations

import argparse
import gzip
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

from mtok.archive import KIND_MODELS
from mtok.calendar import format_instant
from mtok.sources.sample import sample_responses

RECORDINGS = Path(__file__).parents[2] / "shared" / "data" / "openrouter"
PARTS = ("decode", "determine", "year", "proofs", "serve")
LONG_PARTS = ("publish", "verify")
"""Run only when they are asked for: making the publications they need takes a quarter of an hour."""

READ = """
import gzip, json, pathlib, sys
from mtok.observations.models import decode_models
raws = [gzip.decompress(path.read_bytes()) for path in sorted(pathlib.Path(sys.argv[1], "models").glob("*.json.gz"))]
for raw in raws * 5:
    {decode}(raw)
"""

STORES = {"empty": 0, "45 days": 45, "year": 365}
"""The stores a run is measured on, by how many days they have collected."""
RUNS = {
    "the run at 02:05: prices, token totals of seven days, 40 endpoints": "2027-08-01T02:05:00Z",
    "the run at 02:50 after it: prices": "2027-08-01T02:50:00Z",
}
"""What is measured, in this order on one copy of a store, and when it is then (`made_up_store.py`)."""


@dataclass(frozen=True)
class Cost:
    """CPU seconds, wall seconds and peak memory (MB) of one process."""

    cpu: float
    wall: float
    peak: float


FIELDS = ("cpu", "wall", "peak")


def run(command: list[str]) -> Cost:
    """Run a command to its end with its output thrown away.

    The peak of a child begins at that of this process, which therefore stays small and leaves all work to others.
    """
    started = os.times().elapsed
    child = os.fork()
    if not child:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.execv(command[0], command)
    _, status, usage = os.wait4(child, 0)
    if status:
        sys.exit(f"failed: {' '.join(command)}")
    return Cost(usage.ru_utime + usage.ru_stime, os.times().elapsed - started, usage.ru_maxrss / 1024)


def compare(
    title: str, candidate: list[str], baseline: list[str], rounds: int, forget: Sequence[Path]
) -> None:
    """Print medians of both commands and the median of their ratios, pair by pair; `forget` is deleted before each."""
    pairs = []
    for _ in range(rounds):
        for folder in forget:
            shutil.rmtree(folder, ignore_errors=True)
        pairs.append((run(candidate), run(baseline)))
    print(f"\n{title}")
    ours, theirs = ([pair[place] for pair in pairs] for place in (0, 1))
    print_costs("mtok", ours)
    print_costs("baseline", theirs)
    print_ratio("ratio", ours, theirs)


def print_costs(name: str, costs: Sequence[Cost]) -> None:
    """Print the medians of the rounds of one command."""
    medians = [statistics.median(getattr(cost, field) for cost in costs) for field in FIELDS]
    print("  {:<15} {:6.2f} CPU s  {:6.2f} s  {:6.0f} MB peak".format(name, *medians))


def print_ratio(name: str, ours: Sequence[Cost], theirs: Sequence[Cost]) -> None:
    """Print the medians of the ratios of two commands, round by round."""
    ratios = [
        statistics.median(
            getattr(one, field) / getattr(other, field) for one, other in zip(ours, theirs, strict=True)
        )
        for field in FIELDS
    ]
    print("  {:<15} {:6.2f} CPU    {:6.2f}    {:6.2f} peak".format(name, *ratios))


def sample_folder(folder: Path) -> Path:
    """Write the bundled sample as files in the shape of the recordings."""
    for response in sample_responses():
        path = folder / response.kind / f"{format_instant(response.captured_at).replace(':', '')}.json.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(response.raw, mtime=0))
    return folder


def measure_decoding(recordings: Path, rounds: int) -> None:
    """Compare the decoder with the parser it is built on."""
    compare(
        "decoding the responses five times over, against bare json.loads of the same",
        [sys.executable, "-c", READ.format(decode="decode_models"), str(recordings)],
        [sys.executable, "-c", READ.format(decode="json.loads"), str(recordings)],
        rounds,
        [],
    )


def measure_determination(recordings: Path, scratch: Path, rounds: int) -> None:
    """Compare a determination of all days with the plain average that anyone would compute."""
    store, naive = scratch / "store", str(Path(__file__).with_name("naive_average.py"))
    run(mtok("import", str(recordings / "models"), str(recordings / "rankings-daily"), "--store", str(store)))
    forget = {"from observations": ["determinations"]}
    forget["from archived responses, observations made anew"] = ["determinations", "observations"]
    for what, folders in forget.items():
        compare(
            f"determination {what}, against pandas computing the plain average from the responses",
            mtok("determine", "--store", str(store)),
            [sys.executable, naive, str(recordings)],
            rounds,
            [store / folder for folder in folders],
        )


def measure_runs(recordings: Path, scratch: Path, earlier: int, rounds: int) -> None:
    """Compare `mtok run` on stores that differ in how long they have collected, on fresh copies, in turn."""
    stores = made_up_stores(recordings, scratch, earlier)
    costs: dict[tuple[str, str], list[Cost]] = {(title, name): [] for title in RUNS for name in stores}
    with replay(scratch / "recording") as url:
        for number in range(rounds + 1):
            for name, store in stores.items():
                copy = copied(store, scratch / "copy")
                for title, instant in RUNS.items():
                    set_clock(url, instant)
                    command = [sys.executable, str(Path(__file__).with_name("run_at.py")), instant]
                    cost = run([*command, "run", "--url", url, "--store", str(copy), "--log", "off"])
                    if number:  # the first round warms the caches
                        costs[title, name].append(cost)
    for title in RUNS:
        print(f"\nmtok run: {title}")
        for name in stores:
            print_costs(name, costs[title, name])
        for name in ("45 days", "empty"):
            print_ratio(f"year / {name}", costs[title, "year"], costs[title, name])


def made_up_stores(recordings: Path, scratch: Path, earlier: int) -> dict[str, Path]:
    """Make the stores of STORES that are not there yet, two at a time, and what a replay answers after them."""
    template = max((recordings / "models").glob("*.json.gz"))
    make = [sys.executable, str(Path(__file__).with_name("made_up_store.py")), "--template", str(template)]
    makers = []
    for name, days in STORES.items():
        store = scratch / name
        more = ["--earlier", str(earlier), *(() if days else ("--recording", str(scratch / "recording")))]
        if not store.exists():
            makers.append(subprocess.Popen([*make, *more, str(store), str(days)]))
    if any(maker.wait() for maker in makers):
        sys.exit("failed: made_up_store.py")
    return {name: scratch / name for name in STORES}


def copied(store: Path, copy: Path) -> Path:
    """Return a fresh copy of a store: hard links, but for the files that are not replaced whole."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(store, copy, copy_function=os.link)
    for name in ("captures/register.jsonl", "lock"):
        (copy / name).unlink(missing_ok=True)
        if (store / name).exists():
            shutil.copy(store / name, copy / name)
    return copy


@contextmanager
def replay(recording: Path) -> Iterator[str]:
    """Serve a recording while the block lasts, from a process of its own whose clock stands; yield its URL."""
    command = mtok("replay", str(recording), "--rate", "0")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def set_clock(url: str, instant: str) -> None:
    """Set the clock of a replay."""
    address = url.removesuffix("/api/v1") + "/_replay/clock"
    with urlopen(Request(address, data=f'{{"now": "{instant}"}}'.encode(), method="PUT")):
        pass


def mtok(*arguments: str) -> list[str]:
    """Return a command of mtok."""
    return [sys.executable, str(Path(sys.executable).with_name("mtok")), *arguments]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recordings", nargs="?", type=Path, default=RECORDINGS)
    parser.add_argument("--rounds", type=int, default=5, help="of the last part at most 3")
    parser.add_argument("--only", choices=PARTS + LONG_PARTS)
    parser.add_argument(
        "--earlier", type=int, default=4, help="captures of prices a day before the last 45 days (48 is all)"
    )
    parser.add_argument(
        "--scratch", type=Path, help="keep the made-up stores here, and use those that are here"
    )
    options = parser.parse_args()
    parts: Sequence[str] = [options.only] if options.only else PARTS
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # compiling is no part of what is measured
    os.environ["OPENROUTER_API_KEY"] = "made-up"
    with tempfile.TemporaryDirectory() as temporary:
        scratch: Path = options.scratch or Path(temporary)
        folder: Path = options.recordings
        if not (folder / KIND_MODELS).is_dir():
            print(
                f"no recordings at {folder}: measured on the bundled sample, which holds six companies only"
            )
            folder = sample_folder(scratch / "sample")
        size = len(list((folder / "models").glob("*.json.gz")))
        print(f"{size} responses of /models, median of {options.rounds} rounds (of runs at most 3)")
        if "decode" in parts:
            measure_decoding(folder, options.rounds)
        if "determine" in parts:
            measure_determination(folder, scratch, options.rounds)
        if "year" in parts:
            measure_runs(folder, scratch, options.earlier, min(3, options.rounds))
        if "serve" in parts:
            from bench_serving import measure_serving

            measure_serving(scratch, options.rounds)
        if {"proofs", *LONG_PARTS} & set(parts):
            import bench_publication as publication

            if "proofs" in parts:
                publication.measure_proofs(options.rounds)
            if "publish" in parts:
                publication.measure_publishing(folder, scratch, min(3, options.rounds))
            if "verify" in parts:
                publication.measure_verifying(folder, scratch, min(3, options.rounds))


if __name__ == "__main__":
    main()
