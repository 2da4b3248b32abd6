"""Figures and codes as the pages show them: `mtok.wording` as template filters."""

from __future__ import annotations

from django import template

from mtok.wording import figures

register = template.Library()

register.filter("day_text", figures.day_text)
register.filter("instant_text", figures.instant_text)
register.filter("tokens", figures.tokens)
register.filter("percent", figures.percent)
register.filter("duration", figures.duration)
register.filter("trimmed", figures.trimmed)
