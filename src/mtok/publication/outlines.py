"""A published record without its lists: all that a point and a feed say of it, for a small part of the work.

Each publication looks at every record there is, and constituents and captures are nearly all of a record's bytes.
They are passed over while decoding, not decoded and thrown away.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec.structs import asdict

from mtok.records import Inputs, Move, PublishedRecord

_LISTS: Final = frozenset(
    "constituents left_out conflicts discarded absent without_volume earlier captures seen endpoints".split()
)
"""The fields that an outline has empty, of the record, its inputs and its move."""


def _outline(kind: type[msgspec.Struct], **types: Any) -> type[msgspec.Struct]:
    """Return `kind` without the lists. types : of fields that are outlines themselves"""
    fields: list[Any] = []
    for field in msgspec.structs.fields(kind):
        if field.name not in _LISTS:
            default: tuple[Any, ...] = () if field.required else (field.default,)
            if default == (msgspec.NODEFAULT,):
                default = (msgspec.field(default_factory=field.default_factory),)
            fields.append((field.name, types.get(field.name, field.type), *default))
    return msgspec.defstruct(f"{kind.__name__}Outline", fields, kw_only=True)


_Inputs: Final = _outline(Inputs)
_Move: Final = _outline(Move)
_DECODER: Final = msgspec.json.Decoder(
    _outline(PublishedRecord, inputs=_Inputs, move=_Move | None), strict=False
)


def decode_outline(raw: bytes) -> PublishedRecord:
    """Return the published record in canonical JSON, its lists empty. Raises msgspec.MsgspecError for anything else."""
    found: Any = _DECODER.decode(raw)
    move = found.move and Move(**asdict(found.move))
    fields = asdict(found) | {"inputs": Inputs(**asdict(found.inputs), captures=(), seen=()), "move": move}
    return PublishedRecord(**fields, constituents=())


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """How much of the weight a constituent has, as its record says."""

    constituent: str
    weight_share: str


class _Shares(msgspec.Struct):
    constituents: tuple[Share, ...]


_SHARES: Final = msgspec.json.Decoder(_Shares, strict=False)


def decode_shares(raw: bytes) -> tuple[Share, ...]:
    """Return the shares of the constituents alone. Raises msgspec.MsgspecError for what is no record."""
    return _SHARES.decode(raw).constituents
