"""What a record owes to earlier ones, repeated from the rulebook: R-8.2, R-8.3, the move of R-11, the notes.

Of every published record a line stays in memory; the one whose constituents are needed is read again.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from math import isqrt
from typing import Any, Final

from mtok.calendar import format_date
from mtok.client.arithmetic import USD_PER_MTOK, Expected, Parameters, root, text
from mtok.records import PublishedRecord

EFFECT_PLACES: Final = 12
WINDOWS: Final = {"average_7d": 7, "average_30d": 30}
INDEX_BEGIN: Final = "100"
INFORMATIONAL: Final = "informational"


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """What stays of a published record. sound : it was found in its form, so that others can be calculated from it."""

    day: int
    as_of: int
    stage: str
    digest: str
    path: str
    value: str | None
    index: str | None
    sound: bool


@dataclass(kw_only=True)
class History:
    """The published records of one series and methodology, as far as the log has been read.

    unreadable : days with a record that was not in its form, so that nothing after it can be compared with it
    """

    days: list[int] = field(default_factory=list)
    by_day: dict[int, list[Published]] = field(default_factory=dict)
    unreadable: set[int] = field(default_factory=set)

    def add(self, one: Published) -> None:
        """Take the next record of the log."""
        if one.day not in self.by_day:
            insort(self.days, one.day)
        self.by_day.setdefault(one.day, []).append(one)

    def in_force(self, day: int, as_of: int) -> Published | None:
        """Return what a record of `as_of` rests on: of `day` the last with the greatest `as_of` up to it."""
        candidates = [
            one for one in self.by_day.get(day, ()) if one.stage != INFORMATIONAL and one.as_of <= as_of
        ]
        greatest = max((one.as_of for one in candidates), default=0)
        return next((one for one in reversed(candidates) if one.as_of == greatest), None)

    def before(self, day: int, as_of: int) -> Iterator[Published]:
        """Yield what is in force of each earlier day, the youngest first."""
        for at in range(bisect_left(self.days, day) - 1, -1, -1):
            if found := self.in_force(self.days[at], as_of):
                yield found


@dataclass(frozen=True, kw_only=True)
class Basket:
    """The constituents of a printed record: tokens and price_seconds by name."""

    tokens: dict[str, int]
    prices: dict[str, int]

    @classmethod
    def of(cls, record: PublishedRecord) -> Basket:
        """Return the basket of a record."""
        return cls(
            tokens={row.constituent: row.tokens for row in record.constituents},
            prices={row.constituent: row.price_seconds for row in record.constituents},
        )

    def weight(self, names: Iterable[str]) -> int:
        """Return the tokens of `names`."""
        return sum(self.tokens[name] for name in names)

    def cost(self, names: Iterable[str], prices: dict[str, int] | None = None) -> int:
        """Return Σ tokens × price, at these prices or others."""
        at = self.prices if prices is None else prices
        return sum(self.tokens[name] * at[name] for name in names)


class Links:
    """What one record must say of earlier ones, to be compared with what it says.

    read : returns the record of something published before, None when it is not in its form
    """

    def __init__(
        self,
        record: PublishedRecord,
        day: int,
        as_of: int,
        history: History,
        parameters: Parameters,
        read: Callable[[Published], PublishedRecord | None],
    ) -> None:
        self._record = record
        self._day = day
        self._parameters = parameters
        first = day - parameters.numbers["averages.previous_days"]
        self._recent: list[Published] = []
        self._last_printed: Published | None = None
        for one in history.before(day, as_of):
            if one.day >= first:
                self._recent.insert(0, one)
            if one.value is not None and self._last_printed is None:
                self._last_printed = one
            if one.day < first and self._last_printed is not None:
                break
        last = self._last_printed
        self._in_reach = last is not None and last.day >= first
        self.calculable = (last is None or last.sound) and not any(
            first <= bad < day for bad in history.unreadable
        )
        self._before: PublishedRecord | None = None
        if record.value is not None and last and self._in_reach and self.calculable:
            self._before = read(last)
            self.calculable = self._before is not None

    def earlier(self) -> list[dict[str, str]]:
        """Return `earlier`: each of the 30 days before that was published, and the last printed one if older."""
        named = list(self._recent)
        if self._last_printed is not None and not self._in_reach:
            named.insert(0, self._last_printed)
        return [{"date": format_date(one.day), "sha256": one.digest} for one in named]

    def averages(self) -> Expected:
        """Return the averages and their numbers of days (R-8.2)."""
        expected: Expected = {}
        for name, days in WINDOWS.items():
            values = [one.value for one in self._recent if one.day > self._day - days] + [self._record.value]
            printed = [Fraction(value) for value in values if value is not None]
            expected[f"{name}_days"] = str(len(printed))
            if self._record.value is not None and (
                len(printed) >= self._parameters.ratios["averages.printed_share_min"] * days
            ):
                expected[name] = text(sum(printed, Fraction(0)) / len(printed))
        return expected

    def index(self) -> tuple[Expected, list[str]]:
        """Return the pure-price companion and the notes (R-8.3, R-10); nothing where there is no value."""
        if self._record.value is None:
            return {}, []
        notes: set[str] = set()
        exact = INDEX_BEGIN
        if self._last_printed is not None:
            exact = self._last_printed.index or INDEX_BEGIN
            if self._before is None:
                notes.add("no_link")
            else:
                exact, notes = self._linked(exact, self._before)
        return {"price_index_exact": exact, "price_index": text(Fraction(exact))}, sorted(notes)

    def _linked(self, exact: str, before: PublishedRecord) -> tuple[str, set[str]]:
        old, new = Basket.of(before), Basket.of(self._record)
        ratios = self._parameters.ratios
        notes = set()
        u0 = Fraction(old.cost(old.tokens), old.weight(old.tokens))
        u1 = Fraction(new.cost(new.tokens), new.weight(new.tokens))
        if abs(u1 - u0) > ratios["quality.jump"] * u0:
            notes.add("jump")
        continuing = old.tokens.keys() & new.tokens.keys()
        if not continuing:
            return exact, notes | {"no_link"}
        if any(
            basket.weight(continuing) < ratios["averages.weak_link_share"] * basket.weight(basket.tokens)
            for basket in (old, new)
        ):
            notes.add("weak_link")
        digits = self._parameters.numbers["averages.index_digits"]
        return significant_root(Fraction(exact) ** 2 * _fisher_square(old, new, continuing), digits), notes

    def move(self) -> Expected | None:
        """Return `move` (R-11), None where there is none."""
        if self._before is None or self._last_printed is None:
            return None
        return explained(self._before, self._last_printed.digest, self._record)


def _fisher_square(old: Basket, new: Basket, continuing: Iterable[str]) -> Fraction:
    names = list(continuing)
    return Fraction(old.cost(names, new.prices), old.cost(names)) * Fraction(
        new.cost(names), new.cost(names, old.prices)
    )


def significant_root(square: Fraction, digits: int) -> str:
    """Return √square > 0 with `digits` significant digits, half-even, in plain notation (R-8.3).

    >>> significant_root(Fraction(2), 5), significant_root(Fraction(10**12), 3)
    ('1.4142', '1000000')
    """
    places = digits
    while (length := len(str(isqrt(_floor(square, places))))) != digits:
        places += digits - length
    units = root(_shifted(square, places))
    if units == 10**digits:
        units, places = units // 10, places - 1
    if places <= 0:
        return str(units * 10**-places)
    whole = str(units).rjust(places + 1, "0")
    return f"{whole[:-places]}.{whole[-places:]}"


def _shifted(square: Fraction, places: int) -> Fraction:
    return square * Fraction(10) ** (2 * places)


def _floor(square: Fraction, places: int) -> int:
    shifted = _shifted(square, places)
    return shifted.numerator // shifted.denominator


def explained(before: PublishedRecord, digest: str, after: PublishedRecord) -> Expected:
    """Return the move from one printed record to another, every effect from integers over one denominator (R-11)."""
    old, new = Basket.of(before), Basket.of(after)
    all0, all1 = old.weight(old.tokens), new.weight(new.tokens)
    u0, u1 = Fraction(old.cost(old.tokens), all0), Fraction(new.cost(new.tokens), all1)
    stays = sorted(old.tokens.keys() & new.tokens.keys())
    enters = sorted(new.tokens.keys() - old.tokens.keys())
    leaves = sorted(old.tokens.keys() - new.tokens.keys())
    causes = _causes(enters, before) | _causes(leaves, after)
    expected: Expected = {
        "from_date": before.date,
        "from_value": before.value,
        "from_sha256": digest,
        "change": _usd(u1 - u0),
    }
    if not stays:
        effects = {name: Fraction(new.tokens[name] * new.prices[name], all1) for name in enters}
        effects |= {name: Fraction(-old.tokens[name] * old.prices[name], all0) for name in leaves}
        rows = [
            {"constituent": name, "replacement": _usd(effects[name]), "cause": causes[name]}
            for name in sorted(effects)
        ]
        return expected | {"replacement": _usd(u1 - u0), "constituents": rows}
    w0, w1 = old.weight(stays), new.weight(stays)
    c0, c1 = old.cost(stays), new.cost(stays)
    both = w0 * w1
    middle = c0 * w1 + c1 * w0
    price, mix = {}, {}
    for name in stays:
        t0, t1, p0, p1 = old.tokens[name], new.tokens[name], old.prices[name], new.prices[name]
        price[name] = Fraction((t0 * w1 + t1 * w0) * (p1 - p0), 2 * both)
        mix[name] = Fraction(((p0 + p1) * both - middle) * (t1 * w0 - t0 * w1), 2 * both * both)
    entry = {name: Fraction(new.tokens[name] * (new.prices[name] * w1 - c1), all1 * w1) for name in enters}
    exit_ = {name: Fraction(-old.tokens[name] * (old.prices[name] * w0 - c0), all0 * w0) for name in leaves}
    square = _fisher_square(old, new, stays)
    uc0, uc1 = Fraction(c0, w0), Fraction(c1, w1)
    expected |= {
        "price": _usd(sum(price.values(), Fraction(0))),
        "mix": _usd(sum(mix.values(), Fraction(0))),
        "entry": _usd(sum(entry.values(), Fraction(0))),
        "exit": _usd(sum(exit_.values(), Fraction(0))),
        "factors": {
            "price": _root(square),
            "mix": _root((uc1 / uc0) ** 2 / square),
            "entry": text(u1 / uc1, EFFECT_PLACES),
            "exit": text(uc0 / u0, EFFECT_PLACES),
        },
        "constituents": [
            *({"constituent": name, "price": _usd(price[name]), "mix": _usd(mix[name])} for name in stays),
            *({"constituent": name, "entry": _usd(entry[name]), "cause": causes[name]} for name in enters),
            *({"constituent": name, "exit": _usd(exit_[name]), "cause": causes[name]} for name in leaves),
        ],
    }
    if entry:
        expected["entry_by_cause"] = _by_cause(entry, causes)
    if exit_:
        expected["exit_by_cause"] = _by_cause(exit_, causes)
    return expected


def _causes(names: Iterable[str], other: PublishedRecord) -> dict[str, str]:
    """Return why each of `names` is not among the constituents of the other day."""
    reasons = {row.constituent: row.reason for row in other.left_out}
    without = set(other.without_volume)
    return {name: reasons.get(name, "no_row" if name in without else "unlisted") for name in names}


def _by_cause(effects: dict[str, Fraction], causes: dict[str, str]) -> dict[str, Any]:
    sums: defaultdict[str, Fraction] = defaultdict(Fraction)
    for name, effect in effects.items():
        sums[causes[name]] += effect
    return {cause: _usd(effect) for cause, effect in sums.items()}


def _usd(price_seconds: Fraction) -> str:
    return text(price_seconds / USD_PER_MTOK, EFFECT_PLACES)


def _root(square: Fraction) -> str:
    units = root(square * 10 ** (2 * EFFECT_PLACES))
    whole = str(units).rjust(EFFECT_PLACES + 1, "0")
    return f"{whole[:-EFFECT_PLACES]}.{whole[-EFFECT_PLACES:]}"
