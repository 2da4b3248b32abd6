"""What a verification found, for people and for machines."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from mtok.cli.layout import WIDTH_MIN, Heading, Page, hairline, labelled, wrapped
from mtok.wording.figures import TIED, tokens

if TYPE_CHECKING:
    from mtok.client import Report

_LISTED: Final = 20
_REACHED: Final = {
    None: "nothing: the log itself does not hold",
    "log": "log: everything is what was signed; not every number follows",
    "arithmetic": "arithmetic: every number of the records follows from them and the parameters; series and feeds are "
    "signed",
    "rules": "rules: the frozen rules over the published observations give every record to the byte, and the records "
    "every series and feed",
    "decoding": "decoding: the raw responses give the published observations, and these every record",
}


def report_content(report: Report, where: str) -> dict[str, Any]:
    """Return the report for machines."""
    checkpoint = report.checkpoint
    return {
        "where": where,
        "ok": report.ok,
        "reached": report.reached,
        "origin": checkpoint.origin if checkpoint else None,
        "size": checkpoint.size if checkpoint else None,
        "root": checkpoint.root.hex() if checkpoint else None,
        "key": str(report.key) if report.key else None,
        "checked": dict(report.counts),
        "passed_over": dict(report.passed_over),
        "findings": [asdict(finding) for finding in report.findings],
        "findings_not_listed": report.more,
    }


def report_page(report: Report, where: str, beyond: str) -> Page:
    """Return the report for people. beyond : what the next level would take, empty where there is none"""
    verdict = "verified" if report.ok else "NOT as it should be"
    lines: Page = [*map(Heading, _in_width(where, verdict)), hairline(WIDTH_MIN)]
    if report.checkpoint and report.key:
        text = f"{report.checkpoint.origin}, {tokens(report.checkpoint.size)} entries, signed by {report.key.id.hex()}"
        lines += labelled("log", text, WIDTH_MIN)
    lines += labelled("reached", _REACHED[report.reached], WIDTH_MIN)
    checked = ", ".join(
        f"{tokens(count)}{TIED}{what.replace(' ', TIED)}" for what, count in report.counts.items()
    )
    lines += labelled("checked", checked or "nothing", WIDTH_MIN)
    if report.passed_over:
        lines += labelled(
            "passed over", f"unknown to this version: {', '.join(report.passed_over)}", WIDTH_MIN
        )
    if beyond:
        lines += labelled("beyond", beyond, WIDTH_MIN)
    for finding in report.findings[:_LISTED]:
        lines += [
            "",
            *labelled("DIFFERENCE", f"{finding.where}: {finding.found} ({finding.code})", WIDTH_MIN),
        ]
        if finding.remedy:
            lines += wrapped(finding.remedy, WIDTH_MIN, 13)
    rest = len(report.findings) - _LISTED + report.more
    return [*lines, *([f"and {tokens(rest)} more; --json lists them"] if rest > 0 else [])]


def _in_width(where: str, verdict: str) -> Page:
    one = f"{where}: {verdict}"
    return [one] if len(one) <= WIDTH_MIN else [verdict, *textwrap.wrap(where, WIDTH_MIN)]
