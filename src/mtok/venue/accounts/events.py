"""The audit log of accounts: what happened, when, who did it, about what. Insert-only, without secrets and contacts."""

from __future__ import annotations

from typing import Any

from mtok.venue import place
from mtok.venue.accounts.models import AccountEvent
from mtok.venue.accounts.principals import Principal


def happened(what: str, about: str, by: Principal | None = None, **content: Any) -> None:
    """Write that something happened, now. about : the id of the object · by : nobody where the machine did it"""
    AccountEvent.objects.create(
        at=place.now(),
        login_id=by.login if by else None,
        person=by.person if by else "",
        what=what,
        about=about,
        content=content,
    )
