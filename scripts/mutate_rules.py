"""Mutation test of the rules: every small change of a rule's SQL must be noticed by the generated markets, and those
of SQL and parameters by the golden bundle alone.

usage: mutate_rules.py [--seeds N] [--golden]

Each mutant is run on one generated market (or fixing date of the bundle) after the other until its records differ from
the reference (from the frozen ones) or cannot be made at all: killed. The digests of rules and parameters, which every
record names, stay those of the version: a mutant is killed for what it computes and for nothing else. Survivors are
printed with their line; `docs/evidence/` argues each of them.
"""

from __future__ import annotations

import argparse
import copy
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
from golden_bundle import GOLDEN, Case, case_names, read_case
from markets import expected, expected_summary, make_store, rests_on_its_captures, summary
from mtok import day
from mtok.archive import Store
from mtok.calendar import format_date
from mtok.determination.folder import Determinations
from mtok.errors import MtokError
from mtok.methodology import Methodology, Parameters, Rule, load
from mtok.publication import facts_evidence

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


FAILURES = (MtokError, duckdb.Error, ArithmeticError, AssertionError, LookupError, TypeError, ValueError)
"""How a mutant shows that it cannot be run."""


def rule_mutants(version: Methodology) -> Iterator[tuple[str, Methodology]]:
    """Yield (what was changed, the version with it) for every mutant of every rule."""
    for number, rule in enumerate(version.rules):
        for line, what, mutant in mutants(rule):
            rules = (*version.rules[:number], mutant, *version.rules[number + 1 :])
            yield f"{rule.file}:{line}  {what}", replace(version, rules=rules)


def parameter_mutants(version: Methodology) -> Iterator[tuple[str, Methodology]]:
    """Yield the version with each number of its parameters one unit up or down, and without each text of a list."""
    content = version.parameters._content
    for section, entries in content.items():
        for name, entry in entries.items() if isinstance(entries, dict) else ():
            value = entry["value"]
            changed: list[Any] = [value + 1, value - 1] if isinstance(value, int) else []
            for place in range(len(value)) if isinstance(value, list) else ():
                head, one, tail = value[:place], value[place], value[place + 1 :]
                if isinstance(one, int):
                    changed += [[*head, one + 1, *tail], *([[*head, one - 1, *tail]] if one > 1 else [])]
                else:
                    changed.append([*head, *tail])
            for other in changed:
                again = copy.deepcopy(content)
                again[section][name]["value"] = other
                what = f"parameters {section}.{name}  [{value} -> {other}]"
                yield what, replace(version, parameters=Parameters(again))


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
            except FAILURES:
                return False
        found = records(self.store)
        agrees = self.wanted == {key: summary(record) for key, record in found.items()}
        return agrees and all(rests_on_its_captures(record) for record in found.values())


class Golden:
    """A fixing date of the golden bundle."""

    def __init__(self, case: Case) -> None:
        self._case = case

    def agrees(self, methodology: Methodology) -> bool:
        """Whether a version gives the frozen records, to the byte."""
        with patch.object(facts_evidence, "load", lambda _: methodology):
            try:
                found = facts_evidence.redetermine(self._case.facts, self._case.before)
            except FAILURES:
                return False
        return [record.canonical for record in found] == self._case.records


def records(store: Store) -> dict[tuple[str, str], Any]:
    """Return the records of a store by series and date."""
    found = Determinations(store, "1.0")
    return {(record.series, record.date): record for name in found.series() for record in found.read(name)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--golden", action="store_true", help="on the golden bundle instead of markets")
    options = parser.parse_args()
    version = load("1.0")
    killed = 0
    survivors = []
    with tempfile.TemporaryDirectory() as folder:
        judges: list[Market | Golden] = []
        if options.golden:
            cases = [read_case(GOLDEN / "1.0", name) for name in case_names(GOLDEN / "1.0")]
            cases.sort(key=lambda case: (case.market != "rungs", len(case.before["openai"]) == 0))
            judges += map(Golden, cases)
        else:
            judges += (Market(seed, Path(folder)) for seed in range(options.seeds))
        assert all(one.agrees(version) for one in judges)
        changes = [*rule_mutants(version), *(parameter_mutants(version) if options.golden else ())]
        for what, changed in changes:
            if all(one.agrees(changed) for one in judges):
                survivors.append(what)
                print("survived", what, flush=True)
            else:
                killed += 1
    judged = "the golden bundle" if options.golden else f"{options.seeds} generated markets"
    print(f"{killed} of {killed + len(survivors)} mutants killed by {judged}")


if __name__ == "__main__":
    main()
