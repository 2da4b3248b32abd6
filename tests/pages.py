"""Pages as tests read them: asked of a real server, parsed into elements with the standard library alone."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from html.parser import HTMLParser
from typing import Final

_VOID: Final = frozenset("area base br col hr img input link meta source wbr".split())


@dataclass
class Element:
    """An element with its attributes, and what is inside it in order."""

    tag: str
    attributes: dict[str, str]
    inside: list[Element | str] = field(default_factory=list)

    def all(self, tag: str, **attributes: str) -> list[Element]:
        """Return every element of a tag below this one; `class_` : one of its classes, others by their whole value."""
        return [one for one in self._below() if one.tag == tag and one._has(attributes)]

    def one(self, tag: str, **attributes: str) -> Element:
        """Return the only one of these."""
        [found] = self.all(tag, **attributes)
        return found

    @property
    def text(self) -> str:
        """What is written in it, white space as a reader sees it."""
        return " ".join(self._raw().split())

    def _raw(self) -> str:
        return "".join(one if isinstance(one, str) else one._raw() for one in self.inside)

    def _below(self) -> Iterator[Element]:
        for one in self.inside:
            if isinstance(one, Element):
                yield one
                yield from one._below()

    def _has(self, attributes: dict[str, str]) -> bool:
        classes = self.attributes.get("class", "").split()
        return all(
            value in classes if name == "class_" else self.attributes.get(name.replace("_", "-")) == value
            for name, value in attributes.items()
        )


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open = [Element("", {})]

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        made = Element(tag, {name: value or "" for name, value in attributes})
        self.open[-1].inside.append(made)
        if tag not in _VOID and not (self.get_starttag_text() or "").endswith("/>"):
            self.open.append(made)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].inside.append(data)


def parsed(text: str) -> Element:
    """Return a page; every element that is opened must be closed, and in order."""
    parser = _Parser()
    parser.feed(text)
    parser.close()
    assert len(parser.open) == 1, f"<{parser.open[-1].tag}> is not closed"
    return parser.open[0]


@dataclass(frozen=True)
class Answered:
    """What a server answered."""

    status: int
    headers: Message
    body: bytes

    @property
    def page(self) -> Element:
        """The body as a page."""
        return parsed(self.body.decode())


def ask(address: str) -> Answered:
    """Return what a server answers, refusals too."""
    try:
        with urllib.request.urlopen(address, timeout=60) as response:
            return Answered(response.status, response.headers, response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answered(error.code, error.headers, error.read())
