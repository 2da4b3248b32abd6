"""`mtok import`: files somebody kept, and the usage logs of whoever runs a router or a gateway."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from mtok.cli.failures import reported
from mtok.cli.options import AsJson, Engine, Master, Memory, StorePath, Threads, answer

FILES = "files"


class _FilesUnlessNamed(TyperGroup):
    """A group whose command is `files` where none is named, so that `mtok import PATH` needs no more words."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or args[0] not in (*self.commands, *ctx.help_option_names):
            args = [FILES, *args]
        return super().parse_args(ctx, args)


commands = typer.Typer(
    cls=_FilesUnlessNamed,
    help="Archive responses or tables in a store, or sum the usage logs of a router.",
    epilog="Example: mtok import responses/ --store store. Without the name of a command it is `files`.",
)

CapturedAt = Annotated[
    str | None,
    typer.Option("--captured-at", metavar="INSTANT", help="Capture time of files that do not say theirs."),
]


@commands.command(FILES, epilog="Example: mtok import files responses/ --store store")
@reported
def import_files(
    *,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files and folders to import.")],
    collector: Annotated[
        str | None,
        typer.Option(
            "--collector", metavar="NAME", help="Who captured them; without it the store's own collector."
        ),
    ] = None,
    volume_source: Annotated[
        str | None,
        typer.Option(
            "--volume-source", metavar="NAME", help="Whose volumes a table holds, as a name of your own."
        ),
    ] = None,
    captured_at: CapturedAt = None,
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Archive responses or tables in a store.

    Takes responses of OpenRouter as they were received (.json, .json.gz), tables made from them (.parquet,
    .csv), and folders of these. What is in
    the store already is not taken twice.
    """
    from mtok.archive import PRIMARY, Store
    from mtok.cli.reading import instant_of_text, named_store
    from mtok.cli.summaries import import_content, import_page
    from mtok.cli.terminal import progress_bar
    from mtok.intake import import_paths

    path, instant = named_store(store), instant_of_text(captured_at, "--captured-at")
    with progress_bar() as progress:
        report = import_paths(
            Store.create(path),
            paths,
            collector=collector or PRIMARY,
            volume_source=volume_source,
            captured_at=instant,
            progress=progress,
        )
    answer(import_content(report), import_page(report, path), as_json=as_json)
    if not all(refused.left_out for refused in report.refused):
        raise typer.Exit(2)


@commands.command("usage", epilog="Example: mtok import usage logs/ --source acme --store store")
@reported
def import_usage(
    *,
    address: Annotated[
        str, typer.Argument(metavar="PATH", help="The logs: a folder, a file, or an address fsspec knows.")
    ],
    source: Annotated[
        str, typer.Option("--source", metavar="NAME", help="Whose logs, as a name of your own.")
    ],
    engine: Engine = "duckdb",
    master: Master = None,
    threads: Threads = None,
    memory: Memory = None,
    rejected_max: Annotated[
        str,
        typer.Option(
            "--rejected-max",
            metavar="SHARE",
            help="Share of a day's rows that may be rejected.",
            show_default=True,
        ),
    ] = "0.001",
    anew: Annotated[
        bool,
        typer.Option(
            "--anew", help="Sum the days from the files at PATH alone, whatever their cubes were made of."
        ),
    ] = False,
    add: Annotated[
        bool,
        typer.Option("--add", help="Files of a cube that are gone stay counted beside the files at PATH."),
    ] = False,
    captured_at: Annotated[
        str | None, typer.Option("--captured-at", metavar="INSTANT", help="When it is; without it now.")
    ] = None,
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Sum usage logs to a daily cube, and keep that as evidence.

    Takes Parquet, CSV and JSONL with a row a request and the columns ts, model_permaslug, prompt_tokens and
    completion_tokens, and reads them where they are. Only files that are new are read; a late one makes a new
    version of its days' cubes. The exit status is 2 where a file or a day is refused.
    """
    from mtok.archive import Store
    from mtok.cli.reading import instant_of_text, named_store
    from mtok.cli.terminal import progress_bar
    from mtok.cli.usage import usage_content, usage_page
    from mtok.day import SystemClock
    from mtok.engine import open_engine
    from mtok.errors import BadCall
    from mtok.usage import import_usage as sum_logs

    if anew and add:
        raise BadCall(
            "options_conflict", "--anew and --add at once", "Give one: what is gone counts, or it does not."
        )
    path, share, now = named_store(store), _share(rejected_max), SystemClock().now()
    instant = _not_ahead(instant_of_text(captured_at, "--captured-at") or now, now)
    with (
        open_engine(engine, master=master, threads=threads, memory=memory) as opened,
        progress_bar() as progress,
    ):
        report = sum_logs(
            Store.create(path),
            address,
            source=source,
            engine=opened,
            captured_at=instant,
            rejected_max=share,
            anew=anew,
            add=add,
            progress=progress,
        )
    answer(usage_content(report), usage_page(report, path), as_json=as_json)
    if not report.sound:
        raise typer.Exit(2)


def _not_ahead(instant: int, now: int) -> int:
    """Return an instant. Raises BadCall for one that has not been: days would count as over that are not."""
    from mtok.calendar import format_instant
    from mtok.errors import BadCall

    if instant > now:
        raise BadCall(
            "captured_at_ahead",
            f"--captured-at: {format_instant(instant)} has not been yet",
            "Leave it out for now.",
        )
    return instant


def _share(text: str) -> Fraction:
    """Return a share the user typed. Raises BadCall."""
    from mtok.errors import BadCall

    try:
        share = Fraction(Decimal(text))
    except (InvalidOperation, ValueError, OverflowError):
        share = Fraction(-1)
    if not 0 <= share <= 1:
        raise BadCall(
            "share_invalid",
            f"--rejected-max: {text!r} is no share",
            "Write a number from 0 to 1, such as 0.001.",
        )
    return share
