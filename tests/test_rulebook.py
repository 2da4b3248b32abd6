"""The rules as SQL against the reference in plain fractions, written from the rulebook by somebody else."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from markets import Taken, determine, expected, expected_summary, lists_what_it_names, make_store, summary
from mtok.archive import KIND_MODELS, KIND_RANKINGS
from mtok.calendar import parse_instant
from mtok.records import Determination

Records = dict[tuple[str, str], Determination]


def _recorded(recordings: Path) -> Iterator[Taken]:
    for kind in (KIND_MODELS, KIND_RANKINGS):
        for path in sorted((recordings / kind).glob("*.json.gz")):
            name = path.name
            instant = parse_instant(f"{name[:13]}:{name[13:15]}:{name[15:17]}Z")
            yield Taken(kind=kind, instant=instant, raw=gzip.decompress(path.read_bytes()))


@pytest.fixture(scope="module")
def market(recordings: Path) -> list[Taken]:
    return list(_recorded(recordings))


@pytest.fixture(scope="module")
def records(market: list[Taken], tmp_path_factory: pytest.TempPathFactory) -> Records:
    return determine(make_store(tmp_path_factory.mktemp("recorded") / "store", market))


@pytest.mark.parametrize(
    ("series", "value", "quality"),
    [
        ("openai", "12.640247", "good"),
        ("google-gemini", "3.324082", "good"),
        ("anthropic", "21.996056", "good"),
        ("deepseek", "0.369365", "good"),
        ("moonshot", "3.231502", "good"),
        ("qwen", "1.820618", "degraded"),
    ],
)
def test_20_june_2026(records: Records, series: str, value: str, quality: str) -> None:
    """Values computed twice in exact fractions before this program existed."""
    record = records[series, "2026-06-20"]
    assert (record.value, record.quality) == (value, quality)


def test_truncation_of_qwen_on_20_june_2026(records: Records) -> None:
    record = records["qwen", "2026-06-20"]
    found = record.diagnostics
    assert record.reasons == ("truncation",)
    assert (found.truncation_exposure, found.unseen_ratio) == ("0.234694", "7.225806")
    assert (found.truncation_low, found.truncation_high) == ("0.621220", "3.046951")


def test_a_price_that_changed_inside_the_day(records: Records) -> None:
    assert records["qwen", "2026-05-22"].value == "1.032392"


def test_a_day_without_a_price_capture_is_estimated(records: Records) -> None:
    day = [record for (_, date), record in records.items() if date == "2026-05-24"]
    assert [record.quality for record in day] == ["estimated"] * 6
    assert records["openai", "2026-05-24"].value == "9.218697"


def test_the_move_of_openai_into_20_june_2026(records: Records) -> None:
    move = records["openai", "2026-06-20"].move
    assert move
    effects = (move.price, move.mix, move.entry, move.exit)
    assert effects == ("0.000000000000", "-1.753597543023", "-0.507295302824", "0.036643007475")


def test_all_recorded_days_agree_with_the_reference(market: list[Taken], records: Records) -> None:
    found = {key: summary(record) for key, record in records.items()}
    wanted = expected([taken.capture() for taken in market], "2026-05-20", "2026-06-26")
    assert found.keys() == wanted.keys()
    for key in sorted(wanted):
        assert found[key] == expected_summary(wanted[key]), key
        assert lists_what_it_names(records[key], wanted[key]), key


def test_a_determination_sees_nothing_after_its_as_of(market: list[Taken], tmp_path: Path) -> None:
    as_of = parse_instant("2026-06-21T14:00:00Z")
    records = determine(make_store(tmp_path / "store", market), as_of=as_of)
    wanted = expected([taken.capture() for taken in market], "2026-05-20", "2026-06-20", as_of=as_of)
    assert max(date for _, date in records) == "2026-06-20"
    for key in sorted(wanted):
        assert summary(records[key]) == expected_summary(wanted[key]), key
        assert lists_what_it_names(records[key], wanted[key]), key
        assert records[key].as_of == "2026-06-21T14:00:00Z"
