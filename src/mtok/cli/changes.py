"""The move on the receipt: four effects as figures and bars, then the models behind them (R-11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Final

from mtok.cli.layout import Heading, Page, apart, columns, hairline, labelled, named_columns, wrapped
from mtok.records import Constituent, Determination, Effect, Move
from mtok.wording.figures import (
    bar,
    counted,
    day_text,
    is_zero,
    meaningful_places,
    percent,
    signed,
    signed_percent,
    trimmed,
)
from mtok.wording.sentences import amounts, effect_said, sentence
from mtok.wording.words import cause

LISTED_MAX: Final = 8
_PLACES: Final = 6
_HALF_BAR: Final = 10


def move_page(
    record: Determination, earlier: Determination | None, names: Mapping[str, str], width: int
) -> Page:
    """Return the move of a record: the effects, the largest of them by model, what came in and what went.

    earlier : the record the move starts from, for the shares and prices of that day; None where it is not at hand
    """
    move = record.move
    if record.value is None:
        return []
    if move is None:
        return ["", *wrapped(sentence(record), width)]
    ratio = Fraction(record.value) / Fraction(move.from_value)
    return [
        "",
        *apart(
            f"The move since {day_text(move.from_date)}",
            f"{move.from_value} → {record.value}  {signed(move.change, _PLACES)}  {signed_percent(ratio)}",
            width,
        ),
        hairline(width),
        *wrapped(sentence(record), width),
        "",
        *_effects(move, ratio),
        *_by_model(record, move, earlier, names, width),
        *_crossing(record, move, names, width),
    ]


def _effects(move: Move, ratio: Fraction) -> Page:
    effects = amounts(move)
    greatest = max(abs(Fraction(amount)) for amount in effects.values())
    rows = []
    for name, amount in effects.items():
        factor = getattr(move.factors, name) if move.factors else None
        value = Fraction(amount)
        change = signed_percent(factor) if factor else ""
        rows.append(
            [name, signed(amount, _PLACES), change, bar(value, greatest, _HALF_BAR), effect_said(move, name)]
        )
    said = "the percentages multiply" if move.factors else ""
    rows.append(["sum", signed(move.change, _PLACES), signed_percent(ratio), " " * _HALF_BAR + "│", said])
    return columns(rows, "<>><<")


def _by_model(
    record: Determination, move: Move, earlier: Determination | None, names: Mapping[str, str], width: int
) -> Page:
    """Return the largest effects on the models that stay, with their shares among these and their prices."""
    places = meaningful_places(record.value or "0")
    staying = [effect for effect in move.constituents if effect.mix is not None]
    effects = [
        (effect.constituent, name, amount)
        for effect in staying
        for name in ("price", "mix")
        if not is_zero(amount := getattr(effect, name), places)
    ]
    if not effects:
        return []
    effects.sort(key=lambda found: -abs(Fraction(found[2])))
    before, after = (_staying(side, staying) for side in (earlier, record))
    rows = [["effect", "", "share among them", "price"]]
    shown = ["models priced on both days"]
    for constituent, name, amount in effects[:LISTED_MAX]:
        shown.append(names[constituent])
        days = [side[constituent] for side in (before, after) if side]
        shares = [f"{percent(Fraction(row.tokens, weight)):>6}" for row, weight in days]
        prices = dict.fromkeys(trimmed(row.price_usd_per_mtok) for row, _ in days)
        rows.append([name, signed(amount, _PLACES), " → ".join(shares), " → ".join(prices)])
    lines = named_columns(shown, rows, "<>>>", width)
    more = len(effects) - LISTED_MAX
    rest = [f"{counted(more, 'smaller effect')} not shown"] if more > 0 else []
    return ["", Heading(lines[0]), *lines[1:], *rest]


def _staying(side: Determination | None, staying: Sequence[Effect]) -> dict[str, tuple[Constituent, int]]:
    """Return of one day each staying constituent, and the tokens of all of them."""
    names = {effect.constituent for effect in staying}
    rows = [row for row in side.constituents if row.constituent in names] if side else []
    weight = sum(row.tokens for row in rows)
    return {row.constituent: (row, weight) for row in rows}


def _crossing(record: Determination, move: Move, names: Mapping[str, str], width: int) -> Page:
    """Return every model that is priced on one of the two days only, and why."""
    lines: Page = []
    for effect in move.constituents:
        for name in ("entry", "exit", "replacement"):
            if (amount := getattr(effect, name)) is not None:
                entered = name == "entry" or Fraction(effect.replacement or 0) > 0
                other = move.from_date if entered else record.date
                why = cause(record, effect.cause or "", f" on {day_text(other)}")
                text = f"{names[effect.constituent]}  {signed(amount, _PLACES)}, {why}"
                lines += labelled(name, text, width)
    return ["", *lines] if lines else []
