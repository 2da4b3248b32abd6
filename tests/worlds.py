"""A collector and a local OpenRouter on one clock: what the tests of collecting are made of."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mtok.archive import Response, Store
from mtok.calendar import SECOND, format_instant, parse_instant
from mtok.collection import Collected, collect, sound
from mtok.day import DayRun, run_day
from mtok.observations import Observations
from mtok.progress import silent
from mtok.replay import Recording, ReplayClock, ReplayServer
from mtok.sources import Limits, OpenRouter


class Naps:
    """In place of the module `time` where tenacity sleeps: the clock of the world moves instead."""

    def __init__(self, clock: ReplayClock) -> None:
        self._clock = clock

    def sleep(self, seconds: float) -> None:
        self._clock.set(self._clock.now() + round(seconds * SECOND))


class World:
    """A store, a client and a replay server on one clock."""

    def __init__(self, store: Store, server: ReplayServer, clock: ReplayClock, limits: Limits) -> None:
        self.store, self.server, self.clock, self.limits = store, server, clock, limits
        self.key: str | None = "key"
        self.said: list[tuple[str, dict[str, Any]]] = []
        self._seen = 0

    def connect(self, keep: Callable[[Response], None]) -> OpenRouter:
        return OpenRouter(
            self.clock,
            keep=keep,
            log=lambda event, **said: self.said.append((event, said)),
            key=self.key,
            url=self.server.url,
            limits=self.limits,
            origin="sample",
            sound=sound,
        )

    def collect(self, at: str | int | None = None, **options: Any) -> Collected:
        self.at(at)
        with self.store.writing():
            observations = Observations(self.store)
            observations.refresh(silent)
            return collect(self.store, observations, self.connect, self.clock, progress=silent, **options)

    def run(self, at: str | int | None = None, **options: Any) -> DayRun:
        self.at(at)
        return run_day(self.store, self.connect, self.clock, **options)

    def at(self, instant: str | int | None) -> None:
        if instant is not None:
            self.clock.set(parse_instant(instant) if isinstance(instant, str) else instant)

    def asked(self, part: str = "") -> list[str]:
        """Return what the server was asked since the last call, of paths that hold `part`."""
        requests = self.server.requests[self._seen :]
        self._seen = len(self.server.requests)
        return [request.path.removeprefix("/api/v1") for request in requests if part in request.path]

    def rows(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        return list(Observations(self.store).rows(table, *columns))


@contextmanager
def world(
    path: Path,
    recording: Recording,
    monkeypatch: Any,
    *,
    at: str,
    limits: Limits | None = None,
    **server: Any,
) -> Iterator[World]:
    """Serve a recording to a new store's collector; waits between tries take no time but the clock's."""
    clock = ReplayClock(parse_instant(at))
    monkeypatch.setattr("tenacity.nap.time", Naps(clock))
    with ReplayServer(recording, clock, **server) as running:
        yield World(Store.create(path), running, clock, limits or Limits())


def recorded_endpoints(folder: Path, ids: Sequence[str], at: str, price: str = "0.000002") -> Path:
    """Write a made-up endpoints response for each model and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, model_id in enumerate(ids):
        content = {
            "data": {
                "id": model_id,
                "endpoints": [
                    {
                        "provider_name": "OpenAI",
                        "tag": "openai",
                        "pricing": {"completion": price},
                        "status": 0,
                    }
                ],
            }
        }
        stamp = format_instant(parse_instant(at) + number * SECOND).replace(":", "")
        (folder / f"{stamp}.json").write_text(json.dumps(content))
    return folder
