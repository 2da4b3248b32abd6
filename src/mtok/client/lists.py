"""Lists of captures: in their form, order and day, and what a record says of them (R-0)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from mtok.calendar import SECOND, day_of, format_date, parse_date, parse_instant
from mtok.client.arithmetic import Parameters
from mtok.client.content import (
    Malformed,
    decode,
    instant_of,
    is_code,
    is_count,
    is_date,
    is_instant,
    is_sha256,
    is_text,
    quoted,
)
from mtok.client.entries import Numbered
from mtok.client.files import Files
from mtok.client.findings import Findings
from mtok.records import PublishedRecord, SeenDay

CAPTURES_MAX: Final = 100_000
"""Captures of a list, at most."""

_KEPT: Final = 256
"""Lists kept: a record names 16, its neighbours mostly the same."""

Row = tuple[str, str, str, str]
"""captured_at, collector, rank, sha256."""


@dataclass(frozen=True, kw_only=True)
class CaptureList:
    """A list that was found in its form. last : instant of its last capture."""

    rows: tuple[Row, ...]
    last: int


class Lists:
    """Reads the lists of captures of a publication, each once for all records that name it."""

    def __init__(self, files: Files, findings: Findings) -> None:
        self._files = files
        self._findings = findings
        self._kept: OrderedDict[str, CaptureList | None] = OrderedDict()
        self._counted: set[str] = set()

    def check_raw(self, entry: Numbered) -> None:
        """Check the list that a `raw` entry names: all captures of a day, failed attempts included."""
        content = entry.content
        path = f"raw/{content['date']}/{content['sha256']}.json"
        self._files.imply(path, content["sha256"])
        raw = self._files.read(path, content["sha256"])
        self._findings.count("raw lists")
        if raw is None:
            return
        try:
            rows = _rows_of(raw)
            for at, row in enumerate(rows):
                _check_attempt(at, row, parse_date(content["date"]))
        except Malformed as error:
            self._findings.add("list_malformed", path, str(error))
            return
        if len(rows) != int(content["captures"]):
            self._findings.add(
                "list_malformed",
                f"{entry.where}, field captures",
                f"{len(rows)} expected, {content['captures']} found",
            )

    def _read(self, date: str, sha256: str) -> CaptureList | None:
        path = f"captures/{date}/{sha256}.json"
        if path not in self._kept:
            first = path not in self._counted
            if first:
                self._counted.add(path)
                self._files.imply(path, sha256)
                self._findings.count("capture lists")
            raw = self._files.read(path, sha256) if first else self._files.again(path)
            self._kept[path] = None if raw is None else self._parsed(raw, path, parse_date(date), first)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(path)
        return self._kept[path]

    def _parsed(self, raw: bytes, path: str, day: int, first: bool) -> CaptureList | None:
        try:
            return _capture_list(raw, day)
        except Malformed as error:
            if first:
                self._findings.add("list_malformed", path, str(error))
            return None

    def check_inputs(
        self, record: PublishedRecord, path: str, day: int, as_of: int, parameters: Parameters
    ) -> None:
        """Check what a record says of the captures it saw, and those it refers to, against the lists."""
        for place, found in self._wrong_inputs(record, day, as_of, parameters):
            self._findings.add("inputs_differ", f"{path}, {place}", found)
            break

    def _wrong_inputs(
        self, record: PublishedRecord, day: int, as_of: int, parameters: Parameters
    ) -> Iterator[tuple[str, str]]:
        """Yield what does not hold, the first thing first."""
        first = day - parameters.numbers["window.input_days_before"]
        last = day + parameters.numbers["window.input_days_after"]
        seen: list[Row] | None = []
        before = first - 1
        for at, one in enumerate(record.inputs.seen):
            place = f"inputs.seen[{at}]"
            if (
                not is_date(one.date)
                or not is_sha256(one.sha256)
                or not before < parse_date(one.date) <= last
            ):
                yield (
                    place,
                    f"no day from {format_date(first)} to {format_date(last)} in order: {quoted(one.date)}",
                )
                return
            before = parse_date(one.date)
            found = self._read(one.date, one.sha256)
            if found is None:
                seen = None
                continue
            yield from _wrong_day(place, one, found, as_of)
            if seen is not None:
                seen += found.rows
        yield from _wrong_references(record, seen)
        yield from _wrong_evidence(record, day)
        rankings = record.inputs.rankings
        if rankings and not (is_instant(rankings.as_of) and parse_instant(rankings.as_of) <= as_of):
            yield "inputs.rankings.as_of", f"{quoted(rankings.as_of)} is after as_of"


def _wrong_day(place: str, one: SeenDay, found: CaptureList, as_of: int) -> Iterator[tuple[str, str]]:
    if one.captures != len(found.rows) or not found.rows:
        yield f"{place}.captures", f"{len(found.rows)} expected, {one.captures} found"
    if found.last > as_of:
        yield f"{place}.sha256", "its list holds a capture after as_of"


def _wrong_references(record: PublishedRecord, seen: list[Row] | None) -> Iterator[tuple[str, str]]:
    """Yield the captures of a record that are not where their id says, and ids that name none."""
    before = 0
    for at, capture in enumerate(record.inputs.captures):
        place = f"inputs.captures[{at}]"
        number = capture.id.removeprefix("c")
        if not is_count(number) or capture.id == number or int(number) <= before:
            yield f"{place}.id", f"no number in order: {quoted(capture.id)}"
            return
        before = int(number)
        given = (capture.captured_at, capture.collector, str(capture.rank), capture.sha256)
        if seen is not None and (before > len(seen) or seen[before - 1] != given):
            there = seen[before - 1] if before <= len(seen) else f"{len(seen)} captures"
            yield place, f"{quoted(there)} expected, {quoted(given)} found"
    named = {row.capture for row in record.discarded}
    named.update(*(row.captures for row in record.constituents))
    named.update(*(row.captures for row in record.left_out))
    named.update(*(row.captures for row in record.absent))
    listed = {capture.id for capture in record.inputs.captures}
    if named != listed:
        yield "inputs.captures", f"not those the record refers to: {quoted(sorted(named ^ listed))}"


def _wrong_evidence(record: PublishedRecord, day: int) -> Iterator[tuple[str, str]]:
    """Yield the first price that rests on captures of another day or collector than its rung says (R-6)."""
    captures = {
        capture.id: (day_of(instant), capture.rank == 1)
        for capture in record.inputs.captures
        if (instant := instant_of(capture.captured_at)) is not None
    }
    priced = [
        (f"constituents[{at}]", row.rung, row.age_days, row.captures)
        for at, row in enumerate(record.constituents)
    ]
    priced += [
        (f"absent[{at}]", row.rung, row.age_days, row.captures) for at, row in enumerate(record.absent)
    ]
    for place, rung, age, names in priced:
        wanted = (day - age, rung != "fallback")
        if set(map(captures.get, names)) != {wanted}:
            yield f"{place}.captures", f"a {quoted(rung)} price does not rest on these captures"
            return


def _rows_of(raw: bytes) -> list[Any]:
    rows = decode(raw)
    if not isinstance(rows, list) or len(rows) > CAPTURES_MAX:
        raise Malformed(f"no list of at most {CAPTURES_MAX} captures")
    return rows


_CAPTURE: Final = {"captured_at": is_instant, "collector": is_text, "rank": is_count, "sha256": is_sha256}
_ATTEMPT: Final = {
    "captured_at": is_instant,
    "collector": is_text,
    "bytes": is_count,
    "sha256": is_sha256,
    "source": is_text,
}
_ATTEMPT_MAY: Final = {"http_status": is_count, "failure": is_code}


def _capture_list(raw: bytes, day: int) -> CaptureList:
    """Return a list of ranked price captures of `day`. Raises Malformed."""
    rows: list[Row] = []
    before = (-1, "")
    latest = -1
    for at, row in enumerate(_rows_of(raw)):
        if not isinstance(row, dict) or row.keys() != _CAPTURE.keys():
            raise Malformed(f"row {at} has not the fields of a capture")
        for name, check in _CAPTURE.items():
            if not check(row[name]):
                raise Malformed(f"row {at}, {name}: {quoted(row[name])}")
        instant = instant_of(row["captured_at"]) or 0
        place = (instant // SECOND, row["sha256"])
        if row["rank"] == "0" or day_of(instant) != day:
            raise Malformed(f"row {at} has no rank, or is not of {format_date(day)}")
        if place < before:
            raise Malformed(f"row {at} is out of order")
        before, latest = place, max(latest, instant)
        rows.append((row["captured_at"], row["collector"], row["rank"], row["sha256"]))
    return CaptureList(rows=tuple(rows), last=latest)


def _check_attempt(at: int, row: Any, day: int) -> None:
    """Raise Malformed unless `row` is a capture or failed attempt of `day`."""
    if (
        not isinstance(row, dict)
        or not _ATTEMPT.keys() <= row.keys() <= _ATTEMPT.keys() | _ATTEMPT_MAY.keys()
    ):
        raise Malformed(f"row {at} has not the fields of a capture")
    for name, check in {**_ATTEMPT, **_ATTEMPT_MAY}.items():
        if name in row and not check(row[name]):
            raise Malformed(f"row {at}, {name}: {quoted(row[name])}")
    if day_of(parse_instant(row["captured_at"])) != day:
        raise Malformed(f"row {at} is not of {format_date(day)}")
