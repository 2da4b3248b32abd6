"""The daily cube of usage logs: of one UTC day and source the exact sums of each constituent (R-2).

A cube is what billions of requests are reduced to (`mtok.usage`), kept as evidence in the place of a response. It is
a function of the rows alone: how they are cut into files, and in which order they come, leaves no trace in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import msgspec

from mtok.calendar import format_date, parse_date
from mtok.observations.faults import Faults
from mtok.observations.numbers import TOKENS_MAX, token_total
from mtok.observations.slugs import split_slug

FORMAT: Final = "mtok-cube-1"
CUBE_DAMAGED: Final = "cube_damaged"


COLUMNS: Final = ("model", "rows", "prompt_tokens", "completion_tokens", "tokens_max")

Row = tuple[str, str, str, str, str]
"""The requests of one constituent on the day in `COLUMNS`: its permaslug without `:standard`, how many they are, their
tokens, and the most prompt and completion tokens of one of them. Numbers are text."""


class Cube(msgspec.Struct, frozen=True, kw_only=True):
    """A day of one source.

    models : in order of their names · rejected : rows of the day that do not count, by reason · rows : those that do
    """

    columns: tuple[str, ...] = COLUMNS
    date: str
    format: str = FORMAT
    models: list[Row]
    rejected: dict[str, str]
    rows: str
    source: str

    @property
    def canonical(self) -> bytes:
        """The cube's canonical JSON, whose sha256 a determination names.

        The fields stand in order and all is ASCII text, so that the encoder writes what `canonical_bytes` would.
        """
        return msgspec.json.encode(self)


@dataclass(kw_only=True)
class Usage:
    """What a cube says. rows : (slug, author, name, variant, prompt_tokens, completion_tokens)."""

    day: int = 0
    readable: bool = True
    rows: list[tuple[str, str, str, str, int, int]] = field(default_factory=list)
    faults: Faults = field(default_factory=Faults)


_DECODER: Final = msgspec.json.Decoder(Cube)


def read_cube(raw: bytes) -> Cube:
    """Return a cube from its canonical JSON. Raises ValueError saying what is wrong with anything else."""
    try:
        cube = _DECODER.decode(raw)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from None
    parse_date(cube.date)
    if (cube.format, cube.columns) != (FORMAT, COLUMNS):
        raise ValueError(
            f"format {cube.format!r} with columns {cube.columns}, wanted {FORMAT!r} with {COLUMNS}"
        )
    names = [row[0] for row in cube.models]
    if names != sorted(set(names)):
        raise ValueError("models out of order, or one twice")
    return cube


def decode_cube(raw: bytes) -> Usage:
    """Return the volumes of a cube. One that cannot be read has no rows and the fault `cube_damaged`.

    What was rejected when it was made is listed by reason.
    """
    usage = Usage()
    try:
        cube = read_cube(raw)
        usage.rows = [_volumes(row) for row in cube.models]
    except ValueError as error:
        usage.readable = False
        usage.faults.add(CUBE_DAMAGED, "", "", str(error))
        return usage
    usage.day = parse_date(cube.date)
    for reason, rows in cube.rejected.items():
        usage.faults.add(reason, "", format_date(usage.day), f"{rows} rows rejected, {cube.rows} taken")
    return usage


def _volumes(row: Row) -> tuple[str, str, str, str, int, int]:
    model, _, prompt_text, completion_text, _ = row
    slug, prompt, completion = split_slug(model), token_total(prompt_text), token_total(completion_text)
    if slug is None or prompt is None or completion is None or prompt + completion > TOKENS_MAX:
        raise ValueError(f"{model!r}: {prompt_text!r} and {completion_text!r} tokens")
    return *slug, prompt, completion
