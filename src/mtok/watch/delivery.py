"""Each alarm reaches each sink once: what has been delivered is remembered, what failed is tried again.

`alarms/delivered.jsonl` in the store has a line for each delivery of an alarm to a sink, of the last 60 days. It is
not derived: without it everything open is sent again. Notes are not sent. What was late and no longer is, is said
to be over, once. One process at a time delivers: it holds `alarms/lock`, and needs no lock of the store.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from mtok.archive import Store
from mtok.archive.files import sync_folder
from mtok.calendar import DAY, format_instant, parse_instant
from mtok.canonical import canonical_bytes
from mtok.watch.alarms import Alarm
from mtok.watch.codes import LATE, NOTE, code_of
from mtok.watch.metrics import write_metrics
from mtok.watch.sinks import Message, SinkFailed, Sinks
from mtok.watch.status import Status

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

REMEMBERED: Final = 60 * DAY
LISTED_MAX: Final = 100
"""Alarms a message lists; the rest are counted, and count as delivered."""

SENT: Final = "sent"
OVER: Final = "over"


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """What a sink was handed: how many alarms are new and over, and why it failed, None where it did not."""

    sink: str
    alarms: int
    over: int = 0
    failure: str | None = None


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A line of `delivered.jsonl`. at : instant · state : `sent`, `over`"""

    at: str
    sink: str
    state: str
    day: str
    code: str
    subject: str


def deliver(
    store: Store, status: Status, alarms: Sequence[Alarm], sinks: Sinks, now: int, log: FilteringBoundLogger
) -> list[Delivery]:
    """Tell every sink what it has not been told of `alarms`, and return what came of it; nothing here is fatal.

    A sink that has never been told anything is told of the open ones of `status` alone, and of none before them.
    """
    deliveries = []
    if sinks.metrics_file:
        deliveries.append(_write_metrics(sinks, status))
    told: dict[str, Callable[[Message], None]] = {"log": _logged(log)} if sinks.log else {}
    told |= {name: sink.send for name, sink in (("webhook", sinks.webhook), ("mail", sinks.mail)) if sink}
    if told:
        with _alone(store) as alone:
            for name, send in told.items():
                deliveries.append(
                    _tell(store, name, send, alarms, status.open, now)
                    if alone
                    else Delivery(sink=name, alarms=0, failure="another process is telling the sinks")
                )
    for delivery in deliveries:
        said = msgspec.structs.asdict(delivery)
        if delivery.failure:
            log.warning("delivery_failed", **said)
        else:
            log.info("delivered", **said)
    return deliveries


def _logged(log: FilteringBoundLogger) -> Callable[[Message], None]:
    """Return what logs each alarm of a message as an event of its own."""

    def send(message: Message) -> None:
        for alarm in message.alarms:
            log.warning("alarm", **alarm)

    return send


def _write_metrics(sinks: Sinks, status: Status) -> Delivery:
    failure = None
    try:
        if sinks.metrics_file:
            write_metrics(sinks.metrics_file, status)
    except OSError as error:
        failure = f"{sinks.metrics_file}: {error.strerror or type(error).__name__}"
    except Exception as error:
        failure = f"{sinks.metrics_file}: {type(error).__name__}"
    return Delivery(sink="metrics", alarms=0, failure=failure)


@contextmanager
def _alone(store: Store) -> Iterator[bool]:
    """Hold the lock of deliveries; yields whether no other process has it. Where it cannot be made, nobody has."""
    path = _path(store).with_name("lock")
    try:
        path.parent.mkdir(exist_ok=True)
        lock = path.open("a+b")
    except OSError:
        yield True
        return
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def _tell(
    store: Store,
    sink: str,
    send: Callable[[Message], None],
    alarms: Sequence[Alarm],
    open_alarms: Sequence[Alarm],
    now: int,
) -> Delivery:
    entries = _read(store)
    own = [entry for entry in entries if entry.sink == sink]
    told = {(entry.day, entry.code, entry.subject) for entry in own if entry.state == SENT}
    untold = [
        alarm
        for alarm in alarms
        if code_of(alarm.code).severity != NOTE and (alarm.day, alarm.code, alarm.subject) not in told
    ]
    opened = set(open_alarms)
    new = untold if own else [alarm for alarm in untold if alarm in opened]
    over = _over(own, alarms)
    if not new and not over:
        return Delivery(sink=sink, alarms=0)
    failure = None
    try:
        send(_message(store, new, over, now))
        at = format_instant(now)
        added = [
            _Entry(at=at, sink=sink, state=state, day=one.day, code=one.code, subject=one.subject)
            for state, ones in ((SENT, untold), (OVER, over))
            for one in ones
        ]
        _write(store, [*entries, *added], now)
    except SinkFailed as error:
        failure = str(error)
    except OSError as error:
        failure = f"{error.filename or _path(store)}: {error.strerror or type(error).__name__}"
    except Exception as error:  # its text may hold a password
        failure = type(error).__name__
    return Delivery(sink=sink, alarms=len(new), over=len(over), failure=failure)


def _over(own: Iterable[_Entry], alarms: Iterable[Alarm]) -> list[_Entry]:
    """Return the last word about each thing that was said to be late and is not any more."""
    last = {(entry.code, entry.subject): entry for entry in own if code_of(entry.code).severity == LATE}
    now_late = {(alarm.code, alarm.subject) for alarm in alarms}
    return [entry for key, entry in last.items() if entry.state == SENT and key not in now_late]


def _message(store: Store, new: Sequence[Alarm], over: Sequence[_Entry], now: int) -> Message:
    late = sum(code_of(alarm.code).severity == LATE for alarm in new)
    counts = {"late": late, "over": len(over), "to look at": len(new) - late}
    headline = "mtok: " + ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    ordered = sorted(new, key=lambda alarm: code_of(alarm.code).severity != LATE)
    lines = [f"over: {entry.code} {entry.subject}" for entry in over]
    lines += [line for alarm in ordered[:LISTED_MAX] for line in _lines(alarm)]
    if len(ordered) > LISTED_MAX:
        lines.append(f"and {len(ordered) - LISTED_MAX} more: see mtok status")
    return Message(
        store=str(store.path),
        at=format_instant(now),
        subject=headline,
        text="\n".join([headline, f"store {store.path} at {format_instant(now)}", "", *lines]) + "\n",
        alarms=[
            {**msgspec.structs.asdict(alarm), "severity": code_of(alarm.code).severity}
            for alarm in ordered[:LISTED_MAX]
        ]
        + [{"code": entry.code, "subject": entry.subject, "severity": OVER} for entry in over],
    )


def _lines(alarm: Alarm) -> list[str]:
    meant = code_of(alarm.code)
    return [
        f"{meant.severity}: {alarm.code} {alarm.subject} ({alarm.day}): {alarm.found}",
        f"  {meant.meaning}. {meant.remedy}",
    ]


def _read(store: Store) -> list[_Entry]:
    """Return what has been delivered; a line that cannot be read is forgotten, and its alarm sent again."""
    path = _path(store)
    entries = []
    for line in path.read_bytes().splitlines() if path.exists() else []:
        try:
            entries.append(msgspec.json.decode(line, type=_Entry))
        except msgspec.MsgspecError:
            continue
    return entries


def _write(store: Store, entries: Iterable[_Entry], now: int) -> None:
    """Replace the file whole, under a name meanwhile that a writer of the store, who sweeps it, leaves alone."""
    path = _path(store)
    path.parent.mkdir(exist_ok=True)
    kept = [entry for entry in entries if parse_instant(entry.at) > now - REMEMBERED]
    with path.with_suffix(".new").open("wb") as file:
        file.writelines(canonical_bytes(msgspec.to_builtins(entry)) + b"\n" for entry in kept)
        file.flush()
        os.fsync(file.fileno())
    path.with_suffix(".new").replace(path)
    sync_folder(path.parent)


def _path(store: Store) -> Path:
    return store.path / "alarms" / "delivered.jsonl"
