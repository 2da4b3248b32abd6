"""Drive the market against its plain model, sequence by sequence, and compare both after every command.

usage: market_evidence_sequences.py [--sequences N] [--seed N] [--steps N]

Prints one line of what was driven. The exit status is 1 when anything differs, or a row of the tables is not reached.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from market_driving import sequences
from market_model import TABLES


def main() -> int:
    """Drive as many sequences as asked and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sequences", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=24, help="of each sequence, at least")
    asked = parser.parse_args()
    began = time.monotonic()
    tally = sequences(asked.sequences, asked.seed, steps=asked.steps, progress=_progress)
    rows = {(kind, *row) for kind, listed in TABLES.items() for row in listed}
    print(file=sys.stderr)
    done = {name: tally.outcomes[name] for name in ("proposal send done", "contract activate done")}
    print(
        f"{tally.sequences} sequences (seed {asked.seed}), {tally.steps} steps, {len(tally.outcomes)} outcomes, "
        f"{done['proposal send done']} terms sent, {done['contract activate done']} contracts active, "
        f"rows of the tables reached: {len(tally.rows)} of {len(rows)}, divergences: {len(tally.diverged)}, "
        f"{time.monotonic() - began:.0f} s"
    )
    print("".join(f"not reached: {row}\n" for row in sorted(rows - tally.rows)), end="")
    print("".join(f"{one}\n" for one in tally.diverged), end="")
    return 1 if tally.diverged or rows - tally.rows else 0


def _progress(done: int) -> None:
    if done % 100 == 0:
        print(f"\r{done} sequences ", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
