"""A request that carries a key is done once, whatever is repeated, lost or sent at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import venues
from mtok.errors import BadCall

SCOPE = "login:1"


@pytest.fixture(autouse=True)
def database(tmp_path: Path) -> Iterator[None]:
    with venues.sqlite(tmp_path / "venue.sqlite3"), venues.clock():
        yield


def _code(call: Callable[[], object]) -> str:
    with pytest.raises(BadCall) as refused:
        call()
    return refused.value.code


def test_the_same_again_is_answered_the_same_and_not_done() -> None:
    from mtok.venue.database.answering import Answer, answered

    done = []

    def work() -> Answer:
        done.append(1)
        return Answer(status=201, body=f"{len(done)}")

    assert answered(SCOPE, "k", b"a", work) == Answer(status=201, body="1")
    assert answered(SCOPE, "k", b"a", work) == Answer(status=201, body="1", is_again=True)
    assert _code(lambda: answered(SCOPE, "k", b"b", work)) == "idempotency_key_reused"
    assert answered("login:2", "k", b"b", work).body == "2"
    assert answered(SCOPE, "l", b"a", work).body == "3"


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (None, "missing"),
        ("", "missing"),
        ("a b", "invalid"),
        ("é", "invalid"),
        ("a\n", "invalid"),
        ("k" * 81, "invalid"),
    ],
)
def test_a_key_that_cannot_be_one(key: str | None, code: str) -> None:
    from mtok.venue.database.answering import Answer, answered

    assert (
        _code(lambda: answered(SCOPE, key, b"", lambda: Answer(status=200, body="")))
        == f"idempotency_key_{code}"
    )


def test_what_was_refused_is_not_kept() -> None:
    from mtok.venue.database.answering import Answer, answered
    from mtok.venue.database.models import Answered

    def refuse() -> Answer:
        raise BadCall("no", "no", "no")

    assert _code(lambda: answered(SCOPE, "k" * 80, b"a", refuse)) == "no"
    assert not Answered.objects.exists()
    assert answered(SCOPE, "k" * 80, b"b", lambda: Answer(status=200, body="x")).body == "x"


def test_the_same_at_the_same_time_is_told_to_wait() -> None:
    from mtok.venue.database.answering import Answer, answered

    begun, go_on, answers = threading.Event(), threading.Event(), []

    def work() -> Answer:
        begun.set()
        assert go_on.wait(20)
        return Answer(status=200, body="first")

    def first() -> None:
        from django.db import connections

        answers.append(answered(SCOPE, "k", b"a", work))
        connections.close_all()

    thread = threading.Thread(target=first)
    thread.start()
    assert begun.wait(20)
    assert _code(lambda: answered(SCOPE, "k", b"a", work)) == "idempotency_in_flight"
    go_on.set()
    thread.join()
    assert answered(SCOPE, "k", b"a", work) == Answer(status=200, body="first", is_again=True)
    assert [one.body for one in answers] == ["first"]
