"""What an import of usage logs did, in a few lines: the days that are odd by name, the others counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mtok.cli.layout import WIDTH_MIN, Page, labelled
from mtok.cli.summaries import at_store, next_commands
from mtok.wording.figures import counted, tokens

if TYPE_CHECKING:
    from mtok.usage import DayOutcome, UsageReport

_WORDS: Final = {
    "new": "new",
    "changed": "with a new version",
    "unchanged": "unchanged",
    "refused": "refused",
    "not_over": "not over yet",
}
_DAYS_NAMED: Final = 12
_FILES_NAMED: Final = 12


def usage_content(report: UsageReport) -> dict[str, Any]:
    """Return the report for machines."""
    return {
        "source": report.source,
        "files": report.files,
        "files_read": report.read,
        "files_empty": report.empty,
        "refused": [asdict(refused) for refused in report.refused],
        "days": [asdict(day) for day in report.days],
        "rejected": {reason: asdict(rejected) for reason, rejected in report.rejected.items()},
    }


def usage_page(report: UsageReport, store: Path) -> Page:
    """Return the report for people."""
    empty = f", {len(report.empty)} without rows" if report.empty else ""
    lines = labelled(
        "files", f"{counted(report.files, 'file')}, {tokens(report.read)} read{empty}", WIDTH_MIN
    )
    lines += labelled("days", _days(report) or "none", WIDTH_MIN)
    for day in _odd(report)[:_DAYS_NAMED]:
        lines += labelled(day.outcome.replace("_", " "), _day(day), WIDTH_MIN)
    if len(_odd(report)) > _DAYS_NAMED:
        lines += labelled("", f"and {len(_odd(report)) - _DAYS_NAMED} more: --json lists all", WIDTH_MIN)
    for reason, rejected in report.rejected.items():
        samples = "; ".join(rejected.samples[:2])
        lines += labelled("rejected", f"{reason} {tokens(rejected.rows)}: {samples}", WIDTH_MIN)
    for refused in report.refused[:_FILES_NAMED]:
        lines += labelled(
            "no log", f"{refused.path}: {refused.found} ({refused.code}). {refused.remedy}", WIDTH_MIN
        )
    if len(report.refused) > _FILES_NAMED:
        lines += labelled("", f"and {len(report.refused) - _FILES_NAMED} more", WIDTH_MIN)
    if report.refused and not report.days:
        lines += labelled(
            "nothing",
            "was summed: rows of those files could be of any day, so that no day is known to be whole",
            WIDTH_MIN,
        )
    if any(day.outcome in ("new", "changed") for day in report.days):
        command = f"determine --volume-source {report.source} {at_store(store)}"
        lines += ["", *next_commands({"determine the days they allow": command})]
    return lines


def _days(report: UsageReport) -> str:
    """Return how many days came out how, and the span of all."""
    outcomes = Counter(day.outcome for day in report.days)
    parts = [f"{tokens(outcomes[name])} {words}" for name, words in _WORDS.items() if outcomes[name]]
    rows = sum(day.rows for day in report.days if day.outcome in ("new", "changed"))
    span = f" ({report.days[0].date} to {report.days[-1].date})" if report.days else ""
    summed = f"; {tokens(rows)} requests in the new cubes" if rows else ""
    return ", ".join(parts) + span + summed


def _odd(report: UsageReport) -> list[DayOutcome]:
    return [day for day in report.days if day.outcome in ("changed", "refused", "not_over")]


def _day(day: DayOutcome) -> str:
    if day.outcome == "changed":
        return f"{day.date}: version {day.version}, {tokens(day.rows)} requests"
    if day.outcome == "not_over":
        return f"{day.date}: {tokens(day.rows)} requests so far, left out"
    stays = f"version {day.version} stays in force" if day.version else "there is no cube of it"
    return f"{day.date}: {day.found} ({day.code}); {stays}"
