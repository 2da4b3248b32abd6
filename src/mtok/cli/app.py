"""The commands. Each parses what was typed, calls one library function and renders what it returns."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from mtok import __version__
from mtok.cli.agent import commands as agent_commands
from mtok.cli.bill import commands as bill_commands
from mtok.cli.failures import reported
from mtok.cli.importing import commands as import_commands
from mtok.cli.live import commands as live_commands
from mtok.cli.options import (
    AsJson,
    AsOf,
    Determined,
    Engine,
    Format,
    From,
    Master,
    Memory,
    Methodology,
    SeriesId,
    StorePath,
    Threads,
    To,
    VolumeSource,
    answer,
)
from mtok.cli.publishing import commands as publishing_commands
from mtok.cli.publishing import keys
from mtok.cli.serving import commands as serving_commands
from mtok.cli.settle_lab import commands as settle_lab_commands
from mtok.cli.venue import commands as venue_commands
from mtok.cli.venue_demo import commands as venue_demo_commands
from mtok.cli.venue_work import commands as venue_work_commands

app = typer.Typer(
    help="The open reference price for AI tokens: one exact, explained value a day and company.",
    epilog="Start with: mtok demo",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(import_commands, name="import")
app.add_typer(live_commands)
app.add_typer(publishing_commands)
app.add_typer(serving_commands)
app.add_typer(bill_commands)
app.add_typer(settle_lab_commands)
app.add_typer(agent_commands)
app.add_typer(keys, name="keys")
venue_commands.add_typer(venue_work_commands)
venue_commands.add_typer(venue_demo_commands)
app.add_typer(venue_commands, name="venue")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"mtok {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """The open reference price for AI tokens: one exact, explained value a day and company."""


@app.command(epilog="Example: mtok determine --from 2026-06-01 --to 2026-06-20 --store store")
@reported
def determine(
    *,
    first: From = None,
    last: To = None,
    as_of: AsOf = None,
    methodology: Annotated[
        str, typer.Option("--methodology", metavar="VERSION", help="Version of the rules.", show_default=True)
    ] = "1.0",
    volume_source: VolumeSource = None,
    engine: Engine = "duckdb",
    master: Master = None,
    threads: Threads = None,
    memory: Memory = None,
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Determine the values of the days that the store allows.

    The same captures, version and --as-of give the same bytes, on every engine, so a run may be repeated at any time.
    """
    from mtok.archive import Store
    from mtok.cli.reading import days_in_order, instant_of_text, named_store
    from mtok.cli.summaries import run_content, run_page
    from mtok.cli.terminal import progress_bar
    from mtok.day import determine_days
    from mtok.engine import open_engine

    first_day, last_day = days_in_order(first, last)
    instant = instant_of_text(as_of, "--as-of")
    opened = Store.open(named_store(store))
    with (
        open_engine(engine, master=master, threads=threads, memory=memory) as chosen,
        progress_bar() as progress,
    ):
        run = determine_days(
            opened,
            methodology=methodology,
            first_day=first_day,
            last_day=last_day,
            as_of=instant,
            volume_source=volume_source,
            engine=chosen,
            progress=progress,
        )
    answer(run_content(run), run_page(run, opened.path, methodology), as_json=as_json)


@app.command(epilog="Example: mtok board --date 2026-06-20 --store store")
@reported
def board(
    *,
    date: Annotated[
        str | None,
        typer.Option("--date", metavar="DATE", help="Day, YYYY-MM-DD; without it the latest there is."),
    ] = None,
    as_of: AsOf = None,
    determined: Determined = False,
    methodology: Methodology = "1.0",
    volume_source: VolumeSource = None,
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Show the values of one day, how they moved, and why."""
    from mtok.cli.board import board_content, board_page
    from mtok.cli.reading import Records, day_of_text, instant_of_text
    from mtok.cli.terminal import page_width

    asked = day_of_text(date, "--date")
    records = Records(
        store, instant_of_text(as_of, "--as-of"), determined=determined, methodology=methodology
    )
    history, day = records.history(records.of_source(volume_source), asked)
    answer(board_content(history, day), board_page(history, day, page_width()), as_json=as_json)


@app.command(epilog="Example: mtok show openai --from 2026-06-01 --format csv --store store")
@reported
def show(
    *,
    series: SeriesId,
    first: From = None,
    last: To = None,
    as_of: AsOf = None,
    determined: Determined = False,
    methodology: Methodology = "1.0",
    form: Annotated[
        Format, typer.Option("--format", metavar="FORMAT", help="table, json, csv or parquet.")
    ] = "table",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Where to; without it standard output.")
    ] = None,
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Show one series as a table, or as JSON, CSV or Parquet."""
    from mtok.cli.points import points_bytes, points_page
    from mtok.cli.reading import Records, days_in_order, instant_of_text
    from mtok.cli.terminal import page_width, write_page

    chosen = _one_format(form, as_json=as_json, to_terminal=out is None and sys.stdout.isatty())
    days = days_in_order(first, last)
    records = Records(
        store, instant_of_text(as_of, "--as-of"), determined=determined, methodology=methodology
    )
    name = records.resolve(series)
    found = records.read(name, *days)
    if not found:
        raise records.nothing([name], f"{name} has no record {_span(first, last)}".rstrip())
    if chosen == "table" and out is None:
        write_page(points_page(found, page_width()))
        return
    content = points_bytes(chosen, name, found)
    if out is None:
        sys.stdout.buffer.write(content)
    else:
        out.write_bytes(content)


@app.command(epilog="Example: mtok explain openai 2026-06-20 --store store")
@reported
def explain(
    *,
    series: SeriesId,
    date: Annotated[str, typer.Argument(metavar="DATE", help="Day, YYYY-MM-DD.")],
    as_of: AsOf = None,
    determined: Determined = False,
    methodology: Methodology = "1.0",
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Explain one value from its evidence, and its move.

    With --json the record itself, to the byte as its sha256 was taken, and a newline. Of a withheld day it says
    why there is no value and what is known all the same; the exit status is then 1.
    """
    from mtok.cli.reading import Records, day_of_text, instant_of_text
    from mtok.cli.receipt import receipt_page
    from mtok.cli.terminal import page_width, write, write_page
    from mtok.wording.words import no_print

    day = day_of_text(date, "DATE")
    records = Records(
        store, instant_of_text(as_of, "--as-of"), determined=determined, methodology=methodology
    )
    name = records.resolve(series)
    found = records.read(name, day, day)
    if not found:
        raise records.nothing([name], f"{name} has no record of {date}")
    record = found[0]
    if as_json:
        sys.stdout.buffer.write(record.canonical + b"\n")
    else:
        write_page(receipt_page(record, records.earlier(record), page_width()))
    if record.value is None:
        if as_json:
            write("mtok: {}\n{}\n".format(*no_print(record)), sys.stderr)
        raise typer.Exit(1)


@app.command(epilog="Example: mtok demo --store store")
@reported
def demo(
    *,
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve the pages afterwards, until Ctrl-C.", show_default=False)
    ] = False,
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Run everything on the bundled sample: collect, determine, publish, verify, and show the board.

    Without --store it makes a temporary one, says where, and leaves it there, so that the commands it proposes
    work; delete the folder when you have seen enough.
    """
    from mtok.archive import Store
    from mtok.cli.board import board_content, board_page
    from mtok.cli.demonstration import PUBLISHED_AT, demonstrate
    from mtok.cli.reading import Records
    from mtok.cli.summaries import next_steps, run_content
    from mtok.cli.terminal import page_width, progress_bar
    from mtok.cli.verification import report_content, report_page

    path = store or Path(tempfile.mkdtemp(prefix="mtok-demo-"))
    opened = Store.create(path)
    with progress_bar() as progress:
        run, report, key = demonstrate(opened, progress)
    records = Records(path, None)
    history, day = records.history(records.of_source(run.volume_source), None)
    content = {
        "store": str(path),
        "run": run_content(run),
        "board": board_content(history, day),
        "verified": report_content(report, str(path)),
    }
    page = [
        *board_page(history, day, page_width()),
        "",
        *report_page(report, str(path), ""),
        "",
        *next_steps(path, day, key, temporary=store is None),
    ]
    answer(content, page, as_json=as_json)
    if not report.ok:
        raise typer.Exit(1)
    if serve:
        from mtok.cli.serving import PORT, start

        start(path, "127.0.0.1", PORT, 1, now=PUBLISHED_AT)


@app.command(epilog="Example: mtok backup /mnt/disk/mtok --store store")
@reported
def backup(
    *,
    destination: Annotated[
        Path,
        typer.Argument(metavar="DESTINATION", help="The backup, a folder: new, empty, or one of before."),
    ],
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Copy the evidence of a store, or bring a copy up to date.

    What the copy has is verified, what it lacks is copied, what is damaged in it is mended. The same command
    completes an interrupted one, and a collector may go on meanwhile. Of a venue its database and its private log are
    copied, before everything else. Keys are never copied: keep a copy of the folder keys/, and of a venue's key files,
    elsewhere, offline.
    """
    from mtok.archive import Store
    from mtok.archive.backup import back_up, refuse_unfit
    from mtok.cli.keeping import backup_page, copied_content
    from mtok.cli.reading import named_store
    from mtok.cli.terminal import progress_bar
    from mtok.cli.venue_copies import back_up_venue, backed_up_page, venue_content

    opened = Store.open(named_store(store))
    refuse_unfit(opened, destination)
    venue = back_up_venue(opened.path, destination)
    with progress_bar() as progress:
        copied = back_up(opened, destination, progress)
    page = [*backed_up_page(venue, opened.path), *backup_page(copied, opened.path, destination)]
    answer(copied_content(copied) | venue_content(venue), page, as_json=as_json)


@app.command(epilog="Example: mtok restore /mnt/disk/mtok --store store")
@reported
def restore(
    *,
    backup: Annotated[Path, typer.Argument(metavar="BACKUP", help="The backup, a folder.")],
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Make a store from a backup, in a new or empty folder.

    Nothing is written unless all of the backup is sound. Everything else in a store is made again by
    `mtok determine`; only the keys are to be put back by hand. A venue's database goes where DATABASE_URL says.
    """
    from mtok.archive.backup import restore as restore_evidence
    from mtok.cli.keeping import copied_content, restore_page
    from mtok.cli.reading import named_store
    from mtok.cli.terminal import progress_bar
    from mtok.cli.venue_copies import restore_venue, restored_page, venue_content, venue_to_restore

    path = named_store(store)
    venue = venue_to_restore(backup, path)
    with progress_bar() as progress:
        copied = restore_evidence(backup, path, progress)
    restore_venue(venue)
    page = [*restored_page(venue, path), *restore_page(copied, backup, path)]
    answer(copied_content(copied) | venue_content(venue), page, as_json=as_json)


@app.command(epilog="Example: mtok doctor --store store")
@reported
def doctor(*, store: StorePath = None, as_json: AsJson = False) -> None:
    """Examine everything in a store and list what is not as it should be.

    Rehashes the objects, follows the register, makes observations and records again in a temporary folder, and
    compares; holds what is published against its log and sums. The exit status is 1 when anything needs mending.
    """
    from mtok.archive import Store
    from mtok.cli.keeping import diagnosis_content, diagnosis_page
    from mtok.cli.reading import named_store
    from mtok.cli.terminal import progress_bar
    from mtok.doctor import examine

    opened = Store.open(named_store(store))
    with progress_bar() as progress:
        diagnosis = examine(opened, progress)
    answer(diagnosis_content(diagnosis), diagnosis_page(diagnosis, opened.path), as_json=as_json)
    if not diagnosis.sound:
        raise typer.Exit(1)


def _one_format(form: Format, *, as_json: bool, to_terminal: bool) -> Format:
    """Return the format asked for. Raises BadCall for two of them, and for Parquet on a terminal."""
    from mtok.errors import BadCall

    if as_json and form not in ("table", "json"):
        raise BadCall("format_conflict", f"--json and --format {form} at once", "Give one of them.")
    if form == "parquet" and to_terminal:
        raise BadCall(
            "parquet_on_terminal",
            "Parquet is not for terminals",
            "Give --out FILE, or send standard output to a file.",
        )
    return "json" if as_json else form


def _span(first: str | None, last: str | None) -> str:
    return " ".join([f"from {first}"] * bool(first) + [f"to {last}"] * bool(last))
