"""The effects of a move, stacked from zero: what raised the value upwards, what lowered it downwards. Exact."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from mtok.records import Move
from mtok.wording.sentences import amounts
from mtok.wording.words import EFFECTS

KINDS: Final = (*EFFECTS, "replacement")
"""The effects a move can have, in the order in which they are stacked."""

Span = tuple[str, Fraction, Fraction]
"""An effect, from where to where it reaches."""


def stack(move: Move) -> list[Span]:
    """Return a span an effect; those of one sign begin where the one before ends, the first at zero."""
    ends = {True: Fraction(0), False: Fraction(0)}
    found = []
    for name, amount in amounts(move).items():
        value = Fraction(amount)
        begin = ends[value > 0]
        ends[value > 0] = begin + value
        found.append((name, begin, begin + value))
    return found
