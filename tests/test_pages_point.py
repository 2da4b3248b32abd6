"""The page of a value, and the pictures: digits held against the record, vintages, refusals, proofs to be fetched."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pytest
from PIL import Image

from markets import Taken
from mtok.publication.published import Published
from mtok.venue.opened import Opening
from mtok.venue.pages import preview
from pages import Element, ask
from presses import Begin, ranked, usual_days
from served import serving

DATE: Final = "2026-06-20"
EFFECTS: Final = ("price", "mix", "entry", "exit")


@pytest.fixture(scope="module")
def record(published_sample: Path) -> dict[str, Any]:
    """A record as it was published, without any of our types."""
    return dict(
        json.loads((published_sample / "publication" / "records" / "openai" / f"{DATE}.0.json").read_bytes())
    )


@pytest.fixture(scope="module")
def page(site: str) -> Element:
    return ask(f"{site}/series/openai/{DATE}").page


def cells(row: Element) -> list[str]:
    return [one.text for one in row.inside if isinstance(one, Element)]


def table(page: Element, label: str) -> Element:
    return page.one("div", aria_label=label).one("table")


def six(text: str) -> str:
    """A figure with six decimals, half-even, a sign and a true minus: written here again."""
    value = Decimal(text).quantize(Decimal("0.000001"), ROUND_HALF_EVEN)
    return f"{value:+f}".replace("-", "−") if value else "0.000000"


def in_percent(share: Fraction) -> str:
    return f"{Decimal(round(share * 1000)) / 10:.1f} %"


# ---- what it is made of, and why it moved


def test_the_receipt_has_the_digits_of_the_record(page: Element, record: dict[str, Any]) -> None:
    found = table(page, "Constituents")
    rows = found.one("tbody").all("tr")
    assert len(rows) == len(record["constituents"])
    for row, one in zip(rows, record["constituents"], strict=True):
        name, tokens, share, price, rung, contribution = cells(row)
        assert row.one("th").attributes["title"] == one["constituent"]
        assert one["constituent"].startswith(f"openai/{name}")
        assert tokens == f"{int(one['tokens']):,}"
        assert share == in_percent(Fraction(int(one["tokens"]), int(record["w"])))
        shown, pad = price.partition(".")[2], row.one("span", class_="pad").text
        assert Decimal(price) == Decimal(one["price_usd_per_mtok"])
        assert len(shown) == 2 + len(pad), "padded with unseen digits, so that the points stand in a column"
        assert rung.startswith(f"{one['rung']}, {len(one['captures'])} captures")
        assert contribution == one["contribution_usd_per_mtok"]
    assert cells(found.one("tfoot").one("tr"))[1::4] == [f"{int(record['w']):,}", record["value"]]
    assert page.one("div", class_="total").one("data").text == record["value"]


def test_the_move_has_the_effects_of_the_record_and_bars_as_long_as_they_are(
    page: Element, record: dict[str, Any]
) -> None:
    move, found = record["move"], table(page, "The move by cause")
    greatest = max(abs(Decimal(move[name])) for name in EFFECTS)
    for name, row in zip(EFFECTS, found.one("tbody").all("tr"), strict=True):
        shown = cells(row)
        assert shown[:2] == [name, six(move[name])]
        factor = (Decimal(move["factors"][name]) - 1) * 100
        assert shown[2] == (f"{factor:+.1f} %".replace("-", "−") if round(factor, 1) else "0.0 %")
        bar = row.one("rect", class_=f"effect-{name}").attributes
        share = abs(Decimal(move[name])) / greatest * 80
        assert abs(Decimal(bar["width"]) - share) <= Decimal("0.05")
        assert (Decimal(bar["x"]) < 80) == (Decimal(move[name]) < 0)
    assert cells(found.one("tfoot").one("tr"))[1] == six(move["change"])
    listed = {
        (row.one("th").attributes["title"], cells(row)[1]): cells(row)[2]
        for label in ("Effects by model", "Models priced on one day only")
        for row in table(page, label).one("tbody").all("tr")
    }
    expected = {
        (one["constituent"], name): six(one[name])
        for one in move["constituents"]
        for name in EFFECTS
        if name in one and abs(Decimal(one[name])) >= Decimal("0.005")
    }
    assert listed == expected


def test_what_is_not_listed_of_the_models_that_stay_is_summed(site: str, published_sample: Path) -> None:
    folder = published_sample / "publication" / "records" / "openai"
    record = json.loads(max(folder.glob("2026-06-26.*.json")).read_bytes())
    effects = [one for one in record["move"]["constituents"] if "mix" in one]
    found = table(ask(f"{site}/series/openai/2026-06-26").page, "Effects by model")
    listed = {
        (row.one("th").attributes["title"], cells(row)[1]): cells(row)[2]
        for row in found.one("tbody").all("tr")
    }
    left = [
        Decimal(one[name])
        for one in effects
        for name in ("price", "mix")
        if Decimal(one[name]) and (one["constituent"], name) not in listed
    ]
    assert left
    what = f"… {len(left)} smaller effect{'s' if len(left) > 1 else ''}"
    assert cells(found.one("tfoot").one("tr"))[:2] == [what, six(str(sum(left)))]


def test_models_that_stay_have_shares_and_prices_of_both_days(
    page: Element, record: dict[str, Any], published_sample: Path
) -> None:
    path = published_sample / "publication" / "records" / "openai" / f"{record['move']['from_date']}.0.json"
    before = json.loads(path.read_bytes())
    staying = {one["constituent"] for one in record["move"]["constituents"] if "mix" in one}
    sides = []
    for side in (before, record):
        listed = [one for one in side["constituents"] if one["constituent"] in staying]
        weight = sum(int(one["tokens"]) for one in listed)
        sides.append({one["constituent"]: Fraction(int(one["tokens"]), weight) for one in listed})
    for row in table(page, "Effects by model").one("tbody").all("tr"):
        name = row.one("th").attributes["title"]
        assert cells(row)[3] == " → ".join(in_percent(side[name]) for side in sides)


# ---- evidence


def test_everything_a_value_rests_on_can_be_fetched_and_is_what_the_page_says(
    page: Element, site: str, published_sample: Path, record: dict[str, Any]
) -> None:
    verify = page.one("div", id="verify").attributes
    raw = ask(site + verify["data-record"]).body
    digest = sha256(raw).hexdigest()
    assert digest in page.one("section", class_="evidence").text
    assert json.loads(raw)["value"] == verify["data-value"] == record["value"]
    assert (
        ask(site + verify["data-proof"]).body.decode().splitlines()[1]
        == f"index {verify['data-entry-index']}"
    )
    entry = Published(published_sample / "publication").entries[int(verify["data-entry-index"])]
    assert entry["record_sha256"] == digest
    assert verify["data-vkey"] == ask(f"{site}/vkey").body.decode().strip()
    links = [link.attributes["href"] for link in page.one("section", class_="evidence").all("a")]
    captures = [link for link in links if link.startswith("/captures/")]
    assert len(captures) == len(record["inputs"]["seen"])
    for link in [
        *captures[:2],
        captures[-1],
        f"/{record['observations']['path']}",
        f"/{record['prices']['path']}",
    ]:
        assert link in links
        assert ask(site + link).status == 200
    assert f"/v1/series/openai/points/{DATE}/evidence?vintage=0" in links
    assert digest in page.one("main").all("p", class_="note")[-1].text, "the citation"


# ---- vintages


def test_the_page_shows_what_is_in_force_then_what_was_and_each_by_its_number(site: str) -> None:
    def said(path: str) -> tuple[str, list[str]]:
        page = ask(f"{site}/series/qwen/2026-06-25{path}").page
        return page.one("div", class_="total").one("p").text, [
            one.text for one in page.all("p", role="status")
        ]

    in_force, nothing = said("")
    assert in_force == "2.768716 USD per 1M output tokens"
    assert not nothing
    for path in ("/0", "?as_of=2026-06-26T06:05:00Z"):
        value, banners = said(path)
        assert value == "no print"
        assert banners[0].startswith("Superseded: this is what was in force from 26 Jun 2026 06:05:00 UTC.")
        assert "vintage 1: 2.768716" in banners[0]
        assert banners[1].startswith(
            "No print for 25 Jun 2026: no capture holds token volumes of that day (R-10)."
        )
    assert said("/1") == said("?as_of=2026-06-26T14:05:00Z") == (in_force, nothing)


@pytest.fixture
def restated(begin: Begin, quick_disk: None) -> Iterator[str]:
    """A server whose 9 January was corrected on the day of publication, and again when that was too late."""
    day = 20_462
    market: list[Taken] = [*usual_days("2026-01-09", "2026-01-10")]
    for hour, tokens in ((15, 10_000_000), (20, 100)):
        instant = ((day + 1) * 24 + hour) * 3600 * 1_000_000 + 1_000_000
        market.append(ranked(instant, [day], {"openai/a": tokens, "openai/b": 1_000_000}))
    desk = begin(market)
    desk.publish("2026-01-09 14:05:00")
    desk.publish("2026-01-10 14:05:00")
    desk.restate("2026-01-10 16:00:00", "2026-01-09")
    desk.restate("2026-01-10 21:00:00", "2026-01-09", reason="source_restated")
    assert [stage for stage, _ in desk.vintages("2026-01-09")] == ["final", "final", "informational"]
    with serving(desk.store.path, now="2026-01-10T21:30:00Z") as address:
        yield f"{address}/series/openai/2026-01-09"


def test_a_restated_value_says_why_and_an_informational_one_changes_nothing(restated: str) -> None:
    page = ask(restated).page
    rows = [cells(row) for row in table(page, "Every vintage of this date").one("tbody").all("tr")]
    values = [row[2] for row in rows]
    assert [row[0] for row in rows] == ["0", "1 in force", "2"]
    assert len(set(values)) == 3
    assert page.one("div", class_="total").one("data").text == values[1]
    assert page.one("p", role="status").text.startswith("Restated: a response was read wrongly (parser_bug).")
    for place, word in ((0, "Superseded"), (2, "For information only")):
        older = ask(f"{restated}/{place}").page
        assert older.one("div", class_="total").one("data").text == values[place]
        assert older.one("p", role="status").text.startswith(word)
        assert f"vintage 1: {values[1]}" in older.one("p", role="status").text


# ---- refusals


@pytest.mark.parametrize(
    ("path", "status", "code", "told"),
    [
        ("openai/2026-07-20", 404, "date_unpublished", "2026-06-26"),
        ("openai/2020-07-20", 404, "date_unpublished", "2026-05-20"),
        ("openai/0000-00-00", 400, "date_invalid", "YYYY-MM-DD"),
        ("nobody/2026-06-20", 404, "series_unknown", "openai"),
        ("openai/2026-06-20/1", 404, "vintage_unknown", "1 vintage"),
        ("openai/2026-06-20/99999999999999999999", 404, "vintage_unknown", "numbered from 0"),
        ("openai/2026-06-20?as_of=yesterday", 400, "instant_invalid", "YYYY-MM-DDTHH:MM:SSZ"),
        ("openai/2026-06-20?as_of=2026-06-20T00:00:00Z", 404, "not_published_then", "2026-06-25T14:05:00"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(
    site: str, path: str, status: int, code: str, told: str
) -> None:
    answered = ask(f"{site}/series/{path}")
    assert answered.status == status
    main = answered.page.one("main")
    assert main.one("code").text == code
    assert told in main.text
    assert answered.headers["Cache-Control"] == "no-store"


def test_days_lead_to_the_days_beside_them(site: str) -> None:
    def steps(date: str) -> list[str]:
        links = ask(f"{site}/series/openai/{date}").page.one("nav", class_="steps").all("a")
        return [link.attributes["href"] for link in links if "rel" in link.attributes]

    assert steps("2026-05-20") == ["/series/openai/2026-05-21"]
    assert steps("2026-06-20") == ["/series/openai/2026-06-19", "/series/openai/2026-06-21"]
    assert steps("2026-06-26") == ["/series/openai/2026-06-25"]


def test_a_value_is_shown_though_the_one_before_it_is_damaged(published_sample: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(published_sample / "publication", tmp_path / "publication"))
    (folder / "records" / "openai" / "2026-06-19.0.json").unlink()
    with serving(folder) as address:
        page = ask(f"{address}/series/openai/{DATE}").page
        assert cells(table(page, "Effects by model").one("tbody").all("tr")[0])[3].count("→") == 0
        refused = ask(f"{address}/series/openai/2026-06-19")
    assert refused.status == 503
    assert str(tmp_path) not in refused.body.decode()


# ---- pictures


def test_every_series_has_a_picture_and_the_same_prints_give_the_same_bytes(
    site: str, published_sample: Path
) -> None:
    pictures = {series: ask(f"{site}/preview/{series}.png") for series in ("board", "openai", "qwen")}
    assert len({answered.body for answered in pictures.values()}) == 3
    for series, answered in pictures.items():
        assert answered.headers["Content-Type"] == "image/png"
        assert Image.open(BytesIO(answered.body)).size == (1200, 630)
        assert preview.picture(Opening(published_sample).now(), series) == answered.body
    assert ask(f"{site}/preview/nobody.png").status == 404


def test_the_picture_of_the_board_has_no_value_of_another_date(
    published_sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = Opening(published_sample).now()
    every = now.published.in_force("qwen", "1.0")
    assert (every[-1].date, every[-2].value) == ("2026-06-26", "2.768716")
    whole = preview.board_prints(now)
    assert [shown.vintage.date for shown in whole if shown.vintage] == ["2026-06-26"] * 6
    in_force = type(now.published).in_force
    monkeypatch.setattr(
        type(now.published),
        "in_force",
        lambda self, series, *rest: in_force(self, series, *rest)[: -1 if series == "qwen" else None],
    )
    found = {shown.company: shown.value for shown in preview.board_prints(now)}
    assert found == {shown.company: shown.value for shown in whole} | {"Qwen": "no print"}


def test_a_picture_says_what_the_log_says_of_the_last_print(published_sample: Path) -> None:
    shown = preview.last_print(Opening(published_sample).now(), "qwen")
    assert (shown.company, shown.value) == ("Qwen", "2.207")
    points = json.loads((published_sample / "publication" / "series" / "qwen.json").read_bytes())["points"]
    value, before = (Decimal(point["value"]) for point in points[:-3:-1])
    assert shown.change.replace("\u00a0", " ") == f"−{(1 - value / before) * 100:.1f} %"
