"""What there is one of in a server: the publication it shows and the clock it goes by."""

from __future__ import annotations

import time
from functools import cache

from mtok.calendar import parse_instant
from mtok.venue.environment import environment
from mtok.venue.opened import Opened, Opening


@cache
def opening() -> Opening:
    """Return what opens the publication of this server."""
    return Opening(environment().store)


def opened() -> Opened:
    """Return the publication as it is now."""
    return opening().now()


def now() -> int:
    """Return the instant it is, or that MTOK_NOW says."""
    fixed = environment().now
    return parse_instant(fixed) if fixed else time.time_ns() // 1_000
