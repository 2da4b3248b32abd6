"""Published records against what they claim: a determination at their as_of, linked to what was in force (R-0, B2).

And the flow: days of runs every half hour against a replay, and a restatement upstream (B8).
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest

from markets import Taken, make_store
from mtok.archive import RANKINGS_DAILY, Store
from mtok.calendar import DAY, format_date, format_instant, parse_date, parse_instant
from mtok.determination.assembly import Request
from mtok.determination.determine import determine
from mtok.determination.inputs import Evidence
from mtok.engine import EmbeddedEngine
from mtok.methodology import load
from mtok.observations import Observations
from mtok.progress import silent
from mtok.publication.operators import create_key
from mtok.publication.published import FOLDER, Published
from mtok.records import Determination, PublishedRecord
from mtok.replay import Fault, Recording
from mtok.watch.status import status_of
from presses import BEGUN, HOUR, ORIGIN, SERIES, Desk, at, begun_desk, ranked, usual_days
from worlds import world

pytestmark = pytest.mark.usefixtures("quick_disk")

MARKET = [
    *(
        one
        for one in usual_days("2026-01-09", "2026-01-14")
        if not at("2026-01-10 05:30:00") <= one.instant < at("2026-01-10 06:00:00")
    ),
    ranked(at("2026-01-10 15:30:00"), [parse_date("2026-01-08")], {"openai/a": 9, "openai/b": 7}),
    ranked(at("2026-01-11 16:00:00"), [parse_date("2026-01-09")], {"openai/a": 5, "qwen/q": 5}),
]
"""Usual days; the totals of 9 January come a day late, those of the 8th are restated."""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A publisher of a week: prints, a late day, a correction that takes the place of one, one that does not."""
    desk = begun_desk(tmp_path_factory.mktemp("week")).copy(tmp_path_factory.mktemp("copy") / "desk", MARKET)
    desk.publish("2026-01-09 06:00:00")
    desk.publish("2026-01-09 14:00:00")
    desk.publish("2026-01-10 14:00:00")
    desk.restate("2026-01-10 15:45:00", "2026-01-08", reason="source_restated")
    desk.publish("2026-01-11 06:30:00")
    desk.publish("2026-01-11 16:30:00")
    desk.publish("2026-01-13 14:00:00")
    desk.publish("2026-01-14 14:00:00")
    return desk


@pytest.fixture(scope="module")
def records(desk: Desk) -> list[PublishedRecord]:
    """Every record, in the order in which they were published."""
    published = desk.published
    return [published.record(one) for one in sorted(published.vintages.all(), key=lambda one: one.index)]


def in_force_for(record: PublishedRecord, records: list[PublishedRecord]) -> dict[str, PublishedRecord]:
    """Return, by date, what was in force of the series when a record was made: a loop over all records before it.

    Of each earlier date the one with the greatest `as_of` not after this one's, among those that may be linked to.
    """
    found: dict[str, PublishedRecord] = {}
    for one in records:
        if one is record:
            break
        if one.series != record.series or one.date >= record.date or one.stage == "informational":
            continue
        if parse_instant(one.as_of or "") <= parse_instant(record.as_of or ""):
            found[one.date] = max(
                (one, found.get(one.date, one)), key=lambda each: parse_instant(each.as_of or "")
            )
    return found


def test_the_week_has_what_it_is_meant_to_have(records: list[PublishedRecord], desk: Desk) -> None:
    stages = Counter(f"{one.stage} {one.reason or ''}".strip() for one in records)
    assert {"prelim", "final", "backfill", "final source_late", "informational source_restated"} <= set(
        stages
    )
    assert desk.findings() == []


def test_records_name_what_was_in_force(records: list[PublishedRecord]) -> None:
    linked = 0
    for record in records:
        before = in_force_for(record, records)
        day = parse_date(record.date)
        recent = {date: one for date, one in before.items() if day - 30 <= parse_date(date)}
        named = {one.date: one.sha256 for one in record.earlier}
        assert named == {date: one.determination_sha256 for date, one in recent.items()}, record.date
        printed = [recent[date] for date in sorted(recent) if recent[date].value is not None]
        if record.value is not None and printed:
            assert record.move
            assert record.move.from_sha256 == printed[-1].determination_sha256
            assert record.move.from_value == printed[-1].value
            linked += 1
    assert linked > 10


def test_averages_and_price_index_go_on_over_publications(records: list[PublishedRecord]) -> None:
    """R-8.2 and R-8.3 from the values and factors as printed: 12 decimals of the factor leave 6 of the index."""
    averaged = chained = 0
    for record in records:
        before = in_force_for(record, records)
        week = [before[date] for date in before if parse_date(date) > parse_date(record.date) - 7]
        values = [Fraction(one.value) for one in (*week, record) if one.value is not None]
        assert record.average_7d_days == len(values)
        if record.average_7d is not None:
            assert abs(Fraction(record.average_7d) - sum(values, Fraction()) / len(values)) <= Fraction(
                1, 2 * 10**6
            )
            averaged += 1
        if record.move and record.move.factors:
            [start] = [one for one in before.values() if one.determination_sha256 == record.move.from_sha256]
            found = Fraction(start.price_index_exact or "") * Fraction(record.move.factors.price)
            assert abs(found - Fraction(record.price_index_exact or "")) < Fraction(1, 10**9)
            chained += 1
    assert averaged
    assert chained > 10


def test_as_of_never_falls_within_a_publication(records: list[PublishedRecord]) -> None:
    for known_at in {one.known_at for one in records}:
        dates = [(one.date, parse_instant(one.as_of or "")) for one in records if one.known_at == known_at]
        assert [as_of for _, as_of in dates] == sorted(as_of for _, as_of in dates)


def test_a_record_is_the_determination_at_its_as_of(
    records: list[PublishedRecord], desk: Desk, tmp_path: Path
) -> None:
    """B2: from a store that never had anything later, linked by the loop above."""
    everything = [*BEGUN, *MARKET]
    stores: dict[str, Store] = {}
    editions: dict[tuple[str, str, str], list[PublishedRecord]] = {}
    for record in records:
        if record.series in ("openai", "qwen"):
            editions.setdefault((record.as_of or "", record.date, record.known_at), []).append(record)
    for (as_of, date, _), edition in editions.items():
        if as_of not in stores:
            until = [one for one in everything if one.instant <= parse_instant(as_of)]
            stores[as_of] = observed(tmp_path / str(len(stores)), until)
        earlier = {}
        for record in edition:
            before = in_force_for(record, records)
            earlier[record.series] = [before[one].determination for one in sorted(before)]
        assert len(earlier) == len(edition), "a series is published once in an edition"
        for store in (stores[as_of], desk.store):
            found = determined(store, date, as_of, earlier)
            for record in edition:
                assert found[record.series].sha256 == record.determination_sha256, (date, record.stage)


def observed(path: Path, taken: list[Taken]) -> Store:
    """Return a new store of these captures, observed."""
    store = make_store(path, taken)
    Observations(store).refresh(silent)
    return store


def determined(
    store: Store, date: str, as_of: str, earlier: dict[str, list[Determination]]
) -> dict[str, Determination]:
    """Return the determinations of a date at an as_of by series. earlier : what each links to, oldest first"""
    day, instant, engine = parse_date(date), parse_instant(as_of), EmbeddedEngine()
    evidence = Evidence(Observations(store), engine, volume_source=RANKINGS_DAILY, as_of=instant)
    request = Request(
        methodology=load("1.0"),
        volume_source=RANKINGS_DAILY,
        first_day=day,
        last_day=day,
        as_of=instant,
        complete=False,
    )
    return {one.series: one for one in determine(request, evidence, engine, silent, earlier)}


# ---- days of runs

HALF_HOURS = [number * DAY // 48 for number in range(48)]
FEW = [hour * HOUR // 2 for hour in (0, 5, 11, 12, 13, 27, 28, 29, 40)]
"""Midnight, 02:30, 05:30, 06:00, 06:30, 13:30, 14:00, 14:30, 20:00."""


@pytest.mark.parametrize(("days", "slots"), [(2, FEW), pytest.param(5, HALF_HOURS, marks=pytest.mark.soak)])
def test_runs_publish_two_vintages_a_series_and_day_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int, slots: list[int]
) -> None:
    first = parse_date("2026-06-19")
    with world(tmp_path / "store", Recording.sample(), monkeypatch, at="2026-06-18T21:00:00Z") as here:
        here.run(endpoints=False, outside=lambda _: tmp_path / "head")
        create_key(here.store, ORIGIN, bytes(32))
        for day in range(first, first + days):
            for slot in slots:
                now = max(day * DAY + slot, here.clock.now())
                done = here.run(now, endpoints=False, outside=lambda _: tmp_path / "head")
                assert done.published is not None or day == first, format_instant(now)
        published = Published(here.store.path / FOLDER)
    printed = Counter((one.series, one.date) for one in published.vintages.all())
    for day in range(first - 1, first + days - 1):
        for series in SERIES:
            listed = published.vintages.of((series, "1.0", format_date(day)))
            if day > first - 1:
                assert [(one.stage, one.reason) for one in listed] == [("prelim", None), ("final", None)]
    assert {count for (_, date), count in printed.items() if date < format_date(first - 1)} <= {1}
    notices = {entry["type"] for entry in published.entries}
    assert notices <= {"method", "raw", "point", "nodata", "prices", "asof"}


def test_a_restatement_upstream_raises_an_alarm_and_leaves_what_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B8: the totals of D−3 come again with another total; only an operator publishes it, as information."""
    with world(tmp_path / "store", Recording.sample(), monkeypatch, at="2026-06-18T14:00:00Z") as here:
        for day in (18, 19):
            here.collect(f"2026-06-{day}T14:00:00Z", endpoints=False)
        create_key(here.store, ORIGIN, bytes(32))
        here.run("2026-06-20T14:00:00Z", endpoints=False)
        published = Published(here.store.path / FOLDER)
        before = {path: path.read_bytes() for path in (published.folder / "records").rglob("*.json")}
        first = parse_instant("2026-06-21T00:00:00Z")
        here.server.arm(Fault("restate", on="rankings-daily", first=first, last=first + 10 * DAY, value=3))
        here.run("2026-06-21T14:00:00Z", endpoints=False)
        alarms = {code for day in status_of(here.store, here.clock.now(), 31).days for code in day.alarms}
        assert "restated" in alarms
        now = {path: path.read_bytes() for path in (published.folder / "records").rglob("*.json")}
        assert {path: now[path] for path in before} == before
        assert {path.name.split(".")[0] for path in now.keys() - before.keys()} == {"2026-06-20"}
        desk = Desk(tmp_path)
        desk.head.unlink(missing_ok=True)
        done = desk.restate(here.clock.now(), "2026-06-18", *SERIES, reason="source_restated")
        assert {one.stage for one in done.records} == {"informational"}
