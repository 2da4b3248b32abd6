"""The rules, one folder a version. Nothing here runs them: `engine` does, `determination` divides and judges."""

from mtok.methodology.registry import (
    COMPLETION_TOKENS,
    TOTAL_TOKENS,
    Methodology,
    Parameters,
    Rule,
    Series,
    in_force,
    load,
)

__all__ = [
    "COMPLETION_TOKENS",
    "TOTAL_TOKENS",
    "Methodology",
    "Parameters",
    "Rule",
    "Series",
    "in_force",
    "load",
]
