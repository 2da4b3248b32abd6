"""`mtok venue` in processes of its own, as Django's settings are taken once in each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ADMINS = ["--admin", "Ada Example <ada@example.org>", "--admin", "Bo Example <Bo@example.org>"]
ADDRESSES = ["ada@example.org", "bo@example.org"]


def mtok(*arguments: str, program: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own. program : run before it"""
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
