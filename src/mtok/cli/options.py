"""What several commands take and how all of them answer."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer


def series_starting(incomplete: str) -> list[str]:
    """Return the series whose ids begin like this."""
    from mtok.methodology import load
    from mtok.wording.words import METHODOLOGY

    return [entry.series for entry in load(METHODOLOGY).series if entry.series.startswith(incomplete)]


StorePath = Annotated[
    Path | None,
    typer.Option("--store", metavar="PATH", envvar="MTOK_STORE", help="The store, a folder."),
]
AsJson = Annotated[bool, typer.Option("--json", help="For machines: JSON on stdout, the rest on stderr.")]
From = Annotated[str | None, typer.Option("--from", metavar="DATE", help="First day, YYYY-MM-DD.")]
To = Annotated[str | None, typer.Option("--to", metavar="DATE", help="Last day, YYYY-MM-DD.")]
AsOf = Annotated[
    str | None,
    typer.Option("--as-of", metavar="INSTANT", help="As known then: YYYY-MM-DDTHH:MM:SSZ, UTC."),
]
Determined = Annotated[bool, typer.Option("--determined", help="As last determined, whatever is published.")]
VolumeSource = Annotated[
    str | None,
    typer.Option(
        "--volume-source", metavar="NAME", help="Whose volumes; without it OpenRouter's rankings-daily."
    ),
]
Methodology = Annotated[
    str,
    typer.Option("--methodology", metavar="VERSION", help="Version of the rules.", show_default=True),
]
SeriesId = Annotated[
    str,
    typer.Argument(
        metavar="SERIES",
        help="openai, google-gemini, anthropic, deepseek, qwen, moonshot; of another volume source SOURCE:ID.",
        autocompletion=series_starting,
    ),
]
Engine = Annotated[
    Literal["duckdb", "spark"],
    typer.Option("--engine", metavar="ENGINE", help="What runs the SQL: duckdb or spark.", show_default=True),
]
Master = Annotated[
    str | None,
    typer.Option(
        "--master", metavar="URL", help="Of spark: local[2], spark://host:7077; without it this machine."
    ),
]
Threads = Annotated[
    int | None, typer.Option("--threads", metavar="N", min=1, help="Threads of this machine; without it all.")
]
Memory = Annotated[
    str | None, typer.Option("--memory", metavar="SIZE", help="Memory it may take, such as 512MB.")
]
Format = Literal["table", "json", "csv", "parquet"]


def answer(content: dict[str, Any], page: list[str], *, as_json: bool) -> None:
    """Write the answer: for machines its content, for people its page."""
    from mtok.cli.terminal import write_page

    if as_json:
        sys.stdout.write(json.dumps(content, indent=2) + "\n")
    else:
        write_page(page)
