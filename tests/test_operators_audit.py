"""What auditors read: everything that happened, of every record the fields the reveal table gives them and no other."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import operated
import people
import venues
from mtok.calendar import format_instant
from mtok.market import reveal
from mtok.market.margin import Side
from mtok.settlement.people import Role
from operated import BOTH, RUN, Signing, client, submitted, text_of, words_of

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[venues.Clock]:
    with operated.market(tmp_path / "venue.sqlite3", monkeypatch) as clock:
        yield clock


@pytest.fixture
def auditor(clock: venues.Clock) -> Any:
    return Signing(people.person("Audrey", Role.AUDITOR), clock)


def booked(clock: venues.Clock) -> str:
    """Let two participants come to a contract; return its id."""
    from mtok.market.proposals import Nonces
    from mtok.venue.otc import clockwork, trading

    buyer = people.person("Betty", *BOTH, organisation=people.organisation("Alder & Sons"))
    seller = people.person("Selma", *BOTH, organisation=people.organisation("Birch", people.LEIS[1]))
    desk = people.person("Desk", Role.DESK)
    for who, name, side in ((buyer, "b", Side.BUY), (seller, "s", Side.SELL)):
        submitted(who, name, side)
        trading.give(desk, "request", "accept", name)
    clock.instant = RUN + 60_000_000
    clockwork.make_runs(clock())
    [pair] = trading.all_open(desk, Role.DESK)["proposal"]
    trading.give(desk, "proposal", "send", pair["id"], Nonces(buyer="01" * 32, seller="02" * 32))
    [terms] = trading.own(buyer)["proposal"]
    for who in (buyer, seller):
        trading.give(people.shown(who, clock()), "proposal", "approve", pair["id"], terms["terms_sha256"])
    return str(pair["id"])


def everything(auditor: Any) -> list[str]:
    """Return every page and file that an auditor can read, as text."""
    addresses = [
        "audit/",
        "audit/log.csv",
        "audit/log.jsonl",
        *(f"audit/{kind}s" for kind in ("request", "proposal", "contract")),
        "audit/runs",
        "audit/disruptions",
        "audit/accounts",
    ]
    from mtok.venue.database.records import KINDS

    for kind in ("request", "proposal", "contract"):
        addresses += [
            f"audit/{kind}s/{name}" for name in KINDS[kind].table.objects.values_list("pk", flat=True)
        ]
    answers = [auditor.get(f"/venue/{address}") for address in addresses]
    assert {answer.status_code for answer in answers} == {200}
    return [text_of(answer) for answer in answers]


def test_nothing_of_names_contacts_and_commitments_is_in_what_an_auditor_reads(
    clock: venues.Clock, auditor: Any
) -> None:
    contract = booked(clock)
    pages = everything(auditor)
    assert sum(contract in page for page in pages) > 4
    hidden = ("Alder", "Birch", *people.LEIS[:2], "01" * 32, "02" * 32, "Betty", "Selma", "betty@", "selma@")
    for text in (*hidden, "firm_until", "confirmed_for", "openings", "nonce"):
        assert not [page for page in pages if text in page], text
    assert not [page for page in pages if str(operated.FIRM_UNTIL) in page or "19 Jul 2026" in page]


def test_an_event_says_what_changed(clock: venues.Clock, auditor: Any) -> None:
    booked(clock)
    lines = [
        json.loads(line) for line in text_of(auditor.get("/venue/audit/log.jsonl?object=b")).splitlines()
    ]
    commands = [line["command"] for line in lines if line["kind"] == "request"]
    assert commands[:3] == ["request.draft", "request.submit", "request.accept"]
    accepted = next(line for line in lines if line["command"] == "request.accept")
    assert accepted["changes"] == {
        "state": {"before": "submitted", "after": "live"},
        "accepted_at": {"before": "", "after": str(venues.NOON)},
    }
    assert accepted["at"] == format_instant(venues.NOON)
    drafted = json.loads(lines[0]["details"])
    seen = set(reveal.revealed("request", reveal.Relation.AUDITOR, "any")) | {"lots"}
    assert drafted.keys() <= seen
    matched = next(line for line in lines if line["command"] == "proposal.match")
    assert matched["changes"]["reserved"] == {"before": "0", "after": "25"}


def test_who_confirmed_is_told_once_the_run_is_over(clock: venues.Clock, auditor: Any) -> None:
    from mtok.venue.otc import clockwork, trading

    user = people.person("User", *BOTH, organisation=people.organisation("Alder"))
    submitted(user, "b", Side.BUY, firm_until=None)
    trading.give(people.person("Desk", Role.DESK), "request", "accept", "b")
    trading.give(user, "request", "confirm", "b")
    for address in ("audit/", "audit/log.csv", "audit/log.jsonl", "audit/requests/b"):
        assert "request.confirm" not in text_of(auditor.get(f"/venue/{address}"))
    clock.instant = RUN
    clockwork.make_runs(clock())
    assert "request.confirm" in text_of(auditor.get("/venue/audit/"))


def test_the_log_is_filtered(clock: venues.Clock, auditor: Any) -> None:
    from mtok.venue.database.models import Event

    booked(clock)
    everything_logged = text_of(auditor.get("/venue/audit/log.jsonl")).splitlines()
    assert len(everything_logged) == Event.objects.count()

    def lines(query: str) -> list[dict[str, Any]]:
        return [
            json.loads(one) for one in text_of(auditor.get(f"/venue/audit/log.jsonl?{query}")).splitlines()
        ]

    assert {one["kind"] for one in lines("kind=contract")} == {"contract"}
    person = lines("kind=contract")[0]["person"]
    assert {one["person"] for one in lines(f"person={person}")} == {person}
    assert lines("first=2026-06-24") == []
    assert len(lines("first=2026-06-21&last=2026-06-23")) == Event.objects.count()
    assert {one["at"][:10] for one in lines("first=2026-06-22&last=2026-06-22")} == {"2026-06-22"}
    for wrong in ("kind=account", "first=yesterday", f"person={'x' * 65}", "object=%00", "last=2026-02-30"):
        assert auditor.get(f"/venue/audit/log.jsonl?{wrong}").status_code == 400, wrong
    assert auditor.get("/venue/audit/?before=x").status_code == 400
    assert "No event answers to this." in words_of(auditor.get("/venue/audit/?first=2026-06-24"))


def test_long_logs_are_paged_by_id(clock: venues.Clock, auditor: Any) -> None:
    from mtok.venue.database import runs
    from mtok.venue.database.models import Event

    for number in range(120):
        runs.keep(number * 1_000_000, runs.OUTPUTS, "[]")
    seen: list[int] = []
    address = "/venue/audit/?kind=run"
    while address:
        page = text_of(auditor.get(address))
        ids = [int(one.split("<")[0]) for one in page.split("· event ")[1:]]
        assert len(ids) <= 50
        seen += ids
        link = page.partition('" rel="next"')[0].rpartition('href="')[2] if 'rel="next"' in page else ""
        address = f"/venue/audit/{link.replace('&amp;', '&')}" if link else ""
    assert seen == sorted(Event.objects.filter(kind="run").values_list("pk", flat=True), reverse=True)


def test_an_export_that_is_too_long_says_so(
    clock: venues.Clock, auditor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mtok.venue.operators import audit

    booked(clock)
    monkeypatch.setattr(audit, "EXPORT_MAX", 3)
    answer = auditor.get("/venue/audit/log.csv")
    assert (answer.status_code, "export_too_long" in text_of(answer)) == (413, True)


def test_a_spreadsheet_takes_nothing_for_a_formula(clock: venues.Clock, auditor: Any) -> None:
    from mtok.venue.otc import trading

    user = people.person("User", *BOTH, organisation=people.organisation("Alder"))
    submitted(user, "-b", Side.BUY)
    trading.give(people.person("Desk", Role.DESK), "request", "reject", "-b", '=HYPERLINK("http://x"),+1')
    answer = auditor.get("/venue/audit/log.csv")
    assert answer["Content-Disposition"] == 'attachment; filename="audit-log.csv"'
    rows = list(csv.reader(io.StringIO(answer.content.decode(), newline="")))
    assert rows[0][:4] == ["id", "at", "kind", "object"]
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))]
    assert any("HYPERLINK" in cell for row in rows for cell in row)


def test_what_people_write_is_text_to_a_browser(clock: venues.Clock, auditor: Any) -> None:
    from mtok.venue.otc import trading

    user = people.person("User", *BOTH, organisation=people.organisation("Alder"))
    submitted(user, "b", Side.BUY)
    trading.give(people.person("Desk", Role.DESK), "request", "reject", "b", HOSTILE)
    for address in ("audit/", "audit/requests/b", f"audit/?object={HOSTILE}", f"audit/?person={HOSTILE}"):
        page = text_of(auditor.get(f"/venue/{address}"))
        assert "<script>alert" not in page
        assert "&lt;script&gt;" in page


def test_an_object_is_shown_whole_as_the_table_gives_it(clock: venues.Clock, auditor: Any) -> None:
    contract = booked(clock)
    page = words_of(auditor.get(f"/venue/audit/contracts/{contract}"))
    assert "State booked" in page
    assert "quantity mtok 2500" in page
    assert "proposal.approve" in page
    assert auditor.get("/venue/audit/contracts/nothing").status_code == 404
    assert auditor.get("/venue/audit/marks").status_code == 404


def test_every_field_an_operator_is_given_has_words() -> None:
    """Seeded: without `reason` in the words the auditor's request loses a line."""
    from mtok.venue.operators.describing import _FIELDS

    given = {
        name
        for row in reveal.TABLE
        if row.relation in (reveal.Relation.DESK, reveal.Relation.TREASURY, reveal.Relation.AUDITOR)
        for name in row.fields
    }
    assert given - _FIELDS.keys() == {"terms", "days"}, "tables of their own"


def test_what_one_person_said_and_took_back_is_not_forgotten(clock: venues.Clock, auditor: Any) -> None:
    from mtok.venue.otc import trading

    user = people.person("User", *BOTH, organisation=people.organisation("Alder"))
    submitted(user, "b", Side.BUY)
    desk, night = people.person("Desk", Role.DESK), people.person("Night", Role.DESK)
    assert "Nobody has said anything" in words_of(auditor.get("/venue/audit/said"))
    trading.withdraw(desk, trading.intend(desk, "request", "suspend", "b", HOSTILE).pk)
    said = trading.intend(night, "request", "suspend", "b", "abuse")
    page = auditor.get("/venue/audit/said")
    assert f"{desk.person} , desk {HOSTILE} taken back" in words_of(page)
    assert f"{night.person} , desk abuse waits" in words_of(page)
    assert "<script>alert" not in text_of(page)
    trading.confirm(desk, said.pk, said.digest, "abuse")
    assert "abuse confirmed" in words_of(auditor.get("/venue/audit/said"))


def test_the_account_log_tells_auditors_no_names(clock: venues.Clock, auditor: Any) -> None:
    """An auditor sees every party by its id; whose id it is would open the whole market to them."""
    from mtok.venue.accounts.events import happened

    happened("applied", "party-id", None, legal_name="Alder & Sons", lei=people.LEIS[0])
    happened("change.proposed", "change-id", None, kind="grant", role="desk", login=7)
    page = words_of(auditor.get("/venue/audit/accounts"))
    assert "party-id" in page
    assert '{"kind": "grant", "role": "desk", "login": 7}' in page
    assert "Alder" not in page
    assert people.LEIS[0] not in page
    admin = words_of(client(people.person("Ada", Role.ADMIN), clock()).get("/venue/audit/accounts"))
    assert "Alder & Sons" in admin
    assert "Proposals" not in admin


def test_an_admin_reads_of_accounts_alone(clock: venues.Clock) -> None:
    admin = client(people.person("Ada", Role.ADMIN), clock())
    assert admin.get("/venue/audit/accounts").status_code == 200
    for address in ("audit/", "audit/requests", "audit/log.jsonl", "audit/runs", "desk/notices"):
        assert admin.get(f"/venue/{address}").status_code == 404
