"""What people read when something about a mark is refused, and what each step of the waterfall says: to the letter."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from mtok.calendar import parse_date, parse_instant
from mtok.publication.marks import Source
from mtok.settlement import review
from mtok.settlement.machines import Refused
from mtok.settlement.marks import Level, Mark
from mtok.settlement.people import SYSTEM, Actor, Role
from mtok.settlement.values import Window, cash
from mtok.settlement.waterfall import resolve
from settling import (
    BUYER,
    RULES,
    approver,
    corrected,
    desk,
    disputed,
    found,
    logged,
    mark_of,
    noon,
    preparer,
    proposed,
    published,
    source,
    trader,
    treasury,
)

DATE = "2026-06-30"
NOW = noon("2026-07-01", "14:30:00")
SOURCE = source(DATE, 12_345_678)
LATER = source(DATE, 2, index=SOURCE.index + 1)
MARK = proposed(found(SOURCE), NOW)
PUBLISHED = published(found(SOURCE), NOW)
DISPUTED = disputed(PUBLISHED, 5, NOW)
CORRECTED = corrected(PUBLISHED, LATER, NOW)
WINDOW = Window(first=parse_date("2026-06-01"), last=parse_date(DATE))
HELD = review.hold(MARK, actor=preparer(NOW), now=NOW, reason="Why.")
UNTIL = PUBLISHED.dispute_until or 0
RESOLVED_BY = DISPUTED.dispute.resolve_until if DISPUTED.dispute else 0


def approve(actor: Actor, digest: str = MARK.digest, in_force: int = SOURCE.index) -> Mark:
    """Approve the mark as somebody."""
    return review.approve(MARK, actor=actor, now=NOW, digest=digest, in_force=in_force, rules=RULES)


def dispute(
    own_value: int = 5, now: int = NOW, *, party: bool = True, evidence: tuple[str, ...] = ("a",)
) -> Mark:
    """Dispute the published mark."""
    return review.dispute(
        PUBLISHED,
        actor=trader(BUYER, now),
        now=now,
        parties=[BUYER] if party else [],
        own_value=own_value,
        reason="It is another.",
        evidence=evidence,
        rules=RULES,
    )


def uphold(second: Actor, now: int = NOW) -> Mark:
    """Uphold the disputed mark with a second person."""
    return review.uphold(
        DISPUTED, actor=desk(now), second=second, now=now, reason="It is right.", rules=RULES
    )


REFUSALS: dict[str, tuple[Callable[[], object], str, str, str]] = {
    "withheld": (
        lambda: proposed(found(source(DATE, None, reasons=("no_volumes", "x"))), NOW),
        "withheld",
        "openai of 2026-06-30 has no value (no_volumes, x)",
        "Ask the waterfall what stands in for it.",
    ),
    "informational": (
        lambda: proposed(found(source(DATE, 1, stage="informational")), NOW),
        "not_final",
        f"log entry {SOURCE.index} is informational: only what is final settles anything",
        "Wait for the final print, or ask the waterfall what stands in for it.",
    ),
    "carried too far": (
        lambda: proposed(found(SOURCE, Level.CARRIED, "2026-07-04"), NOW),
        "level_wrong",
        "a value of 2026-06-30 is no F3 of 2026-07-04",
        "Ask the waterfall.",
    ),
    "a second version": (
        lambda: proposed(found(SOURCE), NOW, before=MARK),
        "version_exists",
        "version 0 of 2026-06-30 is proposed",
        "Only a rejected version is followed by another proposal; a published one is corrected.",
    ),
    "a decision without a reason": (
        lambda: proposed(found(SOURCE, Level.DECIDED), NOW),
        "reason_missing",
        "a decision of level F5 without a written reason",
        "Write why.",
    ),
    "released without evidence": (
        lambda: review.release(HELD, actor=preparer(NOW), now=NOW, reason="So.", evidence=()),
        "evidence_missing",
        "nothing is attached",
        "Attach what shows that the value is right.",
    ),
    "a reason of a blank": (
        lambda: review.hold(MARK, actor=preparer(NOW), now=NOW, reason=" "),
        "reason_invalid",
        "a reason of 1 characters",
        "Write one paragraph of up to 4000 printable characters.",
    ),
    "one person": (
        lambda: approve(Actor(person=MARK.preparer, role=Role.MARK_APPROVER, stepped_up_at=NOW)),
        "same_person",
        "it takes two different persons",
        "Let somebody else do it.",
    ),
    "a position": (
        lambda: approve(msgspec.structs.replace(approver(NOW), party="b")),
        "has_position",
        "who decides about a value may have no position",
        "Let somebody else do it.",
    ),
    "no second factor": (
        lambda: approve(msgspec.structs.replace(approver(NOW), stepped_up_at=None)),
        "step_up",
        "the second factor was not shown within 300 s",
        "Show it and give the same command again.",
    ),
    "another digest": (
        lambda: approve(approver(NOW), digest="0"),
        "digest_stale",
        "what is approved is not what stands there now",
        "Look at it again.",
    ),
    "another source": (
        lambda: approve(approver(NOW), in_force=SOURCE.index + 1),
        "source_superseded",
        f"it rests on log entry {SOURCE.index}, but the waterfall comes to entry {SOURCE.index + 1} now",
        "Reject it and propose another version.",
    ),
    "published twice": (
        lambda: logged(logged(CORRECTED, NOW, 77), NOW, 78),
        "published_already",
        "it is log entry 77",
        "Nothing is published twice.",
    ),
    "a stranger": (
        lambda: dispute(party=False),
        "not_party",
        "no contract of theirs depends on it",
        "Only a party to a contract may dispute it.",
    ),
    "disputed too late": (
        lambda: dispute(now=UNTIL),
        "too_late",
        "it could be disputed before 2026-07-04T00:00:00Z",
        "It will be locked; a contract ends by it.",
    ),
    "disputed without evidence": (
        lambda: dispute(evidence=()),
        "evidence_missing",
        "nothing is attached",
        "Attach what shows that the value is wrong.",
    ),
    "disputed with the same number": (
        lambda: dispute(own_value=PUBLISHED.value),
        "value_invalid",
        "12.345678 is no price, or the published one",
        "Name the value you hold to be right.",
    ),
    "judged by who made it": (
        lambda: uphold(Actor(person=PUBLISHED.preparer, role=Role.DESK, stepped_up_at=NOW)),
        "involved",
        "one of the two has made this version",
        "Let two others decide.",
    ),
    "judged too late": (
        lambda: uphold(treasury(RESOLVED_BY), RESOLVED_BY),
        "too_late",
        "that was possible before 2026-07-07T00:00:00Z",
        "The published value stands.",
    ),
    "corrected to the same": (
        lambda: corrected(DISPUTED, SOURCE, NOW),
        "source_wrong",
        f"log entry {SOURCE.index} is no later final value of openai on 2026-06-30",
        "A correction is a restatement that was published; publish that first.",
    ),
    "lapsed too early": (
        lambda: review.lapse(DISPUTED, actor=SYSTEM, now=NOW),
        "not_due",
        "not before 2026-07-07T00:00:00Z",
        "Wait until then.",
    ),
    "locked outside the log": (
        lambda: review.lock(CORRECTED, actor=SYSTEM, now=NOW),
        "not_in_log",
        "this version is in no log entry yet",
        "Publish it first.",
    ),
    "a window without marks": (
        lambda: WINDOW.final_value({}),
        "mark_missing",
        "no usable mark of 2026-06-01, 2026-06-02, 2026-06-03, 2026-06-04, 2026-06-05 and others",
        "Approve one, or let the waterfall give one; no day of a window is dropped.",
    ),
    "a day without a mark": (
        lambda: WINDOW.settlement_price(WINDOW.first, {}),
        "mark_missing",
        "no usable mark of 2026-06-01",
        "Approve one, or let the waterfall give one; no day of a window is dropped.",
    ),
    "five days without a mark": (
        lambda: WINDOW.settlement_price(WINDOW.first + 4, {}),
        "mark_missing",
        "no usable mark of 2026-06-01, 2026-06-02, 2026-06-03, 2026-06-04, 2026-06-05",
        "Approve one, or let the waterfall give one; no day of a window is dropped.",
    ),
    "six days without a mark": (
        lambda: WINDOW.settlement_price(WINDOW.first + 5, {}),
        "mark_missing",
        "no usable mark of 2026-06-01, 2026-06-02, 2026-06-03, 2026-06-04, 2026-06-05 and others",
        "Approve one, or let the waterfall give one; no day of a window is dropped.",
    ),
    "too much money": (
        lambda: cash(2**62, 2**20),
        "amount_overflow",
        "483570327845851669882 cents are more than 64 bits hold",
        "Divide the contract.",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_says_what_was_found_and_what_to_do(case: str) -> None:
    command, code, what, remedy = REFUSALS[case]
    with pytest.raises(Refused) as refused:
        command()
    assert (refused.value.code, refused.value.found, refused.value.remedy) == (code, what, remedy)


NOTHING = ("F0", "unavailable", "nothing was published")
NO_CHANNEL = ("F2", "unavailable", "there is no second price channel yet")
TONIGHT = ("F1", "unavailable", "margin does not wait")
AGREE = ("F4", "open", "the parties of a contract may agree on a value, until 2026-07-09T00:00:00Z")
NOBODY = ("F3", "unavailable", "no reviewed mark before it")
WAITED = parse_instant("2026-07-04T00:00:00Z")
WAYS: dict[
    str, tuple[list[Source], list[Mark], int, bool, list[tuple[str, str, str]], tuple[str, int] | None]
] = {
    "the final value": (
        [SOURCE],
        [],
        NOW,
        True,
        [("F0", "yields", f"log entry {SOURCE.index}, vintage 0")],
        ("F0", SOURCE.index),
    ),
    "a late one": (
        [source(DATE, 1, reason="source_late", vintage=2)],
        [],
        NOW,
        True,
        [
            ("F0", "unavailable", "no final value came in time"),
            ("F1", "yields", f"log entry {SOURCE.index}, vintage 2"),
        ],
        ("F1", SOURCE.index),
    ),
    "waited for": (
        [],
        [],
        WAITED - 1,
        True,
        [NOTHING, ("F1", "waits", "a late final value is waited for, until 2026-07-04T00:00:00Z")],
        None,
    ),
    "waited for in vain": (
        [],
        [],
        WAITED,
        True,
        [NOTHING, ("F1", "unavailable", "none came before 2026-07-04T00:00:00Z"), NO_CHANNEL, NOBODY, AGREE],
        None,
    ),
    "tonight": ([], [], NOW, False, [NOTHING, TONIGHT, NO_CHANNEL, NOBODY, AGREE], None),
    "nobody agreed": (
        [],
        [],
        parse_instant("2026-07-09T00:00:00Z"),
        False,
        [
            NOTHING,
            ("F1", "unavailable", "none came before 2026-07-04T00:00:00Z"),
            NO_CHANNEL,
            NOBODY,
            ("F4", "unavailable", "none before 2026-07-09T00:00:00Z"),
            (
                "F5",
                "open",
                "two operators name a published value with reasons, or end the contract at its last locked mark",
            ),
        ],
        None,
    ),
    "withheld": (
        [source(DATE, None, reasons=("coverage_below_minimum", "truncation"))],
        [],
        NOW,
        False,
        [
            ("F0", "unavailable", "the final print is withheld: coverage_below_minimum, truncation"),
            TONIGHT,
            NO_CHANNEL,
            NOBODY,
            AGREE,
        ],
        None,
    ),
    "only other stages": (
        [source(DATE, 1, stage="prelim"), source(DATE, 1, stage="informational", index=1)],
        [mark_of("2026-06-26", 5)],
        NOW,
        False,
        [
            ("F0", "unavailable", "there is no final print, only informational, prelim"),
            TONIGHT,
            NO_CHANNEL,
            ("F3", "unavailable", "the last value is of 2026-06-26, more than 3 days before"),
            AGREE,
        ],
        None,
    ),
    "carried": (
        [],
        [mark_of("2026-06-29", 5)],
        NOW,
        False,
        [NOTHING, TONIGHT, NO_CHANNEL, ("F3", "yields", "the mark of 2026-06-29, log entry 206330")],
        ("F3", 206330),
    ),
    "carried too often": (
        [],
        [
            mark_of("2026-06-29", 5),
            *(mark_of(f"2026-06-0{day}", 5, level=Level.CARRIED) for day in range(1, 7)),
        ],
        NOW,
        False,
        [
            NOTHING,
            TONIGHT,
            NO_CHANNEL,
            ("F3", "unavailable", "7 carried days of 30 are more than 1/5"),
            AGREE,
        ],
        None,
    ),
}


def test_a_value_that_was_rejected_for_good_is_passed_over_until_another_vintage_comes() -> None:
    came = resolve(
        parse_date(DATE),
        now=NOW,
        sources=[SOURCE],
        rejected={SOURCE.index},
        earlier=[mark_of("2026-06-29", 5)],
        window=WINDOW,
        final=False,
        rules=RULES,
    )
    assert came.steps[0].why == f"the mark on log entry {SOURCE.index} was rejected"
    assert came.resolution is not None
    assert came.resolution.level == Level.CARRIED
    again = resolve(
        parse_date(DATE),
        now=NOW,
        sources=[SOURCE, LATER],
        rejected={SOURCE.index},
        earlier=[],
        window=WINDOW,
        final=False,
        rules=RULES,
    )
    assert again.resolution is not None
    assert (again.resolution.level, again.resolution.source) == (Level.FINAL, LATER)


@pytest.mark.parametrize("way", WAYS)
def test_the_waterfall_says_why_step_by_step(way: str) -> None:
    sources, earlier, now, final, steps, resolution = WAYS[way]
    came = resolve(
        parse_date(DATE), now=now, sources=sources, earlier=earlier, window=WINDOW, final=final, rules=RULES
    )
    assert came.day == parse_date(DATE)
    assert [(step.level, step.answer, step.why) for step in came.steps] == steps
    ends = {"waits": WAITED, "open": parse_instant("2026-07-09T00:00:00Z")}
    assert [step.until for step in came.steps] == [
        None if level == "F5" else ends.get(answer) for level, answer, _ in steps
    ]
    found_at = came.resolution and (came.resolution.level, came.resolution.source.index)
    assert found_at == resolution
    assert came.resolution is None or came.resolution.day == parse_date(DATE)
