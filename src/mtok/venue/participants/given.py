"""What a participant writes, read exactly: every field taken or refused by its name, with what can stand there.

Forms give texts, the API texts, whole numbers and truth values; both are read here and nowhere else. A day where an
instant is meant is the run of that day.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypeVar

from mtok.calendar import parse_date, parse_instant
from mtok.errors import BadInput
from mtok.market.cycle import run_of
from mtok.market.margin import Side
from mtok.market.months import month_number
from mtok.settlement.review import REASON_MAX
from mtok.settlement.specification import Specification
from mtok.settlement.values import PRICE_PLACES, Style

_T = TypeVar("_T")
_E = TypeVar("_E", bound=StrEnum)
Given = Mapping[str, object]
"""What was written, by field; what is absent, None or empty was not."""

SHOWN_MAX: Final = 60
"""Characters of what was written that a refusal repeats."""

DIGEST_CHARS: Final = 64
_REFERENCE_MAX: Final = 220
_EVIDENCE_MAX: Final = 10
_PRICE: Final = re.compile(rf"[0-9]{{1,9}}(\.[0-9]{{1,{PRICE_PLACES}}})?", re.ASCII)
_WHOLE: Final = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)
_DIGEST: Final = re.compile(rf"[0-9a-f]{{{DIGEST_CHARS}}}", re.ASCII)
_TRUE: Final = (True, "true", "on", "yes")
_FALSE: Final = (False, "false", "no")

FIELD_OF: Final[Mapping[str, str]] = {
    "reference_not_offered": "reference",
    "size_below_minimum": "lots",
    "size_above_maximum": "lots",
    "size_filled": "lots",
    "minimum_invalid": "min_lots",
    "maturity_off_grid": "month",
    "maturity_closed": "month",
    "tolerance_invalid": "tolerance",
    "limit_out_of_range": "limit",
    "expiry_invalid": "expires",
    "value_invalid": "price",
    "day_outside": "date",
    "mark_exists": "date",
    "limit_broken": "price",
    "size_broken": "lots",
    "reason_invalid": "reason",
    "evidence_missing": "evidence",
}
"""The field that a refusal of the core is about."""


class Wrong(NamedTuple):
    """A field that cannot be taken."""

    field: str
    found: str
    remedy: str


class FieldsInvalid(BadInput):
    """Some of the fields cannot be taken; each says which, what was found and what can stand there."""

    def __init__(self, fields: tuple[Wrong, ...]) -> None:
        super().__init__(
            "fields_invalid",
            "; ".join(f"{one.field}: {one.found}" for one in fields),
            " ".join(dict.fromkeys(one.remedy for one in fields)),
        )
        self.fields = fields


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A request as it was written. month : months since year 0 · limit : 10⁻⁶ USD per million tokens, None for none

    expires : instant, None for the last one possible · firm_until : instant, None where every run is confirmed
    """

    reference: str
    side: Side
    style: Style
    lots: int
    month: int
    limit: int | None
    min_lots: int
    tail: bool
    tolerance: int
    expires: int | None
    firm_until: int | None


class _Field(Exception):
    """What is wrong with the field that is being read."""

    def __init__(self, found: str, remedy: str) -> None:
        super().__init__(found)
        self.found, self.remedy = found, remedy


class Reading:
    """Reads fields one after the other and keeps what is wrong with each, to say all of it at once."""

    def __init__(self, given: Given, known: tuple[str, ...]) -> None:
        self._given = given
        self._wrong = [
            Wrong(_quoted(name), "there is no such field", f"Fields: {', '.join(known)}.")
            for name in given
            if name not in known
        ]

    def read(self, name: str, form: Callable[[object], _T], default: _T) -> _T:
        """Return a field, the default where it was left out or cannot be taken."""
        found = self._given.get(name)
        if found is None or found == "":
            return default
        try:
            return form(found)
        except _Field as error:
            self._wrong.append(Wrong(name, error.found, error.remedy))
            return default

    def needed(self, name: str, form: Callable[[object], _T], default: _T) -> _T:
        """Return a field that cannot be left out. default : what stands for it until all of them are refused"""
        if self._given.get(name) in (None, ""):
            self._wrong.append(Wrong(name, "nothing is given", "It cannot be left out."))
            return default
        return self.read(name, form, default)

    def finish(self) -> None:
        """Raise FieldsInvalid where anything cannot be taken."""
        if self._wrong:
            raise FieldsInvalid(tuple(self._wrong))


REQUEST_FIELDS: Final = tuple(
    "reference side settlement lots month limit min_lots tail tolerance expires firm_until".split()
)
_NO_AMENDMENT: Final = ("reference", "side", "settlement")
AMENDMENT_FIELDS: Final = tuple(name for name in REQUEST_FIELDS if name not in _NO_AMENDMENT)


def wanted(given: Given, rules: Specification) -> Wanted:
    """Return a request as it was written. Raises FieldsInvalid; the core looks at what the fields mean."""
    reading = Reading(given, REQUEST_FIELDS)
    found = Wanted(
        reference=reading.needed("reference", _reference, ""),
        side=reading.needed("side", _one_of(Side), Side.BUY),
        style=reading.read("settlement", _one_of(Style), Style.AVERAGE),
        **_changeable(reading, rules),
    )
    reading.finish()
    return found


def amended(given: Given, rules: Specification) -> dict[str, Any]:
    """Return the fields of a request that may change, all as they are to be, by the names of `Wanted`.

    Raises FieldsInvalid.
    """
    reading = Reading(given, AMENDMENT_FIELDS)
    found = _changeable(reading, rules)
    reading.finish()
    return found


def _changeable(reading: Reading, rules: Specification) -> dict[str, Any]:
    run = _run_or_instant(rules)
    return {
        "lots": reading.needed("lots", _whole, 0),
        "month": reading.needed("month", _month, 0),
        "limit": reading.read("limit", _price, None),
        "min_lots": reading.read("min_lots", _whole, rules.lots_min),
        "tail": reading.read("tail", _truth, False),
        "tolerance": reading.read("tolerance", _whole, 0),
        "expires": reading.read("expires", run, None),
        "firm_until": reading.read("firm_until", run, None),
    }


def approved_digest(given: Given) -> str:
    """Return the digest that is approved. Raises FieldsInvalid."""
    reading = Reading(given, ("digest",))
    found = reading.needed("digest", _digest, "")
    reading.finish()
    return found


def agreed_price(given: Given) -> int:
    """Return a price to end at. Raises FieldsInvalid."""
    reading = Reading(given, ("price",))
    found = reading.needed("price", _price, 0)
    reading.finish()
    return found


def agreed_day(given: Given) -> tuple[int, int]:
    """Return a day and what it is worth. Raises FieldsInvalid."""
    reading = Reading(given, ("date", "price"))
    found = reading.needed("date", _day, 0), reading.needed("price", _price, 0)
    reading.finish()
    return found


def asked_terms(given: Given) -> tuple[str, int, int]:
    """Return digest, price and lots of terms that are asked for instead. Raises FieldsInvalid."""
    reading = Reading(given, ("digest", "price", "lots"))
    found = (
        reading.needed("digest", _digest, ""),
        reading.needed("price", _price, 0),
        reading.needed("lots", _whole, 0),
    )
    reading.finish()
    return found


@dataclass(frozen=True, kw_only=True)
class Disputed:
    """What is said against a mark. own_value : 10⁻⁶ USD per million tokens · evidence : sha256 of what is attached"""

    day: int
    own_value: int
    reason: str
    evidence: tuple[str, ...]


def disputed(given: Given) -> Disputed:
    """Return a dispute as it was written. Raises FieldsInvalid."""
    reading = Reading(given, ("date", "price", "reason", "evidence"))
    found = Disputed(
        day=reading.needed("date", _day, 0),
        own_value=reading.needed("price", _price, 0),
        reason=reading.needed("reason", _prose, ""),
        evidence=reading.needed("evidence", _digests, ()),
    )
    reading.finish()
    return found


# ---- the forms a field can have


def _price(found: object) -> int:
    """Return 10⁻⁶ USD per million tokens of a decimal text."""
    text = _text(found, SHOWN_MAX)
    if not _PRICE.fullmatch(text):
        raise _Field(
            f"{_quoted(text)} is no price",
            f"USD per million tokens, such as 12.345600; at most {PRICE_PLACES} decimals.",
        )
    whole, _, fraction = text.partition(".")
    return int(whole + fraction.ljust(PRICE_PLACES, "0"))


def _day(found: object) -> int:
    """Return the day of a date."""
    text = _text(found, SHOWN_MAX)
    try:
        return parse_date(text)
    except ValueError:
        raise _Field(
            f"{_quoted(text)} is no date", "Write dates as YYYY-MM-DD, such as 2026-06-20."
        ) from None


def _digest(found: object) -> str:
    """Return a sha256 in hexadecimal."""
    text = _text(found, SHOWN_MAX * 2)
    if not _DIGEST.fullmatch(text):
        raise _Field(
            f"{_quoted(text)} is no digest",
            f"{DIGEST_CHARS} hexadecimal digits in small letters, as the terms show them.",
        )
    return text


def _digests(found: object) -> tuple[str, ...]:
    if not isinstance(found, list) or not 0 < len(found) <= _EVIDENCE_MAX:
        raise _Field("no list of digests", f"A list of 1 to {_EVIDENCE_MAX}: the sha256 of each file.")
    return tuple(map(_digest, found))


def _prose(found: object) -> str:
    text = " ".join(found.split()) if isinstance(found, str) else found
    return _text(text, REASON_MAX)


def _text(found: object, longest: int) -> str:
    if not isinstance(found, str):
        raise _Field(f"{type(found).__name__} is no text", "Write it as text.")
    if len(found) > longest:
        raise _Field(f"{len(found)} characters", f"At most {longest} characters.")
    odd = [one for one in found if unicodedata.category(one)[0] == "C"]
    if odd:
        raise _Field(f"a character U+{ord(odd[0]):04X} that cannot be printed", "Leave it out.")
    return found


def _reference(found: object) -> str:
    return _text(found, _REFERENCE_MAX).strip()


def _whole(found: object) -> int:
    if isinstance(found, int) and not isinstance(found, bool):
        found = str(found)
    text = _text(found, SHOWN_MAX)
    if not _WHOLE.fullmatch(text):
        raise _Field(f"{_quoted(text)} is no whole number", "Write digits alone, such as 25.")
    return int(text)


def _month(found: object) -> int:
    text = _text(found, SHOWN_MAX)
    try:
        return month_number(text)
    except ValueError:
        raise _Field(f"{_quoted(text)} is no month", "Write months as YYYY-MM, such as 2026-08.") from None


def _truth(found: object) -> bool:
    if found in _TRUE or found in _FALSE:
        return found in _TRUE
    raise _Field(f"{_quoted(found)} is neither true nor false", "Write true or false.")


def _one_of(kind: type[_E]) -> Callable[[object], _E]:
    names = [str(one) for one in kind]

    def read(found: object) -> _E:
        text = _text(found, SHOWN_MAX)
        if text not in names:
            raise _Field(f"{_quoted(text)} is unknown", f"It is one of {', '.join(names)}.")
        return kind(text)

    return read


def _run_or_instant(rules: Specification) -> Callable[[object], int | None]:
    def read(found: object) -> int | None:
        text = _text(found, SHOWN_MAX)
        try:
            if len(text) == len("YYYY-MM-DD"):
                return run_of(parse_date(text), rules)
            return parse_instant(text)
        except ValueError:
            raise _Field(
                f"{_quoted(text)} is neither a date nor an instant",
                f"Write YYYY-MM-DD, which means {rules.run_hour}:00 UTC of that day, or YYYY-MM-DDTHH:MM:SSZ.",
            ) from None

    return read


def _quoted(found: object) -> str:
    text = "".join(one if one.isprintable() else "�" for one in str(found))
    return repr(text[:SHOWN_MAX])
