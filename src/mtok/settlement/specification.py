"""The contract specification: the numbers of `specification.toml`, typed, and the digest that terms name."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import cache
from importlib.resources import files
from typing import Any, Final

from mtok.canonical import sha256_hex

_FILE: Final = "specification.toml"


@dataclass(frozen=True, kw_only=True)
class Specification:
    """A contract specification; every number's unit and reason stand beside it in the file."""

    specification: str
    sha256: str
    unit: str
    currency: str
    printed_days: int
    printed_share_min: Fraction
    price_max: int
    multiplier: int
    lots_min: int
    lots_max: int
    months_ahead_max: int
    close_days: int
    run_hour: int
    slot_hours: int
    terms_hours: int
    amendments_max: int
    live_max: int
    live_per_side_max: int
    outcomes_reviewed: int
    declined_share_max: Fraction
    step_up_seconds: int
    jump: Fraction
    dispute_days: int
    resolve_days: int
    wait_days: int
    carry_days_max: int
    carry_share_max: Fraction
    agreement_days: int
    initial_share: Fraction
    initial_moves: Fraction
    move_days: int
    quantile: Fraction
    history_days: int
    moves_min: int
    unknown_share: Fraction
    maintenance_share: Fraction
    transfer_min: int
    payment_hour: int
    posting_days: int
    cure_days: int
    payment_days: int


def specification_text() -> bytes:
    """Return the file of the specification in force."""
    return (files("mtok.settlement") / _FILE).read_bytes()


@cache
def specification() -> Specification:
    """Return the specification in force."""
    return read_specification(specification_text())


def read_specification(raw: bytes) -> Specification:
    """Return the specification a file says. Raises TypeError or KeyError where it has not exactly its numbers."""
    content = tomllib.loads(raw.decode("utf-8"))
    given: dict[str, Any] = {"sha256": sha256_hex(raw)}
    for name, entry in content.items():
        if isinstance(entry, dict):
            given |= {inner: _exact(value["value"]) for inner, value in entry.items()}
        else:
            given[name] = entry
    assert {field.name for field in fields(Specification)} == given.keys(), (
        "specification.toml and its type differ"
    )
    return Specification(**given)


def _exact(value: Any) -> int | Fraction:
    return Fraction(*value) if isinstance(value, list) else int(value)
