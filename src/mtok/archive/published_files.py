"""The folder `publication/` as files: which there have to be and what each has to hold (docs/formats.md).

Everything follows from the log and SHA256SUMS: the entries give tiles, bundles, heads, and the digests and proofs of
what they name, the sums the digests of the rest. Where a publication was interrupted, its pending file gives what may
be there already. Who signed is asked of the key in `vkey` and of those the log names: this finds damage, while
`mtok verify`, which is told the key, finds lies.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

import msgspec

from mtok.archive.files import TEMPORARY_SUFFIX
from mtok.archive.published_log import (
    CHECKPOINT,
    checkpoint_in,
    head_line,
    is_head,
    log_names,
    place_of,
    tree_of,
)
from mtok.canonical import sha256_hex
from mtok.notes import Checkpoint, NoteRefused, PublicKey, open_note
from mtok.proofs import (
    TILE_WIDTH,
    Tree,
    check_inclusion,
    decode_bundle,
    decode_proof,
    leaf_hash,
    tile_bytes,
)

PUBLICATION: Final = "publication"
SUMS: Final = "SHA256SUMS"
PENDING: Final = "pending"

_UNCHANGING: Final = frozenset(
    "records proofs prices observations captures raw methodology rulebooks policies".split()
)
_SUMS_BYTES_MAX: Final = 2**26


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What an entry of the log says of files."""

    type: str
    series: str | None = None
    date: str | None = None
    vintage: str | None = None
    path: str | None = None
    sha256: str | None = None
    record_sha256: str | None = None
    rulebook_sha256: str | None = None
    policy_sha256: str | None = None
    old_key: str | None = None
    new_key: str | None = None
    reference: str | None = None
    mark_version: str | None = None
    state: str | None = None

    def digests(self) -> dict[str, str]:
        """Return the digests of the files it names, by name."""
        named = {
            f"records/{self.series}/{self.date}.{self.vintage}.json": self.record_sha256,
            f"raw/{self.date}/{self.sha256}.json": self.sha256 if self.type == "raw" else None,
            f"{self.path}": self.sha256 if self.type == "prices" else None,
            f"rulebooks/{self.rulebook_sha256}.md": self.rulebook_sha256,
            f"policies/{self.policy_sha256}.toml": self.policy_sha256,
        }
        return {name: sha256 for name, sha256 in named.items() if sha256 is not None}

    @property
    def proof(self) -> str | None:
        """The name of its proof, None where it has none."""
        if self.record_sha256 is not None:
            return f"proofs/{self.series}/{self.date}.{self.vintage}.tlog-proof"
        if self.type == "prices":
            return f"proofs/{(self.path or '').removesuffix('.json')}.tlog-proof"
        if self.type == "mark":
            folder = (self.reference or "").replace("model:", "model/")
            return f"proofs/marks/{folder}/{self.date}.{self.mark_version}.{self.state}.tlog-proof"
        return None


class _Pending(msgspec.Struct, frozen=True, kw_only=True):
    """A publication that was interrupted (`mtok.publication.sealing`)."""

    size: int
    entries: list[str]
    files: dict[str, bytes]
    proofs: dict[str, int]


class PublishedFiles:
    """A folder `publication/` as it is when this is made.

    names : of every file that is there · expected : names of those that have to be · pending : names of interrupted
    publications · log_damage : why the log cannot be read at all, None where it can; nothing in it is checked then
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names = sorted(
            path.relative_to(folder).as_posix()
            for path in folder.rglob("*")
            if path.is_file() and not path.name.endswith(TEMPORARY_SUFFIX)
        )
        self.pending = [name for name in self.names if name.startswith(f"{PENDING}/")]
        self._interrupted = self._read_pending()
        self._known_note = lru_cache(self._signed_checkpoint)
        self.log_damage: str | None = None
        self._tree = self._read_tree()
        self._size = self._tree.size
        self._entries = self._read_entries()
        self._keys = list(self._read_keys())
        sums = self._read(SUMS) or b""
        self._unsummed = self._fault_of_note(sums) is not None
        self._digests = self._expected_digests(sums)
        self._proofs = {entry.proof: index for index, entry in self._entries.items() if entry.proof}
        self._heads = self._expected_heads()
        self.expected = self._expected_names()
        self._optional: dict[str, str] = {}
        if self._interrupted is not None:
            self._allow(self._interrupted)

    @property
    def listed(self) -> list[str]:
        """The names of files that are there and have a place in the publication."""
        named = self.expected | self._optional.keys() | set(self.pending)
        return [name for name in self.names if name in named]

    @property
    def missing(self) -> list[str]:
        """The names of files that have to be there and are not."""
        return sorted(self.expected - set(self.names))

    @property
    def unlisted(self) -> list[str]:
        """The names of files that neither log nor sums name; none as far as these cannot be read themselves."""
        found = set(self.names) - set(self.listed)
        unread = self.log_damage is not None or len(self._entries) < self._size
        return sorted(name for name in found if not (unread if _of_log(name) else self._unsummed))

    def damages(self) -> Iterator[tuple[str, str]]:
        """Yield name and fault of everything that is missing or not as it has to be; of a damaged log only that."""
        if self.log_damage:
            yield "log", self.log_damage
        for name in sorted({*self.missing, *self.listed}):
            fault = None if self.log_damage and _of_log(name) else self.fault(name)
            if fault:
                yield name, fault

    def fault(self, name: str) -> str | None:
        """Return what is wrong with a file, None if nothing is or nothing is known of it."""
        try:
            return self.fault_of(name, (self.folder / name).read_bytes())
        except FileNotFoundError:
            return "is missing"
        except OSError as error:
            return f"cannot be read ({error.strerror})"

    def fault_of(self, name: str, raw: bytes) -> str | None:
        """Return what is wrong with these bytes as the file of this name, None if nothing is or nothing is known."""
        if name in self.pending:
            fault = None if _decoded_pending(raw) else "is not as it was written"
        elif name == CHECKPOINT:
            fault = self._fault_of_checkpoint(raw)
        elif name == SUMS:
            fault = self._fault_of_note(raw)
        elif name in self._proofs:
            fault = self._fault_of_proof(raw, self._proofs[name])
        elif name.startswith("log/"):
            fault = self._fault_in_log(name, raw)
        else:
            fault = self._fault_of_digest(name, raw)
        return fault

    # ---- what there is

    def _read(self, name: str) -> bytes | None:
        """Return the bytes of a file, None where they cannot be had."""
        try:
            return (self.folder / name).read_bytes()
        except OSError:
            return None

    def _read_pending(self) -> _Pending | None:
        if len(self.pending) != 1:
            return None
        return _decoded_pending(self._read(self.pending[0]) or b"")

    def _read_tree(self) -> Tree:
        """Return the tree of what was published, up to the interrupted publication where there is one."""
        if self._interrupted is not None:
            sizes = [self._interrupted.size]
        else:
            sizes = sorted(self._signed_sizes(), reverse=True)
        for size in sizes:
            tree = tree_of(self.folder, size)
            if tree is not None:
                return tree
        if sizes:
            self.log_damage = f"neither the entries nor the hashes have the root of {sizes[0]} entries"
        elif self.names and not self.pending:
            self.log_damage = "it has neither a checkpoint nor heads"
        return Tree()

    def _signed_sizes(self) -> set[int]:
        """Return the greatest size of a head, and that of the checkpoint, which may be damaged."""
        noted = checkpoint_in(self._read(CHECKPOINT) or b"")
        heads = [int(name.rpartition("/")[2]) for name in self.names if is_head(name)]
        return {max(heads, default=0), noted.size if noted is not None else 0} - {0}

    def _read_entries(self) -> dict[int, _Entry]:
        """Return the entries of sound bundles, by index; a damaged one may be made up for by a shorter one before."""
        found: dict[int, _Entry] = {}
        for name in self.names:
            place = place_of(name.removeprefix("log/")) if name.startswith("log/tile/entries/") else None
            raw = self._read(name)
            if place is None or raw is None or self._fault_in_log(name, raw):
                continue
            for index, entry in enumerate(decode_bundle(raw), place[1] * TILE_WIDTH):
                if index not in found:
                    found[index] = msgspec.json.decode(entry, type=_Entry)
        return found

    def _read_keys(self) -> Iterator[PublicKey]:
        """Yield who may have signed: the key in force, and those that were replaced."""
        texts = [(self._read("vkey") or b"").decode("utf-8", "replace").removesuffix("\n")]
        texts += [key for one in self._entries.values() for key in (one.old_key, one.new_key) if key]
        for text in dict.fromkeys(texts):
            try:
                yield PublicKey.parse(text)
            except NoteRefused:
                continue

    # ---- what there has to be

    def _expected_digests(self, sums: bytes) -> dict[str, str]:
        """Return the digests that signed sums and entries say, by name."""
        digests = {} if self._unsummed else dict(_sums(sums))
        return digests | {
            name: sha256 for one in self._entries.values() for name, sha256 in one.digests().items()
        }

    def _expected_heads(self) -> dict[int, bytes]:
        """Return the root of every size that was signed: each publication ends with an entry `asof`.

        Where that entry cannot be read, a head that is there is held against the tree all the same.
        """
        closing = [index + 1 for index, entry in self._entries.items() if entry.type == "asof"]
        there = [int(name.rpartition("/")[2]) for name in self.names if is_head(name)]
        closing += [size for size in there if 0 < size <= self._size and size - 1 not in self._entries]
        return {size: self._tree.root(size) for size in {*closing, self._size} if size}

    def _expected_names(self) -> set[str]:
        names = self._digests.keys() | self._proofs.keys()
        for size in self._heads:
            names |= {f"log/heads/{size}", *log_names(size)}
        return names | ({CHECKPOINT, SUMS} if self._size or self.log_damage else set())

    def _allow(self, pending: _Pending) -> None:
        """Let be there what the interrupted publication has written, its files, its tail of the log and its proofs."""
        self._tree.extend(leaf_hash(entry.encode()) for entry in pending.entries)
        self._optional = {name: sha256_hex(raw) for name, raw in pending.files.items()}
        listed = [name for name in self.names if not never_changes(name)]
        log = [f"log/heads/{self._tree.size}", *log_names(self._tree.size)]
        self._optional |= dict.fromkeys([*log, *pending.proofs, *listed], "")
        self._proofs |= pending.proofs
        self._heads[self._tree.size] = self._tree.root()

    # ---- faults

    def _fault_of_digest(self, name: str, raw: bytes) -> str | None:
        """Return what is wrong with a file whose digest is known; one that changes may be either side of a change."""
        sha256, found = self._optional.get(name) or self._digests.get(name), sha256_hex(raw)
        if sha256 in (None, found) or (self._interrupted is not None and not never_changes(name)):
            return None
        return f"has the sha256 {found}, not {sha256}"

    def _fault_in_log(self, name: str, raw: bytes) -> str | None:
        """Return what is wrong with a head, a tile or a bundle of entries."""
        if is_head(name):
            size = int(name.rpartition("/")[2])
            if size not in self._heads or raw == head_line(size, self._heads[size]):
                return None
            return f"is not the root of the first {size} entries"
        place = place_of(name.removeprefix("log/"))
        if place is None:
            return None
        level, index, width = place
        try:
            if level is not None:
                sound = raw == tile_bytes(self._tree, level, index, width)
            else:
                leaves = b"".join(map(leaf_hash, decode_bundle(raw)))
                sound = leaves == self._tree.hashes(0, index * TILE_WIDTH, width)
        except ValueError as error:
            return f"is damaged: {error}"
        return None if sound else "is not what the root that was signed is made of"

    def _fault_of_checkpoint(self, raw: bytes) -> str | None:
        try:
            found = self._known_note(raw)
        except NoteRefused as error:
            return f"is damaged: {error}"
        sizes = {self._size, self._tree.size} - {0}
        if self.log_damage or (found.size in sizes and self._heads.get(found.size) == found.root):
            return None
        return f"is of {found.size} entries; {max(sizes, default=0)} were signed"

    def _fault_of_note(self, raw: bytes) -> str | None:
        if not self._keys:
            return None if raw else "is missing"
        try:
            open_note(raw, self._keys, bytes_max=_SUMS_BYTES_MAX)
        except NoteRefused as error:
            return f"is damaged: {error}"
        return None

    def _fault_of_proof(self, raw: bytes, index: int) -> str | None:
        try:
            proof = decode_proof(raw)
            head = self._known_note(proof.checkpoint)
        except ValueError as error:
            return f"is damaged: {error}"
        if proof.index != index or self._heads.get(head.size) != head.root:
            return f"is not the proof of entry {index} in this log"
        leaf = self._tree.hashes(0, index, 1)
        if not check_inclusion(index, head.size, leaf, proof.hashes, head.root):
            return f"does not lead from entry {index} to the root"
        return None

    def _signed_checkpoint(self, raw: bytes) -> Checkpoint:
        """Return a checkpoint; its signatures are looked at where any key is known. Raises NoteRefused."""
        if self._keys:
            return Checkpoint.parse(open_note(raw, self._keys).text)
        found = checkpoint_in(raw)
        if found is None:
            raise NoteRefused("it is no checkpoint")
        return found


def never_changes(name: str) -> bool:
    """Return whether a file of this name is written once."""
    return name.partition("/")[0] in _UNCHANGING or name.startswith(("log/tile/", "log/heads/"))


def _of_log(name: str) -> bool:
    return name.startswith(("log/", "proofs/"))


def _sums(note: bytes) -> Iterator[tuple[str, str]]:
    """Yield names and digests of a SHA256SUMS."""
    text, _, _ = note.decode("utf-8", "replace").partition("\n\n")
    for line in text.splitlines():
        sha256, between, name = line.partition("  ")
        if between:
            yield name, sha256


def _decoded_pending(whole: bytes) -> _Pending | None:
    """Return an interrupted publication, None where the file is not as it was written."""
    raw, _, sha256 = whole.rpartition(b"\n")
    if sha256_hex(raw).encode() != sha256:
        return None
    return msgspec.json.decode(raw, type=_Pending)
