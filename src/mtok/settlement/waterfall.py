"""The disruption waterfall: what stands for a day whose own final value did not come in time. The first step that
yields a value decides.

F0 the final value · F1 a late one, waited for · F2 a second price channel, which does not exist yet and says so · F3
the last reviewed mark, carried · F4 what the parties agree, for their contract alone · F5 two operators, with reasons,
or the end of the contract at its last locked mark.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, kw_only=True)
class _Case:
    """What every step is asked about, and at which instant; the other fields are those of `resolve`."""

    day: int
    at: int
    sources: Sequence[Source]
    rejected: Collection[int]
    earlier: Sequence[Mark]
    window: Window
    final: bool
    rules: Specification

    @property
    def due(self) -> int:
        """The end of the day."""
        return (self.day + 1) * DAY

    @property
    def last_final(self) -> Source | None:
        """The final vintage in force of the day, with a value or without one."""
        finals = (one for one in self.sources if one.stage == "final")
        return max(finals, key=lambda one: one.index, default=None)

    @property
    def own(self) -> Source | None:
        """The final value of the day, None where it is withheld or its mark was rejected."""
        last = self.last_final
        return None if last is None or last.value is None or last.index in self.rejected else last


def resolve(
    day: int,
    *,
    now: int,
    sources: Sequence[Source],
    earlier: Sequence[Mark],
    window: Window,
    final: bool,
    rules: Specification,
    rejected: Collection[int] = (),
) -> Waterfall:
    """Return what stands for a day at `now`, step by step.

    sources : every published value of the day · rejected : log indexes of those that an approver rejected for good
    earlier : the marks of the days before, the last version of each · final : for what is paid, which waits for a
    late value; tonight's margin does not
    """
    case = _Case(
        day=day,
        at=now,
        sources=sources,
        rejected=rejected,
        earlier=earlier,
        window=window,
        final=final,
        rules=rules,
    )
    steps: list[Step] = []
    for ask in (_final_value, _late_value, _second_channel, _carried_mark, _agreement, _decision):
        step, source = ask(case)
        steps.append(step)
        if step.answer != Answer.UNAVAILABLE:
            found = None if source is None else Resolution(day=day, level=step.level, source=source)
            return Waterfall(day=day, steps=tuple(steps), resolution=found)
    raise AssertionError("the last step is always open")


Asked = tuple[Step, Source | None]
"""A step, and the source that it yields."""


def _final_value(case: _Case) -> Asked:
    if case.own is None:
        return _no(Level.FINAL, _why_none(case)), None
    if case.own.reason == _LATE:
        return _no(Level.FINAL, "no final value came in time"), None
    return _yes(Level.FINAL, case.own)


def _late_value(case: _Case) -> Asked:
    if case.own is not None:
        return _yes(Level.LATE, case.own)
    waited = deadline(case.due, case.rules.wait_days)
    if case.at >= waited:
        return _no(Level.LATE, f"none came before {format_instant(waited)}"), None
    if case.final:
        return _until(Level.LATE, Answer.WAITS, "a late final value is waited for", waited), None
    return _no(Level.LATE, "margin does not wait"), None


def _second_channel(_: _Case) -> Asked:
    return _no(Level.SECOND_CHANNEL, "there is no second price channel yet"), None


def _carried_mark(case: _Case) -> Asked:
    reviewed = [mark for mark in case.earlier if mark.day < case.day and mark.state in REVIEWED]
    if not reviewed:
        return _no(Level.CARRIED, "no reviewed mark before it"), None
    last = max(reviewed, key=lambda mark: (mark.day, mark.version))
    refusal = _why_not_carried(case, last)
    if refusal is not None:
        return _no(Level.CARRIED, refusal), None
    why = f"the mark of {last.date}, log entry {last.source.index}"
    return Step(level=Level.CARRIED, answer=Answer.YIELDS, why=why), last.source


def _agreement(case: _Case) -> Asked:
    until = deadline(case.due, case.rules.agreement_days)
    if case.at >= until:
        return _no(Level.AGREED, f"none before {format_instant(until)}"), None
    return _until(Level.AGREED, Answer.OPEN, "the parties of a contract may agree on a value", until), None


def _decision(_: _Case) -> Asked:
    why = "two operators name a published value with reasons, or end the contract at its last locked mark"
    return Step(level=Level.DECIDED, answer=Answer.OPEN, why=why), None


def _why_none(case: _Case) -> str:
    last = case.last_final
    if last is not None and last.value is None:
        return f"the final print is withheld: {', '.join(last.reasons)}"
    if last is not None:
        return f"the mark on log entry {last.index} was rejected"
    stages = ", ".join(sorted({one.stage for one in case.sources}))
    return f"there is no final print, only {stages}" if stages else "nothing was published"


def _why_not_carried(case: _Case, last: Mark) -> str | None:
    """Return why the limits of F3 do not allow to carry a mark, None where they do.

    A carried day counts while its mark is proposed or disputed too: it may well stay carried.
    """
    rules, window = case.rules, case.window
    if case.day - last.source_day > rules.carry_days_max:
        return f"the last value is of {format_date(last.source_day)}, more than {rules.carry_days_max} days before"
    if case.day not in window.days:
        return None
    carried = {mark.day for mark in case.earlier if mark.level == Level.CARRIED and mark.state != "rejected"}
    count = 1 + sum(one in window.days for one in carried if one < case.day)
    if count > rules.carry_share_max * len(window.days):
        return f"{count} carried days of {len(window.days)} are more than {rules.carry_share_max}"
    return None


def _yes(level: Level, source: Source) -> Asked:
    why = f"log entry {source.index}, vintage {source.vintage}"
    return Step(level=level, answer=Answer.YIELDS, why=why), source


def _no(level: Level, why: str) -> Step:
    return Step(level=level, answer=Answer.UNAVAILABLE, why=why)


def _until(level: Level, answer: Answer, why: str, until: int) -> Step:
    return Step(level=level, answer=answer, why=f"{why}, until {format_instant(until)}", until=until)
