"""Tables of token volumes, rendered as `rankings-daily` responses: one capture a date, of one named source.

The rules take all rows of a day from one capture (R-2), and a table may hold collectors that overlap, which must
never be added up. So one source is rendered at a time, and what is no volume of a whole day and one constituent
is not left out but listed in the capture as `unresolved`, with its reason.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple

from mtok.archive import KIND_RANKINGS, PRIMARY, RANKINGS_DAILY, Capture, Response
from mtok.calendar import format_date, format_instant
from mtok.canonical import sha256_hex
from mtok.errors import BadCall, BadInput
from mtok.progress import Progress, silent
from mtok.sources.files import Refused
from mtok.sources.tables import (
    TABLE_ORIGIN,
    Table,
    TableReport,
    compact_json,
    day_end,
    groups,
    placed,
    read_as_of,
    read_date,
)

AS_OF_UNREADABLE: Final = "as_of_unreadable"
DATE_RANGE: Final = "date_range"
ID_UNKNOWN: Final = "id_unknown"
PARTIAL_DAY: Final = "partial_day"
VARIANT_CONFLICT: Final = "variant_conflict"
VARIANTS_SUMMED: Final = "variants_summed"
VOLUME_DUPLICATE: Final = "volume_duplicate"
VOLUME_RANGE: Final = "volume_range"

UNRESOLVED: Final = frozenset(
    {
        AS_OF_UNREADABLE,
        ID_UNKNOWN,
        PARTIAL_DAY,
        VARIANT_CONFLICT,
        VARIANTS_SUMMED,
        VOLUME_DUPLICATE,
        VOLUME_RANGE,
    }
)
"""The reasons of rows that are listed in a capture; `date_range` rows have no day and are in the report only."""

Resolve = Callable[[str, int], str | None]
"""Called with (model_id, day); returns the canonical slug, None where no catalogue knows the id."""

ALL_VARIANTS: Final = "all_variants_summed"
_STANDARD: Final = "standard"
_SOURCE_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_TOKENS: Final = re.compile(r"[0-9]{1,19}")
_TOKENS_MAX: Final = 2**63 - 1
_NAMES_SHOWN: Final = 20


class _Volume(NamedTuple):
    permaslug: str
    tokens: int


def check_volume_source(table: Table, name: str | None) -> Refused | None:
    """Return None when `name` may be the volume source of this table, `volume_source_needed` when there is none.

    Raises BadCall `volume_source_name` for a name that is no name or is that of OpenRouter's own data, BadInput
    `volume_source_unknown` when the table's `series` does not hold it.
    """
    held = _series(table)
    if name is None:
        return Refused(
            path=table.shown,
            code="volume_source_needed",
            found="volumes of an unnamed source",
            remedy=f"Name one with --volume-source: {_shown(held) if held else 'a name of your choice'}.",
        )
    check_source_name(name)
    if held is not None and name not in held:
        raise BadInput(
            "volume_source_unknown",
            f"volume source {name!r} does not occur in column series of {table.shown}",
            f"Name one that does with --volume-source: {_shown(held)}.",
        )
    return None


def check_source_name(name: str) -> None:
    """Raise BadCall `volume_source_name` for a name that is no name, or is that of OpenRouter's own data."""
    if not _SOURCE_NAME.fullmatch(name) or name == RANKINGS_DAILY:
        raise BadCall(
            "volume_source_name",
            f"volume source {name!r}",
            f"Use a-z, 0-9, - and _, 40 at most, and not {RANKINGS_DAILY!r}, which is OpenRouter's own.",
        )


def refuse_mixed(captures: Iterable[Capture], name: str, kind: str, *besides: str) -> None:
    """Raise BadCall `volume_source_taken` for a source that has volumes of another kind, logs where tables come or the
    other way round: a source has one kind of evidence. besides : kinds that may lie beside it
    """
    held = {capture.kind for capture in captures if capture.volume_source == name} - {kind, *besides}
    if held:
        raise BadCall(
            "volume_source_taken",
            f"the volumes of {name!r} are {' and '.join(sorted(held))}, those to import {kind}",
            "Give these another name; sources are never mixed.",
        )


def _series(table: Table) -> list[str] | None:
    """Return the names in column `series`, None for a table without that column."""
    if "series" not in table.rows.column_names:
        return None
    return sorted(name for name in table.rows["series"].unique().to_pylist() if name is not None)


def _shown(names: list[str]) -> str:
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(names[:_NAMES_SHOWN]) + more


def volume_responses(
    table: Table,
    *,
    volume_source: str,
    resolve: Resolve,
    collector: str = PRIMARY,
    captured_at: int | None = None,
    report: TableReport | None = None,
    progress: Progress = silent,
) -> Iterator[Response]:
    """Yield the table itself, then one capture a date, in order, for the rows of `volume_source`.

    captured_at : instant for rows that carry no `as_of`. Without it such a row counts from the end of its date,
    D+1 00:00:00, the earliest instant at which the day was over.
    A capture's `meta.as_of`, which is its capture time, is the latest among all rows of the date. The caller has
    checked the name with `check_volume_source`.
    """
    import pyarrow.compute as pc

    report = report or TableReport()
    yield table.response(collector)
    rows = table.rows
    if "series" in rows.column_names:
        rows = rows.filter(pc.equal(rows["series"], volume_source))
    rows, undated = placed(rows, "date", read_date)
    for row in undated:
        report.rows += 1
        report.add(DATE_RANGE, f"row {row['row']}: date {row['date']!r}, {_name(row)!r}")
    for members, done in groups(rows, ["place"], []):
        report.rows += len(members)
        report.captures += 1
        day: int = members[0]["place"]
        payload, instant = _payload(members, day, resolve, captured_at, report)
        yield Response(
            raw=compact_json(payload).encode("ascii"),
            captured_at=instant,
            kind=KIND_RANKINGS,
            obtained=f"table {table.shown}, {volume_source} of {format_date(day)}",
            collector=collector,
            volume_source=volume_source,
            origin=TABLE_ORIGIN,
            origin_sha256=table.sha256,
        )
        progress("rendering volumes", done, rows.num_rows)


def refuse_changed_import(captures: Iterable[Capture], responses: Iterable[Response]) -> None:
    """Raise BadInput `already_imported` when the store holds other renderings of the same table and source.

    captures : of the register · responses : all that `volume_responses` yields for one table and source
    The same bytes again are the same captures; a part of them is an interrupted import that may be completed.
    """
    rendered: dict[tuple[str | None, str | None], set[str]] = defaultdict(set)
    for response in responses:
        if response.origin == TABLE_ORIGIN:
            rendered[response.volume_source, response.origin_sha256].add(sha256_hex(response.raw))
    for capture in captures:
        now = rendered.get((capture.volume_source, capture.origin_sha256))
        if capture.kind == KIND_RANKINGS and now is not None and capture.sha256 not in now:
            raise BadInput(
                "already_imported",
                f"{capture.obtained} is in the store as {capture.sha256} and would now be other bytes: the catalogue "
                "has grown, or --captured-at is another",
                "Import into a fresh store, prices before volumes.",
            )


def _payload(
    rows: list[dict[str, Any]], day: int, resolve: Resolve, captured_at: int | None, report: TableReport
) -> tuple[dict[str, Any], int]:
    """Return the payload of one date and its `meta.as_of`."""
    default = day_end(day) if captured_at is None else captured_at
    instants: list[int] = []
    unresolved: list[tuple[dict[str, Any], str]] = []
    named: dict[str, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
    for row in rows:
        instant = read_as_of(row["as_of"]) if row.get("as_of") else default
        if instant is not None:
            instants.append(instant)
        found = _volume(row, day, instant, resolve)
        if isinstance(found, str):
            unresolved.append((row, found))
        else:
            named[found.permaslug].append((found.tokens, row))
    volumes: list[_Volume] = []
    for permaslug, members in named.items():
        if len({tokens for tokens, _ in members}) == 1:
            volumes.append(_Volume(permaslug, members[0][0]))
            report.repeated += len(members) - 1
        else:
            unresolved += [(row, VOLUME_DUPLICATE) for _, row in members]
    for row, reason in unresolved:
        report.add(reason, f"row {row['row']}: {row['date']}, {_name(row)!r}, {row['total_tokens']!r}")
    date, instant = format_date(day), max(instants, default=default)
    payload: dict[str, Any] = {
        "data": [
            {"date": date, "model_permaslug": volume.permaslug, "total_tokens": str(volume.tokens)}
            for volume in sorted(volumes, key=lambda volume: (-volume.tokens, volume.permaslug))
        ],
        "meta": {"as_of": format_instant(instant), "version": "v1", "start_date": date, "end_date": date},
    }
    if unresolved:
        entries = [_entry(row, reason) for row, reason in unresolved]
        payload["unresolved"] = sorted(entries, key=lambda entry: sorted(entry.items()))
    return payload, instant


def _volume(row: dict[str, Any], day: int, instant: int | None, resolve: Resolve) -> _Volume | str:
    """Return the permaslug and tokens of a row, or the reason why it is none. instant : of its `as_of`."""
    reason = _defect(row, day, instant)
    if reason:
        return reason
    base, _, suffix = (_name(row) or "").partition(":")
    variant = row.get("variant") or suffix or _STANDARD
    if suffix and variant != suffix:
        return VARIANT_CONFLICT
    slug = base if row.get("model_permaslug") else _resolved(base, variant, day, resolve)
    if not slug:
        return ID_UNKNOWN
    return _Volume(slug if variant == _STANDARD else f"{slug}:{variant}", int(row["total_tokens"]))


def _defect(row: dict[str, Any], day: int, instant: int | None) -> str | None:
    """Return why the row is no total of one variant over the whole day, None when it is one."""
    if row.get("variant") == ALL_VARIANTS:
        return VARIANTS_SUMMED
    if instant is None:
        return AS_OF_UNREADABLE
    if instant < day_end(day) or (row.get("is_partial_day") or "false").lower() != "false":
        return PARTIAL_DAY
    total = row["total_tokens"] or ""
    return None if _TOKENS.fullmatch(total) and int(total) <= _TOKENS_MAX else VOLUME_RANGE


def _resolved(base: str, variant: str, day: int, resolve: Resolve) -> str | None:
    """Return the slug of an id: that of its row for the variant, often the only one, else of the plain id's."""
    slug = None if variant == _STANDARD else resolve(f"{base}:{variant}", day)
    return slug or resolve(base, day)


def _name(row: dict[str, Any]) -> str | None:
    """Return what the row calls its model: the permaslug where it gives one."""
    name: str | None = row.get("model_permaslug") or row.get("model_id")
    return name


def _entry(row: dict[str, Any], reason: str) -> dict[str, str]:
    field = "model_permaslug" if row.get("model_permaslug") else "model_id"
    entry = {
        field: row.get(field),
        "variant": row.get("variant"),
        "total_tokens": row["total_tokens"],
        "reason": reason,
    }
    return {name: value for name, value in entry.items() if value is not None}
