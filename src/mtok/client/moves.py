"""The move between any two printed dates, by the client's own arithmetic from the two published records (R-11)."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import msgspec

from mtok.client.links import explained
from mtok.client.points import typed
from mtok.client.refusals import CallRefused, NotPublished
from mtok.records import PublishedRecord


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """The effects of one constituent, USD per million. cause : why it entered or left"""

    constituent: str
    price: Decimal | None = None
    mix: Decimal | None = None
    entry: Decimal | None = None
    exit: Decimal | None = None
    replacement: Decimal | None = None
    cause: str | None = None


class Factors(msgspec.Struct, frozen=True, kw_only=True):
    """The same move as factors: their product is to_value ÷ from_value, but for rounding."""

    price: Decimal
    mix: Decimal
    entry: Decimal
    exit: Decimal


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """A move and what it is made of, USD per million output tokens, twelve decimals.

    Either price, mix, entry and exit with `factors`, or `replacement` alone where no constituent continues. Effects are
    exact and rounded once, so that rounded parts add up to the rounded change but for the last digits.
    from_record_sha256, to_record_sha256 : of the two records it was calculated from
    """

    series: str
    unit: str
    from_date: dt.date
    to_date: dt.date
    from_value: Decimal
    to_value: Decimal
    from_record_sha256: str
    to_record_sha256: str
    change: Decimal
    price: Decimal | None = None
    mix: Decimal | None = None
    entry: Decimal | None = None
    exit: Decimal | None = None
    replacement: Decimal | None = None
    factors: Factors | None = None
    entry_by_cause: dict[str, Decimal] = {}
    exit_by_cause: dict[str, Decimal] = {}
    constituents: tuple[Effect, ...] = ()


def move(before: PublishedRecord, after: PublishedRecord) -> Move:
    """Return the move from one published record to a later one of the same series and version.

    Raises NotPublished `no_value` where one of them is withheld, CallRefused `methodologies_differ`.
    """
    for record in (before, after):
        if record.value is None:
            raise NotPublished(
                "no_value",
                f"{record.series} has no value of {record.date}: withheld, {', '.join(record.reasons)}",
                "Name dates that have one; point() says what is known of this one.",
            )
    if before.methodology != after.methodology:
        raise CallRefused(
            "methodologies_differ",
            f"{before.date} is of methodology {before.methodology}, {after.date} of {after.methodology}",
            "Name two dates of one methodology: R-11 explains moves within a version.",
        )
    content = explained(before, before.determination_sha256, after)
    found: Move = typed(
        {
            **content,
            "series": after.series,
            "unit": after.unit,
            "to_date": after.date,
            "to_value": after.value,
            "from_record_sha256": before.sha256,
            "to_record_sha256": after.sha256,
        },
        Move,
    )
    return found
