"""The same request sent to two servers at the same time, on PostgreSQL: done once, and both get the one answer.

The race is arranged: both have looked for an answer and found none before either does what was asked.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest

import venues
from databases import Cluster, postgresql_cluster

pytestmark = pytest.mark.machine

_WAIT_SECONDS = 30


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with postgresql_cluster() as cluster:
        yield cluster


def test_two_servers_do_it_once(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one server holds in flight another one does not know of: here nobody holds anything."""
    with venues.postgresql(cluster), venues.clock():
        from django.db import connections

        from mtok.venue.database import answering
        from mtok.venue.database.answering import Answer, answered
        from mtok.venue.database.models import Answered, Notice

        monkeypatch.setattr(answering, "_in_flight", lambda *_: nullcontext())
        both_looked = threading.Barrier(2)
        mine = threading.local()
        answers: list[Any] = []

        def work() -> Answer:
            if not getattr(mine, "has_waited", False):
                mine.has_waited = True
                both_looked.wait(_WAIT_SECONDS)
            made = Notice.objects.create(kind="notification", at=0, text="done")
            return Answer(status=201, body=made.pk)

        def ask() -> None:
            answers.append(answered("login:1", "k", b"a", work))
            connections.close_all()

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for one in threads:
            one.start()
        for one in threads:
            one.join(_WAIT_SECONDS)
        [notice] = Notice.objects.all()
        assert {(one.status, one.body) for one in answers} == {(201, notice.pk)}
        assert sorted(one.is_again for one in answers) == [False, True]
        assert Answered.objects.count() == 1
