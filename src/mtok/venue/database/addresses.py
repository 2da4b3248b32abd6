"""Which database: PostgreSQL by its address, or a file of SQLite in the venue's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import dj_database_url

from mtok.errors import BadCall

_SECONDS_BUSY: Final = 20

SQLITE_OPTIONS: Final = {
    "transaction_mode": "IMMEDIATE",
    "timeout": _SECONDS_BUSY,
    "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; "
    "PRAGMA secure_delete = ON;",
}
"""One writer at a time; what is committed is on the disk, and what is overwritten, such as a key, is off it."""


def database(address: str, folder: Path) -> dict[str, Any]:
    """Return Django's settings of a database. address : `postgresql://…`, `sqlite:///…`, empty for a file in `folder`

    Raises BadCall (`setting_invalid`) for any other kind of database.
    """
    try:
        found = dict(dj_database_url.parse(address or f"sqlite:///{folder / 'venue.sqlite3'}"))
    except (ValueError, KeyError):
        found = {"ENGINE": "none"}
    engine = str(found["ENGINE"]).rpartition(".")[2]
    if engine == "sqlite3":
        return found | {"OPTIONS": SQLITE_OPTIONS}
    if engine == "postgresql":
        return found | {"CONN_HEALTH_CHECKS": True, "CONN_MAX_AGE": 600}
    raise BadCall(
        "setting_invalid",
        "DATABASE_URL names no database that the venue can use",
        "Give postgresql://user@host/name or sqlite:///path, or leave it out for a file in the venue's folder.",
    )
