"""What a determination owes to earlier ones: the move, averages, pure-price companion, notes (R-8, R-10, R-11)."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import msgspec

from mtok.calendar import parse_date
from mtok.determination.move import Basket, explain_move, fisher_square
from mtok.determination.quality import VALUE_PLACES
from mtok.methodology import Parameters
from mtok.quantities import rounded, significant_root
from mtok.records import Determination, Earlier

_INDEX_BASE = "100"
_WINDOWS = {"average_7d": 7, "average_30d": 30}


class Chain:
    """The earlier determinations of one series, oldest first, to which each new one is linked."""

    def __init__(self, parameters: Parameters, earlier: Iterable[Determination] = ()) -> None:
        self._parameters = parameters
        self._days = parameters.number("averages", "previous_days")
        self._recent: dict[int, Determination] = {}
        self._last_printed: Determination | None = None
        for record in earlier:
            self._keep(record)

    def link(self, record: Determination) -> Determination:
        """Return `record` with everything that rests on earlier ones, and keep it for the next."""
        day = parse_date(record.date)
        recent = {date: found for date, found in self._recent.items() if day - self._days <= date < day}
        linked = msgspec.structs.replace(
            record, earlier=self._named(recent), **self._averages(record, recent)
        )
        if record.value is not None:
            linked = self._printed(linked, recent)
        self._keep(linked)
        return linked

    def _keep(self, record: Determination) -> None:
        day = parse_date(record.date)
        self._recent[day] = record
        self._recent = {date: kept for date, kept in self._recent.items() if date >= day - self._days}
        if record.value is not None:
            self._last_printed = record

    def _named(self, recent: dict[int, Determination]) -> tuple[Earlier, ...]:
        named = {record.date: record.sha256 for record in recent.values()}
        if self._last_printed:
            named.setdefault(self._last_printed.date, self._last_printed.sha256)
        return tuple(Earlier(date=date, sha256=sha256) for date, sha256 in sorted(named.items()))

    def _averages(
        self, record: Determination, recent: dict[int, Determination]
    ) -> dict[str, str | int | None]:
        """Return `average_7d`, `average_30d` and how many days of each window are printed (R-8.2)."""
        day = parse_date(record.date)
        found: dict[str, str | int | None] = {}
        for name, days in _WINDOWS.items():
            window = [earlier.value for date, earlier in recent.items() if date > day - days]
            printed = [Fraction(value) for value in (*window, record.value) if value is not None]
            enough = len(printed) >= self._parameters.ratio("averages", "printed_share_min") * days
            if record.value is not None and enough:
                found[name] = rounded(sum(printed) / Fraction(len(printed)), VALUE_PLACES)
            found[f"{name}_days"] = len(printed)
        return found

    def _printed(self, record: Determination, recent: dict[int, Determination]) -> Determination:
        notes = set(record.notes)
        exact = self._last_printed.price_index_exact if self._last_printed else _INDEX_BASE
        move = None
        if self._last_printed and parse_date(self._last_printed.date) in recent:
            move = explain_move(self._last_printed, record)
            exact, found = self._index(self._last_printed, record)
            notes |= found
        elif self._last_printed:
            notes.add("no_link")
        return msgspec.structs.replace(
            record,
            notes=tuple(sorted(notes)),
            move=move,
            price_index_exact=exact,
            price_index=rounded(Fraction(exact or _INDEX_BASE), VALUE_PLACES),
        )

    def _index(self, before: Determination, after: Determination) -> tuple[str, set[str]]:
        """Return the pure-price companion, 50 significant digits, and the notes on the link (R-8.3, R-10)."""
        old, new = Basket.of(before), Basket.of(after)
        notes = set()
        value, previous = new.average(new.tokens), old.average(old.tokens)
        if abs(value - previous) > self._parameters.ratio("quality", "jump") * previous:
            notes.add("jump")
        index = before.price_index_exact or _INDEX_BASE
        continuing = old.tokens.keys() & new.tokens.keys()
        if not continuing:
            return index, notes | {"no_link"}
        least = self._parameters.ratio("averages", "weak_link_share")
        if any(basket.weight(continuing) < least * basket.weight(basket.tokens) for basket in (old, new)):
            notes.add("weak_link")
        square = Fraction(index) ** 2 * fisher_square(old, new, continuing)
        return significant_root(square, self._parameters.number("averages", "index_digits")), notes
