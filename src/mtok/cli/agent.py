"""`mtok mcp`: what is published, for agents, over standard input and output."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated

import typer

from mtok.cli.failures import reported
from mtok.cli.options import StorePath

commands = typer.Typer()


@commands.command(epilog="Example: mtok mcp --url https://index.example.org")
@reported
def mcp(
    context: typer.Context,
    *,
    url: Annotated[
        str | None,
        typer.Option("--url", metavar="URL", help="The address of a publication, in place of a store."),
    ] = None,
    store: StorePath = None,
) -> None:
    """Answer an agent's questions over MCP: list series, get one, explain a move, get a point with its proof.

    The agent's program starts it and talks to it on standard input and output. It reads what is published and
    changes nothing: docs/agents.md. It takes the extra mtok[mcp].
    """
    from mtok.cli.reading import named_store
    from mtok.client import Client
    from mtok.errors import BadCall

    if find_spec("mcp") is None:
        raise BadCall(
            "extra_missing", "an MCP server needs the package mcp", "Install it: pip install 'mtok[mcp]'"
        )
    source = context.get_parameter_source("store")
    if url and source is not None and source.name == "COMMANDLINE":
        raise BadCall("options_conflict", "--url beside --store", "Name one of them.")
    with Client(url or named_store(store)) as client:
        from mtok.agents import server

        if url:
            client.latest()  # an address without an answer and without a copy is told at once
        server(client).run()
