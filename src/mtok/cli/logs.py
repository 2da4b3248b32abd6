"""The log on standard error, for people or as JSON lines."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


def is_logged(form: str) -> bool:
    """Return whether anything is logged: `auto` logs where standard error is no terminal."""
    return form != "off" and not (form == "auto" and sys.stderr.isatty())


def logger(form: str) -> FilteringBoundLogger:
    """Return a logger. form : `people`, `json`, `off`, or `auto`, which is off on a terminal and else for people."""
    import structlog

    last: Any = (
        structlog.processors.JSONRenderer(sort_keys=True)
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=9, sort_keys=False)
    )
    wrapped: FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info" if is_logged(form) else "critical"),
    )
    return wrapped
