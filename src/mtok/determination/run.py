"""A run: the determinations of a range of days, or of every day since something changed, written to the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from mtok.archive import RANKINGS_DAILY, Store
from mtok.calendar import format_date
from mtok.determination.assembly import Request
from mtok.determination.determine import determine
from mtok.determination.folder import Determinations
from mtok.determination.inputs import Evidence
from mtok.determination.recomputation import Cause, Start, find_start, note_of
from mtok.engine import EmbeddedEngine, Engine
from mtok.errors import AnswerIsNo, BadCall
from mtok.methodology import load
from mtok.observations import Observations
from mtok.progress import Progress, silent
from mtok.records import Determination


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a run determined.

    first_date, last_date : of the records it made, empty when none was due · files_changed : month files whose bytes
    are new · because : why it began where it did · causes : what was new, each with the dates of the records it changed
    """

    volume_source: str
    first_date: str = ""
    last_date: str = ""
    records: int = 0
    withheld: int = 0
    files_changed: int = 0
    because: str
    causes: tuple[Cause, ...] = ()


def run_range(
    store: Store,
    observations: Observations,
    *,
    methodology: str = "1.0",
    first_day: int | None = None,
    last_day: int | None = None,
    as_of: int | None = None,
    volume_source: str | None = None,
    engine: Engine | None = None,
    progress: Progress = silent,
) -> Run:
    """Determine each day of a range and write its records (R-0); the caller holds the lock and has refreshed.

    first_day, last_day : the range, which begins no later than the first day that has volumes, because every record
    names the ones before it. Without a range and `as_of` the records of all days are brought up to date.
    engine : runs the rules, and stays open; without one DuckDB does. The records do not depend on it.
    Raises AnswerIsNo when no capture holds any volumes, BadCall for a source the store does not hold.
    """
    version = load(methodology)
    source = _volume_source(observations, volume_source)
    asked = Start(because="asked for", first_day=first_day, last_day=last_day)
    everything = first_day is None and last_day is None and as_of is None
    start = find_start(store, observations, version, source) if everything else asked
    determinations = Determinations(store, methodology)
    if start.nothing_to_do and start.first_of_all is not None and start.last_day is not None:
        determinations.note_run(
            source, note_of(store, observations, version, start.first_of_all, start.last_day)
        )
        return Run(volume_source=source, because=start.because)
    engine = engine or EmbeddedEngine()
    evidence = Evidence(
        observations, engine, volume_source=source, as_of=as_of, first_day=start.first_capture_day
    )
    first, last = _range(store, evidence, source, start)
    request = Request(
        methodology=version,
        volume_source=source,
        first_day=first,
        last_day=last,
        as_of=as_of,
        complete=evidence.is_usage or source in store.parameters.complete_volume_sources,
    )
    qualities: Counter[str] = Counter()
    records = _counted(determine(request, evidence, engine, progress, start.before), qualities)
    changed = determinations.write(records)
    if everything:
        determinations.note_run(
            source, note_of(store, observations, version, start.first_of_all or first, last)
        )
    return Run(
        volume_source=source,
        first_date=format_date(first),
        last_date=format_date(last),
        records=qualities.total(),
        withheld=qualities["withheld"],
        files_changed=changed,
        because=start.because,
        causes=start.causes,
    )


def _range(store: Store, evidence: Evidence, source: str, start: Start) -> tuple[int, int]:
    """Return the first and last day to determine."""
    if start.before is not None and start.first_day is not None and start.last_day is not None:
        return start.first_day, start.last_day
    held = evidence.held_days()
    if not held and (start.first_day is None or start.last_day is None):
        raise AnswerIsNo(
            "no_volumes",
            f"no capture of {source!r} in {store.path} holds volumes of any day",
            "Collect or import responses of rankings-daily, or import a table with --volume-source NAME.",
        )
    first = min(day for day in (start.first_day, *held[:1]) if day is not None)
    last = start.last_day if start.last_day is not None else held[-1]
    if last < first:
        raise BadCall(
            "dates_out_of_order",
            f"asked for days up to {format_date(last)}; the first is {format_date(first)}",
            "Give --to a later date.",
        )
    return first, last


def _volume_source(observations: Observations, asked: str | None) -> str:
    """Return the one volume source to read: the one asked for, else rankings-daily, else the only one there is."""
    held = observations.volume_sources
    if asked is None and (RANKINGS_DAILY in held or not held):
        return RANKINGS_DAILY
    if asked is None and len(held) == 1:
        return held[0]
    if asked not in held:
        raise BadCall(
            "volume_source_unknown",
            f"volume source {asked or 'unnamed'!r} among {', '.join(held) or 'none'}",
            "Name one of them with --volume-source; sources are never mixed.",
        )
    return asked


def _counted(records: Iterator[Determination], qualities: Counter[str]) -> Iterator[Determination]:
    for record in records:
        qualities[record.quality] += 1
        yield record
