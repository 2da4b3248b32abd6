"""What pages and API do with the market: give a command as somebody, say half of one that takes two, look at objects.

Nothing else writes the market's tables. Every command is given after the run that was due before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.db.models import Q

from mtok.market import reveal
from mtok.market.book import CONTRACT, MACHINES, PROPOSAL, REQUEST, Book, advance, apply
from mtok.market.commands import Command
from mtok.settlement.machines import NEW, Refused
from mtok.settlement.people import PARTICIPANTS, Actor, Role
from mtok.settlement.specification import specification
from mtok.venue import place
from mtok.venue.accounts.parties import parties
from mtok.venue.accounts.principals import Principal, refreshed
from mtok.venue.database import books, giving, ledger
from mtok.venue.database.books import Change, Held, Surroundings
from mtok.venue.database.giving import Given
from mtok.venue.database.marks import note_uses
from mtok.venue.database.models import Intention
from mtok.venue.database.records import KINDS, details_of
from mtok.venue.database.references import references
from mtok.venue.database.transactions import Overtaken, transaction_of
from mtok.venue.mail import outbox, telling
from mtok.venue.otc import halves

_T = TypeVar("_T")


def follow(book: Book, changes: Sequence[Change], cause: Command) -> None:
    """Do what follows from changes, in their transaction."""
    note_uses(changes, cause)
    ledger.post(changes, cause)
    outbox.put(telling.told(book, changes, cause), place.now())


def surroundings() -> Surroundings:
    """Return what the book of this venue knows beyond the market's own objects."""
    return Surroundings(rules=specification(), parties=parties, references=references, follow=follow)


def give(
    principal: Principal,
    kind: str,
    command: str,
    identity: str,
    details: Any = None,
    *,
    second: Actor | None = None,
) -> Given:
    """Give a command as a principal, whose rights are read again in the same transaction.

    Raises Refused as the core does, EnvironmentFailed (`too_busy`).
    """

    def work() -> Given:
        now = place.now()
        who = refreshed(principal)
        actor = who.actor(MACHINES[kind], command, _state(kind, identity))
        asked = Command(
            kind=kind, command=command, id=identity, actor=actor, at=now, second=second, details=details
        )
        return giving.give(asked, surroundings())

    return in_time(work)


def in_time(work: Callable[[], _T]) -> _T:
    """Return what `work` returns, in one transaction in which commands are given: every run that is due comes before.

    Raises as `transaction_of`.
    """
    from mtok.venue.otc import clockwork

    def after_runs() -> _T:
        if not clockwork.is_run(place.now()):
            raise Overtaken("a run is due")
        return work()

    return transaction_of(after_runs, before=lambda: clockwork.make_runs(place.now()))


def _state(kind: str, identity: str) -> str:
    row = KINDS[kind].table.objects.filter(pk=identity).values_list("state", flat=True).first()
    return NEW if row is None else str(row)


# ---- commands that take two


def intend(principal: Principal, kind: str, command: str, identity: str, details: Any = None) -> Intention:
    """Say half of a command that takes two persons; another one confirms it with `confirm`.

    Raises Refused where the object is not theirs to know of, or its table does not list the command for them.
    """

    def work() -> Intention:
        who, state = refreshed(principal), _state(kind, identity)
        actor = who.actor(MACHINES[kind], command, state)
        refuse_unseen(actor, kind, identity)
        MACHINES[kind].step(state, command, actor)
        return halves.say(
            who,
            actor,
            kind=kind,
            identity=identity,
            version=_version(kind, identity),
            command=command,
            details=details_of(details),
        )

    return in_time(work)


def said_by_sides(identity: str) -> list[Intention]:
    """Return what one side has said of a contract as it is now, for the other one; no operator's half."""
    found = halves.still_open().filter(kind=CONTRACT, object=identity, party__isnull=False)
    return list(found.filter(object_version=_version(CONTRACT, identity)))


def confirm(principal: Principal, intention: str, digest: str, details: Any = None) -> Given:
    """Give the command that somebody else has said half of. details : the same, as it is to be given

    Raises Refused: `not_found`, `intention_stale`, and as the core does.
    """

    def work() -> Given:
        said = halves.find(intention)
        if said is None:
            raise Refused("not_found", "nothing waits to be confirmed under this id", "See the list.")
        kind, identity, command = said.kind, said.object, said.command
        actor = refreshed(principal).actor(MACHINES[kind], command, _state(kind, identity))
        refuse_unseen(actor, kind, identity)
        halves.refuse_stale(said, _version(kind, identity), digest, details_of(details))
        halves.end(said, halves.GIVEN)
        return give(principal, kind, command, identity, details, second=halves.first_of_two(said))

    return in_time(work)


def withdraw(principal: Principal, intention: str) -> None:
    """Take back what one has said oneself. Raises Refused (`not_found`) of what nobody waits to confirm."""

    def work() -> None:
        said = halves.find(intention)
        if said is None or said.state != halves.OPEN or said.person != principal.person:
            raise Refused(
                "not_found", "nothing of yours waits to be confirmed under this id", "See the list."
            )
        halves.end(said, halves.WITHDRAWN)

    transaction_of(work)


def is_current(intention: Intention) -> bool:
    """Return whether the object is still the one that something was said of."""
    return bool(intention.object_version == _version(intention.kind, intention.object))


def _version(kind: str, identity: str) -> int:
    row = KINDS[kind].table.objects.filter(pk=identity).values_list("version", flat=True).first()
    return -1 if row is None else int(row)


def refuse_unseen(actor: Actor, kind: str, identity: str) -> None:
    """Raise Refused (`not_found`) for what an actor must not know of, in the words of the core."""
    held = around(kind, identity)
    found = held.book.find(kind, identity)
    hidden = found is not None and actor.role in PARTICIPANTS and actor.party not in held.book.owners(found)
    if found is None or hidden:
        raise Refused("not_found", f"there is no {kind} {identity}", "See the list of yours.")


# ---- looking


def around(kind: str, identity: str) -> Held:
    """Return an object with all around it, to look at."""
    asked = Command(
        kind=kind, command="look", id=identity, actor=Actor(person="", role=Role.SYSTEM), at=place.now()
    )
    return books.of_command(asked, surroundings(), locked=False)


def seen(principal: Principal, kind: str, identity: str, role: Role) -> dict[str, Any]:
    """Return what a principal sees of an object in one of their roles. Raises Refused (`not_found`) of nothing."""
    held, actor, now = around(kind, identity), principal.as_role(role), place.now()
    book = advance(held.book, now)
    found = book.find(kind, identity)
    shown = {} if found is None else reveal.view(book, found, actor, now)
    if not shown:
        raise Refused("not_found", f"there is no {kind} {identity}", "See the list of yours.")
    return shown


def own(principal: Principal) -> dict[str, list[dict[str, Any]]]:
    """Return all that a participant sees, by kind."""
    assert principal.party is not None
    held = books.of_party(principal.party, surroundings(), place.now())
    return reveal.views(held.book, principal.as_role(Role.PARTICIPANT_USER), place.now())


def listed(
    principal: Principal,
    role: Role,
    kind: str,
    *,
    states: Sequence[str] = (),
    after: str = "",
    size: int = 50,
) -> list[dict[str, Any]]:
    """Return what an operator sees of a kind of object, whatever has become of it, by id; those after an id alone.

    states : only of these, all of them where none is named
    """
    rows = KINDS[kind].table.objects.filter(pk__gt=after).order_by("pk")
    chosen = rows.filter(state__in=states) if states else rows
    return some(principal, role, kind, list(chosen.values_list("pk", flat=True)[:size]))


def some(principal: Principal, role: Role, kind: str, identities: Sequence[str]) -> list[dict[str, Any]]:
    """Return what an operator sees of some objects of a kind, in their order."""
    chosen = {one: Q(pk__in=identities if one == kind else ()) for one in MACHINES}
    now = place.now()
    held = books.read(chosen[REQUEST], chosen[PROPOSAL], chosen[CONTRACT], surroundings(), now)
    book, actor = advance(held.book, now), principal.as_role(role)
    found = [one for name in identities if (one := book.find(kind, name)) is not None]
    return [shown for one in found if (shown := reveal.view(book, one, actor, now))]


def rehearsed(
    principal: Principal, role: Role, kind: str, command: str, identity: str, details: Any = None
) -> dict[str, Any]:
    """Return an object as a command would leave it, as its giver would see it; nothing is given and nothing kept.

    Of a command that takes two the other person is thought of as there. Raises Refused as the command would.
    """
    actor, now = principal.as_role(role), place.now()
    other = Actor(person="the other person", role=role, stepped_up_at=now)
    asked = Command(
        kind=kind, command=command, id=identity, actor=actor, at=now, second=other, details=details
    )
    held = books.of_command(asked, surroundings(), locked=False)
    after = apply(held.book, asked)
    found = after.find(kind, identity)
    assert found is not None
    return reveal.view(after, found, actor, now)


def all_open(principal: Principal, role: Role) -> dict[str, list[dict[str, Any]]]:
    """Return what an operator sees of everything that is not over, by kind."""
    held = books.of_all(surroundings(), place.now())
    return reveal.views(held.book, principal.as_role(role), place.now())
