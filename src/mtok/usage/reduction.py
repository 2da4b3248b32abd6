"""The heavy step: rows of requests → exact sums of each day and model, on whatever engine there is.

It is associative: logs may be reduced all at once, one by one or on many machines, and give the same sums.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import Final, NamedTuple

from mtok.engine import Engine, FilesUnreadable
from mtok.errors import BadInput
from mtok.observations.faults import printable
from mtok.observations.slugs import SLUG_GRAMMAR, split_slug
from mtok.progress import Progress
from mtok.usage.columns import judged_rows, rows_of_one_day, sound_rows
from mtok.usage.logs import NEEDED, TEXT, USAGE_UNREADABLE, WHOLE, WRITE_ANEW, ZONED, Log
from mtok.usage.texts import SAMPLES_MAX

_FILES_AT_ONCE: Final = 4096
ROWS_ALONE: Final = 500_000
"""From here on a day is summed by itself: fewer sums at once stay in the processor's cache."""

_TYPES: Final = {TEXT: "VARCHAR", ZONED: "TIMESTAMP WITH TIME ZONE", WHOLE: "BIGINT"}


class Sums(NamedTuple):
    """Requests of one constituent: how many, their tokens, and the most prompt and completion tokens of one."""

    requests: int
    prompt_tokens: int
    completion_tokens: int
    tokens_max: int


_SUM_MAX: Final = 2**63 - 1

Cells = dict[str, Sums]
"""Sums by constituent."""


def add_cell(cells: Cells, constituent: str, sums: Sums) -> None:
    """Add requests. Raises BadInput (`overflow`) where a sum could leave 64 bits: count × maximum is the bound."""
    before = cells.get(constituent)
    if before is not None:
        sums = Sums(
            before.requests + sums.requests,
            before.prompt_tokens + sums.prompt_tokens,
            before.completion_tokens + sums.completion_tokens,
            max(before.tokens_max, sums.tokens_max),
        )
    if sums.requests * sums.tokens_max > _SUM_MAX:
        raise BadInput(
            "overflow",
            f"{sums.requests} requests of up to {sums.tokens_max} tokens can sum to more than 64 bits hold",
            "Some token count is absurd: look for it in the logs.",
        )
    cells[constituent] = sums


@dataclass
class Rejected:
    """Rows that do not count, for one reason: how many, and a few of them."""

    rows: int = 0
    samples: list[str] = field(default_factory=list)

    def add(self, rows: int, samples: Iterable[str] = ()) -> None:
        """Count more; of the samples the first few in their order are kept."""
        self.rows += rows
        self.samples = sorted({*self.samples, *samples})[:SAMPLES_MAX]


def _reasons() -> defaultdict[str, Rejected]:
    return defaultdict(Rejected)


@dataclass
class Reduction:
    """What logs sum to.

    cells : by day and constituent · rejected : by day and reason · undated : by file and reason, of rows whose day
    nobody can know · days : of each log that was looked at row by row, the days of its rows
    """

    cells: defaultdict[int, Cells] = field(default_factory=lambda: defaultdict(dict))
    rejected: defaultdict[int, defaultdict[str, Rejected]] = field(
        default_factory=lambda: defaultdict(_reasons)
    )
    undated: defaultdict[str, defaultdict[str, Rejected]] = field(
        default_factory=lambda: defaultdict(_reasons)
    )
    days: dict[str, set[int]] = field(default_factory=dict)

    def days_met(self) -> list[int]:
        """Return the days that have rows, whether these count or not."""
        return sorted(self.cells.keys() | self.rejected.keys())

    def add_day(self, day: int, cells: Cells, rejected: dict[str, Rejected]) -> None:
        """Add a day's sums, and what of it does not count, to those of other logs."""
        if not cells:
            cells.update(self.cells[day])
        else:
            for constituent, sums in self.cells[day].items():
                add_cell(cells, constituent, sums)
        for reason, rows in self.rejected[day].items():
            rejected[reason].add(rows.rows, rows.samples)


def reduce_logs(engine: Engine, logs: Sequence[Log], last_day: int, progress: Progress) -> Reduction:
    """Return what the logs sum to. last_day : the newest day a request can be of.

    Raises FilesUnreadable where an engine cannot read a file it has begun, BadInput for an overflow.
    """
    reduction = Reduction()
    rows = sum(log.rows for log in logs)
    done = 0
    for day, alike in _alike([log for log in logs if log.sound], engine):
        progress("reducing", done, rows)
        _add_sound(reduction, engine, alike, day)
        done += sum(log.rows for log in alike)
    for log in logs:
        if not log.sound:
            progress("reducing", done, rows)
            _add_judged(reduction, engine, log, last_day)
            done += log.rows
    progress("reducing", rows, rows)
    return reduction


def unreadable_among(
    engine: Engine, logs: Iterable[Log], last_day: int, progress: Progress
) -> dict[str, str]:
    """Return the logs an engine cannot read, each by itself, with what it says of them."""
    found = {}
    for log in logs:
        try:
            reduce_logs(engine, [log], last_day, progress)
        except FilesUnreadable as error:
            found[log.origin] = error.found
    return found


class _Alike(NamedTuple):
    """What logs that one query reads have in common."""

    day: int | None
    dated: bool
    kinds: tuple[tuple[str, str], ...]


def _alike(logs: Sequence[Log], engine: Engine) -> Iterator[tuple[int | None, list[Log]]]:
    """Yield the logs in groups that one query reads, of the same columns and not too many, each with its day.

    A day of many rows is a group of its own, where a query costs little to begin; other groups are of any days, None.
    """
    rows: Counter[int] = Counter()
    for log in logs:
        if (day := _one_day(log)) is not None:
            rows[day] += log.rows
    alone = {day for day, count in rows.items() if count >= ROWS_ALONE and engine.begins_at_once}
    groups: defaultdict[_Alike, list[Log]] = defaultdict(list)
    for log in logs:
        day = _one_day(log)
        groups[_Alike(day if day in alone else None, log.dated, tuple(sorted(log.kinds.items())))].append(log)
    for shared, group in groups.items():
        for start in range(0, len(group), _FILES_AT_ONCE):
            yield shared.day, group[start : start + _FILES_AT_ONCE]


def _one_day(log: Log) -> int | None:
    return log.days[0] if log.days is not None and log.days[0] == log.days[1] else None


def _add_sound(reduction: Reduction, engine: Engine, logs: Sequence[Log], day: int | None) -> None:
    scan, counted = _scan(engine, logs), 0
    if day is None:
        found = engine.rows(_over(sound_rows(logs[0], engine, scan), "sound.sql"))
    else:
        found = [(day, *row) for row in engine.rows(_over(rows_of_one_day(scan), "one_day.sql"))]
    for of, model, *sums in found:
        _add(reduction, of, model, Sums(*sums))
        counted += sums[0]
    if counted != (promised := sum(log.rows for log in logs)):
        raise FilesUnreadable(
            USAGE_UNREADABLE, f"{counted} rows read of {promised} that the footers promise", WRITE_ANEW
        )


def _add_judged(reduction: Reduction, engine: Engine, log: Log, last_day: int) -> None:
    rows = judged_rows(log, engine, _scan(engine, [log]), last_day)
    days = reduction.days[log.origin] = set()
    rejected = False
    for day, model, reason, requests, *sums in engine.rows(_over(rows, "judged.sql")):
        if day is not None:
            days.add(day)
        if reason is None:
            _add(reduction, day, model, Sums(requests, *sums))
        else:
            rejected = True
            _rejected(reduction, log, day)[reason].add(requests)
    for reason, lines, samples in log.torn:
        _rejected(reduction, log, None)[reason].add(lines, samples)
    if rejected:
        for day, reason, sample in engine.rows(_over(rows, "samples.sql")):
            _rejected(reduction, log, day)[reason].add(0, [printable(f"{log.origin}: {sample}")])


def _rejected(reduction: Reduction, log: Log, day: int | None) -> defaultdict[str, Rejected]:
    """Return where rows of a log that do not count are counted: under their day or, without one, under the log."""
    return reduction.undated[log.origin] if day is None else reduction.rejected[day]


def _scan(engine: Engine, logs: Sequence[Log]) -> str:
    """Return what to write after FROM to read logs of the same columns; `day` is read where it is believed."""
    columns = {name: _TYPES[logs[0].kinds[name]] for name in NEEDED}
    if logs[0].dated:
        columns["day"] = "INTEGER"
    return engine.scan(columns, [log.path for log in logs])


def _over(rows: str, name: str) -> str:
    """Return a query of the folder `sql` over these rows."""
    text = (files("mtok.usage") / "sql" / name).read_text("utf-8")
    return text.replace("FROM logs", f"FROM ({rows}) AS logs")


def _add(reduction: Reduction, day: int, model: str, sums: Sums) -> None:
    """Add what SQL sums to under the name that stands in the logs; `x` and `x:standard` are one constituent."""
    constituent = _constituent(model)
    if constituent is None:
        reduction.rejected[day][SLUG_GRAMMAR].add(sums.requests, [printable(model)])
    else:
        add_cell(reduction.cells[day], constituent, sums)


@lru_cache(maxsize=65_536)
def _constituent(model: str) -> str | None:
    return None if split_slug(model) is None else model.removesuffix(":standard")
