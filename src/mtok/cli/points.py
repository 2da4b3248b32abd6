"""One series as a table for people, or in one of the formats for machines (`mtok.points`)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, groupby
from typing import Final

from mtok.cli.layout import WIDTH_MIN, Heading, Page, columns, hairline, wrapped
from mtok.points import points_csv, points_json, points_parquet
from mtok.records import Determination, PublishedRecord
from mtok.wording.figures import ABSENT, TIED, day_text, meaningful_places, number, on_the_point
from mtok.wording.words import change, company, quality

COLUMNS_EXPLAINED: Final = (
    "day: change since the print before. 7-day, 30-day: averages of the printed values. index: posted prices alone, "
    "100 on the first printed day. Machine formats have all digits and all diagnostics."
)


def points_page(records: Sequence[Determination], width: int) -> Page:
    """Return the records as a table: value, change, averages, price index, quality and reasons; above it the stages."""
    last = records[-1]
    first_date, last_date = day_text(records[0].date), day_text(last.date)
    rows = [
        [record.date, *cells, quality(record)] for record, cells in zip(records, _cells(records), strict=True)
    ]
    head, *lines = columns(
        [["date", "value", "day", "7-day", "30-day", "index", "quality"], *rows], "<>>>>><"
    )
    return [
        Heading(f"{company(last)} ({last.series})"),
        *wrapped(
            f"USD per 1M output tokens · methodology {last.methodology} · {first_date} to {last_date}", width
        ),
        *wrapped(_stages(records), width),
        "",
        Heading(head),
        hairline(width),
        *chain.from_iterable(_with_reasons(*row, width) for row in zip(lines, records, strict=True)),
        hairline(width),
        *wrapped(COLUMNS_EXPLAINED, width),
    ]


def _stages(records: Sequence[Determination]) -> str:
    """Return which dates are of which stage, run by run; nothing of what is not published."""
    published = [record for record in records if isinstance(record, PublishedRecord)]
    runs = [(stage, list(found)) for stage, found in groupby(published, lambda record: record.stage)]
    return " · ".join(
        TIED.join([stage, found[0].date, *(["to", found[-1].date] if len(found) > 1 else [])])
        for stage, found in runs
    )


def _cells(records: Sequence[Determination]) -> list[list[str]]:
    columns_of_prices = [on_the_point(record.value or ABSENT for record in records)]
    for name in ("average_7d", "average_30d", "price_index"):
        columns_of_prices.append(on_the_point(_meaningful(getattr(record, name)) for record in records))
    value, average_7d, average_30d, index = columns_of_prices
    return [
        list(row) for row in zip(value, map(change, records), average_7d, average_30d, index, strict=True)
    ]


def _meaningful(value: str | None) -> str:
    return ABSENT if value is None else number(value, meaningful_places(value))


def _with_reasons(line: str, record: Determination, width: int) -> Page:
    """Return a row with its reasons behind it, or at the right of the lines below where they do not fit."""
    reasons = " ".join(record.reasons)
    if len(line) + 1 + len(reasons) <= width:
        return [f"{line} {reasons}".rstrip()]
    return [line, *(part.rjust(width) for part in wrapped(reasons, width // 2))]


def points_bytes(form: str, series: str, records: Sequence[Determination]) -> bytes:
    """Return the records in a format: table, json, csv or parquet."""
    kind, basis = type(records[0]), any(record.basis for record in records)
    match form:
        case "json":
            return points_json(series, records, kind, basis=basis)
        case "csv":
            return points_csv(records, kind, basis=basis)
        case "parquet":
            return points_parquet(records, kind, basis=basis)
    return (
        "".join(f"{line.rstrip()}\n" for line in points_page(records, WIDTH_MIN)).replace(TIED, " ").encode()
    )
