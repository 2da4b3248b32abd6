"""Canonical bytes and digests: the same content is the same bytes, on every machine.

Canonical JSON is RFC 8785. Numbers are written as strings, so that no reader can lose a digit; a float is
refused. Absent fields are left out: `None` never appears. For this subset with ASCII keys the standard library
writes RFC 8785 bytes, much faster than a general implementation; a test holds the two together.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any, Final

_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def plain(content: Any) -> Any:
    """Return `content` ready for canonical JSON: integers as strings, empty (`None`) fields left out.

    Raises TypeError for a float or any other type that is not text, integer, boolean, list or object, and
    ValueError for a key that is not ASCII.

    >>> plain({"tokens": 12, "note": None, "shares": ("0.5",)})
    {'tokens': '12', 'shares': ['0.5']}
    """
    match content:
        case bool() | str():
            return content
        case int():
            return str(content)
        case dict():
            if not "".join(content).isascii():
                raise ValueError(f"keys must be ASCII: {list(content)!a}")
            return {key: plain(value) for key, value in content.items() if value is not None}
        case list() | tuple():
            return [plain(value) for value in content]
    raise TypeError(f"{type(content).__name__} has no canonical form: {content!r}")


def canonical_bytes(content: Any) -> bytes:
    """Return the canonical JSON of `content` (see `plain`), without a final newline."""
    return _ENCODER.encode(plain(content)).encode()


def sha256_hex(raw: bytes) -> str:
    """Return the sha256 of `raw`, 64 lower-case hexadecimal digits."""
    return hashlib.sha256(raw).hexdigest()


def from_base64(text: str) -> bytes:
    """Return the bytes that `text` is the base64 of; raises ValueError unless it is what an encoder writes.

    >>> from_base64("/w==")
    b'\\xff'
    """
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        raw = b""
    if not text or base64.b64encode(raw).decode() != text:
        raise ValueError(f"{len(text)} characters that are not canonical base64")
    return raw
