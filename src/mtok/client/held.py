"""Published files, each held against a digest before it is believed: of SHA256SUMS, of the log, or of who names it.

That finds what was damaged or torn on the way. Whether the publisher signed it is another question: `verify`. A copy is
kept of what was found right, and of nothing else.
"""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NoReturn

from mtok.canonical import sha256_hex
from mtok.client.asking import Answer, KeptAddress
from mtok.client.content import decode, quoted
from mtok.client.files import SUMS
from mtok.client.log import ENTRIES_MAX, LOG_FOLDER
from mtok.client.refusals import Damaged, OfflineCopy
from mtok.client.source import CHECKPOINT, LIMITS, Folder, Limits, Missing, Unreadable
from mtok.errors import EnvironmentFailed
from mtok.notes import Checkpoint
from mtok.proofs import Tree, bundle_path, bundles_of, decode_bundle, leaf_hash

_LINE: Final = re.compile(r"^([0-9a-f]{64})  (.+)$", re.ASCII | re.MULTILINE)
_AGAIN: Final = (
    "A publication may be under way: ask again in a minute. If it stays so, `mtok verify` says what is wrong."
)


class _Gathered(threading.local):
    """What one thread was answered last. depth : of `gathering` · offline : whether any of it was a copy of before"""

    depth = 0
    offline = False


class HeldFiles:
    """The files of a publication at a folder or an address. cache : where copies are kept, None for nowhere"""

    def __init__(self, where: str | Path, cache: Path | None, limits: Limits = LIMITS) -> None:
        """Open it. Raises BadCall `publication_missing`, `address_refused`."""
        is_address = isinstance(where, str) and re.match(r"[a-z]+://", where)
        self._source = KeptAddress(str(where), cache, limits) if is_address else Folder(Path(where))
        self._gathered = _Gathered()
        self.where = self._source.where

    def close(self) -> None:
        """Let go of connections."""
        self._source.close()

    @property
    def offline(self) -> bool:
        """Whether any file of this thread's last answer was a copy because nobody could be asked."""
        return self._gathered.offline

    @contextmanager
    def gathering(self) -> Iterator[None]:
        """Take every file read within as one answer, of which `offline` then speaks."""
        gathered = self._gathered
        if not gathered.depth:
            gathered.offline = False
        gathered.depth += 1
        try:
            yield
        finally:
            gathered.depth -= 1

    def listed(self, path: str) -> bytes:
        """Return a file that SHA256SUMS lists, as it lists it. Raises Missing, Damaged, Unreachable."""
        answer = self._asked(path)
        if self._is_listed(path, answer, self._read(SUMS)):
            return answer.raw
        if answer.failure:  # a copy of another moment than the sums; it was found right when it came
            return answer.raw
        answer = self._read(path, again=True)
        if not self._is_listed(path, answer, self._read(SUMS, again=True)):
            self._damaged(f"{path} is not the file that SHA256SUMS lists", path, SUMS)
        return answer.raw

    def _is_listed(self, path: str, answer: Answer, sums: Answer) -> bool:
        """Return whether the sums list the file as it was answered; then both are kept."""
        if _listed(sums.raw).get(path) != sha256_hex(answer.raw):
            return False
        self._keep({SUMS: sums, path: answer})
        return True

    def named(self, path: str, sha256: str) -> bytes:
        """Return a file by its digest. Raises Damaged, Unreachable."""
        answer = self._read(path)
        if sha256_hex(answer.raw) != sha256:
            answer = self._read(path, again=True)
            if sha256_hex(answer.raw) != sha256:
                self._damaged(f"{path} is not the file with sha256 {sha256}", path, SUMS)
        self._keep({path: answer})
        return answer.raw

    def entries(self) -> list[dict[str, Any]]:
        """Return the entries of the log, which give the root of its checkpoint. Raises as `named`."""
        answers = {CHECKPOINT: self._read(CHECKPOINT)}
        try:
            head = Checkpoint.parse(answers[CHECKPOINT].raw.decode().partition("\n\n")[0] + "\n")
            if head.size > ENTRIES_MAX:
                self._damaged(f"the log has {head.size} entries, above {ENTRIES_MAX}", *answers)
            found = []
            for index, width in bundles_of(head.size):
                path = LOG_FOLDER + bundle_path(index, width)
                answers[path] = self._read(path)
                found += decode_bundle(answers[path].raw)
            tree = Tree()
            tree.extend(map(leaf_hash, found))
            if tree.root() != head.root:
                self._damaged("the entries of the log do not give the root of its checkpoint", *answers)
            self._keep(answers)
            return [content for raw in found if isinstance(content := decode(raw), dict)]
        except ValueError as error:  # no note, no bundle, no JSON of ours
            self._damaged(f"the log cannot be read: {quoted(str(error))}", *answers)

    def text(self, path: str) -> str:
        """Return a file of text that is neither listed nor named: a proof, which proves itself. Raises as `named`."""
        answer = self._read(path)
        self._keep({path: answer})
        return answer.raw.decode()

    def _read(self, path: str, *, again: bool = False) -> Answer:
        """Return a file that must be there."""
        try:
            return self._asked(path, again=again)
        except Missing:
            self._damaged(f"{path} is not there", path, SUMS)

    def _asked(self, path: str, *, again: bool = False) -> Answer:
        try:
            if not isinstance(self._source, KeptAddress):
                return Answer(raw=self._source.read(path))
            answer = self._source.ask_again(path) if again else self._source.ask(path)
        except Unreadable as error:
            self._damaged(error.found, path, SUMS)
        if answer.failure:
            self._say_offline(answer.failure)
        return answer

    def _say_offline(self, failure: EnvironmentFailed) -> None:
        if not self._gathered.offline:
            warnings.warn(f"{failure.found}; answering from the copy of before", OfflineCopy, stacklevel=2)
        self._gathered.offline = True

    def _keep(self, answers: Mapping[str, Answer]) -> None:
        if isinstance(self._source, KeptAddress):
            for path, answer in answers.items():
                self._source.keep(path, answer)

    def _damaged(self, found: str, *paths: str) -> NoReturn:
        """Forget the copies of files that do not fit together, and say so."""
        if isinstance(self._source, KeptAddress):
            for path in paths:
                self._source.forget(path)
        raise Damaged("file_damaged", f"{self.where}: {found}", _AGAIN) from None


@lru_cache(2)
def _listed(raw: bytes) -> dict[str, str]:
    """Return the digest of each path that SHA256SUMS lists; whose signature it has is asked elsewhere."""
    return {path: sha256 for sha256, path in _LINE.findall(raw.decode(errors="replace"))}
