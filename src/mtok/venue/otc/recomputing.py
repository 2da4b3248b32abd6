"""Whether a published value comes out of the archive again, asked of a process that knows nothing else.

`python -m mtok.venue.otc.recomputing STORE INDEX` prints the digest that the entry of the log has again. A server that
has but a copy of a publication has no archive; then nobody can say, and a mark on the value is held.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

from mtok.archive import Store
from mtok.archive.published_files import PUBLICATION
from mtok.errors import MtokError
from mtok.publication.recomputation import source_again

SECONDS_MAX: Final = 300
"""How long a process may take; one date takes a few seconds."""


def recomputed(store: Path | None, index: int) -> str | None:
    """Return the digest that a fresh process comes to for an entry of the log, None where it comes to none.

    store : None for a copy of a publication
    """
    if store is None:
        return None
    command = [sys.executable, "-m", "mtok.venue.otc.recomputing", str(store), str(index)]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
    except subprocess.TimeoutExpired:
        return None
    return found.stdout.strip() if found.returncode == 0 else None


def main(store: str, index: str) -> int:
    """Print the digest of an entry as it is made again; return the exit status."""
    try:
        digest = source_again(Path(store) / PUBLICATION, Store.open(Path(store)), int(index))
    except MtokError as error:
        sys.stderr.write(f"{error.code}: {error.found}\n")
        return 1
    sys.stdout.write(f"{digest}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
