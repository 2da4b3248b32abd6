"""Somebody before a browser of a venue: forms are filled in as the page gives them, mails are read as they arrive.

Requests go to the application as over https, with every check of forms switched on. Codes are computed here from
RFC 6238, not by the program.
"""

from __future__ import annotations

import base64
import email
import email.policy
import hmac
import re
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope

import venues
from served import free_port

if TYPE_CHECKING:
    from mtok.venue.mail.sending import Server

PASSWORD: Final = "correct horse battery staple"
ADDRESS: Final = "ann@example.com"
ORIGIN: Final = "https://localhost"

_LINK: Final = r"https?://localhost(?::[0-9]+)?(/account/(?:confirm-email|password/reset/key)/\S+)"


@dataclass
class Post:
    """A mail server on loopback, to which the outbox is emptied whenever one looks.

    taken : what it took, each with its envelope's recipients
    """

    server: Server
    taken: list[tuple[list[str], EmailMessage]] = field(default_factory=list)

    async def take(self, _server: Any, _session: Any, envelope: Envelope) -> str:
        """Take a mail."""
        assert isinstance(envelope.content, bytes)
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.taken.append((list(envelope.rcpt_tos), message))
        return "250 OK"

    @property
    def letters(self) -> list[tuple[list[str], EmailMessage]]:
        """All mails that have come by now. A thread delivers: a test that drives a browser may not ask the database."""
        worker = threading.Thread(target=self._deliver)
        worker.start()
        worker.join()
        return self.taken

    def _deliver(self) -> None:
        from django.db import connection

        from mtok.venue import place
        from mtok.venue.mail.work import deliver_due

        deliver_due(self.server.send, place.now, 1_000)
        connection.close()

    def last(self, to: str = "") -> tuple[list[str], EmailMessage]:
        """Return the last mail and its recipients. to : one of whom, where it matters"""
        return [one for one in self.letters if not to or to in one[0]][-1]

    def last_text(self, to: str = "") -> str:
        """Return the text of the last mail, as `last`."""
        part = self.last(to)[1].get_body(("plain",))
        assert part is not None
        return str(part.get_content())

    def last_link(self, to: str = "") -> str:
        """Return the path of the first link in the last mail, as `last`, that is to be followed."""
        found = re.search(_LINK, self.last_text(to))
        assert found is not None, self.last_text(to)
        return found[1]


@contextmanager
def post_office() -> Iterator[Post]:
    """Serve mail on loopback and let the venue use it."""
    venues.configured()
    from mtok.venue.accounts import adapter
    from mtok.venue.environment import venue_environment
    from mtok.venue.mail.sending import Server

    port = free_port()
    said = venue_environment().model_copy(update={"mail": f"smtp://127.0.0.1:{port}"})
    server = Server.of(said)
    assert server is not None
    post = Post(server)
    controller = Controller(SimpleNamespace(handle_DATA=post.take), hostname="127.0.0.1", port=port)
    controller.start()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(adapter, "venue_environment", lambda: said)
            yield post
    finally:
        controller.stop()


class _Forms(HTMLParser):
    """The forms of a page: action and fields as they stand."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take a form or a field of the last one."""
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append({"action": given.get("action", "")})
        elif tag == "input" and self.forms and "name" in given:
            self.forms[-1][given["name"]] = given.get("value", "")


class Visitor:
    """A browser without scripts. page : the last answer"""

    def __init__(self, address: str = "127.0.0.1") -> None:
        from django.test import Client

        self.client = Client(enforce_csrf_checks=True, headers={"host": "localhost"}, REMOTE_ADDR=address)
        self.page: Any = None

    def go(self, path: str) -> Any:
        """Open a page and follow where it sends to."""
        self.page = self.client.get(path, secure=True, follow=True)
        return self.page

    def text(self) -> str:
        """Return the last page."""
        return str(self.page.content.decode())

    def form(self, name: str) -> dict[str, str]:
        """Return the form of the last page that has a field of this name, or goes to this address."""
        parsed = _Forms()
        parsed.feed(self.text())
        found = [form for form in parsed.forms if name in form or form["action"] == name]
        assert len(found) == 1, f"{len(found)} forms with {name}: {parsed.forms}"
        return found[0]

    def send(self, form_of: str, /, *, follow: bool = True, **fields: str) -> Any:
        """Fill in the form with this field or address and send it, as a browser would."""
        form = self.form(form_of)
        path = form.pop("action") or self.page.request["PATH_INFO"]
        headers = {"origin": ORIGIN, "sec-fetch-site": "same-origin"}
        self.page = self.client.post(path, form | fields, secure=True, follow=follow, headers=headers)
        return self.page

    def sign_up(self, address: str = ADDRESS, name: str = "Ann Archer", password: str = PASSWORD) -> Any:
        """Sign up."""
        self.go("/account/signup/")
        return self.send("password1", email=address, name=name, password1=password)

    def sign_in(self, address: str = ADDRESS, password: str = PASSWORD) -> Any:
        """Give address and password."""
        self.go("/account/login/")
        return self.send("password", login=address, password=password)

    def sign_out(self) -> Any:
        """Sign out."""
        self.go("/venue/")
        return self.send("/account/logout/")

    def enrol(self, clock: venues.Clock) -> str:
        """Set up an app from the sign-in just done; return its secret. The clock is one code further then."""
        self.go("/account/2fa/totp/activate/")
        if "Your password once more" in self.text():
            self.send("password", password=PASSWORD)
        found = re.search(r'class="secret">([A-Z2-7]+)<', self.text())
        assert found is not None, self.text()
        secret = found[1]
        self.send("code", code=totp(secret, clock()))
        clock.pass_seconds(30)
        return secret


def totp(secret: str, instant: int) -> str:
    """Return the code of an instant, microseconds since 1970 (RFC 6238 with SHA-1, 30 seconds, 6 digits)."""
    key = base64.b32decode(secret)
    digest = hmac.digest(key, struct.pack(">Q", instant // 30_000_000), "sha1")
    offset = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[offset : offset + 4])[0] & 0x7FFFFFFF) % 10**6:06}"


def registered(post: Post, address: str = ADDRESS, name: str = "Ann Archer") -> Visitor:
    """Return somebody who has signed up, confirmed the address and signed in."""
    visitor = Visitor()
    visitor.sign_up(address, name)
    visitor.go(post.last_link())
    visitor.send("")
    visitor.sign_in(address)
    return visitor
