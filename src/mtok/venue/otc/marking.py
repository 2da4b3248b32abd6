"""Marks as people make them: one function a command, given by a principal to what is kept.

What a preparer is shown is what the waterfall says of a day (`look`); nobody types a number, but whoever disputes one.
What takes two operators is in `mtok.venue.otc.judging`; what nobody does by hand, in `mtok.venue.otc.printing`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from mtok.calendar import DAY, day_of, format_date, format_instant
from mtok.market.commands import Command
from mtok.market.contracts import RUNNING, Contract
from mtok.market.months import month_of, window_of
from mtok.market.requests import Request
from mtok.publication.marks import Source, source_at, sources_of
from mtok.publication.policy import load_policy
from mtok.settlement import review
from mtok.settlement.guards import refuse_positions
from mtok.settlement.machines import NEW, Refused
from mtok.settlement.marks import MACHINE, Level, Mark, Resolution
from mtok.settlement.people import OPERATORS, Actor
from mtok.settlement.specification import specification
from mtok.settlement.values import Style
from mtok.settlement.waterfall import Waterfall, resolve
from mtok.venue import place
from mtok.venue.accounts.models import Grant, new_id
from mtok.venue.accounts.principals import Principal, refreshed
from mtok.venue.database.books import Change, keep_one
from mtok.venue.database.marks import Kept, is_followed, kept, last_kept, marks_of
from mtok.venue.database.models import ContractRow, RequestRow
from mtok.venue.database.records import KINDS, MARK
from mtok.venue.database.transactions import transaction_of
from mtok.venue.mail import outbox, telling
from mtok.venue.otc.recomputing import recomputed

_LOOKED_BACK_DAYS: Final = 40
"""Marks of so many days before are shown to the waterfall: more than any window and any carried value need."""
_LISTED_DAYS: Final = 400
"""How far back a day without a mark is looked for."""
NEEDING: Final = frozenset({"booked"}) | RUNNING
"""States of a contract that still needs marks."""

Subject = tuple[str, str]
"""What marks are of: a reference and its methodology."""


# ---- what there is to do


@dataclass(frozen=True, kw_only=True)
class Case:
    """A day of a reference, as a preparer finds it. sources : every published value of the day, in the order of the log

    rejected : log indexes that an approver has ruled out for the day · last : the last version of its mark
    """

    reference: str
    methodology: str
    day: int
    sources: tuple[Source, ...]
    rejected: frozenset[int]
    waterfall: Waterfall
    last: Kept | None

    @property
    def is_open(self) -> bool:
        """Whether the day has no mark yet, or but rejected ones."""
        return self.last is None or self.last.mark.state == "rejected"


def due_at(day: int) -> int:
    """Return the instant from which a day can have a mark: the hour of its final print."""
    return (day + 1) * DAY + load_policy().final


def to_prepare(day: int) -> list[Subject]:
    """Return what has no mark of a day and needs one: references of contracts going on and of live requests."""
    return _without_mark(day, _contracts(NEEDING), _live())


def days_to_prepare(now: int) -> list[tuple[int, Subject]]:
    """Return every day whose final print is due, with each reference that has no mark of it and needs one."""
    contracts, requests = _contracts(NEEDING), _live()
    last = day_of(now - load_policy().final) - 1
    first = min((day_of(one.booked_at) for one in contracts), default=last)
    days = range(min(max(first, last - _LISTED_DAYS), last), last + 1)
    return [(day, one) for day in days for one in _without_mark(day, contracts, requests)]


def look(
    reference: str, methodology: str, day: int, now: int, ruled_out: frozenset[int] = frozenset()
) -> Case:
    """Return what there is of a day at an instant. Raises BadCall (`source_unknown`) for what is no reference.

    ruled_out : log indexes that are taken to be rejected too, to see what would follow
    """
    published = place.opened().published
    sources = tuple(
        one for one in sources_of(published, reference, format_date(day)) if one.methodology == methodology
    )
    rejected = _rejected(reference, methodology, day) | ruled_out
    found = resolve(
        day,
        now=now,
        sources=sources,
        earlier=marks_of(reference, methodology, day - _LOOKED_BACK_DAYS, day - 1),
        window=window_of(month_of(day), Style.AVERAGE),
        final=False,
        rules=specification(),
        rejected=rejected,
    )
    return Case(
        reference=reference,
        methodology=methodology,
        day=day,
        sources=sources,
        rejected=rejected,
        waterfall=found,
        last=next(iter(last_kept(reference, methodology, day, day)), None),
    )


def _without_mark(day: int, contracts: Iterable[Contract], requests: Iterable[Request]) -> list[Subject]:
    """Return what contracts and live requests need a mark of on a day, and have none but rejected ones."""
    needed = {
        (one.terms.reference, one.terms.methodology)
        for one in contracts
        if day_of(one.booked_at) <= day <= one.terms.exposure.window.last
    }
    needed |= {
        (one.reference, one.methodology)
        for one in requests
        if one.accepted_at is not None and day >= day_of(one.accepted_at) - 1
    }
    return [one for one in sorted(needed) if _is_open(one, day)]


def _live() -> list[Request]:
    rows = RequestRow.objects.filter(state__in=("live", "paused")).order_by("pk")
    return [KINDS["request"].read(row.record) for row in rows]


def _contracts(states: frozenset[str], **columns: str) -> list[Contract]:
    rows = ContractRow.objects.filter(state__in=states, **columns).order_by("pk")
    return [KINDS["contract"].read(row.record) for row in rows]


def _is_open(subject: Subject, day: int) -> bool:
    last = next(iter(last_kept(*subject, day, day)), None)
    return last is None or last.mark.state == "rejected"


def _rejected(reference: str, methodology: str, day: int) -> frozenset[int]:
    rows = KINDS[MARK].table.objects.filter(
        reference=reference, methodology=methodology, day=day, state="rejected"
    )
    return frozenset(KINDS[MARK].read(row.record).source.index for row in rows)


# ---- the commands of one person


def prepare(
    principal: Principal,
    reference: str,
    methodology: str,
    day: int,
    *,
    decided: int | None = None,
    reason: str | None = None,
) -> Kept:
    """Propose the mark of a day that the waterfall comes to, determined again by a fresh process; it may be held.

    decided : where the waterfall leaves it to two operators (F5), the log entry of the published value they name
    Raises Refused: `not_due`, `withheld`, `level_wrong` and as `review.propose`; BadCall (`source_unknown`).
    """
    MACHINE.step(NEW, "propose", acting(refreshed(principal), "propose", NEW))
    if place.now() < due_at(day):
        raise Refused("not_due", f"not before {format_instant(due_at(day))}", "Wait for the final print.")
    first = _resolution(look(reference, methodology, day, place.now()), decided)
    again = recomputed(place.opening().store, first.source.index) if first.level != Level.CARRIED else None

    def work() -> Kept:
        now, actor = place.now(), acting(refreshed(principal), "propose", NEW)
        case = look(reference, methodology, day, now)
        found = _resolution(case, decided)
        mark = review.propose(
            found,
            before=None if case.last is None else case.last.mark,
            recomputed=again if found.source == first.source else None,
            actor=actor,
            now=now,
            rules=specification(),
            reason=reason,
        )
        said = {"source_index": mark.source.index, "recomputed": again, "reason": reason}
        return keep(mark, None, command="propose", actor=actor, at=now, said=said)

    return transaction_of(work)


def _resolution(case: Case, decided: int | None) -> Resolution:
    """Return what a mark is to rest on. Raises Refused where the waterfall comes to nothing, or to something else."""
    last = case.waterfall.steps[-1]
    if decided is None:
        if case.waterfall.resolution is None:
            raise Refused(
                "withheld",
                f"{case.reference} of {format_date(case.day)}: {last.why}",
                "Wait, or decide (F5).",
            )
        return case.waterfall.resolution
    if last.level != Level.DECIDED:
        raise Refused("level_wrong", f"step {last.level} says: {last.why}", "There is nothing to decide yet.")
    source = source_at(place.opened().published, decided, case.reference)
    return Resolution(day=case.day, level=Level.DECIDED, source=source)


def hold(principal: Principal, identity: str, reason: str) -> Kept:
    """Keep a proposed mark from being approved. Raises Refused as `review.hold`."""

    def make(mark: Mark, actor: Actor, now: int) -> Mark:
        return review.hold(mark, actor=actor, now=now, reason=reason)

    return change(principal, identity, "hold", make, {"reason": reason})


def release(principal: Principal, identity: str, reason: str, evidence: tuple[str, ...]) -> Kept:
    """Go on with a held mark. evidence : sha256 of what is attached. Raises Refused as `review.release`."""

    def make(mark: Mark, actor: Actor, now: int) -> Mark:
        return review.release(mark, actor=actor, now=now, reason=reason, evidence=evidence)

    return change(principal, identity, "release", make, {"reason": reason, "evidence": evidence})


def approve(principal: Principal, identity: str, digest: str) -> Kept:
    """Approve a mark by the digest that was shown. Raises Refused as `review.approve`."""

    def make(mark: Mark, actor: Actor, now: int) -> Mark:
        resolution = look(mark.reference, mark.methodology, mark.day, now).waterfall.resolution
        in_force = None if resolution is None else resolution.source.index
        return review.approve(
            mark, actor=actor, now=now, digest=digest, in_force=in_force, rules=specification()
        )

    return change(principal, identity, "approve", make, {"digest": digest})


def reject(principal: Principal, identity: str, reason: str) -> Kept:
    """Reject a mark; the value it rests on is ruled out for its day. Raises Refused as `review.reject`."""

    def make(mark: Mark, actor: Actor, now: int) -> Mark:
        return review.reject(mark, actor=actor, now=now, reason=reason)

    return change(principal, identity, "reject", make, {"reason": reason})


def dispute(
    principal: Principal, identity: str, own_value: int, reason: str, evidence: tuple[str, ...]
) -> Kept:
    """Dispute a published mark for a participant with a contract on it. own_value : 10⁻⁶ USD per million tokens

    Raises Refused as `review.dispute`, and `not_found` for a mark that is in no log.
    """

    def make(mark: Mark, actor: Actor, now: int) -> Mark:
        return review.dispute(
            mark,
            actor=actor,
            now=now,
            parties=parties_on(mark),
            own_value=own_value,
            reason=reason,
            evidence=evidence,
            rules=specification(),
        )

    said = {"own_value": own_value, "reason": reason, "evidence": evidence}
    return change(principal, identity, "dispute", make, said)


def parties_on(mark: Mark) -> set[str]:
    """Return the participants with a contract that a mark matters to."""
    found = _contracts(NEEDING, reference=mark.reference, methodology=mark.methodology)
    mine = [one for one in found if day_of(one.booked_at) <= mark.day <= one.terms.exposure.window.last]
    return {party for one in mine for party in (one.buyer, one.seller)}


# ---- how a command is given and kept


def change(
    principal: Principal,
    identity: str,
    command: str,
    make: Callable[[Mark, Actor, int], Mark],
    said: dict[str, Any],
) -> Kept:
    """Give a command to a version of a mark, by a principal whose rights are read again; keep what it makes of it.

    said : what the command says beyond its name, for the history
    Raises Refused: `not_found`, `not_yours`, `has_position`, `not_allowed` for a version that is followed.
    """

    def work() -> Kept:
        now, who = place.now(), refreshed(principal)
        found = known(who, identity)
        actor = acting(who, command, found.mark.state)
        return keep(make(found.mark, actor, now), found, command=command, actor=actor, at=now, said=said)

    return transaction_of(work)


def known(who: Principal, identity: str) -> Kept:
    """Return the last version of a mark, for a command. Participants know of those in the log alone."""
    if MACHINE.roles.isdisjoint(who.roles):
        role = who.any_role()
        raise Refused("not_yours", f"{role} has no business with a mark", "Leave it.")
    found = kept(identity, locked=True)
    if found is None or (found.mark.log_index is None and not who.is_operator):
        raise Refused("not_found", f"there is no mark {identity}", "See the list of marks.")
    if is_followed(identity):
        raise Refused("not_allowed", "another version has taken its place", "Look at the last version.")
    return found


def acting(who: Principal, command: str, state: str) -> Actor:
    """Return who gives a command about marks. Raises Refused (`has_position`) for an operator who is a participant too.

    Whatever login they use: it is the person that may have no position.
    """
    actor = who.actor(MACHINE, command, state)
    if actor.role in OPERATORS:
        own = Grant.objects.filter(login__person=who.person, organisation__isnull=False).first()
        refuse_positions(msgspec.structs.replace(actor, party=None if own is None else own.organisation_id))
    return actor


def keep(
    mark: Mark,
    before: Kept | None,
    *,
    command: str,
    actor: Actor,
    at: int,
    said: dict[str, Any],
    second: Actor | None = None,
) -> Kept:
    """Keep a mark with the command that made it, another version under an id of its own, and whom to tell of it."""
    same = before if before is not None and before.mark.version == mark.version else None
    identity = new_id() if same is None else same.id
    subject = identity if before is None else before.id
    cause = Command(kind=MARK, command=command, id=subject, actor=actor, at=at, second=second, details=said)
    version = keep_one(mark, None if same is None else same.version, cause, identity)
    told = Change(before=None if before is None else before.mark, after=mark, version=version)
    outbox.put(telling.told_of_mark(told, identity, parties_on(mark), cause), at)
    return Kept(id=identity, version=version, mark=mark)
