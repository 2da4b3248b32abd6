"""The operators' pages in a browser: a phone and a wide screen, light and dark; axe-core finds nothing.

Pictures of each are kept in the folder that MTOK_SCREENSHOTS names, else in pytest's own.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import operated
import people
import test_operators_audit as audited
import test_operators_desk as desks
import test_operators_treasury as treasuries
import venues
from browsing import LOOKS, Visit, chromium
from mtok.market.margin import Side
from mtok.settlement.people import Role
from settling import mark_of, micro

pytestmark = pytest.mark.machine


def desk(clock: venues.Clock) -> tuple[Any, list[str]]:
    """Make a desk with something of everything; return who looks, and at which addresses."""
    from mtok.venue.otc import trading

    _, seller, who, pair = desks.with_candidate(clock)
    operated.submitted(seller, "later", Side.SELL, lots=30_000, limit=None)
    said = trading.intend(who, "request", "suspend", "s", desks.HOSTILE)
    names = ("", "book", "runs", "conduct", "requests/later", "requests/s", "proposals", f"proposals/{pair}")
    return who, [*(f"desk/{name}" for name in names), f"desk/said/{said.pk}"]


def treasury(clock: venues.Clock) -> tuple[Any, list[str]]:
    """Make a treasury with a call that was missed."""
    from mtok.venue.otc import trading

    one, other = treasuries.in_default(clock)
    said = trading.intend(one, "contract", "notice", treasuries.NAME)
    treasuries.kept_marks(mark_of("2026-08-01", micro("12.25")))
    contract = f"treasury/contracts/{treasuries.NAME}"
    own = ("treasury/", "treasury/obligations?date=2026-07-31", "treasury/disruptions", contract)
    return other, [*own, f"{contract}/post", f"{contract}/notice", f"desk/said/{said.pk}"]


def auditor(clock: venues.Clock) -> tuple[Any, list[str]]:
    """Make a log, a contract and a complaint for an auditor."""
    from mtok.venue.otc import threads

    contract = audited.booked(clock)
    user = people.person("Carl", *operated.BOTH, organisation=people.organisation("Cedar", people.LEIS[2]))
    made = threads.complain(user, desks.HOSTILE, "request", "b")
    names = ("", "requests", "proposals", "requests/b", f"contracts/{contract}", "runs", "said", "accounts")
    who = people.person("Audrey", Role.AUDITOR)
    return who, [*(f"audit/{name}" for name in names), "desk/notices", f"desk/notices/{made.pk}"]


MADE = {"desk": desk, "treasury": treasury, "audit": auditor}


@pytest.mark.parametrize("area", MADE)
def test_every_page_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, area: str) -> None:
    """The browser starts once everything is made: while it runs, Django takes this thread for an asynchronous one."""
    begun = treasuries.BOOKED if area == "treasury" else venues.NOON
    pictures = Path(os.environ.get("MTOK_SCREENSHOTS", tmp_path))
    pictures.mkdir(parents=True, exist_ok=True)
    wrong: list[str] = []
    with operated.market(tmp_path / "venue.sqlite3", monkeypatch, begun) as clock:
        who, addresses = MADE[area](clock)
        cookies = operated.client(who, clock()).cookies.values()
        with venues.serving() as site, chromium() as browser:
            context = browser.new_context(java_script_enabled=True, reduced_motion="reduce")
            context.add_cookies(
                [
                    {
                        "name": one.key,
                        "value": one.value,
                        "url": site.replace("http:", "https:"),
                        "secure": True,
                    }
                    for one in cookies
                ]
            )
            visit = Visit(site, context.new_page())
            visit.page.on("request", visit._asked)
            visit.page.on("console", visit._wrote)
            for number, address in enumerate(addresses):
                wrong += [
                    f"{address}: {one}"
                    for one in looked_at(visit, f"/venue/{address}", pictures / f"{area}-{number}")
                ]
            wrong += visit.complaints
            context.close()
    assert not wrong, "\n".join(wrong)


def looked_at(visit: Visit, address: str, picture: Path) -> list[str]:
    """Return what is wrong with a page, and keep its pictures."""
    wrong: list[str] = []
    for width, scheme in LOOKS:
        visit.resize(width)
        visit.page.emulate_media(color_scheme=scheme)
        answer = visit.go(address)
        wrong += [] if answer.status == 200 else [f"answered {answer.status}"]
        wide = visit.page.evaluate("() => document.scrollingElement.scrollWidth")
        wrong += [f"scrolls sideways: {wide} px in a window of {width}"] if wide > width else []
        visit.page.screenshot(path=f"{picture}-{width}-{scheme}.png", full_page=True)
        wrong += [f"{width} {scheme}: {one}" for one in visit.violations()]
    return wrong
