"""What there is one of in a server: the publication it shows and the clock it goes by."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Final

from django.http import HttpRequest, HttpResponse

from mtok.calendar import parse_instant
from mtok.venue.environment import environment
from mtok.venue.opened import Opened, Opening

_MADE_TO_BE: Final[ContextVar[int | None]] = ContextVar("made_to_be", default=None)
_BEGUN_WITH: Final[ContextVar[Opened | None]] = ContextVar("begun_with", default=None)


@cache
def opening() -> Opening:
    """Return what opens the publication of this server."""
    return Opening(environment().store)


def opened() -> Opened:
    """Return the publication as it is now, within a request as it was when that began."""
    return _BEGUN_WITH.get() or opening().now()


class OneOpening:
    """Middleware: a request sees one publication, whatever is published meanwhile."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        begun = _BEGUN_WITH.set(opening().now())
        try:
            return self._get_response(request)
        finally:
            _BEGUN_WITH.reset(begun)


def now() -> int:
    """Return the instant it is, or that MTOK_NOW says, or that it is made to be (`at`)."""
    return _MADE_TO_BE.get() or _clock()


@contextmanager
def at(instant: int) -> Iterator[None]:
    """Let it be an instant within: what the demonstration does in the past."""
    made = _MADE_TO_BE.set(instant)
    try:
        yield
    finally:
        _MADE_TO_BE.reset(made)


def on_their_clocks() -> int:
    """Return the instant that people's own clocks show, which MTOK_NOW does not stop: codes of apps go by them."""
    return time.time_ns() // 1_000 if environment().now else _clock()


def _clock() -> int:
    fixed = environment().now
    return parse_instant(fixed) if fixed else time.time_ns() // 1_000
