"""Signing keys of a store, `keys/`: one file a key, readable by its owner alone, and never part of a backup.

A file is named by the key's id and holds the key as the signed-note tools write it; beside it stands the public key.
Which of them signs is what the log says: the one its last rotation names.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from mtok.archive import Store
from mtok.archive.files import sync_folder, temporary_path
from mtok.errors import BadCall, EnvironmentFailed
from mtok.notes import NoteRefused, PrivateKey, PublicKey

_MODE: Final = 0o400


def keyring_of(store: Store) -> Keyring:
    """Return the keys of a store."""
    return Keyring(store.path / "keys")


def has_key(store: Store) -> bool:
    """Return whether a store can publish at all."""
    return any(keyring_of(store).folder.glob("*.key"))


class Keyring:
    """The folder `keys/` of a store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def private(self) -> list[PrivateKey]:
        """Return the keys, by id. Raises EnvironmentFailed for a file others can read or that holds no key."""
        return [self.read(path) for path in sorted(self.folder.glob("*.key"))]

    @staticmethod
    def read(path: Path) -> PrivateKey:
        """Return the key of a file. Raises EnvironmentFailed where others can read it or it holds no key."""
        return _read(path)

    def public(self) -> list[PublicKey]:
        """Return the public keys of `private`."""
        return [key.public for key in self.private()]

    def add(self, key: PrivateKey) -> Path:
        """Keep a key, and its public key beside it; return its file."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        sync_folder(self.folder.parent)
        path = self.folder / f"{key.public.id.hex()}.key"
        _create(path.with_suffix(".vkey"), f"{key.public}\n", 0o444)
        _create(path, f"{key.text}\n")
        sync_folder(self.folder)
        return path

    def find(self, public: PublicKey) -> PrivateKey:
        """Return the private key of a public one. Raises BadCall when it is not here."""
        for key in self.private():
            if key.public == public:
                return key
        raise BadCall(
            "key_missing",
            f"the log is signed with key {public.id.hex()} of {public.name}, which is not in {self.folder}",
            f"Put {public.id.hex()}.key back there from where you keep the copy (chmod 400): no backup has it, and "
            "without it nobody can publish in this log.",
        )


def _create(path: Path, text: str, mode: int = _MODE) -> None:
    """Write a file that nobody else could ever read, whole or not at all; one that is there has to say the same."""
    temporary = temporary_path(path)
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        os.fchmod(handle, mode)
        os.write(handle, text.encode())
        os.fsync(handle)
        os.link(temporary, path)
    except FileExistsError:
        if path.read_text("ascii") != text:
            raise
    finally:
        os.close(handle)
        temporary.unlink()


def _read(path: Path) -> PrivateKey:
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise EnvironmentFailed(
            "key_exposed",
            f"{path} can be read by others than its owner",
            f"chmod 400 {path}; if others may have read it, replace it: `mtok keys rotate`.",
        )
    try:
        return PrivateKey.parse(path.read_text("ascii").removesuffix("\n"))
    except (NoteRefused, UnicodeDecodeError) as error:
        raise EnvironmentFailed(
            "key_unreadable", f"{path} holds no signing key: {error}", "Put the file back as it was."
        ) from None
