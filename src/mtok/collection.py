"""One live collection: what `mtok collect` asks OpenRouter for, and in which order.

Posted prices first, because nobody can capture them later; then the token totals of the days that are over and not
held, once a day with those of the week before again, since upstream may restate them; then, once a day, what each
model's providers ask. Every attempt is archived as soon as it is over, so an interruption costs the one under way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from mtok.archive import KIND_ENDPOINTS, KIND_MODELS, KIND_RANKINGS, PRIMARY, RANKINGS_DAILY, Response, Store
from mtok.calendar import (
    DAY,
    SECOND,
    Clock,
    day_of,
    format_date,
    format_instant,
    parse_date,
    second_of_day,
)
from mtok.determination.folder import Determinations
from mtok.methodology import load
from mtok.observations import Observations, PayloadFault, decode_payload
from mtok.progress import Progress
from mtok.sources import FIRST_DAY, NOT_BEFORE_MAX, OpenRouter, Outcome

RANKINGS_HOUR: Final = 2
"""UTC hour of D + 1 from which the totals of D are asked for: the feed turns to a new day within an hour or so."""
CATCH_UP_DAYS: Final = 30
"""How far back days that are not held are asked for."""
AGAIN_DAYS: Final = 7
"""The days before today whose totals are asked for again each day (D − 2 … D − 7)."""
RANKINGS_ATTEMPTS_MAX: Final = 150
"""Attempts at rankings a UTC day, of the 500 that OpenRouter grants an account."""
ENDPOINTS_DAYS: Final = 7
"""The days before today whose constituents are asked for."""
ENDPOINTS_ATTEMPTS_MAX: Final = 80
"""Attempts at endpoints a UTC day; the client makes one for a model, and the next collection the next."""
ENDPOINTS_FAILURES_MAX: Final = 3
"""How many models in a row may find no answer before a collection leaves the rest to the next."""
ENDPOINTS_SECONDS_MAX: Final = 900
"""How long one collection goes on asking for endpoints."""

NOBODY_SERVES_IT: Final = "http_404"
"""An answer about endpoints like any other."""

Connect = Callable[[Callable[[Response], None]], OpenRouter]
"""Makes the client, which hands each attempt to the function it is given."""


@dataclass(frozen=True, kw_only=True)
class Collected:
    """What a collection asked for and what came of it.

    outcomes : in order · left : (what was due and not asked for, why) · lines : of the register, observed now
    faults : of these captures, by code
    """

    outcomes: tuple[Outcome, ...]
    left: tuple[tuple[str, str], ...]
    lines: range
    faults: Counter[str]

    @property
    def failed(self) -> list[Outcome]:
        """The questions that found no answer; that nobody serves a model is one."""
        return [
            outcome
            for outcome in self.outcomes
            if outcome.failure is not None
            and not (outcome.kind == KIND_ENDPOINTS and outcome.failure == NOBODY_SERVES_IT)
        ]


def collect(
    store: Store,
    observations: Observations,
    connect: Connect,
    clock: Clock,
    *,
    days: tuple[int, int] | None = None,
    endpoints: bool = True,
    methodology: str = "1.0",
    progress: Progress,
) -> Collected:
    """Take what is due now; the caller holds the lock and has refreshed the observations.

    days : the first and the last day to take rankings of, instead of everything that is due
    endpoints : whether providers' prices are asked for at all
    Raises BadCall for days that are not over or that OpenRouter never had.
    """
    left: list[tuple[str, str]] = []
    outcomes: list[Outcome] = []
    before = observations.register.lines
    with connect(store.recorder()) as client:
        progress("collecting", 0, 1)
        due = Due(observations, clock.now(), left)
        if days is None and due.prices():
            outcomes.append(client.models())
        for first, last in due.rankings(days):
            outcomes += client.rankings(first, last)
        if days is None and endpoints:
            slugs = due.endpoints(constituents(store, clock, methodology))
            outcomes += _endpoints(client, clock, slugs, left, progress)
        progress("collecting", 1, 1)
    observations.refresh(progress)
    lines = range(before, observations.register.lines)
    left += _not_in_answers(observations, outcomes, lines)
    return Collected(
        outcomes=tuple(outcomes), left=tuple(left), lines=lines, faults=_faults(observations, lines, clock)
    )


class _Seen(NamedTuple):
    """A capture or attempt of the primary collector: columns of the table `captures`."""

    capture: int
    captured: int
    kind: str
    subject: str | None
    volume_source: str | None
    readable: bool
    failure: str | None
    not_before: int | None


class Due:
    """What is due at an instant, by what the primary collector has captured.

    left : takes (what is due and not to be asked for, why)
    """

    def __init__(self, observations: Observations, now: int, left: list[tuple[str, str]]) -> None:
        self._observations = observations
        self._now = now
        self._left = left
        self._today = day_of(now)
        self._first = self._today - CATCH_UP_DAYS
        rows = observations.rows(
            "captures", "collector", *_Seen._fields, first_day=self._first, last_day=self._today
        )
        self._seen = [_Seen(*row) for collector, *row in rows if collector == PRIMARY]

    def prices(self) -> bool:
        """Return whether prices are to be taken: always, unless the server asks to be left alone."""
        return self._allowed(KIND_MODELS, "prices")

    def rankings(self, asked: tuple[int, int] | None) -> list[tuple[int, int]]:
        """Return the days to take rankings of, those asked for or what is due: none, or the first and the last."""
        span = asked or self._span()
        if span is None:
            return []
        what = f"rankings of {format_date(span[0])} … {format_date(span[1])}"
        return [span] if self._allowed(KIND_RANKINGS, what, RANKINGS_ATTEMPTS_MAX) else []

    def endpoints(self, constituents: Iterable[str]) -> list[str]:
        """Return the models to ask the endpoints of: those of `constituents` without an answer today."""
        answered = {
            one.subject
            for one in self._of_today(KIND_ENDPOINTS)
            if one.readable or one.failure == NOBODY_SERVES_IT
        }
        wanted = [slug for slug in constituents if slug not in answered]
        room = max(0, ENDPOINTS_ATTEMPTS_MAX - len(self._of_today(KIND_ENDPOINTS)))
        if wanted and not self._allowed(KIND_ENDPOINTS, f"endpoints of {len(wanted)} models"):
            return []
        if len(wanted) > room:
            self._left.append(
                (f"endpoints of {len(wanted) - room} models", f"{ENDPOINTS_ATTEMPTS_MAX} attempts a day")
            )
        return wanted[:room]

    def _span(self) -> tuple[int, int] | None:
        """Return the days that are not held and, unless some are named today, those to be taken again."""
        last = self._today - (1 if second_of_day(self._now) >= RANKINGS_HOUR * 3600 else 2)
        first_capture = min([*self._observations.days(), self._today])
        floor = max(FIRST_DAY, self._first, first_capture - 1)
        held, named_today = self._held()
        missing = [day for day in range(floor, last + 1) if day not in held]
        again = list(range(max(floor, self._today - AGAIN_DAYS), min(last + 1, self._today - 1)))
        if again and named_today.isdisjoint(again):
            wanted = [*missing, *again]
        else:
            wanted = [day for day in missing if day >= self._today - AGAIN_DAYS]
        return (min(wanted), max(wanted)) if wanted else None

    def _held(self) -> tuple[set[int], set[int]]:
        """Return the days that are held, and those that some capture of today names."""
        days = {
            one.capture: day_of(one.captured)
            for one in self._seen
            if one.volume_source == RANKINGS_DAILY and one.readable
        }
        held, named_today = set(), set()
        rows = self._observations.rows("volume_days", "capture", "day", "reason", first_day=self._first)
        for capture, day, reason in rows:
            if capture in days and reason is None:
                held.add(day)
            if days.get(capture) == self._today:
                named_today.add(day)
        return held, named_today

    def _allowed(self, kind: str, what: str, attempts_max: int | None = None) -> bool:
        """Return whether a kind may be asked for now; else say why not."""
        until = max((one.not_before or 0 for one in self._seen if one.kind == kind), default=0)
        reason = None
        if self._now < until <= self._now + NOT_BEFORE_MAX:
            reason = f"the server asks to be left alone until {format_instant(until)}"
        elif attempts_max is not None and len(self._of_today(kind)) >= attempts_max:
            reason = f"{attempts_max} attempts today"
        if reason:
            self._left.append((what, reason))
        return reason is None

    def _of_today(self, kind: str) -> list[_Seen]:
        return [one for one in self._seen if one.kind == kind and day_of(one.captured) == self._today]


def together(parts: Sequence[Collected]) -> Collected:
    """Return several collections as one."""
    faults: Counter[str] = Counter()
    for part in parts:
        faults += part.faults
    return Collected(
        outcomes=tuple(outcome for part in parts for outcome in part.outcomes),
        left=tuple(dict.fromkeys(left for part in parts for left in part.left)),
        lines=range(parts[0].lines.start, parts[-1].lines.stop) if parts else range(0),
        faults=faults,
    )


def constituents(store: Store, clock: Clock, methodology: str) -> list[str]:
    """Return the slugs of the priced standard constituents of the last days, most tokens first.

    Days after those of the last whole run do not count: a run that was interrupted left records of some series only,
    and the same run again asks for what it would have asked for.
    """
    determinations, today = Determinations(store, methodology), day_of(clock.now())
    last_run = determinations.last_run(RANKINGS_DAILY)
    if last_run is None:
        return []
    last_day = min(today - 1, parse_date(last_run.last_date))
    tokens: Counter[str] = Counter()
    for entry in load(methodology).series:
        for record in determinations.read(entry.series, today - ENDPOINTS_DAYS, last_day):
            tokens.update({row.constituent: row.tokens for row in record.constituents})
    names = (name for name in tokens if ":" not in name)
    return sorted(names, key=lambda name: (-tokens[name], name))


def sound(kind: str, raw: bytes) -> str | None:
    """Return None for a body worth having, else the code of why it is asked for again.

    Rankings may be empty, of a day that is not there yet; a catalogue never is.
    """
    try:
        payload = decode_payload(raw, dict if kind == KIND_ENDPOINTS else list)
    except PayloadFault as fault:
        return fault.code
    return "payload_empty" if kind == KIND_MODELS and not payload["data"] else None


def _endpoints(
    client: OpenRouter, clock: Clock, slugs: list[str], left: list[tuple[str, str]], progress: Progress
) -> Iterator[Outcome]:
    """Ask for each model until time is up or several in a row found no answer: the next collection asks again."""
    start, failures = clock.now(), 0
    for done, slug in enumerate(slugs):
        progress("endpoints", done, len(slugs))
        because = None
        if clock.now() - start > ENDPOINTS_SECONDS_MAX * SECOND:
            because = f"{ENDPOINTS_SECONDS_MAX} s have passed"
        elif failures >= ENDPOINTS_FAILURES_MAX:
            because = f"{failures} in a row found no answer"
        if because:
            left.append((f"endpoints of {len(slugs) - done} models", because))
            return
        outcome = client.endpoints(slug)
        failures = 0 if outcome.failure in (None, NOBODY_SERVES_IT) else failures + 1
        yield outcome
    progress("endpoints", len(slugs), len(slugs))


def _not_in_answers(
    observations: Observations, outcomes: list[Outcome], lines: range
) -> list[tuple[str, str]]:
    """Return the days that were asked for and that no answer holds."""
    answered = [outcome for outcome in outcomes if outcome.kind == KIND_RANKINGS and outcome.response]
    if not answered:
        return []
    first = min(day_of(outcome.response.captured_at) for outcome in answered if outcome.response)
    rows = observations.rows("volume_days", "capture", "day", "reason", first_day=first)
    held = {day for line, day, reason in rows if line in lines and reason is None}
    asked = {
        day
        for outcome in answered
        for first, last in [map(parse_date, (outcome.subject or "").split("/"))]
        for day in range(first, last + 1)
    }
    missing = sorted(asked - held)
    if not missing:
        return []
    span = f"{format_date(missing[0])} … {format_date(missing[-1])}"
    return [(f"rankings of {len(missing)} days in {span}", "OpenRouter's answer does not hold them")]


def _faults(observations: Observations, lines: range, clock: Clock) -> Counter[str]:
    """Return the faults of the lines by code; a collection lasts less than a day."""
    first = day_of(clock.now() - DAY)
    return Counter(
        code
        for line, code in observations.rows("faults", "capture", "code", first_day=first)
        if line in lines
    )
