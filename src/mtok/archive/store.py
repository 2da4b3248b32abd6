"""A store: the directory that holds everything one installation has seen.

Reads need no lock, since nothing that is written changes. One writer at a time holds `lock`.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from mtok.archive.files import sweep, temporary_path, write_file
from mtok.archive.objects import Objects
from mtok.archive.register import Capture, Register
from mtok.calendar import format_instant, parse_date
from mtok.canonical import canonical_bytes
from mtok.errors import BadCall, BadInput, EnvironmentFailed

PRIMARY: Final = "primary"
RANKINGS_DAILY: Final = "rankings-daily"
FORMAT: Final = "mtok-store-1"
_COMMIT_EVERY: Final = 64
_COMMIT_BYTES: Final = 2**26


class Collector(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A collector's rank over a range of UTC days (R-6): 1 is primary, 2 and up are fallbacks in order.

    first, last : ISO dates, inclusive; open where absent
    archive : a designated archive, primary before the first own capture; its days are labelled backcast
    """

    collector: str
    rank: int
    first: str | None = None
    last: str | None = None
    archive: bool = False

    def days(self) -> tuple[int, int]:
        """Return the first and last day of the range. Raises ValueError for a bad date."""
        return parse_date(self.first or "0001-01-01"), parse_date(self.last or "9999-12-31")


class _Format(msgspec.Struct):
    """What every `store.json` says, whatever its format."""

    format: str = FORMAT


class StoreParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The parameters of a store, `store.json`: who ranks how, and which volume sources name every model."""

    format: str = FORMAT
    collectors: tuple[Collector, ...] = (Collector(collector=PRIMARY, rank=1),)
    complete_volume_sources: tuple[str, ...] = ()

    def check(self) -> None:
        """Raise ValueError for a bad date, a rank under 1, or two entries that claim one rank on one day."""
        spans = [(entry, *entry.days()) for entry in self.collectors]
        for number, (entry, first, last) in enumerate(spans):
            if entry.rank < 1 or first > last:
                raise ValueError(
                    f"collector {entry.collector!r}: rank {entry.rank}, {entry.first} … {entry.last}"
                )
            for other, other_first, other_last in spans[:number]:
                overlap = first <= other_last and other_first <= last
                if overlap and (entry.rank == other.rank or entry.collector == other.collector):
                    raise ValueError(
                        f"collectors {other.collector!r} (rank {other.rank}) and {entry.collector!r} "
                        f"(rank {entry.rank}) cannot both be in force on one day"
                    )

    def in_force(self, collector: str, day: int) -> Collector | None:
        """Return the collector's entry in force on a UTC day, None where it has none."""
        for entry in self.collectors:
            first, last = entry.days()
            if entry.collector == collector and first <= day <= last:
                return entry
        return None


@dataclass(frozen=True, kw_only=True)
class Response:
    """Raw bytes and how they were obtained, before they are archived.

    Fields as in `Capture`; captured_at, server_date, not_before : instants
    """

    raw: bytes
    captured_at: int
    kind: str
    obtained: str
    collector: str = PRIMARY
    volume_source: str | None = None
    origin: str | None = None
    origin_sha256: str | None = None
    subject: str | None = None
    http_status: int | None = None
    failure: str | None = None
    found: str | None = None
    server_date: int | None = None
    not_before: int | None = None


class Store:
    """A store on disk. Make one with `Store.create` or `Store.open`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.objects = Objects(path / "objects")
        self.register = Register(path / "captures" / "register.jsonl")

    @classmethod
    def open(cls, path: Path) -> Store:
        """Return the store at `path`. Raises BadCall when there is none."""
        if not (path / "store.json").is_file():
            found = "is not a store (it has no store.json)" if path.exists() else "does not exist"
            raise BadCall(
                "store_missing",
                f"store {path} {found}",
                "Name one with --store PATH or MTOK_STORE; `mtok import` and `mtok demo` make a new one.",
            )
        store = cls(path)
        _ = store.parameters
        return store

    @classmethod
    def create(cls, path: Path) -> Store:
        """Return the store at `path`, made new where nothing is there.

        Raises BadCall for any other folder, EnvironmentFailed when another process is making the store just now.
        """
        made = (path / "store.json").exists()
        if not made and path.exists() and not (path.is_dir() and _empty(path)):
            raise BadCall(
                "store_not_empty",
                f"{path} exists and is not a store",
                "Choose an empty or new folder.",
            )
        if not made:
            path.mkdir(parents=True, exist_ok=True)
            store = cls(path)
            with store.writing():
                if not (path / "store.json").exists():
                    store.write_parameters(StoreParameters())
        return cls.open(path)

    @property
    def parameters(self) -> StoreParameters:
        """The parameters as they are now. Raises BadInput for a file that cannot be read."""
        path = self.path / "store.json"
        try:
            raw = path.read_bytes()
            found = msgspec.json.decode(raw, type=_Format).format
            if found != FORMAT:
                raise BadInput(
                    "store_format",
                    f"{path} says format {found!r}; this program reads {FORMAT!r}",
                    "Use the version of mtok that made the store.",
                )
            parameters = msgspec.json.decode(raw, type=StoreParameters, strict=False)
            parameters.check()
        except (msgspec.MsgspecError, ValueError) as error:
            raise BadInput(
                "store_parameters", f"{path}: {error}", "Mend the file; see docs/store.md."
            ) from None
        return parameters

    def write_parameters(self, parameters: StoreParameters) -> None:
        """Replace `store.json`."""
        write_file(self.path / "store.json", canonical_bytes(msgspec.to_builtins(parameters)) + b"\n")

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the store's lock. Raises EnvironmentFailed at once when another process holds it."""
        with (self.path / "lock").open("a+b") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                holder = lock.read(32).decode("ascii", "replace").strip()
                raise EnvironmentFailed(
                    "store_in_use",
                    f"store {self.path} is in use by process {holder or 'unknown'}",
                    "One writer at a time: run the command again when that one has ended.",
                ) from None
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n".encode())
            lock.flush()
            sweep(self.path)
            yield

    def archive(self, responses: Iterable[Response]) -> Iterator[tuple[Capture, bool]]:
        """Archive responses in order and yield each capture and whether it is new; the caller holds the lock.

        Committed every few responses: objects first, then the register, so that an interruption costs the
        last few only and the same call again completes it.
        """
        known = {capture.key for capture in self.register.read()}
        waiting: list[Capture] = []
        waiting_bytes = 0
        try:
            for response in responses:
                capture = self._put(response)
                new = capture.key not in known
                if new:
                    known.add(capture.key)
                    waiting.append(capture)
                    waiting_bytes += capture.bytes
                if len(waiting) >= _COMMIT_EVERY or waiting_bytes >= _COMMIT_BYTES:
                    self._commit(waiting)
                    waiting_bytes = 0
                yield capture, new
        finally:
            self._commit(waiting)

    def recorder(self) -> Callable[[Response], None]:
        """Return what archives one live response durably at once, unless a recent line has it already.

        The caller holds the lock as long as it is used.
        """
        known = {capture.key for capture in self.register.recent()}

        def record(response: Response) -> None:
            capture = self._put(response)
            if capture.key not in known:
                known.add(capture.key)
                self._commit([capture])

        return record

    def _put(self, response: Response) -> Capture:
        return Capture(
            captured_at=format_instant(response.captured_at),
            collector=response.collector,
            kind=response.kind,
            sha256=self.objects.put(response.raw),
            bytes=len(response.raw),
            obtained=response.obtained,
            volume_source=response.volume_source,
            origin=response.origin,
            origin_sha256=response.origin_sha256,
            subject=response.subject,
            http_status=response.http_status,
            failure=response.failure,
            found=response.found,
            server_date=_text(response.server_date),
            not_before=_text(response.not_before),
        )

    def _commit(self, waiting: list[Capture]) -> None:
        self.objects.sync()
        if waiting:
            self.register.append(waiting)
            waiting.clear()


def _text(instant: int | None) -> str | None:
    return None if instant is None else format_instant(instant)


def _empty(folder: Path) -> bool:
    """Return whether a folder holds nothing but what an interrupted making of a store leaves."""
    left_behind = {"lock", temporary_path(folder / "store.json").name}
    return all(member.name in left_behind for member in folder.iterdir())
