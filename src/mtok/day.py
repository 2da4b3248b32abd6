"""One day of mtok, to be read first: collect → observe → determine → publish.

Evidence is archived as it came, observations are made from it, the rules of the version in force turn them into
determination records. Collecting live and publishing have their places here when they exist.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mtok.archive import KIND_RANKINGS, RANKINGS_DAILY, Capture, Store
from mtok.calendar import format_date
from mtok.determination.assembly import Request
from mtok.determination.determine import determine
from mtok.determination.folder import Determinations
from mtok.determination.inputs import Evidence
from mtok.engine import Engine
from mtok.errors import AnswerIsNo, BadCall
from mtok.methodology import load
from mtok.observations import Observations
from mtok.progress import Progress, silent
from mtok.records import Determination


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a run determined. files_changed : month files whose bytes are new."""

    volume_source: str
    first_date: str
    last_date: str
    records: int
    withheld: int
    files_changed: int


def determine_days(
    store: Store,
    *,
    methodology: str = "1.0",
    first_day: int | None = None,
    last_day: int | None = None,
    as_of: int | None = None,
    volume_source: str | None = None,
    threads: int | None = None,
    progress: Progress = silent,
) -> Run:
    """Observe what is new, then determine each day of the range and write its records (R-0).

    first_day, last_day : the range; by default from the first day that has volumes to the last. The run begins
    no later than the first such day, because every record names the ones before it.
    Raises AnswerIsNo when no capture holds any volumes, BadCall for a source the store does not hold.
    """
    with store.writing():
        observations = Observations(store)
        captures = observations.refresh(progress)
        source = _volume_source(captures, volume_source)
        engine = Engine(threads)
        evidence = Evidence(observations, captures, engine, volume_source=source, as_of=as_of)
        held = evidence.held_days()
        if not held and (first_day is None or last_day is None):
            raise AnswerIsNo(
                "no_volumes",
                f"no capture of {source!r} in {store.path} holds volumes of any day",
                "Import responses of rankings-daily, or a table with --volume-source NAME.",
            )
        request = Request(
            methodology=load(methodology),
            volume_source=source,
            first_day=min(day for day in (first_day, *held[:1]) if day is not None),
            last_day=last_day if last_day is not None else held[-1],
            as_of=as_of,
            complete=source in store.parameters.complete_volume_sources,
        )
        if request.last_day < request.first_day:
            raise BadCall(
                "dates_out_of_order",
                f"asked for days up to {format_date(request.last_day)}; the first is {format_date(request.first_day)}",
                "Give --to a later date.",
            )
        qualities: Counter[str] = Counter()
        records = _counted(determine(request, evidence, engine, progress), qualities)
        changed = Determinations(store, methodology).write(records)
        return Run(
            volume_source=source,
            first_date=format_date(request.first_day),
            last_date=format_date(request.last_day),
            records=qualities.total(),
            withheld=qualities["withheld"],
            files_changed=changed,
        )


def _volume_source(captures: Sequence[Capture], asked: str | None) -> str:
    """Return the one volume source to read: the one asked for, else rankings-daily, else the only one there is."""
    held = {capture.volume_source or RANKINGS_DAILY for capture in captures if capture.kind == KIND_RANKINGS}
    if asked is None and (RANKINGS_DAILY in held or not held):
        return RANKINGS_DAILY
    if asked is None and len(held) == 1:
        return held.pop()
    if asked not in held:
        raise BadCall(
            "volume_source_unknown",
            f"volume source {asked or 'unnamed'!r} among {', '.join(sorted(held)) or 'none'}",
            "Name one of them with --volume-source; sources are never mixed.",
        )
    return asked


def _counted(records: Iterator[Determination], qualities: Counter[str]) -> Iterator[Determination]:
    for record in records:
        qualities[record.quality] += 1
        yield record
