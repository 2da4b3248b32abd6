"""Figures and codes as the pages show them: `mtok.wording` as template filters."""

from __future__ import annotations

import re
from typing import Final

from django import template
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from mtok.calendar import format_instant
from mtok.records import Determination
from mtok.wording import figures, sentences, words

register = template.Library()

register.filter("day_text", figures.day_text)
register.filter("instant_text", figures.instant_text)
register.filter("tokens", figures.tokens)
register.filter("percent", figures.percent)
register.filter("duration", figures.duration)
register.filter("trimmed", figures.trimmed)
register.filter("company", words.company)
register.filter("origin", words.origin)
register.filter("noted", words.note)
register.filter("told", words.reason)
register.filter("change", words.change)
register.filter("sentence", sentences.sentence)

_EFFECT: Final = re.compile(rf"\b({'|'.join(words.EFFECTS)})(?={figures.TIED}[+−0-9])")
_BACKTICKS: Final = re.compile(r"`([^`\n]+)`")


@register.filter
def short(value: str, like: str) -> SafeString:
    """Return a figure with the decimals that carry meaning in `like`; pointed at, focused or copied it is whole."""
    shown = figures.number(value, figures.meaningful_places(like))
    whole = value.replace("-", figures.MINUS)
    return format_html(
        '<data class="short" value="{}"><span aria-hidden="true">{}</span><span>{}</span></data>',
        value,
        shown,
        whole,
    )


@register.filter
def quality(word: str) -> SafeString:
    """Return a quality by shape and word."""
    return format_html(
        '<span class="quality quality-{}">{} {}</span>', word, words.SYMBOLS.get(word, "?"), word
    )


@register.filter
def coded(text: str) -> SafeString:
    """Return a text with what stands between backticks as code."""
    return mark_safe(_BACKTICKS.sub(r"<code>\1</code>", escape(text)))


@register.filter
def moved(record: Determination) -> SafeString:
    """Return what moved a value, each effect in its colour."""
    line = escape(sentences.effects_line(record))
    return mark_safe(_EFFECT.sub(r'<span class="effect-\1">\1</span>', line))


@register.filter
def grouped(count: str) -> str:
    """Return a whole number of a canonical text with thousands separated.

    >>> grouped("2500")
    '2,500'
    """
    return figures.tokens(int(count))


@register.filter
def usd(amount: str) -> str:
    """Return an amount with thousands separated and a true minus.

    >>> usd("-1234567.00")
    '−1,234,567.00'
    """
    whole, _, cents = amount.removeprefix("-").partition(".")
    return f"{figures.MINUS if amount.startswith('-') else ''}{int(whole):,}.{cents}"


@register.filter
def published_text(instant: int) -> str:
    """Return an instant of the log as prose."""
    return figures.instant_text(format_instant(instant))
