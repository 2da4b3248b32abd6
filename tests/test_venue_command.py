"""`mtok venue`: made once whatever interrupts it, held against its history, served once it is there."""

from __future__ import annotations

import re
import sqlite3
import urllib.request
from pathlib import Path

import pytest

from mtok.errors import BadCall
from peopled import founding
from served import serving
from venue_commands import ADDRESSES, ADMINS, checked, made, mtok, refused


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


WITHOUT_ALLAUTH = """
import importlib.abc
class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("allauth", "pydantic_settings"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name: None if name in ("allauth", "pydantic_settings") else found(name)
"""


@pytest.mark.parametrize("command", ["init", "check", "ledger", "work", "demo", "restore"])
def test_packages_that_are_not_installed_are_named(tmp_path: Path, command: str) -> None:
    store, backup = tmp_path / "store", tmp_path / "backup"
    if command == "restore":
        (backup / "venue").mkdir(parents=True)
        arguments = ["restore", str(backup)]
    else:
        store.mkdir()
        arguments = ["venue", command]
    outcome = mtok(*arguments, "--store", str(store), program=WITHOUT_ALLAUTH)
    assert outcome.returncode == 2, outcome.stderr
    assert "serving needs pydantic_settings, allauth" in outcome.stderr


def test_a_venue_with_admins_takes_no_others_from_here(venue_store: Path) -> None:
    other = ["--admin", "Cy <cy@example.org>", *ADMINS]
    assert refused("venue", "init", "--store", str(venue_store), *other, status=2) == "admins_there"
    assert is_founded_once(venue_store)


def test_another_master_key_is_noticed(venue_store: Path) -> None:
    """By a database that knows which it was founded with; keys are not made where others are missing."""
    key = venue_store / "venue" / "master_key"
    right = key.read_text()
    key.write_text("00" * 32 + "\n")
    for command in (["venue", "init"], ["venue", "check"]):
        assert refused(*command, "--store", str(venue_store), status=3) == "venue_keys_differ"
    key.unlink()
    assert refused("venue", "init", "--store", str(venue_store), status=3) == "venue_keys_differ"
    assert not key.exists()
    key.write_text(right)
    made(venue_store)


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


def test_an_older_database_is_not_served(venue_store: Path) -> None:
    database = sqlite3.connect(venue_store / "venue" / "venue.sqlite3")
    database.execute("DELETE FROM django_migrations WHERE app = 'accounts' AND name LIKE '0002%'")
    database.commit()
    database.close()
    assert refused("venue", "check", "--store", str(venue_store), status=3) == "venue_outdated"


def test_it_is_served(venue_store: Path) -> None:
    with (
        serving(venue_store, arguments="--venue") as address,
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
def test_what_does_not_follow_from_the_history_is_found(
    venue_store: Path, statement: str, expected: str
) -> None:
    database = sqlite3.connect(venue_store / "venue" / "venue.sqlite3")
    columns = [row[1] for row in database.execute("PRAGMA table_info(request)")]
    order = "id state version record party reference lots reserved filled expires".split()
    database.execute(statement.replace("INTO request", f"INTO request ({', '.join(order)})"))
    assert sorted(columns) == sorted(order)
    database.commit()
    database.close()
    status, findings = checked(venue_store)
    assert status == 1
    assert any(expected in one for one in findings), findings


def test_the_links_lead_to_the_reset_of_a_password(venue_store: Path) -> None:
    found = made(venue_store, MTOK_BASE_URL="https://venue.example.org")
    for one in found["entrances"]:
        assert re.fullmatch(
            r"https://venue\.example\.org/account/password/reset/key/[0-9a-z]+-[0-9a-z]+-[0-9a-f]{32}/",
            one["link"],
        )
