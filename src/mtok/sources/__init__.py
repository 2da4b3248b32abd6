"""Asks the outside world; returns raw bytes and how they were obtained, judges nothing.

`files` reads archived payloads, `tables` opens archived tables, `price_tables` and `volume_tables` render those
as payloads, `openrouter` asks OpenRouter by way of `attempts`. What cannot be taken is refused by name with a code
and a remedy; one bad file never costs a good one, and what a server does is never an error but a response.
"""

from mtok.sources.attempts import NOT_BEFORE_MAX, Limits
from mtok.sources.files import FoundFile, Refused, find_files, read_response
from mtok.sources.openrouter import FIRST_DAY, OPENROUTER_URL, OpenRouter, Outcome, is_on_this_machine
from mtok.sources.price_tables import price_responses
from mtok.sources.tables import PRICES, VOLUMES, Table, TableReport, read_table
from mtok.sources.volume_tables import (
    check_source_name,
    check_volume_source,
    refuse_changed_import,
    refuse_mixed,
    volume_responses,
)

__all__ = [
    "FIRST_DAY",
    "NOT_BEFORE_MAX",
    "OPENROUTER_URL",
    "PRICES",
    "VOLUMES",
    "FoundFile",
    "Limits",
    "OpenRouter",
    "Outcome",
    "Refused",
    "Table",
    "TableReport",
    "check_source_name",
    "check_volume_source",
    "find_files",
    "is_on_this_machine",
    "price_responses",
    "read_response",
    "read_table",
    "refuse_changed_import",
    "refuse_mixed",
    "volume_responses",
]
