"""Keys of the API: made on a page and shown there once, kept as their sha256, worth what their login is worth now.

A key narrows: it acts for its login alone, within the scopes it was made with, and only while the login may. Approving
takes the second factor as everywhere: a one-time code that comes with the request, good for that request.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from allauth.mfa.models import Authenticator
from django.core.cache import cache

from mtok.calendar import DAY
from mtok.canonical import sha256_hex
from mtok.settlement.machines import Refused
from mtok.venue import place
from mtok.venue.accounts.events import happened
from mtok.venue.accounts.factors import taken
from mtok.venue.accounts.kinds import written
from mtok.venue.accounts.models import ApiKey, Login
from mtok.venue.accounts.principals import SCOPES, Principal, rights_of
from mtok.venue.database.transactions import transaction_of

BEGINNING: Final = "mtok_"
KEYS_MAX: Final = 10
DAYS_MAX: Final = 365
_SECRET_BYTES: Final = 32
_SHOWN_CHARS: Final = 12
_TEXT_CHARS_MAX: Final = 64
_NAME_CHARS: Final = range(1, 81)
_CODES_MAX: Final = 5
"""Wrong one-time codes of a login within a window; a right one is not looked at any more then."""
_WINDOW_SECONDS: Final = 300


def make(principal: Principal, name: str, scopes: Iterable[str], days: int) -> tuple[ApiKey, str]:
    """Make a key; return it and its text, which nobody can show again.

    Raises Refused: `not_yours` (a key makes no keys), `text_invalid`, `scope_unknown`, `days_invalid`, `keys_too_many`
    """
    _refuse_key(principal)
    wanted = sorted(set(scopes))
    if not wanted or not set(wanted) <= set(SCOPES):
        raise Refused("scope_unknown", f"{wanted} are not scopes", f"Choose of {', '.join(SCOPES)}.")
    if not 1 <= days <= DAYS_MAX:
        raise Refused(
            "days_invalid",
            f"a key of {days} days",
            f"A key lasts 1 to {DAYS_MAX} days; make another one then.",
        )
    title = written({"name": name}, "name", _NAME_CHARS)
    text = BEGINNING + secrets.token_urlsafe(_SECRET_BYTES)

    def work() -> ApiKey:
        if len(live(principal)) >= KEYS_MAX:
            raise Refused(
                "keys_too_many", f"you have {KEYS_MAX} keys that are in use", "End one of them first."
            )
        key: ApiKey = ApiKey.objects.create(
            login_id=principal.login,
            name=title,
            prefix=text[:_SHOWN_CHARS],
            digest=sha256_hex(text.encode()),
            scopes=wanted,
            made_at=place.now(),
            expires_at=place.now() + days * DAY,
        )
        happened("key.made", key.id, principal, scopes=wanted, expires_at=key.expires_at)
        return key

    return transaction_of(work), text


def end(principal: Principal, key_id: str) -> None:
    """End a key of one's own. Raises Refused: `not_yours`, `key_unknown`"""
    _refuse_key(principal)

    def work() -> None:
        ended = ApiKey.objects.filter(id=key_id, login=principal.login, ended_at=None)
        if not ended.update(ended_at=place.now()):
            raise Refused("key_unknown", "you have no such key in use", "The list shows those you have.")
        happened("key.ended", key_id, principal)

    transaction_of(work)


def live(principal: Principal) -> list[ApiKey]:
    """Return the keys of a login that are in use, oldest first."""
    found = ApiKey.objects.filter(login=principal.login, ended_at=None, expires_at__gt=place.now())
    return list(found.order_by("made_at", "id"))


def principal_of_key(text: str, one_time_code: str | None = None) -> Principal | None:
    """Return who a key acts for, as they may act at this instant; None for a key that is of no use.

    one_time_code : of the login's authenticator app; taken once, it counts as the second factor just shown
    """
    if not text.startswith(BEGINNING) or len(text) > _TEXT_CHARS_MAX:
        return None
    now = place.now()
    key = (
        ApiKey.objects.select_related("login")
        .filter(digest=sha256_hex(text.encode()), ended_at=None, expires_at__gt=now)
        .first()
    )
    if key is None:
        return None
    roles, party = rights_of(key.login)
    if not roles:
        return None
    ApiKey.objects.filter(id=key.id).update(used_at=now)
    return Principal(
        login=key.login_id,
        person=key.login.person_id,
        roles=roles,
        party=party,
        stepped_up_at=now if one_time_code and _is_right(key.login, one_time_code) else None,
        scopes=frozenset(key.scopes),
    )


def _is_right(login: Login, code: str) -> bool:
    """Return whether a code is one of the login's app and has not been used; after five wrong ones, for a while not."""
    counter = f"mtok.one_time_code.wrong?login={login.pk}"
    cache.add(counter, 0, timeout=_WINDOW_SECONDS)
    if cache.get(counter, 0) >= _CODES_MAX:
        return False
    if taken(login.pk, code, [Authenticator.Type.TOTP]) is None:
        with suppress(ValueError):  # the window has just ended
            cache.incr(counter)
        return False
    cache.delete(counter)
    return True


def _refuse_key(principal: Principal) -> None:
    if principal.scopes is not None:
        raise Refused("not_yours", "a key makes and ends no keys", "Do it on the page of your keys.")
