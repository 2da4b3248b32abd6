"""Documentation cannot rot: what it names exists, and what exists is named."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path

import msgspec
import pytest

from mtok import records
from mtok.observations.tables import TABLES
from mtok.watch.codes import CODES
from state_tables import filled

ROOT = Path(__file__).parents[1]
RULEBOOK = ROOT / "src" / "mtok" / "methodology" / "v1" / "rulebook.md"
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", RULEBOOK, *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text()):
        assert target.startswith("http") or (path.parent / target).exists(), target


def test_every_make_target_of_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)", (ROOT / "README.md").read_text()))
    assert named <= targets
    assert {"demo", "test"} <= named


def test_every_field_of_a_record_is_described() -> None:
    documents = [(ROOT / "docs" / name).read_text() for name in ("records.md", "formats.md")]
    described = set(re.findall(r"`([a-z0-9_]+)`", "".join(documents)))
    structs = [
        item
        for item in vars(records).values()
        if isinstance(item, type) and issubclass(item, msgspec.Struct) and not item.__name__.startswith("_")
    ]
    r9 = {field.name for field in msgspec.structs.fields(records.Diagnostics)}
    names = set(chain.from_iterable(struct.__struct_fields__ for struct in structs)) - r9
    assert names <= described, names - described


def test_every_field_of_r_9_is_in_the_rulebook_or_described() -> None:
    text = RULEBOOK.read_text() + (ROOT / "docs" / "records.md").read_text()
    names = {field.name for field in msgspec.structs.fields(records.Diagnostics)}
    assert names <= set(re.findall(r"`([a-z0-9_]+)`", text))


@pytest.mark.parametrize("name", ["settlement.md", "market.md"])
def test_tables_of_states_are_those_the_program_runs_on(name: str) -> None:
    """`scripts/make_tables.py` writes them again."""
    page = (ROOT / "docs" / name).read_text("utf-8")
    assert page.count("<!-- table: ") >= 1
    assert filled(page) == page


def test_every_refusal_of_settlement_and_market_is_described_and_no_other() -> None:
    parts = ("settlement", "market")
    modules = [path for part in parts for path in (ROOT / "src" / "mtok" / part).glob("*.py")]
    raised = {
        code for path in modules for code in re.findall(r'Refused\(\s*"(\w+)"', path.read_text("utf-8"))
    }
    pages = [(ROOT / "docs" / f"{part}.md").read_text("utf-8") for part in parts]
    listed = "".join(page.split("## What is refused")[1].split("`mtok.market.conduct`")[0] for page in pages)
    assert raised == set(re.findall(r"`([a-z_]+)`", listed)) - {"quality", "jump"}


def test_every_refusal_about_accounts_is_described_and_no_other() -> None:
    modules = (ROOT / "src" / "mtok" / "venue" / "accounts").rglob("*.py")
    source = "".join(path.read_text("utf-8") for path in modules)
    raised = set(re.findall(r'Refused\(\s*"(\w+)"', source))
    raised |= set(re.findall(r'\(Role\.\w+, "(\w+_alone)"\)', source))
    lapses = source.split("LAPSES: Final = {")[1].split("\n}")[0]
    raised |= set(re.findall(r'^    "(\w+)":', lapses, re.MULTILINE))
    shared = {"same_person", "step_up"}  # raised by guards of mtok.settlement
    text = (ROOT / "docs" / "roles.md").read_text("utf-8").split("## What is refused")[1]
    assert raised | shared == set(re.findall(r"`([a-z_]+)`", text))


def test_every_kind_of_change_and_every_role_is_described() -> None:
    from mtok.settlement.people import Role

    text = (ROOT / "docs" / "roles.md").read_text("utf-8")
    kinds = (ROOT / "src" / "mtok" / "venue" / "accounts" / "kinds.py").read_text("utf-8")
    table = text.split("## Changes that take two")[1].split("## Organisations")[0]
    changes = set(re.findall(r'^    "(\w+)": Kind\(', kinds, re.MULTILINE))
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert changes == set(re.findall(r"`(\w+)`", "".join(rows)))
    assert {role.value for role in Role} <= set(re.findall(r"`(\w+)`", text.split("## Who may not")[0]))


def test_every_observation_table_and_column_is_described() -> None:
    text = (ROOT / "docs" / "observations.md").read_text()
    for name, columns in TABLES.items():
        row = next(line for line in text.splitlines() if line.startswith(f"| `{name}` |"))
        assert [re.sub(r" \(.*", "", part).strip() for part in row.split("|")[3].split(",")] == list(columns)


def test_every_file_of_the_rulebook_exists() -> None:
    source = ROOT / "src" / "mtok"
    table = RULEBOOK.read_text().split("## Which file does what")[1]
    for name in re.findall(r"`([\w./-]+\.(?:sql|py))`", table.split("## Readings")[0]):
        rule = name.removeprefix("rules/")
        places = [ROOT / name, source / name, source / "methodology" / "v1" / "rules" / rule]
        assert any(place.exists() for place in places), name


def test_every_rule_file_stands_in_the_rulebook() -> None:
    table = RULEBOOK.read_text()
    for path in (ROOT / "src" / "mtok" / "methodology" / "v1" / "rules").glob("*.sql"):
        assert path.name in table, path.name


def test_every_fault_of_the_venue_has_an_outcome_and_a_test_that_exists() -> None:
    text = (ROOT / "docs" / "venue.md").read_text("utf-8").split("## Bad input and faults")[1]
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 30
    for row in rows:
        assert len(row) == 3, row
        named = re.findall(r"`(tests/test_\w+\.py)::(test_\w+)`", row[2])
        assert named, row
        for path, function in named:
            source = (ROOT / path).read_text("utf-8")
            assert re.search(rf"^def {function}\(", source, re.MULTILINE), (path, function)


# ---- which fault is shown where

EVIDENCE = (ROOT / "docs" / "evidence" / "fuzzing.md").read_text("utf-8")
OF_TABLES = {"as_of_unreadable", "id_unknown", "partial_day", "variant_conflict", "variants_summed"}
"""Codes of rows of imported tables (docs/tables.md), which no response can get."""
OF_USAGE = {
    *(
        "rows_rejected",
        "partition_twice",
        "usage_file_gone",
        "usage_changed",
        "usage_unreadable",
        "usage_schema",
    ),
    *(
        "ts_without_zone",
        "ts_range",
        "model_missing",
        "tokens_missing",
        "tokens_negative",
        "tokens_not_integer",
    ),
    *("tokens_absurd", "cube_damaged"),
}
"""Codes of usage logs (docs/usage.md), which no response can get."""


def test_every_fixture_and_test_that_shows_a_fault_exists() -> None:
    shown = EVIDENCE.split("## Which fault is shown where")[1]
    fixtures = re.findall(r"`((?:models|rankings|endpoints|unknown)/[\w.]+\.(?:json|gz))`", EVIDENCE)
    tests = re.findall(r"`(test_\w+)::(test_\w+)`", EVIDENCE)
    assert len(fixtures) > 80
    assert not [name for name in fixtures if not (ROOT / "tests" / "faults" / name).is_file()]
    for module, function in tests:
        assert f"def {function}(" in (ROOT / "tests" / f"{module}.py").read_text("utf-8"), function
    rows = [line for line in shown.splitlines() if line.startswith("| ") and not line.startswith("|---")]
    assert all(re.search(r"\.json`|\.gz`|::test_|\| shown by \|", row) for row in rows)


def test_every_code_of_an_alarm_is_shown_somewhere() -> None:
    table = EVIDENCE.split("| fault | code | shown by |\n|---|---|---|\n")[1].split("\n\n")[0]
    codes = {code for row in table.splitlines() for code in re.findall(r"`(\w+)`", row.split(" | ")[1])}
    assert codes == CODES.keys() - OF_TABLES - OF_USAGE


def test_every_code_of_usage_logs_is_described_and_shown_by_a_test() -> None:
    text = (ROOT / "docs" / "usage.md").read_text("utf-8")
    reasons = set(re.findall(r"`(\w+)`", text.split("## What is refused")[1])) - {
        "day",
        "date",
        "dt",
        "overflow",
    }
    assert reasons >= OF_USAGE - {"cube_damaged"}
    shown = "".join(path.read_text("utf-8") for path in (ROOT / "tests").glob("test_usage_*.py"))
    assert not [code for code in reasons | OF_USAGE if f'"{code}"' not in shown]


def test_the_evidence_counts_the_files_there_are() -> None:
    files = [path for path in (ROOT / "tests" / "faults").rglob("*") if path.is_file()]
    assert f"The files are {len(files)}," in EVIDENCE
