"""The client: what is published, asked from Python, and verified from a public key alone.

Verifying shares no code with what made the publication; asking reads its files and nothing else.
"""

from mtok.client.client import OWN, Client
from mtok.client.findings import CODES, LEVELS, Finding, Report
from mtok.client.heads import read_head, remember, remembered, state_folder
from mtok.client.moves import Effect, Factors, Move, move
from mtok.client.points import Notice, Point, PostedPrice, Receipt
from mtok.client.refusals import (
    CallRefused,
    Damaged,
    ExtraMissing,
    NotPublished,
    OfflineCopy,
    SeriesUnknown,
    Unreachable,
)
from mtok.client.series import Series
from mtok.client.source import Address, Folder, Limits, Source, open_source
from mtok.client.verify import verify

__all__ = [
    "CODES",
    "LEVELS",
    "OWN",
    "Address",
    "CallRefused",
    "Client",
    "Damaged",
    "Effect",
    "ExtraMissing",
    "Factors",
    "Finding",
    "Folder",
    "Limits",
    "Move",
    "NotPublished",
    "Notice",
    "OfflineCopy",
    "Point",
    "PostedPrice",
    "Receipt",
    "Report",
    "Series",
    "SeriesUnknown",
    "Source",
    "Unreachable",
    "move",
    "open_source",
    "read_head",
    "remember",
    "remembered",
    "state_folder",
    "verify",
]
