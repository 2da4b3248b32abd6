"""The forms of signing up and in: allauth's, with our words for their fields."""

from __future__ import annotations

import unicodedata
from typing import Any, Final

from allauth.account import forms as allauth
from allauth.account.fields import EmailField
from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.http import HttpRequest

from mtok.venue.accounts.models import Login
from mtok.venue.accounts.passwords import Length

ADDRESS_MAX: Final = Login._meta.get_field("email").max_length

_NEW_HELP = Length().get_help_text()


def _said(form: forms.Form, **labels: str) -> None:
    """Give the fields of a form their labels; nothing stands in an empty field."""
    for name, field in form.fields.items():
        field.widget.attrs.pop("placeholder", None)
        field.label = labels.get(name, field.label)
        if isinstance(field, EmailField):  # a longer one would be cut, and somebody else written to
            field.validators.append(MaxLengthValidator(ADDRESS_MAX))
            field.widget.attrs["maxlength"] = ADDRESS_MAX


class SignIn(allauth.LoginForm):
    """Address and password."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _said(self, login="Address", password="Password")
        self.fields["password"].help_text = ""


class SignUp(allauth.SignupForm):
    """Address, password, and the name of the person whose login it is to be."""

    name = forms.CharField(
        label="Your name", max_length=120, widget=forms.TextInput({"autocomplete": "name"})
    )
    field_order = ("name", "email", "password1")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _said(self, email="Address", password1="Password")
        self.fields["name"].help_text = "Shown to people of the venue, and to nobody else."
        self.fields["email"].help_text = "You sign in with it, and the venue writes to it."
        self.fields["password1"].help_text = _NEW_HELP

    def clean_name(self) -> str:
        """Return the name in one line. Raises ValidationError for what cannot be seen or is no text."""
        name = unicodedata.normalize("NFC", " ".join(self.cleaned_data["name"].split()))
        if any(unicodedata.category(sign) in ("Cc", "Cf", "Co", "Cs") for sign in name):
            raise ValidationError("This contains signs that cannot be seen.", "name_invalid")
        return name

    def try_save(self, request: HttpRequest) -> Any:
        """Make the login; of an address that has one already do as much work, so that nobody can tell."""
        if self.account_already_exists:
            Login().set_password(self.cleaned_data["password1"])
        return super().try_save(request)

    def signup(self, request: HttpRequest, user: Login) -> None:
        """Add nothing: the person is made with the login (`mtok.venue.accounts.adapter`)."""


class ChangePassword(allauth.ChangePasswordForm):
    """The password that was, and twice the one that is to be."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _said(self, oldpassword="Password now", password1="New password", password2="New password once more")
        self.fields["oldpassword"].help_text = ""
        self.fields["password1"].help_text = _NEW_HELP


class ResetPassword(allauth.ResetPasswordForm):
    """The address to write to."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _said(self, email="Address")


class ResetPasswordByLink(allauth.ResetPasswordKeyForm):
    """Twice the password that is to be."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _said(self, password1="New password", password2="New password once more")
        self.fields["password1"].help_text = _NEW_HELP


class PasswordAgain(allauth.ReauthenticateForm):
    """The password, before what takes it again."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _said(self, password="Password")
        self.fields["password"].help_text = ""
