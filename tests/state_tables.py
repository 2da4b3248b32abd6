"""The tables of docs/settlement.md and docs/market.md, made from the tables the program runs on."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence

from mtok.market.book import MACHINES
from mtok.market.reveal import TABLE
from mtok.settlement.machines import NEW, Machine
from mtok.settlement.marks import MACHINE as MARKS
from mtok.settlement.specification import specification_text


def tables() -> dict[str, str]:
    """Return every table as Markdown, by name."""
    machines = {machine.name: machine_table(machine) for machine in (MARKS, *MACHINES.values())}
    return machines | {"reveal": reveal_table(), "specification": specification_table()}


def machine_table(machine: Machine) -> str:
    """Return the states of a machine: who may take it from where to where, and what has to hold."""
    rows = [
        (
            "–" if row.state == NEW else f"`{row.state}`",
            f"`{row.command}`",
            " or ".join(f"`{state}`" for state in row.to),
            ", ".join(f"`{role}`" for role in row.who),
            row.guard,
        )
        for row in machine.rows
    ]
    return table(("from", "command", "to", "who", "what has to hold"), rows)


def reveal_table() -> str:
    """Return who sees which fields of what."""
    rows = [
        (
            row.kind,
            row.relation,
            ", ".join(f"`{state}`" for state in row.states),
            ", ".join(f"`{one}`" for one in row.fields),
        )
        for row in TABLE
    ]
    return table(("of a", "seen by", "in state", "fields"), rows)


def specification_table() -> str:
    """Return the numbers of the contract specification with their units and reasons."""
    content = tomllib.loads(specification_text().decode("utf-8"))
    rows = [
        (section, f"`{name}`", number(entry["value"]), entry["unit"], entry["reason"])
        for section, entries in content.items()
        if isinstance(entries, dict)
        for name, entry in entries.items()
    ]
    return table(("part", "number", "value", "unit", "reason"), rows)


def number(value: int | list[int]) -> str:
    """Return a number as it stands in the file."""
    return f"{value:,}" if isinstance(value, int) else "/".join(map(str, value))


def table(names: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a table in Markdown."""
    lines = [names, tuple("---" for _ in names), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def filled(page: str) -> str:
    """Return a page with its tables as they are now."""
    made = tables()
    pattern = r"(<!-- table: (\w+) -->\n).*?(\n?<!-- end -->)"
    return re.sub(pattern, lambda found: f"{found[1]}{made[found[2]]}\n<!-- end -->", page, flags=re.DOTALL)
