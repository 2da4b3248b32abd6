"""How the client says no: each a `MtokError` with a stable code, what was found, and what to do."""

from __future__ import annotations

from mtok.errors import AnswerIsNo, BadCall, EnvironmentFailed


class NotPublished(AnswerIsNo):
    """The question was understood, and nothing is published of it."""


class SeriesUnknown(BadCall):
    """No such series, or no such model, is published here."""


class CallRefused(BadCall):
    """An argument that cannot be meant: no date, dates out of order, two questions at once."""


class Unreachable(EnvironmentFailed):
    """The address cannot be asked, and there is no copy of what it was asked for."""


class Damaged(EnvironmentFailed):
    """A file came that is not the one that was published."""


class ExtraMissing(EnvironmentFailed):
    """A package that is not installed; the remedy is the command that installs it."""


class OfflineCopy(UserWarning):
    """The address cannot be asked: answers come from the copy that was kept when it last could."""
