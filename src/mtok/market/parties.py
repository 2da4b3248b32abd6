"""Who trades: a participant as the venue knows it, and as its counterparty may come to know it."""

from __future__ import annotations

import unicodedata
from functools import cached_property
from typing import Final

import msgspec

from mtok.canonical import sha256_hex

NONCE_BYTES: Final = 32
_LEI_CHARS: Final = 20


class Party(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A participant. group : its beneficial owners, the same for sister companies · lei : ISO 17442

    credit_class : its own; accepts : classes it deals with · allowed : legal names it deals with, all when empty;
    blocked : those it never deals with · known_until : day from which its identity must be checked again
    contact : for settlement, sealed; nothing here reads it
    """

    id: str
    group: str
    legal_name: str
    lei: str
    contact: str
    credit_class: str
    accepts: frozenset[str]
    allowed: frozenset[str] = frozenset()
    blocked: frozenset[str] = frozenset()
    known_until: int = 0
    is_suspended: bool = False

    def may_trade(self, day: int) -> bool:
        """Return whether it is not suspended and its identity is checked (C10)."""
        return not self.is_suspended and day < self.known_until

    def refuses(self, other: Party) -> bool:
        """Return whether it does not deal with another: by name, or by credit class (C8)."""
        if other.credit_class not in self.accepts or other.plain in self._blocked:
            return True
        return bool(self._allowed) and other.plain not in self._allowed

    @cached_property
    def plain(self) -> str:
        """Its legal name as names are compared."""
        return plain_name(self.legal_name)

    @cached_property
    def _blocked(self) -> frozenset[str]:
        return frozenset(map(plain_name, self.blocked))

    @cached_property
    def _allowed(self) -> frozenset[str]:
        return frozenset(map(plain_name, self.allowed))


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """What opens a commitment to a name. nonce : 64 hexadecimal digits"""

    nonce: str
    legal_name: str
    lei: str


def plain_name(legal_name: str) -> str:
    """Return a legal name as names are compared: without case, width of letters and runs of blanks."""
    return " ".join(unicodedata.normalize("NFKC", legal_name).casefold().split())


def commitment(opening: Opening) -> str:
    """Return the sha256 of nonce, legal name and LEI; nonce and LEI have fixed lengths, so no two names share it.

    Raises ValueError for a nonce that is not 32 bytes, a name that is empty, or an LEI that is none (ISO 17442).
    """
    nonce = bytes.fromhex(opening.nonce)
    if len(nonce) != NONCE_BYTES:
        raise ValueError(f"a nonce of {len(nonce)} bytes, not {NONCE_BYTES}")
    if not opening.legal_name.strip():
        raise ValueError("a legal name of no characters")
    if not is_lei(opening.lei):
        raise ValueError(f"{opening.lei!r} is no LEI")
    return sha256_hex(nonce + opening.legal_name.encode() + opening.lei.encode())


def is_lei(text: str) -> bool:
    """Return whether a text is a legal entity identifier: 20 characters whose check digits fit (ISO 17442, ISO 7064).

    >>> is_lei("529900T8BM49AURSDO55"), is_lei("529900T8BM49AURSDO54")
    (True, False)
    """
    if len(text) != _LEI_CHARS or not text.isascii() or not text.isalnum() or text != text.upper():
        return False
    return int("".join(str(int(one, 36)) for one in text)) % 97 == 1
