"""The forms of participants about themselves."""

from __future__ import annotations

from typing import Final

from django import forms

from mtok.venue.accounts.api_keys import DAYS_MAX
from mtok.venue.accounts.contacts import CONTACT_CHARS
from mtok.venue.accounts.principals import SCOPES

_LIST_CHARS_MAX: Final = 50_000
_SAID: Final = {
    "read": "read: see what is yours",
    "requests": "requests: submit, amend and cancel requests",
    "approvals": "approvals: approve and decline terms, each with a one-time code",
}


class Contact(forms.Form):
    """A contact for settlement."""

    contact = forms.CharField(
        label="Contact for settlement",
        max_length=CONTACT_CHARS.stop - 1,
        widget=forms.TextInput({"autocomplete": "off"}),
        help_text="In one line, a name and an address or a number. It is sealed; the other side of a booked contract "
        "and the treasury can open it, and you see who did.",
    )


class Application(Contact):
    """What an organisation applies with."""

    legal_name = forms.CharField(label="Legal name", max_length=200)
    lei = forms.CharField(
        label="LEI",
        max_length=40,
        help_text="20 signs, ISO 17442; blanks do not count.",
        widget=forms.TextInput({"data-width": "short"}),
    )
    field_order = ("legal_name", "lei", "contact")

    def clean_lei(self) -> str:
        """Return the LEI without blanks, in capitals."""
        return "".join(str(self.cleaned_data["lei"]).split()).upper()


class Lists(forms.Form):
    """Legal names that an organisation deals with, or never."""

    allowed = forms.CharField(
        label="Only with",
        required=False,
        max_length=_LIST_CHARS_MAX,
        widget=forms.Textarea({"rows": 5}),
        help_text="Legal names, one a line. Empty: with everybody who is not in the other list.",
    )
    blocked = forms.CharField(
        label="Never with",
        required=False,
        max_length=_LIST_CHARS_MAX,
        widget=forms.Textarea({"rows": 5}),
        help_text="Legal names, one a line.",
    )


class NewKey(forms.Form):
    """A key of the API."""

    name = forms.CharField(label="Name", max_length=80, help_text="So that you know which program has it.")
    scopes = forms.MultipleChoiceField(
        label="What it may do",
        choices=[(scope, _SAID[scope]) for scope in SCOPES],
        widget=forms.CheckboxSelectMultiple,
    )
    days = forms.IntegerField(
        label="Days it lasts",
        min_value=1,
        max_value=DAYS_MAX,
        initial=90,
        widget=forms.NumberInput({"data-width": "short"}),
    )
