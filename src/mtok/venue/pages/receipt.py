"""What the page of a value shows of its record: constituents, the move in bars, the evidence, ready to be laid out."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from mtok.records import Constituent, Determination, InputCapture, PublishedRecord
from mtok.wording.asides import asides
from mtok.wording.figures import ABSENT, counted, percent, signed, signed_percent, tokens, trimmed
from mtok.wording.moves import Staying, crossed, smaller, staying
from mtok.wording.sentences import amounts, effect_said
from mtok.wording.words import LEGEND, rung, shown_names

_PLACES: Final = 6
BAR_WIDTH: Final = 160
_HALF: Final = BAR_WIDTH / 2
_LEGEND: Final = LEGEND | {"sha256": "fingerprint of bytes; of this record: of the file Record (JSON)"}


@dataclass(frozen=True, kw_only=True)
class Line:
    """A constituent on the receipt. pad : digits that are missing behind the price, so that points stand in a column"""

    name: str
    constituent: str
    tokens: str
    share: str
    price: str
    pad: str
    rung: str
    captures: str
    contribution: str


@dataclass(frozen=True, kw_only=True)
class EffectBar:
    """An effect of the move. x, width : of its bar, from the axis in the middle of `BAR_WIDTH`"""

    name: str
    amount: str
    percent: str
    said: str
    x: str
    width: str


def receipt(record: PublishedRecord, earlier: Determination | None) -> dict[str, Any]:
    """Return what the page shows of a record. earlier : the one its move starts from, None where it is not at hand"""
    names = shown_names(record)
    moved = record.value is not None and record.move is not None
    stayed = staying(record, earlier)
    return {
        "lines": _lines(record, names),
        "sum": {"tokens": tokens(record.w), "share": percent(Fraction(1)), "value": record.value or ABSENT},
        "asides": list(asides(record, names)),
        "effects": _bars(record) if moved else [],
        "total": _total(record) if moved else None,
        "models": [(names[one.constituent], one, signed(one.amount, _PLACES)) for one in stayed],
        "smaller": _smaller(record, stayed),
        "crossed": [(names[one.constituent], one, signed(one.amount, _PLACES)) for one in crossed(record)],
        "captures": _captures(record),
        "seen": sum(day.captures for day in record.inputs.seen),
        "legend": [(word, text) for word, text in _LEGEND.items() if word not in _unused(record)],
    }


def _lines(record: Determination, names: dict[str, str]) -> list[Line]:
    prices = [trimmed(row.price_usd_per_mtok) for row in record.constituents]
    most = max((len(price.partition(".")[2]) for price in prices), default=0)
    return [
        Line(
            name=names[row.constituent],
            constituent=row.constituent,
            tokens=tokens(row.tokens),
            share=percent(row.weight_share),
            price=price,
            pad="0" * (most - len(price.partition(".")[2])),
            rung=rung(row),
            captures=_named(row),
            contribution=row.contribution_usd_per_mtok,
        )
        for row, price in zip(record.constituents, prices, strict=True)
    ]


def _named(row: Constituent) -> str:
    """Return which captures a price rests on: all of a few, the first and the last of many."""
    listed = row.captures
    return ", ".join(listed) if len(listed) <= 3 else f"{listed[0]} … {listed[-1]}"


def _bars(record: Determination) -> list[EffectBar]:
    move = record.move
    assert move is not None
    effects = {name: Fraction(amount) for name, amount in amounts(move).items()}
    greatest = max(map(abs, effects.values()))
    found = []
    for name, amount in effects.items():
        length = float(abs(amount) / greatest) * _HALF if greatest else 0.0
        factor = getattr(move.factors, name) if move.factors else None
        found.append(
            EffectBar(
                name=name,
                amount=signed(amount, _PLACES),
                percent=signed_percent(factor) if factor else "",
                said=effect_said(move, name),
                x=f"{_HALF if amount >= 0 else _HALF - length:.1f}",
                width=f"{length:.1f}",
            )
        )
    return found


def _total(record: Determination) -> dict[str, str]:
    move = record.move
    assert move is not None
    assert record.value is not None
    return {
        "amount": signed(move.change, _PLACES),
        "percent": signed_percent(Fraction(record.value) / Fraction(move.from_value)),
    }


def _smaller(record: Determination, listed: list[Staying]) -> dict[str, str]:
    """Return what is not listed of the models priced on both days, so that the list adds up; nothing without any."""
    count, amount = smaller(record, listed)
    return {"what": counted(count, "smaller effect"), "amount": signed(amount, _PLACES)} if count else {}


def _captures(record: Determination) -> list[InputCapture]:
    """Return the captures behind the prices that enter the value."""
    used = {capture for row in record.constituents for capture in row.captures}
    return [capture for capture in record.inputs.captures if capture.id in used]


def _unused(record: Determination) -> set[str]:
    """Return the words of the legend that this receipt does not need."""
    unused = {"direct", "fallback", "carried", "launch"} - {row.rung for row in record.constituents}
    if record.move is None:
        unused |= {"price", "mix", "entry, exit"}
    if record.move is None or record.move.replacement is None:
        unused |= {"replacement"}
    return unused
