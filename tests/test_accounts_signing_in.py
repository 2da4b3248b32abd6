"""Signing up and in: the whole path with mailed links and codes, and what is refused on it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

import signing_in
import venues
from signing_in import ADDRESS, Post, Visitor, registered, totp

venues.configured()

from django.core.cache import cache  # noqa: E402

from mtok.venue.accounts.models import Login, Person  # noqa: E402


@pytest.fixture(autouse=True)
def clock(tmp_path: Path) -> Iterator[venues.Clock]:
    cache.clear()
    with venues.sqlite(tmp_path / "venue.sqlite3"), venues.clock() as set_clock:
        yield set_clock


@pytest.fixture(scope="module")
def office() -> Iterator[Post]:
    with signing_in.post_office() as post:
        yield post


@pytest.fixture
def post(office: Post) -> Post:
    office.letters.clear()
    return office


def is_signed_in(visitor: Visitor) -> bool:
    return visitor.client.get("/account/", secure=True).status_code == 200


def test_the_codes_of_these_tests_are_those_of_rfc_6238() -> None:
    """Appendix B, SHA-1, the last six of its eight digits."""
    secret = base64.b32encode(b"12345678901234567890").decode()
    assert totp(secret, 59_000_000) == "287082"
    assert totp(secret, 1_111_111_109_000_000) == "081804"
    assert totp(secret, 20_000_000_000_000_000) == "353130"


def test_the_whole_path(post: Post, clock: venues.Clock) -> None:
    visitor = Visitor()
    visitor.sign_up()
    assert "We have written to you" in visitor.text()
    recipients, letter = post.last()
    assert recipients == [ADDRESS]
    assert (letter["To"], letter["Cc"], letter["Bcc"]) == (ADDRESS, None, None)
    assert letter["Subject"] == "mtok: confirm your address"
    assert [part.get_content_type() for part in letter.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]

    visitor.sign_in()
    assert not is_signed_in(visitor), "the address is not confirmed"
    link = post.last_link()
    visitor.go(link)
    assert not Login.objects.get().emailaddress_set.get().verified, "opening a page changes nothing"
    visitor.send("")
    assert Login.objects.get().emailaddress_set.get().verified
    visitor.sign_in()
    assert is_signed_in(visitor)
    login = Login.objects.get()
    assert login.person == Person.objects.get(name="Ann Archer")
    assert login.made_at == venues.NOON

    secret = visitor.enrol(clock)
    assert "Recovery codes" in visitor.text()
    assert post.last()[1]["Subject"] == "mtok: an app was added"
    visitor.sign_out()
    assert not is_signed_in(visitor)

    visitor.sign_in()
    assert not is_signed_in(visitor), "the password alone is not enough"
    visitor.send("code", code=totp(secret, clock()))
    assert is_signed_in(visitor)


def test_a_code_counts_once(post: Post, clock: venues.Clock) -> None:
    first = registered(post)
    secret = first.enrol(clock)
    code = totp(secret, clock())
    for visitor, is_in in ((Visitor(), True), (Visitor(), False)):
        visitor.sign_in()
        visitor.send("code", code=code)
        assert is_signed_in(visitor) is is_in
    assert "it was used already" in visitor.text()


def test_a_code_that_set_up_the_app_is_used(post: Post, clock: venues.Clock) -> None:
    secret = registered(post).enrol(clock)
    clock.instant -= 30_000_000
    visitor = Visitor()
    visitor.sign_in()
    visitor.send("code", code=totp(secret, clock()))
    assert not is_signed_in(visitor)


@pytest.mark.parametrize("seconds", [-30, 30])
def test_a_code_is_good_for_its_thirty_seconds(post: Post, clock: venues.Clock, seconds: int) -> None:
    secret = registered(post).enrol(clock)
    clock.pass_seconds(300)
    visitor = Visitor()
    visitor.sign_in()
    visitor.send("code", code=totp(secret, clock() + seconds * 1_000_000))
    assert not is_signed_in(visitor)
