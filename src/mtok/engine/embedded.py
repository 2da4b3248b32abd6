"""The embedded engine: DuckDB in this process, no server, no extension, no session time zone in play."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import duckdb
import pyarrow as pa

from mtok.errors import BadInput, EnvironmentFailed

_TYPES: Final = {"INTEGER": pa.int32(), "BIGINT": pa.int64(), "VARCHAR": pa.string()}


class Engine:
    """A set of named tables and the queries run over them.

    threads : how many DuckDB may use; results do not depend on it
    """

    def __init__(self, threads: int | None = None) -> None:
        self._connection = duckdb.connect(":memory:")
        self._connection.execute("SET autoinstall_known_extensions = false")
        self._connection.execute("SET autoload_known_extensions = false")
        self._connection.execute("SET enable_progress_bar = false")
        if threads:
            self._connection.execute(f"SET threads = {int(threads)}")

    def table(self, name: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> None:
        """Make (or replace) a table from rows in memory; `columns` gives each column's SQL type."""
        values = list(zip(*rows, strict=True)) or [()] * len(columns)
        arrays = [
            pa.array(column, type=_TYPES[kind]) for column, kind in zip(values, columns.values(), strict=True)
        ]
        self._take(name, pa.Table.from_arrays(arrays, names=list(columns)))

    def parquet(self, name: str, schema: pa.Schema, paths: Sequence[str]) -> None:
        """Make (or replace) a table from Parquet files of one schema; without a file it is empty."""
        if not paths:
            self._take(name, schema.empty_table())
            return
        listed = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
        self.query(name, f"SELECT * FROM read_parquet([{listed}])")

    def query(self, name: str, text: str) -> None:
        """Make (or replace) the table `name` from a query."""
        self._run(f"CREATE OR REPLACE TEMP TABLE {name} AS\n{text}")

    def rows(self, text: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return self._run(text).fetchall()

    def records(self, name: str) -> list[dict[str, Any]]:
        """Return the rows of a table, each by column name, in no particular order."""
        result = self._run(f"SELECT * FROM {name}")
        columns = [column[0] for column in result.description or ()]
        return [dict(zip(columns, row, strict=True)) for row in result.fetchall()]

    def _take(self, name: str, content: pa.Table) -> None:
        self._connection.register("incoming", content)
        self.query(name, "SELECT * FROM incoming")
        self._connection.unregister("incoming")

    def _run(self, text: str) -> duckdb.DuckDBPyConnection:
        try:
            return self._connection.execute(text)
        except duckdb.OutOfRangeException as error:
            raise BadInput(
                "overflow",
                f"a product or sum leaves DECIMAL(38, 0): {str(error).splitlines()[0]}",
                "Some token total or price is absurd; `mtok import` lists what each capture holds.",
            ) from None
        except duckdb.IOException as error:
            raise EnvironmentFailed(
                "observations_unreadable",
                f"observations cannot be read: {str(error).splitlines()[0]}",
                "Delete the store's observations/ folder; it is made again from the objects.",
            ) from None
