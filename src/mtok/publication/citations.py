"""Whose data a figure rests on and how to cite it: the lines that stand beside every published figure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from mtok.calendar import parse_instant
from mtok.records import PublishedRecord

UNITS: Final = {"USD_PER_MTOK_OUTPUT": "USD per million output tokens"}


def rankings_as_of(records: Iterable[PublishedRecord]) -> str | None:
    """Return the `as_of` of the latest rankings among those that records rest on, verbatim; None without any."""
    return latest_of(record.inputs.rankings.as_of for record in records if record.inputs.rankings)


def latest_of(instants: Iterable[str]) -> str | None:
    """Return the latest of instants, verbatim: as text `…:00.5Z` would stand before `…:00Z`."""
    return max(instants, key=lambda text: (parse_instant(text), text), default=None)


def source_line(as_of: str | None) -> str:
    """Return the line that stands beside every figure; as_of : of the latest rankings used, verbatim."""
    when = f", as of {as_of}" if as_of else ""
    return f"Source: OpenRouter (openrouter.ai/rankings){when}. Licensed under CC BY 4.0."


def value_text(value: str | None, unit: str) -> str:
    """Return a value with its unit, or that there is none."""
    return "withheld" if value is None else f"{value} {UNITS.get(unit, unit)}"


def citation(record: PublishedRecord, *, origin: str, size: int) -> str:
    """Return how to cite one value, so that a reader can find the very vintage and prove it.

    size : how many entries the log had when it was looked up
    """
    return (
        f"mtok {record.series}, {record.date}, methodology {record.methodology}, vintage {record.vintage} "
        f"({record.stage}, published {record.known_at}): {value_text(record.value, record.unit)}. "
        f"Record sha256 {record.sha256}; log {origin}, size {size}."
    )


def citation_file(*, as_of: str | None, origin: str, size: int, example: PublishedRecord | None) -> bytes:
    """Return `CITATION.txt`: whose data the figures rest on, and how to cite a value.

    as_of : of the latest rankings used (`rankings_as_of`) · example : a record to show it on, None without any
    """
    lines = [
        source_line(as_of),
        "Index computed from it by mtok; the figures are not OpenRouter's.",
        "",
        "Reuse: repeat the first line beside the figures, with the as_of of the rankings they rest on",
        "(`inputs.rankings.as_of` of the record).",
        "",
        "To cite a value give series, date, methodology, vintage, the sha256 of its published record, and the log with",
        "its size when you looked it up. A value alone is not enough: later vintages may say something else.",
    ]
    if example is not None:
        lines += ["Example:", "", f"    {citation(example, origin=origin, size=size)}"]
    return "".join(f"{line}\n" for line in lines).encode()
