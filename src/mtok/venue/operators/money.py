"""Amounts as operators type them: decimal text to whole cents, exactly."""

from __future__ import annotations

import re
from typing import Any, Final

from django import forms

from mtok.market.contracts import Posted
from mtok.settlement.values import AMOUNT_MAX, amount_text

_AMOUNT: Final = re.compile(r"([0-9]{1,3}(?:,[0-9]{3}){0,5}|[0-9]{1,17})(?:\.([0-9]{2}))?", re.ASCII)


def cents_of(text: str) -> int:
    """Return an amount in USD as cents. Raises ValueError for anything but digits, with two decimals or none.

    >>> cents_of("9259.20"), cents_of("9,259.20"), cents_of("500")
    (925920, 925920, 50000)
    """
    match = _AMOUNT.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"not an amount in USD: {text[:40]!r}")
    cents = int(match[1].replace(",", "")) * 100 + int(match[2] or 0)
    if cents > AMOUNT_MAX:
        raise ValueError(f"{text[:40]!r} is more than 64 bits hold")
    return cents


class Cents(forms.CharField):
    """A field of an amount in USD, its value whole cents."""

    def __init__(self, **given: Any) -> None:
        super().__init__(max_length=30, **given)
        self.widget.attrs |= {"inputmode": "decimal", "autocomplete": "off", "data-width": "short"}

    def clean(self, value: Any) -> Any:
        """Return cents of what was typed."""
        text = super().clean(value)
        try:
            return cents_of(text)
        except ValueError as error:
            said = "Write an amount in USD with a point and two decimals, such as 9259.20."
            raise forms.ValidationError(said, code="amount_invalid") from error


class PostedForm(forms.Form):
    """What has arrived from each side, in USD."""

    buyer = Cents(label="Arrived from the buyer, USD")
    seller = Cents(label="Arrived from the seller, USD")

    def posted(self) -> Posted:
        """Return what was typed, of a form that is valid."""
        return Posted(buyer=self.cleaned_data["buyer"], seller=self.cleaned_data["seller"])

    def typed(self) -> dict[str, str]:
        """Return the amounts as they are sent again to be confirmed."""
        return {name: amount_text(cents) for name, cents in self.cleaned_data.items()}
