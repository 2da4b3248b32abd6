"""`mtok serve` as a user starts it, on a port of its own, until the test is over."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOW = "2026-06-27T15:00:00Z"
"""Where the clock of a test's server stands: an hour after the last print of the sample was due."""

_STARTS_WITHIN = 60.0


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


@contextmanager
def serving(store: Path, arguments: str = "", **settings: str) -> Iterator[str]:
    """Serve a store and give the address.

    arguments : of the command · settings : variables without their MTOK_, in small letters
    """
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MTOK_")}
    environment |= {"MTOK_NOW": NOW, "MTOK_RATE_LIMIT": ""}
    environment |= {f"MTOK_{name.upper()}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "mtok", "serve", "--store", str(store), "--port", str(port)]
    command += arguments.split()
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as server:
        try:
            _wait(server, f"http://127.0.0.1:{port}/healthz")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(30)


def _wait(server: subprocess.Popen[bytes], address: str) -> None:
    until = time.monotonic() + _STARTS_WITHIN
    while time.monotonic() < until:
        if server.poll() is not None:
            break
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return
    server.kill()
    raise AssertionError(f"the server did not start: {server.communicate()[0].decode()[-2000:]}")
