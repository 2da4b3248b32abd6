"""`mtok serve`: the pages and the API of a store, under granian."""

from __future__ import annotations

import os
import socket
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final

import typer

from mtok.cli.failures import reported
from mtok.cli.options import StorePath

commands = typer.Typer()

PORT: Final = 8321
_NEEDED: Final = ("django", "granian", "ninja", "whitenoise", "csp", "limits", "PIL", "pydantic_settings")
_NEEDED_BY_VENUE: Final = (
    *_NEEDED,
    "allauth",
    "fido2",
    "argon2",
    "dj_database_url",
    "psycopg",
)


@commands.command(epilog="Example: mtok serve --store store --port 8321")
@reported
def serve(
    *,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Address to listen on.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", metavar="N", min=1, max=65535, help="Port.")] = PORT,
    workers: Annotated[int, typer.Option("--workers", metavar="N", min=1, max=64, help="Processes.")] = 1,
    venue: Annotated[
        bool, typer.Option("--venue", help="With the accounts and the market that `mtok venue init` made.")
    ] = False,
    demo: Annotated[
        bool, typer.Option("--demo", help="With --venue: a venue to look at, as `mtok venue demo` makes it.")
    ] = False,
    store: StorePath = None,
) -> None:
    """Serve the pages and the API of what a store has published.

    Everything else is said by environment variables, MTOK_HOSTS first of all: docs/serving.md. PATH may also be a copy
    of a folder publication/. Ctrl-C ends it.
    """
    from mtok.cli.reading import named_store

    if demo:
        from mtok.cli.terminal import write_page
        from mtok.cli.venue_demo import demo_page, make_demo

        content = make_demo(store)
        write_page(demo_page(content))
        start(Path(content["store"]), host, port, 1, is_venue=True)
        return
    start(named_store(store), host, port, workers, is_venue=venue)


def start(
    store: Path, host: str, port: int, workers: int, now: str | None = None, *, is_venue: bool = False
) -> None:
    """Serve a store until interrupted. Raises BadCall where the store, what it takes or a free port is missing.

    now : an instant at which the clock of the pages stands still, unless the environment says another
    is_venue : with accounts and a database; then EnvironmentFailed is raised where these are missing, too
    """
    refuse_missing(store, is_venue=is_venue)
    _refuse_taken(host, port)
    if now is not None:
        os.environ.setdefault("MTOK_NOW", now)
    from granian import Granian
    from granian.constants import Interfaces

    os.environ["MTOK_STORE"] = str(store.resolve())
    from mtok.venue.environment import environment

    environment()
    if is_venue:
        from mtok.venue.upkeep.initial import begin, refuse_unready

        begin(store)
        refuse_unready()
    shown = f"http://{host}:{port}/{'venue/' if is_venue else ''}"
    typer.echo(f"mtok: serving {store} at {shown} (Ctrl-C ends it)", err=True)
    server = Granian(
        "mtok.venue.wsgi:application",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        log_enabled=False,
    )
    if workers == 1:
        server.serve()
        return
    with tempfile.TemporaryDirectory(prefix="mtok-metrics-") as shared:
        os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", shared)
        server.serve()


def ready_venue(store: Path | None) -> None:
    """Set Django up for the venue of a store. Raises as `refuse_missing`, `begin` and `refuse_unready`."""
    from mtok.cli.reading import named_store

    path = named_store(store)
    refuse_missing(path, is_venue=True)
    from mtok.venue.upkeep.initial import begin, refuse_unready

    begin(path)
    refuse_unready()


def _refuse_taken(host: str, port: int) -> None:
    """Raise BadCall where nothing can listen there: the server itself would share a port with another one."""
    from mtok.errors import BadCall

    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise BadCall(
            "address_taken",
            f"{host} port {port}: {error.strerror}",
            "Name another one with --host and --port.",
        ) from None


def refuse_missing(store: Path, *, is_venue: bool) -> None:
    """Raise BadCall (`extra_missing`, `store_missing`) where packages are not installed, or there is no store."""
    from mtok.errors import BadCall

    refuse_not_installed(is_venue=is_venue)
    if not store.is_dir():
        raise BadCall(
            "store_missing", f"{store} is no folder", "`mtok demo --store PATH` makes one with a sample."
        )


def refuse_not_installed(*, is_venue: bool) -> None:
    """Raise BadCall (`extra_missing`) where packages are not installed."""
    from mtok.errors import BadCall

    missing = [name for name in (_NEEDED_BY_VENUE if is_venue else _NEEDED) if find_spec(name) is None]
    if missing:
        raise BadCall(
            "extra_missing",
            f"serving needs {', '.join(missing)}",
            f"Install them: pip install 'mtok[{'venue' if is_venue else 'serve'}]'",
        )
