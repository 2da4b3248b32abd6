"""The logins of a demonstration: made at its first start, shown at every one.

Passwords and the secrets of apps are chance, and kept beside the venue's keys so that the next start can show them
again. No other venue keeps anything like that.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from mtok.archive.files import write_file

_FILE: Final = "demonstration.json"


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A login of the demonstration. secret : of the app that shows codes, base32"""

    name: str
    address: str
    password: str
    secret: str
    roles: list[str]

    def shown(self) -> dict[str, Any]:
        """Return it for whoever looks at the demonstration."""
        return msgspec.structs.asdict(self)


def known(folder: Path) -> list[Known] | None:
    """Return the logins of a demonstration that was made, None of any other venue."""
    try:
        return msgspec.json.decode((folder / _FILE).read_bytes(), type=list[Known])
    except FileNotFoundError:
        return None


def remember(folder: Path, logins: list[Known]) -> None:
    """Keep the logins for the next start: the last step, so that only what is whole is taken for made."""
    write_file(folder / _FILE, msgspec.json.encode(logins))
    (folder / _FILE).chmod(0o600)
