"""Mails as they leave: one recipient each, as text and as HTML, to a mail server or to files.

Without a mail server they are written to the folder `mail` of the venue, for whoever tries a venue out.
"""

from __future__ import annotations

import secrets
import smtplib
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from mtok.errors import BadCall, EnvironmentFailed

SUBJECT_MAX: Final = 160
TIMEOUT_SECONDS: Final = 10

_PORTS: Final = {"smtp": 25, "smtps": 465}


def mail_settings(address: str, folder: Path) -> dict[str, Any]:
    """Return Django's settings of mail. address : `smtp://[user:password@]host[:port][?starttls=1]`, or smtps://; empty

    for files in `folder`. Raises BadCall (`setting_invalid`).
    """
    if not address:
        backend = "django.core.mail.backends.filebased.EmailBackend"
        return {"EMAIL_BACKEND": backend, "EMAIL_FILE_PATH": str(folder / "mail")}
    parts = urlsplit(address)
    try:
        port = parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        port = 0
    if not port or not parts.hostname or parts.query not in ("", "starttls=1"):
        raise BadCall(
            "setting_invalid",
            "MTOK_VENUE_MAIL names no mail server",
            "Give smtp://user:password@host:port?starttls=1 or smtps://host, or leave it out.",
        )
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": port,
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_SSL": parts.scheme == "smtps",
        "EMAIL_USE_TLS": parts.query == "starttls=1",
        "EMAIL_TIMEOUT": TIMEOUT_SECONDS,
    }


def send_letter(recipient: str, subject: str, text: str, html: str) -> None:
    """Send a mail to one recipient. Raises EnvironmentFailed (`mail_failed`) where nobody takes it."""
    from django.conf import settings
    from django.core.mail import EmailMultiAlternatives

    assert not {"\r", "\n"} & set(subject + recipient), "a line break would begin another header"
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].rstrip(">")
    headers = {"Message-ID": f"<{secrets.token_urlsafe(16)}@{domain}>", "Auto-Submitted": "auto-generated"}
    letter = EmailMultiAlternatives(
        subject[:SUBJECT_MAX], text, settings.DEFAULT_FROM_EMAIL, [recipient], headers=headers
    )
    letter.attach_alternative(html, "text/html")
    assert letter.recipients() == [recipient]
    try:
        letter.send()
    except (OSError, smtplib.SMTPException):
        raise EnvironmentFailed(
            "mail_failed", "no mail could be sent", "Try again in some minutes; nothing was lost."
        ) from None
