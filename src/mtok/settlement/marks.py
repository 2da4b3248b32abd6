"""Marks: reviewed values that may settle a contract, the table of their states, and which of them may be used.

Nobody types the number of a mark: it is read from the log entry it names. Whoever approves it is another person than
whoever prepared it. `mtok.settlement.review` has the commands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Final

import msgspec

from mtok.calendar import format_instant, parse_date
from mtok.canonical import canonical_bytes, sha256_hex
from mtok.publication.marks import MarkPrint, Source
from mtok.settlement.machines import NEW, Machine
from mtok.settlement.people import OPERATORS, Role
from mtok.settlement.values import price_text

MACHINE: Final = Machine(
    "mark",
    [
        (
            NEW,
            "propose",
            "proposed held",
            (Role.MARK_PREPARER,),
            "no version but rejected ones; a final value by the waterfall; held unless good or degraded, without "
            "`jump`, and recomputed to the byte",
        ),
        ("proposed", "hold", "held", (Role.MARK_PREPARER,), "a written reason"),
        ("held", "release", "proposed", (Role.MARK_PREPARER,), "a written reason and evidence"),
        (
            "proposed",
            "approve",
            "approved",
            (Role.MARK_APPROVER,),
            "another person than the preparer, no participant; second factor just shown; the very digest; "
            "the source is the one in force",
        ),
        (
            "proposed",
            "reject",
            "rejected",
            (Role.MARK_APPROVER,),
            "a written reason; another version is needed",
        ),
        ("approved", "publish", "published", (Role.PUBLISHER,), "its index in the log"),
        (
            "published",
            "dispute",
            "disputed",
            (Role.PARTICIPANT_APPROVER,),
            "party to a contract on it, within the days for disputes; evidence and a number of their own",
        ),
        (
            "disputed",
            "uphold",
            "upheld",
            OPERATORS,
            "two persons who did not make this version, within the days to resolve; a written reason",
        ),
        (
            "published disputed",
            "correct",
            "corrected",
            OPERATORS,
            "two persons who did not make this version; a later final vintage of the same point, or the day's own "
            "where one was carried; a written reason",
        ),
        (
            "disputed",
            "lapse",
            "upheld",
            (Role.SYSTEM,),
            "the days to resolve are over: the published value stands",
        ),
        ("corrected", "publish", "corrected", (Role.PUBLISHER,), "its index in the log, once"),
        (
            "published upheld corrected",
            "lock",
            "locked",
            (Role.SYSTEM,),
            "the days for disputes are over, and it is in the log",
        ),
    ],
)

DISPUTED: Final = "disputed"
IN_MARGIN: Final = frozenset({"published", "upheld", "corrected", "locked"})
IN_SETTLEMENT: Final = frozenset({"locked"})
REVIEWED: Final = IN_MARGIN | {"approved"}
"""States of a mark that two persons stand behind and nobody disputes: what may be carried forward."""


class Level(StrEnum):
    """Where a value comes from: the steps of the waterfall (`mtok.settlement.waterfall`)."""

    FINAL = "F0"
    LATE = "F1"
    SECOND_CHANNEL = "F2"
    CARRIED = "F3"
    AGREED = "F4"
    DECIDED = "F5"


class Resolution(msgspec.Struct, frozen=True, kw_only=True):
    """What the waterfall yields of a day: a level, and the published value it comes to."""

    day: int
    level: Level
    source: Source


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """What a person wrote, when, and the sha256 of what they attached."""

    person: str
    at: int
    text: str
    evidence: tuple[str, ...] = ()


class Dispute(msgspec.Struct, frozen=True, kw_only=True):
    """Who disputes a mark and why, until when it is to be resolved, and which number they hold to be right.

    It is theirs: nothing of it goes into the public log, not even hashed with what operators wrote.
    """

    party: str
    own_value: int
    reason: Reason
    resolve_until: int


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """One version of the mark of a reference on a day.

    value : 10⁻⁶ USD per million output tokens · held : codes of why it was held · log_index : of its entry
    dispute_until : the first instant at which it is too late to dispute it · resolvers : who upheld it
    locked_at : since when it is final
    """

    reference: str
    methodology: str
    date: str
    version: int
    state: str
    level: Level
    value: int
    source: Source
    preparer: str
    held: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()
    approver: str | None = None
    log_index: int | None = None
    dispute_until: int | None = None
    dispute: Dispute | None = None
    resolvers: tuple[str, ...] = ()
    locked_at: int | None = None

    @property
    def day(self) -> int:
        """The fixing date."""
        return parse_date(self.date)

    @property
    def source_day(self) -> int:
        """The fixing date of the value it rests on, an earlier one where that is carried."""
        return parse_date(self.source.date)

    @property
    def digest(self) -> str:
        """What an approver approves: value, level, source, and all that was written about it."""
        return sha256_hex(
            canonical_bytes(
                {
                    "reference": self.reference,
                    "methodology": self.methodology,
                    "date": self.date,
                    "version": self.version,
                    "level": self.level,
                    "value": price_text(self.value),
                    "source_index": self.source.index,
                    "source_sha256": self.source.sha256,
                    "preparer": self.preparer,
                    "held": self.held,
                    "reasons_sha256": self.reasons_sha256,
                }
            )
        )

    @property
    def reasons_sha256(self) -> str | None:
        """Digest of what was written, without who wrote it; None where nothing was."""
        written = [
            {"at": format_instant(one.at), "text": one.text, "evidence": one.evidence} for one in self.reasons
        ]
        return sha256_hex(canonical_bytes(written)) if written else None


def usable(marks: Iterable[Mark], states: frozenset[str]) -> dict[int, int]:
    """Return the values of marks by day, of those in some states: `IN_MARGIN`, or `IN_SETTLEMENT` for what is paid."""
    return {
        mark.day: mark.value
        for mark in last_versions(marks)
        if mark.state in states and mark.log_index is not None
    }


def claims(marks: Iterable[Mark]) -> dict[int, int]:
    """Return, by day, what whoever disputes a mark holds to be right."""
    return {
        mark.day: mark.dispute.own_value
        for mark in last_versions(marks)
        if mark.state == DISPUTED and mark.dispute
    }


def last_versions(marks: Iterable[Mark]) -> list[Mark]:
    """Return the marks of one reference, of each day the last version alone, whether it may be used or not."""
    ordered = sorted(marks, key=lambda mark: (mark.day, mark.version))
    return list({mark.day: mark for mark in ordered}.values())


def print_of(mark: Mark, pseudonym: Callable[[str], str]) -> MarkPrint:
    """Return what the log says of a mark. pseudonym : the name a person has there"""
    assert mark.approver is not None
    state = "published" if mark.state == "approved" else mark.state
    return MarkPrint(
        reference=mark.reference,
        methodology=mark.methodology,
        date=mark.date,
        version=mark.version,
        state=state,
        value=mark.value,
        source_index=mark.source.index,
        fallback_level=mark.level,
        preparer=pseudonym(mark.preparer),
        approver=pseudonym(mark.approver),
        reasons_sha256=mark.reasons_sha256,
    )
