"""Submissions and approvals of the venue beside the bare statements that write the same rows.

usage: bench_venue.py [--count N] [--sqlite-only]

On SQLite and on a PostgreSQL cluster of its own. Each operation is one transaction, committed to the disk; the baseline
replays in one transaction each, on a fresh copy of the database, the INSERT and UPDATE statements that the operation
sent and nothing else, on PostgreSQL without triggers and foreign keys. Candidate and baseline take turns, operation by
operation; medians of wall milliseconds and of the ratios, pair by pair.
"""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import psycopg
import pytest

import people
import venues
from databases import is_installed, postgresql_cluster
from mtok.calendar import DAY
from mtok.market.margin import Side
from mtok.market.proposals import Nonces
from mtok.settlement.people import Role
from test_venue_trading import RUN, drafted, published

Statements = list[tuple[str, Any]]
Bare = Callable[[Statements], None]
"""Runs statements in one transaction of the twin."""


class Pair:
    """An operation measured, then its statements measured by themselves on a twin of the database."""

    def __init__(self, bare: Bare) -> None:
        self._bare = bare
        self.took: list[tuple[float, float]] = []

    def measure(self, operation: Callable[[], Any]) -> None:
        """Do an operation and replay its statements."""
        from django.db import connection

        statements: Statements = []

        def wrapper(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
            if not many and sql.startswith(("INSERT", "UPDATE")):
                statements.append((sql, parameters))
            return execute(sql, parameters, many, context)

        with connection.execute_wrapper(wrapper):
            began = time.perf_counter()
            operation()
            took = time.perf_counter() - began
        began = time.perf_counter()
        self._bare(statements)
        self.took.append((took, time.perf_counter() - began))

    def line(self, name: str) -> str:
        """Return the line of a table."""
        mine = statistics.median(first for first, _ in self.took)
        bare = statistics.median(second for _, second in self.took)
        ratio = statistics.median(first / second for first, second in self.took)
        return f"{name:34} {len(self.took):>6} {mine * 1e3:>9.2f} {1 / mine:>8.0f} {bare * 1e3:>9.2f} {ratio:>7.1f}"


@contextmanager
def sqlite_pair(folder: Path) -> Iterator[Bare]:
    """Give the venue a database of SQLite and a twin for bare statements."""
    twin = folder / "twin.sqlite3"
    with venues.sqlite(folder / "venue.sqlite3"):
        shutil.copy(venues.configured() / "template.sqlite3", twin)
        connection = sqlite3.connect(twin, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")

        def run(statements: Statements) -> None:
            connection.execute("BEGIN IMMEDIATE")
            for sql, parameters in statements:
                connection.execute(sql.replace("%s", "?"), parameters)
            connection.execute("COMMIT")

        yield run
        connection.close()


@contextmanager
def postgresql_pair(cluster: Any) -> Iterator[Bare]:
    """Give the venue a database of PostgreSQL and a twin for bare statements."""
    with venues.postgresql(cluster), psycopg.connect(cluster.create("twin", "migrated")) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.commit()

        def run(statements: Statements) -> None:
            with connection.transaction(), connection.cursor() as cursor:
                for sql, parameters in statements:
                    cursor.execute(sql, parameters)

        yield run


def measured(bare: Bare, count: int, where: str) -> list[str]:
    """Submit requests, and approve terms for both sides; return the lines of the table."""
    from mtok.venue.otc import clockwork, trading

    submissions, approvals, bookings = Pair(bare), Pair(bare), Pair(bare)
    roles = (Role.PARTICIPANT_USER, Role.PARTICIPANT_APPROVER)
    with pytest.MonkeyPatch.context() as patch, venues.clock() as clock:
        published(patch)
        desk = people.person("Desk", Role.DESK)
        both: list[Any] = []
        for number in range(count):
            pair = [
                people.person(
                    f"{side} {number}", *roles, organisation=people.organisation(f"{side} {number}")
                )
                for side in Side
            ]
            both.append(pair)
            for who, side in zip(pair, Side, strict=True):
                name = f"{side}{number}"
                drafted(who, name, side, 10)
                submissions.measure(lambda who=who, name=name: trading.give(who, "request", "submit", name))
                trading.give(desk, "request", "accept", name)
        clock.instant = RUN + 60_000_000
        clockwork.make_runs(clock())
        owners = {principal.party: principal for pair in both for principal in pair}
        for found in trading.all_open(desk, Role.DESK)["proposal"]:
            given = trading.give(
                desk, "proposal", "send", found["id"], Nonces(buyer="01" * 32, seller="02" * 32)
            )
            proposal = given.book.proposals[found["id"]]
            assert proposal.terms is not None
            digest, sides = proposal.terms.sha256, given.book.sides(proposal)
            for measure, party in ((approvals, sides.buyer.id), (bookings, sides.seller.id)):
                who = people.shown(owners[party], clock())
                measure.measure(
                    lambda who=who, name=found["id"], digest=digest: trading.give(
                        who, "proposal", "approve", name, digest
                    )
                )
        clock.instant += DAY
    return [
        submissions.line(f"{where}: submission"),
        approvals.line(f"{where}: first approval"),
        bookings.line(f"{where}: second approval, booking"),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--sqlite-only", action="store_true")
    asked = parser.parse_args()
    venues.configured()
    lines = []
    with tempfile.TemporaryDirectory() as folder, sqlite_pair(Path(folder)) as bare:
        lines += measured(bare, asked.count, "SQLite")
    if not is_installed():
        print("PostgreSQL is not installed here and left out: apt-get install postgresql", file=sys.stderr)
    elif not asked.sqlite_only:
        with postgresql_cluster(durable=True) as cluster, postgresql_pair(cluster) as bare:
            lines += measured(bare, asked.count, "PostgreSQL")
    print(f"{'operation':34} {'times':>6} {'ms':>9} {'a second':>8} {'bare ms':>9} {'ratio':>7}")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
