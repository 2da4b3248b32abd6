"""Faults to arm: which mode, where, when and how often, and what is armed now."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from mtok.calendar import format_instant
from mtok.errors import BadCall
from mtok.replay.modes import bodies, offers, prices, rows, statuses, volumes, wire
from mtok.replay.modes.mode import VALUES, Act, Change, Mode, Scene, Value

EVERYWHERE: Final = "*"
FAULTS_MAX: Final = 1000
TIMES_MAX: Final = 1_000_000

CHANGES: Final[dict[str, Mode[Change]]] = {**rows.MODES, **volumes.MODES, **prices.MODES, **offers.MODES}
"""The faults of the content, in the order they stand in the documents."""

_MODES: Final[dict[str, Mode[Any]]] = {**statuses.MODES, **wire.MODES, **bodies.MODES, **CHANGES}

FAULTS: Final[dict[str, str]] = {name: mode.what for name, mode in _MODES.items()}
"""Name → what it is, of every fault there is."""


@dataclass(frozen=True)
class Fault:
    """A fault to arm. Raises BadCall `replay_fault` for one that cannot be.

    name : a key of `FAULTS` · on : `models`, `rankings-daily`, `endpoints` or `*`, wherever it is possible
    first, last : instants of the replay clock between which it acts, both inclusive; None for no bound
    times : how many requests it acts on, then it is spent; None for no bound
    value : seconds, a date, a model … as docs/replay.md says; None for the mode's own
    """

    name: str
    on: str = EVERYWHERE
    first: int | None = None
    last: int | None = None
    times: int | None = None
    value: Value = None

    def __post_init__(self) -> None:
        mode = _MODES.get(self.name)
        if mode is None:
            raise _refused(f"no fault is called {self.name!r}", f"Known are {', '.join(FAULTS)}.")
        places = (EVERYWHERE, *mode.routes)
        if self.on not in places:
            raise _refused(f"{self.name} cannot be on {self.on!r}", f"Put it on {' or '.join(places)}.")
        if self.first is not None and self.last is not None and self.first > self.last:
            window = f"{format_instant(self.first)} to {format_instant(self.last)}"
            raise _refused(f"{self.name} lasts from {window}", "Let it begin before it ends.")
        if self.times is not None and not (type(self.times) is int and 1 <= self.times <= TIMES_MAX):
            raise _refused(f"{self.name} has times {self.times!r}", f"Give 1 to {TIMES_MAX}, or none.")
        self._check_value(mode)

    def _check_value(self, mode: Mode[Any]) -> None:
        if self.value is None:
            if mode.needs_value:
                raise _refused(f"{self.name} has no value", f"Give {VALUES[str(mode.value)][0]}.")
            return
        if mode.value is None:
            raise _refused(f"{self.name} has value {self.value!r}", "It takes none: leave it out.")
        what, fits = VALUES[mode.value]
        if type(self.value) not in (int, str) or not fits(self.value):
            raise _refused(f"{self.name} has value {self.value!r}", f"Give {what}.")


def _refused(found: str, remedy: str) -> BadCall:
    return BadCall("replay_fault", found, remedy)


class Taken(NamedTuple):
    """A fault that acts on a request, its value or its mode's own, and the instant it began at."""

    name: str
    value: Value
    since: int


@dataclass
class _Entry:
    fault: Fault
    armed_at: int
    left: int | None


class Armed:
    """The faults that are armed, in order; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[_Entry] = []

    @property
    def faults(self) -> list[Fault]:
        """Those not spent yet."""
        with self._lock:
            return [entry.fault for entry in self._entries]

    def replace(self, faults: Iterable[Fault], now: int) -> None:
        """Arm these and no others. Raises BadCall `replay_fault` for more than 1000, then nothing changes."""
        entries = [_Entry(fault, now, fault.times) for fault in faults]
        if len(entries) > FAULTS_MAX:
            raise _refused(f"{len(entries)} faults, over {FAULTS_MAX}", "Arm fewer.")
        with self._lock:
            self._entries = entries

    def add(self, fault: Fault, now: int) -> None:
        """Arm one more. Raises BadCall `replay_fault` when there are 1000."""
        with self._lock:
            if len(self._entries) >= FAULTS_MAX:
                raise _refused(f"{FAULTS_MAX} faults are armed", "Disarm them first.")
            self._entries.append(_Entry(fault, now, fault.times))

    def take(self, names: Iterable[str], route: str, now: int, *, first_only: bool = False) -> list[Taken]:
        """Return the faults among `names` that act on a request, and count it against their times."""
        names = set(names)
        taken = []
        with self._lock:
            for entry in self._entries:
                if entry.fault.name in names and _acts(entry.fault, route, now):
                    since = entry.armed_at if entry.fault.first is None else entry.fault.first
                    taken.append(Taken(entry.fault.name, _value(entry.fault), since))
                    entry.left = None if entry.left is None else entry.left - 1
                    if first_only:
                        break
            self._entries = [entry for entry in self._entries if entry.left != 0]
        return taken


class Turn:
    """The faults of one request: they are taken from what is armed, and `acted` names them."""

    def __init__(self, armed: Armed, route: str, scene: Scene) -> None:
        self.acted: list[str] = []
        self._armed = armed
        self._route = route
        self._scene = scene

    def take(self, modes: Mapping[str, Mode[Act]], *, first_only: bool = False) -> list[tuple[Act, Scene]]:
        """Return what the faults among `modes` do, each with the scene it does it in."""
        taken = self._armed.take(modes, self._route, self._scene.now, first_only=first_only)
        self.acted += [one.name for one in taken]
        return [
            (modes[one.name].act, self._scene._replace(value=one.value, since=one.since)) for one in taken
        ]

    def change(self, content: Any) -> bool:
        """Change decoded content as the faults of content say; return whether any acted."""
        changes = self.take(CHANGES)
        for change, scene in changes:
            change(content, scene)
        return bool(changes)


def _value(fault: Fault) -> Value:
    return _MODES[fault.name].default if fault.value is None else fault.value


def _acts(fault: Fault, route: str, now: int) -> bool:
    placed = route in _MODES[fault.name].routes if fault.on == EVERYWHERE else route == fault.on
    began = fault.first is None or fault.first <= now
    return placed and began and (fault.last is None or now <= fault.last)
