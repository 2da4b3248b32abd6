"""What was published, in a few lines; and where the head of a log is remembered outside its store."""

from __future__ import annotations

import os
import re
from collections import Counter
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mtok.cli.layout import WIDTH_MIN, Page, labelled
from mtok.wording.figures import TIED, counted, tokens

if TYPE_CHECKING:
    from mtok.publication.publish import Publication

HEAD: Final = "MTOK_HEAD"
_LISTED_DATES: Final = 4
_PRINTED: Final = ("series", "date", "vintage", "stage", "quality", "value", "reason")
_SAID: Final = ("failed", "size", "known_at", "resumed", "next_due", "passed_over", "warning")


def outside_head(origin: str) -> Path | None:
    """Return the file that remembers the last head of a log outside its store; None where `MTOK_HEAD` is empty."""
    named = os.environ.get(HEAD)
    if named is not None:
        return Path(named) if named else None
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return state / "mtok" / "publisher" / re.sub(r"[^A-Za-z0-9.-]", "_", origin)


def publication_content(publication: Publication) -> dict[str, Any]:
    """Return what was published for machines."""
    return {
        "records": [
            {name: getattr(record, name) for name in _PRINTED} | {"record_sha256": record.sha256}
            for record in publication.records
        ],
        **{name: getattr(publication, name) for name in _SAID},
    }


def publication_page(publication: Publication) -> Page:
    """Return what was published: the last dates with their values, the log, and when there is more to publish."""
    lines: Page = []
    dates = [list(group) for _, group in groupby(publication.records, lambda record: record.date)]
    if len(dates) > _LISTED_DATES:
        stages = Counter(group[0].stage for group in dates[:-_LISTED_DATES])
        listed = ", ".join(f"{count}{TIED}{stage}" for stage, count in stages.items())
        first, last = dates[0][0].date, dates[-_LISTED_DATES - 1][0].date
        lines += labelled(
            "published", f"{first} to {last}: {counted(sum(stages.values()), 'date')} ({listed})", WIDTH_MIN
        )
    for group in dates[-_LISTED_DATES:]:
        values = ", ".join(f"{record.series}{TIED}{record.value or record.quality}" for record in group)
        reason = f", {group[0].reason}" if group[0].reason else ""
        lines += labelled("published", f"{group[0].date} ({group[0].stage}{reason}): {values}", WIDTH_MIN)
    for date, code in publication.failed:
        lines += labelled("no data", f"{date} could not be determined: {code}", WIDTH_MIN)
    if not publication.records and not publication.failed:
        lines += labelled(
            "published", f"nothing new; the next date is due at {publication.next_due}", WIDTH_MIN
        )
    if publication.resumed:
        lines += labelled("completed", "a publication that was interrupted", WIDTH_MIN)
    if publication.passed_over:
        days = counted(len(publication.passed_over), "day")
        text = (
            f"{days} with volumes before the first published one: a published series does not grow backwards"
        )
        lines += labelled("passed over", text, WIDTH_MIN)
    if publication.warning:
        lines += labelled("warning", publication.warning, WIDTH_MIN)
    text = f"{tokens(publication.size)} entries, last publication {publication.known_at}"
    return [*lines, *labelled("log", text, WIDTH_MIN)]
