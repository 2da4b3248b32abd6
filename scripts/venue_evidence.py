"""The long runs of the venue's tests: as the tests do, on many more sequences. What they found is in `docs/evidence/`.

usage: venue_evidence.py sequences [--count N] [--first SEED] [--postgresql]
       venue_evidence.py secrecy [--count N] [--first SEED]

Prints one line of result; exit status 1 where anything differed, and then the seeds that show it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import venues
from databases import postgresql_cluster
from test_venue_sequences import STEPS, drive

SHOWN = 10

Outcome = tuple[str, list[str]]
"""The line of result, and what went wrong."""


@contextmanager
def fresh(cluster: Any) -> Iterator[None]:
    """Give the venue a fresh database, of the cluster where there is one."""
    if cluster is not None:
        with venues.postgresql(cluster):
            yield
        return
    with tempfile.TemporaryDirectory() as folder, venues.sqlite(Path(folder) / "venue.sqlite3"):
        yield


def sequences(asked: argparse.Namespace) -> Outcome:
    """Drive sequences of commands to book, model and database."""
    counts, outcomes, diverged = Counter[str](), Counter[str](), list[str]()
    with postgresql_cluster() if asked.postgresql else nullcontext() as cluster:
        for seed in watched(asked, "sequences"):
            with fresh(cluster):
                try:
                    driven = drive(seed, STEPS)
                except Exception as error:  # whatever it is: nothing may fail
                    diverged.append(f"sequence {seed}: {type(error).__name__}: {error}"[:600])
                    continue
                counts.update(_counted())
                counts["steps"] += driven.steps
                outcomes.update(driven.outcomes)
    where = "PostgreSQL" if asked.postgresql else "SQLite"
    return (
        f"{where}: {asked.count:,} sequences, {counts['steps']:,} steps, {len(outcomes)} outcomes, "
        f"{counts['events']:,} events, {counts['contracts']:,} contracts, {counts['transactions']:,} in the ledger: "
        f"{len(diverged)} divergences",
        diverged,
    )


def secrecy(asked: argparse.Namespace) -> Outcome:
    """Play pairs of worlds over HTTP."""
    from venue_worlds import play_pair

    pairs = [play_pair(seed) for seed in watched(asked, "pairs")]
    leaks = [leak for pair in pairs for leak in pair.leaks]
    return (
        f"{asked.count:,} pairs of worlds, {sum(pair.steps for pair in pairs):,} steps compared, "
        f"{sum(pair.is_apart for pair in pairs):,} with terms in one world alone: {len(leaks)} differences",
        leaks,
    )


def watched(asked: argparse.Namespace, what: str) -> Iterator[int]:
    """Yield the seeds, and tell how far it is."""
    for number, seed in enumerate(range(asked.first, asked.first + asked.count)):
        if number % 50 == 0:
            print(f"{number:,} of {asked.count:,} {what}", file=sys.stderr, flush=True)
        yield seed


def main() -> int:
    """Do a run; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["sequences", "secrecy"])
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--first", type=int, default=10_000)
    parser.add_argument("--postgresql", action="store_true")
    asked = parser.parse_args()
    line, wrong = {"sequences": sequences, "secrecy": secrecy}[asked.what](asked)
    print(line)
    print("\n".join(wrong[:SHOWN]))
    return 1 if wrong else 0


def _counted() -> dict[str, int]:
    from mtok.venue.database.models import ContractRow, Event, LedgerTransaction

    return {
        "events": Event.objects.count(),
        "contracts": ContractRow.objects.count(),
        "transactions": LedgerTransaction.objects.count(),
    }


if __name__ == "__main__":
    sys.exit(main())
