"""The status page: a line a day, what is late and what to do, and the open alarms in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from mtok.calendar import parse_date
from mtok.cli.layout import Heading, Page, apart, columns, hairline, labelled, wrapped
from mtok.watch import LATE, NOTE, Alarm, DayStatus, Print, Publishing, Status, code_of
from mtok.wording.figures import ABSENT, TIED, counted, day_text, duration, instant_text, tokens
from mtok.wording.words import SYMBOLS, company_of

NOT_DETERMINED: Final = "·"
SENTENCES_MAX: Final = 20
"""Alarms told in sentences; the rest are counted, and listed by --json."""

_LABEL: Final = 11
_GAP: Final = 2
_MORE: Final = "…"


def status_content(status: Status) -> dict[str, Any]:
    """Return the status for machines."""
    content: dict[str, Any] = msgspec.to_builtins(status)
    return content


def status_page(status: Status, width: int) -> Page:
    """Return the status for people."""
    return [
        *_header(status, width),
        "",
        *_days(status.days, width),
        "",
        *_legend(status.days, width),
        *_late(status.late, width),
        *_open(status.open, width),
    ]


def _header(status: Status, width: int) -> Page:
    return [
        *apart(f"mtok  the last {counted(len(status.days), 'day')}", instant_text(status.at), width),
        "",
        *labelled("prices", _prices(status), width, _LABEL),
        *labelled("rankings", _rankings(status), width, _LABEL),
        *_published(status.publication, width),
        *labelled("disk", f"{_gibibytes(status.free_bytes)} free at {status.store}", width, _LABEL),
    ]


def _prices(status: Status) -> str:
    newest = "none captured"
    if status.newest_prices is not None and status.newest_prices_age is not None:
        newest = f"newest {_moment(status.newest_prices)}, {duration(status.newest_prices_age)} ago"
    return f"{newest}; {_late_after('', status.prices_due)}"


def _rankings(status: Status) -> str:
    day = status.newest_rankings_day
    newest = "no day held" if day is None else f"newest day {day_text(day)}"
    waited = "" if status.next_day is None else f"{_short_day(status.next_day)} is "
    return f"{newest}; {_late_after(waited, status.rankings_due)}"


def _published(publication: Publishing | None, width: int) -> Page:
    """Return how the publication stands; nothing for a store that does not publish."""
    if publication is None:
        return []
    if publication.damage is not None:
        text = f"cannot be read: {publication.damage}"
    else:
        at = publication.published_at
        last = (
            "nothing yet"
            if at is None
            else f"last {_moment(at)}, the log has {tokens(publication.entries)} entries"
        )
        text = f"{last}; next due {_moment(publication.next_due)}"
    return labelled("published", text, width, _LABEL)


def _late_after(what: str, due: str | None) -> str:
    """Return after which instant something is late; a store that never collected live is never late."""
    return "never late, as nothing was collected live" if due is None else f"{what}late after {_moment(due)}"


def _days(days: Sequence[DayStatus], width: int) -> Page:
    head = ["Day", "Prices", "Gap", "Rankings", "Prints", "Alarms"]
    since = [day for day in days if not day.before_first]
    rows = [head, *(_row(day) for day in since)]
    fixed = columns([row[:-1] for row in rows], "<>>><")
    used = max(map(len, fixed)) + _GAP
    lines = [
        f"{left:{used}}{_shortened(row[-1], width - used)}".rstrip()
        for left, row in zip(fixed, rows, strict=True)
    ]
    before = len(days) - len(since)
    if before:
        lines.append(f"{counted(before, 'day')} before the first capture")
    return [Heading(lines[0]), hairline(width), *lines[1:], hairline(width)]


def _row(day: DayStatus) -> list[str]:
    return [
        day.date,
        str(day.price_captures),
        _clock(day.longest_gap),
        _held(day),
        "".join(_mark(found) for found in day.printed.values()),
        _counts(day.alarms),
    ]


def _held(day: DayStatus) -> str:
    """Return when the day was first held: the time, and how many days later if not on the next one."""
    if day.rankings_first is None:
        return "rejected" if day.rankings_reason else ABSENT
    later = parse_date(day.rankings_first[:10]) - parse_date(day.date) - 1
    return f"{f'+{later} d ' if later else ''}{day.rankings_first[11:16]}"


def _mark(found: Print | None) -> str:
    return NOT_DETERMINED if found is None else SYMBOLS.get(found.quality, "?")


def _legend(days: Sequence[DayStatus], width: int) -> Page:
    names = ", ".join(company_of(series).replace(" ", TIED) for series in (days[0].printed if days else ()))
    marks = " ".join(f"{symbol}{TIED}{quality}" for quality, symbol in SYMBOLS.items())
    return [
        *labelled("Prices", "captures of the day; Gap: the longest time without one, h:mm", width, _LABEL),
        *labelled(
            "Rankings", "when the day was first held, on the day after or so many days later", width, _LABEL
        ),
        *labelled("Prints", f"{names}: {marks} {NOT_DETERMINED}{TIED}not{TIED}determined", width, _LABEL),
    ]


def _late(late: Sequence[Alarm], width: int) -> Page:
    if not late:
        return ["", Heading("Nothing is late.")]
    return ["", Heading("Late"), *_told(late, width)]


def _open(alarms: Sequence[Alarm], width: int) -> Page:
    """Return the warnings in sentences and the notes as counts; what is late has been told."""
    severities = [code_of(alarm.code).severity for alarm in alarms]
    warnings = [alarm for alarm, of in zip(alarms, severities, strict=True) if of not in (LATE, NOTE)]
    page = [
        "",
        Heading("New alarms of today and yesterday" if warnings else "No new alarms since yesterday."),
    ]
    page += _told(warnings[:SENTENCES_MAX], width)
    if len(warnings) > SENTENCES_MAX:
        page.append(f"and {len(warnings) - SENTENCES_MAX:,} more, listed by --json")
    notes: Counter[str] = Counter()
    for alarm, of in zip(alarms, severities, strict=True):
        notes[alarm.code] += alarm.alarms if of == NOTE else 0
    return [*page, *(wrapped(f"Notes: {_counts(+notes)}.", width) if +notes else [])]


def _told(alarms: Sequence[Alarm], width: int) -> Page:
    """Return alarms by code: what it means and what to do, then which and what was met, the newest first."""
    page: Page = []
    for code in dict.fromkeys(alarm.code for alarm in alarms):
        meant = code_of(code)
        page += wrapped(f"{code}: {meant.meaning}. {meant.remedy}".replace("`", ""), width)
        of_code = [alarm for alarm in alarms if alarm.code == code]
        of_code.sort(key=lambda alarm: -parse_date(alarm.day))
        for alarm in of_code:
            shown = f", {counted(alarm.count, 'time')}" if alarm.count > 1 and alarm.subject else ""
            which = f"{alarm.subject}, " if alarm.subject else ""
            page += wrapped(f"{which}{day_text(alarm.day)}{shown}: {alarm.found}", width, _GAP)
    return page


def _counts(counts: Counter[str] | dict[str, int]) -> str:
    """Return codes with their counts: what is late first, then warnings, then notes."""
    ranks = {LATE: 0, NOTE: 2}
    ordered = sorted(counts.items(), key=lambda entry: (ranks.get(code_of(entry[0]).severity, 1), entry[0]))
    return ", ".join(f"{code}{TIED}{tokens(count)}" for code, count in ordered)


def _shortened(text: str, room: int) -> str:
    """Return a list cut after an entry where it does not fit.

    >>> _shortened("restated 1, slug_new 12", 16)
    'restated 1, …'
    """
    if len(text) <= room:
        return text
    kept = ""
    for entry in text.split(", "):
        if len(f"{kept}{entry}, {_MORE}") > room:
            break
        kept += f"{entry}, "
    return f"{kept}{_MORE}"


def _clock(seconds: int) -> str:
    return f"{seconds // 3600}:{seconds % 3600 // 60:02d}"


def _short_day(date: str) -> str:
    return day_text(date).rsplit(TIED, 1)[0]


def _moment(instant: str) -> str:
    return f"{_short_day(instant[:10])}{TIED}{instant[11:16]}{TIED}UTC"


def _gibibytes(size: int) -> str:
    tenths = size * 10 // 2**30
    return f"{tenths // 10:,}.{tenths % 10}{TIED}GiB"
