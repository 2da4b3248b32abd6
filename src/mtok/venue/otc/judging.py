"""What two operators decide about a published mark: one says it with a reason, another one confirms the very same.

Neither may have made the version. The number is nobody's: a correction points at a later vintage of the same point.
"""

from __future__ import annotations

import json
from typing import Any, Final

from mtok.publication.marks import Source, source_at
from mtok.settlement import review
from mtok.settlement.guards import refuse_without_step_up
from mtok.settlement.machines import Refused
from mtok.settlement.marks import MACHINE, Level, Mark, Resolution
from mtok.settlement.people import Actor
from mtok.settlement.specification import specification
from mtok.venue import place
from mtok.venue.accounts.principals import Principal, refreshed
from mtok.venue.database.marks import Kept
from mtok.venue.database.models import Intention
from mtok.venue.database.records import MARK, details_of
from mtok.venue.database.transactions import transaction_of
from mtok.venue.otc import halves
from mtok.venue.otc.marking import acting, keep, known, look

COMMANDS: Final = ("uphold", "correct")
_LATE: Final = "source_late"


def later_sources(mark: Mark, now: int) -> list[Source]:
    """Return the values a mark may be corrected to: later final ones of its own day."""
    sources = look(mark.reference, mark.methodology, mark.day, now).sources
    return [
        one
        for one in sources
        if one.stage == "final" and one.value is not None and one.index > mark.source.index
    ]


def intend(
    principal: Principal, identity: str, command: str, reason: str, source_index: int | None = None
) -> Intention:
    """Say that a mark is upheld, or corrected to the value at a place in the log; another operator confirms it.

    What the core would refuse of this person alone it refuses at once. Raises Refused: `involved`, `step_up`,
    `source_wrong`, `not_allowed`, `has_position` and others.
    """

    def work() -> Intention:
        now, who = place.now(), refreshed(principal)
        found = known(who, identity)
        actor = acting(who, command, found.mark.state)
        MACHINE.step(found.mark.state, command, actor)
        refuse_without_step_up(actor, now, specification())
        _judged(found.mark, command, actor, _anybody_else(actor), now, reason, source_index)
        return halves.say(
            who,
            actor,
            kind=MARK,
            identity=identity,
            version=found.version,
            command=command,
            details=details_of({"reason": reason, "source_index": source_index}),
        )

    return transaction_of(work)


def intentions(found: Kept) -> list[Intention]:
    """Return what is half said of a mark as it is now."""
    rows = halves.still_open().filter(kind=MARK, object=found.id, object_version=found.version)
    return list(rows)


def confirm(principal: Principal, intention: str, digest: str) -> Kept:
    """Give, as the second operator, the command that the first has said, by the digest that was shown.

    Raises Refused: `not_found`, `intention_stale`, and as `review.uphold` and `review.correct`.
    """

    def work() -> Kept:
        now, who = place.now(), refreshed(principal)
        said = halves.find(intention)
        if said is None or said.kind != MARK or MACHINE.roles.isdisjoint(who.roles):
            raise Refused("not_found", "nothing waits to be confirmed under this id", "See the mark.")
        found = known(who, said.object)
        halves.refuse_stale(said, found.version, digest, said.details)
        first, second = halves.first_of_two(said), acting(who, said.command, found.mark.state)
        content = said_of(said)
        after = _judged(
            found.mark, said.command, first, second, now, content["reason"], content["source_index"]
        )
        halves.end(said, halves.GIVEN)
        return keep(after, found, command=said.command, actor=first, at=now, said=content, second=second)

    return transaction_of(work)


def said_of(intention: Intention) -> dict[str, Any]:
    """Return what was said: `reason`, and `source_index` of a correction."""
    content: dict[str, Any] = json.loads(intention.details)
    return content


def _judged(
    mark: Mark, command: str, first: Actor, second: Actor, now: int, reason: str, source_index: int | None
) -> Mark:
    """Return what two operators make of a mark."""
    rules = specification()
    if command == "uphold":
        return review.uphold(mark, actor=first, second=second, now=now, reason=reason, rules=rules)
    if source_index is None:
        raise Refused("source_wrong", "no later value is named", "Choose one of those that were published.")
    source = source_at(place.opened().published, source_index, mark.reference)
    level = Level.LATE if source.reason == _LATE else Level.FINAL
    found = Resolution(day=mark.day, level=level, source=source)
    return review.correct(mark, found, actor=first, second=second, now=now, reason=reason, rules=rules)


def _anybody_else(actor: Actor) -> Actor:
    """Return a second operator that nobody is, to try whether the first may say it at all."""
    return Actor(person="", role=actor.role, stepped_up_at=actor.stepped_up_at)
