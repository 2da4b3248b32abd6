"""Faults that answer in the place of OpenRouter: error statuses, a wall of HTML, redirects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from mtok.calendar import DAY, SECOND
from mtok.replay.limits import DAY_MESSAGE, DAY_REQUESTS_MAX, MINUTE_MESSAGE, refusal
from mtok.replay.modes.mode import Answer, Mode, Scene, error, http_date

REDIRECTED: Final = "replay_redirected"
"""Query parameter of the place `redirect_same_host` leads to, where the fault lets requests pass."""

WALL: Final = (
    b"<!DOCTYPE html>\n<html><head><title>Attention Required!</title></head>"
    b"<body><h1>Sorry, you have been blocked</h1></body></html>\n"
)
HTML: Final = ("Content-Type", "text/html; charset=UTF-8")

Instead: TypeAlias = Callable[[Scene], Answer]


def _http_429(scene: Scene) -> Answer:
    return error(429, MINUTE_MESSAGE, ("Retry-After", str(scene.value)))


def _http_429_date(scene: Scene) -> Answer:
    return error(429, MINUTE_MESSAGE, ("Retry-After", http_date(_later(scene))))


def _http_429_reset(scene: Scene) -> Answer:
    reset = (scene.now // DAY + 1) * DAY if scene.value is None else _later(scene)
    return refusal(DAY_MESSAGE, DAY_REQUESTS_MAX, reset)


def _http_503(scene: Scene) -> Answer:
    return error(503, "Service Unavailable", ("Retry-After", str(scene.value)))


def _later(scene: Scene) -> int:
    return scene.now + int(scene.value or 0) * SECOND


def _redirect(location: str) -> Answer:
    return Answer(302, b"", (("Location", location),))


def _redirect_elsewhere(scene: Scene) -> Answer:
    host, _, port = scene.origin.removeprefix("http://").partition(":")
    elsewhere = scene.value or f"http://{'127.0.0.1' if host == '127.0.0.2' else '127.0.0.2'}:{port}"
    return _redirect(str(elsewhere).rstrip("/") + scene.target)


def _redirect_same_host(scene: Scene) -> Answer:
    join = "&" if "?" in scene.target else "?"
    return _redirect(f"{scene.origin}{scene.target}{join}{REDIRECTED}=1")


MODES: Final[dict[str, Mode[Instead]]] = {
    "http_429": Mode(what="429 with Retry-After in seconds", act=_http_429, value="seconds", default=5),
    "http_429_date": Mode(
        what="429 with Retry-After as a date, so many seconds from now",
        act=_http_429_date,
        value="seconds",
        default=5,
    ),
    "http_429_reset": Mode(
        what="429 of the daily quota: only X-RateLimit-Reset, the next 00:00 UTC or so many seconds from now",
        act=_http_429_reset,
        value="seconds",
    ),
    "http_429_bare": Mode(
        what="429 that does not say how long to wait", act=lambda _: error(429, MINUTE_MESSAGE)
    ),
    "http_500": Mode(what="500", act=lambda _: error(500, "Internal Server Error")),
    "http_502": Mode(what="502", act=lambda _: error(502, "Bad Gateway")),
    "http_503": Mode(what="503 with Retry-After in seconds", act=_http_503, value="seconds", default=5),
    "http_403_html": Mode(
        what="403 in HTML, as a firewall before the API answers", act=lambda _: Answer(403, WALL, (HTML,))
    ),
    "http_408": Mode(what="408", act=lambda _: error(408, "Request Timeout")),
    "http_401": Mode(
        what="401, as if the key were none", act=lambda _: error(401, "Missing Authentication header")
    ),
    "redirect_elsewhere": Mode(
        what="302 to the same path of another host, http://127.0.0.2 or the one given: no place for a key",
        act=_redirect_elsewhere,
        value="origin",
    ),
    "redirect_same_host": Mode(
        what="302 to a place of this server that answers soundly", act=_redirect_same_host
    ),
    "redirect_loop": Mode(what="302 to itself", act=lambda scene: _redirect(scene.origin + scene.target)),
}
