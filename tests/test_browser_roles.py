"""Pages of admins and participants in a browser: nothing scrolls sideways, axe-core and the console have nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from browsing import SCHEMES, WIDTHS, chromium, visiting
from mtok.settlement.people import Role
from peopled import acting, admitted, agreed, changes, founded, login_of, models, named, signed_up
from venues import serving

pytestmark = pytest.mark.machine

PAGES = {
    "people": ("eve", "/venue/people"),
    "login": ("eve", "/venue/people/{login}"),
    "organisations": ("eve", "/venue/organisations"),
    "organisation": ("eve", "/venue/organisations/{organisation}"),
    "changes": ("fay", "/venue/changes"),
    "change": ("fay", "/venue/changes/{change}"),
    "apply": ("ray", "/venue/apply"),
    "own": ("pat", "/venue/organisation"),
    "contact": ("pat", "/venue/organisation/contact"),
    "keys": ("pat", "/venue/keys"),
}


@dataclass(frozen=True, kw_only=True)
class Site:
    """A venue that is served. sessions : their keys, by who is signed in · names : what stands in addresses"""

    address: str
    sessions: dict[str, str]
    names: dict[str, str | int]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A venue with something on every page, served."""
    with founded(tmp_path_factory.mktemp("venue")):
        name = "Example Company with a Long Legal Name Incorporated"
        organisation = admitted("pat@example.org", "Pat, pat@example.org", name=name)
        agreed("suspend", organisation=organisation, details={"reason": "papers are missing"})
        signed_up("ray@example.org")
        login = named("somebody.with.a.long.address@subsidiary.example.org", "Olga")
        changes.propose(acting("eve@example.org"), "grant", login=login, details={"role": Role.DESK})
        names = {
            "login": login_of("pat@example.org").id,
            "organisation": organisation.id,
            "change": models.Change.objects.get(decision=None).id,
        }
        sessions = {name: session_of(name) for name in ("eve", "fay", "pat", "ray")}
        with serving() as address:
            yield Site(address=address, sessions=sessions, names=names)


@pytest.fixture(scope="module")
def browser(site: Site) -> Iterator[Browser]:
    """The browser; started last, as Django's models are not to be asked where its loop runs."""
    with chromium() as started:
        yield started


def session_of(name: str) -> str:
    """Return the key of a session in which the second factor was just shown."""
    from allauth.mfa.models import Authenticator
    from django.test import Client

    from mtok.venue import place
    from mtok.venue.accounts.asking import STEPPED_UP

    login = login_of(f"{name}@example.org")
    Authenticator.objects.get_or_create(
        user=login, type=Authenticator.Type.TOTP, defaults={"data": {"secret": "x"}}
    )
    client = Client(headers={"host": "localhost"})
    client.force_login(login)
    session = client.session
    session[STEPPED_UP] = {"login": login.pk, "at": place.now()}
    session.save()
    return str(session.session_key)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_whole(browser: Browser, site: Site, page: str, tmp_path: Path) -> None:
    name, path = PAGES[page]
    where = path.format(**site.names)
    wrong: list[str] = []
    with visiting(browser, site.address) as visit:
        visit.page.context.set_extra_http_headers({"Cookie": f"__Host-sid={site.sessions[name]}"})
        for width in WIDTHS:
            visit.resize(width)
            visit.page.context.clear_cookies()  # with one of its own the browser would not send ours
            assert visit.go(where).status == 200
            assert visit.page.url == f"{site.address}{where}", "nobody was sent elsewhere"
            visit.page.evaluate(
                "() => document.querySelectorAll('details').forEach((one) => one.open = true)"
            )
            wide = visit.page.evaluate("() => document.scrollingElement.scrollWidth")
            wrong += [f"{width}: scrolls sideways to {wide}"] if wide > width else []
            for scheme in SCHEMES if width != 768 else ():
                visit.page.emulate_media(color_scheme=scheme)
                wrong += [f"{width} {scheme}: {one}" for one in visit.violations()]
            visit.page.screenshot(path=tmp_path / f"{page}-{width}.png", full_page=True)
        wrong += visit.complaints
        visit.page.context.clear_cookies()
    assert not wrong
