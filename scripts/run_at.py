"""A command of mtok at an instant of its own: the clock of the machine is replaced, everything else is the command.

usage: run_at.py INSTANT COMMAND …

As where mtok is installed without what its tests need, there is no numpy and no pandas: pyarrow and duckdb import
them wherever they find them.
"""

from __future__ import annotations

import sys


class Without:
    """Finds no numpy and no pandas; a `sys.meta_path` entry."""

    def find_spec(self, name: str, *_: object) -> None:
        """Raise ModuleNotFoundError for either of them, leave the rest to the others."""
        if name.partition(".")[0] in ("numpy", "pandas"):
            raise ModuleNotFoundError(name, name=name)


sys.meta_path.insert(0, Without())  # type: ignore[arg-type]

import mtok.day  # noqa: E402 - Django takes its settings first
from mtok.calendar import parse_instant  # noqa: E402 - Django takes its settings first
from mtok.cli import main  # noqa: E402 - Django takes its settings first


class Standing:
    """A clock that stands at the instant of the command line."""

    instant = parse_instant(sys.argv.pop(1))

    def now(self) -> int:
        """Return the instant, microseconds since 1970-01-01 UTC."""
        return self.instant


mtok.day.SystemClock = Standing  # type: ignore[misc]
main()
