"""The models behind a move: the effects of those that stay, with shares and prices of both days, and all that crossed.

What a receipt lists under the four effects (R-11), on terminal and pages alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from mtok.records import Constituent, Determination, Effect
from mtok.wording.figures import day_text, is_zero, meaningful_places, percent, trimmed
from mtok.wording.words import cause


@dataclass(frozen=True, kw_only=True)
class Staying:
    """An effect of one model that is priced on both days. amount : USD per million

    shares : among these models, on each day that is at hand · prices : the same of its price, once where it is one
    """

    constituent: str
    effect: str
    amount: str
    shares: tuple[str, ...]
    prices: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Crossed:
    """A model priced on one of the two days only: its effect, and why it is not on the other."""

    constituent: str
    effect: str
    amount: str
    why: str


def staying(record: Determination, earlier: Determination | None) -> list[Staying]:
    """Return the effects that do not round to zero at the value's decimals, the largest first.

    earlier : the record the move starts from, for the shares and prices of that day; None where it is not at hand
    """
    places = meaningful_places(record.value or "0")
    effects = [effect for effect in record.move.constituents if effect.mix is not None] if record.move else []
    sides = [_among(side, effects) for side in (earlier, record) if side]
    found = []
    for effect in effects:
        days = [side[effect.constituent] for side in sides]
        shares = tuple(percent(Fraction(row.tokens, weight)) for row, weight in days)
        prices = tuple(dict.fromkeys(trimmed(row.price_usd_per_mtok) for row, _ in days))
        found += [
            Staying(constituent=effect.constituent, effect=name, amount=amount, shares=shares, prices=prices)
            for name in ("price", "mix")
            if not is_zero(amount := getattr(effect, name), places)
        ]
    return sorted(found, key=lambda one: -abs(Fraction(one.amount)))


def smaller(record: Determination, listed: Sequence[Staying]) -> tuple[int, Fraction]:
    """Return how many effects of models priced on both days are not in a list of them, and what they add up to."""
    named = {(one.constituent, one.effect) for one in listed}
    left = [
        Fraction(amount)
        for effect in (record.move.constituents if record.move else ())
        for name in ("price", "mix")
        if (effect.constituent, name) not in named and Fraction(amount := getattr(effect, name) or 0)
    ]
    return len(left), sum(left, Fraction(0))


def _among(side: Determination, effects: Sequence[Effect]) -> dict[str, tuple[Constituent, int]]:
    """Return of one day each constituent of `effects`, and the tokens of all of them."""
    names = {effect.constituent for effect in effects}
    rows = [row for row in side.constituents if row.constituent in names]
    weight = sum(row.tokens for row in rows)
    return {row.constituent: (row, weight) for row in rows}


def crossed(record: Determination) -> Iterator[Crossed]:
    """Yield every model that is priced on one of the two days only."""
    move = record.move
    for effect in move.constituents if move else ():
        for name in ("entry", "exit", "replacement"):
            if move is not None and (amount := getattr(effect, name)) is not None:
                entered = name == "entry" or Fraction(effect.replacement or 0) > 0
                other = move.from_date if entered else record.date
                why = cause(record, effect.cause or "", f" on {day_text(other)}")
                yield Crossed(constituent=effect.constituent, effect=name, amount=amount, why=why)
