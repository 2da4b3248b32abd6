"""What the venue writes to people about their accounts. Nothing that a stranger typed stands in a mail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_FOOT: Final = "\n\nmtok, {site}\nThis was sent by a program; answers to it are not read.\n"
_NOT_YOU: Final = (
    "\n\nIf this was not you, reset your password at {site}/account/password/reset/ and tell whoever runs the "
    "venue."
)


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A mail. text : with places for `site` and what the occasion gives"""

    subject: str
    text: str


def _mail(subject: str, text: str) -> Mail:
    return Mail(subject=f"mtok: {subject}", text=text + _FOOT)


def _done(subject: str, what: str) -> Mail:
    return _mail(subject, f"{what} at {{at}}, from the network address {{network}}." + _NOT_YOU)


_CONFIRM: Final = _mail(
    "confirm your address",
    "Somebody, hopefully you, signed up at {site} with this address. To confirm that it is yours, open this page "
    "within a day and press the button on it:\n\n{activate_url}\n\nIf it was not you, do nothing: without it the "
    "login cannot be used.",
)

MAILS: Final = {
    "account/email/email_confirmation_signup": _CONFIRM,
    "account/email/email_confirmation": _CONFIRM,
    "account/email/account_already_exists": _mail(
        "you have a login already",
        "Somebody, hopefully you, tried to sign up at {site} with this address. It has a login already, and nothing "
        "was changed. If you have forgotten its password, set a new one:\n\n{password_reset_url}",
    ),
    "account/email/password_reset_key": _mail(
        "set a new password",
        "Somebody, hopefully you, asked for a new password of your login at {site}. To set one, open this page within "
        "an hour:\n\n{password_reset_url}\n\nIf it was not you, do nothing: your password stays as it is.",
    ),
    "account/email/unknown_account": _mail(
        "no login has this address",
        "Somebody, hopefully you, asked for a new password at {site}, but no login has this address. You may have "
        "signed up with another one. To sign up with this one:\n\n{signup_url}",
    ),
    "account/email/password_changed": _done("your password was changed", "Your password was changed"),
    "account/email/password_reset": _done(
        "your password was set anew", "Your password was set anew by a mailed link"
    ),
    "account/email/email_changed": _done(
        "your address was changed", "The address of your login was changed from {from_email} to {to_email}"
    ),
    "mfa/email/totp_activated": _done("an app was added", "An app that shows codes was added to your login"),
    "mfa/email/totp_deactivated": _done(
        "an app was removed", "The app that shows codes was removed from your login"
    ),
    "mfa/email/webauthn_added": _done("a passkey was added", "A passkey was added to your login"),
    "mfa/email/webauthn_removed": _done("a passkey was removed", "A passkey was removed from your login"),
    "mfa/email/recovery_codes_generated": _done(
        "new recovery codes", "New recovery codes were made for your login; the old ones are of no use"
    ),
}
"""The mails by allauth's names of their occasions."""
