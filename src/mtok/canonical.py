"""Canonical bytes and digests: the same content is the same bytes, on every machine.

Canonical JSON is RFC 8785. Numbers are written as strings, so that no reader can lose a digit; a float is
refused. Absent fields are left out: `None` never appears.
"""

from __future__ import annotations

import hashlib
from typing import Any

import rfc8785


def plain(content: Any) -> Any:
    """Return `content` ready for canonical JSON: integers as strings, empty (`None`) fields left out.

    Raises TypeError for a float or any other type that is not text, integer, boolean, list or object.

    >>> plain({"tokens": 12, "note": None, "shares": ("0.5",)})
    {'tokens': '12', 'shares': ['0.5']}
    """
    match content:
        case bool() | str():
            return content
        case int():
            return str(content)
        case dict():
            return {key: plain(value) for key, value in content.items() if value is not None}
        case list() | tuple():
            return [plain(value) for value in content]
    raise TypeError(f"{type(content).__name__} has no canonical form: {content!r}")


def canonical_bytes(content: Any) -> bytes:
    """Return the canonical JSON of `content` (see `plain`), without a final newline."""
    return rfc8785.dumps(plain(content))


def sha256_hex(raw: bytes) -> str:
    """Return the sha256 of `raw`, 64 lower-case hexadecimal digits."""
    return hashlib.sha256(raw).hexdigest()
