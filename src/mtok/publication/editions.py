"""An edition: one date as it is published from one `as_of`, its records and the files beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from mtok.archive import KIND_TABLE, KIND_USAGE, RANKINGS_DAILY, Capture
from mtok.calendar import day_of, format_date, format_instant, parse_date
from mtok.canonical import canonical_bytes, sha256_hex
from mtok.determination.assembly import Request
from mtok.determination.determine import determine
from mtok.determination.inputs import Evidence
from mtok.engine import EmbeddedEngine
from mtok.methodology import Methodology
from mtok.observations import Observations
from mtok.progress import Progress
from mtok.publication.facts import Facts
from mtok.publication.facts_evidence import facts_of
from mtok.publication.facts_file import facts_bytes
from mtok.publication.policy import Due, Stage
from mtok.publication.vintages import Vintage
from mtok.records import Absent, Constituent, Determination, File, PublishedRecord

Files = dict[str, bytes]
"""What never changes, by path under `publication/`."""


@dataclass(frozen=True, kw_only=True)
class Determined:
    """What the rules say of one date at one `as_of`. lists : the price captures seen, by UTC day"""

    day: int
    due: Due
    records: tuple[Determination, ...]
    facts: Facts
    lists: Mapping[str, bytes]

    @property
    def has_volumes(self) -> bool:
        """Whether any capture holds the date."""
        return any(record.reasons != ("no_volumes",) for record in self.records)


def determine_dates(
    observations: Observations,
    methodology: Methodology,
    days: Sequence[int],
    due: Due,
    before: Mapping[str, Sequence[Determination]],
    progress: Progress,
) -> Iterator[Determined]:
    """Yield consecutive dates as they are determined at the `as_of` they are all due for.

    before : by series, what the first of them links to
    """
    window = methodology.parameters.number("window", "input_days_before")
    engine = EmbeddedEngine()
    evidence = Evidence(
        observations,
        engine,
        volume_source=RANKINGS_DAILY,
        as_of=due.as_of,
        first_day=days[0] - window,
    )
    request = Request(
        methodology=methodology,
        volume_source=RANKINGS_DAILY,
        first_day=days[0],
        last_day=days[-1],
        as_of=due.as_of,
        complete=False,
    )
    records = determine(request, evidence, engine, progress, before)
    for day in days:
        found = tuple(next(records) for _ in methodology.series)
        seen = {one.date for one in found[0].inputs.seen}
        yield Determined(
            day=day,
            due=due,
            records=found,
            facts=facts_of(request, evidence, engine, day),
            lists={date: evidence.capture_list(parse_date(date)) for date in sorted(seen)},
        )


@dataclass(frozen=True, kw_only=True)
class Edition:
    """One date ready to be published: what goes into the log, and the files.

    raw : how many captures were made on the day, and their list, which is published with the first edition alone
    """

    date: str
    stage: str
    raw: tuple[int, bytes]
    records: tuple[PublishedRecord, ...]
    prices: File
    constituents: int
    files: Files
    name: str


def make_edition(
    determined: Determined,
    captures: Iterable[Capture],
    vintages: Mapping[str, Sequence[Vintage]],
    stages: Sequence[str],
    known_at: str,
    policy_sha256: str,
) -> Edition:
    """Return the edition of a date for the series that `vintages` names, each with its vintages so far.

    stages : of the editions of the date so far, in order
    """
    date, due = format_date(determined.day), determined.due
    records = [record for record in determined.records if record.series in vintages]
    name = _name(date, due.stage, stages)
    files: Files = {
        f"prices/{name}.json": prices_table(records, due.as_of, due.stage),
        f"observations/{name}.parquet": facts_bytes(determined.facts),
    }
    prices, observations = (File(path=path, sha256=sha256_hex(raw)) for path, raw in files.items())
    published = tuple(
        _published(record, vintages[record.series], due, known_at, observations, prices, policy_sha256)
        for record in records
    )
    files |= {f"captures/{day}/{sha256_hex(raw)}.json": raw for day, raw in determined.lists.items()}
    files |= {
        f"records/{record.series}/{date}.{record.vintage}.json": record.canonical for record in published
    }
    return Edition(
        date=date,
        stage=due.stage,
        raw=raw_list(captures, determined.day),
        records=published,
        prices=prices,
        constituents=len(list(_prices(records))),
        files=files,
        name=name,
    )


def prices_table(records: Sequence[Determination], as_of: int, stage: str) -> bytes:
    """Return the table of posted prices of one date as it is published. as_of : instant"""
    table = {
        "date": records[0].date,
        "as_of": format_instant(as_of),
        "methodology": records[0].methodology,
        "stage": stage,
        "prices": list(_prices(records)),
    }
    return canonical_bytes(table)


def _name(date: str, stage: str, stages: Sequence[str]) -> str:
    """Return the name of the next edition of a date.

    It counts editions, not vintages: one series restated today and another tomorrow make the same vintage.
    """
    if stage == Stage.PRELIM:
        return f"{date}.prelim"
    if all(before == Stage.PRELIM for before in stages):
        return date
    return f"{date}.{len(stages)}"


def _published(
    record: Determination,
    vintages: Sequence[Vintage],
    due: Due,
    known_at: str,
    observations: File,
    prices: File,
    policy_sha256: str,
) -> PublishedRecord:
    return PublishedRecord(
        **msgspec.structs.asdict(record),
        stage=due.stage,
        vintage=len(vintages),
        known_at=known_at,
        supersedes=len(vintages) - 1 if vintages else None,
        reason=due.reason,
        determination_sha256=record.sha256,
        observations=observations,
        prices=prices,
        policy_sha256=policy_sha256,
    )


def raw_list(captures: Iterable[Capture], day: int) -> tuple[int, bytes]:
    """Return how many captures were made on a UTC day, and the list of them."""
    rows = [
        {
            "bytes": capture.bytes,
            "captured_at": capture.captured_at,
            "collector": capture.collector,
            "failure": capture.failure,
            "http_status": capture.http_status,
            "sha256": capture.sha256,
            "source": f"{capture.kind} {capture.subject}" if capture.subject else capture.kind,
        }
        for capture in captures
        if day_of(capture.instant) == day and capture.kind not in {KIND_TABLE, KIND_USAGE}
    ]
    return len(rows), canonical_bytes(rows)


def _prices(records: Iterable[Determination]) -> Iterator[dict[str, Any]]:
    """Yield the rows of the table of posted prices, sorted by series and constituent."""
    for record in sorted(records, key=lambda record: record.series):
        sha256 = {capture.id: capture.sha256 for capture in record.inputs.captures}
        listed: list[Constituent | Absent] = [*record.constituents, *record.absent]
        for row in sorted(listed, key=lambda row: row.constituent):
            yield {
                "series": record.series,
                "constituent": row.constituent,
                "price_seconds": row.price_seconds,
                "price_usd_per_mtok": row.price_usd_per_mtok,
                "rung": row.rung,
                "age_days": row.age_days,
                "captures": len(row.captures),
                "sha256": sha256[row.captures[-1]],
                "tokens": row.tokens if isinstance(row, Constituent) else None,
            }
