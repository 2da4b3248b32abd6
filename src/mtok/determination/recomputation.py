"""Where a run has to begin: at the first day that reads something the last run did not have.

A record names every capture it was given, so a new capture can change the records of the days whose window holds it
(R-0) or whose volumes it names (R-2), and through the links between records (R-8, R-11) those of all later days.
Nothing before can change. What is recomputed so has the bytes of a full recomputation; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from mtok import records
from mtok.archive import KIND_ENDPOINTS, KIND_MODELS, RANKINGS_DAILY, Capture, Store
from mtok.calendar import day_of, format_date, parse_date
from mtok.canonical import canonical_bytes, sha256_hex
from mtok.determination.folder import Determinations, LastRun
from mtok.methodology import Methodology
from mtok.observations import Observations, tables
from mtok.records import Determination


@dataclass(frozen=True, kw_only=True)
class Start:
    """Where to begin and why.

    because : the reason, for people
    first_day : the first day to determine, None: the first that has volumes · last_day : the last one, None: the last
    that has volumes · before : where the run goes on from an earlier one, the records the first day links to, by series
    first_capture_day : no capture of an earlier day is read, None: all are · first_of_all : the first day with records
    """

    because: str
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
    affected = set(_affected(store, observations, methodology, volume_source, last_run))
    first_of_all, last = parse_date(last_run.first_date), parse_date(last_run.last_date)
    named = {day for day, is_named in affected if is_named}
    last_day = max(named | {last})
    touched = {day for day, _ in affected if first_of_all <= day <= last_day}
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


def _affected(
    store: Store,
    observations: Observations,
    methodology: Methodology,
    volume_source: str,
    last_run: LastRun,
) -> Iterator[tuple[int, bool]]:
    """Yield the days whose records may read a capture the last run did not have, and whether it names their volumes."""
    window = methodology.parameters
    days_before, days_after = (
        window.number("window", "input_days_before"),
        window.number("window", "input_days_after"),
    )
    captures = store.register.read(last_run.register)
    for capture in captures:
        day = day_of(capture.instant)
        if capture.failure is None and capture.kind == KIND_MODELS:
            yield from ((affected, False) for affected in range(day - days_after, day + days_before + 1))
        elif capture.failure is None and capture.kind == KIND_ENDPOINTS:
            yield day, False
    volumes = [capture for capture in captures if capture.volume_source == volume_source]
    yield from ((day, True) for day in _named(observations, volumes, last_run.register.lines))


def _named(observations: Observations, volumes: list[Capture], first_line: int) -> Iterator[int]:
    days = [day_of(capture.instant) for capture in volumes]
    if days:
        rows = observations.rows("volume_days", "capture", "day", first_day=min(days), last_day=max(days))
        yield from (day for line, day in rows if line >= first_line)
