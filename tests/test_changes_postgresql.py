"""Changes that take two on PostgreSQL: what its triggers refuse, and decisions at the same time.

The races are arranged, not hoped for: both decisions have looked at everything before the first one is written. At the
isolation of production nothing that nobody may hold comes of it; at READ COMMITTED it does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import venues
from databases import Cluster, postgresql_cluster
from mtok.settlement.machines import Refused
from mtok.settlement.people import Role
from peopled import FOUNDERS, acting, changes, derived, founding, granted, holdings, models, named

pytestmark = pytest.mark.machine

_WAIT_SECONDS = 30


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with postgresql_cluster() as cluster:
        yield cluster


@pytest.fixture
def venue(cluster: Cluster) -> Iterator[venues.Clock]:
    """A venue with three admins."""
    with venues.postgresql(cluster), venues.clock() as clock:
        founding.found(FOUNDERS)
        granted(named("gus@example.org", "Gus"), Role.ADMIN)
        yield clock


@pytest.mark.parametrize("table", ["accounts_change", "accounts_decision", "accounts_accountevent"])
@pytest.mark.parametrize(
    "statement",
    ["UPDATE {table} SET {column} = {column}", "DELETE FROM {table}", "TRUNCATE {table} CASCADE"],
)
def test_the_database_refuses_to_edit_to_delete_and_to_empty(
    venue: venues.Clock, table: str, statement: str
) -> None:
    from django.db import DatabaseError, connection

    column = {"accounts_change": "kind", "accounts_decision": "decider", "accounts_accountevent": "what"}[
        table
    ]
    with connection.cursor() as cursor:
        with pytest.raises(DatabaseError, match="is insert-only"):
            cursor.execute(statement.format(table=table, column=column))
        cursor.execute(f"SELECT count(*) FROM {table}")
        assert cursor.fetchone()[0] > 0


def raced(works: list[Callable[[], Any]], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Do two decisions of which each has looked at everything before the first is written; return what came of them."""
    from django.db import connections

    looked, first_is_done = threading.Barrier(len(works)), threading.Event()
    mine, outcomes, write = threading.local(), [""] * len(works), changes.record

    def record(*args: Any, **said: Any) -> None:
        if not getattr(mine, "has_waited", False):
            mine.has_waited = True
            looked.wait(_WAIT_SECONDS)
            if mine.number:
                assert first_is_done.wait(_WAIT_SECONDS)
        write(*args, **said)

    def one(number: int) -> None:
        mine.number = number
        try:
            works[number]()
            outcomes[number] = "made"
        except Refused as refused:
            outcomes[number] = refused.code
        except Exception as error:
            outcomes[number] = f"{type(error).__name__}: {error}"
        finally:
            first_is_done.set()
            connections.close_all()

    monkeypatch.setattr(changes, "record", record)
    threads = [threading.Thread(target=one, args=(number,)) for number in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    monkeypatch.setattr(changes, "record", write)
    return outcomes


def decided(by: str, change: models.Change) -> Callable[[], Any]:
    """Return what approves a change."""
    principal = acting(by)
    return lambda: changes.decide(principal, change.id, is_approved=True)


def two_roles_of_one_person() -> list[Callable[[], Any]]:
    """Return two decisions, each of a role of its own login of one person, that nobody may hold together."""
    pat, pax = named("pat@example.org", "Pat"), named("pax@example.org", "Pat")
    eve = acting("eve@example.org")
    desk = changes.propose(eve, "grant", login=pat, details={"role": Role.DESK})
    auditor = changes.propose(eve, "grant", login=pax, details={"role": Role.AUDITOR})
    return [decided("fay@example.org", desk), decided("gus@example.org", auditor)]


def is_allowed(name: str) -> bool:
    """Whether a person holds what somebody may."""
    try:
        holdings.holding_of(models.Person.objects.get(name=name).id).refuse()
    except Refused:
        return False
    return True


def test_two_logins_of_a_person_get_no_two_roles_at_the_same_time(
    venue: venues.Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert raced(two_roles_of_one_person(), monkeypatch) == ["made", "stale"]
    assert is_allowed("Pat")
    assert list(derived.findings()) == []


def test_with_less_isolation_they_do(venue: venues.Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The positive control: the race above can find what it looks for."""
    from mtok.venue.database import transactions

    monkeypatch.setattr(transactions, "ISOLATION", "READ COMMITTED")
    assert raced(two_roles_of_one_person(), monkeypatch) == ["made", "made"]
    assert not is_allowed("Pat")


def test_two_admins_are_left_whoever_withdraws_at_the_same_time(
    venue: venues.Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of three admins two are to be withdrawn; each decision alone would leave two."""
    logins = {one.email: one for one in models.Login.objects.all()}
    details = {"role": Role.ADMIN}
    fay_goes = changes.propose(
        acting("eve@example.org"), "withdraw", login=logins["fay@example.org"], details=details
    )
    gus_goes = changes.propose(
        acting("eve@example.org"), "withdraw", login=logins["gus@example.org"], details=details
    )
    works = [decided("gus@example.org", fay_goes), decided("fay@example.org", gus_goes)]
    outcomes = raced(works, monkeypatch)
    assert outcomes == ["made", "not_yours"]
    assert models.Grant.objects.filter(role=Role.ADMIN).count() == 2


def test_a_change_is_decided_once_at_the_same_time(
    venue: venues.Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One waits for the row that the other has locked, and then finds it decided."""
    login = named("pat@example.org", "Pat")
    change = changes.propose(acting("eve@example.org"), "grant", login=login, details={"role": Role.DESK})
    barrier = threading.Barrier(2)
    outcomes = []

    def one(by: str) -> None:
        from django.db import connections

        work = decided(by, change)
        barrier.wait(_WAIT_SECONDS)
        try:
            work()
            outcomes.append("made")
        except Refused as refused:
            outcomes.append(refused.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one, args=(by,)) for by in ("fay@example.org", "gus@example.org")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["decided", "made"]
    assert models.Decision.objects.filter(change=change).count() == 1
