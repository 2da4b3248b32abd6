"""Strict JSON: what a payload must be before any record in it is looked at (ingest rules 5.2).

UTF-8 without exceptions, at most 20 MB, at most 32 levels deep, no duplicate keys, no NaN or Infinity.
A payload that breaks a rule yields no observations; its bytes stay in the archive.
"""

from __future__ import annotations

import json
from itertools import chain
from typing import Any, Final

PAYLOAD_BYTES_MAX: Final = 20 * 2**20
PAYLOAD_DEPTH_MAX: Final = 32

_CONTAINERS: Final = frozenset({dict, list})
_JSON_NAMES: Final = {list: "list", dict: "object"}
_GZIP_MAGIC: Final = b"\x1f\x8b"


class PayloadFault(Exception):
    """The payload as a whole cannot be read. `code` is one of the `payload_…` codes."""

    def __init__(self, code: str, found: str) -> None:
        super().__init__(found)
        self.code = code
        self.found = found


class RealNumber:
    """A JSON number that is no integer, kept as its text: nothing here may become a float."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


class _DuplicateKey(ValueError):
    pass


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _DuplicateKey(name)
            seen.add(name)
    return fields


def _constant(text: str) -> Any:
    raise PayloadFault("payload_not_finite", f"{text} is no JSON")


def _integer(text: str) -> int | RealNumber:
    return int(text) if len(text) <= 40 else RealNumber(text[:40] + "…")


def _measure(content: Any) -> tuple[int, int]:
    """Return how deep the containers of `content` are nested, at most one over the limit, and how many keys it has."""
    level = [content] if type(content) in _CONTAINERS else []
    depth = keys = 0
    while level and depth <= PAYLOAD_DEPTH_MAX:
        depth += 1
        dicts = [container for container in level if type(container) is dict]
        keys += sum(map(len, dicts))
        lists = [container for container in level if type(container) is list]
        values = list(chain(chain.from_iterable(map(dict.values, dicts)), chain.from_iterable(lists)))
        if _CONTAINERS.isdisjoint(map(type, values)):
            break
        level = [value for value in values if type(value) in _CONTAINERS]
    return depth, keys


_DECODER: Final = json.JSONDecoder(parse_constant=_constant, parse_float=RealNumber)
_CAREFUL_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_constant, parse_float=RealNumber, parse_int=_integer
)
_NO_PLAIN_KEY: Final = (" :", "\t:", "\n:", "\r:", '\\":')
"""Where none of these occurs, each `":` in a JSON text ends a key, and every key ends so."""


def _decode(text: str) -> tuple[Any, int]:
    """Return the content and its depth. Raises ValueError, RecursionError, and _DuplicateKey for a key said twice.

    The decoder keeps the last of two equal keys. So keys are counted in the text and in what was decoded; where the
    numbers differ, or the text does not lend itself to counting, it is decoded once more with every object checked.
    """
    try:
        content = _DECODER.decode(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # an integer Python will not read: the worse for that one record, not for the payload
        content = _CAREFUL_DECODER.decode(text)
    depth, keys = _measure(content)
    if depth <= PAYLOAD_DEPTH_MAX and (keys != text.count('":') or any(odd in text for odd in _NO_PLAIN_KEY)):
        content = _CAREFUL_DECODER.decode(text)
    return content, depth


def decode_payload(raw: bytes, data: type[list[Any]] | type[dict[str, Any]] = list) -> dict[str, Any]:
    """Return the top-level object of a payload, whose `data` is a list or an object as asked.

    Raises PayloadFault with the code of what is wrong.
    """
    if len(raw) > PAYLOAD_BYTES_MAX:
        raise PayloadFault("payload_size", f"{len(raw)} bytes, over {PAYLOAD_BYTES_MAX}")
    if not raw.strip():
        raise PayloadFault("payload_no_bytes", f"{len(raw)} bytes, all blank")
    if raw.startswith(_GZIP_MAGIC):
        raise PayloadFault("payload_gzip", "gzip that ends early, is damaged or unpacks beyond the cap")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PayloadFault("payload_utf8", f"byte {error.start} is no UTF-8") from None
    try:
        content, depth = _decode(text)
    except _DuplicateKey as error:
        raise PayloadFault("payload_duplicate_key", f"key {str(error)!a} twice in one object") from None
    except RecursionError:
        raise PayloadFault("payload_depth", f"over {PAYLOAD_DEPTH_MAX} levels") from None
    except ValueError as error:
        html = text.lstrip()[:1] == "<"
        raise PayloadFault("payload_html" if html else "payload_json", ascii(str(error))[:200]) from None
    if not isinstance(content, dict):
        raise PayloadFault("payload_shape", f"a JSON {type(content).__name__}, wanted an object")
    if depth > PAYLOAD_DEPTH_MAX:
        raise PayloadFault("payload_depth", f"over {PAYLOAD_DEPTH_MAX} levels")
    if not isinstance(content.get("data"), data):
        raise PayloadFault("payload_shape", f"no {_JSON_NAMES[data]} `data`")
    return content
