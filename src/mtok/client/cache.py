"""Copies of published files on this machine, so that what has not changed is not sent again.

A cache and nothing more: whoever deletes it loses time only. Each copy is one file that is written aside and put in
place at once, so several processes may share the folder; one that does not hold what its first line says is no copy.
Where nothing can be written, nothing is kept.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from mtok.canonical import sha256_hex

BYTES_MAX: Final = 512 * 2**20
"""Of all copies together; those not used for the longest time go first."""

COPY_BYTES_MAX: Final = 64 * 2**20
"""Of one copy: a larger file is asked for each time."""

_SWEPT_EVERY: Final = 64
"""Copies a process writes between two looks at how much there is."""


@dataclass(frozen=True, kw_only=True)
class Copy:
    """A file as it was when it came. etag : what the server called this state of it, empty where it does not say"""

    raw: bytes
    etag: str


class _Head(msgspec.Struct, frozen=True):
    path: str
    etag: str
    sha256: str


def cache_folder(environment: Mapping[str, str], home: Path) -> Path:
    """Return where a user's programs keep copies: `$XDG_CACHE_HOME/mtok`, else `~/.cache/mtok`.

    A relative `XDG_CACHE_HOME` counts as not set, as its specification says.
    """
    named = environment.get("XDG_CACHE_HOME", "")
    return (Path(named) if named.startswith("/") else home / ".cache") / "mtok"


class Cache:
    """The copies of one address. folder : shared by all addresses · bytes_max : of the copies of all of them"""

    def __init__(self, folder: Path, where: str, bytes_max: int = BYTES_MAX) -> None:
        self._folder = folder
        self._own = folder / hashlib.sha256(where.encode()).hexdigest()[:16]
        self._bytes_max = bytes_max
        self._written = 0

    def get(self, path: str) -> Copy | None:
        """Return the copy of a file, None where there is none that is whole."""
        file = self._file(path)
        try:
            line, _, raw = file.read_bytes().partition(b"\n")
            head = msgspec.json.decode(line, type=_Head)
        except (OSError, msgspec.MsgspecError):
            return None
        if head.path != path or head.sha256 != sha256_hex(raw):
            return None
        with suppress(OSError):
            os.utime(file)
        return Copy(raw=raw, etag=head.etag)

    def put(self, path: str, raw: bytes, etag: str) -> None:
        """Keep a file as it came, in the place of the copy before."""
        if len(raw) > min(COPY_BYTES_MAX, self._bytes_max):
            return
        head = msgspec.json.encode(_Head(path, etag, sha256_hex(raw)))
        with suppress(OSError):
            self._own.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._write(self._file(path), head + b"\n" + raw)
            if self._written % _SWEPT_EVERY == 0:
                self._sweep()
            self._written += 1

    def forget(self, path: str) -> None:
        """Drop a copy that turned out to be of no use."""
        with suppress(OSError):
            self._file(path).unlink()

    def _file(self, path: str) -> Path:
        return self._own / hashlib.sha256(path.encode()).hexdigest()

    def _write(self, file: Path, content: bytes) -> None:
        handle, name = tempfile.mkstemp(dir=self._own)
        try:
            with os.fdopen(handle, "wb") as opened:
                opened.write(content)
            Path(name).replace(file)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def _sweep(self) -> None:
        """Delete the copies used longest ago until the rest is under nine tenths of the limit."""
        found = []
        for file in self._folder.glob("*/*"):
            with suppress(OSError):  # another process may sweep too
                stat = file.stat()
                found.append((stat.st_mtime_ns, stat.st_size, file))
        left = sum(size for _, size, _ in found)
        if left <= self._bytes_max:
            return
        for _, size, file in sorted(found):
            if left <= self._bytes_max // 10 * 9:
                break
            with suppress(OSError):
                file.unlink()
                left -= size
