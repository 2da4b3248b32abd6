"""A publication verified from its public key alone, by code that shares nothing with what made it."""

from mtok.client.findings import CODES, LEVELS, Finding, Report
from mtok.client.heads import read_head, remember, remembered, state_folder
from mtok.client.source import Address, Folder, Limits, Source, open_source
from mtok.client.verify import verify

__all__ = [
    "CODES",
    "LEVELS",
    "Address",
    "Finding",
    "Folder",
    "Limits",
    "Report",
    "Source",
    "open_source",
    "read_head",
    "remember",
    "remembered",
    "state_folder",
    "verify",
]
