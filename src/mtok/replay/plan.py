"""Faults as JSON: the plan file of `mtok replay`, and the same list over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from mtok.calendar import format_instant, parse_instant
from mtok.errors import BadCall, BadInput
from mtok.replay.faults import EVERYWHERE, Fault

PLAN_BYTES_MAX: Final = 2**20
_REMEDY: Final = (
    'Write a list of objects such as {"name": "http_500", "on": "models", "first": "2026-06-20T00:00:00Z", '
    '"times": 3}; docs/replay.md names every fault and its value.'
)


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    on: str = EVERYWHERE
    first: str | None = None
    last: str | None = None
    times: int | None = None
    value: int | str | None = None


_DECODER: Final = msgspec.json.Decoder(list[_Line])


def read_plan(path: Path) -> list[Fault]:
    """Return the faults of a plan file. Raises BadInput `replay_plan` saying what is wrong and where."""
    try:
        with path.open("rb") as file:
            raw = file.read(PLAN_BYTES_MAX + 1)
    except OSError as error:
        found = f"plan {path} cannot be read: {error.strerror}"
        raise BadInput("replay_plan", found, "Name a readable file.") from None
    return read_faults(raw, f"plan {path}")


def read_faults(raw: bytes, shown: str) -> list[Fault]:
    """Return the faults of a JSON list. Raises BadInput `replay_plan`; `shown` is what it calls the list."""
    if len(raw) > PLAN_BYTES_MAX:
        raise BadInput("replay_plan", f"{shown} is over {PLAN_BYTES_MAX} bytes", "Plan fewer faults.")
    try:
        lines = _DECODER.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput("replay_plan", f"{shown} is no list of faults: {error}", _REMEDY) from None
    faults = []
    for number, line in enumerate(lines):
        try:
            faults.append(
                Fault(line.name, line.on, _instant(line.first), _instant(line.last), line.times, line.value)
            )
        except BadCall as error:
            raise BadInput("replay_plan", f"{shown}, fault {number}: {error.found}", error.remedy) from None
        except ValueError as error:
            raise BadInput("replay_plan", f"{shown}, fault {number}: {error}", _REMEDY) from None
    return faults


def fault_fields(fault: Fault) -> dict[str, Any]:
    """Return a fault as it stands in a plan, what is None left out."""
    fields = {
        "name": fault.name,
        "on": fault.on,
        "first": None if fault.first is None else format_instant(fault.first),
        "last": None if fault.last is None else format_instant(fault.last),
        "times": fault.times,
        "value": fault.value,
    }
    return {key: value for key, value in fields.items() if value is not None}


def _instant(text: str | None) -> int | None:
    return None if text is None else parse_instant(text)
