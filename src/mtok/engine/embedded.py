"""The embedded engine: DuckDB in this process, no server, no extension, no session time zone in play."""

from __future__ import annotations

import re
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final

import duckdb

from mtok.engine.interface import Engine, FilesUnreadable, memory_bytes
from mtok.errors import BadInput, EnvironmentFailed

_UNREADABLE: Final = (duckdb.IOException, duckdb.InvalidInputException, duckdb.SerializationException)
"""What DuckDB raises for a file that is gone or damaged, beside a bare `Error` of the Parquet decoder."""


class EmbeddedEngine(Engine):
    """DuckDB. What does not fit into memory is spilled to a folder of its own, which goes when the engine goes.

    threads : how many DuckDB may use · memory : how much, as text (`512MB`); without it DuckDB takes up to four
    fifths of the machine's. Results depend on neither.
    Raises BadCall for a memory that is no size.
    """

    begins_at_once = True

    def __init__(self, threads: int | None = None, memory: str | None = None) -> None:
        self._memory = memory
        limit = f"{memory_bytes(memory)}B" if memory else None
        folder = tempfile.TemporaryDirectory(prefix="mtok-engine-", ignore_cleanup_errors=True)
        self._remove_folder = weakref.finalize(self, folder.cleanup)
        self._connection = duckdb.connect(":memory:")
        self._protocols: set[str] = set()
        self._set("temp_directory", f"'{_quoted(folder.name)}'")
        self._set("autoinstall_known_extensions", "false")
        self._set("autoload_known_extensions", "false")
        self._set("enable_progress_bar", "false")
        self._set("TimeZone", "'UTC'")
        self._set("preserve_insertion_order", "false")
        if threads:
            self._set("threads", str(int(threads)))
        if limit:
            self._set("memory_limit", f"'{limit}'")

    def table(self, name: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> None:
        values = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in columns]
        listed = ", ".join(f"UNNEST(?::{kind}[]) AS {column}" for column, kind in columns.items())
        with self._failures_told():
            self._connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT {listed}", values)

    def scan(self, columns: Mapping[str, str], paths: Sequence[str]) -> str:
        if paths:
            self._reach(paths)
            listed = ", ".join(f"'{_quoted(_literal(path))}'" for path in paths)
            return f"read_parquet([{listed}], hive_partitioning = false)"
        nothing = ", ".join(f"CAST(NULL AS {kind}) AS {column}" for column, kind in columns.items())
        return f"(SELECT {nothing} WHERE FALSE)"

    def query(self, name: str, text: str) -> None:
        with self._failures_told():
            self._connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS\n{text}")

    def rows(self, text: str) -> list[tuple[Any, ...]]:
        with self._failures_told():
            return self._connection.execute(text).fetchall()

    def rows_of_each(self, texts: Sequence[str]) -> Iterator[list[tuple[Any, ...]]]:
        """Answer as many at once as there are threads: one query of few groups keeps no more than one thread busy."""
        pool = ThreadPoolExecutor(
            self._connection.execute("SELECT current_setting('threads')").fetchall()[0][0]
        )
        try:
            yield from pool.map(self._rows_apart, texts)
        finally:
            pool.shutdown(cancel_futures=True)

    def _rows_apart(self, text: str) -> list[tuple[Any, ...]]:
        with self._failures_told(), self._connection.cursor() as connection:
            return connection.execute(text).fetchall()

    def records(self, name: str) -> list[dict[str, Any]]:
        with self._failures_told():
            result = self._connection.execute(f"SELECT * FROM {name}")
            columns = [column[0] for column in result.description or ()]
            return [dict(zip(columns, row, strict=True)) for row in result.fetchall()]

    def utc_day(self, column: str, *, nanoseconds: bool = False) -> str:
        if nanoseconds:  # as microseconds they would be rounded, the last ones of a day into the next
            return f"CAST(EPOCH_NS({column}) // 86400000000000 AS INTEGER)"
        return f"CAST(EPOCH_US({column}) // 86400000000 AS INTEGER)"

    def close(self) -> None:
        self._connection.close()
        self._remove_folder()

    def _reach(self, paths: Sequence[str]) -> None:
        """Let DuckDB open what lies elsewhere (`s3://…`) through fsspec, whose packages the caller has looked for."""
        for protocol in {path.split("://", 1)[0] for path in paths if "://" in path} - self._protocols:
            import fsspec

            self._connection.register_filesystem(fsspec.filesystem(protocol))
            self._protocols.add(protocol)

    def _set(self, setting: str, value: str) -> None:
        self._connection.execute(f"SET {setting} = {value}")

    @contextmanager
    def _failures_told(self) -> Iterator[None]:
        """Tell what DuckDB refuses in this program's words; what it finds wrong with the SQL is our own mistake."""
        try:
            yield
        except (duckdb.OutOfRangeException, duckdb.ConversionException) as error:
            raise BadInput(
                "overflow",
                f"a product or sum leaves the type that holds it: {_first_line(error)}",
                "Some token total or price is absurd; `mtok import` lists what each capture holds.",
            ) from None
        except duckdb.OutOfMemoryException as error:
            raise EnvironmentFailed(
                "memory_exhausted",
                f"DuckDB needs more than its limit, {self._memory or 'most of the memory'}: {_first_line(error)}",
                "Allow it more with --memory or fewer --threads; TMPDIR says where it puts what does not fit.",
            ) from None
        except duckdb.Error as error:
            if not isinstance(error, _UNREADABLE) and type(error) is not duckdb.Error:
                raise
            raise FilesUnreadable(
                "observations_unreadable",
                f"files cannot be read: {_first_line(error)}",
                "If they are the store's observations, delete that folder; it is made again from the objects.",
            ) from None


def _literal(path: str) -> str:
    """Return a path as DuckDB takes it for itself and not for a pattern."""
    return re.sub(r"[*?\[]", r"[\g<0>]", path)


def _quoted(text: str) -> str:
    return text.replace("'", "''")


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
