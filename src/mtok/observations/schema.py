"""The fields upstream's objects are known to have: what is new or has another type is reported, never refused."""

from __future__ import annotations

from functools import lru_cache
from types import NoneType
from typing import Any, Final

from mtok.observations.faults import Faults
from mtok.observations.payload import RealNumber

TEXT: Final = (str,)
WHOLE: Final = (int,)
NUMBER: Final = (int, RealNumber)
TRUTH: Final = (bool,)
MANY: Final = (list,)
FIELDS: Final = (dict,)


class Shape:
    """The fields of one kind of object, each with its types where it is not null. prefix : its place in a payload."""

    __slots__ = ("fields", "prefix")

    def __init__(self, prefix: str, fields: dict[str, tuple[type, ...]]) -> None:
        self.prefix = prefix
        self.fields = fields

    def check(self, found: dict[str, Any], faults: Faults) -> None:
        """Count every field of `found` that is unknown (`schema_unknown`) or of another type (`schema_type`)."""
        for code, name, kind in _defects(self, tuple(found), tuple(map(type, found.values()))):
            faults.schema(code, self.prefix + name, kind)


@lru_cache(maxsize=4096)
def _defects(shape: Shape, names: tuple[str, ...], types: tuple[type, ...]) -> list[tuple[str, str, str]]:
    """Return what is unknown or of another type in an object of these fields; a response has few kinds of them."""
    known = shape.fields
    return [
        ("schema_type" if name in known else "schema_unknown", name, found.__name__)
        for name, found in zip(names, types, strict=True)
        if name not in known or (found is not NoneType and found not in known[name])
    ]
