"""Settlement marks in the log: what one may rest on, and which may be printed (docs/formats.md, "Marks").

A mark's number is never typed: it is that of a published value, a point or a model's posted price, named by its place
in the log. What is checked here the publisher checks by itself, whatever the maker of the mark has checked before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Any, Final

import msgspec

from mtok.calendar import format_date, format_instant, parse_date
from mtok.errors import AnswerIsNo, BadCall
from mtok.methodology import load
from mtok.publication.entries import Entry
from mtok.publication.policy import Stage
from mtok.publication.published import Published
from mtok.publication.vintages import Vintage
from mtok.quantities import decimal_text

CARRY_DAYS_MAX: Final = 3
"""How many days old the source of a carried mark (F3) may be."""
MARKS_MAX: Final = 1000
"""Marks of one publication."""
VALUE_PLACES: Final = 6
MODEL: Final = "model:"
"""Before the canonical slug of a single model, as a reference."""

_VERSION_MAX: Final = 999_999_999
_MODEL: Final = re.compile(
    r"model:([A-Za-z0-9][A-Za-z0-9._-]{0,79}/[A-Za-z0-9][A-Za-z0-9._-]{0,119})", re.ASCII
)
_PSEUDONYM: Final = re.compile(r"[a-z0-9][a-z0-9-]{7,63}", re.ASCII)
_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_QUALITIES: Final = {
    "direct": "good",
    "fallback": "degraded",
    "carried": "estimated",
    "launch": "estimated",
}
"""Rung of a posted price (R-6) → quality of a mark's source."""


class MarkState(StrEnum):
    """The states a mark is printed in, in the order of one publication."""

    PUBLISHED = "published"
    UPHELD = "upheld"
    CORRECTED = "corrected"
    LOCKED = "locked"


_ORDER: Final = {str(state): place for place, state in enumerate(MarkState)}
_FOLLOWING: Final[dict[str | None, frozenset[MarkState]]] = {
    None: frozenset({MarkState.PUBLISHED}),
    MarkState.PUBLISHED: frozenset({MarkState.UPHELD, MarkState.CORRECTED, MarkState.LOCKED}),
    MarkState.UPHELD: frozenset({MarkState.LOCKED}),
    MarkState.CORRECTED: frozenset({MarkState.LOCKED}),
    MarkState.LOCKED: frozenset(),
}
"""State of the last print of a mark (None: there is none yet) → the states that may follow."""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """What a mark may rest on: one published value, by its place in the log.

    index : of the `point`, `nodata` or `prices` entry · vintage : of a model's price, the how-manyth `prices` entry of
    the date, from 0 · quality : of a model's price by its rung · sha256 : of the record, or of the table of prices
    known_at : instant of the publication · reason : of the vintage or edition · reasons : of R-10
    notes : of the record; of a model's price `jump` where it is far from the one before · value : 10⁻⁶ USD per million
    output tokens, None of a withheld point
    """

    index: int
    reference: str
    methodology: str
    date: str
    stage: str
    vintage: int
    quality: str
    sha256: str
    known_at: str
    reason: str | None = None
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    value: int | None = None


class MarkPrint(msgspec.Struct, frozen=True, kw_only=True):
    """What is printed of a mark. value : 10⁻⁶ USD per million output tokens · source_index : of the entry it rests on

    preparer, approver : pseudonyms of the two persons behind it · reasons_sha256 : of the reasons they have written
    """

    reference: str
    methodology: str
    date: str
    version: int
    state: str
    value: int
    source_index: int
    fallback_level: str
    preparer: str
    approver: str
    reasons_sha256: str | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """What it is a mark of: reference, methodology, date."""
        return self.reference, self.methodology, self.date

    @property
    def place(self) -> tuple[str, bytes, int, int]:
        """What the marks of one publication are sorted by."""
        return self.date, self.reference.encode(), self.version, _ORDER[self.state]

    @property
    def proof(self) -> str:
        """Where its proof is."""
        folder = self.reference.replace(MODEL, "model/")
        return f"proofs/marks/{folder}/{self.date}.{self.version}.{self.state}.tlog-proof"

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of its entry."""
        return {
            "reference": self.reference,
            "methodology": self.methodology,
            "date": self.date,
            "mark_version": self.version,
            "state": self.state,
            "value": decimal_text(self.value, VALUE_PLACES),
            "source_point_index": self.source_index,
            "fallback_level": self.fallback_level,
            "preparer_pseudonym": self.preparer,
            "approver_pseudonym": self.approver,
            "reasons_sha256": self.reasons_sha256,
        }


def marks_of(entries: Iterable[Entry]) -> dict[MarkPrint, int]:
    """Return the marks among the entries of a log, in order, each with its index."""
    return {_mark_of(entry): index for index, entry in enumerate(entries) if entry["type"] == "mark"}


def _mark_of(entry: Entry) -> MarkPrint:
    return MarkPrint(
        reference=entry["reference"],
        methodology=entry["methodology"],
        date=entry["date"],
        version=int(entry["mark_version"]),
        state=entry["state"],
        value=_units(entry["value"]),
        source_index=int(entry["source_point_index"]),
        fallback_level=entry["fallback_level"],
        preparer=entry["preparer_pseudonym"],
        approver=entry["approver_pseudonym"],
        reasons_sha256=entry.get("reasons_sha256"),
    )


# ---- sources


def source_at(published: Published, index: int, reference: str) -> Source:
    """Return the published value of a reference at a place in the log.

    Raises BadCall (`source_unknown`) where the entry holds none of this reference, AnswerIsNo (`not_listed`) for a
    model that the table of prices does not list, EnvironmentFailed for a damaged file.
    """
    entry = published.entries[index] if 0 <= index < published.size else {"type": "none"}
    model = _model_of(reference)
    if model is None:
        for vintage in published.vintages.all():
            if (vintage.index, vintage.series) == (index, reference):
                return _source_of_point(published, vintage)
    elif entry["type"] == "prices":
        source = _source_of_price(published, index, model)
        if source is None:
            raise AnswerIsNo(
                "not_listed",
                f"{entry['path']}, which entry {index} of the log names, does not list {model}",
                "Name a model that the table lists, or the entry of another table.",
            )
        return source
    raise BadCall(
        "source_unknown",
        f"entry {index} of the log, of type {entry['type']}, is no published value of {reference}",
        "Name a point or nodata entry of the series, or of a model the prices entry of the day.",
    )


def sources_of(published: Published, reference: str, date: str) -> list[Source]:
    """Return every published value of a reference and date, of any stage, in the order of the log.

    Raises BadCall (`source_unknown`) for what is no reference, EnvironmentFailed for a damaged file.
    """
    model = _model_of(reference)
    if model is None:
        vintages = [one for one in published.vintages.all() if (one.series, one.date) == (reference, date)]
        return [
            _source_of_point(published, one) for one in sorted(vintages, key=lambda vintage: vintage.index)
        ]
    found = (_source_of_price(published, index, model) for index in _tables(published, date))
    return [source for source in found if source is not None]


def _model_of(reference: str) -> str | None:
    """Return the model of a reference, None of a series."""
    if not reference.startswith(MODEL):
        return None
    match = _MODEL.fullmatch(reference)
    if match is None:
        raise BadCall(
            "source_unknown",
            f"{reference[:200]!r} is no reference",
            "Give a series, or model:author/name, the canonical slug of a model without a variant.",
        )
    return match[1]


def _source_of_point(published: Published, vintage: Vintage) -> Source:
    record = published.outline(vintage)
    return Source(
        index=vintage.index,
        reference=vintage.series,
        methodology=vintage.methodology,
        date=vintage.date,
        stage=vintage.stage,
        vintage=vintage.vintage,
        quality=vintage.quality,
        sha256=vintage.record_sha256,
        known_at=format_instant(vintage.known_at),
        reason=vintage.reason,
        reasons=record.reasons,
        notes=record.notes,
        value=None if vintage.value is None else _units(vintage.value),
    )


class _Price(msgspec.Struct, frozen=True, kw_only=True):
    """A row of a table of posted prices. price_seconds : 10⁻¹⁸ USD per token × s"""

    constituent: str
    price_seconds: int
    price_usd_per_mtok: str
    rung: str


class _Table(msgspec.Struct, frozen=True, kw_only=True):
    methodology: str
    prices: tuple[_Price, ...]

    def row(self, model: str) -> _Price | None:
        """Return the row of a model's standard variant, None where it has none."""
        return next((row for row in self.prices if row.constituent == model), None)


_TABLE_DECODER: Final = msgspec.json.Decoder(_Table, strict=False)


def _tables(published: Published, date: str) -> list[int]:
    """Return the indexes of the `prices` entries of a date."""
    wanted = ("prices", date)
    return [
        index for index, entry in enumerate(published.entries) if (entry["type"], entry.get("date")) == wanted
    ]


def _source_of_price(published: Published, index: int, model: str) -> Source | None:
    """Return the price of a model in the table that entry `index` names, None where it is not listed."""
    entry, table = published.entries[index], _TABLE_DECODER.decode(published.raw_prices(index))
    row = table.row(model)
    if row is None:
        return None
    edition = [
        one
        for one in published.entries[:index]
        if (one["time"], one.get("date")) == (entry["time"], entry["date"])
    ]
    return Source(
        index=index,
        reference=f"{MODEL}{model}",
        methodology=table.methodology,
        date=entry["date"],
        stage=entry["stage"],
        vintage=_tables(published, entry["date"]).index(index),
        quality=_QUALITIES[row.rung],
        sha256=entry["sha256"],
        known_at=entry["time"],
        reason=edition[-1].get("reason") if edition else None,
        notes=("jump",) if _has_jumped(published, index, model, table) else (),
        value=_units(row.price_usd_per_mtok),
    )


def _has_jumped(published: Published, index: int, model: str, table: _Table) -> bool:
    """Return whether a price is as far from the one before as a value with the note `jump` (R-10), compared exactly."""
    parameters = load(table.methodology).parameters
    row = table.row(model)
    before = _row_before(published, index, model, parameters.number("averages", "previous_days"))
    if row is None or before is None:
        return False
    jump, change = parameters.ratio("quality", "jump"), abs(row.price_seconds - before.price_seconds)
    return change * jump.denominator > jump.numerator * before.price_seconds


def _row_before(published: Published, index: int, model: str, days: int) -> _Price | None:
    """Return the price of a model on the latest date before whose final table, published before, lists it."""
    date = published.entries[index]["date"]
    first = format_date(parse_date(date) - days)
    earlier = [
        (entry["date"], place)
        for place, entry in enumerate(published.entries[:index])
        if entry["type"] == "prices" and entry["stage"] == Stage.FINAL and first <= entry["date"] < date
    ]
    tables = (
        _TABLE_DECODER.decode(published.raw_prices(place)) for _, place in sorted(earlier, reverse=True)
    )
    return next((row for table in tables if (row := table.row(model)) is not None), None)


def _units(text: str) -> int:
    """Return 10⁻⁶ USD of a text with six decimals."""
    return int(text.replace(".", ""))


# ---- what may be printed


def refuse_unfit(published: Published, mark: MarkPrint, before: Sequence[MarkPrint] | None = None) -> None:
    """Raise unless a mark may be printed next.

    before : the marks printed before it, left out those of the log
    Raises BadCall (`mark_invalid`) for what is no mark, and as `source_at`; AnswerIsNo for a mark whose source is no
    final value (`mark_not_final`), has another value or none (`mark_value_differs`) or not the date its fallback level
    asks for (`mark_level`), that one person alone stands behind (`mark_one_person`), or that cannot follow those
    printed before (`mark_order`).
    """
    refuse_invalid(mark)
    source = source_at(published, mark.source_index, mark.reference)
    for code, fault in _faults_of_source(mark, source):
        raise AnswerIsNo(code, f"{_name(mark)}: {fault}", "Nothing was published. Prepare the mark again.")
    if mark.preparer == mark.approver:
        raise AnswerIsNo(
            "mark_one_person",
            f"{_name(mark)}: {mark.preparer} has prepared and approved it",
            "Nothing was published. Another person has to approve it.",
        )
    marks = list(marks_of(published.entries)) if before is None else before
    for fault in _faults_of_order(mark, marks):
        raise AnswerIsNo("mark_order", f"{_name(mark)}: {fault}", "Nothing was published.")


def _name(mark: MarkPrint) -> str:
    return f"mark {mark.reference} {mark.date}, version {mark.version}, {mark.state}"


def refuse_invalid(mark: MarkPrint) -> None:
    """Raise BadCall (`mark_invalid`) for what has not the form of a mark."""
    forms = {
        "state": mark.state in _ORDER,
        "date": _is_date(mark.date),
        "version": 0 <= mark.version <= _VERSION_MAX,
        "preparer": _PSEUDONYM.fullmatch(mark.preparer) is not None,
        "approver": _PSEUDONYM.fullmatch(mark.approver) is not None,
        "reasons_sha256": mark.reasons_sha256 is None or _SHA256.fullmatch(mark.reasons_sha256) is not None,
    }
    for name, sound in forms.items():
        if not sound:
            raise BadCall(
                "mark_invalid",
                f"{name} of a mark of {mark.reference[:200]!r} is {str(getattr(mark, name))[:80]!r}",
                "Nothing was published. docs/formats.md says what a mark has there.",
            )


def _is_date(text: str) -> bool:
    try:
        parse_date(text)
    except ValueError:
        return False
    return True


def _faults_of_source(mark: MarkPrint, source: Source) -> Iterator[tuple[str, str]]:
    """Yield why a mark cannot rest on a source of its reference, as code and text."""
    where = f"entry {source.index}, {source.reference} {source.date}"
    if source.methodology != mark.methodology:
        yield "source_unknown", f"{where}, is of methodology {source.methodology}, not {mark.methodology}"
    if source.stage != Stage.FINAL:
        yield "mark_not_final", f"{where}, is {source.stage}; only a final value may settle"
    if source.value != mark.value:
        found = "no value" if source.value is None else decimal_text(source.value, VALUE_PLACES)
        yield "mark_value_differs", f"{where}, has {found}, not {decimal_text(mark.value, VALUE_PLACES)}"
    age = parse_date(mark.date) - parse_date(source.date)
    if not _allows(mark.fallback_level, age):
        yield (
            "mark_level",
            f"{where}, lies {age} days before the mark, which level {mark.fallback_level[:20]} does not allow",
        )


def _allows(level: str, age_days: int) -> bool:
    """Return whether a mark of a fallback level may rest on a source so many days before it."""
    match level:
        case "F0" | "F1":
            return age_days == 0
        case "F3":
            return 0 < age_days <= CARRY_DAYS_MAX
        case "F5":
            return age_days >= 0
    return False


def _faults_of_order(mark: MarkPrint, before: Sequence[MarkPrint]) -> Iterator[str]:
    """Yield why a mark cannot follow those printed before it."""
    of_date = [one for one in before if one.date == mark.date]
    if any(one.proof == mark.proof and one.key != mark.key for one in of_date):
        yield f"{mark.proof} is the proof of a mark of another methodology; give it another version"
    last = next((one for one in reversed(of_date) if one.key == mark.key), None)
    state = None if last is None else last.state
    if mark.state not in _FOLLOWING[state]:
        yield f"{mark.state} cannot follow {state or 'nothing'}"
    elif last is not None and mark.state == MarkState.CORRECTED:
        if mark.version <= last.version:
            yield f"its version is not above {last.version}, which it corrects"
        if mark.source_index == last.source_index:
            yield f"it rests on entry {last.source_index}, as version {last.version} does"
        if {mark.preparer, mark.approver} & {last.preparer, last.approver}:
            yield f"a person behind it stood behind version {last.version}"
    elif last is not None and mark != _as_printed(last, mark):
        yield f"it says something else than what was printed as {last.state}"


def _as_printed(last: MarkPrint, mark: MarkPrint) -> MarkPrint:
    """Return the last print in the state of the next one; one that is upheld may have reasons of its own."""
    reasons = mark.reasons_sha256 if mark.state == MarkState.UPHELD else last.reasons_sha256
    return msgspec.structs.replace(last, state=mark.state, reasons_sha256=reasons)
