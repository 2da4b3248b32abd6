"""Whatever is made up from the description of the venue's API is answered as described, whoever asks.

The ids that are tried are those of a market with objects of one's own and of others, and one that is missing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import participating
import people
import venues
from asking import ask
from participating import ASKED, FIRM
from test_venue_api import CODE, MISSING

OPERATIONS = 27
KEYS = '''"""What is sent with a sound key is sent with one of its own: else all would be the first one's again."""

import re
import uuid

import schemathesis


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.headers and re.fullmatch("[!-~]{1,80}", str(case.headers.get("Idempotency-Key", ""))):
        case.headers["Idempotency-Key"] = uuid.uuid4().hex
'''


class Market:
    """A served market. ids : of requests, terms, contracts, own and foreign"""

    def __init__(self, site: str, who: Any, ids: list[str], digest: str) -> None:
        self.site, self.who, self.ids = site, who, ids
        self._known = {
            "reference": ["openai", "qwen"],
            "month": ["2026-08", "2026-09"],
            "digest": [digest],
            "date": ["2026-08-03"],
        }

    def described(self, folder: Path) -> Path:
        """Return a file with the description in which these ids stand."""
        found = ask(self.site, "/venue/api/openapi.json").json
        for path in found["paths"].values():
            for operation in path.values():
                for parameter in operation["parameters"]:
                    if parameter["in"] == "path":
                        parameter["schema"] = {"type": "string", "enum": [*self.ids, MISSING]}
                    if parameter["name"] == "Second-Factor":
                        parameter["schema"] = {"type": "string", "enum": [CODE, "000000"]}
                sent = operation.get("requestBody", {"content": {"application/json": {"schema": {}}}})
                fields = sent["content"]["application/json"]["schema"].get("properties", {})
                for name in fields.keys() & self._known.keys():
                    fields[name]["enum"] = self._known[name]
        file = folder / "described.json"
        file.write_text(json.dumps(found))
        return file


@pytest.fixture
def market(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Market]:
    from mtok.venue.accounts import api_keys

    monkeypatch.setattr(api_keys, "_is_right", lambda _, code: code == CODE)
    with participating.trading_venue(tmp_path, monkeypatch) as clock:
        from mtok.venue.participants import actions, told

        who = participating.everybody()
        contract = participating.booked(clock, who)
        clock.set("2026-06-22T16:30:00Z")
        mine = [actions.submit(who.buyer, ASKED | FIRM | {"lots": lots}) for lots in ("3", "4")]
        theirs = [actions.submit(who.seller, ASKED | FIRM | {"side": "sell"})]
        participating.accepted(who, mine[0])
        actions.terminate(people.shown(who.seller, clock()), contract, {"price": "12.5"})
        with venues.serving() as site:
            yield Market(site, who, [contract, *mine, *theirs], told.terms(who.buyer, contract)["digest"])


def run(market: Market, folder: Path, key: str | None, *options: str) -> None:
    """Let schemathesis ask, and believe no answer.

    Left out are the check that what fits the description is accepted: that an object is in a state, that a month is
    offered, cannot be said there; and that of missing headers, which leaves the key's in that is given for all.
    """
    program = Path(sys.executable).parent / "st"
    command = [
        str(program),
        "run",
        str(market.described(folder)),
        "--url",
        market.site,
        "--seed",
        "1",
        "--no-color",
    ]
    command += ["--generation-database", "none", *options]
    command += ["--exclude-checks", "positive_data_acceptance,missing_required_header"]
    if key is not None:
        command += ["--header", f"Authorization: Bearer {key}"]
    (folder / "keys.py").write_text(KEYS)
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "keys", "PYTHONPATH": str(folder)}
    found = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)
    assert found.returncode == 0, found.stdout[-6000:] + found.stderr[-2000:]
    (folder / "told.txt").write_text(found.stdout)
    assert f"Operations:       {OPERATIONS} selected" in found.stdout, found.stdout


SCOPES = [("read", "requests", "approvals"), ("read",), ("requests", "approvals")]


def key_of(principal: Any, scopes: tuple[str, ...]) -> str:
    from mtok.venue.accounts import api_keys

    return api_keys.make(principal, "program", scopes, 30)[1]


def test_what_is_made_up_is_answered_as_described(market: Market, tmp_path: Path) -> None:
    key = key_of(market.who.buyer, SCOPES[0])
    run(market, tmp_path, key, "--phases", "examples,fuzzing", "--max-examples", "3")


@pytest.mark.long
@pytest.mark.parametrize("scopes", SCOPES, ids="-".join)
def test_what_is_at_the_edges_is_answered_as_described(
    market: Market, tmp_path: Path, scopes: tuple[str, ...]
) -> None:
    run(market, tmp_path, key_of(market.who.buyer, scopes), "--phases", "coverage")


def test_without_a_key_there_is_nothing(market: Market, tmp_path: Path) -> None:
    run(market, tmp_path, None, "--phases", "fuzzing", "--max-examples", "1")


@pytest.mark.soak
@pytest.mark.parametrize("scopes", SCOPES, ids="-".join)
def test_much_that_is_made_up_is_answered_as_described(
    market: Market, tmp_path: Path, scopes: tuple[str, ...]
) -> None:
    key = key_of(market.who.buyer, scopes)
    run(market, tmp_path, key, "--phases", "examples,coverage,fuzzing", "--max-examples", "200")
