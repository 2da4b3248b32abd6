"""The move on the receipt: four effects as figures and bars, then the models behind them (R-11)."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Final

from mtok.cli.layout import Heading, Page, apart, columns, hairline, labelled, named_columns, wrapped
from mtok.records import Determination, Move
from mtok.wording.figures import bar, counted, day_text, signed, signed_percent
from mtok.wording.moves import crossed, staying
from mtok.wording.sentences import amounts, effect_said, sentence

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
        *_by_model(record, earlier, names, width),
        *_crossing(record, names, width),
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
    record: Determination, earlier: Determination | None, names: Mapping[str, str], width: int
) -> Page:
    """Return the largest effects on the models that stay, with their shares among these and their prices."""
    effects = staying(record, earlier)
    if not effects:
        return []
    rows = [["effect", "", "share among them", "price"]]
    shown = ["models priced on both days"]
    for effect in effects[:LISTED_MAX]:
        shown.append(names[effect.constituent])
        shares = " → ".join(f"{share:>6}" for share in effect.shares)
        rows.append([effect.effect, signed(effect.amount, _PLACES), shares, " → ".join(effect.prices)])
    lines = named_columns(shown, rows, "<>>>", width)
    more = len(effects) - LISTED_MAX
    rest = [f"{counted(more, 'smaller effect')} not shown"] if more > 0 else []
    return ["", Heading(lines[0]), *lines[1:], *rest]


def _crossing(record: Determination, names: Mapping[str, str], width: int) -> Page:
    """Return every model that is priced on one of the two days only, and why."""
    lines: Page = []
    for one in crossed(record):
        text = f"{names[one.constituent]}  {signed(one.amount, _PLACES)}, {one.why}"
        lines += labelled(one.effect, text, width)
    return ["", *lines] if lines else []
