"""Reading what a store has published: the log, the vintages, and the records they name."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

import msgspec

from mtok.calendar import format_date, parse_date, parse_instant
from mtok.canonical import sha256_hex
from mtok.errors import EnvironmentFailed
from mtok.notes import Checkpoint, NoteRefused
from mtok.publication.entries import Entry, read_entries
from mtok.publication.log import Log
from mtok.publication.outlines import Share, decode_outline, decode_shares
from mtok.publication.policy import Stage
from mtok.publication.vintages import Vintage, Vintages
from mtok.records import Determination, PublishedRecord, decode_published

_KEPT_RECORDS: Final = 512
"""Of the last that were read; a date's links reach thirty days back in six series."""

FOLDER: Final = "publication"
"""Where a store publishes."""


class Published:
    """A folder `publication/`, as it is at the last checkpoint. Everything is read when it is asked for.

    Signatures are not checked here: `mtok verify` does that, and the publisher before it signs.
    """

    def __init__(self, folder: Path, size: int | None = None) -> None:
        """Read the log. size : as it is with so many entries, left out as it is at the last checkpoint"""
        self.folder = folder
        self.log = Log(self.folder / "log")
        self.size = self.size_of(folder) if size is None else size
        self.raw_entries = self.log.entries(self.size)
        self.entries: list[Entry] = read_entries(self.raw_entries)
        self.vintages = Vintages(self.entries)
        self.record = lru_cache(_KEPT_RECORDS)(self._record)

    @staticmethod
    def size_of(folder: Path) -> int:
        """Return how many entries the log of a folder has, 0 without a checkpoint."""
        return _size(folder / "log" / "checkpoint")

    @property
    def known_at(self) -> int | None:
        """The instant of the last publication, None before the first."""
        return parse_instant(self.entries[-1]["time"]) if self.entries else None

    @property
    def last(self) -> list[Entry]:
        """The entries of the last publication."""
        return [entry for entry in self.entries if entry["time"] == self.entries[-1]["time"]]

    def series(self) -> list[str]:
        """Return the ids of the series that have vintages."""
        return sorted({vintage.series for vintage in self.vintages.all()})

    def _record(self, vintage: Vintage) -> PublishedRecord:
        """Return a published record. Raises EnvironmentFailed when it is not the one that was published."""
        raw = self._raw_record(vintage)
        record = decode_published(raw)
        record.__dict__["canonical"] = raw
        return record

    def outline(self, vintage: Vintage) -> PublishedRecord:
        """Return a published record without its constituents and captures: what a point and a feed say of it."""
        outlined = decode_outline(self._raw_record(vintage))
        outlined.__dict__["sha256"] = vintage.record_sha256
        return outlined

    def shares(self, vintage: Vintage) -> tuple[Share, ...]:
        """Return how the weight of a published record is shared among its constituents."""
        return decode_shares(self._raw_record(vintage))

    def raw_prices(self, index: int) -> bytes:
        """Return the table of posted prices that entry `index` names. Raises EnvironmentFailed when it is not that."""
        entry = self.entries[index]
        return self._named(entry["path"], entry["sha256"], index)

    def _raw_record(self, vintage: Vintage) -> bytes:
        return self._named(vintage.path, vintage.record_sha256, vintage.index)

    def _named(self, name: str, sha256: str, index: int) -> bytes:
        """Return the file that entry `index` of the log names."""
        path = self.folder / name
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            raise _damaged(path, "is missing") from None
        except OSError as error:
            raise _damaged(path, f"cannot be read ({error.strerror})") from None
        if sha256_hex(raw) != sha256:
            raise _damaged(path, f"is not the one entry {index} of the log names")
        return raw

    def in_force(
        self,
        series: str,
        methodology: str,
        first_day: int | None = None,
        last_day: int | None = None,
        *,
        as_of: int | None = None,
    ) -> list[Vintage]:
        """Return the vintage in force of each date of [first_day, last_day], in order, as known at `as_of`."""
        first = format_date(first_day) if first_day is not None else ""
        last = format_date(last_day) if last_day is not None else "9999"
        return [
            vintage
            for vintage in self.vintages.all_in_force(as_of)
            if (vintage.series, vintage.methodology) == (series, methodology)
            and first <= vintage.date <= last
        ]

    def read(
        self,
        series: str,
        methodology: str,
        first_day: int | None = None,
        last_day: int | None = None,
        *,
        as_of: int | None = None,
    ) -> list[PublishedRecord]:
        """Return the records of `in_force`."""
        found = self.in_force(series, methodology, first_day, last_day, as_of=as_of)
        return [self.record(vintage) for vintage in found]

    def before(
        self, series: str, methodology: str, day: int, as_of: int, days: int, *, known_at: int | None = None
    ) -> list[Determination]:
        """Return the determinations one of `day` links to, oldest first (R-0): of each of the `days` before it the one
        in force with the greatest `as_of` not after `as_of`, and the last printed one where all of them are withheld.

        known_at : publications after this instant are not looked at
        """
        found: list[Determination] = []
        for record in self._back_from(series, methodology, day, as_of, known_at):
            within = parse_date(record.date) >= day - days
            if not within and any(one.value is not None for one in found):
                break
            if within or record.value is not None:
                found.append(record.determination)
        return found[::-1]

    def _back_from(
        self, series: str, methodology: str, day: int, as_of: int, known_at: int | None
    ) -> Iterator[PublishedRecord]:
        """Yield, from the day before backwards, what was in force of each date for one who asked at `as_of`."""
        for date in reversed(self.vintages.dates()):
            if date < format_date(day):
                vintages = self.vintages.of((series, methodology, date))
                known = [one for one in vintages if known_at is None or one.known_at <= known_at]
                record = self._seen(known, as_of)
                if record is not None:
                    yield record

    def _seen(self, vintages: list[Vintage], as_of: int) -> PublishedRecord | None:
        """Return the last record that is not informational and whose `as_of` is not after `as_of`."""
        for vintage in reversed(vintages):
            if vintage.stage != Stage.INFORMATIONAL:
                record = self.record(vintage)
                if parse_instant(record.as_of or "") <= as_of:
                    return record
        return None


def _size(checkpoint: Path) -> int:
    if not checkpoint.exists():
        return 0
    try:
        text, _, _ = checkpoint.read_text("utf-8").partition("\n\n")
        return Checkpoint.parse(f"{text}\n").size
    except (NoteRefused, UnicodeDecodeError, msgspec.MsgspecError) as error:
        raise _damaged(checkpoint, f"is damaged: {error}") from None
    except OSError as error:
        raise _damaged(checkpoint, f"cannot be read ({error.strerror})") from None


def _damaged(path: Path, what: str) -> EnvironmentFailed:
    return EnvironmentFailed(
        "publication_damaged",
        f"{path} {what}",
        "Copy the folder publication/ from the mirror or a backup over this one; `mtok verify` says when it is whole.",
    )
