"""What an engine does for the rules, whichever it is, and the sizes of memory it may be given.

All text given to an engine is SQL in DuckDB's dialect, and of that only what every engine understands alike
(docs/scale.md). So a rule, a table and an answer are the same on each of them.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, ClassVar, Final, Self

from mtok.errors import BadCall, EnvironmentFailed

MEMORY_BYTES_MIN: Final = 64 * 10**6
"""No engine does anything useful with less."""

_UNITS: Final = {
    **{unit: 1000**power for power, unit in enumerate(("MB", "GB", "TB"), start=2)},
    **{unit: 1024**power for power, unit in enumerate(("MIB", "GIB", "TIB"), start=2)},
}


class FilesUnreadable(EnvironmentFailed):
    """A file that was to be scanned is gone, is no Parquet, or is damaged."""


class Engine(ABC):
    """A set of named tables and the queries run over them. Close it, or use it in a `with`, when it is done.

    Integers come back as int, decimals as Decimal, texts as str, what is missing as None. A product or sum that its
    type cannot hold raises BadInput (`overflow`): never a wrong number. What the machines refuse raises
    EnvironmentFailed.
    """

    begins_at_once: ClassVar[bool]
    """Whether a query costs little before its first row, so that many small ones are as good as a large one."""

    @abstractmethod
    def table(self, name: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> None:
        """Make (or replace) a table from rows in memory; `columns` gives each column's SQL type."""

    @abstractmethod
    def scan(self, columns: Mapping[str, str], paths: Sequence[str]) -> str:
        """Return what to write after FROM to read Parquet files of these columns; without a file it is empty.

        Names and types are those of the files, which are all of one schema; names of folders say nothing.
        """

    @abstractmethod
    def query(self, name: str, text: str) -> None:
        """Make (or replace) the table `name` from a query, now."""

    @abstractmethod
    def rows(self, text: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""

    def rows_of_each(self, texts: Sequence[str]) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows of several queries, in order. They read files alone, so that some may be answered at once."""
        return map(self.rows, texts)

    @abstractmethod
    def records(self, name: str) -> list[dict[str, Any]]:
        """Return the rows of a table, each by column name, in no particular order."""

    @abstractmethod
    def utc_day(self, column: str, *, nanoseconds: bool = False) -> str:
        """Return the SQL of the UTC day (INTEGER) of a column of zoned timestamps, none of them before 1970.

        An earlier instant would count to the day after its own: whoever asks leaves it out.
        Raises BadInput for nanoseconds where an engine has none.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of everything the engine holds; it answers nothing after that."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def memory_bytes(text: str) -> int:
    """Return a size of memory in bytes. Raises BadCall for what is no size, and for one below MEMORY_BYTES_MIN.

    >>> memory_bytes("512MB"), memory_bytes("4 GiB")
    (512000000, 4294967296)
    """
    match = re.fullmatch(r"([0-9]{1,7}) ?([KMGT]i?B)", text.strip(), re.IGNORECASE | re.ASCII)
    size = int(match[1]) * _UNITS.get(match[2].upper(), 0) if match else 0
    if size < MEMORY_BYTES_MIN:
        raise BadCall(
            "memory_unreadable",
            f"memory {text!r} is no size of at least {MEMORY_BYTES_MIN // 10**6} MB",
            "Give a whole number and a unit: 512MB, 4GB, 16GiB.",
        )
    return size
