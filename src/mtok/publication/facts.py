"""The published observations of a fixing date: what the frozen rules read of six companies to determine it.

Responses are not republished. Whoever has these facts runs the rules over them and gets the records to the byte,
without a response and without a store. Captures are numbered from 1 in order of time, each kind by itself, so that
price capture 17 is `c17` of the record. What many captures show alike stands once for each run of them: a run is
a first and a last number, and every capture of that kind between them shows it, whoever made it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple, NoReturn

from mtok.archive import KIND_ENDPOINTS, KIND_MODELS, KIND_RANKINGS
from mtok.calendar import SECOND, day_of, second_of_day
from mtok.errors import BadInput
from mtok.observations import COMPLETION
from mtok.observations.faults import printable
from mtok.observations.tables import TABLES, Rows

SHOWN_MAX: Final = 4_000_000
"""How many rows the runs of one file may stand for; 48 captures a day and collector make some 300,000."""

_NOT_PUBLISHED: Final = (None, None, None, None)
"""http_status, failure, skew, not_before of a capture."""


class Fact(NamedTuple):
    """A row: what every capture of `kind` numbered first_capture … last_capture shows. Of each fact its own columns.

    capture : instant, captured (`meta.as_of` of a rankings response and when it was captured), collector, subject,
        origin, sha256; rank and archive (R-6) but of rankings, where no rule asks for them
    volume_day : date; reason, why its rows were rejected · volume : date, slug, author, name, variant, tokens
    model : id, place (which of the rows of this id), slug, author, name, variant, created, text_only
    price : id, place, min_prompt_tokens, start_second, end_second, price, base_price, reason; completion tokens
    endpoint : place, id (of the response), provider, tag, status, standard_tier, price_seconds
    """

    fact: str
    kind: str
    date: int | None = None
    id: str | None = None
    place: int | None = None
    slug: str | None = None
    author: str | None = None
    name: str | None = None
    variant: str | None = None
    tokens: int | None = None
    created: int | None = None
    text_only: bool | None = None
    min_prompt_tokens: int | None = None
    start_second: int | None = None
    end_second: int | None = None
    price: int | None = None
    base_price: int | None = None
    provider: str | None = None
    tag: str | None = None
    status: int | None = None
    standard_tier: bool | None = None
    price_seconds: int | None = None
    reason: str | None = None
    instant: int | None = None
    captured: int | None = None
    collector: str | None = None
    rank: int | None = None
    archive: bool | None = None
    subject: str | None = None
    origin: str | None = None
    sha256: str | None = None
    first_capture: int = 0
    last_capture: int = 0


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The facts of one fixing date seen at `as_of` (an instant; None: all there was). Equal content is equal.

    complete : the volume source names every model · rows : in order, so that equal facts are equal rows
    """

    day: int
    as_of: int | None
    methodology: str
    volume_source: str
    complete: bool
    rows: tuple[Fact, ...]

    @cached_property
    def tables(self) -> Rows:
        """The facts as tables of observations, one row a capture. Raises BadInput where they contradict themselves."""
        return _Expansion(self).tables


def in_order(rows: Iterable[Fact]) -> tuple[Fact, ...]:
    """Return rows in the order of a file: by columns from the left, what is absent first."""
    return tuple(sorted(rows, key=lambda row: [(value is not None, value) for value in row]))


def runs(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Return ascending numbers as runs, each a first and a last one.

    >>> runs([1, 2, 3, 7, 9, 10])
    [(1, 3), (7, 7), (9, 10)]
    """
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def unreadable(place: str, found: str) -> NoReturn:
    """Refuse what is no file of published observations: raise BadInput `facts_unreadable`."""
    raise BadInput(
        "facts_unreadable",
        f"published observations, {place}: {found}",
        "Fetch the file again from where it was published and compare its sha256 with the one the log names.",
    )


def order(row: Fact) -> tuple[Any, ...]:
    """Return what captures of a kind are numbered by: time, of prices in seconds, then sha256 (R-2, R-3)."""
    instant = row.instant or 0
    unit = SECOND if row.kind == KIND_MODELS else 1
    return instant // unit, row.sha256, row.collector, instant, row.captured, row.subject or ""


class _Expansion:
    """The rows every capture shows, `tables`, from runs; what cannot have come from captures is refused."""

    def __init__(self, facts: Facts) -> None:
        self._volume_source = facts.volume_source
        self.tables: Rows = {name: [] for name in TABLES}
        self._lines: dict[tuple[str, int], int] = {}
        self._subjects: dict[int, str | None] = {}
        self._held: dict[int, bool] = {}
        self._ordinals: dict[tuple[int, str, int], int] = {}
        self._ordinal: Counter[int] = Counter()
        self._ends: Counter[tuple[int, int]] = Counter()
        self._seen: set[tuple[Any, ...]] = set()
        self._take_captures([row for row in facts.rows if row.fact == "capture"])
        shown = [row for row in facts.rows if row.fact != "capture"]
        total = sum(row.last_capture - row.first_capture + 1 for row in shown)
        if total > SHOWN_MAX:
            unreadable("runs", f"they stand for {total} rows, more than {SHOWN_MAX}")
        for fact in ("volume_day", "volume", "model", "price", "endpoint"):
            take = getattr(self, f"_take_{fact}")
            for row in (row for row in shown if row.fact == fact):
                for number in range(row.first_capture, row.last_capture + 1):
                    if (row.kind, number) not in self._lines:
                        unreadable(_named(row), f"no {row.kind} capture {number}")
                    take(self._lines[row.kind, number], row)
        if len(self._held) != sum(kind == KIND_RANKINGS for kind, _ in self._lines):
            unreadable("volume_day", "a capture of volumes does not say whether it holds the date")

    def _take_captures(self, rows: list[Fact]) -> None:
        ranks: dict[tuple[int, str | None], tuple[int | None, bool | None]] = {}
        ranked: dict[tuple[int, int | None], str | None] = {}
        for kind in (KIND_RANKINGS, KIND_MODELS, KIND_ENDPOINTS):
            before: tuple[Any, ...] = ()
            of_kind = sorted((row for row in rows if row.kind == kind), key=lambda row: row.first_capture)
            for number, row in enumerate(of_kind, 1):
                if not row.first_capture == row.last_capture == number or order(row) <= before:
                    unreadable(_named(row), f"it is not the capture after number {number - 1}")
                before, instant = order(row), row.instant or 0
                day = day_of(instant)
                if kind != KIND_RANKINGS and (
                    ranks.setdefault((day, row.collector), (row.rank, row.archive)) != (row.rank, row.archive)
                    or ranked.setdefault((day, row.rank), row.collector) != row.collector
                ):
                    unreadable(_named(row), f"rank {row.rank} contradicts another capture of that day")
                line = self._lines[kind, number] = len(self._lines)
                self._subjects[line] = row.subject
                self.tables["captures"].append(
                    (
                        line,
                        instant,
                        row.captured,
                        day,
                        second_of_day(instant),
                        row.collector,
                        kind,
                        row.subject,
                        self._volume_source if kind == KIND_RANKINGS else None,
                        True,
                        row.sha256,
                        row.origin,
                        *_NOT_PUBLISHED,
                    )
                )

    def _once(self, row: Fact, *key: Any) -> None:
        if (row.fact, *key) in self._seen:
            unreadable(_named(row), "a capture shows it twice")
        self._seen.add((row.fact, *key))

    def _take_volume_day(self, line: int, row: Fact) -> None:
        self._once(row, line)
        self._held[line] = row.reason is None
        self.tables["volume_days"].append((line, row.date, row.reason))

    def _take_volume(self, line: int, row: Fact) -> None:
        self._once(row, line, row.slug, row.variant)
        if not self._held.get(line):
            unreadable(_named(row), "rows of a capture that does not hold the date")
        self.tables["volumes"].append(
            (line, row.date, row.slug, row.author, row.name, row.variant, row.tokens)
        )

    def _take_model(self, line: int, row: Fact) -> None:
        self._once(row, line, row.id, row.place)
        ordinal = self._ordinal[line]
        self._ordinal[line] += 1
        self._ordinals[line, row.id or "", row.place or 0] = ordinal
        self.tables["catalogue"].append(
            (line, ordinal, row.id, row.slug, row.author, row.name, row.variant, row.created, row.text_only)
        )

    def _take_price(self, line: int, row: Fact) -> None:
        ordinal = self._ordinals.get((line, row.id or "", row.place or 0))
        if ordinal is None:
            unreadable(_named(row), "a price of a row the capture does not show")
        start, end = row.start_second or 0, row.end_second or 0
        if row.min_prompt_tokens == 0:
            if start < self._ends[line, ordinal]:  # in order, so only the tile before can reach into this one
                unreadable(_named(row), f"two prices of second {start}")
            self._ends[line, ordinal] = end
        self.tables["prices"].append(
            (
                line,
                ordinal,
                COMPLETION,
                row.min_prompt_tokens,
                start,
                end,
                row.price,
                row.base_price,
                row.reason,
            )
        )

    def _take_endpoint(self, line: int, row: Fact) -> None:
        self._once(row, line, row.place)
        tail = (row.provider, row.tag, row.status, row.standard_tier, None, row.price_seconds, None, None)
        self.tables["endpoints"].append((line, self._subjects[line], row.id, row.place, *tail))


def _named(row: Fact) -> str:
    """Return what a message calls a row."""
    what = printable(row.id or row.slug or row.collector or row.kind)
    return f"{row.fact} {what}, {row.kind} captures {row.first_capture} to {row.last_capture}"
