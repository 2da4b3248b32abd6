"""People at a venue, each before a browser of their own: they sign up, follow what they are mailed, sign in and press.

Nobody here is made by a table: who they are and what they may do is whatever the pages made of it. The browser's thread
may ask no database; what a test does beside the pages it does `apart`.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from playwright.sync_api import Browser, BrowserContext, Request

import venues
from browsing import Visit
from signing_in import PASSWORD, Post, totp

Found = TypeVar("Found")

_WIDTH, _HEIGHT = 1280, 900
_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')


def apart(work: Callable[[], Found]) -> Found:
    """Do something with the database in a thread of its own; return what it returns, raise what it raises."""
    from django.db import connections

    outcome: dict[str, Any] = {}

    def do() -> None:
        try:
            outcome["found"] = work()
        except BaseException as error:
            outcome["error"] = error
        finally:
            connections.close_all()

    thread = threading.Thread(target=do)
    thread.start()
    thread.join()
    if "error" in outcome:
        raise outcome["error"]
    found: Found = outcome["found"]
    return found


def picture_of(name: str) -> Path | None:
    """Return where a picture is to be kept, None where none are wanted."""
    folder = os.environ.get("MTOK_SCREENSHOTS")
    return None if not folder else Path(folder) / f"story-{name}.png"


@dataclass
class Person:
    """Somebody with a browser. asked : what it asked for, by method and path, with the fields it last sent

    seen : every page, as it came · secret : of the app that shows codes, once there is one
    """

    name: str
    address: str
    context: BrowserContext
    visit: Visit
    clock: venues.Clock
    secret: str = ""
    asked: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)

    @classmethod
    def come(cls, browser: Browser, site: str, clock: venues.Clock, name: str, address: str) -> Person:
        """Return somebody who has opened a browser that nobody has used."""
        context = browser.new_context(
            viewport={"width": _WIDTH, "height": _HEIGHT}, reduced_motion="reduce", accept_downloads=True
        )
        visit = Visit(site, context.new_page())
        made = cls(name=name, address=address, context=context, visit=visit, clock=clock)
        visit.page.on("request", visit._asked)
        visit.page.on("request", made._asked_for)
        visit.page.on("console", visit._wrote)
        visit.page.on("pageerror", lambda error: visit.complaints.append(f"error: {error}"))
        return made

    # ---- pages

    def go(self, path: str, status: int = 200) -> None:
        """Open a page."""
        answer = self.visit.go(path)
        assert answer.status == status, f"{self.name}, {path}: {answer.status}\n{self.text()}"
        self.seen.append(self.visit.page.content())

    def follow(self, text: str) -> None:
        """Follow the first link of the page itself with this text."""
        with self.visit.page.expect_navigation():
            self.visit.page.locator("main").get_by_role("link", name=text, exact=True).first.click()
        self.seen.append(self.visit.page.content())

    def put(self, **fields: str) -> None:
        """Fill in fields of the page, by their names; what an option or a radio button is worth, or text."""
        for name, value in fields.items():
            place = self.visit.page.locator(f"main [name='{name}']")
            kind = place.first.evaluate("one => one.type")
            if kind == "radio":
                self.visit.page.locator(f"main [name='{name}'][value='{value}']").check()
            elif kind.startswith("select"):
                place.first.select_option(value)
            elif kind == "file":
                place.first.set_input_files(
                    {"name": "evidence.txt", "mimeType": "text/plain", "buffer": value.encode()}
                )
            else:
                place.first.fill(value)

    def press(self, button: str, **fields: str) -> None:
        """Fill in fields, press a button of the page itself, and see that nothing was refused."""
        self.put(**fields)
        found = self.visit.page.locator("main").get_by_role("button", name=button, exact=True)
        assert found.count(), f"{self.name}: there is no {button}\n{self.text()}"
        with self.visit.page.expect_navigation() as came:
            found.first.click()
        self.visit.drawn()
        self.seen.append(self.visit.page.content())
        assert came.value is not None
        assert came.value.status == 200, f"{self.name}, {button}: {came.value.status}\n{self.text()}"
        assert self.visit.page.locator("main :is(.told-error, .errorlist)").count() == 0, (
            f"{self.name}, {button}:\n{self.text()}"
        )

    def unfold(self, summary: str) -> None:
        """Open what is folded away under a summary."""
        self.visit.page.locator("main summary").get_by_text(summary, exact=True).click()

    def download(self, path: str) -> bytes:
        """Follow the link of the page to a file, and return what was saved."""
        with self.visit.page.expect_download() as coming:
            self.visit.page.locator(f"main a[href='{path}']").click()
        return Path(coming.value.path()).read_bytes()

    def title(self) -> str:
        """Return the heading of the page."""
        return self.visit.page.locator("h1").inner_text()

    def text(self) -> str:
        """Return the words of the page itself, blanks as one."""
        return " ".join(self.visit.page.locator("main").inner_text().split())

    def path(self) -> str:
        """Return where the page is."""
        return urlsplit(self.visit.page.url).path

    def look(self, name: str) -> None:
        """Keep a picture, where pictures are wanted, and see that the page does not scroll sideways."""
        wide = self.visit.page.evaluate("() => document.scrollingElement.scrollWidth")
        assert wide <= _WIDTH, f"{name} scrolls sideways to {wide}"
        if (kept := picture_of(name)) is not None:
            self.visit.page.screenshot(path=kept, full_page=True)

    # ---- who they are

    def sign_up(self, post: Post) -> None:
        """Sign up, follow the link in the mail, sign in, and set up an app."""
        self.go("/account/signup/")
        self.press("Sign up", email=self.address, name=self.name, password1=PASSWORD)
        self.go(post.last_link(self.address))
        self.press("It is mine")
        self.sign_in()
        self.enrol()

    def enter(self, path: str) -> None:
        """Come in as a founding admin does: set a password by the link, sign in, and set up an app."""
        self.go(path)
        self.press("Set the password", password1=PASSWORD, password2=PASSWORD)
        self.sign_in()
        self.enrol()

    def enrol(self) -> None:
        """Set up an app that shows codes."""
        self.go("/account/2fa/totp/activate/")
        if self.title() == "Your password once more":
            self.press("Go on", password=PASSWORD)
        secret = self.visit.page.locator(".secret").inner_text()
        self.press("Set it up", code=totp(secret, self.clock()))
        assert self.title() == "Recovery codes"
        self.secret = secret

    def sign_in(self) -> None:
        """Give address, password, and a code where there is an app."""
        self.go("/account/login/")
        self.press("Sign in", login=self.address, password=PASSWORD)
        if self.secret:
            assert self.title() == "Your second factor"
            self.press("Sign in", code=self.code())
        assert self.path() == "/venue/", self.text()

    def arrive(self) -> None:
        """Be signed in; sessions end while a market goes on."""
        self.go("/venue/")
        if self.visit.page.locator(".bar").get_by_role("button", name="Sign out").count() == 0:
            self.sign_in()

    def step_up(self, path: str) -> None:
        """Open a page that asks for the second factor, show it, and come to the page."""
        self.clock.pass_seconds(301)
        self.go(path)
        assert self.title() == "Your second factor once more", self.text()
        self.press("Go on", code=self.code())
        assert self.path() == path

    def code(self) -> str:
        """Return the next code of the app: each counts once, so the clock passes on."""
        self.clock.pass_seconds(30)
        return totp(self.secret, self.clock())

    # ---- pages asked for past the browser's window

    def asks(self, method: str, path: str, fields: dict[str, str]) -> tuple[int, str]:
        """Return status and text of an address, its forms' tokens left out, without following where it leads."""
        address = f"{self.visit.site}{path}"
        if method == "POST":
            token = _TOKEN.search(self.visit.page.content())
            assert token is not None
            form: dict[str, str | float | bool] = {**fields, "csrfmiddlewaretoken": token[1]}
            answer = self.context.request.post(address, form=form, max_redirects=0)
        else:
            answer = self.context.request.get(address, max_redirects=0)
        return answer.status, _TOKEN.sub("", answer.text())

    def _asked_for(self, request: Request) -> None:
        if request.is_navigation_request():
            is_form = "urlencoded" in request.headers.get("content-type", "")
            fields = dict(parse_qsl(request.post_data or "")) if is_form else {}
            self.asked[request.method, urlsplit(request.url).path] = fields
