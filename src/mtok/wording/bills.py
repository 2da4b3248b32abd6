"""A user's own bill in words: why a row or a model does not count, what a hedge ratio means, what is not covered."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from mtok.bill import Bill, Fit, Joint, RefusedRow, Uncovered
from mtok.bill.export import COLUMNS
from mtok.bill.hedging import CHANGES_MIN, OWN_STANDS_STILL, SERIES_STANDS_STILL, WEAK
from mtok.calendar import parse_date
from mtok.wording.figures import TIED, counted, day_text, number, percent, signed, tokens
from mtok.wording.words import company_of

WHAT_IT_IS: Final = (
    "Your own tokens at posted prices: what one million of your output tokens would have cost each day, why that "
    "moved, and how far each series would have offset it."
)
FIT_EXPLAINED: Final = (
    "tracking: standard deviation of your change minus that of the series. hedge: million tokens of the series per "
    "million of yours. left: share of the variance it leaves. residual: standard deviation of what is left. USD per 1M "
    "tokens and day."
)
LIMITS: Final = (
    (
        "quantity",
        "how many tokens you use. A hedge ratio is per million of your tokens; if you use more, you pay more.",
    ),
    ("discounts", "batch, cached, committed or negotiated prices, and taxes. Prices are the posted ones."),
    (
        "input tokens",
        "prompt tokens and everything else on an invoice. An amount paid that includes them is no price of output "
        "tokens.",
    ),
    (
        "other models",
        "models of other companies, and models or days without a posted price. They are listed, and counted in "
        "nothing.",
    ),
    (
        "paid and posted",
        "how what you pay moves against what is posted. Fits and ratios are those of posted prices.",
    ),
    ("tomorrow", "ratios are of the days shown. Other days give others."),
)
"""What the figures do not cover: a label and a text each."""

_REMEDIES: Final = {
    "date_invalid": "write dates as YYYY-MM-DD, or instants in UTC as YYYY-MM-DDTHH:MM:SSZ",
    "date_unpublished": "no series is published of that date; leave the row out",
    "cell_empty": "fill the cell, or leave the row out",
    "model_invalid": "name the model in at most 200 characters",
    "number_ambiguous": "could be two numbers; write it without a thousands separator",
    "number_exponent": "digits are lost in this notation; write all of them",
    "number_invalid": "write a plain number, such as 1234567 or 12.34",
    "number_negative": "write a number of 0 or more; leave corrections out",
    "number_not_finite": "write a number, or leave the row out",
    "number_range": "no such number of tokens or dollars can be; correct it",
    "formula": "write the value, not a formula",
    "row_cells": "more cells than the header; put numbers with a comma in quotes",
    "row_long": "the line is too long to be a row",
    "row_unreadable": "a quote is not closed, or a line break is inside one; one line is one row",
}
_UNPRICED: Final = {
    "unknown": "not a model of the six companies that was seen in these days",
    "ambiguous": "could be several models; write the full name",
    "not_listed": "not on the price list that day",
    "no_record": "nothing published of its company that day",
    "missing": "no price found that day",
    "unpaid": "free that day",
    "ineligible": "not a model that answers in text alone",
}
_WARNINGS: Final = {
    "few_changes": f"fewer than {CHANGES_MIN} daily changes, too few to rely on",
    "weak": "the hedge leaves more than half of the variance",
    "own_stands_still": "your price did not change, so there is nothing to hedge",
    "series_stands_still": "the series did not change",
    "many_series": "fewer than ten daily changes a series, so the mix is fitted to these days",
}
_PLACES: Final = 2


def columns_said() -> list[tuple[str, str]]:
    """Return each column of an export with the other names it may have."""
    return [
        (column, ", ".join(name for name in names if name != column)) for column, names in COLUMNS.items()
    ]


def remedy(row: RefusedRow) -> str:
    """Return what to do about a row that was refused."""
    return _REMEDIES.get(row.code, row.code)


def why_uncovered(row: Uncovered) -> str:
    """Return why tokens have no posted price, and which model may be meant."""
    said = _UNPRICED.get(row.reason, row.reason)
    if not row.suggestions:
        return said
    kind = "one of" if row.reason == "ambiguous" else "did you mean"
    return f"{said}; {kind} {', '.join(row.suggestions)}{'?' if kind != 'one of' else ''}"


def warned(bill: Bill) -> list[str]:
    """Return every warning that the verdict has not said, with the series it is about."""
    about: dict[str, list[str]] = {}
    for fit in bill.fits:
        for code in fit.warnings:
            about.setdefault(code, []).append(company_of(fit.series))
    for code in bill.joint.warnings if bill.joint else ():
        about.setdefault(code, []).append("all together")
    if bill.closest and WEAK in bill.closest.warnings:
        about.pop(WEAK, None)
    if bill.changes < CHANGES_MIN:
        about = {
            code: names for code, names in about.items() if code in (OWN_STANDS_STILL, SERIES_STANDS_STILL)
        }
    return [f"{', '.join(names)}: {_WARNINGS[code]}." for code, names in about.items()]


def hedges_said(bill: Bill) -> list[str]:
    """Return how well the closest series would have hedged a bill, then with how much of it, then the best mix."""
    said = [_verdict(bill)] if bill.closest or bill.changes < CHANGES_MIN else []
    said += [hedge_said(bill.closest)] if bill.closest else []
    return [*said, *([joint_said(bill.joint)] if bill.joint else [])]


def _verdict(bill: Bill) -> str:
    if bill.changes < CHANGES_MIN:
        found = f"Too few daily changes ({bill.changes}; {CHANGES_MIN} are needed)"
        return f"{found} to {'rely on any of these figures' if bill.closest else 'measure a hedge'}."
    assert bill.closest is not None
    name, left = company_of(bill.closest.series), percent(bill.closest.unexplained or "1", 0)
    if WEAK not in bill.closest.warnings:
        return f"{name} would have hedged this best: it leaves {left} of the variance."
    alone = " alone" if bill.joint and WEAK not in bill.joint.warnings else ""
    return f"No series{alone} would have hedged this well: the best, {name}, leaves {left} of the variance."


def hedge_said(fit: Fit) -> str:
    """Return a hedge ratio in words."""
    name = company_of(fit.series)
    if fit.hedge_ratio is None:
        return f"{name}: no ratio can be measured"
    ratio = Fraction(fit.hedge_ratio)
    side = "" if ratio >= 0 else ", held the other way round, since your price moved against it"
    return (
        f"To offset a move of your price: {number(abs(ratio), _PLACES)} million tokens of the {name} series per "
        f"million of yours{side}. It would have left "
        f"{number(fit.residual_risk or '0', _PLACES)} USD per 1M tokens and day instead of "
        f"{number(fit.own_risk or '0', _PLACES)}."
    )


def joint_said(joint: Joint) -> str:
    """Return the best mix of several series in words."""
    ratios = [
        f"{signed(ratio, _PLACES)}{TIED}{company_of(series)}" for series, ratio in joint.hedge_ratios.items()
    ]
    return (
        f"All companies you use together: {', '.join(ratios)} million tokens per million of yours. It would have left "
        f"{percent(joint.unexplained, 0)} of the variance: {number(joint.residual_risk, _PLACES)} USD per 1M tokens "
        f"and day, over {counted(joint.changes, 'daily change')}."
    )


def coverage_said(bill: Bill) -> str:
    """Return how much of the tokens has a posted price."""
    if not bill.tokens:
        return "the export has no tokens of published days"
    share = percent(Fraction(bill.covered_tokens, bill.tokens))
    return (
        f"{share} of your tokens have a posted price: {tokens(bill.covered_tokens)} of {tokens(bill.tokens)}"
    )


def rows_said(bill: Bill) -> str:
    """Return how many rows count, and which were added up."""
    parts = [f"{counted(bill.rows, 'row')} read"]
    if bill.summed:
        parts.append(f"{counted(bill.summed, 'row')} added to another of the same date and model")
    if bill.export.ignored:
        parts.append(f"columns not used: {', '.join(bill.export.ignored[:12])}")
    return " · ".join(parts)


def refused_said(bill: Bill) -> str | None:
    """Return how many rows were refused, None where none was."""
    count = len(bill.refused)
    verb = "was" if count == 1 else "were"
    return f"{count:,} of {counted(bill.rows + count, 'row')} {verb} refused." if count else None


def days_said(bill: Bill) -> str:
    """Return the first and last day of an export, and how many from one to the other have no price."""
    first, last = bill.days[0].date, bill.days[-1].date
    count = parse_date(last) - parse_date(first) + 1
    unpriced = count - len(bill.priced)
    said = day_text(first) if count == 1 else f"{day_text(first)} to {day_text(last)}"
    return f"{said}, {unpriced} of {counted(count, 'day')} without a price" if unpriced else said


def paid_said(bill: Bill) -> str:
    """Return what was paid beside what was posted."""
    if bill.paid is None:
        return "no amounts paid in the export"
    ratio = Fraction(bill.paid.paid) / Fraction(bill.paid.posted)
    return (
        f"{bill.paid.paid} USD per 1M output tokens paid, {bill.paid.posted} posted for the same tokens: "
        f"{percent(ratio)} of it"
    )
