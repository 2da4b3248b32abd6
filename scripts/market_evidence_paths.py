"""Play random paths of contracts and compare every cent with a second computation; check the invariants S1 … S12.

usage: market_evidence_paths.py [--paths N] [--first SEED]

tests/settlement_paths.py makes and plays the paths; the same seeds give the same paths. One line says what came of it;
where two numbers differ the first ones follow, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "src")]

from settlement_paths import Evidence, evidence  # noqa: E402

BLOCK = 500
INVARIANTS_EVERY, CONTRACTS_EVERY = 10, 50
PROCESSES = 2


def block(first: int, last: int) -> Evidence:
    """Return what a block of seeds comes to."""
    return evidence(range(first, last), every=INVARIANTS_EVERY, contracts_every=CONTRACTS_EVERY)


def main() -> int:
    """Play, print one line, return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--paths", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0)
    asked = parser.parse_args()
    starts = range(asked.first, asked.first + asked.paths, BLOCK)
    begun = time.monotonic()
    with ProcessPoolExecutor(PROCESSES) as pool:
        stops = [min(start + BLOCK, asked.first + asked.paths) for start in starts]
        came = list(pool.map(block, starts, stops))
    found = [line for one in came for line in one.found]
    took = time.monotonic() - begun
    print(
        f"{sum(one.paths for one in came)} paths from seed {asked.first}, {sum(one.days for one in came)} margin days, "
        f"{sum(one.contracts for one in came)} through contracts: {len(found)} differences; "
        f"{asked.paths / took:.0f} paths/s"
    )
    for line in found[:20]:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
