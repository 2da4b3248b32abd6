"""What is published of some days: posted prices by constituent, why others have none, the values of the series."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from mtok.calendar import parse_date
from mtok.errors import AnswerIsNo
from mtok.methodology import in_force, load
from mtok.publication.published import Published
from mtok.records import Determination

NOT_LISTED: Final = "not_listed"
NO_RECORD: Final = "no_record"


@dataclass(frozen=True, kw_only=True)
class Span:
    """The dates of which anything is published, and the version and series of the last."""

    methodology: str
    series: tuple[str, ...]
    first: str
    last: str

    @classmethod
    def of(cls, published: Published) -> Span:
        """Return the span of a publication. Raises AnswerIsNo when nothing is published."""
        dates = published.vintages.dates()
        if not dates:
            raise AnswerIsNo(
                "nothing_published", "nothing is published there", "`mtok publish` publishes what is due."
            )
        methodology = in_force(parse_date(dates[-1]))
        series = tuple(entry.series for entry in load(methodology).series)
        return cls(methodology=methodology, series=series, first=dates[0], last=dates[-1])


class Market:
    """Posted prices and values of the days that some records are of.

    prices : date → constituent → price_seconds, with tokens on OpenRouter that day or without
    values : series → date → USD per million, six decimals, of the printed days
    series_of : the series of every constituent that a record names, priced or left out
    """

    def __init__(self, series: Iterable[str], records: Iterable[Determination]) -> None:
        self.series = tuple(series)
        self.prices: dict[str, dict[str, int]] = {}
        self.values: dict[str, dict[str, str]] = {name: {} for name in self.series}
        self.series_of: dict[str, str] = {}
        self._reasons: dict[str, dict[str, str]] = {}
        self._recorded: set[tuple[str, str]] = set()
        for record in records:
            self._add(record)

    @classmethod
    def read(cls, published: Published, span: Span, dates: Iterable[str]) -> Market:
        """Return the market from the first to the last of `dates`; of no dates, an empty one."""
        days = sorted(map(parse_date, dates))
        vintages = (
            vintage
            for name in span.series
            for vintage in (published.in_force(name, span.methodology, days[0], days[-1]) if days else ())
        )
        return cls(span.series, map(published.record, vintages))

    def _add(self, record: Determination) -> None:
        posted = {row.constituent: row.price_seconds for row in record.constituents}
        posted |= {row.constituent: row.price_seconds for row in record.absent}
        left_out = {row.constituent: row.reason for row in record.left_out}
        self.prices.setdefault(record.date, {}).update(posted)
        self._reasons.setdefault(record.date, {}).update(left_out)
        self._recorded.add((record.date, record.series))
        self.series_of |= dict.fromkeys((*posted, *left_out), record.series)
        if record.value is not None:
            self.values[record.series][record.date] = record.value

    def why_unpriced(self, date: str, constituent: str) -> str:
        """Return why a constituent has no price of a date: a reason of R-6 or R-4, `not_listed` or `no_record`."""
        if (date, self.series_of[constituent]) not in self._recorded:
            return NO_RECORD
        return self._reasons[date].get(constituent, NOT_LISTED)
