"""Every address of the venue against every role, on what is theirs, somebody else's, and missing.

The table says for whom an address is; the addresses come from the project's own, so one that no row lists fails. To
everybody else an address is what a missing one is, to the byte; somebody else's object is what no object is; a stranger
is sent to sign in. Nothing answers with an error of its own making.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import count
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import pytest

import participating
import people
import venues
from mtok.settlement.people import OPERATORS, PARTICIPANTS, Role
from participating import ASKED, FIRM

venues.configured()

from django.test import Client  # noqa: E402 - Django takes its settings first
from django.urls import get_resolver  # noqa: E402 - Django takes its settings first

EVERYBODY: Final = frozenset(Role) - {Role.PUBLISHER, Role.SYSTEM}
MEMBERS, BUSINESS = frozenset(PARTICIPANTS), frozenset(OPERATORS)
DESK, TREASURY = frozenset({Role.DESK}), frozenset({Role.TREASURY})
AUDIT, ADMIN = frozenset({Role.AUDITOR}), frozenset({Role.ADMIN})
APPROVER: Final = frozenset({Role.PARTICIPANT_APPROVER})
USER: Final = frozenset({Role.PARTICIPANT_USER})


class Row(NamedTuple):
    """For whom an address is. own : its arguments for an object there is · is_owned : whether others have such too

    also : for whom it is too, though not this object
    """

    who: frozenset[Role]
    own: Mapping[str, str] = MappingProxyType({})
    is_owned: bool = False
    also: frozenset[Role] = frozenset()


REQUEST, TERMS, CONTRACT = {"identity": "REQUEST"}, {"identity": "CONTRACT"}, {"identity": "CONTRACT"}
DAY: Final = {"date": "2026-06-21", "methodology": "1.0", "reference": "openai"}
PAGES: Final = {
    "venue_home": Row(EVERYBODY),
    "venue_specification": Row(EVERYBODY),
    "venue_requests": Row(MEMBERS),
    "venue_new_request": Row(USER),
    "venue_request": Row(MEMBERS, REQUEST, True),
    "venue_amend": Row(USER, REQUEST, True),
    "venue_request_command": Row(USER, REQUEST | {"name": "confirm"}, True),
    "venue_terms": Row(MEMBERS),
    "venue_one_terms": Row(MEMBERS, TERMS, True),
    "venue_approve": Row(APPROVER, TERMS, True),
    "venue_decline": Row(APPROVER, TERMS, True),
    "venue_ask": Row(APPROVER, TERMS, True),
    "venue_canonical": Row(MEMBERS, TERMS, True),
    "venue_contracts": Row(MEMBERS),
    "venue_contract": Row(MEMBERS, CONTRACT, True),
    "venue_contact": Row(MEMBERS, CONTRACT, True),
    "venue_contract_marks": Row(MEMBERS, CONTRACT, True),
    "venue_dispute": Row(APPROVER, CONTRACT, True),
    "venue_agree": Row(APPROVER, CONTRACT, True),
    "venue_terminate": Row(APPROVER, CONTRACT, True),
    "venue_document": Row(MEMBERS, CONTRACT | {"name": "confirmation"}, True),
    "venue_file": Row(MEMBERS, CONTRACT | {"name": "confirmation"}, True),
    "venue_notifications": Row(MEMBERS),
    "venue_complaints": Row(MEMBERS),
    "venue_complaint": Row(MEMBERS, {"identity": "COMPLAINT"}, True),
    "application": Row(EVERYBODY),
    "organisation": Row(MEMBERS),
    "organisation_lists": Row(USER),
    "organisation_contact": Row(MEMBERS),
    "api_keys": Row(MEMBERS),
    "desk": Row(DESK),
    "desk_book": Row(DESK),
    "desk_runs": Row(DESK),
    "desk_conduct": Row(DESK),
    "desk_request": Row(DESK, REQUEST),
    "desk_request_suspend": Row(DESK, REQUEST),
    "desk_request_command": Row(DESK, REQUEST | {"command": "accept"}),
    "desk_proposals": Row(DESK),
    "desk_proposal": Row(DESK, TERMS),
    "desk_proposal_command": Row(DESK, TERMS | {"command": "drop"}),
    "operators_confirm": Row(DESK, {"identity": "SAID"}, also=TREASURY),
    "operators_notices": Row(BUSINESS | AUDIT),
    "operators_notice": Row(BUSINESS | AUDIT, {"identity": "NOTICE"}),
    "treasury": Row(TREASURY),
    "treasury_obligations": Row(TREASURY),
    "treasury_disruptions": Row(TREASURY),
    "treasury_contract": Row(TREASURY, CONTRACT),
    "treasury_contract_command": Row(TREASURY, CONTRACT | {"command": "post"}),
    "marks": Row(BUSINESS | AUDIT),
    "mark_day": Row(BUSINESS | AUDIT, DAY),
    "mark_command": Row(BUSINESS, DAY),
    "audit": Row(AUDIT),
    "audit_said": Row(AUDIT),
    "audit_csv": Row(AUDIT),
    "audit_jsonl": Row(AUDIT),
    "audit_runs": Row(AUDIT),
    "audit_disruptions": Row(AUDIT),
    "audit_accounts": Row(AUDIT | ADMIN),
    "audit_objects": Row(AUDIT, {"kind": "request"}),
    "audit_object": Row(AUDIT, REQUEST | {"kind": "request"}),
    "admin_people": Row(ADMIN),
    "admin_login": Row(ADMIN, {"number": "LOGIN"}),
    "admin_login_change": Row(ADMIN, {"number": "LOGIN", "kind": "disable"}),
    "admin_organisations": Row(ADMIN),
    "admin_organisation": Row(ADMIN, {"identity": "ORGANISATION"}),
    "admin_organisation_change": Row(ADMIN, {"identity": "ORGANISATION", "kind": "suspend"}),
    "admin_changes": Row(ADMIN),
    "admin_change": Row(ADMIN, {"identity": "CHANGE"}),
}
"""The pages under /venue/. Words in capitals stand for the ids of what there is."""
OPERATIONS: Final = {
    "openapi": Row(EVERYBODY),
    "specification": Row(MEMBERS),
    "references": Row(MEMBERS),
    "clock": Row(MEMBERS),
    "requests": Row(MEMBERS),
    "new_request": Row(USER),
    "one_request": Row(MEMBERS, REQUEST, True),
    "amend": Row(USER, REQUEST, True),
    "confirm": Row(USER, REQUEST, True),
    "pause": Row(USER, REQUEST, True),
    "resume": Row(USER, REQUEST, True),
    "cancel": Row(USER, REQUEST, True),
    "all_terms": Row(MEMBERS),
    "one_terms": Row(MEMBERS, TERMS, True),
    "canonical": Row(MEMBERS, TERMS, True),
    "approve": Row(APPROVER, TERMS, True),
    "decline": Row(APPROVER, TERMS, True),
    "contracts": Row(MEMBERS),
    "one_contract": Row(MEMBERS, CONTRACT, True),
    "contact": Row(MEMBERS, CONTRACT, True),
    "statement": Row(MEMBERS, CONTRACT, True),
    "confirmation": Row(MEMBERS, CONTRACT, True),
    "fpml": Row(MEMBERS, CONTRACT, True),
    "marks": Row(MEMBERS, CONTRACT, True),
    "ask": Row(APPROVER, TERMS, True),
    "dispute": Row(APPROVER, CONTRACT, True),
    "agree": Row(APPROVER, CONTRACT, True),
    "terminate": Row(APPROVER, CONTRACT, True),
    "api-root": Row(EVERYBODY),
}
"""The operations of the API."""
OTHERWISE: Final = re.compile(r"account_.*|mfa_.*|usersessions_list|account")
"""Pages of one's own account, which are everybody's; `test_accounts_signing_in` is about them."""
MISSING: Final = "A" * 22
_NUMBERS: Final = count()
ANSWERED: Final = {200, 303, 400, 403, 405, 409, 422}
"""What an address answers whom it is for."""


def routes() -> dict[str, str]:
    """Return the addresses of the venue by name, those of the public pages and files left out."""
    from mtok.venue import urls

    public = {id(one) for one in urls.urlpatterns}

    def walk(patterns: list[Any], prefix: str, namespace: str) -> Iterator[tuple[str, str]]:
        for one in patterns:
            if id(one) in public:
                continue
            path = prefix + re.sub(r"^\^|\$$", "", str(one.pattern))
            if hasattr(one, "url_patterns"):
                space = f"{one.namespace}:" if one.namespace else ""
                yield from walk(one.url_patterns, path, namespace + space)
            else:
                yield f"{namespace}{one.name}", path

    return dict(walk(get_resolver("mtok.venue.urls_venue").url_patterns, "/", ""))


ROUTES: Final = routes()


def test_no_address_is_without_a_row() -> None:
    pages = {name for name in ROUTES if ":" not in name and not OTHERWISE.fullmatch(name)}
    assert pages == PAGES.keys()
    assert {name.removeprefix("venue_api:") for name in ROUTES if ":" in name} == OPERATIONS.keys()


class There(NamedTuple):
    """What there is: ids by the word that stands for them, and somebody in each role. other : of another participant"""

    ids: dict[str, str]
    people: dict[Role, Any]
    other: dict[Role, Any]

    @property
    def objects(self) -> tuple[str, ...]:
        """The ids of the objects that are a participant's."""
        return self.ids["CONTRACT"], self.ids["REQUEST"], self.ids["COMPLAINT"]


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[There]:
    folder = tmp_path_factory.mktemp("routes")
    with pytest.MonkeyPatch.context() as patch, participating.trading_venue(folder, patch) as clock:
        yield _there(clock)


def _there(clock: venues.Clock) -> There:
    from mtok.venue.accounts.models import Change, Organisation
    from mtok.venue.database.models import Notice
    from mtok.venue.otc import threads, trading
    from mtok.venue.participants import actions

    who = participating.everybody()
    contract = participating.booked(clock, who)
    request = actions.submit(who.buyer, ASKED | FIRM)
    own, other = (Organisation.objects.get(pk=one.party) for one in (who.buyer, who.other))
    roles = [role for role in EVERYBODY if role not in MEMBERS]
    found = {role: people.person(f"The {role}", role) for role in roles}
    found |= {role: people.person(f"Own {role}", role, organisation=own) for role in MEMBERS}
    others = {role: people.person(f"Another {role}", role, organisation=other) for role in MEMBERS}
    intention = trading.intend(found[Role.DESK], "request", "suspend", request, "why")
    notice = Notice.objects.create(kind="incident", at=clock(), login_id=found[Role.DESK].login, text="what")
    ids = {
        "CONTRACT": contract,
        "REQUEST": request,
        "SAID": intention.pk,
        "NOTICE": notice.pk,
        "COMPLAINT": threads.complain(who.buyer, "Late.").pk,
        "LOGIN": str(who.buyer.login),
        "ORGANISATION": own.pk,
        "CHANGE": Change.objects.order_by("pk")[0].pk,
    }
    return There(ids, found, others)


def address(name: str, row: Row, ids: dict[str, str], *, missing: bool = False) -> str:
    """Return the address of a route for an object there is, or for none."""

    def given(found: re.Match[str]) -> str:
        value = row.own[found["name"]]
        if missing and value in ids:
            return "9999" if value == "LOGIN" else MISSING
        return ids.get(value, value)

    path = re.sub(r"\(\?P<(?P<name>\w+)>(?:[^()]|\([^()]*\))*\)", given, ROUTES[name])
    return re.sub(r"<(?:\w+:)?(?P<name>\w+)>", given, path)


def browser(principal: Any | None) -> Client:
    """Return the browser of somebody with a second factor that was just shown, or of a stranger."""
    from allauth.mfa.models import Authenticator

    from mtok.venue import place
    from mtok.venue.accounts.asking import STEPPED_UP
    from mtok.venue.accounts.models import Login

    client = Client(headers={"host": "localhost"})
    if principal is not None:
        login = Login.objects.get(pk=principal.login)
        Authenticator.objects.get_or_create(
            user=login, type=Authenticator.Type.TOTP, defaults={"data": {"secret": "x"}}
        )
        client.force_login(login)
        session = client.session
        session[STEPPED_UP] = {"login": login.pk, "at": place.now()}
        session.save()
    return client


def told(response: Any, *ids: str) -> tuple[int, dict[str, str], str]:
    """Return what an answer says: status, headers but the date, body without ids, tokens, where one is."""
    text = re.sub(
        r'(csrfmiddlewaretoken" value=")[^"]*| aria-current="\w+"', r"\1", response.content.decode()
    )
    for one in ids:
        goes_on = r"[\w/]" if one.startswith("/") else r"[\w-]"
        text = re.sub(rf"{re.escape(one)}(?!{goes_on})", "<id>", text)
    headers = {name: value for name, value in response.items() if name not in ("Date", "Content-Length")}
    return response.status_code, headers, text


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_page_is_for_its_roles_alone(there: There, name: str, method: str) -> None:
    row = PAGES[name]
    path, missing = address(name, row, there.ids), address(name, row, there.ids, missing=True)
    for role, who in there.people.items():
        client = browser(who)
        found = getattr(client, method)(path)
        if role in row.who:
            assert found.status_code in ANSWERED, (role, found.status_code, found.content[-500:])
            if missing != path and "date" not in row.own:
                assert getattr(client, method)(missing).status_code in (404, 405, 422), role
        elif role in row.also:
            assert found.status_code == 404, role
        else:
            nothing = getattr(client, method)("/venue/nothing-here")
            assert found.status_code == nothing.status_code == 404, role
            assert told(found, path) == told(nothing, "/venue/nothing-here"), role
    stranger = getattr(browser(None), method)(path)
    assert stranger.status_code in (200, 303, 405), stranger.status_code
    assert stranger.status_code != 200 or name == "venue_home"


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("name", sorted(name for name, row in PAGES.items() if row.is_owned))
def test_a_page_of_another_participant_is_missing(there: There, name: str, method: str) -> None:
    row = PAGES[name]
    path, missing = address(name, row, there.ids), address(name, row, there.ids, missing=True)
    for role in row.who:
        client = browser(there.other[role])
        foreign, none = (getattr(client, method)(one) for one in (path, missing))
        assert told(foreign, *there.objects) == told(none, MISSING)
        assert none.status_code in (404, 405, 422)


@cache
def key_of(principal: Any) -> str:
    """Return the key that somebody has for a program."""
    from mtok.venue.accounts import api_keys

    return str(api_keys.make(principal, "program", ("read", "requests", "approvals"), 30)[1])


def asking(principal: Any) -> Any:
    """Return what asks the API with a key of somebody, whose second factor is shown with it."""
    client, key = Client(headers={"host": "localhost"}), key_of(principal)

    def ask(method: str, path: str) -> Any:
        headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": f"key-{next(_NUMBERS)}"}
        sent = {"data": json.dumps({}), "content_type": "application/json"} if method == "post" else {}
        return getattr(client, method)(path, headers=headers, **sent)

    return ask


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_an_operation_is_for_its_roles_alone(there: There, name: str, method: str) -> None:
    row = OPERATIONS[name]
    path, missing = (
        address(f"venue_api:{name}", row, there.ids, missing=missing) for missing in (False, True)
    )
    for role in MEMBERS:
        ask = asking(there.people[role])
        found = ask(method, path)
        assert found.status_code < 500
        if role in row.who:
            assert found.status_code in {*ANSWERED, 201, *((404,) if name == "api-root" else ())}, (
                role,
                found.content,
            )
        elif path != address("venue_api:requests", row, there.ids):  # whose list everybody may read
            assert found.status_code in (403, 405, 422), (role, found.content)
        if row.is_owned and role in row.who:
            ask = asking(there.other[role])
            assert told(ask(method, path), *there.objects) == told(ask(method, missing), MISSING)
    without = getattr(Client(headers={"host": "localhost"}), method)(path)
    assert without.status_code in (
        {200, 405} if row.who == EVERYBODY and name != "api-root" else {401, 404, 405}
    )
