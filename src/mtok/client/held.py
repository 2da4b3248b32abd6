"""Published files, each held against a digest before it is believed: of SHA256SUMS, of the log, or of who names it.

That finds what was damaged or torn on the way. Whether the publisher signed it is another question: `verify`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NoReturn

from mtok.canonical import sha256_hex
from mtok.client.asking import KeptAddress
from mtok.client.content import decode, quoted
from mtok.client.files import SUMS
from mtok.client.log import ENTRIES_MAX, LOG_FOLDER
from mtok.client.refusals import Damaged
from mtok.client.source import CHECKPOINT, LIMITS, Folder, Limits, Missing, Unreadable
from mtok.notes import Checkpoint
from mtok.proofs import Tree, bundle_path, bundles_of, decode_bundle, leaf_hash

_LINE: Final = re.compile(r"^([0-9a-f]{64})  (.+)$", re.ASCII | re.MULTILINE)
_AGAIN: Final = (
    "A publication may be under way: ask again in a minute. If it stays so, `mtok verify` says what is wrong."
)


class HeldFiles:
    """The files of a publication at a folder or an address. cache : where copies are kept, None for nowhere"""

    def __init__(self, where: str | Path, cache: Path | None, limits: Limits = LIMITS) -> None:
        """Open it. Raises BadCall `publication_missing`, `address_refused`."""
        is_address = isinstance(where, str) and re.match(r"[a-z]+://", where)
        self._source = KeptAddress(str(where), cache, limits) if is_address else Folder(Path(where))
        self.where = self._source.where

    def close(self) -> None:
        """Let go of connections."""
        self._source.close()

    @property
    def offline(self) -> bool:
        """Whether the last answer came from a copy because nobody could be asked."""
        return isinstance(self._source, KeptAddress) and self._source.offline

    def listed(self, path: str) -> bytes:
        """Return a file that SHA256SUMS lists, as it lists it. Raises Missing, Damaged, Unreachable."""
        raw = self._asked(path)
        is_copy = self.offline
        if _listed(self._read(SUMS)).get(path) == sha256_hex(raw):
            return raw
        if is_copy:  # of another moment than the sums; it was right when it came
            return raw
        raw = self._read(path, again=True)
        if _listed(self._read(SUMS, again=True)).get(path) != sha256_hex(raw):
            self._damaged(path, f"{path} is not the file that SHA256SUMS lists")
        return raw

    def named(self, path: str, sha256: str) -> bytes:
        """Return a file by its digest. Raises Damaged, Unreachable."""
        raw = self._read(path)
        if sha256_hex(raw) != sha256:
            raw = self._read(path, again=True)
            if sha256_hex(raw) != sha256:
                self._damaged(path, f"{path} is not the file with sha256 {sha256}")
        return raw

    def entries(self) -> list[dict[str, Any]]:
        """Return the entries of the log, which give the root of its checkpoint. Raises as `named`."""
        try:
            head = Checkpoint.parse(self._read(CHECKPOINT).decode().partition("\n\n")[0] + "\n")
            if head.size > ENTRIES_MAX:
                self._damaged(CHECKPOINT, f"the log has {head.size} entries, above {ENTRIES_MAX}")
            found = []
            for index, width in bundles_of(head.size):
                found += decode_bundle(self._read(LOG_FOLDER + bundle_path(index, width)))
            tree = Tree()
            tree.extend(map(leaf_hash, found))
            if tree.root() != head.root:
                self._damaged(CHECKPOINT, "the entries of the log do not give the root of its checkpoint")
            return [content for raw in found if isinstance(content := decode(raw), dict)]
        except ValueError as error:  # no note, no bundle, no JSON of ours
            self._damaged(CHECKPOINT, f"the log cannot be read: {quoted(str(error))}")

    def text(self, path: str) -> str:
        """Return a file of text that is neither listed nor named: a proof, which proves itself. Raises as `named`."""
        return self._read(path).decode()

    def _read(self, path: str, *, again: bool = False) -> bytes:
        """Return a file that must be there."""
        try:
            return self._asked(path, again=again)
        except Missing:
            self._damaged(path, f"{path} is not there")

    def _asked(self, path: str, *, again: bool = False) -> bytes:
        try:
            if again and isinstance(self._source, KeptAddress):
                return self._source.again(path)
            return self._source.read(path)
        except Unreadable as error:
            self._damaged(path, error.found)

    def _damaged(self, path: str, found: str) -> NoReturn:
        if isinstance(self._source, KeptAddress):
            self._source.forget(path)
            self._source.forget(SUMS)
        raise Damaged("file_damaged", f"{self.where}: {found}", _AGAIN) from None


@lru_cache(2)
def _listed(raw: bytes) -> dict[str, str]:
    """Return the digest of each path that SHA256SUMS lists; whose signature it has is asked elsewhere."""
    return {path: sha256 for sha256, path in _LINE.findall(raw.decode(errors="replace"))}
