"""The command line: parse, call one library function, render. No rule lives here.

`app` has the commands, `pages` of text are made by `board`, `receipt` and `move`, and `terminal` alone knows
what the terminal can show. Engine, Parquet and rich are imported by the commands that need them.
"""

from __future__ import annotations


def main() -> None:
    """Run the command line; leaves the process with its exit status."""
    from mtok.cli.app import app

    app(prog_name="mtok")
