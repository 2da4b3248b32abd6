"""A venue that is killed loses nothing that it has told as done, does nothing twice, and goes on to the same end.

`scripts/venue_kills.py` kills as often as asked, on SQLite and on PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import venue_kills
from databases import postgresql_cluster

KILLS = 20
SEED = 20260621


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[venue_kills.World]:
    with venue_kills.sqlite_world(tmp_path_factory.mktemp("killed")) as world:
        yield world


def test_kills_on_sqlite(world: venue_kills.World) -> None:
    tally = venue_kills.kill_at_random(world, KILLS, SEED)
    assert tally.broken == []
    assert tally.kills.total() >= KILLS
    assert tally.acknowledged > 0


@pytest.mark.machine
def test_kills_on_postgresql() -> None:
    with postgresql_cluster() as cluster, venue_kills.postgresql_world(cluster) as world:
        tally = venue_kills.kill_at_random(world, KILLS, SEED)
    assert tally.broken == []
