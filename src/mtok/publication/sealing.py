"""One publication from the moment it is decided to the moment it is signed, whatever interrupts it.

First everything that will be published is written to one file, `publication/pending/<size>.json`, its bytes and its
time frozen. From then on each step may be repeated: files, log, heads, checkpoint, proofs, views, sums. A rerun that
finds the file goes on from it and never stamps anything anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from mtok.archive.files import make_folder, sync_folder, write_file
from mtok.archive.published_log import head_line
from mtok.canonical import sha256_hex
from mtok.errors import AnswerIsNo, EnvironmentFailed
from mtok.notes import Checkpoint, NoteRefused, PrivateKey, open_note, sign_note
from mtok.progress import Progress
from mtok.proofs import Proof, Tree, encode_proof
from mtok.publication.log import Log, read_head, write_once

SUMS: Final = "SHA256SUMS"
_PENDING: Final = "pending"
_SUMS_BYTES_MAX: Final = 2**26
_NO_FILES: Final = "\n"
"""The sums of a log beside which nothing is published: a note has a text."""


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """A publication that has been decided.

    size : of the log before it · files : what never changes, by path · proofs : index of an entry by path of its proof
    """

    size: int
    known_at: str
    entries: list[str]
    files: dict[str, bytes]
    proofs: dict[str, int]

    @property
    def new_size(self) -> int:
        """The size of the log with it."""
        return self.size + len(self.entries)


Views = Callable[[], dict[str, bytes]]
"""What makes the files that change at each publication, from what is published."""


class Sealing:
    """The publisher's side of a folder `publication/`.

    outside : a file elsewhere that remembers the last head, so that a restored older copy is noticed; None: nobody does
    """

    def __init__(self, folder: Path, origin: str, outside: Path | None) -> None:
        self.folder = folder
        self.log = Log(folder / "log")
        self._origin = origin
        self._outside = outside

    def pending(self) -> Pending | None:
        """Return the publication that was interrupted, None if none was. Raises EnvironmentFailed for a damaged one."""
        paths = sorted((self.folder / _PENDING).glob("*.json"))
        if not paths:
            return None
        path = paths[0]
        raw, _, sha256 = path.read_bytes().rpartition(b"\n")
        if sha256_hex(raw).encode() != sha256:
            raise EnvironmentFailed(
                "pending_damaged",
                f"{path}, a publication that was interrupted, is damaged",
                f"Restore the file. Without it: replace the whole folder {self.folder} by the mirror's copy, which has "
                "nothing of it; do not lay that over the folder, whose files of this publication are in no log.",
            )
        return msgspec.json.decode(raw, type=Pending)

    def refuse_torn(self, size: int, pending: Pending | None) -> None:
        """Raise EnvironmentFailed where a head was claimed, or decided, that does not follow the one that is signed.

        size : that is signed. A claimed head may be signed already, so no other one may take its place.
        """
        if pending is not None and size not in {pending.size, pending.new_size}:
            raise self._torn(f"a publication after {pending.size} entries is pending", size)
        allowed = size if pending is None else pending.new_size
        ahead = [claimed for claimed in self.log.claimed() if size < claimed != allowed]
        if ahead:
            raise self._torn(f"{self.log.folder / 'heads' / str(ahead[0])} is there", size)

    def _torn(self, what: str, size: int) -> EnvironmentFailed:
        return EnvironmentFailed(
            "log_torn",
            f"{what}, but {self.log.folder / 'checkpoint'} is of {size} entries: the folder is part old, part new",
            "Nothing was signed. Copy publication/ from the mirror or a backup over this one.",
        )

    def decide(self, pending: Pending) -> None:
        """Freeze a publication: from now on it is this one and no other."""
        raw = msgspec.json.encode(pending)
        path = self.folder / _PENDING / f"{pending.size}.json"
        make_folder(path.parent)
        write_file(path, raw + b"\n" + sha256_hex(raw).encode())

    def refuse_behind(self) -> str | None:
        """Raise AnswerIsNo where the head outside is ahead of the log or another one; return a warning without any."""
        mine = self.log.head()
        if self._outside is None or not self._outside.exists():
            return (
                None
                if mine is None
                else "no head is remembered outside the store: an older copy would not be noticed"
            )
        try:
            size, root = read_head(self._outside)
        except EnvironmentFailed:
            raise EnvironmentFailed(
                "head_damaged",
                f"{self._outside}, which remembers the last head of this log outside its store, is damaged",
                "Nothing was signed. Restore the file; or compare the log with a copy others have (`mtok verify`), "
                "then delete the file and publish again.",
            ) from None
        if mine is None or mine[0] < size:
            raise AnswerIsNo(
                "log_behind",
                f"the log has {mine[0] if mine else 0} entries, but {self._outside} remembers {size}: this is an older "
                "copy",
                "Nothing was signed. Copy publication/ from the mirror, which has the rest, and publish again.",
            )
        if self.log.head_of(size) != (size, root):
            raise AnswerIsNo(
                "log_forked",
                f"{self._outside} remembers another root for size {size} than the log has",
                "Nothing was signed. Two logs were made with one key; find out which one people have seen.",
            )
        return None

    def complete(
        self, pending: Pending, keys: Sequence[PrivateKey], views: Views, progress: Progress
    ) -> Checkpoint:
        """Publish what was decided; the same again does what is left."""
        for done, (path, raw) in enumerate(pending.files.items()):
            progress("publishing", done, len(pending.files))
            write_once(self.folder / path, raw)
        tree = self._extend_log(pending)
        # All that could be refused comes before the claim: what is claimed and signed has to be completed.
        sums, made = self._sums_before(pending, keys), views()
        checkpoint = Checkpoint(origin=self._origin, size=tree.size, root=tree.root())
        self.log.claim(checkpoint.size, checkpoint.root)
        if self._outside is not None:
            make_folder(self._outside.parent)
            write_file(self._outside, head_line(checkpoint.size, checkpoint.root))
        note = self.log.sign(checkpoint, keys)
        for path, index in pending.proofs.items():
            proof = Proof(index=index, hashes=tuple(tree.inclusion(index)), checkpoint=note)
            write_once(self.folder / path, encode_proof(proof))
        for path, raw in made.items():
            _replace(self.folder / path, raw)
        sums |= {path: sha256_hex(raw) for path, raw in (pending.files | made).items()}
        text = "".join(f"{sums[path]}  {path}\n" for path in sorted(sums))
        _replace(self.folder / SUMS, sign_note(text or _NO_FILES, keys[-1]))
        (self.folder / _PENDING / f"{pending.size}.json").unlink()
        sync_folder(self.folder / _PENDING)
        progress("publishing", len(pending.files), len(pending.files))
        return checkpoint

    def _extend_log(self, pending: Pending) -> Tree:
        """Write the new bundles and tiles, read everything back, and check that it goes on from the last head."""
        before = self.log.entries(pending.size)
        entries = before + [entry.encode() for entry in pending.entries]
        self.log.append(entries, pending.size)
        tree = self.log.read_back(len(entries))
        last = self.log.head_of(pending.size)
        if pending.size and (last is None or tree.root(pending.size) != last[1]):
            raise EnvironmentFailed(
                "log_damaged",
                f"the first {pending.size} entries of {self.log.folder} are not those that were signed",
                "Nothing was signed. Copy publication/log/ from the mirror or a backup.",
            )
        return tree

    def _sums_before(self, pending: Pending, keys: Sequence[PrivateKey]) -> dict[str, str]:
        """Return the digest of every file of the publications before, by path."""
        path = self.folder / SUMS
        if not pending.size and not path.exists():
            return {}
        try:
            text = open_note(path.read_bytes(), [key.public for key in keys], bytes_max=_SUMS_BYTES_MAX).text
        except (FileNotFoundError, NoteRefused) as error:
            raise EnvironmentFailed(
                "sums_refused",
                f"{path}: {error}",
                "Nothing was signed. Copy the file from the mirror or a backup and run again.",
            ) from None
        lines = [] if text == _NO_FILES else text.splitlines()
        return {name: sha256 for sha256, name in (line.split("  ", 1) for line in lines)}


def _replace(path: Path, raw: bytes) -> None:
    """Write a file that may change, where it has other bytes."""
    if not path.exists() or path.read_bytes() != raw:
        make_folder(path.parent)
        write_file(path, raw)
