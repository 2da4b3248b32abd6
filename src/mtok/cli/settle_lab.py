"""`mtok settle-lab`: a settlement window replayed on published history, in 80 columns and as a plot."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from mtok.cli.failures import reported
from mtok.cli.options import AsJson, From, StorePath, To, answer, series_starting

if TYPE_CHECKING:
    from mtok.lab import History

commands = typer.Typer()

_PRICE: Final = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,40}))?", re.ASCII)
_SHARE: Final = re.compile(r"([0-9]{1,9})/([0-9]{1,9})", re.ASCII)
_PERCENT: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,9})?) ?%", re.ASCII)
_PLACES: Final = 6


@commands.command("settle-lab", epilog="Example: mtok settle-lab openai --month 2026-07 --store store")
@reported
def settle_lab(
    *,
    reference: Annotated[
        str,
        typer.Argument(
            metavar="REFERENCE",
            help="A series, or model:author/name for one model's posted price.",
            autocompletion=series_starting,
        ),
    ],
    month: Annotated[
        str | None,
        typer.Option(
            "--month", metavar="MONTH", help="The window, YYYY-MM; without it the last whole one published."
        ),
    ] = None,
    first: From = None,
    last: To = None,
    traded: Annotated[
        str | None,
        typer.Option(
            "--traded", metavar="DATE", help="First day that is marked; without it that of the window."
        ),
    ] = None,
    price: Annotated[
        str | None,
        typer.Option("--price", metavar="USD", help="Trade price; without it the last value before."),
    ] = None,
    lots: Annotated[int | None, typer.Option("--lots", metavar="N", help="Lots; without it 25.")] = None,
    multiplier: Annotated[
        int | None,
        typer.Option(
            "--multiplier", metavar="N", help="Million tokens a lot; without it the specification's."
        ),
    ] = None,
    initial_share: Annotated[
        str | None,
        typer.Option(
            "--initial-share",
            metavar="SHARE",
            help="Initial margin of the notional, 1/10 or 10%; without it the specification's rule.",
        ),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Write the plot as SVG there.")
    ] = None,
    sample: Annotated[
        bool,
        typer.Option("--sample", help="The bundled sample, as without a store.", show_default=False),
    ] = False,
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Replay a settlement window: average and last value, roundings, missing days, margin.

    A function of what is published, and no mark: nothing settles on it. PATH may also be a copy of a folder
    publication/. The exit status is 1 where the window has no final value.
    """
    from mtok.cli.settle_lab_content import lab_content
    from mtok.cli.settle_lab_page import lab_page
    from mtok.cli.terminal import page_width
    from mtok.lab import Terms, replay
    from mtok.settlement.specification import specification

    window = _asked_window(month, first, last)
    trade_day, units, share = _asked_day(traded), _asked_price(price), _asked_share(initial_share)
    history = _history(reference, None if sample else store)
    chosen, first_day, last_day = _window(history, window)
    rules = specification()
    terms = Terms.of(
        history,
        first_day,
        last_day,
        rules,
        traded=trade_day,
        price=units,
        lots=lots,
        multiplier=multiplier,
        initial_share=share,
    )
    found = replay(history, terms, rules)
    if plot is not None:
        from mtok.cli.settle_lab_svg import lab_svg

        plot.write_text(lab_svg(found), encoding="utf-8")
    answer(
        lab_content(found, chosen, asked_price=units is not None, plot=plot),
        lab_page(found, chosen, page_width(), asked_price=units is not None, plot=plot),
        as_json=as_json,
    )
    if found.average is None:
        raise typer.Exit(1)


def _history(reference: str, store: Path | None) -> History:
    from mtok.cli.bill import published_in
    from mtok.lab import published_history, sample_history

    return sample_history(reference) if store is None else published_history(published_in(store), reference)


def _window(history: History, asked: tuple[int, int] | None) -> tuple[str, int, int]:
    """Return how the window was chosen (`asked`, `month`, `days`), and its first and last day."""
    from mtok.lab import latest_window

    if asked is not None:
        return "asked", *asked
    first, last, whole = latest_window(history)
    return "month" if whole else "days", first, last


def _asked_window(month: str | None, first: str | None, last: str | None) -> tuple[int, int] | None:
    """Return the window the user typed, None for none. Raises BadCall."""
    from mtok.cli.reading import days_in_order
    from mtok.errors import BadCall
    from mtok.market.months import first_day, month_number

    if month is not None and (first is not None or last is not None):
        raise BadCall(
            "options_conflict",
            "--month beside --from or --to",
            "Give --month, or --from and --to.",
        )
    if month is not None:
        try:
            number = month_number(month)
            return first_day(number), first_day(number + 1) - 1
        except ValueError:
            raise BadCall(
                "month_invalid",
                f"--month: {month!r} is not a month",
                "Write months as YYYY-MM, such as 2026-06.",
            ) from None
    begin, end = days_in_order(first, last)
    if begin is None and end is None:
        return None
    if begin is None or end is None:
        raise BadCall(
            "dates_incomplete",
            f"{'--from' if begin is None else '--to'} is missing",
            "Give both days of the window.",
        )
    return begin, end


def _asked_day(traded: str | None) -> int | None:
    from mtok.cli.reading import day_of_text

    return day_of_text(traded, "--traded")


def _asked_price(text: str | None) -> int | None:
    """Return the price the user typed in 10⁻⁶ USD, None for none. Raises BadCall."""
    from mtok.errors import BadCall

    if text is None:
        return None
    match = _PRICE.fullmatch(text)
    if match is None:
        raise BadCall(
            "price_invalid",
            f"--price: {text[:60]!r} is not a price",
            "Write USD per million output tokens in plain digits, such as 12.3456.",
        )
    whole, fraction = match[1], match[2] or ""
    if fraction[_PLACES:].strip("0"):
        raise BadCall(
            "price_off_tick",
            f"--price {text[:60]} has more than {_PLACES} decimals",
            f"The tick is 0.000001: give {whole}.{fraction[:_PLACES]}, or the price above.",
        )
    return int(whole + fraction[:_PLACES].ljust(_PLACES, "0"))


def _asked_share(text: str | None) -> Fraction | None:
    """Return the share the user typed, None for none. Raises BadCall."""
    from mtok.errors import BadCall

    if text is None:
        return None
    share, percent = _SHARE.fullmatch(text), _PERCENT.fullmatch(text)
    if share is not None and int(share[2]):
        return Fraction(int(share[1]), int(share[2]))
    if percent is not None:
        return Fraction(percent[1]) / 100
    raise BadCall(
        "initial_share_invalid",
        f"--initial-share: {text[:60]!r} is not a share",
        "Write a fraction or a percentage, such as 1/10 or 10%.",
    )
