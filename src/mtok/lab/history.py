"""The values of a reference by day, from a publication or from the bundled sample, and why a day has none."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from importlib.resources import files
from typing import Final

import msgspec

from mtok.calendar import format_date, parse_date
from mtok.errors import AnswerIsNo, BadCall
from mtok.market.references import history
from mtok.methodology import in_force
from mtok.publication.marks import MODEL
from mtok.publication.policy import Stage
from mtok.publication.published import Published
from mtok.settlement.values import price_units

NOT_PUBLISHED: Final = "not_published"
"""Why a day has no value: nothing of the series is published of it."""

NOT_LISTED: Final = "not_listed"
"""Why a day has no value: the prices of that day do not list the model."""

SAMPLE_METHODOLOGY: Final = "1.0"
_CLOSE: Final = 3


class History(msgspec.Struct, frozen=True, kw_only=True):
    """A reference over time. first, last : the days that are published, between them some may have no value

    values : by day, 10⁻⁶ USD per million output tokens, the vintage in force · stages : of the values, by day, none of
    the sample · reasons : of R-10, by day, where a print was withheld · sample : not from a publication
    """

    reference: str
    methodology: str
    first: int
    last: int
    values: dict[int, int]
    stages: dict[int, str] = {}
    reasons: dict[int, tuple[str, ...]] = {}
    sample: bool = False

    def why_missing(self, day: int) -> tuple[str, ...]:
        """Return the codes of why a day has no value."""
        return self.reasons.get(day) or (NOT_LISTED if self.reference.startswith(MODEL) else NOT_PUBLISHED,)

    def last_before(self, day: int) -> int | None:
        """Return the last day before a day that has a value, None where there is none."""
        return max((one for one in self.values if one < day), default=None)

    def is_final(self, day: int) -> bool:
        """Return whether the value of a day is a final print, of which a mark could be made."""
        return self.stages.get(day) == Stage.FINAL


def published_history(published: Published, reference: str) -> History:
    """Return the history of a reference under the methodology of the last date published.

    Raises BadCall (`series_unknown`, `model_unknown`) for what has no value, AnswerIsNo when nothing is published.
    """
    dates = published.vintages.dates()
    if not dates:
        raise AnswerIsNo(
            "nothing_published", "nothing is published there", "`mtok publish` publishes what is due."
        )
    methodology = in_force(parse_date(dates[-1]))
    if reference.startswith(MODEL):
        return _of_model(published, reference, methodology)
    vintages = published.in_force(reference, methodology)
    if not vintages:
        raise _unknown(reference, published.series())
    return History(
        reference=reference,
        methodology=methodology,
        first=parse_date(vintages[0].date),
        last=parse_date(vintages[-1].date),
        values=history(published, reference, methodology),
        stages={parse_date(one.date): one.stage for one in vintages if one.value is not None},
        reasons={parse_date(one.date): one.reasons for one in vintages if one.value is None},
    )


def _of_model(published: Published, reference: str, methodology: str) -> History:
    tables = {
        parse_date(entry["date"]): entry["stage"]
        for entry in published.entries
        if entry["type"] == "prices" and entry["stage"] != Stage.INFORMATIONAL
    }
    values = history(published, reference, methodology)
    if not values:
        raise _unknown(reference, ())
    return History(
        reference=reference,
        methodology=methodology,
        first=min(tables),
        last=max(tables),
        values=values,
        stages={day: tables[day] for day in values},
    )


def sample_history(reference: str) -> History:
    """Return the history of a reference in the bundled sample: what `mtok demo` determines from its responses.

    Raises BadCall (`series_unknown`, `model_unknown`) for what it has not.
    """
    rows = [line.split(",") for line in _sample().splitlines()[1:]]
    values = {
        day: price_units(value)
        for name, first, last, value in rows
        if name == reference
        for day in range(parse_date(first), parse_date(last) + 1)
    }
    if not values:
        raise _unknown(reference, {name for name, *_ in rows})
    return History(
        reference=reference,
        methodology=SAMPLE_METHODOLOGY,
        first=min(parse_date(first) for _, first, *_ in rows),
        last=max(parse_date(last) for _, _, last, _ in rows),
        values=values,
        sample=True,
    )


def _sample() -> str:
    """Return the table of the sample: a row a run of days with one value."""
    return files("mtok.lab").joinpath("sample.csv").read_text("utf-8")


def _unknown(reference: str, known: Collection[str]) -> BadCall:
    close = get_close_matches(reference.lower(), sorted(known), n=_CLOSE)
    meant = f"Did you mean {' or '.join(close)}? " if close else ""
    shown = reference[:200]
    if reference.startswith(MODEL):
        return BadCall(
            "model_unknown",
            f"{shown!r} has no posted price on any day",
            f"{meant}Give model:author/name, the canonical slug without a variant, as the tables of prices have it.",
        )
    series = ", ".join(sorted(name for name in known if not name.startswith(MODEL)))
    return BadCall(
        "series_unknown", f"series {shown!r} is unknown", f"{meant}Known: {series}, or model:author/name."
    )


def span_text(found: History) -> str:
    """Return from when to when a history is published, for errors."""
    return f"{format_date(found.first)} to {format_date(found.last)}"
