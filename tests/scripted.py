"""A server on the loopback that plays a script, one step a connection, and remembers what it was asked."""

from __future__ import annotations

import gzip
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread
from types import TracebackType
from typing import Self

Step = bytes | Callable[[socket.socket, Event], None]
"""Bytes to send before the connection is closed, or what to do with the connection until the event is set."""


def answer(status: str = "200 OK", body: bytes = b"{}", **headers: str) -> bytes:
    """Return a whole HTTP answer. headers : with `_` for `-`; `content_length` is right unless given."""
    fields = {"content_length": str(len(body)), **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode("latin-1") + body


def packed(body: bytes, status: str = "200 OK") -> bytes:
    """Return a whole answer that is a gzip of `body`."""
    return answer(status, gzip.compress(body, 1, mtime=0), content_encoding="gzip")


def silence(connection: socket.socket, over: Event) -> None:
    """Say nothing."""
    over.wait()


def hang_up(connection: socket.socket, over: Event) -> None:
    """Close the connection without a word."""


def dripping(beginning: bytes, drop: bytes) -> Step:
    """Return a step that sends `beginning` and then a drop fifty times a second for ever."""

    def step(connection: socket.socket, over: Event) -> None:
        connection.sendall(beginning)
        while not over.wait(timeout=1 / 50):
            connection.sendall(drop)

    return step


def stalling(beginning: bytes) -> Step:
    """Return a step that sends `beginning` and then nothing more."""

    def step(connection: socket.socket, over: Event) -> None:
        connection.sendall(beginning)
        over.wait()

    return step


class Scripted:
    """Plays `steps` one a connection, the last one again and again; over TLS when given a context for it.

    heads : of the requests, as received
    """

    def __init__(self, *steps: Step, tls: ssl.SSLContext | None = None) -> None:
        self.heads: list[str] = []
        self._steps = steps
        self._over = Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._tls = tls
        self.origin = f"{'https' if tls else 'http'}://127.0.0.1:{self._listener.getsockname()[1]}"
        self.url = f"{self.origin}/api/v1"
        self._thread = Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    @property
    def paths(self) -> list[str]:
        """What was asked for, below the address of the API."""
        return [head.split(" ")[1].removeprefix("/api/v1") for head in self.heads]

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                if self._tls is None:
                    self._play(connection)
                else:
                    with self._tls.wrap_socket(connection, server_side=True) as wrapped:
                        self._play(wrapped)

    def _play(self, connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            received = connection.recv(65_536)
            if not received:
                return
            head += received
        self.heads.append(head.decode("latin-1"))
        step = self._steps[min(len(self.heads), len(self._steps)) - 1]
        if isinstance(step, bytes):
            connection.sendall(step)
        else:
            step(connection, self._over)
