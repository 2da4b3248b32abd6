"""The transparency log on disk, `publication/log/`: entry bundles, hash tiles, heads and the signed checkpoint.

The layout is c2sp.org/tlog-tiles. What is written here is read back and hashed a second way before it is signed: a
root that was signed over a flipped bit could never be taken back.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mtok.archive.files import make_folder, sync_folder, temporary_path, write_file
from mtok.archive.published_log import head_line
from mtok.errors import EnvironmentFailed
from mtok.notes import Checkpoint, Note, NoteRefused, PrivateKey, PublicKey, open_note, sign_note
from mtok.proofs import (
    HASH_BYTES,
    TILE_WIDTH,
    Tree,
    bundle_path,
    bundles_of,
    decode_bundle,
    encode_bundle,
    leaf_hash,
    root_of_tiles,
    tile_bytes,
    tile_path,
    tiles_of,
)

_FROM_MIRROR: Final = (
    "Copy publication/ from the mirror or a backup over this one; `mtok verify` says when it is whole."
)


class Log:
    """The folder `publication/log/`. Only `append`, `claim` and `sign` write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def checkpoint(self, keys: Sequence[PublicKey]) -> Checkpoint | None:
        """Return the signed head, None while there is none.

        Raises EnvironmentFailed when it is damaged or signed by none of `keys`.
        """
        path = self.folder / "checkpoint"
        if not path.exists():
            return None
        try:
            return Checkpoint.parse(self._open(keys).text)
        except NoteRefused as error:
            raise _refused(path, error) from None

    def check(self, keys: Sequence[PublicKey]) -> int:
        """Read the whole log back; return its size.

        Raises EnvironmentFailed unless it has the root that `keys` signed, and every root that was ever claimed.
        """
        checkpoint = self.checkpoint(keys)
        tree = self.read_back(checkpoint.size if checkpoint else 0)
        if checkpoint and checkpoint.root != tree.root():
            raise _forked(self.folder / "checkpoint", tree.size)
        claimed = self.claimed()
        if checkpoint and tree.size not in claimed:
            raise _damaged(self.folder / "heads" / str(tree.size), "is missing")
        for size in claimed:
            if size <= tree.size and self.head_of(size) != (size, tree.root(size)):
                raise _forked(self.folder / "heads" / str(size), size)
        return tree.size

    def signers(self, keys: Sequence[PublicKey]) -> tuple[PublicKey, ...]:
        """Return which of `keys` have signed the checkpoint there is. Raises as `checkpoint`."""
        return self._open(keys).signed_by

    def _open(self, keys: Sequence[PublicKey]) -> Note:
        path = self.folder / "checkpoint"
        try:
            return open_note(path.read_bytes(), keys)
        except NoteRefused as error:
            raise _refused(path, error) from None

    def entries(self, size: int) -> list[bytes]:
        """Return the first `size` entries, from the bundles. Raises EnvironmentFailed naming a bundle that is bad."""
        found: list[bytes] = []
        for index, width in bundles_of(size):
            path = self.folder / bundle_path(index, width)
            try:
                bundle = decode_bundle(path.read_bytes())
            except FileNotFoundError:
                raise _damaged(path, "is missing") from None
            except OSError as error:
                raise _damaged(path, f"cannot be read ({error.strerror})") from None
            except ValueError as error:
                raise _damaged(path, f"is damaged: {error}") from None
            if len(bundle) != width:
                raise _damaged(path, f"holds {len(bundle)} entries, not {width}")
            found += bundle
        return found

    def append(self, entries: Sequence[bytes], old_size: int) -> Tree:
        """Write the bundles and tiles that `entries` need beyond the first `old_size`; return their tree.

        A file that is there has to have these very bytes: nothing is ever written twice.
        """
        tree = Tree(map(leaf_hash, entries))
        written = set(bundles_of(old_size))
        for index, width in bundles_of(len(entries)):
            if (index, width) not in written:
                within = entries[index * TILE_WIDTH : index * TILE_WIDTH + width]
                write_once(self.folder / bundle_path(index, width), encode_bundle(within))
        written_tiles = set(tiles_of(old_size))
        for tile in tiles_of(len(entries)):
            if tile not in written_tiles:
                write_once(self.folder / tile_path(*tile), tile_bytes(tree, *tile))
        return tree

    def read_back(self, size: int) -> Tree:
        """Return the tree of the bundles on disk. Raises EnvironmentFailed unless all tiles and the root are theirs."""
        tree = Tree(map(leaf_hash, self.entries(size)))
        for level, index, width in tiles_of(size):
            path = self.folder / tile_path(level, index, width)
            if not path.exists():
                raise _damaged(path, "is missing")
            if path.read_bytes() != tile_bytes(tree, level, index, width):
                entries = self.folder / (bundle_path(index, width) if level == 0 else "tile/entries")
                raise _damaged(path, f"has not the hashes of {entries}: one of the two is damaged")
        if root_of_tiles(size, lambda path: (self.folder / path).read_bytes()) != tree.root():
            raise _damaged(self.folder / "tile", "has another root than the entries")
        return tree

    def claimed(self) -> list[int]:
        """Return every size a root was ever claimed for, in order."""
        return sorted(int(path.name) for path in (self.folder / "heads").glob("*") if path.name.isdigit())

    def head(self) -> tuple[int, bytes] | None:
        """Return size and root of the greatest head ever claimed, None while there is none."""
        sizes = self.claimed()
        return self.head_of(sizes[-1]) if sizes else None

    def head_of(self, size: int) -> tuple[int, bytes] | None:
        """Return a size and the root that was claimed for it, None where none was."""
        path = self.folder / "heads" / str(size)
        return read_head(path) if path.exists() else None

    def claim(self, size: int, root: bytes) -> None:
        """Make it impossible that another root is ever signed for this size.

        Raises EnvironmentFailed (`log_forked`) where another one is claimed already.
        """
        path = self.folder / "heads" / str(size)
        make_folder(path.parent)
        temporary = temporary_path(path)
        try:
            with temporary.open("wb") as file:
                file.write(head_line(size, root))
                file.flush()
                os.fsync(file.fileno())
            os.link(temporary, path)
        except FileExistsError:
            if path.read_bytes() != head_line(size, root):
                raise _forked(path, size) from None
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(path.parent)

    def sign(self, checkpoint: Checkpoint, keys: Sequence[PrivateKey]) -> bytes:
        """Sign a head that was claimed, and publish it; return the note."""
        note = sign_note(checkpoint.text, *keys)
        write_file(self.folder / "checkpoint", note)
        return note


def read_head(path: Path) -> tuple[int, bytes]:
    """Return size and root of a head file. Raises EnvironmentFailed for anything but what `head_line` writes."""
    raw = path.read_bytes()
    try:
        size, root = raw.decode().split()
        found = int(size), base64.b64decode(root, validate=True)
    except ValueError:
        raise _damaged(path, "is damaged") from None
    if raw != head_line(*found) or found[0] < 1 or len(found[1]) != HASH_BYTES:
        raise _damaged(path, "is damaged")
    return found


def write_once(path: Path, raw: bytes) -> None:
    """Write a file that never changes. Raises EnvironmentFailed where another one has its name."""
    if path.exists():
        if path.read_bytes() != raw:
            raise EnvironmentFailed(
                "published_differs",
                f"{path} is there with other bytes than those to publish",
                f"Nothing published is ever written over. {_FROM_MIRROR}",
            )
        return
    make_folder(path.parent)
    write_file(path, raw)


def _refused(path: Path, error: NoteRefused) -> EnvironmentFailed:
    return EnvironmentFailed(
        "checkpoint_refused",
        f"{path}: {error}",
        f"See that the key of this log is in the store's folder keys/ (`mtok keys show`). {_FROM_MIRROR}",
    )


def _forked(path: Path, size: int) -> EnvironmentFailed:
    return EnvironmentFailed(
        "log_forked",
        f"{path} has another root than the {size} entries there are now",
        f"Nothing was signed. {_FROM_MIRROR}",
    )


def _damaged(path: Path, what: str) -> EnvironmentFailed:
    return EnvironmentFailed("log_damaged", f"{path} {what}", f"Nothing was signed. {_FROM_MIRROR}")
