"""Faults of the response as bytes and headers: what arrives whole over HTTP and is not what it should be."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeAlias

from mtok.calendar import SECOND
from mtok.observations.payload import PAYLOAD_BYTES_MAX, PAYLOAD_DEPTH_MAX
from mtok.replay.modes.mode import Answer, Mode, Scene, http_date
from mtok.replay.modes.statuses import HTML, WALL

BOMB_BYTES: Final = 64 * 2**20
FLOOD_HEADERS: Final = 400

_ENCODED: Final = ("Content-Encoding", "gzip")

Around: TypeAlias = Callable[[Answer, Scene], Answer]


def _body(change: Callable[[bytes], bytes]) -> Around:
    return lambda answer, _: answer._replace(body=change(answer.body))


def _inserted(text: bytes) -> Callable[[bytes], bytes]:
    """Return a change that puts members first into the top object."""
    return lambda body: b"{" + text + b"," + body.lstrip()[1:]


def _truncated(body: bytes) -> bytes:
    return body[: len(body) * 2 // 3]


def _bad_utf8(body: bytes) -> bytes:
    return _inserted(b'"replay":"\xff\xfe"')(body)


def _too_deep(body: bytes) -> bytes:
    depth = PAYLOAD_DEPTH_MAX + 1
    return _inserted(b'"replay":' + b"[" * depth + b"]" * depth)(body)


def _oversize(body: bytes) -> bytes:
    return body + b" " * (PAYLOAD_BYTES_MAX + 1 - len(body))


def _html(answer: Answer, _: Scene) -> Answer:
    return answer._replace(body=WALL, headers=(*answer.headers, HTML))


def _gzip(answer: Answer, scene: Scene) -> Answer:
    if not scene.takes_gzip:
        return answer
    return answer._replace(body=gzip.compress(answer.body, mtime=0), headers=(*answer.headers, _ENCODED))


def _gzip_cut(answer: Answer, _: Scene) -> Answer:
    packed = gzip.compress(answer.body, mtime=0)
    return answer._replace(body=packed[: len(packed) // 2], headers=(*answer.headers, _ENCODED))


def _gzip_bomb(answer: Answer, _: Scene) -> Answer:
    return answer._replace(body=_bomb(), headers=(*answer.headers, _ENCODED))


@lru_cache(maxsize=1)
def _bomb() -> bytes:
    """Return a gzip of `BOMB_BYTES` of JSON, nearly all of it blanks."""
    packer = zlib.compressobj(wbits=31)
    blanks = b" " * 2**20
    parts = [packer.compress(b'{"data":[')]
    parts += [packer.compress(blanks) for _ in range(BOMB_BYTES // len(blanks))]
    return b"".join([*parts, packer.compress(b"]}"), packer.flush()])


def _header_flood(answer: Answer, _: Scene) -> Answer:
    flood = tuple((f"X-Replay-Flood-{number}", "flood " * 40) for number in range(FLOOD_HEADERS))
    return answer._replace(headers=answer.headers + flood)


def _clock_skew(answer: Answer, scene: Scene) -> Answer:
    skewed = http_date(scene.now + int(scene.value or 0) * SECOND)
    return answer._replace(headers=(*answer.headers, ("Date", skewed)))


MODES: Final[dict[str, Mode[Around]]] = {
    "truncated_json": Mode(what="sound HTTP whose JSON ends after two thirds", act=_body(_truncated)),
    "html_200": Mode(what="a page of HTML with status 200", act=_html),
    "empty_body": Mode(what="status 200 and not one byte", act=_body(lambda _: b"")),
    "bad_utf8": Mode(what="bytes that are no UTF-8 in a text", act=_body(_bad_utf8)),
    "too_deep": Mode(what=f"lists nested over {PAYLOAD_DEPTH_MAX} levels deep", act=_body(_too_deep)),
    "duplicate_key": Mode(
        what="one key twice in the top object", act=_body(_inserted(b'"replay":1,"replay":2'))
    ),
    "nan": Mode(what="NaN where JSON has no such number", act=_body(_inserted(b'"replay":NaN'))),
    "oversize": Mode(what="sound JSON filled up with blanks to over 20 MB", act=_body(_oversize)),
    "gzip": Mode(what="a sound gzip for clients that take it", act=_gzip),
    "gzip_cut": Mode(what="a gzip that ends half way", act=_gzip_cut),
    "gzip_bomb": Mode(what=f"a small gzip that unpacks to {BOMB_BYTES // 2**20} MB", act=_gzip_bomb),
    "header_flood": Mode(what=f"{FLOOD_HEADERS} headers more, about 100 kB of them", act=_header_flood),
    "clock_skew": Mode(
        what="the Date header is so many seconds off", act=_clock_skew, value="skew", default=120
    ),
}
