"""The page of `mtok settle-lab`: the plot, both styles, roundings, days without a value, margin."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Final

from mtok.calendar import format_date, format_instant
from mtok.cli.layout import Heading, Page, apart, labelled, wrapped
from mtok.cli.settle_lab_plot import plot_lines
from mtok.cli.settle_lab_tables import date, price, table, usd
from mtok.lab import InitialReason, MarkedDay, PathDay, Replay
from mtok.lab.history import NOT_LISTED, NOT_PUBLISHED
from mtok.market.margin import Side
from mtok.publication.marks import MODEL
from mtok.quantities import rounded
from mtok.settlement.marks import Level
from mtok.wording.figures import MINUS, TIED, counted, instant_text, percent, tokens
from mtok.wording.words import company_of

_SIDES: Final = {Side.BUY: "buyer", Side.SELL: "seller"}
_CHOSEN: Final = {
    "asked": "as asked",
    "month": "the last whole calendar month that is published",
    "days": "the last that are published: no whole calendar month is",
}
_REASONS: Final = {NOT_PUBLISHED: "nothing published", NOT_LISTED: "not listed that day"}
_MEAN_PLACES: Final = 12


def lab_page(found: Replay, chosen: str, width: int, *, asked_price: bool, plot: Path | None) -> Page:
    """Return a replay as a page. chosen : how the window was: `asked`, `month`, `days` · plot : where it was written"""
    return [
        *_header(found, chosen, width, asked_price=asked_price),
        "",
        *plot_lines(found, width),
        *_styles(found, width),
        *_rounding(found, width),
        *_missing(found, width),
        *_margin(found, width),
        *(["", f"plot written to {plot}"] if plot is not None else []),
    ]


def _header(found: Replay, chosen: str, width: int, *, asked_price: bool) -> Page:
    history, terms, margin = found.history, found.terms, found.margin
    name = history.reference if history.reference.startswith(MODEL) else company_of(history.reference)
    days = len(terms.window.days)
    before = history.last_before(terms.traded)
    traded_at = "as asked" if asked_price or before is None else f"the last value before, of {date(before)}"
    traded = "" if terms.traded == terms.first else f"marked from {date(terms.traded)} on; "
    size = (
        f"{price(terms.price)} USD per 1M output tokens, {traded_at}; {traded}{counted(terms.lots, 'lot')} of "
        f"{tokens(terms.multiplier)} Mtok, notional {usd(margin.notional)} USD"
    )
    return [
        *apart(f"Settlement lab · {name}", f"{date(terms.first)} to {date(terms.last)}", width),
        *wrapped(
            f"methodology {history.methodology} · contract specification {found.rules.specification} · amounts in "
            "USD to the buyer",
            width,
        ),
        "",
        *labelled("window", f"{counted(days, 'day')}, {_CHOSEN[chosen]}", width),
        *labelled("trade", size, width),
        *labelled("values", _values_said(found), width),
        *([] if found.average else labelled("result", "no final value by F3; see below", width)),
    ]


def _values_said(found: Replay) -> str:
    history = found.history
    used = {day.source_day for day in found.days} - {None}
    if history.sample:
        return (
            f"those of the bundled sample, {date(history.first)} to {date(history.last)}, as `mtok demo` determines "
            "them; nothing of it was published. This is a replay and no mark: it settles nothing."
        )
    standing = "all of them final prints"
    if found.not_final:
        stages = {history.stages[day] for day in found.not_final}
        standing = (
            f"{len(found.not_final)} of {len(used)} not final ({', '.join(sorted(stages))}), of which no mark could be "
            "made"
        )
    return f"as published, the vintages in force, {standing}. This is a replay and no mark."


# ---- average and last value, rounding


def _styles(found: Replay, width: int) -> Page:
    lines: Page = ["", Heading("Average against last value")]
    if found.average is None or found.last is None:
        return [
            *lines,
            *wrapped("A window with a day without a mark has neither: no day of a window is dropped.", width),
        ]
    rows = [["", "final value", "cash", "one day +10 %", "final value", "cash"]]
    for name, settled in (("average", found.average), ("last value", found.last)):
        shock = found.largest_shock(settled.style)
        assert shock is not None
        change = shock.of(settled.style)
        rows.append(
            [
                name,
                price(settled.final_value),
                usd(settled.cash, sign=True),
                format_date(shock.day),
                price(change.final_value, sign=True),
                usd(change.cash, sign=True),
            ]
        )
    value, money = (
        found.last.final_value - found.average.final_value,
        found.last.cash - found.average.cash,
    )
    rows.append(["difference", price(value, sign=True), usd(money, sign=True), "", "", ""])
    said = (
        "one day +10 %: the day on which a value wrong by +10 % moves the cash most, also where it is carried, and by "
        "how much."
    )
    return [*lines, *table(rows, "<>>>>>", width), *wrapped(said, width)]


def _rounding(found: Replay, width: int) -> Page:
    rounding = found.rounding
    if rounding is None or found.average is None:
        return []
    mean = rounded(rounding.unrounded, _MEAN_PLACES)
    rows = [
        ["", "final value", "cash", "drift in cents"],
        ["rounded once, as specified", price(found.average.final_value), usd(rounding.once, sign=True), ""],
        _drift("mean not rounded", mean, rounding.of_unrounded, rounding.once),
        _drift("day by day, each rounded", "", rounding.daily, rounding.once),
    ]
    said = (
        "day by day: the changes of the daily settlement price as cash, each rounded to cents and added up."
        + (f" The mean is exactly {rounding.unrounded}." if Fraction(mean) != rounding.unrounded else "")
    )
    return ["", Heading("Rounding"), *table(rows, "<>>>", width), *wrapped(said, width)]


def _drift(name: str, mean: str, cents: int, once: int) -> list[str]:
    drift = cents - once
    return [name, mean, usd(cents, sign=True), f"{MINUS if drift < 0 else '+' if drift else ''}{abs(drift)}"]


# ---- days without a value


def _missing(found: Replay, width: int) -> Page:
    rules = found.rules
    limits = (
        f"F3 carries the last value forward, {counted(rules.carry_days_max, 'day')} in a row and "
        f"{percent(rules.carry_share_max, 0)} of the window at most."
    )
    lines: Page = ["", Heading("Days without a value")]
    if not found.missing:
        return [*lines, *wrapped(f"None: every day has a value of its own. {limits}", width)]
    rows = [["date", "why", "F3"], *(_missing_row(day, found) for day in found.missing)]
    return [
        *lines,
        *wrapped(limits, width),
        *table(rows, "<<<", width),
        *_refused(found, width),
        *_dropped(found, width),
    ]


def _missing_row(day: MarkedDay, found: Replay) -> list[str]:
    return [format_date(day.day), _why(day), _carried(day, found)]


def _why(day: MarkedDay) -> str:
    [first, *_] = day.reasons
    return _REASONS.get(first) or f"withheld: {', '.join(day.reasons)}"


def _carried(day: MarkedDay, found: Replay) -> str:
    if day.source_day is None:
        return "refused"
    return f"{price(found.history.values[day.source_day])} of {format_date(day.source_day)}"


def _refused(found: Replay, width: int) -> Page:
    if not found.refused:
        return []
    lines = [
        line
        for day in found.refused
        for line in labelled(format_date(day.day), f"F3 refuses: {day.refusal}.", width, 12)
    ]
    first = found.refused[0]
    assert first.agreed_until is not None
    ahead = (
        f"No final value by F3. What would have come next, of {date(first.day)}: F4, the parties of a contract may "
        f"agree on a value until {instant_text(format_instant(first.agreed_until))}; then F5, {first.decided}."
    )
    return [*lines, *wrapped(ahead, width)]


def _dropped(found: Replay, width: int) -> Page:
    dropped = found.dropped
    if dropped is None:
        return []
    rows = [["", "days", "final value", "cash"]]
    if found.average is not None:
        rows.append(
            [
                "carried, as specified",
                str(len(found.terms.window.days)),
                price(found.average.final_value),
                usd(found.average.cash, sign=True),
            ]
        )
    rows.append(
        [
            "dropped, never done",
            str(dropped.days),
            price(dropped.final_value),
            usd(dropped.cash, sign=True),
        ]
    )
    if found.average is not None:
        value, money = dropped.final_value - found.average.final_value, dropped.cash - found.average.cash
        rows.append(["difference", "", price(value, sign=True), usd(money, sign=True)])
    return ["", *table(rows, "<>>>", width)]


# ---- margin


def _margin(found: Replay, width: int) -> Page:
    margin = found.margin
    lines: Page = ["", Heading("Margin")]
    lines += labelled("initial", f"{usd(margin.initial)} of each side: {_initial_said(found)}", width)
    share = percent(found.rules.maintenance_share, 0)
    lines += labelled(
        "maintenance",
        f"{usd(margin.maintenance)}, {share} of it: whoever has less is called to the full initial margin. Amounts "
        f"under {usd(margin.transfer_min)} wait, but for the last",
        width,
    )
    if not margin.days:
        return [*lines, *wrapped("No day can be marked: the first has no mark.", width)]
    lines += ["", *_path(margin.days, found, width), *_ended(found, width)]
    for called in margin.called:
        said = "none"
        if called.day is not None:
            said = f"{called.calls}, {usd(called.sum)} in all, the largest {usd(called.largest)} on {date(called.day)}"
        lines += labelled(f"calls {_SIDES[called.side]}", said, width)
    return [*lines, *_worst(found, width), *_given_back(found, width)]


def _initial_said(found: Replay) -> str:
    margin = found.margin
    if margin.reason == InitialReason.ASKED:
        assert found.terms.initial_share is not None
        share = _exact_percent(found)
        specified = _reason_said(margin.specified_reason, found)
        return (
            f"{share} of the notional, as asked. The specification asks {usd(margin.specified)}: {specified}"
        )
    return _reason_said(margin.reason, found)


def _exact_percent(found: Replay) -> str:
    share = found.terms.initial_share
    assert share is not None
    exact = share * 100
    return f"{exact}{TIED}%" if exact.denominator == 1 else str(share)


def _reason_said(reason: InitialReason, found: Replay) -> str:
    rules, margin = found.rules, found.margin
    moves = f"{counted(len(margin.moves), 'move')} over {rules.move_days} days until {date(found.terms.traded - 1)}"
    if reason == InitialReason.UNKNOWN:
        share = percent(rules.unknown_share, 0)
        return f"{share} of the notional, too little history: {moves}, fewer than {rules.moves_min}"
    if reason == InitialReason.FLOOR:
        return f"the floor, {percent(rules.initial_share, 0)} of the notional; {moves} ask for less"
    times = f"{rules.initial_moves.numerator}/{rules.initial_moves.denominator}"
    return f"{times} of the move that {percent(rules.quantile, 0)} of {moves} do not exceed"


def _path(days: Sequence[PathDay], found: Replay, width: int) -> Page:
    moved = [["date", "mark", "daily price", "target", "due", "moved"]]
    held = [["date", "moved so far", "held buyer", "held seller", "called in the evening"]]
    for day in days:
        one = day.margin
        mark = price(one.mark)
        level = "" if one.day in found.history.values else f"{Level.CARRIED} "
        moved.append(
            [
                format_date(one.day),
                f"{level}{mark}",
                price(one.settlement_price),
                *(usd(cents) for cents in (one.target, one.due, one.moved)),
            ]
        )
        calls = ", ".join(f"{_SIDES[call.side]} {usd(call.amount)}" for call in one.calls)
        held.append(
            [
                format_date(one.day),
                *(usd(cents) for cents in (one.account.moved, one.account.long, one.account.short)),
                "final" * day.final or calls,
            ]
        )
    explained = (
        "daily price: the daily settlement price, in the window the mean if every later mark were that day's. "
        "held: collateral before the calls of that evening, which are taken as paid the same evening."
    )
    return [
        *table(moved, "<>>>>>", width),
        "",
        *table(held, "<>>><", width),
        *wrapped(explained, width),
        "",
    ]


def _ended(found: Replay, width: int) -> Page:
    final = found.margin.final
    if final is None:
        day = found.margin.days[-1].margin.day + 1
        return labelled("final", f"none: {date(day)} has no mark, and nothing is marked after it", width)
    one = final.margin
    paid = {True: "the seller pays the buyer", False: "the buyer pays the seller"}
    whole = (
        "nothing moves in all"
        if not one.account.moved
        else f"in all {paid[one.account.moved > 0]} {usd(abs(one.account.moved))}"
    )
    last = f"{usd(one.moved, sign=True)} moves on {date(one.day)}"
    return labelled("final", f"{last}; {whole}", width)


def _worst(found: Replay, width: int) -> Page:
    worst = found.margin.worst
    if worst is None or worst.closing is None:
        said = "none: had a call not been paid, collateral would have covered the close-out a day later, on every day"
        return labelled("beyond it", said, width)
    closing = worst.closing
    assert closing.payer is not None
    return labelled(
        "beyond it",
        f"had the {_SIDES[closing.payer]} stopped paying, a close-out on {date(worst.margin.day)} at "
        f"{price(closing.price)} would have left a claim of {usd(closing.claim)} beyond collateral, the largest",
        width,
    )


def _given_back(found: Replay, width: int) -> Page:
    back = found.margin.given_back
    if back is None:
        return []
    said = (
        "marked to each day's own mark in the window instead of the daily settlement price, the last day would have "
        f"to move {usd(back, sign=True)} on top to arrive at the same total"
    )
    return labelled("raw marks", said, width)
