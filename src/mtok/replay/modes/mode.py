"""What every fault mode is made of: its description, where it may be armed, its value, and what it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any, Final, Generic, NamedTuple, TypeAlias, TypeVar

import msgspec

from mtok.calendar import SECOND, format_instant, parse_date

MODELS: Final = "models"
RANKINGS: Final = "rankings-daily"
ENDPOINTS: Final = "endpoints"
ROUTES: Final = (ENDPOINTS, MODELS, RANKINGS)
"""Where a fault may be armed."""

SECONDS_MAX: Final = 86_400
TEXT_MAX: Final = 200
DAYS_BACK_MAX: Final = 366

Value: TypeAlias = int | str | None


class Answer(NamedTuple):
    """A response before it is sent; the server adds `Date`, `Content-Length` and, unless given, `Content-Type`."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class Scene(NamedTuple):
    """What a fault may know of the moment it acts in.

    value : the fault's, else its mode's default · now, since : instants, the clock's and when the fault began
    number : which request it is, from 1 · origin : of the server, `http://127.0.0.1:PORT` · target : path and query
    takes_gzip : whether the client said it does
    """

    value: Value
    now: int
    since: int
    number: int
    origin: str
    target: str
    query: Mapping[str, str]
    takes_gzip: bool


Act = TypeVar("Act")
Change: TypeAlias = Callable[[Any, Scene], None]
"""Changes the decoded JSON of a sound answer in place; where there is nothing to change it does nothing."""


@dataclass(frozen=True, kw_only=True)
class Mode(Generic[Act]):
    """A way to misbehave.

    what : one line · value : the sort of value it takes, a key of `VALUES`, None for none
    default : the value without one · needs_value : it cannot do without
    """

    what: str
    act: Act
    routes: tuple[str, ...] = ROUTES
    value: str | None = None
    default: Value = None
    needs_value: bool = False


def error(status: int, message: str, *headers: tuple[str, str]) -> Answer:
    """Return an error in the API's shape (contracts 7)."""
    return Answer(status, msgspec.json.encode({"error": {"code": status, "message": message}}), headers)


def as_of_text(instant: int) -> str:
    """Return an instant as `meta.as_of` has it, with milliseconds.

    >>> as_of_text(1_500_000)
    '1970-01-01T00:00:01.500Z'
    """
    whole = format_instant(instant - instant % SECOND).removesuffix("Z")
    return f"{whole}.{instant % SECOND // 1000:03d}Z"


def http_date(instant: int) -> str:
    """Return an instant as HTTP writes it.

    >>> http_date(0)
    'Thu, 01 Jan 1970 00:00:00 GMT'
    """
    return formatdate(instant // SECOND, usegmt=True)


def _is_text(value: int | str) -> bool:
    return isinstance(value, str) and 0 < len(value) <= TEXT_MAX and value.isprintable() and " " not in value


def _is_day(value: int | str) -> bool:
    if isinstance(value, int):
        return 1 <= value <= DAYS_BACK_MAX
    try:
        return parse_date(value) >= 0
    except ValueError:
        return False


VALUES: Final[dict[str, tuple[str, Callable[[int | str], bool]]]] = {
    "seconds": (
        f"whole seconds from 0 to {SECONDS_MAX}",
        lambda value: isinstance(value, int) and 0 <= value <= SECONDS_MAX,
    ),
    "skew": (
        f"whole seconds from -{SECONDS_MAX} to {SECONDS_MAX}",
        lambda value: isinstance(value, int) and abs(value) <= SECONDS_MAX,
    ),
    "day": (f"days back, 1 to {DAYS_BACK_MAX}, or a date YYYY-MM-DD", _is_day),
    "status": (
        "a negative whole number down to -99",
        lambda value: isinstance(value, int) and -99 <= value < 0,
    ),
    "origin": (
        "an address, http://HOST[:PORT]",
        lambda value: _is_text(value) and str(value).startswith(("http://", "https://")),
    ),
    "model": ("an id or a canonical slug of a model", _is_text),
    "model=price": (
        "MODEL=PRICE, the price in USD per token as text",
        lambda value: _is_text(value) and all(str(value).partition("=")),
    ),
}
"""Sort of value → what it is in words, and whether a value is one."""
