"""Sessions and second factors: when a session ends, what takes a second factor once more, how secrets are kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import signing_in
import venues
from mtok.settlement.people import Role
from signing_in import ADDRESS, ORIGIN, PASSWORD, Post, Visitor, registered, totp

venues.configured()

from allauth.mfa.models import Authenticator  # noqa: E402 - Django takes its settings first
from django.core.cache import cache  # noqa: E402 - Django takes its settings first
from django.urls import get_resolver  # noqa: E402 - Django takes its settings first

from mtok.errors import EnvironmentFailed  # noqa: E402 - Django takes its settings first
from mtok.venue import place  # noqa: E402 - Django takes its settings first
from mtok.venue.accounts import passwords, urls  # noqa: E402 - Django takes its settings first
from mtok.venue.accounts.factors import Adapter  # noqa: E402 - Django takes its settings first
from mtok.venue.accounts.models import Change, Grant, Login  # noqa: E402 - Django takes its settings first

MINUTE = 60


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


def grant(login: Login, role: Role) -> None:
    change = Change.objects.create(kind="grant", login=login, content={}, proposed_at=place.now())
    Grant.objects.create(login=login, role=role, change=change)


# ---- cookies


def test_cookies_are_for_this_host_alone_and_gone_with_the_browser(post: Post) -> None:
    visitor = registered(post)
    cookies = visitor.client.cookies
    assert set(cookies) == {"__Host-sid", "__Host-csrf"}
    for cookie in cookies.values():
        assert cookie["secure"]
        assert cookie["httponly"]
        assert cookie["samesite"] == "Lax"
        assert cookie["path"] == "/"
        assert not cookie["domain"]
        assert not cookie["max-age"]
        assert not cookie["expires"]


def test_signing_in_makes_a_new_session(post: Post) -> None:
    registered(post)
    visitor = Visitor()
    visitor.go("/account/login/?next=/account/")
    visitor.go("/account/password/reset/key/1-x-y/")
    visitor.client.session.save()
    before = visitor.client.session.session_key
    visitor.client.cookies["__Host-sid"] = before
    visitor.sign_in()
    assert is_signed_in(visitor)
    assert visitor.client.session.session_key != before


def test_showing_again_who_one_is_makes_a_new_session_that_is_listed_as_the_old_one(post: Post) -> None:
    visitor, other = registered(post), Visitor()
    other.client.cookies["__Host-sid"] = before = visitor.client.session.session_key
    visitor.go("/account/reauthenticate/?next=/account/")
    visitor.send("password", password=PASSWORD)
    assert is_signed_in(visitor)
    assert visitor.client.session.session_key != before
    assert not is_signed_in(other)
    elsewhere = Visitor()
    elsewhere.sign_in()
    assert elsewhere.go("/account/sessions/").content.decode().count(">Sign out</button></form></td>") == 1


def test_signing_out_ends_the_session_for_whoever_has_its_cookie(post: Post) -> None:
    visitor, other = registered(post), Visitor()
    other.client.cookies["__Host-sid"] = visitor.client.session.session_key
    assert is_signed_in(other)
    visitor.sign_out()
    assert not is_signed_in(visitor)
    assert not is_signed_in(other)


def test_signing_out_takes_a_form(post: Post) -> None:
    visitor = registered(post)
    visitor.go("/account/logout/")
    assert is_signed_in(visitor)
    visitor.client.post("/account/logout/", secure=True, headers={"origin": ORIGIN})
    assert is_signed_in(visitor), "without the token of a form"


# ---- lifetimes


@pytest.mark.parametrize(
    ("role", "minutes"), [(None, 30), (Role.PARTICIPANT_USER, 30), (Role.DESK, 15), (Role.ADMIN, 15)]
)
def test_a_session_without_requests_ends(
    post: Post, clock: venues.Clock, role: Role | None, minutes: int
) -> None:
    visitor = registered(post)
    login = Login.objects.get()
    Authenticator.objects.create(user=login, type=Authenticator.Type.WEBAUTHN, data={"name": "x"})
    if role is not None:
        grant(login, role)
    for _ in range(3):
        clock.pass_seconds(minutes * MINUTE - 1)
        assert is_signed_in(visitor)
    clock.pass_seconds(minutes * MINUTE)
    assert not is_signed_in(visitor)
    assert f"signed out after {minutes} minutes" in visitor.go("/venue/").content.decode()


def test_a_session_ends_twelve_hours_after_signing_in(post: Post, clock: venues.Clock) -> None:
    visitor = registered(post)
    for _ in range(12 * 4 - 1):
        clock.pass_seconds(15 * MINUTE)
        assert is_signed_in(visitor)
    clock.pass_seconds(15 * MINUTE - 1)
    assert is_signed_in(visitor)
    clock.pass_seconds(1)
    assert not is_signed_in(visitor)
    assert "12 hours" in visitor.go("/venue/").content.decode()


def test_public_pages_do_not_keep_a_session_alive(post: Post, clock: venues.Clock) -> None:
    visitor = registered(post)
    clock.pass_seconds(29 * MINUTE)
    visitor.go("/about")
    clock.pass_seconds(MINUTE)
    assert not is_signed_in(visitor)


def test_what_a_request_does_not_do_when_its_session_is_over(post: Post, clock: venues.Clock) -> None:
    """The form was made within the session; it arrives after it."""
    visitor = registered(post)
    visitor.go("/account/password/change/")
    clock.pass_seconds(31 * MINUTE)
    visitor.send(
        "oldpassword", oldpassword=PASSWORD, password1="entirely new words", password2="entirely new words"
    )
    assert Login.objects.get().check_password(PASSWORD)


def test_all_sessions_end_when_the_password_changes(post: Post) -> None:
    here, elsewhere = registered(post), Visitor()
    elsewhere.sign_in()
    assert is_signed_in(elsewhere)
    here.go("/account/password/change/")
    here.send(
        "oldpassword", oldpassword=PASSWORD, password1="entirely new words", password2="entirely new words"
    )
    assert not is_signed_in(here)
    assert not is_signed_in(elsewhere)
    assert post.last()[1]["Subject"] == "mtok: your password was changed"
    here.sign_in(password="entirely new words")
    assert is_signed_in(here)


def test_all_sessions_end_when_a_login_is_disabled_and_stay_ended(post: Post) -> None:
    visitor = registered(post)
    login = Login.objects.get()
    login.is_active = False
    login.save()
    assert not is_signed_in(visitor)
    login.is_active = True
    login.save()
    assert not is_signed_in(visitor)


def test_a_disabled_login_is_told_so_only_with_its_password(post: Post) -> None:
    registered(post)
    Login.objects.update(is_active=False)
    visitor = Visitor()
    visitor.sign_in(password="another battery staple")
    assert "No login has this address" in visitor.text()
    visitor.sign_in()
    assert "This login is disabled" in visitor.text()


def test_sessions_are_listed_and_ended(post: Post) -> None:
    here = registered(post)
    others = [Visitor() for _ in range(3)]
    for visitor in others:
        visitor.sign_in()
    here.go("/account/sessions/")
    assert here.text().count(">Sign out</button></form></td>") == 3
    which = here.text().split('name="session" value="')[1].split('"')[0]
    token = here.form("/account/logout/")["csrfmiddlewaretoken"]
    headers = {"origin": ORIGIN}
    given = {"csrfmiddlewaretoken": token, "session": which}
    here.page = here.client.post("/account/sessions/", given, secure=True, follow=True, headers=headers)
    assert "Your password once more" in here.text(), "a session is ended by who shows again who they are"
    assert [is_signed_in(visitor) for visitor in others] == [True, True, True]
    here.send("password", password=PASSWORD)
    assert [is_signed_in(visitor) for visitor in others] == [False, True, True]
    here.go("/account/sessions/")
    token = here.form("/account/logout/")["csrfmiddlewaretoken"]
    given = {"csrfmiddlewaretoken": token, "session": "others"}
    here.client.post("/account/sessions/", given, secure=True, headers=headers)
    assert [is_signed_in(visitor) for visitor in [here, *others]] == [True, False, False, False]


def test_nobody_ends_a_session_of_somebody_else(post: Post) -> None:
    ann, bob = registered(post), registered(post, "bob@example.com", "Bob")
    from allauth.usersessions.models import UserSession

    session = UserSession.objects.get(user__email=ADDRESS)
    bob.go("/account/reauthenticate/")
    bob.send("password", password=PASSWORD)
    bob.go("/account/sessions/")
    token = bob.form("/account/logout/")["csrfmiddlewaretoken"]
    given = {"csrfmiddlewaretoken": token, "session": str(session.pk)}
    bob.client.post("/account/sessions/", given, secure=True, headers={"origin": ORIGIN})
    assert is_signed_in(ann)


def test_nothing_is_kept_of_sessions_that_are_over(post: Post, clock: venues.Clock) -> None:
    """Django dates a session's end by the machine's clock, which may not be the venue's in a test."""
    from allauth.usersessions.models import UserSession
    from django.contrib.sessions.models import Session

    from mtok.venue.accounts.sessions import clear_ended

    first, second = registered(post), Visitor()
    second.sign_in()
    machine = time.time_ns() // 1_000
    kept = Session.objects.get(session_key=first.client.session.session_key)
    kept.expire_date = kept.expire_date.replace(year=2020)
    kept.save()
    strangers = Session.objects.count() - 2
    assert clear_ended(machine) == 1
    assert not is_signed_in(first)
    assert is_signed_in(second)
    assert [one.session_key for one in UserSession.objects.all()] == [second.client.session.session_key]
    assert Session.objects.count() == 1 + strangers
    assert clear_ended(machine + 13 * 3_600_000_000) == 1 + strangers


# ---- the second factor once more


def stepped_up_at(visitor: Visitor) -> int | None:
    at: int | None = visitor.client.session.get("stepped_up", {}).get("at")
    return at


def test_a_code_counts_as_shown_a_password_or_a_recovery_code_does_not(
    post: Post, clock: venues.Clock
) -> None:
    first = registered(post)
    assert stepped_up_at(first) is None
    secret = first.enrol(clock)
    codes = first.text().split("<li>")[1:]
    recovery = [code[:8] for code in codes if code[:8].isdecimal()]
    assert len(recovery) == 10

    with_code, with_recovery = Visitor(), Visitor()
    with_recovery.sign_in()
    with_recovery.send("code", code=recovery[0])
    assert is_signed_in(with_recovery)
    assert stepped_up_at(with_recovery) is None
    with_code.sign_in()
    with_code.send("code", code=totp(secret, clock()))
    assert stepped_up_at(with_code) == clock()

    shown = clock()
    clock.pass_seconds(60)
    with_code.go("/account/2fa/reauthenticate/?next=/account/")
    assert stepped_up_at(with_code) == shown
    with_code.send("code", code=totp(secret, clock()))
    assert stepped_up_at(with_code) == clock() > shown
    assert with_code.page.request["PATH_INFO"] == "/account/"


def test_a_recovery_code_counts_once(post: Post, clock: venues.Clock) -> None:
    first = registered(post)
    first.enrol(clock)
    recovery = first.text().split('<ul class="codes"><li>')[1][:8]
    for is_in in (True, False):
        visitor = Visitor()
        visitor.sign_in()
        visitor.send("code", code=recovery)
        assert is_signed_in(visitor) is is_in


def test_recovery_codes_are_shown_once(post: Post, clock: venues.Clock) -> None:
    visitor = registered(post)
    visitor.enrol(clock)
    recovery = visitor.text().split('<ul class="codes"><li>')[1][:8]
    visitor.go("/account/2fa/recovery-codes/")
    assert recovery not in visitor.text()
    assert "10 of 10 are left" in visitor.text()


def test_removing_the_app_takes_its_code_not_the_password(post: Post, clock: venues.Clock) -> None:
    secret = registered(post).enrol(clock)
    visitor = Visitor()
    visitor.sign_in()
    visitor.send("code", code=totp(secret, clock()))
    visitor.go("/account/2fa/totp/deactivate/")
    assert "Your second factor once more" in visitor.text()
    visitor.go("/account/reauthenticate/?next=/account/2fa/totp/deactivate/")
    assert "Your second factor once more" in visitor.text()
    clock.pass_seconds(30)
    visitor.send("code", code=totp(secret, clock()))
    visitor.send("/account/2fa/totp/deactivate/")
    assert not Authenticator.objects.exists()
    assert post.last()[1]["Subject"] == "mtok: an app was removed"


def test_one_login_s_second_factor_is_not_anothers(post: Post, clock: venues.Clock) -> None:
    """Half signed in as one, then signed in as another in the same browser."""
    secret = registered(post).enrol(clock)
    registered(post, "bob@example.com", "Bob")
    visitor = Visitor()
    visitor.sign_in()
    visitor.send("code", code=totp(secret, clock()))
    from django.test import RequestFactory

    from mtok.venue.accounts.asking import principal_of

    request = RequestFactory().get("/venue/")
    request.session, request.user = visitor.client.session, Login.objects.get(email="bob@example.com")
    principal = principal_of(request)
    assert principal is not None
    assert principal.stepped_up_at is None


def test_a_secret_is_sealed_where_it_is_kept(post: Post, clock: venues.Clock) -> None:
    secret = registered(post).enrol(clock)
    kept = {one.type: one.data for one in Authenticator.objects.all()}
    assert secret not in str(kept)
    assert Adapter().decrypt(kept["totp"]["secret"]) == secret
    assert Adapter().encrypt(secret) != Adapter().encrypt(secret)


def test_two_who_show_a_code_at_once_are_not_both_let_in(post: Post, clock: venues.Clock) -> None:
    from mtok.venue.accounts.factors import taken

    secret = registered(post).enrol(clock)
    login, code = Login.objects.get(), totp(secret, clock())
    found: list[bool] = []

    def show() -> None:
        from django.db import connections

        found.append(taken(login.pk, code) is not None)
        connections.close_all()

    threads = [threading.Thread(target=show) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [False] * 7 + [True]


# ---- hashing


def test_four_passwords_are_hashed_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    inside = most = 0
    lock = threading.Lock()

    def slow(*_: object) -> bool:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        time.sleep(0.05)
        with lock:
            inside -= 1
        return True

    monkeypatch.setattr(passwords.Argon2id.__base__, "verify", slow)
    threads = [threading.Thread(target=passwords.Argon2id().verify, args=("x", "y")) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == passwords.AT_ONCE_MAX == 4


def test_who_waits_too_long_for_a_hashing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "SECONDS_MAX", 0)
    turns = [passwords._Turn() for _ in range(4)]
    for turn in turns:
        turn.__enter__()
    try:
        with pytest.raises(EnvironmentFailed) as caught:
            passwords.Argon2id().encode("x", "y" * 16)
    finally:
        for turn in turns:
            turn.__exit__()
    assert caught.value.code == "signing_in_busy"


# ---- addresses


def paths() -> list[str]:
    """Return an address of every page of accounts."""
    given = {"key": "x", "uidb36": "1", "pk": "1"}
    resolver = get_resolver("mtok.venue.urls_venue")
    found = []
    for pattern in urls.urlpatterns:
        for path, names in resolver.reverse_dict.getlist(pattern.name)[0][0]:
            found.append("/" + path % {name: given[name] for name in names})
    return found


def test_every_page_of_accounts_is_guarded(post: Post) -> None:
    """What no session is needed for is told to strangers, all else is not; nothing is changed by looking."""
    open_to_strangers = {
        "/account/signup/",
        "/account/confirm-email/",
        "/account/confirm-email/x/",
        "/account/login/",
        "/account/inactive/",
        "/account/password/reset/",
        "/account/password/reset/done/",
        "/account/password/reset/key/done/",
        "/account/password/reset/key/1-x/",
    }
    assert len(paths()) == len(urls.urlpatterns) > 20
    for path in paths():
        response = Visitor().client.get(path, secure=True)
        assert response.status_code == (200 if path in open_to_strangers else response.status_code), path
        assert response.status_code in ((200,) if path in open_to_strangers else (302, 303)), path
        assert response["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Origin" not in response.headers
        assert "style=" not in response.content.decode()
        assert "<script>" not in response.content.decode()


def test_no_page_of_accounts_shows_an_unstyled_template(post: Post, clock: venues.Clock) -> None:
    visitor = registered(post)
    for path in paths():
        if "logout" not in path:
            visitor.go(path)
            assert visitor.page.status_code in (200, 404), path
            assert "Paper contracts" in visitor.text(), path


def test_what_allauth_offers_beyond_is_no_address() -> None:
    for path in (
        "email/",
        "login/code/",
        "password/set/",
        "2fa/webauthn/login/",
        "2fa/recovery-codes/download/",
    ):
        assert Visitor().client.get(f"/account/{path}", secure=True).status_code == 404


# ---- mail


def test_without_a_mail_server_mails_are_files(office: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    from mtok.venue.accounts import adapter
    from mtok.venue.environment import venue_environment

    monkeypatch.setattr(adapter, "venue_environment", venue_environment)
    Visitor().sign_up()
    folder = venues.configured() / "store" / "venue" / "mail"
    assert folder.stat().st_mode & 0o777 == 0o700
    [*_, last] = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime)
    assert last.suffix == ".eml"
    assert f"To: {ADDRESS}" in last.read_text()
    assert "/account/confirm-email/" in last.read_text()
    assert "no mail server" in Visitor().go("/account/confirm-email/").content.decode()


# ---- what else is asked of passwords and of pages


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/account/login/", {"password": "current-password"}),
        ("/account/signup/", {"password1": "new-password"}),
        (
            "/account/password/change/",
            {"oldpassword": "current-password", "password1": "new-password", "password2": "new-password"},
        ),
    ],
)
def test_fields_for_passwords_are_masked_and_open_to_password_managers(
    post: Post, path: str, names: dict[str, str]
) -> None:
    visitor = registered(post) if "change" in path else Visitor()
    visitor.go(path)
    for name, complete in names.items():
        [field] = [tag for tag in visitor.text().split("<input") if f'name="{name}"' in tag]
        assert 'type="password"' in field
        assert f'autocomplete="{complete}"' in field
    assert "onpaste" not in visitor.text()


def test_a_password_is_good_after_years(post: Post, clock: venues.Clock) -> None:
    registered(post)
    clock.pass_seconds(5 * 366 * 86_400)
    visitor = Visitor()
    visitor.sign_in()
    assert is_signed_in(visitor)


def test_a_venue_begins_without_anybody() -> None:
    assert not Login.objects.exists()


def test_a_new_password_does_not_get_around_the_second_factor(post: Post, clock: venues.Clock) -> None:
    secret = registered(post).enrol(clock)
    visitor = Visitor()
    visitor.go("/account/password/reset/")
    visitor.send("email", email=ADDRESS)
    visitor.go(post.last_link())
    visitor.send("password1", password1="entirely new words", password2="entirely new words")
    assert not is_signed_in(visitor)
    visitor.sign_in(password="entirely new words")
    assert not is_signed_in(visitor)
    visitor.send("code", code=totp(secret, clock()))
    assert is_signed_in(visitor)


def test_signing_out_stands_on_every_page(post: Post) -> None:
    visitor = registered(post)
    for path in ("/venue/", "/account/", "/account/2fa/", "/account/sessions/", "/venue/nothing"):
        visitor.go(path)
        assert visitor.form("/account/logout/"), path
