"""The logs at an address, and which of them nobody should add up: files that cannot be read, copies of one another,
and files that changed meanwhile.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mtok.calendar import DAY
from mtok.errors import BadCall
from mtok.progress import Progress
from mtok.sources import Refused
from mtok.sources.files import printable
from mtok.usage.evidence import UsageFile, usage_file
from mtok.usage.logs import USAGE_UNREADABLE, WRITE_ANEW, Log, NotTaken, footer_sha256, partition_of, read_log
from mtok.usage.places import ENDINGS, Place
from mtok.usage.texts import read_text


@dataclass(kw_only=True)
class Found:
    """What lies at an address.

    logs : those with rows, in order of their paths · empty : those without · refused : files that are no logs
    unreadable : by path, the refused files that passed for logs until they were read
    """

    logs: list[Log] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    unreadable: dict[str, Log] = field(default_factory=dict)

    def days_of(self, refused: Refused) -> list[int]:
        """Return the days a refused file has rows of: those of its statistics or, without, of its partition."""
        log = self.unreadable.get(refused.path)
        if log is not None and log.days is not None:
            return list(range(log.days[0], log.days[1] + 1))
        day = partition_of(refused.path)
        return [] if day is None else [day]

    def refuse(self, code: str, logs: dict[str, str], remedy: str = WRITE_ANEW) -> None:
        """Take logs for refused files after all. logs : by path, what is wrong with them"""
        self.unreadable |= {log.origin: log for log in self.logs if log.origin in logs}
        self.logs = [log for log in self.logs if log.origin not in logs]
        self.refused += [
            Refused(path=path, code=code, found=found, remedy=remedy) for path, found in logs.items()
        ]

    def unplaced(self) -> list[Refused]:
        """Return the refused files whose rows could be of any day."""
        return [refused for refused in self.refused if not self.days_of(refused)]


def find_logs(place: Place, folder: Path, last_day: int, progress: Progress) -> Found:
    """Open every file at an address. folder : where texts are unpacked · last_day : the newest day of a request.

    Raises BadCall where there is none.
    """
    found, paths = Found(), place.files()
    if not paths:
        raise BadCall(
            "no_logs",
            f"no file at {place.address} is called as logs are",
            f"Logs end in {', '.join(ENDINGS)}; what begins with _ or . is passed over.",
        )
    for done, path in enumerate(paths):
        progress("opening", done, len(paths))
        try:
            _check_name(path)
            parquet = path.lower().endswith(".parquet")
            log = read_log(place, path, last_day) if parquet else read_text(place, path, folder)
        except NotTaken as error:
            found.refused.append(
                Refused(path=printable(path), code=error.code, found=error.found, remedy=error.remedy)
            )
            continue
        if log.rows or log.torn:
            found.logs.append(log)
        else:
            found.empty.append(path)
    progress("opening", len(paths), len(paths))
    return found


def _check_name(path: str) -> None:
    """Raise NotTaken for a name no engine and no record can say."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        raise NotTaken(USAGE_UNREADABLE, "its name is not UTF-8", "Give it another name.") from None


def twins(logs: Sequence[Log], held: Iterable[UsageFile]) -> dict[str, str]:
    """Return, by path, the logs whose rows lie in other files too, each with the path of one of these.

    A copy to the byte has the same digest; one that was written anew has as many rows, between the same two instants,
    with the same least and greatest counts. Files that were put together have as many rows as all the others of their
    day, between the same two instants. A file that moved is no copy: where it was there is nothing now.
    """
    known = {log.identity for log in logs}
    files = [usage_file(log, set(), set()) for log in logs]
    paths = {file.path for file in files}
    elsewhere = {
        file.identity: file for file in held if file.identity not in known and file.path not in paths
    }
    files += elsewhere.values()
    seen: defaultdict[str, set[str]] = defaultdict(set)
    for file in files:
        for sign in {file.sha256, file.likeness} - {None}:
            seen[str(sign)].add(file.path)
    copies = [sorted(paths) for paths in seen.values() if len(paths) > 1] + [*_put_together(files)]
    found = {path: next(other for other in group if other != path) for group in copies for path in group}
    return {log.origin: found[log.origin] for log in logs if log.origin in found}


def _put_together(files: Iterable[UsageFile]) -> Iterator[list[str]]:
    """Yield the files of a day of which one has the rows of all others."""
    days: defaultdict[int, list[tuple[int, int, int, str]]] = defaultdict(list)
    for file in files:
        if file.span and len({int(instant) // DAY for instant in file.span}) == 1:
            first, last = map(int, file.span)
            days[first // DAY].append((int(file.rows), first, last, file.path))
    for day in days.values():
        rows, largest = sum(file[0] for file in day), max(day)
        others = [file for file in day if file is not largest]
        if len(others) < 2 or 2 * largest[0] != rows:
            continue
        if (min(file[1] for file in others), max(file[2] for file in others)) == largest[1:3]:
            yield [file[3] for file in day]


def is_changed(place: Place, log: Log) -> bool:
    """Return whether a log is not what it was when it was opened."""
    try:
        if log.path != log.origin:
            return place.size(log.origin) != log.bytes
        return (footer_sha256(place, log.path), place.modified(log.path)) != (log.sha256, log.modified)
    except (OSError, ValueError):
        return True
