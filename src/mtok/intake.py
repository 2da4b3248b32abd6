"""From files somebody kept to captures of a store: what `mtok import` does.

Payloads and tables of prices come first, tables of volumes last, because their ids are resolved by the catalogue.
Everything is idempotent: the same call again completes an interrupted one and changes nothing otherwise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from mtok.archive import KIND_RANKINGS, PRIMARY, Collector, Response, Store
from mtok.calendar import day_of
from mtok.observations import Catalogue, Observations
from mtok.progress import Progress
from mtok.sources import (
    Refused,
    Table,
    TableReport,
    check_volume_source,
    find_files,
    price_responses,
    read_response,
    read_table,
    refuse_changed_import,
    refuse_mixed,
    volume_responses,
)


@dataclass(kw_only=True)
class ImportReport:
    """What an import did.

    new, known : captures · kinds : new ones by kind · refused : files not archived, in order
    tables : rows of tables that are no observation · faults : of the new captures, by code
    """

    new: int = 0
    known: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    refused: list[Refused] = field(default_factory=list)
    tables: TableReport = field(default_factory=TableReport)
    faults: Counter[str] = field(default_factory=Counter)


def import_paths(
    store: Store,
    paths: Iterable[Path],
    *,
    collector: str = PRIMARY,
    volume_source: str | None = None,
    captured_at: int | None = None,
    progress: Progress,
) -> ImportReport:
    """Archive files and folders, and observe what is new.

    collector : whose captures they are; a new name ranks behind the others (R-6)
    volume_source : the one source of volumes to take from tables · captured_at : instant for undated payloads
    Raises BadCall for a path that does not exist or an unknown volume source; a bad file is refused by name.
    """
    report = ImportReport()
    files = find_files(paths)
    volumes: list[Table] = []

    def payloads_and_prices() -> Iterator[Response]:
        for done, file in enumerate(files):
            progress("importing", done, len(files))
            if not file.is_table:
                found = read_response(file, collector=collector, captured_at=captured_at)
                yield from _taken(found, report)
                continue
            table = read_table(file, captured_at=captured_at)
            if isinstance(table, Refused):
                report.refused.append(table)
            elif table.layout == "prices":
                yield from price_responses(
                    table, collector=collector, report=report.tables, progress=progress
                )
            elif refused := check_volume_source(table, volume_source):
                report.refused.append(refused)
            else:
                volumes.append(table)
        progress("importing", len(files), len(files))

    with store.writing():
        _rank(store, collector)
        if volume_source is not None:
            refuse_mixed(store.register.read(), volume_source, KIND_RANKINGS)
        new = _archive(store, payloads_and_prices(), report)
        observations = Observations(store)
        if volumes:
            observations.refresh(progress)
            resolve = Catalogue.from_observations(observations).resolve
        for table in volumes:
            responses = list(
                volume_responses(
                    table,
                    volume_source=volume_source or "",
                    resolve=resolve,
                    collector=collector,
                    captured_at=captured_at,
                    report=report.tables,
                    progress=progress,
                )
            )
            refuse_changed_import(store.register.read(), responses)
            new |= _archive(store, responses, report)
        _observe(observations, new, report, progress)
    return report


def _taken(found: Response | Refused, report: ImportReport) -> Iterator[Response]:
    if isinstance(found, Refused):
        report.refused.append(found)
    else:
        yield found


def _rank(store: Store, collector: str) -> None:
    """Give a collector the store has not heard of the next rank (R-6)."""
    parameters = store.parameters
    if all(entry.collector != collector for entry in parameters.collectors):
        last = max((entry.rank for entry in parameters.collectors), default=0)
        entry = Collector(collector=collector, rank=max(last + 1, 2))
        store.write_parameters(replace(parameters, collectors=(*parameters.collectors, entry)))


def _archive(store: Store, responses: Iterable[Response], report: ImportReport) -> set[tuple[str, ...]]:
    new: set[tuple[str, ...]] = set()
    for capture, is_new in store.archive(responses):
        if is_new:
            new.add(capture.key)
            report.new += 1
            report.kinds[capture.kind] += 1
        else:
            report.known += 1
    return new


def _observe(
    observations: Observations, new: set[tuple[str, ...]], report: ImportReport, progress: Progress
) -> None:
    observations.refresh(progress)
    registered = enumerate(observations.store.register.read())
    numbers = {number: day_of(capture.instant) for number, capture in registered if capture.key in new}
    days = sorted(set(numbers.values()))
    listed = observations.rows(
        "faults", "capture", "code", first_day=min(days, default=0), last_day=max(days, default=0)
    )
    report.faults.update(code for number, code in listed if number in numbers)
