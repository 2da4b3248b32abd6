"""`mtok venue demo`: a venue to look at, with people, requests, terms, contracts and marks in every state there is."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from mtok.cli.failures import reported
from mtok.cli.options import AsJson, StorePath, answer

commands = typer.Typer()


@commands.command(epilog="Example: mtok venue demo --serve")
@reported
def demo(
    *,
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve the pages afterwards, until Ctrl-C.", show_default=False)
    ] = False,
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Make a venue to look at, on the bundled sample, and say with which logins.

    Six days of a paper market, each command given by whoever may and at its own instant. Without --store it makes a
    temporary one, says where, and leaves it there; the same store again shows the same logins. It takes some minutes.
    """
    from mtok.cli.serving import PORT, start

    content = make_demo(store)
    answer(content, demo_page(content), as_json=as_json)
    if serve:
        start(Path(content["store"]), "127.0.0.1", PORT, 1, is_venue=True)


def make_demo(store: Path | None) -> dict[str, Any]:
    """Make the venue of a demonstration, or find it; return its store, its logins and the instant its clock stands at.

    From then on the clock of this process stands there too, unless the environment says another instant.
    """
    from mtok.archive import Store
    from mtok.cli.serving import refuse_missing

    path = store or Path(tempfile.mkdtemp(prefix="mtok-venue-demo-"))
    opened = Store.create(path)
    refuse_missing(path, is_venue=True)
    from mtok.venue.demonstration.made import STANDS_AT, make

    os.environ.setdefault("MTOK_NOW", STANDS_AT)  # before anything reads the environment, which is read once
    return {"store": str(path), "now": STANDS_AT, "logins": [login.shown() for login in make(opened)]}


def demo_page(content: dict[str, Any]) -> list[str]:
    """Return the logins for people."""
    lines = [f"store        {content['store']}", f"clock        stands at {content['now']}", ""]
    for one in content["logins"]:
        lines += [
            f"{one['address'].ljust(22)} {one['password']}  {one['secret']}",
            f"{'':22} {', '.join(one['roles'])}",
        ]
    return [
        *lines,
        "",
        "address, password, secret of the app that shows codes (oathtool --totp -b SECRET); paper contracts only",
        f"serve        mtok serve --venue --demo --store {content['store']}",
    ]
