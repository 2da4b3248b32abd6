"""Where a publication is read from: a folder, or an http(s) address of one.

Whoever serves it is not believed: paths stay inside, links do not lead out, every file has a limit of size, every
answer a limit of time, and a page that came in the place of a file is refused.
"""

from __future__ import annotations

import hashlib
import re
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

from mtok import __version__
from mtok.errors import BadCall, BadInput, EnvironmentFailed, MtokError

if TYPE_CHECKING:
    import httpx2

CHECKPOINT: Final = "log/checkpoint"
PATH_LENGTH_MAX: Final = 300
LISTED_MAX: Final = 2_000_000
"""Files of a folder, at most."""

_PATH: Final = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*", re.ASCII)
_MB: Final = 2**20
_BYTES_MAX: Final = (
    ("log/tile/entries/", 17 * _MB),
    ("log/", _MB),
    ("proofs/", _MB),
    ("records/", 16 * _MB),
    ("prices/", 16 * _MB),
    ("captures/", 64 * _MB),
    ("raw/", 256 * _MB),
    ("methodology/", 16 * _MB),
    ("rulebooks/", 16 * _MB),
    ("policies/", 16 * _MB),
    ("SHA256SUMS", 1024 * _MB),
    ("", 4096 * _MB),
)
"""Beginning of a path → most bytes; the first that fits holds."""

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_REDIRECTS_MAX: Final = 3
_TRIES: Final = 3
_CHUNK: Final = 2**16
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Unreadable(BadInput):
    """A file that is there and cannot be taken; a verification makes a finding of it."""


class Missing(BadInput):
    """A file that is not there."""

    def __init__(self, where: str) -> None:
        super().__init__("file_missing", f"{where} is not there", "Ask for the whole publication again.")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What reading from an address may take, in seconds.

    connect_seconds : until there is a connection · read_seconds : between two bytes
    file_seconds : for one file from its beginning to its last byte, however steadily it drips
    """

    connect_seconds: int = 10
    read_seconds: int = 30
    file_seconds: int = 300


LIMITS: Final = Limits()


class Source(Protocol):
    """A publication that can be read, file by file."""

    where: str

    def read(self, path: str) -> bytes:
        """Return the bytes of a file. Raises Missing, Unreadable, or EnvironmentFailed when it cannot be asked."""
        ...

    def digest(self, path: str) -> str:
        """Return the sha256 of a file without holding it in memory. Raises as `read`."""
        ...

    def paths(self) -> list[str] | None:
        """Return the path of every file, sorted; None where nobody lists them."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


def bytes_max(path: str) -> int:
    """Return the most bytes the file at `path` may have."""
    return next(limit for beginning, limit in _BYTES_MAX if path.startswith(beginning))


def is_safe(path: str) -> bool:
    """Return whether a path is one the published formats allow: plain letters, never upwards, never absolute."""
    return (
        len(path) <= PATH_LENGTH_MAX
        and _PATH.fullmatch(path) is not None
        and not any(part.strip(".") == "" for part in path.split("/"))
    )


def _checked(path: str) -> str:
    if not is_safe(path):
        raise Unreadable("file_refused", f"no path of a publication: {path[:PATH_LENGTH_MAX]!a}")
    return path


class Folder:
    """A publication in a folder, or in a store that holds `publication/`."""

    def __init__(self, path: Path) -> None:
        """Open it; raises BadCall `publication_missing` where no checkpoint is found."""
        candidates = [path, path / "publication"]
        found = [folder for folder in candidates if (folder / CHECKPOINT).is_file()]
        if not found:
            raise BadCall(
                "publication_missing",
                f"{path} holds no {CHECKPOINT}, nor does {path / 'publication'}",
                "Name the folder of a publication, a store that has published, or an address.",
            )
        self.where = str(found[0])
        self._root = found[0].resolve()

    def read(self, path: str) -> bytes:
        """Return the bytes of a file (`Source.read`)."""
        return b"".join(self._chunks(path))

    def digest(self, path: str) -> str:
        """Return the sha256 of a file (`Source.digest`)."""
        whole = hashlib.sha256()
        for chunk in self._chunks(path):
            whole.update(chunk)
        return whole.hexdigest()

    def _chunks(self, path: str) -> Iterator[bytes]:
        file = self._root / _checked(path)
        limit = bytes_max(path)
        try:
            if not file.resolve().is_relative_to(self._root):
                raise Unreadable("file_refused", f"{path} is a link that leads out of {self.where}")
            if not stat.S_ISREG(file.stat().st_mode):
                raise Unreadable("file_refused", f"{path} is no regular file")
            with file.open("rb") as opened:
                left = limit
                while chunk := opened.read(_CHUNK):
                    left -= len(chunk)
                    if left < 0:
                        raise Unreadable("file_refused", f"{path} has more than {limit} bytes")
                    yield chunk
        except (FileNotFoundError, NotADirectoryError):
            raise Missing(path) from None
        except (OSError, RuntimeError) as error:
            raise Unreadable("file_refused", f"{path} cannot be read: {error}") from None

    def paths(self) -> list[str] | None:
        """Return the path of everything in the folder that is not itself a folder, sorted."""
        found: list[str] = []
        waiting = [self._root]
        while waiting:
            folder = waiting.pop()
            try:
                entries = list(folder.iterdir())
            except OSError as error:
                raise EnvironmentFailed("source_failed", f"{folder} cannot be listed: {error}") from None
            for entry in entries:
                if entry.is_dir() and not entry.is_symlink():
                    waiting.append(entry)
                else:
                    found.append(entry.relative_to(self._root).as_posix())
            if len(found) > LISTED_MAX:
                raise BadInput("source_refused", f"{self.where} has more than {LISTED_MAX} files")
        return sorted(found)

    def close(self) -> None:
        """Nothing is held."""


class Address:
    """A publication served at an http(s) address. Only its own host is asked, and it lists nothing."""

    def __init__(self, url: str, limits: Limits = LIMITS) -> None:
        """Take the address of the folder. Raises BadCall `address_refused`."""
        parts = urlsplit(url)
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or parts.username or parts.password:
            raise _address_refused("it is not http(s)://host/… without a name and a password")
        if parts.query or parts.fragment:
            raise _address_refused("it holds a query or a fragment")
        import httpx2

        try:
            self._base = httpx2.URL(url.rstrip("/") + "/")
        except httpx2.InvalidURL as error:
            raise _address_refused(str(error)) from None
        self.where = str(self._base)
        self._limits = limits
        self._client = httpx2.Client(
            timeout=httpx2.Timeout(limits.read_seconds, connect=limits.connect_seconds),
            follow_redirects=False,
            headers={"User-Agent": f"mtok/{__version__}", "Accept-Encoding": "identity"},
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def read(self, path: str) -> bytes:
        """Return the bytes of a file (`Source.read`)."""
        found: list[bytes] = []
        self._fetch(path, found.append, found.clear)
        return b"".join(found)

    def digest(self, path: str) -> str:
        """Return the sha256 of a file (`Source.digest`)."""
        whole = hashlib.sha256()

        def anew() -> None:
            nonlocal whole
            whole = hashlib.sha256()

        self._fetch(path, lambda chunk: whole.update(chunk), anew)  # noqa: PLW0108 - whole may be another by then
        return whole.hexdigest()

    def paths(self) -> list[str] | None:
        """Return None: nobody lists the files of an address."""
        return None

    def _fetch(self, path: str, take: Take, anew: Anew) -> None:
        """Hand the bytes of a file to `take`; a try that broke off is made again after `anew`."""
        import httpx2

        failure: httpx2.TransportError | None = None
        for _ in range(_TRIES):
            anew()
            try:
                for chunk in self._chunks(path):
                    take(chunk)
            except httpx2.TimeoutException:
                raise EnvironmentFailed(
                    "source_slow",
                    f"{self.where}{path} did not come within {self._limits.read_seconds} s",
                    "Try again later, or verify a copy.",
                ) from None
            except httpx2.TransportError as error:
                failure = error
            else:
                return
        raise EnvironmentFailed(
            "source_failed",
            f"{self.where}{path} broke off {_TRIES} times: {failure}",
            "Check the address and the network, or verify a copy.",
        )

    def _chunks(self, path: str) -> Iterator[bytes]:
        with self._answer(path) as response:
            yield from self._body(response, path)

    def _body(self, response: httpx2.Response, path: str) -> Iterator[bytes]:
        """Yield an answer as it comes: a server that drips must not fill a buffer first."""
        limit, left = bytes_max(path), bytes_max(path)
        until = time.monotonic_ns() + self._limits.file_seconds * 10**9
        for chunk in response.iter_raw():
            left -= len(chunk)
            if left < 0:
                raise Unreadable("file_refused", f"{path} has more than {limit} bytes")
            if time.monotonic_ns() > until:
                raise EnvironmentFailed(
                    "source_slow",
                    f"{self.where}{path} was not whole after {self._limits.file_seconds} s",
                    "Try again later, or verify a copy.",
                )
            yield chunk

    @contextmanager
    def _answer(self, path: str, headers: Mapping[str, str] | None = None) -> Iterator[httpx2.Response]:
        """Yield the answer at the end of the redirects. Raises Missing, Unreadable, EnvironmentFailed."""
        url = self._base.join(_checked(path))
        for _ in range(_REDIRECTS_MAX + 1):
            with self._client.stream("GET", url, headers=headers) as response:
                if response.status_code not in _REDIRECTS:
                    self._check(response, path)
                    yield response
                    return
                url = self._followed(url, response.headers.get("location", ""), path)
        raise Unreadable("file_refused", f"{path} was redirected more than {_REDIRECTS_MAX} times")

    def _followed(self, url: httpx2.URL, location: str, path: str) -> httpx2.URL:
        import httpx2

        try:
            target = url.join(location)
        except httpx2.InvalidURL:
            raise Unreadable("file_refused", f"{path} was redirected to no address") from None
        if _host(target) != _host(self._base) or target.userinfo:
            raise Unreadable(
                "file_refused",
                f"{path} was redirected to another host, {target.host[:200]!a}, which was not asked",
            )
        return target

    def _check(self, response: httpx2.Response, path: str) -> None:
        status = response.status_code
        if status in {404, 410}:
            raise Missing(path)
        if status != 200:
            raise EnvironmentFailed(
                "source_failed",
                f"{self.where}{path} was answered with status {status}",
                "Check the address, or try again later.",
            )
        if response.headers.get("content-type", "").split(";")[0].strip().lower() == "text/html":
            raise Unreadable(
                "file_refused", f"{path} was answered with a page (text/html), not with the file"
            )
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise Unreadable("file_refused", f"{path} came compressed, which was not asked for")
        announced = response.headers.get("content-length", "")
        if announced.isdecimal() and len(announced) < 20 and int(announced) > bytes_max(path):
            raise Unreadable("file_refused", f"{path} has {announced} bytes, above {bytes_max(path)}")


class Take(Protocol):
    """Takes a piece of a file."""

    def __call__(self, chunk: bytes, /) -> object:
        """Take the next piece."""
        ...


class Anew(Protocol):
    """Forgets the pieces that were taken."""

    def __call__(self) -> object:
        """Forget them."""
        ...


def _host(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or _DEFAULT_PORTS.get(url.scheme)


def _address_refused(found: str) -> MtokError:
    return BadCall(
        "address_refused", f"the address of the publication is refused: {found}", "Check the address."
    )


def open_source(where: str | Path, limits: Limits = LIMITS) -> Source:
    """Return the publication at a folder, a store or an http(s) address.

    Raises BadCall `publication_missing` or `address_refused`.
    """
    if isinstance(where, str) and re.match(r"[a-z]+://", where):
        return Address(where, limits)
    return Folder(Path(where))
