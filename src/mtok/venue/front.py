"""What stands before Django: answers given before are given again, whole, in part, compressed, or as «not modified».

An answer to GET is a function of its address and of what is published, so it is held until that changes or its
`max-age` is over. Conditional requests (RFC 9110, 13), ranges (14), compression and CORS are done here, for pages, API
and files alike. Who asks too often is refused (draft-ietf-httpapi-ratelimit-headers): of the API every request counts,
of pages those that are not held, of files none.
"""

from __future__ import annotations

import gzip
import json
import re
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cached_property
from threading import Lock
from typing import Any, Final
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from mtok.canonical import sha256_hex
from mtok.venue.rates import Rates

HELD_BYTES_MAX: Final = 64 * 2**20
ANSWER_BYTES_MAX: Final = 8 * 2**20
HELD_SECONDS_MAX: Final = 60
HELD_BYTES_BESIDE: Final = 4096
"""What holding an answer takes beside its body: its headers, its address, its place."""

POST_COST: Final = 30
"""As many requests as reading somebody's usage export counts for."""

PRIVATE_POST_COST: Final = 3
"""As many as a form of the venue counts for; signing in has limits of its own."""

_COMPRESSED_FROM: Final = 512
_COMPRESSIBLE: Final = re.compile(r"text/|image/svg|application/(json|javascript|xml|toml|.*\+json|.*\+xml)")
_TAG: Final = re.compile(r'(?:W/)?"([^"]*)"')
_REFUSED: Final = re.compile(r"q=0(\.0{0,3})?")
_RANGE: Final = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})", re.IGNORECASE)
_MAX_AGE: Final = re.compile(r"\bmax-age=([0-9]{1,9})")

_PRIVATE: Final = re.compile(r"/(account|venue)(/|$)")
_PROBES: Final = frozenset({"/healthz", "/readyz", "/metrics"})

_CORS: Final = [
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Expose-Headers", "ETag, Link, Content-Range, RateLimit, RateLimit-Policy, Retry-After"),
]
_PREFLIGHT: Final = [
    *_CORS,
    ("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS"),
    ("Access-Control-Allow-Headers", "If-None-Match, If-Modified-Since, Range"),
    ("Access-Control-Max-Age", "86400"),
    ("Allow", "GET, HEAD, OPTIONS"),
]
_OF_UNMODIFIED: Final = {
    "etag",
    "last-modified",
    "cache-control",
    "vary",
}

Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    """An answer as Django gave it. headers : without those of the body's length and coding"""

    status: str
    headers: Headers
    body: bytes

    @cached_property
    def fields(self) -> dict[str, str]:
        """The headers by name in small letters."""
        return {name.lower(): value for name, value in self.headers}

    @cached_property
    def etag(self) -> str:
        """The strong validator of the body as it is, without quotes."""
        return self.fields.get("etag", f'"{sha256_hex(self.body)[:32]}"').strip('"')

    @cached_property
    def gzipped(self) -> bytes | None:
        """The body compressed, None where that is not worth it."""
        kind = self.fields.get("content-type", "")
        if len(self.body) < _COMPRESSED_FROM or not _COMPRESSIBLE.match(kind):
            return None
        return gzip.compress(self.body, 6, mtime=0)

    @property
    def held_bytes(self) -> int:
        """What holding it takes of memory, about."""
        return len(self.body) + HELD_BYTES_BESIDE

    def seconds(self) -> int:
        """Return how long it may be held: not at all unless it is whole and public."""
        control = self.fields.get("cache-control", "")
        age = _MAX_AGE.search(control)
        if not self.status.startswith("200") or "public" not in control or age is None:
            return 0
        return min(int(age[1]), HELD_SECONDS_MAX)


def is_private(path: str) -> bool:
    """Return whether a path is one of accounts or of the venue: never held, never read by pages of other origins."""
    return _PRIVATE.match(path) is not None


class Front:
    """A WSGI application before another one.

    version : of what is published; an answer is held no longer than that · seconds : a clock that only goes forward
    is_file : whether a path is the address of a file, which pages of other origins may read and no limit counts
    """

    def __init__(
        self,
        behind: WSGIApplication,
        *,
        version: Callable[[], Hashable],
        seconds: Callable[[], float],
        rates: Rates,
        counted: Callable[[WSGIEnvironment, str, bool], None],
        is_file: Callable[[str], bool],
    ) -> None:
        self._behind = behind
        self._version = version
        self._seconds = seconds
        self._rates = rates
        self._counted = counted
        self._is_file = is_file
        self._lock = Lock()
        self._held: OrderedDict[Hashable, tuple[Hashable, float, Answer]] = OrderedDict()
        self._bytes = 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
        of_api = path.startswith("/v1")
        private = is_private(path)
        beside: Headers = [*_CORS] if not private and (of_api or self._is_file(path)) else []
        if method == "OPTIONS" and beside:
            self._counted(environ, "204", False)
            start_response("204 No Content", [*_PREFLIGHT])
            return [b""]
        refusal = None
        if of_api or method == "POST":
            cost = PRIVATE_POST_COST if private else POST_COST
            refusal, limits = self._rates.ask(environ, cost if method == "POST" else 1)
            beside += limits
        if refusal is not None:
            return self._send(environ, start_response, _too_often(refusal), beside, held=False)
        if method not in ("GET", "HEAD"):
            return self._send(environ, start_response, self._ask(environ), beside, held=False)
        held = self._held_answer(environ)
        if held is None and not beside and path not in _PROBES:
            refusal, limits = self._rates.ask(environ)
            if refusal is not None:
                return self._send(environ, start_response, _too_often(refusal), limits, held=False)
        answer = held or self._made_answer(environ)
        return self._send(environ, start_response, answer, beside, held=held is not None)

    def _held_answer(self, environ: WSGIEnvironment) -> Answer | None:
        """Return the answer to a GET that is held, None without one."""
        key, version, at = _key(environ), self._version(), self._seconds()
        with self._lock:
            found = self._held.get(key)
            if found is None or found[0] != version or at >= found[1]:
                return None
            self._held.move_to_end(key)
            return found[2]

    def _made_answer(self, environ: WSGIEnvironment) -> Answer:
        """Return the answer to a GET as it is made, and hold it where it may be held."""
        version, at = self._version(), self._seconds()
        answer = self._ask({**environ, "REQUEST_METHOD": "GET"})
        seconds = 0 if is_private(environ.get("PATH_INFO", "")) else answer.seconds()
        if seconds and len(answer.body) <= ANSWER_BYTES_MAX:
            self._hold(_key(environ), (version, at + seconds, answer))
        return answer

    def _hold(self, key: Hashable, held: tuple[Hashable, float, Answer]) -> None:
        """Hold an answer, and let go of those not asked for the longest."""
        with self._lock:
            before = self._held.pop(key, None)
            self._bytes -= before[2].held_bytes if before else 0
            self._held[key] = held
            self._bytes += held[2].held_bytes
            while self._bytes > HELD_BYTES_MAX:
                _, (_, _, oldest) = self._held.popitem(last=False)
                self._bytes -= oldest.held_bytes

    def _ask(self, environ: WSGIEnvironment) -> Answer:
        """Return what the application behind says, whole."""
        said: list[Any] = []

        def start(status: str, headers: Headers, _: Any = None) -> Callable[[bytes], object]:
            said[:] = [status, headers]
            return lambda _: None

        parts = self._behind(environ, start)
        try:
            body = b"".join(parts)
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()
        headers = [pair for pair in said[1] if pair[0].lower() != "content-length"]
        return Answer(said[0], headers, body)

    def _send(
        self, environ: WSGIEnvironment, start: StartResponse, answer: Answer, beside: Headers, *, held: bool
    ) -> Iterable[bytes]:
        status, headers, body = _fitted(answer, environ)
        self._counted(environ, status[:3], held)
        start(status, [*headers, *beside])
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]


def _key(environ: WSGIEnvironment) -> Hashable:
    """Return what an answer depends on. The scheme is the one Django goes by: of several proxies' the first."""
    names = ("PATH_INFO", "QUERY_STRING", "HTTP_HOST", "wsgi.url_scheme")
    forwarded = environ.get("HTTP_X_FORWARDED_PROTO", "").partition(",")[0].strip()
    return (*(environ.get(name, "") for name in names), forwarded == "https")


def _fitted(answer: Answer, environ: WSGIEnvironment) -> tuple[str, Headers, bytes]:
    """Return an answer as this request wants it: unmodified, in part, compressed or whole."""
    if not answer.status.startswith("200") or environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
        return answer.status, [*answer.headers, ("Content-Length", str(len(answer.body)))], answer.body
    asked_range = environ.get("HTTP_RANGE", "") if environ["REQUEST_METHOD"] == "GET" else ""
    gzipped = answer.gzipped if not asked_range and _takes_gzip(environ) else None
    etag = f'"{answer.etag}-gzip"' if gzipped is not None else f'"{answer.etag}"'
    headers = [pair for pair in answer.headers if pair[0].lower() not in ("etag", "vary")]
    vary = dict.fromkeys([*filter(None, answer.fields.get("vary", "").split(", ")), "Accept-Encoding"])
    headers += [("ETag", etag), ("Vary", ", ".join(vary)), ("Accept-Ranges", "bytes")]
    if _unmodified(answer, environ):
        return "304 Not Modified", [pair for pair in headers if pair[0].lower() in _OF_UNMODIFIED], b""
    if gzipped is not None:
        headers += [("Content-Encoding", "gzip"), ("Content-Length", str(len(gzipped)))]
        return answer.status, headers, gzipped
    if asked_range and environ.get("HTTP_IF_RANGE", etag) in (etag, answer.fields.get("last-modified")):
        return _in_part(asked_range, answer, headers)
    return answer.status, [*headers, ("Content-Length", str(len(answer.body)))], answer.body


def _takes_gzip(environ: WSGIEnvironment) -> bool:
    """Return whether gzip is named, or all codings are, and not refused (RFC 9110, 12.5.3)."""
    named = environ.get("HTTP_ACCEPT_ENCODING", "").lower().replace(" ", "").split(",")
    weights = {coding: weight for coding, _, weight in (part.partition(";") for part in named)}
    weight = weights.get("gzip", weights.get("*"))
    return weight is not None and not _REFUSED.fullmatch(weight)


def _unmodified(answer: Answer, environ: WSGIEnvironment) -> bool:
    """Return whether who asks has the answer already; a tag is worth more than a date (RFC 9110, 13.2.2)."""
    named = environ.get("HTTP_IF_NONE_MATCH")
    if named is not None:
        return named.strip() == "*" or answer.etag in {
            tag.removesuffix("-gzip") for tag in _TAG.findall(named)
        }
    since, modified = environ.get("HTTP_IF_MODIFIED_SINCE"), answer.fields.get("last-modified")
    if not since or not modified:
        return False
    try:
        return since == modified or parsedate_to_datetime(since) >= parsedate_to_datetime(modified)
    except (ValueError, TypeError, OverflowError):
        return False


def _in_part(asked: str, answer: Answer, headers: Headers) -> tuple[str, Headers, bytes]:
    """Return the one range asked for; several, or what is no range, get the whole (RFC 9110, 14.2)."""
    size = len(answer.body)
    match = _RANGE.fullmatch(asked.replace(" ", ""))
    if match is None or not (match[1] or match[2]):
        return answer.status, [*headers, ("Content-Length", str(size))], answer.body
    first = int(match[1]) if match[1] else max(size - int(match[2]), 0)
    last = min(int(match[2]), size - 1) if match[1] and match[2] else size - 1
    if match[1] and match[2] and int(match[2]) < first:
        return answer.status, [*headers, ("Content-Length", str(size))], answer.body
    if first >= size or (not match[1] and not int(match[2])):
        refused = _problem(
            "416 Range Not Satisfiable", "range_unsatisfiable", f"there are {size} bytes", "Ask for fewer."
        )
        refused.headers.append(("Content-Range", f"bytes */{size}"))
        return refused.status, [*refused.headers, ("Content-Length", str(len(refused.body)))], refused.body
    part = answer.body[first : last + 1]
    headers = [
        *headers,
        ("Content-Range", f"bytes {first}-{last}/{size}"),
        ("Content-Length", str(len(part))),
    ]
    return "206 Partial Content", headers, part


def _too_often(remedy: str) -> Answer:
    return _problem("429 Too Many Requests", "rate_limited", "this address has asked too often", remedy)


def _problem(status: str, code: str, detail: str, remedy: str) -> Answer:
    """Return a refusal that does not get as far as Django, as those that do (RFC 9457)."""
    number, _, title = status.partition(" ")
    content = {
        "type": "about:blank",
        "title": title,
        "status": int(number),
        "code": code,
        "detail": detail,
        "remedy": remedy,
    }
    headers = [("Content-Type", "application/problem+json"), ("Cache-Control", "no-store")]
    return Answer(status, headers, json.dumps(content).encode())
