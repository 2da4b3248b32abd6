"""Usage logs → daily cubes: sums held against sums made by hand, and what is read again, added, or refused."""

from __future__ import annotations

import itertools
import os
import shutil
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from logged import (
    NOW,
    SOURCE,
    Request,
    captures,
    cells,
    cube,
    imported,
    requests,
    summed,
    table,
    write_csv,
    write_jsonl,
    write_parquet,
)
from mtok.archive import KIND_RANKINGS, Response, Store
from mtok.calendar import day_of, format_instant, parse_instant
from mtok.canonical import canonical_bytes, sha256_hex
from mtok.engine import open_engine
from mtok.errors import BadCall, BadInput, EnvironmentFailed
from mtok.intake import import_paths
from mtok.observations import Observations
from mtok.publication.editions import raw_list
from mtok.usage import finding, importing, reduction

QWEN, GPT = "qwen/qwen3-max", "openai/gpt-5"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "store")


def many(date: str, count: int, seed: int = 7) -> list[Request]:
    """Return requests of a day by a handful of models, some with a variant, at any time of it."""
    random = Random(f"{date} {seed}")
    start = parse_instant(f"{date}T00:00:00Z")
    models = [QWEN, f"{QWEN}:standard", f"{QWEN}:free", GPT, "moonshotai/kimi-k2", "x-ai/grok-4"]
    return [
        Request(
            format_instant(start + random.randrange(86_400_000_000)),
            random.choice(models),
            random.randrange(20_000),
            random.randrange(3_000),
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("form", ["parquet", "csv", "csv.gz", "jsonl", "jsonl.gz", "ndjson"])
def test_every_form_gives_the_sums_made_by_hand(store: Store, tmp_path: Path, form: str) -> None:
    rows = many("2026-06-20", 500) + many("2026-06-21", 400)
    write = {"parquet": write_parquet, "csv": write_csv}.get(form.split(".", maxsplit=1)[0], write_jsonl)
    write(tmp_path / "logs" / f"a.{form}", rows[:450])
    write(tmp_path / "logs" / "deeper" / f"b.{form}", rows[450:])
    report = imported(store, tmp_path / "logs")
    assert report.sound
    assert [(day.date, day.outcome, day.rows) for day in report.days] == [
        ("2026-06-20", "new", 500),
        ("2026-06-21", "new", 400),
    ]
    for date, models in summed(rows).items():
        assert cells(cube(store, date)) == models
        assert f"{QWEN}:standard" not in models


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("day", [True, False])
def test_every_unit_of_an_instant_with_and_without_a_column_day(
    store: Store, tmp_path: Path, unit: str, day: bool
) -> None:
    rows = [
        row._replace(ts=str(row.ts)[:19] + "Z") for row in many("2026-06-20", 60) + many("2026-06-21", 60)
    ]
    write_parquet(tmp_path / "logs" / "a.parquet", rows, unit=unit, day=day)
    imported(store, tmp_path / "logs")
    for date, models in summed(rows).items():
        assert cells(cube(store, date)) == models


def test_files_of_all_shapes_at_once_are_one_log(store: Store, tmp_path: Path) -> None:
    rows = many("2026-06-20", 400)
    folder = tmp_path / "logs"
    write_parquet(folder / "a.parquet", rows[:100])
    write_parquet(folder / "b.parquet", rows[100:200], unit="ns", day=False)
    typed = table(rows[200:300])
    small = typed.set_column(2, "prompt_tokens", pc.cast(typed["prompt_tokens"], pa.uint32()))
    write_parquet(folder / "c.parquet", small)
    write_csv(folder / "d.csv", rows[300:])
    imported(store, folder)
    assert cells(cube(store, "2026-06-20")) == summed(rows)["2026-06-20"]


def test_token_counts_as_text_beside_typed_instants(store: Store, tmp_path: Path) -> None:
    rows = many("2026-06-20", 60)
    typed = table(rows)
    for place in (2, 3):
        typed = typed.set_column(place, typed.column_names[place], typed.column(place).cast(pa.string()))
    write_parquet(tmp_path / "a.parquet", typed)
    imported(store, tmp_path / "a.parquet")
    assert cells(cube(store, "2026-06-20")) == summed(rows)["2026-06-20"]


def test_a_column_day_that_lies_is_not_believed(store: Store, tmp_path: Path) -> None:
    rows = many("2026-06-20", 50) + many("2026-06-21", 50)
    honest = table(rows)
    lying = honest.set_column(4, "day", pa.array([20_000] * 100, pa.int32()))
    write_parquet(tmp_path / "logs" / "a.parquet", lying)
    report = imported(store, tmp_path / "logs")
    assert [day.date for day in report.days] == ["2026-06-20", "2026-06-21"]
    assert cells(cube(store, "2026-06-21")) == summed(rows)["2026-06-21"]


def test_a_cube_is_a_function_of_the_rows_alone(tmp_path: Path) -> None:
    """However the rows are cut into files and ordered, on any number of threads, in little memory: the same bytes."""
    rows = [row for date in ("2026-06-18", "2026-06-19", "2026-06-20") for row in many(date, 700)]
    digests = set()
    for seed, (threads, memory) in enumerate([(1, None), (2, None), (4, None), (2, "512MB")]):
        shuffled = list(rows)
        Random(seed).shuffle(shuffled)
        folder = tmp_path / f"logs{seed}"
        for part in range(seed + 1):
            write_parquet(
                folder / f"{Random(seed + part).random()}.parquet",
                shuffled[part :: seed + 1],
                row_group_size=97,
            )
        store = Store.create(tmp_path / f"store{seed}")
        with open_engine("duckdb", threads=threads, memory=memory) as engine:
            report = imported(store, folder, engine=engine)
        digests.add(tuple(day.sha256 for day in report.days))
    assert len(digests) == 1


@pytest.mark.parametrize("day", [True, False])
def test_a_day_of_many_rows_is_summed_by_itself_to_the_same_cube(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, day: bool
) -> None:
    """Beside days of few rows, files of several days, and more than one file a day."""
    rows = {date: many(date, 40) for date in ("2026-06-18", "2026-06-19", "2026-06-20")}
    logs = tmp_path / "logs"
    write_parquet(logs / "a.parquet", rows["2026-06-18"][:25], day=day)
    write_parquet(logs / "b.parquet", rows["2026-06-18"][25:], day=day)
    write_parquet(logs / "c.parquet", rows["2026-06-19"] + rows["2026-06-20"][20:], day=day)
    write_parquet(logs / "d.parquet", rows["2026-06-20"][:20], day=day)
    found = []
    for alone in (30, 10**9):
        monkeypatch.setattr(reduction, "ROWS_ALONE", alone)
        found.append(imported(Store.create(tmp_path / f"store{alone}"), logs).days)
    assert found[0] == found[1]
    store = Store.open(tmp_path / "store30")
    for date, models in summed([row for several in rows.values() for row in several]).items():
        assert cells(cube(store, date)) == models


def test_a_cube_is_written_as_canonical_json(store: Store, tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", many("2026-06-20", 50))
    imported(store, tmp_path / "a.parquet")
    found = cube(store, "2026-06-20")
    assert found.canonical == canonical_bytes(msgspec.to_builtins(found))
    assert sha256_hex(found.canonical) == captures(store, "2026-06-20")[-1].sha256


# ---- what is new


def test_the_same_again_reads_nothing_and_writes_nothing(store: Store, tmp_path: Path) -> None:
    write_parquet(tmp_path / "logs" / "a.parquet", many("2026-06-20", 50))
    write_jsonl(tmp_path / "logs" / "b.jsonl", many("2026-06-21", 50))
    imported(store, tmp_path / "logs")
    before = store.register.read()
    report = imported(store, tmp_path / "logs", now="2026-06-26T09:00:00Z")
    assert (report.read, [day.outcome for day in report.days]) == (0, ["unchanged", "unchanged"])
    assert store.register.read() == before


def test_a_late_file_is_added_as_a_new_version_and_the_rest_is_not_read(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, late = many("2026-06-20", 50), many("2026-06-20", 30, seed=8)
    other = many("2026-06-21", 40)
    write_parquet(tmp_path / "logs" / "a.parquet", rows)
    write_parquet(tmp_path / "logs" / "b.parquet", other)
    imported(store, tmp_path / "logs")
    write_parquet(tmp_path / "logs" / "late.parquet", late)
    report = imported(store, tmp_path / "logs", now="2026-06-26T09:00:00Z")
    assert report.read == 1
    assert [(day.outcome, day.version, day.rows) for day in report.days] == [
        ("changed", 2, 80),
        ("unchanged", 1, 0),
    ]
    assert cells(cube(store, "2026-06-20")) == summed(rows + late)["2026-06-20"]
    assert len(captures(store, "2026-06-20")) == 2


def test_a_late_file_at_another_address_is_added(store: Store, tmp_path: Path) -> None:
    """Where the others are gone they may have become this one: that they are only purged has to be said."""
    rows, late, later = (many("2026-06-20", count, seed=count) for count in (50, 30, 20))
    write_parquet(tmp_path / "logs" / "a.parquet", rows)
    imported(store, tmp_path / "logs")
    write_parquet(tmp_path / "late" / "b.parquet", late)
    imported(store, tmp_path / "late", now="2026-06-26T09:00:00Z")
    assert cells(cube(store, "2026-06-20")) == summed(rows + late)["2026-06-20"]
    shutil.rmtree(tmp_path / "logs")
    write_parquet(tmp_path / "later" / "c.parquet", later)
    report = imported(store, tmp_path / "later", now="2026-06-26T10:00:00Z")
    assert [(day.outcome, day.code) for day in report.days] == [("refused", "usage_file_gone")]
    imported(store, tmp_path / "later", now="2026-06-26T11:00:00Z", add=True)
    assert cells(cube(store, "2026-06-20")) == summed(rows + late + later)["2026-06-20"]


def test_a_log_of_several_days_elsewhere_is_no_copy_of_itself(store: Store, tmp_path: Path) -> None:
    write_csv(tmp_path / "logs" / "a.csv", many("2026-06-20", 50) + many("2026-06-21", 50))
    write_parquet(tmp_path / "logs" / "b.parquet", many("2026-06-18", 50) + many("2026-06-19", 50))
    imported(store, tmp_path / "logs")
    write_csv(tmp_path / "late" / "b.csv", many("2026-06-20", 5, seed=8))
    report = imported(store, tmp_path / "late", now="2026-06-26T09:00:00Z")
    assert [(day.outcome, day.rows) for day in report.days] == [("changed", 55)]


def test_a_file_that_moved_counts_once(store: Store, tmp_path: Path) -> None:
    rows = many("2026-06-20", 50)
    write_parquet(tmp_path / "logs" / "a.parquet", rows)
    imported(store, tmp_path / "logs")
    (tmp_path / "logs").rename(tmp_path / "elsewhere")
    report = imported(store, tmp_path / "elsewhere", now="2026-06-26T09:00:00Z")
    assert [day.outcome for day in report.days] == ["unchanged"]


def test_a_file_that_was_replaced_makes_its_days_be_summed_anew(store: Store, tmp_path: Path) -> None:
    rows, wrong, right = (
        many("2026-06-20", 50),
        many("2026-06-20", 30, seed=8),
        many("2026-06-20", 31, seed=9),
    )
    write_parquet(tmp_path / "logs" / "a.parquet", rows)
    write_parquet(tmp_path / "logs" / "b.parquet", wrong)
    imported(store, tmp_path / "logs")
    write_parquet(tmp_path / "logs" / "b.parquet", right)
    report = imported(store, tmp_path / "logs", now="2026-06-26T09:00:00Z")
    assert [(day.outcome, day.version) for day in report.days] == [("changed", 2)]
    assert cells(cube(store, "2026-06-20")) == summed(rows + right)["2026-06-20"]


def test_files_compacted_into_one_are_not_counted_twice(store: Store, tmp_path: Path) -> None:
    """What was here and is gone may be what is new here: nobody can tell, so the day is refused until it is said."""
    rows, more = many("2026-06-20", 50), many("2026-06-20", 30, seed=8)
    write_parquet(tmp_path / "logs" / "a.parquet", rows)
    write_parquet(tmp_path / "logs" / "b.parquet", more)
    imported(store, tmp_path / "logs")
    shutil.rmtree(tmp_path / "logs")
    write_parquet(tmp_path / "logs" / "c.parquet", rows + more)
    report = imported(store, tmp_path / "logs", now="2026-06-26T09:00:00Z")
    assert [(day.outcome, day.code, day.version) for day in report.days] == [
        ("refused", "usage_file_gone", 1)
    ]
    assert cells(cube(store, "2026-06-20")) == summed(rows + more)["2026-06-20"]
    report = imported(store, tmp_path / "logs", now="2026-06-26T10:00:00Z", anew=True)
    assert [(day.outcome, day.version) for day in report.days] == [("unchanged", 1)]


def test_anew_forgets_what_the_files_were_before(store: Store, tmp_path: Path) -> None:
    """The same rows written anew elsewhere, said to be all there is, are no copy of what they replace."""
    rows = many("2026-06-20", 50)
    write_parquet(tmp_path / "logs" / "a.parquet", rows)
    imported(store, tmp_path / "logs")
    write_parquet(tmp_path / "anew" / "b.parquet", [*rows[::-1]], compression="zstd")
    assert not imported(store, tmp_path / "anew", now="2026-06-26T09:00:00Z").sound
    report = imported(store, tmp_path / "anew", now="2026-06-26T10:00:00Z", anew=True)
    assert [(day.outcome, day.version) for day in report.days] == [("unchanged", 1)]


def test_a_day_that_is_not_over_is_left_out_and_taken_later(store: Store, tmp_path: Path) -> None:
    rows = many("2026-06-24", 40) + many("2026-06-25", 20)
    write_parquet(tmp_path / "logs" / "a.parquet", rows)
    report = imported(store, tmp_path / "logs", now="2026-06-25T23:59:59Z")
    assert [(day.date, day.outcome) for day in report.days] == [
        ("2026-06-24", "new"),
        ("2026-06-25", "not_over"),
    ]
    assert not captures(store, "2026-06-25")
    report = imported(store, tmp_path / "logs", now="2026-06-26T00:00:00Z")
    assert [(day.date, day.outcome) for day in report.days] == [
        ("2026-06-24", "unchanged"),
        ("2026-06-25", "new"),
    ]
    for date, models in summed(rows).items():
        assert cells(cube(store, date)) == models


def test_a_gap_in_a_log_of_many_days_is_no_day(store: Store, tmp_path: Path) -> None:
    write_parquet(tmp_path / "logs" / "a.parquet", many("2026-06-18", 20) + many("2026-06-20", 20))
    assert [day.date for day in imported(store, tmp_path / "logs").days] == ["2026-06-18", "2026-06-20"]
    again = imported(store, tmp_path / "logs", now="2026-06-26T09:00:00Z")
    assert (again.read, [day.outcome for day in again.days]) == (0, ["unchanged", "unchanged"])


def test_random_imports_in_any_order_end_in_the_cubes_of_one_import_of_all(tmp_path: Path) -> None:
    for seed in range(12):
        random = Random(seed)
        dates = ["2026-06-18", "2026-06-19", "2026-06-20"]
        parts = [
            [
                row
                for date in random.sample(dates, random.randint(1, 3))
                for row in many(date, random.randint(1, 20), part)
            ]
            for part in range(random.randint(2, 6))
        ]
        step = Store.create(tmp_path / f"step{seed}")
        for part, rows in enumerate(parts):
            write = random.choice([write_parquet, write_csv])
            name = "parquet" if write is write_parquet else "csv"
            write(tmp_path / f"logs{seed}" / f"{part}.{name}", rows)
            if random.random() < 0.6:
                imported(step, tmp_path / f"logs{seed}", now=f"2026-06-26T{part:02d}:00:00Z")
        imported(step, tmp_path / f"logs{seed}", now="2026-06-27T00:00:00Z")
        for date, models in summed([row for rows in parts for row in rows]).items():
            assert cells(cube(step, date)) == models, seed


# ---- what is refused


def test_a_partition_written_twice_is_refused(store: Store, tmp_path: Path) -> None:
    rows, other = many("2026-06-20", 50), many("2026-06-21", 50)
    write_parquet(tmp_path / "logs" / "day=2026-06-20" / "a.parquet", rows)
    write_parquet(tmp_path / "logs" / "day=2026-06-20" / "a-copy.parquet", rows)
    write_parquet(tmp_path / "logs" / "day=2026-06-21" / "b.parquet", other)
    report = imported(store, tmp_path / "logs")
    assert [(day.date, day.outcome, day.code) for day in report.days] == [
        ("2026-06-20", "refused", "partition_twice"),
        ("2026-06-21", "new", None),
    ]
    assert not report.sound
    [refused] = captures(store, "2026-06-20")
    assert refused.failure == "partition_twice"
    assert "a-copy.parquet" in str(refused.found)


@pytest.mark.parametrize("late", [False, True])
def test_a_partition_written_anew_in_another_order_is_refused_too(
    store: Store, tmp_path: Path, late: bool
) -> None:
    """Another codec, another order, other row groups: as a task that ran twice leaves it."""
    rows = many("2026-06-20", 50)
    write_parquet(tmp_path / "logs" / "a.parquet", rows)
    if late:
        imported(store, tmp_path / "logs")
    write_parquet(
        tmp_path / ("late" if late else "logs") / "b.parquet",
        rows[::-1],
        compression="zstd",
        row_group_size=9,
    )
    report = imported(store, tmp_path / ("late" if late else "logs"), now="2026-06-26T09:00:00Z")
    assert [(day.outcome, day.code) for day in report.days] == [("refused", "partition_twice")]


def test_two_logs_that_only_look_alike_are_no_copies(store: Store, tmp_path: Path) -> None:
    write_parquet(tmp_path / "logs" / "a.parquet", requests("2026-06-20", (QWEN, 1, 2), (QWEN, 3, 4)))
    write_parquet(tmp_path / "logs" / "b.parquet", requests("2026-06-20", (QWEN, 1, 2), (GPT, 3, 5)))
    assert imported(store, tmp_path / "logs").sound


def test_rows_rejected_past_the_limit_refuse_their_day_and_no_other(store: Store, tmp_path: Path) -> None:
    good = many("2026-06-20", 2000)
    noon = "2026-06-20T12:00:00Z"
    write_parquet(
        tmp_path / "logs" / "a.parquet", [*good, Request(noon, QWEN, -1, 5), Request(noon, QWEN, 5, None)]
    )
    bad = many("2026-06-21", 998)
    late = "2026-06-21T12:00:00Z"
    write_parquet(
        tmp_path / "logs" / "b.parquet", [*bad, Request(late, QWEN, 10**15 + 1, 5), Request(late, None, 5, 5)]
    )
    report = imported(store, tmp_path / "logs")
    assert [(day.date, day.outcome, day.rows, day.rejected) for day in report.days] == [
        ("2026-06-20", "new", 2000, 2),
        ("2026-06-21", "refused", 998, 2),
    ]
    assert cells(cube(store, "2026-06-20")) == summed(good)["2026-06-20"]
    assert cube(store, "2026-06-20").rejected == {"tokens_missing": "1", "tokens_negative": "1"}
    assert {reason: one.rows for reason, one in report.rejected.items()} == {
        "model_missing": 1,
        "tokens_absurd": 1,
        "tokens_missing": 1,
        "tokens_negative": 1,
    }
    assert report.rejected["tokens_negative"].samples[0].endswith(f"{QWEN}, -1, 5")
    lenient = imported(store, tmp_path / "logs", now="2026-06-26T09:00:00Z", rejected_max=Fraction(2, 1000))
    assert [(day.date, day.outcome) for day in lenient.days] == [
        ("2026-06-20", "unchanged"),
        ("2026-06-21", "new"),
    ]


def test_a_refusal_is_told_once_and_the_cube_before_stays(store: Store, tmp_path: Path) -> None:
    rows = many("2026-06-20", 50)
    write_parquet(tmp_path / "logs" / "a.parquet", rows)
    imported(store, tmp_path / "logs")
    write_csv(tmp_path / "logs" / "b.csv", [Request("2026-06-20T12:00:00Z", QWEN, "many", 1)])
    for hour in ("10", "11", "12"):
        report = imported(store, tmp_path / "logs", now=f"2026-06-26T{hour}:00:00Z")
        assert [(day.outcome, day.code, day.version) for day in report.days] == [
            ("refused", "rows_rejected", 1)
        ]
    assert [one.failure for one in captures(store, "2026-06-20")] == [None, "rows_rejected"]
    assert cells(cube(store, "2026-06-20")) == summed(rows)["2026-06-20"]
    observations = Observations(store)
    observations.refresh(lambda *_: None)
    assert [code for (code,) in observations.rows("faults", "code")] == ["rows_rejected"]
    assert len(list(observations.rows("usage", "slug"))) == len(summed(rows)["2026-06-20"])


def test_an_absurd_sum_is_an_error_and_writes_nothing(store: Store, tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", requests("2026-06-20", *[(QWEN, 10**15, 10**15)] * 5000))
    with pytest.raises(BadInput, match="64 bits") as error:
        imported(store, tmp_path / "a.parquet")
    assert error.value.code == "overflow"
    assert not store.register.read()


def test_a_source_has_one_kind_of_evidence(store: Store, tmp_path: Path) -> None:
    with store.writing():
        taken = Response(
            raw=b"{}",
            captured_at=1,
            kind=KIND_RANKINGS,
            obtained="a table",
            volume_source=SOURCE,
            origin="table",
        )
        list(store.archive([taken]))
    write_parquet(tmp_path / "a.parquet", many("2026-06-20", 5))
    with pytest.raises(BadCall, match="never mixed"):
        imported(store, tmp_path / "a.parquet")
    other = Store.create(tmp_path / "other")
    imported(other, tmp_path / "a.parquet")
    volumes = tmp_path / "volumes.csv"
    volumes.write_text("date,model_permaslug,total_tokens\n2026-06-20,qwen/qwen3-max,5\n")
    with pytest.raises(BadCall, match="never mixed"):
        import_paths(other, [volumes], volume_source=SOURCE, progress=lambda *_: None)
    with pytest.raises(BadCall, match="OpenRouter's own"):
        imported(store, tmp_path / "a.parquet", source="rankings-daily")


def test_an_import_dated_before_the_last_one_is_refused(store: Store, tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", many("2026-06-20", 5))
    imported(store, tmp_path / "a.parquet")
    with pytest.raises(BadCall, match="after one of") as error:
        imported(store, tmp_path / "a.parquet", now=NOW)
    assert error.value.code == "captured_at_earlier"


def test_another_import_that_ended_meanwhile_is_not_overwritten(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_parquet(tmp_path / "logs" / "a.parquet", many("2026-06-20", 5))
    find = finding.find_logs

    def find_and_be_overtaken(*arguments: Any) -> Any:
        monkeypatch.setattr(importing, "find_logs", find)
        imported(store, tmp_path / "logs")
        return find(*arguments)

    monkeypatch.setattr(importing, "find_logs", find_and_be_overtaken)
    with pytest.raises(EnvironmentFailed, match="ended meanwhile"):
        imported(store, tmp_path / "logs", now="2026-06-26T09:00:00Z")
    assert len(captures(store, "2026-06-20")) == 1


# ---- what could make a sum wrong


def test_a_file_whose_rows_moved_to_another_day_leaves_none_behind(store: Store, tmp_path: Path) -> None:
    write_parquet(tmp_path / "logs" / "a.parquet", many("2026-06-20", 60))
    imported(store, tmp_path / "logs")
    write_parquet(tmp_path / "logs" / "a.parquet", many("2026-06-21", 60))
    report = imported(store, tmp_path / "logs", now="2026-06-26T09:00:00Z")
    assert [(day.date, day.outcome, day.rows) for day in report.days] == [
        ("2026-06-20", "changed", 0),
        ("2026-06-21", "new", 60),
    ]
    write_parquet(tmp_path / "logs" / "a.parquet", [])
    report = imported(store, tmp_path / "logs", now="2026-06-27T09:00:00Z")
    assert cells(cube(store, "2026-06-21")) == {}


def test_logs_that_are_rotated_are_not_taken_for_replaced(store: Store, tmp_path: Path) -> None:
    """The oldest is dropped, each takes the name of the one before, and a new one begins."""
    logs, rows = tmp_path / "logs", [many("2026-06-20", 35, seed) for seed in range(3)]
    for place, part in enumerate(rows, 1):
        write_csv(logs / f"app-{place}.csv", part)
    imported(store, logs)
    before = cube(store, "2026-06-20")
    (logs / "app-2.csv").rename(logs / "app-3.csv")
    (logs / "app-1.csv").rename(logs / "app-2.csv")
    write_csv(logs / "app-1.csv", many("2026-06-21", 20))
    report = imported(store, logs, now="2026-06-26T09:00:00Z")
    assert [(day.date, day.outcome) for day in report.days] == [
        ("2026-06-20", "unchanged"),
        ("2026-06-21", "new"),
    ]
    assert cube(store, "2026-06-20") == before


@pytest.mark.parametrize("after", [0, 1, 5, 64, 65])
def test_what_an_interrupted_import_left_is_taken_up(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """Of new days and of days that get a second version alike."""
    first = [row for day in range(1, 4) for row in many(f"2026-04-{day:02d}", 3)]
    write_csv(tmp_path / "logs" / "a.csv", first)
    imported(store, tmp_path / "logs")
    dates = [f"2026-{month:02d}-{day:02d}" for month in (4, 5, 6) for day in range(1, 25)]
    late = [row for date in dates for row in many(date, 2, seed=9)]
    write_csv(tmp_path / "logs" / "b.csv", late)
    archive = Store.archive

    def interrupted(self: Store, responses: Any) -> Any:
        yield from archive(self, itertools.islice(responses, after))
        raise KeyboardInterrupt

    monkeypatch.setattr(Store, "archive", interrupted)
    with pytest.raises(KeyboardInterrupt):
        imported(store, tmp_path / "logs", now="2026-06-26T09:00:00Z")
    monkeypatch.setattr(Store, "archive", archive)
    imported(store, tmp_path / "logs", now="2026-06-26T10:00:00Z")
    for date, models in summed(first + late).items():
        assert cells(cube(store, date)) == models
    assert imported(store, tmp_path / "logs", now="2026-06-26T11:00:00Z").read == 0


def test_one_folder_by_two_names_is_one_folder(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = many("2026-06-20", 60)
    write_parquet(tmp_path / "v1" / "a.parquet", rows)
    (tmp_path / "current").symlink_to(tmp_path / "v1")
    (tmp_path / "v1" / "loop").symlink_to(tmp_path / "v1")
    (tmp_path / "v1" / "again.parquet").symlink_to(tmp_path / "v1" / "a.parquet")
    assert imported(store, tmp_path / "current").sound
    more = [*rows, *many("2026-06-20", 1, seed=3)]
    write_parquet(tmp_path / "v1" / "a.parquet", more)
    monkeypatch.chdir(tmp_path / "v1")
    assert not imported(store, "../v1", now="2026-06-26T09:00:00Z").sound, "or the file counts twice"
    imported(store, "../current", now="2026-06-26T10:00:00Z")
    assert cells(cube(store, "2026-06-20")) == summed(more)["2026-06-20"]


def test_what_is_not_finished_is_not_read(store: Store, tmp_path: Path) -> None:
    rows = many("2026-06-20", 60)
    write_parquet(tmp_path / "logs" / "a.parquet", rows)
    write_parquet(tmp_path / "logs" / "_temporary" / "0" / "part-0.parquet", many("2026-06-20", 40, 5))
    write_csv(tmp_path / "logs" / ".ipynb_checkpoints" / "z.csv", many("2026-06-20", 2, 6))
    assert imported(store, tmp_path / "logs").files == 1
    assert cells(cube(store, "2026-06-20")) == summed(rows)["2026-06-20"]


def test_names_of_files_are_no_patterns(store: Store, tmp_path: Path) -> None:
    names = [
        "a[1].parquet",
        "a1.parquet",
        "b*.parquet",
        "b2.parquet",
        "c?.parquet",
        "c3.parquet",
        "d{1,2}'.parquet",
    ]
    rows = [many("2026-06-20", 9, seed) for seed, _ in enumerate(names)]
    for name, part in zip(names, rows, strict=True):
        write_parquet(tmp_path / "logs" / name, part, write_statistics=name.startswith("a"))
    imported(store, tmp_path / "logs")
    assert cells(cube(store, "2026-06-20")) == summed([row for part in rows for row in part])["2026-06-20"]


@pytest.mark.parametrize("how", ["packed", "put together", "put together elsewhere"])
def test_the_same_rows_in_other_files_are_no_more_rows(store: Store, tmp_path: Path, how: str) -> None:
    rows, logs = many("2026-06-20", 60), tmp_path / "logs"
    if how == "packed":
        write_csv(logs / "a.csv", rows)
        write_csv(logs / "a.csv.gz", rows)
    else:
        for hour in range(3):
            write_parquet(logs / "hourly" / f"{hour}.parquet", rows[hour::3])
        if how.endswith("elsewhere"):
            imported(store, logs / "hourly")
        write_parquet(logs / "daily" / "d.parquet", rows)
    address = logs / "daily" if how.endswith("elsewhere") else logs
    report = imported(store, address, now="2026-06-26T09:00:00Z")
    assert [(day.outcome, day.code) for day in report.days] == [("refused", "partition_twice")]


def test_a_correction_in_place_that_no_statistic_shows_is_read(store: Store, tmp_path: Path) -> None:
    path, rows = (
        tmp_path / "a.parquet",
        requests("2026-06-20", (QWEN, 1, 1), ("a/b", 2, 2), (GPT, 3, 3), ("x/y", 4, 4)),
    )
    write_parquet(path, rows, compression="none", use_dictionary=False)
    imported(store, path)
    swapped = [*rows[:1], rows[1]._replace(model="a/c"), *rows[2:]]
    write_parquet(path, swapped, compression="none", use_dictionary=False)
    os.utime(path, ns=(1, 1))
    imported(store, path, now="2026-06-26T09:00:00Z")
    assert cells(cube(store, "2026-06-20")) == summed(swapped)["2026-06-20"]


def test_the_last_nanoseconds_of_a_day_are_of_that_day(store: Store, tmp_path: Path) -> None:
    typed = table(requests("2026-06-20", (QWEN, 1, 1), (QWEN, 2, 2)), unit="ns", day=False)
    end = parse_instant("2026-06-21T00:00:00Z") * 1000 - 1
    write_parquet(
        tmp_path / "a.parquet", typed.set_column(0, "ts", pa.array([end] * 2, pa.timestamp("ns", "UTC")))
    )
    assert [day.date for day in imported(store, tmp_path / "a.parquet").days] == ["2026-06-20"]


def test_whole_numbers_of_every_width(store: Store, tmp_path: Path) -> None:
    rows, folder = [many("2026-06-20", 20, seed) for seed in range(5)], tmp_path / "logs"
    for part, kind in zip(rows, (pa.int16(), pa.int64(), pa.uint64(), pa.uint16(), pa.int32()), strict=True):
        typed = table(part)
        write_parquet(
            folder / f"{kind}.parquet",
            typed.set_column(2, "prompt_tokens", typed["prompt_tokens"].cast(kind)),
        )
    assert imported(store, folder).sound
    assert cells(cube(store, "2026-06-20")) == summed([row for part in rows for row in part])["2026-06-20"]
    huge = table(rows[0]).set_column(2, "prompt_tokens", pa.array([2**63 + 1] * 20, pa.uint64()))
    write_parquet(tmp_path / "huge.parquet", huge)
    report = imported(store, tmp_path / "huge.parquet", now="2026-06-26T09:00:00Z")
    assert report.rejected["tokens_absurd"].rows == 20


def test_imports_of_logs_are_no_part_of_what_is_published(store: Store, tmp_path: Path) -> None:
    """Neither their size nor that there are any."""
    write_parquet(tmp_path / "a.parquet", many("2026-06-20", 5))
    imported(store, tmp_path / "a.parquet")
    assert store.register.read()
    assert raw_list(store.register.read(), day_of(parse_instant(NOW))) == (0, b"[]")


def test_a_replacement_that_one_day_has_taken_is_one_for_the_others_too(store: Store, tmp_path: Path) -> None:
    logs, own = tmp_path / "logs", many("2026-06-21", 7, seed=5)
    write_csv(logs / "m" / "a.csv", many("2026-06-20", 30) + many("2026-06-21", 30))
    write_csv(logs / "n" / "b.csv", own)
    imported(store, logs)
    rest = many("2026-06-20", 25, seed=6)
    write_csv(logs / "m" / "a.csv", rest)
    part = imported(store, logs / "m", now="2026-06-26T09:00:00Z")
    assert [(day.date, day.outcome) for day in part.days] == [
        ("2026-06-20", "changed"),
        ("2026-06-21", "refused"),
    ]
    imported(store, logs, now="2026-06-26T10:00:00Z")
    for date, models in summed(rest + own).items():
        assert cells(cube(store, date)) == models


def test_a_file_that_moved_and_was_rewritten_then(store: Store, tmp_path: Path) -> None:
    logs, moved = tmp_path / "logs", many("2026-06-21", 60)
    write_csv(logs / "a.csv", many("2026-06-20", 60))
    imported(store, logs)
    (logs / "a.csv").rename(logs / "b.csv")
    imported(store, logs, now="2026-06-26T09:00:00Z")
    write_csv(logs / "b.csv", moved)
    imported(store, logs, now="2026-06-26T10:00:00Z")
    assert cells(cube(store, "2026-06-20")) == {}
    assert cells(cube(store, "2026-06-21")) == summed(moved)["2026-06-21"]


def test_a_log_that_is_rotated_away_stays_counted_or_refuses_its_day(store: Store, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    write_csv(logs / "app.csv", many("2026-06-20", 60))
    imported(store, logs)
    (logs / "app.csv").rename(logs / "app-1.csv")
    write_csv(logs / "app.csv", many("2026-06-20", 9, seed=2))
    imported(store, logs, now="2026-06-26T09:00:00Z")
    (logs / "app.csv").rename(logs / "app-1.csv")
    write_csv(logs / "app.csv", many("2026-06-21", 3))
    imported(store, logs, now="2026-06-26T10:00:00Z")
    assert sum(row[0] for row in cells(cube(store, "2026-06-20")).values()) == 69


def test_a_folder_that_moved_and_grew_counts_once_or_is_refused(store: Store, tmp_path: Path) -> None:
    write_csv(tmp_path / "l" / "a.csv", many("2026-06-20", 60))
    imported(store, tmp_path / "l")
    (tmp_path / "l").rename(tmp_path / "k")
    write_csv(tmp_path / "k" / "a.csv", many("2026-06-20", 61))
    report = imported(store, tmp_path / "k", now="2026-06-26T09:00:00Z")
    assert [(day.outcome, day.code) for day in report.days] == [("refused", "usage_file_gone")]


@pytest.mark.parametrize("of", ["file", "folder", "address"])
def test_a_link_that_leads_elsewhere_now_is_a_file_that_was_replaced(
    store: Store, tmp_path: Path, of: str
) -> None:
    logs, versions = tmp_path / "logs", [many("2026-06-20", count) for count in (60, 61)]
    logs.mkdir()
    for number, rows in enumerate(versions):
        write_parquet(tmp_path / f"v{number}" / "a.parquet", rows)
    link = {"file": logs / "a.parquet", "folder": logs / "day", "address": tmp_path / "current"}[of]
    for number, rows in enumerate(versions):
        link.unlink(missing_ok=True)
        link.symlink_to(tmp_path / f"v{number}" / ("a.parquet" if of == "file" else ""))
        imported(store, link if of == "address" else logs, now=f"2026-06-26T0{number}:00:00Z")
        assert cells(cube(store, "2026-06-20")) == summed(rows)["2026-06-20"]


def test_a_whole_number_past_the_sign_of_64_bits_is_absurd_and_no_other_row(
    store: Store, tmp_path: Path
) -> None:
    rows = many("2026-06-20", 60)
    counts = pa.array([*(row.prompt for row in rows[:-1]), 2**63 + 5], pa.uint64())
    write_parquet(tmp_path / "a.parquet", table(rows).set_column(2, "prompt_tokens", counts))
    report = imported(store, tmp_path / "a.parquet", rejected_max=Fraction(1, 2))
    assert report.rejected["tokens_absurd"].rows == 1
    assert cells(cube(store, "2026-06-20")) == summed(rows[:-1])["2026-06-20"]
