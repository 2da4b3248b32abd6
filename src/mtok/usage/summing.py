"""Which logs have to be read for which days, and what the days sum to.

A day's cube is the cube in force plus the files that are new, for sums are associative; or, where a file of it was
replaced, the sum of all that are there. So nothing is read twice without need, and nothing counts twice.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from msgspec.structs import replace

from mtok.calendar import parse_date
from mtok.engine import Engine
from mtok.progress import Progress
from mtok.usage.evidence import DayFiles, Held, UsageFile
from mtok.usage.finding import Found
from mtok.usage.logs import Log
from mtok.usage.places import Place
from mtok.usage.reduction import Cells, Reduction, Rejected, Sums, reduce_logs


@dataclass
class DaySums:
    """A day: its sums by constituent, what does not count by reason, and the files behind both.

    logs : the files that were read for it · before : those of the cube they were added to
    """

    cells: Cells = field(default_factory=dict)
    rejected: defaultdict[str, Rejected] = field(default_factory=lambda: defaultdict(Rejected))
    logs: list[Log] = field(default_factory=list)
    before: DayFiles | None = None

    def begin_with(self, held: Held) -> None:
        """Take over a cube in force and its files."""
        self.cells = {model: Sums(*map(int, counts)) for model, *counts in held.cube.models}
        for reason, rejected in held.files.rejected.items():
            self.rejected[reason].add(int(rejected.rows), rejected.samples)
        self.before = held.files

    @property
    def rows(self) -> int:
        """The requests that count."""
        return sum(sums.requests for sums in self.cells.values())

    @property
    def rejected_rows(self) -> int:
        """The rows that do not."""
        return sum(rejected.rows for rejected in self.rejected.values())


@dataclass
class Summed:
    """The days that have something new.

    read : the logs that were read for them · undated : by file and reason, rows whose day nobody can know
    days_of : by file, the days it has, or may have, rows of
    """

    read: list[Log]
    days: dict[int, DaySums] = field(default_factory=dict)
    undated: dict[str, dict[str, Rejected]] = field(default_factory=dict)
    days_of: dict[str, set[int]] = field(default_factory=dict)


def renamed(files: list[UsageFile], paths: dict[str, str]) -> list[UsageFile]:
    """Return files with the paths they have now. paths : by identity"""
    return [replace(file, path=paths.get(file.identity, file.path)) for file in files]


class Summing:
    """The logs at an address against what is held of their days.

    held : the cubes in force that count · add : what is not there any more stays counted beside what is new
    moved : where each log is now, by identity
    """

    def __init__(self, found: Found, held: dict[int, Held], place: Place, *, add: bool) -> None:
        self._logs = found.logs
        self._held = held
        self._known: defaultdict[str, set[int]] = defaultdict(set)
        at: defaultdict[str, set[str]] = defaultdict(set)
        for file in (file for one in held.values() for file in one.files.files):
            self._known[file.identity].update(map(parse_date, (*file.dates, *file.left_out)))
            at[file.identity].add(file.path)
        self.moved = {log.identity: log.origin for log in found.logs}
        written = {*found.empty}
        for log in found.logs:
            if log.identity not in at or log.origin in at[log.identity]:
                written.add(log.origin)
        self._place, self._add = place, add
        self._replaced: dict[int, bool] = {}
        self._absent: dict[int, list[UsageFile]] = {}
        for day, one in held.items():
            missing = [file for file in one.files.files if file.identity not in self.moved]
            self._replaced[day] = any(file.path in written for file in missing)
            self._absent[day] = [file for file in missing if file.path not in written]

    def holds(self, day: int) -> bool:
        """Return whether there is a cube of the day."""
        return day in self._held

    def is_replaced(self, day: int) -> bool:
        """Return whether a file of the day's cube has other content now, so that the day has to be summed anew.

        A file that moved to the place of another one is known, and no other content of that one.
        """
        return self._replaced.get(day, False)

    def gone(self, day: int) -> str | None:
        """Return a file of the day's cube that is missed now that the day has new files, None where none is.

        A file that is nowhere any more, beside one that is new, may have become that one. A file of another address
        that is where it was may have not; only where the day has to be summed anew it is missed.
        """
        for file in self._absent.get(day, ()):
            stays = self._add or self._place.has(file.path, file.bytes, file.modified)
            if self.is_replaced(day) or not stays:
                return file.path
        return None

    def days_of(self, log: Log) -> set[int] | None:
        """Return the days a log may have rows of, None where only reading it tells."""
        if log.identity in self._known:
            return self._known[log.identity]
        return None if log.days is None else set(range(log.days[0], log.days[1] + 1))

    def wants(self, log: Log, day: int) -> bool:
        """Return whether the rows of a log count towards a day and are not in its cube.

        A day that a known log has rows of and that has no cube was left out, or its import was interrupted.
        """
        if day in self._held:
            return log.identity not in self._held[day].identities or self.is_replaced(day)
        return log.identity not in self._known or day in self._known[log.identity]

    def moved_in(self, day: int) -> DayFiles | None:
        """Return the files of a day's cube where some are called otherwise now, with their new paths."""
        files = self._held[day].files
        return None if (now := renamed(files.files, self.moved)) == files.files else replace(files, files=now)

    def to_read(self) -> list[Log]:
        """Return the logs that some day wants."""
        return [
            log
            for log in self._logs
            if (days := self.days_of(log)) is None or any(self.wants(log, day) for day in days)
        ]

    def sums(self, engine: Engine, last_day: int, progress: Progress) -> Summed:
        """Return the days that have something new. Raises as `reduce_logs`."""
        wanted = self.to_read()
        fresh = [log for log in wanted if log.identity not in self._known]
        known = [[log] for log in wanted if log.identity in self._known]
        summed = Summed(read=wanted)
        for day in self._replaced:
            if self.is_replaced(day):
                summed.days[day] = DaySums()
        for logs in [fresh, *known]:
            reduction = reduce_logs(engine, logs, last_day, progress)
            summed.undated.update(reduction.undated)
            for day in reduction.days_met():
                if any(self.wants(log, day) for log in logs):
                    self._add_day(summed, day, reduction)
            for log in logs:
                summed.days_of[log.origin] = reduction.days.get(log.origin) or self.days_of(log) or set()
        for log in wanted:
            for day in summed.days_of[log.origin] & summed.days.keys():
                if self.wants(log, day):
                    summed.days[day].logs.append(log)
        return summed

    def _add_day(self, summed: Summed, day: int, reduction: Reduction) -> None:
        """Add what logs sum to on a day to its cube in force, unless it has to be summed anew."""
        if day not in summed.days:
            summed.days[day] = DaySums()
            if day in self._held and not self.is_replaced(day):
                summed.days[day].begin_with(self._held[day])
        reduction.add_day(day, summed.days[day].cells, summed.days[day].rejected)
