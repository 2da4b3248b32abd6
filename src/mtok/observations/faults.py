"""Faults: what was not taken as it came, each with one code, kept and counted and never made a zero."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

FOUND_MAX: Final = 160
FAULTS_PER_CODE_MAX: Final = 1_000
FIELDS_MAX: Final = 1_000
"""The most fields that are listed by name; what is found in others is counted together."""


class Fault(NamedTuple):
    """code : reason code · place : where in the payload · subject : the record's name · found : what stood there."""

    code: str
    place: str
    subject: str
    found: str


class Faults:
    """The faults of one capture; unknown fields are counted by name and listed once."""

    def __init__(self) -> None:
        self._listed: list[Fault] = []
        self._counts: dict[str, int] = {}
        self._schema: dict[tuple[str, str, str], int] = {}

    def add(self, code: str, place: str, subject: object, found: object) -> None:
        """List one rejected record or one alarm; past 1,000 of a code they are counted, not listed."""
        count = self._counts[code] = self._counts.get(code, 0) + 1
        if count <= FAULTS_PER_CODE_MAX:
            self._listed.append(Fault(code, printable(place), printable(subject), printable(found)))

    def schema(self, code: str, field: str, found: str) -> None:
        """Count a field that is unknown or of another type; it is reported once a capture."""
        key = (code, printable(field), found)
        if len(self._schema) >= FIELDS_MAX and key not in self._schema:
            key = (code, "", f"fields past the first {FIELDS_MAX}")
        self._schema[key] = self._schema.get(key, 0) + 1

    def __iter__(self) -> Iterator[Fault]:
        yield from self._listed
        for code, count in sorted(self._counts.items()):
            if count > FAULTS_PER_CODE_MAX:
                yield Fault(code, "", "", f"{count - FAULTS_PER_CODE_MAX} more")
        for (code, field, found), count in sorted(self._schema.items()):
            yield Fault(code, field, "", f"{found} in {count} records" if count > 1 else found)


def printable(value: object) -> str:
    """Return `value` as ASCII of bounded length, whatever it contains."""
    text = value if isinstance(value, str) else repr(value)
    return ascii(text[:FOUND_MAX])[1:-1]
