"""Two workers on PostgreSQL: every mail is taken once, whoever takes it, and none waits for another one."""

from __future__ import annotations

import threading
from collections import Counter
from mailbox import deliver, mailbox

import pytest

import people
import venues
from databases import postgresql_cluster

pytestmark = pytest.mark.machine

MAILS = 60
WORKERS = 4


def test_workers_at_the_same_time() -> None:
    from django.db import connections

    with (
        postgresql_cluster() as cluster,
        venues.postgresql(cluster),
        venues.clock() as clock,
        mailbox() as box,
    ):
        from mtok.venue.accounts.models import Login
        from mtok.venue.database.models import Message
        from mtok.venue.mail import outbox
        from mtok.venue.mail.writing import composed

        reader = Login.objects.get(pk=people.person("Reader").login)
        words = composed("A subject", ["A paragraph."], "https://localhost/venue/")
        for number in range(MAILS):
            event = f"made up:{number}"
            outbox.message(event, reader, words, made_at=clock(), not_before=clock()).save()
        ready, taken = threading.Barrier(WORKERS), list[int]()

        def work() -> None:
            ready.wait()
            try:
                taken.append(deliver(box, clock()))
            finally:
                connections.close_all()

        threads = [threading.Thread(target=work) for _ in range(WORKERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(taken) == MAILS
        assert Counter(Counter(box.ids).values()) == {1: MAILS}
        assert {one.attempts for one in Message.objects.all()} == {1}
        assert min(taken) > 0, "one worker did it all: nothing was at the same time"
