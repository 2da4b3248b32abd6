"""What the page and the plot of a replay write alike: amounts, prices, days, and tables that fit the page."""

from __future__ import annotations

from collections.abc import Sequence

from mtok.calendar import format_date
from mtok.cli.layout import Heading, Page, columns, hairline
from mtok.settlement.values import amount_text, price_text
from mtok.wording.figures import MINUS, day_text, tokens


def usd(cents: int, *, sign: bool = False) -> str:
    """Return an amount with thousands separators and a true minus. sign : with a plus where it is positive

    >>> usd(-123_456), usd(5, sign=True), usd(0, sign=True)
    ('−1,234.56', '+0.05', '0.00')
    """
    whole, _, fraction = amount_text(abs(cents)).partition(".")
    before = MINUS if cents < 0 else "+" if sign and cents else ""
    return f"{before}{tokens(int(whole))}.{fraction}"


def price(units: int, *, sign: bool = False) -> str:
    """Return a price with its six decimals and a true minus. sign : with a plus where it is positive"""
    before = MINUS if units < 0 else "+" if sign and units else ""
    return f"{before}{price_text(abs(units))}"


def date(day: int) -> str:
    """Return a day as prose."""
    return day_text(format_date(day))


def table(rows: Sequence[Sequence[str]], alignment: str, width: int) -> Page:
    """Return a table under a heading; columns that do not fit come below, the first again before them."""
    lines: Page = []
    for block in _blocks(rows, width):
        head, *body = columns(
            [[row[one] for one in block] for row in rows], "".join(alignment[one] for one in block)
        )
        lines += [*([""] if lines else []), Heading(head), hairline(width), *body]
    return lines


def _blocks(rows: Sequence[Sequence[str]], width: int) -> list[list[int]]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    blocks = [[0]]
    for place in range(1, len(widths)):
        used = sum(widths[one] + 2 for one in blocks[-1])
        if used + widths[place] > width and len(blocks[-1]) > 1:
            blocks.append([0])
        blocks[-1].append(place)
    return blocks
