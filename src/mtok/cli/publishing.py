"""The commands of publication: publish, restate, notice, keys; verify and evidence."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtok.cli.failures import reported
from mtok.cli.options import AsJson, From, StorePath, To, answer

if TYPE_CHECKING:
    from mtok.archive import Store
    from mtok.calendar import Clock

commands = typer.Typer()
keys = typer.Typer(help="The keys a store signs with.", no_args_is_help=True, rich_markup_mode=None)

At = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="INSTANT",
        help="What time it is there; only for a store of sample or replayed captures.",
    ),
]


@commands.command(epilog="Example: mtok publish --store store")
@reported
def publish(
    *,
    date: Annotated[
        str | None,
        typer.Option("--date", metavar="DATE", help="No later dates than this one, YYYY-MM-DD."),
    ] = None,
    at: At = None,
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Publish every date that is due, in order: freeze it, put it into the log, sign.

    It may be run at any time and as often as you like; what was interrupted is completed first. Nothing published is
    ever changed. The exit status is 1 when there is nothing to publish.
    """
    from mtok.archive import Store
    from mtok.cli.publications import outside_head, publication_content, publication_page
    from mtok.cli.reading import day_of_text, named_store
    from mtok.cli.terminal import progress_bar
    from mtok.day import publish_due

    last_day, opened = day_of_text(date, "--date"), Store.open(named_store(store))
    with progress_bar() as progress:
        done = publish_due(opened, _clock(opened, at), outside_head, last_day=last_day, progress=progress)
    answer(publication_content(done), publication_page(done), as_json=as_json)
    if not done.records and not done.failed and not done.resumed:
        raise typer.Exit(1)


@commands.command(epilog="Example: mtok restate 2026-06-20 qwen --reason parser_bug --store store")
@reported
def restate(
    *,
    date: Annotated[str, typer.Argument(metavar="DATE", help="Day, YYYY-MM-DD.")],
    series: Annotated[list[str], typer.Argument(metavar="SERIES...", help="Series to restate.")],
    reason: Annotated[
        str, typer.Option("--reason", metavar="CODE", help="Why: a code of the policy, such as parser_bug.")
    ],
    at: At = None,
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Publish a corrected vintage of a date beside the one in force, determined from everything seen now.

    On the day of its final print it takes the place of the one in force, later it is informational. The exit status is
    1 when nothing would change.
    """
    from mtok.archive import Store
    from mtok.cli.publications import outside_head, publication_content, publication_page
    from mtok.cli.reading import known_series, named_store, needed_day
    from mtok.cli.terminal import progress_bar
    from mtok.publication.operators import restate as restate_date

    day, opened = needed_day(date, "DATE"), Store.open(named_store(store))
    with progress_bar() as progress:
        done = restate_date(
            opened,
            _clock(opened, at).now(),
            outside_head,
            series=[known_series(name) for name in series],
            day=day,
            reason=reason,
            progress=progress,
        )
    answer(publication_content(done), publication_page(done), as_json=as_json)


@commands.command(
    epilog='Example: mtok notice incident "The collector was down from 02:00 to 07:30." --store store'
)
@reported
def notice(
    *,
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="disruption, incident, correction or cessation.")
    ],
    text: Annotated[
        str, typer.Argument(metavar="TEXT", help="What there is to say; it can never be deleted.")
    ],
    series: Annotated[
        str | None, typer.Option("--series", metavar="SERIES", help="The series it concerns.")
    ] = None,
    first: From = None,
    last: To = None,
    at: At = None,
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Publish a notice in the log and the feeds. Name nobody: what is in the log stays there."""
    from mtok.archive import Store
    from mtok.calendar import format_date
    from mtok.cli.publications import outside_head
    from mtok.cli.reading import days_in_order, known_series, named_store
    from mtok.cli.terminal import progress_bar
    from mtok.publication.operators import give_notice

    days, opened = days_in_order(first, last), Store.open(named_store(store))
    dates = [None if day is None else format_date(day) for day in days]
    with progress_bar() as progress:
        given = give_notice(
            opened,
            _clock(opened, at).now(),
            outside_head,
            kind=kind,
            text=text,
            series=None if series is None else known_series(series),
            first_date=dates[0],
            last_date=dates[1],
            progress=progress,
        )
    said = "published" if given.published else "not published again: it is what was published last"
    answer({"kind": kind, **given._asdict()}, [f"{said}; the log has {given.size} entries"], as_json=as_json)


@commands.command(
    epilog="Example: mtok verify https://index.example.org --key index.example.org/log+d154bec8+A…"
)
@reported
def verify(
    *,
    where: Annotated[
        str | None,
        typer.Argument(
            metavar="[PATH|URL]",
            help="A publication: its folder, a store, an address; else --store.",
            show_default=False,
        ),
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(
            "--key", metavar="VKEY|FILE", help="The log's public key, from somebody you trust; repeatable."
        ),
    ] = None,
    recompute: Annotated[
        bool, typer.Option("--recompute", help="Run the rules over the published observations as well.")
    ] = False,
    objects: Annotated[
        Path | None,
        typer.Option(
            "--objects", metavar="STORE", help="A store with the raw responses, to decode them again."
        ),
    ] = None,
    seen: Annotated[
        Path | None,
        typer.Option(
            "--seen", metavar="FILE", help="A checkpoint seen before; without it the last one verified here."
        ),
    ] = None,
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Check a publication offline: signatures, log, files, arithmetic; with options rules and decoding.

    Nothing the publisher says is believed. The last checkpoint verified is remembered, so that an older or another one
    is noticed. The exit status is 1 when anything differs; each difference is named with its place.
    """
    from mtok.cli.verification import report_content, report_page
    from mtok.cli.verifying import verified

    report, named, beyond = verified(where or store, key or [], seen, recompute=recompute, objects=objects)
    answer(report_content(report, named), report_page(report, named, beyond), as_json=as_json)
    if not report.ok:
        raise typer.Exit(1)


@commands.command(epilog="Example: mtok evidence qwen 2026-06-20 --out qwen.zip --store store")
@reported
def evidence(
    *,
    series: Annotated[str, typer.Argument(metavar="SERIES", help="One of the six published series.")],
    date: Annotated[str, typer.Argument(metavar="DATE", help="Day, YYYY-MM-DD.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The zip to write.")],
    vintage: Annotated[
        int | None, typer.Option("--vintage", metavar="N", min=0, help="Without it the one in force.")
    ] = None,
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Write one published value as a parcel that a stranger can check.

    The record, its log entry and proof, what it was computed from, the rules, a verifier in one file of plain Python,
    and a page that says how to use it.
    """
    from mtok.archive import Store
    from mtok.cli.reading import known_series, named_store, needed_day, published_vintage
    from mtok.publication.parcels import make_parcel
    from mtok.publication.published import FOLDER, Published

    published = Published(Store.open(named_store(store)).path / FOLDER)
    found = published_vintage(published, known_series(series), needed_day(date, "DATE"), vintage)
    parcel = make_parcel(published, found)
    out.write_bytes(parcel)
    content = {"file": str(out), "bytes": len(parcel), "record_sha256": found.record_sha256}
    answer(
        content,
        [f"{out}: {len(parcel)} bytes; unpack it and open README.html, or: python3 verify.py"],
        as_json=as_json,
    )


@keys.command(epilog="Example: mtok keys new --origin index.example.org/log --store store")
@reported
def new(
    *,
    origin: Annotated[
        str,
        typer.Option(
            "--origin",
            metavar="ORIGIN",
            help="Name of the log: its address without https://, such as index.example.org/log.",
        ),
    ],
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Make the key a store signs with; from then on `mtok run` publishes.

    The key file is readable by its owner alone and in no backup of `mtok backup`: keep a copy of it elsewhere.
    """
    from mtok.archive import Store
    from mtok.cli.keyring import keys_content, keys_page
    from mtok.cli.reading import named_store
    from mtok.publication.operators import create_key

    opened = Store.open(named_store(store))
    create_key(opened, origin, os.urandom(32))
    answer(keys_content(opened), keys_page(opened), as_json=as_json)


@keys.command(epilog="Example: mtok keys rotate --store store")
@reported
def rotate(*, at: At = None, store: StorePath = None, as_json: AsJson = False) -> None:
    """Replace the key: publish, signed by both, that a new one signs from now on.

    Who holds the old public key can follow the log to the new one. Take the old file away afterwards.
    """
    from mtok.archive import Store
    from mtok.cli.keyring import keys_content, keys_page
    from mtok.cli.publications import outside_head
    from mtok.cli.reading import named_store
    from mtok.cli.terminal import progress_bar
    from mtok.publication.operators import rotate_key

    opened = Store.open(named_store(store))
    with progress_bar() as progress:
        rotate_key(opened, _clock(opened, at).now(), outside_head, os.urandom(32), progress)
    answer(keys_content(opened), keys_page(opened), as_json=as_json)


@keys.command("show", epilog="Example: mtok keys show --store store")
@reported
def show_keys(*, store: StorePath = None, as_json: AsJson = False) -> None:
    """Show the public keys of a store and which of them signs; never a private one."""
    from mtok.archive import Store
    from mtok.cli.keyring import keys_content, keys_page
    from mtok.cli.reading import named_store

    opened = Store.open(named_store(store))
    answer(keys_content(opened), keys_page(opened), as_json=as_json)


def _clock(store: Store, at: str | None) -> Clock:
    """Return the clock of the machine, or one that shows `at`.

    Raises BadCall where a real publication would be dated by such a clock.
    """
    from mtok.cli.reading import instant_of_text
    from mtok.day import SystemClock
    from mtok.errors import BadCall
    from mtok.replay import ReplayClock

    instant = instant_of_text(at, "--at")
    if instant is None:
        return SystemClock()
    captures = store.register.read()
    real = next((capture.captured_at for capture in captures if not capture.origin), None)
    if real is not None or not captures:
        found = (
            f"at {real} something was captured of the real OpenRouter" if real else "it has no captures yet"
        )
        raise BadCall(
            "clock_refused",
            f"--at would date what store {store.path} publishes as of another time: {found}",
            "Leave out --at; it is for stores of the sample and of replays alone.",
        )
    return ReplayClock(instant, 0)
