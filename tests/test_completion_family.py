"""Family completion-1.0: the rules of 1.0 with completion tokens as weights, and the gap between both bases."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp
from typer.testing import CliRunner

from generated import DAYS, FIRST_DAY, market
from markets import SERIES, determine, expected, expected_summary, make_store, summary
from mtok.archive import Store
from mtok.calendar import DAY, format_date, parse_date
from mtok.cli.app import app
from mtok.day import determine_days
from mtok.determination.basis import PRICED_USAGE
from mtok.determination.folder import Determinations
from mtok.determination.inputs import Evidence
from mtok.doctor import examine
from mtok.errors import BadCall, BadInput, EnvironmentFailed
from mtok.methodology import in_force, load, registry
from mtok.points import points_csv, points_json, points_parquet
from mtok.progress import silent
from mtok.records import Basis, Determination
from test_house import header, objections, tables_read
from usage_markets import (
    COMPLETION,
    PLAIN_DATE,
    SOURCE,
    TOTAL,
    UsageMarket,
    gap,
    other_value,
    plain_market,
    usage_market,
)

FAMILY = "completion-1.0"
BASES = {"1.0": TOTAL, FAMILY: COMPLETION}

Records = dict[tuple[str, str], Determination]


def both(store: Store, **options: Any) -> dict[str, Records]:
    """Return the records of both families by series (without its source) and date."""
    found: dict[str, Records] = {}
    for methodology in BASES:
        determine_days(store, methodology=methodology, volume_source=SOURCE, **options)
        folder = Determinations(store, methodology)
        found[methodology] = {
            (record.series.removeprefix(f"{SOURCE}:"), record.date): record
            for name in folder.series()
            for record in folder.read(name)
        }
    return found


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The store of the day made by hand, determined under both families."""
    store = plain_market().store(tmp_path_factory.mktemp("plain") / "store")
    both(store)
    return store


def of_plain(store: Store, methodology: str) -> Determination:
    [record] = Determinations(store, methodology).read(f"{SOURCE}:openai")
    return record


# ---- the registry


def test_the_family_has_the_rules_of_1_0_and_its_values_of_parameters() -> None:
    family, first = load(FAMILY), load("1.0")
    assert (family.methodology, family.weight_basis, family.unit) == (FAMILY, COMPLETION, first.unit)
    assert (family.rules, family.rules_sha256, family.series) == (
        first.rules,
        first.rules_sha256,
        first.series,
    )
    assert family.parameters.columns() == first.parameters.columns()
    name_parts = ("eligibility", "ineligible_name_parts")
    assert family.parameters.texts(*name_parts) == first.parameters.texts(*name_parts)
    assert family.parameters_sha256 != first.parameters_sha256


def test_its_documents_have_the_shared_files_and_say_whose_they_are() -> None:
    family, first = registry.documents(FAMILY), registry.documents("1.0")
    assert {name for name in family if name.endswith(".sql")} == {
        name for name in first if name.endswith(".sql")
    }
    assert all(family[name] == raw for name, raw in first.items() if name.endswith(".sql"))
    assert family.keys() - first.keys() == {"rules/shared.toml"}
    assert family["rulebook.md"] != first["rulebook.md"]


def test_it_is_never_in_force_by_date() -> None:
    assert {in_force(day) for day in (0, 1, 20_000, parse_date("2026-06-20"), 10**6)} == {"1.0"}


@pytest.mark.parametrize("name", ["61_total.sql", "80_evidence.sql"])
def test_a_shared_file_of_other_bytes_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "methodology"
    shutil.copytree(Path(registry.__file__).parent, folder)
    monkeypatch.setattr(registry, "files", lambda _: folder)
    [version] = [one for one in registry.VERSIONS if one.methodology == FAMILY]
    assert registry.read(version).rules_sha256 == version.rules_sha256
    path = folder / "v1" / "rules" / name
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(EnvironmentFailed, match=name) as refused:
        registry.read(version)
    assert refused.value.code == "methodology_changed"
    with pytest.raises(EnvironmentFailed, match=name):
        registry.documents(FAMILY)


# ---- a day made by hand


def test_values_of_a_day_made_by_hand(plain: Store) -> None:
    """Total: gpt-a 1,000, gpt-b 400, gpt-c 200 tokens at 10, 2, 5 USD; completion: 100 and 300 at 10 and 2 USD."""
    by_total = Fraction(1000 * 10 + 400 * 2 + 200 * 5, 1600)
    by_completion = Fraction(100 * 10 + 300 * 2, 400)
    assert (by_total, by_completion) == (Fraction(59, 8), Fraction(4))
    apart = (by_completion - by_total) / by_total
    assert apart == Fraction(-27, 59)
    first, family = of_plain(plain, "1.0"), of_plain(plain, FAMILY)
    assert (first.value, family.value) == ("7.375000", "4.000000")
    assert (first.w, family.w) == (1600, 400)
    assert first.basis == Basis(
        other_basis=COMPLETION, other_value="4.000000", completion_basis_gap="-0.457627"
    )
    assert family.basis == Basis(other_basis=TOTAL, other_value="7.375000", completion_basis_gap="-0.457627")


def test_what_a_record_of_the_family_says_of_itself(plain: Store) -> None:
    record = of_plain(plain, FAMILY)
    assert (record.methodology, record.unit, record.diagnostics.weight_basis) == (
        FAMILY,
        "USD_PER_MTOK_OUTPUT",
        COMPLETION,
    )
    assert record.parameters_sha256 == load(FAMILY).parameters_sha256
    assert [row.constituent for row in record.constituents] == ["openai/gpt-b", "openai/gpt-a"]
    assert {row.constituent: (row.tokens, row.reason) for row in record.left_out} == {
        "openai/gpt-a:free": (5000, "unpaid"),
        "openai/gpt-image": (70, "ineligible"),
    }
    assert record.without_volume == ("openai/gpt-c",), "a constituent without completion tokens is a zero row"
    assert not record.absent
    found = record.diagnostics
    assert (found.smallest_named_tokens, found.truncation_exposure) == (0, "0.000000")
    assert (found.truncation_low, found.truncation_high) == (record.value, record.value)
    assert record.reasons == ("other_source",), "a cube names every model: nothing is cut off or short"
    assert record.origin == "usage"


def test_a_source_of_usage_is_complete_under_1_0_too(plain: Store) -> None:
    record = of_plain(plain, "1.0")
    assert (record.reasons, record.diagnostics.named_rows) == (("other_source",), 5)
    assert record.diagnostics.truncation_exposure == "0.000000"


def test_the_gap_is_left_out_where_nobody_answered(tmp_path: Path) -> None:
    silent = {model: (prompt, 0) for model, (prompt, _) in plain_market().cubes[0].cells.items()}
    found = both(plain_market(silent).store(tmp_path / "store"))
    first, family = (found[methodology]["openai", PLAIN_DATE] for methodology in BASES)
    assert first.value is not None
    assert (family.value, family.reasons) == (None, ("no_priced_volume",))
    assert first.basis is None
    assert family.basis is None
    assert b"basis_gap" not in first.canonical + family.canonical


def test_the_other_value_stands_beside_a_value_alone(tmp_path: Path) -> None:
    """gpt-new has tokens and no price: by prompt tokens it is too much to leave out, by completion tokens little."""
    cells = plain_market().cubes[0].cells | {"openai/gpt-new": (10_000, 1)}
    found = both(plain_market(cells).store(tmp_path / "store"))
    first, family = (found[methodology]["openai", PLAIN_DATE] for methodology in BASES)
    assert (first.value, first.reasons) == (None, ("coverage_below_minimum",))
    assert family.value == "4.000000"
    assert first.basis == Basis(other_basis=COMPLETION, completion_basis_gap="-0.457627")
    assert family.basis is not None
    assert family.basis.other_value == "7.375000"


# ---- what is refused


@pytest.mark.parametrize("asked", [None, "rankings-daily"])
def test_rankings_have_no_completion_tokens(asked: str | None, tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", market(1))
    with store.writing():
        for _ in store.archive(cube.response() for cube in usage_market(1).cubes):
            pass
    with pytest.raises(BadCall) as refused:
        determine_days(store, methodology=FAMILY, volume_source=asked)
    assert refused.value.code == "completion_tokens_unknown"
    assert refused.value.found == (
        "methodology completion-1.0 weighs by completion tokens; rankings-daily tells totals alone"
    )
    assert "Sources that tell completion tokens: acme." in refused.value.remedy
    assert not Determinations(store, FAMILY).series()


def test_a_total_beyond_64_bits_is_an_error(plain: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The decoder refuses such a cube; were one in the observations, the sum would be refused and never wrap."""
    monkeypatch.setattr(Evidence, "_load", _absurd(Evidence._load))
    with pytest.raises(BadInput) as refused:
        determine_days(plain, methodology="1.0", volume_source=SOURCE, last_day=parse_date(PLAIN_DATE))
    assert refused.value.code == "overflow"


def _absurd(load: Any) -> Any:
    """Return a loader after which a cell of `usage` has 2⁶³−1 prompt tokens."""

    def loaded(self: Any, table: str, *rest: Any) -> None:
        load(self, table, *rest)
        if table == "usage":
            self._engine.query(
                "usage",
                "SELECT capture, day, slug, author, name, variant, "
                "CASE WHEN completion_tokens = 100 THEN 9223372036854775807 ELSE prompt_tokens END AS prompt_tokens, "
                "completion_tokens FROM usage",
            )

    return loaded


# ---- generated markets against the reference

FIRST, LAST = format_date(FIRST_DAY), format_date(FIRST_DAY + DAYS - 1)


def check(usage: UsageMarket, folder: Path) -> dict[str, int]:
    """Compare every record of both families with the reference; return how often what was reached."""
    if not usage.cubes:
        return {}
    found = both(usage.store(folder))
    of = {
        basis: expected(usage.captures(basis), FIRST, LAST, complete=True, other_source=True)
        for basis in BASES.values()
    }
    reached = dict.fromkeys(("gap", "no_gap", "other_value", "withheld_gap"), 0)
    for methodology, basis in BASES.items():
        other = COMPLETION if basis == TOTAL else TOTAL
        for key, record in found[methodology].items():
            wanted = expected_summary(of[basis][key])
            wanted["diagnostics"]["weight_basis"] = basis
            assert summary(record) == wanted, (methodology, key)
            apart = gap(of[TOTAL][key], of[COMPLETION][key])
            if apart is None:
                assert record.basis is None
                reached["no_gap"] += 1
                continue
            value = None if record.value is None else other_value(of[other][key])
            assert record.basis == Basis(other_basis=other, other_value=value, completion_basis_gap=apart), (
                key
            )
            reached["gap"] += apart != "0.000000"
            reached["other_value"] += value is not None
            reached["withheld_gap"] += value is None
    assert found["1.0"].keys() == found[FAMILY].keys()
    return reached


def test_generated_markets_agree_with_the_reference_and_reach_every_case(tmp_path: Path) -> None:
    reached: dict[str, int] = {}
    for seed in range(12):
        for name, times in check(usage_market(seed), tmp_path / str(seed)).items():
            reached[name] = reached.get(name, 0) + times
    assert all(times > 5 for times in reached.values()), reached


@given(st.integers(min_value=12, max_value=2**32))
@settings(deadline=None, max_examples=max(1, settings().max_examples // 10))
def test_any_generated_market_agrees_with_the_reference(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    check(usage_market(seed), tmp_path_factory.mktemp("market") / "store")


def test_cubes_in_the_order_they_came_give_the_records_of_all_at_once(tmp_path: Path) -> None:
    """Late cubes too, under either family; a day's cube that comes again replaces the one before."""
    usage = usage_market(4)
    assert len({cube.date for cube in usage.cubes}) < len(usage.cubes), "some day has a later cube"
    store, because = UsageMarket(prices=usage.prices, cubes=[]).store(tmp_path / "store"), set()
    for cube in sorted(usage.cubes, key=lambda one: one.instant):
        with store.writing():
            assert [new for _, new in store.archive([cube.response()])] == [True]
        for methodology in BASES:
            because.add(determine_days(store, methodology=methodology, volume_source=SOURCE).because)
    assert "new captures" in because
    full = usage.store(tmp_path / "full")
    both(full)
    for methodology in BASES:
        came, at_once = Determinations(store, methodology), Determinations(full, methodology)
        assert came.series() == at_once.series() != []
        for name in came.series():
            assert came.read(name) == at_once.read(name)


# ---- the query


def test_the_query_is_in_the_portable_dialect() -> None:
    assert not objections(PRICED_USAGE)
    assert isinstance(sqlglot.parse_one(sqlglot.transpile(PRICED_USAGE, "duckdb", "spark")[0]), exp.Query)
    assert sorted(header(PRICED_USAGE, "reads")) == sorted(tables_read(PRICED_USAGE))


# ---- what people and programs read


def run(store: Store, *arguments: str) -> Any:
    return CliRunner().invoke(app, [*arguments, "--store", str(store.path)])


def test_points_have_the_gap_where_the_series_has_one(plain: Store) -> None:
    shown = run(plain, "show", f"{SOURCE}:openai", "--methodology", FAMILY, "--format", "json")
    content = json.loads(shown.stdout)
    assert content["methodology"] == FAMILY
    assert [point["completion_basis_gap"] for point in content["points"]] == ["-0.457627"]
    csv = run(plain, "show", f"{SOURCE}:openai", "--format", "csv").stdout.splitlines()
    assert csv[0].endswith(",first_party_gap,completion_basis_gap")
    assert csv[1].endswith(",,-0.457627")
    out = plain.path.parent / "points.parquet"
    run(plain, "show", f"{SOURCE}:openai", "--format", "parquet", "--out", str(out))
    column = pq.read_table(out)["completion_basis_gap"]
    assert str(column.type) == "decimal128(38, 6)"
    assert [str(value) for value in column.to_pylist()] == ["-0.457627"]


def test_points_of_a_day_without_a_gap_have_an_empty_cell_beside_one_with(plain: Store) -> None:
    record = of_plain(plain, "1.0")
    without = Determination(
        **{name: getattr(record, name) for name in record.__struct_fields__} | {"basis": None}
    )
    records = [without, record]
    content = json.loads(points_json("x", records, Determination, basis=True))
    assert [point["completion_basis_gap"] for point in content["points"]] == [None, "-0.457627"]
    lines = points_csv(records, Determination, basis=True).decode().splitlines()
    assert [line.rpartition(",")[2] for line in lines] == ["completion_basis_gap", "", "-0.457627"]
    assert points_parquet(records, Determination, basis=True)


def test_a_series_without_a_basis_has_no_such_column(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", market(1))
    records = determine(store)
    assert all(record.basis is None for record in records.values())
    assert not any(b"basis_gap" in record.canonical for record in records.values())
    shown = run(store, "show", "openai", "--format", "csv").stdout
    assert shown.splitlines()[0].endswith(",first_party_gap")
    board = json.loads(run(store, "board", "--json").stdout)
    assert "completion_basis_gap" not in board["points"][0]


def test_the_board_says_what_weighs(plain: Store) -> None:
    family = run(plain, "board", "--methodology", FAMILY, "--date", PLAIN_DATE)
    assert "weighted by completion tokens of acme" in family.stdout
    assert "in which output tokens were made that day" in " ".join(family.stdout.split())
    assert "OpenAI (acme)" in family.stdout
    first = run(plain, "board", "--date", PLAIN_DATE)
    assert "weighted by all tokens of acme" in first.stdout
    for page in (family.stdout, first.stdout):
        assert "50 most used" not in page
        assert "OpenRouter" not in page
    content = json.loads(run(plain, "board", "--methodology", FAMILY, "--json").stdout)
    gaps = {point["series"]: point["completion_basis_gap"] for point in content["points"]}
    assert gaps[f"{SOURCE}:openai"] == "-0.457627"
    assert gaps[f"{SOURCE}:qwen"] is None


def test_the_receipt_says_both_bases_in_words(plain: Store) -> None:
    page = " ".join(run(plain, "explain", "openai", PLAIN_DATE).stdout.split())
    assert (
        "weighted by completion tokens the value would be 4.000000; completion tokens against all tokens: −45.8 %"
        in page
    )
    family = " ".join(run(plain, "explain", "openai", PLAIN_DATE, "--methodology", FAMILY).stdout.split())
    assert "weighted by all tokens the value would be 7.375000" in family
    for text in (page, family):
        assert "volumes as the daily sums of usage logs" in text
        assert "worst case" not in text
        assert "under the cut" not in text
        assert "ranking of models" not in text


def test_token_counts_are_said_to_be_what_they_are(plain: Store) -> None:
    first = " ".join(run(plain, "explain", "openai", PLAIN_DATE).stdout.split())
    family = " ".join(run(plain, "explain", "openai", PLAIN_DATE, "--methodology", FAMILY).stdout.split())
    assert "gpt-image with 80 tokens, ineligible" in first
    assert "gpt-image with 70 completion tokens, ineligible" in family
    assert "100.0 % of the tokens that need a price have one" in first
    assert "100.0 % of the completion tokens that need a price have one" in family


def test_a_model_that_answers_nothing_any_more_left_for_that_reason(tmp_path: Path) -> None:
    """The next day gpt-b has prompt tokens alone: it has a row, and no completion tokens."""
    market_of_a_day = plain_market()
    [cube] = market_of_a_day.cubes
    silent = replace(
        cube,
        date=format_date(parse_date(cube.date) + 1),
        instant=cube.instant + DAY,
        cells=cube.cells | {"openai/gpt-b": (100, 0)},
    )
    store = UsageMarket(prices=market_of_a_day.prices, cubes=[cube, silent]).store(tmp_path / "store")
    both(store)
    page = run(store, "explain", "openai", silent.date, "--methodology", FAMILY).stdout
    assert "no completion tokens on 21 Jun 2026" in page
    assert "no row on" not in page


def test_the_record_for_machines_is_that_of_the_version(plain: Store) -> None:
    shown = run(plain, "explain", "openai", PLAIN_DATE, "--methodology", FAMILY, "--json").stdout
    assert shown.encode() == of_plain(plain, FAMILY).canonical + b"\n"


def test_the_doctor_examines_the_records_of_every_version(tmp_path: Path) -> None:
    store = plain_market().store(tmp_path / "store")
    both(store)
    sound = examine(store, silent)
    assert (sound.sound, sound.records, sound.findings) == (True, 2 * len(SERIES), ())
    [path] = (store.path / "determinations" / FAMILY / "all" / SOURCE / "openai").iterdir()
    path.write_bytes(path.read_bytes().replace(b'"4.000000"', b'"4.000001"'))
    assert {(one.code, one.where) for one in examine(store, silent).findings} == {
        ("determinations_differ", path.relative_to(store.path).as_posix())
    }


@pytest.mark.parametrize("command", [("board",), ("show", "openai"), ("explain", "openai", PLAIN_DATE)])
def test_an_unknown_version_is_refused_by_who_reads(command: tuple[str, ...], plain: Store) -> None:
    result = run(plain, *command, "--methodology", "completion-2.0", "--json")
    assert (result.exit_code, json.loads(result.stdout)["error"]["code"]) == (2, "methodology_unknown")


def test_a_version_without_records_is_told_how_to_make_them(tmp_path: Path) -> None:
    store = plain_market().store(tmp_path / "store")
    result = run(store, "show", "openai", "--methodology", FAMILY)
    assert result.exit_code == 1
    assert "mtok determine --methodology completion-1.0" in result.stderr


def test_a_run_says_how_to_look_at_what_it_made(tmp_path: Path) -> None:
    store = plain_market().store(tmp_path / "store")
    result = run(store, "determine", "--methodology", FAMILY, "--volume-source", SOURCE)
    assert "board --volume-source acme --methodology completion-1.0 --store" in result.stdout
    assert Determinations(store, FAMILY).series() == sorted(f"{SOURCE}:{name}" for name in SERIES)
    assert not Determinations(store, "1.0").series()
