"""The cluster the tests of the venue stand on is PostgreSQL itself: it serializes, and keeps what was committed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dj_database_url
import psycopg
import pytest

from databases import Cluster, postgresql_cluster

pytestmark = pytest.mark.machine


@pytest.fixture(scope="module")
def durable() -> Iterator[Cluster]:
    """A cluster that waits for the disk at each commit."""
    with postgresql_cluster(durable=True) as cluster:
        yield cluster


def _rows(url: str) -> list[int]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("SELECT n FROM kept ORDER BY n")]


def _keep(url: str, number: int) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (n bigint PRIMARY KEY)")
        connection.execute("INSERT INTO kept VALUES (%s)", (number,))


def test_two_databases_of_a_cluster_know_nothing_of_each_other(postgresql: Cluster) -> None:
    first, second = postgresql.create("first"), postgresql.create("second")
    _keep(first, 1)
    _keep(second, 2)
    assert (_rows(first), _rows(second)) == ([1], [2])


def test_a_database_begins_as_its_template_is(postgresql: Cluster) -> None:
    _keep(postgresql.create("made_once"), 3)
    copy = postgresql.create("copied", template="made_once")
    _keep(copy, 4)
    assert (_rows(postgresql.url("made_once")), _rows(copy)) == ([3], [3, 4])


def test_the_cluster_is_on_this_machine_alone_and_asks_for_its_password(postgresql: Cluster) -> None:
    given = dj_database_url.parse(postgresql.url("postgres"))
    assert (given["ENGINE"], given["HOST"]) == ("django.db.backends.postgresql", "127.0.0.1")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgresql.url("postgres"), password="another")
    with psycopg.connect(postgresql.url("postgres")) as connection:
        listening = connection.execute("SHOW listen_addresses").fetchone()
    assert listening == ("127.0.0.1",)


def test_of_two_that_read_what_the_other_writes_one_is_refused(postgresql: Cluster) -> None:
    """Both count the rows and add one: in whichever order, the second would have counted the row of the first."""
    url = postgresql.create("serialized")
    _keep(url, 0)
    with psycopg.connect(url) as one, psycopg.connect(url) as other:
        for connection in (one, other):
            connection.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (1,)
        one.execute("INSERT INTO kept VALUES (1)")
        other.execute("INSERT INTO kept VALUES (2)")
        one.commit()
        with pytest.raises(psycopg.errors.SerializationFailure):
            other.commit()
    assert _rows(url) == [0, 1]


def test_a_hard_stop_loses_nothing_committed_and_keeps_nothing_that_was_not(durable: Cluster) -> None:
    url = durable.create("stopped")
    _keep(url, 1)
    cut_off = psycopg.connect(url)
    cut_off.execute("INSERT INTO kept VALUES (2)")
    durable.stop_hard()
    assert not durable.is_running()
    with pytest.raises(psycopg.OperationalError):
        cut_off.commit()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    durable.start()
    assert _rows(url) == [1]
    with psycopg.connect(url) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("on",)


def test_nothing_is_left_of_a_cluster() -> None:
    with postgresql_cluster() as cluster:
        url = cluster.url("postgres")
        with psycopg.connect(url) as connection:
            (data,) = connection.execute("SHOW data_directory").fetchone() or ("",)
        assert Path(data).is_dir()
    assert not Path(data).parent.exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
