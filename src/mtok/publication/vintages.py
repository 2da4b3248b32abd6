"""What was said when: the vintages of every date, as the log has them (publication.md's B6, docs/formats.md)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from mtok.calendar import parse_instant
from mtok.publication.entries import Entry
from mtok.publication.policy import Stage

_PRINTED: Final = frozenset({"point", "nodata"})

Key = tuple[str, str, str]
"""Series, methodology, date."""


class Vintage(msgspec.Struct, frozen=True, kw_only=True):
    """A published record as its log entry tells it. index : of the entry in the log · known_at : instant"""

    index: int
    series: str
    methodology: str
    date: str
    vintage: int
    stage: str
    quality: str
    record_sha256: str
    known_at: int
    value: str | None = None
    reasons: tuple[str, ...] = ()
    reason: str | None = None

    @property
    def key(self) -> Key:
        """What it is a vintage of."""
        return self.series, self.methodology, self.date

    @property
    def path(self) -> str:
        """Where its record is."""
        return f"records/{self.series}/{self.date}.{self.vintage}.json"

    @property
    def without_volumes(self) -> bool:
        """Whether it says nothing but that the source had not answered."""
        return self.reasons == ("no_volumes",)


class Vintages:
    """Every vintage, by (series, methodology, date), oldest first."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._by_key: dict[Key, list[Vintage]] = {}
        self._size = 0
        self.extend(entries)

    def extend(self, entries: Iterable[Entry]) -> None:
        """Take the next entries of the log."""
        for index, entry in enumerate(entries, self._size):
            self._size = index + 1
            if entry["type"] in _PRINTED and "record_sha256" in entry:
                fields = {**entry, "index": index, "known_at": parse_instant(entry["time"])}
                vintage = msgspec.convert(fields, Vintage, strict=False)
                self._by_key.setdefault(vintage.key, []).append(vintage)

    def all(self) -> Iterator[Vintage]:
        """Yield every vintage, sorted by series, methodology, date and vintage."""
        for key in sorted(self._by_key):
            yield from self._by_key[key]

    def of(self, key: Key) -> list[Vintage]:
        """Return the vintages of a key, oldest first."""
        return self._by_key.get(key, [])

    def in_force(self, key: Key, known_at: int | None = None) -> Vintage | None:
        """Return the vintage in force, as known at an instant: the last that is not informational."""
        known = [
            vintage
            for vintage in self.of(key)
            if vintage.stage != Stage.INFORMATIONAL and (known_at is None or vintage.known_at <= known_at)
        ]
        return known[-1] if known else None

    def all_in_force(self, known_at: int | None = None) -> list[Vintage]:
        """Return the vintage in force of every key, sorted by key."""
        found = (self.in_force(key, known_at) for key in sorted(self._by_key))
        return [vintage for vintage in found if vintage is not None]

    def dates(self) -> list[str]:
        """Return every date that has a vintage, in order."""
        return sorted({date for _, _, date in self._by_key})

    def table(self, known_at: int | None = None) -> bytes:
        """Return the as-of table: what was in force at an instant, now without one."""
        lines = sorted(
            f"{one.series} {one.methodology} {one.date} {one.vintage} {one.stage} {one.quality} "
            f"{one.value or '-'} {one.record_sha256}\n".encode()
            for one in self.all_in_force(known_at)
        )
        return b"".join(lines)
