"""The settlement lab: what a contract on a published price would have come to over any window of its history.

`history` reads the values, `carrying` asks the waterfall what stands for the days without one, `margins` follows the
collateral of both sides, `replay` puts them together. A function of the history and the terms: nothing is kept, and
nothing it says is a mark. docs/settle-lab.md has every definition.
"""

from mtok.lab.carrying import MarkedDay
from mtok.lab.history import History, published_history, sample_history
from mtok.lab.margins import InitialReason, Margin, PathDay
from mtok.lab.replay import Change, Dropped, Replay, Rounding, Settled, Shock, replay
from mtok.lab.terms import Terms, latest_window

__all__ = [
    "Change",
    "Dropped",
    "History",
    "InitialReason",
    "Margin",
    "MarkedDay",
    "PathDay",
    "Replay",
    "Rounding",
    "Settled",
    "Shock",
    "Terms",
    "latest_window",
    "published_history",
    "replay",
    "sample_history",
]
