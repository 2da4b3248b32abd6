"""A local OpenRouter made from recordings: the same answers on a real socket, and every way they go wrong.

`Recording` is what was recorded, `ReplayClock` says when it is, `ReplayServer` serves it, `Fault` misbehaves.
docs/replay.md lists what is served, every fault and the control requests.
"""

from mtok.replay.clock import ReplayClock
from mtok.replay.collecting import collect_recorded
from mtok.replay.control import Request
from mtok.replay.faults import FAULTS, Fault
from mtok.replay.plan import read_plan
from mtok.replay.recording import Recording
from mtok.replay.server import ReplayServer

__all__ = [
    "FAULTS",
    "Fault",
    "Recording",
    "ReplayClock",
    "ReplayServer",
    "Request",
    "collect_recorded",
    "read_plan",
]
