"""Which constituent a user's model is: as OpenRouter writes it, or so that only one can be meant; nothing is guessed.

Exports write one model in several ways: `openai/gpt-5-mini-2025-08-07`, `GPT-5-mini`, `claude-sonnet-4-5-20250929` for
`anthropic/claude-4.5-sonnet-20250929`. Two spellings are the same name when they have the same words, in any order, the
same numbers in the same order, the same date and the same variant; a name without a date means the dated one where
there is only one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Final, NamedTuple

SUGGESTIONS_MAX: Final = 3
_STANDARD: Final = "standard"
_DATE: Final = re.compile(r"-(20[0-9]{2})-?([0-9]{2})-?([0-9]{2})$")
_INSIDE_A_NUMBER: Final = re.compile(r"(?<=[0-9])-(?=[0-9])")


class Spelling(NamedTuple):
    """A name whatever its notation. author, date (in digits) : empty where none is written"""

    author: str
    words: tuple[str, ...]
    date: str
    variant: str


def spelling(name: str) -> Spelling:
    """Return what a name says.

    >>> spelling("Claude-Sonnet-4-5-20250929")[1:] == spelling("anthropic/claude-4.5-sonnet-20250929")[1:]
    True
    """
    path, _, variant = name.strip().lower().partition(":")
    author, _, short = path.rpartition("/")
    date = _DATE.search(short)
    undated = short[: date.start()] if date else short
    words = _INSIDE_A_NUMBER.sub(".", undated.replace("_", "-").replace(" ", "-")).split("-")
    return Spelling(
        author,
        tuple(sorted(filter(None, words))),
        "".join(date.groups()) if date else "",
        variant or _STANDARD,
    )


@dataclass(frozen=True, kw_only=True)
class Named:
    """What a name was found to mean. reason : why it is no constituent, `unknown` or `ambiguous`, of `several`"""

    constituent: str | None = None
    reason: str = ""
    several: tuple[str, ...] = ()


class Names:
    """The constituents of some days, by every spelling."""

    def __init__(self, constituents: Iterable[str]) -> None:
        self._known = sorted(set(constituents))
        self._spelled: defaultdict[Spelling, list[str]] = defaultdict(list)
        for name in self._known:
            own = spelling(name)
            for author in (own.author, ""):
                self._spelled[own._replace(author=author)].append(name)
                if own.date:
                    self._spelled[own._replace(author=author, date="any")].append(name)
        self.find = cache(self._find)

    def _find(self, asked: str) -> Named:
        """Return the constituent that `asked` means, or why it means none."""
        if asked.strip() in self._known:
            return Named(constituent=asked.strip())
        own = spelling(asked)
        found = self._spelled.get(own) or (
            self._spelled.get(own._replace(date="any")) if not own.date else None
        )
        if not found:
            return Named(reason="unknown")
        if len(found) > 1:
            return Named(reason="ambiguous", several=tuple(found))
        return Named(constituent=found[0])

    def nearest(self, asked: str) -> tuple[str, ...]:
        """Return the constituents most like a name that means none: milliseconds of work each time."""
        asked = asked.strip().lower()[:100]
        if "/" in asked:
            return tuple(get_close_matches(asked, self._known, SUGGESTIONS_MAX))
        short = {name.partition("/")[2]: name for name in self._known}
        return tuple(short[name] for name in get_close_matches(asked, short, SUGGESTIONS_MAX))
