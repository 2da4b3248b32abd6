"""`mtok venue work`: once, and as a process that goes on and ends when it is told to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from venue_commands import mtok, refused

SCRIPT = "import sys; from mtok.cli import main; sys.exit(main())"
STEPS = ["draws", "runs", "time", "lapsed", "marks", "margin", "matured", "log", "mails", "sessions"]


def test_once_does_what_is_due_and_says_what_that_was(venue_store: Path) -> None:
    days = {"MTOK_NOW": "2026-06-22T16:00:00Z"}, {"MTOK_NOW": "2026-06-24T16:00:00Z"}
    for number, environment in enumerate(days):
        outcome = mtok("venue", "work", "--once", "--store", str(venue_store), "--json", **environment)
        assert outcome.returncode == 0, outcome.stderr
        steps = json.loads(outcome.stdout)["steps"]
        assert [step["step"] for step in steps] == STEPS
        assert [step for step in steps if step["refused"]] == []
        assert {step["step"]: step["count"] for step in steps}["runs"] == 2 * number
    page = mtok("venue", "work", "--once", "--store", str(venue_store), **days[1])
    assert "runs         0" in page.stdout


def test_a_store_without_a_venue_has_no_clock(tmp_path: Path) -> None:
    assert refused("venue", "work", "--once", "--store", str(tmp_path), status=3) == "venue_missing"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_goes_on_until_it_is_told_to_end(venue_store: Path, number: int) -> None:
    arguments = ["venue", "work", "--every", "1", "--log", "json", "--store", str(venue_store)]
    command = [sys.executable, "-c", SCRIPT, *arguments]
    environment = os.environ | {"MTOK_NOW": "2026-06-24T16:00:00Z"}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert json.loads(process.stderr.readline())["event"] == "begun"
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "Traceback" not in said
