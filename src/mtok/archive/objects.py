"""Objects: raw bytes by the sha256 of their content, zstd-compressed, verified each time they are read."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Final

import zstandard

from mtok.archive.files import sync_folder, write_file
from mtok.canonical import sha256_hex
from mtok.errors import EnvironmentFailed

OBJECT_BYTES_MAX: Final = 2**30


class Objects:
    """The folder `objects/`: `objects/ab/abcdef….zst` holds the bytes whose sha256 is `abcdef…`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._compressor = zstandard.ZstdCompressor(level=9)
        self._unsynced: set[Path] = set()

    def path(self, sha256: str) -> Path:
        """Return where the object is or would be."""
        return self.folder / sha256[:2] / f"{sha256}.zst"

    def put(self, raw: bytes) -> str:
        """Keep `raw` and return its sha256; what is there already is not written again."""
        sha256 = sha256_hex(raw)
        path = self.path(sha256)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_file(path, self._compressor.compress(raw), sync=False)
        # One that was there already may come from an import that was interrupted before it synced.
        self._unsynced |= {path.parent, self.folder, self.folder.parent}
        return sha256

    def sync(self) -> None:
        """Make every object put so far durable."""
        for folder in sorted(self._unsynced):
            sync_folder(folder)
        self._unsynced.clear()

    def get(self, sha256: str) -> bytes:
        """Return the bytes, verified. Raises EnvironmentFailed naming the object when it is gone or damaged."""
        return self._read(sha256)[1]

    def file(self, sha256: str) -> bytes:
        """Return the file of an object as it is, its content verified. Raises as `get`."""
        return self._read(sha256)[0]

    def put_file(self, sha256: str, compressed: bytes) -> None:
        """Write the file of an object as another folder has it and read it back; the caller makes its name durable.

        Raises as `get`.
        """
        path = self.path(sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, compressed, sync=False)
        self.get(sha256)

    def _read(self, sha256: str) -> tuple[bytes, bytes]:
        """Return the file and the content of an object, verified."""
        path = self.path(sha256)
        try:
            compressed = path.read_bytes()
            # zstandard makes room for what a frame claims to hold, whatever `max_output_size` says.
            if zstandard.frame_content_size(compressed) > OBJECT_BYTES_MAX:
                raise zstandard.ZstdError(f"it claims more than {OBJECT_BYTES_MAX} bytes")
            raw = zstandard.ZstdDecompressor().decompress(compressed, max_output_size=OBJECT_BYTES_MAX)
            found = sha256_hex(raw)
        except FileNotFoundError:
            raise EnvironmentFailed(
                "object_missing",
                f"object {sha256} is in the register but not at {path}",
                "Restore it from a backup, or import the same response again.",
            ) from None
        except zstandard.ZstdError as error:
            found = f"unreadable ({error})"
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            found = f"unreadable ({error.strerror})"
        if found != sha256:
            raise EnvironmentFailed(
                "object_damaged",
                f"object {sha256} at {path} is damaged: its content is {found}",
                "Delete that file and import the same response again, or restore it from a backup.",
            )
        return compressed, raw
