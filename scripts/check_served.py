"""Whether an installed mtok serves a store with all its assets: pages, what they name, a picture, a file, the API.

usage: PYTHON check_served.py STORE, PYTHON being the one mtok is installed for
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from urllib.error import URLError
from urllib.request import urlopen

ASKED = ["/", "/series/openai", "/methodology", "/preview/openai.png", "/series/openai.parquet", "/v1/series"]
STARTS_WITHIN = 60


def main() -> None:
    """Serve the store, ask for everything, and say how much it was."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mtok", "serve", "--store", sys.argv[1], "--port", str(port)]
    with subprocess.Popen(command, env=os.environ | {"MTOK_RATE_LIMIT": ""}) as server:
        try:
            asked = served(f"http://127.0.0.1:{port}")
        finally:
            server.terminate()
    print(f"served: {len(asked)} addresses, {sum(asked.values()):,} bytes")


def served(origin: str) -> dict[str, int]:
    """Return the length of every answer, by address; an answer that is none ends it."""
    until = time.monotonic() + STARTS_WITHIN
    while True:
        try:
            urlopen(f"{origin}/healthz", timeout=5).close()
            break
        except URLError:
            if time.monotonic() > until:
                sys.exit("the server did not start")
            time.sleep(0.2)
    asked, lengths = list(ASKED), {}
    for path in asked:
        with urlopen(origin + path, timeout=60) as answer:
            body = answer.read()
        lengths[path] = len(body)
        if answer.headers.get_content_type() == "text/html":
            asked += [
                found for found in re.findall(r'="(/static/[^"]+)"', body.decode()) if found not in asked
            ]
    return lengths


if __name__ == "__main__":
    main()
