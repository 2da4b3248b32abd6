"""The socket of a replay: connections, their threads, and HTTP down to the byte and the broken line.

Listens on whatever `server` allows, holds at most 64 connections, and caps what it reads.
"""

from __future__ import annotations

import select
import socket
import struct
import sys
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, Final, NamedTuple, Protocol, cast
from urllib.parse import parse_qsl

from mtok.replay.control import CONTROL, Controlled, control
from mtok.replay.modes.mode import Answer, Scene, error, http_date
from mtok.replay.modes.wire import Send

CONNECTIONS_MAX: Final = 64
BODY_BYTES_MAX: Final = 2**20
IDLE_SECONDS: Final = 60
_PARAMETERS_MAX: Final = 100
_POLL_MILLISECONDS: Final = 20


class Asked(NamedTuple):
    """What matters of a request. token : the bearer token, "" for none"""

    method: str
    target: str
    path: str
    query: Mapping[str, str]
    token: str
    takes_gzip: bool


class Reply(NamedTuple):
    """An answer and how it is to be sent. `send` is None for plainly; `faults` names all that acted."""

    answer: Answer
    scene: Scene
    send: Send | None
    faults: list[str]
    authorized: bool


class Replying(Controlled, Protocol):
    """What a connection puts its requests to."""

    def reply(self, asked: Asked) -> Reply: ...


class Listener(ThreadingMixIn, TCPServer):
    """The socket, its threads, and the connections that are open."""

    allow_reuse_address = True
    daemon_threads = False
    request_queue_size = CONNECTIONS_MAX

    def __init__(self, address: tuple[str, int], replay: Replying) -> None:
        self.replay = replay
        self.stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        self._thread = threading.Thread(target=self._serve, name="mtok replay", daemon=True)
        super().__init__(address, _Conversation)

    def begin(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Close the socket and every connection, and wait for their threads."""
        self.stopping.set()
        self.shutdown()
        self._thread.join()
        with self._open_lock:
            for connection in self._open:
                _shut(connection)
        self.server_close()

    def _serve(self) -> None:
        self.serve_forever(poll_interval=_POLL_MILLISECONDS / 1000)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._open_lock:
            full = len(self._open) >= CONNECTIONS_MAX
            if not full:
                self._open.add(request)
        if full:
            self.shutdown_request(request)
        else:
            super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that went away; anything else is a defect and is shown."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


class _Conversation(BaseHTTPRequestHandler):
    """One connection: reads requests, sends replies, and is the `Wire` of the faults."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE_SECONDS

    @property
    def _listener(self) -> Listener:
        return cast(Listener, self.server)

    def do_GET(self) -> None:
        body = self._body()
        if body is not None:
            self._converse(body)

    def do_PUT(self) -> None:
        self.do_GET()

    def send(self, raw: bytes) -> None:
        self.wfile.write(raw)

    def wait(self, milliseconds: int) -> bool:
        while milliseconds > 0:
            step = min(milliseconds, _POLL_MILLISECONDS)
            if self._listener.stopping.wait(step / 1000) or self._client_left():
                return False
            milliseconds -= step
        return not self._listener.stopping.is_set()

    def reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.rfile.close()
        self.connection.close()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what is no HTTP, or a method there is not, in the API's shape; then close."""
        self.close_connection = True
        self._send(error(code, message or explain or "Bad Request"))

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing: what is worth keeping is in the log of requests."""

    def _body(self) -> bytes | None:
        """Return the body of the request, None when it was refused for its length."""
        length = self.headers.get("Content-Length", "0")
        known = length.isascii() and length.isdecimal() and "Transfer-Encoding" not in self.headers
        if not known or len(length) > 9 or int(length) > BODY_BYTES_MAX:
            self.send_error(413, f"Send a body of known length, at most {BODY_BYTES_MAX} bytes")
            return None
        return self.rfile.read(int(length))

    def _converse(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        if path.startswith(CONTROL):
            self._send(control(self._listener.replay, self.command, path, body))
            return
        if self.command != "GET":
            self.send_error(405, "Method Not Allowed")
            return
        try:
            parameters = dict(parse_qsl(query, keep_blank_values=True, max_num_fields=_PARAMETERS_MAX))
        except ValueError:
            self.send_error(400, "Too many parameters")
            return
        reply = self._listener.replay.reply(self._asked(path, parameters))
        if reply.send is None:
            self._send(reply.answer, reply.scene.now)
            return
        self.close_connection = True
        reply.send(self, self._head(reply.answer, reply.scene.now), reply.answer.body, reply.scene)

    def _asked(self, path: str, query: Mapping[str, str]) -> Asked:
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        encodings = self.headers.get("Accept-Encoding", "").split(",")
        return Asked(
            method=self.command,
            target=self.path,
            path=path,
            query=query,
            token=token.strip() if scheme.lower() == "bearer" else "",
            takes_gzip=any(one.strip().partition(";")[0] in ("gzip", "*") for one in encodings),
        )

    def _send(self, answer: Answer, now: int | None = None) -> None:
        self.send(self._head(answer, now) + answer.body)

    def _head(self, answer: Answer, now: int | None) -> bytes:
        names = {name for name, _ in answer.headers}
        headers = list(answer.headers)
        if "Content-Type" not in names:
            headers.append(("Content-Type", "application/json"))
        if "Date" not in names:
            headers.append(("Date", http_date(self._listener.replay.clock.now() if now is None else now)))
        headers.append(("Content-Length", str(len(answer.body))))
        if self.close_connection:
            headers.append(("Connection", "close"))
        reason = self.responses.get(answer.status, ("", ""))[0]
        lines = [f"HTTP/1.1 {answer.status} {reason}", *(f"{name}: {value}" for name, value in headers)]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def _client_left(self) -> bool:
        """Look without waiting: what can be read is either the next request or the end."""
        try:
            poll = select.poll()
            poll.register(self.connection, select.POLLIN)
            return bool(poll.poll(0)) and not self.connection.recv(1, socket.MSG_PEEK)
        except OSError:
            return True
