"""The logs at an address, and which of them nobody should add up: files that cannot be read, copies of one another,
and files that changed meanwhile.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from mtok.progress import Progress
from mtok.sources import Refused
from mtok.usage.evidence import UsageFile, likeness_of
from mtok.usage.logs import USAGE_UNREADABLE, WRITE_ANEW, Log, NotTaken, footer_sha256, partition_of, read_log
from mtok.usage.places import Place
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
        """Return the days a refused file has rows of: those of its partition or, of a log, of its statistics."""
        log = self.unreadable.get(refused.path)
        if log is not None and log.days is not None:
            return list(range(log.days[0], log.days[1] + 1))
        day = partition_of(refused.path)
        return [] if day is None else [day]

    def refuse(self, unreadable: dict[str, str]) -> None:
        """Take logs for refused files after all. unreadable : by path, what is wrong with them"""
        self.unreadable |= {log.origin: log for log in self.logs if log.origin in unreadable}
        self.logs = [log for log in self.logs if log.origin not in unreadable]
        self.refused += [
            Refused(path=path, code=USAGE_UNREADABLE, found=found, remedy=WRITE_ANEW)
            for path, found in unreadable.items()
        ]

    def unplaced(self) -> list[Refused]:
        """Return the refused files whose rows could be of any day: their paths name no partition."""
        return [refused for refused in self.refused if not self.days_of(refused)]


def find_logs(place: Place, folder: Path, last_day: int, progress: Progress) -> Found:
    """Open every file at an address. folder : where texts are unpacked · last_day : the newest day of a request."""
    found, paths = Found(), place.files()
    for done, path in enumerate(paths):
        progress("opening", done, len(paths))
        try:
            parquet = path.lower().endswith(".parquet")
            log = read_log(place, path, last_day) if parquet else read_text(place, path, folder)
        except NotTaken as error:
            found.refused.append(Refused(path=path, code=error.code, found=error.found, remedy=error.remedy))
            continue
        if log.rows or log.torn:
            found.logs.append(log)
        else:
            found.empty.append(path)
    progress("opening", len(paths), len(paths))
    return found


def twins(logs: Iterable[Log], held: Iterable[UsageFile]) -> dict[str, str]:
    """Return, by path, the logs whose rows lie in another file too, each with the path of that one.

    A copy to the byte has the same digest; one that was written anew has as many rows, between the same two instants,
    with the same least and greatest counts. A file that moved is no copy: where it was there is nothing now.
    """
    seen: defaultdict[Hashable, list[str]] = defaultdict(list)
    for log in logs:
        for sign in {log.sha256, likeness_of(log)} - {None}:
            seen[sign].append(log.origin)
    digests = {log.sha256 for log in logs}
    for file in held:
        if file.likeness in seen and file.sha256 not in digests and file.path not in seen[file.likeness]:
            seen[file.likeness].append(file.path)
    copies = [sorted(paths) for paths in seen.values() if len(paths) > 1]
    return {path: next(other for other in paths if other != path) for paths in copies for path in paths}


def is_changed(place: Place, log: Log) -> bool:
    """Return whether a log is not what it was when it was opened."""
    try:
        if log.path != log.origin:
            return place.size(log.origin) != log.bytes
        return footer_sha256(place, log.path) != log.sha256
    except (OSError, ValueError):
        return True
