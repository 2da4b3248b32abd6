"""The venue's API: a key is who asks, every change is made once, what is not yours is as if it were missing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

import participating
import venues
from participating import ASKED, FIRM
from test_api_schema import undocumented

venues.configured()

from django.test import Client  # noqa: E402 - Django takes its settings first

CODE = "123456"
DOCUMENT = Path(__file__).parents[1] / "docs" / "venue-openapi.json"
RENEW = (
    "with `mtok serve --venue` running: curl -s http://127.0.0.1:8321/venue/api/openapi.json "
    "| python -m json.tool --no-ensure-ascii > docs/venue-openapi.json"
)
MISSING = "A" * 22
_NUMBERS = count()


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[venues.Clock]:
    from mtok.venue.accounts import api_keys

    monkeypatch.setattr(api_keys, "_is_right", lambda _, code: code == CODE)
    with participating.trading_venue(tmp_path, monkeypatch) as clock:
        yield clock


@pytest.fixture
def who(clock: venues.Clock) -> Any:
    return participating.everybody()


class Program:
    """Somebody's program with a key."""

    def __init__(self, principal: Any, *scopes: str) -> None:
        from mtok.venue.accounts import api_keys

        names = scopes or ("read", "requests", "approvals")
        _, self.key = api_keys.make(principal, "program", names, 30)
        self._client = Client(headers={"host": "localhost"})

    def get(self, path: str, **headers: str) -> Any:
        return self._client.get(
            f"/venue/api{path}", headers={"Authorization": f"Bearer {self.key}", **headers}
        )

    def post(self, path: str, content: Any = None, **headers: str) -> Any:
        return self._client.post(
            f"/venue/api{path}",
            b"" if content is None else json.dumps(content),
            content_type="application/json",
            headers={
                "Authorization": f"Bearer {self.key}",
                "Idempotency-Key": f"key-{next(_NUMBERS)}",
                **{name.replace("_", "-"): one for name, one in headers.items()},
            },
        )


def problem(response: Any) -> tuple[int, str]:
    """Return status and code of a refusal, which has to say what to do."""
    assert response["Content-Type"] == "application/problem+json", response.content
    content = json.loads(response.content)
    assert content["status"] == response.status_code
    assert content["detail"]
    assert content["remedy"]
    return response.status_code, content["code"]


REQUEST = {"reference": "openai", "side": "buy", "lots": 25, "month": "2026-08", "limit": "12.3456", **FIRM}


def test_the_whole_path_by_program(clock: venues.Clock, who: Any) -> None:
    buyer, seller = Program(who.buyer), Program(who.seller)
    made = buyer.post("/requests", REQUEST)
    assert made.status_code == 201
    assert made["Cache-Control"] == "no-store"
    buy = made.json()
    assert buyer.get(f"/requests/{buy['id']}").json() == buy
    sell = seller.post("/requests", REQUEST | {"side": "sell"}).json()
    identity = participating.matched(clock, who, buy["id"], sell["id"])
    [terms] = buyer.get("/terms").json()
    assert (terms["id"], terms["side"], terms["terms"]["price"]) == (identity, "buy", "12.345600")
    approval = {"digest": terms["digest"]}
    assert problem(buyer.post(f"/terms/{identity}/approve", approval)) == (403, "step_up")
    assert problem(buyer.post(f"/terms/{identity}/approve", approval, Second_Factor="000000")) == (
        403,
        "step_up",
    )
    wrong = {"digest": "0" * 64}
    stale = buyer.post(f"/terms/{identity}/approve", wrong, Second_Factor=CODE)
    assert problem(stale) == (409, "digest_stale")
    first = buyer.post(f"/terms/{identity}/approve", approval, Second_Factor=CODE)
    assert (first.status_code, first.json()["is_approved_by_you"], first.json()["state"]) == (
        200,
        True,
        "terms",
    )
    assert buyer.get("/contracts").json() == []
    second = seller.post(f"/terms/{identity}/approve", approval, Second_Factor=CODE)
    assert second.json()["counterparty"]["legal_name"] == "Alder"
    [contract] = seller.get("/contracts").json()
    assert contract["state"] == "booked"
    assert contract == seller.get(f"/contracts/{identity}").json()
    assert problem(buyer.get(f"/contracts/{identity}/statement")) == (409, "not_final")
    confirmation = buyer.get(f"/contracts/{identity}/confirmation").json()
    assert confirmation["terms_sha256"] == terms["digest"]
    assert confirmation == seller.get(f"/contracts/{identity}/confirmation").json()
    assert buyer.get(f"/contracts/{identity}/fpml").status_code == 200
    from mtok.venue.accounts.contacts import openings

    contact = buyer.get(f"/contracts/{identity}/contact").json()
    assert contact == {"contact": "Settlement of Birch, +44 20 7946 0000"}
    assert [one.role for one in openings(who.seller.party)] == ["counterparty"]
    raw = buyer.get(f"/terms/{identity}/canonical").content
    from mtok.canonical import sha256_hex

    assert sha256_hex(raw) == terms["digest"]


def test_the_same_key_makes_one_request(who: Any) -> None:
    from mtok.venue.database.models import RequestRow

    buyer = Program(who.buyer)
    answers = [buyer.post("/requests", REQUEST, Idempotency_Key="k") for _ in range(3)]
    assert {one.content for one in answers} == {answers[0].content}
    assert [one.get("Idempotency-Replayed") for one in answers] == [None, "true", "true"]
    assert RequestRow.objects.count() == 1
    other = buyer.post("/requests", REQUEST | {"lots": 26}, Idempotency_Key="k")
    assert problem(other) == (422, "idempotency_key_reused")
    elsewhere = buyer.post(f"/requests/{answers[0].json()['id']}/cancel", REQUEST, Idempotency_Key="k")
    assert problem(elsewhere) == (422, "idempotency_key_reused")
    seller = Program(who.seller)
    assert seller.post("/requests", REQUEST, Idempotency_Key="k").status_code == 201
    assert problem(buyer.post("/requests", REQUEST, Idempotency_Key="")) == (400, "idempotency_key_missing")
    assert problem(buyer.post("/requests", REQUEST, Idempotency_Key="a b")) == (
        400,
        "idempotency_key_invalid",
    )


def test_a_cookie_is_nobody(who: Any) -> None:
    from mtok.venue.accounts.models import Login

    client = Client(headers={"host": "localhost"})
    client.force_login(Login.objects.get(pk=who.buyer.login))
    response = client.get("/venue/api/requests")
    assert problem(response) == (401, "key_invalid")
    assert response["WWW-Authenticate"].startswith("Bearer")
    for said in ("", "Bearer", "Bearer x", "Bearer mtok_" + "A" * 43, "Basic eDp5", "Bearer " + "é" * 50):
        response = client.get("/venue/api/requests", headers={"Authorization": said})
        assert problem(response) == (401, "key_invalid"), said


def test_scopes_narrow_and_roles_hold(who: Any) -> None:
    from mtok.venue.accounts import api_keys

    reading, requesting = Program(who.buyer, "read"), Program(who.buyer, "requests")
    assert problem(reading.post("/requests", REQUEST)) == (403, "scope_missing")
    made = requesting.post("/requests", REQUEST).json()
    assert problem(requesting.get("/requests")) == (403, "scope_missing")
    assert reading.get(f"/requests/{made['id']}").status_code == 200
    deciding = Program(who.buyer, "approvals")
    assert problem(deciding.post(f"/requests/{made['id']}/cancel")) == (403, "scope_missing")
    _, key = api_keys.make(replace(who.desk, scopes=None), "desk", ["read"], 30)
    response = Client(headers={"host": "localhost"}).get(
        "/venue/api/requests", headers={"Authorization": f"Bearer {key}"}
    )
    assert problem(response) == (401, "key_invalid")


GETS = (
    "/requests/{}",
    "/terms/{}",
    "/terms/{}/canonical",
    "/contracts/{}",
    "/contracts/{}/contact",
    "/contracts/{}/confirmation",
    "/contracts/{}/fpml",
    "/contracts/{}/marks",
    "/contracts/{}/statement",
)
POSTS = (
    ("/requests/{}/amend", {"lots": 1, "month": "2026-08"}),
    *((f"/requests/{{}}/{name}", None) for name in ("confirm", "pause", "resume", "cancel")),
    ("/terms/{}/approve", {"digest": "0" * 64}),
    ("/terms/{}/decline", None),
    ("/terms/{}/ask", {"digest": "0" * 64, "price": "12.4", "lots": 5}),
    (
        "/contracts/{}/dispute",
        {"date": "2026-08-03", "price": "12.4", "reason": "It differs.", "evidence": ["e" * 64]},
    ),
    ("/contracts/{}/agree", {"date": "2026-08-03", "price": "12.4"}),
    ("/contracts/{}/terminate", {"price": "12.4"}),
)


@pytest.mark.parametrize(
    "scopes", [("read", "requests", "approvals"), ("read",), ("requests",), ("approvals",)]
)
def test_what_is_not_yours_is_as_if_missing(clock: venues.Clock, who: Any, scopes: tuple[str, ...]) -> None:
    """Of requests in three states, terms and a contract: status, headers and body but for the id that was asked for."""
    from mtok.venue.participants import actions

    contract = participating.booked(clock, who)
    ids = [actions.submit(who.seller, ASKED | FIRM) for _ in range(3)]
    participating.accepted(who, *ids[:2])
    actions.cancel(who.seller, ids[0])
    stranger = Program(who.other, *scopes)
    compared = 0
    for template, content in [*((one, ()) for one in GETS), *POSTS]:
        answers = set()
        for identity in (MISSING, contract, *ids):
            path = template.format(identity)
            response = (
                stranger.get(path) if content == () else stranger.post(path, content, Second_Factor=CODE)
            )
            assert response.status_code in (403, 404), (path, response.content)
            headers = sorted(response.headers.items())
            answers.add((response.status_code, str(headers), response.content.decode().replace(identity, "")))
            compared += 1
        assert len(answers) == 1, (template, answers)
    assert compared == 5 * (len(GETS) + len(POSTS))


def test_every_operation_is_compared(who: Any) -> None:
    """An operation with an id that is not in the lists above fails here."""
    from mtok.venue.participants.api.venue import api

    found = {
        (method, path.removeprefix("/venue/api").replace("{identity}", "{}"))
        for path, methods in api.get_openapi_schema()["paths"].items()
        for method in methods
        if "{identity}" in path
    }
    assert found == {("get", one) for one in GETS} | {("post", one) for one, _ in POSTS}


@pytest.mark.parametrize(
    ("raw", "kind", "expected"),
    [
        (b"{", "application/json", (400, "body_invalid")),
        (b"[]", "application/json", (400, "body_invalid")),
        (b'{"lots": 1, "lots": 2}', "application/json", (400, "body_invalid")),
        (b"{}", "text/plain", (400, "body_invalid")),
        (b"\xff", "application/json", (400, "body_invalid")),
        (b"[" * 9999, "application/json", (400, "body_invalid")),
        (b"{}" + b" " * 20_000, "application/json", (400, "body_too_large")),
        (b"{}", "application/json", (422, "fields_invalid")),
        (b'{"lots": 1.0}', "application/json", (422, "fields_invalid")),
        (b'{"lots": NaN}', "application/json", (422, "fields_invalid")),
        (b'{"\\ud800": "\\udfff"}', "application/json", (422, "fields_invalid")),
        (b'{"reference": {"a": 1}}', "application/json", (422, "fields_invalid")),
    ],
)
def test_hostile_bodies(who: Any, raw: bytes, kind: str, expected: tuple[int, str]) -> None:
    program = Program(who.buyer)
    response = Client(headers={"host": "localhost"}).post(
        "/venue/api/requests",
        raw,
        content_type=kind,
        headers={"Authorization": f"Bearer {program.key}", "Idempotency-Key": "k"},
    )
    assert problem(response) == expected


def test_a_refusal_names_each_field(who: Any) -> None:
    response = Program(who.buyer).post("/requests", REQUEST | {"lots": "x", "limit": 12.5})
    assert problem(response) == (422, "fields_invalid")
    fields = {one["field"]: one["found"] for one in response.json()["fields"]}
    assert fields == {"lots": "'x' is no whole number", "limit": "Decimal is no text"}
    later = Program(who.buyer).post("/requests", REQUEST | {"month": "2028-01"})
    assert problem(later) == (422, "maturity_off_grid")


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("post", "/clock", (405, "method_not_allowed")),
        ("get", "/requests/x/cancel", (405, "method_not_allowed")),
        ("put", "/requests", (405, "method_not_allowed")),
        ("get", "/nothing", (404, "page_unknown")),
        ("get", "/requests/%00", (404, "not_found")),
        ("get", "/requests/" + "A" * 23, (404, "not_found")),
    ],
)
def test_addresses_and_methods_that_are_none(
    who: Any, method: str, path: str, expected: tuple[int, str]
) -> None:
    key = Program(who.buyer).key
    client = Client(headers={"host": "localhost"})
    response = getattr(client, method)(f"/venue/api{path}", headers={"Authorization": f"Bearer {key}"})
    assert problem(response) == expected


def test_answers_are_as_described(clock: venues.Clock, who: Any) -> None:
    """Every field of every answer is in the description, and the other way round."""
    described = Client(headers={"host": "localhost"}).get("/venue/api/openapi.json").json()
    identity = participating.booked(clock, who)
    buyer = Program(who.buyer)
    asked = {
        "/requests": buyer.get("/requests").json(),
        "/terms": buyer.get("/terms").json(),
        "/contracts": buyer.get("/contracts").json(),
        "/contracts/{identity}": buyer.get(f"/contracts/{identity}").json(),
        "/specification": buyer.get("/specification").json(),
        "/references": buyer.get("/references").json(),
        "/clock": buyer.get("/clock").json(),
    }
    for path, answer in asked.items():
        operation = described["paths"][f"/venue/api{path}"]["get"]
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        assert not set(undocumented(answer, schema, described)), path
        one = answer[0] if isinstance(answer, list) else answer
        named = schema.get("items", schema)["$ref"].rpartition("/")[2]
        assert one.keys() == described["components"]["schemas"][named]["properties"].keys(), path


def test_the_committed_description_is_the_served_one() -> None:
    served = Client(headers={"host": "localhost"}).get("/venue/api/openapi.json").json()
    assert json.loads(DOCUMENT.read_text()) == served, f"renew it: {RENEW}"


DOCS = (Path(__file__).parents[1] / "docs" / "venue-api.md").read_text("utf-8")
SOURCE = Path(__file__).parents[1] / "src" / "mtok" / "venue"


def test_every_operation_stands_in_the_document() -> None:
    from mtok.venue.participants.api.venue import api

    listed: set[tuple[str, str]] = set()
    for row in re.findall(r"^\| (`(?:GET|POST) [^|]+) \|", DOCS, re.MULTILINE):
        kind = base = ""
        for method, path in re.findall(r"`(?:(GET|POST) )?(/[^`]+)`", row):
            kind = method or kind
            base = path if method else base
            whole = path if method else f"{base.rpartition('/')[0]}{path}"
            listed.add((kind.lower(), f"/venue/api{whole}".replace("{id}", "{identity}")))
    paths = api.get_openapi_schema()["paths"]
    assert listed == {(method, path) for path, methods in paths.items() for method in methods}


def test_every_refusal_of_this_layer_stands_in_the_document() -> None:
    files = [*(SOURCE / "participants").rglob("*.py"), SOURCE / "database" / "answering.py"]
    raised = {
        code
        for file in files
        for code in re.findall(r'(?:Refused|BadCall|BadInput|__init__)\(\s*"(\w+)"', file.read_text("utf-8"))
    }
    assert raised >= {"not_found", "scope_missing", "key_invalid", "idempotency_key_reused", "fields_invalid"}
    assert {code for code in raised if f"`{code}`" not in DOCS} == set()
