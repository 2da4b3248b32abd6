"""What stands for each day of a replay: its own value, or what step F3 of the waterfall carries forward.

The waterfall itself is asked (`mtok.settlement.waterfall`), with every value taken for a final one that two persons
have approved: the limits are its own. A day that it does not carry has no mark here; what the parties would agree (F4)
or the operators decide (F5) is nobody's to guess.
"""

from __future__ import annotations

import msgspec

from mtok.calendar import DAY, format_date, parse_date
from mtok.errors import AnswerIsNo
from mtok.lab.history import History, span_text
from mtok.publication.marks import Source
from mtok.publication.policy import Stage
from mtok.settlement.business_days import deadline
from mtok.settlement.marks import Level, Mark
from mtok.settlement.specification import Specification
from mtok.settlement.values import Window
from mtok.settlement.waterfall import Waterfall, resolve


class MarkedDay(msgspec.Struct, frozen=True, kw_only=True):
    """A day. value : its own · source_day : the day whose value stands for it, its own or an earlier one

    level : F0 or F3, None where F3 refuses · reasons : codes of why it has no value · refusal : why F3 refuses
    agreed_until : instant until which the parties may agree then (F4) · decided : what follows (F5), in words
    """

    day: int
    value: int | None
    source_day: int | None
    level: Level | None
    reasons: tuple[str, ...] = ()
    refusal: str | None = None
    agreed_until: int | None = None
    decided: str | None = None


def marked_days(history: History, window: Window, traded: int, rules: Specification) -> tuple[MarkedDay, ...]:
    """Return the days from the trade to the end of the window. Raises AnswerIsNo (`nothing_to_carry`)."""
    before = history.last_before(traded)
    if traded not in history.values and before is None:
        raise AnswerIsNo(
            "nothing_to_carry",
            f"{history.reference} has no value on {format_date(traded)}, the first day, and none before to carry",
            f"Begin on a day with a value, {format_date(min(history.values))} or later "
            f"(published: {span_text(history)}).",
        )
    earlier = [] if before is None else [_mark(history, before, Level.FINAL, before)]
    found: list[MarkedDay] = []
    for day in range(traded, window.last + 1):
        marked = _marked(history, window, day, earlier, rules)
        if marked.source_day is not None and marked.level is not None:
            earlier.append(_mark(history, day, marked.level, marked.source_day))
        found.append(marked)
    return tuple(found)


def _marked(
    history: History, window: Window, day: int, earlier: list[Mark], rules: Specification
) -> MarkedDay:
    if day in history.values:
        resolved = _asked(history, window, day, earlier, rules, (day + 1) * DAY).resolution
        assert resolved is not None
        return MarkedDay(day=day, value=history.values[day], source_day=day, level=resolved.level)
    waited, agreed = (deadline((day + 1) * DAY, count) for count in (rules.wait_days, rules.agreement_days))
    answer = _asked(history, window, day, earlier, rules, waited)
    reasons = history.why_missing(day)
    if answer.resolution is not None:
        source = parse_date(answer.resolution.source.date)
        return MarkedDay(
            day=day, value=None, source_day=source, level=answer.resolution.level, reasons=reasons
        )
    why = {step.level: step for step in answer.steps}
    last = {step.level: step for step in _asked(history, window, day, earlier, rules, agreed).steps}
    return MarkedDay(
        day=day,
        value=None,
        source_day=None,
        level=None,
        reasons=reasons,
        refusal=why[Level.CARRIED].why,
        agreed_until=why[Level.AGREED].until,
        decided=last[Level.DECIDED].why,
    )


def _asked(
    history: History, window: Window, day: int, earlier: list[Mark], rules: Specification, now: int
) -> Waterfall:
    return resolve(
        day, now=now, sources=[_source(history, day)], earlier=earlier, window=window, final=True, rules=rules
    )


def _source(history: History, day: int) -> Source:
    """Return the value of a day as the waterfall takes it: a final print, withheld where there is none."""
    value = history.values.get(day)
    return Source(
        index=day,
        reference=history.reference,
        methodology=history.methodology,
        date=format_date(day),
        stage=Stage.FINAL,
        vintage=0,
        quality="good",
        sha256="",
        known_at="",
        reasons=() if value is not None else history.why_missing(day),
        value=value,
    )


def _mark(history: History, day: int, level: Level, source_day: int) -> Mark:
    source = _source(history, source_day)
    assert source.value is not None
    return Mark(
        reference=history.reference,
        methodology=history.methodology,
        date=format_date(day),
        version=0,
        state="locked",
        level=level,
        value=source.value,
        source=source,
        preparer="",
    )
