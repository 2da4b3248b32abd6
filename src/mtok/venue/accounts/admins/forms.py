"""The forms with which an admin proposes a change, one a kind; each gives details as `changes.propose` takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django import forms

from mtok.calendar import format_date, parse_date
from mtok.venue.accounts.kinds import GRANTABLE, REASON_CHARS
from mtok.venue.accounts.models import Grant, Organisation, OwnerGroup, Person

_NEW: Final = ("", "another one, named below")


class ChangeForm(forms.Form):
    """What the forms share. subject : the login or the organisation that a change is about"""

    def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.subject = subject
        self.fill()

    def fill(self) -> None:
        """Fill in what can be chosen of."""

    def details(self) -> dict[str, Any]:
        """Return what the change says."""
        return {name: value for name, value in self.cleaned_data.items() if value != ""}

    def organisation(self) -> Organisation | None:
        """Return the organisation that a change of a login names."""
        return None


class Reason(ChangeForm):
    """A change that needs a reason alone."""

    reason = forms.CharField(
        label="Reason",
        max_length=REASON_CHARS.stop - 1,
        help_text="Kept for good. The other admin and auditors read it.",
    )


class GrantRole(ChangeForm):
    """A role, and of participants the organisation it is held for."""

    role = forms.ChoiceField(
        label="Role", choices=[(role.value, role.replace("_", " ")) for role in GRANTABLE]
    )
    for_organisation = forms.ChoiceField(
        label="Organisation", required=False, help_text="Of roles of participants alone."
    )

    def fill(self) -> None:
        """Offer the organisations that are admitted."""
        admitted = Organisation.objects.filter(state="admitted").order_by("legal_name")
        choices = [("", "none"), *((one.id, one.legal_name) for one in admitted)]
        self.fields["for_organisation"].choices = choices

    def details(self) -> dict[str, Any]:
        """Return the role."""
        return {"role": self.cleaned_data["role"]}

    def organisation(self) -> Organisation | None:
        """Return the organisation that the role is held for; one that an operator's role names is refused later."""
        found: Organisation | None = Organisation.objects.filter(
            id=self.cleaned_data["for_organisation"]
        ).first()
        return found


class WithdrawRole(ChangeForm):
    """A role that a login has."""

    role = forms.ChoiceField(label="Role")

    def fill(self) -> None:
        """Offer the roles that the login has."""
        roles = Grant.objects.filter(login=self.subject).order_by("role").values_list("role", flat=True)
        self.fields["role"].choices = [(role, role.replace("_", " ")) for role in roles]


class NamePerson(ChangeForm):
    """Whose a login is: the person it says, a person who is known, or a new one."""

    person = forms.ChoiceField(
        label="Person",
        required=False,
        help_text="Look whether this person is known already: a second login is no second person.",
    )
    name = forms.CharField(label="Name of another person", required=False, max_length=120)

    def fill(self) -> None:
        """Offer the person that the login says it is of first, then all that have a named login."""
        own = [person for person in (self.subject.person,) if person is not None]
        known = Person.objects.filter(
            logins__changes__kind="name", logins__changes__decision__is_approved=True
        ).distinct()
        persons = {person.id: person.name for person in (*own, *known.order_by("name"))}
        self.fields["person"].choices = [*persons.items(), _NEW]
        self.initial = {"person": next(iter(persons), "")}  # else the one without a value counts as chosen


class Admit(ChangeForm):
    """What an organisation is admitted as, or its renewal."""

    credit_class = forms.CharField(label="Credit class", max_length=8, help_text="A, BB+ or the like.")
    accepts = forms.CharField(
        label="Accepts credit classes", max_length=200, help_text="Those it deals with, by commas."
    )
    known_until = forms.DateField(
        label="Identity checked until",
        widget=forms.DateInput({"type": "date"}),
        help_text="The day from which it must be checked again.",
    )
    group = forms.ChoiceField(label="Beneficial owners", required=False)
    group_name = forms.CharField(label="Name of other beneficial owners", required=False, max_length=200)

    def fill(self) -> None:
        """Offer the groups there are, and of what is admitted what it is admitted as."""
        groups = OwnerGroup.objects.order_by("name").values_list("id", "name")
        self.fields["group"].choices = [_NEW, *groups]
        if self.subject.state == "admitted":
            self.initial = {
                "credit_class": self.subject.credit_class,
                "accepts": ", ".join(self.subject.accepts),
                "known_until": format_date(self.subject.known_until),
                "group": self.subject.group_id,
            }

    def details(self) -> dict[str, Any]:
        """Return what it is admitted as, the day as a number."""
        given = super().details()
        accepts = [one.strip() for one in given["accepts"].split(",") if one.strip()]
        return given | {"accepts": accepts, "known_until": parse_date(given["known_until"].isoformat())}


FORMS: Final[Mapping[str, type[ChangeForm]]] = {
    "grant": GrantRole,
    "withdraw": WithdrawRole,
    "name": NamePerson,
    "disable": Reason,
    "enable": Reason,
    "admit": Admit,
    "refuse": Reason,
    "suspend": Reason,
    "resume": Reason,
}
"""The form of each kind of change."""

BUTTONS: Final[Mapping[str, str]] = {
    "grant": "Grant a role",
    "withdraw": "Withdraw a role",
    "name": "Name its person",
    "disable": "Disable",
    "enable": "Enable",
    "admit": "Admit or renew",
    "refuse": "Refuse",
    "suspend": "Suspend",
    "resume": "Resume",
}
"""What each kind is called on a page."""
