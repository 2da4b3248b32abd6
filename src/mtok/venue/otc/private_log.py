"""The private log: every event of the market in an append-only Merkle log of the venue's own, signed, shown to nobody.

An entry says what happened to what, when and by which pseudonym, and the digests of what was said and of what stands
there since; no name, no contact, no size or price. Whoever alters the database afterwards, its owner included, cannot
make it agree with the log again: `check` compares both. Format, layout and code are those of the public log.
"""

from __future__ import annotations

import fcntl
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from mtok.calendar import format_instant
from mtok.canonical import canonical_bytes, sha256_hex
from mtok.errors import EnvironmentFailed
from mtok.notes import PrivateKey
from mtok.progress import Progress, silent
from mtok.publication.keys import Keyring
from mtok.publication.log import Log
from mtok.publication.sealing import Pending, Sealing
from mtok.venue.database.models import Event, Logged
from mtok.venue.database.transactions import transaction_of
from mtok.venue.upkeep.keys import pseudonym

FOLDER: Final = "events"
_KEYS: Final = "keys"
_HEAD: Final = "head"
_AT_ONCE: Final = 1000
"""Events of one signed head."""


def make_key(folder: Path, origin: str) -> None:
    """Make the key of a venue's log; one that is there stays."""
    ring = Keyring(folder / _KEYS)
    if not ring.private():
        ring.add(PrivateKey(name=origin, seed=secrets.token_bytes(32)))


def is_kept(folder: Path) -> bool:
    """Return whether a venue keeps a private log: every one that `mtok venue init` made does."""
    return any((folder / name).exists() for name in (_KEYS, FOLDER))


def append(folder: Path, now: int, progress: Progress = silent) -> int:
    """Put every event that the log does not have into it; return how many. An interrupted call is completed first.

    Events are taken in the order of their numbers; one that was committed later than a greater number comes after it.
    Raises EnvironmentFailed as the public log does: without its key, damaged, behind its remembered head.
    """
    count = 0
    with alone(folder):
        key, sealing = _key(folder), _sealing(folder)
        pending = sealing.pending()
        signed = sealing.log.check([key.public])
        sealing.refuse_torn(signed, pending)
        if pending is None:
            sealing.refuse_behind()
        else:
            sealing.complete(pending, [key], dict, silent)
        _remember(folder, sealing.log, key)
        waiting = Event.objects.filter(logged=None).order_by("pk")
        total = waiting.count()
        while events := list(waiting[:_AT_ONCE]):
            progress("logging", count, total)
            entries = [entry(event, folder) for event in events]
            size = Logged.objects.count()
            decided = Pending(size=size, known_at=format_instant(now), entries=entries, files={}, proofs={})
            sealing.decide(decided)
            sealing.complete(decided, [key], dict, silent)
            _remember(folder, sealing.log, key)
            count += len(events)
    return count


def entry(event: Event, folder: Path) -> str:
    """Return the entry of an event."""
    said: dict[str, Any] = {
        "v": "1",
        "type": "event",
        "number": event.pk,
        "time": event.at,
        "kind": event.kind,
        "object": event.object,
        "version": event.version,
        "command": event.command,
        "subject": event.subject,
        "by": pseudonym(event.person, folder),
        "second": None if event.second is None else pseudonym(event.second, folder),
        "role": event.role,
        "state": event.state,
        "details_sha256": sha256_hex(event.details.encode()),
        "record_sha256": sha256_hex(event.record.encode()),
    }
    return canonical_bytes(said).decode()


def check(folder: Path) -> list[str]:
    """Return, in words, where database and log differ: an event that says something else, one that is gone.

    Raises EnvironmentFailed where the log itself is damaged.
    """
    key, log = _key(folder), _sealing(folder).log
    entries = log.entries(log.check([key.public]))
    logged = {one.index: one.event for one in Logged.objects.select_related("event").order_by("index")}
    found = [
        f"entry {index} of the private log is not what event {event.pk} says"
        for index, event in logged.items()
        if index >= len(entries) or entries[index].decode() != entry(event, folder)
    ]
    missing = sorted(set(range(len(entries))) - logged.keys())
    return found + [f"entry {index} of the private log is of no event in the database" for index in missing]


def _remember(folder: Path, log: Log, key: PrivateKey) -> None:
    """Write down which events the log has beyond those that are known: by itself, also after an interruption."""
    known = Logged.objects.count()
    entries = log.entries(log.check([key.public]))[known:]

    def work() -> None:
        waiting = {entry(one, folder).encode(): one for one in Event.objects.filter(logged=None)}
        if not waiting.keys() >= set(entries):
            raise EnvironmentFailed(
                "database_behind",
                f"{folder / FOLDER} has {known + len(entries)} entries, of which the database does not know all: "
                "it is an older copy, or was altered",
                "Nothing was signed. Restore the database from the backup that belongs to this log.",
            )
        Logged.objects.bulk_create(
            Logged(index=index, event=waiting[raw]) for index, raw in enumerate(entries, known)
        )

    if entries:
        transaction_of(work)


def _sealing(folder: Path) -> Sealing:
    return Sealing(folder / FOLDER, _key(folder).public.name, folder / _HEAD)


def _key(folder: Path) -> PrivateKey:
    keys = Keyring(folder / _KEYS).private()
    if not keys:
        raise EnvironmentFailed(
            "key_missing",
            f"{folder / _KEYS} has no key, and without it nobody can go on with the private log",
            "Put the key file back from where you keep the copy (chmod 400).",
        )
    return keys[-1]


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Wait until no other process writes the log."""
    with (folder / "events.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
