"""Reviewing marks: one function a command. Each takes a mark and returns the next one, or raises `Refused`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from mtok.calendar import SECOND, format_date, format_instant, parse_date
from mtok.publication.marks import Source
from mtok.settlement.business_days import deadline
from mtok.settlement.guards import refuse_positions, refuse_same_person, refuse_without_step_up
from mtok.settlement.machines import NEW, Refused
from mtok.settlement.marks import MACHINE, Dispute, Level, Mark, Reason, Resolution
from mtok.settlement.people import Actor
from mtok.settlement.specification import Specification
from mtok.settlement.values import price_text

REASON_MAX: Final = 4000
"""Characters of a written reason."""


def propose(
    found: Resolution,
    *,
    before: Mark | None,
    recomputed: str | None,
    actor: Actor,
    now: int,
    rules: Specification,
    reason: str | None = None,
) -> Mark:
    """Return the mark of a day, proposed or held.

    before : its last version, which has to be rejected · reason : of level F5
    recomputed : digest that a fresh process came to from the archive, None where none has run
    Raises Refused: `version_exists`, `withheld`, `not_final`, `level_wrong`, `reason_missing`.
    """
    row = MACHINE.step(NEW, "propose", actor)
    source = found.source
    if before is not None and before.state != "rejected":
        raise Refused(
            "version_exists",
            f"version {before.version} of {before.date} is {before.state}",
            "Only a rejected version is followed by another proposal; a published one is corrected.",
        )
    _refuse_unfit(found, rules)
    if found.level == Level.DECIDED and not reason:
        raise Refused("reason_missing", "a decision of level F5 without a written reason", "Write why.")
    held = () if found.level == Level.CARRIED else _why_held(source, recomputed)
    assert source.value is not None
    return Mark(
        reference=source.reference,
        methodology=source.methodology,
        date=format_date(found.day),
        version=0 if before is None else before.version + 1,
        state=row.next("held" if held else "proposed"),
        level=found.level,
        value=source.value,
        source=source,
        preparer=actor.person,
        held=held,
        reasons=(_written(actor, now, reason),) if reason else (),
    )


def hold(mark: Mark, *, actor: Actor, now: int, reason: str) -> Mark:
    """Keep a proposed mark from being approved."""
    row = MACHINE.step(mark.state, "hold", actor)
    return _changed(
        mark,
        state=row.next(),
        held=(*mark.held, "by_hand"),
        reasons=(*mark.reasons, _written(actor, now, reason)),
    )


def release(mark: Mark, *, actor: Actor, now: int, reason: str, evidence: tuple[str, ...]) -> Mark:
    """Go on with a held mark. evidence : sha256 of what shows that the value is right. Raises Refused without any."""
    row = MACHINE.step(mark.state, "release", actor)
    if not evidence:
        raise Refused("evidence_missing", "nothing is attached", "Attach what shows that the value is right.")
    return _changed(mark, state=row.next(), reasons=(*mark.reasons, _written(actor, now, reason, evidence)))


def approve(
    mark: Mark, *, actor: Actor, now: int, digest: str, in_force: int | None, rules: Specification
) -> Mark:
    """Approve a mark. digest : of what the approver was shown

    in_force : index of the log entry that the waterfall comes to now, None where it yields nothing; a decision (F5)
    stands by itself
    Raises Refused: `same_person`, `has_position`, `step_up`, `digest_stale`, `source_superseded`.
    """
    row = MACHINE.step(mark.state, "approve", actor)
    refuse_same_person(actor, mark.preparer)
    refuse_positions(actor)
    refuse_without_step_up(actor, now, rules)
    if digest != mark.digest:
        raise Refused("digest_stale", "what is approved is not what stands there now", "Look at it again.")
    if in_force != mark.source.index and mark.level != Level.DECIDED:
        raise Refused(
            "source_superseded",
            f"it rests on log entry {mark.source.index}, but the waterfall comes to entry {in_force} now",
            "Reject it and propose another version.",
        )
    return _changed(mark, state=row.next(), approver=actor.person)


def reject(mark: Mark, *, actor: Actor, now: int, reason: str) -> Mark:
    """Reject a mark; only another version can follow. Raises Refused (`same_person`)."""
    row = MACHINE.step(mark.state, "reject", actor)
    refuse_same_person(actor, mark.preparer)
    return _changed(mark, state=row.next(), reasons=(*mark.reasons, _written(actor, now, reason)))


def publish(mark: Mark, *, actor: Actor, now: int, log_index: int, rules: Specification) -> Mark:
    """Record where a mark stands in the log; from then on it may be used. Raises Refused (`published_already`)."""
    row = MACHINE.step(mark.state, "publish", actor)
    if mark.log_index is not None:
        raise Refused("published_already", f"it is log entry {mark.log_index}", "Nothing is published twice.")
    until = mark.dispute_until or deadline(now, rules.dispute_days)
    return _changed(mark, state=row.next(), log_index=log_index, dispute_until=until)


def dispute(
    mark: Mark,
    *,
    actor: Actor,
    now: int,
    parties: Iterable[str],
    own_value: int,
    reason: str,
    evidence: tuple[str, ...],
    rules: Specification,
) -> Mark:
    """Dispute a mark. parties : the participants with a contract on it

    Raises Refused: `not_party`, `too_late`, `evidence_missing`, `value_invalid`.
    """
    row = MACHINE.step(mark.state, "dispute", actor)
    assert mark.dispute_until is not None
    if actor.party is None or actor.party not in set(parties):
        raise Refused(
            "not_party", "no contract of theirs depends on it", "Only a party to a contract may dispute it."
        )
    if now >= mark.dispute_until:
        raise Refused(
            "too_late",
            f"it could be disputed before {format_instant(mark.dispute_until)}",
            "It will be locked; a contract ends by it.",
        )
    if not evidence:
        raise Refused("evidence_missing", "nothing is attached", "Attach what shows that the value is wrong.")
    if not 0 < own_value <= rules.price_max or own_value == mark.value:
        raise Refused(
            "value_invalid",
            f"{price_text(own_value)} is no price, or the published one",
            "Name the value you hold to be right.",
        )
    assert actor.party is not None
    raised = Dispute(
        party=actor.party,
        own_value=own_value,
        reason=_written(actor, now, reason, evidence),
        resolve_until=deadline(now, rules.resolve_days),
    )
    return _changed(mark, state=row.next(), dispute=raised)


def uphold(mark: Mark, *, actor: Actor, second: Actor, now: int, reason: str, rules: Specification) -> Mark:
    """Let a disputed value stand. Raises Refused: `involved`, `same_person`, `too_late` and others."""
    row = MACHINE.step(mark.state, "uphold", actor)
    _refuse_judges(mark, "uphold", actor, second, now, rules)
    _refuse_unresolved_too_late(mark, now)
    return _changed(
        mark,
        state=row.next(),
        resolvers=(actor.person, second.person),
        reasons=(*mark.reasons, _written(actor, now, reason)),
    )


def correct(
    mark: Mark,
    found: Resolution,
    *,
    actor: Actor,
    second: Actor,
    now: int,
    reason: str,
    rules: Specification,
) -> Mark:
    """Return the version that follows, at a later vintage of the same point; the number is still nobody's.

    Raises Refused: `involved`, `same_person`, `too_late`, `source_wrong`, and as `propose`.
    """
    row = MACHINE.step(mark.state, "correct", actor)
    _refuse_judges(mark, "correct", actor, second, now, rules)
    _refuse_unresolved_too_late(mark, now)
    _refuse_unfit(found, rules)
    source = found.source
    same = (source.reference, source.methodology, found.day) == (mark.reference, mark.methodology, mark.day)
    own = found.level in (Level.FINAL, Level.LATE)
    if not same or not own or source.index <= mark.source.index:
        raise Refused(
            "source_wrong",
            f"log entry {source.index} is no later final value of {mark.reference} on {mark.date}",
            "A correction is a restatement that was published; publish that first.",
        )
    assert source.value is not None
    return _changed(
        mark,
        version=mark.version + 1,
        state=row.next(),
        level=found.level,
        value=source.value,
        source=source,
        preparer=actor.person,
        approver=second.person,
        log_index=None,
        reasons=(*mark.reasons, _written(actor, now, reason)),
    )


def lapse(mark: Mark, *, actor: Actor, now: int) -> Mark:
    """Let the published value stand because nobody resolved the dispute in time. Raises Refused (`not_due`)."""
    row = MACHINE.step(mark.state, "lapse", actor)
    assert mark.dispute is not None
    if now < mark.dispute.resolve_until:
        raise _not_due(mark.dispute.resolve_until)
    return _changed(mark, state=row.next())


def lock(mark: Mark, *, actor: Actor, now: int) -> Mark:
    """Make a mark final. Raises Refused: `not_due`, `not_in_log`."""
    row = MACHINE.step(mark.state, "lock", actor)
    assert mark.dispute_until is not None
    if mark.log_index is None:
        raise Refused("not_in_log", "this version is in no log entry yet", "Publish it first.")
    if now < mark.dispute_until:
        raise _not_due(mark.dispute_until)
    return _changed(mark, state=row.next(), locked_at=now)


def _refuse_unfit(found: Resolution, rules: Specification) -> None:
    """Raise Refused where a published value can be no mark of the day."""
    source = found.source
    if source.value is None:
        raise Refused(
            "withheld",
            f"{source.reference} of {source.date} has no value ({', '.join(source.reasons)})",
            "Ask the waterfall what stands in for it.",
        )
    if source.stage != "final":
        raise Refused(
            "not_final",
            f"log entry {source.index} is {source.stage}: only what is final settles anything",
            "Wait for the final print, or ask the waterfall what stands in for it.",
        )
    age = found.day - parse_date(source.date)
    allowed = {
        Level.FINAL: age == 0,
        Level.LATE: age == 0,
        Level.CARRIED: 0 < age <= rules.carry_days_max,
        Level.DECIDED: age >= 0,
    }
    if not allowed.get(found.level, False):
        raise Refused(
            "level_wrong",
            f"a value of {source.date} is no {found.level} of {format_date(found.day)}",
            "Ask the waterfall.",
        )


def _why_held(source: Source, recomputed: str | None) -> tuple[str, ...]:
    found = {
        "quality": source.quality not in ("good", "degraded"),
        "jump": "jump" in source.notes,
        "not_recomputed": recomputed is None,
        "recomputation_differs": recomputed not in (None, source.sha256),
    }
    return tuple(code for code, holds in found.items() if holds)


def _refuse_judges(
    mark: Mark, command: str, actor: Actor, second: Actor, now: int, rules: Specification
) -> None:
    """Raise Refused unless two operators decide who have made nothing of this version and have no position."""
    MACHINE.step(mark.state, command, second)
    refuse_same_person(actor, second.person)
    refuse_positions(actor, second)
    for one in (actor, second):
        if one.person in (mark.preparer, mark.approver):
            raise Refused("involved", "one of the two has made this version", "Let two others decide.")
        refuse_without_step_up(one, now, rules)


def _refuse_unresolved_too_late(mark: Mark, now: int) -> None:
    until = mark.dispute.resolve_until if mark.dispute else mark.dispute_until
    assert until is not None
    if now >= until:
        raise Refused(
            "too_late", f"that was possible before {format_instant(until)}", "The published value stands."
        )


def _written(actor: Actor, at: int, text: str, evidence: tuple[str, ...] = ()) -> Reason:
    if not text.strip() or len(text) > REASON_MAX or not text.isprintable():
        raise Refused(
            "reason_invalid",
            f"a reason of {len(text)} characters",
            f"Write one paragraph of up to {REASON_MAX} printable characters.",
        )
    return Reason(person=actor.person, at=at - at % SECOND, text=text, evidence=evidence)


def _not_due(instant: int) -> Refused:
    return Refused("not_due", f"not before {format_instant(instant)}", "Wait until then.")


def _changed(mark: Mark, **changes: object) -> Mark:
    return msgspec.structs.replace(mark, **changes)
