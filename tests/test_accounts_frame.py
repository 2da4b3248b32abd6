"""What stands on every private page, who is let in to it, and what is held of its answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import venues
from mtok.settlement.people import Role

venues.configured()

from django.http import HttpRequest, HttpResponse  # noqa: E402 - Django takes its settings first
from django.test import Client, RequestFactory  # noqa: E402 - Django takes its settings first

from mtok.venue import place  # noqa: E402 - Django takes its settings first
from mtok.venue.accounts import asking  # noqa: E402 - Django takes its settings first
from mtok.venue.accounts.models import Change, Grant, Login, Organisation, Person  # noqa: E402 - Django takes its settings first
from mtok.venue.accounts.principals import Principal  # noqa: E402 - Django takes its settings first
from mtok.venue.front import is_private  # noqa: E402 - Django takes its settings first


@pytest.fixture(autouse=True)
def database(tmp_path: Path) -> Iterator[None]:
    with venues.sqlite(tmp_path / "venue.sqlite3"), venues.clock():
        yield


def made_login(
    *roles: Role, organisation: Organisation | None = None, email: str = "ann@example.com"
) -> Login:
    """Make a login of a person of its own with roles."""
    person = Person.objects.create(name="Ann", made_at=place.now())
    login = Login.objects.create_user(email, "x", person=person, made_at=place.now())
    for role in roles:
        change = Change.objects.create(kind="grant", login=login, content={}, proposed_at=place.now())
        Grant.objects.create(login=login, role=role, organisation=organisation, change=change)
    return login


def enrol(login: Login) -> None:
    """Give a login a second factor."""
    from allauth.mfa.models import Authenticator

    Authenticator.objects.create(user=login, type=Authenticator.Type.TOTP, data={"secret": "x"})


def client_of(login: Login | None = None) -> Client:
    client = Client(headers={"host": "localhost"})
    if login is not None:
        client.force_login(login)
    return client


def text_of(response: Any) -> str:
    return str(response.content.decode())


def test_a_stranger_is_told_what_the_venue_is_without_a_cookie() -> None:
    response = client_of().get("/venue/")
    assert response.status_code == 200
    assert not response.cookies
    assert "Paper contracts" in text_of(response)
    assert "/account/signup/" in text_of(response)
    assert "No cookies" not in text_of(response)


def test_public_pages_are_the_same_for_everybody() -> None:
    stranger, known = client_of().get("/about"), client_of(made_login()).get("/about")
    assert stranger.content == known.content
    assert "No cookies" in text_of(known)
    assert "Cookie" not in known.headers.get("Vary", "")
    assert not known.cookies


def test_a_stranger_is_sent_to_sign_in_and_back() -> None:
    response = client_of().get("/account/")
    assert (response.status_code, response["Location"]) == (303, "/account/login/?next=%2Faccount%2F")


def test_the_navigation_is_that_of_ones_roles(monkeypatch: pytest.MonkeyPatch) -> None:
    from mtok.venue.accounts import shown

    desk = shown.Link(name="Desk", url_name="board", does="Run.", roles=frozenset({Role.DESK}))
    monkeypatch.setattr(shown, "LINKS", [*shown.LINKS, desk])
    login = made_login(Role.DESK)
    enrol(login)
    assert "<dd>Run.</dd>" in text_of(client_of(login).get("/venue/"))
    assert "Run." not in text_of(client_of(made_login(email="b@example.com")).get("/venue/"))


def test_a_page_is_in_the_navigation_once() -> None:
    from mtok.venue.accounts import shown

    names = [link.url_name for link in shown.LINKS]
    assert [name for name in names if names.count(name) > 1] == []


def answered(login: Login, view: asking.View, *, stepped_up_at: int | None = None) -> HttpResponse:
    """Give a view a request of a login."""
    request = RequestFactory(headers={"host": "localhost"}).get("/venue/x", {"a": "1"})
    request.user = login
    request.session = {asking.STEPPED_UP: {"login": login.pk, "at": stepped_up_at}}
    request._messages = type("Kept", (list,), {"add": lambda self, *told: self.append(told)})()
    return view(request)


def said(request: HttpRequest) -> HttpResponse:
    return HttpResponse("in")


def test_a_view_is_given_the_principal() -> None:
    given: list[Principal] = []

    def view(request: HttpRequest) -> HttpResponse:
        given.append(request.principal)
        return HttpResponse("in")

    organisation = Organisation.objects.create(legal_name="Acme", lei="5" * 20, made_at=place.now())
    login = made_login(Role.PARTICIPANT_USER, organisation=organisation)
    assert answered(login, asking.signed_in(view), stepped_up_at=5).content == b"in"
    assert given == [
        Principal(
            login=login.pk,
            person=login.person_id,
            roles=frozenset({Role.PARTICIPANT_USER}),
            party=organisation.id,
            stepped_up_at=5,
        )
    ]


def test_without_the_role_an_address_is_as_if_it_were_missing() -> None:
    login = made_login(Role.AUDITOR)
    enrol(login)
    response = answered(login, asking.in_role(Role.DESK)(said))
    missing = client_of(login).get("/venue/x")
    assert response.status_code == missing.status_code == 404
    assert "page_unknown" in text_of(response)
    assert answered(login, asking.in_role(Role.DESK, Role.AUDITOR)(said)).content == b"in"


@pytest.mark.parametrize("role", [Role.DESK, Role.ADMIN, Role.AUDITOR])
def test_whoever_acts_for_the_venue_adds_a_second_factor_first(role: Role) -> None:
    login = made_login(role)
    response = answered(login, asking.signed_in(said))
    assert (response.status_code, response["Location"]) == (303, "/account/2fa/")
    enrol(login)
    assert answered(login, asking.signed_in(said)).content == b"in"


def test_a_participant_adds_one_before_submitting() -> None:
    login = made_login(Role.PARTICIPANT_USER)
    assert answered(login, asking.signed_in(said)).content == b"in"
    assert answered(login, asking.signed_in(asking.second_factor(said))).status_code == 303
    enrol(login)
    assert answered(login, asking.signed_in(asking.second_factor(said))).content == b"in"


@pytest.mark.parametrize(("seconds", "is_in"), [(0, True), (300, True), (301, False), (-1, False)])
def test_a_second_factor_counts_as_just_shown_for_five_minutes(seconds: int, is_in: bool) -> None:
    login = made_login(Role.PARTICIPANT_APPROVER)
    enrol(login)
    view = asking.signed_in(asking.stepped_up(said))
    response = answered(login, view, stepped_up_at=place.now() - seconds * 1_000_000)
    assert (response.content == b"in") is is_in
    if not is_in:
        assert response["Location"] == "/account/2fa/reauthenticate/?next=%2Fvenue%2Fx%3Fa%3D1"


def test_a_login_without_a_person_is_refused_not_sent_around() -> None:
    login = Login.objects.create_user("c@example.com", "x", made_at=place.now())
    response = client_of(login).get("/account/")
    assert response.status_code == 400
    assert "person_unknown" in text_of(response)


@pytest.mark.parametrize("path", ["/venue/", "/venue/none", "/account/", "/account/login/"])
def test_private_answers_are_kept_by_nobody(path: str) -> None:
    response = client_of().get(path)
    assert response["Cache-Control"] == "no-store"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["Cross-Origin-Opener-Policy"] == "same-origin"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in response.headers
    assert "Strict-Transport-Security" in client_of().get(path, secure=True).headers


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://elsewhere.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": "http://localhost"},
    ],
)
def test_what_another_site_sends_is_refused(headers: dict[str, str]) -> None:
    response = client_of().post("/account/login/", headers=headers)
    assert response.status_code == 403
    assert "origin_foreign" in text_of(response)
    assert response["Cache-Control"] == "no-store"


def test_a_form_without_its_token_is_refused() -> None:
    client = Client(headers={"host": "localhost"}, enforce_csrf_checks=True)
    response = client.post("/account/login/", {"login": "a@example.com", "password": "x"})
    assert response.status_code == 403
    assert "form_forged" in text_of(response)
    assert "venue" in text_of(response)


def test_a_bill_takes_no_token() -> None:
    """A public form that changes nothing, in a venue too."""
    client = Client(headers={"host": "localhost"}, enforce_csrf_checks=True)
    assert "form_forged" not in text_of(client.post("/bill", {"text": "x"}))


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
def test_a_method_that_a_private_page_has_not_is_refused_as_a_page(method: str) -> None:
    response = getattr(client_of(), method)("/venue/")
    assert response.status_code == 405
    assert response["Allow"] == "GET, HEAD"
    assert "method_not_allowed" in text_of(response)


def test_which_paths_are_private() -> None:
    private = ["/venue", "/venue/", "/venue/api/x", "/account", "/account/login/"]
    public = ["/", "/venues", "/accounts/x", "/v1/venue/", "/data"]
    assert [is_private(path) for path in private + public] == [True] * 5 + [False] * 5


def test_the_front_holds_nothing_private() -> None:
    from mtok.venue.front import Front
    from mtok.venue.rates import Rates

    def behind(environ: dict[str, Any], start: Any) -> list[bytes]:
        start("200 OK", [("Content-Type", "text/plain"), ("Cache-Control", "public, max-age=60")])
        asked.append(environ["PATH_INFO"])
        return [b"x"]

    asked: list[str] = []
    front = Front(
        behind,
        version=lambda: 1,
        seconds=lambda: 0.0,
        rates=Rates("", 0, lambda: 0.0),
        counted=lambda *_: None,
        is_file=lambda _: True,
    )
    sent: list[Any] = []

    def start(_: str, headers: list[tuple[str, str]], __: Any = None) -> Any:
        sent.append(dict(headers))

    for path in ("/venue/x.json", "/venue/x.json", "/data.json", "/data.json"):
        front({"REQUEST_METHOD": "GET", "PATH_INFO": path}, start)
    assert asked == ["/venue/x.json", "/venue/x.json", "/data.json"]
    assert ["Access-Control-Allow-Origin" in headers for headers in sent] == [False, False, True, True]


def test_the_settings_of_a_venue_are_documented() -> None:
    import re

    from mtok.venue.environment import VenueEnvironment

    document = (Path(__file__).parents[1] / "docs" / "serving.md").read_text("utf-8")
    table = dict(
        re.findall(r"^\| `((?:MTOK_VENUE_|DATABASE_)[A-Z_]+)` \| `?([^|`]*)`? ", document, re.MULTILINE)
    )
    names = {
        "DATABASE_URL" if name == "database_url" else f"MTOK_VENUE_{name.upper()}"
        for name in VenueEnvironment.model_fields
    }
    assert set(table) == names
    assert table["MTOK_VENUE_MAIL_FROM"] == VenueEnvironment.model_fields["mail_from"].default
    assert table["MTOK_VENUE_PAPER"] == str(VenueEnvironment.model_fields["paper"].default).lower()


def test_a_venue_for_any_name_needs_an_address_of_its_own() -> None:
    """Else a stranger could have a link sent that leads elsewhere."""
    import os
    import subprocess
    import sys

    settings = {"MTOK_STORE": str(venues.configured() / "store"), "MTOK_HOSTS": "*"}
    command = [sys.executable, "-c", "import mtok.venue.settings.venue"]
    for base, status in (("", 1), ("https://prices.example.org", 0)):
        said = subprocess.run(
            command,
            check=False,
            env={**os.environ, **settings, "MTOK_BASE_URL": base},
            capture_output=True,
            text=True,
        )
        assert said.returncode == status, said.stderr
        assert ("links in mails" in said.stderr) is bool(status)


def test_the_limits_of_the_document_are_those_of_the_program() -> None:
    from django.conf import settings

    from mtok.settlement.specification import specification
    from mtok.venue.accounts import factors, passwords, sessions

    document = (Path(__file__).parents[1] / "docs" / "accounts.md").read_text("utf-8")
    said = [
        f"{passwords.LENGTH_MIN} to {passwords.LENGTH_MAX} characters",
        f"one pass over {passwords.Argon2id.memory_cost:,} KiB",
        f"ends {sessions.IDLE_MINUTES} minutes after its last request, {sessions.IDLE_MINUTES_OF_VENUE} for",
        f"{sessions.HOURS_MAX} hours after signing in",
        f"six digits, {factors.STEP_SECONDS} seconds",
    ]
    assert [text for text in said if text not in document] == []
    assert settings.SESSION_COOKIE_AGE == sessions.HOURS_MAX * 3_600
    assert specification().step_up_seconds == settings.ACCOUNT_REAUTHENTICATION_TIMEOUT
    assert settings.ACCOUNT_RATE_LIMITS["login_failed"] == "10/m/ip,5/5m/key"
    assert "| wrong passwords | 5 in 5 minutes | 10 a minute |" in document
    assert settings.ACCOUNT_RATE_LIMITS["reset_password"] == "20/m/ip,5/h/key"
    assert "| mails for a new password | 5 an hour | 20 a minute |" in document
