"""A local OpenRouter: who may ask, how often, what goes wrong with the answer, and what was asked.

It listens on loopback only and forgets every key it is shown.
"""

from __future__ import annotations

import hmac
import ipaddress
import threading
from collections import deque
from types import TracebackType
from typing import Final

from mtok.errors import BadCall, EnvironmentFailed
from mtok.replay.answers import NO_KEY, PREFIX, Answers, place_of
from mtok.replay.clock import ReplayClock
from mtok.replay.control import Request
from mtok.replay.faults import Armed, Fault, Turn
from mtok.replay.limits import RateLimits
from mtok.replay.listener import Asked, Listener, Reply
from mtok.replay.modes import bodies, statuses, wire
from mtok.replay.modes.mode import RANKINGS, Answer, Scene, error
from mtok.replay.recording import Recording

REQUESTS_KEPT: Final = 10_000
_PATH_KEPT: Final = 500
_SECRET_LETTERS_MIN: Final = 8


class ReplayServer:
    """OpenRouter as recorded, served while the `with` block lasts.

    key : the one token accepted, None for any · ready_hour : UTC hour from which the day before is offered
    today : `clamp` ends a window that reaches today the day before, `refuse` answers 400
    Raises BadCall `replay_host` for a host that is not loopback and `replay_setting` for another setting
    outside its range; entering it raises EnvironmentFailed `replay_port` for a port that cannot be had.
    """

    def __init__(
        self,
        recording: Recording,
        clock: ReplayClock,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        key: str | None = None,
        ready_hour: int = 1,
        today: str = "clamp",
    ) -> None:
        self.clock = clock
        self._host = _loopback(host)
        self._port = port
        self._key = key
        _check(0 <= port <= 65_535, f"port {port}", "Give 0 (any that is free) to 65535.")
        _check(0 <= ready_hour <= 23, f"ready_hour {ready_hour}", "Give 0 to 23.")
        _check(today in ("clamp", "refuse"), f"today {today!r}", "Give `clamp` or `refuse`.")
        _check(key != "", "an empty key", "Give a key, or None to accept any.")
        self._answers = Answers(recording, ready_hour=ready_hour, refuse_today=today == "refuse")
        self._armed = Armed()
        self._limits = RateLimits()
        self._lock = threading.Lock()
        self._requests: deque[Request] = deque(maxlen=REQUESTS_KEPT)
        self._seen = 0
        self._listener: Listener | None = None

    def __enter__(self) -> ReplayServer:
        try:
            self._listener = Listener((self._host, self._port), self)
        except OSError as found:
            raise EnvironmentFailed(
                "replay_port",
                f"port {self._port} of {self._host} cannot be had: {found.strerror}",
                "Choose another port, or 0 for any that is free.",
            ) from None
        self._listener.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, found: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._listener
        self._listener.end()

    @property
    def origin(self) -> str:
        """`http://HOST:PORT`; only while it runs."""
        assert self._listener, "a replay has an address while it runs"
        return f"http://{self._host}:{self._listener.server_address[1]}"

    @property
    def url(self) -> str:
        """Base URL of the API, for clients in the place of https://openrouter.ai/api/v1."""
        return self.origin + PREFIX

    @property
    def faults(self) -> list[Fault]:
        """The faults armed and not spent."""
        return self._armed.faults

    def arm(self, *faults: Fault) -> None:
        """Arm faults beside those there are. Raises BadCall `replay_fault` when there are too many."""
        for fault in faults:
            self._armed.add(fault, self.clock.now())

    def arm_only(self, faults: list[Fault]) -> None:
        """Arm these faults and no others. Raises BadCall `replay_fault` when there are too many."""
        self._armed.replace(faults, self.clock.now())

    def disarm(self) -> None:
        """Take all faults off."""
        self._armed.replace([], self.clock.now())

    @property
    def requests(self) -> list[Request]:
        """The last 10,000 requests of the API, oldest first; control requests are not among them."""
        with self._lock:
            return list(self._requests)

    @property
    def requests_seen(self) -> int:
        """How many requests of the API there were."""
        with self._lock:
            return self._seen

    def reply(self, asked: Asked) -> Reply:
        """Return what a request gets, faults included, and enter it in the log."""
        now = self.clock.now()
        with self._lock:
            self._seen += 1
            number = self._seen
        reply = self._reply(asked, now, number)
        unanswered = reply.send in (wire.MODES["hang"].act, wire.MODES["close_before_answer"].act)
        secret = len(asked.token) >= _SECRET_LETTERS_MIN
        path = asked.target.replace(asked.token, "…") if secret else asked.target
        request = Request(
            instant=now,
            method=asked.method,
            path=path[:_PATH_KEPT],
            status=None if unanswered else reply.answer.status,
            fault="+".join(reply.faults) or None,
            authorized=reply.authorized,
        )
        with self._lock:
            self._requests.append(request)
        return reply

    def _reply(self, asked: Asked, now: int, number: int) -> Reply:
        place = place_of(asked.path)
        scene = Scene(None, now, now, number, self.origin, asked.target, asked.query, asked.takes_gzip)
        turn = Turn(self._armed, place.route or "", scene)
        authorized = self._accepts(asked.token)
        passing = {"redirect_same_host"} if statuses.REDIRECTED in asked.query else set()
        modes = {name: mode for name, mode in statuses.MODES.items() if name not in passing}
        for act, seen in turn.take(modes, first_only=True):
            return Reply(act(seen), seen, None, turn.acted, authorized)
        refused = self._refusal(place.route, authorized, now)
        answer = refused or self._answers.answer(place, asked.query, now, turn.change)
        if answer.status == 200:
            for around, seen in turn.take(bodies.MODES):
                answer = around(answer, seen)
        for send, seen in turn.take(wire.MODES, first_only=True):
            return Reply(answer, seen, send, turn.acted, authorized)
        return Reply(answer, scene, None, turn.acted, authorized)

    def _refusal(self, route: str | None, authorized: bool, now: int) -> Answer | None:
        if route != RANKINGS:
            return None
        if not authorized:
            return error(401, NO_KEY)
        with self._lock:
            return self._limits.count(now)

    def _accepts(self, token: str) -> bool:
        if self._key is None:
            return bool(token)
        return hmac.compare_digest(token.encode(), self._key.encode())


def _loopback(host: str) -> str:
    host = "127.0.0.1" if host == "localhost" else host
    try:
        fits = ipaddress.IPv4Address(host).is_loopback
    except ValueError:
        fits = False
    if not fits:
        raise BadCall(
            "replay_host",
            f"a replay does not listen on {host!r}: it is for this machine only",
            "Use 127.0.0.1 or another address of 127.0.0.0/8.",
        )
    return host


def _check(fits: bool, found: str, remedy: str) -> None:
    if not fits:
        raise BadCall("replay_setting", f"a replay cannot have {found}", remedy)
