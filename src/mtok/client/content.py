"""Reading what a stranger wrote: canonical JSON to the byte, the forms of fields, and where two contents differ."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NoReturn

from mtok.calendar import format_instant, parse_date, parse_instant

TEXT_MAX: Final = 10_000
_QUOTED_MAX: Final = 120
_INSTANT_CHARS_MAX: Final = len("2026-06-20T12:00:00.000001Z")
_INSTANTS_KEPT: Final = 2**13
"""Of those read last: the captures of a window stand in every list and record of its dates."""

_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_COUNT: Final = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", re.ASCII)
_SERIES: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,79}", re.ASCII)
_VALUE: Final = re.compile(r"(?:0|[1-9][0-9]{0,11})\.[0-9]{6}", re.ASCII)
_CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,79}", re.ASCII)


_MODEL: Final = re.compile(
    r"model:[A-Za-z0-9][A-Za-z0-9._-]{0,79}/[A-Za-z0-9][A-Za-z0-9._-]{0,119}", re.ASCII
)
_PSEUDONYM: Final = re.compile(r"[a-z0-9][a-z0-9-]{7,63}", re.ASCII)


class Malformed(ValueError):
    """Content that is not in its form: the message says what was found."""


def _no_number(text: str) -> NoReturn:
    raise Malformed(f"a number that is no text: {text[:40]}")


_DECODER: Final = json.JSONDecoder(parse_float=_no_number, parse_int=_no_number, parse_constant=_no_number)
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def encode(content: Any) -> bytes:
    """Return the canonical JSON of content that `decode` returned, or of parts of it."""
    return _ENCODER.encode(content).encode()


def decode(raw: bytes) -> Any:
    """Return the content of canonical JSON: texts, booleans, lists, objects. Raises Malformed for any other bytes."""
    try:
        text = raw.decode()
        content = _DECODER.decode(text)
        again = _ENCODER.encode(content)
    except Malformed:
        raise
    except UnicodeDecodeError as error:
        raise Malformed(f"byte {error.start} is not UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise Malformed(f"no JSON of ours: {str(error)[:_QUOTED_MAX]}") from None
    if again != text:
        place = next(
            (at for at, pair in enumerate(zip(again, text, strict=False)) if pair[0] != pair[1]), len(again)
        )
        raise Malformed(f"not canonical JSON from character {place} on")
    if "null" in text or not text.isascii():
        _check_plain(content)
    return content


def _check_plain(content: Any) -> None:
    """Raise Malformed for a null, or a key that is not ASCII."""
    if content is None:
        raise Malformed("a null; absent fields are left out")
    if isinstance(content, dict):
        for key, value in content.items():
            if not key.isascii():
                raise Malformed(f"a key that is not ASCII: {key[:40]!a}")
            _check_plain(value)
    elif isinstance(content, list):
        for value in content:
            _check_plain(value)


def is_sha256(value: Any) -> bool:
    """Return whether it is a digest."""
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None


def is_count(value: Any) -> bool:
    """Return whether it is a whole number, zero or more, as text."""
    return isinstance(value, str) and _COUNT.fullmatch(value) is not None


def is_date(value: Any) -> bool:
    """Return whether it is a date, with centuries to spare on both sides for those that are counted from it."""
    try:
        parse_date(value)
    except (TypeError, ValueError):
        return False
    return bool("1970-02-01" <= value <= "9000-01-01" or value == "1970-01-01")


def is_instant(value: Any) -> bool:
    """Return whether it is an instant as this program writes it."""
    return instant_of(value) is not None


def instant_of(value: Any) -> int | None:
    """Return the instant of a text as this program writes it, None for anything else."""
    return _instant_of(value) if isinstance(value, str) and len(value) <= _INSTANT_CHARS_MAX else None


@lru_cache(_INSTANTS_KEPT)
def _instant_of(text: str) -> int | None:
    try:
        instant = parse_instant(text)
        written = "1970-02-01" <= text < "9000-01-01" and format_instant(instant) == text
        return instant if written else None
    except (ValueError, OverflowError):
        return None


def is_name(value: Any) -> bool:
    """Return whether it may be part of a path: a methodology, a collector."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def is_series(value: Any) -> bool:
    """Return whether it is written as a series is."""
    return isinstance(value, str) and _SERIES.fullmatch(value) is not None


def is_reference(value: Any) -> bool:
    """Return whether it is what a mark is of: a series, or `model:` and a canonical slug."""
    return is_series(value) or (isinstance(value, str) and _MODEL.fullmatch(value) is not None)


def is_pseudonym(value: Any) -> bool:
    """Return whether it is written as the name of a person behind a mark is."""
    return isinstance(value, str) and _PSEUDONYM.fullmatch(value) is not None


def is_value(value: Any) -> bool:
    """Return whether it is a value: six decimals, not negative."""
    return isinstance(value, str) and _VALUE.fullmatch(value) is not None


def is_code(value: Any) -> bool:
    """Return whether it is a code: small letters, digits, underscores."""
    return isinstance(value, str) and _CODE.fullmatch(value) is not None


def is_text(value: Any) -> bool:
    """Return whether it is text of a length somebody reads."""
    return isinstance(value, str) and 0 < len(value) <= TEXT_MAX


def is_codes(value: Any) -> bool:
    """Return whether it is a sorted list of codes, none twice, at least one."""
    return (
        isinstance(value, list) and bool(value) and all(map(is_code, value)) and value == sorted(set(value))
    )


def first_difference(expected: Any, found: Any, place: str = "") -> tuple[str, str] | None:
    """Return the place of the first difference and what is there, None where both are equal.

    Objects are compared in the order of their keys, lists in theirs. A field that `expected` does not have is a
    difference too.

    >>> first_difference({"a": ["1", "2"]}, {"a": ["1", "3"]})
    ('a[1]', "'2' expected, '3' found")
    """
    if expected == found:
        return None
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        return _first_in_objects(expected, found, place)
    if isinstance(expected, list) and isinstance(found, list):
        for at, (one, other) in enumerate(zip(expected, found, strict=False)):
            if one != other:
                return first_difference(one, other, f"{place}[{at}]")
        return f"{place}[{min(len(expected), len(found))}]", f"{len(expected)} expected, {len(found)} found"
    return place, f"{quoted(expected)} expected, {quoted(found)} found"


def _first_in_objects(
    expected: Mapping[str, Any], found: Mapping[str, Any], place: str
) -> tuple[str, str] | None:
    for key in sorted(expected.keys() | found.keys()):
        inner = f"{place}.{key}" if place else str(key)
        if key not in found:
            return inner, f"{quoted(expected[key])} expected, nothing found"
        if key not in expected:
            return inner, f"nothing expected, {quoted(found[key])} found"
        if expected[key] != found[key]:
            return first_difference(expected[key], found[key], inner)
    return None


def quoted(value: Any) -> str:
    """Return a value for a message: printable, short."""
    text = ascii(value)
    return text if len(text) <= _QUOTED_MAX else f"{text[:_QUOTED_MAX]}…"
