"""The venue on PostgreSQL: the same sequences, the same triggers, and what happens at the same time.

The races run at the isolation of production and end without a violation. The same races at READ COMMITTED, without
locks and without looking at versions, do violate: a test that could not fail would say nothing.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import people
import venues
from databases import Cluster, postgresql_cluster
from mtok.calendar import DAY, parse_instant
from mtok.market.margin import Side
from mtok.market.proposals import Nonces
from mtok.settlement.machines import Refused
from mtok.settlement.people import Role
from test_venue_sequences import drive
from test_venue_trading import RUN, published, submitted

pytestmark = pytest.mark.machine

SEQUENCES = 6
PAIRS = 6
THREADS = 6


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with postgresql_cluster() as cluster:
        yield cluster


@pytest.mark.parametrize("seed", range(1000, 1000 + SEQUENCES))
def test_what_is_kept_is_what_the_core_says(seed: int, cluster: Cluster) -> None:
    with venues.postgresql(cluster):
        assert drive(seed, 24).steps >= 24


@pytest.fixture
def clock(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[venues.Clock]:
    with venues.postgresql(cluster), venues.clock() as clock:
        published(monkeypatch)
        yield clock


def together(works: list[Callable[[], Any]]) -> Counter[str]:
    """Do several things at the same time, each in a thread with a connection of its own; count how they came out."""
    from django.db import connections

    outcomes: list[str] = []
    ready = threading.Barrier(len(works))

    def one(work: Callable[[], Any]) -> None:
        try:
            ready.wait()
            work()
            outcomes.append("done")
        except Refused as refused:
            outcomes.append(refused.code)
        except Exception as error:
            outcomes.append(f"{type(error).__name__}: {error}")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Counter(outcomes)


def with_terms(clock: venues.Clock) -> tuple[list[Any], list[tuple[str, str]]]:
    """Make pairs of requests with terms; return their two approvers, and each proposal with the digest of its terms."""
    from mtok.venue import clockwork, trading

    roles = (Role.PARTICIPANT_USER, Role.PARTICIPANT_APPROVER)
    both = [
        people.person(f"Approver {name}", *roles, organisation=people.organisation(name, lei))
        for name, lei in zip(("Alder", "Birch"), people.LEIS, strict=False)
    ]
    desk = people.person("Desk", Role.DESK)
    for number in range(3):
        for who, side in zip(both, Side, strict=True):
            submitted(who, f"{side}{number}", side, 10 + number)
            trading.give(desk, "request", "accept", f"{side}{number}")
    clock.instant = RUN + 60_000_000
    clockwork.make_runs(clock())
    found = []
    for pair in trading.all_open(desk, Role.DESK)["proposal"]:
        given = trading.give(
            desk, "proposal", "send", pair["id"], Nonces(buyer="01" * 32, seller="02" * 32)
        )
        terms = given.book.proposals[pair["id"]].terms
        assert terms is not None
        found.append((pair["id"], terms.sha256))
    assert len(found) == 3
    return [people.shown(who, clock()) for who in both], found


def violations() -> list[str]:
    """Return what must never be: an object that is not its history, quantities that do not add up, two of one thing."""
    from mtok.venue.database.models import ContractRow, Event, ProposalRow, RequestRow
    from mtok.venue.database.records import KINDS

    found = []
    for kind in ("request", "proposal", "contract"):
        for row in KINDS[kind].table.objects.all():
            events = list(Event.objects.filter(kind=kind, object=row.pk).order_by("pk"))
            versions = [event.version for event in events]
            if versions != list(range(len(versions))) or events[-1].record != row.record:
                found.append(f"{kind} {row.pk}: versions {versions} of {row.version}")
    booked = list(ProposalRow.objects.filter(state="booked"))
    if {row.pk for row in booked} != set(ContractRow.objects.values_list("pk", flat=True)):
        found.append("contracts are not the booked proposals")
    filled: Counter[str] = Counter()
    for row in booked:
        lots = KINDS["proposal"].read(row.record).lots
        filled.update({row.buy_id: lots, row.sell_id: lots})
    found += [
        f"request {row.pk}: {row.filled} filled, {filled[row.pk]} in contracts"
        for row in RequestRow.objects.all()
        if row.filled != filled[row.pk]
    ]
    return found


def race_of_approvals(clock: venues.Clock) -> Counter[str]:
    """Let both sides approve, and decline, every proposal from many threads at once."""
    from mtok.venue import trading

    approvers, terms = with_terms(clock)
    outcomes: Counter[str] = Counter()
    for identity, digest in terms:
        works = [
            lambda who=who: trading.give(who, "proposal", "approve", identity, digest)
            for who in approvers * (THREADS // 2)
        ]
        works.append(lambda: trading.give(approvers[0], "proposal", "decline", identity))
        outcomes += together(works)
    return outcomes


def test_approvals_and_a_decline_at_the_same_time_make_one_contract_or_none(clock: venues.Clock) -> None:
    outcomes = race_of_approvals(clock)
    assert violations() == []
    assert set(outcomes) <= {"done", "approved_already", "not_allowed"}, outcomes


def test_without_isolation_locks_and_versions_the_same_race_does_violate(
    clock: venues.Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: what the three hold together none of them does when they are gone."""
    from mtok.venue.database import books, transactions

    monkeypatch.setattr(transactions, "ISOLATION", "READ COMMITTED")
    real = books.read
    monkeypatch.setattr(books, "read", lambda *args, **kwargs: real(*args, **kwargs | {"locked": False}))
    unheld()
    monkeypatch.setattr(books, "keep_one", _kept_whatever_it_was)
    for _ in range(5):
        race_of_approvals(clock)
        if violations():
            return
        clock.instant += DAY
    raise AssertionError("five races without isolation, and nothing was violated")
