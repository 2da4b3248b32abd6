"""The pages of admins and of participants about themselves: who is let in, what is proposed, what stands nowhere."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mtok.settlement.people import OPERATORS, PARTICIPANTS, Role
from peopled import (
    Clock,
    acting,
    admitted,
    agreed,
    changes,
    contacts,
    derived,
    founded,
    founding,
    granted,
    login_of,
    models,
    named,
    signed_up,
)

CANARY = "Canary Nine, +1 555 0100"


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[Clock]:
    """A venue with a participant whose contact is the canary."""
    with founded(tmp_path) as clock:
        admitted("pat@example.org", CANARY)
        yield clock


class Browser:
    """Somebody's browser, signed in, with a second factor that was just shown or not."""

    def __init__(self, address: str, *, has_stepped_up: bool = True) -> None:
        from allauth.mfa.models import Authenticator
        from django.test import Client

        from mtok.venue import place
        from mtok.venue.accounts.asking import STEPPED_UP

        login = login_of(address)
        Authenticator.objects.get_or_create(
            user=login, type=Authenticator.Type.TOTP, defaults={"data": {"secret": "x"}}
        )
        self._client = Client(headers={"host": "localhost"})
        self._client.force_login(login)
        if has_stepped_up:
            session = self._client.session
            session[STEPPED_UP] = {"login": login.pk, "at": place.now()}
            session.save()

    def get(self, path: str) -> Any:
        return self._client.get(path)

    def post(self, path: str, **fields: Any) -> Any:
        return self._client.post(path, fields)


def text_of(response: Any) -> str:
    """Return what a page says."""
    return html.unescape(response.content.decode())


def main_of(response: Any) -> str:
    """Return what a page says beside its frame."""
    return text_of(response).split("<main")[1].split("</main>")[0]


def paths(login: int) -> dict[str, list[str]]:
    """Return every page that is ours to try, by who has business there."""
    organisation = models.Organisation.objects.get()
    change = models.Change.objects.order_by("proposed_at", "id")[0]
    return {
        "admin": [
            "/venue/people",
            f"/venue/people/{login}",
            "/venue/organisations",
            f"/venue/organisations/{organisation.id}",
            "/venue/changes",
            f"/venue/changes/{change.id}",
        ],
        "participant": ["/venue/organisation", "/venue/organisation/contact", "/venue/keys"],
    }


@pytest.mark.parametrize("role", [*OPERATORS, Role.AUDITOR, Role.ADMIN, *PARTICIPANTS])
def test_to_others_a_page_is_as_if_it_were_missing(venue: Clock, role: Role) -> None:
    """Every role at every page, signed in with a second factor: the page, or what a missing address says."""
    if role in PARTICIPANTS:
        address = "pat@example.org"
        other = next(one for one in PARTICIPANTS if one != role)
        agreed("withdraw", login=login_of(address), details={"role": other})
    else:
        address = "olga@example.org"
        granted(named(address, "Olga"), role)
    browser = Browser(address)
    missing = browser.get("/venue/nothing")
    for area, listed in paths(login_of("pat@example.org").id).items():
        is_theirs = role == Role.ADMIN if area == "admin" else role in PARTICIPANTS
        for path in listed:
            response = browser.get(path)
            assert response.status_code == (200 if is_theirs else 404), path
            if not is_theirs:
                assert main_of(response).replace(path, "/venue/nothing") == main_of(missing)
                assert browser.post(path).status_code == 404


def test_strangers_are_sent_to_sign_in(venue: Clock) -> None:
    from django.test import Client

    for listed in paths(1).values():
        for path in listed:
            response = Client(headers={"host": "localhost"}).get(path)
            assert response.status_code == 303
            assert response["Location"].startswith("/account/login/?next=")


def test_a_role_is_granted_on_pages_by_two(venue: Clock) -> None:
    login = named("olga@example.org", "Olga")
    eve, fay = Browser("eve@example.org"), Browser("fay@example.org")
    sent = eve.post(f"/venue/people/{login.id}/grant", **{"grant-role": "desk"})
    assert sent.status_code == 303
    where = sent["Location"]
    assert "waits for another admin" in text_of(fay.get("/venue/changes"))
    own = eve.post(where, answer="approve")
    assert (own.status_code, "same_person" in text_of(own)) == (422, True)
    assert fay.post(where, answer="approve").status_code == 303
    assert models.Grant.objects.get(login=login).role == "desk"
    shown = text_of(eve.get(f"/venue/people/{login.id}"))
    assert "Eve Example (eve@example.org)" in shown
    assert "Fay Example (fay@example.org)" in shown
    assert list(derived.findings()) == []


def test_the_person_a_login_says_it_is_of_is_chosen_unless_another_one_is(venue: Clock) -> None:
    login = signed_up("ray@example.org")
    page = text_of(Browser("eve@example.org").get(f"/venue/people/{login.id}"))
    [select] = re.findall(r'<select name="name-person".*?</select>', page, re.DOTALL)
    assert re.findall(r'value="([^"]*)" selected', select) == [login.person_id]


def test_a_decision_asks_for_the_second_factor(venue: Clock) -> None:
    login = named("olga@example.org", "Olga")
    change = changes.propose(acting("eve@example.org"), "grant", login=login, details={"role": Role.DESK})
    fay = Browser("fay@example.org", has_stepped_up=False)
    for response in (
        fay.get(f"/venue/changes/{change.id}"),
        fay.post(f"/venue/changes/{change.id}", answer="approve"),
    ):
        assert response.status_code == 303
        assert response["Location"].startswith("/account/2fa/reauthenticate/")
    assert changes.undecided() == [change]


def test_what_the_rules_refuse_stands_above_the_form(venue: Clock) -> None:
    login = login_of("pat@example.org")
    response = Browser("eve@example.org").post(f"/venue/people/{login.id}/grant", **{"grant-role": "admin"})
    assert response.status_code == 422
    assert "linked to a participant" in text_of(response)
    assert changes.undecided() == []


@pytest.mark.parametrize("kind", ["admit", "promote"])
def test_a_kind_that_a_login_does_not_have_is_missing(venue: Clock, kind: str) -> None:
    number = login_of("pat@example.org").id
    assert Browser("eve@example.org").post(f"/venue/people/{number}/{kind}").status_code == 404


def test_a_company_applies_is_admitted_and_suspended_on_pages(venue: Clock) -> None:
    signed_up("ray@example.org")
    eve, fay, ray = (Browser(f"{name}@example.org") for name in ("eve", "fay", "ray"))
    assert "/venue/apply" in text_of(ray.get("/venue/"))
    wrong = ray.post("/venue/apply", legal_name="Third Ltd", lei="1", contact=CANARY)
    assert (wrong.status_code, "check digits" in text_of(wrong)) == (422, True)
    sent = ray.post("/venue/apply", legal_name="Third Ltd", lei="5493 001kjtiigc8y1r12", contact=CANARY)
    assert sent.status_code == 303
    assert "two people of the venue look at it" in text_of(ray.get("/venue/apply"))
    found = models.Organisation.objects.get(legal_name="Third Ltd")
    at = f"/venue/organisations/{found.id}"
    fields = {"credit_class": "B", "accepts": "A, B", "known_until": "2027-06-01", "group_name": "Owners"}
    admit = eve.post(f"{at}/admit", **{f"admit-{name}": value for name, value in fields.items()})
    assert fay.post(admit["Location"], answer="approve").status_code == 303
    suspend = fay.post(f"{at}/suspend", **{"suspend-reason": "papers are missing"})
    assert eve.post(suspend["Location"], answer="approve").status_code == 303
    shown = text_of(eve.get(at))
    assert "admitted, suspended; may not trade today" in shown
    assert 'name="admit-known_until" value="2027-06-01"' in shown, "a renewal begins with what is"
    assert "papers are missing" in text_of(eve.get(suspend["Location"]))
    found.refresh_from_db()
    assert (found.credit_class, found.accepts, found.is_suspended) == ("B", ["A", "B"], True)


def test_a_participant_edits_lists_and_replaces_its_contact(venue: Clock) -> None:
    pat = Browser("pat@example.org")
    sent = pat.post("/venue/organisation/lists", allowed="", blocked="Second Ltd\n\nThird Ltd\n")
    assert sent.status_code == 303
    assert models.Organisation.objects.get().blocked == ["Second Ltd", "Third Ltd"]
    assert "Second Ltd\nThird Ltd" in text_of(pat.get("/venue/organisation"))
    assert CANARY in text_of(pat.get("/venue/organisation/contact"))
    assert pat.post("/venue/organisation/contact", contact="Pat, new desk").status_code == 303
    assert "Pat, new desk" in text_of(pat.get("/venue/organisation/contact"))
    assert pat.post("/venue/organisation/contact", withdraw="1").status_code == 303
    assert "nothing can be submitted without one" in text_of(pat.get("/venue/organisation"))


def test_a_participant_sees_who_opened_its_contact_and_an_admin_not_why(venue: Clock) -> None:
    granted(named("tess@example.org", "Tess"), Role.TREASURY)
    found = contacts.current(acting("pat@example.org").party)
    assert found is not None
    contacts.open_contact(acting("tess@example.org"), found.id, "margin of May is overdue")
    assert "margin of May is overdue" in text_of(Browser("pat@example.org").get("/venue/organisation"))
    log = text_of(Browser("eve@example.org").get("/venue/audit/accounts"))
    assert "contact.opened" in log
    assert "margin of May" not in log


def test_a_key_is_shown_once(venue: Clock) -> None:
    pat = Browser("pat@example.org")
    made = pat.post("/venue/keys", name="bot", scopes=["read", "requests"], days="30")
    shown = re.search(r"mtok_[\w-]{43}", text_of(made))
    assert shown is not None
    assert made["Cache-Control"] == "no-store"
    again = text_of(pat.get("/venue/keys"))
    assert shown.group() not in again
    assert shown.group()[:12] in again
    assert pat.post("/venue/keys", end=models.ApiKey.objects.get().id).status_code == 303
    assert "None." in text_of(pat.get("/venue/keys"))


def test_keys_and_contacts_ask_for_the_second_factor(venue: Clock) -> None:
    pat = Browser("pat@example.org", has_stepped_up=False)
    for path in ("/venue/keys", "/venue/organisation/contact"):
        assert pat.get(path).status_code == 303
        assert pat.post(path, name="bot", scopes="read", days="30", withdraw="1").status_code == 303
    assert not models.ApiKey.objects.exists()
    assert contacts.own_contact(acting("pat@example.org")) is not None


def test_a_contact_stands_on_no_page_but_its_participants(venue: Clock) -> None:
    """Every page of admins, and of every other role, with everything there is to see."""
    granted(named("olga@example.org", "Olga"), Role.AUDITOR)
    listed = [
        *paths(login_of("pat@example.org").id)["admin"],
        "/venue/audit/accounts",
        "/venue/",
        "/account/",
    ]
    pages = [text_of(Browser(f"{name}@example.org").get(path)) for name in ("eve", "olga") for path in listed]
    assert sum("Example Ltd" in page for page in pages) >= 2, "the search finds what is there"
    assert not [page for page in pages if "Canary" in page or "555 0100" in page]
    refused = Browser("pat@example.org").post("/venue/organisation/contact", contact="x\x00" + CANARY)
    assert refused.status_code == 422


def test_pages_need_no_script_and_no_style_of_their_own(venue: Clock) -> None:
    for name, listed in (("eve", "admin"), ("pat", "participant")):
        for path in paths(login_of("pat@example.org").id)[listed]:
            page = Browser(f"{name}@example.org").get(path).content.decode()
            assert "<script" not in page
            assert " style=" not in page
            assert "<style" not in page
            assert "Paper contracts" in page


def test_a_founding_admin_comes_in_by_the_link_once(venue: Clock) -> None:
    """The link sets a password, once; whoever sends it again, or another one, is told that it is of no use."""
    from django.test import Client

    login = login_of("eve@example.org")
    link = founding.entrance(login)
    assert [one.email for one in founding.not_yet_in()] == ["eve@example.org", "fay@example.org"]
    client = Client(headers={"host": "localhost"})
    opened = client.get(link, follow=True)
    where, words = opened.request["PATH_INFO"], "correct horse battery staple"
    sent = client.post(where, {"password1": words, "password2": words})
    assert sent.status_code == 302
    login.refresh_from_db()
    assert login.check_password(words)
    assert [one.email for one in founding.not_yet_in()] == ["fay@example.org"]
    other = Client(headers={"host": "localhost"})
    refused = other.get(link, follow=True)
    assert 'name="password1"' not in text_of(refused)
    signed_in = other.post("/account/login/", {"login": "Eve@example.org", "password": words}, follow=True)
    assert "/account/2fa/" in text_of(signed_in) or "second factor" in text_of(signed_in)
