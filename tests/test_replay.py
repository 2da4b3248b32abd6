"""The replay server at the wire: what it serves, each refusal, each fault, and that it keeps no key."""

from __future__ import annotations

import gzip
import http.client
import json
import re
import socket
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mtok.archive import KIND_ENDPOINTS, KIND_MODELS, Response
from mtok.calendar import DAY, SECOND, format_date, format_instant, parse_date, parse_instant
from mtok.errors import BadCall, BadInput, EnvironmentFailed
from mtok.observations import decode_models, decode_rankings
from mtok.replay import FAULTS, Fault, Recording, ReplayClock, ReplayServer, read_plan
from mtok.replay.limits import DAY_REQUESTS_MAX, MINUTE_REQUESTS_MAX
from mtok.replay.listener import BODY_BYTES_MAX, CONNECTIONS_MAX
from mtok.replay.modes.mode import VALUES
from mtok.replay.modes.wire import DROPS
from mtok.sources.sample import sample_responses

DOCUMENT = (Path(__file__).parents[1] / "docs" / "replay.md").read_text("utf-8")
KEY = "sk-or-v1-0123456789abcdef-canary"
NOW = parse_instant("2026-06-20T09:00:00Z")
RANKINGS = "/datasets/rankings-daily"
OFFERS = "/models/openai/gpt-a/endpoints"


class Got(NamedTuple):
    """A response as it came: status, headers and bytes."""

    status: int
    headers: http.client.HTTPMessage
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw, parse_float=Decimal)


def ask(
    server: ReplayServer,
    path: str,
    *,
    method: str = "GET",
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> Got:
    """Send one request; a path that is none of the control's is below the API's base."""
    host, port = server.origin.removeprefix("http://").split(":")
    target = path if path.startswith("/_replay/") else f"/api/v1{path}"
    with closing(http.client.HTTPConnection(host, int(port), timeout=20)) as connection:
        sent = {"Authorization": f"Bearer {KEY}"} if headers is None else headers
        connection.request(method, target, body, sent)
        response = connection.getresponse()
        return Got(response.status, response.headers, response.read())


# ---- a recording made up for these tests

SLUGS = [f"openai/gpt-{letter}-20260101" for letter in "abcdefgh"]


def model(slug: str, completion: str, **more: Any) -> dict[str, Any]:
    pricing = {"prompt": "0.000001", "completion": completion}
    return {
        "id": slug.removesuffix("-20260101"),
        "canonical_slug": slug,
        "created": 1,
        "pricing": pricing,
        **more,
    }


def catalogue(completion: str) -> bytes:
    rows = [model(slug, completion, score=1.50) for slug in SLUGS]
    return json.dumps({"data": rows, "total_count": len(rows), "links": {"next": None}}).encode()


def volumes(as_of: str, first: str, last: str, largest: int = 1000) -> bytes:
    rows = [
        {"date": format_date(day), "model_permaslug": slug, "total_tokens": str(total)}
        for day in range(parse_date(first), parse_date(last) + 1)
        for slug, total in [("other", 9999), (SLUGS[2], 500), (SLUGS[1], 500), (SLUGS[0], largest)]
    ]
    meta = {"as_of": as_of, "version": "v1", "start_date": first, "end_date": last}
    return json.dumps({"data": rows, "meta": meta}).encode()


def offers(price: str) -> bytes:
    endpoint = {
        "provider_name": "OpenAI",
        "tag": "openai",
        "pricing": {"prompt": "0.000001", "completion": price, "discount": 0},
        "status": 0,
        "latency_last_30m": {"p50": 1.5},
        "throughput_last_30m": {"p50": 2},
    }
    return json.dumps({"data": {"id": "openai/gpt-a", "name": "A", "endpoints": [endpoint] * 2}}).encode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recording")
    (folder / "2026-06-19T000000Z.json").write_bytes(catalogue("0.000002"))
    (folder / "2026-06-20T120000Z.json.gz").write_bytes(gzip.compress(catalogue("0.000003")))
    (folder / "rankings-1.json").write_bytes(volumes("2026-06-20T08:00:00.000Z", "2026-06-10", "2026-06-19"))
    (folder / "rankings-2.json").write_bytes(
        volumes("2026-06-21T08:00:00.000Z", "2026-06-11", "2026-06-20", largest=2000)
    )
    (folder / "2026-06-19T010000Z-endpoints.json.gz").write_bytes(gzip.compress(offers("0.000002")))
    (folder / "2026-06-20T130000Z-endpoints.json").write_bytes(offers("0.000003"))
    (folder / "2026-06-20T130000Z-broken-rankings.json").write_bytes(b'{"data":[{"model_permaslug":')
    (folder / "notes.json").write_text('{"what": "something else"}')
    return folder


@pytest.fixture(scope="module")
def recording(folder: Path) -> Recording:
    return Recording.of_paths([folder])


@pytest.fixture(scope="module")
def sample() -> Recording:
    return Recording.sample()


@pytest.fixture
def clock() -> ReplayClock:
    return ReplayClock(NOW)


@pytest.fixture
def server(recording: Recording, clock: ReplayClock) -> Iterator[ReplayServer]:
    with ReplayServer(recording, clock) as server:
        yield server


# ---- the recording and the clock


def test_a_folder_is_recognised_and_what_cannot_be_placed_is_listed(recording: Recording) -> None:
    assert recording.origin == "replay"
    assert [format_instant(instant) for instant in recording.instants()] == [
        "2026-06-19T00:00:00Z",
        "2026-06-19T01:00:00Z",
        "2026-06-20T08:00:00Z",
        "2026-06-20T12:00:00Z",
        "2026-06-20T13:00:00Z",
        "2026-06-21T08:00:00Z",
    ]
    assert {(Path(one.path).name, one.code) for one in recording.left_out} == {
        ("notes.json", "kind_unknown"),
        ("2026-06-20T130000Z-broken-rankings.json", "recording_unreadable"),
    }


def test_nothing_recorded_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.json").write_text("{}")
    for paths in ([], [tmp_path]):
        with pytest.raises(BadInput) as refusal:
            Recording.of_paths(paths)
        assert refusal.value.code == "recording_empty"
    assert "notes.json" in refusal.value.found


def test_a_recording_too_large_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtok.replay.recording.RECORDING_BYTES_MAX", 100)
    with pytest.raises(BadInput) as refusal:
        Recording.of_paths([folder])
    assert refusal.value.code == "recording_size"


def test_endpoints_are_found_whether_or_not_an_import_knows_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "2026-06-20T130000Z-endpoints.json"
    known = Response(raw=path.read_bytes(), captured_at=NOW, kind=KIND_ENDPOINTS, obtained="file")
    expected = Recording.of_paths([path])
    monkeypatch.setattr("mtok.replay.recording.read_response", lambda _: known)
    assert Recording.of_paths([path]).endpoints == expected.endpoints != {}


def test_the_sample_is_a_recording(sample: Recording) -> None:
    assert sample.origin == "sample"
    assert not sample.left_out
    assert len(sample.instants()) == 84 + 9
    assert sample.instants() == sorted(sample.instants())


def test_the_clock_stands_still_runs_and_is_set() -> None:
    real = [0]
    clock = ReplayClock(NOW, monotonic=lambda: real[0])
    real[0] += 5_000_000_000
    assert clock.now() == NOW
    clock.set(rate=2)
    real[0] += 3_000_000_000
    assert clock.now() == NOW + 6 * SECOND
    clock.set(NOW - DAY)
    assert (clock.now(), clock.rate) == (NOW - DAY, 2)
    clock.set(rate=0)
    real[0] += 1_000_000_000
    assert clock.now() == NOW - DAY


@pytest.mark.parametrize(("instant", "rate"), [(0, 0), (10**18, 0), (NOW, -1), (NOW, 86_401), (NOW, True)])
def test_a_clock_that_cannot_be_is_refused(instant: int, rate: int) -> None:
    with pytest.raises(BadCall) as refusal:
        ReplayClock(instant, rate)
    assert refusal.value.code == "replay_clock"


# ---- rankings-daily


def test_rankings_are_rows_of_the_days_asked_for_in_the_order_of_the_api(server: ReplayServer) -> None:
    got = ask(server, f"{RANKINGS}?start_date=2026-06-18&end_date=2026-06-19")
    assert got.status == 200
    assert got.headers["Content-Type"] == "application/json"
    assert got.headers["Date"] == "Sat, 20 Jun 2026 09:00:00 GMT"
    assert got.headers["X-Replay-Origin"] == "replay"
    day = [(SLUGS[0], "1000"), (SLUGS[1], "500"), (SLUGS[2], "500"), ("other", "9999")]
    assert got.json == {
        "data": [
            {"date": date, "model_permaslug": slug, "total_tokens": total}
            for date in ("2026-06-18", "2026-06-19")
            for slug, total in day
        ],
        "meta": {
            "as_of": "2026-06-20T09:00:00.000Z",
            "version": "v1",
            "start_date": "2026-06-18",
            "end_date": "2026-06-19",
        },
    }


def largest(server: ReplayServer, date: str) -> str | None:
    rows = ask(server, f"{RANKINGS}?start_date={date}&end_date={date}").json["data"]
    return rows[0]["total_tokens"] if rows else None


def test_a_day_is_of_the_latest_pull_until_now_else_of_the_first_after(
    server: ReplayServer, clock: ReplayClock
) -> None:
    assert largest(server, "2026-06-19") == "1000"
    clock.set(parse_instant("2026-06-21T07:59:59Z"))
    assert [largest(server, date) for date in ("2026-06-19", "2026-06-20")] == ["1000", "2000"]
    clock.set(parse_instant("2026-06-21T08:00:00Z"))
    assert [largest(server, date) for date in ("2026-06-10", "2026-06-19")] == ["1000", "2000"]
    clock.set(parse_instant("2026-06-12T02:00:00Z"))
    assert [largest(server, date) for date in ("2026-06-09", "2026-06-11")] == [None, "1000"]


@pytest.mark.parametrize(
    ("ready_hour", "hour", "offered"), [(1, 0, False), (1, 1, True), (0, 0, True), (6, 5, False)]
)
def test_a_day_is_offered_from_the_ready_hour_on(
    recording: Recording, ready_hour: int, hour: int, offered: bool
) -> None:
    clock = ReplayClock(parse_instant(f"2026-06-20T{hour:02d}:00:00Z"))
    with ReplayServer(recording, clock, ready_hour=ready_hour) as server:
        assert (largest(server, "2026-06-19") == "1000") is offered
        assert largest(server, "2026-06-18") == "1000"


@pytest.mark.parametrize(
    ("query", "start", "end"),
    [
        ("", "2026-05-21", "2026-06-19"),
        ("?end_date=2026-06-01", "2026-05-03", "2026-06-01"),
        ("?start_date=2026-06-18", "2026-06-18", "2026-06-19"),
        ("?start_date=2026-06-18&end_date=2026-06-20", "2026-06-18", "2026-06-19"),
        ("?start_date=2026-06-18&end_date=2027-01-01", "2026-06-18", "2026-06-19"),
        ("?start_date=2024-06-18&end_date=2025-02-01", "2025-01-01", "2025-02-01"),
        ("?start_date=2025-06-19&end_date=2026-06-19", "2025-06-19", "2026-06-19"),
        ("?period=day&start_date=2026-06-18", "2026-06-18", "2026-06-19"),
        ("?unheard_of=1", "2026-05-21", "2026-06-19"),
    ],
)
def test_the_window_is_resolved_and_echoed(server: ReplayServer, query: str, start: str, end: str) -> None:
    meta = ask(server, RANKINGS + query).json["meta"]
    assert (meta["start_date"], meta["end_date"]) == (start, end)


@pytest.mark.parametrize(
    "query",
    [
        "start_date=2026-6-18",
        "start_date=20260618",
        "start_date=",
        "start_date=2026-02-30",
        "start_date=2026-06-18%0A",
        "start_date=%D9%A2026-06-18",
        "end_date=2026-13-01",
        "end_date=yesterday",
        "start_date=2026-06-19&end_date=2026-06-18",
        "start_date=2025-06-18&end_date=2026-06-19",
        "end_date=2024-12-31",
        "start_date=2026-06-20",
        "start_date=2026-06-20&end_date=2026-06-20",
        "start_date=2026-06-21&end_date=2026-06-25",
        "period=year",
        "modality=smell",
        "context_bucket=2K",
        "category=cooking",
        "language_type=klingon",
        "period=day&category=programming",
        "period=day&language_type=natural",
        "category=programming&language_type=natural",
        "category=programming&modality=text",
        "language_type=natural&context_bucket=1K",
    ],
)
def test_a_bad_question_gets_400_in_the_shape_of_the_api(server: ReplayServer, query: str) -> None:
    got = ask(server, f"{RANKINGS}?{query}")
    assert got.status == 400
    assert got.json["error"]["code"] == 400
    assert "holds no slice" not in got.json["error"]["message"]


@pytest.mark.parametrize(
    "query",
    ["modality=text", "context_bucket=1K", "category=academia", "language_type=natural", "period=week"],
)
def test_a_slice_that_was_not_recorded_is_refused_and_says_so(server: ReplayServer, query: str) -> None:
    got = ask(server, f"{RANKINGS}?{query}")
    assert (got.status, got.json["error"]["message"]) == (
        400,
        f"this replay's recording holds no slice {query}",
    )


def test_today_can_be_refused_in_the_place_of_being_cut_off(recording: Recording, clock: ReplayClock) -> None:
    with ReplayServer(recording, clock, today="refuse") as server:
        assert ask(server, f"{RANKINGS}?end_date=2026-06-20").status == 400
        assert ask(server, f"{RANKINGS}?end_date=2026-06-19").status == 200
        assert ask(server, RANKINGS).status == 200


@pytest.mark.parametrize(
    ("header", "key", "status"),
    [
        (None, None, 401),
        ("Bearer", None, 401),
        ("Bearer ", None, 401),
        (f"Basic {KEY}", None, 401),
        ("Bearer anything", None, 200),
        (f"bearer {KEY}", KEY, 200),
        ("Bearer anything", KEY, 401),
        (f"Bearer {KEY}x", KEY, 401),
    ],
)
def test_rankings_need_a_key_and_nothing_else_does(
    recording: Recording, clock: ReplayClock, header: str | None, key: str | None, status: int
) -> None:
    headers = {} if header is None else {"Authorization": header}
    with ReplayServer(recording, clock, key=key) as server:
        got = ask(server, RANKINGS, headers=headers)
        assert got.status == status
        if status == 401:
            assert got.json == {"error": {"code": 401, "message": "Missing Authentication header"}}
        for path in ("/models", OFFERS, "/providers"):
            assert ask(server, path, headers=headers).status == 200
        assert [request.authorized for request in server.requests] == [status == 200] * 4


def test_the_rows_of_the_sample_are_those_of_its_pulls(sample: Recording) -> None:
    """Two independent ways to the same rows: the recording by days, `sample_responses` by pulls."""
    pulls = [response for response in sample_responses() if response.kind != KIND_MODELS]
    assert pulls
    for pull in pulls:
        clock = ReplayClock(pull.captured_at + SECOND)
        expected = decode_rankings(pull.raw, pull.captured_at)
        with ReplayServer(sample, clock) as server:
            got = ask(server, RANKINGS)
        decoded = decode_rankings(got.raw, clock.now())
        assert decoded.rows == expected.rows
        assert json.loads(got.raw)["data"] == json.loads(pull.raw)["data"]
        assert got.headers["X-Replay-Origin"] == "sample"


# ---- models, endpoints, the rest


def test_models_of_the_sample_are_its_rendering_byte_for_byte(sample: Recording) -> None:
    captures = [response for response in sample_responses() if response.kind == KIND_MODELS]
    with ReplayServer(sample, ReplayClock(captures[0].captured_at - DAY)) as server:
        assert ask(server, "/models").raw == captures[0].raw
        for capture in captures[::10] + captures[-1:]:
            for later in (0, 3600 * SECOND):
                server.clock.set(capture.captured_at + later)
                got = ask(server, "/models")
                assert got.raw == capture.raw
                assert got.headers["X-Replay-Sha256"] == capture.origin_sha256
                assert got.headers["X-Replay-Origin"] == "sample"


def test_models_of_a_folder_are_the_recorded_bytes_in_force(server: ReplayServer, clock: ReplayClock) -> None:
    assert ask(server, "/models").raw == catalogue("0.000002")
    clock.set(parse_instant("2026-06-20T12:00:00Z"))
    got = ask(server, "/models?output_modalities=text")
    assert got.raw == catalogue("0.000003")
    assert got.headers["X-Replay-Sha256"] is None


def test_models_in_pages_are_the_whole_list(server: ReplayServer) -> None:
    following, rows, pages = "/api/v1/models?limit=3", [], 0
    while following:
        got = ask(server, following.removeprefix("/api/v1")).json
        rows += got["data"]
        assert got["total_count"] == len(SLUGS)
        following, pages = got["links"]["next"], pages + 1
        assert following is None or following.startswith("/api/v1/models?")
    assert pages == 3
    assert rows == json.loads(catalogue("0.000002"), parse_float=Decimal)["data"]
    assert ask(server, "/models?offset=100").json["data"] == []
    assert len(ask(server, "/models?offset=1").json["data"]) == len(SLUGS) - 1


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=x",
        "offset=-1",
        "offset=",
        "limit=%D9%A3",
        "sort=newest",
        "output_modalities=all",
    ],
)
def test_a_list_that_cannot_be_had_gets_400(server: ReplayServer, query: str) -> None:
    assert ask(server, f"/models?{query}").status == 400


def test_endpoints_are_the_recorded_bytes_by_id_and_by_canonical_slug(
    server: ReplayServer, clock: ReplayClock
) -> None:
    assert ask(server, OFFERS).raw == offers("0.000002")
    assert ask(server, f"/models/{SLUGS[0]}/endpoints").raw == offers("0.000002")
    clock.set(parse_instant("2026-06-20T13:00:00Z"))
    assert ask(server, OFFERS).raw == offers("0.000003")


@pytest.mark.parametrize(
    "path",
    [
        "/models/openai/none/endpoints",
        "/models/openai",
        "/models/a/b/c/endpoints",
        "/key",
        "",
        "/models/",
        "/datasets",
    ],
)
def test_everything_else_is_not_found(server: ReplayServer, path: str) -> None:
    got = ask(server, path)
    assert (got.status, got.json) == (404, {"error": {"code": 404, "message": "Resource not found"}})


def test_a_recording_without_a_catalogue_says_so(folder: Path, clock: ReplayClock) -> None:
    with ReplayServer(Recording.of_paths([folder / "rankings-1.json"]), clock) as server:
        got = ask(server, "/models")
    assert (got.status, got.json["error"]["code"]) == (404, 404)
    assert "recording" in got.json["error"]["message"]


@pytest.mark.parametrize(
    "raw",
    [
        b'{"data":[{"id":"a/b","canonical_slug":"a/b","pricing":{"prompt',
        b'{"data":[{"id":"a/b","canonical_slug":"a/b","pricing":' + b"[" * 100_000,
        b'{"data":[{"id":7,"canonical_slug":"a/b","pricing":[]},null,{"id":"a/b","pricing":{}}]}',
    ],
    ids=["truncated", "nested", "strange rows"],
)
def test_a_broken_catalogue_is_served_as_it_was_recorded(
    tmp_path: Path, clock: ReplayClock, raw: bytes
) -> None:
    (tmp_path / "2026-06-19T000000Z.json").write_bytes(raw)
    with ReplayServer(Recording.of_paths([tmp_path]), clock) as server:
        server.arm(Fault("price_zero"))
        assert ask(server, "/models").raw == raw


def test_providers_are_named(server: ReplayServer) -> None:
    rows = ask(server, "/providers").json["data"]
    assert {"OpenAI", "Anthropic", "DeepSeek"} <= {row["name"] for row in rows}


@pytest.mark.parametrize("path", [RANKINGS, "/models", OFFERS, "/providers"])
def test_a_clock_that_stands_still_gives_the_same_bytes(server: ReplayServer, path: str) -> None:
    first, second = ask(server, path), ask(server, path)
    assert first.raw == second.raw
    assert first.headers.items() == second.headers.items()


def test_one_connection_serves_many_requests(server: ReplayServer) -> None:
    host, port = server.origin.removeprefix("http://").split(":")
    with closing(http.client.HTTPConnection(host, int(port), timeout=20)) as connection:
        for _ in range(5):
            connection.request("GET", "/api/v1/models")
            response = connection.getresponse()
            assert response.read() == catalogue("0.000002")
            assert connection.sock is not None


# ---- rate limits


def statuses(server: ReplayServer, count: int) -> Counter[int]:
    return Counter(ask(server, f"{RANKINGS}?start_date=2026-06-19").status for _ in range(count))


def test_thirty_requests_a_minute_then_429_until_the_next(server: ReplayServer, clock: ReplayClock) -> None:
    clock.set(NOW + 20 * SECOND)
    assert statuses(server, MINUTE_REQUESTS_MAX + 2) == {200: 30, 429: 2}
    got = ask(server, RANKINGS)
    assert got.headers["X-RateLimit-Reset"] == str((NOW + 60 * SECOND) // 1000)
    assert got.headers["X-RateLimit-Limit"] == "30"
    assert ask(server, "/models").status == 200
    assert ask(server, RANKINGS, headers={}).status == 401
    clock.set(NOW + 60 * SECOND)
    assert ask(server, RANKINGS).status == 200


def test_five_hundred_requests_a_day_then_the_429_that_was_recorded(
    server: ReplayServer, clock: ReplayClock
) -> None:
    start, allowed = parse_instant("2026-06-20T01:00:00Z"), DAY_REQUESTS_MAX
    for minute in range(allowed // 25):
        clock.set(start + minute * 60 * SECOND)
        assert statuses(server, 25) == {200: 25}
    clock.set(start + 3600 * SECOND)
    got = ask(server, RANKINGS)
    assert got.status == 429
    assert got.json == {
        "error": {"code": 429, "message": "Rate limit exceeded: datasets-per-account-rpd-v1."}
    }
    limits = {name: value for name, value in got.headers.items() if name.startswith("X-RateLimit")}
    assert limits == {
        "X-RateLimit-Limit": "500",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(parse_instant("2026-06-21T00:00:00Z") // 1000),
    }
    assert got.headers["Retry-After"] is None
    clock.set(parse_instant("2026-06-21T00:00:00Z"))
    assert ask(server, RANKINGS).status == 200


# ---- faults, each at the wire

Check = Callable[[ReplayServer], None]


def gets(path: str, status: int, *names: str) -> Check:
    """Return a check of a status, and of the headers that must be there."""

    def check(server: ReplayServer) -> None:
        got = ask(server, path)
        assert got.status == status
        assert got.headers["Retry-After"] is None or "Retry-After" in names
        assert all(got.headers[name] for name in names)
        if got.headers["Content-Type"] == "application/json" and got.raw:
            assert got.json["error"]["code"] == status

    return check


def breaks(*errors: type[Exception], path: str = "/models") -> Check:
    def check(server: ReplayServer) -> None:
        with pytest.raises(errors):
            ask(server, path)

    return check


def has_payload_fault(code: str) -> Check:
    """Return a check that the decoder refuses the payload with this code."""

    def check(server: ReplayServer) -> None:
        got = ask(server, "/models")
        models = decode_models(got.raw)
        assert got.status == 200
        assert not models.readable
        assert code in {fault.code for fault in models.faults}

    return check


def redirects(target: str) -> Check:
    def check(server: ReplayServer) -> None:
        got = ask(server, "/models?limit=2")
        assert got.status == 302
        port = server.origin.rpartition(":")[2]
        assert got.headers["Location"] == target.format(port=port)

    return check


def rows_after(server: ReplayServer, path: str = RANKINGS) -> list[Any]:
    rows: list[Any] = ask(server, path).json["data"]
    return rows


def latest(server: ReplayServer) -> list[Any]:
    return [row["total_tokens"] for row in rows_after(server) if row["date"] == "2026-06-19"]


def prices(server: ReplayServer) -> list[str | None]:
    return [row["pricing"].get("completion") for row in rows_after(server, "/models")]


def first_price(expected: str | None) -> Check:
    def check(server: ReplayServer) -> None:
        assert prices(server) == [expected, *["0.000002"] * 7]

    return check


def first_offer(server: ReplayServer) -> dict[str, Any]:
    offer: dict[str, Any] = ask(server, OFFERS).json["data"]["endpoints"][0]
    return offer


def check_hang(server: ReplayServer) -> None:
    host, port = server.origin.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(b"GET /api/v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)
    assert server.requests[-1].status is None


def check_slow_body(server: ReplayServer) -> None:
    began = time.monotonic()
    assert ask(server, "/models").raw == catalogue("0.000002")
    assert time.monotonic() - began >= 0.8
    assert len(catalogue("0.000002")) > DROPS


def check_gzip(server: ReplayServer) -> None:
    got = ask(server, "/models", headers={"Accept-Encoding": "br, gzip;q=0.5"})
    assert got.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(got.raw) == catalogue("0.000002")
    assert ask(server, "/models", headers={}).raw == catalogue("0.000002")


def check_gzip_cut(server: ReplayServer) -> None:
    got = ask(server, "/models")
    assert got.headers["Content-Encoding"] == "gzip"
    with pytest.raises(EOFError):
        gzip.decompress(got.raw)


def check_gzip_bomb(server: ReplayServer) -> None:
    got = ask(server, "/models")
    assert got.headers["Content-Encoding"] == "gzip"
    assert len(got.raw) < 2**20
    unpacker, size = zlib.decompressobj(wbits=31), 0
    packed = got.raw
    while packed:
        size += len(unpacker.decompress(packed, 2**22))
        packed = unpacker.unconsumed_tail
    assert size > 3 * 20 * 2**20


def check_truncated_json(server: ReplayServer) -> None:
    got = ask(server, "/models")
    assert 0 < len(got.raw) == int(got.headers["Content-Length"])
    has_payload_fault("payload_json")(server)


def check_oversize(server: ReplayServer) -> None:
    got = ask(server, "/models")
    assert len(got.raw) > 20 * 2**20
    assert json.loads(got.raw) == json.loads(catalogue("0.000002"))


def check_html_200(server: ReplayServer) -> None:
    has_payload_fault("payload_html")(server)
    assert ask(server, "/models").headers["Content-Type"].startswith("text/html")


def check_header_flood(server: ReplayServer) -> None:
    with pytest.raises(http.client.HTTPException, match="got more than 100 headers"):
        ask(server, "/models")


def check_clock_skew(server: ReplayServer) -> None:
    assert ask(server, "/models").headers["Date"] == "Sat, 20 Jun 2026 09:02:00 GMT"


def check_redirect_same_host(server: ReplayServer) -> None:
    got = ask(server, "/models?limit=2")
    assert got.status == 302
    followed = got.headers["Location"].removeprefix(server.url)
    assert len(ask(server, followed).json["data"]) == 2
    assert ask(server, "/models").headers["Location"].startswith(f"{server.url}/models?")


def check_firewall(server: ReplayServer) -> None:
    got = ask(server, "/models")
    assert (got.status, got.raw[:9]) == (403, b"<!DOCTYPE")
    assert got.headers["Content-Type"].startswith("text/html")


def check_retry_date(server: ReplayServer) -> None:
    gets(RANKINGS, 429, "Retry-After")(server)
    assert ask(server, RANKINGS).headers["Retry-After"] == "Sat, 20 Jun 2026 09:00:05 GMT"


def check_reset(server: ReplayServer) -> None:
    got = ask(server, RANKINGS)
    assert (got.status, got.headers["Retry-After"]) == (429, None)
    assert got.headers["X-RateLimit-Reset"] == str(parse_instant("2026-06-21T00:00:00Z") // 1000)


def check_empty_data(server: ReplayServer) -> None:
    assert rows_after(server) == rows_after(server, "/models") == []


def check_half_data(server: ReplayServer) -> None:
    assert len(rows_after(server)) == 19
    assert len(rows_after(server, "/models")) == 3


def check_unknown_fields(server: ReplayServer) -> None:
    got = ask(server, "/models")
    found = {fault.place for fault in decode_models(got.raw).faults if fault.code == "schema_unknown"}
    assert found >= {"replay_unknown", "data[].replay_unknown", "data[].pricing.replay_unknown"}
    assert "replay_unknown" in ask(server, RANKINGS).json
    assert "replay_unknown" in first_offer(server)["pricing"]


def check_late(server: ReplayServer) -> None:
    got = ask(server, RANKINGS).json
    assert got["meta"]["end_date"] == "2026-06-19"
    assert max(row["date"] for row in got["data"]) == "2026-06-18"


def check_restate(server: ReplayServer) -> None:
    changed = [
        (row["date"], row["total_tokens"]) for row in rows_after(server) if row["total_tokens"] == "1010"
    ]
    assert changed == [("2026-06-17", "1010")]
    server.clock.set(parse_instant("2026-06-21T03:00:00Z"))
    assert [row["date"] for row in rows_after(server) if row["total_tokens"] == "1010"] == ["2026-06-17"]


def check_volume_duplicate(server: ReplayServer) -> None:
    raw = ask(server, RANKINGS).raw
    assert "volume_duplicate" in {fault.code for fault in decode_rankings(raw, NOW).faults}


def check_volume_outside_meta(server: ReplayServer) -> None:
    got = ask(server, RANKINGS).json
    assert max(row["date"] for row in got["data"]) == "2026-06-20" > got["meta"]["end_date"]


def check_as_of_moves(server: ReplayServer) -> None:
    seen = [ask(server, RANKINGS).json["meta"]["as_of"] for _ in range(3)]
    assert seen == sorted(set(seen))


def check_row_gone(server: ReplayServer) -> None:
    assert [row["canonical_slug"] for row in rows_after(server, "/models")] == SLUGS[1:]


def check_row_renamed(server: ReplayServer) -> None:
    row = rows_after(server, "/models")[0]
    assert (row["id"], row["canonical_slug"]) == ("openai/gpt-a-renamed", SLUGS[0])


def check_old_envelope(server: ReplayServer) -> None:
    got = ask(server, "/models").json
    assert (got.keys(), len(got["data"])) == ({"data"}, len(SLUGS))


def check_paged_envelope(server: ReplayServer) -> None:
    got = ask(server, "/models").json
    assert (len(got["data"]), got["total_count"]) == (4, 8)
    rest = ask(server, got["links"]["next"].removeprefix("/api/v1")).json
    assert [row["canonical_slug"] for row in got["data"] + rest["data"]] == SLUGS
    assert rest["links"] == {"next": None}


def check_alias_row(server: ReplayServer) -> None:
    row = rows_after(server, "/models")[-1]
    assert (row["id"], row["pricing"]["completion"]) == ("~openai/x-latest", "0.000001")
    assert len(rows_after(server, "/models")) == len(SLUGS) + 1


def check_overrides_tokens(server: ReplayServer) -> None:
    pricing = rows_after(server, "/models")[0]["pricing"]
    assert pricing["completion"] == "0.000002"
    assert pricing.get("overrides") == [
        {"min_prompt_tokens": 200_000, "prompt": "0.000002", "completion": "0.000004"}
    ]


def check_overrides_time(server: ReplayServer) -> None:
    base = {}
    for hour in (0, 1, 3, 4, 6, 9, 10, 23):
        server.clock.set(parse_instant(f"2026-06-20T{hour:02d}:30:00Z") - DAY)
        raw = ask(server, "/models").raw
        base[hour] = json.loads(raw)["data"][0]["pricing"]["completion"]
        assert not {fault.code for fault in decode_models(raw).faults} & {"price_window"}
    assert {hour for hour, price in base.items() if price == "0.000004"} == {1, 3, 6, 9}
    assert set(base.values()) == {"0.000002", "0.000004"}


def check_flex_first(server: ReplayServer) -> None:
    offer = first_offer(server)
    assert (offer["tag"], offer["pricing"]["completion"]) == ("openai/flex", "0.000001")
    assert len(ask(server, OFFERS).json["data"]["endpoints"]) == 3


def discounted(share: str, completion: str) -> Check:
    def check(server: ReplayServer) -> None:
        pricing = first_offer(server)["pricing"]
        assert (pricing["discount"], pricing["completion"]) == (Decimal(share), completion)

    return check


def check_null_latency(server: ReplayServer) -> None:
    offer = first_offer(server)
    assert offer["latency_last_30m"] is offer["throughput_last_30m"] is None


def check_total(expected: Any) -> Check:
    def check(server: ReplayServer) -> None:
        assert latest(server)[0] == expected
        assert latest(server)[1:] == ["500", "500", "9999"]

    return check


CHECKS: dict[str, Check] = {
    "http_429": gets(RANKINGS, 429, "Retry-After"),
    "http_429_date": check_retry_date,
    "http_429_reset": check_reset,
    "http_429_bare": gets(RANKINGS, 429),
    "http_500": gets("/models", 500),
    "http_502": gets(OFFERS, 502),
    "http_503": gets(RANKINGS, 503, "Retry-After"),
    "http_403_html": check_firewall,
    "http_408": gets("/models", 408),
    "http_401": gets(RANKINGS, 401),
    "redirect_elsewhere": redirects("http://127.0.0.2:{port}/api/v1/models?limit=2"),
    "redirect_same_host": check_redirect_same_host,
    "redirect_loop": redirects("http://127.0.0.1:{port}/api/v1/models?limit=2"),
    "hang": check_hang,
    "slow_body": check_slow_body,
    "cut_body": breaks(http.client.IncompleteRead),
    "reset": breaks(ConnectionResetError),
    "close_before_answer": breaks(http.client.RemoteDisconnected),
    "truncated_json": check_truncated_json,
    "html_200": check_html_200,
    "empty_body": has_payload_fault("payload_no_bytes"),
    "bad_utf8": has_payload_fault("payload_utf8"),
    "too_deep": has_payload_fault("payload_depth"),
    "duplicate_key": has_payload_fault("payload_duplicate_key"),
    "nan": has_payload_fault("payload_not_finite"),
    "oversize": check_oversize,
    "gzip": check_gzip,
    "gzip_cut": check_gzip_cut,
    "gzip_bomb": check_gzip_bomb,
    "header_flood": check_header_flood,
    "clock_skew": check_clock_skew,
    "empty_data": check_empty_data,
    "half_data": check_half_data,
    "unknown_fields": check_unknown_fields,
    "late": check_late,
    "restate": check_restate,
    "missing_other": lambda server: pytest.fail("other") if "9999" in latest(server) else None,
    "volume_duplicate": check_volume_duplicate,
    "volume_float": check_total(Decimal("1000.5")),
    "volume_int": lambda server: check_equal(latest(server), [1000, 500, 500, 9999]),
    "volume_negative": check_total("-1"),
    "volume_oversize": check_total("9223372036854775808"),
    "volume_outside_meta": check_volume_outside_meta,
    "as_of_moves": check_as_of_moves,
    "price_minus_one": first_price("-1"),
    "price_zero": first_price("0"),
    "price_missing": first_price(None),
    "price_exponent": first_price("2e-6"),
    "price_flip": lambda server: check_equal(prices(server)[3], "0.5"),
    "price_unit_slip": first_price("2"),
    "row_gone": check_row_gone,
    "row_renamed": check_row_renamed,
    "old_envelope": check_old_envelope,
    "paged_envelope": check_paged_envelope,
    "alias_row": check_alias_row,
    "overrides_tokens": check_overrides_tokens,
    "overrides_time": check_overrides_time,
    "flex_first": check_flex_first,
    "discount_half": discounted("0.5", "0.000001"),
    "discount_negative": discounted("-0.2", "0.0000024"),
    "status_negative": lambda server: check_equal(first_offer(server)["status"], -2),
    "null_latency": check_null_latency,
    "endpoints_empty": lambda server: check_equal(ask(server, OFFERS).json["data"]["endpoints"], []),
}

GIVEN: dict[str, int | str] = {"slow_body": 1, "price_flip": f"{SLUGS[3]}=0.5"}
"""Values of faults that need one, or that would take long."""


def check_equal(found: Any, expected: Any) -> None:
    assert found == expected


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_met_at_the_wire_and_gone_when_disarmed(
    server: ReplayServer, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    server.arm(Fault(name, value=GIVEN.get(name)))
    CHECKS[name](server)
    assert {request.fault for request in server.requests} <= {name, None}
    assert name in {request.fault for request in server.requests}
    server.disarm()
    server.clock.set(NOW)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        CHECKS[name](server)
    assert capfd.readouterr().err == ""


def test_every_fault_has_its_check_and_its_place_in_the_document() -> None:
    assert list(CHECKS) == list(FAULTS)
    rows = dict(re.findall(r"^\| `([a-z0-9_]+)` \| (.*?) \|", DOCUMENT, re.MULTILINE))
    assert {name: rows[name] for name in FAULTS} == FAULTS


@pytest.mark.parametrize(
    ("fault", "path", "check"),
    [
        (Fault("http_429", value=90), "/models", lambda got: got.headers["Retry-After"] == "90"),
        (
            Fault("http_429_reset", value=90),
            "/models",
            lambda got: got.headers["X-RateLimit-Reset"] == str(NOW // 1000 + 90_000),
        ),
        (
            Fault("redirect_elsewhere", value="http://elsewhere.example/"),
            "/models",
            lambda got: got.headers["Location"] == "http://elsewhere.example/api/v1/models",
        ),
        (
            Fault("clock_skew", value=-3),
            "/models",
            lambda got: got.headers["Date"].startswith("Sat, 20 Jun 2026 08:59:57"),
        ),
        (
            Fault("restate", value="2026-06-12"),
            RANKINGS,
            lambda got: (
                [r["date"] for r in got.json["data"] if r["total_tokens"] == "1010"] == ["2026-06-12"]
            ),
        ),
        (
            Fault("price_zero", value="openai/gpt-c"),
            "/models",
            lambda got: (
                [r["id"] for r in got.json["data"] if r["pricing"]["completion"] == "0"] == ["openai/gpt-c"]
            ),
        ),
        (
            Fault("price_zero", value="openai/unheard-of"),
            "/models",
            lambda got: "0" not in str(got.json["data"][0]["pricing"].values()).split("'"),
        ),
        (
            Fault("status_negative", value=-5),
            OFFERS,
            lambda got: got.json["data"]["endpoints"][0]["status"] == -5,
        ),
    ],
    ids=lambda part: part.name if isinstance(part, Fault) else None,
)
def test_a_fault_takes_its_value(
    server: ReplayServer, fault: Fault, path: str, check: Callable[[Got], bool]
) -> None:
    server.arm(fault)
    assert check(ask(server, path))


def test_a_fault_acts_where_and_when_and_as_often_as_it_was_armed(
    server: ReplayServer, clock: ReplayClock
) -> None:
    server.arm(Fault("http_500", on="models", first=NOW, last=NOW + SECOND, times=2))

    def met(path: str, instant: int) -> int:
        clock.set(instant)
        return ask(server, path).status

    assert met(RANKINGS, NOW) == met(OFFERS, NOW) == met("/providers", NOW) == 200
    assert met("/models", NOW - 1) == met("/models", NOW + SECOND + 1) == 200
    assert server.faults
    assert met("/models", NOW) == met("/models", NOW + SECOND) == 500
    assert server.faults == []
    assert met("/models", NOW) == 200


def test_faults_of_the_content_act_together_and_one_of_the_wire_beside_them(server: ReplayServer) -> None:
    server.arm(Fault("price_flip", value="openai/gpt-b=7"), Fault("price_zero"), Fault("clock_skew"))
    assert prices(server)[:2] == ["0", "7"]
    assert server.requests[-1].fault == "price_flip+price_zero+clock_skew"
    server.arm(Fault("cut_body"))
    breaks(http.client.IncompleteRead)(server)


def test_a_redirect_leads_to_a_server_that_sees_whether_the_key_comes_along(
    recording: Recording, clock: ReplayClock, server: ReplayServer
) -> None:
    with ReplayServer(recording, clock, host="127.0.0.2", key=KEY) as elsewhere:
        server.arm(Fault("redirect_elsewhere", value=elsewhere.origin))
        assert ask(server, "/models").headers["Location"] == f"{elsewhere.url}/models"
        ask(elsewhere, "/models", headers={})
        ask(elsewhere, "/models")
        assert [request.authorized for request in elsewhere.requests] == [False, True]


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "http_418"},
        {"name": "http_500", "on": "benchmarks"},
        {"name": "late", "on": "models"},
        {"name": "price_zero", "on": "rankings-daily"},
        {"name": "http_500", "first": NOW, "last": NOW - 1},
        {"name": "http_500", "times": 0},
        {"name": "http_500", "times": True},
        {"name": "http_500", "value": 3},
        {"name": "price_flip"},
        {"name": "price_flip", "value": "openai/gpt-a"},
        {"name": "hang", "value": -1},
        {"name": "hang", "value": 86_401},
        {"name": "hang", "value": "5"},
        {"name": "hang", "value": True},
        {"name": "restate", "value": 0},
        {"name": "restate", "value": "2026-02-30"},
        {"name": "clock_skew", "value": "two"},
        {"name": "status_negative", "value": 0},
        {"name": "redirect_elsewhere", "value": "elsewhere.example"},
        {"name": "redirect_elsewhere", "value": "http://a\r\nSet-Cookie: a"},
        {"name": "row_gone", "value": ""},
        {"name": "row_gone", "value": "a" * 201},
    ],
    ids=str,
)
def test_a_fault_that_cannot_be_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(BadCall) as refusal:
        Fault(**fields)
    assert refusal.value.code == "replay_fault"
    assert refusal.value.remedy


def test_no_more_than_a_thousand_faults_are_armed(server: ReplayServer) -> None:
    server.arm(*[Fault("late")] * 1000)
    for arm in (server.arm, lambda fault: server.arm_only([fault] * 1001)):
        with pytest.raises(BadCall) as refusal:
            arm(Fault("late"))
        assert refusal.value.code == "replay_fault"
    assert len(server.faults) == 1000


# ---- the plan, and control over HTTP

PLAN: list[dict[str, Any]] = [
    {
        "name": "http_500",
        "on": "models",
        "first": "2026-06-20T00:00:00Z",
        "last": "2026-06-20T12:00:00Z",
        "times": 3,
    },
    {"name": "restate", "value": "2026-06-12"},
    {"name": "hang", "on": "rankings-daily", "value": 5},
]


def test_a_plan_is_a_list_of_faults(tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps(PLAN))
    assert read_plan(plan) == [
        Fault(
            "http_500",
            on="models",
            first=parse_instant("2026-06-20T00:00:00Z"),
            last=parse_instant("2026-06-20T12:00:00Z"),
            times=3,
        ),
        Fault("restate", value="2026-06-12"),
        Fault("hang", on="rankings-daily", value=5),
    ]


def test_the_plan_of_the_document_can_be_read(tmp_path: Path) -> None:
    [example] = re.findall(r"```json\n(\[.*?\])\n```", DOCUMENT, re.DOTALL)
    plan = tmp_path / "plan.json"
    plan.write_text(example)
    assert len(read_plan(plan)) == 3


def test_the_example_of_the_document_runs() -> None:
    [example] = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(example, "docs/replay.md", "exec"), names)
    assert names["clock"].now() == parse_instant("2026-06-21T08:00:00Z")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "array"),
        ("[", "truncated"),
        ('[{"on": "models"}]', "`name`"),
        ('[{"name": "late"}, {"name": "http_418"}]', "fault 1: no fault is called 'http_418'"),
        ('[{"name": "late", "colour": "red"}]', "colour"),
        ('[{"name": "late", "first": "tomorrow"}]', "fault 0: not a UTC instant"),
        ('[{"name": "hang", "value": 1.5}]', "$[0].value"),
        ("[" * 100_000, "plan"),
        ('["\xff"]', "plan"),
        (" " * (2**20 + 1), "over 1048576 bytes"),
    ],
)
def test_a_bad_plan_says_what_is_wrong_and_where(tmp_path: Path, text: str, said: str) -> None:
    plan = tmp_path / "plan.json"
    plan.write_bytes(text.encode("latin-1"))
    with pytest.raises(BadInput) as refusal:
        read_plan(plan)
    assert refusal.value.code == "replay_plan"
    assert said in refusal.value.found
    assert str(plan) in refusal.value.found
    assert refusal.value.remedy


def test_a_plan_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No such file"):
        read_plan(tmp_path / "plan.json")


def put(server: ReplayServer, what: str, content: Any) -> Got:
    return ask(server, f"/_replay/{what}", method="PUT", body=json.dumps(content).encode(), headers={})


def test_the_clock_is_set_over_http(server: ReplayServer) -> None:
    got = put(server, "clock", {"now": "2026-06-20T12:00:00Z", "rate": 0})
    assert got.status == 200
    assert got.json["now"] == "2026-06-20T12:00:00Z"
    assert ask(server, "/models").raw == catalogue("0.000003")
    assert put(server, "clock", {"rate": 1}).json["rate"] == 1
    settings: list[Any] = [{"now": "noon"}, {"rate": -1}, {"rate": "1"}, {"then": 1}, []]
    for bad in [*settings, {"now": "1969-01-01T00:00:00Z"}]:
        refused = put(server, "clock", bad)
        assert (refused.status, refused.json["error"]["code"]) == (400, 400), bad
    assert server.clock.rate == 1


def test_faults_are_armed_over_http(server: ReplayServer) -> None:
    server.arm(Fault("late"))
    assert put(server, "faults", PLAN).status == 200
    assert [fault.name for fault in server.faults] == ["http_500", "restate", "hang"]
    refused = put(server, "faults", [{"name": "http_418"}])
    assert refused.status == 400
    assert all(name in refused.json["error"]["message"] for name in FAULTS)
    assert len(server.faults) == 3
    state = ask(server, "/_replay/state", headers={}).json
    assert state["faults"] == [{"on": "*", **fault} for fault in PLAN]
    assert put(server, "faults", []).json["faults"] == []


def test_state_and_requests_are_told_over_http(server: ReplayServer) -> None:
    server.arm(Fault("http_503", on="models", times=1))
    ask(server, "/models?limit=1", headers={})
    ask(server, "/models")
    assert ask(server, "/_replay/state", headers={}).json == {
        "now": "2026-06-20T09:00:00Z",
        "rate": 0,
        "faults": [],
        "requests": 2,
        "url": server.url,
    }
    first = {
        "instant": "2026-06-20T09:00:00Z",
        "method": "GET",
        "path": "/api/v1/models?limit=1",
        "status": 503,
        "fault": "http_503",
        "authorized": False,
    }
    second = {**first, "path": "/api/v1/models", "status": 200, "fault": None, "authorized": True}
    assert ask(server, "/_replay/requests", headers={}).json == [first, second]


@pytest.mark.parametrize(
    ("method", "what"), [("GET", "keys"), ("PUT", "state"), ("GET", "clock"), ("GET", "")]
)
def test_an_unknown_control_request_lists_the_known(server: ReplayServer, method: str, what: str) -> None:
    got = ask(server, f"/_replay/{what}", method=method)
    assert got.status == 404
    assert "GET /_replay/state" in got.json["error"]["message"]
    for known in ("GET /_replay/state", "GET /_replay/requests", "PUT /_replay/clock", "PUT /_replay/faults"):
        assert f"`{known}`" in DOCUMENT


# ---- limits, the key, the end


def test_the_key_is_kept_nowhere(
    recording: Recording, clock: ReplayClock, capfd: pytest.CaptureFixture[str]
) -> None:
    with ReplayServer(recording, clock, key=KEY) as server:
        server.arm(Fault("reset", times=1), Fault("http_500", on="models", times=1))
        for path in ("/models", "/models", RANKINGS, f"/{KEY}", f"{RANKINGS}?start_date={KEY}"):
            try:
                got = ask(server, path)
            except ConnectionResetError:
                continue
            assert KEY not in str(got.headers) + got.raw.decode()
        told = ask(server, "/_replay/state").raw + ask(server, "/_replay/requests").raw
        assert KEY not in repr(server.requests) + repr(server.faults) + told.decode()
        assert len(server.requests) == 5
    output = capfd.readouterr()
    assert KEY not in output.out + output.err
    assert output.err == ""


def test_the_log_of_requests_is_bounded(server: ReplayServer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert server._requests.maxlen == 10_000
    ask(server, "/models?" + "q" * 5000)
    assert len(server.requests[-1].path) == 500


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.1", "example.org", "::1", "", "8.8.8.8"])
def test_no_other_host_than_loopback(recording: Recording, clock: ReplayClock, host: str) -> None:
    with pytest.raises(BadCall) as refusal:
        ReplayServer(recording, clock, host=host)
    assert refusal.value.code == "replay_host"


@pytest.mark.parametrize(
    "setting", [{"port": -1}, {"port": 65_536}, {"ready_hour": 24}, {"today": "maybe"}, {"key": ""}]
)
def test_a_setting_that_cannot_be_is_refused(
    recording: Recording, clock: ReplayClock, setting: dict[str, Any]
) -> None:
    with pytest.raises(BadCall) as refusal:
        ReplayServer(recording, clock, **setting)
    assert refusal.value.code == "replay_setting"


def test_a_port_in_use_is_refused(server: ReplayServer, recording: Recording, clock: ReplayClock) -> None:
    port = int(server.origin.rpartition(":")[2])
    with pytest.raises(EnvironmentFailed) as refusal, ReplayServer(recording, clock, port=port):
        pytest.fail("two servers at one port")
    assert refusal.value.code == "replay_port"


def test_localhost_is_loopback(recording: Recording, clock: ReplayClock) -> None:
    with ReplayServer(recording, clock, host="localhost") as server:
        assert server.url.startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("PUT", {"Content-Length": str(BODY_BYTES_MAX + 1)}, 413),
        ("PUT", {"Content-Length": "-1"}, 413),
        ("PUT", {"Transfer-Encoding": "chunked"}, 413),
        ("PUT", {"Content-Length": "0"}, 405),
        ("POST", {"Content-Length": "0"}, 501),
        ("BREW", {}, 501),
    ],
)
def test_what_it_does_not_take_is_refused_in_the_shape_of_the_api(
    server: ReplayServer, method: str, headers: dict[str, str], status: int
) -> None:
    got = ask(server, "/models", method=method, headers=headers)
    assert (got.status, got.json["error"]["code"]) == (status, status)


def test_what_is_no_http_is_refused(server: ReplayServer) -> None:
    host, port = server.origin.removeprefix("http://").split(":")
    for raw in (
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n",
    ):
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(raw)
            assert b'{"error":{"code":' in connection.recv(2**16)
    assert ask(server, "/models?" + "&".join("q=1" for _ in range(101))).status == 400
    assert server.requests == []


def test_connections_are_bounded(server: ReplayServer) -> None:
    host, port = server.origin.removeprefix("http://").split(":")
    held = [socket.create_connection((host, int(port)), timeout=20) for _ in range(CONNECTIONS_MAX + 1)]
    try:
        assert held[-1].recv(1) == b""
        held[0].sendall(b"GET /api/v1/providers HTTP/1.1\r\n\r\n")
        assert held[0].recv(12) == b"HTTP/1.1 200"
    finally:
        for connection in held:
            connection.close()


@pytest.mark.parametrize("fault", ["hang", "slow_body", None])
def test_it_stops_quickly_whoever_is_connected(
    recording: Recording, clock: ReplayClock, fault: str | None
) -> None:
    before = threading.active_count()
    with ReplayServer(recording, clock) as server:
        if fault:
            server.arm(Fault(fault, value=3600))
        host, port = server.origin.removeprefix("http://").split(":")
        connection = socket.create_connection((host, int(port)), timeout=20)
        connection.sendall(b"GET /api/v1/models HTTP/1.1\r\n\r\n")
        while not server.requests:
            threading.Event().wait(0.01)
        began = time.monotonic()
    assert time.monotonic() - began < 2
    assert threading.active_count() == before
    connection.close()


def test_every_sort_of_value_is_in_the_document() -> None:
    for what, _ in VALUES.values():
        assert what in DOCUMENT
