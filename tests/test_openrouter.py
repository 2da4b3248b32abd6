"""The client of OpenRouter against real servers on the loopback that do what servers do.

No test sleeps: between two tries stamina sleeps by tenacity's default, which calls `time.sleep` through the name
`tenacity.nap.time`. That name is the seam; a test puts a shim there whose sleep moves the clock of the client.
`test_the_seam_is_where_sleeping_happens` fails when the libraries move it. Durations are real and at most 1 s.
"""

from __future__ import annotations

import gzip
import logging
import shutil
import socket
import ssl
import subprocess
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import tenacity
import tenacity.nap

from mtok import __version__
from mtok.archive import KIND_ENDPOINTS, KIND_MODELS, KIND_RANKINGS, RANKINGS_DAILY, Response
from mtok.calendar import DAY, SECOND, format_date, parse_date, parse_instant
from mtok.errors import BadCall, EnvironmentFailed
from mtok.sources import Limits, OpenRouter, Outcome, attempts
from mtok.sources.openrouter import OPENROUTER_URL
from scripted import Scripted, Step, answer, dripping, hang_up, packed, silence, stalling

NOW = parse_instant("2026-06-21T02:00:00Z")
TODAY = NOW // DAY
KEY = "sk-or-v1-canary-9f3a"
BODY = b'{"data": []}'
QUICK = Limits(wait_seconds_jitter=0)


@dataclass
class World:
    """A clock, and everything that happened in order: ("kept", Response), ("log", …), ("slept", seconds)."""

    instant: int = NOW
    events: list[tuple[str, Any]] = field(default_factory=list)

    def now(self) -> int:
        self.instant += 1
        return self.instant

    def sleep(self, seconds: float) -> None:
        self.events.append(("slept", seconds))
        self.instant += round(seconds * SECOND)

    def monotonic(self) -> float:
        return self.instant / SECOND

    def keep(self, response: Response) -> None:
        self.events.append(("kept", response))

    def log(self, event: str, **what: Any) -> None:
        self.events.append(("log", {"event": event, **what}))

    def client(self, server: Scripted, **options: Any) -> OpenRouter:
        return OpenRouter(
            self, keep=self.keep, log=self.log, **{"url": server.url, "limits": QUICK, **options}
        )

    def of(self, sort: str) -> list[Any]:
        return [what for event, what in self.events if event == sort]

    @property
    def kept(self) -> list[Response]:
        return self.of("kept")

    @property
    def slept(self) -> list[float]:
        return self.of("slept")

    @property
    def failures(self) -> list[str | None]:
        return [response.failure for response in self.kept]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """A world in which nobody sleeps but by the fake clock, and whose waits count for tenacity's stop-watch."""
    world = World()
    monkeypatch.setattr(tenacity.nap, "time", world)
    monkeypatch.setattr(tenacity, "time", world)
    return world


def models(world: World, *steps: Step, **options: Any) -> tuple[Outcome, list[str]]:
    """Ask a server that plays `steps` for its models; return the outcome and the heads of the requests."""
    with Scripted(*steps) as server, world.client(server, **options) as client:
        return client.models(), server.heads


def header(head: str, name: str) -> list[str]:
    lines = (line.partition(": ") for line in head.split("\r\n"))
    return [value for found, _, value in lines if found.lower() == name]


# ---- what is asked


def test_models_are_asked_for_without_a_key(world: World) -> None:
    outcome, [head] = models(world, answer(body=BODY), key=KEY)
    assert head.startswith("GET /api/v1/models HTTP/1.1\r\n")
    assert header(head, "accept") == ["application/json"]
    assert header(head, "accept-encoding") == ["gzip"]
    assert header(head, "user-agent") == [f"mtok/{__version__}"]
    assert not header(head, "authorization")
    [response] = world.kept
    assert outcome == Outcome(
        kind=KIND_MODELS, subject=None, response=response, failure=None, found=None, attempts=1
    )
    assert (response.raw, response.http_status, response.kind) == (BODY, 200, KIND_MODELS)
    assert (response.failure, response.found, response.volume_source, response.origin) == (None,) * 4
    assert NOW < response.captured_at < NOW + 10
    assert response.obtained.startswith("GET http://127.0.0.1:")
    assert response.obtained.endswith("/api/v1/models")


def test_endpoints_are_asked_for_by_slug(world: World) -> None:
    with Scripted(answer(body=BODY)) as server, world.client(server, key=KEY) as client:
        outcome = client.endpoints("moonshotai/kimi-k2.6")
    assert server.paths == ["/models/moonshotai/kimi-k2.6/endpoints"]
    assert not header(server.heads[0], "authorization")
    assert (outcome.kind, outcome.subject) == (KIND_ENDPOINTS, "moonshotai/kimi-k2.6")
    assert world.kept[0].subject == "moonshotai/kimi-k2.6"


@pytest.mark.parametrize(
    "slug",
    ["", "openai", "/gpt", "a/b/c", "a/..", "../a", "a/b:free", "a/b?x=1", "a/b\n", "~a/b", "é/b", "a b/c"],
)
def test_no_endpoints_of_what_is_no_slug(slug: str, world: World) -> None:
    with Scripted(answer()) as server, world.client(server) as client:
        with pytest.raises(BadCall) as refused:
            client.endpoints(slug)
        assert refused.value.code == "slug_invalid"
        assert not server.heads


def test_rankings_name_both_dates_and_carry_the_key(world: World) -> None:
    with Scripted(answer(body=BODY)) as server, world.client(server, key=KEY) as client:
        [outcome] = client.rankings(TODAY - 30, TODAY - 1)
    assert server.paths == ["/datasets/rankings-daily?start_date=2026-05-22&end_date=2026-06-20"]
    assert header(server.heads[0], "authorization") == [f"Bearer {KEY}"]
    assert outcome.failure is None
    [response] = world.kept
    assert (response.kind, response.volume_source) == (KIND_RANKINGS, RANKINGS_DAILY)
    assert response.obtained == f"GET {server.url}{server.paths[0]}"


def test_rankings_of_many_days_are_asked_for_in_windows_oldest_first(world: World) -> None:
    first = parse_date("2025-01-01")
    with Scripted(answer(body=BODY)) as server, world.client(server, key=KEY) as client:
        outcomes = client.rankings(first, TODAY - 1)
    spans = [path.partition("?")[2] for path in server.paths]
    assert spans == [
        "start_date=2025-01-01&end_date=2026-01-01",
        "start_date=2026-01-02&end_date=2026-06-20",
    ]
    assert [outcome.response for outcome in outcomes] == world.kept


@pytest.mark.parametrize(("days", "windows"), [(1, 1), (366, 1), (367, 2)])
def test_a_window_is_366_days_at_most(days: int, windows: int, world: World) -> None:
    with Scripted(answer(body=BODY)) as server, world.client(server, key=KEY) as client:
        assert len(client.rankings(TODAY - days, TODAY - 1)) == len(server.heads) == windows
    assert format_date(TODAY - 1) in server.heads[-1]


@pytest.mark.parametrize(
    ("first", "last", "code"),
    [
        (TODAY - 1, TODAY, "day_not_over"),
        (TODAY, TODAY, "day_not_over"),
        (TODAY - 1, TODAY + 400, "day_not_over"),
        (TODAY - 1, TODAY - 2, "dates_out_of_order"),
        (parse_date("2024-12-31"), TODAY - 1, "day_before_data"),
    ],
)
def test_days_that_are_refused(first: int, last: int, code: str, world: World) -> None:
    with Scripted(answer()) as server, world.client(server, key=KEY) as client:
        with pytest.raises(BadCall) as refused:
            client.rankings(first, last)
        assert refused.value.code == code
        assert refused.value.remedy
        assert not server.heads


def test_a_day_is_over_at_midnight_utc(world: World) -> None:
    world.instant = TODAY * DAY + DAY - 3
    with Scripted(answer(body=BODY)) as server, world.client(server, key=KEY) as client:
        with pytest.raises(BadCall):
            client.rankings(TODAY, TODAY)
        world.instant += 3
        assert client.rankings(TODAY, TODAY)[0].failure is None


def test_without_a_key_no_rankings_are_asked_for(world: World) -> None:
    with Scripted(answer()) as server, world.client(server) as client:
        [outcome] = client.rankings(TODAY - 1, TODAY - 1)
    assert (outcome.failure, outcome.response, outcome.attempts) == ("key_missing", None, 0)
    assert not server.heads
    assert not world.events


# ---- answers that are not sound, one after another


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 410, 418, 204, 304, 999])
def test_some_answers_are_final(status: int, world: World) -> None:
    outcome, heads = models(world, answer(f"{status} No", b"<html>"))
    assert (outcome.failure, outcome.response, outcome.attempts) == (f"http_{status}", None, 1)
    assert len(heads) == 1
    [response] = world.kept
    assert (response.failure, response.http_status, response.found) == (
        f"http_{status}",
        status,
        f"{status} No",
    )
    assert response.raw == (b"" if status in (204, 304) else b"<html>")
    assert not world.slept


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 520, 599])
def test_others_are_asked_again_and_then_come(status: int, world: World) -> None:
    outcome, heads = models(world, answer(f"{status} Later", b"x"), answer(body=BODY))
    assert (outcome.failure, outcome.attempts, len(heads)) == (None, 2, 2)
    assert world.failures == [f"http_{status}", None]
    assert outcome.response is world.kept[1]
    assert world.slept == [2]


def test_after_five_tries_the_last_failure_is_the_outcome(world: World) -> None:
    outcome, heads = models(world, answer("500 Oops"), answer("502 Bad Gateway"))
    assert (outcome.failure, outcome.found, outcome.attempts) == ("http_502", "502 Bad Gateway", 5)
    assert len(heads) == 5
    assert world.slept == [2, 4, 8, 16]


def test_waits_double_and_chance_adds_its_share(world: World) -> None:
    models(world, answer("500 Oops"), limits=Limits(attempts_max=8))
    lowest = [2, 4, 8, 16, 32, 64, 120]
    assert all(low <= wait <= min(low + 2, 120) for low, wait in zip(lowest, world.slept, strict=True))
    assert world.slept[:6] != lowest[:6]


def test_an_attempt_is_kept_and_logged_before_any_wait(world: World) -> None:
    models(
        world, answer("500 Oops", b"one"), answer("429 Slow", b"two", retry_after="7"), answer(body=b"three")
    )
    assert [
        what.raw if event == "kept" else what["event"] if event == "log" else what
        for event, what in world.events
    ] == [
        b"one",
        "attempt",
        "waiting",
        2,
        b"two",
        "attempt",
        "waiting",
        pytest.approx(7, abs=1e-3),
        b"three",
        "attempt",
    ]
    logged = world.of("log")
    assert logged[1] == {"event": "waiting", "seconds": 2, "because": "http_500"}
    assert logged[3] == {"event": "waiting", "seconds": 7, "because": "http_429"}
    milliseconds = logged[0].pop("milliseconds")
    assert logged[0] == {
        "event": "attempt",
        "kind": "models",
        "subject": None,
        "status": 500,
        "failure": "http_500",
        "bytes": 3,
    }
    assert 0 <= milliseconds < 10_000


def test_nothing_is_printed(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    """stamina would print every retry to standard output, into the JSON of a command."""
    models(world, answer("500 Oops"), answer())
    assert capfd.readouterr() == ("", "")


def test_an_answer_that_is_refused_is_kept_and_asked_for_again(world: World) -> None:
    asked: list[tuple[str, bytes]] = []

    def sound(kind: str, raw: bytes) -> str | None:
        asked.append((kind, raw))
        return None if raw == BODY else "payload_json"

    outcome, _ = models(world, answer(body=b"<html>"), answer(body=BODY), sound=sound)
    assert asked == [("models", b"<html>"), ("models", BODY)]
    assert (outcome.failure, outcome.response) == (None, world.kept[1])
    assert world.failures == [None, None]
    assert world.of("log")[1]["because"] == "payload_json"


def test_where_none_is_sound_the_last_is_handed_on_with_the_reason(world: World) -> None:
    outcome, heads = models(world, answer(body=b"<html>"), sound=lambda *_: "payload_json")
    assert (outcome.failure, outcome.attempts, len(heads)) == ("payload_json", 5, 5)
    assert outcome.response is world.kept[-1]
    assert outcome.response.raw == b"<html>"
    assert outcome.found == "6 bytes with status 200"


def test_what_keep_raises_ends_the_question(world: World) -> None:
    def keep(response: Response) -> None:
        raise OSError("disk full")

    with (
        Scripted(answer("500 Oops")) as server,
        OpenRouter(world, keep=keep, log=world.log, url=server.url) as client,
    ):
        with pytest.raises(OSError, match="disk full"):
            client.models()
        assert len(server.heads) == 1


def test_an_interrupt_ends_the_question(world: World) -> None:
    def keep(response: Response) -> None:
        raise KeyboardInterrupt

    with (
        Scripted(answer("500 Oops")) as server,
        OpenRouter(world, keep=keep, log=world.log, url=server.url) as client,
    ):
        with pytest.raises(KeyboardInterrupt):
            client.models()
        assert not world.slept


# ---- no answer, or a part of one

ONCE = Limits(attempts_max=1, read_seconds=1, response_seconds=1)


def test_nobody_listens(world: World) -> None:
    with Scripted() as server:
        pass
    with world.client(server) as client:
        outcome = client.models()
    assert (outcome.failure, outcome.response, outcome.attempts) == ("http_connection", None, 5)
    response = world.kept[0]
    assert (response.raw, response.http_status, response.server_date) == (b"", None, None)
    assert "refused" in (response.found or "")
    assert response.captured_at > NOW


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(hang_up, id="nothing"),
        pytest.param(b"SSH-2.0-OpenSSH_9.9\r\n", id="another protocol"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-", id="half a head"),
        pytest.param(answer(content_length="two"), id="no length"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 30_000, id="endless head"),
    ],
)
def test_a_server_that_does_not_answer(step: Step, world: World) -> None:
    outcome, heads = models(world, step, answer())
    assert world.failures == ["http_connection", None]
    assert (world.kept[0].raw, world.kept[0].http_status) == (b"", None)
    assert outcome.attempts == len(heads) == 2


def test_no_byte_in_time(world: World) -> None:
    outcome, _ = models(world, silence, limits=Limits(attempts_max=1, read_seconds=1))
    assert (outcome.failure, outcome.found) == ("http_timeout", "no byte for 1 s")
    assert world.kept[0].http_status is None


def test_a_body_that_stops_is_kept_as_far_as_it_came(world: World) -> None:
    step = stalling(answer(body=b"half", content_length="8"))
    outcome, _ = models(world, step, limits=Limits(attempts_max=1, read_seconds=1))
    [response] = world.kept
    assert (outcome.failure, response.failure) == ("http_timeout", "http_timeout")
    assert (response.raw, response.http_status) == (b"half", 200)
    assert response.found == "200 OK, no byte for 1 s after 4 bytes"


@pytest.mark.parametrize(
    ("step", "kept"),
    [
        pytest.param(dripping(answer(body=b"[", content_length="9000"), b" "), b"[", id="body"),
        pytest.param(dripping(b"HTTP/1.0 200 OK\r\n\r\n[", b" "), b"[", id="body without a length"),
        pytest.param(dripping(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"), b"", id="head"),
        pytest.param(dripping(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"), b"", id="early hints"),
    ],
)
def test_what_drips_for_ever_is_ended(step: Step, kept: bytes, world: World) -> None:
    outcome, _ = models(world, step, limits=Limits(attempts_max=1, response_seconds=1))
    [response] = world.kept
    assert outcome.failure == "http_timeout"
    assert "not whole within 1 s" in (outcome.found or "")
    assert response.raw.rstrip(b" ") == kept
    assert 900 < world.of("log")[0]["milliseconds"] < 5_000


def test_a_connection_that_comes_when_the_time_is_up_is_shut() -> None:
    """A handshake may take the time: the socket it began with is no longer the one to shut."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.settimeout(1)
        deadline = attempts._Deadline()
        deadline.end()
        stream = type("Stream", (), {"get_extra_info": lambda *_: ours})()
        deadline.trace("connection.start_tls.complete", {"return_value": stream})
        assert theirs.recv(1) == b""


@pytest.mark.parametrize(
    ("step", "kept"),
    [
        pytest.param(answer(body=b"half", content_length="8"), b"half", id="length"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", b"half", id="last chunk"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n",
            b"half",
            id="protocol",
        ),
        pytest.param(packed(BODY)[:-9], gzip.compress(BODY, 1, mtime=0)[:-9], id="gzip"),
    ],
)
def test_a_body_cut_short_is_kept_and_asked_for_again(step: Step, kept: bytes, world: World) -> None:
    outcome, _ = models(world, step, answer(body=BODY))
    assert world.failures == ["http_truncated", None]
    assert (world.kept[0].raw, world.kept[0].http_status) == (kept, 200)
    assert outcome.response is world.kept[1]


def test_a_failed_answer_cut_short_is_named_by_its_status(world: World) -> None:
    models(world, answer("502 Bad Gateway", b"half", content_length="8"), answer())
    assert (world.kept[0].failure, world.kept[0].raw) == ("http_502", b"half")
    assert (world.kept[0].found or "").startswith("502 Bad Gateway, ")


# ---- sizes and gzip


def test_a_gzip_is_unpacked(world: World) -> None:
    outcome, _ = models(world, packed(BODY))
    assert outcome.response is not None
    assert outcome.response.raw == BODY


def test_an_error_is_unpacked_too(world: World) -> None:
    models(world, packed(b"<html>", "403 Forbidden"))
    assert world.kept[0].raw == b"<html>"


def test_a_damaged_gzip_stays_as_it_came(world: World) -> None:
    damaged = bytearray(gzip.compress(BODY, mtime=0))
    damaged[-5] ^= 255
    outcome, _ = models(world, answer(body=bytes(damaged), content_encoding="gzip"))
    assert outcome.failure is None
    assert world.kept[0].raw == bytes(damaged)


@pytest.mark.parametrize(("length", "failure"), [(64, None), (65, "payload_size")])
@pytest.mark.parametrize("wrap", [answer, packed], ids=["plain", "gzip"])
def test_the_most_an_answer_may_hold(wrap: Any, length: int, failure: str | None, world: World) -> None:
    step = answer(body=b"x" * length) if wrap is answer else packed(b"x" * length)
    outcome, _ = models(world, step, limits=Limits(response_bytes=64))
    assert (outcome.failure, outcome.attempts) == (failure, 1)


def test_over_20_mb_reading_stops(world: World) -> None:
    outcome, _ = models(world, answer(body=b"x" * 21 * 2**20))
    assert (outcome.failure, outcome.response, outcome.attempts) == ("payload_size", None, 1)
    [response] = world.kept
    assert len(response.raw) == 20 * 2**20 + 1
    assert response.found == "200 OK, more than 20971520 bytes"


def test_an_endless_body_is_cut_off(world: World) -> None:
    def endless(connection: Any, over: Any) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not over.is_set():
            connection.sendall(b"x" * 65_536)

    outcome, _ = models(world, endless)
    assert outcome.failure == "payload_size"


def test_a_gzip_bomb_stays_packed(world: World) -> None:
    bomb = gzip.compress(bytes(64 * 2**20), 1, mtime=0)
    outcome, _ = models(world, answer(body=bomb, content_encoding="gzip"))
    assert (outcome.failure, outcome.attempts) == ("payload_size", 1)
    assert world.kept[0].raw == bomb
    assert "unpack to more than 20971520" in (outcome.found or "")


# ---- what the server says of time


@pytest.mark.parametrize(
    ("headers", "instant"),
    [
        ({"date": "Sun, 21 Jun 2026 01:59:58 GMT"}, "2026-06-21T01:59:58Z"),
        ({"date": "Sun, 21 Jun 2026 01:55:00 GMT", "age": "290"}, "2026-06-21T01:59:50Z"),
        ({"date": "Sunday, 21-Jun-26 01:59:58 GMT"}, "2026-06-21T01:59:58Z"),
        ({"date": "Sun Jun 21 01:59:58 2026"}, "2026-06-21T01:59:58Z"),
        ({"date": "Sun, 21 Jun 2026 01:59:58 GMT", "age": "-1"}, "2026-06-21T01:59:58Z"),
        ({"date": "Sun, 21 Jun 2026 01:59:58 GMT", "age": "9" * 15}, None),
        ({"date": "Fri, 31 Dec 9999 23:59:59 GMT"}, None),
        ({"date": "Wed, 31 Dec 1969 23:59:59 GMT"}, None),
        ({"date": "yesterday"}, None),
        ({"date": ""}, None),
        ({}, None),
    ],
)
def test_the_date_of_the_server(headers: dict[str, str], instant: str | None, world: World) -> None:
    models(world, answer("200 OK", BODY, **headers))
    assert world.kept[0].server_date == (None if instant is None else parse_instant(instant))


FAR = parse_instant("2026-06-22T00:00:00Z")


@pytest.mark.parametrize(
    ("headers", "instant"),
    [
        ({"retry_after": "3600"}, NOW + 3600 * SECOND),
        ({"retry_after": "Sun, 21 Jun 2026 03:00:00 GMT"}, NOW + 3600 * SECOND),
        ({"x_ratelimit_reset": str(FAR // 1000)}, FAR),
        ({"retry_after": "3600", "x_ratelimit_reset": str(FAR // 1000)}, NOW + 3600 * SECOND),
        ({"retry_after": "soon", "x_ratelimit_reset": str(FAR // 1000)}, FAR),
        ({"retry_after": "Sat, 20 Jun 2026 03:00:00 GMT", "x_ratelimit_reset": str(FAR // 1000)}, FAR),
        ({"retry_after": "999999999"}, NOW + 48 * 3600 * SECOND),
        ({"retry_after": "9" * 15}, NOW + 48 * 3600 * SECOND),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_long_wait_ends_the_tries_and_is_remembered(
    status: int, headers: dict[str, str], instant: int, world: World
) -> None:
    error = b'{"error":{"code":429,"message":"Rate limit exceeded: datasets-per-account-rpd-v1."}}'
    with (
        Scripted(answer(f"{status} Wait", error, **headers), answer(body=BODY)) as server,
        world.client(server, key=KEY) as client,
    ):
        [outcome] = client.rankings(TODAY - 1, TODAY - 1)
        assert (outcome.failure, outcome.response, outcome.attempts) == (f"http_{status}", None, 1)
        assert world.kept[0].not_before == pytest.approx(instant, abs=100)
        assert not world.slept

        [again] = client.rankings(TODAY - 1, TODAY - 1)
        assert (again.failure, again.attempts, len(server.heads)) == ("http_429", 0, 1)
        assert (again.found or "").startswith("to be left alone until 2026-06-2")
        assert client.models().failure is None

        world.instant = instant + 100
        [later] = client.rankings(TODAY - 1, TODAY - 1)
        assert later.failure is None


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"retry_after": "0"},
        {"retry_after": "-5"},
        {"retry_after": "1.5"},
        {"retry_after": "١"},
        {"retry_after": "Sat, 20 Jun 2026 03:00:00 GMT"},
        {"x_ratelimit_reset": str(NOW // 1000)},
        {"x_ratelimit_reset": str(FAR // SECOND)},
        {"x_ratelimit_reset": "9" * 40},
    ],
)
def test_a_wait_that_cannot_be_is_ignored(headers: dict[str, str], world: World) -> None:
    raw = {name: value.encode().decode("latin-1") for name, value in headers.items()}
    step = answer("429 Slow", b"", **raw)
    outcome, _ = models(world, step, answer())
    assert (outcome.failure, world.slept) == (None, [2])
    assert world.kept[0].not_before is None


@pytest.mark.parametrize(
    "headers",
    [
        {"retry_after": "90"},
        {"retry_after": "Sun, 21 Jun 2026 02:01:30 GMT"},
        {"x_ratelimit_reset": str((NOW + 90 * SECOND) // 1000)},
    ],
)
def test_a_short_wait_is_waited(headers: dict[str, str], world: World) -> None:
    outcome, _ = models(world, answer("429 Slow", b"", **headers), answer())
    assert outcome.failure is None
    assert world.slept == [pytest.approx(90, abs=1e-3)]
    assert world.kept[1].captured_at >= (world.kept[0].not_before or 0)


def test_only_those_who_ask_for_patience_are_granted_it(world: World) -> None:
    models(world, answer("500 Oops", retry_after="90"), answer())
    assert world.kept[0].not_before is None
    assert world.slept == [2]


# ---- redirects


def redirect(location: str, status: str = "302 Found") -> bytes:
    return answer(status, b"moved", location=location)


@pytest.mark.parametrize(
    "status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"]
)
def test_a_redirect_on_the_same_host_is_followed_and_registered(status: str, world: World) -> None:
    outcome, heads = models(world, redirect("/api/v1/models?v=2", status), answer(body=BODY))
    assert [head.split(" ")[1] for head in heads] == ["/api/v1/models", "/api/v1/models?v=2"]
    assert (outcome.failure, outcome.attempts) == (None, 2)
    moved, came = world.kept
    assert (moved.failure, moved.raw) == (f"http_{status[:3]}", b"moved")
    assert moved.found == f"{status}, redirect to /api/v1/models?v=2"
    assert came.obtained.endswith("/models?v=2")
    assert not world.slept


def test_three_redirects_and_no_more(world: World) -> None:
    outcome, heads = models(world, redirect("/api/v1/round"))
    assert (outcome.failure, outcome.attempts, len(heads)) == ("http_redirects", 4, 4)
    assert world.failures == ["http_302", "http_302", "http_302", "http_redirects"]


def test_a_redirect_without_a_target_is_an_answer_like_another(world: World) -> None:
    outcome, _ = models(world, answer("302 Found"))
    assert outcome.failure == "http_302"


def test_the_key_goes_to_no_other_host(world: World) -> None:
    with Scripted(answer(body=BODY)) as other:
        step = redirect(f"{other.origin}/api/v1/datasets/rankings-daily")
        with Scripted(step) as server, world.client(server, key=KEY) as client:
            [outcome] = client.rankings(TODAY - 1, TODAY - 1)
    assert not other.heads
    assert (outcome.failure, outcome.attempts, len(server.heads)) == ("redirect_refused", 1, 1)
    assert outcome.found == f"302 Found, redirect to {other.origin}/api/v1/datasets/rankings-daily"
    assert (world.kept[0].raw, world.kept[0].http_status) == (b"moved", 302)


@pytest.mark.parametrize(
    "location",
    [
        "https://{host}/api/v1/models",
        "https://evil.example/",
        "//evil.example/api/v1/models",
        "http://user:pass@{host}/api/v1/models",
        "http://{host}@evil.example/",
        "http://localhost:{port}/api/v1/models",
        "http://127.0.0.1:1/",
        "ftp://{host}/",
        "javascript:alert(1)",
        "https://[::1",
        "http://{host}\\@evil.example/",
    ],
)
def test_redirects_that_are_refused(location: str, world: World) -> None:
    with Scripted(answer()) as stranger:
        host = stranger.origin.removeprefix("http://")
    target = location.format(host=host, port=host.partition(":")[2])
    outcome, heads = models(world, redirect(target))
    assert (outcome.failure, len(heads)) == ("redirect_refused", 1)
    assert "redirect to " in (outcome.found or "")


@pytest.mark.parametrize(
    "location",
    ["https://{host}/api/v1/models", "http://user:pass@{host}/api/v1/models", "http://localhost:{port}/"],
)
def test_the_same_address_in_another_way_is_refused(location: str, world: World) -> None:
    with Scripted(answer()) as server:
        host = server.origin.removeprefix("http://")
        server._steps = (redirect(location.format(host=host, port=host.partition(":")[2])),)
        with world.client(server) as client:
            assert client.models().failure == "redirect_refused"
        assert len(server.heads) == 1


def test_a_redirect_out_of_the_data_sets_goes_without_the_key(world: World) -> None:
    with (
        Scripted(redirect("/elsewhere"), answer(body=BODY)) as server,
        world.client(server, key=KEY) as client,
    ):
        client.rankings(TODAY - 1, TODAY - 1)
    assert [len(header(head, "authorization")) for head in server.heads] == [1, 0]


def test_no_cookie_is_kept(world: World) -> None:
    step = answer("500 Oops", set_cookie="who=me; Path=/")
    _, heads = models(world, step, redirect("/api/v1/models"), answer())
    assert len(heads) == 3
    assert not any("cookie" in head.lower() for head in heads)


# ---- limits of a client


def test_the_budget_ends_the_tries_and_then_the_questions(world: World) -> None:
    limits = Limits(requests_max=3)
    with Scripted(answer("500 Oops")) as server, world.client(server, limits=limits) as client:
        first, second = client.models(), client.endpoints("a/b")
    assert (first.failure, first.attempts, len(world.slept)) == ("http_500", 3, 2)
    assert (second.failure, second.response, second.attempts) == ("http_budget", None, 0)
    assert second.found == "3 requests were made"
    assert len(server.heads) == len(world.kept) == 3


def test_the_budget_counts_redirects(world: World) -> None:
    outcome, heads = models(world, redirect("/api/v1/round"), limits=Limits(requests_max=2))
    assert (outcome.failure, outcome.response, len(heads)) == ("http_budget", None, 2)


def test_so_many_models_and_no_more(world: World) -> None:
    with Scripted(answer()) as server, world.client(server, limits=Limits(endpoints_max=2)) as client:
        outcomes = [client.endpoints(f"a/{name}") for name in "bcd"]
    assert [outcome.failure for outcome in outcomes] == [None, None, "http_budget"]
    assert len(server.heads) == 2


def test_requests_for_data_sets_keep_their_pace(world: World) -> None:
    limits = Limits(window_days=1)
    with Scripted(answer(body=BODY)) as server, world.client(server, limits=limits, key=KEY) as client:
        outcomes = client.rankings(TODAY - 45, TODAY - 1)
    assert [outcome.failure for outcome in outcomes] == [None] * 45
    assert [outcome.attempts for outcome in outcomes] == [1] * 45
    times = [response.captured_at for response in world.kept]
    assert all(later - earlier >= 60 * SECOND for earlier, later in zip(times, times[20:], strict=False))
    assert world.slept == [pytest.approx(60, abs=1e-3)] * 2
    assert world.of("log")[20]["because"] == "http_budget"


def test_a_clock_that_stands_still_does_not_hold_the_client(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(World, "sleep", lambda *_: None)
    limits = Limits(datasets_per_minute=1, window_days=1)
    with Scripted(answer(body=BODY)) as server, world.client(server, limits=limits, key=KEY) as client:
        outcomes = client.rankings(TODAY - 2, TODAY - 1)
    assert [outcome.failure for outcome in outcomes] == [None, "http_budget"]
    assert len(server.heads) == 1


# ---- replays


@pytest.mark.parametrize(
    ("origin", "digest", "kept"),
    [
        ("replay", "ab" * 32, "ab" * 32),
        ("replay", "AB" * 32, None),
        ("replay", "ab", None),
        (None, "ab" * 32, None),
    ],
)
def test_a_replay_says_what_it_replays(
    origin: str | None, digest: str, kept: str | None, world: World
) -> None:
    models(world, answer(x_replay_sha256=digest), origin=origin)
    assert (world.kept[0].origin, world.kept[0].origin_sha256) == (origin, kept)


# ---- the key and the address


@pytest.mark.parametrize(
    "key", ["", "a b", f"{KEY}\n", f" {KEY}", "sk-é", "a\x00", "\u200b" + KEY, "x" * 513]
)
def test_a_key_that_is_none(key: str, world: World) -> None:
    with pytest.raises(BadCall) as refused:
        OpenRouter(world, keep=world.keep, log=world.log, key=key)
    assert refused.value.code == "key_invalid"
    assert not key.strip() or key.strip() not in str(refused.value)


def test_the_key_is_said_nowhere(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever a server does with it, who was sent it."""
    caplog.set_level(logging.DEBUG)
    steps: list[Step] = [
        hang_up,
        answer(f"500 {KEY}"),
        redirect(f"/api/v1/datasets/x?key={KEY}"),
        answer("429 Slow", x_echo=KEY, retry_after=KEY),
        answer(body=b"half", content_length="8"),
        redirect(f"https://{KEY}.example/{'x' * 150}{KEY}"),
    ]
    with Scripted(*steps) as server, world.client(server, key=KEY) as client:
        [outcome] = client.rankings(TODAY - 1, TODAY - 1)
        said = [repr(client), str(client), repr(outcome), repr(world.events), caplog.text]
    assert sum(KEY in head for head in server.heads) == 6
    assert world.failures == [
        "http_connection",
        "http_500",
        "http_302",
        "http_429",
        "http_truncated",
        "redirect_refused",
    ]
    assert not [text for text in said if KEY in text or KEY[:12] in text]
    assert "[key]" in (world.kept[1].found or "")
    assert "[key]" in world.kept[3].obtained


def test_the_key_is_in_no_traceback(world: World) -> None:
    def keep(response: Response) -> None:
        raise OSError("disk full")

    with (
        Scripted(answer("500 Oops")) as server,
        OpenRouter(world, keep=keep, log=world.log, url=server.url, key=KEY) as client,
        pytest.raises(OSError) as raised,
    ):
        client.rankings(TODAY - 1, TODAY - 1)
    assert KEY not in "".join(traceback.format_exception(raised.value))


def test_what_is_found_is_short_and_printable(world: World) -> None:
    models(world, answer("403 \x1b[31mNo" + "o" * 500))
    found = world.kept[0].found or ""
    assert found.startswith("403 \\x1b[31mNo")
    assert len(found) == 200
    assert found.isprintable()


@pytest.mark.parametrize(
    "url",
    [
        "http://openrouter.ai/api/v1",
        "http://192.168.0.1/api/v1",
        "http://127.0.0.1.evil.example/",
        "http://localhost.evil.example/",
        "https://user:secret@openrouter.ai/api/v1",
        "https://openrouter.ai/api/v1?secret=1",
        "https://openrouter.ai/api/v1#secret",
        "ftp://127.0.0.1/",
        "https://",
        "openrouter.ai/api/v1",
        "https://[::1",
        "",
    ],
)
def test_an_address_that_is_refused(url: str, world: World) -> None:
    with pytest.raises(BadCall) as refused:
        OpenRouter(world, keep=world.keep, log=world.log, url=url)
    assert refused.value.code == "url_refused"
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [OPENROUTER_URL, "https://127.0.0.1:8443/api/v1/", "http://localhost:8000", "http://[::1]:8000/api/v1"],
)
def test_an_address_that_is_taken(url: str, world: World) -> None:
    with OpenRouter(world, keep=world.keep, log=world.log, url=url) as client:
        assert repr(client) == f"OpenRouter({url.rstrip('/')!r})"


# ---- the environment


@pytest.fixture
def netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))


@pytest.mark.usefixtures("netrc")
def test_the_loopback_is_asked_without_proxy_and_without_netrc(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Scripted(answer()) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.origin)
        monkeypatch.setenv("ALL_PROXY", proxy.origin)
        outcome, [head] = models(world, answer(body=BODY))
        assert not proxy.heads
    assert outcome.failure is None
    assert not header(head, "authorization")


@pytest.mark.usefixtures("netrc")
def test_https_goes_through_the_proxy_of_the_environment(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Scripted(answer("403 Forbidden")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.origin)
        with OpenRouter(
            world, keep=world.keep, log=world.log, limits=Limits(attempts_max=1), key=KEY
        ) as client:
            [outcome] = client.rankings(TODAY - 1, TODAY - 1)
    assert outcome.failure == "http_connection"
    [head] = proxy.heads
    assert head.startswith("CONNECT openrouter.ai:443 ")
    assert KEY not in head
    assert "authorization" not in head.lower()


@pytest.mark.parametrize("proxy", ["nonsense://secret@proxy", "http://secret@[::1"])
def test_a_proxy_that_cannot_be_used(proxy: str, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(EnvironmentFailed) as failed:
        OpenRouter(world, keep=world.keep, log=world.log)
    assert failed.value.code == "proxy_unusable"
    assert "secret" not in str(failed.value)


# ---- TLS


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 that nobody has signed, with its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    call = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1"
    call += " -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out certificate.pem"
    subprocess.run([openssl, *call.split()], cwd=folder, check=True, capture_output=True)
    return folder / "certificate.pem"


@pytest.fixture
def tls(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """What a server with that certificate needs; the environment vouches for it."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    return context


def test_the_authorities_are_those_of_the_environment(world: World, tls: ssl.SSLContext) -> None:
    with Scripted(answer(body=BODY), tls=tls) as server, world.client(server, key=KEY) as client:
        assert client.rankings(TODAY - 1, TODAY - 1)[0].failure is None
    assert header(server.heads[0], "authorization") == [f"Bearer {KEY}"]


def test_a_certificate_that_nobody_vouches_for(
    world: World, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with Scripted(answer(), tls=tls) as server, world.client(server, key=KEY) as client:
        [outcome] = client.rankings(TODAY - 1, TODAY - 1)
    assert outcome.failure == "http_connection"
    assert "certificate verify failed" in (outcome.found or "")
    assert not server.heads


@pytest.mark.parametrize(
    ("step", "kept"),
    [
        pytest.param(dripping(answer(body=b"[", content_length="9000"), b" "), b"[", id="body"),
        pytest.param(dripping(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"), b"", id="head"),
    ],
)
def test_what_drips_over_tls_is_ended(step: Step, kept: bytes, world: World, tls: ssl.SSLContext) -> None:
    limits = Limits(attempts_max=1, response_seconds=1)
    with Scripted(step, tls=tls) as server, world.client(server, limits=limits) as client:
        assert client.models().failure == "http_timeout"
    assert world.kept[0].raw.rstrip(b" ") == kept


def test_the_seam_is_where_sleeping_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    assert vars(tenacity.nap)["time"] is time
    world = World()
    monkeypatch.setattr(tenacity.nap, "time", world)
    tenacity.nap.sleep(3)
    assert (world.slept, world.instant) == ([3], NOW + 3 * SECOND)
