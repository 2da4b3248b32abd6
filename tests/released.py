"""A store that publishes the bundled sample as time goes by: what the tests of publications look at."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from mtok.archive import Store
from mtok.calendar import parse_date, parse_instant
from mtok.day import publish_due
from mtok.notes import PrivateKey
from mtok.progress import silent
from mtok.publication.operators import create_key, give_notice, rotate_key
from mtok.publication.press import nowhere
from mtok.replay import Recording, ReplayClock, collect_recorded

ORIGIN: Final = "index.example.org/log"
FIRST_KEY: Final = PrivateKey(name=ORIGIN, seed=bytes(range(32)))
SECOND_KEY: Final = PrivateKey(name=ORIGIN, seed=bytes(range(1, 33)))


def release_sample(path: Path) -> Path:
    """Publish history, three days as they come, a notice and a new key; return the store's folder."""
    store = Store.create(path)
    create_key(store, ORIGIN, FIRST_KEY.seed)
    _collect(store, None, "2026-06-25")
    publish_at(store, "2026-06-25T14:05:00Z")
    publish_at(store, "2026-06-26T06:05:00Z")
    _collect(store, "2026-06-26", "2026-06-26")
    publish_at(store, "2026-06-26T14:05:00Z")
    give_notice(
        store,
        parse_instant("2026-06-26T15:00:00Z"),
        nowhere,
        kind="incident",
        text="Rankings of 25 June came after six in the morning.",
        series=None,
        first_date="2026-06-25",
        last_date="2026-06-25",
        progress=silent,
    )
    rotate_key(store, parse_instant("2026-06-26T16:00:00Z"), nowhere, SECOND_KEY.seed, silent)
    _collect(store, "2026-06-27", "2026-06-27")
    publish_at(store, "2026-06-27T14:05:00Z")
    return path


def _collect(store: Store, first_date: str | None, last_date: str) -> None:
    first = None if first_date is None else parse_date(first_date)
    collect_recorded(store, Recording.sample(), days=(first, parse_date(last_date)))


def publish_at(store: Store, instant: str) -> None:
    """Publish what is due at an instant."""
    publish_due(store, ReplayClock(parse_instant(instant), 0), nowhere)
