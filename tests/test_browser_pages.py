"""Every page in a browser: three widths, light and dark, with and without JavaScript, by keyboard, on paper.

Pictures of each combination are kept in the folder that MTOK_SCREENSHOTS names, else in pytest's own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser

from browsing import SCHEMES, WIDTHS, Visit, chromium, pages_of, visiting

pytestmark = pytest.mark.machine

BYTES_MAX: Final = 120_000
REQUESTS_MAX: Final = 12
SHIFT_MAX: Final = 0.01
SHEETS_MAX: Final = 2

PAGES: Final = {
    "board": "/",
    "series": "/series/qwen",
    "point": "/series/qwen/2026-06-20",
    "withheld": "/series/qwen/2026-06-25/0",
    "estimated": "/series/qwen/2026-05-24",
    "methodology": "/methodology",
    "revisions": "/revisions",
    "status": "/status",
    "data": "/data",
    "about": "/about",
    "api": "/api",
    "bill": "/bill",
    "unknown": "/series/qwen/1999-01-01",
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The browser of these tests."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the pictures are kept."""
    folder = os.environ.get("MTOK_SCREENSHOTS")
    kept = Path(folder) if folder else tmp_path_factory.mktemp("screenshots")
    kept.mkdir(parents=True, exist_ok=True)
    return kept


def looked_at(visit: Visit, name: str, width: int, pictures: Path) -> list[str]:
    """Return what is wrong with a page at a width, in both schemes, and keep the pictures."""
    visit.resize(width)
    wide = visit.page.evaluate("() => document.scrollingElement.scrollWidth")
    wrong = [f"scrolls sideways: {wide} px in a window of {width}: {_widest(visit)}"] if wide > width else []
    for scheme in SCHEMES:
        visit.page.emulate_media(color_scheme=scheme)
        visit.page.screenshot(path=pictures / f"{name}-{width}-{scheme}.png", full_page=True)
    return wrong


def _widest(visit: Visit) -> str:
    """Return the elements that reach beyond the window and stand in nothing that scrolls."""
    found: list[str] = visit.page.evaluate(
        """() => [...document.querySelectorAll("main *, header *, footer *")].filter((one) =>
            one.getBoundingClientRect().right > innerWidth + 1 && !one.closest(".scroll, pre")
        ).map((one) => one.outerHTML.slice(0, 90))"""
    )
    return " | ".join(found[:3])


def outline(visit: Visit) -> list[str]:
    """Return what is wrong with the headings and landmarks of a page."""
    levels: list[int] = visit.page.evaluate(
        "() => [...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].map((one) => +one.tagName[1])"
    )
    wrong = [] if levels[:1] == [1] and levels.count(1) == 1 else [f"headings {levels}"]
    wrong += [f"h{a} is followed by h{b}" for a, b in pairwise(levels) if b > a + 1]
    for landmark in ("main", "banner", "navigation", "contentinfo"):
        count = visit.page.get_by_role(landmark).count()
        wrong += (
            [f"{count} landmarks {landmark}"] if count < 1 or (count > 1 and landmark != "navigation") else []
        )
    return wrong


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_with_javascript(browser: Browser, site: str, pictures: Path, name: str) -> None:
    """Loaded at each width, drawn in both schemes; axe-core finds nothing, on a phone and on a wide screen."""
    wrong: list[str] = []
    with visiting(browser, site) as visit:
        for width in WIDTHS:
            visit.resize(width)
            answer = visit.go(PAGES[name])
            assert answer.status == (404 if name == "unknown" else 200)
            shifted = visit.shifted()
            wrong += [f"{width}: shifts by {shifted:.3f}"] if shifted >= SHIFT_MAX else []
            wrong += [f"{width}: {one}" for one in looked_at(visit, name, width, pictures)]
            for scheme in SCHEMES if width != 768 else ():
                visit.page.emulate_media(color_scheme=scheme)
                wrong += [f"{width} {scheme}: {one}" for one in visit.violations()]
        wrong += outline(visit) + visit.complaints
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_without_javascript(browser: Browser, site: str, pictures: Path, name: str) -> None:
    """Nothing that matters is drawn by a script."""
    with visiting(browser, site, javascript=False) as visit:
        visit.go(PAGES[name])
        wrong = [
            f"{width}: {one}"
            for width in WIDTHS
            for one in looked_at(visit, f"{name}-plain", width, pictures)
        ]
        wrong += outline(visit) + visit.complaints
        assert not wrong, "\n".join(wrong)
        said = visit.page.locator("main").inner_text()
        assert len(said) > 100
        assert not re.search(r"\b(undefined|NaN)\b|\{[{%]", said)


# ---- by keyboard


def focused(visit: Visit) -> str:
    """Return what has the focus, as its tag with class, label and text."""
    return str(
        visit.page.evaluate(
            """() => { const one = document.activeElement;
                return [one.tagName, one.className, one.getAttribute("aria-label"), one.textContent.trim().slice(0, 40)]
                    .join(" "); }"""
        )
    )


def tab_to(visit: Visit, selector: str) -> None:
    """Press Tab until an element of this selector has the focus."""
    for _ in range(200):
        visit.page.keyboard.press("Tab")
        if visit.page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"Tab does not come to {selector}; the last was {focused(visit)}")


@pytest.mark.parametrize("name", ["board", "series", "unknown"])
def test_the_first_tab_skips_the_navigation(browser: Browser, site: str, name: str) -> None:
    """The link is seen when it has the focus, and leads into the content."""
    with visiting(browser, site) as visit:
        visit.go(PAGES[name])
        visit.page.keyboard.press("Tab")
        assert "Skip to the content" in focused(visit)
        box = visit.page.locator(":focus").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["y"] >= 0
        visit.page.keyboard.press("Enter")
        assert focused(visit).startswith("MAIN")


def test_what_has_the_focus_is_seen(browser: Browser, site: str) -> None:
    """Every stop of Tab on the page of a value has an outline."""
    with visiting(browser, site) as visit:
        visit.go(PAGES["point"])
        stops = 0
        while stops < 100:
            visit.page.keyboard.press("Tab")
            style = visit.page.evaluate(
                """() => document.activeElement === document.body ? null
                    : getComputedStyle(document.activeElement).outlineStyle"""
            )
            if style is None:
                break
            stops += 1
            assert style != "none", focused(visit)
        assert stops > 20


@pytest.mark.parametrize("name", ["point", "series", "status", "board"])
def test_wide_tables_scroll_by_keyboard(browser: Browser, site: str, name: str) -> None:
    """On a phone; a table that fits needs no scrolling."""
    with visiting(browser, site, width=360) as visit:
        visit.go(PAGES[name])
        regions = visit.page.locator(".scroll")
        assert regions.count() > 0
        for region in regions.all():
            hidden, scrolls = region.evaluate(
                "(one) => [!one.checkVisibility(), one.scrollWidth > one.clientWidth + 1]"
            )
            if hidden or not scrolls:
                continue
            region.focus()
            before = region.evaluate("(one) => one.scrollLeft")
            visit.page.keyboard.press("ArrowRight")
            region.evaluate(
                "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
            )
            visit.page.wait_for_function(
                "([one, before]) => one.scrollLeft > before", arg=[region.element_handle(), before]
            )


def test_the_chart_is_read_by_keyboard(browser: Browser, site: str) -> None:
    """Arrows move a day, Page Up and Page Down a month, Home and End to the ends; the readout says where."""
    with visiting(browser, site) as visit:
        visit.go(PAGES["series"])
        tab_to(visit, ".plot-value")
        said = visit.page.locator("#value-chart [aria-live=polite]")

        def read(key: str) -> str:
            visit.page.keyboard.press(key)
            visit.drawn()
            return said.inner_text().replace("\xa0", " ")

        ends = {key: read(key) for key in ("Home", "End")}
        assert "20 May 2026" in ends["Home"]
        assert "26 Jun 2026" in ends["End"]
        assert "25 Jun 2026" in read("ArrowLeft")
        assert "26 Jun 2026" in read("ArrowRight")
        assert read("ArrowRight") == ends["End"]
        month = read("PageUp")
        assert "May 2026" in month
        assert read("Home") == ends["Home"]
        assert "Jun 2026" in read("PageDown")
        assert visit.complaints == []


# ---- first visit


@pytest.mark.parametrize("path", ["/", "/series/openai"])
def test_a_first_visit_is_small(browser: Browser, site: str, path: str) -> None:
    """Bytes as they went over the wire, headers included, and how many were asked for."""
    with visiting(browser, site) as visit:
        network = visit.page.context.new_cdp_session(visit.page)
        network.send("Network.enable")
        bytes_of: list[float] = []
        network.on("Network.loadingFinished", lambda event: bytes_of.append(event["encodedDataLength"]))
        visit.go(path)
        print(f"{path}: {sum(bytes_of):.0f} bytes, {len(visit.addresses)} requests")
        assert sum(bytes_of) <= BYTES_MAX
        assert len(visit.addresses) <= REQUESTS_MAX
        assert len(bytes_of) >= 2


# ---- on paper


@pytest.mark.parametrize("name", ["board", "point"])
def test_a_page_prints_on_two_sheets(browser: Browser, site: str, pictures: Path, name: str) -> None:
    """A4, as the browser's own dialogue would; nothing of the navigation."""
    with visiting(browser, site) as visit:
        visit.go(PAGES[name])
        pdf = visit.page.pdf(format="A4", path=pictures / f"{name}.pdf")
        assert 1 <= pages_of(pdf) <= SHEETS_MAX
        visit.page.emulate_media(media="print")
        assert not visit.page.get_by_role("navigation", name="Main").is_visible()


# ---- the tool


def test_what_no_page_may_do_is_seen(browser: Browser, site: str, pictures: Path) -> None:
    """A page that is spoiled on purpose: each defect is told."""
    with visiting(browser, site) as visit:
        visit.go(PAGES["about"])
        visit.page.evaluate(
            """() => {
                const add = (html) => document.querySelector("main").insertAdjacentHTML("beforeend", html);
                add("<h5>Too deep</h5><img src='https://other.example/pixel.png'><p style='color: red'>red</p>");
                add("<pre>" + "wide".repeat(200) + "</pre>");
                setTimeout(() => { throw new Error("spoiled"); });
            }"""
        )
        visit.drawn()
        told = " ".join([*looked_at(visit, "spoiled", 360, pictures), *outline(visit), *visit.complaints])
        for wrong in ("scrolls sideways", "is followed by h5", "other.example", "style", "spoiled"):
            assert wrong in told
        assert any(one.startswith("image-alt") for one in visit.violations())


def test_axe_is_the_one_its_readme_names() -> None:
    """Version and digest."""
    folder = Path(__file__).parent / "vendor" / "axe-core"
    readme = (folder / "README.md").read_text()
    for name in ("axe.min.js", "LICENSE"):
        assert f"`{sha256((folder / name).read_bytes()).hexdigest()}`" in readme
    version = re.search(r"axe v([0-9.]+)", (folder / "axe.min.js").read_text("utf-8")[:200])
    assert version is not None
    assert f"| version | {version[1]} |" in readme
