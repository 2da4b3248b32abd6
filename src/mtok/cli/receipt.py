"""The receipt: one value from its evidence, every part of it with its price, its source and its share (R-8, R-9)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from math import ceil
from typing import Final

from mtok.archive import RANKINGS_DAILY
from mtok.calendar import parse_instant
from mtok.cli.board import citation
from mtok.cli.changes import move_page
from mtok.cli.figures import (
    ABSENT,
    TIED,
    counted,
    day_text,
    instant_text,
    meaningful_places,
    number,
    on_the_point,
    percent,
    tokens,
    trimmed,
)
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
from mtok.cli.words import (
    LEGEND,
    company,
    discarded,
    left_out,
    no_print,
    note,
    origin,
    quality,
    reason,
    rung,
    short_rung,
    standing,
)
from mtok.methodology import load
from mtok.quantities import PRICE_SECONDS_PER_USD_PER_MTOK, rounded
from mtok.records import Determination, PublishedRecord

_DATE_OF_SLUG: Final = re.compile(r"-20[0-9]{2}(?:-[0-9]{2}-[0-9]{2}|[0-9]{4})(?=:|$)")
_HEADS: Final = ("tokens", "share", "price", "price found", "contributes")


def receipt_page(record: Determination, earlier: Determination | None, width: int) -> Page:
    """Return the receipt of a record. `earlier` is the record its move starts from, where that is at hand."""
    names = shown_names(record)
    return [
        *_header(record, width),
        *_constituents(record, names, width),
        "",
        *_left_aside(record, names, width),
        *_unseen(record, width),
        *_first_party(record, width),
        *_averages(record, width),
        *move_page(record, earlier, names, width),
        *_evidence(record, names, width),
        *_legend(record, width),
        "",
        *citation([record]),
    ]


def shown_names(record: Determination) -> dict[str, str]:
    """Return how each constituent is named on a page: without author and, where that is unambiguous, date."""
    listed = sorted(set(_mentioned(record)))
    bare = {name: name.partition("/")[2] for name in listed}
    undated = {name: _DATE_OF_SLUG.sub("", short) for name, short in bare.items()}
    uses = Counter(undated.values())
    return {name: undated[name] if uses[undated[name]] == 1 else bare[name] for name in listed}


def _mentioned(record: Determination) -> Iterator[str]:
    effects = record.move.constituents if record.move else ()
    for rows in (record.constituents, record.left_out, record.conflicts, record.discarded, effects):
        yield from (row.constituent for row in rows)


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


def _left_aside(record: Determination, names: dict[str, str], width: int) -> Page:
    """Return what is in neither value nor weight, and what was disputed or discarded."""
    lines: Page = []
    for row in record.left_out:
        text = f"{names[row.constituent]} with {tokens(row.tokens)} tokens, {left_out(row.reason)}"
        lines += labelled("left out", text, width)
    limit = load(record.methodology).parameters.ratio
    for conflict in record.conflicts:
        used, other = _price(conflict.price_seconds), _price(conflict.other_price_seconds)
        text = (
            f"{names[conflict.constituent]}: {used} is used, collector {conflict.other_collector} has {other} "
            f"({conflict.grade}: over {percent(limit('conflict', conflict.grade))} apart)"
        )
        lines += labelled("conflict", text, width)
    times = {capture.id: capture.captured_at for capture in record.inputs.captures}
    for found in record.discarded:
        text = f"{names[found.constituent]} in {found.capture} of {instant_text(times[found.capture])}, "
        lines += labelled("discarded", text + discarded(found.reason), width)
    return lines


def _price(price_seconds: int) -> str:
    return trimmed(rounded(Fraction(price_seconds, PRICE_SECONDS_PER_USD_PER_MTOK), 6))


def _unseen(record: Determination, width: int) -> Page:
    """Return how much of the tokens has a price, and how much the models that nobody sees could matter."""
    found = record.diagnostics
    lines: Page = []
    if found.price_coverage is not None:
        text = f"{percent(found.price_coverage)} of the tokens that need a price have one"
        lines += labelled("coverage", text, width)
    if found.truncation_exposure is not None and record.volume_source == RANKINGS_DAILY:
        text = (
            f"one model under the cut could weigh at most {percent(found.truncation_exposure)} of the sum above: the "
            f"smallest of {found.named_rows} named models had {tokens(found.smallest_named_tokens or 0)} tokens"
        )
        if "short_capture" in record.reasons:
            text = f"unknown: the ranking names only {found.named_rows} models"
        lines += labelled("unseen", text, width)
    if found.absent_constituents:
        models = counted(found.absent_constituents, "other model")
        text = f"{models} of {company(record)} could be bought that day and had no row"
        lines += labelled("absent", text, width)
    if record.value and found.truncation_low and found.truncation_high:
        places = meaningful_places(record.value)
        text = (
            f"{number(found.truncation_low, places)} to {number(found.truncation_high, places)}, had the absent ones "
            "been used as much as the cut allows; no status depends on it"
        )
        lines += labelled("worst case", text, width)
    if found.market_tail_share is not None and found.market_tail_tokens is not None:
        share, count = percent(found.market_tail_share), tokens(found.market_tail_tokens)
        text = f"models under the cut held {share} of all tokens: {count}"
        lines += labelled("market tail", text, width)
    return lines


def _first_party(record: Determination, width: int) -> Page:
    """Return how far the company's own posted prices lie from those above, and how many tokens have one."""
    gap = record.diagnostics.first_party_gap
    if gap is None:
        return []
    own = {capture.constituent for capture in record.inputs.endpoints}
    share = Fraction(sum(row.tokens for row in record.constituents if row.constituent in own), record.w)
    text = (
        f"own posted prices of {company(record)} differ from those above by {percent(gap)} of their value; "
        f"{percent(share)} of the tokens have one"
    )
    return labelled("first party", text, width)


def _averages(record: Determination, width: int) -> Page:
    if record.value is None:
        return []
    enough = load(record.methodology).parameters.ratio("averages", "printed_share_min")
    said = []
    for average, days, printed in (
        (record.average_7d, 7, record.average_7d_days),
        (record.average_30d, 30, record.average_30d_days),
    ):
        needed = "" if average else f", {ceil(enough * days)}{TIED}needed"
        said.append(f"{average or 'none'} ({printed} of {days}{TIED}days printed{needed})")
    lines = labelled("averages", ", ".join(said), width)
    if record.price_index:
        text = f"{record.price_index}, posted prices alone; 100 on the first printed day"
        lines += labelled("price index", text, width)
    return lines


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
