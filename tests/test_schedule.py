"""R-5.2: which price a capture posts for each minute of the UTC day.

The product paints windows over 1,440 minutes and cuts them into tiles. The second computation here asks for every
minute which override is the last to cover it, on the clock's own HHMM numbers, and never converts them to minutes.
"""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mtok.observations import decode_models
from mtok.observations.models import Models, PriceRow
from mtok.quantities import PRICE_SECONDS_PER_USD_PER_MTOK, rounded

DAY_SECONDS = 86_400
PROFILE = settings.get_profile(settings.get_current_profile_name())
MORE = settings(PROFILE, max_examples=PROFILE.max_examples * 8, deadline=None)


def decoded(pricing: dict[str, Any]) -> Models:
    """Return what is read of one row with that pricing."""
    return decode_models(json.dumps({"data": [{"id": "deepseek/deepseek-v4", "pricing": pricing}]}).encode())


def base_tier(pricing: dict[str, Any], dimension: str = "completion") -> list[PriceRow]:
    """Return the tiles the rules read."""
    return [
        row for row in decoded(pricing).prices if row.dimension == dimension and not row.min_prompt_tokens
    ]


def prompt_tiers(pricing: dict[str, Any]) -> list[tuple[int, int, int, int | None, str | None]]:
    """Return the completion tiles by prompt length: (above, start second, end second, price, reason)."""
    return [
        (row.min_prompt_tokens, row.start_second, row.end_second, row.price, row.reason)
        for row in decoded(pricing).prices
        if row.dimension == "completion" and row.min_prompt_tokens
    ]


def micro_usd(text: str) -> int:
    """Return USD per million tokens as 10⁻¹⁸ USD per token: 1 is 10¹²."""
    return int(Fraction(text) * 10**12)


def hours(pricing: dict[str, Any]) -> list[tuple[str, str, object]]:
    """Return the tiles as (from, to, USD per million tokens), read off a clock."""

    def clock(second: int) -> str:
        return f"{second // 3600:02d}:{second % 3600 // 60:02d}"

    return [
        (
            clock(row.start_second),
            clock(row.end_second),
            Fraction(row.price, 10**12) if row.price is not None else None,
        )
        for row in base_tier(pricing)
    ]


def window(start: object, end: object, completion: str | None = "0.000002", **more: Any) -> dict[str, Any]:
    """Return an override of 2 USD per million between two times."""
    priced = {} if completion is None else {"completion": completion}
    return {"utc_start": start, "utc_end": end, **priced, **more}


def one_usd(*overrides: dict[str, Any]) -> dict[str, Any]:
    """Return a pricing of 1 USD per million with overrides."""
    return {"prompt": "0.0000001", "completion": "0.000001", "overrides": list(overrides)}


# ---- the rule, case by case: base 1 USD per million, windows of 2 USD


def test_without_overrides_the_base_holds_all_day() -> None:
    assert hours({"completion": "0.000001"}) == [("00:00", "24:00", 1)]
    assert hours(one_usd()) == [("00:00", "24:00", 1)]


def test_the_start_belongs_to_a_window_and_the_end_does_not() -> None:
    pricing = one_usd(window(130, 1630))
    assert hours(pricing) == [("00:00", "01:30", 1), ("01:30", "16:30", 2), ("16:30", "24:00", 1)]


def test_a_window_may_wrap_midnight() -> None:
    pricing = one_usd(window(2200, 600))
    assert hours(pricing) == [("00:00", "06:00", 2), ("06:00", "22:00", 1), ("22:00", "24:00", 2)]


def test_equal_ends_are_the_whole_day() -> None:
    for time in (0, 900, 2359):
        assert hours(one_usd(window(time, time))) == [("00:00", "24:00", 2)]


def test_a_window_may_end_at_2400() -> None:
    assert hours(one_usd(window(1800, 2400))) == [("00:00", "18:00", 1), ("18:00", "24:00", 2)]
    assert hours(one_usd(window(0, 2400))) == [("00:00", "24:00", 2)]


def test_a_window_from_any_time_to_0_ends_at_midnight() -> None:
    assert hours(one_usd(window(1800, 0))) == [("00:00", "18:00", 1), ("18:00", "24:00", 2)]


def test_a_prompt_tier_to_midnight_has_no_empty_tile() -> None:
    """18:00 … 0 wraps nothing: the part after midnight would be no second long, and was kept as a tile once."""
    pricing = one_usd(window(1800, 0, min_prompt_tokens=200_000))
    assert prompt_tiers(pricing) == [(200_000, 18 * 3600, 24 * 3600, micro_usd("2"), None)]


def test_a_row_has_a_hundred_overrides_at_most() -> None:
    """Each is laid over the day for each dimension: without a limit 20 MB would keep the decoder for days."""
    assert hours(one_usd(*[window(0, 1200)] * 100)) == [("00:00", "12:00", 2), ("12:00", "24:00", 1)]
    [row] = base_tier(one_usd(*[window(0, 1200)] * 101))
    assert (row.price, row.base_price, row.reason) == (None, micro_usd("1"), "price_window")


def test_a_window_of_one_minute() -> None:
    assert hours(one_usd(window(2359, 2400))) == [("00:00", "23:59", 1), ("23:59", "24:00", 2)]


def test_the_last_override_that_covers_a_minute_holds() -> None:
    pricing = one_usd(window(0, 1200), window(600, 1800, "0.000003"), window(700, 800, "0.000004"))
    assert hours(pricing) == [
        ("00:00", "06:00", 2),
        ("06:00", "07:00", 3),
        ("07:00", "08:00", 4),
        ("08:00", "18:00", 3),
        ("18:00", "24:00", 1),
    ]


def test_a_later_override_without_a_completion_price_posts_the_base() -> None:
    pricing = one_usd(window(0, 1200), window(600, 1800, None, prompt="0.0000002"))
    assert hours(pricing) == [("00:00", "06:00", 2), ("06:00", "24:00", 1)]
    prompt = [(row.start_second, row.price) for row in base_tier(pricing, "prompt")]
    assert prompt == [(0, micro_usd("0.1")), (6 * 3600, micro_usd("0.2")), (18 * 3600, micro_usd("0.1"))]


def test_an_override_with_a_null_price_posts_the_base() -> None:
    assert hours(one_usd({**window(0, 1200), "completion": None})) == [("00:00", "24:00", 1)]


def test_neighbouring_windows_of_one_price_are_one_tile() -> None:
    assert hours(one_usd(window(0, 600), window(600, 1200))) == [("00:00", "12:00", 2), ("12:00", "24:00", 1)]


def test_prompt_tiers_are_kept_beside_the_base_tier_and_do_not_change_it() -> None:
    pricing = one_usd(
        {"min_prompt_tokens": 200_000, "prompt": "0.0000002", "completion": "0.000005"},
        window(2200, 600, "0.000007", min_prompt_tokens=1_000_000),
        {"min_prompt_tokens": 300_000, "prompt": "0.0000003"},
        window(800, 900),
        window(500, 500, "0.000009", min_prompt_tokens=2_000_000),
    )
    assert hours(pricing) == [("00:00", "08:00", 1), ("08:00", "09:00", 2), ("09:00", "24:00", 1)]
    assert prompt_tiers(pricing) == [
        (200_000, 0, 86_400, micro_usd("5"), None),
        (1_000_000, 79_200, 86_400, micro_usd("7"), None),
        (1_000_000, 0, 21_600, micro_usd("7"), None),
        (2_000_000, 0, 86_400, micro_usd("9"), None),
    ]


@pytest.mark.parametrize("tier", [0, -1, "200000", 200_000.0, True, 2**63, [1]])
def test_a_prompt_tier_that_cannot_be_read_is_left_out_with_an_alarm(tier: object) -> None:
    """R-5.2: overrides by prompt length are not used; what cannot be read is said, not taken for a window."""
    pricing = one_usd(window(0, 1200, min_prompt_tokens=tier))
    assert hours(pricing) == [("00:00", "24:00", 1)]
    assert prompt_tiers(pricing) == []
    assert [fault.code for fault in decoded(pricing).faults] == ["schema_type"]


def test_an_override_by_a_condition_not_named_is_not_used() -> None:
    pricing = one_usd(window(0, 1200, region="eu"), window(1200, 1300))
    assert hours(pricing) == [("00:00", "12:00", 1), ("12:00", "13:00", 2), ("13:00", "24:00", 1)]
    [fault] = decoded(pricing).faults
    assert (fault.code, fault.place) == ("schema_unknown", "pricing.overrides[].region")


def test_a_price_of_an_override_is_no_condition_where_the_row_prices_it_too() -> None:
    """A pricing key nobody knew yet, posted in the base and in a window, is a price."""
    pricing = one_usd(window(0, 1200, video="0.000009")) | {"video": "0.000008"}
    assert hours(pricing) == [("00:00", "12:00", 2), ("12:00", "24:00", 1)]
    video = [(row.start_second, row.price) for row in base_tier(pricing, "video")]
    assert video == [(0, micro_usd("9")), (43_200, micro_usd("8"))]


def test_an_invalid_base_price_is_not_mended_by_its_windows() -> None:
    pricing = one_usd(window(0, 0)) | {"completion": "-1"}
    [row] = base_tier(pricing)
    assert (row.price, row.base_price, row.reason) == (None, None, "price_dynamic")


def test_a_zero_base_price_under_a_positive_window_stays_visible() -> None:
    """R-5.4 judges by the base price, so it stands beside every tile."""
    pricing = one_usd(window(0, 1200)) | {"completion": "0"}
    assert [(row.price, row.base_price) for row in base_tier(pricing)] == [(micro_usd("2"), 0), (0, 0)]


# ---- the worked example of openrouter-contracts 4.1


DEEPSEEK_V4 = {
    "prompt": "0.00000022",
    "completion": "0.00000066",
    "overrides": [
        {"utc_start": 1000, "utc_end": 100, "completion": "0.00000066"},
        {"utc_start": 100, "utc_end": 400, "completion": "0.00000132"},
        {"utc_start": 400, "utc_end": 600, "completion": "0.00000066"},
        {"utc_start": 600, "utc_end": 1000, "completion": "0.00000132"},
    ],
}


@pytest.mark.parametrize("base", ["0.00000066", "0.00000132"])
def test_the_worked_example_of_four_windows(base: str) -> None:
    """17 h at 0.66 and 7 h at 1.32 USD per million are 0.8525 in the mean, whichever window the base repeats."""
    rows = base_tier(DEEPSEEK_V4 | {"completion": base})
    seconds = sum((row.price or 0) * (row.end_second - row.start_second) for row in rows)
    assert Fraction(seconds, PRICE_SECONDS_PER_USD_PER_MTOK) == Fraction(17 * 66 + 7 * 132, 24 * 100)
    assert rounded(Fraction(seconds, PRICE_SECONDS_PER_USD_PER_MTOK), 4) == "0.8525"


# ---- every minute of any schedule


def posted(text: str) -> tuple[int | None, str | None]:
    """Return a price of the list below as R-5.1 reads it."""
    return {
        "0": (0, None),
        "0.000001": (micro_usd("1"), None),
        "0.000002": (micro_usd("2"), None),
        "3e-6": (micro_usd("3"), None),
        "0.0000000000000000005": (None, "price_range"),
        "-1": (None, "price_dynamic"),
        "1_0": (None, "price_grammar"),
    }[text]


def is_time(value: object, latest: int) -> bool:
    """R-5.2: a JSON integer HHMM with minutes under 60."""
    return (
        isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= latest and value % 100 < 60
    )


def covers(start: int, end: int, hhmm: int) -> bool:
    """R-5.2: start inclusive, end exclusive, may wrap midnight, equal ends are the whole day."""
    if start == end:
        return True
    if start < end:
        return start <= hhmm < end
    return hhmm >= start or hhmm < end


def minute_by_minute(pricing: dict[str, Any]) -> tuple[list[int | None], str | None]:
    """Return the price of each minute of the day, or none at all and the reason."""
    base, reason = posted(pricing["completion"])
    windows = []
    for override in pricing["overrides"]:
        if not isinstance(override, dict):
            return [None] * 1440, reason or "price_window"
        entry = {name: value for name, value in override.items() if value is not None}
        if "weekday" in entry or "min_prompt_tokens" in entry or not entry.keys() & {"utc_start", "utc_end"}:
            continue
        if not is_time(entry.get("utc_start"), 2359):
            return [None] * 1440, reason or "price_window"
        end = entry.get("utc_end")
        if not is_time(end, 2359) and (end != 2400 or isinstance(end, bool)):
            return [None] * 1440, reason or "price_window"
        windows.append(entry)
    for entry in windows:
        reason = reason or posted(entry.get("completion", "0"))[1]
    if reason:
        return [None] * 1440, reason
    prices: list[int | None] = []
    for hhmm in (hour * 100 + minute for hour in range(24) for minute in range(60)):
        last = [entry for entry in windows if covers(entry["utc_start"], entry["utc_end"], hhmm)][-1:]
        named = [posted(entry["completion"])[0] for entry in last if "completion" in entry]
        prices.append(named[0] if named else base)
    return prices, None


good_prices = st.sampled_from(["0", "0.000001", "0.000002", "3e-6"])
prices = st.sampled_from(["0", "0.000001", "0.000002", "3e-6"] * 4 + ["0.0000000000000000005", "-1", "1_0"])
times = st.builds(
    lambda hour, minute: hour * 100 + minute, st.integers(0, 23), st.sampled_from([0, 1, 30, 59])
)
sound_windows = st.fixed_dictionaries(
    {"utc_start": times, "utc_end": times | st.just(2400)},
    optional={"completion": good_prices, "prompt": good_prices},
)
any_times = times | st.sampled_from([2400, 2401, 160, -100, "0100", True, None, 100.0])
any_overrides = st.fixed_dictionaries(
    {},
    optional={
        "utc_start": any_times,
        "utc_end": any_times,
        "completion": prices | st.none(),
        "min_prompt_tokens": st.sampled_from([1, 200_000, None]),
        "weekday": st.sampled_from([1, None]),
    },
)
pricings: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "completion": prices,
        "overrides": st.lists(sound_windows, max_size=6)
        | st.lists(sound_windows | any_overrides | st.just([]), max_size=4),
    }
)


@MORE
@given(pricings)
@example(DEEPSEEK_V4 | {"completion": "0.000001", "overrides": []})
@example(one_usd(window(True, 200)))
@example(one_usd(window(100, True)))
@example(one_usd(window(100, 100, "3e-6"), window(2359, 0), window(0, 1, None)))
def test_every_minute_has_the_price_the_rule_says(pricing: dict[str, Any]) -> None:
    found = base_tier(pricing)
    expected, reason = minute_by_minute(pricing)
    assert {row.reason for row in found} == {reason}
    assert {row.base_price for row in found} == {posted(pricing["completion"])[0]}
    minutes = [row.price for row in found for _ in range(row.start_second, row.end_second, 60)]
    assert minutes == expected


@MORE
@given(pricings)
def test_tiles_cover_the_day_once_in_order_and_none_could_be_joined_to_the_next(
    pricing: dict[str, Any],
) -> None:
    found = base_tier(pricing)
    assert [row.start_second for row in found] == [0, *(row.end_second for row in found[:-1])]
    assert found[-1].end_second == DAY_SECONDS
    assert all(row.start_second < row.end_second and row.start_second % 60 == 0 for row in found)
    assert all(one.price != next_one.price for one, next_one in pairwise(found))
