"""The daily cube of usage logs: of one UTC day and source the exact sums of each constituent (R-2).

A cube is what billions of requests are reduced to (`mtok.usage`), kept as evidence in the place of a response. It is
a function of the rows alone: how they are cut into files, and in which order they come, leaves no trace in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import msgspec

from mtok.calendar import format_date, parse_date
from mtok.canonical import canonical_bytes
from mtok.observations.faults import Faults
from mtok.observations.numbers import TOKENS_MAX, token_total
from mtok.observations.slugs import Slug, split_slug

FORMAT: Final = "mtok-cube-1"
CUBE_DAMAGED: Final = "cube_damaged"


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """The requests of one constituent on the day, all numbers as text.

    model : the permaslug, without `:standard` · rows : requests
    prompt_tokens, completion_tokens : sums · tokens_max : the most prompt and completion tokens of one request
    """

    model: str
    rows: str
    prompt_tokens: str
    completion_tokens: str
    tokens_max: str


class Cube(msgspec.Struct, frozen=True, kw_only=True):
    """A day of one source.

    rows : those that count · rejected : those of the day that do not, by reason · models : in order of their names
    """

    format: str = FORMAT
    source: str
    date: str
    rows: str
    rejected: dict[str, str]
    models: list[Cell]

    @property
    def canonical(self) -> bytes:
        """The cube's canonical JSON, whose sha256 a determination names."""
        return canonical_bytes(msgspec.to_builtins(self))


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
    if cube.format != FORMAT:
        raise ValueError(f"format {cube.format!r}, wanted {FORMAT!r}")
    if [cell.model for cell in cube.models] != sorted({cell.model for cell in cube.models}):
        raise ValueError("models out of order, or one twice")
    return cube


def decode_cube(raw: bytes) -> Usage:
    """Return the volumes of a cube. One that cannot be read has no rows and the fault `cube_damaged`.

    What was rejected when it was made is listed by reason.
    """
    usage = Usage()
    try:
        cube = read_cube(raw)
        usage.rows = [_row(cell) for cell in cube.models]
    except ValueError as error:
        usage.readable = False
        usage.faults.add(CUBE_DAMAGED, "", "", str(error))
        return usage
    usage.day = parse_date(cube.date)
    for reason, rows in cube.rejected.items():
        usage.faults.add(reason, "", format_date(usage.day), f"{rows} rows rejected, {cube.rows} taken")
    return usage


def _row(cell: Cell) -> tuple[str, str, str, str, int, int]:
    slug: Slug | None = split_slug(cell.model)
    prompt, completion = token_total(cell.prompt_tokens), token_total(cell.completion_tokens)
    if slug is None or prompt is None or completion is None or prompt + completion > TOKENS_MAX:
        raise ValueError(f"{cell.model!r}: {cell.prompt_tokens!r} and {cell.completion_tokens!r} tokens")
    return *slug, prompt, completion
