"""Kill a venue at drawn moments, go on with it, and compare what it comes to with one that nobody interrupted.

usage: venue_kills.py [--kills N] [--seed N] [--seconds N] [--database sqlite | postgresql]

Prints where the kills landed. The exit status is 1 when anything was lost, doubled or different.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import venue_kills


def main() -> int:
    """Kill as often as asked and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=20260621)
    parser.add_argument("--seconds", type=int, default=24 * 3600, help="end then, whatever was done")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    asked = parser.parse_args()
    began = time.monotonic()
    with _world(asked.database) as world:
        print(f"{world.kind}: {world.seconds:.2f} s, {world.points} points", file=sys.stderr)
        tally = venue_kills.kill_at_random(
            world, asked.kills, asked.seed, _progress, seconds_max=asked.seconds
        )
    print(file=sys.stderr)
    print(f"| when killed | {world.kind} |\n|---|---|")
    for where in (venue_kills.AFTER_A_TIME, *venue_kills.POINTS):
        print(f"| {where} | {tally.kills[where]} |")
    print(
        f"\n{tally.kills.total()} kills (seed {asked.seed}) of {tally.venues} venues; {tally.missed} came too late to "
        f"count; {tally.acknowledged} commands told as done; {tally.sent_twice} mails sent twice; "
        f"{time.monotonic() - began:.0f} s; wrong: {len(tally.broken)}"
    )
    print("\n".join(tally.broken))
    return 1 if tally.broken else 0


@contextmanager
def _world(database: str) -> Iterator[venue_kills.World]:
    if database == "sqlite":
        with (
            tempfile.TemporaryDirectory(prefix="mtok-kills-") as folder,
            venue_kills.sqlite_world(Path(folder)) as world,
        ):
            yield world
        return
    from databases import postgresql_cluster

    with postgresql_cluster(durable=True) as cluster, venue_kills.postgresql_world(cluster) as world:
        yield world


def _progress(kills: int) -> None:
    print(f"\r{kills} kills ", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
