"""Tiles, bundles of entries, heads and proofs: each held against the log that was opened before it is given out."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from mtok.archive.published_log import head_line, is_head, place_of
from mtok.notes import Checkpoint, PublicKey, open_note
from mtok.proofs import TILE_WIDTH, check_inclusion, decode_bundle, decode_proof, leaf_hash, tile_bytes
from mtok.publication.marks import marks_of
from mtok.venue.opened import Opened, damaged

_LOGGED: Final = re.compile(
    r"log/(heads/[0-9]{1,12}|tile/(entries|[0-9]{1,2})(/x[0-9]{3})*/[0-9]{3}(\.p/[0-9]{1,3})?)"
    r"|proofs/[a-z0-9-]+/[0-9.a-z-]+\.tlog-proof"
    r"|proofs/marks(/[A-Za-z0-9._-]{1,120}){2,4}\.tlog-proof"
)


def logged(now: Opened, path: str) -> bytes | None:
    """Return a file of the log or a proof, None where this log has none of this name.

    Raises EnvironmentFailed for one that is not what the log gives.
    """
    raw = now.raw(path) if _LOGGED.fullmatch(path) else None
    if raw is None or not _is_of(now, path):
        return None
    try:
        holds = _holds(now, path, raw)
    except ValueError as error:
        raise damaged(f"{path} is damaged: {error}") from None
    if not holds:
        raise damaged(f"{path} is not what the log gives")
    return raw


def proof_path(path: str) -> str:
    """Return where the proof of a record or of a day's prices is. path : of what it proves"""
    return f"proofs/{path.removeprefix('records/').removesuffix('.json')}.tlog-proof"


def entry_of(now: Opened, path: str) -> int | None:
    """Return the number of the entry that names a record or a day's prices, or whose proof this is."""
    return _entries(now).get(path)


@lru_cache(2)
def _entries(now: Opened) -> dict[str, int]:
    published = now.published
    paths = {vintage.path: vintage.index for vintage in published.vintages.all()}
    paths |= {
        entry["path"]: index for index, entry in enumerate(published.entries) if entry["type"] == "prices"
    }
    paths |= {proof_path(path): index for path, index in paths.items()}
    return paths | {mark.proof: index for mark, index in marks_of(published.entries).items()}


def _is_of(now: Opened, path: str) -> bool:
    """Return whether the log reaches as far as a file."""
    if path.startswith("proofs/"):
        return entry_of(now, path) is not None
    if is_head(path):
        return _size(path) <= now.tree.size
    place = place_of(path.removeprefix("log/"))
    if place is None:
        return False
    level, index, width = place
    return (index * TILE_WIDTH + width) * TILE_WIDTH ** (level or 0) <= now.tree.size


def _size(head: str) -> int:
    return int(head.rpartition("/")[2])


def _holds(now: Opened, path: str, raw: bytes) -> bool:
    """Return whether a file is what the log gives. Raises ValueError for one that cannot be read."""
    if path.startswith("proofs/"):
        return _proves(now, raw, entry_of(now, path))
    if is_head(path):
        return raw == head_line(_size(path), now.tree.root(_size(path)))
    place = place_of(path.removeprefix("log/"))
    assert place is not None
    level, index, width = place
    if level is not None:
        return raw == tile_bytes(now.tree, level, index, width)
    return b"".join(map(leaf_hash, decode_bundle(raw))) == now.tree.hashes(0, index * TILE_WIDTH, width)


def _proves(now: Opened, raw: bytes, index: int | None) -> bool:
    proof = decode_proof(raw)
    head = Checkpoint.parse(open_note(proof.checkpoint, _keys(now)).text)
    if proof.index != index or not index < head.size <= now.tree.size:
        return False
    leaf = now.tree.hashes(0, index, 1)
    return head.root == now.tree.root(head.size) and check_inclusion(
        index, head.size, leaf, proof.hashes, head.root
    )


@lru_cache(2)
def _keys(now: Opened) -> tuple[PublicKey, ...]:
    """Return who may have signed: the key in force and those that were replaced."""
    texts = [now.read("vkey").decode("utf-8", "replace").strip()]
    for entry in now.published.entries:
        texts += [entry[name] for name in ("old_key", "new_key") if name in entry]
    return tuple(map(PublicKey.parse, dict.fromkeys(texts)))
