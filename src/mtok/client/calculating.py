"""Every number of a record against the same number calculated again, with the place of the first that differs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mtok.client.arithmetic import Day, Parameters
from mtok.client.content import first_difference
from mtok.client.findings import Findings
from mtok.client.links import Links
from mtok.records import PublishedRecord


def check_arithmetic(
    record: PublishedRecord,
    content: Mapping[str, Any],
    parameters: Parameters,
    links: Links,
    path: str,
    findings: Findings,
) -> None:
    """Compare what a record says with what follows from it, the parameters and the records before it.

    content : the record as its file has it. One finding a group of fields, at the first that differs.
    """
    day = Day(record, parameters)
    findings.count("records calculated")

    def compare(code: str, expected: Mapping[str, Any], *names: str) -> None:
        """Compare `expected` with the fields it has and those of `names`, which must not be there otherwise."""
        found = {name: content[name] for name in (*expected, *names) if name in content}
        if difference := first_difference(expected, _like(expected, found)):
            findings.add(code, f"{path}, {difference[0]}", difference[1])

    compare("value_differs", day.value(), "n", "value")
    constituents = {name: rows for name, rows in day.constituents().items() if rows or name in content}
    compare("constituents_differ", constituents)
    for wrong in day.names():
        findings.add("constituents_differ", f"{path}, constituents", wrong)
        break
    given = content.get("diagnostics", {})
    if difference := first_difference(day.diagnostics(), given, "diagnostics"):
        findings.add("diagnostics_differ", f"{path}, {difference[0]}", difference[1])
    compare("quality_differs", day.quality)
    if not links.calculable:
        findings.count("records not compared with earlier ones")
        return
    earlier = links.earlier()
    compare("earlier_differs", {"earlier": earlier} if earlier else {}, "earlier")
    compare("averages_differ", links.averages(), "average_7d", "average_30d")
    index, notes = links.index()
    compare("index_differs", index, "price_index", "price_index_exact")
    compare("notes_differ", {"notes": notes})
    move = links.move()
    compare("move_differs", {"move": move} if move else {}, "move")


def _like(expected: Any, found: Any) -> Any:
    """Return `found` with, of the objects in lists, only the fields that `expected` has there."""
    if not isinstance(expected, Mapping) or not isinstance(found, Mapping):
        return found
    return {
        name: [_narrowed(one, other) for one, other in zip(expected[name], value, strict=True)]
        if name in _NARROWED and isinstance(value, list) and len(value) == len(expected.get(name, ()))
        else value
        for name, value in found.items()
    }


_NARROWED = {"constituents", "absent", "left_out", "conflicts"}


def _narrowed(expected: Any, found: Any) -> Any:
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        return {name: found[name] for name in expected if name in found}
    return found
