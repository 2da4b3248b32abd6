"""The embedded engine: DuckDB in this process, no server, no extension, no session time zone in play."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb

from mtok.errors import BadInput, EnvironmentFailed


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
        values = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in columns]
        listed = ", ".join(f"UNNEST(?::{kind}[]) AS {column}" for column, kind in columns.items())
        self._run(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT {listed}", values)

    def scan(self, columns: Mapping[str, str], paths: Sequence[str]) -> str:
        """Return what to write after FROM to read Parquet files of these columns; without a file it is empty."""
        if paths:
            listed = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
            return f"read_parquet([{listed}])"
        nothing = ", ".join(f"CAST(NULL AS {kind}) AS {column}" for column, kind in columns.items())
        return f"(SELECT {nothing} WHERE FALSE)"

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

    def _run(self, text: str, values: Sequence[Any] = ()) -> duckdb.DuckDBPyConnection:
        try:
            return self._connection.execute(text, values)
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
