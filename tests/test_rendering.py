"""What people read: the board and the receipt of small hand-made records, line by line.

The figures of the records were worked out on paper: yesterday 600 tokens at 10 USD and 400 at 2 give 6.8, today 500
and 500 give 6.0, and a move of −0.8 that is all mix, −0.36 and −0.44.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from msgspec import convert
from msgspec.structs import replace

from mtok.calendar import parse_date
from mtok.cli.board import board_page
from mtok.cli.layout import labelled, named_columns
from mtok.cli.points import points_page
from mtok.cli.receipt import receipt_page
from mtok.cli.terminal import showable
from mtok.quantities import PRICE_SECONDS_PER_USD_PER_MTOK
from mtok.records import (
    Conflict,
    Constituent,
    Determination,
    Diagnostics,
    Discarded,
    Effect,
    Factors,
    InputCapture,
    Inputs,
    LeftOut,
    Move,
    RankingsCapture,
    SeenDay,
)
from mtok.wording.figures import (
    TIED,
    bar,
    instant_text,
    meaningful_places,
    number,
    on_the_point,
    percent,
    signed,
    signed_percent,
    sparkline,
    told_apart,
    trimmed,
)
from mtok.wording.sentences import effects_line, sentence
from mtok.wording.words import no_print, reason, rung, short_rung, shown_names

WIDTH = 80
LINE = "─" * WIDTH


def constituent(name: str, tokens: int, share: str, price: int, contribution: str) -> Constituent:
    return Constituent(
        constituent=name,
        tokens=tokens,
        weight_share=share,
        price_seconds=price * PRICE_SECONDS_PER_USD_PER_MTOK,
        price_usd_per_mtok=f"{price}.000000",
        contribution_usd_per_mtok=contribution,
        rung="direct",
        age_days=0,
        captures=("c1", "c2"),
    )


def diagnostics(**changes: str | int | None) -> Diagnostics:
    return replace(
        Diagnostics(
            token_weight=1000,
            constituents=2,
            weight_basis="total_tokens",
            observed_tokens=1100,
            direct_tokens=1000,
            fallback_tokens=0,
            imputed_tokens=0,
            missing_tokens=0,
            unpaid_tokens=100,
            ineligible_tokens=0,
            price_coverage="1.000000",
            imputed_token_share="0.000000",
            fallback_share="0.000000",
            conflict_share="0.000000",
            market_tail_share="0.058000",
            market_tail_tokens=580,
            named_rows=50,
            smallest_named_tokens=30,
            absent_constituents=1,
            truncation_exposure="0.030000",
            unseen_ratio="0.030000",
            truncation_low="5.912621",
            truncation_high="6.407767",
        ),
        **changes,
    )


MOVE = Move(
    from_date="2026-01-01",
    from_value="6.800000",
    from_sha256="1" * 64,
    change="-0.800000000000",
    price="0.000000000000",
    mix="-0.800000000000",
    entry="0.000000000000",
    exit="0.000000000000",
    factors=Factors(
        price="1.000000000000", mix="0.882352941176", entry="1.000000000000", exit="1.000000000000"
    ),
    constituents=(
        Effect(constituent="openai/gpt-9-20260101", price="0.000000000000", mix="-0.360000000000"),
        Effect(constituent="openai/gpt-9-mini", price="0.000000000000", mix="-0.440000000000"),
    ),
)


def today(**changes: object) -> Determination:
    record = Determination(
        series="openai",
        date="2026-01-02",
        methodology="1.0",
        unit="USD_PER_MTOK_OUTPUT",
        volume_source="rankings-daily",
        quality="good",
        reasons=(),
        notes=(),
        rules_sha256="a" * 64,
        parameters_sha256="b" * 64,
        inputs=Inputs(
            captures=tuple(
                InputCapture(
                    id=f"c{hour}",
                    captured_at=f"2026-01-02T0{hour}:00:00Z",
                    collector="primary",
                    rank=1,
                    sha256=str(hour) * 64,
                )
                for hour in (1, 2, 3)
            ),
            seen=(
                SeenDay(date="2025-12-31", captures=48, sha256="e" * 64),
                SeenDay(date="2026-01-02", captures=3, sha256="f" * 64),
            ),
            rankings=RankingsCapture(as_of="2026-01-03T08:00:00.5Z", sha256="d" * 64),
        ),
        diagnostics=diagnostics(),
        w=1000,
        n=6000 * PRICE_SECONDS_PER_USD_PER_MTOK,
        value="6.000000",
        average_7d_days=2,
        average_30d_days=2,
        price_index="100.000000",
        constituents=(
            constituent("openai/gpt-9-20260101", 500, "0.500000", 10, "5.000000"),
            constituent("openai/gpt-9-mini", 500, "0.500000", 2, "1.000000"),
        ),
        left_out=(LeftOut(constituent="openai/gpt-9-mini:free", tokens=100, reason="unpaid"),),
        move=MOVE,
    )
    return replace(record, **changes)


def yesterday() -> Determination:
    return today(
        date="2026-01-01",
        value="6.800000",
        constituents=(
            constituent("openai/gpt-9-20260101", 600, "0.600000", 10, "6.000000"),
            constituent("openai/gpt-9-mini", 400, "0.400000", 2, "0.800000"),
        ),
        move=None,
    )


def withheld() -> Determination:
    return today(
        series="qwen",
        value=None,
        n=None,
        move=None,
        price_index=None,
        quality="withheld",
        reasons=("truncation",),
        diagnostics=diagnostics(truncation_exposure="0.830000", truncation_low=None, truncation_high=None),
    )


def lines(page: list[str]) -> list[str]:
    return [line.replace(TIED, " ") for line in page]


def board(history: dict[str, list[Determination]]) -> list[str]:
    return lines(board_page(history, parse_date("2026-01-02"), WIDTH))


# ---- figures ----


def test_a_price_has_the_decimals_that_carry_meaning() -> None:
    values = ("600.000000", "12.640247", "3.323000", "0.369365", "0.036936", "0.000000")
    assert [meaningful_places(value) for value in values] == [2, 2, 3, 4, 5, 3]
    assert number("12.640247", 2) == "12.64"


def test_changes_carry_their_sign_and_zero_has_none() -> None:
    assert [signed(value, 2) for value in ("0.036643", "-1.753598", "0.004", "-0.004")] == [
        "+0.04",
        "−1.75",
        "0.00",
        "0.00",
    ]
    assert signed_percent("0.850369").replace(TIED, " ") == "−15.0 %"
    assert signed_percent("1.0001").replace(TIED, " ") == "0.0 %"
    assert percent("0.338609").replace(TIED, " ") == "33.9 %"


def test_a_value_and_its_limit_are_told_apart() -> None:
    assert told_apart("0.830000", Fraction(1, 2)) == ("0.83", "0.50")
    assert told_apart("0.500001", Fraction(1, 2)) == ("0.500001", "0.500000")


def test_a_missing_day_is_a_gap_in_the_sparkline() -> None:
    known = [Decimal(number) for number in (1, 2, 3, 4, 5, 6, 7, 8)]
    assert sparkline(known) == "▁▂▃▄▅▆▇█"
    assert sparkline([known[0], None, known[7]]) == "▁ █"
    assert sparkline([None, None]) == "  "
    assert sparkline([known[0], known[0]]) == "▄▄"


def test_numbers_stand_on_the_decimal_point() -> None:
    assert on_the_point(["12.64", "0.3694", "–"]) == ["12.64  ", "0.3694", "–     "]
    assert [trimmed(price) for price in ("30.000000", "0.196600", "2.025000")] == ["30.00", "0.1966", "2.025"]


def test_bars_grow_from_the_axis() -> None:
    assert bar(Fraction(-2), Fraction(2), 4) == "████│    "
    assert bar(Fraction(1, 100), Fraction(2), 4) == "    │█   "
    assert bar(Fraction(0), Fraction(2), 4) == bar(Fraction(0), Fraction(0), 4) == "    │    "


def test_instants_are_said_to_be_utc() -> None:
    assert instant_text("2026-06-21T14:00:00.25Z").replace(TIED, " ") == "21 Jun 2026 14:00:00 UTC"


def test_a_name_too_long_for_its_row_has_a_line_of_its_own() -> None:
    assert named_columns(["short", "a-very-long-name"], [["1"], ["10"]], ">", 12) == [
        "short      1",
        "a-very-long-name",
        "          10",
    ]


def test_a_label_stands_before_wrapped_text() -> None:
    assert labelled("left", "one two three", 12, indent=6) == ["left  one", "      two", "      three"]


# ---- the board ----


def test_the_board_in_80_columns() -> None:
    history = {"openai": [yesterday(), today()], "qwen": [withheld()], "moonshot": []}
    assert board(history) == [
        "mtok  the open reference price for AI tokens",
        "USD per 1M output tokens, weighted by all tokens used on OpenRouter",
        "Print of 2 Jan 2026 · methodology 1.0 · all captures seen",
        "",
        "  Company     Price      Day 7-day 30-day  30 days to 2 Jan, own scale",
        LINE,
        "● OpenAI      6.000  −11.8 %     –      –                              █▁",
        "  good       mix −0.800",
        "– Qwen        –            –     –      –",
        "  withheld   no print",
        "             truncation exposure 0.83 above 0.50",
        "  Moonshot AI –            –     –      –",
        "  no record of this day",
        LINE,
        "price: posted prices changed. mix: use moved between cheaper and dearer models.",
        "entry, exit: models came in or left. All in USD per 1M tokens.",
        "",
        "OpenAI fell 11.8 %: use moved to cheaper models; posted prices did not change.",
        "Qwen has no print: truncation exposure 0.83 above 0.50.",
        "",
        "What this is: what a million output tokens cost at posted prices, if bought in",
        "the proportions in which tokens were used that day. It moves with prices and",
        "with what people use. What it is not: a bill, a discount, the whole market or",
        "advice. Days carry the working week: budgets belong on averages. OpenRouter",
        "names the 50 most used models of a day.",
        "",
        "Source: OpenRouter (openrouter.ai/rankings), as of 2026-01-03T08:00:00.5Z.",
        "Licensed under CC BY 4.0. Index computed from it by mtok.",
    ]


def test_the_board_says_from_where_and_as_known_when() -> None:
    page = board({"openai": [today(origin="sample", as_of="2026-01-03T14:00:00Z", backcast=True)]})
    assert page[2:4] == [
        "Print of 2 Jan 2026 · methodology 1.0 · as known 3 Jan 2026 14:00:00 UTC ·",
        "bundled sample · backcast",
    ]


def test_the_board_of_another_volume_source_says_whose_it_is() -> None:
    record = today(
        series="house:openai", volume_source="house", quality="degraded", reasons=("other_source",)
    )
    page = board({"house:openai": [record]})
    assert page[1] == "USD per 1M output tokens, weighted by all tokens of house"
    assert page[6].startswith("◐ OpenAI (house) 6.000")
    assert "             other_source: the volumes are those of house, not of rankings-daily" in page
    assert page[-1] == "Source: house, as of 2026-01-03T08:00:00.5Z."


@pytest.mark.parametrize("width", [80, 88, 100])
def test_no_line_is_wider_than_the_page(width: int) -> None:
    long = "openai/" + "gpt-with-a-very-long-name-" * 2 + "20260101"
    record = today(
        quality="estimated",
        reasons=(
            "conflict",
            "coverage",
            "few_constituents",
            "imputed_or_fallback",
            "short_capture",
            "truncation",
        ),
        notes=("jump", "no_link", "weak_link"),
        average_7d="6.400000",
        average_30d="6.400000",
        constituents=(*today().constituents, constituent(long, 10**15, "0.999999", 600, "599.999999")),
        conflicts=(
            Conflict(
                constituent=long, grade="major", price_seconds=1, other_collector="b", other_price_seconds=2
            ),
        ),
        discarded=(Discarded(constituent=long, capture="c3", reason="zero_glitch"),),
    )
    history = {series: [yesterday(), record] for series in ("openai", "google-gemini", "anthropic")}
    pages = [
        board_page(history, parse_date("2026-01-02"), width),
        receipt_page(record, yesterday(), width),
        receipt_page(withheld(), None, width),
        points_page([yesterday(), record, withheld()], width),
    ]
    for page in pages:
        assert all(len(line) <= width or line == shown_names(record)[long] for line in page)


# ---- in words ----


def test_causes_are_named_once_where_they_are_the_same() -> None:
    move = replace(
        MOVE,
        mix="-1.753597543023",
        entry="-0.507295302824",
        exit="0.036643007475",
        entry_by_cause={"no_row": "-0.507295302824"},
        exit_by_cause={"no_row": "0.036643007475"},
    )
    line = effects_line(today(value="12.640247", move=move)).replace(TIED, " ")
    assert line == "mix −1.75  entry −0.51  exit +0.04 (no row: may be the cut at 50)"
    listed = replace(move, entry_by_cause={"unlisted": "-0.507295302824"})
    line = effects_line(today(value="12.640247", move=listed)).replace(TIED, " ")
    assert line == "mix −1.75  entry −0.51 (not listed before)  exit +0.04 (no row: may be the cut at 50)"


def test_effects_that_round_to_zero_are_left_out() -> None:
    line = effects_line(today(move=replace(MOVE, mix="-0.000400000000", price="0.000499000000")))
    assert line.replace(TIED, " ") == "no effect of 0.001 or more"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "OpenAI fell 11.8 %: use moved to cheaper models; posted prices did not change."),
        (
            {"price": "-0.500000000000", "mix": "-0.300000000000"},
            "OpenAI fell 11.8 %: posted prices fell and use moved to cheaper models.",
        ),
        (
            {"price": "0.000100000000", "mix": "-0.800100000000"},
            "OpenAI fell 11.8 %: use moved to cheaper models; posted prices hardly changed.",
        ),
        (
            {
                "mix": "0.200000000000",
                "exit": "-1.000000000000",
                "constituents": (Effect(constituent="openai/x", exit="-1.000000000000", cause="no_row"),),
            },
            "OpenAI fell 11.8 %: a dearer model dropped out of the top 50; against that, use moved to dearer models; "
            "posted prices did not change.",
        ),
        (
            {
                "mix": "0.000000000000",
                "entry": "-0.800000000000",
                "constituents": tuple(
                    Effect(constituent=f"openai/{name}", entry="-0.400000000000", cause="unlisted")
                    for name in "xy"
                ),
            },
            "OpenAI fell 11.8 %: 2 new, cheaper models came in; posted prices did not change.",
        ),
        (
            {"price": None, "mix": None, "entry": None, "exit": None, "replacement": "-0.800000000000"},
            "OpenAI fell 11.8 %: no model is priced on both days, so the models changed and not their prices.",
        ),
        (
            {"from_date": "2025-12-30"},
            "OpenAI fell 11.8 % since 30 Dec 2025: use moved to cheaper models; posted prices did not change.",
        ),
    ],
)
def test_the_sentence_is_made_from_the_record(changes: dict[str, object], said: str) -> None:
    assert sentence(today(move=replace(MOVE, **changes))).replace(TIED, " ") == said


def test_an_outline_is_not_told_as_if_no_model_had_come() -> None:
    outlined = replace(MOVE, mix="0.000000000000", entry="-0.800000000000", constituents=())
    with pytest.raises(AssertionError, match="outline"):
        sentence(today(move=outlined))


def test_the_sentence_of_a_first_print() -> None:
    assert sentence(yesterday()) == "OpenAI: the first print, with nothing before it to compare with."
    late = today(move=None, notes=("no_link",))
    assert sentence(late) == "OpenAI: no print in the 30 days before to compare with."


def test_a_withheld_day_says_by_which_limit() -> None:
    found, remedy = no_print(withheld())
    assert found == "qwen has no print for 2026-01-02: withheld, truncation exposure 0.83 above 0.50 (R-10)."
    assert remedy.replace(TIED, " ") == "One unseen model could weigh as much as 83 % of everything seen."


@pytest.mark.parametrize(
    ("code", "found", "said"),
    [
        ("coverage", {"price_coverage": "0.851000"}, "only 85.1 % of the tokens that need a price have one"),
        (
            "imputed_or_fallback",
            {"imputed_token_share": "0.200000", "fallback_share": "0.100000"},
            "30.0 % of the weight at prices of another day or another collector",
        ),
        (
            "conflict",
            {"conflict_share": "0.120000"},
            "12.0 % of the weight has prices that collectors dispute",
        ),
        (
            "truncation",
            {"truncation_exposure": "0.235000"},
            "one unseen model could weigh 23.5 % of what is seen",
        ),
        (
            "truncation",
            {"truncation_exposure": "0.090000", "unseen_ratio": "2.340000"},
            "all unseen ones together 2.3 times as much as is seen",
        ),
        (
            "short_capture",
            {"named_rows": 43},
            "the ranking names 43 models, not 50; what it cuts off is unknown",
        ),
        ("a_new_code", {}, "a_new_code"),
    ],
)
def test_reasons_in_words(code: str, found: dict[str, str | int], said: str) -> None:
    assert reason(today(diagnostics=diagnostics(**found)), code).replace(TIED, " ") == said


def test_rungs_in_words() -> None:
    direct = today().constituents[0]
    carried = replace(direct, rung="carried", age_days=1, captures=("c1",))
    launch = replace(direct, rung="launch", age_days=-1, captures=("c3",))
    assert [rung(row) for row in (direct, carried, launch)] == [
        "direct, 2 captures",
        "carried 1 day",
        "launch, 1 capture",
    ]
    assert [short_rung(row) for row in (direct, carried, launch)] == ["direct ×2", "carried 1 d", "launch ×1"]


# ---- the receipt ----


def test_the_receipt_in_80_columns() -> None:
    record = today()
    assert lines(receipt_page(record, yesterday(), WIDTH)) == [
        "OpenAI · 2 Jan 2026 · ● good                   6.000000 USD per 1M output tokens",
        "series openai · methodology 1.0 · all captures seen",
        LINE,
        "model                    tokens    share  price  price found         contributes",
        "gpt-9                       500   50.0 %  10.00  direct, 2 captures     5.000000",
        "gpt-9-mini                  500   50.0 %   2.00  direct, 2 captures     1.000000",
        LINE,
        "sum                       1,000  100.0 %                                6.000000",
        "",
        "left out     gpt-9-mini:free with 100 tokens, unpaid: the free variant, or a",
        "             price of 0",
        "coverage     100.0 % of the tokens that need a price have one",
        "unseen       one model under the cut could weigh at most 3.0 % of the sum above:",
        "             the smallest of 50 named models had 30 tokens",
        "absent       1 other model of OpenAI could be bought that day and had no row",
        "worst case   5.913 to 6.408, had the absent ones been used as much as the cut",
        "             allows; no status depends on it",
        "market tail  models under the cut held 5.8 % of all tokens: 580",
        "averages     none (2 of 7 days printed, 6 needed), none (2 of 30 days printed,",
        "             24 needed)",
        "price index  100.000000, posted prices alone; 100 on the first printed day",
        "",
        "The move since 1 Jan 2026                6.800000 → 6.000000  −0.800000  −11.8 %",
        LINE,
        "OpenAI fell 11.8 %: use moved to cheaper models; posted prices did not change.",
        "",
        "price   0.000000    0.0 %            │            posted prices unchanged",
        "mix    −0.800000  −11.8 %  ██████████│            use moved to cheaper models",
        "entry   0.000000    0.0 %            │            no model came in",
        "exit    0.000000    0.0 %            │            no model left",
        "sum    −0.800000  −11.8 %            │            the percentages multiply",
        "",
        "models priced on both days            effect             share among them  price",
        "gpt-9-mini                            mix     −0.440000   40.0 % → 50.0 %   2.00",
        "gpt-9                                 mix     −0.360000   60.0 % → 50.0 %  10.00",
        "",
        "Evidence",
        LINE,
        "Responses exactly as they were received, by sha256.",
        "volumes      rankings-daily as of 2026-01-03T08:00:00.5Z",
        "             " + "d" * 64,
        "prices       51 responses of the price list, 2025-12-31 to 2026-01-02; those",
        "             behind the prices above:",
        "  c1         2026-01-02T01:00:00Z by primary (rank 1)",
        "             " + "1" * 64,
        "  c2         2026-01-02T02:00:00Z by primary (rank 1)",
        "             " + "2" * 64,
        "rules        " + "a" * 64,
        "parameters   " + "b" * 64,
        f"this record  {record.sha256}",
        "print before " + "1" * 64,
        "full names   openai/gpt-9-20260101",
        "",
        "Words",
        LINE,
        "capture      one response of the price list as received, kept with its time",
        "direct       the price posted that day, averaged over the time it was in force",
        "contributes  share times price; the sum is the value",
        "row          a line of OpenRouter's token ranking of models, which ends at 50",
        "price        effect of changed posted prices, on the models priced on both days",
        "mix          effect of use moving between cheaper and dearer of these models",
        "entry, exit  effect of models that are priced on one of the two days only",
        "price index  posted prices alone, without the mix; a daily chain can drift",
        "sha256       fingerprint of bytes; of this record: of the line --json prints",
        "",
        "Source: OpenRouter (openrouter.ai/rankings), as of 2026-01-03T08:00:00.5Z.",
        "Licensed under CC BY 4.0. Index computed from it by mtok.",
    ]


def test_the_receipt_of_a_disputed_day() -> None:
    carried = replace(today().constituents[1], rung="carried", age_days=2, captures=("c1",))
    record = today(
        quality="degraded",
        reasons=("conflict",),
        notes=("jump",),
        origin="sample",
        diagnostics=diagnostics(conflict_share="0.500000"),
        constituents=(today().constituents[0], carried),
        conflicts=(
            Conflict(
                constituent="openai/gpt-9-20260101",
                grade="major",
                price_seconds=10 * PRICE_SECONDS_PER_USD_PER_MTOK,
                other_collector="archive",
                other_price_seconds=12 * PRICE_SECONDS_PER_USD_PER_MTOK,
            ),
        ),
        discarded=(Discarded(constituent="openai/gpt-9-mini", capture="c3", reason="zero_glitch"),),
    )
    page = lines(receipt_page(record, None, WIDTH))
    assert page[:5] == [
        "OpenAI · 2 Jan 2026 · ◐ degraded               6.000000 USD per 1M output tokens",
        "series openai · methodology 1.0 · all captures seen · bundled sample",
        "degraded:    50.0 % of the weight has prices that collectors dispute (conflict)",
        "note:        jump: the value moved by more than 20 % since the print before",
        LINE,
    ]
    assert "gpt-9-mini                  500   50.0 %   2.00  carried 2 days         1.000000" in page
    assert "conflict     gpt-9: 10.00 is used, collector archive has 12.00 (major: over" in page
    assert "discarded    gpt-9-mini in c3 of 2 Jan 2026 03:00:00 UTC, zero_glitch: a price" in page
    assert "Not responses as received but rendered from the bundled sample, by sha256; the" in page
    assert "carried      the own price of an earlier day, as there is none of this day" in page


def test_without_the_earlier_record_only_the_shares_of_the_day_are_shown() -> None:
    page = lines(receipt_page(today(), None, WIDTH))
    assert "gpt-9                                 mix     −0.360000            50.0 %  10.00" in page


def test_the_receipt_of_a_withheld_day_shows_what_is_known() -> None:
    page = lines(receipt_page(withheld(), None, WIDTH))
    assert page[:6] == [
        "Qwen · 2 Jan 2026 · – withheld                                          no value",
        "series qwen · methodology 1.0 · all captures seen",
        "",
        "qwen has no print for 2026-01-02: withheld, truncation exposure 0.83 above 0.50",
        "(R-10).",
        "One unseen model could weigh as much as 83 % of everything seen.",
    ]
    assert "sum                       1,000  100.0 %                                       –" in page
    assert not any(line.startswith(("The move", "averages", "worst case")) for line in page)


def test_a_day_without_any_volume_has_a_receipt_too() -> None:
    counts = (
        *("token_weight", "constituents", "observed_tokens", "direct_tokens", "fallback_tokens"),
        *("imputed_tokens", "missing_tokens", "unpaid_tokens", "ineligible_tokens"),
    )
    nothing = today(
        value=None,
        n=None,
        w=0,
        move=None,
        quality="withheld",
        reasons=("no_volumes",),
        constituents=(),
        left_out=(),
        inputs=Inputs(captures=(), seen=()),
        diagnostics=convert({**dict.fromkeys(counts, 0), "weight_basis": "total_tokens"}, Diagnostics),
    )
    page = lines(receipt_page(nothing, None, WIDTH))
    assert "no model of the series has tokens and a price on this day" in page
    assert board({"openai": [nothing]})[6] == "– OpenAI      –   –     –      –"


def test_the_largest_effects_are_shown_and_the_rest_counted() -> None:
    names = [f"openai/m{number}" for number in range(10)]
    move = replace(
        MOVE,
        constituents=tuple(
            Effect(constituent=name, price="0.000000000000", mix=f"-0.0{number}0000000000")
            for number, name in enumerate(names)
        ),
    )
    rows = tuple(constituent(name, 1, "0.100000", 1, "0.100000") for name in names)
    page = lines(receipt_page(today(move=move, constituents=rows), None, WIDTH))
    listed = [
        line.split()[0] for line in page if " mix  " in line and line.startswith("m") and line[1].isdigit()
    ]
    assert listed == ["m9", "m8", "m7", "m6", "m5", "m4", "m3", "m2"]
    assert "1 smaller effect not shown" in page


def test_models_are_named_without_date_where_that_is_unambiguous() -> None:
    names = (
        "openai/gpt-9-20260101",
        "openai/gpt-9-2026-01-01:free",
        "openai/gpt-8-20250101",
        "openai/gpt-8-20250202",
    )
    record = today(constituents=tuple(constituent(name, 1, "0.250000", 1, "0.250000") for name in names))
    assert shown_names(replace(record, left_out=(), move=None)) == {
        "openai/gpt-8-20250101": "gpt-8-20250101",
        "openai/gpt-8-20250202": "gpt-8-20250202",
        "openai/gpt-9-20260101": "gpt-9",
        "openai/gpt-9-2026-01-01:free": "gpt-9:free",
    }


def test_characters_the_stream_cannot_show_are_ascii() -> None:
    assert showable("● 12.64 −15.0\u00a0% ▁▄█", "utf-8") == "● 12.64 −15.0 % ▁▄█"
    assert showable("● 12.64 −15.0\u00a0% ▁▄█", "ascii") == "* 12.64 -15.0 % _-#"
    assert showable("Müller", "ascii") == "M?ller"
