"""Every alarm at its exact threshold: raised one step beyond it, not raised on it.

Prices are USD per token in the payload and USD per million in what an alarm says; all expected figures were worked
out by hand.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

import mtok
from mtok.archive import KIND_ENDPOINTS, KIND_MODELS, KIND_RANKINGS, RANKINGS_DAILY, Response
from mtok.calendar import SECOND, format_date, format_instant, parse_date
from mtok.determination.folder import Determinations
from mtok.engine import EmbeddedEngine
from mtok.observations.rankings import UNRESOLVED_REASONS
from mtok.sources.sample import sample_responses
from mtok.watch import CODES, LATE, NOTE, WARNING, Alarm, code_of
from mtok.watch.alarms import ALARMS_MAX
from test_rendering import today, yesterday
from watched import alarms, at, failed, live, prices, raised, store_of, volumes

GPT = "openai/gpt-a"
TWO_DYNAMIC = {"id": "openrouter/auto", "pricing": {"prompt": "-1", "completion": "-1"}}
JUNE_20 = ("2026-06-20", "2026-06-20")


def catalogue(when: str, count: int, **fields: Any) -> Response:
    """Return a catalogue of so many models of no series' company."""
    return prices(when, {f"other/model-{number}": "0.000001" for number in range(count)}, **fields)


# ---- payload_shrunk


@pytest.mark.parametrize(
    ("rows", "expected"),
    [(5, []), (4, [("payload_shrunk", "models", "4 rows after 10")])],
)
def test_a_catalogue_of_fewer_than_half_the_rows_has_shrunk(
    tmp_path: Path, rows: int, expected: list[tuple[str, str, str]]
) -> None:
    found = [catalogue("2026-06-20 11:00:00", 10), catalogue("2026-06-20 12:00:00", rows)]
    assert raised(tmp_path / "s", found, "payload_shrunk") == expected


def test_a_catalogue_is_compared_with_the_readable_one_before_of_the_same_collector(tmp_path: Path) -> None:
    found = [
        catalogue("2026-06-20 10:00:00", 10),
        catalogue("2026-06-20 10:30:00", 4, collector="other"),
        live("2026-06-20 11:00:00", KIND_MODELS, "no list"),
        failed("2026-06-20 11:10:00", "http_timeout"),
        catalogue("2026-06-20 12:00:00", 4),
        catalogue("2026-06-20 12:10:00", 4),
    ]
    assert raised(tmp_path / "s", found, "payload_shrunk") == [
        ("payload_shrunk", "models", "4 rows after 10")
    ]


@pytest.mark.parametrize(
    ("named", "expected"),
    [(30, []), (29, [("payload_shrunk", "rankings-daily", "29 rows of 1 days after 120 of 2")])],
)
def test_rankings_are_compared_by_rows_a_day(
    tmp_path: Path, named: int, expected: list[tuple[str, str, str]]
) -> None:
    """120 rows of 2 days are 60 a day; half of that is 30."""
    two = volumes("2026-06-20 03:00:00", {"2026-06-17": {}, "2026-06-18": {}}, named=60)
    one = volumes("2026-06-20 04:00:00", {"2026-06-19": {}}, named=named)
    assert raised(tmp_path / "s", [two, one], "payload_shrunk") == expected


# ---- unit_slip, price_jump


@pytest.mark.parametrize(
    ("last", "price", "code"),
    [
        ("0.000001", "0.000001", None),
        ("0.000001", "0.000002", None),
        ("0.000001", "0.000002000001", "price_jump"),
        ("0.000001", "0.0000005", None),
        ("0.000001", "0.000000499999", "price_jump"),
        ("0.0000001", "0.0000979999", "price_jump"),
        ("0.0000001", "0.000098", "unit_slip"),
        ("0.0000001", "0.000102", "unit_slip"),
        ("0.0000001", "0.0001020001", "price_jump"),
        ("0.0001", "0.0000000979999", "price_jump"),
        ("0.0001", "0.000000098", "unit_slip"),
        ("0.0001", "0.000000102", "unit_slip"),
        ("0.0001", "0.0000001020001", "price_jump"),
        ("0.0000000001", "0.000098", "unit_slip"),
        ("0.0000000001", "0.000102", "unit_slip"),
        ("0.0000000001", "0.0001020001", "price_jump"),
        ("0.001", "0.00000000098", "unit_slip"),
        ("0.001", "0.00000000102", "unit_slip"),
        ("0.001", "0.0000000009799", "price_jump"),
    ],
)
def test_a_price_far_from_its_last_one(tmp_path: Path, last: str, price: str, code: str | None) -> None:
    found = [prices("2026-06-20 11:00:00", {GPT: last}), prices("2026-06-20 12:00:00", {GPT: price})]
    codes = [code for code, *_ in raised(tmp_path / "s", found, "unit_slip", "price_jump")]
    assert codes == ([code] if code else [])


def test_a_price_alarm_says_both_prices_in_the_unit_of_the_index(tmp_path: Path) -> None:
    found = [
        prices("2026-06-20 11:00:00", {f"{GPT}:batch": "0.0000015"}),
        prices("2026-06-20 12:00:00", {f"{GPT}:batch": "0.00001"}),
    ]
    assert raised(tmp_path / "s", found, "price_jump") == [
        ("price_jump", f"{GPT}:batch", "10 after 1.5 USD per 1M output tokens")
    ]


def test_a_price_is_compared_with_the_last_positive_one_of_the_same_constituent_and_collector(
    tmp_path: Path,
) -> None:
    found = [
        prices("2026-06-20 08:00:00", {GPT: "0.000001", f"{GPT}:batch": "0.0000001"}),
        prices("2026-06-20 08:30:00", {GPT: "0.000009"}, collector="other"),
        prices("2026-06-20 09:00:00", {GPT: "0"}),
        prices("2026-06-20 10:00:00", {GPT: "-1"}),
        prices("2026-06-20 11:00:00", {}),
        prices("2026-06-20 12:00:00", {GPT: "0.000002"}),
    ]
    assert raised(tmp_path / "s", found, "unit_slip", "price_jump") == []


def test_where_several_rows_describe_a_constituent_the_price_is_that_of_r_3(tmp_path: Path) -> None:
    """R-3: the youngest, of equal ones the first id. A dearer twin behind it changes nothing."""
    slugs = {GPT: GPT, f"{GPT}-twin": GPT}
    found = [
        prices("2026-06-20 11:00:00", {GPT: "0.000001"}, slugs),
        prices("2026-06-20 12:00:00", {f"{GPT}-twin": "0.000009", GPT: "0.000001"}, slugs),
    ]
    assert raised(tmp_path / "s", found, "price_jump") == []


@pytest.mark.parametrize(
    ("earlier", "count"), [("2026-06-13 12:00:00", 1), ("2026-06-13 11:59:59.999999", 0)]
)
def test_a_last_price_is_at_most_seven_days_old(tmp_path: Path, earlier: str, count: int) -> None:
    found = [prices(earlier, {GPT: "0.000001"}), prices("2026-06-20 12:00:00", {GPT: "0.000003"})]
    assert len(raised(tmp_path / "s", found, "price_jump")) == count


def test_prices_of_other_companies_raise_nothing(tmp_path: Path) -> None:
    """google/gemma is no model of the series google-gemini."""
    found = [
        prices("2026-06-20 11:00:00", {"google/gemma-a": "0.000001", "other/model": "0.000001"}),
        prices("2026-06-20 12:00:00", {"google/gemma-a": "0.000009", "other/model": "0.000009"}),
    ]
    assert raised(tmp_path / "s", found, "price_jump") == []


# ---- slug_new, slug_gone, slug_renamed

SLUGS = ("slug_new", "slug_gone", "slug_renamed")


def test_slugs_that_come_and_go(tmp_path: Path) -> None:
    found = [
        prices(
            "2026-06-20 11:00:00",
            {GPT: "0.000001", "qwen/qwen-old": "0.000001", "google/gemma-a": "0.000001"},
        ),
        prices(
            "2026-06-20 12:00:00", {GPT: "0.000001", f"{GPT}:batch": "0.000001", "qwen/qwen-new:free": "0"}
        ),
    ]
    assert raised(tmp_path / "s", found, *SLUGS) == [
        ("slug_gone", "qwen/qwen-old", "id qwen/qwen-old"),
        ("slug_new", "qwen/qwen-new", "id qwen/qwen-new:free"),
    ]


def test_an_id_with_another_slug_is_renamed_and_neither_new_nor_gone(tmp_path: Path) -> None:
    found = [
        prices("2026-06-20 11:00:00", {GPT: "0.000001"}, {GPT: "openai/gpt-a-2025"}),
        prices("2026-06-20 12:00:00", {GPT: "0.000001"}, {GPT: "openai/gpt-a-2026"}),
    ]
    assert raised(tmp_path / "s", found, *SLUGS) == [
        ("slug_renamed", GPT, "slug openai/gpt-a-2025 is now openai/gpt-a-2026")
    ]


def test_a_slug_with_another_id_is_renamed(tmp_path: Path) -> None:
    slug = "openai/gpt-a-2025"
    found = [
        prices("2026-06-20 11:00:00", {"openai/gpt-a-preview": "0.000001"}, {"openai/gpt-a-preview": slug}),
        prices("2026-06-20 12:00:00", {GPT: "0.000001"}, {GPT: slug}),
    ]
    assert raised(tmp_path / "s", found, *SLUGS) == [
        ("slug_renamed", "openai/gpt-a-preview", f"id openai/gpt-a-preview is now {GPT}")
    ]


def test_a_capture_that_shrank_does_not_make_every_slug_gone_and_new(tmp_path: Path) -> None:
    whole = {f"qwen/qwen-{number}": "0.000001" for number in range(10)}
    found = [
        prices("2026-06-20 10:00:00", whole),
        prices("2026-06-20 11:00:00", {}),
        prices("2026-06-20 12:00:00", whole | {"qwen/qwen-new": "0.000001"}),
    ]
    assert raised(tmp_path / "s", found, *SLUGS) == [("slug_new", "qwen/qwen-new", "id qwen/qwen-new")]


def test_the_first_capture_of_a_collector_has_nothing_new(tmp_path: Path) -> None:
    found = [
        prices("2026-06-10 12:00:00", {"openai/gpt-old": "0.000001"}),
        prices("2026-06-20 11:00:00", {GPT: "0.000001"}, collector="other"),
        prices("2026-06-20 12:00:00", {GPT: "0.000001"}),
    ]
    assert raised(tmp_path / "s", found, *SLUGS) == [], "the one of 10 June is more than seven days before"


# ---- volume_low, restated, short_capture


def day_of_total(date: str, total: int) -> Response:
    """Return the rankings of a day with this total: 49 models of one token and one with the rest."""
    when = f"{format_date(parse_date(date) + 1)} 03:00:00"
    return volumes(when, {date: {GPT: total - 49}})


@pytest.mark.parametrize(
    ("before", "total", "low"),
    [
        ({"2026-06-17": 1_000, "2026-06-18": 400, "2026-06-19": 2_000}, 500, False),
        ({"2026-06-17": 1_000, "2026-06-18": 400, "2026-06-19": 2_000}, 499, True),
        ({"2026-06-18": 600, "2026-06-19": 1_001}, 401, False),
        ({"2026-06-18": 600, "2026-06-19": 1_001}, 400, True),
        ({"2026-05-23": 1_000}, 499, True),
        ({"2026-05-22": 1_000}, 499, False),
        ({}, 100, False),
    ],
)
def test_a_day_under_half_of_its_median_is_low(
    tmp_path: Path, before: dict[str, int], total: int, low: bool
) -> None:
    """Of two days the median is (600 + 1001) / 2 = 800.5, and half of it 400.25; 23 May is 28 days before."""
    found = [day_of_total(date, tokens) for date, tokens in before.items()]
    found.append(day_of_total("2026-06-20", total))
    codes = raised(tmp_path / "s", found, "volume_low", now="2026-06-21 04:00:00")
    assert [subject for _, subject, _ in codes] == ["2026-06-20"] * low


def test_a_low_day_belongs_to_itself_since_its_first_capture(tmp_path: Path) -> None:
    found = [
        day_of_total("2026-06-19", 1_000),
        day_of_total("2026-06-20", 400),
        volumes("2026-06-22 03:00:00", {"2026-06-20": {GPT: 401}}),
    ]
    store = store_of(tmp_path / "s", found)
    [alarm] = [one for one in alarms(store, *JUNE_20, "2026-06-22 04:00:00") if one.code == "volume_low"]
    assert alarm == Alarm(
        day="2026-06-20",
        code="volume_low",
        subject="2026-06-20",
        found="450 tokens; the median of the 28 days before is 1000 (1 held)",
        since="2026-06-21T03:00:00Z",
        count=1,
    )


def test_totals_are_exact_to_the_last_digit(tmp_path: Path) -> None:
    """2**53 + 3 is no double: half of it, rounded down, is 4503599627370497."""
    found = [day_of_total("2026-06-19", 2**53 + 3), day_of_total("2026-06-20", 4_503_599_627_370_497)]
    assert raised(tmp_path / "s", found, "volume_low", now="2026-06-21 04:00:00") == [
        (
            "volume_low",
            "2026-06-20",
            "4503599627370497 tokens; the median of the 28 days before is 9007199254740995 (1 held)",
        )
    ]


def test_a_day_restated_says_which_constituents_changed(tmp_path: Path) -> None:
    many = {f"qwen/qwen-{number}": 10 for number in range(6)}
    found = [
        volumes("2026-06-20 03:00:00", {"2026-06-18": {GPT: 10}, "2026-06-19": {GPT: 10, f"{GPT}:free": 5}}),
        volumes("2026-06-20 04:00:00", {"2026-06-18": {GPT: 10}, "2026-06-19": {GPT: 11}}),
        volumes("2026-06-20 05:00:00", {"2026-06-19": {GPT: 11}}),
        volumes("2026-06-20 06:00:00", {"2026-06-18": many}, named=6),
        volumes("2026-06-20 07:00:00", {"2026-06-18": dict.fromkeys(many, 11)}, named=6),
    ]
    said = raised(tmp_path / "s", found, "restated")
    assert [subject for _, subject, _ in said] == ["2026-06-18", "2026-06-19"]
    # 18 June changes twice; the first time 49 fillers and gpt-a go and six models come.
    gone = ", ".join(f"author/model-{number:02} 1 → no row" for number in range(5))
    assert said[0][2] == f"56 changed: {gone}, and 51 more"
    assert said[1][2] == f"3 changed: author/model-48 no row → 1, {GPT} 10 → 11, {GPT}:free 5 → no row"


def test_the_same_rows_again_are_no_restatement_nor_are_those_of_another_source(tmp_path: Path) -> None:
    first = volumes("2026-06-20 03:00:00", {"2026-06-19": {GPT: 10}})
    again = volumes("2026-06-20 04:00:00", {"2026-06-19": {GPT: 10}})
    other = live("2026-06-20 05:00:00", KIND_RANKINGS, {"data": [_row("2026-06-19", GPT, 99)]})
    store = [first, again, _of_source(other, "other")]
    assert raised(tmp_path / "s", store, "restated") == []


def _row(date: str, slug: str, tokens: int) -> dict[str, object]:
    return {"date": date, "model_permaslug": slug, "total_tokens": tokens}


def _of_source(response: Response, source: str) -> Response:
    fields = {name: getattr(response, name) for name in response.__dataclass_fields__}
    return Response(**fields | {"volume_source": source})


def test_a_short_day_belongs_to_itself(tmp_path: Path) -> None:
    store = store_of(
        tmp_path / "s",
        [
            volumes("2026-06-21 03:00:00", {"2026-06-20": {}}, named=49),
            volumes(
                "2026-06-21 04:00:00", {"2026-06-20": {}}, named=49, server_date=at("2026-06-21 04:00:00")
            ),
        ],
    )
    [alarm] = [one for one in alarms(store, *JUNE_20, "2026-06-21 05:00:00") if one.code == "short_capture"]
    assert (alarm.subject, alarm.since, alarm.count) == ("2026-06-20", "2026-06-21T03:00:00Z", 2)


# ---- clock, faults


@pytest.mark.parametrize(
    ("skew", "expected"),
    [
        (2 * SECOND, []),
        (-2 * SECOND, []),
        (2 * SECOND + 1, [("clock_skew", "clock", "2.0 s ahead of the server")]),
        (-60 * SECOND, [("clock_skew", "clock", "60.0 s behind the server")]),
        (60 * SECOND + 1, [("clock_wrong", "clock", "60.0 s ahead of the server")]),
        (-3_600 * SECOND, [("clock_wrong", "clock", "3600.0 s behind the server")]),
    ],
)
def test_a_clock_off_the_servers(tmp_path: Path, skew: int, expected: list[tuple[str, str, str]]) -> None:
    captured = "2026-06-20 12:00:00"
    found = [prices(captured, {GPT: "0.000001"}, server_date=at(captured) - skew)]
    assert raised(tmp_path / "s", found, "clock_skew", "clock_wrong") == expected


def test_faults_are_one_alarm_a_day_and_subject(tmp_path: Path) -> None:
    found = [
        prices("2026-06-19 23:00:00", {"openrouter/auto": "-1"}),
        prices("2026-06-20 10:00:00", {"openrouter/auto": "-1", "x/y": "1_0"}),
        prices("2026-06-20 11:00:00", {"openrouter/auto": "-1"}),
        live("2026-06-20 11:20:00", KIND_MODELS, {"data": [TWO_DYNAMIC]}),
        prices("2026-06-20 11:30:00", {"openrouter/auto": "-1"}, collector="other"),
        failed("2026-06-20 11:40:00", "http_429"),
        failed("2026-06-20 11:50:00", "http_429", KIND_RANKINGS, volume_source=RANKINGS_DAILY),
        failed("2026-06-20 11:55:00", "http_429", KIND_ENDPOINTS, subject=GPT),
        failed("2026-06-20 11:56:00", "http_429", KIND_ENDPOINTS, subject=GPT),
        live("2026-06-20 12:00:00", KIND_MODELS, "no list"),
    ]
    said = [
        (one.code, one.subject, one.since, one.count)
        for one in alarms(store_of(tmp_path / "s", found), *JUNE_20, "2026-06-20 12:30:00")
        if one.code.startswith(("http", "price", "payload"))
    ]
    assert said == [
        ("http_429", f"endpoints {GPT}", "2026-06-20T11:55:00Z", 2),
        ("http_429", "models", "2026-06-20T11:40:00Z", 1),
        ("http_429", "rankings-daily", "2026-06-20T11:50:00Z", 1),
        ("payload_shape", "models", "2026-06-20T12:00:00Z", 1),
        ("price_dynamic", "openrouter/auto", "2026-06-20T10:00:00Z", 3),
        ("price_dynamic", "other openrouter/auto", "2026-06-20T11:30:00Z", 1),
        ("price_grammar", "x/y", "2026-06-20T10:00:00Z", 1),
    ]


def test_a_day_and_code_has_a_limit(tmp_path: Path) -> None:
    """Two captures with 600 bad prices each, of different models: 1,000 are listed and 200 counted."""
    half = ALARMS_MAX * 6 // 10
    found = [
        prices(f"2026-06-20 1{hour}:00:00", {f"other/m-{hour}-{number:04}": "x" for number in range(half)})
        for hour in range(2)
    ]
    said = [
        one
        for one in alarms(store_of(tmp_path / "s", found), *JUNE_20, "2026-06-20 12:30:00")
        if one.code == "price_grammar"
    ]
    assert [one.subject for one in said[:2]] == ["other/m-0-0000", "other/m-0-0001"]
    assert len(said) == ALARMS_MAX + 1
    assert (said[-1].subject, said[-1].found, said[-1].count) == ("", "200 more", 200)
    assert sum(one.alarms for one in said) == 1_200


# ---- jump, late


def test_a_record_that_jumped(tmp_path: Path) -> None:
    """The records of the rendering tests: 6.0 after 6.8, one with the note and one without."""
    store = store_of(tmp_path / "s", [prices("2026-06-20 10:00:00", {GPT: "0.000001"})])
    noted = replace(today(), notes=("jump",))
    Determinations(store, "1.0").write([yesterday(), noted, replace(today(), series="qwen", notes=())])
    said = [
        one
        for one in alarms(store, yesterday().date, today().date, "2026-06-30 12:00:00")
        if one.code == "jump"
    ]
    assert [(one.day, one.subject, one.found) for one in said] == [
        (noted.date, noted.series, f"{noted.value} after 6.800000 of {yesterday().date}")
    ]


@pytest.mark.parametrize(
    ("now", "late"),
    [
        ("2026-06-20 15:00:00", []),
        ("2026-06-20 15:00:00.000001", [("stale_prices", "models", "the newest is of 2026-06-20T12:00:00Z")]),
    ],
)
def test_prices_are_late_after_three_hours(
    tmp_path: Path, now: str, late: list[tuple[str, str, str]]
) -> None:
    found = [
        prices("2026-06-20 12:00:00", {GPT: "0.000001"}),
        live("2026-06-20 13:00:00", KIND_MODELS, "no list"),
        failed("2026-06-20 14:00:00", "http_timeout"),
        prices("2026-06-20 14:30:00", {GPT: "0.000001"}, collector="other"),
    ]
    assert raised(tmp_path / "s", found, "stale_prices", now=now) == late


@pytest.mark.parametrize(
    ("now", "late"),
    [
        ("2026-06-20 05:59:59.999999", []),
        ("2026-06-20 06:00:00", ["2026-06-19 is not held; the newest day held is 2026-06-18"]),
    ],
)
def test_rankings_are_late_at_six_of_the_day_after(tmp_path: Path, now: str, late: list[str]) -> None:
    found = [
        volumes("2026-06-19 03:00:00", {"2026-06-18": {}}),
        live("2026-06-20 03:00:00", KIND_RANKINGS, {"data": [_row("2026-06-19", GPT, -1)]}),
    ]
    assert [said for *_, said in raised(tmp_path / "s", found, "stale_rankings", now=now)] == late


def test_days_before_the_first_capture_are_not_late(tmp_path: Path) -> None:
    found = [prices("2026-06-20 01:00:00", {GPT: "0.000001"})]
    assert raised(tmp_path / "s", found, "stale_rankings") == []
    store = store_of(tmp_path / "s", found)
    late = [
        one
        for one in alarms(store, "2026-06-21", "2026-06-21", "2026-06-21 06:00:00")
        if one.code != "slug_new"
    ]
    assert [(one.code, one.found) for one in late] == [
        ("stale_prices", "the newest is of 2026-06-20T01:00:00Z"),
        ("stale_rankings", "2026-06-20 is not held; no day held"),
    ]


def test_a_store_whose_every_attempt_failed_is_late(tmp_path: Path) -> None:
    said = raised(tmp_path / "s", [failed("2026-06-20 09:00:00", "http_401")], "stale_prices", "http_401")
    assert said == [("http_401", "models", "made up"), ("stale_prices", "models", "no readable capture")]


def test_an_archive_that_never_collected_is_never_late(tmp_path: Path) -> None:
    old = prices("2026-06-01 12:00:00", {GPT: "0.000001"})
    fields = {name: getattr(old, name) for name in old.__dataclass_fields__}
    imported = Response(**fields | {"http_status": None})
    assert raised(tmp_path / "s", [imported], *[code for code in CODES if code.startswith("stale_")]) == []


@pytest.mark.parametrize(
    ("now", "late"), [("2026-06-20 06:59:59.999999", False), ("2026-06-20 07:00:00", True)]
)
def test_a_day_held_and_not_determined_is_late(tmp_path: Path, now: str, late: bool) -> None:
    found = [
        prices("2026-06-19 06:00:00", {GPT: "0.000001"}),
        volumes("2026-06-20 03:00:00", {"2026-06-19": {}}),
    ]
    said = raised(tmp_path / "s", found, "stale_prints", now=now)
    missing = "openai, google-gemini, anthropic, deepseek, qwen, moonshot"
    expected = ("stale_prints", "determinations", f"2026-06-19 is held and not determined for {missing}")
    assert said == [expected] * late


# ---- all together


def test_the_same_store_has_the_same_alarms_in_whatever_order_it_was_filled(tmp_path: Path) -> None:
    found = [
        prices("2026-06-20 10:00:00", {GPT: "0.000001", "openrouter/auto": "-1"}),
        prices("2026-06-20 11:00:00", {GPT: "0.000009", "qwen/new": "0"}),
        volumes("2026-06-20 03:00:00", {"2026-06-19": {GPT: 10}}),
        volumes("2026-06-20 04:00:00", {"2026-06-19": {GPT: 12}}, named=20),
        failed("2026-06-20 11:40:00", "http_429"),
    ]
    one, other = store_of(tmp_path / "a", found), store_of(tmp_path / "b", reversed(found))
    said = alarms(one, *JUNE_20, "2026-06-20 12:30:00")
    assert said == alarms(other, *JUNE_20, "2026-06-20 12:30:00")
    assert [(alarm.day, alarm.code, alarm.subject) for alarm in said] == sorted(
        (alarm.day, alarm.code, alarm.subject) for alarm in said
    )
    assert {alarm.code for alarm in said} == {
        *("http_429", "payload_shrunk", "price_dynamic", "price_jump", "price_zero", "restated", "slug_new"),
    }


def test_what_was_captured_after_now_is_not_seen(tmp_path: Path) -> None:
    found = [
        prices("2026-06-20 10:00:00", {GPT: "0.000001"}),
        prices("2026-06-20 11:00:00", {GPT: "0.000009"}),
    ]
    assert raised(tmp_path / "s", found, "price_jump", now="2026-06-20 10:59:59") == []


def test_an_empty_store_has_no_alarms(tmp_path: Path) -> None:
    assert alarms(store_of(tmp_path / "s", []), "2026-06-01", "2026-06-20", "2026-06-20 12:00:00") == []


def test_the_sample_of_38_days_is_quiet(tmp_path: Path) -> None:
    """Looked at one by one: the only price is qwen3-235b-a22b-thinking-2507, 1.495 to 0.1 on 31 May, as recorded."""
    store = store_of(tmp_path / "s", sample_responses())
    said = alarms(store, "2026-05-01", "2026-06-27", "2026-06-27 14:00:00")
    assert Counter(alarm.code for alarm in said) == {"slug_new": 10, "slug_gone": 12, "price_jump": 1}


def test_every_code_the_program_knows_has_a_meaning() -> None:
    """Of decoders by their sources, of alarms by theirs."""
    source = Path(mtok.__file__).parent
    texts = "".join(path.read_text("utf-8") for path in (source / "observations").glob("*.py"))
    raised_here = set(re.findall(r'(?:\.add\(|PayloadFault\(|\.schema\()\s*"([a-z_0-9]+)"', texts))
    raised_here |= set(re.findall(r'"((?:price|payload)_[a-z_0-9]+)"', texts))
    sql = "".join(path.read_text("utf-8") for path in (source / "watch" / "sql").glob("*.sql"))
    raised_here |= set(re.findall(r"'([a-z]+_[a-z]+)'", sql))
    assert {"price_zero", "payload_utf8", "volume_low", "slug_gone", "slug_renamed"} <= raised_here
    assert sorted((raised_here | UNRESOLVED_REASONS) - CODES.keys() - {"price_seconds"}) == []


@pytest.mark.parametrize(
    ("code", "family"),
    [
        ("http_410", "http_4xx"),
        ("http_503", "http_5xx"),
        ("http_429", "http_429"),
        ("http_302", "http_3xx"),
        ("http_redirects", "http_other"),
        ("http_body", "http_other"),
    ],
)
def test_a_failure_without_a_row_is_told_by_its_family(code: str, family: str) -> None:
    assert code_of(code) == CODES[family]


def test_an_unknown_code_is_a_warning() -> None:
    assert code_of("brand_new").severity == WARNING
    assert {meant.severity for meant in CODES.values()} == {LATE, WARNING, NOTE}


def test_the_document_lists_every_code_as_the_program_has_it() -> None:
    text = (Path(__file__).parents[1] / "docs" / "operations.md").read_text("utf-8")
    for code, meant in CODES.items():
        assert f"| `{code}` | {meant.severity} | {meant.meaning} | {meant.remedy} |" in text


# ---- catalogues with the same bytes, which are most of a live store


@pytest.mark.parametrize("seed", range(8))
def test_leaving_out_repeated_catalogues_changes_no_alarm(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catalogues of a few kinds in long rows of equal ones, with gaps of days, failures and another collector's."""
    random = Random(seed)
    model = [GPT, "openai/gpt-b", "qwen/qwen-c", "anthropic/d", "google/gemini-e"]
    kinds = [dict.fromkeys(model[:count], price) for count in (5, 2) for price in ("0.000001", "0.000003")]
    instant, last, taken, posted = at("2026-05-20 12:00:00"), at("2026-06-20 12:00:00"), [], kinds[0]
    while instant < last:
        posted = random.choice(kinds) if random.random() < 0.15 else posted
        when = format_instant(instant).replace("T", " ").removesuffix("Z")
        collector = "other" if random.random() < 0.1 else "primary"
        taken.append(
            prices(when, posted, collector=collector)
            if random.random() < 0.9
            else failed(when, "http_timeout")
        )
        instant += random.choice([1, 1, 3, 8, 8, 200 if random.random() < 0.2 else 1]) * 3_600 * SECOND
    store = store_of(tmp_path / "s", taken)
    seen = ("2026-05-22", "2026-06-20", "2026-06-20 12:00:00")
    found = alarms(store, *seen)
    query, left_out = EmbeddedEngine.query, []

    def query_all(engine: EmbeddedEngine, name: str, text: str) -> None:
        query(engine, name, text)
        if name == "watched_captures":
            left_out.extend(engine.rows(f"SELECT 1 FROM {name} WHERE repeated"))
            query(engine, name, f"SELECT * REPLACE (FALSE AS repeated) FROM {name}")

    monkeypatch.setattr(EmbeddedEngine, "query", query_all)
    assert alarms(store, *seen) == found
    assert {alarm.code for alarm in found} & {"price_jump", "slug_gone", "payload_shrunk"}
    assert left_out
