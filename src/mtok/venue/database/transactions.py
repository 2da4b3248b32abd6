"""One transaction for everything that belongs together, run again as a whole when another one came between.

On PostgreSQL it is SERIALIZABLE; what the database then refuses to order (40001, 40P01), and a row that somebody else
has made in the meantime (23505 of a named constraint), is tried again from the beginning. On SQLite there is one writer
at a time (`BEGIN IMMEDIATE`). So `work` may run several times and must do nothing that cannot be taken back.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

from django.db import DatabaseError, OperationalError, connection, transaction

from mtok.errors import EnvironmentFailed

_T = TypeVar("_T")

ATTEMPTS: Final = 8
ISOLATION: Final = "SERIALIZABLE"
_FIRST_WAIT_SECONDS: Final = 0.02
_CAME_BETWEEN: Final = frozenset({"40001", "40P01"})
_SAME_ROW: Final = frozenset(
    {
        "one_event_a_version",
        "one_answer_a_key",
        "one_version_a_mark",
        "one_use_a_mark",
        "telling_pkey",
        "accounts_decision_pkey",
        "one_decision_a_number",
        "one_grant_a_role",
    }
)
"""Constraints that only something at the same time can break: whoever runs again sees the other's row."""


class Overtaken(Exception):
    """An object has changed since it was read."""


def transaction_of(work: Callable[[], _T], *, before: Callable[[], object] | None = None) -> _T:
    """Return what `work` returns, done whole or not at all; within another one it is a part of that.

    before : what is done before each attempt, in transactions of its own
    Raises EnvironmentFailed (`too_busy`) after so many attempts, and whatever `work` raises.
    """
    if connection.in_atomic_block:
        return work()
    for attempt in range(ATTEMPTS):
        if before is not None:
            before()
        try:
            with transaction.atomic(durable=True):
                if connection.vendor == "postgresql":
                    with connection.cursor() as cursor:
                        cursor.execute(f"SET TRANSACTION ISOLATION LEVEL {ISOLATION}")
                return work()
        except (DatabaseError, Overtaken) as error:
            if not _may_pass(error):
                raise
        time.sleep(random.random() * _FIRST_WAIT_SECONDS * 2**attempt)
    raise EnvironmentFailed(
        "too_busy",
        f"{ATTEMPTS} attempts met others that changed the same",
        "Nothing has changed. Do it again in a moment.",
    )


def _may_pass(error: Exception) -> bool:
    """Return whether the same again may succeed."""
    if isinstance(error, Overtaken):
        return True
    cause: Any = error.__cause__
    state = getattr(cause, "sqlstate", None)
    if state == "23505":
        return cause.diag.constraint_name in _SAME_ROW
    return state in _CAME_BETWEEN or (isinstance(error, OperationalError) and "locked" in str(error))
