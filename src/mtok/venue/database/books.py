"""The few objects that a command concerns, read into a book of the core, and what is new in it written back.

What is read around an object is closed: with a request come the proposals that hold lots of it, with a proposal both
its requests, with each of these its party and its reference. So whatever time brings to one of them can be done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from django.db.models import Q

from mtok.market.book import CONTRACT, MACHINES, PROPOSAL, REQUEST, Book
from mtok.market.commands import Command
from mtok.market.parties import Party
from mtok.market.proposals import ENDED
from mtok.market.references import Reference
from mtok.market.requests import OPEN
from mtok.settlement.people import SYSTEM
from mtok.settlement.specification import Specification
from mtok.venue.database.models import ContractRow, Event, Kept, ProposalRow, RequestRow
from mtok.venue.database.records import KINDS, details_of, kind_of, record_of
from mtok.venue.database.transactions import Overtaken

Key = tuple[str, str]
"""Kind and id of an object."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """An object before and after a command; before is None of a new one. version : of the object after it"""

    before: Any
    after: Any
    version: int = 0

    @property
    def kind(self) -> str:
        """Which kind of object it is."""
        return kind_of(self.after)


def nothing(book: Book, changes: Sequence[Change], cause: Command) -> None:
    """Let nothing follow from changes."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a book knows beyond the market's own objects: the rules, parties by id, references by name at an instant.

    follow : what is done in the transaction of every change: ledger, mails
    """

    rules: Specification
    parties: Callable[[Iterable[str]], dict[str, Party]]
    references: Callable[[Iterable[str], int], dict[str, Reference]]
    follow: Callable[[Book, Sequence[Change], Command], None] = nothing


@dataclass(kw_only=True)
class Held:
    """A book as it was read, and the versions of its objects."""

    book: Book
    versions: dict[Key, int] = field(default_factory=dict)


def of_command(command: Command, surroundings: Surroundings, *, locked: bool = True) -> Held:
    """Return the book that a command is given to. locked : its rows, each table's in the order of ids"""
    requests: Q = Q(pk__in=())
    proposals: Q = Q(pk__in=())
    if command.kind == REQUEST:
        requests = Q(pk=command.id)
        if command.command == "submit" and command.actor.party:
            requests |= Q(party=command.actor.party, state__in=OPEN)
    else:
        proposals = Q(pk=command.id)
    contracts = Q(pk=command.id) if command.kind == CONTRACT else Q(pk__in=())
    own = () if command.actor.party is None else (command.actor.party,)
    named = () if command.details is None else (getattr(command.details, "reference", None),)
    return read(
        requests,
        proposals,
        contracts,
        surroundings,
        command.at,
        parties=own,
        references=[name for name in named if isinstance(name, str)],
        locked=locked,
    )


def of_party(party: str, surroundings: Surroundings, at: int) -> Held:
    """Return everything a participant has to do with."""
    own = Q(party=party)
    return read(
        own,
        Q(buy__party=party) | Q(sell__party=party),
        Q(buyer=party) | Q(seller=party),
        surroundings,
        at,
        parties=(party,),
    )


def of_all(surroundings: Surroundings, at: int, *, locked: bool = False) -> Held:
    """Return everything that is not over: what a run, a margin run and a clock look at."""
    over = {kind: _final_states(kind) for kind in MACHINES}
    return read(
        ~Q(state__in=over[REQUEST] | {"draft"}),
        ~Q(state__in=ENDED),
        ~Q(state__in=over[CONTRACT]),
        surroundings,
        at,
        locked=locked,
    )


def read(
    requests: Q,
    proposals: Q,
    contracts: Q,
    surroundings: Surroundings,
    at: int,
    *,
    parties: Iterable[str] = (),
    references: Iterable[str] = (),
    locked: bool = False,
) -> Held:
    """Return a book of some objects and of all around them."""
    chosen_contracts = list(ContractRow.objects.filter(contracts).order_by("pk"))
    chosen_requests = list(RequestRow.objects.filter(requests).values_list("pk", flat=True))
    of_chosen = Q(buy__in=chosen_requests) | Q(sell__in=chosen_requests)
    around = proposals | Q(pk__in=[row.pk for row in chosen_contracts]) | (of_chosen & ~Q(state__in=ENDED))
    pairs = list(ProposalRow.objects.filter(around).values_list("pk", "buy_id", "sell_id"))
    needed = {*chosen_requests, *(one for _, *both in pairs for one in both)}
    rows: list[Kept] = [
        *_rows(RequestRow, needed, locked=locked),
        *_rows(ProposalRow, (one for one, _, _ in pairs), locked=locked),
        *_rows(ContractRow, (row.pk for row in chosen_contracts), locked=locked),
    ]
    found = {(row._meta.db_table, row.pk): row for row in rows}
    objects: dict[str, dict[str, Any]] = {kind: {} for kind in MACHINES}
    for (kind, identity), row in found.items():
        objects[kind][identity] = KINDS[kind].read(row.record)
    names = {*parties, *(one.party for one in objects[REQUEST].values())}
    wanted = {*references, *(one.reference for one in objects[REQUEST].values())}
    book = Book(
        rules=surroundings.rules,
        parties=surroundings.parties(names),
        references=surroundings.references(wanted, at),
        requests=objects[REQUEST],
        proposals=objects[PROPOSAL],
        contracts=objects[CONTRACT],
    )
    return Held(book=book, versions={key: row.version for key, row in found.items()})


def _rows(table: type[Any], ids: Iterable[str], *, locked: bool) -> Iterator[Kept]:
    rows = table.objects.filter(pk__in=set(ids)).order_by("pk")
    yield from rows.select_for_update() if locked else rows


def _final_states(kind: str) -> set[str]:
    machine = MACHINES[kind]
    going_on = {row.state for row in machine.rows}
    return set(machine.states) - going_on


def keep(held: Held, after: Book, cause: Command) -> list[Change]:
    """Write what is new in a book, each object's change as an event of its cause, and return it.

    The book that was held is the new one from then on. Raises Overtaken where an object has changed since it was read.
    """
    kept = []
    for change in _changes(held.book, after):
        key = change.kind, change.after.id
        held.versions[key] = keep_one(change.after, held.versions.get(key), cause)
        kept.append(replace(change, version=held.versions[key]))
    held.book = after
    return kept


def _changes(before: Book, after: Book) -> Iterator[Change]:
    for kind in MACHINES:
        old, new = getattr(before, f"{kind}s"), getattr(after, f"{kind}s")
        for identity, one in new.items():
            if one is not old.get(identity) and one != old.get(identity):
                yield Change(before=old.get(identity), after=one)


def keep_one(one: Any, version: int | None, cause: Command, identity: str | None = None) -> int:
    """Write an object and its event; return its version. version : as it was read, None of a new one

    identity : where the object has no id of its own
    """
    name = identity or one.id
    kind = KINDS[kind_of(one)]
    columns = {"state": one.state, "record": record_of(one), **kind.columns(one)}
    if version is None:
        kind.table.objects.create(pk=name, version=0, **columns)
        after = 0
    else:
        after = version + 1
        if not kind.table.objects.filter(pk=name, version=version).update(version=after, **columns):
            raise Overtaken(name)
    second = None if cause.second is None else cause.second.person
    Event.objects.create(
        at=cause.at,
        kind=kind_of(one),
        object=name,
        version=after,
        command=f"{cause.kind}.{cause.command}",
        subject=cause.id,
        person=cause.actor.person,
        role=cause.actor.role,
        party=cause.actor.party,
        second=second,
        details=details_of(cause.details),
        state=one.state,
        record=columns["record"],
    )
    return after


_TIME: Final = "time"


def by_time(at: int) -> Command:
    """Return the cause of what happens because it is time."""
    return Command(kind=_TIME, command="passes", id="", actor=SYSTEM, at=at)
