"""A rulebook as HTML: every rule has an address (#R-8, #R-8.2), every mention of a rule leads to it.

HTML in the text is not let through: it is shown as text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

_RULE: Final = re.compile(r"R-[0-9]+")
_MENTION: Final = re.compile(r"\bR-[0-9]+(?:\.[0-9]+)?\b")
_NOT_IN_AN_ANCHOR: Final = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, kw_only=True)
class Section:
    """A chapter of a rulebook. anchor : `R-8`, or of a chapter without a rule its title in small letters"""

    anchor: str
    title: str


@dataclass(frozen=True, kw_only=True)
class Rulebook:
    """A rulebook rendered. html : safe · sections : in order · anchors : of every rule and chapter"""

    html: str
    sections: tuple[Section, ...]
    anchors: frozenset[str]


class _Renderer(RendererHTML):
    """Tables and code that scroll by themselves and can be reached by keyboard."""

    def table_open(self, tokens: Sequence[Token], index: int, *_: Any) -> str:
        return f'<div class="scroll" role="region" tabindex="0" aria-label="{tokens[index].meta["label"]}">\n<table>\n'

    def table_close(self, *_: Any) -> str:
        return "</table>\n</div>\n"

    def fence(
        self,
        tokens: Sequence[Token],
        idx: int,
        options: Any,
        env: MutableMapping[str, Any],
    ) -> str:
        inner = super().fence(tokens, idx, options, env)
        return inner.replace("<pre>", '<pre class="code" tabindex="0">', 1)


def render_rulebook(text: str) -> Rulebook:
    """Return a rulebook of Markdown as HTML without its title."""
    parser = MarkdownIt("commonmark", {"html": False}, renderer_cls=_Renderer).enable("table")
    tokens = _without_title(parser.parse(text))
    sections = tuple(_anchored(tokens))
    anchors = frozenset(str(token.attrs["id"]) for token in tokens if "id" in token.attrs)
    for token in tokens:
        if token.children:
            token.children = list(_linked(token.children, anchors))
    html = parser.renderer.render(tokens, parser.options, {})
    return Rulebook(html=str(html), sections=sections, anchors=anchors)


def _without_title(tokens: list[Token]) -> list[Token]:
    if tokens and tokens[0].type == "heading_open" and tokens[0].tag == "h1":
        return tokens[3:]
    return tokens


def _anchored(tokens: list[Token]) -> Iterator[Section]:
    """Give chapters, numbered rules and tables their addresses and names; yield the chapters."""
    anchor, number = "", 0
    for index, token in enumerate(tokens):
        if token.type == "heading_open":
            title = tokens[index + 1].content
            rule = _RULE.match(title)
            anchor = rule[0] if rule else _NOT_IN_AN_ANCHOR.sub("-", title.lower()).strip("-")
            token.attrSet("id", anchor)
            yield Section(anchor=anchor, title=title)
        elif token.type == "ordered_list_open" and token.level == 0:
            number = int(token.attrGet("start") or 1) - 1
        elif token.type == "list_item_open" and token.level == 1 and token.markup == "." and anchor:
            number += 1
            token.attrSet("id", f"{anchor}.{number}")
        elif token.type == "table_open":
            token.meta["label"] = f"Table of {anchor}"
        elif token.type == "th_open":
            token.attrSet("scope", "col")


def _linked(children: Sequence[Token], anchors: frozenset[str]) -> Iterator[Token]:
    """Yield the parts of a text with a link at each mention of a rule, but inside links."""
    inside = 0
    for child in children:
        inside += {"link_open": 1, "link_close": -1}.get(child.type, 0)
        if child.type != "text" or inside:
            yield child
            continue
        end = 0
        for mention in _MENTION.finditer(child.content):
            if mention[0] in anchors:
                yield _text(child.content[end : mention.start()])
                yield Token("link_open", "a", 1, attrs={"href": f"#{mention[0]}"})
                yield _text(mention[0])
                yield Token("link_close", "a", -1)
                end = mention.end()
        yield _text(child.content[end:])


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)
