"""The second factor: codes of an app that count once, passkeys, and how their secrets are kept.

A code belongs to a step of 30 seconds of the venue's clock (RFC 6238). The last step that was taken is kept with the
secret, so that no code counts twice, in whichever process it is shown.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.base import forms as base
from allauth.mfa.base.internal.flows import check_rate_limit
from allauth.mfa.internal.flows.add import validate_can_add_authenticator
from allauth.mfa.models import Authenticator
from allauth.mfa.totp import forms as totp
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from allauth.mfa.webauthn import forms as webauthn
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django import forms
from django.db import transaction

from mtok.calendar import SECOND
from mtok.venue import place
from mtok.venue.accounts.models import Login
from mtok.venue.environment import venue_environment
from mtok.venue.upkeep.keys import master_key

STEP_SECONDS: Final = 30

_TYPED: Final = (Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES)
_NONCE_BYTES: Final = 12
_ABOUT: Final = b"mtok second factor"


class Adapter(DefaultMFAAdapter):
    """Keeps secrets sealed with a key derived from the venue's master key (AES-256-GCM)."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": "This is not the code of now, or it was used already."
    }

    def encrypt(self, text: str) -> str:
        """Return a secret as it is kept."""
        nonce = os.urandom(_NONCE_BYTES)
        return (nonce + _sealing().encrypt(nonce, text.encode(), _ABOUT)).hex()

    def decrypt(self, encrypted_text: str) -> str:
        """Return a secret that is kept. Raises cryptography's InvalidTag for one of another venue."""
        kept = bytes.fromhex(encrypted_text)
        return _sealing().decrypt(kept[:_NONCE_BYTES], kept[_NONCE_BYTES:], _ABOUT).decode()

    def generate_authenticator_name(self, user: Login, type: str) -> str:
        """Return a name for a passkey that was given none."""
        return f"Passkey {Authenticator.objects.filter(user=user, type=type).count() + 1}"


@cache
def _sealing() -> AESGCM:
    master = master_key(venue_environment().place())
    return AESGCM(HKDF(SHA256(), 32, None, _ABOUT).derive(master))


def step_now() -> int:
    """Return the step of time whose code is the right one now."""
    return place.on_their_clocks() // (STEP_SECONDS * SECOND)


def code_of(secret: str, step: int) -> str:
    """Return the code of a step (RFC 6238, SHA-1, 6 digits). secret : base32"""
    return str(format_hotp_value(hotp_value(secret, step)))


def _is_code_now(secret: str, code: str) -> bool:
    return hmac.compare_digest(code.encode(), code_of(secret, step_now()).encode())


def taken(login: int, code: str, kinds: Sequence[str] = _TYPED) -> Authenticator | None:
    """Return what a code was taken for, and see that it is never taken again. kinds : app, recovery codes, or both"""
    code = "".join(code.split())
    with transaction.atomic():
        found = Authenticator.objects.select_for_update().filter(user_id=login, type__in=kinds)
        for one in list(found):
            is_app = one.type == Authenticator.Type.TOTP
            if _take_step(one, code) if is_app else one.wrap().validate_code(code):
                one.refresh_from_db()
                return one
    return None


def _take_step(app: Authenticator, code: str) -> bool:
    """Take the code of now unless its step, or a later one, was taken already."""
    step = step_now()
    if app.data.get("step", -1) >= step or not _is_code_now(Adapter().decrypt(app.data["secret"]), code):
        return False
    app.data["step"] = step
    app.save(update_fields=["data"])
    return True


def on_added(sender: Any, authenticator: Authenticator, **_: Any) -> None:
    """Take the step whose code was shown when an app was added."""
    if authenticator.type == Authenticator.Type.TOTP:
        authenticator.data["step"] = step_now()
        authenticator.save(update_fields=["data"])


class _Code(base.BaseAuthenticateForm):
    """What the forms for a code share: it is taken once, and few wrong ones are (limits as for passwords)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _code_field(self, "From your app; or one of your recovery codes.")
        kinds = set(Authenticator.objects.filter(user=self.user).values_list("type", flat=True))
        self.takes_codes = bool(kinds - {Authenticator.Type.WEBAUTHN})
        self.takes_passkeys = Authenticator.Type.WEBAUTHN in kinds

    def clean_code(self) -> str:
        """Return the code. Raises ValidationError for one that is wrong, or was taken before."""
        forget_tries = check_rate_limit(self.user)
        found = taken(self.user.pk, self.cleaned_data["code"])
        if found is None:
            raise Adapter().validation_error("incorrect_code")
        self.authenticator = found
        forget_tries()
        return str(self.cleaned_data["code"])


class Authenticate(_Code, base.AuthenticateForm):
    """The second step of signing in."""


class Reauthenticate(_Code, base.ReauthenticateForm):
    """The second factor once more, before what takes it again."""


class ActivateTotp(totp.ActivateTOTPForm):
    """The first code of an app, to see that it has the secret."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _code_field(self, "The six digits that the app shows now.")

    def clean_code(self) -> str:
        """Return the code. Raises ValidationError for a wrong one."""
        validate_can_add_authenticator(self.user)
        forget_tries = check_rate_limit(self.user, error_key="rate_limited")
        code = "".join(self.cleaned_data["code"].split())
        if not _is_code_now(self.secret, code):
            raise Adapter().validation_error("incorrect_code")
        forget_tries()
        return code


class AddPasskey(webauthn.AddWebAuthnForm):
    """A passkey as the browser made it, and its name."""

    name = forms.CharField(required=False, max_length=80, label="Name of the passkey")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].help_text = "So that you know it from others: the device that holds it."


class RenamePasskey(webauthn.EditWebAuthnForm):
    """Another name for a passkey."""

    name = forms.CharField(max_length=80, label="Name")


def _code_field(form: forms.Form, help_text: str) -> None:
    field = form.fields["code"]
    field.label, field.help_text, field.max_length = "Code", help_text, 20
    field.widget.attrs.pop("placeholder", None)
    field.widget.attrs |= {"inputmode": "numeric", "data-width": "short", "maxlength": 20}
