"""One delivery of one mail to exactly one recipient, by SMTP.

`smtps://` is TLS from the first byte. `smtp://` has to offer STARTTLS, but on this very machine: nothing of the venue
goes over a wire that others read. The same mail sent twice has the same Message-ID and the same Date, so that a reader
can tell that it is one.
"""

from __future__ import annotations

import smtplib
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from functools import cache
from typing import Final
from urllib.parse import unquote, urlsplit

from mtok.venue.database.models import Message
from mtok.venue.environment import VenueEnvironment

TIMEOUT_SECONDS: Final = 10
"""Of each of the about ten exchanges of a delivery; all of them end before the mail is tried again."""
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_PORTS: Final = {"smtp": 25, "smtps": 465}
_PERMANENT: Final = range(500, 600)


class NotSent(Exception):
    """A mail was not taken. is_refused : whether the server has refused the recipient for good"""

    def __init__(self, found: str, *, is_refused: bool = False) -> None:
        super().__init__(found)
        self.is_refused = is_refused


@dataclass(frozen=True, kw_only=True)
class Server:
    """A mail server and who sends. tls : `implicit`, `starttls`, empty on this machine"""

    host: str
    port: int
    tls: str
    sender: str
    user: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def of(cls, said: VenueEnvironment) -> Server | None:
        """Return the server that the environment names, None where mails wait."""
        if not said.mail:
            return None
        parts = urlsplit(said.mail)
        host = parts.hostname or ""
        is_plain = host in _LOOPBACK and not parts.query
        tls = "implicit" if parts.scheme == "smtps" else "" if is_plain else "starttls"
        return cls(
            host=host,
            port=parts.port or _PORTS[parts.scheme],
            tls=tls,
            sender=said.mail_from,
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
        )

    def send(self, message: Message) -> None:
        """Hand a mail over; when this returns the server has taken it. Raises NotSent, which names no recipient."""
        recipients = [message.recipient]
        assert len(recipients) == 1, "a mail has exactly one recipient"
        try:
            mail = mail_of(message, self.sender)
        except (ValueError, IndexError) as error:  # what cannot be written keeps nothing else from being sent
            raise NotSent(f"it cannot be written: {type(error).__name__}") from None
        assert not {"Cc", "Bcc"} & set(mail.keys())
        try:
            server = self._connected()
            try:
                server.send_message(mail, parseaddr(self.sender)[1], recipients)
            finally:
                _part(server)
        except smtplib.SMTPRecipientsRefused as error:
            code = next(iter(error.recipients.values()))[0]
            raise NotSent(f"the recipient was answered {code}", is_refused=code in _PERMANENT) from None
        except smtplib.SMTPResponseException as error:
            raise NotSent(f"{type(error).__name__} {error.smtp_code}") from None
        except (smtplib.SMTPException, OSError) as error:
            raise NotSent(type(error).__name__) from None

    def _connected(self) -> smtplib.SMTP:
        server: smtplib.SMTP
        if self.tls == "implicit":
            server = smtplib.SMTP_SSL(self.host, self.port, timeout=TIMEOUT_SECONDS, context=_trusted())
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=TIMEOUT_SECONDS)
        try:
            if self.tls == "starttls":
                server.starttls(context=_trusted())
            if self.user:
                server.login(self.user, self.password)
        except BaseException:
            server.close()
            raise
        return server


@cache
def _trusted() -> ssl.SSLContext:
    """Return what servers are verified against, read once: the authorities that this machine trusts."""
    return ssl.create_default_context()


def _part(server: smtplib.SMTP) -> None:
    """Say goodbye; what the server has taken stays taken, whatever it says to that."""
    with suppress(smtplib.SMTPException, OSError):
        server.quit()
    server.close()


def mail_of(message: Message, sender: str) -> EmailMessage:
    """Return a mail as it goes over the wire: the same bytes of the same message. Its Date is the hour of its slot.

    Raises ValueError for an address that is none, or more than one.
    """
    mail = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    mail["From"] = sender
    mail["To"] = message.recipient
    if len(mail["To"].addresses) != 1:
        raise ValueError("not one address")
    mail["Subject"] = message.subject
    hour = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=message.not_before)
    mail["Date"] = format_datetime(hour)
    mail["Message-ID"] = f"<{message.id}@{parseaddr(sender)[1].rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text)
    mail.add_alternative(message.html, subtype="html")
    mail.set_boundary(f"={message.id}")
    return mail
