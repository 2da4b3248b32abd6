"""The log: its signed head, every entry, every tile and every head that was ever signed, each made again.

The tree is built from the entry bundles alone; tiles, heads and an earlier checkpoint are then compared with it.
Nothing that a signature does not reach is believed.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from mtok.canonical import from_base64
from mtok.client.content import Malformed, decode, quoted
from mtok.client.findings import Findings
from mtok.client.source import CHECKPOINT, Missing, Source, Unreadable
from mtok.notes import Checkpoint, NoteRefused, PublicKey, open_note
from mtok.progress import Progress
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

ENTRIES_MAX: Final = 2_000_000
"""Entries of a log, at most: more would not fit into memory."""

LOG_FOLDER: Final = "log/"
_WHOLE: Final = "Ask for the whole publication again; when it stays so, keep this copy and tell others."


@dataclass(frozen=True, kw_only=True)
class Rotation:
    """A change of the log's key, by an entry that both keys signed."""

    index: int
    old: PublicKey
    new: PublicKey


@dataclass(kw_only=True)
class Log:
    """A log that was read.

    keys : the first, then each it was replaced by · ends : its size after each publication · implied : paths of all
    files that there must be, as far as they have been looked at
    """

    checkpoint: Checkpoint
    entries: list[bytes]
    tree: Tree
    keys: list[PublicKey]
    rotations: list[Rotation]
    ends: list[int]
    implied: set[str]

    def signers_of(self, size: int) -> set[PublicKey]:
        """Return who signs the head of `size`: one key, or both in the publication that replaces one."""
        start = max((end for end in self.ends if end < size), default=0)
        signers = {self.keys[0]}
        for rotation in self.rotations:
            if rotation.index < start:
                signers = {rotation.new}
            elif rotation.index < size:
                signers |= {rotation.old, rotation.new}
        return signers

    @property
    def key(self) -> PublicKey:
        """The key that signs now."""
        return self.keys[-1]


def read_log(source: Source, keys: Sequence[PublicKey], findings: Findings, progress: Progress) -> Log | None:
    """Return the log when its entries are those that were signed, None with a finding when they are not.

    Raises MtokError when there is no checkpoint, or the source cannot be asked.
    """
    raw = source.read(CHECKPOINT)
    head = _unsigned(raw, findings)
    if head is None:
        return None
    if head.size > ENTRIES_MAX:
        findings.add("log_too_long", CHECKPOINT, f"{head.size} entries, above {ENTRIES_MAX}")
        return None
    known = {str(key): key for key in keys}
    if (refusal := _refusal(raw, keys)) and not _is_unknown_signer(raw, keys):
        findings.add("checkpoint_refused", CHECKPOINT, refusal)
        return None
    if (read := _read_entries(source, head, findings, progress)) is None:
        return None
    entries, tree = read
    rotations = _rotations(entries, head.origin, findings)
    chain = _chain(list(known.values()), rotations, raw)
    if refusal := _refusal(raw, chain):
        findings.add("checkpoint_refused", CHECKPOINT, refusal, "Use the key the publisher is known by.")
        return None
    for rotation in reversed(rotations):
        if rotation.new == chain[0]:
            chain.insert(0, rotation.old)
    log = Log(
        checkpoint=head,
        entries=entries,
        tree=tree,
        keys=chain,
        rotations=[one for one in rotations if (one.old, one.new) in pairwise(chain)],
        ends=_ends(entries),
        implied={CHECKPOINT},
    )
    if head.origin != log.key.name:
        findings.add(
            "checkpoint_origin", CHECKPOINT, f"origin {quoted(head.origin)}, key of {log.key.name!a}"
        )
    check_signers(raw, head.size, log, CHECKPOINT, findings)
    findings.count("entries", head.size)
    return log


def _unsigned(raw: bytes, findings: Findings) -> Checkpoint | None:
    """Return what a checkpoint says before anybody has looked at who signed it."""
    try:
        return Checkpoint.parse(raw.decode().rpartition("\n\n")[0] + "\n")
    except (NoteRefused, UnicodeDecodeError) as error:
        findings.add("checkpoint_refused", CHECKPOINT, str(error)[:300])
        return None


def _refusal(raw: bytes, keys: Sequence[PublicKey]) -> str | None:
    try:
        open_note(raw, keys)
    except NoteRefused as error:
        return str(error)
    return None


def _is_unknown_signer(raw: bytes, keys: Sequence[PublicKey]) -> bool:
    """Return whether a note is in its form and only its signers are unknown, so that rotations may lead to them."""
    names = {(key.name, key.id) for key in keys}
    try:
        lines = raw.decode().rpartition("\n\n")[2].removesuffix("\n").split("\n")
        signers = [line.split(" ") for line in lines]
        return all(
            len(parts) == 3 and (parts[1], from_base64(parts[2])[:4]) not in names for parts in signers
        )
    except ValueError:
        return False


def _b64(root: bytes) -> str:
    return base64.b64encode(root).decode()


def _read_entries(
    source: Source, head: Checkpoint, findings: Findings, progress: Progress
) -> tuple[list[bytes], Tree] | None:
    entries: list[bytes] = []
    tree = Tree()
    for index, width in bundles_of(head.size):
        path = LOG_FOLDER + bundle_path(index, width)
        progress("reading the log", len(entries), head.size)
        raw = _taken(source, path, findings)
        if raw is None:
            return None
        try:
            found = decode_bundle(raw)
        except ValueError as error:
            findings.add("bundle_differs", path, str(error), _WHOLE)
            return None
        if len(found) != width:
            findings.add("bundle_differs", path, f"{width} entries expected, {len(found)} found", _WHOLE)
            return None
        entries += found
        tree.extend(map(leaf_hash, found))
        findings.count("bundles")
    progress("reading the log", head.size, head.size)
    if tree.root() != head.root:
        findings.add(
            "log_root_differs",
            _first_differing_entry(source, head.size, tree) or CHECKPOINT,
            f"{head.size} entries give root {_b64(tree.root())}, the checkpoint says {_b64(head.root)}",
            _WHOLE,
        )
        return None
    return entries, tree


def _taken(source: Source, path: str, findings: Findings) -> bytes | None:
    """Return a file, or None with a finding when it is not there or cannot be taken."""
    try:
        return source.read(path)
    except (Missing, Unreadable) as error:
        findings.add(error.code, path, error.found, error.remedy)
        return None


def _first_differing_entry(source: Source, size: int, tree: Tree) -> str | None:
    """Return the first entry that is not the one its tile names, None where tiles do not tell."""
    for level, index, width in tiles_of(size):
        if level:
            return None
        try:
            hashes = source.read(LOG_FOLDER + tile_path(level, index, width))
        except (Missing, Unreadable):
            return None
        ours = tile_bytes(tree, level, index, width)
        if hashes != ours:
            at = next(
                (at for at in range(width) if hashes[at * 32 : at * 32 + 32] != ours[at * 32 : at * 32 + 32]),
                0,
            )
            return f"{LOG_FOLDER}{bundle_path(index, width)}, entry {index * TILE_WIDTH + at}"
    return None


def _ends(entries: Sequence[bytes]) -> list[int]:
    """Return the size of the log after each publication: an `asof` entry is the last of each."""
    found = []
    for size, raw in enumerate(entries, 1):
        if b'"asof"' in raw:
            try:
                entry = decode(raw)
            except Malformed:
                continue  # found again where entries are checked
            if isinstance(entry, dict) and entry.get("type") == "asof":
                found.append(size)
    return found


# ---- keys


def rotation_message(origin: str, old: str, new: str) -> bytes:
    """Return the text that both keys of a rotation sign."""
    return f"mtok key rotation\n{origin}\n{old}\n{new}\n".encode()


def _rotations(entries: Sequence[bytes], origin: str, findings: Findings) -> list[Rotation]:
    found = []
    for index, raw in enumerate(entries):
        if b'"key_rotation"' not in raw:
            continue
        try:
            entry = decode(raw)
        except Malformed:
            continue  # found again where entries are checked
        if isinstance(entry, dict) and (entry.get("type"), entry.get("kind")) == ("notice", "key_rotation"):
            try:
                found.append(_rotation(index, entry, origin))
            except (ValueError, TypeError, LookupError, AttributeError) as error:
                findings.add("key_rotation_refused", f"log entry {index}", str(error)[:300])
    return found


def _rotation(index: int, entry: dict[str, Any], origin: str) -> Rotation:
    old, new = PublicKey.parse(entry["old_key"]), PublicKey.parse(entry["new_key"])
    message = rotation_message(origin, str(old), str(new))
    for key, name in ((old, "old_signature"), (new, "new_signature")):
        if not key.verifies(from_base64(entry[name]), message):
            raise ValueError(f"{name} does not verify")
    if old == new or old.name != origin or new.name != origin:
        raise ValueError("keys of a rotation are two, both named as the origin")
    return Rotation(index=index, old=old, new=new)


def _chain(keys: list[PublicKey], rotations: Sequence[Rotation], raw: bytes) -> list[PublicKey]:
    """Return the given key the rotations of this log begin from, or the one that signed, and those that follow."""
    chains = []
    for key in keys:
        chain = [key]
        for rotation in rotations:
            if rotation.old == chain[-1]:
                chain.append(rotation.new)
        chains.append(chain)
    signing = [chain for chain in chains if _refusal(raw, chain) is None]
    return max(signing or chains, key=len)


def check_signers(raw: bytes, size: int, log: Log, where: str, findings: Findings) -> bool:
    """Return whether a head of `size` was signed by the key of its time and no other of the log, a finding if not."""
    try:
        signed_by = set(open_note(raw, log.keys, bytes_max=len(raw)).signed_by)
    except NoteRefused as error:
        findings.add("checkpoint_refused", where, str(error)[:300])
        return False
    expected = log.signers_of(size)
    if signed_by != expected:
        names, found = (", ".join(sorted(map(str, keys))) for keys in (expected, signed_by))
        findings.add("signer_wrong", where, f"a head of size {size} is signed by {found}, not by {names}")
    return signed_by == expected


# ---- tiles and heads


def check_tiles(source: Source, log: Log, findings: Findings, progress: Progress) -> None:
    """Compare every tile and bundle, also the partial ones of the sizes published before, with the entries."""
    try:
        root = root_of_tiles(log.tree.size, lambda path: source.read(LOG_FOLDER + path))
        if root != log.checkpoint.root:
            findings.add(
                "log_root_differs",
                "log/tile/",
                f"tiles give root {_b64(root)}, the checkpoint says {_b64(log.checkpoint.root)}",
                _WHOLE,
            )
    except (Missing, Unreadable, ValueError):
        pass  # the tile in question is found below, with its place
    tiles: dict[tuple[int, int, int], None] = {}
    bundles: dict[tuple[int, int], None] = {}
    for size in (log.tree.size, *log.ends):
        edge = list(tiles_of(size)) if size == log.tree.size else _partial_tiles(size)
        tiles |= dict.fromkeys(edge)
        bundles |= dict.fromkeys((index, width) for level, index, width in edge if level == 0)
    done, total = 0, len(tiles) + len(bundles)
    for level, index, width in sorted(tiles):
        path = LOG_FOLDER + tile_path(level, index, width)
        _compare(source, path, tile_bytes(log.tree, level, index, width), "tile_differs", log, findings)
        findings.count("tiles")
        progress("comparing tiles", done := done + 1, total)
    for index, width in sorted(bundles):
        path = LOG_FOLDER + bundle_path(index, width)
        first = index * TILE_WIDTH
        expected = encode_bundle(log.entries[first : first + width])
        _compare(source, path, expected, "bundle_differs", log, findings)
        progress("comparing tiles", done := done + 1, total)


def _partial_tiles(size: int) -> list[tuple[int, int, int]]:
    """Return (level, index, width) of the tiles of a tree that are not full, one a level at most."""
    found, level = [], 0
    while count := size >> 8 * level:
        if width := count % TILE_WIDTH:
            found.append((level, count // TILE_WIDTH, width))
        level += 1
    return found


def _compare(source: Source, path: str, expected: bytes, code: str, log: Log, findings: Findings) -> None:
    log.implied.add(path)
    raw = _taken(source, path, findings)
    if raw is None or raw == expected:
        return
    at = next(
        (at for at, pair in enumerate(zip(raw, expected, strict=False)) if pair[0] != pair[1]),
        min(len(raw), len(expected)),
    )
    hash_at = f", hash {at // HASH_BYTES}" if code == "tile_differs" else ""
    findings.add(
        code,
        f"{path}, byte {at}{hash_at}",
        f"{len(expected)} bytes expected, {len(raw)} found",
        _WHOLE,
    )


def check_heads(source: Source, log: Log, findings: Findings, progress: Progress) -> None:
    """Compare the root of every size that was published with the one the entries give."""
    sizes = sorted({*log.ends, log.tree.size})
    for done, size in enumerate(sizes):
        progress("comparing heads", done, len(sizes))
        path = f"log/heads/{size}"
        log.implied.add(path)
        raw = _taken(source, path, findings)
        findings.count("heads")
        expected = f"{size} {_b64(log.tree.root(size))}\n".encode()
        if raw is not None and raw != expected:
            findings.add(
                "head_differs", path, f"{quoted(expected.decode())} expected, {quoted(raw[:120])} found"
            )
    progress("comparing heads", len(sizes), len(sizes))


def check_seen(log: Log, seen: Checkpoint, findings: Findings) -> None:
    """Compare the log with an earlier checkpoint of it, so that an old or another one is noticed."""
    if seen.size > log.tree.size:
        findings.add(
            "checkpoint_older",
            CHECKPOINT,
            f"size {log.tree.size}; an earlier verification saw size {seen.size}",
            "An old copy is served again: ask for a newer one. When nobody has one, entries were taken back.",
        )
    elif log.tree.root(seen.size) != seen.root:
        findings.add(
            "log_forked",
            CHECKPOINT,
            f"the root of size {seen.size} is {_b64(log.tree.root(seen.size))}, an earlier verification saw "
            f"{_b64(seen.root)}",
            "The publisher signed two logs. Keep both checkpoints and tell others: together they prove it.",
        )
