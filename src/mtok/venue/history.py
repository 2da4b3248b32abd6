"""A series over days, as it was known at an instant: what the series page shows, read once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Final

from mtok.calendar import format_date, parse_date
from mtok.errors import EnvironmentFailed
from mtok.publication.outlines import Share
from mtok.publication.policy import Stage
from mtok.publication.published import Published
from mtok.publication.vintages import Vintage
from mtok.records import Move, PublishedRecord

TOP: Final = 6
"""How many constituents are shown by name; all others are the rest."""


@dataclass(frozen=True, kw_only=True)
class History:
    """One series under one methodology, as known at `known_at`, None for now. Nothing is read but what is asked for."""

    published: Published
    series: str
    methodology: str
    known_at: int | None = None

    @cached_property
    def vintages(self) -> dict[int, Vintage]:
        """The vintage in force of each day."""
        found = self.published.in_force(self.series, self.methodology, as_of=self.known_at)
        return {parse_date(vintage.date): vintage for vintage in found}

    @cached_property
    def differing(self) -> tuple[int, int]:
        """How many days say something else today, and how many were not known yet."""
        if self.known_at is None:
            return 0, 0
        today = History(published=self.published, series=self.series, methodology=self.methodology).vintages
        other = sum(today[day] != vintage for day, vintage in self.vintages.items())
        return other, len(today.keys() - self.vintages.keys())

    def within(self, first: int, last: int) -> Stretch:
        """Return the days from first to last."""
        return Stretch(self, {day: one for day, one in self.vintages.items() if first <= day <= last})

    def revised(self, day: int) -> bool:
        """Return whether value or quality of a day was changed, once it was more than preliminary."""
        key = (self.series, self.methodology, format_date(day))
        known = {
            (vintage.value, vintage.quality)
            for vintage in self.published.vintages.of(key)
            if vintage.stage not in (Stage.PRELIM, Stage.INFORMATIONAL)
            and (self.known_at is None or vintage.known_at <= self.known_at)
        }
        return len(known) > 1


@dataclass(frozen=True)
class Stretch:
    """Some days of a history."""

    history: History
    vintages: dict[int, Vintage]

    @cached_property
    def records(self) -> dict[int, PublishedRecord]:
        """The record of each day that can be read, without its constituents."""
        found = {}
        for day, vintage in self.vintages.items():
            with suppress(EnvironmentFailed):
                found[day] = self.history.published.outline(vintage)
        return found

    @property
    def unreadable(self) -> list[int]:
        """The days whose record is not the one that was published."""
        return [day for day in self.vintages if day not in self.records]

    @cached_property
    def revised(self) -> list[int]:
        """The days that were revised."""
        return [day for day in self.vintages if self.history.revised(day)]

    @cached_property
    def moves(self) -> dict[int, Move]:
        """How the value of each day moved."""
        return {day: record.move for day, record in self.records.items() if record.move is not None}

    def values(self, field: str) -> dict[int, Fraction]:
        """Return a field of the records, or of their diagnostics, for the days that have it."""
        found = ((day, _field(record, field)) for day, record in self.records.items())
        return {day: Fraction(value) for day, value in found if value is not None}

    def last(self, field: str) -> str:
        """Return the last digits of a field, as they were published; empty where no day has any."""
        found = [digits for record in self.records.values() if (digits := _field(record, field)) is not None]
        return found[-1] if found else ""

    @cached_property
    def shares(self) -> tuple[dict[str, dict[int, Fraction]], dict[int, Fraction]]:
        """By constituent its share of the weight over days, the `TOP` that held most; and what all others held."""
        by_constituent: dict[str, dict[int, Fraction]] = {}
        for day, share in self._shares():
            by_constituent.setdefault(share.constituent, {})[day] = Fraction(share.weight_share)
        ranked = sorted(by_constituent, key=lambda name: (-sum(by_constituent[name].values()), name))
        rest: dict[int, Fraction] = {}
        for name in ranked[TOP:]:
            for day, value in by_constituent[name].items():
                rest[day] = rest.get(day, Fraction(0)) + value
        return {name: by_constituent[name] for name in ranked[:TOP]}, rest

    def _shares(self) -> Iterator[tuple[int, Share]]:
        for day, record in self.records.items():
            if record.value is not None:
                shares = self.history.published.shares(self.vintages[day])
                yield from ((day, share) for share in shares)


def change_over(records: Mapping[int, PublishedRecord], day: int, days: int) -> Fraction | None:
    """Return the value of a day divided by that of so many days before, None where one of them has none."""
    after, before = records.get(day), records.get(day - days)
    if after is None or before is None or after.value is None or before.value is None:
        return None
    return Fraction(after.value) / Fraction(before.value)


def _field(record: PublishedRecord, field: str) -> str | None:
    holder = record if hasattr(record, field) else record.diagnostics
    found = getattr(holder, field)
    return None if found is None else str(found)
