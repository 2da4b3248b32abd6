"""Halves of commands that take two: what one person has said, until it is given, taken back or has run out.

A half is of an object as it was. Whoever gives the second one names the digest of what was shown, and the first one's
second factor counts as it did when they said theirs.
"""

from __future__ import annotations

from typing import Final

import msgspec
from django.db.models import QuerySet

from mtok.calendar import DAY
from mtok.canonical import sha256_hex
from mtok.settlement.machines import Refused
from mtok.settlement.people import Actor, Role
from mtok.venue import place
from mtok.venue.accounts.principals import Principal
from mtok.venue.database.models import Intention

LASTS: Final = DAY

OPEN: Final = "open"
GIVEN: Final = "given"
WITHDRAWN: Final = "withdrawn"


def say(
    who: Principal,
    actor: Actor,
    *,
    kind: str,
    identity: str,
    version: int,
    command: str,
    details: str,
    ends_at: int | None = None,
) -> Intention:
    """Keep what somebody has said of an object at a version. ends_at : else it counts for a day"""
    now = place.now()
    return Intention.objects.create(
        kind=kind,
        object=identity,
        object_version=version,
        command=command,
        details=details,
        digest=sha256_hex(f"{kind}\n{identity}\n{version}\n{command}\n{details}".encode()),
        login_id=who.login,
        person=actor.person,
        role=actor.role,
        party=actor.party,
        stepped_up_at=actor.stepped_up_at,
        made_at=now,
        ends_at=now + LASTS if ends_at is None else ends_at,
    )


def still_open() -> QuerySet[Intention]:
    """Return every half that waits, the oldest first; whether the object has changed since is not looked at."""
    return Intention.objects.filter(state=OPEN, ends_at__gt=place.now()).order_by("made_at")


def waits(said: Intention) -> bool:
    """Return whether a half was neither given nor taken back and has not run out."""
    return bool(said.state == OPEN and place.now() < said.ends_at)


def find(identity: str) -> Intention | None:
    """Return a half, whatever has become of it, and keep others from changing it in this transaction."""
    return Intention.objects.select_for_update().filter(pk=identity).first()


def refuse_stale(said: Intention, version: int, digest: str, details: str) -> None:
    """Raise Refused (`intention_stale`) unless a half waits and is of this version, and was shown as this digest.

    details : what the second person says, which has to be the very same
    """
    if not waits(said) or (said.object_version, said.digest, said.details) != (version, digest, details):
        raise Refused(
            "intention_stale", "what was said first is no longer what stands there", "Say it again."
        )


def end(said: Intention, state: str) -> None:
    """Keep what became of a half. state : `given` or `withdrawn`"""
    said.state = state
    said.save(update_fields=["state"])


def speaker(said: Intention) -> Actor:
    """Return who has said a half, as they were then."""
    return Actor(person=said.person, role=Role(said.role), party=said.party, stepped_up_at=said.stepped_up_at)


def first_of_two(said: Intention) -> Actor:
    """Return who has said a half, for the command given now: their second factor is as old as it was when they did."""
    first = speaker(said)
    if first.stepped_up_at is None:
        return first
    return msgspec.structs.replace(first, stepped_up_at=place.now() - (said.made_at - first.stepped_up_at))
