"""Pages as a browser shows them: Debian's Chromium through Playwright, and everything it complains of.

A visit is one page in a context of its own. It keeps what no page may do: ask another origin for something, raise an
error, write one to the console (a violation of the content security policy is one).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response, sync_playwright

Scheme = Literal["light", "dark"]

CHROMIUM: Final = "/usr/bin/chromium"
WIDTHS: Final = (360, 768, 1440)
SCHEMES: Final[tuple[Scheme, ...]] = ("light", "dark")
LOOKS: Final[tuple[tuple[int, Scheme], ...]] = ((360, "light"), (1440, "dark"))
"""How the pages behind accounts are looked at: they share frame and style with the public ones, which every width and
scheme is tried with."""

_FLAGS: Final = (
    "--headless=new --no-sandbox --disable-gpu --disable-background-networking "
    "--disable-component-update --disable-sync --no-first-run"
).split()
_HEIGHT: Final = 900
_AXE: Final = Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js"
_SHIFTS: Final = """
window.shifted = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Debian's Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        yield browser
        browser.close()


@dataclass
class Visit:
    """A page that is looked at. complaints : what it did that no page may do; addresses : what it asked for"""

    site: str
    page: Page
    javascript: bool = True
    complaints: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)

    def go(self, path: str) -> Response:
        """Open a page of the site, wait until it and its scripts have run, and return the answer."""
        answer = self.page.goto(f"{self.site}{path}", wait_until="load")
        assert answer is not None
        self.drawn()
        return answer

    def drawn(self) -> None:
        """Wait until what a script changed is on the screen; without scripts no frame would call back."""
        if self.javascript:
            self.page.evaluate(
                "() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)))"
            )

    def resize(self, width: int) -> None:
        """Make the window so many CSS pixels wide."""
        self.page.set_viewport_size({"width": width, "height": _HEIGHT})

    def shifted(self) -> float:
        """Return by how much the page moved under the reader's eyes: the sum of its layout shifts."""
        self.drawn()
        return float(self.page.evaluate("() => window.shifted"))

    def violations(self) -> list[str]:
        """Return what axe-core finds, all its rules: a line each with the rule and the first elements."""
        if not self.page.evaluate("() => 'axe' in window"):
            self.page.evaluate(_axe())
        found: list[dict[str, Any]] = self.page.evaluate(
            "async () => (await axe.run(document, { resultTypes: ['violations'] })).violations"
        )
        return [
            f"{one['id']}: {one['help']}: {node['html'][:160]} ({node['failureSummary'].splitlines()[-1].strip()})"
            for one in found
            for node in one["nodes"][:3]
        ]

    def _asked(self, request: Request) -> None:
        self.addresses.append(request.url)
        if not request.url.startswith((f"{self.site}/", "data:", "blob:")):
            self.complaints.append(f"asked another origin: {request.url}")

    def _wrote(self, message: ConsoleMessage) -> None:
        asked_for_itself = message.location.get("url") == self.page.url and "Failed to load" in message.text
        if (
            message.type in ("error", "warning") and not asked_for_itself
        ):  # that a page is a 404 is no mistake of it
            self.complaints.append(f"console: {message.text}")


@contextmanager
def visiting(
    browser: Browser, site: str, *, width: int = 1440, scheme: Scheme = "light", javascript: bool = True
) -> Iterator[Visit]:
    """Open a window without history, cache or cookies, and see at the end that no cookie came."""
    context = browser.new_context(
        viewport={"width": width, "height": _HEIGHT},
        color_scheme=scheme,
        java_script_enabled=javascript,
        reduced_motion="reduce",
    )
    context.add_init_script(_SHIFTS)
    visit = Visit(site, context.new_page(), javascript)
    visit.page.on("request", visit._asked)
    visit.page.on("console", visit._wrote)
    visit.page.on("pageerror", lambda error: visit.complaints.append(f"error: {error}"))
    yield visit
    assert context.cookies() == []
    context.close()


@cache
def _axe() -> str:
    return _AXE.read_text("utf-8")


def pages_of(pdf: bytes) -> int:
    """Return how many sheets a PDF of Chromium has."""
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf))
