"""The disruption waterfall: what stands for a day whose own final value did not come in time. The first step that
yields a value decides.

F0 the final value · F1 a late one, waited for · F2 a second price channel, which does not exist yet and says so · F3
the last reviewed mark, carried · F4 what the parties agree, for their contract alone · F5 two operators, with reasons,
or the end of the contract at its last locked mark.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec

from mtok.calendar import DAY, format_date, format_instant
from mtok.publication.marks import Source
from mtok.settlement.business_days import deadline
from mtok.settlement.marks import REVIEWED, Level, Mark, Resolution
from mtok.settlement.specification import Specification
from mtok.settlement.values import Window

_LATE: Final = "source_late"


class Answer(StrEnum):
    """What a step of the waterfall says."""

    YIELDS = "yields"
    WAITS = "waits"
    UNAVAILABLE = "unavailable"
    OPEN = "open"


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step asked: its level, its answer, and why, in words. until : of one that waits or is open"""

    level: Level
    answer: Answer
    why: str
    until: int | None = None


class Waterfall(msgspec.Struct, frozen=True, kw_only=True):
    """Every step that was asked, in order, and what they come to; None while nothing does."""

    day: int
    steps: tuple[Step, ...]
    resolution: Resolution | None = None


def resolve(
    day: int,
    *,
    now: int,
    sources: Sequence[Source],
    earlier: Sequence[Mark],
    window: Window,
    final: bool,
    rules: Specification,
) -> Waterfall:
    """Return what stands for a day at `now`, step by step.

    sources : every published value of the day · earlier : the marks of the days before, the last version of each
    final : for what is paid, which waits for a late value; tonight's margin does not
    """
    due = (day + 1) * DAY
    steps: list[Step] = []
    published = _final_of(sources)
    if published is not None:
        level = Level.LATE if published.reason == _LATE else Level.FINAL
        if level == Level.LATE:
            steps.append(
                Step(level=Level.FINAL, answer=Answer.UNAVAILABLE, why="no final value came in time")
            )
        steps.append(_yields(level, f"log entry {published.index}, vintage {published.vintage}"))
        return _found(day, steps, level, published)
    steps.append(Step(level=Level.FINAL, answer=Answer.UNAVAILABLE, why=_why_none(sources)))
    waited = deadline(due, rules.wait_days)
    if final and now < waited:
        steps.append(_until(Level.LATE, Answer.WAITS, "a late final value is waited for", waited))
        return Waterfall(day=day, steps=tuple(steps))
    why = f"none came before {format_instant(waited)}" if now >= waited else "margin does not wait"
    steps.append(Step(level=Level.LATE, answer=Answer.UNAVAILABLE, why=why))
    steps.append(
        Step(
            level=Level.SECOND_CHANNEL, answer=Answer.UNAVAILABLE, why="there is no second price channel yet"
        )
    )
    carried = _carried(day, earlier)
    refusal = _why_not_carried(day, carried, earlier, window, rules)
    if carried is not None and refusal is None:
        steps.append(_yields(Level.CARRIED, f"the mark of {carried.date}, log entry {carried.source.index}"))
        return _found(day, steps, Level.CARRIED, carried.source)
    steps.append(
        Step(level=Level.CARRIED, answer=Answer.UNAVAILABLE, why=refusal or "no reviewed mark before it")
    )
    agreed = deadline(due, rules.agreement_days)
    if now < agreed:
        steps.append(
            _until(Level.AGREED, Answer.OPEN, "the parties of a contract may agree on a value", agreed)
        )
    else:
        steps.append(
            Step(level=Level.AGREED, answer=Answer.UNAVAILABLE, why=f"none before {format_instant(agreed)}")
        )
        steps.append(
            Step(
                level=Level.DECIDED,
                answer=Answer.OPEN,
                why="two operators name a published value with reasons, or end the contract at its last locked mark",
            )
        )
    return Waterfall(day=day, steps=tuple(steps))


def _final_of(sources: Sequence[Source]) -> Source | None:
    """Return the final value in force of a day, None where the last final vintage has none."""
    finals = sorted((one for one in sources if one.stage == "final"), key=lambda one: one.index)
    return finals[-1] if finals and finals[-1].value is not None else None


def _why_none(sources: Sequence[Source]) -> str:
    finals = sorted((one for one in sources if one.stage == "final"), key=lambda one: one.index)
    if finals:
        return f"the final print is withheld: {', '.join(finals[-1].reasons)}"
    stages = ", ".join(sorted({one.stage for one in sources}))
    return f"there is no final print, only {stages}" if stages else "nothing was published"


def _carried(day: int, earlier: Sequence[Mark]) -> Mark | None:
    """Return the last reviewed mark before a day."""
    reviewed = [mark for mark in earlier if mark.day < day and mark.state in REVIEWED]
    return max(reviewed, key=lambda mark: (mark.day, mark.version), default=None)


def _why_not_carried(
    day: int, carried: Mark | None, earlier: Sequence[Mark], window: Window, rules: Specification
) -> str | None:
    """Return why the limits of F3 do not allow to carry a mark, None where they do.

    A carried day counts while its mark is proposed or disputed too: it may well stay carried.
    """
    if carried is None:
        return None
    age = day - carried.source_day
    if age > rules.carry_days_max:
        return f"the last value is of {format_date(carried.source_day)}, more than {rules.carry_days_max} days before"
    if day not in window.days:
        return None
    days = {mark.day for mark in earlier if mark.level == Level.CARRIED and mark.state != "rejected"}
    count = 1 + sum(one in window.days for one in days if one < day)
    allowed = rules.carry_share_max * len(window.days)
    if count > allowed:
        return f"{count} carried days of {len(window.days)} are more than {rules.carry_share_max}"
    return None


def _yields(level: Level, why: str) -> Step:
    return Step(level=level, answer=Answer.YIELDS, why=why)


def _until(level: Level, answer: Answer, why: str, until: int) -> Step:
    return Step(level=level, answer=answer, why=f"{why}, until {format_instant(until)}", until=until)


def _found(day: int, steps: list[Step], level: Level, source: Source) -> Waterfall:
    return Waterfall(day=day, steps=tuple(steps), resolution=Resolution(day=day, level=level, source=source))
