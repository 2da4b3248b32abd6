"""Errors of mtok: what was asked, what was found and where, and what to do.

Every error a user can meet is a `MtokError` with a stable `code` and the exit status of the command line:
1 the answer is no, 2 bad call or bad input, 3 upstream or environment failed.
"""

from __future__ import annotations


class MtokError(Exception):
    """A refused request. `code` is stable, `remedy` says what to do."""

    exit_status = 2

    def __init__(self, code: str, found: str, remedy: str = "") -> None:
        super().__init__(found)
        self.code = code
        self.found = found
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.found}\n{self.remedy}" if self.remedy else self.found


class AnswerIsNo(MtokError):
    """The question was understood and its answer is no: no print, nothing to show."""

    exit_status = 1


class BadCall(MtokError):
    """The call itself is wrong: an unknown series, dates out of order, a missing store."""


class BadInput(MtokError):
    """A file or record cannot be taken."""


class EnvironmentFailed(MtokError):
    """The machine failed us: store in use, disk full, damaged file."""

    exit_status = 3
