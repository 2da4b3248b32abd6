"""The client of OpenRouter: asks for models, rankings and endpoints, again where that may help, within limits.

What comes is handed on attempt by attempt and judged by others. The key goes with requests to `/datasets` and
with no other, to the server it was given for and to no other, and into nothing that is kept or said.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import ip_address
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from mtok.archive import KIND_ENDPOINTS, KIND_MODELS, KIND_RANKINGS, Response
from mtok.calendar import SECOND, Clock, day_of, format_date, format_instant, parse_date
from mtok.errors import BadCall
from mtok.sources.attempts import (
    HTTP_CONNECTION,
    HTTP_TIMEOUT,
    HTTP_TRUNCATED,
    LIMITS,
    Limits,
    Line,
    Request,
)

if TYPE_CHECKING:
    import httpx2
    from stamina.instrumentation import RetryDetails

OPENROUTER_URL: Final = "https://openrouter.ai/api/v1"
REDIRECTS_MAX: Final = 3
FIRST_DAY: Final = parse_date("2025-01-01")
"""The first day OpenRouter has rankings of."""

HTTP_BUDGET: Final = "http_budget"
KEY_MISSING: Final = "key_missing"

_MINUTE: Final = 60 * SECOND
_KEY: Final = re.compile(r"[!-~]{1,512}")
_SLUG: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}/[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
_PASSING: Final = frozenset(
    {HTTP_CONNECTION, HTTP_TIMEOUT, HTTP_TRUNCATED, "http_408", "http_429"}
    | {f"http_{status}" for status in range(500, 600)}
)
"""The failures another try may not meet."""

Keep = Callable[[Response], None]
Log = Callable[..., None]
Sound = Callable[[str, bytes], str | None]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one question.

    kind, subject : as in `Capture`
    response : the last attempt, if it brought a whole answer with status 200
    failure : None when that answer is sound; else the code of why not: of the last attempt, of `sound`, or
        `http_budget` and `key_missing` for a question that was not asked
    found : what was met, for people
    attempts : requests made for it, followed redirects included
    """

    kind: str
    subject: str | None
    response: Response | None
    failure: str | None
    found: str | None
    attempts: int


@dataclass(frozen=True, kw_only=True)
class _Question:
    kind: str
    subject: str | None
    url: httpx2.URL
    asked_before: int


class _Again(Exception):
    """A try that failed and may be repeated. wait : asked for, or True for the ordinary one."""

    def __init__(self, outcome: Outcome, wait: bool | dt.timedelta, log: Log) -> None:
        super().__init__(outcome.failure)
        self.outcome = outcome
        self.wait = wait
        self.log = log


class OpenRouter:
    """A client of one OpenRouter, for one run; a context manager that closes its connections.

    clock : where all times come from, except that durations are measured
    key : an OpenRouter key, which rankings need; None asks for models and endpoints only
    url : of the API; plain http on a loopback address only
    origin : of the responses when the server replays recordings, which then names their sha256 in
        `X-Replay-Sha256`; without it that header counts for nothing
    keep : called with each attempt as soon as it is over, before any wait; what it raises ends the question
    log : called as `log("attempt", kind, subject, status, failure, bytes, milliseconds)`, all but the first by
        name, and as `log("waiting", seconds, because)`
    sound : called with (kind, raw) of a whole answer; returns None, or the code of why it is not worth having

    Raises BadCall `key_invalid` and `url_refused`. Source: ingest rules 5.3; OpenRouter's contracts 0, 1, 4, 5, 7.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        keep: Keep,
        log: Log,
        key: str | None = None,
        url: str = OPENROUTER_URL,
        limits: Limits = LIMITS,
        origin: str | None = None,
        sound: Sound | None = None,
    ) -> None:
        from stamina.instrumentation import set_on_retry_hooks

        if key is not None and not _KEY.fullmatch(key):
            raise BadCall(
                "key_invalid",
                f"the key of OpenRouter ({len(key)} characters) is not 1 to 512 printable ASCII characters",
                "Give it as OpenRouter shows it, without blanks or line breaks around it.",
            )
        self._base = _checked(url)
        self._clock = clock
        self._key_given = key is not None
        self._limits = limits
        self._keep, self._log, self._sound = keep, log, sound
        self._requests = 0
        self._models_asked = 0
        self._datasets: deque[int] = deque()
        self._left_alone: dict[str, int] = {}
        # In place of stamina's own, which print to standard output; `log` is told instead.
        set_on_retry_hooks([_say_waiting])
        self._line = Line(clock, self._base, key=key, limits=limits, origin=origin)

    def __repr__(self) -> str:
        return f"OpenRouter({str(self._base)!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._line.close()

    def models(self) -> Outcome:
        """Ask for the catalogue with its posted prices, as they are now."""
        return self._ask(KIND_MODELS, None, "/models")

    def rankings(self, first_day: int, last_day: int) -> list[Outcome]:
        """Ask for the tokens by model of each day from `first_day` to `last_day`, both included.

        One outcome for each window of at most `window_days`, oldest first; without a key each is `key_missing`.
        Raises BadCall `dates_out_of_order`, `day_before_data`, and `day_not_over`: of a day that lasts OpenRouter
        has a part, or answers for another day.
        """
        if first_day > last_day:
            raise BadCall(
                "dates_out_of_order",
                f"rankings from {format_date(first_day)} to {format_date(last_day)}",
                "Name the earlier day first.",
            )
        if first_day < FIRST_DAY:
            raise BadCall(
                "day_before_data",
                f"rankings from {format_date(first_day)}, which OpenRouter does not have",
                f"Begin with {format_date(FIRST_DAY)} or later.",
            )
        today = day_of(self._clock.now())
        if last_day >= today:
            raise BadCall(
                "day_not_over",
                f"rankings to {format_date(last_day)}; it is {format_date(today)} UTC",
                f"End with {format_date(today - 1)}, the last day that is over, or earlier.",
            )
        days = self._limits.window_days
        return [
            self._rankings_window(first, min(first + days - 1, last_day))
            for first in range(first_day, last_day + 1, days)
        ]

    def endpoints(self, slug: str) -> Outcome:
        """Ask, in one try, who serves a model at what price: what can wait is asked again by whoever asks next.

        slug : `author/name`, else BadCall `slug_invalid`
        """
        if not _SLUG.fullmatch(slug):
            raise BadCall("slug_invalid", f"{slug!r} is not author/name", "Name a model without its variant.")
        self._models_asked += 1
        if self._models_asked > self._limits.endpoints_max:
            return _not_asked(
                KIND_ENDPOINTS, slug, HTTP_BUDGET, f"{self._limits.endpoints_max} models were asked for"
            )
        return self._ask(KIND_ENDPOINTS, slug, f"/models/{slug}/endpoints", tries_max=1)

    def _rankings_window(self, first: int, last: int) -> Outcome:
        start, end = format_date(first), format_date(last)
        window = f"{start}/{end}"
        if not self._key_given:
            return _not_asked(KIND_RANKINGS, window, KEY_MISSING, "no key of OpenRouter")
        path = f"/datasets/rankings-daily?start_date={start}&end_date={end}"
        return self._ask(KIND_RANKINGS, window, path)

    def _ask(self, kind: str, subject: str | None, path: str, *, tries_max: int | None = None) -> Outcome:
        """Ask until there is a sound answer, another try is of no use, or the limits are reached."""
        import httpx2
        import stamina

        left_alone = self._left_alone.get(kind, 0)
        if self._clock.now() < left_alone:
            return _not_asked(
                kind, subject, "http_429", f"to be left alone until {format_instant(left_alone)}"
            )
        url = httpx2.URL(f"{self._base}{path}")
        question = _Question(kind=kind, subject=subject, url=url, asked_before=self._requests)
        tries = stamina.retry_context(
            on=_wait_of,
            attempts=tries_max or self._limits.attempts_max,
            timeout=None,
            wait_initial=self._limits.wait_seconds_first,
            wait_jitter=self._limits.wait_seconds_jitter,
            wait_max=self._limits.wait_seconds_max,
        )
        try:
            for one in tries:
                with one:
                    return self._try(question)
        except _Again as last:
            return last.outcome
        raise AssertionError("a try returns or raises")

    def _try(self, question: _Question) -> Outcome:
        """Return the outcome of one try. Raises _Again when another may have a better one."""
        self._keep_pace(question)
        response = self._answer(question)
        if response is None:
            return self._outcome(question, None, HTTP_BUDGET, f"{self._requests} requests were made")
        if response.failure is not None:
            outcome = self._outcome(question, None, response.failure, response.found)
            of_use = response.failure in _PASSING
        else:
            unsound = self._sound(question.kind, response.raw) if self._sound else None
            found = None if unsound is None else f"{len(response.raw)} bytes with status 200"
            outcome = self._outcome(question, response, unsound, found)
            of_use = unsound is not None
        wait = self._wait(response) if of_use and self._requests < self._limits.requests_max else None
        if wait is None:
            return outcome
        raise _Again(outcome, wait, self._log)

    def _keep_pace(self, question: _Question) -> None:
        """Raise _Again for when a request to `/datasets` may be made, if that is not now; it counts as a try."""
        if question.kind != KIND_RANKINGS:
            return
        now, most = self._clock.now(), self._limits.datasets_per_minute
        while self._datasets and self._datasets[0] <= now - _MINUTE:
            self._datasets.popleft()
        if len(self._datasets) >= most:
            wait = dt.timedelta(microseconds=self._datasets[0] + _MINUTE - now)
            outcome = self._outcome(question, None, HTTP_BUDGET, f"{most} requests for data sets in 60 s")
            raise _Again(outcome, wait, self._log)

    def _answer(self, question: _Question) -> Response | None:
        """Return the response at the end of the redirects, None where there is no budget to reach it."""
        request = Request(
            kind=question.kind, subject=question.subject, url=question.url, redirects_left=REDIRECTS_MAX
        )
        while self._requests < self._limits.requests_max:
            self._requests += 1
            if question.kind == KIND_RANKINGS:
                self._datasets.append(self._clock.now())
            attempt = self._line.attempt(request)
            response = attempt.response
            self._keep(response)
            self._log(
                "attempt",
                kind=response.kind,
                subject=response.subject,
                status=response.http_status,
                failure=response.failure,
                bytes=len(response.raw),
                milliseconds=attempt.milliseconds,
            )
            if attempt.follow is None:
                return response
            request = replace(request, url=attempt.follow, redirects_left=request.redirects_left - 1)
        return None

    def _wait(self, response: Response) -> bool | dt.timedelta | None:
        """Return how long the server asks to wait, True where it does not say, None where that is too long."""
        if response.not_before is None:
            return True
        self._left_alone[response.kind] = response.not_before
        wait = response.not_before - self._clock.now()
        if wait > self._limits.wait_seconds_max * SECOND:
            return None
        return dt.timedelta(microseconds=max(wait, 0))

    def _outcome(
        self, question: _Question, response: Response | None, failure: str | None, found: str | None
    ) -> Outcome:
        return Outcome(
            kind=question.kind,
            subject=question.subject,
            response=response,
            failure=failure,
            found=found,
            attempts=self._requests - question.asked_before,
        )


def _not_asked(kind: str, subject: str | None, failure: str, found: str) -> Outcome:
    return Outcome(kind=kind, subject=subject, response=None, failure=failure, found=found, attempts=0)


def _wait_of(error: Exception) -> bool | dt.timedelta:
    return error.wait if isinstance(error, _Again) else False


def _say_waiting(details: RetryDetails) -> None:
    error = details.caused_by
    if isinstance(error, _Again):
        error.log("waiting", seconds=round(details.wait_for, 1), because=error.outcome.failure)


def _checked(text: str) -> httpx2.URL:
    """Return the address of the API. Raises BadCall `url_refused`, which shows no name or password in it."""
    import httpx2

    try:
        url = httpx2.URL(text.rstrip("/"))
    except httpx2.InvalidURL:
        raise _url_refused("it is no URL") from None
    if url.userinfo or url.query or url.fragment:
        raise _url_refused("it holds a user, a query or a fragment")
    if url.scheme == "https" and url.host:
        return url
    if url.scheme == "http" and _is_loopback(url.host):
        return url
    raise _url_refused(f"it is {url.scheme or 'nothing'} to {url.host or 'nowhere'}")


def is_on_this_machine(url: str) -> bool:
    """Return whether the address is one `OpenRouter` takes, on the loopback. Raises BadCall `url_refused`."""
    return _is_loopback(_checked(url).host)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _url_refused(found: str) -> BadCall:
    return BadCall(
        "url_refused",
        f"the address of OpenRouter cannot be used: {found}",
        "Give an https address, or http on a loopback address such as http://127.0.0.1:8000/api/v1.",
    )
