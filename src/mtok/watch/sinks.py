"""Where alarms go: a file for Prometheus, a webhook, mail. What each is set to, and how one message is handed over.

A sink that fails raises `SinkFailed`, whose text never holds a password or the path of a webhook, as both are
secrets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import msgspec

from mtok.calendar import parse_instant
from mtok.canonical import sha256_hex
from mtok.errors import BadCall

if TYPE_CHECKING:
    from email.message import EmailMessage

TIMEOUT_SECONDS: Final = 10
TRIES: Final = 3
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_SUBMISSION_PORT: Final = 587
_SMTPS_PORT: Final = 465


class SinkFailed(Exception):
    """A sink did not take a message; it is tried again with the next run."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """What a sink is told. at : instant, text · text : for people · alarms : the same for programs"""

    store: str
    at: str
    subject: str
    text: str
    alarms: Sequence[Mapping[str, object]]


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """Takes a POST of JSON: `text`, `store`, `at`, `alarms`."""

    url: str = field(repr=False)

    def send(self, message: Message) -> None:
        """Deliver a message in at most three tries of 10 s. Raises SinkFailed."""
        import httpx2
        import stamina

        host = urlsplit(self.url).hostname
        content = {"text": message.text, "store": message.store, "at": message.at, "alarms": message.alarms}
        raw = msgspec.json.encode(content)
        headers = {"Content-Type": "application/json"}
        with httpx2.Client(timeout=TIMEOUT_SECONDS) as client:
            for attempt in stamina.retry_context(on=_TryAgain, attempts=TRIES):
                with attempt:
                    try:
                        answer = client.post(self.url, content=raw, headers=headers)
                    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                        raise _TryAgain(f"webhook at {host}: {type(error).__name__}") from None
                    if answer.status_code == 429 or answer.is_server_error:
                        raise _TryAgain(f"webhook at {host} answered {answer.status_code}")
                    if not answer.is_success:
                        raise SinkFailed(f"webhook at {host} answered {answer.status_code}")


@dataclass(frozen=True, kw_only=True)
class Mail:
    """Sends one plain message to all recipients. `tls` is `starttls`, `implicit` or empty."""

    host: str
    port: int
    tls: str
    user: str
    password: str = field(repr=False)
    sender: str
    recipients: tuple[str, ...]

    def send(self, message: Message) -> None:
        """Deliver a message; the same content has the same Message-ID. Raises SinkFailed."""
        import smtplib
        import ssl

        mail = self._mail(message)
        try:
            if self.tls == "implicit":
                server: smtplib.SMTP = smtplib.SMTP_SSL(
                    self.host, self.port, timeout=TIMEOUT_SECONDS, context=ssl.create_default_context()
                )
            else:
                server = smtplib.SMTP(self.host, self.port, timeout=TIMEOUT_SECONDS)
            with server:
                if self.tls == "starttls":
                    server.starttls(context=ssl.create_default_context())
                if self.user:
                    server.login(self.user, self.password)
                server.send_message(mail, self.sender, self.recipients)
        except smtplib.SMTPResponseException as error:
            raise SinkFailed(f"mail server {self.host}: {type(error).__name__} {error.smtp_code}") from None
        except (smtplib.SMTPException, OSError) as error:
            raise SinkFailed(f"mail server {self.host}: {type(error).__name__}") from None

    def _mail(self, message: Message) -> EmailMessage:
        from datetime import UTC, datetime, timedelta
        from email.message import EmailMessage
        from email.utils import format_datetime

        mail = EmailMessage()
        mail["Subject"] = message.subject
        mail["From"] = self.sender
        mail["To"] = ", ".join(self.recipients)
        sent = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=parse_instant(message.at))
        mail["Date"] = format_datetime(sent)
        digest = sha256_hex(f"{message.store}\n{message.subject}\n{message.text}".encode())
        mail["Message-ID"] = f"<{digest[:32]}@{self.sender.rpartition('@')[2]}>"
        mail.set_content(message.text)
        return mail


@dataclass(frozen=True, kw_only=True)
class Sinks:
    """The sinks that are set; None is none. log : whether alarms are told to the log"""

    log: bool = False
    metrics_file: Path | None = None
    webhook: Webhook | None = None
    mail: Mail | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], *, log: bool = False) -> Sinks:
        """Return the sinks set by MTOK_METRICS_FILE, MTOK_WEBHOOK_URL and MTOK_MAIL_URL, _FROM and _TO.

        Raises BadCall naming the variable, never what it holds.
        """
        metrics = environ.get("MTOK_METRICS_FILE")
        return cls(
            log=log,
            metrics_file=Path(metrics) if metrics else None,
            webhook=_webhook(environ),
            mail=_mail(environ),
        )


class _TryAgain(SinkFailed):
    pass


def _webhook(environ: Mapping[str, str]) -> Webhook | None:
    url = environ.get("MTOK_WEBHOOK_URL")
    if not url:
        return None
    parts = _url("MTOK_WEBHOOK_URL", url, ("http", "https"))
    if parts.username or parts.password:
        raise _bad("MTOK_WEBHOOK_URL", "holds a user or password before the host")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise _bad(
            "MTOK_WEBHOOK_URL",
            "is http:// to another machine, which would show the path to everybody on the way",
        )
    return Webhook(url=url)


def _mail(environ: Mapping[str, str]) -> Mail | None:
    names = ("MTOK_MAIL_URL", "MTOK_MAIL_FROM", "MTOK_MAIL_TO")
    if not any(environ.get(name) for name in names):
        return None
    for name in names:
        if not environ.get(name):
            raise _bad(name, "is not set, though another MTOK_MAIL_… is")
    recipients = tuple(filter(None, map(str.strip, environ["MTOK_MAIL_TO"].split(","))))
    sender = environ["MTOK_MAIL_FROM"].strip()
    for name, addresses in (("MTOK_MAIL_FROM", (sender,)), ("MTOK_MAIL_TO", recipients)):
        if not addresses or any(not _is_address(address) for address in addresses):
            raise _bad(name, "is no mail address")
    parts = _url("MTOK_MAIL_URL", environ["MTOK_MAIL_URL"], ("smtp", "smtps"))
    options = parse_qs(parts.query, keep_blank_values=True)
    if options not in ({}, {"starttls": ["1"]}) or (options and parts.scheme == "smtps"):
        raise _bad("MTOK_MAIL_URL", "has options other than ?starttls=1 of smtp://")
    tls = "implicit" if parts.scheme == "smtps" else "starttls" if options else ""
    if parts.password and not tls and parts.hostname not in _LOOPBACK:
        raise _bad("MTOK_MAIL_URL", "would send a password over a connection without TLS")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not (user + password).isascii():
        raise _bad("MTOK_MAIL_URL", "has a user or password with other characters than ASCII")
    return Mail(
        host=parts.hostname or "",
        port=parts.port or (_SMTPS_PORT if tls == "implicit" else _SUBMISSION_PORT),
        tls=tls,
        user=user,
        password=password,
        sender=sender,
        recipients=recipients,
    )


def _url(name: str, url: str, schemes: tuple[str, ...]) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise _bad(name, "is no URL") from None
    if parts.scheme not in schemes or not parts.hostname:
        raise _bad(name, f"is no URL of {' or '.join(f'{scheme}://' for scheme in schemes)}")
    return parts


def _is_address(text: str) -> bool:
    name, _, host = text.rpartition("@")
    return bool(name and host) and text.isascii() and text.isprintable() and not set(text) & set(" ,<>")


def _bad(name: str, found: str) -> BadCall:
    return BadCall("sink_setting", f"{name} {found}", "See docs/operations.md for what it takes.")
