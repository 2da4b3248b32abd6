"""The last checkpoint seen of each log and key, kept by whoever verifies: old and forked logs are noticed by it."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from mtok.errors import BadInput, EnvironmentFailed
from mtok.notes import Checkpoint, NoteRefused, PublicKey

_BYTES_MAX = 2**16


def state_folder(environment: Mapping[str, str], home: Path) -> Path:
    """Return where a user's programs keep what they remember: `$XDG_STATE_HOME`, else `~/.local/state`.

    A relative `XDG_STATE_HOME` counts as not set, as its specification says.
    """
    named = environment.get("XDG_STATE_HOME", "")
    return Path(named) if named.startswith("/") else home / ".local" / "state"


def head_path(state: Path, origin: str, key: PublicKey) -> Path:
    """Return the file that remembers the log of `origin` verified with `key`."""
    readable = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in origin)[:60]
    digest = hashlib.sha256(f"{origin}\n{key}".encode()).hexdigest()[:16]
    return state / "mtok" / "heads" / f"{readable}-{digest}"


def read_head(path: Path) -> Checkpoint:
    """Return the checkpoint of a file: its three lines, alone or as a signed note.

    It is what the reader kept or trusts: its signature is not asked for. Raises BadInput `seen_refused`,
    EnvironmentFailed `seen_unreadable`.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(_BYTES_MAX + 1)
        if len(raw) > _BYTES_MAX:
            raise NoteRefused(f"more than {_BYTES_MAX} bytes")
        text, blank, _ = raw.decode().partition("\n\n")
        return Checkpoint.parse(text + "\n" if blank else text)
    except OSError as error:
        raise EnvironmentFailed("seen_unreadable", f"{path} cannot be read: {error}") from None
    except ValueError as error:
        raise BadInput(
            "seen_refused",
            f"{path} is no checkpoint: {error}",
            "Give a checkpoint that was seen before, or remove the file; then an old log cannot be noticed.",
        ) from None


def remembered(state: Path, origin: str, key: PublicKey) -> Checkpoint | None:
    """Return the last checkpoint that was seen, None when none was. Raises as `read_head`."""
    path = head_path(state, origin, key)
    return read_head(path) if path.exists() else None


def remember(state: Path, key: PublicKey, checkpoint: Checkpoint) -> Path:
    """Keep a checkpoint that was verified, in the place of the one before; returns its file.

    An older one never replaces a younger one. Raises EnvironmentFailed `seen_unwritable`.
    """
    path = head_path(state, checkpoint.origin, key)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and read_head(path).size > checkpoint.size:
            return path
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:20]}-")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(checkpoint.text.encode())
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise EnvironmentFailed("seen_unwritable", f"{path} cannot be written: {error}") from None
    return path
