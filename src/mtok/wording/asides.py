"""What stands beside the constituents of a value: left out, disputed, unseen, averaged.

A label and a text each (R-9).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

from mtok.archive import RANKINGS_DAILY
from mtok.methodology import load
from mtok.quantities import PRICE_SECONDS_PER_USD_PER_MTOK, rounded
from mtok.records import Determination
from mtok.wording.figures import (
    TIED,
    counted,
    instant_text,
    meaningful_places,
    number,
    percent,
    signed_percent,
    tokens,
    trimmed,
)
from mtok.wording.words import company, counted_tokens, discarded, left_out, weights

Aside = tuple[str, str]


def asides(record: Determination, names: Mapping[str, str]) -> Iterator[Aside]:
    """Yield label and text of all that a receipt says beside the constituents. names : how each is shown"""
    yield from _left_aside(record, names)
    yield from _unseen(record)
    yield from _first_party(record)
    yield from _basis(record)
    yield from _averages(record)


def _left_aside(record: Determination, names: Mapping[str, str]) -> Iterator[Aside]:
    """Yield what is in neither value nor weight, and what was disputed or discarded."""
    for row in record.left_out:
        many = f"{tokens(row.tokens)} {counted_tokens(record)}"
        yield "left out", f"{names[row.constituent]} with {many}, {left_out(row.reason)}"
    limit = load(record.methodology).parameters.ratio
    for conflict in record.conflicts:
        used, other = _price(conflict.price_seconds), _price(conflict.other_price_seconds)
        yield (
            "conflict",
            f"{names[conflict.constituent]}: {used} is used, collector {conflict.other_collector} has {other} "
            f"({conflict.grade}: over {percent(limit('conflict', conflict.grade))} apart)",
        )
    times = {capture.id: capture.captured_at for capture in record.inputs.captures}
    for found in record.discarded:
        when = f"{names[found.constituent]} in {found.capture} of {instant_text(times[found.capture])}"
        yield "discarded", f"{when}, {discarded(found.reason)}"


def _price(price_seconds: int) -> str:
    return trimmed(rounded(Fraction(price_seconds, PRICE_SECONDS_PER_USD_PER_MTOK), 6))


def _unseen(record: Determination) -> Iterator[Aside]:
    """Yield how much of the tokens has a price, and how much the models that nobody sees could matter."""
    found = record.diagnostics
    if found.price_coverage is not None:
        yield (
            "coverage",
            f"{percent(found.price_coverage)} of the {counted_tokens(record)} that need a price have one",
        )
    if found.truncation_exposure is not None and record.volume_source == RANKINGS_DAILY:
        text = (
            f"one model under the cut could weigh at most {percent(found.truncation_exposure)} of the sum above: the "
            f"smallest of {found.named_rows} named models had {tokens(found.smallest_named_tokens or 0)} tokens"
        )
        if "short_capture" in record.reasons:
            text = f"unknown: the ranking names only {found.named_rows} models"
        yield "unseen", text
    if found.absent_constituents:
        models = counted(found.absent_constituents, "other model")
        yield "absent", f"{models} of {company(record)} could be bought that day and had no row"
    nothing_unseen = record.volume_source != RANKINGS_DAILY and not found.smallest_named_tokens
    if record.value and found.truncation_low and found.truncation_high and not nothing_unseen:
        places = meaningful_places(record.value)
        yield (
            "worst case",
            f"{number(found.truncation_low, places)} to {number(found.truncation_high, places)}, had the absent ones "
            "been used as much as the cut allows; no status depends on it",
        )
    if found.market_tail_share is not None and found.market_tail_tokens is not None:
        share, count = percent(found.market_tail_share), tokens(found.market_tail_tokens)
        yield "market tail", f"models under the cut held {share} of all tokens: {count}"


def _first_party(record: Determination) -> Iterator[Aside]:
    """Yield how far the company's own posted prices lie from those above, and how many tokens have one."""
    gap = record.diagnostics.first_party_gap
    if gap is None:
        return
    own = {capture.constituent for capture in record.inputs.endpoints}
    share = Fraction(sum(row.tokens for row in record.constituents if row.constituent in own), record.w)
    yield (
        "first party",
        f"own posted prices of {company(record)} differ from those above by {percent(gap)} of their value; "
        f"{percent(share)} of the tokens have one",
    )


def _basis(record: Determination) -> Iterator[Aside]:
    """Yield what the value would be by the other tokens the source counts, and how far the two lie apart."""
    if record.basis is None:
        return
    apart = signed_percent(1 + Fraction(record.basis.completion_basis_gap))
    other = ""
    if record.basis.other_value is not None:
        other = (
            f"weighted by {weights(record.basis.other_basis)} the value would be {record.basis.other_value}; "
        )
    yield "weights", f"{other}completion tokens against all tokens: {apart}"


def _averages(record: Determination) -> Iterator[Aside]:
    if record.value is None:
        return
    enough = load(record.methodology).parameters.ratio("averages", "printed_share_min")
    said = []
    for average, days, printed in (
        (record.average_7d, 7, record.average_7d_days),
        (record.average_30d, 30, record.average_30d_days),
    ):
        needed = "" if average else f", {-(-enough * days // 1)}{TIED}needed"
        said.append(f"{average or 'none'} ({printed} of {days}{TIED}days printed{needed})")
    yield "averages", ", ".join(said)
    if record.price_index:
        yield "price index", f"{record.price_index}, posted prices alone; 100 on the first printed day"
