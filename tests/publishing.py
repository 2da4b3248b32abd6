"""A small store that publishes: five days of made-up responses, as a replay would give them."""

from __future__ import annotations

from pathlib import Path

from mtok.archive import Store
from mtok.calendar import parse_date, parse_instant
from mtok.day import publish_due
from mtok.progress import silent
from mtok.publication.operators import create_key
from mtok.publication.press import Outside, nowhere
from mtok.publication.publish import Publication
from mtok.replay import ReplayClock
from watched import prices, store_of, volumes

ORIGIN = "index.example/log"
FIRST, SECOND, THIRD = (
    (f"2026-06-21T14:0{minute}:00Z", f"2026-06-{day}") for minute, day in ((1, 18), (2, 19), (3, 20))
)
"""Instants at which everything is captured, and up to which date is published then."""

_POSTED = {"openai/gpt-a": "0.000001", "anthropic/claude-a": "0.000002"}
_TOTALS = {"openai/gpt-a": 900_000_000, "anthropic/claude-a": 700_000_000}


def publishing_store(path: Path, until: str = "2026-06-22T00:00:00Z") -> Store:
    """Return a store with a key that has volumes of 18, 19 and 20 June 2026 and has published nothing.

    until : the instant up to which responses were captured
    """
    found = [prices(f"2026-06-{day} 12:00:00", _POSTED, origin="replay") for day in range(17, 22)]
    days = {f"2026-06-{day}": _TOTALS for day in (18, 19, 20)}
    found += [
        volumes(
            f"2026-06-{day} 02:05:00",
            {date: days[date] for date in sorted(days)[: day - 18]},
            origin="replay",
        )
        for day in (19, 20, 21)
    ]
    store = store_of(path, [response for response in found if response.captured_at < parse_instant(until)])
    create_key(store, ORIGIN, bytes([1]) * 32)
    return store


def publish_at(store: Store, at: tuple[str, str], outside: Outside = nowhere) -> Publication:
    """Publish at an instant what is due up to a date."""
    when, date = at
    clock = ReplayClock(parse_instant(when), 0)
    return publish_due(store, clock, outside, last_day=parse_date(date), progress=silent)
