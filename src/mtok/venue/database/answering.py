"""Requests that carry a key are done once: the answer is kept in the transaction that did what was asked.

The same key with the same request gets the same answer again. What was refused has changed nothing and is not kept: the
same key may be tried again. Two at the same time: one of them is told to wait, in this process; of two processes the
database lets one through, and the other then finds its answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Final

from mtok.canonical import sha256_hex
from mtok.errors import BadCall
from mtok.venue import place
from mtok.venue.database.models import Answered
from mtok.venue.database.transactions import transaction_of

KEY_CHARS_MAX: Final = 80
_KEY: Final = re.compile(rf"[!-~]{{1,{KEY_CHARS_MAX}}}", re.ASCII)
_IN_FLIGHT: Final[set[tuple[str, str]]] = set()
_LOCK: Final = Lock()


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a request was answered. is_again : whether it was answered before"""

    status: int
    body: str
    is_again: bool = False


def answered(
    scope: str,
    key: str | None,
    request: bytes,
    work: Callable[[], Answer],
    transaction: Callable[[Callable[[], Answer]], Answer] = transaction_of,
) -> Answer:
    """Return the answer to a request, made once. scope : whose key it is · request : all that it asks for

    transaction : makes one transaction of what it is given, as `transaction_of`

    Raises BadCall: `idempotency_key_missing`, `idempotency_key_invalid`, `idempotency_key_reused`,
    `idempotency_in_flight`; and whatever `work` raises.
    """
    name, digest = _checked(key), sha256_hex(request)

    def once() -> Answer:
        before = Answered.objects.filter(scope=scope, key=name).first()
        if before is not None:
            return _again(before, digest)
        made = work()
        Answered.objects.create(
            scope=scope, key=name, request_sha256=digest, status=made.status, body=made.body, at=place.now()
        )
        return made

    with _in_flight(scope, name):
        return transaction(once)


def _checked(key: str | None) -> str:
    if not key:
        raise BadCall(
            "idempotency_key_missing",
            "no Idempotency-Key",
            "Send one of your own making with every POST, and the same one when you repeat it.",
        )
    if not _KEY.fullmatch(key):
        raise BadCall(
            "idempotency_key_invalid",
            "the Idempotency-Key cannot be one",
            f"1 to {KEY_CHARS_MAX} printable characters of ASCII without blanks.",
        )
    return key


def _again(before: Answered, digest: str) -> Answer:
    if before.request_sha256 != digest:
        raise BadCall(
            "idempotency_key_reused",
            "this Idempotency-Key came with another request before",
            "Take another key for another request.",
        )
    return Answer(status=before.status, body=before.body, is_again=True)


@contextmanager
def _in_flight(scope: str, key: str) -> Iterator[None]:
    mine = (scope, key)
    with _LOCK:
        if mine in _IN_FLIGHT:
            raise BadCall(
                "idempotency_in_flight",
                "a request with this Idempotency-Key is being answered",
                "Send it again in a moment.",
            )
        _IN_FLIGHT.add(mine)
    try:
        yield
    finally:
        with _LOCK:
            _IN_FLIGHT.discard(mine)
