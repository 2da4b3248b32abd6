"""The desk's pages: who is let in, screening, from the run to terms, two persons who suspend, texts that attack."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import operated
import people
import venues
from mtok.market.margin import Side
from mtok.settlement.machines import Refused
from mtok.settlement.people import OPERATORS, Role
from operated import BOTH, RUN, client, form_of, submitted, text_of, words_of

HOSTILE = "<script>alert(1)</script> & \"'=cmd|' /C calc'!A0"


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[venues.Clock]:
    with operated.market(tmp_path / "venue.sqlite3", monkeypatch) as clock:
        yield clock


def sides() -> tuple[Any, Any]:
    """Make a buyer and a seller who have submitted requests alike."""
    buyer = people.person("Buyer", *BOTH, organisation=people.organisation("Alder & Sons"))
    seller = people.person("Seller", *BOTH, organisation=people.organisation("Birch", people.LEIS[1]))
    submitted(buyer, "b", Side.BUY)
    submitted(seller, "s", Side.SELL)
    return buyer, seller


def with_candidate(clock: venues.Clock) -> tuple[Any, Any, Any, str]:
    """Make two requests that the desk accepts and the run matches; return the desk and the id of the candidate."""
    from mtok.venue.otc import clockwork, trading

    buyer, seller = sides()
    desk = people.person("Desk", Role.DESK)
    for name in ("b", "s"):
        trading.give(desk, "request", "accept", name)
    clock.instant = RUN + 60_000_000
    clockwork.make_runs(clock())
    [pair] = trading.all_open(desk, Role.DESK)["proposal"]
    return buyer, seller, desk, pair["id"]


PAGES = {
    Role.DESK: ("desk/", "desk/book", "desk/runs", "desk/proposals", "desk/conduct", "desk/requests/b"),
    Role.TREASURY: ("treasury/", "treasury/obligations", "treasury/disruptions"),
    Role.AUDITOR: (
        "audit/",
        "audit/log.csv",
        "audit/log.jsonl",
        "audit/requests",
        "audit/requests/b",
        "audit/proposals",
        "audit/contracts",
        "audit/runs",
        "audit/said",
        "audit/disruptions",
        "audit/accounts",
    ),
}


@pytest.mark.parametrize("role", [*PAGES, Role.ADMIN, Role.MARK_PREPARER, *BOTH])
def test_every_page_is_for_its_roles_alone(clock: venues.Clock, role: Role) -> None:
    sides()
    organisation = people.organisation("Cedar", people.LEIS[2]) if role in BOTH else None
    who = client(people.person("Somebody", role, organisation=organisation), clock())
    for owner, addresses in PAGES.items():
        for address in addresses:
            may = role == owner or (address == "audit/accounts" and role == Role.ADMIN)
            answer = who.get(f"/venue/{address}")
            assert answer.status_code == (200 if may else 404), f"{role} at {address}"
            if not may:
                assert "page_unknown" in text_of(answer)


def _is_of_operators(one: Any) -> bool:
    return getattr(getattr(one, "urlconf_name", None), "__name__", "") == "mtok.venue.operators.urls"


def roles_of(name: str) -> set[Role]:
    """Return whose an address is, by its name; written here by hand, so that a new one has to be thought about."""
    if name == "mark_command":
        return set(OPERATORS)
    if name in ("operators_notices", "operators_notice", "marks", "mark_day"):
        return {*OPERATORS, Role.AUDITOR}
    if name == "operators_confirm":
        return {Role.DESK, Role.TREASURY}
    if name == "audit_accounts":
        return {Role.AUDITOR, Role.ADMIN}
    return {{"desk": Role.DESK, "treasury": Role.TREASURY, "audit": Role.AUDITOR}[name.partition("_")[0]]}


@pytest.mark.parametrize("role", [role for role in Role if role not in (Role.SYSTEM, Role.PUBLISHER)])
def test_to_whom_an_address_is_not_it_is_as_if_missing(clock: venues.Clock, role: Role) -> None:
    """Every route, asked for and sent to, of an object that is there: the same answer as of no address at all."""
    from django.urls import reverse

    from mtok.venue import urls_venue

    [urlpatterns] = [one.url_patterns for one in urls_venue.urlpatterns if _is_of_operators(one)]

    sides()
    organisation = people.organisation("Cedar", people.LEIS[2]) if role in BOTH else None
    who = client(people.person("Somebody", role, organisation=organisation), clock())
    usual = {
        "identity": "b",
        "command": "accept",
        "kind": "request",
        "date": "2026-06-20",
        "methodology": "1.0",
        "reference": "openai",
    }
    for route in urlpatterns:
        needed = route.pattern.regex.groupindex
        address = reverse(route.name, kwargs={name: usual[name] for name in needed})
        if role in roles_of(route.name):
            assert who.get(address).status_code in (200, 303, 404, 405), f"{role} at {address}"
            continue
        missing = who.get("/venue/nothing-of-the-kind")
        for answer in (who.get(address), who.post(address, {})):
            assert answer.status_code == missing.status_code == 404, f"{role} at {address}"
            said, usual_said = (text_of(one).partition("<h1>")[2] for one in (answer, missing))
            assert said.replace(address, "") == usual_said.replace("/venue/nothing-of-the-kind", "")


def test_a_stranger_is_sent_to_sign_in(clock: venues.Clock) -> None:
    from django.test import Client

    for addresses in PAGES.values():
        for address in addresses:
            answer = Client(headers={"host": "localhost"}).get(f"/venue/{address}")
            assert answer.status_code == 303
            assert answer["Location"].startswith("/account/login/?next=")


def test_the_desk_screens(clock: venues.Clock) -> None:
    from mtok.venue.otc import trading

    buyer, _ = sides()
    desk = client(people.person("Desk", Role.DESK), clock())
    assert words_of(desk.get("/venue/desk/")).count("12.345600") == 2
    page = desk.get("/venue/desk/requests/b")
    form = form_of(page, "/accept")
    answer = desk.post("/venue/desk/requests/b/accept", form)
    assert (answer.status_code, answer["Location"]) == (303, "/venue/desk/requests/b")
    assert trading.own(buyer)["request"][0]["state"] == "live"
    again = desk.post("/venue/desk/requests/b/accept", form)
    assert again.status_code == 409
    assert "it is live now" in words_of(again)
    assert 'href="/venue/desk/requests/b"' in text_of(again)


def test_a_rejection_needs_a_reason_and_is_as_it_was_written(clock: venues.Clock) -> None:
    from mtok.venue.otc import trading

    buyer, _ = sides()
    desk = client(people.person("Desk", Role.DESK), clock())
    form = form_of(desk.get("/venue/desk/requests/b"), "/reject")
    assert desk.post("/venue/desk/requests/b/reject", form | {"reason": "  "}).status_code == 422
    answer = desk.post("/venue/desk/requests/b/reject", form | {"reason": HOSTILE})
    assert (answer.status_code, answer["Location"]) == (303, "/venue/desk/")
    [seen] = trading.own(buyer)["request"]
    assert (seen["state"], seen["reason"]) == ("rejected", HOSTILE)
    assert desk.get("/venue/desk/requests/b").status_code == 404


def test_a_form_of_what_has_changed_does_nothing(clock: venues.Clock) -> None:
    from mtok.venue.otc import trading

    sides()
    people_of_desk = [people.person(name, Role.DESK) for name in ("Desk", "Night")]
    first, second = (client(one, clock()) for one in people_of_desk)
    stale = form_of(first.get("/venue/desk/requests/b"), "/reject")
    second.post("/venue/desk/requests/b/accept", form_of(second.get("/venue/desk/requests/b"), "/accept"))
    second.post("/venue/desk/requests/b/pause", form_of(second.get("/venue/desk/requests/b"), "/pause"))
    answer = first.post("/venue/desk/requests/b/resume", stale)
    assert answer.status_code == 409
    assert "page_stale" in text_of(answer)
    assert trading.seen(people_of_desk[0], "request", "b", Role.DESK)["state"] == "paused"


def test_the_book_shows_what_the_reveal_table_gives(clock: venues.Clock) -> None:
    from mtok.venue.otc import trading

    buyer, _ = sides()
    desk = people.person("Desk", Role.DESK)
    for name in ("b", "s"):
        trading.give(desk, "request", "accept", name)
    for address in ("desk/book", "desk/requests/b", "desk/"):
        page = text_of(client(desk, clock()).get(f"/venue/{address}"))
        for hidden in ("Alder", "Birch", "firm_until", "19 Jul 2026", "@example.com</td>"):
            assert hidden not in page
    assert buyer.party in text_of(client(desk, clock()).get("/venue/desk/book"))


def test_from_the_run_to_terms(clock: venues.Clock) -> None:
    from mtok.venue.otc import trading

    buyer, _, who, pair = with_candidate(clock)
    desk = client(who, clock())
    assert "The slot of the run of 23 Jun 2026 15:00:00 UTC is open for another 59 min" in words_of(
        desk.get("/venue/desk/")
    )
    assert pair in text_of(desk.get("/venue/desk/proposals"))
    assert trading.own(buyer)["proposal"] == []
    form = form_of(desk.get(f"/venue/desk/proposals/{pair}"), "/send")
    assert desk.post(f"/venue/desk/proposals/{pair}/send", form).status_code == 303
    [terms] = trading.own(buyer)["proposal"]
    assert terms["shown_state"] == "terms"
    page = desk.get(f"/venue/desk/proposals/{pair}")
    assert terms["terms_sha256"] in text_of(page)
    assert "Alder" not in text_of(page)
    assert desk.post(f"/venue/desk/proposals/{pair}/send", form).status_code == 409


def test_two_sends_have_different_nonces(clock: venues.Clock) -> None:
    """A commitment with a nonce that can be guessed hides no name."""
    from mtok.venue.database.models import Event

    _, _, who, pair = with_candidate(clock)
    desk = client(who, clock())
    desk.post(
        f"/venue/desk/proposals/{pair}/send", form_of(desk.get(f"/venue/desk/proposals/{pair}"), "/send")
    )
    said = json.loads(Event.objects.get(kind="proposal", command="proposal.send").details)
    assert said["buyer"] != said["seller"]
    assert all(len(bytes.fromhex(nonce)) == 32 for nonce in said.values())


def test_a_candidate_that_is_dropped_is_never_heard_of(clock: venues.Clock) -> None:
    from mtok.venue.otc import trading

    buyer, _, who, pair = with_candidate(clock)
    desk = client(who, clock())
    form = form_of(desk.get(f"/venue/desk/proposals/{pair}"), "/drop")
    assert desk.post(f"/venue/desk/proposals/{pair}/drop", form).status_code == 303
    assert trading.own(buyer)["proposal"] == []
    assert "Nothing can be done with it any more." in words_of(desk.get(f"/venue/desk/proposals/{pair}"))


def test_a_run_is_shown_by_its_digests(clock: venues.Clock) -> None:
    from mtok.canonical import sha256_hex
    from mtok.venue.database import runs

    *_, who, _ = with_candidate(clock)
    page = text_of(client(who, clock()).get("/venue/desk/runs"))
    [run, _] = runs.last_runs(0, 2)
    assert run.at == RUN
    assert sha256_hex(run.inputs.encode()) in page
    assert sha256_hex(run.outputs.encode()) in page
    assert '<td class="n">1</td>' in page
    assert "no run: the venue began then" in page


def test_two_persons_suspend(clock: venues.Clock) -> None:
    from mtok.venue.otc import trading

    buyer, _ = sides()
    one, other = people.person("Ann", Role.DESK), people.person("Bob", Role.DESK)
    first, second = client(one, clock()), client(other, clock())
    form = form_of(first.get("/venue/desk/requests/b"), "/suspend")
    answer = first.post("/venue/desk/requests/b/suspend", form | {"reason": HOSTILE})
    assert answer.status_code == 303
    assert trading.own(buyer)["request"][0]["state"] == "submitted"
    link = text_of(second.get("/venue/desk/requests/b")).partition("/venue/desk/said/")[2].partition('"')[0]
    address = f"/venue/desk/said/{link}"
    page = second.get(address)
    assert HOSTILE in words_of(page)
    assert "<script>alert" not in text_of(page)
    assert "Ann, desk" in words_of(page)
    assert "22 Jun 2026 12:00:00 UTC" in words_of(page)
    assert "It is submitted now and will be suspended." in words_of(page)
    own = first.get(address)
    assert "somebody else has to confirm it" in words_of(own)
    refused = first.post(address, {"digest": form_of(page)["digest"]})
    assert (refused.status_code, "same_person" in text_of(refused)) == (409, True)
    assert second.post(address, {"digest": "0" * 64}).status_code == 409
    assert second.post(address, {"digest": form_of(page)["digest"]}).status_code == 303
    [seen] = trading.own(buyer)["request"]
    assert (seen["state"], seen["reason"]) == ("suspended", HOSTILE)
    assert second.post(address, {"digest": form_of(page)["digest"]}).status_code == 409


def test_what_was_said_can_be_taken_back_by_whoever_said_it(clock: venues.Clock) -> None:
    from mtok.venue.otc import trading

    sides()
    one, other = people.person("Ann", Role.DESK), people.person("Bob", Role.DESK)
    said = trading.intend(one, "request", "suspend", "b", "abuse")
    address = f"/venue/desk/said/{said.pk}"
    assert client(other, clock()).post(address, {"withdraw": "1"}).status_code == 404
    assert client(one, clock()).post(address, {"withdraw": "1"}).status_code == 303
    with pytest.raises(Refused) as refused:
        trading.confirm(other, said.pk, said.digest, "abuse")
    assert refused.value.code == "intention_stale"


def test_two_persons_need_a_second_factor_just_shown(clock: venues.Clock) -> None:
    from allauth.mfa.models import Authenticator

    from mtok.venue.database.models import Intention

    sides()
    desk = client(people.person("Ann", Role.DESK), clock() - 301 * 1_000_000)
    form = form_of(desk.get("/venue/desk/requests/b"), "/suspend")
    answer = desk.post("/venue/desk/requests/b/suspend", form | {"reason": "abuse"})
    assert answer.status_code == 303
    assert answer["Location"] == "/account/2fa/reauthenticate/?next=%2Fvenue%2Fdesk%2Frequests%2Fb"
    Authenticator.objects.update(type=Authenticator.Type.WEBAUTHN, data={"name": "x"})
    answer = desk.post("/venue/desk/requests/b/suspend", form | {"reason": "abuse"})
    assert answer["Location"] == "/account/2fa/webauthn/reauthenticate/?next=%2Fvenue%2Fdesk%2Frequests%2Fb"
    assert not Intention.objects.exists()


def test_terms_are_amended_when_both_sides_have_asked(clock: venues.Clock) -> None:
    from mtok.venue.otc import amending, trading
    from mtok.venue.otc.amending import Wanted

    buyer, seller, who, pair = with_candidate(clock)
    desk = client(who, clock())
    desk.post(
        f"/venue/desk/proposals/{pair}/send", form_of(desk.get(f"/venue/desk/proposals/{pair}"), "/send")
    )
    [terms] = trading.own(buyer)["proposal"]
    wanted = Wanted(price=operated.PRICE, lots=20, terms_sha256=terms["terms_sha256"])
    other = Wanted(price=operated.PRICE, lots=21, terms_sha256=terms["terms_sha256"])
    amending.ask(buyer, pair, other)
    amending.ask(buyer, pair, wanted)
    page = desk.get(f"/venue/desk/proposals/{pair}")
    assert "one side" in words_of(page)
    assert "21" not in [cell.strip() for cell in words_of(page).split()]
    with pytest.raises(Refused) as refused:
        amending.amend(who, pair, wanted)
    assert refused.value.code == "not_asked"
    amending.ask(seller, pair, wanted)
    assert trading.own(seller)["proposal"][0]["terms_sha256"] == terms["terms_sha256"]
    page = desk.get(f"/venue/desk/proposals/{pair}")
    answer = desk.post(f"/venue/desk/proposals/{pair}/amend", form_of(page, "/amend"))
    assert answer.status_code == 303
    [after] = trading.own(buyer)["proposal"]
    assert json.loads(after["terms"])["lots"] in (20, "20")
    assert amending.asked(pair) == []


def test_an_amendment_is_asked_for_by_who_may_decline(clock: venues.Clock) -> None:
    from mtok.venue.otc import amending, trading
    from mtok.venue.otc.amending import Wanted

    buyer, _, who, pair = with_candidate(clock)
    wanted = Wanted(price=operated.PRICE, lots=20, terms_sha256="0" * 64)
    with pytest.raises(Refused) as refused:
        amending.ask(buyer, pair, wanted)
    assert refused.value.code == "not_found", "of a candidate nobody knows"
    desk = client(who, clock())
    desk.post(
        f"/venue/desk/proposals/{pair}/send", form_of(desk.get(f"/venue/desk/proposals/{pair}"), "/send")
    )
    with pytest.raises(Refused) as refused:
        amending.ask(buyer, pair, wanted)
    assert refused.value.code == "digest_stale"
    stranger = people.person("Third", *BOTH, organisation=people.organisation("Cedar", people.LEIS[2]))
    with pytest.raises(Refused) as refused:
        amending.ask(stranger, pair, wanted)
    assert (refused.value.code, refused.value.found) == ("not_found", f"there is no proposal {pair}")
    assert trading.own(buyer)["proposal"][0]["shown_state"] == "terms"


def test_who_declines_often_is_shown(clock: venues.Clock) -> None:
    page = words_of(client(people.person("Desk", Role.DESK), clock()).get("/venue/desk/conduct"))
    assert "More than 3 of their last 10 terms declined" in page
    assert page.count("None.") == 2


def test_empty_pages_say_so(clock: venues.Clock) -> None:
    desk = client(people.person("Desk", Role.DESK), clock())
    assert "No request waits to be screened." in words_of(desk.get("/venue/desk/"))
    assert "The book is empty" in words_of(desk.get("/venue/desk/book"))
    assert desk.get("/venue/desk/book?page=2").status_code == 404
    assert desk.get("/venue/desk/book?page=<").status_code == 400


def test_a_page_takes_no_form_from_elsewhere(clock: venues.Clock) -> None:
    from django.test import Client

    sides()
    desk = people.person("Desk", Role.DESK)
    made = client(desk, clock())
    strict = Client(headers={"host": "localhost"}, enforce_csrf_checks=True)
    strict.cookies = made.cookies
    assert strict.post("/venue/desk/requests/b/accept", {}).status_code == 403
    assert made.get("/venue/desk/requests/b/accept").status_code == 405
    assert made.post("/venue/desk/requests/nothing/accept", {"shown": ""}).status_code == 404
    assert made.post("/venue/desk/requests/b/conjure", {"shown": ""}).status_code == 404


def test_incidents_and_complaints_only_grow(clock: venues.Clock) -> None:
    from mtok.venue.otc import threads

    buyer, seller = sides()
    desk, auditor = people.person("Desk", Role.DESK), people.person("Audrey", Role.AUDITOR)
    made = threads.complain(buyer, HOSTILE, "request", "b")
    page = client(desk, clock()).get(f"/venue/desk/notices/{made.pk}")
    assert HOSTILE in words_of(page)
    assert "<script>alert" not in text_of(page)
    answer = client(desk, clock()).post(f"/venue/desk/notices/{made.pk}", {"text": "We looked into it."})
    assert answer.status_code == 303
    assert [one.text for one in threads.thread(buyer, made.pk).answers] == ["We looked into it."]
    assert threads.threads(seller) == []
    with pytest.raises(Exception) as refused:
        threads.thread(seller, made.pk)
    assert getattr(refused.value, "code", "") == "not_found"
    read = client(auditor, clock()).get(f"/venue/desk/notices/{made.pk}")
    assert "We looked into it." in words_of(read)
    assert client(auditor, clock()).post(f"/venue/desk/notices/{made.pk}", {"text": "x"}).status_code >= 400
    written = client(desk, clock()).post("/venue/desk/notices", {"text": "The run of today was late."})
    assert written.status_code == 303
    assert [one.kind for one in threads.threads(auditor)].count("incident") == 1
    assert client(desk, clock()).post("/venue/desk/notices", {"text": ""}).status_code == 422
