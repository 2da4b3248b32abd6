"""The forms of participants: how fields look. What they mean is read by `given`, for pages and API alike."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from django import forms

from mtok.calendar import day_of
from mtok.market.months import month_of, month_text
from mtok.market.requests import closing
from mtok.settlement.machines import Refused
from mtok.settlement.specification import specification
from mtok.venue import place
from mtok.venue.accounts.models import new_id
from mtok.venue.participants import told
from mtok.venue.participants.given import AMENDMENT_FIELDS, FIELD_OF, REQUEST_FIELDS, FieldsInvalid
from mtok.venue.participants.words import month_said

_NUMBER: Final = {"inputmode": "numeric", "autocomplete": "off", "data-width": "short"}
_PRICE: Final = {
    "inputmode": "decimal",
    "autocomplete": "off",
    "data-width": "short",
    "placeholder": "12.345600",
}
_DATE: Final = {"type": "date", "data-width": "short"}
_SHORT: Final = {"data-width": "short"}


class Written(forms.CharField):
    """A field as it was written; whether it may be is said by `given`, `required` is for the label alone."""

    def validate(self, value: str) -> None:
        """Take everything."""


class WrittenFile(forms.FileField):
    """A file as it was sent."""

    def clean(self, data: Any, initial: Any = None) -> Any:
        """Take everything, nothing too."""
        return data


class RequestForm(forms.Form):
    """A request. Nothing is required or checked here; `told_wrong` says what `given` and the core refuse."""

    reference = Written(widget=forms.Select, label="What the price is of")
    side = Written(
        label="Which side is yours",
        widget=forms.RadioSelect(
            choices=[
                ("buy", "I pay the fixed price, and receive what the month turns out to cost"),
                ("sell", "I receive the fixed price, and pay what the month turns out to cost"),
            ]
        ),
    )
    lots = Written(label="Size in lots", widget=forms.TextInput(attrs=_NUMBER))
    month = Written(label="For which month", widget=forms.Select(attrs=_SHORT))
    limit = forms.CharField(
        required=False,
        label="Price limit, USD per million output tokens",
        help_text="The worst price you would take. Nobody is shown it before there are terms; their price is made "
        "of it: the middle of both limits, or the only one given. Without any it is the last mark.",
        widget=forms.TextInput(attrs=_PRICE),
    )
    firm_until = forms.CharField(
        required=False,
        label="Firm until the run of",
        help_text="Until then it takes part in every run by itself. Left empty, you confirm it before each run.",
        widget=forms.TextInput(attrs=_DATE),
    )
    expires = forms.CharField(
        required=False,
        label="Expires with the run of",
        help_text="Left empty: the last run for this month.",
        widget=forms.TextInput(attrs=_DATE),
    )
    min_lots = forms.CharField(
        required=False,
        label="Smallest part you would take, in lots",
        help_text="Left empty: one lot.",
        widget=forms.TextInput(attrs=_NUMBER),
    )
    tail = forms.BooleanField(required=False, label="Less than that may be left over")
    tolerance = forms.CharField(
        required=False,
        label="Months earlier or later that would do as well",
        help_text="Left empty: none. It counts only where the other side allows it too.",
        widget=forms.TextInput(attrs=_NUMBER),
    )
    settlement = forms.CharField(
        required=False,
        label="Settled against",
        widget=forms.Select(
            attrs=_SHORT, choices=[("average", "the mean of all days"), ("last", "the last day alone")]
        ),
    )

    MAIN: Final = ("reference", "side", "lots", "month", "limit", "firm_until", "expires")
    names: tuple[str, ...] = REQUEST_FIELDS

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        rules = specification()
        self.fields[
            "lots"
        ].help_text = (
            f"A lot is {rules.multiplier} million tokens: 25 lots are {25 * rules.multiplier:,} million."
        )
        self.fields["month"].widget.choices = _months()
        if "reference" in self.fields:
            self.fields["reference"].widget.choices = [
                ("", "Choose"),
                *((one["reference"], one["reference"]) for one in told.offered() if one["is_offered"]),
            ]

    def written(self) -> dict[str, object]:
        """Return what was written, by field, as `given` reads it."""
        self.is_valid()
        return {name: self.cleaned_data.get(name, "") for name in self.names if name in self.fields}

    @property
    def main(self) -> list[forms.BoundField]:
        """The fields that everybody fills in."""
        return [self[name] for name in self.MAIN if name in self.fields]

    @property
    def more(self) -> list[forms.BoundField]:
        """The others."""
        return [self[name] for name in self.fields if name not in self.MAIN]

    @property
    def opens_more(self) -> bool:
        """Whether one of the others says something, or is wrong."""
        usual = ("", None, False, "average", "1", "0", 1, 0)
        return any(one.errors or one.value() not in usual for one in self.more)


class AmendmentForm(RequestForm):
    """What of a request may change."""

    names = AMENDMENT_FIELDS
    reference = side = settlement = None  # type: ignore[assignment] # how a form takes fields away


class PriceForm(forms.Form):
    """A price to end a contract at."""

    price = Written(label="Price, USD per million output tokens", widget=forms.TextInput(attrs=_PRICE))

    def written(self) -> dict[str, object]:
        """Return what was written, by field."""
        self.is_valid()
        return {name: self.cleaned_data.get(name, "") for name in self.fields}


class DayForm(PriceForm):
    """A day and what it is worth."""

    date = Written(label="Day", widget=forms.TextInput(attrs=_DATE))
    field_order: tuple[str, ...] = ("date", "price")


class OtherTermsForm(forms.Form):
    """A price and a size to ask for instead."""

    digest = Written(widget=forms.HiddenInput)
    price = Written(label="Price, USD per million output tokens", widget=forms.TextInput(attrs=_PRICE))
    lots = Written(label="Size in lots", widget=forms.TextInput(attrs=_NUMBER))

    def written(self) -> dict[str, object]:
        """Return what was written, by field."""
        self.is_valid()
        return {name: self.cleaned_data.get(name, "") for name in self.fields}


class DisputeForm(DayForm):
    """A dispute of a mark: which day, the value held to be right, why, and what shows it."""

    reason = Written(label="Why", widget=forms.Textarea(attrs={"rows": 4}))
    evidence = WrittenFile(
        label="What shows it",
        help_text="A file. The venue keeps its sha256 alone, so keep the file.",
    )
    field_order = ("date", "price", "reason", "evidence")

    def written(self) -> dict[str, object]:
        """Return what was written, by field; of the file its digest."""
        self.is_valid()
        found: dict[str, object] = {
            name: self.cleaned_data.get(name, "") for name in ("date", "price", "reason")
        }
        file = self.cleaned_data.get("evidence")
        return {**found, "evidence": [_sha256(file)] if file else ""}


def _sha256(file: Any) -> str:
    found = hashlib.sha256()
    for chunk in file.chunks():
        found.update(chunk)
    return found.hexdigest()


def told_wrong(form: forms.Form, error: FieldsInvalid | Refused) -> None:
    """Put what was refused beside its field; what is of no field of the form is said of the whole.

    Raises the error again where it is not about what was written.
    """
    if isinstance(error, FieldsInvalid):
        for one in error.fields:
            form.add_error(one.field if one.field in form.fields else None, f"{one.found}. {one.remedy}")
        return
    if error.code in _ELSEWHERE:
        raise error
    field = FIELD_OF.get(error.code)
    form.add_error(field if field in form.fields else None, f"{error.found}. {error.remedy}")


_ELSEWHERE: Final = frozenset({"not_found", "not_yours", "step_up"})


def initial_of(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an amendment form begins with: the request as it is."""
    return {
        **{name: request[name] for name in ("lots", "month", "min_lots", "tail", "tolerance")},
        "limit": request["limit"] or "",
        "firm_until": (request["firm_until"] or "")[:10],
        "expires": request["expires"][:10],
    }


def once() -> str:
    """Return a token for a form that is to be taken once."""
    return new_id()


def _months() -> list[tuple[str, str]]:
    """Return the months that requests are taken for."""
    rules, now = specification(), place.now()
    this = month_of(day_of(now))
    ahead = range(this + 1, this + rules.months_ahead_max + 1)
    return [(month_text(one), month_said(one)) for one in ahead if now < closing(one, rules)]
