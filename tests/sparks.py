"""Spark for tests: one session a module, quick to start rather than quick at length."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Final

import pytest

STARTS_QUICKLY: Final = {"JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}
"""Java compiles once and collects with one thread: half the processor time of a run this short."""


def missing() -> str | None:
    """Return what of Spark is missing here; None: nothing is."""
    if find_spec("pyspark") is None:
        return "pyspark"
    return None if shutil.which("java") else "Java"


@contextmanager
def spark_session(master: str) -> Iterator[Any]:
    """Start a session as the program does, and end it; each engine takes a session of its own from it."""
    assert not missing(), (
        f"{missing()} is not here: make test-all installs it, or leave out tests marked machine"
    )
    from mtok.engine.spark import SparkEngine

    with pytest.MonkeyPatch.context() as patch:
        for name, value in STARTS_QUICKLY.items():
            patch.setenv(name, value)
        with SparkEngine.start(master) as engine:
            engine._session.conf.set("spark.sql.codegen.wholeStage", "false")
            yield engine._session
