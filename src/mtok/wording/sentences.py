"""What moved a value, said in a line of figures and in one plain sentence, both made from the record (R-11)."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Final

from mtok.archive import RANKINGS_DAILY
from mtok.records import Determination, Effect, Move
from mtok.wording.figures import TIED, is_zero, meaningful_places, signed, signed_percent
from mtok.wording.words import EFFECTS, cause, company, reason, since

_MENTIONED_SHARE: Final = Fraction(1, 10)
"""The sentence leaves out effects under this share of all movement, up and down added."""

_SAID: Final = {
    "price": ("posted prices fell", "posted prices unchanged", "posted prices rose"),
    "mix": ("use moved to cheaper models", "use did not move", "use moved to dearer models"),
    "entry": ("cheaper {models} came in", "no model came in", "dearer {models} came in"),
    "exit": ("dearer {models} left", "no model left", "cheaper {models} left"),
    "replacement": ("other, cheaper models", "other models", "other, dearer models"),
}
"""Of each effect: what a negative one, none, and a positive one says."""


def amounts(move: Move) -> dict[str, str]:
    """Return the effects of a move by name: the four, or `replacement` alone."""
    names = EFFECTS if move.replacement is None else ("replacement",)
    return {name: getattr(move, name) for name in names}


def effect_said(move: Move, name: str) -> str:
    """Return in a few words what an effect of a move says."""
    value = Fraction(amounts(move)[name])
    crossed = sum(getattr(effect, name) is not None for effect in move.constituents)
    return _SAID[name][1 + (value > 0) - (value < 0)].format(models="model" if crossed == 1 else "models")


def effects_line(record: Determination) -> str:
    """Return the effects that do not round to zero at the value's decimals, and why models entered or left."""
    move = record.move
    if move is None or record.value is None:
        return _nothing_before(record)
    places = meaningful_places(record.value)
    shown = {name: amount for name, amount in amounts(move).items() if not is_zero(amount, places)}
    if not shown:
        return f"no effect of {_smallest(places)} or more"
    said = {name: f"{name}{TIED}{signed(amount, places)}" for name, amount in shown.items()}
    whys = {name: why for name in shown if (why := _causes(record, name))}
    if len(set(whys.values())) == 1:
        whys = dict([whys.popitem()])
    return f"{TIED} ".join(text + (f" ({whys[name]})" if name in whys else "") for name, text in said.items())


def sentence(record: Determination) -> str:
    """Return the day of a company in one plain sentence."""
    name, move = company(record), record.move
    if record.value is None:
        return f"{name} has no print: {', '.join(reason(record, code) for code in record.reasons)}."
    if move is None:
        return f"{name}: {_nothing_before(record)}."
    ratio = Fraction(record.value) / Fraction(move.from_value)
    how = _verb(ratio) + since(record)
    if move.replacement is not None:
        return f"{name} {how}: no model is priced on both days, so the models changed and not their prices."
    return f"{name} {how}: {_clauses(record, move, rising=ratio >= 1)}."


def _nothing_before(record: Determination) -> str:
    if record.value is None:
        return "no print"
    if "no_link" in record.notes:
        return "no print in the 30 days before to compare with"
    return "the first print, with nothing before it to compare with"


def _smallest(places: int) -> str:
    return f"0.{'1':0>{places}}"


def _causes(record: Determination, name: str) -> str:
    """Return in words why models entered (left), each cause whose sum does not round to zero."""
    move, places = record.move, meaningful_places(record.value or "0")
    sums = {"entry": move.entry_by_cause, "exit": move.exit_by_cause}.get(name, {}) if move else {}
    told = [code for code, amount in sums.items() if not is_zero(amount, places)] or list(sums)
    when = " before" if name == "entry" else " now"
    return ", ".join(cause(record, code, "" if code == "no_row" else when) for code in told)


def _verb(ratio: Fraction) -> str:
    change = signed_percent(ratio)
    if not change[0].isdigit():
        return f"{'rose' if ratio > 1 else 'fell'} {change[1:]}"
    return "stood still"


def _clauses(record: Determination, move: Move, *, rising: bool) -> str:
    places = meaningful_places(record.value or "0")
    effects = {name: Fraction(amount) for name, amount in amounts(move).items()}
    gross = sum(map(abs, effects.values()), Fraction(0))
    told = [
        name
        for name in sorted(effects, key=lambda name: -abs(effects[name]))
        if not is_zero(effects[name], places) and abs(effects[name]) >= _MENTIONED_SHARE * gross
    ]
    along = [_clause(record, move, name) for name in told if (effects[name] > 0) == rising]
    against = [_clause(record, move, name) for name in told if (effects[name] > 0) != rising]
    parts = [_joined(along), "against that, " * bool(along and against) + _joined(against)]
    if "price" not in told:
        parts.append(_quiet_prices(effects["price"]))
    return "; ".join(part for part in parts if part)


def _joined(clauses: list[str]) -> str:
    return " and ".join([", ".join(clauses[:-1]), clauses[-1]] if len(clauses) > 1 else clauses)


def _quiet_prices(effect: Fraction) -> str:
    return "posted prices hardly changed" if effect else "posted prices did not change"


def _clause(record: Determination, move: Move, name: str) -> str:
    rising = Fraction(amounts(move)[name]) > 0
    if name == "price":
        return f"posted prices {'rose' if rising else 'fell'}"
    if name == "mix":
        return f"use moved to {'dearer' if rising else 'cheaper'} models"
    crossing = [effect for effect in move.constituents if getattr(effect, name) is not None]
    assert crossing, f"{record.series} of {record.date}: an outline, whose move has no models, cannot be told"
    kind = "dearer" if rising == (name == "entry") else "cheaper"
    return f"{_models(crossing, name, kind)} {_crossing(record, crossing, name)}"


def _models(crossing: list[Effect], name: str, kind: str) -> str:
    new = "new, " if name == "entry" and _only(crossing, "unlisted") else ""
    if len(crossing) == 1:
        return f"a {new}{kind} model"
    signs = {Fraction(getattr(effect, name)) > 0 for effect in crossing}
    return (
        f"{len(crossing)} {new}{kind} models"
        if len(signs) == 1
        else f"{len(crossing)} models, {kind} on balance,"
    )


def _crossing(record: Determination, crossing: list[Effect], name: str) -> str:
    if _only(crossing, "no_row") and record.volume_source == RANKINGS_DAILY:
        return "came into the top 50" if name == "entry" else "dropped out of the top 50"
    return "came in" if name == "entry" else "left"


def _only(crossing: Iterable[Effect], code: str) -> bool:
    return {effect.cause for effect in crossing} == {code}
