"""Numbers, quantities, dates and canonical bytes against computations written a second time, in other means.

The product reads prices with `re` and `Decimal`; here a recogniser walks the text letter by letter and `Fraction`
does the arithmetic. The product takes roots with `isqrt`; here `Decimal` takes them with hundreds of digits, and
the result is squared again.
"""

from __future__ import annotations

import datetime as dt
import decimal
import doctest
import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mtok import calendar, canonical, quantities
from mtok.calendar import (
    DAY,
    day_of,
    format_date,
    format_instant,
    parse_date,
    parse_instant,
    second_of_day,
)
from mtok.canonical import canonical_bytes, plain, sha256_hex
from mtok.observations import faults, numbers, slugs
from mtok.observations.numbers import TOKEN_PRICE_MAX, TOKENS_MAX, UNIT_PRICE_MAX, price_units, token_total
from mtok.observations.slugs import skeleton, split_slug
from mtok.quantities import decimal_text, half_even, root_units, rounded, rounded_root, significant_root

PROFILE = settings.get_profile(settings.get_current_profile_name())
MORE = settings(PROFILE, max_examples=PROFILE.max_examples * 8, deadline=None)
"""Small functions: eight times the examples of the profile."""

DIGITS = "0123456789"


# ---- prices


def read_number(text: str) -> Fraction | None:
    """Return the value of a price text, None where it is outside the grammar: a recogniser without `re`."""
    rest = text.removeprefix("-")
    mantissa, mark, exponent = rest.replace("E", "e").partition("e")
    whole, point, decimals = mantissa.partition(".")
    scale = exponent[1:] if exponent[:1] in ("+", "-") else exponent
    sound = (
        _digits(whole, 1, 12)
        and (whole == "0" or whole[0] != "0")
        and (not point or _digits(decimals, 1, 30))
        and (not mark or _digits(scale, 1, 2))
    )
    if not sound:
        return None
    power = int(scale or "0") * (-1 if exponent.startswith("-") else 1)
    size = (int(whole) + Fraction(int(decimals or "0"), 10 ** len(decimals))) * Fraction(10) ** power
    return -size if text.startswith("-") else size


def _digits(text: str, least: int, most: int) -> bool:
    return least <= len(text) <= most and all(letter in DIGITS for letter in text)


def nearest_even(value: Fraction) -> int:
    """Return the nearest integer, of two the even one: by comparing the distances, not by `round`."""
    below = value.numerator // value.denominator
    left, right = value - below, below + 1 - value
    if left == right:
        return below if below % 2 == 0 else below + 1
    return below if left < right else below + 1


def read_price(text: str, most: Fraction) -> tuple[int | None, str | None]:
    """Return what R-5.1 says of a price text; `most` in USD."""
    usd = read_number(text)
    if usd is None:
        return None, "price_grammar"
    if usd < 0:
        return None, "price_dynamic"
    units = nearest_even(usd * 10**18)
    if usd > most or (usd > 0 and units == 0):
        return None, "price_range"
    return units, None


price_texts = st.from_regex(r"-?(0|[1-9][0-9]{0,13})(\.[0-9]{0,32})?([eE][+-]?[0-9]{0,3})?", fullmatch=True)
"""In the grammar and just outside it: too many digits, no digits after the point or the `e`."""

posted_texts = st.from_regex(r"0\.00[0-9]{1,28}", fullmatch=True)
"""Mostly valid prices, up to 0.01 USD per token."""

odd_texts = st.text(alphabet="0123456789+-.eE_ ,\n\t\x00xX٣１²½−∞NanIf", max_size=12)


@MORE
@given(price_texts | posted_texts | odd_texts)
@example("0.001")
@example("0.0010000000000000000000000001")
@example("1E-3")
@example("-0")
@example("-0.0e-99")
@example("0e99")
@example("999999999999e99")
@example("5e-19")
@example("1.5e-18")
def test_a_price_is_what_the_grammar_and_fractions_say(text: str) -> None:
    assert price_units(text) == read_price(text, Fraction(1, 1000))
    assert price_units(text, UNIT_PRICE_MAX) == read_price(text, Fraction(9))


@MORE
@given(st.from_regex(r"0\.00[0-9]{1,9}(e-[0-9]{1,2})?", fullmatch=True), st.data())
def test_a_digit_outside_ascii_makes_a_price_none(text: str, data: st.DataObject) -> None:
    """Full-width, Arabic and all other digits of Unicode, which `Decimal`, `int` and `\\d` read as digits."""
    where = data.draw(st.sampled_from([i for i, letter in enumerate(text) if letter in DIGITS]))
    digit = data.draw(st.characters(categories=["Nd"], min_codepoint=128))
    assert digit.isdecimal()
    odd = text[:where] + digit + text[where + 1 :]
    assert price_units(odd) == (None, "price_grammar")
    assert price_units(f"1{digit}e-9") == (None, "price_grammar")
    assert token_total(odd.replace(".", "").replace("e-", "")) is None


@pytest.mark.parametrize(
    ("text", "units"),
    [
        # half of the smallest unit, 10⁻¹⁸ USD, goes to the even neighbour: 0.5 → 0, 1.5 → 2, 2.5 → 2, 3.5 → 4
        ("0.0000000000000000015", 2),
        ("0.0000000000000000025", 2),
        ("0.0000000000000000035", 4),
        # the least above a half goes up, the least below goes down
        ("0.000000000000000002500000000001", 3),
        ("0.000000000000000003499999999999", 3),
        # the longest price seen upstream, 22 decimals: 83,333,333,333.3333 units (openrouter-contracts 4.1)
        ("0.0000000833333333333333", 83_333_333_333),
        ("0.001", 10**15),
        ("1e-3", 10**15),
        ("0", 0),
        ("-0", 0),
    ],
)
def test_a_price_is_rounded_half_even_at_its_eighteenth_decimal(text: str, units: int) -> None:
    assert price_units(text) == (units, None)


@given(st.integers(0, 10**15 - 1), st.integers(1, 10**12 - 1))
def test_a_boundary_between_two_units_falls_where_half_even_says(units: int, below: int) -> None:
    """`units` + 1/2 goes to the even neighbour; any less goes down, any more goes up."""

    def text(tail: str) -> str:
        return f"0.{units:018d}{tail}"

    even = units if units % 2 == 0 else units + 1
    up, down = f"5{below:011d}"[:12], f"4{'9' * 11}"
    assert price_units(text("5"))[0] == (even or None)
    assert price_units(text("500000000000"))[0] == (even or None)
    assert price_units(text(down))[0] == (units or None)
    if int(up) > 5 * 10**11:
        assert price_units(text(up))[0] == units + 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0.0010000000000000000000000001", "price_range"),  # above 10⁻³, although it would round to it
        ("0.001000000000000000000000000000", None),
        ("9.0000000000000001e-4", None),
        ("1e-30", "price_range"),
        ("5e-19", "price_range"),
        ("5.1e-19", None),
        ("-1e-30", "price_dynamic"),
        ("-1", "price_dynamic"),
        ("1", "price_range"),
        ("999999999999", "price_range"),
        ("1000000000000", "price_grammar"),
        ("0." + "0" * 29 + "1", "price_range"),
        ("0." + "0" * 30 + "1", "price_grammar"),
        ("1e-99", "price_range"),
        ("1e-100", "price_grammar"),
    ],
)
def test_the_bounds_of_a_price(text: str, reason: str | None) -> None:
    assert price_units(text)[1] == reason


def test_a_price_that_is_no_text_is_no_price() -> None:
    for value in (0, 1, True, False, [], {}, ["0.1"], object()):
        assert price_units(value) == (None, "price_grammar")
    assert price_units(None) == (None, "price_absent")


def test_no_price_depends_on_the_decimal_context() -> None:
    """Someone's low precision, rounding mode or traps elsewhere in the process change no price."""
    text = "0.00000000000000012345678901235"  # 123.45678901235 units
    with decimal.localcontext() as context:
        context.prec, context.rounding, context.Emin, context.Emax = 3, decimal.ROUND_UP, -5, 5
        context.traps[decimal.Inexact] = context.traps[decimal.FloatOperation] = True
        assert price_units(text) == (123, None)
        assert price_units("0.00000000000000012345678901236") == (123, None)
        assert price_units("-0.00000000000000012345678901236") == (None, "price_dynamic")


def test_the_largest_prices_fit_the_tables_columns() -> None:
    assert Fraction(1, 1000) * 10**18 == TOKEN_PRICE_MAX == 10**15
    assert UNIT_PRICE_MAX == 9 * 10**18 < 2**63


# ---- token totals


@MORE
@given(
    st.from_regex(r"[0-9]{0,22}", fullmatch=True)
    | st.integers(-(2**64), 2**64)
    | odd_texts
    | st.none()
    | st.booleans()
    | st.lists(st.just("1"), max_size=1)
)
@example(2**63 - 1)
@example(2**63)
@example(str(2**63 - 1))
@example(str(2**63))
@example("0" * 19)
@example("0" * 20)
def test_a_token_total_is_an_integer_of_one_to_nineteen_digits_below_2_63(value: object) -> None:
    if isinstance(value, str):
        total = int(value) if _digits(value, 1, 19) else -1
    else:
        total = value if isinstance(value, int) and not isinstance(value, bool) else -1
    assert token_total(value) == (total if 0 <= total < 2**63 else None)


def test_the_largest_total_fits_the_tables_column() -> None:
    assert TOKENS_MAX == 9_223_372_036_854_775_807 == int("7" + "f" * 15, 16)


# ---- names


names = st.from_regex(r"[a-z0-9.]{1,4}/[a-zA-Z0-9._-]{1,9}(:[a-z]{1,5})?", fullmatch=True)
odd_names = st.text(alphabet="aZ09._-/:~é\n", max_size=14)


@MORE
@given(names | odd_names)
@example("a" * 80 + "/" + "b" * 120 + ":" + "c" * 40)
@example("a" * 81 + "/b")
@example("a/" + "b" * 121)
@example("a/b:" + "c" * 41)
@example("a/b:")
@example("a/b\n")
def test_a_slug_is_author_slash_name_with_an_optional_variant(text: str) -> None:
    author, slash, rest = text.partition("/")
    name, colon, variant = rest.partition(":")
    sound = slash and _word(author, 80) and _word(name, 120) and (not colon or _word(variant, 40))
    expected = (f"{author}/{name}", author, name, variant or "standard") if sound else None
    assert split_slug(text) == expected


def _word(text: str, most: int) -> bool:
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" + DIGITS
    return 0 < len(text) <= most and text[0] in letters and all(letter in letters + "._-" for letter in text)


@pytest.mark.parametrize(
    "text",
    ["OpenAI/GPT-5", "ореnаi/gpt-5", "openai/gpt-５", "οpenai/gpt-5", "openaі/gpt-5"],
    ids=["case", "three Cyrillic letters", "a full-width digit", "a Greek letter", "a Ukrainian letter"],
)
def test_look_alikes_have_one_skeleton(text: str) -> None:
    assert text != "openai/gpt-5"
    assert skeleton(text) == skeleton("openai/gpt-5")


def test_different_models_have_different_skeletons() -> None:
    names = ["openai/gpt-5", "openai/gpt-5.1", "openai/gpt5", "openai/o1", "openai/ol", "qwen/qwen3-max"]
    assert len({skeleton(name) for name in names}) == len(names)


# ---- quantities

fractions = st.builds(Fraction, st.integers(-(10**40), 10**40), st.integers(1, 10**25))
halves = st.builds(
    lambda units, places: Fraction(2 * units + 1, 2 * 10**places), st.integers(), st.integers(0, 12)
)
"""Exactly between two decimals."""

squares = st.builds(Fraction, st.integers(0, 10**60), st.integers(1, 10**30))
half_squares = st.builds(lambda units: Fraction(2 * units + 1, 2) ** 2, st.integers(0, 10**30))
"""Squares of what lies exactly between two integers."""


def exact_decimal(value: Fraction, digits: int = 400) -> Decimal:
    """Return a fraction as Decimal, to `digits` significant digits."""
    with decimal.localcontext() as context:
        context.prec = digits
        return Decimal(value.numerator) / Decimal(value.denominator)


@MORE
@given(fractions | halves, st.integers(1, 10**6))
def test_half_even_is_the_nearest_integer_and_the_even_one_of_two(value: Fraction, common: int) -> None:
    """Whether the quotient is in lowest terms or not."""
    assert half_even(value.numerator * common, value.denominator * common) == nearest_even(value)


@MORE
@given(st.integers(), st.integers(-3, 40))
def test_decimal_text_is_the_number_of_units_in_plain_notation(units: int, places: int) -> None:
    text = decimal_text(units, places)
    assert re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?", text, re.ASCII)
    assert Fraction(text) == units * Fraction(10) ** -places
    assert len(text.partition(".")[2]) == max(places, 0)
    assert not (text.startswith("-") and Fraction(text) == 0)


@MORE
@given(fractions | halves, st.integers(0, 15))
@example(Fraction(-5, 1000), 2)  # `str(Decimal("-0.005").quantize(Decimal("0.01")))` is "-0.00"
def test_rounded_is_what_decimal_quantizes(value: Fraction, places: int) -> None:
    """`Decimal` with 400 digits: enough to be exact about every tie of these fractions."""
    with decimal.localcontext() as context:
        context.prec = 400
        quantized = exact_decimal(value).quantize(
            Decimal(1).scaleb(-places), rounding=decimal.ROUND_HALF_EVEN
        )
    expected = f"{quantized:f}"
    assert rounded(value, places) == (expected.removeprefix("-") if quantized == 0 else expected)


@MORE
@given(squares | half_squares)
def test_a_root_is_the_nearest_integer_checked_by_squaring(square: Fraction) -> None:
    """r is nearest to √q when (2r−1)² ≤ 4q ≤ (2r+1)², with r even where one of them is an equality."""
    root = root_units(square)
    least, most = (2 * root - 1) ** 2 if root else 0, (2 * root + 1) ** 2
    assert least <= 4 * square <= most
    if root and 4 * square in (least, most):
        assert root % 2 == 0


@MORE
@given(squares, st.integers(0, 15))
def test_a_rounded_root_is_what_decimal_computes_with_300_digits(square: Fraction, places: int) -> None:
    with decimal.localcontext() as context:
        context.prec = 300
        root = exact_decimal(square).sqrt()
        expected = root.quantize(Decimal(1).scaleb(-places), rounding=decimal.ROUND_HALF_EVEN)
    assert rounded_root(square, places) == f"{expected:f}"


@MORE
@given(st.builds(Fraction, st.integers(1, 10**60), st.integers(1, 10**60)), st.integers(2, 50))
@example(Fraction(99995, 10000) ** 2, 4)  # 9.9995 rounds up into another digit: 10.00
@example(Fraction(99985, 10000) ** 2, 4)  # a tie between 9.998 and 9.999
@example(Fraction(1, 10**80), 3)
@example(Fraction(10**80), 3)
def test_a_significant_root_is_what_decimal_computes_with_300_digits(square: Fraction, digits: int) -> None:
    with decimal.localcontext() as context:
        context.prec = 300
        root = exact_decimal(square).sqrt()
    with decimal.localcontext() as context:
        context.prec, context.rounding = digits, decimal.ROUND_HALF_EVEN
        expected = +root
    text = significant_root(square, digits)
    assert Decimal(text) == expected
    assert "e" not in text.lower()
    if "." in text:
        assert len(text.replace(".", "").lstrip("0")) == digits


def test_a_significant_root_just_under_a_power_of_ten() -> None:
    """√(1/101) = 0.09950371902…: three significant digits are 0.0995, since 0.0995² < 1/101 < 0.09955²."""
    assert Fraction("0.0995") ** 2 < Fraction(1, 101) < Fraction("0.09955") ** 2
    assert significant_root(Fraction(1, 101), 3) == "0.0995"


def test_the_fisher_step_of_the_rulebook_by_hand() -> None:
    """√(1.21 · 1.44) = 1.1 · 1.2 = 1.32 exactly; √2 = 1.414213562373… (R-8.3)."""
    assert rounded_root(Fraction(121, 100) * Fraction(144, 100), 6) == "1.320000"
    assert rounded_root(Fraction(2), 12) == "1.414213562373"
    assert significant_root(Fraction(2), 50) == "1.4142135623730950488016887242096980785696718753769"


# ---- calendar


@MORE
@given(st.dates())
def test_a_date_is_a_count_of_days_since_1970(date: dt.date) -> None:
    day = (date - dt.date(1970, 1, 1)) // dt.timedelta(days=1)
    assert parse_date(str(date)) == day
    assert format_date(day) == str(date)


@MORE
@given(st.datetimes())
def test_an_instant_is_a_count_of_microseconds_since_1970(moment: dt.datetime) -> None:
    instant = (moment - dt.datetime(1970, 1, 1)) // dt.timedelta(microseconds=1)  # noqa: DTZ001
    for text in (f"{moment.isoformat()}Z", f"{moment.isoformat()}+00:00", f"{moment.isoformat(' ')}Z"):
        assert parse_instant(text) == instant
    assert parse_instant(format_instant(instant)) == instant
    assert format_date(day_of(instant)) == str(moment.date())
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    assert second_of_day(instant) == (moment - midnight) // dt.timedelta(seconds=1)


@given(st.integers(-62_135_596_800 * 10**6, 253_402_300_800 * 10**6 - 1))
def test_every_instant_of_the_years_1_to_9999_has_one_text(instant: int) -> None:
    text = format_instant(instant)
    assert parse_instant(text) == instant
    assert not re.search(r"\.\d*0Z$", text)


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-30",
        "2026-02-29",
        "2025-13-01",
        "2026-00-10",
        "0000-01-01",
        "2026-6-20",
        "20260620",
        "2026-W25-6",
        "2026-171",
        "2026-06-20\n",
        " 2026-06-20",
        "2026-06-20T00:00:00Z",
        "٢٠٢٦-٠٦-٢٠",
        "２０２６-06-20",
        "+2026-06-20",
        "-2026-06-20",
        "12026-06-20",
        "2026–06–20",
        "",
    ],
)
def test_what_is_no_date(text: str) -> None:
    with pytest.raises(ValueError):
        parse_date(text)


@pytest.mark.parametrize(
    "text",
    [
        "2026-06-20T24:00:00Z",
        "2026-06-20T23:60:00Z",
        "2026-06-20T23:59:60Z",
        "2026-02-30T00:00:00Z",
        "2026-06-20T00:00:00",
        "2026-06-20T00:00:00+02:00",
        "2026-06-20T00:00:00-00:00",
        "2026-06-20T00:00Z",
        "2026-06-20T00:00:00.Z",
        "2026-06-20T00:00:00,5Z",
        "2026-06-20T00:00:00Z\n",
        "2026-06-20t00:00:00z",
        "2026-06-20T٠0:00:00Z",
        "2026-06-20",
        "1781913600",
        "",
    ],
)
def test_what_is_no_instant(text: str) -> None:
    with pytest.raises(ValueError):
        parse_instant(text)


def test_what_is_finer_than_a_microsecond_is_cut_off() -> None:
    assert parse_instant("1970-01-01T00:00:00.1234569Z") == 123_456
    assert parse_instant("1969-12-31T23:59:59.9999999Z") == -1


def test_leap_days_by_hand() -> None:
    """2000 has one, 1900 and 2100 have none; 1972-03-01 is 2·365 + 31 + 29 days after 1970-01-01."""
    assert parse_date("2000-02-29") + 1 == parse_date("2000-03-01")
    assert parse_date("1972-03-01") == 2 * 365 + 31 + 29
    for text in ("1900-02-29", "2100-02-29"):
        with pytest.raises(ValueError):
            parse_date(text)
    assert parse_date("2026-06-20") * DAY == parse_instant("2026-06-20T00:00:00Z")


# ---- canonical bytes

keys = st.text(alphabet=st.characters(max_codepoint=127), max_size=8)
texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12)
contents = st.recursive(
    texts | st.integers(-(10**30), 10**30) | st.booleans() | st.none(),
    lambda inner: (
        st.lists(inner.filter(lambda value: value is not None), max_size=4)
        | st.dictionaries(keys, inner, max_size=4)
    ),
    max_leaves=20,
)


def as_published(content: Any) -> Any:
    """Return content as records are published: integers as text, absent fields left out."""
    if isinstance(content, dict):
        return {key: as_published(value) for key, value in content.items() if value is not None}
    if isinstance(content, list):
        return [as_published(value) for value in content]
    return str(content) if isinstance(content, int) and not isinstance(content, bool) else content


@MORE
@given(contents.filter(lambda content: content is not None))
@example({"b": '\x7f\x00\x1f\b\f\n\r\t"\\/', "a": "é€𝄞\u2028", "A": [], "": {}})
def test_canonical_bytes_are_those_of_a_general_rfc_8785_implementation(content: Any) -> None:
    assert canonical_bytes(content) == rfc8785.dumps(as_published(content))


def test_the_order_of_the_fields_does_not_matter() -> None:
    assert canonical_bytes({"a": 1, "b": 2}) == canonical_bytes({"b": 2, "a": 1}) == b'{"a":"1","b":"2"}'


@pytest.mark.parametrize("value", [1.0, float("nan"), Decimal(1), Fraction(1), b"1", {1}, object()])
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    for content in (value, [value], {"a": value}):
        with pytest.raises(TypeError, match="has no canonical form"):
            canonical_bytes(content)


def test_keys_outside_ascii_are_refused() -> None:
    """RFC 8785 sorts keys by UTF-16 units, `sorted` by code points: equal for ASCII only."""
    with pytest.raises(ValueError, match="keys must be ASCII"):
        canonical_bytes({"é": 1})
    with pytest.raises(ValueError, match="keys must be ASCII"):
        canonical_bytes({"a": [{"�": 1}]})


def test_an_absent_field_is_left_out_and_an_absent_item_is_refused() -> None:
    assert plain({"a": None, "b": {"c": None}}) == {"b": {}}
    with pytest.raises(TypeError):
        canonical_bytes([None])


def test_a_digest_by_someone_else() -> None:
    """sha256 of the empty text and of `abc`: FIPS 180-4, examples of NIST."""
    assert sha256_hex(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert sha256_hex(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("module", [calendar, canonical, quantities, numbers, slugs, faults])
def test_the_examples_in_the_docstrings_run(module: Any) -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("call", [rounded_root, significant_root])
def test_a_negative_square_has_no_root(call: Callable[[Fraction, int], str]) -> None:
    with pytest.raises(ValueError):
        call(Fraction(-1), 3)
