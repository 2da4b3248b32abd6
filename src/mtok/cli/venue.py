"""`mtok venue`: a venue is made, and held against its own history."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from mtok.cli.failures import reported
from mtok.cli.options import AsJson, StorePath, answer

commands = typer.Typer(help="The venue of a store.", no_args_is_help=True, rich_markup_mode=None)


@commands.command(
    epilog='Example: mtok venue init --store store --admin "Ada Example <ada@example.org>" '
    '--admin "Bo Example <bo@example.org>"'
)
@reported
def init(
    *,
    admin: Annotated[
        list[str] | None,
        typer.Option("--admin", metavar="PERSON", help='"Name <address>"; twice, of two persons.'),
    ] = None,
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Make a venue: its keys, its database, its first two admins.

    Prints a link for each admin, good once, on which they set a password; then they add a second factor. A store that
    does not exist is begun. Of a venue that is there it makes what is missing, brings the database up to date, and says
    what there is.
    """
    from mtok.archive import Store
    from mtok.cli.reading import named_store
    from mtok.cli.serving import refuse_missing

    path = named_store(store)
    if not path.exists():
        Store.create(path)
    refuse_missing(path, is_venue=True)
    from mtok.venue.upkeep.initial import initialise

    made = initialise(path, admin or [])
    content = {
        "folder": str(made.folder),
        "is_new": made.is_new,
        "database": made.database,
        "admins": list(made.admins),
        "entrances": [{"address": one.address, "link": one.link} for one in made.entrances],
    }
    answer(content, _init_page(content), as_json=as_json)


def _init_page(content: dict[str, Any]) -> list[str]:
    from mtok.cli.layout import WIDTH_MIN, labelled

    lines = [
        f"venue        {content['folder']}, {'made now' if content['is_new'] else 'there already'}",
        f"database     {content['database']}",
        f"admins       {', '.join(content['admins'])}",
    ]
    for entrance in content["entrances"]:
        lines += [f"link         for {entrance['address']}", f"             {entrance['link']}"]
    if content["entrances"]:
        text = "Give each link to its person alone. It is good once and for an hour; the same command makes others."
        lines += ["", *labelled("next", text, WIDTH_MIN)]
    text = (
        f"Keep copies of {content['folder']}/master_key and {content['folder']}/keys elsewhere: without the one no "
        "contact can be opened, without the other nobody can go on with the private log."
    )
    return [*lines, *labelled("keys", text, WIDTH_MIN), "serve        mtok serve --venue"]


@commands.command(epilog="Example: mtok venue check --store store")
@reported
def check(*, store: StorePath = None, as_json: AsJson = False) -> None:
    """Hold the venue's database against its history.

    Roles and organisations have to follow from what two persons decided, every object from its events, the events from
    the private log, marks from the public one; the ledger has to add up to what the contracts say. The exit status is 1
    when something does not.
    """
    from mtok.cli.serving import ready_venue

    ready_venue(store)
    from mtok.venue.upkeep.checked import PARTS, findings

    found = [{"part": one.part, "code": one.code, "found": one.found} for one in findings()]
    content = {"sound": not found, "parts": list(PARTS), "findings": found}
    page = [f"{one['part'].ljust(12)} {one['code']}: {one['found']}" for one in found]
    sound = f"sound        {', '.join(PARTS)}: everything follows from its history"
    answer(content, page or [sound], as_json=as_json)
    if found:
        raise typer.Exit(1)


@commands.command(
    epilog="Example: mtok venue ledger --store store > ledger.beancount && bean-check ledger.beancount"
)
@reported
def ledger(*, store: StorePath = None) -> None:
    """Print the ledger as a Beancount file, with balances that `bean-check` holds it against.

    Every transaction of every contract; the balances are what the contracts say, so another program than this one finds
    whether they agree.
    """
    from mtok.cli.serving import ready_venue
    from mtok.cli.terminal import write

    ready_venue(store)
    from mtok.market.beancount import beancount_text
    from mtok.venue.database.ledger import contracts, transactions

    write(beancount_text(transactions(), contracts()), sys.stdout)


@commands.command(epilog="Example: mtok venue grants mtok_venue | psql --dbname mtok")
@reported
def grants(
    *,
    role: Annotated[str, typer.Argument(metavar="ROLE", help="The PostgreSQL role that the venue runs as.")],
) -> None:
    """Print the SQL that gives a PostgreSQL role the rights the venue needs, and takes all others.

    For whoever owns the database, after every `mtok venue init`. History takes new rows from this role and nothing
    else, and since it owns nothing it can take away no trigger.
    """
    from mtok.cli.terminal import write
    from mtok.venue.database import rights

    write(rights.grants(role), sys.stdout)
