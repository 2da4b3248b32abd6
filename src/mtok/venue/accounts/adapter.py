"""What allauth asks of this site: how a login is made, where one may be sent, and the mails about accounts.

Every mail about an account leaves by `Adapter.send_mail`, to one recipient, and its text is erased once it is sent.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context as allauth_context
from django import forms
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from mtok.calendar import format_instant
from mtok.venue import place
from mtok.venue.accounts.asking import has_second_factor
from mtok.venue.accounts.mails import MAILS, RESET
from mtok.venue.accounts.models import Login, Person, new_id
from mtok.venue.environment import venue_environment
from mtok.venue.mail import outbox
from mtok.venue.mail.sending import mail_of
from mtok.venue.mail.writing import Written
from mtok.venue.pages.page import site_address
from mtok.wording.figures import instant_text

_AGAIN: Final = {
    "reauthenticate": "your password",
    "mfa_reauthenticate": "a code",
    "mfa_reauthenticate:webauthn": "a passkey",
}
_LINKS: Final = ("activate_url", "password_reset_url", "signup_url")


class Adapter(DefaultAccountAdapter):
    """This site's answers."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": "No login has this address and this password.",
        "incorrect_password": "This is not your password.",
        "enter_current_password": "This is not your password.",
        "too_many_login_attempts": "That was tried too often. Try again in five minutes.",
        "rate_limited": "That was tried too often. Try again in some minutes.",
    }

    def save_user(self, request: HttpRequest, user: Login, form: forms.Form, commit: bool = True) -> Login:
        """Make a login, and the person whose it is."""
        with transaction.atomic():
            now = place.now()
            user.made_at = now
            user.person = Person.objects.create(name=form.cleaned_data["name"], made_at=now)
            saved: Login = super().save_user(request, user, form, commit)
        return saved

    def is_safe_url(self, url: str) -> bool:
        """Return whether somebody may be sent there: to a path of this site alone."""
        return url.startswith("/") and bool(url_has_allowed_host_and_scheme(url, allowed_hosts=None))

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        """Return where one goes after a changed password, which has ended the session too."""
        return "/account/login/"

    def get_reauthentication_methods(self, user: Login) -> list[dict[str, Any]]:
        """Return how one shows again who one is: whoever has a second factor, by that alone."""
        methods = [
            method | {"description": _AGAIN[method["id"]]}
            for method in super().get_reauthentication_methods(user)
        ]
        return [
            method for method in methods if method["id"] != "reauthenticate" or not has_second_factor(user.pk)
        ]

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Put a mail about an account into the outbox. template_prefix : allauth's name of the occasion

        Links are those of the site's own address, whatever name it was asked by.
        """
        base = site_address(allauth_context.request)
        links: dict[str, str] = {
            name: base + urlsplit(context[name]).path for name in _LINKS if name in context
        }
        said: dict[str, str] = {
            "site": base,
            "at": instant_text(format_instant(place.now())),
            "network": str(context.get("ip", "")),
            RESET: base + reverse("account_reset_password"),
            **links,
        }
        _post(email, MAILS[template_prefix].written(said))


def _post(recipient: str, words: Written) -> None:
    """Put a mail to one recipient into the outbox; of a venue without a mail server among the files of its mails."""
    login = Login.objects.filter(email=recipient).first()
    kept = outbox.message(f"account:{new_id()}", recipient, words, place.now(), login=login, is_secret=True)
    said = venue_environment()
    if said.mail:
        kept.save(force_insert=True)
        return
    folder = said.place() / "mail"
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / f"{kept.made_at}-{kept.id[:12]}.eml").write_bytes(bytes(mail_of(kept, said.mail_from)))
