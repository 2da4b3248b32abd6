"""What stands on every page: navigation, which print is shown, whose data it rests on, who runs it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest

from mtok.calendar import parse_instant
from mtok.errors import MtokError
from mtok.notes import NoteRefused, PublicKey
from mtok.publication.citations import rankings_as_of, source_line
from mtok.records import PublishedRecord
from mtok.venue.environment import environment
from mtok.venue.opened import Opened
from mtok.venue.place import opened

DESCRIPTION: Final = (
    "What one million output tokens of OpenAI, Google Gemini, Anthropic, DeepSeek, Qwen and Moonshot AI cost at posted "
    "prices, every day, with why it moved and proof of every digit."
)
_LINKS: Final = {
    "Board": "/",
    "Methodology": "/methodology",
    "Data": "/data",
    "API": "/api",
    "Revisions": "/revisions",
    "Status": "/status",
    "My bill": "/bill",
    "About": "/about",
}


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What the publication says of itself at the foot of every page; a part that cannot be read is empty.

    source : the line that stands beside every figure · date, stage, published : of the last print
    """

    damaged: bool = False
    source: str = source_line(None)
    date: str = ""
    stage: str = ""
    published: str = ""
    size: int = 0
    key: PublicKey | None = None


def standing_beside(request: HttpRequest) -> dict[str, Any]:
    """Return what every template is given."""
    base = site_address(request)
    return {
        "base_url": base,
        "address": f"{base}{request.path}",
        "operator": environment().operator,
        "contact": environment().contact,
        "standing": standing(opened()),
        "links": _links(request.path),
        "description": DESCRIPTION,
    }


def site_address(request: HttpRequest) -> str:
    """Return where readers find this site: for links that leave the page."""
    return environment().base_url or f"{request.scheme}://{request.get_host()}"


def _links(path: str) -> list[dict[str, str]]:
    """Return the navigation; of the link to the page itself, or to the one it is under, `current` says so."""
    under = "/" if path.startswith("/series/") else path
    return [
        {
            "name": name,
            "address": address,
            "current": "page" if path == address else "true" if under == address else "",
        }
        for name, address in {**_LINKS, **settings.LINKS_BESIDE}.items()
    ]


@lru_cache(maxsize=2)
def standing(now: Opened) -> Standing:
    """Return what a publication says of itself."""
    if now.damage is not None:
        return Standing(damaged=True, key=_key(now))
    records = last_records(now)
    if not records:
        return Standing(key=_key(now))
    last = max(records, key=lambda record: parse_instant(record.known_at))
    return Standing(
        source=source_line(rankings_as_of(records)),
        date=last.date,
        stage=last.stage,
        published=last.known_at,
        size=now.published.size,
        key=_key(now),
    )


def last_records(now: Opened) -> list[PublishedRecord]:
    """Return what is in force of the last date, the records that can be read."""
    dates = now.published.vintages.dates()
    found = []
    for vintage in now.published.vintages.all_in_force() if dates else ():
        if vintage.date == dates[-1]:
            try:
                found.append(now.published.record(vintage))
            except MtokError:
                continue
    return found


def _key(now: Opened) -> PublicKey | None:
    try:
        return PublicKey.parse((now.folder / "vkey").read_text().strip())
    except (OSError, UnicodeDecodeError, NoteRefused):
        return None
