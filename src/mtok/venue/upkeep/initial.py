"""How a venue comes to be and what has to be there before it serves anybody: keys, a database, two admins.

Each step is found done by the next run, so a run that was interrupted is completed by the same command.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mtok.errors import EnvironmentFailed
from mtok.venue.environment import environment, venue_environment
from mtok.venue.upkeep.keys import MASTER, SECRET, make_keys

LOCAL: Final = "http://localhost:8321"
"""Where a venue that nobody has given an address is found by whoever serves it on their own machine."""

_MISSING: Final = '`mtok venue init --admin "Name <address>" --admin "Name <address>"` makes one.'


@dataclass(frozen=True, kw_only=True)
class Entrance:
    """The way in of a founding admin who has set no password yet. link : good once, and for an hour"""

    address: str
    link: str


@dataclass(frozen=True, kw_only=True)
class Initial:
    """What there is of a venue. is_new : whether this run founded it · database : in words, without a password

    admins : addresses of those who are admins now
    """

    folder: Path
    is_new: bool
    database: str
    admins: tuple[str, ...]
    entrances: tuple[Entrance, ...]


def begin(store: Path) -> None:
    """Set Django up for the venue of a store. Raises EnvironmentFailed (`venue_missing`) where it has no keys."""
    os.environ["MTOK_STORE"] = str(store.resolve())
    os.environ["DJANGO_SETTINGS_MODULE"] = "mtok.venue.settings.venue"
    environment()
    folder = venue_environment().place()
    if not all((folder / name).is_file() for name in (SECRET, MASTER)):
        raise EnvironmentFailed("venue_missing", f"{folder} has no venue", _MISSING)
    import django

    django.setup()


def initialise(store: Path, admins: Sequence[str]) -> Initial:
    """Make what a venue lacks and return what there is. admins : `Name <address>`, of a venue that has none

    Raises BadCall: `admin_invalid`, `admins_two`, `login_exists`, `admins_there`; EnvironmentFailed:
    `venue_keys_differ`
    """
    os.environ["MTOK_STORE"] = str(store.resolve())
    folder = venue_environment().place()
    are_new = make_keys(folder)
    begin(store)
    from django.core.management import call_command

    from mtok.venue.accounts import founding
    from mtok.venue.otc import private_log

    try:
        call_command("migrate", verbosity=0, interactive=False)
        if not private_log.is_kept(folder):  # a log whose key is lost is not gone on with under another one
            private_log.make_key(folder, f"venue-{secrets.token_hex(4)}/events")
        is_new = not founding.is_founded()
        if is_new:
            founding.found(founding.read_admins(admins))
        elif admins:
            founding.refuse_other_admins(founding.read_admins(admins))
    except EnvironmentFailed:
        if are_new:  # the venue has keys elsewhere, which these would keep from being missed
            for name in (SECRET, MASTER):
                (folder / name).unlink(missing_ok=True)
        raise
    return _there_is(folder, is_new=is_new)


def _there_is(folder: Path, *, is_new: bool) -> Initial:
    from mtok.settlement.people import Role
    from mtok.venue.accounts import founding
    from mtok.venue.accounts.models import Login

    base = environment().base_url or LOCAL
    admins = Login.objects.filter(grants__role=Role.ADMIN).order_by("email")
    return Initial(
        folder=folder,
        is_new=is_new,
        database=_database(),
        admins=tuple(admins.values_list("email", flat=True)),
        entrances=tuple(
            Entrance(address=login.email, link=base + founding.entrance(login))
            for login in founding.not_yet_in()
        ),
    )


def _database() -> str:
    from django.db import connection

    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"SQLite, {name}"
    return f"PostgreSQL, {name} on {connection.settings_dict['HOST'] or 'this machine'}"


def refuse_unready() -> None:
    """Raise EnvironmentFailed (`venue_missing`, `venue_outdated`) unless the venue can serve."""
    from django.db import connection, connections
    from django.db.migrations.executor import MigrationExecutor

    from mtok.venue.accounts import founding

    executor = MigrationExecutor(connection)
    is_made = bool(executor.loader.applied_migrations)
    is_outdated = bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    is_founded = is_made and not is_outdated and founding.is_founded()
    connections.close_all()
    if is_made and is_outdated:
        raise EnvironmentFailed(
            "venue_outdated",
            "the database is that of an older mtok",
            "`mtok venue init` brings it up to date.",
        )
    if not is_founded:
        raise EnvironmentFailed("venue_missing", "the venue has no admins", _MISSING)
