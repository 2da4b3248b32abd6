"""The secrets of a venue, each a file that its owner alone may read: for cookies, and for what is sealed.

Sealed are contacts and second factors; pseudonyms of the logs are made with the same key. `mtok venue init` makes both;
losing the second one loses all of these.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from mtok.canonical import sha256_hex
from mtok.errors import EnvironmentFailed

SECRET: Final = "secret_key"
MASTER: Final = "master_key"
_BYTES: Final = 32


def make_keys(folder: Path) -> bool:
    """Make the keys that a venue lacks, one that is there stays; return whether any was made."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    missing = [name for name in (SECRET, MASTER) if not (folder / name).exists()]
    for name in missing:
        with suppress(FileExistsError):  # another process was first
            _make_key(folder, name)
    return bool(missing)


def _make_key(folder: Path, name: str) -> None:
    """Write a key under another name first: what is interrupted leaves no key that cannot be read."""
    unfinished = folder / f".{name}.{secrets.token_hex(4)}"
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_hex(_BYTES) + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(unfinished, folder / name)
    finally:
        unfinished.unlink()


def key_check(folder: Path) -> str:
    """Return what a master key is recognised by, and nothing else follows from. Raises EnvironmentFailed."""
    return sha256_hex(b"mtok venue master key " + master_key(folder))[:16]


def pseudonym(person: str, folder: Path) -> str:
    """Return the name a person has in logs: always the same one, which the master key alone leads back to."""
    return sha256_hex(master_key(folder) + person.encode())[:32]


def secret_key(folder: Path) -> str:
    """Return what cookies are signed with. Raises EnvironmentFailed (`venue_missing`)."""
    return _key(folder, SECRET)


def master_key(folder: Path) -> bytes:
    """Return what wraps the keys of contacts, 32 bytes. Raises EnvironmentFailed (`venue_missing`)."""
    return bytes.fromhex(_key(folder, MASTER))


def _key(folder: Path, name: str) -> str:
    try:
        text = (folder / name).read_text("ascii").strip()
        sound = len(bytes.fromhex(text)) == _BYTES
    except (OSError, ValueError):
        sound = False
    if not sound:
        raise EnvironmentFailed(
            "venue_missing",
            f"{folder / name} is no key of {_BYTES} bytes in hexadecimal",
            "`mtok venue init` makes a venue; of one that was moved, put its key files back.",
        )
    return text
