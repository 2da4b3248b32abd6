"""`GET /api/v1/datasets/rankings-daily`: token totals a day and model (R-2).

A date whose rows contradict each other is not held by that capture: its rows are left out and the reason stands
in `days`. A row that cannot be placed (date, slug) is rejected alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from mtok.calendar import SECOND, day_of, format_date, format_instant, parse_date, parse_instant
from mtok.observations.faults import Faults
from mtok.observations.numbers import token_total
from mtok.observations.payload import PayloadFault, decode_payload
from mtok.observations.slugs import SLUG_GRAMMAR, Slug, split_slug

TAIL: Final = Slug("other", "", "other", "standard")
"""The market tail: everything outside the day's top 50."""

NAMED_ROWS_MIN: Final = 50
AS_OF_AHEAD_MAX: Final = 3600 * SECOND
"""How far `meta.as_of` may lie after the capture, for clocks that differ; further ahead it would outrank every later
capture (R-2), and counts as absent."""

UNRESOLVED_REASONS: Final = frozenset(
    {
        "as_of_unreadable",
        "id_unknown",
        "partial_day",
        "variant_conflict",
        "variants_summed",
        "volume_duplicate",
        "volume_range",
    }
)
"""Why a row of an imported table is listed under `unresolved` and is no volume (docs/tables.md)."""

_TOP_FIELDS: Final = {"data", "meta", "unresolved"}
_ROW_FIELDS: Final = {"date", "model_permaslug", "total_tokens"}
_META_FIELDS: Final = {"as_of", "version", "start_date", "end_date"}


@dataclass(kw_only=True)
class Rankings:
    """instant : `meta.as_of`, else when captured · rows : (day, slug, tokens) · days : day → reason it is not held.

    `readable` is false for a broken payload.
    """

    instant: int
    readable: bool = True
    rows: list[tuple[int, Slug, int]] = field(default_factory=list)
    days: dict[int, str | None] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)


def decode_rankings(raw: bytes, captured_at: int, asked: str | None = None) -> Rankings:
    """Return the volumes of one response. `captured_at`, an instant, counts where `meta.as_of` is absent.

    asked : the dates that were asked for, first/last; rows of others are rejected, whatever `meta` declares

    A payload that cannot be read has no rows and one `payload_…` fault.
    """
    rankings = Rankings(instant=captured_at)
    try:
        payload = decode_payload(raw)
    except PayloadFault as fault:
        rankings.readable = False
        rankings.faults.add(fault.code, "", "", fault.found)
        return rankings
    _read_unknown(payload, _TOP_FIELDS, "", rankings.faults)
    first, last = _read_meta(payload.get("meta"), rankings)
    if asked is not None:
        first, last = _within_asked(first, last, asked, rankings.faults)
    if rankings.instant > captured_at + AS_OF_AHEAD_MAX:
        rankings.faults.add("as_of_future", "meta.as_of", "", format_instant(rankings.instant))
        rankings.instant = captured_at
    # Over by both clocks: an `as_of` ahead of ours does not make a day whole that was not when we asked.
    today = day_of(min(rankings.instant, captured_at))
    totals: dict[tuple[int, Slug], tuple[str, int]] = {}
    for number, row in enumerate(payload["data"]):
        _read_row(f"data[{number}]", row, rankings, totals, (first, last), today)
    rankings.rows = [
        (day, slug, tokens) for (day, slug), (_, tokens) in totals.items() if not rankings.days[day]
    ]
    if not payload["data"]:
        rankings.faults.add("payload_empty", "data", "", "no rows")
    _list_unresolved(payload.get("unresolved"), rankings.faults)
    _alarm_short_days(rankings)
    return rankings


def _read_meta(meta: Any, rankings: Rankings) -> tuple[int, int]:
    """Take the instant from `meta` and return the window of dates it declares."""
    window = [parse_date("0001-01-01"), parse_date("9999-12-31")]
    if not isinstance(meta, dict):
        if meta is not None:
            rankings.faults.schema("schema_type", "meta", type(meta).__name__)
        return window[0], window[1]
    _read_unknown(meta, _META_FIELDS, "meta.", rankings.faults)
    for name in ("as_of", "start_date", "end_date"):
        text = meta.get(name)
        if text is None:
            continue
        try:
            if name == "as_of":
                rankings.instant = parse_instant(text)
            else:
                window[name == "end_date"] = parse_date(text)
        except (TypeError, ValueError):
            rankings.faults.schema(
                "schema_type", f"meta.{name}", "no date" if name != "as_of" else "no instant"
            )
    return window[0], window[1]


def _within_asked(first: int, last: int, asked: str, faults: Faults) -> tuple[int, int]:
    """Return the dates that were both asked for and declared."""
    asked_first, asked_last = map(parse_date, asked.split("/"))
    if (first, last) != (asked_first, asked_last):
        faults.add("window_differs", "meta", asked, f"{format_date(first)}/{format_date(last)}")
    return max(first, asked_first), min(last, asked_last)


def _read_row(
    place: str,
    row: Any,
    rankings: Rankings,
    totals: dict[tuple[int, Slug], tuple[str, int]],
    window: tuple[int, int],
    today: int,
) -> None:
    faults, days = rankings.faults, rankings.days
    if not isinstance(row, dict):
        faults.add("schema_type", place, "", f"{type(row).__name__}, wanted an object")
        return
    _read_unknown(row, _ROW_FIELDS, "data[].", faults)
    permaslug, date = row.get("model_permaslug"), row.get("date")
    try:
        day = parse_date(date)  # type: ignore[arg-type]  # anything but a string raises TypeError, caught here
    except (TypeError, ValueError):
        faults.add("date_range", place, permaslug, f"date {date!r}")
        return
    if not window[0] <= day <= window[1]:
        faults.add("date_range", place, permaslug, f"{date} is outside the dates of meta")
        return
    if day >= today:
        faults.add("date_range", place, permaslug, f"{date} was not over when captured")
        return
    slug = TAIL if permaslug == "other" else split_slug(permaslug) if isinstance(permaslug, str) else None
    if slug is None:
        faults.add(SLUG_GRAMMAR, place, permaslug, f"permaslug {permaslug!r}")
        return
    days.setdefault(day, None)
    tokens = token_total(row.get("total_tokens"))
    if tokens is None:
        days[day] = "volume_range"
        faults.add("volume_range", place, permaslug, f"{date}: total_tokens {row.get('total_tokens')!r}")
        return
    earlier = totals.setdefault((day, slug), (str(permaslug), tokens))
    if earlier != (permaslug, tokens):
        days[day] = "volume_duplicate"
        faults.add("volume_duplicate", place, permaslug, f"{date}: {tokens} after {earlier[0]} {earlier[1]}")


def _list_unresolved(entries: Any, faults: Faults) -> None:
    """List the rows that a rendered table could not place; each carries its own reason."""
    if entries is None:
        return
    if not isinstance(entries, list):
        faults.schema("schema_type", "unresolved", type(entries).__name__)
        return
    for number, entry in enumerate(entries):
        place = f"unresolved[{number}]"
        reason = entry.get("reason") if isinstance(entry, dict) else None
        if not isinstance(reason, str) or reason not in UNRESOLVED_REASONS:
            faults.add("schema_type", place, "", f"{entry!r}, wanted an object with a known reason")
            continue
        subject = entry.get("model_permaslug") or entry.get("model_id") or ""
        found = f"variant {entry.get('variant')!r}, total_tokens {entry.get('total_tokens')!r}"
        faults.add(reason, place, subject, found)


def _read_unknown(fields: dict[str, Any], known: set[str], prefix: str, faults: Faults) -> None:
    if not fields.keys() <= known:
        for name in sorted(fields.keys() - known):
            faults.schema("schema_unknown", prefix + name, type(fields[name]).__name__)


def _alarm_short_days(rankings: Rankings) -> None:
    named: dict[int, int] = dict.fromkeys(rankings.days, 0)
    for day, slug, _ in rankings.rows:
        named[day] += slug is not TAIL
    for day, count in sorted(named.items()):
        if count < NAMED_ROWS_MIN and not rankings.days[day]:
            rankings.faults.add(
                "short_capture", "", format_date(day), f"{count} named models, under {NAMED_ROWS_MIN}"
            )
