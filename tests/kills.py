"""Collect, run and import killed (SIGKILL) at drawn moments, run again, and compared with what nobody interrupted.

A child is forked from a process that has everything imported and no thread of its own; what it asks is a replay in
another process. Kills come after a drawn part of the time the work takes, before a drawn one of all calls it makes,
or before a drawn one of the calls that touch a file. The work that completes a store is killed too, now and then.
"""

from __future__ import annotations

import errno
import io
import itertools
import os
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any, Final

from mtok.archive import KIND_ENDPOINTS, KIND_MODELS, KIND_RANKINGS, Response, Store
from mtok.calendar import Clock, parse_instant
from mtok.collection import sound
from mtok.day import collect_due, run_day
from mtok.errors import BadCall, EnvironmentFailed
from mtok.intake import import_paths
from mtok.progress import silent
from mtok.replay import ReplayClock
from mtok.sources import OpenRouter
from replayed import DAYS_BEFORE, NOW, Replay, write_recording

COLLECT: Final = "collect"
RUN: Final = "run"
IMPORT: Final = "import"
WORKS: Final = (COLLECT, RUN, IMPORT)

AFTER_A_TIME: Final = "after a time"
BEFORE_A_CALL: Final = "before a call"
BEFORE_A_FILE_CALL: Final = "before a call that touches a file"
WAYS: Final = (AFTER_A_TIME, BEFORE_A_CALL, BEFORE_A_FILE_CALL)

PHASES: Final = (
    "before there was a store",
    "nothing new captured",
    "some responses captured",
    "all captured, not yet observed",
    "observed, not yet determined",
    "everything written",
)

_TOUCHING: Final = frozenset(
    "open write truncate flush close fsync link rename replace mkdir unlink rmdir fchmod flock seek read".split()
)
_AGAIN_IN: Final = 2
"""One in so many completions of a store is itself interrupted."""
_KILLS_OF_A_STORE_MAX: Final = 4
_CHILD_SECONDS_MAX: Final = 120

FULL: Final = f"the work ended with {errno.ENOSPC}"

Work = Callable[[Path], object]
Content = dict[str, bytes | None]


def contents(path: Path) -> Content:
    """Return every file of a store with its bytes and every folder, but the lock, which names who wrote last."""
    members = (member for member in path.rglob("*") if member.name != "lock")
    return {
        member.relative_to(path).as_posix(): None if member.is_dir() else member.read_bytes()
        for member in members
    }


def differences(found: Content, expected: Content) -> list[str]:
    """Return what is too much, missing or different, by name."""
    said = [f"{name} is too much" for name in sorted(found.keys() - expected.keys())]
    said += [f"{name} is missing" for name in sorted(expected.keys() - found.keys())]
    both = sorted(found.keys() & expected.keys())
    return said + [f"{name} is different" for name in both if found[name] != expected[name]]


@dataclass(kw_only=True)
class Tally:
    """What came of the kills.

    kills : (work, way, phase) → how many · stores : work → how many stores were completed and compared
    missed : kills that came when the work was over · again : kills of the completing work
    unfinished : stores that had a temporary file or a torn last line when killed
    broken : what differed from the uninterrupted store, none if all is well
    """

    kills: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    stores: Counter[str] = field(default_factory=Counter)
    missed: int = 0
    again: int = 0
    unfinished: int = 0
    broken: list[str] = field(default_factory=list)

    def by_phase(self, work: str) -> dict[str, int]:
        """Return how many kills of a work landed in each phase."""
        return {
            phase: sum(count for (one, _, at), count in self.kills.items() if (one, at) == (work, phase))
            for phase in PHASES
        }


@dataclass(frozen=True, kw_only=True)
class _Known:
    """A work nobody interrupts. before : what the store is copied from, None for no store at all."""

    work: Work
    before: Path | None
    after: Content
    seconds: float
    calls: dict[str, int]


class World:
    """A replay, and what each work makes of a store when nobody interrupts it; made by `world`."""

    def __init__(self, folder: Path, replay: Replay, recording: Path, works: Iterable[str]) -> None:
        self._folder = folder
        self.replay = replay
        self._recording = recording
        base = folder / "base"
        for day in DAYS_BEFORE:
            replay.put("clock", {"now": day})
            import_what_it_imports(partial(self._run, day), base)
        replay.put("clock", {"now": NOW})
        known = {
            COLLECT: lambda: self._undisturbed(COLLECT, partial(self._collect, NOW), base, 3),
            RUN: lambda: self._undisturbed(RUN, partial(self._run, NOW), base, 3),
            IMPORT: lambda: self._undisturbed(IMPORT, self._import, None, 2),
        }
        self.known = {name: known[name]() for name in works}

    def _undisturbed(self, name: str, work: Work, before: Path | None, kinds: int) -> _Known:
        """Do the work three times: for what it makes and how long it takes, and for how many calls of each sort.

        kinds : how many kinds of responses it is to capture
        """
        calls = {}
        seconds = 0.0
        made = []
        for way in WAYS:
            path = self.copy(f"{name} undisturbed", before)
            began = time.monotonic()
            made_calls = counted(work, path, way)
            if way == AFTER_A_TIME:
                seconds = time.monotonic() - began
            else:
                calls[way] = made_calls
            made.append(contents(path))
        assert made[0] == made[1] == made[2] != {}, f"{name} does not make the same bytes twice"
        register = made[0]["captures/register.jsonl"] or b""
        met = {kind for kind in (KIND_MODELS, KIND_RANKINGS, KIND_ENDPOINTS) if _of_kind(kind, register)}
        assert len(met) == kinds, f"{name} captures {', '.join(met)} alone"
        return _Known(work=work, before=before, after=made[0], seconds=seconds, calls=calls)

    def copy(self, name: str, before: Path | None, folder: Path | None = None) -> Path:
        """Return a store of this name as it is before the work, nothing where there is none."""
        self.replay.forget_what_was_asked()
        path = (folder or self._folder) / name
        shutil.rmtree(path, ignore_errors=True)
        if before:
            shutil.copytree(before, path)
        return path

    def _run(self, at: str, path: Path) -> None:
        clock = ReplayClock(parse_instant(at))
        done = run_day(Store.create(path), self._connect(clock), clock)
        assert not done.collected.failed, done.collected.failed
        assert done.determined is not None

    def _collect(self, at: str, path: Path) -> None:
        clock = ReplayClock(parse_instant(at))
        collected = collect_due(Store.create(path), self._connect(clock), clock)
        assert not collected.failed, collected.failed

    def _import(self, path: Path) -> None:
        import_paths(Store.create(path), [self._recording], collector="archive-a", progress=silent)

    def _connect(self, clock: Clock) -> Callable[[Callable[[Response], None]], OpenRouter]:
        return lambda keep: OpenRouter(
            clock, keep=keep, log=_unsaid, key="replay-key", url=self.replay.url, origin="replay", sound=sound
        )


@contextmanager
def world(folder: Path, *works: str) -> Iterator[World]:
    """Make a world in an empty folder. works : those it has, all if none is named"""
    recording = write_recording(folder / "recording")
    with Replay(recording, at=NOW) as replay:
        yield World(folder, replay, recording, works or WORKS)


def kill_at_random(
    world: World,
    kills: int,
    seed: int,
    said: Callable[[int], None] = lambda _: None,
) -> Tally:
    """Kill each work in turn until there were so many kills, completing and comparing store after store."""
    draw, tally = Random(seed), Tally()
    while tally.kills.total() < kills:
        for name in world.known:
            _one_store(world, name, draw, tally)
        said(tally.kills.total())
    return tally


def _one_store(world: World, name: str, draw: Random, tally: Tally) -> None:
    known = world.known[name]
    path = world.copy(f"{name} killed", known.before)
    for number in range(_KILLS_OF_A_STORE_MAX):
        if number and draw.randrange(_AGAIN_IN):
            break
        way = draw.choice(WAYS)
        if not _killed(known, path, way, draw):
            tally.missed += 1
            continue
        tally.kills[name, way, _phase(path, known)] += 1
        tally.again += number > 0
        tally.unfinished += _is_unfinished(path)
        tally.broken += [f"{name} {tally.stores[name]}, killed: {what}" for what in _unreadable(path)]
    failed = forked(known.work, path)
    found = [failed] if failed else differences(contents(path), known.after)
    tally.broken += [f"{name} {tally.stores[name]}: {what}" for what in found]
    tally.stores[name] += 1


def fill(world: World, name: str, disk: Path, every: int = 1) -> dict[str, Any]:
    """Do a work on a disk with 0, 1, 2, … free pages until it fits, and complete it each time when there is room.

    every : how many pages more there are each time
    Returns `pages` it takes, how often it was `refused` for want of room, the `lines` of the register each time, and
    what was `broken`.
    """
    known, ballast, broken, refused = world.known[name], disk / "ballast", [], 0
    lines: list[int] = []
    for pages in itertools.count(0, every):
        path = world.copy(f"{name} full", known.before, disk)
        fill_up(ballast, pages)
        failed = forked(lambda path: ending_when_full(known.work, path), path)
        refused += failed is not None
        broken += [f"{pages} pages: {what}" for what in [*_unreadable(path), failed] if what and what != FULL]
        broken += [f"{pages} pages: something is unfinished"] * _is_unfinished(path)
        lines.append(_lines(contents(path)))
        ballast.unlink()
        world.replay.forget_what_was_asked()
        completed = forked(known.work, path)
        found = [completed] if completed else differences(contents(path), known.after)
        broken += [f"{pages} pages, completed: {what}" for what in found]
        if failed is None or broken:
            return {"pages": pages, "refused": refused, "lines": lines, "broken": broken}
    raise AssertionError("never reached")


def fill_up(ballast: Path, pages: int) -> None:
    """Leave so many pages of a disk free."""
    with ballast.open("wb") as file:
        free = os.statvfs(ballast.parent)
        os.posix_fallocate(file.fileno(), 0, (free.f_bfree - pages) * free.f_frsize)


def ending_when_full(work: Work, path: Path) -> None:
    """Do the work; end the process with the number of the error when there is no room."""
    try:
        work(path)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        os._exit(errno.ENOSPC)


def _killed(known: _Known, path: Path, way: str, draw: Random) -> bool:
    """Do the work in a child and kill it; return whether it was still at it."""
    if way == AFTER_A_TIME:
        child = fork(lambda: known.work(path))
        time.sleep(known.seconds * draw.random())
        os.kill(child, signal.SIGKILL)
    else:
        point = draw.randrange(known.calls[way])

        def work() -> None:
            die_before(point, way)
            known.work(path)

        child = fork(work)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.waitstatus_to_exitcode(status) == 0, "the work failed before it was killed"
    return False


def fork(work: Callable[[], object]) -> int:
    """Do the work in a child, whose number is returned; it ends with status 0 if the work raises nothing."""
    child = os.fork()
    if not child:
        status = 1
        try:
            signal.alarm(_CHILD_SECONDS_MAX)
            work()
            status = 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(status)
    return child


def forked(work: Work, path: Path) -> str | None:
    """Do the work in a child to its end; return how it failed, None if it did not."""
    _, status = os.waitpid(fork(lambda: work(path)), 0)
    return f"the work ended with {os.waitstatus_to_exitcode(status)}" if status else None


def import_what_it_imports(work: Work, path: Path) -> None:
    """Do the work in a child, and import here what it imported there: later children begin with their work.

    pyarrow imports pandas when it first makes an array, if pandas is there, which takes longer than all the rest.
    """
    listed = path.with_name("imported")

    def listing() -> None:
        work(path)
        listed.write_text("\n".join(sorted(sys.modules)))

    _, status = os.waitpid(fork(listing), 0)
    assert status == 0, "the work fails when nobody interrupts it"
    for name in listed.read_text().split():
        with suppress(ImportError):
            import_module(name)


def counted(work: Work, path: Path, way: str) -> int:
    """Do the work in a child and return how many calls of a sort it made."""
    receiving, sending = os.pipe()

    def counting() -> None:
        calls = die_before(-1, way) if way != AFTER_A_TIME else [0]
        work(path)
        sys.setprofile(None)
        os.write(sending, str(calls[0]).encode())

    _, status = os.waitpid(fork(counting), 0)
    os.close(sending)
    told = os.read(receiving, 32)
    os.close(receiving)
    assert status == 0, "the work fails when nobody interrupts it"
    return int(told)


def die_before(point: int, way: str) -> list[int]:
    """Count the calls of a sort from now on, of this thread, and die before the one numbered `point`."""
    calls = [0]
    every = way == BEFORE_A_CALL

    def count(_: FrameType, event: str, called: Any) -> None:
        if every or (event == "c_call" and _touches_a_file(called)):
            if calls[0] == point:
                os.kill(os.getpid(), signal.SIGKILL)
            calls[0] += 1

    sys.setprofile(count)
    return calls


def _touches_a_file(called: Any) -> bool:
    if called.__name__ not in _TOUCHING:
        return False
    own = getattr(called, "__self__", None)
    return called.__module__ in {"posix", "fcntl", "io", "_io"} or isinstance(own, io.IOBase)


def _phase(path: Path, known: _Known) -> str:
    """Return how far the work had come, by what the store holds."""
    found = contents(path)
    new, all_new = (_lines(content) - _lines(_before(known)) for content in (found, known.after))
    if "store.json" not in found:
        return PHASES[0]
    if new < all_new:
        return PHASES[2] if new else PHASES[1]
    if found.get("observations/manifest.json") != known.after["observations/manifest.json"]:
        return PHASES[3]
    return PHASES[4] if differences(found, known.after) else PHASES[5]


def _before(known: _Known) -> Content:
    return contents(known.before) if known.before else {}


def _lines(content: Content) -> int:
    return (content.get("captures/register.jsonl") or b"").count(b"\n")


def _of_kind(kind: str, register: bytes) -> bool:
    return f'"kind":"{kind}"'.encode() in register


def _unreadable(path: Path) -> list[str]:
    """Return what a reader of a killed store cannot read: each registered capture has its object, whole."""
    try:
        store = Store.open(path)
        for capture in store.register.read():
            store.objects.get(capture.sha256)
    except EnvironmentFailed as error:
        return [error.found]
    except BadCall:  # killed before there was a store
        return []
    return []


def _is_unfinished(path: Path) -> bool:
    """Whether a killed store has what the next writer must clear away."""
    register = path / "captures" / "register.jsonl"
    torn = register.exists() and register.read_bytes()[-1:] not in (b"", b"\n")
    return torn or any(path.rglob(".*.tmp"))


def _unsaid(event: str, **said: object) -> None:
    """Log nothing."""
