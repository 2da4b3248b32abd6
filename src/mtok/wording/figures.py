"""Figures as people read them: true minus, thousands, percentages, dates, sparklines, bars. Exact, no float.

Texts keep together with no-break spaces, so that a line is never broken inside a figure; `terminal` writes them as
plain ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final

from mtok.quantities import rounded

MINUS: Final = "−"
ABSENT: Final = "–"
TIED: Final = "\u00a0"

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LEVELS: Final = "▁▂▃▄▅▆▇█"
_FLAT: Final = "▄"
_SIGNIFICANT: Final = 4
_PLACES_MIN: Final = 2
_PLACES_MAX: Final = 6


def meaningful_places(value: str) -> int:
    """Return with how many decimals a price carries meaning: four significant digits, two decimals at least.

    >>> [meaningful_places(value) for value in ("12.640247", "3.323000", "0.369365", "0.000100")]
    [2, 3, 4, 6]
    """
    leading = Decimal(value).adjusted() if Decimal(value) else 0
    return min(max(_SIGNIFICANT - 1 - leading, _PLACES_MIN), _PLACES_MAX)


def number(value: str | Fraction, places: int) -> str:
    """Return a number with `places` decimals, half-even, and a true minus.

    >>> number("-1.255", 2)
    '−1.26'
    """
    return rounded(Fraction(value), places).replace("-", MINUS)


def signed(value: str | Fraction, places: int) -> str:
    """Return a change with its sign; what rounds to zero has none.

    >>> signed("0.036643007475", 2), signed("-0.001", 2)
    ('+0.04', '0.00')
    """
    text = number(value, places)
    if not is_zero(value, places) and not text.startswith(MINUS):
        return f"+{text}"
    return text


def is_zero(value: str | Fraction, places: int) -> bool:
    """Return whether a number rounds to zero."""
    return not Fraction(rounded(Fraction(value), places))


def percent(share: str | Fraction, places: int = 1) -> str:
    """Return a share as a percentage.

    >>> percent("0.338609").replace(TIED, " ")
    '33.9 %'
    """
    return f"{number(Fraction(share) * 100, places)}{TIED}%"


def signed_percent(ratio: str | Fraction, places: int = 1) -> str:
    """Return a ratio of two values as the change from one to the other.

    >>> signed_percent(Fraction(17, 20)).replace(TIED, " ")
    '−15.0 %'
    """
    return f"{signed((Fraction(ratio) - 1) * 100, places)}{TIED}%"


def told_apart(value: str, limit: Fraction, places: int = 2) -> tuple[str, str]:
    """Return value and limit with as many decimals, at least `places`, as it takes to see which is greater.

    >>> told_apart("0.500400", Fraction(1, 2))
    ('0.5004', '0.5000')
    """
    while number(value, places) == number(limit, places) and places < _PLACES_MAX:
        places += 1
    return number(value, places), number(limit, places)


def tokens(count: int) -> str:
    """Return a count with thousands separators."""
    return f"{count:,}"


def counted(count: int, noun: str) -> str:
    """Return a count and its noun.

    >>> counted(1, "day"), counted(2, "day")
    ('1 day', '2 days')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def trimmed(price: str) -> str:
    """Return a price without its trailing zeros, two decimals at least.

    >>> trimmed("30.000000"), trimmed("0.196600")
    ('30.00', '0.1966')
    """
    whole, _, fraction = price.partition(".")
    return f"{whole}.{fraction.rstrip('0'):0<2}"


def on_the_point(texts: Iterable[str]) -> list[str]:
    """Return numbers padded behind, so that right-aligned they stand on the decimal point.

    >>> on_the_point(["12.64", "0.3694", "–"])
    ['12.64  ', '0.3694', '–     ']
    """
    listed = list(texts)
    behind = [len(text) - len(text.partition(".")[0]) for text in listed]
    return [text + " " * (max(behind) - own) for text, own in zip(listed, behind, strict=True)]


def day_text(date: str) -> str:
    """Return an ISO date as prose.

    >>> day_text("2026-06-01").replace(TIED, " ")
    '1 Jun 2026'
    """
    year, month, day = date.split("-")
    return f"{int(day)}{TIED}{_MONTHS[int(month) - 1]}{TIED}{year}"


def instant_text(instant: str) -> str:
    """Return an ISO instant as prose, to the second.

    >>> instant_text("2026-06-21T14:00:00Z").replace(TIED, " ")
    '21 Jun 2026 14:00:00 UTC'
    """
    date, _, time = instant.partition("T")
    return f"{day_text(date)}{TIED}{time[:8]}{TIED}UTC"


def duration(seconds: int) -> str:
    """Return how long something took or is ago, in its two greatest units, the second only where it is not 0.

    >>> [duration(seconds).replace(TIED, " ") for seconds in (8_100, 90, 200_000, 7_200)]
    ['2 h 15 min', '1 min', '2 d 7 h', '2 h']
    """
    minutes, hours, days = seconds // 60, seconds // 3_600, seconds // 86_400
    if not hours:
        return f"{minutes}{TIED}min"
    units = ((days, "d"), (hours % 24, "h")) if days else ((hours, "h"), (minutes % 60, "min"))
    return TIED.join(f"{count}{TIED}{unit}" for count, unit in units if count)


def sparkline(values: Sequence[Decimal | None]) -> str:
    """Return one block a value, the lowest to the highest of them; a missing value is a visible gap.

    >>> sparkline([Decimal(1), None, Decimal(3), Decimal(2)])
    '▁ █▅'
    """
    known = [value for value in values if value is not None]
    if not known:
        return " " * len(values)
    low, span = min(known), max(known) - min(known)
    return "".join(
        " " if value is None else _LEVELS[min(int((value - low) * 8 / span), 7)] if span else _FLAT
        for value in values
    )


def bar(value: Fraction, greatest: Fraction, half: int) -> str:
    """Return a bar from an axis in the middle, `half` wide to each side; `greatest` fills a side.

    >>> bar(Fraction(-1), Fraction(2), 4), bar(Fraction(2), Fraction(2), 4)
    ('  ██│    ', '    │████')
    """
    length = round(abs(value) * half / greatest) if greatest else 0
    blocks = "█" * (max(length, 1) if value else 0)
    left, right = ("", blocks) if value > 0 else (blocks, "")
    return f"{left:>{half}}│{right:<{half}}"
