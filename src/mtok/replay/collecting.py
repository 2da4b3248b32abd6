"""A recorded market collected as it came: over the loopback, at each instant at which something in it changes."""

from __future__ import annotations

from collections.abc import Callable

from mtok.archive import Response, Store
from mtok.calendar import day_of
from mtok.collection import Collected, collect, sound, together
from mtok.observations import Observations
from mtok.progress import Progress, silent
from mtok.replay.clock import ReplayClock
from mtok.replay.recording import Recording
from mtok.replay.server import ReplayServer
from mtok.sources import OpenRouter

_KEY = "replay"


def collect_recorded(
    store: Store,
    recording: Recording,
    *,
    days: tuple[int | None, int | None] = (None, None),
    progress: Progress = silent,
) -> Collected:
    """Collect from a recording what a live collector would have, whose clock shows each of its instants in turn.

    days : the first and the last UTC day of these instants, None where open
    """
    first, last = days
    instants = [
        instant
        for instant in recording.instants()
        if (first is None or day_of(instant) >= first) and (last is None or day_of(instant) <= last)
    ]
    clock = ReplayClock(recording.instants()[0])
    parts = []
    with store.writing(), ReplayServer(recording, clock) as server:

        def connect(keep: Callable[[Response], None]) -> OpenRouter:
            return OpenRouter(
                clock, keep=keep, log=_unsaid, key=_KEY, url=server.url, origin=recording.origin, sound=sound
            )

        observations = Observations(store)
        observations.refresh(progress)
        endpoints = bool(recording.endpoints)
        for done, instant in enumerate(instants):
            progress("collecting", done, len(instants))
            clock.set(instant)
            parts.append(collect(store, observations, connect, clock, endpoints=endpoints, progress=silent))
        progress("collecting", len(instants), len(instants))
    return together(parts)


def _unsaid(event: str, **said: object) -> None:
    """Log nothing."""
