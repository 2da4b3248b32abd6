"""What is published when: the dates that are due, in order, each as the policy says, and corrections beside them."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from mtok.archive import KIND_MODELS, RANKINGS_DAILY, Store
from mtok.calendar import day_of, format_date, format_instant, parse_date
from mtok.errors import AnswerIsNo, BadInput, EnvironmentFailed
from mtok.methodology import load
from mtok.observations import Observations
from mtok.progress import Progress
from mtok.publication.editions import Determined, Edition, determine_dates, make_edition
from mtok.publication.policy import SOURCE_LATE, Due, Stage, next_second
from mtok.publication.press import Outside, Press
from mtok.publication.vintages import Vintage
from mtok.records import Determination, PublishedRecord

_SHOWN_DAYS: Final = 31
"""rankings-daily shows the last thirty days: what it does not hold by then it never will."""


@dataclass(frozen=True, kw_only=True)
class Publication:
    """What a call published.

    records : in order · failed : (date, code) of dates that could not be determined · size : of the log · known_at : of
    the last publication · resumed : an interrupted one was completed first · next_due : instant from which there is
    something to publish again · passed_over : days with volumes before the first published one: they stay unpublished
    """

    records: tuple[PublishedRecord, ...]
    failed: tuple[tuple[str, str], ...]
    size: int
    known_at: str
    resumed: bool
    next_due: str
    passed_over: tuple[str, ...]
    warning: str | None


def publish(
    store: Store,
    observations: Observations,
    now: int,
    outside: Outside,
    *,
    last_day: int | None = None,
    progress: Progress,
) -> Publication:
    """Publish every date that is due at `now`, in order, up to `last_day`; the caller holds the lock and has refreshed.

    Raises AnswerIsNo (`no_volumes`) when nothing was ever published and no capture holds volumes, else as `Press`.
    """
    press = Press(store, now, outside, progress)
    records: list[PublishedRecord] = []
    failed: list[tuple[str, str]] = []
    calendar = Calendar(press, observations)
    while dues := calendar.due(last_day)[: press.policy.dates_max]:
        editions, failures = _determine(observations, calendar, dues, progress)
        if not editions and not failures:
            break
        press.publish_editions(editions, failures)
        records += [record for edition in editions for record in edition.records]
        failed += [(date, code) for date, _, code in failures]
        calendar = Calendar(press, observations)
    return Publication(
        records=tuple(records),
        failed=tuple(failed),
        size=press.published.size,
        known_at=format_instant(press.published.known_at or now),
        resumed=press.resumed,
        next_due=format_instant(press.policy.next_due(now)),
        passed_over=tuple(map(format_date, calendar.passed_over)),
        warning=press.warning,
    )


def _determine(
    observations: Observations,
    calendar: Calendar,
    dues: Sequence[tuple[int, Due]],
    progress: Progress,
) -> tuple[list[Edition], list[tuple[str, str, str]]]:
    """Return the editions of dates that are due, and (date, stage, code) of those that cannot be determined."""
    calendar.check_archive(dues[0][0])
    waiting = deque(dues)
    done: list[Determined] = []
    failures: list[tuple[str, str, str]] = []
    while waiting:
        days, due = _next_group(waiting)
        before = calendar.before(days[0], due.as_of, done)
        version = load(calendar.methodology)
        try:
            found = list(determine_dates(observations, version, days, due, before, progress))
        except BadInput as error:
            if len(days) > 1:
                waiting.extendleft((day, replace(due, single=True)) for day in reversed(days))
            else:
                failures.append((format_date(days[0]), due.stage, error.code))
            continue
        done += [one for one in found if one.has_volumes or not calendar.is_retried(one.day)]
    return [calendar.edition(one) for one in done], failures


def _next_group(waiting: deque[tuple[int, Due]]) -> tuple[list[int], Due]:
    """Take the next dates that are determined together: consecutive ones with the same stage, `as_of` and reason."""
    day, due = waiting.popleft()
    days = [day]
    while waiting and not due.single and waiting[0] == (days[-1] + 1, due):
        days.append(waiting.popleft()[0])
    return days, due


class Calendar:
    """Which dates are due in a publication, and what they link to and rest on."""

    def __init__(self, press: Press, observations: Observations) -> None:
        self._press = press
        self._observations = observations
        self.methodology = press.methodology
        self._names = [entry.series for entry in load(self.methodology).series]
        self._held = self._held_days()
        dates = press.published.vintages.dates()
        self._first = parse_date(dates[0]) if dates else min(self._held, default=None)
        self._own = self._first_own_day()
        failures = [entry for entry in press.published.entries if "failure" in entry]
        self._failed = {(entry["date"], entry["stage"]) for entry in failures}

    @property
    def passed_over(self) -> list[int]:
        """The days with volumes before the first published one: a series does not grow backwards."""
        return sorted(day for day in self._held if self._first is not None and day < self._first)

    def due(self, last_day: int | None) -> list[tuple[int, Due]]:
        """Return the dates that are due, in order. Raises AnswerIsNo when there never were any volumes."""
        if self._first is None:
            raise AnswerIsNo(
                "no_volumes",
                f"no capture in {self._press.store.path} holds volumes of any day",
                "Collect or import responses of rankings-daily first.",
            )
        last = day_of(self._press.instant) - 1
        last = last if last_day is None else min(last, last_day)
        found = ((day, self._due(day)) for day in range(self._first, last + 1))
        return self._in_order([(day, due) for day, due in found if due is not None])

    def _in_order(self, dues: list[tuple[int, Due]]) -> list[tuple[int, Due]]:
        """Return what is due without a date that sees more than a later one, which could then not see it (R-0).

        Such a date waits for a publication of its own; one that was never published is withheld until then.
        """
        ordered: list[tuple[int, Due]] = []
        least = self._press.instant
        for day, due in reversed(dues):
            if due.as_of > least and self.is_retried(day):
                continue
            kept = due if due.as_of <= least else self._scheduled(day)
            assert kept is not None
            least = min(least, kept.as_of)
            ordered.append((day, kept))
        return ordered[::-1]

    def _scheduled(self, day: int) -> Due | None:
        """Return what a date is due for by the policy; days before the first own capture are backfill."""
        due = self._press.policy.scheduled(day, self._press.instant)
        if due is not None and (self._own is None or day < self._own):
            return replace(due, stage=Stage.BACKFILL, reason=None)
        return due

    def _due(self, day: int) -> Due | None:
        due = self._scheduled(day)
        if due is None or (format_date(day), due.stage) in self._failed:
            return None
        vintage = self._in_force(day)
        first_time = vintage is None or (vintage.stage == Stage.PRELIM and due.stage != Stage.PRELIM)
        if not first_time and not self.is_retried(day):
            return None
        answered = self._held.get(day)
        if due.stage == Stage.PRELIM or answered is None or answered <= due.as_of:
            return due
        late = first_time and due.stage == Stage.BACKFILL
        return replace(due, as_of=next_second(answered), reason=None if late else SOURCE_LATE)

    def is_retried(self, day: int) -> bool:
        """Whether a date was published without volumes and there are some now."""
        vintage = self._in_force(day)
        return (
            vintage is not None
            and vintage.stage != Stage.PRELIM
            and vintage.without_volumes
            and day in self._held
        )

    def before(self, day: int, as_of: int, done: Sequence[Determined] = ()) -> dict[str, list[Determination]]:
        """Return what a date links to, by series, oldest first. done : dates determined but not yet published"""
        days = load(self.methodology).parameters.number("averages", "previous_days")
        found: dict[str, list[Determination]] = {}
        for number, name in enumerate(self._names):
            listed = self._press.published.before(name, self.methodology, day, as_of, days)
            by_date = {record.date: record for record in listed}
            by_date |= {format_date(one.day): one.records[number] for one in done if one.day < day}
            found[name] = [by_date[date] for date in sorted(by_date)]
        return found

    def edition(self, determined: Determined, only: Collection[str] | None = None) -> Edition:
        """Return the edition of a date. only : the series it is published for, None for all"""
        date = format_date(determined.day)
        names = self._names if only is None else [name for name in self._names if name in only]
        press = self._press
        vintages = {name: press.published.vintages.of((name, self.methodology, date)) for name in names}
        stages = [
            entry["stage"]
            for entry in press.published.entries
            if entry["type"] == "prices" and entry["date"] == date
        ]
        return make_edition(determined, press.captures, vintages, stages, press.known_at, press.policy.sha256)

    def in_force(self, series: str, day: int) -> Vintage | None:
        """Return what is in force of a series and date."""
        return self._press.published.vintages.in_force((series, self.methodology, format_date(day)))

    def last_vintage(self, vintage: Vintage) -> Vintage:
        """Return the last vintage of what another one is a vintage of, which may be informational."""
        return self._press.published.vintages.of(vintage.key)[-1]

    def check_archive(self, first_day: int) -> None:
        """Read the object of every capture dates from `first_day` on may rest on.

        Raises EnvironmentFailed naming one that is missing or damaged, or where a capture is later than the clock.
        """
        policy, now = self._press.policy, self._press.instant
        since = first_day - load(self.methodology).parameters.number("window", "input_days_before")
        for capture in self._press.captures:
            if capture.volume_source not in {None, RANKINGS_DAILY}:
                continue
            if capture.instant > now + policy.clock_skew_max:
                raise EnvironmentFailed(
                    "clock_behind",
                    f"this machine's clock says {format_instant(now)}; a capture was made at {capture.captured_at}",
                    "Set the clock (`timedatectl`, an NTP service) and run the same command again; nothing was signed.",
                )
            if day_of(capture.instant) >= since:
                self._press.store.objects.get(capture.sha256)

    def _in_force(self, day: int) -> Vintage | None:
        return self.in_force(self._names[0], day)

    def _held_days(self) -> dict[int, int]:
        """Return the days some capture has whole volumes of, and the instant of the first taken when the day was over.

        Where something is published, of the captures of the last month alone.
        """
        dates = self._press.published.vintages.dates()
        first = day_of(self._press.instant) - _SHOWN_DAYS if dates else None
        captures = self._observations.rows("captures", "capture", "instant", "volume_source", first_day=first)
        instants = {line: instant for line, instant, source in captures if source == RANKINGS_DAILY}
        held: dict[int, int] = {}
        for line, day, reason in self._observations.rows(
            "volume_days", "capture", "day", "reason", first_day=first
        ):
            instant = instants.get(line)
            if reason is None and instant is not None and day_of(instant) > day:
                held[day] = min(instant, held.get(day, instant))
        return held

    def _first_own_day(self) -> int | None:
        """Return the day of the earliest price list of the store's own collector, None without any.

        The register is in order of archiving, which an import of older captures does not follow.
        """
        parameters = self._press.store.parameters
        days = {
            (day_of(capture.instant), capture.collector)
            for capture in self._press.captures
            if capture.kind == KIND_MODELS and capture.failure is None
        }
        for day, collector in sorted(days):
            entry = parameters.in_force(collector, day)
            if entry and entry.rank == 1 and not entry.archive:
                return day
        return None
