"""`mtok venue work`: the clock of a venue, once or until it is told to end."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from mtok.cli.failures import reported
from mtok.cli.live import LogForm
from mtok.cli.options import AsJson, StorePath, answer

if TYPE_CHECKING:
    from mtok.venue.otc.clockwork import Part, Step

commands = typer.Typer()

EVERY: Final = 30
"""Seconds between two ticks: far less than anything in the timetable is apart."""


@commands.command(epilog="Example: mtok venue work --once --store store")
@reported
def work(
    *,
    once: Annotated[
        bool, typer.Option("--once", help="Do what is due now and end; for cron, and to try it.")
    ] = False,
    every: Annotated[
        int, typer.Option("--every", metavar="SECONDS", min=1, max=3600, help="Between two ticks.")
    ] = EVERY,
    part: Annotated[
        Literal["all", "market", "marks"],
        typer.Option(
            "--part",
            metavar="PART",
            help="marks: what takes the key of the public log, for whoever publishes; market: the rest.",
        ),
    ] = "all",
    log: LogForm = "auto",
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Do what a venue does because it is time, and go on until SIGTERM or Ctrl-C.

    Runs, what lapses, marks into the log, margin, maturity, mails. It may be ended and started at any time: what was
    missed is done in order, and nothing twice. What is under way is finished before it ends.
    """
    from mtok.cli.logs import logger
    from mtok.cli.serving import ready_venue

    ready_venue(store)
    if once:
        steps = _tick(part)
        content = {"steps": [_content(step) for step in steps]}
        answer(content, [_line(step) for step in steps], as_json=as_json)
        return
    ending, said = _ending(), logger(log)
    said.info("begun", every=every)
    before: list[Step] = []
    while not ending.is_set():
        steps = _tick(part)
        for step in _news(before, steps):
            (said.warning if step.refused else said.info)("done", **_content(step))
        before = steps
        ending.wait(every)


def _tick(part: Part) -> list[Step]:
    from django.db import close_old_connections

    from mtok.cli.publications import outside_head
    from mtok.venue import place
    from mtok.venue.otc.clockwork import tick

    close_old_connections()
    return tick(place.now(), outside_head, part)


def _ending() -> threading.Event:
    """Return what is set when the process is told to end."""
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    return ending


def _news(before: list[Step], steps: list[Step]) -> list[Step]:
    """Return the steps that did something, or that were refused something that they were not a moment ago."""
    refused = {step.name: step.refused for step in before}
    return [step for step in steps if step.count or (step.refused and step.refused != refused.get(step.name))]


def _content(step: Step) -> dict[str, Any]:
    return {"step": step.name, "count": step.count, "refused": list(step.refused)}


def _line(step: Step) -> str:
    return f"{step.name.ljust(12)} {step.count}{''.join(f'; {one}' for one in step.refused)}"
