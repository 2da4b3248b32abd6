"""`mtok venue`: made once whatever interrupts it, held against its history, served once it is there."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from mtok.errors import BadCall
from peopled import founding
from served import serving

ADMINS = ["--admin", "Ada Example <ada@example.org>", "--admin", "Bo Example <Bo@example.org>"]
ADDRESSES = ["ada@example.org", "bo@example.org"]


def mtok(*arguments: str, program: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own, as Django's settings are taken once in each. program : run before it"""
    script = f"import sys\n{program}\nfrom mtok.cli import main\nsys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def made(store: Path, *arguments: str, **environment: str) -> dict[str, Any]:
    """Run `mtok venue init` and return what it says."""
    outcome = mtok("venue", "init", "--store", str(store), "--json", *arguments, **environment)
    assert outcome.returncode == 0, outcome.stderr
    found: dict[str, Any] = json.loads(outcome.stdout)
    return found


def refused(*arguments: str, status: int, **environment: str) -> str:
    """Run a command that is refused and return the code."""
    outcome = mtok(*arguments, "--json", **environment)
    assert outcome.returncode == status, outcome.stdout + outcome.stderr
    return str(json.loads(outcome.stdout)["error"]["code"])


def checked(store: Path) -> tuple[int, list[str]]:
    """Run `mtok venue check`; return its exit status and what it found."""
    outcome = mtok("venue", "check", "--store", str(store), "--json")
    return outcome.returncode, [one["found"] for one in json.loads(outcome.stdout)["findings"]]


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a venue; not to be changed."""
    store = tmp_path_factory.mktemp("founded")
    made(store, *ADMINS)
    return store


@pytest.fixture
def store(founded: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(founded, tmp_path / "store"))


def is_founded_once(store: Path) -> bool:
    """Whether a venue has two admins, two persons, and no more decisions than that takes."""
    with sqlite3.connect(store / "venue" / "venue.sqlite3") as database:
        counts = [
            database.execute(f"SELECT count(*) FROM accounts_{table}").fetchone()[0]
            for table in ("login", "person", "grant", "decision")
        ]
    database.close()
    return counts == [2, 2, 2, 4]


def test_a_venue_is_made_once(tmp_path: Path) -> None:
    """Beside a store that is not there it begins one."""
    tmp_path /= "store"
    first, again = made(tmp_path, *ADMINS), made(tmp_path)
    assert (tmp_path / "store.json").exists()
    assert (first["is_new"], again["is_new"]) == (True, False)
    assert first["admins"] == again["admins"] == ADDRESSES
    assert [one["address"] for one in again["entrances"]] == ADDRESSES
    assert is_founded_once(tmp_path)
    assert checked(tmp_path) == (0, [])
    for name in ("master_key", "secret_key"):
        assert (tmp_path / "venue" / name).stat().st_mode & 0o777 == 0o600


INTERRUPTIONS = {
    "after the first key": ("mtok.venue.upkeep.keys", "_make_key", 1),
    "before the database": ("django.core.management", "call_command", 0),
    "with one admin half made": ("mtok.venue.accounts.founding", "_record", 1),
    "with one admin made": ("mtok.venue.accounts.founding", "_record", 2),
    "before the links": ("mtok.venue.upkeep.initial", "_there_is", 0),
}


@pytest.mark.parametrize("when", INTERRUPTIONS)
def test_what_was_interrupted_is_completed_by_the_same_command(tmp_path: Path, when: str) -> None:
    """The process ends at once, as if killed, at a call that the run comes to."""
    module, name, calls = INTERRUPTIONS[when]
    program = f"""
import os
def watch(frame, event, argument, left=[{calls}]):
    called = (frame.f_globals.get("__name__"), frame.f_code.co_name)
    if event == "call" and called == ({module!r}, {name!r}):
        if not left[0]:
            os._exit(9)
        left[0] -= 1
sys.setprofile(watch)
"""
    outcome = mtok("venue", "init", "--store", str(tmp_path), *ADMINS, program=program)
    assert outcome.returncode == 9, outcome.stdout + outcome.stderr
    found = made(tmp_path, *ADMINS)
    assert [one["address"] for one in found["entrances"]] == ADDRESSES
    assert is_founded_once(tmp_path)
    assert sorted(path.name for path in (tmp_path / "venue").iterdir() if "sqlite3" not in path.name) == [
        "keys",
        "master_key",
        "secret_key",
    ]


@pytest.mark.parametrize(
    ("admins", "code"),
    [
        ([], "admins_two"),
        (ADMINS[:2], "admins_two"),
        ([*ADMINS[:2], "--admin", "Bo <ADA@example.org>"], "admins_two"),
        ([*ADMINS[:2], "--admin", "bo@example.org"], "admin_invalid"),
        ([*ADMINS[:2], "--admin", "Bo <bo@>"], "admin_invalid"),
        ([*ADMINS[:2], "--admin", "<bo@example.org>"], "admin_invalid"),
    ],
)
def test_admins_are_two_persons_with_addresses(admins: list[str], code: str) -> None:
    with pytest.raises(BadCall) as refused:
        founding.read_admins([one for one in admins if one != "--admin"])
    assert refused.value.code == code


def test_a_venue_with_admins_takes_no_others_from_here(store: Path) -> None:
    other = ["--admin", "Cy <cy@example.org>", *ADMINS]
    assert refused("venue", "init", "--store", str(store), *other, status=2) == "admins_there"
    assert is_founded_once(store)


def test_another_master_key_is_noticed(store: Path) -> None:
    """By a database that knows which it was founded with; keys are not made where others are missing."""
    key = store / "venue" / "master_key"
    right = key.read_text()
    key.write_text("00" * 32 + "\n")
    for command in (["venue", "init"], ["venue", "check"]):
        assert refused(*command, "--store", str(store), status=3) == "venue_keys_differ"
    key.unlink()
    assert refused("venue", "init", "--store", str(store), status=3) == "venue_keys_differ"
    assert not key.exists()
    key.write_text(right)
    made(store)


def test_where_there_is_no_venue_nothing_is_checked(tmp_path: Path) -> None:
    assert refused("venue", "check", "--store", str(tmp_path), status=3) == "venue_missing"


def test_nothing_serves_before_there_is_a_venue(tmp_path: Path) -> None:
    outcome = mtok("serve", "--venue", "--store", str(tmp_path))
    assert outcome.returncode == 3
    assert "has no venue" in outcome.stderr
    made_keys = mtok("venue", "init", "--store", str(tmp_path))
    assert made_keys.returncode == 2
    outcome = mtok("serve", "--venue", "--store", str(tmp_path))
    assert (outcome.returncode, "has no admins" in outcome.stderr) == (3, True)


def test_an_older_database_is_not_served(store: Path) -> None:
    database = sqlite3.connect(store / "venue" / "venue.sqlite3")
    database.execute("DELETE FROM django_migrations WHERE app = 'accounts' AND name LIKE '0002%'")
    database.commit()
    database.close()
    assert refused("venue", "check", "--store", str(store), status=3) == "venue_outdated"


def test_it_is_served(store: Path) -> None:
    with (
        serving(store, arguments="--venue") as address,
        urllib.request.urlopen(f"{address}/venue/") as answer,
    ):
        assert "Paper contracts" in answer.read().decode()


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("DELETE FROM accounts_grant WHERE login_id = 1", "does not follow from the decisions"),
        ("UPDATE accounts_login SET is_active = 0 WHERE id = 1", "does not follow from the decisions"),
        (
            "INSERT INTO request VALUES ('r', 'draft', 0, '{}', 'p', 'qwen', 1, 0, 0, 0)",
            "request r has no event",
        ),
        (
            "INSERT INTO event (at, kind, object, version, command, subject, person, role, details, state, record) "
            "VALUES (1, 'request', 'r', 0, 'draft', 'r', 'p', 'desk', '', 'draft', '{}')",
            "request r has events and no row",
        ),
    ],
)
def test_what_does_not_follow_from_the_history_is_found(store: Path, statement: str, expected: str) -> None:
    database = sqlite3.connect(store / "venue" / "venue.sqlite3")
    columns = [row[1] for row in database.execute("PRAGMA table_info(request)")]
    order = "id state version record party reference lots reserved filled expires".split()
    database.execute(statement.replace("INTO request", f"INTO request ({', '.join(order)})"))
    assert sorted(columns) == sorted(order)
    database.commit()
    database.close()
    status, findings = checked(store)
    assert status == 1
    assert any(expected in one for one in findings), findings


def test_the_links_lead_to_the_reset_of_a_password(store: Path) -> None:
    found = made(store, MTOK_BASE_URL="https://venue.example.org")
    for one in found["entrances"]:
        assert re.fullmatch(
            r"https://venue\.example\.org/account/password/reset/key/[0-9a-z]+-[0-9a-z]+-[0-9a-f]{32}/",
            one["link"],
        )
