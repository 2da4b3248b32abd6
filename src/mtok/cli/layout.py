"""Lines of a page: headings, hairlines, wrapped text behind a label, columns. All plain text of a given width.

A page is a list of lines. A `Heading` is a line the terminal may set in bold; nothing else is said by style.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Final

WIDTH_MIN: Final = 80
WIDTH_MAX: Final = 100
LABEL_WIDTH: Final = 13

Page = list[str]


class Heading(str):
    """A line that opens a part of the page."""

    __slots__ = ()


def hairline(width: int) -> str:
    """Return a line across the page."""
    return "─" * width


def wrapped(text: str, width: int, indent: int = 0) -> Page:
    """Return a text in lines of `width`, all of them indented; figures (no-break spaces) stay whole."""
    margin = " " * indent
    lines = textwrap.wrap(
        text,
        width,
        initial_indent=margin,
        subsequent_indent=margin,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.rstrip() for line in lines]


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


def named_columns(names: Sequence[str], rows: Sequence[Sequence[str]], alignment: str, width: int) -> Page:
    """Return rows of cells at the right edge of the page, their names at the left.

    A name that does not fit beside its cells has a line of its own above them.
    """
    cells = columns(rows, alignment)
    room = width - max(map(len, cells)) - 2
    lines: Page = []
    for name, behind in zip(names, cells, strict=True):
        lines += [name] if len(name) > room else []
        lines.append(f"{name if len(name) <= room else '':{room}}  {behind}".rstrip())
    return lines


def room_for_names(rows: Sequence[Sequence[str]], width: int) -> int:
    """Return how long a name may be beside these cells."""
    return width - sum(max(map(len, column)) + 2 for column in zip(*rows, strict=True))
