"""Lines of a page: headings, hairlines, wrapped text behind a label, columns. All plain text of a given width.

A page is a list of lines. A `Heading` is a line the terminal may set in bold; nothing else is said by style.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Final

WIDTH_MIN: Final = 80
WIDTH_MAX: Final = 100
LABEL_WIDTH: Final = 12

Page = list[str]


class Heading(str):
    """A line that opens a part of the page."""

    __slots__ = ()


def hairline(width: int) -> str:
    """Return a line across the page."""
    return "─" * width


def wrapped(text: str, width: int, indent: int = 0) -> Page:
    """Return a text in lines of `width`, all of them indented; figures (no-break spaces) stay whole."""
    return textwrap.wrap(
        text,
        width,
        initial_indent=" " * indent,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def labelled(label: str, text: str, width: int, indent: int = LABEL_WIDTH) -> Page:
    """Return a text behind its label, the lines after the first indented as far."""
    lines = wrapped(text, width, indent)
    return [label.ljust(indent) + lines[0][indent:], *lines[1:]]


def apart(left: str, right: str, width: int) -> Page:
    """Return two texts at the two edges of one line, or one under the other where they do not fit."""
    if len(left) + 2 + len(right) <= width:
        return [Heading(left + right.rjust(width - len(left)))]
    return [Heading(left), Heading(right.rjust(width))]


def columns(rows: Sequence[Sequence[str]], alignment: str, gap: int = 2) -> Page:
    """Return rows of cells in columns as wide as their widest cell.

    alignment : one letter a column, `<` left or `>` right

    >>> columns([["a", "1"], ["bb", "10"]], "<>")
    ['a    1', 'bb  10']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        (" " * gap)
        .join(f"{cell:{align}{wide}}" for cell, align, wide in zip(row, alignment, widths, strict=True))
        .rstrip()
        for row in rows
    ]
