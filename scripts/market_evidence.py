"""The long runs of the market's tests: as the tests do, on many more generated markets. What they found is in
`docs/evidence/`.

usage: market_evidence.py matching [--books N] [--first SEED]
       market_evidence.py secrecy [--pairs N] [--first SEED]
       market_evidence.py paths [--paths N] [--first SEED]
       market_evidence.py sequences [--sequences N] [--first SEED] [--steps N]

Prints one line of result; exit status 1 where anything differed, and then the seeds that show it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from market_books import market, matched
from market_driving import sequences as drive
from market_invariants import faults, reached
from market_rows import TABLES
from market_worlds import Variant, play_pair
from settlement_paths import evidence

SHOWN, CONTROLS = 10, 300
PATHS_AT_ONCE, INVARIANTS_EVERY, CONTRACTS_EVERY = 1_000, 10, 50

Outcome = tuple[str, list[str]]
"""The line of result, and what went wrong."""


def matching(asked: argparse.Namespace) -> Outcome:
    """Compare runs with the brute force, and look at every invariant."""
    seeds = range(asked.first, asked.first + asked.books)
    wrong = [fault for seed in watched(seeds, "markets") for fault in faults(seed)]
    counts: Counter[str] = Counter()
    for seed in seeds:
        plain = market(seed)
        counts.update(reached(plain, matched(plain)[2]))
    large = market(asked.first, 1_000)
    began = time.perf_counter()
    pairs = len(matched(large)[2])
    took = time.perf_counter() - began
    met = ", ".join(f"{name} {number:,}" for name, number in sorted(counts.items()))
    return (
        f"{asked.books:,} books against the oracle, {len(wrong)} differences or broken invariants; a book of 1,000 "
        f"requests takes {took:.2f} s ({pairs} matches). Met: {met}",
        wrong,
    )


def secrecy(asked: argparse.Namespace) -> Outcome:
    """Compare what a participant is told in pairs of worlds, and see that worlds that match at once are told apart."""
    seeds = range(asked.first, asked.first + asked.pairs)
    leaks: list[str] = []
    counts: Counter[str] = Counter()
    for seed in watched(seeds, "pairs"):
        pair = play_pair(seed)
        leaks += pair.leaks
        counts.update(pair.counts)
    controls = [
        sum(bool(play_pair(seed, variant).leaks) for seed in seeds[:CONTROLS])
        for variant in (Variant(runs_at_once=True), Variant(runs_at_once=True, sends_at_once=True))
    ]
    alone = counts["candidates of A in one world alone"]
    met = ", ".join(f"{name} {number:,}" for name, number in sorted(counts.items()))
    wrong = leaks if all(controls) else [*leaks, "a market that matches at once is not told apart"]
    return (
        f"{asked.pairs:,} pairs of worlds, {len(leaks)} differences; in {alone:,} of them A has a candidate in one "
        f"world alone. Of {len(seeds[:CONTROLS])} pairs that match at once {controls[0]} are told apart, with terms at "
        f"once {controls[1]}. Met: {met}",
        wrong,
    )


def paths(asked: argparse.Namespace) -> Outcome:
    """Compare random paths of contracts with plain fractions, to the cent, and look at S1 … S12."""
    end = asked.first + asked.paths
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    for start in range(asked.first, end, PATHS_AT_ONCE):
        seeds = range(start, min(start + PATHS_AT_ONCE, end))
        print(f"{start - asked.first:,} of {asked.paths:,} paths", file=sys.stderr, flush=True)
        came = evidence(seeds, every=INVARIANTS_EVERY, contracts_every=CONTRACTS_EVERY)
        counts.update(paths=came.paths, days=came.days, contracts=came.contracts)
        wrong += came.found
    return (
        f"{counts['paths']:,} paths, {counts['days']:,} margin days, {counts['contracts']:,} paths through contracts: "
        f"{len(wrong)} differences",
        wrong,
    )


def sequences(asked: argparse.Namespace) -> Outcome:
    """Drive the market against its plain model, sequence by sequence, and compare both after every command."""
    rows = {(kind, *row) for kind, listed in TABLES.items() for row in listed}
    tally = drive(asked.sequences, asked.first, steps=asked.steps, progress=_progress)
    missed = [f"not reached: {row}" for row in sorted(rows - tally.rows)]
    return (
        f"{tally.sequences:,} sequences, {tally.steps:,} steps, {len(tally.outcomes)} outcomes, "
        f"{tally.outcomes['contract activate done']:,} contracts active; rows of the tables reached: "
        f"{len(tally.rows)} of {len(rows)}; {len(tally.diverged)} divergences",
        [*tally.diverged, *missed],
    )


def _progress(done: int) -> None:
    if done % 1_000 == 0:
        print(f"{done:,} sequences", file=sys.stderr, flush=True)


COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], Outcome], dict[str, int]]] = {
    "matching": (matching, {"books": 20_000, "first": 0}),
    "secrecy": (secrecy, {"pairs": 10_000, "first": 0}),
    "paths": (paths, {"paths": 100_000, "first": 0}),
    "sequences": (sequences, {"sequences": 20_000, "first": 1, "steps": 24}),
}
"""What can be run, with its options, all of them whole numbers, and what these are when they are left out."""


def watched(seeds: range, what: str) -> Iterable[int]:
    """Yield seeds, and say now and then on standard error how far it is and how fast."""
    began = time.perf_counter()
    for number, seed in enumerate(seeds, 1):
        yield seed
        if number % 1_000 == 0 or number == len(seeds):
            speed = number / (time.perf_counter() - began)
            print(f"{number:,} of {len(seeds):,} {what}, {speed:,.0f} a second", file=sys.stderr, flush=True)


def main() -> int:
    """Run what is asked for, print one line of it, and say with the exit status whether anything was wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (run, options) in COMMANDS.items():
        command = commands.add_parser(name, help=run.__doc__)
        for option, usual in options.items():
            command.add_argument(f"--{option}", type=int, default=usual, help=f"{usual} when left out")
    asked = parser.parse_args()
    line, wrong = COMMANDS[asked.command][0](asked)
    print(line)
    print(*wrong[:SHOWN], sep="\n", end="\n" if wrong else "", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
