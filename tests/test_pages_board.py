"""The board and what stands on every page: digits, states, headers, colours. Served, then read as a browser would."""

from __future__ import annotations

import json
import re
import shutil
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import pytest

import mtok.venue
from mtok.archive import Store
from mtok.venue.assets import assets_digest
from mtok.venue.opened import Opening
from mtok.venue.pages.dataset import dataset
from mtok.venue.pages.trend import Trend, path_of
from pages import Answered, Element, ask
from served import serving

SERIES: Final = ("openai", "google-gemini", "anthropic", "deepseek", "qwen", "moonshot")
STYLES: Final = (Path(mtok.venue.__file__).parent / "static" / "site.css").read_text()


@pytest.fixture(scope="module")
def board(site: str) -> Answered:
    return ask(site)


@pytest.fixture(scope="module")
def points(published_sample: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """The published points, by series and date."""
    files = {name: published_sample / "publication" / "series" / f"{name}.json" for name in SERIES}
    return {
        name: {point["date"]: point for point in json.loads(path.read_bytes())["points"]}
        for name, path in files.items()
    }


def rows(page: Element) -> dict[str, Element]:
    """Return the rows of a board, by series."""
    found = page.one("table", class_="board").one("tbody").all("tr")
    return {row.one("th").one("a").attributes["href"].removeprefix("/series/"): row for row in found}


def labelled(row: Element, label: str) -> str:
    return row.one("td", data_label=label).text


def rounded(value: str) -> str:
    """Four significant digits, two decimals at least, half-even: written here again."""
    places = max(2, 3 - Decimal(value).adjusted())
    return str(Decimal(value).quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN))


def in_percent(value: str, before: str) -> str:
    change = Decimal(round((Fraction(value) / Fraction(before) - 1) * 1000)) / 10
    return f"{change:+.1f} %".replace("-", "−") if change else "0.0 %"


# ---- the last board


def test_the_board_shows_the_digits_that_are_published(
    board: Answered, points: dict[str, dict[str, dict[str, Any]]]
) -> None:
    found = rows(board.page)
    assert tuple(found) == SERIES
    for series, row in found.items():
        point = points[series]["2026-06-26"]
        shown = {
            "value": row.one("td", class_="price"),
            "average_7d": row.one("td", data_label="avg 7 d"),
            "average_30d": row.one("td", data_label="avg 30 d"),
        }
        for name, cell in shown.items():
            figure = cell.one("data")
            seen, whole = (span.text for span in figure.all("span"))
            assert figure.attributes["value"] == whole == point[name]
            places = len(rounded(point["value"]).partition(".")[2])
            assert seen == str(Decimal(whole).quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN))
        assert shown["value"].all("span")[0].text == rounded(point["value"])
        coverage = Decimal(point["price_coverage"]) * 100
        assert labelled(row, "coverage") == f"{coverage:.1f} %"


def test_the_board_compares_values_with_those_a_day_a_week_and_a_month_before(
    board: Answered, points: dict[str, dict[str, dict[str, Any]]]
) -> None:
    for series, row in rows(board.page).items():
        values = {date: point["value"] for date, point in points[series].items()}
        for label, before in (("1 day", "2026-06-25"), ("7 days", "2026-06-19"), ("30 days", "2026-05-27")):
            assert labelled(row, label) == in_percent(values["2026-06-26"], values[before])


def test_the_board_names_effects_quality_and_reasons_in_words(board: Answered) -> None:
    found = rows(board.page)
    moved = found["qwen"].one("td", class_="moved")
    assert [(span.attributes["class"], span.text) for span in moved.all("span")] == [
        ("effect-mix", "mix"),
        ("effect-entry", "entry"),
    ]
    assert moved.text == "mix −0.003 entry −0.558 (no row: may be the cut at 50)"
    quality = found["qwen"].one("td", class_="how")
    assert quality.one("span", class_="quality-degraded").text == "◐ degraded"
    assert "one unseen model could weigh 12.3 % of what is seen" in quality.text
    assert "Qwen fell 20.3 %: 2 cheaper models came into the top 50" in board.page.one("main").text


def test_the_board_says_which_print_it_shows_and_when_the_next_is_due(board: Answered) -> None:
    said = board.page.one("p", class_="lede").text
    assert "Print of 26 Jun 2026 · final · published 27 Jun 2026 14:05:00 UTC" in said
    assert said.endswith("next due 28 Jun 2026 06:00:00 UTC")
    assert not board.page.all("p", role="status"), "nothing is late"
    links = {link.attributes["href"] for link in board.page.one("main").all("a")}
    assert {"/vintages.csv", *(f"/series/{series}.csv" for series in SERIES), "/?date=2026-06-25"} <= links


def test_every_trend_has_one_point_a_printed_day_and_says_it_in_words(
    board: Answered, points: dict[str, dict[str, dict[str, Any]]]
) -> None:
    for series, row in rows(board.page).items():
        drawn = row.one("path", class_="line").attributes["d"]
        values = [point["value"] for point in points[series].values() if point["value"]]
        assert drawn.count("M") == 1
        assert len(re.findall("[ML]", drawn)) == len(values) == 38
        text = row.one("title").text
        low, high = min(values, key=Decimal), max(values, key=Decimal)
        assert f"38 prints of 90 days, lowest {low}, highest {high}" in text


def test_a_trend_has_gaps_where_nothing_was_printed_and_dots_for_single_days() -> None:
    values = {day: Decimal(day % 2) for day in (10, 11, 13, 99)}
    trend = Trend(last_day=99, values=values)
    assert trend.runs(89, 10) == [[(0.0, 10.0), (1.0, 0.0)], [(3.0, 0.0)], [(89.0, 0.0)]]
    assert path_of(trend.runs(89, 10)) == "M0.0,10.0L1.0,0.0M3.0,0.0L3.0,0.0M89.0,0.0L89.0,0.0"
    assert Trend(last_day=99, values={}).runs(89, 10) == []


# ---- other days, and days there are none of


def test_the_board_of_another_day_shows_what_is_in_force_of_it(
    site: str, points: dict[str, dict[str, dict[str, Any]]]
) -> None:
    page = ask(f"{site}/?date=2026-06-20").page
    for series, row in rows(page).items():
        assert (
            row.one("td", class_="price").one("data").attributes["value"]
            == points[series]["2026-06-20"]["value"]
        )
    steps = page.one("nav", class_="steps").all("a")
    assert [link.attributes["href"] for link in steps] == ["/?date=2026-06-19", "/?date=2026-06-21"]
    assert "This is not the last board" in page.one("p", role="status").text
    assert page.one("link", rel="canonical").attributes["href"] == f"{site}/?date=2026-06-20"


@pytest.mark.parametrize(
    ("date", "status", "code"),
    [
        ("2026-07-26", 404, "date_unpublished"),
        ("1931-01-01", 404, "date_unpublished"),
        ("2026-02-30", 400, "date_invalid"),
        ("%3Cscript%3E", 400, "date_invalid"),
        ("2026-06-20%0d%0aX-Evil:1", 400, "date_invalid"),
    ],
)
def test_a_wrong_date_is_refused_with_what_to_write(site: str, date: str, status: int, code: str) -> None:
    answered = ask(f"{site}/?date={date}")
    assert answered.status == status
    assert answered.page.one("main").one("code").text == code
    assert "2026-06-2" in answered.page.one("main").text
    assert not [one for one in answered.page.all("script") if one.attributes["type"] != "application/ld+json"]
    assert "X-Evil" not in answered.headers


# ---- late, empty, damaged


def copied(published_sample: Path, folder: Path) -> Path:
    """Return a copy of what is published, to be damaged."""
    return Path(shutil.copytree(published_sample / "publication", folder / "publication"))


def test_a_print_that_is_missing_is_said_to_be_late(published_sample: Path) -> None:
    with serving(published_sample, now="2026-06-28T16:00:01Z") as address:
        said = ask(address).page.one("p", role="status").text
    assert said.startswith("Late: a final print has been due since 28 Jun 2026 14:00:00 UTC.")


def test_an_empty_publication_says_what_will_come(tmp_path: Path) -> None:
    Store.create(tmp_path / "store")
    with serving(tmp_path / "store") as address:
        answered = ask(address)
        assert answered.status == 200
        assert answered.page.one("h1").text == "Nothing is published here yet"
        assert "28 Jun 2026 06:00:00 UTC" in answered.page.one("main").text
        assert "Nothing is published here yet." in answered.page.one("footer").text


def test_a_log_that_cannot_be_read_leaves_the_files_that_are_whole(
    published_sample: Path, tmp_path: Path
) -> None:
    folder = copied(published_sample, tmp_path)
    (folder / "log" / "checkpoint").write_bytes(b"not a checkpoint\n")
    (folder / "series" / "qwen.csv").write_bytes(b"date,value\n2026-06-26,1\n")
    with serving(folder) as address:
        answered = ask(address)
        assert answered.status == 503
        assert answered.headers["Cache-Control"] == "no-store"
        main = answered.page.one("main")
        assert str(tmp_path) not in answered.body.decode()
        listed = {link.attributes["href"] for link in main.one("p", class_="downloads").all("a")}
        assert listed == {"/vintages.csv", *(f"/series/{one}.csv" for one in SERIES if one != "qwen")}
        assert ask(f"{address}/series/openai.csv").status == 200
        assert ask(f"{address}/preview/board.png").status == 503


def test_one_damaged_record_says_so_and_hides_no_other(published_sample: Path, tmp_path: Path) -> None:
    folder = copied(published_sample, tmp_path)
    (folder / "records" / "qwen" / "2026-06-26.0.json").write_bytes(b"{}")
    with serving(folder) as address:
        answered = ask(address)
        found = rows(answered.page)
        assert "cannot be read" in found["qwen"].text
        assert not found["qwen"].all("data")
        assert all(found[series].all("data") for series in SERIES if series != "qwen")
        assert str(tmp_path) not in answered.body.decode()
        assert ask(f"{address}/series/qwen/2026-06-26").status == 503


# ---- what stands on every page


@pytest.fixture(scope="module", params=["/", "/series/qwen/2026-06-20", "/?date=2026-13-01", "/nothing"])
def any_page(request: pytest.FixtureRequest, site: str) -> Answered:
    return ask(f"{site}{request.param}")


def test_every_page_can_be_read_without_script_and_asks_nothing_of_elsewhere(
    any_page: Answered, site: str
) -> None:
    page = any_page.page
    assert len(page.all("h1")) == 1
    assert page.one("a", class_="skip").attributes["href"] == "#main"
    assert page.one("main").attributes["id"] == "main"
    assert not page.all("style")
    assert all("style" not in one.attributes and not _handlers(one) for one in page._below())
    for script in page.all("script"):
        assert script.attributes["type"] == "application/ld+json" or not script.text
    asked = [
        one.attributes["src"] for tag in ("script", "img") for one in page.all(tag) if "src" in one.attributes
    ]
    asked += [link.attributes["href"] for link in page.all("link") if link.attributes["rel"] != "canonical"]
    assert all(address.startswith("/") and not address.startswith("//") for address in asked)
    assert "Set-Cookie" not in any_page.headers
    policy = any_page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def _handlers(one: Element) -> list[str]:
    return [name for name in one.attributes if name.startswith("on")]


def test_every_page_names_its_source_the_last_print_and_the_key(
    any_page: Answered, published_sample: Path
) -> None:
    footer = any_page.page.one("footer").text
    assert re.search(
        r"Source: OpenRouter \(openrouter.ai/rankings\), as of 2026-06-2[17]T\S+Z\. Licensed", footer
    )
    assert "Last print: 26 Jun 2026, final, published 27 Jun 2026 14:05:00 UTC" in footer
    vkey = (published_sample / "publication" / "vkey").read_text()
    assert f"key {vkey.split('+')[1]}" in footer


def test_the_navigation_says_where_one_is(site: str) -> None:
    def current(path: str) -> list[tuple[str, str]]:
        links = ask(f"{site}{path}").page.one("nav", aria_label="Main").all("a")
        return [
            (link.text, link.attributes["aria-current"])
            for link in links
            if "aria-current" in link.attributes
        ]

    assert current("/") == [("Board", "page")]
    assert current("/series/qwen/2026-06-20") == [("Board", "true")]
    assert current("/nothing") == []


def test_the_board_is_described_for_catalogues_and_for_links(board: Answered, site: str) -> None:
    page = board.page
    content = json.loads(page.one("script", type="application/ld+json").text)
    assert content["@type"] == "Dataset"
    assert content["temporalCoverage"] == "2026-05-20/2026-06-26"
    for download in content["distribution"]:
        assert ask(download["contentUrl"]).status == 200
    picture = ask(page.one("meta", property="og:image").attributes["content"])
    assert picture.headers["Content-Type"] == "image/png"
    for link in page.all("link", rel="alternate"):
        assert ask(f"{site}{link.attributes['href']}").status == 200


def test_what_is_said_for_catalogues_cannot_end_its_script(published_sample: Path) -> None:
    text = dataset(Opening(published_sample).now(), "https://</script><!--&")
    assert not set("<>&") & set(text)
    assert json.loads(text)["url"] == "https://</script><!--&/data"


def test_assets_may_be_kept_for_ever_and_have_another_address_when_one_changes(
    board: Answered, site: str, tmp_path: Path
) -> None:
    address = board.page.one("link", rel="stylesheet").attributes["href"]
    answered = ask(f"{site}{address}")
    assert answered.body.decode() == STYLES
    assert "immutable" in answered.headers["Cache-Control"]
    folder = tmp_path / "static"
    folder.mkdir()
    (folder / "a.css").write_text("a")
    (folder / "b.js").write_text("b")
    found = {assets_digest(folder)}
    (folder / "b.js").write_text("c")
    found.add(assets_digest(folder))
    (folder / "b.js").rename(folder / "c.js")
    found.add(assets_digest(folder))
    assert len(found) == 3


# ---- colours


def colours(scheme: str) -> dict[str, str]:
    """Return the named colours of light or dark, as the style sheet has them."""
    blocks = re.findall(r":root \{(.*?)\}", STYLES, re.DOTALL)
    found = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", blocks[0]))
    return (
        found if scheme == "light" else found | dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", blocks[1]))
    )


def luminance(colour: str) -> float:
    """Return the relative luminance (WCAG 2.2)."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_effects_stand_out_from_what_is_behind_them(scheme: str) -> None:
    found = colours(scheme)
    for name in ("ink", "muted", "accent", "price", "mix", "entry", "exit"):
        for behind in ("paper", "shade"):
            assert contrast(found[name], found[behind]) >= 4.5, f"{name} on {behind}"
    assert contrast(found["warn-ink"], found["warn"]) >= 4.5


def test_the_contrast_of_black_on_white_is_21() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") < 4.5
