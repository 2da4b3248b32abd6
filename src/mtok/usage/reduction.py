"""The heavy step: rows of requests → exact sums of each day and model, on whatever engine there is.

It is associative: logs may be reduced all at once, one by one or on many machines, and give the same sums.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

from mtok.engine import Engine, FilesUnreadable
from mtok.errors import BadInput
from mtok.observations.faults import printable
from mtok.observations.slugs import SLUG_GRAMMAR, split_slug
from mtok.progress import Progress
from mtok.usage.columns import judged_rows, rows_of_one_day, sound_rows
from mtok.usage.logs import NANOSECONDS, NEEDED, TEXT, USAGE_UNREADABLE, WHOLE, WRITE_ANEW, ZONED, Log
from mtok.usage.texts import SAMPLES_MAX

MODEL_MISSING: Final = "model_missing"
_FILES_AT_ONCE: Final = 4096
ROWS_ALONE: Final = 500_000
"""From here on a day is summed by itself: fewer sums at once stay in the processor's cache."""

_TYPES: Final = {
    TEXT: "VARCHAR",
    ZONED: "TIMESTAMP WITH TIME ZONE",
    NANOSECONDS: "TIMESTAMP WITH TIME ZONE",
    WHOLE: "BIGINT",
}


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
    reduction, told = Reduction(), _Told(progress, sum(log.rows for log in logs))
    groups = _alike([log for log in logs if log.sound], engine)
    alone = [(day, group) for day, group in groups if day is not None]
    for _, group in (several for several in groups if several[0] is None):
        rows = engine.rows(_over(sound_rows(group[0], engine, _scan(engine, group)), "sound.sql"))
        _add_sound(reduction, group, rows)
        told.read(group)
    texts = [_over(rows_of_one_day(_scan(engine, group)), "one_day.sql") for _, group in alone]
    for (day, group), found in zip(alone, engine.rows_of_each(texts), strict=True):
        _add_sound(reduction, group, [(day, *row) for row in found])
        told.read(group)
    for log in (log for log in logs if not log.sound):
        _add_judged(reduction, engine, log, last_day)
        told.read([log])
    return reduction


class _Told:
    """Tells how many of the rows have been read."""

    def __init__(self, progress: Progress, rows: int) -> None:
        self._progress, self._done, self._rows = progress, 0, rows
        progress("reducing", 0, rows)

    def read(self, logs: Iterable[Log]) -> None:
        self._done += sum(log.rows for log in logs)
        self._progress("reducing", self._done, self._rows)


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


def _alike(logs: Sequence[Log], engine: Engine) -> list[tuple[int | None, list[Log]]]:
    """Return the logs in groups that one query reads, of the same columns and not too many, each with its day.

    A day of many rows is a group of its own, where a query costs little to begin; other groups are of any days, None.
    """
    rows: Counter[int | None] = Counter()
    for log in logs:
        rows[_one_day(log)] += log.rows
    alone = {day for day, count in rows.items() if count >= ROWS_ALONE and engine.begins_at_once}
    groups: defaultdict[tuple[int | None, bool, tuple[str, ...]], list[Log]] = defaultdict(list)
    for log in logs:
        day = _one_day(log)
        groups[day if day in alone else None, log.dated, log.types].append(log)
    return [
        (day, group[start : start + _FILES_AT_ONCE])
        for (day, _, _), group in groups.items()
        for start in range(0, len(group), _FILES_AT_ONCE)
    ]


def _one_day(log: Log) -> int | None:
    return log.days[0] if log.days is not None and log.days[0] == log.days[1] else None


def _add_sound(reduction: Reduction, logs: Sequence[Log], rows: Sequence[tuple[Any, ...]]) -> None:
    counted = 0
    for day, model, *sums in rows:
        _add(reduction, day, model, Sums(*sums))
        counted += sums[0]
    _check_count(logs, counted)


def _check_count(logs: Sequence[Log], counted: int) -> None:
    """Raise FilesUnreadable where other rows were read than the footers promise."""
    if counted != (promised := sum(log.rows for log in logs)):
        raise FilesUnreadable(
            USAGE_UNREADABLE, f"{counted} rows read of {promised} that the footers promise", WRITE_ANEW
        )


def _add_judged(reduction: Reduction, engine: Engine, log: Log, last_day: int) -> None:
    rows = judged_rows(log, engine, _scan(engine, [log]), last_day)
    days = reduction.days[log.origin] = set()
    rejected, counted = False, 0
    for day, model, reason, requests, *sums in engine.rows(_over(rows, "judged.sql")):
        counted += requests
        if day is not None:
            days.add(day)
        if reason is None:
            _add(reduction, day, model, Sums(requests, *sums))
        else:
            rejected = True
            _rejected(reduction, log, day)[reason].add(requests)
    _check_count([log], counted)
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
        reason = SLUG_GRAMMAR if model else MODEL_MISSING
        reduction.rejected[day][reason].add(sums.requests, [printable(model)])
    else:
        add_cell(reduction.cells[day], constituent, sums)


@lru_cache(maxsize=65_536)
def _constituent(model: str) -> str | None:
    return None if split_slug(model) is None else model.removesuffix(":standard")
