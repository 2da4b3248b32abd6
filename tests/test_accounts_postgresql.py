"""Signing in on PostgreSQL: the whole path, and a code that eight show at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

import signing_in
import venues
from databases import postgresql_cluster
from signing_in import Visitor, registered, totp

pytestmark = pytest.mark.machine

venues.configured()

from django.core.cache import cache  # noqa: E402 - Django takes its settings first

from mtok.venue.accounts.models import Login  # noqa: E402 - Django takes its settings first


@pytest.fixture
def clock() -> Iterator[venues.Clock]:
    cache.clear()
    with postgresql_cluster() as cluster, venues.postgresql(cluster), venues.clock() as set_clock:
        yield set_clock


def test_signing_in_and_a_code_shown_at_once(clock: venues.Clock) -> None:
    with signing_in.post_office() as post:
        secret = registered(post).enrol(clock)
    visitor = Visitor()
    visitor.sign_in()
    visitor.send("code", code=totp(secret, clock()))
    assert visitor.client.get("/account/", secure=True).status_code == 200

    clock.pass_seconds(30)
    login, code = Login.objects.get(), totp(secret, clock())
    found: list[bool] = []

    def show() -> None:
        from django.db import connection

        from mtok.venue.accounts.factors import taken

        found.append(taken(login.pk, code) is not None)
        connection.close()

    threads = [threading.Thread(target=show) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [False] * 7 + [True]
