"""The page of a series: its digits are those of the records, its refusals say what to do, its drawing survives."""

from __future__ import annotations

import csv
import html
import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from markets import Taken
from mtok.calendar import DAY, format_date, parse_date
from mtok.publication.published import Published
from mtok.venue.charts.axes import Days
from mtok.venue.history import History
from mtok.venue.pages.series import _formats
from presses import Begin, at, posted, ranked, usual_days
from served import serving

SERIES = ("openai", "google-gemini", "anthropic", "deepseek", "qwen", "moonshot")
COLUMNS = (
    "value",
    "change",
    "average_7d",
    "average_30d",
    "price_index",
    "quality",
    "coverage",
    "stage",
    "vintage",
)
BETWEEN = "2026-06-26T10:00:00Z"
"""After the preliminary print of 25 June, before its final one."""


def get(address: str) -> tuple[int, str]:
    """Return status and text of a page."""
    try:
        with urllib.request.urlopen(address, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def page(address: str) -> str:
    """Return a page that is there."""
    status, text = get(address)
    assert status == 200, text
    return text


def table(text: str) -> dict[str, dict[str, str]]:
    """Return the cells of the table of points, by date."""
    [body] = re.findall(r'aria-label="Every point of the range">.*?<tbody>(.*?)</tbody>', text, re.DOTALL)
    found = {}
    for row in re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL):
        date, *cells = [
            html.unescape(re.sub("<[^>]*>", "", cell)) for cell in re.findall(r"<t[hd].*?</t[hd]>", row)
        ]
        found[date] = dict(zip(COLUMNS, cells, strict=False))
    return found


def data(text: str) -> dict[str, Any]:
    """Return what the chart in the browser is given."""
    [block] = re.findall(r'<script id="series-data" type="application/json">(.*?)</script>', text, re.DOTALL)
    found: dict[str, Any] = json.loads(block)
    return found


@pytest.fixture(scope="module")
def vintages(published_sample: Path) -> list[dict[str, str]]:
    """The rows of vintages.csv."""
    with (published_sample / "publication/vintages.csv").open() as source:
        return list(csv.DictReader(source))


def in_force(
    vintages: list[dict[str, str]], series: str, known_at: str = "9999"
) -> dict[str, dict[str, str]]:
    """Return by date the last row that is not informational, of those published up to an instant."""
    rows = [
        row
        for row in vintages
        if row["series"] == series and row["stage"] != "informational" and row["published_at"] <= known_at
    ]
    return {row["date"]: row for row in sorted(rows, key=lambda row: int(row["vintage"]))}


def shown(row: dict[str, str], before: dict[str, str] | None) -> dict[str, str]:
    """Return what the table has to say of a row of vintages.csv."""
    change = "–"
    if before and before["value"] and row["value"]:
        percent = (Fraction(row["value"]) / Fraction(before["value"]) - 1) * 100
        change = f"{float(round(percent, 1)):+.1f}\u00a0%".replace("-", "−")
        change = change if float(round(percent, 1)) else "0.0\u00a0%"
    symbol = {"good": "●", "degraded": "◐", "estimated": "◌", "withheld": "–"}[row["quality"]]
    coverage = row["price_coverage"]
    return {
        "value": row["value"] or "–",
        "change": change,
        "average_7d": row["average_7d"] or "–",
        "average_30d": row["average_30d"] or "–",
        "price_index": row["price_index"] or "–",
        "quality": f"{symbol} {row['quality']}",
        "coverage": f"{float(coverage) * 100:.1f}\u00a0%" if coverage else "–",
        "stage": row["stage"],
        "vintage": row["vintage"],
    }


@pytest.mark.parametrize("series", SERIES)
@pytest.mark.parametrize("known_at", ["", BETWEEN, "2026-06-25"])
def test_every_digit_of_the_table_is_that_of_the_vintage_in_force(
    site: str, vintages: list[dict[str, str]], series: str, known_at: str
) -> None:
    until = f"{known_at}T24" if known_at == "2026-06-25" else known_at or "9999"
    rows = in_force(vintages, series, until)
    found = table(page(f"{site}/series/{series}?range=all&as_of={known_at}"))
    dates = sorted(rows)
    assert list(found) == dates[::-1]
    for place, date in enumerate(dates):
        before = rows[dates[place - 1]] if place else None
        assert found[date] == shown(rows[date], before), date


def test_the_banner_counts_the_days_that_differ(site: str, vintages: list[dict[str, str]]) -> None:
    then, today = in_force(vintages, "qwen", BETWEEN), in_force(vintages, "qwen")
    other = sum(today[date]["record_sha256"] != row["record_sha256"] for date, row in then.items())
    later = len(today) - len(then)
    assert (other, later) == (1, 1)
    text = page(f"{site}/series/qwen?as_of={BETWEEN}").replace("\u00a0", " ")
    assert "As known on 26 Jun 2026 10:00:00 UTC." in text
    assert "differs from today’s on 2 days: 1 revised since, 1 published since" in text
    assert "Nothing has changed since." in page(f"{site}/series/qwen?as_of=2026-06-27T14:30:00Z")
    assert "As known on" not in page(f"{site}/series/qwen").replace("As known on <input", "")


def test_the_chart_is_given_the_digits_of_the_records(site: str, vintages: list[dict[str, str]]) -> None:
    rows = in_force(vintages, "openai")
    found = data(page(f"{site}/series/openai?range=all&worst=1"))
    dates = sorted(rows)
    assert found["first"] == dates[0]
    for field in ("value", "average_7d", "average_30d", "quality", "truncation_low", "truncation_high"):
        assert found[field] == [rows[date][field] or None for date in dates], field
    assert all(rows[date]["value"] in told for date, told in zip(dates, found["told"], strict=True))
    assert "truncation_low" not in data(page(f"{site}/series/openai"))


def test_the_move_is_told_as_on_the_board(site: str) -> None:
    """The sentence counts models, which a record read in outline does not have."""
    _, board = get(f"{site}/")
    for series in ("openai", "google-gemini", "anthropic", "deepseek", "qwen", "moonshot"):
        _, text = get(f"{site}/series/{series}")
        told = re.search(r'<p class="lede">(.*?)</p>', text)
        assert told is not None
        assert told[1] in board


def test_a_range_is_counted_back_from_the_last_day(site: str, vintages: list[dict[str, str]]) -> None:
    dates = sorted(in_force(vintages, "openai"))
    assert sorted(table(page(f"{site}/series/openai?range=30d"))) == dates[-30:]
    assert sorted(table(page(f"{site}/series/openai"))) == dates
    some = page(f"{site}/series/openai?from=2026-06-03&to=2026-06-05&as_of={BETWEEN}")
    assert sorted(table(some)) == ["2026-06-03", "2026-06-04", "2026-06-05"]
    address = f"/v1/series/openai/points?start=2026-06-03&end=2026-06-05&as_of={BETWEEN.replace(':', '%3A')}"
    assert f'href="{address.replace("&", "&amp;")}&amp;format=csv"' in some
    assert sorted(table(page(f"{site}/series/openai?from=0001-01-01"))) == dates


def test_links_keep_what_is_asked_and_work_without_a_script(site: str) -> None:
    text = page(f"{site}/series/openai?range=30d&as_of=2026-06-26&worst=1")
    links = {html.unescape(link) for link in re.findall(r'href="(\?[^"]*)"', text)}
    assert "?range=1y&as_of=2026-06-26&worst=1" in links
    assert "?range=30d&as_of=2026-06-26" in links
    assert "?range=30d&worst=1" in links
    assert text.count('class="area"') > page(f"{site}/series/openai?range=30d").count('class="area"')
    assert 'style="' not in text
    assert "<style" not in text


def test_a_page_of_what_was_known_leads_to_what_was_known(site: str) -> None:
    asked = f"range=30d&as_of={BETWEEN}"
    dates = set(re.findall(r'href="(/series/openai/2026-[^"]*)"', page(f"{site}/series/openai?{asked}")))
    assert dates
    assert all(re.search(r"/2026-[0-9-]{5}/[0-9]+$", one) for one in dates)
    now = set(re.findall(r'href="(/series/openai/2026-[^"]*)"', page(f"{site}/series/openai?range=30d")))
    assert "/series/openai/2026-06-26" in now


def test_a_range_that_is_more_than_a_page_of_the_api_is_not_offered_as_json() -> None:
    history = SimpleNamespace(series="openai", known_at=None)
    for length, names in ((400, ["CSV", "JSON", "Parquet"]), (401, ["CSV", "Parquet"])):
        assert [one["name"] for one in _formats(cast(History, history), Days(1, length))] == names


@pytest.mark.parametrize(
    ("asked", "status", "code", "said"),
    [
        (
            "openai?from=2026-06-10&to=2026-06-09",
            400,
            "dates_out_of_order",
            "from 2026-06-10 is after to 2026-06-09",
        ),
        ("openai?from=2026-06-28", 400, "date_in_future", "after today, 2026-06-27"),
        ("openai?to=9999-12-31", 400, "date_in_future", "to: 9999-12-31"),
        ("openai?from=2026-02-30", 400, "date_invalid", "Write dates as YYYY-MM-DD"),
        ("openai?range=7", 400, "range_unknown", "Known: 30d, 90d, 1y, all."),
        ("openai?as_of=yesterday", 400, "as_of_invalid", "neither a date nor an instant"),
        ("openai?as_of=2026-06-27T16:00:00Z", 400, "as_of_in_future", "is not over"),
        ("openai?as_of=2026-06-27", 400, "as_of_in_future", "is not over"),
        ("openai?as_of=%3Cscript%3Ealert(1)%3C/script%3E", 400, "as_of_invalid", "&lt;script&gt;"),
        ("openia", 404, "series_unknown", "Did you mean openai? Known: " + ", ".join(SERIES)),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_to_do(
    site: str, asked: str, status: int, code: str, said: str
) -> None:
    found, text = get(f"{site}/series/{asked}")
    assert (found, f">{code}<" in text) == (status, True)
    assert said in text
    assert "<script>alert" not in text


def test_days_before_the_first_and_instants_before_any_print_say_so(site: str) -> None:
    before = page(f"{site}/series/openai?from=2026-01-01&to=2026-02-01").replace("\u00a0", " ")
    assert "The first day of this series is 20 May 2026, the last 26 Jun 2026." in before
    assert "<table" not in before
    then = page(f"{site}/series/openai?as_of=2026-05-01").replace("\u00a0", " ")
    assert "The first publication here is of 25 Jun 2026 14:05:00 UTC." in then
    assert "<svg" not in then


@pytest.mark.parametrize(
    ("printed", "revised"),
    [
        ([("prelim", None, "withheld"), ("final", "1", "good")], False),
        ([("final", "1", "good"), ("informational", "2", "good")], False),
        ([("final", "1", "good"), ("final", "1", "good")], False),
        ([("final", "1", "good"), ("final", "2", "good")], True),
        ([("final", "1", "good"), ("final", "1", "degraded")], True),
    ],
)
def test_a_day_is_revised_where_its_value_or_quality_was_changed(
    printed: list[tuple[str, str | None, str]], *, revised: bool
) -> None:
    vintages = [
        SimpleNamespace(stage=stage, value=value, quality=quality) for stage, value, quality in printed
    ]
    published = SimpleNamespace(vintages=SimpleNamespace(of=lambda _: vintages))
    history = History(published=cast(Published, published), series="openai", methodology="1.0")
    assert history.revised(DAY_9) is revised


D = "2026-01-09"
DAY_9 = parse_date(D)


def _revised() -> list[Taken]:
    """Return a market that corrects openai of 9 January, and has no totals of the 10th."""
    prices = {"openai/a": "0.00001", "openai/b": "0.000011", "qwen/q": "0.000001"}
    totals = {"openai/a": 1_000_000, "qwen/q": 1000}
    return [
        posted(DAY_9 * DAY + 1, prices),
        ranked(at("2026-01-09 05:00:00"), [DAY_9 - 1]),
        posted(at("2026-01-10 05:00:00"), prices),
        ranked(at("2026-01-10 05:00:00"), [DAY_9], totals),
        ranked(at("2026-01-10 15:00:00"), [DAY_9], totals | {"openai/b": 1_000_000}),
        posted(at("2026-01-11 05:00:00"), prices),
        posted(at("2026-01-12 05:00:00"), prices),
        *usual_days("2026-01-12", "2026-01-13")[1:],
    ]


@pytest.fixture
def revised_site(begin: Begin, quick_disk: None) -> Iterator[tuple[str, Path]]:
    """A server of a desk that corrected a value and withheld another."""
    desk = begin(_revised())
    desk.publish("2026-01-10 14:00:00")
    desk.restate("2026-01-10 16:00:00", D)
    desk.publish("2026-01-11 14:00:00")
    desk.publish("2026-01-12 14:00:00")
    with serving(desk.store.path, now="2026-01-12T15:00:00Z") as address:
        yield address, desk.folder


def test_a_correction_is_marked_a_withheld_day_is_a_gap_and_damage_is_left_out(
    revised_site: tuple[str, Path],
) -> None:
    address, folder = revised_site
    text = page(f"{address}/series/openai?range=all")
    rows = table(text)
    assert rows[D]["value"] == "10.500000"
    assert rows[D]["vintage"] == "1 ▼ revised"
    assert rows["2026-01-10"]["value"] == "–"
    assert rows["2026-01-10"]["quality"] == "– withheld"
    found = data(text)
    assert found["revised"] == [sorted(rows).index(D)]
    assert found["value"][sorted(rows).index("2026-01-10")] is None
    printed = [date for date in sorted(rows) if rows[date]["value"] != "–"]
    assert f"no value on {len(rows) - len(printed)} of the days" in text
    [drawn] = re.findall(r'<path class="line" d="([^"]*)"/></svg>\s*<text class="tick"', text)[:1]
    assert "2026-01-10" not in printed
    assert drawn.count("M") == sum(
        before not in printed for before in (format_date(parse_date(date) - 1) for date in printed)
    )
    then = table(page(f"{address}/series/openai?range=all&as_of=2026-01-10T15:00:00Z"))
    assert (then[D]["value"], then[D]["vintage"]) == ("10.000000", "0")
    (folder / f"records/openai/{D}.1.json").write_bytes(b"{}")
    (folder / "SHA256SUMS").touch()
    text = page(f"{address}/series/openai?range=all")
    assert "1 of these days cannot be read" in text
    assert table(text)[D] == {"value": "cannot be read"}
