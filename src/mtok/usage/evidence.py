"""What a store keeps of usage logs: of each day a cube, and of each import a listing of the files they were made of.

A cube is a function of the rows alone and is what determinations name. The listing says where the rows came from and
what was left out; the cube's line in the register names it, and the next import reads in it what needs no second look.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import msgspec

from mtok.archive import KIND_TABLE, KIND_USAGE, Capture, Response, Store
from mtok.calendar import format_date, parse_date
from mtok.canonical import canonical_bytes, sha256_hex
from mtok.observations.usage import Cube, read_cube
from mtok.usage.logs import Log, identity_of
from mtok.usage.reduction import Cells, Rejected

FORMAT: Final = "mtok-usage-files-1"
ORIGIN: Final = "usage"


class UsageFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file a cube was made of. path, bytes, sha256, modified, rows, span as in `Log`.

    dates : the days it has rows of that were taken with it · left_out : those that were not
    likeness : digest of what a copy of it, written anew, would have in common with it
    """

    path: str
    bytes: str
    sha256: str
    rows: str
    dates: list[str]
    left_out: list[str] = []
    modified: str = ""
    span: list[str] = []
    likeness: str | None = None

    @property
    def identity(self) -> str:
        """What it is known by, as `Log.identity`."""
        return identity_of(self.sha256, self.modified)


class RejectedRows(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that do not count, with the first few of them."""

    rows: str
    samples: list[str]


class DayFiles(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The files of one day, in order of their paths, and what of them does not count, by reason.

    undated : by path, rows whose day nobody can know · cube : digest of the cube they make, None for a refused day
    """

    files: list[UsageFile]
    rejected: dict[str, RejectedRows]
    undated: dict[str, dict[str, RejectedRows]]
    cube: str | None = None


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """The days one import of a source had something new of, by date."""

    format: str = FORMAT
    source: str
    days: dict[str, DayFiles]

    @property
    def canonical(self) -> bytes:
        """Its canonical JSON."""
        return canonical_bytes(msgspec.to_builtins(self))


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What is kept of a day: its files and its cube or, of a refused day, the code of why and what was found.

    cube : None also where it would be the one in force, whose files are others now
    """

    date: str
    files: DayFiles
    cube: bytes | None = None
    refusal: tuple[str | None, str | None] = (None, None)


@dataclass(frozen=True)
class Held:
    """The cube of a day that is in force, and the files it is made of. version : 1, 2, … of the day's cubes."""

    store: Store
    capture: Capture
    version: int
    files: DayFiles

    @cached_property
    def cube(self) -> Cube:
        """The cube. Raises EnvironmentFailed where its object is gone or damaged."""
        return read_cube(self.store.objects.get(self.capture.sha256))

    @cached_property
    def identities(self) -> frozenset[str]:
        """What each file is known by."""
        return frozenset(file.identity for file in self.files.files)


def cubes_of(captures: Iterable[Capture], source: str) -> list[Capture]:
    """Return the cubes of a source, in the order they were registered."""
    return [
        one
        for one in captures
        if one.kind == KIND_USAGE and one.volume_source == source and one.failure is None
    ]


def held_days(store: Store, captures: Iterable[Capture], source: str) -> dict[int, Held]:
    """Return the cube in force of each day of a source: the latest, as R-2 has it, and the last listing of its files.

    A listing is registered before the cubes it names, so what an interrupted import left is not taken for what it was
    about to leave. Raises EnvironmentFailed where the object of a listing is gone or damaged.
    """
    files: dict[tuple[str, str | None], DayFiles] = {}
    captures = list(captures)
    for capture in captures:
        if capture.kind == KIND_TABLE and capture.volume_source == source:
            listing = msgspec.json.decode(store.objects.get(capture.sha256), type=Listing)
            files |= {(date, day.cube): day for date, day in listing.days.items()}
    cubes: dict[str, list[Capture]] = {}
    for capture in cubes_of(captures, source):
        cubes.setdefault(capture.subject or "", []).append(capture)
    held = {}
    for date, versions in cubes.items():
        latest = max(versions, key=_place)
        held[parse_date(date)] = Held(store, latest, len(versions), files[date, latest.sha256])
    return held


def _place(capture: Capture) -> tuple[int, str]:
    return capture.instant, capture.sha256


def cube_of(source: str, day: int, cells: Cells, rejected: dict[str, int]) -> Cube:
    """Return the cube of a day."""
    return Cube(
        source=source,
        date=format_date(day),
        rows=str(sum(sums.requests for sums in cells.values())),
        rejected={reason: str(rows) for reason, rows in sorted(rejected.items())},
        models=[(model, str(a), str(b), str(c), str(d)) for model, (a, b, c, d) in sorted(cells.items())],
    )


def usage_file(log: Log, days: set[int], left_out: set[int]) -> UsageFile:
    """Return what is kept of a log. days : those of its rows, left_out : days that are not taken."""
    return UsageFile(
        path=log.origin,
        bytes=str(log.bytes),
        sha256=log.sha256,
        rows=str(log.rows),
        dates=[format_date(day) for day in sorted(days - left_out)],
        left_out=[format_date(day) for day in sorted(days & left_out)],
        modified=log.modified,
        span=[] if log.span is None else [str(instant) for instant in log.span],
        likeness=likeness_of(log),
    )


def likeness_of(log: Log) -> str | None:
    """Return the digest of what a copy of the log would have in common with it, None where too little is known."""
    return sha256_hex(canonical_bytes(log.likeness)) if log.likeness else None


def rejected_rows(rejected: dict[str, Rejected]) -> dict[str, RejectedRows]:
    """Return rejected rows as they are kept."""
    return {
        reason: RejectedRows(rows=str(found.rows), samples=found.samples)
        for reason, found in sorted(rejected.items())
    }


def responses(source: str, kept: Iterable[Kept], captured_at: int) -> Iterator[Response]:
    """Yield what is archived of an import: the listing of its files, then of each day its cube or why there is none.

    captured_at : instant
    """
    kept = list(kept)
    if not kept:
        return
    listing = Listing(source=source, days={one.date: one.files for one in kept}).canonical
    of = f"usage logs of {source}"
    yield Response(
        raw=listing,
        captured_at=captured_at,
        kind=KIND_TABLE,
        obtained=f"files of {of}",
        volume_source=source,
        origin=ORIGIN,
    )
    sha256 = sha256_hex(listing)
    for one in kept:
        failure, found = one.refusal
        if one.cube is None and failure is None:
            continue
        yield Response(
            raw=listing if one.cube is None else one.cube,
            captured_at=captured_at,
            kind=KIND_USAGE,
            obtained=f"{of} on {one.date}",
            volume_source=source,
            origin=ORIGIN,
            origin_sha256=sha256,
            subject=one.date,
            failure=failure,
            found=found,
        )
