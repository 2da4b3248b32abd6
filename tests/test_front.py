"""What stands before Django, by the letter of HTTP: validators, ranges, compression, rates, and what is held."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterator
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from asking import Answered, ask
from mtok.archive import Store
from mtok.calendar import parse_instant
from mtok.progress import silent
from mtok.publication.operators import give_notice
from mtok.publication.press import nowhere
from mtok.venue import front
from mtok.venue.front import HELD_BYTES_BESIDE, HELD_BYTES_MAX, Front
from mtok.venue.rates import Rates
from served import serving

PARQUET = "/series/openai.parquet"
POINTS = "/v1/series/openai/points"
RECORD = "/records/openai/2026-06-25.1.json"
DATED = "/v1/series/openai/points/2026-06-25?vintage=1"


@pytest.fixture(scope="module")
def parquet(published_sample: Path) -> bytes:
    return (published_sample / "publication" / PARQUET[1:]).read_bytes()


# ---- conditional requests (RFC 9110, 13)


@pytest.mark.parametrize("path", ["/", POINTS, PARQUET, RECORD, "/v1/log/entries/3", "/log/checkpoint"])
def test_an_answer_that_is_known_is_not_sent_again(site: str, path: str) -> None:
    whole = ask(site, path)
    etag = whole.headers["etag"]
    assert etag.startswith('"'), "a strong validator"
    for tags in (etag, f'"other", {etag}', f"W/{etag}", "*", f'"a","b" ,{etag}'):
        again = ask(site, path, If_None_Match=tags)
        assert (again.status, again.body) == (304, b""), tags
        assert again.headers["etag"] == etag
        assert again.headers["cache-control"] == whole.headers["cache-control"]
        assert "content-type" not in again.headers
    for tags in ('"other"', etag.strip('"'), '""', "", etag[:-2] + '"'):
        assert ask(site, path, If_None_Match=tags).body == whole.body, tags
    head = ask(site, path, "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.body))
    assert head.headers["etag"] == etag
    assert ask(site, path, "HEAD", If_None_Match=etag).status == 304


def test_a_tag_is_worth_more_than_a_date(site: str) -> None:
    since = ask(site, POINTS).headers["last-modified"]
    assert since == "Sat, 27 Jun 2026 14:05:00 GMT"
    assert ask(site, POINTS, If_Modified_Since=since).status == 304
    assert ask(site, POINTS, If_Modified_Since="Sun, 28 Jun 2026 00:00:00 GMT").status == 304
    assert ask(site, POINTS, If_Modified_Since="Sat, 27 Jun 2026 14:04:59 GMT").status == 200
    assert ask(site, POINTS, If_Modified_Since="yesterday").status == 200
    assert ask(site, POINTS, If_Modified_Since=since, If_None_Match='"other"').status == 200


def test_what_never_changes_has_the_date_of_its_publication(site: str) -> None:
    for path in (RECORD, "/proofs/openai/2026-06-25.1.tlog-proof"):
        assert ask(site, path).headers["last-modified"] == ask(site, DATED).headers["last-modified"], path
    first = ask(site, "/records/openai/2026-06-25.0.json").headers["last-modified"]
    assert first != ask(site, RECORD).headers["last-modified"]
    assert ask(site, "/prices/2026-06-25.json").headers["last-modified"] in (
        first,
        ask(site, DATED).headers["last-modified"],
    )


def test_what_changes_with_the_hour_has_no_date(site: str) -> None:
    answer = ask(site, "/v1/status")
    assert "last-modified" not in answer.headers
    assert answer.headers["cache-control"] == "public, max-age=60"


# ---- compression


def test_gzip_is_for_those_who_take_it_and_has_a_tag_of_its_own(site: str) -> None:
    plain = ask(site, POINTS)
    assert plain.headers["vary"] == "Accept-Encoding"
    assert "content-encoding" not in plain.headers
    for accepted in ("gzip", "br, gzip;q=0.5", "GZIP", "deflate,gzip ; q=1", "*"):
        packed = ask(site, POINTS, Accept_Encoding=accepted)
        assert packed.headers.get("content-encoding") == "gzip", accepted
        assert gzip.decompress(packed.body) == plain.body
        assert len(packed.body) < len(plain.body) / 3
        assert packed.headers["etag"] != plain.headers["etag"]
        again = ask(site, POINTS, Accept_Encoding=accepted, If_None_Match=packed.headers["etag"])
        assert (again.status, again.headers["etag"]) == (304, packed.headers["etag"])
    for refused in ("", "identity", "gzip;q=0", "gzip; q=0.000", "br", "*;q=0", "gzipped", "gzip;q=0, *"):
        assert ask(site, POINTS, Accept_Encoding=refused).body == plain.body, refused
    assert "content-encoding" not in ask(site, PARQUET, Accept_Encoding="gzip").headers


# ---- ranges (RFC 9110, 14)


def test_a_part_of_a_file(site: str, parquet: bytes) -> None:
    size = len(parquet)
    parts = {
        "bytes=0-3": (0, 4),
        "bytes=4-": (4, size),
        "bytes=-8": (size - 8, size),
        f"bytes=-{size + 5}": (0, size),
        f"bytes={size - 1}-{size + 99}": (size - 1, size),
        "BYTES=2-2": (2, 3),
    }
    for asked, (start, end) in parts.items():
        answer = ask(site, PARQUET, Range=asked)
        assert (answer.status, answer.body) == (206, parquet[start:end]), asked
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
        assert answer.headers["content-length"] == str(end - start)
    for ignored in (
        "bytes=5-2",
        "bytes=0-1,4-5",
        "lines=0-3",
        "bytes=a-b",
        "bytes=-",
        "bytes",
        "bytes=0x1-2",
    ):
        answer = ask(site, PARQUET, Range=ignored)
        assert (answer.status, answer.body) == (200, parquet), ignored
        assert answer.headers["accept-ranges"] == "bytes"
    for beyond in (f"bytes={size}-", "bytes=-0", "bytes=999999999999999-"):
        answer = ask(site, PARQUET, Range=beyond)
        assert (answer.status, answer.code) == (416, "range_unsatisfiable"), beyond
        assert answer.headers["content-range"] == f"bytes */{size}"
        assert answer.headers["cache-control"] == "no-store"
    head = ask(site, PARQUET, "HEAD", Range="bytes=0-3")
    assert (head.status, head.headers["content-length"]) == (200, str(size))


def test_a_part_of_what_it_was(site: str, parquet: bytes) -> None:
    etag = ask(site, PARQUET).headers["etag"]
    assert ask(site, PARQUET, Range="bytes=0-3", If_Range=etag).body == parquet[:4]
    for other in ('"other"', f"W/{etag}", "Sat, 27 Jun 2026 14:04:59 GMT", etag.strip('"')):
        answer = ask(site, PARQUET, Range="bytes=0-3", If_Range=other)
        assert (answer.status, answer.body) == (200, parquet), other
    dated = ask(site, POINTS)
    answer = ask(site, POINTS, Range="bytes=0-3", If_Range=dated.headers["last-modified"])
    assert (answer.status, answer.body) == (206, dated.body[:4])
    assert ask(site, PARQUET, Range="bytes=0-3", If_None_Match=etag).status == 304


# ---- for ever, and until the next publication


def test_what_never_changes_says_so(site: str) -> None:
    forever = "public, max-age=31536000, immutable"
    for path in (
        RECORD,
        "/prices/2026-06-25.json",
        "/v1/series/openai/points/2026-06-25?vintage=0",
        "/v1/series/openai/points/2026-06-25/constituents?vintage=1",
        "/v1/series/openai/points/2026-06-25/proof?vintage=1",
        "/v1/log/entries/3",
        "/v1/log/proof?index=3&size=100",
        "/v1/log/consistency?first=3&second=100",
    ):
        assert ask(site, path).headers["cache-control"] == forever, path
    for path in (
        *(
            "/",
            PARQUET,
            POINTS,
            "/log/checkpoint",
            "/v1/series/openai/points/2026-06-25",
            "/v1/log/checkpoint",
        ),
        *("/v1/log/proof?index=3", "/v1/log/consistency?first=3", "/v1/series/openai/points?vintage=0"),
    ):
        assert ask(site, path).headers["cache-control"] == "public, max-age=60", path


def test_a_publication_is_seen_at_once(published_sample: Path, tmp_path: Path, quick_disk: None) -> None:
    path = Path(shutil.copytree(published_sample, tmp_path / "store"))
    with serving(path) as site:
        before = ask(site, "/v1/notices")
        paged = ask(site, f"{POINTS}?limit=5").json
        assert ask(site, "/v1/notices").body == before.body
        give_notice(
            Store.open(path),
            parse_instant("2026-06-27T14:30:00Z"),
            nowhere,
            kind="incident",
            text="Something was said.",
            series=None,
            first_date=None,
            last_date=None,
            progress=silent,
        )
        after = ask(site, "/v1/notices", If_None_Match=before.headers["etag"])
        assert after.status == 200
        assert after.json["notices"][0]["text"] == "Something was said."
        assert after.json["notices"][1:] == before.json["notices"]
        assert after.headers["last-modified"] == "Sat, 27 Jun 2026 14:30:00 GMT"
        following = ask(site, paged["next"]).json
        assert following["log_size"] == paged["log_size"]
        assert ask(site, POINTS).json["log_size"] > paged["log_size"]


# ---- other origins


def test_other_origins_may_read_data_and_nothing_else(site: str) -> None:
    for path in (POINTS, PARQUET, "/log/checkpoint", "/v1/nothing"):
        answer = ask(site, path, Origin="https://elsewhere.example")
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "ETag" in answer.headers["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in answer.headers
        before = ask(
            site,
            path,
            "OPTIONS",
            Origin="https://elsewhere.example",
            Access_Control_Request_Method="GET",
            Access_Control_Request_Headers="if-none-match",
        )
        assert (before.status, before.body) == (204, b"")
        assert before.headers["access-control-allow-methods"] == "GET, HEAD, OPTIONS"
        assert "If-None-Match" in before.headers["access-control-allow-headers"]
    for path in ("/", "/status", "/series/openai"):
        assert (
            "access-control-allow-origin" not in ask(site, path, Origin="https://elsewhere.example").headers
        )


def test_pages_and_files_are_only_read(site: str) -> None:
    for path in ("/", "/series/openai", PARQUET, "/healthz"):
        for method in ("POST", "PUT", "DELETE"):
            answer = ask(site, path, method)
            assert answer.status == 405, (path, method)
            assert answer.headers["allow"] == "GET, HEAD"


# ---- what every answer carries


@pytest.mark.parametrize("path", ["/", POINTS, PARQUET, "/nothing", "/v1/nothing", "/static/site.css"])
def test_headers_that_protect_readers(site: str, path: str) -> None:
    answer = ask(site, path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "strict-origin-when-cross-origin"
    assert "set-cookie" not in answer.headers
    assert "strict-transport-security" not in answer.headers, "said without TLS"
    if path != "/static/site.css":
        assert answer.headers["x-frame-options"] == "DENY"
        policy = dict(
            part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";")
        )
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert "unsafe" not in answer.headers["content-security-policy"]


def test_names_that_are_not_served(site: str) -> None:
    for path in ("/", "/v1/series", PARQUET):
        answer = ask(site, path, Host="evil.example")
        assert (answer.status, answer.code) == (400, "host_unknown"), path
        assert b"evil" not in answer.body
        assert ask(site, path, Host="localhost").status == 200


# ---- behind a proxy; how often


def test_behind_a_proxy_that_ends_tls(published_sample: Path) -> None:
    settings = {"proxies": "1", "rate_limit": "5/minute", "hosts": "index.example,127.0.0.1"}
    with serving(published_sample, **settings) as site:

        def asked(path: str = "/v1/notices", by: str = "192.0.2.1", proto: str = "https") -> Answered:
            return ask(site, path, Host="index.example", X_Forwarded_For=by, X_Forwarded_Proto=proto)

        assert asked("/", by="192.0.2.8").headers["strict-transport-security"] == "max-age=31536000"
        assert "strict-transport-security" not in asked("/", by="192.0.2.8", proto="http").headers
        first = asked()
        assert first.headers["ratelimit-policy"] == '"v1";q=5;w=60'
        assert first.headers["ratelimit"].startswith('"v1";r=4;t=')
        left = [asked().headers["ratelimit"].split(";")[1] for _ in range(4)]
        assert left == ["r=3", "r=2", "r=1", "r=0"]
        refused = asked()
        assert (refused.status, refused.code) == (429, "rate_limited")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert refused.headers["access-control-allow-origin"] == "*"
        for same in ("203.0.113.9, 192.0.2.1", "192.0.2.1:4711", "::ffff:192.0.2.1"):
            assert asked(by=same).status == 429, same
        for other in ("192.0.2.2", "192.0.2.1, 203.0.113.9", "2001:db8::1", "::ffff:192.0.2.3"):
            assert asked(by=other).status == 200, other
        for _ in range(4):
            assert asked(by="[2001:db8::2]:443").status == 200
        assert asked(by="2001:db8::3").status == 429, "a /64 counts as one"
        assert asked(by="2001:db8:0:1::3").status == 200
        assert asked(PARQUET).status == 200, "files are not counted"
        fresh = "/?date=2026-06-20"
        assert [asked(fresh, by=by).status for by in ("192.0.2.1", "192.0.2.9", "192.0.2.1")] == [
            429,
            200,
            200,
        ]


def test_without_a_proxy_nobody_says_who_they_are(published_sample: Path) -> None:
    with serving(published_sample, rate_limit="2/minute") as site:
        found = [ask(site, "/v1/notices", X_Forwarded_For=f"192.0.2.{number}").status for number in range(3)]
        assert found == [200, 200, 429]
        assert "strict-transport-security" not in ask(site, "/", X_Forwarded_Proto="https").headers


def test_files_are_open_to_all_and_counted_never_and_what_is_made_is(published_sample: Path) -> None:
    """Files are told by their address, not by its dots: `/records/openai/2026-06-20.0.json`, `/vkey`."""
    proof = "/proofs/openai/2026-06-20.0.tlog-proof"
    files = [
        "/SHA256SUMS",
        "/vkey",
        RECORD,
        proof,
        "/methodology/1.0/rules/80_evidence.sql",
        "/log/checkpoint",
    ]
    with serving(published_sample, rate_limit="2/minute") as site:
        for path in files:
            answer = ask(site, path)
            assert (answer.status, answer.headers.get("access-control-allow-origin")) == (200, "*"), path
            assert ask(site, path, "OPTIONS").status == 204, path
        made = [ask(site, f"/mirror.txt?x={number}") for number in range(3)]
        assert [answer.status for answer in made] == [200, 200, 429]
        assert "access-control-allow-origin" not in made[0].headers
        assert int(made[2].headers["retry-after"]) <= 60
        assert ask(site, "/bill", "POST").status == 429
    with serving(published_sample, rate_limit="2/second") as site:
        assert ask(site, "/bill", "POST").status != 429, "no limit is smaller than one export"


def test_a_date_no_clock_has_is_passed_over(site: str) -> None:
    beyond = "Mon, 01 Jan 2026 99999999999999999999:00:00 GMT"
    assert ask(site, POINTS, If_Modified_Since=beyond).status == 200


# ---- what is held, by a front alone


class Behind:
    """An application whose answers are numbered. length : of each · control : its Cache-Control"""

    def __init__(self, length: int = 10, control: str = "public, max-age=60") -> None:
        self.asked = 0
        self.length = length
        self.control = control
        self.status = "200 OK"

    def __call__(self, _: WSGIEnvironment, start: StartResponse) -> Iterator[bytes]:
        self.asked += 1
        start(self.status, [("Content-Type", "text/plain"), ("Cache-Control", self.control)])
        return iter([str(self.asked).rjust(self.length).encode()])


class Held:
    """A front before it, with a clock and a version that tests set."""

    def __init__(self, behind: Behind) -> None:
        self.now = 0.0
        self.version = 1
        self.behind = behind
        self.front = Front(
            behind,
            version=lambda: self.version,
            seconds=lambda: self.now,
            rates=Rates("", 0, lambda: 0.0),
            counted=lambda *_: None,
            is_file=lambda path: path.startswith("/log/"),
        )

    def ask(self, path: str = "/a", query: str = "", **environ: str) -> int:
        """Return which of the answers behind it is."""
        asked = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "HTTP_HOST": "h",
        } | environ
        asked["wsgi.url_scheme"] = "http"
        return int(b"".join(self.front(asked, lambda *_: lambda _: None)))


def test_an_answer_is_held_as_long_as_it_says_and_no_longer() -> None:
    held = Held(Behind(control="public, max-age=30"))
    assert [held.ask(), held.ask()] == [1, 1]
    held.now = 29.9
    assert held.ask() == 1
    held.now = 30.0
    assert held.ask() == 2
    held.version = 2
    assert held.ask() == 3
    held.version = 1
    assert held.ask() == 4, "what was held of an earlier publication is gone"
    lasting = Held(Behind(control="public, max-age=31536000, immutable"))
    lasting.ask()
    lasting.now = 60.0
    assert lasting.ask() == 2, "no longer than a minute, whatever it says"


@pytest.mark.parametrize("control", ["no-store", "private, max-age=60", "max-age=60", "public", ""])
def test_what_is_not_for_all_is_not_held(control: str) -> None:
    held = Held(Behind(control=control))
    assert [held.ask(), held.ask()] == [1, 2]


def test_errors_and_other_addresses_are_not_mixed_up() -> None:
    held = Held(Behind())
    found = [
        held.ask(),
        held.ask(query="a=1"),
        held.ask(path="/b"),
        held.ask(HTTP_HOST="other"),
        held.ask(HTTP_X_FORWARDED_PROTO="https"),
    ]
    assert found == [1, 2, 3, 4, 5]
    assert held.ask() == held.ask(HTTP_X_FORWARDED_PROTO="gopher") == 1
    held.behind.status = "404 Not Found"
    assert [held.ask(path="/c"), held.ask(path="/c")] == [6, 7]
    assert [held.ask(path="/d", REQUEST_METHOD="POST"), held.ask(path="/d", REQUEST_METHOD="POST")] == [8, 9]


def test_what_is_held_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "HELD_BYTES_MAX", 10 * (HELD_BYTES_BESIDE + 10))
    held = Held(Behind())
    for number in range(10):
        held.ask(query=str(number))
    held.ask(query="0")
    held.ask(query="10")
    assert held.ask(query="0") == 1, "asked for lately"
    assert held.ask(query="1") == 12, "let go of first"
    for number in range(1000):
        held.ask(query=f"x{number}")
    assert len(held.front._held) == 10


def test_a_page_counts_when_it_is_made_and_an_export_as_many(monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(Behind())
    held.front._rates = Rates("32/hour", 0, lambda: 0.0)
    assert [
        held.ask(),
        held.ask(),
        held.ask(path="/log/checkpoint"),
        held.ask(path="/a", REQUEST_METHOD="POST"),
    ] == [*(1, 1, 2, 3)]
    assert held.ask(path="/b") == 4
    for method in ("GET", "POST"):
        with pytest.raises(ValueError, match="rate_limited"):
            held.ask(path="/c", REQUEST_METHOD=method)
    assert held.ask() == 1, "what is held has no limit"


def test_a_body_that_is_too_large_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "ANSWER_BYTES_MAX", 100)
    small, large = Held(Behind(100)), Held(Behind(101))
    assert [small.ask(), small.ask()] == [1, 1]
    assert [large.ask(), large.ask()] == [1, 2]
    assert front.HELD_BYTES_MAX == HELD_BYTES_MAX
