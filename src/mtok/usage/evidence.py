"""What a store keeps of usage logs: of each day a cube, and a list of the files it was made of.

The cube is a function of the rows alone and is what determinations name. The list beside it says where the rows came
from and what was left out; it is named by the cube's line in the register, and says which files need no second look.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import msgspec

from mtok.archive import KIND_TABLE, KIND_USAGE, Capture, Response, Store
from mtok.calendar import format_date, parse_date
from mtok.canonical import canonical_bytes, sha256_hex
from mtok.observations.usage import Cube, read_cube
from mtok.usage.logs import Log
from mtok.usage.reduction import Cells, Rejected

FORMAT: Final = "mtok-usage-files-1"
ORIGIN: Final = "usage"


class UsageFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file a cube was made of. path, bytes, sha256, rows as in `Log`.

    dates : the days it has, or may have, rows of that were taken with it · left_out : those that were not
    likeness : digest of what a copy of it, written anew, would have in common with it
    """

    path: str
    bytes: str
    sha256: str
    rows: str
    dates: list[str]
    left_out: list[str] = []
    likeness: str | None = None


class RejectedRows(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that do not count, with the first few of them."""

    rows: str
    samples: list[str]


class Files(msgspec.Struct, frozen=True, kw_only=True):
    """The files of one day of a source, in order of their paths, and what of them does not count, by reason.

    undated : by path, rows whose day nobody can know
    """

    format: str = FORMAT
    source: str
    date: str
    files: list[UsageFile]
    rejected: dict[str, RejectedRows]
    undated: dict[str, dict[str, RejectedRows]]

    @property
    def canonical(self) -> bytes:
        """Their canonical JSON."""
        return canonical_bytes(msgspec.to_builtins(self))


@dataclass(frozen=True)
class Held:
    """The cube of a day that is in force, and the files it was made of. version : 1, 2, … of the day's cubes."""

    store: Store
    capture: Capture
    version: int

    @cached_property
    def cube(self) -> Cube:
        """The cube. Raises EnvironmentFailed where its object is gone or damaged."""
        return read_cube(self.store.objects.get(self.capture.sha256))

    @cached_property
    def files(self) -> Files:
        """The files, read as `cube`."""
        return msgspec.json.decode(self.store.objects.get(self.capture.origin_sha256 or ""), type=Files)

    @cached_property
    def digests(self) -> frozenset[str]:
        """The sha256 of each file."""
        return frozenset(file.sha256 for file in self.files.files)


def held_days(store: Store, captures: Iterable[Capture], source: str) -> dict[int, Held]:
    """Return the cube in force of each day of a source: the latest, as R-2 has it."""
    days: dict[int, Held] = {}
    for capture in captures:
        if capture.kind == KIND_USAGE and capture.volume_source == source and capture.failure is None:
            day = parse_date(capture.subject or "")
            before = days.get(day)
            if before is None:
                days[day] = Held(store, capture, 1)
            else:
                latest = max(before.capture, capture, key=lambda one: (one.instant, one.sha256))
                days[day] = Held(store, latest, before.version + 1)
    return days


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
    """Return what is kept of a log. days : those of its rows, those that are left out among them."""
    return UsageFile(
        path=log.origin,
        bytes=str(log.bytes),
        sha256=log.sha256,
        rows=str(log.rows),
        dates=[format_date(day) for day in sorted(days - left_out)],
        left_out=[format_date(day) for day in sorted(days & left_out)],
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


def responses(
    files: Files, cube: bytes | None, captured_at: int, refusal: tuple[str, str] | None = None
) -> list[Response]:
    """Return what is archived of a day: the list of its files, then its cube or, of a refused day, why there is none.

    captured_at : instant · refusal : the code of why, and what was found
    """
    listed, of = files.canonical, f"usage logs of {files.source} on {files.date}"
    failure, found = refusal or (None, None)
    return [
        Response(
            raw=listed,
            captured_at=captured_at,
            kind=KIND_TABLE,
            obtained=f"files of {of}",
            subject=files.date,
        ),
        Response(
            raw=listed if cube is None else cube,
            captured_at=captured_at,
            kind=KIND_USAGE,
            obtained=of,
            volume_source=files.source,
            origin=ORIGIN,
            origin_sha256=sha256_hex(listed),
            subject=files.date,
            failure=failure,
            found=found,
        ),
    ]
