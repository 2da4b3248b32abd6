"""What is recomputed because of new captures has the bytes of a full recomputation, and nothing else is touched."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

from generated import market
from markets import Taken, at, make_store, models, rankings
from mtok.archive import KIND_MODELS, Collector, Response, Store
from mtok.archive import store as store_module
from mtok.calendar import DAY, format_date, parse_date
from mtok.day import determine_days
from mtok.determination import recomputation
from mtok.sources.sample import sample_responses


def files(store: Store) -> dict[str, bytes]:
    """Return every record file, and the note of the last run."""
    folder = store.path / "determinations"
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def archived(store: Store, responses: list[Response]) -> None:
    with store.writing():
        list(store.archive(responses))


def in_full(store: Store) -> dict[str, bytes]:
    """Return the files of a run of the same captures that knows of no earlier one."""
    copy = store.path.with_name("full")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(store.path, copy)
    shutil.rmtree(copy / "determinations", ignore_errors=True)
    full = Store.open(copy)
    determine_days(full)
    return files(full)


SEEDS = [0, 1, 3, 5, *(pytest.param(seed, marks=pytest.mark.soak) for seed in (2, 4, 6, 8))]
"""Even ones come in any order, which takes many times as long; most of them are in `soak`."""


@pytest.mark.parametrize("seed", SEEDS)
def test_captures_in_random_batches_give_the_bytes_of_all_at_once(seed: int, tmp_path: Path) -> None:
    random = Random(seed)
    taken = market(seed)
    store = make_store(tmp_path / "store", [])
    parameters = make_store(tmp_path / "ranks", taken).parameters
    store.write_parameters(parameters)
    if seed % 2:
        taken.sort(key=lambda one: one.instant)
    else:
        random.shuffle(taken)
    reasons = set()
    while taken:
        size = random.randint(1, max(1, len(taken) // 3))
        batch, taken = taken[:size], taken[size:]
        archived(store, [one.response() for one in batch])
        if not any(one.kind != KIND_MODELS for one in batch) and not files(store):
            continue
        reasons.add(determine_days(store).because)
        assert files(store) == in_full(store)
    assert "no earlier run to go on from" in reasons


def test_the_sample_as_it_came_gives_the_bytes_of_all_at_once(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store")
    responses = list(sample_responses())
    first_rankings = next(n for n, one in enumerate(responses) if one.kind != KIND_MODELS)
    runs = []
    for end in range(first_rankings + 1, len(responses) + 1, 5):
        archived(store, responses[:end])
        runs.append(determine_days(store))
    archived(store, responses)
    runs.append(determine_days(store))
    assert files(store) == in_full(store)
    assert {run.because for run in runs[1:]} <= {"new captures", "nothing new for any day that has volumes"}
    assert sum(run.records for run in runs[1:]) < 6 * 38 * len(runs) * 0.6, (
        "most days are not determined again"
    )


DAY_1 = parse_date("2026-06-01")


def rows(day: int) -> list[dict[str, str]]:
    return [{"date": format_date(day), "model_permaslug": "openai/a", "total_tokens": "100"}]


def posted(day: int) -> Taken:
    price = {
        "id": "openai/a",
        "canonical_slug": "openai/a",
        "created": 1,
        "pricing": {"completion": "0.000002"},
    }
    return models(day * DAY + DAY // 2, [price | {"architecture": {"output_modalities": ["text"]}}])


@pytest.fixture(scope="module")
def determined(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of forty days, determined; not to be changed, see `forty`."""
    taken = [posted(DAY_1 + n) for n in range(41)]
    volumes = [rankings((DAY_1 + n + 1) * DAY + 1, rows(DAY_1 + n)) for n in range(40)]
    store = make_store(tmp_path_factory.mktemp("forty") / "store", [*taken, *volumes])
    determine_days(store)
    return store.path


@pytest.fixture
def forty(determined: Path, tmp_path: Path) -> Store:
    """Forty days, determined."""
    return Store.open(shutil.copytree(determined, tmp_path / "store"))


def test_the_same_again_has_nothing_to_do(forty: Store) -> None:
    before = files(forty)
    run = determine_days(forty)
    assert (run.records, run.first_date, run.because) == (0, "", "nothing new for any day that has volumes")
    assert files(forty) == before


@pytest.mark.parametrize(
    ("days_later", "first"),
    [(41, "2026-07-10"), (40, "2026-07-10"), (39, "2026-07-09"), (20, "2026-06-20"), (0, "2026-06-01")],
)
def test_a_price_begins_at_the_day_before_it(days_later: int, first: str, forty: Store) -> None:
    """R-0: the window of D ends with D + 1. Forty days are 2026-06-01 … 2026-07-10."""
    late = posted(DAY_1 + days_later)
    archived(forty, [Taken(kind=late.kind, instant=late.instant + 1_000_000, raw=late.raw + b" ").response()])
    run = determine_days(forty)
    if days_later == 41:
        assert run.records == 0
    else:
        assert (run.first_date, run.last_date) == (first, "2026-07-10")
    assert files(forty) == in_full(forty)


def test_volumes_begin_at_the_first_day_they_name(forty: Store) -> None:
    archived(forty, [rankings((DAY_1 + 50) * DAY, rows(DAY_1 + 38) + rows(DAY_1 + 41)).response()])
    run = determine_days(forty)
    assert (run.first_date, run.last_date, run.because) == ("2026-07-09", "2026-07-12", "new captures")
    assert files(forty) == in_full(forty)


def test_volumes_of_an_earlier_day_begin_at_the_beginning(forty: Store) -> None:
    archived(forty, [rankings((DAY_1 + 50) * DAY, rows(DAY_1 - 3)).response()])
    run = determine_days(forty)
    assert (run.first_date, run.because) == ("2026-05-29", "volumes of an earlier day than any before")
    assert files(forty) == in_full(forty)


def test_failed_attempts_change_nothing(forty: Store) -> None:
    failed = Response(
        raw=b"",
        captured_at=at("2026-07-10"),
        kind=KIND_MODELS,
        obtained="GET /models",
        failure="http_timeout",
    )
    archived(forty, [failed])
    assert determine_days(forty).records == 0


def test_other_parameters_of_the_store_begin_at_the_beginning(forty: Store) -> None:
    collectors = (Collector(collector="primary", rank=1), Collector(collector="other", rank=2))
    forty.write_parameters(store_module.StoreParameters(collectors=collectors))
    assert (
        determine_days(forty).because == "the rules, the formats or the parameters of the store have changed"
    )


def test_other_rules_begin_at_the_beginning(forty: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    note = recomputation.note_of
    monkeypatch.setattr(recomputation, "note_of", lambda *asked: replace(note(*asked), rules_sha256="x"))
    assert (
        determine_days(forty).because == "the rules, the formats or the parameters of the store have changed"
    )


@pytest.mark.parametrize(
    "how", ["gone", "torn", "no note", "another format", "no format", "another register"]
)
def test_what_is_missing_is_made_again(how: str, forty: Store) -> None:
    before = files(forty)
    month = forty.path / "determinations" / "1.0" / "all" / "rankings-daily" / "qwen" / "2026-07.jsonl"
    note = forty.path / "determinations" / "1.0" / "rankings-daily.run.json"
    archived(forty, [rankings((DAY_1 + 50) * DAY, rows(DAY_1 + 39)).response()])
    if how == "gone":
        month.unlink()
    elif how == "torn":
        month.write_bytes(month.read_bytes()[:-9])
    elif how == "no note":
        note.write_bytes(b"{")
    elif how == "another format":
        note.write_bytes(note.read_bytes().replace(b'"records":"mtok-records-', b'"records":"mtok-records-0'))
    elif how == "no format":
        note.write_bytes(re.sub(b',"records":"[^"]*"', b"", note.read_bytes()))
    else:
        note.write_bytes(note.read_bytes().replace(b'"head":"', b'"head":"0'))
    run = determine_days(forty)
    assert run.first_date == "2026-06-01"
    assert files(forty) == in_full(forty) != before


def test_a_run_that_was_interrupted_is_completed(forty: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its months are written, its note is not."""
    archived(forty, [rankings((DAY_1 + 50) * DAY, rows(DAY_1 + 38)).response()])
    with monkeypatch.context() as patched:
        patched.setattr("mtok.determination.folder.Determinations.note_run", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            determine_days(forty)
    assert determine_days(forty).because == "new captures"
    assert files(forty) == in_full(forty)
