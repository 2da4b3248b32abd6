"""Keys of the API: shown once, narrowed by scopes, worth what the login is worth now; a one-time code is good once."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b32decode
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtok.market.proposals import MACHINE as PROPOSALS
from mtok.market.requests import MACHINE as REQUESTS
from mtok.settlement.machines import Machine, Refused
from mtok.settlement.marks import MACHINE as MARKS
from mtok.settlement.people import Role
from peopled import Clock, acting, admitted, agreed, api_keys, founded, granted, login_of, models, named
from venues import NOON

SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
"""RFC 6238's own secret, appendix B."""


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[Clock]:
    """A venue with a participant who has an app."""
    from allauth.mfa.totp.internal.auth import TOTP
    from django.core.cache import cache

    cache.clear()
    with founded(tmp_path) as clock:
        admitted("pat@example.org", "Pat, pat@example.org")
        TOTP.activate(login_of("pat@example.org"), SECRET)
        yield clock


def made(*scopes: str, days: int = 30) -> str:
    """Make a key and return its text."""
    return api_keys.make(acting("pat@example.org"), "bot", scopes or ["read"], days)[1]


def one_time_code(instant: int) -> str:
    """Return the code of an app, written again from RFC 4226, 5.3 and RFC 6238."""
    digest = hmac.digest(b32decode(SECRET), (instant // 30_000_000).to_bytes(8, "big"), "sha1")
    at = digest[-1] & 15
    return f"{(int.from_bytes(digest[at : at + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06d}"


def test_the_codes_of_this_test_are_those_of_the_rfc() -> None:
    """RFC 6238, appendix B: 94287082 at 59 s, of which an app of six digits shows the last six."""
    assert one_time_code(59_000_000) == "287082"


def test_a_key_is_kept_as_its_digest_alone(venue: Clock, tmp_path: Path) -> None:
    text = made()
    key = models.ApiKey.objects.get()
    assert text.startswith("mtok_")
    assert len(text) == 5 + 43, "256 bits in base64"
    assert key.digest == hashlib.sha256(text.encode()).hexdigest()
    raw = b"".join(path.read_bytes() for path in tmp_path.glob("venue.sqlite3*"))
    assert text[:12].encode() in raw
    assert text[:16].encode() not in raw


def test_a_key_acts_for_its_login(venue: Clock) -> None:
    found, pat = api_keys.principal_of_key(made("read", "requests")), acting("pat@example.org")
    assert found is not None
    assert (found.login, found.person, found.roles, found.party) == (
        pat.login,
        pat.person,
        pat.roles,
        pat.party,
    )
    assert found.scopes == frozenset({"read", "requests"})
    assert found.stepped_up_at is None
    assert models.ApiKey.objects.get().used_at == NOON


@pytest.mark.parametrize("text", ["", "mtok_", "mtok_" + "A" * 43, "Bearer x", "mtok_" + "A" * 1000])
def test_what_is_no_key_is_nobody(venue: Clock, text: str) -> None:
    made()
    assert api_keys.principal_of_key(text) is None


def test_a_key_expires_to_the_microsecond(venue: Clock) -> None:
    text = made(days=1)
    venue.instant += 86_400_000_000 - 1
    assert api_keys.principal_of_key(text) is not None
    venue.instant += 1
    assert api_keys.principal_of_key(text) is None
    assert api_keys.live(acting("pat@example.org")) == []


def test_an_ended_key_is_of_no_use_and_of_nobody_elses_ending(venue: Clock) -> None:
    text = made()
    key = models.ApiKey.objects.get()
    with pytest.raises(Refused) as refused:
        api_keys.end(acting("eve@example.org"), key.id)
    assert refused.value.code == "key_unknown"
    api_keys.end(acting("pat@example.org"), key.id)
    assert api_keys.principal_of_key(text) is None


def test_a_key_loses_what_its_login_loses_at_once(venue: Clock) -> None:
    text = made("read", "requests", "approvals")
    agreed("withdraw", login=login_of("pat@example.org"), details={"role": Role.PARTICIPANT_APPROVER})
    found = api_keys.principal_of_key(text)
    assert found is not None
    assert found.roles == {Role.PARTICIPANT_USER}
    agreed("withdraw", login=login_of("pat@example.org"), details={"role": Role.PARTICIPANT_USER})
    assert api_keys.principal_of_key(text) is None


def test_a_disabled_login_has_no_keys(venue: Clock) -> None:
    text = made()
    agreed("disable", login=login_of("pat@example.org"), details={"reason": "lost phone"})
    assert api_keys.principal_of_key(text) is None
    agreed("enable", login=login_of("pat@example.org"), details={"reason": "new phone"})
    assert api_keys.principal_of_key(text) is None


def test_ten_keys_and_no_more(venue: Clock) -> None:
    for _ in range(10):
        made()
    with pytest.raises(Refused) as refused:
        made()
    assert refused.value.code == "keys_too_many"
    api_keys.end(acting("pat@example.org"), models.ApiKey.objects.all()[0].id)
    made()


@pytest.mark.parametrize(
    ("name", "scopes", "days", "code"),
    [
        ("bot", [], 30, "scope_unknown"),
        ("bot", ["read", "all"], 30, "scope_unknown"),
        ("bot", ["read"], 0, "days_invalid"),
        ("bot", ["read"], 366, "days_invalid"),
        ("", ["read"], 30, "text_invalid"),
        ("x" * 81, ["read"], 30, "text_invalid"),
    ],
)
def test_a_key_that_cannot_be_is_not_made(
    venue: Clock, name: str, scopes: list[str], days: int, code: str
) -> None:
    with pytest.raises(Refused) as refused:
        api_keys.make(acting("pat@example.org"), name, scopes, days)
    assert refused.value.code == code
    assert not models.ApiKey.objects.exists()


def test_a_key_makes_and_ends_no_keys(venue: Clock) -> None:
    found = api_keys.principal_of_key(made("read", "requests", "approvals"))
    assert found is not None
    for attempt in (
        lambda: api_keys.make(found, "bot", ["read"], 1),
        lambda: api_keys.end(found, models.ApiKey.objects.get().id),
    ):
        with pytest.raises(Refused) as refused:
            attempt()
        assert refused.value.code == "not_yours"


COMMANDS: list[tuple[Machine, str, str]] = [
    (REQUESTS, "submit", "requests"),
    (REQUESTS, "cancel", "requests"),
    (PROPOSALS, "approve", "approvals"),
    (PROPOSALS, "decline", "approvals"),
]


@pytest.mark.parametrize("scopes", [["read"], ["requests"], ["approvals"], ["read", "requests", "approvals"]])
@pytest.mark.parametrize(("machine", "command", "needed"), COMMANDS)
def test_scopes_narrow_what_a_key_commands(
    venue: Clock, scopes: list[str], machine: Machine, command: str, needed: str
) -> None:
    found = api_keys.principal_of_key(made(*scopes))
    assert found is not None
    if needed in scopes:
        assert found.actor(machine, command).person == found.person
        return
    with pytest.raises(Refused) as refused:
        found.actor(machine, command)
    assert refused.value.code == "scope_missing"


def test_an_operator_commands_on_pages_alone(venue: Clock) -> None:
    granted(named("mia@example.org", "Mia"), Role.MARK_PREPARER)
    text = api_keys.make(acting("mia@example.org"), "bot", ["read", "requests", "approvals"], 1)[1]
    found = api_keys.principal_of_key(text)
    assert found is not None
    with pytest.raises(Refused) as refused:
        found.actor(MARKS, "propose")
    assert refused.value.code == "scope_missing"
    assert acting("mia@example.org").actor(MARKS, "propose").role == Role.MARK_PREPARER


# ---- the second factor of a request


def test_a_code_given_with_a_request_is_the_second_factor_once(venue: Clock) -> None:
    text, code = made("approvals"), one_time_code(venue())
    first, again = (api_keys.principal_of_key(text, code) for _ in range(2))
    assert first is not None
    assert again is not None
    assert first.stepped_up_at == venue()
    assert again.stepped_up_at is None
    assert models.ApiKey.objects.get().used_at == venue()


def test_a_code_is_used_up_for_every_key_of_the_login(venue: Clock) -> None:
    one, other, code = made("approvals"), made("approvals"), one_time_code(venue())
    assert api_keys.principal_of_key(one, code) is not None
    found = api_keys.principal_of_key(other, code)
    assert found is not None
    assert found.stepped_up_at is None


@pytest.mark.parametrize("code", ["", "000000", "12345", "abcdef"])
def test_a_wrong_code_is_no_second_factor(venue: Clock, code: str) -> None:
    found = api_keys.principal_of_key(made("approvals"), code)
    assert found is not None
    assert found.stepped_up_at is None


def test_codes_cannot_be_tried_out(venue: Clock) -> None:
    """After five wrong codes the right one is not looked at."""
    text = made("approvals")
    for number in range(5):
        api_keys.principal_of_key(text, f"{number:06d}")
    found = api_keys.principal_of_key(text, one_time_code(venue()))
    assert found is not None
    assert found.stepped_up_at is None


def test_a_login_without_an_app_has_no_codes(venue: Clock) -> None:
    granted(named("mia@example.org", "Mia"), Role.AUDITOR)
    text = api_keys.make(acting("mia@example.org"), "bot", ["read"], 1)[1]
    found = api_keys.principal_of_key(text, one_time_code(venue()))
    assert found is not None
    assert found.stepped_up_at is None


def test_a_code_that_was_shown_on_a_page_is_used_up_for_keys(venue: Clock) -> None:
    from mtok.venue.accounts.factors import taken

    text, code = made("approvals"), one_time_code(venue())
    assert taken(login_of("pat@example.org").pk, code) is not None
    found = api_keys.principal_of_key(text, code)
    assert found is not None
    assert found.stepped_up_at is None
