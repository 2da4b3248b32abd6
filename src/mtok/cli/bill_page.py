"""The page of `mtok bill`: own price, each series as a hedge of it, the move, the models, what does not count."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from itertools import chain
from typing import Any, Final

import msgspec

from mtok.bill import Bill, Fit, Step
from mtok.cli.layout import Heading, Page, apart, columns, hairline, labelled, named_columns, wrapped
from mtok.wording.bills import (
    FIT_EXPLAINED,
    LIMITS,
    coverage_said,
    days_said,
    hedges_said,
    paid_said,
    refused_said,
    remedy,
    rows_said,
    warned,
    why_uncovered,
)
from mtok.wording.figures import (
    ABSENT,
    bar,
    counted,
    day_text,
    number,
    on_the_point,
    percent,
    signed,
    signed_percent,
    sparkline,
    tokens,
    trimmed,
)
from mtok.wording.sentences import amounts, effect_said
from mtok.wording.words import EFFECTS, company_of

LISTED_MAX: Final = 20
"""Refused rows, and models without a price; --json has all of them."""

DAYS_MAX: Final = 14
_SPARKLINE_DAYS: Final = 60
_LIMIT_WIDTH: Final = 17


def bill_content(found: Bill) -> dict[str, Any]:
    """Return the bill for machines: every figure as decimal text, every refused row."""
    content: dict[str, Any] = msgspec.to_builtins(
        {
            "unit": "USD_PER_MTOK_OUTPUT",
            "methodology": found.span.methodology,
            "columns": found.export.columns,
            "columns_ignored": found.export.ignored,
            "rows": found.rows,
            "rows_summed": found.summed,
            "rows_refused": found.refused,
            "tokens": found.tokens,
            "tokens_covered": found.covered_tokens,
            "price": found.price,
            "paid": found.paid,
            "days": found.days,
            "covered": found.covered,
            "uncovered": found.uncovered,
            "move": _step_content(found.move),
            "moves": [_step_content(step) for step in found.steps],
            "fits": found.fits,
            "joint": found.joint,
        }
    )
    return content


def _step_content(step: Step | None) -> dict[str, Any] | None:
    """Return a move as records have it, with its end beside its start and without the digest it has none of."""
    if step is None:
        return None
    move = msgspec.to_builtins(step.move)
    move.pop("from_sha256", None)
    return {"date": step.date, "value": step.value, **move}


def bill_page(found: Bill, width: int) -> Page:
    """Return the bill as a page."""
    return [
        *_header(found, width),
        *_by_series(found, width),
        *_move(found, width),
        *_models(found, width),
        *_refused(found, width),
        "",
        Heading("What this does not cover"),
        hairline(width),
        *chain.from_iterable(labelled(label, text, width, _LIMIT_WIDTH) for label, text in LIMITS),
    ]


def _header(found: Bill, width: int) -> Page:
    price = f"{found.price} USD per 1M output tokens" if found.price else "no price"
    lines = apart("Your tokens at posted prices", price, width)
    if found.days:
        lines += wrapped(f"{days_said(found)} · methodology {found.span.methodology}", width)
    refused = refused_said(found)
    path = sparkline([Decimal(day.price) if day.price else None for day in found.days][-_SPARKLINE_DAYS:])
    return [
        *lines,
        *([refused] if refused else []),
        "",
        *labelled("rows", rows_said(found), width),
        *labelled("coverage", coverage_said(found), width),
        *labelled("paid", paid_said(found), width),
        *([f"{'by day':13}{path}"] if found.priced else []),
    ]


def _by_series(found: Bill, width: int) -> Page:
    said = chain.from_iterable(wrapped(text, width) for text in (*hedges_said(found), *warned(found)))
    lines: Page = ["", Heading("Each series as a hedge of your price"), *said]
    if found.changes < 2:
        return lines
    head, *rows = columns(
        [
            ["series", "days", "tracking", "correl.", "hedge", "left", "residual"],
            *([company_of(fit.series), *_fit_cells(fit)] for fit in found.fits),
        ],
        "<>>>>>>",
        gap=3,
    )
    explained = wrapped(f"days: daily changes compared. {FIT_EXPLAINED}", width)
    return [*lines, "", Heading(head), hairline(width), *rows, hairline(width), *explained]


def _fit_cells(fit: Fit) -> list[str]:
    return [
        str(fit.changes),
        number(fit.tracking_error, 4) if fit.tracking_error else ABSENT,
        signed(fit.correlation, 2) if fit.correlation else ABSENT,
        number(fit.hedge_ratio, 4) if fit.hedge_ratio else ABSENT,
        percent(fit.unexplained) if fit.unexplained else ABSENT,
        number(fit.residual_risk, 4) if fit.residual_risk else ABSENT,
    ]


def _move(found: Bill, width: int) -> Page:
    if found.move is None:
        return []
    step, move = found.move, found.move.move
    ratio = Fraction(step.value) / Fraction(move.from_value)
    effects = amounts(move)
    greatest = max(abs(Fraction(amount)) for amount in effects.values())
    rows = [
        [name, signed(amount, 6), bar(Fraction(amount), greatest, 10), effect_said(move, name)]
        for name, amount in effects.items()
    ]
    figures = f"{move.from_value} → {step.value}  {signed(move.change, 6)}  {signed_percent(ratio)}"
    return [
        "",
        *apart(f"Your price, {day_text(move.from_date)} to {day_text(step.date)}", figures, width),
        hairline(width),
        *columns([*rows, ["sum", signed(move.change, 6), " " * 10 + "│", ""]], "<><<"),
        *_days(found, width),
    ]


def _days(found: Bill, width: int) -> Page:
    """Return the last days, one line each; all of them are in --json."""
    shown = found.steps[-DAYS_MAX:]
    paid = {day.date: day.paid for day in found.days if day.paid}
    rows = [["date", "price", "paid", "change", *EFFECTS]]
    for step in shown:
        effects = amounts(step.move)
        parts = [signed(effects[name], 4) if name in effects else "" for name in EFFECTS]
        rows.append(
            [step.date, step.value, number(paid[step.date], 4) if step.date in paid else "",
             signed(step.move.change, 4), *parts]
        )  # fmt: skip
    head, *lines = columns(rows, "<>>>>>>>")
    more = len(found.steps) - len(shown)
    rest = [f"{counted(more, 'earlier day')}: --json has them"] if more else []
    other = any(step.move.replacement for step in shown)
    said = ["a change without effects: no model is priced on both days"] if other else []
    return ["", Heading(head), hairline(width), *lines, *rest, *said]


def _models(found: Bill, width: int) -> Page:
    lines: Page = []
    if found.covered:
        prices = on_the_point(trimmed(row.price) for row in found.covered)
        rows = [["tokens", "share", "price"]] + [
            [tokens(row.tokens), percent(Fraction(row.tokens, found.tokens)), price]
            for row, price in zip(found.covered, prices, strict=True)
        ]
        names = ["model", *(row.constituent for row in found.covered)]
        head, *listed = named_columns(names, rows, ">>>", width)
        lines += ["", Heading(head), hairline(width), *listed]
    if found.uncovered:
        lines += ["", Heading("Without a posted price, counted in nothing"), hairline(width)]
        for row in found.uncovered[:LISTED_MAX]:
            share = percent(Fraction(row.tokens, found.tokens)) if found.tokens else ""
            lines += columns([[row.written, f"{tokens(row.tokens)} tokens", share]], "<>>")
            lines += labelled("", why_uncovered(row), width, 2)
        more = len(found.uncovered) - LISTED_MAX
        lines += [f"{more} more: --json has them"] if more > 0 else []
    return lines


def _refused(found: Bill, width: int) -> Page:
    if not found.refused:
        return []
    lines: Page = ["", Heading("Rows that do not count"), hairline(width)]
    for row in found.refused[:LISTED_MAX]:
        lines += labelled(f"line {row.line}", f"{row.code}: {row.found}; {remedy(row)}", width)
    more = len(found.refused) - LISTED_MAX
    return [*lines, *([f"{more} more: --json has them"] if more > 0 else [])]
