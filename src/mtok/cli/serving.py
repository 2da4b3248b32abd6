"""`mtok serve`: the pages and the API of a store, under granian."""

from __future__ import annotations

import os
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final

import typer

from mtok.cli.failures import reported
from mtok.cli.options import StorePath

commands = typer.Typer()

_NEEDED: Final = ("django", "granian", "ninja", "whitenoise", "csp", "limits", "PIL", "pydantic_settings")


@commands.command(epilog="Example: mtok serve --store store --port 8321")
@reported
def serve(
    *,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Address to listen on.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", metavar="N", min=1, max=65535, help="Port.")] = 8321,
    workers: Annotated[int, typer.Option("--workers", metavar="N", min=1, max=64, help="Processes.")] = 1,
    store: StorePath = None,
) -> None:
    """Serve the pages and the API of what a store has published.

    Everything else is said by environment variables, MTOK_HOSTS first of all: docs/serving.md. PATH may also be a copy
    of a folder publication/. Ctrl-C ends it.
    """
    from mtok.cli.reading import named_store

    start(named_store(store), host, port, workers)


def start(store: Path, host: str, port: int, workers: int) -> None:
    """Serve a store until interrupted. Raises BadCall where the store or what it takes is missing."""
    _refuse_missing(store)
    from granian import Granian
    from granian.constants import Interfaces

    os.environ["MTOK_STORE"] = str(store.resolve())
    if workers > 1:
        os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", tempfile.mkdtemp(prefix="mtok-metrics-"))
    from mtok.venue.environment import environment

    environment()
    typer.echo(f"mtok: serving {store} at http://{host}:{port}/ (Ctrl-C ends it)", err=True)
    Granian(
        "mtok.venue.wsgi:application",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        log_enabled=False,
    ).serve()


def _refuse_missing(store: Path) -> None:
    from mtok.errors import BadCall

    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise BadCall(
            "extra_missing", f"serving needs {', '.join(missing)}", "Install them: pip install 'mtok[serve]'"
        )
    if not store.is_dir():
        raise BadCall(
            "store_missing", f"{store} is no folder", "`mtok demo --store PATH` makes one with a sample."
        )
