"""What is said of the requirements of ASVS 5.0.0: each is named once, and what is met is shown by a test there is."""

from __future__ import annotations

import ast
import csv
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

with (ROOT / "docs" / "security" / "asvs.csv").open(encoding="utf-8", newline="") as _file:
    ROWS = list(csv.DictReader(_file))

ASSESSED = [row for row in ROWS if row["status"] != "not assessed"]

REQUIREMENTS = {
    "6.1": 3,
    "6.2": 12,
    "6.3": 4,
    "6.4": 4,
    "6.5": 5,
    "6.6": 3,
    "6.8": 4,
    "7.1": 3,
    "7.2": 4,
    "7.3": 2,
}
REQUIREMENTS |= {"7.4": 5, "7.5": 2, "7.6": 2, "8.1": 2, "8.2": 3, "8.3": 1, "8.4": 1}
"""How many of levels 1 and 2 a section has, counted in OWASP's own table of 5.0.0; 6.7 has none."""

LEVEL_3 = {"2.3.5", "6.3.8", "7.5.3", "8.3.2", "14.2.6", "15.4.2"}
"""What beyond levels 1 and 2 a venue has set itself."""


@cache
def names_in(path: str) -> frozenset[str]:
    """Return the names of the tests in a file."""
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("row", ASSESSED, ids=lambda row: row["id"])
def test_what_is_met_is_shown_by_a_test(row: dict[str, str]) -> None:
    allowed = {"yes": {"met", "partly", "open"}, "no": {"none"}}
    assert row["status"] in allowed[row["applies"]]
    assert bool(row["test"]) == (row["status"] in ("met", "partly"))
    assert row["where"]
    if row["test"]:
        path, name = row["test"].split("::")
        assert name in names_in(path), f"{row['id']}: {row['test']} is no test"


def test_every_requirement_of_the_assessed_chapters_is_named_once() -> None:
    ids = [row["id"] for row in ASSESSED]
    assert len(ids) == len(set(ids))
    counted: dict[str, int] = {}
    for row in ASSESSED:
        assert re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", row["id"])
        if row["level"] in ("1", "2"):
            section = row["id"].rpartition(".")[0]
            counted[section] = counted.get(section, 0) + 1
    assert counted == REQUIREMENTS
    assert {row["id"] for row in ASSESSED if row["level"] == "3"} == LEVEL_3


def test_every_other_chapter_is_said_not_to_be_assessed() -> None:
    others = [int(row["id"]) for row in ROWS if row["status"] == "not assessed"]
    assert others == [1, 2, 3, 4, 5, *range(9, 18)]
