"""The participants' pages: the whole path with forms alone, what a form refuses, what is not yours as if missing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import participating
import people
import venues
from participating import ASKED, FIRM

venues.configured()

from django.test import Client  # noqa: E402 - Django takes its settings first

MISSING = "A" * 22
HOSTILE = "<script>alert(1)</script>{{7*7}}\"'&"


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[venues.Clock]:
    with participating.trading_venue(tmp_path, monkeypatch) as clock:
        yield clock


@pytest.fixture
def who(clock: venues.Clock) -> Any:
    return participating.everybody()


class Browser:
    """Somebody at the pages, with a second factor."""

    def __init__(self, principal: Any, *, enrolled: bool = True) -> None:
        from allauth.mfa.models import Authenticator

        from mtok.venue.accounts.models import Login

        self._login = Login.objects.get(pk=principal.login)
        self._client = Client(headers={"host": "localhost"})
        self.sign_in()
        if enrolled:
            Authenticator.objects.get_or_create(
                user=self._login, type=Authenticator.Type.TOTP, defaults={"data": {"secret": "x"}}
            )

    def sign_in(self) -> None:
        """Begin a session; an hour without a request ends one."""
        self._client.force_login(self._login)

    def step_up(self) -> None:
        """Show the second factor now."""
        from mtok.venue import place
        from mtok.venue.accounts.asking import STEPPED_UP

        session = self._client.session
        session[STEPPED_UP] = {"login": self._login.pk, "at": place.now()}
        session.save()

    def get(self, path: str) -> Any:
        return self._client.get(f"/venue{path}")

    def post(self, path: str, **fields: Any) -> Any:
        return self._client.post(f"/venue{path}", fields)


def text_of(response: Any, status: int = 200) -> str:
    assert response.status_code == status, (response.status_code, response.content[-2000:])
    return str(response.content.decode())


def address(response: Any) -> str:
    assert response.status_code == 303, response.content[-3000:]
    return str(response["Location"]).removeprefix("/venue")


def asked(browser: Browser, **changes: str) -> str:
    """Fill in the form, look at the preview, send it; return the request's address."""
    preview = text_of(browser.post("/requests/new", **(ASKED | FIRM | changes), preview="1"))
    hidden = dict(re.findall(r'<input type="hidden" name="(?!csrf)(\w+)" value="([^"]*)">', preview))
    return address(browser.post("/requests/new", **hidden, submit="1"))


def test_the_whole_path_by_forms(clock: venues.Clock, who: Any) -> None:
    buyer, seller = Browser(who.buyer), Browser(who.seller)
    buy = asked(buyer)
    sell = asked(seller, side="sell")
    assert "With the desk" in text_of(buyer.get(buy))
    identity = participating.matched(clock, who, buy.split("/")[-1], sell.split("/")[-1])
    buyer.sign_in()
    seller.sign_in()
    listed = text_of(buyer.get("/terms"))
    assert f"/venue/terms/{identity}" in listed
    terms = text_of(buyer.get(f"/terms/{identity}"))
    assert "You pay a fixed price of <strong>12.345600 USD</strong>" in terms
    assert "Birch" not in terms
    digest = re.search(r'<code class="digest">([0-9a-f]{64})', terms)
    assert digest
    step_up = buyer.get(f"/terms/{identity}/approve")
    assert step_up.status_code == 303
    assert f"next=%2Fvenue%2Fterms%2F{identity}%2Fapprove" in step_up["Location"]
    for browser in (buyer, seller):
        browser.step_up()
        page = text_of(browser.get(f"/terms/{identity}/approve"))
        assert f'<input type="hidden" name="digest" value="{digest[1]}">' in page
    assert "digest_stale" in text_of(buyer.post(f"/terms/{identity}/approve", digest="0" * 64), 409)
    assert address(buyer.post(f"/terms/{identity}/approve", digest=digest[1])) == f"/terms/{identity}"
    assert "Your side has approved them" in text_of(buyer.get(f"/terms/{identity}"))
    assert address(seller.post(f"/terms/{identity}/approve", digest=digest[1])) == f"/contracts/{identity}"
    assert "Alder" in text_of(seller.get(f"/contracts/{identity}"))
    assert "Birch" in text_of(buyer.get("/contracts"))
    assert "7946" not in text_of(buyer.get(f"/contracts/{identity}"))
    assert "Settlement of Birch, +44 20 7946 0000" in text_of(buyer.post(f"/contracts/{identity}/contact"))
    raw = buyer.get(f"/terms/{identity}.json").content
    from mtok.canonical import sha256_hex

    assert sha256_hex(raw) == digest[1]
    assert "paper" in text_of(buyer.get(f"/contracts/{identity}/confirmation"))
    for name in ("confirmation", "fpml"):
        assert buyer.get(f"/contracts/{identity}/{name}.json").json()
    assert "not_final" in text_of(buyer.get(f"/contracts/{identity}/statement"), 409)


def test_a_form_sent_twice_makes_one_request(who: Any) -> None:
    from mtok.venue.database.models import RequestRow

    buyer = Browser(who.buyer)
    preview = text_of(buyer.post("/requests/new", **(ASKED | FIRM), preview="1"))
    hidden = dict(re.findall(r'<input type="hidden" name="(?!csrf)(\w+)" value="([^"]*)">', preview))
    assert len({address(buyer.post("/requests/new", **hidden, submit="1")) for _ in range(3)}) == 1
    assert RequestRow.objects.count() == 1
    other = buyer.post("/requests/new", **(hidden | {"lots": "26"}), submit="1")
    assert "idempotency_key_reused" in text_of(other, 422)
    assert RequestRow.objects.count() == 1
    without = buyer.post("/requests/new", **(ASKED | FIRM), submit="1")
    assert "idempotency_key_missing" in text_of(without, 400)


def test_what_a_form_refuses_stands_beside_its_field_and_what_was_written_is_kept(who: Any) -> None:
    buyer = Browser(who.buyer)
    page = text_of(
        buyer.post("/requests/new", **(ASKED | {"lots": "2.5", "limit": HOSTILE}), preview="1"), 422
    )
    assert "&#x27;2.5&#x27; is no whole number. Write digits alone, such as 25." in page
    assert 'name="lots" value="2.5"' in page
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{7*7}}" in page
    assert 'value="2026-08" selected' in page
    later = text_of(buyer.post("/requests/new", **(ASKED | {"lots": "0"}), preview="1"), 422)
    assert "0 lots. At least 1." in later
    empty = text_of(buyer.post("/requests/new", preview="1"), 422)
    assert empty.count("nothing is given. It cannot be left out.") == 4


def test_a_preview_says_what_it_means(who: Any) -> None:
    page = text_of(Browser(who.buyer).post("/requests/new", **ASKED, preview="1"))
    assert (
        "You pay a fixed price for 2,500 million output tokens of openai, at most 12.345600 USD per million output "
        "tokens, against the mean of all daily marks of August 2026." in page
    )
    assert "30,864.00 USD" in page  # 12.3456 · 2,500
    assert "only if you confirm it before" in page
    kept = text_of(Browser(who.buyer).post("/requests/new", **ASKED, edit="1"))
    assert 'name="limit" value="12.3456"' in kept


def test_a_form_says_why_a_reference_is_not_offered(who: Any) -> None:
    page = text_of(Browser(who.buyer).get("/requests/new"))
    assert "<strong>qwen</strong>: qwen has printed on 51 of the last 60 days, under 9/10." in page
    assert '<option value="qwen"' not in page
    assert '<option value="openai"' in page


def test_the_buttons_of_a_request(clock: venues.Clock, who: Any) -> None:
    from mtok.venue.participants import actions, told

    buyer = Browser(who.buyer)
    identity = actions.submit(who.buyer, ASKED)
    participating.accepted(who, identity)
    assert "Confirm for the next run" in text_of(buyer.get(f"/requests/{identity}"))
    for name, state in (("confirm", "live"), ("pause", "paused"), ("resume", "live")):
        assert address(buyer.post(f"/requests/{identity}/{name}")).startswith(f"/requests/{identity}")
        assert told.request(who.buyer, identity)["state"] == state
    form = text_of(buyer.get(f"/requests/{identity}/amend"))
    assert 'name="lots" value="25"' in form
    assert "reference" not in re.findall(r'name="(\w+)"', form)
    fields = {"lots": "20", "month": "2026-08", "limit": "12.3456"}
    assert address(buyer.post(f"/requests/{identity}/amend", **fields)) == f"/requests/{identity}"
    assert told.request(who.buyer, identity)["lots"] == 20
    clock.set("2026-06-22T15:30:00Z")
    buyer.sign_in()
    page = text_of(buyer.post(f"/requests/{identity}/amend", **fields), 422)
    assert "terms may be on their way" in page
    assert address(buyer.post(f"/requests/{identity}/cancel")).startswith("/requests/")
    assert "not_allowed" in text_of(buyer.post(f"/requests/{identity}/cancel"), 409)


def test_both_sides_end_a_contract_by_forms(clock: venues.Clock, who: Any) -> None:
    identity = participating.booked(clock, who)
    buyer, seller = Browser(who.buyer), Browser(who.seller)
    assert buyer.get(f"/contracts/{identity}/terminate").status_code == 303
    buyer.step_up()
    assert "is no price" in text_of(buyer.post(f"/contracts/{identity}/terminate", price="twelve"), 422)
    assert address(buyer.post(f"/contracts/{identity}/terminate", price="12.5")) == f"/contracts/{identity}"
    page = text_of(seller.get(f"/contracts/{identity}"))
    assert "The other side says" in page
    assert f"/venue/contracts/{identity}/terminate?price=12.500000" in page
    seller.step_up()
    form = text_of(seller.get(f"/contracts/{identity}/terminate?price=12.500000"))
    assert 'value="12.500000"' in form
    address(seller.post(f"/contracts/{identity}/terminate", price="12.500000"))
    ended = text_of(seller.get(f"/contracts/{identity}"))
    assert "Terminated." in ended
    assert "−386.00 USD" in ended  # (12.3456 − 12.5) · 2,500, to the seller


def test_other_terms_are_asked_for_by_a_form(clock: venues.Clock, who: Any) -> None:
    from mtok.venue.participants import actions, told

    buy = actions.submit(who.buyer, ASKED | FIRM)
    sell = actions.submit(who.seller, ASKED | FIRM | {"side": "sell"})
    identity = participating.matched(clock, who, buy, sell)
    buyer = Browser(who.buyer)
    form = text_of(buyer.get(f"/terms/{identity}/ask"))
    assert 'name="price" value="12.345600"' in form
    digest = told.terms(who.buyer, identity)["digest"]
    wrong = text_of(buyer.post(f"/terms/{identity}/ask", digest=digest, price="x", lots="5"), 422)
    assert "is no price" in wrong
    address(buyer.post(f"/terms/{identity}/ask", digest=digest, price="12.3456", lots="5"))
    assert "Your side asks for 12.345600 and 5 lots instead" in text_of(buyer.get(f"/terms/{identity}"))
    assert "5 lots instead" not in text_of(Browser(who.seller).get(f"/terms/{identity}"))


def test_a_mark_is_disputed_by_a_form(clock: venues.Clock, who: Any) -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile

    from mtok.canonical import sha256_hex
    from mtok.venue.database.models import MarkRow

    identity = participating.booked(clock, who)
    clock.set("2026-06-23T18:00:00Z")
    participating.marked(clock, 0, 12_500_000)
    buyer = Browser(who.buyer)
    assert "Open to dispute" in text_of(buyer.get(f"/contracts/{identity}/dispute"))
    fields: dict[str, Any] = {"date": "2026-06-22", "price": "12.4", "reason": HOSTILE}
    missing = text_of(buyer.post(f"/contracts/{identity}/dispute", **fields), 422)
    assert "nothing is given" in missing
    assert "<script>alert" not in missing
    fields["evidence"] = SimpleUploadedFile("evidence.csv", b"a,b")
    address(buyer.post(f"/contracts/{identity}/dispute", **fields))
    assert "your side holds 12.400000 to be right" in text_of(buyer.get(f"/contracts/{identity}"))
    assert "is disputed." in text_of(Browser(who.seller).get(f"/contracts/{identity}"))
    assert sha256_hex(b"a,b") in MarkRow.objects.get(day__gt=0).record


def test_a_matured_contract_has_a_statement(clock: venues.Clock, who: Any) -> None:
    """(12.4456 − 12.3456) · 2,500 = 250.00 to the buyer, paid two business days after the last mark was locked."""
    identity = participating.booked(clock, who)
    participating.matured(clock, identity, 12_445_600)
    for principal in (who.buyer, who.seller):
        page = text_of(Browser(principal).get(f"/contracts/{identity}/statement"))
        assert "final value 12.445600" in page
        assert "<dt>All in all to the buyer</dt><dd>250.00 USD</dd>" in page
        assert page.count('<td class="n">12.445600</td>') == 31
    said = Browser(who.buyer).get(f"/contracts/{identity}/statement.json").json()
    assert (said["amount_to_buyer"], len(said["marks"])) == ("250.00", 31)
    contract = text_of(Browser(who.seller).get(f"/contracts/{identity}"))
    assert "<strong>Waiting for its last payment.</strong> Its last mark is locked" in contract
    assert "<td>waiting for its last payment</td>" in text_of(Browser(who.seller).get("/contracts"))
    assert "<dt>All in all to you</dt><dd>−250.00 USD</dd>" in contract
    assert f"/venue/contracts/{identity}/statement" in contract


def test_margin_days_are_told_from_ones_own_side(clock: venues.Clock, who: Any) -> None:
    """Two days of 12.4456 and 12.2456: a move of 250 USD stays below the smallest transfer, one of −250 too."""
    from mtok.calendar import parse_date
    from mtok.market.margin import Account, MarginDay
    from mtok.venue.participants import told
    from mtok.venue.participants.pages import contracts

    identity = participating.booked(clock, who)
    days = [
        MarginDay(
            day=parse_date(date),
            mark=mark,
            settlement_price=mark,
            target=target,
            due=target,
            moved=0,
            account=Account(moved=0, long=700_000, short=900_000),
            calls=(),
        )
        for date, mark, target in (("2026-06-23", 12_445_600, 25_000), ("2026-06-25", 12_245_600, -25_000))
    ]
    shown = told.contract(who.seller, identity) | {"days": [told.day_json(day) for day in days]}
    page = contracts._shown(shown)
    assert [(row["due"], row["collateral"]) for row in page["rows"]] == [
        ("250.00", "9000.00"),
        ("-250.00", "9000.00"),
    ]
    plot = contracts._plot(shown)
    assert plot is not None
    assert plot.gaps, "the 24th has no margin"


GETS = (
    "/requests/{}",
    "/requests/{}/amend",
    "/terms/{}",
    "/terms/{}/approve",
    "/terms/{}.json",
    "/contracts/{}",
    "/contracts/{}/agree",
    "/contracts/{}/terminate",
    "/contracts/{}/dispute",
    "/contracts/{}/marks",
    "/terms/{}/ask",
    "/complaints/{}",
    "/contracts/{}/confirmation",
    "/contracts/{}/statement",
    "/contracts/{}/fpml.json",
)
POSTS = (
    ("/requests/{}/amend", {"lots": "1", "month": "2026-08"}),
    *((f"/requests/{{}}/{name}", {}) for name in ("confirm", "pause", "resume", "cancel")),
    ("/terms/{}/approve", {"digest": "0" * 64}),
    ("/terms/{}/decline", {}),
    ("/terms/{}/ask", {"digest": "0" * 64, "price": "12.4", "lots": "5"}),
    ("/contracts/{}/dispute", {"date": "2026-08-03", "price": "12.4", "reason": "x", "evidence": "y"}),
    ("/contracts/{}/contact", {}),
    ("/contracts/{}/agree", {"date": "2026-08-03", "price": "12.4"}),
    ("/contracts/{}/terminate", {"price": "12.4"}),
)


def test_what_is_not_yours_is_as_if_missing(clock: venues.Clock, who: Any) -> None:
    from mtok.venue.otc import threads
    from mtok.venue.participants import actions

    contract = participating.booked(clock, who)
    ids = [actions.submit(who.seller, ASKED | FIRM) for _ in range(3)]
    participating.accepted(who, *ids[:2])
    actions.cancel(who.seller, ids[0])
    stranger = Browser(who.other)
    stranger.step_up()
    ids.append(threads.complain(who.seller, "Late.").pk)
    for template, fields in [*((one, None) for one in GETS), *POSTS]:
        answers = set()
        for identity in (MISSING, contract, *ids):
            path = template.format(identity)
            response = stranger.get(path) if fields is None else stranger.post(path, **fields)
            assert response.status_code == 404, (path, response.content[-1500:])
            body = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", response.content.decode())
            answers.add((str(sorted(response.headers.items())), body.replace(identity, "")))
        assert len(answers) == 1, template


def test_a_complaint_is_answered_without_a_name(who: Any) -> None:
    from mtok.venue.otc import threads

    seller = Browser(who.seller)
    assert "None yet." in text_of(seller.get("/complaints"))
    assert text_of(seller.post("/complaints", text=" "), 422)
    written = address(seller.post("/complaints", text=f"The call came late. {HOSTILE}"))
    threads.answer(who.desk, written.split("/")[-1], "It did; sorry.")
    page = text_of(seller.get(written))
    assert "It did; sorry." in page
    assert "Desk" not in page.split("<main")[1].split("</main>")[0]
    assert "<script>alert" not in page
    assert address(seller.post(written, text="Thank you.")) == written
    assert "Thank you." in text_of(seller.get(written))
    assert written in text_of(seller.get("/complaints"))


def test_every_page_with_an_id_is_compared() -> None:
    """A page with an id that is not in the lists above fails here."""
    from mtok.venue.participants.urls import urlpatterns

    compared = {one.format("ID") for one in (*GETS, *(path for path, _ in POSTS))}
    for pattern in urlpatterns:
        route = f"/{pattern.pattern}".replace("<object:identity>", "ID").replace(".json", r"\.json")
        regex = re.sub(r"<\w+:name>", "[a-z]+", route)
        assert any(re.fullmatch(regex, one) for one in compared) or "ID" not in route, route


PAGES = ("/requests", "/requests/new", "/terms", "/contracts", "/notifications", "/complaints")


def test_pages_are_for_participants_alone(who: Any) -> None:
    stranger = Client(headers={"host": "localhost"})
    desk = Browser(who.desk)
    for page in PAGES:
        assert stranger.get(f"/venue{page}").status_code == 303, page
        assert desk.get(page).status_code == 404, page
        text = text_of(Browser(who.buyer).get(page))
        assert "Paper contracts" in text, page
        assert " style=" not in text, page
    assert text_of(desk.get("/specification"))
    assert Browser(who.other, enrolled=False).get("/requests/new").status_code == 303


def test_a_user_and_an_approver_see_what_is_theirs_to_do(clock: venues.Clock, who: Any) -> None:
    from mtok.settlement.people import Role
    from mtok.venue.accounts.models import Organisation
    from mtok.venue.participants import actions

    alder = Organisation.objects.get(legal_name="Alder")
    user = Browser(people.person("User", Role.PARTICIPANT_USER, organisation=alder))
    approver = Browser(people.person("Approver", Role.PARTICIPANT_APPROVER, organisation=alder))
    identity = actions.submit(who.buyer, ASKED | FIRM)
    participating.accepted(who, identity)
    assert "Cancel what is left" in text_of(user.get(f"/requests/{identity}"))
    assert "Cancel what is left" not in text_of(approver.get(f"/requests/{identity}"))
    assert approver.post(f"/requests/{identity}/cancel").status_code == 404
    assert approver.get("/requests/new").status_code == 404
    sell = actions.submit(who.seller, ASKED | FIRM | {"side": "sell"})
    from mtok.market.proposals import Nonces
    from mtok.venue.database.models import ProposalRow
    from mtok.venue.otc import clockwork, trading

    participating.accepted(who, sell)
    clock.instant = participating.RUN + participating.MINUTE
    clockwork.make_runs(clock())
    [proposal] = ProposalRow.objects.all()
    trading.give(who.desk, "proposal", "send", proposal.pk, Nonces(buyer="11" * 32, seller="22" * 32))
    user.sign_in()
    approver.sign_in()
    assert "Approve…" in text_of(approver.get(f"/terms/{proposal.pk}"))
    assert "Approve…" not in text_of(user.get(f"/terms/{proposal.pk}"))
    assert user.get(f"/terms/{proposal.pk}/approve").status_code == 404
    assert address(approver.post(f"/terms/{proposal.pk}/decline")) == "/terms"
    assert "Your side declined them." in text_of(approver.get(f"/terms/{proposal.pk}"))
    assert "Lapsed." in text_of(Browser(who.seller).get(f"/terms/{proposal.pk}"))


def test_a_form_without_its_token_is_refused(who: Any) -> None:
    from mtok.venue.accounts.models import Login

    client = Client(headers={"host": "localhost"}, enforce_csrf_checks=True)
    client.force_login(Login.objects.get(pk=who.buyer.login))
    response = client.post("/venue/requests/x/cancel")
    assert "form_forged" in text_of(response, 403)


def test_names_of_others_and_notices_are_escaped(clock: venues.Clock, who: Any) -> None:
    from mtok.venue.accounts.models import Organisation
    from mtok.venue.database.models import Notice

    Organisation.objects.filter(legal_name="Birch").update(legal_name=f"Birch {HOSTILE}")
    identity = participating.booked(clock, who)
    Notice.objects.create(
        kind="notification",
        at=clock(),
        party=who.buyer.party,
        object_kind="contract",
        object=identity,
        text=HOSTILE,
    )
    buyer = Browser(who.buyer)
    for page in (
        f"/contracts/{identity}",
        "/contracts",
        f"/contracts/{identity}/confirmation",
        "/notifications",
    ):
        text = text_of(buyer.get(page))
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text, page
        assert "<script>alert" not in text, page
    assert HOSTILE not in text_of(Browser(who.seller).get("/notifications"))
