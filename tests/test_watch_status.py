"""The status of thirty days, and the page it is shown on: captures, gaps, rankings, prints, what is late."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from mtok.archive import PRIMARY, Collector, StoreParameters
from mtok.calendar import SECOND
from mtok.cli.standing import status_content, status_page
from mtok.cli.terminal import showable
from mtok.determination.folder import Determinations
from mtok.engine import EmbeddedEngine
from mtok.observations import Observations
from mtok.watch import Alarm, DayStatus, Print, Publishing, Status, status_of
from mtok.watch.freshness import freshness_of
from mtok.watch.status import FREE_BYTES_MIN, longest_gap
from test_rendering import today, withheld
from watched import at, failed, live, prices, store_of, volumes

GPT = "openai/gpt-a"
HOUR = 3_600
NOTHING: dict[str, Print | None] = dict.fromkeys(
    ("openai", "google-gemini", "anthropic", "deepseek", "qwen", "moonshot")
)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Status:
    """Three days and a half of a live store, seen at 15:30 of the fourth."""
    posted = {GPT: "0.000001"}
    found = [
        prices("2026-06-17 22:00:00", posted),
        prices("2026-06-18 06:00:00", posted),
        prices("2026-06-18 07:00:00", posted, collector="other"),
        failed("2026-06-18 08:00:00", "http_timeout"),
        live("2026-06-18 09:00:00", "models", "no list"),
        prices("2026-06-18 16:30:00", posted),
        volumes("2026-06-19 02:05:00", {"2026-06-18": {}}),
        volumes("2026-06-19 03:05:00", {"2026-06-18": {}}),
        prices("2026-06-19 12:00:00", posted),
        live("2026-06-20 02:05:00", "rankings-daily", _rejected("2026-06-19")),
        failed("2026-06-19 15:30:00", "http_429"),
        failed("2026-06-19 15:30:00.000001", "http_429"),
        prices("2026-06-20 12:00:00", posted | {"openrouter/auto": "-1"}),
        prices("2026-06-20 13:00:00", posted | {"openrouter/auto": "-1"}),
        prices("2026-06-20 15:31:00", posted),
    ]
    store = store_of(tmp_path_factory.mktemp("watched") / "s", found)
    record = replace(today(), date="2026-06-18", series="openai", notes=())
    empty = replace(withheld(), date="2026-06-18", series="qwen", notes=())
    Determinations(store, "1.0").write([record, empty])
    return status_of(store, at("2026-06-20 15:30:00"))


def _rejected(date: str) -> dict[str, object]:
    return {"data": [{"date": date, "model_permaslug": GPT, "total_tokens": -1}]}


def day(found: Status, date: str) -> DayStatus:
    [one] = [one for one in found.days if one.date == date]
    return one


def test_there_are_thirty_days_the_newest_first(seen: Status) -> None:
    assert [seen.days[0].date, seen.days[-1].date, len(seen.days)] == ["2026-06-20", "2026-05-22", 30]


def test_days_before_the_first_capture_say_so(seen: Status) -> None:
    assert [one.date for one in seen.days if not one.before_first] == [
        "2026-06-20",
        "2026-06-19",
        "2026-06-18",
        "2026-06-17",
    ]


def test_price_captures_are_readable_ones_of_the_primary_collector_within_the_day(seen: Status) -> None:
    """18 June: 06:00 and 16:30, so the longest time without is 10 h 30; the other three do not count."""
    assert [(one.price_captures, one.longest_gap) for one in seen.days[:4]] == [
        (2, 12 * HOUR),
        (1, 12 * HOUR),
        (2, 10 * HOUR + HOUR // 2),
        (1, 22 * HOUR),
    ]


def test_today_ends_now(tmp_path: Path) -> None:
    store = store_of(tmp_path / "s", [prices("2026-06-20 01:00:00", {GPT: "0.000001"})])
    assert status_of(store, at("2026-06-20 09:00:00")).days[0].longest_gap == 8 * HOUR
    assert status_of(store, at("2026-06-21 00:00:00")).days[1].longest_gap == 23 * HOUR


def test_first_and_newest_are_found_however_far_from_either_end_they_lie(tmp_path: Path) -> None:
    """Of 23 days: another collector's prices each day, our own on three; live requests from the 14th day on."""
    own = {5: None, 8: None, 13: 200}
    taken = {}
    for number in range(23):
        collector, status = (
            (PRIMARY, own[number]) if number in own else ("other", 200 if number > 14 else None)
        )
        when = f"2026-06-{number + 1:02} 12:00:00"
        taken[at(when)] = dataclasses.replace(
            prices(when, {GPT: "0.000001"}, collector=collector), http_status=status
        )
    observations = Observations(store_of(tmp_path / "s", taken.values()))
    for now in [instant + late for instant in taken for late in (-1, 0, HOUR * SECOND)]:
        until = [response for instant, response in taken.items() if instant <= now]
        found = freshness_of(observations, EmbeddedEngine(), now)
        assert (found.first, found.first_live, found.newest_prices) == (
            min((one.captured_at for one in until), default=None),
            min((one.captured_at for one in until if one.http_status), default=None),
            max((one.captured_at for one in until if one.collector == PRIMARY), default=None),
        )


@pytest.mark.parametrize(
    ("seconds", "end", "gap"),
    [([], 100, 100), ([0, 100], 100, 100), ([40], 100, 60), ([70, 60], 100, 60), ([10, 90], 100, 80)],
)
def test_the_longest_gap(seconds: list[int], end: int, gap: int) -> None:
    assert longest_gap(seconds, end) == gap


def test_rankings_of_a_day_are_dated_or_rejected(seen: Status) -> None:
    held, rejected, none = (day(seen, date) for date in ("2026-06-18", "2026-06-19", "2026-06-17"))
    assert (held.rankings_first, held.rankings_last) == ("2026-06-19T02:05:00Z", "2026-06-19T03:05:00Z")
    assert (rejected.rankings_first, rejected.rankings_reason) == (None, "volume_range")
    assert (none.rankings_first, none.rankings_reason, held.rankings_reason) == (None, None, None)


def test_attempts_and_alarms_are_counted_by_code(seen: Status) -> None:
    assert day(seen, "2026-06-18").attempts_failed == {"http_timeout": 1}
    assert day(seen, "2026-06-19").attempts_failed == {"http_429": 2}
    assert seen.attempts_failed == {"http_429": 1}, "the other is 24 h old"
    assert seen.days[0].alarms == {"price_dynamic": 1, "stale_rankings": 1, "volume_range": 1}


def test_prints_by_series(seen: Status) -> None:
    printed = day(seen, "2026-06-18").printed
    assert printed == NOTHING | {
        "openai": Print(quality=today().quality, reasons=today().reasons),
        "qwen": Print(quality="withheld", reasons=withheld().reasons),
    }
    assert seen.days[0].printed == NOTHING


def test_what_is_newest_and_when_the_next_is_late(seen: Status) -> None:
    assert (seen.newest_prices, seen.newest_prices_age) == ("2026-06-20T13:00:00Z", 9_000)
    assert seen.prices_due == "2026-06-20T16:00:00Z"
    assert (seen.newest_rankings_day, seen.next_day) == ("2026-06-18", "2026-06-19")
    assert seen.rankings_due == "2026-06-20T06:00:00Z"
    assert [alarm.code for alarm in seen.late] == ["stale_rankings"]
    assert {alarm.day for alarm in seen.open} == {"2026-06-19", "2026-06-20"}


def test_when_a_day_is_held_the_next_is_waited_for(tmp_path: Path) -> None:
    store = store_of(tmp_path / "s", [volumes("2026-06-20 02:05:00", {"2026-06-19": {}})])
    found = status_of(store, at("2026-06-20 06:30:00"))
    assert (found.next_day, found.rankings_due) == ("2026-06-20", "2026-06-21T06:00:00Z")
    assert [alarm.code for alarm in found.late] == ["stale_prices"]


def test_an_old_day_that_came_late_is_open(tmp_path: Path) -> None:
    """16 June is held since today only, and short."""
    store = store_of(tmp_path / "s", [volumes("2026-06-20 02:05:00", {"2026-06-16": {}}, named=3)])
    codes = [(one.day, one.code) for one in status_of(store, at("2026-06-20 05:00:00")).open]
    assert ("2026-06-16", "short_capture") in codes
    assert not [
        one for one in status_of(store, at("2026-06-22 05:00:00")).open if one.code == "short_capture"
    ]


def test_a_primary_collector_counts_on_its_days_only(tmp_path: Path) -> None:
    store = store_of(tmp_path / "s", [prices("2026-06-20 01:00:00", {GPT: "0.000001"})])
    store.write_parameters(
        StoreParameters(collectors=(Collector(collector="primary", rank=1, last="2026-06-19"),))
    )
    found = status_of(store, at("2026-06-20 02:00:00"))
    assert (found.newest_prices, found.days[0].price_captures) == (None, 0)


def test_a_disk_that_fills_up_is_an_alarm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_of(tmp_path / "s", [])

    def codes(free: int) -> list[str]:
        usage = type("Usage", (), {"free": free})
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
        return [alarm.code for alarm in status_of(store, at("2026-06-20 02:00:00")).open]

    assert codes(FREE_BYTES_MIN) == []
    assert codes(FREE_BYTES_MIN - 1) == ["disk_low"]


def test_an_empty_store_has_a_status_and_a_page(tmp_path: Path) -> None:
    found = status_of(store_of(tmp_path / "s", []), at("2026-06-20 02:00:00"))
    assert found.late == ()
    assert all(one.before_first for one in found.days)
    text = "\n".join(status_page(found, 80))
    assert "none captured; never late, as nothing was collected live" in text
    assert "30 days before the first capture" in text


# ---- the page


def alarm(code: str, subject: str, found: str, count: int = 1, date: str = "2026-06-20") -> Alarm:
    return Alarm(day=date, code=code, subject=subject, found=found, since=f"{date}T01:05:00Z", count=count)


def made_up() -> Status:
    """Return a status with something of everything."""
    qualities = ("good", "degraded", "good", "estimated", "withheld")
    printed: dict[str, Print | None] = dict(
        zip(NOTHING, [Print(quality=one, reasons=()) for one in qualities], strict=False)
    )

    def one(date: str, **changes: object) -> DayStatus:
        usual = DayStatus(
            date=date,
            before_first=False,
            price_captures=32,
            longest_gap=2_700,
            rankings_first=f"{date[:-2]}{int(date[-2:]) + 1:02}T02:05:04Z",
            rankings_last=f"{date[:-2]}{int(date[-2:]) + 1:02}T02:05:04Z",
            rankings_reason=None,
            attempts_failed={},
            alarms={},
            printed=NOTHING | printed,
        )
        return replace(usual, **changes)

    late = alarm("stale_prices", "models", "the newest is of 2026-06-20T08:00:00Z")
    many = {
        "http_429": 12,
        "price_dynamic": 5,
        "price_jump": 2,
        "restated": 1,
        "slug_new": 3,
        "volume_low": 1,
    }
    return Status(
        store="/var/lib/mtok/store",
        at="2026-06-20T14:00:00Z",
        methodology="1.0",
        newest_prices="2026-06-20T08:00:00Z",
        newest_prices_age=21_600,
        prices_due="2026-06-20T11:00:00Z",
        newest_rankings_day="2026-06-19",
        next_day="2026-06-20",
        rankings_due="2026-06-21T06:00:00Z",
        publication=Publishing(
            published_at="2026-06-20T06:05:02Z", entries=1_307, next_due="2026-06-20T14:00:00Z"
        ),
        free_bytes=13_314_398_618,
        attempts_failed={"http_429": 12},
        late=(late,),
        open=(
            late,
            alarm("price_jump", "qwen/qwen3-max", "6 after 2.4 USD per 1M output tokens"),
            alarm(
                "price_jump", "openai/gpt-a:batch", "0.1 after 0.9 USD per 1M output tokens", 3, "2026-06-19"
            ),
            alarm("price_dynamic", "openrouter/auto", "-1", 18),
            alarm("price_dynamic", "", "200 more", 200),
        ),
        days=(
            one(
                "2026-06-20",
                price_captures=9,
                longest_gap=21_600,
                rankings_first=None,
                alarms={"stale_prices": 1} | many,
                printed=NOTHING,
            ),
            one("2026-06-19", alarms={"price_jump": 1}),
            one("2026-06-18", rankings_first="2026-06-21T11:00:00Z", alarms={"slug_gone": 1}),
            one(
                "2026-06-17", rankings_first=None, rankings_reason="volume_range", alarms={"volume_range": 1}
            ),
            one("2026-06-16", before_first=True, price_captures=0, printed=NOTHING),
        ),
    )


def test_the_page_line_by_line() -> None:
    shown = [showable(line, "utf-8") for line in status_page(made_up(), 80)]
    line = "─" * 80
    assert (
        shown
        == f"""\
mtok  the last 5 days                                   20 Jun 2026 14:00:00 UTC

prices     newest 20 Jun 08:00 UTC, 6 h ago; late after 20 Jun 11:00 UTC
rankings   newest day 19 Jun 2026; 20 Jun is late after 21 Jun 06:00 UTC
published  last 20 Jun 06:05 UTC, the log has 1,307 entries; next due
           20 Jun 14:00 UTC
disk       12.4 GiB free at /var/lib/mtok/store

Day         Prices   Gap    Rankings  Prints  Alarms
{line}
2026-06-20       9  6:00           –  ······  stale_prices 1, price_jump 2, …
2026-06-19      32  0:45       02:05  ●◐●◌–·  price_jump 1
2026-06-18      32  0:45  +2 d 11:00  ●◐●◌–·  slug_gone 1
2026-06-17      32  0:45    rejected  ●◐●◌–·  volume_range 1
1 day before the first capture
{line}

Prices     captures of the day; Gap: the longest time without one, h:mm
Rankings   when the day was first held, on the day after or so many days later
Prints     OpenAI, Google Gemini, Anthropic, DeepSeek, Qwen, Moonshot AI: ● good
           ◐ degraded ◌ estimated – withheld · not determined

Late
stale_prices: the newest readable capture of prices is more than 3 h old. Look
at the failed attempts and the timer (systemctl status mtok.timer); prices have
no history.
  models, 20 Jun 2026: the newest is of 2026-06-20T08:00:00Z

New alarms of today and yesterday
price_jump: a price more than doubled or halved since its last one. Compare with
the author's own price page; a cut or a promotion is normal.
  qwen/qwen3-max, 20 Jun 2026: 6 after 2.4 USD per 1M output tokens
  openai/gpt-a:batch, 19 Jun 2026, 3 times: 0.1 after 0.9 USD per 1M output
  tokens
Notes: price_dynamic 201.""".splitlines()
    )


@pytest.mark.parametrize("width", [80, 100])
def test_the_page_keeps_to_its_width_and_uses_it(width: int) -> None:
    page = status_page(made_up(), width)
    assert max(map(len, page)) == width
    row = next(line for line in page if line.startswith("2026-06-20"))
    assert len(row) > width - 25, "alarms are cut only where there is no room"


def test_the_page_in_ascii_tells_withheld_from_not_determined() -> None:
    row = next(line for line in status_page(made_up(), 80) if line.startswith("2026-06-19"))
    assert re.search(r"\*o\*~-\.", showable(row, "ascii"))


def test_many_alarms_are_counted_past_twenty() -> None:
    many = tuple(alarm("restated", f"2026-05-{number:02}", "1 changed") for number in range(1, 26))
    page = status_page(replace(made_up(), open=many, late=()), 80)
    assert "Nothing is late." in page
    assert page[-1] == "and 5 more, listed by --json"
    assert sum("1 changed" in line for line in page) == 20


def test_machines_get_the_whole_status(seen: Status) -> None:
    content = status_content(seen)
    assert msgspec.convert(content, Status) == seen
    assert content["days"][2]["printed"]["qwen"]["quality"] == "withheld"
