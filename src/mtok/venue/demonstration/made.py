"""A demonstration made once, in a store of its own: keys, database, people, six days of the sample; then reused."""

from __future__ import annotations

import secrets
from typing import Final

from mtok.archive import Store
from mtok.calendar import parse_instant
from mtok.errors import BadCall
from mtok.publication.keys import has_key
from mtok.publication.operators import create_key
from mtok.replay import Recording
from mtok.venue.demonstration.logins import Known, known, remember
from mtok.venue.environment import venue_environment
from mtok.venue.upkeep.initial import begin
from mtok.venue.upkeep.keys import MASTER, make_keys

STANDS_AT: Final = "2026-06-27T15:05:00Z"
"""An hour after the sample's last print, in the slot of a run: terms of every state can be shown."""
_ORIGIN: Final = "demo/events"


def make(store: Store) -> list[Known]:
    """Make the venue of a demonstration, or find the one that is there; return its logins.

    Raises BadCall: `demo_elsewhere` where the environment names another folder or database, which is somebody's venue;
    `demo_unfinished` for a venue that is none, or that was interrupted.
    """
    said = venue_environment()
    if said.folder is not None or said.database_url:
        raise BadCall(
            "demo_elsewhere",
            "MTOK_VENUE_FOLDER or DATABASE_URL is set, and a demonstration keeps everything in its store",
            "Unset both.",
        )
    place_of_venue = store.path / "venue"
    there = (place_of_venue / MASTER).exists()
    logins = known(place_of_venue)
    if there and logins is None:
        raise BadCall(
            "demo_unfinished",
            f"{place_of_venue} is a venue, and no demonstration or one that was interrupted",
            "Name a new folder with --store.",
        )
    if not has_key(store):
        create_key(store, f"demo-{secrets.token_hex(4)}/log", secrets.token_bytes(32))
    make_keys(place_of_venue)
    begin(store.path)
    if logins is not None:
        return logins
    from django.core.management import call_command

    from mtok.venue import place
    from mtok.venue.demonstration.market import FIRST, Market, seed
    from mtok.venue.demonstration.people import make_people
    from mtok.venue.otc import private_log

    call_command("migrate", verbosity=0, interactive=False)
    private_log.make_key(place_of_venue, _ORIGIN)
    with place.at(parse_instant(FIRST)):
        people, logins = make_people()
    seed(Market(store=store, people=people, recording=Recording.sample()))
    remember(place_of_venue, logins)
    return logins
