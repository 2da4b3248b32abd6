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
KIND_TABLE: Final = "table"
KIND_UNKNOWN: Final = "unknown"


class Capture(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One response as it was obtained, or one attempt that yielded none.

    captured_at : instant, text as in `mtok.calendar`: when the head of the response came, or the attempt failed
    kind : `models`, `rankings-daily`, `endpoints`, `table` (an imported file others are made from) or `unknown`
    sha256, bytes : of the raw content, whatever it is; of an attempt without an answer no bytes
    obtained : where the bytes came from, for people
    volume_source : for `rankings-daily`, whose volumes these are
    origin, origin_sha256 : empty for a response as received; `sample` or `table` for one rendered from facts,
        and then the sha256 of the original response or table; `replay` for a rendered recording
    subject : of `endpoints`, the canonical slug that was asked for
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


_NO_LINE: Final = "0" * 64


class Register:
    """The file `captures/register.jsonl`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[Capture]:
        """Return all captures in the order they were registered. Raises EnvironmentFailed naming a bad line."""
        captures: list[Capture] = []
        previous = _NO_LINE
        decoder = msgspec.json.Decoder(_Line, strict=False)
        for number, line in enumerate(self._whole_lines(), start=1):
            try:
                capture = decoder.decode(line)
                _ = capture.instant
            except (msgspec.MsgspecError, ValueError) as error:
                raise self._damaged(number, str(error)) from None
            if capture.previous != previous:
                raise self._damaged(number, "it does not follow from the line before it")
            previous = sha256_hex(line)
            captures.append(capture)
        return captures

    def append(self, captures: Iterable[Capture]) -> None:
        """Append captures durably; the caller holds the store's lock and has synced their objects."""
        lines = self._whole_lines()
        previous = sha256_hex(lines[-1]) if lines else _NO_LINE
        added = bytearray()
        for capture in captures:
            line = canonical_bytes({**msgspec.structs.asdict(capture), "previous": previous})
            previous = sha256_hex(line)
            added += line + b"\n"
        self.path.parent.mkdir(exist_ok=True)
        end = sum(len(line) + 1 for line in lines)
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

    def _whole_lines(self) -> list[bytes]:
        raw = self.path.read_bytes() if self.path.exists() else b""
        return raw.split(b"\n")[:-1]

    def _damaged(self, number: int, what: str) -> EnvironmentFailed:
        return EnvironmentFailed(
            "register_damaged",
            f"line {number} of {self.path} is damaged: {what}",
            "Restore the register from a backup; the objects are still there.",
        )
