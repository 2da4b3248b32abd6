"""`mtok serve` and `mtok demo --serve`: what they refuse before they listen, and that they serve."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mtok.cli import serving
from mtok.cli.app import app
from served import free_port
from served import serving as served


def refused(*arguments: str, **environment: str) -> str:
    """Return what `mtok serve` says when it refuses."""
    outcome = CliRunner().invoke(app, ["serve", *arguments], env=environment)
    assert outcome.exit_code == 2, outcome.output
    return outcome.stderr


def test_a_store_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "is no folder" in refused("--store", str(tmp_path / "nowhere"))


def test_a_port_that_is_taken_is_refused(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"127.0.0.1 port {port}" in refused("--store", str(tmp_path), "--port", str(port))


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "_NEEDED", ("granian", "not_installed"))
    said = refused("--store", str(tmp_path))
    assert "serving needs not_installed" in said
    assert "mtok[serve]" in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MTOK_RATE_LIMIT", "often"),
        ("MTOK_NOW", "yesterday"),
        ("MTOK_PROXIES", "-1"),
        ("MTOK_BASE_URL", "index.example.org"),
    ],
)
def test_a_setting_that_cannot_be_taken_is_named(tmp_path: Path, name: str, value: str) -> None:
    from mtok.venue.environment import environment

    environment.cache_clear()
    try:
        assert name in refused("--store", str(tmp_path), "--port", str(free_port()), **{name: value})
    finally:
        environment.cache_clear()


def test_a_copy_of_a_publication_is_served_as_its_store_is(published_sample: Path) -> None:
    folder = published_sample / "publication"
    with served(folder) as address, urllib.request.urlopen(f"{address}/SHA256SUMS") as answer:
        assert answer.read() == (folder / "SHA256SUMS").read_bytes()


def test_several_workers_count_together(published_sample: Path) -> None:
    with served(published_sample, arguments="--workers 2") as address:
        for _ in range(12):
            urllib.request.urlopen(f"{address}/vkey").close()
        with urllib.request.urlopen(f"{address}/metrics") as answer:
            lines = answer.read().decode().splitlines()
    counted = [
        line for line in lines if line.startswith("mtok_http_requests_total{") and 'status="200"' in line
    ]
    assert sum(float(line.split()[-1]) for line in counted if 'kind="page"' in line) == 12


@pytest.mark.parametrize("settings", ["public", "venue"])
def test_django_finds_nothing_to_warn_of(settings: str, tmp_path: Path) -> None:
    from mtok.venue.upkeep.keys import make_keys

    make_keys(tmp_path / "venue")
    command = [sys.executable, "-m", "django", "check", "--deploy", "--fail-level", "WARNING"]
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": f"mtok.venue.settings.{settings}",
        "MTOK_STORE": str(tmp_path),
    }
    outcome = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr


def test_names_that_are_no_hosts_are_refused(tmp_path: Path) -> None:
    from mtok.venue.environment import environment

    environment.cache_clear()
    try:
        said = refused("--store", str(tmp_path), "--port", str(free_port()), MTOK_HOSTS="a b,c")
        assert "MTOK_HOSTS: 'a b' is no host name; separate names by commas" in said
    finally:
        environment.cache_clear()
