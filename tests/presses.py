"""A desk that publishes: a store, a made-up market of three models, and the time each test says it is."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from markets import Taken, make_store, models, rankings
from mtok.archive import Store
from mtok.calendar import DAY, SECOND, format_date, parse_date, parse_instant
from mtok.client import open_source, verify
from mtok.day import publish_due
from mtok.notes import PrivateKey, PublicKey
from mtok.progress import silent
from mtok.publication.marks import MarkPrint
from mtok.publication.operators import create_key, give_notice, publish_marks, restate, rotate_key
from mtok.publication.publish import Publication
from mtok.publication.published import FOLDER, Published
from mtok.records import PublishedRecord
from mtok.replay import ReplayClock

SERIES: Final = ("openai", "google-gemini", "anthropic", "deepseek", "qwen", "moonshot")
ORIGIN: Final = "index.example/log"
TOKENS: Final = {"openai/a": 1_000_000, "openai/b": 3_000_000, "qwen/q": 500_000}
MODELS: Final = tuple(TOKENS)
HOUR: Final = 3600 * SECOND


def at(text: str) -> int:
    """Return the instant of `2026-01-10 06:00:00`."""
    return parse_instant(f"{text.replace(' ', 'T')}Z")


def posted(instant: int, prices: dict[str, str] | None = None) -> Taken:
    """Return the price list captured at an instant; without prices a little dearer each day."""
    day = instant // DAY % 50
    usual = {name: f"0.0000{10 + place}{day:02}" for place, name in enumerate(MODELS)}
    rows = [
        {
            "id": name,
            "canonical_slug": name,
            "created": 1,
            "architecture": {"output_modalities": ["text"]},
            "pricing": {"prompt": "0.000001", "completion": price},
        }
        for name, price in (prices or usual).items()
    ]
    return models(instant, rows)


def totals(days: Iterable[int], tokens: dict[str, int] | None = None) -> list[dict[str, Any]]:
    """Return the rows of days; without tokens openai/b grows from day to day, so that the mix changes."""
    return [
        {"date": format_date(day), "model_permaslug": name, "total_tokens": str(number)}
        for day in days
        for name, number in (tokens or TOKENS | {"openai/b": 3_000_000 + day % 50 * 1000}).items()
    ]


def ranked(instant: int, days: Iterable[int], tokens: dict[str, int] | None = None) -> Taken:
    """Return the token totals of days, captured at an instant."""
    return rankings(instant, totals(days, tokens))


def usual_day(day: int) -> list[Taken]:
    """Return what is captured on a UTC day: prices at 05:00 and 13:00, the totals of the day before at 05:30."""
    start = day * DAY
    return [
        posted(start + 5 * HOUR),
        ranked(start + 5 * HOUR + HOUR // 2, [day - 1]),
        posted(start + 13 * HOUR),
    ]


def usual_days(first: str, last: str) -> list[Taken]:
    """Return what is captured on each of the days."""
    return [one for day in range(parse_date(first), parse_date(last) + 1) for one in usual_day(day)]


class Desk:
    """A store with a key. Nothing is asked of the machine: not the time, not chance.

    market : what is captured in time, each before the first thing done after its instant
    """

    def __init__(
        self, path: Path, market: Iterable[Taken] = (), *, origin: str = ORIGIN, key: bool = True
    ) -> None:
        made = (path / "store").exists()
        self.path = path
        self.store: Store = Store.open(path / "store") if made else make_store(path / "store", [])
        self._coming = sorted(market, key=lambda one: one.instant)
        self.folder = self.store.path / FOLDER
        self.head = path / "head"
        if key and not made:
            create_key(self.store, origin, bytes(32))

    def copy(self, path: Path, market: Iterable[Taken] = ()) -> Desk:
        """Return a copy of this desk as it is now, in an empty folder, with a market of its own to come."""
        shutil.copytree(self.path, path, dirs_exist_ok=True)
        return Desk(path, market)

    def take(self, *taken: Taken) -> None:
        """Archive responses."""
        if taken:
            with self.store.writing():
                list(self.store.archive(one.response() for one in taken))

    def at(self, instant: int | str) -> int:
        """Let the time be an instant; what was captured until then is archived."""
        now = at(instant) if isinstance(instant, str) else instant
        came = [one for one in self._coming if one.instant <= now]
        self._coming = self._coming[len(came) :]
        self.take(*came)
        return now

    def publish(self, instant: int | str, **options: Any) -> Publication:
        """Publish what is due at an instant."""
        now = self.at(instant)
        return publish_due(self.store, ReplayClock(now, 0), lambda _: self.head, **options)

    def restate(self, instant: int | str, date: str, *series: str, reason: str = "parser_bug") -> Publication:
        """Publish a correction."""
        return restate(
            self.store,
            self.at(instant),
            lambda _: self.head,
            series=series or ("openai",),
            day=parse_date(date),
            reason=reason,
            progress=silent,
        )

    def notice(
        self, instant: int | str, kind: str = "incident", text: str = "A test of ", **more: Any
    ) -> int:
        """Publish a notice, another one at each instant."""
        now = self.at(instant)
        text = f"{text}{instant}" if text.endswith(" ") else text
        fields = {"series": None, "first_date": None, "last_date": None} | more
        return give_notice(
            self.store, now, lambda _: self.head, kind=kind, text=text, progress=silent, **fields
        ).size

    def mark(self, instant: int | str, *prints: MarkPrint) -> list[int]:
        """Publish marks; return where each stands in the log."""
        return publish_marks(self.store, self.at(instant), lambda _: self.head, prints, silent)

    def rotate(self, instant: int | str, seed: int = 1) -> None:
        """Replace the key."""
        now = self.at(instant)
        rotate_key(self.store, now, lambda _: self.head, bytes([seed] * 32), silent)

    @property
    def key(self) -> PublicKey:
        """The key that the first publication was signed with, which all others can be traced to."""
        return PrivateKey(name=ORIGIN, seed=bytes(32)).public

    def published_key(self) -> PublicKey:
        """The key that the log says signs now."""
        rotations = [entry for entry in self.entries("notice") if "new_key" in entry]
        return PublicKey.parse(rotations[-1]["new_key"]) if rotations else self.key

    def findings(self) -> list[str]:
        """Return what the verifier, which shares no code with the publisher, finds wrong."""
        report = verify(open_source(self.folder), [self.key])
        return [f"{one.code}: {one.where}: {one.found}" for one in report.findings]

    @property
    def published(self) -> Published:
        """What is published."""
        return Published(self.folder)

    def vintages(self, date: str, series: str = "openai") -> list[tuple[str, str | None]]:
        """Return stage and reason of each vintage of a date, oldest first."""
        return [(one.stage, one.reason) for one in self.published.vintages.of((series, "1.0", date))]

    def records(self, date: str, series: str = "openai") -> list[PublishedRecord]:
        """Return the records of a date, oldest first."""
        published = self.published
        return [published.record(one) for one in published.vintages.of((series, "1.0", date))]

    def entries(self, kind: str, **fields: str) -> list[dict[str, Any]]:
        """Return the entries of a type that have these fields."""
        return [
            entry
            for entry in self.published.entries
            if entry["type"] == kind and all(entry.get(name) == value for name, value in fields.items())
        ]

    def files(self) -> dict[str, bytes]:
        """Return every published file by its path."""
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }


Begin = Callable[..., Desk]
"""What returns a copy of a desk, for which a market is to come."""

BEGUN = usual_days("2026-01-05", "2026-01-08")
"""The market of the desk that most tests begin with."""


def begun_desk(path: Path) -> Desk:
    """Return a desk whose first own capture is of 5 January and that published up to the 7th on the 8th at 14:00."""
    desk = Desk(path, BEGUN)
    desk.publish("2026-01-08 14:00:00")
    return desk
