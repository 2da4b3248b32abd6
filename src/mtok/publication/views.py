"""The files of a publication that are made anew each time, from what was published: pure, no clock, no file.

All of them follow from the published records, the notices and the head of the log, so anybody can make them again
(`docs/formats.md`). Each function returns bytes, by their path under `publication/` where there are several.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

from mtok.points import CsvPoints, ParquetPoints, batches, points_csv, points_json, points_of, points_parquet
from mtok.publication.citations import citation, citation_file, rankings_as_of, source_line
from mtok.publication.datapackage import datapackage_file
from mtok.publication.feeds import FEED_ITEMS_MAX, Notice, address, feeds
from mtok.records import PublishedRecord, point

__all__ = [
    "FEED_ITEMS_MAX",
    "Notice",
    "address",
    "citation",
    "citation_file",
    "datapackage_file",
    "feeds",
    "latest_file",
    "rankings_as_of",
    "readme_file",
    "series_files",
    "source_line",
    "sums_text",
    "vintages_files",
]

Files = dict[str, bytes]


def series_files(series: str, records: Iterable[PublishedRecord]) -> Files:
    """Return one series as JSON, CSV and Parquet, sorted by date.

    records : the vintage in force of each date, one a date, at least one
    """
    rows = sorted(records, key=lambda record: record.date)
    assert rows, f"no records of {series}"
    assert all(record.series == series for record in rows), f"another series than {series}"
    assert len({record.date for record in rows}) == len(rows), f"two vintages of {series} in force on a date"
    return {
        f"series/{series}.json": points_json(series, rows, PublishedRecord),
        f"series/{series}.csv": points_csv(rows, PublishedRecord),
        f"series/{series}.parquet": points_parquet(rows, PublishedRecord),
    }


def vintages_files(records: Iterable[PublishedRecord]) -> Files:
    """Return all vintages of all series as CSV and Parquet; no records make tables without rows.

    records : sorted by (series, date, vintage, methodology); each is looked at once and let go
    """
    as_csv, as_parquet = CsvPoints(PublishedRecord), ParquetPoints(PublishedRecord)
    for batch in batches(points_of(_in_order(records), PublishedRecord)):
        as_csv.add(batch)
        as_parquet.add(batch)
    return {"vintages.csv": as_csv.content(), "vintages.parquet": as_parquet.content()}


def _in_order(records: Iterable[PublishedRecord]) -> Iterator[PublishedRecord]:
    before: tuple[str, str, int, str] | None = None
    for record in records:
        key = (record.series, record.date, record.vintage, record.methodology)
        assert before is None or before < key, f"vintages out of order: {before}, {key}"
        yield record
        before = key


def latest_file(latest: Mapping[str, PublishedRecord], *, origin: str, size: int, known_at: str) -> bytes:
    """Return `latest.json`: the last date of each series as a point, in the order given, and the head of the log.

    latest : the vintage in force of the last date of each series · size : entries in the log of this `origin`
    known_at : instant of the latest publication
    """
    assert all(record.series == series for series, record in latest.items())
    content = {
        "origin": origin,
        "size": size,
        "known_at": known_at,
        "points": [point(record) for record in latest.values()],
    }
    return (json.dumps(content, indent=2) + "\n").encode()


def readme_file(*, origin: str, vkey: str) -> bytes:
    """Return `README.txt`: what the folder is and how to verify it. vkey : the log's verifier key."""
    where = address(origin)
    lines = [
        "Reference prices of AI tokens: one value a UTC day and company, with everything it was computed from.",
        f"Log {origin}{f', published at {where}' if where else ''}.",
        "",
        "series/, vintages.*    the values, as JSON, CSV and Parquet; datapackage.json describes every column",
        "records/, prices/, observations/, captures/, methodology/, rulebook.md    how each value was computed",
        "log/, proofs/          what was said when: an append-only log, and proof that each record is in it",
        "feeds/                 what is new, what was revised, notices (Atom and JSON Feed)",
        "",
        "To verify all of it offline: mtok verify PATH. By hand, file by file: sha256sum --check SHA256SUMS.",
        "SHA256SUMS and log/checkpoint are signed with the key below; compare it with one from elsewhere:",
        f"    {vkey}",
        "An empty cell is missing (of `value`: withheld), never zero. CITATION.txt says how to cite.",
    ]
    return "".join(f"{line}\n" for line in lines).encode()


def sums_text(digests: Mapping[str, str]) -> str:
    """Return the text of `SHA256SUMS`, unsigned: a line a file, sorted by path.

    >>> sums_text({"b.csv": "02" * 32, "a.csv": "01" * 32}).splitlines()[0][-9:]
    '01  a.csv'
    """
    return "".join(f"{digests[path]}  {path}\n" for path in sorted(digests))
