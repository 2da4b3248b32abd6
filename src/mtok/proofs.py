"""The Merkle tree of a log: roots, proofs, tiles and proof files, from hashes alone.

The tree is that of RFC 6962, section 2.1, with SHA-256. Tiles and entry bundles are those of c2sp.org/tlog-tiles,
256 wide; proof files those of c2sp.org/tlog-proof. Nothing here reads a file: callers hand in bytes, or a function
that reads them. What is built here raises on a bad call; what checks a proof answers True or False, never more.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from mtok.canonical import from_base64

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = sha256(b"").digest()
"""The root of a tree without leaves."""

SIZE_MAX: Final = 2**63 - 1
"""Leaves of a tree, at most: what other readers of these formats hold in a signed integer."""

TILE_WIDTH: Final = 256
TILE_HEIGHT: Final = 8
TILE_LEVEL_MAX: Final = 63
ENTRY_BYTES_MAX: Final = 65_535
"""An entry's length stands before it in two bytes."""

PROOF_BYTES_MAX: Final = 2**20
PROOF_HASHES_MAX: Final = 63
"""A tree of `SIZE_MAX` leaves is 63 levels high."""


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf: of the byte 0 and the entry."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node: of the byte 1 and the hashes of its two children."""
    return sha256(b"\x01" + left + right).digest()


def _way_down(leaf: int, size: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield the subtrees on the way from the root of `size` leaves to one leaf, the root itself left out.

    Each is (start, end, start of its sibling, end of its sibling), as ranges of leaves. A subtree splits at the
    largest power of two below its width.
    """
    start, end = 0, size
    while end - start > 1:
        split = start + (1 << (end - start - 1).bit_length() - 1)
        if leaf < split:
            yield start, split, split, end
            end = split
        else:
            yield split, end, start, split
            start = split


def _way_to_old(old_size: int, size: int) -> list[tuple[int, int, int, int]]:
    """Return the subtrees of `_way_down` as far as the first that ends where the older tree ends."""
    steps: list[tuple[int, int, int, int]] = []
    if old_size < size:
        for step in _way_down(old_size - 1, size):
            steps.append(step)
            if step[1] == old_size:
                break
    return steps


class Tree:
    """The tree over leaf hashes, every complete subtree hashed once.

    The roots and proofs of all its earlier sizes are those of its first leaves.

    >>> tree = Tree(leaf_hash(entry) for entry in (b"a", b"b", b"c"))
    >>> tree.size, tree.root() == node_hash(tree.root(2), leaf_hash(b"c"))
    (3, True)
    """

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        """Build the tree; raises ValueError for a leaf hash that is not 32 bytes."""
        self._levels = [bytearray()]
        self.extend(leaves)

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Append leaf hashes; raises ValueError, and appends none, when one is not 32 bytes."""
        added = list(leaves)
        for position, leaf in enumerate(added):
            if len(leaf) != HASH_BYTES:
                raise ValueError(f"leaf hash {self.size + position} has {len(leaf)} bytes, not {HASH_BYTES}")
        self._levels[0] += b"".join(added)
        for height, level in enumerate(self._levels):
            if len(level) < 2 * HASH_BYTES:
                break
            if height + 1 == len(self._levels):
                self._levels.append(bytearray())
            parents = self._levels[height + 1]
            nodes = [
                sha256(b"\x01" + level[at : at + 2 * HASH_BYTES]).digest()
                for at in range(2 * len(parents), len(level) - 2 * HASH_BYTES + 1, 2 * HASH_BYTES)
            ]
            parents += b"".join(nodes)

    @property
    def size(self) -> int:
        """The number of leaves."""
        return len(self._levels[0]) // HASH_BYTES

    def root(self, size: int | None = None) -> bytes:
        """Return the root of the first `size` leaves, of all when left out; raises ValueError beyond the tree."""
        return self._subtree(0, self._known(size))

    def inclusion(self, index: int, size: int | None = None) -> list[bytes]:
        """Return the proof that leaf `index` is in the tree of `size`, the leaf's sibling first (RFC 6962, 2.1.1).

        Raises ValueError when that tree has no such leaf.
        """
        size = self._known(size)
        if not 0 <= index < size:
            raise ValueError(f"a tree of {size} leaves has no leaf {index}")
        return [self._subtree(*sibling) for _, _, *sibling in _way_down(index, size)][::-1]

    def consistency(self, old_size: int, size: int | None = None) -> list[bytes]:
        """Return the proof that the tree of `size` begins with that of `old_size` (RFC 6962, 2.1.2).

        Raises ValueError unless 0 < old_size ≤ size: a tree without leaves is the beginning of every tree, which
        proves nothing.
        """
        size = self._known(size)
        if not 0 < old_size <= size:
            raise ValueError(f"no proof leads from size {old_size} to size {size}")
        steps = _way_to_old(old_size, size)
        proof = [self._subtree(*sibling) for _, _, *sibling in steps]
        if steps and (start := steps[-1][0]) > 0:
            proof.append(self._subtree(start, old_size))
        return proof[::-1]

    def _known(self, size: int | None) -> int:
        """Return `size`, or that of the tree; raises ValueError for one the tree never had."""
        if size is None:
            return self.size
        if not 0 <= size <= self.size:
            raise ValueError(f"a tree of {self.size} leaves has no root of size {size}")
        return size

    def _subtree(self, start: int, end: int) -> bytes:
        """Return the root of the leaves `start` ≤ i < `end`, a range that `_way_down` yields or that starts at 0."""
        complete = []
        while start < end:
            height = (end - start).bit_length() - 1
            complete.append(self.hashes(height, start >> height, 1))
            start += 1 << height
        if not complete:
            return EMPTY_ROOT
        root = complete.pop()
        while complete:
            root = node_hash(complete.pop(), root)
        return root

    def hashes(self, height: int, first: int, count: int) -> bytes:
        """Return the roots of `count` complete subtrees of 2^height leaves, from number `first` on, in one string.

        Raises ValueError when the tree has not that many.
        """
        level = self._levels[height] if 0 <= height < len(self._levels) else b""
        start, end = first * HASH_BYTES, (first + count) * HASH_BYTES
        if not 0 <= start <= end <= len(level):
            raise ValueError(
                f"a tree of {self.size} leaves has {len(level) // HASH_BYTES} subtrees of 2^{height} leaves, "
                f"not {first + count}"
            )
        return bytes(level[start:end])


# ---- checking proofs


def _are_hashes(values: Sequence[bytes]) -> bool:
    return all(len(value) == HASH_BYTES for value in values)


def check_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> bool:
    """Return whether `proof` shows that the leaf hash `leaf` is number `index` of the tree of `size` and `root`.

    `size` and `root` belong together, out of one signed checkpoint: a root alone fits trees of several sizes.

    >>> check_inclusion(0, 1, leaf_hash(b"a"), [], leaf_hash(b"a"))
    True
    """
    if not 0 <= index < size <= SIZE_MAX or not _are_hashes([leaf, root, *proof]):
        return False
    on_the_left = [other < start for start, _, other, _ in _way_down(index, size)]
    if len(proof) != len(on_the_left):
        return False
    found = leaf
    for sibling, left in zip(proof, reversed(on_the_left), strict=True):
        found = node_hash(sibling, found) if left else node_hash(found, sibling)
    return found == root


def check_consistency(old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """Return whether `proof` shows that the tree of `size` and `root` begins with that of `old_size` and `old_root`.

    Equal sizes are shown by equal roots and an empty proof. Size 0 shows nothing: False.
    """
    if not 0 < old_size <= size <= SIZE_MAX or not _are_hashes([old_root, root, *proof]):
        return False
    steps = _way_to_old(old_size, size)
    on_the_left = [other < start for start, _, other, _ in steps]
    is_subtree = not steps or steps[-1][0] == 0
    first, *siblings = [old_root, *proof] if is_subtree else proof or [b""]
    if len(siblings) != len(on_the_left):
        return False
    old_found = found = first
    for sibling, left in zip(siblings, reversed(on_the_left), strict=True):
        found = node_hash(sibling, found) if left else node_hash(found, sibling)
        if left:
            old_found = node_hash(sibling, old_found)
    return old_found == old_root and found == root


# ---- tiles


def _numbered_path(folder: str, index: int, width: int) -> str:
    """Return the path of a tile or bundle: its index in groups of three digits, `x` before all but the last."""
    if index < 0 or not 1 <= width <= TILE_WIDTH:
        raise ValueError(f"no tile has index {index} and width {width}")
    path = f"{index % 1000:03}"
    while index := index // 1000:
        path = f"x{index % 1000:03}/{path}"
    return f"tile/{folder}/{path}" + (f".p/{width}" if width < TILE_WIDTH else "")


def tile_path(level: int, index: int, width: int = TILE_WIDTH) -> str:
    """Return the path of a tile; raises ValueError for a level, index or width that no tile has.

    >>> tile_path(0, 1234067), tile_path(1, 1, 17)
    ('tile/0/x001/x234/067', 'tile/1/001.p/17')
    """
    if not 0 <= level <= TILE_LEVEL_MAX:
        raise ValueError(f"no tile has level {level}")
    return _numbered_path(str(level), index, width)


def bundle_path(index: int, width: int = TILE_WIDTH) -> str:
    """Return the path of a bundle of entries; raises ValueError for an index or width that none has.

    >>> bundle_path(273, 112)
    'tile/entries/273.p/112'
    """
    return _numbered_path("entries", index, width)


def tiles_of(size: int) -> Iterator[tuple[int, int, int]]:
    """Yield (level, index, width) of every tile of a tree, from the leaves up and from left to right.

    >>> list(tiles_of(257))
    [(0, 0, 256), (0, 1, 1), (1, 0, 1)]
    """
    level = 0
    while count := size >> level * TILE_HEIGHT:
        full, width = divmod(count, TILE_WIDTH)
        yield from ((level, index, TILE_WIDTH) for index in range(full))
        if width:
            yield level, full, width
        level += 1


def bundles_of(size: int) -> Iterator[tuple[int, int]]:
    """Yield (index, width) of every bundle of entries of a tree, from left to right."""
    for level, index, width in tiles_of(size):
        if level > 0:
            break
        yield index, width


def tile_bytes(tree: Tree, level: int, index: int, width: int = TILE_WIDTH) -> bytes:
    """Return the bytes of a tile: `width` hashes of complete subtrees of 256^level leaves.

    Raises ValueError when the tree does not reach so far.
    """
    return tree.hashes(level * TILE_HEIGHT, index * TILE_WIDTH, width)


def tile_hashes(raw: bytes, width: int) -> list[bytes]:
    """Return the hashes of a tile; raises ValueError when there are not exactly `width`."""
    if len(raw) != width * HASH_BYTES:
        raise ValueError(f"tile of {width} hashes has {len(raw)} bytes, not {width * HASH_BYTES}")
    return [raw[at : at + HASH_BYTES] for at in range(0, len(raw), HASH_BYTES)]


def root_of_tiles(size: int, read: Callable[[str], bytes]) -> bytes:
    """Return the root of a tree of `size` from its tiles, which `read` returns for a path.

    Only the partial tiles of the right edge are needed, at most one a level; that full tiles below fit the hashes
    above them is another question. Raises ValueError when a tile has not the bytes its width asks for.
    """
    rest: list[bytes] = []
    level = 0
    while count := size >> level * TILE_HEIGHT:
        index, width = divmod(count, TILE_WIDTH)
        if width:
            hashes = tile_hashes(read(tile_path(level, index, width)), width)
            rest = [Tree([*hashes, *rest]).root()]
        level += 1
    return rest[0] if rest else EMPTY_ROOT


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """Return the bytes of a bundle: before each entry its length, two bytes, the higher first.

    Raises ValueError for more than 256 entries or one of more than 65,535 bytes.

    >>> encode_bundle([b"ab", b""])
    b'\\x00\\x02ab\\x00\\x00'
    """
    if len(entries) > TILE_WIDTH:
        raise ValueError(f"a bundle holds {TILE_WIDTH} entries, not {len(entries)}")
    for position, entry in enumerate(entries):
        if len(entry) > ENTRY_BYTES_MAX:
            raise ValueError(f"entry {position} has {len(entry)} bytes, above {ENTRY_BYTES_MAX}")
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def decode_bundle(raw: bytes) -> list[bytes]:
    """Return the entries of a bundle; raises ValueError for one that is torn or holds more than 256."""
    entries: list[bytes] = []
    at = 0
    while at < len(raw):
        if len(entries) == TILE_WIDTH:
            raise ValueError(f"a bundle holds {TILE_WIDTH} entries; {len(raw) - at} bytes follow")
        start = at + 2
        at = start + int.from_bytes(raw[at:start], "big")
        if start > len(raw) or at > len(raw):
            raise ValueError(f"bundle of {len(raw)} bytes is torn in entry {len(entries)}")
        entries.append(raw[start:at])
    return entries


# ---- proof files

_PROOF_VERSION: Final = "c2sp.org/tlog-proof@v1"
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What a proof file says: entry `index` is in the tree of `checkpoint`, a signed note, by way of `hashes`.

    `extra` is for whoever made the file and is covered by no signature. Raises ValueError for what no file can
    hold. Whether the proof is one is not known before `mtok.notes.open_note` and `check_inclusion` have said so.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.index < SIZE_MAX:
            raise ValueError(f"no tree has an entry {self.index}")
        if len(self.hashes) > PROOF_HASHES_MAX:
            raise ValueError(f"a proof has at most {PROOF_HASHES_MAX} hashes, not {len(self.hashes)}")
        if not _are_hashes(self.hashes):
            raise ValueError(f"a hash of the proof has not {HASH_BYTES} bytes")
        if not self.checkpoint.endswith(b"\n"):
            raise ValueError("the checkpoint does not end with a newline")
        if self.extra == b"":
            raise ValueError("extra data of no bytes are left out, not written")


def encode_proof(proof: Proof) -> bytes:
    """Return the bytes of a proof file; raises ValueError above 1 MB."""
    extra = [] if proof.extra is None else [f"extra {base64.b64encode(proof.extra).decode()}"]
    hashes = [base64.b64encode(value).decode() for value in proof.hashes]
    head = "\n".join([_PROOF_VERSION, *extra, f"index {proof.index}", *hashes])
    raw = head.encode() + b"\n\n" + proof.checkpoint
    if len(raw) > PROOF_BYTES_MAX:
        raise ValueError(f"proof file has {len(raw)} bytes, above {PROOF_BYTES_MAX}")
    return raw


def decode_proof(raw: bytes) -> Proof:
    """Return what a proof file says; raises ValueError, with the line, for one that `encode_proof` cannot write."""
    if len(raw) > PROOF_BYTES_MAX:
        raise ValueError(f"proof file has {len(raw)} bytes, above {PROOF_BYTES_MAX}")
    head, blank, checkpoint = raw.partition(b"\n\n")
    if not blank:
        raise ValueError("proof file has no blank line before a checkpoint")
    version, *lines = head.decode("ascii", "backslashreplace").split("\n")
    if version != _PROOF_VERSION:
        raise ValueError(f"proof file, line 1: {version[:80]!r} is not {_PROOF_VERSION!r}")
    number = 2
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = _decoded(lines.pop(0).removeprefix("extra "), number)
        number += 1
    word, _, index = lines.pop(0).partition(" ") if lines else ("", "", "")
    if word != "index" or not _DECIMAL.fullmatch(index):
        raise ValueError(f"proof file, line {number}: not 'index' and a decimal without leading zeros")
    hashes = tuple(_decoded(line, number + 1 + position) for position, line in enumerate(lines))
    return Proof(index=int(index), hashes=hashes, checkpoint=checkpoint, extra=extra)


def _decoded(text: str, number: int) -> bytes:
    try:
        return from_base64(text)
    except ValueError as error:
        raise ValueError(f"proof file, line {number}: {error}") from None
