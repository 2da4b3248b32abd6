"""One version × the days of a store → determination records (R-0).

The rules run as SQL in spans of days; what comes out is divided, rounded and judged in `assembly`, then linked to
the determinations before it in `chain`. The same captures, version and `as_of` give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from mtok.determination.assembly import Day, Request
from mtok.determination.chain import Chain
from mtok.determination.inputs import Evidence
from mtok.determination.results import Results
from mtok.engine import Engine
from mtok.progress import Progress
from mtok.records import Determination

SPAN_DAYS: Final = 62
"""Days the rules run over at once: bounds memory, changes no result."""


def determine(
    request: Request,
    evidence: Evidence,
    engine: Engine,
    progress: Progress,
    before: Mapping[str, Sequence[Determination]] | None = None,
) -> Iterator[Determination]:
    """Yield the records of every series for each day in order, each linked to those before it.

    before : by series, the records the first of these links to, oldest first; without it the run begins the series
    Raises BadInput (`overflow`) when totals or prices are so absurd that a sum leaves DECIMAL(38, 0).
    """
    methodology = request.methodology
    chains = {
        entry.series: Chain(methodology.parameters, (before or {}).get(entry.series, ()))
        for entry in methodology.series
    }
    evidence.load_version(methodology)
    total = request.last_day - request.first_day + 1
    for first in range(request.first_day, request.last_day + 1, SPAN_DAYS):
        last = min(first + SPAN_DAYS - 1, request.last_day)
        evidence.load_prices(first - request.days_before, last + request.days_after)
        results = Results(engine, methodology.rules, first, last, is_usage=evidence.is_usage)
        for number in range(first, last + 1):
            progress("determining", number - request.first_day, total)
            day = Day(request, evidence, results, number)
            for series, chain in chains.items():
                yield chain.link(day.record(series))
    progress("determining", total, total)
