"""The pages of marks as those see them who work with them: plain forms, no number typed, nothing for strangers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import people
from marked import SERIES, MarkedVenue, agreed, marked_venue, month_window
from mtok.market.margin import Side
from mtok.market.proposals import Nonces
from mtok.settlement.people import Role
from test_venue_marks import restated
from test_venue_trading import published, submitted

FIRST, SECOND, THIRD = "2026-02-26", "2026-02-27", "2026-02-28"
PAGE = f"/venue/marks/{{}}/1.0/{SERIES}"


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[MarkedVenue]:
    """A venue without a contract."""
    prices = {FIRST: "12.3", SECOND: "12.4", THIRD: None}
    with marked_venue(tmp_path / "venue", prices, f"{FIRST} 12:00:00") as venue:
        yield venue


@pytest.fixture
def venue(bare: MarkedVenue) -> MarkedVenue:
    """A venue with one contract."""
    bare.book(agreed(month_window("2026-03-01", "2026-03-31")))
    return bare


def browser(venue: MarkedVenue, name: str, *, stepped_up: bool = True) -> Any:
    """Return the browser of somebody who is signed in and has a second factor, shown a moment ago."""
    from allauth.mfa.models import Authenticator
    from django.test import Client

    from mtok.venue.accounts import asking
    from mtok.venue.accounts.models import Login

    login = Login.objects.get(pk=venue.people[name].login)
    Authenticator.objects.get_or_create(
        user=login, type=Authenticator.Type.TOTP, defaults={"data": {"secret": "x"}}
    )
    client = Client(headers={"host": "localhost"})
    client.force_login(login)
    session = client.session
    session[asking.STEPPED_UP] = {"login": login.pk, "at": venue.clock() if stepped_up else 0}
    session.save()
    return client


def seen(client: Any, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200, response.content.decode()[:500]
    return re.sub(r"\s+", " ", response.content.decode())


def sent(client: Any, date: str, command: str, **fields: Any) -> str:
    """Send a form, with the digest of what its page shows, and return the page it leads to."""
    if "digest" not in fields and (
        found := re.search(r'name="digest" value="(\w+)"', seen(client, PAGE.format(date)))
    ):
        fields["digest"] = found[1]
    response = client.post(f"{PAGE.format(date)}/give", {"command": command, **fields}, follow=True)
    assert [code for _, code in response.redirect_chain] == [303]
    return re.sub(r"\s+", " ", response.content.decode())


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]+)"', page)
    assert found, page
    return found[1]


def test_a_mark_is_made_by_two_on_the_pages(venue: MarkedVenue) -> None:
    venue.print(FIRST)
    anna, bert = browser(venue, "preparer"), browser(venue, "approver")
    assert "1 waits for somebody" in seen(anna, "/venue/marks")
    page = seen(anna, PAGE.format(FIRST))
    assert "Make it again and propose it" in page
    assert f'href="/series/{SERIES}/{FIRST}/0"' in page
    assert "12.300000" in page
    assert "Make it again" not in seen(bert, PAGE.format(FIRST))
    assert "Another person has to approve it" in sent(anna, FIRST, "prepare")
    assert "Approve exactly this" not in seen(anna, PAGE.format(FIRST))
    page = seen(bert, PAGE.format(FIRST))
    page = sent(bert, FIRST, "approve", digest=hidden(page, "digest"))
    assert "The mark is approved" in page
    venue.tick()
    page = seen(bert, PAGE.format(FIRST))
    assert "Anna" in page
    assert "Nothing waits for anybody" in seen(bert, "/venue/marks")
    venue.print(SECOND)
    sent(browser(venue, "preparer"), SECOND, "prepare")
    assert ">12.300000</a>, −0.100000 (−0.81" in seen(browser(venue, "approver"), PAGE.format(SECOND))
    assert "+0.100000 (+0.81" in seen(browser(venue, "approver"), PAGE.format(SECOND)).replace(" ", " ")


def test_a_form_is_of_the_mark_that_its_page_has_shown(venue: MarkedVenue) -> None:
    from mtok.venue.otc import marking

    venue.print(FIRST)
    made = venue.prepared(FIRST)
    shown = made.mark.digest
    marking.hold(venue.who("preparer"), made.id, "Wait.")
    marking.release(venue.who("preparer"), made.id, "It is right.", ("ab" * 32,))
    for command in ("approve", "reject"):
        page = sent(browser(venue, "approver"), FIRST, command, digest=shown, reason="No.")
        assert "The mark is not what the page has shown any more" in page
    assert venue.mark(FIRST).mark.state == "proposed"


def test_who_has_a_passkey_alone_is_led_to_it(venue: MarkedVenue) -> None:
    from allauth.mfa.models import Authenticator

    venue.print(FIRST)
    venue.prepared(FIRST)
    late = browser(venue, "approver", stepped_up=False)
    Authenticator.objects.update(type=Authenticator.Type.WEBAUTHN, data={"name": "x"})
    assert "/account/2fa/webauthn/reauthenticate/?next=%2Fvenue%2Fmarks%2F" in seen(late, PAGE.format(FIRST))


def test_approving_takes_the_second_factor(venue: MarkedVenue) -> None:
    venue.print(FIRST)
    made = venue.prepared(FIRST)
    late = browser(venue, "approver", stepped_up=False)
    page = seen(late, PAGE.format(FIRST))
    assert "Approve exactly this" not in page
    assert "/account/2fa/reauthenticate/?next=%2Fvenue%2Fmarks%2F" in page
    assert "The second factor was not shown" in sent(late, FIRST, "approve", digest=made.mark.digest)
    assert venue.mark(FIRST).mark.state == "proposed"


def test_a_held_mark_goes_on_with_evidence(venue: MarkedVenue, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile

    from mtok.canonical import sha256_hex
    from mtok.venue.otc import marking

    monkeypatch.setattr(marking, "recomputed", lambda *_: None)
    venue.print(FIRST)
    anna = browser(venue, "preparer")
    assert "No fresh process has made the value again" in sent(anna, FIRST, "prepare")
    assert "Evidence: This field is required" in sent(anna, FIRST, "release", reason="Right.")
    file = SimpleUploadedFile("page.html", b"the page")
    sent(anna, FIRST, "release", reason="It is\r\nright.", evidence=file)
    [reason] = venue.mark(FIRST).mark.reasons
    assert (reason.text, reason.evidence) == ("It is right.", (sha256_hex(b"the page"),))
    sent(anna, FIRST, "hold", reason="Wait.")
    assert venue.mark(FIRST).mark.state == "held"


def test_two_operators_correct_on_the_pages(venue: MarkedVenue) -> None:
    venue.print(FIRST)
    venue.approved(FIRST)
    venue.tick()
    index = restated(venue, FIRST, "12.7")
    cleo, dora = browser(venue, "desk"), browser(venue, "treasury")
    page = seen(cleo, PAGE.format(FIRST))
    assert f'type="radio" name="source" value="{index}"' in page
    assert "has to confirm it" in sent(cleo, FIRST, "correct", source=index, reason="Read wrongly.")
    assert "It takes two different persons" in sent(
        cleo,
        FIRST,
        "confirm",
        intention=hidden(seen(cleo, PAGE.format(FIRST)), "intention"),
        digest=hidden(seen(cleo, PAGE.format(FIRST)), "digest"),
    )
    page = seen(dora, PAGE.format(FIRST))
    assert "Read wrongly." in page
    page = sent(dora, FIRST, "confirm", intention=hidden(page, "intention"), digest=hidden(page, "digest"))
    assert "Confirmed and done" in page
    assert "Cleo and Dora" in page
    assert venue.mark(FIRST).mark.state == "corrected"


def test_where_nothing_stands_two_operators_name_a_published_value(venue: MarkedVenue) -> None:
    """The day has no value, its parties have not agreed, and the last reviewed mark is too old to be carried."""
    venue.print(FIRST)
    venue.print(SECOND)
    venue.print(THIRD)
    venue.go("2026-03-20 12:00:00")
    anna = browser(venue, "preparer")
    page = seen(anna, PAGE.format(THIRD))
    assert "It is left to two operators" in page
    [first, *_] = re.findall(r'type="radio" name="source" value="(\d+)"', page)
    assert "a decision of level F5" not in sent(anna, THIRD, "decide", source=first, reason="The day before.")
    assert (venue.mark(THIRD).mark.level, venue.mark(THIRD).mark.value) == ("F5", 12_400_000)


def test_no_form_takes_a_number(venue: MarkedVenue) -> None:
    venue.print(FIRST)
    pages = [seen(browser(venue, "preparer"), PAGE.format(FIRST))]
    venue.prepared(FIRST)
    pages += [seen(browser(venue, name), PAGE.format(FIRST)) for name in ("preparer", "approver", "desk")]
    for page in pages:
        types = set(re.findall(r'<input[^>]*type="(\w+)"', page))
        assert types <= {"hidden", "radio", "file"}, types
        assert 'style="' not in page
        assert "<script" not in page.split("<main")[1].split("</main")[0]


@pytest.mark.parametrize("name", ["buyer", "admin"])
def test_who_has_no_business_with_marks_is_told_nothing(venue: MarkedVenue, name: str) -> None:
    client = browser(venue, name)
    for address in ("/venue/marks", PAGE.format(FIRST)):
        assert client.get(address).status_code == 404
    assert client.post(f"{PAGE.format(FIRST)}/give", {"command": "prepare"}).status_code == 404


def test_an_auditor_reads_and_gives_nothing(venue: MarkedVenue) -> None:
    venue.print(FIRST)
    client = browser(venue, "auditor")
    assert "<form" not in seen(client, PAGE.format(FIRST)).split("<main")[1]
    assert client.post(f"{PAGE.format(FIRST)}/give", {"command": "prepare"}).status_code == 404


def test_a_forged_form_is_refused(venue: MarkedVenue) -> None:
    from django.test import Client

    venue.print(FIRST)
    known = browser(venue, "preparer")
    strict = Client(enforce_csrf_checks=True, headers={"host": "localhost"})
    strict.cookies = known.cookies
    assert strict.post(f"{PAGE.format(FIRST)}/give", {"command": "prepare"}).status_code == 403


@pytest.mark.parametrize(
    "address",
    ["2026-13-01/1.0/openai", "2026-02-26/9.9/openai", "2036-02-26/1.0/openai", "2026-02-26/1.0/model:a/b/c"],
)
def test_an_address_of_no_day_is_no_page(venue: MarkedVenue, address: str) -> None:
    assert browser(venue, "desk").get(f"/venue/marks/{address}").status_code in (400, 404)


def test_a_person_who_did_it_is_named_and_a_party_is_not(venue: MarkedVenue) -> None:
    from mtok.venue.otc import marking

    venue.print(FIRST)
    made = venue.approved(FIRST)
    venue.tick()
    marking.dispute(venue.who("buyer"), made.id, 12_000_000, "Too dear.", ("ab" * 32,))
    venue.people["gina"] = people.person("Gina", Role.DESK)
    page = seen(browser(venue, "gina"), PAGE.format(FIRST))
    assert "a party" in page
    assert "Alder" not in page
    assert "Emil" not in page
    assert "12.000000 to be right" in page
    assert "−0.300000" in page


def traded(venue: MarkedVenue, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let the two participants trade, from a request to approved terms; return the id of their contract."""
    from mtok.venue.otc import clockwork, trading

    published(monkeypatch)
    for who, name, side in (("buyer", "b", Side.BUY), ("seller", "s", Side.SELL)):
        submitted(venue.who(who), name, side)
        trading.give(venue.who("desk"), "request", "accept", name)
    venue.go(f"{FIRST} 15:01:00")
    clockwork.make_runs(venue.clock())
    [pair] = trading.all_open(venue.who("desk"), Role.DESK)["proposal"]
    nonces = Nonces(buyer="01" * 32, seller="02" * 32)
    trading.give(venue.who("desk"), "proposal", "send", pair["id"], nonces)
    for who in ("buyer", "seller"):
        [terms] = trading.own(venue.who(who))["proposal"]
        trading.give(venue.who(who), "proposal", "approve", pair["id"], terms["terms_sha256"])
    return str(pair["id"])


def test_a_party_sees_the_marks_in_the_log_and_disputes_one(
    bare: MarkedVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = f"/venue/contracts/{traded(bare, monkeypatch)}/marks"
    bare.print(FIRST)
    bare.approved(FIRST)
    emil = browser(bare, "buyer")
    assert "No mark of this contract’s days is in the log yet" in seen(emil, marks)
    bare.tick()
    page = seen(emil, marks)
    address = f"{marks.removesuffix('/marks')}/dispute?date={FIRST}"
    assert address in page
    assert "12.300000" in page
    for name in ("Anna", "Bert", bare.people["preparer"].person):
        assert name not in page
    assert FIRST in seen(emil, address)
    fields = {"date": FIRST, "price": "12.2", "reason": "Too dear.", "evidence": file_of(b"the page")}
    assert emil.post(address, fields | {"price": "12.x"}).status_code == 422
    assert emil.post(address, fields, follow=True).status_code == 200
    raised = bare.mark(FIRST).mark.dispute
    assert (raised.own_value, raised.reason.text) == (12_200_000, "Too dear.")
    assert address not in seen(emil, marks)


def file_of(content: bytes) -> Any:
    from django.core.files.uploadedfile import SimpleUploadedFile

    return SimpleUploadedFile("page.html", content)


def test_marks_of_a_contract_of_others_are_as_if_missing(venue: MarkedVenue) -> None:
    venue.people["carol"] = people.person(
        "Carol",
        Role.PARTICIPANT_USER,
        Role.PARTICIPANT_APPROVER,
        organisation=people.organisation("Cedar", people.LEIS[2]),
    )
    venue.print(FIRST)
    venue.approved(FIRST)
    venue.tick()
    carol = browser(venue, "carol")
    for page in ("marks", "dispute"):
        ours, none = (carol.get(f"/venue/contracts/{name}/{page}") for name in ("c1", "c9"))
        assert (ours.status_code, none.status_code) == (404, 404)
        token = rb'name="csrfmiddlewaretoken" value="\w+"'
        texts = [re.sub(token, b"", one.content) for one in (ours, none)]
        assert texts[0].replace(b"c1", b"c9") == texts[1]
