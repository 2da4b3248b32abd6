"""What the client answers with: frozen objects whose numbers are exact decimals and whose days are dates.

Fields are those of the published files (docs/formats.md), in their order. A decimal has the digits that were
published; write it with `format(value, "f")`, for `str` writes twelve zeros as `0E-12`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

import msgspec

from mtok.calendar import SECOND, format_instant
from mtok.records import PublishedRecord

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One vintage of one series on one day.

    value, averages : USD per million output tokens, None where the day is withheld or there were too few days
    as_of : what was captured up to then went in · published_at : since when anybody could know it
    record_sha256 : of its record, the bytes that were signed · the rest are the diagnostics of R-9
    """

    date: dt.date
    series: str
    value: Decimal | None
    unit: str
    methodology: str
    quality: str
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    as_of: dt.datetime | None
    origin: str | None
    average_7d: Decimal | None
    average_7d_days: int | None
    average_30d: Decimal | None
    average_30d_days: int | None
    price_index: Decimal | None
    stage: str
    vintage: int
    published_at: dt.datetime
    reason: str | None
    record_sha256: str
    token_weight: int
    constituents: int
    weight_basis: str
    observed_tokens: int
    direct_tokens: int
    fallback_tokens: int
    imputed_tokens: int
    missing_tokens: int
    unpaid_tokens: int
    ineligible_tokens: int
    price_coverage: Decimal | None
    missing_price_share: Decimal | None
    imputed_token_share: Decimal | None
    fallback_share: Decimal | None
    conflict_share: Decimal | None
    unpaid_share: Decimal | None
    ineligible_share: Decimal | None
    top_constituent_share: Decimal | None
    hhi: Decimal | None
    effective_constituents: Decimal | None
    market_tail_share: Decimal | None
    market_tail_tokens: int | None
    market_tokens: int | None
    named_rows: int | None
    smallest_named_tokens: int | None
    absent_constituents: int | None
    truncation_exposure: Decimal | None
    unseen_ratio: Decimal | None
    truncation_low: Decimal | None
    truncation_high: Decimal | None
    first_party_gap: Decimal | None


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """One value and everything it was computed from.

    point : as the series has it · record : every constituent, capture and link (docs/records.md), numbers as published
    raw : the record's bytes, of which `point.record_sha256` is the sha256
    """

    point: Point
    record: PublishedRecord
    raw: bytes


class PostedPrice(msgspec.Struct, frozen=True, kw_only=True):
    """The posted price of one model on one day, as a series used it.

    price_usd_per_mtok : of output tokens · rung : how it was found (R-5, R-6) · age_days : carried from so long ago
    tokens : its volume, None of a model that could have been traded and was not named
    captures : on how many it rests · sha256 : of the last of them
    """

    date: dt.date
    series: str
    constituent: str
    price_usd_per_mtok: Decimal
    rung: str
    age_days: int
    captures: int
    vintage: int
    sha256: str | None = None
    tokens: int | None = None


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What the publisher told its readers, in the log for ever. index : of its entry"""

    index: int
    kind: str
    text: str
    published_at: dt.datetime
    series: str | None = None
    first_date: dt.date | None = None
    last_date: dt.date | None = None
    old_key: str | None = None
    new_key: str | None = None


def typed(content: Any, kind: type[Any]) -> Any:
    """Return content of text as `kind`: decimals, dates and instants exactly. Raises msgspec.ValidationError."""
    return msgspec.convert(content, kind, strict=False)


def cell(name: str, text: str) -> Any:
    """Return what a cell of a published CSV file says."""
    if name in ("reasons", "notes"):
        return text.split()
    return text or None


def cells(points: Iterable[Point]) -> Iterable[list[str]]:
    """Yield the cells of each point as the published CSV files have them."""
    for point in points:
        yield [written(value) for value in msgspec.structs.astuple(point)]


def written(value: Any) -> str:
    """Return a value as published files write it: all digits, dates and instants in UTC, absent empty.

    >>> written(Decimal("0.000000000000")), written(("coverage", "truncation"))
    ('0.000000000000', 'coverage truncation')
    """
    match value:
        case None:
            return ""
        case Decimal():
            return format(value, "f")
        case dt.datetime():
            return format_instant(instant(value))
        case tuple():
            return " ".join(value)
    return str(value)


def plain(content: Any) -> Any:
    """Return an object of the client as text, integers, lists and objects, ready for JSON; absent fields left out.

    >>> plain(PostedPrice(date=dt.date(2026, 6, 20), series="qwen", constituent="qwen/q", rung="direct", age_days=0,
    ...     price_usd_per_mtok=Decimal("0.30"), captures=1, vintage=0))["price_usd_per_mtok"]
    '0.30'
    """
    kept = msgspec.to_builtins(content, builtin_types=(Decimal, dt.datetime, dt.date))
    if isinstance(kept, dict):
        return {name: plain(value) for name, value in kept.items() if value is not None}
    if isinstance(kept, list | tuple):
        return [plain(value) for value in kept]
    return kept if kept is None or isinstance(kept, bool | int) else written(kept)


def instant(moment: dt.datetime) -> int:
    """Return microseconds since 1970-01-01 UTC, exactly."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds
