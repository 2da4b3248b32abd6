"""What the venue writes to people about their accounts. Nothing that a stranger typed stands in a mail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mtok.venue.mail.writing import Written, composed

RESET: Final = "reset_url"


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A mail about an account. paragraphs : with places for what the occasion gives · link : the name of its link"""

    subject: str
    paragraphs: tuple[str, ...]
    link: str

    def written(self, said: dict[str, str]) -> Written:
        """Return it with what the occasion gives, its link among that."""
        words = [paragraph.format(**said) for paragraph in self.paragraphs]
        return composed(f"mtok: {self.subject}", words, said[self.link])


def _done(subject: str, what: str) -> Mail:
    """Return the mail that says what was done to a login, and what to do if somebody else did it."""
    told = f"{what} at {{at}}, from the network address {{network}}."
    remedy = "If this was not you, set a new password on the page below and tell whoever runs the venue."
    return Mail(subject=subject, paragraphs=(told, remedy), link=RESET)


_CONFIRM: Final = Mail(
    subject="confirm your address",
    paragraphs=(
        "Somebody, hopefully you, signed up at {site} with this address. To confirm that it is yours, open the page "
        "below within a day and press the button on it.",
        "If it was not you, do nothing: without it the login cannot be used.",
    ),
    link="activate_url",
)

MAILS: Final = {
    "account/email/email_confirmation_signup": _CONFIRM,
    "account/email/email_confirmation": _CONFIRM,
    "account/email/account_already_exists": Mail(
        subject="you have a login already",
        paragraphs=(
            "Somebody, hopefully you, tried to sign up at {site} with this address. It has a login already, and "
            "nothing was changed. If you have forgotten its password, set a new one on the page below.",
        ),
        link="password_reset_url",
    ),
    "account/email/password_reset_key": Mail(
        subject="set a new password",
        paragraphs=(
            "Somebody, hopefully you, asked for a new password of your login at {site}. To set one, open the page "
            "below within an hour.",
            "If it was not you, do nothing: your password stays as it is.",
        ),
        link="password_reset_url",
    ),
    "account/email/unknown_account": Mail(
        subject="no login has this address",
        paragraphs=(
            "Somebody, hopefully you, asked for a new password at {site}, but no login has this address. You may "
            "have signed up with another one. To sign up with this one, open the page below.",
        ),
        link="signup_url",
    ),
    "account/email/password_changed": _done("your password was changed", "Your password was changed"),
    "account/email/password_reset": _done(
        "your password was set anew", "Your password was set anew by a mailed link"
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
