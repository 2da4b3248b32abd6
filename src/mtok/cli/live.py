"""The commands of the live day: collect, run, status, replay."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mtok.cli.failures import reported
from mtok.cli.options import AsJson, From, StorePath, To, answer

if TYPE_CHECKING:
    from mtok.archive import Response
    from mtok.calendar import Clock
    from mtok.collection import Collected
    from mtok.sources import OpenRouter

commands = typer.Typer()

KEY: str = "OPENROUTER_API_KEY"

Url = Annotated[
    str | None,
    typer.Option("--url", metavar="URL", help="Another OpenRouter, such as a local one of `mtok replay`."),
]
At = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="INSTANT",
        help="What time it is there; only with the --url of a replay on this machine.",
    ),
]
LogForm = Annotated[
    Literal["auto", "people", "json", "off"],
    typer.Option(
        "--log",
        metavar="FORM",
        help="Log on stderr: people, json or off; auto: for people, off on a terminal.",
    ),
]


@commands.command(epilog="Example: mtok collect --store store")
@reported
def collect(
    *,
    first: From = None,
    last: To = None,
    replay: Annotated[
        str | None,
        typer.Option(
            "--replay", metavar="PATH", help="Collect from a recorded market: files, a folder, or `sample`."
        ),
    ] = None,
    install_timer: Annotated[
        Literal["print", "user", "system", "cron"] | None,
        typer.Option(
            "--install-timer",
            metavar="WHERE",
            help="Have `mtok run` started at minutes 5 and 50 of each hour: print, user, system or cron.",
        ),
    ] = None,
    url: Url = None,
    at: At = None,
    log: LogForm = "auto",
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Capture what OpenRouter shows now: posted prices, token totals, providers' prices.

    The key is read from OPENROUTER_API_KEY. Without dates it takes the prices, the days of rankings that are over and
    not held, and once a day those of the last week again; with dates, the rankings of these days.
    """
    from mtok.archive import Store
    from mtok.cli.collected import collected_content, collected_page
    from mtok.cli.reading import days_in_order, named_store
    from mtok.cli.terminal import progress_bar
    from mtok.day import collect_due

    path, days = named_store(store), days_in_order(first, last)
    not_with = {"--url": url, "--at": at}
    if install_timer:
        _alone("--install-timer", {**not_with, "--replay": replay, "--from": first, "--to": last})
    if replay is not None:
        _alone("--replay", not_with)
    if install_timer:
        from mtok.cli.timer import install

        answer(*install(install_timer, path), as_json=as_json)
        return
    if replay is not None:
        from mtok.replay import collect_recorded

        recording = _recording(replay)
        opened = Store.create(path)
        with progress_bar() as progress:
            collected = collect_recorded(opened, recording, days=days, progress=progress)
    else:
        clock, whole = _clock(at, url), _whole(days)
        opened = Store.create(path)
        with progress_bar() as progress:
            collected = collect_due(opened, _connect(clock, url, log), clock, days=whole, progress=progress)
    answer(collected_content(collected), collected_page(collected), as_json=as_json)
    _leave(collected)


@commands.command(epilog="Example: mtok run --store store")
@reported
def run(
    *,
    url: Url = None,
    at: At = None,
    log: LogForm = "auto",
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Collect what is due, determine and publish what it changes, and tell the sinks what is odd or late.

    What the timer starts. It may be run at any time and as often as you like: it takes up what was missed, in order.
    A store without a signing key (`mtok keys new`) publishes nothing.
    """
    from mtok.archive import Store
    from mtok.cli.collected import collected_content, collected_page
    from mtok.cli.logs import is_logged, logger
    from mtok.cli.publications import outside_head, publication_content, publication_page
    from mtok.cli.reading import named_store
    from mtok.cli.summaries import run_content, run_page
    from mtok.cli.terminal import progress_bar
    from mtok.day import run_day
    from mtok.watch.sinks import Sinks
    from mtok.watch.telling import tell

    path, clock, sinks = (
        named_store(store),
        _clock(at, url),
        Sinks.from_environment(os.environ, log=is_logged(log)),
    )
    opened = Store.create(path)
    try:
        with progress_bar() as progress:
            done = run_day(opened, _connect(clock, url, log), clock, outside=outside_head, progress=progress)
    except Exception:
        with suppress(Exception):  # what went wrong first is what is said
            tell(opened, clock, sinks, logger(log))
        raise
    told = tell(opened, clock, sinks, logger(log))
    content: dict[str, Any] = {
        "collected": collected_content(done.collected),
        "determined": run_content(done.determined) if done.determined else None,
        "published": publication_content(done.published) if done.published else None,
        "delivered": [{"sink": one.sink, "alarms": one.alarms, "failure": one.failure} for one in told],
    }
    page = collected_page(done.collected)
    if done.published:
        page += publication_page(done.published)
    if done.determined:
        page += run_page(done.determined, path)
    answer(content, page, as_json=as_json)
    _leave(done.collected)


@commands.command(epilog="Example: mtok status --store store")
@reported
def status(
    *,
    days: Annotated[
        int, typer.Option("--days", metavar="N", min=1, max=366, help="How many days, today included.")
    ] = 30,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="INSTANT", help="As it was then: YYYY-MM-DDTHH:MM:SSZ, UTC."),
    ] = None,
    deliver: Annotated[
        bool, typer.Option("--deliver", help="Tell the sinks what they have not been told yet.")
    ] = False,
    log: LogForm = "auto",
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Show the last days: what was captured and printed, what is odd, and what is late now.

    The exit status is 1 when something is late.
    """
    from mtok.archive import Store
    from mtok.cli.logs import is_logged, logger
    from mtok.cli.reading import instant_of_text, named_store
    from mtok.cli.standing import status_content, status_page
    from mtok.cli.terminal import page_width
    from mtok.day import SystemClock
    from mtok.watch.sinks import Sinks
    from mtok.watch.telling import standing, tell

    opened, clock, asked = Store.open(named_store(store)), SystemClock(), instant_of_text(at, "--at")
    if deliver:
        tell(opened, clock, Sinks.from_environment(os.environ, log=is_logged(log)), logger(log))
    found = standing(opened, clock.now() if asked is None else asked, days)
    answer(status_content(found), status_page(found, page_width()), as_json=as_json)
    if found.late:
        raise typer.Exit(1)


@commands.command(epilog="Example: mtok replay sample --at 2026-06-20T12:00:00Z --fault http_503")
@reported
def replay(
    *,
    source: Annotated[
        str, typer.Argument(metavar="PATH|sample", help="Recorded responses: a file, a folder, or `sample`.")
    ],
    port: Annotated[
        int,
        typer.Option("--port", metavar="N", min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one."),
    ] = 0,
    at: Annotated[
        str | None,
        typer.Option(
            "--at", metavar="INSTANT", help="What time it is there; without it the first recorded one."
        ),
    ] = None,
    rate: Annotated[
        int,
        typer.Option(
            "--rate", metavar="N", min=0, help="Replayed seconds a second; 0: its clock stands still."
        ),
    ] = 1,
    fault: Annotated[
        list[str] | None,
        typer.Option("--fault", metavar="NAME", help="A fault it shows all the time; repeatable."),
    ] = None,
    plan: Annotated[
        Path | None, typer.Option("--plan", metavar="FILE", help="A JSON file of faults and when they show.")
    ] = None,
) -> None:
    """Serve a local OpenRouter from recordings, until it is interrupted.

    It answers like the real one and, on request, misbehaves like it: see docs/replay.md for the faults and for how to
    set its clock while it runs. Collect from it with `mtok collect --url URL` and any key.
    """
    import signal

    from mtok.cli.reading import instant_of_text
    from mtok.cli.terminal import write
    from mtok.replay import Fault, ReplayClock, ReplayServer, read_plan

    recording = _recording(source)
    faults = [Fault(name) for name in fault or []] + (read_plan(plan) if plan else [])
    start = instant_of_text(at, "--at")
    clock = ReplayClock(recording.instants()[0] if start is None else start, rate)
    ends = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(
        signal.SIG_BLOCK, ends
    )  # before there are threads, which all have them blocked then
    with ReplayServer(recording, clock, port=port) as server:
        server.arm(*faults)
        write(f"{server.url}\n", sys.stdout)
        sys.stdout.flush()
        signal.sigwait(ends)


def _recording(text: str) -> Any:
    """Return the recording at a path, or the bundled sample; says on standard error which files it left out."""
    from mtok.cli.terminal import write
    from mtok.replay import Recording

    if text == "sample":
        return Recording.sample()
    recording = Recording.of_paths([Path(text)])
    for refused in recording.left_out:
        write(f"left out {refused.path}: {refused.found} ({refused.code})\n", sys.stderr)
    return recording


def _clock(at: str | None, url: str | None) -> Clock:
    """Return the clock of the machine, or one that runs from `at`.

    Raises BadCall where responses of the real OpenRouter would be dated by such a clock.
    """
    from mtok.cli.reading import instant_of_text
    from mtok.day import SystemClock
    from mtok.errors import BadCall
    from mtok.replay import ReplayClock
    from mtok.sources import is_on_this_machine

    start = instant_of_text(at, "--at")
    if start is None:
        return SystemClock()
    if url is None or not is_on_this_machine(url):
        raise BadCall(
            "clock_refused",
            "--at would date what OpenRouter shows now as of another time",
            "Give it with --url of a `mtok replay` on this machine only.",
        )
    return ReplayClock(start, 1)


def _connect(clock: Clock, url: str | None, log: str) -> Callable[[Callable[[Response], None]], OpenRouter]:
    """Return what makes the client of the live OpenRouter, with the key of the environment."""
    from mtok.cli.logs import logger
    from mtok.collection import sound
    from mtok.sources import OPENROUTER_URL, OpenRouter

    said = logger(log).info
    key = os.environ.get(KEY) or None
    return lambda keep: OpenRouter(
        clock, keep=keep, log=said, key=key, url=url or OPENROUTER_URL, sound=sound
    )


def _alone(option: str, others: dict[str, str | None]) -> None:
    """Raise BadCall where others are given that an option makes no use of."""
    from mtok.errors import BadCall

    given = " and ".join(name for name, value in others.items() if value is not None)
    if given:
        raise BadCall(
            "options_conflict", f"{option} makes no use of {given}", f"Leave out {given}, or {option}."
        )


def _whole(days: tuple[int | None, int | None]) -> tuple[int, int] | None:
    """Return both days, where none or one may have been given. Raises BadCall for one."""
    from mtok.errors import BadCall

    first, last = days
    if (first is None) != (last is None):
        raise BadCall("dates_incomplete", "one of --from and --to", "Give both, or none for what is due.")
    return None if first is None or last is None else (first, last)


def _leave(collected: Collected) -> None:
    """Leave with the exit status of a collection: 0, 2 without a key, 3 when upstream failed."""
    failures = {outcome.failure for outcome in collected.failed}
    if failures:
        raise typer.Exit(2 if failures == {"key_missing"} else 3)
