"""A month of collecting under faults against the same month without: what arrived in time has the same values.

The market is the bundled sample, served on the loopback on one clock with the collector. `MTOK_MONTH_SLOTS` is how
many times a day it collects: 4 by default, 48 as the timer does (docs/evidence/interruptions.md).
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from mtok.archive import KIND_MODELS, KIND_RANKINGS, files
from mtok.calendar import DAY, SECOND, format_date, parse_date, parse_instant
from mtok.determination.folder import Determinations
from mtok.records import Determination
from mtok.replay import Fault, Recording
from mtok.watch.status import status_of
from worlds import World, world

pytestmark = pytest.mark.long

SLOTS = int(os.environ.get("MTOK_MONTH_SLOTS", "4"))
FIRST, LAST = "2026-05-25", "2026-06-24"
SERIES = ("openai", "google-gemini", "anthropic", "deepseek", "qwen", "moonshot")
Records = dict[tuple[str, str], Determination]


def slots(date: str) -> list[int]:
    """Return when a day is collected: minutes 5 and 50 of each hour, or those of 02, 08, 14 and 20 h nearest to it."""
    half_hourly = [hour * 60 + minute for hour in range(24) for minute in (5, 50)]
    minutes = half_hourly if SLOTS == 48 else [125, 485, 870, 1205]
    return [parse_date(date) * DAY + minute * 60 * SECOND for minute in minutes]


def dates(first: str = FIRST, last: str = LAST) -> list[str]:
    return [format_date(day) for day in range(parse_date(first), parse_date(last) + 1)]


def at(text: str) -> int:
    return parse_instant(f"2026-{text}:00Z")


def fault(name: str, on: str, first: str, last: str, **more: Any) -> Fault:
    return Fault(name, on=on, first=at(first), last=at(last), **more)


def collect_days(
    here: World, days: Iterable[str], down: Iterable[str] = (), around: Callable[[int], Any] | None = None
) -> None:
    """Collect at every slot of the days but those of the days `down`, and determine once a day."""
    for date in days:
        for number, slot in enumerate([] if date in down else slots(date)):
            here.clock.set(max(slot, here.clock.now()))
            try:
                if around:
                    around(slot)
                take = here.run if number == 0 else here.collect
                take(endpoints=False)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise


def records_of(here: World) -> Records:
    """Determine once more at the end of the month, and return all records."""
    here.run(f"{LAST}T23:55:00Z", endpoints=False)
    determinations = Determinations(here.store, "1.0")
    return {
        (series, record.date): record for series in SERIES for record in determinations.read(series) if record
    }


def comparable(record: Determination) -> dict[str, Any]:
    """Return what a record says of its day, without which captures say so and without earlier days."""
    return {
        "value": record.value,
        "quality": (record.quality, record.reasons),
        "sums": (record.n, record.w),
        "diagnostics": record.diagnostics,
        "constituents": {
            row.constituent: (row.tokens, row.price_seconds, row.rung, row.age_days)
            for row in record.constituents
        },
        "left out": {row.constituent: (row.tokens, row.reason) for row in record.left_out},
        "absent": {row.constituent: (row.price_seconds, row.rung, row.age_days) for row in record.absent},
    }


def differing(calm: Records, other: Records) -> dict[str, set[str]]:
    """Return the series that differ by date."""
    assert calm.keys() == other.keys()
    found: dict[str, set[str]] = {}
    for (series, date), record in calm.items():
        if comparable(record) != comparable(other[series, date]):
            found.setdefault(date, set()).add(series)
    return found


@pytest.fixture(scope="module")
def recording() -> Recording:
    return Recording.sample()


ODD_FROM = "2026-06-10"
"""The first day on which odd content is served; what was collected before is the calm month's."""


@pytest.fixture(scope="module")
def before_odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `calm` leaves a copy of its store as it is before that day."""
    return tmp_path_factory.mktemp("before") / "store"


@pytest.fixture(scope="module")
def calm(
    recording: Recording, before_odd: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[World, Records]]:
    patch = pytest.MonkeyPatch()
    path = tmp_path_factory.mktemp("calm") / "store"
    with world(path, recording, patch, at=f"{FIRST}T00:00:00Z") as here:
        collect_days(here, [date for date in dates() if date < ODD_FROM])
        shutil.copytree(path, before_odd)
        collect_days(here, dates(ODD_FROM))
        yield here, records_of(here)
    patch.undo()


def test_a_calm_month_is_collected_in_full(calm: tuple[World, Records]) -> None:
    here, records = calm
    assert len(records) == 6 * len(dates("2026-05-24", "2026-06-23"))
    assert all(record.value for (_, date), record in records.items() if date > "2026-05-24")
    kinds = [kind for (kind,) in here.rows("captures", "kind")]
    assert kinds.count(KIND_MODELS) == len(dates()) * SLOTS + 1
    asked_a_day = 2 if SLOTS == 48 else 1
    assert len(dates()) <= kinds.count(KIND_RANKINGS) <= asked_a_day * len(dates())
    assert not [failure for (failure,) in here.rows("captures", "failure") if failure]


NO_PRICES = "2026-06-05"
DOWN = ("2026-06-15", "2026-06-16", "2026-06-17")


def test_a_stormy_month_differs_only_where_prices_were_not_captured(
    calm: tuple[World, Records],
    recording: Recording,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing of what a storm leaves unanswered is lost for good but the prices of a whole day."""
    full: list[int] = []
    write = files.write_file

    def written(*asked: Any, **more: Any) -> None:
        if full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(*asked, **more)

    def around(slot: int) -> None:
        full[:] = [slot] if at("06-09T07:00") < slot < at("06-09T09:00") else []

    monkeypatch.setattr("mtok.archive.objects.write_file", written)
    storms = [
        fault("http_429", "*", "05-26T08:00", "05-26T08:40"),
        fault("http_429_reset", KIND_RANKINGS, "05-27T02:00", "05-27T02:10"),
        fault("http_503", "*", "05-28T02:00", "05-28T02:30"),
        fault("truncated_json", KIND_MODELS, "05-29T02:00", "05-29T03:00", times=2),
        fault("empty_body", KIND_RANKINGS, "05-30T02:00", "05-30T03:00", times=3),
        fault("late", KIND_RANKINGS, "06-01T00:00", "06-01T23:59"),
        fault("reset", KIND_MODELS, "06-03T14:00", "06-03T15:00", times=1),
        fault("cut_body", KIND_RANKINGS, "06-04T02:00", "06-04T03:00", times=1),
        fault("html_200", KIND_MODELS, "06-05T00:00", "06-05T23:59"),
        fault("clock_skew", "*", "06-07T00:00", "06-07T23:59", value=30),
        fault("redirect_elsewhere", "*", "06-10T20:00", "06-10T20:30"),
        fault("gzip_bomb", KIND_MODELS, "06-11T08:00", "06-11T09:00", times=1),
        fault("empty_data", KIND_MODELS, "06-12T08:00", "06-12T09:00", times=4),
        fault("http_403_html", KIND_RANKINGS, "06-13T02:00", "06-13T02:30"),
    ]
    with world(tmp_path / "store", recording, monkeypatch, at=f"{FIRST}T00:00:00Z") as here:
        here.server.arm(*storms)
        collect_days(here, dates(), DOWN, around)
        found = records_of(here)
        codes = {code for (code,) in here.rows("captures", "failure") if code}
        alarms = {
            (alarm_day.date, code)
            for alarm_day in status_of(here.store, here.clock.now(), 31).days
            for code in alarm_day.alarms
        }
    _, records = calm
    assert differing(records, found).keys() <= {NO_PRICES, *DOWN}
    assert codes == {"http_429", "http_503", "http_truncated", "payload_size", "redirect_refused", "http_403"}
    assert {
        ("2026-06-07", "clock_skew"),
        ("2026-06-11", "payload_size"),
        ("2026-06-12", "payload_empty"),
    } <= alarms
    for date, age in [(NO_PRICES, 1), (DOWN[0], 1), (DOWN[1], 2), (DOWN[2], 3)]:
        before = format_date(parse_date(date) - age)
        for series in SERIES:
            _is_carried(found[series, date], records[series, date], records[series, before], age)
    for (series, date), record in found.items():
        if date < NO_PRICES:
            assert _moved(record) == _moved(records[series, date]), (
                "the chain is the same until a day differs"
            )


def _moved(record: Determination) -> Any:
    move = replace(record.move, from_sha256="") if record.move else None
    return move, record.price_index_exact, record.average_7d


def _is_carried(record: Determination, calm: Determination, source: Determination, age: int) -> None:
    """Assert R-6, rung 3: the youngest price of the day among the days before, on the tokens of the day itself."""
    assert (record.quality, record.diagnostics.imputed_token_share) == ("estimated", "1.000000")
    prices = {row.constituent: row.price_seconds for row in source.constituents}
    tokens = {row.constituent: row.tokens for row in calm.constituents}
    for row in record.constituents:
        assert (row.rung, row.age_days, row.tokens) == ("carried", age, tokens[row.constituent])
        assert row.price_seconds == prices.get(row.constituent, row.price_seconds)


FLIPPED, FLIPPED_SLUG, FLIP = "anthropic/claude-opus-4.7", "anthropic/claude-4.7-opus-20260416", 90 * 10**12
"""90 USD per million output tokens, in 10⁻¹⁸ USD per token."""


def test_odd_content_changes_what_the_rules_say_and_nothing_else(
    calm: tuple[World, Records], before_odd: Path, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    oddities = [
        Fault("restate", on=KIND_RANKINGS, first=at("06-10T00:00"), value=3),
        fault("price_flip", KIND_MODELS, "06-12T08:00", "06-12T14:00", value=f"{FLIPPED}=0.00009"),
        fault("price_zero", KIND_MODELS, "06-14T08:00", "06-14T08:30", value=FLIPPED),
        fault("price_minus_one", KIND_MODELS, "06-16T08:00", "06-16T08:30", value=FLIPPED),
        fault("row_gone", KIND_MODELS, "06-18T08:00", "06-18T08:30", value=FLIPPED),
        fault("half_data", KIND_MODELS, "06-20T20:00", "06-20T20:30"),
        fault("volume_duplicate", KIND_RANKINGS, "06-21T02:00", "06-21T02:30", times=1),
        fault("unknown_fields", "*", "06-22T00:00", "06-22T23:59"),
    ]
    with world(before_odd, recording, monkeypatch, at=f"{ODD_FROM}T00:00:00Z") as here:
        here.server.arm(*oddities)
        collect_days(here, dates(ODD_FROM))
        found = records_of(here)
        status = status_of(here.store, here.clock.now(), 31)
    _, records = calm
    different = differing(records, found)
    assert different.keys() == {"2026-06-07", "2026-06-12"}
    _is_restated(records, found, different["2026-06-07"])
    assert different["2026-06-12"] == {"anthropic"}
    _is_flipped(records["anthropic", "2026-06-12"], found["anthropic", "2026-06-12"])
    discarded = {(row.constituent, row.reason) for row in found["anthropic", "2026-06-14"].discarded}
    assert discarded == {(FLIPPED_SLUG, "zero_glitch")}
    by_day = {day.date: set(day.alarms) for day in status.days}
    for date, code in [
        ("2026-06-12", "price_jump"),
        ("2026-06-14", "price_zero"),
        ("2026-06-16", "price_dynamic"),
        ("2026-06-18", "slug_gone"),
        ("2026-06-20", "payload_shrunk"),
        ("2026-06-21", "volume_duplicate"),
        ("2026-06-22", "schema_unknown"),
    ]:
        assert code in by_day[date], (date, code, by_day[date])
    assert any("restated" in codes for codes in by_day.values())


def _is_restated(before: Records, after: Records, series: set[str]) -> None:
    """Assert that one model's total of 7 June is 1 % higher, cut to whole tokens or rounded up, and nothing else."""
    assert len(series) >= 1
    changed = []
    for name in SERIES:
        old = {row.constituent: row.tokens for row in before[name, "2026-06-07"].constituents}
        new = {row.constituent: row.tokens for row in after[name, "2026-06-07"].constituents}
        changed += [(old[model], new[model]) for model in old if old[model] != new[model]]
    [(old_total, new_total)] = changed
    assert 0 <= new_total * 100 - old_total * 101 < 100 or 0 <= old_total * 101 - new_total * 100 < 100


def _is_flipped(before: Determination, after: Determination) -> None:
    """Assert R-5.3: the flipped price is in force from the capture that shows it to the next one that does not."""
    [old] = [row for row in before.constituents if row.constituent == FLIPPED_SLUG]
    [new] = [row for row in after.constituents if row.constituent == old.constituent]
    shown = [slot for slot in slots("2026-06-12") if at("06-12T08:00") <= slot <= at("06-12T14:00")]
    end = next(slot for slot in slots("2026-06-12") if slot > at("06-12T14:00"))
    seconds = (end - shown[0]) // SECOND
    price, rest = divmod(old.price_seconds, 86_400)
    assert rest == 0
    assert new.price_seconds == price * (86_400 - seconds) + FLIP * seconds
