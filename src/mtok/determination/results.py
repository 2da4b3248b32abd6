"""What the rules answer over a span of days, grouped as records need it. Nothing is computed here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from mtok.determination.basis import PricedBySeries, priced_usage
from mtok.engine import Engine
from mtok.methodology import Rule

Row = dict[str, Any]
"""A row of a rule's table by column name; `src/mtok/methodology/v1/rulebook.md` says which file makes which table."""


class Results:
    """The tables of the rules over fixing days [first, last].

    markets : by day · totals : by (day, series) · classified, absent, needed : rows by (day, series)
    evidence : (capture number, reason it was discarded) by (day, slug, variant), in order of time
    rejected : (capture number, reason) by day, of volume captures whose rows of the day were rejected
    priced_usage : of a source of usage, both counts of tokens of each constituent with a price, by (day, series)
    """

    def __init__(
        self, engine: Engine, rules: Iterable[Rule], first: int, last: int, *, is_usage: bool
    ) -> None:
        self._engine = engine
        engine.table("fixing", {"day": "INTEGER"}, [(day,) for day in range(first, last + 1)])
        for rule in rules:
            engine.query(rule.name, rule.text)
        self.markets = {row["day"]: row for row in engine.records("market")}
        self.totals = {(row.pop("day"), row.pop("series")): row for row in engine.records("total")}
        self.classified = _by_day_and_series(engine.records("classified"))
        self.absent = _by_day_and_series(engine.records("absent"))
        self.needed = _by_day_and_series(engine.records("needed"))
        self.evidence: defaultdict[tuple[int, str, str], list[tuple[int, str | None]]] = defaultdict(list)
        for day, slug, variant, capture, reason in engine.rows(
            "SELECT day, slug, variant, capture, reason FROM evidence ORDER BY day, slug, variant, capture"
        ):
            self.evidence[day, slug, variant].append((capture, reason))
        self.rejected: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)
        for day, capture, reason in engine.rows(
            "SELECT volume_days.day, volume_days.capture, volume_days.reason FROM volume_days "
            "JOIN fixing ON fixing.day = volume_days.day WHERE volume_days.reason IS NOT NULL ORDER BY capture"
        ):
            self.rejected[day].append((capture, reason))
        self.priced_usage: PricedBySeries = priced_usage(engine) if is_usage else {}

    def described_ids(self, day: int) -> set[tuple[str, str]]:
        """Return (id, canonical slug) of every standard row in the price captures of a day of the span."""
        rows = self._engine.rows(
            "SELECT DISTINCT id, slug FROM catalogue JOIN price_captures "
            "ON price_captures.capture = catalogue.capture "
            f"WHERE price_captures.day = {day:d} AND catalogue.variant = 'standard'"
        )
        return {(model_id, slug) for model_id, slug in rows}


def _by_day_and_series(rows: list[Row]) -> defaultdict[tuple[int, str], list[Row]]:
    grouped: defaultdict[tuple[int, str], list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row["day"], row["series"]].append(row)
    return grouped
