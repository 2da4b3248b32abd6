"""A user's own price a day at posted prices, what of it moved why, and how each series goes with it.

The arithmetic of a day is that of R-8, the arithmetic of a move that of R-11, on the user's own tokens instead of
OpenRouter's. Tokens without a posted price are in neither value nor weight, and listed with the reason.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Final

from mtok.bill.export import Export, RefusedRow, Usage, read_export, shown
from mtok.bill.hedging import Fit, Joint, fit, fit_together
from mtok.bill.market import Market, Span
from mtok.bill.names import Names
from mtok.determination.move import Basket, Start, basket_move
from mtok.publication.published import Published
from mtok.quantities import PRICE_SECONDS_PER_USD_PER_MTOK, rounded
from mtok.records import Move

PLACES: Final = 6
SUGGESTED_MAX: Final = 100
"""Unpriced names, those with the most tokens, that the nearest constituents are looked for: that takes long."""

NOT_USED: Final = "not_used"
"""Why a model is not priced on the other day of a move: the export has no tokens of it."""

DATE_UNPUBLISHED: Final = "date_unpublished"


@dataclass(frozen=True, kw_only=True)
class Day:
    """A day of the export. price : at posted prices, paid : as paid, USD per million; None where there is none"""

    date: str
    tokens: int
    covered: int
    price: str | None
    paid: str | None


@dataclass(frozen=True, kw_only=True)
class Step:
    """The move to a day from the last one before it that has a price."""

    date: str
    value: str
    move: Move


@dataclass(frozen=True, kw_only=True)
class Covered:
    """A constituent with a posted price. written : as the export names it · price : average, USD per million"""

    constituent: str
    series: str
    written: tuple[str, ...]
    tokens: int
    price: str


@dataclass(frozen=True, kw_only=True)
class Uncovered:
    """Tokens without a posted price. reason : of the name (`unknown`, `ambiguous`) or of the days"""

    written: str
    reason: str
    tokens: int
    days: int
    suggestions: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Paid:
    """What the tokens cost that have both an amount paid and a posted price, USD per million."""

    tokens: int
    paid: str
    posted: str


@dataclass(frozen=True, kw_only=True)
class Bill:
    """What an export comes to.

    price : of all covered tokens, USD per million · summed : rows of a model and day that had another row before
    move : from the first priced day to the last, None where there is one or none
    joint : the series of the companies used, together · values : series → date → value
    """

    export: Export
    span: Span
    refused: tuple[RefusedRow, ...]
    rows: int
    summed: int
    tokens: int
    price: str | None
    paid: Paid | None
    days: tuple[Day, ...]
    covered: tuple[Covered, ...]
    uncovered: tuple[Uncovered, ...]
    move: Step | None
    steps: tuple[Step, ...]
    fits: tuple[Fit, ...]
    joint: Joint | None
    values: dict[str, dict[str, str]] = field(repr=False)

    @property
    def covered_tokens(self) -> int:
        """The tokens that have a posted price."""
        return sum(row.tokens for row in self.covered)

    @property
    def priced(self) -> tuple[Day, ...]:
        """The days that have a price."""
        return tuple(day for day in self.days if day.price is not None)

    @property
    def changes(self) -> int:
        """The most daily changes that a series was compared over."""
        return max(found.changes for found in self.fits)

    @property
    def closest(self) -> Fit | None:
        """The series whose hedge leaves the least, None where none can be measured."""
        measured = [found for found in self.fits if found.unexplained is not None]
        return min(measured, key=lambda found: Fraction(found.unexplained or 1), default=None)


def bill_of(raw: bytes, published: Published) -> Bill:
    """Return what a usage export comes to at what is published.

    Raises BadInput for a file that is no export, AnswerIsNo when nothing is published, EnvironmentFailed for a damaged
    publication.
    """
    span, export = Span.of(published), read_export(raw)
    rows = [row for row in export.rows if span.first <= row.date <= span.last]
    outside = [
        RefusedRow(line=row.line, code=DATE_UNPUBLISHED, found=row.date)
        for row in export.rows
        if not span.first <= row.date <= span.last
    ]
    refused = tuple(sorted((*export.refused, *outside), key=lambda row: row.line))
    market = Market.read(published, span, {row.date for row in rows})
    return _assessed(export, span, rows, refused, market)


@dataclass(kw_only=True)
class _Use:
    """The use of one day so far. tokens : by constituent; `unpriced` why others of it have no price"""

    tokens: defaultdict[str, int]
    unpriced: dict[str, str]
    paid: Fraction = Fraction(0)
    paid_tokens: int = 0
    total: int = 0

    @classmethod
    def none(cls) -> _Use:
        return cls(tokens=defaultdict(int), unpriced={})

    def basket(self, prices: dict[str, int]) -> Basket:
        used = {name: count for name, count in sorted(self.tokens.items()) if count}
        return Basket(tokens=used, prices={name: prices[name] for name in used})


class _Gathering:
    """Rows as they are placed: by day and constituent, or among those without a price."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.uses: defaultdict[str, _Use] = defaultdict(_Use.none)
        self.written: defaultdict[str, set[str]] = defaultdict(set)
        self._paid_for = 0
        self._paid = Fraction(0)
        self._posted = 0
        self._names = Names(market.series_of)
        self._unpriced: defaultdict[tuple[str, str], list[Usage]] = defaultdict(list)

    def place(self, row: Usage) -> None:
        """Count a row where it belongs."""
        use = self.uses[row.date]
        use.total += row.tokens
        if row.paid is not None:
            use.paid += row.paid
            use.paid_tokens += row.tokens
        named = self._names.find(row.model)
        price = self.market.prices.get(row.date, {}).get(named.constituent or "")
        if named.constituent is None or price is None:
            reason = named.reason
            if named.constituent is not None:
                reason = self.market.why_unpriced(row.date, named.constituent)
                use.unpriced[named.constituent] = reason
            self._unpriced[row.model, reason].append(row)
            return
        use.tokens[named.constituent] += row.tokens
        self.written[named.constituent].add(row.model)
        if row.paid is not None:
            self._paid_for += row.tokens
            self._paid += row.paid
            self._posted += row.tokens * price

    def uncovered(self) -> tuple[Uncovered, ...]:
        """Return the tokens without a price, the most first."""
        counts = {key: sum(row.tokens for row in rows) for key, rows in self._unpriced.items()}
        ranked = sorted(counts, key=lambda key: (-counts[key], shown(key[0]), key))
        return tuple(
            Uncovered(
                written=shown(model),
                reason=reason,
                tokens=counts[model, reason],
                days=len({row.date for row in self._unpriced[model, reason]}),
                suggestions=self._suggestions(model, reason, rank),
            )
            for rank, (model, reason) in enumerate(ranked)
        )

    def _suggestions(self, model: str, reason: str, rank: int) -> tuple[str, ...]:
        if reason == "unknown" and rank < SUGGESTED_MAX:
            return self._names.nearest(model)
        return self._names.find(model).several

    def paid(self) -> Paid | None:
        """Return what was paid beside what was posted for the same tokens."""
        count = self._paid_for
        if not count:
            return None
        posted = _usd(Fraction(self._posted, count))
        return Paid(tokens=count, paid=_per_million(self._paid, count), posted=posted)


def _assessed(
    export: Export, span: Span, rows: Sequence[Usage], refused: tuple[RefusedRow, ...], market: Market
) -> Bill:
    gathered = _Gathering(market)
    for row in rows:
        gathered.place(row)
    uses = dict(sorted(gathered.uses.items()))
    baskets = {date: use.basket(market.prices.get(date, {})) for date, use in uses.items()}
    priced = {date: basket for date, basket in baskets.items() if basket.tokens}
    own = {date: _usd(basket.average(basket.tokens)) for date, basket in priced.items()}
    days = tuple(
        Day(
            date=date,
            tokens=use.total,
            covered=baskets[date].weight(baskets[date].tokens),
            price=own.get(date),
            paid=_per_million(use.paid, use.paid_tokens) if use.paid_tokens else None,
        )
        for date, use in uses.items()
    )
    steps = tuple(_step(before, after, priced, own, uses) for before, after in pairwise(priced))
    dates = list(priced)
    covered = _covered(priced.values(), gathered)
    return Bill(
        export=export,
        span=span,
        refused=refused,
        rows=len(rows),
        summed=len(rows) - len({(row.date, row.model) for row in rows}),
        tokens=sum(use.total for use in uses.values()),
        price=_whole(priced.values()),
        paid=gathered.paid(),
        days=days,
        covered=covered,
        uncovered=gathered.uncovered(),
        move=_step(dates[0], dates[-1], priced, own, uses) if len(dates) > 1 else None,
        steps=steps,
        fits=tuple(fit(name, own, market.values[name]) for name in market.series),
        joint=fit_together(
            [name for name in market.series if name in {row.series for row in covered}], own, market.values
        ),
        values=market.values,
    )


def _step(
    before: str, after: str, baskets: dict[str, Basket], own: dict[str, str], uses: dict[str, _Use]
) -> Step:
    old, new = baskets[before], baskets[after]
    causes = {
        name: uses[date].unpriced.get(name, NOT_USED)
        for date, names in (
            (before, new.tokens.keys() - old.tokens.keys()),
            (after, old.tokens.keys() - new.tokens.keys()),
        )
        for name in names
    }
    move = basket_move(Start(date=before, value=own[before]), old, new, causes)
    return Step(date=after, value=own[after], move=move)


def _covered(baskets: Iterable[Basket], gathered: _Gathering) -> tuple[Covered, ...]:
    tokens: defaultdict[str, int] = defaultdict(int)
    costs: defaultdict[str, int] = defaultdict(int)
    for basket in baskets:
        for name, count in basket.tokens.items():
            tokens[name] += count
            costs[name] += count * basket.prices[name]
    return tuple(
        Covered(
            constituent=name,
            series=gathered.market.series_of[name],
            written=tuple(sorted(map(shown, gathered.written[name]))),
            tokens=tokens[name],
            price=_usd(Fraction(costs[name], tokens[name])),
        )
        for name in sorted(tokens, key=lambda name: (-tokens[name], name))
    )


def _whole(baskets: Iterable[Basket]) -> str | None:
    """Return the average price of all covered tokens."""
    listed = list(baskets)
    weight = sum(basket.weight(basket.tokens) for basket in listed)
    cost = sum(basket.cost(basket.tokens, basket.prices) for basket in listed)
    return _usd(Fraction(cost, weight)) if weight else None


def _usd(price_seconds: Fraction) -> str:
    return rounded(price_seconds / PRICE_SECONDS_PER_USD_PER_MTOK, PLACES)


def _per_million(usd: Fraction, tokens: int) -> str:
    return rounded(usd * 10**6 / tokens, PLACES)
