"""Where a run has to begin: at the first day that reads something the last run did not have.

A record names every capture it was given, so a new capture can change the records of the days whose window holds it
(R-0) or whose volumes it names (R-2), and through the links between records (R-8, R-11) those of all later days.
Nothing before can change. What is recomputed so has the bytes of a full recomputation; a test holds the two together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from mtok import records
from mtok.archive import KIND_ENDPOINTS, KIND_MODELS, KIND_USAGE, RANKINGS_DAILY, Capture, Store
from mtok.calendar import day_of, format_date, parse_date
from mtok.canonical import canonical_bytes, sha256_hex
from mtok.determination.folder import Determinations, LastRun
from mtok.methodology import Methodology
from mtok.observations import Observations, tables
from mtok.records import Determination


class Cause(NamedTuple):
    """What is new, and the dates of the records whose inputs it changes: single ones and first/last of a span."""

    because: str
    dates: tuple[str, ...]


class _Touched(NamedTuple):
    """A day whose record reads something new. named : its volumes are new, so that it may be a day without a record"""

    because: str
    day: int
    named: bool = False


@dataclass(frozen=True, kw_only=True)
class Start:
    """Where to begin and why.

    because : the reason, for people · causes : of a run that goes on, what is new
    first_day : the first day to determine, None: the first that has volumes · last_day : the last one, None: the last
    that has volumes · before : where the run goes on from an earlier one, the records the first day links to, by series
    first_capture_day : no capture of an earlier day is read, None: all are · first_of_all : the first day with records
    """

    because: str
    causes: tuple[Cause, ...] = ()
    first_day: int | None = None
    last_day: int | None = None
    before: dict[str, list[Determination]] | None = None
    first_capture_day: int | None = None
    first_of_all: int | None = None

    @property
    def nothing_to_do(self) -> bool:
        """Whether every record stands as it is."""
        return self.first_day is not None and self.last_day is not None and self.first_day > self.last_day


def find_start(
    store: Store, observations: Observations, methodology: Methodology, volume_source: str
) -> Start:
    """Return where a run over everything seen has to begin; `observations` are up to the register."""
    determinations = Determinations(store, methodology.methodology)
    last_run = determinations.last_run(volume_source)
    if last_run is None or not store.register.holds(last_run.register):
        return Start(because="no earlier run to go on from")
    if last_run.versions != note_of(store, observations, methodology, 0, 0).versions:
        return Start(because="the rules, the formats or the parameters of the store have changed")
    found_new = set(_touched(store, observations, methodology, volume_source, last_run))
    first_of_all, last = parse_date(last_run.first_date), parse_date(last_run.last_date)
    named = {new.day for new in found_new if new.named}
    last_day = max(named | {last})
    within = [new for new in found_new if first_of_all <= new.day <= last_day]
    touched = {new.day for new in within}
    if min(named, default=last) < first_of_all:
        return Start(because="volumes of an earlier day than any before")
    first_day = min(touched | {last + 1})
    if first_day == first_of_all:
        return Start(because="new captures of the first day")
    reach = max(first_of_all, first_day - methodology.parameters.number("averages", "previous_days"))
    before: dict[str, list[Determination]] = {}
    for entry in methodology.series if first_day <= last_day else ():
        name = entry.series if volume_source == RANKINGS_DAILY else f"{volume_source}:{entry.series}"
        found = determinations.before(name, reach, first_day - 1)
        if found is None:
            return Start(because=f"records of {name} are missing or damaged")
        before[entry.series] = found
    because = "new captures" if first_day <= last_day else "nothing new for any day that has volumes"
    return Start(
        because=because,
        causes=_causes(within, first_day, last, last_day),
        first_day=first_day,
        last_day=last_day,
        before=before,
        first_capture_day=first_day - methodology.parameters.number("window", "input_days_before"),
        first_of_all=first_of_all,
    )


def note_of(
    store: Store, observations: Observations, methodology: Methodology, first_day: int, last_day: int
) -> LastRun:
    """Return the note of a run that left records of every day of [first_day, last_day]."""
    return LastRun(
        register=observations.register,
        rules_sha256=methodology.rules_sha256,
        parameters_sha256=methodology.parameters_sha256,
        store_sha256=sha256_hex(canonical_bytes(msgspec.to_builtins(store.parameters))),
        observations=tables.FORMAT,
        records=records.FORMAT,
        first_date=format_date(first_day),
        last_date=format_date(last_day),
    )


def _touched(
    store: Store,
    observations: Observations,
    methodology: Methodology,
    volume_source: str,
    last_run: LastRun,
) -> Iterator[_Touched]:
    """Yield the days whose records read a capture the last run did not have."""
    window = methodology.parameters
    days_before, days_after = (
        window.number("window", "input_days_before"),
        window.number("window", "input_days_after"),
    )
    captures = store.register.read(last_run.register)
    for capture in captures:
        day = day_of(capture.instant)
        if capture.failure is None and capture.kind == KIND_MODELS:
            for touched in range(day - days_after, day + days_before + 1):
                yield _Touched("captures of prices", touched)
        elif capture.failure is None and capture.kind == KIND_ENDPOINTS:
            yield _Touched("captures of endpoints", day)
    volumes = [capture for capture in captures if capture.volume_source == volume_source]
    because = "cubes of usage" if any(capture.kind == KIND_USAGE for capture in volumes) else "token totals"
    for day in _named(observations, volumes, last_run.register.lines):
        yield _Touched(because, day, named=True)


def _named(observations: Observations, volumes: list[Capture], first_line: int) -> Iterator[int]:
    days = [day_of(capture.instant) for capture in volumes]
    if days:
        rows = observations.rows("volume_days", "capture", "day", first_day=min(days), last_day=max(days))
        yield from (day for line, day in rows if line >= first_line)


def _causes(touched: list[_Touched], first_day: int, last: int, last_day: int) -> tuple[Cause, ...]:
    """Return what is new with the dates it touches, then the dates after `last` that it makes records of, and those of
    records that only build on these.
    """
    days: defaultdict[str, set[int]] = defaultdict(set)
    for new in sorted(touched):
        days[new.because].add(new.day)
    read = set().union(*days.values())
    days["no record before"] = set(range(last + 1, last_day + 1)) - read
    days["records of earlier dates"] = set(range(first_day, last + 1)) - read
    return tuple(Cause(because, spans(found)) for because, found in days.items() if found)


def spans(days: Iterable[int]) -> tuple[str, ...]:
    """Return days as dates, in order, days in a row as first/last.

    >>> spans([20624, 20626, 20625, 20630])
    ('2026-06-20/2026-06-22', '2026-06-26')
    """
    found: list[tuple[int, int]] = []
    for day in sorted(days):
        if found and day == found[-1][1] + 1:
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return tuple(
        format_date(first) if first == last else f"{format_date(first)}/{format_date(last)}"
        for first, last in found
    )
