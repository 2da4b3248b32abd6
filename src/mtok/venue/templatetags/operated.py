"""Amounts, prices and instants of contracts as the operators' pages show them."""

from __future__ import annotations

from django import template

from mtok.market.months import month_text
from mtok.settlement.values import price_text
from mtok.venue.operators import describing

register = template.Library()

register.filter("usd", describing.usd)
register.filter("units", price_text)
register.filter("instant", describing.instant)
register.filter("day_of", describing.day)
register.filter("month", month_text)
register.filter("state", describing.state)
