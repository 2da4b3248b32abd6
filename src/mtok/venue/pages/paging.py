"""Long lists in pages: which one is asked for."""

from __future__ import annotations

from typing import Final

from mtok.errors import AnswerIsNo, BadCall

_DIGITS_MAX: Final = 6


def page_of(asked: str, rows: int, page_rows: int) -> tuple[int, int]:
    """Return which page to show, from 1, and how many there are; nothing asked is the first.

    Raises BadCall for what is no page number, AnswerIsNo for one beyond the last.
    """
    pages = max(-(-rows // page_rows), 1)
    if not asked:
        return 1, pages
    if not (asked.isascii() and asked.isdecimal() and len(asked) <= _DIGITS_MAX and int(asked)):
        raise BadCall("page_invalid", f"page {asked[:20]!r} is no page number", "Pages are numbered from 1.")
    if int(asked) > pages:
        raise AnswerIsNo("page_unknown", f"there is no page {asked}", f"The last page is {pages}.")
    return int(asked), pages
