"""The published prices in Python: `Client(where).series("openai")`, from an address, a CDN, a store or a folder.

It reads the published files and nothing else (docs/formats.md), so it works wherever they lie. What it answers is
exact: decimals, dates, and the digits that were published. How to use it: docs/client.md.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import Concatenate, Final, Literal, ParamSpec, TypeVar

import msgspec

from mtok.client.arithmetic import Parameters
from mtok.client.cache import cache_folder
from mtok.client.content import is_series
from mtok.client.editions import prices_of
from mtok.client.findings import Report
from mtok.client.held import HeldFiles
from mtok.client.moves import Move, move
from mtok.client.one_value import verify_value
from mtok.client.points import Notice, Point, PostedPrice, Receipt, typed
from mtok.client.refusals import CallRefused, NotPublished, SeriesUnknown
from mtok.client.series import Series
from mtok.client.source import LIMITS, Limits, Missing, Source, open_source
from mtok.client.verify import verify
from mtok.client.vintages import (
    Day,
    Moment,
    as_known,
    date_of,
    instant_of,
    numbered,
    point_of,
    rows_of,
    span_of,
)
from mtok.errors import BadCall
from mtok.notes import NoteRefused, PublicKey
from mtok.records import PublishedRecord, decode_published

OWN: Final = "own"
"""Copies are kept in the user's own cache folder."""


_Arguments = ParamSpec("_Arguments")
_Found = TypeVar("_Found")


class _Latest(msgspec.Struct, frozen=True):
    points: tuple[Point, ...]


class _SeriesFile(msgspec.Struct, frozen=True):
    points: tuple[Point, ...]


def _gathered(
    ask: Callable[Concatenate[Client, _Arguments], _Found],
) -> Callable[Concatenate[Client, _Arguments], _Found]:
    """Return the question with all it reads taken as one answer, of which `offline` then speaks."""

    @wraps(ask)
    def asked(self: Client, /, *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Found:
        with self.gathering():
            return ask(self, *args, **kwargs)

    return asked


class Client:
    """A publication that is asked questions.

    where : the address of a publication (`https://…`), or a folder: a store, or a copy of its `publication/`
    cache : where copies of an address's files are kept; `"own"` is `$XDG_CACHE_HOME/mtok`, None keeps none
    limits : seconds that asking may take

    >>> with Client("store") as client:  # doctest: +SKIP
    ...     client.series("openai", "2026-06-01").to_polars()

    Dates are `datetime.date` or ISO text, UTC, both ends included. Errors are `MtokError`: a code, what was found, what
    to do. It may be used by several threads at once, and by several processes on one cache.
    """

    def __init__(
        self, where: str | Path, *, cache: Path | str | Literal["own"] | None = OWN, limits: Limits = LIMITS
    ) -> None:
        """Open it; nothing is asked of an address yet. Raises BadCall `publication_missing`, `address_refused`."""
        folder = cache_folder(os.environ, Path.home()) if cache == OWN else cache and Path(cache)
        self._files = HeldFiles(where, folder or None, limits)
        self._limits = limits
        self.where = self._files.where

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of connections."""
        self._files.close()

    @property
    def offline(self) -> bool:
        """Whether anything in this thread's last answer is a copy because the address could not be asked."""
        return self._files.offline

    def gathering(self) -> AbstractContextManager[None]:
        """Take the questions asked within as one, so that `offline` speaks of all their answers."""
        return self._files.gathering()

    # ---- values

    @_gathered
    def latest(self) -> tuple[Point, ...]:
        """Return the last published point of each series, in the order of R-1. Raises NotPublished."""
        found: _Latest = msgspec.json.decode(self._whole("latest.json"), type=_Latest)
        return found.points

    @_gathered
    def series(
        self,
        series: str,
        start: Day | None = None,
        end: Day | None = None,
        *,
        as_of: Moment | None = None,
        vintage: int | None = None,
    ) -> Series:
        """Return the points of a series, oldest first, those of the vintage in force unless told otherwise.

        as_of : what was published and in force at that instant; a day means its end
        vintage : the vintage with this number of each date that has one; 0 is what was said first
        Raises SeriesUnknown, CallRefused, NotPublished where the publication is not whole.
        """
        first, last = span_of(start, end)
        points = self._points(series, first, last, as_of, vintage)
        return Series(series=series, points=tuple(points))

    @_gathered
    def point(
        self, series: str, date: Day, *, as_of: Moment | None = None, vintage: int | None = None
    ) -> Receipt:
        """Return the value of one day with its whole record, whose digest is that of its point.

        Raises NotPublished where nothing was published of that day (by then), SeriesUnknown, CallRefused, Damaged.
        """
        asked = date_of(date, "date")
        found = list(self._points(series, asked, asked, as_of, vintage))
        if not found:
            raise self._nothing(series, asked, as_of, vintage)
        return self._receipt(found[0])

    @_gathered
    def explain(self, series: str, date0: Day, date1: Day, *, as_of: Moment | None = None) -> Move:
        """Return the move from one day to a later one, calculated here from the two records (R-11).

        Raises as `point`, and NotPublished `no_value` where a day is withheld.
        """
        first, last = date_of(date0, "date0"), date_of(date1, "date1")
        if first >= last:
            raise CallRefused(
                "dates_out_of_order", f"{first} is not before {last}", "Name the earlier of two days first."
            )
        before, after = (self.point(series, date, as_of=as_of).record for date in (first, last))
        return move(before, after)

    # ---- posted prices

    @_gathered
    def prices(self, date: Day, *, as_of: Moment | None = None) -> tuple[PostedPrice, ...]:
        """Return the posted price of every model of a day, sorted by series and model. Raises as `point`."""
        asked = date_of(date, "date")
        found = [
            self._receipt(point)
            for latest in self.latest()
            for point in self._points(latest.series, asked, asked, as_of, None)
        ]
        if not found:
            raise NotPublished(
                "not_published", f"no price of {asked} is published", "latest() says which day is the last."
            )
        return tuple(sorted(_prices(found), key=lambda row: (row.series, row.constituent)))

    @_gathered
    def price(self, model: str, start: Day | None = None, end: Day | None = None) -> tuple[PostedPrice, ...]:
        """Return the posted price of a model on each day that has one, oldest first.

        model : as OpenRouter names it, `author/name`. A day's record is read for each day, so name the days you need.
        Raises SeriesUnknown for a model of no series, CallRefused.
        """
        first, last = span_of(start, end)
        points = list(self._points(self._series_of(model), first, last, None, None))
        return tuple(row for row in _prices(map(self._receipt, points)) if row.constituent == model)

    # ---- what the publisher said, and whether it is so

    @_gathered
    def notices(self) -> tuple[Notice, ...]:
        """Return every notice that was ever published, oldest first, from the log."""
        return tuple(
            typed({**entry, "index": index, "published_at": entry["time"]}, Notice)
            for index, entry in enumerate(self._files.entries())
            if entry.get("type") == "notice"
        )

    @_gathered
    def proof(self, receipt: Receipt) -> str:
        """Return the proof that a record is in the log, as published (c2sp.org/tlog-proof)."""
        point = receipt.point
        return self._files.text(f"proofs/{point.series}/{point.date}.{point.vintage}.tlog-proof")

    @_gathered
    def verify(self, series: str, date: Day, *, key: str, vintage: int | None = None) -> Report:
        """Return what is found of one value when nothing the publisher says is believed: see `report.ok`.

        Checks the log's signature, the proof, the record's digest and all of its arithmetic, without any copy.
        key : the public key from somebody you trust, `NAME+ID+KEY`; one that was replaced since leads to the new one
        """
        number = self.point(series, date, vintage=vintage).point.vintage
        keys = [_public(key)]
        with _Opened(self.where, self._limits) as source:
            return verify_value(source, keys, series, date_of(date, "date"), number)

    def verify_all(self, key: str) -> Report:
        """Return what is found of the whole publication, as `mtok verify` does: every file, every number."""
        with _Opened(self.where, self._limits) as source:
            return verify(source, [_public(key)])

    # ---- how

    def _points(
        self, series: str, first: str, last: str, as_of: Moment | None, vintage: int | None
    ) -> Iterator[Point]:
        if as_of is not None and vintage is not None:
            raise CallRefused(
                "vintage_ambiguous",
                "as_of and vintage at once",
                "Give one: each says which vintage is meant.",
            )
        if as_of is None and vintage is None:
            for point in self._in_force(series):
                if first <= point.date.isoformat() <= last:
                    yield point
            return
        rows = [row for row in rows_of(self._whole("vintages.csv")) if row["series"] == series]
        if not rows:
            raise self._unknown(series)
        rows = [row for row in rows if first <= row["date"] <= last]
        known = numbered(rows, vintage or 0) if as_of is None else as_known(rows, instant_of(as_of))
        yield from map(point_of, known)

    def _in_force(self, series: str) -> tuple[Point, ...]:
        if not is_series(series):
            raise self._unknown(series)
        try:
            raw = self._files.listed(f"series/{series}.json")
        except Missing:
            raise self._unknown(series) from None
        found: _SeriesFile = msgspec.json.decode(raw, type=_SeriesFile)
        return found.points

    def _whole(self, path: str) -> bytes:
        """Return a file that every publication has. Raises NotPublished `publication_missing`."""
        try:
            return self._files.listed(path)
        except Missing:
            raise NotPublished(
                "publication_missing",
                f"{self.where} has no {path}: it is no publication, or not all of one",
                "Check the address; it is the folder that has SHA256SUMS in it.",
            ) from None

    def _receipt(self, point: Point) -> Receipt:
        path = f"records/{point.series}/{point.date}.{point.vintage}.json"
        raw = self._files.named(path, point.record_sha256)
        return Receipt(point=point, record=_record(raw), raw=raw)

    def _series_of(self, model: str) -> str:
        methodology = self.latest()[-1].methodology
        parameters = Parameters(self._whole(f"methodology/{methodology}/parameters.toml"))
        author, _, name = model.partition("/")
        for series, (company, prefix) in parameters.series.items():
            if author == company and name and name.startswith(prefix):
                return series
        authors = ", ".join(sorted({company for company, _ in parameters.series.values()}))
        raise SeriesUnknown(
            "model_unknown",
            f"{model!r} is a model of none of the series",
            f"Models are AUTHOR/NAME, the author one of {authors}.",
        )

    def _unknown(self, series: str) -> SeriesUnknown:
        known = ", ".join(point.series for point in self.latest())
        return SeriesUnknown("series_unknown", f"no series {series!r}", f"There are {known}.")

    def _nothing(self, series: str, date: str, as_of: Moment | None, vintage: int | None) -> NotPublished:
        dates = [point.date.isoformat() for point in self._in_force(series)]
        which = "" if vintage is None else f", vintage {vintage}"
        known = "" if as_of is None else f" as known at {as_of}"
        return NotPublished(
            "not_published",
            f"nothing is published of {series} {date}{which}{known}",
            f"Published are {len(dates)} days from {dates[0]} to {dates[-1]}.",
        )


class _Opened:
    """A publication opened for one verification."""

    def __init__(self, where: str, limits: Limits) -> None:
        self._source = open_source(where, limits)

    def __enter__(self) -> Source:
        return self._source

    def __exit__(self, *_: object) -> None:
        self._source.close()


def _record(raw: bytes) -> PublishedRecord:
    record = decode_published(raw)
    record.__dict__["canonical"] = raw
    return record


def _prices(receipts: Iterator[Receipt] | list[Receipt]) -> Iterator[PostedPrice]:
    for receipt in receipts:
        date, vintage = receipt.point.date, receipt.point.vintage
        for row in prices_of([receipt.record]):
            yield typed({**row, "date": date, "vintage": vintage}, PostedPrice)


def _public(key: str) -> PublicKey:
    try:
        return PublicKey.parse(key.strip())
    except NoteRefused as error:
        raise BadCall(
            "key_unreadable",
            f"{key[:100]!a} is no public key: {error}",
            "Give the line NAME+ID+KEY as the publisher prints it.",
        ) from None
