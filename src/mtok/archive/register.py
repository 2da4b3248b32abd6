"""The register of captures: one JSON line a capture, appended and never changed.

Each line names the sha256 of the line before it, so a line that was changed, dropped or inserted before the
last one is found on the next read. A last line without its newline is an interrupted write: readers pass over
it, the next writer cuts it off.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from mtok.archive.files import sync_folder
from mtok.calendar import parse_instant
from mtok.canonical import canonical_bytes, sha256_hex
from mtok.errors import EnvironmentFailed

KIND_MODELS: Final = "models"
KIND_RANKINGS: Final = "rankings-daily"
KIND_ENDPOINTS: Final = "endpoints"
KIND_USAGE: Final = "usage"
KIND_TABLE: Final = "table"
KIND_UNKNOWN: Final = "unknown"


class Capture(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One response as it was obtained, or one attempt that yielded none.

    captured_at : instant, text as in `mtok.calendar`: when the head of the response came, or the attempt failed
    kind : `models`, `rankings-daily`, `endpoints`, `usage` (a daily cube of usage logs), `table` (a file or list that
        others are made from) or `unknown`
    sha256, bytes : of the raw content, whatever it is; of an attempt without an answer no bytes
    obtained : where the bytes came from, for people
    volume_source : for `rankings-daily` and `usage`, whose volumes these are
    origin, origin_sha256 : empty for a response as received; `sample`, `table` or `usage` for one rendered from facts,
        and then the sha256 of the original response, table or list of logs; `replay` for a rendered recording
    subject : what was asked for, live: of `endpoints` the canonical slug, of `rankings-daily` the dates, first/last;
        of `usage` the date
    http_status : as received live
    failure, found : the code of why this is no response to observe, and what was met, for people
    server_date : instant, the server's own time when it answered
    not_before : instant, until when the server asks to be left alone
    """

    captured_at: str
    collector: str
    kind: str
    sha256: str
    bytes: int
    obtained: str
    volume_source: str | None = None
    origin: str | None = None
    origin_sha256: str | None = None
    subject: str | None = None
    http_status: int | None = None
    failure: str | None = None
    found: str | None = None
    server_date: str | None = None
    not_before: str | None = None

    @property
    def instant(self) -> int:
        """Microseconds since 1970-01-01 UTC."""
        return parse_instant(self.captured_at)

    @property
    def key(self) -> tuple[str, ...]:
        """What makes two captures the same capture."""
        return (
            self.captured_at,
            self.collector,
            self.kind,
            self.subject or "",
            self.failure or "",
            self.sha256,
        )


class _Line(Capture, frozen=True, kw_only=True, omit_defaults=True):
    previous: str


_DECODER: Final = msgspec.json.Decoder(_Line, strict=False)
_NO_LINE: Final = "0" * 64
_LINE_BYTES_MAX: Final = 2**16
_RECENT_BYTES: Final = 2**18


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """A place between two lines: how many lines and bytes come before it, and the sha256 of the last of them."""

    lines: int = 0
    bytes: int = 0
    head: str = _NO_LINE


START: Final = Position()


class Register:
    """The file `captures/register.jsonl`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, after: Position = START) -> list[Capture]:
        """Return the captures after a position, in the order they were registered.

        Raises EnvironmentFailed naming a bad line.
        """
        return self.read_on(after)[0]

    def read_on(self, after: Position) -> tuple[list[Capture], Position]:
        """Return the captures after a position, and the position after them. Raises as `read`."""
        captures: list[Capture] = []
        previous, size = after.head, after.bytes
        for number, line in enumerate(self.whole_lines(after.bytes), start=after.lines + 1):
            capture = self._decoded(number, line)
            self._check_follows(number, capture, previous)
            captures.append(capture)
            previous = sha256_hex(line)
            size += len(line) + 1
        return captures, Position(lines=after.lines + len(captures), bytes=size, head=previous)

    def examine(self) -> tuple[list[Capture], list[EnvironmentFailed]]:
        """Return the capture of every line that can be read, and every damage there is."""
        captures: list[Capture] = []
        damages: list[EnvironmentFailed] = []
        previous = _NO_LINE
        for number, line in enumerate(self.whole_lines(), start=1):
            try:
                capture = self._decoded(number, line)
                captures.append(capture)
                self._check_follows(number, capture, previous)
            except EnvironmentFailed as damage:
                damages.append(damage)
            previous = sha256_hex(line)
        return captures, damages

    def recent(self) -> list[Capture]:
        """Return the captures of the last few hundred lines."""
        lines = self.whole_lines(max(0, self._size() - _RECENT_BYTES))
        return [_DECODER.decode(line) for line in lines[1:]] if len(lines) > 1 else self.read()

    def whole_lines(self, start: int = 0) -> list[bytes]:
        """Return the lines from a byte on, as they are; a torn last one is left out."""
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            file.seek(start)
            return file.read().split(b"\n")[:-1]

    def holds(self, position: Position) -> bool:
        """Return whether `position` is one of this register: the line before it is the one it names."""
        if position == START:
            return True
        if self._size() < position.bytes:
            return False
        with self.path.open("rb") as file:
            file.seek(max(0, position.bytes - _LINE_BYTES_MAX))
            before = file.read(position.bytes - file.tell())
        return before.endswith(b"\n") and sha256_hex(before[:-1].rsplit(b"\n", 1)[-1]) == position.head

    def append(self, captures: Iterable[Capture]) -> None:
        """Append captures durably; the caller holds the store's lock and has synced their objects."""
        end, previous = self._end()
        added = bytearray()
        for capture in captures:
            line = canonical_bytes({**msgspec.structs.asdict(capture), "previous": previous})
            assert len(line) < _LINE_BYTES_MAX, "a line of the register is bounded by what it is made from"
            previous = sha256_hex(line)
            added += line + b"\n"
        self.path.parent.mkdir(exist_ok=True)
        # Unbuffered: a buffered file flushes before it truncates, which a full disk refuses.
        with self.path.open("r+b" if self.path.exists() else "wb", buffering=0) as file:
            file.truncate(end)
            file.seek(end)
            rest = memoryview(added)
            try:
                while rest:
                    rest = rest[file.write(rest) :]
                os.fsync(file.fileno())
            except BaseException:
                file.truncate(end)
                raise
        sync_folder(self.path.parent)
        sync_folder(self.path.parent.parent)

    def _end(self) -> tuple[int, str]:
        """Return where the last whole line ends, and its sha256."""
        size = self._size()
        start = max(0, size - 2 * _LINE_BYTES_MAX)
        lines = self.whole_lines(start)
        if not lines:
            return 0, _NO_LINE
        return start + sum(len(line) + 1 for line in lines), sha256_hex(lines[-1])

    def _size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def _decoded(self, number: int, line: bytes) -> _Line:
        try:
            capture = _DECODER.decode(line)
            _ = capture.instant
        except (msgspec.MsgspecError, ValueError) as error:
            raise self._damaged(number, str(error)) from None
        return capture

    def _check_follows(self, number: int, capture: _Line, previous: str) -> None:
        if capture.previous != previous:
            raise self._damaged(number, "it does not follow from the line before it")

    def _damaged(self, number: int, what: str) -> EnvironmentFailed:
        return EnvironmentFailed(
            "register_damaged",
            f"line {number} of {self.path} is damaged: {what}",
            "Restore the register from a backup; the objects are still there.",
        )
