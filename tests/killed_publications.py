"""Publications killed (SIGKILL) at drawn moments, run again, and compared with what nobody interrupted.

As in `kills`, and one way more: before and after each named step of the protocol, from the file that freezes a
publication to its removal. A killed publication is read as a stranger would read it, and every root it ever showed
has to be a root of the log it becomes. Who asks again asks some seconds later: what was decided keeps its time, and
only what was not decided is stamped anew.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial, wraps
from pathlib import Path
from random import Random
from typing import Any, Final

import kills
from kills import AFTER_A_TIME, Content, contents, differences
from markets import Taken, at, models, rankings
from mtok.archive import Response, Store
from mtok.calendar import Clock, parse_instant
from mtok.canonical import sha256_hex
from mtok.collection import sound
from mtok.day import publish_due, run_day
from mtok.errors import AnswerIsNo
from mtok.notes import Checkpoint, PrivateKey, open_note
from mtok.progress import silent
from mtok.proofs import Tree, bundle_path, bundles_of, decode_bundle, leaf_hash
from mtok.publication.entries import read_entries
from mtok.publication.log import Log, read_head
from mtok.publication.operators import create_key, give_notice, restate, rotate_key
from mtok.publication.sealing import Sealing
from mtok.replay import ReplayClock
from mtok.sources import OpenRouter
from replayed import DAYS_BEFORE, MODELS, NOW, Replay, write_recording

FIRST: Final = "publish several dates"
NEXT: Final = "publish a date"
RESTATE: Final = "restate"
NOTICE: Final = "notice"
ROTATE: Final = "keys rotate"
RUN: Final = "run"
WORKS: Final = (FIRST, NEXT, RESTATE, NOTICE, ROTATE, RUN)

AT_A_STEP: Final = "before or after a step"
WAYS: Final = (*kills.WAYS, AT_A_STEP)

PHASES: Final = (
    "nothing decided",
    "decided, not all files there",
    "files there, log not extended",
    "log extended, head not claimed",
    "head claimed, not outside",
    "head outside, not signed",
    "signed, proofs and views not all there",
    "all there, still pending",
    "nothing pending any more",
)

ORIGIN: Final = "index.example.org/log"
SEED: Final = bytes(range(32))
NEW_SEEDS: Final = (bytes(32), bytes([1]) * 32)
"""Of the key that replaces the first one; the second is that of whoever asks again after an interruption."""

FIRST_AT: Final = "2026-06-21T15:00:00Z"
NEXT_AT: Final = "2026-06-22T14:30:00Z"
LATER: Final = "2026-06-22T15:00:00Z"
_AGAIN_AT: Final = {
    FIRST_AT: "2026-06-21T15:00:07Z",
    NEXT_AT: "2026-06-22T14:30:07Z",
    LATER: "2026-06-22T15:00:07Z",
}

_DATES: Final = [f"2026-06-{day}" for day in range(17, 23)]
_KILLS_OF_A_STORE_MAX: Final = 5
_AGAIN_IN: Final = 2

Work = Callable[[Path], object]


def market() -> list[Taken]:
    """Return two responses a day, six days long, and one that restates the last total."""
    listed = []
    for number, date in enumerate(_DATES):
        listed.append(models(at(date, "00:30:00"), [_row(model, number) for model in MODELS]))
        if number:
            listed.append(_rankings(date, "05:00:00", _DATES[:number], 0))
    return [*listed, _rankings(_DATES[-1], "14:45:00", _DATES[:-1], 10**11)]


def _row(model: str, number: int) -> dict[str, Any]:
    price = f"0.0000{MODELS.index(model) + 10 + number}"
    return {
        "id": model,
        "canonical_slug": model,
        "name": model,
        "created": 1_700_000_000,
        "architecture": {"output_modalities": ["text"]},
        "pricing": {"prompt": "0.000001", "completion": price},
    }


def _rankings(date: str, time_of_day: str, dates: list[str], more: int) -> Taken:
    names = [*MODELS, *(f"author/model-{number:02}" for number in range(50 - len(MODELS)))]
    rows = [
        {
            "date": day,
            "model_permaslug": name,
            "total_tokens": str(10**9 * (100 - place) + (more if (place, day) == (0, dates[-1]) else 0)),
        }
        for day in dates
        for place, name in enumerate(names)
    ]
    return rankings(at(date, time_of_day), rows)


class Desk:
    """A folder with a store that publishes, and beside it the file that remembers its head."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / "store"
        self.head = folder / "outside" / "head"
        self.publication = self.store / "publication"

    def make(self, origin: str = ORIGIN) -> None:
        """Make the store and its key."""
        create_key(Store.create(self.store), origin, SEED)

    def receive(self, after: str, until: str) -> None:
        """Archive what the market answered between two instants."""
        store = Store.open(self.store)
        with store.writing():
            for _ in store.archive(
                taken.response()
                for taken in market()
                if parse_instant(after) < taken.instant <= parse_instant(until)
            ):
                pass

    def outside(self, _: str) -> Path:
        """Return the file that remembers the head."""
        return self.head

    def publish(self, now: str) -> Any:
        """Publish what is due."""
        return publish_due(Store.open(self.store), ReplayClock(parse_instant(now), 0), self.outside)

    def restate(self, now: str) -> Any:
        """Restate the last date."""
        return restate(
            Store.open(self.store),
            parse_instant(now),
            self.outside,
            series=["openai"],
            day=parse_instant(f"{_DATES[-2]}T00:00:00Z") // (24 * 3600 * 10**6),
            reason="source_restated",
            progress=silent,
        )

    def notice(self, now: str, text: str = "The collector was down.") -> int:
        """Give notice of an incident."""
        return give_notice(
            Store.open(self.store),
            parse_instant(now),
            self.outside,
            kind="incident",
            text=text,
            series=None,
            first_date=None,
            last_date=None,
            progress=silent,
        ).size

    def rotate(self, now: str, seed: bytes = NEW_SEEDS[0]) -> None:
        """Replace the key."""
        rotate_key(Store.open(self.store), parse_instant(now), self.outside, seed, silent)

    def published(self) -> Content:
        """Return every file of the publication, and the head outside."""
        found = {f"publication/{name}": raw for name, raw in contents(self.publication).items()}
        return found | {f"outside/{name}": raw for name, raw in contents(self.head.parent).items()}


def first_desk(folder: Path) -> Desk:
    """Return a desk that has everything for its first publication, of five dates, and has published nothing."""
    desk = Desk(folder)
    desk.make()
    desk.receive("2026-01-01T00:00:00Z", FIRST_AT)
    return desk


def copied(desk: Desk, folder: Path) -> Desk:
    """Return a copy of a desk."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(desk.folder, folder)
    return Desk(folder)


# ---- what a reader sees


def said(publication: Path, keys: list[PrivateKey]) -> tuple[list[tuple[int, bytes]], list[str]]:
    """Return every size and root a publication shows, and what of it a reader could not accept."""
    log = Log(publication / "log")
    roots = [read_head(log.folder / "heads" / str(size)) for size in log.claimed()]
    path = log.folder / "checkpoint"
    if not path.exists():
        return roots, []
    checkpoint = Checkpoint.parse(open_note(path.read_bytes(), [key.public for key in keys]).text)
    broken = []
    if (checkpoint.size, checkpoint.root) not in roots:
        broken.append("the checkpoint was not claimed")
    entries: list[bytes] = []
    for index, width in bundles_of(checkpoint.size):
        entries += decode_bundle((log.folder / bundle_path(index, width)).read_bytes())
    tree = Tree(map(leaf_hash, entries))
    broken += [f"root {size}" for size, root in roots if size <= tree.size and tree.root(size) != root]
    if (tree.size, tree.root()) != (checkpoint.size, checkpoint.root):
        broken.append("the entries are not those of the checkpoint")
    for entry in read_entries(entries):
        if "record_sha256" in entry:
            named = [(f"records/{entry['series']}/{entry['date']}.{entry['vintage']}.json", "record_sha256")]
        elif entry["type"] == "raw":
            named = [(f"raw/{entry['date']}/{entry['sha256']}.json", "sha256")]
        elif entry["type"] == "prices":
            named = [(entry["path"], "sha256")]
        elif entry["type"] == "method":
            named = [(f"rulebooks/{entry['rulebook_sha256']}.md", "rulebook_sha256")]
            named += [(f"policies/{entry['policy_sha256']}.toml", "policy_sha256")]
        else:
            continue
        for name, digest in named:
            file = publication / name
            if not file.exists() or sha256_hex(file.read_bytes()) != entry[digest]:
                broken.append(f"{name} is not what an entry names")
    return [*roots, (checkpoint.size, checkpoint.root)], broken


def vintages_amiss(publication: Path) -> list[str]:
    """Return what is lost or doubled among the vintages of a log, and where time does not rise."""
    log = Log(publication / "log")
    entries = read_entries(log.entries(log.claimed()[-1]))
    broken = []
    vintages: Counter[tuple[str, str]] = Counter()
    records = set()
    for entry in entries:
        if "record_sha256" in entry:
            key = (entry["series"], entry["date"])
            if int(entry["vintage"]) != vintages[key] or entry["record_sha256"] in records:
                broken.append(f"vintage {entry['vintage']} of {key}")
            vintages[key] += 1
            records.add(entry["record_sha256"])
    times = [parse_instant(time) for time, _ in itertools.groupby(entries, lambda entry: entry["time"])]
    return broken + ["known_at does not rise"] * (times != sorted(set(times)))


# ---- the steps of the protocol


@contextmanager
def watched(told: Callable[[str], None]) -> Iterator[None]:
    """Call `told` before and after each named step of the protocol, of this process, while the block lasts."""
    from mtok.publication import log, sealing

    def around(name: Callable[..., str | None], call: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(call)
        def step(*args: Any, **kwargs: Any) -> Any:
            said = name(*args)
            if said is None:
                return call(*args, **kwargs)
            told(f"before {said}")
            result = call(*args, **kwargs)
            told(f"after {said}")
            return result

        return step

    def file(path: Path, *_: Any) -> str:
        parts = path.parts[path.parts.index("publication") + 1 :]
        if parts[0] == "log":
            return "a bundle" if "entries" in parts else "a tile"
        return "a proof" if parts[0] == "proofs" else "a file"

    def view(path: Path, *_: Any) -> str:
        return "the sums" if path.name == sealing.SUMS else "a view"

    def outside(path: Path, *_: Any) -> str | None:
        return "the head outside" if "outside" in path.parts else None

    def pending(folder: Path) -> str | None:
        return "the removal of pending is synced" if folder.name == "pending" else None

    def named(name: str) -> Callable[..., str]:
        return lambda *_: name

    places: list[tuple[Any, str, Callable[..., str | None]]] = [
        (Sealing, "decide", named("pending")),
        (sealing, "write_once", file),
        (log, "write_once", file),
        (Log, "read_back", named("everything is read back")),
        (Log, "claim", named("the head")),
        (sealing, "write_file", outside),
        (Log, "sign", named("the checkpoint")),
        (sealing, "_replace", view),
        (sealing, "sync_folder", pending),
    ]
    before = [getattr(owner, name) for owner, name, _ in places]
    try:
        for owner, name, step in places:
            setattr(owner, name, around(step, getattr(owner, name)))
        yield
    finally:
        for (owner, name, _), call in zip(places, before, strict=True):
            setattr(owner, name, call)


# ---- killing


@dataclass(kw_only=True)
class Tally:
    """What came of the kills.

    kills : (work, way, phase) → how many · steps : named step → how many · desks : work → how many were completed and
    compared · roots : shown while killed and found again in the log · again : kills of the completing work
    missed : kills that came when the work was over · broken : what was wrong, none if all is well
    """

    kills: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    steps: Counter[str] = field(default_factory=Counter)
    desks: Counter[str] = field(default_factory=Counter)
    roots: int = 0
    again: int = 0
    missed: int = 0
    broken: list[str] = field(default_factory=list)

    def count(self, place: int, value: str, work: str) -> int:
        """Return how many kills of a work have a value at a place of their key: 1 the way, 2 the phase."""
        return sum(count for key, count in self.kills.items() if key[0] == work and key[place] == value)


@dataclass(frozen=True, kw_only=True)
class _Known:
    """A work nobody interrupts, and what is asked `again` after an interruption.

    held : what is published before · after : what comes of the one and, where nothing was decided, of the other
    """

    work: Work
    again: Work
    before: Desk
    held: Content
    after: list[Content]
    seconds: float
    calls: dict[str, int]
    steps: dict[str, list[int]]


class World:
    """What each work makes of a desk when nobody interrupts it; made by `world`."""

    def __init__(self, folder: Path, replay: Replay | None, works: tuple[str, ...]) -> None:
        self._folder = folder
        self.replay = replay
        self.keys = [PrivateKey(name=ORIGIN, seed=seed) for seed in (SEED, *NEW_SEEDS)]
        first = first_desk(folder / "first")
        kills.import_what_it_imports(lambda path: copied(first, path).publish(FIRST_AT), folder / "warm")
        before_next = copied(first, folder / "next")
        _done(lambda path: Desk(path).publish(FIRST_AT), before_next.folder)
        before_next.receive(FIRST_AT, NEXT_AT)
        later = copied(before_next, folder / "later")
        _done(lambda path: Desk(path).publish(NEXT_AT), later.folder)
        later.receive(NEXT_AT, LATER)
        known: dict[str, Callable[[str], _Known]] = {
            FIRST: partial(self._known, Desk.publish, FIRST_AT, first),
            NEXT: partial(self._known, Desk.publish, NEXT_AT, before_next),
            RESTATE: partial(self._known, _restate_or_no, LATER, later),
            NOTICE: partial(self._known, Desk.notice, LATER, later),
            ROTATE: partial(self._known_rotation, later),
            RUN: self._known_run,
        }
        self.known = {name: known[name](name) for name in works}

    def _known(self, do: Callable[[Desk, str], object], now: str, before: Desk, name: str) -> _Known:
        def work(path: Path) -> object:
            return do(Desk(path), now)

        def again(path: Path) -> object:
            return do(Desk(path), _AGAIN_AT[now])

        return self._undisturbed(name, work, again, before)

    def _known_rotation(self, before: Desk, name: str) -> _Known:
        def again(path: Path) -> None:
            """Ask again with another key, as the program would draw it, unless the key is seen to be replaced."""
            keys = [key.public for key in self.keys[1:]]
            path_of_pending = Desk(path).publication / "pending"
            signed = Log(Desk(path).publication / "log").signers([key.public for key in self.keys])
            if any(path_of_pending.glob("*.json")) or not set(signed) & set(keys):
                Desk(path).rotate(_AGAIN_AT[LATER], NEW_SEEDS[1])

        return self._undisturbed(name, lambda path: Desk(path).rotate(LATER), again, before)

    def _known_run(self, name: str) -> _Known:
        assert self.replay
        before = Desk(self._folder / "before the run")
        before.make()
        for day in DAYS_BEFORE:
            self.replay.put("clock", {"now": day})
            kills.import_what_it_imports(partial(self._run, day), before.folder)
        self.replay.put("clock", {"now": NOW})
        work = partial(self._run, NOW)
        return self._undisturbed(name, work, work, before)

    def _run(self, now: str, path: Path) -> None:
        clock, desk = ReplayClock(parse_instant(now), 0), Desk(path)
        done = run_day(Store.open(desk.store), self._connect(clock), clock, outside=desk.outside)
        assert not done.collected.failed, done.collected.failed
        assert done.published is not None

    def _connect(self, clock: Clock) -> Callable[[Callable[[Response], None]], OpenRouter]:
        assert self.replay
        return lambda keep: OpenRouter(
            clock,
            keep=keep,
            log=lambda *_, **__: None,
            key="replay-key",
            url=self.replay.url if self.replay else "",
            origin="replay",
            sound=sound,
        )

    def _undisturbed(self, name: str, work: Work, again: Work, before: Desk) -> _Known:
        """Do the work four times: for what it makes and how long it takes, for its calls and for its steps."""
        calls: dict[str, int] = {}
        made, seconds = [], 0.0
        for way in kills.WAYS:
            desk = self.copy(f"{name} undisturbed", before)
            began = time.monotonic()
            counted = kills.counted(work, desk.folder, way)
            if way == AFTER_A_TIME:
                seconds = time.monotonic() - began
            else:
                calls[way] = counted
            made.append(desk.published())
        assert made[0] == made[1] == made[2] != before.published(), (
            f"{name} does not make the same bytes twice"
        )
        desk = self.copy(f"{name} undisturbed", before)
        steps: dict[str, list[int]] = {}
        for number, step in enumerate(_steps(work, desk.folder)):
            steps.setdefault(step, []).append(number)
        assert not vintages_amiss(desk.publication)
        assert not said(desk.publication, self.keys)[1]
        other = self.copy(f"{name} undisturbed", before)
        _done(again, other.folder)
        return _Known(
            work=work,
            again=again,
            before=before,
            held=before.published(),
            after=[made[0], other.published()],
            seconds=seconds,
            calls=calls,
            steps=steps,
        )

    def copy(self, name: str, before: Desk, folder: Path | None = None) -> Desk:
        """Return a desk of this name as it is before the work."""
        if self.replay:
            self.replay.forget_what_was_asked()
        return copied(before, (folder or self._folder) / name)


@contextmanager
def world(folder: Path, *works: str) -> Iterator[World]:
    """Make a world in an empty folder. works : those it has, all if none is named"""
    works = works or WORKS
    if RUN not in works:
        yield World(folder, None, works)
        return
    with Replay(write_recording(folder / "recording"), at=NOW) as replay:
        yield World(folder, replay, works)


def _restate_or_no(desk: Desk, now: str) -> None:
    """Restate; that nothing is left to restate is an answer too."""
    try:
        desk.restate(now)
    except AnswerIsNo as answer:
        if answer.code != "nothing_to_restate":
            raise


def _done(work: Work, path: Path) -> None:
    failed = kills.forked(work, path)
    assert failed is None, failed


def _steps(work: Work, path: Path) -> list[str]:
    """Do the work in a child and return the steps it told."""
    listed = path.with_name("steps")

    def listing(path: Path) -> None:
        steps: list[str] = []
        with watched(steps.append):
            work(path)
        listed.write_text("\n".join(steps))

    _done(listing, path)
    return listed.read_text().split("\n")


def kill_at_random(
    world: World,
    number: int,
    seed: int,
    said: Callable[[int], None] = lambda _: None,
    *,
    seconds_max: int = 24 * 3600,
) -> Tally:
    """Kill each work in turn until there were so many kills, completing and comparing desk after desk.

    seconds_max : that it may take; it ends earlier than asked then
    """
    draw, tally, end = Random(seed), Tally(), time.monotonic() + seconds_max
    while tally.kills.total() < number and time.monotonic() < end:
        for name in world.known:
            _one_desk(world, name, draw, tally)
        said(tally.kills.total())
    return tally


def _one_desk(world: World, name: str, draw: Random, tally: Tally) -> None:
    known = world.known[name]
    desk = world.copy(f"{name} killed", known.before)
    shown: list[tuple[int, bytes]] = []
    broken: list[str] = []
    killed = 0
    expected = known.after[0]
    for number in range(_KILLS_OF_A_STORE_MAX):
        if number and draw.randrange(_AGAIN_IN):
            break
        way = draw.choice(WAYS)
        step = _killed(known, known.again if number else known.work, desk, way, draw)
        if step is None:
            tally.missed += 1
            continue
        if not killed and not _decided(desk, known):
            expected = known.after[1]
        tally.again += killed > 0
        killed += 1
        tally.kills[name, way, _phase(desk, known.held, expected)] += 1
        tally.steps[step] += way == AT_A_STEP
        roots, unacceptable = said(desk.publication, world.keys)
        shown += roots
        broken += [f"killed: {what}" for what in unacceptable]
    failed = kills.forked(known.again, desk.folder)
    found = [failed] if failed else differences(desk.published(), expected)
    if not failed:
        broken += found + vintages_amiss(desk.publication)
        log = Log(desk.publication / "log")
        tree = Tree(map(leaf_hash, log.entries(log.claimed()[-1])))
        broken += [f"forked at {size}" for size, root in shown if size > tree.size or tree.root(size) != root]
        tally.roots += len(shown)
    else:
        broken += found
    tally.broken += [f"{name} {tally.desks[name]}: {what}" for what in broken]
    tally.desks[name] += 1


def _killed(known: _Known, work: Work, desk: Desk, way: str, draw: Random) -> str | None:
    """Do the work in a child and kill it; return at which step, "" at none, None where it was over before."""
    step = ""
    if way == AFTER_A_TIME:
        child = kills.fork(lambda: work(desk.folder))
        time.sleep(known.seconds * draw.random())
        os.kill(child, signal.SIGKILL)
    else:
        if way == AT_A_STEP:
            step = draw.choice(sorted(known.steps))
            wanted = draw.choice(range(len(known.steps[step])))
        else:
            wanted = draw.randrange(known.calls[way])

        def dying() -> None:
            if way != AT_A_STEP:
                kills.die_before(wanted, way)
                work(desk.folder)
                return
            left = [wanted]

            def told(one: str) -> None:
                if one == step:
                    if not left[0]:
                        os.kill(os.getpid(), signal.SIGKILL)
                    left[0] -= 1

            with watched(told):
                work(desk.folder)

        child = kills.fork(dying)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return step
    assert os.waitstatus_to_exitcode(status) == 0, "the work failed before it was killed"
    return None


def _decided(desk: Desk, known: _Known) -> bool:
    """Whether a killed work had frozen its publication."""
    before, now = (one.publication / "SHA256SUMS" for one in (known.before, desk))
    completed = now.exists() and (not before.exists() or now.read_bytes() != before.read_bytes())
    return completed or any((desk.publication / "pending").glob("*.json"))


def _phase(desk: Desk, before: Content, after: Content) -> str:
    """Return how far the publication had come, by what the desk holds."""
    found = desk.published()
    pending = any("/pending/" in name and name.endswith(".json") for name in found)
    new = {name: raw for name, raw in after.items() if before.get(name) != raw or name not in before}
    there = {name for name, raw in new.items() if name in found and found[name] == raw}

    def has(*parts: str) -> bool:
        return all(name in there for name in new if any(name.startswith(part) for part in parts))

    if not pending:
        return PHASES[8] if has("publication/SHA256SUMS") else PHASES[0]
    files = ("records", "prices", "observations", "captures", "raw", "methodology", "rulebooks", "policies")
    order = [
        tuple(f"publication/{name}/" for name in files),
        ("publication/log/tile/",),
        ("publication/log/heads/",),
        ("outside/",),
        ("publication/log/checkpoint",),
        ("publication/",),
    ]
    for place, parts in enumerate(order, 1):
        if not has(*parts):
            return PHASES[place]
    return PHASES[7]


def fill(world: World, name: str, disk: Path) -> dict[str, Any]:
    """Do a work on a disk with 0, 1, 2, … free pages until it fits, and complete it each time when there is room.

    Returns `pages` it takes, how often it was `refused` for want of room, and what was `broken`.
    """
    known, ballast, broken, refused = world.known[name], disk / "ballast", [], 0
    for pages in itertools.count():
        desk = world.copy("full", known.before, disk)
        kills.fill_up(ballast, pages)
        failed = kills.forked(lambda path: kills.ending_when_full(known.work, path), desk.folder)
        refused += failed is not None
        if failed not in {None, kills.FULL}:
            broken.append(f"{pages} pages: {failed}")
        broken += [f"{pages} pages: {path.name} was left" for path in desk.folder.rglob(".*.tmp")]
        shown, unacceptable = said(desk.publication, world.keys)
        broken += [f"{pages} pages: {what}" for what in unacceptable]
        ballast.unlink()
        expected = known.after[0 if _decided(desk, known) else 1]
        completed = kills.forked(known.again, desk.folder)
        found = [completed] if completed else differences(desk.published(), expected)
        broken += [f"{pages} pages, completed: {what}" for what in found]
        if failed is None or broken:
            return {"pages": pages, "refused": refused, "broken": broken, "roots": len(shown)}
    raise AssertionError("never reached")
