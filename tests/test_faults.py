"""Broken and hostile payloads: every one gets its code, none makes a zero, none costs a good record.

`faults/<endpoint>/` holds the payloads as they would arrive, each named after its one defect. The table below says
what each is read as. Expected prices are written as posted and turned into 10⁻¹⁸ USD by `Fraction`, here and not
by the code under test; expected totals are the digits that stand in the file.
"""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import mtok
from mtok.archive import KIND_MODELS, KIND_RANKINGS, KIND_UNKNOWN, RANKINGS_DAILY, Capture, Response
from mtok.calendar import format_date, parse_instant
from mtok.observations import EndpointRow, decode_endpoints, decode_models, decode_rankings
from mtok.observations.payload import PAYLOAD_BYTES_MAX
from mtok.observations.tables import TABLES, Rows, observe_capture, parquet_bytes
from mtok.sources import Refused, find_files, read_response

FOLDER = Path(__file__).parent / "faults"
SOURCE = Path(mtok.__file__).parent
DOCUMENT = Path(__file__).parents[1] / "docs" / "observations.md"
KINDS = {"models": KIND_MODELS, "rankings": KIND_RANKINGS, "unknown": KIND_UNKNOWN}
LIVE_CODES = {"window_differs"}
"""Codes of what was asked for and what was answered: see test_observations."""
NO_CODES = {"volume_source", "volume_days", "price_units", "price_seconds", "as_of_unreadable"}
"""Names of columns and tables that look like codes."""
CAPTURED_AT = "2026-06-18T08:30:00Z"
DAY_END = 86_400

Tile = tuple[int, int, Fraction | None, Fraction | None, str | None]
"""(start second, end second, price, base price, reason) of completion tokens; prices in 10⁻¹⁸ USD."""


@dataclass(frozen=True, kw_only=True)
class Read:
    """What a payload is read as: the count of each code, and every record, exactly.

    completion : (id, tiles of its completion price), in the order of the response
    also : (id, another dimension) → (price, reason), for the ones that matter
    volumes : (date, name) → tokens · rejected : date → reason the capture does not hold it
    """

    codes: dict[str, int]
    completion: list[tuple[str, list[Tile]]] = field(default_factory=list)
    also: dict[tuple[str, str], tuple[Fraction | None, str | None]] = field(default_factory=dict)
    volumes: dict[tuple[str, str], int] = field(default_factory=dict)
    rejected: dict[str, str] = field(default_factory=dict)
    readable: bool = True


def usd(text: str) -> Fraction:
    """Return an amount in 10⁻¹⁸ USD."""
    return Fraction(text) * 10**18


# ---- /models: a good row, rows with the defect, a good row


DEEPSEEK = "deepseek/deepseek-v4"


def unreadable(code: str) -> Read:
    """Return what a broken payload is: one fault and no record."""
    return Read(codes={code: 1}, readable=False)


def posted(price: str) -> list[Tile]:
    """Return the tiles of one price that holds the whole day."""
    return [(0, DAY_END, usd(price), usd(price), None)]


def without(reason: str, base: str | None = None) -> list[Tile]:
    """Return the tiles of a row without a price, whose base price alone could be read."""
    return [(0, DAY_END, None, usd(base) if base else None, reason)]


QWEN = ("qwen/qwen3-max", posted("0.000006"))
OPENAI = ("openai/gpt-5.2", posted("0.000014"))


def rows(*between: tuple[str, list[Tile]], codes: dict[str, int] | None = None, **more: Any) -> Read:
    """Return a readable /models payload: both good rows and those between them."""
    return Read(codes=codes or {}, completion=[QWEN, *between, OPENAI], **more)


def no_price(code: str) -> Read:
    """Return a payload whose middle row has no price for the reason `code`."""
    return rows((DEEPSEEK, without(code)), codes={code: 1})


def no_schedule(code: str = "price_window") -> Read:
    """Return a payload whose middle row posts 0.40 USD per million but has an unreadable schedule."""
    return rows((DEEPSEEK, without(code, base="0.0000004")), codes={code: 1})


def sound(price: str = "0.0000004", **codes: int) -> Read:
    """Return a payload whose middle row has a price all day, whatever alarms there are."""
    return rows((DEEPSEEK, posted(price)), codes=codes)


def no_row(code: str, count: int = 1) -> Read:
    """Return a payload whose middle row is rejected."""
    return rows(codes={code: count})


# ---- rankings-daily: 16 June with one good row, 17 June with a good row, the tail and rows with the defect


JUNE_16 = {("2026-06-16", "qwen/qwen3-max"): 16_016}
JUNE_17 = {("2026-06-17", "qwen/qwen3-max"): 17_017, ("2026-06-17", "other"): 170}


def volumes(added: dict[tuple[str, str], int] | None = None, **codes: int) -> Read:
    """Return a capture that holds both dates; each names fewer than fifty models."""
    return Read(codes={"short_capture": 2} | codes, volumes=JUNE_16 | JUNE_17 | (added or {}))


def taken(tokens: int, **codes: int) -> Read:
    """Return a capture that holds both dates and a total of the middle row."""
    return volumes({("2026-06-17", DEEPSEEK): tokens}, **codes)


def date_rejected(code: str) -> Read:
    """Return a capture that does not hold 17 June."""
    return Read(
        codes={code: 1, "short_capture": 1},
        volumes=JUNE_16,
        rejected={"2026-06-17": code},
    )


def _short_capture() -> Read:
    """17 June with 49 named models: the good row and maker-01 … maker-48, of 999 … 952 tokens."""
    named = {("2026-06-17", f"maker-{number:02d}/model"): 1_000 - number for number in range(1, 49)}
    return Read(codes={"short_capture": 1}, volumes=JUNE_17 | named)


TABLE: dict[str, Read] = {
    # payloads that are none
    "models/no_bytes.json": unreadable("payload_no_bytes"),
    "models/blank.json": unreadable("payload_no_bytes"),
    "models/truncated.json": unreadable("payload_json"),
    "models/two_documents.json": unreadable("payload_json"),
    "models/html_200.json": unreadable("payload_html"),
    "models/error_200.json": unreadable("payload_shape"),
    "models/utf16.json": unreadable("payload_utf8"),
    "models/utf16_without_mark.json": unreadable("payload_json"),
    "models/utf8_mark.json": unreadable("payload_json"),
    "models/bad_utf8.json": unreadable("payload_utf8"),
    "models/overlong_utf8.json": unreadable("payload_utf8"),
    "models/encoded_surrogate.json": unreadable("payload_utf8"),
    "models/deep_nesting.json": unreadable("payload_depth"),
    "models/depth_32.json": sound(),
    "models/nan_constant.json": unreadable("payload_not_finite"),
    "models/infinity.json": unreadable("payload_not_finite"),
    "models/minus_infinity.json": unreadable("payload_not_finite"),
    "models/duplicate_key.json": unreadable("payload_duplicate_key"),
    "models/duplicate_data.json": unreadable("payload_duplicate_key"),
    "models/empty_data.json": Read(codes={"payload_empty": 1}),
    "models/no_data.json": unreadable("payload_shape"),
    "models/data_object.json": unreadable("payload_shape"),
    "models/data_null.json": unreadable("payload_shape"),
    "models/top_level_list.json": unreadable("payload_shape"),
    "models/top_level_text.json": unreadable("payload_shape"),
    "models/top_level_number.json": unreadable("payload_shape"),
    "models/truncated_gzip.json.gz": unreadable("payload_gzip"),
    "models/gzip_wrong_checksum.json.gz": unreadable("payload_gzip"),
    # texts that Unicode admits and nothing else should see
    "models/lone_surrogate.json": rows(
        (DEEPSEEK, posted("0.0000004")),
        codes={"schema_unknown": 2, "price_grammar": 2, "slug_grammar": 1},
        also={
            (DEEPSEEK, "prompt"): (None, "price_grammar"),
            (DEEPSEEK, "\\ud800"): (usd("0.0000001"), None),
            (DEEPSEEK, "\\udfff"): (None, "price_grammar"),
        },
    ),
    "models/nul_in_text.json": no_row("slug_grammar"),
    # numbers that Python reads as something else
    "models/number_1e400.json": no_price("price_grammar"),
    "models/integer_5000_digits.json": sound(schema_type=1),
    "models/created_1e400.json": sound(schema_type=1),
    "models/created_boolean.json": sound(schema_type=1),
    "models/created_over_2_63.json": sound(),
    # price texts that `Decimal`, `float` or `re` would take
    "models/price_nan.json": no_price("price_grammar"),
    "models/price_signalling_nan.json": no_price("price_grammar"),
    "models/price_infinity.json": no_price("price_grammar"),
    "models/price_minus_infinity.json": no_price("price_grammar"),
    "models/price_full_width.json": no_price("price_grammar"),
    "models/price_arabic_digits.json": no_price("price_grammar"),
    "models/price_underscore.json": no_price("price_grammar"),
    "models/price_trailing_newline.json": no_price("price_grammar"),
    "models/price_blanks.json": no_price("price_grammar"),
    "models/price_plus_sign.json": no_price("price_grammar"),
    "models/price_empty_text.json": no_price("price_grammar"),
    "models/price_decimal_comma.json": no_price("price_grammar"),
    "models/price_dollar_sign.json": no_price("price_grammar"),
    "models/price_hexadecimal.json": no_price("price_grammar"),
    "models/price_leading_zero.json": no_price("price_grammar"),
    "models/price_no_leading_digit.json": no_price("price_grammar"),
    "models/price_no_decimals.json": no_price("price_grammar"),
    "models/price_31_decimals.json": no_price("price_grammar"),
    "models/price_13_digits.json": no_price("price_grammar"),
    "models/price_exponent_999999999.json": no_price("price_grammar"),
    "models/price_minus_sign_u2212.json": no_price("price_grammar"),
    "models/price_nul.json": no_price("price_grammar"),
    # prices that are no text
    "models/price_json_number.json": no_price("price_grammar"),
    "models/price_json_integer.json": no_price("price_grammar"),
    "models/price_boolean.json": no_price("price_grammar"),
    "models/price_list.json": no_price("price_grammar"),
    "models/price_object.json": no_price("price_grammar"),
    # sound numbers that are no price
    "models/price_dynamic.json": no_price("price_dynamic"),
    "models/price_negative.json": no_price("price_dynamic"),
    "models/price_tiny_negative.json": no_price("price_dynamic"),
    "models/price_over_range.json": no_price("price_range"),
    "models/price_per_million.json": no_price("price_range"),
    "models/price_rounds_to_zero.json": no_price("price_range"),
    "models/price_null.json": no_price("price_absent"),
    "models/price_absent.json": no_price("price_absent"),
    "models/pricing_absent.json": no_price("price_absent"),
    "models/pricing_list.json": rows(
        (DEEPSEEK, without("price_absent")), codes={"price_absent": 1, "schema_type": 1}
    ),
    "models/pricing_text.json": rows(
        (DEEPSEEK, without("price_absent")), codes={"price_absent": 1, "schema_type": 1}
    ),
    # prices at the edge of what is one
    "models/price_largest.json": sound("0.001"),
    "models/price_rounds_up.json": sound("1e-18"),  # 0.51 of the smallest unit, so one of it
    "models/price_exponent.json": sound("0.0000004"),
    "models/price_minus_zero.json": sound("0", price_zero=1),
    "models/price_zero_exponent.json": sound("0", price_zero=1),
    "models/price_zero.json": rows(
        (DEEPSEEK, posted("0")), (f"{DEEPSEEK}:free", posted("0")), codes={"price_zero": 1}
    ),
    "models/price_of_request_over_range.json": rows(
        (DEEPSEEK, posted("0.0000004")),
        codes={"price_range": 1},
        also={
            (DEEPSEEK, "request"): (None, "price_range"),
            (DEEPSEEK, "image"): (usd("9"), None),
            (DEEPSEEK, "web_search"): (usd("0.01"), None),
        },
    ),
    "models/price_of_prompt_bad.json": rows(
        (DEEPSEEK, posted("0.0000004")),
        codes={"price_grammar": 1},
        also={(DEEPSEEK, "prompt"): (None, "price_grammar")},
    ),
    # schedules
    "models/window_one_end.json": no_schedule(),
    "models/window_other_end.json": no_schedule(),
    "models/window_null_end.json": no_schedule(),
    "models/window_minute_60.json": no_schedule(),
    "models/window_hour_24_start.json": no_schedule(),
    "models/window_hour_25.json": no_schedule(),
    "models/window_2401.json": no_schedule(),
    "models/window_negative.json": no_schedule(),
    "models/window_text_times.json": no_schedule(),
    "models/window_boolean.json": no_schedule(),
    "models/window_real_number.json": no_schedule(),
    "models/window_to_2400.json": rows(
        (
            DEEPSEEK,
            [
                (0, 43_200, usd("0.0000004"), usd("0.0000004"), None),
                (43_200, DAY_END, usd("0.0000008"), usd("0.0000004"), None),
            ],
        )
    ),
    "models/overrides_object.json": no_schedule(),
    "models/overrides_text.json": no_schedule(),
    "models/overrides_null.json": sound(),
    "models/override_null.json": no_schedule(),
    "models/override_list.json": no_schedule(),
    "models/override_unknown_condition.json": sound(schema_unknown=1),
    "models/override_nested.json": sound(schema_unknown=1),
    "models/override_no_condition.json": sound(schema_unknown=1),
    "models/override_condition_null_in_pricing.json": sound(schema_unknown=1),
    "models/override_price_nan.json": no_schedule("price_grammar"),
    "models/override_price_dynamic.json": no_schedule("price_dynamic"),
    "models/override_price_json_number.json": no_schedule("price_grammar"),
    "models/override_of_prompt_bad.json": rows(
        (
            DEEPSEEK,  # 01:00 … 02:00 at 0.80 USD per million
            [
                (0, 3_600, usd("0.0000004"), usd("0.0000004"), None),
                (3_600, 7_200, usd("0.0000008"), usd("0.0000004"), None),
                (7_200, DAY_END, usd("0.0000004"), usd("0.0000004"), None),
            ],
        ),
        codes={"price_grammar": 1},
        also={(DEEPSEEK, "prompt"): (None, "price_grammar")},
    ),
    "models/prompt_tier_text.json": sound(schema_type=1),
    "models/prompt_tier_one_end.json": sound(schema_type=1),
    "models/prompt_tier_price_nan.json": sound(price_grammar=1),
    "models/prompt_tier_to_midnight.json": sound(),
    "models/overrides_101.json": no_schedule(),
    # names
    "models/slug_two_colons.json": no_row("slug_grammar"),
    "models/slug_capital_non_ascii.json": no_row("slug_grammar"),
    "models/slug_trailing_newline.json": no_row("slug_grammar"),
    "models/slug_no_slash.json": no_row("slug_grammar"),
    "models/slug_two_slashes.json": no_row("slug_grammar"),
    "models/slug_empty.json": no_row("slug_grammar"),
    "models/slug_number.json": rows(codes={"slug_grammar": 1, "schema_type": 1}),
    "models/slug_absent.json": no_row("slug_grammar"),
    "models/slug_too_long.json": no_row("slug_grammar"),
    "models/slug_dots_only.json": no_row("slug_grammar"),
    "models/canonical_slug_with_variant.json": no_row("slug_grammar"),
    "models/canonical_slug_number.json": rows(codes={"slug_grammar": 1, "schema_type": 1}),
    "models/canonical_slug_null.json": sound(),
    "models/alias.json": rows(),
    "models/duplicate_id.json": rows(
        (DEEPSEEK, posted("0.0000004")), (DEEPSEEK, posted("0.0000005")), codes={"duplicate_id": 1}
    ),
    "models/confusable_id.json": sound(confusable_id=1, slug_grammar=1),
    "models/confusable_id_by_case.json": rows(
        (DEEPSEEK, posted("0.0000004")),
        ("DeepSeek/DeepSeek-V4", posted("0.0000004")),
        codes={"confusable_id": 1},
    ),
    "models/confusable_id_full_width.json": sound(confusable_id=1, slug_grammar=1),
    # schemas
    "models/row_not_an_object.json": no_row("schema_type", 3),
    "models/unknown_field.json": rows(
        (DEEPSEEK, posted("0.0000004")),
        codes={"schema_unknown": 3},
        also={(DEEPSEEK, "video"): (usd("0.0000009"), None)},
    ),
    "models/list_inside_pricing.json": rows(
        (DEEPSEEK, posted("0.0000004")),
        codes={"schema_unknown": 1, "price_grammar": 1},
        also={(DEEPSEEK, "tiers"): (None, "price_grammar")},
    ),
    "models/field_of_another_type.json": sound(schema_type=4),
    "models/modalities_text.json": sound(schema_type=1),
    "models/modalities_of_numbers.json": sound(),
    # rankings that are none
    "rankings/no_bytes.json": unreadable("payload_no_bytes"),
    "rankings/truncated.json": unreadable("payload_json"),
    "rankings/html_200.json": unreadable("payload_html"),
    "rankings/top_level_list.json": unreadable("payload_shape"),
    "rankings/data_null.json": unreadable("payload_shape"),
    "rankings/bad_utf8.json": unreadable("payload_utf8"),
    "rankings/truncated_gzip.json.gz": unreadable("payload_gzip"),
    "rankings/nan_constant.json": unreadable("payload_not_finite"),
    "rankings/duplicate_key.json": unreadable("payload_duplicate_key"),
    "rankings/deep_nesting.json": unreadable("payload_depth"),
    "rankings/empty_data.json": Read(codes={"payload_empty": 1}),
    "rankings/lone_surrogate.json": volumes(slug_grammar=1, date_range=1),
    # rows that contradict each other
    "rankings/duplicate_permaslug_different_totals.json": date_rejected("volume_duplicate"),
    "rankings/duplicate_permaslug_equal_totals.json": taken(5),
    "rankings/standard_twice.json": date_rejected("volume_duplicate"),
    "rankings/other_twice.json": date_rejected("volume_duplicate"),
    # totals
    "rankings/total_negative.json": date_rejected("volume_range"),
    "rankings/total_negative_number.json": date_rejected("volume_range"),
    "rankings/total_over_2_63.json": date_rejected("volume_range"),
    "rankings/total_over_2_63_number.json": date_rejected("volume_range"),
    "rankings/total_20_digits.json": date_rejected("volume_range"),
    "rankings/total_5000_digits.json": date_rejected("volume_range"),
    "rankings/total_float.json": date_rejected("volume_range"),
    "rankings/total_fraction_text.json": date_rejected("volume_range"),
    "rankings/total_exponent_text.json": date_rejected("volume_range"),
    "rankings/total_1e400.json": date_rejected("volume_range"),
    "rankings/total_boolean.json": date_rejected("volume_range"),
    "rankings/total_null.json": date_rejected("volume_range"),
    "rankings/total_missing.json": date_rejected("volume_range"),
    "rankings/total_empty_text.json": date_rejected("volume_range"),
    "rankings/total_list.json": date_rejected("volume_range"),
    "rankings/total_underscore.json": date_rejected("volume_range"),
    "rankings/total_full_width.json": date_rejected("volume_range"),
    "rankings/total_arabic_digits.json": date_rejected("volume_range"),
    "rankings/total_trailing_newline.json": date_rejected("volume_range"),
    "rankings/total_blanks.json": date_rejected("volume_range"),
    "rankings/total_plus_sign.json": date_rejected("volume_range"),
    "rankings/total_thousands_comma.json": date_rejected("volume_range"),
    "rankings/total_bad_of_other.json": date_rejected("volume_range"),
    "rankings/total_largest.json": taken(9_223_372_036_854_775_807),
    "rankings/total_zero.json": taken(0),
    "rankings/total_json_integer.json": taken(5),
    # dates
    "rankings/date_outside_meta.json": volumes(date_range=1),
    "rankings/date_not_over.json": volumes(date_range=1),
    "rankings/date_30_february.json": volumes(date_range=1),
    "rankings/date_missing.json": volumes(date_range=1),
    "rankings/date_null.json": volumes(date_range=1),
    "rankings/date_number.json": volumes(date_range=1),
    "rankings/date_basic_format.json": volumes(date_range=1),
    "rankings/date_week.json": volumes(date_range=1),
    "rankings/date_with_time.json": volumes(date_range=1),
    "rankings/date_trailing_newline.json": volumes(date_range=1),
    "rankings/date_arabic_digits.json": volumes(date_range=1),
    "rankings/date_year_0.json": volumes(date_range=1),
    # names
    "rankings/two_colons.json": volumes(slug_grammar=1),
    "rankings/slug_null.json": volumes(slug_grammar=1),
    "rankings/slug_no_slash.json": volumes(slug_grammar=1),
    "rankings/slug_alias.json": volumes(slug_grammar=1),
    "rankings/slug_other_with_variant.json": volumes(slug_grammar=1),
    "rankings/slug_non_ascii.json": volumes(slug_grammar=1),
    # schemas
    "rankings/row_not_an_object.json": volumes(schema_type=3),
    "rankings/short_capture.json": _short_capture(),
    "rankings/meta_missing.json": taken(5),
    "rankings/meta_null.json": taken(5),
    "rankings/meta_list.json": taken(5, schema_type=1),
    "rankings/meta_as_of_malformed.json": taken(5, schema_type=1),
    "rankings/meta_as_of_number.json": taken(5, schema_type=1),
    "rankings/meta_as_of_offset.json": taken(5, schema_type=1),
    "rankings/meta_as_of_hour_24.json": taken(5, schema_type=1),
    "rankings/meta_as_of_in_the_future.json": volumes(date_range=1, as_of_future=1),
    "rankings/meta_date_malformed.json": taken(5, schema_type=2),
    "rankings/unknown_fields.json": taken(5, schema_unknown=3),
    "rankings/unresolved_of_another_shape.json": taken(5, schema_type=3),
    "rankings/unresolved_object.json": taken(5, schema_type=1),
    # neither endpoint
    "unknown/not_an_endpoint.json": unreadable("kind_unknown"),
}


# ---- endpoints of deepseek/deepseek-v4: one of DeepSeek's, one of Inn with the defect, one of Hostelry


@dataclass(frozen=True, kw_only=True)
class ReadEndpoints:
    """What a response about endpoints is read as: the count of each code, the model it is about, and every row."""

    codes: dict[str, int]
    id: str | None = None
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    readable: bool = True


def endpoint(
    provider: str,
    tag: str | None,
    price: str | None,
    reason: str | None = None,
    *,
    price_seconds: Fraction | None = None,
    status: int | None = None,
    standard_tier: bool = True,
    discount: str | None = None,
) -> tuple[Any, ...]:
    """Return a row as it should be read, without its ordinal; the price holds all day unless price_seconds is given."""
    amount = None if price is None else usd(price)
    if price_seconds is None and reason is None and amount is not None:
        price_seconds = amount * DAY_END
    return provider, tag, status, standard_tier, amount, price_seconds, discount, reason


OWN = endpoint("DeepSeek", "deepseek/fp8", "0.0000004", status=0)
HOSTELRY = endpoint("Hostelry", "hostelry/bf16", "0.0000007", status=0)


def inn(price: str | None = "0.0000005", reason: str | None = None, **more: Any) -> tuple[Any, ...]:
    """Return the middle row."""
    return endpoint("Inn", more.pop("tag", "inn/fp8"), price, reason, **more)


def endpoints(*between: tuple[Any, ...], id: str | None = DEEPSEEK, **codes: int) -> ReadEndpoints:
    """Return a readable response: both good rows and those between them."""
    return ReadEndpoints(codes=codes, id=id, rows=[OWN, *between, HOSTELRY])


def no_endpoints(code: str) -> ReadEndpoints:
    """Return a broken payload: one fault and no row."""
    return ReadEndpoints(codes={code: 1}, readable=False)


ENDPOINTS: dict[str, ReadEndpoints] = {
    # payloads that are none
    "endpoints/no_bytes.json": no_endpoints("payload_no_bytes"),
    "endpoints/truncated.json": no_endpoints("payload_json"),
    "endpoints/html_200.json": no_endpoints("payload_html"),
    "endpoints/error_200.json": no_endpoints("payload_shape"),
    "endpoints/utf16.json": no_endpoints("payload_utf8"),
    "endpoints/nan_constant.json": no_endpoints("payload_not_finite"),
    "endpoints/duplicate_key.json": no_endpoints("payload_duplicate_key"),
    "endpoints/data_list.json": no_endpoints("payload_shape"),
    "endpoints/data_null.json": no_endpoints("payload_shape"),
    "endpoints/top_level_list.json": no_endpoints("payload_shape"),
    "endpoints/endpoints_absent.json": no_endpoints("payload_shape"),
    "endpoints/endpoints_object.json": no_endpoints("payload_shape"),
    "endpoints/endpoints_empty.json": ReadEndpoints(codes={"payload_empty": 1}, id=DEEPSEEK),
    # the model it is about
    "endpoints/id_absent.json": endpoints(inn(), id=None, slug_grammar=1),
    "endpoints/id_number.json": endpoints(inn(), id=None, slug_grammar=1, schema_type=1),
    "endpoints/id_no_slash.json": endpoints(inn(), id=None, slug_grammar=1),
    # rows
    "endpoints/row_not_an_object.json": endpoints(schema_type=3),
    "endpoints/provider_absent.json": endpoints(schema_type=1),
    "endpoints/provider_null.json": endpoints(schema_type=1),
    "endpoints/provider_number.json": endpoints(schema_type=2),
    "endpoints/provider_lone_surrogate.json": endpoints(
        endpoint("Inn\\ud800", "inn\\udfff/fp8", "0.0000005")
    ),
    "endpoints/provider_look_alike.json": endpoints(
        endpoint("Dee\\u0440Seek", "deepseek/2", "0.0000005")  # a Cyrillic letter: not DeepSeek
    ),
    "endpoints/tag_absent.json": endpoints(inn(tag=None, standard_tier=False)),
    "endpoints/tag_number.json": endpoints(inn(tag=None, standard_tier=False), schema_type=1),
    "endpoints/flex_first.json": ReadEndpoints(
        codes={},
        id=DEEPSEEK,
        rows=[endpoint("DeepSeek", "deepseek/flex", "0.0000002", standard_tier=False), OWN, HOSTELRY],
    ),
    "endpoints/tiers_and_regions.json": endpoints(
        endpoint("DeepSeek", "deepseek/priority", "0.0000008", standard_tier=False),
        endpoint("DeepSeek", "deepseek/eu/fast", "0.0000008", standard_tier=False),
        endpoint("DeepSeek", "deepseek/eu", "0.00000044"),
        endpoint("DeepSeek", "deepseek/2", "0.0000004"),
        inn(tag="inn/flexible"),
    ),
    "endpoints/discount_half.json": endpoints(inn(discount="0.5")),
    "endpoints/discount_negative.json": endpoints(inn(discount="-0.2")),
    "endpoints/discount_zero.json": endpoints(inn(discount="0")),
    "endpoints/discount_text.json": endpoints(inn(discount="0.50")),
    "endpoints/discount_lone_surrogate.json": endpoints(inn(discount="0.\\ud8005\\n")),
    "endpoints/discount_1e400.json": endpoints(inn(discount="1e400")),
    "endpoints/discount_boolean.json": endpoints(inn(), schema_type=1),
    "endpoints/discount_list.json": endpoints(inn(), schema_type=1),
    "endpoints/status_negative.json": endpoints(
        *(inn(tag=f"inn/{number}", status=-number) for number in (2, 3, 5))
    ),
    "endpoints/status_unheard_of.json": endpoints(inn(status=41)),
    "endpoints/status_boolean.json": endpoints(inn(), schema_type=1),
    "endpoints/status_over_32_bits.json": endpoints(inn(), schema_type=1),
    "endpoints/latency_null.json": endpoints(inn()),
    "endpoints/unknown_field.json": endpoints(inn(), inn(), schema_unknown=4),
    "endpoints/field_of_another_type.json": endpoints(inn(), schema_type=5),
    # prices
    "endpoints/pricing_absent.json": endpoints(inn(None, "price_absent"), price_absent=1),
    "endpoints/pricing_list.json": endpoints(inn(None, "price_absent"), price_absent=1, schema_type=1),
    "endpoints/price_absent.json": endpoints(inn(None, "price_absent"), price_absent=1),
    "endpoints/price_null.json": endpoints(inn(None, "price_absent"), price_absent=1),
    "endpoints/price_dynamic.json": endpoints(inn(None, "price_dynamic"), price_dynamic=1),
    "endpoints/price_nan.json": endpoints(inn(None, "price_grammar"), price_grammar=1),
    "endpoints/price_json_number.json": endpoints(inn(None, "price_grammar"), price_grammar=1),
    "endpoints/price_over_range.json": endpoints(inn(None, "price_range"), price_range=1),
    "endpoints/price_rounds_to_zero.json": endpoints(inn(None, "price_range"), price_range=1),
    "endpoints/price_largest.json": endpoints(inn("0.001")),
    "endpoints/price_zero.json": endpoints(inn("0"), price_zero=1),
    "endpoints/price_zero_of_free.json": endpoints(inn("0"), id=f"{DEEPSEEK}:free"),
    # schedules
    "endpoints/overrides_by_time.json": endpoints(  # 22:00 … 04:00, six hours, at 0.30; eighteen at 0.50
        inn(price_seconds=6 * 3600 * usd("0.0000003") + 18 * 3600 * usd("0.0000005"))
    ),
    "endpoints/overrides_by_prompt_length.json": endpoints(inn()),
    "endpoints/override_unknown_condition.json": endpoints(inn(), schema_unknown=1),
    "endpoints/override_price_dynamic.json": endpoints(inn("0.0000005", "price_dynamic"), price_dynamic=1),
    "endpoints/override_of_prompt_length_dynamic.json": endpoints(inn(), price_dynamic=1),
    "endpoints/window_one_end.json": endpoints(inn("0.0000005", "price_window"), price_window=1),
    "endpoints/overrides_object.json": endpoints(inn(None, "price_grammar"), price_grammar=1, price_window=1),
}


def _over_the_cap() -> bytes:
    """One byte more than a payload may have."""
    return b'{"data": []}'.ljust(PAYLOAD_BYTES_MAX + 1)


def _gzip_bomb() -> bytes:
    """64 MB of blanks in some 60 kB."""
    return gzip.compress(b" " * 2**26, compresslevel=9, mtime=0)


def _nested_200_000() -> bytes:
    """Far deeper than Python's own recursion goes."""
    return b'{"data": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"


def _last_key_twice() -> bytes:
    """200,000 keys, the last of them twice: to compare each key with each other would take minutes."""
    keys = b",".join(b'"%d":0' % number for number in range(200_000))
    return b'{"data": [], "keys": {' + keys + b', "twice": 0, "twice": 0}}'


MADE: dict[str, tuple[Callable[[], bytes], Read]] = {
    "over_the_cap": (_over_the_cap, unreadable("payload_size")),
    "gzip_bomb": (_gzip_bomb, unreadable("payload_gzip")),
    "nested_200_000": (_nested_200_000, unreadable("payload_depth")),
    "last_key_twice": (_last_key_twice, unreadable("payload_duplicate_key")),
}
"""Payloads too large to keep as files; read as /models."""


# ---- reading them


def observed(kind: str, raw: bytes) -> Rows:
    """Return the rows of every table, as they are written: what cannot be written fails here."""
    capture = Capture(
        captured_at=CAPTURED_AT,
        collector="primary",
        kind=kind,
        sha256="0" * 64,
        bytes=len(raw),
        obtained="fixture",
        volume_source=RANKINGS_DAILY if kind == KIND_RANKINGS else None,
    )
    tables = observe_capture(0, capture, raw)
    for name, found in tables.items():
        assert parquet_bytes(name, found)
    return tables


def read(kind: str, raw: bytes) -> Read:
    """Return what a payload is read as, in the words of the table above."""
    tables = observed(kind, raw)
    ids = {ordinal: model_id for _, ordinal, model_id, *_ in tables["catalogue"]}
    tiles: dict[int, list[Tile]] = {ordinal: [] for ordinal in ids}
    also: dict[tuple[str, str], tuple[Fraction | None, str | None]] = {}
    for _, ordinal, dimension, tier, start, end, price, base, reason in tables["prices"]:
        if dimension == "completion" and tier == 0:
            tiles[ordinal].append((start, end, price, base, reason))
        elif tier == 0:
            also[ids[ordinal], dimension] = (price, reason)
    [captured] = tables["captures"]
    readable = captured[list(TABLES["captures"]).index("readable")]
    return Read(
        codes=dict(Counter(code for _, code, *_ in tables["faults"])),
        completion=[(model_id, tiles[ordinal]) for ordinal, model_id in ids.items()],
        also=also,
        volumes={
            (format_date(day), slug + ("" if variant == "standard" else f":{variant}")): tokens
            for _, day, slug, _, _, variant, tokens in tables["volumes"]
        },
        rejected={format_date(day): reason for _, day, reason in tables["volume_days"] if reason},
        readable=readable,
    )


def fixtures() -> Iterator[tuple[str, str, bytes]]:
    """Yield name, kind and bytes of each file."""
    for name in TABLE:
        yield name, KINDS[name.split("/", maxsplit=1)[0]], (FOLDER / name).read_bytes()


def assert_read(found: Read, expected: Read) -> None:
    """Fail unless every code and every record is the expected one."""
    assert found.codes == expected.codes
    assert found.completion == expected.completion
    assert {key: found.also[key] for key in expected.also} == expected.also
    assert found.volumes == expected.volumes
    assert found.rejected == expected.rejected
    assert found.readable == expected.readable


def test_every_fixture_is_in_the_table_and_every_entry_has_its_file() -> None:
    files = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file()}
    assert files == {*TABLE, *ENDPOINTS}


@pytest.mark.parametrize("name", TABLE)
def test_a_fault_gets_its_code_and_costs_no_good_record(name: str) -> None:
    kind = KINDS[name.split("/", maxsplit=1)[0]]
    assert_read(read(kind, (FOLDER / name).read_bytes()), TABLE[name])


@pytest.mark.parametrize("name", ENDPOINTS)
def test_a_fault_of_an_endpoint_gets_its_code_and_costs_no_good_row(name: str) -> None:
    found, expected = decode_endpoints((FOLDER / name).read_bytes()), ENDPOINTS[name]
    assert dict(Counter(fault.code for fault in found.faults)) == expected.codes
    assert (found.readable, found.id) == (expected.readable, expected.id)
    assert [row[1:] for row in found.rows] == expected.rows


@pytest.mark.parametrize("name", MADE)
def test_a_payload_that_is_too_much_gets_its_code(name: str) -> None:
    make, expected = MADE[name]
    raw = make()
    assert_read(read(KIND_MODELS, raw), expected)
    assert_read(read(KIND_RANKINGS, raw), expected)


def test_no_fault_makes_a_zero_price() -> None:
    """A zero price stands only where the response says so in ASCII digits, all of them zeros.

    Six do: two rows of price_zero with prompt and completion each, price_minus_zero and price_zero_exponent.
    """
    said_zero = re.compile(r"-?0(\.0+)?([eE][+-]?[0-9]+)?", re.ASCII)
    zeros = 0
    for _, kind, raw in fixtures():
        models = decode_models(raw)
        for row in models.prices if kind == KIND_MODELS else ():
            if row.price == 0 or row.base_price == 0:
                pricing = json.loads(raw)["data"][row.ordinal]["pricing"]
                assert said_zero.fullmatch(pricing[row.dimension])
                zeros += 1
    assert zeros == 6


def test_no_fault_makes_a_zero_total() -> None:
    zeros = [
        (name, row)
        for name, kind, raw in fixtures()
        if kind == KIND_RANKINGS
        for row in decode_rankings(raw, parse_instant(CAPTURED_AT)).rows
        if row[2] == 0
    ]
    assert [name for name, _ in zeros] == ["rankings/total_zero.json"]


def test_a_lost_price_has_one_reason_and_a_price_has_none() -> None:
    for name, kind, raw in fixtures():
        for row in decode_models(raw).prices if kind == KIND_MODELS else ():
            assert (row.price is None) == (row.reason is not None), (name, row)


@pytest.mark.parametrize(
    ("name", "text_only"),
    [("field_of_another_type", None), ("modalities_text", None), ("modalities_of_numbers", None)],
)
def test_output_modalities_that_are_no_list_of_texts_say_nothing(name: str, text_only: bool | None) -> None:
    """R-4: such a row does not describe; it is never taken for a model of text only."""
    models = decode_models((FOLDER / "models" / f"{name}.json").read_bytes())
    assert {row.text_only for row in models.catalogue} == {text_only}


def test_an_endpoint_has_a_price_of_the_day_or_one_reason() -> None:
    zeros = []
    for name in ENDPOINTS:
        for row in decode_endpoints((FOLDER / name).read_bytes()).rows:
            assert isinstance(row, EndpointRow)
            assert (row.price_seconds is None) == (row.reason is not None), (name, row)
            zeros += [name] * (0 in (row.price, row.price_seconds))
    assert zeros == ["endpoints/price_zero.json", "endpoints/price_zero_of_free.json"]


def test_a_row_of_an_endpoint_keeps_its_place_in_the_response() -> None:
    rows = decode_endpoints((FOLDER / "endpoints" / "row_not_an_object.json").read_bytes()).rows
    assert [(row.ordinal, row.provider) for row in rows] == [(0, "DeepSeek"), (4, "Hostelry")]


def test_fifty_named_models_are_enough() -> None:
    """`short_capture` has 49; with one more the alarm is gone (R-9: fewer than 50)."""
    payload = json.loads((FOLDER / "rankings" / "short_capture.json").read_bytes())
    payload["data"].append({"date": "2026-06-17", "model_permaslug": "maker-49/model", "total_tokens": "951"})
    assert not list(decode_rankings(json.dumps(payload).encode(), parse_instant(CAPTURED_AT)).faults)


def test_as_of_that_cannot_be_read_leaves_the_time_of_capture() -> None:
    captured_at = parse_instant(CAPTURED_AT)
    for name in ("malformed", "number", "offset", "hour_24"):
        raw = (FOLDER / "rankings" / f"meta_as_of_{name}.json").read_bytes()
        assert decode_rankings(raw, captured_at).instant == captured_at
    raw = (FOLDER / "rankings" / "total_zero.json").read_bytes()
    assert decode_rankings(raw, captured_at).instant == parse_instant("2026-06-18T08:20:44.552Z")


def test_a_rejected_date_does_not_depend_on_where_the_bad_row_stands() -> None:
    for name in ("duplicate_permaslug_different_totals", "total_negative", "standard_twice"):
        payload = json.loads((FOLDER / "rankings" / f"{name}.json").read_bytes())
        payload["data"].reverse()
        assert_read(read(KIND_RANKINGS, json.dumps(payload).encode()), TABLE[f"rankings/{name}.json"])


def test_faults_are_printable_ascii_of_bounded_length() -> None:
    """Whatever a payload holds, its faults can be shown on any terminal and written to any table."""
    long = json.dumps({"data": [{"id": "x" * 10_000, "pricing": {"é" * 10_000: "y" * 10_000}}]}).encode()
    payloads = [*fixtures(), ("long", KIND_MODELS, long), ("long", KIND_RANKINGS, long)]
    for name in ENDPOINTS:
        found = decode_endpoints((FOLDER / name).read_bytes())
        texts = [text for fault in found.faults for text in fault]
        texts += [text for row in found.rows for text in (row.provider, row.tag or "")]
        assert all(text.isascii() and text.isprintable() and len(text) <= 2_500 for text in texts), name
    for name, kind, raw in payloads:
        for _, *texts in observed(kind, raw)["faults"]:
            assert all(text.isascii() and text.isprintable() for text in texts), (name, texts)
            assert all(len(text) <= 2_500 for text in texts), name


def test_past_a_thousand_of_a_code_faults_are_counted() -> None:
    many = json.dumps({"data": [{"id": f"a/{number}", "pricing": {}} for number in range(1_234)]}).encode()
    found = [fault for fault in decode_models(many).faults if fault.code == "price_absent"]
    assert len(found) == 1_001
    assert found[-1].found == "234 more"


def test_past_a_thousand_fields_what_is_found_is_counted_together() -> None:
    """Twenty megabytes hold a million unknown names; a capture lists the first thousand."""
    row = {"id": "a/b", "pricing": {"completion": "0.000001"}} | {
        f"new_{number}": 0 for number in range(1_234)
    }
    again = {"provider_name": "Inn", "pricing": {f"new_{number}": 0 for number in range(1_234)}}
    model = {"id": "a/b", "endpoints": [again]}
    for found in (
        decode_models(json.dumps({"data": [row]}).encode()).faults,
        decode_endpoints(json.dumps({"data": model}).encode()).faults,
    ):
        unknown = [fault for fault in found if fault.code == "schema_unknown"]
        assert len(unknown) == 1_001
        assert ("", "fields past the first 1000 in 234 records") in [one[1::2] for one in unknown]


def test_importing_a_broken_file_keeps_its_bytes() -> None:
    """What cannot be read is archived as it came; what is refused is sound JSON of something else, and says so."""
    refused = []
    for name in TABLE:
        found = find_files([FOLDER / name])
        response = read_response(found[0], captured_at=parse_instant(CAPTURED_AT))
        if isinstance(response, Refused):
            refused.append(name)
            assert (response.code, bool(response.remedy)) == ("kind_unknown", True)
            continue
        assert isinstance(response, Response)
        assert response.raw == (FOLDER / name).read_bytes()
    codes = {code for name in refused for code in TABLE[name].codes}
    assert codes == {"payload_shape", "kind_unknown"}


def test_the_codes_of_the_document_are_the_codes_of_the_table() -> None:
    """docs/observations.md lists every code a payload or record can get, and no other."""
    documented = set()
    for table in DOCUMENT.read_text("utf-8").split("| code |")[1:]:
        for line in table.split("\n\n", maxsplit=1)[0].splitlines()[2:]:
            documented |= set(re.findall(r"`([a-z_0-9]+)`", line.split("|")[1]))
    assert documented == _codes_seen() | LIVE_CODES


def test_the_codes_in_the_source_are_the_codes_of_the_table() -> None:
    """A code that is made somewhere in observations/ and never shown here would be one nobody has seen."""
    source = "".join(path.read_text("utf-8") for path in (SOURCE / "observations").glob("*.py"))
    kinds = "payload|price|volume|schema|slug|date|kind|duplicate|confusable|short|as_of|window"
    made = set(re.findall(rf'"((?:{kinds})_[a-z_0-9]+)"', source)) - NO_CODES
    assert made == _codes_seen() | LIVE_CODES


def _codes_seen() -> set[str]:
    expected: list[Read | ReadEndpoints] = [*TABLE.values(), *ENDPOINTS.values()]
    expected += [found for _, found in MADE.values()]
    return {code for one in expected for code in one.codes}
