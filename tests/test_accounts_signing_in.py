"""Signing up and in: the whole path with mailed links and codes, and what is refused on it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import signing_in
import venues
from served import free_port
from signing_in import ADDRESS, PASSWORD, Post, Visitor, registered, totp

venues.configured()

from django.core.cache import cache  # noqa: E402 - Django takes its settings first

from mtok.venue.accounts.models import Login, Person  # noqa: E402 - Django takes its settings first


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
    office.taken.clear()
    return office


def is_signed_in(visitor: Visitor) -> bool:
    return bool(visitor.client.get("/account/", secure=True).status_code == 200)


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


# ---- nobody can tell whether an address has a login


def told(visitor: Visitor) -> tuple[int, dict[str, str], str]:
    """Return status, headers and body of the last answer, without the token of its form and the address typed."""
    import re

    body = re.sub(r'value="[A-Za-z0-9]{64}"', "", visitor.text()).replace("bob@example.com", ADDRESS)
    headers = {name: value for name, value in visitor.page.headers.items() if name != "Expires"}
    return visitor.page.status_code, headers | {"Content-Length": ""}, body


def test_a_wrong_password_and_an_unknown_address_are_told_the_same(post: Post) -> None:
    registered(post)
    known, unknown = Visitor(), Visitor()
    known.sign_in(ADDRESS, "another battery staple")
    unknown.sign_in("bob@example.com", "another battery staple")
    assert told(known) == told(unknown)
    assert "No login has this address and this password." in known.text()


def test_an_unknown_address_takes_as_many_hashings(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    from mtok.venue.accounts import passwords

    registered(post)
    turns = 0

    class Counted(passwords._Turn):
        def __enter__(self) -> None:
            nonlocal turns
            turns += 1
            super().__enter__()

    monkeypatch.setattr(passwords, "_Turn", Counted)
    taken = []
    for address in (ADDRESS, "bob@example.com"):
        turns = 0
        Visitor().sign_in(address, "another battery staple")
        taken.append(turns)
    for address in (ADDRESS, "bob@example.com"):
        turns = 0
        Visitor().sign_up(address)
        taken.append(turns)
    assert taken == [1, 1, 1, 1]


def test_signing_up_with_a_known_address_is_told_the_same_and_its_owner_is_told_more(post: Post) -> None:
    registered(post)
    cache.clear()
    again, anew = Visitor(), Visitor()
    again.sign_up(ADDRESS, password="whatever else it may be")
    assert post.last()[1]["Subject"] == "mtok: you have a login already"
    anew.sign_up("bob@example.com", password="whatever else it may be")
    assert post.last()[1]["Subject"] == "mtok: confirm your address"
    assert told(again) == told(anew)
    assert Login.objects.count() == 2


def test_a_new_password_for_an_unknown_address_is_told_the_same(post: Post) -> None:
    registered(post)
    pages = []
    for address, subject in (
        (ADDRESS, "set a new password"),
        ("bob@example.com", "no login has this address"),
    ):
        visitor = Visitor()
        visitor.go("/account/password/reset/")
        visitor.send("email", email=address)
        assert post.last()[0] == [address]
        assert post.last()[1]["Subject"] == f"mtok: {subject}"
        pages.append(told(visitor))
    assert pages[0] == pages[1]


# ---- what is typed


def test_a_name_is_text_wherever_it_is_shown(post: Post) -> None:
    visitor = registered(post, name="<script>alert(1)</script> & Söhne")
    visitor.go("/account/")
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; Söhne" in visitor.text()
    assert "<script>alert" not in visitor.text()
    assert all("script" not in letter.as_string() for _, letter in post.letters)


@pytest.mark.parametrize("name", ["Ann\x00", "Ann\u202eebA", "\ufeffAnn", "Ann\x1b[2J"])
def test_a_name_with_signs_that_cannot_be_seen_is_refused(post: Post, name: str) -> None:
    visitor = Visitor()
    visitor.sign_up(name=name)
    assert "We have written to you" not in visitor.text()
    assert not post.letters
    assert not Login.objects.exists()


def test_line_breaks_in_a_name_are_spaces(post: Post) -> None:
    registered(post, name="Ann\r\nBcc: eve@example.com")
    assert Person.objects.get().name == "Ann Bcc: eve@example.com"
    assert {tuple(recipients) for recipients, _ in post.letters} == {(ADDRESS,)}


@pytest.mark.parametrize(
    "address",
    [
        "ann@example.com\r\nBcc: eve@example.com",
        "ann@example.com,eve@example.com",
        "Ann <ann@example.com>",
        '"a b"@example.com\n',
        "ann@exa mple.com",
        f"{'a' * 250}@example.com",
    ],
)
def test_an_address_that_could_be_more_than_one_is_refused(post: Post, address: str) -> None:
    visitor = Visitor()
    visitor.sign_up(address)
    assert not post.letters
    assert not Login.objects.exists()


def test_an_address_is_compared_in_small_letters(post: Post) -> None:
    registered(post, "Ann@Example.COM")
    assert Login.objects.get().email == ADDRESS
    visitor = Visitor()
    visitor.sign_in("ANN@example.com")
    assert is_signed_in(visitor)


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("eleven char", "12 at least"),
        ("x" * 129, "128 at most"),
        ("MTOK is the place", "name of the site"),
        ("archery by archer42", "part of your address"),
        ("qwerty123456", "tried first"),
        ("QWERTY123456", "tried first"),
        ("passwordpassword", "tried first"),
        ("            ", "tried first"),
    ],
)
def test_passwords_that_are_refused(post: Post, password: str, why: str) -> None:
    visitor = Visitor()
    visitor.sign_up("archer@example.com", password=password)
    assert why in visitor.text()
    assert not Login.objects.exists()
    assert 'value="' + password not in visitor.text()


@pytest.mark.parametrize(
    "password",
    ["twelve chars", "x y" * 42 + "zz", "  12 spaces and  ", "ключ от склада № 9", "\U0001f511" * 11 + "!"],
)
def test_passwords_that_are_taken_as_they_are(post: Post, password: str) -> None:
    visitor = Visitor()
    visitor.sign_up(password=password)
    assert Login.objects.get().password.startswith("argon2$argon2id$v=19$m=47104,t=1,p=1$")
    assert Login.objects.get().check_password(password)
    assert not Login.objects.get().check_password(password[:-1])


# ---- links by mail


def test_a_new_password_by_mail_ends_all_sessions_and_the_link_is_good_once(post: Post) -> None:
    elsewhere = registered(post)
    visitor = Visitor()
    visitor.go("/account/password/reset/")
    visitor.send("email", email=ADDRESS)
    link = post.last_link()
    visitor.go(link)
    assert link not in visitor.text(), "the token does not stay in the address"
    visitor.send("password1", password1="entirely new words", password2="entirely new words")
    assert "Your password is set" in visitor.text()
    assert post.last()[1]["Subject"] == "mtok: your password was set anew"
    assert not is_signed_in(elsewhere)
    assert "This link is of no use" in Visitor().go(link).content.decode()
    visitor.sign_in(password="entirely new words")
    assert is_signed_in(visitor)


def test_a_link_that_was_changed_is_of_no_use(post: Post) -> None:
    visitor = Visitor()
    visitor.sign_up()
    for path in (post.last_link()[:-3] + "x/", "/account/password/reset/key/1-abc-def/"):
        assert "This link is of no use" in visitor.go(path).content.decode()


def test_links_are_those_of_the_sites_own_address(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever name the request came by."""
    from mtok.venue.accounts import adapter

    monkeypatch.setattr(adapter, "site_address", lambda _: "https://prices.example.org")
    Visitor().sign_up()
    assert "https://prices.example.org/account/confirm-email/" in post.last_text()
    assert "://localhost" not in post.last_text()


def test_a_mail_server_that_is_away_is_nothing_to_who_signs_up(post: Post, clock: venues.Clock) -> None:
    from mtok.venue.database.models import Message
    from mtok.venue.mail.work import deliver_due

    Visitor().sign_up()
    assert deliver_due(replace(post.server, port=free_port()).send, clock, 10) == 0
    kept = Message.objects.get()
    assert (kept.recipient, kept.login, kept.attempts) == (ADDRESS, Login.objects.get(), 1)
    clock.pass_seconds(3_600)
    assert post.last()[0] == [ADDRESS]


def test_the_text_of_a_mail_is_erased_once_it_is_sent(post: Post) -> None:
    from mtok.venue.database.models import Message

    Visitor().sign_up()
    assert post.last_link() in post.last_text()
    kept = Message.objects.get()
    assert "confirm-email" not in kept.text + kept.html


# ---- tried too often


def test_five_wrong_passwords_are_enough_for_an_account_wherever_they_come_from(post: Post) -> None:
    registered(post)
    for number in range(5):
        visitor = Visitor(f"192.0.2.{number}")
        visitor.sign_in(ADDRESS, "another battery staple")
        assert "No login has" in visitor.text()
    visitor = Visitor("192.0.2.99")
    visitor.sign_in()
    assert "tried too often" in visitor.text()
    assert not is_signed_in(visitor)


def test_ten_wrong_passwords_are_enough_for_an_address_whoever_they_are_for(post: Post) -> None:
    for number in range(10):
        Visitor("192.0.2.1").sign_in(f"a{number}@example.com", "another battery staple")
    registered(post)
    visitor = Visitor("192.0.2.1")
    visitor.sign_in()
    assert "tried too often" in visitor.text()


def test_five_wrong_codes_are_enough(post: Post, clock: venues.Clock) -> None:
    secret = registered(post).enrol(clock)
    visitor = Visitor()
    visitor.sign_in()
    for _ in range(5):
        visitor.send("code", code="000000")
        assert "not the code of now" in visitor.text()
    visitor.send("code", code=totp(secret, clock()))
    assert "tried too often" in visitor.text()
    assert not is_signed_in(visitor)


def test_what_is_asked_too_often_is_a_refusal(post: Post) -> None:
    visitor = Visitor()
    for _ in range(21):
        visitor.go("/account/signup/")
        visitor.send("password1", email="no address", name="x", password1=PASSWORD)
    assert visitor.page.status_code == 429
    assert "attempts_exceeded" in visitor.text()
    assert visitor.page["Retry-After"] == "300"


# ---- where one is sent


@pytest.mark.parametrize(
    ("path", "is_taken"),
    [
        ("/venue/?a=1", True),
        ("/account/", True),
        ("venue/", False),
        ("https://evil.example/", False),
        ("//evil.example/", False),
        ("/\\evil.example", False),
        ("https:evil.example", False),
        ("javascript:alert(1)", False),
        ("https://localhost/venue/", False),
        ("\t//evil.example", False),
    ],
)
def test_one_is_sent_to_paths_of_this_site_alone(post: Post, path: str, is_taken: bool) -> None:
    from urllib.parse import quote

    registered(post)
    visitor = Visitor()
    visitor.go(f"/account/login/?next={quote(path, safe='')}")
    visitor.send("password", follow=False, login=ADDRESS, password=PASSWORD)
    assert visitor.page.status_code == 302
    assert visitor.page["Location"] == (path if is_taken else "/venue/")
