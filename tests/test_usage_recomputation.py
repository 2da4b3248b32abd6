"""What is determined again for late captures and cubes: the bytes of a full run, and the causes that are told."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from mtok.archive import Response, Store
from mtok.calendar import DAY, parse_date
from mtok.day import determine_days
from mtok.determination.folder import Determinations
from mtok.determination.recomputation import spans
from mtok.records import Determination
from usage_markets import SOURCE, TakenCube, UsageMarket, usage_market

BUILT = "records of earlier dates"


def records(store: Store, methodology: str) -> dict[tuple[str, str], Determination]:
    """Return the records by series and date."""
    held = Determinations(store, methodology)
    return {(name, record.date): record for name in held.series() for record in held.read(name)}


def responses(usage: UsageMarket) -> list[Response]:
    """Return all there is to archive."""
    return [one.response() for one in usage.prices] + [one.response() for one in usage.cubes]


def dates(causes: dict[str, tuple[str, ...]]) -> set[int]:
    """Return the days of all causes."""
    found = set()
    for told in causes.values():
        for span in told:
            first, _, last = span.partition("/")
            found |= set(range(parse_date(first), parse_date(last or first) + 1))
    return found


@pytest.mark.parametrize("methodology", ["1.0", "completion-1.0"])
@pytest.mark.parametrize("seed", range(5))
def test_late_captures_and_cubes_in_random_batches(tmp_path: Path, seed: int, methodology: str) -> None:
    """The records are those of a full run, and every record that changed is among the dates a run names a cause of."""
    usage, random = usage_market(seed + 40), Random(seed)
    empty = UsageMarket(prices=usage.prices, cubes=[])
    store = empty.store(tmp_path / "ranks")
    late = Store.create(tmp_path / "store")
    late.write_parameters(store.parameters)
    waiting = responses(usage)
    waiting.sort(key=lambda response: response.captured_at + random.choice((0, 0, 1, 4)) * DAY)
    went_on = 0
    while waiting:
        batch, waiting = waiting[: (size := random.randint(1, 2))], waiting[size:]
        with late.writing():
            list(late.archive(batch))
        if not any(capture.volume_source for capture in late.register.read()):
            continue
        before = records(late, methodology)
        run = determine_days(late, methodology=methodology, volume_source=SOURCE)
        after = records(late, methodology)
        changed = {date for key, record in after.items() for date in [key[1]] if before.get(key) != record}
        if not run.causes:
            continue
        went_on += 1
        causes = {cause.because: cause.dates for cause in run.causes}
        own = {because: told for because, told in causes.items() if because != BUILT}
        inputs = {
            key[1] for key, one in after.items() if key not in before or before[key].inputs != one.inputs
        }
        assert {parse_date(date) for date in changed} <= dates(causes)
        assert {parse_date(date) for date in inputs} <= dates(own)
        assert not dates(own) & dates({BUILT: causes.get(BUILT, ())})
    assert went_on > 1
    full = Store.create(tmp_path / "full")
    full.write_parameters(store.parameters)
    with full.writing():
        list(full.archive(responses(usage)))
    determine_days(full, methodology=methodology, volume_source=SOURCE)
    assert records(late, methodology) == records(full, methodology)


def test_a_new_cube_is_the_cause_of_its_day_and_the_later_ones_build_on_it(tmp_path: Path) -> None:
    usage = usage_market(44)
    store = usage.store(tmp_path / "store")
    determine_days(store, volume_source=SOURCE)
    held = sorted({cube.date for cube in usage.cubes})
    last = max(cube.instant for cube in usage.cubes)
    late = TakenCube(date=held[2], instant=last + 1, cells={"qwen/qwen-a": (5, 7)})
    with store.writing():
        list(store.archive([late.response()]))
    run = determine_days(store, volume_source=SOURCE)
    assert {cause.because for cause in run.causes} == {"cubes of usage", BUILT}
    assert run.causes[0].dates == (held[2],)
    assert run.first_date == held[2]
    assert determine_days(store, volume_source=SOURCE).causes == ()


def test_spans() -> None:
    days = [parse_date(date) for date in ("2026-06-20", "2026-06-22", "2026-06-21", "2026-06-30")]
    assert spans(days) == ("2026-06-20/2026-06-22", "2026-06-30")
    assert spans([]) == ()
