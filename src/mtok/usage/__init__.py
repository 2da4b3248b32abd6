"""Usage logs as a source of volumes: request logs are read where they lie and summed to a daily cube (R-2).

`logs` says what files hold, `reduction` is the one step that sees every row and runs on any engine, `summing` adds
what is new to what is there, and `importing` puts it together. What is kept, and why a day is refused: docs/usage.md.
"""

from mtok.usage.importing import DayOutcome, UsageReport, import_usage

__all__ = ["DayOutcome", "UsageReport", "import_usage"]
