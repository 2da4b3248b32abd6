"""Every account page in a browser: two widths, light and dark; passkeys; cookies as the browser keeps them.

Pictures of each combination are kept in the folder that MTOK_SCREENSHOTS names, else in pytest's own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext

import signing_in
import venues
from browsing import LOOKS, Visit, chromium
from signing_in import ADDRESS, PASSWORD, Post, totp

pytestmark = pytest.mark.machine

venues.configured()

from django.core.cache import cache  # noqa: E402 - Django takes its settings first

KEY = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasUserVerification": True,
    "isUserVerified": True,
    "hasResidentKey": True,
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = os.environ.get("MTOK_SCREENSHOTS")
    kept = Path(folder) if folder else tmp_path_factory.mktemp("screenshots")
    kept.mkdir(parents=True, exist_ok=True)
    return kept


@dataclass
class Account:
    """Somebody before a browser at a venue that is served."""

    visit: Visit
    context: BrowserContext
    post: Post
    clock: venues.Clock
    pictures: Path

    def look(self, name: str) -> None:
        """Take pictures, and see that the page fits and that axe finds nothing."""
        page = self.visit.page
        for width, scheme in LOOKS:
            page.emulate_media(color_scheme=scheme)
            self.visit.resize(width)
            page.screenshot(path=self.pictures / f"account-{name}-{width}-{scheme}.png", full_page=True)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (name, width)
            assert self.visit.violations() == [], (name, scheme)
        assert self.visit.complaints == []

    def fill(self, button: str, **fields: str) -> None:
        """Fill in a form and press its button."""
        for name, value in fields.items():
            self.visit.page.locator(f"main [name={name}]").fill(value)
        self.press(button)

    def press(self, button: str) -> None:
        """Press a button of the page itself and wait for the next one."""
        with self.visit.page.expect_navigation():
            self.visit.page.locator("main").get_by_role("button", name=button, exact=True).click()

    def title(self) -> str:
        return self.visit.page.locator("h1").inner_text()


@pytest.fixture
def account(browser: Browser, pictures: Path, tmp_path: Path) -> Iterator[Account]:
    cache.clear()
    with (
        venues.sqlite(tmp_path / "venue.sqlite3"),
        venues.clock() as clock,
        signing_in.post_office() as post,
        venues.serving() as site,
    ):
        context = browser.new_context(reduced_motion="reduce")
        visit = Visit(site, context.new_page())
        visit.page.on("request", visit._asked)
        visit.page.on("console", visit._wrote)
        visit.page.on("pageerror", lambda error: visit.complaints.append(f"error: {error}"))
        yield Account(visit, context, post, clock, pictures)
        context.close()


def test_every_account_page(account: Account) -> None:
    visit = account.visit
    visit.go("/venue/")
    assert account.context.cookies() == []
    account.look("home-stranger")
    visit.go("/account/signup/")
    account.fill("Sign up", name="Ann Archer", email="archer@example.com", password1="archer12345678")
    account.look("signup-refused")
    account.fill("Sign up", name="Ann Archer", email=ADDRESS, password1=PASSWORD)
    account.look("sent")
    visit.go(account.post.last_link())
    account.look("confirm")
    account.press("It is mine")
    account.look("login")
    account.fill("Sign in", login=ADDRESS, password="another battery staple")
    account.look("login-refused")
    account.fill("Sign in", login=ADDRESS, password=PASSWORD)
    account.look("home")
    cookies = {cookie["name"]: cookie for cookie in account.context.cookies()}
    assert set(cookies) == {"__Host-sid", "__Host-csrf"}
    for cookie in cookies.values():
        assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Lax")
        assert (cookie["path"], cookie["expires"]) == ("/", -1)

    visit.go("/account/")
    account.look("account")
    visit.go("/account/2fa/")
    account.look("factors-none")
    visit.go("/account/2fa/totp/activate/")
    account.look("password-again")
    account.fill("Go on", password=PASSWORD)
    account.look("app")
    secret = visit.page.locator(".secret").inner_text()
    account.fill("Set it up", code="000000")
    account.look("app-refused")
    account.fill("Set it up", code=totp(secret, account.clock()))
    assert account.title() == "Recovery codes"
    account.look("recovery-codes")
    visit.go("/account/2fa/recovery-codes/")
    account.look("recovery-codes-left")
    visit.go("/account/2fa/recovery-codes/generate/")
    account.look("recovery-codes-anew")

    account.context.new_cdp_session(visit.page)
    devices = account.context.new_cdp_session(visit.page)
    devices.send("WebAuthn.enable")
    devices.send("WebAuthn.addVirtualAuthenticator", {"options": KEY})
    visit.go("/account/2fa/webauthn/add/")
    account.look("passkey-add")
    account.fill("Make a passkey", name="Laptop")
    visit.go("/account/2fa/")
    account.look("factors")
    visit.go("/account/2fa/webauthn/")
    assert "Laptop" in visit.page.locator("table").inner_text()
    account.look("passkeys")
    visit.page.get_by_role("link", name="Rename").click()
    account.look("passkey-rename")
    account.fill("Rename", name="Old laptop")
    visit.page.get_by_role("link", name="Remove").click()
    account.look("passkey-remove")
    visit.go("/account/2fa/totp/deactivate/")
    account.look("app-remove")
    visit.go("/account/sessions/")
    account.look("sessions")
    visit.go("/account/password/change/")
    account.look("password-change")
    visit.go("/account/logout/")
    account.look("logout")
    visit.page.locator(".bar").get_by_role("button", name="Sign out").click()

    visit.go("/account/login/")
    account.fill("Sign in", login=ADDRESS, password=PASSWORD)
    assert account.title() == "Your second factor"
    account.look("second-factor")
    account.press("Use a passkey")
    assert account.title() == "The venue"
    visit.go("/account/2fa/reauthenticate/?next=/account/")
    account.look("second-factor-again")
    visit.go("/account/2fa/webauthn/reauthenticate/?next=/account/")
    account.look("passkey-again")
    account.press("Use a passkey")
    assert account.title() == "Your account"
    visit.go("/venue/nothing")
    account.look("missing")

    visit.page.locator(".bar").get_by_role("button", name="Sign out").click()
    visit.go("/account/password/reset/")
    account.look("password-reset")
    assert account.post.letters, "what came before is not the last mail"
    account.fill("Send the link", email=ADDRESS)
    account.look("password-reset-sent")
    visit.go(account.post.last_link())
    account.look("password-reset-by-link")
    account.fill("Set the password", password1="entirely new words", password2="entirely new words")
    account.look("password-reset-done")
    visit.go("/account/confirm-email/nothing/")
    account.look("confirm-refused")
    visit.go("/account/inactive/")
    account.look("inactive")
