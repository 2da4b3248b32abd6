"""A command of the core, given to what is kept: read what it concerns, apply it, keep what is new; one transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import msgspec
from django.db.models import Q

from mtok.market.book import Book, advance, apply, interests, last_marks, margin_run, run
from mtok.market.commands import Command
from mtok.market.contracts import Marked
from mtok.market.matching import inputs_bytes
from mtok.settlement.machines import Refused
from mtok.settlement.marks import Mark
from mtok.venue.database import books, runs
from mtok.venue.database.books import Change, Held, Surroundings, by_time
from mtok.venue.database.transactions import transaction_of


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a command did: the objects around it afterwards, and those that have changed, in order."""

    book: Book
    changes: tuple[Change, ...]


def give(command: Command, surroundings: Surroundings) -> Given:
    """Give a command; what was due before it happens first. Raises Refused; then nothing is kept, not even that."""

    def work() -> Given:
        held = books.of_command(command, surroundings)
        changes = _passed(held, command.at, surroundings)
        changes += _kept(held, apply(held.book, command), command, surroundings)
        return Given(book=held.book, changes=tuple(changes))

    return transaction_of(work)


def let_time_pass(surroundings: Surroundings, at: int) -> Given:
    """Do to everything what is due by an instant."""

    def work() -> Given:
        held = books.of_all(surroundings, at, locked=True)
        return Given(changes=tuple(_passed(held, at, surroundings)), book=held.book)

    return transaction_of(work)


def look_at_run(surroundings: Surroundings, at: int) -> None:
    """Keep what the run of an instant looks at, before anything is matched; the same again keeps nothing twice."""

    def work() -> None:
        held = books.of_all(surroundings, at, locked=True)
        _passed(held, at, surroundings)
        said = _inputs(held.book, at)
        if said != runs.inputs_of(at):
            runs.keep(at, runs.INPUTS, said)

    transaction_of(work)


def give_run(surroundings: Surroundings, at: int, identities: Iterator[str]) -> Given | None:
    """Make the run of an instant; None, and nothing, unless it looks at the very bytes that were kept.

    identities : new ids
    """

    def work() -> Given | None:
        held = books.of_all(surroundings, at, locked=True)
        changes = _passed(held, at, surroundings)
        if runs.is_made(at) or _inputs(held.book, at) != runs.inputs_of(at):
            return None
        after, made = run(held.book, at, identities)
        runs.keep(at, runs.OUTPUTS, made.outputs.decode())
        cause = msgspec.structs.replace(by_time(at), kind="proposal", command="match")
        changes += _kept(held, after, cause, surroundings)
        return Given(changes=tuple(changes), book=held.book)

    return transaction_of(work)


def _inputs(book: Book, at: int) -> str:
    taking_part = interests(book, at)
    return inputs_bytes(taking_part, last_marks(book, taking_part)).decode()


def give_margin(
    surroundings: Surroundings, marks: Iterable[Mark], day: int, at: int, contracts: Collection[str]
) -> tuple[Given, dict[str, Refused]]:
    """Take the margin of a day of contracts; return why some have none. Again, it takes the rest."""
    found, none = tuple(marks), Q(pk__in=())

    def work() -> tuple[Given, dict[str, Refused]]:
        held = books.read(none, none, Q(pk__in=contracts), surroundings, at, locked=True)
        changes = _passed(held, at, surroundings)
        after, refused = margin_run(held.book, found, day, at)
        said = Marked(marks=found, day=day)
        cause = msgspec.structs.replace(by_time(at), kind="contract", command="margin", details=said)
        changes += _kept(held, after, cause, surroundings)
        return Given(changes=tuple(changes), book=held.book), refused

    return transaction_of(work)


def _passed(held: Held, at: int, surroundings: Surroundings) -> list[Change]:
    """Keep what time has brought to the objects that are held."""
    return _kept(held, advance(held.book, at), by_time(at), surroundings)


def _kept(held: Held, after: Book, cause: Command, surroundings: Surroundings) -> list[Change]:
    """Keep what is new, and in the same transaction all that follows from it."""
    changes = books.keep(held, after, cause)
    if changes:
        surroundings.follow(held.book, changes, cause)
    return changes
