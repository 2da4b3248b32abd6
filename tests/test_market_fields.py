"""What a request has to be: every field, the contact and the quotas, each at the very edge from which it is refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from mtok.calendar import DAY, SECOND, parse_date, parse_instant
from mtok.market.book import Book, apply
from mtok.market.commands import Command
from mtok.market.cycle import HOUR
from mtok.market.margin import Side
from mtok.market.months import month_number
from mtok.market.parties import Party
from mtok.market.references import Reference
from mtok.market.requests import Amendment, Request
from mtok.settlement.machines import Refused
from mtok.settlement.people import Actor, Role
from mtok.settlement.specification import specification

NOW = parse_instant("2026-06-15T09:00:00Z")
CLOSING = parse_instant("2026-07-27T00:00:00Z")
"""Five days before August."""
EXPIRES = parse_instant("2026-07-27T15:00:00Z")
USER = Actor(person="u", role=Role.PARTICIPANT_USER, party="p")
RIGHT = Request(
    id="r",
    party="p",
    person="u",
    reference="series",
    methodology="1",
    side=Side.BUY,
    lots=10,
    min_lots=10,
    maturity=month_number("2026-08"),
    expires=EXPIRES,
    state="draft",
)


def book_of(*others: Request, printed: int = 54, contact: str = "desk") -> Book:
    party = Party(
        id="p",
        group="g",
        legal_name="Company",
        lei="529900T8BM49AURSDO55",
        contact=contact,
        credit_class="A",
        accepts=frozenset("A"),
        known_until=NOW // DAY + 1_000,
    )
    references = {
        name: Reference(reference=name, methodology="1", printed=printed, mark=None)
        for name in ("series", "model:a/b")
    }
    requests = {one.id: one for one in others}
    return Book(rules=specification(), parties={"p": party}, references=references, requests=requests)


def submitted(wanted: Request, *others: Request, now: int = NOW, **of: Any) -> str:
    """Return the code with which a request is refused, and "" for one that is not."""
    book = book_of(*others, wanted, **of)
    try:
        apply(book, Command(kind="request", command="submit", id="r", actor=USER, at=now))
    except Refused as refused:
        return str(refused.code)
    return ""


CASES: list[tuple[str, list[dict[str, Any]], list[dict[str, Any]]]] = [
    ("reference_not_offered", [{}], [{"reference": "unheard"}, {"methodology": "2"}]),
    ("size_below_minimum", [{"lots": 1, "min_lots": 1}], [{"lots": 0, "min_lots": 1}, {"filled": 10}]),
    ("size_above_maximum", [{"lots": 10**6}], [{"lots": 10**6 + 1}]),
    ("minimum_invalid", [{"min_lots": 1}, {"min_lots": 10}], [{"min_lots": 0}, {"min_lots": 11}]),
    ("minimum_invalid", [{"min_lots": 8, "filled": 2}], [{"min_lots": 9, "filled": 2}]),
    (
        "maturity_off_grid",
        [{"maturity": month_number("2026-07"), "expires": NOW // DAY * DAY + 15 * HOUR}],
        [{"maturity": month_number("2026-06")}, {"maturity": month_number("2027-07")}],
    ),
    ("maturity_off_grid", [{"maturity": month_number("2027-06")}], [{"maturity": month_number("2027-07")}]),
    ("tolerance_invalid", [{"tolerance": 0}, {"tolerance": 12}], [{"tolerance": -1}, {"tolerance": 13}]),
    (
        "limit_out_of_range",
        [{"limit": None}, {"limit": 1}, {"limit": 10**9}],
        [{"limit": 0}, {"limit": 10**9 + 1}],
    ),
    (
        "expiry_invalid",
        [{"expires": EXPIRES}, {"expires": NOW // DAY * DAY + 15 * HOUR}],
        [
            {"expires": EXPIRES + DAY},
            {"expires": EXPIRES - SECOND},
            {"expires": NOW // DAY * DAY - 9 * HOUR},
        ],
    ),
]


@pytest.mark.parametrize(("code", "right", "wrong"), CASES, ids=lambda one: str(one)[:20])
def test_every_field_at_its_edge(code: str, right: list[dict[str, Any]], wrong: list[dict[str, Any]]) -> None:
    for changes in right:
        assert submitted(msgspec.structs.replace(RIGHT, **changes)) == ""
    for changes in wrong:
        assert submitted(msgspec.structs.replace(RIGHT, **changes)) == code


def test_instants_at_their_second() -> None:
    """A month closes five days before it; at its own expiry a request is too late, and in its month off the grid."""
    wanted = msgspec.structs.replace(RIGHT, expires=CLOSING - 9 * HOUR)
    assert submitted(RIGHT, now=CLOSING - SECOND) == ""
    assert submitted(RIGHT, now=CLOSING) == "maturity_closed"
    assert submitted(RIGHT, now=parse_date("2026-08-01") * DAY - SECOND) == "maturity_closed"
    assert submitted(RIGHT, now=parse_date("2026-08-01") * DAY) == "maturity_off_grid"
    assert submitted(wanted, now=wanted.expires - SECOND) == ""
    assert submitted(wanted, now=wanted.expires) == "expiry_invalid"


def test_a_reference_prints_on_nine_days_of_ten() -> None:
    assert submitted(RIGHT, printed=54) == ""
    assert submitted(RIGHT, printed=53) == "reference_not_offered"


def test_a_contact_stands_before_the_quotas() -> None:
    assert submitted(RIGHT, *others(20), contact="") == "contact_missing"


def others(count: int, **changes: Any) -> list[Request]:
    return [
        msgspec.structs.replace(RIGHT, id=f"r{one}", **{"state": "live", "side": Side.SELL} | changes)
        for one in range(count)
    ]


@pytest.mark.parametrize("state", ["submitted", "live", "paused"])
def test_quotas_at_their_edge(state: str) -> None:
    """Twenty requests of a participant at once, three of them to one side of one reference."""
    assert submitted(RIGHT, *others(19, state=state)) == ""
    assert submitted(RIGHT, *others(20, state=state)) == "quota_live"
    assert submitted(RIGHT, *others(2, state=state, side=Side.BUY)) == ""
    assert submitted(RIGHT, *others(3, state=state, side=Side.BUY)) == "quota_side"
    assert submitted(RIGHT, *others(3, state=state, side=Side.BUY, reference="model:a/b")) == ""


@pytest.mark.parametrize("changes", [{"state": "draft"}, {"state": "cancelled"}, {"party": "q"}])
def test_what_does_not_count_against_the_quotas(changes: dict[str, Any]) -> None:
    assert submitted(RIGHT, *others(20, side=Side.BUY, **changes)) == ""


AMENDED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("limit_out_of_range", {"limit": 10**9}, {"limit": 0}),
    ("tolerance_invalid", {"tolerance": 12}, {"tolerance": 13}),
    (
        "maturity_off_grid",
        {"maturity": month_number("2027-06")},
        {"maturity": month_number("2027-07")},
    ),
]


@pytest.mark.parametrize(("code", "right", "wrong"), AMENDED, ids=lambda one: str(one)[:20])
def test_an_amendment_has_the_fields_of_a_request(
    code: str, right: dict[str, Any], wrong: dict[str, Any]
) -> None:
    live = msgspec.structs.replace(RIGHT, state="live", asked=10)
    same = {name: getattr(live, name) for name in Amendment.__struct_fields__}

    def code_of(changes: dict[str, Any]) -> str:
        details = Amendment(**same | changes)
        command = Command(kind="request", command="amend", id="r", actor=USER, at=NOW, details=details)
        try:
            apply(book_of(live), command)
        except Refused as refused:
            return str(refused.code)
        return ""

    assert (code_of(right), code_of(wrong)) == ("", code)
