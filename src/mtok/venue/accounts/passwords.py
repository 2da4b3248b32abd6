"""Passwords: how they are hashed, and what a password must be (OWASP ASVS 5.0.0, 6.2 and 11.4)."""

from __future__ import annotations

import re
from threading import BoundedSemaphore
from typing import Any, Final

from django.contrib.auth.hashers import Argon2PasswordHasher
from django.contrib.auth.password_validation import CommonPasswordValidator
from django.core.exceptions import ValidationError

from mtok.errors import EnvironmentFailed

LENGTH_MIN: Final = 12
LENGTH_MAX: Final = 128
AT_ONCE_MAX: Final = 4
"""Hashings of a process at a time, each of which takes 46 MiB; the others wait."""

SECONDS_MAX: Final = 10
"""How long one waits for its turn before it is refused."""

_HASHING: Final = BoundedSemaphore(AT_ONCE_MAX)
_WORD: Final = re.compile(r"[^\W_]{4,}")


class Argon2id(Argon2PasswordHasher):
    """argon2id with one pass over 47,104 KiB on one lane, the least that ASVS 5.0.0 names for it."""

    time_cost = 1
    memory_cost = 47_104
    parallelism = 1

    def encode(self, password: str, salt: str) -> str:
        """Return the hash of a password."""
        with _Turn():
            return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        """Return whether a password is the one hashed."""
        with _Turn():
            return super().verify(password, encoded)


class _Turn:
    """One of the few that may hash at a time. Raises EnvironmentFailed (`signing_in_busy`) where it takes too long."""

    def __enter__(self) -> None:
        if not _HASHING.acquire(timeout=SECONDS_MAX):
            raise EnvironmentFailed(
                "signing_in_busy", "too many people are signing in at once", "Try again in a minute."
            )

    def __exit__(self, *_: object) -> None:
        _HASHING.release()


class Length:
    """12 characters or more, 128 at most, of any kind."""

    def validate(self, password: str, user: Any = None) -> None:
        """Raise ValidationError for another length."""
        if len(password) < LENGTH_MIN:
            raise ValidationError(
                f"This has {len(password)} characters; a password has {LENGTH_MIN} at least.",
                "password_short",
            )
        if len(password) > LENGTH_MAX:
            raise ValidationError(
                f"This has {len(password)} characters; a password has {LENGTH_MAX} at most.", "password_long"
            )

    def get_help_text(self) -> str:
        """Return what is asked."""
        return f"{LENGTH_MIN} to {LENGTH_MAX} characters of any kind. Several words are easier to keep than signs."


class OwnWords:
    """No password is built around the name of this site or the address it belongs to."""

    def validate(self, password: str, user: Any = None) -> None:
        """Raise ValidationError where one of these words stands in it."""
        address = str(getattr(user, "email", "") or "").casefold()
        found = password.casefold()
        if any(word in found for word in ("mtok", *_WORD.findall(address.partition("@")[0]))):
            raise ValidationError(
                "This contains the name of the site or a part of your address.", "password_context"
            )

    def get_help_text(self) -> str:
        """Return what is asked."""
        return "Without the name of this site and the words of your address."


class Common(CommonPasswordValidator):
    """Not one of the 20,000 passwords that are used most, nor one piece over and over, which guessers try next."""

    def validate(self, password: str, user: Any = None) -> None:
        """Raise ValidationError for what would be guessed first."""
        found = password.casefold()
        if found in self.passwords or found in (found + found)[1:-1]:
            raise ValidationError("This is one of the passwords that are tried first.", "password_common")

    def get_help_text(self) -> str:
        """Return what is asked."""
        return "Nothing that many use, nothing repeated."
