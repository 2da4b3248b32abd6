"""The receipt: one value from its evidence, every part of it with its price, its source and its share (R-8, R-9)."""

from __future__ import annotations

from fractions import Fraction
from itertools import chain
from typing import Final

from mtok.archive import RANKINGS_DAILY
from mtok.calendar import parse_instant
from mtok.cli.board import citation
from mtok.cli.changes import move_page
from mtok.cli.layout import (
    LABEL_WIDTH,
    Heading,
    Page,
    apart,
    hairline,
    labelled,
    named_columns,
    room_for_names,
    wrapped,
)
from mtok.records import Determination, PublishedRecord
from mtok.wording.asides import asides
from mtok.wording.figures import (
    ABSENT,
    counted,
    day_text,
    instant_text,
    on_the_point,
    percent,
    tokens,
    trimmed,
)
from mtok.wording.words import (
    LEGEND,
    company,
    no_print,
    note,
    origin,
    quality,
    reason,
    rung,
    short_rung,
    shown_names,
    standing,
)

_HEADS: Final = ("tokens", "share", "price", "price found", "contributes")


def receipt_page(record: Determination, earlier: Determination | None, width: int) -> Page:
    """Return the receipt of a record. `earlier` is the record its move starts from, where that is at hand."""
    names = shown_names(record)
    return [
        *_header(record, width),
        *_constituents(record, names, width),
        "",
        *chain.from_iterable(labelled(label, text, width) for label, text in asides(record, names)),
        *move_page(record, earlier, names, width),
        *_evidence(record, names, width),
        *_legend(record, width),
        "",
        *citation([record]),
    ]


def _header(record: Determination, width: int) -> Page:
    value = f"{record.value} USD per 1M output tokens" if record.value else "no value"
    lines = apart(f"{company(record)} · {day_text(record.date)} · {quality(record)}", value, width)
    lines += wrapped(f"series {record.series} · {standing([record])}", width)
    if record.value is None:
        lines += ["", *chain.from_iterable(wrapped(text, width) for text in no_print(record))]
    else:
        lines += chain.from_iterable(
            labelled(f"{record.quality}:", f"{reason(record, code)} ({code})", width)
            for code in record.reasons
        )
    return [
        *lines,
        *chain.from_iterable(labelled("note:", note(record, code), width) for code in record.notes),
    ]


def _constituents(record: Determination, names: dict[str, str], width: int) -> Page:
    listed = record.constituents
    if not listed:
        return [hairline(width), "no model of the series has tokens and a price on this day", hairline(width)]
    prices = on_the_point(trimmed(row.price_usd_per_mtok) for row in listed)
    shown = ["model", *(names[row.constituent] for row in listed), "sum"]
    rows: list[list[str]] = []
    for worded in (rung, short_rung):
        rows = [
            list(_HEADS),
            *(
                [
                    tokens(row.tokens),
                    percent(row.weight_share),
                    price,
                    worded(row),
                    row.contribution_usd_per_mtok,
                ]
                for row, price in zip(listed, prices, strict=True)
            ),
            [tokens(record.w), percent(Fraction(1)), "", "", record.value or ABSENT],
        ]
        if max(map(len, shown)) <= room_for_names(rows, width):
            break
    lines = named_columns(shown, rows, ">>><>", width)
    return [hairline(width), Heading(lines[0]), *lines[1:-1], hairline(width), lines[-1]]


def _evidence(record: Determination, names: dict[str, str], width: int) -> Page:
    inputs, lines = record.inputs, ["", Heading("Evidence"), hairline(width)]
    lines += _published(record, width)
    lines += wrapped(_standing(record), width)
    if inputs.rankings:
        lines += _named(
            "volumes", f"{record.volume_source} as of {inputs.rankings.as_of}", inputs.rankings.sha256
        )
    for rejected in inputs.rejected_rankings:
        lines += _named("rejected", f"volumes as of {rejected.as_of}, {rejected.reason}", rejected.sha256)
    used = {capture for row in record.constituents for capture in row.captures}
    if inputs.seen:
        count = counted(sum(day.captures for day in inputs.seen), "response")
        days = dict.fromkeys(day.date for day in (inputs.seen[0], inputs.seen[-1]))
        given = f"{count} of the price list, {' to '.join(days)}"
        lines += labelled("prices", f"{given}; those behind the prices above:", width)
    for capture in inputs.captures:
        if capture.id in used:
            text = f"{capture.captured_at} by {capture.collector} (rank {capture.rank})"
            lines += _named(f"  {capture.id}", text, capture.sha256)
    if inputs.endpoints:
        times = sorted((capture.captured_at for capture in inputs.endpoints), key=parse_instant)
        given = f"{counted(len(times), 'response')} of the endpoints, {times[0]} to {times[-1]}"
        lines += labelled("own prices", f"{given}; their sha256 are in the line --json prints", width)
    digests = {
        "rules": record.rules_sha256,
        "parameters": record.parameters_sha256,
        "this record": record.sha256,
        "print before": record.move.from_sha256 if record.move else None,
    }
    lines += [f"{label:{LABEL_WIDTH}}{sha256}" for label, sha256 in digests.items() if sha256]
    dated = [name for name, shown in names.items() if not name.endswith(f"/{shown}")]
    return [*lines, *(labelled("full names", ", ".join(dated), width) if dated else [])]


def _published(record: Determination, width: int) -> Page:
    if not isinstance(record, PublishedRecord):
        return []
    said = [instant_text(record.known_at), record.stage, f"vintage {record.vintage}", record.reason or ""]
    return labelled("published", f"{', '.join(filter(None, said))}; `mtok evidence` proves it", width)


def _named(label: str, text: str, sha256: str) -> Page:
    return [f"{label:{LABEL_WIDTH}}{text}", f"{'':{LABEL_WIDTH}}{sha256}"]


def _standing(record: Determination) -> str:
    """Return what the sha256 of the evidence are the sha256 of."""
    if not record.origin:
        return "Responses exactly as they were received, by sha256."
    if record.origin == "usage":
        return (
            "Prices exactly as they were received, volumes as the daily sums of usage logs, by sha256; the store's "
            "register names the sha256 of what the sums were made from."
        )
    return (
        f"Not responses as received but rendered from the {origin(record)}, by sha256; the store's register names the "
        "sha256 of what each was made from."
    )


def _legend(record: Determination, width: int) -> Page:
    rungs = {row.rung for row in record.constituents}
    unused = {"direct", "fallback", "carried", "launch"} - rungs
    if record.volume_source != RANKINGS_DAILY:
        unused |= {"row"}
    if record.move is None:
        unused |= {"price", "mix", "entry, exit"}
    if record.move is None or record.move.replacement is None:
        unused |= {"replacement"}
    if record.value is None:
        unused |= {"price index"}
    lines = chain.from_iterable(
        labelled(word, text, width) for word, text in LEGEND.items() if word not in unused
    )
    return ["", Heading("Words"), hairline(width), *lines]
