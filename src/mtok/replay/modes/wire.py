"""Faults of the connection: an answer that does not come, comes by drops, or breaks off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

from mtok.replay.modes.mode import Mode, Scene

DROPS: Final = 100


class Wire(Protocol):
    """A connection that has an answer to send; after the fault it is closed."""

    def send(self, raw: bytes) -> None:
        """Send bytes now."""
        ...

    def wait(self, milliseconds: int) -> bool:
        """Wait; return false at once when the client has gone or the server stops."""
        ...

    def reset(self) -> None:
        """Break the connection off with a TCP reset."""
        ...


Send: TypeAlias = Callable[[Wire, bytes, bytes, Scene], None]
"""Sends head and body of an answer in its own way."""


def _hang(wire: Wire, _head: bytes, _body: bytes, scene: Scene) -> None:
    wire.wait(int(scene.value or 0) * 1000)


def _slow_body(wire: Wire, head: bytes, body: bytes, scene: Scene) -> None:
    wire.send(head)
    size = len(body) // DROPS + 1
    drops = [body[start : start + size] for start in range(0, len(body), size)]
    pause = int(scene.value or 0) * 1000 // max(len(drops), 1)
    for drop in drops:
        wire.send(drop)
        if not wire.wait(pause):
            return


def _cut_body(wire: Wire, head: bytes, body: bytes, _scene: Scene) -> None:
    wire.send(head + body[: len(body) // 2])


def _reset(wire: Wire, head: bytes, body: bytes, _scene: Scene) -> None:
    wire.send(head + body[: len(body) // 2])
    wire.reset()


def _close(_wire: Wire, _head: bytes, _body: bytes, _scene: Scene) -> None:
    return


MODES: Final[dict[str, Mode[Send]]] = {
    "hang": Mode(
        what="takes the request, sends nothing for so many seconds, then closes",
        act=_hang,
        value="seconds",
        default=60,
    ),
    "slow_body": Mode(
        what=f"the body comes in about {DROPS} drops over so many seconds",
        act=_slow_body,
        value="seconds",
        default=60,
    ),
    "cut_body": Mode(what="closes after half of the Content-Length", act=_cut_body),
    "reset": Mode(what="resets the connection half way through the body", act=_reset),
    "close_before_answer": Mode(what="closes the connection without a word", act=_close),
}
