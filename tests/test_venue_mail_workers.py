"""Two workers on PostgreSQL: every mail is taken once, whoever takes it, and none waits for another one."""

from __future__ import annotations

import threading
from collections import Counter
from mailbox import deliver, mailbox

import pytest

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
        from mtok.venue.database.models import Message
        from mtok.venue.mail import outbox
        from mtok.venue.mail.writing import composed

        words = composed("A subject", ["A paragraph."], "https://localhost/venue/")
        for number in range(MAILS):
            outbox.message(f"made up:{number}", "reader@example.com", words, clock()).save()
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
