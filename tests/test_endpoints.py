"""Whose price is it: the company's own endpoints, and how far the prices used lie from theirs (`first_party_gap`).

Every expected gap was worked out by hand from the prices and tokens beside it; prices are in USD per million.
"""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from markets import Taken, at, determine, make_store, models, rankings
from mtok.calendar import parse_date
from mtok.cli.receipt import receipt_page
from mtok.determination.first_party import EndpointsObservation, first_party_gap, own_price, own_prices
from mtok.determination.inputs import Evidence
from mtok.methodology import load
from mtok.observations import EndpointRow, decode_endpoints
from mtok.quantities import PRICE_SECONDS_PER_USD_PER_MTOK
from mtok.records import Constituent, Determination, decode_determination
from mtok.wording.figures import TIED

DOCUMENT = Path(__file__).parents[1] / "src" / "mtok" / "methodology" / "v1" / "rulebook.md"
DEEPSEEK = ("DeepSeek",)
GOOGLE = ("Google", "Google AI Studio")


def price_seconds(usd_per_mtok: str) -> int:
    """Return a price that holds all day."""
    return int(Fraction(usd_per_mtok) * PRICE_SECONDS_PER_USD_PER_MTOK)


def row(
    provider: str, price: str | None, *, tag: str = "", status: int | None = 0, standard_tier: bool = True
) -> EndpointRow:
    """Return an endpoint as it is decoded; a `price` of None could not be read."""
    seconds = None if price is None else price_seconds(price)
    return EndpointRow(
        ordinal=0,
        provider=provider,
        tag=tag,
        status=status,
        standard_tier=standard_tier,
        price=None if seconds is None else seconds // 86_400,
        price_seconds=seconds,
        discount=None,
        reason="price_dynamic" if price is None else None,
    )


def constituent(name: str, tokens: int, price: str) -> Constituent:
    """Return a priced constituent."""
    return Constituent(
        constituent=name,
        tokens=tokens,
        weight_share="0.000000",
        price_seconds=price_seconds(price),
        price_usd_per_mtok=price,
        contribution_usd_per_mtok="0.000000",
        rung="direct",
        age_days=0,
        captures=(),
    )


def observed(slug: str, *rows: EndpointRow, about: str | None = None) -> EndpointsObservation:
    """Return an observation of a slug's endpoints that says it is about the id `about`."""
    return EndpointsObservation(
        slug=slug, captured_at="2026-01-05T08:00:00Z", sha256="e" * 64, id=about or slug, rows=list(rows)
    )


# ---- the own price of one model


@pytest.mark.parametrize(
    ("rows", "price"),
    [
        ([row("Inn", "0.2"), row("DeepSeek", "0.4"), row("Hostelry", "0.1")], "0.4"),
        ([row("DeepSeek", "0.2", standard_tier=False), row("DeepSeek", "0.4")], "0.4"),  # flex stands first
        ([row("DeepSeek", "0.44", tag="deepseek/eu"), row("DeepSeek", "0.4", tag="deepseek/2")], "0.4"),
        ([row("DeepSeek", "0.3", status=-5), row("DeepSeek", "0.4")], "0.4"),
        ([row("DeepSeek", "0.3", status=-5), row("DeepSeek", "0.4", status=None)], "0.4"),
        ([row("DeepSeek", "0.3", status=-5), row("DeepSeek", "0.4", status=-2)], "0.3"),
        ([row("DeepSeek", "0"), row("DeepSeek", "0.4")], "0.4"),
        ([row("DeepSeek", None), row("DeepSeek", "0.4")], "0.4"),
        ([row("DeepSeek", "0")], None),
        ([row("DeepSeek", None)], None),
        ([row("DeepSeek", "0.2", standard_tier=False)], None),
        ([row("deepseek", "0.4"), row("DeepSeek AI", "0.4")], None),
        ([], None),
    ],
)
def test_the_own_price(rows: list[EndpointRow], price: str | None) -> None:
    """The company's, standard tier, positive; the healthy ones first, then the lowest; whatever their order."""
    wanted = None if price is None else price_seconds(price)
    assert own_price(rows, DEEPSEEK) == wanted
    assert own_price(rows[::-1], DEEPSEEK) == wanted


def test_a_company_can_have_two_providers() -> None:
    assert own_price([row("Google", "5"), row("Google AI Studio", "4")], GOOGLE) == price_seconds("4")


def test_an_open_model_its_maker_does_not_serve_has_no_own_price() -> None:
    """gpt-oss: every endpoint is another company's."""
    rows = [row("Groq", "0.5"), row("Novita", "0.25"), row("Azure", "0.6")]
    assert own_price(rows, ("OpenAI",)) is None


def test_a_discount_is_in_the_posted_price_already() -> None:
    """0.60 posted at a discount of one half is 0.60, whatever the list says; a markup of a fifth likewise."""
    for discount, text in ((0.5, "0.5"), (-0.2, "-0.2")):
        pricing = {"completion": "0.0000006", "discount": discount}
        endpoint = {"provider_name": "OpenAI", "tag": "openai", "pricing": pricing}
        payload = {"data": {"id": "openai/gpt-a", "endpoints": [endpoint]}}
        [found] = decode_endpoints(json.dumps(payload).encode()).rows
        assert (found.discount, own_price([found], ("OpenAI",))) == (text, price_seconds("0.6"))


# ---- whose endpoints they are


def test_a_slug_answered_with_another_model_has_no_own_price() -> None:
    """A retired slug still resolves, and what comes is about the id of its successor."""
    described = {("deepseek/chat", "deepseek/chat-v4"), ("deepseek/r", "deepseek/r-1")}
    found = own_prices(
        [
            observed("deepseek/chat-v4", row("DeepSeek", "0.4"), about="deepseek/chat"),
            observed("deepseek/chat-v3", row("DeepSeek", "0.3"), about="deepseek/chat"),
            observed("deepseek/r-1", row("DeepSeek", "2"), about="deepseek/r-2"),
        ],
        described,
        DEEPSEEK,
    )
    assert found == {"deepseek/chat-v4": price_seconds("0.4")}


def test_a_response_that_names_no_model_counts_for_none() -> None:
    nameless = EndpointsObservation(
        slug="deepseek/r", captured_at="", sha256="", id=None, rows=[row("DeepSeek", "2")]
    )
    assert own_prices([nameless], {("deepseek/r", "deepseek/r")}, DEEPSEEK) == {}


# ---- the gap


def gap(*rows: tuple[int, str, str | None]) -> str | None:
    """Return the gap of (tokens, price, own price) rows."""
    own = {str(place): price_seconds(asked) for place, (_, _, asked) in enumerate(rows) if asked}
    return first_party_gap(
        [constituent(str(place), tokens, price) for place, (tokens, price, _) in enumerate(rows)], own
    )


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(600, "10", "9"), (400, "5", "6")], "0.125000"),  # (600 + 400) ÷ (6,000 + 2,000): never netted
        (
            [(600, "10", "9"), (400, "5", "6"), (9_000, "70", None)],
            "0.125000",
        ),  # no own price: not in either sum
        ([(7, "3", "3")], "0.000000"),
        ([(7, "0.1", "0.4")], "3.000000"),  # own price four times as high
        ([(1, "3", "2")], "0.333333"),
        ([(1, "3", "1")], "0.666667"),
        ([(1, "2", "2.000001")], "0.000000"),  # 0.0000005: half, to the even neighbour
        ([(1, "2", "2.000003")], "0.000002"),  # 0.0000015: half, to the even neighbour
        ([(10**19, "1000", "999.999"), (1, "1", "1000")], "0.000001"),
        ([(5, "3", None)], None),
        ([], None),
    ],
)
def test_the_gap(rows: list[tuple[int, str, str | None]], expected: str | None) -> None:
    assert gap(*rows) == expected


# ---- from a store to the record and its receipt

DATE = "2026-01-05"
TOKENS = {
    "deepseek/chat-v4": 600,
    "deepseek/r-1": 300,
    "deepseek/r-1:batch": 50,
    "deepseek/old-1": 100,
    "deepseek/lite-1": 50,
    "openai/gpt-oss": 10,
}
PRICES = {
    "deepseek/chat": ("deepseek/chat-v4", "0.0000005"),
    "deepseek/r": ("deepseek/r-1", "0.000002"),
    "deepseek/r:batch": ("deepseek/r-1", "0.000001"),
    "deepseek/old": ("deepseek/old-1", "0.000003"),
    "deepseek/lite": ("deepseek/lite-1", "0.0000002"),
    "deepseek/lite:batch": ("deepseek/lite-1", "0.0000001"),
    "openai/gpt-oss": ("openai/gpt-oss", "0.0000004"),
}


def market() -> list[Taken]:
    """One price list at noon and the volumes of the next day."""
    listed: list[dict[str, Any]] = [
        {
            "id": model_id,
            "canonical_slug": slug,
            "created": 1,
            "architecture": {"output_modalities": ["text"]},
            "pricing": {"completion": price},
        }
        for model_id, (slug, price) in PRICES.items()
    ]
    volumes = [
        {"date": DATE, "model_permaslug": name, "total_tokens": str(tokens)}
        for name, tokens in TOKENS.items()
    ]
    return [models(at(DATE), listed), rankings(at("2026-01-06"), volumes)]


OBSERVED = [
    observed("openai/gpt-oss", row("Groq", "0.4")),
    observed("deepseek/r-1", row("DeepSeek", "2.5"), row("Inn", "2"), about="deepseek/r"),
    observed("deepseek/lite-1", row("DeepSeek", "0.1"), about="deepseek/lite:batch"),
    observed("deepseek/old-1", row("DeepSeek", "0.5"), about="deepseek/chat"),
    observed(
        "deepseek/chat-v4",
        row("DeepSeek", "0.2", standard_tier=False),
        row("DeepSeek", "0.4"),
        about="deepseek/chat",
    ),
]


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Determination]:
    """The records of the day by series, with the endpoints above."""
    by_day = {parse_date(DATE): OBSERVED}
    monkeypatch.setattr(Evidence, "endpoints_of", lambda _, day: by_day.get(day, []))
    found = determine(make_store(tmp_path / "store", market()))
    return {series: record for (series, date), record in found.items() if date == DATE}


def test_the_gap_of_a_determination(records: dict[str, Determination]) -> None:
    """chat: 600 × |0.4 − 0.5| = 60 of 300; r: 300 × |2.5 − 2| = 150 of 600; so 210 ÷ 900.

    `old` is answered with the endpoints of `chat`, `lite` with those of its batch variant; a batch variant has none.
    """
    record = records["deepseek"]
    assert record.diagnostics.first_party_gap == "0.233333"
    assert [capture.constituent for capture in record.inputs.endpoints] == [
        "deepseek/chat-v4",
        "deepseek/r-1",
    ]
    assert {capture.sha256 for capture in record.inputs.endpoints} == {"e" * 64}
    assert decode_determination(record.canonical) == record


def test_a_series_without_own_endpoints_has_no_gap(records: dict[str, Determination]) -> None:
    assert records["openai"].diagnostics.first_party_gap is None
    assert records["openai"].inputs.endpoints == ()
    assert b"first_party_gap" not in records["openai"].canonical
    assert b'"endpoints"' not in records["openai"].canonical


def test_the_gap_changes_nothing_else(records: dict[str, Determination], tmp_path: Path) -> None:
    """No value, status or reason rests on it."""
    with pytest.MonkeyPatch.context() as without:
        without.setattr(Evidence, "endpoints_of", lambda *_: [])
        bare = determine(make_store(tmp_path / "bare", market()))
    for series, record in records.items():
        assert bare[series, DATE] == replace(
            record,
            diagnostics=replace(record.diagnostics, first_party_gap=None),
            inputs=replace(record.inputs, endpoints=()),
        )


def test_the_receipt_says_how_far_apart_they_are(records: dict[str, Determination]) -> None:
    """900 of 1,100 tokens have an own price: 81.8 %."""
    page = "\n".join(receipt_page(records["deepseek"], None, 100)).replace(TIED, " ")
    said = re.sub(r"\s+", " ", page)
    assert (
        "first party own posted prices of DeepSeek differ from those above by 23.3 % of their value; "
        "81.8 % of the tokens have one" in said
    )
    assert "own prices 2 responses of the endpoints, 2026-01-05T08:00:00Z to 2026-01-05T08:00:00Z" in said
    assert all(len(line) <= 100 for line in page.splitlines())
    assert "first party" not in "\n".join(receipt_page(records["openai"], None, 100))


# ---- the document


def test_the_table_of_own_providers_is_that_of_the_version() -> None:
    section = DOCUMENT.read_text("utf-8").split("## Diagnostics beyond R-9")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([a-z-]+)` \| ([^|]+) \|", section, re.MULTILINE)
    documented = {series: tuple(name.strip() for name in names.split(",")) for series, names in rows}
    assert documented == {series.series: series.own_providers for series in load("1.0").series}
