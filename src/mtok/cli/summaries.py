"""What a run did, in a few lines, and what to do next."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtok.archive import RANKINGS_DAILY
from mtok.calendar import format_date
from mtok.cli.layout import WIDTH_MIN, Page, labelled, wrapped
from mtok.wording.figures import TIED, counted, tokens
from mtok.wording.words import METHODOLOGY

if TYPE_CHECKING:
    from mtok.determination.run import Run
    from mtok.intake import ImportReport
    from mtok.notes import PublicKey


def import_content(report: ImportReport) -> dict[str, Any]:
    """Return the report of an import for machines."""
    return {
        "captures_new": report.new,
        "captures_known": report.known,
        "kinds": dict(report.kinds),
        "faults": dict(report.faults),
        "table_rows": report.tables.rows,
        "unresolved": dict(report.tables.unresolved),
        "refused": [asdict(refused) for refused in report.refused],
    }


def import_page(report: ImportReport, store: Path) -> Page:
    """Return the report of an import: what was taken, what was found in it, what was refused and why."""
    text = f"{tokens(report.new)} new, {tokens(report.known)} already known"
    lines = labelled("captures", text, WIDTH_MIN)
    counts = {"kinds": report.kinds, "faults": report.faults, "unresolved": report.tables.unresolved}
    for label, counted_by_name in counts.items():
        if counted_by_name:
            lines += labelled(label, _listed(counted_by_name), WIDTH_MIN)
    for refused in report.refused:
        label = "left out" if refused.left_out else "refused"
        text = f"{refused.path}: {refused.found} ({refused.code}). {refused.remedy}"
        lines += labelled(label, text, WIDTH_MIN)
    if report.new:
        lines += ["", *next_commands({"determine the days they allow": f"determine {at_store(store)}"})]
    return lines


def run_content(run: Run) -> dict[str, Any]:
    """Return what a run determined for machines."""
    causes = [{"because": cause.because, "dates": list(cause.dates)} for cause in run.causes]
    return asdict(run) | {"causes": causes}


def run_page(run: Run, store: Path, methodology: str = METHODOLOGY) -> Page:
    """Return what a run determined by a version, and how to look at it."""
    chosen = "" if methodology == METHODOLOGY else f"--methodology {methodology} "
    text = (
        f"{counted(run.records, 'record')} for {run.first_date} to {run.last_date} from volumes of "
        f"{run.volume_source} ({run.because}); {tokens(run.withheld)} withheld; "
        f"{counted(run.files_changed, 'file')} changed"
        if run.records
        else f"nothing to do: {run.because}"
    )
    lines = labelled("determined", text, WIDTH_MIN)
    for cause in run.causes:
        dates = ", ".join(dates.replace("/", " to ") for dates in cause.dates)
        lines += labelled("because of", f"{cause.because}: {dates}", WIDTH_MIN)
    if run.volume_source != RANKINGS_DAILY:
        chosen = f"--volume-source {run.volume_source} {chosen}"
    return [*lines, "", *next_commands({"see the last day": f"board {chosen}{at_store(store)}"})]


def next_steps(store: Path, day: int, key: PublicKey, *, temporary: bool) -> Page:
    """Return what to do with the store of the demonstration. key : its publication is verified with"""
    date, at = format_date(day), at_store(store)
    said = f"The store is at {store}."
    if temporary:
        said += " It is temporary: it stays until you or the system delete it, so that these work:"
    return [
        *wrapped(said, WIDTH_MIN),
        *next_commands(
            {
                "the pages, in a browser": f"demo --serve {at}",
                "one value from its evidence": f"explain openai {date} {at}",
                "one company over time": f"show openai --format csv {at}",
                "one value for a stranger": f"evidence openai {date} --out openai.zip {at}",
                "the publication verified": f"verify {shlex.quote(str(store))} --key {shlex.quote(str(key))}",
            }
        ),
    ]


def next_commands(commands: Mapping[str, str]) -> Page:
    """Return what commands do and, on a line of its own to be copied whole, each command."""
    program = _program()
    return list(
        chain.from_iterable((f"{what}:", f"  {program} {command}") for what, command in commands.items())
    )


def at_store(store: Path) -> str:
    """Return the option that names a store, as a shell takes it."""
    return f"--store {shlex.quote(str(store))}"


def _program() -> str:
    """Return what to type to run this program again: where it was run from, unless `mtok` finds it."""
    typed = sys.argv[0]
    return typed if Path(typed).name == "mtok" and not shutil.which("mtok") else "mtok"


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name}{TIED}{tokens(count)}" for name, count in sorted(counts.items()))
