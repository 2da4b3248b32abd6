"""How the publication stands at an instant: what was due and came, what the log and the files are worth, what changed.

This never fails: a publication that cannot be read is told as such, and what of it still holds. The page Status and
/v1/status show the same `Health`, which is plain texts and numbers.
"""

from __future__ import annotations

import base64
from collections import Counter
from functools import lru_cache
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Final

import msgspec

from mtok.archive.published_files import SUMS, PublishedFiles, never_changes
from mtok.calendar import DAY, SECOND, day_of, format_date, format_instant, parse_date, parse_instant
from mtok.errors import MtokError
from mtok.methodology import in_force, load
from mtok.notes import Checkpoint, NoteRefused, PublicKey, open_note
from mtok.publication.entries import Entry
from mtok.publication.policy import Policy, Stage, load_policy
from mtok.publication.published import Published
from mtok.publication.vintages import Vintage
from mtok.venue.keeping import Archive, archive_of
from mtok.venue.opened import Opened, Version
from mtok.venue.revised import Revision, revisions_of
from mtok.watch.publishing import PUBLICATION_LATE

DAYS: Final = 30
"""Dates of the grid, and days within which revisions are told."""

FILES_CHECKED_MAX: Final = 5_000
"""Files read for a check; of more the checkpoint, the sums, the log, the views and the newest dates come first."""

CHECKED_FOR: Final = 10 * 60 * SECOND
"""How long a check of the files is believed while nothing is published."""

MISSING_MAX: Final = 100
DAMAGED_MAX: Final = 100

_SUMS_BYTES_MAX: Final = 2**26


class _Told(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Print(_Told, frozen=True, kw_only=True):
    """What a series says of a date, and when it said so first.

    quality, stage, vintage, value : of the vintage in force · published_at : of the first print of the stage that was
    due, the final one once there is one · delay_seconds : how long after its hour
    """

    quality: str
    stage: str
    vintage: int
    value: str | None
    published_at: str
    delay_seconds: int


class Day(_Told, frozen=True, kw_only=True):
    """A fixing date. final_due : instant · prints : series → print, None where nothing was printed"""

    date: str
    final_due: str
    prints: dict[str, Print | None]


class Punctuality(_Told, frozen=True, kw_only=True):
    """How many final prints came in time, of those whose hour has passed since the log began.

    limit_seconds : after its hour a print is in time for so long · worst_seconds : the longest delay of those printed
    """

    due: int
    on_time: int
    limit_seconds: int
    worst_seconds: int | None
    worst_date: str | None


class Missing(_Told, frozen=True, kw_only=True):
    """A date some series have no print for. failure : code, where the log says why"""

    date: str
    series: tuple[str, ...]
    failure: str | None = None


class Check(_Told, frozen=True, kw_only=True):
    """Something that was verified. what : `checkpoint`, `log` or `sums` · found : in words"""

    what: str
    holds: bool
    found: str


class Damage(_Told, frozen=True, kw_only=True):
    """A file that is not what was published. fault : in words, after its path"""

    path: str
    fault: str


class Held(_Told, frozen=True, kw_only=True):
    """Files of one kind that were read. kind : the first part of their paths"""

    kind: str
    files: int
    damaged: int


class Files(_Told, frozen=True, kw_only=True):
    """What a check of the files found. checked_at : instant · files : how many there are · damaged : at most 100

    ended : why the check could not go on, None where it could
    """

    checked_at: str
    checks: tuple[Check, ...]
    files: int
    checked: int
    held: tuple[Held, ...]
    damaged: tuple[Damage, ...]
    damages: int
    ended: str | None = None


class Health(_Told, frozen=True, kw_only=True):
    """A publication at an instant; instants and dates are text, UTC.

    damage : why the log cannot be read, None where it can; all that follows from it is empty then
    published_at, entries, origin, root, key : of the last publication, its log and who signed · began : instant of the
    first · next_due : instant, with the stage and date that come · late : dates whose final print is past the limit of
    `punctuality` · first_date : the first that is published
    days : newest first · punctuality, missing : over all dates · revisions : of the last 30 days, newest first
    archive : of the store under the publication, None where there is none
    """

    at: str
    damage: str | None
    began: str | None
    published_at: str | None
    entries: int
    origin: str | None
    root: str | None
    key: str | None
    next_due: str
    next_stage: str
    next_date: str
    late: tuple[str, ...]
    series: tuple[str, ...]
    first_date: str | None
    days: tuple[Day, ...]
    punctuality: Punctuality
    missing: tuple[Missing, ...]
    revisions: tuple[Revision, ...]
    files: Files
    archive: Archive | None

    @property
    def sound(self) -> bool:
        """Whether everything that was checked holds."""
        return (
            self.damage is None
            and not self.files.damages
            and self.files.ended is None
            and all(check.holds for check in self.files.checks)
        )


def health(opened: Opened, now: int) -> Health:
    """Return how the publication stands at `now`. Nothing is written."""
    policy = load_policy()
    published = opened.published if opened.damage is None else None
    record = _Record(published.entries if published else [], policy, now)
    next_due = policy.next_due(now)
    checkpoint = _checkpoint(opened.folder)
    return Health(
        at=format_instant(now),
        damage=_within(opened.folder, opened.damage.found) if opened.damage else None,
        began=published.entries[0]["time"] if published and published.entries else None,
        published_at=published.entries[-1]["time"] if published and published.entries else None,
        entries=published.size if published else 0,
        origin=checkpoint.origin if checkpoint else None,
        root=base64.b64encode(checkpoint.root).decode() if checkpoint else None,
        key=_key(opened.folder),
        next_due=format_instant(next_due),
        next_stage=(Stage.PRELIM if next_due % DAY == policy.prelim % DAY else Stage.FINAL).value,
        next_date=format_date(day_of(next_due) - 1),
        late=record.late(),
        series=record.series,
        first_date=record.first_date,
        days=record.days(published),
        punctuality=record.punctuality(),
        missing=record.missing(),
        revisions=tuple(_recent(published, now)) if published else (),
        files=_files_held(opened.folder, opened.version, now - now % CHECKED_FOR),
        archive=archive_of(opened.folder, now),
    )


def _recent(published: Published, now: int) -> list[Revision]:
    since = now - DAYS * DAY
    return [one for one in revisions_of(published) if since < parse_instant(one.published_at) <= now]


# ---- what was due, and came


class _Record:
    """What the entries of a log say of each date, against the hours of the policy."""

    def __init__(self, entries: list[Entry], policy: Policy, now: int) -> None:
        self._policy = policy
        self._now = now
        self._first: dict[tuple[str, str], int] = {}
        self._prelim: dict[tuple[str, str], int] = {}
        self._failures: dict[tuple[str, str], str] = {}
        for entry in entries:
            if entry["type"] in ("point", "nodata"):
                self._take(entry)
        dates = [date for date, _ in (*self._first, *self._prelim)]
        self._first_day = parse_date(min(dates)) if dates else None
        self._began = parse_instant(entries[0]["time"]) if entries else now
        self._last_due = day_of(now - policy.final) - 1
        methodology = in_force(self._last_due)
        self.series = tuple(entry.series for entry in load(methodology).series)

    def _take(self, entry: Entry) -> None:
        key = entry["date"], entry["series"]
        known_at = parse_instant(entry["time"])
        if "failure" in entry:
            self._failures[key] = entry["failure"]
        else:
            self._failures.pop(key, None)
        if entry["stage"] == Stage.PRELIM:
            self._prelim.setdefault(key, known_at)
        elif entry["stage"] != Stage.INFORMATIONAL:
            self._first.setdefault(key, known_at)

    @property
    def first_date(self) -> str | None:
        """The first date that is published."""
        return None if self._first_day is None else format_date(self._first_day)

    def _due(self) -> range:
        """Return the days whose final hour has passed, from the first published one on."""
        return range(self._last_due + 1 if self._first_day is None else self._first_day, self._last_due + 1)

    def _final_due(self, day: int) -> int:
        return (day + 1) * DAY + self._policy.final

    def late(self) -> tuple[str, ...]:
        """Return the dates that are late now: no final print of any series, past the limit."""
        final = {date for date, _ in self._first}
        return tuple(
            format_date(day)
            for day in self._due()
            if format_date(day) not in final and self._now >= self._final_due(day) + PUBLICATION_LATE
        )

    def punctuality(self) -> Punctuality:
        """Return how many final prints came in time."""
        due = on_time = 0
        worst: tuple[int, str] | None = None
        for day in self._due():
            hour, date = self._final_due(day), format_date(day)
            if hour + PUBLICATION_LATE < self._began:
                continue
            for series in self.series:
                known_at = self._first.get((date, series))
                if known_at is None and self._now < hour + PUBLICATION_LATE:
                    continue
                due += 1
                if known_at is not None:
                    on_time += known_at <= hour + PUBLICATION_LATE
                    worst = max(worst or (0, date), (known_at - hour, date))
        return Punctuality(
            due=due,
            on_time=on_time,
            limit_seconds=PUBLICATION_LATE // SECOND,
            worst_seconds=worst[0] // SECOND if worst else None,
            worst_date=worst[1] if worst else None,
        )

    def missing(self) -> tuple[Missing, ...]:
        """Return the dates some series have no print for, newest first, each cause by itself."""
        found = []
        for day in reversed(self._due()):
            date = format_date(day)
            causes: dict[str | None, list[str]] = {}
            for series in self.series:
                key = date, series
                if key in self._failures or key not in self._first:
                    causes.setdefault(self._failures.get(key), []).append(series)
            found += [Missing(date=date, series=tuple(names), failure=why) for why, names in causes.items()]
        return tuple(found[:MISSING_MAX])

    def days(self, published: Published | None) -> tuple[Day, ...]:
        """Return the last dates that were due at all, newest first."""
        if published is None or self._first_day is None:
            return ()
        newest = day_of(self._now - self._policy.prelim) - 1
        days = range(max(newest - DAYS + 1, self._first_day), newest + 1)
        in_force_now = {
            (one.date, one.series): one
            for one in published.vintages.all_in_force()
            if one.date >= format_date(days.start)
        }
        return tuple(
            Day(
                date=format_date(day),
                final_due=format_instant(self._final_due(day)),
                prints={
                    series: self._print(day, in_force_now.get((format_date(day), series)))
                    for series in self.series
                },
            )
            for day in reversed(days)
        )

    def _print(self, day: int, vintage: Vintage | None) -> Print | None:
        if vintage is None:
            return None
        key = vintage.date, vintage.series
        final = self._first.get(key)
        hour = self._final_due(day) if final is not None else (day + 1) * DAY + self._policy.prelim
        known_at = final if final is not None else self._prelim[key]
        return Print(
            quality=vintage.quality,
            stage=vintage.stage,
            vintage=vintage.vintage,
            value=vintage.value,
            published_at=format_instant(known_at),
            delay_seconds=(known_at - hour) // SECOND,
        )


# ---- what the files are worth


_CHECKING: Final = Lock()


def _files_held(folder: Path, version: Version, at: int) -> Files:
    """Return what `_files` found: who asks while it is found out waits for it."""
    with _CHECKING:
        return _files(folder, version, at)


@lru_cache(maxsize=2)
def _files(folder: Path, version: Version, at: int) -> Files:
    """Read the files of a publication and hold each against what was signed. at : instant, for how long it is kept"""
    try:
        files = PublishedFiles(folder)
        names = sorted({*files.missing, *files.listed}, key=_rank)
        faults = {name: files.fault(name) for name in islice(names, FILES_CHECKED_MAX)}
        log_damage = files.log_damage
    except (MtokError, OSError, ValueError) as error:
        return _unread(folder, at, error)
    damaged = [Damage(path=name, fault=fault) for name, fault in faults.items() if fault]
    counts, bad = Counter(map(_kind, faults)), Counter(_kind(one.path) for one in damaged)
    return Files(
        checked_at=format_instant(at),
        checks=(*_signatures(folder), _log_check(log_damage, [one.path for one in damaged])) if names else (),
        files=len(names),
        checked=len(faults),
        held=tuple(Held(kind=kind, files=counts[kind], damaged=bad[kind]) for kind in sorted(counts)),
        damaged=tuple(damaged[:DAMAGED_MAX]),
        damages=len(damaged),
    )


def _unread(folder: Path, at: int, error: Exception) -> Files:
    ended = _within(folder, error.found if isinstance(error, MtokError) else str(error))
    return Files(
        checked_at=format_instant(at),
        checks=_signatures(folder),
        files=0,
        checked=0,
        held=(),
        damaged=(),
        damages=0,
        ended=ended,
    )


def _rank(name: str) -> tuple[bool, int, str]:
    """Return the order in which files are read: what changes and the log first, then the newest dates."""
    dated = never_changes(name) and not name.startswith("log/")
    date = next((part[:10] for part in name.split("/") if part[:2] == "20"), "")
    digits = date.replace("-", "")
    return dated, -int(digits) if digits.isdecimal() else 0, name


def _kind(name: str) -> str:
    first, slash, _ = name.partition("/")
    return first if slash else "views"


def _signatures(folder: Path) -> tuple[Check, ...]:
    """Return whether the checkpoint and the sums are signed by the key in `vkey`."""
    return tuple(
        _signed(folder, what, path) for what, path in (("checkpoint", "log/checkpoint"), ("sums", SUMS))
    )


def _signed(folder: Path, what: str, path: str) -> Check:
    try:
        key = PublicKey.parse(_key(folder) or "")
        open_note((folder / path).read_bytes(), [key], bytes_max=_SUMS_BYTES_MAX)
    except FileNotFoundError:
        return Check(what=what, holds=False, found=f"{path} is missing")
    except (NoteRefused, OSError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        return Check(what=what, holds=False, found=f"{path} does not verify: {said}")
    return Check(what=what, holds=True, found=f"{path} is signed by key {key.id.hex()}")


def _log_check(damage: str | None, damaged: list[str]) -> Check:
    broken = [path for path in damaged if path.startswith("log/") and path != "log/checkpoint"]
    if damage or broken:
        found = damage or f"{', '.join(broken[:3])} {'is' if len(broken) == 1 else 'are'} not what was signed"
        return Check(what="log", holds=False, found=found)
    return Check(what="log", holds=True, found="every entry and every hash leads to the root that was signed")


def _checkpoint(folder: Path) -> Checkpoint | None:
    """Return the head as it is written, whoever signed it; None where it is no head."""
    try:
        text, _, _ = (folder / "log" / "checkpoint").read_text("utf-8").partition("\n\n")
        return Checkpoint.parse(f"{text}\n")
    except (OSError, ValueError):
        return None


def _key(folder: Path) -> str | None:
    """Return the line of the file `vkey`, None without one."""
    try:
        return (folder / "vkey").read_text("utf-8").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def _within(folder: Path, text: str) -> str:
    """Return what may be said to strangers: nothing of where things are on this machine."""
    return text.replace(f"{folder}/", "").replace(str(folder), "the publication")
