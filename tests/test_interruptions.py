"""Collect and run, interrupted: killed at any moment, started twice at once, on a disk that is full.

What the import alone goes through is in `test_archive`. Here the work of whole commands runs against a replay in a
process of its own. The long form of the kills is `scripts/kill_runs.py`; here are thirty of them, in `make soak` sixty.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import mtok as package
from kills import PHASES, contents, differences
from mtok.archive import Response, Store
from mtok.calendar import parse_instant
from mtok.day import run_day
from mtok.determination.folder import Determinations
from mtok.replay import ReplayClock
from mtok.sources import OpenRouter
from replayed import DAYS_BEFORE, NOW, SECONDS_MAX, Replay, mtok, write_recording

TESTS = Path(__file__).parent


AT = "2026-06-20T12:00:00Z"
"""What time it is for the commands: at midnight there are no rankings yet."""


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recorded market, as of one noon."""
    return write_recording(tmp_path_factory.mktemp("recorded") / "recording", AT)


def in_a_process(program: str, folder: Path, *arguments: str | Path) -> Any:
    """Run a program that forks in a process of its own, which has no threads, and return the JSON it prints."""
    paths = os.pathsep.join([str(Path(package.__file__).parents[1]), str(TESTS)])
    (folder / "temporary").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder / "temporary"), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        timeout=900,
        check=True,
    )
    return json.loads(done.stdout)


# ---- killed

KILL = """
import json, pathlib, sys
import kills
with kills.world(pathlib.Path(sys.argv[1])) as world:
    tally = kills.kill_at_random(world, int(sys.argv[2]), 20260621)
phases = {work: tally.by_phase(work) for work in kills.WORKS}
print(json.dumps({"phases": phases, "stores": tally.stores, "broken": tally.broken}))
"""

KILL_WITH_A_DEFECT = """
import json, pathlib, sys
import kills
from mtok.archive import Register
with kills.world(pathlib.Path(sys.argv[1]), kills.COLLECT) as world:
    Register.recent = lambda self: []
    tally = kills.kill_at_random(world, 8, 1)
print(json.dumps(tally.broken))
"""


@pytest.mark.parametrize("kills", [30, pytest.param(60, marks=pytest.mark.soak)])
def test_whatever_was_killed_the_same_again_gives_the_store_nobody_interrupted(
    tmp_path: Path, kills: int
) -> None:
    tally = in_a_process(KILL, tmp_path, str(kills))
    assert tally["broken"] == []
    assert sum(count for phases in tally["phases"].values() for count in phases.values()) >= kills
    assert all(count >= kills // 12 for count in tally["stores"].values())
    reached = {phase for phases in tally["phases"].values() for phase, count in phases.items() if count}
    least = 4 if kills >= 60 else 3
    assert len(reached & set(PHASES)) >= least, "the kills were not spread over the work"


def test_a_collector_that_forgets_what_it_has_is_found_out(tmp_path: Path) -> None:
    """The check can fail: a client that keeps a response twice when it is run again leaves another register."""
    broken = in_a_process(KILL_WITH_A_DEFECT, tmp_path)
    assert any("captures/register.jsonl is different" in what for what in broken)


def test_every_difference_between_two_stores_is_named(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name / "folder").mkdir(parents=True)
        (tmp_path / name / "same").write_bytes(b"1")
        (tmp_path / name / "lock").write_text(name)
        (tmp_path / name / "changed").write_text(name)
    (tmp_path / "a" / ".left.tmp").touch()
    (tmp_path / "b" / "folder" / "object").touch()
    (tmp_path / "b" / "empty").mkdir()
    assert differences(contents(tmp_path / "a"), contents(tmp_path / "b")) == [
        ".left.tmp is too much",
        "empty is missing",
        "folder/object is missing",
        "changed is different",
    ]
    assert differences(contents(tmp_path / "a"), contents(tmp_path / "a")) == []


class Interrupted(BaseException):
    """What the test breaks a run off with."""


def test_a_run_broken_off_while_it_determines_asks_for_nothing_it_would_not_have_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Constituents that the new day's records name for the first time are the next run's to ask for.

    The store that is run on has one day, without a price; the new day is the first with constituents.
    """

    with Replay(write_recording(tmp_path / "recording")) as replay:

        def run_at(instant: str, name: str) -> None:
            clock = ReplayClock(parse_instant(instant))
            replay.put("clock", {"now": instant})
            run_day(Store.create(tmp_path / name), partial(client, clock, replay.url), clock)

        for name in ("whole", "broken off"):
            run_at(DAYS_BEFORE[1], name)
        with monkeypatch.context() as patched:
            patched.setattr(Determinations, "note_run", raise_interrupted)
            with pytest.raises(Interrupted):
                run_at(NOW, "broken off")
        for name in ("whole", "broken off"):
            run_at(NOW, name)
    assert Determinations(Store.open(tmp_path / "whole"), "1.0").read("openai")[-1].constituents
    assert differences(contents(tmp_path / "broken off"), contents(tmp_path / "whole")) == []


def client(clock: ReplayClock, url: str, keep: Callable[[Response], None]) -> OpenRouter:
    """Return a client of a replay."""
    return OpenRouter(clock, keep=keep, log=lambda *_, **__: None, key="any-key-at-all", url=url)


def raise_interrupted(*_: object) -> None:
    """Break off."""
    raise Interrupted


# ---- two at once


def wait_for_a_request(replay: Replay) -> None:
    """Return when the replay has been asked something."""
    end = time.monotonic() + SECONDS_MAX
    while not replay.get("state")["requests"]:
        assert time.monotonic() < end, "nobody asked"


@pytest.mark.parametrize(("fault", "command"), [("slow_body", "collect"), ("hang", "run")])
def test_a_second_collector_is_refused_at_once_and_the_first_is_not_disturbed(
    fault: str, command: str, recording: Path, tmp_path: Path
) -> None:
    """The first waits for prices that come slowly, or not at all until it asks again."""
    store = tmp_path / "store"
    faulty = {"name": fault, "on": "models", "times": 1, "value": 6}
    with Replay(recording, faulty, at=AT) as replay:
        asked = ("--store", store, "--url", replay.url, "--at", AT, "--json")
        key = {"OPENROUTER_API_KEY": "any-key-at-all"}
        first = mtok("collect", *asked, **key)
        wait_for_a_request(replay)
        before = contents(store)
        second = mtok(command, *asked, **key)
        said, told = second.communicate(timeout=SECONDS_MAX)
        assert first.poll() is None, "the first was to be still at it"
        assert (second.returncode, json.loads(said)["error"]["code"]) == (3, "store_in_use")
        assert f"is in use by process {first.pid}\n".encode() in told
        assert b"run the command again when that one has ended" in told
        after = {name: raw for name, raw in contents(store).items() if not name.startswith("alarms")}
        assert after == before, "all it may write is what the sinks were told"
        assert (store / "lock").read_text() == f"{first.pid}\n"
        assert replay.get("state")["requests"] == 1, "the second asked nothing"
        said, _ = first.communicate(timeout=SECONDS_MAX)
        assert first.returncode == 0
        outcomes = [(one["kind"], one["failure"]) for one in json.loads(said)["outcomes"]]
        assert outcomes == [("models", None), ("rankings-daily", None)]
    failed = [capture.failure for capture in Store.open(store).register.read() if capture.failure]
    assert failed == (["http_connection"] if fault == "hang" else [])


# ---- a full disk

FILL = """
import json, pathlib, sys
import kills
with kills.world(pathlib.Path(sys.argv[1]), sys.argv[2]) as world:
    print(json.dumps(kills.fill(world, sys.argv[2], pathlib.Path(sys.argv[3]), int(sys.argv[4]))))
"""


@pytest.mark.root
@pytest.mark.parametrize("small_disk", ["4m"], indirect=True)
@pytest.mark.parametrize(
    ("work", "every"), [("collect", 1), ("run", 3), pytest.param("run", 1, marks=pytest.mark.soak)]
)
def test_a_disk_that_is_full_after_any_number_of_pages_tears_nothing(
    work: str, every: int, small_disk: Path, tmp_path: Path
) -> None:
    """From no free page to enough of them; with room again, the same completes the store to the byte.

    A run takes three pages more each time; one more is in `make soak`.
    """
    filled = in_a_process(FILL, tmp_path, work, small_disk, str(every))
    assert filled["broken"] == []
    assert filled["pages"] > 20
    assert filled["refused"] == filled["pages"] // every == len(filled["lines"]) - 1
    assert filled["lines"] == sorted(filled["lines"])
    assert len(set(filled["lines"])) >= 10 // every, "the disk was to be full between two captures too"


@pytest.mark.root
@pytest.mark.parametrize("small_disk", ["4m"], indirect=True)
@pytest.mark.parametrize("command", ["collect", "run"])
def test_the_command_says_that_the_disk_is_full_and_completes_when_there_is_room(
    command: str, small_disk: Path, recording: Path, tmp_path: Path
) -> None:
    store, ballast = small_disk / "store", small_disk / "ballast"
    with Replay(recording, at=AT) as replay:
        asked = (command, "--store", store, "--url", replay.url, "--at", AT, "--json")
        key = {"OPENROUTER_API_KEY": "any-key-at-all"}
        Store.create(store)
        with ballast.open("wb") as file:
            free = os.statvfs(small_disk)
            os.posix_fallocate(file.fileno(), 0, (free.f_bfree - 3) * free.f_frsize)
        refused = mtok(*asked, **key)
        said, told = refused.communicate(timeout=SECONDS_MAX)
        assert (refused.returncode, json.loads(said)["error"]["code"]) == (3, "disk_full")
        assert b"run the same command again; nothing is half written" in told
        assert not list(store.rglob(".*.tmp"))
        ballast.unlink()
        again = mtok(*asked, **key)
        again.communicate(timeout=SECONDS_MAX)
        assert again.returncode == 0
    assert Store.open(store).register.read()
    shutil.rmtree(store)
