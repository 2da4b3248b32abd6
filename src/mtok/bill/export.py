"""A usage export, read row by row: a good row counts, a bad one is listed with its line, its code and what was found.

One line is one row: a line break inside quotes is not read, so that a quote that is never closed costs its own line and
no other. docs/bill.md has the columns, the notations and every code.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Final

from mtok.bill.figures import FigureRefused, amount, token_count
from mtok.calendar import day_of, format_date, parse_date, parse_instant
from mtok.errors import BadInput

BYTES_MAX: Final = 8 * 2**20
ROWS_MAX: Final = 200_000
LINE_MAX: Final = 16_384
"""Characters."""

COLUMNS: Final = {
    "date": ("date", "day", "usage_date", "created_at"),
    "model": ("model_permaslug", "model", "model_id"),
    "output_tokens": ("output_tokens", "completion_tokens", "tokens_completion"),
    "paid_usd": ("paid_usd", "cost_usd", "cost_total", "usage"),
}
"""Each column with the names it may have, those before others where an export has several."""

OPTIONAL: Final = "paid_usd"
_DELIMITERS: Final = (",", ";", "\t")
_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_FORMULA: Final = tuple("=+-@")
_SHOWN_MAX: Final = 60
_MODEL_MAX: Final = 200
_AS_CSV: Final = "Export it as CSV, UTF-8, with the columns date, model, output_tokens; see docs/bill.md."
_NOT_TEXT: Final = {
    b"PK\x03\x04": ("export_is_spreadsheet", "a spreadsheet or a zip archive"),
    b"\xd0\xcf\x11\xe0": ("export_is_spreadsheet", "an old spreadsheet"),
    b"\x1f\x8b": ("export_compressed", "a compressed file"),
    b"%PDF": ("export_binary", "a PDF"),
}


@dataclass(frozen=True, kw_only=True)
class Usage:
    """A row that was taken. model : as written · paid : USD, None where the export does not say"""

    line: int
    date: str
    model: str
    tokens: int
    paid: Fraction | None


@dataclass(frozen=True, kw_only=True)
class RefusedRow:
    """A row that was not taken. found : the cell, safe to show and to paste into a spreadsheet"""

    line: int
    code: str
    found: str


@dataclass(frozen=True, kw_only=True)
class Export:
    """A usage export. columns : what each was called · ignored : the other columns"""

    columns: dict[str, str]
    ignored: tuple[str, ...]
    rows: tuple[Usage, ...]
    refused: tuple[RefusedRow, ...]


class _RowRefused(ValueError):
    def __init__(self, code: str, found: str) -> None:
        super().__init__(code)
        self.code = code
        self.found = found


def read_export(raw: bytes) -> Export:
    """Return the rows of an export. Raises BadInput for a file that is none at all, or over a limit."""
    lines = [(number, line) for number, line in enumerate(_LINE_END.split(_text(raw)), 1) if line.strip()]
    if not lines:
        raise BadInput("export_empty", "the export is empty", _AS_CSV)
    if len(lines) - 1 > ROWS_MAX:
        raise BadInput(
            "export_too_long",
            f"the export has {len(lines) - 1:,} rows, more than {ROWS_MAX:,}",
            "Sum it by day and model first, or give it in parts.",
        )
    delimiter, names = _header(lines[0][1])
    places = _places(names)
    rows, refused = [], []
    for number, line in lines[1:]:
        try:
            rows.append(_usage(number, line, delimiter, len(names), places))
        except _RowRefused as error:
            refused.append(RefusedRow(line=number, code=error.code, found=error.found))
    return Export(
        columns={column: names[place] for column, place in places.items()},
        ignored=tuple(shown(name) for place, name in enumerate(names) if place not in places.values()),
        rows=tuple(rows),
        refused=tuple(refused),
    )


def shown(text: str) -> str:
    """Return a cell as it may be shown: on one line, cut, and no formula where it is pasted.

    >>> shown("=cmd|' /C calc'!A0")
    "'=cmd|' /C calc'!A0"
    """
    plain = "".join(letter if letter.isprintable() else "·" for letter in text[: 2 * _SHOWN_MAX].strip())
    cut = plain if len(plain) <= _SHOWN_MAX else f"{plain[: _SHOWN_MAX - 1]}…"
    return f"'{cut}" if cut.startswith(_FORMULA) else cut


def _text(raw: bytes) -> str:
    """Return the text of a file. Raises BadInput for a file that has none."""
    if len(raw) > BYTES_MAX:
        raise BadInput(
            "upload_too_large",
            f"the export is larger than {BYTES_MAX // 2**20} MB",
            "Sum it by day and model first, or give it in parts.",
        )
    for start, (code, what) in _NOT_TEXT.items():
        if raw.startswith(start):
            raise BadInput(code, f"the export is {what}", _AS_CSV)
    coding = "utf-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = raw.decode(coding)
    except UnicodeDecodeError as error:
        raise BadInput(
            "export_encoding", f"the export is no text in UTF-8 (byte {error.start})", _AS_CSV
        ) from None
    if "\0" in text:
        raise BadInput("export_binary", "the export is no text: it has bytes of zero", _AS_CSV)
    return text


def _header(line: str) -> tuple[str, list[str]]:
    """Return the delimiter and the names of the columns. Raises BadInput where there is no header."""
    read = []
    for delimiter in _DELIMITERS:
        try:
            names = [_column_name(cell) for cell in _cells(line, delimiter)]
        except _RowRefused:
            continue
        read.append((sum(_place(names, column) is not None for column in COLUMNS), delimiter, names))
    known, delimiter, names = max(read, key=lambda found: found[0], default=(0, "", []))
    if not known:
        raise BadInput(
            "header_missing",
            f"the first line names no column that is known: {shown(line)}",
            "Begin with a line date,model,output_tokens or date,model,output_tokens,paid_usd; see docs/bill.md.",
        )
    return delimiter, names


def _places(names: Sequence[str]) -> dict[str, int]:
    """Return where each column is. Raises BadInput for one that is missing or there twice."""
    places = {}
    for column, accepted in COLUMNS.items():
        place = _place(names, column)
        if place is None:
            if column == OPTIONAL:
                continue
            raise BadInput(
                "column_missing",
                f"no column {column} among {', '.join(map(shown, names[:12]))}",
                f"Name it {' or '.join(accepted)}.",
            )
        if names.count(names[place]) > 1:
            raise BadInput(
                "column_twice", f"several columns are named {names[place]}", "Give each column one name."
            )
        places[column] = place
    return places


def _place(names: Sequence[str], column: str) -> int | None:
    return next((names.index(name) for name in COLUMNS[column] if name in names), None)


def _column_name(cell: str) -> str:
    return re.sub(r"[\s-]+", "_", cell.strip().lower())


def _cells(line: str, delimiter: str) -> list[str]:
    if len(line) > LINE_MAX:
        raise _RowRefused("row_long", f"{len(line):,} characters")
    try:
        cells: list[str] = next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error:
        raise _RowRefused("row_unreadable", shown(line)) from None
    return cells


def _usage(number: int, line: str, delimiter: str, width: int, places: dict[str, int]) -> Usage:
    """Return what a row says. Raises _RowRefused."""
    cells = _cells(line, delimiter)
    if any(cell.strip() for cell in cells[width:]):
        raise _RowRefused("row_cells", f"{len(cells)} cells, not {width}")
    given = {column: cells[place].strip() if place < len(cells) else "" for column, place in places.items()}
    if empty := next((column for column in COLUMNS if column != OPTIONAL and not given[column]), None):
        raise _RowRefused("cell_empty", f"no {empty}")
    return Usage(
        line=number,
        date=_date(given["date"]),
        model=_model(given["model"]),
        tokens=_tokens(given["output_tokens"]),
        paid=_paid(given.get(OPTIONAL, ""), delimiter),
    )


@lru_cache(2048)
def _date(text: str) -> str:
    try:
        return format_date(day_of(parse_instant(text)) if len(text) > 10 else parse_date(text))
    except ValueError:
        raise _RowRefused("formula" if text.startswith(_FORMULA) else "date_invalid", shown(text)) from None


def _model(text: str) -> str:
    if text.startswith(_FORMULA):
        raise _RowRefused("formula", shown(text))
    if len(text) > _MODEL_MAX:
        raise _RowRefused("model_invalid", shown(text))
    return text


def _tokens(text: str) -> int:
    try:
        return token_count(text)
    except FigureRefused as error:
        raise _figure(error, "output_tokens", text) from None


def _paid(text: str, delimiter: str) -> Fraction | None:
    try:
        return amount(text, point_is_decimal=delimiter == ",") if text else None
    except FigureRefused as error:
        raise _figure(error, OPTIONAL, text) from None


def _figure(error: FigureRefused, column: str, text: str) -> _RowRefused:
    is_formula = error.code == "number_invalid" and text.startswith(_FORMULA)
    return _RowRefused("formula" if is_formula else error.code, f"{column} {shown(text)}")
