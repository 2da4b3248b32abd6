"""The daily cycle: one run a day, then a slot in which terms are sent. Everything that could tell waits for it."""

from __future__ import annotations

from typing import Final

from mtok.calendar import DAY, day_of
from mtok.settlement.specification import Specification

HOUR: Final = DAY // 24


def run_of(day: int, rules: Specification) -> int:
    """Return the instant of the run of a day."""
    return day * DAY + rules.run_hour * HOUR


def next_run(now: int, rules: Specification) -> int:
    """Return the first run after an instant; at the second of a run that is the next day's."""
    today = run_of(day_of(now), rules)
    return today if now < today else today + DAY


def last_run(now: int, rules: Specification) -> int:
    """Return the last run at or before an instant."""
    return next_run(now, rules) - DAY


def slot_end(run: int, rules: Specification) -> int:
    """Return the end of the slot after a run: from then on no terms are sent."""
    return run + rules.slot_hours * HOUR


def terms_end(run: int, rules: Specification) -> int:
    """Return the first instant at which terms of a run can no longer be approved."""
    return run + rules.terms_hours * HOUR


def is_in_slot(now: int, rules: Specification) -> bool:
    """Return whether terms may be on their way: then no request can be amended, matched or not."""
    return now < slot_end(last_run(now, rules), rules)
