"""A venue within a test's own process: its settings once, a database of its own for each test, a clock that is set.

Django takes settings once in a process, so the store and the folder of keys are the same for every test in it; the
database is another one each time, a copy of one that was migrated once. Whoever wants to look at pages as a browser
does asks for `serving()`, the whole WSGI application on a port of loopback.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest

from databases import Cluster
from mtok.calendar import parse_instant

NOON = parse_instant("2026-06-22T12:00:00Z")
"""Where the clock of a venue stands unless a test says otherwise."""
_TEMPLATE = "migrated"
_SETTINGS: dict[str, str] = {}
"""What the environment says to a venue, once it is configured."""


class Clock:
    """A clock that a test sets."""

    def __init__(self, instant: int = NOON) -> None:
        self.instant = instant

    def set(self, text: str) -> None:
        """Set it to an instant `YYYY-MM-DDTHH:MM:SSZ`; it may go forward alone."""
        instant = parse_instant(text)
        assert instant >= self.instant, f"{text} has passed"
        self.instant = instant

    def pass_seconds(self, seconds: int) -> None:
        """Let seconds go by."""
        self.instant += seconds * 1_000_000

    def __call__(self) -> int:
        return self.instant


@cache
def configured() -> Path:
    """Set Django up for the venue, once in a process; return the folder of the store and of everything else."""
    from mtok.venue.upkeep.keys import make_keys

    folder = Path(tempfile.mkdtemp(prefix="mtok-venue-"))
    make_keys(folder / "store" / "venue")
    _SETTINGS.update({"MTOK_STORE": str(folder / "store"), "MTOK_RATE_LIMIT": ""})
    settings = _SETTINGS | {"DJANGO_SETTINGS_MODULE": "mtok.venue.settings.venue"}
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        import django

        django.setup()
        from mtok.venue.environment import environment, venue_environment

        environment(), venue_environment()
        _migrate_template(folder)
    finally:  # other tests start programs, which take over what stands here
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    return folder


def _migrate_template(folder: Path) -> None:
    from django.core.management import call_command
    from django.db import connections

    with _using(connections.databases["default"] | {"NAME": str(folder / "template.sqlite3")}):
        call_command("migrate", verbosity=0)
        with connections["default"].cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@contextmanager
def _using(database: dict[str, Any]) -> Iterator[None]:
    """Let Django use another database; every thread opens its own connection to it."""
    from django.db import connections

    connections.close_all()
    _say_settings()
    _forget_log()
    before = dict(connections.databases["default"])
    connections.databases["default"].clear()
    connections.databases["default"].update(database)
    _forget_connection()
    try:
        yield
    finally:
        connections.close_all()
        connections.databases["default"].clear()
        connections.databases["default"].update(before)
        _forget_connection()


def _say_settings() -> None:
    """Let the environment say again what it said to Django: other tests have it read for stores of their own."""
    from mtok.venue.environment import environment, venue_environment

    with pytest.MonkeyPatch.context() as patch:
        for name, value in _SETTINGS.items():
            patch.setenv(name, value)
        environment.cache_clear()
        venue_environment.cache_clear()
        environment(), venue_environment()


def _forget_log() -> None:
    """Take away the private log, which is of another database."""
    from mtok.venue.environment import venue_environment

    folder = venue_environment().place()
    for name in ("events", "keys"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "head").unlink(missing_ok=True)


def _forget_connection() -> None:
    from django.db import connections

    if hasattr(connections._connections, "default"):
        del connections["default"]


@contextmanager
def sqlite(path: Path) -> Iterator[Path]:
    """Give the venue a fresh database of SQLite."""
    from django.db import connections

    folder = configured()
    shutil.copy(folder / "template.sqlite3", path)
    with _using(dict(connections.databases["default"]) | {"NAME": str(path)}):
        yield path


@contextmanager
def restored(path: Path) -> Iterator[None]:
    """Let the venue use a database of SQLite that is there."""
    from django.db import connections

    with _using(dict(connections.databases["default"]) | {"NAME": str(path)}):
        yield


@contextmanager
def postgresql(cluster: Cluster) -> Iterator[str]:
    """Give the venue a fresh database of a cluster; give its address."""
    from django.core.management import call_command
    from django.db import connections

    from mtok.venue.database.addresses import database

    folder = configured()
    if not cluster.has(_TEMPLATE):
        with _using(_settings(database(cluster.create(_TEMPLATE), folder))):
            call_command("migrate", verbosity=0)
    address = cluster.create(f"venue_{secrets.token_hex(6)}", _TEMPLATE)
    with at(address):
        assert connections["default"].vendor == "postgresql"
        yield address


@contextmanager
def at(address: str) -> Iterator[None]:
    """Let the venue use a database that is there."""
    from mtok.venue.database.addresses import database

    with _using(_settings(database(address, configured()))):
        yield


def _settings(database: dict[str, Any]) -> dict[str, Any]:
    """Return a database's settings as Django completes them."""
    from django.db.utils import ConnectionHandler

    completed: dict[str, Any] = ConnectionHandler({"default": database}).settings["default"]
    return completed


@contextmanager
def clock(instant: int = NOON) -> Iterator[Clock]:
    """Let the venue go by a clock that the test sets."""
    configured()
    from mtok.venue import place

    made = Clock(instant)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place, "_clock", made)
        yield made


class _Server(ThreadingMixIn, WSGIServer):
    """A thread a request. Its connection ends with it: nobody else would ever use it again."""

    daemon_threads = True

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer a request."""
        from django.db import connections

        try:
            super().process_request_thread(request, client_address)
        finally:
            connections.close_all()


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def serving() -> Iterator[str]:
    """Serve the venue's pages on a port of loopback, in this process; give the address."""
    configured()
    from mtok.venue.wsgi import application

    server = make_server("localhost", 0, application, _Server, _Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
