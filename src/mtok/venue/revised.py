"""What was printed again, or late: every vintage that is not as scheduled or not what stood there before.

Made from the entries of the log alone, by the same rule as the feed of revisions: a vintage with a reason of the
policy, and one whose value is another than that of the vintage before it.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import msgspec

from mtok.calendar import format_instant
from mtok.publication.policy import SOURCE_LATE, Stage
from mtok.publication.published import Published
from mtok.publication.vintages import Vintage


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """A vintage beside the one before it.

    kind : `late`, `final` (the scheduled one that followed a preliminary), `restatement`, `informational`
    before, after : values as published, None where withheld · first : nothing was printed before it
    reason : code of the policy, None where as scheduled · index : of the entry in the log
    """

    series: str
    methodology: str
    date: str
    vintage: int
    stage: str
    kind: str
    first: bool
    before: str | None
    after: str | None
    reason: str | None
    published_at: str
    quality: str
    record_sha256: str
    index: int

    @property
    def ratio(self) -> Fraction | None:
        """The new value as a ratio of the one before, None where one of them is missing."""
        if self.before is None or self.after is None or not Fraction(self.before):
            return None
        return Fraction(self.after) / Fraction(self.before)


def revisions_of(published: Published) -> list[Revision]:
    """Return the revisions of a publication, the newest first."""
    found: list[Revision] = []
    vintages = sorted(published.vintages.all(), key=lambda one: (one.key, one.vintage))
    for before, vintage in pairwise([None, *vintages]):
        assert vintage is not None
        same = before if before is not None and before.key == vintage.key else None
        if vintage.reason is not None or (same is not None and same.value != vintage.value):
            found.append(_revision(same, vintage))
    return sorted(found, key=lambda revision: -revision.index)


def _revision(before: Vintage | None, vintage: Vintage) -> Revision:
    return Revision(
        series=vintage.series,
        methodology=vintage.methodology,
        date=vintage.date,
        vintage=vintage.vintage,
        stage=vintage.stage,
        kind=_kind(vintage),
        first=before is None,
        before=before.value if before is not None else None,
        after=vintage.value,
        reason=vintage.reason,
        published_at=format_instant(vintage.known_at),
        quality=vintage.quality,
        record_sha256=vintage.record_sha256,
        index=vintage.index,
    )


def _kind(vintage: Vintage) -> str:
    if vintage.stage == Stage.INFORMATIONAL:
        return "informational"
    if vintage.reason == SOURCE_LATE:
        return "late"
    return "final" if vintage.reason is None else "restatement"
