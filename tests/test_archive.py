"""The archive: evidence is written once, whole, by one writer, and what was touched afterwards is named.

Interruptions are real: a child kills itself with SIGKILL between two of the calls it makes while it imports, and a
small tmpfs runs full. Whatever happened, the same import again must give the store that nobody ever interrupted.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict

import mtok
from mtok.archive import (
    KIND_MODELS,
    PRIMARY,
    Capture,
    Collector,
    Objects,
    Register,
    Response,
    Store,
    StoreParameters,
)
from mtok.calendar import format_instant, parse_date, parse_instant
from mtok.canonical import canonical_bytes, sha256_hex
from mtok.errors import BadCall, BadInput, EnvironmentFailed

FIRST = parse_instant("2026-06-18T00:00:00Z")
LONG = settings.get_current_profile_name() == "long"
SEVERAL_COMMITS = 150
"""Responses of an import that commits more than once: the store commits every 64."""


def noise(number: int, length: int) -> bytes:
    """Return bytes that do not compress, the same for the same number."""
    blocks = (hashlib.sha256(f"{number}/{block}".encode()).digest() for block in range(length // 32 + 1))
    return b"".join(blocks)[:length]


def responses(count: int, length: int = 300) -> list[Response]:
    """Return distinct responses, a minute apart."""
    return [
        Response(
            raw=noise(number, length),
            captured_at=FIRST + number * 60_000_000,
            kind=KIND_MODELS,
            obtained=f"test {number}",
        )
        for number in range(count)
    ]


def archive(path: Path, market: list[Response]) -> list[bool]:
    """Import into the store at `path`, made where it is missing; return for each response whether it was new."""
    store = Store.create(path)
    with store.writing():
        return [new for _, new in store.archive(market)]


def contents(path: Path) -> dict[str, bytes]:
    """Return every file of a store but the lock, which names the process that wrote last."""
    files = (file for file in path.rglob("*") if file.is_file() and file.name != "lock")
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in files}


def uninterrupted(path: Path, market: list[Response]) -> dict[str, bytes]:
    """Return what a store holds after one import that nobody disturbed."""
    assert all(archive(path, market))
    found = contents(path)
    assert len(found) == len(market) + 2  # the objects, store.json, the register
    return found


def caught(call: Callable[..., bytes], *arguments: object) -> bytes | EnvironmentFailed:
    """Return what a call returns, or the error it raises."""
    try:
        return call(*arguments)
    except EnvironmentFailed as error:
        return error


def assert_sound(path: Path) -> int:
    """Return how many captures are registered; fail unless each can be read back."""
    if not (path / "store.json").exists():
        return 0
    store = Store.open(path)
    captures = store.register.read()
    for capture in captures:
        assert len(store.objects.get(capture.sha256)) == capture.bytes
    return len(captures)


# ---- objects


@given(st.binary(max_size=2_000))
@example(b"")
def test_an_object_is_found_by_the_sha256_of_its_content(raw: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        objects = Objects(Path(folder) / "objects")
        sha256 = objects.put(raw)
        assert sha256 == hashlib.sha256(raw).hexdigest()
        assert objects.get(sha256) == raw
        assert objects.path(sha256) == Path(folder) / "objects" / sha256[:2] / f"{sha256}.zst"


def test_an_object_is_written_once(tmp_path: Path) -> None:
    objects = Objects(tmp_path)
    path = objects.path(objects.put(b"evidence"))
    before = path.stat()
    assert Objects(tmp_path).put(b"evidence") == sha256_hex(b"evidence")
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_missing_object_is_named(tmp_path: Path) -> None:
    objects = Objects(tmp_path)
    sha256 = objects.put(b"evidence")
    objects.path(sha256).unlink()
    with pytest.raises(
        EnvironmentFailed, match=f"object {sha256} is in the register but not at {tmp_path}"
    ) as caught:
        objects.get(sha256)
    assert (caught.value.code, bool(caught.value.remedy)) == ("object_missing", True)


def test_a_flip_of_any_bit_of_an_object_is_noticed_or_harmless(tmp_path: Path) -> None:
    """Harmless is a bit that no reader of zstd looks at; whatever is returned is the content, to the byte."""
    objects = Objects(tmp_path)
    sha256 = objects.put(b"evidence, evidence, evidence, and more of it")
    sound = objects.path(sha256).read_bytes()
    noticed = 0
    for bit in range(len(sound) * 8):
        flipped = bytearray(sound)
        flipped[bit // 8] ^= 1 << bit % 8
        objects.path(sha256).write_bytes(flipped)
        found = caught(objects.get, sha256)
        if isinstance(found, EnvironmentFailed):
            assert (found.code, sha256 in found.found) == ("object_damaged", True)
            noticed += 1
        else:
            assert sha256_hex(found) == sha256
    assert noticed > len(sound) * 7


def _cut(sound: bytes) -> bytes:
    return sound[: len(sound) // 2]


def _emptied(_: bytes) -> bytes:
    return b""


def _swapped(_: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(b"other evidence")


def _claims_a_terabyte(sound: bytes) -> bytes:
    """A frame header whose content size, in eight bytes, is 2⁴⁰ (RFC 8878, 3.1.1.1)."""
    return sound[:4] + bytes([0b1110_0000]) + (2**40).to_bytes(8, "little") + sound[6:]


@pytest.mark.parametrize("damage", [_cut, _emptied, _swapped, _claims_a_terabyte])
def test_a_damaged_object_is_named_and_the_remedy_works(
    damage: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    """The remedy in the message: delete that file and import the same response again."""
    market = responses(3)
    expected = uninterrupted(tmp_path, market)
    store = Store.open(tmp_path)
    sha256 = sha256_hex(market[1].raw)
    path = store.objects.path(sha256)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(EnvironmentFailed, match=f"object {sha256} at {path} is damaged") as caught:
        store.objects.get(sha256)
    assert caught.value.code == "object_damaged"
    assert "Delete that file and import the same response again" in caught.value.remedy
    path.unlink()
    assert archive(tmp_path, market) == [False, False, False]
    assert contents(tmp_path) == expected


# ---- the register


def test_captures_are_read_back_as_they_were_registered(tmp_path: Path) -> None:
    register = Register(tmp_path / "captures" / "register.jsonl")
    bare = Capture(
        captured_at=format_instant(FIRST), collector="a", kind="models", sha256="0" * 64, bytes=0, obtained=""
    )
    full = Capture(
        captured_at=format_instant(FIRST + 1),
        collector="b",
        kind="rankings-daily",
        sha256="f" * 64,
        bytes=2**40,
        obtained='file "é\n\u2028".json',
        volume_source="pages",
        origin="table",
        origin_sha256="e" * 64,
    )
    assert register.read() == []
    register.append([bare])
    register.append([full, bare])
    found = [
        {field: getattr(capture, field) for field in Capture.__struct_fields__} for capture in register.read()
    ]
    assert found == [asdict(bare), asdict(full), asdict(bare)]
    assert full.instant == FIRST + 1


@pytest.fixture
def lines(tmp_path: Path) -> list[bytes]:
    """The lines of a register of five captures at `tmp_path`."""
    archive(tmp_path, responses(5))
    return (tmp_path / "captures" / "register.jsonl").read_bytes().splitlines(keepends=True)


def damaged(path: Path, lines: list[bytes]) -> int:
    """Write the lines and return the number of the line that the register is said to be damaged at."""
    file = path / "captures" / "register.jsonl"
    file.write_bytes(b"".join(lines))
    with pytest.raises(EnvironmentFailed, match=rf"line \d+ of {file} is damaged") as caught:
        Store.open(path).register.read()
    assert (caught.value.code, bool(caught.value.remedy)) == ("register_damaged", True)
    return int(caught.value.found.split()[1])


def test_the_first_line_follows_from_nothing_and_each_other_from_the_one_before(lines: list[bytes]) -> None:
    digests = ["0" * 64, *(hashlib.sha256(line.removesuffix(b"\n")).hexdigest() for line in lines)]
    assert [json.loads(line)["previous"] for line in lines] == digests[:-1]


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_changed_line_is_found_at_the_line_that_follows(
    number: int, tmp_path: Path, lines: list[bytes]
) -> None:
    """The next line names the digest of what stood there; the last line has no next, so nothing vouches for it yet."""
    lines[number - 1] = lines[number - 1].replace(b'"obtained":"test', b'"obtained":"Test')
    assert damaged(tmp_path, lines) == number + 1


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_dropped_line_is_found_where_it_stood(number: int, tmp_path: Path, lines: list[bytes]) -> None:
    del lines[number - 1]
    assert damaged(tmp_path, lines) == number


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_an_inserted_line_is_found(number: int, tmp_path: Path, lines: list[bytes]) -> None:
    """A copy does not follow from the line above; a forged one does, but the line below does not follow from it."""
    copied = [*lines[: number - 1], lines[-1 if number < 5 else 0], *lines[number - 1 :]]
    assert damaged(tmp_path, copied) == number
    forged = json.loads(lines[number - 1]) | {"obtained": "forged"}
    inserted = [*lines[: number - 1], canonical_bytes(forged) + b"\n", *lines[number - 1 :]]
    assert damaged(tmp_path, inserted) == number + 1


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_two_lines_in_another_order_are_found(number: int, tmp_path: Path, lines: list[bytes]) -> None:
    lines[number - 1], lines[number] = lines[number], lines[number - 1]
    assert damaged(tmp_path, lines) == number


@pytest.mark.parametrize(
    "content",
    [
        b"{}",
        b"",
        b"null",
        b"not json",
        b'{"captured_at": 5}',
        b"\xff",
        b'{"captured_at":"18 June 2026","collector":"a","kind":"models","sha256":"%b","bytes":"1",'
        b'"obtained":"","previous":"%b"}' % (b"0" * 64, b"0" * 64),
    ],
    ids=["empty object", "blank", "null", "no JSON", "wrong types", "no UTF-8", "no instant"],
)
def test_a_line_that_is_no_capture_is_named(content: bytes, tmp_path: Path, lines: list[bytes]) -> None:
    assert damaged(tmp_path, [content + b"\n"]) == 1
    assert damaged(tmp_path, [*lines[:3], content + b"\n", *lines[3:]]) == 4


def test_a_torn_last_line_is_passed_over_and_cut_off_by_the_next_writer(tmp_path: Path) -> None:
    market = responses(4)
    expected = uninterrupted(tmp_path / "whole", market)
    archive(tmp_path / "torn", market[:3])
    file = tmp_path / "torn" / "captures" / "register.jsonl"
    whole = file.read_bytes()
    for tail in (b"{", b'{"bytes":"300","captured_at":"2026-', b"\xff" * 10_000):
        file.write_bytes(whole + tail)
        assert len(Store.open(tmp_path / "torn").register.read()) == 3
        assert file.read_bytes() == whole + tail, "a reader changes nothing"
        with Store.open(tmp_path / "torn").writing():
            Register(file).append([])
        assert file.read_bytes() == whole
    file.write_bytes(whole + b"{")
    assert archive(tmp_path / "torn", market) == [False, False, False, True]
    assert contents(tmp_path / "torn") == expected


@settings(deadline=None)
@given(st.integers(0, 10**6))
@example(0)
def test_a_register_cut_anywhere_is_completed_by_the_same_import(where: int) -> None:
    """A power cut may keep any part of what was appended since the last sync."""
    market = responses(3)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        expected = uninterrupted(path, market)
        file = path / "captures" / "register.jsonl"
        whole = file.read_bytes()
        file.write_bytes(whole[: where % (len(whole) + 1)])
        kept = file.read_bytes().count(b"\n")
        assert assert_sound(path) == kept
        assert archive(path, market) == [False] * kept + [True] * (3 - kept)
        assert contents(path) == expected


# ---- the store


def test_the_same_import_again_changes_nothing(tmp_path: Path) -> None:
    market = responses(SEVERAL_COMMITS)
    expected = uninterrupted(tmp_path, market)
    assert not any(archive(tmp_path, market))
    assert contents(tmp_path) == expected


def test_a_response_given_twice_is_one_capture_and_at_another_time_another(tmp_path: Path) -> None:
    [response] = responses(1)
    later = Response(
        raw=response.raw, captured_at=response.captured_at + 1, kind=KIND_MODELS, obtained="again"
    )
    assert archive(tmp_path, [response, response, later]) == [True, False, True]
    captures = Store.open(tmp_path).register.read()
    assert [capture.captured_at for capture in captures] == [
        "2026-06-18T00:00:00Z",
        "2026-06-18T00:00:00.000001Z",
    ]
    assert len(list((tmp_path / "objects").rglob("*.zst"))) == 1


def test_what_comes_before_a_response_that_fails_is_kept(tmp_path: Path) -> None:
    """A source that breaks down after two responses costs those that follow only."""

    def source() -> Iterator[Response]:
        yield from responses(2)
        raise OSError(errno.EIO, "the source broke down")

    store = Store.create(tmp_path)
    with pytest.raises(OSError, match="the source broke down"), store.writing():
        list(store.archive(source()))
    assert assert_sound(tmp_path) == 2


def test_a_store_that_is_missing_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(BadCall, match="does not exist") as caught:
        Store.open(tmp_path / "gone")
    assert (caught.value.code, bool(caught.value.remedy)) == ("store_missing", True)
    with pytest.raises(BadCall, match=r"is not a store \(it has no store\.json\)"):
        Store.open(tmp_path)


def test_a_store_is_made_in_a_new_or_empty_folder_only(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "to my love.txt").write_text("…")
    (tmp_path / "file").write_text("…")
    for name in ("letters", "file"):
        with pytest.raises(BadCall, match="exists and is not a store") as caught:
            Store.create(tmp_path / name)
        assert caught.value.code == "store_not_empty"
    assert [path.name for path in (tmp_path / "letters").iterdir()] == ["to my love.txt"]
    (tmp_path / "empty").mkdir()
    for name in ("empty", "new/and/deep"):
        assert Store.create(tmp_path / name).parameters == StoreParameters()


def test_creating_a_store_that_exists_leaves_its_parameters_alone(tmp_path: Path) -> None:
    parameters = StoreParameters(
        collectors=(
            Collector(collector=PRIMARY, rank=1, first="2026-06-01"),
            Collector(collector="other", rank=2),
        ),
        complete_volume_sources=("pages",),
    )
    Store.create(tmp_path).write_parameters(parameters)
    assert Store.create(tmp_path).parameters == parameters


def test_a_store_whose_making_was_interrupted_is_made(tmp_path: Path) -> None:
    (tmp_path / ".store.json.tmp").write_bytes(b'{"coll')
    Store.create(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lock", "store.json"]


def test_the_next_writer_sweeps_up_what_an_interrupted_one_left(tmp_path: Path) -> None:
    expected = uninterrupted(tmp_path, responses(1))
    (tmp_path / "objects" / "ab").mkdir(exist_ok=True)
    for name in (".store.json.tmp", "objects/ab/.abcd.zst.tmp", "captures/.x.tmp"):
        (tmp_path / name).write_bytes(b"half")
    (tmp_path / "notes.tmp").write_bytes(b"mine")
    with Store.open(tmp_path).writing():
        pass
    assert contents(tmp_path) == expected | {"notes.tmp": b"mine"}


# ---- parameters: store.json


def parameters(**content: Any) -> bytes:
    """Return a store.json."""
    return json.dumps({"format": "mtok-store-1", **content}).encode()


def entry(collector: str, rank: object, first: str | None = None, last: str | None = None) -> dict[str, Any]:
    """Return an entry of `collectors`."""
    return {"collector": collector, "rank": rank, "first": first, "last": last}


@pytest.mark.parametrize(
    ("content", "code", "found"),
    [
        (
            b'{"format": "mtok-store-2"}',
            "store_format",
            "format 'mtok-store-2'; this program reads 'mtok-store-1'",
        ),
        (b'{"format": "mtok-store-2", "collectors": {"a": 1}}', "store_format", "mtok-store-2"),
        (b'{"format": 1}', "store_parameters", "format"),
        (b"", "store_parameters", "truncated"),
        (b"[]", "store_parameters", "array"),
        (b"\xff", "store_parameters", ""),
        (
            parameters(collectors=[entry("a", 1), entry("b", 1)]),
            "store_parameters",
            "'a' (rank 1) and 'b' (rank 1)",
        ),
        (
            parameters(collectors=[entry("a", 1), entry("a", 2)]),
            "store_parameters",
            "'a' (rank 1) and 'a' (rank 2)",
        ),
        (
            parameters(collectors=[entry("a", 1, last="2026-06-10"), entry("b", 1, "2026-06-10")]),
            "store_parameters",
            "cannot both be in force on one day",
        ),
        (parameters(collectors=[entry("a", 1, "2026-02-30")]), "store_parameters", "day is out of range"),
        (
            parameters(collectors=[entry("a", 1, last="10.6.2026")]),
            "store_parameters",
            "not a date YYYY-MM-DD",
        ),
        (
            parameters(collectors=[entry("a", 1, "2026-06-11", "2026-06-10")]),
            "store_parameters",
            "collector 'a'",
        ),
        (parameters(collectors=[entry("a", 0)]), "store_parameters", "rank 0"),
        (parameters(collectors=[entry("a", "first")]), "store_parameters", "rank"),
        (parameters(collectors=[{"collector": "a"}]), "store_parameters", "rank"),
        (parameters(complete_volume_source=["pages"]), "store_parameters", "complete_volume_source"),
        (parameters(collectors=[entry("a", 1) | {"archiv": True}]), "store_parameters", "archiv"),
    ],
)
def test_parameters_that_cannot_be_read_are_an_error_that_says_why(
    content: bytes, code: str, found: str, tmp_path: Path
) -> None:
    """A misspelt name is an error too: left out silently it would change values."""
    Store.create(tmp_path)
    (tmp_path / "store.json").write_bytes(content)
    with pytest.raises(BadInput) as caught:
        Store.open(tmp_path)
    assert caught.value.code == code
    assert str(tmp_path / "store.json") in caught.value.found
    assert found in caught.value.found
    assert caught.value.remedy


def test_a_rank_may_pass_from_one_collector_to_another(tmp_path: Path) -> None:
    content = parameters(
        collectors=[entry("a", 1, last="2026-06-10"), entry("b", "1", "2026-06-11"), entry("c", 2)]
    )
    Store.create(tmp_path)
    (tmp_path / "store.json").write_bytes(content)
    found = Store.open(tmp_path).parameters

    def ranks(date: str) -> list[int | None]:
        entries = [found.in_force(name, parse_date(date)) for name in ("a", "b", "c", "d")]
        return [one.rank if one else None for one in entries]

    assert ranks("2026-06-10") == [1, None, 2, None]
    assert ranks("2026-06-11") == [None, 1, 2, None]


def test_parameters_are_written_as_canonical_json(tmp_path: Path) -> None:
    store = Store.create(tmp_path)
    store.write_parameters(
        StoreParameters(collectors=(Collector(collector="a", rank=2, first="2026-06-01", archive=True),))
    )
    assert (tmp_path / "store.json").read_bytes() == (
        b'{"collectors":[{"archive":true,"collector":"a","first":"2026-06-01","rank":"2"}],'
        b'"complete_volume_sources":[],"format":"mtok-store-1"}\n'
    )


# ---- one writer


def test_a_store_is_made_by_one_of_two_that_begin_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second comes when the first has written `store.json` under its temporary name."""
    refused: list[str] = []
    fsync = os.fsync

    def interfere(handle: int) -> None:
        monkeypatch.setattr(os, "fsync", fsync)
        fsync(handle)
        with pytest.raises(EnvironmentFailed) as caught:
            Store.create(tmp_path)
        refused.append(caught.value.code)

    monkeypatch.setattr(os, "fsync", interfere)
    store = Store.create(tmp_path)
    assert refused == ["store_in_use"]
    assert store.parameters == StoreParameters()
    assert archive(tmp_path, responses(1)) == [True]


HOLDER = """
import sys
from pathlib import Path
from mtok.archive import Store
with Store.open(Path(sys.argv[1])).writing():
    print("held", flush=True)
    sys.stdin.read()
"""


def child(program: str, *arguments: str) -> subprocess.Popen[str]:
    """Start another Python that can import what this one can."""
    paths = [str(Path(mtok.__file__).parents[1]), str(Path(__file__).parent)]
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_second_writer_is_refused_at_once_and_told_who_writes(tmp_path: Path) -> None:
    market = responses(2)
    archive(tmp_path, market[:1])
    with child(HOLDER, str(tmp_path)) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        before = contents(tmp_path)
        with pytest.raises(EnvironmentFailed, match=f"is in use by process {holder.pid}\n") as caught:
            archive(tmp_path, market)
        assert (caught.value.code, bool(caught.value.remedy)) == ("store_in_use", True)
        assert contents(tmp_path) == before
        assert len(Store.open(tmp_path).register.read()) == 1, "a reader needs no lock"
        holder.communicate("")
    assert archive(tmp_path, market) == [False, True]


def test_a_writer_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    archive(tmp_path, [])
    with child(HOLDER, str(tmp_path)) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        holder.kill()
        holder.wait()
    assert archive(tmp_path, responses(1)) == [True]


# ---- interruptions


def interrupted(folder: str, count: str) -> None:
    """In a child: import into one store after the other, killed before the calls that stdin lists.

    A line of stdin has the name of a store and the number of the call before which SIGKILL comes, or -1. Written is
    a line for each: the number of calls made, or that it was killed.
    """
    market = responses(int(count))
    for line in sys.stdin:
        name, point = line.split()
        receiving, sending = os.pipe()
        process = os.fork()
        if not process:
            calls = killed_before(int(point))
            archive(Path(folder) / name, market)
            sys.setprofile(None)
            os.write(sending, str(next(calls)).encode())
            os._exit(0)
        os.close(sending)
        _, status = os.waitpid(process, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        print("killed" if killed else os.read(receiving, 32).decode() or "failed", flush=True)
        os.close(receiving)


def killed_before(point: int) -> Iterator[int]:
    """Count every call and return from now on, of Python and of C, and die before one of them."""
    calls = itertools.count()

    def count(*_: object) -> None:
        if next(calls) == point:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)
    return calls


class Interrupter:
    """Imports `count` responses in a child, over and over, and kills them."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder = folder
        self._child = child(
            "import sys, test_archive; test_archive.interrupted(*sys.argv[1:])", str(folder), str(count)
        )

    def run(self, name: str, point: int = -1) -> str:
        """Import into a store, killed before a call; return `killed` or how many calls it took."""
        assert self._child.stdin
        assert self._child.stdout
        self._child.stdin.write(f"{name} {point}\n")
        self._child.stdin.flush()
        return self._child.stdout.readline().strip()

    def end(self) -> None:
        """End the child."""
        self._child.communicate("")


@pytest.fixture
def interrupter(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Interrupter]:
    """An interrupter of imports of as many responses as the parameter says."""
    started = Interrupter(tmp_path, request.param)
    yield started
    started.end()


@pytest.mark.parametrize("interrupter", [2], indirect=True)
def test_an_import_killed_before_any_of_its_calls_is_completed_by_the_same_import(
    interrupter: Interrupter, tmp_path: Path
) -> None:
    """Every eleventh call of a small import, the making of the store included; every one in the long run."""
    market = responses(2)
    expected = uninterrupted(tmp_path / "whole", market)
    stages = set()
    for point in itertools.count(step=1 if LONG else 11):
        if interrupter.run(str(point), point) != "killed":
            assert contents(tmp_path / str(point)) == expected
            break
        stages.add(frozenset(contents(tmp_path / str(point))))
        assert assert_sound(tmp_path / str(point)) <= 2
        archive(tmp_path / str(point), market)
        assert contents(tmp_path / str(point)) == expected
    assert len(stages) >= 8, "kills were to come between the eight files and folders that appear one by one"


@pytest.mark.parametrize("interrupter", [SEVERAL_COMMITS], indirect=True)
def test_an_import_killed_again_and_again_at_random_is_completed_by_the_same_import(
    interrupter: Interrupter, tmp_path: Path
) -> None:
    """Twenty kills, two of each store, drawn once and for all; two hundred in the long run."""
    market = responses(SEVERAL_COMMITS)
    expected = uninterrupted(tmp_path / "whole", market)
    calls = int(interrupter.run("counted"))
    stores = 100 if LONG else 10
    draw = random.Random(20260618)
    registered = set()
    for number in range(stores):
        name = str(number)
        assert interrupter.run(name, (number * calls + draw.randrange(calls)) // stores) == "killed"
        interrupter.run(name, draw.randrange(calls // 2))
        registered.add(assert_sound(tmp_path / name))
        archive(tmp_path / name, market)
        assert contents(tmp_path / name) == expected
    assert len(registered) > 2, "the kills were not spread over the commits"


@pytest.mark.parametrize("left_behind", [False, True], ids=["new", "left behind by an interrupted import"])
def test_a_capture_is_registered_after_every_name_on_the_way_to_its_object_is_durable(
    left_behind: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a power cut keeps is what was synced: seen through the calls of fsync, in their order."""
    market = responses(5)
    store = Store.create(tmp_path)
    if left_behind:
        for response in market:
            store.objects.put(response.raw)
    kept: dict[Path, set[str]] = {}
    registrations: list[set[Path]] = []
    fsync = os.fsync

    def durable() -> set[Path]:
        found, pending = set(), [tmp_path]
        while pending:
            folder = pending.pop()
            found |= {folder / name for name in kept.get(folder, ())}
            pending += [folder / name for name in kept.get(folder, ()) if (folder / name).is_dir()]
        return found

    def noted(handle: int) -> None:
        fsync(handle)
        inode = os.fstat(handle).st_ino
        for path in [tmp_path, *tmp_path.rglob("*")]:
            if path.stat().st_ino == inode and path.is_dir():
                kept[path] = {member.name for member in path.iterdir()}
            elif path.stat().st_ino == inode and path.name == "register.jsonl":
                registrations.append(durable())

    monkeypatch.setattr(os, "fsync", noted)
    archive(tmp_path, market)
    objects = set((tmp_path / "objects").rglob("*.zst"))
    assert len(objects) == 5
    assert [objects - one for one in registrations] == [set()]
    assert tmp_path / "captures" / "register.jsonl" in durable()


# ---- a full disk


def assert_nothing_torn(path: Path) -> None:
    """Fail unless what is there is whole: no temporary files, whole lines, every capture readable."""
    assert_sound(path)
    assert not list(path.rglob(".*.tmp"))
    register = path / "captures" / "register.jsonl"
    assert not register.exists() or register.read_bytes()[-1:] in (b"", b"\n")


@pytest.mark.root
def test_an_import_that_fills_the_disk_fails_clearly_and_is_completed_on_a_larger_one(
    small_disk: Path, tmp_path: Path
) -> None:
    market = responses(SEVERAL_COMMITS, length=4_000)
    expected = uninterrupted(tmp_path / "whole", market)
    with pytest.raises(OSError) as caught:
        archive(small_disk / "store", market)
    assert caught.value.errno == errno.ENOSPC
    assert_nothing_torn(small_disk / "store")
    assert len(Store.open(small_disk / "store").register.read()) < SEVERAL_COMMITS
    subprocess.run(["mount", "-o", "remount,size=4m", small_disk], check=True)
    archive(small_disk / "store", market)
    assert contents(small_disk / "store") == expected


@pytest.mark.root
def test_a_disk_that_is_full_after_any_number_of_pages_tears_nothing(
    small_disk: Path, tmp_path: Path
) -> None:
    """From no free page to enough of them: the store, each object and each page of the register meet the end."""
    subprocess.run(["mount", "-o", "remount,size=4m", small_disk], check=True)
    market = responses(SEVERAL_COMMITS, length=100)
    expected = uninterrupted(tmp_path / "whole", market)
    ballast, refused = small_disk / "ballast", 0
    for pages in itertools.count():
        path = small_disk / str(pages)
        with ballast.open("wb") as file:
            free = os.statvfs(small_disk)
            os.posix_fallocate(file.fileno(), 0, max(free.f_bfree - pages, 1) * free.f_frsize)
        complete = True
        try:
            archive(path, market)
        except OSError as error:
            complete = False
            refused += error.errno == errno.ENOSPC
        assert_nothing_torn(path)
        ballast.unlink()
        archive(path, market)
        assert contents(path) == expected
        subprocess.run(["rm", "-r", path], check=True)
        if complete:
            break
    assert refused == pages > SEVERAL_COMMITS
