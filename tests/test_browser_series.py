"""The value chart in the browser: keys read out the digits of the records; where it fails, the drawing stays."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from browsing import Visit, chromium, visiting

pytestmark = pytest.mark.machine

PAGE = "/series/openai?range=all&worst=1"
LIVE = ".plot-value.live"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for all tests here."""
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def rows(published_sample: Path) -> list[dict[str, str]]:
    """The published points, oldest first."""
    with (published_sample / "publication/series/openai.csv").open() as source:
        return list(csv.DictReader(source))


def readout(visit: Visit) -> str:
    """Return what the chart reads out, spaces as they are typed."""
    return visit.page.inner_text("#value-chart .readout").replace("\u00a0", " ")


def test_keys_walk_over_the_days(site: str, browser: Browser, rows: list[dict[str, str]]) -> None:
    by_date = {row["date"]: row for row in rows}
    with visiting(browser, site) as visit:
        visit.go(PAGE)
        visit.page.wait_for_selector(LIVE)
        visit.page.focus(".plot-value")
        for key, date, told in (
            ("End", "2026-06-26", "26 Jun 2026"),
            ("ArrowLeft", "2026-06-25", "25 Jun 2026"),
            ("PageUp", "2026-05-25", "25 May 2026"),
            ("ArrowRight", "2026-05-26", "26 May 2026"),
            ("PageDown", "2026-06-26", "26 Jun 2026"),
            ("PageDown", "2026-06-26", "26 Jun 2026"),
            ("Home", "2026-05-20", "20 May 2026"),
            ("ArrowLeft", "2026-05-20", "20 May 2026"),
            ("+", "2026-05-20", "20 May 2026"),
            ("End", "2026-06-26", "26 Jun 2026"),
            ("Home", "2026-05-20", "20 May 2026"),
            ("Escape", "2026-05-20", "20 May 2026"),
        ):
            visit.page.keyboard.press(key)
            row = by_date[date]
            assert readout(visit).startswith(f"{told}: {row['value']} USD"), key
            assert row["quality"] in readout(visit)
        assert visit.complaints == []


@pytest.mark.parametrize("width", [360, 1440])
def test_the_live_chart_moves_nothing_and_breaks_no_rule(site: str, browser: Browser, width: int) -> None:
    with visiting(browser, site, width=width) as visit:
        visit.go(PAGE)
        visit.page.wait_for_selector(LIVE)
        assert visit.shifted() == 0
        assert visit.violations() == []
        assert visit.page.evaluate("document.documentElement.scrollWidth") == width
        drawn, box = (visit.page.locator(one).bounding_box() for one in (".plot-value .uplot", ".plot-value"))
        assert drawn
        assert box
        assert (drawn["width"], drawn["height"]) == (box["width"], box["height"])
        assert visit.complaints == []


@pytest.mark.parametrize("broken", ["uPlot.iife.min.js", "series.js", ""])
def test_the_drawing_of_the_server_stays_when_a_script_fails(
    site: str, browser: Browser, broken: str
) -> None:
    """Without the library, without our script, or with a library that throws half-way."""
    with visiting(browser, site) as visit:
        if broken:
            visit.page.route(f"**/{broken}", lambda route: route.abort())
        else:
            visit.page.route(
                "**/uPlot.iife.min.js",
                lambda route: route.fulfill(
                    body="function uPlot(o, d, box) { box.append(document.createElement('i')); throw Error('half'); }",
                    content_type="text/javascript",
                ),
            )
        visit.go(PAGE)
        assert visit.page.locator(LIVE).count() == 0
        assert (
            visit.page.evaluate("getComputedStyle(document.querySelector('.plot-value > svg')).opacity")
            == "1"
        )
        assert visit.page.get_attribute(".plot-value", "tabindex") is None
        assert readout(visit).startswith("26 Jun 2026: ")
