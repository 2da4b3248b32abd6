"""What goes into the log of marks, and what time brings to them: published, upheld for want of a judge, locked.

The log comes first and the database after it. Whatever is interrupted in between is found in the log the next time, is
not said twice, and is then kept. Persons stand in the log by pseudonyms that only the venue's master key can make.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from mtok.archive import Store
from mtok.calendar import parse_instant
from mtok.errors import AnswerIsNo, BadCall, EnvironmentFailed
from mtok.progress import silent
from mtok.publication.marks import MARKS_MAX, MarkPrint, marks_of
from mtok.publication.operators import publish_marks
from mtok.publication.press import Outside
from mtok.settlement import review
from mtok.settlement.marks import Mark, print_of
from mtok.settlement.people import SYSTEM, Actor, Role
from mtok.settlement.specification import specification
from mtok.venue import place
from mtok.venue.database.marks import Kept, kept, of_state
from mtok.venue.database.transactions import transaction_of
from mtok.venue.environment import venue_environment
from mtok.venue.otc.marking import keep
from mtok.venue.upkeep import keys

PUBLISHER: Final = Actor(person="publisher", role=Role.PUBLISHER)
"""The machine itself where it publishes."""
_LOCKABLE: Final = ("published", "upheld", "corrected")


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A print that is due. command : what is given to the mark once it is in the log, None where that has happened"""

    kept: Kept
    print: MarkPrint
    command: str | None


@dataclass(frozen=True, kw_only=True)
class Printed:
    """What a call has done: marks that were changed by the log, and what refused to be printed, in words."""

    count: int
    refused: tuple[str, ...]


def pseudonym(person: str) -> str:
    """Return the name a person has in the log."""
    return keys.pseudonym(person, venue_environment().place())


def let_lapse(now: int) -> int:
    """Let every mark stand whose dispute nobody has resolved in time; return how many."""

    def lapse(mark: Mark) -> Mark:
        return review.lapse(mark, actor=SYSTEM, now=now)

    due = [one for one in of_state("disputed") if one.mark.dispute and now >= one.mark.dispute.resolve_until]
    return sum(_give(one, "lapse", SYSTEM, now, lapse, None) for one in due)


def waiting(now: int) -> list[Waiting]:
    """Return what the log does not say yet, or says without the database knowing."""
    said = marks_of(place.opened().published.entries)
    found = [*_to_publish(), *_upheld(), *_to_lock(now)]
    return [one for one in found if one.command is not None or one.print not in said]


def publish_due(now: int, outside: Outside) -> Printed:
    """Print what is due and keep that it is in the log. outside : what remembers the log's head, by its origin

    A mark that the publisher refuses costs no other one. Raises EnvironmentFailed where nothing can be published.
    """
    count, refused = 0, list[str]()
    due = waiting(now)
    for first in range(0, len(due), MARKS_MAX):
        for group in _fit_groups(due[first : first + MARKS_MAX], now, outside, refused):
            count += sum(_kept_as_printed(one, index, now) for one, index in group)
    return Printed(count=count, refused=tuple(refused))


def _to_publish() -> Iterator[Waiting]:
    for one in of_state("approved", "corrected"):
        if one.mark.log_index is None:
            yield Waiting(kept=one, print=print_of(one.mark, pseudonym), command="publish")


def _upheld() -> Iterator[Waiting]:
    for one in of_state("upheld"):
        yield Waiting(kept=one, print=print_of(one.mark, pseudonym), command=None)


def _to_lock(now: int) -> Iterator[Waiting]:
    for one in of_state(*_LOCKABLE):
        until = one.mark.dispute_until
        if one.mark.log_index is not None and until is not None and now >= until:
            locked = review.lock(one.mark, actor=SYSTEM, now=now)
            yield Waiting(kept=one, print=print_of(locked, pseudonym), command="lock")


def _fit_groups(
    due: Sequence[Waiting], now: int, outside: Outside, refused: list[str]
) -> Iterator[list[tuple[Waiting, int]]]:
    """Yield what was printed with its place in the log: all at once, or where one is unfit each by itself."""
    try:
        yield _printed(due, now, outside)
        return
    except (AnswerIsNo, BadCall):
        pass
    for one in due:
        try:
            yield _printed([one], now, outside)
        except (AnswerIsNo, BadCall) as error:
            refused.append(f"{error.code}: {error.found}")


def _printed(due: Sequence[Waiting], now: int, outside: Outside) -> list[tuple[Waiting, int]]:
    prints = [one.print for one in due]
    return list(zip(due, publish_marks(_store(), now, outside, prints, silent), strict=True))


def _store() -> Store:
    path = place.opening().store
    if path is None:
        raise EnvironmentFailed(
            "store_missing",
            "this venue has but a copy of a publication, which nothing can be added to",
            "Run it beside the store that publishes.",
        )
    return Store.open(path)


def _kept_as_printed(one: Waiting, index: int, now: int) -> bool:
    """Keep of a mark what the log says of it, as of the instant of its entry; return whether that was new."""
    if one.command is None:
        return False
    if one.command == "lock":
        return _give(one.kept, "lock", SYSTEM, now, _locked_at(now), index)
    printed_at = parse_instant(place.opened().published.entries[index]["time"])

    def publish(mark: Mark) -> Mark:
        return review.publish(mark, actor=PUBLISHER, now=printed_at, log_index=index, rules=specification())

    return _give(one.kept, "publish", PUBLISHER, now, publish, index)


def _locked_at(now: int) -> Callable[[Mark], Mark]:
    return lambda mark: review.lock(mark, actor=SYSTEM, now=now)


def _give(
    found: Kept, command: str, actor: Actor, now: int, make: Callable[[Mark], Mark], index: int | None
) -> bool:
    """Give a command to a mark unless somebody has changed it in the meantime; then the next time sees to it."""

    def work() -> bool:
        current = kept(found.id, locked=True)
        if current is None or current.version != found.version:
            return False
        said = {} if index is None else {"log_index": index}
        keep(make(current.mark), current, command=command, actor=actor, at=now, said=said)
        return True

    return transaction_of(work)
