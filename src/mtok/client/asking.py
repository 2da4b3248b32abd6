"""A publication at an address, asked as little as possible: copies, conditional requests, patience, no network.

What never changes is asked for once; of all else the server says whether the copy is still right. A server that asks
to be left alone is, for as long as it says. When nobody can be asked the copy answers, and the answer says so. What
came is kept only when its reader says that it is right: `keep`.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mtok.client.cache import Cache, Copy
from mtok.client.refusals import Unreachable
from mtok.client.source import LIMITS, Address, Limits
from mtok.errors import EnvironmentFailed

if TYPE_CHECKING:
    import httpx2

TRIES: Final = 4
WAIT_SECONDS_MAX: Final = 30
"""A server that asks for more is not waited for."""

_UNCHANGING: Final = re.compile(
    r"(records|prices|observations|captures|raw|methodology|rulebooks|policies|proofs)/|log/(tile|heads)/"
)
_PASSING: Final = frozenset({429, 500, 502, 503, 504})
_REMEDY: Final = "Check the address and the network, or try again later; a downloaded folder needs neither."


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A file as it was answered.

    etag : what the server calls the body that came just now, None where the bytes are those of a copy
    failure : why nobody could be asked, so that this is the copy of before; None where somebody was, or need not be
    """

    raw: bytes
    etag: str | None = None
    failure: EnvironmentFailed | None = None


class _Again(Exception):
    """A try that came to nothing, of which the next may be better. wait : how long the server asked for, if it did"""

    def __init__(self, failure: EnvironmentFailed, wait: dt.timedelta | None = None) -> None:
        super().__init__(failure.found)
        self.failure = failure
        self.wait = wait


class KeptAddress(Address):
    """An address of a publication, with the copies of what it answered."""

    def __init__(self, url: str, folder: Path | None, limits: Limits = LIMITS) -> None:
        """Take the address of the folder. folder : of the copies, None for none. Raises BadCall `address_refused`."""
        super().__init__(url, limits)
        self._cache = None if folder is None else Cache(folder, self.where)

    def ask(self, path: str) -> Answer:
        """Return a file. Raises as `Source.read`, and Unreachable where neither server nor copy has it."""
        copy = self._cache.get(path) if self._cache else None
        if copy is not None and _UNCHANGING.match(path):
            return Answer(raw=copy.raw)
        return self._asked(path, copy, {"If-None-Match": copy.etag} if copy and copy.etag else {})

    def ask_again(self, path: str) -> Answer:
        """Return a file as the server has it, whatever copy there is, here or on the way."""
        return self._asked(path, None, {"Cache-Control": "no-cache"})

    def keep(self, path: str, answer: Answer) -> None:
        """Keep a copy of what came and was found right."""
        if self._cache and answer.etag is not None:
            self._cache.put(path, answer.raw, answer.etag)

    def forget(self, path: str) -> None:
        """Drop the copy of a file."""
        if self._cache:
            self._cache.forget(path)

    def _asked(self, path: str, copy: Copy | None, headers: Mapping[str, str]) -> Answer:
        import stamina

        tries = stamina.retry_context(
            on=_wait_of, attempts=TRIES, timeout=None, wait_initial=1, wait_max=WAIT_SECONDS_MAX
        )
        try:
            for one in tries:
                with one:
                    return self._try(path, copy, headers)
            raise AssertionError("a try returns or raises")
        except _Again as last:
            failure = last.failure
        except EnvironmentFailed as error:
            failure = error
        if copy is None:
            raise Unreachable(failure.code, failure.found, failure.remedy or _REMEDY) from None
        return Answer(raw=copy.raw, failure=failure)

    def _try(self, path: str, copy: Copy | None, headers: Mapping[str, str]) -> Answer:
        """Return a file, its copy where that is still right. Raises _Again when another try may be better."""
        import httpx2

        try:
            with self._answer(path, headers) as response:
                if response.status_code == 304 and copy is not None:
                    return Answer(raw=copy.raw)
                return Answer(raw=b"".join(self._body(response, path)), etag=response.headers.get("etag", ""))
        except httpx2.TransportError as error:
            found = f"{self.where}{path} did not come: {type(error).__name__} {error}".rstrip()
            raise _Again(EnvironmentFailed("source_failed", found, _REMEDY)) from None

    def _check(self, response: httpx2.Response, path: str) -> None:
        if response.status_code in _PASSING:
            wait = _wait_asked_for(response)
            found = f"{self.where}{path} was answered with status {response.status_code}"
            if wait is None or wait.total_seconds() <= WAIT_SECONDS_MAX:
                raise _Again(EnvironmentFailed("source_failed", found, _REMEDY), wait)
            asked = f"{found}, and asks to be left alone for {wait.seconds + wait.days * 86_400} s"
            raise EnvironmentFailed("source_failed", asked, "Ask again after that time.")
        if response.status_code != 304 or "if-none-match" not in response.request.headers:
            super()._check(response, path)


def _wait_of(error: Exception) -> bool | dt.timedelta:
    if not isinstance(error, _Again):
        return False
    return True if error.wait is None else error.wait


def _wait_asked_for(response: httpx2.Response) -> dt.timedelta | None:
    """Return what `Retry-After` says in seconds, None where it says none; a date would need a clock."""
    asked = response.headers.get("retry-after", "")
    return dt.timedelta(seconds=int(asked)) if asked.isdecimal() and len(asked) < 8 else None
