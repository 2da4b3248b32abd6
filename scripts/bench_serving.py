"""The part `serve` of `bench.py`: requests a second of `mtok serve`, side by side with the same bytes from nginx.

Pages, series, a static file and «not modified», under wrk on loopback; the two servers in turn, medians of the rounds.
Needs nginx and wrk (Debian: nginx-light, wrk). The store is the demonstration's, 38 days of six series. Afterwards the
bytes and requests of a first visit are counted from what the pages refer to.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.parse import urljoin
from urllib.request import Request, urlopen

NOW: Final = "2026-06-27T15:00:00Z"
PLACES: Final = {"board": "/", "series page": "/series/openai", "series JSON": "/series/openai.json"}
CONNECTIONS: Final = 16
_RATE: Final = re.compile(r"Requests/sec:\s+([0-9.]+)")
_FAULTS: Final = re.compile(r"Non-2xx or 3xx responses: ([0-9]+)")
_ASSET: Final = re.compile(r'(?:href|src)="(/static/[^"]+)"')

NGINX: Final = """worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
  access_log off; default_type application/octet-stream; keepalive_requests 1000000;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{ listen 127.0.0.1:{port}; root {folder}/root; add_header Cache-Control "public, max-age=60"; }}
}}
"""


def measure_serving(scratch: Path, rounds: int, seconds: int = 3) -> None:
    """Serve the demonstration's store by both servers and print requests a second and their ratios."""
    missing = [name for name in ("nginx", "wrk") if shutil.which(name) is None]
    if missing:
        print(f"\nserving: skipped, {' and '.join(missing)} missing (apt-get install nginx-light wrk)")
        return
    store = scratch / "store"
    subprocess.run(
        [sys.executable, "-m", "mtok", "demo", "--store", str(store)], check=True, stdout=subprocess.DEVNULL
    )
    with mtok_serving(store) as ours:
        asset = next(found for found in _ASSET.findall(text_of(ours + "/")) if found.endswith(".css"))
        bodies = {name: get(ours + path)[0] for name, path in (PLACES | {"static file": asset}).items()}
        with nginx_serving(scratch, bodies) as theirs:
            print(f"\nrequests a second, {CONNECTIONS} connections, median of {rounds} rounds of {seconds} s")
            print(f"{'':16}{'bytes':>8}{'mtok':>10}{'nginx':>10}{'ratio':>9}")
            for name, path in (PLACES | {"static file": asset}).items():
                pair = (ours + path, theirs + file_of(name))
                line(name, len(bodies[name]), rates(pair, ("", ""), rounds, seconds))
            pair = (ours + "/series/openai.json", theirs + file_of("series JSON"))
            tags = (get(pair[0])[1], get(pair[1])[1])
            line("not modified", 0, rates(pair, tags, rounds, seconds))
        print("\nfirst visit, compressed")
        for name, path in (("board", "/"), ("series page", "/series/openai")):
            transferred = visit(ours, path)
            print(f"{name:16}{sum(transferred):>8} bytes in {len(transferred)} requests")


def rates(pair: tuple[str, str], tags: tuple[str, str], rounds: int, seconds: int) -> tuple[float, float]:
    """Return the medians of both servers, asked in turn. tags : what If-None-Match says, empty for nothing"""
    found: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for address, tag, rates_of in zip(pair, tags, found, strict=True):
            header = ["-H", f"If-None-Match: {tag}"] if tag else []
            command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}", *header, address]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            match = _RATE.search(said)
            if match is None or _FAULTS.search(said):
                sys.exit(f"{address}: {said}")
            rates_of.append(float(match[1]))
    return statistics.median(found[0]), statistics.median(found[1])


def line(name: str, size: int, pair: tuple[float, float]) -> None:
    """Print a line of the table."""
    ours, theirs = pair
    print(f"{name:16}{size:>8}{ours:>10.0f}{theirs:>10.0f}{'1/' + format(theirs / ours, '.1f'):>9}")


def visit(origin: str, path: str) -> list[int]:
    """Return the compressed size of a page and of each asset it names, and those name."""
    asked, sizes = [path], []
    for at in asked:
        body, _ = get(origin + at)
        sizes.append(len(gzip.compress(body)) if not at.endswith((".png", ".parquet")) else len(body))
        if at == path or at.endswith(".css"):
            named = _ASSET.findall(body.decode("utf-8", errors="replace"))
            asked += [one for one in dict.fromkeys(urljoin(at, found) for found in named) if one not in asked]
    return sizes


@contextmanager
def mtok_serving(store: Path) -> Iterator[str]:
    """Serve a store on one worker, without a limit of requests."""
    port = free_port()
    environment = os.environ | {"MTOK_NOW": NOW, "MTOK_RATE_LIMIT": ""}
    command = [sys.executable, "-m", "mtok", "serve", "--store", str(store), "--port", str(port)]
    with running(command, port, environment):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def nginx_serving(scratch: Path, bodies: dict[str, bytes]) -> Iterator[str]:
    """Serve the bodies as files by nginx."""
    folder, port = scratch / "nginx", free_port()
    (folder / "root").mkdir(parents=True)
    for name, body in bodies.items():
        (folder / "root" / file_of(name)[1:]).write_bytes(body)
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port))
    folder.chmod(0o755)
    scratch.chmod(0o755)
    with running(["nginx", "-c", str(folder / "nginx.conf")], port, dict(os.environ)):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def running(command: list[str], port: int, environment: dict[str, str]) -> Iterator[None]:
    """Run a server until the block is left."""
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            for _ in range(300):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            yield
        finally:
            server.terminate()


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


def file_of(name: str) -> str:
    """Return where nginx has the bytes of a place."""
    return "/" + re.sub(r"\W", "-", name) + (".json" if "JSON" in name else ".html")


def get(address: str) -> tuple[bytes, str]:
    """Return a body and its ETag."""
    try:
        with urlopen(Request(address), timeout=60) as answer:
            return answer.read(), answer.headers.get("ETag", "")
    except URLError as error:
        sys.exit(f"{address}: {error}")


def text_of(address: str) -> str:
    """Return a page."""
    return get(address)[0].decode()
