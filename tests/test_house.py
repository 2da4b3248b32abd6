"""The rules of the house that a machine can hold: no float, no clock, frozen versions, SQL any engine reads.

Each check is a function of a source text, tried on a text that breaks the rule before it is believed of the code.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

import mtok
from mtok.determination import inputs
from mtok.engine import EmbeddedEngine
from mtok.methodology import registry
from mtok.methodology.registry import VERSIONS, Rule, Version
from mtok.observations import numbers, payload, rankings
from mtok.observations.tables import TABLES
from mtok.publication import marks as publication_marks
from mtok.settlement.specification import specification
from mtok.sources import files

SOURCE = Path(mtok.__file__).parent
ROOT = Path(__file__).parents[1]

EXACT = sorted(
    path for path in SOURCE.rglob("*.py") if not {"cli", "venue"} & set(path.relative_to(SOURCE).parts)
)
"""Every module below the command line and the pages."""

OUTWARD = [SOURCE / "sources" / name for name in ("attempts.py", "openrouter.py")]
"""The modules that ask a server: their answers are archived, and only the archive is an argument of anything."""

TIMELESS = [
    path
    for name in (
        "archive observations sources methodology engine determination publication settlement market bill lab "
        "records.py points.py canonical.py quantities.py calendar.py proofs.py notes.py errors.py"
    ).split()
    for path in ([SOURCE / name] if name.endswith(".py") else sorted((SOURCE / name).rglob("*.py")))
    if path not in OUTWARD
]
"""Every module whose results may depend on nothing but its arguments and the store (R-12)."""


def name(path: Path) -> str:
    """Return a module's path as it is written in messages."""
    return path.relative_to(SOURCE).as_posix()


# ---- no float, no clock

INEXACT = {"numpy", "pandas", "statistics", "cmath", "math"}
"""Modules of floats; of `math` the integer root is exact."""

JSON_READERS = {"json.load", "json.loads", "json.JSONDecoder"}
"""They make floats unless told otherwise."""

OUTSIDE = set("time random secrets uuid locale zoneinfo platform getpass socket urllib http".split())
ASKING = set("now today utcnow fromtimestamp environ getenv urandom strftime strptime expanduser".split())
"""Modules and names that ask for the time, for chance, or for how the machine is set up."""


def imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and full name of everything imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def floats(source: str) -> list[str]:
    """Return what in a source could make a float: literals, the type, mathematics, JSON read without care."""
    tree = ast.parse(source)
    found = []
    for line, full_name in imported(tree):
        if full_name.split(".")[0] in INEXACT and full_name != "math.isqrt":
            found.append(f"line {line}: import of {full_name}")
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
            found.append(f"line {node.lineno}: literal {node.value!r}")
        elif isinstance(node, ast.Name) and node.id in {"float", "complex"}:
            found.append(f"line {node.lineno}: {node.id}")
        elif isinstance(node, ast.Attribute) and re.fullmatch(r"float\d*|double|as_integer_ratio", node.attr):
            found.append(f"line {node.lineno}: .{node.attr}")
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in JSON_READERS:
            given = {keyword.arg for keyword in node.keywords}
            if not given >= {"parse_float", "parse_constant"}:
                found.append(f"line {node.lineno}: {ast.unparse(node.func)} makes floats")
    return found


def outside_world(source: str) -> list[str]:
    """Return what in a source could ask for the time, for chance, or for how the machine is set up."""
    tree = ast.parse(source)
    found = [
        f"line {line}: import of {full_name}"
        for line, full_name in imported(tree)
        if full_name.split(".")[0] in OUTSIDE or full_name.split(".")[-1] in ASKING
    ]
    return found + [
        f"line {node.lineno}: .{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in ASKING
    ]


@pytest.mark.parametrize("path", EXACT, ids=name)
def test_no_float_below_the_command_line(path: Path) -> None:
    """Rule 7: exact integers and fractions; JSON numbers become text or int, never float."""
    assert not floats(path.read_text("utf-8"))


@pytest.mark.parametrize("path", TIMELESS, ids=name)
def test_no_clock_chance_environment_or_locale_in_the_rules(path: Path) -> None:
    """R-12: the same inputs are the same bytes; the fixing date comes from the inputs, never from the clock."""
    assert not outside_world(path.read_text("utf-8"))


@pytest.mark.parametrize(
    "source",
    [
        "half = 0.5",
        "x = 1e3",
        "x = 1j",
        "x = float(y)",
        "def f(x: float) -> int: ...",
        "isinstance(x, int | float)",
        "import math",
        "from math import sqrt, isqrt",
        "import numpy as np",
        "kind = pa.float64()",
        "x = json.loads(text)",
        "x = json.loads(text, parse_float=str)",
    ],
)
def test_the_check_for_floats_finds_one(source: str) -> None:
    assert len(floats(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "from math import isqrt",
        "x = Fraction(1, 2) / 3",
        "x = '0.5'",
        "x = json.loads(text, parse_float=str, parse_constant=str)",
        "# float",
    ],
)
def test_the_check_for_floats_finds_none_in_exact_code(source: str) -> None:
    assert not floats(source)


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "from time import monotonic",
        "import random",
        "x = dt.datetime.now(dt.UTC)",
        "x = dt.date.today()",
        "from os import environ",
        "x = os.environ['HOME']",
        "x = os.getenv('TZ')",
        "import locale",
        "x = date.strftime('%B')",
        "import urllib.request",
    ],
)
def test_the_check_for_the_outside_world_finds_it(source: str) -> None:
    assert len(outside_world(source)) == 1


def test_the_checks_cover_the_program() -> None:
    """A folder that is renamed would otherwise leave them without a sound."""
    exact, timeless = ({name(path).split("/")[0] for path in paths} for paths in (EXACT, TIMELESS))
    assert exact >= timeless >= {"archive", "determination", "methodology", "observations", "sources"}
    assert "day.py" in exact
    assert all(path.is_file() for path in TIMELESS + OUTWARD)


# ---- files that other files repeat


@pytest.mark.parametrize("path", sorted((ROOT / "requirements").glob("*.lock")), ids=lambda path: path.name)
def test_lock_files_name_no_address(path: Path) -> None:
    """They are installed from whatever index the machine is set to; the hashes say what is right."""
    text = path.read_text("utf-8")
    assert "://" not in text
    assert "--hash=sha256:" in text


def parameter(version: Version, section: str, entry: str) -> int | Fraction:
    """Return a parameter as its file has it, read here with `tomllib` alone."""
    path = SOURCE / "methodology" / version.folder / "parameters" / f"{version.methodology}.toml"
    value = tomllib.loads(path.read_text("utf-8"))[section][entry]["value"]
    return Fraction(*value) if isinstance(value, list) else int(value)


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.methodology)
def test_parameters_that_code_repeats_are_those_of_the_version(version: Version) -> None:
    """Decoders reject before any version is chosen; a version with another bound needs another decoder."""
    assert parameter(version, "price", "price_max") * 10**18 == numbers.TOKEN_PRICE_MAX
    assert parameter(version, "capture", "named_rows_min") == rankings.NAMED_ROWS_MIN
    offsets = [
        ("price", "glitch_days"),
        ("resolution", "carry_days"),
        ("resolution", "launch_days"),
        ("absent", "described_days"),
        ("eligibility", "days_before"),
        ("eligibility", "days_after"),
    ]
    assert all(parameter(version, *entry) < inputs._OFFSETS_MAX for entry in offsets), (
        "table `offsets` is too short"
    )


def test_how_old_a_carried_mark_may_be_is_one_number() -> None:
    """The publisher does not ask the specification: what stands in the log is checked by its format alone."""
    assert specification().carry_days_max == publication_marks.CARRY_DAYS_MAX


def test_what_an_importer_unpacks_is_what_a_decoder_reads() -> None:
    assert files.UNPACKED_BYTES_MAX == payload.PAYLOAD_BYTES_MAX


def test_the_document_quotes_the_grammar_and_the_limits() -> None:
    document = (ROOT / "docs" / "observations.md").read_text("utf-8")
    assert f"`{numbers._PRICE.pattern}`" in document
    assert f"at most {payload.PAYLOAD_BYTES_MAX // 2**20} MB" in document
    assert f"at most {payload.PAYLOAD_DEPTH_MAX} levels" in document
    assert f"fewer than {rankings.NAMED_ROWS_MIN} named models" in document


# ---- frozen versions


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.methodology)
def test_a_published_version_is_the_one_it_was_frozen_as(version: Version) -> None:
    """R-12: what was published under a version can be computed again under it for ever."""
    found = registry.read(version)
    folder = f"src/mtok/methodology/{version.folder}"
    remedy = (
        f"{folder} is not what methodology {version.methodology} was frozen as. A version that has published a value "
        f"is never edited: take the change back (git checkout {folder}), copy the folder forward (a changed rule: a "
        "new folder and major version; a changed parameter: a new parameter file and minor version), change the copy, "
        "add an entry with its date and digests to registry.VERSIONS, and say why in docs/decisions and CHANGELOG.md. "
    )
    for which in ("rules_sha256", "parameters_sha256"):
        frozen, now = getattr(version, which), getattr(found, which)
        assert now == frozen, f"{remedy}{which} is {now}, frozen as {frozen}."
    assert found.methodology == version.methodology


def test_versions_are_in_order_and_one_is_in_force_on_every_day() -> None:
    dated = [version.effective_from for version in VERSIONS if version.effective_from is not None]
    assert dated == sorted(set(dated))
    assert len({version.methodology for version in VERSIONS}) == len(VERSIONS)
    assert dated[0] == 0


# ---- the rules as SQL

RULES = [
    pytest.param(rule, id=f"{version.methodology}/{rule.file}")
    for version in VERSIONS
    for rule in registry.read(version).rules
]

FUNCTIONS = {
    *("Abs", "Cast", "Coalesce", "Length", "StrPosition", "Substring"),
    *("Count", "Max", "Min", "Sum"),
    *("Lag", "Lead", "RowNumber"),
    *("And", "Case", "If"),  # sqlglot counts these as functions
}
"""What the rules may call: each means the same in every engine."""

TYPES = {"BIGINT", "VARCHAR", "TEXT", *(f"DECIMAL({digits}, 0)" for digits in range(1, 39))}
"""What the rules may cast to: exact, and no wider than every engine has."""

RESULT_TYPES = {"INTEGER", "BIGINT", "VARCHAR", "BOOLEAN", "DECIMAL(38,0)", "DECIMAL(20,0)"}

NOT_ALLOWED = (
    exp.AtTimeZone,
    exp.Bracket,
    exp.Interval,
    exp.Lambda,
    exp.Qualify,
    exp.Div,
    exp.IntDiv,
    exp.Mod,
    exp.Pow,
    exp.Star,
    exp.Rand,
    exp.CurrentDate,
    exp.CurrentTimestamp,
)

_CAPTURES = {
    "capture": "INTEGER",
    "collector": "VARCHAR",
    "rank": "INTEGER",
    "day": "INTEGER",
    "second": "INTEGER",
}
INPUTS = {
    "fixing": {"day": "INTEGER"},
    "offsets": {"days": "INTEGER"},
    "series": {"series": "VARCHAR", "author": "VARCHAR", "name_prefix": "VARCHAR"},
    "ineligible_name_parts": {"part": "VARCHAR"},
    "volume_captures": _CAPTURES,
    "price_captures": _CAPTURES,
    **{table: TABLES[table] for table in ("volumes", "volume_days", "catalogue", "prices")},
}
"""The tables the rules find, beside `parameters` (`mtok.determination.inputs`)."""


def objections(text: str) -> list[str]:
    """Return what a rule says that not every engine understands alike."""
    tree = sqlglot.parse_one(text, read="duckdb")
    found = []
    for node in tree.walk():
        kind = type(node).__name__
        if isinstance(node, NOT_ALLOWED) or (isinstance(node, exp.Func) and kind not in FUNCTIONS):
            found.append(f"{kind}: {node.sql()}")
        elif isinstance(node, exp.DataType) and node.sql(dialect="duckdb") not in TYPES:
            found.append(f"type {node.sql(dialect='duckdb')}")
        elif isinstance(node, exp.Literal) and not node.is_string and not node.this.isdecimal():
            found.append(f"literal {node.this}")
        elif isinstance(node, exp.Join) and (node.method or node.args.get("using")):
            found.append(f"{node.method or 'USING'} join")
        elif isinstance(node, exp.Distinct) and node.args.get("on"):
            found.append("DISTINCT ON")
    return found


def tables_read(text: str) -> set[str]:
    """Return the tables a query reads, its own WITH clauses left out."""
    tree = sqlglot.parse_one(text, read="duckdb")
    return {table.name for table in tree.find_all(exp.Table)} - {cte.alias for cte in tree.find_all(exp.CTE)}


def header(text: str, word: str) -> list[str]:
    """Return the names after `reads` or `returns` in the comment above a rule, what stands in brackets left out."""
    comment = "\n".join(
        line.removeprefix("--").strip() for line in text.splitlines() if line.startswith("--")
    )
    [paragraph] = [part for part in comment.split("\n\n") if part.startswith("reads ")]
    reads, returns = paragraph.removeprefix("reads ").split("\nreturns ")
    listed = re.sub(r"\([^)]*\)", "", {"reads": reads, "returns": returns}[word])
    return [entry.strip() for entry in re.split("[·,]", listed)]


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_read_by_duckdb_and_spark(rule: Rule) -> None:
    [spark] = sqlglot.transpile(
        rule.text, read="duckdb", write="spark", unsupported_level=sqlglot.ErrorLevel.RAISE
    )
    assert isinstance(sqlglot.parse_one(spark, read="spark"), exp.Query)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_uses_allowed_functions_and_exact_types_only(rule: Rule) -> None:
    assert not objections(rule.text)


REDUCTIONS = sorted((SOURCE / "usage" / "sql").glob("*.sql"))
"""What sums the rows of usage logs, on a cluster where there is one."""


@pytest.mark.parametrize("path", REDUCTIONS, ids=name)
def test_what_sums_usage_logs_is_in_the_portable_subset(path: Path) -> None:
    text = path.read_text("utf-8")
    assert not objections(text)
    [spark] = sqlglot.transpile(
        text, read="duckdb", write="spark", unsupported_level=sqlglot.ErrorLevel.RAISE
    )
    assert isinstance(sqlglot.parse_one(spark, read="spark"), exp.Query)
    assert sorted(header(text, "reads")) == sorted(tables_read(text))


def test_the_reductions_are_where_they_are_looked_for() -> None:
    assert REDUCTIONS


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_names_exactly_the_tables_it_reads(rule: Rule) -> None:
    reads = header(rule.text, "reads")
    assert sorted(reads) == sorted(tables_read(rule.text))


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.methodology)
def test_rules_read_inputs_and_earlier_rules_and_return_the_exact_columns_they_name(version: Version) -> None:
    """Run over empty tables: the types are the engine's own, so that no sum widens to HUGEINT or to a float."""
    found = registry.read(version)
    engine = EmbeddedEngine()
    for table, columns in INPUTS.items():
        engine.table(table, columns, [])
    engine.table("parameters", dict.fromkeys(found.parameters.columns(), "BIGINT"), [])
    known = INPUTS.keys() | {"parameters"}
    for rule in found.rules:
        assert tables_read(rule.text) <= known, rule.file
        known = known | {rule.name}
        engine.query(rule.name, rule.text)
        columns = {column: kind for column, kind, *_ in engine.rows(f"DESCRIBE {rule.name}")}
        assert set(columns.values()) <= RESULT_TYPES, (rule.file, columns)
        named = header(rule.text, "returns")
        exact = [column for column in named if " " not in column]
        assert list(columns)[: len(exact)] == exact, rule.file
        assert len(columns) == len(exact) or any(column.startswith("then ") for column in named), rule.file


@pytest.mark.parametrize(
    "text",
    [
        "SELECT a / b FROM t",
        "SELECT a // b FROM t",
        "SELECT a % b FROM t",
        "SELECT AVG(a) FROM t",
        "SELECT SQRT(a) FROM t",
        "SELECT MEDIAN(a) FROM t",
        "SELECT CAST(a AS DOUBLE) FROM t",
        "SELECT CAST(a AS HUGEINT) FROM t",
        "SELECT CAST(a AS DECIMAL(38, 6)) FROM t",
        "SELECT a * 1.5 FROM t",
        "SELECT a * 1e3 FROM t",
        "SELECT CURRENT_DATE FROM t",
        "SELECT NOW() FROM t",
        "SELECT RANDOM() FROM t",
        "SELECT * FROM t",
        "SELECT t.a FROM t ASOF JOIN u ON t.a >= u.a",
        "SELECT FIRST(a) FROM t",
        "SELECT ARG_MAX(a, b) FROM t",
        "SELECT a ^ b FROM t",
    ],
)
def test_the_check_of_the_rules_objects(text: str) -> None:
    assert objections(text)


TRAPS = {
    "as_of_becomes_an_alias": "SELECT t.a FROM t ASOF LEFT JOIN u USING (a, b)",
    "as_of_on": "SELECT t.a FROM t ASOF LEFT JOIN u ON t.a = u.a AND t.b >= u.b",
    "using": "SELECT a FROM t JOIN u USING (a)",
    "natural": "SELECT a FROM t NATURAL JOIN u",
    "hugeint": "SELECT CAST(a AS HUGEINT) FROM t",
    "epoch_us": "SELECT EPOCH_US(a) FROM t",
    "division_of_decimals": "SELECT CAST(a AS DECIMAL(38, 0)) / CAST(b AS DECIMAL(38, 0)) FROM t",
    "division_of_integers": "SELECT a // b FROM t",
    "places_behind_the_point": "SELECT CAST(a AS DECIMAL(38, 12)) * CAST(b AS DECIMAL(38, 0)) FROM t",
    "narrow_product": "SELECT CAST(a AS DECIMAL(18, 12)) * CAST(b AS DECIMAL(18, 0)) FROM t",
    "float": "SELECT SUM(CAST(a AS DOUBLE)) FROM t",
    "time_zone": "SELECT a AT TIME ZONE 'UTC' FROM t",
    "timestamp": "SELECT CAST(a AS TIMESTAMPTZ) FROM t",
    "date": "SELECT CAST(a AS DATE) FROM t",
    "interval": "SELECT a + INTERVAL 1 DAY FROM t",
    "any_value": "SELECT ANY_VALUE(a) FROM t",
    "list": "SELECT LIST(a) FROM t",
    "element": "SELECT a[1] FROM t",
    "distinct_on": "SELECT DISTINCT ON (a) a, b FROM t",
    "qualify": "SELECT a FROM t QUALIFY ROW_NUMBER() OVER (ORDER BY a) = 1",
    "text_of_a_pattern": "SELECT a FROM t WHERE REGEXP_MATCHES(a, 'b')",
}
"""What DuckDB and Spark understand differently, or one of them not at all, named after what it does there."""


@pytest.mark.parametrize("trap", TRAPS)
def test_what_engines_understand_differently_is_refused(trap: str) -> None:
    assert objections(TRAPS[trap])


def test_sqlglot_alone_would_let_a_trap_through() -> None:
    """Why there is a list of what is allowed: an as-of join becomes a table named ASOF, and no error."""
    [spark] = sqlglot.transpile(
        TRAPS["as_of_becomes_an_alias"],
        read="duckdb",
        write="spark",
        unsupported_level=sqlglot.ErrorLevel.RAISE,
    )
    assert "ASOF LEFT JOIN" in spark


def test_the_check_of_the_header_sees_a_table_more_or_less() -> None:
    text = (
        "-- R-0. What it reads.\n--\n-- reads   one (a, b) · two\n-- returns a (empty: none),\n--         b\n--\n"
        "-- It reads on.\nSELECT a FROM one JOIN two"
    )
    assert header(text, "reads") == ["one", "two"]
    assert header(text, "returns") == ["a", "b"]
    assert tables_read("WITH three AS (SELECT a FROM two) SELECT a FROM one JOIN three") == {"one", "two"}
