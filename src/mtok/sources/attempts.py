"""One request and what came of it: an attempt ends in a `Response`, whatever the server does.

Nothing is raised for what a server or the network did. Bytes are kept as they came, an answer cut short included;
a sound gzip is unpacked as `files` unpacks one. Every attempt has a connection of its own, so that what it met is
its own doing and not that of an idle connection, and so that its time is up when its time is up.
"""

from __future__ import annotations

import datetime as dt
import logging
import re
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from threading import Timer
from typing import TYPE_CHECKING, Any, Final

from mtok import __version__
from mtok.archive import KIND_RANKINGS, RANKINGS_DAILY, Response
from mtok.calendar import SECOND, Clock, parse_instant
from mtok.errors import EnvironmentFailed
from mtok.sources.files import UNPACKED_BYTES_MAX, printable, unpacked

if TYPE_CHECKING:
    import httpx2

HTTP_CONNECTION: Final = "http_connection"
HTTP_REDIRECTS: Final = "http_redirects"
HTTP_TIMEOUT: Final = "http_timeout"
HTTP_TRUNCATED: Final = "http_truncated"
PAYLOAD_SIZE: Final = "payload_size"
REDIRECT_REFUSED: Final = "redirect_refused"

NOT_BEFORE_MAX: Final = 48 * 3600 * SECOND
"""The furthest ahead a server may ask to be left alone, microseconds: its quotas are by the day."""

FOUND_LENGTH_MAX: Final = 200
"""The most characters of `found`."""

_ASKS_FOR_PATIENCE: Final = (429, 503)
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_NUMBER: Final = re.compile(r"[0-9]{1,15}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_INSTANT_MAX: Final = parse_instant("9999-01-01T00:00:00Z")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a client of OpenRouter spends at most.

    attempts_max : tries of one question; a redirect that is followed belongs to the try it came from
    connect_seconds : until there is a connection
    read_seconds : between two bytes
    response_seconds : for one attempt from its beginning to its last byte, however steadily it drips
    response_bytes : of one answer, over the wire and again unpacked
    wait_seconds_first, wait_seconds_jitter : the wait before the second try, which doubles from try to try, and
        the most that chance adds to a wait
    wait_seconds_max : between two tries, whether of our own accord or at the server's request
    requests_max : requests of one client, tries and redirects included
    datasets_per_minute : requests to `/datasets` in any 60 s; OpenRouter refuses more than 30 of one key
    window_days : of one request for rankings; OpenRouter refuses more than 366
    endpoints_max : models a client asks the endpoints of
    """

    attempts_max: int = 5
    connect_seconds: int = 10
    read_seconds: int = 30
    response_seconds: int = 120
    response_bytes: int = UNPACKED_BYTES_MAX
    wait_seconds_first: int = 2
    wait_seconds_jitter: int = 2
    wait_seconds_max: int = 120
    requests_max: int = 150
    datasets_per_minute: int = 20
    window_days: int = 366
    endpoints_max: int = 80


LIMITS: Final = Limits()


@dataclass(frozen=True, kw_only=True)
class Request:
    """What one attempt asks. kind, subject : as in `Capture`; redirects_left : how many may still be followed."""

    kind: str
    subject: str | None
    url: httpx2.URL
    redirects_left: int = 0


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """What came of a request. follow : where a redirect on the same host leads; milliseconds : it took."""

    response: Response
    follow: httpx2.URL | None
    milliseconds: int


@dataclass(kw_only=True)
class _Body:
    """What has come of an answer's body, and the code and description of why no more of it did."""

    raw: bytes = b""
    failure: str | None = None
    found: str | None = None


class Line:
    """The way to one server. Close it when done.

    Proxies and certificates are those of the environment (`HTTPS_PROXY`, `NO_PROXY`, `SSL_CERT_FILE`), as an
    administrator set them; nothing of the environment adds credentials (`.netrc` is not read), and plain http,
    which is for the loopback, never leaves through a proxy. No cookie is kept.
    Raises EnvironmentFailed `proxy_unusable`.
    """

    def __init__(
        self, clock: Clock, base: httpx2.URL, *, key: str | None, limits: Limits, origin: str | None
    ) -> None:
        import httpx2

        self._clock = clock
        self._base = base
        self._key = key
        self._limits = limits
        self._origin = origin
        for name in ("httpx2", "httpcore2"):
            # What they write below warnings holds what a server says, and a server may say the key.
            logging.getLogger(name).setLevel(logging.WARNING)
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "User-Agent": f"mtok/{__version__}",
        }
        plain = base.scheme == "http"
        # Plain http asks no authority, and reading those of the machine is most of a start.
        authorities = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if plain else True
        try:
            self._http = httpx2.Client(
                headers=headers,
                verify=authorities,
                limits=httpx2.Limits(max_connections=1, max_keepalive_connections=0),
                timeout=httpx2.Timeout(limits.read_seconds, connect=limits.connect_seconds),
                trust_env=not plain,
            )
        except (ValueError, ImportError, httpx2.InvalidURL) as error:
            raise EnvironmentFailed(
                "proxy_unusable",
                f"the proxy that the environment names cannot be used: {type(error).__name__}",
                "Mend HTTPS_PROXY or ALL_PROXY, or name the host in NO_PROXY.",
            ) from None

    def close(self) -> None:
        """Close what is open; no request can be made afterwards."""
        self._http.close()

    def attempt(self, request: Request) -> Attempt:
        """Make one request and return what came of it. Redirects are not followed."""
        import httpx2

        began = time.monotonic_ns()
        follow = None
        self._http.cookies.clear()
        with _deadline(self._limits.response_seconds) as deadline:
            try:
                with self._http.stream(
                    "GET",
                    request.url,
                    headers=self._credentials(request.url),
                    extensions={"trace": deadline.trace},
                ) as answer:
                    captured_at = self._clock.now()
                    body = self._read(answer, deadline)
                response, follow = self._answered(request, answer, captured_at, body)
            except httpx2.RequestError as error:
                failure, found = self._fault(error, deadline, HTTP_CONNECTION)
                response = self._response(request, self._clock.now(), b"", failure=failure, found=found)
        return Attempt(
            response=response, follow=follow, milliseconds=(time.monotonic_ns() - began) // 1_000_000
        )

    def _credentials(self, url: httpx2.URL) -> dict[str, str]:
        """Return the header with the key for what needs one: a data set of this very server."""
        ours = url.origin == self._base.origin and url.path.startswith(f"{self._base.path}/datasets/")
        return {"Authorization": f"Bearer {self._key}"} if self._key is not None and ours else {}

    def _read(self, answer: httpx2.Response, deadline: _Deadline) -> _Body:
        """Return the body as far as it came and as far as it may go, unpacked when it is whole."""
        import httpx2

        received = bytearray()
        size_max = self._limits.response_bytes
        try:
            for chunk in answer.iter_raw():
                received += chunk
                if len(received) > size_max:
                    raw = bytes(received[: size_max + 1])
                    return _Body(raw=raw, failure=PAYLOAD_SIZE, found=f"more than {size_max} bytes")
        except httpx2.RequestError as error:
            failure, found = self._fault(error, deadline, HTTP_TRUNCATED)
            return _Body(raw=bytes(received), failure=failure, found=f"{found} after {len(received)} bytes")
        # A body without a length ends where its connection does, so also where we shut that.
        if deadline.passed:
            return _Body(raw=bytes(received), failure=HTTP_TIMEOUT, found=self._too_long())
        kept, seen = unpacked(bytes(received), size_max)
        if len(seen) > size_max:
            found = f"{len(kept)} bytes that unpack to more than {size_max}"
            return _Body(raw=kept, failure=PAYLOAD_SIZE, found=found)
        return _Body(raw=kept)

    def _fault(self, error: httpx2.RequestError, deadline: _Deadline, otherwise: str) -> tuple[str, str]:
        """Return the code and description of what the network did."""
        import httpx2

        if deadline.passed:
            return HTTP_TIMEOUT, self._too_long()
        if isinstance(error, httpx2.ConnectTimeout):
            return HTTP_TIMEOUT, f"no connection within {self._limits.connect_seconds} s"
        if isinstance(error, httpx2.TimeoutException):
            return HTTP_TIMEOUT, f"no byte for {self._limits.read_seconds} s"
        return otherwise, str(error) or type(error).__name__

    def _too_long(self) -> str:
        return f"not whole within {self._limits.response_seconds} s"

    def _answered(
        self, request: Request, answer: httpx2.Response, captured_at: int, body: _Body
    ) -> tuple[Response, httpx2.URL | None]:
        """Return the response of a server that answered, and where it redirects to if that may be followed."""
        status = answer.status_code
        failure, follow = body.failure, None
        found = [f"{status} {answer.reason_phrase}".strip(), *([body.found] if body.found else [])]
        if status != 200:
            failure = f"http_{status}"
        if status in _REDIRECTS and "location" in answer.headers:
            found.insert(1, f"redirect to {answer.headers['location']}")
            # The target as the library resolved it; None where it could make nothing of it.
            target = answer.next_request.url if answer.next_request else None
            if target is None or target.origin != self._base.origin or target.userinfo:
                failure = REDIRECT_REFUSED
            elif request.redirects_left == 0:
                failure = HTTP_REDIRECTS
            else:
                follow = target
        response = self._response(
            request,
            captured_at,
            body.raw,
            failure=failure,
            found=", ".join(found) if failure else None,
            http_status=status,
            server_date=_server_date(answer.headers),
            not_before=_not_before(answer.headers, captured_at) if status in _ASKS_FOR_PATIENCE else None,
            origin_sha256=_origin_sha256(answer.headers) if self._origin else None,
        )
        return response, follow

    def _response(
        self,
        request: Request,
        captured_at: int,
        raw: bytes,
        *,
        failure: str | None,
        found: str | None,
        **further: Any,
    ) -> Response:
        return Response(
            raw=raw,
            captured_at=captured_at,
            kind=request.kind,
            subject=request.subject,
            obtained=f"GET {self._shown(str(request.url))}",
            volume_source=RANKINGS_DAILY if request.kind == KIND_RANKINGS else None,
            origin=self._origin,
            failure=failure,
            found=None if found is None else self._shown(found)[:FOUND_LENGTH_MAX],
            **further,
        )

    def _shown(self, text: str) -> str:
        """Return a server's text fit to be shown: it may hold any byte, and the key, which it was sent."""
        return printable(text if self._key is None else text.replace(self._key, "[key]"))


class _Deadline:
    """The end of an attempt's time: shuts its connection, which ends whatever waits for a byte of it.

    The timeouts of the library run between two bytes; a server that sends one now and then, of the head or of the
    body, would hold us for ever.
    """

    def __init__(self) -> None:
        self.passed = False
        self._stream: Any = None

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """Take note of the connection, and again when it turns to TLS (the library's `trace` extension)."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._stream = info["return_value"]
            if self.passed:
                self._shut()

    def end(self) -> None:
        """Say that the time is up."""
        self.passed = True
        if self._stream is not None:
            self._shut()

    def _shut(self) -> None:
        # The plain socket's method: that of a TLS socket would change it under the thread that reads it.
        with suppress(OSError):
            socket.socket.shutdown(self._stream.get_extra_info("socket"), socket.SHUT_RDWR)


@contextmanager
def _deadline(seconds: int) -> Iterator[_Deadline]:
    deadline = _Deadline()
    timer = Timer(seconds, deadline.end)
    timer.daemon = True
    timer.start()
    try:
        yield deadline
    finally:
        timer.cancel()
        timer.join()


def _server_date(headers: httpx2.Headers) -> int | None:
    """Return the server's own time: `Date`, which is the age of a cached answer behind."""
    date = _http_date(headers.get("date", ""))
    age = headers.get("age", "0")
    if date is None or not _NUMBER.fullmatch(age):
        return date
    instant = date + int(age) * SECOND
    return instant if instant < _INSTANT_MAX else None


def _not_before(headers: httpx2.Headers, now: int) -> int | None:
    """Return until when the server asks to be left alone, 48 hours ahead at most; None for a time that is past.

    `Retry-After` counts first, in seconds or as a date, then `X-RateLimit-Reset`, which is in milliseconds.
    """
    after, reset = headers.get("retry-after", ""), headers.get("x-ratelimit-reset", "")
    asked = (
        now + int(after) * SECOND if _NUMBER.fullmatch(after) else _http_date(after),
        int(reset) * 1000 if _NUMBER.fullmatch(reset) else None,
    )
    ahead = (instant for instant in asked if instant is not None and instant > now)
    return next((min(instant, now + NOT_BEFORE_MAX) for instant in ahead), None)


def _http_date(text: str) -> int | None:
    """Return the instant of an HTTP date, None for what is none.

    >>> _http_date("Thu, 01 Jan 1970 00:00:02 GMT")
    2000000
    """
    try:
        moment = parsedate_to_datetime(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
        instant = (moment - _EPOCH) // dt.timedelta(microseconds=1)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return instant if 0 <= instant < _INSTANT_MAX else None


def _origin_sha256(headers: httpx2.Headers) -> str | None:
    digest = headers.get("x-replay-sha256", "")
    return digest if _SHA256.fullmatch(digest) else None
