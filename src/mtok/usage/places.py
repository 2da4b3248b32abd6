"""Where logs lie: a folder or file of this machine, or any address fsspec knows (`s3://…`, `gs://…`, `memory://…`)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, Any, Final

from mtok.errors import BadCall, EnvironmentFailed

ENDINGS: Final = (".parquet", ".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")


class Place:
    """The files at an address. filesystem : fsspec's, None for this machine's own files."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.filesystem: Any = None
        self._root = address
        if "://" in address:
            self.filesystem, self._root = _remote(address)
            self._top = str(self.filesystem.unstrip_protocol(self._root))
        elif Path(address).exists():
            self._top = str(Path(address).absolute())
        else:
            raise BadCall("path_missing", f"{address} does not exist", "Name a file or a folder that does.")

    def files(self) -> list[str]:
        """Return the paths of the logs at the address, in order, each as an engine reads it.

        Files whose name begins with `_` or `.`, or that have another ending, are none.
        """
        if self.filesystem is not None:
            found = [self.filesystem.unstrip_protocol(path) for path in self.filesystem.find(self._root)]
        elif Path(self._top).is_file():
            found = [self._top]
        else:
            walked = os.walk(self._top, followlinks=True)
            found = [str(Path(folder, name)) for folder, _, names in walked for name in names]
        return sorted(path for path in found if _is_log(path))

    def holds(self, path: str) -> bool:
        """Return whether a path lies at the address."""
        return path == self._top or path.startswith(f"{self._top.rstrip('/')}/")

    def size(self, path: str) -> int:
        """Return the bytes of a file."""
        return int(self.filesystem.size(path)) if self.filesystem is not None else Path(path).stat().st_size

    def open(self, path: str) -> IO[bytes]:
        """Open a file for reading. Raises OSError."""
        if self.filesystem is not None:
            opened: IO[bytes] = self.filesystem.open(path, "rb")
            return opened
        return Path(path).open("rb")


def _is_log(path: str) -> bool:
    name = path.rsplit("/", 1)[-1]
    return not name.startswith(("_", ".")) and name.lower().endswith(ENDINGS)


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
