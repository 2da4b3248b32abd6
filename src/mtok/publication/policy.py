"""The publication policy: which stage a date is due for at an instant, and what may change a printed value.

`policy.toml` holds the numbers, each with unit and reason. Nothing here decides what enters a value: that is the
methodology's alone.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import cache
from importlib.resources import files
from typing import Final

from mtok.calendar import DAY, SECOND, day_of
from mtok.canonical import sha256_hex

_HOUR: Final = DAY // 24


class Stage(StrEnum):
    """The stages of a published record."""

    PRELIM = "prelim"
    FINAL = "final"
    INFORMATIONAL = "informational"
    BACKFILL = "backfill"


SOURCE_LATE: Final = "source_late"


@dataclass(frozen=True, kw_only=True)
class Due:
    """What a date is to be printed as.

    as_of : instant · reason : code, where it is not as scheduled · single : it is determined apart from other dates
    """

    stage: Stage
    as_of: int
    reason: str | None = None
    single: bool = False


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The numbers of `policy.toml` in microseconds and exact ratios, and its digest."""

    raw: bytes
    sha256: str
    prelim: int
    final: int
    correction: int
    correction_min_change: Fraction
    late: int
    clock_skew_max: int
    dates_max: int
    reasons: dict[str, str]

    def scheduled(self, day: int, now: int) -> Due | None:
        """Return what a date that has not been published is due for at `now`, None before it is due at all.

        A final value that comes after the hour of corrections is late, one that comes after `late_days` is backfill;
        both see what was there at the hour of final values.
        """
        end = (day + 1) * DAY
        if now < end + self.prelim:
            return None
        if now < end + self.final:
            return Due(stage=Stage.PRELIM, as_of=end + self.prelim)
        if now < end + self.correction:
            return Due(stage=Stage.FINAL, as_of=end + self.final)
        if now < end + self.late:
            return Due(stage=Stage.FINAL, as_of=end + self.final, reason=SOURCE_LATE)
        return Due(stage=Stage.BACKFILL, as_of=end + self.final)

    def restated(self, day: int, now: int, before: str | None, after: str | None) -> Stage | None:
        """Return the stage of a correction published at `now`, None where the change is too small to be one.

        before, after : the value in force and the corrected one, None where withheld
        """
        if now >= (day + 1) * DAY + self.correction:
            return Stage.INFORMATIONAL
        if before is None or after is None:
            return Stage.FINAL if before != after else None
        change = abs(Fraction(after) - Fraction(before))
        return Stage.FINAL if change >= self.correction_min_change * Fraction(before) else None

    def next_due(self, now: int) -> int:
        """Return the instant from which something will be due that is not yet."""
        hours = [(day_of(now) + more) * DAY + after for more in (0, 1) for after in (self.prelim, self.final)]
        return min(instant for instant in hours if instant > now)


def whole_second(instant: int) -> int:
    """Return the instant cut to a second: `as_of` is given in seconds."""
    return instant - instant % SECOND


def next_second(instant: int) -> int:
    """Return the first whole second that is not before an instant."""
    return -(-instant // SECOND) * SECOND


@cache
def load_policy() -> Policy:
    """Return the policy in force."""
    raw = (files("mtok.publication") / "policy.toml").read_bytes()
    content = tomllib.loads(raw.decode("utf-8"))
    stages, safety = content["stages"], content["safety"]
    return Policy(
        raw=raw,
        sha256=sha256_hex(raw),
        prelim=stages["prelim_hour"]["value"] * _HOUR,
        final=stages["final_hour"]["value"] * _HOUR,
        correction=stages["correction_hour"]["value"] * _HOUR,
        correction_min_change=Fraction(*stages["correction_min_change"]["value"]),
        late=stages["late_days"]["value"] * DAY,
        clock_skew_max=safety["clock_skew_max"]["value"] * SECOND,
        dates_max=safety["dates_max"]["value"],
        reasons=content["reasons"],
    )
