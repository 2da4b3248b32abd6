"""Mutation test of the rules: every small change of a rule's SQL must be noticed by the generated markets.

usage: mutate_rules.py [--seeds N]

Each mutant is run on one generated market after the other until its records differ from the reference (killed) or
cannot be made at all (killed). Survivors are printed with their line; `docs/evidence/` argues each of them.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from generated import DAYS, FIRST_DAY, market
from markets import expected, expected_summary, make_store, rests_on_its_captures, summary
from mtok import day
from mtok.archive import Store
from mtok.calendar import format_date
from mtok.determination.folder import Determinations
from mtok.errors import MtokError
from mtok.methodology import Methodology, Rule, load

SWAPS = (
    (r"<=", "<"),
    (r">=", ">"),
    (r"(?<![<>])>(?![=])", ">="),
    (r"(?<![<>])<(?![=>])", "<="),
    (r"<>", "="),
    (r"(?<![<>=])=(?!=)", "<>"),
    (r"\bMAX\(", "MIN("),
    (r"\bMIN\(", "MAX("),
    (r" DESC\b", ""),
    (r"\bAND\b", "OR"),
    (r"\bBETWEEN 1 AND\b", "BETWEEN 0 AND"),
    (r"\bLEFT JOIN\b", "JOIN"),
    (r"\bIS NOT NULL\b", "IS NULL"),
    (r"\bIS NULL\b", "IS NOT NULL"),
    (r" \+ ", " - "),
    (r" - ", " + "),
    (r" \* ", " + "),
    (r"\b1\b", "2"),
    (r"(?<!, )\b0\b", "1"),
    (r"\b86400\b", "86399"),
    (r"\bUNION ALL\b", "EXCEPT"),
    (r"\bNOT eligibility", "eligibility"),
    (r"'(\w+)'", "'x'"),
)


def mutants(rule: Rule) -> Iterator[tuple[int, str, Rule]]:
    """Yield (line, what was changed, the mutant) for every swap at every place outside comments."""
    for pattern, other in SWAPS:
        for match in re.finditer(pattern, rule.text):
            line = rule.text.count("\n", 0, match.start()) + 1
            source = rule.text.splitlines()[line - 1]
            if source.lstrip().startswith("--"):
                continue
            text = rule.text[: match.start()] + other + rule.text[match.end() :]
            yield (
                line,
                f"{source.strip()}  [{match.group()} -> {other or 'nothing'}]",
                rule._replace(text=text),
            )


class Market:
    """A store of one generated market and what the reference says of it, both made once."""

    def __init__(self, seed: int, folder: Path) -> None:
        taken = market(seed)
        self.store = make_store(folder / f"store-{seed}", taken)
        captures = [one.capture() for one in taken]
        found = expected(captures, format_date(FIRST_DAY), format_date(FIRST_DAY + DAYS - 1))
        self.wanted = {key: expected_summary(record) for key, record in found.items()}

    def agrees(self, methodology: Methodology) -> bool:
        """Whether a version gives what the reference says."""
        with patch.object(day, "load", lambda _: methodology):
            try:
                day.determine_days(self.store, first_day=FIRST_DAY, last_day=FIRST_DAY + DAYS - 1)
            except (
                MtokError,
                duckdb.Error,
                ArithmeticError,
                AssertionError,
                LookupError,
                TypeError,
                ValueError,
            ):
                return False
        found = records(self.store)
        agrees = self.wanted == {key: summary(record) for key, record in found.items()}
        return agrees and all(rests_on_its_captures(record) for record in found.values())


def records(store: Store) -> dict[tuple[str, str], Any]:
    """Return the records of a store by series and date."""
    found = Determinations(store, "1.0")
    return {(record.series, record.date): record for name in found.series() for record in found.read(name)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=40)
    options = parser.parse_args()
    version = load("1.0")
    killed = 0
    survivors = []
    with tempfile.TemporaryDirectory() as folder:
        markets = [Market(seed, Path(folder)) for seed in range(options.seeds)]
        assert all(one.agrees(version) for one in markets)
        for number, rule in enumerate(version.rules):
            for line, what, mutant in mutants(rule):
                rules = (*version.rules[:number], mutant, *version.rules[number + 1 :])
                changed = replace(version, rules=rules)
                if all(one.agrees(changed) for one in markets):
                    survivors.append(f"{rule.file}:{line}  {what}")
                    print("survived", survivors[-1], flush=True)
                else:
                    killed += 1
    print(f"{killed} of {killed + len(survivors)} mutants killed by {options.seeds} generated markets")


if __name__ == "__main__":
    main()
