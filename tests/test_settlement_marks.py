"""The table of marks, command by command: who, when to the second, what is refused and then changes nothing."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, get_type_hints

import msgspec
import pytest

from mtok.calendar import DAY, SECOND, format_date, format_instant, parse_date
from mtok.publication.marks import Source
from mtok.settlement import business_days, guards, marks, review, values, waterfall
from mtok.settlement.business_days import business_day_after, deadline, is_business_day
from mtok.settlement.machines import NEW, Refused
from mtok.settlement.marks import (
    IN_MARGIN,
    IN_SETTLEMENT,
    MACHINE,
    Level,
    Mark,
    Resolution,
    claims,
    last_versions,
    print_of,
    usable,
)
from mtok.settlement.people import SYSTEM, Actor, Role
from settling import (
    BUYER,
    EVIDENCE,
    HASH,
    PUBLISHER,
    RULES,
    SELLER,
    actor,
    approved,
    approver,
    corrected,
    desk,
    disputed,
    found,
    locked,
    logged,
    mark_of,
    micro,
    noon,
    preparer,
    proposed,
    published,
    refused,
    source,
    trader,
    treasury,
)

DATE = "2026-06-30"
NOW = noon("2026-07-01")
"""A Wednesday."""
VALUE = micro("12.345678")
SOURCE = source(DATE, VALUE)
MODEL = source(DATE, VALUE, reference="model:openai/a")


def _refused(code: str, given: Callable[[], object], *unchanged: Mark) -> None:
    """Assert that a command is refused with a code and has changed none of the marks."""
    before = [msgspec.json.encode(mark) for mark in unchanged]
    with refused(code):
        given()
    assert [msgspec.json.encode(mark) for mark in unchanged] == before


# ---- propose


@pytest.mark.parametrize("one", [SOURCE, MODEL], ids=["series", "model"])
@pytest.mark.parametrize(
    ("changes", "state", "held"),
    [
        ({}, "proposed", ()),
        ({"quality": "degraded"}, "proposed", ()),
        ({"notes": ("fallback_prices",)}, "proposed", ()),
        ({"quality": "estimated"}, "held", ("quality",)),
        ({"quality": "withheld"}, "held", ("quality",)),
        ({"quality": "unheard-of"}, "held", ("quality",)),
        ({"notes": ("jump",)}, "held", ("jump",)),
        ({"notes": ("conflict", "jump"), "quality": "estimated"}, "held", ("quality", "jump")),
    ],
)
def test_what_is_proposed_and_what_is_held(
    one: Source, changes: dict[str, Any], state: str, held: tuple[str, ...]
) -> None:
    mark = proposed(found(msgspec.structs.replace(one, **changes)), NOW)
    assert (mark.state, mark.held, mark.value, mark.level) == (state, held, VALUE, Level.FINAL)
    assert (mark.reference, mark.methodology, mark.date) == (one.reference, "1.0", DATE)
    assert (mark.preparer, mark.approver, mark.log_index) == ("anna", None, None)


@pytest.mark.parametrize(
    ("recomputed", "held"),
    [(None, ("not_recomputed",)), (HASH, ("recomputation_differs",)), ("", ("recomputation_differs",))],
)
def test_what_was_not_recomputed_to_the_byte_is_held(recomputed: str | None, held: tuple[str, ...]) -> None:
    mark = proposed(found(SOURCE), NOW, recomputed=recomputed)
    assert (mark.state, mark.held) == ("held", held)
    both = proposed(found(msgspec.structs.replace(SOURCE, notes=("jump",))), NOW, recomputed=recomputed)
    assert both.held == ("jump", *held)


@pytest.mark.parametrize("stage", ["prelim", "informational", "backfill", ""])
def test_only_what_is_final_is_proposed(stage: str) -> None:
    for one in (SOURCE, MODEL):
        _refused("not_final", lambda one=one: proposed(found(msgspec.structs.replace(one, stage=stage)), NOW))  # type: ignore[misc]


def test_what_is_withheld_is_not_proposed() -> None:
    _refused("withheld", lambda: proposed(found(source(DATE, None, reasons=("no_priced_volume",))), NOW))


@pytest.mark.parametrize(
    ("level", "age", "fits"),
    [
        *((level, age, age == 0) for level in (Level.FINAL, Level.LATE) for age in (-1, 0, 1)),
        *((Level.CARRIED, age, 1 <= age <= 3) for age in (-1, 0, 1, 2, 3, 4)),
        *((Level.DECIDED, age, age >= 0) for age in (-1, 0, 1, 400)),
        *((level, age, False) for level in (Level.SECOND_CHANNEL, Level.AGREED) for age in (0, 1)),
    ],
)
def test_a_level_asks_for_the_day_of_its_source(level: Level, age: int, fits: bool) -> None:
    given = found(SOURCE, level, format_date(parse_date(DATE) + age))
    if fits:
        assert proposed(given, NOW, reason="Why.").day - age == parse_date(DATE)
    else:
        _refused("level_wrong", lambda: proposed(given, NOW, reason="Why."))


def test_a_carried_value_was_looked_at_when_it_was_its_own() -> None:
    poor = msgspec.structs.replace(SOURCE, quality="estimated", notes=("jump",))
    assert proposed(found(poor, Level.CARRIED, "2026-07-02"), NOW, recomputed=None).state == "proposed"


def test_a_decision_needs_a_reason() -> None:
    _refused("reason_missing", lambda: proposed(found(SOURCE, Level.DECIDED), NOW))
    _refused("reason_missing", lambda: proposed(found(SOURCE, Level.DECIDED), NOW, reason=""))
    mark = proposed(found(SOURCE, Level.DECIDED), NOW, reason="The source was down.")
    assert [one.text for one in mark.reasons] == ["The source was down."]


@pytest.mark.parametrize("text", ["", "  ", "x" * 4_001, "a\nb", "a\x00b", "\u202eabc"])
def test_a_reason_is_one_printable_paragraph(text: str) -> None:
    mark = proposed(found(SOURCE), NOW)
    _refused("reason_invalid", lambda: review.hold(mark, actor=preparer(NOW), now=NOW, reason=text), mark)
    assert review.hold(mark, actor=preparer(NOW), now=NOW, reason="x" * 4_000).state == "held"


# ---- hold, release, approve, reject


def test_hold_and_release_change_what_is_approved() -> None:
    mark = proposed(found(SOURCE), NOW)
    held = review.hold(mark, actor=preparer(NOW), now=NOW, reason="A provider called.")
    assert (held.state, held.held) == ("held", ("by_hand",))
    _refused(
        "evidence_missing",
        lambda: review.release(held, actor=preparer(NOW), now=NOW, reason="It was nothing.", evidence=()),
        held,
    )
    free = review.release(held, actor=preparer(NOW), now=NOW, reason="It was nothing.", evidence=EVIDENCE)
    assert (free.state, [one.evidence for one in free.reasons]) == ("proposed", [(), EVIDENCE])
    assert len({one.digest for one in (mark, held, free)}) == 3
    for stale in (mark.digest, held.digest, HASH, free.digest.upper()):
        _refused("digest_stale", lambda stale=stale: _approve(free, digest=stale), free)  # type: ignore[misc]
    assert _approve(free).state == "approved"


def _approve(mark: Mark, **changes: Any) -> Mark:
    given: dict[str, Any] = {
        "actor": approver(NOW),
        "now": NOW,
        "digest": mark.digest,
        "in_force": mark.source.index,
        "rules": RULES,
    }
    return review.approve(mark, **given | changes)


def test_the_digest_is_of_everything_that_is_approved() -> None:
    mark = proposed(found(SOURCE), NOW)
    others = [
        msgspec.structs.replace(mark, **change)
        for change in (
            {"reference": "qwen"},
            {"methodology": "2.0"},
            {"date": "2026-06-29"},
            {"version": 1},
            {"level": Level.LATE},
            {"value": VALUE + 1},
            {"preparer": "somebody"},
            {"held": ("by_hand",)},
            {"source": msgspec.structs.replace(SOURCE, index=1)},
            {"source": msgspec.structs.replace(SOURCE, sha256=HASH)},
            {"reasons": (marks.Reason(person="anna", at=0, text="a"),)},
            {"reasons": (marks.Reason(person="anna", at=0, text="a", evidence=EVIDENCE),)},
        )
    ]
    assert len({one.digest for one in (mark, *others)}) == len(others) + 1


def test_one_person_is_one_person_under_any_role() -> None:
    mark = proposed(found(SOURCE), NOW)
    _refused("same_person", lambda: _approve(mark, actor=approver(NOW, "anna")), mark)
    _refused(
        "same_person", lambda: review.reject(mark, actor=approver(NOW, "anna"), now=NOW, reason="No."), mark
    )
    _refused("not_yours", lambda: _approve(mark, actor=preparer(NOW, "bert")), mark)


def test_who_has_a_position_approves_nothing() -> None:
    mark = proposed(found(SOURCE), NOW)
    with_position = actor("bert", Role.MARK_APPROVER, NOW, party=BUYER)
    _refused("has_position", lambda: _approve(mark, actor=with_position), mark)


@pytest.mark.parametrize(
    ("shown", "code"),
    [
        (0, None),
        (300 * SECOND, None),
        (300 * SECOND + 1, "step_up"),
        (301 * SECOND, "step_up"),
        (-1, "step_up"),
        (-SECOND, "step_up"),
        (None, "step_up"),
    ],
)
def test_the_second_factor_was_just_shown(shown: int | None, code: str | None) -> None:
    """shown : microseconds ago"""
    mark = proposed(found(SOURCE), NOW)
    who = Actor(person="bert", role=Role.MARK_APPROVER, stepped_up_at=None if shown is None else NOW - shown)
    if code:
        _refused(code, lambda: _approve(mark, actor=who), mark)
    else:
        assert _approve(mark, actor=who).approver == "bert"


def test_a_source_that_is_no_longer_in_force_is_not_approved() -> None:
    mark = proposed(found(SOURCE), NOW)
    _refused("source_superseded", lambda: _approve(mark, in_force=SOURCE.index + 1), mark)
    _refused("source_superseded", lambda: _approve(mark, in_force=None), mark)
    carried = proposed(found(SOURCE, Level.CARRIED, "2026-07-01"), NOW)
    own = SOURCE.index + 10
    _refused("source_superseded", lambda: _approve(carried, in_force=own), carried)
    decided = proposed(found(SOURCE, Level.DECIDED), NOW, reason="The later one is wrong.")
    assert _approve(decided, in_force=own).state == "approved"


def test_after_a_rejection_only_a_new_version_follows() -> None:
    mark = proposed(found(SOURCE), NOW)
    gone = review.reject(mark, actor=approver(NOW), now=NOW, reason="It looks wrong.")
    assert gone.state == "rejected"
    _nothing_goes(gone)
    again = proposed(found(SOURCE), NOW, before=gone)
    assert (again.state, again.version, again.digest == mark.digest) == ("proposed", 1, False)
    for standing in (mark, again, published(found(SOURCE), NOW)):
        _refused("version_exists", partial(proposed, found(SOURCE), NOW, before=standing), standing)


def _nothing_goes(mark: Mark) -> None:
    """Assert that no command at all leads on from a mark, whoever gives it."""
    later = source(DATE, VALUE + 1, index=SOURCE.index + 1)
    everyone = [actor("zoe", role, NOW, party=BUYER if role in _PARTICIPANTS else None) for role in Role]
    for who in everyone:
        for given in _commands(mark, who, later).values():
            _refused("not_allowed", given, mark)


_PARTICIPANTS = (Role.PARTICIPANT_USER, Role.PARTICIPANT_APPROVER)


def _commands(mark: Mark, who: Actor, later: Source, now: int = NOW) -> dict[str, Callable[[], Mark]]:
    """Return every command on a mark, as somebody gives it with everything else in order."""
    second = actor("yara", who.role, now)
    two: dict[str, Any] = {"actor": who, "second": second, "now": now, "reason": "Why.", "rules": RULES}
    return {
        "hold": lambda: review.hold(mark, actor=who, now=now, reason="Why."),
        "release": lambda: review.release(mark, actor=who, now=now, reason="Why.", evidence=EVIDENCE),
        "approve": lambda: _approve(mark, actor=who, now=now),
        "reject": lambda: review.reject(mark, actor=who, now=now, reason="Why."),
        "publish": lambda: review.publish(mark, actor=who, now=now, log_index=1, rules=RULES),
        "dispute": lambda: review.dispute(
            mark,
            actor=who,
            now=now,
            parties=[BUYER],
            own_value=VALUE + 1,
            reason="Why.",
            evidence=EVIDENCE,
            rules=RULES,
        ),
        "uphold": lambda: review.uphold(mark, **two),
        "correct": lambda: review.correct(mark, found(later), **two),
        "lapse": lambda: review.lapse(mark, actor=who, now=now),
        "lock": lambda: review.lock(mark, actor=who, now=now),
    }


def test_whatever_the_table_does_not_list_is_refused_for_everybody() -> None:
    """Every state, command and role; what the table lists is never refused as not allowed or not theirs."""
    later = source(DATE, VALUE + 1, index=SOURCE.index + 1)
    listed = {(row.state, row.command): row for row in MACHINE.rows}
    assert {command for _, command in listed} == {"propose", *_commands(mark_of(DATE, VALUE), SYSTEM, later)}
    for state in (one for one in MACHINE.states if one != NEW):
        mark = mark_of(DATE, VALUE, state, log_index=None)
        for role in Role:
            who = actor("zoe", role, NOW, party=BUYER if role in _PARTICIPANTS else None)
            for command, given in _commands(mark, who, later).items():
                row = listed.get((state, command))
                wanted = None if row and role in row.who else "not_yours" if row else "not_allowed"
                assert _code(given) == wanted, (state, command, role)
    for role in Role:
        given = lambda role=role: proposed(found(SOURCE), NOW, actor=actor("zoe", role, NOW))  # type: ignore[misc]  # noqa: E731
        assert _code(given) == (None if role == Role.MARK_PREPARER else "not_yours")


def _code(given: Callable[[], Mark]) -> str | None:
    """Return `not_allowed` or `not_yours` of what is refused by the table; other guards and results are nothing."""
    try:
        given()
    except Refused as error:
        return error.code if error.code in ("not_allowed", "not_yours") else None
    except AssertionError:
        return None
    return None


# ---- publish, dispute


def test_a_mark_is_published_once() -> None:
    mark = published(found(SOURCE), NOW)
    assert (mark.state, mark.log_index) == ("published", parse_date(DATE) * 10 + 5)
    _refused("not_allowed", lambda: logged(mark, NOW, 7), mark)
    later = source(DATE, VALUE + 1, index=SOURCE.index + 1)
    fixed = corrected(mark, later, NOW)
    done = logged(fixed, NOW, 99)
    assert (done.state, done.log_index, done.dispute_until) == ("corrected", 99, mark.dispute_until)
    _refused("published_already", lambda: logged(done, NOW, 99), done)
    _refused("published_already", lambda: logged(done, NOW, 100), done)


def test_what_the_log_says_of_a_mark() -> None:
    ready = approved(proposed(found(SOURCE), NOW), NOW)
    said = print_of(ready, lambda person: f"pseudonym-of-{person}")
    assert (said.state, said.value, said.source_index) == ("published", VALUE, SOURCE.index)
    assert (said.preparer, said.approver) == ("pseudonym-of-anna", "pseudonym-of-bert")
    assert said.fields["value"] == "12.345678"
    held = review.hold(proposed(found(SOURCE), NOW), actor=preparer(NOW), now=NOW, reason="Why.")
    free = review.release(held, actor=preparer(NOW), now=NOW, reason="So.", evidence=EVIDENCE)
    assert free.reasons_sha256 is not None
    assert print_of(_approve(free), str).reasons_sha256 == free.reasons_sha256


@pytest.mark.parametrize(
    ("published_on", "until"),
    [
        ("2026-06-29", "2026-07-02"),  # Monday: Tuesday, Wednesday
        ("2026-07-02", "2026-07-07"),  # Thursday: Friday the 3rd is a business day in 2026, then Monday
        ("2026-07-03", "2026-07-08"),  # Friday: the holiday is Saturday, and no other day stands in for it
        ("2026-07-04", "2026-07-08"),  # Saturday, as if it had been Friday
        ("2026-07-05", "2026-07-08"),
        ("2027-07-01", "2027-07-07"),  # Thursday: the 4th is a Sunday, so Monday the 5th is closed
        ("2027-07-02", "2027-07-08"),
        ("2027-07-03", "2027-07-08"),
        ("2026-12-23", "2026-12-29"),  # Thursday the 24th, then over Christmas to Monday the 28th
        ("2026-12-31", "2027-01-06"),
    ],
)
def test_the_days_for_disputes_over_weekends_and_holidays(published_on: str, until: str) -> None:
    """Federal Reserve holidays, from the calendar of the Board: the first instant that is too late."""
    for time in ("00:00:00", "14:30:00", "23:59:59"):
        mark = published(found(SOURCE), noon(published_on, time))
        assert mark.dispute_until == parse_date(until) * DAY, format_instant(mark.dispute_until or 0)
        last = parse_date(until) * DAY - 1
        for moment in (last, last - SECOND + 1):
            assert disputed(mark, VALUE + 1, moment).state == "disputed"
        _refused("too_late", lambda: disputed(mark, VALUE + 1, last + 1), mark)  # noqa: B023


def test_business_days_of_two_years() -> None:
    """Eleven holidays a year, from the calendar of the Board; of those on a Saturday none is moved."""
    closed = {
        *("2026-01-01", "2026-01-19", "2026-02-16", "2026-05-25", "2026-06-19", "2026-09-07", "2026-10-12"),
        *("2026-11-11", "2026-11-26", "2026-12-25"),
        *("2027-01-01", "2027-01-18", "2027-02-15", "2027-05-31", "2027-07-05", "2027-09-06", "2027-10-11"),
        *("2027-11-11", "2027-11-25"),
    }
    first, last = parse_date("2026-01-01"), parse_date("2027-12-31")
    weekdays = [day for day in range(first, last + 1) if (day + 3) % 7 < 5]
    assert {format_date(day) for day in weekdays if not is_business_day(day)} == closed
    assert not any(is_business_day(day) for day in range(first, last + 1) if (day + 3) % 7 >= 5)
    for day in range(first, first + 60):
        ahead = [one for one in range(day + 1, day + 30) if is_business_day(one)]
        assert [business_day_after(day, count) for count in range(1, 6)] == ahead[:5]
        assert deadline(day * DAY + 5, 2) == (ahead[1] + 1) * DAY


def test_who_may_dispute_and_with_what() -> None:
    mark = published(found(SOURCE), NOW)
    reason = marks.Reason(person="emil", at=NOW, text="Recomputed from the archive.", evidence=EVIDENCE)
    assert disputed(mark, VALUE + 1, NOW, SELLER).dispute == marks.Dispute(
        party=SELLER, own_value=VALUE + 1, reason=reason, resolve_until=parse_date("2026-07-07") * DAY
    )
    _refused("not_party", lambda: disputed(mark, VALUE + 1, NOW, "third-1"), mark)
    _refused("value_invalid", lambda: disputed(mark, VALUE, NOW), mark)
    for own in (0, -1, RULES.price_max + 1):
        _refused("value_invalid", lambda own=own: disputed(mark, own, NOW), mark)  # type: ignore[misc]
    for own in (1, RULES.price_max):
        assert disputed(mark, own, NOW).value == VALUE, "the mark keeps its number"
    nobody = Actor(person="emil", role=Role.PARTICIPANT_APPROVER, stepped_up_at=NOW)
    given: dict[str, Any] = {
        "now": NOW,
        "parties": [BUYER],
        "own_value": 5,
        "reason": "Why.",
        "evidence": EVIDENCE,
        "rules": RULES,
    }
    _refused("not_party", lambda: review.dispute(mark, actor=nobody, **given), mark)
    _refused("not_yours", lambda: review.dispute(mark, actor=desk(NOW), **given), mark)
    user = actor("emil", Role.PARTICIPANT_USER, NOW, party=BUYER)
    _refused("not_yours", lambda: review.dispute(mark, actor=user, **given), mark)
    bare = given | {"evidence": ()}
    _refused("evidence_missing", lambda: review.dispute(mark, actor=trader(BUYER, NOW), **bare), mark)


# ---- uphold, correct, lapse, lock


CONTESTED = disputed(published(found(SOURCE), NOW), VALUE + 1, NOW)
OVER = parse_date("2026-07-07") * DAY
"""Three business days after a Wednesday: Thursday, Friday, Monday the 6th. From then on the dispute is over."""
LATER = source(DATE, VALUE + 7, index=SOURCE.index + 1, vintage=1)


def _judged(command: str, mark: Mark, now: int, first: Actor, second: Actor, **changes: Any) -> Mark:
    given: dict[str, Any] = {"actor": first, "second": second, "now": now, "reason": "Why.", "rules": RULES}
    if command == "uphold":
        return review.uphold(mark, **given | changes)
    return review.correct(mark, changes.pop("found", found(LATER)), **given | changes)


@pytest.mark.parametrize("command", ["uphold", "correct"])
def test_two_uninvolved_operators_decide(command: str) -> None:
    now = NOW
    two = desk(now), treasury(now)
    assert (
        _judged(command, CONTESTED, now, *two).state == {"uphold": "upheld", "correct": "corrected"}[command]
    )
    refusals = {
        "same_person": (desk(now), treasury(now, "cleo")),
        "involved": (desk(now, "anna"), treasury(now)),
        "not_yours": (desk(now), actor("hugo", Role.ADMIN, now)),
        "has_position": (actor("cleo", Role.DESK, now, party=BUYER), treasury(now)),
        "step_up": (desk(now), treasury(now - 301 * SECOND)),
    }
    for code, (first, second) in refusals.items():
        for order in ((first, second), (second, first)):
            _refused(code, lambda order=order: _judged(command, CONTESTED, now, *order), CONTESTED)  # type: ignore[misc]
    _refused("involved", lambda: _judged(command, CONTESTED, now, approver(now), treasury(now)), CONTESTED)


@pytest.mark.parametrize("command", ["uphold", "correct"])
def test_a_dispute_is_resolved_in_time(command: str) -> None:
    last = OVER - 1
    assert _judged(command, CONTESTED, last, desk(last), treasury(last)).state in ("upheld", "corrected")
    _refused("too_late", lambda: _judged(command, CONTESTED, OVER, desk(OVER), treasury(OVER)), CONTESTED)


def test_a_mark_nobody_disputes_is_corrected_while_it_could_be_disputed() -> None:
    mark = published(found(SOURCE), NOW)
    until = mark.dispute_until
    assert until is not None
    assert corrected(mark, LATER, until - 1).value == VALUE + 7
    _refused("too_late", lambda: corrected(mark, LATER, until), mark)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"index": SOURCE.index}, "source_wrong"),
        ({"index": SOURCE.index - 1}, "source_wrong"),
        ({"reference": "qwen"}, "source_wrong"),
        ({"methodology": "2.0"}, "source_wrong"),
        ({"stage": "prelim"}, "not_final"),
        ({"stage": "informational"}, "not_final"),
        ({"value": None}, "withheld"),
        ({"date": "2026-06-29"}, "level_wrong"),
    ],
)
def test_a_correction_is_a_later_final_vintage_of_the_same_point(change: dict[str, Any], code: str) -> None:
    other = msgspec.structs.replace(LATER, **change)
    given = Resolution(day=parse_date(DATE), level=Level.FINAL, source=other)
    _refused(
        code, lambda: _judged("correct", CONTESTED, NOW, desk(NOW), treasury(NOW), found=given), CONTESTED
    )


def test_a_correction_is_of_the_day_of_the_mark_and_of_its_own_value() -> None:
    of_another_day = found(msgspec.structs.replace(LATER, date="2026-07-01"), date="2026-07-01")
    carried = found(msgspec.structs.replace(LATER, date="2026-06-29"), Level.CARRIED, DATE)
    for given in (of_another_day, carried):
        _refused(
            "source_wrong",
            lambda given=given: _judged("correct", CONTESTED, NOW, desk(NOW), treasury(NOW), found=given),  # type: ignore[misc]
            CONTESTED,
        )


def test_a_carried_mark_is_corrected_to_the_days_own_value() -> None:
    mark = published(found(SOURCE, Level.CARRIED, "2026-07-01"), noon("2026-07-02"))
    own = source("2026-07-01", VALUE + 9)
    fixed = corrected(mark, own, noon("2026-07-03"))
    assert (fixed.level, fixed.value, fixed.version, fixed.date) == (Level.FINAL, VALUE + 9, 1, "2026-07-01")


def test_a_corrected_version_is_of_two_other_persons_and_counts_when_it_is_in_the_log() -> None:
    fixed = corrected(CONTESTED, LATER, NOW)
    assert (fixed.version, fixed.value, fixed.source, fixed.log_index) == (1, VALUE + 7, LATER, None)
    assert {fixed.preparer, fixed.approver} == {"cleo", "dora"}
    both = [CONTESTED, fixed]
    assert usable(both, IN_MARGIN) == {}, "neither the old number nor the new one"
    until = fixed.dispute_until
    assert until is not None
    _refused("not_in_log", lambda: review.lock(fixed, actor=SYSTEM, now=until + DAY), fixed)
    done = logged(fixed, NOW, 77)
    assert usable([CONTESTED, done], IN_MARGIN) == {done.day: VALUE + 7}
    assert usable([CONTESTED, done], IN_SETTLEMENT) == {}
    final = locked(done)
    assert usable([final, CONTESTED], IN_SETTLEMENT) == {done.day: VALUE + 7}
    assert (final.state, final.locked_at) == ("locked", until)
    _nothing_goes(final)


def test_a_dispute_that_nobody_resolves_lapses_at_its_second() -> None:
    _refused("not_due", lambda: review.lapse(CONTESTED, actor=SYSTEM, now=OVER - 1), CONTESTED)
    stands = review.lapse(CONTESTED, actor=SYSTEM, now=OVER)
    assert (stands.state, stands.value, stands.resolvers) == ("upheld", VALUE, ())
    _refused("not_yours", lambda: review.lapse(CONTESTED, actor=desk(OVER), now=OVER), CONTESTED)
    assert review.lock(stands, actor=SYSTEM, now=OVER).state == "locked"


@pytest.mark.parametrize("state", ["published", "upheld", "corrected"])
def test_a_mark_is_locked_at_the_second_it_can_be_disputed_no_more(state: str) -> None:
    mark = msgspec.structs.replace(published(found(MODEL), NOW), state=state)
    until = parse_date("2026-07-04") * DAY
    assert mark.dispute_until == until
    _refused("not_due", lambda: review.lock(mark, actor=SYSTEM, now=until - 1), mark)
    assert review.lock(mark, actor=SYSTEM, now=until).state == "locked"
    _refused("not_yours", lambda: review.lock(mark, actor=treasury(until), now=until), mark)
    _refused("not_allowed", lambda: review.lock(CONTESTED, actor=SYSTEM, now=until), CONTESTED)


# ---- which may be used


@pytest.mark.parametrize("state", [one for one in MACHINE.states if one != NEW])
def test_which_states_are_for_margin_and_which_are_paid_on(state: str) -> None:
    mark = mark_of(DATE, VALUE, state)
    there = {mark.day: VALUE}
    in_margin = state in ("published", "upheld", "corrected", "locked")
    assert usable([mark], IN_MARGIN) == (there if in_margin else {})
    assert usable([mark], IN_SETTLEMENT) == (there if state == "locked" else {})
    unlogged = msgspec.structs.replace(mark, log_index=None)
    assert usable([unlogged], IN_MARGIN) == usable([unlogged], IN_SETTLEMENT) == {}


def test_of_several_versions_the_last_one_stands_alone() -> None:
    old, new = mark_of(DATE, VALUE, "locked"), mark_of(DATE, VALUE + 1, "corrected", version=1)
    other = mark_of("2026-06-29", 5)
    for order in ([old, new, other], [new, other, old], [other, new, old]):
        assert usable(order, IN_MARGIN) == {old.day: VALUE + 1, other.day: 5}
        assert usable(order, IN_SETTLEMENT) == {}
        assert [(mark.day, mark.version) for mark in last_versions(order)] == [(other.day, 0), (old.day, 1)]
    rejected = msgspec.structs.replace(new, state="rejected")
    assert usable([old, rejected], IN_MARGIN) == {}
    contested = msgspec.structs.replace(CONTESTED, version=0)
    assert claims([contested]) == {contested.day: VALUE + 1}
    assert claims([contested, mark_of(DATE, VALUE, version=1)]) == {}


# ---- nobody types a number


NUMBERLESS = {"now", "version", "log_index", "in_force"}
"""Instants, the place of a version or of an entry: no price."""


def test_no_function_that_makes_or_changes_a_mark_takes_a_number() -> None:
    found_some = []
    for module in (marks, review, waterfall, guards, values, business_days):
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ != module.__name__ or name.startswith("_"):
                continue
            hints = get_type_hints(
                function, vars(module) | {"Sequence": __import__("collections.abc").abc.Sequence}
            )
            if Mark not in _parts(hints.pop("return", None)):
                continue
            found_some.append(name)
            numbers = {one for one, hint in hints.items() if int in _parts(hint)} - NUMBERLESS
            assert numbers == ({"own_value"} if name == "dispute" else set()), name
    assert {"propose", "approve", "publish", "dispute", "correct", "lock"} <= set(found_some)
    assert disputed(published(found(SOURCE), NOW), 1, NOW).value == VALUE


def _parts(hint: Any) -> set[Any]:
    """Return a type and everything it is made of."""
    inner = getattr(hint, "__args__", ())
    return {hint, *(part for one in inner for part in _parts(one))}


def test_the_reader_of_signatures_sees_a_number() -> None:
    """The check above can fail."""

    def set_value(mark: Mark, value: int | None) -> Mark:
        return mark

    hints = get_type_hints(set_value)
    assert Mark in _parts(hints["return"])
    assert int in _parts(hints["value"])
    assert PUBLISHER.role == Role.PUBLISHER
