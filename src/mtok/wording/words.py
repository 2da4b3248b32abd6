"""Plain words for what a record says in codes: quality, reasons, notes, rungs, causes, effects.

A code that is not listed here is shown as it is, so that a new one is never hidden.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Final

from mtok.archive import RANKINGS_DAILY
from mtok.calendar import format_date, parse_date
from mtok.methodology import COMPLETION_TOKENS, TOTAL_TOKENS, Parameters, load
from mtok.records import Constituent, Determination, PublishedRecord
from mtok.wording.figures import (
    ABSENT,
    TIED,
    counted,
    day_text,
    instant_text,
    number,
    percent,
    signed_percent,
    told_apart,
)

METHODOLOGY: Final = "1.0"
"""The version whose records are read, and whose companies are known."""

SYMBOLS: Final = {"good": "●", "degraded": "◐", "estimated": "◌", "withheld": "–"}
EFFECTS: Final = ("price", "mix", "entry", "exit")

_NOTES: Final = {
    "jump": "jump: the value moved by more than {jump} since the print before",
    "weak_link": "weak_link: the models priced on both days hold under {weak_link} of the tokens of one of them, so "
    "the price index says more of few models than of all",
    "no_link": "no_link: no model is priced on both days, or the print before is more than {previous_days} days "
    "old; the price index stands still",
}
_LEFT_OUT: Final = {
    "unpaid": "the free variant, or a price of 0",
    "ineligible": "not a model that answers in text alone",
    "missing": "no price found",
}
_DISCARDED: Final = {
    "zero_glitch": "a price of 0 within days of a positive one",
    "price_dynamic": "a negative price, which marks a router",
    "price_grammar": "a price that is not a number",
    "price_range": "a price outside the range taken",
}
_CAUSES: Final = {
    "no_row": "no row",
    "unlisted": "not listed",
    "missing": "no price found",
    "unpaid": "unpaid",
    "ineligible": "not eligible",
}
_ORIGINS: Final = {"sample": "bundled sample", "table": "imported table", "usage": "usage logs"}
_WEIGHTS: Final = {TOTAL_TOKENS: "all tokens", COMPLETION_TOKENS: "completion tokens"}

LEGEND: Final = {
    "capture": "one response of the price list as received, kept with its time",
    "direct": "the price posted that day, averaged over the time it was in force",
    "fallback": "the same from another collector, as the own one has no price of the day",
    "carried": "the own price of an earlier day, as there is none of this day",
    "launch": "the own price of the day after, for a model that had just come out",
    "contributes": "share times price; the sum is the value",
    "row": "a line of OpenRouter's token ranking of models, which ends at 50",
    "price": "effect of changed posted prices, on the models priced on both days",
    "mix": "effect of use moving between cheaper and dearer of these models",
    "entry, exit": "effect of models that are priced on one of the two days only",
    "replacement": "the whole move, where no model is priced on both days",
    "price index": "posted prices alone, without the mix; a daily chain can drift",
    "sha256": "fingerprint of bytes; of this record: of the line --json prints",
}
"""The words of the receipt page, in the order in which they occur there."""

_DATE_OF_SLUG: Final = re.compile(r"-20[0-9]{2}(?:-[0-9]{2}-[0-9]{2}|[0-9]{4})(?=:|$)")


def company(record: Determination) -> str:
    """Return the company of a record's series, with the volume source where that is not rankings-daily."""
    name = company_of(record.series)
    return name if record.volume_source == RANKINGS_DAILY else f"{name} ({record.volume_source})"


def company_of(series: str) -> str:
    """Return the company of a series id, with or without a volume source before it."""
    known = {entry.series: entry.company for entry in load(METHODOLOGY).series}
    return known.get(series.rpartition(":")[2], series)


def quality(record: Determination) -> str:
    """Return the quality by shape and word."""
    return f"{SYMBOLS.get(record.quality, '?')}{TIED}{record.quality}"


def change(record: Determination) -> str:
    """Return the change since the print before, in percent."""
    if record.value is None or record.move is None:
        return ABSENT
    return signed_percent(Fraction(record.value) / Fraction(record.move.from_value))


def origin(record: Determination) -> str:
    """Return where the evidence comes from, empty for responses as they were received."""
    return " and ".join(_ORIGINS.get(code, code) for code in (record.origin or "").split("+") if code)


def weights(weight_basis: str) -> str:
    """Return which tokens a value is weighted by."""
    return _WEIGHTS.get(weight_basis, weight_basis)


def counted_tokens(record: Determination) -> str:
    """Return what the token counts of a record are counts of: `tokens`, or `completion tokens`."""
    return "completion tokens" if record.diagnostics.weight_basis == COMPLETION_TOKENS else "tokens"


def standing(records: Iterable[Determination]) -> str:
    """Return by which version, as known when and from what kind of evidence records were made."""
    said: dict[str, None] = {}
    for record in records:
        seen = f"as known {instant_text(record.as_of)}" if record.as_of else "all captures seen"
        backcast = "backcast" if record.backcast else ""
        stage = record.stage if isinstance(record, PublishedRecord) else ""
        said |= dict.fromkeys((f"methodology {record.methodology}", stage, seen, origin(record), backcast))
    return " · ".join(filter(None, said))


def reason(record: Determination, code: str) -> str:
    """Return a reason of R-10 in words, with the figure and the limit it is held against."""
    found = record.diagnostics
    parameters, what = load(record.methodology).parameters, counted_tokens(record)
    return {
        "no_volumes": "no capture holds token volumes of that day",
        "no_priced_volume": f"none of the models with {what} has a price",
        "coverage_below_minimum": _coverage(record, parameters),
        "truncation": _truncation(record, parameters),
        "coverage": f"only {percent(found.price_coverage or '0')} of the {what} that need a price have one",
        "imputed_or_fallback": _imputed_or_fallback(record),
        "conflict": f"{percent(found.conflict_share or '0')} of the weight has prices that collectors dispute",
        "few_constituents": "a single model is a price, not an index",
        "short_capture": f"the ranking names {found.named_rows} models, not "
        f"{parameters.number('capture', 'named_rows_min')}; what it cuts off is unknown",
        "other_source": f"the volumes are those of {record.volume_source}, not of {RANKINGS_DAILY}",
    }.get(code, code)


def no_print(record: Determination) -> tuple[str, str]:
    """Return why a withheld record has no value, and what that means or where to look."""
    reasons = ", ".join(reason(record, code) for code in record.reasons)
    found = f"{record.series} has no print for {record.date}: withheld, {reasons} (R-10)."
    exposure = record.diagnostics.truncation_exposure
    if "truncation" in record.reasons and exposure:
        share = percent(exposure, 0)
        return found, f"One unseen model could weigh as much as {share} of everything seen."
    return found, "A value made from what is left would say more of the gaps than of the prices."


def note(record: Determination, code: str) -> str:
    """Return a note in words."""
    parameters = load(record.methodology).parameters
    return _NOTES.get(code, code).format(
        jump=percent(parameters.ratio("quality", "jump"), 0),
        weak_link=percent(parameters.ratio("averages", "weak_link_share"), 0),
        previous_days=parameters.number("averages", "previous_days"),
    )


def left_out(code: str) -> str:
    """Return why a row is neither in value nor in weight."""
    return f"{code}: {_LEFT_OUT[code]}" if code in _LEFT_OUT else code


def discarded(code: str) -> str:
    """Return why a capture does not count for a price."""
    return f"{code}: {_DISCARDED[code]}" if code in _DISCARDED else code


def cause(record: Determination, code: str, when: str = "") -> str:
    """Return why a model is not priced on the other day of a move; `when` says which day that is, after a space."""
    weighed = code == "no_row" and record.diagnostics.weight_basis == COMPLETION_TOKENS
    words = ("no completion tokens" if weighed else _CAUSES.get(code, code)) + when
    if code == "no_row" and record.volume_source == RANKINGS_DAILY:
        return f"{words}: may be the cut at{TIED}50"
    return words


def shown_names(record: Determination) -> dict[str, str]:
    """Return how each constituent is named on a page: without author and, where that is unambiguous, date."""
    return short_names(_mentioned(record))


def short_names(constituents: Iterable[str]) -> dict[str, str]:
    """Return how each of some constituents is named beside the others."""
    listed = sorted(set(constituents))
    bare = {name: name.partition("/")[2] for name in listed}
    undated = {name: _DATE_OF_SLUG.sub("", short) for name, short in bare.items()}
    uses = Counter(undated.values())
    return {name: undated[name] if uses[undated[name]] == 1 else bare[name] for name in listed}


def _mentioned(record: Determination) -> Iterator[str]:
    effects = record.move.constituents if record.move else ()
    for rows in (record.constituents, record.left_out, record.conflicts, record.discarded, effects):
        yield from (row.constituent for row in rows)


def rung(row: Constituent) -> str:
    """Return where a price was found, with its age or the number of captures it rests on."""
    if row.age_days > 0:
        return f"{row.rung} {counted(row.age_days, 'day')}"
    return f"{row.rung}, {counted(len(row.captures), 'capture')}"


def short_rung(row: Constituent) -> str:
    """Return the same in a few letters."""
    if row.age_days > 0:
        return f"{row.rung} {row.age_days} d"
    return f"{row.rung} ×{len(row.captures)}"


def since(record: Determination) -> str:
    """Return ` since DATE` where the print before is not of the day before, else nothing."""
    move = record.move
    if move is None or move.from_date == format_date(parse_date(record.date) - 1):
        return ""
    return f" since {day_text(move.from_date)}"


def _coverage(record: Determination, parameters: Parameters) -> str:
    limit = parameters.ratio("quality", "coverage_withheld")
    return "coverage {} below {}".format(*told_apart(record.diagnostics.price_coverage or "0", limit))


def _imputed_or_fallback(record: Determination) -> str:
    imputed = Fraction(record.diagnostics.imputed_token_share or 0)
    fallback = Fraction(record.diagnostics.fallback_share or 0)
    others = " or ".join(["another day"] * bool(imputed) + ["another collector"] * bool(fallback))
    return f"{percent(imputed + fallback)} of the weight at prices of {others}"


def _truncation(record: Determination, parameters: Parameters) -> str:
    """Return what could be unseen: of a withheld record by the limit it broke, of others in words."""
    found = record.diagnostics
    exposure, ratio = found.truncation_exposure or "0", found.unseen_ratio or "0"
    if record.value is None:
        limit = parameters.ratio("quality", "truncation_withheld")
        return "truncation exposure {} above {}".format(*told_apart(exposure, limit))
    one = f"one unseen model could weigh {percent(exposure)} of what is seen"
    if Fraction(ratio) <= parameters.ratio("quality", "unseen_ratio"):
        return one
    together = f"all unseen ones together {number(ratio, 1)} times as much as is seen"
    return (
        f"{one}, {together}" if Fraction(exposure) > parameters.ratio("quality", "truncation") else together
    )
