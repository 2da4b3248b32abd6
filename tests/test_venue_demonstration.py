"""The demonstration: every state that can be shown is there, everybody's pages answer, and it is made once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from mtok.calendar import parse_instant
from mtok.market.book import MACHINES
from mtok.settlement import marks
from mtok.settlement.machines import NEW
from venue_commands import refused

CANNOT: Final = {
    "request": {NEW},
    "proposal": {NEW, "both_approved"},  # the second approval books in the same step
    "contract": {
        NEW,
        "final_pending",  # these three: the earliest window ends with July, and the sample ends in June
        "settled",
        "closed",
    },
    "mark": {
        NEW,
        "upheld",  # a dispute is judged by two operators: it is there to be judged
        "corrected",  # the sample has no later vintage of a day
    },
}
"""States of which nothing can be shown, or nothing is; why."""

PAGES: Final = {
    "ada": ("/venue/", "/account/"),
    "bo": ("/venue/", "/account/"),
    "bea": ("/venue/", "/venue/requests", "/venue/terms", "/venue/contracts", "/venue/notifications"),
    "sol": ("/venue/", "/venue/requests", "/venue/terms", "/venue/contracts", "/venue/notifications"),
    "dana": ("/venue/", "/venue/desk/", "/venue/desk/book", "/venue/desk/proposals", "/venue/desk/runs"),
    "toni": ("/venue/", "/venue/treasury/", "/venue/treasury/obligations"),
    "pia": ("/venue/", "/venue/marks"),
    "abel": ("/venue/", "/venue/marks"),
    "auri": ("/venue/", "/venue/audit/", "/venue/audit/accounts", "/venue/audit/requests"),
}

LOOK: Final = """
import json, sys
from pathlib import Path
from mtok.cli.venue_demo import make_demo
logins = make_demo(Path(sys.argv[1]))["logins"]
from django.test import Client
from mtok.venue.accounts.factors import code_of, step_now
from mtok.venue.upkeep.checked import findings
from mtok.venue.database.records import KINDS
states = {kind: sorted(set(of.table.objects.values_list("state", flat=True))) for kind, of in KINDS.items()}
answers = {}
for login in logins:
    name = login["address"].partition("@")[0]
    client = Client(headers={"host": "localhost"})
    client.post("/account/login/", {"login": login["address"], "password": login["password"]}, secure=True)
    client.post("/account/2fa/authenticate/", {"code": code_of(login["secret"], step_now())}, secure=True)
    for page in json.loads(sys.argv[2])[name]:
        answers[f"{name} {page}"] = client.get(page, secure=True).status_code
from mtok.venue import place
found = [one.found for one in findings()]
print(json.dumps({"now": place.now(), "states": states, "answers": answers, "findings": found}))
"""


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What there is in a demonstration, and how it came to be: `first` and `second`, what the command has said."""
    store = tmp_path_factory.mktemp("demonstration") / "store"
    environment = {name: value for name, value in os.environ.items() if name != "MTOK_NOW"}
    command = [sys.executable, "-m", "mtok", "venue", "demo", "--store", str(store), "--json"]
    said = [
        subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        for _ in range(2)
    ]
    assert [one.returncode for one in said] == [0, 0], said[0].stderr
    looked = subprocess.run(
        [sys.executable, "-c", LOOK, store, json.dumps(PAGES)],
        env=environment | {"MTOK_STORE": str(store)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert looked.returncode == 0, looked.stderr
    found: dict[str, Any] = json.loads(looked.stdout)
    return found | {
        "first": json.loads(said[0].stdout),
        "second": json.loads(said[1].stdout),
    }


@pytest.mark.parametrize("name", ["DATABASE_URL", "MTOK_VENUE_FOLDER"])
def test_it_touches_no_venue_that_the_environment_names(tmp_path: Path, name: str) -> None:
    other = tmp_path / "other"
    address = f"sqlite:///{other}" if name == "DATABASE_URL" else str(other)
    command = ["venue", "demo", "--store", str(tmp_path / "store")]
    assert refused(*command, status=2, **{name: address}) == "demo_elsewhere"
    assert not other.exists()
    assert not (tmp_path / "store" / "venue").exists()


@pytest.mark.long
def test_every_state_that_can_be_shown_is_there(shown: dict[str, Any]) -> None:
    machines = {**MACHINES, "mark": marks.MACHINE}
    for kind, machine in machines.items():
        assert set(shown["states"][kind]) == set(machine.states) - CANNOT[kind]


@pytest.mark.long
def test_what_is_there_follows_from_its_history(shown: dict[str, Any]) -> None:
    assert shown["findings"] == []


@pytest.mark.long
def test_everybody_signs_in_and_their_pages_answer(shown: dict[str, Any]) -> None:
    assert {page: status for page, status in shown["answers"].items() if status != 200} == {}
    assert len(shown["first"]["logins"]) == 9


@pytest.mark.long
def test_a_second_start_shows_the_same(shown: dict[str, Any]) -> None:
    assert shown["first"] == shown["second"]


@pytest.mark.long
def test_the_clock_stands_where_the_story_ends(shown: dict[str, Any]) -> None:
    assert shown["now"] == parse_instant("2026-06-27T15:05:00Z") == parse_instant(shown["first"]["now"])
