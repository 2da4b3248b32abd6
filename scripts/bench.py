"""Ratios measured side by side in one run: decoding against bare `json.loads`, determination against plain pandas.

usage: bench.py [RECORDINGS] [--rounds N]

Every measured command is a process of its own, run in turn with its baseline; medians are printed. Without the
recorded responses the bundled sample is used, and the output says so.
"""

from __future__ import annotations

import argparse
import gzip
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mtok.archive import KIND_MODELS, Store
from mtok.calendar import format_instant
from mtok.intake import import_paths
from mtok.progress import silent
from mtok.sources.sample import sample_responses

RECORDINGS = Path(__file__).parents[2] / "shared" / "data" / "openrouter"

READ = """
import gzip, json, pathlib, sys
from mtok.observations.models import decode_models
raws = [gzip.decompress(path.read_bytes()) for path in sorted(pathlib.Path(sys.argv[1], "models").glob("*.json.gz"))]
for raw in raws * 5:
    {decode}(raw)
"""


@dataclass(frozen=True)
class Cost:
    """CPU seconds, wall seconds and peak memory (MB) of one process."""

    cpu: float
    wall: float
    peak: float


def run(command: list[str]) -> Cost:
    """Run a command to its end with its output thrown away."""
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
    for name, costs in zip(("mtok", "baseline"), zip(*pairs, strict=True), strict=True):
        medians = [
            statistics.median(getattr(cost, field) for cost in costs) for field in ("cpu", "wall", "peak")
        ]
        print("  {:<9} {:6.2f} CPU s  {:6.2f} s  {:6.0f} MB peak".format(name, *medians))
    ratios = [
        statistics.median(getattr(ours, field) / getattr(theirs, field) for ours, theirs in pairs)
        for field in ("cpu", "wall", "peak")
    ]
    print("  {:<9} {:6.2f} CPU    {:6.2f}    {:6.2f} peak".format("ratio", *ratios))


def sample_folder(folder: Path) -> Path:
    """Write the bundled sample as files in the shape of the recordings."""
    for response in sample_responses():
        path = folder / response.kind / f"{format_instant(response.captured_at).replace(':', '')}.json.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(response.raw, mtime=0))
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recordings", nargs="?", type=Path, default=RECORDINGS)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder: Path = options.recordings
        if not (folder / KIND_MODELS).is_dir():
            print(
                f"no recordings at {folder}: measured on the bundled sample, which holds six companies only"
            )
            folder = sample_folder(Path(scratch) / "sample")
        store = Store.create(Path(scratch) / "store")
        import_paths(store, [folder / "models", folder / "rankings-daily"], progress=silent)
        python, mtok = sys.executable, str(Path(sys.executable).with_name("mtok"))
        determine = [python, mtok, "determine", "--store", str(store.path)]
        naive = [python, str(Path(__file__).with_name("naive_average.py")), str(folder)]

        size = len(list((folder / "models").glob("*.json.gz")))
        print(f"{size} responses of /models, median of {options.rounds} rounds")
        compare(
            "decoding the responses five times over, against bare json.loads of the same",
            [python, "-c", READ.format(decode="decode_models"), str(folder)],
            [python, "-c", READ.format(decode="json.loads"), str(folder)],
            options.rounds,
            [],
        )
        compare(
            "determination from observations, against pandas computing the plain average from the responses",
            determine,
            naive,
            options.rounds,
            [store.path / "determinations"],
        )
        compare(
            "determination from archived responses, observations made anew, against the same",
            determine,
            naive,
            options.rounds,
            [store.path / "determinations", store.path / "observations"],
        )


if __name__ == "__main__":
    main()
