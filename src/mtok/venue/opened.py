"""The publication as it is now: opened when it has changed, held while it has not."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Final

import msgspec

from mtok.archive.published_files import PUBLICATION, SUMS
from mtok.archive.published_log import newest_size, tree_of
from mtok.calendar import parse_date
from mtok.canonical import sha256_hex
from mtok.errors import AnswerIsNo, EnvironmentFailed
from mtok.methodology import in_force, load
from mtok.notes import Checkpoint
from mtok.proofs import Tree, leaf_hash
from mtok.publication.published import Published

Version = tuple[tuple[int, int, int], ...]
"""Of the files that a publication changes last: inode, size and ctime, by which a copy in its place is seen too."""

DAMAGED_SECONDS: Final = 30
"""How long a damaged log is taken to be damaged before it is read again: a repair need not change its version."""

_SAY_WHEN: Final = (SUMS, "log/checkpoint")


@dataclass(frozen=True, eq=False)
class Opened:
    """A folder `publication/` as it was when it had this version. folder : of the publication, not of the store"""

    folder: Path
    version: Version

    @cached_property
    def published(self) -> Published:
        """The log and its records. Raises EnvironmentFailed unless the entries have the root of the checkpoint."""
        try:
            published = Published(self.folder)
        except (msgspec.MsgspecError, LookupError, ValueError) as error:
            raise damaged(f"the log holds what is no entry: {error}") from None
        if not published.size and (self.folder / SUMS).exists():
            raise damaged("log/checkpoint is missing")
        if published.size:
            head, _, _ = (self.folder / "log" / "checkpoint").read_text("utf-8").partition("\n\n")
            if Checkpoint.parse(f"{head}\n").root != Tree(map(leaf_hash, published.raw_entries)).root():
                raise damaged("the entries of the log have another root than log/checkpoint")
        return published

    @cached_property
    def damage(self) -> EnvironmentFailed | None:
        """Why the log cannot be read, None where it can."""
        try:
            _ = self.published
        except EnvironmentFailed as error:
            return error
        return None

    @cached_property
    def tree(self) -> Tree:
        """The tree of the log, by its tiles where its entries are damaged. Raises EnvironmentFailed without either."""
        try:
            tree = tree_of(self.folder, newest_size(self.folder) if self.damage else self.published.size)
        except OSError as error:
            raise damaged(f"the log cannot be read ({error.strerror})") from None
        if tree is None:
            raise self.damage or damaged(
                "neither the entries nor the tiles of the log have a root that was signed"
            )
        return tree

    @cached_property
    def sums(self) -> dict[str, str]:
        """The digest of each published file but those of the log and the proofs, by path."""
        lines = (self.raw(SUMS) or b"").decode("utf-8", "replace").splitlines()
        pairs = (line.split("  ", 1) for line in lines)
        return {pair[1]: pair[0] for pair in pairs if len(pair) == 2 and len(pair[0]) == 64}

    def methodology(self) -> str:
        """Return the version in force on the last published date. Raises AnswerIsNo when nothing is published."""
        dates = self.published.vintages.dates()
        if not dates:
            raise AnswerIsNo(
                "nothing_published",
                "nothing is published here yet",
                "The first print of a day comes at 06:00 UTC of the next; `mtok publish` publishes what is due.",
            )
        return in_force(parse_date(dates[-1]))

    def series(self) -> list[str]:
        """Return the ids of the series, in the order of R-1."""
        return [entry.series for entry in load(self.methodology()).series]

    def read(self, path: str) -> bytes:
        """Return a file that `sums` names. Raises EnvironmentFailed where it is not the one that was published."""
        raw = self.raw(path)
        if raw is None or sha256_hex(raw) != self.sums.get(path):
            raise damaged(f"{path} is not the file that was published")
        return raw

    def raw(self, path: str) -> bytes | None:
        """Return a file as it is, None where it is missing. Raises EnvironmentFailed where it cannot be read."""
        try:
            return (self.folder / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise damaged(f"{path} cannot be read ({error.strerror})") from None


def damaged(found: str) -> EnvironmentFailed:
    """Return that a published file is not the one that was published."""
    return EnvironmentFailed(
        "publication_damaged",
        found,
        "Ask again in a minute: a publication may be under way. If it stays so, tell the operator.",
    )


class Opening:
    """Opens the publication of a store, or a copy of the folder publication/ itself."""

    def __init__(self, path: Path, seconds: Callable[[], float] = time.monotonic) -> None:
        """Open nothing yet. path : of the store or the copy · seconds : a clock that only goes forward"""
        inside = path / PUBLICATION
        self.store = path if inside.is_dir() or not (path / "log").is_dir() else None
        self._folder = path if self.store is None else inside
        self._lock = Lock()
        self._opened: Opened | None = None
        self._seconds = seconds
        self._opened_at = 0.0

    def version(self) -> Version:
        """Return the version the folder has now: another one after each publication."""
        found = []
        for name in _SAY_WHEN:
            try:
                stat = (self._folder / name).stat()
            except OSError:
                found.append((0, 0, 0))
            else:
                found.append((stat.st_ino, stat.st_size, stat.st_ctime_ns))
        return tuple(found)

    def now(self) -> Opened:
        """Return the publication as it is: opened anew when it has changed, a damaged one every half a minute."""
        version, at = self.version(), self._seconds()
        with self._lock:
            held = self._opened
            if held is None or held.version != version or (self._is_old(at) and held.damage is not None):
                held, self._opened_at = Opened(self._folder, version), at
                self._opened = held
            return held

    def _is_old(self, at: float) -> bool:
        return at - self._opened_at >= DAMAGED_SECONDS
