"""An engine by its name."""

from __future__ import annotations

from typing import Final

from mtok.engine.embedded import EmbeddedEngine
from mtok.engine.interface import Engine
from mtok.errors import BadCall

ENGINES: Final = ("duckdb", "spark")


def open_engine(
    name: str = "duckdb", *, master: str | None = None, threads: int | None = None, memory: str | None = None
) -> Engine:
    """Return an engine, to be closed when it is done.

    name : one of ENGINES · master : Spark's alone: `local[2]`, `local-cluster[2,1,1024]`, `spark://host:7077`, `yarn`;
    without it as many threads of this machine as `threads` says, or all · threads : of this machine; a cluster has its
    own settings · memory : as text (`4GB`), of DuckDB, or of each of Spark's processes
    Raises BadCall for what does not go together and without the extra that Spark takes, EnvironmentFailed where there
    is no Java or no master answers.
    """
    if name not in ENGINES:
        raise BadCall("engine_unknown", f"engine {name!r} is unknown", f"Known: {', '.join(ENGINES)}.")
    if name == "duckdb" and master is not None:
        raise BadCall(
            "engine_options",
            f"DuckDB runs in this process and has no master {master!r}",
            "Name the engine that has one, --engine spark, or leave out --master.",
        )
    if master is not None and threads is not None:
        raise BadCall(
            "engine_options",
            f"{threads} threads of this machine and master {master!r}",
            "Give one of --threads and --master: local[2] says both.",
        )
    if name == "duckdb":
        return EmbeddedEngine(threads, memory)
    from mtok.engine.spark import SparkEngine

    return SparkEngine.start(master or f"local[{threads or '*'}]", memory)
