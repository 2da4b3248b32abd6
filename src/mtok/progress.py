"""How long work tells how far it is, to whoever asked for it."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with (what, done, total) as work goes on."""


def silent(what: str, done: int, total: int) -> None:
    """Report no progress."""
