"""The move on the receipt: four effects as figures and bars, then the models behind them (R-11)."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Final

from mtok.cli.figures import bar, counted, day_text, is_zero, meaningful_places, percent, signed, signed_percent, trimmed
from mtok.cli.layout import Heading, Page, apart, columns, hairline, labelled, named_columns
from mtok.cli.sentences import amounts, sentence
from mtok.cli.words import cause
from mtok.cli.layout import wrapped
from mtok.records import Constituent, Determination, Effect, Move

LISTED_MAX: Final = 8
_PLACES: Final = 6
_HALF_BAR: Final = 10

_SAID: Final = {
    "price": ("posted prices fell", "posted prices unchanged", "posted prices rose"),
    "mix": ("use moved to cheaper models", "use did not move", "use moved to dearer models"),
    "entry": ("cheaper models came in", "no model came in", "dearer models came in"),
    "exit": ("dearer models left", "no model left", "cheaper models left"),
    "replacement": ("other, cheaper models", "other models", "other, dearer models"),
}
"""Of each effect: what a negative one, none, and a positive one says."""


def move_page(record: Determination, earlier: Determination | None, names: Mapping[str, str], width: int) -> Page:
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
        *_effects(move, ratio),
        *wrapped(sentence(record), width),
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
        said = _SAID[name][1 + (value > 0) - (value < 0)]
        change = signed_percent(factor) if factor else ""
        rows.append([name, signed(amount, _PLACES), change, bar(value, greatest, _HALF_BAR), said])
    said = "the percentages multiply" if move.factors else ""
    rows.append(["sum", signed(move.change, _PLACES), signed_percent(ratio), " " * _HALF_BAR + "│", said])
    return columns(rows, "<>><<")


def _by_model(
    record: Determination, move: Move, earlier: Determination | None, names: Mapping[str, str], width: int
) -> Page:
    """Return the largest effects on models that continue, with their shares and prices on both days."""
    places = meaningful_places(record.value or "0")
    effects = [
        (effect, name, amount)
        for effect in move.constituents
        for name in ("price", "mix")
        if (amount := getattr(effect, name)) is not None and not is_zero(amount, places)
    ]
    if not effects:
        return []
    effects.sort(key=lambda found: -abs(Fraction(found[2])))
    before = {row.constituent: row for row in earlier.constituents} if earlier else {}
    after = {row.constituent: row for row in record.constituents}
    rows = [["effect", "", "share of tokens", "price"]]
    shown = ["largest by model"]
    for effect, name, amount in effects[:LISTED_MAX]:
        old, new = before.get(effect.constituent), after[effect.constituent]
        shown.append(names[effect.constituent])
        rows.append([name, signed(amount, _PLACES), _shares(old, new), _prices(old, new)])
    lines = named_columns(shown, rows, "<>>>", width)
    more = len(effects) - LISTED_MAX
    rest = [f"{counted(more, 'smaller effect')} not shown"] if more > 0 else []
    return ["", Heading(lines[0]), *lines[1:], *rest]


def _shares(old: Constituent | None, new: Constituent) -> str:
    share = percent(new.weight_share)
    return f"{percent(old.weight_share)} → {share:>6}" if old else share


def _prices(old: Constituent | None, new: Constituent) -> str:
    price = trimmed(new.price_usd_per_mtok)
    if old is None or old.price_seconds == new.price_seconds:
        return price
    return f"{trimmed(old.price_usd_per_mtok)} → {price}"


def _crossing(record: Determination, move: Move, names: Mapping[str, str], width: int) -> Page:
    """Return every model that is priced on one of the two days only, and why."""
    lines: Page = []
    for effect in move.constituents:
        for name, label in (("entry", "came in"), ("exit", "left")):
            if (amount := getattr(effect, name)) is not None:
                lines += labelled(label, _crossed(record, effect, name, amount, names), width)
    for effect in move.constituents:
        if effect.replacement is not None:
            name = "entry" if Fraction(effect.replacement) > 0 else "exit"
            label = "came in" if name == "entry" else "left"
            lines += labelled(label, _crossed(record, effect, name, effect.replacement, names), width)
    return ["", *lines] if lines else []


def _crossed(record: Determination, effect: Effect, name: str, amount: str, names: Mapping[str, str]) -> str:
    why = f" ({cause(record, name, effect.cause)})" if effect.cause else ""
    return f"{names[effect.constituent]}  {signed(amount, _PLACES)}{why}"
