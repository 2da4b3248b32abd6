"""The log of a publication as files: the tree they give, and the place of each in it (c2sp.org/tlog-tiles).

The publisher's side of the log is `mtok.publication.log`. This reads what is there without believing any one file: the
hashes of the entries stand twice in a log, in bundles and in tiles, and the root in the heads and the checkpoint.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import accumulate
from pathlib import Path, PurePosixPath
from typing import Final

from mtok.notes import Checkpoint
from mtok.proofs import (
    HASH_BYTES,
    TILE_WIDTH,
    Tree,
    bundle_path,
    bundles_of,
    decode_bundle,
    leaf_hash,
    tile_path,
    tiles_of,
)

CHECKPOINT: Final = "log/checkpoint"
"""Its name in a publication, as of all names here."""


def tree_of(folder: Path, size: int) -> Tree | None:
    """Return the tree of the first `size` entries, from the entries or else from their hashes.

    None unless its root is the one in `log/heads` or in the checkpoint, or entries and hashes agree on it.
    """
    roots = known_roots(folder, size)
    found = [
        tree for tree in (_tree(folder, size, of) for of in (_entry_hashes, _tile_hashes)) if tree is not None
    ]
    for tree in found:
        if tree.root() in roots or [one.root() for one in found] == [tree.root()] * 2:
            return tree
    return None


def known_roots(folder: Path, size: int) -> set[bytes]:
    """Return the roots that a head and a checkpoint name for a size."""
    roots = set()
    if size == 0:
        roots.add(Tree().root())
    head = folder / "log" / "heads" / str(size)
    if head.is_file():
        words = head.read_bytes().split()
        with suppress(ValueError):
            roots.add(base64.b64decode(words[-1] if words else b"", validate=True))
    checkpoint = folder / CHECKPOINT
    noted = checkpoint_in(checkpoint.read_bytes()) if checkpoint.is_file() else None
    return roots | ({noted.root} if noted is not None and noted.size == size else set())


def newest_size(folder: Path) -> int:
    """Return the greatest size that was ever signed, by heads and checkpoint; 0 without any."""
    sizes = [int(path.name) for path in (folder / "log" / "heads").glob("*") if path.name.isdigit()]
    checkpoint = folder / CHECKPOINT
    noted = checkpoint_in(checkpoint.read_bytes()) if checkpoint.is_file() else None
    return max([*sizes, noted.size if noted is not None else 0])


def _tree(folder: Path, size: int, hashes: Callable[[bytes], list[bytes]]) -> Tree | None:
    path = bundle_path if hashes is _entry_hashes else _leaf_tile_path
    tree = Tree()
    try:
        for index, width in bundles_of(size):
            found = hashes((folder / "log" / path(index, width)).read_bytes())
            if len(found) != width:
                return None
            tree.extend(found)
    except (OSError, ValueError):
        return None
    return tree


def _entry_hashes(raw: bytes) -> list[bytes]:
    return [leaf_hash(entry) for entry in decode_bundle(raw)]


def _tile_hashes(raw: bytes) -> list[bytes]:
    return [raw[at : at + HASH_BYTES] for at in range(0, len(raw), HASH_BYTES)]


def _leaf_tile_path(index: int, width: int) -> str:
    return tile_path(0, index, width)


def log_names(size: int) -> Iterator[str]:
    """Yield the names of the tiles and bundles of a size."""
    yield from (f"log/{tile_path(*tile)}" for tile in tiles_of(size))
    yield from (f"log/{bundle_path(*bundle)}" for bundle in bundles_of(size))


def place_of(path: str) -> tuple[int | None, int, int] | None:
    """Return level (None: entries), index and width of a tile; None for another path.

    >>> place_of("tile/entries/x001/234.p/17"), place_of("tile/0/007")
    ((None, 1234, 17), (0, 7, 256))
    """
    folder, *groups = path.removeprefix("tile/").split("/")
    width = TILE_WIDTH
    if len(groups) > 1 and groups[-2].endswith(".p"):
        text = groups.pop()
        groups[-1] = groups[-1].removesuffix(".p")
        if not text.isdecimal():
            return None
        width = int(text)
    digits = [group.removeprefix("x") for group in groups]
    if not digits or not all(map(str.isdecimal, digits)) or not (folder == "entries" or folder.isdecimal()):
        return None
    *_, index = accumulate(map(int, digits), lambda before, digit: before * 1000 + digit)
    return None if folder == "entries" else int(folder), index, width


def is_head(name: str) -> bool:
    """Return whether a file is a head."""
    return name.startswith("log/heads/") and PurePosixPath(name).name.isdecimal()


def head_line(size: int, root: bytes) -> bytes:
    """Return what a head holds."""
    return f"{size} {base64.b64encode(root).decode()}\n".encode()


def checkpoint_in(note: bytes) -> Checkpoint | None:
    """Return what a note says, whoever signed it; None where it is no checkpoint."""
    try:
        text, _, _ = note.decode().partition("\n\n")
        return Checkpoint.parse(f"{text}\n")
    except ValueError:
        return None
