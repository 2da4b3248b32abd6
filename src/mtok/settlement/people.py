"""Who acts: a person in a role, and what keeps two eyes from being four."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec

from mtok.calendar import SECOND

if TYPE_CHECKING:
    from mtok.settlement.specification import Specification


class Role(StrEnum):
    """The roles. A login has one; what is compared between two commands is always the person behind it."""

    PARTICIPANT_USER = "participant_user"
    PARTICIPANT_APPROVER = "participant_approver"
    DESK = "desk"
    MARK_PREPARER = "mark_preparer"
    MARK_APPROVER = "mark_approver"
    TREASURY = "treasury"
    ADMIN = "admin"
    AUDITOR = "auditor"
    PUBLISHER = "svc_publish"
    SYSTEM = "system"


OPERATORS: Final = (Role.DESK, Role.MARK_PREPARER, Role.MARK_APPROVER, Role.TREASURY)
"""Persons of the venue who decide about business; an admin holds no business role."""

PARTICIPANTS: Final = (Role.PARTICIPANT_USER, Role.PARTICIPANT_APPROVER)


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """A person in a role. party : the participant they act for, of participants alone

    stepped_up_at : instant at which they last showed their second factor
    """

    person: str
    role: Role
    party: str | None = None
    stepped_up_at: int | None = None

    def has_stepped_up(self, now: int, rules: Specification) -> bool:
        """Return whether the second factor was shown a short time ago."""
        since = None if self.stepped_up_at is None else now - self.stepped_up_at
        return since is not None and 0 <= since <= rules.step_up_seconds * SECOND


SYSTEM: Final = Actor(person="system", role=Role.SYSTEM)
"""The machine itself: what happens because it is time."""
