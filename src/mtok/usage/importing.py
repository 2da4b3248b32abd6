"""From usage logs to daily cubes in a store: what `mtok import usage` does.

Only what is new is read: a file whose footer (or text) is known is not read again, a late file is added to the cube
of its days, and a file that was replaced makes its days be summed anew. A day that cannot be summed rightly is
refused, and the cube before it stays in force.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Final

from mtok.archive import KIND_TABLE, KIND_USAGE, Capture, Store
from mtok.calendar import day_of, format_date, format_instant
from mtok.canonical import sha256_hex
from mtok.engine import Engine, FilesUnreadable
from mtok.errors import BadCall, BadInput, EnvironmentFailed
from mtok.progress import Progress
from mtok.sources import Refused, check_source_name, refuse_mixed
from mtok.usage.evidence import (
    DayFiles,
    Held,
    Kept,
    cube_of,
    cubes_of,
    held_days,
    rejected_rows,
    responses,
    usage_file,
)
from mtok.usage.finding import Found, find_logs, is_changed, twins
from mtok.usage.logs import USAGE_UNREADABLE, WRITE_ANEW
from mtok.usage.places import Place
from mtok.usage.reduction import Rejected, unreadable_among
from mtok.usage.summing import DaySums, Summed, Summing, renamed

REJECTED_MAX: Final = Fraction(1, 1000)
"""The share of a day's rows that may be rejected; past it the day is refused."""

NEW: Final = "new"
CHANGED: Final = "changed"
UNCHANGED: Final = "unchanged"
REFUSED: Final = "refused"
NOT_OVER: Final = "not_over"

FILE_GONE: Final = "usage_file_gone"
PARTITION_TWICE: Final = "partition_twice"
ROWS_REJECTED: Final = "rows_rejected"
USAGE_CHANGED: Final = "usage_changed"

SEE_SAMPLES: Final = "See the reasons and samples of what was rejected; docs/usage.md says what a row is."

Refusals = dict[int, tuple[str, str]]
"""Days that are refused, with the code of why and what was found."""


@dataclass(frozen=True, kw_only=True)
class DayOutcome:
    """What became of a day.

    outcome : new, changed, unchanged, refused or not_over · version, sha256 : of its cube in force, 0 for none
    rows, rejected : of a new cube or, of a day left out, of what was met · code, found : why it is refused
    """

    date: str
    outcome: str
    version: int = 0
    rows: int = 0
    rejected: int = 0
    sha256: str | None = None
    code: str | None = None
    found: str | None = None


@dataclass(kw_only=True)
class UsageReport:
    """What an import of usage logs did.

    days : those it met, in order · files, read : how many there are, how many had to be read · empty : those without
    rows · refused : files that are no logs · rejected : rows of the days that were met, by reason
    """

    source: str
    days: list[DayOutcome] = field(default_factory=list)
    files: int = 0
    read: int = 0
    empty: list[str] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    rejected: dict[str, Rejected] = field(default_factory=dict)

    @property
    def sound(self) -> bool:
        """Whether every file and every day was taken."""
        return not self.refused and all(day.outcome != REFUSED for day in self.days)


def import_usage(
    store: Store,
    address: str,
    *,
    source: str,
    engine: Engine,
    captured_at: int,
    rejected_max: Fraction = REJECTED_MAX,
    anew: bool = False,
    add: bool = False,
    progress: Progress,
) -> UsageReport:
    """Sum the logs at an address to daily cubes, and archive those that are new (docs/usage.md).

    source : the name of the volume source · captured_at : instant of the import; days not over then are left out
    rejected_max : the share of a day's rows that may be rejected · anew : sum the days that are met from the files at
    the address alone, whatever their cubes were made of · add : files that are gone stay counted beside what is new
    Raises BadCall for a name that cannot be a source, an address where nothing is, or a time before the last import's;
    EnvironmentFailed where another import of the source ended meanwhile, or what reads the logs fails. Nothing is
    written then.
    """
    check_source_name(source)
    captures = store.register.read()
    refuse_mixed(captures, source, KIND_USAGE, KIND_TABLE)
    held = held_days(store, captures, source)
    _refuse_earlier(held, captured_at)
    last_day, counting = day_of(captured_at), {} if anew else held
    with tempfile.TemporaryDirectory(prefix="mtok-usage-") as folder:
        place = Place(address)
        found = find_logs(place, Path(folder), last_day, progress)
        summing, summed = _summed(found, place, counting, engine, last_day, add, progress)
        changed = {log.origin for log in summed.read if is_changed(place, log)}
    refusals = _refusals(found, summing, summed, counting, changed) if not found.unplaced() else {}
    refusals |= _too_many_rejected(summed, rejected_max)
    refusals = {day: refusal for day, refusal in refusals.items() if day < last_day}
    concluding = _Concluding(source, captured_at, held, summing, summed, refusals)
    kept: list[Kept] = []
    report = UsageReport(source=source, empty=found.empty, refused=found.refused, read=len(summed.read))
    report.files = len(found.logs) + len(found.empty) + len(found.refused)
    report.rejected = _by_reason(summed)
    for day in sorted({*summed.days, *refusals, *_known_days(found, summing)}):
        outcome, new = concluding.conclude(day)
        report.days.append(outcome)
        kept += [new] if new is not None else []
    _archive(store, source, cubes_of(captures, source), kept, captured_at)
    return report


def _refuse_earlier(held: dict[int, Held], captured_at: int) -> None:
    """Raise BadCall for an import dated before one that was made: the latest cube counts (R-2)."""
    latest = max((one.capture.instant for one in held.values()), default=None)
    if latest is not None and captured_at <= latest:
        raise BadCall(
            "captured_at_earlier",
            f"an import of {format_instant(captured_at)} after one of {format_instant(latest)}",
            "Leave out --captured-at, or give a later one: of two cubes of a day the later counts.",
        )


def _summed(
    found: Found,
    place: Place,
    held: dict[int, Held],
    engine: Engine,
    last_day: int,
    add: bool,
    progress: Progress,
) -> tuple[Summing, Summed]:
    """Sum what can be read; a log that cannot joins the refused files.

    Where such a file may have rows of any day, no day can be known to be whole, and none is summed.
    """
    summing = Summing(found, held, place, add=add)
    if found.unplaced():
        return summing, Summed(read=[])
    try:
        summed = summing.sums(engine, last_day, progress)
    except FilesUnreadable as error:
        unreadable = unreadable_among(engine, summing.to_read(), last_day, progress)
        if not unreadable:
            raise BadInput(USAGE_UNREADABLE, f"logs at {place.address}: {error.found}", WRITE_ANEW) from None
        found.refuse(USAGE_UNREADABLE, unreadable)
        return _summed(found, place, held, engine, last_day, add, progress)
    if not (undated := _of_no_day(summed)):
        return summing, summed
    found.refuse(ROWS_REJECTED, undated, SEE_SAMPLES)
    return _summed(found, place, held, engine, last_day, add, progress)


def _refusals(
    found: Found, summing: Summing, summed: Summed, held: dict[int, Held], changed: set[str]
) -> Refusals:
    """Return the days whose files cannot be added up."""
    refusals: Refusals = {}
    for refused in found.refused:
        for day in found.days_of(refused):
            refusals[day] = (refused.code, f"{refused.path}: {refused.found}")
    copies = twins(found.logs, (file for one in held.values() for file in one.files.files))
    for log in found.logs:
        days = summed.days_of.get(log.origin) or summing.days_of(log) or set()
        if log.origin in copies:
            refusals |= dict.fromkeys(
                days, (PARTITION_TWICE, f"{log.origin} has the rows of {copies[log.origin]}")
            )
        if log.origin in changed:
            refusals |= dict.fromkeys(days, (USAGE_CHANGED, f"{log.origin} was written while it was read"))
    for day in summed.days:
        if path := summing.gone(day):
            refusals[day] = (FILE_GONE, f"{path} is part of its cube and is not there any more")
    return refusals


def _too_many_rejected(summed: Summed, rejected_max: Fraction) -> Refusals:
    """Return the days of which more rows are rejected than may be, or whose files have too many rows of no day."""
    refusals: Refusals = {}
    for day, sums in summed.days.items():
        refusals |= _past(rejected_max, sums.rejected, sums.rows, [day])
    for log in summed.read:
        undated = summed.undated.get(log.origin, {})
        lines = log.rows + sum(torn for _, torn, _ in log.torn)
        counted = lines - sum(rejected.rows for rejected in undated.values())
        refusals |= _past(rejected_max, undated, counted, summed.days_of[log.origin], f" of {log.origin}")
    return refusals


def _of_no_day(summed: Summed) -> dict[str, str]:
    """Return the logs of which no row says a day, with the reasons."""
    return {
        log.origin: f"no row says its day ({_reasons(summed.undated[log.origin])})"
        for log in summed.read
        if not summed.days_of[log.origin]
    }


def _reasons(rejected: dict[str, Rejected]) -> str:
    return ", ".join(f"{reason} {one.rows}" for reason, one in sorted(rejected.items()))


def _past(
    most: Fraction, rejected: dict[str, Rejected], rows: int, days: Iterable[int], where: str = ""
) -> Refusals:
    """Return `days` refused when the share of rejected rows is past `most`. rows : those that count besides"""
    count = sum(one.rows for one in rejected.values())
    if not count or Fraction(count, rows + count) <= most:
        return {}
    limit = f"{most.numerator} in {most.denominator}"
    found = f"{count} of {rows + count} rows{where} rejected ({_reasons(rejected)}), more than {limit}"
    return dict.fromkeys(days, (ROWS_REJECTED, found))


def _known_days(found: Found, summing: Summing) -> set[int]:
    """Return the days of the logs that needed no second look."""
    return {day for log in found.logs for day in summing.days_of(log) or () if summing.holds(day)}


def _by_reason(summed: Summed) -> dict[str, Rejected]:
    """Return what was rejected of the logs that were read and of the cubes they were added to, by reason."""
    reasons: dict[str, Rejected] = {}
    for rejected in (*(sums.rejected for sums in summed.days.values()), *summed.undated.values()):
        for reason, one in rejected.items():
            reasons.setdefault(reason, Rejected()).add(one.rows, one.samples)
    return dict(sorted(reasons.items()))


@dataclass(frozen=True)
class _Concluding:
    """What becomes of each day. Fields as in `import_usage`, and what its steps found."""

    source: str
    captured_at: int
    held: dict[int, Held]
    summing: Summing
    summed: Summed
    refusals: Refusals

    def conclude(self, day: int) -> tuple[DayOutcome, Kept | None]:
        """Return the outcome of a day, and what is kept of it."""
        date, sums, held = format_date(day), self.summed.days.get(day), self.held.get(day)
        if self._is_left_out(day):
            return self._left_out(day, date, sums or DaySums())
        if sums is None:
            files = self.summing.moved_in(day)
            return self._unchanged(date, held), Kept(date=date, files=files) if files else None
        cube = cube_of(
            self.source, day, sums.cells, {reason: one.rows for reason, one in sums.rejected.items()}
        )
        raw = cube.canonical
        if held is not None and sha256_hex(raw) == held.capture.sha256:
            return self._unchanged(date, held), Kept(date=date, files=self._files(sums, held.capture.sha256))
        outcome = DayOutcome(
            date=date,
            outcome=CHANGED if held else NEW,
            version=held.version + 1 if held else 1,
            rows=sums.rows,
            rejected=sums.rejected_rows,
            sha256=sha256_hex(raw),
        )
        return outcome, Kept(date=date, files=self._files(sums, outcome.sha256), cube=raw)

    def _is_left_out(self, day: int) -> bool:
        return day in self.refusals or day >= day_of(self.captured_at)

    def _left_out(self, day: int, date: str, sums: DaySums) -> tuple[DayOutcome, Kept | None]:
        held, (code, found) = self.held.get(day), self.refusals.get(day, (None, None))
        outcome = DayOutcome(
            date=date,
            outcome=REFUSED if code else NOT_OVER,
            version=held.version if held else 0,
            rows=sums.rows,
            rejected=sums.rejected_rows,
            sha256=held.capture.sha256 if held else None,
            code=code,
            found=found,
        )
        if code is None:
            return outcome, None
        return outcome, Kept(date=date, files=self._files(sums, None), refusal=(code, found))

    def _unchanged(self, date: str, held: Held | None) -> DayOutcome:
        assert held is not None, "a day that is met and not summed is held"
        return DayOutcome(
            date=date,
            outcome=UNCHANGED,
            version=held.version,
            sha256=held.capture.sha256,
        )

    def _files(self, sums: DaySums, cube: str | None) -> DayFiles:
        """Return the files of a day, in order of their paths. cube : digest of the one they make"""
        before = sums.before
        files, undated = (
            (renamed(before.files, self.summing.moved), dict(before.undated)) if before else ([], {})
        )
        for log in sums.logs:
            days = self.summed.days_of[log.origin] & self.summed.days.keys()
            files.append(usage_file(log, days, set(filter(self._is_left_out, days))))
            if rejected := self.summed.undated.get(log.origin):
                undated[log.origin] = rejected_rows(rejected)
        return DayFiles(
            cube=cube,
            files=sorted(files, key=lambda file: file.path),
            rejected=rejected_rows(sums.rejected),
            undated=undated,
        )


def _archive(store: Store, source: str, cubes: list[Capture], kept: list[Kept], captured_at: int) -> None:
    """Archive what is new, unless another import of the source has ended: then there are other cubes than `cubes`."""
    with store.writing():
        captures = store.register.read()
        if cubes_of(captures, source) != cubes:
            raise EnvironmentFailed(
                "store_in_use",
                f"another import of {source!r} into {store.path} ended meanwhile",
                "Run the command again: it goes on from what is there now.",
            )
        last = {
            one.subject: one for one in captures if one.kind == KIND_USAGE and one.volume_source == source
        }
        told = {date: (one.failure, one.found) for date, one in last.items() if one.failure is not None}
        new = [one for one in kept if told.get(one.date) != one.refusal]
        for _ in store.archive(responses(source, new, captured_at)):
            pass
