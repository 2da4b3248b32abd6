"""The participants' pages in a browser: a phone and a wide screen, light and dark; axe-core finds nothing.

Pictures of each are kept in the folder that MTOK_SCREENSHOTS names, else in pytest's own.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import operated
import participating
import people
import venues
from browsing import Visit, chromium
from mtok.calendar import parse_date
from participating import ASKED, FIRM
from test_browser_operators import looked_at

pytestmark = pytest.mark.machine

MOVES = (0, 150_000, -90_000, 410_000, 0, -700_000, 120_000)
"""Of the marks, from day to day, 10⁻⁶ USD per million tokens; the sixth day has none."""


def asking(clock: venues.Clock, who: Any) -> list[str]:
    """Make requests in several states, and terms."""
    from mtok.venue.participants import actions

    buy = actions.submit(who.buyer, ASKED | FIRM)
    sell = actions.submit(who.seller, ASKED | FIRM | {"side": "sell"})
    unsure = actions.submit(who.buyer, ASKED | {"lots": "5", "month": "2026-09"})
    gone = actions.submit(who.buyer, ASKED | {"lots": "7", "side": "sell"})
    participating.accepted(who, unsure, gone)
    actions.cancel(who.buyer, gone)
    identity = participating.matched(clock, who, buy, sell)
    own = ("requests", "requests/new", f"requests/{unsure}", f"requests/{unsure}/amend", f"requests/{buy}")
    terms = ("terms", f"terms/{identity}", f"terms/{identity}/approve", f"terms/{identity}/ask")
    return [*own, *terms, "specification", "notifications"]


def holding(clock: venues.Clock, who: Any) -> list[str]:
    """Make a contract with margin days, a gap, a call, a dispute, and what the other side has said."""
    from mtok.venue.database import giving
    from mtok.venue.otc import trading
    from mtok.venue.participants import actions

    identity = participating.booked(clock, who)
    value, first = participating.PRICE, parse_date("2026-06-22")
    for place, move in enumerate(MOVES):
        value += move
        clock.instant = (first + place + 1) * 86_400_000_000 + 68_400_000_000
        if place != 5:
            mark = participating.marked(clock, place, value)
            giving.give_margin(trading.surroundings(), [mark], first + place, clock(), {identity})
    said = {
        "date": "2026-06-28",
        "price": "12.4",
        "reason": "Two models are missing.",
        "evidence": ["e" * 64],
    }
    actions.dispute(who.buyer, identity, said)
    actions.terminate(people.shown(who.seller, clock()), identity, {"price": "12.5"})
    pages = ("", "/marks", "/terminate?price=12.5", "/agree", "/dispute", "/confirmation")
    return ["contracts", *(f"contracts/{identity}{page}" for page in pages), f"terms/{identity}"]


MADE = {"asking": asking, "holding": holding}


@pytest.mark.parametrize("area", MADE)
def test_every_page_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, area: str) -> None:
    """The browser starts once everything is made: while it runs, Django takes this thread for an asynchronous one."""
    pictures = Path(os.environ.get("MTOK_SCREENSHOTS", tmp_path))
    pictures.mkdir(parents=True, exist_ok=True)
    wrong: list[str] = []
    with participating.trading_venue(tmp_path, monkeypatch) as clock:
        who = participating.everybody()
        addresses = MADE[area](clock, who)
        cookies = operated.client(who.buyer, clock()).cookies.values()
        with venues.serving() as site, chromium() as browser:
            context = browser.new_context(java_script_enabled=True, reduced_motion="reduce")
            secure = site.replace("http:", "https:")
            context.add_cookies(
                [{"name": one.key, "value": one.value, "url": secure, "secure": True} for one in cookies]
            )
            visit = Visit(site, context.new_page())
            visit.page.on("request", visit._asked)
            visit.page.on("console", visit._wrote)
            for number, address in enumerate(addresses):
                picture = pictures / f"{area}-{number}"
                wrong += [f"{address}: {one}" for one in looked_at(visit, f"/venue/{address}", picture)]
            wrong += visit.complaints
            context.close()
    assert not wrong, "\n".join(wrong)
