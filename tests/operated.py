"""Operators at their pages: clients that are signed in with a second factor, and a market with something in it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import venues
from mtok.calendar import parse_instant
from mtok.market.margin import Side
from mtok.market.months import month_number
from mtok.market.references import Reference
from mtok.market.requests import Request
from mtok.settlement.people import Role

RUN = parse_instant("2026-06-23T15:00:00Z")
PRICE = 12_345_600
FIRM_UNTIL = parse_instant("2026-07-19T15:00:00Z")
"""A canary: it is in no page of an operator."""
BOTH = (Role.PARTICIPANT_USER, Role.PARTICIPANT_APPROVER)


@contextmanager
def market(path: Path, monkeypatch: pytest.MonkeyPatch, instant: int = venues.NOON) -> Iterator[venues.Clock]:
    """Give a venue whose only reference is `openai`, which printed every day and was last marked at 12.3456."""
    with venues.sqlite(path), venues.clock(instant) as clock:
        from mtok.venue.otc import clockwork, trading

        def references(names: Any, _: int) -> dict[str, Reference]:
            return {
                name: Reference(reference=name, methodology="1.0", printed=60, mark=PRICE)
                for name in names
                if name == "openai"
            }

        monkeypatch.setattr(trading, "references", references)
        monkeypatch.setattr(clockwork, "first_root", lambda *_: "ab" * 32)
        clockwork.begin(clock())
        yield clock


def submitted(principal: Any, name: str, side: Side, lots: int = 25, **fields: Any) -> None:
    """Draft and submit a request."""
    from mtok.venue.otc import trading

    usual: dict[str, Any] = {
        "id": name,
        "party": "",
        "person": "",
        "reference": "openai",
        "methodology": "1.0",
        "side": side,
        "lots": lots,
        "maturity": month_number("2026-08"),
        "expires": parse_instant("2026-07-20T15:00:00Z"),
        "firm_until": FIRM_UNTIL,
        "limit": PRICE,
    }
    request = Request(**usual | fields)
    trading.give(principal, "request", "draft", name, request)
    trading.give(principal, "request", "submit", name)


def client(principal: Any, at: int | None = None) -> Any:
    """Return a browser in which somebody is signed in; their second factor was shown at an instant, None for never."""
    from allauth.mfa.models import Authenticator
    from django.test import Client

    from mtok.venue.accounts.asking import STEPPED_UP
    from mtok.venue.accounts.models import Login

    login = Login.objects.get(pk=principal.login)
    Authenticator.objects.get_or_create(
        user=login, type=Authenticator.Type.TOTP, defaults={"data": {"secret": "x"}}
    )
    made = Client(headers={"host": "localhost"})
    made.force_login(login)
    if at is not None:
        session = made.session
        session[STEPPED_UP] = {"login": login.pk, "at": at}
        session.save()
    return made


class Signing:
    """Somebody who signs in anew for every page, second factor and all: sessions end while a market goes on."""

    def __init__(self, principal: Any, clock: venues.Clock) -> None:
        self._principal = principal
        self._clock = clock

    def get(self, address: str) -> Any:
        """Ask for a page."""
        return client(self._principal, self._clock()).get(address)

    def post(self, address: str, fields: dict[str, str]) -> Any:
        """Send a form."""
        return client(self._principal, self._clock()).post(address, fields)


def text_of(response: Any) -> str:
    """Return a page as text."""
    return str(response.content.decode())


def words_of(response: Any) -> str:
    """Return the words of a page, without its markup."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text_of(response))).split()).replace("\u00a0", " ")


def form_of(response: Any, action: str = "") -> dict[str, str]:
    """Return the hidden fields of the form of a page that is sent to an address, of the first form of the content."""
    content = text_of(response).partition("<h1>")[2]
    forms = re.findall(r"<form method=\"post\"([^>]*)>(.*?)</form>", content, re.DOTALL)
    found = [body for attributes, body in forms if action in attributes]
    assert found, f"no form for {action or 'anything'}"
    hidden = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', found[0])
    return {name: html.unescape(value) for name, value in hidden}
