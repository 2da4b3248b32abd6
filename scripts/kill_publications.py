"""Kill publications at drawn moments, run them again, and compare what is published with uninterrupted ones.

usage: kill_publications.py [--kills N] [--seed N] [--seconds N] [--work NAME ...]

Prints a table of where the kills landed. The exit status is 1 when a publication differs, is forked, or showed a
reader anything inconsistent while it was killed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from killed_publications import PHASES, WAYS, WORKS, Tally, kill_at_random, world


def main() -> int:
    """Kill as often as asked and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=20260621)
    parser.add_argument("--seconds", type=int, default=24 * 3600, help="end then, whatever was done")
    parser.add_argument("--work", action="append", choices=WORKS)
    asked = parser.parse_args()
    works = tuple(asked.work or WORKS)
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="mtok-kills-") as folder,
        world(Path(folder), *works) as known,
    ):
        for name, one in known.known.items():
            steps = sum(map(len, one.steps.values()))
            print(f"{name}: {one.seconds:.2f} s, calls {one.calls}, {steps} steps", file=sys.stderr)
        tally = kill_at_random(known, asked.kills, asked.seed, _progress, seconds_max=asked.seconds)
    print(file=sys.stderr)
    print("\n".join(_table(tally, works)))
    print(
        f"\n{tally.kills.total()} kills (seed {asked.seed}), {tally.again} of them of the completing work; "
        f"{tally.missed} came too late to count; {tally.roots} roots shown while killed; "
        f"{time.monotonic() - began:.0f} s; wrong: {len(tally.broken)}"
    )
    for step, count in sorted(tally.steps.items()):
        if step:
            print(f"  {step}: {count}")
    print("\n".join(tally.broken))
    return 1 if tally.broken else 0


def _table(tally: Tally, works: tuple[str, ...]) -> list[str]:
    """Return the rows of the table: by what the desk held, by how it was drawn, and what was compared."""
    rows = [("when killed", list(works))]
    for place, values in ((2, PHASES), (1, WAYS)):
        rows += [(value, [str(tally.count(place, value, name)) for name in works]) for value in values]
    rows.append(("publications completed and compared", [str(tally.desks[name]) for name in works]))
    lines = [f"| {name} | {' | '.join(cells)} |" for name, cells in rows]
    return [lines[0], f"|---|{'---|' * len(works)}", *lines[1:]]


def _progress(kills: int) -> None:
    print(f"\r{kills} kills ", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
