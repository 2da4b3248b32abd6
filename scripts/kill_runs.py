"""Kill collect, run and import at drawn moments, run them again, and compare the stores with uninterrupted ones.

usage: kill_runs.py [--kills N] [--seed N]

Prints a table of where the kills landed. The exit status is 1 when a store differs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from kills import PHASES, WAYS, WORKS, kill_at_random, world


def main() -> int:
    """Kill as often as asked and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=20260621)
    asked = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mtok-kills-") as folder, world(Path(folder)) as known:
        for name in WORKS:
            one = known.known[name]
            print(f"{name}: {one.seconds:.2f} s, calls {one.calls}", file=sys.stderr)
        tally = kill_at_random(known, asked.kills, asked.seed, _progress)
    print(file=sys.stderr)
    print(f"| when killed | {' | '.join(WORKS)} |\n|---|{'---|' * len(WORKS)}")
    for phase in PHASES:
        print(f"| {phase} | {' | '.join(str(tally.by_phase(name)[phase]) for name in WORKS)} |")
    for way in WAYS:
        counts = [
            sum(count for key, count in tally.kills.items() if key[:2] == (name, way)) for name in WORKS
        ]
        print(f"| {way} | {' | '.join(map(str, counts))} |")
    print(f"| stores completed and compared | {' | '.join(str(tally.stores[name]) for name in WORKS)} |")
    print(
        f"\n{tally.kills.total()} kills (seed {asked.seed}), {tally.again} of them of the completing work; "
        f"{tally.unfinished} left a temporary file or a torn line; {tally.missed} came too late to count; "
        f"{time.monotonic() - began:.0f} s; stores that differ: {len(tally.broken)}"
    )
    print("\n".join(tally.broken))
    return 1 if tally.broken else 0


def _progress(kills: int) -> None:
    print(f"\r{kills} kills ", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
