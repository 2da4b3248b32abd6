"""Guards that several commands share: two persons are two persons, no position, a second factor just shown."""

from __future__ import annotations

from mtok.settlement.machines import Refused
from mtok.settlement.people import Actor
from mtok.settlement.specification import Specification


def refuse_same_person(actor: Actor, *others: str | None) -> None:
    """Raise Refused where two persons are needed and there is one, whatever their logins."""
    if actor.person in others:
        raise Refused("same_person", "it takes two different persons", "Let somebody else do it.")


def refuse_positions(*actors: Actor) -> None:
    """Raise Refused where an operator acts for a participant."""
    if any(actor.party is not None for actor in actors):
        raise Refused(
            "has_position", "who decides about a value may have no position", "Let somebody else do it."
        )


def refuse_without_step_up(actor: Actor, now: int, rules: Specification) -> None:
    """Raise Refused unless the second factor was shown a short time ago."""
    if not actor.has_stepped_up(now, rules):
        raise Refused(
            "step_up",
            f"the second factor was not shown within {rules.step_up_seconds} s",
            "Show it and give the same command again.",
        )
