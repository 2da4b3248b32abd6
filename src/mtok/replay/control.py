"""The replay set from outside, under `/_replay/` of its own port: its clock, its faults, what it has seen."""

from __future__ import annotations

from typing import Any, Final, Protocol

import msgspec

from mtok.calendar import format_instant, parse_instant
from mtok.errors import MtokError
from mtok.replay.clock import ReplayClock
from mtok.replay.faults import Fault
from mtok.replay.modes.mode import Answer, error
from mtok.replay.plan import fault_fields, read_faults

CONTROL: Final = "/_replay/"
_KNOWN: Final = f"GET {CONTROL}state, GET {CONTROL}requests, PUT {CONTROL}clock and PUT {CONTROL}faults"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request as the log keeps it: nothing of its headers, and a token in its path is blotted out.

    instant : of the replay clock · status : None when no answer was sent
    fault : the names of those that acted, joined by `+` · authorized : whether it bore a token that is accepted
    """

    instant: int
    method: str
    path: str
    status: int | None
    fault: str | None
    authorized: bool


class Controlled(Protocol):
    """What can be set from outside."""

    @property
    def clock(self) -> ReplayClock: ...
    @property
    def faults(self) -> list[Fault]: ...
    @property
    def requests(self) -> list[Request]: ...
    @property
    def requests_seen(self) -> int: ...
    @property
    def url(self) -> str: ...
    def arm_only(self, faults: list[Fault]) -> None: ...


class _Setting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    now: str | None = None
    rate: int | None = None


_SETTING: Final = msgspec.json.Decoder(_Setting)


def control(server: Controlled, method: str, path: str, body: bytes) -> Answer:
    """Return the answer to a control request; a refused one changes nothing and says what to do."""
    try:
        match method, path.removeprefix(CONTROL):
            case "GET", "requests":
                return _json([_request_fields(request) for request in server.requests])
            case "GET", "state":
                pass
            case "PUT", "clock":
                setting = _SETTING.decode(body)
                server.clock.set(None if setting.now is None else parse_instant(setting.now), setting.rate)
            case "PUT", "faults":
                server.arm_only(read_faults(body, "the request"))
            case _:
                return error(404, f"Known are {_KNOWN}")
    except MtokError as refusal:
        return error(400, str(refusal))
    except (ValueError, RecursionError) as refusal:
        return error(400, f'{refusal}\nPut {{"now": "2026-06-20T08:00:00Z", "rate": 0}}.')
    return _json(_state(server))


def _state(server: Controlled) -> dict[str, Any]:
    return {
        "now": format_instant(server.clock.now()),
        "rate": server.clock.rate,
        "faults": [fault_fields(fault) for fault in server.faults],
        "requests": server.requests_seen,
        "url": server.url,
    }


def _request_fields(request: Request) -> dict[str, Any]:
    return {**msgspec.structs.asdict(request), "instant": format_instant(request.instant)}


def _json(content: Any) -> Answer:
    return Answer(200, msgspec.json.encode(content))
