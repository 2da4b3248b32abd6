"""Publishing, interrupted: killed at any moment, from an older copy, on a full disk, twice at once, by a wrong clock,
over files that are damaged.

The long form of the kills is `scripts/kill_publications.py`; here are a few of them.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from killed_publications import (
    FIRST_AT,
    LATER,
    NEW_SEEDS,
    NEXT,
    NEXT_AT,
    NOTICE,
    ORIGIN,
    SEED,
    Desk,
    copied,
    first_desk,
    watched,
)
from kills import Content, contents, differences
from mtok.archive import KIND_MODELS, Response, Store
from mtok.archive.files import make_folder, write_file
from mtok.archive.published_log import head_line
from mtok.calendar import SECOND, format_instant, parse_instant
from mtok.collection import Collected
from mtok.day import run_day
from mtok.errors import AnswerIsNo, EnvironmentFailed, MtokError
from mtok.notes import Checkpoint, PrivateKey, sign_note
from mtok.proofs import Tree, bundle_path, encode_bundle, leaf_hash, tile_bytes, tile_path, tiles_of
from mtok.publication.log import Log
from mtok.replay import ReplayClock
from replayed import mtok
from test_interruptions import in_a_process

KEY = PrivateKey(name=ORIGIN, seed=SEED)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> list[Desk]:
    """A desk after 0, 1, … 5 publications: of five dates, of one, a notice, a restatement, a rotation."""
    folder = tmp_path_factory.mktemp("history")
    desks = [first_desk(folder / "0")]

    def then(do: Callable[[Desk], object]) -> None:
        desk = copied(desks[-1], folder / str(len(desks)))
        do(desk)
        desks.append(desk)

    def publish_next(desk: Desk) -> None:
        desk.receive(FIRST_AT, NEXT_AT)
        desk.publish(NEXT_AT)

    def restate(desk: Desk) -> None:
        desk.receive(NEXT_AT, LATER)
        desk.restate(LATER)

    then(lambda desk: desk.publish(FIRST_AT))
    then(publish_next)
    then(lambda desk: desk.notice(NEXT_AT))
    then(restate)
    then(lambda desk: desk.rotate(LATER))
    return desks


@pytest.fixture(scope="module")
def due(history: list[Desk], tmp_path_factory: pytest.TempPathFactory) -> tuple[Desk, Content]:
    """A desk that has published once and has a date to publish, and what it publishes then."""
    folder = tmp_path_factory.mktemp("due")
    desk = copied(history[1], folder / "before")
    desk.receive(FIRST_AT, NEXT_AT)
    after = copied(desk, folder / "after")
    after.publish(NEXT_AT)
    return desk, after.published()


def run_without_collecting(desk: Desk, now: str) -> object:
    """Do what `mtok run` does when nothing is due upstream."""
    clock = ReplayClock(parse_instant(now), 0)
    nothing = Collected(outcomes=(), left=(), lines=range(0), faults=Counter())
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("mtok.day.collect", lambda *_, **__: nothing)
        return run_day(Store.open(desk.store), lambda _: pytest.fail("asked"), clock, outside=desk.outside)


COMMANDS: dict[str, Callable[[Desk, str], object]] = {
    "publish": Desk.publish,
    "run": run_without_collecting,
    "restate": Desk.restate,
    "notice": lambda desk, now: desk.notice(now, "Another one."),
    "rotate": lambda desk, now: desk.rotate(now, NEW_SEEDS[1]),
}


def refused(command: str, desk: Desk, now: str, error: type[MtokError]) -> MtokError:
    """Return how a command is refused, which writes nothing of a publication and no key."""

    def held() -> Content:
        return desk.published() | {f"keys/{name}": raw for name, raw in contents(desk.store / "keys").items()}

    before = held()
    with pytest.raises(error) as caught:
        COMMANDS[command](desk, now)
    assert differences(held(), before) == []
    return caught.value


# ---- killed

KILL = """
import json, pathlib, sys
import killed_publications as killed
with killed.world(pathlib.Path(sys.argv[1]), killed.NEXT, killed.NOTICE, killed.ROTATE) as world:
    tally = killed.kill_at_random(world, 12, 20260622)
phases = sorted({phase for _, _, phase in tally.kills})
print(json.dumps({"kills": tally.kills.total(), "phases": phases, "roots": tally.roots, "broken": tally.broken}))
"""

KILL_WITH_A_DEFECT = """
import json, pathlib, sys
import killed_publications as killed
from mtok.publication.log import Log
from mtok.publication.sealing import Sealing
with killed.world(pathlib.Path(sys.argv[1]), killed.NOTICE) as world:
    Sealing.pending = lambda self: None
    Sealing.refuse_torn = lambda self, size, pending: None
    claim = Log.claim
    def claim_again(self, size, root):
        (self.folder / "heads" / str(size)).unlink(missing_ok=True)
        claim(self, size, root)
    Log.claim = claim_again
    killed.AT_A_STEP, known = killed.AT_A_STEP, world.known[killed.NOTICE]
    known.steps.clear()
    known.steps.update({"before the sums": [0]})
    killed.WAYS = (killed.AT_A_STEP,)
    tally = killed.kill_at_random(world, 2, 1)
print(json.dumps(tally.broken))
"""


def test_whatever_was_killed_the_same_again_publishes_the_same_bytes(tmp_path: Path) -> None:
    tally = in_a_process(KILL, tmp_path)
    assert tally["broken"] == []
    assert tally["kills"] >= 12
    assert len(tally["phases"]) >= 4, "the kills were not spread over the work"
    assert tally["roots"] >= 12


def test_a_publisher_that_forgets_what_it_has_decided_is_found_out(tmp_path: Path) -> None:
    """The check can fail: one that stamps a second time after it has signed says a notice twice or forks."""
    assert in_a_process(KILL_WITH_A_DEFECT, tmp_path)


# ---- asked again


def test_a_notice_is_not_said_twice_in_a_row(history: list[Desk], tmp_path: Path) -> None:
    desk = copied(history[3], tmp_path / "desk")
    before = desk.published()
    size = desk.notice(LATER)
    assert differences(desk.published(), before) == []
    assert desk.notice(LATER, "Another one.") > size


def test_a_restatement_of_a_later_day_is_not_published_twice(history: list[Desk], tmp_path: Path) -> None:
    """It is informational, so what is in force stays another value; the finding itself is told already."""
    desk = copied(history[2], tmp_path / "desk")
    desk.receive(NEXT_AT, LATER)
    [record] = desk.restate("2026-06-23T09:00:00Z").records
    assert record.stage == "informational"
    before = desk.published()
    with pytest.raises(AnswerIsNo, match="determined again says what is published"):
        desk.restate("2026-06-23T09:00:07Z")
    assert differences(desk.published(), before) == []


def broken_off(work: Callable[[], object], step: str) -> None:
    """Do the work up to a step."""

    def told(one: str) -> None:
        if one == step:
            raise Interrupted

    with watched(told), pytest.raises(Interrupted):
        work()


class Interrupted(BaseException):
    """What the tests break a publication off with."""


def test_what_was_broken_off_is_completed_by_any_command_that_publishes(
    history: list[Desk], tmp_path: Path
) -> None:
    """A rotation is not made twice; a restatement and a publication say that they completed one."""
    after = copied(history[4], tmp_path / "whole")
    after.rotate(LATER)
    for number, command in enumerate(("publish", "restate", "rotate")):
        desk = copied(history[4], tmp_path / str(number))
        broken_off(lambda desk=desk: desk.rotate(LATER), "before a tile")  # type: ignore[misc]
        done: Any = COMMANDS[command](desk, "2026-06-22T15:01:00Z")
        assert done is None or done.resumed
        assert differences(desk.published(), after.published()) == []


def test_a_key_is_there_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    desk = Desk(tmp_path / "desk")
    store = Store.create(desk.store)
    with monkeypatch.context() as patched:
        patched.setattr("mtok.publication.keys.os.write", fail)
        with pytest.raises(OSError, match="No space left"):
            desk.make()
    assert not any((store.path / "keys").iterdir())
    desk.make()


def test_names_of_new_folders_are_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr("mtok.archive.files.sync_folder", synced.append)
    make_folder(tmp_path / "a" / "b" / "c")
    make_folder(tmp_path / "a" / "b" / "c")
    assert synced == [tmp_path, tmp_path / "a", tmp_path / "a" / "b"]


# ---- an older copy


@pytest.mark.parametrize("publications", range(5))
def test_an_older_copy_publishes_nothing_while_the_head_outside_is_there(
    publications: int, history: list[Desk], tmp_path: Path
) -> None:
    desk = copied(history[publications], tmp_path / "desk")
    write_file_of_head(desk, history[-1])
    for command in COMMANDS:
        error = refused(command, desk, "2026-06-22T15:30:00Z", AnswerIsNo)
        assert error.code == "log_behind", command
        assert str(desk.head) in error.found


def write_file_of_head(desk: Desk, other: Desk) -> None:
    """Remember, outside a desk, the head of another one."""
    desk.head.parent.mkdir(exist_ok=True)
    write_file(desk.head, other.head.read_bytes())


def test_without_the_head_outside_an_older_copy_goes_on_with_a_warning_and_others_can_tell(
    history: list[Desk], tmp_path: Path
) -> None:
    desk = copied(history[2], tmp_path / "desk")
    desk.head.unlink()
    done = desk.publish("2026-06-23T15:00:00Z")
    assert done.warning == "no head is remembered outside the store: an older copy would not be noticed"
    assert done.records
    assert desk.publish("2026-06-23T15:00:07Z").warning is None
    assert done.size > Log(history[-1].publication / "log").claimed()[-1]
    write_file_of_head(desk, history[-1])
    assert refused("notice", desk, "2026-06-23T16:00:00Z", AnswerIsNo).code == "log_forked"


def test_a_first_publication_needs_no_head_and_warns_of_nothing(tmp_path: Path) -> None:
    assert first_desk(tmp_path / "desk").publish(FIRST_AT).warning is None


def test_the_head_of_another_log_with_the_same_key_is_a_fork(history: list[Desk], tmp_path: Path) -> None:
    desk, other = (copied(history[1], tmp_path / name) for name in ("desk", "other"))
    desk.notice(LATER, "One.")
    other.notice(LATER, "The other one.")
    write_file_of_head(desk, other)
    for command in COMMANDS:
        error = refused(command, desk, "2026-06-22T15:30:00Z", AnswerIsNo)
        assert error.code == "log_forked", command
        assert str(desk.head) in error.found


@pytest.mark.parametrize("damage", [b"", b"\xff", b"51", b"51 AAAA", b"51 !\n", b"-1 AAAA\n"])
def test_a_damaged_head_outside_is_named(damage: bytes, history: list[Desk], tmp_path: Path) -> None:
    desk = copied(history[1], tmp_path / "desk")
    desk.head.write_bytes(damage)
    for command in COMMANDS:
        error = refused(command, desk, LATER, EnvironmentFailed)
        assert error.code == "head_damaged", command
        assert str(desk.head) in error.found


def forge(desk: Desk, *, heads: bool) -> None:
    """Make another log of the same size, signed by the same key. heads : those of the store too"""
    log = Log(desk.publication / "log")
    size = log.claimed()[-1]
    entries = [entry.replace(b"collector", b"dog") for entry in log.entries(size)]
    tree = Tree(map(leaf_hash, entries))
    (log.folder / bundle_path(0, size)).write_bytes(encode_bundle(entries))
    for tile in tiles_of(size):
        (log.folder / tile_path(*tile)).write_bytes(tile_bytes(tree, *tile))
    text = Checkpoint(origin=ORIGIN, size=size, root=tree.root()).text
    (log.folder / "checkpoint").write_bytes(sign_note(text, KEY))
    for claimed in log.claimed() if heads else []:
        (log.folder / "heads" / str(claimed)).write_bytes(head_line(claimed, tree.root(claimed)))


def test_a_log_that_was_forked_by_hand_is_not_gone_on_with(history: list[Desk], tmp_path: Path) -> None:
    desk = copied(history[3], tmp_path / "desk")
    forge(desk, heads=False)
    error = refused("notice", desk, LATER, EnvironmentFailed)
    assert error.code == "log_forked"
    assert str(desk.publication / "log" / "heads") in error.found
    forge(desk, heads=True)
    assert refused("notice", desk, LATER, AnswerIsNo).code == "log_forked"


@pytest.mark.parametrize("name", ["log/checkpoint", "log/heads/*"])
def test_a_folder_that_is_part_old_and_part_new_is_not_gone_on_with(
    name: str, history: list[Desk], tmp_path: Path
) -> None:
    """An older checkpoint beside newer heads, or none: another head of some size would be claimed and signed."""
    desk = copied(history[3], tmp_path / "desk")
    for path in (desk.head, *desk.publication.glob(name)):
        path.unlink()
    if name == "log/checkpoint":
        assert refused("notice", desk, LATER, EnvironmentFailed).code == "log_torn"
        shutil.copy(history[2].publication / name, desk.publication / name)
        assert refused("notice", desk, LATER, EnvironmentFailed).code == "log_torn"
    else:
        assert refused("notice", desk, LATER, EnvironmentFailed).code == "log_damaged"


def test_a_pending_publication_of_another_size_is_not_completed(history: list[Desk], tmp_path: Path) -> None:
    desk, older = copied(history[3], tmp_path / "desk"), copied(history[1], tmp_path / "older")
    broken_off(lambda: older.notice(LATER, "Once."), "after pending")
    shutil.copytree(older.publication / "pending", desk.publication / "pending", dirs_exist_ok=True)
    assert refused("notice", desk, LATER, EnvironmentFailed).code == "log_torn"


# ---- the clock


def test_a_clock_behind_the_last_publication_refuses_and_within_the_tolerance_time_still_rises(
    history: list[Desk], tmp_path: Path
) -> None:
    desk, published = copied(history[1], tmp_path / "desk"), parse_instant(FIRST_AT)
    for command in COMMANDS:
        early = format_instant(published - 301 * SECOND)
        assert refused(command, desk, early, EnvironmentFailed).code == "clock_behind", command
    desk.notice(format_instant(published - 300 * SECOND))
    assert (
        json.loads((desk.publication / "latest.json").read_text())["known_at"] == "2026-06-21T15:00:00.001Z"
    )


def answered(desk: Desk, captured_at: str, server_date: str, **fields: Any) -> None:
    """Archive an answer with the server's own time."""
    store = Store.open(desk.store)
    response = Response(
        raw=captured_at.encode(),
        captured_at=parse_instant(captured_at),
        kind=KIND_MODELS,
        obtained="a test",
        server_date=parse_instant(server_date),
        **fields,
    )
    with store.writing():
        list(store.archive([response]))


def test_a_clock_that_was_off_the_servers_refuses_until_another_answer_shows_it_right(
    due: tuple[Desk, Content], tmp_path: Path
) -> None:
    desk = copied(due[0], tmp_path / "desk")
    answered(desk, "2026-06-22T14:20:00Z", "2026-06-22T13:20:00Z")
    for command in COMMANDS:
        error = refused(command, desk, NEXT_AT, EnvironmentFailed)
        assert error.code == "clock_wrong", command
        assert "3600 s off, above 300 s" in error.found
    answered(desk, "2026-06-22T14:25:00Z", "2026-06-22T14:20:00Z")
    answered(desk, "2026-06-22T14:26:00Z", "2026-06-22T10:00:00Z", failure="http_status", http_status=503)
    assert desk.publish(NEXT_AT).records


@pytest.mark.parametrize("server_date", ["2026-06-22T14:15:00Z", "2026-06-22T14:25:00Z"])
def test_the_tolerance_of_the_clock_is_that_of_the_policy(
    server_date: str, history: list[Desk], tmp_path: Path
) -> None:
    desk = copied(history[1], tmp_path / "desk")
    answered(desk, "2026-06-22T14:20:00Z", server_date)
    desk.notice(NEXT_AT)
    off = parse_instant(server_date) - parse_instant("2026-06-22T14:20:00Z")
    beyond = parse_instant("2026-06-22T14:21:00Z") + off + (1 if off > 0 else -1)
    answered(desk, "2026-06-22T14:21:00Z", format_instant(beyond))
    assert refused("notice", desk, LATER, EnvironmentFailed).code == "clock_wrong"


# ---- two at once


def test_a_second_publisher_is_refused_and_changes_nothing(due: tuple[Desk, Content], tmp_path: Path) -> None:
    """The first is held up between two steps; then it goes on as if nobody had come."""
    desk = copied(due[0], tmp_path / "desk")
    tried: list[tuple[int, str]] = []

    def told(step: str) -> None:
        if step != "before the head" or tried:
            return
        before = contents(desk.store)
        for command in ("publish", "restate", "notice", "keys"):
            asked = {
                "publish": ("publish",),
                "restate": ("restate", "2026-06-20", "qwen", "--reason", "parser_bug"),
                "notice": ("notice", "incident", "One."),
                "keys": ("keys", "rotate"),
            }[command]
            second = mtok(*asked, "--store", desk.store, "--json", MTOK_HEAD=str(desk.head))
            said, _ = second.communicate(timeout=60)
            tried.append((second.returncode, json.loads(said)["error"]["code"]))
        assert contents(desk.store) == before

    with watched(told):
        desk.publish(NEXT_AT)
    assert set(tried) == {(3, "store_in_use")}
    assert differences(desk.published(), due[1]) == []


# ---- damage


def flip(path: Path, share: int) -> None:
    """Flip a bit of a file, `share` eighths of it in."""
    raw = bytearray(path.read_bytes())
    raw[min(len(raw) - 1, len(raw) * share // 8)] ^= 1
    mode = path.stat().st_mode
    path.chmod(0o600)
    path.write_bytes(raw)
    path.chmod(mode)


READ = {
    "an object": "store/objects/*/*.zst",
    "the register": "store/captures/register.jsonl",
    "a tile": "store/publication/log/tile/0/000.p/*",
    "a bundle": "store/publication/log/tile/entries/000.p/*",
    "the checkpoint": "store/publication/log/checkpoint",
    "a head": "store/publication/log/heads/*",
    "the sums": "store/publication/SHA256SUMS",
    "the key": "store/keys/*.key",
    "the earliest record": "store/publication/records/openai/2026-06-17.0.json",
    "the head outside": "outside/head",
}
"""What a publisher reads."""


@pytest.mark.parametrize("what", READ)
def test_a_flipped_bit_is_found_before_anything_is_signed(
    what: str, due: tuple[Desk, Content], tmp_path: Path
) -> None:
    """And with the file restored the same is published as if nothing had happened."""
    desk = copied(due[0], tmp_path / "desk")
    path = sorted(desk.folder.glob(READ[what]))[0]
    whole, signed = path.read_bytes(), (desk.publication / "log" / "checkpoint").read_bytes()
    heads = Log(desk.publication / "log").claimed()
    for share in (0, 3, 7) if what == "the register" else (0, 3, 5, 8):
        flip(path, share)
        with pytest.raises(MtokError) as caught:
            desk.publish(NEXT_AT)
        assert str(path) in caught.value.found, caught.value
        forked = caught.value.code == "log_forked" and what == "the head outside"
        assert caught.value.exit_status == (1 if forked else 3)
        assert caught.value.code != "internal"
        assert Log(desk.publication / "log").claimed() == heads
        if what != "the checkpoint":
            assert (desk.publication / "log" / "checkpoint").read_bytes() == signed
        path.chmod(0o600)
        path.write_bytes(whole)
        path.chmod(0o400)
    desk.publish("2026-06-22T14:30:07Z" if any(desk.publication.glob("pending/*.json")) else NEXT_AT)
    assert differences(desk.published(), due[1]) == []


@pytest.mark.parametrize(
    "name",
    ["pending/*.json", "records/qwen/2026-06-21.0.json", "log/tile/0/000.p/*", "log/tile/entries/000.p/*"],
)
def test_a_flipped_bit_of_what_was_broken_off_is_found_before_it_is_signed(
    name: str, due: tuple[Desk, Content], tmp_path: Path
) -> None:
    desk = copied(due[0], tmp_path / "desk")
    broken_off(lambda: desk.publish(NEXT_AT), "before the head")
    path = sorted(desk.publication.glob(name))[-1]
    whole = path.read_bytes()
    for share in (0, 4, 8):
        flip(path, share)
        for command in ("publish", "notice"):
            error = refused(command, desk, "2026-06-22T14:31:00Z", EnvironmentFailed)
            assert error.code in {"pending_damaged", "published_differs"}
            assert str(path) in error.found
        path.write_bytes(whole)
    desk.publish("2026-06-22T14:31:00Z")
    assert differences(desk.published(), due[1]) == []


def test_a_record_of_long_ago_is_looked_at_before_the_head_is_claimed(
    history: list[Desk], tmp_path: Path
) -> None:
    """A notice rests on no record, but the series and feeds that are made anew with it do."""
    desk = copied(history[1], tmp_path / "desk")
    path = desk.publication / "records" / "openai" / "2026-06-17.0.json"
    whole = path.read_bytes()
    flip(path, 4)
    for _ in range(2):
        with pytest.raises(EnvironmentFailed) as caught:
            desk.notice(NEXT_AT)
        assert (caught.value.code, str(path) in caught.value.found) == ("publication_damaged", True)
        assert Log(desk.publication / "log").claimed() == Log(history[1].publication / "log").claimed()
    path.write_bytes(whole)
    desk.notice(NEXT_AT)


def test_derived_tables_that_are_damaged_are_made_again(due: tuple[Desk, Content], tmp_path: Path) -> None:
    desk = copied(due[0], tmp_path / "desk")
    for path in (desk.store / "observations").glob("2026-06-*/*.parquet"):
        flip(path, 4)
    desk.publish(NEXT_AT)
    assert differences(desk.published(), due[1]) == []


def test_a_full_tile_is_read_back_too(tmp_path: Path) -> None:
    """Its hashes stand in no partial tile, so that the root alone would not show it."""
    log, entries = Log(tmp_path), [str(number).encode() for number in range(600)]
    log.append(entries, 0)
    assert log.read_back(600).root() == Tree(map(leaf_hash, entries)).root()
    flip(tmp_path / tile_path(0, 1), 4)
    with pytest.raises(EnvironmentFailed, match=str(tmp_path / tile_path(0, 1))):
        log.read_back(600)


def test_without_the_sums_of_the_publications_before_nothing_is_signed(
    history: list[Desk], tmp_path: Path
) -> None:
    desk = copied(history[1], tmp_path / "desk")
    sums = desk.publication / "SHA256SUMS"
    whole = sums.read_bytes()
    sums.unlink()
    with pytest.raises(EnvironmentFailed) as caught:
        desk.notice(LATER)
    assert (caught.value.code, str(sums) in caught.value.found) == ("sums_refused", True)
    assert Log(desk.publication / "log").claimed() == Log(history[1].publication / "log").claimed()
    sums.write_bytes(whole)
    desk.notice(LATER)
    assert b"records/openai/2026-06-17.0.json" in sums.read_bytes()


# ---- a full disk, and folders nobody may write to

FILL = """
import json, pathlib, sys
import killed_publications as killed
with killed.world(pathlib.Path(sys.argv[1]), sys.argv[2]) as world:
    print(json.dumps(killed.fill(world, sys.argv[2], pathlib.Path(sys.argv[3]))))
"""


@pytest.mark.root
@pytest.mark.parametrize("small_disk", ["16m"], indirect=True)
@pytest.mark.parametrize("work", [NOTICE, pytest.param(NEXT, marks=pytest.mark.soak)])
def test_a_disk_that_is_full_after_any_number_of_pages_signs_nothing_it_cannot_complete(
    work: str, small_disk: Path, tmp_path: Path
) -> None:
    filled = in_a_process(FILL, tmp_path, work, small_disk)
    assert filled["broken"] == []
    assert filled["refused"] == filled["pages"] > 8


@pytest.mark.root
@pytest.mark.parametrize("small_disk", ["16m"], indirect=True)
@pytest.mark.parametrize("which", ["publication", "outside"])
def test_a_folder_that_cannot_be_written_refuses_and_with_it_writable_the_same_is_completed(
    which: str, small_disk: Path, due: tuple[Desk, Content], tmp_path: Path
) -> None:
    """The publication, or where the head is remembered, on a file system of its own that is read-only."""
    desk = copied(due[0], tmp_path / "desk")
    folder = desk.publication if which == "publication" else desk.head.parent
    shutil.copytree(folder, small_disk / "copy")
    shutil.rmtree(folder)
    folder.symlink_to(small_disk / "copy")
    signed = (desk.publication / "log" / "checkpoint").read_bytes()

    def remount(how: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{how}", small_disk], check=True)

    remount("ro")
    try:
        with pytest.raises(OSError, match="Read-only") as caught:
            desk.publish(NEXT_AT)
        assert str(folder) in str(caught.value.filename)
        assert (desk.publication / "log" / "checkpoint").read_bytes() == signed
    finally:
        remount("rw")
    desk.publish("2026-06-22T14:30:07Z" if which == "outside" else NEXT_AT)
    assert differences(desk.published(), due[1]) == []
