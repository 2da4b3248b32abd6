"""A mail server on the loopback that keeps what it takes, and answers or breaks as a test tells it to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Final

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope

from served import free_port

TAKEN: Final = "250 OK"
DIES: Final = "takes it and dies before it answers"


class Mailbox:
    """Mails that were taken, in order. recipients : of each its envelope's · answers : to the next mails, then it takes

    refused : what a recipient is answered, by address
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.raw: list[bytes] = []
        self.recipients: list[list[str]] = []
        self.answers: list[str] = []
        self.refused: dict[str, str] = {}
        self._one = threading.Lock()

    @property
    def mails(self) -> list[EmailMessage]:
        """The mails, parsed."""
        return [message_from_bytes(one, policy=policy.default) for one in self.raw]

    @property
    def ids(self) -> list[str]:
        """The Message-IDs, in order."""
        return [str(one["Message-ID"]) for one in self.mails]

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _: Any, __: Any, envelope: Envelope, address: str, ___: Any
    ) -> str:
        """Let a recipient in or not."""
        answer = self.refused.get(address, TAKEN)
        if answer == TAKEN:
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: Any, _: Any, envelope: Envelope
    ) -> str:
        """Take a mail or not."""
        with self._one:
            answer = self.answers.pop(0) if self.answers else TAKEN
            if answer in (TAKEN, DIES):
                assert isinstance(envelope.content, bytes)
                self.raw.append(envelope.content)
                self.recipients.append(list(envelope.rcpt_tos))
        if answer == DIES:
            server.transport.abort()
        return answer

    def server(self) -> Any:
        """Return what sends to it."""
        from mtok.venue.mail.sending import Server

        return Server(host="127.0.0.1", port=self.port, tls="", sender="mtok <venue@mtok.example>")


@contextmanager
def mailbox(port: int | None = None) -> Iterator[Mailbox]:
    """Run a mail server on a port of the loopback, a free one unless it is said."""
    box = Mailbox(port or free_port())
    controller = Controller(box, hostname="127.0.0.1", port=box.port)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()


def deliver(box: Mailbox, now: int, limit: int = 1000) -> int:
    """Deliver what is due at an instant."""
    from mtok.venue.mail.work import deliver_due

    return deliver_due(box.server().send, lambda: now, limit)
