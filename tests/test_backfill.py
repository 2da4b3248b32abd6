"""Archived tables to determinations: one source at a time, gaps withheld, nothing interpolated, never `good`."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtok.archive import Store
from mtok.calendar import parse_date
from mtok.day import determine_days
from mtok.determination.folder import Determinations
from mtok.errors import BadCall
from mtok.intake import import_paths
from mtok.progress import silent

PRICES = """observed_at,model_id,canonical_slug,created,completion
2026-01-05T12:00:00Z,openai/gpt-a,openai/gpt-a-2025,1700000000,0.00001
2026-01-05T12:00:00Z,openai/gpt-b,,1700000000,0.00002
2026-01-06T12:00:00Z,openai/gpt-a,openai/gpt-a-2025,1700000000,0.00003
2026-01-06T12:00:00Z,openai/gpt-b,,1700000000,0.00002
"""
VOLUMES = """date,model_id,variant,total_tokens,series,as_of
2026-01-05,openai/gpt-a,standard,300,pages,2026-01-09
2026-01-05,openai/gpt-b,standard,100,pages,2026-01-09
2026-01-05,openai/gpt-x,standard,100,pages,2026-01-09
2026-01-05,openai/gpt-a,standard,999,others,2026-01-09
2026-01-07,openai/gpt-a,standard,100,pages,2026-01-09
2026-01-07,openai/gpt-b,standard,100,pages,2026-01-09
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "prices.csv").write_text(PRICES)
    (tmp_path / "volumes.csv").write_text(VOLUMES)
    store = Store.create(tmp_path / "store")
    tables = [tmp_path / "volumes.csv", tmp_path / "prices.csv"]
    report = import_paths(store, tables, volume_source="pages", progress=silent)
    assert dict(report.tables.unresolved) == {"id_unknown": 1}
    return store


def test_a_table_of_another_source_is_determined_under_its_name(store: Store) -> None:
    """5 January: (300 × 10 + 100 × 20) ÷ 400 = 12.5; 7 January, prices carried: (30 + 20) ÷ 2 = 25, by hand."""
    run = determine_days(store, first_day=parse_date("2026-01-04"), last_day=parse_date("2026-01-08"))
    found = Determinations(store, "1.0")
    assert run.volume_source == "pages"
    assert {series.split(":")[0] for series in found.series()} == {"pages"}
    records = {record.date: record for record in found.read("pages:openai")}
    assert {date: record.value for date, record in records.items()} == {
        "2026-01-04": None,
        "2026-01-05": "12.500000",
        "2026-01-06": None,
        "2026-01-07": "25.000000",
        "2026-01-08": None,
    }
    assert records["2026-01-05"].quality == "degraded"
    assert records["2026-01-05"].reasons == ("other_source", "short_capture")
    assert records["2026-01-06"].reasons == ("no_volumes",)
    assert records["2026-01-07"].quality == "estimated"
    assert "other_source" in records["2026-01-07"].reasons
    assert {record.origin for record in records.values() if record.value} == {"table"}


def test_sources_are_never_mixed(store: Store, tmp_path: Path) -> None:
    import_paths(store, [tmp_path / "volumes.csv"], volume_source="others", progress=silent)
    with pytest.raises(BadCall) as asked:
        determine_days(store)
    assert "others, pages" in asked.value.found
    determine_days(store, volume_source="others")
    [record] = Determinations(store, "1.0").read("others:openai")
    assert (record.value, record.w) == ("10.000000", 999)
