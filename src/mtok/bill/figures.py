"""Counts and amounts as exports write them, read exactly or refused: what could be two numbers is neither.

A thousands separator and a decimal comma are taken where only one reading is possible (docs/bill.md has the table).
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

TOKENS_MAX: Final = 2**63 - 1
AMOUNT_MAX: Final = 10**12
"""USD. Of one row; what is above is a mistake."""

_CELL_MAX: Final = 64
_SPACES: Final = " \u00a0\u2009\u202f'’"
"""What separates thousands and nothing else."""

_PLAIN: Final = re.compile(r"[0-9]{1,40}")
_WHOLE: Final = re.compile(r"([0-9]{1,40})[.,]0{1,2}")
_GROUPED: Final = re.compile(
    rf"[1-9][0-9]{{0,2}}(?:([{_SPACES}])[0-9]{{3}}(?:\1[0-9]{{3}})*|([.,])[0-9]{{3}}(?:\2[0-9]{{3}})+)"
)
_ONE_GROUP: Final = re.compile(r"[1-9][0-9]{0,2}[.,][0-9]{3}")
_POINT: Final = re.compile(r"([0-9]{1,40})\.([0-9]{1,30})")
_COMMA: Final = re.compile(r"([0-9]{1,40}),([0-9]{1,30})")
_GROUPED_POINT: Final = re.compile(
    rf"([1-9][0-9]{{0,2}}(?:,[0-9]{{3}})+|[1-9][0-9]{{0,2}}(?:[{_SPACES}][0-9]{{3}})+)\.([0-9]{{1,30}})"
)
_GROUPED_COMMA: Final = re.compile(
    rf"([1-9][0-9]{{0,2}}(?:\.[0-9]{{3}})+|[1-9][0-9]{{0,2}}(?:[{_SPACES}][0-9]{{3}})+),([0-9]{{1,30}})"
)
_EXPONENT: Final = re.compile(r"[0-9.,]+[eE][+-]?[0-9]+")
_NOT_FINITE: Final = re.compile(r"[+-]?(nan|inf|infinity|∞)", re.IGNORECASE)
_NEGATIVE: Final = re.compile(r"[-−–]\s*[$]?[0-9.,]|\([0-9]")


class FigureRefused(ValueError):
    """A cell that is not one number. code : as in docs/bill.md"""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def token_count(text: str) -> int:
    """Return a count of tokens. Raises FigureRefused.

    >>> token_count("1,234,567"), token_count("1 234"), token_count("12.0")
    (1234567, 1234, 12)
    """
    text = text if _PLAIN.fullmatch(text) else _sound(text)
    if _PLAIN.fullmatch(text) or _GROUPED.fullmatch(text):
        count = int(_digits(text))
    elif match := _WHOLE.fullmatch(text):
        count = int(match[1])
    else:
        raise FigureRefused("number_ambiguous" if _ONE_GROUP.fullmatch(text) else "number_invalid")
    if count > TOKENS_MAX:
        raise FigureRefused("number_range")
    return count


def amount(text: str, *, point_is_decimal: bool) -> Fraction:
    """Return an amount of USD. Raises FigureRefused.

    point_is_decimal : whether `1.234` can only be a little over one, as in a file whose cells commas separate

    >>> amount("1.234,50", point_is_decimal=False), amount("$0.125", point_is_decimal=True)
    (Fraction(2469, 2), Fraction(1, 8))
    """
    if point_is_decimal and (match := _POINT.fullmatch(text)):
        return _within(int(match[1] + match[2]), len(match[2]))
    text = _sound(text).removeprefix("$").lstrip()
    if _ONE_GROUP.fullmatch(text) and not ("." in text and point_is_decimal):
        raise FigureRefused("number_ambiguous")
    if _PLAIN.fullmatch(text) or _GROUPED.fullmatch(text):
        return _within(int(_digits(text)), 0)
    patterns = (_POINT, _COMMA, _GROUPED_POINT, _GROUPED_COMMA)
    match = next((match for pattern in patterns if (match := pattern.fullmatch(text))), None)
    if match is None:
        raise FigureRefused("number_invalid")
    return _within(int(_digits(match[1]) + match[2]), len(match[2]))


def _within(units: int, places: int) -> Fraction:
    """Return `units` × 10^-places USD. Raises FigureRefused for more than `AMOUNT_MAX`."""
    if units > AMOUNT_MAX * 10**places:
        raise FigureRefused("number_range")
    return Fraction(units, 10**places)


def _sound(text: str) -> str:
    """Return a cell that could be a number. Raises FigureRefused for one that says that it is none to be taken."""
    text = text.strip()
    for pattern, code in ((_NOT_FINITE, "number_not_finite"), (_EXPONENT, "number_exponent")):
        if pattern.fullmatch(text):
            raise FigureRefused(code)
    if _NEGATIVE.match(text):
        raise FigureRefused("number_negative")
    if len(text) > _CELL_MAX:
        raise FigureRefused("number_range" if text.isdecimal() else "number_invalid")
    return text


def _digits(text: str) -> str:
    return re.sub("[^0-9]", "", text)
