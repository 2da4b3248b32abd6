"""The Merkle tree against RFC 6962 written again, its proofs under every change, its tiles under every flip."""

from __future__ import annotations

import doctest
from collections.abc import Iterator
from dataclasses import FrozenInstanceError
from functools import cache
from hashlib import sha256
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtok import canonical, proofs
from mtok.proofs import (
    EMPTY_ROOT,
    PROOF_BYTES_MAX,
    SIZE_MAX,
    Proof,
    Tree,
    bundle_path,
    bundles_of,
    check_consistency,
    check_inclusion,
    decode_bundle,
    decode_proof,
    encode_bundle,
    encode_proof,
    leaf_hash,
    node_hash,
    root_of_tiles,
    tile_bytes,
    tile_hashes,
    tile_path,
    tiles_of,
)

SIZES = 256


def entry(number: int) -> bytes:
    """Return the entry with a number: all differ."""
    return b"entry %d" % number


@cache
def grown(size: int) -> Tree:
    """Return the tree of the first entries; trees are not changed by the tests that share them."""
    return Tree(leaf_hash(entry(number)) for number in range(size))


def flipped(raw: bytes, bit: int) -> bytes:
    """Return `raw` with one bit changed."""
    return raw[: bit // 8] + bytes([raw[bit // 8] ^ 1 << bit % 8]) + raw[bit // 8 + 1 :]


# ---- the definitions of RFC 6962, section 2.1, word for word


def split(count: int) -> int:
    """Return k, the largest power of two smaller than n."""
    k = 1
    while 2 * k < count:
        k *= 2
    return k


def mth(entries: list[bytes]) -> bytes:
    """Return the Merkle Tree Hash, MTH(D[n])."""
    if not entries:
        return sha256(b"").digest()
    if len(entries) == 1:
        return sha256(b"\0" + entries[0]).digest()
    k = split(len(entries))
    return sha256(b"\1" + mth(entries[:k]) + mth(entries[k:])).digest()


@cache
def mth_of(start: int, end: int) -> bytes:
    """Return MTH(D[start:end]) of the numbered entries."""
    if end - start == 1:
        return mth([entry(start)])
    middle = start + split(end - start)
    return sha256(b"\1" + mth_of(start, middle) + mth_of(middle, end)).digest()


def path(m: int, start: int, end: int) -> list[bytes]:
    """Return the Merkle audit path, PATH(m, D[start:end])."""
    if end - start == 1:
        return []
    k = split(end - start)
    if m < k:
        return [*path(m, start, start + k), mth_of(start + k, end)]
    return [*path(m - k, start + k, end), mth_of(start, start + k)]


def subproof(m: int, start: int, end: int, known: bool) -> list[bytes]:
    """Return SUBPROOF(m, D[start:end], b)."""
    if m == end - start:
        return [] if known else [mth_of(start, end)]
    k = split(end - start)
    if m <= k:
        return [*subproof(m, start, start + k, known), mth_of(start + k, end)]
    return [*subproof(m - k, start + k, end, False), mth_of(start, start + k)]


def sides(index: int, size: int) -> str:
    """Return on which side each hash of an audit path stands."""
    if size == 1:
        return ""
    k = split(size)
    return f"{sides(index, k)}r" if index < k else f"{sides(index - k, size - k)}l"


def sides_of_consistency(old: int, size: int, known: bool = True) -> str:
    """Return on which side each hash of a consistency proof stands, `o` for the one it begins with."""
    if old == size:
        return "" if known else "o"
    k = split(size)
    if old <= k:
        return f"{sides_of_consistency(old, k, known)}r"
    return f"{sides_of_consistency(old - k, size - k, False)}l"


# ---- roots

LEAF_INPUTS = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def test_the_roots_of_the_well_known_example() -> None:
    """Eight leaf inputs and nine roots of the tests of Google's Certificate Transparency log (2013).

    Later implementations of RFC 6962 repeat them, among them github.com/transparency-dev/merkle.
    """
    tree = Tree(leaf_hash(bytes.fromhex(text)) for text in LEAF_INPUTS)
    assert [tree.root(size).hex() for size in range(9)] == ROOTS
    assert EMPTY_ROOT.hex() == ROOTS[0] == Tree().root().hex()


def test_roots_are_those_of_the_recursive_definition() -> None:
    tree = grown(SIZES)
    for size in range(301):
        entries = [entry(number) for number in range(size)]
        expected = mth(entries)
        assert Tree(map(leaf_hash, entries)).root() == expected, size
        if size <= SIZES:
            assert tree.root(size) == expected, size


def test_roots_of_larger_trees_are_those_of_the_recursive_definition() -> None:
    random = Random(6962)
    for size in [1023, 1024, 1025, *(random.randrange(300, 9000) for _ in range(12))]:
        assert grown(70_000).root(size) == mth([entry(number) for number in range(size)]), size


def test_a_tree_that_grows_is_the_tree_built_at_once() -> None:
    random = Random(9162)
    tree = Tree()
    while tree.size < 600:
        more = random.choice([0, 1, 1, 2, 3, 17, 64])
        tree.extend(leaf_hash(entry(number)) for number in range(tree.size, tree.size + more))
        assert tree.root() == grown(1000).root(tree.size)
    assert tree.inclusion(77) == grown(1000).inclusion(77, tree.size)


def test_a_leaf_that_is_no_hash_is_refused_and_changes_nothing() -> None:
    tree = Tree([leaf_hash(b"a")])
    with pytest.raises(ValueError, match=r"^leaf hash 2 has 31 bytes, not 32$"):
        tree.extend([leaf_hash(b"b"), bytes(31)])
    assert (tree.size, tree.root()) == (1, leaf_hash(b"a"))


@pytest.mark.parametrize("size", [6, -1])
def test_a_size_that_a_tree_never_had_is_refused(size: int) -> None:
    tree = grown(5)
    with pytest.raises(ValueError, match=r"^a tree of 5 leaves has no root of size -?\d$"):
        tree.root(size)


@pytest.mark.parametrize(("index", "size"), [(5, 5), (-1, 5), (3, 3), (0, 0)])
def test_a_leaf_that_a_tree_does_not_have_is_refused(index: int, size: int) -> None:
    with pytest.raises(ValueError, match=f"^a tree of {size} leaves has no leaf {index}$"):
        grown(5).inclusion(index, size)


@pytest.mark.parametrize(("old_size", "size"), [(0, 5), (-1, 5), (4, 3), (0, 0)])
def test_a_size_that_no_proof_leads_from_is_refused(old_size: int, size: int) -> None:
    with pytest.raises(ValueError, match=f"^no proof leads from size {old_size} to size {size}$"):
        grown(5).consistency(old_size, size)


@pytest.mark.parametrize(
    ("height", "first", "count"), [(0, 5, 1), (0, 0, 6), (1, -1, 1), (2, 1, 1), (3, 0, 1), (-1, 0, 1)]
)
def test_subtrees_that_a_tree_does_not_have_are_refused(height: int, first: int, count: int) -> None:
    with pytest.raises(ValueError, match=r"^a tree of 5 leaves has \d subtrees of 2\^"):
        grown(5).hashes(height, first, count)


# ---- proofs


def test_every_inclusion_proof_up_to_256_leaves_is_the_defined_one_and_verifies() -> None:
    tree = grown(SIZES)
    verified = 0
    for size in range(1, SIZES + 1):
        root = tree.root(size)
        for index in range(size):
            proof = tree.inclusion(index, size)
            assert proof == path(index, 0, size), (index, size)
            verified += check_inclusion(index, size, leaf_hash(entry(index)), proof, root)
    assert verified == 256 * 257 // 2


def test_every_consistency_proof_up_to_256_leaves_is_the_defined_one_and_verifies() -> None:
    tree = grown(SIZES)
    verified = 0
    for size in range(1, SIZES + 1):
        root = tree.root(size)
        for old in range(1, size + 1):
            proof = tree.consistency(old, size)
            assert proof == subproof(old, 0, size, True), (old, size)
            verified += check_consistency(old, tree.root(old), size, root, proof)
    assert verified == 256 * 257 // 2


def test_the_last_leaf_of_a_tree_of_any_height() -> None:
    """A tree of 2^62 + 1 equal leaves, whose complete half is hashed once a level."""
    leaf = half = leaf_hash(b"a")
    for _ in range(62):
        half = node_hash(half, half)
    size, root = 2**62 + 1, node_hash(half, leaf)
    assert check_inclusion(size - 1, size, leaf, [half], root)
    assert check_consistency(size - 1, half, size, root, [leaf])
    assert not check_inclusion(size - 2, size, leaf, [half], root)


def test_size_0_proves_nothing() -> None:
    root = leaf_hash(b"a")
    assert not check_inclusion(0, 0, root, [], root)
    assert not check_consistency(0, EMPTY_ROOT, 1, root, [])
    assert not check_consistency(0, EMPTY_ROOT, 1, root, [root])
    assert not check_consistency(0, EMPTY_ROOT, 0, EMPTY_ROOT, [])


def test_equal_sizes_need_equal_roots_and_no_hash() -> None:
    one, other = leaf_hash(b"a"), leaf_hash(b"b")
    assert check_consistency(1, one, 1, one, [])
    assert not check_consistency(1, one, 1, other, [])
    assert not check_consistency(1, one, 1, one, [one])


def changed_lists(proof: list[bytes], root: bytes) -> Iterator[list[bytes]]:
    """Yield proofs that differ from `proof` in the number, the order or the length of their hashes."""
    count = len(proof)
    yield from (proof[:at] + proof[at + 1 :] for at in range(count))
    yield from ([*proof[:at], new, *proof[at:]] for at in range(count + 1) for new in (bytes(32), root))
    yield from (proof[: at + 1] + proof[at:] for at in range(count))
    for first in range(count):
        for second in range(first + 1, count):
            swapped = proof.copy()
            swapped[first], swapped[second] = proof[second], proof[first]
            yield swapped
        yield [*proof[:first], proof[first][:31], *proof[first + 1 :]]
        yield [*proof[:first], proof[first] + b"\0", *proof[first + 1 :]]


def changed_hashes(proof: list[bytes]) -> Iterator[list[bytes]]:
    """Yield proofs with one bit of one hash changed."""
    for at, value in enumerate(proof):
        for bit in range(256):
            yield [*proof[:at], flipped(value, bit), *proof[at + 1 :]]


def test_no_changed_inclusion_proof_is_accepted() -> None:
    tree = grown(SIZES)
    accepted = []
    tried = 0
    for size in (1, 2, 3, 4, 5, 7, 8, 11, 64, 100, 129, 200, 255, 256):
        root = tree.root(size)
        for index in sorted({0, 1 % size, size // 3, size // 2, size - 2, size - 1} & set(range(size))):
            leaf, proof = leaf_hash(entry(index)), tree.inclusion(index, size)
            assert check_inclusion(index, size, leaf, proof, root)
            changes = [
                *((index, size, flipped(leaf, bit), proof, root) for bit in range(256)),
                *((index, size, leaf, proof, flipped(root, bit)) for bit in range(256)),
                *((index, size, leaf, changed, root) for changed in changed_hashes(proof)),
                *((index, size, leaf, changed, root) for changed in changed_lists(proof, root)),
                *((other, size, leaf, proof, root) for other in range(-2, size + 3) if other != index),
                *(
                    (index, size, leaf_hash(entry(other)), proof, root)
                    for other in range(size)
                    if other != index
                ),
                # a size with the root of that size, as a checkpoint binds them
                *(
                    (index, other, leaf, proof, tree.root(other))
                    for other in range(SIZES + 1)
                    if other != size
                ),
                # a size alone: only another shape of the tree is another statement
                *(
                    (index, other, leaf, proof, root)
                    for other in range(-1, SIZES + 3)
                    if other <= index or sides(index, other) != sides(index, size)
                ),
            ]
            real = [change for change in changes if change != (index, size, leaf, proof, root)]
            accepted += [change for change in real if check_inclusion(*change)]
            tried += len(real)
    assert (tried, accepted) == (169_529, [])


def test_no_changed_consistency_proof_is_accepted() -> None:
    tree = grown(SIZES)
    accepted = []
    tried = 0
    for size in (2, 3, 4, 5, 7, 8, 11, 64, 100, 129, 200, 255, 256):
        root = tree.root(size)
        for old in sorted({1, size // 3, size // 2, split(size), size - 1, size} - {0}):
            old_root, proof = tree.root(old), tree.consistency(old, size)
            assert check_consistency(old, old_root, size, root, proof)
            shape = sides_of_consistency(old, size)
            changes = [
                *((old, flipped(old_root, bit), size, root, proof) for bit in range(256)),
                *((old, old_root, size, flipped(root, bit), proof) for bit in range(256)),
                *((old, old_root, size, root, changed) for changed in changed_hashes(proof)),
                *((old, old_root, size, root, changed) for changed in changed_lists(proof, root)),
                *((old, tree.root(other), size, root, proof) for other in range(SIZES + 1) if other != old),
                *(
                    (old, old_root, size, tree.root(other), proof)
                    for other in range(SIZES + 1)
                    if other != size
                ),
                *((other, tree.root(other), size, root, proof) for other in range(SIZES + 1) if other != old),
                *(
                    (old, old_root, other, tree.root(other), proof)
                    for other in range(SIZES + 1)
                    if other != size
                ),
                *(
                    (other, old_root, size, root, proof)
                    for other in range(-1, SIZES + 3)
                    if not 0 < other <= size or sides_of_consistency(other, size) != shape
                ),
                *(
                    (old, old_root, other, root, proof)
                    for other in range(-1, SIZES + 3)
                    if other < old or sides_of_consistency(old, other) != shape
                ),
            ]
            real = [change for change in changes if change != (old, old_root, size, root, proof)]
            accepted += [change for change in real if check_consistency(*change)]
            tried += len(real)
    assert (tried, accepted) == (184_912, [])


def test_a_root_does_not_say_how_many_leaves_it_has() -> None:
    """Why the size is never taken from anywhere but the signed checkpoint that has the root."""
    tree = grown(3)
    proof = tree.inclusion(0, 3)
    assert sides(0, 3) == sides(0, 4)
    assert check_inclusion(0, 4, leaf_hash(entry(0)), proof, tree.root(3))


HUGE = (
    st.integers()
    | st.integers(-2, 9)
    | st.sampled_from([SIZE_MAX, SIZE_MAX + 1, 2**64, 10**1000, -(10**1000)])
)
HASH = st.binary(max_size=40) | st.binary(min_size=32, max_size=32)


@given(HUGE, HUGE, HASH, HASH, st.lists(HASH, max_size=70))
def test_hostile_values_are_answered(
    first: int, second: int, one: bytes, other: bytes, proof: list[bytes]
) -> None:
    assert check_inclusion(first, second, one, proof, other) in {False, one == other}
    assert check_consistency(first, one, second, other, proof) in {False, one == other}


def test_bytes_cannot_move_from_one_hash_to_another() -> None:
    """Two hashes are hashed as one string: 33 and 31 bytes, or 31 and 33, would give the same node."""
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    root = node_hash(left, right)
    for leaf, sibling in [(left + right[:1], right[1:]), (left[:31], left[31:] + right)]:
        assert node_hash(leaf, sibling) == root
        assert not check_inclusion(0, 2, leaf, [sibling], root)


@pytest.mark.parametrize("value", [b"", bytes(31), bytes(33), bytes(64)], ids=len)
def test_what_is_no_hash_proves_nothing(value: bytes) -> None:
    assert not check_inclusion(0, 1, value, [], value)
    assert not check_consistency(1, value, 1, value, [])


def test_sizes_above_the_limit_prove_nothing() -> None:
    leaf = leaf_hash(b"a")
    high = [leaf] * 63
    root = leaf
    for sibling in high:
        root = node_hash(root, sibling)
    assert check_inclusion(0, SIZE_MAX, leaf, high, root)
    assert not check_inclusion(0, SIZE_MAX + 1, leaf, high, root)
    assert not check_consistency(1, leaf, SIZE_MAX + 1, root, high)


# ---- tiles


def written(size: int) -> dict[str, bytes]:
    """Return all tiles of the tree of a size, by path."""
    tree = grown(70_000)
    return {
        tile_path(level, index, width): tile_bytes(tree, level, index, width)
        for level, index, width in tiles_of(size)
    }


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (0, "000"),
        (67, "067"),
        (999, "999"),
        (1000, "x001/000"),
        (999_999, "x999/999"),
        (1_000_000, "x001/x000/000"),
        (1_234_067, "x001/x234/067"),
    ],
)
def test_paths(index: int, expected: str) -> None:
    """1234067 is the example of c2sp.org/tlog-tiles."""
    assert tile_path(0, index) == f"tile/0/{expected}"
    assert tile_path(63, index, 1) == f"tile/63/{expected}.p/1"
    assert bundle_path(index) == f"tile/entries/{expected}"
    assert bundle_path(index, 255) == f"tile/entries/{expected}.p/255"


@pytest.mark.parametrize(
    ("level", "index", "width"), [(-1, 0, 1), (64, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, 257)]
)
def test_tiles_that_no_tree_has(level: int, index: int, width: int) -> None:
    with pytest.raises(ValueError, match="no tile has"):
        tile_path(level, index, width)


def test_tiles_of_the_sizes_the_specification_counts() -> None:
    """c2sp.org/tlog-tiles, section Partial Tiles: sizes 70,000 and 256."""
    tiles = list(tiles_of(70_000))
    full = [sum(1 for one in tiles if one[0] == level and one[2] == 256) for level in range(4)]
    partial = [tile for tile in tiles if tile[2] < 256]
    assert full == [273, 1, 0, 0]
    assert partial == [(0, 273, 112), (1, 1, 17), (2, 0, 1)]
    assert list(tiles_of(256)) == [(0, 0, 256), (1, 0, 1)]
    assert list(tiles_of(0)) == []


def test_tiles_and_bundles_of_every_size_are_those_of_the_formula() -> None:
    """A partial tile of level l has floor(s / 256^l) mod 256 hashes; full tiles come before it."""
    for size in [*range(1, 600), 65_535, 65_536, 65_537, 2**24, 2**24 + 1]:
        expected = []
        for level in range(4):
            count = size // 256**level
            expected += [(level, index, 256) for index in range(count // 256)]
            expected += [(level, count // 256, count % 256)] if count % 256 else []
        assert list(tiles_of(size)) == expected, size
        assert list(bundles_of(size)) == [(index, width) for level, index, width in expected if level == 0]


@pytest.mark.parametrize("sizes", [range(601), [65_535, 65_536, 65_537, 70_000]], ids=["small", "large"])
def test_the_root_of_the_tiles_is_that_of_the_tree(sizes: range | list[int]) -> None:
    for size in sizes:
        tiles = written(size)
        assert len(tiles) == len(list(tiles_of(size)))
        assert root_of_tiles(size, tiles.__getitem__) == grown(70_000).root(size), size


def test_hashes_above_level_0_are_roots_of_full_tiles() -> None:
    tiles = written(70_000)
    for level, index, width in tiles_of(70_000):
        if level > 0:
            for position, found in enumerate(tile_hashes(tiles[tile_path(level, index, width)], width)):
                below = tile_path(level - 1, index * 256 + position)
                assert Tree(tile_hashes(tiles[below], 256)).root() == found


def test_only_the_right_edge_is_read_and_every_byte_of_it_counts() -> None:
    size = 70_000
    tiles = written(size)
    needed: list[str] = []

    def read(name: str) -> bytes:
        needed.append(name)
        return tiles[name]

    root = root_of_tiles(size, read)
    assert needed == ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"]
    changed = 0
    for name in list(needed):
        for at in range(len(tiles[name])):
            others = tiles | {name: flipped(tiles[name], 8 * at + at % 8)}
            changed += root_of_tiles(size, others.__getitem__) != root
    assert changed == 32 * (112 + 17 + 1)


def test_a_tile_of_another_width_is_refused() -> None:
    tiles = {name: raw[:-32] for name, raw in written(300).items()}
    with pytest.raises(ValueError, match=r"^tile of 44 hashes has 1376 bytes, not 1408$"):
        root_of_tiles(300, tiles.__getitem__)
    for raw in (b"", bytes(31), bytes(33), bytes(64)):
        with pytest.raises(ValueError, match="tile of 1 hashes"):
            tile_hashes(raw, 1)
    with pytest.raises(ValueError, match="has 300 subtrees"):
        tile_bytes(grown(300), 0, 1, 45)


def test_entries_of_bundles_hash_to_the_tiles_of_level_0() -> None:
    tiles = written(600)
    for index, width in bundles_of(600):
        raw = encode_bundle([entry(256 * index + position) for position in range(width)])
        hashes = [leaf_hash(one) for one in decode_bundle(raw)]
        assert b"".join(hashes) == tiles[tile_path(0, index, width)]


# ---- bundles


@given(st.lists(st.binary(max_size=300), max_size=256))
def test_bundles_come_back(entries: list[bytes]) -> None:
    assert decode_bundle(encode_bundle(entries)) == entries


@given(st.binary(max_size=600))
def test_any_bytes_are_one_bundle_or_refused(raw: bytes) -> None:
    try:
        entries = decode_bundle(raw)
    except ValueError:
        return
    assert encode_bundle(entries) == raw


def test_the_bytes_of_a_bundle() -> None:
    assert encode_bundle([b"ab", b"", b"c" * 258]) == b"\x00\x02ab" + b"\x00\x00" + b"\x01\x02" + b"c" * 258


@pytest.mark.parametrize("raw", [b"\x00", b"\x00\x01", b"\x00\x02a", b"\x00\x01a\x00", b"\xff\xff"])
def test_a_torn_bundle_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match="is torn in entry"):
        decode_bundle(raw)


def test_a_bundle_has_limits() -> None:
    assert decode_bundle(encode_bundle([b"a" * 65_535] * 256)) == [b"a" * 65_535] * 256
    with pytest.raises(ValueError, match=r"^entry 1 has 65536 bytes, above 65535$"):
        encode_bundle([b"", b"a" * 65_536])
    with pytest.raises(ValueError, match="257"):
        encode_bundle([b""] * 257)
    with pytest.raises(ValueError, match="2 bytes follow"):
        decode_bundle(bytes(2 * 257))


# ---- proof files

CHECKPOINT = (
    b"log.example\n7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n\xe2\x80\x94 log.example AAAAAAA=\n"
)
FILE = (
    b"c2sp.org/tlog-proof@v1\n"
    b"extra bm90ZQ==\n"
    b"index 5\n"
    b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
    b"//////////////////////////////////////////8=\n"
    b"\n"
) + CHECKPOINT
PROOF = Proof(index=5, hashes=(bytes(32), b"\xff" * 32), checkpoint=CHECKPOINT, extra=b"note")
"""What the file above says, read by eye."""


def test_a_proof_file_to_the_byte() -> None:
    assert encode_proof(PROOF) == FILE
    assert decode_proof(FILE) == PROOF


def test_a_proof_file_without_extra_data_and_without_hashes() -> None:
    raw = b"c2sp.org/tlog-proof@v1\nindex 0\n\n" + CHECKPOINT
    proof = Proof(index=0, hashes=(), checkpoint=CHECKPOINT)
    assert (encode_proof(proof), decode_proof(raw)) == (raw, proof)


PROOFS = st.builds(
    Proof,
    index=st.integers(0, SIZE_MAX - 1),
    hashes=st.lists(st.binary(min_size=32, max_size=32), max_size=63).map(tuple),
    checkpoint=st.binary(max_size=200).map(lambda raw: raw + b"\n"),
    extra=st.none() | st.binary(min_size=1, max_size=80),
)


@given(PROOFS)
def test_proof_files_come_back(proof: Proof) -> None:
    assert decode_proof(encode_proof(proof)) == proof


@given(PROOFS, st.data())
def test_a_changed_proof_file_is_refused_or_says_something_else(proof: Proof, data: st.DataObject) -> None:
    raw = encode_proof(proof)
    at = data.draw(st.integers(0, len(raw) - 1))
    changed = raw[:at] + data.draw(st.binary(max_size=2)) + raw[at + 1 :]
    try:
        found = decode_proof(changed)
    except ValueError:
        return
    assert encode_proof(found) == changed
    assert (found == proof) == (changed == raw)


@given(st.binary(max_size=300) | st.binary(max_size=100).map(lambda raw: b"c2sp.org/tlog-proof@v1\n" + raw))
def test_any_bytes_are_one_proof_file_or_refused(raw: bytes) -> None:
    try:
        proof = decode_proof(raw)
    except ValueError:
        return
    assert encode_proof(proof) == raw


ZEROS = b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"


@pytest.mark.parametrize(
    ("defect", "old", "new", "message"),
    [
        ("other_version", b"@v1", b"@v2", "line 1"),
        ("space_after_version", b"@v1", b"@v1 ", "line 1"),
        ("carriage_returns", b"\n", b"\r\n", "no blank line"),
        ("no_blank_line", b"8=\n\n", b"8=\n", "line 6: 11 characters"),
        ("blank_line_at_the_start", b"c2sp", b"\n\nc2sp", "line 1"),
        ("extra_empty", b"extra bm90ZQ==", b"extra ", "line 2"),
        ("extra_without_padding", b"bm90ZQ==", b"bm90ZQ", "line 2"),
        ("extra_not_canonical", b"bm90ZQ==", b"bm90ZR==", "line 2"),
        ("extra_after_index", b"extra bm90ZQ==\nindex 5\n", b"index 5\nextra bm90ZQ==\n", "line 3"),
        ("extra_twice", b"extra bm90ZQ==\n", b"extra bm90ZQ==\n" * 2, "line 3: not 'index'"),
        ("no_index", b"index 5\n", b"", "line 3: not 'index'"),
        ("index_upper_case", b"index", b"Index", "line 3: not 'index'"),
        ("index_negative", b"index 5", b"index -5", "line 3: not 'index'"),
        ("index_signed", b"index 5", b"index +5", "line 3: not 'index'"),
        ("index_empty", b"index 5", b"index ", "line 3: not 'index'"),
        ("index_leading_zero", b"index 5", b"index 05", "line 3: not 'index'"),
        ("index_two_spaces", b"index 5", b"index  5", "line 3: not 'index'"),
        ("index_underscore", b"index 5", b"index 5_0", "line 3: not 'index'"),
        ("index_arabic_digit", b"index 5", "index ٥".encode(), "line 3: not 'index'"),
        (
            "index_too_large",
            b"index 5",
            b"index 9223372036854775807",
            "no tree has an entry 9223372036854775807",
        ),
        ("index_endless", b"index 5", b"index " + b"5" * 5000, "line 3: not 'index'"),
        ("hash_of_31_bytes", ZEROS, b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==\n", "has not 32 bytes"),
        ("hash_not_canonical", ZEROS, b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=\n", "line 4"),
        ("hash_url_alphabet", b"////", b"____", "line 5"),
        ("hash_with_space", b"AAAA=\n//", b"AAAA= \n//", "line 4"),
        ("hashes_too_many", ZEROS + b"/", ZEROS * 63 + b"/", "at most 63 hashes, not 64"),
        ("hash_not_ascii", b"////", "—///".encode(), "line 5"),
        ("no_final_newline", b"example AAAAAAA=\n", b"example AAAAAAA=", "does not end with a newline"),
        ("no_checkpoint", CHECKPOINT, b"", "does not end with a newline"),
    ],
)
def test_the_reader_of_proof_files_is_strict(defect: str, old: bytes, new: bytes, message: str) -> None:
    assert old in FILE
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        decode_proof(FILE.replace(old, new) if defect == "carriage_returns" else FILE.replace(old, new, 1))


def test_a_proof_file_has_a_limit() -> None:
    room = PROOF_BYTES_MAX - len(encode_proof(Proof(index=0, hashes=(), checkpoint=b"\n")))
    most = Proof(index=0, hashes=(), checkpoint=b"a" * room + b"\n")
    assert decode_proof(encode_proof(most)) == most
    with pytest.raises(ValueError, match="1048577 bytes, above 1048576"):
        encode_proof(Proof(index=0, hashes=(), checkpoint=b"a" + most.checkpoint))
    with pytest.raises(ValueError, match="1048577 bytes, above 1048576"):
        decode_proof(encode_proof(most) + b"\n")


def test_a_proof_that_no_file_can_hold() -> None:
    with pytest.raises(ValueError, match="extra data of no bytes"):
        Proof(index=0, hashes=(), checkpoint=b"\n", extra=b"")
    with pytest.raises(ValueError, match="no tree has an entry -1"):
        Proof(index=-1, hashes=(), checkpoint=b"\n")
    with pytest.raises(FrozenInstanceError):
        PROOF.index = 6  # type: ignore[misc]


@pytest.mark.parametrize(
    "text", ["", "A", "AA", "AA=", "AB==", "AA==\n", " AA==", "AA==AA==", "AAA=A", "A-A=", "АА=="]
)
def test_base64_that_no_encoder_writes(text: str) -> None:
    with pytest.raises(ValueError, match="not canonical base64"):
        canonical.from_base64(text)


def test_the_examples_in_the_docstrings_run() -> None:
    assert doctest.testmod(proofs) == doctest.TestResults(failed=0, attempted=7)
