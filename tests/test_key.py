"""The key of OpenRouter appears nowhere: real commands with a canary for a key, against replays that misbehave.

Each command runs in a process of its own, in an empty folder that is its home and its place for temporary files.
Searched afterwards are: what it said, how it was called, every file it left (objects and tables of the store unpacked),
and everything the replay has to say. A second server, which redirects lead to, must not have been asked at all.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue

import pyarrow.parquet as pq
import pytest
import zstandard

from mtok.archive import Store
from mtok.replay.modes import statuses, wire
from replayed import SECONDS_MAX, Replay, mtok, write_recording

AT = "2026-06-20T12:00:00Z"
"""What time it is for the commands: at midnight there are no rankings yet, whose question carries the key."""

CANARY = "sk-or-v1-5CaNaRy7f29c0d4e81b6a35"
TRACES = [
    CANARY.encode(),
    b"5canary7",
    base64.b64encode(CANARY.encode()).rstrip(b"="),
    CANARY[::-1].encode(),
    CANARY.encode().hex().encode(),
]
"""The key, a part of it in whatever case, and ways to write it that are read at a glance."""

SECONDS = {"hang": 1, "slow_body": 1, "http_429": 1, "http_429_date": 1, "http_503": 1}
"""The values of the faults that take a while, seconds."""

BODIES = ("html_200", "empty_body", "gzip", "gzip_cut", "gzip_bomb", "header_flood")
FAULTS = [*statuses.MODES, *wire.MODES, *BODIES]
TURNS = [("collect", "json"), ("collect", "people"), ("collect", "json"), ("run", "people")]
AT_ONCE = 4


def traces(raw: bytes) -> list[bytes]:
    """Return which traces of the key are in some bytes, in whatever case they are written."""
    return [trace for trace in TRACES if trace.lower() in raw.lower()]


def everything(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every file below a folder by name, as it is and as it reads: objects unpacked, tables as text."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        yield f"the name {name}", name.encode()
        if not path.is_file():
            continue
        yield name, path.read_bytes()
        if path.suffix == ".zst":
            yield f"{name}, unpacked", zstandard.ZstdDecompressor().decompress(path.read_bytes())
        elif path.suffix == ".parquet":
            yield f"{name}, as text", repr(pq.read_table(path).to_pydict()).encode()


@dataclass(kw_only=True)
class Ran:
    """A command that ran. seen : everything it can have told the key to, by name"""

    status: int
    folder: Path
    requests: list[dict[str, object]]
    seen: dict[str, bytes] = field(default_factory=dict)

    @property
    def leaks(self) -> list[str]:
        """Where a trace of the key was found."""
        return [name for name, raw in self.seen.items() if traces(raw)]


def run(folder: Path, replay: Replay, *arguments: str, key: str = CANARY, **environment: str) -> Ran:
    """Run a command in an empty folder with the key in its environment, and gather what can be seen of it."""
    folder.mkdir()
    before = len(replay.get("requests"))
    process = mtok(
        *arguments,
        "--store",
        folder / "store",
        "--url",
        replay.url,
        "--at",
        AT,
        OPENROUTER_API_KEY=key,
        HOME=str(folder),
        TMPDIR=str(folder),
        **environment,
    )
    called = Path(f"/proc/{process.pid}/cmdline").read_bytes()
    said, told = process.communicate(timeout=SECONDS_MAX)
    requests = replay.get("requests")[before:]
    seen = {"standard output": said, "standard error": told, "the command line": called}
    seen |= {f"the replay's {what}": replay.raw(what) for what in ("requests", "state")}
    seen |= dict(everything(folder))
    return Ran(status=process.returncode, folder=folder, requests=requests, seen=seen)


@dataclass(frozen=True, kw_only=True)
class Runs:
    """What came of each fault. said : by the replays · elsewhere : how often the other server was asked"""

    by_fault: dict[str, Ran]
    said: bytes
    elsewhere: int


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recorded market, as of one noon."""
    return write_recording(tmp_path_factory.mktemp("recorded") / "recording", AT)


@pytest.fixture(scope="module")
def runs(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Every fault of the transport met once by the request that carries the key; a few commands run at a time."""
    folder = tmp_path_factory.mktemp("runs")
    with Replay(recording, at=AT) as elsewhere:
        replays = [Replay(recording, at=AT) for _ in range(AT_ONCE)]
        free: SimpleQueue[Replay] = SimpleQueue()
        for replay in replays:
            free.put(replay)

        def meet(number: int, fault: str) -> Ran:
            command, form = TURNS[number % len(TURNS)]
            value = (
                elsewhere.url.removesuffix("/api/v1") if fault == "redirect_elsewhere" else SECONDS.get(fault)
            )
            replay = free.get()
            # A loop of redirects is over when it has been followed often enough; what else fails is asked again.
            times = {} if fault == "redirect_loop" else {"times": 1}
            replay.put("faults", [{"name": fault, "on": "rankings-daily", "value": value, **times}])
            debug = {"MTOK_DEBUG": "1"} if number % 3 == 0 else {}
            ran = run(folder / fault, replay, command, "--log", form, **debug)
            free.put(replay)
            return ran

        with ThreadPoolExecutor(AT_ONCE) as pool:
            ran = list(pool.map(meet, range(len(FAULTS)), FAULTS))
        for replay in replays:
            replay.__exit__(None, None, None)
        asked = elsewhere.get("state")["requests"]
    said = b"".join(replay.said for replay in replays) + elsewhere.said
    return Runs(by_fault=dict(zip(FAULTS, ran, strict=True)), said=said, elsewhere=asked)


@pytest.mark.parametrize("fault", FAULTS)
def test_no_fault_of_the_transport_brings_the_key_out(fault: str, runs: Runs) -> None:
    ran = runs.by_fault[fault]
    assert ran.leaks == []
    met = [request for request in ran.requests if fault in str(request["fault"]).split("+")]
    assert met, "the fault was to act on a request"
    assert met[0]["authorized"], "the request was to carry the key"
    assert {"standard output", "store/store.json", "store/captures/register.jsonl"} <= ran.seen.keys()
    assert any(name.endswith(".zst, unpacked") for name in ran.seen)
    assert any(name.endswith("captures.parquet, as text") for name in ran.seen)
    assert ran.status in (0, 3)


def test_no_fault_passed_by_unseen(runs: Runs) -> None:
    """Each run is one whose attempts were logged and kept; those that help themselves end well."""
    for fault, ran in runs.by_fault.items():
        lines = len(Store.open(ran.folder / "store").register.read())
        assert ran.seen["standard error"].count(b"attempt") == lines >= 2, fault
    ended = {fault for fault, ran in runs.by_fault.items() if ran.status == 3}
    final = {"http_401", "http_403_html", "redirect_elsewhere", "redirect_loop"}
    assert final <= ended


def test_where_a_redirect_leads_nobody_asks(runs: Runs) -> None:
    assert runs.elsewhere == 0


def test_the_replays_say_nothing_of_it(runs: Runs) -> None:
    assert not traces(runs.said)


def test_a_run_that_breaks_down_shows_no_key_even_when_asked_for_everything(
    recording: Path, tmp_path: Path
) -> None:
    """A defect in the middle of a request with the key, shown with MTOK_DEBUG=1: the traceback has no values."""
    (tmp_path / "defect").mkdir()
    (tmp_path / "defect" / "sitecustomize.py").write_text(
        "import mtok.sources.attempts as attempts\n"
        "class Broken(attempts.Line):\n"
        "    def _read(self, answer, deadline):\n"
        "        if 'datasets' in str(answer.url):\n"
        "            raise ValueError(f'a defect at {answer!r} of {answer.request!r}')\n"
        "        return super()._read(answer, deadline)\n"
        "import mtok.sources.openrouter\n"
        "mtok.sources.openrouter.Line = Broken\n"
    )
    with Replay(recording, at=AT) as replay:
        for number, debug in enumerate([{"MTOK_DEBUG": "1"}, {}]):
            ran = run(tmp_path / str(number), replay, "collect", PYTHONPATH=str(tmp_path / "defect"), **debug)
            assert ran.leaks == []
            assert b"a defect at" in ran.seen["standard error"]
            assert (b"Traceback" in ran.seen["standard error"]) == bool(debug)


@pytest.mark.parametrize("wrong", [f"{CANARY}\n", f"{CANARY}\nX-Other: 1", f" {CANARY}", f"{CANARY}ä"])
def test_a_key_that_cannot_be_one_is_not_shown(wrong: str, recording: Path, tmp_path: Path) -> None:
    with Replay(recording, at=AT) as replay:
        ran = run(tmp_path / "run", replay, "collect", "--json", key=wrong, MTOK_DEBUG="1")
        assert replay.get("state")["requests"] == 0
    assert ran.leaks == []
    assert (ran.status, json.loads(ran.seen["standard output"])["error"]["code"]) == (2, "key_invalid")


def test_a_trace_of_the_key_is_found_wherever_it_is(tmp_path: Path) -> None:
    """The search can fail: it finds the key in an object, in a table, in a name, and in part."""
    import pyarrow as pa

    (tmp_path / "a").write_bytes(b"... " + CANARY.upper().encode())
    (tmp_path / "b.zst").write_bytes(zstandard.ZstdCompressor().compress(f"[{CANARY}]".encode() * 9))
    pq.write_table(pa.table({"found": [f"Bearer {CANARY}"] * 9}), tmp_path / "c.parquet", compression="zstd")
    (tmp_path / f".{CANARY}.tmp").mkdir()
    (tmp_path / "d").write_bytes(b"key ending in 5CaNaRy7f29")
    (tmp_path / "e").write_bytes(b"Basic " + base64.b64encode(CANARY.encode()))
    found = {name.partition(",")[0] for name, raw in everything(tmp_path) if traces(raw)}
    assert found == {f"the name .{CANARY}.tmp", "a", "b.zst", "c.parquet", "d", "e"}
