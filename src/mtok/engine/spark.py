"""The engine for what one machine cannot hold: Spark 4, in this process, on a few of its own, or on a cluster.

Every text is transpiled from DuckDB's dialect by sqlglot, which does not judge it: what Spark would understand
otherwise is kept out by the portable subset (docs/scale.md). Needs the extra `mtok[spark]` and Java 17. No Python
runs on the cluster: rows go to it and come from it as they are.
"""

from __future__ import annotations

import re
import tempfile
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Self

import pyarrow as pa

from mtok.engine.interface import Engine, FilesUnreadable, memory_bytes
from mtok.errors import BadCall, BadInput, EnvironmentFailed, MtokError

try:
    with warnings.catch_warnings():  # of optional packages, which are not used here
        warnings.simplefilter("ignore")
        import pyspark.errors
        import pyspark.sql
        import sqlglot
        from py4j.protocol import Py4JError, Py4JJavaError
        from pyspark import StorageLevel
        from pyspark.logger import PySparkLogger
        from sqlglot import exp
except ImportError as error:
    raise BadCall(
        "extra_missing",
        f"the engine spark needs the package {error.name}",
        "Install it, and Java 17: pip install 'mtok[spark]'",
    ) from None

_NEEDED: Final = {"spark.sql.ansi.enabled": "true", "spark.sql.session.timeZone": "UTC"}
"""Without ANSI mode an overflow is a NULL that SUM leaves out; in another zone a date is another date."""

_QUIET: Final = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.extraJavaOptions": "-Dlog4j2.configurationFile="
    + Path(__file__).with_name("log4j2.properties").as_uri(),
}
"""Standard output is for answers, and nobody opens a port who was not asked to."""

_ON_THIS_MACHINE: Final = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.shuffle.partitions": "4",
}
"""Nobody else has to reach the driver; 200 partitions, Spark's own number, are for clusters."""

_OVERFLOW: Final = "SQLSTATE: 22003"
"""Of a number that its type cannot hold, whatever Spark calls the condition."""
_OUR_MISTAKES: Final = (pyspark.errors.AnalysisException, pyspark.errors.ParseException)
_UNREADABLE: Final = ("FAILED_READ_FILE", "PATH_NOT_FOUND", "UNABLE_TO_INFER_SCHEMA", "PARQUET_TYPE_")


class SparkEngine(Engine):
    """A Spark session, which stays open when the engine is closed unless the engine started it.

    A table made by a query is kept by the executors, in memory or on disk: on a cluster by two of them, so that one may
    die, of which Spark then makes another copy. Its plan is not kept: the rules name each other sixteen deep.
    Raises EnvironmentFailed (`spark_settings`) for a session that is not in ANSI mode or not in UTC.
    """

    begins_at_once = False

    def __init__(self, session: Any) -> None:
        self._session = session
        self._master = session.sparkContext.master
        alone = self._master.startswith("local") and not self._master.startswith("local-cluster")
        self._storage = StorageLevel.MEMORY_AND_DISK if alone else StorageLevel.MEMORY_AND_DISK_2
        self._names: set[str] = set()
        self._scans = 0
        self._end: Callable[[], Any] | None = None
        for setting, needed in _NEEDED.items():
            found = session.conf.get(setting, None)
            if found != needed:
                raise EnvironmentFailed(
                    "spark_settings",
                    f"{setting} of the session on {self._master} is {found}, and has to be {needed}",
                    "Set it so where the session is started; of a cluster's own settings none may stand against it.",
                )

    @classmethod
    def start(cls, master: str, memory: str | None = None) -> Self:
        """Return an engine on a session of its own, which ends with it.

        master : as Spark writes it · memory : of the driver and of each executor, as text (`4GB`)
        Raises BadCall for a memory that is no size, EnvironmentFailed when Spark does not start there.
        """
        if (opened := pyspark.sql.SparkSession.getActiveSession()) is not None:
            raise EnvironmentFailed(
                "spark_settings",
                f"a Spark session is open on {opened.sparkContext.master}, and a process has one at a time",
                f"Close it before one on {master} is started, or give it to SparkEngine.",
            )
        size = f"{memory_bytes(memory) // 2**20}m" if memory else None
        folder = tempfile.TemporaryDirectory(prefix="mtok-engine-", ignore_cleanup_errors=True)
        builder = pyspark.sql.SparkSession.builder.master(master).appName("mtok")
        settings = {
            **_NEEDED,
            **_QUIET,
            **(_ON_THIS_MACHINE if master.startswith("local") else {}),
            **({"spark.driver.memory": size, "spark.executor.memory": size} if size else {}),
            "spark.local.dir": folder.name,
            "spark.sql.warehouse.dir": folder.name,
        }
        for setting, value in settings.items():
            builder = builder.config(setting, value)
        PySparkLogger.getLogger(
            "SQLQueryContextLogger"
        ).disabled = True  # says every error again, with all of Java's stack
        try:
            with _failures_told(master):
                session = builder.getOrCreate()
        except EnvironmentFailed:
            folder.cleanup()
            raise
        end = weakref.finalize(session, _end, session.sparkContext, folder)
        try:
            engine = cls(session)
        except EnvironmentFailed:
            end()
            raise
        engine._end = end
        return engine

    def table(self, name: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> None:
        values = list(zip(*rows, strict=True)) or [()] * len(columns)
        arrays = [
            pa.array(column, _arrow(kind)) for column, kind in zip(values, columns.values(), strict=True)
        ]
        with _failures_told(self._master):
            frame = self._session.createDataFrame(pa.Table.from_arrays(arrays, names=list(columns)))
            self._name(frame, name)

    def scan(self, columns: Mapping[str, str], paths: Sequence[str]) -> str:
        self._scans += 1
        name = f"scan_{self._scans}"
        if not paths:
            self.table(name, columns, [])
            return name
        with _failures_told(self._master):
            reader = self._session.read.option(
                "recursiveFileLookup", "true"
            )  # names of folders are no columns
            frame = reader.parquet(*map(_hadoop_path, paths))
            self._name(frame, name)
        return name

    def query(self, name: str, text: str) -> None:
        with _failures_told(self._master):
            frame = self._sql(text).localCheckpoint(storageLevel=self._storage)
            self._name(frame, name)

    def rows(self, text: str) -> list[tuple[Any, ...]]:
        with _failures_told(self._master):
            return [tuple(row) for row in self._sql(text).collect()]

    def records(self, name: str) -> list[dict[str, Any]]:
        with _failures_told(self._master):
            return [row.asDict() for row in self._session.table(name).collect()]

    def utc_day(self, column: str, *, nanoseconds: bool = False) -> str:
        if nanoseconds:
            raise BadInput(
                "nanoseconds_unreadable",
                f"Spark reads no timestamps in nanoseconds, and column {column} holds such",
                "Write microseconds, or leave out --engine: DuckDB reads them.",
            )
        return f"CAST(UNIX_MICROS({column}) // 86400000000 AS INTEGER)"

    def close(self) -> None:
        with suppress(
            pyspark.errors.PySparkException, Py4JError, OSError
        ):  # a cluster that has died holds nothing
            for name in self._names:
                self._session.catalog.dropTempView(name)
        self._names.clear()
        if self._end is not None:
            self._end()

    def _name(self, frame: Any, name: str) -> None:
        frame.createOrReplaceTempView(name)
        self._names.add(name)

    def _sql(self, text: str) -> Any:
        [spark] = sqlglot.transpile(
            text, read="duckdb", write="spark", unsupported_level=sqlglot.ErrorLevel.RAISE
        )
        return self._session.sql(spark)


def _end(context: Any, folder: tempfile.TemporaryDirectory[str]) -> None:
    with suppress(pyspark.errors.PySparkException, Py4JError, OSError):
        context.stop()
    folder.cleanup()


def _type(kind: str) -> exp.DataType:
    return exp.DataType.build(kind, dialect="duckdb")


def _arrow(kind: str) -> pa.DataType:
    """Return the Arrow type of a column of rows in memory."""
    found = _type(kind)
    if found.is_type("decimal"):
        digits, places = (int(size.name) for size in found.expressions)
        return pa.decimal128(digits, places)
    return {"INT": pa.int32(), "BIGINT": pa.int64(), "STRING": pa.string(), "BOOLEAN": pa.bool_()}[
        found.sql("spark")
    ]


def _hadoop_path(path: str) -> str:
    """Return a path as Hadoop reads it: one without a scheme is of a file system that every executor has mounted."""
    escaped = re.sub(r"([\\*?\[\]{}])", r"\\\1", path)
    return path if "://" in path else f"file:{escaped}"


@contextmanager
def _failures_told(master: str) -> Iterator[None]:
    """Tell what Spark refuses in this program's words; what it finds wrong with the SQL is our own mistake."""
    try:
        with warnings.catch_warnings():  # of optional packages
            warnings.simplefilter("ignore")
            yield
    except (pyspark.errors.PySparkException, Py4JError, OSError) as error:
        told = _told(master, error)
        if told is None:
            raise
        raise told from error


def _told(master: str, error: Exception) -> MtokError | None:
    """Return what a failure is to a user; None: a mistake of this program."""
    message = _message(error)
    first_line = next(iter(message.strip().splitlines()), type(error).__name__)
    if _OVERFLOW in message:
        return BadInput(
            "overflow",
            f"a product or sum leaves the type that holds it: {first_line}",
            "Some token total or price is absurd; `mtok import` lists what each capture holds.",
        )
    if message.strip().removeprefix("[").startswith(_UNREADABLE):
        return FilesUnreadable(
            "observations_unreadable",
            f"files cannot be read: {first_line}",
            "If they are the store's observations, delete that folder; it is made again from the objects.",
        )
    return (
        None
        if isinstance(error, _OUR_MISTAKES)
        else _of_machines(message, f"Spark on {master}: {first_line}")
    )


def _of_machines(message: str, found: str) -> MtokError:
    """Return what Spark's processes fail of, or never started for."""
    if "JAVA_GATEWAY_EXITED" in message:
        return EnvironmentFailed(
            "java_missing",
            "Spark did not start: there is no Java here, or one older than 17",
            "Install Java 17 (Debian: apt-get install openjdk-17-jre-headless) and have JAVA_HOME or PATH lead to it.",
        )
    if "Could not parse Master URL" in message:
        return BadCall(
            "engine_options", found, "Known: local[2], spark://host:7077, yarn, k8s://https://host:port."
        )
    if "OutOfMemoryError" in message:
        return EnvironmentFailed("memory_exhausted", found, "Allow each process more with --memory.")
    return EnvironmentFailed(
        "cluster_failed",
        found,
        "Nothing is half written: see that the master and its workers are up, and run the same command again.",
    )


def _message(error: Exception) -> str:
    """Return what Spark says, which begins with `[CONDITION]`: of a task's failure Python names the call alone."""
    if isinstance(error, Py4JJavaError):
        with suppress(Py4JError, OSError):  # its process may be gone
            return str(error.java_exception.getMessage())
    return str(error)
