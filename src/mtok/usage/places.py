"""Where logs lie: a folder or file of this machine, or any address fsspec knows (`s3://…`, `gs://…`, `memory://…`)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

from mtok.errors import BadCall, EnvironmentFailed, MtokError

_WRITTEN: Final = ("mtime", "LastModified", "last_modified", "updated", "ETag", "etag", "created")
"""Where fsspec's file systems say when a file was written, or what changes with it."""

ENDINGS: Final = (".parquet", ".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")


class Place:
    """The files at an address. filesystem : fsspec's, None for this machine's own files."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.filesystem: Any = None
        if "://" in address:
            self.filesystem, root = _remote(address)
            self._top = str(self.filesystem.unstrip_protocol(root))
        elif Path(address).exists():
            self._top = os.path.abspath(address)  # noqa: PTH100 - links keep their names: what they lead to may change
        else:
            raise BadCall("path_missing", f"{address} does not exist", "Name a file or a folder that does.")

    def files(self) -> list[str]:
        """Return the paths of the logs at the address, in order, each as an engine reads it and each once.

        Whatever lies in a folder whose name begins with `_` or `.`, is so named itself, or has another ending, is none:
        so writers name what is not finished. Raises EnvironmentFailed for a folder that cannot be listed.
        """
        if self.filesystem is not None:
            listed = (str(self.filesystem.unstrip_protocol(path)) for path in self.filesystem.find(self._top))
            return sorted(path for path in listed if _is_log(path.removeprefix(self._top)))
        if Path(self._top).is_file():
            return [self._top]
        once: dict[str, str] = {}
        for path in sorted(_walked(self._top)):
            if _is_log(path.removeprefix(self._top)):
                once.setdefault(os.path.realpath(path), path)
        return list(once.values())

    def has(self, path: str, size: str, modified: str) -> bool:
        """Return whether a file is where it was, as it was; one that cannot be asked for is not.

        size, modified : as of a `Log`; of a text, whose time does not count, empty
        """
        elsewhere = self if ("://" in path) == (self.filesystem is not None) else None
        try:
            place = elsewhere or Place(path)
            return str(place.size(path)) == size and (not modified or place.modified(path) == modified)
        except (OSError, MtokError):
            return False

    def size(self, path: str) -> int:
        """Return the bytes of a file."""
        return int(self.filesystem.size(path)) if self.filesystem is not None else Path(path).stat().st_size

    def modified(self, path: str) -> str:
        """Return what says that a file was written again: a time, or what an object store has in its place."""
        if self.filesystem is None:
            return str(Path(path).stat().st_mtime_ns)
        told = self.filesystem.info(path)
        return str(next((told[name] for name in _WRITTEN if told.get(name)), ""))

    def open(self, path: str) -> IO[bytes]:
        """Open a file for reading. Raises OSError."""
        if self.filesystem is not None:
            opened: IO[bytes] = self.filesystem.open(path, "rb")
            return opened
        return Path(path).open("rb")


def _walked(top: str) -> Iterator[str]:
    """Yield the files below a folder; no folder is walked twice, whatever links lead to it."""

    def refuse(error: OSError) -> None:
        raise EnvironmentFailed(
            "address_unreadable",
            f"{error.filename} cannot be listed: {error.strerror}",
            "Look at its permissions.",
        )

    seen: set[str] = set()
    for folder, folders, names in os.walk(top, followlinks=True, onerror=refuse):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        yield from (str(Path(folder, name)) for name in names)


def _is_log(path: str) -> bool:
    parts = path.split("/")
    return not any(part.startswith(("_", ".")) for part in parts) and parts[-1].lower().endswith(ENDINGS)


def _remote(address: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise BadCall(
            "extra_missing",
            f"{address} is read through fsspec, which is not installed",
            "Install it, and the package of that kind of store: pip install 'mtok[remote]' s3fs",
        ) from None
    try:
        filesystem, root = url_to_fs(address)
        if not filesystem.exists(root):
            raise BadCall("path_missing", f"{address} does not exist", "Name a file or a folder that does.")
    except (ImportError, ValueError, OSError) as error:
        raise EnvironmentFailed(
            "address_unreadable",
            f"{address} cannot be read: {error}",
            "Look at the address and the credentials.",
        ) from None
    return filesystem, root
