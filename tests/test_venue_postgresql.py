"""The venue on PostgreSQL: the same sequences, the same triggers, and what happens at the same time.

The races run at the isolation of production and end without a violation. The same races at READ COMMITTED, without
locks and without looking at versions, do violate: a test that could not fail would say nothing.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

import people
import venues
from databases import Cluster, postgresql_cluster
from mtok.calendar import DAY, parse_date
from mtok.market.margin import Side
from mtok.market.proposals import Nonces
from mtok.settlement.machines import Refused
from mtok.settlement.people import Role
from settling import mark_of
from test_venue_sequences import drive
from test_venue_trading import RUN, drafted, published, submitted

pytestmark = pytest.mark.machine

SEQUENCES = 6
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
    from mtok.venue.otc import clockwork, trading

    roles = (Role.PARTICIPANT_USER, Role.PARTICIPANT_APPROVER)
    both = [
        people.person(f"Approver {name}", *roles, organisation=people.organisation(name, lei))
        for name, lei in zip(("Alder", "Birch"), people.LEIS, strict=False)
    ]
    desk = people.person("Desk", Role.DESK)
    for number in range(3):
        for who, side in zip(both, Side, strict=True):
            submitted(who, f"{side}{number}", side)
            trading.give(desk, "request", "accept", f"{side}{number}")
    clock.instant = RUN + 60_000_000
    clockwork.make_runs(clock())
    found = []
    for pair in trading.all_open(desk, Role.DESK)["proposal"]:
        given = trading.give(desk, "proposal", "send", pair["id"], Nonces(buyer="01" * 32, seller="02" * 32))
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
    from mtok.venue.otc import trading

    approvers, terms = with_terms(clock)
    outcomes: Counter[str] = Counter()
    for identity, digest in terms:
        approvals = [
            partial(trading.give, who, "proposal", "approve", identity, digest)
            for who in approvers * (THREADS // 2)
        ]
        decline = partial(trading.give, approvers[0], "proposal", "decline", identity)
        outcomes += together([*approvals, decline])
    return outcomes


def test_approvals_and_a_decline_at_the_same_time_make_one_contract_or_none(clock: venues.Clock) -> None:
    outcomes = race_of_approvals(clock)
    assert violations() == []
    assert set(outcomes) <= {"done", "approved_already", "not_allowed"}, outcomes


def test_without_isolation_locks_and_versions_the_same_race_does_violate(
    clock: venues.Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: what these hold together is lost without them."""
    from mtok.venue.database import books, transactions

    monkeypatch.setattr(transactions, "ISOLATION", "READ COMMITTED")
    read = books.read
    monkeypatch.setattr(books, "read", lambda *args, **kwargs: read(*args, **kwargs | {"locked": False}))
    monkeypatch.setattr(books, "keep_one", _kept_whatever_was_there)
    _let_go()
    race_of_approvals(clock)
    assert violations()


def _let_go() -> None:
    """Take away what the database holds by itself."""
    from django.db import connection

    with connection.cursor() as cursor:
        for table in ("request", "proposal", "contract"):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute("ALTER TABLE event DROP CONSTRAINT one_event_a_version")


def _kept_whatever_was_there(one: Any, version: int | None, cause: Any) -> int:
    """Write an object over whatever stands there."""
    from mtok.venue.database.models import Event
    from mtok.venue.database.records import KINDS, kind_of, record_of

    kind = KINDS[kind_of(one)]
    after = 0 if version is None else version + 1
    columns = {"state": one.state, "record": record_of(one), "version": after, **kind.columns(one)}
    kind.table.objects.update_or_create(pk=one.id, defaults=columns)
    Event.objects.create(
        at=cause.at,
        kind=kind_of(one),
        object=one.id,
        version=after,
        command=cause.command,
        details="",
        state=one.state,
        record=columns["record"],
    )
    return after


def submit_at_once(clock: venues.Clock) -> Counter[str]:
    """Submit eight requests of one side at the same time."""
    from mtok.venue.otc import trading

    user = people.person("User", Role.PARTICIPANT_USER, organisation=people.organisation("Alder"))
    for number in range(8):
        drafted(user, f"r{number}", Side.BUY)
    return together([partial(trading.give, user, "request", "submit", f"r{number}") for number in range(8)])


def test_a_quota_holds_at_the_same_time(clock: venues.Clock) -> None:
    assert submit_at_once(clock) == {"done": 3, "quota_side": 5}


def test_without_isolation_the_quota_does_not_hold(
    clock: venues.Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: rows that are not there yet cannot be locked, so a lock alone would not do."""
    from mtok.venue.database import transactions

    monkeypatch.setattr(transactions, "ISOLATION", "READ COMMITTED")
    assert submit_at_once(clock)["done"] > 3


def test_a_run_is_made_once_whoever_makes_it(clock: venues.Clock) -> None:
    from mtok.venue.database import runs
    from mtok.venue.otc import clockwork

    clock.instant = RUN + 2 * DAY
    outcomes = together([lambda: clockwork.make_runs(clock()) for _ in range(THREADS)])
    assert outcomes == {"done": THREADS}
    assert len(runs.last_runs(0, 9)) == 5
    assert violations() == []


def test_margin_of_a_day_is_taken_once_whoever_takes_it(clock: venues.Clock) -> None:
    """Several workers at the same time: one margin day, one movement, whatever the others come to."""
    from mtok.market.contracts import Posted
    from mtok.market.trial_balance import check
    from mtok.venue.database import giving, ledger
    from mtok.venue.database.books import Surroundings
    from mtok.venue.otc import trading

    approvers, [(identity, digest), *_] = with_terms(clock)
    for who in approvers:
        trading.give(who, "proposal", "approve", identity, digest)
    till = people.person("Till", Role.TREASURY)
    trading.give(till, "contract", "activate", identity, Posted(buyer=2_000_000, seller=2_000_000))
    usual = trading.surroundings()
    around = Surroundings(
        rules=usual.rules,
        parties=usual.parties,
        references=usual.references,
        follow=lambda _, changes, cause: ledger.post(changes, cause),
    )
    day = parse_date("2026-06-24")
    marks = [mark_of("2026-06-24", 13_000_000)]
    at = (day + 1) * DAY + 19 * 3600 * 10**6
    outcomes = together(
        [partial(giving.give_margin, around, marks, day, at, {identity}) for _ in range(THREADS)]
    )
    assert outcomes == {"done": THREADS}
    [contract] = ledger.contracts()
    assert [one.day for one in contract.days] == [day]
    assert check(ledger.transactions(), [contract]) == []
    assert violations() == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET record = '{}'",
        "DELETE FROM event",
        "TRUNCATE event CASCADE",
        "UPDATE request SET state = 'filled', version = version + 1",
        "UPDATE request SET lots = 7",
        "DELETE FROM request",
        "INSERT INTO request SELECT 'x', 'live', 0, record, party, reference, lots, 0, 0, expires FROM request",
    ],
)
def test_the_database_holds_history_and_steps_by_itself(clock: venues.Clock, statement: str) -> None:
    from django.db import DatabaseError, connection, transaction

    user = people.person("User", Role.PARTICIPANT_USER, organisation=people.organisation("Alder"))
    submitted(user, "r", Side.BUY)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert violations() == []
